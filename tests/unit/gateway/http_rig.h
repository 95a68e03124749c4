/* A server without a listener, clients on socket pairs, and a handler that answers what it was
 * asked, at once or when the test says so. */
#ifndef HTTP_RIG_H
#define HTTP_RIG_H

#include "base/clock.h"
#include "base/log.h"
#include "base/reap.h"
#include "gateway/http.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RIG_HELD 16

struct rig {
    struct event_base *base;
    struct reap *reap;
    struct http_server *server;
    bool hold; /* requests wait in held */
    struct http_request *held[RIG_HELD];
    size_t n_held, n_handed;
    char *big; /* answered instead, where it is set */
    size_t big_len;
    char seen[65536]; /* what the last handler saw */
};

struct client {
    int fd;
    char got[1 << 20];
    size_t len;
    bool is_closed; /* EOF or reset */
};

static const struct http_limits rig_limits = {.max_connections = 8,
                                              .max_head = 1024,
                                              .max_body = 2048,
                                              .request_timeout_s = 60,
                                              .idle_timeout_s = 60,
                                              .write_timeout_s = 60};

/* One of the deadlines becomes a second. */
static inline void rig_set_deadline(struct rig *g, size_t offset)
{
    struct http_limits l = rig_limits;
    *(uint32_t *)(void *)((char *)&l + offset) = 1;
    http_server_set_limits(g->server, &l);
}

static const char *const rig_verbs[] = {"GET", "HEAD", "POST", "PUT", "OPTIONS", "other"};

static inline void rig_answer(struct rig *g, struct http_request *r)
{
    char body[8192];
    size_t len;
    const char *b = http_request_body(r, &len), *auth = http_request_header(r, HTTP_AUTHORIZATION);
    snprintf(body, sizeof body, "%s %s?%s %s [%.*s]", rig_verbs[http_request_verb(r)],
             http_request_path(r), http_request_query(r), auth ? auth : "-", (int)len, b);
    struct http_response a = {.status = 200, .body = body, .len = strlen(body)};
    if (g->big) {
        a.body = g->big;
        a.len = g->big_len;
    }
    snprintf(g->seen, sizeof g->seen, "%s", body);
    http_respond(r, &a);
}

static inline void rig_request_cb(void *arg, struct http_request *r)
{
    struct rig *g = arg;
    g->n_handed++;
    if (g->hold) {
        assert_true(g->n_held < RIG_HELD);
        g->held[g->n_held++] = r;
    } else {
        rig_answer(g, r);
    }
}

static inline void rig_release(struct rig *g)
{
    assert_true(g->n_held > 0);
    struct http_request *r = g->held[0];
    memmove(g->held, g->held + 1, --g->n_held * sizeof *g->held);
    rig_answer(g, r);
}

static inline int rig_setup(void **state)
{
    struct rig *g = calloc(1, sizeof *g);
    char why[200];
    assert_non_null(g);
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    log_set_level(LOG_LV_ERROR);
    g->base = event_base_new();
    g->reap = reap_new(g->base);
    struct http_options o = {.base = g->base,
                             .reap = g->reap,
                             .door = "test",
                             .limits = rig_limits,
                             .arg = g,
                             .request_cb = rig_request_cb};
    g->server = http_server_new(&o, why, sizeof why);
    assert_non_null(g->server);
    *state = g;
    return 0;
}

static inline void rig_turn(struct rig *g)
{
    for (int i = 0; i < 8; i++)
        event_base_loop(g->base, EVLOOP_NONBLOCK);
}

static inline int rig_teardown(void **state)
{
    struct rig *g = *state;
    http_server_free(g->server);
    g->hold = false;
    while (g->n_held)
        rig_release(g);
    rig_turn(g);
    reap_free(g->reap);
    rig_turn(g);
    event_base_free(g->base);
    free(g->big);
    free(g);
    return 0;
}

static inline struct client *client_new(struct rig *g)
{
    struct client *c = calloc(1, sizeof *c);
    int fds[2];
    assert_non_null(c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    c->fd = fds[0];
    http_server_take(g->server, fds[1], "192.0.2.1");
    return c;
}

static inline void client_free(struct rig *g, struct client *c)
{
    close(c->fd);
    free(c);
    rig_turn(g);
}

static inline void client_read(struct client *c)
{
    while (c->len < sizeof c->got - 1) {
        ssize_t n = recv(c->fd, c->got + c->len, sizeof c->got - 1 - c->len, 0);
        if (n > 0) {
            c->len += (size_t)n;
            continue;
        }
        if (n == 0 || errno != EAGAIN)
            c->is_closed = true;
        break;
    }
    c->got[c->len] = 0;
}

static inline void client_send(struct client *c, const void *data, size_t len)
{
    if (len && send(c->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        c->is_closed = true;
}

/* Sends, lets the server work, and reads. */
static inline void client_say(struct rig *g, struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
    rig_turn(g);
    client_read(c);
}

/* "200 404 close": the statuses that came, and whether the connection was ended. */
static inline const char *client_outcome(const struct client *c)
{
    static char out[256];
    const char *p = c->got;
    size_t n = 0;
    out[0] = 0;
    while ((p = strstr(p, "HTTP/1.1 "))) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.3s", n ? " " : "", p + 9);
        p += 9;
    }
    if (c->is_closed)
        snprintf(out + n, sizeof out - n, "%sclose", n ? " " : "");
    return out;
}

/* Turns the loop until the client has seen the end, or five seconds are over. */
static inline void client_wait_closed(struct rig *g, struct client *c)
{
    struct mono end = mono_add_ms(mono_now(), 5000);
    static const struct timeval slice = {0, 10000};
    while (!c->is_closed && !mono_is_past(end, mono_now())) {
        event_base_loopexit(g->base, &slice);
        event_base_dispatch(g->base);
        client_read(c);
    }
    assert_true(c->is_closed);
}

#endif
