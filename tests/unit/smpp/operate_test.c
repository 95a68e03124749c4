#include "legs.h"

#include "base/result.h"

#include <stdio.h>

static unsigned n_accepted, n_other;
static const struct smpp_events no_events = {0};

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
    n_accepted = n_other = 0;
    return 0;
}

static int legs_teardown(void **state)
{
    legs_close();
    return teardown(state);
}

static void make(struct smpp_carrier_options o)
{
    carrier = smpp_carrier_new(base, reap, NULL, &o, &no_events);
    assert_non_null(carrier);
}

static struct peer *made_bound(struct smpp_carrier_options o)
{
    make(o);
    struct peer *p = leg_bound(BIND);
    UNTIL(base, info_of(0).state == SMPP_BOUND);
    return p;
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

static void acts(uint32_t row, enum smpp_bind_action action, const char *did)
{
    assert_string_equal(smpp_carrier_act(carrier, row, action), did);
}

static bool is_quiet(struct peer *p)
{
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_ONCE);
    return !peer_has_pdu(p) && !p->eof;
}

static void turns(int n)
{
    for (int i = 0; i < n; i++)
        event_base_loop(base, EVLOOP_ONCE);
}

static void refused(uint32_t status)
{
    struct wire w;
    make(WITH(.window = 1));
    struct peer *p = leg_of(BIND, &w);
    PEER_SAY0(p, BIND_RESP, status, w.sequence);
    UNTIL(base, info_of(0).next_attempt_ms > 20000);
}

/* --- retry-now --- */

static void q57_retry_now_ends_the_wait_after_a_refused_password(void **state)
{
    (void)state;
    refused(0x0e);
    acts(0, SMPP_BIND_RETRY_NOW, "binds now");
    leg_bound(BIND);
    UNTIL(base, info_of(0).state == SMPP_BOUND);
    acts(0, SMPP_BIND_RETRY_NOW, "is bound");
    assert_int_equal(n_legs, 2);
}

static void q57_a_retry_that_is_refused_again_waits_again(void **state)
{
    (void)state;
    struct wire w;
    refused(0x0e);
    acts(0, SMPP_BIND_RETRY_NOW, "binds now");
    struct peer *p = leg_of(BIND, &w);
    acts(0, SMPP_BIND_RETRY_NOW, "is at it");
    PEER_SAY0(p, BIND_RESP, 0x0e, w.sequence);
    UNTIL(base, info_of(0).next_attempt_ms > 200000);
    turns(5);
    assert_int_equal(n_legs, 2);
}

static void retry_now_does_not_hurry_a_peer_that_dials(void **state)
{
    (void)state;
    static const struct secret password = {(uint8_t *)(uintptr_t) "letmein", 7};
    char address[32]; /* of a port that is taken: nobody can connect */
    snprintf(address, sizeof address, "127.0.0.1:%u", peer.port);
    make(WITH(.mode = SMPP_RECEIVER, .outbind_listen = address, .outbind_system_id = "smsc",
              .outbind_password = &password));
    UNTIL(base, info_of(0).awaits_outbind);
    acts(0, SMPP_BIND_RETRY_NOW, "waits for the SMSC to connect");
    acts(0, SMPP_BIND_DOWN, "is down");
    assert_false(info_of(0).awaits_outbind);
    acts(0, SMPP_BIND_UP, "binds now");
    UNTIL(base, info_of(0).awaits_outbind);
}

/* --- down and up --- */

static void down_lets_the_window_empty_unbinds_and_stays_so(void **state)
{
    (void)state;
    struct peer *p = made_bound(WITH(.window = 1));
    assert_int_equal(submit(), 0);
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    assert_false(smpp_carrier_is_up(carrier));
    assert_int_equal(submit(), ERR_UNAVAILABLE);
    answer_submit(p);
    answer_unbind(p);
    UNTIL(base, info_of(0).state == SMPP_IDLE);
    assert_int_equal(n_accepted, 1);
    turns(10); /* back-off is 2 ms here */
    assert_true(info_of(0).is_down);
    assert_int_equal(info_of(0).next_attempt_ms, -1);
    assert_int_equal(n_legs, 1);
    assert_int_equal(info_of(0).ended[SMPP_END_STOPPED], 1);
    acts(0, SMPP_BIND_DOWN, "was down");
    acts(0, SMPP_BIND_RETRY_NOW, "is down: take it up first");
    acts(0, SMPP_BIND_RESTART, "is down: take it up first");
    acts(0, SMPP_BIND_UP, "binds now");
    leg_bound(BIND);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    acts(0, SMPP_BIND_UP, "was not down");
}

static void down_is_bounded_where_the_peer_answers_nothing(void **state)
{
    (void)state;
    made_bound(WITH(.window = 1, .response_timeout_ms = 50, .unbind_timeout_ms = 50));
    assert_int_equal(submit(), 0);
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    UNTIL(base, info_of(0).state == SMPP_IDLE);
    assert_int_equal(n_other, 1);
    turns(5);
    assert_int_equal(n_legs, 1);
}

