/* From a message as the caller gives it to an entry that can be sent. */
#include "smpp/smpp_window.h"

#include "base/buf.h"
#include "base/result.h"

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

static int put_text(const struct smpp_carrier_options *o, const struct smpp_message *m,
                    struct smpp_text *text)
{
    struct smpp_text_form form;
    uint16_t end;
    if (smpp_text_form(m->text, m->text_len, o->alphabet, &form) != 0)
        return ERR_INVALID;
    if (form.segments > 1)
        return ERR_TOOLONG;
    smpp_text_write(m->text, m->text_len, &form, text->octets, &end);
    text->data_coding = form.data_coding;
    text->is_packed = form.is_packed;
    text->len = (uint8_t)end;
    return 0;
}

void smpp_entry_tell(const struct smpp_entry *e, struct smpp_result *r)
{
    r->parts = 1;
    r->part_ids = &r->message_id;
    r->reference = e->reference;
}

int smpp_entry_fill(struct smpp_entry *e, const struct smpp_carrier_options *o,
                    const struct smpp_message *m)
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
    e->throttle_status = 0;
    return put_text(o, m, &e->text);
}
