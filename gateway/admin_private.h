/* Connections of the admin socket (admin.c) and its table of commands (admin_commands.c). */
#ifndef GATEWAY_ADMIN_PRIVATE_H
#define GATEWAY_ADMIN_PRIVATE_H

#include "base/reap.h"
#include "gateway/admin.h"
#include "gateway/answer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct admin_conn;

/* One request: lives until it is answered, also when its connection is gone by then. */
struct admin_request {
    struct admin_conn *conn; /* NULL: gone */
    const struct admin_env *env;
    json_t *args;    /* array of strings, borrowed from `body` */
    json_t *options; /* object, likewise */
    json_t *body;
};

/* Each ends the request. `result` is taken over. */
void admin_ok(struct admin_request *r, json_t *result);
void admin_fail(struct admin_request *r, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A result of the registry or the ledger that is not 0; `what` is the thing asked for. */
void admin_fail_result(struct admin_request *r, int result, const char *what);

void admin_mo(struct admin_request *r);
/* admin_binds.c */
void admin_binds(struct admin_request *r);
void admin_bind(struct admin_request *r);

void admin_dispatch(struct admin_request *r, const char *command);

#endif
