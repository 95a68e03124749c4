/*
 * A stream of octets, framed and decoded as far as it goes.  Whatever comes in, every view lies
 * inside its frame, and what is not there is absent.
 */
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"
#include "smpp/smpp_receipt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void require_inside(const struct smpp_frame *f, const void *p, size_t len)
{
    const uint8_t *start = p;
    require(start >= f->p + SMPP_HEADER_SIZE && start <= f->p + f->len);
    require(len <= (size_t)(f->p + f->len - start));
}

static void check_pdu(const struct smpp_frame *f, const struct smpp_pdu *pdu)
{
    require(pdu->lenient == (pdu->defect != NULL));
    require(pdu->n_tlvs <= SMPP_TLVS_MAX);
    for (int i = 0; i < SMPP_F_COUNT; i++) {
        struct smpp_str s = smpp_pdu_str(pdu, (enum smpp_field)i);
        if (smpp_pdu_has(pdu, (enum smpp_field)i))
            require_inside(f, s.p, s.len);
        else
            require(!s.p && !s.len && !smpp_pdu_int(pdu, (enum smpp_field)i));
    }
    for (size_t i = 0; i < pdu->n_tlvs; i++) {
        require_inside(f, pdu->tlvs[i].value, pdu->tlvs[i].len);
        require(smpp_pdu_tlv_str(pdu, pdu->tlvs[i].tag).len <= UINT16_MAX);
    }
}

static void check_receipt(const struct smpp_frame *f, const struct smpp_pdu *pdu)
{
    const struct smpp_carrier_options options = {.receipt_without_esm_class = true};
    struct smpp_receipt r;
    if (!smpp_receipt_from_pdu(pdu, &options, &r))
        return;
    const struct smpp_str views[] = {r.id,   r.sub,  r.dlvrd,       r.submit_date,     r.done_date,
                                     r.stat, r.text, r.source_addr, r.destination_addr};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (views[i].p)
            require_inside(f, views[i].p, views[i].len);
    require(r.state >= -1 && r.state <= 9);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smpp_frame f;
    size_t need;
    while (smpp_frame_next(data, size, SMPP_PDU_CAP, &f, &need) == SMPP_FRAME_OK) {
        uint8_t *exact = malloc(f.len); /* so that the sanitizer sees its end */
        require(exact != NULL);
        memcpy(exact, f.p, f.len);
        f.p = exact;
        struct smpp_pdu pdu;
        memset(&pdu, 0xA5, sizeof pdu); /* the decoder owes nothing to a clean struct */
        enum smpp_decode_result r = smpp_decode(&f, &pdu);
        require((r == SMPP_DECODE_UNKNOWN_COMMAND) == (pdu.command == NULL));
        require(r != SMPP_DECODE_MALFORMED || !smpp_is_response(pdu.command_id));
        check_pdu(&f, &pdu);
        check_receipt(&f, &pdu);
        free(exact);
        data += need;
        size -= need;
    }
    return 0;
}
