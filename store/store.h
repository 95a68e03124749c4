/*
 * store/: Redis over hiredis on libevent, never blocking.  It knows nothing of PINs.
 *
 * One struct store is one logical Redis: one connection, pipelined, kept alive with back-off;
 * for "embedded:DIR" also the private redis-server child.  Writes of one turn of the loop leave
 * together.  Commands have deadlines of their own; the queue is bounded.
 *
 * Every callback is called exactly once, from the event loop, never inside the call that issued
 * the command.  The result tells what is known:
 *   0                the reply is there (it may be an error reply: ERR_REFUSED then, with its text)
 *   ERR_UNAVAILABLE  not one octet of the command was written: nothing was done
 *   ERR_TIMEOUT, ERR_LOST  it was written and no answer came: its fate is unknown
 * When a command cannot be queued the call itself returns a negative ERR_* and cb is not called:
 * ERR_UNAVAILABLE while away, ERR_FULL at max_pending or 64 MiB, ERR_TOOLONG above 1 MiB,
 * ERR_NOMEM. The process must ignore SIGPIPE.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evdns_base;
struct reap;
struct store;
struct store_reply; /* valid during the callback */

enum store_state {
    STORE_STARTING,
    STORE_CONNECTING,
    STORE_CHECKING,
    STORE_UP,
    STORE_WAITING,
    STORE_CLOSED
};
const char *store_state_name(enum store_state s);

struct store_options {
    const char *url;  /* embedded:DIR, unix:PATH, redis://host:port/db; see store_url_check() */
    const char *user; /* ACL user, NULL: default */
    const struct secret *password; /* NULL: none; copied */
    uint32_t timeout_ms;           /* of a command, default 1000 */
    uint32_t connect_timeout_ms;   /* default 2000 */
    uint32_t max_pending;          /* commands without an answer, default 20000 */
    uint32_t backoff_max_ms;       /* between attempts to connect, default 2000 (first 50) */
    const char *redis_server;      /* program for embedded:, NULL: "redis-server" by PATH */
    void *arg;
    /* May be NULL.  Called at each change between up and away; reason is static text. */
    void (*state_cb)(void *arg, bool up, const char *reason);
};

/*
 * Looks at the form only, without a connection.  0, ERR_INVALID, or ERR_UNSUPPORTED for rediss:,
 * sentinel: and cluster:; *why is a sentence for a person (static text).
 */
int store_url_check(const char *url, const char **why) __attribute__((warn_unused_result));

/*
 * Starts connecting and returns at once; commands issued before it is up fail with
 * ERR_UNAVAILABLE.  NULL: out of memory, or the embedded folder cannot be used (logged).
 */
struct store *store_new(struct event_base *base, struct reap *reap, struct evdns_base *dns,
                        const struct store_options *options) __attribute__((warn_unused_result));
bool store_is_up(const struct store *s);
/* Pending callbacks are called (ERR_LOST or ERR_UNAVAILABLE) before this returns; an embedded
 * server is ended in order (SIGTERM, it writes its AOF) and waited for, 5 s at most.  May be called
 * from any callback of the store; its memory goes through the reap list.  A cancelled name look-up
 * answers in the next turn of the loop: run one before evdns_base_free(). */
void store_free(struct store *s);

/* One argument: octets that live until the call returns. */
struct store_arg {
    const void *p;
    size_t len;
};

typedef void (*store_cb)(void *arg, int result, const struct store_reply *reply);

int store_command(struct store *s, const struct store_arg *argv, size_t argc, store_cb cb,
                  void *arg) __attribute__((warn_unused_result));

/*
 * A Lua script that a domain folder owns: static storage, name for logs.  Its SHA-1 is computed
 * at first use; it runs by EVALSHA and is loaded again by itself after NOSCRIPT (the script has
 * not run then, so sending it again is safe).  All keys must be in one hash slot.
 */
struct store_script {
    const char *name;
    const char *source;
    char sha1[41]; /* "" before first use */
};
int store_eval(struct store *s, struct store_script *script, const struct store_arg *keys,
               size_t n_keys, const struct store_arg *args, size_t n_args, store_cb cb, void *arg)
    __attribute__((warn_unused_result));

/*
 * Messages of a channel, over a connection of its own that is kept alive like the other.  cb is
 * called zero or more times; with payload NULL when the subscription was lost and is back (what
 * came between is unknown).  One subscription per store.
 */
typedef void (*store_message_cb)(void *arg, const char *payload, size_t len);
int store_subscribe(struct store *s, const char *channel, store_message_cb cb, void *arg)
    __attribute__((warn_unused_result));

enum store_type { STORE_NIL, STORE_INTEGER, STORE_STRING, STORE_STATUS, STORE_ERROR, STORE_ARRAY };
enum store_type store_reply_type(const struct store_reply *r);
int64_t store_reply_int(const struct store_reply *r); /* of INTEGER; of STRING in decimal; else 0 */
const char *store_reply_str(const struct store_reply *r, size_t *len); /* NULL when no string */
size_t store_reply_len(const struct store_reply *r);                   /* elements of an ARRAY */
const struct store_reply *store_reply_at(const struct store_reply *r, size_t i); /* NULL beyond */

struct store_info {
    enum store_state state;
    const char *version; /* "7.0.15", "" before the check */
    uint64_t commands, errors, timeouts, reconnects;
    uint32_t pending;
    int64_t rtt_us; /* of the last answer, -1: none yet */
};
void store_info(const struct store *s, struct store_info *out);

/* Hash-tag bucket of a key part: 0..1023 (FNV-1a, 32 bits, folded).  Three upper-case hex digits
 * and a NUL by store_bucket_hex(). */
uint16_t store_bucket(const void *p, size_t len);
void store_bucket_hex(uint16_t bucket, char out[4]);

#endif
