/*
 * Parts of messages, one after the other: a head of six octets (esm_class, data_coding, addresses
 * and alphabet, how time goes on, which TLVs there are, octets that follow), then the octets of the
 * message, and four of sar_ TLVs where the head says so.  What comes in is bounded, each octet
 * comes out once at most, and every text is UTF-8.
 */
#include "base/buf.h"
#include "base/result.h"
#include "smpp/smpp_concat.h"
#include "smpp/smpp_const.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AGE_MS 1000u

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void put(struct smpp_pdu *pdu, enum smpp_field f, const void *p, size_t len)
{
    pdu->present |= UINT64_C(1) << f;
    pdu->field[f] = (struct smpp_str){p, len};
}

static void check_part(const struct smpp_part *p, const uint8_t *octets, size_t len)
{
    const uint8_t *at = (const uint8_t *)p->piece.octets.p;
    require(p->sequence >= 1 && p->sequence <= p->total);
    require(p->kind == SMPP_PART_ALONE || (p->total > 1 && p->total <= SMPP_PARTS_MAX));
    require(len == 0 || (at == octets + p->piece.udh && p->piece.octets.len == len - p->piece.udh));
}

/* Returns its octets. */
static size_t check_message(struct smpp_parts *m, const struct smpp_carrier_options *o)
{
    struct smpp_str text;
    size_t octets = m->octets, sum = 0, come = 0;
    for (size_t i = 0; i < m->n_pieces; i++) {
        sum += m->pieces[i].octets.len;
        come += m->pieces[i].has_come;
    }
    require(sum == octets && come == m->come && come >= 1);
    require(smpp_parts_text(m, o, &text) == ERR_OK);
    if (text.p) {
        require(strlen(text.p) == text.len);
        require(smpp_text_segments(text.p, text.len, SMPP_GSM) >= 1);
    }
    free((char *)(uintptr_t)text.p);
    smpp_parts_free(m);
    return octets;
}

/* One part, of the octets that r gives; returns the octets kept of it. */
static size_t add_part(struct smpp_concat *c, struct rd *r, const uint8_t head[6], struct mono now)
{
    static const char *const addresses[] = {"", "38591", "385911", "1971"};
    struct smpp_pdu pdu = {.command_id = SMPP_DELIVER_SM};
    size_t len = head[5] < rd_left(r) ? head[5] : rd_left(r);
    uint8_t *octets = malloc(len + 1); /* so that the sanitizer sees its end */
    const char *from = addresses[head[2] & 3], *to = addresses[head[2] >> 2 & 3];
    memcpy(octets, rd_take(r, len), len);
    octets = realloc(octets, len ? len : 1);
    put(&pdu, SMPP_F_ESM_CLASS, &head[0], 1);
    put(&pdu, SMPP_F_DATA_CODING, &head[1], 1);
    put(&pdu, SMPP_F_SOURCE_ADDR, from, strlen(from));
    put(&pdu, SMPP_F_DESTINATION_ADDR, to, strlen(to));
    put(&pdu, SMPP_F_SHORT_MESSAGE, octets, len);
    const uint8_t *sar = head[4] & 1 ? rd_take(r, 4) : NULL;
    if (sar) {
        pdu.n_tlvs = 3;
        pdu.tlvs[0] = (struct smpp_tlv){SMPP_TLV_SAR_MSG_REF_NUM, 2, sar};
        pdu.tlvs[1] = (struct smpp_tlv){SMPP_TLV_SAR_TOTAL_SEGMENTS, head[4] & 2 ? 2 : 1, sar + 2};
        pdu.tlvs[2] = (struct smpp_tlv){SMPP_TLV_SAR_SEGMENT_SEQNUM, 1, sar + 3};
    }
    struct smpp_part part;
    memset(&part, 0xA5, sizeof part); /* nothing is owed to a clean struct */
    smpp_part_read(&pdu, &part);
    check_part(&part, octets, len);
    require(smpp_concat_add(c, &part, now) == ERR_OK);
    size_t kept = part.piece.octets.len;
    free(octets);
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_init(data, size);
    struct smpp_concat c = {0};
    struct mono now = {1};
    size_t in = 0, out = 0;
    const uint8_t *head;
    while (rd_left(&r) >= 6 && (head = rd_take(&r, 6))) {
        const struct smpp_carrier_options o = {.alphabet = (enum smpp_alphabet)((head[2] >> 4) % 5),
                                               .strip_trailing_nul = head[4] & 4};
        struct smpp_parts *m;
        now = mono_add_ms(now, head[3]);
        in += add_part(&c, &r, head, now);
        while ((m = smpp_concat_take(&c, now, AGE_MS)))
            out += check_message(m, &o);
        require(!c.ready && c.n <= SMPP_CONCAT_MAX && c.octets <= SMPP_CONCAT_OCTETS_MAX);
        require(out + c.octets <= in);
        require((smpp_concat_due(&c, AGE_MS).us == 0) == (c.n == 0));
    }
    if (size % 2) { /* either way of ending */
        struct smpp_parts *m;
        const struct smpp_carrier_options o = {.alphabet = SMPP_GSM};
        while ((m = smpp_concat_take_waiting(&c)))
            out += check_message(m, &o);
        require(c.n == 0 && c.octets == 0 && out <= in);
    }
    smpp_concat_clear(&c);
    return 0;
}
