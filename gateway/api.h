/*
 * The HTTP doors: the 2FA API on http.listen, metrics on http.noc_listen, health on both.  What
 * they answer about PINs comes from the same operations as behind the verify socket (flow.h,
 * pins.h), so that names and values are the same.
 */
#ifndef GATEWAY_API_H
#define GATEWAY_API_H

#include "gateway/http.h"

struct api;
struct carriers;
struct config;
struct flows;
struct mo;
struct overdue;
struct pin_ledger;
struct pin_registry;
struct resp_server;
struct store;

struct api_env {
    struct event_base *base;
    struct reap *reap;
    const struct config *config; /* kept; see api_reload() */
    struct flows *flows;
    struct pin_ledger *ledger;
    struct pin_registry *registry;
    struct carriers *carriers;
    const struct mo *mo;
    const struct overdue *overdue; /* for /metrics */
    struct store *store;
    const struct resp_server *resp; /* for /metrics */
};

/* Connections of http.noc_listen, where http.max_connections is not less: few people look there. */
#define API_NOC_CONNECTIONS 256

/* Opens the listeners.  NULL: why says what is wrong. */
struct api *api_new(const struct api_env *env, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* Build, then swap: api_prepare() reads what can be wrong (certificates), api_reload() cannot
 * fail.  The old configuration is not touched after it.  A door with TLS keeps it, also where fresh
 * names no certificate, and one without stays without. */
int api_prepare(struct api *a, const struct config *fresh, char *why, size_t why_size)
    __attribute__((warn_unused_result));
void api_reload(struct api *a, const struct config *fresh);
/* Readiness says no from here on; see http_server_drain(). */
void api_drain(struct api *a);
/* Open requests' answers may still come after it. */
void api_free(struct api *a);

struct api_info {
    uint32_t connections;
    struct http_info http, noc;
    uint64_t auth_failures;
};
void api_info(const struct api *a, struct api_info *out);

#endif
