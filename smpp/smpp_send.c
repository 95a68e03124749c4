/* What a session writes. */
#include "smpp/smpp_session.h"

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/table.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_long.h"

#define CONGESTED 90 /* congestion_state from which a peer asks for less (SMPP 5.0, 4.8.4.18) */

static const struct smpp_carrier_options *options(const struct smpp_session *s)
{
    return &s->env.config->o;
}

void smpp_session_reply(struct smpp_session *s, uint32_t command_id, uint32_t status,
                        uint32_t sequence)
{
    uint8_t pdu[SMPP_ANSWER_MAX];
    bool delivery = command_id == (uint32_t)SMPP_DELIVER_SM_RESP ||
                    command_id == (uint32_t)SMPP_DATA_SM_RESP;
    if (!s->conn || s->conn->closed)
        return;
    if (delivery)
        smpp_encode_delivery_resp(command_id, status, sequence, pdu);
    else
        smpp_encode_header(command_id, status, sequence, pdu);
    (void)smpp_conn_control(s->conn, pdu, delivery ? SMPP_ANSWER_MAX : SMPP_HEADER_SIZE);
}

void smpp_session_bind(struct smpp_session *s)
{
    const struct smpp_carrier_options *o = options(s);
    struct smpp_bind_fields f = {
        .command_id = smpp_mode_row(s->mode)->command_id,
        .system_id = o->system_id,
        .password = o->password->data ? (const char *)o->password->data : "",
        .system_type = o->system_type ? o->system_type : "",
        .interface_version = o->interface_version,
        .address_ton = o->address_ton,
        .address_npi = o->address_npi,
        .address_range = o->address_range ? o->address_range : "",
    };
    uint8_t *p = smpp_conn_reserve(s->conn, SMPP_ENCODE_MAX);
    size_t len;
    s->bind_sequence = smpp_window_sequence(&s->window);
    if (smpp_encode_bind(&f, s->bind_sequence, p, SMPP_ENCODE_MAX, &len) != 0) {
        smpp_session_end(s, SMPP_END_CREDENTIALS, "bind cannot be encoded", 0);
        return;
    }
    smpp_conn_commit(s->conn, len);
}

/* --- submits --- */

/* Room whatever the rate. */
static uint32_t window_room(const struct smpp_session *s, const struct smpp_entry *e)
{
    if (s->state != SMPP_BOUND || (s->draining && !smpp_entry_is_begun(e)) ||
        !smpp_conn_is_writable(s->conn))
        return 0;
    /* More than size after an update with a smaller one. */
    uint32_t room = s->window.in_flight < s->window.size ? s->window.size - s->window.in_flight : 0;
    if (s->pace == SMPP_PACE_FREE || room == 0)
        return room;
    return s->pace == SMPP_PACE_PROBE ? 1 : 0;
}

uint32_t smpp_session_room(struct smpp_session *s, const struct smpp_entry *e)
{
    uint32_t room = window_room(s, e);
    if (room == 0 || s->rate.current == 0)
        return room;
    uint32_t paced = smpp_rate_fit(&s->rate, smpp_entry_cost(e), mono_now());
    return paced < room ? paced : room;
}

struct mono smpp_session_due(struct smpp_session *s, const struct smpp_entry *e)
{
    return window_room(s, e) ? smpp_rate_next(&s->rate, smpp_entry_cost(e), mono_now())
                             : (struct mono){0};
}

static void put_validity(const struct smpp_session *s, const struct smpp_entry *e, char out[17])
{
    out[0] = 0;
    if (e->valid_until.us == 0)
        return;
    int64_t left = mono_diff_ms(e->valid_until, mono_now());
    if (options(s)->validity == SMPP_VALIDITY_RELATIVE)
        smpp_encode_validity_relative(left, out);
    else if (options(s)->validity == SMPP_VALIDITY_ABSOLUTE)
        smpp_encode_validity_absolute(wall_ms() + left, out);
}

static int encode(struct smpp_session *s, const struct smpp_entry *e, size_t *len)
{
    const struct smpp_carrier_options *o = options(s);
    char validity[17];
    struct smpp_body body;
    smpp_body_fill(&body, e);
    put_validity(s, e, validity);
    struct smpp_submit_fields f = {
        .service_type = o->service_type ? o->service_type : "",
        .source_ton = e->sender.ton,
        .source_npi = e->sender.npi,
        .source = e->sender.address,
        .dest_ton = o->dest_ton,
        .dest_npi = o->dest_npi,
        .destination = e->destination,
        .esm_class = (uint8_t)(o->messaging_mode | body.esm_class),
        .validity_period = validity,
        .registered_delivery = o->registered_delivery,
        .data_coding = e->text.data_coding,
        .short_message = body.p,
        .sm_length = body.len,
        .tlvs = body.tlvs,
        .n_tlvs = body.n_tlvs,
    };
    uint8_t *p = smpp_conn_reserve(s->conn, SMPP_ENCODE_MAX);
    int err = smpp_encode_submit_sm(&f, e->sequence, p, SMPP_ENCODE_MAX, len);
    if (err)
        secret_wipe(p, SMPP_ENCODE_MAX);
    smpp_body_wipe(&body);
    return err;
}

