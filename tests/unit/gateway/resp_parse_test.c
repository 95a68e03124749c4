#include "gateway/resp_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct resp_limits limits = {.max_args = 8, .max_bulk = 64, .max_total = 256};

/* A copy in memory of exactly that size, so that a sanitizer sees a read beyond it. */
static enum resp_result parse(const char *text, size_t len, struct resp_command *out, char **keep)
{
    char *buf = malloc(len ? len : 1);
    assert_non_null(buf);
    memcpy(buf, text, len);
    *keep = buf;
    return resp_parse(buf, len, &limits, out);
}

static void a_whole_array_gives_its_arguments_and_nothing_more_is_consumed(void **state)
{
    (void)state;
    static const char text[] = "*3\r\n$10\r\nPIN.VERIFY\r\n$2\r\nAB\r\n$4\r\n1\r\n2\r\n*1\r\n";
    struct resp_command c;
    char *buf;
    assert_int_equal(parse(text, sizeof text - 1, &c, &buf), RESP_OK);
    assert_int_equal(c.argc, 3);
    assert_string_equal(c.argv[0].p, "PIN.VERIFY");
    assert_int_equal(c.argv[2].len, 4);
    assert_memory_equal(c.argv[2].p, "1\r\n2", 4);
    assert_int_equal(c.consumed, sizeof text - 1 - 4);
    free(buf);
}

static void every_prefix_of_a_request_wants_more_and_leaves_the_octets_alone(void **state)
{
    (void)state;
    static const char text[] = "*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct resp_command c;
        char *buf;
        assert_int_equal(parse(text, n, &c, &buf), RESP_MORE);
        assert_memory_equal(buf, text, n);
        free(buf);
    }
}

static void an_inline_command_is_split_at_blanks(void **state)
{
    (void)state;
    struct resp_command c;
    char *buf;
    assert_int_equal(parse("  PING \t x\r\nrest", 16, &c, &buf), RESP_OK);
    assert_int_equal(c.argc, 2);
    assert_string_equal(c.argv[0].p, "PING");
    assert_string_equal(c.argv[1].p, "x");
    assert_int_equal(c.consumed, 12);
    free(buf);
}

static void quotes_hold_an_inline_argument_together(void **state)
{
    (void)state;
    static const char text[] = "ECHO \"two \\\" words\" 'x y' \"\"\r\n";
    struct resp_command c;
    char *buf;
    assert_int_equal(parse(text, sizeof text - 1, &c, &buf), RESP_OK);
    assert_int_equal(c.argc, 4);
    assert_string_equal(c.argv[1].p, "two \" words");
    assert_string_equal(c.argv[2].p, "x y");
    assert_int_equal(c.argv[3].len, 0);
    free(buf);
}

static void an_empty_line_is_passed_over(void **state)
{
    (void)state;
    struct resp_command c;
    char *buf;
    assert_int_equal(parse("\r\n", 2, &c, &buf), RESP_OK);
    assert_int_equal(c.argc, 0);
    assert_int_equal(c.consumed, 2);
    free(buf);
}

static void a_browser_is_recognised(void **state)
{
    (void)state;
    static const char *const lines[] = {"POST / HTTP/1.1\r\n", "host: x\r\n", "HOST: x\r\n"};
    for (size_t i = 0; i < 3; i++) {
        struct resp_command c;
        char *buf;
        assert_int_equal(parse(lines[i], strlen(lines[i]), &c, &buf), RESP_HTTP);
        free(buf);
    }
}

static void what_breaks_the_protocol_is_an_error_with_a_reason(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "*x\r\n",
        "*\r\n",
        "*1\n",
        "*9\r\n",
        "*99999999999999999999\r\n",
        "*1\r\n:5\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$65\r\n",
        "*1\r\n$99999999999\r\n",
        "*1\r\n$2\r\nabc\r\n",
        "*1\r\n$+2\r\nab\r\n",
        "*111111111111111111111111111111111111",
        "a b c d e f g h i\r\n",
        "ECHO \"open\r\n",
        "ECHO 'a'b\r\n",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct resp_command c;
        char *buf;
        enum resp_result r = parse(broken[i], strlen(broken[i]), &c, &buf);
        if (r != RESP_ERROR)
            fail_msg("%s gave %d", broken[i], r);
        assert_non_null(c.error);
        free(buf);
    }
}

static void a_request_over_the_total_is_an_error_before_it_is_whole(void **state)
{
    (void)state;
    char text[300] = "*8\r\n";
    for (int i = 0; i < 4; i++)
        strcat(text, "$60\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
    struct resp_command c;
    char *buf;
    assert_int_equal(parse(text, strlen(text), &c, &buf), RESP_ERROR);
    free(buf);
}

static void an_array_of_nothing_is_passed_over(void **state)
{
    (void)state;
    struct resp_command c;
    char *buf;
    assert_int_equal(parse("*0\r\n*-1\r\n", 9, &c, &buf), RESP_OK);
    assert_int_equal(c.argc, 0);
    assert_int_equal(c.consumed, 4);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_array_gives_its_arguments_and_nothing_more_is_consumed),
        cmocka_unit_test(every_prefix_of_a_request_wants_more_and_leaves_the_octets_alone),
        cmocka_unit_test(an_inline_command_is_split_at_blanks),
        cmocka_unit_test(quotes_hold_an_inline_argument_together),
        cmocka_unit_test(an_empty_line_is_passed_over),
        cmocka_unit_test(a_browser_is_recognised),
        cmocka_unit_test(what_breaks_the_protocol_is_an_error_with_a_reason),
        cmocka_unit_test(a_request_over_the_total_is_an_error_before_it_is_whole),
        cmocka_unit_test(an_array_of_nothing_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
