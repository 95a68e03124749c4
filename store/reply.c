#include "store/store.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* struct store_reply is never defined: it is hiredis's reply under a name of our own. */
static const redisReply *raw(const struct store_reply *r)
{
    return (const redisReply *)(const void *)r;
}

enum store_type store_reply_type(const struct store_reply *r)
{
    switch (raw(r)->type) {
    case REDIS_REPLY_INTEGER:
        return STORE_INTEGER;
    case REDIS_REPLY_STRING:
        return STORE_STRING;
    case REDIS_REPLY_STATUS:
        return STORE_STATUS;
    case REDIS_REPLY_ERROR:
        return STORE_ERROR;
    case REDIS_REPLY_ARRAY:
        return STORE_ARRAY;
    default:
        return STORE_NIL;
    }
}

int64_t store_reply_int(const struct store_reply *r)
{
    const redisReply *q = raw(r);
    if (q->type == REDIS_REPLY_INTEGER)
        return q->integer;
    if (q->type != REDIS_REPLY_STRING || q->len == 0)
        return 0;
    char *end;
    long long v = strtoll(q->str, &end, 10);
    return end == q->str + q->len ? v : 0;
}

const char *store_reply_str(const struct store_reply *r, size_t *len)
{
    const redisReply *q = raw(r);
    bool has = q->type == REDIS_REPLY_STRING || q->type == REDIS_REPLY_STATUS ||
               q->type == REDIS_REPLY_ERROR;
    if (len)
        *len = has ? q->len : 0;
    return has ? q->str : NULL;
}

size_t store_reply_len(const struct store_reply *r)
{
    return raw(r)->type == REDIS_REPLY_ARRAY ? raw(r)->elements : 0;
}

const struct store_reply *store_reply_at(const struct store_reply *r, size_t i)
{
    return i < store_reply_len(r) ? (const struct store_reply *)(void *)raw(r)->element[i] : NULL;
}

uint16_t store_bucket(const void *p, size_t len)
{
    const uint8_t *b = p;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * 16777619u;
    return (uint16_t)(((h >> 10) ^ h) & 1023);
}

void store_bucket_hex(uint16_t bucket, char out[4])
{
    static const char digits[] = "0123456789ABCDEF";
    out[0] = digits[bucket >> 8 & 15];
    out[1] = digits[bucket >> 4 & 15];
    out[2] = digits[bucket & 15];
    out[3] = 0;
}
