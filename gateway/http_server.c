#include "gateway/http_private.h"

#include "base/buf.h"
#include "gateway/listener.h"
#include "gateway/tls.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
    char peer[48] = "";
    (void)l;
    (void)len;
    if (addr->sa_family == AF_INET)
        evutil_inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, peer,
                         sizeof peer);
    else if (addr->sa_family == AF_INET6)
        evutil_inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr,
                         peer, sizeof peer);
    http_conn_open(arg, fd, peer);
}

static void flush_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_conn_flush(arg);
}

static bool open_listener(struct http_server *s, const char *address, char *why, size_t why_size)
{
    const struct listener_options o = {.door = s->door, .tcp = address};
    if (!address)
        return true;
    s->listener = listener_new(s->base, &o, accept_cb, s, why, why_size);
    return s->listener != NULL;
}

struct http_server *http_server_new(const struct http_options *o, char *why, size_t why_size)
{
    struct http_server *s = calloc(1, sizeof *s);
    snprintf(why, why_size, "out of memory");
    if (!s)
        return NULL;
    s->base = o->base;
    s->reap = o->reap;
    str_copy(s->door, sizeof s->door, o->door);
    s->limits = o->limits;
    s->arg = o->arg;
    s->request_cb = o->request_cb;
    s->flush = event_new(o->base, -1, 0, flush_cb, s);
    if (!s->flush || !open_listener(s, o->listen, why, why_size)) {
        http_server_free(s);
        return NULL;
    }
    http_server_set_tls(s, o->tls);
    return s;
}

void http_server_take(struct http_server *s, int fd, const char *peer)
{
    http_conn_open(s, fd, peer);
}

void http_server_set_tls(struct http_server *s, struct tls *tls)
{
    struct tls *old = s->tls;
    s->tls = tls ? tls_ref(tls) : NULL;
    tls_unref(old);
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
    s->limits = *limits;
}

static void close_listener(struct http_server *s)
{
    listener_free(s->listener);
    s->listener = NULL;
}

void http_server_drain(struct http_server *s)
{
    struct http_conn *c, *tmp;
    s->is_draining = true;
    close_listener(s);
    DL_FOREACH_SAFE (s->conns, c, tmp)
        http_conn_drain(c);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->is_draining = true; /* what is written now is the last of its connection */
    close_listener(s);
    http_conn_flush(s); /* the loop may not turn again */
    while (s->conns)
        http_conn_close(s->conns, "the gateway is shutting down");
    http_server_set_tls(s, NULL);
    if (s->flush)
        event_free(s->flush);
    free(s);
}

void http_server_info(const struct http_server *s, struct http_info *out)
{
    *out = s->info;
}
