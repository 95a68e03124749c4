#include "smpp/smpp_decode.h"

#include "smpp/smpp_const.h"

#include <string.h>

_Static_assert(SMPP_F_COUNT <= 64, "smpp_pdu.present has a bit per field");

enum step_kind { STEP_END, STEP_STR, STEP_INT, STEP_SM, STEP_DESTS, STEP_UNSUCCESS };

struct step {
    uint8_t kind;
    uint8_t field;
};

#define STR(F, max)  {STEP_STR, SMPP_F_##F},
#define INT(F)       {STEP_INT, SMPP_F_##F},
#define SM(F)        {STEP_SM, SMPP_F_##F},
#define DESTS(F)     {STEP_DESTS, SMPP_F_##F},
#define UNSUCCESS(F) {STEP_UNSUCCESS, SMPP_F_##F},
#define SMPP_PDU(COMMAND, ...)                                                                     \
    static const struct step body_##COMMAND[] = {__VA_ARGS__{STEP_END, 0}};
#include "smpp/smpp_pdu.def"

static const struct step *body_of(uint32_t command_id)
{
    switch (command_id) {
#define SMPP_PDU(COMMAND, ...)                                                                     \
    case (uint32_t)SMPP_##COMMAND:                                                                 \
        return body_##COMMAND;
#include "smpp/smpp_pdu.def"
    default:
        return NULL;
    }
}

/* What is left of the body, and the last integer read: the length or count of what follows it. */
struct cursor {
    const uint8_t *p;
    const uint8_t *end;
    uint8_t last_int;
};

static size_t left(const struct cursor *c)
{
    return (size_t)(c->end - c->p);
}

static void defect(struct smpp_pdu *out, const char *text)
{
    out->lenient = true;
    if (!out->defect)
        out->defect = text;
}

static void put(struct smpp_pdu *out, uint8_t field, const uint8_t *p, size_t len)
{
    out->present |= UINT64_C(1) << field;
    out->field[field] = (struct smpp_str){(const char *)p, len};
}

/* Without a terminator the string ends with the PDU, but an error response gets no such guess. */
static void take_string(struct cursor *c, uint8_t field, struct smpp_pdu *out)
{
    const uint8_t *nul = *c->p ? memchr(c->p, 0, left(c)) : c->p;
    if (nul) {
        put(out, field, c->p, (size_t)(nul - c->p));
        c->p = nul + 1;
        return;
    }
    defect(out, "a string without its NUL");
    if (!smpp_is_response(out->command_id) || out->command_status == 0)
        put(out, field, c->p, left(c));
    c->p = c->end;
}

static bool take_message(struct cursor *c, uint8_t field, struct smpp_pdu *out)
{
    size_t len = c->last_int;
    if (len > left(c) || len > 254) {
        defect(out, "sm_length over the end of the PDU");
        return false;
    }
    put(out, field, c->p, len);
    c->p += len;
    return true;
}

static bool skip_octets(struct cursor *c, size_t n)
{
    if (left(c) < n)
        return false;
    c->p += n;
    return true;
}

static bool skip_string(struct cursor *c)
{
    const uint8_t *nul = left(c) ? memchr(c->p, 0, left(c)) : NULL;
    if (nul)
        c->p = nul + 1;
    return nul != NULL;
}

/* dest_flag 1: TON, NPI, address; 2: the name of a distribution list (4.5.1.1). */
static bool skip_dest(struct cursor *c)
{
    if (left(c) < 1)
        return false;
    switch (*c->p++) {
    case 1:
        return skip_octets(c, 2) && skip_string(c);
    case 2:
        return skip_string(c);
    default:
        return false;
    }
}

/* TON, NPI, address, error_status_code (4.5.2.1). */
static bool skip_unsuccess(struct cursor *c)
{
    return skip_octets(c, 2) && skip_string(c) && skip_octets(c, 4);
}

static bool take_list(struct cursor *c, const struct step *step, struct smpp_pdu *out)
{
    const uint8_t *start = c->p;
    for (unsigned i = c->last_int; i > 0; i--) {
        if (!(step->kind == STEP_DESTS ? skip_dest(c) : skip_unsuccess(c))) {
            defect(out, "a list of addresses that is shorter than its count");
            return false;
        }
    }
    put(out, step->field, start, (size_t)(c->p - start));
    return true;
}

/* An error response may leave out its body, another response ought not to (quirks of the field). */
static bool body_ended(struct smpp_pdu *out)
{
    if (!smpp_is_response(out->command_id) || out->command_status == 0)
        defect(out, "the body ends before its mandatory fields");
    return smpp_is_response(out->command_id);
}

/*
 * The integers at step, up to the end of the body.  Most fields are such, and each alone would
 * cost a store and a load of what is taken so far.
 */
static const struct step *take_ints(const struct step *step, struct cursor *c, struct smpp_pdu *out)
{
    const uint8_t *p = c->p;
    uint64_t present = out->present;
    for (; step->kind == STEP_INT && p < c->end; step++, p++) {
        present |= UINT64_C(1) << step->field;
        out->field[step->field] = (struct smpp_str){(const char *)p, 1};
        c->last_int = *p;
    }
    out->present = present;
    c->p = p;
    return step;
}

