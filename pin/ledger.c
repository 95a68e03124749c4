#include "pin/ledger_private.h"

#include "base/log.h"
#include "base/result.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

/* Of an act that a caller waits for: long enough for the store to give up a silent connection,
 * which takes it twice its time-out, and to ask again on a new one. */
#define REPEAT_WITHIN_MS 3000
#define RECONNECT_POLL   20 /* ms */
#define BACKOFF_MIN_MS   100
#define BACKOFF_MAX_MS   2000

/* --- the ledger ------------------------------------------------------------------------------ */

static void set_default(uint32_t *v, uint32_t value)
{
    if (*v == 0)
        *v = value;
}

static void options_default(struct pin_ledger_options *o)
{
    set_default(&o->keep_s, 86400);
    set_default(&o->map_keep_s, 3600);
    set_default(&o->final_keep_s, 600);
    set_default(&o->parked_s, 300);
    set_default(&o->in_doubt_ms, 30000);
    set_default(&o->max_outstanding, 20000);
    set_default(&o->where_cache, 65536);
}

struct pin_ledger *pin_ledger_new(const struct pin_ledger_options *options)
{
    struct pin_ledger *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->o = *options;
    options_default(&l->o);
    l->where = pin_where_new(l->o.where_cache);
    l->windows = pin_windows_new();
    l->carriers = pin_ledger_carriers_new();
    if (l->where == NULL || l->windows == NULL || l->carriers == NULL ||
        pin_random(&l->next_rid, sizeof l->next_rid) < 0) {
        pin_ledger_free(l);
        return NULL;
    }
    return l;
}

static void act_free(struct act *a)
{
    evtimer_del(&a->timer);
    secret_wipe(a, a->size);
    free(a);
}

/* Tells the caller; the act is off the list and may be freed by whoever holds it. */
static void act_tell(struct act *a, const struct pin_answer *answer)
{
    DL_DELETE(a->l->acts, a);
    a->l->info.outstanding--;
    evtimer_del(&a->timer);
    if (a->cb != NULL)
        a->cb(a->arg, answer);
}

void pin_ledger_free(struct pin_ledger *l)
{
    const struct pin_answer closed = {.result = ERR_CLOSED};
    struct act *a;

    if (l == NULL)
        return;
    l->closing = true;
    while ((a = l->acts) != NULL) {
        act_tell(a, &closed);
        a->l = NULL;
        if (!a->out)
            act_free(a);
    }
    pin_watch_end(l);
    pin_where_free(l->where);
    pin_windows_free(l->windows);
    pin_ledger_carriers_free(l->carriers);
    free(l);
}

void pin_ledger_set_in_doubt(struct pin_ledger *l, uint32_t in_doubt_ms)
{
    l->o.in_doubt_ms = in_doubt_ms;
}

void pin_ledger_info(const struct pin_ledger *l, struct pin_ledger_info *out)
{
    *out = l->info;
}

enum pin_id_mode pin_ledger_id_mode(const struct pin_ledger *l, const char *carrier,
                                    enum pin_id_mode given)
{
    return given == PIN_ID_AUTO ? pin_carriers_settled(l->carriers, carrier) : given;
}

/* --- building a command ---------------------------------------------------------------------- */

void pin_act_command(struct act *a, struct store_script *script)
{
    a->script = script;
    a->n_keys = a->n_args = 0;
    a->used = 0;
    a->overflow = false;
}

