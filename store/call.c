#include "store/call.h"

#include "base/buf.h"
#include "base/result.h"

#include <stdlib.h>

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

static void put_head(struct wr *w, char kind, size_t n)
{
    wr_u8(w, (uint8_t)kind);
    wr_dec(w, (int64_t)n);
    wr_bytes(w, "\r\n", 2);
}

int call_new(struct call **out, const struct call_part *parts, size_t n_parts,
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
    struct wr w = wr_init(c->octets, cap);
    put_head(&w, '*', argc);
    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; j < parts[i].argc; j++) {
            const struct store_arg *a = &parts[i].argv[j];
            put_head(&w, '$', a->len);
            wr_bytes(&w, a->p, a->len);
            wr_bytes(&w, "\r\n", 2);
        }
    c->len = w.len;
    *out = c;
    return 0;
}

void call_free(struct call *c)
{
    if (c && c->is_secret)
        secret_wipe(c->octets, c->len);
    free(c);
}
