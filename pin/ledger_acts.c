#include "pin/ledger_private.h"

#include "base/log.h"
#include "base/result.h"

#include <string.h>

#define OPEN_CAP          2816 /* sealed octets and their field names, nonce, tag, names, keys */
#define SMALL_CAP         512
#define TYPED_MAX         128
#define RESEND_MIN_MS     60000
#define VERIFY_WINDOW_MAX 86400000

/* --- application's window -------------------------------------------------------------------- */

struct admit_act {
    struct act a;
    char app_id[PIN_APP_ID_SIZE];
};

static void admit_reply(struct act *a, const struct store_reply *reply)
{
    struct admit_act *t = (struct admit_act *)a;
    struct pin_answer answer = {.verdict = (enum pin_verdict)pin_reply_at(reply, 0),
                                .retry_after_ms = pin_reply_at(reply, 1)};

    if (answer.verdict == PIN_OK)
        pin_windows_admitted(a->l->windows, t->app_id, pin_reply_at(reply, 2));
    pin_act_finish(a, &answer);
}

int pin_ledger_admit_app(struct pin_ledger *l, const struct pin_app *app, pin_ledger_cb cb,
                         void *arg)
{
    struct admit_act *t;
    struct key k;
    int err;

    if ((t = pin_act_new(l, "admit_app", sizeof *t, SMALL_CAP, &err)) == NULL)
        return err;
    pin_act_for(&t->a, cb, arg, admit_reply);
    str_copy(t->app_id, sizeof t->app_id, app->id);
    pin_key_applimit(&k, app->id);
    pin_act_command(&t->a, &pin_ledger_script_admit);
    pin_act_key(&t->a, &k);
    pin_act_put(&t->a, t->a.rid, ACT_RID_SIZE);
    pin_act_put_int(&t->a, app->policy.per_app.count);
    pin_act_put_int(&t->a, app->policy.per_app.window_ms);
    return pin_act_start(&t->a);
}

void pin_ledger_unadmit_app(struct pin_ledger *l, const char *app_id)
{
    char text[24];
    struct wr w = wr_init(text, sizeof text);
    struct key k;
    int64_t start;

    if (l->closing || !pin_windows_take(l->windows, app_id, &start))
        return;
    pin_key_applimit(&k, app_id);
    wr_dec(&w, start);
    pin_ledger_fire(l, &pin_ledger_script_unadmit,
                    (const struct store_arg[]){{k.s, k.len}, {text, w.len}}, 2);
}

/* --- open ------------------------------------------------------------------------------------ */

struct open_act {
    struct act a;
    struct where w;
    int64_t life_ms;
};

static void open_reply(struct act *a, const struct store_reply *reply)
{
    struct open_act *t = (struct open_act *)a;
    struct pin_answer answer = {.verdict = pin_reply_verdict(reply)};

    if (answer.verdict == PIN_OK) {
        answer.attempt = 1;
        answer.expires_ms = t->w.expires_ms = pin_reply_value(reply);
        answer.ttl_left_ms = t->life_ms;
        pin_where_put(a->l->where, &t->w);
    } else {
        answer.retry_after_ms = pin_reply_value(reply);
    }
    pin_act_finish(a, &answer);
}

static int64_t at_most(int64_t v, int64_t max)
{
    return v < max ? v : max;
}

/* Numbers that the script reckons with. */
static void put_numbers(struct act *a, const struct pin_open *o)
{
    uint8_t packed[18];
    struct wr w = wr_init(packed, sizeof packed);

    pin_wr_u48(&w, o->policy->ttl_ms);
    wr_u32(&w, o->policy->per_phone.count);
    pin_wr_u48(&w, o->policy->per_phone.window_ms);
    wr_u16(&w, (uint16_t)at_most(o->policy->pin_attempts, UINT16_MAX));
    pin_act_put(a, packed, w.len);
}

/* The end of field s: what verify reads and never changes. */
static void put_checks(struct act *a, const struct pin_open *o)
{
    uint8_t packed[7 + PIN_TAG_SIZE];
    struct wr w = wr_init(packed, sizeof packed);

    wr_u8(&w, o->policy->allow_multiple);
    wr_u16(&w, (uint16_t)at_most(o->policy->verify.count, UINT16_MAX));
    wr_u32(&w, (uint32_t)at_most(o->policy->verify.window_ms, VERIFY_WINDOW_MAX));
    wr_bytes(&w, o->drawn->tag, PIN_TAG_SIZE);
    pin_act_put(a, packed, w.len);
}

