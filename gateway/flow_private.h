/*
 * One flow, and its machine: states and events as lists, the rows in flow_table.c.  flow_event()
 * is the only door to a change of state; it looks the row up, logs the change, then runs the
 * action, which may raise the next event.  A flow dies through the reap list.
 */
#ifndef GATEWAY_FLOW_PRIVATE_H
#define GATEWAY_FLOW_PRIVATE_H

#include "base/clock.h"
#include "base/reap.h"
#include "base/table.h"
#include "gateway/flow.h"
#include "gateway/route.h"
#include "pin/ledger.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#define FLOW_STATE_LIST(X)                                                                         \
    X(FLOW_NEW, "NEW", "just made")                                                                \
    X(FLOW_LOCATE, "LOCATE", "resend: the record is being read")                                   \
    X(FLOW_APP, "APP", "the application is being looked up")                                       \
    X(FLOW_TEMPLATE, "TEMPLATE", "the template is being looked up")                                \
    X(FLOW_ADMIT, "ADMIT", "the application's window is being counted")                            \
    X(FLOW_OPEN, "OPEN", "the record, or the resend's attempt, is being written")                  \
    X(FLOW_SUBMIT, "SUBMIT", "the message is with a carrier")                                      \
    X(FLOW_RETRY, "RETRY", "a refusal is being recorded, another carrier follows")                 \
    X(FLOW_NEXT, "NEXT", "the next attempt is being written")                                      \
    X(FLOW_GIVE_UP, "GIVE_UP", "as NEXT, but the deadline has passed")                             \
    X(FLOW_CLOSE, "CLOSE", "as RETRY, but the deadline has passed")                                \
    X(FLOW_RECORD, "RECORD", "the last outcome is being recorded")                                 \
    X(FLOW_DOUBT, "DOUBT", "waits for a late response")                                            \
    X(FLOW_DONE, "DONE", "over")

enum flow_state {
#define X(id, name, help) id,
    FLOW_STATE_LIST(X)
#undef X
};

#define FLOW_EVENT_LIST(X)                                                                         \
    X(EV_START, "start")                                                                           \
    X(EV_OK, "ok")                                                                                 \
    X(EV_REFUSED, "refused")                                                                       \
    X(EV_LIMIT, "limit")                                                                           \
    X(EV_ACCEPTED, "accepted")                                                                     \
    X(EV_ROUTE, "refused, another carrier may do")                                                 \
    X(EV_LAST, "refused, no carrier is left or would do")                                          \
    X(EV_IN_DOUBT, "in doubt")                                                                     \
    X(EV_PART, "a part was answered late, the message stays in doubt")                             \
    X(EV_DEADLINE, "deadline")                                                                     \
    X(EV_END, "end")

enum flow_event {
#define X(id, name) id,
    FLOW_EVENT_LIST(X)
#undef X
};

/* Sender and placeholders in one buffer: "sender\0name\0value\0..."; what is sealed. */
#define FLOW_VALUES_MAX 992 /* PIN_SEAL_MAX less nonce and tag of the seal */
struct flow_values {
    size_t len;
    char buf[FLOW_VALUES_MAX];
};

/* The submits that make up the message at hand, and what the operator calls them. */
struct flow_parts {
    uint32_t n;                         /* 1: its id is the flow's message_id */
    uint32_t accepted;                  /* so many of them, from the first on ... */
    bool in_doubt;                      /* ... and perhaps the one after them */
    char (*ids)[PIN_MESSAGE_ID_SIZE];   /* of n; NULL where n is 1 */
    uint32_t n_counted;                 /* those that a receipt of their own can be told of ... */
    uint32_t counted[PIN_SEGMENTS_MAX]; /* ... from 0 */
    uint32_t awaited;                   /* receipts, of these and of what is not known yet */
};
/* What tells the receipts of the parts apart: an id, their place in the message, nothing. */
enum flow_parts_by { PARTS_BY_ID, PARTS_BY_PLACE, PARTS_ALIKE };

struct flow {
    uint64_t id; /* unique in the process */
    UT_hash_handle hh;
    struct reap_node reap;
    struct flows *all;
    const struct config *config; /* the one it began under: a reload does not reach it */
    struct event timer;
    enum flow_state state;
    bool is_resend;
    bool is_answered;
    bool nc_needed, track_delivery;
    bool may_be_out; /* an attempt in doubt was passed over */
    answer_cb cb;
    void *arg;
    struct mono deadline; /* of the answer */

