/*
 * What happened since the start, counted where it happens and read by /metrics alone: plain
 * numbers of the process, touched from the event loop only.
 */
#ifndef GATEWAY_COUNTERS_H
#define GATEWAY_COUNTERS_H

#include "pin/ledger.h"

/* What a verify was answered, in the words of the API. */
#define COUNTERS_VERIFY_LIST(X)                                                                    \
    X(VERIFY_VERIFIED, "VERIFIED")                                                                 \
    X(VERIFY_WRONG_PIN, "WRONG_PIN")                                                               \
    X(VERIFY_NO_MORE_PIN_ATTEMPTS, "NO_MORE_PIN_ATTEMPTS")                                         \
    X(VERIFY_TTL_EXPIRED, "TTL_EXPIRED")                                                           \
    X(VERIFY_TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS")                                               \
    X(VERIFY_NOT_FOUND, "NOT_FOUND")                                                               \
    X(VERIFY_UNAVAILABLE, "UNAVAILABLE")

enum counters_verify {
#define X(id, name) id,
    COUNTERS_VERIFY_LIST(X) N_VERIFY
#undef X
};

/* Limits of applications that turned a request away. */
#define COUNTERS_LIMIT_LIST(X)                                                                     \
    X(LIMIT_VERIFY, "verifyPinLimit")                                                              \
    X(LIMIT_APP, "sendPinPerApplicationLimit")                                                     \
    X(LIMIT_PHONE, "sendPinPerPhoneNumberLimit")

enum counters_limit {
#define X(id, name) id,
    COUNTERS_LIMIT_LIST(X) N_LIMITS
#undef X
};

/* What takes time; a resend is a send. */
#define COUNTERS_STEP_LIST(X)                                                                      \
    X(STEP_SEND, "send")                                                                           \
    X(STEP_VERIFY, "verify")

enum counters_step {
#define X(id, name) id,
    COUNTERS_STEP_LIST(X) N_STEPS
#undef X
};

/* Upper bounds in microseconds; the last bucket has none. */
#define COUNTERS_BOUNDS_US                                                                         \
    {                                                                                              \
        1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,  \
            10000000, 30000000                                                                     \
    }
#define COUNTERS_BUCKETS 15

struct counters {
    uint64_t verify[N_VERIFY];
    uint64_t limit[N_LIMITS];
    struct counters_times {
        uint64_t bucket[COUNTERS_BUCKETS]; /* each by itself, not with those below it */
        uint64_t sum_us;
    } step[N_STEPS];
};

const struct counters *counters(void);
/* result and verdict of a struct pin_answer. */
void counters_verify(int result, enum pin_verdict verdict);
void counters_limit(enum counters_limit limit);
void counters_step(enum counters_step step, int64_t us);

#endif
