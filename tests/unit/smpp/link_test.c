#include "peer.h"

#include "base/log.h"
#include "smpp/smpp_link.h"

static struct event_base *base;
static struct reap *reap;
static struct peer peer;
static struct smpp_config config;
static struct smpp_link link_;
static unsigned n_connecting;

static void on_state(void *owner, const struct smpp_session *s, enum smpp_state from,
                     uint32_t status)
{
    (void)owner;
    (void)from;
    (void)status;
    n_connecting += s->state == SMPP_CONNECTING;
}

static void on_room(void *owner)
{
    (void)owner;
}

static const struct smpp_session_ops ops = {.state_cb = on_state, .room_cb = on_room};

static int setup(void **state)
{
    (void)state;
    log_set_fd(-1);
    base = event_base_new();
    reap = reap_new(base);
    peer_open(&peer, base);
    n_connecting = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smpp_link_stop(&link_);
    reap_free(reap);
    smpp_link_clear(&link_);
    smpp_config_clear(&config);
    peer_close(&peer);
    event_base_free(base);
    return 0;
}

static void start(struct smpp_carrier_options o)
{
    static const char *const one[] = {"127.0.0.1"};
    o.name = "acme";
    o.system_id = "pinbind";
    o.port = peer.port;
    if (!o.hosts) {
        o.hosts = one;
        o.n_hosts = 1;
    }
    assert_int_equal(smpp_config_init(&config, &o), 0);
    struct smpp_session_env env = {base, reap, NULL, &config, &ops, NULL};
    assert_int_equal(smpp_link_init(&link_, &env, 3), 0);
    smpp_link_start(&link_);
    assert_int_equal(link_.session.state, SMPP_IDLE); /* no callback inside the call */
    assert_int_equal(n_connecting, 0);
}

static void answer_bind(uint32_t status)
{
    struct wire bind = peer_expect(&peer, 9, 0);
    PEER_SAYS(&peer, 0x80000009, status, bind.sequence, "smsc");
}

static void the_floor_and_the_ceiling_of_the_wait_follow_the_reason(void **state)
{
    (void)state;
    static const struct {
        enum smpp_wait wait;
        uint32_t failures, min, max;
    } rows[] = {
        {SMPP_WAIT_NETWORK, 0, 1000, 2000},         {SMPP_WAIT_NETWORK, 1, 1000, 4000},
        {SMPP_WAIT_NETWORK, 4, 1000, 30000},        {SMPP_WAIT_NETWORK, 4000000, 1000, 30000},
        {SMPP_WAIT_BUSY, 0, 30000, 60000},          {SMPP_WAIT_BUSY, 9, 30000, 300000},
        {SMPP_WAIT_CREDENTIALS, 0, 300000, 600000}, {SMPP_WAIT_CREDENTIALS, 9, 300000, 900000},
    };
    start((struct smpp_carrier_options){.window = 1});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t min, max;
        smpp_link_backoff(&config.o, rows[i].wait, rows[i].failures, &min, &max);
        assert_int_equal(min, rows[i].min);
        assert_int_equal(max, rows[i].max);
    }
}

static void the_wait_is_drawn_from_its_whole_range(void **state)
{
    (void)state;
    uint32_t low = 0, high = 0;
    start((struct smpp_carrier_options){.window = 1});
    for (int i = 0; i < 1000; i++) {
        uint32_t r = smpp_random_between(1000, 2000);
        assert_in_range(r, 1000, 2000);
        low += r < 1200;
        high += r > 1800;
    }
    assert_true(low > 100 && high > 100);
    assert_int_equal(smpp_random_between(7, 7), 7);
}

static void wait_after(uint32_t status, int64_t min, int64_t max)
{
    start((struct smpp_carrier_options){.window = 1});
    answer_bind(status);
    UNTIL(base, smpp_link_next_attempt_ms(&link_) >= 0 && n_connecting == 1 &&
                    link_.session.state == SMPP_IDLE);
    assert_in_range(smpp_link_next_attempt_ms(&link_), min - 1000, max);
}

