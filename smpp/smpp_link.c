#include "smpp/smpp_link.h"

#include "base/log.h"
#include "base/result.h"

#include <event2/event.h>

#define CREDENTIALS_SPREAD 3 /* ceiling over floor */

static const struct {
    const char *name;
    enum smpp_wait wait;
} ends[SMPP_ENDS] = {
#define SMPP_END(name, label, wait) {label, SMPP_WAIT_##wait},
#include "smpp/smpp_end.def"
};

const char *smpp_end_name(enum smpp_end end)
{
    return (unsigned)end < SMPP_ENDS ? ends[end].name : "?";
}

enum smpp_wait smpp_link_wait(enum smpp_end end)
{
    return ends[end].wait;
}

void smpp_link_backoff(const struct smpp_carrier_options *o, enum smpp_wait wait, uint32_t failures,
                       uint32_t *min_ms, uint32_t *max_ms)
{
    uint64_t max = o->backoff_max_ms;
    *min_ms = o->backoff_min_ms;
    if (wait == SMPP_WAIT_BUSY) {
        *min_ms = o->backoff_bound_min_ms;
        max = o->backoff_bound_max_ms;
    } else if (wait == SMPP_WAIT_CREDENTIALS) {
        *min_ms = o->backoff_credentials_ms;
        max = (uint64_t)o->backoff_credentials_ms * CREDENTIALS_SPREAD;
    }
    uint64_t ceiling = (uint64_t)*min_ms << (failures < 16 ? failures + 1 : 17);
    *max_ms = (uint32_t)(ceiling < max ? ceiling : max);
}

static void plan(struct smpp_link *l, uint32_t ms)
{
    struct timeval tv = smpp_timeval_us((int64_t)ms * 1000);
    l->next_attempt = mono_add_ms(mono_now(), ms);
    event_add(l->timer, &tv);
}

static void cancel(struct smpp_link *l)
{
    event_del(l->timer);
    l->next_attempt.us = 0;
    l->awaits_outbind = false;
}

static void attempt_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smpp_link *l = arg;
    const struct smpp_carrier_options *o = &l->session.env.config->o;
    l->next_attempt.us = 0;
    if (smpp_mode_is_dialled(o, l->session.mode)) {
        l->awaits_outbind = true;
        return;
    }
    uint32_t nth = l->attempts++ / (uint32_t)o->n_hosts;
    smpp_session_start(&l->session, o->hosts[l->host], nth);
}

bool smpp_link_adopt(struct smpp_link *l, struct smpp_conn *conn, const char *peer)
{
    if (!l->awaits_outbind)
        return false;
    l->awaits_outbind = false;
    smpp_session_adopt(&l->session, conn, peer);
    return true;
}

/* Milliseconds that the last attempt was BOUND, -1: it was not. */
static int64_t bound_for(const struct smpp_session *s)
{
    return s->bound_at.us ? mono_diff_ms(mono_now(), s->bound_at) : -1;
}

static uint32_t next_wait(struct smpp_link *l, enum smpp_wait wait)
{
    const struct smpp_carrier_options *o = &l->session.env.config->o;
    int64_t held = bound_for(&l->session);
    if (wait != l->last_wait || held >= o->backoff_max_ms)
        l->failures = l->tried = 0;
    l->last_wait = wait;
    if (held < 0) {
        l->host = (l->host + 1) % (uint32_t)o->n_hosts;
        if (wait == SMPP_WAIT_NETWORK && ++l->tried < o->n_hosts)
            return 0;
    }
    l->tried = 0;
    uint32_t min, max;
    smpp_link_backoff(o, wait, l->failures++, &min, &max);
    return smpp_random_between(min, max);
}

/* In the next turn. */
static void attempt_now(struct smpp_link *l)
{
    l->at_once = false;
    l->failures = l->tried = 0;
    plan(l, 0);
}

