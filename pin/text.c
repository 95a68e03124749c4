/*
 * Templates: {{pin}} once, further {{name}} with names of [A-Za-z0-9_]{1,32}.  "{{" must open one
 * of these; a single brace and "}}" stand for themselves.  A template may hold line feeds and
 * carriage returns but no other control characters; a value is one line (no control characters
 * at all), so that it cannot add lines to the message.  Values are not looked into for
 * placeholders.
 */
#include "base/buf.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <string.h>

#define NAME_MAX_LEN 32

struct piece { /* of a template: a run of text, or the name of a placeholder */
    const char *p;
    size_t len;
    bool is_name;
};

static size_t name_len(const char *s)
{
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

static bool is_name(const char *s, size_t len)
{
    return len >= 1 && len <= NAME_MAX_LEN && name_len(s) >= len;
}

/* 1: a piece; 0: the end; ERR_INVALID: "{{" that opens no placeholder. */
static int next_piece(const char **at, struct piece *out)
{
    const char *s = *at;
    if (!*s)
        return 0;
    if (strncmp(s, "{{", 2) != 0) {
        const char *open = strstr(s, "{{");
        *out = (struct piece){s, open ? (size_t)(open - s) : strlen(s), false};
        *at = s + out->len;
        return 1;
    }
    size_t len = name_len(s + 2);
    if (!is_name(s + 2, len) || strncmp(s + 2 + len, "}}", 2) != 0)
        return ERR_INVALID;
    *out = (struct piece){s + 2, len, true};
    *at = s + 2 + len + 2;
    return 1;
}

static bool piece_is(const struct piece *piece, const char *name)
{
    return strlen(name) == piece->len && memcmp(piece->p, name, piece->len) == 0;
}

static bool has_control(const char *s, const char *allowed)
{
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && !strchr(allowed, *s)) || *s == 0x7f)
            return true;
    return false;
}

int pin_text_check(const char *text, char *why, size_t why_size)
{
    if (strlen(text) > PIN_TEXT_MAX)
        return pin_why(why, why_size, ERR_INVALID, "the text is longer than %d octets",
                       PIN_TEXT_MAX);
    if (has_control(text, "\n\r"))
        return pin_why(why, why_size, ERR_INVALID,
                       "the text holds a control character that is not a line end");
    struct piece piece;
    unsigned pins = 0;
    int more;
    while ((more = next_piece(&text, &piece)) == 1)
        pins += piece.is_name && piece_is(&piece, "pin");
    if (more < 0)
        return pin_why(why, why_size, ERR_INVALID,
                       "a placeholder is {{name}}: 1 to %d letters, digits or _, without spaces",
                       NAME_MAX_LEN);
    if (pins != 1)
        return pin_why(why, why_size, ERR_INVALID, "the text must hold {{pin}} once, not %u times",
                       pins);
    return 0;
}

/* --- rendering ----------------------------------------------------------------------------- */

struct values {
    const char *pin;
    const struct pin_placeholder *ph;
    size_t n;
    uint32_t used; /* bit i: ph[i] stands in the template */
    char *why;
    size_t why_size;
};

static const struct pin_placeholder *find_value(struct values *v, const char *name, size_t len)
{
    for (size_t i = 0; i < v->n; i++)
        if (strlen(v->ph[i].name) == len && memcmp(v->ph[i].name, name, len) == 0) {
            v->used |= UINT32_C(1) << i;
            return &v->ph[i];
        }
    return NULL;
}

static int check_values(struct values *v)
{
    if (v->n > PIN_PLACEHOLDERS_MAX)
        return pin_why(v->why, v->why_size, ERR_INVALID, "more than %d placeholders",
                       PIN_PLACEHOLDERS_MAX);
    for (size_t i = 0; i < v->n; i++) {
        const char *name = v->ph[i].name;
        if (!is_name(name, strlen(name)))
            return pin_why(v->why, v->why_size, ERR_INVALID,
                           "a placeholder's name is 1 to %d letters, digits or _", NAME_MAX_LEN);
        if (strcmp(name, "pin") == 0)
            return pin_why(v->why, v->why_size, ERR_INVALID,
                           "the placeholder pin is filled by the gateway alone");
        if (find_value(v, name, strlen(name)) != &v->ph[i])
            return pin_why(v->why, v->why_size, ERR_INVALID, "the placeholder %s is given twice",
                           name);
        if (has_control(v->ph[i].value, ""))
            return pin_why(v->why, v->why_size, ERR_INVALID,
                           "the value of the placeholder %s holds a control character", name);
    }
    v->used = 0;
    return 0;
}

static int put_piece(struct values *v, const struct piece *piece, struct wr *w)
{
    if (!piece->is_name) {
        wr_bytes(w, piece->p, piece->len);
        return 0;
    }
    if (piece_is(piece, "pin")) {
        wr_str(w, v->pin);
        return 0;
    }
    const struct pin_placeholder *ph = find_value(v, piece->p, piece->len);
    if (!ph)
        return pin_why(v->why, v->why_size, ERR_INVALID, "the placeholder %.*s has no value",
                       (int)piece->len, piece->p);
    wr_str(w, ph->value);
    return 0;
}

static int put_text(struct values *v, const char *text, struct wr *w)
{
    struct piece piece;
    int err = 0;
    while (!err && next_piece(&text, &piece) == 1)
        err = put_piece(v, &piece, w);
    for (size_t i = 0; !err && i < v->n; i++)
        if (!(v->used & UINT32_C(1) << i))
            err = pin_why(v->why, v->why_size, ERR_INVALID, "the text has no placeholder named %s",
                          v->ph[i].name);
    wr_end(w);
    if (!err && w->bad)
        err = pin_why(v->why, v->why_size, ERR_TOOLONG,
                      "the text with its placeholders filled is longer than %zu octets",
                      w->cap - 1);
    return err;
}

int pin_text_render(const char *text, const char *pin, const struct pin_placeholder *ph,
                    size_t n_ph, char *out, size_t size, char *why, size_t why_size)
{
    struct values v = {pin, ph, n_ph, 0, why, why_size};
    size_t cap = size < PIN_TEXT_MAX + 1 ? size : PIN_TEXT_MAX + 1;
    struct wr w = wr_init(out, cap);
    int err = cap ? pin_text_check(text, why, why_size) : ERR_TOOLONG;
    if (!err)
        err = check_values(&v);
    if (!err)
        err = put_text(&v, text, &w);
    if (err)
        secret_wipe(out, size);
    return err;
}
