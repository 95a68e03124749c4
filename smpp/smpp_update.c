/* Other options for a running carrier: prepared whole, then swapped in. */
#include "smpp/smpp_carrier.h"

#include "base/result.h"

#include <event2/event.h>
#include <stdlib.h>

struct smpp_link *smpp_carrier_link_new(const struct smpp_carrier *c,
                                        const struct smpp_config *config, uint32_t nth)
{
    struct smpp_session_env env = c->env;
    struct smpp_link *l = malloc(sizeof *l);
    env.config = config;
    if (l && smpp_link_init(l, &env, nth) != 0) {
        free(l);
        l = NULL;
    }
    return l;
}

void smpp_carrier_link_free(struct smpp_link *l)
{
    smpp_link_clear(l);
    free(l);
}

int smpp_carrier_reserve(struct smpp_carrier *c, const struct smpp_carrier_options *o)
{
    size_t need = (size_t)o->max_queue + (size_t)o->binds * o->window;
    if (need <= c->slab_size)
        return 0;
    size_t more = need - c->slab_size;
    struct smpp_slab *s = calloc(1, sizeof *s + more * sizeof s->entries[0]);
    if (!s)
        return ERR_NOMEM;
    s->size = more;
    s->next = c->slabs;
    c->slabs = s;
    c->slab_size = need;
    return 0;
}

static bool is_closed(const struct smpp_link *l)
{
    return l->session.state == SMPP_CLOSED;
}

static bool is_receiver_leg(const struct smpp_carrier *c, uint32_t nth)
{
    return c->config.o.mode == SMPP_PAIR && c->links[nth]->session.mode == SMPP_RECEIVER;
}

void smpp_carrier_drain_link(struct smpp_carrier *c, uint32_t nth)
{
    if (is_receiver_leg(c, nth) && !is_closed(c->links[nth - 1]))
        return;
    if (!c->links[nth]->session.stopping)
        smpp_link_drain(c->links[nth]);
}

void smpp_carrier_trim(struct smpp_carrier *c)
{
    uint32_t wanted = smpp_mode_links(&c->config.o);
    for (uint32_t i = wanted; i < c->n_links && !c->freed; i++)
        smpp_carrier_drain_link(c, i);
    while (!c->freed && c->n_links > wanted && is_closed(c->links[c->n_links - 1]))
        smpp_carrier_link_free(c->links[--c->n_links]);
}

/* --- prepare: reserves, and changes nothing that can be seen --- */

void smpp_carrier_forget(struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < SMPP_LINKS_MAX; i++) {
        if (c->fresh[i])
            smpp_carrier_link_free(c->fresh[i]);
        c->fresh[i] = NULL;
    }
    if (c->next.o.name)
        smpp_config_clear(&c->next);
}

static int make_links(struct smpp_carrier *c)
{
    for (uint32_t i = 0; i < smpp_mode_links(&c->next.o); i++) {
        if (i < c->n_links && !is_closed(c->links[i]))
            continue;
        c->fresh[i] = smpp_carrier_link_new(c, &c->next, i);
        if (!c->fresh[i])
            return ERR_NOMEM;
    }
    return 0;
}

int smpp_carrier_prepare(struct smpp_carrier *c, const struct smpp_carrier_options *options)
{
    smpp_carrier_forget(c);
    if (c->draining || c->freed)
        return ERR_CLOSED;
    int err = smpp_config_init(&c->next, options);
    if (err)
        return err;
    err = smpp_config_is_like(&c->config, &c->next) ? smpp_carrier_reserve(c, &c->next.o)
                                                    : ERR_INVALID;
    for (uint32_t i = 0; i < c->n_links && !err; i++)
        err = smpp_window_reserve(&c->links[i]->session.window, c->next.o.window);
    if (!err)
        err = make_links(c);
    if (err)
        smpp_carrier_forget(c);
    return err;
}

/* --- update: cannot fail --- */

/* The new time-out counts for what is in flight too, so that the oldest still is due first. */
static void update_session(struct smpp_session *s)
{
    s->window.size = s->env.config->o.window;
    smpp_rate_limit(&s->rate, smpp_config_bind_rate(s->env.config), mono_now());
    for (struct smpp_entry *e = s->window.entries; e; e = e->next)
        e->expires = smpp_session_expiry(s, e->written);
    smpp_session_arm(s);
}

static void update_link(struct smpp_carrier *c, uint32_t nth)
{
    struct smpp_link *l = c->links[nth];
    if (nth < smpp_mode_links(&c->config.o)) { /* it was one too many, and is wanted again */
        l->session.stopping = false;
        /* else until it is over: it was ours, or not */
        if (l->session.state != SMPP_UNBINDING && !l->is_down && !l->at_once)
            l->session.draining = false;
    }
    update_session(&l->session);
    smpp_link_update(l);
}

static void put_fresh(struct smpp_carrier *c, uint32_t nth)
{
    struct smpp_link *l = c->fresh[nth];
    c->fresh[nth] = NULL;
    l->session.env.config = &c->config;
    if (nth < c->n_links)
        smpp_carrier_link_free(c->links[nth]); /* closed before this turn: nothing calls it */
    else
        c->n_links = nth + 1;
    c->links[nth] = l;
    smpp_link_start(l);
}

void smpp_carrier_update(struct smpp_carrier *c)
{
    struct smpp_config old = c->config;
    if (!c->next.o.name)
        return;
    c->config = c->next;
    c->next = (struct smpp_config){0};
    smpp_config_moved(&c->config);
    smpp_bucket_set(&c->bucket, c->config.o.rate, mono_now());
    for (uint32_t i = 0; i < SMPP_LINKS_MAX; i++)
        if (c->fresh[i])
            put_fresh(c, i);
    for (uint32_t i = 0; i < c->n_links; i++)
        update_link(c, i);
    smpp_config_clear(&old);
    event_active(c->turn, EV_TIMEOUT, 0); /* binds that are too many; and there may be room */
}