int smpp_session_send(struct smpp_session *s, struct smpp_entry *e)
{
    size_t len;
    if (smpp_session_room(s, e) == 0)
        return ERR_FULL;
    e->sequence = smpp_asks_sequence(s);
    if (encode(s, e, &len) != 0)
        return ERR_INVALID;
    e->offset = smpp_output_data_end(&s->conn->out);
    e->written = mono_now();
    e->expires = smpp_session_expiry(s, e->written);
    smpp_conn_commit(s->conn, len);
    smpp_window_put(&s->window, e);
    smpp_rate_spend(&s->rate, smpp_entry_cost(e), e->written);
    s->counts.submits++;
    if (s->pace == SMPP_PACE_PROBE) {
        s->pace = SMPP_PACE_WAIT;
        s->probe = e->sequence;
    }
    smpp_session_arm(s);
    return 0;
}

/* --- messages that are begun --- */

struct mono smpp_session_expiry(const struct smpp_session *s, struct mono written)
{
    struct mono at = mono_add_ms(written, options(s)->response_timeout_ms);
    return s->draining && s->drain_until.us < at.us ? s->drain_until : at;
}

void smpp_session_hold(struct smpp_session *s, struct smpp_entry *e)
{
    e->parts->is_held = true;
    smpp_entry_insert(&s->begun, e);
    s->n_begun++;
    smpp_session_arm(s);
}

struct smpp_entry *smpp_session_release(struct smpp_session *s, struct smpp_entry *e)
{
    DL_DELETE(s->begun, e);
    s->n_begun--;
    e->parts->is_held = false;
    return e;
}

void smpp_session_go_on(struct smpp_session *s, struct smpp_entry *e)
{
    if (smpp_entry_is_begun(e) && s->state == SMPP_BOUND)
        smpp_session_hold(s, e);
    else
        s->env.ops->back_cb(s->env.owner, e);
}

void smpp_session_give_back(struct smpp_session *s)
{
    while (s->begun)
        s->env.ops->back_cb(s->env.owner, smpp_session_release(s, s->begun));
    smpp_session_unbind_when_empty(s);
}

struct mono smpp_session_begun_due(const struct smpp_session *s)
{
    if (!s->begun)
        return (struct mono){0};
    struct mono at = s->begun->deadline;
    return s->draining && s->drain_until.us < at.us ? s->drain_until : at;
}

void smpp_session_check_begun(struct smpp_session *s, struct mono now)
{
    uint32_t over = 0;
    for (; s->begun && mono_is_past(smpp_session_begun_due(s), now); over++)
        smpp_session_in_doubt(s, smpp_session_release(s, s->begun), "no time for all its parts");
    if (over == 0)
        return;
    LOG(LOG_LV_WARN, s->id, "submits_in_doubt", KV_I("count", over), KV_S("reason", "parts_left"));
    smpp_session_unbind_when_empty(s);
    s->env.ops->room_cb(s->env.owner); /* they were in front */
}

void smpp_session_answer(struct smpp_session *s, struct smpp_delivery handle, uint32_t status)
{
    if (s->serial != handle.session || !s->conn || s->conn->answers_owed == 0)
        return;
    s->conn->answers_owed--;
    smpp_session_reply(s, handle.command_id | SMPP_RESPONSE, status, handle.sequence_number);
}

/* --- how fast --- */

/*
 * ESME_RMSGQFUL can mean the bind's queue or that of one recipient: the latter where the peer has
 * taken a message since it said so of this one before.  Then only this one waits; but for a begun
 * one, which its bind holds.
 */
static bool is_of_recipient(const struct smpp_session *s, const struct smpp_entry *e)
{
    return e->throttle_status == ESME_RMSGQFUL && e->full_at.us != 0 &&
           s->took_at.us > e->full_at.us && !smpp_entry_is_begun(e);
}

void smpp_session_throttle(struct smpp_session *s, struct smpp_entry *e)
{
    struct mono now = mono_now();
    bool is_full = e->throttle_status == ESME_RMSGQFUL, alone = is_of_recipient(s, e);
    uint32_t ms = options(s)->throttle_ms * (is_full ? 2 : 1);
    struct mono until = mono_add_ms(now, smpp_random_between(ms, ms + ms / 2));
    s->counts.throttled++;
    if (is_full)
        e->full_at = now;
    if (alone)
        e->again_at = until;
    if (alone || !smpp_rate_cut(&s->rate, e->written, now))
        return;
    s->pace = SMPP_PACE_PAUSED;
    s->pace_until = until;
    LOG(LOG_LV_INFO, s->id, "bind_throttled", KV_S("status", smpp_status_name(e->throttle_status)),
        KV_I("pause_ms", mono_diff_ms(s->pace_until, now)),
        KV_I("rate_then", smpp_rate_current(&s->rate, now)));
    smpp_session_arm(s);
}

void smpp_session_took(struct smpp_session *s, const struct smpp_entry *e)
{
    struct mono now = mono_now();
    smpp_rate_taken(&s->rate, smpp_entry_cost(e), e->written, now);
    s->took_at = e->written;
    if (s->pace != SMPP_PACE_WAIT || s->probe != e->sequence)
        return;
    s->pace = SMPP_PACE_FREE;
    smpp_rate_resume(&s->rate, now);
    LOG(LOG_LV_INFO, s->id, "bind_resumed", KV_I("rate", smpp_rate_current(&s->rate, now)));
}

void smpp_session_congestion(struct smpp_session *s, uint8_t state)
{
    struct mono now = mono_now();
    if (state > 100) /* reserved */
        return;
    s->congestion = state;
    if (state >= CONGESTED && smpp_rate_slow(&s->rate, now))
        LOG(LOG_LV_INFO, s->id, "bind_congested", KV_I("congestion_state", state),
            KV_I("rate", smpp_rate_current(&s->rate, now)));
}
