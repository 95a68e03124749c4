/* The watch over messages without a receipt, with carriers and ledger played; timers are made to
 * fire. */
#include "gateway/overdue.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "pin/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#define PIN    "0A3100112233445566778899AABBCCDD"
#define OTHER  "0B3100112233445566778899AABBCCDD"
#define APP    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define NUMBER "385911234567"
#define MAX    4

struct call {
    char id[80], source[32], to[32];
    smpp_ask_cb cb;
    void *arg;
};

static struct {
    struct event_base *base;
    struct overdue *overdue;
    struct config_carrier acme; /* beside "plain", which has neither key */
    bool acme_is_gone;
    int error; /* of smpp_query(), smpp_cancel() and pin_ledger_told() */
    struct call queries[16], cancels[16];
    unsigned n_queries, n_cancels;
    struct pin_told told;
    char told_pin[PIN_ID_SIZE], told_err[PIN_ERR_SIZE];
    pin_ledger_cb told_cb, status_cb;
    void *told_arg, *status_arg;
    unsigned n_told, n_status;
    int64_t later_us;
    int64_t ttl_s; /* from the opening of a PIN to its end */
} t;

/* --- the rooms --- */

static int64_t now_us(void)
{
    return INT64_C(1000000000) + t.later_us;
}

static int64_t wall(void)
{
    return INT64_C(1790000000000000) + t.later_us;
}

static const struct clock_source played = {now_us, wall};

static void take_call(struct call *c, const struct smpp_message_ref *m)
{
    snprintf(c->id, sizeof c->id, "%s", m->message_id);
    snprintf(c->source, sizeof c->source, "%s", m->source ? m->source : "(carrier's)");
    snprintf(c->to, sizeof c->to, "%s", m->destination ? m->destination : "");
}

int smpp_query(struct smpp_carrier *c, const struct smpp_message_ref *m, smpp_ask_cb cb, void *arg)
{
    struct call *call = &t.queries[t.n_queries++];
    (void)c;
    take_call(call, m);
    call->cb = cb;
    call->arg = arg;
    return t.error;
}

int smpp_cancel(struct smpp_carrier *c, const struct smpp_message_ref *m, smpp_ask_cb cb, void *arg)
{
    (void)c;
    take_call(&t.cancels[t.n_cancels++], m);
    if (!t.error) /* its fate is logged, no more */
        cb(arg, &(struct smpp_ask_result){.outcome = SMPP_ASK_DONE, .reason = "played"});
    return t.error;
}

const char *smpp_ask_outcome_name(enum smpp_ask_outcome outcome)
{
    (void)outcome;
    return "PLAYED";
}

const char *smpp_carrier_name(const struct smpp_carrier *c)
{
    (void)c;
    return "acme";
}

struct smpp_carrier *carriers_find(struct carriers *cs, const char *name)
{
    (void)cs;
    return strcmp(name, "acme") || t.acme_is_gone ? NULL : (struct smpp_carrier *)(void *)&t;
}

const struct config_carrier *carriers_config(const struct carriers *cs, const char *name)
{
    static const struct config_carrier plain = {.name = "plain"};
    (void)cs;
    if (strcmp(name, "plain") == 0)
        return &plain;
    return t.acme_is_gone ? NULL : &t.acme;
}

size_t carriers_count(const struct carriers *cs)
{
    (void)cs;
    return 1;
}

struct smpp_carrier *carriers_at(struct carriers *cs, size_t i)
{
    (void)i;
    return carriers_find(cs, "acme");
}

int pin_ledger_told(struct pin_ledger *l, const struct pin_told *told, pin_ledger_cb cb, void *arg)
{
    (void)l;
    t.n_told++;
    t.told = *told;
    snprintf(t.told_pin, sizeof t.told_pin, "%s", told->pin_id);
    snprintf(t.told_err, sizeof t.told_err, "%s", told->err);
    t.told_cb = cb;
    t.told_arg = arg;
    return t.error;
}

int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    (void)l;
    assert_null(account);
    assert_string_equal(pin_id, PIN);
    t.n_status++;
    t.status_cb = cb;
    t.status_arg = arg;
    return t.error;
}

int pin_unseal(struct pin_keyring *ring, const char *pin_id, const void *sealed, size_t len,
               uint8_t *out, size_t cap, size_t *out_len)
{
    (void)ring, (void)pin_id, (void)cap;
    if (len == 0)
        return ERR_NOTFOUND;
    memcpy(out, sealed, len);
    *out_len = len;
    return 0;
}

/* --- the rig --- */

