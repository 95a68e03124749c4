#include "gateway/ctl_decode.h"

#include "base/buf.h"
#include "base/result.h"
#include "smpp/smpp_inspect.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE 80
/* A PDU of 65 KiB with 0x and a blank at each octet, and as much again behind it. */
#define ITEM_MAX (512 * 1024)

/* --- JSON of octets --- */

static json_t *latin1(struct smpp_str s)
{
    char *utf8 = s.p ? malloc(2 * s.len + 1) : NULL;
    size_t n = 0;
    if (!utf8)
        return json_null();
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= 0x80)
            utf8[n++] = (char)(0xC0 | c >> 6);
        utf8[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3F));
    }
    json_t *v = json_stringn(utf8, n);
    free(utf8);
    return v;
}

static json_t *hex_octets(struct smpp_str s)
{
    char *hex = malloc(2 * s.len + 1);
    if (!hex)
        return json_null();
    hex_encode((const uint8_t *)s.p, s.len, hex, false);
    json_t *v = json_stringn(hex, 2 * s.len);
    free(hex);
    return v;
}

/* As the specification writes it: 0x80000004, or 0x0427 with four digits. */
static json_t *hex_number(uint32_t value, int digits)
{
    return json_sprintf("0x%0*x", digits, (unsigned)value);
}

