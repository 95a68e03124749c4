/*
 * The PIN flow as a machine: what is done (act_*), what comes back (*_cb), and which leads where
 * (the table at the end).  flow_life.c makes flows, answers their callers and ends them.
 */
#include "gateway/flow_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "smpp/smpp.h"

#include <stdlib.h>
#include <string.h>

/* A message gets at least this long on a carrier, also when the caller is answered already. */
#define SUBMIT_MIN_MS 2000

/* --- ADMIT: nothing is counted before the request is known to be good ---------------------- */

/* The next carrier of the route that could take a message now; NULL: none. */
static const char *ready_carrier(struct flow *f)
{
    while (f->next_carrier < f->route.n) {
        const char *name = f->route.carriers[f->next_carrier++];
        struct smpp_carrier *c = carriers_find(f->all->env.carriers, name);
        if (c && smpp_carrier_is_ready(c))
            return name;
    }
    return NULL;
}

/* The one that ready_carrier() gave last. */
static const char *carrier_at_hand(const struct flow *f)
{
    return f->route.carriers[f->next_carrier - 1];
}

static bool has_ready_carrier(struct flow *f)
{
    size_t at = f->next_carrier;
    bool has = ready_carrier(f) != NULL;
    f->next_carrier = at;
    return has;
}

static bool is_admissible(struct flow *f)
{
    route_pick(f->config, &f->to, &f->route);
    f->carrier = ready_carrier(f);
    if (!f->carrier) {
        flow_refuse(f, ANSWER_UNAVAILABLE,
                    f->route.n ? "no carrier of the route is bound" : "no route for this number");
        f->refusal.retry_after_ms = 1000;
        return false;
    }
    return flow_text_is_good(f, config_carrier_find(f->config, f->carrier)->default_alphabet);
}

static void admitted_cb(void *arg, const struct pin_answer *a)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    if (a->result) {
        flow_fail_store(f, a->result);
    } else if (a->verdict != PIN_OK) {
        flow_refuse_verdict(f, a);
        flow_event(f, EV_REFUSED);
    } else {
        flow_event(f, EV_OK);
    }
}

static void act_admit(struct flow *f)
{
    if (!is_admissible(f)) {
        flow_event(f, EV_REFUSED);
        return;
    }
    struct pin_app app = {.policy = f->policy, .enabled = true};
    str_copy(app.account, sizeof app.account, f->account);
    str_copy(app.id, sizeof app.id, f->app_id);
    int err = pin_ledger_admit_app(f->all->env.ledger, &app, admitted_cb, flow_arg(f));
    if (err)
        flow_fail_store(f, err);
}

/* --- OPEN: the journal before the send ------------------------------------------------------ */

struct pin_owner flow_owner(const struct flow *f)
{
    return (struct pin_owner){f->account, f->app_id, &f->to};
}

static void opened_cb(void *arg, const struct pin_answer *a)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    if (a->result) {
        flow_fail_store(f, a->result);
        return;
    }
    if (a->verdict != PIN_OK) {
        flow_refuse_verdict(f, a);
        flow_event(f, EV_LIMIT);
        return;
    }
    f->attempt = a->attempt;
    f->expires = mono_add_ms(mono_now(), a->ttl_left_ms);
    flow_event(f, EV_OK);
}

static int open_record(struct flow *f)
{
    uint8_t sealed[PIN_SEAL_MAX];
    struct pin_owner owner = flow_owner(f);
    struct pin_open open = {.drawn = &f->drawn,
                            .owner = owner,
                            .spec = &f->spec,
                            .policy = &f->policy,
                            .template_id = f->template_id,
                            .template_revision = f->template_revision,
                            .sealed = sealed,
                            .carrier = f->carrier};
    int err = pin_draw(f->all->env.ring, &f->spec, &owner, f->config->pin_step_s, &f->drawn);
    if (!err)
        err = pin_seal(f->all->env.ring, f->drawn.pin_id, f->values->buf, f->values->len, sealed,
                       sizeof sealed, &open.sealed_len);
    if (!err)
        err = flow_text_render(f);
    if (!err)
        err = pin_ledger_open(f->all->env.ledger, &open, opened_cb, flow_arg(f));
    return err;
}

