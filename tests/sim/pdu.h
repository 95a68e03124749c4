/*
 * The simulator's own SMPP 3.4 codec: it shares nothing with smpp/, so that it cannot share its
 * mistakes.
 *
 * Readers look into the caller's octets and never past the PDU; what they cannot read they answer
 * with the SMPP status to send back.  Writers fill a struct wr of base/buf.h.
 */
#ifndef TESTS_SIM_PDU_H
#define TESTS_SIM_PDU_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define PDU_HEADER 16
#define PDU_MAX    (64 * 1024 + 1024)

enum pdu_command {
    CMD_GENERIC_NACK = (int)0x80000000,
    CMD_BIND_RECEIVER = 0x01,
    CMD_BIND_TRANSMITTER = 0x02,
    CMD_QUERY_SM = 0x03,
    CMD_SUBMIT_SM = 0x04,
    CMD_DELIVER_SM = 0x05,
    CMD_UNBIND = 0x06,
    CMD_REPLACE_SM = 0x07,
    CMD_CANCEL_SM = 0x08,
    CMD_BIND_TRANSCEIVER = 0x09,
    CMD_ENQUIRE_LINK = 0x15,
    CMD_DATA_SM = 0x103,
};
#define CMD_RESPONSE 0x80000000u

/* SMPP 3.4 section 5.1.3, those that the simulator sends or understands. */
enum pdu_status {
    ESME_ROK = 0x00,
    ESME_RINVMSGLEN = 0x01,
    ESME_RINVCMDLEN = 0x02,
    ESME_RINVCMDID = 0x03,
    ESME_RINVBNDSTS = 0x04,
    ESME_RALYBND = 0x05,
    ESME_RSYSERR = 0x08,
    ESME_RINVSRCADR = 0x0a,
    ESME_RINVDSTADR = 0x0b,
    ESME_RINVPASWD = 0x0e,
    ESME_RINVSYSID = 0x0f,
    ESME_RCANCELFAIL = 0x11,
    ESME_RREPLACEFAIL = 0x13,
    ESME_RMSGQFUL = 0x14,
    ESME_RTHROTTLED = 0x58,
    ESME_RINVSCHED = 0x61,
    ESME_RINVEXPIRY = 0x62,
    ESME_RX_T_APPN = 0x64,
    ESME_RQUERYFAIL = 0x67,
    ESME_RINVOPTPARSTREAM = 0xc0,
};

enum pdu_tlv {
    TLV_RECEIPTED_MESSAGE_ID = 0x001e,
    TLV_SAR_MSG_REF_NUM = 0x020c,
    TLV_SAR_TOTAL_SEGMENTS = 0x020e,
    TLV_SAR_SEGMENT_SEQNUM = 0x020f,
    TLV_SC_INTERFACE_VERSION = 0x0210,
    TLV_NETWORK_ERROR_CODE = 0x0423,
    TLV_MESSAGE_PAYLOAD = 0x0424,
    TLV_MESSAGE_STATE = 0x0427,
};

struct pdu {
    uint32_t len;
    uint32_t id;
    uint32_t status;
    uint32_t seq;
    const uint8_t *body;
    size_t body_len;
};

enum pdu_frame { PDU_NEED_MORE, PDU_WHOLE, PDU_BROKEN };

/* PDU_BROKEN: command_length below 16 or above PDU_MAX, the stream is lost. */
enum pdu_frame pdu_frame(const uint8_t *p, size_t len, struct pdu *out);
/* "submit_sm"; NULL for an unknown command. */
const char *pdu_name(uint32_t id);

struct pdu_bind {
    char system_id[17]; /* longer ones are refused: nobody has such an account */
    char password[65];
    char system_type[14];
    uint8_t interface_version;
};

#define PDU_ADDR_SIZE 21
struct pdu_addr {
    uint8_t ton;
    uint8_t npi;
    char digits[PDU_ADDR_SIZE];
};

/* submit_sm, data_sm and replace_sm. */
struct pdu_sm {
    char service_type[7];
    struct pdu_addr src;
    struct pdu_addr dst;
    char message_id[66]; /* of replace_sm */
    uint8_t esm_class;
    uint8_t registered_delivery;
    uint8_t data_coding;
    char validity[18];
    int64_t validity_ms; /* from now; -1 when there is none */
    const uint8_t *text; /* after the user data header */
    size_t text_len;
    size_t udh_len;
    uint16_t part_ref; /* of a long message in parts: total is above 1 */
    uint8_t part_total;
    uint8_t part_no; /* from 1 */
};

/* Each returns ESME_ROK or the status to answer. */
uint32_t pdu_read_bind(const struct pdu *p, struct pdu_bind *out);
uint32_t pdu_read_submit(const struct pdu *p, struct pdu_sm *out);
uint32_t pdu_read_data(const struct pdu *p, struct pdu_sm *out);
uint32_t pdu_read_replace(const struct pdu *p, struct pdu_sm *out);
/* The message id of query_sm, or of cancel_sm, which has a service type before it. */
uint32_t pdu_read_id(const struct pdu *p, char out[66]);

/* A whole header-only PDU. */
void pdu_put_header(struct wr *w, uint32_t id, uint32_t status, uint32_t seq);
/* After the body was written behind a header at start: its true length. */
void pdu_put_length(struct wr *w, size_t start);
void pdu_put_cstr(struct wr *w, const char *s);
void pdu_put_addr(struct wr *w, const struct pdu_addr *a);
void pdu_put_tlv(struct wr *w, uint16_t tag, const void *value, size_t len);

#endif
