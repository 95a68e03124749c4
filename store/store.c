#include "store/private.h"

#include "base/log.h"
#include "base/result.h"
#include "base/table.h"
#include "store/timer.h"

#include <stdlib.h>
#include <string.h>

#define LOG_ID                     "store"
#define DEFAULT_TIMEOUT_MS         1000
#define DEFAULT_CONNECT_TIMEOUT_MS 2000
#define DEFAULT_MAX_PENDING        20000
#define DEFAULT_BACKOFF_MAX_MS     2000
/* Deadlines this close together are served by one tick. */
#define TICK_MIN_US      1000
#define STARTING_LOOK_MS 10
#define STARTING_MAX_MS  10000

#define BIT(state) (1u << (state))

static const struct state_row {
    const char *name;
    unsigned next; /* the states that may follow */
} states[] = {
    [STORE_STARTING] = {"STARTING", BIT(STORE_CONNECTING) | BIT(STORE_CLOSED)},
    [STORE_CONNECTING] = {"CONNECTING",
                          BIT(STORE_CHECKING) | BIT(STORE_WAITING) | BIT(STORE_CLOSED)},
    [STORE_CHECKING] = {"CHECKING", BIT(STORE_UP) | BIT(STORE_WAITING) | BIT(STORE_CLOSED)},
    [STORE_UP] = {"UP", BIT(STORE_WAITING) | BIT(STORE_CLOSED)},
    [STORE_WAITING] = {"WAITING", BIT(STORE_CONNECTING) | BIT(STORE_CLOSED)},
    [STORE_CLOSED] = {"CLOSED", 0},
};

const char *store_state_name(enum store_state s)
{
    return (size_t)s < sizeof states / sizeof states[0] ? states[s].name : "?";
}

bool store_set_state(struct store *s, enum store_state to, const char *reason)
{
    enum store_state from = s->state;
    bool allowed = states[from].next & BIT(to);
    bool told = (from == STORE_UP) != (to == STORE_UP);
    enum log_level level = !allowed ? LOG_LV_ERROR : told ? LOG_LV_INFO : LOG_LV_DEBUG;
    LOG(level, LOG_ID, allowed ? "store_state" : "store_state_refused",
        KV_S("from", states[from].name), KV_S("to", states[to].name), KV_S("reason", reason));
    if (!allowed)
        return false;
    s->state = to;
    if (to == STORE_UP) {
        s->reconnects += s->was_up;
        s->was_up = true;
        store_backoff_reset(&s->backoff);
        store_conn_set_good(&s->conn);
    }
    if (told && s->state_cb)
        s->state_cb(s->arg, to == STORE_UP, reason);
    return true;
}

static bool is_connected(const struct store *s)
{
    return s->state == STORE_CHECKING || s->state == STORE_UP;
}

/* Queue: every call leaves through tell(), once. */

static void take_due(struct store *s, struct call *c)
{
    DL_DELETE2(s->due[c->resent > 0], c, due_prev, due_next);
}

static void take_unanswered(struct store *s, struct call *c)
{
    DL_DELETE(s->unanswered, c);
    s->pending--;
    s->held -= c->len;
}

static void tell(struct call *c, int result, const struct store_reply *reply)
{
    c->told = true;
    if (c->to.cb)
        c->to.cb(c->to.arg, result, reply);
}

static int fate(const struct store *s, const struct call *c)
{
    return s->conn.written > c->start ? ERR_LOST : ERR_UNAVAILABLE;
}

static void fail_all(struct store *s)
{
    struct call *c;
    while ((c = s->unanswered)) {
        take_unanswered(s, c);
        if (!c->told) {
            take_due(s, c);
            tell(c, fate(s, c), NULL);
        }
        store_call_free(c);
    }
}

int store_send(struct store *s, struct call *c)
{
    int err = store_conn_send(&s->conn, c->octets, c->len);
    if (err)
        return err;
    c->start = s->conn.appended - c->len;
    c->sent = mono_now();
    if (c->resent == 0)
        c->deadline = mono_add_ms(c->sent, s->timeout_ms);
    DL_APPEND(s->unanswered, c);
    s->pending++;
    s->held += c->len;
    DL_APPEND2(s->due[c->resent > 0], c, due_prev, due_next);
    return 0;
}

int store_send_words(struct store *s, store_cb cb, const char *const *words, size_t n)
{
    struct store_arg argv[8];
    for (size_t i = 0; i < n; i++)
        argv[i] = (struct store_arg){words[i], strlen(words[i])};
    struct call *c;
    int err = store_call_new(&c, &(struct call_part){argv, n}, 1,
                             &(struct call_to){.cb = cb, .arg = s});
    if (err)
        return err;
    c->internal = true;
    err = store_send(s, c);
    if (err)
        store_call_free(c);
    return err;
}

