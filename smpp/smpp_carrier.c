#include "smpp/smpp_carrier.h"

#include "base/log.h"
#include "base/result.h"
#include "base/table.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_receipt.h"

#include <event2/event.h>
#include <event2/util.h>
#include <stdlib.h>

/* --- entries --- */

static struct smpp_slab *untouched(const struct smpp_carrier *c)
{
    struct smpp_slab *s = c->slabs;
    while (s && s->used == s->size)
        s = s->next;
    return s;
}

static bool has_entry(const struct smpp_carrier *c)
{
    return c->spare || untouched(c);
}

static struct smpp_entry *entry_take(struct smpp_carrier *c)
{
    struct smpp_entry *e = c->spare;
    struct smpp_slab *s = e ? NULL : untouched(c);
    if (e)
        LL_DELETE(c->spare, e);
    else if (s)
        e = &s->entries[s->used++];
    return e;
}

static void entry_release(struct smpp_carrier *c, struct smpp_entry *e)
{
    secret_wipe(&e->text, sizeof e->text);
    LL_PREPEND(c->spare, e);
}

static void finish(struct smpp_carrier *c, struct smpp_entry *e, const struct smpp_result *result)
{
    struct smpp_result r = *result;
    smpp_submit_cb cb = e->cb;
    void *arg = e->arg;
    smpp_entry_tell(e, &r);
    entry_release(c, e);
    cb(arg, &r);
}

static void finish_unsent(struct smpp_carrier *c, struct smpp_entry *e, const char *reason)
{
    bool throttled = e->throttle_status != 0;
    struct smpp_result r = {
        .outcome = throttled ? SMPP_THROTTLED_OUT : SMPP_NOT_SENT,
        .status = e->throttle_status,
        .reason = reason,
        .rtt_us = -1,
    };
    finish(c, e, &r);
}

/* --- who sends --- */

struct smpp_session *smpp_carrier_sender(const struct smpp_carrier *c, uint32_t nth)
{
    struct smpp_session *s = &c->links[nth]->session;
    if (s->mode == SMPP_RECEIVER)
        return NULL;
    return c->config.o.mode != SMPP_PAIR || c->links[nth + 1]->session.state == SMPP_BOUND ? s
                                                                                           : NULL;
}

/* --- queue --- */

static struct mono later_of(struct mono a, struct mono b)
{
    return a.us > b.us ? a : b;
}

/* When the rates let a bind take a message that has room for one; us 0: no bind has. */
static struct mono next_token(const struct smpp_carrier *c)
{
    struct mono at = {0};
    for (uint32_t i = 0; i < c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, i);
        struct mono due = s ? smpp_session_due(s) : (struct mono){0};
        if (due.us && (at.us == 0 || due.us < at.us))
            at = due;
    }
    return at.us ? later_of(at, smpp_bucket_next(&c->bucket, mono_now())) : at;
}

/* Never later than needed; it may fire early and is armed anew then. */
static void arm(struct smpp_carrier *c)
{
    if (!c->queue || c->freed) {
        event_del(c->timer);
        c->timer_at.us = 0;
        return;
    }
    struct mono at = c->queue->deadline, token = next_token(c);
    if (token.us && token.us < at.us)
        at = token;
    if (c->timer_at.us && c->timer_at.us <= at.us)
        return;
    struct timeval tv = smpp_timeval_us(mono_diff_us(at, mono_now()));
    event_add(c->timer, &tv);
    c->timer_at = at;
}

static void enqueue(struct smpp_carrier *c, struct smpp_entry *e)
{
    struct smpp_entry *after = c->queue ? c->queue->prev : NULL;
    while (after && after->deadline.us > e->deadline.us)
        after = after == c->queue ? NULL : after->prev;
    if (after)
        DL_APPEND_ELEM(c->queue, after, e);
    else
        DL_PREPEND(c->queue, e);
    c->queued++;
    if (c->queue == e)
        arm(c);
}

static struct smpp_entry *dequeue(struct smpp_carrier *c, struct smpp_entry *e)
{
    DL_DELETE(c->queue, e);
    c->queued--;
    return e;
}

static void fail_queue(struct smpp_carrier *c, const char *reason)
{
    while (c->queue)
        finish_unsent(c, dequeue(c, c->queue), reason);
    arm(c);
}

/* The bind with the most room; among equals they take turns. */
static struct smpp_session *roomiest(const struct smpp_carrier *c)
{
    struct smpp_session *best = NULL;
    uint32_t most = 0;
    if (c->bucket.rate && smpp_bucket_room(&c->bucket, mono_now()) == 0)
        return NULL;
    for (uint32_t i = 1; i <= c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, (c->served + i) % c->n_links);
        uint32_t room = s ? smpp_session_room(s) : 0;
        if (room > most) {
            most = room;
            best = s;
        }
    }
    return best;
}

static int give(struct smpp_carrier *c, struct smpp_session *s, struct smpp_entry *e)
{
    int err = smpp_session_send(s, e);
    if (err)
        return err;
    smpp_bucket_spend(&c->bucket, SMPP_SEGMENTS, e->written);
    c->served = s->nth;
    return 0;
}

