/* Counts what calls of the HTTP API came to, for /metrics. */
#ifndef GATEWAY_API_METRICS_H
#define GATEWAY_API_METRICS_H

struct api_route;

/* At the end of each call; route NULL: the path is nobody's. */
void api_metrics_count(const struct api_route *route, int status);

#endif
