/* Messages from handsets over a bind: what is handed up of them, and what is answered. */
#include "carrier_rig.h"

#include "base/buf.h"

#include <stdio.h>

#define DELIVER      0x00000005u
#define DELIVER_RESP 0x80000005u

static struct {
    struct smpp_mo mo;
    char text[600], source[24], destination[24];
    struct smpp_delivery handle;
} got[8];
static unsigned n_got;
static bool keep_handles, free_in_callback;
static uint32_t sequence;

static void on_mo(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    (void)arg;
    assert_in_range(n_got, 0, 7);
    got[n_got].mo = *mo;
    got[n_got].handle = handle;
    str_copy_n(got[n_got].source, 24, mo->source_addr.p, mo->source_addr.len);
    str_copy_n(got[n_got].destination, 24, mo->destination_addr.p, mo->destination_addr.len);
    if (mo->text.p) {
        assert_int_equal(strlen(mo->text.p), mo->text.len);
        assert_true(str_copy(got[n_got].text, sizeof got[0].text, mo->text.p));
    }
    assert_int_equal(mo->is_complete, mo->missing == 0);
    n_got++;
    if (free_in_callback)
        smpp_carrier_free(c);
    else if (!keep_handles)
        smpp_delivery_done(c, handle, 0);
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    memset(got, 0, sizeof got);
    n_got = 0;
    keep_handles = free_in_callback = false;
    sequence = 100;
    return 0;
}

static void bound(struct smpp_carrier_options o)
{
    static const struct smpp_events events = {.receipt_cb = on_receipt, .mo_cb = on_mo};
    struct smpp_carrier_options all = with(o);
    carrier = smpp_carrier_new(base, reap, NULL, &all, &events);
    assert_non_null(carrier);
    bind_up(0);
}
#define BOUND(...) bound((struct smpp_carrier_options){__VA_ARGS__})

struct sent {
    uint8_t esm, coding;
    const char *message;
    size_t len;
};

static void say(const struct sent *s)
{
    uint8_t body[400];
    struct wr w = wr_init(body, sizeof body);
    wr_bytes(&w, "\0\1\1", 3);
    wr_bytes(&w, "385911234567\0\3\4", 15);
    wr_bytes(&w, "1971\0", 5);
    wr_u8(&w, s->esm);
    wr_bytes(&w, "\0\0\0\0\0\0", 6);
    wr_u8(&w, s->coding);
    wr_u8(&w, 0);
    wr_u8(&w, (uint8_t)s->len);
    wr_bytes(&w, s->message, s->len);
    assert_false(w.bad);
    peer_say(&peer, DELIVER, 0, ++sequence, body, w.len);
}
#define SAY(esm, coding, literal) say(&(struct sent){esm, coding, literal, sizeof literal - 1})

static void expect_answer(uint32_t status)
{
    assert_int_equal(peer_expect(&peer, DELIVER_RESP, status).sequence, sequence);
}

static void a_message_is_handed_up_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    BOUND();
    SAY(0, 0, "hello");
    expect_answer(0);
    assert_int_equal(n_got, 1);
    assert_string_equal(got[0].text, "hello");
    assert_string_equal(got[0].source, "385911234567");
    assert_string_equal(got[0].destination, "1971");
    const struct smpp_mo *mo = &got[0].mo;
    assert_int_equal(mo->source_ton << 12 | mo->source_npi << 8 | mo->destination_ton << 4 |
                         mo->destination_npi,
                     0x1134);
    assert_int_equal(mo->octets, 5);
    assert_int_equal(mo->parts, 1);
    assert_true(mo->is_complete && mo->has_start);
}

static void every_coding_becomes_utf8(void **state)
{
    (void)state;
    static const struct {
        struct sent s;
        const char *text; /* NULL: none */
    } rows[] = {
#define ROW(coding, octets, text) {{0, coding, octets, sizeof octets - 1}, text}
        ROW(0, "\0a\x1b\x65", "@a€"), /* an '@' is 0x00: its length counts, not its end */
        ROW(0, "\0", "@"),
        ROW(0, "", ""),
        ROW(3, "caf\xe9", "café"),
        ROW(8, "\0G\0o\0t\0 \0t\xd8\x3d\xde\x18", "Got t😘"),
        ROW(8, "\xfe\xff\0a", "a"),
        ROW(8, "\0a\0", "a\xef\xbf\xbd"), /* half a character */
        ROW(0xf0, "flash\0", "flash@"),
        ROW(0x10, "flash", "flash"),
        ROW(0x18, "\0f", "f"),
        ROW(0x11, "\0me", "@me"),
        ROW(0x13, "\0te", "@te"),
        ROW(0x1b, "\x01\x61", "š"),
        ROW(2, "\1\2\3", NULL),
        ROW(4, "\1\2\3", NULL),
        ROW(0x15, "\1\2\3", NULL),
        ROW(0x17, "\1\2\3", NULL),
        ROW(0xf5, "\1\2\3", NULL),
#undef ROW
    };
    BOUND();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        n_got = 0;
        memset(got, 0, sizeof got);
        say(&rows[i].s);
        expect_answer(0);
        assert_int_equal(n_got, 1);
        assert_int_equal(got[0].mo.octets, rows[i].s.len);
        assert_int_equal(got[0].mo.data_coding, rows[i].s.coding);
        assert_int_equal(got[0].mo.text.p == NULL, rows[i].text == NULL);
        if (rows[i].text)
            assert_string_equal(got[0].text, rows[i].text);
    }
}

