#include "gateway/carriers.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/msisdn.h"
#include "base/result.h"
#include "gateway/carrier_options.h"
#include "gateway/config.h"
#include "gateway/mo.h"
#include "gateway/receipt_counts.h"
#include "gateway/receipt_match.h"
#include "pin/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESME_ROK       0x00000000u
#define ESME_RX_T_APPN 0x00000064u /* the operator keeps the message and sends it again */

/* Receipts on their way to the ledger, over all carriers; at the bound the operator is asked to
 * keep them. */
#define RECEIPTS_MAX    10000
#define RECEIPT_HOLD_MS 5000
#define DATE_GRAIN_MS   120000

/* Carriers that a reload took away and that are not closed yet; then a reload is refused. */
#define LEAVING_MAX 256

/* What a reload does with a carrier; names for the log. */
enum step { KEEP, ADD, UPDATE, REBIND_IT, REMOVE };
static const char *const step_names[] = {"kept", "added", "changed", "rebound", "removed"};

/* One name: what runs under it now, and what will once that is closed. */
struct carrier {
    struct carriers *all;
    const struct config *snapshot;       /* counted: config stands in it */
    const struct config_carrier *config; /* that smpp goes by */
    struct smpp_carrier *smpp;
    /* Operators allow an account only so many binds: held until smpp is closed.  Goes by
     * all->env.config.  NULL: none, and a carrier that is leaving goes for good. */
    struct smpp_carrier *successor;
    bool is_leaving; /* smpp drains */
    /* Between carriers_prepare() and carriers_reload(): */
    enum step step;
    struct smpp_carrier *made;
};

struct carriers {
    struct carriers_env env; /* config is counted; NULL before the first one */
    struct carrier **list;
    size_t n;
    struct carriers_info info;
    void (*drained_cb)(void *arg);
    void *drained_arg;
    struct { /* by carriers_prepare(); config NULL: nothing is prepared */
        const struct config *config;
        struct carrier **list; /* those of the configuration first, then those that leave */
        size_t n;
    } next;
};

static struct carrier *find(const struct carriers *cs, const char *name)
{
    for (size_t i = 0; i < cs->n; i++)
        if (strcmp(cs->list[i]->config->name, name) == 0)
            return cs->list[i];
    return NULL;
}

/* --- receipts -------------------------------------------------------------------------------- */

/* A receipt in the ledger's hands: what its answer needs.  By name: its carrier may be gone by
 * then, and a handle does nothing on another connection. */
struct pending_receipt {
    struct carriers *all; /* the ledger ends before them */
    char carrier[PIN_CARRIER_SIZE];
    enum pin_attempt_state state;
    bool final;
    struct smpp_delivery handle;
    /* As the operator wrote them, and what they mean there; for the log. */
    bool is_stat_known;
    char stat[SMPP_STAT_MAX + 1], err[SMPP_ERR_MAX + 1];
    enum smpp_error_class err_class;
    char err_text[SMPP_ERR_TEXT_MAX + 1];
};

static const char *text_or_null(const char *s)
{
    return s[0] ? s : NULL;
}

/* A word that no table has is told where only warnings are. */
static void log_receipt(const struct pending_receipt *p, const struct pin_answer *a)
{
    bool is_fine = a->result == 0 && p->is_stat_known;
    LOG(is_fine ? LOG_LV_INFO : LOG_LV_WARN, text_or_null(a->pin_id), "receipt",
        KV_S("carrier", p->carrier), KV_S("state", pin_attempt_state_name(p->state)),
        KV_S("stat", text_or_null(p->stat)), KV_S("err", text_or_null(p->err)),
        KV_S("err_class", p->err_text[0] ? smpp_error_class_name(p->err_class) : NULL),
        KV_S("err_text", text_or_null(p->err_text)), KV_S("result", err_name(a->result)),
        KV_S("verdict", a->result ? NULL : pin_verdict_name(a->verdict)));
}

static void receipt_done_cb(void *arg, const struct pin_answer *a)
{
    struct pending_receipt *p = arg;
    struct carrier *c = find(p->all, p->carrier);
    p->all->info.receipts_open--;
    p->all->info.receipts_deferred += a->result != 0;
    log_receipt(p, a);
    if (p->final && a->result == 0)
        p->all->env.final_cb(p->all->env.arg, a);
    if (c && c->smpp)
        smpp_delivery_done(c->smpp, p->handle, a->result ? ESME_RX_T_APPN : ESME_ROK);
    free(p);
}

