/* By what a receipt finds its message, per carrier. */
#include "gateway/config.h"
#include "gateway/receipt_match.h"
#include "smpp/smpp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct config_carrier by_id = {.message_id = PIN_ID_HEX};
static const struct config_carrier by_reference = {.message_id = PIN_ID_HEX,
                                                   .receipt_match = CONFIG_MATCH_REFERENCE};
static const struct config_carrier by_address = {.receipt_match = CONFIG_MATCH_ADDRESS};

static struct smpp_receipt receipt(const char *id, int32_t reference)
{
    return (struct smpp_receipt){.id = {id, strlen(id)}, .reference = reference};
}

/* The receipt is taken, and looked for where the submit is. */
static bool meet(const struct config_carrier *k, int32_t submitted, const char *id,
                 int32_t reference)
{
    struct smpp_receipt r = receipt(id, reference);
    struct receipt_match a, b;
    receipt_match_submit(k, submitted, &a);
    return receipt_match_receipt(k, &r, &b) && a.mode == PIN_ID_REFERENCE && b.mode == a.mode &&
           a.len == b.len && memcmp(a.id, b.id, a.len) == 0;
}

static void by_id_the_receipts_id_counts_in_the_carriers_mode(void **state)
{
    (void)state;
    struct smpp_receipt r = receipt("33E95179", 7);
    struct receipt_match m;
    receipt_match_submit(&by_id, 7, &m);
    assert_null(m.id); /* that of the response */
    assert_int_equal(m.mode, PIN_ID_HEX);
    assert_true(receipt_match_receipt(&by_id, &r, &m));
    assert_ptr_equal(m.id, r.id.p);
    assert_int_equal(m.len, 8);
    assert_int_equal(m.mode, PIN_ID_HEX);
    r = receipt("", 7);
    assert_false(receipt_match_receipt(&by_id, &r, &m));
}

static void by_reference_ids_do_not_count(void **state)
{
    (void)state;
    assert_true(meet(&by_reference, 7, "", 7));
    assert_true(meet(&by_reference, 7, "00000001", 7));
    assert_true(meet(&by_reference, 0, "", 0));
    assert_false(meet(&by_reference, 7, "", 8));
    assert_false(meet(&by_reference, 7, "00000007", -1));
    assert_false(meet(&by_reference, -1, "00000007", 7));
}

static void of_a_reference_the_lower_octet_is_enough(void **state)
{
    (void)state;
    assert_true(meet(&by_reference, 0xabcd, "", 0xcd));
    assert_true(meet(&by_reference, 0xabcd, "", 0xabcd));
    assert_false(meet(&by_reference, 0xabcd, "", 0xab));
}

static void a_submit_without_its_reference_has_nothing_to_be_found_by(void **state)
{
    (void)state;
    struct receipt_match m;
    receipt_match_submit(&by_reference, -1, &m);
    assert_non_null(m.id); /* so the id of the response is not taken for one */
    assert_int_equal(m.len, 0);
}

static void by_address_every_receipt_is_of_the_newest(void **state)
{
    (void)state;
    assert_true(meet(&by_address, -1, "", -1));
    assert_true(meet(&by_address, 7, "00000001", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_id_the_receipts_id_counts_in_the_carriers_mode),
        cmocka_unit_test(by_reference_ids_do_not_count),
        cmocka_unit_test(of_a_reference_the_lower_octet_is_enough),
        cmocka_unit_test(a_submit_without_its_reference_has_nothing_to_be_found_by),
        cmocka_unit_test(by_address_every_receipt_is_of_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
