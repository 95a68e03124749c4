#include "base/result.h"
#include "store/backoff.h"
#include "store/store.h"
#include "store/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void forms_that_are_good(void **state)
{
    static const struct {
        const char *url;
        struct store_url want;
    } rows[] = {
        {"embedded:/var/lib/p", {.kind = STORE_KIND_EMBEDDED, .path = "/var/lib/p"}},
        {"unix:/run/r.sock", {.kind = STORE_KIND_UNIX, .path = "/run/r.sock"}},
        {"redis://h", {.kind = STORE_KIND_TCP, .host = "h", .port = 6379}},
        {"redis://h/", {.kind = STORE_KIND_TCP, .host = "h", .port = 6379}},
        {"redis://h.example:1/15",
         {.kind = STORE_KIND_TCP, .host = "h.example", .port = 1, .db = 15}},
        {"redis://[::1]:65535/0", {.kind = STORE_KIND_TCP, .host = "::1", .port = 65535}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_url u;
        const char *why;
        assert_int_equal(store_url_parse(rows[i].url, &u, &why), 0);
        assert_int_equal(u.kind, rows[i].want.kind);
        assert_string_equal(u.path, rows[i].want.path);
        assert_string_equal(u.host, rows[i].want.host);
        assert_int_equal(u.port, rows[i].want.port);
        assert_int_equal(u.db, rows[i].want.db);
    }
}

static void forms_that_are_bad_say_why(void **state)
{
    static const char *const rows[] = {
        "",           "redis",           "http://h",           "embedded:",     "unix:",
        "redis://",   "redis://:6379",   "redis://h:0",        "redis://h:x",   "redis://h:65536",
        "redis://h:", "redis://h:1/x",   "redis://h:1/70000",  "redis://[::1",  "redis://h:1/0/1",
        "redis:h",    "redis://h:1/0?a", "redis://u:secret@h", "redis://[]:63",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        assert_int_equal(store_url_check(rows[i], &why), ERR_INVALID);
        assert_true(strlen(why) > 10);
        assert_null(strstr(why, "secret"));
    }
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    (void)state;
    char url[160] = "unix:";
    const char *why;
    memset(url + 5, 'a', 107);
    assert_int_equal(store_url_check(url, &why), 0);
    url[5 + 107] = 'a';
    assert_int_equal(store_url_check(url, &why), ERR_INVALID);
}

static void forms_of_later_say_not_available_yet(void **state)
{
    static const char *const rows[] = {"rediss://h:6379", "sentinel://h1:26379,h2:26379/m",
                                       "cluster://h1:6379"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        assert_int_equal(store_url_check(rows[i], &why), ERR_UNSUPPORTED);
        assert_memory_equal(why, "not available yet: ", 19);
    }
}

static void a_bucket_is_below_1024_and_three_upper_case_digits(void **state)
{
    char hex[4];
    unsigned seen[1024] = {0};
    (void)state;
    for (unsigned i = 0; i < 102400; i++) {
        char number[16];
        int n = snprintf(number, sizeof number, "38591%07u", i);
        uint16_t b = store_bucket(number, (size_t)n);
        assert_true(b < 1024);
        seen[b]++;
    }
    for (unsigned i = 0; i < 1024; i++)
        assert_in_range(seen[i], 30, 300); /* about 100 each */
    /* FNV-1a of "" is 0x811c9dc5, of "a" 0xe40c292c */
    assert_int_equal(store_bucket("", 0), ((0x811c9dc5u >> 10) ^ 0x811c9dc5u) & 1023);
    assert_int_equal(store_bucket("a", 1), ((0xe40c292cu >> 10) ^ 0xe40c292cu) & 1023);
    store_bucket_hex(0, hex);
    assert_string_equal(hex, "000");
    store_bucket_hex(1023, hex);
    assert_string_equal(hex, "3FF");
    store_bucket_hex(0x2AC, hex);
    assert_string_equal(hex, "2AC");
}

static void back_off_doubles_with_jitter_up_to_its_maximum(void **state)
{
    struct backoff b = {.max_ms = 1000};
    (void)state;
    static const uint32_t want[] = {50, 100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_in_range(store_backoff_next_ms(&b), want[i] / 2, want[i]);
    store_backoff_reset(&b);
    assert_in_range(store_backoff_next_ms(&b), 25, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_are_good),
        cmocka_unit_test(forms_that_are_bad_say_why),
        cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
        cmocka_unit_test(forms_of_later_say_not_available_yet),
        cmocka_unit_test(a_bucket_is_below_1024_and_three_upper_case_digits),
        cmocka_unit_test(back_off_doubles_with_jitter_up_to_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
