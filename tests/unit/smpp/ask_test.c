/* query_sm and cancel_sm: each way that one ends, and how they share a bind with messages. */
#include "carrier_rig.h"

#include "base/result.h"
#include "smpp/smpp_carrier.h"

#define QUERY       0x00000003u
#define QUERY_RESP  0x80000003u
#define CANCEL      0x00000008u
#define CANCEL_RESP 0x80000008u
#define NACK        0x80000000u
#define UNBIND      0x00000006u
#define UNBIND_RESP 0x80000006u
#define RQUERYFAIL  0x67
#define RTHROTTLED  0x58
#define MANY        (SMPP_ASKS_WAITING + SMPP_ASKS_PER_BIND + 1)
#define ID64        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fate {
    unsigned calls;
    struct smpp_ask_result r;
};
static struct fate fates[MANY];
static unsigned n_done, n_submitted;
static void (*in_callback)(void);

static void on_answer(void *arg, const struct smpp_ask_result *r)
{
    struct fate *f = arg;
    f->calls++;
    f->r = *r;
    assert_non_null(r->reason);
    n_done++;
    if (in_callback)
        in_callback();
}

static void on_outcome(void *arg, const struct smpp_result *r)
{
    (void)arg;
    n_submitted += r->outcome == SMPP_ACCEPTED;
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    memset(fates, 0, sizeof fates);
    n_done = n_submitted = 0;
    in_callback = NULL;
    return 0;
}

static void bound(struct smpp_carrier_options o)
{
    const struct smpp_events none = {0};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &none);
    assert_non_null(carrier);
    bind_up(0);
}

static int query(unsigned i)
{
    const struct smpp_message_ref m = {.message_id = "id-1"};
    return smpp_query(carrier, &m, on_answer, &fates[i]);
}

static int cancel(unsigned i)
{
    const struct smpp_message_ref m = {
        .message_id = "id-1", .source = "800800", .destination = "38591234567"};
    return smpp_cancel(carrier, &m, on_answer, &fates[i]);
}

static void submit(void)
{
    struct smpp_message m = {.destination = "38591234567",
                             .text = "Your PIN is 739201",
                             .text_len = 18,
                             .deadline = mono_add_ms(mono_now(), 60000)};
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, NULL), 0);
}

static struct smpp_carrier_info counted(void)
{
    struct smpp_carrier_info info;
    smpp_carrier_info(carrier, &info);
    return info;
}

static struct smpp_session *session(void)
{
    return &carrier->links[0]->session;
}

static void ended(unsigned i, enum smpp_ask_outcome outcome)
{
    UNTIL(base, fates[i].calls);
    assert_int_equal(fates[i].calls, 1);
    assert_int_equal(fates[i].r.outcome, outcome);
}

static void a_query_names_the_message_as_it_was_submitted(void **state)
{
    (void)state;
    static const char want[] = "id-1\0\5\0ACME";
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    assert_int_equal(n_done, 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    assert_int_equal(w.body_len, sizeof want);
    assert_memory_equal(w.body, want, sizeof want);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence,
              "id-1\0"
              "261123120500000+\0\2\7");
    ended(0, SMPP_ASK_DONE);
    assert_int_equal(fates[0].r.state, 2);
    assert_true(fates[0].r.final);
    assert_int_equal(fates[0].r.error_code, 7);
    assert_int_equal(fates[0].r.final_ms, INT64_C(1795435500000));
    assert_int_equal(counted().queries.n[SMPP_ASK_DONE], 1);
    assert_int_equal(counted().cancels.n[SMPP_ASK_DONE], 0);
    assert_int_equal(info_of(0).submits, 0);
}

static void a_cancel_names_the_message_and_no_service(void **state)
{
    (void)state;
    static const char want[] = "\0id-1\0\3\0"
                               "800800\0\1\1"
                               "38591234567";
    bound(WITH(.service_type = "OTP"));
    assert_int_equal(cancel(0), 0);
    struct wire w = peer_expect(&peer, CANCEL, 0);
    assert_int_equal(w.body_len, sizeof want);
    assert_memory_equal(w.body, want, sizeof want);
    PEER_SAY0(&peer, CANCEL_RESP, 0, w.sequence);
    ended(0, SMPP_ASK_DONE);
    assert_int_equal(fates[0].r.state, -1);
    assert_int_equal(counted().cancels.n[SMPP_ASK_DONE], 1);
}

