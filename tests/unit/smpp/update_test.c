/* Other options for a carrier that runs: prepared, then swapped in, and no bind goes down for it.
 */
#include "carrier_rig.h"

#include "base/result.h"

#include <stdio.h>

#define UNBIND      0x00000006u
#define UNBIND_RESP 0x80000006u

static unsigned n_done, n_accepted, n_unknown;

static void on_outcome(void *arg, const struct smpp_result *r)
{
    (void)arg;
    n_done++;
    n_accepted += r->outcome == SMPP_ACCEPTED;
    n_unknown += r->outcome == SMPP_UNKNOWN;
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    n_done = n_accepted = n_unknown = 0;
    return 0;
}

static int prepare(struct smpp_carrier_options o)
{
    return smpp_carrier_prepare(carrier, &o);
}

static void update(struct smpp_carrier_options o)
{
    assert_int_equal(prepare(o), 0);
    smpp_carrier_update(carrier);
}

static void make(struct smpp_carrier_options o)
{
    const struct smpp_events none = {0};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &none);
    assert_non_null(carrier);
}

static void bound(struct smpp_carrier_options o)
{
    make(o);
    bind_up(0);
}

static int submit(void)
{
    struct smpp_message m = {.destination = "38591234567",
                             .text = "Your PIN is 739201",
                             .text_len = 18,
                             .deadline = mono_add_ms(mono_now(), 60000)};
    return smpp_submit(carrier, &m, on_outcome, NULL);
}

static void submit_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(submit(), 0);
}

static void answer(struct peer *p, struct wire w)
{
    PEER_SAYS(p, SUBMIT_RESP, 0, w.sequence, "id-1");
}

static bool is_silent(void)
{
    peer_sync(&peer); /* fails when anything but its own answer comes */
    return true;
}

/* The connection at hand stays open beside the next one. */
static void take_aside(void)
{
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
}

/* From one bind to two; the first one is `second` then. */
static void add_bind(struct smpp_carrier_options o)
{
    o.binds = 2;
    take_aside();
    update(o);
    bind_up(1);
}

/* --- windows and queues --- */

static void a_smaller_window_takes_nothing_back_and_fills_up_no_more(void **state)
{
    (void)state;
    struct wire w[5];
    bound(WITH(.window = 4));
    submit_many(5);
    for (int i = 0; i < 4; i++)
        w[i] = peer_expect(&peer, SUBMIT, 0);
    update(WITH(.window = 2));
    assert_int_equal(info_of(0).window, 2);
    assert_int_equal(info_of(0).in_flight, 4);
    assert_true(is_silent());
    answer(&peer, w[1]);
    answer(&peer, w[0]);
    assert_true(is_silent());
    assert_int_equal(info_of(0).in_flight, 2);
    answer(&peer, w[3]);
    w[4] = peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(info_of(0).in_flight, 2);
    answer(&peer, w[2]);
    answer(&peer, w[4]);
    UNTIL(base, n_accepted == 5);
}

static void a_larger_window_takes_what_waits(void **state)
{
    (void)state;
    struct wire w[100];
    bound(WITH(.window = 1));
    submit_many(100);
    w[0] = peer_expect(&peer, SUBMIT, 0);
    assert_true(is_silent());
    update(WITH(.window = 100));
    for (int i = 1; i < 100; i++)
        w[i] = peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(info_of(0).in_flight, 100);
    for (int i = 0; i < 100; i++)
        answer(&peer, w[i]);
    UNTIL(base, n_accepted == 100);
}

static void a_queue_grows_and_shrinks_by_its_bound_alone(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .max_queue = 2));
    submit_many(3);
    assert_int_equal(submit(), ERR_FULL);
    update(WITH(.window = 1, .max_queue = 50));
    submit_many(48);
    assert_int_equal(submit(), ERR_FULL);
    update(WITH(.window = 1, .max_queue = 2));
    assert_int_equal(submit(), ERR_FULL);
    assert_false(smpp_carrier_is_ready(carrier));
    for (int i = 0; i < 49; i++)
        answer(&peer, peer_expect(&peer, SUBMIT, 0));
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    assert_int_equal(submit(), ERR_FULL);
}

