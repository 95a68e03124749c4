/*
 * The machine of flow.c with flow_find.c, flow_life.c and flow_text.c as they are, and the rooms
 * around it played by this file: every act, lookup and submit is held until the test answers it.
 * A deadline is the flow's own timer, made to fire; that it is armed is part of the test.
 */
#include "base/result.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "gateway/flow_private.h"
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
    bool ready[2]; /* carriers a and b */

    int fail_at;  /* this step cannot be begun (-1: each can) ... */
    int error;    /* ... for this reason */
    bool at_once; /* lookups answer inside the call */
    int calls[STEPS];
    void *arg; /* of the flow, as seen by whom it last called */
    void *callback[STEPS];
    int unadmitted;
    struct pin_sent sent; /* the last one */
    char submitted_to, opened_for;
    int64_t submit_left_ms;

    int answers, drained;
    enum answer_code code;
    char sms[24]; /* smsStatus */
    int submits_after_not_sent;
} t;

/* --- the rooms ------------------------------------------------------------------------------- */

static struct config_carrier carrier_configs[2] = {{.name = "a"}, {.name = "b"}};

static int begin(enum step step, void *cb, void *arg)
{
    t.calls[step]++;
    t.arg = arg;
    if (t.fail_at == (int)step)
        return t.error;
    t.callback[step] = cb;
    return 0;
}

/* The callback of a step, which may be answered once. */
static void *take(enum step step)
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

