#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/result.h"
#include "smpp/smpp_window.h"

#include <stdlib.h>
#include <string.h>

static struct smpp_window w;
static struct smpp_entry e[64];
static struct smpp_references references;

static int setup(void **state)
{
    (void)state;
    memset(e, 0, sizeof e);
    return smpp_window_init(&w, 4);
}

static int teardown(void **state)
{
    (void)state;
    smpp_window_clear(&w);
    return 0;
}

static uint32_t put(struct smpp_entry *entry, int64_t expires_us)
{
    entry->sequence = smpp_window_sequence(&w);
    entry->expires.us = expires_us;
    entry->arg = entry;
    smpp_window_put(&w, entry);
    return entry->sequence;
}

static void sequence_numbers_start_at_one_and_count_up(void **state)
{
    (void)state;
    assert_int_equal(smpp_window_sequence(&w), 1);
    assert_int_equal(smpp_window_sequence(&w), 2);
}

static void sequence_numbers_wrap_to_one_and_skip_those_in_flight(void **state)
{
    (void)state;
    put(&e[0], 1);
    w.next_sequence = SMPP_SEQUENCE_MAX;
    assert_int_equal(smpp_window_sequence(&w), SMPP_SEQUENCE_MAX);
    assert_int_equal(smpp_window_sequence(&w), 2);
}

static void entries_are_found_in_any_order_and_once(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        put(&e[i], 1);
    assert_ptr_equal(smpp_window_take(&w, 3), &e[2]);
    assert_ptr_equal(smpp_window_take(&w, 1), &e[0]);
    assert_null(smpp_window_take(&w, 3));
    assert_null(smpp_window_take(&w, 0));
    assert_null(smpp_window_take(&w, 0xffffffff));
    assert_null(smpp_window_take(&w, 2 + w.mask + 1)); /* same slot, other number */
    assert_ptr_equal(smpp_window_oldest(&w), &e[1]);
    assert_ptr_equal(smpp_window_newest(&w), &e[3]);
}

static void only_what_is_due_expires_oldest_first(void **state)
{
    (void)state;
    put(&e[0], 100);
    put(&e[1], 200);
    assert_null(smpp_window_expire(&w, (struct mono){99}));
    assert_ptr_equal(smpp_window_expire(&w, (struct mono){150}), &e[0]);
    assert_null(smpp_window_expire(&w, (struct mono){150}));
    assert_int_equal(w.in_flight, 1);
}

static void an_expired_entry_is_known_once_more_and_then_forgotten(void **state)
{
    (void)state;
    struct smpp_late late;
    uint32_t sequence = put(&e[0], 100);
    assert_false(smpp_window_take_late(&w, sequence, &late));
    assert_non_null(smpp_window_expire(&w, (struct mono){100}));
    assert_true(smpp_window_take_late(&w, sequence, &late));
    assert_ptr_equal(late.arg, &e[0]);
    assert_false(smpp_window_take_late(&w, sequence, &late));
    assert_false(smpp_window_take_late(&w, 0, &late));
}

static void what_is_remembered_is_bounded(void **state)
{
    (void)state;
    struct smpp_late late;
    for (uint32_t i = 0; i < SMPP_LATE_MAX + 1; i++) {
        put(&e[0], 1);
        assert_non_null(smpp_window_expire(&w, (struct mono){1}));
    }
    assert_false(smpp_window_take_late(&w, 1, &late));
    assert_true(smpp_window_take_late(&w, 2, &late));
}

static void a_reset_forgets_and_counts_from_one(void **state)
{
    (void)state;
    struct smpp_late late;
    put(&e[0], 1);
    assert_non_null(smpp_window_expire(&w, (struct mono){1}));
    smpp_window_reset(&w);
    assert_false(smpp_window_take_late(&w, 1, &late));
    assert_int_equal(smpp_window_sequence(&w), 1);
}

static void random_use_agrees_with_a_plain_list(void **state)
{
    (void)state;
    struct smpp_entry *in[4] = {0};
    srand(7);
    w.next_sequence = SMPP_SEQUENCE_MAX - 500;
    for (int i = 0; i < 5000; i++) {
        int k = rand() % 4;
        if (!in[k]) {
            in[k] = &e[k];
            put(in[k], 1);
        } else {
            assert_ptr_equal(smpp_window_take(&w, in[k]->sequence), in[k]);
            in[k] = NULL;
        }
        uint32_t count = 0;
        for (int j = 0; j < 4; j++)
            count += in[j] != NULL;
        assert_int_equal(w.in_flight, count);
    }
}

static const struct smpp_carrier_options defaults = {
    .source = "800800", .source_ton = -1, .source_npi = -1};

static int fill(const char *source, const char *destination, const char *text)
{
    struct smpp_message m = {
        .source = source, .destination = destination, .text = text, .text_len = strlen(text)};
    return smpp_entry_fill(&e[0], &defaults, &m, &references);
}

static void the_type_of_number_follows_the_form_of_the_sender(void **state)
{
    (void)state;
    assert_int_equal(fill("+38591234567", "385911", "x"), 0);
    assert_string_equal(e[0].sender.address, "38591234567");
    assert_int_equal(e[0].sender.ton * 10 + e[0].sender.npi, 11);
    assert_int_equal(fill(NULL, "385911", "x"), 0);
    assert_string_equal(e[0].sender.address, "800800");
    assert_int_equal(e[0].sender.ton * 10 + e[0].sender.npi, 30);
    assert_int_equal(fill("ACME Bank", "385911", "x"), 0);
    assert_int_equal(e[0].sender.ton * 10 + e[0].sender.npi, 50);
}

static void addresses_and_texts_that_cannot_travel_are_refused(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(fill("TwelveLetter", "385911", "x"), ERR_INVALID);
    assert_int_equal(fill("tab\t", "385911", "x"), ERR_INVALID);
    assert_int_equal(fill("123456789012345678901", "385911", "x"), ERR_INVALID);
    assert_int_equal(fill(NULL, "", "x"), ERR_INVALID);
    assert_int_equal(fill(NULL, "+385911", "x"), ERR_INVALID);
    assert_int_equal(fill(NULL, "123456789012345678901", "x"), ERR_INVALID);
    assert_int_equal(fill(NULL, "385911", "\xff"), ERR_INVALID);
    assert_int_equal(fill(NULL, "385911", longer), ERR_TOOLONG);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(sequence_numbers_start_at_one_and_count_up),
        T(sequence_numbers_wrap_to_one_and_skip_those_in_flight),
        T(entries_are_found_in_any_order_and_once),
        T(only_what_is_due_expires_oldest_first),
        T(an_expired_entry_is_known_once_more_and_then_forgotten),
        T(what_is_remembered_is_bounded),
        T(a_reset_forgets_and_counts_from_one),
        T(random_use_agrees_with_a_plain_list),
        T(the_type_of_number_follows_the_form_of_the_sender),
        T(addresses_and_texts_that_cannot_travel_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
