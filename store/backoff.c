#include "store/backoff.h"

#include <event2/util.h>

#define FIRST_MS 50

uint32_t store_backoff_next_ms(struct backoff *b)
{
    uint32_t ms = b->next_ms ? b->next_ms : FIRST_MS;
    if (ms > b->max_ms)
        ms = b->max_ms;
    b->next_ms = ms * 2;
    uint32_t random;
    evutil_secure_rng_get_bytes(&random, sizeof random);
    return ms - random % (ms / 2 + 1);
}

void store_backoff_reset(struct backoff *b)
{
    b->next_ms = 0;
}
