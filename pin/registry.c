#include "pin/registry.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/table.h"
#include "pin/registry_private.h"

#include <stdlib.h>
#include <string.h>

#define LOG_ID "pin/registry"

#define GOOD_MS  3600000
#define GOOD_MAX 10000

/* Notices can come until store_free(), after pin_registry_free(): they find theirs by number. */
static struct pin_registry *alive;

static void forget(struct pin_registry *r, const char *name, size_t len)
{
    pin_reg_cache_drop(r->cache, name, len);
    pin_reg_cache_drop(r->good, name, len);
}

static void notice_cb(void *arg, const char *payload, size_t len)
{
    for (struct pin_registry *r = alive; r; r = r->next) {
        if (r->number != (uint64_t)(uintptr_t)arg)
            continue;
        r->notices++;
        if (payload)
            forget(r, payload, len);
        else
            pin_reg_cache_drop_all(r->cache);
    }
}

struct pin_registry *pin_registry_new(struct event_base *base, struct store *store,
                                      uint32_t cache_ms, uint32_t cache_max)
{
    static uint64_t last_number;
    struct pin_registry *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->base = base;
    r->store = store;
    r->number = ++last_number;
    r->cache = pin_reg_cache_new(cache_ms ? cache_ms : 5000, cache_max ? cache_max : 10000);
    r->good = pin_reg_cache_new(GOOD_MS, GOOD_MAX);
    if (!r->cache || !r->good) {
        pin_reg_cache_free(r->cache);
        pin_reg_cache_free(r->good);
        free(r);
        return NULL;
    }
    DL_APPEND(alive, r);
    int err = store_subscribe(store, REG_CHANNEL, notice_cb, (void *)(uintptr_t)r->number);
    if (err) /* entries still die of age */
        LOG(LOG_LV_WARN, LOG_ID, "registry_not_subscribed", KV_S("error", err_name(err)));
    return r;
}

void pin_reg_changed(struct pin_registry *r, const char *name)
{
    r->notices++;
    forget(r, name, strlen(name));
}

/* --- operations ---------------------------------------------------------------------------- */

static void answer(const struct reg_to *to, int result, const struct reg_op *op)
{
    bool good = result == 0;
    switch (to->kind) {
    case REG_TO_ACCOUNT:
        to->cb.account(to->arg, result, good ? op->account : NULL);
        break;
    case REG_TO_APP:
        to->cb.app(to->arg, result, good ? &op->object.app : NULL);
        break;
    case REG_TO_TEMPLATE:
        to->cb.tmpl(to->arg, result, good ? &op->object.tmpl : NULL);
        break;
    case REG_TO_KEY:
        to->cb.key(to->arg, result, good ? op->account : NULL, good ? op->api_key : NULL);
        break;
    case REG_TO_NAMES:
        to->cb.names(to->arg, result, good ? op->names : NULL, good ? op->n_names : 0);
        break;
    }
}

static void op_free(struct reg_op *op)
{
    secret_wipe(op->api_key, sizeof op->api_key);
    free(op);
}

static void op_unlink(struct reg_op *op)
{
    DL_DELETE(op->r->ops, op);
    op->r->n_ops--;
    event_del(&op->later);
    op->r = NULL;
}

void pin_reg_op_end(struct reg_op *op, int result)
{
    op_unlink(op);
    answer(&op->to, result, op);
    op_free(op);
}

static void later_cb(evutil_socket_t fd, short what, void *arg)
{
    struct reg_op *op = arg;
    (void)fd;
    (void)what;
    pin_reg_op_end(op, op->result);
}

struct reg_op *pin_reg_op_new(struct pin_registry *r, const struct reg_to *to)
{
    int err = r->is_closing ? ERR_CLOSED : r->n_ops >= REG_OPS_MAX ? ERR_UNAVAILABLE : 0;
    struct reg_op *op = err ? NULL : calloc(1, sizeof *op);
    if (!op) {
        answer(to, err ? err : ERR_NOMEM, NULL);
        return NULL;
    }
    op->r = r;
    op->to = *to;
    evtimer_assign(&op->later, r->base, later_cb, op);
    DL_APPEND(r->ops, op);
    r->n_ops++;
    return op;
}

void pin_reg_op_later(struct reg_op *op, int result)
{
    op->result = result;
    event_active(&op->later, EV_TIMEOUT, 0);
}

