/*
 * A rig for flow_test.c: the machine of flow.c with flow_find.c, flow_life.c and flow_text.c as
 * they are, and the rooms around it played by this file: every act, lookup and submit is held until
 * the test answers it. A deadline is the flow's own timer, made to fire; that it is armed is part
 * of the test.
 */
#ifndef TESTS_UNIT_GATEWAY_FLOW_RIG_H
#define TESTS_UNIT_GATEWAY_FLOW_RIG_H

#include "base/result.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "gateway/flow_private.h"
#include "gateway/overdue.h"
#include "pin/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define APP "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define MSG "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define PIN "0A3100112233445566778899AABBCCDD"

enum step { FIND_APP, FIND_TEMPLATE, STATUS, ADMIT, OPEN, RESEND, ATTEMPT, SENT, SUBMIT, STEPS };

static struct {
    struct event_base *base;
    struct reap *reap;
    struct flows *flows;
    struct config config;
    bool ready[2];         /* carriers a and b */
    uint32_t max_segments; /* of the template */
    int64_t ttl_left_ms;   /* of the PIN when it is opened; 0: much */

    int fail_at;  /* this step cannot be begun (-1: each can) ... */
    int error;    /* ... for this reason */
    bool at_once; /* lookups answer inside the call */
    int calls[STEPS];
    void *arg;        /* of the flow, as seen by whom it last called */
    void *submit_arg; /* of its submit */
    void *callback[STEPS];
    int unadmitted;
    uint32_t revision;    /* of the template, that was asked for last */
    struct pin_sent sent; /* the last one */
    struct {              /* each of them, so far as there is room */
        char id[16], match[16];
        enum pin_attempt_state state;
        uint32_t segment, segments;
    } recorded[16];
    int accepted, watched;
    int64_t life_ms; /* of the PIN, as the watch was told */
    int unwatched;
    const char *matched; /* pinId of the final receipt that the next act found */
    char submitted_to, opened_for;
    int64_t submit_left_ms;
    uint32_t submitted_segments;

    int answers, drained;
    enum answer_code code;
    char sms[24]; /* smsStatus */
    int submits_after_not_sent;
} t;

/* --- the rooms ------------------------------------------------------------------------------- */

static struct config_carrier carrier_configs[2] = {{.name = "a"}, {.name = "b"}};

static inline int begin(enum step step, void *cb, void *arg)
{
    t.calls[step]++;
    *(step == SUBMIT ? &t.submit_arg : &t.arg) = arg;
    if (t.fail_at == (int)step)
        return t.error;
    t.callback[step] = cb;
    return 0;
}

/* The callback of a step, which may be answered once. */
static inline void *take(enum step step)
{
    void *cb = t.callback[step];
    assert_non_null(cb);
    t.callback[step] = NULL;
    return cb;
}

struct smpp_carrier *carriers_find(struct carriers *cs, const char *name)
{
    (void)cs;
    return (struct smpp_carrier *)(void *)&t.ready[name[0] - 'a'];
}

bool smpp_carrier_is_ready(const struct smpp_carrier *c)
{
    return *(const bool *)(const void *)c;
}

int smpp_submit(struct smpp_carrier *c, const struct smpp_message *m, smpp_submit_cb cb, void *arg)
{
    if (t.answers && strcmp(t.sms, "MESSAGE_SENT") != 0)
        t.submits_after_not_sent++;
    assert_string_equal(m->text, "Code 071048 for Ana");
    assert_string_equal(m->destination, "385911234567");
    assert_string_equal(m->source, "ACME");
    t.submitted_to = (const bool *)(void *)c == &t.ready[0] ? 'a' : 'b';
    t.submitted_segments = m->max_segments;
    t.submit_left_ms = mono_diff_ms(m->deadline, mono_now());
    return begin(SUBMIT, (void *)(uintptr_t)cb, arg);
}

int pin_draw(struct pin_keyring *ring, const struct pin_spec *spec, const struct pin_owner *owner,
             uint32_t step_s, struct pin_drawn *out)
{
    (void)ring, (void)spec, (void)owner, (void)step_s;
    strcpy(out->pin_id, PIN);
    strcpy(out->pin, "071048");
    return 0;
}

int pin_draw_again(struct pin_keyring *ring, const struct pin_spec *spec, struct pin_drawn *io)
{
    (void)ring, (void)spec;
    strcpy(io->pin, "071048");
    return 0;
}

