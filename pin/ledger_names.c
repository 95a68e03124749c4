#include "pin/ledger_private.h"

#include <string.h>

static const char *const state_names[] = {
#define X(id, name, help) [id] = name,
    PIN_STATE_LIST(X)
#undef X
};

static const char *const attempt_names[] = {
#define X(id, name) [id] = name,
    PIN_ATTEMPT_LIST(X)
#undef X
};

static const char *const verdict_names[] = {
    [PIN_OK] = "OK",
    [PIN_NOT_FOUND] = "NOT_FOUND",
    [PIN_TOO_MANY] = "TOO_MANY",
    [PIN_WRONG] = "WRONG",
    [PIN_NO_MORE_ATTEMPTS] = "NO_MORE_ATTEMPTS",
    [PIN_TTL_EXPIRED] = "TTL_EXPIRED",
    [PIN_NOT_LIVE] = "NOT_LIVE",
    [PIN_LOST_RACE] = "LOST_RACE",
    [PIN_PARKED] = "PARKED",
    [PIN_DUPLICATE] = "DUPLICATE",
    [PIN_UNMATCHED] = "UNMATCHED",
};

/* The scripts know these as numbers. */
_Static_assert(PIN_OK == 0 && PIN_NOT_FOUND == 1 && PIN_TOO_MANY == 2 && PIN_WRONG == 3 &&
                   PIN_NO_MORE_ATTEMPTS == 4 && PIN_TTL_EXPIRED == 5 && PIN_NOT_LIVE == 6 &&
                   PIN_LOST_RACE == 7 && PIN_DUPLICATE == 9,
               "verdicts of the scripts");
_Static_assert(PIN_PENDING == 0 && PIN_LIVE == 1 && PIN_VERIFIED == 2 && PIN_EXHAUSTED == 3 &&
                   PIN_SUPERSEDED == 5 && PIN_CANCELLED == 6 && PIN_NOT_SENT == 7,
               "PIN states of the scripts");
_Static_assert(PIN_ATT_ACCEPTED == 6 && PIN_ATT_PENDING == 10 && PIN_ATT_REFUSED == 11 &&
                   PIN_ATT_IN_DOUBT == 12 && PIN_ATT_NOT_SENT == 13,
               "attempt states of the scripts");
_Static_assert((PIN_SEEN_MAX - 1) * 22 == 2178, "PINs of a number in the script of open");

#define NAME(table, i) ((size_t)(i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : "?")

const char *pin_state_name(enum pin_state s)
{
    return NAME(state_names, s);
}

const char *pin_attempt_state_name(enum pin_attempt_state s)
{
    return NAME(attempt_names, s);
}

const char *pin_verdict_name(enum pin_verdict v)
{
    return NAME(verdict_names, v);
}

int64_t pin_rd_u48(struct rd *r)
{
    uint64_t high = rd_u16(r);

    return (int64_t)(high << 32 | rd_u32(r));
}

void pin_wr_u48(struct wr *w, int64_t v)
{
    wr_u16(w, (uint16_t)(v >> 32));
    wr_u32(w, (uint32_t)v);
}

static struct wr key_open(struct key *k, const char *bucket, const char *kind)
{
    struct wr w = wr_init(k->s, sizeof k->s);

    wr_str(&w, "pb:{");
    wr_bytes(&w, bucket, 3);
    wr_str(&w, "}:");
    wr_str(&w, kind);
    return w;
}

void pin_key_record(struct key *k, const char *pin_id)
{
    struct wr w = key_open(k, pin_id, "pin:");

    wr_str(&w, pin_id);
    k->len = w.len;
}

void pin_key_phone(struct key *k, const char *pin_id, const struct pin_owner *owner)
{
    struct wr w = key_open(k, pin_id, "phone:");

    wr_str(&w, owner->account);
    wr_u8(&w, ':');
    wr_str(&w, owner->app_id);
    wr_u8(&w, ':');
    wr_bytes(&w, owner->msisdn->digits, owner->msisdn->len);
    k->len = w.len;
}

void pin_key_applimit(struct key *k, const char *app_id)
{
    char bucket[4];

    store_bucket_hex(store_bucket(app_id, strlen(app_id)), bucket);
    struct wr w = key_open(k, bucket, "applimit:");
    wr_str(&w, app_id);
    k->len = w.len;
}

bool pin_key_has_number(enum pin_id_mode mode)
{
    return mode == PIN_ID_AUTO || mode == PIN_ID_REFERENCE;
}

static struct wr key_message(struct key *k, const char *kind, const char *carrier,
                             const struct pin_msgid_form *f)
{
    char bucket[4];

    store_bucket_hex(store_bucket(f->id, f->len), bucket);
    struct wr w = key_open(k, bucket, kind);
    wr_str(&w, carrier);
    wr_u8(&w, ':');
    wr_bytes(&w, f->id, f->len);
    return w;
}

static void key_number(struct key *k, struct wr *w, const struct msisdn *msisdn)
{
    wr_u8(w, ':');
    wr_bytes(w, msisdn->digits, msisdn->len);
    k->len = w->len;
}

void pin_key_dlr(struct key *k, const char *carrier, enum pin_id_mode mode,
                 const struct pin_msgid_form *f, const struct msisdn *msisdn)
{
    struct wr w = key_message(k, "dlr:", carrier, f);

    k->len = w.len;
    if (pin_key_has_number(mode))
        key_number(k, &w, msisdn);
}

void pin_key_early(struct key *k, const char *carrier, const struct pin_msgid_form *f,
                   const struct msisdn *msisdn)
{
    struct wr w = key_message(k, "early:", carrier, f);

    key_number(k, &w, msisdn);
}

bool pin_carrier_is_valid(const char *carrier)
{
    size_t len = carrier != NULL ? strlen(carrier) : 0;

    for (size_t i = 0; i < len; i++)
        if (carrier[i] <= ' ' || carrier[i] > '~' || carrier[i] == ':')
            return false;
    return len > 0 && len < PIN_CARRIER_SIZE;
}
