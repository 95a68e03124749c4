#include "smpp/smpp_ask.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/table.h"
#include "smpp/smpp_carrier.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_encode.h"
#include "smpp/smpp_receipt.h"
#include "smpp/smpp_receipt_table.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define ASK_SEGMENTS 1 /* what one counts before the rates */

const char *smpp_ask_outcome_name(enum smpp_ask_outcome outcome)
{
    static const char *const names[] = {"DONE", "REFUSED", "NO_ANSWER", "LOST", "NOT_SENT"};
    return (unsigned)outcome < SMPP_ASK_OUTCOMES ? names[outcome] : "?";
}

static bool is_query(const struct smpp_ask *e)
{
    return e->command_id == (uint32_t)SMPP_QUERY_SM;
}

/* It is in no list any more. */
static void finish(struct smpp_ask *e, const struct smpp_ask_result *r)
{
    smpp_ask_cb cb = e->cb;
    void *arg = e->arg;
    struct smpp_ask_queue *q = e->queue;
    (is_query(e) ? &q->queries : &q->cancels)->n[r->outcome]++;
    free(e);
    cb(arg, r);
}

static void finish_unanswered(struct smpp_ask *e, enum smpp_ask_outcome outcome, const char *reason)
{
    struct smpp_ask_result r = {.outcome = outcome, .state = -1, .final_ms = -1, .reason = reason};
    finish(e, &r);
}

/* --- on a bind --- */

static const struct smpp_carrier_options *options(const struct smpp_session *s)
{
    return &s->env.config->o;
}

static struct smpp_ask *find(const struct smpp_session *s, uint32_t sequence)
{
    struct smpp_ask *e = s->asks.in_flight;
    while (e && e->sequence != sequence)
        e = e->next;
    return e;
}

static struct smpp_ask *take(struct smpp_session *s, struct smpp_ask *e)
{
    DL_DELETE(s->asks.in_flight, e);
    s->asks.n--;
    return e;
}

uint32_t smpp_asks_sequence(struct smpp_session *s)
{
    uint32_t sequence;
    do
        sequence = smpp_window_sequence(&s->window);
    while (find(s, sequence));
    return sequence;
}

/* Whatever its rate.  After a throttle it may be long until a message comes that can be the probe.
 */
static bool has_place(const struct smpp_session *s)
{
    bool may_go = s->pace == SMPP_PACE_FREE || s->pace == SMPP_PACE_PROBE;
    return s->state == SMPP_BOUND && !s->draining && !s->begun && may_go &&
           s->asks.n < SMPP_ASKS_PER_BIND && s->asks.paused_until.us == 0 &&
           smpp_conn_is_writable(s->conn);
}

static int encode(struct smpp_session *s, const struct smpp_ask *e, size_t *len)
{
    struct smpp_ask_fields f = {
        .message_id = e->message_id,
        .source_ton = e->sender.ton,
        .source_npi = e->sender.npi,
        .source = e->sender.address,
        .dest_ton = options(s)->dest_ton,
        .dest_npi = options(s)->dest_npi,
        .destination = e->destination,
    };
    uint8_t *p = smpp_conn_reserve(s->conn, SMPP_ENCODE_MAX);
    return is_query(e) ? smpp_encode_query_sm(&f, e->sequence, p, SMPP_ENCODE_MAX, len)
                       : smpp_encode_cancel_sm(&f, e->sequence, p, SMPP_ENCODE_MAX, len);
}

static int send_on(struct smpp_session *s, struct smpp_ask *e)
{
    size_t len;
    e->sequence = smpp_asks_sequence(s);
    if (encode(s, e, &len) != 0)
        return ERR_INVALID;
    e->offset = smpp_output_data_end(&s->conn->out);
    e->written = mono_now();
    smpp_conn_commit(s->conn, len);
    DL_APPEND(s->asks.in_flight, e);
    s->asks.n++;
    smpp_rate_spend(&s->rate, ASK_SEGMENTS, e->written);
    smpp_session_arm(s);
    return 0;
}

/* "YYMMDDhhmmsstnnp" (7.1.1.1): local time, and p nn quarters of an hour ahead of or behind UTC;
 * -1: it is none. */
static int64_t read_date(struct smpp_str s)
{
    if (s.len != 16 || strspn(s.p, "0123456789") < 15 || !strchr("+-", s.p[15]))
        return -1;
    int64_t local = smpp_date_ms(s.p, 12, 2);
    int64_t offset_ms = ((s.p[13] - '0') * 10 + s.p[14] - '0') * INT64_C(900000);
    if (local < 0)
        return -1;
    return s.p[15] == '+' ? local - offset_ms : local + offset_ms;
}

