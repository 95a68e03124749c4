/*
 * The messages that the simulator has taken, in a ring of fixed size.
 *
 * Message number n lives in slot n modulo the size until its slot is needed again.  A message
 * whose receipt is still to come is never pushed out: the new one takes another slot, and when
 * none is found near, it is refused (the answer is ESME_RMSGQFUL).
 */
#ifndef TESTS_SIM_MSG_H
#define TESTS_SIM_MSG_H

#include "tests/sim/options.h"
#include "tests/sim/pdu.h"
#include "tests/sim/wheel.h"

enum msg_state { /* SMPP 3.4 section 5.2.28 */
                 STATE_ENROUTE = 1,
                 STATE_DELIVERED,
                 STATE_EXPIRED,
                 STATE_DELETED,
                 STATE_UNDELIVERABLE,
                 STATE_ACCEPTED,
                 STATE_UNKNOWN,
                 STATE_REJECTED,
};

enum msg_phase {
    MSG_DONE,      /* nothing more happens; the slot may be used again */
    MSG_DUE,       /* in the wheel: delivery, or the next try of the receipt */
    MSG_WAITING,   /* for a bind or its window */
    MSG_IN_FLIGHT, /* receipt sent; in the wheel for its time-out */
};

struct msg {
    struct wheel_node timer;
    struct msg *next, *prev; /* account's waiting list */
    uint64_t n;              /* 0: never used */
    int64_t submitted_ms;    /* Unix time, as the next three */
    int64_t final_ms;        /* when the state becomes final */
    int64_t waiting_ms;      /* since when it waits for a bind */
    uint32_t faults;
    uint32_t conn; /* that the receipt went to, and its sequence number */
    uint32_t seq;
    uint16_t tries;
    uint8_t account;
    uint8_t phase;
    uint8_t state;
    uint8_t final; /* the state that it will end in */
    uint8_t data_coding;
    bool wants_receipt;
    bool wants_notice; /* the intermediate notification is still to come */
    struct pdu_addr src;
    struct pdu_addr dst;
    char head[21]; /* the text's first characters, for the receipt */
};

struct msg_ring {
    struct msg *slots;
    size_t size; /* a power of two */
    uint64_t next;
};

int msg_ring_init(struct msg_ring *r, int64_t size, int64_t first)
    __attribute__((warn_unused_result));
void msg_ring_clear(struct msg_ring *r);
/* NULL when full.  All but n is zero. */
struct msg *msg_take(struct msg_ring *r);
struct msg *msg_find(struct msg_ring *r, uint64_t n);

#define MSG_ID_SIZE 37
void msg_id(uint64_t n, enum id_form form, char out[MSG_ID_SIZE]);
/* The message of an id as it was answered, or NULL. */
struct msg *msg_find_id(struct msg_ring *r, const char *id, enum id_form form);
/* "DELIVRD" */
const char *msg_state_name(enum msg_state state);

#endif
