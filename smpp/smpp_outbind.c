#include "smpp/smpp_outbind.h"

#include "base/log.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"
#include "smpp/smpp_dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 8
#define RETRY_S 2

struct guest {
    struct smpp_outbind *door;
    struct smpp_conn *conn; /* NULL: the place is free */
    struct event *timer;
    char peer[64];
};

struct smpp_outbind {
    struct smpp_outbind_env env;
    struct evconnlistener *listener; /* NULL: not open */
    struct event *retry;
    bool was_told; /* that the port is not to be had */
    struct guest guests[SMPP_CALLERS_MAX];
    uint64_t counts[SMPP_GUESTS];
};

static const char *const names[] = {
#define SMPP_GUEST(name, label) label,
#include "smpp/smpp_guest.def"
};

const char *smpp_guest_name(enum smpp_guest result)
{
    return (unsigned)result < SMPP_GUESTS ? names[result] : "?";
}

static const struct smpp_carrier_options *options(const struct smpp_outbind *o)
{
    return &o->env.config->o;
}

/* The one way out for a guest, and for one that does not get in.  Of what anybody can do without
 * end, each line stands for as many as came before it. */
static void settle(struct smpp_outbind *o, const char *peer, enum smpp_guest result)
{
    uint64_t n = ++o->counts[result];
    enum log_level level = (n & (n - 1)) == 0 ? LOG_LV_WARN : LOG_LV_DEBUG;
    LOG(result == SMPP_GUEST_TAKEN ? LOG_LV_INFO : level, options(o)->name, "outbind",
        KV_S("peer", peer), KV_S("result", smpp_guest_name(result)), KV_I("count", n));
}

static void leave(struct guest *g, enum smpp_guest result)
{
    struct smpp_conn *conn = g->conn;
    g->conn = NULL;
    event_del(g->timer);
    if (result != SMPP_GUEST_TAKEN)
        smpp_conn_close(conn);
    settle(g->door, g->peer, result);
}

static bool is_known(const struct smpp_outbind *o, const struct smpp_pdu *pdu)
{
    struct smpp_str id = smpp_pdu_str(pdu, SMPP_F_SYSTEM_ID);
    struct smpp_str password = smpp_pdu_str(pdu, SMPP_F_PASSWORD);
    const struct smpp_carrier_options *k = options(o);
    bool same_id = secret_equal(id.p, id.len, k->outbind_system_id, strlen(k->outbind_system_id));
    bool same_password = secret_equal(password.p, password.len, k->outbind_password->data,
                                      k->outbind_password->len);
    return same_id && same_password;
}

/* Not ours before the call: the carrier may be drained or freed in a callback of the session. */
static bool hand_over(struct guest *g)
{
    struct smpp_conn *conn = g->conn;
    g->conn = NULL;
    bool taken = g->door->env.take_cb(g->door->env.arg, conn, g->peer);
    if (!taken)
        g->conn = conn;
    return taken;
}

static void frame_cb(void *arg, const struct smpp_frame *frame)
{
    struct guest *g = arg;
    struct smpp_outbind *o = g->door;
    struct smpp_pdu pdu;
    enum smpp_guest result = SMPP_GUEST_TAKEN;
    if (frame->command_id != (uint32_t)SMPP_OUTBIND || smpp_decode(frame, &pdu) != SMPP_DECODE_OK)
        result = SMPP_GUEST_NO_OUTBIND;
    else if (!is_known(o, &pdu))
        result = SMPP_GUEST_CREDENTIALS;
    else if (!hand_over(g))
        result = SMPP_GUEST_NOT_AWAITED;
    leave(g, result);
}

static void nothing_cb(void *arg)
{
    (void)arg; /* nothing is written to a guest */
}

static void framing_cb(void *arg)
{
    leave(arg, SMPP_GUEST_NO_OUTBIND);
}

static void lost_cb(void *arg, const char *reason)
{
    (void)reason;
    leave(arg, SMPP_GUEST_LOST);
}

static const struct smpp_conn_cbs guest_cbs = {nothing_cb, frame_cb,   nothing_cb,
                                               nothing_cb, framing_cb, lost_cb};

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    leave(arg, SMPP_GUEST_SILENT);
}

static struct guest *free_place(struct smpp_outbind *o)
{
    for (int i = 0; i < SMPP_CALLERS_MAX; i++)
        if (!o->guests[i].conn)
            return &o->guests[i];
    return NULL;
}

