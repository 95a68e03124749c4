/* What an operator tells when it is asked about a message. */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER "385911234567"

static int told(struct rig *r, const struct sample *s, struct pin_told t, struct got *g)
{
    t.pin_id = s->drawn.pin_id;
    t.attempt = t.attempt ? t.attempt : 1;
    t.err = t.err ? t.err : "";
    return pin_ledger_told(r->ledger[0], &t, got_cb, g);
}

static enum pin_verdict do_told_as(struct rig *r, const struct sample *s, struct pin_told t)
{
    struct got g = {0};
    struct pin_answer a = wait_for(r, told(r, s, t, &g), &g);
    assert_int_equal(a.result, 0);
    return a.verdict;
}
#define do_told(r, s, ...) do_told_as(r, s, (struct pin_told){.done_ms = -1, __VA_ARGS__})
#define TOLD_DELIVERED     .state = PIN_ATT_DELIVERED, .final = true

static struct pin_ledger_info info_of(struct rig *r)
{
    struct pin_ledger_info info;
    pin_ledger_info(r->ledger[0], &info);
    return info;
}

static void it_is_noted_as_a_receipt_is(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g;
    assert_int_equal(do_accept(r, &s, "77"), PIN_OK);
    assert_int_equal(do_told(r, &s, .state = PIN_ATT_ENROUTE), PIN_OK);
    assert_int_equal(do_told(r, &s, .state = PIN_ATT_ENROUTE), PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ENROUTE);
    struct pin_told end = {
        .state = PIN_ATT_UNDELIVERABLE, .final = true, .err = "069", .done_ms = 1790000000000};
    assert_int_equal(do_told_as(r, &s, end), PIN_OK);
    do_status(r, &s, &g);
    assert_int_equal(g.record.attempts[0].state, PIN_ATT_UNDELIVERABLE);
    assert_string_equal(g.record.attempts[0].err, "069");
    assert_int_equal(g.record.attempts[0].done_ms, 1790000000000);
    assert_string_equal(g.record.attempts[0].message_id, "77");
    assert_int_equal(info_of(r).receipts_matched, 0); /* it is none */
    every_key_has_a_life(r);
}

static void the_first_final_state_stays(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_accept(r, &s, "77"), PIN_OK);
    assert_int_equal(do_told(r, &s, TOLD_DELIVERED), PIN_OK);
    struct pin_answer a = do_receipt(
        r, &(struct receipt_args){
               .id = "77", .state = PIN_ATT_EXPIRED, .final = true, .msisdn = &s.msisdn});
    assert_int_equal(a.verdict, PIN_DUPLICATE);
    assert_int_equal(do_told(r, &s, .state = PIN_ATT_ENROUTE), PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);

    struct sample o = sample_opened(r, "385911234568");
    assert_int_equal(do_accept(r, &o, "78"), PIN_OK);
    assert_int_equal(do_delivered(r, &o, "78").verdict, PIN_OK);
    assert_int_equal(do_told(r, &o, .state = PIN_ATT_EXPIRED, .final = true), PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &o, 1), PIN_ATT_DELIVERED);
}

static void of_a_message_in_segments_each_counts_for_itself(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    for (uint32_t i = 1; i <= 2; i++)
        assert_int_equal(do_sent(r, &s,
                                 &(struct sent_args){.state = PIN_ATT_ACCEPTED,
                                                     .id = i == 1 ? "71" : "72",
                                                     .segment = i,
                                                     .segments = 2}),
                         PIN_OK);
    assert_int_equal(do_told(r, &s, TOLD_DELIVERED, .segment = 2, .segments = 2), PIN_OK);
    assert_int_not_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(do_delivered(r, &s, "71").verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void a_pin_that_is_gone_is_not_written_to(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    assert_int_equal(do_told(r, &s, TOLD_DELIVERED), PIN_NOT_FOUND);
    assert_int_equal(look(r, "DBSIZE"), 0);
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_told(r, &s, TOLD_DELIVERED, .attempt = 2), PIN_NOT_FOUND);
}

static void an_answer_that_was_lost_counts_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0};
    assert_int_equal(do_accept(r, &s, "77"), PIN_OK);
    proxy_arm(r, PROXY_LOSE, 0);
    assert_int_equal(told(r, &s, (struct pin_told){TOLD_DELIVERED, .done_ms = -1}, &g), 0);
    RUN_UNTIL(r, g.calls);
    assert_int_equal(r->proxy_hits, 1);
    assert_int_equal(g.a.result, 0);
    assert_int_equal(g.a.verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void what_makes_no_sense_is_refused_at_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    struct got g = {0};
    static const struct pin_told wrong[] = {
        {.state = PIN_ATT_PENDING},
        {.attempt = PIN_ATTEMPTS_MAX + 1},
        {.segment = 3, .segments = 2},
        {.segment = 0, .segments = 2},
        {.segment = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(told(r, &s, wrong[i], &g), ERR_INVALID);
    struct pin_told no_pin = {.pin_id = "12", .attempt = 1, .err = ""};
    assert_int_equal(pin_ledger_told(r->ledger[0], &no_pin, got_cb, &g), ERR_INVALID);
    assert_int_equal(g.calls, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_noted_as_a_receipt_is),
        T(the_first_final_state_stays),
        T(of_a_message_in_segments_each_counts_for_itself),
        T(a_pin_that_is_gone_is_not_written_to),
        T(an_answer_that_was_lost_counts_once),
        T(what_makes_no_sense_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
