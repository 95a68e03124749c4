#include "gateway/http_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "gateway/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What a client sends beyond the request at hand waits here, then in the kernel. */
#define INPUT_MAX 16384
/* A connection that we end is read from for so long, that the client can read its answer: octets
 * that nobody reads would make the kernel send a reset, which may overtake it. */
#define LINGER_MS     2000
#define LINGER_OCTETS (4u << 20)
/* Octets of answers that clients have not taken yet, of all connections: short ones are always
 * taken, another long one is not. */
#define HELD_MAX     ((size_t)64 << 20)
#define SHORT_ANSWER 16384

static void work(struct http_conn *c);

/* --- phases and their deadlines
 * -------------------------------------------------------------------
 */

static int64_t phase_ms(const struct http_conn *c, enum http_phase phase)
{
    const struct http_limits *l = &c->server->limits;
    switch (phase) {
    case HTTP_HANDSHAKE:
    case HTTP_READING:
        return (int64_t)l->request_timeout_s * 1000;
    case HTTP_IDLE:
        return (int64_t)l->idle_timeout_s * 1000;
    case HTTP_WRITING:
        return (int64_t)l->write_timeout_s * 1000;
    case HTTP_LINGERING:
        return LINGER_MS;
    case HTTP_WORKING:
        break;
    }
    return 0;
}

/* A timer that fires too early is armed again when it does: most phases end before theirs, and
 * cost no event_add() that way. */
static void arm(struct http_conn *c, struct mono now)
{
    if (!c->deadline.us || (c->armed.us && c->armed.us <= c->deadline.us))
        return;
    int64_t us = mono_diff_us(c->deadline, now) + 1000;
    struct timeval wait = {us > 0 ? us / 1000000 : 0, us > 0 ? us % 1000000 : 0};
    event_add(c->timer, &wait);
    c->armed = c->deadline;
}

/* A deadline is for the whole phase: to stay in it changes nothing. */
static void set_phase(struct http_conn *c, enum http_phase phase)
{
    int64_t ms = phase_ms(c, phase);
    if (c->phase == phase && c->deadline.us)
        return;
    c->phase = phase;
    c->deadline.us = 0;
    if (!ms)
        return;
    struct mono now = mono_now();
    c->deadline = mono_add_ms(now, ms);
    arm(c, now);
}

/* --- the end
 * --------------------------------------------------------------------------------------
 */

static void set_held(struct http_conn *c, size_t octets)
{
    c->server->held += octets - c->held;
    c->held = octets;
}

/* Input holds keys and PINs; returns how many octets there were. */
static size_t discard_input(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t all = 0, len;
    while ((len = evbuffer_get_contiguous_space(in)) > 0) {
        secret_wipe(evbuffer_pullup(in, (ev_ssize_t)len), len);
        evbuffer_drain(in, len);
        all += len;
    }
    return all;
}

static void conn_free_cb(void *arg)
{
    struct http_conn *c = arg;
    discard_input(c);
    bufferevent_free(c->bev);
    event_free(c->timer);
    free(c);
}

/* Says that nothing more comes, so that the client knows an end from a cut. */
static void say_end_of_tls(struct http_conn *c)
{
    if (!c->is_tls || !c->is_established || c->is_broken)
        return;
    SSL_shutdown(bufferevent_openssl_get_ssl(c->bev));
    ERR_clear_error();
}

void http_conn_close(struct http_conn *c, const char *reason)
{
    struct http_server *s = c->server;
    if (c->is_dead)
        return;
    c->is_dead = true;
    LOG(LOG_LV_DEBUG, NULL, "client_closed", KV_S("door", s->door), KV_I("client", c->id),
        KV_S("peer", c->peer), KV_S("reason", reason));
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    if (c->phase != HTTP_LINGERING)
        say_end_of_tls(c);
    event_del(c->timer);
    DL_DELETE(s->conns, c);
    if (c->is_unwritten)
        LL_DELETE2(s->unwritten, c, next_unwritten);
    s->info.connections--;
    set_held(c, 0);
    if (c->request)
        c->request->conn = NULL; /* it goes when its answer comes */
    http_parse_free(c->parse);
    reap_later(s->reap, &c->reap, conn_free_cb, c);
}

