#include "gateway/pins.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "gateway/carriers.h"
#include "gateway/counters.h"
#include "gateway/overdue.h"
#include "pin/ledger.h"

#include <stdlib.h>
#include <string.h>

struct ask {
    answer_cb cb;
    void *arg;
    struct mono asked;
    void (*build)(const struct ask *k, const struct pin_record *record, struct answer *a);
    struct carriers *carriers; /* of a status: whose words its errors are */
    struct overdue *overdue;   /* of a cancel */
    char pin_id[PIN_ID_SIZE];
};

static struct ask *ask_new(const char *pin_id, answer_cb cb, void *arg)
{
    if (!pin_id_is_valid(pin_id, strlen(pin_id))) {
        answer_refuse(cb, arg, ANSWER_NOT_FOUND, "no such PIN");
        return NULL;
    }
    struct ask *k = malloc(sizeof *k);
    if (!k) {
        answer_refuse(cb, arg, ANSWER_GENERAL_ERROR, "out of memory");
        return NULL;
    }
    k->cb = cb;
    k->arg = arg;
    k->asked = mono_now();
    str_copy(k->pin_id, sizeof k->pin_id, pin_id);
    return k;
}

static void finish(struct ask *k, const struct answer *a)
{
    k->cb(k->arg, a);
    free(k);
}

/* The call could not be made. */
static void give_up(struct ask *k, int err)
{
    struct answer a;
    answer_store_error(&a, err);
    finish(k, &a);
}

/* --- verify ---------------------------------------------------------------------------------- */

static const struct {
    enum pin_verdict verdict;
    const char *pin_error; /* NULL: verified */
} verdicts[] = {
    {PIN_OK, NULL},
    {PIN_WRONG, "WRONG_PIN"},
    {PIN_NO_MORE_ATTEMPTS, "NO_MORE_PIN_ATTEMPTS"},
    {PIN_TTL_EXPIRED, "TTL_EXPIRED"},
};

static void build_verdict(const struct ask *k, const struct pin_answer *v, struct answer *a)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        if (verdicts[i].verdict != v->verdict)
            continue;
        answer_init(a);
        answer_str(a, "pinId", k->pin_id);
        answer_str(a, "msisdn", v->msisdn.digits);
        answer_bool(a, "verified", v->verdict == PIN_OK);
        answer_int(a, "attemptsRemaining", v->verdict == PIN_WRONG ? v->attempts_remaining : 0);
        if (verdicts[i].pin_error)
            answer_str(a, "pinError", verdicts[i].pin_error);
        return;
    }
    if (v->verdict == PIN_TOO_MANY)
        answer_retry(a, v->retry_after_ms);
    else
        answer_fail(a, ANSWER_NOT_FOUND, "no such PIN");
}

static void verify_cb(void *arg, const struct pin_answer *v)
{
    struct ask *k = arg;
    struct answer a;
    LOG(LOG_LV_INFO, k->pin_id, "pin_verify",
        KV_S("verdict", v->result ? err_name(v->result) : pin_verdict_name(v->verdict)),
        KV_I("attempts_remaining", v->attempts_remaining));
    counters_verify(v->result, v->verdict);
    counters_step(STEP_VERIFY, mono_diff_us(mono_now(), k->asked));
    if (v->result)
        answer_store_error(&a, v->result);
    else
        build_verdict(k, v, &a);
    finish(k, &a);
}

void pins_verify(struct pin_ledger *l, const char *account, const char *pin_id, const char *typed,
                 size_t typed_len, answer_cb cb, void *arg)
{
    struct ask *k = ask_new(pin_id, cb, arg);
    if (!k)
        return;
    int err = pin_ledger_verify(l, account, pin_id, typed, typed_len, verify_cb, k);
    if (!err)
        return;
    counters_verify(err, PIN_NOT_FOUND);
    give_up(k, err);
}

/* --- status ---------------------------------------------------------------------------------- */

/* What the operator's table says of the error, as it is now; the err of a refusal is a status. */
static const char *err_text_of(const struct ask *k, const struct pin_attempt *t)
{
    if (!t->err[0] || t->state == PIN_ATT_REFUSED)
        return NULL;
    struct smpp_carrier *c = carriers_find(k->carriers, t->carrier);
    return c ? smpp_carrier_error_text(c, t->err) : NULL;
}

static void add_attempt(const struct ask *k, struct answer *a, const struct pin_attempt *t)
{
    bool sent = t->sent_ms != 0, done = t->done_ms != 0, parts = t->segments > 0;
    const char *text = err_text_of(k, t);
    answer_map(a, (uint16_t)(2 + (t->message_id[0] != 0) + (t->err[0] != 0) + (text != NULL) +
                             sent + done + 2 * parts));
    answer_str(a, "carrier", t->carrier);
    if (t->message_id[0])
        answer_str(a, "messageId", t->message_id);
    answer_str(a, "state", pin_attempt_state_name(t->state));
    if (t->err[0])
        answer_str(a, "err", t->err);
    if (text)
        answer_str(a, "errText", text);
    if (sent)
        answer_int(a, "sentAt", t->sent_ms);
    if (done)
        answer_int(a, "doneAt", t->done_ms);
    if (parts) {
        answer_int(a, "segments", t->segments);
        answer_int(a, "segmentsDelivered", t->segments_delivered);
    }
}

static void build_status(const struct ask *k, const struct pin_record *r, struct answer *a)
{
    answer_init(a);
    answer_str(a, "pinId", r->pin_id);
    answer_str(a, "state", pin_state_name(r->state));
    answer_str(a, "msisdn", r->msisdn.digits);
    answer_int(a, "createdAt", r->created_ms);
    answer_int(a, "expiresAt", r->expires_ms);
    answer_int(a, "attemptsRemaining", r->attempts_remaining);
    if (r->verified_ms)
        answer_int(a, "verifiedAt", r->verified_ms);
    answer_list(a, "attempts", (uint16_t)r->n_attempts);
    for (uint32_t i = 0; i < r->n_attempts; i++)
        add_attempt(k, a, &r->attempts[i]);
}