/* The date in most receipts has no seconds: close to now, the arrival itself tells more (-1). */
static int64_t done_at(int64_t done_ms)
{
    int64_t age = wall_ms() - done_ms;
    return done_ms < 0 || (age > -DATE_GRAIN_MS && age < DATE_GRAIN_MS) ? -1 : done_ms;
}

static void fill_receipt(const struct carrier *c, const struct smpp_receipt *r,
                         const struct msisdn *from, struct pin_receipt *out)
{
    *out = (struct pin_receipt){
        .carrier = c->config->name,
        .msisdn = from,
        .state = r->state < 0 ? PIN_ATT_UNKNOWN : (enum pin_attempt_state)r->state,
        .final = r->final,
        .err = r->err.p,
        .err_len = r->err.len,
        .done_ms = done_at(r->done_ms),
        .hold_ms = RECEIPT_HOLD_MS,
    };
}

static void keep_for_log(struct pending_receipt *p, const struct smpp_receipt *r)
{
    p->is_stat_known = r->state_known;
    p->err_class = r->err_class;
    str_copy_n(p->stat, sizeof p->stat, r->stat.p ? r->stat.p : "", r->stat.len);
    str_copy_n(p->err, sizeof p->err, r->err.p ? r->err.p : "", r->err.len);
    str_copy(p->err_text, sizeof p->err_text, r->err_text ? r->err_text : "");
}

static int hand_to_ledger(struct carrier *c, const struct smpp_receipt *r,
                          const struct receipt_match *match, struct smpp_delivery handle)
{
    struct msisdn from;
    bool named = !msisdn_parse(r->source_addr.p ? r->source_addr.p : "", r->source_addr.len, &from);
    struct pin_receipt receipt;
    struct pending_receipt *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = (struct pending_receipt){.all = c->all, .handle = handle};
    str_copy(p->carrier, sizeof p->carrier, c->config->name);
    keep_for_log(p, r);
    fill_receipt(c, r, named ? &from : NULL, &receipt);
    receipt.id_mode = match->mode;
    receipt.message_id = match->id;
    receipt.message_id_len = match->len;
    p->state = receipt.state;
    p->final = receipt.final;
    int err = pin_ledger_receipt(c->all->env.ledger, &receipt, receipt_done_cb, p);
    if (err)
        free(p);
    else
        c->all->info.receipts_open++;
    return err;
}

static void receipt_cb(void *arg, struct smpp_carrier *smpp, const struct smpp_receipt *r,
                       struct smpp_delivery handle)
{
    struct carrier *c = arg;
    struct receipt_match match;
    receipt_counts_add(c->config->name, r);
    if (!receipt_match_receipt(c->config, r, &match)) {
        /* nothing to match it by: an error answer would only bring it again */
        LOG(LOG_LV_WARN, c->config->name, "receipt_without_id",
            KV_SN("stat", r->stat.p ? r->stat.p : "", r->stat.len));
        c->all->info.receipts_without_id++;
        smpp_delivery_done(smpp, handle, ESME_ROK);
        return;
    }
    int err = c->all->info.receipts_open >= RECEIPTS_MAX ? ERR_FULL
                                                         : hand_to_ledger(c, r, &match, handle);
    if (!err)
        return;
    c->all->info.receipts_deferred++;
    LOG(LOG_LV_WARN, c->config->name, "receipt_deferred", KV_S("reason", err_name(err)));
    smpp_delivery_done(smpp, handle, ESME_RX_T_APPN);
}

static void mo_cb(void *arg, struct smpp_carrier *smpp, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    struct carrier *c = arg;
    int err = mo_take(c->all->env.mo, c->config->name, mo);
    c->all->info.mobile_originated += !err;
    if (err)
        LOG(LOG_LV_ERROR, c->config->name, "mo_not_taken", KV_S("reason", err_name(err)));
    smpp_delivery_done(smpp, handle, err ? ESME_RX_T_APPN : ESME_ROK);
}

static void late_cb(void *arg, struct smpp_carrier *smpp, void *submit_arg,
                    const struct smpp_result *result)
{
    struct carrier *c = arg;
    (void)smpp;
    if (c->all->env.late_cb)
        c->all->env.late_cb(c->all->env.arg, submit_arg, result);
}

/* --- life ------------------------------------------------------------------------------------ */

static int make(struct carrier *c, const struct config_carrier *k, struct smpp_carrier **out)
{
    struct carriers_env *e = &c->all->env;
    struct smpp_carrier_options options;
    struct carrier_tables tables;
    struct smpp_events events = {
        .arg = c, .receipt_cb = receipt_cb, .mo_cb = mo_cb, .late_cb = late_cb};
    carrier_options_fill(k, &tables, &options);
    *out = smpp_carrier_new(e->base, e->reap, e->dns, &options, &events);
    return *out ? 0 : ERR_NOMEM; /* what else there may be is logged */
}

