/*
 * Messages that come in several parts (deliver_sm and data_sm), put together again: parts bear a
 * user data header with an 8-bit or a 16-bit reference (3GPP TS 23.040, 9.2.3.24.1 and .8) or the
 * sar_ TLVs (SMPP 3.4, 5.3.2.22 to 24).
 *
 * smpp_part_read() says what a PDU is a part of, and smpp_concat_add() keeps a copy of it.
 * smpp_concat_take() hands out each message once: whole when its last part is there, else with what
 * there is of it when it has waited too long, when too many wait or hold too many octets (the
 * oldest goes first), or when a part came that cannot be its own.  There is no timer in here: the
 * owner takes until there is no more after each add, and when smpp_concat_due() says so.  A message
 * that is not in parts goes the same way.  Octets are wiped when they are freed.
 */
#ifndef SMPP_SMPP_CONCAT_H
#define SMPP_SMPP_CONCAT_H

#include "smpp/smpp_decode.h"

#define SMPP_PARTS_MAX         32  /* of one message; a longer one is handed out part by part */
#define SMPP_CONCAT_MAX        256 /* messages that wait for a part */
#define SMPP_CONCAT_OCTETS_MAX (256u << 10) /* in all of them */
#define SMPP_CONCAT_DONE_MAX   256          /* parts of whole messages that are remembered */
#define SMPP_CONCAT_DONE_MS    300000       /* so long */
#define SMPP_ESM_UDHI          0x40 /* in esm_class: a user data header stands before the text */
#define SMPP_MO_ADDRESS_MAX    64   /* octets kept of an address; longer ones are cut */

enum smpp_part_kind { SMPP_PART_ALONE, SMPP_PART_UDH8, SMPP_PART_UDH16, SMPP_PART_SAR };

/* What one PDU carries. */
struct smpp_piece {
    struct smpp_str octets; /* behind the user data header */
    uint8_t data_coding;
    uint8_t udh; /* octets of that header, its length octet too: packed septets count from there */
    bool has_come;
};

/* Views into the PDU. */
struct smpp_part {
    struct smpp_str source, destination;
    uint8_t source_ton, source_npi, destination_ton, destination_npi;
    enum smpp_part_kind kind;
    uint16_t reference;
    uint8_t sequence, total; /* 1 <= sequence <= total; 1 of 1 where it stands alone */
    struct smpp_piece piece;
};

/* Total: a header that makes no sense, or ends beyond the message, makes no part. */
void smpp_part_read(const struct smpp_pdu *pdu, struct smpp_part *out);

/* Octets of the user data header at the beginning, 0: none. */
size_t smpp_udh_size(uint8_t esm_class, struct smpp_str message);

/* A message; its views are its own. */
struct smpp_parts {
    struct smpp_parts *prev, *next;
    struct mono since;      /* its first part came then */
    struct smpp_part first; /* the part that came first; octets are in pieces only */
    char source[SMPP_MO_ADDRESS_MAX + 1], destination[SMPP_MO_ADDRESS_MAX + 1];
    size_t octets;  /* of all pieces */
    uint8_t come;   /* parts that are there; first.total - come are missing */
    bool has_start; /* the part with sequence 1 is there */
    uint8_t n_pieces;
    struct smpp_piece pieces[]; /* in their order */
};

/* A part of a message that was whole: it comes again where its answer was lost with a connection.
 */
struct smpp_done {
    uint64_t digest; /* of all that makes the part; 0: none */
    struct mono at;
};

/* Zero is an empty one. */
struct smpp_concat {
    struct smpp_parts *waiting;                  /* oldest first */
    struct smpp_parts *ready;                    /* to be taken */
    uint32_t n;                                  /* waiting */
    size_t octets;                               /* in those */
    struct smpp_done done[SMPP_CONCAT_DONE_MAX]; /* ring */
    uint32_t done_next;
};

/* A copy is kept; a repetition is ignored, also when its message was whole and is gone.  ERR_NOMEM:
 * it is not kept. */
int smpp_concat_add(struct smpp_concat *c, const struct smpp_part *part, struct mono now)
    __attribute__((warn_unused_result));
/* The next message that is whole, or has waited for age_ms, or cannot be waited for; the caller's
 * to free.  NULL: none. */
struct smpp_parts *smpp_concat_take(struct smpp_concat *c, struct mono now, uint32_t age_ms);
/* The oldest of those that wait, whatever its age: to be emptied. */
struct smpp_parts *smpp_concat_take_waiting(struct smpp_concat *c);
/* When the oldest has waited for age_ms; us 0: none waits. */
struct mono smpp_concat_due(const struct smpp_concat *c, uint32_t age_ms);
/* Its text as UTF-8 with a NUL, the caller's to wipe and free; p NULL: it is binary data.
 * ERR_NOMEM. */
int smpp_parts_text(const struct smpp_parts *m, const struct smpp_carrier_options *o,
                    struct smpp_str *out) __attribute__((warn_unused_result));
void smpp_parts_free(struct smpp_parts *m);
void smpp_concat_clear(struct smpp_concat *c);

#endif
