/* The PIN flow, row by row of its table: each step's outcomes, each deadline, one answer each. */
#include "tests/unit/gateway/flow_rig.h"

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
    carrier_configs[0].in_doubt = CONFIG_DOUBT_KEEP;
    t.config.send_deadline_ms = 10000;
    t.config.routes = &route;
    t.config.n_routes = 1;
    t.config.carriers = carrier_configs;
    t.config.n_carriers = 2;
    t.config.refs = 1; /* ours */
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
    if (t.config.refs != 1)
        return -1;                   /* a flow did not give its configuration back */
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
    assert_int_equal(t.life_ms, 900000); /* of the application */
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SUBMIT], 1);
}

static void a_final_receipt_that_came_before_the_answer_ends_the_watch(void **state)
{
    (void)state;
    to_record();
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.unwatched, 0);
    afresh();
    to_record();
    t.matched = PIN;
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(t.unwatched, 1);
}

static void a_resend_is_the_same_pin_again(void **state)
{
    (void)state;
    to_open_of_resend();
    assert_int_equal(t.calls[SUBMIT], 0);
    act_is(RESEND, 0, PIN_OK);
    submit_is(SMPP_ACCEPTED, 0);
    assert_int_equal(t.life_ms, 1200000); /* of its record */
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[OPEN], 0);
}

static void a_resend_asks_for_its_revision_and_takes_the_newest_when_that_is_gone(void **state)
{
    (void)state;
    to_template();
    assert_int_equal(t.revision, 0); /* a send: the newest */
    for (int is_gone = 0; is_gone < 3; is_gone++) {
        afresh();
        to_locate();
        act_is(STATUS, 0, PIN_OK);
        app_is(0, true);
        assert_int_equal(t.revision, 3);
        for (int i = 0; i < is_gone; i++) {
            template_is(ERR_NOTFOUND);
            assert_int_equal(t.revision, 0);
        }
        assert_int_equal(t.calls[FIND_TEMPLATE], is_gone ? 2 : 1);
        if (is_gone == 2) {
            turn();
            assert_over(ANSWER_NOT_FOUND, "");
        } else {
            template_is(0);
            assert_int_equal(flow_at_hand()->state, FLOW_ADMIT);
        }
    }
}