/* Where the input is full and not looked at, nothing is read: libevent would call again and again
 * for what is there. */
static void set_reading(struct http_conn *c)
{
    bool is_on = bufferevent_get_enabled(c->bev) & EV_READ;
    bool is_full = evbuffer_get_length(bufferevent_get_input(c->bev)) >= INPUT_MAX;
    if (is_on && is_full)
        bufferevent_disable(c->bev, EV_READ);
    else if (!is_on && !is_full && !c->is_half_closed)
        bufferevent_enable(c->bev, EV_READ);
}

static void throw_away(struct http_conn *c)
{
    c->lingered += discard_input(c);
    if (c->lingered > LINGER_OCTETS) {
        c->server->info.limits_hit++;
        http_conn_close(c, "the client sends on and on");
        return;
    }
    set_reading(c);
}

/* The answer is out; the client may still be sending. */
static void linger(struct http_conn *c)
{
    if (c->is_half_closed) {
        http_conn_close(c, "closed after the last answer");
        return;
    }
    say_end_of_tls(c);
    set_phase(c, HTTP_LINGERING);
    shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    throw_away(c);
}

/* --- answers
 * --------------------------------------------------------------------------------------
 */

bool http_conn_has_room(const struct http_server *s, size_t len)
{
    return len <= SHORT_ANSWER || s->held + len <= HELD_MAX;
}

/* All that was to be written is. */
static void written(struct http_conn *c)
{
    set_held(c, 0);
    if (c->request || (c->phase != HTTP_WORKING && c->phase != HTTP_WRITING))
        return; /* an interim answer */
    if (c->is_closing || c->server->is_draining) {
        linger(c);
        return;
    }
    set_phase(c, HTTP_IDLE);
    work(c);
}

/*
 * Answers leave by write() at the end of the loop turn that made them.  The bufferevent writes
 * (EV_WRITE) only while the socket is full: else each answer would cost two epoll_ctl() and a turn
 * of the loop.  TLS has been given them already.
 */
static void write_out(struct http_conn *c)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    if (!c->is_tls && !(bufferevent_get_enabled(c->bev) & EV_WRITE)) {
        evbuffer_unfreeze(out, 1);
        evbuffer_write(out, bufferevent_getfd(c->bev)); /* an error comes again, to event_cb() */
        evbuffer_freeze(out, 1);
    }
    if (!evbuffer_get_length(out)) {
        written(c);
        return;
    }
    if (!c->request && c->phase == HTTP_WORKING)
        set_phase(c, HTTP_WRITING);
    bufferevent_enable(c->bev, EV_WRITE);
}

static void flush_later(struct http_conn *c)
{
    if (c->is_unwritten)
        return;
    c->is_unwritten = true;
    if (!c->server->unwritten)
        event_active(c->server->flush, EV_TIMEOUT, 0);
    LL_PREPEND2(c->server->unwritten, c, next_unwritten);
}

void http_conn_written(struct http_conn *c, bool is_last)
{
    if (c->is_dead)
        return;
    c->is_closing |= is_last;
    set_held(c, evbuffer_get_length(bufferevent_get_output(c->bev)));
    flush_later(c);
}

void http_conn_flush(struct http_server *s)
{
    while (s->unwritten) {
        struct http_conn *c = s->unwritten;
        LL_DELETE2(s->unwritten, c, next_unwritten);
        c->is_unwritten = false;
        write_out(c);
    }
}

static void count_refused(struct http_info *info, int status)
{
    if (status == 413 || status == 431)
        info->limits_hit++;
    else if (status == 408)
        info->timeouts++;
    else
        info->malformed++;
}

