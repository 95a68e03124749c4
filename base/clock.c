#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t real_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

static const struct clock_source real_source = {real_mono_us, real_wall_us};
static const struct clock_source *source = &real_source;

void clock_set_source(const struct clock_source *s)
{
    source = s ? s : &real_source;
}

struct mono mono_now(void)
{
    return (struct mono){source->mono_us()};
}

struct mono mono_add_ms(struct mono t, int64_t ms)
{
    return (struct mono){t.us + ms * 1000};
}

int64_t mono_diff_us(struct mono later, struct mono earlier)
{
    return later.us - earlier.us;
}

int64_t mono_diff_ms(struct mono later, struct mono earlier)
{
    return (later.us - earlier.us) / 1000;
}

bool mono_is_past(struct mono deadline, struct mono now)
{
    return now.us >= deadline.us;
}

int64_t wall_us(void)
{
    return source->wall_us();
}

int64_t wall_ms(void)
{
    return wall_us() / 1000;
}

void wall_format(int64_t ms, char *out, uint32_t size)
{
    int part = (int)(ms % 1000);
    time_t s = (time_t)(ms / 1000);
    if (part < 0) { /* before 1970 */
        part += 1000;
        s--;
    }
    struct tm tm;
    gmtime_r(&s, &tm);
    char day[32];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, size, "%s.%03dZ", day, part);
}
