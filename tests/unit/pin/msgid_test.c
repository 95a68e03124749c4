#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/result.h"
#include "pin/msgid.h"

#include <string.h>

static struct pin_msgid forms(const char *id, enum pin_msgid_side side, enum pin_id_mode mode,
                              enum pin_id_mode settled)
{
    static struct pin_msgid m;
    memset(&m, 0x5a, sizeof m);
    pin_msgid_forms(id, strlen(id), side, mode, settled, &m);
    for (size_t i = 0; i < m.n; i++)
        assert_int_equal(m.form[i].len, strlen(m.form[i].id));
    return m;
}

static const char *own(const char *id, enum pin_msgid_side side, enum pin_id_mode mode)
{
    static struct pin_msgid m;
    m = forms(id, side, mode, PIN_ID_AUTO);
    assert_int_equal(m.n, 1);
    return m.form[0].id;
}

static void the_plain_modes_write_an_id_in_one_way(void **state)
{
    static const struct {
        enum pin_id_mode mode;
        const char *id, *response, *receipt;
    } rows[] = {
        {PIN_ID_STRING, "0aB", "0aB", "0aB"},
        {PIN_ID_STRING, "000", "000", "000"},
        {PIN_ID_REFERENCE, "0aB", "0aB", "0aB"},
        {PIN_ID_DECIMAL, "00123", "123", "123"},
        {PIN_ID_DECIMAL, "000", "0", "0"},
        {PIN_ID_DECIMAL, "0a", "0a", "0a"},
        {PIN_ID_DECIMAL, "0012345678901234567890123456789012345",
         "12345678901234567890123456789012345", "12345678901234567890123456789012345"},
        {PIN_ID_HEX, "00AbC", "abc", "abc"},
        {PIN_ID_HEX, "0118Z-0122I-X", "0118Z-0122I-X", "0118Z-0122I-X"},
        {PIN_ID_RESP_HEX_DLR_DEC, "33E95179", "870928761", "33E95179"},
        {PIN_ID_RESP_HEX_DLR_DEC, "0870928761", "36248389473", "870928761"},
        {PIN_ID_RESP_DEC_DLR_HEX, "33E95179", "33E95179", "870928761"},
        {PIN_ID_RESP_DEC_DLR_HEX, "0870928761", "870928761", "36248389473"},
        {PIN_ID_RESP_HEX_DLR_DEC, "0", "0", "0"},
        {PIN_ID_RESP_HEX_DLR_DEC, "000F", "15", "000F"},
        {PIN_ID_RESP_HEX_DLR_DEC, "c9f2c9cd04674edea40000000", "1000000000000000000000000000000",
         "c9f2c9cd04674edea40000000"},
        {PIN_ID_RESP_HEX_DLR_DEC, "3b9aca00", "1000000000", "3b9aca00"},
        {PIN_ID_RESP_HEX_DLR_DEC, "e7e2f4f0-1b2c", "e7e2f4f0-1b2c", "e7e2f4f0-1b2c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(own(rows[i].id, PIN_MSGID_RESPONSE, rows[i].mode), rows[i].response);
        assert_string_equal(own(rows[i].id, PIN_MSGID_RECEIPT, rows[i].mode), rows[i].receipt);
    }
}

static void q4_the_longest_hex_id_becomes_the_right_decimal(void **state)
{
    char id[257];
    (void)state;
    memset(id, 'f', 256);
    id[256] = '\0';
    /* 2^1024 - 1 */
    const char *dec = own(id, PIN_MSGID_RESPONSE, PIN_ID_RESP_HEX_DLR_DEC);
    assert_int_equal(strlen(dec), 309);
    assert_memory_equal(dec, "17976931348623159077293051907890247336179769789423", 50);
    assert_string_equal(dec + 309 - 30, "479716304835356329624224137215");
}

static void q1_auto_looks_at_the_literal_id_first_then_at_the_other_base(void **state)
{
    struct pin_msgid m = forms("0033E95179", PIN_MSGID_RESPONSE, PIN_ID_AUTO, PIN_ID_AUTO);
    (void)state;
    assert_int_equal(m.n, 2);
    assert_string_equal(m.form[0].id, "33e95179");
    assert_string_equal(m.form[1].id, "870928761");
    assert_int_equal(m.form[0].kind, PIN_ID_STRING);
    assert_int_equal(m.form[1].kind, PIN_ID_RESP_HEX_DLR_DEC);

    m = forms("0870928761", PIN_MSGID_RECEIPT, PIN_ID_AUTO, PIN_ID_AUTO);
    assert_int_equal(m.n, 3);
    assert_string_equal(m.form[0].id, "870928761");
    assert_string_equal(m.form[1].id, "36248389473");
    assert_int_equal(m.form[1].kind, PIN_ID_RESP_DEC_DLR_HEX);
    assert_string_equal(m.form[2].id, "33e95179");
    assert_int_equal(m.form[2].kind, PIN_ID_RESP_HEX_DLR_DEC);
}

static void q4_auto_leaves_what_is_no_number_as_it_is(void **state)
{
    static const char *const ids[] = {"2f1C-7", "e7e2f4f0-1b2c-4d5e-8f90-a1b2c3d4e5f6",
                                      "0118Z-0122I", ""};
    (void)state;
    for (size_t i = 0; *ids[i]; i++)
        assert_string_equal(own(ids[i], PIN_MSGID_RESPONSE, PIN_ID_AUTO), ids[i]);
    /* More digits are not looked for in another base, and are not cut. */
    assert_string_equal(own("0123456789ABCDEF0123456", PIN_MSGID_RESPONSE, PIN_ID_AUTO),
                        "123456789abcdef0123456");
    assert_string_equal(own("123456789012345678901234567890", PIN_MSGID_RECEIPT, PIN_ID_AUTO),
                        "123456789012345678901234567890");
    /* Twenty digits still are one, whatever zeros stand before them. */
    struct pin_msgid m = forms("0000FFFFFFFFFFFFFFFFFFFF", PIN_MSGID_RESPONSE, PIN_ID_AUTO,
                               PIN_ID_AUTO);
    assert_string_equal(m.form[0].id, "ffffffffffffffffffff");
    assert_string_equal(m.form[1].id, "1208925819614629174706175");
}

static void a_digit_that_is_alike_in_both_bases_tells_nothing(void **state)
{
    struct pin_msgid m = forms("0007", PIN_MSGID_RECEIPT, PIN_ID_AUTO, PIN_ID_AUTO);
    (void)state;
    assert_int_equal(m.n, 1);
    assert_string_equal(m.form[0].id, "7");
    assert_int_equal(m.form[0].kind, PIN_ID_AUTO);
}

/* Whoever of two gateways has settled or not: the forms of the two sides still meet. */
static bool they_meet(const char *response, const char *receipt, enum pin_id_mode sent_settled,
                      enum pin_id_mode receipt_settled)
{
    struct pin_msgid s = forms(response, PIN_MSGID_RESPONSE, PIN_ID_AUTO, sent_settled);
    struct pin_msgid d = forms(receipt, PIN_MSGID_RECEIPT, PIN_ID_AUTO, receipt_settled);
    bool after = false, before = false;
    for (size_t i = 0; i < d.n; i++) /* the receipt finds the map */
        after |= strcmp(d.form[i].id, s.form[0].id) == 0;
    for (size_t i = 0; i < s.n; i++) /* the response finds the parked receipt */
        before |= strcmp(s.form[i].id, d.form[0].id) == 0;
    return after && before;
}

static void settled_and_unsettled_gateways_find_each_others_ids(void **state)
{
    static const struct {
        const char *response, *receipt;
        enum pin_id_mode kind;
    } rows[] = {
        {"33E95179", "0870928761", PIN_ID_RESP_HEX_DLR_DEC},
        {"870928761", "33e95179", PIN_ID_RESP_DEC_DLR_HEX},
        {"1234", "4660", PIN_ID_RESP_HEX_DLR_DEC},
        {"4660", "1234", PIN_ID_RESP_DEC_DLR_HEX},
        {"00ABC", "abc", PIN_ID_STRING},
        {"7", "7", PIN_ID_STRING},
        {"7", "7", PIN_ID_RESP_HEX_DLR_DEC},
        {"no-number", "no-number", PIN_ID_RESP_HEX_DLR_DEC},
        {"a", "10", PIN_ID_RESP_HEX_DLR_DEC},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int k = 0; k < 4; k++)
            assert_true(they_meet(rows[i].response, rows[i].receipt,
                                  k & 1 ? rows[i].kind : PIN_ID_AUTO,
                                  k & 2 ? rows[i].kind : PIN_ID_AUTO));
    assert_false(they_meet("1234", "1235", PIN_ID_AUTO, PIN_ID_AUTO));
}

static void a_settled_carrier_costs_a_receipt_one_look(void **state)
{
    (void)state;
    assert_int_equal(forms("870928761", PIN_MSGID_RECEIPT, PIN_ID_AUTO, PIN_ID_RESP_HEX_DLR_DEC).n,
                     1);
    assert_int_equal(forms("1234", PIN_MSGID_RECEIPT, PIN_ID_AUTO, PIN_ID_RESP_DEC_DLR_HEX).n, 1);
    assert_int_equal(forms("1234", PIN_MSGID_RECEIPT, PIN_ID_AUTO, PIN_ID_STRING).n, 1);
    assert_int_equal(forms("1234", PIN_MSGID_RESPONSE, PIN_ID_AUTO, PIN_ID_STRING).n, 1);
    assert_int_equal(forms("1234", PIN_MSGID_RESPONSE, PIN_ID_AUTO, PIN_ID_RESP_HEX_DLR_DEC).n, 2);
}

static void an_id_with_any_octets_is_kept(void **state)
{
    struct pin_msgid m;
    (void)state;
    pin_msgid_forms("a\0b", 3, PIN_MSGID_RESPONSE, PIN_ID_HEX, PIN_ID_AUTO, &m);
    assert_int_equal(m.form[0].len, 3);
    assert_memory_equal(m.form[0].id, "a\0b", 4);
}

static void modes_are_known_by_name(void **state)
{
    enum pin_id_mode mode;
    (void)state;
    for (int i = PIN_ID_AUTO; i <= PIN_ID_RESP_DEC_DLR_HEX; i++) {
        assert_int_equal(pin_id_mode_parse(pin_id_mode_name((enum pin_id_mode)i), &mode), 0);
        assert_int_equal(mode, i);
    }
    assert_int_equal(pin_id_mode_parse("octal", &mode), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_modes_write_an_id_in_one_way),
        cmocka_unit_test(q4_the_longest_hex_id_becomes_the_right_decimal),
        cmocka_unit_test(q1_auto_looks_at_the_literal_id_first_then_at_the_other_base),
        cmocka_unit_test(q4_auto_leaves_what_is_no_number_as_it_is),
        cmocka_unit_test(a_digit_that_is_alike_in_both_bases_tells_nothing),
        cmocka_unit_test(settled_and_unsettled_gateways_find_each_others_ids),
        cmocka_unit_test(a_settled_carrier_costs_a_receipt_one_look),
        cmocka_unit_test(an_id_with_any_octets_is_kept),
        cmocka_unit_test(modes_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
