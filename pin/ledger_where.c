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

struct where_cache *pin_where_new(uint32_t max)
{
    struct where_cache *c = calloc(1, sizeof *c);

    if (c != NULL)
        c->max = max;
    return c;
}

void pin_where_free(struct where_cache *c)
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

bool pin_where_get(struct where_cache *c, const char *pin_id, struct where *out)
{
    struct where_node *n;

    HASH_FIND(hh, c->nodes, pin_id, PIN_ID_SIZE - 1, n);
    if (n != NULL)
        *out = n->w;
    return n != NULL;
}

void pin_where_put(struct where_cache *c, const struct where *w)
{
    struct where_node *n;

    HASH_FIND(hh, c->nodes, w->pin_id, PIN_ID_SIZE - 1, n);
    if (n != NULL)
        return;
    if (HASH_COUNT(c->nodes) >= c->max) {
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

void pin_where_ask(struct act *a, const char *pin_id)
{
    struct key k;

    pin_key_record(&k, pin_id);
    pin_act_command(a, NULL);
    pin_act_put_str(a, "HMGET");
    pin_act_put(a, k.s, k.len);
    pin_act_put_str(a, "a");
    pin_act_put_str(a, "p");
    pin_act_put_str(a, "s");
}

struct field {
    const char *p;
    size_t len;
};

static struct field reply_field(const struct store_reply *reply, size_t i)
{
    const struct store_reply *e = store_reply_at(reply, i);
    struct field f = {NULL, 0};

    if (e != NULL)
        f.p = store_reply_str(e, &f.len);
    return f;
}

bool pin_where_read(struct where *w, const char *pin_id, const char *account,
                    const struct store_reply *reply)
{
    struct field owner = reply_field(reply, 0), app = reply_field(reply, 1),
                 state = reply_field(reply, 2);
    struct rd r = rd_init(state.p, state.len);
    size_t n = strlen(account);

    rd_take(&r, 14);
    w->expires_ms = pin_rd_u48(&r);
    return !r.bad && owner.len > n + 1 && memcmp(owner.p, account, n) == 0 && owner.p[n] == ' ' &&
           msisdn_parse(owner.p + n + 1, owner.len - n - 1, &w->msisdn) == 0 &&
           str_copy(w->pin_id, sizeof w->pin_id, pin_id) &&
           str_copy(w->account, sizeof w->account, account) && app.len == 2 * APP_LEN &&
           str_copy_n(w->app_id, sizeof w->app_id, app.p, APP_LEN);
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

struct windows *pin_windows_new(void)
{
    return calloc(1, sizeof(struct windows));
}

void pin_windows_free(struct windows *w)
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

void pin_windows_admitted(struct windows *w, const char *app_id, int64_t start_ms)
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

bool pin_windows_take(struct windows *w, const char *app_id, int64_t *start_ms)
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

struct ledger_carriers {
    struct carrier_node *nodes;
};

struct ledger_carriers *pin_ledger_carriers_new(void)
{
    return calloc(1, sizeof(struct ledger_carriers));
}

void pin_ledger_carriers_free(struct ledger_carriers *c)
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

enum pin_id_mode pin_carriers_settled(const struct ledger_carriers *c, const char *carrier)
{
    struct carrier_node *n;

    HASH_FIND_STR(c->nodes, carrier, n);
    return n != NULL ? n->settled : PIN_ID_AUTO;
}

static struct carrier_node *carrier_add(struct ledger_carriers *c, const char *carrier)
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

bool pin_carriers_matched(struct ledger_carriers *c, const char *carrier, enum pin_id_mode kind)
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
