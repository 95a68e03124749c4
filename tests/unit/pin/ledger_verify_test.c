/* Every row of the table of verdicts, and what several at once do. */
#include "tests/unit/pin/ledger_rig.h"

static void expect(struct rig *r, const struct sample *s, bool right, enum pin_verdict verdict,
                   uint32_t left)
{
    struct pin_answer a = do_verify(r, s, right);
    assert_string_equal(pin_verdict_name(a.verdict), pin_verdict_name(verdict));
    assert_int_equal(a.attempts_remaining, left);
}

static struct sample sample_with(struct rig *r, const char *number, uint32_t attempts,
                                 bool multiple)
{
    struct sample s = sample_new(r, number);
    s.policy.pin_attempts = attempts;
    s.policy.allow_multiple = multiple;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    return s;
}

static void an_unknown_pin_is_not_found(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567");
    expect(r, &s, true, PIN_NOT_FOUND, 0);
    assert_int_equal(look(r, "DBSIZE"), 0);
}

static void a_live_pin_is_verified_and_uses_up_no_attempt(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 3, true);
    struct pin_answer a = do_verify(r, &s, true);
    assert_int_equal(a.verdict, PIN_OK);
    assert_int_equal(a.attempts_remaining, 0);
    assert_string_equal(a.msisdn.digits, "385911234567");
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.state, PIN_VERIFIED);
    assert_int_equal(g.record.attempts_remaining, 3);
    assert_true(g.record.verified_ms >= g.record.created_ms);
}

static void a_pending_pin_is_verified_too(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, "385911234567");
    expect(r, &s, false, PIN_WRONG, 9);
    expect(r, &s, true, PIN_OK, 0);
    /* The response comes late: the PIN stays verified. */
    assert_int_equal(do_accept(r, &s, "77"), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_VERIFIED);
}

static void a_single_use_pin_is_verified_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 3, false);
    expect(r, &s, true, PIN_OK, 0);
    expect(r, &s, true, PIN_NO_MORE_ATTEMPTS, 0);
    expect(r, &s, false, PIN_NO_MORE_ATTEMPTS, 0);
    assert_int_equal(state_of(r, &s), PIN_VERIFIED);
}

static void a_pin_for_many_uses_is_verified_again_and_still_counts_down(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 2, true);
    expect(r, &s, true, PIN_OK, 0);
    expect(r, &s, true, PIN_OK, 0);
    expect(r, &s, false, PIN_WRONG, 1);
    expect(r, &s, true, PIN_OK, 0);
    expect(r, &s, false, PIN_WRONG, 0);
    expect(r, &s, true, PIN_NO_MORE_ATTEMPTS, 0);
}

static void the_last_wrong_pin_exhausts(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 3, false);
    expect(r, &s, false, PIN_WRONG, 2);
    expect(r, &s, false, PIN_WRONG, 1);
    expect(r, &s, false, PIN_WRONG, 0);
    assert_int_equal(state_of(r, &s), PIN_EXHAUSTED);
    expect(r, &s, true, PIN_NO_MORE_ATTEMPTS, 0);
    expect(r, &s, false, PIN_NO_MORE_ATTEMPTS, 0);
}

static void a_pin_after_its_life_is_expired(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567");
    s.policy.ttl_ms = 60;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    RUN_UNTIL(r, state_of(r, &s) == PIN_EXPIRED);
    expect(r, &s, true, PIN_TTL_EXPIRED, 0);
    expect(r, &s, false, PIN_TTL_EXPIRED, 0);
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.attempts_remaining, 10);
}

static void a_verified_pin_is_not_verified_after_its_life(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567"), other = sample_new(r, "385911234568");
    s.policy.ttl_ms = other.policy.ttl_ms = 300;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_verify(r, &s, true).verdict, PIN_OK);
    assert_int_equal(do_open(r, &other).verdict, PIN_OK);
    RUN_UNTIL(r, state_of(r, &other) == PIN_EXPIRED);
    expect(r, &s, true, PIN_TTL_EXPIRED, 0);
    assert_int_equal(state_of(r, &s), PIN_VERIFIED);
}

static void a_cancelled_pin_answers_as_an_expired_one(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 3, true);
    assert_int_equal(do_cancel(r, &s), PIN_OK);
    assert_int_equal(do_cancel(r, &s), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_CANCELLED);
    expect(r, &s, true, PIN_TTL_EXPIRED, 0);
    expect(r, &s, false, PIN_TTL_EXPIRED, 0);
}

