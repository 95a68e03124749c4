#include "base/result.h"

#include <limits.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_code_has_a_name_of_its_own_and_a_text(void **state)
{
    (void)state;
    static const int all[] = {
#define X(name, value, text) name,
        ERR_LIST(X)
#undef X
    };
    size_t n = sizeof all / sizeof all[0];
    for (size_t i = 0; i < n; i++) {
        assert_true(all[i] == 0 || all[i] < 0);
        assert_int_equal(strncmp(err_name(all[i]), "ERR_", 4), 0);
        assert_true(strlen(err_text(all[i])) > 0);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(all[i], all[k]);
            assert_string_not_equal(err_name(all[i]), err_name(all[k]));
        }
    }
    assert_string_equal(err_name(ERR_FULL), "ERR_FULL");
}

static void a_number_that_is_none_of_ours_is_survived(void **state)
{
    (void)state;
    assert_string_equal(err_name(1), "ERR_?");
    assert_string_equal(err_name(INT_MIN), "ERR_?");
    assert_string_equal(err_text(-1000), "unknown result");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_of_its_own_and_a_text),
        cmocka_unit_test(a_number_that_is_none_of_ours_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