static void q57_a_refused_password_waits_five_minutes_at_least(void **state)
{
    (void)state;
    wait_after(0x0e, 300000, 900000);
}

static void q57_an_account_that_is_bound_already_waits_half_a_minute_at_least(void **state)
{
    (void)state;
    wait_after(0x05, 30000, 300000);
}

static void a_lost_bind_is_bound_again(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.backoff_min_ms = 1, .backoff_max_ms = 5});
    for (unsigned i = 1; i <= 3; i++) {
        answer_bind(0);
        UNTIL(base, link_.session.state == SMPP_BOUND);
        assert_int_equal(peer.accepted, i);
        assert_int_equal(smpp_link_next_attempt_ms(&link_), -1);
        peer_hang_up(&peer, i == 2);
        UNTIL(base, link_.session.state == SMPP_IDLE);
    }
    UNTIL(base, peer.accepted == 4);
}

static void hosts_are_tried_in_turn_before_the_first_wait(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.9", "127.0.0.8", "127.0.0.1"};
    start((struct smpp_carrier_options){
        .hosts = hosts, .n_hosts = 3, .backoff_min_ms = 3600000, .backoff_max_ms = 3600000});
    answer_bind(0); /* no wait of an hour was in between */
    UNTIL(base, link_.session.state == SMPP_BOUND);
    assert_int_equal(n_connecting, 3);
}

static void a_round_without_a_host_ends_in_a_wait(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.9", "127.0.0.8"};
    start((struct smpp_carrier_options){
        .hosts = hosts, .n_hosts = 2, .backoff_min_ms = 3600000, .backoff_max_ms = 3600000});
    UNTIL(base, smpp_link_next_attempt_ms(&link_) > 1000000);
    assert_int_equal(n_connecting, 2);
}

static void a_host_that_was_bound_is_tried_first_again(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.9"};
    start((struct smpp_carrier_options){
        .hosts = hosts, .n_hosts = 2, .backoff_min_ms = 1, .backoff_max_ms = 5});
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    peer_hang_up(&peer, false);
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    assert_int_equal(n_connecting, 2);
}

static void a_host_that_was_bound_and_is_gone_makes_way_for_the_next(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.9"};
    start((struct smpp_carrier_options){
        .hosts = hosts, .n_hosts = 2, .backoff_min_ms = 1, .backoff_max_ms = 5});
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    peer_stop_listening(&peer);
    peer_hang_up(&peer, false);
    UNTIL(base, link_.host == 1);
}

static void a_bind_that_is_lost_at_once_each_time_waits_longer_and_longer(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.backoff_min_ms = 1, .backoff_max_ms = 3600000});
    for (uint32_t i = 1; i <= 4; i++) {
        answer_bind(0);
        UNTIL(base, link_.session.state == SMPP_BOUND);
        peer_hang_up(&peer, false);
        UNTIL(base, link_.session.state == SMPP_IDLE);
        assert_int_equal(link_.failures, i);
    }
}

static int64_t fake_us;
static int64_t fake_mono(void)
{
    return fake_us;
}

static void a_bind_that_held_long_starts_from_the_floor(void **state)
{
    (void)state;
    static const struct clock_source fake = {fake_mono, fake_mono};
    start((struct smpp_carrier_options){.backoff_min_ms = 1, .backoff_max_ms = 1000});
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    link_.failures = 5;
    fake_us = mono_now().us + 2000000;
    clock_set_source(&fake);
    peer_hang_up(&peer, false);
    UNTIL(base, link_.session.state == SMPP_IDLE);
    clock_set_source(NULL);
    assert_int_equal(link_.failures, 1);
}

static void a_shorter_backoff_shortens_the_wait_at_hand(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.window = 1});
    answer_bind(0x0e);
    UNTIL(base, smpp_link_next_attempt_ms(&link_) > 200000);
    config.o.backoff_credentials_ms = 600000; /* a longer one does not */
    int64_t left = smpp_link_next_attempt_ms(&link_);
    smpp_link_update(&link_);
    assert_in_range(smpp_link_next_attempt_ms(&link_), left - 1000, left);
    config.o.backoff_credentials_ms = 20;
    smpp_link_update(&link_);
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
}

