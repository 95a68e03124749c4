#include "gateway/route.h"

#include "gateway/config.h"

#include <string.h>

static int prefix_length(const struct config_route *r, const struct msisdn *to)
{
    int best = -1;
    for (size_t i = 0; i < r->n_prefixes; i++) {
        size_t n = strlen(r->prefixes[i]);
        if (n <= to->len && memcmp(r->prefixes[i], to->digits, n) == 0 && (int)n > best)
            best = (int)n;
    }
    return best;
}

void route_pick(const struct config *config, const struct msisdn *to, struct route_pick *out)
{
    const struct config_route *best = NULL;
    int length = -1;
    for (size_t i = 0; i < config->n_routes; i++) {
        int n = prefix_length(&config->routes[i], to);
        if (n > length) {
            length = n;
            best = &config->routes[i];
        }
    }
    out->n = 0;
    for (size_t i = 0; best && i < best->n_carriers && out->n < ROUTE_CARRIERS_MAX; i++)
        out->carriers[out->n++] = best->carriers[i];
}
