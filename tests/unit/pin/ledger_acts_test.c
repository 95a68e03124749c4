/* Opening, further attempts, resends, windows, and the life of the ledger itself. */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER "385911234567"

static struct pin_app app_with(uint32_t count, int64_t window_ms)
{
    struct pin_app app = {.account = "demo", .id = RIG_APP, .enabled = true};
    pin_policy_default(&app.policy);
    app.policy.per_app = (struct pin_limit){.count = count, .window_ms = window_ms};
    return app;
}

static struct pin_answer do_admit(struct rig *r, int ledger, const struct pin_app *app)
{
    struct got g = {0};
    return wait_for(r, pin_ledger_admit_app(r->ledger[ledger], app, got_cb, &g), &g);
}

static struct pin_answer do_resend(struct rig *r, const struct sample *s, struct got *g)
{
    *g = (struct got){0};
    return wait_for(r,
                    pin_ledger_resend(r->ledger[0],
                                      &(struct pin_next){.account = s->account,
                                                         .pin_id = s->drawn.pin_id,
                                                         .per_phone = &s->policy.per_phone,
                                                         .carrier = "gamma"},
                                      got_cb, g),
                    g);
}

static void what_open_was_given_is_what_status_reads(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    s.spec.no_look_alikes = true;
    struct pin_answer a = do_open(r, &s);
    assert_int_equal(a.verdict, PIN_OK);
    assert_int_equal(a.attempt, 1);
    assert_int_equal(a.ttl_left_ms, s.policy.ttl_ms);
    struct got g;
    do_status(r, &s, &g);
    const struct pin_record *rec = &g.record;
    assert_string_equal(rec->pin_id, s.drawn.pin_id);
    assert_string_equal(rec->app_id, RIG_APP);
    assert_string_equal(rec->template_id, RIG_TEMPLATE);
    assert_int_equal(rec->template_revision, 7);
    assert_string_equal(rec->msisdn.digits, NUMBER);
    assert_int_equal(rec->spec.type, PIN_NUMERIC);
    assert_int_equal(rec->spec.length, 6);
    assert_true(rec->spec.no_look_alikes);
    assert_int_equal(rec->key_id, s.drawn.key_id);
    assert_int_equal(rec->step, s.drawn.step);
    assert_memory_equal(rec->nonce, s.drawn.nonce, PIN_NONCE_SIZE);
    assert_int_equal(rec->sealed_len, sizeof s.sealed);
    assert_memory_equal(rec->sealed, s.sealed, sizeof s.sealed);
    assert_int_equal(rec->state, PIN_PENDING);
    assert_int_equal(rec->expires_ms, a.expires_ms);
    assert_int_equal(rec->expires_ms - rec->created_ms, s.policy.ttl_ms);
    assert_int_equal(rec->attempts_remaining, 10);
    assert_int_equal(rec->n_attempts, 1);
    assert_string_equal(rec->attempts[0].carrier, "acme");
    assert_int_equal(rec->attempts[0].state, PIN_ATT_PENDING);
    assert_int_equal(rec->attempts[0].sent_ms, rec->created_ms);
    assert_int_equal(rec->attempts[0].done_ms, 0);
    every_key_has_a_life(r);
}

static void a_record_keeps_the_most_that_may_be_sealed(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    uint8_t sealed[PIN_SEAL_MAX];
    struct got g = {0}, h;
    for (size_t i = 0; i < sizeof sealed; i++)
        sealed[i] = (uint8_t)(i * 13);
    const struct pin_open o = {.drawn = &s.drawn,
                               .owner = {s.account, RIG_APP, &s.msisdn},
                               .spec = &s.spec,
                               .policy = &s.policy,
                               .template_id = RIG_TEMPLATE,
                               .sealed = sealed,
                               .sealed_len = sizeof sealed,
                               .carrier = "a-carrier-with-the-longest-name."};
    assert_int_equal(wait_for(r, pin_ledger_open(r->ledger[0], &o, got_cb, &g), &g).verdict,
                     PIN_OK);
    do_status(r, &s, &h);
    assert_int_equal(h.record.sealed_len, sizeof sealed);
    assert_memory_equal(h.record.sealed, sealed, sizeof sealed);
    assert_string_equal(h.record.attempts[0].carrier, o.carrier);
    char key[128];
    snprintf(key, sizeof key, "pb:{%.3s}:pin:%s", s.drawn.pin_id, s.drawn.pin_id);
    redisReply *encoding = redisCommand(r->look, "OBJECT ENCODING %s", key);
    assert_string_equal(encoding->str, "listpack");
    freeReplyObject(encoding);
}

