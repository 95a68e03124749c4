/*
 * The ledger: the PIN's state in Redis, changed by acts.  Each act is one Lua script on one hash
 * slot (two for sent and receipt, which touch the message id's slot and the PIN's).
 *
 * Every act carries a 64-bit request id that the ledger draws itself; when an answer is lost
 * (ERR_TIMEOUT, ERR_LOST) the act is repeated with the same id and gives the same verdict: once
 * within the store's time-out for acts that a caller waits for, until done for sent, until its
 * hold time for receipt.  Each act takes the account: a record of another account gives exactly
 * what absence gives.  No act writes to a record that is gone.  Times are Redis's (TIME).
 *
 * A callback is called exactly once, from the event loop, never inside the call; what it is handed
 * is valid during it.  All strings given are copied.  pin_ledger_free() ends every outstanding act
 * with ERR_CLOSED before it returns; it is called before store_free().
 */
#ifndef PIN_LEDGER_H
#define PIN_LEDGER_H

#include "pin/pin.h"
#include "pin/registry.h"

struct event_base;
struct store;
struct pin_ledger;

#define PIN_CARRIER_SIZE    33
#define PIN_MESSAGE_ID_SIZE 257 /* as the operator gave it; a longer one is cut (never is) */
#define PIN_ERR_SIZE        33
#define PIN_ATTEMPTS_MAX    8  /* submissions of one PIN, resends included */
#define PIN_SEGMENTS_MAX    10 /* of one message, with an id of the operator's each */

#define PIN_STATE_LIST(X)                                                                          \
    X(PIN_PENDING, "PENDING", "opened, no operator has accepted it yet")                           \
    X(PIN_LIVE, "LIVE", "accepted by an operator, can be verified")                                \
    X(PIN_VERIFIED, "VERIFIED", "verified")                                                        \
    X(PIN_EXHAUSTED, "EXHAUSTED", "attempts used up")                                              \
    X(PIN_EXPIRED, "EXPIRED", "its life is over")                                                  \
    X(PIN_SUPERSEDED, "SUPERSEDED", "a newer PIN of this number and application is live")          \
    X(PIN_CANCELLED, "CANCELLED", "withdrawn by the application")                                  \
    X(PIN_NOT_SENT, "NOT_SENT", "every attempt to submit was refused")

enum pin_state {
#define X(id, name, help) id,
    PIN_STATE_LIST(X)
#undef X
};

/* 0..9 are SMPP message states (5.2.28; 0 and 9 from 5.0); then what the gateway knows itself. */
#define PIN_ATTEMPT_LIST(X)                                                                        \
    X(PIN_ATT_SCHEDULED, "SCHEDULED")                                                              \
    X(PIN_ATT_ENROUTE, "ENROUTE")                                                                  \
    X(PIN_ATT_DELIVERED, "DELIVERED")                                                              \
    X(PIN_ATT_EXPIRED, "EXPIRED")                                                                  \
    X(PIN_ATT_DELETED, "DELETED")                                                                  \
    X(PIN_ATT_UNDELIVERABLE, "UNDELIVERABLE")                                                      \
    X(PIN_ATT_ACCEPTED, "ACCEPTED")                                                                \
    X(PIN_ATT_UNKNOWN, "UNKNOWN")                                                                  \
    X(PIN_ATT_REJECTED, "REJECTED")                                                                \
    X(PIN_ATT_SKIPPED, "SKIPPED")                                                                  \
    X(PIN_ATT_PENDING, "PENDING")                                                                  \
    X(PIN_ATT_REFUSED, "REFUSED")                                                                  \
    X(PIN_ATT_IN_DOUBT, "IN_DOUBT")                                                                \
    X(PIN_ATT_NOT_SENT, "NOT_SENT")

enum pin_attempt_state {
#define X(id, name) id,
    PIN_ATTEMPT_LIST(X)
#undef X
};
const char *pin_state_name(enum pin_state s);
const char *pin_attempt_state_name(enum pin_attempt_state s);

