/* Virtual time throughout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "smpp/smpp_rate.h"

#define SECOND 1000000
#define SPAN   (SMPP_RATE_SPAN_MS * 1000)
#define SENT   200000

static struct mono now;
static struct mono sent[SENT];
static unsigned n_sent;

static int setup(void **state)
{
    (void)state;
    now.us = 7 * SECOND;
    n_sent = 0;
    return 0;
}

/* Every window begins with a segment: no other can hold more. */
static unsigned most_within(int64_t us)
{
    unsigned most = 0;
    for (unsigned from = 0, to = 0; from < n_sent; from++) {
        while (to < n_sent && mono_diff_us(sent[to], sent[from]) < us)
            to++;
        if (to - from > most)
            most = to - from;
    }
    return most;
}

static void note(uint32_t segments)
{
    for (uint32_t i = 0; i < segments && n_sent < SENT; i++)
        sent[n_sent++] = now;
}

static void send_all_that_may(struct smpp_bucket *b)
{
    while (smpp_bucket_room(b, now) > 0) {
        smpp_bucket_spend(b, 1, now);
        note(1);
    }
}

/* As a carrier does: sends what may go and sleeps until the next may. */
static void run_bucket(struct smpp_bucket *b, int64_t us)
{
    struct mono end = {now.us + us};
    while (now.us < end.us) {
        send_all_that_may(b);
        struct mono next = smpp_bucket_next(b, 1, now);
        assert_true(next.us > now.us);
        now = next;
    }
}

/* --- the bucket --- */

static const uint32_t rates[] = {1, 2, 3, 7, 10, 49, 50, 51, 99, 100, 1000, 9999, SMPP_RATE_MAX};

static void no_second_ever_holds_more_than_the_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct smpp_bucket b;
        n_sent = 0;
        smpp_bucket_init(&b, rates[i], now);
        run_bucket(&b, rates[i] > 10000 ? 2 * SPAN - 1000 : 5 * SECOND);
        assert_in_range(most_within(SPAN), rates[i] - rates[i] / 100, rates[i]);
        now.us += 10 * SECOND;
    }
}

static void a_loaded_bucket_gives_nearly_its_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0] - 2; i++) {
        struct smpp_bucket b;
        n_sent = 0;
        smpp_bucket_init(&b, rates[i], now);
        run_bucket(&b, 100 * SECOND);
        assert_in_range(n_sent, 88 * rates[i], 92 * rates[i] + 1);
    }
}

static void random_traffic_never_gets_more_than_the_rate_through(void **state)
{
    (void)state;
    srand(4711);
    for (int round = 0; round < 200; round++) {
        struct smpp_bucket b;
        uint32_t rate = 1 + (uint32_t)rand() % (round % 2 ? 20 : 2000);
        n_sent = 0;
        smpp_bucket_init(&b, rate, now);
        for (int i = 0; i < 400; i++) {
            now.us += rand() % (rand() % 20 ? 20000 : 2 * SECOND);
            for (int wanted = rand() % 40; wanted > 0 && smpp_bucket_room(&b, now) > 0; wanted--) {
                smpp_bucket_spend(&b, 1, now);
                note(1);
            }
        }
        assert_true(most_within(SPAN) <= rate);
    }
}

static void another_rate_brings_no_burst(void **state)
{
    (void)state;
    srand(4712);
    for (int round = 0; round < 100; round++) {
        struct smpp_bucket b;
        uint32_t most = 50;
        n_sent = 0;
        smpp_bucket_init(&b, most, now);
        for (int i = 0; i < 20; i++) {
            uint32_t rate = 1 + (uint32_t)rand() % 300;
            run_bucket(&b, rand() % SECOND);
            smpp_bucket_set(&b, rate, now);
            most = rate > most ? rate : most;
        }
        assert_true(most_within(SPAN) <= most);
    }
}

static void a_bucket_that_had_no_limit_begins_empty(void **state)
{
    (void)state;
    struct smpp_bucket b;
    smpp_bucket_init(&b, 0, now);
    assert_int_equal(smpp_bucket_room(&b, now), UINT32_MAX);
    assert_int_equal(smpp_bucket_next(&b, 1, now).us, now.us);
    smpp_bucket_spend(&b, 1000, now);
    smpp_bucket_set(&b, 100, now);
    assert_int_equal(smpp_bucket_room(&b, now), 0);
    assert_in_range(smpp_bucket_next(&b, 1, now).us, now.us + 11000, now.us + 12000);
}

