#include "base/reap.h"

#include <event2/event.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct thing {
    struct reap_node node;
    struct reap *reap;
    struct thing *other; /* is given up when this one goes; may be NULL */
};

static struct event_base *base;
static int freed;
static int freed_inside_callback = -1;

static void free_cb(void *object)
{
    struct thing *t = object;
    freed++;
    if (t->other)
        reap_later(t->reap, &t->other->node, free_cb, t->other);
    free(t);
}

static struct thing *thing_new(struct reap *r)
{
    struct thing *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->reap = r;
    return t;
}

static int setup(void **state)
{
    base = event_base_new();
    *state = reap_new(base);
    freed = 0;
    freed_inside_callback = -1;
    return !*state;
}

static int teardown(void **state)
{
    (void)state;
    event_base_free(base);
    return 0;
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct thing *t = arg;
    reap_later(t->reap, &t->node, free_cb, t);
    freed_inside_callback = freed;
}

static void an_object_that_ends_in_its_callback_outlives_it(void **state)
{
    struct thing *t = thing_new(*state);
    event_base_once(base, -1, EV_TIMEOUT, end_cb, t, &(struct timeval){0, 0});
    event_base_dispatch(base);
    assert_int_equal(freed_inside_callback, 0);
    assert_int_equal(freed, 1);
    reap_free(*state);
}

static void a_free_that_gives_up_another_object_frees_that_too(void **state)
{
    struct thing *t = thing_new(*state);
    t->other = thing_new(*state);
    reap_later(*state, &t->node, free_cb, t);
    event_base_dispatch(base);
    assert_int_equal(freed, 2);
    reap_free(*state);
}

static void the_list_can_be_used_again_after_a_turn(void **state)
{
    for (int i = 1; i <= 3; i++) {
        struct thing *t = thing_new(*state);
        reap_later(*state, &t->node, free_cb, t);
        event_base_dispatch(base);
        assert_int_equal(freed, i);
    }
    reap_free(*state);
}

static void shutdown_frees_what_is_left_without_the_loop(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct thing *t = thing_new(*state);
        t->other = thing_new(*state);
        reap_later(*state, &t->node, free_cb, t);
    }
    assert_int_equal(freed, 0);
    reap_free(*state);
    assert_int_equal(freed, 6);
    reap_free(NULL);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_object_that_ends_in_its_callback_outlives_it),
        T(a_free_that_gives_up_another_object_frees_that_too),
        T(the_list_can_be_used_again_after_a_turn),
        T(shutdown_frees_what_is_left_without_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
