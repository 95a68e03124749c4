#include "smpp/smpp_encode.h"

#include "base/buf.h"
#include "base/result.h"
#include "base/secret.h"
#include "smpp/smpp_const.h"

#include <string.h>
#include <time.h>

/* The library's headers need <stdint.h> before them and define bare names (UNBIND, Reserved). */
#include <stdint.h>
#include <smpp34.h>
#include <smpp34_structs.h>

#define SM_LENGTH_MAX 253 /* the library refuses 254 */

/*
 * The library's buffer has to be one octet larger than the PDU.  It lives here and not on the
 * stack, because it holds passwords and texts and is wiped after each call.
 */
static uint8_t scratch[SMPP_ENCODE_MAX + 1];

static int pack(void *pdu, size_t size, uint8_t *out, size_t cap, size_t *len)
{
    int packed = 0;
    int result = ERR_REFUSED;
    if (smpp34_pack2(scratch, (int)sizeof scratch, &packed, pdu) == 0 && packed > 0) {
        result = (size_t)packed <= cap ? ERR_OK : ERR_FULL;
        if (result == ERR_OK) {
            memcpy(out, scratch, (size_t)packed);
            *len = (size_t)packed;
        }
    }
    secret_wipe(scratch, packed > 0 && result != ERR_REFUSED ? (size_t)packed : sizeof scratch);
    secret_wipe(smpp34_strerror, sizeof smpp34_strerror);
    secret_wipe(pdu, size);
    return result;
}

/* False: longer than the field with its NUL.  The library would cut it silently. */
static bool put_string(uint8_t *field, size_t size, const char *s)
{
    size_t len = strnlen(s, size);
    if (len == size)
        return false;
    memcpy(field, s, len); /* the struct was zeroed */
    return true;
}
#define PUT(field, s) put_string((field), sizeof(field), (s))

static bool is_bind(uint32_t command_id)
{
    return command_id == (uint32_t)SMPP_BIND_TRANSCEIVER ||
           command_id == (uint32_t)SMPP_BIND_TRANSMITTER ||
           command_id == (uint32_t)SMPP_BIND_RECEIVER;
}

static size_t version_offset(const struct smpp_bind_fields *f)
{
    return 16 + strlen(f->system_id) + 1 + strlen(f->password) + 1 + strlen(f->system_type) + 1;
}

int smpp_encode_bind(const struct smpp_bind_fields *f, uint32_t sequence, uint8_t *out, size_t cap,
                     size_t *len)
{
    /* The three binds have one body. */
    struct bind_transceiver_t pdu;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = f->command_id;
    pdu.sequence_number = sequence;
    pdu.interface_version = SMPP_VERSION;
    pdu.addr_ton = f->address_ton;
    pdu.addr_npi = f->address_npi;
    if (!is_bind(f->command_id) || !PUT(pdu.system_id, f->system_id) ||
        !PUT(pdu.password, f->password) || !PUT(pdu.system_type, f->system_type) ||
        !PUT(pdu.address_range, f->address_range)) {
        secret_wipe(&pdu, sizeof pdu);
        return ERR_INVALID;
    }
    int err = pack(&pdu, sizeof pdu, out, cap, len);
    if (!err) /* the library takes no other one */
        out[version_offset(f)] = f->interface_version;
    return err;
}

/* --- TLVs --- */

/* Octets of those that are a number (5.3.2).  The library takes the width from the tag and writes
 * whatever length it is given: a wrong one would make a PDU that nobody can read. */
static const struct {
    uint16_t tag, width;
} numbers[] = {
    {SMPP_TLV_USER_MESSAGE_REFERENCE, 2},
    {SMPP_TLV_SAR_MSG_REF_NUM, 2},
    {SMPP_TLV_SAR_TOTAL_SEGMENTS, 1},
    {SMPP_TLV_SAR_SEGMENT_SEQNUM, 1},
};

/* Static as scratch is: they are a kilobyte each, and hold texts. */
static struct tlv_t tlvs[SMPP_PUT_MAX];

static bool put_tlv(struct tlv_t *tlv, const struct smpp_put_tlv *from)
{
    tlv->tag = from->tag;
    tlv->next = NULL;
    if (from->tag == SMPP_TLV_MESSAGE_PAYLOAD) {
        if (from->len == 0 || from->len > SMPP_PAYLOAD_MAX)
            return false;
        tlv->length = (uint16_t)from->len;
        memcpy(tlv->value.octet, from->octets, from->len);
        return true;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].tag != from->tag)
            continue;
        tlv->length = numbers[i].width;
        if (tlv->length == 1)
            tlv->value.val08 = (uint8_t)from->number;
        else
            tlv->value.val16 = from->number;
        return tlv->length == 2 || from->number <= UINT8_MAX;
    }
    return false;
}

static bool put_tlvs(struct submit_sm_t *pdu, const struct smpp_submit_fields *f)
{
    if (f->n_tlvs > SMPP_PUT_MAX)
        return false;
    for (size_t i = 0; i < f->n_tlvs; i++) {
        if (!put_tlv(&tlvs[i], &f->tlvs[i]))
            return false;
        if (i)
            tlvs[i - 1].next = &tlvs[i];
        else
            pdu->tlv = &tlvs[0];
    }
    return true;
}

