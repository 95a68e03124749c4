#include "tests/sim/receipt.h"
#include "tests/sim/smsc.h"
#include "tests/sim/submit.h"

#include "base/secret.h"

#include <string.h>

#define SYSTEM_ID         "pinbind-smsc"
#define INTERFACE_VERSION 0x34

void session_send_header(struct conn *c, uint32_t id, uint32_t status, uint32_t seq)
{
    uint8_t buf[PDU_HEADER];
    struct wr w = wr_init(buf, sizeof buf);
    pdu_put_header(&w, id, status, seq);
    conn_send(c, buf, w.len);
}

static void respond(struct conn *c, const struct pdu *p, uint32_t status)
{
    session_send_header(c, p->id | CMD_RESPONSE, status, p->seq);
}

static enum conn_state state_of(uint32_t bind_command)
{
    return bind_command == CMD_BIND_RECEIVER      ? CONN_RX
           : bind_command == CMD_BIND_TRANSMITTER ? CONN_TX
                                                  : CONN_TRX;
}

/* The account, or the status that refuses. */
static uint32_t authenticate(struct smsc *s, const struct pdu_bind *b, struct account **out)
{
    for (size_t i = 0; i < s->opt.system_ids; i++) {
        struct account *a = &s->account[i];
        if (strcmp(a->system_id, b->system_id) != 0)
            continue;
        *out = a;
        return secret_equal(a->password, strlen(a->password), b->password, strlen(b->password))
                   ? ESME_ROK
                   : ESME_RINVPASWD;
    }
    return ESME_RINVSYSID;
}

static void witness_bind(struct conn *c, const struct pdu *p, const struct pdu_bind *b,
                         uint32_t status)
{
    struct witness *out = c->smsc->out;
    witness_begin(out, status == ESME_ROK ? "bind" : "bind_refused");
    witness_int(out, "conn", c->id);
    witness_str(out, "system_id", b->system_id);
    witness_str(out, "mode", conn_state_name(state_of(p->id)));
    witness_str(out, "system_type", b->system_type);
    witness_int(out, "interface_version", b->interface_version);
    witness_int(out, "seq", p->seq);
    witness_int(out, "status", status);
    witness_end(out);
}

static void send_bind_resp(struct conn *c, const struct pdu *p)
{
    static const uint8_t version[] = {INTERFACE_VERSION};
    uint8_t buf[64];
    struct wr w = wr_init(buf, sizeof buf);
    pdu_put_header(&w, p->id | CMD_RESPONSE, ESME_ROK, p->seq);
    pdu_put_cstr(&w, SYSTEM_ID);
    pdu_put_tlv(&w, TLV_SC_INTERFACE_VERSION, version, sizeof version);
    pdu_put_length(&w, 0);
    conn_send(c, buf, w.len);
}

static void handle_bind(struct conn *c, const struct pdu *p)
{
    struct pdu_bind b = {.system_id = ""};
    struct account *account = NULL;
    uint32_t status = pdu_read_bind(p, &b);
    if (status == ESME_ROK)
        status = authenticate(c->smsc, &b, &account);
    witness_bind(c, p, &b, status);
    secret_wipe(b.password, sizeof b.password);
    if (status != ESME_ROK) {
        respond(c, p, status);
        return;
    }
    c->account = account;
    conn_set_state(c, state_of(p->id));
    send_bind_resp(c, p);
    c->receives = c->state == CONN_RX || c->state == CONN_TRX;
    if (c->receives)
        DL_APPEND(account->receivers, c);
}

void session_end(struct conn *c)
{
    if (!c->receives)
        return;
    c->receives = false;
    DL_DELETE(c->account->receivers, c);
    receipt_conn_gone(c);
}

static void handle_unbind(struct conn *c, const struct pdu *p)
{
    conn_witness(c, "unbind");
    witness_int(c->smsc->out, "seq", p->seq);
    witness_end(c->smsc->out);
    respond(c, p, ESME_ROK);
    conn_finish(c, "unbound");
}

static void unbind_resp(struct conn *c, const struct pdu *p)
{
    (void)p;
    if (c->state == CONN_UNBINDING)
        conn_finish(c, "unbound by the simulator");
}