static void read_state(const struct smpp_carrier_options *o, const struct smpp_pdu *pdu,
                       struct smpp_ask_result *r)
{
    uint8_t state = smpp_pdu_int(pdu, SMPP_F_MESSAGE_STATE);
    if (!smpp_pdu_has(pdu, SMPP_F_MESSAGE_STATE) || state > 9)
        return;
    r->state = state;
    r->final = smpp_state_is_final(o, state);
    r->final_ms = read_date(smpp_pdu_str(pdu, SMPP_F_FINAL_DATE));
    r->error_code = smpp_pdu_int(pdu, SMPP_F_ERROR_CODE);
}

static void pause_asks(struct smpp_session *s, uint32_t status, struct mono now)
{
    uint32_t ms = options(s)->throttle_ms;
    s->asks.paused_until = mono_add_ms(now, smpp_random_between(ms, ms + ms / 2));
    LOG(LOG_LV_INFO, s->id, "asks_throttled", KV_S("status", smpp_status_name(status)),
        KV_I("pause_ms", mono_diff_ms(s->asks.paused_until, now)));
    smpp_session_arm(s);
}

static void answered(struct smpp_session *s, struct smpp_ask *e, const struct smpp_pdu *pdu)
{
    struct mono now = mono_now();
    bool is_nack = pdu->command_id == (uint32_t)SMPP_GENERIC_NACK;
    struct smpp_ask_result r = {
        .outcome = pdu->command_status == ESME_ROK && !is_nack ? SMPP_ASK_DONE : SMPP_ASK_REFUSED,
        .status = pdu->command_status,
        .state = -1,
        .final_ms = -1,
        .reason = smpp_status_name(pdu->command_status),
    };
    if (r.outcome == SMPP_ASK_DONE && is_query(e))
        read_state(options(s), pdu, &r);
    if (smpp_status_class(r.status) == SMPP_CLASS_THROTTLE)
        pause_asks(s, r.status, now);
    else
        smpp_rate_taken(&s->rate, ASK_SEGMENTS, e->written, now);
    finish(e, &r);
    s->env.ops->room_cb(s->env.owner);
}

bool smpp_asks_answer(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct smpp_ask *e = find(s, pdu->sequence_number);
    if (!e || !smpp_session_has_sent(s, e->offset) ||
        (pdu->command_id != (uint32_t)SMPP_GENERIC_NACK &&
         pdu->command_id != (e->command_id | SMPP_RESPONSE)))
        return false;
    answered(s, take(s, e), pdu);
    return true;
}

static struct mono expires(const struct smpp_session *s, const struct smpp_ask *e)
{
    return mono_add_ms(e->written, options(s)->response_timeout_ms);
}

struct mono smpp_asks_due(const struct smpp_session *s)
{
    struct mono at = s->asks.paused_until;
    return s->asks.in_flight ? mono_first(at, expires(s, s->asks.in_flight)) : at;
}

void smpp_asks_check(struct smpp_session *s, struct mono now)
{
    bool room = s->asks.paused_until.us && mono_is_past(s->asks.paused_until, now);
    if (room)
        s->asks.paused_until.us = 0;
    while (s->asks.in_flight && mono_is_past(expires(s, s->asks.in_flight), now)) {
        finish_unanswered(take(s, s->asks.in_flight), SMPP_ASK_NO_ANSWER, "no answer in time");
        room = true;
    }
    if (room)
        s->env.ops->room_cb(s->env.owner);
}

void smpp_asks_pull_back(struct smpp_session *s)
{
    while (s->asks.in_flight && !smpp_session_has_sent(s, s->asks.in_flight->prev->offset)) {
        struct smpp_ask *e = take(s, s->asks.in_flight->prev);
        DL_PREPEND(e->queue->waiting, e);
        e->queue->n++;
    }
}

void smpp_asks_lose(struct smpp_session *s)
{
    s->asks.paused_until.us = 0;
    while (s->asks.in_flight)
        finish_unanswered(take(s, s->asks.in_flight), SMPP_ASK_LOST,
                          "connection ended before the answer");
}

/* --- of a carrier --- */

/* The one with the fewest. */
static struct smpp_session *choose(const struct smpp_carrier *c)
{
    struct mono now = mono_now();
    struct smpp_session *best = NULL;
    if (c->queue || smpp_bucket_room(&c->bucket, now) < ASK_SEGMENTS)
        return NULL;
    for (uint32_t i = 0; i < c->n_links; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, i);
        if (s && has_place(s) && smpp_rate_room(&s->rate, now) >= ASK_SEGMENTS &&
            (!best || s->asks.n < best->asks.n))
            best = s;
    }
    return best;
}

static int give(struct smpp_carrier *c, struct smpp_session *s, struct smpp_ask *e)
{
    int err = send_on(s, e);
    if (!err)
        smpp_bucket_spend(&c->bucket, ASK_SEGMENTS, e->written);
    return err;
}

static struct smpp_ask *dequeue(struct smpp_ask_queue *q)
{
    struct smpp_ask *e = q->waiting;
    DL_DELETE(q->waiting, e);
    q->n--;
    return e;
}

