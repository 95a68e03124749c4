/* Each act with an answer lost or late: the same verdict, counted once. */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER "385911234567"
#define STEPS  6 /* more than any act has */

static const enum proxy_mode modes[] = {PROXY_LOSE, PROXY_HOLD};

/* What the proxy withholds it lets go once the store has given the command up. */
static void wait_through(struct rig *r, struct got *g)
{
    struct store_info before, now;
    store_info(r->store[0], &before);
    RUN_UNTIL(r, (store_info(r->store[0], &now), g->calls || now.timeouts > before.timeouts));
    proxy_release(r);
    RUN_UNTIL(r, g->calls);
    for (int i = 0; i < 10; i++)
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    assert_int_equal(g->calls, 1);
    RUN_UNTIL(r, store_is_up(r->store[0]));
}

/* Runs `issue` with the answer after `step` others gone; false when the act has no such step. */
#define WITH_LOSS(r, mode, step, g, issue)                                                         \
    do {                                                                                           \
        proxy_arm(r, mode, step);                                                                  \
        assert_int_equal(issue, 0);                                                                \
        wait_through(r, g);                                                                        \
        assert_int_equal((g)->a.result, 0);                                                        \
    } while (0)

#define EACH_LOSS(m, step)                                                                         \
    for (size_t m = 0; m < 2; m++)                                                                 \
        for (int step = 0; step < STEPS; step++)

static const char *phone_of(const struct sample *s)
{
    static char phone[128];
    snprintf(phone, sizeof phone, "pb:{%.3s}:phone:demo:" RIG_APP ":" NUMBER, s->drawn.pin_id);
    return phone;
}

static int counted_sends(struct rig *r, const struct sample *s)
{
    const char *phone = phone_of(s);
    redisReply *reply = redisCommand(r->look, "GET %s", phone);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    int n = (uint8_t)reply->str[9];
    freeReplyObject(reply);
    return n;
}

static void open_repeated_counts_once(void **state)
{
    struct rig *r = *state;
    EACH_LOSS(m, step)
    {
        struct sample s = sample_new(r, NUMBER);
        struct got g = {0}, st;
        WITH_LOSS(r, modes[m], step, &g, sample_open(r, &s, 0, &g));
        assert_int_equal(g.a.verdict, PIN_OK);
        assert_int_equal(g.a.attempt, 1);
        assert_int_equal(counted_sends(r, &s), 1);
        assert_int_equal(look(r, "STRLEN %s", phone_of(&s)), 99 + 22); /* listed once */
        do_status(r, &s, &st);
        assert_int_equal(st.record.expires_ms, g.a.expires_ms);
        assert_int_equal(r->proxy_hits, step == 0);
        rig_flush(r);
    }
}

static void an_open_repeated_after_another_one_is_listed_once(void **state)
{
    struct rig *r = *state;
    struct sample first = sample_opened(r, NUMBER), s = sample_new(r, NUMBER),
                  between = sample_new(r, NUMBER);
    struct got g = {0}, h = {0};
    proxy_arm(r, PROXY_HOLD, 0);
    assert_int_equal(sample_open(r, &s, 0, &g), 0);
    RUN_UNTIL(r, r->proxy_hits);
    wait_for(r, sample_open(r, &between, 1, &h), &h); /* at the other gateway */
    wait_through(r, &g);
    assert_int_equal(g.a.result, 0);
    assert_int_equal(g.a.verdict, PIN_OK);
    assert_int_equal(counted_sends(r, &first), 3);
    assert_int_equal(look(r, "STRLEN %s", phone_of(&s)), 99 + 3 * 22);
}

static void count_seen_cb(void *arg, const struct pin_answer *answer)
{
    got_cb(arg, answer);
    assert_true(answer->result < 0 || answer->n_seen == 1);
}

static void seen_repeated_answers(void **state)
{
    struct rig *r = *state;
    for (size_t m = 0; m < 2; m++) {
        struct sample s = sample_opened(r, NUMBER);
        struct got g = {0};
        WITH_LOSS(r, modes[m], 0, &g,
                  pin_ledger_seen(r->ledger[0], &(struct pin_owner){"demo", RIG_APP, &s.msisdn},
                                  count_seen_cb, &g));
        rig_flush(r);
    }
}