/* The end of field c1. */
static void put_attempt(struct act *a, const char *carrier)
{
    uint8_t packed[2 * ACT_RID_SIZE + PIN_CARRIER_SIZE];
    struct wr w = wr_init(packed, sizeof packed);

    wr_bytes(&w, a->rid, ACT_RID_SIZE);
    wr_u64(&w, 0);
    wr_str(&w, carrier);
    pin_act_put(a, packed, w.len);
}

/* Field l. */
static void put_fixed(struct act *a, const struct pin_open *o)
{
    uint8_t packed[32];
    struct wr w = wr_init(packed, sizeof packed);

    pin_wr_u48(&w, o->policy->ttl_ms);
    wr_u32(&w, o->drawn->key_id);
    wr_u64(&w, (uint64_t)o->drawn->step);
    wr_u8(&w, (uint8_t)o->spec->type);
    wr_u8(&w, o->spec->length);
    wr_u8(&w, o->spec->no_look_alikes);
    wr_u32(&w, o->template_revision);
    pin_act_put(a, packed, w.len);
}

static void put_pin_id(struct act *a, const char *pin_id)
{
    uint8_t packed[(PIN_ID_SIZE - 1) / 2];

    if (hex_decode(pin_id, PIN_ID_SIZE - 1, packed) < 0)
        a->overflow = true; /* open_is_valid() has looked at it */
    pin_act_put(a, packed, sizeof packed);
}

static void put_fields(struct act *a, const struct pin_open *o)
{
    char ids[2 * APP_LEN];

    put_checks(a, o);
    put_attempt(a, o->carrier);
    pin_act_put_owner(a, &o->owner);
    memcpy(ids, o->owner.app_id, APP_LEN);
    memcpy(ids + APP_LEN, o->template_id, APP_LEN);
    pin_act_put(a, ids, sizeof ids);
    put_fixed(a, o);
    pin_act_put(a, o->drawn->nonce, PIN_NONCE_SIZE);
    put_pin_id(a, o->drawn->pin_id);
    for (size_t at = 0; at < o->sealed_len; at += PIECE) {
        size_t left = o->sealed_len - at;
        char name[8];
        struct wr w = wr_init(name, sizeof name);
        wr_u8(&w, 'x');
        wr_dec(&w, (int64_t)(at / PIECE));
        pin_act_put(a, name, w.len);
        pin_act_put(a, o->sealed + at, left < PIECE ? left : PIECE);
    }
}

static bool is_short(const char *s, size_t size)
{
    return s != NULL && s[0] != '\0' && strlen(s) < size;
}

static bool open_is_valid(const struct pin_open *o)
{
    return pin_id_is_valid(o->drawn->pin_id, strlen(o->drawn->pin_id)) &&
           is_short(o->owner.account, PIN_ACCOUNT_SIZE) && strlen(o->owner.app_id) == APP_LEN &&
           strlen(o->template_id) == APP_LEN && pin_carrier_is_valid(o->carrier) &&
           o->policy->ttl_ms > 0 && o->sealed_len <= PIN_SEAL_MAX;
}

int pin_ledger_open(struct pin_ledger *l, const struct pin_open *o, pin_ledger_cb cb, void *arg)
{
    struct open_act *t;
    int64_t record_ms, phone_ms;
    struct key k;
    int err;

    if (!open_is_valid(o))
        return ERR_INVALID;
    if ((t = pin_act_new(l, "open", sizeof *t, OPEN_CAP, &err)) == NULL)
        return err;
    pin_act_for(&t->a, cb, arg, open_reply);
    str_copy(t->w.pin_id, sizeof t->w.pin_id, o->drawn->pin_id);
    str_copy(t->w.account, sizeof t->w.account, o->owner.account);
    str_copy(t->w.app_id, sizeof t->w.app_id, o->owner.app_id);
    t->w.msisdn = *o->owner.msisdn;
    pin_act_command(&t->a, &pin_ledger_script_open);
    pin_key_record(&k, o->drawn->pin_id);
    pin_act_key(&t->a, &k);
    pin_key_phone(&k, o->drawn->pin_id, &o->owner);
    pin_act_key(&t->a, &k);
    t->life_ms = o->policy->ttl_ms;
    record_ms = o->policy->ttl_ms + (int64_t)l->o.keep_s * 1000;
    phone_ms = o->policy->per_phone.window_ms;
    if (phone_ms < record_ms)
        phone_ms = record_ms;
    put_numbers(&t->a, o);
    pin_act_put_int(&t->a, phone_ms + at_most(o->policy->verify.window_ms, VERIFY_WINDOW_MAX));
    pin_act_put_int(&t->a, record_ms);
    put_fields(&t->a, o);
    return pin_act_start(&t->a);
}

