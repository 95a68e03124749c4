#include "smpp/smpp_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t elink[] = {0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};

static enum smpp_frame_result next(const uint8_t *p, size_t len, size_t cap, size_t *need)
{
    struct smpp_frame f;
    return smpp_frame_next(p, len, cap, &f, need);
}

static void a_header_cut_anywhere_needs_more(void **state)
{
    (void)state;
    size_t need;
    for (size_t n = 0; n < sizeof elink; n++) {
        assert_int_equal(next(elink, n, SMPP_PDU_CAP, &need), SMPP_FRAME_MORE);
        assert_int_equal(need, 16);
    }
}

static void a_body_cut_anywhere_says_how_much_it_needs(void **state)
{
    (void)state;
    uint8_t pdu[300] = {0, 0, 1, 44, 0, 0, 0, 5};
    size_t need;
    for (size_t n = 4; n < sizeof pdu; n++) {
        assert_int_equal(next(pdu, n, SMPP_PDU_CAP, &need), SMPP_FRAME_MORE);
        assert_int_equal(need, 300);
    }
    assert_int_equal(next(pdu, sizeof pdu, SMPP_PDU_CAP, &need), SMPP_FRAME_OK);
    assert_int_equal(need, 300);
}

static void a_whole_pdu_gives_its_header_and_no_more(void **state)
{
    (void)state;
    uint8_t two[32];
    struct smpp_frame f;
    size_t need;
    memcpy(two, elink, 16);
    memcpy(two + 16, elink, 16);
    two[11] = 0x58;
    assert_int_equal(smpp_frame_next(two, 32, SMPP_PDU_CAP, &f, &need), SMPP_FRAME_OK);
    assert_ptr_equal(f.p, two);
    assert_int_equal(f.len, 16);
    assert_int_equal(f.command_id, 0x15);
    assert_int_equal(f.command_status, 0x58);
    assert_int_equal(f.sequence_number, 0xffffffffu);
}

static void a_length_under_16_is_corrupt_from_four_octets_on(void **state)
{
    (void)state;
    size_t need;
    for (uint8_t n = 0; n < 16; n++)
        assert_int_equal(next((const uint8_t[4]){0, 0, 0, n}, 4, SMPP_PDU_CAP, &need),
                         SMPP_FRAME_CORRUPT);
}

static void a_length_over_the_cap_is_told_from_four_octets_on(void **state)
{
    (void)state;
    size_t need;
    assert_int_equal(next((const uint8_t[4]){0, 0, 1, 0}, 4, 255, &need), SMPP_FRAME_TOO_LONG);
    assert_int_equal(next((const uint8_t[4]){0, 0, 1, 0}, 4, 256, &need), SMPP_FRAME_MORE);
    assert_int_equal(next((const uint8_t[4]){0xff, 0xff, 0xff, 0xff}, 4, SMPP_PDU_CAP, &need),
                     SMPP_FRAME_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_cut_anywhere_needs_more),
        cmocka_unit_test(a_body_cut_anywhere_says_how_much_it_needs),
        cmocka_unit_test(a_whole_pdu_gives_its_header_and_no_more),
        cmocka_unit_test(a_length_under_16_is_corrupt_from_four_octets_on),
        cmocka_unit_test(a_length_over_the_cap_is_told_from_four_octets_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
