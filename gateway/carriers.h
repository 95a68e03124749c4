/*
 * The carriers of the configuration as running SMPP accounts, and the way of a receipt from them
 * to the ledger: it is acknowledged to the operator only when the ledger has recorded or parked
 * it; when the store does not answer in time the operator is asked to keep it (ESME_RX_T_APPN).
 *
 * Owns the struct smpp_carrier objects.  Submits go straight to smpp_submit() on what
 * carriers_find() returns; that pointer is not kept beyond the call.
 *
 * At a reload a carrier whose keys are all the same is not touched, and one that needs no new bind
 * for what changed goes on with it (config_carrier_compare()).  Any other one drains: it takes no
 * more submits, its window empties, it unbinds; what has its name in the new configuration binds
 * when it is closed, because operators allow an account only so many binds.  That takes no longer
 * than smpp_carrier_drain() says.  Until then it stands in carriers_at(), and its receipts are
 * taken.
 */
#ifndef GATEWAY_CARRIERS_H
#define GATEWAY_CARRIERS_H

#include "smpp/smpp.h"

struct config;
struct config_carrier;
struct mo;
struct pin_answer;
struct pin_ledger;
struct carriers;

struct carriers_env {
    struct event_base *base;
    struct reap *reap;
    struct evdns_base *dns;
    struct pin_ledger *ledger;
    struct mo *mo;               /* gets the messages from handsets */
    const struct config *config; /* the first one; counted */
    void *arg;
    /* The answer to a submit that was given up; submit_arg is that of smpp_submit(). */
    void (*late_cb)(void *arg, void *submit_arg, const struct smpp_result *result);
    /* The ledger's answer to a final receipt. */
    void (*final_cb)(void *arg, const struct pin_answer *answer);
};

/* Starts every bind.  NULL: out of memory, or a carrier's options are refused (logged). */
struct carriers *carriers_new(const struct carriers_env *env, char *why, size_t why_size)
    __attribute__((warn_unused_result));
void carriers_free(struct carriers *cs);

struct carriers_changes { /* names, "acme, other" */
    char added[1024], changed[1024], rebound[1024], removed[1024];
};
/* Build, then swap: prepare makes all that can fail; then either reload, which cannot, or cancel,
 * in the same turn of the loop. */
int carriers_prepare(struct carriers *cs, const struct config *fresh, char *why, size_t why_size)
    __attribute__((warn_unused_result));
void carriers_cancel(struct carriers *cs);
void carriers_reload(struct carriers *cs, struct carriers_changes *out);

/* NULL: no carrier of that name. */
struct smpp_carrier *carriers_find(struct carriers *cs, const char *name);
/* What it goes by, during the call; NULL: no carrier of that name. */
const struct config_carrier *carriers_config(const struct carriers *cs, const char *name);
size_t carriers_count(const struct carriers *cs);
struct smpp_carrier *carriers_at(struct carriers *cs, size_t i);

struct carriers_info {
    uint32_t receipts_open;     /* in the ledger's hands */
    uint64_t receipts_deferred; /* the operator was asked to keep them */
    uint64_t receipts_without_id, mobile_originated;
};
void carriers_info(const struct carriers *cs, struct carriers_info *out);

/* No carrier that waits for an earlier one to close binds any more.  No reload after it. */
void carriers_stop_waiting(struct carriers *cs);
/* Unbinds all; cb once, when the last one is closed, perhaps inside the call. */
void carriers_drain(struct carriers *cs, void (*cb)(void *arg), void *arg);

#endif
