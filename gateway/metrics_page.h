/*
 * A page in the text format of Prometheus, 0.0.4: metrics one after the other, each with its help
 * and type, then its series.  A metric has at most METRICS_SERIES_MAX of them: what comes after is
 * folded into one whose labels are all "other".
 *
 * Label values come from known tables and need no escape: no quote, backslash or line feed.
 */
#ifndef GATEWAY_METRICS_PAGE_H
#define GATEWAY_METRICS_PAGE_H

#include <stdint.h>
#include <stdio.h>

#define METRICS_SERIES_MAX 200
#define METRICS_LABELS_MAX 3

struct metrics_label {
    const char *key, *value;
};

enum metrics_fold { FOLD_SUM, FOLD_MIN, FOLD_MAX }; /* how many become one */

struct metrics_page {
    FILE *out;
    const char *name;
    enum metrics_fold fold;
    unsigned n_series;
    struct metrics_label other[METRICS_LABELS_MAX + 1]; /* key NULL: nothing was folded yet */
    double folded;
};

struct metrics_metric {
    const char *name, *type, *help;
    enum metrics_fold fold;
};
/* Each begin is followed by its end. */
void metrics_begin(struct metrics_page *p, const struct metrics_metric *m);
/* labels end with a NULL key; NULL: none at all. */
void metrics_series(struct metrics_page *p, const struct metrics_label *labels, double value);
void metrics_end(struct metrics_page *p);

struct metrics_histogram {
    const int64_t *bounds_us; /* n - 1 of them */
    const uint64_t *buckets;  /* n, each by itself */
    size_t n;
    uint64_t sum_us;
};
/* The series of one histogram, in seconds; not folded: there are few. */
void metrics_histogram(struct metrics_page *p, struct metrics_label label,
                       const struct metrics_histogram *h);

#endif