bool pin_id_is_valid(const char *s, size_t len)
{
    return len == 32 && strspn(s, "0123456789ABCDEF") == 32;
}

int pin_seal(struct pin_keyring *ring, const char *pin_id, const void *plain, size_t len,
             uint8_t *out, size_t cap, size_t *out_len)
{
    (void)ring, (void)pin_id, (void)cap;
    memcpy(out, plain, len);
    *out_len = len;
    return 0;
}

int pin_unseal(struct pin_keyring *ring, const char *pin_id, const void *sealed, size_t len,
               uint8_t *out, size_t cap, size_t *out_len)
{
    (void)ring, (void)pin_id, (void)cap;
    memcpy(out, sealed, len);
    *out_len = len;
    return 0;
}

static inline void app_is(int result, bool enabled)
{
    struct pin_app app = {.enabled = enabled};
    pin_app_cb cb = (pin_app_cb)(uintptr_t)take(FIND_APP);
    pin_policy_default(&app.policy);
    cb(t.arg, result, result ? NULL : &app);
}

static inline void template_is(int result)
{
    struct pin_template *m = calloc(1, sizeof *m);
    pin_template_cb cb = (pin_template_cb)(uintptr_t)take(FIND_TEMPLATE);
    strcpy(m->text, "Code {{pin}} for {{name}}");
    strcpy(m->sender, "ACME");
    m->max_segments = t.max_segments;
    m->spec = (struct pin_spec){PIN_NUMERIC, 6, false};
    cb(t.arg, result, result ? NULL : m);
    free(m);
}

void pin_registry_find_app(struct pin_registry *r, const char *account, const char *app_id,
                           pin_app_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    assert_string_equal(app_id, APP);
    assert_int_equal(begin(FIND_APP, (void *)(uintptr_t)cb, arg), 0);
    if (t.at_once)
        app_is(0, true);
}

void pin_registry_find_revision(struct pin_registry *r, const char *account,
                                const struct pin_template_ref *ref, pin_template_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    assert_string_equal(ref->app_id, APP);
    assert_string_equal(ref->id, MSG);
    t.revision = ref->revision;
    assert_int_equal(begin(FIND_TEMPLATE, (void *)(uintptr_t)cb, arg), 0);
    if (t.at_once)
        template_is(0);
}

int pin_ledger_admit_app(struct pin_ledger *l, const struct pin_app *app, pin_ledger_cb cb,
                         void *arg)
{
    (void)l, (void)app;
    return begin(ADMIT, (void *)(uintptr_t)cb, arg);
}

void pin_ledger_unadmit_app(struct pin_ledger *l, const char *app_id)
{
    (void)l;
    assert_string_equal(app_id, APP);
    t.unadmitted++;
}

