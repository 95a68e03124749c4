/* The PINs of a number, newest first, as verifications list them. */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER "385911234567"

struct seen { /* an answer of seen, kept */
    int calls, result;
    enum pin_verdict verdict;
    size_t n;
    struct pin_seen list[PIN_SEEN_MAX];
};

static void seen_cb(void *arg, const struct pin_answer *answer)
{
    struct seen *s = arg;
    s->calls++;
    s->result = answer->result;
    s->verdict = answer->verdict;
    s->n = answer->n_seen;
    assert_true(answer->n_seen <= PIN_SEEN_MAX);
    if (answer->result == 0)
        memcpy(s->list, answer->seen, s->n * sizeof s->list[0]);
}

static struct seen seen_of(struct rig *r, const struct pin_owner *owner)
{
    static struct seen s;
    s = (struct seen){0};
    assert_int_equal(pin_ledger_seen(r->ledger[0], owner, seen_cb, &s), 0);
    assert_int_equal(s.calls, 0); /* never inside the call */
    RUN_UNTIL(r, s.calls);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.result, 0);
    assert_int_equal(s.verdict, PIN_OK);
    return s;
}

static struct seen seen(struct rig *r, const struct sample *s)
{
    return seen_of(r, &(struct pin_owner){s->account, RIG_APP, &s->msisdn});
}

static void phone_key(const struct sample *s, char out[128])
{
    snprintf(out, 128, "pb:{%.3s}:phone:demo:" RIG_APP ":%s", s->drawn.pin_id, s->msisdn.digits);
}

static void an_opened_pin_is_listed_and_was_not_sent(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    assert_int_equal(seen(r, &s).n, 0);
    do_open(r, &s);
    struct seen l = seen(r, &s);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.list[0].sent_ms, 0);
    assert_int_equal(l.list[0].verified_ms, 0);
    every_key_has_a_life(r);
}

static void the_newest_comes_first_with_the_times_of_its_record(void **state)
{
    struct rig *r = *state;
    struct sample old = sample_live(r, NUMBER);
    do_verify(r, &old, true);
    struct sample s = sample_live(r, NUMBER), none = sample_opened(r, NUMBER);
    struct seen l = seen(r, &none);
    struct got of_old, of_s;
    do_status(r, &old, &of_old);
    do_status(r, &s, &of_s);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.list[0].sent_ms, 0);
    assert_int_equal(l.list[1].sent_ms, of_s.record.attempts[0].sent_ms);
    assert_int_equal(l.list[1].verified_ms, 0);
    assert_int_equal(l.list[2].sent_ms, of_old.record.attempts[0].sent_ms);
    assert_int_equal(l.list[2].verified_ms, of_old.record.verified_ms);
    assert_true(l.list[2].verified_ms > 0); /* also when a newer one has superseded it */
    assert_int_equal(of_old.record.state, PIN_SUPERSEDED);
}

static void sent_is_what_an_operator_has_or_may_have(void **state)
{
    struct rig *r = *state;
    static const struct {
        enum pin_attempt_state state;
        bool sent;
    } cases[] = {{PIN_ATT_ACCEPTED, true},
                 {PIN_ATT_IN_DOUBT, true},
                 {PIN_ATT_REFUSED, false},
                 {PIN_ATT_NOT_SENT, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sample s = sample_opened(r, NUMBER);
        do_sent(r, &s, &(struct sent_args){.state = cases[i].state, .id = "1"});
        assert_int_equal(seen(r, &s).list[0].sent_ms > 0, cases[i].sent);
        rig_flush(r);
    }
    struct sample s = sample_opened(r, NUMBER);
    do_accept(r, &s, "2");
    do_receipt(r, &(struct receipt_args){
                      .id = "2", .state = PIN_ATT_REJECTED, .final = true, .msisdn = &s.msisdn});
    assert_true(seen(r, &s).list[0].sent_ms > 0); /* whoever sends a receipt had it */
}

static void the_first_attempt_that_counts_gives_the_time(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_REFUSED});
    RUN_UNTIL(r, do_attempt(r, &s, 1).verdict == PIN_OK);
    do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .attempt = 2});
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(seen(r, &s).list[0].sent_ms, g.record.attempts[1].sent_ms);
    RUN_UNTIL(r, wall_ms() > g.record.attempts[1].sent_ms);
    assert_int_equal(do_attempt(r, &s, 2).verdict, PIN_OK);
    do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .attempt = 3});
    assert_int_equal(seen(r, &s).list[0].sent_ms, g.record.attempts[1].sent_ms);
}