/* How a carrier writes message ids in responses and receipts. */
enum pin_id_mode {
    PIN_ID_AUTO,
    PIN_ID_STRING,
    PIN_ID_DECIMAL,
    PIN_ID_HEX,
    PIN_ID_RESP_HEX_DLR_DEC,
    PIN_ID_RESP_DEC_DLR_HEX,
    PIN_ID_REFERENCE, /* no id of the operator's: what this side calls the message, octet for octet,
                         to be told apart by the number; unlike any id that the carrier gives */
};
int pin_id_mode_parse(const char *name, enum pin_id_mode *out) __attribute__((warn_unused_result));
const char *pin_id_mode_name(enum pin_id_mode mode);

struct pin_ledger_options {
    struct event_base *base;
    struct store *store;
    struct pin_keyring *ring;
    uint32_t keep_s;          /* record after the PIN's life, default 86400 */
    uint32_t map_keep_s;      /* message id after the PIN's life, default 3600 */
    uint32_t final_keep_s;    /* message id after its final receipt, default 600 */
    uint32_t parked_s;        /* receipt that came before its response, default 300 */
    uint32_t in_doubt_ms;     /* a pending attempt older than this reads IN_DOUBT, default 30000 */
    uint32_t max_outstanding; /* acts without an answer, default 20000 */
    uint32_t where_cache;     /* PINs whose owner is remembered here, default 65536 */
    void *arg;
    /* A parked receipt that nothing matched in time; may be NULL (it is logged and counted). */
    void (*unmatched_cb)(void *arg, const char *carrier, const char *message_id);
};
struct pin_ledger *pin_ledger_new(const struct pin_ledger_options *options)
    __attribute__((warn_unused_result));
/* As the option, from here on: carriers with other time-outs have come. */
void pin_ledger_set_in_doubt(struct pin_ledger *l, uint32_t in_doubt_ms);
void pin_ledger_free(struct pin_ledger *l);

enum pin_verdict {
    PIN_OK,               /* admitted, opened, won, recorded, verified, cancelled */
    PIN_NOT_FOUND,        /* unknown, gone, or another account's */
    PIN_TOO_MANY,         /* a window is full or verify came too fast: retry_after_ms */
    PIN_WRONG,            /* attempts_remaining says how many are left */
    PIN_NO_MORE_ATTEMPTS, /* exhausted, or verified and single-use */
    PIN_TTL_EXPIRED,      /* expired, superseded, cancelled or not sent */
    PIN_NOT_LIVE,         /* resend: not live, or under 60 s of life left */
    PIN_LOST_RACE, /* attempt: another one has it, or the PIN is over or has no attempt left */
    PIN_PARKED,    /* receipt: its response is not there yet */
    PIN_DUPLICATE, /* receipt: changes nothing */
    PIN_UNMATCHED, /* receipt: for a number that is not the message's */
};
const char *pin_verdict_name(enum pin_verdict v);

struct pin_attempt {
    char carrier[PIN_CARRIER_SIZE];
    char message_id[PIN_MESSAGE_ID_SIZE];
    enum pin_attempt_state state;
    char err[PIN_ERR_SIZE];   /* of the receipt, or the refused response's "0x0000000b" */
    int64_t sent_ms, done_ms; /* 0: not yet */
    uint32_t segments, segments_delivered; /* 0: its receipt is for the whole message */
};

struct pin_record {
    char pin_id[PIN_ID_SIZE];
    char app_id[PIN_APP_ID_SIZE];
    char template_id[PIN_APP_ID_SIZE];
    uint32_t template_revision;
    struct msisdn msisdn;
    struct pin_spec spec;
    uint32_t key_id;
    int64_t step;
    uint8_t nonce[PIN_NONCE_SIZE];
    uint8_t sealed[PIN_SEAL_MAX]; /* what open was given */
    size_t sealed_len;
    enum pin_state state;
    int64_t created_ms, expires_ms, verified_ms; /* 0: not verified */
    uint32_t attempts_remaining;
    uint32_t n_attempts;
    struct pin_attempt attempts[PIN_ATTEMPTS_MAX];
};