static void each_state_is_told_and_those_of_no_table_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len;
        int told;
        bool final;
        int64_t ms;
    } rows[] = {
#define ROW(body, told, final, ms) {body, sizeof body - 1, told, final, ms}
        ROW("1\0\0\0\0", 0, false, -1),
        ROW("1\0\0\1\0", 1, false, -1),
        ROW("1\0\0\3\0", 3, true, -1),
        ROW("1\0\0\4\0", 4, true, -1),
        ROW("1\0\0\5\0", 5, true, -1),
        ROW("1\0\0\6\0", 6, false, -1),
        ROW("1\0\0\7\0", 7, false, -1),
        ROW("\0\0\10\0", 8, true, -1),
        ROW("1\0\0\11\0", 9, true, -1),
        ROW("1\0\0\12\0", -1, false, -1),
        ROW("1\0\0\377\0", -1, false, -1),
        ROW("", -1, false, -1), /* no body at all */
        ROW("1\0", -1, false, -1),
        ROW("1\0"
            "261123130500004+\0\2\0",
            2, true, INT64_C(1795435500000)),
        ROW("1\0"
            "261123110500004-\0\2\0",
            2, true, INT64_C(1795435500000)),
        ROW("1\0"
            "000000000500000R\0\2\0",
            2, true, -1), /* no moment */
        ROW("1\0"
            "261323120500000+\0\2\0",
            2, true, -1),
        ROW("1\0"
            "2611231205\0\2\0",
            2, true, -1),
    };
    bound(WITH(0));
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(query(i), 0);
        struct wire w = peer_expect(&peer, QUERY, 0);
        peer_say(&peer, QUERY_RESP, 0, w.sequence, rows[i].body, rows[i].len);
        ended(i, SMPP_ASK_DONE);
        assert_int_equal(fates[i].r.state, rows[i].told);
        assert_int_equal(fates[i].r.final, rows[i].final);
        assert_int_equal(fates[i].r.final_ms, rows[i].ms);
    }
}

static void an_error_status_is_a_refusal(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    PEER_SAYS(&peer, QUERY_RESP, RQUERYFAIL, w.sequence, "1\0\0\2"); /* a body counts for nothing */
    ended(0, SMPP_ASK_REFUSED);
    assert_int_equal(fates[0].r.status, RQUERYFAIL);
    assert_int_equal(fates[0].r.state, -1);
    assert_string_equal(fates[0].r.reason, "ESME_RQUERYFAIL");
    assert_int_equal(info_of(0).errors, 0);
}

static void q41_generic_nack_answers_a_query_and_a_cancel(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    assert_int_equal(cancel(1), 0);
    struct wire q = peer_expect(&peer, QUERY, 0), k = peer_expect(&peer, CANCEL, 0);
    PEER_SAY0(&peer, NACK, 3, 0); /* nobody's */
    PEER_SAY0(&peer, NACK, 3, k.sequence);
    ended(1, SMPP_ASK_REFUSED);
    assert_int_equal(fates[0].calls, 0);
    PEER_SAY0(&peer, NACK, 0, q.sequence);
    ended(0, SMPP_ASK_REFUSED);
    assert_int_equal(fates[1].r.status, 3);
    assert_int_equal(info_of(0).unexpected, 1);
}

static void an_answer_that_does_not_come_is_not_waited_for(void **state)
{
    (void)state;
    bound(WITH(.response_timeout_ms = 40));
    assert_int_equal(query(0), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    ended(0, SMPP_ASK_NO_ANSWER);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2"); /* late */
    UNTIL(base, info_of(0).unexpected == 1);
    assert_int_equal(fates[0].calls, 1);
    assert_int_equal(info_of(0).state, SMPP_BOUND);
    assert_int_equal(counted().queries.n[SMPP_ASK_NO_ANSWER], 1);
}

static void the_answer_to_something_else_answers_nothing(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    PEER_SAY0(&peer, CANCEL_RESP, 0, w.sequence);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "id-1");
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence + 1, "1\0\0\2");
    UNTIL(base, info_of(0).unexpected == 3);
    assert_int_equal(n_done, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    ended(0, SMPP_ASK_DONE);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    UNTIL(base, info_of(0).unexpected == 4);
    assert_int_equal(n_done, 1);
}

static void a_lost_connection_ends_those_that_were_sent(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    assert_int_equal(cancel(1), 0);
    peer_expect(&peer, QUERY, 0);
    peer_expect(&peer, CANCEL, 0);
    peer_hang_up(&peer, true);
    ended(0, SMPP_ASK_LOST);
    ended(1, SMPP_ASK_LOST);
}

