#include "base/msisdn.h"

#include "base/result.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int parse(const char *text, struct msisdn *out)
{
    return msisdn_parse(text, strlen(text), out);
}

static void signs_and_spacing_are_dropped(void **state)
{
    (void)state;
    static const char *const same[] = {"385911234567",     "+385911234567",      "00385911234567",
                                       "+385 91 123-4567", "(+385) 91.123.4567", " 385911234567 ",
                                       "[00]385911234567"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct msisdn m;
        assert_int_equal(parse(same[i], &m), 0);
        assert_string_equal(m.digits, "385911234567");
        assert_int_equal(m.len, 12);
    }
}

static void seven_to_fifteen_digits_are_a_number(void **state)
{
    (void)state;
    struct msisdn m;
    assert_int_equal(parse("1234567", &m), 0);
    assert_int_equal(parse("123456789012345", &m), 0);
    assert_int_equal(m.len, MSISDN_MAX);
    assert_int_equal(parse("123456", &m), ERR_INVALID);
    assert_int_equal(parse("1234567890123456", &m), ERR_INVALID);
}

static void what_is_no_number_is_refused_and_leaves_the_old_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "+",
                                      "00",
                                      "0123456789",
                                      "+012345678",
                                      "12345678a",
                                      "123456789\n",
                                      "++123456789",
                                      "1234+56789",
                                      "000123456789",
                                      "\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4"};
    struct msisdn m = {"1111111", 7};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], &m), ERR_INVALID);
    assert_string_equal(m.digits, "1111111");
    assert_int_equal(msisdn_parse("1234567\0"
                                  "8",
                                  9, &m),
                     ERR_INVALID);
}

static void the_mask_hides_the_middle(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"385911234567", "+38591*****67"},
                                           {"1234567890", "+12345***90"},
                                           {"123456789", "+123****89"},
                                           {"1234567", "+123**67"},
                                           {"123456789012345", "+12345********45"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct msisdn m;
        char out[MSISDN_MASK_SIZE];
        assert_int_equal(parse(pairs[i][0], &m), 0);
        msisdn_mask(&m, out);
        assert_string_equal(out, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_and_spacing_are_dropped),
        cmocka_unit_test(seven_to_fifteen_digits_are_a_number),
        cmocka_unit_test(what_is_no_number_is_refused_and_leaves_the_old_one),
        cmocka_unit_test(the_mask_hides_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