/* One PIN of a number, as verifications list it. */
struct pin_seen {
    int64_t sent_ms;     /* 0: no operator has accepted it, nor may have */
    int64_t verified_ms; /* 0: not verified */
};
#define PIN_SEEN_MAX 100 /* the newest of a number and application */

struct pin_answer {
    int result; /* 0: verdict counts; ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_LOST, ERR_CLOSED */
    enum pin_verdict verdict;
    int64_t retry_after_ms;          /* of PIN_TOO_MANY */
    uint32_t attempts_remaining;     /* of verify */
    struct msisdn msisdn;            /* of verify and receipt, where known */
    char pin_id[PIN_ID_SIZE];        /* of receipt, where matched */
    uint32_t attempt;                /* of open, attempt, resend, and a receipt: its number 1.. */
    uint32_t segment;                /* of a receipt, 0: it is for the whole message */
    int64_t expires_ms, ttl_left_ms; /* of open, attempt and resend */
    const struct pin_record *record; /* of find, resend and status; else NULL */
    const struct pin_seen *seen;     /* of seen, newest first; else NULL */
    size_t n_seen;
};
typedef void (*pin_ledger_cb)(void *arg, const struct pin_answer *answer);

/* Each returns 0, or a negative ERR_* and then cb is not called (ERR_FULL, ERR_UNAVAILABLE: the
 * store is away and nothing was done, ERR_NOMEM, ERR_INVALID). */

/* Counts the application's send window (pb:{AAA}:applimit:<app>).  unadmit gives one back, at
 * most once, after a refusal by the number's window; its answer is not waited for. */
int pin_ledger_admit_app(struct pin_ledger *l, const struct pin_app *app, pin_ledger_cb cb,
                         void *arg) __attribute__((warn_unused_result));
void pin_ledger_unadmit_app(struct pin_ledger *l, const char *app_id);

struct pin_open {
    const struct pin_drawn *drawn; /* pin is not looked at */
    struct pin_owner owner;
    const struct pin_spec *spec;
    const struct pin_policy *policy;
    const char *template_id;
    uint32_t template_revision;
    const uint8_t *sealed; /* placeholders and sender, sealed; may be NULL */
    size_t sealed_len;     /* <= PIN_SEAL_MAX */
    const char *carrier;   /* attempt 1, pending: the journal before the send */
};
/* Counts the number's send window and writes the record: PIN_OK or PIN_TOO_MANY. */
int pin_ledger_open(struct pin_ledger *l, const struct pin_open *open, pin_ledger_cb cb, void *arg)
    __attribute__((warn_unused_result));

struct pin_next { /* a further submission of a PIN */
    const char *account;
    const char *pin_id;
    const char *carrier;               /* where it is pending from now on */
    uint32_t last;                     /* attempt: the newest one that the caller knows */
    const struct pin_limit *per_phone; /* resend: the number's send window */
};
/* Compare-and-set before each further submit: attempt `last` + 1 at the carrier, when `last` is
 * still the newest: PIN_OK, PIN_LOST_RACE, PIN_NOT_FOUND. */
int pin_ledger_attempt(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                       void *arg) __attribute__((warn_unused_result));

struct pin_sent {
    struct pin_owner owner;
    const char *pin_id;
    uint32_t attempt;
    const char *carrier;
    enum pin_id_mode id_mode;
    const char *message_id; /* of ACCEPTED; "" where the operator gave none */
    size_t message_id_len;
    const char *match_id; /* what its receipt will bear instead, by id_mode; NULL: message_id.  In
                             PIN_ID_REFERENCE of IN_DOUBT as well: the receipt ends the doubt */
    size_t match_id_len;
    uint32_t segment, segments; /* this id's part of the message, 1.., and how many parts there are
                                   to wait for; 0: it is the whole message's */
    enum pin_attempt_state state; /* ACCEPTED, REFUSED, IN_DOUBT or NOT_SENT */
    uint32_t status;              /* command_status of REFUSED */
    bool last;                    /* no further attempt follows: REFUSED or NOT_SENT end the PIN,
                                     unless an attempt of it was accepted or is in doubt */
};
/*
 * Repeated until done or the PIN's keep time is over. ACCEPTED makes it the number's live PIN.
 *
 * A message in segments is one call for each id, the first one's (segment 1) with the outcome, also
 * where that is IN_DOUBT; the others only map their ids and apply what is parked there.  Each
 * segment's receipts are noted by themselves; the attempt is DELIVERED when the last of `segments`
 * is, and any other final state of one segment is at once the attempt's.
 *
 * Where a final receipt was parked, the answer names its message as that to a receipt does.
 */
