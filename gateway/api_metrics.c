/* /metrics: what the rooms count anyway, read and written down when somebody asks. */
#include "gateway/api_metrics.h"

#include "base/log.h"
#include "gateway/api_private.h"
#include "gateway/carriers.h"
#include "gateway/counters.h"
#include "gateway/flow.h"
#include "gateway/metrics_page.h"
#include "gateway/mo.h"
#include "gateway/overdue.h"
#include "gateway/process_info.h"
#include "gateway/receipt_counts.h"
#include "gateway/resp.h"
#include "pin/ledger.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define MS_PER_S 1e3
#define US_PER_S 1e6

/* --- a look at everything that counts ------------------------------------------------------- */

struct snapshot {
    struct store_info store;
    struct flows_info flows;
    struct pin_ledger_info ledger;
    struct carriers_info carriers;
    const struct mo *mo;
    struct overdue_info overdue;
    struct resp_info resp;
    struct api_info api;
    struct process_info process;
    struct smpp_bind_info *binds;
    size_t n_binds;
    struct smpp_carrier_info *queues;
    size_t n_queues;
};

static size_t count_binds(const struct api_env *env)
{
    size_t n = 0;
    for (size_t i = 0; i < carriers_count(env->carriers); i++)
        n += smpp_carrier_bind_count(carriers_at(env->carriers, i));
    return n;
}

static int take_binds(struct snapshot *s, const struct api_env *env)
{
    size_t n = count_binds(env);
    s->binds = calloc(n + 1, sizeof *s->binds);
    if (!s->binds)
        return -1;
    for (size_t i = 0; i < carriers_count(env->carriers); i++) {
        const struct smpp_carrier *c = carriers_at(env->carriers, i);
        for (uint32_t k = 0; k < smpp_carrier_bind_count(c) && s->n_binds < n; k++)
            smpp_carrier_bind_info(c, k, &s->binds[s->n_binds++]);
    }
    return 0;
}

static int take_queues(struct snapshot *s, const struct api_env *env)
{
    size_t n = carriers_count(env->carriers);
    s->queues = calloc(n + 1, sizeof *s->queues);
    if (!s->queues)
        return -1;
    for (; s->n_queues < n; s->n_queues++)
        smpp_carrier_info(carriers_at(env->carriers, s->n_queues), &s->queues[s->n_queues]);
    return 0;
}

static int take(struct snapshot *s, const struct api_call *c)
{
    const struct api_env *env = c->env;
    store_info(env->store, &s->store);
    flows_info(env->flows, &s->flows);
    pin_ledger_info(env->ledger, &s->ledger);
    carriers_info(env->carriers, &s->carriers);
    s->mo = env->mo;
    overdue_info(env->overdue, &s->overdue);
    resp_server_info(env->resp, &s->resp);
    api_info(c->api, &s->api);
    process_info(&s->process);
    return take_binds(s, env) || take_queues(s, env) ? -1 : 0;
}

/* --- what has labels ------------------------------------------------------------------------ */

static void one(struct metrics_page *p, const char *key, const char *value, uint64_t n)
{
    const struct metrics_label labels[] = {{key, value}, {NULL, NULL}};
    metrics_series(p, labels, (double)n);
}

static void bind_one(struct metrics_page *p, const struct smpp_bind_info *b, double value)
{
    const struct metrics_label labels[] = {
        {"carrier", b->carrier}, {"bind", b->name}, {NULL, NULL}};
    metrics_series(p, labels, value);
}

static void ends_series(struct metrics_page *p, const struct smpp_bind_info *b, const char *key,
                        const char *value, uint64_t n)
{
    const struct metrics_label labels[] = {
        {"carrier", b->carrier}, {"bind", b->name}, {key, value}, {NULL, NULL}};
    metrics_series(p, labels, (double)n);
}

/* What alerts ask the increase of stands there from the start; another reason when it has happened,
 * or a few carriers would fill the page. */
static void bind_attempts(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_binds; i++) {
        const struct smpp_bind_info *b = &s->binds[i];
        ends_series(p, b, "result", "bound", b->bound);
        for (unsigned e = 0; e < SMPP_ENDS; e++)
            if (b->failed[e] || e == SMPP_END_CREDENTIALS)
                ends_series(p, b, "result", smpp_end_name((enum smpp_end)e), b->failed[e]);
    }
}

static void disconnects(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_binds; i++)
        for (unsigned e = 0; e < SMPP_ENDS; e++)
            if (s->binds[i].ended[e] || e == SMPP_END_LOST)
                ends_series(p, &s->binds[i], "reason", smpp_end_name((enum smpp_end)e),
                            s->binds[i].ended[e]);
}

static void tls_cert_expiry(struct metrics_page *p, const struct snapshot *s)
{
    p->fold = FOLD_MIN;
    for (size_t i = 0; i < s->n_binds; i++) {
        const struct smpp_bind_info *b = &s->binds[i];
        if (b->tls_expires_ms)
            bind_one(p, b, (double)b->tls_expires_ms / MS_PER_S);
    }
}