static void a_pending_attempt_is_sent_once_it_is_in_doubt(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(seen(r, &s).list[0].sent_ms, 0);
    pin_ledger_free(r->ledger[0]);
    struct pin_ledger_options o = rig_options(r, 0);
    o.in_doubt_ms = 1;
    r->ledger[0] = pin_ledger_new(&o);
    RUN_UNTIL(r, attempt_of(r, &s, 1) == PIN_ATT_IN_DOUBT);
    assert_true(seen(r, &s).list[0].sent_ms > 0);
}

static void another_owners_pins_are_not_listed(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_live(r, NUMBER);
    const struct pin_owner others[] = {{"thief", RIG_APP, &s.msisdn},
                                       {"dem", RIG_APP, &s.msisdn},
                                       {"demo", RIG_TEMPLATE, &s.msisdn}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen_of(r, &others[i]).n, 0);
    struct msisdn other = s.msisdn;
    other.digits[other.len - 1] = '8';
    assert_int_equal(seen_of(r, &(struct pin_owner){"demo", RIG_APP, &other}).n, 0);
    /* A list that leads to another owner's record. */
    char phone[128], rec[128];
    phone_key(&s, phone);
    snprintf(rec, sizeof rec, "pb:{%.3s}:pin:%s", s.drawn.pin_id, s.drawn.pin_id);
    assert_int_equal(seen(r, &s).n, 1);
    look(r, "HSET %s a %b", rec, "demo 385911234568", (size_t)17);
    assert_int_equal(seen(r, &s).n, 0);
    look(r, "HSET %s a %b", rec, "demo " NUMBER, (size_t)17);
    assert_int_equal(seen(r, &s).n, 1);
    look(r, "HSET %s p " RIG_TEMPLATE RIG_TEMPLATE, rec);
    assert_int_equal(seen(r, &s).n, 0);
}

static void what_is_no_owner_is_refused(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    struct msisdn none = {.len = 0};
    struct seen l = {0};
    const struct pin_owner bad[] = {{"", RIG_APP, &s.msisdn},
                                    {"a23456789012345678901234567890123", RIG_APP, &s.msisdn},
                                    {"demo", "", &s.msisdn},
                                    {"demo", "x", &s.msisdn},
                                    {"demo", "0123456789abcdef0123456789abcdef", &s.msisdn},
                                    {"demo", RIG_APP "0", &s.msisdn},
                                    {"demo", RIG_APP, &none}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pin_ledger_seen(r->ledger[0], &bad[i], seen_cb, &l), ERR_INVALID);
    assert_int_equal(l.calls, 0);
}

static void records_that_are_gone_are_left_out_and_leave_the_list(void **state)
{
    struct rig *r = *state;
    char phone[128];
    struct sample s[4];
    for (int i = 0; i < 3; i++) {
        s[i] = sample_new(r, NUMBER);
        s[i].policy.ttl_ms = i == 1 ? 900000 : 100;
        s[i].policy.per_phone.window_ms = 3600000;
    }
    pin_ledger_free(r->ledger[0]);
    struct pin_ledger_options o = rig_options(r, 0);
    o.keep_s = 1;
    r->ledger[0] = pin_ledger_new(&o);
    phone_key(&s[0], phone);
    do_open(r, &s[0]);
    do_open(r, &s[1]);
    assert_int_equal(seen(r, &s[0]).n, 2);
    assert_int_equal(look(r, "STRLEN %s", phone), 99 + 2 * 22);
    RUN_UNTIL(r, seen(r, &s[0]).n == 1); /* the older one's time is over */
    do_open(r, &s[2]);
    assert_int_equal(seen(r, &s[0]).n, 2);
    assert_int_equal(look(r, "STRLEN %s", phone), 99 + 2 * 22);
    every_key_has_a_life(r);
}

