/*
 * PDUs that we originate.  Requests with a body are packed by libsmpp34 behind our own checks
 * (smpp_encode.c is the only file that includes it); header-only PDUs and responses are written
 * directly.  The library's error text holds every field, so it is wiped after each call and never
 * logged.  One thread only.
 *
 * Each call writes one PDU at out and its length to *len.  ERR_INVALID: a field is longer than
 * SMPP 3.4 allows or holds a NUL, or a TLV is none that we send; ERR_FULL: cap is too small;
 * ERR_REFUSED: the library would not.
 */
#ifndef SMPP_SMPP_ENCODE_H
#define SMPP_SMPP_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#define SMPP_ENCODE_MAX  1280 /* no PDU that we send is longer */
#define SMPP_PAYLOAD_MAX 1024 /* octets of one message_payload */
#define SMPP_PUT_MAX     8    /* TLVs of one PDU */

struct smpp_bind_fields {
    uint32_t command_id; /* bind_transceiver, bind_transmitter or bind_receiver */
    const char *system_id, *password, *system_type;
    uint8_t interface_version; /* 0x33, 0x34, 0x50 */
    uint8_t address_ton, address_npi;
    const char *address_range;
};
int smpp_encode_bind(const struct smpp_bind_fields *f, uint32_t sequence, uint8_t *out, size_t cap,
                     size_t *len) __attribute__((warn_unused_result));

/* A TLV to be sent: message_payload has octets, the others that we send are a number. */
struct smpp_put_tlv {
    uint16_t tag;
    uint16_t number;
    const uint8_t *octets;
    size_t len; /* of octets */
};

struct smpp_submit_fields {
    const char *service_type;
    uint8_t source_ton, source_npi;
    const char *source;
    uint8_t dest_ton, dest_npi;
    const char *destination;
    uint8_t esm_class, protocol_id, priority_flag;
    const char *validity_period; /* "" or 16 characters */
    uint8_t registered_delivery, data_coding;
    const uint8_t *short_message; /* <= 253 octets; 254 has to travel as message_payload */
    size_t sm_length;
    const struct smpp_put_tlv *tlvs; /* in the order to be sent, at most SMPP_PUT_MAX */
    size_t n_tlvs;
};
int smpp_encode_submit_sm(const struct smpp_submit_fields *f, uint32_t sequence, uint8_t *out,
                          size_t cap, size_t *len) __attribute__((warn_unused_result));

struct smpp_ask_fields {
    const char *message_id; /* 1 to 64 octets: an empty one would mean every message to a number */
    uint8_t source_ton, source_npi;
    const char *source;
    uint8_t dest_ton, dest_npi; /* these of cancel_sm only */
    const char *destination;
};
int smpp_encode_query_sm(const struct smpp_ask_fields *f, uint32_t sequence, uint8_t *out,
                         size_t cap, size_t *len) __attribute__((warn_unused_result));
/* service_type is empty, because it would mean a group of messages (4.9.1). */
int smpp_encode_cancel_sm(const struct smpp_ask_fields *f, uint32_t sequence, uint8_t *out,
                          size_t cap, size_t *len) __attribute__((warn_unused_result));

/* enquire_link, unbind, their responses, generic_nack: always 16 octets. */
void smpp_encode_header(uint32_t command_id, uint32_t status, uint32_t sequence, uint8_t out[16]);
/* deliver_sm_resp and data_sm_resp: header and an empty message_id, 17 octets. */
void smpp_encode_delivery_resp(uint32_t command_id, uint32_t status, uint32_t sequence,
                               uint8_t out[17]);

/* "000000000500000R" (7.1.1.2): ms from when the SMSC takes it, at least one second and at most 31
 * days.  "261123120500000+" (7.1.1.1): the moment in UTC.  out has 17 octets. */
void smpp_encode_validity_relative(int64_t ms, char out[17]);
void smpp_encode_validity_absolute(int64_t unix_ms, char out[17]);

#endif
