#include "store/private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define LOG_ID      "store"
#define INFO_VALUE  32
#define MIN_VERSION 602 /* 6.2 as major * 100 + minor */

static void give_up(struct store *s, const char *reason, const struct store_reply *reply)
{
    store_conn_close(&s->conn, reason, reply ? store_reply_str(reply, NULL) : NULL);
}

/* Other outcomes are the connection's own end, which has its reason already, but for silence. */
static bool has_reply(struct store *s, int result)
{
    if (result == ERR_TIMEOUT)
        give_up(s, "no answer to the first commands", NULL);
    return result == 0 || result == ERR_REFUSED;
}

void store_auth_error(const char *text, char *out, size_t size)
{
    str_copy_n(out, size, text, strcspn(text, ",'`\""));
}

static void auth_cb(void *arg, int result, const struct store_reply *reply)
{
    struct store *s = arg;
    char text[STORE_ERROR_SIZE];
    if (!has_reply(s, result) || !result)
        return;
    store_auth_error(store_reply_str(reply, NULL), text, sizeof text);
    store_conn_close(&s->conn, "the server refused user or password", text);
}

static void select_cb(void *arg, int result, const struct store_reply *reply)
{
    if (has_reply(arg, result) && result)
        give_up(arg, "the server refused the database", reply);
}

/* The value of "name:value" on a line of INFO; "" when it is not there. */
static void info_value(const char *info, const char *name, char out[INFO_VALUE])
{
    size_t n = strlen(name);
    out[0] = 0;
    for (const char *line = info; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        size_t len = strcspn(line + n + 1, "\r\n");
        snprintf(out, INFO_VALUE, "%.*s", (int)(len < INFO_VALUE ? len : INFO_VALUE - 1),
                 line + n + 1);
        return;
    }
}

static bool info_is(const char *info, const char *name, const char *value)
{
    char have[INFO_VALUE];
    info_value(info, name, have);
    return strcmp(have, value) == 0;
}

/* What makes a server unusable, by INFO; NULL: nothing. */
static const char *find_fault(const char *info, const char *version)
{
    int major = 0, minor = 0;
    if (sscanf(version, "%3d.%3d", &major, &minor) != 2 || major * 100 + minor < MIN_VERSION)
        return "the server is older than Redis 6.2";
    if (info_is(info, "loading", "1"))
        return store_reason_loading;
    if (info_is(info, "role", "slave"))
        return "the server is a replica: name its master";
    if (info_is(info, "redis_mode", "cluster"))
        return "the server is a cluster node: not available yet";
    return NULL;
}

static void warn_memory(const char *info)
{
    char policy[INFO_VALUE];
    info_value(info, "maxmemory_policy", policy);
    if (strcmp(policy, "noeviction") == 0 || info_is(info, "maxmemory", "0"))
        return;
    LOG(LOG_LV_WARN, LOG_ID, "store_setting", KV_S("setting", "maxmemory-policy"),
        KV_S("is", policy), KV_S("should_be", "noeviction"),
        KV_S("why", "when memory is short the server would throw PINs away"));
}

static void info_cb(void *arg, int result, const struct store_reply *reply)
{
    struct store *s = arg;
    if (!has_reply(s, result))
        return;
    if (result) {
        const char *text = store_reply_str(reply, NULL);
        if (strncmp(text, "NOPERM", 6) != 0) {
            give_up(s, "the server refused INFO", reply);
            return;
        }
        LOG(LOG_LV_INFO, LOG_ID, "store_unchecked", KV_S("error", text),
            KV_S("why", "version and settings cannot be read by this user"));
        return;
    }
    const char *info = store_reply_str(reply, NULL);
    if (!info)
        info = "";
    info_value(info, "redis_version", s->version);
    const char *fault = find_fault(info, s->version);
    if (fault) {
        give_up(s, fault, NULL);
        return;
    }
    warn_memory(info);
    s->is_aof_on = info_is(info, "aof_enabled", "1");
}

static void warn_persistence(const struct store *s, const struct store_reply *reply)
{
    const struct store_reply *value = store_reply_at(reply, 1);
    const char *save = value ? store_reply_str(value, NULL) : NULL;
    if (s->is_aof_on || !s->version[0])
        return;
    LOG(LOG_LV_WARN, LOG_ID, "store_setting", KV_S("setting", "appendonly"), KV_S("is", "no"),
        KV_S("should_be", "yes"), KV_S("save", save),
        KV_S("why", save && *save ? "after a crash the PINs of the last minutes are lost"
                                  : "nothing is kept on disk: a restart loses every PIN"));
}

/* The last of the checks: all the others have been answered. */
static void save_cb(void *arg, int result, const struct store_reply *reply)
{
    struct store *s = arg;
    if (!has_reply(s, result))
        return;
    if (result)
        LOG(LOG_LV_INFO, LOG_ID, "store_unchecked", KV_S("error", store_reply_str(reply, NULL)),
            KV_S("why", "CONFIG is refused: whether the server saves to disk is not known"));
    warn_persistence(s, reply);
    LOG(LOG_LV_INFO, LOG_ID, "store_server", KV_S("version", s->version));
    store_set_state(s, STORE_UP, "connected and checked");
}

int store_auth_call(const struct store *s, struct call **out)
{
    static const struct store_arg name = {"AUTH", 4};
    *out = NULL;
    if (!secret_is_set(&s->password) || s->embedded)
        return 0;
    const char *user = s->user ? s->user : "";
    struct store_arg argv[] = {name, {user, strlen(user)}, {s->password.data, s->password.len}};
    if (!s->user)
        argv[1] = argv[2];
    int err = store_call_new(out, &(struct call_part){argv, s->user ? 3 : 2}, 1,
                             &(struct call_to){.cb = auth_cb, .arg = (void *)s});
    if (!err) {
        (*out)->internal = true;
        (*out)->is_secret = true;
    }
    return err;
}

static int send_auth(struct store *s)
{
    struct call *c;
    int err = store_auth_call(s, &c);
    if (err || !c)
        return err;
    err = store_send(s, c);
    if (err)
        store_call_free(c);
    return err;
}

void store_check_start(struct store *s)
{
    char db[8];
    snprintf(db, sizeof db, "%u", s->url.db);
    const struct {
        store_cb cb;
        const char *words[3];
        size_t n;
    } steps[] = {
        {select_cb, {"SELECT", db}, s->url.db ? 2 : 0},
        {NULL, {"CLIENT", "SETNAME", "pinbind"}, 3},
        {info_cb, {"INFO"}, 1},
        {save_cb, {"CONFIG", "GET", "save"}, 3},
    };
    s->version[0] = 0;
    int err = send_auth(s);
    for (size_t i = 0; !err && i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].n)
            err = store_send_words(s, steps[i].cb, steps[i].words, steps[i].n);
    if (err)
        store_conn_close(&s->conn, "out of memory", NULL);
}
