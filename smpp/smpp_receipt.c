#include "smpp/smpp_receipt.h"

#include "base/clock.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_receipt_table.h"

#include <string.h>
#include <strings.h>

/* esm_class, bits 2 to 5 (5.2.12).  An acknowledgement is of the handset, not of the SMSC: with the
 * text of an answer it is a message.  Some SMSCs mark their receipts so (quirk 12). */
#define ESM_RECEIPT         0x24 /* receipt, intermediate notification */
#define ESM_ACKNOWLEDGEMENT 0x18

/* A blank in a key stands for a blank, an underscore or nothing. */
static const struct {
    const char *key;
    size_t offset;
    bool is_date;
} keys[] = {
    {"id", offsetof(struct smpp_receipt, id), false},
    {"sub", offsetof(struct smpp_receipt, sub), false},
    {"dlvrd", offsetof(struct smpp_receipt, dlvrd), false},
    {"submit date", offsetof(struct smpp_receipt, submit_date), true},
    {"done date", offsetof(struct smpp_receipt, done_date), true},
    {"stat", offsetof(struct smpp_receipt, stat), false},
    {"err", offsetof(struct smpp_receipt, err), false},
    {"text", offsetof(struct smpp_receipt, text), false},
};
#define N_KEYS   (sizeof keys / sizeof keys[0])
#define KEY_TEXT (N_KEYS - 1)

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Octets up to and with the colon, 0 when the key does not stand here. */
static size_t key_length(const char *key, const char *p, const char *end)
{
    const char *start = p;
    for (; *key; key++) {
        if (*key == ' ') {
            p += p < end && (*p == ' ' || *p == '_');
            continue;
        }
        if (p == end || (*p | 0x20) != *key)
            return 0;
        p++;
    }
    return p < end && *p == ':' ? (size_t)(p + 1 - start) : 0;
}

static size_t value_length(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && (uint8_t)*p > ' ')
        p++;
    return (size_t)(p - start);
}

/* "2013-02-17 00:04:29" has a blank in it. */
static size_t date_length(const char *p, const char *end)
{
    size_t len = value_length(p, end);
    if (len == 10 && p[4] == '-' && p[7] == '-' && end - p > 13 && is_digit(p[11]) && p[13] == ':')
        len = 11 + value_length(p + 11, end);
    return len;
}

/* Octets taken at p, 0 when no key stands here.  The first value of a key counts. */
static size_t take_field(const char *p, const char *end, struct smpp_receipt *out)
{
    for (size_t k = 0; k < N_KEYS; k++) {
        size_t head = key_length(keys[k].key, p, end);
        if (!head)
            continue;
        p += head;
        size_t len = k == KEY_TEXT     ? (size_t)(end - p)
                     : keys[k].is_date ? date_length(p, end)
                                       : value_length(p, end);
        struct smpp_str *field = (struct smpp_str *)(void *)((char *)out + keys[k].offset);
        if (!field->p)
            *field = (struct smpp_str){p, len};
        return k == KEY_TEXT ? head : head + len; /* fields may follow the text */
    }
    return 0;
}

static void scan_text(struct smpp_str text, struct smpp_receipt *out)
{
    const char *p = text.p, *end = p + text.len;
    while (p < end) {
        size_t taken = p == text.p || !is_letter(p[-1]) ? take_field(p, end, out) : 0;
        p += taken ? taken : 1;
    }
}

struct moment {
    int year, month, day, hour, minute, second;
};

static bool moment_is_valid(const struct moment *m)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = m->year % 4 == 0; /* between 2000 and 2099 */
    return m->year >= 2000 && m->year <= 2099 && m->month >= 1 && m->month <= 12 && m->day >= 1 &&
           m->day <= days[m->month - 1] && (leap || m->month != 2 || m->day < 29) &&
           m->hour <= 23 && m->minute <= 59 && m->second <= 59;
}

/* Unix ms of a moment in UTC between 2000 and 2099. */
static int64_t moment_ms(const struct moment *m)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int y = m->year - 2000;
    int64_t days = 10957 + y * 365 + (y + 3) / 4 + before[m->month - 1] + m->day - 1;
    if (y % 4 == 0 && m->month > 2)
        days++;
    return (((days * 24 + m->hour) * 60 + m->minute) * 60 + m->second) * 1000;
}