static int open_resend(struct flow *f)
{
    int err = pin_draw_again(f->all->env.ring, &f->spec, &f->drawn);
    if (!err)
        err = flow_text_render(f);
    if (!err)
        err = pin_ledger_resend(f->all->env.ledger,
                                &(struct pin_next){.account = f->account,
                                                   .pin_id = f->drawn.pin_id,
                                                   .per_phone = &f->policy.per_phone,
                                                   .carrier = f->carrier},
                                opened_cb, flow_arg(f));
    return err;
}

static void act_open(struct flow *f)
{
    const char *sender;
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    size_t n;
    int err = flow_values_get(f->values, &sender, ph, &n);
    if (!err)
        str_copy(f->sender, sizeof f->sender, sender);
    if (!err)
        err = f->is_resend ? open_resend(f) : open_record(f);
    if (err)
        flow_fail_store(f, err);
}

/* --- SUBMIT ----------------------------------------------------------------------------------- */

static void take_result(struct flow *f, const struct smpp_result *r, bool is_late)
{
    static const enum pin_attempt_state outcomes[] = {
        [SMPP_ACCEPTED] = PIN_ATT_ACCEPTED, [SMPP_THROTTLED_OUT] = PIN_ATT_REFUSED,
        [SMPP_REFUSED] = PIN_ATT_REFUSED,   [SMPP_UNKNOWN] = PIN_ATT_IN_DOUBT,
        [SMPP_NOT_SENT] = PIN_ATT_NOT_SENT,
    };
    flow_parts_take(&f->parts, r, is_late);
    f->outcome = outcomes[r->outcome];
    if (r->outcome == SMPP_ACCEPTED && flow_parts_is_torn(&f->parts))
        f->outcome = PIN_ATT_IN_DOUBT; /* a late part, and those behind it were never sent */
    f->status = r->status;
    str_copy_n(f->message_id, sizeof f->message_id, r->message_id.p ? r->message_id.p : "",
               r->message_id.len);
    f->reference = r->reference;
    LOG(LOG_LV_INFO, flow_log_id(f), "submit_result", KV_S("carrier", f->carrier),
        KV_I("attempt", f->attempt), KV_S("outcome", smpp_outcome_name(r->outcome)),
        KV_S("status", smpp_status_name(r->status)), KV_S("message_id", f->message_id),
        KV_I("parts", f->parts.n), KV_I("rtt_us", r->rtt_us), KV_S("reason", r->reason));
}

/* No carrier is asked to deliver a PIN that nobody could use. */
static bool is_past_life(const struct flow *f)
{
    return mono_is_past(f->expires, mono_now());
}

static enum flow_event event_of(struct flow *f, const struct smpp_result *r)
{
    if (r->outcome == SMPP_ACCEPTED)
        return EV_ACCEPTED;
    if (r->outcome == SMPP_UNKNOWN && !flow_doubt_may_pass(f))
        return EV_IN_DOUBT;
    if (r->outcome == SMPP_REFUSED && r->status_class == SMPP_CLASS_SUBSCRIBER)
        return EV_LAST;
    if (!is_past_life(f) && has_ready_carrier(f))
        return EV_ROUTE;
    return r->outcome == SMPP_UNKNOWN ? EV_IN_DOUBT : EV_LAST;
}

static void submit_cb(void *arg, const struct smpp_result *r)
{
    uint32_t attempt;
    struct flow *f = flow_of_submit(arg, &attempt);
    if (!f)
        return;
    take_result(f, r, false);
    enum flow_event event = event_of(f, r);
    if (r->outcome == SMPP_UNKNOWN && event == EV_ROUTE)
        flow_doubt_pass(f);
    flow_event(f, event);
}

