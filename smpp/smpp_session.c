#include "smpp/smpp_session.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "smpp/smpp_const.h"

#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>

static const struct state_row {
    const char *name;
    size_t bound; /* offset of the option, 0: none */
    unsigned takes, next;
} state_rows[] = {
#define MS(option)                           offsetof(struct smpp_carrier_options, option)
#define TO(state)                            (1u << SMPP_##state)
#define SMPP_STATE(name, bound, takes, next) [SMPP_##name] = {#name, bound, takes, next},
#include "smpp/smpp_state.def"
#undef MS
#undef TO
};

const char *smpp_state_name(enum smpp_state state)
{
    return (unsigned)state <= SMPP_CLOSED ? state_rows[state].name : "?";
}

uint32_t smpp_random_between(uint32_t min, uint32_t max)
{
    uint64_t r;
    evutil_secure_rng_get_bytes(&r, sizeof r);
    return max <= min ? min : min + (uint32_t)(r % ((uint64_t)max - min + 1));
}

bool smpp_session_takes(const struct smpp_session *s, enum smpp_takes kind)
{
    return (state_rows[s->state].takes & ~smpp_mode_row(s->mode)->refuses & kind) != 0;
}

static const struct smpp_carrier_options *options(const struct smpp_session *s)
{
    return &s->env.config->o;
}

/* --- timer: one per session, armed for the earliest of all that may be due --- */

static struct mono link_due(const struct smpp_session *s)
{
    if (s->state != SMPP_BOUND)
        return (struct mono){0};
    return s->link_until.us ? s->link_until
                            : mono_add_ms(s->last_received, options(s)->enquire_link_ms);
}

static struct mono next_due(const struct smpp_session *s)
{
    struct mono at = s->state_until;
    struct smpp_entry *oldest = smpp_window_oldest(&s->window);
    at = mono_first(at, smpp_session_begun_due(s));
    at = mono_first(at, link_due(s));
    if (oldest)
        at = mono_first(at, oldest->expires);
    at = mono_first(at, smpp_asks_due(s));
    if (s->pace == SMPP_PACE_PAUSED)
        at = mono_first(at, s->pace_until);
    return at;
}

/* Never later than needed; it may fire early and then arms itself again. */
void smpp_session_arm(struct smpp_session *s)
{
    struct mono at = next_due(s);
    if (at.us == 0 || (s->timer_at.us != 0 && s->timer_at.us <= at.us))
        return;
    struct timeval tv = smpp_timeval_us(mono_diff_us(at, mono_now()));
    event_add(s->timer, &tv);
    s->timer_at = at;
}

/* --- the door --- */

static void bound_the_stay(struct smpp_session *s, enum smpp_state from)
{
    size_t bound = state_rows[s->state].bound;
    uint32_t ms;
    if (bound && bound == state_rows[from].bound)
        return;
    s->state_until.us = 0;
    if (bound) {
        memcpy(&ms, (const char *)options(s) + bound, sizeof ms);
        s->state_until = mono_add_ms(mono_now(), ms);
    }
}

void smpp_session_set_state(struct smpp_session *s, enum smpp_state state, const char *reason,
                            uint32_t status)
{
    enum smpp_state from = s->state;
    bool legal = (state_rows[from].next & (1u << state)) != 0;
    str_copy(s->reason, sizeof s->reason, reason);
    s->state = state;
    s->since_ms = wall_ms();
    bound_the_stay(s, from);
    smpp_session_arm(s);
    LOG(legal ? LOG_LV_INFO : LOG_LV_ERROR, s->id, legal ? "bind_state" : "bind_state_illegal",
        KV_S("carrier", options(s)->name), KV_I("bind", s->bind),
        KV_S("from", smpp_state_name(from)), KV_S("to", smpp_state_name(state)),
        KV_S("reason", reason));
    s->env.ops->state_cb(s->env.owner, s, from, status);
}

/* --- ending --- */

bool smpp_session_has_sent(const struct smpp_session *s, uint64_t offset)
{
    return s->conn && offset < s->conn->out.data_written;
}

void smpp_session_pull_back(struct smpp_session *s)
{
    struct smpp_entry *e;
    if (s->conn)
        smpp_conn_retract(s->conn);
    smpp_asks_pull_back(s);
    while ((e = smpp_window_newest(&s->window)) && !smpp_session_has_sent(s, e->offset)) {
        uint32_t sequence = e->sequence;
        smpp_window_take(&s->window, sequence);
        s->counts.submits--;
        if (s->pace == SMPP_PACE_WAIT && s->probe == sequence)
            s->pace = SMPP_PACE_PROBE;
        smpp_session_go_on(s, e);
    }
    if (s->state != SMPP_BOUND)
        smpp_session_give_back(s);
}

