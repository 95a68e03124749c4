/* How fast a carrier sends: its rate, what throttles do to it, and who waits meanwhile. */
#include "carrier_rig.h"

#include "base/result.h"

#define RTHROTTLED 0x58
#define RMSGQFUL   0x14
#define MANY       1000
#define S(n)       ((int64_t)((n)*1e6))

static struct smpp_result results[MANY];
static unsigned n_done, n_accepted;
static struct mono arrived[MANY];
static unsigned n_arrived;

static void on_outcome(void *arg, const struct smpp_result *r)
{
    *(struct smpp_result *)arg = *r;
    n_done++;
    n_accepted += r->outcome == SMPP_ACCEPTED;
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    n_done = n_accepted = n_arrived = 0;
    return 0;
}

static struct smpp_carrier_info queue_info(void)
{
    struct smpp_carrier_info info;
    smpp_carrier_info(carrier, &info);
    return info;
}

static void make(struct smpp_carrier_options o)
{
    const struct smpp_events none = {0};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &none);
}

static void bound(struct smpp_carrier_options o)
{
    make(o);
    assert_non_null(carrier);
    bind_up(0);
}

static void update(struct smpp_carrier_options o)
{
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
}

/* Two binds; the first one is `second` then. */
static void bound_twice(struct smpp_carrier_options o)
{
    bound(o);
    second = peer;
    second.ev_read = event_new(base, second.fd, EV_READ | EV_PERSIST, peer_read_cb, &second);
    event_add(second.ev_read, NULL);
    second.ev_accept = second.ev_tick = NULL;
    second.listen_fd = -1;
    event_free(peer.ev_read);
    peer.ev_read = NULL;
    peer.in = malloc(PEER_BUFFER);
    peer.len = peer.at = 0;
    peer.fd = -1;
    o.binds = 2;
    update(o);
    bind_up(1);
}

static void submit_valid(unsigned i, int64_t within_ms, int64_t validity_ms)
{
    struct smpp_message m = {.destination = "38591234567",
                             .text = "Your PIN is 739201",
                             .text_len = 18,
                             .validity_ms = validity_ms,
                             .deadline = mono_add_ms(mono_now(), within_ms)};
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &results[i]), 0);
}

static void submit_by(unsigned i, int64_t within_ms)
{
    submit_valid(i, within_ms, 0);
}

static void submit_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        submit_by(i, 60000 + i);
}

static void say(struct peer *p, uint32_t status, uint32_t sequence)
{
    if (status)
        PEER_SAY0(p, SUBMIT_RESP, status, sequence);
    else
        PEER_SAYS(p, SUBMIT_RESP, 0, sequence, "id-1");
}

/* The next submit, answered. */
static void answer(struct peer *p, uint32_t status)
{
    struct wire w = peer_expect(p, SUBMIT, 0);
    arrived[n_arrived++] = mono_now();
    say(p, status, w.sequence);
}

static void answer_what_is_there(struct peer *p, unsigned *count)
{
    while (peer_has_pdu(p)) {
        answer(p, 0);
        (*count)++;
    }
}

static int64_t us_between(unsigned first, unsigned last)
{
    return mono_diff_us(arrived[last], arrived[first]);
}

static unsigned most_in_a_second(void)
{
    unsigned most = 0;
    for (unsigned from = 0, to = 0; from < n_arrived; from++) {
        while (to < n_arrived && us_between(from, to) < S(1))
            to++;
        most = to - from > most ? to - from : most;
    }
    return most;
}

static void run_for_ms(int64_t ms)
{
    struct mono end = mono_add_ms(mono_now(), ms);
    while (!mono_is_past(end, mono_now()))
        event_base_loop(base, EVLOOP_ONCE);
}

/* --- the rate --- */

static void a_carrier_sends_no_faster_than_its_rate(void **state)
{
    (void)state;
    bound(WITH(.rate = 20));
    submit_many(30);
    for (int i = 0; i < 30; i++)
        answer(&peer, 0);
    UNTIL(base, n_accepted == 30);
    assert_in_range(us_between(0, 29), S(1.5), S(5));
    assert_in_range(most_in_a_second(), 10, 20);
    assert_int_equal(info_of(0).rate, 20);
    assert_int_equal(info_of(0).rate_now, 20);
}

