#include "tests/sim/msg.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_TRIED 64

int msg_ring_init(struct msg_ring *r, int64_t size, int64_t first)
{
    r->size = 64;
    while (r->size < (size_t)size)
        r->size *= 2;
    /* 2020 is the start; 2^18 ids a second keep the numbers of two runs apart, within 2^47 */
    r->next = first ? (uint64_t)first : (uint64_t)(wall_ms() / 1000 - 1577836800) << 18;
    r->slots = calloc(r->size, sizeof *r->slots);
    return r->slots ? ERR_OK : ERR_NOMEM;
}

void msg_ring_clear(struct msg_ring *r)
{
    free(r->slots);
    r->slots = NULL;
}

struct msg *msg_take(struct msg_ring *r)
{
    for (int i = 0; i < SLOTS_TRIED; i++) {
        uint64_t n = r->next++;
        struct msg *m = &r->slots[n & (r->size - 1)];
        if (m->phase != MSG_DONE)
            continue;
        memset(m, 0, sizeof *m);
        m->n = n;
        return m;
    }
    return NULL;
}

struct msg *msg_find(struct msg_ring *r, uint64_t n)
{
    struct msg *m = &r->slots[n & (r->size - 1)];
    return n && m->n == n ? m : NULL;
}

static size_t put_base(uint64_t v, unsigned base, bool upper, char *out)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char d[20];
    size_t i = sizeof d;
    do {
        d[--i] = digits[v % base];
        v /= base;
    } while (v);
    memcpy(out, d + i, sizeof d - i);
    out[sizeof d - i] = 0;
    return sizeof d - i;
}

#define MASK48 0xffffffffffffu
#define SPREAD 0x9e3779b97f4bu /* odd, so that multiplying by it can be undone modulo 2^48 */

/* The first 48 bits are n, spread; the others follow from n too. */
static void put_uuid(uint64_t n, char *out)
{
    struct dice d = {n};
    uint64_t rest = dice_u64(&d);
    uint8_t b[16];
    struct wr w = wr_init(b, sizeof b);
    wr_u64(&w, (n * SPREAD & MASK48) << 16 | 0x4000 | (rest & 0xfff));
    wr_u64(&w, (0x8000 | (rest >> 12 & 0x3fff)) << 48 | rest >> 16);
    static const uint8_t cut[] = {0, 4, 6, 8, 10, 16};
    for (size_t i = 0; i < 5; i++) {
        size_t len = cut[i + 1] - cut[i];
        hex_encode(b + cut[i], len, out, false);
        out += 2 * len;
        *out++ = i < 4 ? '-' : 0;
    }
}

static uint64_t read_uuid(const char *id)
{
    uint64_t undo = SPREAD;
    for (int i = 0; i < 5; i++) /* Newton: each step doubles the good bits */
        undo *= 2 - SPREAD * undo;
    char hex[13];
    if (strlen(id) != MSG_ID_SIZE - 1)
        return 0;
    memcpy(hex, id, 8);
    memcpy(hex + 8, id + 9, 4);
    hex[12] = 0;
    return strtoull(hex, NULL, 16) * undo & MASK48;
}

void msg_id(uint64_t n, enum id_form form, char out[MSG_ID_SIZE])
{
    switch (form) {
    case ID_DEC:
        put_base(n, 10, false, out);
        break;
    case ID_HEX:
        put_base(n, 16, false, out);
        break;
    case ID_UPPER_HEX:
        put_base(n, 16, true, out);
        break;
    case ID_DEC_10: {
        size_t len = put_base(n, 10, false, out);
        if (len < 10) {
            memmove(out + 10 - len, out, len + 1);
            memset(out, '0', 10 - len);
        }
        break;
    }
    case ID_UUID:
        put_uuid(n, out);
        break;
    }
}

struct msg *msg_find_id(struct msg_ring *r, const char *id, enum id_form form)
{
    bool is_decimal = form == ID_DEC || form == ID_DEC_10;
    uint64_t n = form == ID_UUID ? read_uuid(id) : strtoull(id, NULL, is_decimal ? 10 : 16);
    char again[MSG_ID_SIZE];
    msg_id(n, form, again);
    return strcasecmp(id, again) == 0 ? msg_find(r, n) : NULL;
}

const char *msg_state_name(enum msg_state state)
{
    static const char *const names[] = {"UNKNOWN", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED",
                                        "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"};
    return names[state <= STATE_REJECTED ? state : 0];
}
