#include "gateway/overdue.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/table.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "pin/ledger.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_MAX 20000
#define BUCKETS     4096
#define TRIES       3
#define SLACK_MS    60000 /* after the PIN's life */
#define NOTE_MS     5000  /* the ledger may take so long */
#define ID_SIZE     65    /* a longer message id cannot be asked for */
#define SOURCE_SIZE 22    /* a sender of 20 octets, perhaps with a plus sign */

struct watched {
    struct watched *prev, *next;    /* all, oldest first */
    struct watched *before, *after; /* of one bucket */
    struct overdue *all;
    struct event timer; /* for the next question, or for the end */
    struct mono over;   /* is forgotten then */
    struct mono opened; /* the PIN was */
    struct msisdn to;
    char pin_id[PIN_ID_SIZE], app_id[PIN_APP_ID_SIZE];
    uint32_t attempt, segment, segments;
    uint32_t tries; /* questions so far */
    bool is_withdrawn;
    char carrier[PIN_CARRIER_SIZE];
    char message_id[ID_SIZE];
    char source[SOURCE_SIZE];
};

struct overdue {
    struct overdue_env env;
    struct carriers *carriers;
    struct watched *oldest;
    struct watched *buckets[BUCKETS]; /* by number */
    struct overdue_info info;
};

/* --- the table --- */

static struct watched **bucket_of(struct overdue *o, const struct msisdn *to)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < to->len; i++)
        hash = (hash ^ (uint8_t)to->digits[i]) * 16777619u;
    return &o->buckets[hash % BUCKETS];
}

static void forget(struct watched *w)
{
    struct overdue *o = w->all;
    struct watched **bucket = bucket_of(o, &w->to);
    event_del(&w->timer);
    DL_DELETE(o->oldest, w);
    DL_DELETE2(*bucket, w, before, after);
    o->info.watched--;
    free(w);
}

static bool is_of(const struct watched *w, const char *pin_id, uint32_t attempt)
{
    return w->attempt == attempt && strcmp(w->pin_id, pin_id) == 0;
}

/* The oldest of an attempt; message_id NULL: any. */
static struct watched *find(struct overdue *o, const struct msisdn *to, const char *pin_id,
                            uint32_t attempt, const char *message_id)
{
    struct watched *w = *bucket_of(o, to);
    while (w &&
           !(is_of(w, pin_id, attempt) && (!message_id || strcmp(w->message_id, message_id) == 0)))
        w = w->after;
    return w;
}

/* --- asking --- */

/* One question on its way; by name, because the message may be forgotten meanwhile. */
struct question {
    struct overdue *all;
    struct msisdn to;
    char pin_id[PIN_ID_SIZE];
    uint32_t attempt, segment, segments;
    char carrier[PIN_CARRIER_SIZE];
    char message_id[ID_SIZE];
    enum pin_attempt_state state; /* that was told */
    bool final;
};

static void sleep_until(struct watched *w, struct mono at)
{
    int64_t us = mono_diff_us(at.us < w->over.us ? at : w->over, mono_now());
    us = us > 0 ? us : 0;
    event_add(&w->timer, &(struct timeval){us / 1000000, us % 1000000});
}

/* After 0 questions query_after_s from now, after 1 twice as much, ... */
static void plan(struct watched *w, const struct config_carrier *k)
{
    struct mono at = w->over;
    if (k && k->query_after_s && w->tries < TRIES)
        at = mono_add_ms(mono_now(), (int64_t)k->query_after_s * 1000 << w->tries);
    sleep_until(w, at);
}

static void noted_cb(void *arg, const struct pin_answer *a)
{
    struct question *q = arg;
    struct watched *w = find(q->all, &q->to, q->pin_id, q->attempt, q->message_id);
    LOG(a->result ? LOG_LV_WARN : LOG_LV_INFO, q->pin_id, "query_noted",
        KV_S("carrier", q->carrier), KV_S("state", pin_attempt_state_name(q->state)),
        KV_S("result", err_name(a->result)),
        KV_S("verdict", a->result ? NULL : pin_verdict_name(a->verdict)));
    if (w && q->final && a->result == 0)
        forget(w);
    free(q);
}

