/*
 * What a front door can ask of a PIN that exists: verify, status, cancel.  cb exactly once, later
 * from the event loop, or inside the call when the request itself is wrong.
 */
#ifndef GATEWAY_PINS_H
#define GATEWAY_PINS_H

#include "gateway/answer.h"

struct carriers;
struct overdue;
struct pin_ledger;
struct pin_record;

/* A wrong PIN is an answer, not an error.  The typed octets are the caller's to wipe. */
void pins_verify(struct pin_ledger *l, const char *account, const char *pin_id, const char *typed,
                 size_t typed_len, answer_cb cb, void *arg);
/* carriers: their tables say what the errors of receipts mean. */
void pins_status(struct pin_ledger *l, struct carriers *carriers, const char *account,
                 const char *pin_id, answer_cb cb, void *arg);
/* A list: status, description and finalStatus of each SMS (version 1 of the HTTP API). */
void pins_messages(struct pin_ledger *l, const char *account, const char *pin_id, answer_cb cb,
                   void *arg);
/* Its messages are withdrawn as well, where their carriers allow that. */
void pins_cancel(struct pin_ledger *l, struct overdue *overdue, const char *account,
                 const char *pin_id, answer_cb cb, void *arg);

#endif