/* --- acts on a record that is named by account and pinId ------------------------------------- */

struct named_act {
    struct act a;
    char pin_id[PIN_ID_SIZE];
    char account[PIN_ACCOUNT_SIZE];
};

static int named_new(struct pin_ledger *l, const char *name, const char *account,
                     const char *pin_id, struct named_act **out)
{
    struct named_act *t;
    int err;

    *out = NULL;
    if (!is_short(account, PIN_ACCOUNT_SIZE) || !pin_id_is_valid(pin_id, strlen(pin_id)))
        return ERR_INVALID;
    if ((t = pin_act_new(l, name, sizeof *t, SMALL_CAP, &err)) == NULL)
        return err;
    str_copy(t->pin_id, sizeof t->pin_id, pin_id);
    str_copy(t->account, sizeof t->account, account);
    *out = t;
    return 0;
}

static void named_command(struct named_act *t, struct store_script *script)
{
    struct key k;

    pin_key_record(&k, t->pin_id);
    pin_act_command(&t->a, script);
    pin_act_key(&t->a, &k);
}

/* Answers with the record when the fields are there. */
static void finish_record(struct named_act *t, struct pin_answer *answer, int64_t now,
                          const struct store_reply *fields)
{
    struct pin_record r;

    if (answer->verdict != PIN_OK || fields == NULL) {
        pin_act_finish(&t->a, answer);
        return;
    }
    if (!pin_record_read(&r, t->account, fields)) {
        pin_act_finish_verdict(&t->a, PIN_NOT_FOUND);
        return;
    }
    str_copy(r.pin_id, sizeof r.pin_id, t->pin_id);
    pin_record_at(&r, now, t->a.l->o.in_doubt_ms);
    answer->record = &r;
    answer->msisdn = r.msisdn;
    pin_act_finish(&t->a, answer);
}

static void attempt_reply(struct act *a, const struct store_reply *reply)
{
    struct pin_answer answer = {.verdict = (enum pin_verdict)pin_reply_at(reply, 0),
                                .retry_after_ms = pin_reply_at(reply, 1),
                                .attempt = (uint32_t)pin_reply_at(reply, 2),
                                .expires_ms = pin_reply_at(reply, 3),
                                .ttl_left_ms = pin_reply_at(reply, 4)};

    finish_record((struct named_act *)a, &answer, pin_reply_at(reply, 5), store_reply_at(reply, 6));
}

/* A resend has a window and no newest attempt that its caller knows. */
static int attempt_start(struct named_act *t, const struct pin_next *next)
{
    const struct pin_limit *window = next->per_phone;
    struct act *a = &t->a;

    named_command(t, &pin_ledger_script_attempt);
    pin_act_put_str(a, t->account);
    pin_act_put(a, a->rid, ACT_RID_SIZE);
    pin_act_put_str(a, next->carrier);
    if (window != NULL)
        pin_act_put(a, NULL, 0);
    else
        pin_act_put_int(a, next->last);
    pin_act_put_int(a, window != NULL ? window->count : 0);
    pin_act_put_int(a, window != NULL ? window->window_ms : 0);
    pin_act_put_int(a, PIN_ATTEMPTS_MAX);
    pin_act_put_int(a, RESEND_MIN_MS);
    return pin_act_start(a);
}

static int next_new(struct pin_ledger *l, const char *name, const struct pin_next *next,
                    struct named_act **out)
{
    return pin_carrier_is_valid(next->carrier)
               ? named_new(l, name, next->account, next->pin_id, out)
               : ERR_INVALID;
}

int pin_ledger_attempt(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                       void *arg)
{
    struct pin_next plain = *next;
    struct named_act *t;
    int err = next_new(l, "attempt", next, &t);

    if (err < 0)
        return err;
    plain.per_phone = NULL;
    pin_act_for(&t->a, cb, arg, attempt_reply);
    return attempt_start(t, &plain);
}

int pin_ledger_resend(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                      void *arg)
{
    struct named_act *t;
    int err = next->per_phone != NULL ? next_new(l, "resend", next, &t) : ERR_INVALID;

    if (err < 0)
        return err;
    pin_act_for(&t->a, cb, arg, attempt_reply);
    return attempt_start(t, next);
}

static void status_reply(struct act *a, const struct store_reply *reply)
{
    struct pin_answer answer = {.verdict = PIN_OK};

    finish_record((struct named_act *)a, &answer, pin_reply_at(reply, 1), store_reply_at(reply, 2));
}

