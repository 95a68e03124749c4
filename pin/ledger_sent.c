#include "pin/ledger_private.h"

#include "base/result.h"

#include <stdio.h>
#include <string.h>

#define SENT_CAP 1024

/*
 * The response of a submit: its id is mapped first, so that a receipt finds its way from then on;
 * then receipts are looked for that were parked under other forms of the id; then the attempt is
 * noted (by segment 1 for all), and the receipt that was found.
 */
struct sent_act {
    struct act a;
    struct map map;
    struct receipt_name given; /* the id of the response, which the record shows */
    struct receipt_name name;  /* what a receipt bears */
    char account[PIN_ACCOUNT_SIZE];
    char app_id[PIN_APP_ID_SIZE];
    enum pin_attempt_state state;
    uint32_t status;
    bool last;
    int64_t expires_ms;
    struct pin_msgid id;
    size_t at;    /* form that is looked at; id.n: for an early receipt */
    bool claimed; /* something stood under the id */
    bool found;
    struct parked parked;
};

static void sent_key(const struct sent_act *t, size_t form, struct key *k)
{
    if (form == t->id.n)
        pin_key_early(k, t->name.carrier, &t->id.form[0], &t->map.msisdn);
    else
        pin_key_dlr(k, t->name.carrier, t->name.mode, &t->id.form[form], &t->map.msisdn);
}

static void sent_receipt_reply(struct act *a, const struct store_reply *reply)
{
    struct sent_act *t = (struct sent_act *)a;
    struct key own, other;

    if (pin_reply_verdict(reply) == PIN_OK)
        a->l->info.receipts_matched++;
    sent_key(t, 0, &own);
    sent_key(t, t->at, &other);
    pin_unpark(a->l, &other, t->parked.rid);
    struct pin_answer answer = {.verdict = PIN_OK};
    if (t->parked.final) {
        pin_map_done(a->l, &own, &t->map);
        pin_answer_map(&answer, &t->map);
    }
    pin_act_finish(a, &answer);
}

/* The receipt that was found; without one that is all. */
static void sent_parked(struct sent_act *t)
{
    if (!t->found) {
        pin_act_finish_verdict(&t->a, PIN_OK);
        return;
    }
    pin_note_receipt(&t->a, &t->map, &t->parked);
    t->a.reply = sent_receipt_reply;
    pin_act_go(&t->a);
}

static void sent_note_reply(struct act *a, const struct store_reply *reply)
{
    enum pin_verdict verdict = pin_reply_verdict(reply);

    if (verdict == PIN_OK)
        sent_parked((struct sent_act *)a);
    else
        pin_act_finish_verdict(a, verdict);
}

/* m1, m1b, m1c, m1d: the message id in pieces. */
static void put_message_id(struct sent_act *t)
{
    for (size_t at = 0; at < t->given.len; at += PIECE) {
        size_t left = t->given.len - at;
        char name[4] = {'m', (char)('0' + t->map.attempt), (char)('a' + at / PIECE), '\0'};
        pin_act_put(&t->a, name, at == 0 ? 2 : 3);
        pin_act_put(&t->a, t->given.message_id + at, left < PIECE ? left : PIECE);
    }
}

/* Of the parts of a message some may have an id while the outcome of the whole is in doubt; what
 * the sender calls a message is known without an answer. */
static bool sent_has_id(const struct sent_act *t)
{
    return t->state == PIN_ATT_ACCEPTED || t->map.segment > 0 ||
           (t->state == PIN_ATT_IN_DOUBT && t->name.mode == PIN_ID_REFERENCE);
}

static void sent_note(struct sent_act *t)
{
    const struct pin_owner owner = {t->account, t->app_id, &t->map.msisdn};
    struct note n = {.state = t->state, .last = t->last, .err = ""};
    char err[16];

    if (t->state == PIN_ATT_REFUSED) {
        snprintf(err, sizeof err, "0x%08x", t->status);
        n.err = err;
    }
    t->a.reply = sent_note_reply;
    pin_note_command(&t->a, &t->map, &n, &owner);
    if (sent_has_id(t))
        put_message_id(t);
}

static void sent_look(struct sent_act *t);

static void sent_look_reply(struct act *a, const struct store_reply *reply)
{
    struct sent_act *t = (struct sent_act *)a;
    size_t len = 0;
    const char *s = store_reply_str(reply, &len);

    t->found = s != NULL && len > 0 && s[0] == 'P' && pin_parked_read(&t->parked, s + 1, len - 1);
    if (t->found && t->at < t->id.n)
        pin_receipt_matched(a->l, &t->name, &t->id.form[t->at]);
    sent_look(t);
}

/* At the next form; behind the last one the attempt is noted. */
static void sent_look(struct sent_act *t)
{
    struct key k;
    size_t n = t->id.n + (t->claimed && !pin_key_has_number(t->name.mode));

    if (!t->found && t->at + 1 < n) {
        t->at++;
        sent_key(t, t->at, &k);
        t->a.reply = sent_look_reply;
        pin_act_command(&t->a, NULL);
        pin_act_put_str(&t->a, "GET");
        pin_act_put(&t->a, k.s, k.len);
        pin_act_go(&t->a);
    } else if (t->map.segment > 1) {
        sent_parked(t);
    } else {
        sent_note(t);
        pin_act_go(&t->a);
    }
}

static void sent_claim_reply(struct act *a, const struct store_reply *reply)
{
    struct sent_act *t = (struct sent_act *)a;
    size_t len = 0;
    const char *s = store_reply_str(reply, &len);

    t->claimed = true;
    t->found = s != NULL && pin_parked_read(&t->parked, s, len);
    if (t->found) {
        pin_receipt_matched(a->l, &t->name, &t->id.form[0]);
        a->l->info.receipts_by_id_alone += t->parked.msisdn.len == 0;
    } else if (store_reply_int(reply) == 1) {
        pin_receipt_unmatched(a->l, t->name.carrier, t->name.message_id,
                              "another number's response");
    }
    sent_look(t);
}