static void expire(struct smpp_carrier *c)
{
    struct mono now = mono_now();
    /* Counted, because a callback may put a message that is overdue already. */
    for (uint32_t n = c->queued; n > 0 && c->queue; n--) {
        if (!mono_is_past(c->queue->deadline, now))
            return;
        finish_unsent(c, dequeue(c, c->queue), "deadline reached in the queue");
    }
}

/*
 * The most urgent.  A probe shall tell whether the bind is throttled still, and not whether one
 * recipient is (RMSGQFUL can mean either), so it is one that was never throttled where there is
 * one.
 */
static struct smpp_entry *next_for(const struct smpp_carrier *c, const struct smpp_session *s)
{
    struct smpp_entry *e = c->queue;
    if (s->pace == SMPP_PACE_PROBE)
        while (e && e->throttle_status != 0)
            e = e->next;
    return e ? e : c->queue;
}

static void pump(struct smpp_carrier *c)
{
    struct smpp_session *s;
    if (!c->queue)
        return;
    expire(c);
    /* What is overdue was put by a callback of expire(): the timer has it. */
    while (c->queue && !c->freed && !mono_is_past(c->queue->deadline, mono_now()) &&
           (s = roomiest(c))) {
        struct smpp_entry *e = dequeue(c, next_for(c, s));
        if (give(c, s, e) != 0)
            finish_unsent(c, e, "cannot be encoded");
    }
    arm(c);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_carrier *c = arg;
    c->timer_at.us = 0;
    pump(c);
    smpp_asks_pump(c);
}

/* --- draining --- */

static void tell_drained(struct smpp_carrier *c)
{
    void (*cb)(void *) = c->drained_cb;
    c->drained_cb = NULL;
    if (cb)
        cb(c->drained_arg);
}

static bool is_closed(const struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        if (c->links[i]->session.state != SMPP_CLOSED)
            return false;
    return true;
}

static void drain_step(struct smpp_carrier *c)
{
    fail_queue(c, "draining");
    smpp_asks_fail(c, "draining");
    for (uint32_t i = 0; i < c->n_links && !c->freed; i++)
        smpp_carrier_drain_link(c, i);
    if (c->freed || !is_closed(c))
        return;
    smpp_carrier_mo_flush(c);
    tell_drained(c);
}

static void turn_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_carrier *c = arg;
    if (c->draining) {
        drain_step(c);
        return;
    }
    smpp_carrier_trim(c);
    if (!c->freed)
        pump(c);
    smpp_asks_pump(c);
}

void smpp_carrier_drain(struct smpp_carrier *c, void (*cb)(void *arg), void *arg)
{
    if (c->draining || c->freed)
        return;
    c->draining = true;
    c->drained_cb = cb;
    c->drained_arg = arg;
    event_active(c->turn, EV_TIMEOUT, 0);
}

/* --- what the sessions tell --- */

static void state_cb(void *owner, const struct smpp_session *s, enum smpp_state from,
                     uint32_t status)
{
    struct smpp_carrier *c = owner;
    struct smpp_bind_event event = {c->config.o.name, s->bind, from, s->state, s->reason, status};
    if (c->freed)
        return;
    if (s->state == SMPP_CLOSED)
        event_active(c->turn, EV_TIMEOUT, 0);
    if (c->events.state_cb)
        c->events.state_cb(c->events.arg, &event);
}

static void done_cb(void *owner, struct smpp_entry *e, const struct smpp_result *r)
{
    finish(owner, e, r);
}

static void back_cb(void *owner, struct smpp_entry *e)
{
    struct smpp_carrier *c = owner;
    if (c->draining || c->freed)
        finish_unsent(c, e, "draining");
    else
        enqueue(c, e);
}

static void room_cb(void *owner)
{
    struct smpp_carrier *c = owner;
    if (!c->freed)
        pump(c);
    smpp_asks_pump(c);
}

/* Once per connection: an operator that does so does it in every receipt. */
static void tell_conflict(struct smpp_session *s, const struct smpp_receipt *r)
{
    if (!r->conflict || s->conflict_told == s->serial)
        return;
    s->conflict_told = s->serial;
    LOG(LOG_LV_WARN, s->id, "receipt_conflict", KV_S("field", r->conflict),
        KV_SN("message_id", r->id.p ? r->id.p : "", r->id.len),
        KV_SN("stat", r->stat.p ? r->stat.p : "", r->stat.len),
        KV_S("state", smpp_message_state_name(r->state)), KV_S("taken", "TLV"));
}

static void delivery_cb(void *owner, struct smpp_session *s, const struct smpp_pdu *pdu,
                        struct smpp_delivery handle)
{
    struct smpp_carrier *c = owner;
    struct smpp_receipt receipt;
    if (smpp_receipt_from_pdu(pdu, &c->config.o, &receipt)) {
        s->counts.receipts++;
        tell_conflict(s, &receipt);
        if (c->events.receipt_cb)
            c->events.receipt_cb(c->events.arg, c, &receipt, handle);
        else
            smpp_session_answer(s, handle, ESME_RX_T_APPN);
        return;
    }
    smpp_carrier_mo(c, s, pdu, handle);
}

