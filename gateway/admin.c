#include "gateway/admin_private.h"

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/table.h"
#include "gateway/config.h"
#include "gateway/listener.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNS_MAX      32
#define LINE_MAX_BYTES 65536
#define IDLE_S         60

struct admin_conn {
    struct admin_server *server;
    struct admin_conn *prev, *next;
    struct reap_node reap;
    struct bufferevent *bev;
    struct admin_request *request; /* being worked on */
    bool is_dead;
};

struct admin_server {
    struct admin_env env;
    struct listener *listener;
    struct admin_conn *conns;
    uint32_t n_conns;
};

/* One request at a time: the next one when the answer is with the kernel. */
static void read_cb(struct bufferevent *bev, void *arg);

static void conn_free_cb(void *arg)
{
    struct admin_conn *c = arg;
    bufferevent_free(c->bev);
    free(c);
}

static void conn_end(struct admin_conn *c)
{
    if (c->is_dead)
        return;
    c->is_dead = true;
    if (c->request)
        c->request->conn = NULL;
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    DL_DELETE(c->server->conns, c);
    c->server->n_conns--;
    reap_later(c->server->env.reap, &c->reap, conn_free_cb, c);
}

/* --- answers --------------------------------------------------------------------------------- */

static void finish(struct admin_request *r, json_t *answer)
{
    struct admin_conn *c = r->conn;
    char *text = c && answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    json_decref(r->body);
    free(r);
    if (!c)
        return;
    c->request = NULL;
    if (text) {
        struct evbuffer *out = bufferevent_get_output(c->bev);
        evbuffer_add_printf(out, "%s\n", text);
        secret_wipe(text, strlen(text)); /* a key that was just made */
        free(text);
    } else {
        conn_end(c);
    }
}

void admin_ok(struct admin_request *r, json_t *result)
{
    finish(r, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

void admin_fail(struct admin_request *r, const char *code, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    finish(r, json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", text));
}

void admin_fail_result(struct admin_request *r, int result, const char *what)
{
    switch (result) {
    case ERR_NOTFOUND:
        admin_fail(r, "NOT_FOUND", "there is no such %s", what);
        break;
    case ERR_EXISTS:
        admin_fail(r, "EXISTS", "%s: it is there already", what);
        break;
    case ERR_INVALID:
        admin_fail(r, "BAD_REQUEST", "%s: not valid", what);
        break;
    default:
        admin_fail(r, "UNAVAILABLE", "%s: %s", what, err_text(result));
    }
}

/* --- requests -------------------------------------------------------------------------------- */

static void run_line(struct admin_conn *c, const char *line, size_t len)
{
    json_error_t error;
    struct admin_request *r = calloc(1, sizeof *r);
    if (!r) {
        conn_end(c);
        return;
    }
    r->conn = c;
    r->env = &c->server->env;
    c->request = r;
    r->body = json_loadb(line, len, 0, &error);
    const char *command = json_string_value(json_object_get(r->body, "command"));
    r->args = json_object_get(r->body, "args");
    r->options = json_object_get(r->body, "options");
    if (!command)
        admin_fail(r, "BAD_REQUEST", "a JSON object with a command is expected: %s", error.text);
    else
        admin_dispatch(r, command);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
    struct admin_conn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    if (c->is_dead || c->request || evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        return;
    size_t len;
    char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
    if (line) {
        run_line(c, line, len);
        secret_wipe(line, len);
        free(line);
    } else if (evbuffer_get_length(in) > LINE_MAX_BYTES) {
        conn_end(c);
    }
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    conn_end(arg);
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
    struct admin_server *s = arg;
    static const struct timeval idle = {IDLE_S, 0};
    (void)l;
    (void)addr;
    (void)len;
    struct admin_conn *c = s->n_conns < CONNS_MAX ? calloc(1, sizeof *c) : NULL;
    if (c)
        c->bev = bufferevent_socket_new(s->env.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c || !c->bev) {
        LOG(LOG_LV_WARN, NULL, "admin_refused", KV_I("connections", s->n_conns));
        evutil_closesocket(fd);
        free(c);
        return;
    }
    c->server = s;
    DL_APPEND(s->conns, c);
    s->n_conns++;
    bufferevent_setcb(c->bev, read_cb, read_cb, event_cb, c);
    bufferevent_set_timeouts(c->bev, &idle, &idle);
    bufferevent_setwatermark(c->bev, EV_READ, 0, LINE_MAX_BYTES + 1);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct admin_server *admin_server_new(const struct admin_env *env, char *why, size_t why_size)
{
    struct admin_server *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    s->env = *env;
    struct listener_options o = {.door = "admin",
                                 .unix_path = env->config->admin.unix_path,
                                 .unix_mode = env->config->admin.unix_mode,
                                 .unix_group = env->config->admin.unix_group};
    s->listener = listener_new(env->base, &o, accept_cb, s, why, why_size);
    if (!s->listener) {
        free(s);
        return NULL;
    }
    return s;
}

void admin_server_reload(struct admin_server *s, const struct config *fresh)
{
    s->env.config = fresh;
}

void admin_server_free(struct admin_server *s)
{
    if (!s)
        return;
    listener_free(s->listener);
    while (s->conns)
        conn_end(s->conns);
    free(s);
}
