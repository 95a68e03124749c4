/* Messages from handsets in the gateway: keywords, what is kept, counted, logged and printed. */
#include "gateway/mo.h"

#include "base/log.h"
#include "gateway/ctl_mo.h"
#include "gateway/metrics_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct mo *mo;

static int setup(void **state)
{
    (void)state;
    log_set_fd(-1);
    mo = mo_new();
    return mo ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mo_free(mo);
    return 0;
}

static struct smpp_mo message(const char *text)
{
    return (struct smpp_mo){.source_addr = {"385911234567", 12},
                            .destination_addr = {"1971", 4},
                            .text = {text, text ? strlen(text) : 0},
                            .octets = text ? strlen(text) : 3,
                            .parts = 1,
                            .is_complete = true,
                            .has_start = true};
}

static void take(const char *carrier, struct smpp_mo m)
{
    assert_int_equal(mo_take(mo, carrier, &m), 0);
}

static size_t kept(void)
{
    size_t n = 0;
    for (const struct mo_event *e = mo_newest(mo); e; e = mo_before(mo, e))
        n++;
    return n;
}

static void the_first_word_is_the_keyword(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum mo_keyword keyword;
    } rows[] = {
        {"STOP", MO_STOP},
        {"stop", MO_STOP},
        {"Stop all of it, please", MO_STOP},
        {" \r\n\tStOpAlL\n", MO_STOP},
        {"unsubscribe", MO_STOP},
        {"Cancel.", MO_STOP},
        {"END", MO_STOP},
        {"quit!", MO_STOP},
        {"arret", MO_STOP},
        {"ARRÊT", MO_STOP},
        {"arrêt svp", MO_STOP},
        {"\"STOP\"", MO_STOP},
        {"“Stop”", MO_STOP},
        {"\xc2\xa0STOP\xc2\xa0", MO_STOP}, /* blanks that do not break */
        {"STOP\xef\xbf\xbd", MO_STOP},     /* what could not be read */
        {"\xef\xbb\xbfSTOP", MO_STOP},     /* a byte order mark */
        {"STOP@", MO_STOP},                /* a terminator that was counted */
        {"start", MO_START},
        {"UNSTOP", MO_START},
        {"Help me", MO_HELP},
        {"info?", MO_HELP},
        {"", MO_NONE},
        {"   ", MO_NONE},
        {"?", MO_NONE},
        {"please STOP", MO_NONE},
        {"stopp", MO_NONE},
        {"STOP1", MO_NONE},
        {"sto p", MO_NONE},
        {"stöp", MO_NONE},
        {"СТОП", MO_NONE},
        {"stopж", MO_NONE},
        {"жstop", MO_NONE},
        {"unsubscribeunsubscribe", MO_NONE},
        {"endless", MO_NONE},
        {"\xc3", MO_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].text);
        char *exact = malloc(len + 1); /* for the sanitizer */
        memcpy(exact, rows[i].text, len);
        if (mo_keyword_of(exact, len) != rows[i].keyword)
            fail_msg("%s: %s", rows[i].text, mo_keyword_name(mo_keyword_of(exact, len)));
        free(exact);
    }
}

static void a_message_is_kept_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    struct smpp_mo m = message("Stop it");
    m.data_coding = 8;
    m.parts = 3;
    m.missing = 1;
    m.source_addr = (struct smpp_str){"\x1b[2J\xe9", 5};
    take("acme", m);
    take("acme", message(NULL));
    const struct mo_event *binary = mo_newest(mo), *e = mo_before(mo, binary);
    assert_null(mo_before(mo, e));
    assert_null(binary->text);
    assert_int_equal(binary->octets, 3);
    assert_int_equal(binary->keyword, MO_NONE);
    assert_true(binary->id == e->id + 1);
    assert_string_equal(e->text, "Stop it");
    assert_string_equal(e->carrier, "acme");
    assert_string_equal(e->from, "?[2J?"); /* whatever a peer calls an address */
    assert_string_equal(e->to, "1971");
    assert_int_equal(e->keyword, MO_STOP);
    assert_int_equal(e->data_coding << 16 | e->parts << 8 | e->missing, 0x080301);
}

static void a_text_without_its_beginning_has_no_keyword(void **state)
{
    (void)state;
    struct smpp_mo m = message("stop by at seven");
    m.has_start = false;
    take("acme", m);
    assert_int_equal(mo_newest(mo)->keyword, MO_NONE);
}

static void the_oldest_falls_out_when_there_are_too_many(void **state)
{
    (void)state;
    char text[16];
    for (int i = 0; i < MO_KEPT_MAX + 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        take("acme", message(text));
    }
    assert_int_equal(kept(), MO_KEPT_MAX);
    const struct mo_event *e = mo_newest(mo);
    assert_string_equal(e->text, "265");
    while (mo_before(mo, e))
        e = mo_before(mo, e);
    assert_string_equal(e->text, "10");
}

