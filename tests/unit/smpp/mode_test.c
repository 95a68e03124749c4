#include "legs.h"

#include "base/result.h"

static unsigned n_mo, n_accepted, n_other;

static void on_mo(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    (void)arg;
    (void)mo;
    n_mo++;
    smpp_delivery_done(c, handle, 0);
}

static void on_outcome(void *arg, const struct smpp_result *r)
{
    (void)arg;
    n_accepted += r->outcome == SMPP_ACCEPTED;
    n_other += r->outcome != SMPP_ACCEPTED;
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    legs_open();
    n_mo = n_accepted = n_other = 0;
    return 0;
}

static int legs_teardown(void **state)
{
    legs_close();
    return teardown(state);
}

static void make(struct smpp_carrier_options o)
{
    static const struct smpp_events events = {.receipt_cb = on_receipt, .mo_cb = on_mo};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    assert_non_null(carrier);
}

static int submit(void)
{
    struct smpp_message m = {.destination = "38591234567", .text = "PIN 123456", .text_len = 10};
    m.deadline = mono_add_ms(mono_now(), 60000);
    return smpp_submit(carrier, &m, on_outcome, NULL);
}

static void answer_submit(struct peer *p)
{
    struct wire w = peer_expect(p, SUBMIT, 0);
    PEER_SAYS(p, SUBMIT_RESP, 0, w.sequence, "77");
}

static void answer_unbind(struct peer *p)
{
    struct wire w = peer_expect(p, UNBIND, 0);
    PEER_SAY0(p, UNBIND_RESP, 0, w.sequence);
}

static void give_receipt(struct peer *p, uint32_t status)
{
    PEER_SAYS(p, DELIVER, 0, 9, RECEIPT_BODY);
    struct wire w = peer_expect(p, ANSWER(DELIVER), status);
    assert_int_equal(w.sequence, 9);
}

/* A pair with both legs BOUND. */
static void pair_up(struct smpp_carrier_options o, struct peer **tx, struct peer **rx)
{
    o.mode = SMPP_PAIR;
    make(o);
    *tx = leg_bound(BIND_TX);
    *rx = leg_bound(BIND_RX);
    UNTIL(base, info_of(0).is_up);
}

static bool is_quiet(struct peer *p)
{
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_ONCE);
    return !peer_has_pdu(p) && !p->eof;
}

/* --- pairs --- */

static void q63_a_pair_is_up_when_both_legs_are(void **state)
{
    (void)state;
    struct wire tx_bind, rx_bind;
    make(WITH(.mode = SMPP_PAIR));
    assert_int_equal(smpp_carrier_bind_count(carrier), 2);
    struct peer *tx = leg_of(BIND_TX, &tx_bind), *rx = leg_of(BIND_RX, &rx_bind);
    PEER_SAYS(tx, ANSWER(BIND_TX), 0, tx_bind.sequence, "smsc");
    UNTIL(base, info_of(0).state == SMPP_BOUND);
    assert_false(info_of(0).is_up);
    assert_false(smpp_carrier_is_up(carrier));
    assert_false(smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), ERR_UNAVAILABLE);
    PEER_SAYS(rx, ANSWER(BIND_RX), 0, rx_bind.sequence, "smsc");
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_string_equal(info_of(0).mode, "transmitter");
    assert_string_equal(info_of(0).name, "0tx");
    assert_string_equal(info_of(1).mode, "receiver");
    assert_string_equal(info_of(1).name, "0rx");
    assert_int_equal(info_of(1).bind, 0);
    assert_true(info_of(0).is_up && info_of(1).is_up && info_of(0).is_leg);
}

static void q63_submits_go_on_the_transmitter_and_receipts_come_on_the_receiver(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 4), &tx, &rx);
    for (int i = 0; i < 4; i++)
        assert_int_equal(submit(), 0);
    for (int i = 0; i < 4; i++)
        answer_submit(tx);
    give_receipt(rx, 0);
    UNTIL(base, n_accepted == 4);
    assert_int_equal(n_receipts, 1);
    assert_true(is_quiet(rx));
}

static void
q63_while_the_receiver_is_lost_what_was_sent_is_answered_and_nothing_new_goes(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 1), &tx, &rx);
    assert_int_equal(submit(), 0);
    assert_int_equal(submit(), 0); /* waits for the window */
    struct wire first = peer_expect(tx, SUBMIT, 0);
    peer_hang_up(rx, true);
    UNTIL(base, !info_of(0).is_up);
    PEER_SAYS(tx, SUBMIT_RESP, 0, first.sequence, "77");
    UNTIL(base, n_accepted == 1);
    assert_int_equal(submit(), ERR_UNAVAILABLE);
    assert_true(is_quiet(tx));
    rx = leg_bound(BIND_RX);
    answer_submit(tx); /* the one that waited, on the connection that stayed */
    UNTIL(base, n_accepted == 2);
    assert_int_equal(n_legs, 3);
}

