#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/result.h"
#include "smpp/smpp_output.h"

#include <stdlib.h>
#include <string.h>

static struct smpp_output o;

static int setup(void **state)
{
    (void)state;
    return smpp_output_init(&o, 40, 100);
}

static int teardown(void **state)
{
    (void)state;
    smpp_output_clear(&o);
    return 0;
}

static void make_pdu(uint8_t *p, size_t len, char mark)
{
    memset(p, mark, len);
    p[0] = p[1] = p[2] = 0;
    p[3] = (uint8_t)len;
}

static bool data(size_t len, char mark)
{
    uint8_t *p = smpp_output_reserve(&o, len);
    if (!p)
        return false;
    make_pdu(p, len, mark);
    smpp_output_commit(&o, len);
    return true;
}

static int control(size_t len, char mark)
{
    uint8_t pdu[64];
    make_pdu(pdu, len, mark);
    return smpp_output_control(&o, pdu, len);
}

/* The marks of what would be written, the first three octets of each PDU as its length digit. */
static const char *pending(void)
{
    static char text[256];
    struct iovec iov[SMPP_OUTPUT_IOV];
    int n = smpp_output_iov(&o, iov);
    size_t len = 0;
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < iov[i].iov_len; k++)
            if (((char *)iov[i].iov_base)[k] >= 'A')
                text[len++] = ((char *)iov[i].iov_base)[k];
    text[len] = 0;
    return text;
}

static void control_leaves_before_data(void **state)
{
    (void)state;
    data(6, 'D');
    assert_int_equal(control(6, 'C'), 0);
    assert_string_equal(pending(), "CCDD");
}

static void control_never_enters_a_data_pdu_that_has_begun(void **state)
{
    (void)state;
    data(8, 'D');
    data(6, 'E');
    smpp_output_wrote(&o, 5);
    assert_int_equal(control(6, 'C'), 0);
    assert_string_equal(pending(), "DDDCCEE");
}

static void a_control_pdu_cut_in_the_middle_goes_on_first(void **state)
{
    (void)state;
    data(6, 'D');
    assert_int_equal(control(8, 'C'), 0);
    smpp_output_wrote(&o, 6);
    assert_string_equal(pending(), "CCDD");
}

static void only_what_has_not_begun_is_retracted(void **state)
{
    (void)state;
    data(8, 'D');
    uint64_t second = smpp_output_data_end(&o);
    data(6, 'E');
    smpp_output_wrote(&o, 1);
    smpp_output_retract(&o);
    assert_string_equal(pending(), "DDDD");
    assert_int_equal(smpp_output_data_end(&o), second);
    smpp_output_wrote(&o, 7);
    assert_true(smpp_output_is_empty(&o));
    assert_int_equal(o.data_written, 8);
}

static void a_write_that_ends_between_two_pdus_leaves_the_second_retractable(void **state)
{
    (void)state;
    data(8, 'D');
    data(6, 'E');
    smpp_output_wrote(&o, 8);
    assert_int_equal(o.begun, 0);
    smpp_output_retract(&o);
    assert_true(smpp_output_is_empty(&o));
    assert_int_equal(smpp_output_data_end(&o), 8);
}

static void both_streams_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(control(40, 'C'), 0);
    assert_int_equal(control(1, 'C'), ERR_FULL);
    assert_true(data(100, 'D'));
    assert_false(data(4, 'E'));
    assert_int_equal(smpp_output_control_room(&o), 0);
    assert_int_equal(smpp_output_data_room(&o), 0);
}

static void room_that_was_written_is_used_again(void **state)
{
    (void)state;
    data(60, 'D');
    data(40, 'E');
    smpp_output_wrote(&o, 60);
    assert_true(data(60, 'F'));
    assert_int_equal(strlen(pending()), 36 + 56);
}

static void written_octets_are_wiped(void **state)
{
    (void)state;
    data(60, 'D');
    data(20, 'E');
    uint8_t *p = o.data.p;
    smpp_output_wrote(&o, 60);
    for (int i = 0; i < 60; i++)
        assert_int_equal(p[i], 0);
    smpp_output_retract(&o);
    for (int i = 60; i < 80; i++)
        assert_int_equal(p[i], 0);
}

/* Random cuts: the order of octets on the wire must be whole PDUs, whatever the kernel takes. */
static void any_split_of_the_writes_keeps_pdus_whole(void **state)
{
    (void)state;
    uint8_t wire[40000];
    size_t len = 0;
    srand(11);
    for (int i = 0; i < 2000; i++) {
        if (rand() % 2)
            data(4 + (size_t)(rand() % 12), 'D');
        if (rand() % 3 == 0)
            (void)control(4 + (size_t)(rand() % 8), 'C');
        struct iovec iov[SMPP_OUTPUT_IOV];
        int n = smpp_output_iov(&o, iov);
        size_t take = (size_t)(rand() % 14);
        size_t taken = 0;
        for (int k = 0; k < n && taken < take; k++) {
            size_t part = iov[k].iov_len < take - taken ? iov[k].iov_len : take - taken;
            memcpy(wire + len, iov[k].iov_base, part);
            len += part;
            taken += part;
        }
        smpp_output_wrote(&o, taken);
        if (rand() % 20 == 0)
            smpp_output_retract(&o);
    }
    for (size_t at = 0; at + 16 < len; at += wire[at + 3]) {
        size_t pdu = wire[at + 3];
        assert_in_range(pdu, 4, 16);
        assert_int_equal(wire[at] + wire[at + 1] + wire[at + 2], 0);
        for (size_t k = 5; k < pdu; k++)
            assert_int_equal(wire[at + k], wire[at + 4]);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(control_leaves_before_data),
        T(control_never_enters_a_data_pdu_that_has_begun),
        T(a_control_pdu_cut_in_the_middle_goes_on_first),
        T(only_what_has_not_begun_is_retracted),
        T(a_write_that_ends_between_two_pdus_leaves_the_second_retractable),
        T(both_streams_are_bounded),
        T(room_that_was_written_is_used_again),
        T(written_octets_are_wiped),
        T(any_split_of_the_writes_keeps_pdus_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
