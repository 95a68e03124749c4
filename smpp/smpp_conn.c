#include "smpp/smpp_conn.h"

#include "base/secret.h"
#include "smpp/smpp_tls.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_SLACK 8192 /* answers to enquire_link and the like, on top of deliveries */
#define CONTROL_OWN   64   /* kept for enquire_link and unbind of our own */

static void conn_free_cb(void *object)
{
    struct smpp_conn *c = object;
    if (c->ev_read)
        event_free(c->ev_read);
    if (c->ev_write)
        event_free(c->ev_write);
    if (c->ev_flush)
        event_free(c->ev_flush);
    if (c->in)
        secret_wipe(c->in, c->in_len);
    free(c->in);
    smpp_output_clear(&c->out);
    smpp_tls_free(c->tls);
    close(c->fd);
    free(c);
}

void smpp_conn_close(struct smpp_conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    event_del(c->ev_read);
    event_del(c->ev_write);
    event_del(c->ev_flush);
    if (c->tls)
        smpp_tls_end(c->tls);
    shutdown(c->fd, SHUT_RDWR);
    reap_later(c->reap, &c->reap_node, conn_free_cb, c);
}

static bool has_answer_room(const struct smpp_conn *c)
{
    size_t need = (c->answers_owed + 1) * SMPP_ANSWER_MAX + CONTROL_OWN;
    return smpp_output_control_room(&c->out) >= need;
}

static void drop_consumed(struct smpp_conn *c, size_t n)
{
    memmove(c->in, c->in + n, c->in_len - n);
    secret_wipe(c->in + c->in_len - n, n);
    c->in_len -= n;
}

/* Hands up whole PDUs; returns false when reading must stop. */
static bool hand_up(struct smpp_conn *c)
{
    size_t off = 0;
    enum smpp_frame_result r = SMPP_FRAME_OK;
    bool room = true;
    while (!c->closed && (room = has_answer_room(c))) {
        struct smpp_frame frame;
        size_t need;
        r = smpp_frame_next(c->in + off, c->in_len - off, SMPP_PDU_CAP, &frame, &need);
        if (r != SMPP_FRAME_OK)
            break;
        off += frame.len;
        c->cbs->frame_cb(c->arg, &frame);
    }
    drop_consumed(c, off);
    if (!c->closed && (r == SMPP_FRAME_TOO_LONG || r == SMPP_FRAME_CORRUPT)) {
        c->cbs->framing_cb(c->arg);
        return false;
    }
    return room;
}

static void pause_reading(struct smpp_conn *c)
{
    if (c->closed || c->reading_paused)
        return;
    c->reading_paused = true;
    event_del(c->ev_read);
}

static void lose(struct smpp_conn *c, int err)
{
    c->cbs->lost_cb(c->arg, c->tls && err == EPROTO ? smpp_tls_why(c->tls) : strerror(err));
}

static void opened(struct smpp_conn *c)
{
    c->open = true;
    event_add(c->ev_read, NULL);
    c->cbs->open_cb(c->arg);
}

static void shake_hands(struct smpp_conn *c)
{
    int err = smpp_tls_handshake(c->tls);
    if (err == EAGAIN)
        event_add(smpp_tls_wants_write(c->tls) ? c->ev_write : c->ev_read, NULL);
    else if (err)
        lose(c, err);
    else
        opened(c);
}

static ssize_t receive(struct smpp_conn *c)
{
    uint8_t *p = c->in + c->in_len;
    size_t room = SMPP_PDU_CAP - c->in_len;
    return c->tls ? smpp_tls_read(c->tls, p, room) : recv(c->fd, p, room, 0);
}

/* What TLS holds already the socket does not tell. */
static void read_on(struct smpp_conn *c)
{
    if (c->tls && !c->closed && smpp_tls_has_more(c->tls))
        event_active(c->ev_read, EV_READ, 0);
}

static void read_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_conn *c = arg;
    if (!c->open) {
        shake_hands(c);
        return;
    }
    ssize_t n = receive(c);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (c->tls && smpp_tls_wants_write(c->tls))
            event_add(c->ev_write, NULL);
        return;
    }
    if (n < 0) {
        lose(c, errno);
        return;
    }
    if (n == 0) {
        c->cbs->lost_cb(c->arg, "closed by the peer");
        return;
    }
    c->in_len += (size_t)n;
    if (hand_up(c))
        read_on(c);
    else
        pause_reading(c);
}