static void put_map(struct sent_act *t, const char *before, const char *life)
{
    char value[MAP_SIZE];
    size_t len = pin_map_write(&t->map, 'M', value, sizeof value);

    pin_act_put(&t->a, value, len);
    if (before != NULL) {
        pin_act_put_str(&t->a, before);
        pin_act_put_str(&t->a, life);
    }
    pin_act_put_int(&t->a, t->expires_ms + (int64_t)t->a.l->o.map_keep_s * 1000);
}

static void sent_map_reply(struct act *a, const struct store_reply *reply)
{
    struct sent_act *t = (struct sent_act *)a;
    struct key k;

    if (store_reply_type(reply) != STORE_NIL) {
        sent_look(t);
        return;
    }
    sent_key(t, 0, &k); /* something stands there */
    a->reply = sent_claim_reply;
    pin_act_command(a, &pin_ledger_script_claim);
    pin_act_key(a, &k);
    put_map(t, NULL, NULL);
    pin_act_put(a, t->map.msisdn.digits, t->map.msisdn.len);
    pin_act_go(a);
}

static void sent_map(struct sent_act *t)
{
    struct key k;

    sent_key(t, 0, &k);
    t->a.reply = sent_map_reply;
    pin_act_command(&t->a, NULL);
    pin_act_put_str(&t->a, "SET");
    pin_act_put(&t->a, k.s, k.len);
    put_map(t, "NX", "PXAT");
}

/* The record is the account's. */
static void sent_owned(struct sent_act *t)
{
    if (!sent_has_id(t) || t->name.len == 0) {
        sent_note(t);
        return;
    }
    pin_msgid_forms(t->name.message_id, t->name.len, PIN_MSGID_RESPONSE, t->name.mode,
                    pin_carriers_settled(t->a.l->carriers, t->name.carrier), &t->id);
    sent_map(t);
}

static void sent_where_reply(struct act *a, const struct store_reply *reply)
{
    struct sent_act *t = (struct sent_act *)a;
    struct where w;

    if (!pin_where_read(&w, t->map.pin_id, t->account, reply)) {
        pin_act_finish_verdict(a, PIN_NOT_FOUND);
        return;
    }
    pin_where_put(a->l->where, &w);
    t->expires_ms = w.expires_ms;
    sent_owned(t);
    pin_act_go(a);
}

static void sent_begin(struct sent_act *t)
{
    struct where w;

    if (pin_where_get(t->a.l->where, t->map.pin_id, &w) && strcmp(w.account, t->account) == 0) {
        t->expires_ms = w.expires_ms;
        sent_owned(t);
    } else {
        pin_where_ask(&t->a, t->map.pin_id);
        t->a.reply = sent_where_reply;
    }
}

static bool segment_is_valid(const struct pin_sent *s)
{
    size_t id_len = s->match_id != NULL ? s->match_id_len : s->message_id_len;

    return s->segment <= s->segments && s->segments <= PIN_SEGMENTS_MAX &&
           (s->segment > 0 || s->segments == 0) && (s->segment < 2 || id_len > 0);
}

static bool sent_is_valid(const struct pin_sent *s)
{
    return segment_is_valid(s) && pin_id_is_valid(s->pin_id, strlen(s->pin_id)) &&
           s->attempt >= 1 && s->attempt <= PIN_ATTEMPTS_MAX &&
           strlen(s->owner.account) < PIN_ACCOUNT_SIZE && strlen(s->owner.app_id) == APP_LEN &&
           (s->state == PIN_ATT_ACCEPTED || s->state == PIN_ATT_REFUSED ||
            s->state == PIN_ATT_IN_DOUBT || s->state == PIN_ATT_NOT_SENT);
}

static bool sent_names(struct sent_act *t, const struct pin_sent *s)
{
    t->given.mode = t->name.mode = s->id_mode;
    if (!pin_receipt_name_set(&t->given, s->carrier, s->message_id, s->message_id_len))
        return false;
    if (s->match_id == NULL) {
        t->name = t->given;
        return true;
    }
    return pin_receipt_name_set(&t->name, s->carrier, s->match_id, s->match_id_len);
}

int pin_ledger_sent(struct pin_ledger *l, const struct pin_sent *s, pin_ledger_cb cb, void *arg)
{
    struct sent_act *t;
    int err;

    if (!sent_is_valid(s))
        return ERR_INVALID;
    if ((t = pin_act_new(l, "sent", sizeof *t, SENT_CAP, &err)) == NULL)
        return err;
    pin_act_for(&t->a, cb, arg, NULL);
    t->a.patience = ACT_STUBBORN;
    t->a.give_up = mono_add_ms(mono_now(), (int64_t)l->o.keep_s * 1000);
    str_copy(t->map.pin_id, sizeof t->map.pin_id, s->pin_id);
    t->map.attempt = s->attempt;
    t->map.segment = s->segment;
    t->map.segments = s->segments;
    t->map.msisdn = *s->owner.msisdn;
    str_copy(t->account, sizeof t->account, s->owner.account);
    str_copy(t->app_id, sizeof t->app_id, s->owner.app_id);
    t->state = s->state;
    t->status = s->status;
    t->last = s->last;
    if (!sent_names(t, s)) {
        pin_act_drop(&t->a);
        return ERR_INVALID;
    }
    sent_begin(t);
    return pin_act_start(&t->a);
}
