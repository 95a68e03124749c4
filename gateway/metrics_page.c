#include "gateway/metrics_page.h"

#include <string.h>

#define US_PER_S 1e6

void metrics_begin(struct metrics_page *p, const struct metrics_metric *m)
{
    *p = (struct metrics_page){.out = p->out, .name = m->name, .fold = m->fold};
    fprintf(p->out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
}

/* Whole numbers as such: 15 digits are exact in a double. */
static void write_line(struct metrics_page *p, const struct metrics_label *labels, double value)
{
    const char *before = "{";
    fputs(p->name, p->out);
    for (; labels && labels->key; labels++) {
        fprintf(p->out, "%s%s=\"%s\"", before, labels->key, labels->value);
        before = ",";
    }
    fprintf(p->out, "%s %.15g\n", *before == ',' ? "}" : "", value);
}

static double fold(const struct metrics_page *p, double value)
{
    if (!p->other[0].key)
        return value;
    switch (p->fold) {
    case FOLD_MIN:
        return value < p->folded ? value : p->folded;
    case FOLD_MAX:
        return value > p->folded ? value : p->folded;
    case FOLD_SUM:
        break;
    }
    return p->folded + value;
}

void metrics_series(struct metrics_page *p, const struct metrics_label *labels, double value)
{
    if (p->n_series < METRICS_SERIES_MAX - 1) {
        p->n_series++;
        write_line(p, labels, value);
        return;
    }
    p->folded = fold(p, value);
    for (size_t i = 0; i < METRICS_LABELS_MAX && labels[i].key; i++)
        p->other[i] = (struct metrics_label){labels[i].key, "other"};
}

void metrics_end(struct metrics_page *p)
{
    if (p->other[0].key)
        write_line(p, p->other, p->folded);
}

void metrics_histogram(struct metrics_page *p, struct metrics_label label,
                       const struct metrics_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < h->n; i++) {
        char le[32] = "+Inf";
        count += h->buckets[i];
        if (i + 1 < h->n)
            snprintf(le, sizeof le, "%.15g", (double)h->bounds_us[i] / US_PER_S);
        fprintf(p->out, "%s_bucket{%s=\"%s\",le=\"%s\"} %llu\n", p->name, label.key, label.value,
                le, (unsigned long long)count);
    }
    fprintf(p->out, "%s_sum{%s=\"%s\"} %.15g\n%s_count{%s=\"%s\"} %llu\n", p->name, label.key,
            label.value, (double)h->sum_us / US_PER_S, p->name, label.key, label.value,
            (unsigned long long)count);
}