int pin_ledger_open(struct pin_ledger *l, const struct pin_open *open, pin_ledger_cb cb, void *arg)
{
    (void)l;
    t.opened_for = open->carrier[0];
    return begin(OPEN, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_resend(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                      void *arg)
{
    (void)l;
    t.opened_for = next->carrier[0];
    return begin(RESEND, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_attempt(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                       void *arg)
{
    (void)l;
    assert_int_equal(next->last, t.sent.attempt);
    t.opened_for = next->carrier[0];
    return begin(ATTEMPT, (void *)(uintptr_t)cb, arg);
}

void overdue_sent(struct overdue *o, const struct pin_sent *sent, const char *source,
                  struct mono opened, struct mono expires)
{
    (void)o;
    t.life_ms = mono_diff_ms(expires, opened);
    assert_string_equal(source, "ACME");
    t.watched += sent->state == PIN_ATT_ACCEPTED;
}

void overdue_receipt(struct overdue *o, const struct pin_answer *a)
{
    (void)o;
    t.unwatched += a->pin_id[0] != 0;
}

int pin_ledger_sent(struct pin_ledger *l, const struct pin_sent *sent, pin_ledger_cb cb, void *arg)
{
    (void)l;
    t.sent = *sent;
    int at = t.calls[SENT] < 15 ? t.calls[SENT] : 15;
    snprintf(t.recorded[at].id, sizeof t.recorded[at].id, "%s", sent->message_id);
    snprintf(t.recorded[at].match, sizeof t.recorded[at].match, "%s",
             sent->match_id ? sent->match_id : "");
    t.recorded[at].state = sent->state;
    t.recorded[at].segment = sent->segment;
    t.recorded[at].segments = sent->segments;
    t.accepted += sent->state == PIN_ATT_ACCEPTED;
    assert_int_equal(t.watched, t.accepted); /* before a receipt can match */
    return begin(SENT, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id;
    return begin(STATUS, (void *)(uintptr_t)cb, arg);
}

/* --- what the rooms say ---------------------------------------------------------------------- */

static inline void act_is(enum step step, int result, enum pin_verdict verdict)
{
    struct pin_record *rec = calloc(1, sizeof *rec);
    struct pin_answer a = {.result = result,
                           .verdict = verdict,
                           .ttl_left_ms = t.ttl_left_ms ? t.ttl_left_ms : 900000};
    pin_ledger_cb cb = (pin_ledger_cb)(uintptr_t)take(step);
    if (t.matched)
        strcpy(a.pin_id, t.matched);
    a.attempt = step == ATTEMPT ? t.sent.attempt + 1 : 1;
    if (step == STATUS && !result && verdict == PIN_OK) {
        a.record = rec;
        strcpy(rec->app_id, APP);
        strcpy(rec->template_id, MSG);
        rec->template_revision = 3;
        strcpy(rec->pin_id, PIN);
        rec->created_ms = 1000;
        rec->expires_ms = 1201000;
        assert_int_equal(msisdn_parse("385911234567", 12, &rec->msisdn), 0);
        rec->spec = (struct pin_spec){PIN_NUMERIC, 6, false};
        static const char values[] = "ACME\0name\0Ana";
        memcpy(rec->sealed, values, sizeof values);
        rec->sealed_len = sizeof values;
    }
    cb(t.arg, &a);
    free(rec);
}

static inline struct smpp_result result_of(enum smpp_outcome outcome, uint32_t status)
{
    struct smpp_result r = {.outcome = outcome,
                            .status = status,
                            .status_class = smpp_status_class(status),
                            .reason = "test",
                            .rtt_us = 1};
    if (outcome == SMPP_ACCEPTED)
        r.message_id = (struct smpp_str){"id7", 3};
    return r;
}

static inline void submit_is(enum smpp_outcome outcome, uint32_t status)
{
    smpp_submit_cb cb = (smpp_submit_cb)(uintptr_t)take(SUBMIT);
    struct smpp_result r = result_of(outcome, status);
    cb(t.submit_arg, &r);
}

static inline void late_is(enum smpp_outcome outcome)
{
    struct smpp_result r = result_of(outcome, 0);
    flow_late(NULL, t.submit_arg, &r);
}

static inline struct flow *flow_at_hand(void)
{
    struct flow *f = flow_of(t.arg);
    assert_non_null(f);
    return f;
}

static inline bool is_armed(struct flow *f)
{
    return event_pending(&f->timer, EV_TIMEOUT, NULL);
}

static inline void turn(void)
{
    event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static inline void deadline(void)
{
    struct flow *f = flow_at_hand();
    assert_true(is_armed(f));
    event_active(&f->timer, EV_TIMEOUT, 0);
    turn();
}

/* --- the caller ------------------------------------------------------------------------------ */

static inline void answer_is(void *arg, const struct answer *a)
{
    assert_ptr_equal(arg, &t);
    t.answers++;
    t.code = a->code;
    for (uint16_t i = 0; i < a->n_nodes; i++)
        if (strcmp(a->nodes[i].key, "smsStatus") == 0)
            snprintf(t.sms, sizeof t.sms, "%s", a->nodes[i].s);
}

static inline void drained_is(void *arg)
{
    assert_ptr_equal(arg, &t);
    t.drained++;
}

static inline void send_one(void)
{
    const struct pin_placeholder ph = {"name", "Ana"};
    const struct flow_send s = {.account = "demo",
                                .app_id = APP,
                                .template_id = MSG,
                                .to = "+385 91 1234567",
                                .placeholders = &ph,
                                .n_placeholders = 1};
    flow_send(t.flows, &s, answer_is, &t);
}

static inline void resend_one(void)
{
    const struct flow_resend r = {.account = "demo", .pin_id = PIN};
    flow_resend(t.flows, &r, answer_is, &t);
}

static inline uint32_t n_open(void)
{
    struct flows_info i;
    flows_info(t.flows, &i);
    return i.open;
}

static inline void assert_answered(enum answer_code code, const char *sms)
{
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.code, code);
    assert_string_equal(t.sms, sms);
}

static inline void assert_over(enum answer_code code, const char *sms)
{
    assert_answered(code, sms);
    assert_int_equal(n_open(), 0);
    assert_null(flow_of(t.arg));
}

#endif
