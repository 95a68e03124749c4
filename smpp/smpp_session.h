/*
 * The session of one bind: its state (smpp_state.def), its connection while there is one, and the
 * PDUs that go over it.  The struct lives as long as the bind; smpp_session_start() begins an
 * attempt from IDLE, and every attempt ends in IDLE again, or in CLOSED once it was stopped.
 *
 * Law of sending: an entry counts as sent from the moment that its first octet reached the kernel,
 * or OpenSSL.
 * When a connection ends, or blocks, entries that were not sent go back to the owner (back_cb);
 * sent ones end as SMPP_UNKNOWN when the connection ends or their answer is overdue.
 *
 * Every callback may call back into the session, also to stop it.
 */
#ifndef SMPP_SMPP_SESSION_H
#define SMPP_SMPP_SESSION_H

#include "smpp/smpp_ask.h"
#include "smpp/smpp_conn.h"
#include "smpp/smpp_decode.h"
#include "smpp/smpp_dial.h"
#include "smpp/smpp_mode.h"
#include "smpp/smpp_options.h"
#include "smpp/smpp_rate.h"
#include "smpp/smpp_window.h"

#include <sys/time.h>

struct smpp_session;

/* Kinds of PDU, for the table of states. */
enum smpp_takes {
    SMPP_TAKES_LINK = 1 << 0, /* enquire_link, unbind, generic_nack, notifications */
    SMPP_TAKES_BIND_RESP = 1 << 1,
    SMPP_TAKES_ANSWER = 1 << 2, /* submit_sm_resp, query_sm_resp, cancel_sm_resp */
    SMPP_TAKES_DELIVERY = 1 << 3,
    SMPP_TAKES_UNBIND_RESP = 1 << 4,
};

enum smpp_pace {
    SMPP_PACE_FREE,
    SMPP_PACE_PAUSED, /* the peer throttled: nothing until pace_until */
    SMPP_PACE_PROBE,  /* one message may go */
    SMPP_PACE_WAIT,   /* its answer decides */
};

struct smpp_counts {
    uint64_t submits, responses, errors, receipts, throttled, in_doubt;
    uint64_t unexpected;                          /* responses that nothing waited for */
    uint64_t malformed;                           /* PDUs whose body was unusable */
    uint64_t bound;                               /* attempts that came to BOUND */
    uint64_t failed[SMPP_ENDS], ended[SMPP_ENDS]; /* attempts that did not; and binds */
    uint64_t turned_away; /* deliveries: too many were unanswered, or on a transmitter */
};

struct smpp_session_ops {
    void (*state_cb)(void *owner, const struct smpp_session *s, enum smpp_state from,
                     uint32_t status);
    /* The outcome of an entry, which is the owner's again. */
    void (*done_cb)(void *owner, struct smpp_entry *e, const struct smpp_result *r);
    /* Not sent, or throttled: the owner's again. */
    void (*back_cb)(void *owner, struct smpp_entry *e);
    void (*room_cb)(void *owner); /* there may be room for a message */
    void (*delivery_cb)(void *owner, struct smpp_session *s, const struct smpp_pdu *pdu,
                        struct smpp_delivery handle);
    void (*late_cb)(void *owner, void *submit_arg, const struct smpp_result *r);
    void (*ended_cb)(void *owner, struct smpp_session *s, enum smpp_end end);
};

struct smpp_session_env {
    struct event_base *base;
    struct reap *reap;
    struct evdns_base *dns; /* NULL: addresses only */
    const struct smpp_config *config;
    const struct smpp_session_ops *ops;
    void *owner;
};

struct smpp_session {
    struct smpp_session_env env;
    uint32_t nth;        /* of the carrier's connections */
    uint32_t bind;       /* that it is, or is a leg of */
    enum smpp_mode mode; /* never SMPP_PAIR */
    char id[80];         /* "acme/0", heads the log lines; "acme/0tx" of a leg */

    enum smpp_state state;
    char reason[96]; /* of the last change of state */
    int64_t since_ms;
    struct mono bound_at;

    uint64_t serial;        /* of the connection */
    uint64_t conflict_told; /* serial of the last one whose receipts contradicted themselves */
    char host[256];         /* as it is dialled */
    struct smpp_address address;
    struct smpp_lookup *lookup;
    struct smpp_conn *conn;
    uint32_t bind_sequence, unbind_sequence; /* of this connection; 0: not asked */

    struct event *timer;
    struct mono timer_at;    /* us 0: not armed */
    struct mono state_until; /* us 0: no bound */
    struct mono last_received;
    struct mono link_until; /* an enquire_link waits for any PDU until then; us 0: none */
    struct mono mute_since; /* the first submit given up with no answer since; us 0: none */

    /* These outlive the connection: of the last TLS handshake. */
    const char *tls_version; /* NULL: none yet */
    int64_t tls_expires_ms;

    int peer_version; /* sc_interface_version of the last bind response, -1: none */

    /* And these: a bind that was throttled still is after it was lost. */
    struct smpp_rate rate;
    int congestion;      /* the last congestion_state, -1: none yet */
    struct mono took_at; /* when the last one that the peer took had been written */
    enum smpp_pace pace;
    struct mono pace_until;
    uint32_t probe; /* sequence number of the probe */