/* Deadlines: the timer is always armed while connected, at most one time-out ahead, so a new
 * command never has to move it. */

static void expire(struct store *s, struct call *c)
{
    if (s->conn.written <= c->start) {
        store_conn_close(&s->conn, "the server has stopped reading", NULL);
        return;
    }
    take_due(s, c);
    s->timeouts += !c->internal;
    tell(c, ERR_TIMEOUT, NULL);
}

static bool has_due(const struct store *s, struct mono now)
{
    return (s->due[0] && mono_is_past(s->due[0]->deadline, now)) ||
           (s->due[1] && mono_is_past(s->due[1]->deadline, now));
}

static void expire_due(struct store *s, struct mono now)
{
    for (int i = 0; i < 2; i++)
        while (s->due[i] && mono_is_past(s->due[i]->deadline, now))
            expire(s, s->due[i]);
}

static void watch_silence(struct store *s, struct mono now)
{
    static const char *const ping[] = {"PING"};
    const struct call *oldest = s->unanswered;
    if (!oldest)
        (void)store_send_words(s, NULL, ping, 1); /* failed: again at the next tick */
    else if (mono_diff_ms(now, oldest->sent) >= 2 * (int64_t)s->timeout_ms)
        store_conn_close(&s->conn, "no answer in twice the time-out", NULL);
}

static void arm_deadline(struct store *s, struct mono now)
{
    int64_t us = (int64_t)s->timeout_ms * 1000;
    for (int i = 0; i < 2; i++)
        if (s->due[i] && mono_diff_us(s->due[i]->deadline, now) < us)
            us = mono_diff_us(s->due[i]->deadline, now);
    timer_arm_us(&s->timer, us > TICK_MIN_US ? us : TICK_MIN_US);
}

/* An embedded server that has made no socket yet. */
static bool is_starting(const struct store *s)
{
    return s->state == STORE_STARTING && s->embedded && !store_embedded_has_socket(s->embedded) &&
           !mono_is_past(s->start_by, mono_now());
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    (void)fd;
    (void)what;
    if (is_starting(s)) {
        timer_arm_ms(&s->timer, STARTING_LOOK_MS);
        return;
    }
    if (!is_connected(s)) {
        store_set_state(s, STORE_CONNECTING, "time to connect");
        store_conn_open(&s->conn);
        return;
    }
    struct mono now = mono_now();
    if (has_due(s, now))
        store_conn_catch_up(&s->conn);
    expire_due(s, now);
    if (is_connected(s))
        watch_silence(s, now);
    if (is_connected(s))
        arm_deadline(s, now);
}

/* The connection. */

static void connected_cb(void *arg)
{
    struct store *s = arg;
    s->n_loads = 0;
    store_set_state(s, STORE_CHECKING, "connected");
    arm_deadline(s, mono_now());
    store_check_start(s);
}

static void closed_cb(void *arg, const char *reason)
{
    struct store *s = arg;
    event_del(&s->timer);
    if (s->state != STORE_CLOSED)
        store_set_state(s, STORE_WAITING, reason);
    if (s->state == STORE_WAITING) /* state_cb may have called store_free() */
        timer_arm_ms(&s->timer, store_backoff_next_ms(&s->backoff));
    fail_all(s);
}

/* A script's error has it further back on Redis 6. */
static bool is_of_replica(const char *error)
{
    return strncmp(error, "READONLY ", 9) == 0 || strstr(error, " -READONLY ");
}

static void reply_cb(void *arg, const struct redisReply *r)
{
    struct store *s = arg;
    const struct store_reply *reply = (const struct store_reply *)r;
    struct call *c = s->unanswered;
    bool is_error = store_reply_type(reply) == STORE_ERROR;
    if (!c) {
        store_conn_close(&s->conn, "a reply that nobody asked for",
                         is_error ? store_reply_str(reply, NULL) : NULL);
        return;
    }
    take_unanswered(s, c);
    if (c->told) { /* it came too late: swallowed */
        store_call_free(c);
        return;
    }
    take_due(s, c);
    if (is_error && store_script_retry(s, c, reply))
        return;
    s->rtt_us = mono_diff_us(mono_now(), c->sent);
    s->errors += is_error && !c->internal;
    tell(c, is_error ? ERR_REFUSED : 0, reply);
    store_call_free(c);
    if (is_error && is_of_replica(store_reply_str(reply, NULL)))
        store_conn_close(&s->conn, "the server has become a replica", NULL);
}

void store_conn_options(const struct store *s, struct conn_options *out)
{
    *out = (struct conn_options){
        .base = s->base,
        .dns = s->dns,
        .id = LOG_ID,
        .path = s->socket[0] ? s->socket : NULL,
        .host = s->url.host,
        .port = s->url.port,
        .connect_timeout_ms = s->connect_timeout_ms,
    };
}

