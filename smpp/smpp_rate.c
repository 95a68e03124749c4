#include "smpp/smpp_rate.h"

#define NS_PER_US      1000
#define NS_PER_MS      1000000
#define US_PER_S       1000000
#define BURST_SHARE    50 /* one token more for each so many a second */
#define RAISE_SHARE    16
#define SLOT_US        (US_PER_S / 10)
#define CUTS_THAT_TELL 31

static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- the bucket --- */

static int64_t ns_of(struct mono t)
{
    return t.us * NS_PER_US;
}

static int64_t debt_ns(const struct smpp_bucket *b, struct mono now)
{
    int64_t debt = b->full_at_ns - ns_of(now);
    return debt > 0 ? debt : 0;
}

void smpp_bucket_set(struct smpp_bucket *b, uint32_t rate, struct mono now)
{
    struct smpp_bucket old = *b;
    int64_t debt = debt_ns(b, now);
    if (rate == old.rate)
        return;
    *b = (struct smpp_bucket){.rate = rate};
    if (rate == 0)
        return;
    b->burst = 1 + rate / BURST_SHARE;
    int64_t steps = rate - b->burst + 1;
    b->step_ns = ((int64_t)SMPP_RATE_SPAN_MS * NS_PER_MS + steps - 1) / steps;
    /* In tokens, and in two parts, so that it does not overflow. */
    if (old.rate)
        debt = debt / old.step_ns * b->step_ns + debt % old.step_ns * b->step_ns / old.step_ns;
    else
        debt = b->burst * b->step_ns;
    b->full_at_ns = ns_of(now) + debt;
}

void smpp_bucket_init(struct smpp_bucket *b, uint32_t rate, struct mono now)
{
    *b = (struct smpp_bucket){0};
    smpp_bucket_set(b, rate, now);
    b->full_at_ns = 0;
}

uint32_t smpp_bucket_room(const struct smpp_bucket *b, struct mono now)
{
    if (b->rate == 0)
        return UINT32_MAX;
    int64_t left = b->burst * b->step_ns - debt_ns(b, now);
    return left > 0 ? (uint32_t)(left / b->step_ns) : 0;
}

uint32_t smpp_bucket_fit(const struct smpp_bucket *b, uint32_t segments, struct mono now)
{
    uint32_t room = smpp_bucket_room(b, now);
    return room < segments && b->burst < segments ? room == b->burst : room / segments;
}

struct mono smpp_bucket_next(const struct smpp_bucket *b, uint32_t segments, struct mono now)
{
    if (b->rate == 0)
        return now;
    int64_t at = b->full_at_ns - (b->burst - lower(segments, b->burst)) * b->step_ns;
    return (struct mono){(at + NS_PER_US - 1) / NS_PER_US};
}

void smpp_bucket_spend(struct smpp_bucket *b, uint32_t segments, struct mono now)
{
    if (b->rate)
        b->full_at_ns = ns_of(now) + debt_ns(b, now) + segments * b->step_ns;
}

/* --- what the peer took, by tenths of a second --- */

static void turn_meter(struct smpp_rate *r, struct mono now)
{
    int64_t slot = now.us / SLOT_US;
    for (int i = 0; i < SMPP_RATE_SLOTS && r->slot < slot; i++)
        r->slots[++r->slot % SMPP_RATE_SLOTS] = 0;
    r->slot = slot;
}

static uint32_t taken_lately(struct smpp_rate *r, struct mono now)
{
    uint32_t sum = 0;
    turn_meter(r, now);
    for (int i = 0; i < SMPP_RATE_SLOTS; i++)
        sum += r->slots[i];
    return sum;
}

/* --- the rate --- */

static void restore(struct smpp_rate *r)
{
    r->current = r->limit;
    r->ceiling = 0;
}

/* What was too fast: what the peer took, or the rate of then where that was less. */
static void reduce(struct smpp_rate *r)
{
    uint32_t fast = r->taken ? r->taken : 1;
    if (r->before)
        fast = lower(fast, r->before);
    r->current = fast >> lower(r->cuts, CUTS_THAT_TELL);
    if (r->current == 0)
        r->current = 1;
    r->ceiling = fast > UINT32_MAX / 2 ? UINT32_MAX : 2 * fast;
}

