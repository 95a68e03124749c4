/*
 * The peer of fuzz_session.c: up to LINES_MAX connections, each a socket pair.  It keeps what it
 * was told to write until the kernel takes it, in pieces where that is asked for, and judges what
 * pinbind writes with a walker of its own: whole well-formed PDUs, a bind first, no sequence
 * number twice, one answer to each request and none to anything else.
 */
#ifndef TESTS_FUZZ_SESSION_PEER_H
#define TESTS_FUZZ_SESSION_PEER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINES_MAX 24
#define TX_MAX    (16 * ASKED_MAX)
#define RX_MAX    (128 * 1024)
#define ASKED_MAX 1024
#define PDU_CAP   (65 * 1024)
#define MSG_BASE  1000000u /* destinations are MSG_BASE + number of the message */
#define MSGS_MAX  512

enum {
    BIND_RX = 1,
    BIND_TX = 2,
    QUERY = 3,
    SUBMIT = 4,
    DELIVER = 5,
    UNBIND = 6,
    CANCEL = 8,
    BIND_TRX = 9,
    OUTBIND = 0xb,
    ENQUIRE = 0x15,
    ALERT = 0x102,
    DATA = 0x103,
};
#define ASKS_MAX 256
#define RESP     0x80000000u
#define NACK     RESP

/* A request that the other side has not answered. */
struct asked {
    uint32_t id, sequence;
    uint32_t msg; /* of a submit_sm */
    bool is_answered;
};

/* An answer that the peer wrote, perhaps before it had read the request. */
struct told {
    uint32_t id, status, sequence;
    bool is_known; /* the request */
};

struct line {
    int fd;                   /* of the peer; -1: closed */
    bool is_deaf, is_over;    /* over: pinbind has closed */
    bool is_bound, is_broken; /* broken: what it wrote lost its framing */
    size_t piece;             /* octets written at a time, 0: all */
    uint8_t tx[TX_MAX], rx[RX_MAX];
    size_t tx_len, tx_sent, tx_walked, rx_len;
    struct asked ours[ASKED_MAX]; /* requests of the peer */
    struct asked theirs[ASKED_MAX];
    struct told told[ASKED_MAX];
    size_t n_ours, n_theirs, n_told;
};

/* What the peer has seen of each message, and said to it. */
struct msg_seen {
    uint32_t seen, taken, refused;
};

static struct {
    struct line lines[LINES_MAX];
    size_t n_lines;
    struct msg_seen seen[MSGS_MAX], asks[ASKS_MAX];
} peer;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            peer_abort(#condition, __LINE__);                                                      \
    } while (0)