const struct config_carrier *carriers_config(const struct carriers *cs, const char *name)
{
    (void)cs;
    return &carrier_configs[name[0] - 'a'];
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

static void app_is(int result, bool enabled)
{
    struct pin_app app = {.enabled = enabled};
    pin_app_cb cb = (pin_app_cb)(uintptr_t)take(FIND_APP);
    pin_policy_default(&app.policy);
    cb(t.arg, result, result ? NULL : &app);
}

static void template_is(int result)
{
    struct pin_template *m = calloc(1, sizeof *m);
    pin_template_cb cb = (pin_template_cb)(uintptr_t)take(FIND_TEMPLATE);
    strcpy(m->text, "Code {{pin}} for {{name}}");
    strcpy(m->sender, "ACME");
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

void pin_registry_find_template(struct pin_registry *r, const char *account, const char *app_id,
                                const char *id, pin_template_cb cb, void *arg)
{
    (void)r, (void)account, (void)app_id;
    assert_string_equal(id, MSG);
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

int pin_ledger_resend(struct pin_ledger *l, const char *account, const char *pin_id,
                      const struct pin_limit *per_phone, const char *carrier, pin_ledger_cb cb,
                      void *arg)
{
    (void)l, (void)account, (void)pin_id, (void)per_phone;
    t.opened_for = carrier[0];
    return begin(RESEND, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_attempt(struct pin_ledger *l, const char *account, const char *pin_id, uint32_t last,
                       const char *carrier, pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id;
    assert_int_equal(last, t.sent.attempt);
    t.opened_for = carrier[0];
    return begin(ATTEMPT, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_sent(struct pin_ledger *l, const struct pin_sent *sent, pin_ledger_cb cb, void *arg)
{
    (void)l;
    t.sent = *sent;
    return begin(SENT, (void *)(uintptr_t)cb, arg);
}

int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id;
    return begin(STATUS, (void *)(uintptr_t)cb, arg);
}

/* --- what the rooms say ---------------------------------------------------------------------- */

static void act_is(enum step step, int result, enum pin_verdict verdict)
{
    struct pin_record *rec = calloc(1, sizeof *rec);
    struct pin_answer a = {.result = result, .verdict = verdict, .ttl_left_ms = 900000};
    pin_ledger_cb cb = (pin_ledger_cb)(uintptr_t)take(step);
    a.attempt = step == ATTEMPT ? t.sent.attempt + 1 : 1;
    if (step == STATUS && !result && verdict == PIN_OK) {
        a.record = rec;
        strcpy(rec->app_id, APP);
        strcpy(rec->template_id, MSG);
        strcpy(rec->pin_id, PIN);
        assert_int_equal(msisdn_parse("385911234567", 12, &rec->msisdn), 0);
        rec->spec = (struct pin_spec){PIN_NUMERIC, 6, false};
        static const char values[] = "ACME\0name\0Ana";
        memcpy(rec->sealed, values, sizeof values);
        rec->sealed_len = sizeof values;
    }
    cb(t.arg, &a);
    free(rec);
}

static struct smpp_result result_of(enum smpp_outcome outcome, uint32_t status)
{
    struct smpp_result r = {.outcome = outcome, .status = status, .reason = "test", .rtt_us = 1};
    if (outcome == SMPP_ACCEPTED)
        r.message_id = (struct smpp_str){"id7", 3};
    return r;
}

static void submit_is(enum smpp_outcome outcome, uint32_t status)
{
    smpp_submit_cb cb = (smpp_submit_cb)(uintptr_t)take(SUBMIT);
    struct smpp_result r = result_of(outcome, status);
    cb(t.arg, &r);
}

static void late_is(enum smpp_outcome outcome)
{
    struct smpp_result r = result_of(outcome, 0);
    flow_late(NULL, t.arg, &r);
}

static struct flow *flow_at_hand(void)
{
    struct flow *f = flow_of(t.arg);
    assert_non_null(f);
    return f;
}

static bool is_armed(struct flow *f)
{
    return event_pending(&f->timer, EV_TIMEOUT, NULL);
}

static void turn(void)
{
    event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static void deadline(void)
{
    struct flow *f = flow_at_hand();
    assert_true(is_armed(f));
    event_active(&f->timer, EV_TIMEOUT, 0);
    turn();
}

/* --- the caller ------------------------------------------------------------------------------ */

static void answer_is(void *arg, const struct answer *a)
{
    assert_ptr_equal(arg, &t);
    t.answers++;
    t.code = a->code;
    for (uint16_t i = 0; i < a->n_nodes; i++)
        if (strcmp(a->nodes[i].key, "smsStatus") == 0)
            snprintf(t.sms, sizeof t.sms, "%s", a->nodes[i].s);
}

static void drained_is(void *arg)
{
    assert_ptr_equal(arg, &t);
    t.drained++;
}

static void send_one(void)
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

static void resend_one(void)
{
    const struct flow_resend r = {.account = "demo", .pin_id = PIN};
    flow_resend(t.flows, &r, answer_is, &t);
}

static uint32_t n_open(void)
{
    struct flows_info i;
    flows_info(t.flows, &i);
    return i.open;
}

static void assert_answered(enum answer_code code, const char *sms)
{
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.code, code);
    assert_string_equal(t.sms, sms);
}

static void assert_over(enum answer_code code, const char *sms)
{
    assert_answered(code, sms);
    assert_int_equal(n_open(), 0);
    assert_null(flow_of(t.arg));
}

/* --- ways into each state -------------------------------------------------------------------- */

static void to_locate(void)
{
    resend_one();
}

static void to_app(void)
{
    send_one();
}

static void to_template(void)
{
    to_app();
    app_is(0, true);
}

static void to_admit(void)
{
    to_template();
    template_is(0);
}

static void to_open(void)
{
    to_admit();
    act_is(ADMIT, 0, PIN_OK);
}

static void to_open_of_resend(void)
{
    to_locate();
    act_is(STATUS, 0, PIN_OK);
    app_is(0, true);
    template_is(0);
    act_is(ADMIT, 0, PIN_OK);
}

static void to_submit(void)
{
    to_open();
    act_is(OPEN, 0, PIN_OK);
}

static void to_retry(void)
{
    to_submit();
    submit_is(SMPP_REFUSED, 8);
}

static void to_next(void)
{
    to_retry();
    act_is(SENT, 0, PIN_OK);
}

static void to_give_up(void)
{
    to_next();
    deadline();
}

static void to_close(void)
{
    to_retry();
    deadline();
}

static void to_record(void)
{
    to_submit();
    submit_is(SMPP_ACCEPTED, 0);
}

static void to_doubt(void)
{
    to_submit();
    submit_is(SMPP_UNKNOWN, 0);
}

static const struct way {
    enum flow_state state;
    void (*go)(void);
    enum step step;              /* whose answer is awaited */
    const char *sms_at_deadline; /* "": UNAVAILABLE */
    bool may_be_out;             /* an SMS */
} ways[] = {
    {FLOW_LOCATE, to_locate, STATUS, "", false},
    {FLOW_APP, to_app, FIND_APP, "", false},
    {FLOW_TEMPLATE, to_template, FIND_TEMPLATE, "", false},
    {FLOW_ADMIT, to_admit, ADMIT, "", false},
    {FLOW_OPEN, to_open, OPEN, "", false},
    {FLOW_OPEN, to_open_of_resend, RESEND, "", false},
    {FLOW_SUBMIT, to_submit, SUBMIT, "MESSAGE_SENT", true},
    {FLOW_RETRY, to_retry, SENT, "MESSAGE_NOT_SENT", false},
    {FLOW_NEXT, to_next, ATTEMPT, "MESSAGE_NOT_SENT", false},
    {FLOW_GIVE_UP, to_give_up, ATTEMPT, NULL, false}, /* the deadline is over */
    {FLOW_CLOSE, to_close, SENT, NULL, false},
    {FLOW_RECORD, to_record, SENT, "MESSAGE_SENT", true},
    {FLOW_DOUBT, to_doubt, SENT, "MESSAGE_SENT", true},
};
#define WAYS (sizeof ways / sizeof ways[0])

static int set_up(void **state)
{
    static const char *const prefixes[] = {""}, *const carriers[] = {"a", "b"};
    static struct config_route route = {"default", prefixes, 1, carriers, 2};
    (void)state;
    memset(&t, 0, sizeof t);
    t.fail_at = -1;
    t.ready[0] = t.ready[1] = true;
    t.config.send_deadline_ms = 10000;
    t.config.routes = &route;
    t.config.n_routes = 1;
    t.base = event_base_new();
    t.reap = reap_new(t.base);
    const struct flow_env env = {.base = t.base, .reap = t.reap, .config = &t.config};
    t.flows = flows_new(&env);
    return t.base && t.reap && t.flows ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    flows_free(t.flows);
    reap_free(t.reap);
    event_base_free(t.base);
    return t.submits_after_not_sent; /* of no test */
}

/* Each in turn as a test of its own. */
static void afresh(void)
{
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void each_way_ends_in_its_state_with_a_timer_or_an_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++, afresh()) {
        ways[i].go();
        struct flow *f = flow_at_hand();
        assert_int_equal(f->state, ways[i].state);
        assert_non_null(t.callback[ways[i].step]);
        assert_int_equal(is_armed(f), t.answers == 0);
        assert_int_equal(t.answers, ways[i].sms_at_deadline == NULL);
    }
}

static void a_deadline_is_answered_once_in_each_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++, afresh()) {
        if (!ways[i].sms_at_deadline)
            continue;
        ways[i].go();
        deadline();
        assert_answered(ways[i].sms_at_deadline[0] ? ANSWER_OK : ANSWER_UNAVAILABLE,
                        ways[i].sms_at_deadline);
        if (!ways[i].sms_at_deadline[0])
            assert_over(ANSWER_UNAVAILABLE, "");
    }
}

static void what_comes_after_a_deadline_before_the_submit_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++, afresh()) {
        if (!ways[i].sms_at_deadline || ways[i].sms_at_deadline[0])
            continue;
        ways[i].go();
        deadline();
        if (ways[i].step == FIND_APP)
            app_is(0, true);
        else if (ways[i].step == FIND_TEMPLATE)
            template_is(0);
        else
            act_is(ways[i].step, 0, PIN_OK);
        turn();
        assert_int_equal(t.answers, 1);
        assert_int_equal(t.calls[SUBMIT], 0);
    }
}

static void the_end_of_the_process_answers_once_and_never_invites_a_second_sms(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++, afresh()) {
        bool may_be_out = ways[i].may_be_out;
        ways[i].go();
        int before = t.answers;
        flows_free(t.flows);
        t.flows = NULL;
        assert_int_equal(t.answers, 1);
        assert_null(flow_of(t.arg));
        if (!before)
            assert_int_equal(t.code, may_be_out ? ANSWER_OK : ANSWER_UNAVAILABLE);
        if (may_be_out)
            assert_string_equal(t.sms, "MESSAGE_SENT");
        if (ways[i].step == SUBMIT)
            submit_is(SMPP_ACCEPTED, 0);
        else if (ways[i].step >= STATUS)
            act_is(ways[i].step, ERR_CLOSED, PIN_OK);
        assert_int_equal(t.answers, 1);
    }
}

