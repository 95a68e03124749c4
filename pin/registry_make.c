/*
 * Making, changing, revoking, listing.  An account and its key live in different slots: the account
 * is made first (HSETNX decides), so a failure in between leaves an account that create_key helps,
 * never a key without one.  The index of accounts is written before both; a name in it whose
 * account was never made goes away with the next attempt to make it.
 */
#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "pin/registry_private.h"
#include "pin_scripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ID     "pin/registry"
#define KEY_RANDOM 32 /* octets */
#define PUT_ARGS   3  /* before the fields, at most */

static struct store_script script_put = {"registry_put", pin_script_registry_put, ""};
static struct store_script script_update = {"registry_update", pin_script_registry_update, ""};
static struct store_script script_revise = {"registry_revise", pin_script_registry_revise, ""};
static struct store_script script_name = {"registry_name", pin_script_registry_name, ""};
static struct store_script script_list = {"registry_list", pin_script_registry_list, ""};
static struct store_script script_revoke = {"registry_revoke", pin_script_registry_revoke, ""};

/* What a script says. */
static int verdict(const struct store_reply *reply)
{
    static const struct {
        const char *word;
        int err;
    } words[] = {{"OK", 0}, {"NOTFOUND", ERR_NOTFOUND}, {"LIMIT", ERR_LIMIT}};
    const char *said = store_reply_str(reply, NULL);
    for (size_t i = 0; said && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(said, words[i].word) == 0)
            return words[i].err;
    return ERR_UNAVAILABLE;
}

/* --- keys and accounts --------------------------------------------------------------------- */

static int draw_key(struct reg_op *op)
{
    uint8_t random[KEY_RANDOM];
    int err = pin_random(random, sizeof random);
    if (err)
        return err;
    memcpy(op->api_key, "pb_", 3);
    hex_encode(random, sizeof random, op->api_key + 3, false);
    secret_wipe(random, sizeof random);
    pin_reg_key_name(op->api_key, strlen(op->api_key), op->name);
    return 0;
}

static void key_written_step(struct reg_op *op, const struct store_reply *reply)
{
    (void)reply;
    LOG(LOG_LV_INFO, LOG_ID, "api_key_created", KV_S("account", op->account));
    pin_reg_op_end(op, 0);
}

static void write_key(struct reg_op *op)
{
    char now[24];
    snprintf(now, sizeof now, "%lld", (long long)wall_ms());
    int err = draw_key(op);
    if (err) {
        pin_reg_op_later(op, err);
        return;
    }
    const struct store_arg argv[] = {REG_ARG("HSET"),      REG_ARG(op->name), REG_ARG("account"),
                                     REG_ARG(op->account), REG_ARG("scopes"), REG_ARG("2fa:manage"),
                                     REG_ARG("created"),   REG_ARG(now)};
    op->is_change = true;
    pin_reg_op_command(op, key_written_step, argv, sizeof argv / sizeof argv[0]);
}

static void account_made_step(struct reg_op *op, const struct store_reply *reply)
{
    if (store_reply_int(reply) != 1) {
        pin_reg_op_end(op, ERR_EXISTS);
        return;
    }
    LOG(LOG_LV_INFO, LOG_ID, "account_created", KV_S("account", op->account));
    write_key(op);
}

static void account_indexed_step(struct reg_op *op, const struct store_reply *reply)
{
    int err = verdict(reply);
    if (err) {
        pin_reg_op_end(op, err);
        return;
    }
    char name[REG_NAME_SIZE], now[24];
    pin_reg_account_name(op->account, name);
    snprintf(now, sizeof now, "%lld", (long long)wall_ms());
    const struct store_arg argv[] = {REG_ARG("HSETNX"), REG_ARG(name), REG_ARG("created"),
                                     REG_ARG(now)};
    pin_reg_op_command(op, account_made_step, argv, 4);
}

/* NULL: answered. A name that is none ends the operation with wrong, from the loop. */
static struct reg_op *op_for_account(struct pin_registry *r, const struct reg_to *to,
                                     const char *account, int wrong)
{
    struct reg_op *op = pin_reg_op_new(r, to);
    if (op && pin_reg_account_is_valid(account)) {
        str_copy(op->account, sizeof op->account, account);
        return op;
    }
    if (op)
        pin_reg_op_later(op, wrong);
    return NULL;
}