static void name_of(const struct sockaddr *sa, int len, char *out, size_t size)
{
    char host[48], port[8];
    if (getnameinfo(sa, (socklen_t)len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(out, size, "?");
    else
        snprintf(out, size, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void seat(struct guest *g, int fd)
{
    struct smpp_outbind *o = g->door;
    const struct smpp_carrier_options *k = options(o);
    struct smpp_conn_params p = {.base = o->env.base,
                                 .reap = o->env.reap,
                                 .cbs = &guest_cbs,
                                 .arg = g,
                                 .max_answers_owed = k->max_deliveries};
    struct timeval tv = {k->bind_timeout_ms / 1000, k->bind_timeout_ms % 1000 * 1000};
    g->conn = smpp_conn_new(&p, fd);
    if (g->conn)
        event_add(g->timer, &tv);
    else
        settle(o, g->peer, SMPP_GUEST_LOST);
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
    struct smpp_outbind *o = arg;
    struct guest *g = free_place(o);
    char peer[sizeof g->peer];
    (void)l;
    name_of(sa, len, peer, sizeof peer);
    if (!g || smpp_dial_set_options(fd, options(o)->response_timeout_ms) != 0) {
        close(fd);
        settle(o, peer, g ? SMPP_GUEST_LOST : SMPP_GUEST_CROWDED);
        return;
    }
    memcpy(g->peer, peer, sizeof peer);
    seat(g, fd);
}

/* --- the door --- */

static void try_later(struct smpp_outbind *o, int why)
{
    struct timeval tv = {RETRY_S, 0};
    if (!o->was_told)
        LOG(LOG_LV_ERROR, options(o)->name, "outbind_not_listening",
            KV_S("address", options(o)->outbind_listen), KV_S("reason", strerror(why)));
    o->was_told = true;
    event_add(o->retry, &tv);
}

/* No descriptors: without a pause the loop would spin. */
static void error_cb(struct evconnlistener *l, void *arg)
{
    struct smpp_outbind *o = arg;
    evconnlistener_disable(l);
    try_later(o, errno);
}

void smpp_outbind_start(struct smpp_outbind *o)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    if (o->listener) {
        evconnlistener_enable(o->listener);
        return;
    }
    /* smpp_config_init() has parsed it before */
    if (evutil_parse_sockaddr_port(options(o)->outbind_listen, (struct sockaddr *)&ss, &len) == 0)
        o->listener = evconnlistener_new_bind(o->env.base, accept_cb, o,
                                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                                  LEV_OPT_REUSEABLE,
                                              BACKLOG, (struct sockaddr *)&ss, len);
    if (!o->listener) {
        try_later(o, errno);
        return;
    }
    o->was_told = false;
    evconnlistener_set_error_cb(o->listener, error_cb);
    LOG(LOG_LV_INFO, options(o)->name, "outbind_listening",
        KV_S("address", options(o)->outbind_listen));
}

static void retry_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    smpp_outbind_start(arg);
}

void smpp_outbind_stop(struct smpp_outbind *o)
{
    event_del(o->retry);
    if (o->listener)
        evconnlistener_free(o->listener);
    o->listener = NULL;
    for (int i = 0; i < SMPP_CALLERS_MAX; i++)
        if (o->guests[i].conn)
            leave(&o->guests[i], SMPP_GUEST_NOT_AWAITED);
}

struct smpp_outbind *smpp_outbind_new(const struct smpp_outbind_env *env)
{
    struct smpp_outbind *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->env = *env;
    o->retry = event_new(env->base, -1, 0, retry_cb, o);
    bool good = o->retry != NULL;
    for (int i = 0; i < SMPP_CALLERS_MAX; i++) {
        o->guests[i].door = o;
        o->guests[i].timer = event_new(env->base, -1, 0, timer_cb, &o->guests[i]);
        good = good && o->guests[i].timer;
    }
    if (good)
        return o;
    smpp_outbind_free(o);
    return NULL;
}

void smpp_outbind_free(struct smpp_outbind *o)
{
    for (int i = 0; i < SMPP_CALLERS_MAX; i++)
        if (o->guests[i].timer)
            event_free(o->guests[i].timer);
    if (o->retry)
        event_free(o->retry);
    free(o);
}

bool smpp_outbind_is_open(const struct smpp_outbind *o)
{
    return o->listener != NULL;
}

const uint64_t *smpp_outbind_counts(const struct smpp_outbind *o)
{
    return o->counts;
}
