/*
 * The admin socket: what an operator's program (pinbindctl) asks of the running gateway.  Access
 * is by the mode of the Unix socket.  One JSON object a line each way:
 *
 *   {"command": "app create", "args": [...], "options": {"account": "demo", "set": ["a=b"]}}
 *   {"ok": true, "result": ...}      {"ok": false, "code": "NOT_FOUND", "error": "..."}
 *
 * A connection's requests are worked on one after the other.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include <stddef.h>

struct event_base;
struct reap;
struct admin_server;
struct api;
struct carriers;
struct config;
struct flows;
struct gateway;
struct mo;
struct pin_ledger;
struct pin_registry;
struct resp_server;
struct store;

struct admin_env {
    struct event_base *base;
    struct reap *reap;
    const struct config *config; /* kept; see admin_server_reload() */
    struct store *store;
    struct pin_registry *registry;
    struct pin_ledger *ledger;
    struct carriers *carriers;
    struct flows *flows;
    const struct mo *mo;
    struct resp_server *resp;
    const struct api *api;
    struct gateway *gateway; /* reload and drain */
};

struct admin_server *admin_server_new(const struct admin_env *env, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* The old configuration is not touched after it. */
void admin_server_reload(struct admin_server *s, const struct config *fresh);
void admin_server_free(struct admin_server *s);

#endif