static void neither_the_pin_nor_the_typed_text_stands_in_redis(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    do_verify(r, &s, true);
    redisReply *keys = redisCommand(r->look, "KEYS *");
    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *all = redisCommand(r->look, "HGETALL %s", keys->element[i]->str);
        for (size_t j = 0; j < all->elements; j++)
            assert_null(memmem(all->element[j]->str, all->element[j]->len, s.drawn.pin,
                               strlen(s.drawn.pin)));
        freeReplyObject(all);
    }
    freeReplyObject(keys);
}

static void the_number_has_a_window_over_its_pins(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 4; i++) {
        struct sample s = sample_new(r, NUMBER);
        s.policy.per_phone = (struct pin_limit){.count = 3, .window_ms = 60000};
        struct pin_answer a = do_open(r, &s);
        assert_int_equal(a.verdict, i < 3 ? PIN_OK : PIN_TOO_MANY);
        if (i == 3) {
            struct got g;
            assert_true(a.retry_after_ms > 0 && a.retry_after_ms <= 60000);
            assert_int_equal(do_status(r, &s, &g).verdict, PIN_NOT_FOUND);
        }
    }
    struct sample other = sample_new(r, "385911234568");
    other.policy.per_phone = (struct pin_limit){.count = 3, .window_ms = 60000};
    assert_int_equal(do_open(r, &other).verdict, PIN_OK);
}

static void a_window_that_is_over_begins_again(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    s.policy.per_phone = (struct pin_limit){.count = 1, .window_ms = 100};
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    struct sample t = sample_new(r, NUMBER);
    t.policy.per_phone = s.policy.per_phone;
    assert_int_equal(do_open(r, &t).verdict, PIN_TOO_MANY);
    RUN_UNTIL(r, do_open(r, &t).verdict == PIN_OK);
}

static void the_next_attempt_is_won_by_who_knows_the_newest(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct pin_answer a = do_attempt(r, &s, 1);
    assert_int_equal(a.verdict, PIN_OK);
    assert_int_equal(a.attempt, 2);
    assert_true(a.ttl_left_ms > 0 && a.expires_ms > 0);
    assert_int_equal(do_attempt(r, &s, 1).verdict, PIN_LOST_RACE);
    assert_int_equal(do_attempt(r, &s, 3).verdict, PIN_LOST_RACE);
    for (uint32_t i = 2; i < PIN_ATTEMPTS_MAX; i++)
        assert_int_equal(do_attempt(r, &s, i).attempt, i + 1);
    assert_int_equal(do_attempt(r, &s, PIN_ATTEMPTS_MAX).verdict, PIN_LOST_RACE);
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.n_attempts, PIN_ATTEMPTS_MAX);
    assert_string_equal(g.record.attempts[7].carrier, "beta");
}

static void a_pin_that_is_over_gets_no_further_attempt(void **state)
{
    struct rig *r = *state;
    struct sample verified = sample_opened(r, "385911234561");
    do_verify(r, &verified, true);
    assert_int_equal(do_attempt(r, &verified, 1).verdict, PIN_LOST_RACE);
    struct sample cancelled = sample_opened(r, "385911234562");
    do_cancel(r, &cancelled);
    assert_int_equal(do_attempt(r, &cancelled, 1).verdict, PIN_LOST_RACE);
    struct sample old = sample_live(r, "385911234563");
    sample_live(r, "385911234563");
    assert_int_equal(do_attempt(r, &old, 1).verdict, PIN_LOST_RACE);
    struct sample exhausted = sample_new(r, "385911234564");
    exhausted.policy.pin_attempts = 1;
    do_open(r, &exhausted);
    do_verify(r, &exhausted, false);
    assert_int_equal(do_attempt(r, &exhausted, 1).verdict, PIN_LOST_RACE);
    struct sample expired = sample_new(r, "385911234565");
    expired.policy.ttl_ms = 30;
    do_open(r, &expired);
    RUN_UNTIL(r, state_of(r, &expired) == PIN_EXPIRED);
    assert_int_equal(do_attempt(r, &expired, 1).verdict, PIN_LOST_RACE);
}

