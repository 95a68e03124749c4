#include "pin/msgid.h"

#include "base/buf.h"
#include "base/result.h"

#include <string.h>
#include <strings.h>

#define AUTO_DIGITS 20 /* longer ids are not looked for in another base by the mode auto */
#define LIMB        1000000000u
#define LIMBS       64

static const char *const mode_names[] = {
    [PIN_ID_AUTO] = "auto",
    [PIN_ID_STRING] = "string",
    [PIN_ID_DECIMAL] = "decimal",
    [PIN_ID_HEX] = "hex",
    [PIN_ID_RESP_HEX_DLR_DEC] = "resp-hex-dlr-dec",
    [PIN_ID_RESP_DEC_DLR_HEX] = "resp-dec-dlr-hex",
    [PIN_ID_REFERENCE] = "reference",
};
#define N_MODES (sizeof mode_names / sizeof mode_names[0])

int pin_id_mode_parse(const char *name, enum pin_id_mode *out)
{
    for (size_t i = 0; i < N_MODES; i++)
        if (strcasecmp(name, mode_names[i]) == 0) {
            *out = (enum pin_id_mode)i;
            return 0;
        }
    return ERR_INVALID;
}

const char *pin_id_mode_name(enum pin_id_mode mode)
{
    return (size_t)mode < N_MODES ? mode_names[mode] : "?";
}

static bool is_number(const char *s, size_t len, int base)
{
    for (size_t i = 0; i < len; i++) {
        int v = hex_value(s[i]);
        if (v < 0 || v >= base)
            return false;
    }
    return len > 0;
}

static void set_as_is(struct pin_msgid_form *f, const char *s, size_t len)
{
    if (len >= sizeof f->id)
        len = sizeof f->id - 1;
    memcpy(f->id, s, len);
    f->id[len] = '\0';
    f->len = len;
}

/* Without leading zeros, in lower case, when all are digits of the base; else as it is. */
static void set_number(struct pin_msgid_form *f, const char *s, size_t len, int base)
{
    if (!is_number(s, len, base)) {
        set_as_is(f, s, len);
        return;
    }
    while (len > 1 && *s == '0') {
        s++;
        len--;
    }
    set_as_is(f, s, len);
    for (size_t i = 0; i < f->len; i++)
        if (f->id[i] >= 'A' && f->id[i] <= 'F')
            f->id[i] = (char)(f->id[i] - 'A' + 'a');
}

/* limbs = limbs * base + digit, least limb first; returns the new count. */
static size_t limbs_push(uint32_t *limbs, size_t n, uint32_t limb, uint32_t base, uint32_t digit)
{
    uint64_t carry = digit;
    for (size_t i = 0; i < n; i++) {
        carry += (uint64_t)limbs[i] * base;
        limbs[i] = (uint32_t)(carry % limb);
        carry /= limb;
    }
    if (carry > 0 && n < LIMBS)
        limbs[n++] = (uint32_t)carry;
    return n;
}

/* The number in the other base; as it is when it is none. */
static void set_converted(struct pin_msgid_form *f, const char *s, size_t len, int from)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t to = from == 10 ? 16 : 10, limb = from == 10 ? 1u << 28 : LIMB;
    size_t per_limb = from == 10 ? 7 : 9, n = 0, out = 0;
    uint32_t limbs[LIMBS];
    char text[LIMBS * 9];

    if (!is_number(s, len, from)) {
        set_as_is(f, s, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        n = limbs_push(limbs, n, limb, (uint32_t)from, (uint32_t)hex_value(s[i]));
    for (size_t i = n; i-- > 0;) {
        uint32_t v = limbs[i];
        for (size_t d = per_limb; d-- > 0; v /= to)
            text[out + d] = digits[v % to];
        out += per_limb;
    }
    if (out == 0)
        text[out++] = '0';
    set_number(f, text, out, (int)to);
}

/* How an id of this side relates to the other's when it was converted from that base. */
static enum pin_id_mode kind_of(enum pin_msgid_side side, int from)
{
    bool response_is_hex = (side == PIN_MSGID_RESPONSE) == (from == 16);
    return response_is_hex ? PIN_ID_RESP_HEX_DLR_DEC : PIN_ID_RESP_DEC_DLR_HEX;
}

static void add_converted(struct pin_msgid *m, enum pin_msgid_side side, int from)
{
    const struct pin_msgid_form *own = &m->form[0];
    struct pin_msgid_form *f = &m->form[m->n];

    if (!is_number(own->id, own->len, from))
        return;
    set_converted(f, own->id, own->len, from);
    f->kind = kind_of(side, from);
    m->n++;
}

static void auto_forms(const char *id, size_t len, enum pin_msgid_side side,
                       enum pin_id_mode settled, struct pin_msgid *m)
{
    struct pin_msgid_form *own = &m->form[0];

    own->kind = PIN_ID_STRING;
    set_number(own, id, len, 16);
    if (!is_number(own->id, own->len, 16) || own->len > AUTO_DIGITS)
        return;
    if (own->len == 1 && is_number(own->id, 1, 10)) {
        own->kind = PIN_ID_AUTO; /* alike in both bases */
        return;
    }
    if (settled == PIN_ID_STRING)
        return;
    if (settled != kind_of(side, 10))
        add_converted(m, side, 16);
    if (settled != kind_of(side, 16))
        add_converted(m, side, 10);
    /* A receipt of a carrier that has settled goes straight to the form of the response. */
    if (settled != PIN_ID_AUTO && side == PIN_MSGID_RECEIPT && m->n > 1) {
        m->form[0] = m->form[1];
        m->n = 1;
    }
}

void pin_msgid_forms(const char *id, size_t len, enum pin_msgid_side side, enum pin_id_mode mode,
                     enum pin_id_mode settled, struct pin_msgid *out)
{
    struct pin_msgid_form *own = &out->form[0];

    out->n = 1;
    own->kind = PIN_ID_AUTO;
    switch (mode) {
    case PIN_ID_AUTO:
        auto_forms(id, len, side, settled, out);
        break;
    case PIN_ID_STRING:
    case PIN_ID_REFERENCE:
        set_as_is(own, id, len);
        break;
    case PIN_ID_DECIMAL:
        set_number(own, id, len, 10);
        break;
    case PIN_ID_HEX:
        set_number(own, id, len, 16);
        break;
    case PIN_ID_RESP_HEX_DLR_DEC:
    case PIN_ID_RESP_DEC_DLR_HEX:
        if (kind_of(side, 16) == mode)
            set_converted(own, id, len, 16);
        else
            set_number(own, id, len, 10);
        break;
    }
}
