/* The verify socket's parser on whatever a peer sends: no view leaves the buffer, what is whole is
 * consumed, and a request that wants more leaves the octets as they were. */
#include "gateway/resp_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *buf, size_t len, const struct resp_command *c)
{
    if (c->consumed == 0 || c->consumed > len || c->argc > 16)
        abort();
    for (size_t i = 0; i < c->argc; i++) {
        const struct resp_arg *a = &c->argv[i];
        if (a->p < buf || a->p + a->len >= buf + len || a->p[a->len] != 0 || a->len > 4096)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct resp_limits limits = {.max_args = 16, .max_bulk = 4096, .max_total = 16384};
    struct resp_command c;
    char *buf = malloc(size ? size : 1);
    size_t at = 0;
    memcpy(buf, data, size);
    while (at < size) {
        enum resp_result r = resp_parse(buf + at, size - at, &limits, &c);
        if (r == RESP_MORE && memcmp(buf + at, data + at, size - at) != 0)
            abort();
        if (r == RESP_ERROR && !c.error)
            abort();
        if (r != RESP_OK)
            break;
        check(buf + at, size - at, &c);
        at += c.consumed;
    }
    free(buf);
    return 0;
}
