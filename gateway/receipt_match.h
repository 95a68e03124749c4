/*
 * By what a receipt finds the message that it is about: receipt_match of the carrier.
 *
 * By its id, as a rule.  Where ids do not say it, user_message_reference does (SMPP 3.4, 5.3.2.17)
 * together with the number, or the number alone: then the carrier's newest message to that number
 * is meant, so a receipt that comes late, or before the answer to its submit, counts for another
 * message when there is one to the same number.
 *
 * Of a reference the lower octet counts, because there are SMSCs that keep no more of it
 * (osmo-msc).  With the number beside it that is enough; of two that are alike the newest is meant.
 */
#ifndef GATEWAY_RECEIPT_MATCH_H
#define GATEWAY_RECEIPT_MATCH_H

#include "pin/ledger.h"

struct config_carrier;
struct smpp_receipt;

struct receipt_match { /* stays where it is: id may stand in own */
    enum pin_id_mode mode;
    const char *id; /* NULL: no other than the message's id */
    size_t len;
    char own[16];
};

/* By what a receipt will find a submit with this user_message_reference (-1: it has none). */
void receipt_match_submit(const struct config_carrier *k, int32_t reference,
                          struct receipt_match *out);
/* false: the receipt bears nothing to find a message by. */
bool receipt_match_receipt(const struct config_carrier *k, const struct smpp_receipt *r,
                           struct receipt_match *out) __attribute__((warn_unused_result));

#endif