static void queue_messages(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_queues; i++)
        one(p, "carrier", s->queues[i].carrier, s->queues[i].queued);
}

static void queue_oldest(struct metrics_page *p, const struct snapshot *s)
{
    p->fold = FOLD_MAX;
    for (size_t i = 0; i < s->n_queues; i++) {
        const struct metrics_label labels[] = {{"carrier", s->queues[i].carrier}, {NULL, NULL}};
        metrics_series(p, labels, (double)s->queues[i].oldest_ms / MS_PER_S);
    }
}

static void receipts(struct metrics_page *p, const struct snapshot *s)
{
    size_t n;
    const struct receipt_count *rows = receipt_counts(&n);
    (void)s;
    for (size_t i = 0; i < n; i++) {
        const struct metrics_label labels[] = {{"carrier", rows[i].carrier},
                                               {"stat", rows[i].stat},
                                               {"err", rows[i].err},
                                               {NULL, NULL}};
        metrics_series(p, labels, (double)rows[i].n);
    }
}

static void ask_counts(struct metrics_page *p, const char *carrier, const struct smpp_ask_counts *c)
{
    static const char *const results[] = {"done", "refused", "no_answer", "lost", "not_sent"};
    for (size_t i = 0; i < SMPP_ASK_OUTCOMES; i++) {
        const struct metrics_label labels[] = {
            {"carrier", carrier}, {"result", results[i]}, {NULL, NULL}};
        metrics_series(p, labels, (double)c->n[i]);
    }
}

static void queries(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_queues; i++)
        ask_counts(p, s->queues[i].carrier, &s->queues[i].queries);
}

static void cancels(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_queues; i++)
        ask_counts(p, s->queues[i].carrier, &s->queues[i].cancels);
}

static void outbind_listening(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_queues; i++)
        if (s->queues[i].is_dialled)
            one(p, "carrier", s->queues[i].carrier, s->queues[i].is_listening);
}

static void outbinds(struct metrics_page *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_queues; i++) {
        const struct smpp_carrier_info *c = &s->queues[i];
        for (unsigned k = 0; c->is_dialled && k < SMPP_GUESTS; k++) {
            const struct metrics_label labels[] = {{"carrier", c->carrier},
                                                   {"result", smpp_guest_name((enum smpp_guest)k)},
                                                   {NULL, NULL}};
            metrics_series(p, labels, (double)c->guests[k]);
        }
    }
}

static void mobile_originated(struct metrics_page *p, const struct snapshot *s)
{
    size_t n;
    const struct mo_count *rows = mo_counts(s->mo, &n);
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < MO_KEYWORDS; k++) {
            const struct metrics_label labels[] = {{"carrier", rows[i].carrier},
                                                   {"keyword", mo_keyword_name((enum mo_keyword)k)},
                                                   {NULL, NULL}};
            metrics_series(p, labels, (double)rows[i].n[k]);
        }
}

static void pins(struct metrics_page *p, const struct snapshot *s)
{
    one(p, "event", "requested", s->flows.started);
    one(p, "event", "sent", s->flows.sent);
    one(p, "event", "in_doubt", s->flows.in_doubt);
    one(p, "event", "not_sent", s->flows.not_sent);
    one(p, "event", "refused", s->flows.refused);
    one(p, "event", "unavailable", s->flows.unavailable);
}

static void verifies(struct metrics_page *p, const struct snapshot *s)
{
    static const char *const names[] = {
#define X(id, name) name,
        COUNTERS_VERIFY_LIST(X)
#undef X
    };
    (void)s;
    for (size_t i = 0; i < N_VERIFY; i++)
        one(p, "result", names[i], counters()->verify[i]);
}

static void limits(struct metrics_page *p, const struct snapshot *s)
{
    static const char *const names[] = {
#define X(id, name) name,
        COUNTERS_LIMIT_LIST(X)
#undef X
    };
    for (size_t i = 0; i < N_LIMITS; i++)
        one(p, "limit", names[i], counters()->limit[i]);
    one(p, "limit", "http", s->api.http.limits_hit);
    one(p, "limit", "noc", s->api.noc.limits_hit);
    one(p, "limit", "verify_socket", s->resp.limits_hit);
}

static void flow_seconds(struct metrics_page *p, const struct snapshot *s)
{
    static const int64_t bounds[] = COUNTERS_BOUNDS_US;
    static const char *const names[] = {
#define X(id, name) name,
        COUNTERS_STEP_LIST(X)
#undef X
    };
    (void)s;
    for (size_t i = 0; i < N_STEPS; i++) {
        const struct counters_times *t = &counters()->step[i];
        metrics_histogram(p, (struct metrics_label){"step", names[i]},
                          &(struct metrics_histogram){.bounds_us = bounds,
                                                      .buckets = t->bucket,
                                                      .n = COUNTERS_BUCKETS,
                                                      .sum_us = t->sum_us});
    }
}

