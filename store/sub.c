#include "store/private.h"

#include "base/log.h"
#include "base/result.h"
#include "store/timer.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ID "store/sub"
/* The server is asked whether it is there each time that many time-outs have passed. */
#define LOOK_TIMEOUTS 5
/* While an embedded server is being started nothing is there to connect to: looked at so often. */
#define STORE_LOOK_MS 50

static const char *const state_names[] = {"OFF", "WAITING", "CONNECTING", "ASKING", "LIVE"};

static void set_state(struct sub *sub, enum sub_state to, const char *reason)
{
    bool told = (sub->state == SUB_LIVE) != (to == SUB_LIVE);
    LOG(told ? LOG_LV_INFO : LOG_LV_DEBUG, LOG_ID, "store_sub_state",
        KV_S("from", state_names[sub->state]), KV_S("to", state_names[to]), KV_S("reason", reason));
    sub->state = to;
}

static int send_words(struct sub *sub, const char *first, const char *second)
{
    const struct store_arg argv[] = {{first, strlen(first)}, {second, second ? strlen(second) : 0}};
    struct call *c;
    int err = store_call_new(&c, &(struct call_part){argv, second ? 2 : 1}, 1,
                             &(struct call_to){0});
    if (err)
        return err;
    err = store_conn_send(&sub->conn, c->octets, c->len);
    store_call_free(c);
    return err;
}

static int send_auth(struct store *s)
{
    struct call *c;
    int err = store_auth_call(s, &c);
    if (err || !c)
        return err;
    err = store_conn_send(&s->sub.conn, c->octets, c->len);
    store_call_free(c);
    return err;
}

static void connected_cb(void *arg)
{
    struct store *s = arg;
    struct sub *sub = &s->sub;
    set_state(sub, SUB_ASKING, "connected");
    timer_arm_ms(&sub->timer, s->timeout_ms);
    if (send_auth(s) || send_words(sub, "SUBSCRIBE", sub->channel))
        store_conn_close(&sub->conn, "out of memory", NULL);
}

static void closed_cb(void *arg, const char *reason)
{
    struct sub *sub = &((struct store *)arg)->sub;
    set_state(sub, SUB_WAITING, reason);
    timer_arm_ms(&sub->timer, store_backoff_next_ms(&sub->backoff));
}

static void arm_look(struct store *s)
{
    timer_arm_ms(&s->sub.timer, (int64_t)s->timeout_ms * LOOK_TIMEOUTS);
}

static void set_live(struct store *s)
{
    struct sub *sub = &s->sub;
    bool is_back = sub->was_live;
    set_state(sub, SUB_LIVE, "subscribed");
    sub->was_live = true;
    store_backoff_reset(&sub->backoff);
    store_conn_set_good(&sub->conn);
    arm_look(s);
    if (is_back)
        sub->cb(sub->arg, NULL, 0);
}

static bool is_word(const redisReply *r, size_t i, const char *word)
{
    return i < r->elements && r->element[i]->type == REDIS_REPLY_STRING &&
           strcmp(r->element[i]->str, word) == 0;
}

/* "+OK" of AUTH, the confirmation, messages and "pong" are all that is expected here. */
static void reply_cb(void *arg, const struct redisReply *r)
{
    struct sub *sub = &((struct store *)arg)->sub;
    sub->has_heard = true;
    if (r->type == REDIS_REPLY_ERROR) { /* perhaps that of AUTH */
        char text[STORE_ERROR_SIZE];
        store_auth_error(r->str, text, sizeof text);
        store_conn_close(&sub->conn, "the server refused the subscription", text);
        return;
    }
    if (r->type != REDIS_REPLY_ARRAY)
        return;
    if (is_word(r, 0, "subscribe") && sub->state == SUB_ASKING)
        set_live(arg);
    else if (is_word(r, 0, "message") && r->elements == 3 &&
             r->element[2]->type == REDIS_REPLY_STRING)
        sub->cb(sub->arg, r->element[2]->str, r->element[2]->len);
}

static void look(struct store *s)
{
    struct sub *sub = &s->sub;
    if (!sub->has_heard) {
        store_conn_close(&sub->conn, "the server is silent", NULL);
        return;
    }
    sub->has_heard = false;
    arm_look(s);
    if (send_words(sub, "PING", NULL))
        store_conn_close(&sub->conn, "out of memory", NULL);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct sub *sub = &((struct store *)arg)->sub;
    (void)fd;
    (void)what;
    if (sub->state == SUB_LIVE) {
        look(arg);
    } else if (sub->state == SUB_ASKING) {
        store_conn_close(&sub->conn, "no answer to the subscription", NULL);
    } else if (((const struct store *)arg)->state == STORE_STARTING) {
        timer_arm_ms(&sub->timer, STORE_LOOK_MS);
    } else {
        set_state(sub, SUB_CONNECTING, "time to connect");
        store_conn_open(&sub->conn);
    }
}

int store_subscribe(struct store *s, const char *channel, store_message_cb cb, void *arg)
{
    static const struct conn_ops ops = {connected_cb, reply_cb, closed_cb};
    struct sub *sub = &s->sub;
    if (s->state == STORE_CLOSED)
        return ERR_CLOSED;
    if (sub->channel)
        return ERR_EXISTS;
    sub->channel = strdup(channel);
    if (!sub->channel)
        return ERR_NOMEM;
    sub->cb = cb;
    sub->arg = arg;
    struct conn_options co;
    store_conn_options(s, &co);
    co.id = LOG_ID;
    co.ops = &ops;
    co.arg = s;
    store_conn_init(&sub->conn, &co);
    event_assign(&sub->timer, s->base, -1, 0, timer_cb, s);
    set_state(sub, SUB_WAITING, "asked for");
    timer_arm_ms(&sub->timer, store_is_up(s) ? 0 : store_backoff_next_ms(&sub->backoff));
    return 0;
}

void store_sub_clear(struct store *s)
{
    if (!s->sub.channel)
        return;
    set_state(&s->sub, SUB_OFF, "closed by this side");
    event_del(&s->sub.timer);
    store_conn_clear(&s->sub.conn);
}