static void adopt(struct carrier *c, const struct config *config, const struct config_carrier *k)
{
    config_ref(config);
    config_free(c->snapshot);
    c->snapshot = config;
    c->config = k;
}

static void carrier_free(struct carrier *c)
{
    struct smpp_carrier *smpp = c->smpp;
    c->smpp = NULL; /* what smpp tells at its end is not looked at */
    smpp_carrier_free(smpp);
    smpp_carrier_free(c->successor);
    smpp_carrier_free(c->made);
    config_free(c->snapshot);
    free(c);
}

static void forget(struct carriers *cs, struct carrier *c)
{
    size_t i = 0;
    while (cs->list[i] != c)
        i++;
    memmove(cs->list + i, cs->list + i + 1, (--cs->n - i) * sizeof *cs->list);
    carrier_free(c);
}

/* The last bind is closed, outside of calls. */
static void closed_cb(void *arg)
{
    struct carrier *c = arg;
    struct carriers *cs = c->all;
    struct smpp_carrier *old = c->smpp;
    if (!old)
        return;
    LOG(LOG_LV_INFO, c->config->name, "carrier_closed");
    if (c->successor) {
        smpp_carrier_inherit(c->successor, old);
        c->smpp = c->successor;
        c->successor = NULL;
        c->is_leaving = false;
        adopt(c, cs->env.config, config_carrier_find(cs->env.config, c->config->name));
        smpp_carrier_free(old);
        smpp_carrier_start(c->smpp);
    } else {
        forget(cs, c);
    }
    if (cs->n == 0 && cs->drained_cb)
        cs->drained_cb(cs->drained_arg);
}

static void leave(struct carrier *c, struct smpp_carrier *successor)
{
    smpp_carrier_free(c->successor);
    c->successor = successor;
    if (c->is_leaving)
        return;
    c->is_leaving = true;
    smpp_carrier_drain(c->smpp, closed_cb, c);
}

/* --- reload: what is to be done with each, made whole ------------------------------------------
 */

void carriers_cancel(struct carriers *cs)
{
    if (!cs->next.config)
        return;
    for (size_t i = 0; i < cs->next.n; i++) {
        struct carrier *c = cs->next.list[i];
        smpp_carrier_free(c->made);
        c->made = NULL;
        if (!c->config) /* it would have been a new one */
            free(c);
    }
    free(cs->next.list);
    config_free(cs->next.config);
    memset(&cs->next, 0, sizeof cs->next);
}

/* The step for one that is there already. */
static enum step step_of(const struct carrier *c, const struct config_carrier *k)
{
    static const enum step steps[] = {
        [CONFIG_SAME] = KEEP, [CONFIG_IN_PLACE] = UPDATE, [CONFIG_REBIND] = REBIND_IT};
    const struct config_carrier *now = c->config;
    if (c->is_leaving)
        now = c->successor ? config_carrier_find(c->all->env.config, c->config->name) : NULL;
    if (!k)
        return now ? REMOVE : KEEP;
    return now ? steps[config_carrier_compare(now, k)] : ADD;
}

static int prepare_step(struct carrier *c, const struct config_carrier *k)
{
    struct smpp_carrier_options options;
    struct carrier_tables tables;
    if (c->step == KEEP || c->step == REMOVE)
        return 0;
    if (c->step != UPDATE || c->is_leaving)
        return make(c, k, &c->made);
    carrier_options_fill(k, &tables, &options);
    return smpp_carrier_prepare(c->smpp, &options);
}

static int prepare_named(struct carriers *cs, const struct config_carrier *k)
{
    struct carrier *c = find(cs, k->name);
    enum step step = c ? step_of(c, k) : ADD;
    if (!c)
        c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->all = cs;
    c->step = step;
    cs->next.list[cs->next.n++] = c;
    return prepare_step(c, k);
}

/* Those that the configuration does not name; ERR_FULL: too many. */
static int prepare_leaving(struct carriers *cs)
{
    size_t named = cs->next.n;
    for (size_t i = 0; i < cs->n; i++) {
        struct carrier *c = cs->list[i];
        if (config_carrier_find(cs->next.config, c->config->name))
            continue;
        c->step = step_of(c, NULL);
        cs->next.list[cs->next.n++] = c;
    }
    return cs->next.n - named > LEAVING_MAX ? ERR_FULL : 0;
}

