#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/json_write.h"

#include <jansson.h>

static void expect(const char *in, size_t len, const char *out)
{
    char buf[200];
    struct wr w = wr_init(buf, sizeof buf);
    json_write_str(&w, in, len);
    wr_end(&w);
    assert_false(w.bad);
    assert_string_equal(buf, out);
}

static void text_is_quoted_and_escaped(void **state)
{
    (void)state;
    expect("", 0, "\"\"");
    expect("plain text / 1", 14, "\"plain text / 1\"");
    expect("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    expect("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    expect("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
}

static void well_formed_utf8_stays(void **state)
{
    (void)state;
    expect("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void octets_that_are_not_utf8_are_replaced(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xff",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "\xc3",
                                      "\xc3(",
                                      "\xf0\x9f\x98x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char buf[64];
        struct wr w = wr_init(buf, sizeof buf);
        json_write_str(&w, bad[i], strlen(bad[i]));
        assert_false(w.bad);
        assert_memory_equal(buf, "\"\xef\xbf\xbd", 4);
        json_t *j = json_loadb(buf, w.len, JSON_DECODE_ANY, NULL); /* a second opinion */
        assert_non_null(j);
        json_decref(j);
    }
}

static void a_key_has_its_colon_and_a_full_buffer_is_bad(void **state)
{
    char buf[8];
    struct wr w = wr_init(buf, sizeof buf);
    (void)state;
    json_write_key(&w, "k");
    assert_int_equal(w.len, 4);
    assert_memory_equal(buf, "\"k\":", 4);
    json_write_str(&w, "too long", 8);
    assert_true(w.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_quoted_and_escaped),
        cmocka_unit_test(well_formed_utf8_stays),
        cmocka_unit_test(octets_that_are_not_utf8_are_replaced),
        cmocka_unit_test(a_key_has_its_colon_and_a_full_buffer_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