static int two_digits(const char *d)
{
    return (d[0] - '0') * 10 + d[1] - '0';
}

int64_t smpp_date_ms(const char *d, size_t n, size_t year_digits)
{
    struct moment m = {.year = 2000 + two_digits(d)};
    if (year_digits == 4)
        m.year = two_digits(d) * 100 + two_digits(d + 2);
    size_t i = year_digits;
    m.month = two_digits(d + i);
    m.day = two_digits(d + i + 2);
    m.hour = two_digits(d + i + 4);
    m.minute = two_digits(d + i + 6);
    m.second = i + 10 <= n ? two_digits(d + i + 8) : 0;
    return moment_is_valid(&m) ? moment_ms(&m) : -1;
}

/* YYMMDDhhmmss or YYYYMMDDhhmm: the operator's way where it is told, else what is nearest to now.
 */
static int64_t read_twelve(const char *d, const struct smpp_carrier_options *o)
{
    int64_t seconds = smpp_date_ms(d, 12, 2), year_first = smpp_date_ms(d, 12, 4);
    if (seconds < 0 || year_first < 0)
        return seconds < 0 ? year_first : seconds;
    if (o->receipt_dates != SMPP_DATES_AUTO)
        return o->receipt_dates == SMPP_DATES_YEAR_FIRST ? year_first : seconds;
    int64_t now = wall_ms() + o->receipt_utc_offset_min * INT64_C(60000);
    int64_t a = now > seconds ? now - seconds : seconds - now;
    int64_t b = now > year_first ? now - year_first : year_first - now;
    return a <= b ? seconds : year_first;
}

/* Unix ms, -1 where it is no date. */
static int64_t parse_date(struct smpp_str s, const struct smpp_carrier_options *o)
{
    char d[14];
    size_t n = 0;
    bool separated = false;
    for (size_t i = 0; i < s.len; i++) {
        if (is_digit(s.p[i]) && n < sizeof d)
            d[n++] = s.p[i];
        else if (s.p[i] && strchr("-:/T ", s.p[i]))
            separated = true;
        else
            return -1;
    }
    int64_t ms = -1;
    if (n == 10)
        ms = smpp_date_ms(d, n, 2);
    else if (n == 14 || (n == 12 && separated))
        ms = smpp_date_ms(d, n, 4);
    else if (n == 12)
        ms = read_twelve(d, o);
    return ms < 0 ? -1 : ms - o->receipt_utc_offset_min * INT64_C(60000);
}

static void set_state(struct smpp_receipt *out, const struct smpp_carrier_options *o,
                      const struct smpp_stat *stat)
{
    out->state = stat ? stat->state : 7;
    out->state_known = stat != NULL;
    out->word = stat ? stat->word : NULL;
    out->final = stat && smpp_state_is_final(o, stat->state);
}

static void set_err(struct smpp_receipt *out, const struct smpp_carrier_options *o,
                    struct smpp_str err)
{
    const struct smpp_error_rule *rule = smpp_error_find(o, err);
    out->err = err;
    out->err_class = rule ? rule->class : SMPP_ERROR_UNKNOWN;
    out->err_text = rule ? rule->text : NULL;
}

bool smpp_receipt_parse(const char *text, size_t len, const struct smpp_carrier_options *o,
                        struct smpp_receipt *out)
{
    *out = (struct smpp_receipt){
        .state = -1, .state_known = true, .submit_ms = -1, .done_ms = -1, .reference = -1};
    while (len && text[len - 1] == '\0') /* some count the terminator */
        len--;
    if (len)
        scan_text((struct smpp_str){text, len}, out);
    struct smpp_stat stat;
    if (out->stat.len)
        set_state(out, o, smpp_stat_find(o, out->stat, &stat) ? &stat : NULL);
    set_err(out, o, out->err);
    out->submit_ms = parse_date(out->submit_date, o);
    out->done_ms = parse_date(out->done_date, o);
    return out->id.len || out->stat.len;
}