/* Life. */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static int copy_options(struct store *s, const struct store_options *o)
{
    s->timeout_ms = or_default(o->timeout_ms, DEFAULT_TIMEOUT_MS);
    s->connect_timeout_ms = or_default(o->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    s->max_pending = or_default(o->max_pending, DEFAULT_MAX_PENDING);
    s->backoff.max_ms = or_default(o->backoff_max_ms, DEFAULT_BACKOFF_MAX_MS);
    s->sub.backoff.max_ms = s->backoff.max_ms;
    s->state_cb = o->state_cb;
    s->arg = o->arg;
    if (o->user && *o->user && !(s->user = strdup(o->user)))
        return ERR_NOMEM;
    if (o->password && secret_is_set(o->password))
        return secret_set(&s->password, o->password->data, o->password->len);
    return 0;
}

static int open_place(struct store *s, const struct store_options *o)
{
    const char *why;
    int err = store_url_parse(o->url, &s->url, &why);
    if (err) {
        LOG(LOG_LV_ERROR, LOG_ID, "store_url", KV_S("error", why));
        return err;
    }
    if (s->url.kind == STORE_KIND_UNIX)
        memcpy(s->socket, s->url.path, sizeof s->socket);
    if (s->url.kind != STORE_KIND_EMBEDDED)
        return 0;
    const struct embedded_options eo = {
        .base = s->base,
        .dir = s->url.path,
        .program = o->redis_server ? o->redis_server : "redis-server",
        .backoff_max_ms = s->backoff.max_ms,
    };
    s->embedded = store_embedded_new(&eo);
    if (!s->embedded)
        return ERR_IO;
    memcpy(s->socket, store_embedded_socket(s->embedded), sizeof s->socket);
    return 0;
}

static void free_memory(void *object)
{
    struct store *s = object;
    secret_clear(&s->password);
    free(s->user);
    free(s->sub.channel);
    free(s);
}

struct store *store_new(struct event_base *base, struct reap *reap, struct evdns_base *dns,
                        const struct store_options *options)
{
    static const struct conn_ops ops = {connected_cb, reply_cb, closed_cb};
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base = base;
    s->reap = reap;
    s->dns = dns;
    s->rtt_us = -1;
    if (copy_options(s, options) || open_place(s, options)) {
        free_memory(s);
        return NULL;
    }
    struct conn_options co;
    store_conn_options(s, &co);
    co.ops = &ops;
    co.arg = s;
    store_conn_init(&s->conn, &co);
    event_assign(&s->timer, base, -1, 0, timer_cb, s);
    s->start_by = mono_add_ms(mono_now(), STARTING_MAX_MS);
    timer_arm_ms(&s->timer, 0); /* connecting begins in the loop, where state_cb may be called */
    return s;
}

void store_free(struct store *s)
{
    if (!s || s->state == STORE_CLOSED)
        return;
    store_set_state(s, STORE_CLOSED, "closed by this side");
    event_del(&s->timer);
    store_conn_clear(&s->conn);
    fail_all(s);
    store_sub_clear(s);
    store_embedded_free(s->embedded);
    s->embedded = NULL;
    /* the caller may stand in a callback of ours: the memory goes after this turn */
    reap_later(s->reap, &s->node, free_memory, s);
}

bool store_is_up(const struct store *s)
{
    return s->state == STORE_UP;
}

/* Commands. */

static int admit(const struct store *s)
{
    if (s->state != STORE_UP)
        return ERR_UNAVAILABLE;
    return s->pending >= s->max_pending || s->held >= CALLS_MAX_OCTETS ? ERR_FULL : 0;
}

int store_submit(struct store *s, const struct call_part *parts, size_t n_parts,
                 const struct call_to *to)
{
    struct call *c;
    int err = admit(s);
    if (!err)
        err = store_call_new(&c, parts, n_parts, to);
    if (err)
        return err;
    err = store_send(s, c);
    if (err)
        store_call_free(c);
    else
        s->commands++;
    return err;
}

int store_command(struct store *s, const struct store_arg *argv, size_t argc, store_cb cb,
                  void *arg)
{
    return store_submit(s, &(struct call_part){argv, argc}, 1,
                        &(struct call_to){.cb = cb, .arg = arg});
}

void store_info(const struct store *s, struct store_info *out)
{
    *out = (struct store_info){
        .state = s->state,
        .version = s->version,
        .commands = s->commands,
        .errors = s->errors,
        .timeouts = s->timeouts,
        .reconnects = s->reconnects,
        .pending = s->pending,
        .rtt_us = s->rtt_us,
    };
}