static void a_full_bucket_holds_a_token_and_one_for_each_fifty_a_second(void **state)
{
    (void)state;
    struct smpp_bucket b;
    smpp_bucket_init(&b, 1000, now);
    assert_int_equal(smpp_bucket_room(&b, now), 21);
    now.us += 3600LL * SECOND;
    assert_int_equal(smpp_bucket_room(&b, now), 21);
    smpp_bucket_init(&b, 10, now);
    assert_int_equal(smpp_bucket_room(&b, now), 1);
}

static void a_long_message_is_paid_for_afterwards(void **state)
{
    (void)state;
    struct smpp_bucket b;
    smpp_bucket_init(&b, 10, now);
    smpp_bucket_spend(&b, 5, now);
    assert_int_equal(smpp_bucket_room(&b, now), 0);
    assert_int_equal(smpp_bucket_next(&b, 1, now).us, now.us + 5 * 110000);
}

static void a_token_is_there_when_it_was_promised_and_not_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct smpp_bucket b;
        smpp_bucket_init(&b, rates[i], now);
        smpp_bucket_spend(&b, b.burst, now);
        for (int k = 0; k < 100; k++) {
            struct mono next = smpp_bucket_next(&b, 1, now);
            assert_int_equal(smpp_bucket_room(&b, (struct mono){next.us - 1}), 0);
            assert_true(smpp_bucket_room(&b, next) >= 1);
            smpp_bucket_spend(&b, smpp_bucket_room(&b, next), next);
            now = next;
        }
    }
}

/* --- the curve --- */

static struct smpp_rate rate;

/* The peer takes n in the tenths of the last second, evenly. */
static void take(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        now.us += SECOND / n;
        smpp_rate_taken(&rate, 1, now, now);
    }
}

static bool cut(void)
{
    return smpp_rate_cut(&rate, now, now);
}

static uint32_t after_seconds(unsigned s)
{
    now.us += (int64_t)s * SECOND;
    return smpp_rate_current(&rate, now);
}

static void pause_and_resume(void)
{
    now.us += SECOND;
    smpp_rate_resume(&rate, now);
}

static void without_a_limit_a_throttle_leaves_half_of_what_was_taken(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    assert_int_equal(smpp_rate_room(&rate, now), UINT32_MAX);
    take(100);
    assert_true(cut());
    assert_int_equal(smpp_rate_current(&rate, now), 50);
    pause_and_resume();
    assert_int_equal(smpp_rate_current(&rate, now), 50);
    assert_int_equal(smpp_rate_room(&rate, now), 0); /* no burst */
    assert_in_range(smpp_rate_next(&rate, 1, now).us, now.us + 20000, now.us + 23000);
}

static void what_was_taken_more_than_a_second_ago_does_not_count(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(1000);
    now.us += SECOND;
    take(20);
    cut();
    assert_int_equal(smpp_rate_current(&rate, now), 10);
}

static void the_limit_is_halved_where_traffic_is_at_it(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 40, now);
    take(60); /* more than it can be */
    cut();
    assert_int_equal(smpp_rate_current(&rate, now), 20);
}

static void the_least_is_one_a_second(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    cut();
    assert_int_equal(smpp_rate_current(&rate, now), 1);
    for (int i = 0; i < 100; i++) {
        now.us += SECOND;
        assert_true(cut());
        assert_int_equal(smpp_rate_current(&rate, now), 1);
    }
    smpp_rate_resume(&rate, now);
    assert_in_range(smpp_rate_next(&rate, 1, now).us, now.us + SECOND, now.us + SPAN);
}

static void each_probe_that_fails_halves_again(void **state)
{
    (void)state;
    static const uint32_t curve[] = {25, 12, 6, 3, 1, 1, 1};
    smpp_rate_init(&rate, 0, now);
    take(100);
    cut();
    for (size_t i = 0; i < sizeof curve / sizeof curve[0]; i++) {
        now.us += SECOND;
        assert_true(cut());
        assert_int_equal(smpp_rate_current(&rate, now), curve[i]);
    }
    pause_and_resume();
    assert_int_equal(after_seconds(1), 7); /* the step is that of the 100 */
}