static void wipe_tlvs(const struct smpp_submit_fields *f)
{
    for (size_t i = 0; i < f->n_tlvs && i < SMPP_PUT_MAX; i++)
        secret_wipe(&tlvs[i], sizeof tlvs[i]);
}

static bool put_submit(struct submit_sm_t *pdu, const struct smpp_submit_fields *f)
{
    if (f->sm_length > SM_LENGTH_MAX || !PUT(pdu->service_type, f->service_type) ||
        !PUT(pdu->source_addr, f->source) || !PUT(pdu->destination_addr, f->destination) ||
        !PUT(pdu->validity_period, f->validity_period))
        return false;
    pdu->source_addr_ton = f->source_ton;
    pdu->source_addr_npi = f->source_npi;
    pdu->dest_addr_ton = f->dest_ton;
    pdu->dest_addr_npi = f->dest_npi;
    pdu->esm_class = f->esm_class;
    pdu->protocol_id = f->protocol_id;
    pdu->priority_flag = f->priority_flag;
    pdu->registered_delivery = f->registered_delivery;
    pdu->data_coding = f->data_coding;
    pdu->sm_length = (uint8_t)f->sm_length;
    if (f->sm_length)
        memcpy(pdu->short_message, f->short_message, f->sm_length);
    return true;
}

int smpp_encode_submit_sm(const struct smpp_submit_fields *f, uint32_t sequence, uint8_t *out,
                          size_t cap, size_t *len)
{
    struct submit_sm_t pdu;
    int err = ERR_INVALID;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = (uint32_t)SMPP_SUBMIT_SM;
    pdu.sequence_number = sequence;
    if (put_submit(&pdu, f) && put_tlvs(&pdu, f))
        err = pack(&pdu, sizeof pdu, out, cap, len);
    else
        secret_wipe(&pdu, sizeof pdu);
    wipe_tlvs(f);
    return err;
}

int smpp_encode_query_sm(const struct smpp_ask_fields *f, uint32_t sequence, uint8_t *out,
                         size_t cap, size_t *len)
{
    struct query_sm_t pdu;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = (uint32_t)SMPP_QUERY_SM;
    pdu.sequence_number = sequence;
    pdu.source_addr_ton = f->source_ton;
    pdu.source_addr_npi = f->source_npi;
    if (!f->message_id[0] || !PUT(pdu.message_id, f->message_id) ||
        !PUT(pdu.source_addr, f->source))
        return ERR_INVALID;
    return pack(&pdu, sizeof pdu, out, cap, len);
}

int smpp_encode_cancel_sm(const struct smpp_ask_fields *f, uint32_t sequence, uint8_t *out,
                          size_t cap, size_t *len)
{
    struct cancel_sm_t pdu;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = (uint32_t)SMPP_CANCEL_SM;
    pdu.sequence_number = sequence;
    pdu.source_addr_ton = f->source_ton;
    pdu.source_addr_npi = f->source_npi;
    pdu.dest_addr_ton = f->dest_ton;
    pdu.dest_addr_npi = f->dest_npi;
    if (!f->message_id[0] || !PUT(pdu.message_id, f->message_id) ||
        !PUT(pdu.source_addr, f->source) || !PUT(pdu.destination_addr, f->destination))
        return ERR_INVALID;
    return pack(&pdu, sizeof pdu, out, cap, len);
}

static void put_header(struct wr *w, const uint32_t fields[4])
{
    for (int i = 0; i < 4; i++)
        wr_u32(w, fields[i]);
}

void smpp_encode_header(uint32_t command_id, uint32_t status, uint32_t sequence, uint8_t out[16])
{
    struct wr w = wr_init(out, 16);
    put_header(&w, (const uint32_t[4]){16, command_id, status, sequence});
}

void smpp_encode_delivery_resp(uint32_t command_id, uint32_t status, uint32_t sequence,
                               uint8_t out[17])
{
    struct wr w = wr_init(out, 17);
    put_header(&w, (const uint32_t[4]){17, command_id, status, sequence});
    wr_u8(&w, 0);
}

/* n decimal digits of v, with zeros in front. */
static char *put_digits(char *out, int64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
    return out + n;
}

/* Days are the largest unit that has a fixed length: a longer time is cut to 31 of them. */
void smpp_encode_validity_relative(int64_t ms, char out[17])
{
    const int64_t longest = INT64_C(31) * 86400;
    int64_t s = ms / 1000;
    s = s < 1 ? 1 : s > longest ? longest : s;
    out = put_digits(out, 0, 4);
    out = put_digits(out, s / 86400, 2);
    out = put_digits(out, s / 3600 % 24, 2);
    out = put_digits(out, s / 60 % 60, 2);
    out = put_digits(out, s % 60, 2);
    memcpy(out, "000R", 5);
}

void smpp_encode_validity_absolute(int64_t unix_ms, char out[17])
{
    time_t s = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&s, &tm);
    out = put_digits(out, tm.tm_year % 100, 2);
    out = put_digits(out, tm.tm_mon + 1, 2);
    out = put_digits(out, tm.tm_mday, 2);
    out = put_digits(out, tm.tm_hour, 2);
    out = put_digits(out, tm.tm_min, 2);
    out = put_digits(out, tm.tm_sec, 2);
    memcpy(out, "000+", 5);
}