static void down_ends_an_attempt_and_a_wait(void **state)
{
    (void)state;
    struct wire w;
    make(WITH(.window = 1));
    leg_of(BIND, &w);
    acts(0, SMPP_BIND_DOWN, "is down");
    turns(5);
    assert_int_equal(n_legs, 1);
    acts(0, SMPP_BIND_UP, "binds now");
    leg_of(BIND, &w);
    smpp_carrier_drain(carrier, on_drained, NULL);
    UNTIL(base, n_drained == 1);
}

static void up_in_time_keeps_the_bind(void **state)
{
    (void)state;
    struct peer *p = made_bound(WITH(.window = 1));
    assert_int_equal(submit(), 0);
    assert_int_equal(submit(), 0); /* in the queue */
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    acts(0, SMPP_BIND_UP, "stays bound");
    answer_submit(p);
    answer_submit(p);
    UNTIL(base, n_accepted == 2);
    assert_true(is_quiet(p));
    assert_int_equal(n_legs, 1);
}

static void up_while_it_unbinds_binds_afterwards(void **state)
{
    (void)state;
    struct peer *p = made_bound(WITH(.window = 1));
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    struct wire w = peer_expect(p, UNBIND, 0);
    acts(0, SMPP_BIND_UP, "binds when it has unbound");
    PEER_SAY0(p, UNBIND_RESP, 0, w.sequence);
    leg_bound(BIND);
    UNTIL(base, smpp_carrier_is_ready(carrier));
}

static void one_of_two_binds_down_leaves_the_other_at_work(void **state)
{
    (void)state;
    make(WITH(.binds = 2, .window = 1));
    struct peer *p[2] = {leg_bound(BIND), leg_bound(BIND)};
    UNTIL(base, info_of(0).is_up && info_of(1).is_up);
    acts(1, SMPP_BIND_DOWN, "unbinds, then is down");
    UNTIL(base, peer_has_pdu(p[0]) || peer_has_pdu(p[1]));
    struct peer *gone = peer_has_pdu(p[0]) ? p[0] : p[1], *stays = gone == p[0] ? p[1] : p[0];
    answer_unbind(gone);
    UNTIL(base, info_of(1).state == SMPP_IDLE);
    assert_int_equal(submit(), 0);
    answer_submit(stays);
    UNTIL(base, n_accepted == 1);
}

/* --- restart --- */

static void restart_unbinds_in_order_and_binds_at_once(void **state)
{
    (void)state;
    struct peer *p = made_bound(
        WITH(.window = 1, .backoff_min_ms = 3600000, .backoff_max_ms = 3600000));
    assert_int_equal(submit(), 0);
    assert_int_equal(submit(), 0); /* in the queue, goes on the next connection */
    acts(0, SMPP_BIND_RESTART, "unbinds, then binds");
    answer_submit(p);
    answer_unbind(p);
    p = leg_bound(BIND);
    answer_submit(p);
    UNTIL(base, n_accepted == 2);
    assert_int_equal(n_other, 0);
}

static void restart_begins_an_attempt_anew(void **state)
{
    (void)state;
    struct wire w;
    make(WITH(.window = 1));
    leg_of(BIND, &w);
    acts(0, SMPP_BIND_RESTART, "binds now");
    leg_bound(BIND);
    UNTIL(base, smpp_carrier_is_ready(carrier));
}

/* --- pairs --- */

static void q63_the_receiver_of_a_pair_goes_down_after_its_transmitter(void **state)
{
    (void)state;
    make(WITH(.mode = SMPP_PAIR, .window = 1));
    struct peer *tx = leg_bound(BIND_TX), *rx = leg_bound(BIND_RX);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    acts(1, SMPP_BIND_DOWN, "unbinds after its transmitter");
    answer_submit(tx);
    assert_true(is_quiet(rx));
    answer_unbind(tx);
    answer_unbind(rx);
    UNTIL(base, info_of(1).state == SMPP_IDLE);
    assert_true(info_of(0).is_down && info_of(1).is_down);
    acts(0, SMPP_BIND_UP, "binds now");
    acts(1, SMPP_BIND_UP, "binds now");
    leg_bound(BIND_TX);
    leg_bound(BIND_RX);
    UNTIL(base, smpp_carrier_is_ready(carrier));
}

static void q63_a_pair_of_which_the_transmitter_is_away_goes_down(void **state)
{
    (void)state;
    make(WITH(.mode = SMPP_PAIR, .backoff_min_ms = 3600000, .backoff_max_ms = 3600000));
    struct peer *tx = leg_bound(BIND_TX), *rx = leg_bound(BIND_RX);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    peer_hang_up(tx, true);
    UNTIL(base, info_of(0).state == SMPP_IDLE);
    acts(0, SMPP_BIND_DOWN, "is down");
    acts(1, SMPP_BIND_DOWN, "unbinds, then is down");
    answer_unbind(rx);
    UNTIL(base, info_of(1).state == SMPP_IDLE);
}

