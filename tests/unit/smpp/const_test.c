#include "smpp/smpp.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void all_of_smpp_34_is_there(void **state)
{
    (void)state;
    static const uint32_t statuses[] = {
#define SMPP_STATUS(value, NAME, class, text) value,
#include "smpp/smpp_const.def"
    };
    static const uint32_t tags[] = {
#define SMPP_TLV(tag, NAME, name) tag,
#include "smpp/smpp_const.def"
    };
    static const uint32_t commands[] = {
#define SMPP_COMMAND(id, NAME, name) id,
#include "smpp/smpp_const.def"
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        n += statuses[i] < 0x100;
    assert_int_equal(n, 48);
    n = 0;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        n += tags[i] < 0x428 || tags[i] > 0x610 || tags[i] == 0x501;
    assert_int_equal(n, 44);
    assert_int_equal(sizeof commands / sizeof commands[0], 27);
}

static void every_command_has_a_body_and_every_request_its_answer(void **state)
{
    (void)state;
    static const uint32_t commands[] = {
#define SMPP_COMMAND(id, NAME, name) id,
#include "smpp/smpp_const.def"
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        uint8_t octets[16] = {0};
        struct smpp_frame f = {octets, 16, commands[i], 0, 1};
        struct smpp_pdu pdu;
        assert_int_not_equal(smpp_decode(&f, &pdu), SMPP_DECODE_UNKNOWN_COMMAND);
        bool alone = commands[i] == (uint32_t)SMPP_OUTBIND ||
                     commands[i] == (uint32_t)SMPP_ALERT_NOTIFICATION;
        if (!smpp_is_response(commands[i]))
            assert_int_equal(smpp_command_name(commands[i] | SMPP_RESPONSE) == NULL, alone);
    }
}

static void names_are_those_of_the_specification(void **state)
{
    (void)state;
    assert_string_equal(smpp_command_name(0x80000103), "data_sm_resp");
    assert_null(smpp_command_name(0x10));
    assert_string_equal(smpp_status_name(0x58), "ESME_RTHROTTLED");
    assert_string_equal(smpp_status_name(0x400), "vendor");
    assert_string_equal(smpp_status_name(0x4ff), "vendor");
    assert_string_equal(smpp_status_name(0x500), "reserved");
    assert_string_equal(smpp_status_name(0x22), "reserved");
    assert_string_equal(smpp_status_text(0x0e), "invalid password");
    assert_string_equal(smpp_status_text(0x401), "the operator's own error");
    assert_string_equal(smpp_status_text(0x22), "reserved status");
    assert_string_equal(smpp_tlv_name(0x0424), "message_payload");
    assert_string_equal(smpp_tlv_name(0x0428), "congestion_state");
    assert_null(smpp_tlv_name(0x1403));
    assert_string_equal(smpp_message_state_name(2), "DELIVERED");
    assert_string_equal(smpp_message_state_name(9), "SKIPPED");
    assert_string_equal(smpp_message_state_name(-1), "UNKNOWN");
    assert_string_equal(smpp_field_name(SMPP_F_SOURCE_ADDR), "source_addr");
    assert_string_equal(smpp_field_name(SMPP_F_COUNT), "?");
}

static void statuses_fall_into_their_classes(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        enum smpp_status_class class;
    } want[] = {
        {ESME_ROK, SMPP_CLASS_OK},
        {ESME_RTHROTTLED, SMPP_CLASS_THROTTLE},
        {ESME_RMSGQFUL, SMPP_CLASS_THROTTLE},
        {ESME_RSYSERR, SMPP_CLASS_RETRY},
        {ESME_RSUBMITFAIL, SMPP_CLASS_RETRY},
        {ESME_RX_T_APPN, SMPP_CLASS_RETRY},
        {ESME_RINVDSTADR, SMPP_CLASS_SUBSCRIBER},
        {ESME_RX_P_APPN, SMPP_CLASS_PERMANENT},
        {0x22, SMPP_CLASS_PERMANENT},
        {0x407, SMPP_CLASS_PERMANENT},
        {ESME_RINVPASWD, SMPP_CLASS_BIND},
        {ESME_RINVSYSID, SMPP_CLASS_BIND},
        {ESME_RALYBND, SMPP_CLASS_BIND},
        {ESME_RBINDFAIL, SMPP_CLASS_BIND},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(smpp_status_class(want[i].status), want[i].class);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_smpp_34_is_there),
        cmocka_unit_test(every_command_has_a_body_and_every_request_its_answer),
        cmocka_unit_test(names_are_those_of_the_specification),
        cmocka_unit_test(statuses_fall_into_their_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