static void those_of_which_nothing_left_wait_again_in_their_order(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    assert_int_equal(cancel(1), 0);
    smpp_session_pull_back(session());
    assert_int_equal(session()->asks.n, 0);
    assert_int_equal(carrier->asks.n, 2);
    smpp_asks_pump(carrier);
    struct wire w = peer_expect(&peer, QUERY, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    w = peer_expect(&peer, CANCEL, 0);
    PEER_SAY0(&peer, CANCEL_RESP, 0, w.sequence);
    ended(0, SMPP_ASK_DONE);
    ended(1, SMPP_ASK_DONE);
    peer_sync(&peer); /* and nothing else was sent */
}

static void one_that_has_not_left_does_not_come_after_an_unbind(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(query(0), 0);
    smpp_carrier_act(carrier, 0, SMPP_BIND_RESTART);
    struct wire w = peer_expect(&peer, UNBIND, 0);
    peer_sync(&peer);
    PEER_SAY0(&peer, UNBIND_RESP, 0, w.sequence);
    bind_up(0);
    w = peer_expect(&peer, QUERY, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    ended(0, SMPP_ASK_DONE);
}

static void sixteen_are_unanswered_and_no_window_is_touched(void **state)
{
    (void)state;
    struct wire w[SMPP_ASKS_PER_BIND];
    bound(WITH(.window = 1));
    for (unsigned i = 0; i <= SMPP_ASKS_PER_BIND; i++)
        assert_int_equal(query(i), 0);
    for (unsigned i = 0; i < SMPP_ASKS_PER_BIND; i++)
        w[i] = peer_expect(&peer, QUERY, 0);
    submit();
    struct wire s = peer_expect(&peer, SUBMIT, 0); /* not the seventeenth */
    PEER_SAYS(&peer, SUBMIT_RESP, 0, s.sequence, "id-1");
    UNTIL(base, n_submitted == 1);
    peer_sync(&peer);
    PEER_SAYS(&peer, QUERY_RESP, 0, w[5].sequence, "1\0\0\2");
    ended(5, SMPP_ASK_DONE);
    s = peer_expect(&peer, QUERY, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, s.sequence, "1\0\0\2");
    ended(SMPP_ASKS_PER_BIND, SMPP_ASK_DONE);
    assert_int_equal(n_done, 2);
}

static void messages_that_wait_go_first(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    submit();
    assert_int_equal(query(0), 0); /* a full window is nothing to a query */
    submit();
    assert_int_equal(query(1), 0); /* a message that waits is */
    struct wire s = peer_expect(&peer, SUBMIT, 0);
    peer_expect(&peer, QUERY, 0);
    peer_sync(&peer);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, s.sequence, "id-1");
    peer_expect(&peer, SUBMIT, 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    ended(1, SMPP_ASK_DONE);
}

static void each_counts_as_a_segment_before_the_rate(void **state)
{
    (void)state;
    bound(WITH(.rate = 20));
    struct mono before = mono_now();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(query(i), 0);
    for (unsigned i = 0; i < 6; i++) {
        struct wire w = peer_expect(&peer, QUERY, 0);
        PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    }
    submit();
    peer_expect(&peer, SUBMIT, 0);
    /* 55 ms each but for the first, and for the message */
    assert_true(mono_diff_ms(mono_now(), before) >= 325);
}

static void a_throttle_makes_asks_pause_and_no_message(void **state)
{
    (void)state;
    bound(WITH(.throttle_ms = 100));
    struct mono before = mono_now();
    assert_int_equal(query(0), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    PEER_SAY0(&peer, QUERY_RESP, RTHROTTLED, w.sequence);
    ended(0, SMPP_ASK_REFUSED);
    assert_int_equal(query(1), 0);
    submit();
    peer_expect(&peer, SUBMIT, 0);
    peer_expect(&peer, QUERY, 0);
    assert_true(mono_diff_ms(mono_now(), before) >= 100);
}

static void after_a_throttle_of_messages_none_has_to_come_first(void **state)
{
    (void)state;
    bound(WITH(.throttle_ms = 60));
    struct smpp_message m = {.destination = "38591234567",
                             .text = "Your PIN is 739201",
                             .text_len = 18,
                             .deadline = mono_add_ms(mono_now(), 20)};
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, NULL), 0);
    struct wire s = peer_expect(&peer, SUBMIT, 0);
    PEER_SAY0(&peer, SUBMIT_RESP, RTHROTTLED, s.sequence);
    UNTIL(base, info_of(0).throttled == 1 && counted().queued == 0); /* it was given up */
    struct mono before = mono_now();
    assert_int_equal(query(0), 0);
    peer_expect(&peer, QUERY, 0);
    assert_true(mono_diff_ms(mono_now(), before) >= 20); /* the bind rested */
    assert_int_equal(session()->pace, SMPP_PACE_PROBE);
}

static void over_the_bound_the_call_is_refused(void **state)
{
    (void)state;
    bound(WITH(0));
    for (unsigned i = 0; i < SMPP_ASKS_PER_BIND + SMPP_ASKS_WAITING; i++)
        assert_int_equal(query(i), 0);
    assert_int_equal(query(MANY - 1), ERR_FULL);
    assert_int_equal(cancel(MANY - 1), ERR_FULL);
    assert_int_equal(counted().cancels.n[SMPP_ASK_NOT_SENT], 1);
    smpp_carrier_free(carrier);
    carrier = NULL;
    assert_int_equal(n_done, MANY - 1);
    for (unsigned i = 0; i < MANY - 1; i++)
        ended(i, i < SMPP_ASKS_PER_BIND && fates[i].r.outcome == SMPP_ASK_LOST ? SMPP_ASK_LOST
                                                                               : SMPP_ASK_NOT_SENT);
    assert_int_equal(fates[MANY - 1].calls, 0);
}

static void what_waits_too_long_is_not_sent(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .response_timeout_ms = 150));
    submit();
    submit();
    assert_int_equal(query(0), 0);
    peer_expect(&peer, SUBMIT, 0);
    ended(0, SMPP_ASK_NOT_SENT);
}

