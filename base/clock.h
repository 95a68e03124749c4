/*
 * Two clocks that cannot be mixed up.
 *
 * struct mono is CLOCK_MONOTONIC as a type of its own: deadlines, ages, back-off.  It never goes
 * back and means nothing outside this process.  Wall time is Unix milliseconds in an int64_t:
 * what a person or a peer is shown.  Tests put their own source in place with clock_set_source()
 * and give NULL to return to the real one.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct mono {
    int64_t us; /* microseconds since an arbitrary point */
};

struct clock_source {
    int64_t (*mono_us)(void);
    int64_t (*wall_us)(void);
};

void clock_set_source(const struct clock_source *source);

struct mono mono_now(void);
struct mono mono_add_ms(struct mono t, int64_t ms);
/* later - earlier in milliseconds, rounded towards zero; negative when later is earlier. */
int64_t mono_diff_ms(struct mono later, struct mono earlier);
int64_t mono_diff_us(struct mono later, struct mono earlier);
bool mono_is_past(struct mono deadline, struct mono now);
/* Of two times at which something is due; us 0 is never. */
static inline struct mono mono_first(struct mono a, struct mono b)
{
    return a.us == 0 || (b.us != 0 && b.us < a.us) ? b : a;
}

/* Unix time. */
int64_t wall_ms(void);
int64_t wall_us(void);
/* "2026-11-23T12:00:00.123Z"; size at least 25. */
void wall_format(int64_t ms, char *out, uint32_t size);

#endif
