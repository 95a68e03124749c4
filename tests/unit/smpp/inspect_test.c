/* What is told about octets, beyond what the vectors and the receipts of tests/data say. */
#include "base/buf.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct smpp_inspection in;
static uint8_t *octets; /* of the exact size, for the sanitizer */

static int teardown(void **state)
{
    (void)state;
    free(octets);
    octets = NULL;
    return 0;
}

static void inspect_octets(const void *p, size_t len)
{
    free(octets);
    octets = malloc(len + !len);
    memcpy(octets, p, len);
    memset(&in, 0xA5, sizeof in); /* nothing is owed to a clean struct */
    smpp_inspect(octets, len, 0, &in);
}

static void inspect(uint32_t command, uint32_t status, const char *body, size_t len)
{
    uint8_t pdu[1024];
    struct wr w = wr_init(pdu, sizeof pdu);
    wr_u32(&w, (uint32_t)(16 + len));
    wr_u32(&w, command);
    wr_u32(&w, status);
    wr_u32(&w, 7);
    wr_bytes(&w, body, len);
    assert_false(w.bad);
    inspect_octets(pdu, w.len);
}

#define INSPECT(command, status, body)                                                             \
    inspect((uint32_t)(command), (status), "" body "", sizeof(body) - 1)

#define ADDRESSES                                                                                  \
    "\0\1\1"                                                                                       \
    "385911234567\0\5\0"                                                                           \
    "Pinbind\0"
#define DELIVER(esm_class, dcs, message) ADDRESSES esm_class "\0\0\0\0\1\0" dcs "\0" message

static const struct smpp_item *field(const char *name)
{
    for (size_t i = 0; i < in.n_fields; i++)
        if (strcmp(in.fields[i].name, name) == 0)
            return &in.fields[i];
    return NULL;
}

