#include "gateway/failures.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t now_us = 1;

static int64_t fake_us(void)
{
    return now_us;
}

static void fail_times(struct failures *f, const char *peer, int n)
{
    for (int i = 0; i < n; i++)
        failures_add(f, peer);
}

static void a_peer_is_refused_from_its_limit_on_for_the_rest_of_the_minute(void **state)
{
    struct failures *f = *state;
    fail_times(f, "192.0.2.1", 2);
    assert_int_equal(failures_wait_ms(f, "192.0.2.1", 3), 0);
    now_us += 20000000;
    failures_add(f, "192.0.2.1");
    assert_int_equal(failures_wait_ms(f, "192.0.2.1", 3), 40000);
    now_us += 39999000;
    assert_int_equal(failures_wait_ms(f, "192.0.2.1", 3), 1);
    now_us += 1000;
    assert_int_equal(failures_wait_ms(f, "192.0.2.1", 3), 0);
    fail_times(f, "192.0.2.1", 2);
    assert_int_equal(failures_wait_ms(f, "192.0.2.1", 3), 0);
}

static void another_peer_is_not_refused_for_it(void **state)
{
    struct failures *f = *state;
    fail_times(f, "2001:db8::1", 10);
    assert_true(failures_wait_ms(f, "2001:db8::1", 10) > 0);
    assert_int_equal(failures_wait_ms(f, "2001:db8::2", 10), 0);
}

static void at_its_bound_the_table_starts_anew(void **state)
{
    struct failures *f = *state;
    char peer[16];
    for (int i = 0; i < 4096; i++) {
        snprintf(peer, sizeof peer, "10.0.%d.%d", i >> 8, i & 255);
        failures_add(f, peer);
    }
    assert_true(failures_wait_ms(f, "10.0.0.0", 1) > 0);
    failures_add(f, "10.1.0.0");
    assert_int_equal(failures_wait_ms(f, "10.0.0.0", 1), 0);
    assert_true(failures_wait_ms(f, "10.1.0.0", 1) > 0);
}

static int setup(void **state)
{
    static const struct clock_source fake = {.mono_us = fake_us, .wall_us = fake_us};
    clock_set_source(&fake);
    *state = failures_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    failures_free(*state);
    clock_set_source(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_peer_is_refused_from_its_limit_on_for_the_rest_of_the_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(another_peer_is_not_refused_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(at_its_bound_the_table_starts_anew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
