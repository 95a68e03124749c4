/*
 * smpp/: an ESME library for SMPP 3.4 (SMPP Protocol Specification v3.4, Issue 1.2).
 *
 * A struct smpp_carrier is one operator account: one or more binds that are kept alive, each with a
 * window of unanswered submits.  The library owns sockets, timers and the text of a message until
 * its outcome is known; it knows nothing of PINs or of Redis.
 *
 * Every call must come from the thread of the event loop.  No callback runs inside the call that
 * registered it.  smpp_submit() promises exactly one outcome per accepted message, also at
 * time-out, disconnect, drain and free.  Receipts are handed up with a handle and answered to the
 * operator by smpp_delivery_done(), so that "stored" comes before "acknowledged"; a handle may be
 * answered late and in any order, and is a no-op when its connection is gone.
 */
#ifndef SMPP_SMPP_H
#define SMPP_SMPP_H

#include "base/clock.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evdns_base;
struct reap;
struct smpp_carrier;

/* A view of octets that somebody else owns; p is NULL when the field is absent. */
struct smpp_str {
    const char *p;
    size_t len;
};

/* What data_coding 0 means there, and what texts are written in that it has. */
enum smpp_alphabet {
    SMPP_GSM, /* 03.38, an octet each character */
    SMPP_LATIN1,
    SMPP_ASCII,
    SMPP_GSM_PACKED, /* 03.38, seven bits each character as on the air */
    SMPP_LATIN1_3,   /* texts are Latin-1 with data_coding 3; 0 means GSM 03.38 */
};
/*
 * What each bind of a carrier is.  A pair is two connections, its legs, that make one bind:
 * submits go on the transmitter, and only while the receiver is BOUND too, because a receipt would
 * have no way back.  When one leg is lost the other one stays, for the answers and receipts of what
 * is under way; submits go on when both are BOUND again.  A receiver takes receipts and
 * messages and never sends; the receipts of a transmitter come to another carrier, or not at all.
 */
enum smpp_mode { SMPP_TRANSCEIVER, SMPP_PAIR, SMPP_RECEIVER, SMPP_TRANSMITTER };
/* How a text of several segments goes out. */
enum smpp_long_message {
    SMPP_LONG_UDH,     /* a submit_sm each, with a user data header and a reference of 8 bits */
    SMPP_LONG_SAR,     /* a submit_sm each, with sar_msg_ref_num and the like */
    SMPP_LONG_PAYLOAD, /* one submit_sm with message_payload, at most 1024 octets */
};
enum smpp_validity { SMPP_VALIDITY_NONE, SMPP_VALIDITY_RELATIVE, SMPP_VALIDITY_ABSOLUTE };
/* Bits 1-0 of esm_class (5.2.12).  FORWARD: the answer comes when the handset has the message or
 * has not, so it takes as long as that. */
enum smpp_messaging_mode {
    SMPP_MODE_DEFAULT,
    SMPP_MODE_DATAGRAM,
    SMPP_MODE_FORWARD,
    SMPP_MODE_STORE_AND_FORWARD,
};

enum smpp_state {            /* of one bind */
                  SMPP_IDLE, /* waits for its next attempt (back-off) */
                  SMPP_RESOLVING,
                  SMPP_CONNECTING,
                  SMPP_BINDING, /* connected, bind request sent */
                  SMPP_BOUND,
                  SMPP_UNBINDING,
                  SMPP_CLOSED, /* for good: drained or freed */
};
const char *smpp_state_name(enum smpp_state state);

enum smpp_status_class { /* what a command_status means for the message or the bind */
                         SMPP_CLASS_OK,
                         SMPP_CLASS_THROTTLE,   /* the bind was too fast: it rests, the message is
                                                   sent again */
                         SMPP_CLASS_RETRY,      /* a trouble that passes */
                         SMPP_CLASS_PERMANENT,  /* this message will never do here */
                         SMPP_CLASS_SUBSCRIBER, /* nor anywhere else: the recipient is the trouble
                                                 */
                         SMPP_CLASS_BIND,       /* the bind itself is refused */
};
enum smpp_status_class smpp_status_class(uint32_t status);

/* What a status of a submit means at one operator, above all 0x400..0x4FF, which each operator
 * fills as it likes (quirk 40): THROTTLE, RETRY, PERMANENT or SUBSCRIBER. */
struct smpp_status_rule {
    uint32_t status;
    enum smpp_status_class meaning;
};
#define SMPP_STATUS_RULES_MAX 64

