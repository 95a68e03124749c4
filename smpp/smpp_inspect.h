/*
 * What the library makes of octets, told to a person: the framing, decoding and reading of
 * receipts of a bind, and what a bind that is BOUND would answer, without a bind.
 *
 * Total on every input and bounded; nothing is allocated.  Views point into the octets that were
 * given; err of a receipt may be in a static buffer: until the next call.  Passwords are left out.
 */
#ifndef SMPP_SMPP_INSPECT_H
#define SMPP_SMPP_INSPECT_H

#include "smpp/smpp.h"

enum smpp_verdict {
    SMPP_VERDICT_OK,
    SMPP_VERDICT_LENIENT,         /* usable in spite of a defect */
    SMPP_VERDICT_UNKNOWN_COMMAND, /* a whole PDU; only its header is understood */
    SMPP_VERDICT_MALFORMED,       /* a whole PDU; mandatory fields are unusable */
    SMPP_VERDICT_INCOMPLETE,      /* more octets are needed */
    SMPP_VERDICT_REJECT,          /* framing is lost */
};
const char *smpp_verdict_name(enum smpp_verdict verdict); /* "unknown_command" */

enum smpp_reaction {
    SMPP_REACTION_ANSWER,
    SMPP_REACTION_RECEIPT, /* handed up; answered when the owner has it */
    SMPP_REACTION_MESSAGE, /* handed up; answered when the owner has it */
    SMPP_REACTION_MATCH,   /* looks for the request that this is the answer to */
    SMPP_REACTION_IGNORE,
    SMPP_REACTION_UNBIND, /* answers, and the bind ends */
    SMPP_REACTION_WAIT,   /* for more octets */
    SMPP_REACTION_CLOSE,  /* answers and closes the connection */
};

enum smpp_item_kind {
    SMPP_ITEM_NUMBER,
    SMPP_ITEM_STRING,
    SMPP_ITEM_OCTETS,
    SMPP_ITEM_MESSAGE,   /* what a person reads; it may hold a PIN */
    SMPP_ITEM_SECRET,    /* left out */
    SMPP_ITEM_DESTS,     /* for smpp_inspect_address() */
    SMPP_ITEM_UNSUCCESS, /* for smpp_inspect_address() */
};

/* A mandatory field or a TLV. */
struct smpp_item {
    const char *name; /* NULL: a tag that is not of SMPP 3.4 or 5.0 */
    enum smpp_item_kind kind;
    uint16_t tag;    /* of a TLV */
    uint32_t number; /* of SMPP_ITEM_NUMBER */
    struct smpp_str value;
};

#define SMPP_INSPECT_FIELDS_MAX 40
#define SMPP_INSPECT_TLVS_MAX   48

struct smpp_inspection {
    enum smpp_verdict verdict;
    const char *reason; /* of every verdict but OK: static text */
    size_t consumed;    /* octets of the PDU; 0 where it is not whole */
    size_t need;        /* of INCOMPLETE: octets in all, as far as known */

    unsigned header_words; /* how many of these four were there */
    uint32_t command_length, command_id, command_status, sequence_number;
    const char *status_text; /* what command_status means */

    enum smpp_reaction reaction;
    bool is_answered; /* by a header, and an empty message_id where one belongs */
    uint32_t answer_id, answer_status, answer_sequence;

    size_t n_fields, n_tlvs;
    struct smpp_item fields[SMPP_INSPECT_FIELDS_MAX]; /* in wire order */
    struct smpp_item tlvs[SMPP_INSPECT_TLVS_MAX];     /* in wire order */
    uint16_t tlvs_left_out;                           /* there were more */
    struct smpp_str body;                             /* of UNKNOWN_COMMAND */

    bool has_udh; /* a user data header stands before the message */
    uint8_t data_coding;
    struct smpp_receipt receipt; /* of SMPP_REACTION_RECEIPT */
};

void smpp_inspect(const uint8_t *p, size_t len, int32_t receipt_utc_offset_min,
                  struct smpp_inspection *out);

/* The text of a delivery receipt alone; false: neither an id nor a stat is in it. */
bool smpp_inspect_receipt(const char *text, size_t len, int32_t receipt_utc_offset_min,
                          struct smpp_receipt *out);

/* dest_address (4.5.1.1) or unsuccess_sme (4.5.2.1). */
struct smpp_address_item {
    bool is_list_name; /* of a distribution list: no ton and npi */
    uint8_t ton, npi;
    struct smpp_str address;
    uint32_t error_status; /* of unsuccess_sme */
};
/* The address that begins at octet *at of the field, and *at behind it; false: no more. */
bool smpp_inspect_address(const struct smpp_item *field, size_t *at, struct smpp_address_item *out);

/* A message as UTF-8 with a NUL, without its user data header; 4 * value.len + 1 octets are enough.
 * Returns the length. */
size_t smpp_inspect_text(const struct smpp_inspection *in, const struct smpp_item *message,
                         enum smpp_alphabet alphabet, char *out, size_t size);

#endif