static _Noreturn void peer_abort(const char *what, int line)
{
    char text[256];
    int n = snprintf(text, sizeof text, "line %d: does not hold: %s\n", line, what);
    if (write(2, text, (size_t)n) < 0)
        _exit(1);
    abort();
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* --- the walker of what pinbind writes ------------------------------------------------------- */

struct walk {
    const uint8_t *p, *end;
};

static uint8_t walk_octet(struct walk *w)
{
    MUST(w->p < w->end);
    return *w->p++;
}

static void walk_skip(struct walk *w, size_t n)
{
    MUST((size_t)(w->end - w->p) >= n);
    w->p += n;
}

/* A C-octet string of at most max octets with its NUL. */
static inline const char *walk_str(struct walk *w, size_t max)
{
    const char *s = (const char *)w->p;
    size_t len = strnlen(s, (size_t)(w->end - w->p));
    MUST(len < (size_t)(w->end - w->p) && len < max);
    w->p += len + 1;
    return s;
}

static void walk_tlvs(struct walk *w)
{
    while (w->p < w->end) {
        walk_skip(w, 2);
        size_t len = (size_t)walk_octet(w) << 8;
        len |= walk_octet(w);
        walk_skip(w, len);
    }
}

static void walk_bind(struct walk *w)
{
    walk_str(w, 16);
    walk_str(w, 9);
    walk_str(w, 13);
    walk_skip(w, 3);
    walk_str(w, 41);
    MUST(w->p == w->end);
}

/* The number of the message. */
static uint32_t walk_submit(struct walk *w)
{
    walk_str(w, 6);
    walk_skip(w, 2);
    walk_str(w, 21);
    walk_skip(w, 2);
    unsigned long to = strtoul(walk_str(w, 21), NULL, 10);
    walk_skip(w, 3);
    MUST(*walk_str(w, 17) == 0);
    size_t validity = strlen(walk_str(w, 17));
    MUST(validity == 0 || validity == 16);
    walk_skip(w, 4);
    size_t len = walk_octet(w);
    MUST(len <= 254);
    walk_skip(w, len);
    walk_tlvs(w);
    MUST(to >= MSG_BASE && to < MSG_BASE + MSGS_MAX);
    return (uint32_t)(to - MSG_BASE);
}

/* The number of the ask: its message id is that. */
static uint32_t walk_ask(struct walk *w, uint32_t id)
{
    if (id == CANCEL)
        walk_str(w, 6);
    unsigned long n = strtoul(walk_str(w, 65), NULL, 10);
    walk_skip(w, 2);
    walk_str(w, 21);
    if (id == CANCEL) {
        walk_skip(w, 2);
        walk_str(w, 21);
    }
    MUST(w->p == w->end && n < ASKS_MAX);
    return (uint32_t)n;
}

static inline bool is_bind(uint32_t id)
{
    return id == BIND_TRX || id == BIND_RX || id == BIND_TX;
}

/* What the answer does to the request that it bears the number of. */
static void apply(struct line *l, const struct asked *a, struct told *r)
{
    bool is_answer = r->id == (RESP | a->id);
    if (a->sequence != r->sequence)
        return;
    r->is_known = true;
    if (a->id == SUBMIT && is_answer && r->status == 0)
        peer.seen[a->msg].taken++;
    else if (a->id == SUBMIT && (is_answer || r->id == NACK))
        peer.seen[a->msg].refused++;
    else if (is_answer && r->status == 0 && is_bind(a->id))
        l->is_bound = true;
    else if (is_answer && r->status == 0 && (a->id == QUERY || a->id == CANCEL))
        peer.asks[a->msg].taken++;
}

static void walk_request(struct line *l, uint32_t id, uint32_t sequence, struct walk *w)
{
    uint32_t msg = 0;
    MUST(sequence > 0 && sequence <= 0x7fffffff);
    for (size_t i = 0; i < l->n_theirs; i++)
        MUST(l->theirs[i].sequence != sequence);
    MUST(is_bind(id) == (l->n_theirs == 0));
    MUST(is_bind(id) || l->is_bound);
    if (is_bind(id)) {
        walk_bind(w);
    } else if (id == SUBMIT) {
        msg = walk_submit(w);
        peer.seen[msg].seen++;
    } else if (id == QUERY || id == CANCEL) {
        msg = walk_ask(w, id);
        peer.asks[msg].seen++;
    } else {
        MUST(id == ENQUIRE || id == UNBIND);
        MUST(w->p == w->end);
    }
    struct asked a = {id, sequence, msg, false};
    for (size_t i = 0; i < l->n_told; i++)
        apply(l, &a, &l->told[i]);
    MUST(l->n_theirs < ASKED_MAX);
    l->theirs[l->n_theirs++] = a;
}

static void forget(struct asked *list, size_t *n, size_t at)
{
    memmove(list + at, list + at + 1, (--*n - at) * sizeof *list);
}

/* What a request is answered with: generic_nack where an ESME does not know it. */
static uint32_t answer_id(uint32_t id)
{
    return id == DELIVER || id == DATA || id == ENQUIRE || id == UNBIND ? id | RESP : NACK;
}

/* An answer of pinbind's: to a request that has none yet. */
static void walk_answer(struct line *l, uint32_t id, uint32_t sequence, struct walk *w)
{
    bool has_body = id == (RESP | DELIVER) || id == (RESP | DATA);
    MUST(w->end - w->p == (has_body ? 1 : 0));
    MUST(!has_body || *w->p == 0);
    if (id == NACK && sequence == 0 && l->is_broken)
        return;
    size_t i = 0;
    while (i < l->n_ours && !(l->ours[i].sequence == sequence && id == answer_id(l->ours[i].id)))
        i++;
    MUST(i < l->n_ours); /* else it answers nothing */
    forget(l->ours, &l->n_ours, i);
}

static size_t walk_pdu(struct line *l, const uint8_t *p, size_t len)
{
    if (len < 4)
        return 0;
    size_t pdu = get32(p);
    MUST(pdu >= 16 && pdu <= 4096);
    if (len < pdu)
        return 0;
    uint32_t id = get32(p + 4), status = get32(p + 8), sequence = get32(p + 12);
    struct walk w = {p + 16, p + pdu};
    if (id & RESP) {
        walk_answer(l, id, sequence, &w);
    } else {
        MUST(status == 0);
        walk_request(l, id, sequence, &w);
    }
    return pdu;
}

/* --- what the peer wrote ---------------------------------------------------------------------- */

static void note_answer(struct line *l, const struct told *r)
{
    MUST(l->n_told < ASKED_MAX);
    l->told[l->n_told] = *r;
    for (size_t i = 0; i < l->n_theirs; i++)
        apply(l, &l->theirs[i], &l->told[l->n_told]);
    l->n_told++;
}

static void note_request(struct line *l, uint32_t id, uint32_t sequence)
{
    MUST(l->n_ours < ASKED_MAX);
    if (id != ALERT && id != OUTBIND)
        l->ours[l->n_ours++] = (struct asked){id, sequence, 0, false};
}

/* Whole PDUs among what the kernel took. */
static void note_written(struct line *l)
{
    while (!l->is_broken && l->tx_sent - l->tx_walked >= 4) {
        const uint8_t *p = l->tx + l->tx_walked;
        size_t pdu = get32(p);
        l->is_broken = pdu < 16 || pdu > PDU_CAP;
        if (l->is_broken || l->tx_sent - l->tx_walked < pdu)
            return;
        if (get32(p + 4) & RESP)
            note_answer(l, &(struct told){get32(p + 4), get32(p + 8), get32(p + 12), false});
        else
            note_request(l, get32(p + 4), get32(p + 12));
        l->tx_walked += pdu;
    }
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* The end for pinbind, or -1; tight: its buffer holds a few PDUs. */
static inline int line_open(bool tight)
{
    int fds[2], small = 1;
    if (peer.n_lines == LINES_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    if (tight)
        setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    struct line *l = &peer.lines[peer.n_lines++];
    l->fd = fds[0];
    l->is_deaf = l->is_over = l->is_bound = l->is_broken = false;
    l->piece = l->tx_len = l->tx_sent = l->tx_walked = l->rx_len = 0;
    l->n_ours = l->n_theirs = l->n_told = 0;
    return fds[1];
}

static void line_write(struct line *l, const void *octets, size_t len)
{
    if (l->fd < 0 || len > TX_MAX - l->tx_len)
        return;
    memcpy(l->tx + l->tx_len, octets, len);
    l->tx_len += len;
}

static inline void line_pdu(struct line *l, const uint32_t head[3], const void *body, size_t len)
{
    uint8_t header[16];
    if (len + 16 > TX_MAX - l->tx_len)
        return;
    put32(header, (uint32_t)len + 16);
    for (int i = 0; i < 3; i++)
        put32(header + 4 + 4 * i, head[i]);
    line_write(l, header, sizeof header);
    line_write(l, body, len);
}

static bool line_send(struct line *l)
{
    size_t n = l->tx_len - l->tx_sent;
    if (l->piece && n > l->piece)
        n = l->piece;
    ssize_t done = n ? send(l->fd, l->tx + l->tx_sent, n, MSG_NOSIGNAL) : 0;
    if (done <= 0)
        return false;
    l->tx_sent += (size_t)done;
    note_written(l);
    return true;
}

static bool line_receive(struct line *l)
{
    size_t at = 0, pdu;
    ssize_t n = recv(l->fd, l->rx + l->rx_len, RX_MAX - l->rx_len, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    l->is_over = n <= 0;
    l->rx_len += n > 0 ? (size_t)n : 0;
    while ((pdu = walk_pdu(l, l->rx + at, l->rx_len - at)))
        at += pdu;
    memmove(l->rx, l->rx + at, l->rx_len - at);
    l->rx_len -= at;
    return n > 0;
}

/* What has come is read before, also where it was deaf: the judge knows all that was written. */
static inline void line_close(struct line *l)
{
    if (l->fd < 0)
        return;
    while (!l->is_over && line_receive(l))
        ;
    close(l->fd);
    l->fd = -1;
}

/* True: octets went one way or the other. */
static inline bool line_move(struct line *l)
{
    bool moved = false;
    if (l->fd < 0)
        return false;
    if (!l->is_deaf && !l->is_over)
        moved |= line_receive(l);
    if (!l->is_over)
        moved |= line_send(l);
    return moved;
}

/* An answer to a request that never came whole: nobody can tell what it was to. */
static inline bool has_guessed(void)
{
    for (size_t i = 0; i < peer.n_lines; i++)
        for (size_t n = 0; n < peer.lines[i].n_told; n++)
            if (!peer.lines[i].told[n].is_known)
                return true;
    return false;
}

#endif