static void texts_are_bounded_in_octets_too(void **state)
{
    (void)state;
    size_t big = MO_TEXT_MAX / 4;
    char *text = calloc(1, MO_TEXT_MAX + 2);
    memset(text, 'x', big);
    for (int i = 0; i < 6; i++)
        take("acme", message(text));
    assert_int_equal(kept(), 4);
    memset(text, 'x', MO_TEXT_MAX + 1);
    take("acme", message(text)); /* more than all may have together: alone */
    assert_int_equal(kept(), 1);
    take("acme", message("small"));
    assert_int_equal(kept(), 1);
    assert_string_equal(mo_newest(mo)->text, "small");
    free(text);
}

static void they_are_counted_by_carrier_and_keyword(void **state)
{
    (void)state;
    size_t n;
    char name[16];
    mo_add_carrier(mo, "acme");
    assert_int_equal(mo_counts(mo, &n)->n[MO_STOP], 0);
    assert_int_equal(n, 1);
    take("acme", message("stop"));
    take("acme", message("STOP"));
    take("other-one", message("hello"));
    const struct mo_count *rows = mo_counts(mo, &n);
    assert_int_equal(n, 2);
    assert_string_equal(rows[0].carrier, "acme");
    assert_int_equal(rows[0].n[MO_STOP], 2);
    assert_int_equal(rows[0].n[MO_NONE], 0);
    assert_int_equal(rows[1].n[MO_NONE], 1);
    for (int i = 0; i < 100; i++) { /* carriers come and go by reloads */
        snprintf(name, sizeof name, "c%d", i);
        take(name, message("help"));
    }
    rows = mo_counts(mo, &n);
    assert_int_equal(n * MO_KEYWORDS, METRICS_SERIES_MAX);
    assert_string_equal(rows[n - 1].carrier, "other");
    assert_int_equal(rows[n - 1].n[MO_HELP], 100 - (n - 3));
}

static void the_log_shows_neither_text_nor_number(void **state)
{
    (void)state;
    char line[2000] = "";
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    log_set_fd(pipes[1]);
    struct smpp_mo m = message("stop calling +385917654321");
    take("acme", m);
    m.source_addr = (struct smpp_str){"0911234567", 10}; /* as at home: not to be masked */
    m.destination_addr = (struct smpp_str){"PINBIND", 7};
    take("acme", m);
    log_set_fd(-1);
    close(pipes[1]);
    assert_true(read(pipes[0], line, sizeof line - 1) > 0);
    close(pipes[0]);
    assert_non_null(
        strstr(line, "id=acme event=mo from=+38591*****67 to=1971 keyword=STOP octets=26"));
    assert_non_null(strstr(line, "from=- to=- keyword=STOP"));
    assert_null(strstr(line, "calling"));
    assert_null(strstr(line, "765432"));
    assert_null(strstr(line, "123456"));
}

/* --- on a terminal --- */

static void assert_printed(json_t *value, const char *expected)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (json_is_string(value))
        ctl_mo_print_text(json_string_value(value), f);
    else
        ctl_mo_print(value, f);
    fclose(f);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
}

static void a_text_cannot_move_the_cursor_or_turn_the_line(void **state)
{
    (void)state;
    assert_printed(json_string("Ћао, 😘!"), "\"Ћао, 😘!\"");
    assert_printed(json_string("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
    assert_printed(json_string("\x1b[2J\r\x7f"), "\"\\u001b[2J\\u000d\\u007f\"");
    assert_printed(json_string("\xc2\x9b"
                               "2J\xe2\x80\xae"
                               "x\xe2\x81\xa6"),
                   "\"\\u009b2J\\u202ex\\u2066\"");
    assert_printed(json_string(""), "\"\"");
}

static void a_message_is_a_line(void **state)
{
    (void)state;
    assert_printed(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "at", "T", "carrier",
                             "acme", "from", "1", "to", "2", "keyword", "STOP", "text", "stop",
                             "parts", 3, "missing", 1),
                   "T acme 1 to 2 STOP \"stop\" (1 of 3 parts missing)\n");
    assert_printed(json_pack("{s:s, s:s, s:s, s:s, s:s, s:n, s:i}", "at", "T", "carrier", "acme",
                             "from", "1", "to", "2", "keyword", "none", "text", "octets", 7),
                   "T acme 1 to 2 none (7 octets of data)\n");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_word_is_the_keyword),
        T(a_message_is_kept_with_all_that_is_known_of_it),
        T(a_text_without_its_beginning_has_no_keyword),
        T(the_oldest_falls_out_when_there_are_too_many),
        T(texts_are_bounded_in_octets_too),
        T(they_are_counted_by_carrier_and_keyword),
        T(the_log_shows_neither_text_nor_number),
        T(a_text_cannot_move_the_cursor_or_turn_the_line),
        T(a_message_is_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
