#include "smpp/smpp_session.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_tls.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

#define EXPIRES_SOON_MS (14 * 24 * 3600 * INT64_C(1000)) /* a certificate, then it is a warning */

static uint64_t last_serial;

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

static void earlier(struct mono *at, struct mono candidate)
{
    if (candidate.us != 0 && (at->us == 0 || candidate.us < at->us))
        *at = candidate;
}

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
    earlier(&at, smpp_session_begun_due(s));
    earlier(&at, link_due(s));
    if (oldest)
        earlier(&at, oldest->expires);
    earlier(&at, smpp_asks_due(s));
    if (s->pace == SMPP_PACE_PAUSED)
        earlier(&at, s->pace_until);
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

/* Has its first octet reached the kernel (or OpenSSL)? */
static bool is_sent(const struct smpp_session *s, const struct smpp_entry *e)
{
    return s->conn && e->offset < s->conn->out.data_written;
}

void smpp_session_pull_back(struct smpp_session *s)
{
    struct smpp_entry *e;
    if (s->conn)
        smpp_conn_retract(s->conn);
    smpp_asks_pull_back(s);
    while ((e = smpp_window_newest(&s->window)) && !is_sent(s, e)) {
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

static bool is_shaking_hands(const struct smpp_session *s)
{
    return s->conn && s->conn->tls && s->conn->connected && !s->conn->open;
}

/* What it means that the connection is over. */
static enum smpp_end end_of(const struct smpp_session *s)
{
    if (s->state == SMPP_UNBINDING)
        return s->draining ? SMPP_END_STOPPED : SMPP_END_UNBIND;
    if (s->state == SMPP_BOUND || s->state == SMPP_BINDING)
        return SMPP_END_LOST;
    return is_shaking_hands(s) ? SMPP_END_TLS : SMPP_END_UNREACHED;
}

/* --- unbinding --- */

void smpp_session_unbind_when_empty(struct smpp_session *s)
{
    if (s->state != SMPP_BOUND || !s->draining || s->window.in_flight > 0 || s->begun)
        return;
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
    if (s->state == SMPP_BOUND)
        smpp_session_unbind_when_empty(s);
    else if (s->state != SMPP_UNBINDING && s->state != SMPP_IDLE)
        smpp_session_end(s, SMPP_END_STOPPED, reason, 0);
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

/* --- what the connection tells --- */

static void note_certificate(struct smpp_session *s)
{
    char until[32];
    s->tls_version = smpp_tls_version(s->conn->tls);
    s->tls_expires_ms = smpp_tls_expires_ms(s->conn->tls);
    wall_format(s->tls_expires_ms, until, sizeof until);
    LOG(s->tls_expires_ms < wall_ms() + EXPIRES_SOON_MS ? LOG_LV_WARN : LOG_LV_INFO, s->id,
        "tls_connected", KV_S("version", s->tls_version), KV_S("certificate_until", until));
}

static void open_cb(void *arg)
{
    struct smpp_session *s = arg;
    if (s->conn->tls)
        note_certificate(s);
    smpp_session_set_state(s, SMPP_BINDING, "connected", 0);
    if (s->state == SMPP_BINDING) /* else it was stopped in the callback */
        smpp_session_bind(s);
}

static void frame_cb(void *arg, const struct smpp_frame *frame)
{
    struct smpp_session *s = arg;
    s->last_received = mono_now();
    if (s->link_until.us) {
        s->link_until.us = 0;
        smpp_session_arm(s); /* the next enquire_link may be due before its time-out was */
    }
    smpp_session_dispatch(s, frame);
}

static void blocked_cb(void *arg)
{
    struct smpp_session *s = arg;
    smpp_session_pull_back(s);
    smpp_session_unbind_when_empty(s);
    s->env.ops->room_cb(s->env.owner); /* other binds may take it */
}

static void writable_cb(void *arg)
{
    struct smpp_session *s = arg;
    s->env.ops->room_cb(s->env.owner);
}

static void framing_cb(void *arg)
{
    struct smpp_session *s = arg;
    smpp_conn_retract(s->conn);
    smpp_session_reply(s, SMPP_GENERIC_NACK, ESME_RINVCMDLEN, 0);
    smpp_conn_flush_last(s->conn);
    smpp_session_end(s, SMPP_END_FRAMING, "framing lost: command_length out of range", 0);
}

/* Somebody has to look: it will not pass by itself. */
static void warn_of_tls(const struct smpp_session *s, const char *reason)
{
    if (is_shaking_hands(s))
        LOG(LOG_LV_WARN, s->id, "tls_failed", KV_S("host", s->host), KV_S("reason", reason));
}

static void lost_cb(void *arg, const char *reason)
{
    warn_of_tls(arg, reason);
    smpp_session_end(arg, end_of(arg), reason, 0);
}

static const struct smpp_conn_cbs conn_cbs = {open_cb,     frame_cb,   blocked_cb,
                                              writable_cb, framing_cb, lost_cb};

/* --- starting --- */

static const char *peer_name(const struct smpp_session *s)
{
    const char *name = options(s)->tls_name;
    return name && *name ? name : s->host;
}

static void number_connection(struct smpp_session *s)
{
    s->serial = ++last_serial;
    s->mute_since.us = 0;
    smpp_window_reset(&s->window);
}

static void connect_to(struct smpp_session *s)
{
    const struct smpp_carrier_options *o = options(s);
    struct smpp_conn_params p = {.base = s->env.base,
                                 .reap = s->env.reap,
                                 .cbs = &conn_cbs,
                                 .arg = s,
                                 .max_answers_owed = o->max_deliveries};
    int fd;
    if (smpp_dial_connect(&s->address, o->local_address, o->response_timeout_ms, &fd) != 0) {
        smpp_session_end(s, SMPP_END_UNREACHED, strerror(errno), 0);
        return;
    }
    SSL_CTX *tls = s->env.config->tls;
    if (tls && !(p.tls = smpp_tls_new(tls, peer_name(s))))
        close(fd);
    else
        s->conn = smpp_conn_new(&p, fd);
    if (!s->conn) {
        smpp_session_end(s, SMPP_END_UNREACHED, "out of memory", 0);
        return;
    }
    number_connection(s);
}

static void lookup_cb(void *arg, const struct smpp_address *address, const char *error)
{
    struct smpp_session *s = arg;
    if (!address) {
        smpp_session_end(s, SMPP_END_UNREACHED, error, 0);
        return;
    }
    s->address = *address;
    smpp_session_set_state(s, SMPP_CONNECTING, "resolved", 0);
    if (s->state == SMPP_CONNECTING)
        connect_to(s);
}

static void resolve(struct smpp_session *s, const char *host, uint32_t nth)
{
    struct smpp_lookup_request r = {s->env.dns, host, options(s)->port, nth, lookup_cb, s};
    smpp_session_set_state(s, SMPP_RESOLVING, host, 0);
    if (s->state != SMPP_RESOLVING)
        return;
    if (!s->env.dns)
        smpp_session_end(s, SMPP_END_UNREACHED, "a name, and no resolver", 0);
    else if (smpp_lookup_start(&s->lookup, &r) != 0)
        smpp_session_end(s, SMPP_END_UNREACHED, "out of memory", 0);
}

static void begin(struct smpp_session *s, const char *host)
{
    s->bound_at.us = 0;
    s->draining = false;
    str_copy(s->host, sizeof s->host, host);
}

void smpp_session_adopt(struct smpp_session *s, struct smpp_conn *conn, const char *peer)
{
    begin(s, peer);
    s->conn = conn;
    conn->cbs = &conn_cbs;
    conn->arg = s;
    number_connection(s);
    smpp_session_set_state(s, SMPP_BINDING, "outbind", 0);
    if (s->state == SMPP_BINDING) /* else it was stopped in the callback */
        smpp_session_bind(s);
}

void smpp_session_start(struct smpp_session *s, const char *host, uint32_t nth)
{
    if (s->state != SMPP_IDLE)
        return;
    begin(s, host);
    if (smpp_dial_parse(host, options(s)->port, &s->address) != 0) {
        resolve(s, host, nth);
        return;
    }
    smpp_session_set_state(s, SMPP_CONNECTING, host, 0);
    if (s->state == SMPP_CONNECTING)
        connect_to(s);
}

/* --- when the timer fires --- */

static void check_state(struct smpp_session *s, struct mono now)
{
    if (s->state_until.us == 0 || !mono_is_past(s->state_until, now))
        return;
    switch (s->state) {
    case SMPP_RESOLVING:
        lost_cb(s, "timeout while resolving");
        break;
    case SMPP_CONNECTING:
        lost_cb(s,
                is_shaking_hands(s) ? "timeout in the TLS handshake" : "timeout while connecting");
        break;
    case SMPP_BINDING:
        smpp_session_end(s, SMPP_END_SILENT, "timeout while binding", 0);
        break;
    default:
        lost_cb(s, "timeout while unbinding");
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