int pin_ledger_sent(struct pin_ledger *l, const struct pin_sent *sent, pin_ledger_cb cb, void *arg)
    __attribute__((warn_unused_result));

struct pin_receipt {
    const char *carrier;
    enum pin_id_mode id_mode;
    const char *message_id;
    size_t message_id_len;
    const struct msisdn *msisdn;  /* the handset; NULL when the receipt names none that parses */
    enum pin_attempt_state state; /* 0..9 */
    bool final;
    const char *err; /* at most 32 octets are kept */
    size_t err_len;
    int64_t done_ms;  /* -1: now */
    uint32_t hold_ms; /* repeat for so long, default 5000 */
};
/* PIN_OK, PIN_DUPLICATE, PIN_PARKED, PIN_UNMATCHED: recorded or parked, may be acknowledged. */
int pin_ledger_receipt(struct pin_ledger *l, const struct pin_receipt *receipt, pin_ledger_cb cb,
                       void *arg) __attribute__((warn_unused_result));

struct pin_told { /* the answer of an operator who was asked about a message */
    const char *pin_id;
    uint32_t attempt, segment, segments; /* as in struct pin_sent */
    enum pin_attempt_state state;        /* 0..9 */
    bool final;
    const char *err;  /* at most 32 octets; "" where there is none */
    int64_t done_ms;  /* -1: now */
    uint32_t hold_ms; /* repeat for so long, default 5000 */
};
/* Noted as a receipt is, for who knows the attempt: PIN_OK, PIN_DUPLICATE, PIN_NOT_FOUND. */
int pin_ledger_told(struct pin_ledger *l, const struct pin_told *told, pin_ledger_cb cb, void *arg)
    __attribute__((warn_unused_result));

/* One verdict; the typed text is wiped in here after its tag is drawn. */
int pin_ledger_verify(struct pin_ledger *l, const char *account, const char *pin_id,
                      const char *typed, size_t typed_len, pin_ledger_cb cb, void *arg)
    __attribute__((warn_unused_result));

/* Live and at least 60 s of life left; counts the number's window; writes the next attempt,
 * pending at the carrier; answers the record with nonce, step and sealed octets. */
int pin_ledger_resend(struct pin_ledger *l, const struct pin_next *next, pin_ledger_cb cb,
                      void *arg) __attribute__((warn_unused_result));
/* The record (never the PIN).  account NULL: an operator asks, and sees every account's. */
int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg) __attribute__((warn_unused_result));
/* PIN_OK also when it was over already. */
int pin_ledger_cancel(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg) __attribute__((warn_unused_result));

/* The PINs of a number and application, newest first, PIN_OK also where there are none.  open
 * writes their ids into the number's own key (pb:{BBB}:phone:<account>:<app>:<msisdn>, no list of
 * its own: that costs two commands and a key); those whose record is gone are left out. */
int pin_ledger_seen(struct pin_ledger *l, const struct pin_owner *owner, pin_ledger_cb cb,
                    void *arg) __attribute__((warn_unused_result));

struct pin_ledger_info {
    uint32_t outstanding;
    uint64_t acts, repeats, receipts_matched, receipts_parked, receipts_unmatched,
        receipts_duplicate, receipts_by_id_alone; /* of these: named no number */
};
void pin_ledger_info(const struct pin_ledger *l, struct pin_ledger_info *out);
/* The mode that is in use for a carrier: what was given, or what AUTO has settled on. */
enum pin_id_mode pin_ledger_id_mode(const struct pin_ledger *l, const char *carrier,
                                    enum pin_id_mode given);

#endif
