#include "gateway/flow_private.h"
#include "gateway/sender.h"

#include "base/result.h"
#include "smpp/smpp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct flow *flow_with(const char *text, const char *sender,
                              const struct pin_placeholder *ph, size_t n)
{
    struct flow *f = calloc(1, sizeof *f);
    f->values = calloc(1, sizeof *f->values);
    f->template_text = strdup(text);
    f->max_segments = 1;
    f->spec = (struct pin_spec){PIN_NUMERIC, 6, false};
    assert_int_equal(flow_values_set(f->values, sender, ph, n), 0);
    return f;
}

static void done(struct flow *f)
{
    flow_text_clear(f);
    free(f);
}

static void sender_and_placeholders_come_back_as_they_went_in(void **state)
{
    (void)state;
    const struct pin_placeholder ph[] = {{"name", "Ana"}, {"shop", ""}};
    struct flow_values v;
    struct pin_placeholder got[PIN_PLACEHOLDERS_MAX];
    const char *sender;
    size_t n;
    assert_int_equal(flow_values_set(&v, "ACME", ph, 2), 0);
    assert_int_equal(flow_values_get(&v, &sender, got, &n), 0);
    assert_string_equal(sender, "ACME");
    assert_int_equal(n, 2);
    assert_string_equal(got[0].value, "Ana");
    assert_string_equal(got[1].name, "shop");
    assert_string_equal(got[1].value, "");
}

static void a_resend_replaces_what_it_names_and_keeps_the_rest(void **state)
{
    (void)state;
    const struct pin_placeholder old[] = {{"a", "1"}, {"b", "2"}},
                                 given[] = {{"b", "3"}, {"c", "4"}};
    struct flow_values v;
    struct pin_placeholder got[PIN_PLACEHOLDERS_MAX];
    const char *sender;
    size_t n;
    assert_int_equal(flow_values_set(&v, "S", old, 2), 0);
    assert_int_equal(flow_values_merge(&v, given, 2), 0);
    assert_int_equal(flow_values_get(&v, &sender, got, &n), 0);
    assert_string_equal(sender, "S");
    assert_int_equal(n, 3);
    assert_string_equal(got[0].value, "1");
    assert_string_equal(got[1].value, "3");
    assert_string_equal(got[2].value, "4");
}

static void values_beyond_the_room_or_cut_short_are_errors(void **state)
{
    (void)state;
    static char big[FLOW_VALUES_MAX + 1];
    const struct pin_placeholder ph[] = {{"a", big}};
    struct flow_values v;
    struct pin_placeholder got[PIN_PLACEHOLDERS_MAX];
    const char *sender;
    size_t n;
    memset(big, 'x', sizeof big - 1);
    assert_int_equal(flow_values_set(&v, "", ph, 1), ERR_TOOLONG);
    assert_int_equal(flow_values_set(&v, "S", NULL, 0), 0);
    v.len = 0;
    assert_int_equal(flow_values_get(&v, &sender, got, &n), ERR_CORRUPT);
    memcpy(v.buf, "S\0name", 7);
    v.len = 6;
    assert_int_equal(flow_values_get(&v, &sender, got, &n), ERR_CORRUPT);
    v.len = 7;
    assert_int_equal(flow_values_get(&v, &sender, got, &n), ERR_CORRUPT);
}

static void a_missing_placeholder_is_refused_by_name(void **state)
{
    (void)state;
    struct flow *f = flow_with("{{pin}} for {{name}}", "", NULL, 0);
    assert_false(flow_text_is_good(f, SMPP_GSM));
    assert_int_equal(f->refusal.code, ANSWER_BAD_REQUEST);
    assert_non_null(strstr(f->refusal.text, "name"));
    done(f);
}

static void a_text_of_two_segments_is_refused(void **state)
{
    (void)state;
    char value[200] = "";
    memset(value, 'x', 153);
    const struct pin_placeholder ph[] = {{"name", value}};
    struct flow *f = flow_with("{{pin}} {{name}}", "", ph, 1);
    assert_true(flow_text_is_good(f, SMPP_GSM)); /* 6 + 1 + 153 = 160 */
    done(f);
    value[153] = 'x';
    f = flow_with("{{pin}} {{name}}", "", ph, 1);
    assert_false(flow_text_is_good(f, SMPP_GSM));
    assert_non_null(strstr(f->refusal.text, "2 SMS segments, 1 is the most"));
    assert_non_null(strstr(f->refusal.text, "maxSegments"));
    done(f);
}

static void a_template_may_allow_more_segments(void **state)
{
    (void)state;
    char value[1600] = "";
    memset(value, 'x', 3 * 153 - 7);
    const struct pin_placeholder ph[] = {{"name", value}};
    struct flow *f = flow_with("{{pin}} {{name}}", "", ph, 1);
    f->max_segments = 3;
    assert_int_equal(flow_values_set(f->values, "", ph, 1), 0);
    assert_true(flow_text_is_good(f, SMPP_GSM));
    done(f);
    value[3 * 153 - 7] = 'x';
    f = flow_with("{{pin}} {{name}}", "", ph, 1);
    f->max_segments = 3;
    assert_false(flow_text_is_good(f, SMPP_GSM));
    assert_non_null(strstr(f->refusal.text, "4 SMS segments, 3 is the most"));
    done(f);
}

static void the_pin_is_wiped_once_it_stands_in_the_text(void **state)
{
    (void)state;
    static const char zero[PIN_SIZE];
    struct flow *f = flow_with("Your code is {{pin}}", "", NULL, 0);
    strcpy(f->drawn.pin, "123456");
    assert_int_equal(flow_text_render(f), 0);
    assert_string_equal(f->text, "Your code is 123456");
    assert_int_equal(f->text_len, 19);
    assert_memory_equal(f->drawn.pin, zero, PIN_SIZE);
    done(f);
}

static void senders_of_letters_have_11_characters_and_of_digits_15(void **state)
{
    (void)state;
    assert_true(sender_is_valid("ABCDEFGHIJK"));
    assert_false(sender_is_valid("ABCDEFGHIJKL"));
    assert_true(sender_is_valid("123456789012345"));
    assert_false(sender_is_valid("1234567890123456"));
    assert_false(sender_is_valid(""));
    assert_false(sender_is_valid("A\tB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_and_placeholders_come_back_as_they_went_in),
        cmocka_unit_test(a_resend_replaces_what_it_names_and_keeps_the_rest),
        cmocka_unit_test(values_beyond_the_room_or_cut_short_are_errors),
        cmocka_unit_test(a_missing_placeholder_is_refused_by_name),
        cmocka_unit_test(a_text_of_two_segments_is_refused),
        cmocka_unit_test(a_template_may_allow_more_segments),
        cmocka_unit_test(the_pin_is_wiped_once_it_stands_in_the_text),
        cmocka_unit_test(senders_of_letters_have_11_characters_and_of_digits_15),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
