/*
 * Inside of the ledger: acts and how they repeat, what is remembered in the process, the scripts.
 *
 * An act has one command out at a time.  act_put*() build it inside the act, so that it can be
 * sent again as it is; act->reply is the continuation that gets its answer and either builds and
 * sends the next command (pin_act_go) or ends the act (pin_act_finish).  A struct of one kind of
 * act has its struct act first.  An act whose command is out when the ledger is freed has told its
 * caller already; it lives on with l = NULL until the store calls back.
 *
 * The record, pb:{BBB}:pin:<pinId>; integers in packed fields are big-endian.  What a hot act reads
 * stands together in one field, and no field is over 64 octets:
 *   s   state 1, attempts to submit 1, attempts left 2, order of opening 4, verified ms 6,
 *       expires ms 6, multiple 1, verify count 2, verify window ms 4, tag 32
 *   l   life ms 6, key id 4, step 8, type 1, length 1, no look-alikes 1, template revision 4
 *   a   account, space, msisdn     p  application 32, template 32
 *   n   nonce                      x0..  sealed octets in pieces of 64
 *   c1..  attempt: state 1, sent ms 6, done ms 6, request that began it 8, request of its last
 *       receipt 8, carrier;  e1..  its err
 *   m1, m1b, m1c, m1d..  its message id in pieces of 64
 *   g1..  of an attempt in segments: the state of each, 1 octet, 255 none yet, + 128 final
 *   q1, q1b..  ... and the request of its last receipt, 8 octets each, in pieces of 64
 * pb:{BBB}:phone:<account>:<app>:<msisdn>, a string:
 *   send window: start ms 6, count 4; last order of opening 4; life of the key, ms 6;
 *   live PIN: its order 4 (0: none), pinId 32; verify window: start ms 6, count 4;
 *   last three verifies: request id 8, verdict 1, attempts left 2 (dashes: none);
 *   PINs opened, newest first, at most PIN_SEEN_MAX: pinId 16, end of the record ms 6
 * pb:{AAA}:applimit:<app>:  w  start ms 8, count 4;  r  last 16 request ids
 * pb:{MMM}:dlr:<carrier>:<id> (in the modes auto and reference with ":<msisdn>" behind it), a
 * string:
 *   M pinId 32, attempt 1, of a segment also which one 1 and of how many 1 (a is 1, b is 2..),
 *     msisdn; then newline and a receipt that is not recorded yet
 *   D the same, after the final receipt
 *   P a parked receipt: request id 8, final 1, state 2, "done msisdn err"
 * pb:{MMM}:early:<carrier>:<id>:<msisdn>: a P that overtook its response while the dlr key, without
 *   the number in it, was the map of another number: the operator uses the id again
 */
#ifndef PIN_LEDGER_PRIVATE_H
#define PIN_LEDGER_PRIVATE_H

#include "base/buf.h"
#include "base/clock.h"
#include "pin/ledger.h"
#include "pin/msgid.h"
#include "store/store.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#define ACT_ARGS_MAX 80
#define ACT_RID_SIZE 8
#define PIN_KEY_MAX  512 /* octets of a Redis key */
#define PIECE        64
#define APP_LEN      (PIN_APP_ID_SIZE - 1)

extern struct store_script pin_ledger_script_open, pin_ledger_script_attempt,
    pin_ledger_script_note, pin_ledger_script_verify, pin_ledger_script_cancel,
    pin_ledger_script_status, pin_ledger_script_seen, pin_ledger_script_admit,
    pin_ledger_script_unadmit, pin_ledger_script_park, pin_ledger_script_claim,
    pin_ledger_script_done, pin_ledger_script_unpark;

/* --- the ledger ---------------------------------------------------------------------------- */

struct key {
    char s[PIN_KEY_MAX];
    size_t len;
};
struct act;
struct where_cache;
struct ledger_carriers;
struct windows;
struct watch;

struct pin_ledger {
    struct pin_ledger_options o;
    struct act *acts;
    uint64_t next_rid;
    bool closing;
    struct pin_ledger_info info;
    struct where_cache *where;
    struct ledger_carriers *carriers;
    struct windows *windows;
    struct watch *watched; /* parked receipts, oldest first */
    uint32_t n_watched;
    struct event *watch_timer;
};

/* --- acts: ledger.c ------------------------------------------------------------------------ */

enum act_patience {
    ACT_ONCE_MORE, /* a caller waits: one repeat when the fate is unknown */
    ACT_STUBBORN,  /* until give_up */
};