void pin_act_put(struct act *a, const void *p, size_t len)
{
    if (a->n_args == ACT_ARGS_MAX || len > a->cap - a->used) {
        a->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(a->data + a->used, p, len);
    a->used += (uint32_t)len;
    a->end[a->n_args++] = (uint16_t)a->used;
}

void pin_act_key(struct act *a, const struct key *k)
{
    pin_act_put(a, k->s, k->len);
    a->n_keys++;
}

void pin_act_put_str(struct act *a, const char *s)
{
    pin_act_put(a, s, strlen(s));
}

void pin_act_put_int(struct act *a, int64_t v)
{
    char text[24];
    struct wr w = wr_init(text, sizeof text);

    wr_dec(&w, v);
    pin_act_put(a, text, w.len);
}

void pin_act_put_owner(struct act *a, const struct pin_owner *owner)
{
    char text[PIN_ACCOUNT_SIZE + MSISDN_MAX + 1];
    struct wr w = wr_init(text, sizeof text);

    wr_str(&w, owner->account);
    wr_u8(&w, ' ');
    wr_bytes(&w, owner->msisdn->digits, owner->msisdn->len);
    pin_act_put(a, text, w.len);
}

/* --- sending and repeating ------------------------------------------------------------------- */

static void act_fail(struct act *a, int err);

static void act_reply_cb(void *arg, int result, const struct store_reply *reply)
{
    struct act *a = arg;

    a->out = false;
    if (a->l == NULL) {
        act_free(a);
        return;
    }
    if (result == 0) {
        a->repeating = false;
        a->unknown = 0;
        a->tries = 0;
        a->reply(a, reply);
        return;
    }
    if (result == ERR_REFUSED) {
        size_t len = 0;
        const char *text = reply != NULL ? store_reply_str(reply, &len) : NULL;
        LOG(LOG_LV_ERROR, NULL, "ledger_refused", KV_S("act", a->name), KV_SN("error", text, len));
        result = ERR_UNAVAILABLE;
    }
    act_fail(a, result);
}

static int act_send(struct act *a)
{
    struct store_arg argv[ACT_ARGS_MAX];
    size_t from = 0;
    int rc;

    if (a->overflow)
        return ERR_TOOLONG;
    for (size_t i = 0; i < a->n_args; i++) {
        argv[i] = (struct store_arg){a->data + from, a->end[i] - from};
        from = a->end[i];
    }
    if (a->script == NULL)
        rc = store_command(a->l->o.store, argv, a->n_args, act_reply_cb, a);
    else
        rc = store_eval(a->l->o.store, a->script, argv, a->n_keys, argv + a->n_keys,
                        a->n_args - a->n_keys, act_reply_cb, a);
    a->out = rc == 0;
    return rc;
}

static void act_again_cb(evutil_socket_t fd, short what, void *arg)
{
    struct act *a = arg;
    int rc = act_send(a);

    (void)fd;
    (void)what;
    if (rc < 0)
        act_fail(a, rc);
}

static void act_wait(struct act *a, int64_t ms)
{
    struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

    evtimer_add(&a->timer, &tv);
}

/* A caller waits: when the fate is unknown, again as soon as the store takes it, for a while. */
static void fail_waited(struct act *a, int err)
{
    bool unknown = err == ERR_TIMEOUT || err == ERR_LOST;

    if (unknown && !a->repeating) {
        a->repeating = true;
        a->give_up = mono_add_ms(mono_now(), REPEAT_WITHIN_MS);
    }
    if (unknown)
        a->unknown = err;
    if (!a->repeating || mono_is_past(a->give_up, mono_now())) {
        pin_act_finish_error(a, a->unknown != 0 ? a->unknown : err);
        return;
    }
    a->l->info.repeats += unknown;
    if (!unknown || act_send(a) < 0)
        act_wait(a, RECONNECT_POLL);
}

static void fail_stubborn(struct act *a, int err)
{
    int64_t left = mono_diff_ms(a->give_up, mono_now());
    int64_t ms = BACKOFF_MIN_MS << (a->tries < 5 ? a->tries : 5);

    if (left <= 0 || err == ERR_TOOLONG) {
        pin_act_finish_error(a, err);
        return;
    }
    a->tries++;
    a->l->info.repeats++;
    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    act_wait(a, ms < left ? ms : left);
}

static void act_fail(struct act *a, int err)
{
    if (a->patience == ACT_STUBBORN)
        fail_stubborn(a, err);
    else
        fail_waited(a, err);
}

/* --- the life of an act ---------------------------------------------------------------------- */

void *pin_act_new(struct pin_ledger *l, const char *name, size_t size, uint32_t cap, int *err)
{
    struct act *a = NULL;

    *err = ERR_CLOSED;
    if (l->closing)
        return NULL;
    *err = ERR_FULL;
    if (l->info.outstanding >= l->o.max_outstanding)
        return NULL;
    *err = ERR_NOMEM;
    if ((a = calloc(1, size + cap)) == NULL)
        return NULL;
    *err = 0;
    a->l = l;
    a->name = name;
    a->size = size + cap;
    a->cap = cap;
    a->data = (uint8_t *)a + size;
    memcpy(a->rid, &l->next_rid, sizeof a->rid);
    l->next_rid++;
    evtimer_assign(&a->timer, l->o.base, act_again_cb, a);
    DL_APPEND(l->acts, a);
    l->info.outstanding++;
    l->info.acts++;
    return a;
}

void pin_act_for(struct act *a, pin_ledger_cb cb, void *arg,
                 void (*reply)(struct act *, const struct store_reply *))
{
    a->cb = cb;
    a->arg = arg;
    a->reply = reply;
}

void pin_act_drop(struct act *a)
{
    DL_DELETE(a->l->acts, a);
    a->l->info.outstanding--;
    act_free(a);
}

int pin_act_start(struct act *a)
{
    int rc = act_send(a);

    if (rc == 0)
        return 0;
    if (a->patience == ACT_STUBBORN && rc != ERR_TOOLONG) {
        act_wait(a, BACKOFF_MIN_MS);
        return 0;
    }
    pin_act_drop(a);
    return rc;
}

void pin_act_go(struct act *a)
{
    int rc = act_send(a);

    if (rc < 0)
        act_fail(a, rc);
}

void pin_act_finish(struct act *a, const struct pin_answer *answer)
{
    act_tell(a, answer);
    act_free(a);
}

void pin_act_finish_verdict(struct act *a, enum pin_verdict verdict)
{
    pin_act_finish(a, &(struct pin_answer){.verdict = verdict});
}

void pin_act_finish_error(struct act *a, int err)
{
    pin_act_finish(a, &(struct pin_answer){.result = err});
}

static void ignore_cb(void *arg, int result, const struct store_reply *reply)
{
    (void)arg;
    (void)result;
    (void)reply;
}

void pin_ledger_fire(struct pin_ledger *l, struct store_script *script,
                     const struct store_arg *argv, size_t n)
{
    int rc = script == NULL
                 ? store_command(l->o.store, argv, n, ignore_cb, NULL)
                 : store_eval(l->o.store, script, argv, 1, argv + 1, n - 1, ignore_cb, NULL);

    (void)rc; /* what is fired is made good by a life in Redis */
}

enum pin_verdict pin_reply_verdict(const struct store_reply *reply)
{
    return (enum pin_verdict)(store_reply_int(reply) & 15);
}

int64_t pin_reply_value(const struct store_reply *reply)
{
    return store_reply_int(reply) >> 4;
}

int64_t pin_reply_at(const struct store_reply *reply, size_t i)
{
    const struct store_reply *e = store_reply_at(reply, i);

    return e != NULL ? store_reply_int(e) : 0;
}
