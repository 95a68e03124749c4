#include "tests/sim/answer.h"

#include "tests/sim/smsc.h"

#include <stdlib.h>

#define WRONG_SEQ_STEP 100000

struct delayed {
    struct wheel_node timer;
    struct delayed *next, *prev;
    uint32_t conn;
    struct answer answer;
};

static void witness_answer(const struct conn *c, const struct answer *a, const char *id)
{
    struct witness *out = c->smsc->out;
    conn_witness(c, "response");
    witness_int(out, "seq", a->seq);
    witness_int(out, "status", a->status);
    witness_str(out, "id", id);
    if (a->fault != FAULT_COUNT)
        witness_str(out, "fault", fault_name(a->fault));
    witness_end(out);
    c->smsc->stats.responses++;
}

static void send_answer(struct conn *c, const struct answer *a, const char *id)
{
    uint8_t buf[PDU_HEADER + MSG_ID_SIZE];
    struct wr w = wr_init(buf, sizeof buf);
    uint32_t seq = a->seq;
    if (a->fault == FAULT_WRONG_SEQ)
        seq = (seq + WRONG_SEQ_STEP) & 0x7fffffff;
    uint32_t command = a->fault == FAULT_NACK ? (uint32_t)CMD_GENERIC_NACK
                                              : a->command | CMD_RESPONSE;
    pdu_put_header(&w, command, a->status, seq);
    if (a->status == ESME_ROK && a->fault != FAULT_NO_BODY)
        pdu_put_cstr(&w, a->fault == FAULT_EMPTY_ID ? "" : id);
    pdu_put_length(&w, 0);
    conn_send(c, buf, w.len);
    if (a->fault == FAULT_DUP_RESPONSE)
        conn_send(c, buf, w.len);
}

/* A request that no SMPP version knows. */
static void send_unknown_command(struct conn *c)
{
    uint8_t buf[PDU_HEADER + 4];
    struct wr w = wr_init(buf, sizeof buf);
    pdu_put_header(&w, 0x00010200, 0, conn_next_seq(c));
    wr_bytes(&w, "abc", 4);
    pdu_put_length(&w, 0);
    conn_send(c, buf, w.len);
}

static void send_bad_length(struct conn *c)
{
    uint8_t buf[PDU_HEADER];
    struct wr w = wr_init(buf, sizeof buf);
    wr_u32(&w, PDU_HEADER - 1);
    wr_u32(&w, CMD_ENQUIRE_LINK);
    wr_u32(&w, 0);
    wr_u32(&w, conn_next_seq(c));
    conn_send(c, buf, w.len);
}

static void answer_now(struct conn *c, const struct answer *a)
{
    char id[MSG_ID_SIZE] = "";
    switch (a->fault) {
    case FAULT_NO_RESPONSE:
        return;
    case FAULT_CLOSE:
        conn_finish(c, "fault close");
        return;
    case FAULT_RESET:
        conn_close(c, "fault reset", true);
        return;
    case FAULT_BAD_LENGTH:
        send_bad_length(c);
        return;
    case FAULT_UNKNOWN_COMMAND:
        send_unknown_command(c);
        break;
    default:
        break;
    }
    if (a->msg)
        msg_id(a->msg, c->smsc->opt.id_response, id);
    witness_answer(c, a, id);
    send_answer(c, a, id);
    if (a->fault == FAULT_SLOW_WRITE)
        conn_send_slowly(c);
    if (a->fault == FAULT_UNBIND) {
        session_send_header(c, CMD_UNBIND, 0, conn_next_seq(c));
        conn_set_state(c, CONN_UNBINDING);
    }
}

static void due_cb(struct wheel_node *node, void *ctx)
{
    struct delayed *d = (struct delayed *)(void *)node; /* timer is the first member */
    struct smsc *s = ctx;
    struct conn *c = conn_find(s, d->conn);
    if (c) {
        c->pending--;
        answer_now(c, &d->answer);
    }
    DL_DELETE(s->delayed, d);
    free(d);
}

void answer_send(struct conn *c, const struct answer *a, int64_t delay_ms)
{
    if (!delay_ms) {
        answer_now(c, a);
        return;
    }
    struct delayed *d = c->pending < PENDING_MAX ? malloc(sizeof *d) : NULL;
    if (!d) {
        struct answer full = *a;
        full.status = ESME_RTHROTTLED;
        full.fault = FAULT_COUNT;
        answer_now(c, &full);
        return;
    }
    *d = (struct delayed){.timer.fire_cb = due_cb, .conn = c->id, .answer = *a};
    c->pending++;
    DL_APPEND(c->smsc->delayed, d);
    wheel_add(c->smsc->wheel, &d->timer, delay_ms);
}

void answer_free_all(struct smsc *s)
{
    while (s->delayed) {
        struct delayed *d = s->delayed;
        DL_DELETE(s->delayed, d);
        free(d);
    }
}
