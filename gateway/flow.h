/*
 * The PIN flow: from "send a PIN to this number" to one answer.  The way is a table of states and
 * events in flow_table.c; this is what a front door sees of it.
 *
 * A flow checks the application and its template, counts the windows, draws the PIN, writes the
 * record with attempt 1 pending (the journal), submits, and goes on to the next carrier when one
 * refuses for a reason of the route.  An outcome that is unknown is never submitted again.  The
 * caller is answered once: when an operator has accepted or refused, or at the send deadline; the
 * flow itself may live longer, until the fate of its submit is recorded.
 *
 * flows_new() keeps what env names; flows_free() answers what is open with UNAVAILABLE.
 */
#ifndef GATEWAY_FLOW_H
#define GATEWAY_FLOW_H

#include "gateway/answer.h"
#include "pin/pin.h"

struct event_base;
struct reap;
struct config;
struct carriers;
struct flows;
struct overdue;
struct pin_keyring;
struct pin_ledger;
struct pin_registry;
struct smpp_result;

struct flow_env {
    struct event_base *base;
    struct reap *reap;
    struct pin_keyring *ring;
    struct pin_registry *registry;
    struct pin_ledger *ledger;
    struct overdue *overdue;
    struct carriers *carriers;   /* may be set later with flows_set_carriers() */
    const struct config *config; /* of new flows; counted, see flows_reload() */
};

struct flows *flows_new(const struct flow_env *env) __attribute__((warn_unused_result));
void flows_set_carriers(struct flows *fs, struct carriers *carriers);
/* New flows go by the fresh configuration; open ones end under the one that they began with. */
void flows_reload(struct flows *fs, const struct config *fresh);
/* No new sends from here; cb once when no flow is left (perhaps inside the call). */
void flows_drain(struct flows *fs, void (*cb)(void *arg), void *arg);
void flows_free(struct flows *fs);

/* Strings are copied. */
struct flow_send {
    const char *account;
    const char *app_id;
    const char *template_id;
    const char *to;
    const char *from; /* NULL: the template's sender, else the carrier's */
    bool nc_needed;
    bool track_delivery;
    const struct pin_placeholder *placeholders;
    size_t n_placeholders; /* at most PIN_PLACEHOLDERS_MAX */
};
struct flow_resend {
    const char *account;
    const char *pin_id;
    bool track_delivery;
    const struct pin_placeholder *placeholders; /* instead of those of the send */
    size_t n_placeholders;
};
/* cb exactly once; inside the call when the request itself is wrong. */
void flow_send(struct flows *fs, const struct flow_send *send, answer_cb cb, void *arg);
void flow_resend(struct flows *fs, const struct flow_resend *resend, answer_cb cb, void *arg);

/* For carriers_env.late_cb: a submit_sm_resp after the submit was given up. */
void flow_late(void *unused, void *submit_arg, const struct smpp_result *result);

struct flows_info {
    uint32_t open;
    uint64_t started, sent, not_sent, in_doubt, refused, unavailable;
};
void flows_info(const struct flows *fs, struct flows_info *out);

#endif
