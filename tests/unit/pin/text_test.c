#include "tests/unit/pin/ring.h"

#include "base/result.h"

static char why[256];
static char out[PIN_TEXT_MAX + 1];

static int render(const char *text, const struct pin_placeholder *ph, size_t n)
{
    why[0] = 0;
    memset(out, 'z', sizeof out);
    return pin_text_render(text, "071048", ph, n, out, sizeof out, why, sizeof why);
}

static void a_text_holds_the_pin_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says; /* NULL: good */
    } cases[] = {
        {"Your code is {{pin}}", NULL},
        {"{{pin}}", NULL},
        {"{{name}}, {{pin}} is your code for {{shop_1}}, {{name}}!\nThanks\r\n", NULL},
        {"{ } }} {{pin}} {x} }", NULL},
        {"Your code", "once, not 0 times"},
        {"", "once, not 0 times"},
        {"{{pin}} {{pin}}", "once, not 2 times"},
        {"{{PIN}}", "once, not 0 times"},
        {"{{ pin }}", "a placeholder is {{name}}"},
        {"{{pin}} {{}}", "a placeholder is {{name}}"},
        {"{{pin}} {{first name}}", "a placeholder is {{name}}"},
        {"{{pin}} {{open", "a placeholder is {{name}}"},
        {"{{pin} ", "a placeholder is {{name}}"},
        {"{{{pin}}}", "a placeholder is {{name}}"},
        {"{{pin}} {{", "a placeholder is {{name}}"},
        {"{{pin}} {{a2345678901234567890123456789012}}", NULL},
        {"{{pin}} {{a23456789012345678901234567890123}}", "1 to 32"},
        {"{{pin}}\x1b", "control character"},
        {"{{pin}}\t", "control character"},
        {"{{pin}}\x7f", "control character"},
        {"\xc5\xa1ifra {{pin}}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        why[0] = 0;
        int err = pin_text_check(cases[i].text, why, sizeof why);
        if (err != (cases[i].says ? ERR_INVALID : 0) ||
            (cases[i].says && !strstr(why, cases[i].says)))
            fail_msg("%s: %d %s", cases[i].text, err, why);
    }
}

static void a_text_over_its_bound_is_refused(void **state)
{
    (void)state;
    static char text[PIN_TEXT_MAX + 2];
    memset(text, 'a', PIN_TEXT_MAX);
    memcpy(text, "{{pin}}", 7);
    assert_int_equal(pin_text_check(text, why, sizeof why), 0);
    text[PIN_TEXT_MAX] = 'a';
    assert_int_equal(pin_text_check(text, why, sizeof why), ERR_INVALID);
    assert_non_null(strstr(why, "1600"));
}

static void placeholders_are_filled(void **state)
{
    (void)state;
    const struct pin_placeholder ph[] = {{"name", "\xc5\xa0ime"}, {"shop", "Corner"}};
    assert_int_equal(render("{{name}}: {{pin}} at {{shop}}, {{name}}.", ph, 2), 0);
    assert_string_equal(out, "\xc5\xa0ime: 071048 at Corner, \xc5\xa0ime.");
    assert_int_equal(render("{{pin}}", NULL, 0), 0);
    assert_string_equal(out, "071048");
    assert_int_equal(render("{pin} }}{{pin}}}", NULL, 0), 0);
    assert_string_equal(out, "{pin} }}071048}");
}

static void a_value_is_not_looked_into(void **state)
{
    (void)state;
    const struct pin_placeholder ph[] = {{"a", "{{pin}}{{b}}{{"}, {"b", "%s"}};
    assert_int_equal(render("{{a}}{{b}}{{pin}}", ph, 2), 0);
    assert_string_equal(out, "{{pin}}{{b}}{{%s071048");
}