    char account[PIN_ACCOUNT_SIZE];
    char app_id[PIN_APP_ID_SIZE];
    char template_id[PIN_APP_ID_SIZE];
    uint32_t template_revision;
    struct msisdn to;
    struct pin_policy policy;
    struct pin_spec spec;
    uint32_t max_segments;      /* of the text */
    char *template_text;        /* until the text is rendered */
    struct flow_values *values; /* until then, too */
    struct pin_drawn drawn;     /* its pin is wiped once the text is rendered */
    char *text;                 /* what is submitted; wiped when no further submit can follow */
    size_t text_len;
    char sender[PIN_SENDER_SIZE];
    struct route_pick route;
    size_t next_carrier;                      /* index into route of the first one not tried yet */
    const char *carrier;                      /* of the attempt at hand */
    uint32_t attempt;                         /* its number in the record */
    const char *passed[PIN_ATTEMPTS_MAX + 1]; /* carriers of attempts in doubt that were passed
                                                 over, by number */
    int64_t life_ms;                          /* of the PIN, from its opening ... */
    struct mono expires;                      /* ... to this */
    enum pin_attempt_state outcome;           /* of the last submit */
    uint32_t status;                          /* its command_status */
    char message_id[PIN_MESSAGE_ID_SIZE];
    int32_t reference; /* user_message_reference of that submit, -1: none */
    struct flow_parts parts;
    uint32_t recording; /* acts that record the outcome and have not answered */
    struct mono started;
    struct { /* what EV_REFUSED and EV_LIMIT answer */
        enum answer_code code;
        const char *field; /* of the request, static text; NULL: none */
        char text[200];
        int64_t retry_after_ms;
    } refusal;
};

struct flows {
    struct flow_env env;
    struct flows_info info;
    bool is_draining;
    void (*drained_cb)(void *arg);
    void *drained_arg;
};

void flow_event(struct flow *f, enum flow_event event);
const char *flow_state_name(enum flow_state s);
const char *flow_event_name(enum flow_event e);
/* The pinId once there is one. */
const char *flow_log_id(const struct flow *f);
/*
 * Callbacks carry the flow's id in their argument, because the flow may be gone when they come:
 * flow_of() finds it in the one table of the process, or gives NULL.
 */
struct flow *flow_of(void *arg);
void *flow_arg(const struct flow *f);
/* The same for submits, which name their attempt, too. */
struct flow *flow_of_submit(void *arg, uint32_t *attempt);
void *flow_submit_arg(const struct flow *f);
void flow_end(struct flow *f);
void flow_refuse(struct flow *f, enum answer_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers by f->outcome (or the refusal, when `refused`); once, further calls do nothing. */
void flow_answer(struct flow *f, bool refused);

struct smpp_result;
/* flow.c */
struct pin_owner flow_owner(const struct flow *f);
/*
 * flow_doubt.c: an outcome into the ledger, and to the watch over receipts.  The caller fills in
 * attempt, carrier, state and message id; by what receipts find it, and whose it is, comes here.
 * False: it could not be begun (logged), and cb is not called.
 */
bool flow_record(struct flow *f, struct pin_sent *sent, int32_t reference, pin_ledger_cb cb);
/* For cb: trouble is logged; a final receipt may have come before.  f NULL: the flow is gone. */
void flow_recorded(struct flow *f, const struct pin_answer *a);
/* flow.c: the late answer to the submit at hand, in DOUBT. */
void flow_late_answer(struct flow *f, const struct smpp_result *r);

/* flow_doubt.c */
/* May the next carrier be tried although this one may have sent? */
bool flow_doubt_may_pass(const struct flow *f);
/* The attempt at hand is in doubt, and another one follows. */
void flow_doubt_pass(struct flow *f);
/* The answer to an attempt that was passed over may still come. */
bool flow_doubt_is_left(const struct flow *f);
void flow_doubt_linger(struct flow *f);
void flow_doubt_over(struct flow *f);

/* flow_find.c */
void flow_act_locate(struct flow *f);
void flow_act_find_app(struct flow *f);
void flow_act_find_template(struct flow *f);
void flow_refuse_store(struct flow *f, int err);
void flow_refuse_verdict(struct flow *f, const struct pin_answer *a);
/* The store's trouble as the refusal, and EV_REFUSED. */
void flow_fail_store(struct flow *f, int err);

/* flow_parts.c */
void flow_parts_take(struct flow_parts *p, const struct smpp_result *r, bool is_late);
/* Some are accepted, and not all. */
bool flow_parts_is_torn(const struct flow_parts *p);
/* Those that count, as it stands. */
void flow_parts_count(struct flow_parts *p, enum flow_parts_by by);
/* How many calls of pin_ledger_sent() make it known, 1.., and what is particular to each, from 0:
 * its message id, which segment it is, and of how many that receipts are awaited for. */
uint32_t flow_parts_to_record(const struct flow_parts *p);
void flow_parts_name(const struct flow_parts *p, uint32_t i, struct pin_sent *out);
void flow_parts_clear(struct flow_parts *p);

/* flow_text.c */
int flow_values_set(struct flow_values *v, const char *sender, const struct pin_placeholder *ph,
                    size_t n);
/* Placeholders of `ph` instead of those of the same name; the others stay. */
int flow_values_merge(struct flow_values *v, const struct pin_placeholder *ph, size_t n);
int flow_values_get(const struct flow_values *v, const char **sender, struct pin_placeholder *ph,
                    size_t *n);
/* Would the text do?  Renders with zeros for the PIN and measures; refusal is filled if not. */
bool flow_text_is_good(struct flow *f, int alphabet);
/* Renders the drawn PIN into f->text and wipes the PIN, template and values. */
int flow_text_render(struct flow *f);
void flow_text_clear(struct flow *f);

#endif
