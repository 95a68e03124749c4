/* What we send, read back by our decoder and, as a second opinion, by libsmpp34's. */
#include "base/result.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"
#include "smpp/smpp_long.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <smpp34.h>
#include <smpp34_structs.h>
#include <smpp34_params.h>

static uint8_t out[SMPP_ENCODE_MAX];
static size_t len;

static const struct smpp_bind_fields bind_fields = {
    .command_id = (uint32_t)SMPP_BIND_TRANSCEIVER,
    .system_id = "fifteen_octets_",
    .password = "secret08",
    .system_type = "twelve_octet",
    .interface_version = 0x34,
    .address_ton = 1,
    .address_npi = 9,
    .address_range = "^38591",
};

static const struct smpp_submit_fields submit_fields = {
    .service_type = "OTP",
    .source_ton = 5,
    .source = "Pinbind",
    .dest_ton = 1,
    .dest_npi = 1,
    .destination = "385911234567",
    .validity_period = "000000000500000R",
    .registered_delivery = 1,
    .short_message = (const uint8_t *)"Your code is \0 1234",
    .sm_length = 19,
};

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const struct smpp_ask_fields ask_fields = {
    .message_id = ID64,
    .source_ton = 5,
    .source_npi = 0,
    .source = "Pinbind",
    .dest_ton = 1,
    .dest_npi = 1,
    .destination = "385911234567",
};

static void decode(struct smpp_pdu *pdu)
{
    struct smpp_frame f;
    size_t need;
    assert_int_equal(smpp_frame_next(out, len, SMPP_PDU_CAP, &f, &need), SMPP_FRAME_OK);
    assert_int_equal(f.len, len);
    assert_int_equal(smpp_decode(&f, pdu), SMPP_DECODE_OK);
    assert_false(pdu->lenient);
}

static void assert_field(const struct smpp_pdu *pdu, enum smpp_field f, const char *want)
{
    struct smpp_str s = smpp_pdu_str(pdu, f);
    assert_non_null(s.p);
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

static void nothing_of_it_is_left_in_the_library(void)
{
    for (size_t i = 0; i < sizeof smpp34_strerror; i++)
        assert_int_equal(smpp34_strerror[i], 0);
}

static void a_bind_is_read_back_as_it_was_given(void **state)
{
    (void)state;
    static const enum smpp_command binds[] = {SMPP_BIND_TRANSCEIVER, SMPP_BIND_TRANSMITTER,
                                              SMPP_BIND_RECEIVER};
    for (size_t i = 0; i < 3; i++) {
        struct smpp_bind_fields f = bind_fields;
        struct smpp_pdu pdu;
        f.command_id = (uint32_t)binds[i];
        assert_int_equal(smpp_encode_bind(&f, 1, out, sizeof out, &len), ERR_OK);
        nothing_of_it_is_left_in_the_library();
        decode(&pdu);
        assert_int_equal(pdu.command_id, (uint32_t)binds[i]);
        assert_int_equal(pdu.sequence_number, 1);
        assert_field(&pdu, SMPP_F_SYSTEM_ID, bind_fields.system_id);
        assert_field(&pdu, SMPP_F_PASSWORD, bind_fields.password);
        assert_field(&pdu, SMPP_F_SYSTEM_TYPE, bind_fields.system_type);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_INTERFACE_VERSION), 0x34);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_ADDR_TON), 1);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_ADDR_NPI), 9);
        assert_field(&pdu, SMPP_F_ADDRESS_RANGE, "^38591");
    }
}

