#include "gateway/carriers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/msisdn.h"
#include "base/result.h"
#include "gateway/config.h"
#include "pin/ledger.h"

#include <stdlib.h>
#include <string.h>

#define ESME_ROK       0x00000000u
#define ESME_RX_T_APPN 0x00000064u /* the operator keeps the message and sends it again */

/* Receipts on their way to the ledger, over all carriers; at the bound the operator is asked to
 * keep them. */
#define RECEIPTS_MAX    10000
#define RECEIPT_HOLD_MS 5000
#define DATE_GRAIN_MS   120000

struct carrier {
    struct carriers *all;
    const struct config_carrier *config;
    struct smpp_carrier *smpp;
};

struct carriers {
    struct carriers_env env;
    struct carrier *list;
    size_t n;
    struct carriers_info info;
    size_t draining;
    void (*drained_cb)(void *arg);
    void *drained_arg;
};

/* A receipt in the ledger's hands: what its answer needs. */
struct pending_receipt {
    struct carrier *carrier; /* lives as long as the carriers; the ledger ends before them */
    struct smpp_delivery handle;
};

static void receipt_done_cb(void *arg, const struct pin_answer *a)
{
    struct pending_receipt *p = arg;
    struct carrier *c = p->carrier;
    c->all->info.receipts_open--;
    c->all->info.receipts_deferred += a->result != 0;
    LOG(a->result ? LOG_LV_WARN : LOG_LV_INFO, a->pin_id[0] ? a->pin_id : NULL, "receipt",
        KV_S("carrier", c->config->name), KV_S("result", err_name(a->result)),
        KV_S("verdict", a->result ? NULL : pin_verdict_name(a->verdict)));
    if (c->smpp)
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
        .id_mode = (enum pin_id_mode)c->config->message_id,
        .message_id = r->id.p,
        .message_id_len = r->id.len,
        .msisdn = from,
        .state = r->state < 0 ? PIN_ATT_UNKNOWN : (enum pin_attempt_state)r->state,
        .final = r->final,
        .err = r->err.p,
        .err_len = r->err.len,
        .done_ms = done_at(r->done_ms),
        .hold_ms = RECEIPT_HOLD_MS,
    };
}

static int hand_to_ledger(struct carrier *c, const struct smpp_receipt *r,
                          struct smpp_delivery handle)
{
    struct msisdn from;
    bool named = !msisdn_parse(r->source_addr.p ? r->source_addr.p : "", r->source_addr.len, &from);
    struct pin_receipt receipt;
    struct pending_receipt *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = (struct pending_receipt){c, handle};
    fill_receipt(c, r, named ? &from : NULL, &receipt);
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
    if (!r->id.len) {
        /* nothing to match it by: an error answer would only bring it again */
        LOG(LOG_LV_WARN, c->config->name, "receipt_without_id",
            KV_SN("stat", r->stat.p ? r->stat.p : "", r->stat.len));
        c->all->info.receipts_without_id++;
        smpp_delivery_done(smpp, handle, ESME_ROK);
        return;
    }
    int err = c->all->info.receipts_open >= RECEIPTS_MAX ? ERR_FULL : hand_to_ledger(c, r, handle);
    if (!err)
        return;
    c->all->info.receipts_deferred++;
    LOG(LOG_LV_WARN, c->config->name, "receipt_deferred", KV_S("reason", err_name(err)));
    smpp_delivery_done(smpp, handle, ESME_RX_T_APPN);
}

/* Messages from handsets have no reader yet: taken from the operator, counted in the log, dropped.
 */
static void mo_cb(void *arg, struct smpp_carrier *smpp, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    struct carrier *c = arg;
    c->all->info.mobile_originated++;
    LOG(LOG_LV_INFO, c->config->name, "mo", KV_I("octets", mo->octets.len),
        KV_I("data_coding", mo->data_coding));
    smpp_delivery_done(smpp, handle, ESME_ROK);
}

static void late_cb(void *arg, struct smpp_carrier *smpp, void *submit_arg,
                    const struct smpp_result *result)
{
    struct carrier *c = arg;
    (void)smpp;
    if (c->all->env.late_cb)
        c->all->env.late_cb(c->all->env.arg, submit_arg, result);
}