/* A request that does not get to request_cb; the connection ends with it. */
static void refuse(struct http_conn *c, int status, const char *error, bool is_head)
{
    const struct http_error e = {.status = status, .text = error};
    char id[HTTP_ID_SIZE];
    const struct http_write to = {bufferevent_get_output(c->bev), id, "close", is_head};
    http_request_new_id(id);
    count_refused(&c->server->info, status);
    LOG(LOG_LV_INFO, id, "request_refused", KV_S("door", c->server->door), KV_I("client", c->id),
        KV_S("peer", c->peer), KV_I("status", status), KV_S("reason", error));
    http_parse_free(c->parse);
    c->parse = NULL;
    set_phase(c, HTTP_WORKING);
    if (http_write_error(&to, &e))
        http_conn_written(c, true);
    else
        http_conn_close(c, "out of memory");
}

/* --- requests
 * -------------------------------------------------------------------------------------
 */

static void hand_over(struct http_conn *c)
{
    struct http_parse *parse = c->parse;
    c->parse = NULL;
    c->request = http_request_new(c, parse);
    if (!c->request) {
        http_conn_close(c, "out of memory");
        return;
    }
    set_phase(c, HTTP_WORKING);
    c->server->info.requests++;
    c->server->request_cb(c->server->arg, c->request);
}

static void wait_for_more(struct http_conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (http_parse_is_begun(c->parse))
        set_phase(c, HTTP_READING);
    if (http_parse_message(c->parse)->expects_continue &&
        !evbuffer_get_length(bufferevent_get_input(c->bev))) {
        evbuffer_add(bufferevent_get_output(c->bev), go_on, sizeof go_on - 1);
        http_conn_written(c, false);
    }
}

static void take_piece(struct http_conn *c, struct evbuffer *in, size_t len)
{
    char *piece = (char *)evbuffer_pullup(in, (ev_ssize_t)len);
    size_t used;
    enum http_parse_result result = http_parse(c->parse, piece, len, &used);
    secret_wipe(piece, used); /* keys and PINs */
    evbuffer_drain(in, used);
    if (c->is_dead) /* TLS may read where there is room again, and find the end */
        return;
    const struct http_message *m = http_parse_message(c->parse);
    switch (result) {
    case HTTP_PARSE_MORE:
        wait_for_more(c);
        break;
    case HTTP_PARSE_DONE:
        hand_over(c);
        break;
    case HTTP_PARSE_ERROR:
        refuse(c, m->status, m->error, m->verb == HTTP_VERB_HEAD);
        break;
    }
}

static bool is_reading(const struct http_conn *c)
{
    return !c->is_dead && (c->phase == HTTP_IDLE || c->phase == HTTP_READING);
}

/* Takes what is in the input, up to the end of one request. */
static void read_input(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    const struct http_limits *l = &c->server->limits;
    size_t len;
    while (is_reading(c) && (len = evbuffer_get_contiguous_space(in)) > 0) {
        if (!c->parse)
            c->parse = http_parse_new(l->max_head, l->max_body);
        if (c->parse)
            take_piece(c, in, len);
        else
            http_conn_close(c, "out of memory");
    }
}

static void work(struct http_conn *c)
{
    if (c->is_working)
        return;
    c->is_working = true;
    read_input(c);
    c->is_working = false;
    if (is_reading(c) && c->is_half_closed)
        http_conn_close(c, c->phase == HTTP_READING ? "closed in the middle of a request"
                                                    : "closed by the client");
    if (!c->is_dead)
        set_reading(c);
}

/* --- what the loop brings
 * -------------------------------------------------------------------------
 */

static void read_cb(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    if (c->phase == HTTP_LINGERING)
        throw_away(c);
    else
        work(c);
}

static void write_cb(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    if (!c->is_tls)
        bufferevent_disable(bev, EV_WRITE);
    if (!c->is_unwritten)
        written(c);
}