struct act {
    struct act *prev, *next;
    struct pin_ledger *l;
    const char *name;
    enum act_patience patience;
    pin_ledger_cb cb;
    void *arg;
    void (*reply)(struct act *a, const struct store_reply *reply);
    bool out;       /* the store holds a pointer to this act */
    bool repeating; /* of ACT_ONCE_MORE: the repeat is under way */
    uint8_t tries;
    int unknown; /* ERR_TIMEOUT or ERR_LOST once the fate of a command is unknown */
    struct mono give_up;
    struct event timer;
    size_t size;
    uint8_t rid[ACT_RID_SIZE];
    struct store_script *script; /* NULL: a plain command */
    uint8_t n_keys, n_args;
    bool overflow;
    uint32_t used, cap;
    uint16_t end[ACT_ARGS_MAX];
    uint8_t *data; /* behind the act's struct, cap octets */
};

/* size: of the struct that begins with the act; cap: octets of arguments. ERR_* in *err. */
void *pin_act_new(struct pin_ledger *l, const char *name, size_t size, uint32_t cap, int *err)
    __attribute__((warn_unused_result));
void pin_act_for(struct act *a, pin_ledger_cb cb, void *arg,
                 void (*reply)(struct act *, const struct store_reply *));
/* One that was never started: cb is not called. */
void pin_act_drop(struct act *a);
/* Starts a command: keys first, then arguments. */
void pin_act_command(struct act *a, struct store_script *script);
void pin_act_key(struct act *a, const struct key *k);
void pin_act_put(struct act *a, const void *p, size_t len);
void pin_act_put_str(struct act *a, const char *s);
void pin_act_put_int(struct act *a, int64_t v);
void pin_act_put_owner(struct act *a, const struct pin_owner *owner); /* as in field a */
/* The last thing that a call of the public interface does: 0, or an error and the act is gone. */
int pin_act_start(struct act *a) __attribute__((warn_unused_result));
/* From a continuation. */
void pin_act_go(struct act *a);
void pin_act_finish(struct act *a, const struct pin_answer *answer);
void pin_act_finish_verdict(struct act *a, enum pin_verdict verdict);
void pin_act_finish_error(struct act *a, int err);
/* A command whose answer does not matter; of a script the first argument is the key. */
void pin_ledger_fire(struct pin_ledger *l, struct store_script *script,
                     const struct store_arg *argv, size_t n);
/* The integer at i of an array answer, 0 when it is not there. */
int64_t pin_reply_at(const struct store_reply *reply, size_t i);
/* Scripts that answer one integer: verdict + 16 * value. */
enum pin_verdict pin_reply_verdict(const struct store_reply *reply);
int64_t pin_reply_value(const struct store_reply *reply);

/* --- keys and names: ledger_names.c -------------------------------------------------------- */

void pin_key_record(struct key *k, const char *pin_id);
void pin_key_phone(struct key *k, const char *pin_id, const struct pin_owner *owner);
void pin_key_applimit(struct key *k, const char *app_id);
/* A key with the number in it: ids of two bases, or references that come round again. */
bool pin_key_has_number(enum pin_id_mode mode);
void pin_key_dlr(struct key *k, const char *carrier, enum pin_id_mode mode,
                 const struct pin_msgid_form *f, const struct msisdn *msisdn);
void pin_key_early(struct key *k, const char *carrier, const struct pin_msgid_form *f,
                   const struct msisdn *msisdn);
bool pin_carrier_is_valid(const char *carrier);

/* --- what the process remembers: ledger_where.c --------------------------------------------- */

struct where {
    char pin_id[PIN_ID_SIZE];
    char account[PIN_ACCOUNT_SIZE];
    char app_id[PIN_APP_ID_SIZE];
    struct msisdn msisdn;
    int64_t expires_ms; /* by Redis's clock */
};
struct where_cache *pin_where_new(uint32_t max) __attribute__((warn_unused_result));
void pin_where_free(struct where_cache *c);
bool pin_where_get(struct where_cache *c, const char *pin_id, struct where *out);
void pin_where_put(struct where_cache *c, const struct where *w);
/* The answer to HMGET a p s; false: no record, or one of another account. */
bool pin_where_read(struct where *w, const char *pin_id, const char *account,
                    const struct store_reply *reply);
void pin_where_ask(struct act *a, const char *pin_id);
/* 48 bits, as milliseconds stand in packed fields. */
int64_t pin_rd_u48(struct rd *r);
void pin_wr_u48(struct wr *w, int64_t v);