static void auth_failures(struct metrics_page *p, const struct snapshot *s)
{
    one(p, "door", "http", s->api.auth_failures);
    one(p, "door", "verify_socket", s->resp.auth_failures);
}

static void build_info(struct metrics_page *p, const struct snapshot *s)
{
    (void)s;
    one(p, "version", PINBIND_VERSION, 1);
}

static void request_series(struct metrics_page *p, const char *path, const uint64_t *by_code)
{
    static const int codes[] = API_METRICS_CODES;
    for (size_t i = 0; i < API_METRICS_N; i++) {
        char code[12] = "other";
        if (codes[i])
            snprintf(code, sizeof code, "%d", codes[i]);
        const struct metrics_label labels[] = {{"path", path}, {"code", code}, {NULL, NULL}};
        if (by_code[i])
            metrics_series(p, labels, (double)by_code[i]);
    }
}

/* What the routes of one path have come to, the first of which is at `first`; false: an earlier
 * one has the path. */
static bool sum_path(const struct api_route *all, size_t n, size_t first, uint64_t *by_code)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t *counted = api_metrics_counted(i);
        if (strcmp(all[i].path, all[first].path) != 0)
            continue;
        if (i < first)
            return false;
        for (size_t k = 0; k < API_METRICS_N; k++)
            by_code[k] += counted[k];
    }
    return true;
}

static void http_requests(struct metrics_page *p, const struct snapshot *s)
{
    size_t n;
    const struct api_route *all = api_routes(&n);
    (void)s;
    if (n > API_METRICS_ROUTES)
        n = API_METRICS_ROUTES;
    for (size_t i = 0; i < n; i++) {
        uint64_t by_code[API_METRICS_N] = {0};
        if (sum_path(all, n, i, by_code))
            request_series(p, all[i].path, by_code);
    }
    request_series(p, "other", api_metrics_counted(API_METRICS_ROUTES));
}

/* --- the table ------------------------------------------------------------------------------ */

#define BIND(name, type, fold, help, expr)                                                         \
    static double name##_of(const struct smpp_bind_info *b)                                        \
    {                                                                                              \
        return (double)(expr);                                                                     \
    }
#define DOOR(name, type, help, expr)                                                               \
    static double name##_of(const struct http_info *h)                                             \
    {                                                                                              \
        return (double)(expr);                                                                     \
    }
#define VALUE(name, type, help, expr)                                                              \
    static double name##_of(const struct snapshot *s)                                              \
    {                                                                                              \
        (void)s;                                                                                   \
        return (double)(expr);                                                                     \
    }
#define TABLE(name, type, help, function)
#include "gateway/metrics.def"
#undef BIND
#undef DOOR
#undef VALUE
#undef TABLE

static const struct row {
    struct metrics_metric metric;
    /* one of them */
    double (*bind)(const struct smpp_bind_info *b);
    double (*door)(const struct http_info *h);
    double (*value)(const struct snapshot *s);
    void (*table)(struct metrics_page *p, const struct snapshot *s);
} rows[] = {
#define BIND(name, type, fold, help, expr) {{#name, #type, help, fold}, .bind = name##_of},
#define DOOR(name, type, help, expr)       {{#name, #type, help, FOLD_SUM}, .door = name##_of},
#define VALUE(name, type, help, expr)      {{#name, #type, help, FOLD_SUM}, .value = name##_of},
#define TABLE(name, type, help, function)  {{#name, #type, help, FOLD_SUM}, .table = function},
#include "gateway/metrics.def"
};

static void bind_series(struct metrics_page *p, const struct row *row, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_binds; i++) {
        const struct smpp_bind_info *b = &s->binds[i];
        bind_one(p, b, row->bind(b));
    }
}

static void door_series(struct metrics_page *p, const struct row *row, const struct snapshot *s)
{
    const struct {
        const char *name;
        const struct http_info *info;
    } doors[] = {{"http", &s->api.http}, {"noc", &s->api.noc}};
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        const struct metrics_label labels[] = {{"door", doors[i].name}, {NULL, NULL}};
        metrics_series(p, labels, row->door(doors[i].info));
    }
}

static void write_page(FILE *out, const struct snapshot *s)
{
    struct metrics_page p = {.out = out};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        metrics_begin(&p, &row->metric);
        if (row->bind)
            bind_series(&p, row, s);
        else if (row->door)
            door_series(&p, row, s);
        else if (row->value)
            metrics_series(&p, NULL, row->value(s));
        else
            row->table(&p, s);
        metrics_end(&p);
    }
}

void api_metrics(struct api_call *c)
{
    struct snapshot s = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool is_good = out && take(&s, c) == 0;
    if (is_good)
        write_page(out, &s);
    if (out && fclose(out) != 0)
        is_good = false;
    if (is_good)
        api_respond(c, &(struct http_response){.status = 200,
                                               .type = "text/plain; version=0.0.4; charset=utf-8",
                                               .body = text,
                                               .len = len});
    else
        api_fail(c, ANSWER_GENERAL_ERROR, NULL, "out of memory");
    free(text);
    free(s.binds);
    free(s.queues);
}
