#include "gateway/api_metrics.h"
#include "gateway/api_private.h"
#include "gateway/counters.h"
#include "gateway/metrics_page.h"
#include "gateway/process_info.h"

#include "base/clock.h"
#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct metrics_page page;
static char *text;
static size_t text_len;

static void begin(const char *type, enum metrics_fold fold)
{
    const struct metrics_metric metric = {"m", type, "Some help.", fold};
    page.out = open_memstream(&text, &text_len);
    metrics_begin(&page, &metric);
}

/* What stands behind help and type. */
static const char *end(void)
{
    static const char head[] = "# HELP m Some help.\n# TYPE m ";
    metrics_end(&page);
    fclose(page.out);
    assert_int_equal(strncmp(text, head, sizeof head - 1), 0);
    return strchr(text + sizeof head - 1, '\n') + 1;
}

static int free_text(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    return 0;
}

static void series(const char *carrier, const char *bind, double value)
{
    const struct metrics_label labels[] = {{"carrier", carrier}, {"bind", bind}, {NULL, NULL}};
    metrics_series(&page, labels, value);
}

static void a_metric_has_help_type_and_its_series(void **state)
{
    (void)state;
    begin("gauge", FOLD_SUM);
    series("acme", "0", 3);
    series("acme", "1", 0.25);
    assert_string_equal(end(), "m{carrier=\"acme\",bind=\"0\"} 3\n"
                               "m{carrier=\"acme\",bind=\"1\"} 0.25\n");
    assert_non_null(strstr(text, "# TYPE m gauge\n"));
}

static void numbers_keep_what_matters_of_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *line;
    } cases[] = {{0, "m 0\n"},
                 {-1, "m -1\n"},
                 {123456789012345, "m 123456789012345\n"},
                 {1795447000.123, "m 1795447000.123\n"},
                 {0.000123, "m 0.000123\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin("counter", FOLD_SUM);
        metrics_series(&page, NULL, cases[i].value);
        assert_string_equal(end(), cases[i].line);
        free_text(NULL);
    }
}