/* Start of the window that an application's last admission was counted in. */
struct windows *pin_windows_new(void) __attribute__((warn_unused_result));
void pin_windows_free(struct windows *w);
void pin_windows_admitted(struct windows *w, const char *app_id, int64_t start_ms);
/* The window to give one back to; false: none is known, or it is not sure which. */
bool pin_windows_take(struct windows *w, const char *app_id, int64_t *start_ms);

/* What the ids of the carriers in the mode auto have shown. */
struct ledger_carriers *pin_ledger_carriers_new(void) __attribute__((warn_unused_result));
void pin_ledger_carriers_free(struct ledger_carriers *c);
enum pin_id_mode pin_carriers_settled(const struct ledger_carriers *c, const char *carrier);
/* True when this match has settled it. */
bool pin_carriers_matched(struct ledger_carriers *c, const char *carrier, enum pin_id_mode kind);

/* --- records: ledger_record.c ---------------------------------------------------------------- */

/* An operator's, who sees them all; no account has this name. */
#define ANY_ACCOUNT "*"

/* fields: what HGETALL answers. False: no record, another account's, or it makes no sense. */
bool pin_record_read(struct pin_record *out, const char *account, const struct store_reply *fields);
/* What time alone has changed: EXPIRED, IN_DOUBT. */
void pin_record_at(struct pin_record *r, int64_t now_ms, uint32_t in_doubt_ms);

/* --- receipts and message ids: ledger_parked.c, ledger_sent.c, ledger_receipt.c --------------- */

#define PARKED_SIZE 128
#define MAP_SIZE    64

struct parked { /* a receipt as it is parked and recorded */
    uint8_t rid[ACT_RID_SIZE];
    bool final;
    enum pin_attempt_state state;
    int64_t done_ms; /* -1: now */
    char err[PIN_ERR_SIZE];
    struct msisdn msisdn; /* len 0: the receipt names none */
};
struct map { /* what a message id leads to */
    char pin_id[PIN_ID_SIZE];
    uint32_t attempt;
    uint32_t segment, segments; /* 0: the whole message */
    struct msisdn msisdn;
};
struct receipt_name { /* as the operator gave it */
    char carrier[PIN_CARRIER_SIZE];
    char message_id[PIN_MESSAGE_ID_SIZE];
    size_t len;
    enum pin_id_mode mode;
};

/* The value in Redis; its length, 0 when it does not fit. */
size_t pin_parked_write(const struct parked *p, char *out, size_t size);
bool pin_parked_read(struct parked *p, const char *s, size_t len); /* without the P */
size_t pin_map_write(const struct map *m, char kind, char *out, size_t size);
bool pin_map_read(struct map *m, const char *s, size_t len);

bool pin_receipt_name_set(struct receipt_name *n, const char *carrier, const char *message_id,
                          size_t len);
/* Found under a form: counted for the mode auto. */
void pin_receipt_matched(struct pin_ledger *l, const struct receipt_name *n,
                         const struct pin_msgid_form *f);
/* Which message a receipt was found to be of. */
void pin_answer_map(struct pin_answer *answer, const struct map *m);
struct note { /* what became of an attempt */
    enum pin_attempt_state state;
    bool final, last;
    int64_t done_ms; /* of a final receipt; 0 or less: now */
    const char *err;
    const uint8_t *rid; /* of a receipt, else NULL */
};
/* owner: NULL for a receipt, whose script reads it where it needs it. */
void pin_note_command(struct act *a, const struct map *m, const struct note *n,
                      const struct pin_owner *owner);
/* The command that records a receipt on the PIN's slot. */
void pin_note_receipt(struct act *a, const struct map *m, const struct parked *p);
void pin_map_done(struct pin_ledger *l, const struct key *k, const struct map *m);
void pin_unpark(struct pin_ledger *l, const struct key *k, const uint8_t rid[ACT_RID_SIZE]);
void pin_receipt_unmatched(struct pin_ledger *l, const char *carrier, const char *message_id,
                           const char *reason);

/* Looks at a parked receipt when its time is over; bounded by max_outstanding. */
void pin_watch_add(struct pin_ledger *l, const struct key *k, const struct parked *p,
                   const struct receipt_name *name);
int64_t pin_watch_life_ms(const struct pin_ledger *l); /* of a parked receipt in Redis */
void pin_watch_end(struct pin_ledger *l);

#endif