void smpp_session_in_doubt(struct smpp_session *s, struct smpp_entry *e, const char *reason)
{
    struct smpp_result r = {
        .outcome = SMPP_UNKNOWN, .reason = reason, .rtt_us = -1, .bind = s->bind};
    s->env.ops->done_cb(s->env.owner, e, &r);
}

static void settle_window(struct smpp_session *s)
{
    struct smpp_entry *e;
    uint32_t lost = 0;
    while ((e = smpp_window_oldest(&s->window))) {
        smpp_window_take(&s->window, e->sequence);
        lost++;
        s->counts.in_doubt++;
        smpp_session_in_doubt(s, e, "connection ended before the answer");
    }
    if (lost)
        LOG(LOG_LV_WARN, s->id, "submits_in_doubt", KV_I("count", lost),
            KV_S("reason", "connection_ended"));
    smpp_asks_lose(s);
}

void smpp_session_end(struct smpp_session *s, enum smpp_end end, const char *reason,
                      uint32_t status)
{
    if (s->state == SMPP_IDLE || s->state == SMPP_CLOSED)
        return;
    struct smpp_conn *conn = s->conn;
    (s->bound_at.us ? s->counts.ended : s->counts.failed)[end]++;
    if (s->lookup)
        smpp_lookup_cancel(s->lookup);
    if (conn)
        smpp_conn_close(conn); /* its memory stays until after this turn */
    s->link_until.us = 0;
    if (s->pace == SMPP_PACE_WAIT)
        s->pace = SMPP_PACE_PROBE;
    smpp_session_set_state(s, s->stopping ? SMPP_CLOSED : SMPP_IDLE, reason, status);
    smpp_session_pull_back(s);
    settle_window(s);
    s->conn = NULL;
    s->serial = 0;
    s->env.ops->room_cb(s->env.owner); /* other binds may take what came back */
    s->env.ops->ended_cb(s->env.owner, s, end);
}

/* --- unbinding --- */

void smpp_session_unbind_when_empty(struct smpp_session *s)
{
    if (s->state != SMPP_BOUND || !s->draining || s->window.in_flight > 0 || s->begun)
        return;
    smpp_session_pull_back(s); /* asks: the unbind overtakes what has not left */
    s->unbind_sequence = smpp_window_sequence(&s->window);
    smpp_session_reply(s, SMPP_UNBIND, 0, s->unbind_sequence);
    smpp_session_set_state(s, SMPP_UNBINDING, s->unbind_reason, 0);
}

void smpp_session_left(struct smpp_session *s, uint32_t sequence)
{
    /* The probe went unanswered or was refused: try the next one. */
    if (s->pace == SMPP_PACE_WAIT && s->probe == sequence)
        s->pace = SMPP_PACE_PROBE;
    smpp_session_unbind_when_empty(s);
    s->env.ops->room_cb(s->env.owner);
}

void smpp_session_unbind(struct smpp_session *s, const char *reason)
{
    if (!s->draining)
        s->drain_until = mono_add_ms(mono_now(), options(s)->response_timeout_ms);
    s->draining = true;
    s->unbind_reason = reason;
    smpp_session_arm(s);
    if (s->state == SMPP_BOUND) {
        smpp_session_unbind_when_empty(s);
        s->env.ops->room_cb(s->env.owner); /* other binds may take asks that came back */
    } else if (s->state != SMPP_UNBINDING && s->state != SMPP_IDLE) {
        smpp_session_end(s, SMPP_END_STOPPED, reason, 0);
    }
}

void smpp_session_drain(struct smpp_session *s)
{
    s->stopping = true;
    if (s->state == SMPP_IDLE)
        smpp_session_set_state(s, SMPP_CLOSED, "drained", 0);
    else
        smpp_session_unbind(s, "drained");
}

void smpp_session_stay(struct smpp_session *s)
{
    s->draining = false;
    s->env.ops->room_cb(s->env.owner);
}

void smpp_session_stop(struct smpp_session *s)
{
    s->stopping = s->draining = true;
    if (s->state == SMPP_IDLE)
        smpp_session_set_state(s, SMPP_CLOSED, "stopped", 0);
    if (s->state == SMPP_BOUND) {
        smpp_conn_retract(s->conn);
        smpp_session_reply(s, SMPP_UNBIND, 0, smpp_window_sequence(&s->window));
        smpp_conn_flush_last(s->conn);
    }
    smpp_session_end(s, SMPP_END_STOPPED, "stopped", 0);
    /* Inside a callback from smpp_session_end(): what that has not settled yet. */
    smpp_session_pull_back(s);
    settle_window(s);
}

/* --- when the timer fires --- */

