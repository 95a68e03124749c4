#include "base/clock.h"

#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t fake_mono, fake_wall;

static int64_t mono_cb(void)
{
    return fake_mono;
}

static int64_t wall_cb(void)
{
    return fake_wall;
}

static int back_to_real(void **state)
{
    (void)state;
    clock_set_source(NULL);
    return 0;
}

static void a_source_put_in_place_is_what_all_readers_see(void **state)
{
    (void)state;
    static const struct clock_source fake = {mono_cb, wall_cb};
    clock_set_source(&fake);
    fake_mono = 5000;
    fake_wall = 1234567;
    assert_int_equal(mono_now().us, 5000);
    assert_int_equal(wall_us(), 1234567);
    assert_int_equal(wall_ms(), 1234);
    fake_mono += 1;
    assert_int_equal(mono_now().us, 5001);
}

static void the_real_clocks_are_back_after_null(void **state)
{
    (void)state;
    clock_set_source(NULL);
    int64_t now_s = (int64_t)time(NULL);
    assert_in_range(wall_ms() / 1000, now_s - 1, now_s + 1);
    struct mono a = mono_now();
    struct mono b = mono_now();
    assert_true(mono_diff_us(b, a) >= 0);
}

static void differences_have_a_sign_and_round_towards_zero(void **state)
{
    (void)state;
    struct mono a = {10000}, b = {12999};
    assert_int_equal(mono_diff_ms(b, a), 2);
    assert_int_equal(mono_diff_ms(a, b), -2);
    assert_int_equal(mono_diff_us(b, a), 2999);
    assert_int_equal(mono_add_ms(a, -10).us, 0);
    assert_int_equal(mono_add_ms(a, 3).us, 13000);
}

static void a_deadline_is_past_from_its_own_moment_on(void **state)
{
    (void)state;
    struct mono d = {1000};
    assert_false(mono_is_past(d, (struct mono){999}));
    assert_true(mono_is_past(d, (struct mono){1000}));
    assert_true(mono_is_past(d, (struct mono){1001}));
}

static void wall_time_is_written_in_utc_with_milliseconds(void **state)
{
    (void)state;
    char out[25];
    wall_format(INT64_C(1795867200123), out, sizeof out);
    assert_string_equal(out, "2026-11-28T12:00:00.123Z");
    wall_format(0, out, sizeof out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    wall_format(-500, out, sizeof out);
    assert_string_equal(out, "1969-12-31T23:59:59.500Z");
    char small[8];
    wall_format(0, small, sizeof small);
    assert_string_equal(small, "1970-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_source_put_in_place_is_what_all_readers_see, back_to_real),
        cmocka_unit_test(the_real_clocks_are_back_after_null),
        cmocka_unit_test(differences_have_a_sign_and_round_towards_zero),
        cmocka_unit_test(a_deadline_is_past_from_its_own_moment_on),
        cmocka_unit_test(wall_time_is_written_in_utc_with_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
