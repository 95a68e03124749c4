/* Nanoseconds for the codec's part of one message: submit_sm out, deliver_sm in, its receipt. */
#include "base/clock.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_encode.h"
#include "smpp/smpp_receipt.h"
#include "smpp/smpp_text.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 1000000

static uint8_t deliver[512];
static size_t deliver_len;
static volatile size_t kept; /* so that nothing is optimised away */

static const char receipt[] = "id:0123456789 sub:001 dlvrd:001 submit date:2611231200 "
                              "done date:2611231201 stat:DELIVRD err:000 text:Your code is";

static void make_deliver(void)
{
    static const struct smpp_submit_fields f = {
        .service_type = "",
        .source = "385911234567",
        .destination = "Pinbind",
        .esm_class = 4,
        .validity_period = "",
        .short_message = (const uint8_t *)receipt,
        .sm_length = sizeof receipt - 1,
    };
    static const uint8_t tlvs[] = "\x00\x1e\x00\x09"
                                  "12345678\0"
                                  "\x04\x27\x00\x01\x02";
    if (smpp_encode_submit_sm(&f, 1, deliver, sizeof deliver, &deliver_len))
        return;
    memcpy(deliver + deliver_len, tlvs, sizeof tlvs - 1);
    deliver_len += sizeof tlvs - 1;
    deliver[3] = (uint8_t)deliver_len;
    deliver[7] = SMPP_DELIVER_SM;
}

static void decode_once(struct smpp_pdu *pdu)
{
    struct smpp_frame f;
    size_t need;
    if (smpp_frame_next(deliver, deliver_len, SMPP_PDU_CAP, &f, &need) == SMPP_FRAME_OK)
        kept += smpp_decode(&f, pdu);
}

static void decode_cb(void)
{
    struct smpp_pdu pdu;
    decode_once(&pdu);
    kept += pdu.n_tlvs;
}

static void receipt_cb(void)
{
    static const struct smpp_carrier_options options;
    static struct smpp_pdu pdu;
    struct smpp_receipt r;
    if (!pdu.command_length)
        decode_once(&pdu);
    kept += smpp_receipt_from_pdu(&pdu, &options, &r);
}

static void submit_cb(void)
{
    static const struct smpp_submit_fields f = {
        .service_type = "",
        .source_ton = 5,
        .source = "Pinbind",
        .dest_ton = 1,
        .dest_npi = 1,
        .destination = "385911234567",
        .validity_period = "000000000500000R",
        .registered_delivery = 1,
        .short_message = (const uint8_t *)"Your code is 123456",
        .sm_length = 19,
    };
    uint8_t out[SMPP_ENCODE_MAX];
    size_t len = 0;
    kept += (size_t)smpp_encode_submit_sm(&f, 1, out, sizeof out, &len) + len;
}

static void text_cb(void)
{
    static const char text[] = "Your code for Pinbind is 123456. It is good for five minutes.";
    struct smpp_text_form form;
    uint8_t out[SMPP_TEXT_MAX];
    uint16_t end = 0;
    if (smpp_text_form(text, sizeof text - 1, SMPP_GSM, &form) == 0)
        smpp_text_write(text, sizeof text - 1, &form, out, &end);
    kept += end;
}

static void measure(const char *name, void (*once_cb)(void))
{
    struct mono start = mono_now();
    for (int i = 0; i < ROUNDS; i++)
        once_cb();
    printf("%-22s %7.1f ns\n", name,
           (double)mono_diff_us(mono_now(), start) * 1000.0 / (double)ROUNDS);
}

int main(void)
{
    make_deliver();
    measure("decode deliver_sm", decode_cb);
    measure("parse its receipt", receipt_cb);
    measure("encode submit_sm", submit_cb);
    measure("encode a GSM text", text_cb);
    return 0;
}
