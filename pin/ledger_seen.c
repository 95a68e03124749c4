/* The PINs of a number, as verifications list them. */
#include "pin/ledger_private.h"

#include "base/result.h"

#include <string.h>

#define SEEN_CAP  256
#define SEEN_SIZE 12 /* octets of one in the answer */

static void seen_reply(struct act *a, const struct store_reply *reply)
{
    struct pin_seen seen[PIN_SEEN_MAX];
    size_t len = 0, n = 0;
    const char *s = store_reply_str(reply, &len);
    struct rd r = rd_init(s, s != NULL ? len : 0);

    for (; n < PIN_SEEN_MAX && rd_left(&r) >= SEEN_SIZE; n++) {
        seen[n].sent_ms = pin_rd_u48(&r);
        seen[n].verified_ms = pin_rd_u48(&r);
    }
    pin_act_finish(a, &(struct pin_answer){.verdict = PIN_OK, .seen = seen, .n_seen = n});
}

static bool owner_is_valid(const struct pin_owner *o)
{
    return o->account[0] != '\0' && strlen(o->account) < PIN_ACCOUNT_SIZE &&
           pin_id_is_valid(o->app_id, strlen(o->app_id)) && o->msisdn->len > 0;
}

int pin_ledger_seen(struct pin_ledger *l, const struct pin_owner *owner, pin_ledger_cb cb,
                    void *arg)
{
    char bucket[4];
    struct key k;
    struct act *a;
    int err;

    if (!owner_is_valid(owner))
        return ERR_INVALID;
    if ((a = pin_act_new(l, "seen", sizeof *a, SEEN_CAP, &err)) == NULL)
        return err;
    pin_act_for(a, cb, arg, seen_reply);
    store_bucket_hex(store_bucket(owner->msisdn->digits, owner->msisdn->len), bucket);
    pin_key_phone(&k, bucket, owner);
    pin_act_command(a, &pin_ledger_script_seen);
    pin_act_key(a, &k);
    pin_act_put_owner(a, owner);
    pin_act_put_str(a, owner->app_id);
    pin_act_put_int(a, l->o.in_doubt_ms);
    return pin_act_start(a);
}