static void admit_repeated_counts_once(void **state)
{
    struct rig *r = *state;
    struct pin_app app = {.account = "demo", .id = RIG_APP};
    pin_policy_default(&app.policy);
    app.policy.per_app = (struct pin_limit){.count = 2, .window_ms = 60000};
    for (size_t m = 0; m < 2; m++) {
        struct got g[3] = {0};
        for (int i = 0; i < 2; i++) {
            WITH_LOSS(r, modes[m], 0, &g[i],
                      pin_ledger_admit_app(r->ledger[0], &app, got_cb, &g[i]));
            assert_int_equal(g[i].a.verdict, PIN_OK);
        }
        wait_for(r, pin_ledger_admit_app(r->ledger[0], &app, got_cb, &g[2]), &g[2]);
        assert_int_equal(g[2].a.verdict, PIN_TOO_MANY);
        rig_flush(r);
    }
}

static void attempt_repeated_wins_again_and_writes_one(void **state)
{
    struct rig *r = *state;
    for (size_t m = 0; m < 2; m++) {
        struct sample s = sample_opened(r, NUMBER);
        struct got g = {0}, st;
        WITH_LOSS(r, modes[m], 0, &g,
                  pin_ledger_attempt(r->ledger[0],
                                     &(struct pin_next){.account = "demo",
                                                        .pin_id = s.drawn.pin_id,
                                                        .last = 1,
                                                        .carrier = "beta"},
                                     got_cb, &g));
        assert_int_equal(g.a.verdict, PIN_OK);
        assert_int_equal(g.a.attempt, 2);
        do_status(r, &s, &st);
        assert_int_equal(st.record.n_attempts, 2);
        rig_flush(r);
    }
}

static void resend_repeated_counts_once(void **state)
{
    struct rig *r = *state;
    for (size_t m = 0; m < 2; m++) {
        struct sample s = sample_live(r, NUMBER);
        struct got g = {0};
        WITH_LOSS(r, modes[m], 0, &g,
                  pin_ledger_resend(r->ledger[0],
                                    &(struct pin_next){.account = "demo",
                                                       .pin_id = s.drawn.pin_id,
                                                       .per_phone = &s.policy.per_phone,
                                                       .carrier = "beta"},
                                    got_cb, &g));
        assert_int_equal(g.a.verdict, PIN_OK);
        assert_int_equal(g.a.attempt, 2);
        assert_int_equal(g.record.n_attempts, 2);
        assert_int_equal(counted_sends(r, &s), 2);
        rig_flush(r);
    }
}

static void verify_repeated_gives_the_same_verdict(void **state)
{
    struct rig *r = *state;
    for (int kind = 0; kind < 4; kind++)
        for (size_t m = 0; m < 2; m++)
            for (int step = 0; step < 2; step++) {
                struct sample s = sample_new(r, NUMBER);
                struct got g = {0}, st;
                const char *typed = kind == 0 ? s.drawn.pin : "0";
                s.policy.allow_multiple = false;
                s.policy.pin_attempts = kind == 2 ? 1 : 3;
                s.policy.verify = (struct pin_limit){.count = kind == 3 ? 2 : 1,
                                                     .window_ms = 60000};
                do_open(r, &s);
                if (kind == 3) { /* exhausted already; the answer must not turn to TOO_MANY */
                    do_cancel(r, &s);
                }
                WITH_LOSS(r, modes[m], step, &g,
                          pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, typed,
                                            strlen(typed), got_cb, &g));
                assert_int_equal(g.a.verdict, kind == 0   ? PIN_OK
                                              : kind == 3 ? PIN_TTL_EXPIRED
                                                          : PIN_WRONG);
                assert_int_equal(g.a.attempts_remaining, kind == 1 ? 2 : 0);
                do_status(r, &s, &st);
                assert_int_equal(st.record.state, kind == 0   ? PIN_VERIFIED
                                                  : kind == 1 ? PIN_PENDING
                                                  : kind == 2 ? PIN_EXHAUSTED
                                                              : PIN_CANCELLED);
                assert_int_equal(st.record.attempts_remaining, kind == 1 ? 2 : kind == 2 ? 0 : 3);
                rig_flush(r);
            }
}