static void q57_attempts_and_ends_are_counted_by_reason(void **state)
{
    (void)state;
    const struct smpp_counts *n = &link_.session.counts;
    start((struct smpp_carrier_options){.backoff_min_ms = 1,
                                        .backoff_max_ms = 1,
                                        .backoff_credentials_ms = 1,
                                        .backoff_bound_min_ms = 1,
                                        .backoff_bound_max_ms = 1});
    answer_bind(0x0e);
    answer_bind(0x05);
    peer_expect(&peer, 9, 0);
    peer_hang_up(&peer, true);
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    PEER_SAY0(&peer, 6, 0, 1);
    peer_expect(&peer, 0x80000006, 0);
    peer_hang_up(&peer, false);
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    peer_hang_up(&peer, true);
    UNTIL(base, link_.session.state != SMPP_BOUND);
    assert_int_equal(n->bound, 2);
    assert_int_equal(n->failed[SMPP_END_CREDENTIALS], 1);
    assert_int_equal(n->failed[SMPP_END_REFUSED], 1);
    assert_int_equal(n->failed[SMPP_END_LOST], 1);
    assert_int_equal(n->ended[SMPP_END_UNBIND], 1);
    assert_int_equal(n->ended[SMPP_END_LOST], 1);
    assert_int_equal(n->ended[SMPP_END_CREDENTIALS] + n->failed[SMPP_END_UNBIND], 0);
}

static void every_end_has_a_name_of_its_own(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.window = 1});
    for (unsigned i = 0; i < SMPP_ENDS; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(smpp_end_name((enum smpp_end)i),
                                    smpp_end_name((enum smpp_end)k));
    assert_string_equal(smpp_end_name(SMPP_ENDS), "?");
}

static void a_drained_link_does_not_try_again(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.backoff_min_ms = 1, .backoff_max_ms = 1});
    answer_bind(0);
    UNTIL(base, link_.session.state == SMPP_BOUND);
    smpp_link_drain(&link_);
    peer_expect(&peer, 6, 0);
    peer_hang_up(&peer, false);
    UNTIL(base, link_.session.state == SMPP_CLOSED);
    assert_int_equal(smpp_link_next_attempt_ms(&link_), -1);
    for (int i = 0; i < 10; i++)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(n_connecting, 1);
}

static void a_link_that_waits_is_closed_at_once_by_a_drain(void **state)
{
    (void)state;
    start((struct smpp_carrier_options){.window = 1});
    answer_bind(0x0e);
    UNTIL(base, n_connecting == 1 && link_.session.state == SMPP_IDLE);
    smpp_link_drain(&link_);
    assert_int_equal(link_.session.state, SMPP_CLOSED);
    assert_int_equal(smpp_link_next_attempt_ms(&link_), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_floor_and_the_ceiling_of_the_wait_follow_the_reason),
        T(the_wait_is_drawn_from_its_whole_range),
        T(q57_a_refused_password_waits_five_minutes_at_least),
        T(q57_an_account_that_is_bound_already_waits_half_a_minute_at_least),
        T(a_lost_bind_is_bound_again),
        T(hosts_are_tried_in_turn_before_the_first_wait),
        T(a_round_without_a_host_ends_in_a_wait),
        T(a_host_that_was_bound_is_tried_first_again),
        T(a_host_that_was_bound_and_is_gone_makes_way_for_the_next),
        T(a_bind_that_is_lost_at_once_each_time_waits_longer_and_longer),
        T(a_bind_that_held_long_starts_from_the_floor),
        T(a_shorter_backoff_shortens_the_wait_at_hand),
        T(q57_attempts_and_ends_are_counted_by_reason),
        T(every_end_has_a_name_of_its_own),
        T(a_drained_link_does_not_try_again),
        T(a_link_that_waits_is_closed_at_once_by_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
