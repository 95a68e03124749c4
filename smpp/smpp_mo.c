/* Messages from handsets: their parts put together (smpp_concat.h), read as text, handed up. */
#include "smpp/smpp_carrier.h"

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "smpp/smpp_const.h"

#include <event2/event.h>
#include <stdlib.h>

/* --- up --- */

static void tell(struct smpp_carrier *c, const struct smpp_parts *m, struct smpp_str text,
                 struct smpp_delivery handle)
{
    const struct smpp_part *first = &m->first;
    struct smpp_mo mo = {
        .source_addr = first->source,
        .destination_addr = first->destination,
        .source_ton = first->source_ton,
        .source_npi = first->source_npi,
        .destination_ton = first->destination_ton,
        .destination_npi = first->destination_npi,
        .data_coding = first->piece.data_coding,
        .text = text,
        .octets = m->octets,
        .parts = first->total,
        .missing = (uint32_t)first->total - m->come,
        .is_complete = m->come == first->total,
        .has_start = m->has_start,
    };
    c->events.mo_cb(c->events.arg, c, &mo, handle);
}

static int hand_up(struct smpp_carrier *c, const struct smpp_parts *m, struct smpp_delivery handle)
{
    struct smpp_str text;
    int err = smpp_parts_text(m, &c->config.o, &text);
    if (err)
        return err;
    tell(c, m, text, handle);
    char *own = (char *)(uintptr_t)text.p;
    if (own)
        secret_wipe(own, text.len);
    free(own);
    return 0;
}

/* Of a message in parts, which are acknowledged. */
static void hand_up_parts(struct smpp_carrier *c, struct smpp_parts *m)
{
    if (!c->freed && hand_up(c, m, (struct smpp_delivery){0}) != 0)
        LOG(LOG_LV_ERROR, c->config.o.name, "mo_lost", KV_S("reason", "out of memory"),
            KV_I("parts", m->come));
    smpp_parts_free(m);
}

static void arm(struct smpp_carrier *c)
{
    struct mono due = smpp_concat_due(&c->mo, c->config.o.mo_age_ms);
    struct timeval tv = smpp_timeval_us(mono_diff_us(due, mono_now()));
    if (c->freed)
        return;
    if (due.us)
        event_add(c->mo_timer, &tv);
    else
        event_del(c->mo_timer);
}

static void take_all(struct smpp_carrier *c)
{
    struct smpp_parts *m;
    while ((m = smpp_concat_take(&c->mo, mono_now(), c->config.o.mo_age_ms)))
        hand_up_parts(c, m);
    arm(c);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_all(arg);
}

/* --- in --- */

/* It is the owner's to answer. */
static void take_alone(struct smpp_carrier *c, struct smpp_session *s, const struct smpp_part *part,
                       struct smpp_delivery handle)
{
    struct smpp_concat one = {0};
    int err = smpp_concat_add(&one, part, mono_now());
    struct smpp_parts *m = err ? NULL : smpp_concat_take(&one, mono_now(), 0);
    if (!m || hand_up(c, m, handle) != 0)
        smpp_session_answer(s, handle, ESME_RX_T_APPN);
    if (m)
        smpp_parts_free(m);
}

void smpp_carrier_mo(struct smpp_carrier *c, struct smpp_session *s, const struct smpp_pdu *pdu,
                     struct smpp_delivery handle)
{
    struct smpp_part part;
    smpp_part_read(pdu, &part);
    if (!c->events.mo_cb) {
        smpp_session_answer(s, handle, ESME_RX_R_APPN);
    } else if (part.kind == SMPP_PART_ALONE) {
        take_alone(c, s, &part, handle);
    } else {
        int err = smpp_concat_add(&c->mo, &part, mono_now());
        smpp_session_answer(s, handle, err ? ESME_RX_T_APPN : ESME_ROK);
        take_all(c);
    }
}

/* --- life --- */

int smpp_carrier_mo_init(struct smpp_carrier *c)
{
    c->mo_timer = event_new(c->env.base, -1, 0, timer_cb, c);
    return c->mo_timer ? 0 : ERR_NOMEM;
}

void smpp_carrier_mo_flush(struct smpp_carrier *c)
{
    struct smpp_parts *m;
    while ((m = smpp_concat_take_waiting(&c->mo)))
        hand_up_parts(c, m);
    arm(c);
}

void smpp_carrier_mo_clear(struct smpp_carrier *c)
{
    if (c->mo.n)
        LOG(LOG_LV_WARN, c->config.o.name, "mo_dropped", KV_S("reason", "stopped"),
            KV_I("messages", c->mo.n));
    smpp_concat_clear(&c->mo);
    if (c->mo_timer)
        event_free(c->mo_timer);
}
