#include "gateway/counters.h"

static struct counters all;

const struct counters *counters(void)
{
    return &all;
}

void counters_verify(int result, enum pin_verdict verdict)
{
    static const struct {
        enum pin_verdict verdict;
        enum counters_verify as;
    } table[] = {
        {PIN_OK, VERIFY_VERIFIED},
        {PIN_WRONG, VERIFY_WRONG_PIN},
        {PIN_NO_MORE_ATTEMPTS, VERIFY_NO_MORE_PIN_ATTEMPTS},
        {PIN_TTL_EXPIRED, VERIFY_TTL_EXPIRED},
        {PIN_TOO_MANY, VERIFY_TOO_MANY_REQUESTS},
    };
    enum counters_verify as = result ? VERIFY_UNAVAILABLE : VERIFY_NOT_FOUND;
    for (size_t i = 0; !result && i < sizeof table / sizeof table[0]; i++)
        if (table[i].verdict == verdict)
            as = table[i].as;
    all.verify[as]++;
    if (as == VERIFY_TOO_MANY_REQUESTS)
        counters_limit(LIMIT_VERIFY);
}

void counters_limit(enum counters_limit limit)
{
    all.limit[limit]++;
}

void counters_step(enum counters_step step, int64_t us)
{
    static const int64_t bounds[] = COUNTERS_BOUNDS_US;
    _Static_assert(sizeof bounds / sizeof bounds[0] + 1 == COUNTERS_BUCKETS, "a bucket each");
    size_t i = 0;
    while (i < COUNTERS_BUCKETS - 1 && us > bounds[i])
        i++;
    all.step[step].bucket[i]++;
    all.step[step].sum_us += us > 0 ? (uint64_t)us : 0;
}