void flow_late_answer(struct flow *f, const struct smpp_result *r)
{
    take_result(f, r, true);
    flow_event(f, f->outcome == PIN_ATT_IN_DOUBT   ? EV_PART
                  : f->outcome == PIN_ATT_ACCEPTED ? EV_ACCEPTED
                                                   : EV_LAST);
}

/* With another carrier behind this one, this one gets half of the time that is left; and the PIN's
 * life ends every wait. */
static struct mono submit_deadline(struct flow *f)
{
    struct mono now = mono_now();
    int64_t left = mono_diff_ms(f->deadline, now) * 19 / 20; /* the answer is given before */
    if (has_ready_carrier(f))
        left /= 2;
    if (f->is_answered && left < SUBMIT_MIN_MS)
        left = SUBMIT_MIN_MS;
    int64_t life = mono_diff_ms(f->expires, now);
    return mono_add_ms(now, left < life ? left : life);
}

static void act_submit(struct flow *f)
{
    struct smpp_carrier *c = carriers_find(f->all->env.carriers, f->carrier);
    struct smpp_message m = {.source = f->sender[0] ? f->sender : NULL,
                             .destination = f->to.digits,
                             .text = f->text,
                             .text_len = f->text_len,
                             .max_segments = f->max_segments,
                             .validity_ms = mono_diff_ms(f->expires, mono_now()),
                             .deadline = submit_deadline(f)};
    bool is_over = m.validity_ms <= 0; /* a message of no validity would be one without end */
    f->outcome = PIN_ATT_PENDING;
    int err = c && !is_over ? smpp_submit(c, &m, submit_cb, flow_submit_arg(f)) : ERR_UNAVAILABLE;
    if (!err)
        return;
    struct smpp_result r = {.outcome = SMPP_NOT_SENT,
                            .reason = is_over ? "the PIN's life is over" : err_text(err),
                            .rtt_us = -1,
                            .reference = -1};
    take_result(f, &r, false);
    flow_event(f, event_of(f, &r));
}

/* --- RETRY, NEXT, RECORD, DOUBT: the outcome in the ledger, and the next attempt ----------- */

static void recorded(struct flow *f)
{
    bool waits = f->state == FLOW_RECORD && flow_doubt_is_left(f);
    flow_event(f, waits ? EV_IN_DOUBT : EV_OK);
}

static void recorded_cb(void *arg, const struct pin_answer *a)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    flow_recorded(f, a);
    if (f->recording && --f->recording == 0)
        recorded(f);
}

/* One id of the message; false: it could not be begun. */
static bool record_part(struct flow *f, uint32_t i, bool last)
{
    int32_t reference = f->reference;
    if (reference >= 0)
        reference = (reference + (int32_t)f->parts.counted[i]) & 0xffff;
    struct pin_sent sent = {
        .attempt = f->attempt,
        .carrier = f->carrier,
        .message_id = f->message_id,
        .message_id_len = strlen(f->message_id),
        .state = f->outcome,
        .status = f->status,
        .last = last,
    };
    flow_parts_name(&f->parts, i, &sent);
    return flow_record(f, &sent, reference, recorded_cb);
}

/* What tells the parts of a message apart in their receipts. */
static enum flow_parts_by parts_by(const struct flow *f)
{
    static const enum flow_parts_by by[] = {[CONFIG_MATCH_ID] = PARTS_BY_ID,
                                            [CONFIG_MATCH_REFERENCE] = PARTS_BY_PLACE,
                                            [CONFIG_MATCH_ADDRESS] = PARTS_ALIKE};
    return by[config_carrier_find(f->config, f->carrier)->receipt_match];
}