static void a_repeat_gives_its_verdict_when_another_verify_came_between(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0}, between[2] = {0};
    assert_int_equal(do_verify(r, &s, false).attempts_remaining, 9); /* the script is loaded */
    proxy_arm(r, PROXY_HOLD, 0);
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, "0", 1, got_cb, &g),
                     0);
    RUN_UNTIL(r, r->proxy_hits);
    for (int i = 0; i < 2; i++) /* at the other gateway */
        wait_for(
            r, pin_ledger_verify(r->ledger[1], "demo", s.drawn.pin_id, "0", 1, got_cb, &between[i]),
            &between[i]);
    wait_through(r, &g);
    assert_int_equal(g.a.result, 0);
    assert_int_equal(g.a.attempts_remaining, 8);
    assert_int_equal(between[0].a.attempts_remaining, 7);
    assert_int_equal(between[1].a.attempts_remaining, 6);
    struct got st;
    do_status(r, &s, &st);
    assert_int_equal(st.record.attempts_remaining, 6);
}

static void sent_repeated_is_noted_once_at_every_step(void **state)
{
    struct rig *r = *state;
    EACH_LOSS(m, step)
    {
        for (int parked = 0; parked < 3; parked++) { /* none, same form, other base */
            struct sample old = sample_live(r, NUMBER), s = sample_opened(r, NUMBER);
            struct got g = {0};
            if (parked)
                do_delivered(r, &s, parked == 1 ? "33e95179" : "870928761");
            WITH_LOSS(r, modes[m], step, &g,
                      sample_sent(r, &s, 0,
                                  &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = "33E95179"},
                                  &g));
            assert_int_equal(g.a.verdict, PIN_OK);
            assert_int_equal(state_of(r, &s), PIN_LIVE);
            assert_int_equal(state_of(r, &old), PIN_SUPERSEDED);
            assert_int_equal(attempt_of(r, &s, 1), parked ? PIN_ATT_DELIVERED : PIN_ATT_ACCEPTED);
            if (!parked)
                assert_int_equal(do_delivered(r, &s, "33e95179").verdict, PIN_OK);
            every_key_has_a_life(r);
            rig_flush(r);
        }
    }
}

static void receipt_repeated_is_recorded_once_at_every_step(void **state)
{
    struct rig *r = *state;
    EACH_LOSS(m, step)
    {
        for (int other = 0; other < 2; other++) { /* same form, other base */
            struct sample s = sample_opened(r, NUMBER);
            struct got g = {0};
            const struct receipt_args args = {.id = other ? "870928761" : "33e95179",
                                              .state = PIN_ATT_DELIVERED,
                                              .final = true,
                                              .msisdn = &s.msisdn};
            assert_int_equal(do_accept(r, &s, "33E95179"), PIN_OK);
            WITH_LOSS(r, modes[m], step, &g, rig_receipt(r, 0, &args, &g));
            assert_int_equal(g.a.verdict, PIN_OK);
            assert_string_equal(g.a.pin_id, s.drawn.pin_id);
            assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
            assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
            rig_flush(r);
        }
    }
}

/* An id that is another number's still: the receipt, then the response, each with a loss. */
static void q9_an_early_receipt_is_recorded_whatever_is_lost(void **state)
{
    struct rig *r = *state;
    EACH_LOSS(m, step)
    {
        for (int of_sent = 0; of_sent < 2; of_sent++) {
            struct sample a = sample_opened(r, NUMBER), s = sample_opened(r, "385911234568");
            struct got sent = {0}, receipt = {0};
            const struct sent_args accepted = {
                .state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "7"};
            const struct receipt_args args = {.id = "7",
                                              .mode = PIN_ID_STRING,
                                              .state = PIN_ATT_DELIVERED,
                                              .final = true,
                                              .msisdn = &s.msisdn};
            assert_int_equal(do_sent(r, &a, &accepted), PIN_OK);
            if (of_sent)
                assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
            else
                WITH_LOSS(r, modes[m], step, &receipt, rig_receipt(r, 0, &args, &receipt));
            if (of_sent)
                WITH_LOSS(r, modes[m], step, &sent, sample_sent(r, &s, 0, &accepted, &sent));
            else
                assert_int_equal(do_sent(r, &s, &accepted), PIN_OK);
            assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
            assert_int_equal(attempt_of(r, &a, 1), PIN_ATT_ACCEPTED);
            RUN_UNTIL(r, look(r, "KEYS pb:*:early:*") == 0);
            every_key_has_a_life(r);
            rig_flush(r);
        }
    }
}