static void a_drain_waits_for_each_state_and_takes_no_new_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++, afresh()) {
        ways[i].go();
        int answers = t.answers;
        flows_drain(t.flows, drained_is, &t);
        assert_int_equal(t.drained, 0);
        send_one();
        assert_int_equal(t.answers, answers + 1);
        assert_int_equal(t.code, ANSWER_UNAVAILABLE);
        assert_int_equal(n_open(), 1);
    }
}

static void a_drain_without_flows_is_over_at_once(void **state)
{
    (void)state;
    flows_drain(t.flows, drained_is, &t);
    assert_int_equal(t.drained, 1);
}

static void a_send_is_recorded_before_it_is_answered(void **state)
{
    (void)state;
    to_record();
    assert_int_equal(t.answers, 0);
    assert_int_equal(t.sent.state, PIN_ATT_ACCEPTED);
    assert_string_equal(t.sent.message_id, "id7");
    assert_true(t.sent.last);
    assert_int_equal(t.sent.attempt, 1);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
}

static void a_resend_is_the_same_pin_again(void **state)
{
    (void)state;
    to_open_of_resend();
    assert_int_equal(t.calls[SUBMIT], 0);
    act_is(RESEND, 0, PIN_OK);
    submit_is(SMPP_ACCEPTED, 0);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[OPEN], 0);
}