static void the_version_of_a_bind_is_the_one_octet_that_differs(void **state)
{
    (void)state;
    static const uint8_t versions[] = {0x33, 0x50};
    uint8_t usual[SMPP_ENCODE_MAX];
    size_t usual_len;
    assert_int_equal(smpp_encode_bind(&bind_fields, 1, usual, sizeof usual, &usual_len), ERR_OK);
    for (size_t i = 0; i < sizeof versions; i++) {
        struct smpp_bind_fields f = bind_fields;
        struct smpp_pdu pdu;
        f.interface_version = versions[i];
        assert_int_equal(smpp_encode_bind(&f, 1, out, sizeof out, &len), ERR_OK);
        decode(&pdu);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_INTERFACE_VERSION), versions[i]);
        size_t at = (size_t)(smpp_pdu_str(&pdu, SMPP_F_INTERFACE_VERSION).p - (char *)out);
        out[at] = 0x34;
        assert_int_equal(len, usual_len);
        assert_memory_equal(out, usual, len);
    }
}

static void a_submit_is_read_back_as_it_was_given(void **state)
{
    (void)state;
    struct smpp_pdu pdu;
    struct smpp_submit_fields f = submit_fields;
    f.esm_class = 0x40;
    f.protocol_id = 1;
    f.priority_flag = 2;
    f.data_coding = 8;
    assert_int_equal(smpp_encode_submit_sm(&f, 0x7fffffff, out, sizeof out, &len), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    decode(&pdu);
    assert_string_equal(pdu.command, "submit_sm");
    assert_int_equal(pdu.sequence_number, 0x7fffffff);
    assert_field(&pdu, SMPP_F_SERVICE_TYPE, "OTP");
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_SOURCE_ADDR_TON), 5);
    assert_field(&pdu, SMPP_F_SOURCE_ADDR, "Pinbind");
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_DEST_ADDR_TON), 1);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_DEST_ADDR_NPI), 1);
    assert_field(&pdu, SMPP_F_DESTINATION_ADDR, "385911234567");
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_ESM_CLASS), 0x40);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_PROTOCOL_ID), 1);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_PRIORITY_FLAG), 2);
    assert_field(&pdu, SMPP_F_VALIDITY_PERIOD, "000000000500000R");
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_REGISTERED_DELIVERY), 1);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_DATA_CODING), 8);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).len, 19);
    assert_memory_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).p, f.short_message, 19);
}

static void the_library_reads_our_pdus_alike(void **state)
{
    (void)state;
    struct submit_sm_t s;
    struct bind_transceiver_t b;
    memset(&s, 0, sizeof s);
    memset(&b, 0, sizeof b);
    assert_int_equal(smpp_encode_submit_sm(&submit_fields, 7, out, sizeof out, &len), ERR_OK);
    assert_int_equal(smpp34_unpack2(&s, out, (int)len), 0);
    assert_int_equal(s.command_length, len);
    assert_int_equal(s.sequence_number, 7);
    assert_string_equal((char *)s.destination_addr, submit_fields.destination);
    assert_int_equal(s.sm_length, 19);
    assert_memory_equal(s.short_message, submit_fields.short_message, 19);
    assert_int_equal(smpp_encode_bind(&bind_fields, 8, out, sizeof out, &len), ERR_OK);
    assert_int_equal(smpp34_unpack2(&b, out, (int)len), 0);
    assert_string_equal((char *)b.password, bind_fields.password);
    assert_string_equal((char *)b.system_type, bind_fields.system_type);
    assert_string_equal((char *)b.address_range, bind_fields.address_range);
    assert_int_equal(b.addr_ton, bind_fields.address_ton);
    assert_int_equal(b.addr_npi, bind_fields.address_npi);
}

/* Values that no list of the specification has as well: operators give them meanings (0x21, 0xf1).
 */
