/* Messages of a carrier: those that wait, and which bind gets which. */
#include "smpp/smpp_carrier.h"

#include "base/result.h"
#include "base/table.h"
#include "smpp/smpp_long.h"

#include <event2/event.h>

/* --- entries --- */

static struct smpp_slab *untouched(const struct smpp_carrier *c)
{
    struct smpp_slab *s = c->slabs;
    while (s && s->used == s->size)
        s = s->next;
    return s;
}

bool smpp_queue_has_entry(const struct smpp_carrier *c)
{
    return c->spare || untouched(c);
}

struct smpp_entry *smpp_queue_entry(struct smpp_carrier *c)
{
    struct smpp_entry *e = c->spare;
    struct smpp_slab *s = e ? NULL : untouched(c);
    if (e)
        LL_DELETE(c->spare, e);
    else if (s)
        e = &s->entries[s->used++];
    return e;
}

void smpp_queue_release(struct smpp_carrier *c, struct smpp_entry *e)
{
    smpp_long_free(e->parts);
    e->parts = NULL;
    secret_wipe(&e->text, sizeof e->text);
    LL_PREPEND(c->spare, e);
}

void smpp_queue_finish(struct smpp_carrier *c, struct smpp_entry *e,
                       const struct smpp_result *result)
{
    struct smpp_result r = *result;
    smpp_submit_cb cb = e->cb;
    void *arg = e->arg;
    struct smpp_long *parts = e->parts;
    smpp_entry_tell(e, &r);
    e->parts = NULL;
    smpp_queue_release(c, e);
    cb(arg, &r);
    smpp_long_free(parts); /* the callback has seen the ids in it */
}

/* None of it was sent, or not all. */
static void finish_unsent(struct smpp_carrier *c, struct smpp_entry *e, const char *reason)
{
    struct smpp_result r = {
        .outcome = smpp_entry_is_begun(e) ? SMPP_UNKNOWN
                   : e->throttle_status   ? SMPP_THROTTLED_OUT
                                          : SMPP_NOT_SENT,
        .status = e->throttle_status,
        .reason = reason,
        .rtt_us = -1,
    };
    smpp_queue_finish(c, e, &r);
}

/* --- which bind gets which --- */

static struct smpp_entry *never_throttled(struct smpp_entry *list)
{
    while (list && list->throttle_status != 0)
        list = list->next;
    return list;
}

/*
 * What a bind shall send next, where `first` is the most urgent of those that wait: a message that
 * it has begun, else that.  A probe shall tell whether the bind is throttled still, and not whether
 * one recipient is (RMSGQFUL can mean either), so it is one that was never throttled where there is
 * one.
 */
static struct smpp_entry *next_for(const struct smpp_session *s, struct smpp_entry *first)
{
    struct smpp_entry *e = NULL;
    if (s->draining)
        first = NULL;
    if (s->pace == SMPP_PACE_PROBE)
        e = never_throttled(s->begun);
    if (s->pace == SMPP_PACE_PROBE && !e)
        e = never_throttled(first);
    if (!e)
        e = s->begun ? s->begun : first;
    return e;
}

struct choice {
    struct smpp_session *session; /* NULL: nothing can go */
    struct smpp_entry *entry;
};

/* A bind that goes on with what it has begun, else the one with the most room; among equals they
 * take turns. */
static struct choice choose(const struct smpp_carrier *c, struct smpp_entry *first)
{
    struct choice best = {NULL, NULL};
    struct mono now = mono_now();
    uint32_t most = 0;
    for (uint32_t i = 1; i <= c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, (c->served + i) % c->n_links);
        struct smpp_entry *e = s ? next_for(s, first) : NULL;
        uint32_t room = e ? smpp_session_room(s, e) : 0;
        if (room == 0 || smpp_bucket_fit(&c->bucket, smpp_entry_cost(e), now) == 0)
            continue;
        if (s->begun)
            return (struct choice){s, e};
        if (room > most) {
            most = room;
            best = (struct choice){s, e};
        }
    }
    return best;
}

/* Another bind for a message that is begun. */
static struct smpp_session *heir(const struct smpp_carrier *c)
{
    struct smpp_session *best = NULL;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, i);
        uint32_t busy = s ? s->window.in_flight + s->n_begun : 0;
        if (!s || s->state != SMPP_BOUND || s->draining || busy >= least)
            continue;
        best = s;
        least = busy;
    }
    return best;
}

static int give(struct smpp_carrier *c, struct smpp_session *s, struct smpp_entry *e)
{
    int err = smpp_session_send(s, e);
    if (err)
        return err;
    smpp_bucket_spend(&c->bucket, smpp_entry_cost(e), e->written);
    c->served = s->nth;
    return 0;
}

/* --- waiting --- */

static struct mono later_of(struct mono a, struct mono b)
{
    return a.us > b.us ? a : b;
}

