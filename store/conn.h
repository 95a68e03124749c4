/*
 * One connection to a Redis server: hiredis connects and reads replies, libevent drives it.
 *
 * The non-blocking context is driven here and not by hiredis's asynchronous layer, which ends the
 * process by assert() when a server sends a reply that nobody asked for, and frees itself under
 * its user.  The read event stays armed; what is sent in one turn of the loop leaves in one write
 * at the turn's end; the write event is armed only while the socket is full.  Octets are counted,
 * so that it is known of each command whether any of it was written.
 *
 * The struct is embedded in its owner.  Each store_conn_open() is followed by exactly one
 * closed_cb, whatever ended it, perhaps before store_conn_open() returns.  Callbacks may call any
 * function here. The process must ignore SIGPIPE.
 */
#ifndef STORE_CONN_H
#define STORE_CONN_H

#include "store/url.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct evdns_base;
struct redisContext;
struct redisReply;
struct conn_query;

struct conn_ops {
    void (*connected_cb)(void *arg);
    void (*reply_cb)(void *arg, const struct redisReply *reply); /* zero or more */
    void (*closed_cb)(void *arg, const char *reason);            /* static text */
};

struct conn_options {
    struct event_base *base;
    struct evdns_base *dns; /* may be NULL when the host is an address */
    const char *id;         /* for log lines */
    const char *path;       /* Unix socket; NULL: host and port */
    const char *host;
    uint16_t port;
    uint32_t connect_timeout_ms; /* name look-up included */
    const struct conn_ops *ops;
    void *arg;
};

struct conn {
    struct conn_options o; /* the texts belong to the owner */
    struct redisContext *ctx;
    struct evbuffer *out; /* not yet written */
    struct conn_query *query;
    struct event read_ev, write_ev, flush_ev, timer_ev;
    uint64_t appended,
        written;             /* octets of this connection; kept until the next store_conn_open() */
    uint32_t attempts;       /* picks among the addresses of a name */
    const char *last_reason; /* the failure logged last, so that it is not repeated */
    bool is_open, is_connected, is_dirty, is_full;
};

void store_conn_init(struct conn *c, const struct conn_options *o);
void store_conn_open(struct conn *c);
/* Only between connected_cb and closed_cb.  ERR_NOMEM: nothing was queued. */
int store_conn_send(struct conn *c, const char *octets, size_t len)
    __attribute__((warn_unused_result));
/* Writes what waits and hears what has arrived already, without waiting: after the loop was held up
 * nobody shall be called late for it. Only between connected_cb and closed_cb. */
void store_conn_catch_up(struct conn *c);
/* reason: static text; detail: may be NULL. */
void store_conn_close(struct conn *c, const char *reason, const char *detail);
/* Ends it without a closed_cb, a log line or a reason: the owner is going. */
void store_conn_clear(struct conn *c);
/* The connection proved good: a failure after this is logged even if it is the same again. */
void store_conn_set_good(struct conn *c);

/* The one reason that passes by itself. */
extern const char store_reason_loading[];

#endif
