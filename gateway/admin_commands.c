#include "gateway/admin_private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"
#include "gateway/answer_json.h"
#include "gateway/api.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "gateway/flow.h"
#include "gateway/objects.h"
#include "gateway/gateway.h"
#include "gateway/pins.h"
#include "gateway/resp.h"
#include "pin/ledger.h"
#include "pin/registry.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- arguments ------------------------------------------------------------------------------- */

static const char *option(const struct admin_request *r, const char *name)
{
    return json_string_value(json_object_get(r->options, name));
}

static const char *arg_at(const struct admin_request *r, size_t i)
{
    return json_string_value(json_array_get(r->args, i));
}

/* NULL, and the request is answered, when it was not given. */
static const char *need_option(struct admin_request *r, const char *name)
{
    const char *v = option(r, name);
    if (!v)
        admin_fail(r, "BAD_REQUEST", "--%s is needed", name);
    return v;
}

static const char *need_arg(struct admin_request *r, const char *what)
{
    const char *v = arg_at(r, 0);
    if (!v)
        admin_fail(r, "BAD_REQUEST", "%s is needed", what);
    return v;
}

/* --- accounts and keys ----------------------------------------------------------------------- */

static void key_cb(void *arg, int result, const char *account, const char *key)
{
    struct admin_request *r = arg;
    if (result == ERR_INVALID)
        admin_fail(r, "BAD_REQUEST",
                   "an account's name has 1 to 32 of a-z, 0-9, - and _, and begins"
                   " with a letter or digit");
    else if (result)
        admin_fail_result(r, result, "account");
    else
        admin_ok(r, json_pack("{s:s, s:s}", "account", account, "key", key));
}

static void cmd_account_create(struct admin_request *r)
{
    const char *name = need_arg(r, "the account's name");
    if (name)
        pin_registry_create_account(r->env->registry, name, key_cb, r);
}

static void cmd_key_create(struct admin_request *r)
{
    const char *name = need_arg(r, "the account's name");
    if (name)
        pin_registry_create_key(r->env->registry, name, key_cb, r);
}

static void revoked_cb(void *arg, int result, const char *account)
{
    struct admin_request *r = arg;
    if (result)
        admin_fail_result(r, result, "key");
    else
        admin_ok(r, json_pack("{s:s}", "account", account));
}

static void cmd_key_revoke(struct admin_request *r)
{
    const char *key = need_arg(r, "the key");
    if (key)
        pin_registry_revoke_key(r->env->registry, key, revoked_cb, r);
}

static void names_cb(void *arg, int result, const char *const *names, size_t n)
{
    struct admin_request *r = arg;
    if (result) {
        admin_fail_result(r, result, "account or application");
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(names[i]));
    admin_ok(r, list);
}

static void cmd_account_list(struct admin_request *r)
{
    pin_registry_list_accounts(r->env->registry, names_cb, r);
}

/* --- applications and templates -------------------------------------------------------------- */

static void app_made_cb(void *arg, int result, const struct pin_app *app)
{
    struct admin_request *r = arg;
    if (result)
        admin_fail_result(r, result, "account");
    else
        admin_ok(r, json_pack("{s:s}", "applicationId", app->id));
}

/* false: answered. What was given stands in the text, what is wrong behind it. */
static bool set_field(struct admin_request *r, struct object *o, const char *field,
                      const char *value, const char *given)
{
    struct object_wrong wrong;
    int err = object_set(o, field, value, &wrong);
    if (err)
        admin_fail(r, "BAD_REQUEST", "%s: %s", given, wrong.text);
    return err == 0;
}

/* "key=value" of --set; false: answered. */
static bool set_policy(struct admin_request *r, struct object *o, const char *pair)
{
    static const char path[] = "configuration.";
    struct object_wrong wrong;
    char field[64], names[256];
    const char *eq = strchr(pair, '=');
    if (!eq || eq - pair > 40) {
        admin_fail(r, "BAD_REQUEST", "--set %.100s: key=value is expected", pair);
        return false;
    }
    snprintf(field, sizeof field, "%s%.*s", path, (int)(eq - pair), pair);
    int err = object_set(o, field, eq + 1, &wrong);
    object_names(OBJECT_APP, path, names, sizeof names);
    if (err == ERR_NOTFOUND)
        admin_fail(r, "BAD_REQUEST", "--set %.100s: no such key; there are %s", pair, names);
    else if (err)
        admin_fail(r, "BAD_REQUEST", "--set %.100s: %s", pair, wrong.text);
    return err == 0;
}

static bool set_policies(struct admin_request *r, struct object *o)
{
    json_t *set = json_object_get(r->options, "set");
    if (json_is_string(set))
        return set_policy(r, o, json_string_value(set));
    for (size_t i = 0; i < json_array_size(set); i++) {
        const char *pair = json_string_value(json_array_get(set, i));
        if (!set_policy(r, o, pair ? pair : ""))
            return false;
    }
    return true;
}