static void a_resend_whose_revision_cannot_be_asked_for_goes_out_with_no_other(void **state)
{
    (void)state;
    to_locate();
    act_is(STATUS, 0, PIN_OK);
    app_is(0, true);
    template_is(ERR_TIMEOUT);
    turn();
    assert_over(ANSWER_UNAVAILABLE, "");
    assert_int_equal(t.calls[FIND_TEMPLATE], 1);
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

static void a_submit_waits_no_longer_than_the_pin_lives(void **state)
{
    (void)state;
    t.ready[1] = false;
    to_submit();
    assert_true(t.submit_left_ms > 9000 && t.submit_left_ms <= 9500);
    submit_is(SMPP_NOT_SENT, 0);
    act_is(SENT, 0, PIN_OK);
    t.answers = 0;
    t.ttl_left_ms = 1500;
    to_submit();
    assert_true(t.submit_left_ms > 0 && t.submit_left_ms <= 1500);
    /* answered already, it gets its two seconds and not more than its life */
    deadline();
    submit_is(SMPP_NOT_SENT, 0);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void a_pin_past_its_life_goes_to_no_carrier_and_is_not_sent(void **state)
{
    (void)state;
    t.ttl_left_ms = -1; /* it was long on its way */
    to_submit();
    assert_int_equal(t.calls[SUBMIT], 0);
    assert_int_equal(t.sent.state, PIN_ATT_NOT_SENT);
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_NOT_SENT");
}

static void a_pin_past_its_life_goes_to_no_other_carrier(void **state)
{
    (void)state;
    to_submit();
    flow_at_hand()->expires = mono_now();
    submit_is(SMPP_NOT_SENT, 0);
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

/* Carrier a is in doubt and was passed over; b has the message. */
static void to_passed(void)
{
    carrier_configs[0].in_doubt = CONFIG_DOUBT_NEXT;
    to_doubt();
    assert_int_equal(t.sent.state, PIN_ATT_IN_DOUBT);
    assert_false(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    act_is(ATTEMPT, 0, PIN_OK);
    assert_int_equal(t.submitted_to, 'b');
}

static void q43_where_the_carrier_says_so_an_unknown_outcome_goes_to_the_next_one(void **state)
{
    (void)state;
    to_passed();
    submit_is(SMPP_ACCEPTED, 0);
    assert_int_equal(t.sent.attempt, 2);
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(flow_at_hand()->state, FLOW_DOUBT); /* the first answer may still come */
    assert_true(is_armed(flow_at_hand()));
}

static void q43_the_late_answer_of_one_passed_over_is_recorded_for_its_attempt(void **state)
{
    (void)state;
    to_passed();
    void *second = t.submit_arg;
    t.submit_arg = (void *)((uintptr_t)second - 1); /* of attempt 1 */
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.calls[SENT], 2);
    assert_int_equal(t.sent.attempt, 1);
    assert_int_equal(t.sent.state, PIN_ATT_ACCEPTED);
    assert_string_equal(t.sent.carrier, "a");
    assert_false(t.sent.last);
    act_is(SENT, 0, PIN_OK); /* changes nothing about the second */
    late_is(SMPP_ACCEPTED);  /* only once */
    assert_int_equal(t.calls[SENT], 2);
    t.submit_arg = second;
    submit_is(SMPP_ACCEPTED, 0);
    assert_int_equal(t.sent.attempt, 2);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void q43_with_no_other_carrier_it_stays_in_doubt(void **state)
{
    (void)state;
    carrier_configs[0].in_doubt = CONFIG_DOUBT_NEXT;
    t.ready[1] = false;
    to_doubt();
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[ATTEMPT], 0);
}

static void q43_refused_by_the_next_one_the_first_may_still_have_sent_it(void **state)
{
    (void)state;
    to_passed();
    submit_is(SMPP_REFUSED, 0x0b);
    assert_true(t.sent.last);
    act_is(SENT, 0, PIN_OK);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
}

static void q43_the_end_of_the_process_does_not_invite_another_one_either(void **state)
{
    (void)state;
    carrier_configs[0].in_doubt = CONFIG_DOUBT_NEXT;
    to_doubt();
    assert_int_equal(flow_at_hand()->state, FLOW_RETRY);
    flows_free(t.flows);
    t.flows = NULL;
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
}

static void q43_where_the_ledger_lets_none_follow_the_late_answer_is_waited_for(void **state)
{
    (void)state;
    carrier_configs[0].in_doubt = CONFIG_DOUBT_NEXT;
    to_doubt();
    act_is(SENT, 0, PIN_OK);
    act_is(ATTEMPT, 0, PIN_LOST_RACE);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    act_is(SENT, 0, PIN_OK);
    assert_int_equal(flow_at_hand()->state, FLOW_DOUBT);
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.sent.attempt, 1);
    assert_int_equal(t.sent.state, PIN_ATT_ACCEPTED);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void q43_the_late_answer_may_come_before_the_next_attempt(void **state)
{
    (void)state;
    carrier_configs[0].in_doubt = CONFIG_DOUBT_NEXT;
    to_doubt();
    pin_ledger_cb doubt = (pin_ledger_cb)(uintptr_t)take(SENT);
    late_is(SMPP_ACCEPTED);
    assert_int_equal(t.calls[SENT], 2);
    assert_int_equal(t.sent.state, PIN_ATT_ACCEPTED);
    assert_string_equal(t.sent.message_id, "id7");
    doubt(t.arg, &(struct pin_answer){0});
    assert_int_equal(flow_at_hand()->state, FLOW_NEXT);
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

static void a_flow_ends_under_the_configuration_it_began_with(void **state)
{
    static const char *const prefixes[] = {""}, *const carriers[] = {"b"};
    static struct config_route route = {"default", prefixes, 1, carriers, 1};
    static struct config_carrier only_b[] = {{.name = "b", .message_id = PIN_ID_HEX}};
    static struct config fresh;
    (void)state;
    fresh = (struct config){.refs = 1,
                            .send_deadline_ms = 10000,
                            .routes = &route,
                            .n_routes = 1,
                            .carriers = only_b,
                            .n_carriers = 1};
    to_template();
    flows_reload(t.flows, &fresh);
    assert_int_equal(t.config.refs, 2); /* ours, and the flow's */
    template_is(0);
    act_is(ADMIT, 0, PIN_OK);
    act_is(OPEN, 0, PIN_OK);
    assert_int_equal(t.submitted_to, 'a');
    submit_is(SMPP_ACCEPTED, 0);
    assert_int_equal(t.sent.id_mode, PIN_ID_AUTO);
    act_is(SENT, 0, PIN_OK);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    turn();
    assert_int_equal(t.config.refs, 1);
    to_submit();
    assert_int_equal(t.submitted_to, 'b');
    submit_is(SMPP_ACCEPTED, 0);
    assert_int_equal(t.sent.id_mode, PIN_ID_HEX);
    act_is(SENT, 0, PIN_OK);
    turn();
    assert_int_equal(fresh.refs, 2); /* ours, and that for new flows */
    flows_reload(t.flows, &t.config);
    assert_int_equal(fresh.refs, 1);
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
        TEST(a_final_receipt_that_came_before_the_answer_ends_the_watch),
        TEST(a_resend_is_the_same_pin_again),
        TEST(a_resend_asks_for_its_revision_and_takes_the_newest_when_that_is_gone),
        TEST(a_resend_whose_revision_cannot_be_asked_for_goes_out_with_no_other),
        TEST(lookups_may_answer_inside_the_call),
        TEST(a_step_that_fails_before_the_submit_is_the_answer),
        TEST(an_application_or_template_that_is_not_there_is_the_answer),
        TEST(an_act_that_cannot_be_begun_is_the_answer),
        TEST(without_a_bound_carrier_nothing_is_counted),
        TEST(a_carrier_that_is_down_is_passed_over),
        TEST(a_refusal_of_the_route_goes_to_the_next_carrier_once_it_is_recorded),
        TEST(a_submit_that_cannot_be_begun_goes_to_the_next_carrier),
        TEST(refused_by_the_last_carrier_is_not_sent),
        TEST(a_submit_waits_no_longer_than_the_pin_lives),
        TEST(a_pin_past_its_life_goes_to_no_carrier_and_is_not_sent),
        TEST(a_pin_past_its_life_goes_to_no_other_carrier),
        TEST(a_refusal_of_the_number_goes_to_nobody_else),
        TEST(an_unknown_outcome_goes_to_nobody_else),
        TEST(q43_where_the_carrier_says_so_an_unknown_outcome_goes_to_the_next_one),
        TEST(q43_the_late_answer_of_one_passed_over_is_recorded_for_its_attempt),
        TEST(q43_with_no_other_carrier_it_stays_in_doubt),
        TEST(q43_the_end_of_the_process_does_not_invite_another_one_either),
        TEST(q43_where_the_ledger_lets_none_follow_the_late_answer_is_waited_for),
        TEST(q43_the_late_answer_may_come_before_the_next_attempt),
        TEST(q43_refused_by_the_next_one_the_first_may_still_have_sent_it),
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
        TEST(a_flow_ends_under_the_configuration_it_began_with),
        TEST(a_wrong_request_is_answered_inside_the_call),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