int carriers_prepare(struct carriers *cs, const struct config *fresh, char *why, size_t why_size)
{
    carriers_cancel(cs);
    snprintf(why, why_size, "out of memory");
    cs->next.list = calloc(cs->n + fresh->n_carriers, sizeof *cs->next.list);
    if (!cs->next.list)
        return ERR_NOMEM;
    cs->next.config = config_ref(fresh);
    int err = 0;
    for (size_t i = 0; i < fresh->n_carriers && !err; i++) {
        err = prepare_named(cs, &fresh->carriers[i]);
        if (err)
            snprintf(why, why_size, "carrier %s cannot be made, see the log line before",
                     fresh->carriers[i].name);
    }
    if (!err && (err = prepare_leaving(cs)))
        snprintf(why, why_size, "%d carriers of earlier reloads are still draining: wait for them",
                 LEAVING_MAX);
    if (err)
        carriers_cancel(cs);
    return err;
}

/* --- reload: the swap ------------------------------------------------------------------------- */

static void take_step(struct carrier *c, const struct config *fresh)
{
    struct smpp_carrier *made = c->made;
    bool is_new = !c->config;
    c->made = NULL;
    if (is_new)
        c->smpp = made;
    else if (c->step == REMOVE || made)
        leave(c, made);
    else if (c->step == UPDATE)
        smpp_carrier_update(c->smpp);
    if (is_new || !c->is_leaving) /* else the old binds end under the old configuration */
        adopt(c, fresh,
              config_carrier_find(fresh, is_new ? smpp_carrier_name(made) : c->config->name));
    if (is_new) {
        mo_add_carrier(c->all->env.mo, c->config->name);
        smpp_carrier_start(c->smpp);
    }
}

static void report(const struct carrier *c, struct carriers_changes *out)
{
    char *const lists[] = {[ADD] = out->added,
                           [UPDATE] = out->changed,
                           [REBIND_IT] = out->rebound,
                           [REMOVE] = out->removed};
    if (c->step == KEEP)
        return;
    LOG(LOG_LV_INFO, c->config->name, "carrier", KV_S("change", step_names[c->step]));
    config_list_add(lists[c->step], sizeof out->added, "", c->config->name);
}

void carriers_reload(struct carriers *cs, struct carriers_changes *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < cs->next.n; i++) {
        take_step(cs->next.list[i], cs->next.config);
        report(cs->next.list[i], out);
    }
    free(cs->list);
    cs->list = cs->next.list;
    cs->n = cs->next.n;
    config_free(cs->env.config);
    cs->env.config = cs->next.config;
    memset(&cs->next, 0, sizeof cs->next);
}

struct carriers *carriers_new(const struct carriers_env *env, char *why, size_t why_size)
{
    struct carriers_changes changes;
    struct carriers *cs = calloc(1, sizeof *cs);
    snprintf(why, why_size, "out of memory");
    if (!cs)
        return NULL;
    cs->env = *env;
    cs->env.config = NULL;
    if (carriers_prepare(cs, env->config, why, why_size)) {
        carriers_free(cs);
        return NULL;
    }
    carriers_reload(cs, &changes);
    return cs;
}

void carriers_free(struct carriers *cs)
{
    if (!cs)
        return;
    carriers_cancel(cs);
    cs->drained_cb = NULL;
    while (cs->n > 0) /* what smpp tells at its end may look for carriers */
        carrier_free(cs->list[--cs->n]);
    free(cs->list);
    config_free(cs->env.config);
    free(cs);
}

/* --- use ---------------------------------------------------------------------------------------
 */

struct smpp_carrier *carriers_find(struct carriers *cs, const char *name)
{
    struct carrier *c = find(cs, name);
    return c ? c->smpp : NULL;
}

const struct config_carrier *carriers_config(const struct carriers *cs, const char *name)
{
    const struct carrier *c = find(cs, name);
    return c ? c->config : NULL;
}

void carriers_info(const struct carriers *cs, struct carriers_info *out)
{
    *out = cs->info;
}

size_t carriers_count(const struct carriers *cs)
{
    return cs->n;
}

struct smpp_carrier *carriers_at(struct carriers *cs, size_t i)
{
    return cs->list[i]->smpp;
}

void carriers_stop_waiting(struct carriers *cs)
{
    for (size_t i = 0; i < cs->n; i++) {
        smpp_carrier_free(cs->list[i]->successor);
        cs->list[i]->successor = NULL;
    }
}

void carriers_drain(struct carriers *cs, void (*cb)(void *arg), void *arg)
{
    cs->drained_cb = cb;
    cs->drained_arg = arg;
    for (size_t i = 0; i < cs->n; i++)
        leave(cs->list[i], NULL);
    if (cs->n == 0) /* those that there were had been leaving, and are closed */
        cb(arg);
}
