/*
 * Message ids of operators: one and the same message may be "33E95179" in the submit_sm_resp and
 * "0870928761" in its receipt.  pin_msgid_forms() says under which forms an id is to be looked
 * for; the first is the one under which this side writes.  Nothing here is a number of the
 * machine: digits are converted at any length.
 *
 * In the mode auto the forms of a response and of its receipt meet whichever base each side uses;
 * `settled` (what 100 matches of one kind have shown, or PIN_ID_AUTO) only leaves out looks that
 * never find anything and never changes under which form a response is written, so gateways that
 * have settled and gateways that have not find each other's ids.
 */
#ifndef PIN_MSGID_H
#define PIN_MSGID_H

#include "pin/ledger.h"

#define PIN_MSGID_FORM_SIZE 320 /* 256 hex digits are at most 309 decimal ones */
#define PIN_MSGID_FORMS     3

enum pin_msgid_side { PIN_MSGID_RESPONSE, PIN_MSGID_RECEIPT };

struct pin_msgid_form {
    char id[PIN_MSGID_FORM_SIZE]; /* octets, may hold a NUL; one follows */
    size_t len;
    /* How the two sides relate when an id is found under this form: PIN_ID_STRING alike,
     * PIN_ID_RESP_HEX_DLR_DEC, PIN_ID_RESP_DEC_DLR_HEX; PIN_ID_AUTO when it tells nothing. */
    enum pin_id_mode kind;
};

struct pin_msgid {
    struct pin_msgid_form form[PIN_MSGID_FORMS];
    size_t n;
};

/* len is 1..256.  settled is looked at in PIN_ID_AUTO only. */
void pin_msgid_forms(const char *id, size_t len, enum pin_msgid_side side, enum pin_id_mode mode,
                     enum pin_id_mode settled, struct pin_msgid *out);

#endif
