/*
 * Arming a libevent timer in the units that the rest of the code counts in.
 */
#ifndef STORE_TIMER_H
#define STORE_TIMER_H

#include <event2/event.h>
#include <stdint.h>

static inline void timer_arm_us(struct event *ev, int64_t us)
{
    const struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    event_add(ev, &tv);
}

static inline void timer_arm_ms(struct event *ev, int64_t ms)
{
    timer_arm_us(ev, ms * 1000);
}

#endif
