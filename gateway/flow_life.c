#include "gateway/flow_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/config.h"
#include "gateway/counters.h"
#include "gateway/sender.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Flows at once; at the bound a send is answered UNAVAILABLE. */
#define FLOWS_MAX 20000

/* Every flow of the process by id: ids, not pointers, travel through callbacks. */
static struct flow *table;
static uint64_t last_id;

static const char *const state_names[] = {
#define X(id, name, help) name,
    FLOW_STATE_LIST(X)
#undef X
};
static const char *const event_names[] = {
#define X(id, name) name,
    FLOW_EVENT_LIST(X)
#undef X
};

const char *flow_state_name(enum flow_state s)
{
    return state_names[s];
}

const char *flow_event_name(enum flow_event e)
{
    return event_names[e];
}

const char *flow_log_id(const struct flow *f)
{
    return f->drawn.pin_id[0] ? f->drawn.pin_id : NULL;
}

static struct flow *find(uint64_t id)
{
    struct flow *f;
    HASH_FIND(hh, table, &id, sizeof id, f);
    return f;
}

struct flow *flow_of(void *arg)
{
    return find((uint64_t)(uintptr_t)arg);
}

void *flow_arg(const struct flow *f)
{
    return (void *)(uintptr_t)f->id;
}

/* The attempt stands in the lowest bits. */
#define ATTEMPT_BITS 4
_Static_assert(PIN_ATTEMPTS_MAX < 1 << ATTEMPT_BITS, "an attempt fits");
_Static_assert(sizeof(uintptr_t) >= sizeof(uint64_t), "and the id beside it");

struct flow *flow_of_submit(void *arg, uint32_t *attempt)
{
    uint64_t both = (uint64_t)(uintptr_t)arg;
    *attempt = both & ((1 << ATTEMPT_BITS) - 1);
    return find(both >> ATTEMPT_BITS);
}

void *flow_submit_arg(const struct flow *f)
{
    return (void *)(uintptr_t)(f->id << ATTEMPT_BITS | f->attempt);
}

void flow_refuse(struct flow *f, enum answer_code code, const char *fmt, ...)
{
    va_list ap;
    f->refusal.code = code;
    f->refusal.field = NULL;
    f->refusal.retry_after_ms = 0;
    va_start(ap, fmt);
    vsnprintf(f->refusal.text, sizeof f->refusal.text, fmt, ap);
    va_end(ap);
}

/* --- the answer ---------------------------------------------------------------------------- */

static bool is_sent(const struct flow *f)
{
    return f->may_be_out || (f->outcome != PIN_ATT_REFUSED && f->outcome != PIN_ATT_NOT_SENT);
}

/* The id that delivery reports of this submission will bear: the pinId in the form of a UUID. */
static void external_id(const struct flow *f, char out[37])
{
    const char *p = f->drawn.pin_id;
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", p, p + 8, p + 12, p + 16, p + 20);
}

static void build_answer(const struct flow *f, bool refused, struct answer *a)
{
    if (refused) {
        answer_fail(a, f->refusal.code, "%s", f->refusal.text);
        a->field = f->refusal.field;
        a->retry_after_ms = f->refusal.retry_after_ms;
        return;
    }
    answer_init(a);
    answer_str(a, "pinId", f->drawn.pin_id);
    answer_str(a, "to", f->to.digits);
    if (f->nc_needed)
        answer_str(a, "ncStatus", "NC_NOT_CONFIGURED");
    answer_str(a, "smsStatus", is_sent(f) ? "MESSAGE_SENT" : "MESSAGE_NOT_SENT");
    if (f->track_delivery) {
        char id[37];
        external_id(f, id);
        answer_str(a, "externalMessageId", id);
    }
}

static void count(struct flow *f, bool refused)
{
    struct flows_info *i = &f->all->info;
    if (refused && f->refusal.code == ANSWER_UNAVAILABLE)
        i->unavailable++;
    else if (refused)
        i->refused++;
    else if (f->outcome == PIN_ATT_ACCEPTED)
        i->sent++;
    else if (is_sent(f))
        i->in_doubt++;
    else
        i->not_sent++;
}

