/* The PINs of a number and application: which were sent, which verified, and when.  The number is
 * needed in both versions of the API: there is no list of a whole application. */
#include "gateway/api_private.h"

#include "base/buf.h"
#include "base/result.h"
#include "gateway/json_write.h"
#include "pin/ledger.h"

#include <string.h>

#define ENTRY_MAX 160 /* octets of one verification */

/* A filter of the query: absent is as both. */
static bool passes(const struct api_call *c, const char *filter, bool value)
{
    bool given = api_query_bool(c, filter, false);
    if (given != api_query_bool(c, filter, true))
        return true;
    return value == given;
}

static void write_time(struct wr *w, const char *key, int64_t ms)
{
    if (!ms)
        return;
    wr_u8(w, ',');
    json_write_key(w, key);
    wr_dec(w, ms);
}

static void write_one(struct wr *w, const char *msisdn, const struct pin_seen *seen)
{
    wr_str(w, "{\"msisdn\":");
    json_write_str(w, msisdn, strlen(msisdn));
    wr_str(w, seen->verified_ms ? ",\"verified\":true" : ",\"verified\":false");
    write_time(w, "verifiedAt", seen->verified_ms);
    write_time(w, "sentAt", seen->sent_ms);
    wr_u8(w, '}');
}

/* false: the call is answered. */
static bool number_of(struct api_call *c, struct msisdn *out)
{
    char text[32];
    if (api_query(c, "msisdn", text, sizeof text) && msisdn_parse(text, strlen(text), out) == 0)
        return true;
    api_fail(c, ANSWER_BAD_REQUEST, "msisdn", "msisdn in the query must be a phone number");
    return false;
}

static void reply_seen(struct api_call *c, const char *msisdn, const struct pin_answer *a)
{
    char json[64 + PIN_SEEN_MAX * ENTRY_MAX];
    struct wr w = wr_init(json, sizeof json);
    bool is_first = true;
    wr_str(&w, c->version == 1 ? "[" : "{\"verifications\":[");
    for (size_t i = 0; i < a->n_seen; i++) {
        const struct pin_seen *s = &a->seen[i];
        if (!passes(c, "verified", s->verified_ms != 0) || !passes(c, "sent", s->sent_ms != 0))
            continue;
        if (!is_first)
            wr_u8(&w, ',');
        is_first = false;
        write_one(&w, msisdn, s);
    }
    wr_str(&w, c->version == 1 ? "]" : "]}");
    if (w.bad)
        api_fail(c, ANSWER_GENERAL_ERROR, NULL, "the answer is too long");
    else
        api_reply(c, 200, json, w.len);
}

static void seen_cb(void *arg, const struct pin_answer *a)
{
    struct api_call *c = arg;
    struct msisdn number;
    if (a->result)
        api_fail_result(c, a->result, "number");
    else if (number_of(c, &number))
        reply_seen(c, number.digits, a);
}

static void app_cb(void *arg, int result, const struct pin_app *app)
{
    struct api_call *c = arg;
    struct msisdn number;
    if (result) {
        api_fail_result(c, result, "application");
        return;
    }
    if (!number_of(c, &number))
        return;
    const struct pin_owner owner = {c->account, app->id, &number};
    int err = pin_ledger_seen(c->env->ledger, &owner, seen_cb, c);
    if (err)
        api_fail_result(c, err, "number");
}

void api_verifications(struct api_call *c)
{
    struct msisdn number;
    if (number_of(c, &number))
        pin_registry_find_app(c->env->registry, c->account, c->ids[0], app_cb, c);
}