static void q32_every_value_of_an_octet_goes_out_as_it_is(void **state)
{
    (void)state;
    for (int v = 0; v < 256; v++) {
        struct smpp_submit_fields f = submit_fields;
        struct submit_sm_t s;
        struct smpp_pdu pdu;
        f.registered_delivery = (uint8_t)v;
        f.data_coding = (uint8_t)(255 - v);
        f.protocol_id = (uint8_t)(v ^ 0x55);
        f.priority_flag = (uint8_t)(v ^ 0xaa);
        f.esm_class = (uint8_t)(v + 1);
        memset(&s, 0, sizeof s);
        assert_int_equal(smpp_encode_submit_sm(&f, 7, out, sizeof out, &len), ERR_OK);
        decode(&pdu);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_REGISTERED_DELIVERY), f.registered_delivery);
        assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_DATA_CODING), f.data_coding);
        assert_int_equal(smpp34_unpack2(&s, out, (int)len), 0);
        assert_int_equal(s.registered_delivery, f.registered_delivery);
        assert_int_equal(s.data_coding, f.data_coding);
        assert_int_equal(s.protocol_id, f.protocol_id);
        assert_int_equal(s.priority_flag, f.priority_flag);
        assert_int_equal(s.esm_class, f.esm_class);
    }
}

static const struct smpp_put_tlv all_tlvs[] = {
    {.tag = SMPP_TLV_USER_MESSAGE_REFERENCE, .number = 0xfffe},
    {.tag = SMPP_TLV_SAR_MSG_REF_NUM, .number = 0x0102},
    {.tag = SMPP_TLV_SAR_TOTAL_SEGMENTS, .number = 10},
    {.tag = SMPP_TLV_SAR_SEGMENT_SEQNUM, .number = 255},
    {.tag = SMPP_TLV_MESSAGE_PAYLOAD, .octets = (const uint8_t *)"a\0b", .len = 3},
};
#define N_TLVS (sizeof all_tlvs / sizeof all_tlvs[0])

static void tlvs_stand_behind_the_body_as_the_specification_says(void **state)
{
    (void)state;
    static const uint8_t want[] = "\2\4\0\2\xff\xfe"
                                  "\2\xc\0\2\1\2"
                                  "\2\xe\0\1\xa"
                                  "\2\xf\0\1\xff"
                                  "\4\x24\0\3a\0b";
    struct smpp_submit_fields f = submit_fields;
    struct smpp_pdu pdu;
    assert_int_equal(smpp_encode_submit_sm(&f, 1, out, sizeof out, &len), ERR_OK);
    size_t without = len;
    f.tlvs = all_tlvs;
    f.n_tlvs = N_TLVS;
    assert_int_equal(smpp_encode_submit_sm(&f, 1, out, sizeof out, &len), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    assert_int_equal(len, without + sizeof want - 1);
    assert_memory_equal(out + without, want, sizeof want - 1);
    decode(&pdu);
    assert_int_equal(pdu.n_tlvs, N_TLVS);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).len, 19);
}

static void the_library_reads_our_tlvs_alike(void **state)
{
    (void)state;
    struct submit_sm_t s;
    struct smpp_submit_fields f = submit_fields;
    memset(&s, 0, sizeof s);
    f.tlvs = all_tlvs;
    f.n_tlvs = N_TLVS;
    assert_int_equal(smpp_encode_submit_sm(&f, 7, out, sizeof out, &len), ERR_OK);
    assert_int_equal(smpp34_unpack2(&s, out, (int)len), 0);
    size_t n = 0;
    const tlv_t *t;
    smpp34_tlv_for_each(t, s.tlv)
    {
        const struct smpp_put_tlv *want = &all_tlvs[N_TLVS - 1 - n]; /* it turns them round */
        if (s.tlv->tag == all_tlvs[0].tag)
            want = &all_tlvs[n];
        assert_int_equal(t->tag, want->tag);
        if (want->octets)
            assert_memory_equal(t->value.octet, want->octets, want->len);
        else
            assert_int_equal(t->length == 1 ? t->value.val08 : t->value.val16, want->number);
        n++;
    }
    assert_int_equal(n, N_TLVS);
    destroy_tlv(s.tlv);
}