static void log_answer(const struct flow *f, bool refused, int64_t us)
{
    LOG(LOG_LV_INFO, flow_log_id(f), f->is_resend ? "pin_resend" : "pin_send",
        KV_S("account", f->account), KV_S("app", f->app_id), KV_MSISDN("to", &f->to),
        KV_S("answer", refused      ? answer_code_name(f->refusal.code)
                       : is_sent(f) ? "MESSAGE_SENT"
                                    : "MESSAGE_NOT_SENT"),
        KV_S("outcome", refused ? NULL : pin_attempt_state_name(f->outcome)),
        KV_S("reason", refused ? f->refusal.text : NULL), KV_S("carrier", f->carrier),
        KV_I("attempt", f->attempt), KV_I("us", us));
}

void flow_answer(struct flow *f, bool refused)
{
    if (f->is_answered)
        return;
    struct answer a;
    int64_t us = mono_diff_us(mono_now(), f->started);
    f->is_answered = true;
    event_del(&f->timer);
    count(f, refused);
    log_answer(f, refused, us);
    counters_step(STEP_SEND, us);
    build_answer(f, refused, &a);
    f->cb(f->arg, &a);
}

/* --- life ------------------------------------------------------------------------------------ */

static void free_cb(void *arg)
{
    struct flow *f = arg;
    flow_text_clear(f);
    flow_parts_clear(&f->parts);
    event_del(&f->timer);
    config_free(f->config);
    free(f);
}

static void check_drained(struct flows *fs)
{
    if (!fs->is_draining || fs->info.open || !fs->drained_cb)
        return;
    void (*cb)(void *arg) = fs->drained_cb;
    fs->drained_cb = NULL;
    cb(fs->drained_arg);
}

void flow_end(struct flow *f)
{
    struct flows *fs = f->all;
    HASH_DEL(table, f);
    fs->info.open--;
    event_del(&f->timer);
    flow_text_clear(f);
    reap_later(fs->env.reap, &f->reap, free_cb, f);
    check_drained(fs);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct flow *f = arg;
    (void)fd;
    (void)what;
    flow_event(f, EV_DEADLINE);
}

static struct flow *flow_new(struct flows *fs, const char *account, answer_cb cb, void *arg)
{
    struct flow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->values = malloc(sizeof *f->values);
    if (!f->values) {
        free(f);
        return NULL;
    }
    f->id = ++last_id;
    f->all = fs;
    f->cb = cb;
    f->arg = arg;
    f->outcome = PIN_ATT_PENDING;
    flow_parts_clear(&f->parts);
    f->started = mono_now();
    str_copy(f->account, sizeof f->account, account);
    evtimer_assign(&f->timer, fs->env.base, timer_cb, f);
    HASH_ADD(hh, table, id, sizeof f->id, f);
    if (!TABLE_ADDED(f)) {
        free(f->values);
        free(f);
        return NULL;
    }
    f->config = config_ref(fs->env.config);
    fs->info.open++;
    fs->info.started++;
    return f;
}

static void start(struct flow *f, const char *sender, const struct pin_placeholder *ph, size_t n)
{
    if (flow_values_set(f->values, sender, ph, n)) {
        flow_refuse(f, ANSWER_BAD_REQUEST, "placeholders: more than %d octets in all",
                    FLOW_VALUES_MAX);
        f->refusal.field = "placeholders";
        flow_answer(f, true);
        flow_end(f);
        return;
    }
    uint32_t ms = f->config->send_deadline_ms;
    struct timeval wait = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};
    f->deadline = mono_add_ms(f->started, ms);
    event_add(&f->timer, &wait);
    flow_event(f, EV_START);
}

/* Answers and gives NULL when no flow can be made. */
static struct flow *admit_new(struct flows *fs, const char *account, answer_cb cb, void *arg)
{
    struct flow *f = NULL;
    if (fs->is_draining || fs->info.open >= FLOWS_MAX)
        fs->info.unavailable++;
    if (fs->is_draining)
        answer_refuse(cb, arg, ANSWER_UNAVAILABLE, "the gateway is shutting down");
    else if (fs->info.open >= FLOWS_MAX)
        answer_refuse(cb, arg, ANSWER_UNAVAILABLE, "too many sends at once");
    else if (!(f = flow_new(fs, account, cb, arg)))
        answer_refuse(cb, arg, ANSWER_GENERAL_ERROR, "out of memory");
    return f;
}

