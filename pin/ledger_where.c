#include "pin/ledger_private.h"

#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#define WINDOWS_MAX  4096 /* applications */
#define CARRIERS_MAX 1024
#define SETTLE_AFTER 100
/* An admission and its taking back lie closer together than this; after a change of window no
 * place is given back for so long, because it may have been counted in the window before. */
#define WINDOW_DOUBT_MS 10000

/* --- owners of PINs -------------------------------------------------------------------------- */

struct where_node {
    struct where w;
    UT_hash_handle hh; /* uthash keeps the order of insertion: the oldest is the first */
};

struct where_cache {
    struct where_node *nodes;
    uint32_t max;
};

struct where_cache *where_new(uint32_t max)
{
    struct where_cache *c = calloc(1, sizeof *c);

    if (c != NULL)
        c->max = max;
    return c;
}

void where_free(struct where_cache *c)
{
    struct where_node *n, *tmp;

    if (c == NULL)
        return;
    HASH_ITER (hh, c->nodes, n, tmp) {
        HASH_DEL(c->nodes, n);
        free(n);
    }
    free(c);
}

bool where_get(struct where_cache *c, const char *pin_id, struct where *out)
{
    struct where_node *n;

    HASH_FIND(hh, c->nodes, pin_id, PIN_ID_SIZE - 1, n);
    if (n != NULL)
        *out = n->w;
    return n != NULL;
}

void where_put(struct where_cache *c, const struct where *w)
{
    struct where_node *n;

    HASH_FIND(hh, c->nodes, w->pin_id, PIN_ID_SIZE - 1, n);
    if (n != NULL)
        return;
    if (HASH_COUNT(c->nodes) >= c->max && c->nodes != NULL) {
        n = c->nodes;
        HASH_DEL(c->nodes, n);
    } else {
        n = malloc(sizeof *n);
    }
    if (n == NULL)
        return;
    n->w = *w;
    HASH_ADD(hh, c->nodes, w.pin_id, PIN_ID_SIZE - 1, n);
    if (!TABLE_ADDED(n))
        free(n);
}

void where_ask(struct act *a, const char *pin_id)
{
    struct key k;

    key_record(&k, pin_id);
    act_command(a, NULL);
    act_put_str(a, "HMGET");
    act_put(a, k.s, k.len);
    act_put_str(a, "a");
    act_put_str(a, "p");
    act_put_str(a, "l");
}

bool where_read(struct where *w, const char *pin_id, const char *account,
                const struct store_reply *reply)
{
    size_t a_len = 0, p_len = 0, l_len = 0, n = strlen(account);
    const struct store_reply *ra = store_reply_at(reply, 0);
    const struct store_reply *rp = store_reply_at(reply, 1);
    const struct store_reply *rl = store_reply_at(reply, 2);
    const char *a = ra != NULL ? store_reply_str(ra, &a_len) : NULL;
    const char *p = rp != NULL ? store_reply_str(rp, &p_len) : NULL;
    const char *l = rl != NULL ? store_reply_str(rl, &l_len) : NULL;

    if (a == NULL || p == NULL || l == NULL || a_len <= n + 1 || memcmp(a, account, n) != 0 ||
        a[n] != ' ' || msisdn_parse(a + n + 1, a_len - n - 1, &w->msisdn) < 0)
        return false;
    struct rd r = rd_init(l, l_len);
    rd_take(&r, 8);
    w->expires_ms = (int64_t)((uint64_t)rd_u32(&r) << 32);
    w->expires_ms += rd_u32(&r);
    return !r.bad && str_copy(w->pin_id, sizeof w->pin_id, pin_id) &&
           str_copy(w->account, sizeof w->account, account) &&
           str_copy_n(w->app_id, sizeof w->app_id, p, p_len);
}

/* --- windows of applications ----------------------------------------------------------------- */

