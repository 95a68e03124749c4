/*
 * One TCP connection of an ESME: sockets, buffers, state.
 *
 * conn_send() only collects; conn_flush_all() at the end of a turn writes.  At CONN_OUT_HIGH
 * waiting octets the connection is no longer read until the peer has taken some; a peer that takes
 * none for 30 seconds is closed.  Closing goes through conn_close() (now) or conn_finish() (after
 * what is collected has left, then FIN); the object lives until the end of the turn.
 */
#ifndef TESTS_SIM_CONN_H
#define TESTS_SIM_CONN_H

#include "base/table.h"
#include "tests/sim/wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct event;
struct pdu;
struct smsc;

#define CONN_MAX       1024
#define CONN_IN_SIZE   (128 * 1024)
#define CONN_OUT_HIGH  (1024 * 1024)
#define RECEIPT_WINDOW 1024  /* unanswered receipts of a connection; a power of two */
#define PENDING_MAX    65536 /* delayed answers of a connection */

enum conn_state {
    CONN_OPEN,      /* no bind yet */
    CONN_TX,        /* transmitter */
    CONN_RX,        /* receiver */
    CONN_TRX,       /* transceiver */
    CONN_UNBINDING, /* our unbind is not answered yet */
    CONN_CLOSING,   /* nothing is read any more; the end waits for the last octets */
    CONN_DEAD,      /* freed at the end of the turn */
};
#define CONN_BIT(state) (1u << (state))
#define CONN_BOUND      (CONN_BIT(CONN_TX) | CONN_BIT(CONN_RX) | CONN_BIT(CONN_TRX))

struct receipt_slot {
    uint64_t msg; /* 0: free */
    uint32_t seq;
    bool extra; /* a duplicate sent by a fault: its answer changes nothing */
};

struct conn {
    struct smsc *smsc;
    uint32_t id;
    int fd;
    enum conn_state state;
    struct account *account; /* NULL until bound */
    struct event *rd;
    struct event *wr;
    const char *reason; /* why it is closing */
    uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_off;
    size_t out_len;
    size_t out_cap;
    size_t slow; /* octets from out_off on that leave one by one */
    struct wheel_node slow_timer;
    bool dirty;
    bool paused;   /* not read because of its output */
    bool shut;     /* FIN sent */
    bool receives; /* in its account's list of receivers */
    bool mute;     /* does not answer enquire_link */
    uint32_t next_seq;
    uint32_t enquire_seq; /* our unanswered enquire_link, 0 for none */
    uint32_t pending;     /* delayed answers */
    int64_t since_ms;     /* of the state; monotonic */
    int64_t heard_ms;
    int64_t wrote_ms;
    struct receipt_slot window[RECEIPT_WINDOW];
    struct conn *next, *prev; /* receivers of its account */
    struct conn *dirty_next;
    struct conn *dead_next;
    UT_hash_handle hh;
};

struct conn_set {
    struct conn *by_id;
    struct conn *dirty;
    struct conn *dead;
    uint32_t last_id;
    unsigned count;
};

/* Takes the socket; NULL when there are too many or no memory (the socket is closed). */
struct conn *conn_new(struct smsc *s, int fd, const char *peer);
struct conn *conn_find(struct smsc *s, uint32_t id);
void conn_set_state(struct conn *c, enum conn_state state);
const char *conn_state_name(enum conn_state state);
/* Dropped silently when the connection is ending. */
void conn_send(struct conn *c, const void *p, size_t n);
/* All that is waiting now leaves octet by octet. */
void conn_send_slowly(struct conn *c);
uint32_t conn_next_seq(struct conn *c);
/* Bound for receipts, with room in its window and its output. */
bool conn_has_room(const struct conn *c);
void conn_finish(struct conn *c, const char *reason);
/* abort: the peer sees a reset. */
void conn_close(struct conn *c, const char *reason, bool abort);
/* The event begins with conn and system_id. */
void conn_witness(const struct conn *c, const char *ev);

/* Writes what is waiting; true when a connection ended thereby. */
bool conn_flush_all(struct smsc *s);
/* Frees the dead: outside of any callback of theirs. */
void conn_reap(struct smsc *s);
/* Once a second: time-outs, enquire_link. */
void conn_second(struct smsc *s);
void conn_free_all(struct smsc *s);

/* In session.c: one whole PDU, and the end of a bind (also by conn_close). */
void session_handle(struct conn *c, const struct pdu *p);
void session_send_header(struct conn *c, uint32_t id, uint32_t status, uint32_t seq);
void session_end(struct conn *c);

#endif