/* How a date of twelve digits in a receipt is read: YYMMDDhhmmss, YYYYMMDDhhmm, or whichever of the
 * two is nearer to now. */
enum smpp_receipt_dates { SMPP_DATES_AUTO, SMPP_DATES_SECONDS, SMPP_DATES_YEAR_FIRST };

/* What a word of stat: means at one operator, in any case (quirks 24 and 25).  A message_state TLV
 * counts as its word of Appendix B. */
#define SMPP_STAT_MAX 32 /* octets */
struct smpp_stat_rule {
    char stat[SMPP_STAT_MAX + 1];
    int state; /* message_state 0..9 */
};
#define SMPP_STAT_RULES_MAX 64

/* What an error code in receipts means at one operator, in any case (quirk 30). */
enum smpp_error_class { SMPP_ERROR_UNKNOWN, SMPP_ERROR_TEMPORARY, SMPP_ERROR_PERMANENT };
const char *smpp_error_class_name(enum smpp_error_class class);
#define SMPP_ERR_MAX      32 /* octets */
#define SMPP_ERR_TEXT_MAX 80
struct smpp_error_rule {
    char err[SMPP_ERR_MAX + 1];
    enum smpp_error_class class;
    char text[SMPP_ERR_TEXT_MAX + 1];
};
#define SMPP_ERROR_RULES_MAX 128

/* How an attempt to bind, or a bind, comes to its end (smpp_end.def). */
enum smpp_end {
#define SMPP_END(name, label, wait) SMPP_END_##name,
#include "smpp/smpp_end.def"
    SMPP_ENDS
};
const char *smpp_end_name(enum smpp_end end); /* "credentials" */

#define SMPP_CALLERS_MAX 4 /* at a time on the port for outbind; further ones are turned away */

/* What becomes of a connection that an SMSC made to say outbind (smpp_guest.def). */
enum smpp_guest {
#define SMPP_GUEST(name, label) SMPP_GUEST_##name,
#include "smpp/smpp_guest.def"
    SMPP_GUESTS
};
const char *smpp_guest_name(enum smpp_guest result); /* "credentials" */