/* False: a mandatory field of a request is unusable; TLVs are not looked for after that. */
static bool decode_body(const struct step *step, struct cursor *c, struct smpp_pdu *out)
{
    for (step = take_ints(step, c, out); step->kind != STEP_END;
         step = take_ints(step + 1, c, out)) {
        bool good = true;
        /* What has a length or a count of zero may stand at the very end. */
        if (c->p == c->end && (step->kind == STEP_STR || step->kind == STEP_INT))
            return body_ended(out);
        if (step->kind == STEP_STR)
            take_string(c, step->field, out);
        else if (step->kind == STEP_SM)
            good = take_message(c, step->field, out);
        else
            good = take_list(c, step, out);
        if (!good) {
            c->p = c->end;
            return smpp_is_response(out->command_id);
        }
    }
    return true;
}

/* Octets of an integer TLV, 0 for any other. */
static uint16_t tlv_size(uint16_t tag)
{
    switch (tag) {
#define SMPP_TLV_SIZE(TLV, octets)                                                                 \
    case SMPP_TLV_##TLV:                                                                           \
        return octets;
#include "smpp/smpp_pdu.def"
    default:
        return 0;
    }
}

static uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}

static void add_tlv(struct smpp_pdu *out, struct smpp_tlv tlv)
{
    uint16_t size = tlv_size(tlv.tag);
    if (size && size != tlv.len)
        defect(out, "an integer TLV of another length");
    if (out->n_tlvs == SMPP_TLVS_MAX) {
        out->tlvs_left_out++;
        return;
    }
    out->tlvs[out->n_tlvs++] = tlv;
}

static void decode_tlvs(struct cursor *c, struct smpp_pdu *out)
{
    while (left(c) >= 4) {
        struct smpp_tlv tlv = {get_u16(c->p), get_u16(c->p + 2), c->p + 4};
        if (tlv.len > left(c) - 4) {
            defect(out, "a TLV over the end of the PDU");
            return;
        }
        add_tlv(out, tlv);
        c->p += 4 + tlv.len;
    }
    if (left(c))
        defect(out, "stray octets behind the body");
}

/* Some peers put TLVs into an error response and leave its mandatory fields out. */
static bool body_is_tlvs(const struct cursor *c)
{
    const uint8_t *p = c->p;
    while (c->end - p >= 4 && c->end - p - 4 >= get_u16(p + 2))
        p += 4 + get_u16(p + 2);
    return p == c->end && p != c->p;
}

enum smpp_decode_result smpp_decode(const struct smpp_frame *frame, struct smpp_pdu *out)
{
    out->command_length = (uint32_t)frame->len;
    out->command_id = frame->command_id;
    out->command_status = frame->command_status;
    out->sequence_number = frame->sequence_number;
    out->command = NULL;
    out->lenient = false;
    out->defect = NULL;
    out->present = 0;
    out->n_tlvs = 0;
    out->tlvs_left_out = 0;
    if (frame->len < SMPP_HEADER_SIZE)
        return SMPP_DECODE_MALFORMED;

    const struct step *body = body_of(frame->command_id);
    if (!body)
        return SMPP_DECODE_UNKNOWN_COMMAND;
    out->command = smpp_command_name(frame->command_id);
    struct cursor c = {frame->p + SMPP_HEADER_SIZE, frame->p + frame->len, 0};
    bool bare_error = smpp_is_response(out->command_id) && out->command_status && body_is_tlvs(&c);
    if (!bare_error && !decode_body(body, &c, out))
        return SMPP_DECODE_MALFORMED;
    decode_tlvs(&c, out);
    return SMPP_DECODE_OK;
}

bool smpp_pdu_has(const struct smpp_pdu *pdu, enum smpp_field f)
{
    return (pdu->present >> f & 1) != 0;
}

struct smpp_str smpp_pdu_str(const struct smpp_pdu *pdu, enum smpp_field f)
{
    return smpp_pdu_has(pdu, f) ? pdu->field[f] : (struct smpp_str){NULL, 0};
}

uint8_t smpp_pdu_int(const struct smpp_pdu *pdu, enum smpp_field f)
{
    struct smpp_str s = smpp_pdu_str(pdu, f);
    return s.len ? (uint8_t)s.p[0] : 0;
}

const struct smpp_tlv *smpp_pdu_tlv(const struct smpp_pdu *pdu, uint16_t tag)
{
    for (size_t i = 0; i < pdu->n_tlvs; i++)
        if (pdu->tlvs[i].tag == tag)
            return &pdu->tlvs[i];
    return NULL;
}

struct smpp_str smpp_pdu_tlv_str(const struct smpp_pdu *pdu, uint16_t tag)
{
    const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, tag);
    if (!tlv)
        return (struct smpp_str){NULL, 0};
    return (struct smpp_str){(const char *)tlv->value, strnlen((const char *)tlv->value, tlv->len)};
}

struct smpp_str smpp_pdu_message(const struct smpp_pdu *pdu)
{
    struct smpp_str text = smpp_pdu_str(pdu, SMPP_F_SHORT_MESSAGE);
    const struct smpp_tlv *payload = smpp_pdu_tlv(pdu, SMPP_TLV_MESSAGE_PAYLOAD);
    if (text.len == 0 && payload)
        text = (struct smpp_str){(const char *)payload->value, payload->len};
    return text;
}

const char *smpp_field_name(enum smpp_field f)
{
    switch (f) {
#define SMPP_FIELD(NAME, name)                                                                     \
    case SMPP_F_##NAME:                                                                            \
        return name;
#include "smpp/smpp_pdu.def"
    default:
        return "?";
    }
}