/* When the rates let a bind take a message that has room for one; us 0: no bind has. */
static struct mono next_token(const struct smpp_carrier *c)
{
    struct mono at = {0}, now = mono_now();
    for (uint32_t i = 0; i < c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, i);
        struct smpp_entry *e = s ? next_for(s, c->queue) : NULL;
        struct mono due = e ? smpp_session_due(s, e) : (struct mono){0};
        if (due.us == 0)
            continue;
        due = later_of(due, smpp_bucket_next(&c->bucket, smpp_entry_cost(e), now));
        at = mono_first(at, due);
    }
    return at;
}

/* Never later than needed; it may fire early and is armed anew then. */
static void arm(struct smpp_carrier *c)
{
    struct mono at = {0};
    if (!c->freed)
        at = next_token(c);
    if (c->queue && !c->freed)
        at = mono_first(at, c->queue->deadline);
    if (c->aside && !c->freed)
        at = mono_first(at, c->aside->again_at);
    if (at.us == 0) {
        event_del(c->timer);
        c->timer_at.us = 0;
        return;
    }
    if (c->timer_at.us && c->timer_at.us <= at.us)
        return;
    struct timeval tv = smpp_timeval_us(mono_diff_us(at, mono_now()));
    event_add(c->timer, &tv);
    c->timer_at = at;
}

static void enqueue(struct smpp_carrier *c, struct smpp_entry *e)
{
    smpp_entry_insert(&c->queue, e);
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

/* Until again_at, or its deadline. */
static void set_aside(struct smpp_carrier *c, struct smpp_entry *e)
{
    struct smpp_entry *before = c->aside;
    if (e->deadline.us < e->again_at.us)
        e->again_at = e->deadline;
    while (before && before->again_at.us <= e->again_at.us)
        before = before->next;
    if (before)
        DL_PREPEND_ELEM(c->aside, before, e);
    else
        DL_APPEND(c->aside, e);
    c->queued++;
    arm(c);
}

static void bring_back(struct smpp_carrier *c, struct mono until)
{
    struct smpp_entry *e;
    while ((e = c->aside) && mono_is_past(e->again_at, until)) {
        DL_DELETE(c->aside, e);
        e->again_at.us = 0;
        smpp_entry_insert(&c->queue, e);
    }
}

void smpp_queue_fail(struct smpp_carrier *c, const char *reason)
{
    bring_back(c, (struct mono){INT64_MAX});
    while (c->queue)
        finish_unsent(c, dequeue(c, c->queue), reason);
    arm(c);
}

static void expire(struct smpp_carrier *c)
{
    struct mono now = mono_now();
    /* Counted, because a callback may put a message that is overdue already. */
    for (uint32_t n = c->queued; n > 0 && c->queue; n--) {
        if (!mono_is_past(c->queue->deadline, now))
            return;
        bool is_over = c->queue->valid_until.us != 0 && mono_is_past(c->queue->valid_until, now);
        finish_unsent(c, dequeue(c, c->queue),
                      is_over ? "validity passed in the queue" : "deadline reached in the queue");
    }
}

/* What is overdue was put by a callback of expire(): the timer has it. */
static struct smpp_entry *first_in_time(const struct smpp_carrier *c)
{
    return c->queue && !mono_is_past(c->queue->deadline, mono_now()) ? c->queue : NULL;
}

static bool has_begun(const struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        if (c->links[i]->session.begun)
            return true;
    return false;
}

/* A pair may lose the leg that brings its receipts: what it has begun goes on elsewhere. */
static void leave_broken_pairs(struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        if (c->links[i]->session.begun && !smpp_carrier_sender(c, i) && heir(c))
            smpp_session_give_back(&c->links[i]->session);
}

void smpp_queue_pump(struct smpp_carrier *c)
{
    struct choice next;
    bring_back(c, mono_now());
    if (!c->queue && !has_begun(c)) {
        if (c->aside)
            arm(c);
        return;
    }
    leave_broken_pairs(c);
    expire(c);
    while (!c->freed && (next = choose(c, first_in_time(c))).session) {
        struct smpp_entry *e = next.entry;
        if (e->parts && e->parts->is_held)
            smpp_session_release(next.session, e);
        else
            dequeue(c, e);
        if (give(c, next.session, e) == 0)
            continue;
        finish_unsent(c, e, "cannot be encoded");
        smpp_session_unbind_when_empty(next.session);
    }
    arm(c);
}

int smpp_queue_submit(struct smpp_carrier *c, struct smpp_entry *e)
{
    bool overdue = mono_is_past(e->deadline, mono_now());
    e->next = NULL; /* a list of one */
    struct choice next = c->queue || overdue ? (struct choice){NULL, NULL} : choose(c, e);
    if (next.entry == e)
        return give(c, next.session, e);
    if (c->queued >= c->config.o.max_queue)
        return ERR_FULL;
    enqueue(c, e);
    return 0;
}

void smpp_queue_back(struct smpp_carrier *c, struct smpp_entry *e)
{
    struct smpp_session *other = smpp_entry_is_begun(e) && !c->freed ? heir(c) : NULL;
    if (other)
        smpp_session_hold(other, e);
    else if (c->draining || c->freed)
        finish_unsent(c, e, "draining");
    else if (e->again_at.us)
        set_aside(c, e);
    else
        enqueue(c, e);
}
