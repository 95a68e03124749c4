#include "gateway/resp_private.h"

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/config.h"
#include "gateway/failures.h"
#include "gateway/listener.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before AUTH a peer may send little (it may not be a client at all). */
#define UNAUTH_ARGS  10
#define UNAUTH_BULK  1024
#define UNAUTH_TOTAL 2048

/* --- answers, in the order of the requests -------------------------------------------------- */

static void request_free(struct resp_request *r)
{
    free(r->reply);
    free(r);
}

static void conn_end(struct resp_conn *c, const char *reason);

static void send_octets(struct resp_conn *c, const void *p, size_t n)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    if (evbuffer_get_length(out) + n > c->server->env.config->max_output) {
        c->server->info.limits_hit++;
        conn_end(c, "output buffer full: the client does not read");
        return;
    }
    evbuffer_add(out, p, n);
    if (c->is_unwritten)
        return;
    c->is_unwritten = true;
    if (!c->server->unwritten)
        event_active(c->server->flush, EV_TIMEOUT, 0);
    LL_PREPEND2(c->server->unwritten, c, next_unwritten);
}

static void end_if_done(struct resp_conn *c)
{
    bool is_last = c->is_closing || (c->is_half_closed && !c->is_paused);
    if (!c->is_dead && is_last && !c->requests &&
        !evbuffer_get_length(bufferevent_get_output(c->bev)))
        conn_end(c, c->is_closing ? "closed after the last answer" : "closed by the client");
}

/* Sends what is done up to the first request that is not. */
static void flush_done(struct resp_conn *c)
{
    while (!c->is_dead && c->requests && c->requests->is_done) {
        struct resp_request *r = c->requests;
        DL_DELETE(c->requests, r);
        c->in_flight--;
        if (r->reply)
            send_octets(c, r->reply, r->reply_len);
        request_free(r);
    }
    end_if_done(c);
}

static void keep_reply(struct resp_request *r, const struct wr *w)
{
    r->reply = malloc(w->len);
    if (r->reply)
        memcpy(r->reply, w->p, w->len);
    r->reply_len = r->reply ? w->len : 0;
}

void resp_reply(struct resp_request *r, const struct wr *w)
{
    static const char too_big[] = "-GENERAL_ERROR the answer does not fit\r\n";
    struct resp_conn *c = r->conn;
    if (!c) {
        request_free(r);
        return;
    }
    struct wr fail = wr_init((void *)(uintptr_t)too_big, sizeof too_big - 1);
    fail.len = fail.cap;
    r->is_done = true;
    keep_reply(r, w->bad ? &fail : w);
    if (!r->reply) {
        conn_end(c, "out of memory");
        return;
    }
    flush_done(c);
}

void resp_reply_error(struct resp_request *r, const char *text)
{
    char buf[400];
    struct wr w = wr_init(buf, sizeof buf);
    resp_error(&w, text);
    resp_reply(r, &w);
}

void resp_reply_ok(struct resp_request *r)
{
    char buf[8];
    struct wr w = wr_init(buf, sizeof buf);
    resp_status(&w, "OK");
    resp_reply(r, &w);
}

void resp_reply_nothing(struct resp_request *r)
{
    struct resp_conn *c = r->conn;
    r->is_done = true;
    if (c)
        flush_done(c);
    else
        request_free(r);
}

void resp_reply_answer(void *request, const struct answer *a)
{
    struct resp_request *r = request;
    char buf[RESP_REPLY_MAX];
    struct wr w = wr_init(buf, sizeof buf);
    resp_answer(&w, a, r->proto);
    resp_reply(r, &w);
}

/* --- the end of a connection ------------------------------------------------------------------ */

static void conn_free_cb(void *arg)
{
    struct resp_conn *c = arg;
    secret_clear(&c->key);
    secret_clear(&c->tried);
    bufferevent_free(c->bev);
    resp_multi_free(c);
    free(c);
}

