#include "smpp/smpp_concat.h"

#include "base/buf.h"
#include "base/result.h"
#include "base/table.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_text.h"

#include <stdlib.h>
#include <string.h>

#define UNPACKED_PER_OCTET 2 /* septets, at most */
#define UTF8_PER_OCTET     4 /* more than any coding makes of an octet */

/* Information elements of a user data header; any other is passed over. */
#define IE_CONCAT_8  0x00
#define IE_CONCAT_16 0x08

/* --- what a PDU is a part of --- */

/* Without sense it is ignored (TS 23.040, 9.2.3.24.1). */
static void place(struct smpp_part *out, enum smpp_part_kind kind, uint16_t reference,
                  const uint8_t total_and_sequence[2])
{
    uint8_t total = total_and_sequence[0], sequence = total_and_sequence[1];
    if (sequence == 0 || sequence > total)
        return;
    out->kind = total == 1 || total > SMPP_PARTS_MAX ? SMPP_PART_ALONE : kind;
    out->reference = reference;
    out->total = total;
    out->sequence = sequence;
}

/* Of an element that stands there twice the last one counts (9.2.3.24). */
static void read_udh(struct rd r, struct smpp_part *out)
{
    while (rd_left(&r) >= 2) {
        uint8_t id = rd_u8(&r), len = rd_u8(&r);
        const uint8_t *ie = rd_take(&r, len);
        if (!ie) /* it runs beyond the header */
            return;
        if (id == IE_CONCAT_8 && len == 3)
            place(out, SMPP_PART_UDH8, ie[0], ie + 1);
        else if (id == IE_CONCAT_16 && len == 4)
            place(out, SMPP_PART_UDH16, (uint16_t)(ie[0] << 8 | ie[1]), ie + 2);
    }
}

static void read_sar(const struct smpp_pdu *pdu, struct smpp_part *out)
{
    const struct smpp_tlv *reference = smpp_pdu_tlv(pdu, SMPP_TLV_SAR_MSG_REF_NUM);
    const struct smpp_tlv *total = smpp_pdu_tlv(pdu, SMPP_TLV_SAR_TOTAL_SEGMENTS);
    const struct smpp_tlv *sequence = smpp_pdu_tlv(pdu, SMPP_TLV_SAR_SEGMENT_SEQNUM);
    if (!reference || !total || !sequence || reference->len != 2 || total->len != 1 ||
        sequence->len != 1)
        return;
    const uint8_t where[] = {total->value[0], sequence->value[0]};
    place(out, SMPP_PART_SAR, (uint16_t)(reference->value[0] << 8 | reference->value[1]), where);
}

size_t smpp_udh_size(uint8_t esm_class, struct smpp_str message)
{
    size_t size = message.len ? (size_t)(uint8_t)message.p[0] + 1 : 0;
    return (esm_class & SMPP_ESM_UDHI) && size <= message.len ? size : 0;
}

void smpp_part_read(const struct smpp_pdu *pdu, struct smpp_part *out)
{
    struct smpp_str message = smpp_pdu_message(pdu);
    size_t udh = smpp_udh_size(smpp_pdu_int(pdu, SMPP_F_ESM_CLASS), message);
    *out = (struct smpp_part){
        .source = smpp_pdu_str(pdu, SMPP_F_SOURCE_ADDR),
        .destination = smpp_pdu_str(pdu, SMPP_F_DESTINATION_ADDR),
        .source_ton = smpp_pdu_int(pdu, SMPP_F_SOURCE_ADDR_TON),
        .source_npi = smpp_pdu_int(pdu, SMPP_F_SOURCE_ADDR_NPI),
        .destination_ton = smpp_pdu_int(pdu, SMPP_F_DEST_ADDR_TON),
        .destination_npi = smpp_pdu_int(pdu, SMPP_F_DEST_ADDR_NPI),
        .sequence = 1,
        .total = 1,
        .piece = {.octets = message,
                  .data_coding = smpp_pdu_int(pdu, SMPP_F_DATA_CODING),
                  .udh = (uint8_t)udh,
                  .has_come = true},
    };
    if (udh) {
        out->piece.octets = (struct smpp_str){message.p + udh, message.len - udh};
        read_udh(rd_init(message.p + 1, udh - 1), out);
    }
    if (out->total == 1)
        read_sar(pdu, out);
}

/* --- messages --- */

static bool is_same(struct smpp_str a, const char *b)
{
    size_t len = a.len < SMPP_MO_ADDRESS_MAX ? a.len : SMPP_MO_ADDRESS_MAX;
    return strlen(b) == len && (len == 0 || memcmp(a.p, b, len) == 0);
}

static struct smpp_parts *find(const struct smpp_concat *c, const struct smpp_part *part)
{
    struct smpp_parts *m = c->waiting;
    for (; m; m = m->next)
        if (m->first.kind == part->kind && m->first.reference == part->reference &&
            m->first.total == part->total && is_same(part->source, m->source) &&
            is_same(part->destination, m->destination))
            break;
    return m;
}

