/*
 * Waiting longer after each failure: 50 ms doubled up to a maximum, each time a random half to
 * whole of it, so that many gateways do not come back at one moment.
 */
#ifndef STORE_BACKOFF_H
#define STORE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t next_ms; /* 0: the first */
    uint32_t max_ms;
};

uint32_t store_backoff_next_ms(struct backoff *b);
void store_backoff_reset(struct backoff *b);

#endif
