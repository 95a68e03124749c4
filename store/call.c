#include "store/call.h"

#include "base/result.h"

#include <stdlib.h>
#include <string.h>

/* "$", up to seven digits, CR LF twice; also enough for the leading "*" line. */
#define ARG_OVERHEAD 16

static int measure(const struct call_part *parts, size_t n_parts, size_t *argc, size_t *octets)
{
    *argc = 0;
    *octets = ARG_OVERHEAD;
    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; j < parts[i].argc; j++) {
            size_t len = parts[i].argv[j].len;
            if (len > CALL_MAX_OCTETS || *octets + len + ARG_OVERHEAD > CALL_MAX_OCTETS)
                return ERR_TOOLONG;
            *octets += len + ARG_OVERHEAD;
            (*argc)++;
        }
    return *argc ? 0 : ERR_INVALID;
}

/* Written by hand and not with base/buf.h: it is most of what a command costs here, and measure()
 * has made the room. */
static char *put_head(char *p, char kind, size_t n)
{
    char digits[ARG_OVERHEAD];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    *p++ = kind;
    while (i < sizeof digits)
        *p++ = digits[i++];
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static char *put_arg(char *p, const struct store_arg *a)
{
    p = put_head(p, '$', a->len);
    if (a->len)
        memcpy(p, a->p, a->len);
    p += a->len;
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

int store_call_new(struct call **out, const struct call_part *parts, size_t n_parts,
                   const struct call_to *to)
{
    size_t argc, cap;
    int err = measure(parts, n_parts, &argc, &cap);
    if (err)
        return err;
    struct call *c = malloc(sizeof *c + cap);
    if (!c)
        return ERR_NOMEM;
    *c = (struct call){.to = *to};
    char *p = put_head(c->octets, '*', argc);
    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; j < parts[i].argc; j++)
            p = put_arg(p, &parts[i].argv[j]);
    c->len = (size_t)(p - c->octets);
    *out = c;
    return 0;
}

void store_call_free(struct call *c)
{
    if (c && c->is_secret)
        secret_wipe(c->octets, c->len);
    free(c);
}