static void cancelling_a_pin_for_many_uses_ends_it_and_a_used_one_stays(void **state)
{
    struct rig *r = *state;
    struct sample many = sample_with(r, "385911234567", 3, true);
    expect(r, &many, true, PIN_OK, 0);
    assert_int_equal(do_cancel(r, &many), PIN_OK);
    expect(r, &many, true, PIN_TTL_EXPIRED, 0);
    struct sample once = sample_with(r, "385911234568", 3, false);
    expect(r, &once, true, PIN_OK, 0);
    assert_int_equal(do_cancel(r, &once), PIN_OK);
    expect(r, &once, true, PIN_NO_MORE_ATTEMPTS, 0);
}

static void a_superseded_pin_answers_as_an_expired_one(void **state)
{
    struct rig *r = *state;
    struct sample old = sample_with(r, "385911234567", 3, true);
    struct sample new = sample_with(r, "385911234567", 3, true);
    assert_int_equal(state_of(r, &old), PIN_SUPERSEDED);
    expect(r, &old, true, PIN_TTL_EXPIRED, 0);
    expect(r, &old, false, PIN_TTL_EXPIRED, 0);
    expect(r, &new, true, PIN_OK, 0);
}

static void a_pin_that_was_not_sent_answers_as_an_expired_one(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, "385911234567");
    const struct sent_args refused = {.state = PIN_ATT_REFUSED, .last = true};
    assert_int_equal(do_sent(r, &s, &refused), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_NOT_SENT);
    expect(r, &s, true, PIN_TTL_EXPIRED, 0);
}

static void verify_too_fast_says_when_and_counts_nothing(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567");
    s.policy.verify = (struct pin_limit){.count = 2, .window_ms = 300};
    s.policy.pin_attempts = 3;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    expect(r, &s, false, PIN_WRONG, 2);
    expect(r, &s, false, PIN_WRONG, 1);
    struct pin_answer a = do_verify(r, &s, true);
    assert_int_equal(a.verdict, PIN_TOO_MANY);
    assert_true(a.retry_after_ms > 0 && a.retry_after_ms <= 300);
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.attempts_remaining, 1);
    RUN_UNTIL(r, do_verify(r, &s, true).verdict != PIN_TOO_MANY);
    assert_int_equal(state_of(r, &s), PIN_VERIFIED);
}

static void the_pace_comes_before_the_end_of_a_pin(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567");
    s.policy.verify = (struct pin_limit){.count = 1, .window_ms = 60000};
    s.policy.pin_attempts = 1;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    expect(r, &s, false, PIN_WRONG, 0);
    assert_int_equal(do_verify(r, &s, false).verdict, PIN_TOO_MANY);
    /* It is the number's and application's pace, over PINs. */
    struct sample next = sample_new(r, "385911234567");
    next.policy.verify = s.policy.verify;
    assert_int_equal(do_open(r, &next).verdict, PIN_OK);
    assert_int_equal(do_verify(r, &next, true).verdict, PIN_TOO_MANY);
}

static void another_account_sees_absence_and_changes_nothing(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_with(r, "385911234567", 3, false);
    struct sample thief = s;
    /* The second: the start of the right name, which must not be enough. */
    const char *const names[] = {"other", "dem"};
    for (size_t i = 0; i < 2; i++) {
        struct got g;
        thief.account = names[i];
        expect(r, &thief, true, PIN_NOT_FOUND, 0);
        assert_int_equal(do_cancel(r, &thief), PIN_NOT_FOUND);
        assert_int_equal(do_status(r, &thief, &g).verdict, PIN_NOT_FOUND);
        assert_null(g.a.record);
        assert_int_equal(do_attempt(r, &thief, 1).verdict, PIN_NOT_FOUND);
        assert_int_equal(do_accept(r, &thief, "55"), PIN_NOT_FOUND);
        g = (struct got){0};
        assert_int_equal(
            wait_for(r,
                     pin_ledger_resend(r->ledger[0],
                                       &(struct pin_next){.account = thief.account,
                                                          .pin_id = s.drawn.pin_id,
                                                          .per_phone = &s.policy.per_phone,
                                                          .carrier = "acme"},
                                       got_cb, &g),
                     &g)
                .verdict,
            PIN_NOT_FOUND);
    }
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.state, PIN_LIVE);
    assert_int_equal(g.record.n_attempts, 1);
    assert_int_equal(g.record.attempts_remaining, 3);
    expect(r, &s, true, PIN_OK, 0);
}