static void q63_while_the_transmitter_is_lost_receipts_are_taken(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 1), &tx, &rx);
    assert_int_equal(submit(), 0);
    peer_expect(tx, SUBMIT, 0);
    peer_hang_up(tx, true);
    UNTIL(base, n_other == 1); /* in doubt, once */
    assert_false(smpp_carrier_is_up(carrier));
    give_receipt(rx, 0);
    assert_int_equal(n_receipts, 1);
    tx = leg_bound(BIND_TX);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    answer_submit(tx);
    UNTIL(base, n_accepted == 1);
    assert_int_equal(n_legs, 3);
}

static void q63_each_leg_waits_for_itself_after_a_refusal(void **state)
{
    (void)state;
    struct wire w;
    make(WITH(.mode = SMPP_PAIR));
    struct peer *tx = leg_bound(BIND_TX);
    struct peer *rx = leg_of(BIND_RX, &w);
    PEER_SAY0(rx, ANSWER(BIND_RX), 0x05, w.sequence); /* already bound */
    UNTIL(base, info_of(0).state == SMPP_BOUND && info_of(1).next_attempt_ms > 20000);
    assert_int_equal(info_of(0).next_attempt_ms, -1);
    assert_true(is_quiet(tx));
}

static int submit_long(void)
{
    char text[200];
    struct smpp_message m = {.destination = "38591234567",
                             .text = memset(text, 'x', sizeof text),
                             .text_len = sizeof text,
                             .deadline = mono_add_ms(mono_now(), 60000),
                             .max_segments = 2};
    return smpp_submit(carrier, &m, on_outcome, NULL);
}

static void q63_what_a_pair_has_begun_goes_on_over_one_that_is_whole(void **state)
{
    (void)state;
    struct peer *tx[2], *rx[2];
    make(WITH(.mode = SMPP_PAIR, .binds = 2, .rate_per_bind = 2));
    for (int i = 0; i < 2; i++) {
        tx[i] = leg_bound(BIND_TX);
        rx[i] = leg_bound(BIND_RX);
    }
    UNTIL(base, info_of(0).is_up && info_of(2).is_up);
    for (int i = 0; i < 2; i++)
        assert_int_equal(submit_long(), 0);
    for (int i = 0; i < 2; i++)
        answer_submit(tx[i]);
    UNTIL(base, info_of(0).responses + info_of(2).responses == 2);
    peer_hang_up(rx[0], true);
    UNTIL(base, !info_of(0).is_up || !info_of(2).is_up);
    unsigned whole = info_of(0).is_up ? 0 : 2;
    UNTIL(base, info_of(whole).submits == 3);
    UNTIL(base, peer_has_pdu(tx[0]) || peer_has_pdu(tx[1]));
    struct peer *p = peer_has_pdu(tx[0]) ? tx[0] : tx[1];
    answer_submit(p);
    answer_submit(p);
    UNTIL(base, n_accepted == 2);
}

static void q63_a_message_takes_the_pair_that_is_whole(void **state)
{
    (void)state;
    struct peer *tx[2], *rx[2];
    make(WITH(.mode = SMPP_PAIR, .binds = 2, .window = 1));
    assert_int_equal(smpp_carrier_bind_count(carrier), 4);
    for (int i = 0; i < 2; i++) {
        tx[i] = leg_bound(BIND_TX);
        rx[i] = leg_bound(BIND_RX);
    }
    UNTIL(base, info_of(0).is_up && info_of(2).is_up);
    assert_int_equal(info_of(3).bind, 1);
    peer_hang_up(rx[0], true);
    UNTIL(base, !info_of(0).is_up || !info_of(2).is_up);
    unsigned whole = info_of(0).is_up ? 0 : 2;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(submit(), 0);
        UNTIL(base, peer_has_pdu(tx[0]) || peer_has_pdu(tx[1]));
        answer_submit(peer_has_pdu(tx[0]) ? tx[0] : tx[1]);
        UNTIL(base, n_accepted == i);
        assert_int_equal(info_of(whole).submits, i);
    }
}