static struct smpp_str keep_address(char *out, struct smpp_str s)
{
    str_copy_n(out, SMPP_MO_ADDRESS_MAX + 1, s.p ? s.p : "", s.len);
    return (struct smpp_str){out, strlen(out)};
}

static struct smpp_parts *parts_new(const struct smpp_part *part, struct mono now)
{
    uint8_t n = part->kind == SMPP_PART_ALONE ? 1 : part->total;
    struct smpp_parts *m = calloc(1, sizeof *m + n * sizeof m->pieces[0]);
    if (!m)
        return NULL;
    m->since = now;
    m->first = *part;
    m->first.piece.octets = (struct smpp_str){NULL, 0};
    m->first.source = keep_address(m->source, part->source);
    m->first.destination = keep_address(m->destination, part->destination);
    m->n_pieces = n;
    return m;
}

static size_t place_of(const struct smpp_part *part)
{
    return part->kind == SMPP_PART_ALONE ? 0 : part->sequence - 1;
}

static int keep_piece(struct smpp_parts *m, const struct smpp_part *part)
{
    struct smpp_piece *piece = &m->pieces[place_of(part)];
    size_t len = part->piece.octets.len;
    char *copy = malloc(len + 1);
    if (!copy)
        return ERR_NOMEM;
    if (len)
        memcpy(copy, part->piece.octets.p, len);
    *piece = part->piece;
    piece->octets.p = copy;
    m->come++;
    m->octets += len;
    m->has_start = m->has_start || part->sequence == 1;
    return 0;
}

void smpp_parts_free(struct smpp_parts *m)
{
    for (size_t i = 0; i < m->n_pieces; i++) {
        struct smpp_piece *piece = &m->pieces[i];
        if (!piece->has_come)
            continue;
        char *octets = (char *)(uintptr_t)piece->octets.p;
        secret_wipe(octets, piece->octets.len);
        free(octets);
    }
    free(m);
}

/* --- what was whole --- */