    bool draining;             /* no new messages; unbinds when those that are begun have ended */
    bool stopping;             /* the end of this attempt is CLOSED */
    const char *unbind_reason; /* while draining */
    struct mono drain_until;   /* while draining: no answer counts after that */
    struct smpp_window window;
    /* BOUND only.  Messages of which a part was accepted here and the next one waits: they go on
     * ahead of all others, also while draining. In the order of their deadlines. */
    struct smpp_entry *begun;
    uint32_t n_begun;
    struct smpp_asks asks;
    struct smpp_counts counts;
    int64_t rtt_us; /* of the last answered submit, -1: none yet */
};

/* The nth connection of the carrier. */
int smpp_session_init(struct smpp_session *s, const struct smpp_session_env *env, uint32_t nth)
    __attribute__((warn_unused_result));
/* "0", and "0tx" or "0rx" of a leg. */
#define SMPP_SESSION_NAME 12
void smpp_session_name(const struct smpp_session *s, char *out, size_t size);
/* In IDLE: resolve or connect, as host asks; nth picks among the addresses of a name. */
void smpp_session_start(struct smpp_session *s, const char *host, uint32_t nth);
/* In IDLE: takes over a connection that is open, inside a callback of it. */
void smpp_session_adopt(struct smpp_session *s, struct smpp_conn *conn, const char *peer);
/* How many messages such as this it would take now; a begun one counts for itself. */
uint32_t smpp_session_room(struct smpp_session *s, const struct smpp_entry *e);
/* When its rate lets it take this; us 0: something else has to happen first, room_cb tells. */
struct mono smpp_session_due(struct smpp_session *s, const struct smpp_entry *e);
/* A begun message waits here, in BOUND, until it is released, its time is over (done_cb) or the
 * session is no longer BOUND (back_cb). */
void smpp_session_hold(struct smpp_session *s, struct smpp_entry *e);
struct smpp_entry *smpp_session_release(struct smpp_session *s, struct smpp_entry *e);
/* With room: 0, and the entry is the session's; else ERR_FULL, or ERR_INVALID when it cannot be
 * encoded. */
int smpp_session_send(struct smpp_session *s, struct smpp_entry *e)
    __attribute__((warn_unused_result));
/* Answers a delivery; nothing happens when the handle is of another connection. */
void smpp_session_answer(struct smpp_session *s, struct smpp_delivery handle, uint32_t status);
/* No new messages; unbinds when window and begun are empty, which takes response_timeout_ms at
 * most; ends in IDLE.  reason is static text. */
void smpp_session_unbind(struct smpp_session *s, const char *reason);
/* In BOUND: not after all. */
void smpp_session_stay(struct smpp_session *s);
/* The same as unbind, and ends in CLOSED. */
void smpp_session_drain(struct smpp_session *s);
/* At once, with an unbind as last word; ends in CLOSED. */
void smpp_session_stop(struct smpp_session *s);
/* Stopped before; not inside a callback of its own. */
void smpp_session_clear(struct smpp_session *s);

/* Shared by smpp_session.c, smpp_connect.c, smpp_send.c and smpp_dispatch.c. */
void smpp_session_set_state(struct smpp_session *s, enum smpp_state state, const char *reason,
                            uint32_t status);
void smpp_session_end(struct smpp_session *s, enum smpp_end end, const char *reason,
                      uint32_t status);
/* The connection is over, or never came about in time. */
void smpp_session_lost(struct smpp_session *s, const char *reason);
bool smpp_session_is_shaking_hands(const struct smpp_session *s);
/* Arms the timer for whatever is due next. */
void smpp_session_arm(struct smpp_session *s);
void smpp_session_bind(struct smpp_session *s);
bool smpp_session_takes(const struct smpp_session *s, enum smpp_takes kind);
void smpp_session_reply(struct smpp_session *s, uint32_t command_id, uint32_t status,
                        uint32_t sequence);
/* It was not sent, was throttled, or has more parts: held here, or the owner's again. */
void smpp_session_go_on(struct smpp_session *s, struct smpp_entry *e);
/* When the first of begun is over, us 0: there is none; and its end, then. */
struct mono smpp_session_begun_due(const struct smpp_session *s);
void smpp_session_check_begun(struct smpp_session *s, struct mono now);
/* Those of begun go back to the owner. */
void smpp_session_give_back(struct smpp_session *s);
/* When the answer to what was written then is given up. */
struct mono smpp_session_expiry(const struct smpp_session *s, struct mono written);
/* Its outcome is SMPP_UNKNOWN. */
void smpp_session_in_doubt(struct smpp_session *s, struct smpp_entry *e, const char *reason);
void smpp_session_unbind_when_empty(struct smpp_session *s);
/* Has what begins at this octet of the data stream reached the kernel, or OpenSSL? */
bool smpp_session_has_sent(const struct smpp_session *s, uint64_t offset);
/* Unsent entries go back to the owner. */
void smpp_session_pull_back(struct smpp_session *s);
/* The peer wants no more for now, or none to this recipient: e->throttle_status. */
void smpp_session_throttle(struct smpp_session *s, struct smpp_entry *e);
/* The peer took it, or refused it for a reason of its own. */
void smpp_session_took(struct smpp_session *s, const struct smpp_entry *e);
/* congestion_state of a response. */
void smpp_session_congestion(struct smpp_session *s, uint8_t state);
/* After an entry has left the window. */
void smpp_session_left(struct smpp_session *s, uint32_t sequence);
void smpp_session_dispatch(struct smpp_session *s, const struct smpp_frame *frame);

static inline struct timeval smpp_timeval_us(int64_t us)
{
    if (us < 0)
        us = 0;
    return (struct timeval){us / 1000000, us % 1000000};
}
/* Evenly distributed in min..max. */
uint32_t smpp_random_between(uint32_t min, uint32_t max);

#endif
