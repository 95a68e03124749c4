/*
 * The clock of fuzz_session.c stands still until now_us is moved, for the library and for libevent,
 * and what would be drawn at random follows from it.
 */
#ifndef TESTS_FUZZ_SESSION_CLOCK_H
#define TESTS_FUZZ_SESSION_CLOCK_H

#include "base/clock.h"

#include <event2/util.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_reads; /* by the library */
static int64_t now_us = INT64_C(1000000000);

static inline int64_t mono_us(void)
{
    clock_reads++;
    return now_us;
}

static inline int64_t virtual_wall_us(void)
{
    return INT64_C(1795000000000000) + now_us;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, id, ts);
    *ts = (struct timespec){now_us / 1000000, now_us % 1000000 * 1000};
    return 0;
}

/* Back-off and pauses are drawn the same each time. */
void evutil_secure_rng_get_bytes(void *buf, size_t n)
{
    memset(buf, (int)(now_us / 1000 % 251), n);
}

#endif
