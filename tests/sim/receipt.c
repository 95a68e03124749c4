#include "tests/sim/receipt.h"

#include "base/clock.h"
#include "tests/sim/smsc.h"

#include <string.h>
#include <time.h>

#define RETRY_PAUSE_MAX_MS 60000
#define RECEIPT_SIZE       400

static void due_cb(struct wheel_node *node, void *ctx);

/* "2611231207" for Unix milliseconds; the text of the last minute is kept. */
static const char *date_of(int64_t ms, char out[11])
{
    static int64_t minute = -1;
    static char text[16];
    if (ms / 60000 != minute) {
        time_t t = (time_t)(ms / 1000);
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y%m%d%H%M", &tm);
        minute = ms / 60000;
    }
    memcpy(out, text + 2, 11); /* without the century */
    return out;
}

static const char *error_of(enum msg_state state)
{
    switch (state) {
    case STATE_UNDELIVERABLE:
        return "069";
    case STATE_REJECTED:
        return "00B";
    case STATE_EXPIRED:
        return "027";
    default:
        return "000";
    }
}

/* SMPP 3.4 appendix B. */
static size_t put_text(const struct msg *m, const char *id, uint8_t out[256])
{
    char date[11];
    struct wr w = wr_init(out, 256);
    wr_str(&w, "id:");
    wr_str(&w, id);
    wr_str(&w, m->state == STATE_DELIVERED ? " sub:001 dlvrd:001" : " sub:001 dlvrd:000");
    wr_str(&w, " submit date:");
    wr_str(&w, date_of(m->submitted_ms, date));
    wr_str(&w, " done date:");
    wr_str(&w, date_of(m->final_ms, date));
    wr_str(&w, " stat:");
    wr_str(&w, msg_state_name(m->state));
    wr_str(&w, " err:");
    wr_str(&w, error_of(m->state));
    wr_str(&w, " text:");
    wr_str(&w, m->head);
    return w.len;
}

static void put_tlvs(struct wr *w, const struct msg *m, const char *id)
{
    static const uint8_t gsm_error[] = {3, 0, 69};
    pdu_put_tlv(w, TLV_RECEIPTED_MESSAGE_ID, id, strlen(id) + 1);
    pdu_put_tlv(w, TLV_MESSAGE_STATE, &m->state, 1);
    if (m->state == STATE_UNDELIVERABLE)
        pdu_put_tlv(w, TLV_NETWORK_ERROR_CODE, gsm_error, sizeof gsm_error);
}

static size_t put_receipt(const struct smsc *s, const struct msg *m, uint32_t seq, uint8_t *buf)
{
    static const uint8_t zeros[16];
    uint8_t text[256];
    char id[MSG_ID_SIZE];
    bool as_data = fault_in(m->faults, FAULT_RECEIPT_DATA_SM);
    /* an id of a message that will not come for a long time */
    uint64_t far = fault_in(m->faults, FAULT_RECEIPT_UNKNOWN_ID) ? (uint64_t)1 << 40 : 0;
    msg_id(m->n + far, s->opt.id_receipt, id);
    size_t len = fault_in(m->faults, FAULT_RECEIPT_TLV_ONLY) ? 0 : put_text(m, id, text);
    struct wr w = wr_init(buf, RECEIPT_SIZE);
    pdu_put_header(&w, as_data ? CMD_DATA_SM : CMD_DELIVER_SM, 0, seq);
    pdu_put_cstr(&w, "");
    pdu_put_addr(&w, &m->dst);
    pdu_put_addr(&w, &m->src);
    wr_u8(&w, m->state == STATE_ENROUTE ? 0x20 : 0x04); /* esm_class */
    /* data_sm: registered_delivery, data_coding.  deliver_sm: protocol_id to sm_default_msg_id */
    wr_bytes(&w, zeros, as_data ? 2 : 8);
    if (!as_data) {
        wr_u8(&w, (uint8_t)len);
        wr_bytes(&w, text, len);
    }
    if (!fault_in(m->faults, FAULT_RECEIPT_TEXT_ONLY))
        put_tlvs(&w, m, id);
    if (as_data && len)
        pdu_put_tlv(&w, TLV_MESSAGE_PAYLOAD, text, len);
    pdu_put_length(&w, 0);
    return w.len;
}