static void what_cannot_be_rendered_is_named_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct pin_placeholder ph[2];
        size_t n;
        const char *says;
    } cases[] = {
        {"{{pin}} {{name}}", {{0}}, 0, "the placeholder name has no value"},
        {"{{pin}} {{name}}", {{"other", "x"}}, 1, "the placeholder name has no value"},
        {"{{pin}}", {{"other", "x"}}, 1, "the text has no placeholder named other"},
        {"{{pin}}", {{"pin", "123456"}}, 1, "pin is filled by the gateway"},
        {"{{pin}} {{a}}", {{"a", "x"}, {"a", "y"}}, 2, "a is given twice"},
        {"{{pin}} {{a}}", {{"a", "x"}, {"b\nb", "y"}}, 2, "a placeholder's name is"},
        {"{{pin}} {{a}}", {{"a", "x"}, {"", "y"}}, 2, "a placeholder's name is"},
        {"{{pin}} {{a}}", {{"a", "x\n@evil.example #1"}}, 1, "a holds a control character"},
        {"{{pin}} {{a}}", {{"a", "\x1b"}}, 1, "a holds a control character"},
        {"no pin", {{0}}, 0, "once, not 0 times"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int err = render(cases[i].text, cases[i].ph, cases[i].n);
        if (err != ERR_INVALID || !strstr(why, cases[i].says))
            fail_msg("case %zu: %d %s", i, err, why);
        for (size_t k = 0; k < sizeof out; k++)
            assert_int_equal(out[k], 0);
        assert_null(strstr(why, "071048"));
    }
}

static void more_placeholders_than_the_bound_are_refused(void **state)
{
    (void)state;
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX + 1];
    char names[PIN_PLACEHOLDERS_MAX + 1][8], text[400] = "{{pin}}";
    for (size_t i = 0; i <= PIN_PLACEHOLDERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        ph[i] = (struct pin_placeholder){names[i], "v"};
        strcat(strcat(strcat(text, "{{"), names[i]), "}}");
        if (i == PIN_PLACEHOLDERS_MAX - 1)
            assert_int_equal(render(text, ph, i + 1), 0);
    }
    assert_int_equal(render(text, ph, PIN_PLACEHOLDERS_MAX + 1), ERR_INVALID);
    assert_non_null(strstr(why, "more than 16"));
}

static void a_text_longer_than_its_room_is_refused_and_wiped(void **state)
{
    (void)state;
    char small[12];
    memset(small, 'z', sizeof small);
    assert_int_equal(pin_text_render("code {{pin}}", "071048", NULL, 0, small, 12, why, sizeof why),
                     0);
    assert_string_equal(small, "code 071048");
    assert_int_equal(pin_text_render("code {{pin}}", "071048", NULL, 0, small, 11, why, sizeof why),
                     ERR_TOOLONG);
    assert_non_null(strstr(why, "longer than 10 octets"));
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(small[i], 0);
    static char value[PIN_TEXT_MAX + 1], big[2 * PIN_TEXT_MAX];
    memset(value, 'a', PIN_TEXT_MAX);
    const struct pin_placeholder ph = {"a", value};
    assert_int_equal(
        pin_text_render("{{pin}}{{a}}", "071048", &ph, 1, big, sizeof big, why, sizeof why),
        ERR_TOOLONG);
    value[PIN_TEXT_MAX - 6] = 0;
    assert_int_equal(
        pin_text_render("{{pin}}{{a}}", "071048", &ph, 1, big, sizeof big, why, sizeof why), 0);
    assert_int_equal(strlen(big), PIN_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_holds_the_pin_once),
        cmocka_unit_test(a_text_over_its_bound_is_refused),
        cmocka_unit_test(placeholders_are_filled),
        cmocka_unit_test(a_value_is_not_looked_into),
        cmocka_unit_test(what_cannot_be_rendered_is_named_and_leaves_nothing),
        cmocka_unit_test(more_placeholders_than_the_bound_are_refused),
        cmocka_unit_test(a_text_longer_than_its_room_is_refused_and_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