static void the_throttles_of_one_window_are_one_cut(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(100);
    struct mono before = now;
    now.us += 1000;
    cut();
    now.us += 1000;
    assert_false(smpp_rate_cut(&rate, before, now));
    pause_and_resume();
    assert_false(smpp_rate_cut(&rate, before, now)); /* a slow one */
    assert_int_equal(smpp_rate_current(&rate, now), 50);
}

static void it_rises_by_a_sixteenth_each_second_until_the_limit_counts_again(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 100, now);
    take(80);
    cut();
    assert_int_equal(after_seconds(5), 40); /* held: it does not rise */
    smpp_rate_resume(&rate, now);
    for (uint32_t r = 45; r < 100; r += 5)
        assert_int_equal(after_seconds(1), r);
    assert_int_equal(after_seconds(1), 100);
    assert_int_equal(after_seconds(60), 100);
}

static void at_twice_of_what_was_too_fast_there_is_no_limit_any_more(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(160);
    cut();
    pause_and_resume();
    assert_int_equal(after_seconds(23), 310);
    assert_int_equal(after_seconds(1), 0);
    assert_int_equal(smpp_rate_room(&rate, now), UINT32_MAX);
}

static void idle_time_lets_it_rise_at_once_by_what_is_due(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(160);
    cut();
    pause_and_resume();
    assert_int_equal(after_seconds(10), 180);
    assert_int_equal(after_seconds(1), 190); /* and goes on from there */
    assert_int_equal(after_seconds(3600), 0);
}

static void a_cut_while_it_rises_starts_from_the_rate_of_then(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(64);
    cut();
    pause_and_resume();
    now.us += 4 * SECOND;
    take(64);
    assert_int_equal(smpp_rate_current(&rate, now), 52);
    cut();
    assert_int_equal(smpp_rate_current(&rate, now), 26);
}

static void what_is_taken_after_a_quicker_throttle_counts_too(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    struct mono written = now;
    now.us += 1000;
    cut();
    assert_int_equal(smpp_rate_current(&rate, now), 1);
    now.us += 200000;
    for (int i = 0; i < 30; i++)
        smpp_rate_taken(&rate, 1, written, now);
    assert_int_equal(smpp_rate_current(&rate, now), 15);
    smpp_rate_taken(&rate, 1, now, now); /* the probe: not of that second */
    smpp_rate_taken(&rate, 1, (struct mono){written.us - SECOND}, now);
    assert_int_equal(smpp_rate_current(&rate, now), 15);
}

static void a_peer_near_congestion_slows_it_once_a_second_without_a_pause(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(100);
    assert_true(smpp_rate_slow(&rate, now));
    assert_int_equal(smpp_rate_current(&rate, now), 50);
    now.us += SECOND / 2;
    assert_false(smpp_rate_slow(&rate, now));
    now.us += SECOND / 2;
    assert_int_equal(smpp_rate_current(&rate, now), 56);
    now.us += SECOND;
    smpp_rate_taken(&rate, 1, now, now);
    assert_true(smpp_rate_slow(&rate, now));
    assert_int_equal(smpp_rate_current(&rate, now), 1);
    now.us++;
    assert_true(cut());
    assert_false(smpp_rate_slow(&rate, (struct mono){now.us + 5 * SECOND})); /* held */
}

static void another_limit_holds_at_once(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    smpp_rate_limit(&rate, 20, now);
    assert_int_equal(smpp_rate_current(&rate, now), 20);
    smpp_rate_limit(&rate, 5, now);
    assert_int_equal(smpp_rate_current(&rate, now), 5);
    smpp_rate_limit(&rate, 0, now);
    assert_int_equal(smpp_rate_room(&rate, now), UINT32_MAX);
}

static void another_limit_keeps_what_throttles_have_taught(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 100, now);
    take(100);
    cut();
    smpp_rate_limit(&rate, 1000, now);
    pause_and_resume();
    assert_int_equal(smpp_rate_current(&rate, now), 50);
    smpp_rate_limit(&rate, 30, now);
    assert_int_equal(smpp_rate_current(&rate, now), 30);
    assert_int_equal(after_seconds(60), 30);
}

