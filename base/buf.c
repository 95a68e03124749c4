#include "base/buf.h"

#include "base/result.h"

#include <stdio.h>
#include <string.h>

const uint8_t *rd_take(struct rd *r, size_t n)
{
    if (r->bad || n > r->len - r->off) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p + r->off;
    r->off += n;
    return p;
}

uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_take(r, 1);
    return p ? p[0] : 0;
}

uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_take(r, 2);
    return p ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

void wr_bytes(struct wr *w, const void *p, size_t n)
{
    if (w->bad || n > w->cap - w->len) {
        w->bad = true;
        return;
    }
    if (n)
        memcpy(w->p + w->len, p, n);
    w->len += n;
}

static void wr_be(struct wr *w, uint64_t v, size_t n)
{
    uint8_t b[8];
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    wr_bytes(w, b, n);
}

void wr_u8(struct wr *w, uint8_t v)
{
    wr_bytes(w, &v, 1);
}

void wr_u16(struct wr *w, uint16_t v)
{
    wr_be(w, v, 2);
}

void wr_u32(struct wr *w, uint32_t v)
{
    wr_be(w, v, 4);
}

void wr_u64(struct wr *w, uint64_t v)
{
    wr_be(w, v, 8);
}

void wr_str(struct wr *w, const char *s)
{
    wr_bytes(w, s, strlen(s));
}

void wr_dec(struct wr *w, int64_t v)
{
    char b[24];
    char *p = b + sizeof b;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    wr_bytes(w, p, (size_t)(b + sizeof b - p));
}

void wr_end(struct wr *w)
{
    wr_u8(w, 0);
    if (!w->bad)
        w->len--;
}

void hex_encode(const uint8_t *p, size_t n, char *out, bool upper)
{
    const char *d = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = d[p[i] >> 4];
        out[2 * i + 1] = d[p[i] & 15];
    }
    out[2 * n] = 0;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *hex, size_t len, uint8_t *out)
{
    if (len % 2)
        return ERR_INVALID;
    for (size_t i = 0; i < len; i += 2) {
        int hi = hex_value(hex[i]);
        int lo = hex_value(hex[i + 1]);
        if (hi < 0 || lo < 0)
            return ERR_INVALID;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

bool str_copy_n(char *out, size_t size, const char *s, size_t n)
{
    size_t take = n < size ? n : size - 1;
    memcpy(out, s, take);
    out[take] = 0;
    return take == n;
}

bool str_copy(char *out, size_t size, const char *s)
{
    return str_copy_n(out, size, s, strlen(s));
}