static void the_default_alphabet_is_that_of_the_carrier(void **state)
{
    (void)state;
    BOUND(.alphabet = SMPP_LATIN1);
    SAY(0, 0, "\xe9@$");
    expect_answer(0);
    assert_string_equal(got[0].text, "é@$");
}

static void packed_septets_are_read_part_by_part(void **state)
{
    (void)state;
    BOUND(.alphabet = SMPP_GSM_PACKED);
    SAY(0, 0, "\xe8\x32\x9b\xfd\x06");
    SAY(0x40, 0, "\5\0\3\1\2\2\x82\x6f");             /* one fill bit, then "Ao" */
    SAY(0x40, 0, "\5\0\3\1\2\1\x90\x65\x36\xfb\x0d"); /* "Hello" */
    SAY(0, 8, "\0a");
    UNTIL(base, n_got == 3);
    assert_string_equal(got[0].text, "hello");
    assert_string_equal(got[1].text, "HelloAo");
    assert_string_equal(got[2].text, "a");
}

static void q27_one_nul_at_the_end_is_left_out_where_the_carrier_counts_it(void **state)
{
    (void)state;
    BOUND(.strip_trailing_nul = true);
    SAY(0, 0, "STOP\0");
    SAY(0, 0, "me\0\0");
    SAY(0, 0, "\0");
    SAY(0, 8, "\0a\1\0");
    SAY(0x40, 0, "\5\0\3\1\2\2two\0");
    SAY(0x40, 0, "\5\0\3\1\2\1one \0");
    UNTIL(base, n_got == 5);
    assert_string_equal(got[0].text, "STOP");
    assert_string_equal(got[1].text, "me@");
    assert_string_equal(got[2].text, "");
    assert_string_equal(got[3].text, "aĀ");
    assert_string_equal(got[4].text, "one two");
}

/* With a window of one the next part comes only after the answer to the one before. */
static void each_part_is_answered_when_it_comes(void **state)
{
    (void)state;
    BOUND();
    keep_handles = true;
    SAY(0x40, 0, "\5\0\3\x2f\3\3three");
    expect_answer(0);
    SAY(0x40, 0, "\5\0\3\x2f\3\1one ");
    expect_answer(0);
    SAY(0x40, 0, "\5\0\3\x2f\3\1one "); /* its answer was lost */
    expect_answer(0);
    assert_int_equal(n_got, 0);
    SAY(0x40, 0, "\5\0\3\x2f\3\2two ");
    expect_answer(0);
    assert_int_equal(n_got, 1);
    assert_string_equal(got[0].text, "one two three");
    assert_int_equal(got[0].mo.octets, 13);
    assert_int_equal(got[0].mo.parts, 3);
    assert_int_equal(got[0].mo.missing, 0);
    smpp_delivery_done(carrier, got[0].handle, 0x64); /* nothing is left to answer */
    peer_sync(&peer);
}

static void a_message_in_one_part_is_answered_when_its_owner_says(void **state)
{
    (void)state;
    BOUND();
    keep_handles = true;
    SAY(0, 0, "one");
    SAY(0, 0, "two");
    peer_sync(&peer);
    assert_int_equal(n_got, 2);
    smpp_delivery_done(carrier, got[1].handle, 0);
    assert_int_equal(peer_expect(&peer, DELIVER_RESP, 0).sequence, sequence);
    smpp_delivery_done(carrier, got[0].handle, 0x64);
    assert_int_equal(peer_expect(&peer, DELIVER_RESP, 0x64).sequence, sequence - 1);
}

static void characters_that_lie_across_two_parts_are_read_whole(void **state)
{
    (void)state;
    BOUND();
    SAY(0x40, 8, "\6\x08\4\1\2\2\2\xde\x18\0!");
    SAY(0x40, 8, "\6\x08\4\1\2\2\1\0a\xd8\x3d");
    SAY(0x40, 0, "\5\0\3\7\2\1costs 5 \x1b");
    SAY(0x40, 0, "\5\0\3\7\2\2\x65 only");
    SAY(0x40, 0, "\5\0\3\x08\2\1latin ");
    SAY(0x40, 8, "\5\0\3\x08\2\2\x04\x16"); /* the next part in another coding */
    UNTIL(base, n_got == 3);
    assert_string_equal(got[0].text, "a😘!");
    assert_string_equal(got[1].text, "costs 5 € only");
    assert_string_equal(got[2].text, "latin Ж");
}