static void fill_options(const struct config_carrier *k, struct smpp_carrier_options *o)
{
    *o = (struct smpp_carrier_options){
        .name = k->name,
        .hosts = k->hosts,
        .n_hosts = k->n_hosts,
        .port = (uint16_t)k->port,
        .local_address = k->local_address[0] ? k->local_address : NULL,
        .system_id = k->system_id,
        .password = &k->password,
        .system_type = k->system_type,
        .binds = k->binds,
        .window = k->window,
        .max_queue = k->max_queue,
        .enquire_link_ms = k->enquire_link_s * 1000,
        .response_timeout_ms = k->response_timeout_s * 1000,
        .connect_timeout_ms = k->connect_timeout_ms,
        .bind_timeout_ms = k->bind_timeout_ms,
        .backoff_min_ms = k->backoff_min_ms,
        .backoff_max_ms = k->backoff_max_ms,
        .backoff_credentials_ms = k->backoff_credentials_s * 1000,
        .backoff_bound_min_ms = k->backoff_bound_s * 1000,
        .throttle_ms = k->throttle_ms,
        .source = k->source,
        .source_ton = k->source_ton,
        .source_npi = k->source_npi,
        .dest_ton = (uint8_t)k->dest_ton,
        .dest_npi = (uint8_t)k->dest_npi,
        .service_type = k->service_type,
        .alphabet = (enum smpp_alphabet)k->default_alphabet,
        .validity = (enum smpp_validity)k->validity,
        .registered_delivery = (uint8_t)k->registered_delivery,
        .receipt_utc_offset_min = k->receipt_utc_offset_min,
        .receipt_without_esm_class = k->receipt_without_esm_class,
    };
}

static int start_carrier(struct carriers *cs, struct carrier *c, const struct config_carrier *k)
{
    struct smpp_carrier_options options;
    struct smpp_events events = {
        .arg = c, .receipt_cb = receipt_cb, .mo_cb = mo_cb, .late_cb = late_cb};
    c->all = cs;
    c->config = k;
    fill_options(k, &options);
    c->smpp = smpp_carrier_new(cs->env.base, cs->env.reap, cs->env.dns, &options, &events);
    return c->smpp ? 0 : ERR_INVALID;
}

struct carriers *carriers_new(const struct carriers_env *env)
{
    struct carriers *cs = calloc(1, sizeof *cs);
    if (!cs)
        return NULL;
    cs->env = *env;
    cs->list = calloc(env->config->n_carriers, sizeof *cs->list);
    if (!cs->list)
        goto out;
    for (; cs->n < env->config->n_carriers; cs->n++)
        if (start_carrier(cs, &cs->list[cs->n], &env->config->carriers[cs->n]))
            goto out;
    return cs;
out:
    carriers_free(cs);
    return NULL;
}

void carriers_free(struct carriers *cs)
{
    if (!cs)
        return;
    for (size_t i = 0; i < cs->n; i++) {
        struct smpp_carrier *smpp = cs->list[i].smpp;
        cs->list[i].smpp = NULL;
        smpp_carrier_free(smpp);
    }
    free(cs->list);
    free(cs);
}

static struct carrier *find(const struct carriers *cs, const char *name)
{
    for (size_t i = 0; i < cs->n; i++)
        if (strcmp(cs->list[i].config->name, name) == 0)
            return &cs->list[i];
    return NULL;
}

struct smpp_carrier *carriers_find(struct carriers *cs, const char *name)
{
    struct carrier *c = find(cs, name);
    return c ? c->smpp : NULL;
}

const struct config_carrier *carriers_config(const struct carriers *cs, const char *name)
{
    struct carrier *c = find(cs, name);
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
    return cs->list[i].smpp;
}

static void one_drained_cb(void *arg)
{
    struct carriers *cs = arg;
    if (--cs->draining == 0)
        cs->drained_cb(cs->drained_arg);
}

void carriers_drain(struct carriers *cs, void (*cb)(void *arg), void *arg)
{
    cs->drained_cb = cb;
    cs->drained_arg = arg;
    cs->draining = cs->n;
    for (size_t i = 0; i < cs->n; i++)
        smpp_carrier_drain(cs->list[i].smpp, one_drained_cb, cs);
}