static void lookups_may_answer_inside_the_call(void **state)
{
    (void)state;
    t.at_once = true;
    send_one();
    assert_int_equal(flow_at_hand()->state, FLOW_ADMIT);
    act_is(ADMIT, 0, PIN_OK);
    act_is(OPEN, 0, PIN_OK);
    assert_int_equal(t.calls[SUBMIT], 1);
}

static void a_step_that_fails_before_the_submit_is_the_answer(void **state)
{
    (void)state;
    static const struct {
        void (*go)(void);
        enum step step;
        int result;
        enum pin_verdict verdict;
        enum answer_code code;
    } rows[] = {
        {to_locate, STATUS, ERR_TIMEOUT, PIN_OK, ANSWER_UNAVAILABLE},
        {to_locate, STATUS, 0, PIN_NOT_FOUND, ANSWER_NOT_FOUND},
        {to_admit, ADMIT, ERR_LOST, PIN_OK, ANSWER_UNAVAILABLE},
        {to_admit, ADMIT, 0, PIN_TOO_MANY, ANSWER_TOO_MANY_REQUESTS},
        {to_open, OPEN, ERR_TIMEOUT, PIN_OK, ANSWER_UNAVAILABLE},
        {to_open, OPEN, 0, PIN_TOO_MANY, ANSWER_TOO_MANY_REQUESTS},
        {to_open_of_resend, RESEND, 0, PIN_NOT_LIVE, ANSWER_BAD_REQUEST},
        {to_open_of_resend, RESEND, 0, PIN_LOST_RACE, ANSWER_BAD_REQUEST},
        {to_open_of_resend, RESEND, 0, PIN_NOT_FOUND, ANSWER_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++, afresh()) {
        rows[i].go();
        act_is(rows[i].step, rows[i].result, rows[i].verdict);
        assert_over(rows[i].code, "");
        assert_int_equal(t.calls[SUBMIT], 0);
        /* given back only when the number's window, not the store, said no */
        assert_int_equal(t.unadmitted, rows[i].step >= OPEN && !rows[i].result);
    }
}

static void an_application_or_template_that_is_not_there_is_the_answer(void **state)
{
    (void)state;
    static const struct {
        int app, message;
        bool enabled;
        enum answer_code code;
    } rows[] = {
        {ERR_NOTFOUND, 0, true, ANSWER_NOT_FOUND},
        {ERR_UNAVAILABLE, 0, true, ANSWER_UNAVAILABLE},
        {0, 0, false, ANSWER_FORBIDDEN},
        {0, ERR_NOTFOUND, true, ANSWER_NOT_FOUND},
        {0, ERR_TIMEOUT, true, ANSWER_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++, afresh()) {
        to_app();
        app_is(rows[i].app, rows[i].enabled);
        if (!rows[i].app && rows[i].enabled)
            template_is(rows[i].message);
        assert_over(rows[i].code, "");
        assert_int_equal(t.calls[ADMIT], 0);
    }
}

static void an_act_that_cannot_be_begun_is_the_answer(void **state)
{
    (void)state;
    static const enum step steps[] = {STATUS, ADMIT, OPEN, RESEND};
    static void (*const before[])(void) = {to_locate, to_admit, to_open, to_open_of_resend};
    for (size_t i = 0; i < 4; i++, afresh()) {
        t.fail_at = (int)steps[i];
        t.error = ERR_FULL;
        before[i]();
        assert_over(ANSWER_UNAVAILABLE, "");
        assert_int_equal(t.calls[SUBMIT], 0);
    }
}

static void without_a_bound_carrier_nothing_is_counted(void **state)
{
    (void)state;
    t.ready[0] = t.ready[1] = false;
    to_admit();
    assert_over(ANSWER_UNAVAILABLE, "");
    assert_int_equal(t.calls[ADMIT], 0);
}

static void a_carrier_that_is_down_is_passed_over(void **state)
{
    (void)state;
    t.ready[0] = false;
    to_submit();
    assert_int_equal(t.opened_for, 'b');
    assert_int_equal(t.submitted_to, 'b');
}

static void a_refusal_of_the_route_goes_to_the_next_carrier_once_it_is_recorded(void **state)
{
    (void)state;
    static const enum smpp_outcome outcomes[] = {SMPP_REFUSED, SMPP_THROTTLED_OUT, SMPP_NOT_SENT};
    for (size_t i = 0; i < 3; i++, afresh()) {
        to_submit();
        submit_is(outcomes[i], outcomes[i] == SMPP_NOT_SENT ? 0 : 0x58);
        assert_false(t.sent.last);
        assert_int_equal(t.calls[ATTEMPT], 0);
        act_is(SENT, 0, PIN_OK);
        assert_int_equal(t.calls[SUBMIT], 1);
        act_is(ATTEMPT, 0, PIN_OK);
        assert_int_equal(t.submitted_to, 'b');
        submit_is(SMPP_ACCEPTED, 0);
        assert_int_equal(t.sent.attempt, 2);
        assert_string_equal(t.sent.carrier, "b");
        act_is(SENT, 0, PIN_OK);
        assert_over(ANSWER_OK, "MESSAGE_SENT");
        assert_int_equal(t.calls[SUBMIT], 2);
    }
}

static void a_submit_that_cannot_be_begun_goes_to_the_next_carrier(void **state)
{
    (void)state;
    t.fail_at = SUBMIT;
    t.error = ERR_FULL;
    to_submit();
    assert_int_equal(t.sent.state, PIN_ATT_NOT_SENT);
    t.fail_at = -1;
    act_is(SENT, 0, PIN_OK);
    act_is(ATTEMPT, 0, PIN_OK);
    assert_int_equal(t.submitted_to, 'b');
}

static void refused_by_the_last_carrier_is_not_sent(void **state)
{
    (void)state;
    t.ready[1] = false;
    to_submit();
    submit_is(SMPP_REFUSED, 8);
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_NOT_SENT");
    assert_int_equal(t.calls[ATTEMPT], 0);
}

static void a_refusal_of_the_number_goes_to_nobody_else(void **state)
{
    (void)state;
    to_submit();
    submit_is(SMPP_REFUSED, 0x0b);
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_NOT_SENT");
}

static void an_unknown_outcome_goes_to_nobody_else(void **state)
{
    (void)state;
    to_doubt();
    assert_int_equal(t.sent.state, PIN_ATT_IN_DOUBT);
    assert_int_equal(t.answers, 0);
    act_is(SENT, 0, PIN_OK);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
    assert_int_equal(t.calls[ATTEMPT], 0);
}

static void a_late_response_is_recorded_too(void **state)
{
    (void)state;
    to_doubt();
    act_is(SENT, 0, PIN_OK);
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.sent.state, PIN_ATT_ACCEPTED);
    assert_string_equal(t.sent.message_id, "id7");
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SENT], 2);
}