static void conn_end(struct resp_conn *c, const char *reason)
{
    if (c->is_dead)
        return;
    c->is_dead = true;
    LOG(LOG_LV_DEBUG, NULL, "client_closed", KV_I("client", c->id), KV_S("peer", c->peer),
        KV_S("reason", reason));
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    DL_DELETE(c->server->conns, c);
    if (c->is_unwritten)
        LL_DELETE2(c->server->unwritten, c, next_unwritten);
    c->server->info.connections--;
    while (c->requests) {
        struct resp_request *r = c->requests;
        DL_DELETE(c->requests, r);
        r->conn = NULL;
        if (r->is_done)
            request_free(r); /* else when its answer comes */
    }
    reap_later(c->server->env.reap, &c->reap, conn_free_cb, c);
}

void resp_conn_close_after(struct resp_conn *c, const char *reason)
{
    LOG(LOG_LV_DEBUG, NULL, "client_closing", KV_I("client", c->id), KV_S("reason", reason));
    c->is_closing = true;
    bufferevent_disable(c->bev, EV_READ);
}

/* --- requests ------------------------------------------------------------------------------------
 */

struct resp_request *resp_request_new(struct resp_conn *c)
{
    struct resp_request *r = calloc(1, sizeof *r);
    if (!r) {
        conn_end(c, "out of memory");
        return NULL;
    }
    r->conn = c;
    r->proto = c->proto;
    DL_APPEND(c->requests, r);
    c->in_flight++;
    return r;
}

static void protocol_error(struct resp_conn *c, const char *what)
{
    char text[160];
    c->server->info.protocol_errors++;
    LOG(LOG_LV_WARN, NULL, "client_protocol_error", KV_I("client", c->id), KV_S("peer", c->peer),
        KV_S("reason", what));
    struct resp_request *r = resp_request_new(c);
    if (!r)
        return;
    snprintf(text, sizeof text, "ERR Protocol error: %s", what);
    resp_conn_close_after(c, "protocol error");
    resp_reply_error(r, text);
}

static size_t total_limit(const struct config_verify_socket *k)
{
    return (size_t)k->max_bulk * 4 + RESP_ARGS_MAX * 16;
}

static struct resp_limits limits_of(const struct resp_conn *c)
{
    const struct config_verify_socket *k = c->server->env.config;
    if (!c->is_authenticated)
        return (struct resp_limits){UNAUTH_ARGS, UNAUTH_BULK, UNAUTH_TOTAL};
    size_t args = k->max_arguments < RESP_ARGS_MAX ? k->max_arguments : RESP_ARGS_MAX;
    return (struct resp_limits){args, k->max_bulk, total_limit(k)};
}

static bool run_one(struct resp_conn *c, const struct resp_command *cmd)
{
    struct resp_request *r = cmd->argc ? resp_request_new(c) : NULL;
    if (!r)
        return !c->is_dead;
    c->server->info.commands++;
    resp_dispatch(r, cmd);
    return !c->is_dead;
}

/* One request out of the input; false: nothing more can be done now. */
static bool read_one(struct resp_conn *c, struct evbuffer *in)
{
    struct resp_command cmd;
    struct resp_limits limits = limits_of(c);
    size_t len = evbuffer_get_length(in);
    char *buf = len ? (char *)evbuffer_pullup(in, -1) : NULL;
    if (!buf)
        return false;
    switch (resp_parse(buf, len, &limits, &cmd)) {
    case RESP_MORE:
        return false;
    case RESP_ERROR:
        protocol_error(c, cmd.error);
        return false;
    case RESP_HTTP:
        c->server->info.protocol_errors++;
        conn_end(c, "an HTTP request on the verify socket");
        return false;
    case RESP_OK:
        break;
    }
    bool go_on = run_one(c, &cmd);
    secret_wipe(buf, cmd.consumed); /* PINs and keys */
    evbuffer_drain(in, cmd.consumed);
    return go_on;
}

static void check_key(struct resp_conn *c)
{
    struct resp_request *r = c->is_dead || c->is_closing ? NULL : resp_request_new(c);
    if (r)
        resp_check_key(r);
}