static int note(struct question *q, const struct smpp_ask_result *r)
{
    char err[4] = "";
    if (r->error_code) /* three digits, as receipts write it */
        snprintf(err, sizeof err, "%03u", (unsigned)r->error_code);
    q->state = (enum pin_attempt_state)r->state;
    q->final = r->final;
    return pin_ledger_told(q->all->env.ledger,
                           &(struct pin_told){.pin_id = q->pin_id,
                                              .attempt = q->attempt,
                                              .segment = q->segment,
                                              .segments = q->segments,
                                              .state = q->state,
                                              .final = q->final,
                                              .err = err,
                                              .done_ms = r->final_ms,
                                              .hold_ms = NOTE_MS},
                           noted_cb, q);
}

/* UNKNOWN says nothing, where the carrier's section does not make it final. */
static bool is_news(const struct smpp_ask_result *r)
{
    return r->outcome == SMPP_ASK_DONE && r->state >= 0 &&
           (r->state != PIN_ATT_UNKNOWN || r->final);
}

static void query_cb(void *arg, const struct smpp_ask_result *r)
{
    struct question *q = arg;
    const struct config_carrier *k = carriers_config(q->all->carriers, q->carrier);
    struct watched *w = find(q->all, &q->to, q->pin_id, q->attempt, q->message_id);
    LOG(LOG_LV_INFO, q->pin_id, "query", KV_S("carrier", q->carrier), KV_I("attempt", q->attempt),
        KV_S("message_id", q->message_id), KV_S("outcome", smpp_ask_outcome_name(r->outcome)),
        KV_S("state", r->state < 0 ? NULL : smpp_message_state_name(r->state)),
        KV_S("reason", r->reason));
    if (w)
        plan(w, k);
    int err = is_news(r) ? note(q, r) : 0;
    if (err)
        LOG(LOG_LV_WARN, q->pin_id, "query_not_noted", KV_S("carrier", q->carrier),
            KV_S("reason", err_text(err)));
    if (err || !is_news(r))
        free(q);
}

static struct question *question_of(const struct watched *w)
{
    struct question *q = malloc(sizeof *q);
    if (!q)
        return NULL;
    *q = (struct question){.all = w->all,
                           .to = w->to,
                           .attempt = w->attempt,
                           .segment = w->segment,
                           .segments = w->segments};
    str_copy(q->pin_id, sizeof q->pin_id, w->pin_id);
    str_copy(q->carrier, sizeof q->carrier, w->carrier);
    str_copy(q->message_id, sizeof q->message_id, w->message_id);
    return q;
}

/* Its answer plans the next one. */
static void ask(struct watched *w, const struct config_carrier *k)
{
    const struct smpp_message_ref m = {.message_id = w->message_id, .source = w->source};
    struct smpp_carrier *c = carriers_find(w->all->carriers, w->carrier);
    struct question *q = question_of(w);
    int err = !q ? ERR_NOMEM : c ? smpp_query(c, &m, query_cb, q) : ERR_UNAVAILABLE;
    w->tries++;
    if (!err) {
        sleep_until(w, w->over);
        return;
    }
    LOG(LOG_LV_INFO, w->pin_id, "query", KV_S("carrier", w->carrier), KV_I("attempt", w->attempt),
        KV_S("message_id", w->message_id), KV_S("outcome", "NOT_SENT"),
        KV_S("reason", err_text(err)));
    free(q);
    plan(w, k);
}

static void due_cb(evutil_socket_t fd, short what, void *arg)
{
    struct watched *w = arg;
    const struct config_carrier *k = carriers_config(w->all->carriers, w->carrier);
    (void)fd;
    (void)what;
    if (!k || mono_is_past(w->over, mono_now()))
        forget(w);
    else if (k->query_after_s && w->tries < TRIES)
        ask(w, k);
    else /* a reload took query_after_s away */
        sleep_until(w, w->over);
}

/* --- withdrawing --- */

struct withdrawal {
    char pin_id[PIN_ID_SIZE];
    char carrier[PIN_CARRIER_SIZE];
    char message_id[ID_SIZE];
};