static int setup(void **state)
{
    const struct overdue_env env = {.max = MAX};
    (void)state;
    memset(&t, 0, sizeof t);
    t.ttl_s = 300;
    log_set_fd(-1);
    clock_set_source(&played);
    t.base = event_base_new();
    t.acme = (struct config_carrier){
        .name = "acme", .source = "OURS", .query_after_s = 10, .cancel = true};
    struct overdue_env e = env;
    e.base = t.base;
    t.overdue = overdue_new(&e);
    overdue_set_carriers(t.overdue, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    overdue_free(t.overdue);
    event_base_free(t.base);
    clock_set_source(NULL);
    return 0;
}

static void sent_as(const struct pin_sent *as, const char *source, int64_t life_s)
{
    struct msisdn to;
    struct pin_sent s = *as;
    assert_int_equal(msisdn_parse(NUMBER, strlen(NUMBER), &to), 0);
    s.owner = (struct pin_owner){"demo", as->owner.app_id ? as->owner.app_id : APP, &to};
    s.attempt = as->attempt ? as->attempt : 1;
    s.state = as->state ? as->state : PIN_ATT_ACCEPTED;
    s.pin_id = as->pin_id ? as->pin_id : PIN;
    s.carrier = as->carrier ? as->carrier : "acme";
    s.message_id_len = strlen(s.message_id);
    overdue_sent(t.overdue, &s, source, mono_add_ms(mono_now(), (life_s - t.ttl_s) * 1000),
                 mono_add_ms(mono_now(), life_s * 1000));
}
#define SENT(...) sent_as(&(struct pin_sent){__VA_ARGS__}, "", 300)

static struct overdue_info info(void)
{
    struct overdue_info i;
    overdue_info(t.overdue, &i);
    return i;
}

static struct event *timers[MAX + 1];
static int n_timers;

static int note_timer(const struct event_base *base, const struct event *ev, void *arg)
{
    (void)base, (void)arg;
    assert_in_range(n_timers, 0, MAX);
    timers[n_timers++] = (struct event *)(uintptr_t)ev;
    return 0;
}

/* Seconds until the only timer is due. */
static int64_t due_s(void)
{
    struct timeval at, now;
    n_timers = 0;
    event_base_foreach_event(t.base, note_timer, NULL);
    assert_int_equal(n_timers, 1);
    assert_true(event_pending(timers[0], EV_TIMEOUT, &at));
    event_base_gettimeofday_cached(t.base, &now);
    return (int64_t)(at.tv_sec - now.tv_sec + (at.tv_usec - now.tv_usec + 500000) / 1000000);
}

static void fire(void)
{
    t.later_us += due_s() * 1000000;
    event_del(timers[0]);
    event_active(timers[0], EV_TIMEOUT, 0);
    event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static void answer(unsigned i, struct smpp_ask_result r)
{
    r.reason = "played";
    t.queries[i].cb(t.queries[i].arg, &r);
}
#define ANSWER(i, ...) answer(i, (struct smpp_ask_result){.final_ms = -1, __VA_ARGS__})

static void ledger_says(int result, enum pin_verdict verdict)
{
    t.told_cb(t.told_arg, &(struct pin_answer){.result = result, .verdict = verdict});
}

static void receipt_of(uint32_t attempt, uint32_t segment)
{
    struct pin_answer a = {.pin_id = PIN, .attempt = attempt, .segment = segment};
    assert_int_equal(msisdn_parse(NUMBER, strlen(NUMBER), &a.msisdn), 0);
    overdue_receipt(t.overdue, &a);
}

/* --- asking --- */

static void it_is_asked_three_times_each_after_twice_the_time(void **state)
{
    (void)state;
    SENT(.message_id = "id-1");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(due_s(), 10 << i);
        assert_int_equal(t.n_queries, i);
        fire();
        assert_int_equal(t.n_queries, i + 1);
        assert_string_equal(t.queries[i].id, "id-1");
        assert_string_equal(t.queries[i].source, "OURS");
        ANSWER(i, .outcome = i ? SMPP_ASK_NO_ANSWER : SMPP_ASK_REFUSED, .state = -1);
    }
    assert_int_equal(due_s(), 300 + 60 - 10 - 20 - 40); /* its end */
    fire();
    assert_int_equal(t.n_queries, 3);
    assert_int_equal(info().watched, 0);
    assert_int_equal(t.n_told, 0);
}

static void while_a_question_is_open_none_is_asked(void **state)
{
    (void)state;
    SENT(.message_id = "id-1");
    fire();
    assert_int_equal(due_s(), 350);
    ANSWER(0, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_UNKNOWN);
    assert_int_equal(due_s(), 20);
    assert_int_equal(t.n_told, 0);
}

static void a_state_goes_to_the_ledger_and_a_final_one_ends_the_watch(void **state)
{
    (void)state;
    sent_as(&(struct pin_sent){.attempt = 2, .message_id = "id-1", .segment = 1, .segments = 3},
            "GIVEN", 300);
    fire();
    assert_string_equal(t.queries[0].source, "GIVEN");
    ANSWER(0, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_ENROUTE);
    assert_int_equal(t.told.state, PIN_ATT_ENROUTE);
    assert_false(t.told.final);
    assert_int_equal(t.told.done_ms, -1);
    assert_string_equal(t.told_err, "");
    ledger_says(0, PIN_OK);
    assert_int_equal(info().watched, 1);
    fire();
    answer(1, (struct smpp_ask_result){.outcome = SMPP_ASK_DONE,
                                       .state = PIN_ATT_EXPIRED,
                                       .final = true,
                                       .error_code = 9,
                                       .final_ms = 77});
    assert_string_equal(t.told_pin, PIN);
    assert_int_equal(t.told.attempt, 2);
    assert_int_equal(t.told.segment * 10 + t.told.segments, 13);
    assert_int_equal(t.told.state, PIN_ATT_EXPIRED);
    assert_true(t.told.final);
    assert_string_equal(t.told_err, "009");
    assert_int_equal(t.told.done_ms, 77);
    assert_int_equal(info().watched, 1);
    ledger_says(0, PIN_DUPLICATE); /* the receipt was there */
    assert_int_equal(info().watched, 0);
}

static void what_the_ledger_did_not_take_is_asked_for_again(void **state)
{
    (void)state;
    SENT(.message_id = "id-1");
    fire();
    ANSWER(0, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_DELIVERED, .final = true);
    ledger_says(ERR_TIMEOUT, PIN_OK);
    assert_int_equal(due_s(), 20);
    fire();
    t.error = ERR_UNAVAILABLE;
    ANSWER(1, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_DELIVERED, .final = true);
    assert_int_equal(due_s(), 40);
    fire(); /* and the carrier refuses the call */
    assert_int_equal(t.n_queries, 3);
    assert_int_equal(due_s(), 300 + 60 - 10 - 20 - 40);
}

static void a_final_unknown_is_news_where_the_carrier_calls_it_final(void **state)
{
    (void)state;
    SENT(.message_id = "id-1");
    fire();
    ANSWER(0, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_UNKNOWN, .final = true);
    assert_int_equal(t.n_told, 1);
    ledger_says(0, PIN_OK);
    assert_int_equal(info().watched, 0);
}

static void a_receipt_ends_the_watch_of_its_part(void **state)
{
    (void)state;
    SENT(.message_id = "id-1", .segment = 1, .segments = 2);
    SENT(.message_id = "id-2", .segment = 2, .segments = 2);
    receipt_of(2, 1);
    receipt_of(1, 0);
    assert_int_equal(info().watched, 2);
    receipt_of(1, 2);
    receipt_of(1, 2); /* once more */
    assert_int_equal(info().watched, 1);
    fire();
    assert_string_equal(t.queries[0].id, "id-1");
    receipt_of(1, 1);
    assert_int_equal(info().watched, 0);
    receipt_of(1, 1);
    overdue_receipt(t.overdue, &(struct pin_answer){.verdict = PIN_PARKED});
    ANSWER(0, .outcome = SMPP_ASK_LOST, .state = -1);
}

static void an_answer_may_come_when_the_message_is_forgotten(void **state)
{
    (void)state;
    SENT(.message_id = "id-1");
    fire();
    receipt_of(1, 0);
    ANSWER(0, .outcome = SMPP_ASK_DONE, .state = PIN_ATT_DELIVERED, .final = true);
    assert_int_equal(t.n_told, 1);
    ledger_says(0, PIN_DUPLICATE);
    assert_int_equal(info().watched, 0);
}

static void what_cannot_be_asked_for_is_not_watched(void **state)
{
    (void)state;
    char id[66];
    memset(id, '1', 65);
    id[65] = '\0';
    SENT(.message_id = "");
    SENT(.message_id = id);
    SENT(.message_id = "id", .carrier = "plain");
    SENT(.message_id = "id", .carrier = "plain", .attempt = 2);
    sent_as(&(struct pin_sent){.attempt = 1, .state = PIN_ATT_IN_DOUBT, .message_id = "id"}, "",
            300);
    t.acme.query_after_s = 0;
    t.acme.cancel = false;
    SENT(.message_id = "id");
    assert_int_equal(info().watched, 0);
    id[64] = '\0';
    t.acme.query_after_s = 1;
    SENT(.message_id = id);
    assert_int_equal(info().watched, 1);
}

static void at_the_bound_the_oldest_is_forgotten_and_counted(void **state)
{
    (void)state;
    static const char *const ids[] = {"1", "2", "3", "4", "5"};
    for (uint32_t i = 0; i < MAX + 1; i++)
        SENT(.message_id = ids[i], .attempt = i + 1);
    assert_int_equal(info().watched, MAX);
    assert_int_equal(info().dropped, 1);
    receipt_of(1, 0);
    assert_int_equal(info().watched, MAX);
    receipt_of(2, 0);
    assert_int_equal(info().watched, MAX - 1);
}

static void nothing_is_asked_after_the_life_of_the_pin(void **state)
{
    (void)state;
    t.acme.query_after_s = 100;
    sent_as(&(struct pin_sent){.message_id = "1"}, "", 30);
    assert_int_equal(due_s(), 90);
    fire();
    assert_int_equal(t.n_queries, 0);
    assert_int_equal(info().watched, 0);
}

static void what_a_reload_took_away_is_not_asked_for(void **state)
{
    (void)state;
    SENT(.message_id = "1");
    t.acme.query_after_s = 0;
    fire();
    assert_int_equal(t.n_queries, 0);
    assert_int_equal(due_s(), 350);
    receipt_of(1, 0);
    t.acme.query_after_s = 10;
    SENT(.message_id = "1");
    t.acme_is_gone = true;
    fire();
    assert_int_equal(t.n_queries, 0);
    assert_int_equal(info().watched, 0);
    SENT(.message_id = "1");
    assert_int_equal(info().watched, 0);
}

/* --- withdrawing --- */

static void a_newer_message_withdraws_the_older_ones_once(void **state)
{
    (void)state;
    SENT(.message_id = "1", .segment = 1, .segments = 2);
    SENT(.message_id = "2", .segment = 2, .segments = 2);
    assert_int_equal(t.n_cancels, 0); /* of one attempt */
    SENT(.message_id = "3", .pin_id = OTHER, .owner.app_id = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    assert_int_equal(t.n_cancels, 0); /* of another application */
    SENT(.message_id = "4", .attempt = 2, .carrier = "plain");
    assert_int_equal(t.n_cancels, 2);
    assert_string_equal(t.cancels[0].id, "1");
    assert_string_equal(t.cancels[1].id, "2");
    assert_string_equal(t.cancels[1].source, "OURS");
    assert_string_equal(t.cancels[1].to, NUMBER);
    SENT(.message_id = "5", .pin_id = OTHER);
    assert_int_equal(t.n_cancels, 2);
    assert_int_equal(info().watched, 4); /* the operator's receipts end it */
    t.error = ERR_FULL;
    SENT(.message_id = "6", .pin_id = OTHER, .attempt = 2);
    assert_int_equal(t.n_cancels, 3);
    assert_string_equal(t.cancels[2].id, "5");
}

static void a_late_response_withdraws_its_own_message_and_no_newer_one(void **state)
{
    (void)state;
    SENT(.message_id = "2", .attempt = 2);
    SENT(.message_id = "1", .attempt = 1);
    assert_int_equal(t.n_cancels, 1);
    assert_string_equal(t.cancels[0].id, "1");
    sent_as(&(struct pin_sent){.message_id = "0", .pin_id = OTHER}, "", 200);
    assert_int_equal(t.n_cancels, 2);
    assert_string_equal(t.cancels[1].id, "0");
    SENT(.message_id = "3", .attempt = 3);
    assert_int_equal(t.n_cancels, 3);
    assert_string_equal(t.cancels[2].id, "2");
}

/* The application's pinTimeToLive became shorter between the two. */
static void a_newer_pin_that_ends_before_the_older_one_is_not_withdrawn(void **state)
{
    (void)state;
    SENT(.message_id = "1");
    t.later_us += 60 * INT64_C(1000000);
    t.ttl_s = 100;
    sent_as(&(struct pin_sent){.message_id = "2", .pin_id = OTHER}, "", 100);
    assert_int_equal(t.n_cancels, 1);
    assert_string_equal(t.cancels[0].id, "1");
}

static void a_message_that_was_not_accepted_withdraws_nothing(void **state)
{
    (void)state;
    SENT(.message_id = "1");
    sent_as(&(struct pin_sent){.attempt = 2, .state = PIN_ATT_REFUSED, .message_id = ""}, "", 300);
    sent_as(&(struct pin_sent){.attempt = 3, .state = PIN_ATT_IN_DOUBT, .message_id = ""}, "", 300);
    assert_int_equal(t.n_cancels, 0);
    t.acme.cancel = false;
    SENT(.message_id = "2", .attempt = 4);
    assert_int_equal(t.n_cancels, 0);
}

static void record_of_a_cancelled_pin(struct pin_record *r)
{
    static const struct {
        const char *carrier, *id;
        enum pin_attempt_state state;
    } rows[] = {
        {"acme", "1", PIN_ATT_ACCEPTED},  {"acme", "2", PIN_ATT_ENROUTE},
        {"acme", "3", PIN_ATT_DELIVERED}, {"acme", "", PIN_ATT_ACCEPTED},
        {"plain", "5", PIN_ATT_ACCEPTED}, {"acme", "", PIN_ATT_IN_DOUBT},
        {"acme", "7", PIN_ATT_UNKNOWN},   {"acme", "8", PIN_ATT_SCHEDULED},
    };
    memset(r, 0, sizeof *r);
    strcpy(r->pin_id, PIN);
    assert_int_equal(msisdn_parse(NUMBER, strlen(NUMBER), &r->msisdn), 0);
    for (; r->n_attempts < sizeof rows / sizeof rows[0]; r->n_attempts++) {
        struct pin_attempt *a = &r->attempts[r->n_attempts];
        strcpy(a->carrier, rows[r->n_attempts].carrier);
        strcpy(a->message_id, rows[r->n_attempts].id);
        a->state = rows[r->n_attempts].state;
    }
}

static void a_cancelled_pin_withdraws_what_may_still_come(void **state)
{
    (void)state;
    struct pin_record r;
    record_of_a_cancelled_pin(&r);
    memcpy(r.sealed, "GIVEN\0q\0.", 10);
    r.sealed_len = 10;
    SENT(.message_id = "1");
    overdue_cancelled(t.overdue, PIN);
    assert_int_equal(t.n_status, 1);
    t.status_cb(t.status_arg, &(struct pin_answer){.verdict = PIN_OK, .record = &r});
    assert_int_equal(t.n_cancels, 3);
    assert_string_equal(t.cancels[0].id, "2");
    assert_string_equal(t.cancels[0].source, "GIVEN");
    assert_string_equal(t.cancels[0].to, NUMBER);
    assert_string_equal(t.cancels[1].id, "8");
    assert_string_equal(t.cancels[2].id, "1"); /* known here, with its sender */
    assert_string_equal(t.cancels[2].source, "OURS");
    r.n_attempts = 2;
    r.sealed_len = 0;
    t.status_cb(t.status_arg, &(struct pin_answer){.verdict = PIN_OK, .record = &r});
    assert_int_equal(t.n_cancels, 4);
    assert_string_equal(t.cancels[3].source, "(carrier's)");
    t.status_cb(t.status_arg, &(struct pin_answer){.verdict = PIN_NOT_FOUND});
    t.status_cb(t.status_arg, &(struct pin_answer){.result = ERR_TIMEOUT});
    assert_int_equal(t.n_cancels, 4);
}

static void where_no_carrier_allows_it_no_record_is_read(void **state)
{
    (void)state;
    t.acme.cancel = false;
    overdue_cancelled(t.overdue, PIN);
    assert_int_equal(t.n_status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_asked_three_times_each_after_twice_the_time),
        TEST(while_a_question_is_open_none_is_asked),
        TEST(a_state_goes_to_the_ledger_and_a_final_one_ends_the_watch),
        TEST(what_the_ledger_did_not_take_is_asked_for_again),
        TEST(a_final_unknown_is_news_where_the_carrier_calls_it_final),
        TEST(a_receipt_ends_the_watch_of_its_part),
        TEST(an_answer_may_come_when_the_message_is_forgotten),
        TEST(what_cannot_be_asked_for_is_not_watched),
        TEST(at_the_bound_the_oldest_is_forgotten_and_counted),
        TEST(nothing_is_asked_after_the_life_of_the_pin),
        TEST(what_a_reload_took_away_is_not_asked_for),
        TEST(a_newer_message_withdraws_the_older_ones_once),
        TEST(a_late_response_withdraws_its_own_message_and_no_newer_one),
        TEST(a_newer_pin_that_ends_before_the_older_one_is_not_withdrawn),
        TEST(a_message_that_was_not_accepted_withdraws_nothing),
        TEST(a_cancelled_pin_withdraws_what_may_still_come),
        TEST(where_no_carrier_allows_it_no_record_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
