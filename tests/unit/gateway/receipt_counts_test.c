/* Receipts by carrier, word and code: what becomes a label, and what happens at the bound. */
#include "gateway/receipt_counts.h"

#include "gateway/metrics_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t count_of(const char *carrier, const char *stat, const char *err)
{
    size_t n;
    const struct receipt_count *rows = receipt_counts(&n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].carrier, carrier) && !strcmp(rows[i].stat, stat) &&
            !strcmp(rows[i].err, err))
            return rows[i].n;
    return 0;
}

static void add(const char *carrier, const char *word, const char *err, const char *err_text)
{
    struct smpp_receipt r = {.state = word ? 2 : 7,
                             .word = word,
                             .err = {err, err ? strlen(err) : 0},
                             .err_text = err_text};
    receipt_counts_add(carrier, &r);
}

static void q30_labels_are_words_of_tables_and_short_safe_codes(void **state)
{
    (void)state;
    static const struct {
        const char *word, *err, *text, *stat_label, *err_label;
    } rows[] = {
        {"DELIVRD", "000", NULL, "DELIVRD", "000"},
        {"Delivrd", "00b", NULL, "DELIVRD", "00B"},
        {"UNDELIV", "00B", NULL, "UNDELIV", "00B"},
        {"UNDELIV", NULL, NULL, "UNDELIV", "none"},
        {"UNDELIV", "absent", NULL, "UNDELIV", "other"}, /* longer than codes are */
        {"UNDELIV", "absent", "away", "UNDELIV", "ABSENT"},
        {"UNDELIV", "1\n2", NULL, "UNDELIV", "other"},
        {"UNDELIV", "\"", "quoted", "UNDELIV", "other"},
        {"\\", "\xff", NULL, "other", "other"},
        {NULL, "a b", NULL, "other", "other"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t before = count_of("acme", rows[i].stat_label, rows[i].err_label);
        add("acme", rows[i].word, rows[i].err, rows[i].text);
        if (count_of("acme", rows[i].stat_label, rows[i].err_label) != before + 1)
            fail_msg("%s %s", rows[i].stat_label, rows[i].err_label);
    }
    struct smpp_receipt silent = {.state = -1};
    receipt_counts_add("acme", &silent);
    assert_int_equal(count_of("acme", "none", "none"), 1);
}

static void q30_what_comes_behind_the_bound_is_one_series(void **state)
{
    (void)state;
    size_t before, n;
    receipt_counts(&before);
    for (int i = 0; i < 1000; i++) {
        char err[8];
        snprintf(err, sizeof err, "%04d", i);
        add("flood", "UNDELIV", err, NULL);
    }
    receipt_counts(&n);
    assert_int_equal(n, METRICS_SERIES_MAX);
    assert_int_equal(count_of("flood", "UNDELIV", "0000"), 1);
    assert_int_equal(count_of("other", "other", "other"), 1000 - (METRICS_SERIES_MAX - 1 - before));
    add("flood", "UNDELIV", "0000", NULL); /* a row that is there counts on */
    assert_int_equal(count_of("flood", "UNDELIV", "0000"), 2);
    add("a-carrier-whose-name-has-32-chars", "UNDELIV", "9", NULL);
    receipt_counts(&n);
    assert_int_equal(n, METRICS_SERIES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q30_labels_are_words_of_tables_and_short_safe_codes),
        cmocka_unit_test(q30_what_comes_behind_the_bound_is_one_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