static void q63_a_drain_ends_the_transmitter_and_then_the_receiver(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 1), &tx, &rx);
    assert_int_equal(submit(), 0);
    struct wire w = peer_expect(tx, SUBMIT, 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    assert_true(is_quiet(rx));
    PEER_SAYS(tx, SUBMIT_RESP, 0, w.sequence, "77");
    struct wire bye = peer_expect(tx, UNBIND, 0);
    give_receipt(rx, 0); /* of that submit, just in time */
    assert_true(is_quiet(rx));
    PEER_SAY0(tx, UNBIND_RESP, 0, bye.sequence);
    answer_unbind(rx);
    UNTIL(base, n_drained == 1);
    assert_int_equal(n_receipts, 1);
    assert_int_equal(n_accepted, 1);
}

static void q63_a_drain_ends_a_pair_of_which_one_leg_is_away(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 1), &tx, &rx);
    peer_hang_up(tx, true);
    UNTIL(base, info_of(0).state != SMPP_BOUND);
    smpp_carrier_drain(carrier, on_drained, NULL);
    answer_unbind(rx);
    UNTIL(base, n_drained == 1);
}

static void a_pair_too_many_goes_transmitter_first(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.mode = SMPP_PAIR, .binds = 1);
    struct peer *tx, *rx;
    pair_up(WITH(.binds = 1), &tx, &rx);
    o.binds = 2;
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    struct peer *tx2 = leg_bound(BIND_TX), *rx2 = leg_bound(BIND_RX);
    UNTIL(base, smpp_carrier_bind_count(carrier) == 4 && info_of(2).is_up);
    o.binds = 1;
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    struct wire bye = peer_expect(tx2, UNBIND, 0);
    assert_true(is_quiet(rx2));
    PEER_SAY0(tx2, UNBIND_RESP, 0, bye.sequence);
    answer_unbind(rx2);
    UNTIL(base, smpp_carrier_bind_count(carrier) == 2);
    assert_true(info_of(0).is_up && is_quiet(tx) && is_quiet(rx));
}

static void what_a_bind_is_cannot_be_updated(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    struct smpp_carrier_options o = WITH(.mode = SMPP_TRANSCEIVER);
    pair_up(WITH(.window = 1), &tx, &rx);
    assert_int_equal(smpp_carrier_prepare(carrier, &o), ERR_INVALID);
}

/* --- one kind alone --- */

static void q63_a_receiver_takes_receipts_and_messages_and_sends_nothing(void **state)
{
    (void)state;
    make(WITH(.mode = SMPP_RECEIVER));
    struct peer *rx = leg_bound(BIND_RX);
    UNTIL(base, info_of(0).is_up);
    assert_string_equal(info_of(0).mode, "receiver");
    assert_string_equal(info_of(0).name, "0");
    assert_false(info_of(0).is_leg);
    assert_false(smpp_carrier_is_up(carrier));
    assert_false(smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), ERR_UNAVAILABLE);
    give_receipt(rx, 0);
    PEER_SAYS(rx, DELIVER, 0, 5,
              "\0\1\1"
              "38591234567\0"
              "\1\1"
              "800800\0"
              "\0\0\0\0\0\0\0\0\0\5hello");
    peer_expect(rx, ANSWER(DELIVER), 0);
    PEER_SAYS(rx, SUBMIT_RESP, 0, 1, "77"); /* an answer to what cannot have been sent */
    peer_sync(rx);
    assert_int_equal(n_receipts, 1);
    assert_int_equal(n_mo, 1);
    assert_int_equal(info_of(0).unexpected, 1);
}

static void q63_deliveries_on_a_transmitter_are_refused_and_the_bind_stays(void **state)
{
    (void)state;
    make(WITH(.mode = SMPP_TRANSMITTER));
    struct peer *tx = leg_bound(BIND_TX);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    give_receipt(tx, 0x04);
    PEER_SAYS(tx, DATA, 0, 6,
              "\0\1\1"
              "385\0"
              "\1\1"
              "800\0"
              "\4\0");
    peer_expect(tx, ANSWER(DATA), 0x04);
    assert_int_equal(submit(), 0);
    answer_submit(tx);
    UNTIL(base, n_accepted == 1);
    assert_int_equal(n_receipts + n_mo, 0);
    assert_int_equal(info_of(0).turned_away, 2);
    assert_string_equal(info_of(0).mode, "transmitter");
}

static void q63_deliveries_on_the_transmitter_of_a_pair_are_refused(void **state)
{
    (void)state;
    struct peer *tx, *rx;
    pair_up(WITH(.window = 1), &tx, &rx);
    give_receipt(tx, 0x04);
    give_receipt(rx, 0);
    assert_int_equal(n_receipts, 1);
}