static void a_late_response_counts_in_doubt_only(void **state)
{
    (void)state;
    to_submit();
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.calls[SENT], 0);
    to_record();
    late_is(SMPP_REFUSED);
    assert_int_equal(t.calls[SENT], 1);
}

static void a_late_refusal_is_recorded_and_nothing_is_sent_again(void **state)
{
    (void)state;
    to_doubt();
    act_is(SENT, 0, PIN_OK);
    late_is(SMPP_REFUSED);
    assert_int_equal(t.sent.state, PIN_ATT_REFUSED);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
}

static void a_late_response_may_overtake_the_record_of_the_doubt(void **state)
{
    (void)state;
    to_doubt();
    void *first = take(SENT);
    late_is(SMPP_ACCEPTED);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    ((pin_ledger_cb)(uintptr_t)first)(t.arg, &(struct pin_answer){0});
    assert_int_equal(t.answers, 1);
}

static void the_wait_for_a_late_response_ends(void **state)
{
    (void)state;
    to_doubt();
    act_is(SENT, 0, PIN_OK);
    deadline();
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.calls[SENT], 1);
}

static void a_doubt_answered_at_the_deadline_still_waits_for_the_late_response(void **state)
{
    (void)state;
    to_doubt();
    deadline();
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    assert_true(is_armed(flow_at_hand()));
    act_is(SENT, 0, PIN_OK);
    assert_true(is_armed(flow_at_hand()));
    late_is(SMPP_ACCEPTED);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void a_drain_ends_the_wait_for_late_responses(void **state)
{
    (void)state;
    to_doubt();
    act_is(SENT, 0, PIN_OK);
    flows_drain(t.flows, drained_is, &t);
    assert_int_equal(t.drained, 1);
    afresh();
    to_doubt();
    flows_drain(t.flows, drained_is, &t);
    assert_int_equal(t.drained, 0);
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.drained, 1);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void a_drain_ends_with_the_last_flow(void **state)
{
    (void)state;
    to_record();
    flows_drain(t.flows, drained_is, &t);
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.drained, 1);
}

