/*
 * A taken message until its end: delivered or not, and its receipt acknowledged or given up.
 *
 * Receipts go to a bind of the same system_id that can receive, each such bind in turn.  Without
 * one, or while all windows are full, they wait in order (--receipt-keep-s).  A receipt answered
 * with a temporary error, or not at all, is repeated with doubling pauses up to --receipt-tries
 * times; one that was under way when its connection ended is sent again through another.
 */
#ifndef TESTS_SIM_RECEIPT_H
#define TESTS_SIM_RECEIPT_H

#include <stdint.h>

struct conn;
struct msg;
struct smsc;

/* Delivery delay_ms from now; 0 with the fault receipt-first: at once. */
void receipt_start(struct smsc *s, struct msg *m, int64_t delay_ms);
/* The message ends without a receipt. */
void receipt_cancel(struct smsc *s, struct msg *m);
/* deliver_sm_resp, data_sm_resp or generic_nack. */
void receipt_answered(struct conn *c, uint32_t seq, uint32_t status);
/* The bind ended: what was under way waits again. */
void receipt_conn_gone(struct conn *c);
/* Sends what waits and can leave now: at the end of each turn. */
void receipt_pump(struct smsc *s);
/* Once a second: what has waited too long is dropped. */
void receipt_second(struct smsc *s);

#endif