static void rise(struct smpp_rate *r, struct mono now)
{
    if (r->ceiling == 0 || r->is_held || !mono_is_past(r->raise_at, now))
        return;
    int64_t seconds = mono_diff_us(now, r->raise_at) / US_PER_S + 1;
    uint32_t step = r->ceiling / 2 / RAISE_SHARE;
    int64_t to = r->current + seconds * (step ? step : 1);
    r->raise_at = mono_add_ms(r->raise_at, seconds * 1000);
    if (to >= r->ceiling || (r->limit && to >= r->limit))
        restore(r);
    else
        r->current = (uint32_t)to;
    smpp_bucket_set(&r->bucket, r->current, now);
}

static void begin_cut(struct smpp_rate *r, struct mono now)
{
    rise(r, now);
    r->before = r->current;
    r->taken = taken_lately(r, now);
    r->cuts = 0;
}

static void begin_rise(struct smpp_rate *r, struct mono now)
{
    r->raise_at = mono_add_ms(now, 1000);
    smpp_bucket_set(&r->bucket, r->current, now);
}

void smpp_rate_init(struct smpp_rate *r, uint32_t limit, struct mono now)
{
    *r = (struct smpp_rate){.limit = limit, .current = limit, .slot = now.us / SLOT_US};
    smpp_bucket_init(&r->bucket, limit, now);
}

void smpp_rate_limit(struct smpp_rate *r, uint32_t limit, struct mono now)
{
    r->limit = limit;
    if (r->ceiling == 0 || (limit && r->current >= limit))
        restore(r);
    if (limit && (r->before == 0 || r->before > limit))
        r->before = limit;
    /* A probe goes by the limit: the pause is slow enough. */
    smpp_bucket_set(&r->bucket, r->is_held ? limit : r->current, now);
}

uint32_t smpp_rate_room(struct smpp_rate *r, struct mono now)
{
    rise(r, now);
    return smpp_bucket_room(&r->bucket, now);
}

uint32_t smpp_rate_fit(struct smpp_rate *r, uint32_t segments, struct mono now)
{
    rise(r, now);
    return smpp_bucket_fit(&r->bucket, segments, now);
}

struct mono smpp_rate_next(struct smpp_rate *r, uint32_t segments, struct mono now)
{
    rise(r, now);
    return smpp_bucket_next(&r->bucket, segments, now);
}

void smpp_rate_spend(struct smpp_rate *r, uint32_t segments, struct mono now)
{
    smpp_bucket_spend(&r->bucket, segments, now);
}

void smpp_rate_taken(struct smpp_rate *r, uint32_t segments, struct mono written, struct mono now)
{
    turn_meter(r, now);
    r->slots[r->slot % SMPP_RATE_SLOTS] += segments;
    /* A peer may be quicker to throttle than to take. */
    if (r->is_held && mono_is_past(written, r->cut_at) &&
        mono_diff_us(r->cut_at, written) < US_PER_S) {
        r->taken += segments;
        reduce(r);
    }
}

bool smpp_rate_cut(struct smpp_rate *r, struct mono written, struct mono now)
{
    if (r->cut_at.us && mono_is_past(written, r->cut_at))
        return false;
    if (!r->is_held)
        begin_cut(r, now);
    r->is_held = true;
    r->cut_at = now;
    r->cuts++;
    reduce(r);
    return true;
}

void smpp_rate_resume(struct smpp_rate *r, struct mono now)
{
    if (!r->is_held)
        return;
    r->is_held = false;
    begin_rise(r, now);
}

bool smpp_rate_slow(struct smpp_rate *r, struct mono now)
{
    if (r->is_held || (r->cut_at.us && mono_diff_us(now, r->cut_at) < US_PER_S))
        return false;
    begin_cut(r, now);
    r->cut_at = now;
    r->cuts = 1;
    reduce(r);
    begin_rise(r, now);
    return true;
}

uint32_t smpp_rate_current(struct smpp_rate *r, struct mono now)
{
    rise(r, now);
    return r->current;
}