/* message_state wins; where it and the text say the same by the book, the operator's meaning of the
 * word counts.  A value that is no state leaves the text alone. */
static void state_from_tlv(const struct smpp_tlv *tlv, const struct smpp_carrier_options *o,
                           struct smpp_receipt *out)
{
    unsigned state = 0; /* one octet by the book, two by some */
    struct smpp_stat by_text;
    for (size_t i = 0; i < tlv->len; i++)
        state = state > 9 ? state : state << 8 | tlv->value[i];
    if (tlv->len == 0 || (state > 9 && out->state >= 0))
        return;
    if (state > 9) {
        set_state(out, o, NULL);
        return;
    }
    if (out->stat.len && smpp_stat_find(NULL, out->stat, &by_text) && by_text.state == (int)state)
        return;
    struct smpp_stat by_tlv = smpp_stat_of_state(o, (int)state);
    if (out->state >= 0 && out->state_known && out->state != by_tlv.state)
        out->conflict = "state";
    set_state(out, o, &by_tlv);
}

static void id_from_tlv(struct smpp_str id, struct smpp_receipt *out)
{
    if (!id.len)
        return;
    if (out->id.len && (out->id.len != id.len || strncasecmp(out->id.p, id.p, id.len) != 0))
        out->conflict = "id";
    out->id = id;
}

/* Network type and a number of two octets (5.3.2.31); some send the digits of a text. */
static struct smpp_str network_error(const struct smpp_pdu *pdu)
{
    static char digits[6];
    struct smpp_str text = smpp_pdu_tlv_str(pdu, SMPP_TLV_NETWORK_ERROR_CODE);
    const struct smpp_tlv *tlv = smpp_pdu_tlv(pdu, SMPP_TLV_NETWORK_ERROR_CODE);
    if (text.len && is_digit(text.p[0]))
        return text;
    if (!tlv || tlv->len != 3)
        return (struct smpp_str){NULL, 0};
    unsigned code = (unsigned)(tlv->value[1] << 8 | tlv->value[2]);
    size_t n = code > 9999 ? 5 : code > 999 ? 4 : 3;
    for (size_t i = n; i > 0; i--, code /= 10)
        digits[i - 1] = (char)('0' + code % 10);
    return (struct smpp_str){digits, n};
}

bool smpp_receipt_from_pdu(const struct smpp_pdu *pdu, const struct smpp_carrier_options *o,
                           struct smpp_receipt *out)
{
    if (pdu->command_id != (uint32_t)SMPP_DELIVER_SM && pdu->command_id != (uint32_t)SMPP_DATA_SM)
        return false;
    struct smpp_str text = smpp_pdu_message(pdu);
    struct smpp_str id = smpp_pdu_tlv_str(pdu, SMPP_TLV_RECEIPTED_MESSAGE_ID);
    const struct smpp_tlv *state = smpp_pdu_tlv(pdu, SMPP_TLV_MESSAGE_STATE);
    const struct smpp_tlv *reference = smpp_pdu_tlv(pdu, SMPP_TLV_USER_MESSAGE_REFERENCE);
    smpp_receipt_parse(text.p, text.len, o, out);
    uint8_t esm_class = smpp_pdu_int(pdu, SMPP_F_ESM_CLASS);
    bool may_be = o->receipt_without_esm_class || (esm_class & ESM_ACKNOWLEDGEMENT);
    bool by_text = may_be && out->id.len && out->stat.len;
    if (!(esm_class & ESM_RECEIPT) && !id.p && !state && !by_text)
        return false;
    if (state)
        state_from_tlv(state, o, out);
    id_from_tlv(id, out);
    struct smpp_str err = network_error(pdu);
    if (!out->err.len && err.len)
        set_err(out, o, err);
    if (reference && reference->len == 2)
        out->reference = reference->value[0] << 8 | reference->value[1];
    out->source_addr = smpp_pdu_str(pdu, SMPP_F_SOURCE_ADDR);
    out->destination_addr = smpp_pdu_str(pdu, SMPP_F_DESTINATION_ADDR);
    return true;
}
