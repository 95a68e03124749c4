#include "store/private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* A server that loses scripts as fast as they are loaded is told so to the caller. */
#define RESEND_MAX 3

static int name_script(struct store_script *script)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (script->sha1[0])
        return 0;
    if (EVP_Digest(script->source, strlen(script->source), md, &n, EVP_sha1(), NULL) != 1)
        return ERR_NOMEM;
    hex_encode(md, n, script->sha1, false);
    return 0;
}

static void loaded_cb(void *arg, int result, const struct store_reply *reply)
{
    (void)arg;
    if (result == ERR_REFUSED)
        LOG(LOG_LV_ERROR, "store", "script_load_refused",
            KV_S("error", store_reply_str(reply, NULL)));
}

static int load(struct store *s, const struct store_script *script)
{
    const char *const words[] = {"SCRIPT", "LOAD", script->source};
    uint64_t at = s->conn.appended;
    int err = store_send_words(s, loaded_cb, words, 3);
    if (err)
        return err;
    LOG(LOG_LV_DEBUG, "store", "script_load", KV_S("script", script->name));
    uint32_t slot = s->n_loads;
    for (uint32_t i = 0; i < s->n_loads && i < SCRIPT_LOADS_MAX; i++)
        if (s->loads[i].script == script)
            slot = i;
    s->n_loads += slot == s->n_loads;
    s->loads[slot % SCRIPT_LOADS_MAX] = (struct script_load){script, at};
    return 0;
}

/* The script was loaded on this connection after the call had been sent. */
static bool is_loaded_since(const struct store *s, const struct call *c)
{
    for (uint32_t i = 0; i < s->n_loads && i < SCRIPT_LOADS_MAX; i++)
        if (s->loads[i].script == c->to.script)
            return s->loads[i].at > c->start;
    return false;
}

bool store_script_retry(struct store *s, struct call *c, const struct store_reply *reply)
{
    const char *text = store_reply_str(reply, NULL);
    if (!c->to.script || c->resent >= RESEND_MAX || !text || strncmp(text, "NOSCRIPT", 8) != 0)
        return false;
    if (!is_loaded_since(s, c) && load(s, c->to.script))
        return false;
    c->resent++;
    if (store_send(s, c) == 0)
        return true;
    c->resent--;
    return false;
}

int store_eval(struct store *s, struct store_script *script, const struct store_arg *keys,
               size_t n_keys, const struct store_arg *args, size_t n_args, store_cb cb, void *arg)
{
    int err = name_script(script);
    if (err)
        return err;
    char count[24];
    int digits = snprintf(count, sizeof count, "%zu", n_keys);
    const struct store_arg head[] = {{"EVALSHA", 7}, {script->sha1, 40}, {count, (size_t)digits}};
    const struct call_part parts[] = {{head, 3}, {keys, n_keys}, {args, n_args}};
    return store_submit(s, parts, 3, &(struct call_to){.cb = cb, .arg = arg, .script = script});
}
