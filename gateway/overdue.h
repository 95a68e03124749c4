/*
 * What this process sent and an operator accepted, until its final receipt comes: what has waited
 * query_after_s for it is asked for (query_sm), and what is no longer wanted is withdrawn
 * (cancel_sm), each where the carrier's section says so.
 *
 * A message is asked for three times at most: query_after_s after it was accepted, then after twice
 * and after four times as long, and no later than a minute after the life of its PIN.  What the
 * operator says goes to the ledger as a receipt would.  A withdrawal changes nothing in the ledger:
 * the operator's receipt does.
 *
 * All of it is in memory: at the bound the oldest is forgotten, at a restart everything.  The
 * ledger and then the carriers end before it.
 */
#ifndef GATEWAY_OVERDUE_H
#define GATEWAY_OVERDUE_H

#include "base/clock.h"

#include <stdint.h>

struct carriers;
struct event_base;
struct overdue;
struct pin_answer;
struct pin_keyring;
struct pin_ledger;
struct pin_sent;

struct overdue_env {
    struct event_base *base;
    struct pin_ledger *ledger;
    struct pin_keyring *ring;
    uint32_t max; /* messages, default 20000 */
};

struct overdue *overdue_new(const struct overdue_env *env) __attribute__((warn_unused_result));
/* Before the first message. */
void overdue_set_carriers(struct overdue *o, struct carriers *carriers);
void overdue_free(struct overdue *o);

/* What is about to be recorded; of interest when it was accepted.  source: "" for the carrier's;
 * opened, expires: beginning and end of the PIN's life.  Withdraws the older messages of the same
 * application to the same number. */
void overdue_sent(struct overdue *o, const struct pin_sent *sent, const char *source,
                  struct mono opened, struct mono expires);
/* The ledger's answer to a final receipt. */
void overdue_receipt(struct overdue *o, const struct pin_answer *a);
/* Its application cancelled the PIN: withdraws its messages, also those that another process sent.
 */
void overdue_cancelled(struct overdue *o, const char *pin_id);

struct overdue_info {
    uint32_t watched;
    uint64_t dropped; /* at the bound */
};
void overdue_info(const struct overdue *o, struct overdue_info *out);

#endif