/* All at once: each act goes on by itself when the flow ends before it. */
static void record(struct flow *f, bool last)
{
    f->recording = 0;
    flow_parts_count(&f->parts, parts_by(f));
    for (uint32_t i = 0; i < flow_parts_to_record(&f->parts); i++)
        f->recording += record_part(f, i, last);
    if (!f->recording)
        recorded(f);
}

static void act_record(struct flow *f)
{
    record(f, false);
}

static void act_record_last(struct flow *f)
{
    flow_text_clear(f);
    record(f, true);
}

/* No attempt follows the refused one after all: answered at once, and the PIN is ended. */
static void act_close(struct flow *f)
{
    flow_answer(f, false);
    act_record_last(f);
}

static void act_record_unsent(struct flow *f)
{
    f->outcome = PIN_ATT_NOT_SENT;
    f->status = 0;
    f->message_id[0] = 0;
    flow_parts_clear(&f->parts);
    act_record_last(f);
}

static void attempt_cb(void *arg, const struct pin_answer *a)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    if (a->result || a->verdict != PIN_OK) {
        LOG(LOG_LV_WARN, flow_log_id(f), "attempt_refused", KV_S("carrier", carrier_at_hand(f)),
            KV_S("reason", a->result ? err_text(a->result) : pin_verdict_name(a->verdict)));
        flow_event(f, EV_REFUSED);
        return;
    }
    f->attempt = a->attempt;
    f->carrier = carrier_at_hand(f);
    flow_event(f, EV_OK);
}

