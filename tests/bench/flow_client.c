/* The application of the bench of whole PINs, behind whichever door. */
#include "tests/bench/flow.h"

#include "base/buf.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static void start_next(struct client *c)
{
    struct bench *b = c->b;
    if (b->to_start == b->end)
        return;
    c->n = b->to_start++;
    c->pin_id[0] = 0;
    c->asked = mono_now();
    b->door->send(c);
}

static void take_sent(struct client *c, const struct flow_reply *r, int64_t us)
{
    struct bench *b = c->b;
    b->pins[c->n].send_us = us;
    if (!r->pin_id[0] || strcmp(r->sms_status, "MESSAGE_SENT") != 0) {
        flow_complain(b, "send: %s%s", r->sms_status, r->trouble);
        start_next(c);
        return;
    }
    b->sent++;
    if (b->is_holding) {
        flow_check_done(b);
        start_next(c);
        return;
    }
    str_copy(c->pin_id, sizeof c->pin_id, r->pin_id);
    c->asked = mono_now();
    b->door->verify(c);
}

static void take_verified(struct client *c, const struct flow_reply *r, int64_t us)
{
    struct bench *b = c->b;
    b->pins[c->n].verify_us = us;
    if (r->is_verified && strcmp(r->pin_id, c->pin_id) == 0)
        b->verified++;
    else
        flow_complain(b, "verify: %s", r->trouble[0] ? r->trouble : "not verified");
    start_next(c);
    flow_check_done(b);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
    struct client *c = arg;
    struct flow_reply r = {.is_verified = false};
    (void)bev;
    if (!c->b->door->take(c, &r))
        return;
    int64_t us = mono_diff_us(mono_now(), c->asked);
    if (c->pin_id[0])
        take_verified(c, &r, us);
    else
        take_sent(c, &r, us);
}

static void client_lost_cb(struct bufferevent *bev, short what, void *arg)
{
    flow_lost_cb(bev, what, ((struct client *)arg)->b);
}

void flow_clients_connect(struct bench *b)
{
    struct sockaddr_storage at;
    socklen_t len = b->door->address(b, &at);
    for (long i = 0; i < b->connections; i++) {
        struct client *c = &b->clients[i];
        c->b = b;
        c->reader = redisReaderCreate();
        c->bev = bufferevent_socket_new(b->base, -1, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(c->bev, read_cb, NULL, client_lost_cb, c);
        if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&at, (int)len))
            abort();
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    }
}

void flow_clients_start(struct bench *b)
{
    for (long i = 0; i < b->connections; i++)
        start_next(&b->clients[i]);
}

void flow_clients_free(struct bench *b)
{
    for (long i = 0; i < b->connections; i++) {
        bufferevent_free(b->clients[i].bev);
        redisReaderFree(b->clients[i].reader);
    }
}