static json_t *name_or_null(const char *name)
{
    return name ? json_string(name) : json_null();
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* --- a receipt --- */

static json_t *ms_or_null(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *receipt_json(const struct ctl_decode *d, const struct smpp_receipt *r)
{
    json_t *v = json_object();
    set(v, "id", latin1(r->id));
    set(v, "sub", latin1(r->sub));
    set(v, "dlvrd", latin1(r->dlvrd));
    set(v, "submit_date", latin1(r->submit_date));
    set(v, "submit_ms", ms_or_null(r->submit_ms));
    set(v, "done_date", latin1(r->done_date));
    set(v, "done_ms", ms_or_null(r->done_ms));
    set(v, "stat", latin1(r->stat));
    set(v, "err", latin1(r->err));
    set(v, "text_length", r->text.p ? json_integer((json_int_t)r->text.len) : json_null());
    if (d->with_text)
        set(v, "text", latin1(r->text));
    set(v, "state", r->state < 0 ? json_null() : json_integer(r->state));
    set(v, "state_name",
        r->state < 0 ? json_null() : json_string(smpp_message_state_name(r->state)));
    set(v, "state_known", json_boolean(r->state_known));
    set(v, "final", json_boolean(r->final));
    set(v, "conflict", name_or_null(r->conflict));
    return v;
}

static json_t *decode_receipt(const struct ctl_decode *d, struct smpp_str text)
{
    struct smpp_receipt r;
    bool is = smpp_inspect_receipt(text.p, text.len, d->utc_offset_min, &r);
    json_t *v = json_object(), *fields = receipt_json(d, &r);
    set(v, "verdict", json_string(is ? "receipt" : "not_a_receipt"));
    if (!is)
        set(v, "reason", json_string("neither an id nor a stat is in it"));
    json_object_update(v, fields);
    json_decref(fields);
    return v;
}

/* --- a PDU --- */

static json_t *message_text(const struct ctl_decode *d, const struct smpp_inspection *in,
                            const struct smpp_item *item)
{
    size_t size = 4 * item->value.len + 1;
    char *utf8 = malloc(size);
    if (!utf8)
        return json_null();
    size_t len = smpp_inspect_text(in, item, d->alphabet, utf8, size);
    json_t *v = json_stringn(utf8, len);
    free(utf8);
    return v;
}

static json_t *addresses(const struct smpp_item *field)
{
    json_t *list = json_array();
    struct smpp_address_item a;
    size_t at = 0;
    while (smpp_inspect_address(field, &at, &a)) {
        json_t *v = json_object();
        if (field->kind == SMPP_ITEM_DESTS)
            set(v, "dest_flag", json_integer(a.is_list_name ? 2 : 1));
        if (!a.is_list_name) {
            set(v, "ton", json_integer(a.ton));
            set(v, "npi", json_integer(a.npi));
        }
        set(v, a.is_list_name ? "dl_name" : "addr", latin1(a.address));
        if (field->kind == SMPP_ITEM_UNSUCCESS) {
            set(v, "error_status", hex_number(a.error_status, 8));
            set(v, "error", json_string(smpp_status_name(a.error_status)));
        }
        json_array_append_new(list, v);
    }
    return list;
}

/* The message in hex; as a text where that is asked for. */
static json_t *message(const struct ctl_decode *d, const struct smpp_inspection *in,
                       const struct smpp_item *item)
{
    json_t *v = json_object();
    set(v, "length", json_integer((json_int_t)item->value.len));
    set(v, "hex", hex_octets(item->value));
    if (d->with_text)
        set(v, "text", message_text(d, in, item));
    return v;
}

static json_t *field_value(const struct ctl_decode *d, const struct smpp_inspection *in,
                           const struct smpp_item *item)
{
    switch (item->kind) {
    case SMPP_ITEM_NUMBER:
        return json_integer(item->number);
    case SMPP_ITEM_SECRET:
        return json_string("***");
    case SMPP_ITEM_MESSAGE:
        return message(d, in, item);
    case SMPP_ITEM_DESTS:
    case SMPP_ITEM_UNSUCCESS:
        return addresses(item);
    default:
        return latin1(item->value);
    }
}

static json_t *body_json(const struct ctl_decode *d, const struct smpp_inspection *in)
{
    json_t *v = json_object();
    for (size_t i = 0; i < in->n_fields; i++)
        set(v, in->fields[i].name, field_value(d, in, &in->fields[i]));
    return v;
}

static json_t *tlv_json(const struct ctl_decode *d, const struct smpp_inspection *in,
                        const struct smpp_item *tlv)
{
    json_t *v = json_object();
    struct smpp_str until_nul = {tlv->value.p, strnlen(tlv->value.p, tlv->value.len)};
    set(v, "tag", hex_number(tlv->tag, 4));
    set(v, "name", name_or_null(tlv->name));
    set(v, "length", json_integer((json_int_t)tlv->value.len));
    set(v, "hex", hex_octets(tlv->value));
    if (tlv->kind == SMPP_ITEM_NUMBER)
        set(v, "number", json_integer(tlv->number));
    else if (tlv->kind == SMPP_ITEM_STRING)
        set(v, "text", latin1(until_nul));
    else if (tlv->kind == SMPP_ITEM_MESSAGE && d->with_text)
        set(v, "text", message_text(d, in, tlv));
    return v;
}

static json_t *tlvs_json(const struct ctl_decode *d, const struct smpp_inspection *in)
{
    json_t *list = json_array();
    for (size_t i = 0; i < in->n_tlvs; i++)
        json_array_append_new(list, tlv_json(d, in, &in->tlvs[i]));
    return list;
}

/* As much of it as there was. */
static json_t *header_json(const struct smpp_inspection *in)
{
    json_t *v = json_object();
    if (in->header_words > 0)
        set(v, "command_length", json_integer(in->command_length));
    if (in->header_words > 1) {
        set(v, "command_id", hex_number(in->command_id, 8));
        set(v, "command", name_or_null(smpp_command_name(in->command_id)));
    }
    if (in->header_words > 2) {
        set(v, "command_status", hex_number(in->command_status, 8));
        set(v, "status", json_string(smpp_status_name(in->command_status)));
        set(v, "status_text", json_string(in->status_text));
    }
    if (in->header_words > 3)
        set(v, "sequence_number", json_integer(in->sequence_number));
    return v;
}

static json_t *answer_json(const struct smpp_inspection *in)
{
    json_t *v = json_object();
    set(v, "command_id", hex_number(in->answer_id, 8));
    set(v, "command", name_or_null(smpp_command_name(in->answer_id)));
    set(v, "command_status", hex_number(in->answer_status, 8));
    set(v, "status", json_string(smpp_status_name(in->answer_status)));
    set(v, "sequence_number", json_integer(in->answer_sequence));
    return v;
}

/* What the gateway does with it on a bind that is up. */
static const char *action(const struct smpp_inspection *in)
{
    switch (in->reaction) {
    case SMPP_REACTION_RECEIPT:
        return in->receipt.id.len ? "answers once the receipt is recorded, with ESME_RX_T_APPN "
                                    "where that is not possible"
                                  : "answers and drops the receipt: it names no message";
    case SMPP_REACTION_MESSAGE:
        return "takes the message and answers";
    case SMPP_REACTION_MATCH:
        return "looks for what it answers by its sequence_number";
    case SMPP_REACTION_IGNORE:
        return "ignores it";
    case SMPP_REACTION_UNBIND:
        return "answers and ends the bind";
    case SMPP_REACTION_WAIT:
        return "waits for the rest";
    case SMPP_REACTION_CLOSE:
        return "answers and closes the connection";
    default:
        return "answers";
    }
}

static json_t *inspection_json(const struct ctl_decode *d, const struct smpp_inspection *in,
                               size_t octets)
{
    json_t *v = json_object();
    set(v, "verdict", json_string(smpp_verdict_name(in->verdict)));
    set(v, "reason", name_or_null(in->reason));
    set(v, "octets", json_integer((json_int_t)octets));
    set(v, "consumed", json_integer((json_int_t)in->consumed));
    if (in->need)
        set(v, "need", json_integer((json_int_t)in->need));
    set(v, "action", json_string(action(in)));
    set(v, "answer", in->is_answered ? answer_json(in) : json_null());
    set(v, "header", header_json(in));
    if (!in->consumed)
        return v;
    set(v, "body", body_json(d, in));
    if (in->body.len)
        set(v, "body_hex", hex_octets(in->body));
    set(v, "tlvs", tlvs_json(d, in));
    if (in->tlvs_left_out)
        set(v, "tlvs_left_out", json_integer(in->tlvs_left_out));
    if (in->reaction == SMPP_REACTION_RECEIPT)
        set(v, "receipt", receipt_json(d, &in->receipt));
    return v;
}

/* --- hex --- */

/* Octets of a blank, a colon or 0x at p: what may stand between two octets. */
static size_t separator(const char *p, const char *end)
{
    if (end - p >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        return 2;
    return p < end && strchr(" \t\r\n:", *p) && *p;
}

/* Octets written to out; -1: why says what is wrong. */
static ssize_t read_hex(struct smpp_str hex, uint8_t *out, char *why)
{
    const char *p = hex.p, *end = p + hex.len;
    ssize_t n = 0;
    for (size_t s; p < end; p += s ? s : 2) {
        s = separator(p, end);
        if (s)
            continue;
        bool alone = p + 1 == end || separator(p + 1, end);
        if (hex_value(p[0]) < 0 || (!alone && hex_value(p[1]) < 0)) {
            size_t at = (size_t)(p - hex.p) + (hex_value(p[0]) < 0 ? 1 : 2);
            snprintf(why, WHY_SIZE, "not a hex digit at character %zu", at);
            return -1;
        }
        if (alone) {
            snprintf(why, WHY_SIZE, "a hex digit without its second one at character %zu",
                     (size_t)(p - hex.p) + 1);
            return -1;
        }
        out[n++] = (uint8_t)(hex_value(p[0]) << 4 | hex_value(p[1]));
    }
    if (n == 0)
        snprintf(why, WHY_SIZE, "no hex digits");
    return n ? n : -1;
}

static json_t *decode_pdu(const struct ctl_decode *d, struct smpp_str hex, char *why)
{
    struct smpp_inspection in;
    json_t *v = NULL;
    uint8_t *octets = malloc(hex.len / 2 + 1);
    ssize_t n = octets ? read_hex(hex, octets, why) : -1;
    if (!octets)
        snprintf(why, WHY_SIZE, "out of memory");
    if (n > 0) {
        smpp_inspect(octets, (size_t)n, d->utc_offset_min, &in);
        v = inspection_json(d, &in, (size_t)n);
    }
    free(octets);
    return v;
}

/* --- one item --- */

static json_t *decode(const struct ctl_decode *d, struct smpp_str item, char *why)
{
    if (item.len > ITEM_MAX)
        snprintf(why, WHY_SIZE, "longer than %d characters", ITEM_MAX);
    else if (item.len == 0)
        snprintf(why, WHY_SIZE, "nothing to decode");
    else
        return d->is_receipt ? decode_receipt(d, item) : decode_pdu(d, item, why);
    return NULL;
}

/* DEL and the controls above it, which jansson leaves, are commands to some terminals. */
static int write_json(const json_t *v, size_t flags, FILE *out)
{
    char *text = json_dumps(v, flags);
    for (const char *p = text ? text : ""; *p; p++) {
        const uint8_t *u = (const uint8_t *)p;
        if (u[0] == 0x7F || (u[0] == 0xC2 && u[1] < 0xA0)) {
            fprintf(out, "\\u00%02x", u[0] == 0x7F ? u[0] : u[1]);
            p += u[0] == 0xC2;
        } else {
            putc(*p, out);
        }
    }
    putc('\n', out);
    fflush(out);
    int err = !text ? ERR_NOMEM : ferror(out) ? ERR_IO : 0;
    free(text);
    return err;
}

int ctl_decode_item(const struct ctl_decode *d, struct smpp_str item, FILE *out, char why[80])
{
    json_t *v = decode(d, item, why);
    if (!v)
        return ERR_INVALID;
    int err = write_json(v, d->is_compact ? JSON_COMPACT : JSON_INDENT(2), out);
    json_decref(v);
    if (err)
        snprintf(why, WHY_SIZE, "%s", err_text(err));
    return err;
}

/* --- one item a line --- */

/* False: the end.  What is longer than ITEM_MAX is read to its end and kept up to one more. */
static bool read_item(FILE *in, char *buf, size_t *len)
{
    int c;
    *len = 0;
    while ((c = getc(in)) != EOF && c != '\n')
        if (*len <= ITEM_MAX)
            buf[(*len)++] = (char)c;
    return c != EOF || *len;
}

static int decode_line(const struct ctl_decode *d, struct smpp_str item, size_t line, FILE *out)
{
    char why[WHY_SIZE];
    json_t *v = decode(d, item, why);
    int bad = v ? 0 : ERR_INVALID;
    if (!v)
        v = json_pack("{s:I, s:s}", "line", (json_int_t)line, "error", why);
    int err = write_json(v, JSON_COMPACT, out);
    json_decref(v);
    return err ? err : bad;
}

int ctl_decode_lines(const struct ctl_decode *d, FILE *in, FILE *out)
{
    int status = 0;
    char *buf = malloc(ITEM_MAX + 1);
    struct smpp_str item = {buf, 0};
    if (!buf)
        return ERR_NOMEM;
    for (size_t line = 1; status != ERR_IO && read_item(in, buf, &item.len); line++) {
        int err = decode_line(d, item, line, out);
        status = err ? err : status;
    }
    free(buf);
    return ferror(in) ? ERR_IO : status;
}