static void check_state(struct smpp_session *s, struct mono now)
{
    if (s->state_until.us == 0 || !mono_is_past(s->state_until, now))
        return;
    switch (s->state) {
    case SMPP_RESOLVING:
        smpp_session_lost(s, "timeout while resolving");
        break;
    case SMPP_CONNECTING:
        smpp_session_lost(s, smpp_session_is_shaking_hands(s) ? "timeout in the TLS handshake"
                                                              : "timeout while connecting");
        break;
    case SMPP_BINDING:
        smpp_session_end(s, SMPP_END_SILENT, "timeout while binding", 0);
        break;
    default:
        smpp_session_lost(s, "timeout while unbinding");
    }
}

static void check_link(struct smpp_session *s, struct mono now)
{
    struct mono due = link_due(s);
    if (due.us == 0 || !mono_is_past(due, now))
        return;
    if (s->link_until.us) {
        smpp_session_end(s, SMPP_END_SILENT, "enquire_link not answered", 0);
        return;
    }
    smpp_session_reply(s, SMPP_ENQUIRE_LINK, 0, smpp_window_sequence(&s->window));
    s->link_until = mono_add_ms(now, options(s)->response_timeout_ms);
}

/*
 * A peer may answer enquire_link and no submit any more.  It is left when a submit has been given
 * up that went out a whole time-out after the first one; a single one says nothing, and its answer
 * may still come.
 */
static void check_mute(struct smpp_session *s, struct mono written)
{
    struct mono second = mono_add_ms(s->mute_since, options(s)->response_timeout_ms);
    if (s->state == SMPP_BOUND && s->mute_since.us && mono_is_past(second, written))
        smpp_session_end(s, SMPP_END_MUTE, "submits are not answered", 0);
}

static void check_window(struct smpp_session *s, struct mono now)
{
    struct smpp_entry *e;
    struct mono written = {0};
    uint32_t expired = 0;
    while ((e = smpp_window_expire(&s->window, now))) {
        uint32_t sequence = e->sequence;
        expired++;
        s->counts.in_doubt++;
        written = e->written;
        if (!s->mute_since.us)
            s->mute_since = written;
        smpp_session_in_doubt(s, e, "no answer in time");
        smpp_session_left(s, sequence);
    }
    if (!expired)
        return;
    LOG(LOG_LV_WARN, s->id, "submits_in_doubt", KV_I("count", expired),
        KV_S("reason", "no_answer"));
    check_mute(s, written);
}

static void check_pace(struct smpp_session *s, struct mono now)
{
    if (s->pace != SMPP_PACE_PAUSED || !mono_is_past(s->pace_until, now))
        return;
    s->pace = SMPP_PACE_PROBE;
    s->env.ops->room_cb(s->env.owner);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_session *s = arg;
    struct mono now = mono_now();
    s->timer_at.us = 0;
    check_window(s, now);
    smpp_session_check_begun(s, now);
    smpp_asks_check(s, now);
    check_pace(s, now);
    check_state(s, now);
    check_link(s, now);
    smpp_session_arm(s);
}

void smpp_session_name(const struct smpp_session *s, char *out, size_t size)
{
    const char *leg = options(s)->mode == SMPP_PAIR ? smpp_mode_row(s->mode)->leg : "";
    snprintf(out, size, "%u%s", s->bind, leg);
}

static void put_names(struct smpp_session *s)
{
    char name[SMPP_SESSION_NAME];
    smpp_session_name(s, name, sizeof name);
    snprintf(s->id, sizeof s->id, "%s/%s", options(s)->name, name);
    str_copy(s->reason, sizeof s->reason, "new");
}

int smpp_session_init(struct smpp_session *s, const struct smpp_session_env *env, uint32_t nth)
{
    *s = (struct smpp_session){.env = *env,
                               .nth = nth,
                               .bind = smpp_mode_bind_of_link(&env->config->o, nth),
                               .mode = smpp_mode_of_link(&env->config->o, nth),
                               .state = SMPP_IDLE,
                               .rtt_us = -1,
                               .congestion = -1,
                               .peer_version = -1};
    smpp_rate_init(&s->rate, smpp_config_bind_rate(env->config), mono_now());
    put_names(s);
    s->since_ms = wall_ms();
    if (smpp_window_init(&s->window, options(s)->window) != 0)
        return ERR_NOMEM;
    s->timer = event_new(env->base, -1, 0, timer_cb, s);
    if (s->timer)
        return 0;
    smpp_window_clear(&s->window);
    return ERR_NOMEM;
}

void smpp_session_clear(struct smpp_session *s)
{
    if (s->timer)
        event_free(s->timer);
    s->timer = NULL;
    if (s->window.slots)
        smpp_window_clear(&s->window);
}
