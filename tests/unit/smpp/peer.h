/*
 * A scripted SMSC on loopback in the event loop of the test.  It knows the layout of a PDU header
 * and nothing else: what it says is put together octet by octet in the tests.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEER_BUFFER  (8u << 20)
#define PEER_PATIENT 10 /* seconds until a test that waits gives up */

struct peer {
    struct event_base *base;
    struct event *ev_accept, *ev_read, *ev_tick;
    int listen_fd, fd;
    uint16_t port;
    unsigned accepted;
    bool eof, deaf; /* deaf: does not read */
    uint8_t *in;
    size_t len, at;
};

struct wire {
    uint32_t len, id, status, sequence;
    const uint8_t *body;
    size_t body_len;
};

static inline uint32_t peer_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void peer_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline void peer_read_cb(evutil_socket_t fd, short what, void *arg)
{
    struct peer *p = arg;
    (void)what;
    ssize_t n = recv(fd, p->in + p->len, PEER_BUFFER - p->len, 0);
    if (n > 0) {
        p->len += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        p->eof = true;
        event_del(p->ev_read);
    }
}

static inline void peer_hang_up(struct peer *p, bool reset)
{
    struct linger hard = {1, 0};
    if (p->fd < 0)
        return;
    if (reset)
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    event_free(p->ev_read);
    p->ev_read = NULL;
    close(p->fd);
    p->fd = -1;
}

static inline void peer_accept_cb(evutil_socket_t fd, short what, void *arg)
{
    struct peer *p = arg;
    (void)what;
    int on = 1;
    int got = accept(fd, NULL, NULL);
    if (got < 0)
        return;
    peer_hang_up(p, false);
    p->fd = got;
    fcntl(got, F_SETFL, O_NONBLOCK);
    setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    p->accepted++;
    p->eof = false;
    p->len = p->at = 0;
    p->ev_read = event_new(p->base, got, EV_READ | EV_PERSIST, peer_read_cb, p);
    if (!p->deaf)
        event_add(p->ev_read, NULL);
}

static inline void peer_tick_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static inline void peer_open(struct peer *p, struct event_base *base)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    struct timeval tick = {0, 5000};
    *p = (struct peer){.base = base, .fd = -1};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->in = malloc(PEER_BUFFER);
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->listen_fd, 8), 0);
    getsockname(p->listen_fd, (struct sockaddr *)&a, &len);
    p->port = ntohs(a.sin_port);
    p->ev_accept = event_new(base, p->listen_fd, EV_READ | EV_PERSIST, peer_accept_cb, p);
    event_add(p->ev_accept, NULL);
    /* so that a loop turn always ends */
    p->ev_tick = event_new(base, -1, EV_PERSIST, peer_tick_cb, NULL);
    event_add(p->ev_tick, &tick);
}

static inline void peer_stop_listening(struct peer *p)
{
    if (p->listen_fd < 0)
        return;
    event_free(p->ev_accept);
    close(p->listen_fd);
    p->listen_fd = -1;
}

static inline void peer_close(struct peer *p)
{
    peer_hang_up(p, false);
    peer_stop_listening(p);
    event_free(p->ev_tick);
    memset(p->in, 0, p->len);
    free(p->in);
}

/* Runs the loop until the condition holds. */
#define UNTIL(b, condition)                                                                        \
    do {                                                                                           \
        time_t until_ = time(NULL) + PEER_PATIENT;                                                 \
        while (!(condition)) {                                                                     \
            if (time(NULL) > until_)                                                               \
                fail_msg("waited in vain for: %s", #condition);                                    \
            event_base_loop(b, EVLOOP_ONCE);                                                       \
        }                                                                                          \
    } while (0)

static inline bool peer_has_pdu(const struct peer *p)
{
    size_t left = p->len - p->at;
    return left >= 4 && left >= peer_u32(p->in + p->at);
}

/* The next PDU from the other side; waits for it. */
static inline struct wire peer_take(struct peer *p)
{
    UNTIL(p->base, peer_has_pdu(p));
    const uint8_t *q = p->in + p->at;
    struct wire w = {peer_u32(q), peer_u32(q + 4), peer_u32(q + 8), peer_u32(q + 12), q + 16, 0};
    assert_in_range(w.len, 16, 70000);
    w.body_len = w.len - 16;
    p->at += w.len;
    return w;
}

static inline struct wire peer_expect(struct peer *p, uint32_t id, uint32_t status)
{
    struct wire w = peer_take(p);
    assert_int_equal(w.id, id);
    assert_int_equal(w.status, status);
    return w;
}

static inline void peer_write(struct peer *p, const void *octets, size_t len)
{
    assert_int_equal(send(p->fd, octets, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline size_t peer_pdu(uint8_t *out, uint32_t id, uint32_t status, uint32_t sequence,
                              const void *body, size_t body_len)
{
    peer_put32(out, (uint32_t)(16 + body_len));
    peer_put32(out + 4, id);
    peer_put32(out + 8, status);
    peer_put32(out + 12, sequence);
    if (body_len)
        memcpy(out + 16, body, body_len);
    return 16 + body_len;
}

static inline void peer_say(struct peer *p, uint32_t id, uint32_t status, uint32_t sequence,
                            const void *body, size_t body_len)
{
    uint8_t out[2048];
    assert_true(body_len <= sizeof out - 16);
    peer_write(p, out, peer_pdu(out, id, status, sequence, body, body_len));
}
#define PEER_SAY0(p, id, status, sequence) peer_say(p, id, status, sequence, NULL, 0)
#define PEER_SAYS(p, id, status, sequence, text)                                                   \
    peer_say(p, id, status, sequence, text, sizeof(text))

/* Everything that was said before has been taken in when this returns. */
static inline void peer_sync(struct peer *p)
{
    static uint32_t sequence = 0x70000000;
    PEER_SAY0(p, 0x15, 0, ++sequence);
    for (;;) {
        struct wire w = peer_take(p);
        if (w.id == 0x80000015 && w.sequence == sequence)
            return;
        fail_msg("unexpected command 0x%x status 0x%x", w.id, w.status);
    }
}

/* A deliver_sm with a receipt of 3.4 Appendix B, by hand. */
#define RECEIPT_BODY                                                                               \
    "\0\1\1"                                                                                       \
    "38591234567\0"                                                                                \
    "\1\1"                                                                                         \
    "800800\0"                                                                                     \
    "\4\0\0\0\0\0\0\0\0\x32"                                                                       \
    "id:77 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"

#endif