/* --- versions --- */

/* What the bind request at hand says in the one octet behind three strings. */
static uint8_t version_in(const struct wire *bind)
{
    const uint8_t *p = bind->body;
    for (int i = 0; i < 3; i++)
        p += strlen((const char *)p) + 1;
    return *p;
}

static void bound_with(const char *body, size_t len)
{
    struct wire w;
    make(WITH(.window = 1));
    struct peer *p = leg_of(BIND, &w);
    assert_int_equal(version_in(&w), 0x34);
    peer_say(p, BIND_RESP, 0, w.sequence, body, len);
    UNTIL(base, smpp_carrier_is_ready(carrier));
}

static void q65_a_bind_response_without_a_version_leaves_what_is_configured(void **state)
{
    (void)state;
    bound_with("smsc", 5);
    assert_int_equal(info_of(0).interface_version, -1);
}

static void q65_a_version_of_another_length_is_none(void **state)
{
    (void)state;
    bound_with("smsc\0\x02\x10\0\2\x34\0", 11);
    assert_int_equal(info_of(0).interface_version, -1);
}

static void q65_the_version_of_the_peer_is_told_and_changes_nothing(void **state)
{
    (void)state;
    bound_with("smsc\0\x02\x10\0\1\x33", 10);
    assert_int_equal(info_of(0).interface_version, 0x33);
}

static void q65_a_bind_of_5_says_so(void **state)
{
    (void)state;
    struct wire w;
    make(WITH(.interface_version = 0x50));
    leg_of(BIND, &w);
    assert_int_equal(version_in(&w), 0x50);
}

static void q63_a_pair_of_3_3_says_so_and_works(void **state)
{
    (void)state;
    struct wire tx_bind, rx_bind;
    make(WITH(.mode = SMPP_PAIR, .interface_version = 0x33, .address_range = "^385",
              .address_ton = 1));
    struct peer *tx = leg_of(BIND_TX, &tx_bind), *rx = leg_of(BIND_RX, &rx_bind);
    assert_int_equal(version_in(&tx_bind), 0x33);
    assert_int_equal(version_in(&rx_bind), 0x33);
    assert_memory_equal(rx_bind.body + rx_bind.body_len - 7, "\1\0^385", 7);
    PEER_SAYS(tx, ANSWER(BIND_TX), 0, tx_bind.sequence, "");
    PEER_SAYS(rx, ANSWER(BIND_RX), 0, rx_bind.sequence, "");
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    answer_submit(tx);
    UNTIL(base, n_accepted == 1);
}

static bool is_refused(struct smpp_carrier_options o)
{
    static const struct smpp_events events = {0};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    return !carrier;
}

static void what_3_3_does_not_have_is_refused(void **state)
{
    (void)state;
    assert_true(is_refused(WITH(.interface_version = 0x33)));
    assert_true(is_refused(
        WITH(.mode = SMPP_PAIR, .interface_version = 0x33, .user_message_reference = true)));
    assert_true(is_refused(WITH(.interface_version = 0x35)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, legs_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(q63_a_pair_is_up_when_both_legs_are),
        T(q63_submits_go_on_the_transmitter_and_receipts_come_on_the_receiver),
        T(q63_while_the_receiver_is_lost_what_was_sent_is_answered_and_nothing_new_goes),
        T(q63_while_the_transmitter_is_lost_receipts_are_taken),
        T(q63_each_leg_waits_for_itself_after_a_refusal),
        T(q63_what_a_pair_has_begun_goes_on_over_one_that_is_whole),
        T(q63_a_message_takes_the_pair_that_is_whole),
        T(q63_a_drain_ends_the_transmitter_and_then_the_receiver),
        T(q63_a_drain_ends_a_pair_of_which_one_leg_is_away),
        T(a_pair_too_many_goes_transmitter_first),
        T(what_a_bind_is_cannot_be_updated),
        T(q63_a_receiver_takes_receipts_and_messages_and_sends_nothing),
        T(q63_deliveries_on_a_transmitter_are_refused_and_the_bind_stays),
        T(q63_deliveries_on_the_transmitter_of_a_pair_are_refused),
        T(q65_a_bind_response_without_a_version_leaves_what_is_configured),
        T(q65_a_version_of_another_length_is_none),
        T(q65_the_version_of_the_peer_is_told_and_changes_nothing),
        T(q65_a_bind_of_5_says_so),
        T(q63_a_pair_of_3_3_says_so_and_works),
        T(what_3_3_does_not_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