void pin_registry_create_account(struct pin_registry *r, const char *account, pin_key_cb cb,
                                 void *arg)
{
    const struct reg_to to = {REG_TO_KEY, {.key = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_INVALID);
    if (!op)
        return;
    char most[12];
    snprintf(most, sizeof most, "%d", REG_LIST_MAX);
    const struct store_arg keys[] = {REG_ARG(REG_ACCOUNTS)};
    const struct store_arg args[] = {REG_ARG(most), REG_ARG(account)};
    pin_reg_op_eval(op, account_indexed_step, &(struct reg_call){&script_name, keys, 1, args, 2});
}

static void account_there_step(struct reg_op *op, const struct store_reply *reply)
{
    if (store_reply_int(reply) == 1)
        write_key(op);
    else
        pin_reg_op_end(op, ERR_NOTFOUND);
}

void pin_registry_create_key(struct pin_registry *r, const char *account, pin_key_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_KEY, {.key = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_NOTFOUND);
    if (!op)
        return;
    char name[REG_NAME_SIZE];
    pin_reg_account_name(account, name);
    const struct store_arg argv[] = {REG_ARG("EXISTS"), REG_ARG(name)};
    pin_reg_op_command(op, account_there_step, argv, 2);
}

static void revoked_step(struct reg_op *op, const struct store_reply *reply)
{
    size_t len = 0;
    const char *account = store_reply_str(reply, &len);
    if (!account) {
        pin_reg_op_end(op, ERR_NOTFOUND);
        return;
    }
    str_copy_n(op->account, sizeof op->account, account, len);
    LOG(LOG_LV_INFO, LOG_ID, "api_key_revoked", KV_S("account", op->account));
    pin_reg_op_end(op, 0);
}

void pin_registry_revoke_key(struct pin_registry *r, const char *key, pin_account_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_ACCOUNT, {.account = cb}, arg};
    struct reg_op *op = pin_reg_op_new(r, &to);
    if (!op)
        return;
    pin_reg_key_name(key, strlen(key), op->name);
    const struct store_arg keys[] = {REG_ARG(op->name)};
    const struct store_arg args[] = {REG_ARG(REG_CHANNEL)};
    op->is_change = true;
    pin_reg_op_eval(op, revoked_step, &(struct reg_call){&script_revoke, keys, 1, args, 1});
}

/* --- applications and templates ------------------------------------------------------------ */

static int draw_id(char out[PIN_APP_ID_SIZE])
{
    uint8_t random[(PIN_APP_ID_SIZE - 1) / 2];
    int err = pin_random(random, sizeof random);
    if (!err)
        hex_encode(random, sizeof random, out, true);
    return err;
}

static void put_step(struct reg_op *op, const struct store_reply *reply)
{
    int err = verdict(reply);
    if (!err)
        LOG(LOG_LV_INFO, LOG_ID, "object_created", KV_S("object", op->name));
    pin_reg_op_end(op, err);
}

/* op->name is the object's key; owner and index are in the same slot. */
static void put(struct reg_op *op, const char *owner, const char *index, const char *id,
                const struct reg_fields *fields)
{
    char most[12];
    snprintf(most, sizeof most, "%d", REG_LIST_MAX);
    const struct store_arg keys[] = {REG_ARG(owner), REG_ARG(index), REG_ARG(op->name)};
    struct store_arg args[PUT_ARGS + 2 * REG_FIELDS_MAX] = {REG_ARG(most), REG_ARG(id),
                                                            REG_ARG(REG_CHANNEL)};
    memcpy(args + PUT_ARGS, fields->v, fields->n * sizeof fields->v[0]);
    op->is_change = true;
    pin_reg_op_eval(op, put_step,
                    &(struct reg_call){&script_put, keys, 3, args, PUT_ARGS + fields->n});
}

