#include "smpp/smpp_receipt.h"

#include "base/clock.h"
#include "smpp/smpp_const.h"

#include <string.h>
#include <strings.h>

/* esm_class bits 2-5: receipt, acknowledgements of the handset, intermediate notification. */
#define ESM_RECEIPT_MASK 0x3C

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

/* Appendix B, the states of SMPP 5.0, and the spellings met in the field. */
static const struct {
    const char *stat;
    int state;
} stats[] = {
    {"DELIVRD", 2},   {"ENROUTE", 1},      {"EXPIRED", 3},       {"DELETED", 4},
    {"UNDELIV", 5},   {"ACCEPTD", 6},      {"UNKNOWN", 7},       {"REJECTD", 8},
    {"SCHEDULED", 0}, {"SKIPPED", 9},      {"DELIVERED", 2},     {"UNDELIVERED", 5},
    {"FAILED", 5},    {"ACCEPTED", 6},     {"UNDELIVERABLE", 5}, {"REJECTED", 8},
    {"ACKED", 6},     {"DND_REJECTED", 8}, {"BUFFRED", 6},       {"BUFFERD", 6},
    {"BUFFERED", 6},
};

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

/* Digits of the year first (two or four), then as much of MMDDhhmmss as there is; -1: no date. */
static int64_t read_date(const char *d, size_t n, size_t year_digits)
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
static int64_t read_twelve(const char *d, const struct smpp_receipt_options *options)
{
    int64_t seconds = read_date(d, 12, 2), year_first = read_date(d, 12, 4);
    int64_t offset_ms = options->utc_offset_min * INT64_C(60000);
    if (seconds < 0 || year_first < 0)
        return seconds < 0 ? year_first : seconds;
    if (options->date_year_first || options->date_seconds)
        return options->date_year_first ? year_first : seconds;
    int64_t now = wall_ms() + offset_ms;
    int64_t a = now > seconds ? now - seconds : seconds - now;
    int64_t b = now > year_first ? now - year_first : year_first - now;
    return a <= b ? seconds : year_first;
}

/* Unix ms, -1 where it is no date. */
static int64_t parse_date(struct smpp_str s, const struct smpp_receipt_options *options)
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
        ms = read_date(d, n, 2);
    else if (n == 14 || (n == 12 && separated))
        ms = read_date(d, n, 4);
    else if (n == 12)
        ms = read_twelve(d, options);
    return ms < 0 ? -1 : ms - options->utc_offset_min * INT64_C(60000);
}

static void set_state(struct smpp_receipt *out, int state, bool known)
{
    out->state = known ? state : 7;
    out->state_known = known;
    out->final = known && ((state >= 2 && state <= 5) || state >= 8);
}

/* Only the word at its beginning: "FAILED:Mob. Abst." says FAILED. */
static void state_from_stat(struct smpp_receipt *out)
{
    size_t len = 0;
    while (len < out->stat.len && (is_letter(out->stat.p[len]) || out->stat.p[len] == '_'))
        len++;
    for (size_t i = 0; i < sizeof stats / sizeof stats[0]; i++) {
        if (strlen(stats[i].stat) == len && strncasecmp(stats[i].stat, out->stat.p, len) == 0) {
            set_state(out, stats[i].state, true);
            return;
        }
    }
    set_state(out, 7, false);
}

bool smpp_receipt_parse(const char *text, size_t len, const struct smpp_receipt_options *options,
                        struct smpp_receipt *out)
{
    *out = (struct smpp_receipt){
        .state = -1, .state_known = true, .submit_ms = -1, .done_ms = -1, .reference = -1};
    while (len && text[len - 1] == '\0') /* some count the terminator */
        len--;
    if (len)
        scan_text((struct smpp_str){text, len}, out);
    if (out->stat.len)
        state_from_stat(out);
    out->submit_ms = parse_date(out->submit_date, options);
    out->done_ms = parse_date(out->done_date, options);
    return out->id.len || out->stat.len;
}

static void state_from_tlv(const struct smpp_tlv *tlv, struct smpp_receipt *out)
{
    unsigned state = 0; /* one octet by the book, two by some */
    for (size_t i = 0; i < tlv->len; i++)
        state = state > 9 ? state : state << 8 | tlv->value[i];
    if (tlv->len)
        set_state(out, (int)state, state <= 9);
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

bool smpp_receipt_from_pdu(const struct smpp_pdu *pdu, const struct smpp_receipt_options *options,
                           struct smpp_receipt *out)
{
    if (pdu->command_id != (uint32_t)SMPP_DELIVER_SM && pdu->command_id != (uint32_t)SMPP_DATA_SM)
        return false;
    struct smpp_str text = smpp_pdu_message(pdu);
    struct smpp_str id = smpp_pdu_tlv_str(pdu, SMPP_TLV_RECEIPTED_MESSAGE_ID);
    const struct smpp_tlv *state = smpp_pdu_tlv(pdu, SMPP_TLV_MESSAGE_STATE);
    const struct smpp_tlv *reference = smpp_pdu_tlv(pdu, SMPP_TLV_USER_MESSAGE_REFERENCE);
    smpp_receipt_parse(text.p, text.len, options, out);
    bool by_text = options->without_esm_class && out->id.len && out->stat.len;
    if (!(smpp_pdu_int(pdu, SMPP_F_ESM_CLASS) & ESM_RECEIPT_MASK) && !id.p && !state && !by_text)
        return false;
    if (id.len)
        out->id = id;
    if (state)
        state_from_tlv(state, out);
    if (!out->err.len) {
        struct smpp_str err = network_error(pdu);
        out->err = err.len ? err : out->err;
    }
    if (reference && reference->len == 2)
        out->reference = reference->value[0] << 8 | reference->value[1];
    out->source_addr = smpp_pdu_str(pdu, SMPP_F_SOURCE_ADDR);
    out->destination_addr = smpp_pdu_str(pdu, SMPP_F_DESTINATION_ADDR);
    return true;
}
