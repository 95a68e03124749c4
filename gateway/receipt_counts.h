/*
 * Receipts by carrier, word of stat: and error code, counted as they come, for /metrics.  A row
 * each, as many as a metric may have series: what comes when there are so many is counted in one
 * whose labels are all "other", so that no operator can fill the memory.  Words come from tables,
 * and codes are short and of safe characters, or "other".  Plain numbers of the process, touched
 * from the event loop only.
 */
#ifndef GATEWAY_RECEIPT_COUNTS_H
#define GATEWAY_RECEIPT_COUNTS_H

#include "smpp/smpp.h"

struct receipt_count {
    char carrier[36];
    char stat[SMPP_STAT_MAX + 1], err[SMPP_ERR_MAX + 1];
    uint64_t n;
};

void receipt_counts_add(const char *carrier, const struct smpp_receipt *r);
const struct receipt_count *receipt_counts(size_t *n);

#endif
