#include "pin/registry_private.h"

#include "base/buf.h"
#include "base/result.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    UT_hash_handle hh; /* in the order of adding: the oldest comes first */
    struct mono until;
    bool is_absent;
    size_t size;
    char name[REG_NAME_SIZE];
    uint8_t object[];
};

struct reg_cache {
    struct entry *entries;
    uint32_t life_ms;
    uint32_t max;
};

struct reg_cache *pin_reg_cache_new(uint32_t life_ms, uint32_t max)
{
    struct reg_cache *c = calloc(1, sizeof *c);
    if (c) {
        c->life_ms = life_ms;
        c->max = max;
    }
    return c;
}

void pin_reg_cache_free(struct reg_cache *c)
{
    if (!c)
        return;
    pin_reg_cache_drop_all(c);
    free(c);
}

static void drop(struct reg_cache *c, struct entry *e)
{
    HASH_DEL(c->entries, e);
    free(e);
}

static struct entry *find(struct reg_cache *c, const char *name, size_t len)
{
    struct entry *e = NULL;
    HASH_FIND(hh, c->entries, name, len, e);
    return e;
}

int pin_reg_cache_get(struct reg_cache *c, const char *name, union reg_object *out)
{
    struct entry *e = find(c, name, strlen(name));
    if (!e)
        return ERR_UNAVAILABLE;
    if (mono_is_past(e->until, mono_now())) {
        drop(c, e);
        return ERR_UNAVAILABLE;
    }
    memcpy(out, e->object, e->size);
    return e->is_absent ? ERR_NOTFOUND : 0;
}

/* Those whose life is over, and the oldest when there is no room. */
static void make_room(struct reg_cache *c)
{
    struct mono now = mono_now();
    while (c->entries && (HASH_COUNT(c->entries) >= c->max || mono_is_past(c->entries->until, now)))
        drop(c, c->entries);
}

void pin_reg_cache_put(struct reg_cache *c, const char *name, struct mono asked,
                       const union reg_object *object, size_t size)
{
    pin_reg_cache_drop(c, name, strlen(name));
    make_room(c);
    struct entry *e = calloc(1, sizeof *e + (object ? size : 0));
    if (!e)
        return; /* it is a cache */
    e->until = mono_add_ms(asked, c->life_ms);
    e->is_absent = !object;
    if (object) {
        e->size = size;
        memcpy(e->object, object, size);
    }
    str_copy(e->name, sizeof e->name, name);
    HASH_ADD_KEYPTR(hh, c->entries, e->name, strlen(e->name), e);
    if (!TABLE_ADDED(e))
        free(e);
}

void pin_reg_cache_drop(struct reg_cache *c, const char *name, size_t len)
{
    struct entry *e = find(c, name, len);
    if (e)
        drop(c, e);
}

void pin_reg_cache_drop_all(struct reg_cache *c)
{
    while (c->entries)
        drop(c, c->entries);
}

uint32_t pin_reg_cache_count(const struct reg_cache *c)
{
    return HASH_COUNT(c->entries);
}
