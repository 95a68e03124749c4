/*
 * What calls of the HTTP API came to, by route and status: counted at their end, read by /metrics.
 */
#ifndef GATEWAY_API_METRICS_H
#define GATEWAY_API_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct api_route;

/* At the end of each call; route NULL: the path is nobody's. */
void api_metrics_count(const struct api_route *route, int status);

/* Statuses that are counted by themselves; 0: all others, behind the last of them. */
#define API_METRICS_CODES                                                                          \
    {                                                                                              \
        200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 429, 500, 503, 0                         \
    }
#define API_METRICS_N 14
/* Routes that are; what is beyond counts as no route. */
#define API_METRICS_ROUTES 48
/* API_METRICS_N counts; of the route at that place of api_routes(), or API_METRICS_ROUTES. */
const uint64_t *api_metrics_counted(size_t route);

#endif