static void a_number_has_at_most_a_hundred(void **state)
{
    struct rig *r = *state;
    char phone[128];
    struct sample s;
    for (int i = 0; i <= PIN_SEEN_MAX; i++) {
        s = sample_opened(r, NUMBER);
        if (i == 0)
            do_accept(r, &s, "");
    }
    phone_key(&s, phone);
    struct seen l = seen(r, &s);
    assert_int_equal(l.n, PIN_SEEN_MAX);
    for (int i = 0; i < PIN_SEEN_MAX; i++)
        assert_int_equal(l.list[i].sent_ms, 0); /* the oldest, which was sent, has left */
    assert_int_equal(look(r, "STRLEN %s", phone), 99 + PIN_SEEN_MAX * 22);
    assert_int_equal(do_verify(r, &s, true).verdict, PIN_OK); /* and the rest is as it was */
    assert_true(seen(r, &s).list[0].verified_ms > 0);
}

static void a_refused_open_is_not_listed(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER), t = sample_new(r, NUMBER);
    t.policy.per_phone.count = 1;
    assert_int_equal(do_open(r, &t).verdict, PIN_TOO_MANY);
    assert_int_equal(seen(r, &s).n, 1);
}

/* As gateways before there was a list left it, which may run beside this one. */
static void a_number_without_a_list_gets_one_and_keeps_its_windows(void **state)
{
    struct rig *r = *state;
    for (size_t verifies = 0; verifies < 5; verifies++) {
        struct sample s = sample_opened(r, NUMBER), t = sample_new(r, NUMBER);
        char phone[128];
        phone_key(&s, phone);
        for (size_t i = 0; i < verifies; i++)
            assert_int_equal(do_verify(r, &s, false).attempts_remaining, 9 - i);
        size_t len = 66 + 11 * (verifies < 3 ? verifies : 3);
        look(r, "EVAL %s 1 %s %d",
             "return redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, "
             "ARGV[1]), 'KEEPTTL')",
             phone, (int)len);
        assert_int_equal(look(r, "STRLEN %s", phone), len);
        assert_int_equal(seen(r, &s).n, 0);
        assert_int_equal(do_verify(r, &s, false).attempts_remaining, 9 - verifies);
        do_open(r, &t);
        assert_int_equal(seen(r, &s).n, 1);
        t.policy.per_phone.count = 2;
        struct sample u = sample_new(r, NUMBER);
        u.policy.per_phone.count = 2;
        assert_int_equal(do_open(r, &u).verdict, PIN_TOO_MANY); /* both were counted */
        assert_int_equal(do_accept(r, &t, ""), PIN_OK);
        assert_int_equal(seen(r, &s).n, 1);
        assert_int_equal(do_verify(r, &t, true).verdict, PIN_OK);
        assert_int_equal(seen(r, &s).n, 1);
        every_key_has_a_life(r);
        rig_flush(r);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_opened_pin_is_listed_and_was_not_sent),
        T(the_newest_comes_first_with_the_times_of_its_record),
        T(sent_is_what_an_operator_has_or_may_have),
        T(the_first_attempt_that_counts_gives_the_time),
        T(a_pending_attempt_is_sent_once_it_is_in_doubt),
        T(another_owners_pins_are_not_listed),
        T(what_is_no_owner_is_refused),
        T(records_that_are_gone_are_left_out_and_leave_the_list),
        T(a_number_has_at_most_a_hundred),
        T(a_refused_open_is_not_listed),
        T(a_number_without_a_list_gets_one_and_keeps_its_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