static void of_two_gateways_one_wins_the_attempt(void **state)
{
    struct rig *r = *state;
    for (int round = 0; round < 20; round++) {
        struct sample s = sample_opened(r, NUMBER);
        struct got g[8] = {0};
        int won = 0;
        for (int i = 0; i < 8; i++)
            assert_int_equal(pin_ledger_attempt(r->ledger[i % 2],
                                                &(struct pin_next){.account = "demo",
                                                                   .pin_id = s.drawn.pin_id,
                                                                   .last = 1,
                                                                   .carrier = "beta"},
                                                got_cb, &g[i]),
                             0);
        for (int i = 0; i < 8; i++) {
            RUN_UNTIL(r, g[i].calls);
            won += g[i].a.verdict == PIN_OK;
        }
        assert_int_equal(won, 1);
        struct got st;
        do_status(r, &s, &st);
        assert_int_equal(st.record.n_attempts, 2);
    }
}

static void a_resend_counts_as_a_send_and_hands_back_what_draws_the_pin(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    struct got g;
    s.policy.per_phone = (struct pin_limit){.count = 2, .window_ms = 3600000};
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_resend(r, &s, &g).verdict, PIN_NOT_LIVE);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    struct pin_answer a = do_resend(r, &s, &g);
    assert_int_equal(a.verdict, PIN_OK);
    assert_int_equal(a.attempt, 2);
    assert_int_equal(g.record.n_attempts, 2);
    assert_string_equal(g.record.attempts[1].carrier, "gamma");
    assert_memory_equal(g.record.sealed, s.sealed, sizeof s.sealed);
    struct pin_drawn again = {.key_id = g.record.key_id, .step = g.record.step};
    memcpy(again.pin_id, g.record.pin_id, sizeof again.pin_id);
    memcpy(again.nonce, g.record.nonce, sizeof again.nonce);
    assert_int_equal(pin_draw_again(r->ring, &g.record.spec, &again), 0);
    assert_string_equal(again.pin, s.drawn.pin);
    a = do_resend(r, &s, &g);
    assert_int_equal(a.verdict, PIN_TOO_MANY);
    assert_true(a.retry_after_ms > 0);
    struct sample next = sample_new(r, NUMBER);
    next.policy.per_phone = s.policy.per_phone;
    assert_int_equal(do_open(r, &next).verdict, PIN_TOO_MANY);
    /* The life is not extended. */
    do_status(r, &s, &g);
    assert_int_equal(g.record.expires_ms - g.record.created_ms, s.policy.ttl_ms);
    every_key_has_a_life(r);
}

static void under_a_minute_of_life_there_is_no_resend(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    struct got g;
    s.policy.ttl_ms = 59000;
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    assert_int_equal(do_resend(r, &s, &g).verdict, PIN_NOT_LIVE);
}

static void resends_are_as_many_as_attempts(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_live(r, NUMBER);
    struct got g;
    for (int i = 2; i <= PIN_ATTEMPTS_MAX; i++)
        assert_int_equal(do_resend(r, &s, &g).attempt, i);
    struct pin_answer a = do_resend(r, &s, &g);
    assert_int_equal(a.verdict, PIN_TOO_MANY);
    assert_true(a.retry_after_ms > 0);
}

static void a_pending_attempt_of_some_age_reads_in_doubt(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    pin_ledger_free(r->ledger[0]);
    struct pin_ledger_options o = rig_options(r, 0);
    o.in_doubt_ms = 20;
    r->ledger[0] = pin_ledger_new(&o);
    RUN_UNTIL(r, attempt_of(r, &s, 1) == PIN_ATT_IN_DOUBT);
    assert_int_equal(state_of(r, &s), PIN_PENDING);
}

/* --- application's window -------------------------------------------------------------------- */

