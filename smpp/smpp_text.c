#include "smpp/smpp_text.h"

#include "base/result.h"

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

static bool octets_have(enum smpp_alphabet alphabet, uint32_t cp)
{
    if (cp == '\n' || cp == '\r' || (cp >= 0x20 && cp <= 0x7E))
        return true;
    return alphabet == SMPP_LATIN1 && cp >= 0xA0 && cp <= 0xFF;
}

/* How a text divides into messages of which each holds so much; nothing is cut in two. */
struct count {
    size_t single;   /* room of a message that stands alone */
    size_t per_part; /* room beside a concatenation header */
    size_t total;
    size_t full_parts;
    size_t used; /* in the part after them */
};

static void count_add(struct count *c, size_t cost)
{
    c->total += cost;
    if (c->used + cost > c->per_part) {
        c->full_parts++;
        c->used = 0;
    }
    c->used += cost;
}

static int count_segments(const struct count *c)
{
    return c->total <= c->single ? 1 : (int)c->full_parts + 1;
}

struct measure {
    bool native;  /* the bind's default alphabet holds every character */
    int segments; /* in the coding that is taken */
};

/*
 * What a handset gets for data_coding 0 is the operator's choice: septets when every character is
 * in GSM 03.38 (whatever the bind takes on its side), else octets.
 */
static int measure(const char *utf8, size_t len, enum smpp_alphabet alphabet, struct measure *out)
{
    struct count septets = {160, 153, 0, 0, 0};
    struct count octets = {140, 134, 0, 0, 0};
    struct count units = {70, 67, 0, 0, 0};
    bool native = true, gsm = true;
    const uint8_t *p = (const uint8_t *)utf8, *end = p + len;
    while (p < end) {
        uint32_t cp;
        if (!utf8_next(&p, end, &cp))
            return ERR_INVALID;
        int code = gsm_code(cp);
        gsm = gsm && code >= 0;
        native = native && (alphabet == SMPP_GSM ? code >= 0 : octets_have(alphabet, cp));
        count_add(&septets, code > 0xFF ? 2 : 1);
        count_add(&octets, 1);
        count_add(&units, cp > 0xFFFF ? 2 : 1);
    }
    out->native = native;
    out->segments = count_segments(!native ? &units : gsm ? &septets : &octets);
    return ERR_OK;
}

int smpp_text_segments(const char *utf8, size_t len, enum smpp_alphabet alphabet)
{
    struct measure m;
    int err = measure(utf8, len, alphabet, &m);
    return err ? err : m.segments;
}

static void put_u16(struct smpp_text *out, uint32_t v)
{
    out->octets[out->len++] = (uint8_t)(v >> 8);
    out->octets[out->len++] = (uint8_t)v;
}

static void put_utf16(struct smpp_text *out, uint32_t cp)
{
    if (cp <= 0xFFFF) {
        put_u16(out, cp);
        return;
    }
    cp -= 0x10000;
    put_u16(out, 0xD800 | cp >> 10);
    put_u16(out, 0xDC00 | (cp & 0x3FF));
}

static void put_native(struct smpp_text *out, uint32_t cp, enum smpp_alphabet alphabet)
{
    int code = alphabet == SMPP_GSM ? gsm_code(cp) : (int)cp;
    if (alphabet == SMPP_GSM && code > 0xFF)
        out->octets[out->len++] = ESC;
    out->octets[out->len++] = (uint8_t)code;
}

/* One segment is at most 160 octets, so that it always has room. */
_Static_assert(SMPP_TEXT_MAX >= 160, "a segment fits");

int smpp_text_encode(const char *utf8, size_t len, enum smpp_alphabet alphabet,
                     struct smpp_text *out)
{
    struct measure m;
    out->len = 0;
    out->segments = 0;
    if (measure(utf8, len, alphabet, &m))
        return ERR_INVALID;
    out->data_coding = m.native ? 0 : 8;
    out->segments = m.segments;
    if (m.segments > 1)
        return ERR_TOOLONG;
    const uint8_t *p = (const uint8_t *)utf8, *end = p + len;
    uint32_t cp;
    while (p < end && utf8_next(&p, end, &cp)) {
        if (m.native)
            put_native(out, cp, alphabet);
        else
            put_utf16(out, cp);
    }
    return ERR_OK;
}

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

static void decode_gsm(const uint8_t *p, size_t len, struct sink *s)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t cp = REPLACEMENT;
        if (p[i] == ESC && i + 1 < len && p[i + 1] < 128 && gsm_extension[p[i + 1]])
            cp = gsm_extension[p[++i]];
        else if (p[i] < 128 && p[i] != ESC)
            cp = gsm_default[p[i]];
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

/* 5.2.19; 0x10 and 0x18 are class 0 ("flash") of 0 and 8, 0xF0 to 0xFF say class and 8-bit. */
static void decode_by(uint8_t data_coding, enum smpp_alphabet alphabet, const uint8_t *p,
                      size_t len, struct sink *s)
{
    bool is_default = data_coding == 0 || data_coding == 0x10 || (data_coding & 0xF4) == 0xF0;
    if (data_coding == 8 || data_coding == 0x18)
        decode_utf16(p, len, s);
    else if (is_default && alphabet == SMPP_GSM)
        decode_gsm(p, len, s);
    else if (data_coding == 3 || (is_default && alphabet == SMPP_LATIN1))
        decode_octets(p, len, 0xFF, s);
    else
        decode_octets(p, len, 0x7F, s);
}

size_t smpp_text_decode(const uint8_t *p, size_t len, uint8_t data_coding,
                        enum smpp_alphabet alphabet, char *out, size_t size)
{
    struct sink s = {out, size, 0};
    if (size == 0)
        return 0;
    decode_by(data_coding, alphabet, p, len, &s);
    out[s.len] = '\0';
    return s.len;
}