static void late_cb(void *owner, void *submit_arg, const struct smpp_result *r)
{
    struct smpp_carrier *c = owner;
    if (c->events.late_cb && !c->freed)
        c->events.late_cb(c->events.arg, c, submit_arg, r);
}

static const struct smpp_session_ops session_ops = {
    .state_cb = state_cb,
    .done_cb = done_cb,
    .back_cb = back_cb,
    .room_cb = room_cb,
    .delivery_cb = delivery_cb,
    .late_cb = late_cb,
};

/* --- life --- */

static void carrier_free_cb(void *object)
{
    struct smpp_carrier *c = object;
    smpp_carrier_forget(c);
    smpp_carrier_mo_clear(c);
    while (c->n_links > 0)
        smpp_carrier_link_free(c->links[--c->n_links]);
    if (c->timer)
        event_free(c->timer);
    if (c->turn)
        event_free(c->turn);
    smpp_asks_clear(c);
    while (c->slabs) {
        struct smpp_slab *s = c->slabs;
        LL_DELETE(c->slabs, s);
        free(s);
    }
    smpp_config_clear(&c->config);
    free(c);
}

static int make_links(struct smpp_carrier *c)
{
    for (; c->n_links < smpp_mode_links(&c->config.o); c->n_links++) {
        c->links[c->n_links] = smpp_carrier_link_new(c, &c->config, c->n_links);
        if (!c->links[c->n_links])
            return ERR_NOMEM;
    }
    return 0;
}

struct smpp_carrier *smpp_carrier_new(struct event_base *base, struct reap *reap,
                                      struct evdns_base *dns,
                                      const struct smpp_carrier_options *options,
                                      const struct smpp_events *events)
{
    struct smpp_carrier *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (smpp_config_init(&c->config, options) != 0) {
        free(c);
        return NULL;
    }
    c->env = (struct smpp_session_env){base, reap, dns, &c->config, &session_ops, c};
    c->events = *events;
    evutil_secure_rng_get_bytes(&c->next_reference, sizeof c->next_reference);
    smpp_bucket_init(&c->bucket, c->config.o.rate, mono_now());
    c->timer = event_new(base, -1, 0, timer_cb, c);
    c->turn = event_new(base, -1, 0, turn_cb, c);
    if (!c->timer || !c->turn || smpp_asks_init(c) != 0 || smpp_carrier_mo_init(c) != 0 ||
        smpp_carrier_reserve(c, &c->config.o) != 0 || make_links(c) != 0) {
        carrier_free_cb(c);
        return NULL;
    }
    if (!options->is_held)
        smpp_carrier_start(c);
    return c;
}

void smpp_carrier_start(struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        smpp_link_start(c->links[i]);
}

void smpp_carrier_free(struct smpp_carrier *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    for (uint32_t i = 0; i < c->n_links; i++)
        smpp_link_stop(c->links[i]);
    fail_queue(c, "stopped");
    smpp_asks_fail(c, "stopped");
    event_del(c->turn);
    event_del(c->mo_timer);
    tell_drained(c);
    reap_later(c->env.reap, &c->reap_node, carrier_free_cb, c);
}

/* --- use --- */

const char *smpp_carrier_name(const struct smpp_carrier *c)
{
    return c->config.o.name;
}

bool smpp_carrier_is_up(const struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        if (smpp_carrier_sender(c, i) && c->links[i]->session.state == SMPP_BOUND)
            return true;
    return false;
}

bool smpp_carrier_is_ready(const struct smpp_carrier *c)
{
    return !c->draining && !c->freed && c->queued < c->config.o.max_queue && has_entry(c) &&
           smpp_carrier_is_up(c);
}

/* At once when a bind has room and nobody is in front. */
static int send_or_queue(struct smpp_carrier *c, struct smpp_entry *e)
{
    bool overdue = mono_is_past(e->deadline, mono_now());
    struct smpp_session *s = c->queue || overdue ? NULL : roomiest(c);
    if (s)
        return give(c, s, e);
    if (c->queued >= c->config.o.max_queue)
        return ERR_FULL;
    enqueue(c, e);
    return 0;
}

int smpp_submit(struct smpp_carrier *c, const struct smpp_message *message, smpp_submit_cb cb,
                void *arg)
{
    if (c->draining || c->freed)
        return ERR_CLOSED;
    if (!smpp_carrier_is_up(c))
        return ERR_UNAVAILABLE;
    struct smpp_entry *e = entry_take(c);
    if (!e)
        return ERR_FULL;
    e->cb = cb;
    e->arg = arg;
    e->reference = c->config.o.user_message_reference ? c->next_reference++ : -1;
    int err = smpp_entry_fill(e, &c->config.o, message);
    if (!err)
        err = send_or_queue(c, e);
    if (err)
        entry_release(c, e);
    return err;
}

void smpp_delivery_done(struct smpp_carrier *c, struct smpp_delivery handle, uint32_t status)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        smpp_session_answer(&c->links[i]->session, handle, status);
}
