#include "smpp/smpp_carrier.h"

#include "base/log.h"
#include "base/result.h"
#include "base/table.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_receipt.h"

#include <event2/event.h>
#include <stdlib.h>

/* --- who sends --- */

struct smpp_session *smpp_carrier_sender(const struct smpp_carrier *c, uint32_t nth)
{
    struct smpp_session *s = &c->links[nth]->session;
    if (s->mode == SMPP_RECEIVER)
        return NULL;
    bool has_way_back = c->config.o.mode != SMPP_PAIR ||
                        c->links[nth + 1]->session.state == SMPP_BOUND;
    return has_way_back ? s : NULL;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_carrier *c = arg;
    c->timer_at.us = 0;
    smpp_queue_pump(c);
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
    smpp_queue_fail(c, "draining");
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
    smpp_carrier_follow(c);
    if (!c->freed)
        smpp_queue_pump(c);
    smpp_asks_pump(c);
}

void smpp_carrier_drain(struct smpp_carrier *c, void (*cb)(void *arg), void *arg)
{
    if (c->draining || c->freed)
        return;
    c->draining = true;
    if (c->outbind)
        smpp_outbind_stop(c->outbind);
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
    if (s->state == SMPP_CLOSED || s->state == SMPP_IDLE)
        event_active(c->turn, EV_TIMEOUT, 0);
    if (c->events.state_cb)
        c->events.state_cb(c->events.arg, &event);
}

static void done_cb(void *owner, struct smpp_entry *e, const struct smpp_result *r)
{
    smpp_queue_finish(owner, e, r);
}

static void back_cb(void *owner, struct smpp_entry *e)
{
    smpp_queue_back(owner, e);
}

static void room_cb(void *owner)
{
    struct smpp_carrier *c = owner;
    if (!c->freed)
        smpp_queue_pump(c);
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
    if (c->outbind)
        smpp_outbind_free(c->outbind);
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

static bool take_cb(void *arg, struct smpp_conn *conn, const char *peer)
{
    struct smpp_carrier *c = arg;
    for (uint32_t i = 0; i < c->n_links; i++)
        if (smpp_link_adopt(c->links[i], conn, peer))
            return true;
    return false;
}

static int make_outbind(struct smpp_carrier *c)
{
    struct smpp_outbind_env env = {c->env.base, c->env.reap, &c->config, take_cb, c};
    if (!smpp_mode_is_dialled(&c->config.o, SMPP_RECEIVER))
        return 0;
    c->outbind = smpp_outbind_new(&env);
    return c->outbind ? 0 : ERR_NOMEM;
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
    smpp_references_init(&c->references);
    smpp_bucket_init(&c->bucket, c->config.o.rate, mono_now());
    c->timer = event_new(base, -1, 0, timer_cb, c);
    c->turn = event_new(base, -1, 0, turn_cb, c);
    if (!c->timer || !c->turn || smpp_asks_init(c) != 0 || smpp_carrier_mo_init(c) != 0 ||
        smpp_carrier_reserve(c, &c->config.o) != 0 || make_links(c) != 0 || make_outbind(c) != 0) {
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
    if (c->outbind)
        smpp_outbind_start(c->outbind);
}

void smpp_carrier_free(struct smpp_carrier *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    if (c->outbind)
        smpp_outbind_stop(c->outbind);
    for (uint32_t i = 0; i < c->n_links; i++)
        smpp_link_stop(c->links[i]);
    smpp_queue_fail(c, "stopped");
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
    for (uint32_t i = 0; i < c->n_links; i++) {
        const struct smpp_session *s = smpp_carrier_sender(c, i);
        if (s && s->state == SMPP_BOUND && !s->draining)
            return true;
    }
    return false;
}

bool smpp_carrier_is_ready(const struct smpp_carrier *c)
{
    return !c->draining && !c->freed && c->queued < c->config.o.max_queue &&
           smpp_queue_has_entry(c) && smpp_carrier_is_up(c);
}

int smpp_submit(struct smpp_carrier *c, const struct smpp_message *message, smpp_submit_cb cb,
                void *arg)
{
    if (c->draining || c->freed)
        return ERR_CLOSED;
    if (!smpp_carrier_is_up(c))
        return ERR_UNAVAILABLE;
    struct smpp_entry *e = smpp_queue_entry(c);
    if (!e)
        return ERR_FULL;
    e->cb = cb;
    e->arg = arg;
    int err = smpp_entry_fill(e, &c->config.o, message, &c->references);
    if (!err)
        err = smpp_queue_submit(c, e);
    if (err)
        smpp_queue_release(c, e);
    return err;
}

void smpp_delivery_done(struct smpp_carrier *c, struct smpp_delivery handle, uint32_t status)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        smpp_session_answer(&c->links[i]->session, handle, status);
}
