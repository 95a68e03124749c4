#include "smpp/smpp_inspect.h"

#include "base/buf.h"
#include "smpp/smpp_concat.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_receipt.h"
#include "smpp/smpp_text.h"

#include <string.h>

_Static_assert(SMPP_INSPECT_FIELDS_MAX >= SMPP_F_COUNT, "every field has room");
_Static_assert(SMPP_INSPECT_TLVS_MAX >= SMPP_TLVS_MAX, "every TLV has room");

const char *smpp_verdict_name(enum smpp_verdict verdict)
{
    static const char *const names[] = {
        [SMPP_VERDICT_OK] = "ok",
        [SMPP_VERDICT_LENIENT] = "lenient",
        [SMPP_VERDICT_UNKNOWN_COMMAND] = "unknown_command",
        [SMPP_VERDICT_MALFORMED] = "malformed",
        [SMPP_VERDICT_INCOMPLETE] = "incomplete",
        [SMPP_VERDICT_REJECT] = "reject",
    };
    return (unsigned)verdict < sizeof names / sizeof names[0] ? names[verdict] : "?";
}

/* --- fields and TLVs --- */

/* A bit per field that is an integer somewhere; none is anything else elsewhere. */
#define STR(F, max)
#define INT(F) | UINT64_C(1) << SMPP_F_##F
#define SM(F)
#define DESTS(F)
#define UNSUCCESS(F)
#define SMPP_PDU(COMMAND, ...) __VA_ARGS__
static const uint64_t integers = 0
#include "smpp/smpp_pdu.def"
    ;

static enum smpp_item_kind field_kind(enum smpp_field f)
{
    switch (f) {
    case SMPP_F_PASSWORD:
        return SMPP_ITEM_SECRET;
    case SMPP_F_SHORT_MESSAGE:
        return SMPP_ITEM_MESSAGE;
    case SMPP_F_DEST_ADDRESS:
        return SMPP_ITEM_DESTS;
    case SMPP_F_UNSUCCESS_SME:
        return SMPP_ITEM_UNSUCCESS;
    default:
        return integers >> f & 1 ? SMPP_ITEM_NUMBER : SMPP_ITEM_STRING;
    }
}

/* The views of the fields stand in the PDU in the order of the wire. */
static void add_field(struct smpp_inspection *out, const struct smpp_item *field)
{
    size_t i = out->n_fields++;
    for (; i > 0 && out->fields[i - 1].value.p > field->value.p; i--)
        out->fields[i] = out->fields[i - 1];
    out->fields[i] = *field;
}

static void hide_secrets(struct smpp_inspection *out)
{
    for (size_t i = 0; i < out->n_fields; i++)
        if (out->fields[i].kind == SMPP_ITEM_SECRET)
            out->fields[i].value = (struct smpp_str){NULL, 0};
}

static void take_fields(const struct smpp_pdu *pdu, struct smpp_inspection *out)
{
    for (unsigned i = 0; i < SMPP_F_COUNT; i++) {
        enum smpp_field f = (enum smpp_field)i;
        if (smpp_pdu_has(pdu, f))
            add_field(out, &(struct smpp_item){.name = smpp_field_name(f),
                                               .kind = field_kind(f),
                                               .number = smpp_pdu_int(pdu, f),
                                               .value = smpp_pdu_str(pdu, f)});
    }
    hide_secrets(out);
    out->data_coding = smpp_pdu_int(pdu, SMPP_F_DATA_CODING);
    out->has_udh = (smpp_pdu_int(pdu, SMPP_F_ESM_CLASS) & SMPP_ESM_UDHI) != 0;
}

static enum smpp_item_kind tlv_kind(uint16_t tag)
{
    switch (tag) {
#define SMPP_TLV_SIZE(TLV, octets)                                                                 \
    case SMPP_TLV_##TLV:                                                                           \
        return SMPP_ITEM_NUMBER;
#define SMPP_TLV_TEXT(TLV)                                                                         \
    case SMPP_TLV_##TLV:                                                                           \
        return SMPP_ITEM_STRING;
#include "smpp/smpp_pdu.def"
    case SMPP_TLV_MESSAGE_PAYLOAD:
        return SMPP_ITEM_MESSAGE;
    default:
        return SMPP_ITEM_OCTETS;
    }
}