static void work(struct resp_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    uint32_t max = c->server->env.config->max_in_flight;
    if (resp_is_key_due(c) && !c->is_waiting && evbuffer_get_length(in))
        check_key(c);
    while (!c->is_dead && !c->is_closing && !c->is_waiting && c->in_flight < max)
        if (!read_one(c, in))
            return;
    if (c->is_dead || c->is_closing)
        return;
    /* the rest stays in the kernel until an answer has left */
    if (c->in_flight >= max)
        c->server->info.limits_hit++;
    c->is_paused = true;
    bufferevent_disable(c->bev, EV_READ);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
    (void)bev;
    work(arg);
}

void resp_conn_go_on(struct resp_conn *c)
{
    c->is_waiting = false;
    if (c->is_dead)
        return;
    c->is_paused = false;
    bufferevent_enable(c->bev, EV_READ);
    /* what is in the input already: from the loop, not from inside a callback of a request */
    bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

/* --- connections ---------------------------------------------------------------------------------
 */

/* Reads on where the bound of requests in flight had stopped it. */
static void resume(struct resp_conn *c)
{
    if (!c->is_paused || c->is_dead || c->is_waiting || c->is_closing)
        return;
    c->is_paused = false;
    bufferevent_enable(c->bev, EV_READ);
    work(c);
}

/*
 * Answers leave by write() at the end of the loop turn that made them, all of a connection at once.
 * The bufferevent writes (EV_WRITE) only while the socket is full: else each answer would cost two
 * epoll_ctl() and a turn of the loop.
 */
static void write_out(struct resp_conn *c)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    if (bufferevent_get_enabled(c->bev) & EV_WRITE)
        return;
    evbuffer_unfreeze(out, 1);
    evbuffer_write(out, bufferevent_getfd(c->bev)); /* an error comes again, to event_cb() */
    evbuffer_freeze(out, 1);
    if (evbuffer_get_length(out))
        bufferevent_enable(c->bev, EV_WRITE);
    else
        end_if_done(c);
}

static void flush_cb(evutil_socket_t fd, short what, void *arg)
{
    struct resp_server *s = arg;
    (void)fd;
    (void)what;
    while (s->unwritten) {
        struct resp_conn *c = s->unwritten;
        LL_DELETE2(s->unwritten, c, next_unwritten);
        c->is_unwritten = false;
        write_out(c);
        resume(c);
    }
}

/* The socket had been full, and all is written now. */
static void write_cb(struct bufferevent *bev, void *arg)
{
    bufferevent_disable(bev, EV_WRITE);
    end_if_done(arg);
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
    struct resp_conn *c = arg;
    if (what & BEV_EVENT_EOF) {
        c->is_half_closed = true;
        work(c);
        end_if_done(c);
    } else if ((what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_WRITING)) {
        c->server->info.limits_hit++;
        conn_end(c, "the client does not read");
    } else if (what & BEV_EVENT_TIMEOUT) {
        if (c->in_flight || c->is_waiting) { /* it waits for us, not we for it */
            bufferevent_enable(bev, EV_READ);
            return;
        }
        c->server->info.limits_hit++;
        conn_end(c, "idle for too long");
    } else {
        conn_end(c, "connection error");
    }
}

static void name_peer(struct resp_conn *c, const struct sockaddr *addr)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (c->is_unix && !getsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_PEERCRED, &peer, &len))
        snprintf(c->peer, sizeof c->peer, "unix:%u", (unsigned)peer.uid);
    if (addr->sa_family == AF_INET)
        evutil_inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)addr)->sin_addr,
                         c->peer, sizeof c->peer);
    else if (addr->sa_family == AF_INET6)
        evutil_inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr,
                         c->peer, sizeof c->peer);
}

static struct resp_conn *conn_new(struct resp_server *s, evutil_socket_t fd)
{
    struct resp_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->bev = bufferevent_socket_new(s->env.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev) {
        free(c);
        return NULL;
    }
    c->server = s;
    c->id = ++s->last_id;
    c->proto = 2;
    DL_APPEND(s->conns, c);
    s->info.connections++;
    s->info.accepted++;
    return c;
}