static void a_query_is_read_back_as_it_was_given(void **state)
{
    (void)state;
    struct smpp_pdu pdu;
    struct query_sm_t q;
    memset(&q, 0, sizeof q);
    assert_int_equal(smpp_encode_query_sm(&ask_fields, 9, out, sizeof out, &len), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    decode(&pdu);
    assert_string_equal(pdu.command, "query_sm");
    assert_int_equal(pdu.sequence_number, 9);
    assert_field(&pdu, SMPP_F_MESSAGE_ID, ID64);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_SOURCE_ADDR_TON), 5);
    assert_field(&pdu, SMPP_F_SOURCE_ADDR, "Pinbind");
    assert_int_equal(smpp34_unpack2(&q, out, (int)len), 0);
    assert_int_equal(q.command_length, len);
    assert_string_equal((char *)q.message_id, ID64);
    assert_int_equal(q.source_addr_ton, 5);
    assert_int_equal(q.source_addr_npi, 0);
    assert_string_equal((char *)q.source_addr, "Pinbind");
}

static void a_cancel_is_read_back_as_it_was_given(void **state)
{
    (void)state;
    struct smpp_pdu pdu;
    struct cancel_sm_t c;
    memset(&c, 0, sizeof c);
    assert_int_equal(smpp_encode_cancel_sm(&ask_fields, 10, out, sizeof out, &len), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    decode(&pdu);
    assert_string_equal(pdu.command, "cancel_sm");
    assert_field(&pdu, SMPP_F_SERVICE_TYPE, "");
    assert_field(&pdu, SMPP_F_MESSAGE_ID, ID64);
    assert_field(&pdu, SMPP_F_SOURCE_ADDR, "Pinbind");
    assert_field(&pdu, SMPP_F_DESTINATION_ADDR, "385911234567");
    assert_int_equal(smpp34_unpack2(&c, out, (int)len), 0);
    assert_int_equal(c.command_length, len);
    assert_string_equal((char *)c.service_type, "");
    assert_string_equal((char *)c.message_id, ID64);
    assert_int_equal(c.source_addr_ton, 5);
    assert_string_equal((char *)c.source_addr, "Pinbind");
    assert_int_equal(c.dest_addr_ton, 1);
    assert_int_equal(c.dest_addr_npi, 1);
    assert_string_equal((char *)c.destination_addr, "385911234567");
}

static void what_a_query_or_cancel_cannot_carry_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *message_id, *source, *destination;
        int query, cancel;
    } rows[] = {
        {"", "ACME", "38591", ERR_INVALID, ERR_INVALID},
        {ID64 "x", "ACME", "38591", ERR_INVALID, ERR_INVALID},
        {"1", "123456789012345678901", "38591", ERR_INVALID, ERR_INVALID},
        {"1", "ACME", "123456789012345678901", ERR_OK, ERR_INVALID},
        {"1", "", "", ERR_OK, ERR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smpp_ask_fields f = {.message_id = rows[i].message_id,
                                    .source = rows[i].source,
                                    .destination = rows[i].destination};
        assert_int_equal(smpp_encode_query_sm(&f, 1, out, sizeof out, &len), rows[i].query);
        assert_int_equal(smpp_encode_cancel_sm(&f, 1, out, sizeof out, &len), rows[i].cancel);
    }
    struct smpp_ask_fields f = ask_fields;
    f.dest_ton = 7;
    assert_int_equal(smpp_encode_cancel_sm(&f, 1, out, sizeof out, &len), ERR_REFUSED);
    nothing_of_it_is_left_in_the_library();
}

