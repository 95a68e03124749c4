#include "gateway/receipt_counts.h"

#include "base/buf.h"
#include "gateway/metrics_page.h"

#include <string.h>

#define ROWS    METRICS_SERIES_MAX
#define ERR_LEN 4 /* octets of the codes that operators use; longer ones stand in a table */

static struct receipt_count rows[ROWS]; /* of the last one all labels are "other" */
static size_t n_rows;

const struct receipt_count *receipt_counts(size_t *n)
{
    *n = n_rows;
    return rows;
}

static bool is_safe(struct smpp_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && (c == '\0' || !strchr("_.:+-", c)))
            return false;
    }
    return s.len > 0;
}

/* In capitals, so that 00b and 00B are one. */
static void put_label(char *out, size_t size, struct smpp_str s)
{
    if (!is_safe(s)) {
        str_copy(out, size, "other");
        return;
    }
    str_copy_n(out, size, s.p, s.len);
    for (; *out; out++)
        if (*out >= 'a' && *out <= 'z')
            *out = (char)(*out - 'a' + 'A');
}

static struct receipt_count labels_of(const char *carrier, const struct smpp_receipt *r)
{
    struct receipt_count c = {.stat = "none", .err = "none"};
    bool is_code = r->err_text || r->err.len <= ERR_LEN;
    struct smpp_str word = {r->word, r->word ? strlen(r->word) : 0};
    str_copy(c.carrier, sizeof c.carrier, carrier);
    if (r->state >= 0)
        put_label(c.stat, sizeof c.stat, word);
    if (r->err.len)
        put_label(c.err, sizeof c.err, is_code ? r->err : (struct smpp_str){NULL, 0});
    return c;
}

void receipt_counts_add(const char *carrier, const struct smpp_receipt *r)
{
    struct receipt_count c = labels_of(carrier, r);
    size_t i = 0;
    while (i < n_rows && (strcmp(rows[i].carrier, c.carrier) != 0 ||
                          strcmp(rows[i].stat, c.stat) != 0 || strcmp(rows[i].err, c.err) != 0))
        i++;
    if (i >= ROWS - 1) {
        i = ROWS - 1;
        c = (struct receipt_count){"other", "other", "other", 0};
    }
    if (i == n_rows) {
        rows[i] = c;
        n_rows++;
    }
    rows[i].n++;
}