struct window_node {
    char app_id[PIN_APP_ID_SIZE];
    int64_t start_ms;
    struct mono doubt_until;
    UT_hash_handle hh;
};

struct windows {
    struct window_node *nodes;
};

struct windows *windows_new(void)
{
    return calloc(1, sizeof(struct windows));
}

void windows_free(struct windows *w)
{
    struct window_node *n, *tmp;

    if (w == NULL)
        return;
    HASH_ITER (hh, w->nodes, n, tmp) {
        HASH_DEL(w->nodes, n);
        free(n);
    }
    free(w);
}

void windows_admitted(struct windows *w, const char *app_id, int64_t start_ms)
{
    struct window_node *n;

    HASH_FIND_STR(w->nodes, app_id, n);
    if (n != NULL) {
        if (n->start_ms != start_ms)
            n->doubt_until = mono_add_ms(mono_now(), WINDOW_DOUBT_MS);
        n->start_ms = start_ms;
        return;
    }
    if (HASH_COUNT(w->nodes) >= WINDOWS_MAX) {
        n = w->nodes;
        HASH_DEL(w->nodes, n);
    } else {
        n = calloc(1, sizeof *n);
    }
    if (n == NULL)
        return;
    str_copy(n->app_id, sizeof n->app_id, app_id);
    n->start_ms = start_ms;
    n->doubt_until = mono_now();
    HASH_ADD_STR(w->nodes, app_id, n);
    if (!TABLE_ADDED(n))
        free(n);
}

bool windows_take(struct windows *w, const char *app_id, int64_t *start_ms)
{
    struct window_node *n;

    HASH_FIND_STR(w->nodes, app_id, n);
    if (n == NULL || !mono_is_past(n->doubt_until, mono_now()))
        return false;
    *start_ms = n->start_ms;
    return true;
}

/* --- carriers in the mode auto --------------------------------------------------------------- */

struct carrier_node {
    char name[PIN_CARRIER_SIZE];
    enum pin_id_mode kind; /* of the last matches */
    uint32_t run;          /* how many, without another kind between them */
    enum pin_id_mode settled;
    UT_hash_handle hh;
};

struct carriers {
    struct carrier_node *nodes;
};

struct carriers *ledger_carriers_new(void)
{
    return calloc(1, sizeof(struct carriers));
}

void ledger_carriers_free(struct carriers *c)
{
    struct carrier_node *n, *tmp;

    if (c == NULL)
        return;
    HASH_ITER (hh, c->nodes, n, tmp) {
        HASH_DEL(c->nodes, n);
        free(n);
    }
    free(c);
}

enum pin_id_mode carriers_settled(const struct carriers *c, const char *carrier)
{
    struct carrier_node *n;

    HASH_FIND_STR(c->nodes, carrier, n);
    return n != NULL ? n->settled : PIN_ID_AUTO;
}

static struct carrier_node *carrier_add(struct carriers *c, const char *carrier)
{
    struct carrier_node *n;

    if (HASH_COUNT(c->nodes) >= CARRIERS_MAX || (n = calloc(1, sizeof *n)) == NULL)
        return NULL;
    str_copy(n->name, sizeof n->name, carrier);
    HASH_ADD_STR(c->nodes, name, n);
    if (TABLE_ADDED(n))
        return n;
    free(n);
    return NULL;
}

bool carriers_matched(struct carriers *c, const char *carrier, enum pin_id_mode kind)
{
    struct carrier_node *n;

    if (kind == PIN_ID_AUTO)
        return false;
    HASH_FIND_STR(c->nodes, carrier, n);
    if (n == NULL && (n = carrier_add(c, carrier)) == NULL)
        return false;
    if (n->settled != PIN_ID_AUTO)
        return false;
    n->run = n->kind == kind ? n->run + 1 : 1;
    n->kind = kind;
    if (n->run < SETTLE_AFTER)
        return false;
    n->settled = kind;
    return true;
}
