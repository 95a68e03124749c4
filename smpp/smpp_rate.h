/*
 * How fast a bind or a carrier may send, in segments a second.  Pure: no timer, no clock of its
 * own.
 *
 * struct smpp_bucket lets at most `rate` segments go within any SMPP_RATE_SPAN_MS, wherever that
 * time begins.  The span is longer than a second so that what the network pushes together by up to
 * a tenth of a second is not too much for an operator that counts by seconds, fixed or sliding.  A
 * bucket holds 1 + rate/50 tokens (the largest burst), and a token comes every
 * span / (rate - burst + 1): a full one and all that come within a span make just `rate`.  So a
 * rate of 1 is one segment each 1.1 s, 10 are 9.1/s, 1000 are 891/s.  A message of more segments
 * than the burst waits for a full bucket and leaves it in debt.
 *
 * struct smpp_rate is a bucket whose rate follows what the peer says (AIMD):
 *   - smpp_rate_cut(), a throttle: half of what the peer took in the second before, at least 1/s,
 *     where that is less than the rate of then.  One cut for all that was written before it.  The
 *     caller pauses, then sends one message (the probe); until smpp_rate_resume() each further cut
 *     halves again.
 *   - smpp_rate_slow(), a peer near congestion: the same without a pause, once a second at most.
 *   - each second after that without a cut adds a sixteenth of what was too fast, at least 1/s, up
 *     to the limit; at twice of what was too fast the limit alone counts again, if any.
 * The state outlives connections: a bind that comes back does not start with a burst.
 */
#ifndef SMPP_SMPP_RATE_H
#define SMPP_SMPP_RATE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define SMPP_RATE_MAX     100000 /* segments a second */
#define SMPP_RATE_SPAN_MS 1100
#define SMPP_RATE_SLOTS   11 /* of a tenth of a second: the one that runs, and a whole second */

struct smpp_bucket {
    uint32_t rate;      /* 0: no limit */
    uint32_t burst;     /* tokens of a full one */
    int64_t step_ns;    /* a token comes each */
    int64_t full_at_ns; /* it is full by then */
};

/* A full one. */
void smpp_bucket_init(struct smpp_bucket *b, uint32_t rate, struct mono now);
/* Another rate: what was spent stays spent; where there was no limit before it is empty. */
void smpp_bucket_set(struct smpp_bucket *b, uint32_t rate, struct mono now);
/* Segments that may go now; UINT32_MAX: no limit. */
uint32_t smpp_bucket_room(const struct smpp_bucket *b, struct mono now);
/* Messages of so many segments that may go now. */
uint32_t smpp_bucket_fit(const struct smpp_bucket *b, uint32_t segments, struct mono now);
/* When the next of them may go; not later than now: at once. */
struct mono smpp_bucket_next(const struct smpp_bucket *b, uint32_t segments, struct mono now);
void smpp_bucket_spend(struct smpp_bucket *b, uint32_t segments, struct mono now);

struct smpp_rate {
    struct smpp_bucket bucket;
    uint32_t limit;   /* configured, 0: none */
    uint32_t current; /* 0: no limit.  While is_held what the bucket will get then */
    uint32_t ceiling; /* current counts up to there; 0: nothing was cut, current is the limit */
    uint32_t before;  /* at the cut */
    uint32_t taken;   /* by the peer, in the second before the cut */
    uint32_t cuts;    /* since the last resume */
    bool is_held;     /* between cut and resume */
    struct mono cut_at, raise_at;
    uint32_t slots[SMPP_RATE_SLOTS]; /* segments that the peer took */
    int64_t slot;                    /* number of the newest since time 0 */
};

void smpp_rate_init(struct smpp_rate *r, uint32_t limit, struct mono now);
void smpp_rate_limit(struct smpp_rate *r, uint32_t limit, struct mono now);
/* As of the bucket; they let the rate rise first. */
uint32_t smpp_rate_room(struct smpp_rate *r, struct mono now);
uint32_t smpp_rate_fit(struct smpp_rate *r, uint32_t segments, struct mono now);
struct mono smpp_rate_next(struct smpp_rate *r, uint32_t segments, struct mono now);
void smpp_rate_spend(struct smpp_rate *r, uint32_t segments, struct mono now);
/* The peer took them; when they had been written. */
void smpp_rate_taken(struct smpp_rate *r, uint32_t segments, struct mono written, struct mono now);
/* The peer throttled one; false: it was written before the last cut and says nothing new. */
bool smpp_rate_cut(struct smpp_rate *r, struct mono written, struct mono now);
void smpp_rate_resume(struct smpp_rate *r, struct mono now);
/* False: that was said less than a second ago, or it is held. */
bool smpp_rate_slow(struct smpp_rate *r, struct mono now);
/* Segments a second as of now, 0: no limit. */
uint32_t smpp_rate_current(struct smpp_rate *r, struct mono now);

#endif