static void record_cb(void *arg, const struct pin_answer *v)
{
    struct ask *k = arg;
    struct answer a;
    if (v->result)
        answer_store_error(&a, v->result);
    else if (v->verdict != PIN_OK)
        answer_fail(&a, ANSWER_NOT_FOUND, "no such PIN");
    else
        k->build(k, v->record, &a);
    finish(k, &a);
}

static void read_record(struct pin_ledger *l, const char *account, struct ask *k)
{
    int err = pin_ledger_status(l, account, k->pin_id, record_cb, k);
    if (err)
        give_up(k, err);
}

void pins_status(struct pin_ledger *l, struct carriers *carriers, const char *account,
                 const char *pin_id, answer_cb cb, void *arg)
{
    struct ask *k = ask_new(pin_id, cb, arg);
    if (!k)
        return;
    k->build = build_status;
    k->carriers = carriers;
    read_record(l, account, k);
}

/* --- the messages of a PIN, in the words of version 1 ---------------------------------------- */

struct word {
    const char *status;
    bool is_final;
    const char *description;
};
#define WAITING                                                                                    \
    {                                                                                              \
        "MESSAGE_WAITING_DELIVERY", false, "on its way, no final receipt yet"                      \
    }
#define UNDELIVERED                                                                                \
    {                                                                                              \
        "MESSAGE_NOT_DELIVERED", true, "the operator could not deliver it to the handset"          \
    }
#define REJECTED                                                                                   \
    {                                                                                              \
        "MESSAGE_REJECTED", true, "the operator refused it"                                        \
    }
#define FATE_UNKNOWN                                                                               \
    {                                                                                              \
        "MESSAGE_DELIVERY_UNKNOWN", true, "what became of it is not known"                         \
    }

static const struct word words[] = {
    [PIN_ATT_SCHEDULED] = WAITING,
    [PIN_ATT_ENROUTE] = WAITING,
    [PIN_ATT_DELIVERED] = {"MESSAGE_DELIVERED", true, "delivered to the handset"},
    [PIN_ATT_EXPIRED] = {"MESSAGE_EXPIRED", true, "its validity ended before it was delivered"},
    [PIN_ATT_DELETED] = UNDELIVERED,
    [PIN_ATT_UNDELIVERABLE] = UNDELIVERED,
    [PIN_ATT_ACCEPTED] = {"MESSAGE_ACCEPTED", true, "the operator accepted it"},
    [PIN_ATT_UNKNOWN] = FATE_UNKNOWN,
    [PIN_ATT_REJECTED] = REJECTED,
    [PIN_ATT_SKIPPED] = UNDELIVERED,
    [PIN_ATT_PENDING] = WAITING,
    [PIN_ATT_REFUSED] = REJECTED,
    [PIN_ATT_IN_DOUBT] = FATE_UNKNOWN,
    [PIN_ATT_NOT_SENT] = {"MESSAGE_NOT_SENT", false, "no operator took it"},
};

/* REFUSED with one of these tells more; err is the status as the ledger writes it. */
static const struct {
    const char *err;
    struct word word;
} refusals[] = {
    {"0x0000000a", {"INVALID_SOURCE_ADDRESS", true, "the operator does not take this sender"}},
    {"0x0000000b",
     {"MESSAGE_INVALID_DESTINATION_ADDRESS", true, "the operator does not know the number"}},
};

static const struct word *word_of(const struct pin_attempt *t)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (t->state == PIN_ATT_REFUSED && strcmp(t->err, refusals[i].err) == 0)
            return &refusals[i].word;
    return &words[t->state];
}

static void build_messages(const struct ask *k, const struct pin_record *r, struct answer *a)
{
    (void)k;
    answer_init(a);
    a->is_list = true;
    for (uint32_t i = 0; i < r->n_attempts; i++) {
        const struct word *w = word_of(&r->attempts[i]);
        answer_map(a, 3);
        answer_str(a, "status", w->status);
        answer_str(a, "description", w->description);
        answer_bool(a, "finalStatus", w->is_final);
    }
}

void pins_messages(struct pin_ledger *l, const char *account, const char *pin_id, answer_cb cb,
                   void *arg)
{
    struct ask *k = ask_new(pin_id, cb, arg);
    if (!k)
        return;
    k->build = build_messages;
    read_record(l, account, k);
}

/* --- cancel ---------------------------------------------------------------------------------- */

static void cancel_cb(void *arg, const struct pin_answer *v)
{
    struct ask *k = arg;
    struct answer a;
    LOG(LOG_LV_INFO, k->pin_id, "pin_cancel",
        KV_S("verdict", v->result ? err_name(v->result) : pin_verdict_name(v->verdict)));
    if (v->result) {
        answer_store_error(&a, v->result);
    } else if (v->verdict != PIN_OK) {
        answer_fail(&a, ANSWER_NOT_FOUND, "no such PIN");
    } else {
        overdue_cancelled(k->overdue, k->pin_id);
        answer_init(&a);
        a.is_plain_ok = true;
    }
    finish(k, &a);
}

void pins_cancel(struct pin_ledger *l, struct overdue *overdue, const char *account,
                 const char *pin_id, answer_cb cb, void *arg)
{
    struct ask *k = ask_new(pin_id, cb, arg);
    if (!k)
        return;
    k->overdue = overdue;
    int err = pin_ledger_cancel(l, account, pin_id, cancel_cb, k);
    if (err)
        give_up(k, err);
}