static void q9_an_id_that_becomes_another_numbers_while_its_receipt_is_parked(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), s = sample_opened(r, "385911234568");
    struct got sent = {0}, receipt = {0};
    const struct sent_args accepted = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "7"};
    const struct receipt_args args = {.id = "7",
                                      .mode = PIN_ID_STRING,
                                      .state = PIN_ATT_DELIVERED,
                                      .final = true,
                                      .msisdn = &s.msisdn};
    proxy_arm(r, PROXY_HOLD, 0); /* that there is nothing under the id */
    assert_int_equal(rig_receipt(r, 0, &args, &receipt), 0);
    RUN_UNTIL(r, r->proxy_hits);
    assert_int_equal(wait_for(r, sample_sent(r, &a, 1, &accepted, &sent), &sent).verdict, PIN_OK);
    assert_int_equal(receipt.calls, 0);
    proxy_release(r);
    RUN_UNTIL(r, receipt.calls);
    assert_int_equal(receipt.a.verdict, PIN_PARKED);
    assert_int_equal(do_sent(r, &s, &accepted), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(attempt_of(r, &a, 1), PIN_ATT_ACCEPTED);
}

static void parking_repeated_parks_once(void **state)
{
    struct rig *r = *state;
    EACH_LOSS(m, step)
    {
        struct sample s = sample_opened(r, NUMBER);
        struct got g = {0};
        const struct receipt_args args = {
            .id = "870928761", .state = PIN_ATT_DELIVERED, .final = true, .msisdn = &s.msisdn};
        WITH_LOSS(r, modes[m], step, &g, rig_receipt(r, 0, &args, &g));
        assert_int_equal(g.a.verdict, PIN_PARKED);
        assert_int_equal(look(r, "KEYS pb:*:dlr:*"), 1);
        assert_int_equal(do_accept(r, &s, "33E95179"), PIN_OK);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        rig_flush(r);
    }
}

static void status_and_cancel_repeated_answer(void **state)
{
    struct rig *r = *state;
    for (size_t m = 0; m < 2; m++) {
        struct sample s = sample_opened(r, NUMBER);
        struct got g = {0}, h = {0};
        WITH_LOSS(r, modes[m], 0, &g,
                  pin_ledger_status(r->ledger[0], "demo", s.drawn.pin_id, got_cb, &g));
        assert_int_equal(g.record.state, PIN_PENDING);
        WITH_LOSS(r, modes[m], 0, &h,
                  pin_ledger_cancel(r->ledger[0], "demo", s.drawn.pin_id, got_cb, &h));
        assert_int_equal(h.a.verdict, PIN_OK);
        rig_flush(r);
    }
}

static void an_answer_that_never_comes_ends_in_an_error(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0}, h = {0};
    struct receipt_args args = {.id = "1", .state = PIN_ATT_ENROUTE, .msisdn = &s.msisdn};
    proxy_arm(r, PROXY_HOLD, 0);
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, "0", 1, got_cb, &g),
                     0);
    const struct pin_receipt receipt = {.carrier = "acme",
                                        .message_id = args.id,
                                        .message_id_len = 1,
                                        .msisdn = &s.msisdn,
                                        .state = PIN_ATT_ENROUTE,
                                        .done_ms = -1,
                                        .hold_ms = 400};
    struct mono begin = mono_now();
    assert_int_equal(pin_ledger_receipt(r->ledger[0], &receipt, got_cb, &h), 0);
    RUN_UNTIL(r, g.calls && h.calls);
    assert_true(g.a.result == ERR_TIMEOUT || g.a.result == ERR_LOST);
    assert_true(h.a.result < 0 && h.a.result != ERR_CLOSED);
    assert_true(mono_diff_ms(mono_now(), begin) >= 2 * RIG_TIMEOUT_MS);
    proxy_release(r);
}

/* --- Redis away ------------------------------------------------------------------------------ */

static void store_away(struct rig *r)
{
    evconnlistener_disable(r->listener);
    unlink(r->proxy_socket);
    proxy_arm(r, PROXY_LOSE, 0);
    struct got g = {0};
    struct sample s = sample_new(r, NUMBER);
    assert_int_equal(pin_ledger_status(r->ledger[0], "demo", s.drawn.pin_id, got_cb, &g), 0);
    RUN_UNTIL(r, g.calls);
    assert_int_equal(g.a.result, ERR_LOST); /* the repeat found nobody in its time */
    assert_false(store_is_up(r->store[0]));
}