static void witness_msg(struct smsc *s, const struct msg *m, const char *ev)
{
    char id[MSG_ID_SIZE];
    witness_begin(s->out, ev);
    witness_str(s->out, "system_id", s->account[m->account].system_id);
    msg_id(m->n, s->opt.id_response, id);
    witness_str(s->out, "id", id);
    if (s->opt.id_receipt != s->opt.id_response) {
        msg_id(m->n, s->opt.id_receipt, id);
        witness_str(s->out, "receipt_id", id);
    }
    witness_str(s->out, "state", msg_state_name(m->state));
    witness_int(s->out, "try", m->tries);
}

static void wait_for_end(struct smsc *s, struct msg *m)
{
    int64_t left = m->final_ms - wall_ms();
    m->phase = MSG_DUE;
    wheel_add(s->wheel, &m->timer, left > 0 ? left : 0);
}

/* Nothing more to do for this receipt; after a notification the end is still to come. */
static void settle(struct smsc *s, struct msg *m)
{
    m->phase = MSG_DONE;
    if (m->state != STATE_ENROUTE)
        return;
    m->wants_notice = false;
    m->tries = 0;
    wait_for_end(s, m);
}

static void drop(struct smsc *s, struct msg *m, const char *reason)
{
    s->stats.receipts_dropped++;
    witness_msg(s, m, "receipt_drop");
    witness_str(s->out, "reason", reason);
    witness_end(s->out);
    settle(s, m);
}

static void send_once(struct conn *c, struct msg *m, bool extra)
{
    uint8_t buf[RECEIPT_SIZE];
    uint32_t seq = conn_next_seq(c);
    struct receipt_slot *slot = &c->window[seq % RECEIPT_WINDOW];
    struct smsc *s = c->smsc;
    *slot = (struct receipt_slot){m->n, seq, extra};
    witness_msg(s, m, "receipt");
    witness_int(s->out, "conn", c->id);
    witness_int(s->out, "seq", seq);
    witness_end(s->out);
    s->stats.receipts++;
    conn_send(c, buf, put_receipt(s, m, seq, buf));
    if (!extra)
        m->seq = seq;
}

static void send_receipt(struct conn *c, struct msg *m)
{
    struct smsc *s = c->smsc;
    m->tries++;
    m->phase = MSG_IN_FLIGHT;
    m->conn = c->id;
    wheel_add(s->wheel, &m->timer, s->opt.receipt_timeout_ms);
    send_once(c, m, false);
    if (fault_in(m->faults, FAULT_RECEIPT_DUP) && c->state < CONN_CLOSING && conn_has_room(c))
        send_once(c, m, true);
}

/* The receivers of an account take turns. */
static struct conn *pick(struct account *a)
{
    for (struct conn *c = a->receivers; c; c = c->next) {
        if (!conn_has_room(c))
            continue;
        DL_DELETE(a->receivers, c);
        DL_APPEND(a->receivers, c);
        return c;
    }
    return NULL;
}

static void wait_for_bind(struct smsc *s, struct msg *m)
{
    struct account *a = &s->account[m->account];
    m->phase = MSG_WAITING;
    m->waiting_ms = wall_ms();
    DL_APPEND(a->waiting, m);
    if (a->receivers)
        return;
    witness_msg(s, m, "receipt_wait");
    witness_end(s->out);
}

static void offer(struct smsc *s, struct msg *m)
{
    struct account *a = &s->account[m->account];
    struct conn *c = a->waiting ? NULL : pick(a);
    if (c)
        send_receipt(c, m);
    else
        wait_for_bind(s, m);
}

void receipt_pump(struct smsc *s)
{
    for (size_t i = 0; i < s->opt.system_ids; i++) {
        struct account *a = &s->account[i];
        struct conn *c;
        while (a->waiting && (c = pick(a))) {
            struct msg *m = a->waiting;
            DL_DELETE(a->waiting, m);
            send_receipt(c, m);
        }
    }
}

void receipt_second(struct smsc *s)
{
    int64_t oldest = wall_ms() - s->opt.receipt_keep_s * 1000;
    for (size_t i = 0; i < s->opt.system_ids; i++) {
        struct account *a = &s->account[i];
        while (a->waiting && a->waiting->waiting_ms < oldest) {
            struct msg *m = a->waiting;
            DL_DELETE(a->waiting, m);
            drop(s, m, "kept too long");
        }
    }
}

static void become_final(struct smsc *s, struct msg *m)
{
    m->state = m->final;
    m->final_ms = wall_ms();
    inbox_set_state(s->inbox, m->dst.digits, m->n, msg_state_name(m->state));
}

