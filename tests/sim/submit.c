#include "tests/sim/submit.h"

#include "base/clock.h"
#include "tests/sim/answer.h"
#include "tests/sim/receipt.h"
#include "tests/sim/smsc.h"

#include <string.h>
#include <time.h>

#define RECEIPT_FIRST_MS 50 /* the answer comes this much after its receipt */

static void witness_submit(struct conn *c, const struct pdu *p, const struct pdu_sm *sm,
                           size_t text_len)
{
    struct witness *out = c->smsc->out;
    conn_witness(c, p->id == CMD_DATA_SM ? "data" : "submit");
    witness_int(out, "seq", p->seq);
    witness_str(out, "src", sm->src.digits);
    witness_str(out, "dst", sm->dst.digits);
    witness_text(out, "text", c->smsc->text, text_len);
    witness_int(out, "dcs", sm->data_coding);
    witness_int(out, "esm_class", sm->esm_class);
    witness_int(out, "registered_delivery", sm->registered_delivery);
    witness_str(out, "validity", sm->validity);
    if (sm->part_total > 1) {
        witness_int(out, "ref", sm->part_ref);
        witness_int(out, "part", sm->part_no);
        witness_int(out, "parts", sm->part_total);
    }
}

static void witness_fate(struct conn *c, const struct msg *m, uint32_t status)
{
    struct witness *out = c->smsc->out;
    char id[MSG_ID_SIZE] = "";
    if (m)
        msg_id(m->n, c->smsc->opt.id_response, id);
    witness_str(out, "id", id);
    if (m && c->smsc->opt.id_receipt != c->smsc->opt.id_response) {
        msg_id(m->n, c->smsc->opt.id_receipt, id);
        witness_str(out, "receipt_id", id);
    }
    witness_int(out, "status", status);
    witness_end(out);
}

static void witness_faults(struct conn *c, const struct pdu *p, uint32_t faults)
{
    for (int f = 0; faults >> f; f++) {
        if (!fault_in(faults, (enum fault)f))
            continue;
        conn_witness(c, "fault");
        witness_str(c->smsc->out, "name", fault_name((enum fault)f));
        witness_int(c->smsc->out, "seq", p->seq);
        witness_end(c->smsc->out);
    }
}

static int64_t draw_delay(struct smsc *s)
{
    int64_t delay = s->opt.receipt_delay_ms;
    if (!s->opt.receipt_jitter_ms)
        return delay;
    double spread = s->opt.exponential ? dice_exponential(&s->dice) : dice_unit(&s->dice);
    return delay + (int64_t)(spread * (double)s->opt.receipt_jitter_ms);
}

static enum msg_state final_state(uint32_t faults, int64_t delay_ms, int64_t validity_ms)
{
    if (fault_in(faults, FAULT_RECEIPT_UNDELIV))
        return STATE_UNDELIVERABLE;
    if (fault_in(faults, FAULT_RECEIPT_REJECTED))
        return STATE_REJECTED;
    return validity_ms >= 0 && delay_ms > validity_ms ? STATE_EXPIRED : STATE_DELIVERED;
}

/* SMPP 3.4 section 5.2.17; 3 is "on success" in SMPP 5.0. */
static bool wants_receipt(struct smsc *s, uint8_t registered_delivery, enum msg_state final)
{
    bool wanted[] = {false, true, final != STATE_DELIVERED, final == STATE_DELIVERED};
    return wanted[registered_delivery & 3] && dice_hits(&s->dice, s->opt.receipts_ppm);
}