static void half_closed(struct http_conn *c)
{
    c->is_half_closed = true;
    if (c->phase == HTTP_LINGERING || c->phase == HTTP_HANDSHAKE)
        http_conn_close(c, "closed by the client");
    else
        work(c);
    if (!c->is_dead && c->is_tls) /* libevent ends its writing, too, when this returns */
        flush_later(c);
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        c->is_established = true;
        set_phase(c, HTTP_IDLE);
    } else if ((what & BEV_EVENT_EOF) && !(what & BEV_EVENT_WRITING)) {
        half_closed(c);
    } else {
        c->is_broken = true;
        if (c->phase == HTTP_HANDSHAKE)
            c->server->info.tls_failures++;
        http_conn_close(c, c->phase == HTTP_HANDSHAKE ? "TLS handshake" : "connection error");
    }
}

static void expire(struct http_conn *c)
{
    switch (c->phase) {
    case HTTP_HANDSHAKE:
        c->server->info.timeouts++;
        http_conn_close(c, "the TLS handshake took too long");
        break;
    case HTTP_READING:
        refuse(c, 408, "the request took too long", false);
        break;
    case HTTP_WRITING:
        c->server->info.timeouts++;
        http_conn_close(c, "the client does not read");
        break;
    case HTTP_IDLE:
        http_conn_close(c, "idle for too long");
        break;
    case HTTP_LINGERING:
        http_conn_close(c, "closed after the last answer");
        break;
    case HTTP_WORKING:
        break;
    }
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;
    struct mono now = mono_now();
    (void)fd;
    (void)what;
    c->armed.us = 0;
    if (c->deadline.us && mono_is_past(c->deadline, now))
        expire(c);
    else
        arm(c, now);
}

/* --- the beginning
 * --------------------------------------------------------------------------------
 */

static struct bufferevent *bev_new(struct http_server *s, int fd)
{
    if (!s->tls)
        return bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = tls_accept(s->tls);
    if (!ssl)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        s->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

static struct http_conn *conn_new(struct http_server *s, int fd)
{
    struct http_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->timer = evtimer_new(s->base, timer_cb, c);
    c->bev = c->timer ? bev_new(s, fd) : NULL;
    if (!c->bev) {
        if (c->timer)
            event_free(c->timer);
        free(c);
        return NULL;
    }
    c->server = s;
    c->is_tls = s->tls != NULL;
    c->id = ++s->info.accepted;
    DL_APPEND(s->conns, c);
    s->info.connections++;
    return c;
}

/* A flood of them is a line a second. */
static void count_unserved(struct http_server *s, const char *reason)
{
    struct mono now = mono_now();
    s->info.limits_hit++;
    s->refused++;
    if (s->refused_logged.us && mono_diff_ms(now, s->refused_logged) < 1000)
        return;
    LOG(LOG_LV_WARN, NULL, "client_refused", KV_S("door", s->door), KV_S("reason", reason),
        KV_I("count", s->refused));
    s->refused_logged = now;
    s->refused = 0;
}

void http_conn_open(struct http_server *s, int fd, const char *peer)
{
    bool has_room = s->info.connections < s->limits.max_connections;
    struct http_conn *c = has_room && !s->is_draining ? conn_new(s, fd) : NULL;
    if (!c) {
        if (!s->is_draining)
            count_unserved(s, has_room ? "out of memory" : "max_connections");
        evutil_closesocket(fd);
        return;
    }
    str_copy(c->peer, sizeof c->peer, peer);
    bufferevent_setcb(c->bev, read_cb, write_cb, event_cb, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    if (!c->is_tls)
        bufferevent_disable(c->bev, EV_WRITE); /* see write_out() */
    bufferevent_enable(c->bev, EV_READ);
    set_phase(c, c->is_tls ? HTTP_HANDSHAKE : HTTP_IDLE);
}

void http_conn_drain(struct http_conn *c)
{
    if (c->phase == HTTP_IDLE || c->phase == HTTP_HANDSHAKE)
        http_conn_close(c, "the gateway is shutting down");
}