static void act_next(struct flow *f)
{
    struct pin_next next = {.account = f->account,
                            .pin_id = f->drawn.pin_id,
                            .carrier = ready_carrier(f),
                            .last = f->attempt};
    int err = next.carrier ? pin_ledger_attempt(f->all->env.ledger, &next, attempt_cb, flow_arg(f))
                           : ERR_UNAVAILABLE;
    if (err)
        flow_event(f, EV_REFUSED);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void act_answer(struct flow *f)
{
    flow_answer(f, false);
}

static void act_refuse(struct flow *f)
{
    flow_answer(f, true);
}

static void act_refuse_limit(struct flow *f)
{
    pin_ledger_unadmit_app(f->all->env.ledger, f->app_id);
    flow_answer(f, true);
}

static void act_refuse_late(struct flow *f)
{
    flow_refuse_store(f, ERR_TIMEOUT);
    flow_answer(f, true);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct row {
    enum flow_state state;
    enum flow_event event;
    enum flow_state next;
    void (*act)(struct flow *f); /* may be NULL */
} rows[] = {
    /* clang-format off */
    /* FLOW_NEW: see flow_event(): a resend starts at LOCATE, a send at APP */
    {FLOW_LOCATE,   EV_OK,       FLOW_APP,      flow_act_find_app},
    {FLOW_LOCATE,   EV_REFUSED,  FLOW_DONE,     act_refuse},
    {FLOW_LOCATE,   EV_DEADLINE, FLOW_DONE,     act_refuse_late},
    {FLOW_APP,      EV_OK,       FLOW_TEMPLATE, flow_act_find_template},
    {FLOW_APP,      EV_REFUSED,  FLOW_DONE,     act_refuse},
    {FLOW_APP,      EV_DEADLINE, FLOW_DONE,     act_refuse_late},
    {FLOW_TEMPLATE, EV_OK,       FLOW_ADMIT,    act_admit},
    {FLOW_TEMPLATE, EV_REFUSED,  FLOW_DONE,     act_refuse},
    {FLOW_TEMPLATE, EV_DEADLINE, FLOW_DONE,     act_refuse_late},
    {FLOW_ADMIT,    EV_OK,       FLOW_OPEN,     act_open},
    {FLOW_ADMIT,    EV_REFUSED,  FLOW_DONE,     act_refuse},
    {FLOW_ADMIT,    EV_DEADLINE, FLOW_DONE,     act_refuse_late},
    {FLOW_OPEN,     EV_OK,       FLOW_SUBMIT,   act_submit},
    {FLOW_OPEN,     EV_LIMIT,    FLOW_DONE,     act_refuse_limit},
    {FLOW_OPEN,     EV_REFUSED,  FLOW_DONE,     act_refuse},
    {FLOW_OPEN,     EV_DEADLINE, FLOW_DONE,     act_refuse_late}, /* the record dies by its life */
    {FLOW_SUBMIT,   EV_ACCEPTED, FLOW_RECORD,   act_record_last},
    {FLOW_SUBMIT,   EV_ROUTE,    FLOW_RETRY,    act_record},
    {FLOW_SUBMIT,   EV_LAST,     FLOW_RECORD,   act_record_last},
    {FLOW_SUBMIT,   EV_IN_DOUBT, FLOW_DOUBT,    act_record_last},
    {FLOW_SUBMIT,   EV_DEADLINE, FLOW_SUBMIT,   act_answer}, /* octets left: SENT, in doubt */
    {FLOW_RETRY,    EV_OK,       FLOW_NEXT,     act_next},
    {FLOW_RETRY,    EV_DEADLINE, FLOW_CLOSE,    act_answer},
    {FLOW_CLOSE,    EV_OK,       FLOW_RECORD,   act_close},
    {FLOW_NEXT,     EV_OK,       FLOW_SUBMIT,   act_submit},
    {FLOW_NEXT,     EV_REFUSED,  FLOW_RECORD,   act_close},
    {FLOW_NEXT,     EV_DEADLINE, FLOW_GIVE_UP,  act_answer},
    {FLOW_GIVE_UP,  EV_OK,       FLOW_RECORD,   act_record_unsent},
    {FLOW_GIVE_UP,  EV_REFUSED,  FLOW_RECORD,   act_close},
    {FLOW_RECORD,   EV_OK,       FLOW_DONE,     act_answer},
    {FLOW_RECORD,   EV_IN_DOUBT, FLOW_DOUBT,    flow_doubt_linger}, /* one passed over is */
    {FLOW_RECORD,   EV_DEADLINE, FLOW_RECORD,   act_answer},
    {FLOW_DOUBT,    EV_OK,       FLOW_DOUBT,    flow_doubt_linger},
    {FLOW_DOUBT,    EV_PART,     FLOW_DOUBT,    act_record_last},
    {FLOW_DOUBT,    EV_ACCEPTED, FLOW_RECORD,   act_record_last},
    {FLOW_DOUBT,    EV_LAST,     FLOW_RECORD,   act_record_last},
    {FLOW_DOUBT,    EV_DEADLINE, FLOW_DOUBT,    flow_doubt_over},
    {FLOW_DOUBT,    EV_END,      FLOW_DONE,     NULL},
    /* clang-format on */
};

static void set_state(struct flow *f, enum flow_state next, enum flow_event why)
{
    if (next != f->state)
        LOG(LOG_LV_DEBUG, flow_log_id(f), "flow_state", KV_S("from", flow_state_name(f->state)),
            KV_S("to", flow_state_name(next)), KV_S("reason", flow_event_name(why)));
    f->state = next;
}

static void enter(struct flow *f, enum flow_state next, enum flow_event event,
                  void (*act)(struct flow *f))
{
    set_state(f, next, event);
    if (act)
        act(f);
    if (next == FLOW_DONE)
        flow_end(f);
}

void flow_event(struct flow *f, enum flow_event event)
{
    if (event == EV_START) {
        enter(f, f->is_resend ? FLOW_LOCATE : FLOW_APP, event,
              f->is_resend ? flow_act_locate : flow_act_find_app);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].state == f->state && rows[i].event == event) {
            enter(f, rows[i].next, event, rows[i].act);
            return;
        }
    LOG(LOG_LV_WARN, flow_log_id(f), "flow_unexpected", KV_S("state", flow_state_name(f->state)),
        KV_S("reason", flow_event_name(event)));
}