/* The script is loaded at its first use, which lets later commands pass it. */
static void unadmit_loaded(struct rig *r)
{
    struct pin_app app = app_with(1, 60000);
    memset(app.id, 'A', 32);
    for (int i = 0; i < 2; i++) {
        RUN_UNTIL(r, do_admit(r, i, &app).verdict == PIN_OK);
        pin_ledger_unadmit_app(r->ledger[i], app.id);
        RUN_UNTIL(r, do_admit(r, i, &app).verdict == PIN_OK);
        pin_ledger_unadmit_app(r->ledger[i], app.id);
    }
}

static void an_applications_window_counts_over_gateways(void **state)
{
    struct rig *r = *state;
    struct pin_app app = app_with(5, 60000);
    for (int i = 0; i < 5; i++)
        assert_int_equal(do_admit(r, i % 2, &app).verdict, PIN_OK);
    struct pin_answer a = do_admit(r, 0, &app);
    assert_int_equal(a.verdict, PIN_TOO_MANY);
    assert_true(a.retry_after_ms > 0 && a.retry_after_ms <= 60000);
    every_key_has_a_life(r);
}

static void an_admission_is_given_back_once(void **state)
{
    struct rig *r = *state;
    struct pin_app app = app_with(1, 60000);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_OK);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_TOO_MANY);
    pin_ledger_unadmit_app(r->ledger[0], RIG_APP);
    RUN_UNTIL(r, do_admit(r, 0, &app).verdict == PIN_OK);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_TOO_MANY);
    /* Never below zero. */
    for (int i = 0; i < 3; i++)
        pin_ledger_unadmit_app(r->ledger[0], RIG_APP);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_OK);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_TOO_MANY);
}

static void nothing_is_given_back_to_another_window(void **state)
{
    struct rig *r = *state;
    struct pin_app app = app_with(1, 80);
    unadmit_loaded(r);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_OK);
    RUN_UNTIL(r, do_admit(r, 1, &app).verdict == PIN_OK); /* the other gateway's new window */
    app.policy.per_app.window_ms = 60000;
    assert_int_equal(do_admit(r, 1, &app).verdict, PIN_TOO_MANY);
    pin_ledger_unadmit_app(r->ledger[0], RIG_APP);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_TOO_MANY);
}

static void after_a_change_of_window_it_is_not_sure_and_nothing_is_given_back(void **state)
{
    struct rig *r = *state;
    struct pin_app app = app_with(1, 80);
    unadmit_loaded(r);
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_OK);
    RUN_UNTIL(r, do_admit(r, 0, &app).verdict == PIN_OK);
    app.policy.per_app.window_ms = 60000;
    pin_ledger_unadmit_app(r->ledger[0], RIG_APP); /* may be the first one's */
    assert_int_equal(do_admit(r, 0, &app).verdict, PIN_TOO_MANY);
}

static void unadmit_of_an_unknown_application_writes_nothing(void **state)
{
    struct rig *r = *state;
    struct got g;
    struct sample s = sample_new(r, NUMBER);
    pin_ledger_unadmit_app(r->ledger[0], RIG_APP);
    do_status(r, &s, &g);
    assert_int_equal(look(r, "DBSIZE"), 0);
}

/* --- the ledger's own life ------------------------------------------------------------------- */

static void at_its_bound_a_ledger_takes_no_more(void **state)
{
    struct rig *r = *state;
    struct pin_ledger_options o = rig_options(r, 1);
    o.max_outstanding = 3;
    struct pin_ledger *l = pin_ledger_new(&o);
    struct sample s = sample_opened(r, NUMBER);
    struct got g[4] = {0};
    struct pin_ledger_info info;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pin_ledger_status(l, "demo", s.drawn.pin_id, got_cb, &g[i]),
                         i < 3 ? 0 : ERR_FULL);
    RUN_UNTIL(r, g[2].calls);
    assert_int_equal(g[0].calls + g[1].calls + g[2].calls, 3);
    assert_int_equal(g[3].calls, 0);
    pin_ledger_info(l, &info);
    assert_int_equal(info.outstanding, 0);
    assert_int_equal(info.acts, 3);
    pin_ledger_free(l);
}