static void store_back(struct rig *r)
{
    evconnlistener_free(r->listener);
    proxy_start(r);
}

static void while_the_store_is_away_waited_acts_are_refused_at_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0};
    store_away(r);
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, "1", 1, got_cb, &g),
                     ERR_UNAVAILABLE);
    assert_int_equal(sample_open(r, &s, 0, &g), ERR_UNAVAILABLE);
    assert_int_equal(g.calls, 0);
    store_back(r);
}

static void sent_and_receipt_wait_for_the_store_to_come_back(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got sent = {0}, receipt = {0}, given_up = {0};
    const struct receipt_args args = {
        .id = "9", .state = PIN_ATT_DELIVERED, .final = true, .msisdn = &s.msisdn};
    store_away(r);
    assert_int_equal(
        sample_sent(r, &s, 0, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = "9"}, &sent), 0);
    assert_int_equal(rig_receipt(r, 0, &args, &receipt), 0);
    const struct pin_receipt soon = {.carrier = "acme",
                                     .message_id = "8",
                                     .message_id_len = 1,
                                     .msisdn = &s.msisdn,
                                     .done_ms = -1,
                                     .hold_ms = 50};
    assert_int_equal(pin_ledger_receipt(r->ledger[0], &soon, got_cb, &given_up), 0);
    RUN_UNTIL(r, given_up.calls);
    assert_int_equal(given_up.a.result, ERR_UNAVAILABLE);
    assert_int_equal(sent.calls + receipt.calls, 0);
    store_back(r);
    RUN_UNTIL(r, sent.calls && receipt.calls);
    assert_int_equal(sent.a.result, 0);
    assert_int_equal(receipt.a.result, 0);
    RUN_UNTIL(r, attempt_of(r, &s, 1) == PIN_ATT_DELIVERED);
    struct pin_ledger_info info;
    pin_ledger_info(r->ledger[0], &info);
    assert_true(info.repeats >= 2);
}

static void free_ends_acts_that_wait_for_the_store(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got sent = {0};
    store_away(r);
    assert_int_equal(
        sample_sent(r, &s, 0, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = "9"}, &sent), 0);
    pin_ledger_free(r->ledger[0]);
    r->ledger[0] = NULL;
    assert_int_equal(sent.calls, 1);
    assert_int_equal(sent.a.result, ERR_CLOSED);
    store_back(r);
}

static void an_error_of_redis_is_as_its_absence(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0};
    char key[128];
    snprintf(key, sizeof key, "pb:{%.3s}:pin:%s", s.drawn.pin_id, s.drawn.pin_id);
    look(r, "SET %s text EX 100", key); /* of another type than the script expects */
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", s.drawn.pin_id, "1", 1, got_cb, &g),
                     0);
    log_set_fd(open("/dev/null", O_WRONLY));
    RUN_UNTIL(r, g.calls);
    log_set_fd(2);
    assert_int_equal(g.a.result, ERR_UNAVAILABLE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(open_repeated_counts_once),
        T(an_open_repeated_after_another_one_is_listed_once),
        T(seen_repeated_answers),
        T(admit_repeated_counts_once),
        T(attempt_repeated_wins_again_and_writes_one),
        T(resend_repeated_counts_once),
        T(verify_repeated_gives_the_same_verdict),
        T(a_repeat_gives_its_verdict_when_another_verify_came_between),
        T(sent_repeated_is_noted_once_at_every_step),
        T(receipt_repeated_is_recorded_once_at_every_step),
        T(q9_an_early_receipt_is_recorded_whatever_is_lost),
        T(q9_an_id_that_becomes_another_numbers_while_its_receipt_is_parked),
        T(parking_repeated_parks_once),
        T(status_and_cancel_repeated_answer),
        T(an_answer_that_never_comes_ends_in_an_error),
        T(while_the_store_is_away_waited_acts_are_refused_at_once),
        T(sent_and_receipt_wait_for_the_store_to_come_back),
        T(free_ends_acts_that_wait_for_the_store),
        T(an_error_of_redis_is_as_its_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