static void a_drain_sends_no_more_and_waits_for_no_answer(void **state)
{
    (void)state;
    bound(WITH(0));
    for (unsigned i = 0; i < SMPP_ASKS_PER_BIND + 2; i++)
        assert_int_equal(query(i), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    for (unsigned i = 1; i < SMPP_ASKS_PER_BIND; i++)
        peer_expect(&peer, QUERY, 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    assert_int_equal(n_done, 0);
    assert_int_equal(query(MANY - 1), ERR_CLOSED);
    ended(SMPP_ASKS_PER_BIND, SMPP_ASK_NOT_SENT);
    ended(SMPP_ASKS_PER_BIND + 1, SMPP_ASK_NOT_SENT);
    struct wire u = peer_expect(&peer, 6, 0);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2"); /* in time still */
    ended(0, SMPP_ASK_DONE);
    PEER_SAY0(&peer, 0x80000006u, 0, u.sequence);
    UNTIL(base, n_drained == 1);
    for (unsigned i = 1; i < SMPP_ASKS_PER_BIND; i++)
        ended(i, SMPP_ASK_LOST);
}

static void free_carrier(void)
{
    smpp_carrier_free(carrier);
}

static void a_carrier_may_be_freed_in_the_callback(void **state)
{
    (void)state;
    bound(WITH(0));
    for (unsigned i = 0; i < SMPP_ASKS_PER_BIND + 2; i++)
        assert_int_equal(query(i), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    in_callback = free_carrier;
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    UNTIL(base, n_done == SMPP_ASKS_PER_BIND + 2);
    carrier = NULL;
    ended(0, SMPP_ASK_DONE);
    ended(1, SMPP_ASK_LOST);
    ended(SMPP_ASKS_PER_BIND, SMPP_ASK_NOT_SENT);
    ended(SMPP_ASKS_PER_BIND + 1, SMPP_ASK_NOT_SENT);
}

static void free_at_the_first_that_is_given_up(void **state)
{
    (void)state;
    bound(WITH(.response_timeout_ms = 40));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(query(i), 0);
    in_callback = free_carrier;
    UNTIL(base, n_done == 3);
    carrier = NULL;
    ended(0, SMPP_ASK_NO_ANSWER);
}

static void ask_again(void)
{
    if (n_done < 3)
        assert_int_equal(query(n_done), 0);
}

static void one_may_ask_in_the_callback(void **state)
{
    (void)state;
    bound(WITH(0));
    in_callback = ask_again;
    assert_int_equal(query(0), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct wire w = peer_expect(&peer, QUERY, 0);
        PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    }
    UNTIL(base, n_done == 3);
}

static void an_answer_to_what_has_not_left_answers_nothing(void **state)
{
    (void)state;
    uint8_t both[64];
    bound(WITH(0));
    in_callback = ask_again;
    assert_int_equal(query(0), 0);
    struct wire w = peer_expect(&peer, QUERY, 0);
    size_t len = peer_pdu(both, QUERY_RESP, 0, w.sequence, "1\0\0\2", 5);
    len += peer_pdu(both + len, QUERY_RESP, 0, w.sequence + 1, "1\0\0\2", 5);
    peer_write(&peer, both, len);
    w = peer_expect(&peer, QUERY, 0);
    assert_int_equal(n_done, 1);
    assert_int_equal(info_of(0).unexpected, 1);
    PEER_SAYS(&peer, QUERY_RESP, 0, w.sequence, "1\0\0\2");
    UNTIL(base, n_done == 2);
}

static void no_sequence_number_is_used_twice_at_a_time(void **state)
{
    (void)state;
    bound(WITH(0));
    assert_int_equal(query(0), 0);
    struct wire q = peer_expect(&peer, QUERY, 0);
    session()->window.next_sequence = q.sequence; /* as if all others had been used meanwhile */
    submit();
    struct wire s = peer_expect(&peer, SUBMIT, 0);
    assert_int_not_equal(s.sequence, q.sequence);
    session()->window.next_sequence = q.sequence;
    assert_int_equal(cancel(1), 0);
    struct wire k = peer_expect(&peer, CANCEL, 0);
    assert_int_not_equal(k.sequence, q.sequence);
    assert_int_not_equal(k.sequence, s.sequence);
}

static void what_cannot_be_asked_is_refused_in_the_call(void **state)
{
    (void)state;
    const struct smpp_events none = {0};
    struct smpp_message_ref m = {.message_id = ID64 "x", .destination = "38591234567"};
    struct smpp_carrier_options o = WITH(0);
    carrier = smpp_carrier_new(base, reap, NULL, &o, &none);
    assert_int_equal(query(0), ERR_UNAVAILABLE);
    bind_up(0);
    assert_int_equal(smpp_query(carrier, &m, on_answer, &fates[0]), ERR_INVALID);
    m.message_id = "";
    assert_int_equal(smpp_cancel(carrier, &m, on_answer, &fates[0]), ERR_INVALID);
    m.message_id = "1";
    m.source = "twelve chars";
    assert_int_equal(smpp_query(carrier, &m, on_answer, &fates[0]), ERR_INVALID);
    m.source = NULL;
    m.destination = "123456789012345678901";
    assert_int_equal(smpp_cancel(carrier, &m, on_answer, &fates[0]), ERR_INVALID);
    m.destination = "38591234567";
    m.message_id = ID64;
    assert_int_equal(smpp_cancel(carrier, &m, on_answer, &fates[0]), 0);
    peer_expect(&peer, CANCEL, 0);
    assert_int_equal(n_done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_query_names_the_message_as_it_was_submitted),
        TEST(a_cancel_names_the_message_and_no_service),
        TEST(each_state_is_told_and_those_of_no_table_are_none),
        TEST(an_error_status_is_a_refusal),
        TEST(q41_generic_nack_answers_a_query_and_a_cancel),
        TEST(an_answer_that_does_not_come_is_not_waited_for),
        TEST(the_answer_to_something_else_answers_nothing),
        TEST(a_lost_connection_ends_those_that_were_sent),
        TEST(those_of_which_nothing_left_wait_again_in_their_order),
        TEST(one_that_has_not_left_does_not_come_after_an_unbind),
        TEST(sixteen_are_unanswered_and_no_window_is_touched),
        TEST(messages_that_wait_go_first),
        TEST(each_counts_as_a_segment_before_the_rate),
        TEST(a_throttle_makes_asks_pause_and_no_message),
        TEST(after_a_throttle_of_messages_none_has_to_come_first),
        TEST(over_the_bound_the_call_is_refused),
        TEST(what_waits_too_long_is_not_sent),
        TEST(a_drain_sends_no_more_and_waits_for_no_answer),
        TEST(a_carrier_may_be_freed_in_the_callback),
        TEST(free_at_the_first_that_is_given_up),
        TEST(one_may_ask_in_the_callback),
        TEST(an_answer_to_what_has_not_left_answers_nothing),
        TEST(no_sequence_number_is_used_twice_at_a_time),
        TEST(what_cannot_be_asked_is_refused_in_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
