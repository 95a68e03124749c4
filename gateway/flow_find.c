/*
 * What a flow has to know before anything is counted: for a resend the record, then the application
 * and its template.  And the refusals that every step can end in.
 */
#include "gateway/flow_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/counters.h"

#include <stdlib.h>
#include <string.h>

void flow_refuse_store(struct flow *f, int err)
{
    struct answer a;
    answer_store_error(&a, err);
    flow_refuse(f, a.code, "%s", a.text);
    f->refusal.retry_after_ms = a.retry_after_ms;
}

/* What a call that could not be made, or an act's own failure, leads to. */
void flow_fail_store(struct flow *f, int err)
{
    flow_refuse_store(f, err);
    flow_event(f, EV_REFUSED);
}

void flow_refuse_verdict(struct flow *f, const struct pin_answer *a)
{
    switch (a->verdict) {
    case PIN_TOO_MANY: {
        struct answer r;
        answer_retry(&r, a->retry_after_ms);
        flow_refuse(f, r.code, "%s", r.text);
        f->refusal.retry_after_ms = a->retry_after_ms;
        counters_limit(f->state == FLOW_ADMIT ? LIMIT_APP : LIMIT_PHONE);
        break;
    }
    case PIN_NOT_LIVE:
        flow_refuse(f, ANSWER_BAD_REQUEST,
                    "the PIN is not live or has under 60 s left: send a new one");
        break;
    case PIN_LOST_RACE:
        flow_refuse(f, ANSWER_BAD_REQUEST, "the PIN has no submission left: send a new one");
        break;
    default:
        flow_refuse(f, ANSWER_NOT_FOUND, "no such PIN");
    }
}

/* --- LOCATE: whose PIN is it, and what was it made from? (resend only) -------------------- */

static int take_record(struct flow *f, const struct pin_record *r)
{
    struct flow_values given = *f->values;
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    const char *none;
    size_t n;
    str_copy(f->app_id, sizeof f->app_id, r->app_id);
    str_copy(f->template_id, sizeof f->template_id, r->template_id);
    f->template_revision = r->template_revision;
    f->to = r->msisdn;
    f->life_ms = r->expires_ms - r->created_ms;
    f->spec = r->spec;
    str_copy(f->drawn.pin_id, sizeof f->drawn.pin_id, r->pin_id);
    f->drawn.key_id = r->key_id;
    f->drawn.step = r->step;
    memcpy(f->drawn.nonce, r->nonce, sizeof r->nonce);
    int err = pin_unseal(f->all->env.ring, r->pin_id, r->sealed, r->sealed_len,
                         (uint8_t *)f->values->buf, sizeof f->values->buf, &f->values->len);
    if (!err)
        err = flow_values_get(&given, &none, ph, &n);
    if (!err)
        err = flow_values_merge(f->values, ph, n);
    secret_wipe(&given, sizeof given);
    return err;
}

static void located_cb(void *arg, const struct pin_answer *a)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    int err = a->result;
    if (err) {
        flow_fail_store(f, err);
    } else if (a->verdict != PIN_OK) {
        flow_refuse_verdict(f, a);
        flow_event(f, EV_REFUSED);
    } else if ((err = take_record(f, a->record))) {
        flow_refuse(f, err == ERR_TOOLONG ? ANSWER_BAD_REQUEST : ANSWER_GENERAL_ERROR,
                    err == ERR_TOOLONG ? "the placeholders are too long"
                                       : "the record cannot be read with the keys at hand");
        if (err == ERR_TOOLONG)
            f->refusal.field = "placeholders";
        flow_event(f, EV_REFUSED);
    } else {
        flow_event(f, EV_OK);
    }
}

void flow_act_locate(struct flow *f)
{
    int err = pin_ledger_status(f->all->env.ledger, f->account, f->drawn.pin_id, located_cb,
                                flow_arg(f));
    if (err)
        flow_fail_store(f, err);
}

/* --- APP and TEMPLATE ----------------------------------------------------------------------- */

static void app_cb(void *arg, int result, const struct pin_app *app)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    if (result == ERR_NOTFOUND) {
        flow_refuse(f, ANSWER_NOT_FOUND, "no such application");
        flow_event(f, EV_REFUSED);
    } else if (result) {
        flow_fail_store(f, result);
    } else if (!app->enabled) {
        flow_refuse(f, ANSWER_FORBIDDEN, "the application is disabled");
        flow_event(f, EV_REFUSED);
    } else {
        f->policy = app->policy;
        if (!f->is_resend)
            f->life_ms = app->policy.ttl_ms;
        flow_event(f, EV_OK);
    }
}

void flow_act_find_app(struct flow *f)
{
    pin_registry_find_app(f->all->env.registry, f->account, f->app_id, app_cb, flow_arg(f));
}

static int take_template(struct flow *f, const struct pin_template *t)
{
    f->template_text = strdup(t->text);
    if (!f->template_text)
        return ERR_NOMEM;
    f->template_revision = t->revision;
    f->max_segments = t->max_segments ? t->max_segments : 1;
    if (f->is_resend)
        return 0; /* its shape and sender are those of the record */
    f->spec = t->spec;
    if (!t->sender[0])
        return 0; /* what was asked for stands, if anything */
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    struct flow_values given = *f->values;
    const char *from;
    size_t n;
    int err = flow_values_get(&given, &from, ph, &n);
    if (!err)
        err = flow_values_set(f->values, from[0] ? from : t->sender, ph, n);
    secret_wipe(&given, sizeof given);
    return err;
}

static void template_cb(void *arg, int result, const struct pin_template *t)
{
    struct flow *f = flow_of(arg);
    if (!f)
        return;
    int err = result ? result : take_template(f, t);
    if (err == ERR_NOTFOUND && f->template_revision) {
        LOG(LOG_LV_DEBUG, flow_log_id(f), "template_revision_gone",
            KV_S("template", f->template_id), KV_I("revision", f->template_revision));
        f->template_revision = 0; /* the newest will have to do */
        flow_act_find_template(f);
    } else if (err == ERR_NOTFOUND) {
        flow_refuse(f, ANSWER_NOT_FOUND, "no such message template in that application");
        flow_event(f, EV_REFUSED);
    } else if (err) {
        flow_fail_store(f, err);
    } else {
        flow_event(f, EV_OK);
    }
}

/* A resend goes out with the text that the PIN went out with. */
void flow_act_find_template(struct flow *f)
{
    const struct pin_template_ref ref = {f->app_id, f->template_id, f->template_revision};
    pin_registry_find_revision(f->all->env.registry, f->account, &ref, template_cb, flow_arg(f));
}
