/*
 * Delivery receipts: from deliver_sm or data_sm to struct smpp_receipt (smpp.h).
 *
 * The text (SMPP 3.4 Appendix B) is scanned by key, in any case and order, at a non-letter
 * boundary; every field is optional and no date fails a receipt.  TLVs win over the text field by
 * field; network_error_code is err where the text has none.  Total on every input.  Of the options
 * those of receipts count.  The views point into the PDU, but err may be in a buffer of this file:
 * until the next call.
 */
#ifndef SMPP_SMPP_RECEIPT_H
#define SMPP_SMPP_RECEIPT_H

#include "smpp/smpp_decode.h"

/* Is it a receipt: by esm_class, by its TLVs, or by its text, where that may tell?  Fills *out when
 * so. */
bool smpp_receipt_from_pdu(const struct smpp_pdu *pdu, const struct smpp_carrier_options *o,
                           struct smpp_receipt *out);

/* The text alone; false: not a receipt (neither an id nor a stat is in it).  Fills *out anyway. */
bool smpp_receipt_parse(const char *text, size_t len, const struct smpp_carrier_options *o,
                        struct smpp_receipt *out);

/* Unix ms of n digits as UTC, between 2000 and 2099: those of the year first (two or four), then as
 * much of MMDDhhmmss as there is, to the minute at least; -1: no date. */
int64_t smpp_date_ms(const char *digits, size_t n, size_t year_digits);

#endif