static void answered_sent_at_the_deadline_then_accepted_is_recorded(void **state)
{
    (void)state;
    to_submit();
    assert_true(t.submit_left_ms < 5000); /* half of the time is the next carrier's */
    deadline();
    submit_is(SMPP_ACCEPTED, 0);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void answered_sent_at_the_deadline_then_refused_goes_to_the_next_carrier(void **state)
{
    (void)state;
    to_submit();
    deadline();
    submit_is(SMPP_REFUSED, 8);
    act_is(SENT, 0, PIN_OK);
    act_is(ATTEMPT, 0, PIN_OK);
    assert_int_equal(t.submitted_to, 'b');
    assert_true(t.submit_left_ms > 0);
    submit_is(SMPP_ACCEPTED, 0);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void answered_sent_at_the_deadline_then_in_doubt_stays_sent(void **state)
{
    (void)state;
    to_submit();
    deadline();
    submit_is(SMPP_UNKNOWN, 0);
    act_is(SENT, 0, PIN_OK);
    assert_true(is_armed(flow_at_hand()));
    deadline();
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
}

/* Nothing is submitted behind the answer, and the record learns that nothing follows. */
static void assert_closed(enum pin_attempt_state state)
{
    assert_true(t.sent.last);
    assert_int_equal(t.sent.state, state);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_NOT_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
}

static void not_sent_at_the_deadline_while_the_refusal_is_recorded_ends_the_pin(void **state)
{
    (void)state;
    to_close();
    assert_answered(ANSWER_OK, "MESSAGE_NOT_SENT");
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.calls[ATTEMPT], 0);
    assert_closed(PIN_ATT_REFUSED);
}

static void not_sent_at_the_deadline_while_the_attempt_is_written_ends_the_pin(void **state)
{
    (void)state;
    to_give_up();
    assert_answered(ANSWER_OK, "MESSAGE_NOT_SENT");
    act_is(ATTEMPT, 0, PIN_OK);
    assert_int_equal(t.sent.attempt, 2);
    assert_string_equal(t.sent.carrier, "b");
    assert_closed(PIN_ATT_NOT_SENT);
}

static void not_sent_at_the_deadline_then_no_attempt_ends_the_pin(void **state)
{
    (void)state;
    to_give_up();
    act_is(ATTEMPT, ERR_TIMEOUT, PIN_OK);
    assert_int_equal(t.sent.attempt, 1);
    assert_string_equal(t.sent.carrier, "a");
    assert_closed(PIN_ATT_REFUSED);
}

static void an_attempt_that_is_lost_or_unknown_is_not_submitted(void **state)
{
    (void)state;
    static const int results[] = {0, ERR_TIMEOUT};
    for (size_t i = 0; i < 2; i++, afresh()) {
        to_next();
        act_is(ATTEMPT, results[i], PIN_LOST_RACE);
        assert_answered(ANSWER_OK, "MESSAGE_NOT_SENT");
        assert_string_equal(t.sent.carrier, "a");
        assert_closed(PIN_ATT_REFUSED);
    }
}

static void a_next_carrier_that_went_down_meanwhile_ends_the_pin(void **state)
{
    (void)state;
    to_retry();
    t.ready[1] = false;
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.calls[ATTEMPT], 0);
    assert_closed(PIN_ATT_REFUSED);
}