/* All strings are copied.  Zero of a time or a count means its default, named beside it. */
struct smpp_carrier_options {
    const char *name;         /* for log lines; [a-z0-9-] */
    const char *const *hosts; /* names or addresses, tried in turn; n_hosts >= 1 */
    size_t n_hosts;
    uint16_t port;
    const char *local_address;     /* source address to connect from, or NULL */
    const char *system_id;         /* <= 15 octets */
    const struct secret *password; /* <= 8 octets; copied */
    const char *system_type;       /* <= 12 octets */
    uint8_t interface_version;     /* 0x33 (no transceivers, no TLVs), 0x34, 0x50; default 0x34 */
    const char *address_range;     /* of the bind, <= 40 octets: what shall come to a receiver */
    uint8_t address_ton, address_npi;
    /* "127.0.0.1:2775": the SMSC connects there and says outbind, instead of being dialled by
     * transceivers and receivers; NULL or "": none.  Plain TCP. */
    const char *outbind_listen;
    const char *outbind_system_id;         /* that it has to say, <= 15 octets */
    const struct secret *outbind_password; /* <= 8 octets, not empty; copied */
    enum smpp_mode mode;                   /* of each bind */
    uint32_t binds;                        /* 1..16, default 1; each is two connections in a pair */
    uint32_t window;                       /* unanswered submits per bind, 1..10000, default 10 */
    uint32_t max_queue;                    /* messages waiting for room, default 1000 */
    uint32_t enquire_link_ms;              /* of silence before enquire_link, default 25000 */
    uint32_t response_timeout_ms;    /* of a submit or enquire_link, default 30000; a bind that
                                        answers no submit for twice as long is bound anew */
    uint32_t connect_timeout_ms;     /* default 10000; resolving and a TLS handshake count too */
    uint32_t bind_timeout_ms;        /* default 15000 */
    uint32_t unbind_timeout_ms;      /* default 5000 */
    uint32_t backoff_min_ms;         /* network trouble: first wait, default 1000 */
    uint32_t backoff_max_ms;         /* ... and its ceiling, default 30000 */
    uint32_t backoff_credentials_ms; /* credentials refused, default 300000 */
    uint32_t backoff_bound_min_ms;   /* already bound / bind failed, default 30000 */
    uint32_t backoff_bound_max_ms;   /* ... ceiling, default 300000 */
    uint32_t throttle_ms; /* pause after ESME_RTHROTTLED, twice that after ESME_RMSGQFUL, up to
                             half as much again; default 1000.  The message alone pauses where the
                             peer says RMSGQFUL of it again and has taken another meanwhile */
    uint32_t rate, rate_per_bind; /* segments within 1.1 s, 0: no limit; at most 100000 */
    uint32_t max_deliveries;      /* deliver_sm/data_sm not yet answered per bind, default 1000 */
    const char *source;           /* default sender */
    int source_ton, source_npi;   /* -1: by form (digits 1/1, short code 3/0, letters 5/0) */
    uint8_t dest_ton, dest_npi;   /* 1/1 is the rule */
    const char *service_type;
    enum smpp_alphabet alphabet;
    enum smpp_validity validity;
    enum smpp_messaging_mode messaging_mode;
    uint8_t registered_delivery;
    enum smpp_long_message long_message;
    bool user_message_reference; /* each submit carries a number of its own, that of receipts */
    enum smpp_receipt_dates receipt_dates;
    int32_t receipt_utc_offset_min; /* time zone of the dates in receipts */
    bool
        receipt_without_esm_class; /* treat deliver_sm with id: and stat: as a receipt (quirk 13) */
    uint32_t mo_age_ms;      /* parts of a message wait so long for the others, default 300000 */
    bool strip_trailing_nul; /* of messages in the default alphabet, where it is not an '@' */
    bool tls; /* the peer's chain and name are verified; the process ignores SIGPIPE */
    const char *tls_ca_file;                  /* PEM, who is trusted; NULL or "": the system's */
    const char *tls_cert_file, *tls_key_file; /* shown to the peer; both or neither */
    const char *tls_name; /* to verify and for SNI; NULL or "": the host as it is dialled */
    const struct smpp_status_rule *statuses; /* copied; others mean what the book says */
    size_t n_statuses;
    const struct smpp_stat_rule
        *receipt_states; /* copied; other words mean what they do elsewhere */
    size_t n_receipt_states;
    const struct smpp_error_rule *receipt_errors; /* copied */
    size_t n_receipt_errors;
    uint32_t
        final_states; /* a bit for each state (1 << 2: DELIVERED) after which no further receipt
                         is expected; 0: all but SCHEDULED, ENROUTE, ACCEPTED and UNKNOWN */
    bool is_held;     /* does not bind before smpp_carrier_start() */
};

struct smpp_message {
    const char *source;      /* NULL: the carrier's */
    const char *destination; /* digits */
    const char *text;        /* UTF-8; copied, wiped with the window entry */
    size_t text_len;
    int64_t validity_ms;   /* life left of what the text carries, it waits no longer than that;
                              0: none */
    struct mono deadline;  /* not written to the socket by then: SMPP_NOT_SENT */
    uint32_t max_segments; /* 0 counts as 1; at most SMPP_SEGMENTS_MAX */
};
#define SMPP_SEGMENTS_MAX 10

enum smpp_outcome {
    SMPP_ACCEPTED,      /* submit_sm_resp ESME_ROK */
    SMPP_THROTTLED_OUT, /* still throttled at the deadline */
    SMPP_REFUSED,       /* an error status, or generic_nack */
    SMPP_UNKNOWN,       /* octets left and no answer, or some parts of a long message were accepted
                           and others not sent: not to be repeated blindly */
    SMPP_NOT_SENT,      /* not one octet reached the kernel */
};
const char *smpp_outcome_name(enum smpp_outcome outcome);

struct smpp_result {
    enum smpp_outcome outcome;
    uint32_t status;                     /* command_status of the answer, 0 where there was none */
    enum smpp_status_class status_class; /* what it means at this carrier */
    struct smpp_str message_id;          /* of SMPP_ACCEPTED; len 0: the SMSC gave none */
    const char *reason;                  /* static text */
    int64_t rtt_us;                      /* write to answer, -1 where there was none */
    uint32_t bind;
    uint32_t parts; /* submit_sm that make up the message: 1 but for long ones */
    /* The ids of so many parts, valid during the call; len 0: no id, or not accepted.  The first
     * is message_id, but for a late answer, where only the part that it is to has one. */
    const struct smpp_str *part_ids;
    uint32_t part;     /* that was refused, is in doubt, or was answered late; from 0 */
    int32_t reference; /* user_message_reference of the first part, the next ones count on from it
                          (modulo 65536); -1: none */
};
/*
 * Called exactly once per accepted message.  A response that comes after SMPP_UNKNOWN was
 * reported goes to events.late_cb instead.
 */
