/*
 * The answer to submit_sm or data_sm: at once or after a delay, as it should be or as a fault
 * wants.
 *
 * Delayed answers know their connection by number: it may be gone when they are due.
 */
#ifndef TESTS_SIM_ANSWER_H
#define TESTS_SIM_ANSWER_H

#include "tests/sim/fault.h"

#include <stdint.h>

struct conn;
struct smsc;

struct answer {
    uint32_t command; /* of the request */
    uint32_t seq;
    uint32_t status;
    enum fault fault; /* FAULT_COUNT for none */
    uint64_t msg;     /* 0 when the message was refused */
};

/* Throttled at once when the connection has PENDING_MAX delayed answers already. */
void answer_send(struct conn *c, const struct answer *a, int64_t delay_ms);
/* Without sending them. */
void answer_free_all(struct smsc *s);

#endif
