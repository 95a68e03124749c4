/* What a session does with each PDU: one table by command id. */
#include "smpp/smpp_session.h"

#include "base/log.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_long.h"

#include <stdio.h>

/* Of what a peer can send without end, each line stands for as many as came before it. */
static enum log_level level_of_nth(uint64_t n)
{
    return (n & (n - 1)) == 0 ? LOG_LV_WARN : LOG_LV_DEBUG;
}

static void unexpected(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    s->counts.unexpected++;
    LOG(LOG_LV_DEBUG, s->id, "response_unexpected", KV_HEX("command", pdu->command_id),
        KV_I("sequence", pdu->sequence_number), KV_HEX("status", pdu->command_status));
}

/* --- binding --- */

static bool is_about_credentials(uint32_t status)
{
    return status == ESME_RINVPASWD || status == ESME_RINVSYSID || status == ESME_RINVSYSTYP;
}

static void refused(struct smpp_session *s, uint32_t status)
{
    char reason[64];
    bool credentials = is_about_credentials(status);
    snprintf(reason, sizeof reason, "refused: %s 0x%x", smpp_status_name(status), (unsigned)status);
    LOG(credentials ? LOG_LV_ERROR : LOG_LV_WARN, s->id, "bind_refused",
        KV_S("carrier", s->env.config->o.name), KV_I("bind", s->bind),
        KV_S("name", smpp_status_name(status)), KV_HEX("status", status));
    smpp_session_end(s, credentials ? SMPP_END_CREDENTIALS : SMPP_END_REFUSED, reason, status);
}

/* Most SMSCs of 3.4 leave it out, which by the book (5.3.2.25) would make them 3.3: then what is
 * configured holds, and it does when they tell another one. */
static void note_version(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    const struct smpp_tlv *told = smpp_pdu_tlv(pdu, SMPP_TLV_SC_INTERFACE_VERSION);
    s->peer_version = told && told->len == 1 ? told->value[0] : -1;
    if (s->peer_version >= 0)
        LOG(LOG_LV_INFO, s->id, "bind_version", KV_HEX("peer", (uint32_t)s->peer_version),
            KV_HEX("ours", s->env.config->o.interface_version));
}

static void on_bind_resp(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (pdu->sequence_number != s->bind_sequence) {
        unexpected(s, pdu);
        return;
    }
    if (pdu->command_status != ESME_ROK) {
        refused(s, pdu->command_status);
        return;
    }
    s->bound_at = mono_now();
    s->counts.bound++;
    note_version(s, pdu);
    smpp_session_set_state(s, SMPP_BOUND, "bound", 0);
    s->env.ops->room_cb(s->env.owner);
}

/* --- answers to submits --- */

static struct smpp_result result_of(const struct smpp_session *s, const struct smpp_pdu *pdu,
                                    struct mono written)
{
    struct smpp_result r = {
        .outcome = SMPP_REFUSED,
        .status = pdu->command_status,
        .status_class = smpp_config_status_class(s->env.config, pdu->command_status),
        .reason = smpp_status_name(pdu->command_status),
        .rtt_us = mono_diff_us(mono_now(), written),
        .bind = s->bind,
    };
    if (r.status == ESME_ROK && pdu->command_id == (uint32_t)SMPP_SUBMIT_SM_RESP) {
        r.outcome = SMPP_ACCEPTED;
        r.message_id = smpp_pdu_str(pdu, SMPP_F_MESSAGE_ID);
    }
    return r;
}

static void answered(struct smpp_session *s, struct smpp_entry *e, const struct smpp_pdu *pdu)
{
    struct smpp_result r = result_of(s, pdu, e->written);
    uint32_t sequence = e->sequence;
    s->rtt_us = r.rtt_us;
    if (r.outcome == SMPP_REFUSED && r.status_class == SMPP_CLASS_THROTTLE) {
        e->throttle_status = r.status;
        smpp_session_throttle(s, e);
        smpp_session_go_on(s, e);
    } else {
        if (r.outcome == SMPP_REFUSED)
            s->counts.errors++;
        smpp_session_took(s, e);
        e->throttle_status = 0;
        if (r.outcome == SMPP_ACCEPTED && e->parts && smpp_long_took(e->parts, r.message_id))
            smpp_session_go_on(s, e);
        else
            s->env.ops->done_cb(s->env.owner, e, &r);
    }
    smpp_session_left(s, sequence);
}

/* What has not left is not answered, whatever a peer says that counts wrong (quirk 42). */
static void on_submit_resp(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct smpp_late late;
    struct smpp_entry *e = smpp_window_find(&s->window, pdu->sequence_number);
    if (e && smpp_session_has_sent(s, e->offset)) {
        smpp_window_take(&s->window, e->sequence);
        s->counts.responses++;
        s->mute_since.us = 0;
        answered(s, e, pdu);
    } else if (smpp_window_take_late(&s->window, pdu->sequence_number, &late)) {
        struct smpp_result r = result_of(s, pdu, late.written);
        struct smpp_str ids[SMPP_SEGMENTS_MAX];
        smpp_late_tell(&late, ids, &r);
        s->counts.responses++;
        s->mute_since.us = 0;
        s->env.ops->late_cb(s->env.owner, late.arg, &r);
    } else {
        unexpected(s, pdu);
    }
}

