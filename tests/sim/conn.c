#include "tests/sim/conn.h"

#include "base/clock.h"
#include "tests/sim/smsc.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIND_WAIT_MS    10000
#define CLOSING_WAIT_MS 5000
#define WRITE_WAIT_MS   30000
#define SLOW_OCTET_MS   2

static int64_t now_ms(void)
{
    return mono_now().us / 1000;
}

const char *conn_state_name(enum conn_state state)
{
    static const char *const names[] = {"open",      "transmitter", "receiver", "transceiver",
                                        "unbinding", "closing",     "dead"};
    return names[state];
}

void conn_witness(const struct conn *c, const char *ev)
{
    witness_begin(c->smsc->out, ev);
    witness_int(c->smsc->out, "conn", c->id);
    if (c->account)
        witness_str(c->smsc->out, "system_id", c->account->system_id);
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->since_ms = now_ms();
}

static void mark_dirty(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = c->smsc->conns.dirty;
    c->smsc->conns.dirty = c;
}

static void lost_framing(struct conn *c)
{
    conn_witness(c, "protocol_error");
    witness_str(c->smsc->out, "reason", "command_length");
    witness_end(c->smsc->out);
    session_send_header(c, (uint32_t)CMD_GENERIC_NACK, ESME_RINVCMDLEN, 0);
    conn_finish(c, "framing lost");
}

static void consume(struct conn *c)
{
    size_t off = 0;
    while (c->state < CONN_CLOSING) {
        struct pdu p;
        enum pdu_frame f = pdu_frame(c->in + off, c->in_len - off, &p);
        if (f == PDU_BROKEN)
            lost_framing(c);
        if (f != PDU_WHOLE)
            break;
        session_handle(c, &p);
        off += p.len;
    }
    if (c->state >= CONN_CLOSING)
        off = c->in_len;
    c->in_len -= off;
    memmove(c->in, c->in + off, c->in_len);
}

static void read_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct conn *c = arg;
    ssize_t n = read(fd, c->in + c->in_len, CONN_IN_SIZE - c->in_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c, c->reason ? c->reason : n ? "read failed" : "closed by the peer", false);
        return;
    }
    c->heard_ms = now_ms();
    if (c->state == CONN_CLOSING)
        return; /* swallowed until the peer closes */
    c->in_len += (size_t)n;
    consume(c);
}

static void write_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    mark_dirty(arg); /* the turn's end writes */
}

static void slow_cb(struct wheel_node *node, void *ctx)
{
    (void)ctx;
    mark_dirty((struct conn *)(void *)((char *)node - offsetof(struct conn, slow_timer)));
}