static void a_high_rate_is_kept_and_made_use_of(void **state)
{
    (void)state;
    bound(WITH(.rate = 1000, .window = 100));
    submit_many(900);
    for (int i = 0; i < 900; i++)
        answer(&peer, 0);
    assert_in_range(us_between(0, 899), S(0.9), S(2));
}

static void a_message_that_waits_for_the_rate_leaves_the_carrier_ready(void **state)
{
    (void)state;
    bound(WITH(.rate = 1, .max_queue = 2));
    submit_by(0, 60000);
    assert_int_equal(queue_info().queued, 0);
    assert_int_equal(queue_info().oldest_ms, 0);
    submit_by(1, 50);
    assert_true(smpp_carrier_is_ready(carrier));
    submit_by(2, 60000);
    assert_false(smpp_carrier_is_ready(carrier));
    assert_int_equal(queue_info().queued, 2);
    UNTIL(base, n_done == 1); /* not by room that is made: the timer wakes for both */
    assert_int_equal(results[1].outcome, SMPP_NOT_SENT);
    assert_string_equal(results[1].reason, "deadline reached in the queue");
    assert_in_range(queue_info().oldest_ms, 40, 1000);
    answer(&peer, 0);
    answer(&peer, 0);
    UNTIL(base, n_accepted == 2);
    assert_in_range(us_between(0, 1), 0, S(3));
}

static void what_waits_past_its_validity_is_dropped_for_that(void **state)
{
    (void)state;
    bound(WITH(.rate = 1));
    submit_by(0, 60000);
    submit_by(1, 60000);
    submit_valid(2, 60000, 50); /* behind the one before, but for its validity */
    submit_valid(3, 80, 60000);
    UNTIL(base, n_done == 2);
    assert_int_equal(results[2].outcome, SMPP_NOT_SENT);
    assert_string_equal(results[2].reason, "validity passed in the queue");
    assert_int_equal(results[3].outcome, SMPP_NOT_SENT);
    assert_string_equal(results[3].reason, "deadline reached in the queue");
    answer(&peer, 0);
    answer(&peer, 0);
    UNTIL(base, n_accepted == 2);
}

/* Loop turns that it takes until the peer has the next octet. */
static unsigned turns_until_something_comes(void)
{
    unsigned turns = 0;
    for (size_t had = peer.len + second.len; peer.len + second.len == had; turns++)
        event_base_loop(base, EVLOOP_ONCE);
    return turns;
}

static void who_waits_for_the_rate_sleeps(void **state)
{
    (void)state;
    bound(WITH(.rate = 5));
    submit_many(3);
    answer(&peer, 0);
    UNTIL(base, n_done == 1);
    event_del(peer.ev_tick);
    assert_in_range(turns_until_something_comes(), 1, 10);
    answer(&peer, 0);
    UNTIL(base, n_done == 2);
    assert_in_range(turns_until_something_comes(), 1, 10);
}

static void who_waits_for_the_rate_of_the_carrier_sleeps(void **state)
{
    (void)state;
    bound_twice(WITH(.rate = 5));
    submit_many(3);
    run_for_ms(20); /* the first one is there */
    event_del(peer.ev_tick);
    assert_in_range(turns_until_something_comes(), 1, 10);
    assert_in_range(turns_until_something_comes(), 1, 10);
}

static void binds_share_the_rate_of_their_carrier(void **state)
{
    (void)state;
    unsigned each[2] = {0, 0};
    bound_twice(WITH(.rate = 40));
    submit_many(30);
    while (each[0] + each[1] < 30) {
        answer_what_is_there(&second, &each[0]);
        answer_what_is_there(&peer, &each[1]);
        event_base_loop(base, EVLOOP_ONCE);
    }
    UNTIL(base, n_accepted == 30);
    assert_in_range(us_between(0, 29), S(0.7), S(2));
    assert_in_range(each[0], 14, 16);
}

static void two_binds_do_not_make_it_twice_the_rate(void **state)
{
    (void)state;
    bound_twice(WITH(.rate = 1));
    submit_many(3);
    assert_int_equal(info_of(0).in_flight + info_of(1).in_flight, 1);
    update(WITH(.rate = 1, .binds = 2, .window = 20)); /* makes it look for room */
    run_for_ms(20);
    assert_int_equal(queue_info().queued, 2);
}

