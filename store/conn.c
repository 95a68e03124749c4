#include "store/conn.h"

#include "base/log.h"
#include "base/result.h"
#include "store/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What hiredis takes from the socket at once. */
#define READ_OCTETS (16 * 1024)

/* A name look-up outlives the attempt that asked when it is cancelled: then conn is NULL. */
struct conn_query {
    struct conn *conn;
    struct evdns_getaddrinfo_request *request;
};

const char store_reason_loading[] = "the server is still loading its data";

/* A server that loads its data will be there in a moment: no trouble for anybody to see to. */
static enum log_level level_of(const struct conn *c, const char *reason)
{
    if (reason == c->last_reason)
        return LOG_LV_DEBUG;
    return reason == store_reason_loading ? LOG_LV_INFO : LOG_LV_WARN;
}

static void log_failure(struct conn *c, const char *reason, const char *detail)
{
    enum log_level level = level_of(c, reason);
    LOG(level, c->o.id, "store_connection_closed", KV_S("reason", reason), KV_S("detail", detail),
        KV_S("host", c->o.path ? c->o.path : c->o.host), KV_I("octets_written", c->written),
        KV_I("octets_left", c->appended - c->written));
    c->last_reason = reason;
}

void store_conn_set_good(struct conn *c)
{
    c->last_reason = NULL;
}

void store_conn_clear(struct conn *c)
{
    c->is_open = c->is_connected = false;
    event_del(&c->read_ev);
    event_del(&c->write_ev);
    event_del(&c->flush_ev);
    event_del(&c->timer_ev);
    if (c->query) {
        c->query->conn = NULL;
        evdns_getaddrinfo_cancel(c->query->request);
        c->query = NULL;
    }
    if (c->ctx)
        redisFree(c->ctx);
    if (c->out)
        evbuffer_free(c->out);
    c->ctx = NULL;
    c->out = NULL;
}

void store_conn_close(struct conn *c, const char *reason, const char *detail)
{
    if (!c->is_open)
        return;
    log_failure(c, reason, detail); /* before the context goes: detail may be in it */
    store_conn_clear(c);
    c->o.ops->closed_cb(c->o.arg, reason);
}

static void flush(struct conn *c)
{
    int n;
    c->is_dirty = false;
    do /* a call takes a limited number of pieces */
        n = evbuffer_write(c->out, c->ctx->fd);
    while (n > 0 && evbuffer_get_length(c->out) > 0);
    size_t left = evbuffer_get_length(c->out);
    c->written = c->appended - left; /* also when a later piece failed: it tells their fate */
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        store_conn_close(c, "the connection was lost while writing", strerror(errno));
        return;
    }
    c->is_full = left > 0;
    if (c->is_full)
        event_add(&c->write_ev, NULL);
}

static void flush_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush(arg);
}

static void set_connected(struct conn *c)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(c->ctx->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        store_conn_close(c, "cannot connect", strerror(err));
        return;
    }
    c->is_connected = true;
    event_del(&c->timer_ev);
    event_add(&c->read_ev, NULL);
    c->o.ops->connected_cb(c->o.arg);
}

static void write_cb(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd;
    (void)what;
    if (c->is_connected)
        flush(c);
    else
        set_connected(c);
}

static void read_cb(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd;
    (void)what;
    if (redisBufferRead(c->ctx) != REDIS_OK) {
        store_conn_close(c, "the connection was lost", c->ctx->errstr);
        return;
    }
    while (c->ctx) { /* the callback may close */
        void *reply = NULL;
        if (redisGetReplyFromReader(c->ctx, &reply) != REDIS_OK) {
            store_conn_close(c, "the server's answer is not of the Redis protocol", c->ctx->errstr);
            return;
        }
        if (!reply)
            return;
        c->o.ops->reply_cb(c->o.arg, reply);
        freeReplyObject(reply);
    }
}

void store_conn_catch_up(struct conn *c)
{
    int left = 0;
    if (c->is_dirty) {
        event_del(&c->flush_ev);
        flush(c);
    }
    if (c->ctx && ioctl(c->ctx->fd, FIONREAD, &left) < 0)
        left = 0;
    for (; c->ctx && left > 0; left -= READ_OCTETS)
        read_cb(c->ctx->fd, EV_READ, c);
}

