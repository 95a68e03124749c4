#include "gateway/resp_private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/config.h"
#include "gateway/failures.h"

#include <string.h>

/* So often the registry is asked about the key of a connection in use; its cache holds 4 s. */
#define KEY_TRUST_MS 1000

/* A key that is known to be good passes: strangers may have the same address. */
static bool is_locked_out(const struct resp_conn *c, const struct resp_arg *key)
{
    struct resp_server *s = c->server;
    return failures_wait_ms(s->failures, c->peer, s->env.config->auth_failures_per_min) > 0 &&
           !pin_registry_knows_key(s->env.registry, key->p, key->len);
}

static void count_failure(struct resp_conn *c)
{
    c->server->info.auth_failures++;
    LOG(LOG_LV_WARN, NULL, "auth_failed", KV_I("client", c->id), KV_S("peer", c->peer));
    failures_add(c->server->failures, c->peer);
}

static void accept_account(struct resp_request *r, const char *account)
{
    struct resp_conn *c = r->conn;
    str_copy(c->account, sizeof c->account, account);
    c->is_authenticated = true;
    secret_clear(&c->key);
    c->key = c->tried;
    c->tried = (struct secret){0};
    c->key_checked = mono_now();
    if (!r->is_hello) {
        resp_reply_ok(r);
        return;
    }
    char buf[512];
    struct wr w = wr_init(buf, sizeof buf);
    c->proto = r->hello_proto;
    resp_write_hello(&w, c);
    resp_reply(r, &w);
}

static bool is_right_name(const struct resp_request *r, const char *account)
{
    return strcmp(r->auth_name, "default") == 0 || strcmp(r->auth_name, account) == 0;
}

static void key_cb(void *arg, int result, const char *account)
{
    struct resp_request *r = arg;
    struct resp_conn *c = r->conn;
    if (!c) {
        resp_reply_ok(r); /* frees it: nobody is there */
        return;
    }
    if (!result && is_right_name(r, account)) {
        accept_account(r, account);
    } else if (!result || result == ERR_NOTFOUND) {
        count_failure(c);
        resp_reply_error(r, "WRONGPASS invalid username-password pair or user is disabled.");
    } else {
        resp_reply_error(r, "UNAVAILABLE the store does not answer, try again");
    }
    secret_clear(&c->tried);
    resp_conn_go_on(c);
}

void resp_authenticate(struct resp_request *r, const char *name, const struct resp_arg *key)
{
    struct resp_conn *c = r->conn;
    if (is_locked_out(c, key)) {
        c->server->info.limits_hit++;
        resp_conn_close_after(c, "too many wrong keys");
        resp_reply_error(r, "TOO_MANY_REQUESTS too many wrong keys, try again in a minute");
        return;
    }
    secret_clear(&c->tried);
    if (secret_set(&c->tried, key->p, key->len)) {
        resp_reply_error(r, "GENERAL_ERROR out of memory");
        return;
    }
    str_copy(r->auth_name, sizeof r->auth_name, name);
    c->is_waiting = true;
    pin_registry_find_key(c->server->env.registry, key->p, key->len, key_cb, r);
}

/* --- a key that is in use --------------------------------------------------------------------- */

void resp_conn_forget(struct resp_conn *c)
{
    c->is_authenticated = false;
    c->account[0] = 0;
    secret_clear(&c->key);
}

bool resp_is_key_due(const struct resp_conn *c)
{
    return secret_is_set(&c->key) && mono_diff_ms(mono_now(), c->key_checked) >= KEY_TRUST_MS;
}

static void checked_cb(void *arg, int result, const char *account)
{
    struct resp_request *r = arg;
    struct resp_conn *c = r->conn;
    if (!c) {
        resp_reply_nothing(r);
        return;
    }
    if (result == ERR_NOTFOUND || (!result && strcmp(account, c->account) != 0)) {
        LOG(LOG_LV_WARN, NULL, "key_withdrawn", KV_I("client", c->id), KV_S("peer", c->peer),
            KV_S("account", c->account));
        resp_conn_forget(c);
    }
    resp_reply_nothing(r);
    resp_conn_go_on(c);
}

void resp_check_key(struct resp_request *r)
{
    struct resp_conn *c = r->conn;
    c->key_checked = mono_now();
    c->is_waiting = true;
    pin_registry_find_key(c->server->env.registry, (const char *)c->key.data, c->key.len,
                          checked_cb, r);
}