static void each_bind_has_a_rate_of_its_own(void **state)
{
    (void)state;
    unsigned each[2] = {0, 0};
    bound_twice(WITH(.rate_per_bind = 20));
    submit_many(30);
    while (each[0] + each[1] < 30) {
        answer_what_is_there(&second, &each[0]);
        answer_what_is_there(&peer, &each[1]);
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_in_range(us_between(0, 29), S(0.7), S(2));
    assert_int_equal(each[0], 15);
    assert_int_equal(info_of(1).rate, 20);
}

static void the_rate_changes_in_place(void **state)
{
    (void)state;
    bound(WITH(.rate = 1));
    submit_many(40);
    answer(&peer, 0);
    run_for_ms(20);
    assert_int_equal(queue_info().queued, 39);
    update(WITH(.rate = 0, .rate_per_bind = 100));
    assert_int_equal(info_of(0).rate, 100);
    for (int i = 0; i < 20; i++)
        answer(&peer, 0);
    assert_in_range(us_between(0, 20), S(0.2), S(1.5)); /* no burst either */
    update(WITH(.rate = 0));
    for (int i = 0; i < 19; i++)
        answer(&peer, 0);
    assert_in_range(us_between(20, 39), 0, S(0.8));
    UNTIL(base, n_accepted == 40);
    assert_int_equal(info_of(0).rate, 0);
    assert_int_equal(peer.accepted, 1);
}

static void a_rate_out_of_range_is_refused(void **state)
{
    (void)state;
    make(WITH(.rate = 100001));
    assert_null(carrier);
    make(WITH(.rate_per_bind = 100001));
    assert_null(carrier);
    bound(WITH(.rate = 100000, .rate_per_bind = 100000));
}

/* --- throttles --- */

static int64_t us_until_the_probe_after(uint32_t status)
{
    bound(WITH(.throttle_ms = 100));
    submit_many(1);
    answer(&peer, status);
    answer(&peer, 0);
    UNTIL(base, n_accepted == 1);
    assert_int_equal(info_of(0).throttled, 1);
    return us_between(0, 1);
}

static void a_throttled_bind_rests_for_its_time(void **state)
{
    (void)state;
    assert_in_range(us_until_the_probe_after(RTHROTTLED), S(0.1), S(1));
}

static void a_full_queue_gets_twice_that_time(void **state)
{
    (void)state;
    assert_in_range(us_until_the_probe_after(RMSGQFUL), S(0.2), S(1.5));
}

static void a_throttled_message_keeps_its_place(void **state)
{
    (void)state;
    static const unsigned order[] = {1, 0, 2}; /* the probe is one that was not throttled */
    bound(WITH(.window = 1, .throttle_ms = 10));
    submit_many(3);
    answer(&peer, RTHROTTLED);
    for (unsigned i = 0; i < 3; i++) {
        answer(&peer, 0);
        UNTIL(base, n_accepted == i + 1);
        assert_int_equal(results[order[i]].outcome, SMPP_ACCEPTED);
        assert_true(results[order[i]].reason != NULL);
    }
}

static void after_a_throttle_one_message_probes_and_the_rest_follow_slowly(void **state)
{
    (void)state;
    struct wire w[10];
    bound(WITH(.window = 10, .throttle_ms = 20));
    submit_many(25);
    for (int i = 0; i < 10; i++)
        w[i] = peer_expect(&peer, SUBMIT, 0);
    for (int i = 0; i < 10; i++)
        say(&peer, i < 2 ? RTHROTTLED : 0, w[i].sequence);
    struct wire probe = peer_expect(&peer, SUBMIT, 0);
    run_for_ms(100);
    assert_false(peer_has_pdu(&peer)); /* one */
    assert_int_equal(info_of(0).rate_now, 4);
    say(&peer, 0, probe.sequence);
    arrived[n_arrived++] = mono_now();
    answer(&peer, 0);
    answer(&peer, 0);
    assert_in_range(us_between(0, 2), S(0.4), S(1.5));
    assert_int_equal(info_of(0).rate, 0);
}

static void an_answer_to_what_went_before_does_not_end_a_probe(void **state)
{
    (void)state;
    bound(WITH(.window = 3, .throttle_ms = 10));
    submit_many(4);
    struct wire slow = peer_expect(&peer, SUBMIT, 0);
    answer(&peer, RTHROTTLED);
    struct wire slower = peer_expect(&peer, SUBMIT, 0);
    struct wire probe = peer_expect(&peer, SUBMIT, 0);
    say(&peer, 0, slow.sequence);
    UNTIL(base, n_accepted == 1);
    say(&peer, RTHROTTLED, slower.sequence); /* nor does a throttle of then begin a pause */
    UNTIL(base, info_of(0).throttled == 2);
    run_for_ms(1300); /* longer than the least rate waits */
    assert_false(peer_has_pdu(&peer));
    say(&peer, 0, probe.sequence);
    UNTIL(base, n_accepted == 2);
    answer(&peer, 0);
    answer(&peer, 0);
    UNTIL(base, n_accepted == 4);
}

/* The peer takes others meanwhile: the queue that is full is that of one recipient. */
static void q38_a_full_queue_of_one_recipient_holds_up_nobody_else(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .throttle_ms = 10));
    submit_by(0, 3000);
    answer(&peer, RMSGQFUL);
    UNTIL(base, info_of(0).throttled == 1);
    submit_by(1, 60000);
    answer(&peer, 0); /* the probe */
    UNTIL(base, n_done == 1);
    update(WITH(.window = 1, .throttle_ms = 3600000));
    answer(&peer, RMSGQFUL); /* the first one again */
    UNTIL(base, info_of(0).throttled == 2);
    assert_int_equal(queue_info().queued, 1);
    submit_by(2, 60000);
    answer(&peer, 0);
    UNTIL(base, n_done == 2);
    assert_int_equal(n_accepted, 2);
    UNTIL(base, n_done == 3);
    assert_int_equal(results[0].outcome, SMPP_THROTTLED_OUT);
    assert_int_equal(results[0].status, RMSGQFUL);
    assert_int_equal(queue_info().queued, 0);
    assert_false(peer_has_pdu(&peer));
}

