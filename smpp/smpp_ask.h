/*
 * query_sm and cancel_sm: what is asked of a message that was accepted.
 *
 * An ask waits in the queue of its carrier, in the order of the calls, until a bind has place for
 * it; then it is the bind's until it is answered, given up, or the connection ends.  It is never
 * ahead of a message: asks go while none waits, each at the price of a segment of the rates, and
 * have a small table of their own instead of a place in the window.  A peer that throttles one
 * gets none for throttle_ms.
 */
#ifndef SMPP_SMPP_ASK_H
#define SMPP_SMPP_ASK_H

#include "smpp/smpp.h"
#include "smpp/smpp_window.h"

#define SMPP_ASKS_PER_BIND 16   /* unanswered; further ones wait */
#define SMPP_ASKS_WAITING  1000 /* of a carrier; then ERR_FULL */
#define SMPP_ASK_ID_MAX    64 /* octets of a message id in query_sm and cancel_sm (4.8.1, 4.9.1) */

struct event;
struct smpp_pdu;
struct smpp_session;

struct smpp_ask {
    struct smpp_ask *prev, *next;
    struct smpp_ask_queue *queue; /* of its carrier, also while a bind has it */
    smpp_ask_cb cb;
    void *arg;
    struct mono deadline; /* to be written by then */
    struct mono written;
    uint64_t offset; /* as of struct smpp_entry */
    uint32_t command_id, sequence;
    struct smpp_sender sender;
    char message_id[SMPP_ASK_ID_MAX + 1];
    char destination[SMPP_ADDRESS_MAX + 1];
};

/* Of a carrier. */
struct smpp_ask_queue {
    struct smpp_ask *waiting; /* oldest first */
    uint32_t n;               /* of them; what comes back from a bind may exceed the bound */
    struct event *timer;      /* for the deadline of the first, or for the next token */
    struct smpp_ask_counts queries, cancels;
};

/* Of a bind. */
struct smpp_asks {
    struct smpp_ask *in_flight; /* in the order of sending */
    uint32_t n;
    struct mono paused_until; /* us 0: not throttled */
};

struct smpp_carrier;
int smpp_asks_init(struct smpp_carrier *c) __attribute__((warn_unused_result));
void smpp_asks_clear(struct smpp_carrier *c);
/* Sends what can go, and gives up what has waited too long. */
void smpp_asks_pump(struct smpp_carrier *c);
/* All that wait, as SMPP_ASK_NOT_SENT. */
void smpp_asks_fail(struct smpp_carrier *c, const char *reason);

/* The next sequence number that neither a submit nor an ask in flight has. */
uint32_t smpp_asks_sequence(struct smpp_session *s);
/* A query_sm_resp, cancel_sm_resp or generic_nack; false: nothing of this kind waits for it. */
bool smpp_asks_answer(struct smpp_session *s, const struct smpp_pdu *pdu);
/* When smpp_asks_check() has something to do; us 0: never. */
struct mono smpp_asks_due(const struct smpp_session *s);
void smpp_asks_check(struct smpp_session *s, struct mono now);
/* Those of which no octet has left wait again. */
void smpp_asks_pull_back(struct smpp_session *s);
/* The connection ends: the others are SMPP_ASK_LOST. */
void smpp_asks_lose(struct smpp_session *s);

#endif