static void what_stays_incomplete_is_handed_up_after_its_time(void **state)
{
    (void)state;
    BOUND(.mo_age_ms = 20);
    SAY(0x40, 8, "\5\0\3\7\4\2\0b\xd8\x3d");
    SAY(0x40, 8, "\5\0\3\7\4\4\xde\x18\0d");
    UNTIL(base, n_got == 1);
    /* no character is made of the two sides of a gap */
    assert_string_equal(got[0].text, "b\xef\xbf\xbd\xef\xbf\xbd"
                                     "d");
    assert_int_equal(got[0].mo.parts, 4);
    assert_int_equal(got[0].mo.missing, 2);
    assert_false(got[0].mo.is_complete);
    assert_false(got[0].mo.has_start);
}

static void a_drain_hands_up_what_waits_for_parts(void **state)
{
    (void)state;
    BOUND();
    SAY(0x40, 0, "\5\0\3\7\2\1STOP and");
    expect_answer(0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    PEER_SAY0(&peer, 0x80000006, 0, peer_expect(&peer, 0x00000006, 0).sequence);
    UNTIL(base, n_drained == 1);
    assert_int_equal(n_got, 1);
    assert_string_equal(got[0].text, "STOP and");
    assert_int_equal(got[0].mo.missing, 1);
    assert_true(got[0].mo.has_start);
}

static void a_carrier_may_be_freed_inside_the_message_it_hands_up(void **state)
{
    (void)state;
    BOUND();
    free_in_callback = true;
    SAY(0x40, 0, "\5\0\3\7\3\1one");
    SAY(0x40, 0, "\5\0\3\x08\2\1one ");
    SAY(0x40, 0, "\5\0\3\x08\2\2two");
    UNTIL(base, n_got == 1);
    carrier = NULL;
    UNTIL(base, peer.eof);
    assert_int_equal(n_got, 1); /* what had waited is dropped */
}

static void a_carrier_may_be_freed_while_a_drain_hands_up_what_waits(void **state)
{
    (void)state;
    BOUND();
    free_in_callback = true;
    SAY(0x40, 0, "\5\0\3\7\3\1one");
    SAY(0x40, 0, "\5\0\3\x08\2\1one ");
    for (int i = 0; i < 2; i++)
        peer_expect(&peer, DELIVER_RESP, 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    PEER_SAY0(&peer, 0x80000006, 0, peer_expect(&peer, 0x00000006, 0).sequence);
    UNTIL(base, n_drained == 1);
    carrier = NULL;
    assert_int_equal(n_got, 1);
}

static void what_looks_like_a_receipt_is_a_message_unless_the_carrier_sends_them_so(void **state)
{
    (void)state;
    BOUND();
    SAY(0, 0, "id:1 stat:DELIVRD");
    expect_answer(0);
    assert_string_equal(got[0].text, "id:1 stat:DELIVRD");
    assert_int_equal(n_receipts, 0);
    SAY(4, 0, "id:1 stat:DELIVRD");
    expect_answer(0);
    assert_int_equal(n_receipts, 1);
    assert_int_equal(n_got, 1);
}

static void where_the_carrier_sends_receipts_so_it_is_one(void **state)
{
    (void)state;
    BOUND(.receipt_without_esm_class = true);
    SAY(0, 0, "id:1 stat:DELIVRD");
    expect_answer(0);
    assert_int_equal(n_receipts, 1);
    SAY(0, 0, "STOP id:1");
    expect_answer(0);
    assert_int_equal(n_got, 1);
}

static void q12_an_acknowledgement_of_the_handset_with_a_text_is_a_message(void **state)
{
    (void)state;
    BOUND();
    SAY(0x10, 0, "STOP");
    expect_answer(0);
    assert_int_equal(n_receipts, 0);
    assert_string_equal(got[0].text, "STOP");
    SAY(0x08, 0, "id:1 stat:DELIVRD");
    expect_answer(0);
    assert_int_equal(n_receipts, 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_message_is_handed_up_with_all_that_is_known_of_it),
        T(every_coding_becomes_utf8),
        T(the_default_alphabet_is_that_of_the_carrier),
        T(packed_septets_are_read_part_by_part),
        T(q27_one_nul_at_the_end_is_left_out_where_the_carrier_counts_it),
        T(each_part_is_answered_when_it_comes),
        T(a_message_in_one_part_is_answered_when_its_owner_says),
        T(characters_that_lie_across_two_parts_are_read_whole),
        T(what_stays_incomplete_is_handed_up_after_its_time),
        T(a_drain_hands_up_what_waits_for_parts),
        T(a_carrier_may_be_freed_inside_the_message_it_hands_up),
        T(a_carrier_may_be_freed_while_a_drain_hands_up_what_waits),
        T(what_looks_like_a_receipt_is_a_message_unless_the_carrier_sends_them_so),
        T(where_the_carrier_sends_receipts_so_it_is_one),
        T(q12_an_acknowledgement_of_the_handset_with_a_text_is_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