/* The results of the contract; what the server or the record did wrong is for the log. */
static int explain(const struct reg_op *op, int result, const struct store_reply *reply)
{
    if (result == ERR_UNAVAILABLE || result == ERR_TIMEOUT || result == ERR_LOST)
        return result;
    const char *text = reply ? store_reply_str(reply, NULL) : NULL;
    LOG(LOG_LV_ERROR, LOG_ID, "registry_failed", KV_S("object", op->name),
        KV_S("error", err_name(result)), KV_S("server_said", result == ERR_REFUSED ? text : NULL));
    return ERR_UNAVAILABLE;
}

static void reply_cb(void *arg, int result, const struct store_reply *reply)
{
    struct reg_op *op = arg;
    if (!op->r) {
        op_free(op);
        return;
    }
    if (op->is_change)
        pin_reg_changed(op->r, op->name);
    if (result)
        pin_reg_op_end(op, explain(op, result, reply));
    else
        op->step(op, reply);
}

void pin_reg_op_command(struct reg_op *op, reg_step step, const struct store_arg *argv, size_t argc)
{
    op->step = step;
    int err = store_command(op->r->store, argv, argc, reply_cb, op);
    if (err)
        pin_reg_op_later(op, ERR_UNAVAILABLE);
}

void pin_reg_op_eval(struct reg_op *op, reg_step step, const struct reg_call *call)
{
    op->step = step;
    int err = store_eval(op->r->store, call->script, call->keys, call->n_keys, call->args,
                         call->n_args, reply_cb, op);
    if (err)
        pin_reg_op_later(op, ERR_UNAVAILABLE);
}

/* An operation that the store still answers stays behind for that, without a registry. */
static void op_close(struct reg_op *op)
{
    bool is_with_store = !event_pending(&op->later, EV_TIMEOUT, NULL);
    op_unlink(op);
    answer(&op->to, ERR_CLOSED, op);
    secret_wipe(op->api_key, sizeof op->api_key);
    if (!is_with_store)
        op_free(op);
}

void pin_registry_free(struct pin_registry *r)
{
    if (!r)
        return;
    r->is_closing = true;
    DL_DELETE(alive, r);
    while (r->ops)
        op_close(r->ops);
    pin_reg_cache_free(r->cache);
    pin_reg_cache_free(r->good);
    free(r);
}

/* --- finding ------------------------------------------------------------------------------- */

/* Reads what was found into op->object, and remembers it. */
static int take_found(struct reg_op *op, const struct store_reply *reply)
{
    struct pin_registry *r = op->r;
    int err = pin_reg_parse(op->kind, reply, &op->object);
    if ((err == 0 || err == ERR_NOTFOUND) && op->notices == r->notices)
        pin_reg_cache_put(r->cache, op->name, op->asked, err ? NULL : &op->object,
                          pin_reg_object_size(op->kind));
    return err && err != ERR_NOTFOUND ? explain(op, err, NULL) : err;
}

/* A good key stays known beyond its time in the cache, where absent ones could drive it out. */
static void note_key(struct reg_op *op, int err)
{
    if (err == ERR_NOTFOUND)
        pin_reg_cache_drop(op->r->good, op->name, strlen(op->name));
    else if (!err && op->notices == op->r->notices)
        pin_reg_cache_put(op->r->good, op->name, op->asked, &op->object,
                          pin_reg_object_size(REG_KEY));
}

static void found_step(struct reg_op *op, const struct store_reply *reply)
{
    int err = take_found(op, reply);
    if (op->kind == REG_KEY) {
        note_key(op, err);
        memcpy(op->account, op->object.account, sizeof op->account);
    }
    pin_reg_op_end(op, err);
}

/* Answers from the cache; false when it knows nothing. */
static bool answer_cached(struct pin_registry *r, const char *name, const struct reg_to *to)
{
    struct reg_op hit; /* only what answer() looks at is set */
    int err = pin_reg_cache_get(r->cache, name, &hit.object);
    if (err == ERR_UNAVAILABLE)
        return false;
    if (!err && to->kind == REG_TO_ACCOUNT)
        memcpy(hit.account, hit.object.account, sizeof hit.account);
    answer(to, err, &hit);
    return true;
}

static void ask(struct reg_op *op, const char *name, reg_step step)
{
    const struct store_arg argv[] = {REG_ARG("HGETALL"), REG_ARG(name)};
    str_copy(op->name, sizeof op->name, name);
    op->asked = mono_now();
    op->notices = op->r->notices;
    pin_reg_op_command(op, step, argv, 2);
}

/* object knows its ids: a hash does not repeat its own key. */
static void find(struct pin_registry *r, const char *name, const struct reg_to *to,
                 const union reg_object *object, enum reg_kind kind)
{
    if (answer_cached(r, name, to))
        return;
    struct reg_op *op = pin_reg_op_new(r, to);
    if (!op)
        return;
    op->kind = kind;
    op->object = *object;
    ask(op, name, found_step);
}

