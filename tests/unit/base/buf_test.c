#include "base/buf.h"

#include "base/result.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void integers_are_read_in_network_order(void **state)
{
    (void)state;
    static const uint8_t octets[] = {1, 2, 3, 4, 5, 6, 0xff};
    struct rd r = rd_init(octets, sizeof octets);
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_left(&r), 4);
    assert_int_equal(rd_u32(&r), 0x040506ff);
    assert_int_equal(rd_left(&r), 0);
    assert_false(r.bad);
}

static void a_read_past_the_end_marks_the_reader_and_moves_nothing(void **state)
{
    (void)state;
    static const uint8_t octets[] = {1, 2, 3};
    struct rd r = rd_init(octets, sizeof octets);
    assert_int_equal(rd_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(r.off, 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_null(rd_take(&r, 0));
}

static void a_take_of_a_huge_length_does_not_wrap(void **state)
{
    (void)state;
    static const uint8_t octets[] = {1, 2, 3};
    struct rd r = rd_init(octets, sizeof octets);
    (void)rd_u8(&r);
    assert_null(rd_take(&r, SIZE_MAX));
    assert_true(r.bad);
}

static void integers_are_written_in_network_order(void **state)
{
    (void)state;
    uint8_t out[15];
    struct wr w = wr_init(out, sizeof out);
    wr_u8(&w, 1);
    wr_u16(&w, 0x0203);
    wr_u32(&w, 0x04050607);
    wr_u64(&w, 0x08090a0b0c0d0e0f);
    assert_false(w.bad);
    for (int i = 0; i < 15; i++)
        assert_int_equal(out[i], i + 1);
}

static void a_write_past_the_end_changes_nothing_but_the_flag(void **state)
{
    (void)state;
    uint8_t out[4] = {9, 9, 9, 9};
    struct wr w = wr_init(out, 3);
    wr_u16(&w, 0);
    wr_u16(&w, 0);
    assert_true(w.bad);
    assert_int_equal(w.len, 2);
    wr_u8(&w, 1);
    assert_int_equal(w.len, 2);
    assert_int_equal(out[2], 9);
}

static void numbers_are_written_in_decimal_to_both_ends_of_their_range(void **state)
{
    (void)state;
    char out[64];
    struct wr w = wr_init(out, sizeof out);
    wr_dec(&w, INT64_MIN);
    wr_u8(&w, ' ');
    wr_dec(&w, INT64_MAX);
    wr_u8(&w, ' ');
    wr_dec(&w, -45);
    wr_u8(&w, ' ');
    wr_dec(&w, 0);
    wr_end(&w);
    assert_false(w.bad);
    assert_string_equal(out, "-9223372036854775808 9223372036854775807 -45 0");
}

static void the_end_of_a_text_needs_its_own_octet(void **state)
{
    (void)state;
    char out[3];
    struct wr w = wr_init(out, sizeof out);
    wr_str(&w, "ab");
    wr_end(&w);
    assert_false(w.bad);
    assert_int_equal(w.len, 2);
    w = wr_init(out, sizeof out);
    wr_str(&w, "abc");
    wr_end(&w);
    assert_true(w.bad);
}

static void hex_goes_both_ways_in_either_case(void **state)
{
    (void)state;
    static const uint8_t octets[] = {0x00, 0xaf, 0xff};
    char out[7];
    uint8_t back[3];
    hex_encode(octets, 3, out, false);
    assert_string_equal(out, "00afff");
    hex_encode(octets, 3, out, true);
    assert_string_equal(out, "00AFFF");
    assert_int_equal(hex_decode("00aFFf", 6, back), 0);
    assert_memory_equal(back, octets, 3);
}

static void what_is_not_hex_is_refused(void **state)
{
    (void)state;
    uint8_t out[4];
    assert_int_equal(hex_decode("abcd", 3, out), ERR_INVALID);
    assert_int_equal(hex_decode("0g", 2, out), ERR_INVALID);
    assert_int_equal(hex_decode(" 1", 2, out), ERR_INVALID);
    assert_int_equal(hex_decode("", 0, out), 0);
    for (int c = -128; c < 128; c++)
        assert_true((hex_value((char)c) >= 0) ==
                    (c > 0 && strchr("0123456789abcdefABCDEF", c) != NULL));
}

static void a_copy_is_bounded_and_says_when_it_was_cut(void **state)
{
    (void)state;
    char out[4];
    assert_true(str_copy(out, sizeof out, "abc"));
    assert_string_equal(out, "abc");
    assert_false(str_copy(out, sizeof out, "abcd"));
    assert_string_equal(out, "abc");
    assert_true(str_copy_n(out, sizeof out, "abcd", 2));
    assert_string_equal(out, "ab");
    assert_false(str_copy(out, 1, "a"));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_in_network_order),
        cmocka_unit_test(a_read_past_the_end_marks_the_reader_and_moves_nothing),
        cmocka_unit_test(a_take_of_a_huge_length_does_not_wrap),
        cmocka_unit_test(integers_are_written_in_network_order),
        cmocka_unit_test(a_write_past_the_end_changes_nothing_but_the_flag),
        cmocka_unit_test(numbers_are_written_in_decimal_to_both_ends_of_their_range),
        cmocka_unit_test(the_end_of_a_text_needs_its_own_octet),
        cmocka_unit_test(hex_goes_both_ways_in_either_case),
        cmocka_unit_test(what_is_not_hex_is_refused),
        cmocka_unit_test(a_copy_is_bounded_and_says_when_it_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
