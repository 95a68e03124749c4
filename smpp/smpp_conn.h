/*
 * One TCP connection that carries PDUs: bounded buffers, whole PDUs in, one write per loop turn.
 *
 * What is queued leaves at the end of the loop turn in one writev.  When the kernel takes less, the
 * connection is blocked until the rest has left; blocked_cb tells, so that the owner can retract
 * the data PDUs that have not begun to leave and send them elsewhere.
 *
 * A PDU is handed up only while there is room for its answer; else reading pauses until the peer
 * takes what it has been sent.
 *
 * With TLS the connection is open when the handshake is done; the owner bounds the time for both.
 *
 * The owner closes the connection, also from inside a callback; after that no callback comes and
 * the memory goes with the reap list.
 */
#ifndef SMPP_SMPP_CONN_H
#define SMPP_SMPP_CONN_H

#include "base/reap.h"
#include "smpp/smpp_frame.h"
#include "smpp/smpp_output.h"

#include <stdbool.h>

struct event;
struct event_base;
struct smpp_tls;

#define SMPP_ANSWER_MAX 17 /* octets of the longest control PDU */
#define SMPP_DATA_CAP   (64 * 1024)
#define SMPP_DATA_MAX   1280 /* octets of the longest data PDU */

struct smpp_conn_cbs {
    void (*open_cb)(void *arg); /* once, when PDUs may go */
    void (*frame_cb)(void *arg, const struct smpp_frame *frame);
    void (*blocked_cb)(void *arg);                  /* the owner retracts */
    void (*writable_cb)(void *arg);                 /* no longer blocked or full */
    void (*framing_cb)(void *arg);                  /* the stream is lost: the owner closes */
    void (*lost_cb)(void *arg, const char *reason); /* end of file or an error: owner closes */
};

struct smpp_conn {
    const struct smpp_conn_cbs *cbs;
    void *arg;
    struct reap *reap;
    struct reap_node reap_node;
    struct event *ev_read, *ev_write, *ev_flush;
    int fd;
    struct smpp_tls *tls; /* NULL: plain */
    bool connected;       /* TCP is; with TLS the handshake comes before open */
    bool open, blocked, flush_due, reading_paused, closed;
    size_t answers_owed; /* PDUs handed up whose answer is still to come; the owner's count */
    struct smpp_output out;
    uint8_t *in; /* SMPP_PDU_CAP octets */
    size_t in_len;
};

struct smpp_conn_params {
    struct event_base *base;
    struct reap *reap;
    const struct smpp_conn_cbs *cbs;
    void *arg;
    uint32_t max_answers_owed;
    struct smpp_tls *tls; /* taken over; NULL: plain */
};

/* Takes over fd, whose connect is in progress; NULL: out of memory, fd is closed and tls freed. */
struct smpp_conn *smpp_conn_new(const struct smpp_conn_params *params, int fd)
    __attribute__((warn_unused_result));
void smpp_conn_close(struct smpp_conn *c);

/* Has room for a data PDU and is not blocked. */
bool smpp_conn_is_writable(const struct smpp_conn *c);
/* False: no room (cannot happen for the answer to a PDU that was handed up). */
bool smpp_conn_control(struct smpp_conn *c, const uint8_t *pdu, size_t len);
/* As smpp_output_reserve() and _commit(); what is committed leaves at the end of the turn. */
uint8_t *smpp_conn_reserve(struct smpp_conn *c, size_t n);
void smpp_conn_commit(struct smpp_conn *c, size_t n);
/* Drops the data PDUs that have not begun to leave. */
void smpp_conn_retract(struct smpp_conn *c);
/* Writes what the kernel takes now, without callbacks: for last words before closing. */
void smpp_conn_flush_last(struct smpp_conn *c);

#endif