static unsigned count_lines(const char *s)
{
    unsigned n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

static void many(enum metrics_fold fold, unsigned n)
{
    begin("gauge", fold);
    for (unsigned i = 0; i < n; i++) {
        char bind[12];
        snprintf(bind, sizeof bind, "%u", i);
        series("acme", bind, i + 1);
    }
}

static void the_two_hundredth_series_and_those_behind_it_are_one(void **state)
{
    (void)state;
    static const struct {
        enum metrics_fold fold;
        const char *line;
    } cases[] = {{FOLD_SUM, "m{carrier=\"other\",bind=\"other\"} 603\n"},
                 {FOLD_MIN, "m{carrier=\"other\",bind=\"other\"} 200\n"},
                 {FOLD_MAX, "m{carrier=\"other\",bind=\"other\"} 202\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        many(cases[i].fold, 202);
        const char *lines = end();
        assert_int_equal(count_lines(lines), METRICS_SERIES_MAX);
        assert_non_null(strstr(lines, "m{carrier=\"acme\",bind=\"198\"} 199\n"));
        assert_null(strstr(lines, "bind=\"199\""));
        assert_non_null(strstr(lines, cases[i].line));
        free_text(NULL);
    }
    many(FOLD_SUM, METRICS_SERIES_MAX - 1);
    assert_null(strstr(end(), "other"));
}

static void a_metric_after_a_folded_one_begins_anew(void **state)
{
    (void)state;
    const struct metrics_metric next = {"n", "counter", "Other help.", FOLD_SUM};
    many(FOLD_SUM, 300);
    metrics_end(&page);
    metrics_begin(&page, &next);
    metrics_series(&page, NULL, 7);
    end();
    assert_non_null(strstr(text, "\n# HELP n Other help.\n# TYPE n counter\nn 7\n"));
}

static void buckets_of_a_histogram_hold_those_below_them(void **state)
{
    (void)state;
    const int64_t bounds[] = {1000, 2500000};
    const uint64_t buckets[] = {1, 2, 4};
    begin("histogram", FOLD_SUM);
    metrics_histogram(&page, (struct metrics_label){"step", "send"},
                      &(struct metrics_histogram){bounds, buckets, 3, 9000001});
    assert_string_equal(end(), "m_bucket{step=\"send\",le=\"0.001\"} 1\n"
                               "m_bucket{step=\"send\",le=\"2.5\"} 3\n"
                               "m_bucket{step=\"send\",le=\"+Inf\"} 7\n"
                               "m_sum{step=\"send\"} 9.000001\n"
                               "m_count{step=\"send\"} 7\n");
}

/* --- counters ------------------------------------------------------------------------------ */

static void every_verdict_of_verify_is_counted_as_what_is_answered(void **state)
{
    (void)state;
    static const struct {
        int result;
        enum pin_verdict verdict;
        enum counters_verify as;
    } cases[] = {
        {0, PIN_OK, VERIFY_VERIFIED},
        {0, PIN_WRONG, VERIFY_WRONG_PIN},
        {0, PIN_NO_MORE_ATTEMPTS, VERIFY_NO_MORE_PIN_ATTEMPTS},
        {0, PIN_TTL_EXPIRED, VERIFY_TTL_EXPIRED},
        {0, PIN_TOO_MANY, VERIFY_TOO_MANY_REQUESTS},
        {0, PIN_NOT_FOUND, VERIFY_NOT_FOUND},
        {0, PIN_UNMATCHED, VERIFY_NOT_FOUND},
        {ERR_TIMEOUT, PIN_OK, VERIFY_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct counters before = *counters();
        counters_verify(cases[i].result, cases[i].verdict);
        before.verify[cases[i].as]++;
        before.limit[LIMIT_VERIFY] += cases[i].as == VERIFY_TOO_MANY_REQUESTS;
        assert_memory_equal(&before, counters(), sizeof before);
    }
}

static void times_are_counted_by_their_upper_bound(void **state)
{
    (void)state;
    const struct counters_times *t = &counters()->step[STEP_SEND];
    struct counters_times before = *t;
    counters_step(STEP_SEND, -5);
    counters_step(STEP_SEND, 1000);
    counters_step(STEP_SEND, 1001);
    counters_step(STEP_SEND, 30000000);
    counters_step(STEP_SEND, 30000001);
    assert_int_equal(t->bucket[0] - before.bucket[0], 2);
    assert_int_equal(t->bucket[1] - before.bucket[1], 1);
    assert_int_equal(t->bucket[COUNTERS_BUCKETS - 2] - before.bucket[COUNTERS_BUCKETS - 2], 1);
    assert_int_equal(t->bucket[COUNTERS_BUCKETS - 1] - before.bucket[COUNTERS_BUCKETS - 1], 1);
    assert_int_equal(t->sum_us - before.sum_us, 60002002);
    assert_int_equal(counters()->step[STEP_VERIFY].sum_us, 0);
}

static void requests_are_counted_by_route_and_known_status(void **state)
{
    (void)state;
    static const int codes[] = API_METRICS_CODES;
    size_t n;
    const struct api_route *routes = api_routes(&n);
    assert_true(n <= API_METRICS_ROUTES);
    api_metrics_count(&routes[1], 200);
    api_metrics_count(&routes[1], 503);
    api_metrics_count(&routes[1], 418);
    api_metrics_count(NULL, 404);
    for (size_t i = 0; i < API_METRICS_N; i++) {
        bool is_hit = codes[i] == 200 || codes[i] == 503 || codes[i] == 0;
        assert_int_equal(api_metrics_counted(1)[i], is_hit);
        assert_int_equal(api_metrics_counted(API_METRICS_ROUTES)[i], codes[i] == 404);
        assert_int_equal(api_metrics_counted(0)[i], 0);
    }
}

static void the_process_knows_its_size_age_and_descriptors(void **state)
{
    (void)state;
    struct process_info a, b;
    process_info(&a);
    int fd = dup(0);
    process_info(&b);
    close(fd);
    assert_true(a.resident > 100000 && a.resident < (uint64_t)1 << 40);
    assert_true(a.cpu_s > 0 && b.cpu_s >= a.cpu_s && b.cpu_s < 600);
    assert_int_equal(b.open_fds, a.open_fds + 1);
    assert_true(a.open_fds >= 3 && a.max_fds >= a.open_fds);
    double age = (double)wall_ms() / 1e3 - a.start_s;
    assert_true(age > -1 && age < 600);
    assert_true(b.start_s <= a.start_s && b.start_s >= a.start_s);
}

#define T(name) cmocka_unit_test_teardown(name, free_text)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_metric_has_help_type_and_its_series),
        T(numbers_keep_what_matters_of_them),
        T(the_two_hundredth_series_and_those_behind_it_are_one),
        T(a_metric_after_a_folded_one_begins_anew),
        T(buckets_of_a_histogram_hold_those_below_them),
        T(every_verdict_of_verify_is_counted_as_what_is_answered),
        T(times_are_counted_by_their_upper_bound),
        T(requests_are_counted_by_route_and_known_status),
        T(the_process_knows_its_size_age_and_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
