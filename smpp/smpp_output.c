#include "smpp/smpp_output.h"

#include "base/result.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

static size_t stream_len(const struct smpp_stream *s)
{
    return s->tail - s->head;
}

static size_t stream_room(const struct smpp_stream *s)
{
    return s->cap - stream_len(s);
}

static void stream_consume(struct smpp_stream *s, size_t n)
{
    secret_wipe(s->p + s->head, n);
    s->head += n;
    if (s->head == s->tail)
        s->head = s->tail = 0;
}

/* n contiguous octets behind the tail, or NULL. */
static uint8_t *stream_reserve(struct smpp_stream *s, size_t n)
{
    if (stream_room(s) < n)
        return NULL;
    if (s->cap - s->tail < n) {
        size_t len = stream_len(s);
        size_t old_tail = s->tail;
        memmove(s->p, s->p + s->head, len);
        s->head = 0;
        s->tail = len;
        secret_wipe(s->p + len, old_tail - len);
    }
    return s->p + s->tail;
}

static void stream_clear(struct smpp_stream *s)
{
    if (s->p)
        secret_wipe(s->p, s->tail);
    free(s->p);
    *s = (struct smpp_stream){0};
}

int smpp_output_init(struct smpp_output *o, size_t control_cap, size_t data_cap)
{
    *o = (struct smpp_output){.control.cap = control_cap, .data.cap = data_cap};
    o->control.p = malloc(control_cap);
    o->data.p = malloc(data_cap);
    if (o->control.p && o->data.p)
        return 0;
    smpp_output_clear(o);
    return ERR_NOMEM;
}

void smpp_output_clear(struct smpp_output *o)
{
    stream_clear(&o->control);
    stream_clear(&o->data);
}

size_t smpp_output_control_room(const struct smpp_output *o)
{
    return stream_room(&o->control);
}

size_t smpp_output_data_room(const struct smpp_output *o)
{
    return stream_room(&o->data);
}

int smpp_output_control(struct smpp_output *o, const uint8_t *pdu, size_t len)
{
    uint8_t *p = stream_reserve(&o->control, len);
    if (!p)
        return ERR_FULL;
    memcpy(p, pdu, len);
    o->control.tail += len;
    return 0;
}

uint8_t *smpp_output_reserve(struct smpp_output *o, size_t n)
{
    return stream_reserve(&o->data, n);
}

void smpp_output_commit(struct smpp_output *o, size_t n)
{
    o->data.tail += n;
}

uint64_t smpp_output_data_end(const struct smpp_output *o)
{
    return o->data_written + stream_len(&o->data);
}

static int add_piece(struct iovec *iov, int n, uint8_t *p, size_t len)
{
    if (len == 0)
        return n;
    iov[n] = (struct iovec){p, len};
    return n + 1;
}

int smpp_output_iov(const struct smpp_output *o, struct iovec iov[SMPP_OUTPUT_IOV])
{
    uint8_t *data = o->data.p + o->data.head;
    int n = add_piece(iov, 0, data, o->begun);
    n = add_piece(iov, n, o->control.p + o->control.head, stream_len(&o->control));
    return add_piece(iov, n, data + o->begun, stream_len(&o->data) - o->begun);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void data_wrote(struct smpp_output *o, size_t n)
{
    o->data_written += n;
    stream_consume(&o->data, n);
}

/* The data stream stands at the first octet of a PDU, whose length is its first field. */
static size_t head_pdu_len(const struct smpp_output *o)
{
    const uint8_t *p = o->data.p + o->data.head;
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

void smpp_output_wrote(struct smpp_output *o, size_t n)
{
    size_t rest = min_size(n, o->begun);
    data_wrote(o, rest);
    o->begun -= rest;
    n -= rest;
    size_t control = min_size(n, stream_len(&o->control));
    stream_consume(&o->control, control);
    n -= control;
    while (n > 0) {
        size_t pdu = head_pdu_len(o);
        size_t part = min_size(n, pdu);
        o->begun = pdu - part;
        data_wrote(o, part);
        n -= part;
    }
}

void smpp_output_retract(struct smpp_output *o)
{
    size_t keep = o->data.head + o->begun;
    secret_wipe(o->data.p + keep, o->data.tail - keep);
    o->data.tail = keep;
    if (o->data.head == o->data.tail)
        o->data.head = o->data.tail = 0;
}