static void assert_str(struct smpp_str s, const char *want)
{
    assert_non_null(s.p);
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

static void assert_answer(enum smpp_reaction reaction, uint32_t id, uint32_t status)
{
    assert_int_equal(in.reaction, reaction);
    assert_true(in.is_answered);
    assert_int_equal(in.answer_id, id);
    assert_int_equal(in.answer_status, status);
    assert_int_equal(in.answer_sequence, reaction == SMPP_REACTION_CLOSE ? 0 : 7);
}

static void assert_silence(enum smpp_reaction reaction)
{
    assert_int_equal(in.reaction, reaction);
    assert_false(in.is_answered);
}

static void fields_stand_in_the_order_of_the_wire(void **state)
{
    (void)state;
    static const char *const query[] = {"message_id", "source_addr_ton", "source_addr_npi",
                                        "source_addr"};
    INSPECT(SMPP_QUERY_SM, 0, "id\0\1\1\0");
    assert_int_equal(in.n_fields, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(in.fields[i].name, query[i]);
    /* a list of none and a message of none begin where the next field does */
    INSPECT(SMPP_SUBMIT_MULTI, 0, "\0\1\1\0\0\3\0\0\0\0\1\0\0\0\0");
    assert_int_equal(in.verdict, SMPP_VERDICT_OK);
    assert_string_equal(in.fields[4].name, "number_of_dests");
    assert_string_equal(in.fields[5].name, "dest_address");
    assert_string_equal(in.fields[6].name, "esm_class");
    assert_string_equal(in.fields[in.n_fields - 1].name, "short_message");
}

static void a_password_does_not_come_out(void **state)
{
    (void)state;
    static const uint32_t binds[] = {SMPP_BIND_RECEIVER, SMPP_BIND_TRANSMITTER,
                                     SMPP_BIND_TRANSCEIVER, SMPP_OUTBIND};
    for (size_t i = 0; i < 4; i++) {
        INSPECT(binds[i], 0, "esme\0s3cret\0\0\x34\0\0\0");
        assert_int_equal(field("password")->kind, SMPP_ITEM_SECRET);
        assert_null(field("password")->value.p);
        assert_int_equal(field("password")->value.len, 0);
        assert_str(field("system_id")->value, "esme");
        assert_string_equal(in.fields[1].name, "password");
    }
    INSPECT(SMPP_BIND_TRANSCEIVER, 0, "esme\0s3cret"); /* no NUL */
    assert_int_equal(in.verdict, SMPP_VERDICT_MALFORMED);
    assert_null(field("password")->value.p);
    assert_null(strstr(in.reason, "s3cret"));
}

static void numbers_are_numbers_and_texts_are_texts(void **state)
{
    (void)state;
    INSPECT(SMPP_DELIVER_SM, 0,
            DELIVER("\x43", "\xF1", "\2hi") "\2\4\0\2\x12\x34"
                                            "\4\x27\0\2\0\5"
                                            "\0\x17\0\5\1\2\3\4\5"
                                            "\0\x1e\0\3ab\0"
                                            "\4\x23\0\3\3\0\7"
                                            "\4\x24\0\1x"
                                            "\x14\3\0\0"
                                            "\4\x27\0\0");
    static const struct {
        enum smpp_item_kind kind;
        uint32_t number;
        const char *name;
    } want[] = {
        {SMPP_ITEM_NUMBER, 0x1234, "user_message_reference"},
        {SMPP_ITEM_NUMBER, 5, "message_state"},    /* one octet more than its own */
        {SMPP_ITEM_OCTETS, 0, "qos_time_to_live"}, /* no integer is as long */
        {SMPP_ITEM_STRING, 0, "receipted_message_id"},
        {SMPP_ITEM_OCTETS, 0, "network_error_code"},
        {SMPP_ITEM_MESSAGE, 0, "message_payload"},
        {SMPP_ITEM_OCTETS, 0, NULL},
        {SMPP_ITEM_OCTETS, 0, "message_state"},
    };
    assert_int_equal(in.verdict, SMPP_VERDICT_LENIENT);
    assert_string_equal(in.reason, "an integer TLV of another length");
    assert_int_equal(in.n_tlvs, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < in.n_tlvs; i++) {
        assert_int_equal(in.tlvs[i].kind, want[i].kind);
        assert_int_equal(in.tlvs[i].number, want[i].number);
        assert_int_equal(in.tlvs[i].name != NULL, want[i].name != NULL);
        if (want[i].name)
            assert_string_equal(in.tlvs[i].name, want[i].name);
    }
    assert_int_equal(in.tlvs[6].tag, 0x1403);
    assert_int_equal(field("esm_class")->kind, SMPP_ITEM_NUMBER);
    assert_int_equal(field("esm_class")->number, 0x43);
    assert_int_equal(field("data_coding")->number, 0xF1);
    assert_int_equal(field("source_addr")->kind, SMPP_ITEM_STRING);
    assert_int_equal(field("short_message")->kind, SMPP_ITEM_MESSAGE);
}

static void tlvs_over_the_bound_are_counted(void **state)
{
    (void)state;
    char body[4 * (SMPP_INSPECT_TLVS_MAX + 12)];
    for (size_t i = 0; i < sizeof body; i += 4)
        memcpy(body + i, "\x14\1\0\0", 4);
    inspect(SMPP_UNBIND, 0, body, sizeof body);
    assert_int_equal(in.n_tlvs, SMPP_INSPECT_TLVS_MAX);
    assert_int_equal(in.tlvs_left_out, 12);
}

static void as_much_of_the_header_as_there_is_is_told(void **state)
{
    (void)state;
    static const uint8_t cut[] = {0, 0, 0, 40, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 9, 0};
    for (size_t n = 0; n <= sizeof cut; n++) {
        inspect_octets(cut, n);
        assert_int_equal(in.verdict, SMPP_VERDICT_INCOMPLETE);
        assert_int_equal(in.header_words, n / 4);
        assert_int_equal(in.need, n < 4 ? 16 : 40);
        assert_int_equal(in.consumed, 0);
        assert_int_equal(in.n_fields, 0);
        assert_silence(SMPP_REACTION_WAIT);
    }
    assert_int_equal(in.command_status, 8);
    assert_string_equal(in.status_text, "system error");
    assert_int_equal(in.sequence_number, 9);
}

static void lost_framing_is_answered_and_closes(void **state)
{
    (void)state;
    inspect_octets("\0\0\0\x0f\0\0\0\5\0\0\0\0\0\0\0\7", 16);
    assert_int_equal(in.verdict, SMPP_VERDICT_REJECT);
    assert_answer(SMPP_REACTION_CLOSE, (uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDLEN);
    assert_non_null(strstr(in.reason, "under 16"));
    inspect_octets("\x10\0\0\0", 4);
    assert_int_equal(in.verdict, SMPP_VERDICT_REJECT);
    assert_answer(SMPP_REACTION_CLOSE, (uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDLEN);
    assert_non_null(strstr(in.reason, "over"));
    assert_int_equal(in.need, 0);
}

static void every_kind_of_pdu_has_its_reaction(void **state)
{
    (void)state;
    static const uint32_t matched[] = {
        (uint32_t)SMPP_SUBMIT_SM_RESP,        (uint32_t)SMPP_QUERY_SM_RESP,
        (uint32_t)SMPP_CANCEL_SM_RESP,        (uint32_t)SMPP_ENQUIRE_LINK_RESP,
        (uint32_t)SMPP_BIND_TRANSCEIVER_RESP, (uint32_t)SMPP_UNBIND_RESP,
        (uint32_t)SMPP_GENERIC_NACK};
    for (size_t i = 0; i < sizeof matched / sizeof matched[0]; i++) {
        inspect(matched[i], 0x58, "", 0);
        assert_silence(SMPP_REACTION_MATCH);
    }
    INSPECT(SMPP_ENQUIRE_LINK, 0, "");
    assert_answer(SMPP_REACTION_ANSWER, (uint32_t)SMPP_ENQUIRE_LINK_RESP, ESME_ROK);
    INSPECT(SMPP_UNBIND, 0, "");
    assert_answer(SMPP_REACTION_UNBIND, (uint32_t)SMPP_UNBIND_RESP, ESME_ROK);
    INSPECT(SMPP_OUTBIND, 0, "smsc\0pw\0");
    assert_silence(SMPP_REACTION_IGNORE);
    INSPECT(SMPP_ALERT_NOTIFICATION, 0, "\1"); /* malformed, and none to answer */
    assert_int_equal(in.verdict, SMPP_VERDICT_MALFORMED);
    assert_silence(SMPP_REACTION_IGNORE);
    INSPECT(SMPP_REPLACE_SM_RESP, 0, "");
    assert_silence(SMPP_REACTION_IGNORE);
    INSPECT(0x80001234, 0, "whatever");
    assert_int_equal(in.verdict, SMPP_VERDICT_UNKNOWN_COMMAND);
    assert_silence(SMPP_REACTION_IGNORE);
    INSPECT(0x00001234, 0, "whatever");
    assert_answer(SMPP_REACTION_ANSWER, (uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDID);
    assert_str(in.body, "whatever");
    INSPECT(SMPP_SUBMIT_SM, 0, "");
    assert_answer(SMPP_REACTION_ANSWER, (uint32_t)SMPP_GENERIC_NACK, ESME_RINVCMDID);
}

static void a_delivery_is_a_message_or_a_receipt_or_refused(void **state)
{
    (void)state;
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\0", "\0", "\2hi"));
    assert_answer(SMPP_REACTION_MESSAGE, (uint32_t)SMPP_DELIVER_SM_RESP, ESME_ROK);
    INSPECT(SMPP_DATA_SM, 0, ADDRESSES "\4\0\0\4\x27\0\1\2");
    assert_answer(SMPP_REACTION_RECEIPT, (uint32_t)SMPP_DATA_SM_RESP, ESME_ROK);
    assert_int_equal(in.receipt.state, 2);
    assert_true(in.receipt.final);
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\4", "\0", "\x20id:"));
    assert_int_equal(in.verdict, SMPP_VERDICT_MALFORMED);
    assert_answer(SMPP_REACTION_ANSWER, (uint32_t)SMPP_DELIVER_SM_RESP, ESME_RINVMSGLEN);
    assert_string_equal(in.reason, "sm_length over the end of the PDU");
    assert_null(field("short_message"));
    assert_int_equal(field("sm_length")->number, 0x20);
}

static void dates_of_receipts_are_moved_by_their_time_zone(void **state)
{
    (void)state;
    static const char text[] = "id:9 done date:2607190900 stat:DELIVRD";
    struct smpp_receipt utc, zagreb;
    assert_true(smpp_inspect_receipt(text, strlen(text), 0, &utc));
    assert_true(smpp_inspect_receipt(text, strlen(text), 120, &zagreb));
    assert_int_equal(utc.done_ms, INT64_C(1784451600000));
    assert_int_equal(zagreb.done_ms, utc.done_ms - 7200000);
    assert_false(smpp_inspect_receipt("hello", 5, 0, &utc));
    INSPECT(SMPP_DELIVER_SM, 0,
            DELIVER("\4", "\0",
                    "\x26"
                    "id:9 done date:2607190900 stat:DELIVRD"));
    smpp_inspect(octets, in.consumed, 120, &in);
    assert_int_equal(in.receipt.done_ms, zagreb.done_ms);
    assert_str(in.receipt.id, "9");
}

static void the_addresses_of_lists_come_one_by_one(void **state)
{
    (void)state;
    struct smpp_address_item a;
    size_t at = 0;
    INSPECT(SMPP_SUBMIT_MULTI, 0,
            "\0\0\0\0\2\1\1\2"
            "38591\0\2friends\0"
            "\0\0\0\0\0\0\0\0\0\0");
    assert_true(smpp_inspect_address(field("dest_address"), &at, &a));
    assert_false(a.is_list_name);
    assert_int_equal(a.ton, 1);
    assert_int_equal(a.npi, 2);
    assert_str(a.address, "38591");
    assert_true(smpp_inspect_address(field("dest_address"), &at, &a));
    assert_true(a.is_list_name);
    assert_str(a.address, "friends");
    assert_false(smpp_inspect_address(field("dest_address"), &at, &a));

    at = 0;
    INSPECT(SMPP_SUBMIT_MULTI_RESP, 0,
            "id\0\1\2\1"
            "38591\0\0\0\0\x0b");
    assert_true(smpp_inspect_address(field("unsuccess_sme"), &at, &a));
    assert_int_equal(a.ton, 2);
    assert_str(a.address, "38591");
    assert_int_equal(a.error_status, ESME_RINVDSTADR);
    assert_false(smpp_inspect_address(field("unsuccess_sme"), &at, &a));
}

static void assert_text(const struct smpp_item *item, enum smpp_alphabet alphabet, const char *want)
{
    char *text = malloc(4 * item->value.len + 1);
    size_t len = smpp_inspect_text(&in, item, alphabet, text, 4 * item->value.len + 1);
    assert_int_equal(len, strlen(want));
    assert_string_equal(text, want);
    free(text);
}

static void a_message_is_read_by_its_data_coding_without_its_user_data_header(void **state)
{
    (void)state;
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\0", "\0", "\3\x11\x1b\x65"));
    assert_text(field("short_message"), SMPP_GSM, "_€");
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\0", "\x08", "\4\1\x61\1\x0d"));
    assert_text(field("short_message"), SMPP_GSM, "šč");
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\0", "\0", "\1\xe9"));
    assert_text(field("short_message"), SMPP_LATIN1, "é");
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\x40", "\0", "\x08\5\0\3\1\2\1hi"));
    assert_text(field("short_message"), SMPP_GSM, "hi");
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\x40", "\0", "\2hi")); /* a header longer than all */
    assert_text(field("short_message"), SMPP_GSM, "hi");
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\x40", "\0", "\0") "\4\x24\0\5\2ab42");
    assert_text(field("short_message"), SMPP_GSM, "");
    assert_text(&in.tlvs[0], SMPP_GSM, "42");
    /* the greatest growth: every octet is three of UTF-8 */
    INSPECT(SMPP_DELIVER_SM, 0, DELIVER("\0", "\0", "\3\xff\xff\xff"));
    assert_text(field("short_message"), SMPP_GSM, "\uFFFD\uFFFD\uFFFD");
}

static void views_stay_inside_whatever_is_cut_or_turned(void **state)
{
    (void)state;
    static const char body[] = "\0\1\1"
                               "1\0\2\1\1"
                               "38591\0\2list\0"
                               "\4\0\0\0\0\1\0\0\0\2hi\4\x27\0\1\2\0\x1e\0\2a";
    uint8_t pdu[16 + sizeof body] = {0, 0, 0, sizeof pdu, 0, 0, 0, SMPP_SUBMIT_MULTI};
    memcpy(pdu + 16, body, sizeof body);
    for (size_t i = 3; i < sizeof pdu; i++) {
        uint8_t was = pdu[i];
        for (unsigned v = 0; v < 256; v++) {
            pdu[i] = (uint8_t)v;
            inspect_octets(pdu, sizeof pdu);
            for (size_t f = 0; f < in.n_fields; f++) {
                struct smpp_str s = in.fields[f].value;
                if (s.p) {
                    assert_true((const uint8_t *)s.p >= octets + 16);
                    assert_true((const uint8_t *)s.p + s.len <= octets + in.consumed);
                }
            }
        }
        pdu[i] = was;
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_stand_in_the_order_of_the_wire),
        TEST(a_password_does_not_come_out),
        TEST(numbers_are_numbers_and_texts_are_texts),
        TEST(tlvs_over_the_bound_are_counted),
        TEST(as_much_of_the_header_as_there_is_is_told),
        TEST(lost_framing_is_answered_and_closes),
        TEST(every_kind_of_pdu_has_its_reaction),
        TEST(a_delivery_is_a_message_or_a_receipt_or_refused),
        TEST(dates_of_receipts_are_moved_by_their_time_zone),
        TEST(the_addresses_of_lists_come_one_by_one),
        TEST(a_message_is_read_by_its_data_coding_without_its_user_data_header),
        TEST(views_stay_inside_whatever_is_cut_or_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
