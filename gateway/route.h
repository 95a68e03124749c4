/*
 * Which carriers a number goes to, in order: the route with the longest matching prefix.
 */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "base/msisdn.h"

#include <stddef.h>

struct config;

#define ROUTE_CARRIERS_MAX 8

struct route_pick {
    const char *carriers[ROUTE_CARRIERS_MAX]; /* names, in order of preference; config owns them */
    size_t n;
};

/* n is 0 where no route matches. */
void route_pick(const struct config *config, const struct msisdn *to, struct route_pick *out);

#endif
