#include "base/buf.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct smpp_pdu pdu;
static uint8_t *frame; /* of the exact size, for the sanitizer */

static int teardown(void **state)
{
    (void)state;
    free(frame);
    frame = NULL;
    return 0;
}

/* Decodes a PDU with the body; the views live until the next call. */
static enum smpp_decode_result decode(uint32_t command, uint32_t status, const char *body,
                                      size_t len)
{
    free(frame);
    frame = malloc(16 + len);
    struct wr w = wr_init(frame, 16 + len);
    wr_u32(&w, (uint32_t)(16 + len));
    wr_u32(&w, command);
    wr_u32(&w, status);
    wr_u32(&w, 7);
    wr_bytes(&w, body, len);
    struct smpp_frame f = {frame, w.len, command, status, 7};
    memset(&pdu, 0xA5, sizeof pdu); /* the decoder owes nothing to a clean struct */
    enum smpp_decode_result r = smpp_decode(&f, &pdu);
    assert_int_equal(pdu.lenient, pdu.defect != NULL);
    return r;
}

#define DECODE(command, status, body)                                                              \
    decode((uint32_t)(command), (status), "" body "", sizeof(body) - 1)

static void assert_field(enum smpp_field f, const char *want)
{
    struct smpp_str s = smpp_pdu_str(&pdu, f);
    assert_non_null(s.p);
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

#define ADDRESSES                                                                                  \
    "\0\1\1"                                                                                       \
    "385911234567\0\5\0"                                                                           \
    "Pinbind\0"
#define FLAGS   "\4\0\0\0\0\1\0\0\0"
#define DELIVER ADDRESSES FLAGS "\5hello"

static void a_deliver_sm_gives_views_of_its_fields(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_DELIVER_SM, 0, DELIVER "\x04\x27\0\1\2\x14\x03\0\0"),
                     SMPP_DECODE_OK);
    assert_false(pdu.lenient);
    assert_string_equal(pdu.command, "deliver_sm");
    assert_field(SMPP_F_SERVICE_TYPE, "");
    assert_field(SMPP_F_SOURCE_ADDR, "385911234567");
    assert_field(SMPP_F_DESTINATION_ADDR, "Pinbind");
    assert_field(SMPP_F_SHORT_MESSAGE, "hello");
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_ESM_CLASS), 4);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_REGISTERED_DELIVERY), 1);
    assert_int_equal(pdu.n_tlvs, 2);
    assert_int_equal(smpp_pdu_tlv(&pdu, SMPP_TLV_MESSAGE_STATE)->value[0], 2);
    assert_int_equal(smpp_pdu_tlv(&pdu, 0x1403)->len, 0);
    assert_true((const uint8_t *)smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).p > frame);
}

static void what_is_absent_is_absent(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_ENQUIRE_LINK, 0, ""), SMPP_DECODE_OK);
    for (int f = 0; f < SMPP_F_COUNT; f++) {
        assert_false(smpp_pdu_has(&pdu, (enum smpp_field)f));
        assert_null(smpp_pdu_str(&pdu, (enum smpp_field)f).p);
        assert_int_equal(smpp_pdu_int(&pdu, (enum smpp_field)f), 0);
    }
    assert_null(smpp_pdu_tlv(&pdu, 0));
    assert_null(smpp_pdu_tlv_str(&pdu, 0).p);
}

static void a_request_cut_in_its_mandatory_part_is_malformed(void **state)
{
    (void)state;
    static const char body[] = DELIVER;
    for (size_t n = 0; n < sizeof body - 1; n++) {
        assert_int_equal(decode((uint32_t)SMPP_DELIVER_SM, 0, body, n), SMPP_DECODE_MALFORMED);
        assert_non_null(pdu.defect);
        assert_string_equal(pdu.command, "deliver_sm");
        assert_int_equal(pdu.sequence_number, 7);
        assert_int_equal(pdu.n_tlvs, 0);
    }
}

static void a_response_cut_anywhere_is_usable(void **state)
{
    (void)state;
    static const char body[] = "12345\0"
                               "261123120000000+\0\2\1";
    for (size_t n = 0; n <= sizeof body - 1; n++) {
        assert_int_equal(decode((uint32_t)SMPP_QUERY_SM_RESP, 0, body, n), SMPP_DECODE_OK);
        assert_int_equal(pdu.lenient, n < sizeof body - 1);
    }
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_MESSAGE_STATE), 2);
    assert_int_equal(smpp_pdu_int(&pdu, SMPP_F_ERROR_CODE), 1);
}

static void short_message_has_at_most_254_octets(void **state)
{
    (void)state;
    char body[400] = ADDRESSES FLAGS;
    size_t head = sizeof(ADDRESSES FLAGS) - 1;
    memset(body + head, 'x', sizeof body - head);
    body[head] = (char)254;
    assert_int_equal(decode((uint32_t)SMPP_DELIVER_SM, 0, body, head + 255), SMPP_DECODE_OK);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_SHORT_MESSAGE).len, 254);
    body[head] = (char)255;
    assert_int_equal(decode((uint32_t)SMPP_DELIVER_SM, 0, body, head + 256), SMPP_DECODE_MALFORMED);
}

static void a_string_that_ends_with_its_request_is_taken(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_CANCEL_SM, 0,
                            "\0id\0\1\1"
                            "11\0\1\1"
                            "38591"),
                     SMPP_DECODE_OK);
    assert_true(pdu.lenient);
    assert_field(SMPP_F_DESTINATION_ADDR, "38591");
}

