/*
 * MULTI, EXEC, DISCARD: the pipelines of some clients (redis-py's by default) are wrapped in them.
 * What is queued is a copy, bounded in count by max_in_flight and in octets by the largest request,
 * and wiped.  EXEC runs the commands one by one; it promises their order, not their atomicity.
 */
#include "gateway/resp_private.h"

#include "base/secret.h"
#include "gateway/config.h"

#include <stdlib.h>
#include <string.h>

struct queued {
    struct queued *next;
    size_t argc;
    size_t size;     /* octets behind the header */
    size_t length[]; /* argc of them, then the arguments, each with a NUL */
};

struct resp_multi {
    struct queued *list;
    uint32_t n;
    size_t octets;
    bool is_aborted; /* a command was refused: EXEC runs none */
};

static void queued_free(struct queued *q)
{
    secret_wipe(q->length, q->size); /* PINs */
    free(q);
}

void resp_multi_free(struct resp_conn *c)
{
    struct queued *q, *tmp;
    if (!c->multi)
        return;
    LL_FOREACH_SAFE (c->multi->list, q, tmp)
        queued_free(q);
    free(c->multi);
    c->multi = NULL;
}

void resp_multi_abort(struct resp_conn *c)
{
    if (c->multi)
        c->multi->is_aborted = true;
}

static struct queued *queued_new(const struct resp_command *cmd)
{
    size_t size = cmd->argc * sizeof(size_t);
    for (size_t i = 0; i < cmd->argc; i++)
        size += cmd->argv[i].len + 1;
    struct queued *q = malloc(sizeof *q + size);
    if (!q)
        return NULL;
    *q = (struct queued){.argc = cmd->argc, .size = size};
    char *p = (char *)(q->length + cmd->argc);
    for (size_t i = 0; i < cmd->argc; i++) {
        q->length[i] = cmd->argv[i].len;
        memcpy(p, cmd->argv[i].p, cmd->argv[i].len + 1);
        p += cmd->argv[i].len + 1;
    }
    return q;
}

static void queued_command(struct queued *q, struct resp_command *out)
{
    char *p = (char *)(q->length + q->argc);
    out->argc = q->argc;
    for (size_t i = 0; i < q->argc; i++) {
        out->argv[i] = (struct resp_arg){p, q->length[i]};
        p += q->length[i] + 1;
    }
}

void resp_multi_queue(struct resp_request *r, const struct resp_command *cmd)
{
    struct resp_multi *m = r->conn->multi;
    const struct config_verify_socket *k = r->conn->server->env.config;
    char buf[16];
    struct wr w = wr_init(buf, sizeof buf);
    struct queued *q = NULL;
    if (m->n < k->max_in_flight && m->octets < k->max_bulk * 4)
        q = queued_new(cmd);
    if (!q) {
        m->is_aborted = true;
        r->conn->server->info.limits_hit++;
        resp_reply_error(r, "ERR too much between MULTI and EXEC");
        return;
    }
    LL_APPEND(m->list, q);
    m->n++;
    m->octets += q->size;
    resp_status(&w, "QUEUED");
    resp_reply(r, &w);
}

void resp_multi_begin(struct resp_request *r)
{
    if (r->conn->multi) {
        resp_reply_error(r, "ERR MULTI calls can not be nested");
        return;
    }
    r->conn->multi = calloc(1, sizeof *r->conn->multi);
    if (r->conn->multi)
        resp_reply_ok(r);
    else
        resp_reply_error(r, "GENERAL_ERROR out of memory");
}

void resp_multi_discard(struct resp_request *r)
{
    if (!r->conn->multi) {
        resp_reply_error(r, "ERR DISCARD without MULTI");
        return;
    }
    resp_multi_free(r->conn);
    resp_reply_ok(r);
}

/* Answers leave in the order of requests: the head of the array, then its elements. */
static void run_all(struct resp_conn *c, struct resp_multi *m)
{
    struct queued *q, *tmp;
    LL_FOREACH_SAFE (m->list, q, tmp) {
        struct resp_command cmd;
        struct resp_request *r = c->is_dead ? NULL : resp_request_new(c);
        if (r) {
            queued_command(q, &cmd);
            resp_dispatch(r, &cmd);
        }
        queued_free(q);
    }
}

void resp_multi_exec(struct resp_request *r)
{
    struct resp_conn *c = r->conn;
    struct resp_multi *m = c->multi;
    char buf[16];
    struct wr w = wr_init(buf, sizeof buf);
    if (!m) {
        resp_reply_error(r, "ERR EXEC without MULTI");
    } else if (m->is_aborted) {
        resp_multi_free(c);
        resp_reply_error(r, "EXECABORT Transaction discarded because of previous errors.");
    } else {
        c->multi = NULL;
        resp_array(&w, m->n);
        resp_reply(r, &w);
        run_all(c, m);
        free(m);
    }
}