static void timeout_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    store_conn_close(arg, "cannot connect in time", NULL);
}

void store_conn_init(struct conn *c, const struct conn_options *o)
{
    *c = (struct conn){.o = *o};
    event_assign(&c->read_ev, o->base, -1, 0, read_cb, c);
    event_assign(&c->write_ev, o->base, -1, 0, write_cb, c);
    event_assign(&c->flush_ev, o->base, -1, 0, flush_cb, c);
    event_assign(&c->timer_ev, o->base, -1, 0, timeout_cb, c);
}

/* address: numeric, NULL for a Unix socket.  The library's own look-up never blocks on those. */
static void start_connect(struct conn *c, const char *address)
{
    c->ctx = address ? redisConnectNonBlock(address, c->o.port)
                     : redisConnectUnixNonBlock(c->o.path);
    c->out = evbuffer_new();
    if (!c->ctx || !c->out || c->ctx->err) {
        store_conn_close(c, "cannot connect", c->ctx && c->out ? c->ctx->errstr : "out of memory");
        return;
    }
    int fd = c->ctx->fd;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    event_assign(&c->read_ev, c->o.base, fd, EV_READ | EV_PERSIST, read_cb, c);
    event_assign(&c->write_ev, c->o.base, fd, EV_WRITE, write_cb, c);
    event_add(&c->write_ev, NULL);
}

static const struct evutil_addrinfo *pick(const struct evutil_addrinfo *list, uint32_t n)
{
    uint32_t count = 0;
    for (const struct evutil_addrinfo *a = list; a; a = a->ai_next)
        count++;
    for (n %= count; n > 0; n--)
        list = list->ai_next;
    return list;
}

static void resolved(struct conn *c, int result, const struct evutil_addrinfo *list)
{
    char address[INET6_ADDRSTRLEN];
    if (result != 0 || !list) {
        store_conn_close(c, "the host name was not found",
                         result ? evutil_gai_strerror(result) : NULL);
        return;
    }
    const struct evutil_addrinfo *a = pick(list, c->attempts++);
    const void *ip =
        a->ai_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr
            : &((const struct sockaddr_in *)(void *)a->ai_addr)->sin_addr;
    evutil_inet_ntop(a->ai_family, ip, address, sizeof address);
    start_connect(c, address);
}

static void resolved_cb(int result, struct evutil_addrinfo *list, void *arg)
{
    struct conn_query *q = arg;
    struct conn *c = q->conn;
    free(q);
    if (c) {
        c->query = NULL;
        resolved(c, result, list);
    }
    if (list)
        evutil_freeaddrinfo(list);
}

static void look_up(struct conn *c)
{
    const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct conn_query *q = c->o.dns ? calloc(1, sizeof *q) : NULL;
    if (!q) {
        store_conn_close(c, "the host name cannot be looked up", NULL);
        return;
    }
    q->conn = c;
    c->query = q;
    struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(c->o.dns, c->o.host, NULL, &hints,
                                                                  resolved_cb, q);
    if (c->query == q) /* else it has answered at once and q is gone */
        q->request = request;
}

static bool is_address(const char *host)
{
    unsigned char buf[sizeof(struct in6_addr)];
    return evutil_inet_pton(AF_INET, host, buf) == 1 || evutil_inet_pton(AF_INET6, host, buf) == 1;
}

void store_conn_open(struct conn *c)
{
    c->appended = c->written = 0;
    c->is_dirty = c->is_full = false;
    c->is_open = true;
    timer_arm_ms(&c->timer_ev, c->o.connect_timeout_ms);
    if (c->o.path)
        start_connect(c, NULL);
    else if (is_address(c->o.host))
        start_connect(c, c->o.host);
    else
        look_up(c);
}

int store_conn_send(struct conn *c, const char *octets, size_t len)
{
    if (evbuffer_add(c->out, octets, len) < 0)
        return ERR_NOMEM;
    c->appended += len;
    if (!c->is_dirty && !c->is_full) {
        c->is_dirty = true;
        event_active(&c->flush_ev, EV_TIMEOUT, 0);
    }
    return 0;
}
