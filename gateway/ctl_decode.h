/*
 * pinbindctl decode: what the gateway makes of a PDU in hex, or of the text of a receipt, as JSON.
 *
 * Octets that are no JSON are written as Latin-1, one character an octet.  A message is shown in
 * hex and as a text only where it is asked for, since it may hold a PIN; a password never.
 */
#ifndef GATEWAY_CTL_DECODE_H
#define GATEWAY_CTL_DECODE_H

#include "smpp/smpp.h"

#include <stdio.h>

struct ctl_decode {
    bool is_receipt; /* else a PDU */
    bool with_text;
    bool is_compact;             /* one line instead of several */
    int32_t utc_offset_min;      /* time zone of the dates in receipts */
    enum smpp_alphabet alphabet; /* what data_coding 0 means in a text that is shown */
};

/* One item, written to out: 0; ERR_INVALID with the reason in why: it cannot be read at all. */
int ctl_decode_item(const struct ctl_decode *d, struct smpp_str item, FILE *out, char why[80])
    __attribute__((warn_unused_result));

/* One item a line, one line of JSON each: 0; ERR_INVALID: for some of them it is {"line", "error"};
 * ERR_IO: in or out failed. */
int ctl_decode_lines(const struct ctl_decode *d, FILE *in, FILE *out)
    __attribute__((warn_unused_result));

#endif