static void free_conn(struct conn *c)
{
    if (c->rd)
        event_free(c->rd);
    if (c->wr)
        event_free(c->wr);
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

static bool init_conn(struct conn *c, struct smsc *s, int fd)
{
    c->smsc = s;
    c->fd = fd;
    c->next_seq = 1;
    c->slow_timer.fire_cb = slow_cb;
    c->in = malloc(CONN_IN_SIZE);
    c->rd = event_new(s->base, fd, EV_READ | EV_PERSIST, read_cb, c);
    c->wr = event_new(s->base, fd, EV_WRITE, write_cb, c);
    return c->in && c->rd && c->wr && event_add(c->rd, NULL) == 0;
}

struct conn *conn_new(struct smsc *s, int fd, const char *peer)
{
    struct conn *c = s->conns.count < CONN_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return NULL;
    }
    if (!init_conn(c, s, fd)) {
        free_conn(c);
        return NULL;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->id = ++s->conns.last_id;
    HASH_ADD(hh, s->conns.by_id, id, sizeof c->id, c);
    if (!TABLE_ADDED(c)) {
        free_conn(c);
        return NULL;
    }
    s->conns.count++;
    conn_set_state(c, CONN_OPEN);
    c->heard_ms = c->wrote_ms = c->since_ms;
    conn_witness(c, "connect");
    witness_str(s->out, "peer", peer);
    witness_end(s->out);
    return c;
}

struct conn *conn_find(struct smsc *s, uint32_t id)
{
    struct conn *c;
    HASH_FIND(hh, s->conns.by_id, &id, sizeof id, c);
    return c;
}

uint32_t conn_next_seq(struct conn *c)
{
    uint32_t seq = c->next_seq;
    c->next_seq = seq == 0x7fffffff ? 1 : seq + 1;
    return seq;
}

static bool make_room(struct conn *c, size_t n)
{
    if (c->out_off && c->out_off == c->out_len)
        c->out_off = c->out_len = 0;
    if (c->out_len + n <= c->out_cap)
        return true;
    if (c->out_off) {
        c->out_len -= c->out_off;
        memmove(c->out, c->out + c->out_off, c->out_len);
        c->out_off = 0;
    }
    size_t cap = c->out_cap ? c->out_cap : 16 * 1024;
    while (cap < c->out_len + n)
        cap *= 2;
    uint8_t *p = cap > 4 * CONN_OUT_HIGH ? NULL : realloc(c->out, cap);
    if (p) {
        c->out = p;
        c->out_cap = cap;
    }
    return p != NULL;
}

void conn_send(struct conn *c, const void *p, size_t n)
{
    if (c->state >= CONN_CLOSING)
        return;
    if (!make_room(c, n)) {
        conn_close(c, "output full", true);
        return;
    }
    if (c->out_off == c->out_len)
        c->wrote_ms = now_ms();
    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;
    if (!c->paused && c->out_len - c->out_off > CONN_OUT_HIGH) {
        c->paused = true;
        event_del(c->rd);
    }
    mark_dirty(c);
}

void conn_send_slowly(struct conn *c)
{
    c->slow = c->out_len - c->out_off;
}

bool conn_has_room(const struct conn *c)
{
    const struct receipt_slot *slot = &c->window[c->next_seq % RECEIPT_WINDOW];
    return CONN_BIT(c->state) & CONN_BOUND && c->out_len - c->out_off < CONN_OUT_HIGH / 2 &&
           (!slot->msg || slot->extra);
}

void conn_finish(struct conn *c, const char *reason)
{
    if (c->state >= CONN_CLOSING)
        return;
    c->reason = reason;
    session_end(c);
    conn_set_state(c, CONN_CLOSING);
    mark_dirty(c);
}

void conn_close(struct conn *c, const char *reason, bool abort)
{
    if (c->state == CONN_DEAD)
        return;
    if (abort) {
        struct linger now = {.l_onoff = 1};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    conn_witness(c, "close");
    witness_str(c->smsc->out, "reason", reason);
    witness_end(c->smsc->out);
    session_end(c);
    conn_set_state(c, CONN_DEAD);
    event_del(c->rd);
    event_del(c->wr);
    wheel_remove(&c->slow_timer);
    struct conn_set *set = &c->smsc->conns;
    HASH_DELETE(hh, set->by_id, c);
    set->count--;
    c->dead_next = set->dead;
    set->dead = c;
}

/* How much may leave at once. */
static size_t chunk(const struct conn *c)
{
    size_t n = c->out_len - c->out_off;
    return c->slow && n ? 1 : n;
}

static void wrote(struct conn *c, size_t n)
{
    c->out_off += n;
    c->wrote_ms = now_ms();
    if (c->slow)
        c->slow -= n;
    if (c->paused && c->out_len - c->out_off < CONN_OUT_HIGH / 4 && c->state < CONN_CLOSING) {
        c->paused = false;
        event_add(c->rd, NULL);
    }
}

static void finish_output(struct conn *c)
{
    if (c->state != CONN_CLOSING || c->shut)
        return;
    c->shut = true;
    shutdown(c->fd, SHUT_WR);
    event_add(c->rd, NULL);
}

static void flush(struct conn *c)
{
    if (c->state == CONN_DEAD || wheel_is_added(&c->slow_timer))
        return;
    size_t n = chunk(c);
    ssize_t done = n ? send(c->fd, c->out + c->out_off, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (done < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c, "write failed", false);
        return;
    }
    if (done > 0)
        wrote(c, (size_t)done);
    if (c->out_off == c->out_len)
        finish_output(c);
    else if (done > 0 && c->slow)
        wheel_add(c->smsc->wheel, &c->slow_timer, SLOW_OCTET_MS);
    else if (done > 0 && n == 1) /* the slow part is over */
        mark_dirty(c);
    else
        event_add(c->wr, NULL);
}

bool conn_flush_all(struct smsc *s)
{
    struct conn *dead = s->conns.dead;
    while (s->conns.dirty) {
        struct conn *c = s->conns.dirty;
        s->conns.dirty = c->dirty_next;
        c->dirty = false;
        flush(c);
    }
    return s->conns.dead != dead;
}

void conn_reap(struct smsc *s)
{
    while (s->conns.dead) {
        struct conn *c = s->conns.dead;
        s->conns.dead = c->dead_next;
        free_conn(c);
    }
}

static void enquire(struct conn *c, int64_t now)
{
    int64_t idle_ms = c->smsc->opt.enquire_link_s * 1000;
    if (!idle_ms || !(CONN_BIT(c->state) & CONN_BOUND) || now - c->heard_ms < idle_ms)
        return;
    if (c->enquire_seq && now - c->heard_ms >= 2 * idle_ms) {
        conn_close(c, "no answer to enquire_link", false);
    } else if (!c->enquire_seq) {
        c->enquire_seq = conn_next_seq(c);
        session_send_header(c, CMD_ENQUIRE_LINK, 0, c->enquire_seq);
    }
}

static void check_times(struct conn *c, int64_t now)
{
    if (c->out_off < c->out_len && now - c->wrote_ms > WRITE_WAIT_MS)
        conn_close(c, "the peer does not read", true);
    else if (c->state == CONN_OPEN && now - c->since_ms > BIND_WAIT_MS)
        conn_finish(c, "no bind in time");
    else if (c->state == CONN_UNBINDING && now - c->since_ms > CLOSING_WAIT_MS)
        conn_finish(c, "no unbind_resp in time");
    else if (c->shut && now - c->since_ms > CLOSING_WAIT_MS)
        conn_close(c, c->reason, false);
    else
        enquire(c, now);
}

void conn_second(struct smsc *s)
{
    int64_t now = now_ms();
    for (struct conn *c = s->conns.by_id, *next; c; c = next) {
        next = c->hh.next; /* c may close, and then leaves the table */
        check_times(c, now);
    }
}

void conn_free_all(struct smsc *s)
{
    while (s->conns.by_id)
        conn_close(s->conns.by_id, "the simulator ends", false);
    conn_reap(s);
}