/* The first characters; those that a receipt's text may not hold become '?'. */
static void copy_head(char out[21], const char *text)
{
    size_t n = 0;
    for (; *text && n < 20; text++)
        if (((unsigned char)*text & 0xc0) != 0x80) /* the first octet of a character */
            out[n++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
    out[n] = 0;
}

static struct msg *take(struct conn *c, const struct pdu_sm *sm, uint32_t faults)
{
    struct smsc *s = c->smsc;
    struct msg *m = msg_take(&s->msgs);
    if (!m)
        return NULL;
    m->account = (uint8_t)(c->account - s->account);
    m->submitted_ms = wall_ms();
    m->faults = faults;
    m->data_coding = sm->data_coding;
    m->src = sm->src;
    m->dst = sm->dst;
    copy_head(m->head, s->text);
    s->stats.accepted++;
    return m;
}

static void put_in_inbox(struct smsc *s, const struct msg *m, const struct pdu_sm *sm, size_t len)
{
    char id[MSG_ID_SIZE];
    msg_id(m->n, s->opt.id_response, id);
    inbox_add(s->inbox, &(struct inbox_item){.to = m->dst.digits,
                                             .from = m->src.digits,
                                             .id = id,
                                             .n = m->n,
                                             .at_ms = m->submitted_ms,
                                             .text = s->text,
                                             .text_len = len,
                                             .part_ref = sm->part_ref,
                                             .part_total = sm->part_total,
                                             .part_no = sm->part_no});
}

static int64_t answer_delay(const struct smsc *s, uint32_t faults)
{
    int64_t delay = s->opt.response_delay_ms;
    if (fault_in(faults, FAULT_LATE_RESPONSE))
        delay += s->opt.late_response_ms;
    if (fault_in(faults, FAULT_RECEIPT_FIRST))
        delay += RECEIPT_FIRST_MS;
    return delay;
}

/* The answer and the delivery of a message that was taken. */
static void go_on(struct conn *c, struct msg *m, const struct pdu_sm *sm, const struct answer *a)
{
    struct smsc *s = c->smsc;
    int64_t answer_ms = answer_delay(s, m->faults);
    int64_t delay_ms = draw_delay(s);
    m->final = (uint8_t)final_state(m->faults, delay_ms, sm->validity_ms);
    if (m->final == STATE_EXPIRED)
        delay_ms = sm->validity_ms;
    m->wants_receipt = wants_receipt(s, sm->registered_delivery, (enum msg_state)m->final);
    m->wants_notice = sm->registered_delivery & 0x10 && dice_hits(&s->dice, s->opt.receipts_ppm);
    if (fault_in(m->faults, FAULT_RECEIPT_FIRST)) {
        receipt_start(s, m, 0);
        answer_send(c, a, answer_ms);
    } else {
        answer_send(c, a, answer_ms);
        receipt_start(s, m, answer_ms + delay_ms);
    }
}

static void refuse(struct conn *c, const struct pdu *p, uint32_t status, enum fault fault)
{
    struct answer a = {.command = p->id, .seq = p->seq, .status = status, .fault = fault};
    answer_send(c, &a, c->smsc->opt.response_delay_ms);
}

void submit_handle(struct conn *c, const struct pdu *p)
{
    struct smsc *s = c->smsc;
    struct pdu_sm sm;
    s->stats.submits++;
    uint32_t status = p->id == CMD_DATA_SM ? pdu_read_data(p, &sm) : pdu_read_submit(p, &sm);
    if (status != ESME_ROK) {
        refuse(c, p, status, FAULT_COUNT);
        return;
    }
    size_t len = text_decode(text_alphabet(sm.data_coding, s->opt.alphabet), sm.text, sm.text_len,
                             sm.udh_len, s->text);
    uint32_t faults = fault_draw(&s->dice, s->opt.fault_ppm) | fault_in_text(s->text, len);
    if (fault_in(faults, FAULT_NO_ENQUIRE_RESP))
        c->mute = true;
    enum fault refusal = fault_of_class(faults, FAULT_CLASS_REFUSE);
    struct msg *m = refusal == FAULT_COUNT ? take(c, &sm, faults) : NULL;
    if (!m)
        status = refusal == FAULT_COUNT ? ESME_RMSGQFUL : fault_status(refusal);
    witness_submit(c, p, &sm, len);
    witness_fate(c, m, status);
    witness_faults(c, p, faults);
    if (!m) {
        refuse(c, p, status, refusal);
        return;
    }
    put_in_inbox(s, m, &sm, len);
    go_on(c, m, &sm,
          &(struct answer){.command = p->id,
                           .seq = p->seq,
                           .fault = fault_of_class(faults, FAULT_CLASS_ANSWER),
                           .msg = m->n});
}

/* The caller's own message of that id, or NULL. */
static struct msg *find_own(struct conn *c, const char *id)
{
    struct smsc *s = c->smsc;
    struct msg *m = msg_find_id(&s->msgs, id, s->opt.id_response);
    return m && &s->account[m->account] == c->account ? m : NULL;
}

static void witness_about(struct conn *c, const struct pdu *p, const char *id, uint32_t status)
{
    conn_witness(c, pdu_name(p->id));
    witness_int(c->smsc->out, "seq", p->seq);
    witness_str(c->smsc->out, "id", id);
    witness_int(c->smsc->out, "status", status);
    witness_end(c->smsc->out);
}

static void put_final_date(struct wr *w, const struct msg *m)
{
    char date[32] = "";
    time_t t = (time_t)(m->final_ms / 1000);
    struct tm tm;
    if (m->state != STATE_ENROUTE && gmtime_r(&t, &tm))
        strftime(date, sizeof date, "%Y%m%d%H%M%S000+", &tm);
    pdu_put_cstr(w, *date ? date + 2 : date); /* without the century */
}

void submit_query(struct conn *c, const struct pdu *p)
{
    char id[66];
    uint8_t buf[128];
    uint32_t status = pdu_read_id(p, id);
    struct msg *m = status == ESME_ROK ? find_own(c, id) : NULL;
    if (!m && status == ESME_ROK)
        status = ESME_RQUERYFAIL;
    witness_about(c, p, id, status);
    struct wr w = wr_init(buf, sizeof buf);
    pdu_put_header(&w, p->id | CMD_RESPONSE, status, p->seq);
    if (m) {
        pdu_put_cstr(&w, id);
        put_final_date(&w, m);
        wr_u8(&w, m->state);
        wr_u8(&w, m->state == STATE_UNDELIVERABLE ? 69 : 0);
    }
    pdu_put_length(&w, 0);
    conn_send(c, buf, w.len);
}

void submit_cancel(struct conn *c, const struct pdu *p)
{
    char id[66];
    uint32_t status = pdu_read_id(p, id);
    struct msg *m = status == ESME_ROK ? find_own(c, id) : NULL;
    if (m && m->state == STATE_ENROUTE && m->phase == MSG_DUE)
        receipt_cancel(c->smsc, m);
    else if (status == ESME_ROK)
        status = ESME_RCANCELFAIL;
    witness_about(c, p, id, status);
    session_send_header(c, p->id | CMD_RESPONSE, status, p->seq);
}

void submit_replace(struct conn *c, const struct pdu *p)
{
    struct smsc *s = c->smsc;
    struct pdu_sm sm;
    uint32_t status = pdu_read_replace(p, &sm);
    struct msg *m = status == ESME_ROK ? find_own(c, sm.message_id) : NULL;
    if (m && m->state == STATE_ENROUTE) {
        enum alphabet a = text_alphabet(m->data_coding, s->opt.alphabet);
        size_t len = text_decode(a, sm.text, sm.text_len, 0, s->text);
        copy_head(m->head, s->text);
        inbox_replace(s->inbox, m->dst.digits, m->n, s->text, len);
    } else if (status == ESME_ROK) {
        status = ESME_RREPLACEFAIL;
    }
    witness_about(c, p, sm.message_id, status);
    session_send_header(c, p->id | CMD_RESPONSE, status, p->seq);
}