static void set_limits(struct resp_conn *c, const struct config_verify_socket *k)
{
    struct timeval idle = {k->idle_timeout_s, 0};
    bufferevent_set_timeouts(c->bev, &idle, &idle);
    /* one octet more than the largest request, so that a larger one is seen to be so */
    bufferevent_setwatermark(c->bev, EV_READ, 0, total_limit(k) + 1);
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
    struct resp_server *s = arg;
    const struct config_verify_socket *k = s->env.config;
    (void)len;
    struct resp_conn *c = s->info.connections < k->max_connections ? conn_new(s, fd) : NULL;
    if (!c) {
        s->info.limits_hit++;
        LOG(LOG_LV_WARN, NULL, "client_refused", KV_S("reason", "max_connections"));
        evutil_closesocket(fd);
        return;
    }
    c->is_unix = listener_is(s->unix_listener, l);
    name_peer(c, addr);
    if (c->is_unix && k->unix_account[0]) {
        c->is_authenticated = true;
        snprintf(c->account, sizeof c->account, "%s", k->unix_account);
    }
    bufferevent_setcb(c->bev, read_cb, write_cb, event_cb, c);
    set_limits(c, k);
    bufferevent_disable(c->bev, EV_WRITE); /* see write_out() */
    bufferevent_enable(c->bev, EV_READ);
}

/* --- the server ----------------------------------------------------------------------------------
 */

static int open_listeners(struct resp_server *s, char *why, size_t why_size)
{
    const struct config_verify_socket *k = s->env.config;
    struct listener_options o = {.door = "verify",
                                 .unix_path = k->unix_path,
                                 .unix_mode = k->unix_mode,
                                 .unix_group = k->unix_group};
    struct listener_options t = {.door = "verify", .tcp = k->tcp};
    if (k->unix_path[0]) {
        s->unix_listener = listener_new(s->env.base, &o, accept_cb, s, why, why_size);
        if (!s->unix_listener)
            return ERR_IO;
    }
    if (k->tcp[0]) {
        s->tcp_listener = listener_new(s->env.base, &t, accept_cb, s, why, why_size);
        if (!s->tcp_listener)
            return ERR_IO;
        if (k->insecure)
            LOG(LOG_LV_WARN, NULL, "insecure_listener", KV_S("door", "verify"),
                KV_S("address", k->tcp), KV_S("reason", "without TLS beyond loopback"));
    }
    return 0;
}

struct resp_server *resp_server_new(const struct resp_env *env, char *why, size_t why_size)
{
    struct resp_server *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    s->env = *env;
    s->flush = event_new(env->base, -1, 0, flush_cb, s);
    s->failures = failures_new();
    if (!s->flush || !s->failures) {
        snprintf(why, why_size, "out of memory");
        resp_server_free(s);
        return NULL;
    }
    if (open_listeners(s, why, why_size)) {
        resp_server_free(s);
        return NULL;
    }
    return s;
}

void resp_server_reload(struct resp_server *s, const struct config_verify_socket *fresh)
{
    struct resp_conn *c;
    s->env.config = fresh;
    DL_FOREACH (s->conns, c)
        set_limits(c, fresh);
}

static void close_listeners(struct resp_server *s)
{
    listener_free(s->unix_listener);
    listener_free(s->tcp_listener);
    s->unix_listener = s->tcp_listener = NULL;
}

void resp_server_drain(struct resp_server *s)
{
    struct resp_conn *c, *tmp;
    s->is_draining = true;
    close_listeners(s);
    DL_FOREACH_SAFE (s->conns, c, tmp) {
        resp_conn_close_after(c, "the gateway is shutting down");
        flush_done(c);
    }
}

void resp_server_free(struct resp_server *s)
{
    if (!s)
        return;
    close_listeners(s);
    while (s->conns) {
        struct resp_conn *c = s->conns;
        write_out(c); /* the loop does not turn again */
        conn_end(c, "the gateway is shutting down");
    }
    failures_free(s->failures);
    if (s->flush)
        event_free(s->flush);
    free(s);
}

void resp_server_info(const struct resp_server *s, struct resp_info *out)
{
    *out = s->info;
}