/* The part that is next, before libsmpp34's decoder and ours. */
static void check_part(const struct smpp_entry *e)
{
    struct smpp_body body;
    struct smpp_submit_fields f = submit_fields;
    struct submit_sm_t s;
    struct smpp_pdu pdu;
    memset(&s, 0, sizeof s);
    smpp_body_fill(&body, e);
    f.esm_class = body.esm_class;
    f.data_coding = e->text.data_coding;
    f.short_message = body.p;
    f.sm_length = body.len;
    f.tlvs = body.tlvs;
    f.n_tlvs = body.n_tlvs;
    assert_int_equal(smpp_encode_submit_sm(&f, 7, out, sizeof out, &len), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    decode(&pdu);
    assert_int_equal(smpp34_unpack2(&s, out, (int)len), 0);
    assert_int_equal(s.esm_class, body.esm_class);
    assert_int_equal(s.data_coding, e->text.data_coding);
    assert_int_equal(s.sm_length, body.len);
    assert_memory_equal(s.short_message, body.p, body.len);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).len, body.len);
    assert_int_equal(pdu.n_tlvs, body.n_tlvs);
    size_t n = 0;
    const tlv_t *t;
    smpp34_tlv_for_each(t, s.tlv)
    {
        const struct smpp_tlv *ours = smpp_pdu_tlv(&pdu, t->tag);
        assert_non_null(ours);
        assert_int_equal(t->length, ours->len);
        n++;
    }
    assert_int_equal(n, body.n_tlvs);
    destroy_tlv(s.tlv);
    smpp_body_wipe(&body);
}

static void the_library_reads_the_parts_of_every_long_message_alike(void **state)
{
    (void)state;
    static struct smpp_references references;
    static const char *const units[] = {"a", "[", "`", "ç", "š", "\xf0\x9f\x98\x80"};
    static char text[4096];
    struct smpp_entry e;
    for (int i = 0; i < 6 * 3 * 5; i++) {
        struct smpp_carrier_options o = {.long_message = i / 6 % 3,
                                         .alphabet = i / 18,
                                         .user_message_reference = i % 2,
                                         .source = "ACME",
                                         .source_ton = -1,
                                         .source_npi = -1};
        struct smpp_message m = {.destination = "38591234567", .text = text, .max_segments = 10};
        for (m.text_len = 0; m.text_len < 400; m.text_len += strlen(units[i % 6]))
            strcpy(text + m.text_len, units[i % 6]);
        assert_int_equal(smpp_entry_fill(&e, &o, &m, &references), ERR_OK);
        assert_true(e.parts->segments > 1);
        do
            check_part(&e);
        while (smpp_long_took(e.parts, (struct smpp_str){NULL, 0}));
        smpp_long_free(e.parts);
    }
}

static int submit(const struct smpp_submit_fields *f)
{
    return smpp_encode_submit_sm(f, 1, out, sizeof out, &len);
}

static void a_field_one_octet_too_long_is_refused(void **state)
{
    (void)state;
    struct smpp_bind_fields b = bind_fields;
    b.system_id = "sixteen_octets__";
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_INVALID);
    b = bind_fields;
    b.password = "secret009";
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_INVALID);
    b = bind_fields;
    b.system_type = "thirteen_octe";
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_INVALID);
    b = bind_fields;
    b.address_range = "12345678901234567890123456789012345678901";
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_INVALID);

    struct smpp_submit_fields f = submit_fields;
    f.service_type = "VMA123";
    assert_int_equal(submit(&f), ERR_INVALID);
    f = submit_fields;
    f.source = "123456789012345678901";
    assert_int_equal(submit(&f), ERR_INVALID);
    f = submit_fields;
    f.destination = "123456789012345678901";
    assert_int_equal(submit(&f), ERR_INVALID);
    f.destination = "12345678901234567890";
    assert_int_equal(submit(&f), ERR_OK);
    f.validity_period = "000000000500000RR";
    assert_int_equal(submit(&f), ERR_INVALID);
}

static void short_message_takes_253_octets_and_no_more(void **state)
{
    (void)state;
    uint8_t text[254];
    memset(text, 'x', sizeof text);
    struct smpp_submit_fields f = submit_fields;
    struct smpp_pdu pdu;
    f.short_message = text;
    f.sm_length = 253;
    assert_int_equal(submit(&f), ERR_OK);
    decode(&pdu);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).len, 253);
    f.sm_length = 254;
    assert_int_equal(submit(&f), ERR_INVALID);
    f.short_message = NULL;
    f.sm_length = 0;
    assert_int_equal(submit(&f), ERR_OK);
}

