/* The input of fuzz_session.c, octet by octet, and what its peer says because of it. */
#ifndef TESTS_FUZZ_SESSION_SAYS_H
#define TESTS_FUZZ_SESSION_SAYS_H

#include "session_dial.h"

static struct {
    const uint8_t *p, *end;
    size_t line; /* of which the peer speaks */
} input;

static uint8_t octet(void)
{
    return input.p < input.end ? *input.p++ : 0;
}

static size_t take(const uint8_t **p, size_t n)
{
    size_t left = (size_t)(input.end - input.p);
    *p = input.p;
    n = n < left ? n : left;
    input.p += n;
    return n;
}

/* One that takes up to eleven segments. */
static inline size_t long_text(const uint8_t **p, uint8_t how)
{
    static uint8_t text[1700];
    memset(text, 'x', sizeof text);
    *p = text;
    return sizeof text / (1u + how);
}

/* The oldest that waits for its answer, or one of those behind it. */
static inline struct asked *waiting(struct line *l, size_t nth)
{
    struct asked *last = NULL;
    for (size_t i = 0; i < l->n_theirs; i++)
        if (!l->theirs[i].is_answered) {
            last = &l->theirs[i];
            if (nth-- == 0)
                break;
        }
    return last;
}

static inline void answer_well(struct line *l, struct asked *a)
{
    char id[24] = {0};
    size_t len = 0;
    if (a->id == SUBMIT)
        len = (size_t)snprintf(id, sizeof id, "%x", MSG_BASE + a->msg) + 1;
    else if (a->id == QUERY)
        len = (size_t)snprintf(id, sizeof id, "%u", a->msg) + 4;
    else if (is_bind(a->id))
        len = (size_t)snprintf(id, sizeof id, "smsc") + 1;
    a->is_answered = true;
    line_pdu(l, (const uint32_t[3]){a->id | RESP, 0, a->sequence}, id, len);
}

static const uint32_t statuses[] = {0, 0x58, 0x14, 8, 0x0b, 0x45, 0x407, 5, 0x0d, 0x0e, 0xffffffff};
#define N_STATUSES (sizeof statuses / sizeof statuses[0])

static void answer_oddly(struct line *l, struct asked *a)
{
    static const uint8_t bodies[][12] = {
        "", "7", {'7'}, "a5:b6 c7 d8", {0, 4, 0x28, 0, 1, 95}, {0, 4, 0x28, 0, 99, 1}};
    uint8_t how = octet(), body = octet();
    uint32_t status = statuses[octet() % N_STATUSES];
    uint32_t id = how & 1 ? NACK : a->id | RESP;
    uint32_t sequence = how & 2 ? a->sequence + octet() : a->sequence;
    a->is_answered = !(how & 4);
    for (int i = 0; i < (how & 8 ? 2 : 1); i++)
        line_pdu(l, (const uint32_t[3]){id, status, sequence}, bodies[body % 6], body / 6 % 12);
}

static void say(struct line *l)
{
    static const uint32_t ids[] = {DELIVER,
                                   DATA,
                                   ENQUIRE,
                                   UNBIND,
                                   ALERT,
                                   OUTBIND,
                                   NACK,
                                   0x10200,
                                   RESP | 0x10200,
                                   SUBMIT,
                                   RESP | SUBMIT,
                                   RESP | UNBIND,
                                   RESP | ENQUIRE,
                                   RESP | BIND_TRX,
                                   BIND_TRX,
                                   3,
                                   0};
    const uint8_t *body;
    uint32_t id = ids[octet() % (sizeof ids / sizeof ids[0])];
    uint32_t status = statuses[octet() % N_STATUSES];
    uint32_t sequence = octet();
    sequence = sequence > 250 ? 0u - (256 - sequence) : sequence;
    size_t len = take(&body, octet());
    line_pdu(l, (const uint32_t[3]){id, status, sequence}, body, len);
}

static void say_receipt(struct line *l)
{
    static const char head[] = "\0\1\1"
                               "38591\0"
                               "\1\1"
                               "800\0"
                               "\4\0\0\0\0\0\0\0";
    static const char *const stats[] = {"DELIVRD", "ENROUTE", "UNDELIV", "buffered", "?"};
    uint8_t body[256];
    char text[128];
    uint8_t how = octet();
    size_t at = sizeof head - 1;
    int len = snprintf(text, sizeof text,
                       "id:%x sub:001 dlvrd:001 submit date:2611241200 done "
                       "date:2611241201 stat:%s err:000 text:",
                       MSG_BASE + octet(), stats[how % 5]);
    memcpy(body, head, at);
    body[at++] = 0;
    body[at++] = (uint8_t)len;
    memcpy(body + at, text, (size_t)len);
    line_pdu(l, (const uint32_t[3]){how & 32 ? DATA : DELIVER, 0, octet()}, body,
             at + (size_t)len - (how & 64 ? how & 15 : 0));
}

static void close_line(struct line *l, uint8_t how)
{
    if (l->fd >= 0 && how & 1)
        shutdown(l->fd, how & 2 ? SHUT_WR : SHUT_RDWR);
    else
        line_close(l);
}

static void write_raw(struct line *l)
{
    const uint8_t *p;
    size_t n = take(&p, octet());
    line_write(l, p, n);
}

static inline struct line *line(void)
{
    static struct line none = {.fd = -1};
    return peer.n_lines ? &peer.lines[input.line % peer.n_lines] : &none;
}

static void look_up(uint8_t how)
{
    if (dialled.lookup)
        lookup_end(dialled.lookup, how & 1);
}

static inline void run_peer(uint8_t op, struct line *l)
{
    struct asked *a;
    switch (op) {
    case 0:
        if ((a = waiting(l, 0)))
            answer_well(l, a);
        break;
    case 1:
        if ((a = waiting(l, octet())))
            answer_oddly(l, a);
        break;
    case 2:
        say(l);
        break;
    case 3:
        say_receipt(l);
        break;
    case 4:
        write_raw(l);
        break;
    case 5:
        close_line(l, octet());
        break;
    case 6:
        l->is_deaf = !l->is_deaf;
        break;
    case 7:
        l->piece = octet();
        break;
    case 8:
        input.line = octet();
        break;
    case 9:
        dialled.plan = octet() % DIAL_PLANS;
        break;
    case 10:
        dialled.chop = octet();
        break;
    default:
        look_up(octet());
    }
}

static inline void answer_by_itself(struct line *l, bool to_binds, bool to_others)
{
    for (size_t i = 0; i < l->n_theirs; i++) {
        struct asked *a = &l->theirs[i];
        if (!a->is_answered && (is_bind(a->id) ? to_binds : to_others))
            answer_well(l, a);
    }
}

#endif