/* Nothing was taken since: it may be the bind. */
static void q38_a_full_queue_has_the_bind_rest_while_nothing_is_taken(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .throttle_ms = 10));
    submit_by(0, 60000);
    answer(&peer, RMSGQFUL);
    UNTIL(base, info_of(0).throttled == 1);
    update(WITH(.window = 1, .throttle_ms = 3600000));
    answer(&peer, RMSGQFUL);
    UNTIL(base, info_of(0).throttled == 2);
    submit_by(1, 300);
    UNTIL(base, n_done == 1);
    assert_int_equal(results[1].outcome, SMPP_NOT_SENT);
    assert_false(peer_has_pdu(&peer));
}

static void the_other_bind_goes_on_and_takes_what_was_throttled(void **state)
{
    (void)state;
    bound_twice(WITH(.window = 1, .throttle_ms = 3600000));
    submit_many(5);
    answer(&second, RTHROTTLED);
    for (int i = 0; i < 5; i++)
        answer(&peer, 0);
    UNTIL(base, n_accepted == 5);
    assert_int_equal(info_of(0).throttled + info_of(1).throttled, 1);
    assert_int_equal(info_of(1).rate_now, 0);
    assert_int_equal(second.at, second.len);
}

static void a_bind_that_comes_back_is_throttled_still(void **state)
{
    (void)state;
    bound(WITH(.window = 10, .throttle_ms = 300));
    submit_many(1);
    answer(&peer, RTHROTTLED);
    UNTIL(base, info_of(0).throttled == 1);
    for (unsigned i = 1; i < 5; i++)
        submit_by(i, 60000);
    peer_hang_up(&peer, true);
    bind_up(0);
    assert_int_equal(queue_info().queued, 5);
    struct wire probe = peer_expect(&peer, SUBMIT, 0);
    arrived[n_arrived++] = mono_now();
    assert_in_range(us_between(0, 1), S(0.3), S(2));
    peer_hang_up(&peer, true); /* the probe is in doubt: another one */
    bind_up(0);
    probe = peer_expect(&peer, SUBMIT, 0);
    run_for_ms(50);
    assert_false(peer_has_pdu(&peer));
    assert_int_equal(info_of(0).rate_now, 1);
    say(&peer, 0, probe.sequence);
    UNTIL(base, n_accepted == 1);
    run_for_ms(50);
    assert_false(peer_has_pdu(&peer)); /* 1 a second */
}