static void message_payload_takes_1024_octets_and_no_more(void **state)
{
    (void)state;
    uint8_t text[SMPP_PAYLOAD_MAX + 1];
    memset(text, 'x', sizeof text);
    struct smpp_put_tlv payload[2] = {
        {.tag = SMPP_TLV_MESSAGE_PAYLOAD, .octets = text, .len = SMPP_PAYLOAD_MAX},
        {.tag = SMPP_TLV_USER_MESSAGE_REFERENCE, .number = 1}};
    struct smpp_submit_fields f = submit_fields;
    struct submit_sm_t s;
    struct smpp_pdu pdu;
    memset(&s, 0, sizeof s);
    f.sm_length = 0;
    f.tlvs = payload;
    f.n_tlvs = 2;
    f.source = f.destination = "12345678901234567890";
    assert_int_equal(submit(&f), ERR_OK);
    nothing_of_it_is_left_in_the_library();
    decode(&pdu);
    assert_int_equal(smpp_pdu_message(&pdu).len, SMPP_PAYLOAD_MAX);
    assert_memory_equal(smpp_pdu_message(&pdu).p, text, SMPP_PAYLOAD_MAX);
    assert_int_equal(smpp34_unpack2(&s, out, (int)len), 0);
    destroy_tlv(s.tlv);
    payload[0].len++;
    assert_int_equal(submit(&f), ERR_INVALID);
    payload[0].len = 0;
    assert_int_equal(submit(&f), ERR_INVALID);
}

static void a_tlv_that_we_do_not_send_is_refused(void **state)
{
    (void)state;
    struct smpp_put_tlv tlvs[SMPP_PUT_MAX + 1];
    struct smpp_submit_fields f = submit_fields;
    for (size_t i = 0; i <= SMPP_PUT_MAX; i++)
        tlvs[i] = all_tlvs[0];
    f.tlvs = tlvs;
    f.n_tlvs = SMPP_PUT_MAX;
    assert_int_equal(submit(&f), ERR_OK);
    f.n_tlvs++;
    assert_int_equal(submit(&f), ERR_INVALID);
    f.n_tlvs = 1;
    tlvs[0].tag = SMPP_TLV_CALLBACK_NUM;
    assert_int_equal(submit(&f), ERR_INVALID);
    tlvs[0] = (struct smpp_put_tlv){.tag = SMPP_TLV_SAR_TOTAL_SEGMENTS, .number = 256};
    assert_int_equal(submit(&f), ERR_INVALID);
    tlvs[0].number = 255;
    assert_int_equal(submit(&f), ERR_OK);
}

static void what_the_library_will_not_send_is_refused(void **state)
{
    (void)state;
    struct smpp_submit_fields f = submit_fields;
    f.dest_ton = 7;
    assert_int_equal(submit(&f), ERR_REFUSED);
    nothing_of_it_is_left_in_the_library();
    f = submit_fields;
    f.source_npi = 2;
    assert_int_equal(submit(&f), ERR_REFUSED);
    assert_int_equal(smpp_encode_submit_sm(&submit_fields, 0, out, sizeof out, &len), ERR_REFUSED);
    struct smpp_bind_fields b = bind_fields;
    b.address_ton = 0x50;
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_REFUSED);
    nothing_of_it_is_left_in_the_library();
    b = bind_fields;
    b.command_id = (uint32_t)SMPP_SUBMIT_SM;
    assert_int_equal(smpp_encode_bind(&b, 1, out, sizeof out, &len), ERR_INVALID);
}