static void a_shorter_time_out_counts_for_what_is_in_flight(void **state)
{
    (void)state;
    bound(WITH(.response_timeout_ms = 60000, .connect_timeout_ms = 60000));
    submit_many(2);
    peer_expect(&peer, SUBMIT, 0);
    update(WITH(.response_timeout_ms = 20));
    UNTIL(base, n_unknown == 2);
    assert_int_equal(info_of(0).state, SMPP_BOUND);
}

static void enquire_link_follows_the_new_silence(void **state)
{
    (void)state;
    bound(WITH(.enquire_link_ms = 600000, .connect_timeout_ms = 60000));
    update(WITH(.enquire_link_ms = 20));
    peer_expect(&peer, 0x15, 0);
}

static void what_stands_in_a_submit_is_the_new_value(void **state)
{
    (void)state;
    bound(WITH(.source = "OLD"));
    update(WITH(.source = "NEWNAME"));
    submit_many(1);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    assert_non_null(memmem(w.body, w.body_len, "NEWNAME", 8));
    assert_int_equal(peer.accepted, 1);
}

static void the_next_connection_binds_with_the_new_account(void **state)
{
    (void)state;
    bound(WITH(.system_type = "OLD"));
    update(WITH(.system_type = "NEW"));
    assert_true(is_silent());
    peer_hang_up(&peer, false);
    UNTIL(base, peer.accepted == 2);
    struct wire w = peer_expect(&peer, BIND, 0);
    assert_memory_equal(w.body, "pinbind\0secret\0NEW", 19);
}

/* --- nothing before the update --- */

static void prepare_alone_changes_nothing(void **state)
{
    (void)state;
    bound(WITH(.window = 2));
    assert_int_equal(prepare(WITH(.window = 1, .binds = 3, .source = "OTHER")), 0);
    assert_int_equal(smpp_carrier_bind_count(carrier), 1);
    submit_many(2);
    peer_expect(&peer, SUBMIT, 0);
    peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(prepare(WITH(.window = 5)), 0); /* the one before is forgotten */
    smpp_carrier_update(carrier);
    assert_int_equal(info_of(0).window, 5);
    smpp_carrier_update(carrier); /* nothing is prepared */
    assert_int_equal(info_of(0).window, 5);
    assert_int_equal(prepare(WITH(.binds = 16)), 0); /* freed with the carrier */
}

static void an_option_out_of_range_changes_nothing(void **state)
{
    (void)state;
    bound(WITH(.window = 2));
    assert_int_equal(prepare(WITH(.window = 10001)), ERR_INVALID);
    smpp_carrier_update(carrier);
    assert_int_equal(info_of(0).window, 2);
}

static void a_carrier_that_drains_takes_no_other_options(void **state)
{
    (void)state;
    bound(WITH(.window = 2));
    smpp_carrier_drain(carrier, on_drained, NULL);
    assert_int_equal(prepare(WITH(.window = 3)), ERR_CLOSED);
    struct wire w = peer_expect(&peer, UNBIND, 0);
    PEER_SAY0(&peer, UNBIND_RESP, 0, w.sequence);
    UNTIL(base, n_drained == 1);
}

/* --- binds --- */

static void a_bind_more_comes_up_beside_the_first(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    add_bind(WITH(.window = 1));
    submit_many(2);
    answer(&second, peer_expect(&second, SUBMIT, 0));
    answer(&peer, peer_expect(&peer, SUBMIT, 0));
    UNTIL(base, n_accepted == 2);
    assert_false(second.eof);
}

static void a_bind_too_many_drains_and_goes(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    add_bind(WITH(.window = 1));
    submit_many(2);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    answer(&second, peer_expect(&second, SUBMIT, 0));
    update(WITH(.window = 1, .binds = 1));
    UNTIL(base, n_accepted == 1);
    assert_int_equal(submit(), 0); /* through the one that stays */
    answer(&second, peer_expect(&second, SUBMIT, 0));
    UNTIL(base, n_accepted == 2);
    assert_true(is_silent());
    answer(&peer, w);
    w = peer_expect(&peer, UNBIND, 0);
    PEER_SAY0(&peer, UNBIND_RESP, 0, w.sequence);
    UNTIL(base, smpp_carrier_bind_count(carrier) == 1);
    assert_int_equal(n_accepted, 3);
    assert_int_equal(info_of(0).state, SMPP_BOUND);
}

