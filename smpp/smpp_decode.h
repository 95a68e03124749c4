/*
 * From a framed PDU to views of its fields: table-driven from smpp_pdu.def, allocation-free and
 * total: every input gives one of the results below, and no view leaves the frame.
 *
 * Tolerance follows the field: an unknown TLV, an unknown value, an absent optional part, a TLV
 * cut short, a stray octet behind the body, a missing terminator at the end of the PDU and a body
 * that is absent on a response never make a PDU unusable; they set `lenient`.
 */
#ifndef SMPP_SMPP_DECODE_H
#define SMPP_SMPP_DECODE_H

#include "smpp/smpp.h"
#include "smpp/smpp_frame.h"

enum smpp_decode_result {
    SMPP_DECODE_OK,
    SMPP_DECODE_UNKNOWN_COMMAND, /* header good: generic_nack a request, ignore a response */
    SMPP_DECODE_MALFORMED, /* mandatory fields unusable: answer with an error, keep the bind */
};

/* Every mandatory field of every PDU, once: SMPP_F_MESSAGE_ID, ... */
enum smpp_field {
#define SMPP_FIELD(NAME, name) SMPP_F_##NAME,
#include "smpp/smpp_pdu.def"
    SMPP_F_COUNT,
};

struct smpp_tlv {
    uint16_t tag;
    uint16_t len;
    const uint8_t *value;
};

#define SMPP_TLVS_MAX 48 /* further ones are counted and left out */

struct smpp_pdu {
    uint32_t command_length, command_id, command_status, sequence_number;
    const char *command;                 /* "deliver_sm"; NULL: unknown */
    bool lenient;                        /* usable in spite of a defect */
    const char *defect;                  /* static text of the first defect, or NULL */
    uint64_t present;                    /* bit per smpp_field */
    struct smpp_str field[SMPP_F_COUNT]; /* strings without terminator; integers: 1 octet */
    uint16_t n_tlvs;
    uint16_t tlvs_left_out;
    struct smpp_tlv tlvs[SMPP_TLVS_MAX]; /* in wire order */
};

enum smpp_decode_result smpp_decode(const struct smpp_frame *frame, struct smpp_pdu *out);

bool smpp_pdu_has(const struct smpp_pdu *pdu, enum smpp_field f);
/* p NULL, len 0 when absent. */
struct smpp_str smpp_pdu_str(const struct smpp_pdu *pdu, enum smpp_field f);
/* 0 when absent. */
uint8_t smpp_pdu_int(const struct smpp_pdu *pdu, enum smpp_field f);
/* The first TLV with the tag, or NULL. */
const struct smpp_tlv *smpp_pdu_tlv(const struct smpp_pdu *pdu, uint16_t tag);
/* TLV value as a string: up to a NUL or its end. */
struct smpp_str smpp_pdu_tlv_str(const struct smpp_pdu *pdu, uint16_t tag);
/* The message: short_message, or message_payload when that is empty. */
struct smpp_str smpp_pdu_message(const struct smpp_pdu *pdu);
const char *smpp_field_name(enum smpp_field f);

#endif
