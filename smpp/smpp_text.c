#include "smpp/smpp_text.h"

#include "base/result.h"

#include <string.h>

#define ESC         0x1b
#define REPLACEMENT 0xFFFD

/* The next character of strict UTF-8: no over-long forms, surrogates or values over 0x10FFFF. */
static bool utf8_next(const uint8_t **p, const uint8_t *end, uint32_t *cp)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    uint8_t first = *(*p)++;
    int more = first < 0x80 ? 0 : first < 0xC0 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (more < 0 || first > 0xF4 || end - *p < more)
        return false;
    uint32_t c = more ? first & (0x3Fu >> more) : first;
    for (int i = 0; i < more; i++) {
        uint8_t next = *(*p)++;
        if ((next & 0xC0) != 0x80)
            return false;
        c = c << 6 | (next & 0x3F);
    }
    *cp = c;
    return c >= smallest[more] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

static const uint16_t gsm_default[128] = {
#define GSM(code, unicode) [code] = unicode,
#include "smpp/smpp_gsm.def"
};
static const uint16_t gsm_extension[128] = {
#define GSM_EXT(code, unicode) [code] = unicode,
#include "smpp/smpp_gsm.def"
};

/* The code in GSM 03.38, ESC << 8 | code for one of the extension table, -1 for none. */
static int gsm_code(uint32_t cp)
{
    if (cp < 128 && gsm_default[cp] == cp) /* letters and digits stand where ASCII has them */
        return (int)cp;
    switch (cp) {
#define GSM(code, unicode)                                                                         \
    case unicode:                                                                                  \
        return code;
#define GSM_EXT(code, unicode)                                                                     \
    case unicode:                                                                                  \
        return ESC << 8 | code;
#include "smpp/smpp_gsm.def"
    default:
        return -1;
    }
}

static bool is_gsm(enum smpp_alphabet alphabet)
{
    return alphabet == SMPP_GSM || alphabet == SMPP_GSM_PACKED;
}

static bool is_latin1(enum smpp_alphabet alphabet)
{
    return alphabet == SMPP_LATIN1 || alphabet == SMPP_LATIN1_3;
}

static bool octets_have(enum smpp_alphabet alphabet, uint32_t cp)
{
    if (cp == '\n' || cp == '\r' || (cp >= 0x20 && cp <= 0x7E))
        return true;
    return is_latin1(alphabet) && cp >= 0xA0 && cp <= 0xFF;
}

/* --- segments --- */

static const struct room {
    size_t single;   /* of a message that stands alone */
    size_t per_part; /* beside a concatenation header */
} rooms[] = {
    [SMPP_SEPTETS] = {160, 153},
    [SMPP_OCTETS] = {140, 134},
    [SMPP_UNITS] = {70, 67},
};

static size_t cost_of(enum smpp_unit unit, uint32_t cp)
{
    if (unit == SMPP_SEPTETS)
        return gsm_code(cp) > 0xFF ? 2 : 1;
    return unit == SMPP_UNITS && cp > 0xFFFF ? 2 : 1;
}

/* How a text divides into parts; nothing is cut in two. */
struct count {
    enum smpp_unit unit;
    size_t full_parts;
    size_t used; /* in the part after them */
};

/* True: this character begins another part. */
static bool count_add(struct count *c, uint32_t cp)
{
    size_t cost = cost_of(c->unit, cp);
    bool begins = c->used + cost > rooms[c->unit].per_part;
    c->full_parts += begins;
    c->used = (begins ? 0 : c->used) + cost;
    return begins;
}

static int count_parts(const char *utf8, size_t len, enum smpp_unit unit)
{
    struct count c = {.unit = unit};
    const uint8_t *p = (const uint8_t *)utf8, *end = p + len;
    uint32_t cp;
    while (p < end && utf8_next(&p, end, &cp))
        count_add(&c, cp);
    return (int)c.full_parts + 1;
}

struct measure {
    bool native, gsm; /* the bind's default alphabet, or GSM 03.38, holds every character */
    size_t septets, octets, units;
};

static int measure(const char *utf8, size_t len, enum smpp_alphabet alphabet, struct measure *out)
{
    const uint8_t *p = (const uint8_t *)utf8, *end = p + len;
    struct measure m = {.native = true, .gsm = true};
    bool to_gsm = is_gsm(alphabet);
    while (p < end) {
        uint32_t cp;
        if (!utf8_next(&p, end, &cp))
            return ERR_INVALID;
        int code = gsm_code(cp);
        m.gsm = m.gsm && code >= 0;
        m.native = m.native && (to_gsm ? code >= 0 : octets_have(alphabet, cp));
        m.septets += code > 0xFF ? 2 : 1;
        m.octets++;
        m.units += cp > 0xFFFF ? 2 : 1;
    }
    *out = m;
    return ERR_OK;
}

