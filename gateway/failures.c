#include "gateway/failures.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/table.h"

#include <stdlib.h>

#define PEERS_MAX 4096
#define WINDOW_MS 60000

struct peer {
    char address[48];
    struct mono since;
    uint32_t count;
    UT_hash_handle hh;
};

struct failures {
    struct peer *peers;
};

struct failures *failures_new(void)
{
    return calloc(1, sizeof(struct failures));
}

static void drop(struct failures *f, struct peer *p)
{
    HASH_DEL(f->peers, p);
    free(p);
}

static void drop_all(struct failures *f)
{
    struct peer *p, *tmp;
    HASH_ITER (hh, f->peers, p, tmp)
        drop(f, p);
}

void failures_free(struct failures *f)
{
    if (!f)
        return;
    drop_all(f);
    free(f);
}

static int64_t left_ms(const struct peer *p)
{
    return WINDOW_MS - mono_diff_ms(mono_now(), p->since);
}

/* NULL: none within the last minute. */
static struct peer *find(struct failures *f, const char *address)
{
    struct peer *p;
    HASH_FIND_STR(f->peers, address, p);
    if (!p || left_ms(p) > 0)
        return p;
    drop(f, p);
    return NULL;
}

static struct peer *add(struct failures *f, const char *address)
{
    if (HASH_COUNT(f->peers) >= PEERS_MAX)
        drop_all(f);
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    str_copy(p->address, sizeof p->address, address);
    p->since = mono_now();
    HASH_ADD_STR(f->peers, address, p);
    if (!TABLE_ADDED(p)) {
        free(p);
        return NULL;
    }
    return p;
}

void failures_add(struct failures *f, const char *address)
{
    struct peer *p = find(f, address);
    if (!p)
        p = add(f, address);
    if (p)
        p->count++;
}

int64_t failures_wait_ms(struct failures *f, const char *address, uint32_t limit)
{
    const struct peer *p = find(f, address);
    return p && p->count >= limit ? left_ms(p) : 0;
}