static void on_nack(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (pdu->sequence_number == 0) {
        s->counts.unexpected++;
        LOG(level_of_nth(s->counts.unexpected), s->id, "generic_nack",
            KV_HEX("status", pdu->command_status), KV_I("count", s->counts.unexpected));
    } else if (s->state == SMPP_BINDING && pdu->sequence_number == s->bind_sequence) {
        refused(s, pdu->command_status);
    } else if (s->state == SMPP_UNBINDING && pdu->sequence_number == s->unbind_sequence) {
        smpp_session_end(s, SMPP_END_STOPPED, "unbind refused", pdu->command_status);
    } else if (!smpp_asks_answer(s, pdu)) {
        on_submit_resp(s, pdu);
    }
}

static void on_ask_resp(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (!smpp_asks_answer(s, pdu))
        unexpected(s, pdu);
}

/* --- deliveries --- */

static void on_delivery(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct smpp_delivery handle = {s->serial, pdu->command_id, pdu->sequence_number};
    if (s->conn->answers_owed >= s->env.config->o.max_deliveries) {
        s->counts.turned_away++;
        smpp_session_reply(s, pdu->command_id | SMPP_RESPONSE, ESME_RX_T_APPN,
                           pdu->sequence_number);
        return;
    }
    s->conn->answers_owed++;
    s->env.ops->delivery_cb(s->env.owner, s, pdu, handle);
}

/* --- the session itself --- */

static void on_enquire_link(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    smpp_session_reply(s, SMPP_ENQUIRE_LINK_RESP, ESME_ROK, pdu->sequence_number);
}

static void on_unbind(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    smpp_session_reply(s, SMPP_UNBIND_RESP, ESME_ROK, pdu->sequence_number);
    if (s->state == SMPP_BINDING) {
        smpp_conn_flush_last(s->conn);
        smpp_session_end(s, SMPP_END_UNBIND, "unbind by the peer", 0);
        return;
    }
    if (s->state != SMPP_BOUND)
        return;
    smpp_session_set_state(s, SMPP_UNBINDING, "unbind by the peer", 0);
    smpp_session_pull_back(s);
    s->env.ops->room_cb(s->env.owner);
}

static void on_unbind_resp(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (s->unbind_sequence && pdu->sequence_number == s->unbind_sequence)
        smpp_session_end(s, SMPP_END_STOPPED, "unbound", pdu->command_status);
    else
        unexpected(s, pdu);
}

static void on_notice(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    LOG(LOG_LV_DEBUG, s->id, "pdu_ignored", KV_S("command", pdu->command));
}

static const struct handler {
    uint32_t command_id;
    enum smpp_takes kind;
    void (*run)(struct smpp_session *s, const struct smpp_pdu *pdu);
} handlers[] = {
#define SMPP_HANDLER(command, kind, run, reaction)                                                 \
    {(uint32_t)SMPP_##command, SMPP_TAKES_##kind, run},
#include "smpp/smpp_handler.def"
};

static const struct handler *find_handler(uint32_t command_id)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].command_id == command_id)
            return &handlers[i];
    return NULL;
}

/* A request that is not handled gets an error that leaves the bind as it is. */
static void turn_away(struct smpp_session *s, const struct handler *h, const struct smpp_pdu *pdu,
                      uint32_t status)
{
    if (smpp_is_response(pdu->command_id))
        unexpected(s, pdu);
    else
        smpp_session_reply(s, h ? pdu->command_id | SMPP_RESPONSE : (uint32_t)SMPP_GENERIC_NACK,
                           status, pdu->sequence_number);
}

/* Deliveries on a transmitter: somebody has to look, receipts are lost to us there. */
static void out_of_place(struct smpp_session *s, const struct handler *h,
                         const struct smpp_pdu *pdu)
{
    if (h->kind == SMPP_TAKES_DELIVERY && s->state == SMPP_BOUND) {
        s->counts.turned_away++;
        LOG(level_of_nth(s->counts.turned_away), s->id, "delivery_on_transmitter",
            KV_S("command", pdu->command), KV_I("count", s->counts.turned_away));
    }
    turn_away(s, h, pdu, ESME_RINVBNDSTS);
}

static void run(struct smpp_session *s, const struct handler *h, const struct smpp_pdu *pdu)
{
    const struct smpp_tlv *congestion = smpp_pdu_tlv(pdu, SMPP_TLV_CONGESTION_STATE);
    if (congestion && congestion->len == 1 && smpp_is_response(pdu->command_id))
        smpp_session_congestion(s, congestion->value[0]);
    h->run(s, pdu);
}

void smpp_session_dispatch(struct smpp_session *s, const struct smpp_frame *frame)
{
    struct smpp_pdu pdu;
    enum smpp_decode_result decoded = smpp_decode(frame, &pdu);
    const struct handler *h = find_handler(frame->command_id);
    if (decoded == SMPP_DECODE_MALFORMED) {
        s->counts.malformed++;
        LOG(level_of_nth(s->counts.malformed), s->id, "pdu_malformed", KV_S("command", pdu.command),
            KV_S("defect", pdu.defect), KV_I("count", s->counts.malformed));
    }
    if (!h)
        turn_away(s, NULL, &pdu, ESME_RINVCMDID);
    else if (!smpp_session_takes(s, h->kind))
        out_of_place(s, h, &pdu);
    else if (decoded == SMPP_DECODE_MALFORMED && h->kind == SMPP_TAKES_DELIVERY)
        turn_away(s, h, &pdu, ESME_RINVMSGLEN);
    else
        run(s, h, &pdu);
}