/*
 * What a handset gets for the default alphabet is the operator's choice: septets when every
 * character is in GSM 03.38 (whatever the bind takes on its side), else octets.
 */
int smpp_text_form(const char *utf8, size_t len, enum smpp_alphabet alphabet,
                   struct smpp_text_form *out)
{
    struct measure m;
    if (measure(utf8, len, alphabet, &m))
        return ERR_INVALID;
    enum smpp_unit unit = !m.native ? SMPP_UNITS : m.gsm ? SMPP_SEPTETS : SMPP_OCTETS;
    size_t total = !m.native ? m.units : m.gsm ? m.septets : m.octets;
    *out = (struct smpp_text_form){
        .alphabet = alphabet,
        .unit = unit,
        .data_coding = !m.native                   ? 8
                       : alphabet == SMPP_LATIN1_3 ? 3
                                                   : 0,
        .is_packed = m.native && alphabet == SMPP_GSM_PACKED,
        .segments = total <= rooms[unit].single ? 1 : count_parts(utf8, len, unit),
        .octets = !m.native          ? 2 * m.units
                  : is_gsm(alphabet) ? m.septets
                                     : m.octets,
    };
    return ERR_OK;
}

int smpp_text_segments(const char *utf8, size_t len, enum smpp_alphabet alphabet)
{
    struct smpp_text_form form;
    int err = smpp_text_form(utf8, len, alphabet, &form);
    return err ? err : form.segments;
}

/* --- to octets --- */

static uint8_t *put_u16(uint8_t *out, uint32_t v)
{
    *out++ = (uint8_t)(v >> 8);
    *out++ = (uint8_t)v;
    return out;
}

static uint8_t *put_utf16(uint8_t *out, uint32_t cp)
{
    if (cp <= 0xFFFF)
        return put_u16(out, cp);
    cp -= 0x10000;
    return put_u16(put_u16(out, 0xD800 | cp >> 10), 0xDC00 | (cp & 0x3FF));
}

static uint8_t *put_native(uint8_t *out, uint32_t cp, enum smpp_alphabet alphabet)
{
    int code = is_gsm(alphabet) ? gsm_code(cp) : (int)cp;
    if (is_gsm(alphabet) && code > 0xFF)
        *out++ = ESC;
    *out++ = (uint8_t)code;
    return out;
}

void smpp_text_write(const char *utf8, size_t len, const struct smpp_text_form *form, uint8_t *out,
                     uint16_t ends[])
{
    const uint8_t *p = (const uint8_t *)utf8, *end = p + len, *start = out;
    struct count c = {.unit = form->unit};
    uint32_t cp;
    while (p < end && utf8_next(&p, end, &cp)) {
        if (form->segments > 1 && count_add(&c, cp))
            ends[c.full_parts - 1] = (uint16_t)(out - start);
        out = form->unit == SMPP_UNITS ? put_utf16(out, cp) : put_native(out, cp, form->alphabet);
    }
    ends[c.full_parts] = (uint16_t)(out - start);
}

/* --- seven bits a character (GSM 03.38, 6.1.2) --- */

size_t smpp_text_pack(const uint8_t *septets, size_t n, unsigned fill, uint8_t *out)
{
    size_t len = (fill + 7 * n + 7) / 8;
    memset(out, 0, len);
    /* Seven bits left over would be read as an @. */
    bool pad = 8 * len - fill - 7 * n == 7;
    for (size_t i = 0; i < n + pad; i++) {
        size_t bit = fill + 7 * i;
        unsigned v = (i < n ? septets[i] & 0x7Fu : '\r') << bit % 8;
        out[bit / 8] |= (uint8_t)v;
        if (v > 0xFF)
            out[bit / 8 + 1] |= (uint8_t)(v >> 8);
    }
    return len;
}

struct septets {
    const uint8_t *p;
    size_t n;
    bool is_packed;
    unsigned fill;
};

static uint8_t septet_at(const struct septets *s, size_t i)
{
    if (!s->is_packed)
        return s->p[i];
    size_t bit = s->fill + 7 * i;
    unsigned v = s->p[bit / 8] >> bit % 8;
    if (bit % 8 > 1)
        v |= (unsigned)s->p[bit / 8 + 1] << (8 - bit % 8);
    return v & 0x7F;
}

/* The last one of a number of bits that septets fill is padding where it can be. */
static struct septets packed_septets(const uint8_t *p, size_t len, unsigned fill)
{
    struct septets s = {p, len ? (8 * len - fill) / 7 : 0, true, fill};
    if (s.n && (8 * len - fill) % 7 == 0) {
        uint8_t last = septet_at(&s, s.n - 1);
        s.n -= last == 0 || last == '\r';
    }
    return s;
}

/* --- from octets --- */

struct sink {
    char *p;
    size_t size;
    size_t len;
};

