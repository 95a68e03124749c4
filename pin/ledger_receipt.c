#include "pin/ledger_private.h"

#include "base/log.h"
#include "base/result.h"

#include <string.h>

#define RECEIPT_CAP     1024
#define HOLD_DEFAULT_MS 5000

/*
 * A receipt: the map under its own form leads to the PIN; else it is parked there, and only then
 * the other forms of the id are looked at.  `sent` writes and looks in the same order, so whichever
 * comes first, one of the two sees the other.
 */
struct receipt_act {
    struct act a;
    struct receipt_name name;
    struct parked p;
    struct map map;
    struct pin_msgid id;
    size_t at;     /* form that is looked at */
    bool is_early; /* the id is another number's still */
    bool looked;   /* at the id again, since it was parked as early */
    bool parked;
};

bool pin_receipt_name_set(struct receipt_name *n, const char *carrier, const char *message_id,
                          size_t len)
{
    if (!pin_carrier_is_valid(carrier) || (len > 0 && message_id == NULL))
        return false;
    str_copy(n->carrier, sizeof n->carrier, carrier);
    n->len = len < sizeof n->message_id ? len : sizeof n->message_id - 1;
    if (n->len > 0)
        memcpy(n->message_id, message_id, n->len);
    n->message_id[n->len] = '\0';
    return true;
}

void pin_receipt_matched(struct pin_ledger *l, const struct receipt_name *n,
                         const struct pin_msgid_form *f)
{
    if (n->mode == PIN_ID_AUTO && pin_carriers_matched(l->carriers, n->carrier, f->kind))
        LOG(LOG_LV_INFO, n->carrier, "message_id_settled", KV_S("mode", pin_id_mode_name(f->kind)));
}

void pin_note_command(struct act *a, const struct map *m, const struct note *n,
                      const struct pin_owner *owner)
{
    uint8_t packed[11];
    struct wr w = wr_init(packed, sizeof packed);
    struct key k;

    pin_act_command(a, &pin_ledger_script_note);
    pin_key_record(&k, m->pin_id);
    pin_act_key(a, &k);
    if (owner != NULL) {
        pin_key_phone(&k, m->pin_id, owner);
        pin_act_key(a, &k);
    }
    pin_act_put_int(a, m->attempt);
    wr_u8(&w, (uint8_t)n->state);
    wr_u8(&w, n->final);
    wr_u8(&w, n->last);
    pin_wr_u48(&w, n->done_ms > 0 ? n->done_ms : 0);
    wr_u8(&w, (uint8_t)m->segment);
    wr_u8(&w, (uint8_t)m->segments);
    pin_act_put(a, packed, w.len);
    pin_act_put_str(a, n->err);
    pin_act_put(a, n->rid, n->rid != NULL ? ACT_RID_SIZE : 0);
}

void pin_note_receipt(struct act *a, const struct map *m, const struct parked *p)
{
    pin_note_command(a, m,
                     &(struct note){.state = p->state,
                                    .final = p->final,
                                    .done_ms = p->done_ms,
                                    .err = p->err,
                                    .rid = p->rid},
                     NULL);
}

static void receipt_key(const struct receipt_act *t, size_t form, struct key *k)
{
    pin_key_dlr(k, t->name.carrier, t->name.mode, &t->id.form[form], &t->p.msisdn);
}

/* Where it is parked. */
static void receipt_own_key(const struct receipt_act *t, struct key *k)
{
    if (t->is_early)
        pin_key_early(k, t->name.carrier, &t->id.form[0], &t->p.msisdn);
    else
        receipt_key(t, 0, k);
}

static void receipt_unpark(struct receipt_act *t)
{
    struct key own;

    if (!t->parked)
        return;
    receipt_own_key(t, &own);
    pin_unpark(t->a.l, &own, t->p.rid);
}

void pin_answer_map(struct pin_answer *answer, const struct map *m)
{
    str_copy(answer->pin_id, sizeof answer->pin_id, m->pin_id);
    answer->attempt = m->attempt;
    answer->segment = m->segment;
    answer->msisdn = m->msisdn;
}

static void receipt_finish(struct receipt_act *t, enum pin_verdict verdict)
{
    struct pin_answer answer = {.verdict = verdict, .msisdn = t->p.msisdn};

    if (verdict == PIN_OK || verdict == PIN_DUPLICATE)
        pin_answer_map(&answer, &t->map);
    if (verdict == PIN_DUPLICATE)
        t->a.l->info.receipts_duplicate++;
    else if (verdict == PIN_OK)
        t->a.l->info.receipts_matched++;
    pin_act_finish(&t->a, &answer);
}

static void receipt_note_reply(struct act *a, const struct store_reply *reply)
{
    struct receipt_act *t = (struct receipt_act *)a;
    enum pin_verdict verdict = pin_reply_verdict(reply);
    struct key k;

    receipt_unpark(t);
    if (verdict == PIN_NOT_FOUND) {
        pin_receipt_unmatched(a->l, t->name.carrier, t->name.message_id,
                              "the PIN's record is gone");
        receipt_finish(t, PIN_UNMATCHED);
        return;
    }
    if (t->p.final) {
        receipt_key(t, t->at, &k);
        pin_map_done(a->l, &k, &t->map);
    }
    receipt_finish(t, verdict);
}

/* It names the message's number, the end of it (the national form), or none. */
static bool receipt_is_for(const struct receipt_act *t, const struct msisdn *number)
{
    const struct msisdn *said = &t->p.msisdn;

    return said->len <= number->len &&
           memcmp(said->digits, number->digits + number->len - said->len, said->len) == 0;
}

/* A map or a done mark stands under the form that was looked at; false: not this message's.  An id
 * that is another number's still is used again: what it shall lead to is not there yet. */
