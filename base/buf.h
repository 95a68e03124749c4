/*
 * Bounded readers and writers over memory that somebody else owns.
 *
 * Neither allocates.  A read or write past the end changes nothing but the flag `bad`, and every
 * later call does nothing, so a caller checks once at the end.  Integers are big-endian (network
 * order), as in SMPP 3.4 section 3.1.  A writer of text keeps room for a NUL.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
    const uint8_t *p;
    size_t len;
    size_t off;
    bool bad;
};

struct wr {
    uint8_t *p;
    size_t cap;
    size_t len;
    bool bad;
};

static inline struct rd rd_init(const void *p, size_t len)
{
    return (struct rd){(const uint8_t *)p, len, 0, false};
}
static inline size_t rd_left(const struct rd *r)
{
    return r->len - r->off;
}
/* A view of n octets, or NULL. */
const uint8_t *rd_take(struct rd *r, size_t n);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);

static inline struct wr wr_init(void *p, size_t cap)
{
    return (struct wr){(uint8_t *)p, cap, 0, false};
}
void wr_bytes(struct wr *w, const void *p, size_t n);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
/* The string without its NUL. */
void wr_str(struct wr *w, const char *s);
/* Decimal digits. */
void wr_dec(struct wr *w, int64_t v);
/* Puts a NUL behind what is there (not counted); bad when there is no room. */
void wr_end(struct wr *w);

/* Lower- or upper-case hex of n octets and a NUL: out has 2n + 1 octets. */
void hex_encode(const uint8_t *p, size_t n, char *out, bool upper);
/* len is even and every character a hex digit of either case, or ERR_INVALID. */
int hex_decode(const char *hex, size_t len, uint8_t *out) __attribute__((warn_unused_result));
/* Value of a hex digit, -1 for another character. */
int hex_value(char c);

/* A copy of at most size - 1 octets and a NUL; false when it was cut. */
bool str_copy(char *out, size_t size, const char *s);
bool str_copy_n(char *out, size_t size, const char *s, size_t n);

#endif
