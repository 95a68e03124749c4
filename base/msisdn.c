#include "base/msisdn.h"

#include "base/result.h"

#include <string.h>

#define MSISDN_MIN 7

static size_t skip_prefix(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && strchr(" -.()[]", text[i]) && text[i])
        i++;
    if (i < len && text[i] == '+')
        return i + 1;
    if (i + 1 < len && text[i] == '0' && text[i + 1] == '0')
        return i + 2;
    return i;
}

int msisdn_parse(const char *text, size_t len, struct msisdn *out)
{
    struct msisdn m = {.len = 0};
    for (size_t i = skip_prefix(text, len); i < len; i++) {
        char c = text[i];
        if (c && strchr(" -.()[]", c))
            continue;
        if (c < '0' || c > '9' || m.len == MSISDN_MAX)
            return ERR_INVALID;
        m.digits[m.len++] = c;
    }
    if (m.len < MSISDN_MIN || m.digits[0] == '0')
        return ERR_INVALID;
    *out = m;
    return 0;
}

void msisdn_mask(const struct msisdn *m, char out[MSISDN_MASK_SIZE])
{
    size_t head = m->len >= 10 ? 5 : 3;
    size_t n = 0;
    out[n++] = '+';
    for (size_t i = 0; i < m->len; i++)
        out[n++] = (i < head || i + 2 >= m->len) ? m->digits[i] : '*';
    out[n] = 0;
}
