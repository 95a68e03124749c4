/*
 * Which carriers a number goes to, in order: the route with the longest matching prefix.  And what
 * a refusal means: a matter of the route (another carrier may do) or of the number (none will).
 */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "base/msisdn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

#define ROUTE_CARRIERS_MAX 8

struct route_pick {
    const char *carriers[ROUTE_CARRIERS_MAX]; /* names, in order of preference; config owns them */
    size_t n;
};

/* n is 0 where no route matches. */
void route_pick(const struct config *config, const struct msisdn *to, struct route_pick *out);

/* A submit_sm_resp with this status says that the number itself is the trouble. */
bool route_is_number_refusal(uint32_t status);

#endif