/* False: no room.  NUL would end the string for its reader. */
static bool sink_put(struct sink *s, uint32_t cp)
{
    char b[4];
    size_t n = 0;
    if (cp == 0)
        cp = REPLACEMENT;
    if (cp < 0x80) {
        b[n++] = (char)cp;
    } else {
        int more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
        b[n++] = (char)((0xFF00u >> (more + 1) & 0xFF) | cp >> (6 * more));
        while (more-- > 0)
            b[n++] = (char)(0x80 | (cp >> (6 * more) & 0x3F));
    }
    if (s->len + n >= s->size)
        return false;
    for (size_t i = 0; i < n; i++)
        s->p[s->len++] = b[i];
    return true;
}

static void decode_gsm(const struct septets *from, struct sink *s)
{
    for (size_t i = 0; i < from->n; i++) {
        uint32_t cp = REPLACEMENT;
        uint8_t code = septet_at(from, i);
        uint8_t next = code == ESC && i + 1 < from->n ? septet_at(from, i + 1) : 0x80;
        if (next < 128 && gsm_extension[next]) {
            cp = gsm_extension[next];
            i++;
        } else if (code < 128 && code != ESC) {
            cp = gsm_default[code];
        }
        if (!sink_put(s, cp))
            return;
    }
}

static void decode_octets(const uint8_t *p, size_t len, uint8_t last, struct sink *s)
{
    for (size_t i = 0; i < len; i++)
        if (!sink_put(s, p[i] <= last ? p[i] : REPLACEMENT))
            return;
}

static uint32_t unit_at(const uint8_t *p, size_t i)
{
    return (uint32_t)(p[i] << 8 | p[i + 1]);
}

static void decode_utf16(const uint8_t *p, size_t len, struct sink *s)
{
    size_t i = len >= 2 && unit_at(p, 0) == 0xFEFF ? 2 : 0; /* a byte order mark is no text */
    while (i < len) {
        uint32_t cp = i + 1 < len ? unit_at(p, i) : REPLACEMENT;
        i += 2;
        if (cp >= 0xD800 && cp <= 0xDFFF) {
            uint32_t low = cp <= 0xDBFF && i + 1 < len ? unit_at(p, i) : 0;
            bool pair = low >= 0xDC00 && low <= 0xDFFF;
            cp = pair ? 0x10000 + ((cp & 0x3FF) << 10) + (low & 0x3FF) : REPLACEMENT;
            i += pair ? 2 : 0;
        }
        if (!sink_put(s, cp))
            return;
    }
}

/* Bits between a user data header and the first septet after it. */
static unsigned fill_after(size_t udh_len)
{
    return (unsigned)((7 - 8 * udh_len % 7) % 7);
}

size_t smpp_text_unpack(const uint8_t *p, size_t len, size_t udh_len, uint8_t *out)
{
    struct septets s = packed_septets(p, len, fill_after(udh_len));
    for (size_t i = 0; i < s.n; i++)
        out[i] = septet_at(&s, i);
    return s.n;
}

/* 0x10 to 0x1B are 0, 4 and 8 with a message class (3GPP TS 23.038, 4; class 0 is "flash"); 0xF0 to
 * 0xFF say class and 8-bit. */
bool smpp_text_is_default(uint8_t data_coding)
{
    return data_coding == 0 || (data_coding & 0xFC) == 0x10 || (data_coding & 0xF4) == 0xF0;
}

bool smpp_text_is_binary(uint8_t data_coding)
{
    return data_coding == 2 || data_coding == 4 || (data_coding & 0xFC) == 0x14 ||
           (data_coding & 0xF4) == 0xF4;
}

static void decode_by(const struct smpp_coded *c, struct sink *s)
{
    bool is_default = smpp_text_is_default(c->data_coding);
    const uint8_t *p = c->p + c->udh_len;
    size_t len = c->len - c->udh_len;
    struct septets septets = {p, len, false, 0};
    if (is_default && c->alphabet == SMPP_GSM_PACKED)
        septets = packed_septets(p, len, fill_after(c->udh_len));
    if (c->data_coding == 8 || (c->data_coding & 0xFC) == 0x18)
        decode_utf16(p, len, s);
    else if (is_default && (is_gsm(c->alphabet) || c->alphabet == SMPP_LATIN1_3))
        decode_gsm(&septets, s);
    else if (c->data_coding == 3 || (is_default && c->alphabet == SMPP_LATIN1))
        decode_octets(p, len, 0xFF, s);
    else
        decode_octets(p, len, 0x7F, s);
}

size_t smpp_text_decode(const struct smpp_coded *c, char *out, size_t size)
{
    struct sink s = {out, size, 0};
    if (size == 0)
        return 0;
    decode_by(c, &s);
    out[s.len] = '\0';
    return s.len;
}