static uint64_t mix(uint64_t digest, const void *p, size_t len)
{
    const uint8_t *octets = p;
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ octets[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return digest;
}

static uint64_t digest_of(const struct smpp_part *part, uint8_t sequence, struct smpp_str octets)
{
    const uint8_t head[] = {(uint8_t)part->kind, (uint8_t)(part->reference >> 8),
                            (uint8_t)part->reference, part->total, sequence};
    uint64_t digest = mix(UINT64_C(0xcbf29ce484222325), head, sizeof head);
    digest = mix(mix(digest, part->source.p, part->source.len), "", 1);
    digest = mix(mix(digest, part->destination.p, part->destination.len), "", 1);
    digest = mix(digest, octets.p, octets.len);
    return digest ? digest : 1;
}

static void remember(struct smpp_concat *c, const struct smpp_parts *m, struct mono now)
{
    for (uint8_t i = 0; i < m->n_pieces && m->first.kind != SMPP_PART_ALONE; i++) {
        struct smpp_done *done = &c->done[c->done_next++ % SMPP_CONCAT_DONE_MAX];
        *done = (struct smpp_done){digest_of(&m->first, (uint8_t)(i + 1), m->pieces[i].octets),
                                   now};
    }
}

static bool is_done(const struct smpp_concat *c, const struct smpp_part *part, struct mono now)
{
    uint64_t digest = digest_of(part, part->sequence, part->piece.octets);
    for (size_t i = 0; i < SMPP_CONCAT_DONE_MAX; i++)
        if (c->done[i].digest == digest &&
            !mono_is_past(mono_add_ms(c->done[i].at, SMPP_CONCAT_DONE_MS), now))
            return true;
    return false;
}

/* --- the waiting room --- */

static void end_wait(struct smpp_concat *c, struct smpp_parts *m)
{
    DL_DELETE(c->waiting, m);
    c->n--;
    c->octets -= m->octets;
    DL_APPEND(c->ready, m);
}

static void settle(struct smpp_concat *c, struct smpp_parts *m, struct mono now)
{
    if (m->come == m->n_pieces) {
        remember(c, m, now);
        end_wait(c, m);
    }
    while (c->n > SMPP_CONCAT_MAX || c->octets > SMPP_CONCAT_OCTETS_MAX)
        end_wait(c, c->waiting);
}

static bool is_equal(struct smpp_str a, struct smpp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Nothing is known by which a message that is not in parts could be told apart. */
static bool is_repetition(const struct smpp_concat *c, const struct smpp_parts *m,
                          const struct smpp_part *part, struct mono now)
{
    if (part->kind == SMPP_PART_ALONE)
        return false;
    const struct smpp_piece *have = m ? &m->pieces[place_of(part)] : NULL;
    return have && have->has_come ? is_equal(have->octets, part->piece.octets)
                                  : !m && is_done(c, part, now);
}

int smpp_concat_add(struct smpp_concat *c, const struct smpp_part *part, struct mono now)
{
    struct smpp_parts *m = part->kind == SMPP_PART_ALONE ? NULL : find(c, part);
    if (is_repetition(c, m, part, now))
        return 0;
    /* Or its handset has come to this reference again. */
    bool is_new = !m || m->pieces[place_of(part)].has_come;
    struct smpp_parts *to = is_new ? parts_new(part, now) : m;
    if (!to)
        return ERR_NOMEM;
    if (keep_piece(to, part)) {
        if (is_new)
            smpp_parts_free(to);
        return ERR_NOMEM;
    }
    c->octets += part->piece.octets.len;
    if (m && is_new)
        end_wait(c, m);
    if (is_new) {
        DL_APPEND(c->waiting, to);
        c->n++;
    }
    settle(c, to, now);
    return 0;
}

struct mono smpp_concat_due(const struct smpp_concat *c, uint32_t age_ms)
{
    return c->waiting ? mono_add_ms(c->waiting->since, age_ms) : (struct mono){0};
}

struct smpp_parts *smpp_concat_take(struct smpp_concat *c, struct mono now, uint32_t age_ms)
{
    if (c->waiting && mono_is_past(smpp_concat_due(c, age_ms), now))
        end_wait(c, c->waiting);
    struct smpp_parts *m = c->ready;
    if (m)
        DL_DELETE(c->ready, m);
    return m;
}

struct smpp_parts *smpp_concat_take_waiting(struct smpp_concat *c)
{
    struct smpp_parts *m = c->waiting;
    if (!m)
        return NULL;
    end_wait(c, m);
    DL_DELETE(c->ready, m);
    return m;
}

void smpp_concat_clear(struct smpp_concat *c)
{
    struct smpp_parts *m, *next;
    while (c->waiting)
        end_wait(c, c->waiting);
    DL_FOREACH_SAFE (c->ready, m, next) {
        DL_DELETE(c->ready, m);
        smpp_parts_free(m);
    }
}

/* --- text --- */

/* Packed septets begin anew in each part, so they are unpacked first. */
static bool is_packed(const struct smpp_piece *piece, const struct smpp_carrier_options *o)
{
    return o->alphabet == SMPP_GSM_PACKED && smpp_text_is_default(piece->data_coding);
}

/* Returns the octets written. */
static size_t join(uint8_t *out, const struct smpp_piece *piece,
                   const struct smpp_carrier_options *o)
{
    const uint8_t *p = (const uint8_t *)piece->octets.p;
    size_t len = piece->octets.len;
    if (is_packed(piece, o))
        return smpp_text_unpack(p, len, piece->udh, out);
    /* One: the terminator that the peer counted; another before it is an '@'. */
    if (o->strip_trailing_nul && smpp_text_is_default(piece->data_coding) && len &&
        p[len - 1] == '\0')
        len--;
    memcpy(out, p, len);
    return len;
}

/* A surrogate pair or an escape sequence may lie across two parts: what is of one coding and has no
 * gap is joined before it is read.  joined has room for all of it, unpacked. */
static size_t read_text(const struct smpp_parts *m, const struct smpp_carrier_options *o,
                        uint8_t *joined, char *out, size_t size)
{
    struct smpp_coded run = {.p = joined};
    size_t len = 0;
    for (size_t i = 0; i < m->n_pieces; i++) {
        const struct smpp_piece *piece = &m->pieces[i], *next = piece + 1;
        if (!piece->has_come)
            continue;
        run.len += join(joined + run.len, piece, o);
        if (i + 1 < m->n_pieces && next->has_come && next->data_coding == piece->data_coding)
            continue;
        run.data_coding = piece->data_coding;
        run.alphabet = is_packed(piece, o) ? SMPP_GSM : o->alphabet;
        len += smpp_text_decode(&run, out + len, size - len);
        run.len = 0;
    }
    return len;
}

static bool is_text(const struct smpp_parts *m)
{
    for (size_t i = 0; i < m->n_pieces; i++)
        if (m->pieces[i].has_come && smpp_text_is_binary(m->pieces[i].data_coding))
            return false;
    return true;
}

int smpp_parts_text(const struct smpp_parts *m, const struct smpp_carrier_options *o,
                    struct smpp_str *out)
{
    *out = (struct smpp_str){NULL, 0};
    if (!is_text(m))
        return 0;
    size_t room = m->octets * UNPACKED_PER_OCTET + 1, size = m->octets * UTF8_PER_OCTET + 1;
    uint8_t *joined = malloc(room);
    char *text = malloc(size);
    if (joined && text) {
        text[0] = '\0';
        *out = (struct smpp_str){text, read_text(m, o, joined, text, size)};
    } else {
        free(text);
    }
    if (joined)
        secret_wipe(joined, room);
    free(joined);
    return out->p ? 0 : ERR_NOMEM;
}