/* What is wrong with a send is answered here; false: nothing is. */
static bool is_refused(const struct flow_send *s, struct msisdn *to, answer_cb cb, void *arg)
{
    if (!pin_id_is_valid(s->app_id, strlen(s->app_id)))
        answer_refuse(cb, arg, ANSWER_NOT_FOUND, "no such application");
    else if (!pin_id_is_valid(s->template_id, strlen(s->template_id)))
        answer_refuse(cb, arg, ANSWER_NOT_FOUND, "no such message template in that application");
    else if (msisdn_parse(s->to, strlen(s->to), to))
        answer_refuse_field(cb, arg, "to", "to: 7 to 15 digits in international form are expected");
    else if (s->from && !sender_is_valid(s->from))
        answer_refuse_field(cb, arg, "from", "from: up to 15 digits or 11 characters are expected");
    else
        return false;
    return true;
}

void flow_send(struct flows *fs, const struct flow_send *s, answer_cb cb, void *arg)
{
    struct msisdn to;
    if (is_refused(s, &to, cb, arg))
        return;
    struct flow *f = admit_new(fs, s->account, cb, arg);
    if (!f)
        return;
    f->to = to;
    f->nc_needed = s->nc_needed;
    f->track_delivery = s->track_delivery;
    str_copy(f->app_id, sizeof f->app_id, s->app_id);
    str_copy(f->template_id, sizeof f->template_id, s->template_id);
    start(f, s->from ? s->from : "", s->placeholders, s->n_placeholders);
}

void flow_resend(struct flows *fs, const struct flow_resend *r, answer_cb cb, void *arg)
{
    if (!pin_id_is_valid(r->pin_id, strlen(r->pin_id))) {
        answer_refuse(cb, arg, ANSWER_NOT_FOUND, "no such PIN");
        return;
    }
    struct flow *f = admit_new(fs, r->account, cb, arg);
    if (!f)
        return;
    f->is_resend = true;
    f->track_delivery = r->track_delivery;
    str_copy(f->drawn.pin_id, sizeof f->drawn.pin_id, r->pin_id);
    start(f, "", r->placeholders, r->n_placeholders);
}

struct flows *flows_new(const struct flow_env *env)
{
    struct flows *fs = calloc(1, sizeof *fs);
    if (!fs)
        return NULL;
    fs->env = *env;
    config_ref(env->config);
    return fs;
}

void flows_set_carriers(struct flows *fs, struct carriers *carriers)
{
    fs->env.carriers = carriers;
}

void flows_reload(struct flows *fs, const struct config *fresh)
{
    config_ref(fresh);
    config_free(fs->env.config);
    fs->env.config = fresh;
}

/* Those that only wait for a late response have nothing left to lose: the record says IN_DOUBT. */
static void end_lingering(struct flows *fs)
{
    struct flow *f, *tmp;
    HASH_ITER (hh, table, f, tmp)
        if (f->all == fs && f->state == FLOW_DOUBT && f->is_answered)
            flow_event(f, EV_END);
}

void flows_drain(struct flows *fs, void (*cb)(void *arg), void *arg)
{
    fs->is_draining = true;
    fs->drained_cb = NULL;
    end_lingering(fs);
    fs->drained_cb = cb;
    fs->drained_arg = arg;
    check_drained(fs);
}

/* An SMS may be out: the answer must not invite another one. */
static bool has_submit(const struct flow *f)
{
    return f->may_be_out || f->state == FLOW_SUBMIT || f->state == FLOW_RECORD ||
           f->state == FLOW_DOUBT;
}

void flows_free(struct flows *fs)
{
    if (!fs)
        return;
    fs->is_draining = true;
    fs->drained_cb = NULL;
    struct flow *f, *tmp;
    HASH_ITER (hh, table, f, tmp) {
        if (f->all != fs)
            continue;
        flow_refuse(f, ANSWER_UNAVAILABLE, "the gateway is shutting down");
        flow_answer(f, !has_submit(f));
        flow_end(f);
    }
    config_free(fs->env.config);
    free(fs);
}

void flows_info(const struct flows *fs, struct flows_info *out)
{
    *out = fs->info;
}