static void log_withdrawal(const struct withdrawal *d, const char *outcome, const char *reason)
{
    LOG(LOG_LV_INFO, d->pin_id, "cancel", KV_S("carrier", d->carrier),
        KV_S("message_id", d->message_id), KV_S("outcome", outcome), KV_S("reason", reason));
}

static void withdrawn_cb(void *arg, const struct smpp_ask_result *r)
{
    struct withdrawal *d = arg;
    log_withdrawal(d, smpp_ask_outcome_name(r->outcome), r->reason);
    free(d);
}

static void withdraw(struct overdue *o, const struct withdrawal *what, const char *source,
                     const struct msisdn *to)
{
    const struct smpp_message_ref m = {
        .message_id = what->message_id, .source = source, .destination = to->digits};
    struct smpp_carrier *c = carriers_find(o->carriers, what->carrier);
    struct withdrawal *d = malloc(sizeof *d);
    if (d)
        *d = *what;
    int err = !d ? ERR_NOMEM : c ? smpp_cancel(c, &m, withdrawn_cb, d) : ERR_UNAVAILABLE;
    if (!err)
        return;
    log_withdrawal(what, "NOT_SENT", err_text(err));
    free(d);
}

static bool allows_cancel(const struct overdue *o, const char *carrier)
{
    const struct config_carrier *k = carriers_config(o->carriers, carrier);
    return k && k->cancel;
}

static void withdraw_watched(struct watched *w)
{
    struct withdrawal d = {0};
    if (w->is_withdrawn || !allows_cancel(w->all, w->carrier))
        return;
    w->is_withdrawn = true;
    str_copy(d.pin_id, sizeof d.pin_id, w->pin_id);
    str_copy(d.carrier, sizeof d.carrier, w->carrier);
    str_copy(d.message_id, sizeof d.message_id, w->message_id);
    withdraw(w->all, &d, w->source, &w->to);
}

/* Against what was sent: below 0 an older message of the same application to the same number, above
 * 0 a newer one, 0 neither.  Responses may be late, so the order of the calls says nothing. */
static int compare(const struct watched *w, const struct pin_sent *s, struct mono opened)
{
    if (strcmp(w->to.digits, s->owner.msisdn->digits) != 0 ||
        strcmp(w->app_id, s->owner.app_id) != 0)
        return 0;
    if (strcmp(w->pin_id, s->pin_id) == 0)
        return (int)w->attempt - (int)s->attempt;
    return w->opened.us <= opened.us ? -1 : 1;
}

/* True: there is a newer one. */
static bool withdraw_older(struct overdue *o, const struct pin_sent *s, struct mono opened)
{
    bool has_newer = false;
    for (struct watched *w = *bucket_of(o, s->owner.msisdn); w; w = w->after) {
        int order = compare(w, s, opened);
        if (order < 0)
            withdraw_watched(w);
        has_newer |= order > 0;
    }
    return has_newer;
}

/* --- of a PIN that was cancelled: what is known here, and what its record knows besides --- */

/* The sender stands first in what is sealed, "" for the carrier's. */
static void read_source(const struct overdue *o, const struct pin_record *r, char *out, size_t size)
{
    uint8_t plain[PIN_SEAL_MAX];
    size_t len = 0;
    out[0] = '\0';
    if (pin_unseal(o->env.ring, r->pin_id, r->sealed, r->sealed_len, plain, sizeof plain, &len) ==
            0 &&
        memchr(plain, 0, len))
        str_copy(out, size, (const char *)plain);
    secret_wipe(plain, sizeof plain);
}

static void withdraw_attempt(struct overdue *o, const struct pin_record *r, uint32_t i)
{
    const struct pin_attempt *t = &r->attempts[i];
    char source[SOURCE_SIZE];
    struct withdrawal d = {0};
    bool may_come = t->state == PIN_ATT_ACCEPTED || t->state == PIN_ATT_ENROUTE ||
                    t->state == PIN_ATT_SCHEDULED;
    if (!may_come || !t->message_id[0] || !allows_cancel(o, t->carrier) ||
        find(o, &r->msisdn, r->pin_id, i + 1, NULL) ||
        !str_copy(d.message_id, sizeof d.message_id, t->message_id))
        return;
    str_copy(d.pin_id, sizeof d.pin_id, r->pin_id);
    str_copy(d.carrier, sizeof d.carrier, t->carrier);
    read_source(o, r, source, sizeof source);
    withdraw(o, &d, source[0] ? source : NULL, &r->msisdn);
}

