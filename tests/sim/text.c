#include "tests/sim/text.h"

#include "base/buf.h"

#include <stdbool.h>

#define REPLACEMENT 0xfffd
#define GSM_ESCAPE  0x1b

/* 3GPP TS 23.038 section 6.2.1: the default alphabet. */
static const uint16_t gsm[128] = {
    '@',   0xa3, '$',  0xa5,  0xe8, 0xe9,  0xf9,  0xec,  0xf2,  0xc7,  '\n',  0xd8,  0xf8,
    '\r',  0xc5, 0xe5, 0x394, '_',  0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398,
    0x39e, 0xa0, 0xc6, 0xe6,  0xdf, 0xc9,  ' ',   '!',   '"',   '#',   0xa4,  '%',   '&',
    '\'',  '(',  ')',  '*',   '+',  ',',   '-',   '.',   '/',   '0',   '1',   '2',   '3',
    '4',   '5',  '6',  '7',   '8',  '9',   ':',   ';',   '<',   '=',   '>',   '?',   0xa1,
    'A',   'B',  'C',  'D',   'E',  'F',   'G',   'H',   'I',   'J',   'K',   'L',   'M',
    'N',   'O',  'P',  'Q',   'R',  'S',   'T',   'U',   'V',   'W',   'X',   'Y',   'Z',
    0xc4,  0xd6, 0xd1, 0xdc,  0xa7, 0xbf,  'a',   'b',   'c',   'd',   'e',   'f',   'g',
    'h',   'i',  'j',  'k',   'l',  'm',   'n',   'o',   'p',   'q',   'r',   's',   't',
    'u',   'v',  'w',  'x',   'y',  'z',   0xe4,  0xf6,  0xf1,  0xfc,  0xe0,
};

/* Section 6.2.1.1: the extension table. */
static uint16_t gsm_extended(uint8_t c)
{
    static const struct {
        uint8_t code;
        uint16_t point;
    } rows[] = {{0x0a, '\f'}, {0x14, '^'}, {0x28, '{'}, {0x29, '}'}, {0x2f, '\\'},
                {0x3c, '['},  {0x3d, '~'}, {0x3e, ']'}, {0x40, '|'}, {0x65, 0x20ac}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == c)
            return rows[i].point;
    return c < 128 ? gsm[c] : REPLACEMENT;
}

/* At most three octets for a point of the basic plane, four beyond. */
static char *put_point(char *o, uint32_t c)
{
    if (!c)
        c = REPLACEMENT;
    if (c < 0x80) {
        *o++ = (char)c;
        return o;
    }
    if (c < 0x800) {
        *o++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *o++ = (char)(0xe0 | c >> 12);
        } else {
            *o++ = (char)(0xf0 | c >> 18);
            *o++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *o++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *o++ = (char)(0x80 | (c & 0x3f));
    return o;
}

enum alphabet text_alphabet(uint8_t data_coding, enum alphabet plain)
{
    static const enum alphabet smpp[16] = {
        [1] = ALPHABET_ASCII,   [2] = ALPHABET_BINARY,  [3] = ALPHABET_LATIN1,
        [4] = ALPHABET_BINARY,  [5] = ALPHABET_BINARY,  [6] = ALPHABET_BINARY,
        [7] = ALPHABET_BINARY,  [8] = ALPHABET_UCS2,    [9] = ALPHABET_BINARY,
        [10] = ALPHABET_BINARY, [11] = ALPHABET_BINARY, [12] = ALPHABET_BINARY,
        [13] = ALPHABET_BINARY, [14] = ALPHABET_BINARY, [15] = ALPHABET_BINARY};
    if (data_coding == 0)
        return plain;
    if (data_coding < 16)
        return smpp[data_coding];
    if (data_coding >= 0xf0) /* 3GPP TS 23.038: data coding and message class */
        return data_coding & 4 ? ALPHABET_BINARY : ALPHABET_GSM;
    if (data_coding < 0x40) /* general data coding: bits 3 and 2 */
        return (data_coding & 0xc) == 0   ? ALPHABET_GSM
               : (data_coding & 0xc) == 8 ? ALPHABET_UCS2
                                          : ALPHABET_BINARY;
    return ALPHABET_BINARY;
}

static char *decode_gsm(const uint8_t *p, size_t n, char *o)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == GSM_ESCAPE && i + 1 < n)
            o = put_point(o, gsm_extended(p[++i]));
        else
            o = put_point(o, p[i] < 128 ? gsm[p[i]] : REPLACEMENT);
    }
    return o;
}

/* 3GPP TS 23.038 section 6.1.2.1: the first character in the lowest bits.  Seven bits left over are
 * no character where they hold a carriage return or nothing. */
static char *decode_packed(const uint8_t *p, size_t n, size_t udh, char *o)
{
    size_t bit = udh % 7 ? 7 - udh % 7 : 0; /* 8 udh octets are udh modulo 7 */
    bool escaped = false;
    for (; bit + 7 <= 8 * n; bit += 7) {
        unsigned held = 0;
        for (size_t i = 0; i < 7; i++)
            held |= (unsigned)(p[(bit + i) / 8] >> (bit + i) % 8 & 1) << i;
        if (bit + 7 == 8 * n && (held == 0 || held == '\r'))
            break;
        if (escaped)
            o = put_point(o, gsm_extended((uint8_t)held));
        else if (held != GSM_ESCAPE)
            o = put_point(o, gsm[held]);
        escaped = !escaped && held == GSM_ESCAPE;
    }
    return escaped ? put_point(o, gsm[GSM_ESCAPE]) : o;
}

static char *decode_ucs2(const uint8_t *p, size_t n, char *o)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        uint32_t c = (uint32_t)p[i] << 8 | p[i + 1];
        uint32_t low = i + 3 < n ? (uint32_t)p[i + 2] << 8 | p[i + 3] : 0;
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
            i += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = REPLACEMENT;
        }
        o = put_point(o, c);
    }
    return n % 2 ? put_point(o, REPLACEMENT) : o;
}

static char *decode_octets(const uint8_t *p, size_t n, char *o, uint8_t top)
{
    for (size_t i = 0; i < n; i++)
        o = put_point(o, p[i] <= top ? p[i] : REPLACEMENT);
    return o;
}

size_t text_decode(enum alphabet a, const uint8_t *p, size_t n, size_t udh, char *out)
{
    char *o = out;
    switch (a) {
    case ALPHABET_GSM:
        o = decode_gsm(p, n, out);
        break;
    case ALPHABET_LATIN1:
        o = decode_octets(p, n, out, 0xff);
        break;
    case ALPHABET_ASCII:
        o = decode_octets(p, n, out, 0x7f);
        break;
    case ALPHABET_PACKED:
        o = decode_packed(p, n, udh, out);
        break;
    case ALPHABET_UCS2:
        o = decode_ucs2(p, n, out);
        break;
    case ALPHABET_BINARY:
        hex_encode(p, n, out, true);
        o = out + 2 * n;
        break;
    }
    *o = 0;
    return (size_t)(o - out);
}
