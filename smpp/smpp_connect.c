/* The connection of a session: how it comes about, and what it tells. */
#include "smpp/smpp_session.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPIRES_SOON_MS (14 * 24 * 3600 * INT64_C(1000)) /* a certificate, then it is a warning */

static uint64_t last_serial;

static const struct smpp_carrier_options *options(const struct smpp_session *s)
{
    return &s->env.config->o;
}

/* --- its end --- */

bool smpp_session_is_shaking_hands(const struct smpp_session *s)
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
    return smpp_session_is_shaking_hands(s) ? SMPP_END_TLS : SMPP_END_UNREACHED;
}

/* Somebody has to look: it will not pass by itself. */
static void warn_of_tls(const struct smpp_session *s, const char *reason)
{
    if (smpp_session_is_shaking_hands(s))
        LOG(LOG_LV_WARN, s->id, "tls_failed", KV_S("host", s->host), KV_S("reason", reason));
}

void smpp_session_lost(struct smpp_session *s, const char *reason)
{
    warn_of_tls(s, reason);
    smpp_session_end(s, end_of(s), reason, 0);
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

static void lost_cb(void *arg, const char *reason)
{
    smpp_session_lost(arg, reason);
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
    s->unbind_sequence = 0;
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
        char reason[sizeof s->reason];
        snprintf(reason, sizeof reason, "%.45s: %s", s->host, error);
        smpp_session_end(s, SMPP_END_UNREACHED, reason, 0);
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
