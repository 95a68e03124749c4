/* From a message as the caller gives it to an entry that can be sent, and to what is told of it. */
#include "smpp/smpp_long.h"

#include "base/buf.h"
#include "base/result.h"
#include "base/table.h"

#include <event2/util.h>
#include <string.h>

#define SHORT_CODE_MAX   6
#define ALPHANUMERIC_MAX 11

const char *smpp_outcome_name(enum smpp_outcome outcome)
{
    static const char *const names[] = {"ACCEPTED", "THROTTLED_OUT", "REFUSED", "UNKNOWN",
                                        "NOT_SENT"};
    return (unsigned)outcome <= SMPP_NOT_SENT ? names[outcome] : "?";
}

static bool is_digits(const char *s)
{
    return s[0] && s[strspn(s, "0123456789")] == 0;
}

static bool is_printable(const char *s)
{
    for (; *s; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

int smpp_sender_fill(struct smpp_sender *out, const struct smpp_carrier_options *o,
                     const char *source)
{
    const char *s = source ? source : o->source ? o->source : "";
    const char *digits = *s == '+' ? s + 1 : s;
    bool number = is_digits(digits);
    bool short_code = number && strlen(digits) <= SHORT_CODE_MAX;
    if (!number && (strlen(s) > ALPHANUMERIC_MAX || !is_printable(s)))
        return ERR_INVALID;
    int ton = !*s ? 0 : !number ? 5 : short_code ? 3 : 1;
    int npi = number && !short_code ? 1 : 0;
    out->ton = (uint8_t)(o->source_ton >= 0 ? o->source_ton : ton);
    out->npi = (uint8_t)(o->source_npi >= 0 ? o->source_npi : npi);
    return str_copy(out->address, sizeof out->address, number ? digits : s) ? 0 : ERR_INVALID;
}

/* --- text --- */

void smpp_references_init(struct smpp_references *r)
{
    evutil_secure_rng_get_bytes(r, sizeof *r);
}

static uint16_t next_reference(struct smpp_references *r, const struct smpp_entry *e)
{
    uint32_t h = r->seed; /* FNV-1a */
    for (const char *p = e->sender.address; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    h *= 16777619u;
    for (const char *p = e->destination; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return ++r->slots[(h ^ h >> 16) % SMPP_REFERENCE_SLOTS];
}

static int put_text(const struct smpp_carrier_options *o, const struct smpp_message *m,
                    struct smpp_entry *e)
{
    struct smpp_text_form form;
    uint32_t most = m->max_segments < SMPP_SEGMENTS_MAX ? m->max_segments : SMPP_SEGMENTS_MAX;
    e->parts = NULL;
    e->text.len = 0;
    if (smpp_text_form(m->text, m->text_len, o->alphabet, &form) != 0)
        return ERR_INVALID;
    e->text.data_coding = form.data_coding;
    e->text.is_packed = form.is_packed;
    if (form.segments > 1)
        return (uint32_t)form.segments > most ? ERR_TOOLONG
                                              : smpp_long_new(m, &form, o->long_message, &e->parts);
    uint16_t end;
    smpp_text_write(m->text, m->text_len, &form, e->text.octets, &end);
    e->text.len = (uint8_t)end;
    return 0;
}

static uint8_t total_of(const struct smpp_entry *e)
{
    return e->parts ? e->parts->total : 1;
}

static void put_references(const struct smpp_carrier_options *o, struct smpp_references *r,
                           struct smpp_entry *e)
{
    e->reference = -1;
    if (o->user_message_reference) {
        e->reference = r->user;
        r->user = (uint16_t)(r->user + total_of(e));
    }
    if (e->parts)
        e->parts->reference = next_reference(r, e);
}

/* --- the whole --- */

int smpp_entry_fill(struct smpp_entry *e, const struct smpp_carrier_options *o,
                    const struct smpp_message *m, struct smpp_references *references)
{
    int err = smpp_sender_fill(&e->sender, o, m->source);
    if (err)
        return err;
    if (!is_digits(m->destination) ||
        !str_copy(e->destination, sizeof e->destination, m->destination))
        return ERR_INVALID;
    e->since = mono_now();
    e->deadline = m->deadline;
    e->valid_until.us = 0;
    if (m->validity_ms > 0)
        e->valid_until = mono_add_ms(e->since, m->validity_ms);
    if (e->valid_until.us != 0 && e->valid_until.us < e->deadline.us)
        e->deadline = e->valid_until;
    e->throttle_status = 0;
    e->full_at.us = e->again_at.us = 0;
    err = put_text(o, m, e);
    if (!err)
        put_references(o, references, e);
    return err;
}

void smpp_entry_insert(struct smpp_entry **list, struct smpp_entry *e)
{
    struct smpp_entry *after = *list ? (*list)->prev : NULL;
    while (after && after->deadline.us > e->deadline.us)
        after = after == *list ? NULL : after->prev;
    if (after)
        DL_APPEND_ELEM(*list, after, e);
    else
        DL_PREPEND(*list, e);
}

/* --- what is told of it --- */

void smpp_entry_tell(const struct smpp_entry *e, struct smpp_result *r)
{
    struct smpp_long *p = e->parts;
    r->reference = e->reference;
    r->parts = total_of(e);
    r->part_ids = &r->message_id;
    if (!p)
        return;
    p->ids[p->next] = r->message_id;
    r->part_ids = p->ids;
    if (r->outcome == SMPP_ACCEPTED)
        r->message_id = p->ids[0];
    else
        r->part = p->next;
}

struct smpp_late smpp_entry_late(const struct smpp_entry *e)
{
    return (struct smpp_late){
        .sequence = e->sequence,
        .reference = e->reference,
        .arg = e->arg,
        .written = e->written,
        .part = e->parts ? e->parts->next : 0,
        .parts = total_of(e),
    };
}

void smpp_late_tell(const struct smpp_late *l, struct smpp_str ids[SMPP_SEGMENTS_MAX],
                    struct smpp_result *r)
{
    memset(ids, 0, SMPP_SEGMENTS_MAX * sizeof *ids);
    ids[l->part] = r->message_id;
    r->parts = l->parts;
    r->part_ids = ids;
    r->part = l->part;
    r->reference = l->reference;
}