typedef void (*smpp_submit_cb)(void *arg, const struct smpp_result *result);

/* Names a deliver_sm or data_sm that waits for its answer. */
struct smpp_delivery {
    uint64_t session; /* process-wide serial number of the connection */
    uint32_t command_id;
    uint32_t sequence_number;
};

struct smpp_receipt {
    struct smpp_str id, sub, dlvrd, submit_date, done_date, stat, err, text; /* as they stand */
    int state;                        /* message_state 0..9 (5.2.28), -1: none */
    bool state_known;                 /* false: state is 7 because stat is in no table */
    bool final;                       /* no further receipt is expected */
    const char *word;                 /* of a table, that state comes from ("DELIVRD"), or NULL */
    enum smpp_error_class err_class;  /* of err, and its text, by the operator's table */
    const char *err_text;             /* NULL: err is not in it */
    const char *conflict;             /* "id" or "state": text and TLV differ, or NULL */
    int64_t submit_ms, done_ms;       /* Unix ms, -1: no usable date */
    struct smpp_str source_addr;      /* the handset */
    struct smpp_str destination_addr; /* our sender */
    int32_t reference;                /* user_message_reference of the submit, -1: none */
};

/* A mobile-originated message, put together from its parts. */
struct smpp_mo {
    struct smpp_str source_addr;      /* the handset */
    struct smpp_str destination_addr; /* our number */
    uint8_t source_ton, source_npi, destination_ton, destination_npi;
    uint8_t data_coding;  /* of the part that came first */
    struct smpp_str text; /* UTF-8, and a NUL behind it; p NULL: binary data, of no use as a text */
    size_t octets;        /* as they came, without user data headers */
    uint32_t parts;       /* that its sender made of it */
    uint32_t missing; /* of those: not come in time, or handed up on their own (over 32 parts) */
    bool is_complete; /* none is */
    bool has_start;   /* the text begins as its sender began */
};

struct smpp_bind_event {
    const char *carrier;
    uint32_t bind;
    enum smpp_state from, to;
    const char *reason; /* valid during the call */
    uint32_t status;    /* of the bind response, else 0 */
};

/* Zero or more calls each, never after smpp_carrier_free(). Views are valid during the call. */
struct smpp_events {
    void *arg;
    void (*state_cb)(void *arg, const struct smpp_bind_event *event);
    void (*receipt_cb)(void *arg, struct smpp_carrier *c, const struct smpp_receipt *r,
                       struct smpp_delivery handle);
    /* Of a message in several parts each part is answered when it comes, because some SMSCs send
     * the next one only then: its handle does nothing. */
    void (*mo_cb)(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery handle);
    /* The answer to a submit that had been given up; submit_arg is that of smpp_submit(). */
    void (*late_cb)(void *arg, struct smpp_carrier *c, void *submit_arg,
                    const struct smpp_result *result);
};

/* NULL: out of memory or an option outside its range (the reason is logged). Starts binding. */
struct smpp_carrier *
smpp_carrier_new(struct event_base *base, struct reap *reap, struct evdns_base *dns,
                 const struct smpp_carrier_options *options, const struct smpp_events *events)
    __attribute__((warn_unused_result));
/* Of one that was made with is_held; once. */
void smpp_carrier_start(struct smpp_carrier *c);

/*
 * Other options for a running carrier, in two steps: prepare checks them and reserves what they
 * need (ERR_INVALID, ERR_NOMEM, ERR_CLOSED when draining), and nothing changes before update, which
 * cannot fail and follows in the same turn of the loop.  A prepare without update is forgotten.
 *
 * No bind that is wanted still goes down.  window, max_queue, binds, rates, time-outs, throttle_ms
 * and all that stands in submits and receipts count at once; a smaller window or queue takes
 * nothing back, it fills up no more; binds that are too many drain.  hosts, port, local_address,
 * system_id, password, system_type, and TLS count from a bind's next connection on, and a
 * shorter back-off shortens the wait at hand: where
 * such a change shall reach the binds that are up, drain the carrier and make another.  mode
 * and outbind_listen cannot be another one (ERR_INVALID).
 */
int smpp_carrier_prepare(struct smpp_carrier *c, const struct smpp_carrier_options *options)
    __attribute__((warn_unused_result));
void smpp_carrier_update(struct smpp_carrier *c);