static void record_cb(void *arg, const struct pin_answer *a)
{
    struct overdue *o = arg;
    if (a->result || a->verdict != PIN_OK)
        return;
    const struct pin_record *r = a->record;
    for (uint32_t i = 0; i < r->n_attempts; i++)
        withdraw_attempt(o, r, i);
    for (struct watched *w = *bucket_of(o, &r->msisdn); w; w = w->after)
        if (strcmp(w->pin_id, r->pin_id) == 0)
            withdraw_watched(w);
}

static bool may_withdraw(struct overdue *o)
{
    for (size_t i = 0; i < carriers_count(o->carriers); i++)
        if (allows_cancel(o, smpp_carrier_name(carriers_at(o->carriers, i))))
            return true;
    return false;
}

void overdue_cancelled(struct overdue *o, const char *pin_id)
{
    if (!may_withdraw(o))
        return;
    int err = pin_ledger_status(o->env.ledger, NULL, pin_id, record_cb, o);
    if (err)
        LOG(LOG_LV_WARN, pin_id, "cancel", KV_S("outcome", "NOT_SENT"),
            KV_S("reason", err_text(err)));
}

/* --- watching --- */

static struct watched *watched_new(struct overdue *o, const struct pin_sent *s, const char *source)
{
    struct watched *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->all = o;
    w->to = *s->owner.msisdn;
    w->attempt = s->attempt;
    w->segment = s->segment;
    w->segments = s->segments;
    str_copy(w->pin_id, sizeof w->pin_id, s->pin_id);
    str_copy(w->app_id, sizeof w->app_id, s->owner.app_id);
    str_copy(w->carrier, sizeof w->carrier, s->carrier);
    if (!str_copy_n(w->message_id, ID_SIZE, s->message_id, s->message_id_len) ||
        !str_copy(w->source, sizeof w->source, source)) {
        free(w);
        return NULL;
    }
    evtimer_assign(&w->timer, o->env.base, due_cb, w);
    return w;
}

static void watch(struct overdue *o, struct watched *w)
{
    struct watched **bucket = bucket_of(o, &w->to);
    if (o->info.watched >= o->env.max) {
        forget(o->oldest);
        o->info.dropped++;
    }
    DL_APPEND(o->oldest, w);
    DL_APPEND2(*bucket, w, before, after);
    o->info.watched++;
}

void overdue_sent(struct overdue *o, const struct pin_sent *s, const char *source,
                  struct mono opened, struct mono expires)
{
    const struct config_carrier *k = carriers_config(o->carriers, s->carrier);
    if (s->state != PIN_ATT_ACCEPTED)
        return;
    bool has_newer = withdraw_older(o, s, opened);
    if (!k || !(k->query_after_s || k->cancel) || s->message_id_len == 0)
        return;
    struct watched *w = watched_new(o, s, source[0] ? source : k->source);
    if (!w)
        return;
    w->opened = opened;
    w->over = mono_add_ms(expires, SLACK_MS);
    watch(o, w);
    plan(w, k);
    if (has_newer)
        withdraw_watched(w);
}

void overdue_receipt(struct overdue *o, const struct pin_answer *a)
{
    struct watched *w = a->pin_id[0] ? *bucket_of(o, &a->msisdn) : NULL;
    while (w && !(is_of(w, a->pin_id, a->attempt) && w->segment == a->segment))
        w = w->after;
    if (w)
        forget(w);
}

/* --- life --- */

struct overdue *overdue_new(const struct overdue_env *env)
{
    struct overdue *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->env = *env;
    if (o->env.max == 0)
        o->env.max = WATCHED_MAX;
    return o;
}

void overdue_set_carriers(struct overdue *o, struct carriers *carriers)
{
    o->carriers = carriers;
}

void overdue_free(struct overdue *o)
{
    if (!o)
        return;
    while (o->oldest)
        forget(o->oldest);
    free(o);
}

void overdue_info(const struct overdue *o, struct overdue_info *out)
{
    *out = o->info;
}