static void a_bind_that_is_wanted_again_stays(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    add_bind(WITH(.window = 1));
    submit_many(2);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    update(WITH(.window = 1, .binds = 1));
    peer_sync(&peer); /* turns of the loop: it drains, with one in flight */
    update(WITH(.window = 1, .binds = 2));
    answer(&peer, w);
    UNTIL(base, n_accepted == 1);
    submit_many(1);
    answer(&peer, peer_expect(&peer, SUBMIT, 0));
    UNTIL(base, n_accepted == 2);
    assert_int_equal(smpp_carrier_bind_count(carrier), 2);
    assert_int_equal(peer.accepted, 2);
}

static void a_bind_wanted_again_while_it_unbinds_binds_anew(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    add_bind(WITH(.window = 1));
    update(WITH(.window = 1, .binds = 1));
    struct wire w = peer_expect(&peer, UNBIND, 0);
    update(WITH(.window = 1, .binds = 2));
    PEER_SAY0(&peer, UNBIND_RESP, 0, w.sequence);
    UNTIL(base, peer.accepted == 3);
    bind_up(1);
    assert_int_equal(smpp_carrier_bind_count(carrier), 2);
}

static void
a_bind_wanted_again_whose_unbind_is_not_answered_binds_anew_without_a_penalty(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    add_bind(WITH(.window = 1));
    update(WITH(.window = 1, .binds = 1));
    peer_expect(&peer, UNBIND, 0);
    update(WITH(.window = 1, .binds = 2));
    peer_hang_up(&peer, false);
    UNTIL(base, peer.accepted == 3); /* the account is not busy: no backoff_bound_min_ms */
    bind_up(1);
    submit_many(2);
    assert_int_equal(info_of(1).in_flight, 1);
}

static void binds_that_never_came_up_go_in_the_next_turn(void **state)
{
    (void)state;
    peer_stop_listening(&peer);
    make(WITH(.binds = 16));
    event_base_loop(base, EVLOOP_ONCE);
    update(WITH(.binds = 2));
    UNTIL(base, smpp_carrier_bind_count(carrier) == 2);
    update(WITH(.binds = 16));
    assert_int_equal(smpp_carrier_bind_count(carrier), 16);
}

static void fewer_hosts_are_taken_in_turn_too(void **state)
{
    static const char *const three[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
    (void)state;
    make(WITH(.hosts = three, .n_hosts = 3));
    UNTIL(base, strstr(info_of(0).last_reason, "127.0.0.2"));
    UNTIL(base, info_of(0).state == SMPP_IDLE); /* the next one would be the second */
    update(WITH(.window = 1));
    bind_up(0);
}

/* --- held --- */

static void a_held_carrier_binds_when_it_is_started(void **state)
{
    (void)state;
    make(WITH(.is_held = true));
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(peer.accepted, 0);
    assert_int_equal(info_of(0).state, SMPP_IDLE);
    assert_int_equal(info_of(0).next_attempt_ms, -1);
    smpp_carrier_start(carrier);
    bind_up(0);
}

static void a_held_carrier_is_freed_without_a_trace(void **state)
{
    (void)state;
    make(WITH(.is_held = true));
    smpp_carrier_free(carrier);
    carrier = NULL;
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(peer.accepted, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_smaller_window_takes_nothing_back_and_fills_up_no_more),
        T(a_larger_window_takes_what_waits),
        T(a_queue_grows_and_shrinks_by_its_bound_alone),
        T(a_shorter_time_out_counts_for_what_is_in_flight),
        T(enquire_link_follows_the_new_silence),
        T(what_stands_in_a_submit_is_the_new_value),
        T(the_next_connection_binds_with_the_new_account),
        T(prepare_alone_changes_nothing),
        T(an_option_out_of_range_changes_nothing),
        T(a_carrier_that_drains_takes_no_other_options),
        T(a_bind_more_comes_up_beside_the_first),
        T(a_bind_too_many_drains_and_goes),
        T(a_bind_that_is_wanted_again_stays),
        T(a_bind_wanted_again_while_it_unbinds_binds_anew),
        T(a_bind_wanted_again_whose_unbind_is_not_answered_binds_anew_without_a_penalty),
        T(binds_that_never_came_up_go_in_the_next_turn),
        T(fewer_hosts_are_taken_in_turn_too),
        T(a_held_carrier_binds_when_it_is_started),
        T(a_held_carrier_is_freed_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