/* When the rates let one go; us 0: something else has to happen first, a session tells. */
static struct mono next_token(const struct smpp_carrier *c)
{
    struct mono now = mono_now(), at = {0}, all = smpp_bucket_next(&c->bucket, ASK_SEGMENTS, now);
    for (uint32_t i = 0; i < c->n_links && !c->queue; i++) {
        struct smpp_session *s = smpp_carrier_sender(c, i);
        if (s && has_place(s))
            at = mono_first(at, smpp_rate_next(&s->rate, ASK_SEGMENTS, now));
    }
    return at.us && all.us > at.us ? all : at;
}

static void arm(struct smpp_carrier *c)
{
    struct smpp_ask_queue *q = &c->asks;
    if (!q->waiting || c->freed) {
        event_del(q->timer);
        return;
    }
    struct mono at = mono_first(q->waiting->deadline, next_token(c));
    struct timeval tv = smpp_timeval_us(mono_diff_us(at, mono_now()));
    event_add(q->timer, &tv);
}

static void give_up_overdue(struct smpp_carrier *c)
{
    struct smpp_ask_queue *q = &c->asks;
    struct mono now = mono_now();
    /* Counted: a callback may ask anew. */
    for (uint32_t n = q->n; n > 0 && q->waiting && mono_is_past(q->waiting->deadline, now); n--)
        finish_unanswered(dequeue(q), SMPP_ASK_NOT_SENT, "no bind had room for it in time");
}

void smpp_asks_pump(struct smpp_carrier *c)
{
    struct smpp_ask_queue *q = &c->asks;
    struct smpp_session *s;
    if (!q->waiting || c->freed)
        return;
    give_up_overdue(c);
    while (q->waiting && !c->freed && (s = choose(c))) {
        struct smpp_ask *e = dequeue(q);
        if (give(c, s, e) != 0)
            finish_unanswered(e, SMPP_ASK_NOT_SENT, "cannot be encoded");
    }
    arm(c);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    smpp_asks_pump(arg);
}

int smpp_asks_init(struct smpp_carrier *c)
{
    c->asks.timer = event_new(c->env.base, -1, 0, timer_cb, c);
    return c->asks.timer ? 0 : ERR_NOMEM;
}

void smpp_asks_clear(struct smpp_carrier *c)
{
    if (c->asks.timer)
        event_free(c->asks.timer);
}

void smpp_asks_fail(struct smpp_carrier *c, const char *reason)
{
    while (c->asks.waiting)
        finish_unanswered(dequeue(&c->asks), SMPP_ASK_NOT_SENT, reason);
    arm(c);
}

/* --- asking --- */

static int fill(struct smpp_ask *e, const struct smpp_carrier_options *o,
                const struct smpp_message_ref *m)
{
    int err = smpp_sender_fill(&e->sender, o, m->source);
    if (err)
        return err;
    if (!m->message_id[0] || !str_copy(e->message_id, sizeof e->message_id, m->message_id) ||
        !str_copy(e->destination, sizeof e->destination, m->destination ? m->destination : ""))
        return ERR_INVALID;
    e->deadline = mono_add_ms(mono_now(), o->response_timeout_ms);
    return 0;
}

static int send_or_wait(struct smpp_carrier *c, struct smpp_ask *e)
{
    struct smpp_ask_queue *q = &c->asks;
    struct smpp_session *s = q->waiting ? NULL : choose(c);
    if (s)
        return give(c, s, e);
    if (q->n >= SMPP_ASKS_WAITING)
        return ERR_FULL;
    DL_APPEND(q->waiting, e);
    q->n++;
    if (q->waiting == e)
        arm(c);
    return 0;
}

static int ask(struct smpp_carrier *c, uint32_t command_id, const struct smpp_message_ref *m,
               smpp_ask_cb cb, void *arg)
{
    if (c->draining || c->freed)
        return ERR_CLOSED;
    if (!smpp_carrier_is_up(c))
        return ERR_UNAVAILABLE;
    struct smpp_ask *e = malloc(sizeof *e);
    if (!e)
        return ERR_NOMEM;
    *e = (struct smpp_ask){.queue = &c->asks, .cb = cb, .arg = arg, .command_id = command_id};
    int err = fill(e, &c->config.o, m);
    if (!err)
        err = send_or_wait(c, e);
    if (err)
        free(e);
    return err;
}

int smpp_query(struct smpp_carrier *c, const struct smpp_message_ref *m, smpp_ask_cb cb, void *arg)
{
    int err = ask(c, SMPP_QUERY_SM, m, cb, arg);
    if (err)
        c->asks.queries.n[SMPP_ASK_NOT_SENT]++;
    return err;
}

int smpp_cancel(struct smpp_carrier *c, const struct smpp_message_ref *m, smpp_ask_cb cb, void *arg)
{
    int err = ask(c, SMPP_CANCEL_SM, m, cb, arg);
    if (err)
        c->asks.cancels.n[SMPP_ASK_NOT_SENT]++;
    return err;
}