const char *smpp_carrier_name(const struct smpp_carrier *c);
/* A bind that sends is up: BOUND, a pair with both legs. */
bool smpp_carrier_is_up(const struct smpp_carrier *c);
/* It is up, there is room for a message (window or queue), and no drain has begun.  A carrier that
 * waits because of its rate or a throttle is ready while its queue has room. */
bool smpp_carrier_is_ready(const struct smpp_carrier *c);

/*
 * 0: cb will be called once.  Negative: it will not.  ERR_UNAVAILABLE (not up),
 * ERR_FULL (max_queue), ERR_INVALID (an address or text that cannot be encoded), ERR_TOOLONG
 * (more than max_segments, or than message_payload takes), ERR_CLOSED (draining), ERR_NOMEM.
 *
 * A message of several segments sends its parts one after the other, each after the answer to the
 * one before, over one bind as long as that is BOUND, and ahead of other messages.  A throttled
 * part is tried again alone; the first that is refused ends the message as SMPP_REFUSED.
 */
int smpp_submit(struct smpp_carrier *c, const struct smpp_message *message, smpp_submit_cb cb,
                void *arg) __attribute__((warn_unused_result));

/*
 * What has become of a message that was accepted (query_sm), and its withdrawal (cancel_sm). Either
 * goes over any bind that may send, while no message waits: it counts as a segment before the rates
 * and takes no place of a window.  16 are unanswered per bind and 1000 wait for at most
 * response_timeout_ms; then ERR_FULL.  The callback is called exactly once, also at time-out,
 * disconnect, drain and free, and never inside the call.
 */
struct smpp_message_ref {
    const char *message_id;  /* as in its submit_sm_resp, 1 to 64 octets */
    const char *source;      /* as in its struct smpp_message */
    const char *destination; /* of a cancel */
};

enum smpp_ask_outcome {
    SMPP_ASK_DONE,      /* answered with ESME_ROK */
    SMPP_ASK_REFUSED,   /* an error status, or generic_nack */
    SMPP_ASK_NO_ANSWER, /* in response_timeout_ms */
    SMPP_ASK_LOST,      /* the connection ended before the answer */
    SMPP_ASK_NOT_SENT,  /* not one octet reached the kernel */
};
#define SMPP_ASK_OUTCOMES 5
const char *smpp_ask_outcome_name(enum smpp_ask_outcome outcome);

struct smpp_ask_result {
    enum smpp_ask_outcome outcome;
    uint32_t status; /* command_status of the answer, 0 where there was none */
    /* Of a query that is DONE: */
    int state;          /* message_state 0..9, -1: none that is known */
    bool final;         /* as of a receipt */
    int64_t final_ms;   /* since then, Unix ms; -1: not told */
    uint8_t error_code; /* why it failed, the operator's own numbers; 0: not told */
    const char *reason; /* static text */
};
typedef void (*smpp_ask_cb)(void *arg, const struct smpp_ask_result *result);

/* 0: cb will be called once.  ERR_UNAVAILABLE (no bind is BOUND), ERR_FULL, ERR_INVALID (an id or
 * address that SMPP 3.4 cannot carry), ERR_CLOSED (draining), ERR_NOMEM: it will not. */
int smpp_query(struct smpp_carrier *c, const struct smpp_message_ref *message, smpp_ask_cb cb,
               void *arg) __attribute__((warn_unused_result));
int smpp_cancel(struct smpp_carrier *c, const struct smpp_message_ref *message, smpp_ask_cb cb,
                void *arg) __attribute__((warn_unused_result));

/* Answers a receipt or a mobile-originated message; status 0 is ESME_ROK. */
void smpp_delivery_done(struct smpp_carrier *c, struct smpp_delivery handle, uint32_t status);

enum smpp_bind_action {
    SMPP_BIND_UP,       /* of one that is down */
    SMPP_BIND_DOWN,     /* its window empties, it unbinds and stays so until it is taken up */
    SMPP_BIND_RESTART,  /* unbinds likewise and binds again at once */
    SMPP_BIND_RETRY_NOW /* does not wait any longer */
};
const char *smpp_bind_action_name(enum smpp_bind_action action); /* "retry-now" */
/* For one row of smpp_carrier_bind_info(); of a pair do it for both.  Returns what was done, for
 * people: "binds now". */