static void a_ledger_that_did_not_open_the_pin_verifies_it(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_live(r, "385911234567");
    for (int i = 0; i < 2; i++) { /* asked for its owner, then remembered */
        struct got g = {0};
        struct pin_answer a = wait_for(
            r, pin_ledger_verify(r->ledger[1], "demo", s.drawn.pin_id, s.drawn.pin, 6, got_cb, &g),
            &g);
        assert_int_equal(a.verdict, PIN_OK);
        assert_string_equal(a.msisdn.digits, s.msisdn.digits);
    }
}

static void of_many_verifies_at_once_exactly_one_succeeds(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, "385911234567");
    s.policy.allow_multiple = false;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    static struct got g[200];
    memset(g, 0, sizeof g);
    for (int i = 0; i < 200; i++)
        assert_int_equal(pin_ledger_verify(r->ledger[i % 2], "demo", s.drawn.pin_id, s.drawn.pin, 6,
                                           got_cb, &g[i]),
                         0);
    int done = 0, good = 0;
    for (int i = 0; i < 200; i++) {
        RUN_UNTIL(r, g[i].calls);
        done += g[i].calls;
        good += g[i].a.result == 0 && g[i].a.verdict == PIN_OK;
        if (g[i].a.verdict != PIN_OK)
            assert_int_equal(g[i].a.verdict, PIN_NO_MORE_ATTEMPTS);
    }
    assert_int_equal(done, 200);
    assert_int_equal(good, 1);
}

static void a_record_that_is_gone_is_not_written(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, "385911234567");
    struct got g = {0};
    rig_flush(r);
    expect(r, &s, true, PIN_NOT_FOUND, 0);
    assert_int_equal(do_cancel(r, &s), PIN_NOT_FOUND);
    assert_int_equal(do_attempt(r, &s, 1).verdict, PIN_NOT_FOUND);
    assert_int_equal(do_accept(r, &s, ""), PIN_NOT_FOUND);
    assert_int_equal(do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_REFUSED, .last = true}),
                     PIN_NOT_FOUND);
    wait_for(r,
             pin_ledger_resend(r->ledger[0],
                               &(struct pin_next){.account = "demo",
                                                  .pin_id = s.drawn.pin_id,
                                                  .per_phone = &s.policy.per_phone,
                                                  .carrier = "acme"},
                               got_cb, &g),
             &g);
    assert_int_equal(g.a.verdict, PIN_NOT_FOUND);
    assert_int_equal(look(r, "DBSIZE"), 0);
}

static void a_phone_hash_that_is_gone_comes_back_with_a_life(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, "385911234567");
    char phone[128];
    snprintf(phone, sizeof phone, "pb:{%.3s}:phone:demo:" RIG_APP ":385911234567", s.drawn.pin_id);
    assert_int_equal(look(r, "DEL %s", phone), 1);
    expect(r, &s, false, PIN_WRONG, 9);
    every_key_has_a_life(r);
    assert_int_equal(look(r, "DEL %s", phone), 1);
    assert_int_equal(do_accept(r, &s, "1"), PIN_OK);
    assert_int_equal(look(r, "EXISTS %s", phone), 1);
    every_key_has_a_life(r);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_unknown_pin_is_not_found),
        T(a_live_pin_is_verified_and_uses_up_no_attempt),
        T(a_pending_pin_is_verified_too),
        T(a_single_use_pin_is_verified_once),
        T(a_pin_for_many_uses_is_verified_again_and_still_counts_down),
        T(the_last_wrong_pin_exhausts),
        T(a_pin_after_its_life_is_expired),
        T(a_verified_pin_is_not_verified_after_its_life),
        T(a_cancelled_pin_answers_as_an_expired_one),
        T(cancelling_a_pin_for_many_uses_ends_it_and_a_used_one_stays),
        T(a_superseded_pin_answers_as_an_expired_one),
        T(a_pin_that_was_not_sent_answers_as_an_expired_one),
        T(verify_too_fast_says_when_and_counts_nothing),
        T(the_pace_comes_before_the_end_of_a_pin),
        T(another_account_sees_absence_and_changes_nothing),
        T(a_ledger_that_did_not_open_the_pin_verifies_it),
        T(of_many_verifies_at_once_exactly_one_succeeds),
        T(a_record_that_is_gone_is_not_written),
        T(a_phone_hash_that_is_gone_comes_back_with_a_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