/* An integer of another length than its own is one as long as it can be read. */
static struct smpp_item tlv_item(const struct smpp_tlv *tlv)
{
    struct smpp_item item = {.name = smpp_tlv_name(tlv->tag),
                             .kind = tlv_kind(tlv->tag),
                             .tag = tlv->tag,
                             .value = {(const char *)tlv->value, tlv->len}};
    if (item.kind != SMPP_ITEM_NUMBER)
        return item;
    if (tlv->len < 1 || tlv->len > 4)
        item.kind = SMPP_ITEM_OCTETS;
    else
        for (size_t i = 0; i < tlv->len; i++)
            item.number = item.number << 8 | tlv->value[i];
    return item;
}

static void take_tlvs(const struct smpp_pdu *pdu, struct smpp_inspection *out)
{
    for (; out->n_tlvs < pdu->n_tlvs; out->n_tlvs++)
        out->tlvs[out->n_tlvs] = tlv_item(&pdu->tlvs[out->n_tlvs]);
    out->tlvs_left_out = pdu->tlvs_left_out;
}

/* --- what a bind does with it while it is BOUND --- */

static enum smpp_reaction reaction_to(uint32_t command_id)
{
    switch (command_id) {
#define SMPP_HANDLER(command, kind, run, reaction)                                                 \
    case (uint32_t)SMPP_##command:                                                                 \
        return SMPP_REACTION_##reaction;
#include "smpp/smpp_handler.def"
    default:
        return smpp_is_response(command_id) ? SMPP_REACTION_IGNORE : SMPP_REACTION_ANSWER;
    }
}

static void answer(struct smpp_inspection *out, uint32_t command_id, uint32_t status)
{
    out->is_answered = true;
    out->answer_id = command_id;
    out->answer_status = status;
    out->answer_sequence = out->sequence_number;
}

static void react(const struct smpp_pdu *pdu, int32_t utc_offset_min, struct smpp_inspection *out)
{
    struct smpp_carrier_options options = {.receipt_utc_offset_min = utc_offset_min};
    uint32_t response = out->command_id | SMPP_RESPONSE;
    out->reaction = reaction_to(out->command_id);
    if (out->reaction == SMPP_REACTION_UNBIND) {
        answer(out, response, ESME_ROK);
    } else if (out->reaction == SMPP_REACTION_ANSWER) {
        bool handled = out->command_id == SMPP_ENQUIRE_LINK;
        answer(out, handled ? response : (uint32_t)SMPP_GENERIC_NACK,
               handled ? ESME_ROK : ESME_RINVCMDID);
    } else if (out->reaction == SMPP_REACTION_MESSAGE) {
        bool malformed = out->verdict == SMPP_VERDICT_MALFORMED;
        answer(out, response, malformed ? ESME_RINVMSGLEN : ESME_ROK);
        if (malformed)
            out->reaction = SMPP_REACTION_ANSWER;
        else if (smpp_receipt_from_pdu(pdu, &options, &out->receipt))
            out->reaction = SMPP_REACTION_RECEIPT;
    }
}

/* --- the whole --- */

static void take_header(const uint8_t *p, size_t len, struct smpp_inspection *out)
{
    struct rd r = rd_init(p, len);
    uint32_t *const words[] = {&out->command_length, &out->command_id, &out->command_status,
                               &out->sequence_number};
    for (; out->header_words < 4 && rd_left(&r) >= 4; out->header_words++)
        *words[out->header_words] = rd_u32(&r);
    if (out->header_words > 2)
        out->status_text = smpp_status_text(out->command_status);
}