static void resume_reading(struct smpp_conn *c)
{
    if (!c->reading_paused || !hand_up(c) || c->closed)
        return;
    c->reading_paused = false;
    event_add(c->ev_read, NULL);
    read_on(c);
}

static void schedule_flush(struct smpp_conn *c)
{
    if (!c->open || c->blocked || c->flush_due || c->closed)
        return;
    c->flush_due = true;
    event_active(c->ev_flush, EV_TIMEOUT, 0);
}

/* 0, EAGAIN (not everything was taken) or another errno. */
static int write_out(struct smpp_conn *c)
{
    if (c->tls)
        return smpp_tls_write(c->tls, &c->out);
    while (!smpp_output_is_empty(&c->out)) {
        struct iovec iov[SMPP_OUTPUT_IOV];
        struct msghdr m = {.msg_iov = iov};
        m.msg_iovlen = (size_t)smpp_output_iov(&c->out, iov);
        ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EINTR ? EAGAIN : errno;
        smpp_output_wrote(&c->out, (size_t)n);
    }
    return 0;
}

bool smpp_conn_is_writable(const struct smpp_conn *c)
{
    return c->open && !c->blocked && smpp_output_data_room(&c->out) >= SMPP_DATA_MAX;
}

static void flush(struct smpp_conn *c)
{
    bool was_blocked = c->blocked;
    bool was_writable = smpp_conn_is_writable(c);
    int err = write_out(c);
    if (err && err != EAGAIN) {
        lose(c, err);
        return;
    }
    c->blocked = err == EAGAIN;
    if (c->blocked) {
        event_add(c->ev_write, NULL);
        if (!was_blocked)
            c->cbs->blocked_cb(c->arg);
    } else if (!was_writable) {
        c->cbs->writable_cb(c->arg);
    }
    if (!c->closed)
        resume_reading(c);
}

static void flush_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_conn *c = arg;
    c->flush_due = false;
    if (!c->blocked && !c->closed)
        flush(c);
}

static void connected(struct smpp_conn *c)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        lose(c, err);
        return;
    }
    c->connected = true;
    if (c->tls)
        shake_hands(c);
    else
        opened(c);
}

static void write_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_conn *c = arg;
    if (!c->connected) {
        connected(c);
    } else if (!c->open) {
        shake_hands(c);
    } else {
        bool read_waits = c->tls && smpp_tls_wants_write(c->tls) && !c->blocked;
        flush(c);
        if (read_waits && !c->closed && !c->reading_paused)
            event_active(c->ev_read, EV_READ, 0);
    }
}

struct smpp_conn *smpp_conn_new(const struct smpp_conn_params *p, int fd)
{
    struct smpp_conn *c = calloc(1, sizeof *c);
    if (!c) {
        smpp_tls_free(p->tls);
        close(fd);
        return NULL;
    }
    c->tls = p->tls;
    c->cbs = p->cbs;
    c->arg = p->arg;
    c->reap = p->reap;
    c->fd = fd;
    size_t control_cap = (size_t)p->max_answers_owed * SMPP_ANSWER_MAX + CONTROL_SLACK;
    int err = smpp_output_init(&c->out, control_cap, SMPP_DATA_CAP);
    c->in = malloc(SMPP_PDU_CAP);
    c->ev_read = event_new(p->base, fd, EV_READ | EV_PERSIST, read_cb, c);
    c->ev_write = event_new(p->base, fd, EV_WRITE, write_cb, c);
    c->ev_flush = event_new(p->base, -1, 0, flush_cb, c);
    if (!err && c->tls)
        err = smpp_tls_attach(c->tls, fd);
    if (err || !c->in || !c->ev_read || !c->ev_write || !c->ev_flush ||
        event_add(c->ev_write, NULL) < 0) {
        conn_free_cb(c);
        return NULL;
    }
    return c;
}

bool smpp_conn_control(struct smpp_conn *c, const uint8_t *pdu, size_t len)
{
    if (smpp_output_control(&c->out, pdu, len) != 0)
        return false;
    schedule_flush(c);
    return true;
}

uint8_t *smpp_conn_reserve(struct smpp_conn *c, size_t n)
{
    return smpp_output_reserve(&c->out, n);
}

void smpp_conn_commit(struct smpp_conn *c, size_t n)
{
    smpp_output_commit(&c->out, n);
    schedule_flush(c);
}

void smpp_conn_retract(struct smpp_conn *c)
{
    smpp_output_retract(&c->out);
}

void smpp_conn_flush_last(struct smpp_conn *c)
{
    if (c->open)
        (void)write_out(c);
}
