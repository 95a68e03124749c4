/*
 * Submits whose outcome is unknown: what their late answers change.
 *
 * The attempt at hand waits for its answer in DOUBT.  An earlier one was passed over, because its
 * carrier's in_doubt says that two SMS are better than none: its answer comes while the flow is on
 * the way to the next attempt, or at it, or lingers after it, and is only recorded.
 */
#include "gateway/flow_private.h"

#include "base/log.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/overdue.h"
#include "gateway/receipt_match.h"
#include "smpp/smpp.h"

#include <stdlib.h>
#include <string.h>

/* After an unknown outcome: how long a late response can still give the message id. */
#define DOUBT_LINGER_MS 60000

bool flow_doubt_may_pass(const struct flow *f)
{
    return config_carrier_find(f->config, f->carrier)->in_doubt == CONFIG_DOUBT_NEXT;
}

void flow_doubt_pass(struct flow *f)
{
    f->passed[f->attempt] = f->carrier;
    f->may_be_out = true;
}

bool flow_doubt_is_left(const struct flow *f)
{
    for (uint32_t i = 0; i <= f->attempt; i++)
        if (f->passed[i])
            return true;
    return false;
}

bool flow_record(struct flow *f, struct pin_sent *sent, int32_t reference, pin_ledger_cb cb)
{
    struct receipt_match match;
    receipt_match_submit(config_carrier_find(f->config, sent->carrier), reference, &match);
    sent->owner = flow_owner(f);
    sent->pin_id = f->drawn.pin_id;
    sent->id_mode = match.mode;
    sent->match_id = match.id;
    sent->match_id_len = match.len;
    overdue_sent(f->all->env.overdue, sent, f->sender, mono_add_ms(f->expires, -f->life_ms),
                 f->expires);
    int err = pin_ledger_sent(f->all->env.ledger, sent, cb, flow_arg(f));
    if (err)
        LOG(LOG_LV_ERROR, flow_log_id(f), "outcome_not_recorded", KV_S("reason", err_text(err)));
    return !err;
}

void flow_recorded(struct flow *f, const struct pin_answer *a)
{
    if (a->result)
        LOG(LOG_LV_ERROR, f ? flow_log_id(f) : NULL, "outcome_not_recorded",
            KV_S("reason", err_text(a->result)));
    else if (f)
        overdue_receipt(f->all->env.overdue, a);
}

static void late_recorded_cb(void *arg, const struct pin_answer *a)
{
    flow_recorded(flow_of(arg), a);
}

/* Of a message in parts only the attempt at hand knows which are accepted. */
static void late_of_passed(struct flow *f, uint32_t attempt, const struct smpp_result *r)
{
    const char *carrier = f->passed[attempt];
    f->passed[attempt] = NULL;
    LOG(LOG_LV_INFO, flow_log_id(f), "submit_late", KV_S("carrier", carrier),
        KV_I("attempt", attempt), KV_S("outcome", smpp_outcome_name(r->outcome)));
    if (r->outcome != SMPP_ACCEPTED || r->parts > 1)
        return;
    struct pin_sent sent = {
        .attempt = attempt,
        .carrier = carrier,
        .message_id = r->message_id.p ? r->message_id.p : "",
        .message_id_len = r->message_id.len,
        .state = PIN_ATT_ACCEPTED,
    };
    flow_record(f, &sent, r->reference, late_recorded_cb);
}

void flow_late(void *unused, void *submit_arg, const struct smpp_result *r)
{
    (void)unused;
    uint32_t attempt;
    struct flow *f = flow_of_submit(submit_arg, &attempt);
    if (!f)
        return;
    if (attempt == f->attempt && f->state == FLOW_DOUBT) {
        f->passed[attempt] = NULL; /* none followed it */
        flow_late_answer(f, r);
    } else if (f->passed[attempt]) {
        late_of_passed(f, attempt, r);
    }
}

void flow_doubt_linger(struct flow *f)
{
    static const struct timeval wait = {DOUBT_LINGER_MS / 1000, 0};
    flow_answer(f, false);
    if (f->all->is_draining)
        flow_event(f, EV_END);
    else
        event_add(&f->timer, &wait);
}

void flow_doubt_over(struct flow *f)
{
    if (f->is_answered)
        flow_event(f, EV_END);
    else
        flow_doubt_linger(f);
}
