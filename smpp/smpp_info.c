/* What a carrier and its binds look like from outside. */
#include "smpp/smpp_carrier.h"

#include "smpp/smpp_receipt_table.h"

#include <string.h>

static bool bind_is_up(const struct smpp_carrier *c, uint32_t bind)
{
    for (uint32_t i = 0; i < c->n_links; i++)
        if (c->links[i]->session.bind == bind && c->links[i]->session.state != SMPP_BOUND)
            return false;
    return true;
}

uint32_t smpp_carrier_bind_count(const struct smpp_carrier *c)
{
    return c->n_links;
}

void smpp_carrier_bind_info(const struct smpp_carrier *c, uint32_t row, struct smpp_bind_info *out)
{
    struct smpp_link *l = c->links[row];
    struct smpp_session *s = &l->session;
    *out = (struct smpp_bind_info){
        .carrier = c->config.o.name,
        .bind = s->bind,
        .mode = smpp_mode_row(s->mode)->name,
        .is_leg = c->config.o.mode == SMPP_PAIR,
        .is_up = bind_is_up(c, s->bind),
        .awaits_outbind = l->awaits_outbind,
        .is_down = l->is_down,
        .state = s->state,
        .since_ms = s->since_ms,
        .next_attempt_ms = smpp_link_next_attempt_ms(l),
        .window = s->window.size,
        .in_flight = s->window.in_flight,
        .submits = s->counts.submits,
        .responses = s->counts.responses,
        .errors = s->counts.errors,
        .receipts = s->counts.receipts,
        .throttled = s->counts.throttled,
        .in_doubt = s->counts.in_doubt,
        .bound = s->counts.bound,
        .unexpected = s->counts.unexpected,
        .malformed = s->counts.malformed,
        .turned_away = s->counts.turned_away,
        .rate = s->rate.limit,
        .rate_now = smpp_rate_current(&s->rate, mono_now()),
        .interface_version = s->peer_version,
        .congestion = s->congestion,
        .rtt_us = s->rtt_us,
        .tls_version = s->tls_version,
        .tls_expires_ms = s->tls_expires_ms,
        .last_reason = s->reason,
    };
    memcpy(out->failed, s->counts.failed, sizeof out->failed);
    memcpy(out->ended, s->counts.ended, sizeof out->ended);
    smpp_session_name(s, out->name, sizeof out->name);
}

void smpp_carrier_info(const struct smpp_carrier *c, struct smpp_carrier_info *out)
{
    *out = (struct smpp_carrier_info){.carrier = c->config.o.name,
                                      .queued = c->queued,
                                      .is_dialled = c->outbind != NULL,
                                      .is_listening = c->outbind &&
                                                      smpp_outbind_is_open(c->outbind),
                                      .queries = c->asks.queries,
                                      .cancels = c->asks.cancels};
    if (c->outbind)
        memcpy(out->guests, smpp_outbind_counts(c->outbind), sizeof out->guests);
    if (c->queue)
        out->oldest_ms = mono_diff_ms(mono_now(), c->queue->since);
    for (uint32_t i = 0; i < c->n_links; i++)
        out->queued += c->links[i]->session.n_begun;
}

const char *smpp_carrier_error_text(const struct smpp_carrier *c, const char *err)
{
    const struct smpp_error_rule *rule = smpp_error_find(&c->config.o,
                                                         (struct smpp_str){err, strlen(err)});
    return rule ? rule->text : NULL;
}
