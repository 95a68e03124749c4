#include "gateway/api_metrics.h"

#include "gateway/api_private.h"

static uint64_t counted[API_METRICS_ROUTES + 1][API_METRICS_N];

void api_metrics_count(const struct api_route *route, int status)
{
    static const int codes[] = API_METRICS_CODES;
    _Static_assert(sizeof codes / sizeof codes[0] == API_METRICS_N, "a count each");
    size_t n, code = 0;
    const struct api_route *all = api_routes(&n);
    size_t at = route ? (size_t)(route - all) : API_METRICS_ROUTES;
    while (codes[code] && codes[code] != status)
        code++;
    counted[at < API_METRICS_ROUTES ? at : API_METRICS_ROUTES][code]++;
}

const uint64_t *api_metrics_counted(size_t route)
{
    return counted[route];
}