static void an_error_response_needs_no_body(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_SUBMIT_SM_RESP, 0x45, ""), SMPP_DECODE_OK);
    assert_false(pdu.lenient);
    assert_int_equal(DECODE(SMPP_SUBMIT_SM_RESP, 0, ""), SMPP_DECODE_OK);
    assert_true(pdu.lenient);
    assert_int_equal(DECODE(SMPP_CANCEL_SM_RESP, 0, ""), SMPP_DECODE_OK);
    assert_false(pdu.lenient);
}

static void an_error_response_may_hold_tlvs_alone(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_DATA_SM_RESP, 0xFE, "\x04\x25\0\1\2\x04\x23\0\3\3\0\7"),
                     SMPP_DECODE_OK);
    assert_false(pdu.lenient);
    assert_int_equal(pdu.n_tlvs, 2);
    assert_false(smpp_pdu_has(&pdu, SMPP_F_MESSAGE_ID));
    assert_int_equal(DECODE(SMPP_DATA_SM_RESP, 0xFE, "\0\x04\x25\0\1\2"), SMPP_DECODE_OK);
    assert_int_equal(pdu.n_tlvs, 1);
    assert_field(SMPP_F_MESSAGE_ID, "");
    /* a request may not, whatever its status says */
    assert_int_equal(DECODE(SMPP_DATA_SM, 0xFE, "\x04\x25\0\1\2"), SMPP_DECODE_MALFORMED);
}

static void tlvs_over_the_bound_are_counted_and_left_out(void **state)
{
    (void)state;
    char body[4 * 60] = {0};
    for (size_t i = 0; i < 60; i++) {
        body[4 * i] = 0x14;
        body[4 * i + 1] = (char)i;
    }
    assert_int_equal(decode((uint32_t)SMPP_UNBIND, 0, body, sizeof body), SMPP_DECODE_OK);
    assert_int_equal(pdu.n_tlvs, SMPP_TLVS_MAX);
    assert_int_equal(pdu.tlvs_left_out, 60 - SMPP_TLVS_MAX);
    assert_int_equal(pdu.tlvs[SMPP_TLVS_MAX - 1].tag, 0x1400 + SMPP_TLVS_MAX - 1);
}

static void the_first_of_two_tlvs_counts(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_DELIVER_SM, 0, DELIVER "\0\x1e\0\3ab\0\0\x1e\0\2cd"),
                     SMPP_DECODE_OK);
    struct smpp_str id = smpp_pdu_tlv_str(&pdu, SMPP_TLV_RECEIPTED_MESSAGE_ID);
    assert_int_equal(id.len, 2); /* up to the NUL */
    assert_memory_equal(id.p, "ab", 2);
}

static void a_list_shorter_than_its_count_is_malformed_in_a_request(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI, 0,
                            "\0\0\0\0\2\1\1\1"
                            "38591\0"
                            "\2list\0" FLAGS "\1x"),
                     SMPP_DECODE_OK);
    assert_false(pdu.lenient);
    assert_int_equal(smpp_pdu_str(&pdu, SMPP_F_DEST_ADDRESS).len, 15);
    assert_field(SMPP_F_SHORT_MESSAGE, "x");
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI, 0, "\0\0\0\0\2\2list\0"), SMPP_DECODE_MALFORMED);
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI, 0, "\0\0\0\0\1\3list\0"), SMPP_DECODE_MALFORMED);
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI, 0, "\0\0\0\0\1\2list"), SMPP_DECODE_MALFORMED);
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI, 0, "\0\0\0\0\1\1\1"), SMPP_DECODE_MALFORMED);
}

static void a_list_shorter_than_its_count_does_not_spoil_a_response(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SMPP_SUBMIT_MULTI_RESP, 0,
                            "id\0\2\1\1"
                            "38591\0\0\0\0\x0b\1"),
                     SMPP_DECODE_OK);
    assert_true(pdu.lenient);
    assert_field(SMPP_F_MESSAGE_ID, "id");
    assert_false(smpp_pdu_has(&pdu, SMPP_F_UNSUCCESS_SME));
    assert_int_equal(pdu.n_tlvs, 0);
}

static void an_unknown_command_gives_its_header(void **state)
{
    (void)state;
    assert_int_equal(DECODE(0x00010200, 3, "whatever"), SMPP_DECODE_UNKNOWN_COMMAND);
    assert_null(pdu.command);
    assert_int_equal(pdu.command_id, 0x00010200);
    assert_int_equal(pdu.command_status, 3);
    assert_int_equal(pdu.present, 0);
    assert_int_equal(pdu.n_tlvs, 0);
}

static void less_than_a_header_is_malformed(void **state)
{
    (void)state;
    uint8_t few[15] = {0};
    struct smpp_frame f = {few, sizeof few, (uint32_t)SMPP_ENQUIRE_LINK, 0, 1};
    assert_int_equal(smpp_decode(&f, &pdu), SMPP_DECODE_MALFORMED);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deliver_sm_gives_views_of_its_fields),
        TEST(what_is_absent_is_absent),
        TEST(a_request_cut_in_its_mandatory_part_is_malformed),
        TEST(a_response_cut_anywhere_is_usable),
        TEST(short_message_has_at_most_254_octets),
        TEST(a_string_that_ends_with_its_request_is_taken),
        TEST(an_error_response_needs_no_body),
        TEST(an_error_response_may_hold_tlvs_alone),
        TEST(tlvs_over_the_bound_are_counted_and_left_out),
        TEST(the_first_of_two_tlvs_counts),
        TEST(a_list_shorter_than_its_count_is_malformed_in_a_request),
        TEST(a_list_shorter_than_its_count_does_not_spoil_a_response),
        TEST(an_unknown_command_gives_its_header),
        TEST(less_than_a_header_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