static void ended_cb(void *owner, struct smpp_session *s, enum smpp_end end)
{
    (void)owner;
    struct smpp_link *l = (struct smpp_link *)s;
    if (s->state == SMPP_IDLE && l->at_once) {
        attempt_now(l);
    } else if (s->state == SMPP_IDLE && !l->is_down) {
        uint32_t wait = next_wait(l, smpp_link_wait(end));
        if (l->last_wait == SMPP_WAIT_NETWORK && smpp_mode_is_dialled(&s->env.config->o, s->mode))
            wait = 0;
        LOG(LOG_LV_INFO, s->id, "bind_wait", KV_S("after", smpp_end_name(end)),
            KV_I("wait_ms", wait), KV_I("failures", l->failures));
        plan(l, wait);
    }
}

int smpp_link_init(struct smpp_link *l, const struct smpp_session_env *env, uint32_t nth)
{
    struct smpp_session_env own = *env;
    *l = (struct smpp_link){.ops = *env->ops};
    l->ops.ended_cb = ended_cb;
    own.ops = &l->ops;
    l->timer = event_new(env->base, -1, 0, attempt_cb, l);
    if (!l->timer || smpp_session_init(&l->session, &own, nth) != 0) {
        smpp_link_clear(l);
        return ERR_NOMEM;
    }
    return 0;
}

void smpp_link_start(struct smpp_link *l)
{
    if (!l->is_down)
        plan(l, 0);
}

void smpp_link_update(struct smpp_link *l)
{
    const struct smpp_carrier_options *o = &l->session.env.config->o;
    uint32_t min, max;
    l->host %= (uint32_t)o->n_hosts;
    if (l->failures == 0)
        return;
    smpp_link_backoff(o, l->last_wait, l->failures - 1, &min, &max);
    if (smpp_link_next_attempt_ms(l) > max)
        plan(l, smpp_random_between(min, max));
}

int64_t smpp_link_next_attempt_ms(const struct smpp_link *l)
{
    if (l->next_attempt.us == 0)
        return -1;
    int64_t ms = mono_diff_ms(l->next_attempt, mono_now());
    return ms > 0 ? ms : 0;
}

/* --- what operators ask for --- */

const char *smpp_link_down(struct smpp_link *l)
{
    if (l->is_down)
        return "was down";
    l->is_down = true;
    l->at_once = false;
    cancel(l);
    smpp_session_unbind(&l->session, "taken down by the operator");
    return l->session.state == SMPP_IDLE ? "is down" : "unbinds, then is down";
}

const char *smpp_link_up(struct smpp_link *l)
{
    if (!l->is_down)
        return "was not down";
    l->is_down = false;
    if (l->session.state == SMPP_IDLE) {
        attempt_now(l);
        return "binds now";
    }
    if (l->session.state == SMPP_BOUND) {
        smpp_session_stay(&l->session);
        return "stays bound";
    }
    l->at_once = true;
    return "binds when it has unbound";
}

const char *smpp_link_restart(struct smpp_link *l)
{
    if (l->is_down || l->session.state == SMPP_IDLE)
        return smpp_link_retry_now(l);
    l->at_once = true;
    smpp_session_unbind(&l->session, "restarted by the operator");
    return l->session.state == SMPP_IDLE ? "binds now" : "unbinds, then binds";
}

const char *smpp_link_retry_now(struct smpp_link *l)
{
    if (l->is_down)
        return "is down: take it up first";
    if (l->session.state == SMPP_BOUND)
        return "is bound";
    if (l->session.state != SMPP_IDLE)
        return "is at it";
    if (l->awaits_outbind)
        return "waits for the SMSC to connect";
    attempt_now(l);
    return "binds now";
}

void smpp_link_drain(struct smpp_link *l)
{
    cancel(l);
    smpp_session_drain(&l->session);
}

void smpp_link_stop(struct smpp_link *l)
{
    cancel(l);
    smpp_session_stop(&l->session);
}

void smpp_link_clear(struct smpp_link *l)
{
    if (l->timer)
        event_free(l->timer);
    l->timer = NULL;
    smpp_session_clear(&l->session);
}