/* Time for the next step of a message: its notification, its end, or another try. */
static void step(struct smsc *s, struct msg *m)
{
    m->phase = MSG_DONE;
    if (m->state == STATE_ENROUTE && !m->wants_notice)
        become_final(s, m);
    if (m->wants_receipt || m->state == STATE_ENROUTE)
        offer(s, m);
}

void receipt_start(struct smsc *s, struct msg *m, int64_t delay_ms)
{
    m->timer.fire_cb = due_cb;
    m->state = STATE_ENROUTE;
    m->final_ms = m->submitted_ms + delay_ms;
    if (fault_in(m->faults, FAULT_RECEIPT_FIRST) || (!m->wants_receipt && !m->wants_notice)) {
        m->wants_notice = false;
        step(s, m);
    } else if (m->wants_notice) {
        m->phase = MSG_DUE;
        wheel_add(s->wheel, &m->timer, delay_ms / 2);
    } else {
        wait_for_end(s, m);
    }
}

void receipt_cancel(struct smsc *s, struct msg *m)
{
    wheel_remove(&m->timer);
    m->phase = MSG_DONE;
    m->final = STATE_DELETED;
    become_final(s, m);
}

static void try_again(struct smsc *s, struct msg *m, const char *reason)
{
    if (m->tries >= s->opt.receipt_tries) {
        drop(s, m, reason);
        return;
    }
    int64_t pause_ms = s->opt.receipt_retry_ms;
    for (int i = 1; i < m->tries && pause_ms < RETRY_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > RETRY_PAUSE_MAX_MS)
        pause_ms = RETRY_PAUSE_MAX_MS;
    m->phase = MSG_DUE;
    wheel_add(s->wheel, &m->timer, pause_ms);
    witness_msg(s, m, "receipt_retry");
    witness_str(s->out, "reason", reason);
    witness_int(s->out, "in_ms", pause_ms);
    witness_end(s->out);
}

static void timed_out(struct smsc *s, struct msg *m)
{
    struct conn *c = conn_find(s, m->conn);
    if (c)
        c->window[m->seq % RECEIPT_WINDOW].msg = 0;
    try_again(s, m, "no answer");
}

static void due_cb(struct wheel_node *node, void *ctx)
{
    struct msg *m = (struct msg *)(void *)node; /* timer is the first member */
    if (m->phase == MSG_IN_FLIGHT)
        timed_out(ctx, m);
    else
        step(ctx, m);
}

static bool is_temporary(uint32_t status)
{
    return status == ESME_RX_T_APPN || status == ESME_RMSGQFUL || status == ESME_RTHROTTLED ||
           status == ESME_RSYSERR;
}

static void witness_answered(struct conn *c, const struct msg *m, uint32_t seq, uint32_t status)
{
    struct smsc *s = c->smsc;
    if (m)
        witness_msg(s, m, "receipt_resp");
    else
        witness_begin(s->out, "unexpected_resp");
    witness_int(s->out, "conn", c->id);
    witness_int(s->out, "seq", seq);
    witness_int(s->out, "status", status);
    witness_end(s->out);
}

void receipt_answered(struct conn *c, uint32_t seq, uint32_t status)
{
    struct smsc *s = c->smsc;
    struct receipt_slot *slot = &c->window[seq % RECEIPT_WINDOW];
    bool found = slot->msg && slot->seq == seq;
    struct msg *m = found ? msg_find(&s->msgs, slot->msg) : NULL;
    witness_answered(c, m, seq, status);
    if (!found)
        return;
    slot->msg = 0;
    if (slot->extra || !m)
        return;
    wheel_remove(&m->timer);
    s->stats.receipts_acknowledged += status == ESME_ROK;
    if (status == ESME_ROK)
        settle(s, m);
    else if (is_temporary(status))
        try_again(s, m, "temporary error");
    else
        drop(s, m, "refused");
}

void receipt_conn_gone(struct conn *c)
{
    struct smsc *s = c->smsc;
    for (uint32_t i = 0; i < RECEIPT_WINDOW; i++) {
        struct receipt_slot *slot = &c->window[(c->next_seq + i) % RECEIPT_WINDOW];
        struct msg *m = slot->msg && !slot->extra ? msg_find(&s->msgs, slot->msg) : NULL;
        slot->msg = 0;
        if (!m)
            continue;
        wheel_remove(&m->timer);
        m->tries--; /* nobody refused it */
        wait_for_bind(s, m);
    }
}