static void cmd_app_create(struct admin_request *r)
{
    struct object o;
    const char *account = need_option(r, "account");
    const char *name = account ? need_option(r, "name") : NULL;
    if (!name)
        return;
    object_init(&o, OBJECT_APP);
    if (!str_copy(o.app.account, sizeof o.app.account, account))
        admin_fail_result(r, ERR_NOTFOUND, "account");
    else if (set_field(r, &o, "name", name, "--name") && set_policies(r, &o))
        pin_registry_create_app(r->env->registry, &o.app, app_made_cb, r);
}

static void cmd_app_list(struct admin_request *r)
{
    const char *account = need_option(r, "account");
    if (account)
        pin_registry_list_apps(r->env->registry, account, names_cb, r);
}

static void template_made_cb(void *arg, int result, const struct pin_template *t)
{
    struct admin_request *r = arg;
    if (result)
        admin_fail_result(r, result, "application");
    else
        admin_ok(r, json_pack("{s:s}", "messageId", t->id));
}

static bool take_template(struct admin_request *r, struct object *o)
{
    static const struct {
        const char *option, *field, *given;
    } fields[] = {{"text", "messageText", "--text"},
                  {"type", "pinType", "--type"},
                  {"length", "pinLength", "--length"},
                  {"sender", "senderId", "--sender"},
                  {"max-segments", "maxSegments", "--max-segments"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *value = option(r, fields[i].option);
        if (value && !set_field(r, o, fields[i].field, value, fields[i].given))
            return false;
    }
    o->tmpl.spec.no_look_alikes = json_is_true(json_object_get(r->options, "no-look-alikes"));
    return true;
}

static void cmd_message_create(struct admin_request *r)
{
    struct object o;
    const char *account = need_option(r, "account");
    const char *app = account ? need_option(r, "app") : NULL;
    if (!app || !need_option(r, "text"))
        return;
    object_init(&o, OBJECT_TEMPLATE);
    if (!str_copy(o.tmpl.app_id, sizeof o.tmpl.app_id, app))
        admin_fail_result(r, ERR_NOTFOUND, "application");
    else if (take_template(r, &o))
        pin_registry_create_template(r->env->registry, account, &o.tmpl, template_made_cb, r);
}

static void cmd_message_list(struct admin_request *r)
{
    const char *account = need_option(r, "account");
    const char *app = account ? need_option(r, "app") : NULL;
    if (app)
        pin_registry_list_templates(r->env->registry, account, app, names_cb, r);
}

/* --- what is running ------------------------------------------------------------------------- */

static json_t *answer_json(const struct answer *a)
{
    char text[ANSWER_JSON_SIZE];
    struct wr w = wr_init(text, sizeof text);
    answer_write_json(&w, a);
    return w.bad ? NULL : json_loadb(text, w.len, 0, NULL);
}

static void status_cb(void *arg, const struct answer *a)
{
    struct admin_request *r = arg;
    if (a->code == ANSWER_OK)
        admin_ok(r, answer_json(a));
    else
        admin_fail(r, answer_code_name(a->code), "%s", a->text);
}

static void cmd_pins(struct admin_request *r)
{
    const char *id = need_arg(r, "the pinId");
    if (id) /* NULL: an operator sees every account's */
        pins_status(r->env->ledger, r->env->carriers, NULL, id, status_cb, r);
}

static json_t *store_json(const struct admin_env *env)
{
    struct store_info i;
    store_info(env->store, &i);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:i}", "state", store_state_name(i.state),
                     "version", i.version, "commands", (json_int_t)i.commands, "errors",
                     (json_int_t)i.errors, "timeouts", (json_int_t)i.timeouts, "reconnects",
                     (json_int_t)i.reconnects, "pending", (int)i.pending);
}

static json_t *flows_json(const struct admin_env *env)
{
    struct flows_info i;
    flows_info(env->flows, &i);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "open", (int)i.open, "started",
                     (json_int_t)i.started, "sent", (json_int_t)i.sent, "not_sent",
                     (json_int_t)i.not_sent, "in_doubt", (json_int_t)i.in_doubt, "refused",
                     (json_int_t)i.refused, "unavailable", (json_int_t)i.unavailable);
}

static json_t *ledger_json(const struct admin_env *env)
{
    struct pin_ledger_info i;
    pin_ledger_info(env->ledger, &i);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "acts", (json_int_t)i.acts, "repeats",
                     (json_int_t)i.repeats, "receipts_matched", (json_int_t)i.receipts_matched,
                     "receipts_parked", (json_int_t)i.receipts_parked, "receipts_unmatched",
                     (json_int_t)i.receipts_unmatched, "receipts_duplicate",
                     (json_int_t)i.receipts_duplicate, "outstanding", (int)i.outstanding);
}

