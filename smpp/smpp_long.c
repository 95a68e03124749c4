#include "smpp/smpp_long.h"

#include "base/result.h"
#include "base/secret.h"
#include "smpp/smpp_const.h"

#include <stdlib.h>
#include <string.h>

#define ESM_CLASS_UDHI 0x40
#define UDH_LEN        6 /* with its own length (3GPP 23.040, 9.2.3.24.1) */
#define UDH_FILL       1 /* bits up to the next septet */

int smpp_long_new(const struct smpp_message *m, const struct smpp_text_form *form,
                  enum smpp_long_message way, struct smpp_long **out)
{
    size_t sent = form->is_packed ? (7 * form->octets + 7) / 8 : form->octets;
    if (way == SMPP_LONG_PAYLOAD && sent > SMPP_PAYLOAD_MAX)
        return ERR_TOOLONG;
    struct smpp_long *p = calloc(1, sizeof *p + form->octets);
    if (!p)
        return ERR_NOMEM;
    p->way = way;
    p->segments = (uint8_t)form->segments;
    p->total = way == SMPP_LONG_PAYLOAD ? 1 : p->segments;
    smpp_text_write(m->text, m->text_len, form, p->octets, p->ends);
    *out = p;
    return 0;
}

void smpp_long_free(struct smpp_long *p)
{
    if (!p)
        return;
    secret_wipe(p->octets, p->ends[p->segments - 1]);
    for (size_t i = 0; i < p->next; i++)
        free((void *)(uintptr_t)p->ids[i].p);
    free(p);
}

bool smpp_long_took(struct smpp_long *p, struct smpp_str message_id)
{
    size_t len = message_id.len < SMPP_PART_ID_MAX ? message_id.len : SMPP_PART_ID_MAX;
    if (p->next + 1 == p->total)
        return false;
    char *id = len ? malloc(len) : NULL;
    if (id) {
        memcpy(id, message_id.p, len);
        p->ids[p->next] = (struct smpp_str){id, len};
    }
    p->next++;
    return true;
}

static void add_number(struct smpp_body *b, uint16_t tag, uint32_t number)
{
    b->tlvs[b->n_tlvs++] = (struct smpp_put_tlv){.tag = tag, .number = (uint16_t)number};
}

/* Behind the first `at` octets of made. */
static void make(struct smpp_body *b, const uint8_t *p, size_t len, const struct smpp_text *text)
{
    size_t at = b->made_len;
    if (text->is_packed)
        len = smpp_text_pack(p, len, at ? UDH_FILL : 0, b->made + at);
    else
        memcpy(b->made + at, p, len);
    b->made_len += len;
    b->p = b->made;
    b->len = b->made_len;
}

static void put_header(struct smpp_body *b, const struct smpp_long *p)
{
    const uint8_t header[UDH_LEN] = {
        5, 0, 3, (uint8_t)p->reference, p->total, (uint8_t)(p->next + 1)};
    memcpy(b->made, header, sizeof header);
    b->made_len = sizeof header;
    b->esm_class = ESM_CLASS_UDHI;
}

static void put_sar(struct smpp_body *b, const struct smpp_long *p)
{
    add_number(b, SMPP_TLV_SAR_MSG_REF_NUM, p->reference);
    add_number(b, SMPP_TLV_SAR_TOTAL_SEGMENTS, p->total);
    add_number(b, SMPP_TLV_SAR_SEGMENT_SEQNUM, p->next + 1u);
}

static void put_payload(struct smpp_body *b)
{
    b->tlvs[b->n_tlvs++] = (struct smpp_put_tlv){
        .tag = SMPP_TLV_MESSAGE_PAYLOAD, .octets = b->p, .len = b->len};
    b->len = 0;
}

static void fill_part(struct smpp_body *b, const struct smpp_entry *e)
{
    const struct smpp_long *p = e->parts;
    size_t begin = p->next ? p->ends[p->next - 1] : 0, end = p->ends[p->next];
    if (p->way == SMPP_LONG_UDH)
        put_header(b, p);
    else if (p->way == SMPP_LONG_SAR)
        put_sar(b, p);
    else
        end = p->ends[p->segments - 1];
    make(b, p->octets + begin, end - begin, &e->text);
    if (p->way == SMPP_LONG_PAYLOAD)
        put_payload(b);
}

void smpp_body_fill(struct smpp_body *b, const struct smpp_entry *e)
{
    b->esm_class = 0;
    b->p = e->text.octets;
    b->len = e->text.len;
    b->n_tlvs = b->made_len = 0;
    if (e->reference >= 0)
        add_number(b, SMPP_TLV_USER_MESSAGE_REFERENCE,
                   (uint32_t)e->reference + (e->parts ? e->parts->next : 0));
    if (e->parts)
        fill_part(b, e);
    else if (e->text.is_packed)
        make(b, e->text.octets, e->text.len, &e->text);
}

void smpp_body_wipe(struct smpp_body *b)
{
    if (b->made_len)
        secret_wipe(b->made, b->made_len);
}
