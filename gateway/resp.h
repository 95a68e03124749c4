/*
 * The verify socket: RESP2 and RESP3 for applications, so that every Redis client is its client.
 * resp_conn.c keeps connections, their limits and the order of answers; resp_commands.c is the
 * table of commands.  Commands of one connection are worked on at the same time; answers leave in
 * the order of the requests.
 */
#ifndef GATEWAY_RESP_H
#define GATEWAY_RESP_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct carriers;
struct reap;
struct config_verify_socket;
struct flows;
struct overdue;
struct pin_ledger;
struct pin_registry;
struct resp_server;

struct resp_env {
    struct event_base *base;
    struct reap *reap;
    const struct config_verify_socket *config; /* kept; see resp_server_reload() */
    struct flows *flows;
    struct pin_ledger *ledger;
    struct carriers *carriers;
    struct overdue *overdue;
    struct pin_registry *registry;
};

/* Opens the listeners. NULL: why says what is wrong. */
struct resp_server *resp_server_new(const struct resp_env *env, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* Limits and time-outs of a fresh configuration, for connections that are open too; the old one is
 * not touched after it.  Listeners stay as they are. */
void resp_server_reload(struct resp_server *s, const struct config_verify_socket *fresh);
/* No new connections; those that wait for nothing are closed, the others after their answers. */
void resp_server_drain(struct resp_server *s);
void resp_server_free(struct resp_server *s);

struct resp_info {
    uint32_t connections;
    uint64_t accepted, commands, protocol_errors, limits_hit, auth_failures;
};
void resp_server_info(const struct resp_server *s, struct resp_info *out);

#endif