static void enquire_link(struct conn *c, const struct pdu *p)
{
    struct smsc *s = c->smsc;
    bool mute = c->mute || dice_hits(&s->dice, s->opt.fault_ppm[FAULT_NO_ENQUIRE_RESP]);
    conn_witness(c, "enquire_link");
    witness_int(s->out, "seq", p->seq);
    if (mute)
        witness_str(s->out, "fault", fault_name(FAULT_NO_ENQUIRE_RESP));
    witness_end(s->out);
    if (!mute)
        respond(c, p, ESME_ROK);
}

static void enquire_link_resp(struct conn *c, const struct pdu *p)
{
    if (p->seq == c->enquire_seq)
        c->enquire_seq = 0;
}

static void receipt_resp(struct conn *c, const struct pdu *p)
{
    receipt_answered(c, p->seq, p->status);
}

static void generic_nack(struct conn *c, const struct pdu *p)
{
    conn_witness(c, "generic_nack");
    witness_int(c->smsc->out, "seq", p->seq);
    witness_int(c->smsc->out, "status", p->status);
    witness_end(c->smsc->out);
    struct receipt_slot *slot = &c->window[p->seq % RECEIPT_WINDOW];
    if (slot->msg && slot->seq == p->seq)
        receipt_answered(c, p->seq, p->status ? p->status : ESME_RINVCMDID);
}

#define ANY     (~0u)
#define SENDERS (CONN_BIT(CONN_TX) | CONN_BIT(CONN_TRX))

static const struct command {
    uint32_t id;
    unsigned states; /* in others: ESME_RINVBNDSTS, or ESME_RALYBND for a bind */
    void (*handle)(struct conn *c, const struct pdu *p);
} commands[] = {
    {CMD_SUBMIT_SM, SENDERS, submit_handle},
    {CMD_DELIVER_SM | CMD_RESPONSE, ANY, receipt_resp},
    {CMD_DATA_SM | CMD_RESPONSE, ANY, receipt_resp},
    {CMD_DATA_SM, SENDERS, submit_handle},
    {CMD_ENQUIRE_LINK, ANY, enquire_link},
    {CMD_ENQUIRE_LINK | CMD_RESPONSE, ANY, enquire_link_resp},
    {CMD_QUERY_SM, SENDERS, submit_query},
    {CMD_CANCEL_SM, SENDERS, submit_cancel},
    {CMD_REPLACE_SM, SENDERS, submit_replace},
    {CMD_BIND_TRANSCEIVER, CONN_BIT(CONN_OPEN), handle_bind},
    {CMD_BIND_TRANSMITTER, CONN_BIT(CONN_OPEN), handle_bind},
    {CMD_BIND_RECEIVER, CONN_BIT(CONN_OPEN), handle_bind},
    {CMD_UNBIND, CONN_BOUND | CONN_BIT(CONN_UNBINDING), handle_unbind},
    {CMD_UNBIND | CMD_RESPONSE, ANY, unbind_resp},
    {(uint32_t)CMD_GENERIC_NACK, ANY, generic_nack},
};

static void unknown(struct conn *c, const struct pdu *p)
{
    conn_witness(c, "unknown_command");
    witness_int(c->smsc->out, "command_id", p->id);
    witness_int(c->smsc->out, "seq", p->seq);
    witness_end(c->smsc->out);
    if (!(p->id & CMD_RESPONSE))
        session_send_header(c, (uint32_t)CMD_GENERIC_NACK, ESME_RINVCMDID, p->seq);
}

static void wrong_state(struct conn *c, const struct pdu *p)
{
    bool is_bind = p->id == CMD_BIND_RECEIVER || p->id == CMD_BIND_TRANSMITTER ||
                   p->id == CMD_BIND_TRANSCEIVER;
    uint32_t status = is_bind ? ESME_RALYBND : ESME_RINVBNDSTS;
    conn_witness(c, "wrong_state");
    witness_str(c->smsc->out, "command", pdu_name(p->id));
    witness_int(c->smsc->out, "seq", p->seq);
    witness_int(c->smsc->out, "status", status);
    witness_end(c->smsc->out);
    respond(c, p, status);
}

void session_handle(struct conn *c, const struct pdu *p)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].id != p->id)
            continue;
        if (commands[i].states & CONN_BIT(c->state))
            commands[i].handle(c, p);
        else
            wrong_state(c, p);
        return;
    }
    unknown(c, p);
}