const char *smpp_carrier_act(struct smpp_carrier *c, uint32_t row, enum smpp_bind_action action);
/* Before the start of one that takes the place of another: binds that are down stay down. */
void smpp_carrier_inherit(struct smpp_carrier *c, const struct smpp_carrier *from);

/* Stop taking messages, finish those of which a part went out, unbind; cb once when every bind is
 * CLOSED, at the latest after response_timeout_ms + unbind_timeout_ms, twice the latter with pairs,
 * whose receivers follow their transmitters.  What still waits in the queue ends as SMPP_NOT_SENT
 * in the next loop turn.  Only the first call counts. */
void smpp_carrier_drain(struct smpp_carrier *c, void (*cb)(void *arg), void *arg);
/* Outstanding submits get their callback (UNKNOWN or NOT_SENT) before this returns. */
void smpp_carrier_free(struct smpp_carrier *c);

/* Of one connection; a bind that is a pair has two. */
struct smpp_bind_info {
    const char *carrier;
    uint32_t bind;    /* its number in the carrier */
    char name[12];    /* "0", and "0tx" and "0rx" of a pair */
    const char *mode; /* "transceiver", "transmitter", "receiver" */
    bool is_leg;      /* of a pair */
    bool is_up;       /* the bind is BOUND, a pair with both legs */
    bool awaits_outbind;
    bool is_down; /* by smpp_carrier_act() */
    enum smpp_state state;
    int64_t since_ms;        /* Unix ms of the last change of state */
    int64_t next_attempt_ms; /* from now; -1: none planned */
    uint32_t window, in_flight;
    uint64_t submits, responses, errors, receipts, throttled, in_doubt;
    uint64_t bound;             /* attempts to bind that succeeded */
    uint64_t failed[SMPP_ENDS]; /* attempts that did not */
    uint64_t ended[SMPP_ENDS];  /* binds that were BOUND */
    uint64_t unexpected;        /* responses that nothing waited for */
    uint64_t malformed;         /* PDUs with an unusable body */
    uint64_t turned_away;       /* deliveries refused: max_deliveries, or on a transmitter */
    uint32_t rate;              /* segments a second as configured, 0: no limit */
    uint32_t rate_now;          /* as throttles left it, 0: no limit */
    int interface_version;      /* that the peer told in its last bind response, -1: none */
    int congestion;             /* the last congestion_state (SMPP 5.0) of 0..100, -1: none yet */
    int64_t rtt_us;             /* of the last answered submit, -1: none yet */
    const char *tls_version;    /* "TLSv1.3" of the last connection, NULL: plain or none yet */
    int64_t tls_expires_ms;  /* end of the certificate that the peer showed then, Unix ms, or 0 */
    const char *last_reason; /* of the last change of state; valid until the next one */
};
/* The rows of smpp_carrier_bind_info(): the legs of a pair count for themselves. */
uint32_t smpp_carrier_bind_count(const struct smpp_carrier *c);
void smpp_carrier_bind_info(const struct smpp_carrier *c, uint32_t row, struct smpp_bind_info *out);

struct smpp_ask_counts {
    uint64_t n[SMPP_ASK_OUTCOMES]; /* calls that were refused count as SMPP_ASK_NOT_SENT */
};
struct smpp_carrier_info {
    const char *carrier;
    uint32_t queued;   /* messages waiting for a bind's room or rate, also between two parts */
    int64_t oldest_ms; /* so long the next of them has waited, 0: there is none */
    bool is_dialled;   /* outbind_listen is set */
    bool is_listening; /* ... and its port is open */
    uint64_t guests[SMPP_GUESTS];
    struct smpp_ask_counts queries, cancels;
};
void smpp_carrier_info(const struct smpp_carrier *c, struct smpp_carrier_info *out);

/* The text of an error code in the carrier's receipts, NULL where receipt_errors has none. */
const char *smpp_carrier_error_text(const struct smpp_carrier *c, const char *err);

/* Facts of the protocol (smpp_const.def). */
const char *smpp_status_name(uint32_t status); /* "ESME_RTHROTTLED", "vendor", "reserved" */
const char *smpp_command_name(uint32_t id);    /* "submit_sm", NULL where unknown */
/* Message states 0..9 of 5.2.28 (0 and 9 from SMPP 5.0): "ENROUTE", ... "UNKNOWN" otherwise. */
const char *smpp_message_state_name(int state);

/* How the text would be sent: its segments (1..), or ERR_INVALID for bad UTF-8. */
int smpp_text_segments(const char *utf8, size_t len, enum smpp_alphabet alphabet);

#endif