static void a_lower_limit_holds_for_probes_and_for_what_comes_after(void **state)
{
    (void)state;
    smpp_rate_init(&rate, 0, now);
    take(1000);
    cut();
    smpp_rate_limit(&rate, 10, now);
    assert_int_equal(smpp_rate_room(&rate, now), 0);
    now.us += SECOND;
    cut();
    pause_and_resume();
    assert_in_range(smpp_rate_current(&rate, now), 1, 10);
}

/* --- against a peer that counts by its own seconds --- */

struct fixed_peer {
    uint32_t limit, counted;
    int64_t second;
};

static bool peer_takes(struct fixed_peer *p)
{
    int64_t second = now.us / SECOND;
    p->counted = second == p->second ? p->counted + 1 : 1;
    p->second = second;
    return p->counted <= p->limit;
}

static void throttled(struct mono written)
{
    smpp_rate_cut(&rate, written, now);
    now.us += SECOND + rand() % (SECOND / 2);
}

/* Demand without end, answers after rtt.  What was taken in the time, and the throttles. */
static unsigned run_against(struct fixed_peer *p, unsigned seconds, unsigned *throttles)
{
    unsigned taken = 0;
    struct mono end = {now.us + (int64_t)seconds * SECOND};
    while (now.us < end.us) {
        struct mono written = now;
        struct mono next = smpp_rate_next(&rate, 1, now);
        if (next.us > now.us) {
            now = next;
            continue;
        }
        smpp_rate_spend(&rate, 1, now);
        now.us += 500;
        if (!peer_takes(p)) {
            (*throttles)++;
            throttled(written);
            continue;
        }
        taken++;
        smpp_rate_taken(&rate, 1, written, now);
        smpp_rate_resume(&rate, now);
    }
    return taken;
}

static void it_settles_near_what_the_peer_permits(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 5, 20, 100, 1000};
    srand(4713);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct fixed_peer p = {.limit = limits[i]};
        unsigned throttles = 0;
        smpp_rate_init(&rate, 0, now);
        run_against(&p, 30, &throttles); /* it finds the limit */
        throttles = 0;
        unsigned taken = run_against(&p, 300, &throttles);
        print_message("limit %u: %u taken a second, %u throttles in 300 s\n", (unsigned)limits[i],
                      taken / 300, throttles);
        assert_in_range(taken, 300 * limits[i] / 2, 300 * limits[i]);
        assert_in_range(throttles, 0, 150);
    }
}

static void with_the_right_limit_the_peer_never_throttles(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 5, 20, 100, 1000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct fixed_peer p = {.limit = limits[i]};
        unsigned throttles = 0;
        smpp_rate_init(&rate, limits[i], now);
        run_against(&p, 100, &throttles);
        assert_int_equal(throttles, 0);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    static const struct CMUnitTest tests[] = {
        T(no_second_ever_holds_more_than_the_rate),
        T(a_loaded_bucket_gives_nearly_its_rate),
        T(random_traffic_never_gets_more_than_the_rate_through),
        T(another_rate_brings_no_burst),
        T(a_bucket_that_had_no_limit_begins_empty),
        T(a_full_bucket_holds_a_token_and_one_for_each_fifty_a_second),
        T(a_long_message_is_paid_for_afterwards),
        T(a_token_is_there_when_it_was_promised_and_not_before),
        T(without_a_limit_a_throttle_leaves_half_of_what_was_taken),
        T(what_was_taken_more_than_a_second_ago_does_not_count),
        T(the_limit_is_halved_where_traffic_is_at_it),
        T(the_least_is_one_a_second),
        T(each_probe_that_fails_halves_again),
        T(the_throttles_of_one_window_are_one_cut),
        T(it_rises_by_a_sixteenth_each_second_until_the_limit_counts_again),
        T(at_twice_of_what_was_too_fast_there_is_no_limit_any_more),
        T(idle_time_lets_it_rise_at_once_by_what_is_due),
        T(a_cut_while_it_rises_starts_from_the_rate_of_then),
        T(what_is_taken_after_a_quicker_throttle_counts_too),
        T(a_peer_near_congestion_slows_it_once_a_second_without_a_pause),
        T(another_limit_holds_at_once),
        T(another_limit_keeps_what_throttles_have_taught),
        T(a_lower_limit_holds_for_probes_and_for_what_comes_after),
        T(it_settles_near_what_the_peer_permits),
        T(with_the_right_limit_the_peer_never_throttles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