static void an_attempt_that_cannot_be_begun_ends_the_pin(void **state)
{
    (void)state;
    to_retry();
    t.fail_at = ATTEMPT;
    t.error = ERR_FULL;
    act_is(SENT, 0, PIN_OK);
    assert_closed(PIN_ATT_REFUSED);
}

static void an_outcome_that_cannot_be_recorded_is_answered_all_the_same(void **state)
{
    (void)state;
    static const enum smpp_outcome outcomes[] = {SMPP_ACCEPTED, SMPP_UNKNOWN};
    for (size_t i = 0; i < 2; i++, afresh()) {
        to_submit();
        t.fail_at = SENT;
        t.error = ERR_FULL;
        submit_is(outcomes[i], 0);
        assert_answered(ANSWER_OK, "MESSAGE_SENT");
        assert_int_equal(t.calls[SUBMIT], 1);
    }
}

static void the_text_is_gone_when_no_submit_can_follow(void **state)
{
    (void)state;
    to_doubt();
    assert_null(flow_at_hand()->text);
    assert_null(flow_at_hand()->values);
    assert_string_equal(flow_at_hand()->drawn.pin, "");
    afresh();
    to_retry();
    assert_non_null(flow_at_hand()->text);
    assert_string_equal(flow_at_hand()->drawn.pin, "");
}