int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    struct named_act *t;
    int err = named_new(l, "status", account ? account : ANY_ACCOUNT, pin_id, &t);

    if (err < 0)
        return err;
    pin_act_for(&t->a, cb, arg, status_reply);
    named_command(t, &pin_ledger_script_status);
    return pin_act_start(&t->a);
}

static void cancel_reply(struct act *a, const struct store_reply *reply)
{
    pin_act_finish_verdict(a, pin_reply_verdict(reply));
}

int pin_ledger_cancel(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    struct named_act *t;
    int err = named_new(l, "cancel", account, pin_id, &t);

    if (err < 0)
        return err;
    pin_act_for(&t->a, cb, arg, cancel_reply);
    named_command(t, &pin_ledger_script_cancel);
    pin_act_put_str(&t->a, account);
    return pin_act_start(&t->a);
}

/* --- verify ---------------------------------------------------------------------------------- */

struct verify_act {
    struct act a;
    struct where w;
    char account[PIN_ACCOUNT_SIZE];
    char typed[TYPED_MAX];
    size_t typed_len;
};

static void verify_reply(struct act *a, const struct store_reply *reply)
{
    struct verify_act *t = (struct verify_act *)a;
    struct pin_answer answer = {.verdict = pin_reply_verdict(reply)};

    if (answer.verdict == PIN_TOO_MANY)
        answer.retry_after_ms = pin_reply_value(reply);
    else
        answer.attempts_remaining = (uint32_t)pin_reply_value(reply);
    if (answer.verdict != PIN_NOT_FOUND)
        answer.msisdn = t->w.msisdn;
    pin_act_finish(a, &answer);
}

/* With the owner known: one script. The typed text ends here. */
static int verify_command(struct verify_act *t)
{
    const struct pin_owner owner = {t->w.account, t->w.app_id, &t->w.msisdn};
    uint8_t tag[PIN_TAG_SIZE];
    struct key k;
    int err = pin_tag(t->a.l->o.ring, &owner, t->w.pin_id, t->typed, t->typed_len, tag);

    secret_wipe(t->typed, sizeof t->typed);
    if (err < 0) {
        LOG(LOG_LV_ERROR, NULL, "pin_key_missing", KV_S("pin_id", t->w.pin_id),
            KV_S("reason", err_name(err)));
        return ERR_UNAVAILABLE;
    }
    t->a.reply = verify_reply;
    pin_act_command(&t->a, &pin_ledger_script_verify);
    pin_key_record(&k, t->w.pin_id);
    pin_act_key(&t->a, &k);
    pin_key_phone(&k, t->w.pin_id, &owner);
    pin_act_key(&t->a, &k);
    pin_act_put(&t->a, t->a.rid, ACT_RID_SIZE);
    pin_act_put(&t->a, tag, sizeof tag);
    return 0;
}

static void verify_where_reply(struct act *a, const struct store_reply *reply)
{
    struct verify_act *t = (struct verify_act *)a;
    struct where w;
    int err;

    if (!pin_where_read(&w, t->w.pin_id, t->account, reply)) {
        pin_act_finish_verdict(a, PIN_NOT_FOUND);
        return;
    }
    t->w = w;
    pin_where_put(a->l->where, &w);
    if ((err = verify_command(t)) < 0)
        pin_act_finish_error(a, err);
    else
        pin_act_go(a);
}

int pin_ledger_verify(struct pin_ledger *l, const char *account, const char *pin_id,
                      const char *typed, size_t typed_len, pin_ledger_cb cb, void *arg)
{
    struct verify_act *t;
    int err;

    if (!is_short(account, PIN_ACCOUNT_SIZE) || !pin_id_is_valid(pin_id, strlen(pin_id)))
        return ERR_INVALID;
    if ((t = pin_act_new(l, "verify", sizeof *t, SMALL_CAP, &err)) == NULL)
        return err;
    pin_act_for(&t->a, cb, arg, verify_where_reply);
    str_copy(t->account, sizeof t->account, account);
    if (typed_len <= sizeof t->typed) { /* what is longer is no PIN: like an empty one */
        memcpy(t->typed, typed, typed_len);
        t->typed_len = typed_len;
    }
    /* Another account's PIN costs what an absent one costs, and tells as much. */
    if (pin_where_get(l->where, pin_id, &t->w) && strcmp(t->w.account, account) == 0) {
        err = verify_command(t);
    } else {
        str_copy(t->w.pin_id, sizeof t->w.pin_id, pin_id);
        pin_where_ask(&t->a, pin_id);
    }
    if (err < 0) {
        pin_act_drop(&t->a);
        return err;
    }
    return pin_act_start(&t->a);
}