static void free_ends_every_outstanding_act_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g[5] = {0};
    const struct receipt_args receipt = {.id = "9", .state = PIN_ATT_ENROUTE, .msisdn = &s.msisdn};
    assert_int_equal(sample_open(r, &s, 0, &g[0]), 0);
    assert_int_equal(
        sample_sent(r, &s, 0, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = "9"}, &g[1]), 0);
    assert_int_equal(rig_receipt(r, 0, &receipt, &g[2]), 0);
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, "1", 1, got_cb, &g[3]),
                     0);
    assert_int_equal(pin_ledger_status(r->ledger[0], "demo", s.drawn.pin_id, got_cb, &g[4]), 0);
    pin_ledger_free(r->ledger[0]);
    r->ledger[0] = NULL;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(g[i].calls, 1);
        assert_int_equal(g[i].a.result, ERR_CLOSED);
    }
    struct got other = {0}; /* the store's answers come to nobody */
    wait_for(r, pin_ledger_status(r->ledger[1], "demo", s.drawn.pin_id, got_cb, &other), &other);
    for (int i = 0; i < 20; i++)
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(g[i].calls, 1);
}

struct late {
    struct rig *r;
    int calls, rc;
    char pin_id[PIN_ID_SIZE];
};

static void late_cb(void *arg, const struct pin_answer *answer)
{
    struct late *t = arg;
    t->calls++;
    assert_int_equal(answer->result, ERR_CLOSED);
    t->rc = pin_ledger_status(t->r->ledger[0], "demo", t->pin_id, late_cb, t);
    pin_ledger_unadmit_app(t->r->ledger[0], RIG_APP);
}

static void in_the_callback_of_the_end_no_new_act_begins(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct late t = {.r = r};
    memcpy(t.pin_id, s.drawn.pin_id, sizeof t.pin_id);
    assert_int_equal(pin_ledger_status(r->ledger[0], "demo", t.pin_id, late_cb, &t), 0);
    pin_ledger_free(r->ledger[0]);
    r->ledger[0] = NULL;
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.rc, ERR_CLOSED);
}

static void beyond_what_is_remembered_owners_are_asked_for(void **state)
{
    struct rig *r = *state;
    struct pin_ledger_options o = rig_options(r, 0);
    o.where_cache = 2;
    pin_ledger_free(r->ledger[0]);
    r->ledger[0] = pin_ledger_new(&o);
    struct sample s[4];
    for (int i = 0; i < 4; i++) {
        char number[32];
        snprintf(number, sizeof number, "38591123456%d", i);
        s[i] = sample_opened(r, number);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(do_accept(r, &s[i], "5"), PIN_OK);
        assert_int_equal(do_delivered(r, &s[i], "5").verdict, PIN_OK);
        assert_int_equal(do_verify(r, &s[i], true).verdict, PIN_OK);
    }
    every_key_has_a_life(r);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_open_was_given_is_what_status_reads),
        T(a_record_keeps_the_most_that_may_be_sealed),
        T(neither_the_pin_nor_the_typed_text_stands_in_redis),
        T(the_number_has_a_window_over_its_pins),
        T(a_window_that_is_over_begins_again),
        T(the_next_attempt_is_won_by_who_knows_the_newest),
        T(a_pin_that_is_over_gets_no_further_attempt),
        T(of_two_gateways_one_wins_the_attempt),
        T(a_resend_counts_as_a_send_and_hands_back_what_draws_the_pin),
        T(under_a_minute_of_life_there_is_no_resend),
        T(resends_are_as_many_as_attempts),
        T(a_pending_attempt_of_some_age_reads_in_doubt),
        T(an_applications_window_counts_over_gateways),
        T(an_admission_is_given_back_once),
        T(nothing_is_given_back_to_another_window),
        T(after_a_change_of_window_it_is_not_sure_and_nothing_is_given_back),
        T(unadmit_of_an_unknown_application_writes_nothing),
        T(at_its_bound_a_ledger_takes_no_more),
        T(free_ends_every_outstanding_act_once),
        T(in_the_callback_of_the_end_no_new_act_begins),
        T(beyond_what_is_remembered_owners_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
