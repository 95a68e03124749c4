/* The simulator's timer wheel under a clock of ours; it is no part of the library. */
#include "tests/sim/wheel.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct probe {
    struct wheel_node node;
    char name;
    int64_t again_ms; /* adds itself once more when it fires */
};

struct ground {
    struct event_base *base;
    struct wheel *wheel;
    char fired[64];
};

static int64_t fake_us;

static int64_t fake_mono_us(void)
{
    return fake_us;
}

static const struct clock_source fake = {fake_mono_us, fake_mono_us};

static void fire_cb(struct wheel_node *node, void *ctx)
{
    struct ground *g = ctx;
    struct probe *p = (struct probe *)(void *)node;
    g->fired[strlen(g->fired)] = p->name;
    assert_false(wheel_is_added(node));
    if (p->again_ms)
        wheel_add(g->wheel, node, p->again_ms);
    p->again_ms = 0;
}

static struct probe *add(struct ground *g, struct probe *p, char name, int64_t delay_ms)
{
    *p = (struct probe){.node.fire_cb = fire_cb, .name = name};
    wheel_add(g->wheel, &p->node, delay_ms);
    return p;
}

/* Time goes on; what was due since the last call has fired. */
static const char *pass(struct ground *g, int64_t ms)
{
    memset(g->fired, 0, sizeof g->fired);
    fake_us += ms * 1000;
    tick_cb(-1, 0, g->wheel);
    return g->fired;
}

static int setup(void **state)
{
    struct ground *g = calloc(1, sizeof *g);
    fake_us = 1234567;
    clock_set_source(&fake);
    g->base = event_base_new();
    g->wheel = wheel_new(g->base, g);
    *state = g;
    return g->base && g->wheel ? 0 : -1;
}

static int teardown(void **state)
{
    struct ground *g = *state;
    wheel_free(g->wheel);
    event_base_free(g->base);
    free(g);
    clock_set_source(NULL);
    return 0;
}

static void nodes_fire_when_due_and_those_of_one_millisecond_in_order(void **state)
{
    struct ground *g = *state;
    struct probe a, b, c, d;
    add(g, &a, 'a', 10);
    add(g, &b, 'b', 5);
    add(g, &c, 'c', 10);
    add(g, &d, 'd', 0);
    assert_string_equal(pass(g, 0), "");
    assert_string_equal(pass(g, 1), "d");
    assert_string_equal(pass(g, 8), "b");
    assert_string_equal(pass(g, 1), "ac");
    assert_string_equal(pass(g, 20000), "");
}

static void a_delay_longer_than_a_turn_of_the_wheel_waits_for_its_turn(void **state)
{
    struct ground *g = *state;
    struct probe a, b;
    add(g, &a, 'a', 3 * SLOTS + 7);
    add(g, &b, 'b', 7);
    assert_string_equal(pass(g, 7), "b");
    assert_string_equal(pass(g, SLOTS), "");
    assert_string_equal(pass(g, SLOTS), "");
    assert_string_equal(pass(g, SLOTS - 1), "");
    assert_string_equal(pass(g, 1), "a");
}

static void a_loop_that_was_away_for_long_misses_nothing(void **state)
{
    struct ground *g = *state;
    struct probe p[5];
    for (int i = 0; i < 5; i++)
        add(g, &p[i], (char)('a' + i), 5000 * i);
    assert_int_equal(strlen(pass(g, 100 * SLOTS)), 5);
}

static void a_removed_node_does_not_fire(void **state)
{
    struct ground *g = *state;
    struct probe a, b;
    add(g, &a, 'a', 3);
    add(g, &b, 'b', 3);
    wheel_remove(&a.node);
    wheel_remove(&a.node);
    assert_false(wheel_is_added(&a.node));
    assert_true(wheel_is_added(&b.node));
    assert_string_equal(pass(g, 3), "b");
}

static void a_node_may_add_itself_again_in_its_callback(void **state)
{
    struct ground *g = *state;
    struct probe a;
    add(g, &a, 'a', 2)->again_ms = SLOTS;
    assert_string_equal(pass(g, 2), "a");
    assert_string_equal(pass(g, SLOTS - 1), "");
    assert_string_equal(pass(g, 1), "a");
}

static void the_timer_is_set_for_the_next_used_slot(void **state)
{
    struct ground *g = *state;
    struct probe a, b;
    assert_int_equal(next_due(g->wheel), 0);
    add(g, &a, 'a', 200);
    assert_int_equal(next_due(g->wheel), fake_us / 1000 + 200);
    add(g, &b, 'b', 3);
    assert_int_equal(next_due(g->wheel), fake_us / 1000 + 3);
    wheel_arm(g->wheel);
    assert_int_equal(g->wheel->armed_ms, fake_us / 1000 + 3);
    pass(g, 300);
    assert_int_equal(next_due(g->wheel), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nodes_fire_when_due_and_those_of_one_millisecond_in_order),
        T(a_delay_longer_than_a_turn_of_the_wheel_waits_for_its_turn),
        T(a_loop_that_was_away_for_long_misses_nothing),
        T(a_removed_node_does_not_fire),
        T(a_node_may_add_itself_again_in_its_callback),
        T(the_timer_is_set_for_the_next_used_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
