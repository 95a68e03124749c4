/* The few octets of SMPP 3.4 that a bench's SMSC needs, by hand. */
#ifndef TESTS_BENCH_PDU_H
#define TESTS_BENCH_PDU_H

#include "base/buf.h"

#include <event2/bufferevent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PDU_HEADER 16

static inline uint32_t pdu_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void pdu_put(struct bufferevent *to, uint32_t command, uint32_t sequence,
                           const void *body, size_t n)
{
    uint8_t head[PDU_HEADER];
    struct wr w = wr_init(head, sizeof head);
    wr_u32(&w, (uint32_t)(PDU_HEADER + n));
    wr_u32(&w, command);
    wr_u32(&w, 0);
    wr_u32(&w, sequence);
    bufferevent_write(to, head, sizeof head);
    bufferevent_write(to, body, n);
}

/* Behind the octets of a submit_sm up to the short message; NULL: it is not one. */
static inline const uint8_t *pdu_text(const uint8_t *p, const uint8_t *end, long *number)
{
    /* service_type, TON, NPI, source, TON, NPI, destination, three octets, two times, four octets;
     * 0 stands for a string */
    static const int fields[] = {0, 2, 0, 2, 0, 3, 0, 0, 4};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const uint8_t *nul = fields[i] ? NULL : memchr(p, 0, (size_t)(end - p));
        if (i == 4 && nul)
            *number = strtol((const char *)p, NULL, 10);
        p = fields[i] ? p + fields[i] : nul ? nul + 1 : end;
        if (p >= end)
            return NULL;
    }
    return p;
}

#endif