static void a_wrong_request_is_answered_inside_the_call(void **state)
{
    (void)state;
    const struct flow_resend r = {.account = "demo", .pin_id = "short"};
    flow_resend(t.flows, &r, answer_is, &t);
    assert_answered(ANSWER_NOT_FOUND, "");
    const struct flow_send s = {.account = "demo", .app_id = APP, .template_id = MSG, .to = "12"};
    flow_send(t.flows, &s, answer_is, &t);
    assert_int_equal(t.answers, 2);
    assert_int_equal(t.code, ANSWER_BAD_REQUEST);
    assert_int_equal(n_open(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_way_ends_in_its_state_with_a_timer_or_an_answer),
        TEST(a_deadline_is_answered_once_in_each_state),
        TEST(what_comes_after_a_deadline_before_the_submit_changes_nothing),
        TEST(the_end_of_the_process_answers_once_and_never_invites_a_second_sms),
        TEST(a_drain_waits_for_each_state_and_takes_no_new_send),
        TEST(a_drain_without_flows_is_over_at_once),
        TEST(a_send_is_recorded_before_it_is_answered),
        TEST(a_resend_is_the_same_pin_again),
        TEST(lookups_may_answer_inside_the_call),
        TEST(a_step_that_fails_before_the_submit_is_the_answer),
        TEST(an_application_or_template_that_is_not_there_is_the_answer),
        TEST(an_act_that_cannot_be_begun_is_the_answer),
        TEST(without_a_bound_carrier_nothing_is_counted),
        TEST(a_carrier_that_is_down_is_passed_over),
        TEST(a_refusal_of_the_route_goes_to_the_next_carrier_once_it_is_recorded),
        TEST(a_submit_that_cannot_be_begun_goes_to_the_next_carrier),
        TEST(refused_by_the_last_carrier_is_not_sent),
        TEST(a_refusal_of_the_number_goes_to_nobody_else),
        TEST(an_unknown_outcome_goes_to_nobody_else),
        TEST(a_late_response_is_recorded_too),
        TEST(a_late_response_counts_in_doubt_only),
        TEST(a_late_refusal_is_recorded_and_nothing_is_sent_again),
        TEST(a_late_response_may_overtake_the_record_of_the_doubt),
        TEST(the_wait_for_a_late_response_ends),
        TEST(a_doubt_answered_at_the_deadline_still_waits_for_the_late_response),
        TEST(a_drain_ends_the_wait_for_late_responses),
        TEST(a_drain_ends_with_the_last_flow),
        TEST(answered_sent_at_the_deadline_then_accepted_is_recorded),
        TEST(answered_sent_at_the_deadline_then_refused_goes_to_the_next_carrier),
        TEST(answered_sent_at_the_deadline_then_in_doubt_stays_sent),
        TEST(not_sent_at_the_deadline_while_the_refusal_is_recorded_ends_the_pin),
        TEST(not_sent_at_the_deadline_while_the_attempt_is_written_ends_the_pin),
        TEST(not_sent_at_the_deadline_then_no_attempt_ends_the_pin),
        TEST(an_attempt_that_is_lost_or_unknown_is_not_submitted),
        TEST(a_next_carrier_that_went_down_meanwhile_ends_the_pin),
        TEST(an_attempt_that_cannot_be_begun_ends_the_pin),
        TEST(an_outcome_that_cannot_be_recorded_is_answered_all_the_same),
        TEST(the_text_is_gone_when_no_submit_can_follow),
        TEST(a_wrong_request_is_answered_inside_the_call),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