static void a_buffer_of_the_exact_size_is_enough_and_one_less_is_full(void **state)
{
    (void)state;
    assert_int_equal(submit(&submit_fields), ERR_OK);
    size_t exact = len;
    memset(out, 0xAA, sizeof out);
    assert_int_equal(smpp_encode_submit_sm(&submit_fields, 1, out, exact, &len), ERR_OK);
    assert_int_equal(out[exact], 0xAA);
    memset(out, 0xAA, sizeof out);
    assert_int_equal(smpp_encode_submit_sm(&submit_fields, 1, out, exact - 1, &len), ERR_FULL);
    assert_int_equal(out[0], 0xAA);
    nothing_of_it_is_left_in_the_library();
}

static void headers_and_responses_are_16_and_17_octets(void **state)
{
    (void)state;
    static const uint8_t nack[] = {0, 0, 0, 16, 0x80, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff};
    smpp_encode_header((uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDID, 0xffffffffu, out);
    assert_memory_equal(out, nack, sizeof nack);
    struct smpp_pdu pdu;
    smpp_encode_delivery_resp((uint32_t)SMPP_DELIVER_SM_RESP, ESME_RX_T_APPN, 9, out);
    len = 17;
    decode(&pdu);
    assert_string_equal(pdu.command, "deliver_sm_resp");
    assert_int_equal(pdu.command_status, 0x64);
    assert_int_equal(pdu.sequence_number, 9);
    assert_field(&pdu, SMPP_F_MESSAGE_ID, "");
}

static void validity_is_written_as_the_specification_says(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } relative[] = {
        {INT64_C(300000), "000000000500000R"},     {INT64_C(1000), "000000000001000R"},
        {INT64_C(0), "000000000001000R"},          {INT64_C(-5), "000000000001000R"},
        {INT64_C(1999), "000000000001000R"},       {INT64_C(86399000), "000000235959000R"},
        {INT64_C(86400000), "000001000000000R"},   {INT64_C(2678400000), "000031000000000R"},
        {INT64_C(2678401000), "000031000000000R"}, {INT64_MAX, "000031000000000R"},
    };
    char text[17];
    for (size_t i = 0; i < sizeof relative / sizeof relative[0]; i++) {
        smpp_encode_validity_relative(relative[i].ms, text);
        assert_string_equal(text, relative[i].want);
    }
    smpp_encode_validity_absolute(INT64_C(1795435500999), text); /* 2026-11-23 12:05:00.999 */
    assert_string_equal(text, "261123120500000+");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bind_is_read_back_as_it_was_given),
        cmocka_unit_test(the_version_of_a_bind_is_the_one_octet_that_differs),
        cmocka_unit_test(a_submit_is_read_back_as_it_was_given),
        cmocka_unit_test(the_library_reads_our_pdus_alike),
        cmocka_unit_test(q32_every_value_of_an_octet_goes_out_as_it_is),
        cmocka_unit_test(tlvs_stand_behind_the_body_as_the_specification_says),
        cmocka_unit_test(the_library_reads_our_tlvs_alike),
        cmocka_unit_test(the_library_reads_the_parts_of_every_long_message_alike),
        cmocka_unit_test(message_payload_takes_1024_octets_and_no_more),
        cmocka_unit_test(a_tlv_that_we_do_not_send_is_refused),
        cmocka_unit_test(a_query_is_read_back_as_it_was_given),
        cmocka_unit_test(a_cancel_is_read_back_as_it_was_given),
        cmocka_unit_test(what_a_query_or_cancel_cannot_carry_is_refused),
        cmocka_unit_test(a_field_one_octet_too_long_is_refused),
        cmocka_unit_test(short_message_takes_253_octets_and_no_more),
        cmocka_unit_test(what_the_library_will_not_send_is_refused),
        cmocka_unit_test(a_buffer_of_the_exact_size_is_enough_and_one_less_is_full),
        cmocka_unit_test(headers_and_responses_are_16_and_17_octets),
        cmocka_unit_test(validity_is_written_as_the_specification_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
