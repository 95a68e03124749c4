#include "gateway/json_write.h"

#include <string.h>

/* Octets of the UTF-8 character at p, by RFC 3629 section 4 (nothing over-long, no surrogates);
 * 0: malformed. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static void put_escape(struct wr *w, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = named; *p; p += 2)
        if (c == (uint8_t)*p) {
            wr_u8(w, '\\');
            wr_u8(w, (uint8_t)p[1]);
            return;
        }
    wr_str(w, "\\u00");
    wr_u8(w, (uint8_t)hex[c >> 4]);
    wr_u8(w, (uint8_t)hex[c & 15]);
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void json_write_str(struct wr *w, const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s, *end = p + len;
    wr_u8(w, '"');
    while (p < end) {
        const uint8_t *from = p;
        while (p < end && is_plain(*p))
            p++;
        wr_bytes(w, from, (size_t)(p - from));
        if (p == end)
            break;
        size_t n = utf8_len(p, (size_t)(end - p));
        if (n == 0)
            wr_str(w, "\xef\xbf\xbd");
        else if (n > 1)
            wr_bytes(w, p, n);
        else
            put_escape(w, *p);
        p += n ? n : 1;
    }
    wr_u8(w, '"');
}

void json_write_key(struct wr *w, const char *key)
{
    json_write_str(w, key, strlen(key));
    wr_u8(w, ':');
}
