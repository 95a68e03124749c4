/* What operators do to the binds of a running carrier. */
#include "smpp/smpp_carrier.h"

#include "base/log.h"

static const char *const action_names[] = {"up", "down", "restart", "retry-now"};

const char *smpp_bind_action_name(enum smpp_bind_action action)
{
    return (unsigned)action <= SMPP_BIND_RETRY_NOW ? action_names[action] : "?";
}

/* A receiver goes down after its transmitter, whose last receipts it may get still. */
static bool has_to_follow(const struct smpp_carrier *c, uint32_t nth)
{
    if (c->config.o.mode != SMPP_PAIR || c->links[nth]->session.mode != SMPP_RECEIVER)
        return false;
    enum smpp_state transmitter = c->links[nth - 1]->session.state;
    return transmitter != SMPP_IDLE && transmitter != SMPP_CLOSED;
}

const char *smpp_carrier_act(struct smpp_carrier *c, uint32_t row, enum smpp_bind_action action)
{
    static const char *(*const acts[])(struct smpp_link *) = {
        smpp_link_up, smpp_link_down, smpp_link_restart, smpp_link_retry_now};
    struct smpp_link *l = c->links[row];
    const char *did;
    if (c->draining || l->session.stopping)
        did = "drains for good";
    else if (action == SMPP_BIND_DOWN && has_to_follow(c, row))
        did = "unbinds after its transmitter";
    else
        did = acts[action](l);
    LOG(LOG_LV_INFO, l->session.id, "bind_action", KV_S("action", smpp_bind_action_name(action)),
        KV_S("did", did));
    return did;
}

void smpp_carrier_follow(struct smpp_carrier *c)
{
    for (uint32_t i = 1; i < c->n_links && c->config.o.mode == SMPP_PAIR; i += 2)
        if (c->links[i - 1]->is_down && !c->links[i]->is_down && !has_to_follow(c, i))
            smpp_carrier_act(c, i, SMPP_BIND_DOWN);
}

void smpp_carrier_inherit(struct smpp_carrier *c, const struct smpp_carrier *from)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        for (uint32_t k = 0; k < from->n_links; k++)
            if (c->links[i]->session.bind == from->links[k]->session.bind)
                c->links[i]->is_down |= from->links[k]->is_down;
}