/* False: it is not framed, and all is said. */
static bool take_framing(enum smpp_frame_result framed, struct smpp_inspection *out)
{
    if (framed == SMPP_FRAME_OK)
        return true;
    if (framed == SMPP_FRAME_MORE) {
        out->verdict = SMPP_VERDICT_INCOMPLETE;
        out->reaction = SMPP_REACTION_WAIT;
        out->reason = "octets are missing at its end";
        return false;
    }
    out->verdict = SMPP_VERDICT_REJECT;
    out->reaction = SMPP_REACTION_CLOSE;
    out->need = 0;
    out->reason = framed == SMPP_FRAME_CORRUPT
                      ? "command_length is under 16: framing is lost"
                      : "command_length is over the greatest that is taken: framing is lost";
    answer(out, (uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDLEN);
    out->answer_sequence = 0;
    return false;
}

static enum smpp_verdict verdict_of(enum smpp_decode_result decoded, const struct smpp_pdu *pdu)
{
    if (decoded == SMPP_DECODE_UNKNOWN_COMMAND)
        return SMPP_VERDICT_UNKNOWN_COMMAND;
    if (decoded == SMPP_DECODE_MALFORMED)
        return SMPP_VERDICT_MALFORMED;
    return pdu->lenient ? SMPP_VERDICT_LENIENT : SMPP_VERDICT_OK;
}

void smpp_inspect(const uint8_t *p, size_t len, int32_t receipt_utc_offset_min,
                  struct smpp_inspection *out)
{
    struct smpp_frame frame;
    struct smpp_pdu pdu;
    memset(out, 0, sizeof *out);
    enum smpp_frame_result framed = smpp_frame_next(p, len, SMPP_PDU_CAP, &frame, &out->need);
    take_header(p, len, out);
    if (!take_framing(framed, out))
        return;
    out->need = 0;
    out->consumed = frame.len;
    out->verdict = verdict_of(smpp_decode(&frame, &pdu), &pdu);
    out->reason = pdu.defect;
    if (out->verdict == SMPP_VERDICT_UNKNOWN_COMMAND) {
        out->reason = "a command that is not of SMPP 3.4";
        out->body = (struct smpp_str){(const char *)p + SMPP_HEADER_SIZE,
                                      frame.len - SMPP_HEADER_SIZE};
    }
    take_fields(&pdu, out);
    take_tlvs(&pdu, out);
    react(&pdu, receipt_utc_offset_min, out);
}

bool smpp_inspect_receipt(const char *text, size_t len, int32_t receipt_utc_offset_min,
                          struct smpp_receipt *out)
{
    struct smpp_carrier_options options = {.receipt_utc_offset_min = receipt_utc_offset_min};
    return smpp_receipt_parse(text, len, &options, out);
}

static struct smpp_str take_string(struct rd *r)
{
    struct smpp_str s = {(const char *)r->p + r->off, 0};
    while (rd_u8(r))
        s.len++;
    return s;
}

bool smpp_inspect_address(const struct smpp_item *field, size_t *at, struct smpp_address_item *out)
{
    if (*at >= field->value.len)
        return false;
    struct rd r = rd_init(field->value.p + *at, field->value.len - *at);
    *out = (struct smpp_address_item){0};
    out->is_list_name = field->kind == SMPP_ITEM_DESTS && rd_u8(&r) == 2;
    if (!out->is_list_name) {
        out->ton = rd_u8(&r);
        out->npi = rd_u8(&r);
    }
    out->address = take_string(&r);
    if (field->kind == SMPP_ITEM_UNSUCCESS)
        out->error_status = rd_u32(&r);
    *at += r.off;
    return !r.bad;
}

size_t smpp_inspect_text(const struct smpp_inspection *in, const struct smpp_item *message,
                         enum smpp_alphabet alphabet, char *out, size_t size)
{
    const uint8_t *p = (const uint8_t *)message->value.p;
    size_t len = message->value.len;
    size_t udh = in->has_udh ? smpp_udh_size(SMPP_ESM_UDHI, message->value) : 0;
    struct smpp_coded coded = {p, len, udh, in->data_coding, alphabet};
    return smpp_text_decode(&coded, out, size);
}