static void a_rate_holds_over_connections(void **state)
{
    (void)state;
    bound(WITH(.rate_per_bind = 2));
    submit_many(4);
    for (int i = 0; i < 4; i++) {
        struct wire w = peer_expect(&peer, SUBMIT, 0);
        arrived[n_arrived++] = mono_now();
        say(&peer, 0, w.sequence);
        UNTIL(base, n_accepted == (unsigned)i + 1);
        peer_hang_up(&peer, true);
        bind_up(0);
    }
    assert_in_range(us_between(0, 3), S(1.6), S(5));
}

/* --- congestion_state --- */

static void answer_congested(const char *tlv, size_t len)
{
    char body[64] = "id-1";
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    unsigned before = n_accepted;
    memcpy(body + 5, tlv, len);
    peer_say(&peer, SUBMIT_RESP, 0, w.sequence, body, 5 + len);
    UNTIL(base, n_accepted == before + 1);
}

static void a_peer_near_congestion_slows_its_bind(void **state)
{
    (void)state;
    bound(WITH(.window = 10));
    assert_int_equal(info_of(0).congestion, -1);
    submit_many(12);
    answer_congested("\4\x28\0\1\x59", 5); /* 89 */
    assert_int_equal(info_of(0).congestion, 89);
    assert_int_equal(info_of(0).rate_now, 0);
    for (int i = 0; i < 8; i++)
        answer(&peer, 0);
    UNTIL(base, n_accepted == 9);
    answer_congested("\4\x28\0\1\x5a", 5); /* 90 */
    assert_int_equal(info_of(0).congestion, 90);
    assert_int_equal(info_of(0).rate_now, 4);
    answer_congested("\4\x28\0\1\x64", 5); /* within the same second */
    assert_int_equal(info_of(0).rate_now, 4);
    assert_int_equal(info_of(0).throttled, 0);
    answer(&peer, 0); /* no pause, no probe */
    UNTIL(base, n_accepted == 12);
}

static void a_congestion_state_that_is_none_is_ignored(void **state)
{
    (void)state;
    bound(WITH(.window = 10));
    submit_many(3);
    answer_congested("\4\x28\0\1\xff", 5);
    answer_congested("\4\x28\0\2\x5a\x5a", 6);
    answer_congested("\4\x28\0\0", 4);
    assert_int_equal(info_of(0).congestion, -1);
    assert_int_equal(info_of(0).rate_now, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(a_carrier_sends_no_faster_than_its_rate),
        T(a_high_rate_is_kept_and_made_use_of),
        T(a_message_that_waits_for_the_rate_leaves_the_carrier_ready),
        T(what_waits_past_its_validity_is_dropped_for_that),
        T(who_waits_for_the_rate_sleeps),
        T(who_waits_for_the_rate_of_the_carrier_sleeps),
        T(binds_share_the_rate_of_their_carrier),
        T(two_binds_do_not_make_it_twice_the_rate),
        T(each_bind_has_a_rate_of_its_own),
        T(the_rate_changes_in_place),
        T(a_rate_out_of_range_is_refused),
        T(a_throttled_bind_rests_for_its_time),
        T(a_full_queue_gets_twice_that_time),
        T(a_throttled_message_keeps_its_place),
        T(after_a_throttle_one_message_probes_and_the_rest_follow_slowly),
        T(an_answer_to_what_went_before_does_not_end_a_probe),
        T(q38_a_full_queue_of_one_recipient_holds_up_nobody_else),
        T(q38_a_full_queue_has_the_bind_rest_while_nothing_is_taken),
        T(the_other_bind_goes_on_and_takes_what_was_throttled),
        T(a_bind_that_comes_back_is_throttled_still),
        T(a_rate_holds_over_connections),
        T(a_peer_near_congestion_slows_its_bind),
        T(a_congestion_state_that_is_none_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