void pin_registry_create_app(struct pin_registry *r, const struct pin_app *app, pin_app_cb cb,
                             void *arg)
{
    const struct reg_to to = {REG_TO_APP, {.app = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, app->account, ERR_NOTFOUND);
    if (!op)
        return;
    char owner[REG_NAME_SIZE], index[REG_NAME_SIZE];
    struct reg_fields fields;
    op->object.app = *app;
    int err = draw_id(op->object.app.id);
    if (!err)
        err = pin_reg_app_fields(&op->object.app, &fields);
    if (err) {
        pin_reg_op_later(op, err);
        return;
    }
    pin_reg_account_name(app->account, owner);
    pin_reg_apps_name(app->account, index);
    pin_reg_app_name(app->account, op->object.app.id, op->name);
    put(op, owner, index, op->object.app.id, &fields);
}

void pin_registry_create_template(struct pin_registry *r, const char *account,
                                  const struct pin_template *t, pin_template_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_TEMPLATE, {.tmpl = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_NOTFOUND);
    if (!op)
        return;
    char owner[REG_NAME_SIZE], index[REG_NAME_SIZE];
    struct reg_fields fields;
    struct pin_template *mine = &op->object.tmpl;
    *mine = *t;
    mine->revision = 1;
    int err = pin_id_is_valid(t->app_id, strlen(t->app_id)) ? draw_id(mine->id) : ERR_NOTFOUND;
    if (!err)
        err = pin_reg_template_fields(mine, &fields);
    if (err) {
        pin_reg_op_later(op, err);
        return;
    }
    pin_reg_app_name(account, t->app_id, owner);
    pin_reg_templates_name(account, t->app_id, index);
    pin_reg_template_name(account, t->app_id, mine->id, op->name);
    put(op, owner, index, mine->id, &fields);
}

/* --- changes ------------------------------------------------------------------------------- */

static void updated_step(struct reg_op *op, const struct store_reply *reply)
{
    int err = verdict(reply);
    if (!err)
        LOG(LOG_LV_INFO, LOG_ID, "object_changed", KV_S("object", op->name));
    pin_reg_op_end(op, err);
}

void pin_registry_update_app(struct pin_registry *r, const struct pin_app *app, pin_app_cb cb,
                             void *arg)
{
    const struct reg_to to = {REG_TO_APP, {.app = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, app->account, ERR_NOTFOUND);
    if (!op)
        return;
    struct reg_fields fields;
    op->object.app = *app;
    int err = pin_id_is_valid(app->id, strlen(app->id)) ? 0 : ERR_NOTFOUND;
    if (!err)
        err = pin_reg_app_fields(&op->object.app, &fields);
    if (err) {
        pin_reg_op_later(op, err);
        return;
    }
    pin_reg_app_name(app->account, app->id, op->name);
    const struct store_arg keys[] = {REG_ARG(op->name)};
    struct store_arg args[1 + 2 * REG_FIELDS_MAX] = {REG_ARG(REG_CHANNEL)};
    memcpy(args + 1, fields.v, fields.n * sizeof fields.v[0]);
    op->is_change = true;
    pin_reg_op_eval(op, updated_step,
                    &(struct reg_call){&script_update, keys, 1, args, 1 + fields.n});
}

/* An integer is the revision that it has now. */
static void revised_step(struct reg_op *op, const struct store_reply *reply)
{
    bool is_good = store_reply_type(reply) == STORE_INTEGER;
    if (is_good) {
        op->object.tmpl.revision = (uint32_t)store_reply_int(reply);
        LOG(LOG_LV_INFO, LOG_ID, "object_changed", KV_S("object", op->name),
            KV_I("revision", op->object.tmpl.revision));
    }
    pin_reg_op_end(op, is_good ? 0 : verdict(reply));
}

/* life_ms: of the revision that it has been until now. */
static void revise(struct reg_op *op, int64_t life_ms)
{
    char life[24], most[12];
    struct reg_fields fields;
    int err = pin_reg_template_fields(&op->object.tmpl, &fields);
    if (err) {
        pin_reg_op_end(op, err);
        return;
    }
    snprintf(life, sizeof life, "%lld", (long long)life_ms);
    snprintf(most, sizeof most, "%d", REG_EARLIER_MAX);
    const struct store_arg keys[] = {REG_ARG(op->name)};
    struct store_arg args[PUT_ARGS + 2 * REG_FIELDS_MAX] = {REG_ARG(REG_CHANNEL), REG_ARG(life),
                                                            REG_ARG(most)};
    memcpy(args + PUT_ARGS, fields.v, fields.n * sizeof fields.v[0]);
    op->is_change = true;
    pin_reg_op_eval(op, revised_step,
                    &(struct reg_call){&script_revise, keys, 1, args, PUT_ARGS + fields.n});
}

static void life_known_step(struct reg_op *op, const struct store_reply *reply)
{
    int64_t ms;
    const char *text = store_reply_str(reply, NULL);
    if (!text) {
        pin_reg_op_end(op, ERR_NOTFOUND);
    } else if (pin_period_parse(text, &ms)) {
        LOG(LOG_LV_ERROR, LOG_ID, "registry_failed", KV_S("object", op->object.tmpl.app_id),
            KV_S("error", err_name(ERR_CORRUPT)));
        pin_reg_op_end(op, ERR_UNAVAILABLE);
    } else {
        revise(op, ms + REG_EARLIER_MS);
    }
}

void pin_registry_update_template(struct pin_registry *r, const char *account,
                                  const struct pin_template *t, pin_template_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_TEMPLATE, {.tmpl = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_NOTFOUND);
    if (!op)
        return;
    char app[REG_NAME_SIZE];
    op->object.tmpl = *t;
    if (!pin_id_is_valid(t->app_id, strlen(t->app_id)) || !pin_id_is_valid(t->id, strlen(t->id))) {
        pin_reg_op_later(op, ERR_NOTFOUND);
        return;
    }
    pin_reg_app_name(account, t->app_id, app);
    pin_reg_template_name(account, t->app_id, t->id, op->name);
    const struct store_arg argv[] = {REG_ARG("HGET"), REG_ARG(app), REG_ARG("pinTimeToLive")};
    pin_reg_op_command(op, life_known_step, argv, 3);
}

/* --- lists --------------------------------------------------------------------------------- */

/* Nil instead of a list: the owner is not there. */
static void listed_step(struct reg_op *op, const struct store_reply *reply)
{
    if (store_reply_type(reply) != STORE_ARRAY) {
        pin_reg_op_end(op, ERR_NOTFOUND);
        return;
    }
    size_t n = store_reply_len(reply);
    char(*names)[PIN_ACCOUNT_SIZE] = calloc(n + 1, sizeof *names);
    const char **views = calloc(n + 1, sizeof *views);
    for (size_t i = 0; names && views && i < n; i++) {
        size_t len = 0;
        const char *name = store_reply_str(store_reply_at(reply, i), &len);
        str_copy_n(names[i], sizeof names[i], name ? name : "", len);
        views[i] = names[i];
    }
    op->names = views;
    op->n_names = n;
    pin_reg_op_end(op, names && views ? 0 : ERR_NOMEM);
    free(views);
    free(names);
}

void pin_registry_list_accounts(struct pin_registry *r, pin_names_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_NAMES, {.names = cb}, arg};
    struct reg_op *op = pin_reg_op_new(r, &to);
    if (!op)
        return;
    char last[12];
    snprintf(last, sizeof last, "%d", REG_LIST_MAX - 1);
    const struct store_arg argv[] = {REG_ARG("ZRANGE"), REG_ARG(REG_ACCOUNTS), REG_ARG("0"),
                                     REG_ARG(last)};
    pin_reg_op_command(op, listed_step, argv, 4);
}

static void list(struct reg_op *op, const char *owner, const char *index)
{
    char most[12];
    snprintf(most, sizeof most, "%d", REG_LIST_MAX);
    const struct store_arg keys[] = {REG_ARG(owner), REG_ARG(index)};
    const struct store_arg args[] = {REG_ARG(most)};
    pin_reg_op_eval(op, listed_step, &(struct reg_call){&script_list, keys, 2, args, 1});
}

void pin_registry_list_apps(struct pin_registry *r, const char *account, pin_names_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_NAMES, {.names = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_NOTFOUND);
    if (!op)
        return;
    char owner[REG_NAME_SIZE], index[REG_NAME_SIZE];
    pin_reg_account_name(account, owner);
    pin_reg_apps_name(account, index);
    list(op, owner, index);
}

void pin_registry_list_templates(struct pin_registry *r, const char *account, const char *app_id,
                                 pin_names_cb cb, void *arg)
{
    const struct reg_to to = {REG_TO_NAMES, {.names = cb}, arg};
    struct reg_op *op = op_for_account(r, &to, account, ERR_NOTFOUND);
    if (!op)
        return;
    if (!pin_id_is_valid(app_id, strlen(app_id))) {
        pin_reg_op_later(op, ERR_NOTFOUND);
        return;
    }
    char owner[REG_NAME_SIZE], index[REG_NAME_SIZE];
    pin_reg_app_name(account, app_id, owner);
    pin_reg_templates_name(account, app_id, index);
    list(op, owner, index);
}