void pin_registry_find_key(struct pin_registry *r, const char *key, size_t len, pin_account_cb cb,
                           void *arg)
{
    char name[REG_NAME_SIZE];
    const struct reg_to to = {REG_TO_ACCOUNT, {.account = cb}, arg};
    const union reg_object object = {.account = ""};
    pin_reg_key_name(key, len, name);
    find(r, name, &to, &object, REG_KEY);
}

void pin_registry_find_app(struct pin_registry *r, const char *account, const char *app_id,
                           pin_app_cb cb, void *arg)
{
    char name[REG_NAME_SIZE];
    const struct reg_to to = {REG_TO_APP, {.app = cb}, arg};
    union reg_object object = {.app = {.enabled = false}};
    if (!pin_reg_account_is_valid(account) || !pin_id_is_valid(app_id, strlen(app_id))) {
        answer(&to, ERR_NOTFOUND, NULL);
        return;
    }
    str_copy(object.app.account, sizeof object.app.account, account);
    str_copy(object.app.id, sizeof object.app.id, app_id);
    pin_reg_app_name(account, app_id, name);
    find(r, name, &to, &object, REG_APP);
}

void pin_registry_forget(struct pin_registry *r, const char *account, const char *app_id,
                         const char *id)
{
    char name[REG_NAME_SIZE];
    if (id)
        pin_reg_template_name(account, app_id, id, name);
    else
        pin_reg_app_name(account, app_id, name);
    pin_reg_cache_drop(r->cache, name, strlen(name));
}

bool pin_registry_knows_key(struct pin_registry *r, const char *key, size_t len)
{
    char name[REG_NAME_SIZE];
    union reg_object object;
    pin_reg_key_name(key, len, name);
    return pin_reg_cache_get(r->good, name, &object) == 0;
}

/* --- templates and their revisions --------------------------------------------------------- */

/* The newest is read first: mostly it is the one that is looked for. */
static void newest_step(struct reg_op *op, const struct store_reply *reply)
{
    char name[REG_NAME_SIZE];
    int err = take_found(op, reply);
    if (!err && op->object.tmpl.revision < op->revision)
        err = ERR_NOTFOUND; /* not made yet, or lost with the server's last second */
    if (err || op->object.tmpl.revision == op->revision) {
        pin_reg_op_end(op, err);
        return;
    }
    pin_reg_revision_name(op->name, op->revision, name);
    ask(op, name, found_step);
}

/* The newest in the cache may be older than the one that is looked for: the store knows then. */
static void find_earlier(struct pin_registry *r, const char *name, const struct reg_to *to,
                         const struct pin_template *t)
{
    char earlier[REG_NAME_SIZE];
    union reg_object object;
    if (pin_reg_cache_get(r->cache, name, &object) == 0 && object.tmpl.revision >= t->revision) {
        bool is_newest = object.tmpl.revision == t->revision;
        pin_reg_revision_name(name, t->revision, earlier);
        find(r, is_newest ? name : earlier, to, &object, REG_TEMPLATE);
        return;
    }
    struct reg_op *op = pin_reg_op_new(r, to);
    if (!op)
        return;
    op->kind = REG_TEMPLATE;
    op->object.tmpl = *t;
    op->revision = t->revision;
    ask(op, name, newest_step);
}

void pin_registry_find_revision(struct pin_registry *r, const char *account,
                                const struct pin_template_ref *ref, pin_template_cb cb, void *arg)
{
    char name[REG_NAME_SIZE];
    const struct reg_to to = {REG_TO_TEMPLATE, {.tmpl = cb}, arg};
    union reg_object object = {.tmpl = {.revision = ref->revision}};
    if (!pin_reg_account_is_valid(account) || !pin_id_is_valid(ref->app_id, strlen(ref->app_id)) ||
        !pin_id_is_valid(ref->id, strlen(ref->id))) {
        answer(&to, ERR_NOTFOUND, NULL);
        return;
    }
    str_copy(object.tmpl.app_id, sizeof object.tmpl.app_id, ref->app_id);
    str_copy(object.tmpl.id, sizeof object.tmpl.id, ref->id);
    pin_reg_template_name(account, ref->app_id, ref->id, name);
    if (ref->revision)
        find_earlier(r, name, &to, &object.tmpl);
    else
        find(r, name, &to, &object, REG_TEMPLATE);
}

void pin_registry_find_template(struct pin_registry *r, const char *account, const char *app_id,
                                const char *id, pin_template_cb cb, void *arg)
{
    pin_registry_find_revision(r, account, &(struct pin_template_ref){app_id, id, 0}, cb, arg);
}