static bool receipt_found(struct receipt_act *t, const char *s, size_t len)
{
    if (s == NULL || len == 0 || (s[0] != 'M' && s[0] != 'D') || !pin_map_read(&t->map, s, len))
        return false;
    if (!receipt_is_for(t, &t->map.msisdn)) {
        t->is_early |= s[0] == 'M';
        return false;
    }
    if (s[0] == 'D') {
        receipt_unpark(t);
        receipt_finish(t, PIN_DUPLICATE);
    } else {
        if (t->p.msisdn.len == 0)
            t->a.l->info.receipts_by_id_alone++;
        pin_receipt_matched(t->a.l, &t->name, &t->id.form[t->at]);
        pin_note_receipt(&t->a, &t->map, &t->p);
        t->a.reply = receipt_note_reply;
        pin_act_go(&t->a);
    }
    return true;
}

static void receipt_get(struct receipt_act *t,
                        void (*reply_cb)(struct act *, const struct store_reply *))
{
    struct key k;

    receipt_key(t, t->at, &k);
    t->a.reply = reply_cb;
    pin_act_command(&t->a, NULL);
    pin_act_put_str(&t->a, "GET");
    pin_act_put(&t->a, k.s, k.len);
}

static void receipt_look(struct receipt_act *t);

static void receipt_look_reply(struct act *a, const struct store_reply *reply)
{
    struct receipt_act *t = (struct receipt_act *)a;
    size_t len = 0;
    const char *s = store_reply_str(reply, &len);

    if (!receipt_found(t, s, len))
        receipt_look(t);
}

/* Under the other forms, now that it, or another one, is parked. */
static void receipt_look(struct receipt_act *t)
{
    struct key own;
    bool again = t->is_early && !t->looked;

    if (again || t->at + 1 < t->id.n) {
        t->looked = true;
        t->at += !again;
        receipt_get(t, receipt_look_reply);
        pin_act_go(&t->a);
        return;
    }
    if (!t->parked) {
        receipt_finish(t, PIN_DUPLICATE);
        return;
    }
    receipt_own_key(t, &own);
    pin_watch_add(t->a.l, &own, &t->p, &t->name);
    t->a.l->info.receipts_parked++;
    receipt_finish(t, PIN_PARKED);
}

static void receipt_park(struct receipt_act *t);

static void receipt_park_reply(struct act *a, const struct store_reply *reply)
{
    struct receipt_act *t = (struct receipt_act *)a;
    size_t len = 0;
    const char *s = store_reply_str(reply, &len);
    bool was_early = t->is_early;

    if (receipt_found(t, s, len))
        return;
    if (t->is_early != was_early) { /* another number's response came between the look and this */
        receipt_park(t);
        return;
    }
    if (store_reply_int(reply) == 1)
        pin_receipt_unmatched(a->l, t->name.carrier, t->name.message_id, "id used again");
    t->parked = store_reply_int(reply) != 2;
    receipt_look(t);
}

static void receipt_park(struct receipt_act *t)
{
    char value[PARKED_SIZE];
    size_t len = pin_parked_write(&t->p, value, sizeof value);
    struct key k;

    receipt_own_key(t, &k);
    t->a.reply = receipt_park_reply;
    pin_act_command(&t->a, &pin_ledger_script_park);
    pin_act_key(&t->a, &k);
    pin_act_put(&t->a, value, len);
    pin_act_put_int(&t->a, pin_watch_life_ms(t->a.l));
    pin_act_put(&t->a, t->p.msisdn.digits, t->p.msisdn.len);
    pin_act_go(&t->a);
}

static void receipt_own_reply(struct act *a, const struct store_reply *reply)
{
    struct receipt_act *t = (struct receipt_act *)a;
    size_t len = 0;
    const char *s = store_reply_str(reply, &len);

    if (pin_key_has_number(t->name.mode) && t->p.msisdn.len == 0) {
        pin_receipt_unmatched(a->l, t->name.carrier, t->name.message_id, "it names no number");
        receipt_finish(t, PIN_UNMATCHED);
    } else if (!receipt_found(t, s, len)) {
        receipt_park(t);
    }
}

int pin_ledger_receipt(struct pin_ledger *l, const struct pin_receipt *r, pin_ledger_cb cb,
                       void *arg)
{
    struct receipt_act *t;
    int err;

    if (r->state > PIN_ATT_SKIPPED || r->message_id_len == 0)
        return ERR_INVALID;
    if ((t = pin_act_new(l, "receipt", sizeof *t, RECEIPT_CAP, &err)) == NULL)
        return err;
    if (!pin_receipt_name_set(&t->name, r->carrier, r->message_id, r->message_id_len)) {
        pin_act_drop(&t->a);
        return ERR_INVALID;
    }
    pin_act_for(&t->a, cb, arg, NULL);
    t->a.patience = ACT_STUBBORN;
    t->a.give_up = mono_add_ms(mono_now(), r->hold_ms != 0 ? r->hold_ms : HOLD_DEFAULT_MS);
    t->name.mode = r->id_mode;
    memcpy(t->p.rid, t->a.rid, ACT_RID_SIZE);
    t->p.final = r->final;
    t->p.state = r->state;
    t->p.done_ms = r->done_ms;
    if (r->err != NULL)
        str_copy_n(t->p.err, sizeof t->p.err, r->err, r->err_len);
    if (r->msisdn != NULL)
        t->p.msisdn = *r->msisdn;
    pin_msgid_forms(t->name.message_id, t->name.len, PIN_MSGID_RECEIPT, t->name.mode,
                    pin_carriers_settled(l->carriers, t->name.carrier), &t->id);
    receipt_get(t, receipt_own_reply);
    return pin_act_start(&t->a);
}