/* Of two parts. */
static int submit_long(void)
{
    char text[200];
    memset(text, 'a', sizeof text);
    struct smpp_message m = {.destination = "38591234567",
                             .text = text,
                             .text_len = sizeof text,
                             .max_segments = 2,
                             .deadline = mono_add_ms(mono_now(), 60000)};
    return smpp_submit(carrier, &m, on_outcome, NULL);
}

/* The one of two that is told something. */
static struct peer *told(struct peer *two[2])
{
    UNTIL(base, peer_has_pdu(two[0]) || peer_has_pdu(two[1]));
    return two[peer_has_pdu(two[0]) ? 0 : 1];
}

static void q63_a_pair_restarts_though_it_had_begun_a_message(void **state)
{
    (void)state;
    struct peer *tx[2], *rx[2];
    make(WITH(.mode = SMPP_PAIR, .binds = 2, .rate_per_bind = 1));
    for (int i = 0; i < 2; i++) {
        tx[i] = leg_bound(BIND_TX);
        rx[i] = leg_bound(BIND_RX);
    }
    UNTIL(base, info_of(0).is_up && info_of(2).is_up);
    assert_int_equal(submit_long(), 0);
    uint32_t row = info_of(0).submits ? 0 : 2;
    struct peer *first = told(tx);
    answer_submit(first);
    UNTIL(base, info_of(row).in_flight == 0);
    acts(row, SMPP_BIND_RESTART, "unbinds, then binds");
    acts(row + 1, SMPP_BIND_RESTART, "unbinds, then binds");
    answer_unbind(told(rx));
    answer_unbind(first);
    answer_submit(first == tx[0] ? tx[1] : tx[0]);
    UNTIL(base, n_accepted == 1);
    leg_bound(BIND_RX);
    leg_bound(BIND_TX);
    UNTIL(base, info_of(row).is_up);
}

/* --- with updates and drains --- */

static void an_update_leaves_down_what_is_down(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.window = 5);
    struct peer *p = made_bound(WITH(.window = 1));
    assert_int_equal(submit(), 0);
    acts(0, SMPP_BIND_DOWN, "unbinds, then is down");
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    answer_submit(p);
    answer_unbind(p);
    UNTIL(base, info_of(0).state == SMPP_IDLE);
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    turns(10);
    assert_true(info_of(0).is_down);
    assert_int_equal(n_legs, 1);
}

static void the_next_carrier_of_the_name_inherits_what_is_down(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.mode = SMPP_PAIR, .binds = 2, .is_held = true);
    struct smpp_carrier *old;
    make(WITH(.binds = 2));
    leg_bound(BIND);
    leg_bound(BIND);
    UNTIL(base, info_of(0).is_up && info_of(1).is_up);
    acts(1, SMPP_BIND_DOWN, "unbinds, then is down");
    old = carrier;
    carrier = smpp_carrier_new(base, reap, NULL, &o, &no_events);
    smpp_carrier_inherit(carrier, old);
    smpp_carrier_free(old);
    smpp_carrier_start(carrier);
    leg_bound(BIND_TX);
    leg_bound(BIND_RX);
    UNTIL(base, info_of(0).is_up);
    turns(10);
    assert_true(info_of(2).is_down && info_of(3).is_down && !info_of(0).is_down);
    assert_int_equal(n_legs, 4);
}

static void a_carrier_that_drains_takes_no_orders(void **state)
{
    (void)state;
    struct peer *p = made_bound(WITH(.window = 1));
    assert_int_equal(submit(), 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    acts(0, SMPP_BIND_UP, "drains for good");
    acts(0, SMPP_BIND_RESTART, "drains for good");
    answer_submit(p);
    answer_unbind(p);
    UNTIL(base, n_drained == 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, legs_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(q57_retry_now_ends_the_wait_after_a_refused_password),
        T(q57_a_retry_that_is_refused_again_waits_again),
        T(retry_now_does_not_hurry_a_peer_that_dials),
        T(down_lets_the_window_empty_unbinds_and_stays_so),
        T(down_is_bounded_where_the_peer_answers_nothing),
        T(down_ends_an_attempt_and_a_wait),
        T(up_in_time_keeps_the_bind),
        T(up_while_it_unbinds_binds_afterwards),
        T(one_of_two_binds_down_leaves_the_other_at_work),
        T(restart_unbinds_in_order_and_binds_at_once),
        T(restart_begins_an_attempt_anew),
        T(q63_the_receiver_of_a_pair_goes_down_after_its_transmitter),
        T(q63_a_pair_of_which_the_transmitter_is_away_goes_down),
        T(q63_a_pair_restarts_though_it_had_begun_a_message),
        T(an_update_leaves_down_what_is_down),
        T(the_next_carrier_of_the_name_inherits_what_is_down),
        T(a_carrier_that_drains_takes_no_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
