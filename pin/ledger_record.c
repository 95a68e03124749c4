#include "pin/ledger_private.h"

#include <string.h>

#define RECORD_MAX_FIELDS 128

static bool read_state(struct pin_record *out, struct rd *r)
{
    out->state = (enum pin_state)rd_u8(r);
    out->n_attempts = rd_u8(r);
    out->attempts_remaining = rd_u16(r);
    rd_u32(r); /* order */
    out->verified_ms = pin_rd_u48(r);
    out->expires_ms = pin_rd_u48(r);
    return !r->bad && out->n_attempts <= PIN_ATTEMPTS_MAX;
}

static bool read_fixed(struct pin_record *out, struct rd *r)
{
    out->created_ms = pin_rd_u48(r); /* the life as yet, see pin_record_read() */
    out->key_id = rd_u32(r);
    out->step = (int64_t)((uint64_t)rd_u32(r) << 32);
    out->step |= rd_u32(r);
    out->spec.type = (enum pin_type)rd_u8(r);
    out->spec.length = rd_u8(r);
    out->spec.no_look_alikes = rd_u8(r) != 0;
    out->template_revision = rd_u32(r);
    return !r->bad;
}

static bool read_owner(struct pin_record *out, const char *account, struct rd *r)
{
    const char *s = (const char *)r->p;
    const char *blank = memchr(s, ' ', r->len);
    size_t n = strlen(account);

    if (strcmp(account, ANY_ACCOUNT) == 0)
        return blank &&
               msisdn_parse(blank + 1, r->len - (size_t)(blank + 1 - s), &out->msisdn) == 0;
    return r->len > n + 1 && memcmp(s, account, n) == 0 && s[n] == ' ' &&
           msisdn_parse(s + n + 1, r->len - n - 1, &out->msisdn) == 0;
}

static bool read_attempt(struct pin_attempt *a, struct rd *r)
{
    a->state = (enum pin_attempt_state)rd_u8(r);
    a->sent_ms = pin_rd_u48(r);
    a->done_ms = pin_rd_u48(r);
    rd_take(r, 2 * ACT_RID_SIZE);
    if (a->state == PIN_ATT_NOT_SENT)
        a->sent_ms = 0;
    return !r->bad &&
           str_copy_n(a->carrier, sizeof a->carrier, (const char *)r->p + r->off, rd_left(r));
}

/* A piece of an array of octets of the given size, which stays within it. */
static bool read_piece(uint8_t *to, size_t size, size_t piece, const struct rd *r)
{
    if (piece * PIECE + r->len > size)
        return false;
    memcpy(to + piece * PIECE, r->p, r->len);
    return true;
}

#define SEGMENT_DELIVERED (PIN_ATT_DELIVERED + 128)

static bool read_segments(struct pin_attempt *a, const struct rd *r)
{
    a->segments = (uint32_t)r->len;
    a->segments_delivered = 0;
    for (size_t i = 0; i < r->len; i++)
        a->segments_delivered += r->p[i] == SEGMENT_DELIVERED;
    return r->len <= PIN_SEGMENTS_MAX;
}

static bool read_numbered(struct pin_record *out, const char *name, size_t len, struct rd *r)
{
    size_t i = (size_t)(name[1] - '1');
    size_t piece = len > 2 ? (size_t)(name[2] - 'a') : 0;

    if (i >= PIN_ATTEMPTS_MAX || len > 3)
        return false;
    struct pin_attempt *a = &out->attempts[i];
    if (name[0] == 'c')
        return read_attempt(a, r);
    if (name[0] == 'e')
        return str_copy_n(a->err, sizeof a->err, (const char *)r->p, r->len);
    if (name[0] == 'g')
        return read_segments(a, r);
    if (name[0] == 'q')
        return true;
    return read_piece((uint8_t *)a->message_id, sizeof a->message_id - 1, piece, r);
}

static bool read_sealed(struct pin_record *out, const char *name, size_t len, struct rd *r)
{
    size_t piece = 0;

    for (size_t i = 1; i < len; i++)
        piece = piece * 10 + (size_t)(name[i] - '0');
    if (piece * PIECE + r->len > out->sealed_len)
        out->sealed_len = piece * PIECE + r->len;
    return piece < PIN_SEAL_MAX / PIECE && read_piece(out->sealed, PIN_SEAL_MAX, piece, r);
}

static bool read_field(struct pin_record *out, const char *account, const char *name, size_t len,
                       struct rd *r)
{
    const char *text = (const char *)r->p;

    if (len > 1)
        return name[0] == 'x' ? read_sealed(out, name, len, r) : read_numbered(out, name, len, r);
    switch (name[0]) {
    case 's':
        return read_state(out, r);
    case 'l':
        return read_fixed(out, r);
    case 'a':
        return read_owner(out, account, r);
    case 'p':
        return r->len == 2 * APP_LEN &&
               str_copy_n(out->app_id, sizeof out->app_id, text, APP_LEN) &&
               str_copy_n(out->template_id, sizeof out->template_id, text + APP_LEN, APP_LEN);
    case 'n':
        return read_piece(out->nonce, sizeof out->nonce, 0, r);
    default:
        return true;
    }
}

bool pin_record_read(struct pin_record *out, const char *account, const struct store_reply *fields)
{
    size_t n = store_reply_len(fields);

    memset(out, 0, sizeof *out);
    if (n == 0 || n > 2 * RECORD_MAX_FIELDS)
        return false;
    for (size_t i = 0; i + 1 < n; i += 2) {
        size_t name_len = 0, len = 0;
        const char *name = store_reply_str(store_reply_at(fields, i), &name_len);
        const char *value = store_reply_str(store_reply_at(fields, i + 1), &len);
        struct rd r = rd_init(value, len);
        if (name == NULL || value == NULL || name_len == 0 ||
            !read_field(out, account, name, name_len, &r))
            return false;
    }
    out->created_ms = out->expires_ms - out->created_ms;
    return out->msisdn.len > 0 && out->n_attempts > 0;
}

void pin_record_at(struct pin_record *r, int64_t now_ms, uint32_t in_doubt_ms)
{
    if ((r->state == PIN_PENDING || r->state == PIN_LIVE) && now_ms >= r->expires_ms)
        r->state = PIN_EXPIRED;
    for (uint32_t i = 0; i < r->n_attempts; i++) {
        struct pin_attempt *a = &r->attempts[i];
        if (a->state == PIN_ATT_PENDING && now_ms - a->sent_ms > in_doubt_ms)
            a->state = PIN_ATT_IN_DOUBT;
    }
}