static json_t *clients_json(const struct admin_env *env)
{
    struct resp_info i;
    resp_server_info(env->resp, &i);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "connections", (int)i.connections,
                     "accepted", (json_int_t)i.accepted, "commands", (json_int_t)i.commands,
                     "protocol_errors", (json_int_t)i.protocol_errors, "limits_hit",
                     (json_int_t)i.limits_hit, "auth_failures", (json_int_t)i.auth_failures);
}

/* The API's listener; /metrics has the other one's. */
static json_t *api_json(const struct admin_env *env)
{
    struct api_info i;
    api_info(env->api, &i);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connections", (int)i.connections,
                     "accepted", (json_int_t)i.http.accepted, "requests",
                     (json_int_t)i.http.requests, "malformed", (json_int_t)i.http.malformed,
                     "timeouts", (json_int_t)i.http.timeouts, "limits_hit",
                     (json_int_t)i.http.limits_hit, "tls_failures", (json_int_t)i.http.tls_failures,
                     "auth_failures", (json_int_t)i.auth_failures);
}

static json_t *carriers_json(const struct admin_env *env)
{
    struct carriers_info i;
    carriers_info(env->carriers, &i);
    return json_pack("{s:i, s:I, s:I, s:I}", "receipts_open", (int)i.receipts_open,
                     "receipts_deferred", (json_int_t)i.receipts_deferred, "receipts_without_id",
                     (json_int_t)i.receipts_without_id, "mobile_originated",
                     (json_int_t)i.mobile_originated);
}

static void cmd_info(struct admin_request *r)
{
    admin_ok(r, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "version", PINBIND_VERSION,
                          "node", r->env->config->node, "store", store_json(r->env), "sends",
                          flows_json(r->env), "ledger", ledger_json(r->env), "carriers",
                          carriers_json(r->env), "clients", clients_json(r->env), "api",
                          api_json(r->env)));
}

static void cmd_config(struct admin_request *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f) {
        admin_fail(r, "GENERAL_ERROR", "out of memory");
        return;
    }
    config_print(r->env->config, f);
    fclose(f);
    admin_ok(r, json_string(text ? text : ""));
    free(text);
}

/* "a, b" as an array. */
static json_t *names_json(const char *list)
{
    json_t *names = json_array();
    while (*list) {
        size_t n = strcspn(list, ",");
        json_array_append_new(names, json_stringn(list, n));
        list += n + strspn(list + n, ", ");
    }
    return names;
}

static void cmd_reload(struct admin_request *r)
{
    struct gateway_reloaded *out = calloc(1, sizeof *out);
    if (!out)
        admin_fail(r, "GENERAL_ERROR", "out of memory");
    else if (gateway_reload(r->env->gateway, "pinbindctl", out))
        admin_fail(r, "REFUSED", "%s", out->why);
    else
        admin_ok(r, json_pack("{s:o, s:o, s:o, s:o, s:o}", "added", names_json(out->carriers.added),
                              "changed", names_json(out->carriers.changed), "rebound",
                              names_json(out->carriers.rebound), "removed",
                              names_json(out->carriers.removed), "needs_restart",
                              names_json(out->needs_restart)));
    free(out);
}

/* The answer first: the process ends when nothing is left to do. */
static void cmd_drain(struct admin_request *r)
{
    struct gateway *g = r->env->gateway;
    bool is_first = !gateway_is_draining(g);
    admin_ok(r, json_pack("{s:b}", "draining", 1));
    if (is_first)
        gateway_drain(g, "pinbindctl");
}

/* --- the table ------------------------------------------------------------------------------- */

void admin_dispatch(struct admin_request *r, const char *command)
{
    static const struct {
        const char *name;
        size_t words; /* that may follow */
        void (*fn)(struct admin_request *r);
    } table[] = {
        {"account create", 1, cmd_account_create},
        {"account list", 0, cmd_account_list},
        {"key create", 1, cmd_key_create},
        {"key revoke", 1, cmd_key_revoke},
        {"app create", 0, cmd_app_create},
        {"app list", 0, cmd_app_list},
        {"message create", 0, cmd_message_create},
        {"message list", 0, cmd_message_list},
        {"binds", 0, admin_binds},
        {"bind", 2, admin_bind},
        {"pins", 1, cmd_pins},
        {"info", 0, cmd_info},
        {"mo", 0, admin_mo},
        {"config", 0, cmd_config},
        {"reload", 0, cmd_reload},
        {"drain", 0, cmd_drain},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, command) == 0) {
            if (json_array_size(r->args) > table[i].words)
                admin_fail(r, "BAD_REQUEST", "%s: too many words", command);
            else
                table[i].fn(r);
            return;
        }
    admin_fail(r, "BAD_REQUEST", "no such command: %.60s; pinbindctl --help lists them", command);
}
