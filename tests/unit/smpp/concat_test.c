/* Messages in several parts: what a PDU is a part of, and how parts come together. */
#include "base/buf.h"
#include "smpp/smpp_concat.h"
#include "smpp/smpp_const.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define AGE_MS 300000u

static struct smpp_concat box;
static struct mono now;
static uint8_t *pdu_octets;

static int setup(void **state)
{
    (void)state;
    memset(&box, 0, sizeof box);
    now = (struct mono){1000000};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smpp_concat_clear(&box);
    free(pdu_octets);
    pdu_octets = NULL;
    return 0;
}

struct deliver {
    const char *source, *destination; /* NULL: "38591", "1971" */
    uint8_t esm_class, data_coding;
    const void *message;
    size_t len;
    const void *tlvs; /* as they stand on the wire */
    size_t tlvs_len;
};

/* Decoded from a buffer of its exact size, for the sanitizer; valid until the next call. */
static struct smpp_part part_of(const struct deliver *d)
{
    static struct smpp_pdu pdu;
    uint8_t big[4096];
    struct wr w = wr_init(big, sizeof big);
    for (int i = 0; i < 4; i++)
        wr_u32(&w, i == 1 ? 5 : 0);
    wr_bytes(&w, "\0\1\2", 3);
    wr_str(&w, d->source ? d->source : "38591");
    wr_bytes(&w, "\0\3\4", 3);
    wr_str(&w, d->destination ? d->destination : "1971");
    wr_u8(&w, 0);
    wr_u8(&w, d->esm_class);
    wr_bytes(&w, "\0\0\0\0\0\0", 6);
    wr_u8(&w, d->data_coding);
    wr_u8(&w, 0);
    wr_u8(&w, (uint8_t)d->len);
    wr_bytes(&w, d->message, d->len);
    wr_bytes(&w, d->tlvs, d->tlvs_len);
    assert_false(w.bad);
    free(pdu_octets);
    pdu_octets = malloc(w.len);
    memcpy(pdu_octets, big, w.len);
    pdu_octets[2] = (uint8_t)(w.len >> 8);
    pdu_octets[3] = (uint8_t)w.len;
    struct smpp_frame frame;
    size_t need;
    assert_int_equal(smpp_frame_next(pdu_octets, w.len, SMPP_PDU_CAP, &frame, &need),
                     SMPP_FRAME_OK);
    assert_int_equal(smpp_decode(&frame, &pdu), SMPP_DECODE_OK);
    struct smpp_part part;
    smpp_part_read(&pdu, &part);
    return part;
}
#define PART(...)       part_of(&(struct deliver){__VA_ARGS__})
#define OCTETS(literal) .message = literal, .len = sizeof literal - 1

static void assert_octets(struct smpp_str s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.p, text, s.len);
}

/* --- what a PDU is a part of --- */

static void a_message_without_header_stands_alone(void **state)
{
    (void)state;
    struct smpp_part p = PART(.data_coding = 8, OCTETS("\5\0\3\1\2\1abc"));
    assert_int_equal(p.kind, SMPP_PART_ALONE);
    assert_int_equal(p.total, 1);
    assert_int_equal(p.piece.udh, 0);
    assert_int_equal(p.piece.data_coding, 8);
    assert_int_equal(p.piece.octets.len, 9);
    assert_octets(p.source, "38591");
    assert_octets(p.destination, "1971");
    assert_int_equal(p.source_ton << 12 | p.source_npi << 8 | p.destination_ton << 4 |
                         p.destination_npi,
                     0x1234);
}

static void parts_are_told_by_headers_and_by_sar(void **state)
{
    (void)state;
    struct smpp_part p = PART(.esm_class = 0x40, OCTETS("\5\0\3\x2f\3\2abc"));
    assert_int_equal(p.kind, SMPP_PART_UDH8);
    assert_int_equal(p.reference, 0x2f);
    assert_int_equal(p.total << 8 | p.sequence, 0x0302);
    assert_octets(p.piece.octets, "abc");
    assert_int_equal(p.piece.udh, 6);

    p = PART(.esm_class = 0x43, OCTETS("\6\x08\4\x12\x34\3\1abc"));
    assert_int_equal(p.kind, SMPP_PART_UDH16);
    assert_int_equal(p.reference, 0x1234);
    assert_int_equal(p.total << 8 | p.sequence, 0x0301);
    assert_octets(p.piece.octets, "abc");

    static const char sar[] = "\x02\x0c\0\2\x12\x99\x02\x0e\0\1\3\x02\x0f\0\1\2";
    p = PART(OCTETS("abc"), .tlvs = sar, .tlvs_len = sizeof sar - 1);
    assert_int_equal(p.kind, SMPP_PART_SAR);
    assert_int_equal(p.reference, 0x1299);
    assert_int_equal(p.total << 8 | p.sequence, 0x0302);
    assert_octets(p.piece.octets, "abc");

    static const char payload[] = "\x04\x24\0\x09\5\0\3\1\2\1xyz";
    p = PART(.esm_class = 0x40, OCTETS(""), .tlvs = payload, .tlvs_len = sizeof payload - 1);
    assert_int_equal(p.kind, SMPP_PART_UDH8);
    assert_octets(p.piece.octets, "xyz");
}

/* The header wins over the TLVs where both say something. */
static void a_header_wins_over_sar(void **state)
{
    (void)state;
    static const char sar[] = "\x02\x0c\0\2\x12\x99\x02\x0e\0\1\3\x02\x0f\0\1\2";
    struct smpp_part p = PART(.esm_class = 0x40, OCTETS("\5\0\3\1\2\1a"), .tlvs = sar,
                              .tlvs_len = sizeof sar - 1);
    assert_int_equal(p.kind, SMPP_PART_UDH8);
    p = PART(.esm_class = 0x40, OCTETS("\6\5\4\1\2\3\4a"), .tlvs = sar, .tlvs_len = sizeof sar - 1);
    assert_int_equal(p.kind, SMPP_PART_SAR);
}

static void headers_are_read_element_by_element(void **state)
{
    (void)state;
    static const struct {
        const char *what, *octets;
        size_t len;
        int kind;
        unsigned total, sequence, left;
    } rows[] = {
#define H(what, octets, ...) {what, octets, sizeof octets - 1, __VA_ARGS__}
        H("ports before", "\x0b\5\4\x23\xf4\0\0\0\3\7\2\1ab", SMPP_PART_UDH8, 2, 1, 2),
        H("ports behind", "\x0b\0\3\7\2\2\5\4\x23\xf4\0\0ab", SMPP_PART_UDH8, 2, 2, 2),
        H("an empty element before", "\7\x70\0\0\3\7\2\1ab", SMPP_PART_UDH8, 2, 1, 2),
        H("only ports", "\6\5\4\1\2\3\4ab", SMPP_PART_ALONE, 1, 1, 2),
        H("the last one counts", "\x0b\0\3\7\2\1\x08\4\1\2\3\3ab", SMPP_PART_UDH16, 3, 3, 2),
        H("a useless last one does not", "\x0b\0\3\7\2\1\x08\4\1\2\0\0a", SMPP_PART_UDH8, 2, 1, 1),
        H("part 0", "\5\0\3\7\2\0ab", SMPP_PART_ALONE, 1, 1, 2),
        H("of 0 parts", "\5\0\3\7\0\0ab", SMPP_PART_ALONE, 1, 1, 2),
        H("part 1 of 0", "\5\0\3\7\0\1ab", SMPP_PART_ALONE, 1, 1, 2),
        H("part 3 of 2", "\5\0\3\7\2\3ab", SMPP_PART_ALONE, 1, 1, 2),
        H("part 1 of 1", "\5\0\3\7\1\1ab", SMPP_PART_ALONE, 1, 1, 2),
        H("of 32 parts",
          "\5\0\3\7\x20\x20"
          "ab",
          SMPP_PART_UDH8, 32, 32, 2),
        H("of too many parts",
          "\5\0\3\7\x21\x02"
          "ab",
          SMPP_PART_ALONE, 33, 2, 2),
        H("of 255 parts",
          "\5\0\3\7\xff\xff"
          "ab",
          SMPP_PART_ALONE, 255, 255, 2),
        H("no text behind it", "\5\0\3\7\2\1", SMPP_PART_UDH8, 2, 1, 0),
        H("an element of another length", "\4\0\2\2\1ab", SMPP_PART_ALONE, 1, 1, 2),
        H("a longer element that begins alike", "\6\0\4\7\2\1\1ab", SMPP_PART_ALONE, 1, 1, 2),
        H("an element beyond the header", "\5\0\4\7\2\1ab", SMPP_PART_ALONE, 1, 1, 2),
        H("an element cut after its id",
          "\6\0\3\7\2\1\x08"
          "ab",
          SMPP_PART_UDH8, 2, 1, 2),
        H("an empty header", "\0ab", SMPP_PART_ALONE, 1, 1, 2),
        H("a header as long as the message", "\2\x70\0", SMPP_PART_ALONE, 1, 1, 0),
        H("a header beyond the message", "\6\0\3\7\2\1", SMPP_PART_ALONE, 1, 1, 6),
        H("a header of 255 octets", "\xff\0\3\7\2\1ab", SMPP_PART_ALONE, 1, 1, 8),
        H("nothing at all", "", SMPP_PART_ALONE, 1, 1, 0),
#undef H
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smpp_part p = PART(.esm_class = 0x40, .message = rows[i].octets, .len = rows[i].len);
        if ((int)p.kind != rows[i].kind || p.total != rows[i].total ||
            p.sequence != rows[i].sequence || p.piece.octets.len != rows[i].left)
            fail_msg("%s: kind %d, %u of %u, %zu octets", rows[i].what, p.kind, p.sequence, p.total,
                     p.piece.octets.len);
    }
}

static void sar_needs_all_three_in_their_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
    } rows[] = {
#define T(octets) {octets, sizeof octets - 1}
        T("\x02\x0e\0\1\3\x02\x0f\0\1\2"),
        T("\x02\x0c\0\2\0\1\x02\x0f\0\1\2"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\1\3"),
        T("\x02\x0c\0\1\1\x02\x0e\0\1\3\x02\x0f\0\1\2"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\2\0\3\x02\x0f\0\1\2"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\1\3\x02\x0f\0\0"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\1\3\x02\x0f\0\1\0"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\1\3\x02\x0f\0\1\4"),
        T("\x02\x0c\0\2\0\1\x02\x0e\0\1\0\x02\x0f\0\1\0"),
#undef T
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smpp_part p = PART(OCTETS("ab"), .tlvs = rows[i].octets, .tlvs_len = rows[i].len);
        assert_int_equal(p.kind, SMPP_PART_ALONE);
        assert_int_equal(p.total, 1);
        assert_int_equal(p.piece.octets.len, 2);
    }
}

/* --- how parts come together --- */

static struct smpp_part make(enum smpp_part_kind kind, uint8_t total, uint8_t sequence,
                             const char *text)
{
    return (struct smpp_part){.source = {"38591", 5},
                              .destination = {"1971", 4},
                              .kind = kind,
                              .reference = 7,
                              .total = total,
                              .sequence = sequence,
                              .piece = {.octets = {text, strlen(text)}, .has_come = true}};
}

static void add(struct smpp_part part)
{
    assert_int_equal(smpp_concat_add(&box, &part, now), 0);
}
#define ADD(...) add(make(__VA_ARGS__))

static struct smpp_parts *take(void)
{
    return smpp_concat_take(&box, now, AGE_MS);
}

/* The next message says this, "-" for a part that is missing. */
static void expect(const char *text, unsigned missing)
{
    char got[400];
    struct wr w = wr_init(got, sizeof got);
    struct smpp_parts *m = take();
    assert_non_null(m);
    for (size_t i = 0; i < m->n_pieces; i++) {
        if (m->pieces[i].has_come)
            wr_bytes(&w, m->pieces[i].octets.p, m->pieces[i].octets.len);
        else
            wr_u8(&w, '-');
    }
    wr_end(&w);
    assert_string_equal(got, text);
    assert_int_equal(m->first.total - m->come, missing);
    assert_int_equal(m->has_start, text[0] != '-');
    assert_octets(m->first.source, m->source);
    smpp_parts_free(m);
}

static void every_order_of_three_parts_gives_the_message(void **state)
{
    (void)state;
    static const uint8_t orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                         {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    static const char *const texts[] = {"", "one ", "two ", "three"};
    for (unsigned kind = SMPP_PART_UDH8; kind <= SMPP_PART_SAR; kind++) {
        for (size_t i = 0; i < 6; i++) {
            for (size_t k = 0; k < 3; k++) {
                assert_null(take());
                ADD((enum smpp_part_kind)kind, 3, orders[i][k], texts[orders[i][k]]);
            }
            expect("one two three", 0);
            assert_null(take());
            assert_int_equal(box.n, 0);
            assert_int_equal(box.octets, 0);
            now = mono_add_ms(now, SMPP_CONCAT_DONE_MS); /* else they would be repetitions */
        }
    }
}

static void a_message_alone_is_there_at_once(void **state)
{
    (void)state;
    ADD(SMPP_PART_ALONE, 1, 1, "hello");
    ADD(SMPP_PART_ALONE, 1, 1, "hello");
    expect("hello", 0);
    expect("hello", 0);
    assert_null(take());
    assert_int_equal(smpp_concat_due(&box, AGE_MS).us, 0);
}

static void parts_of_a_message_that_is_too_long_stand_alone(void **state)
{
    (void)state;
    ADD(SMPP_PART_ALONE, 40, 1, "begin");
    expect("begin", 39);
    ADD(SMPP_PART_ALONE, 40, 2, "go on");
    struct smpp_parts *m = take();
    assert_false(m->has_start);
    assert_int_equal(m->first.total - m->come, 39);
    smpp_parts_free(m);
}

static void repetitions_are_ignored(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    assert_null(take());
    assert_int_equal(box.octets, 1);
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    expect("ab", 0);
    assert_null(take());
}

/* Its answer was lost with the connection: no message that lacks a part is made of it. */
static void a_part_of_a_message_that_was_whole_is_a_repetition_for_a_while(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    expect("ab", 0);
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    assert_int_equal(box.n, 0);
    ADD(SMPP_PART_UDH8, 2, 1, "another");
    ADD(SMPP_PART_UDH8, 2, 2, "b"); /* the end of another one */
    expect("anotherb", 0);
    struct smpp_part other = make(SMPP_PART_UDH8, 2, 2, "b");
    other.source = (struct smpp_str){"385911", 6};
    add(other);
    assert_int_equal(box.n, 1);
    now = mono_add_ms(now, SMPP_CONCAT_DONE_MS);
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    assert_int_equal(box.n, 2);
}

static void what_was_incomplete_is_not_remembered(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    now = mono_add_ms(now, AGE_MS);
    expect("a-", 1);
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    assert_int_equal(box.n, 1);
}

static void empty_parts_are_parts(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 2, "");
    ADD(SMPP_PART_UDH8, 2, 2, "");
    assert_null(take());
    ADD(SMPP_PART_UDH8, 2, 1, "");
    expect("", 0);
}

/* Handsets count their references to 255 and begin anew. */
static void another_part_in_a_place_that_is_taken_begins_another_message(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 1, "old");
    ADD(SMPP_PART_UDH8, 2, 1, "new ");
    expect("old-", 1);
    assert_null(take());
    ADD(SMPP_PART_UDH8, 2, 2, "one");
    expect("new one", 0);
    assert_null(take());
    assert_int_equal(box.octets, 0);
}

static void parts_meet_only_what_they_belong_to(void **state)
{
    (void)state;
    struct smpp_part p = make(SMPP_PART_UDH8, 2, 2, "x");
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    ADD(SMPP_PART_UDH16, 2, 2, "x");
    ADD(SMPP_PART_SAR, 2, 2, "x");
    ADD(SMPP_PART_UDH8, 3, 2, "x");
    p.reference = 8;
    add(p);
    p.reference = 7;
    p.source = (struct smpp_str){"385911", 6};
    add(p);
    p.source = (struct smpp_str){"3859", 4};
    add(p);
    p.source = (struct smpp_str){NULL, 0};
    add(p);
    p.source = (struct smpp_str){"38591", 5};
    p.destination = (struct smpp_str){"1972", 4};
    add(p);
    assert_null(take());
    assert_int_equal(box.n, 9);
    ADD(SMPP_PART_UDH8, 2, 2, "b");
    expect("ab", 0);
    assert_int_equal(box.n, 8);
}

static void addresses_of_any_length_are_kept_apart_as_far_as_they_are_kept(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, '9', sizeof longest);
    struct smpp_part p = make(SMPP_PART_UDH8, 2, 1, "a");
    p.source = (struct smpp_str){longest, sizeof longest};
    add(p);
    p = make(SMPP_PART_UDH8, 2, 2, "b");
    p.source = (struct smpp_str){longest, sizeof longest};
    add(p);
    struct smpp_parts *m = take();
    assert_non_null(m);
    assert_int_equal(m->first.source.len, SMPP_MO_ADDRESS_MAX);
    smpp_parts_free(m);
}

static void what_has_waited_too_long_is_handed_out_with_what_there_is(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 3, 2, "b");
    assert_int_equal(smpp_concat_due(&box, AGE_MS).us, now.us + AGE_MS * INT64_C(1000));
    now = mono_add_ms(now, 1000);
    ADD(SMPP_PART_SAR, 2, 1, "x");
    now = mono_add_ms(now, AGE_MS - 1001);
    ADD(SMPP_PART_UDH8, 3, 3, "c"); /* a later part buys no time */
    assert_null(take());
    now = mono_add_ms(now, 1);
    expect("-bc", 1);
    assert_null(take());
    now = mono_add_ms(now, 1000);
    expect("x-", 1);
    assert_null(take());
    assert_int_equal(smpp_concat_due(&box, AGE_MS).us, 0);
}

static void the_oldest_makes_room_for_the_newest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SMPP_CONCAT_MAX + 2; i++) {
        char text[8];
        struct smpp_part p = make(SMPP_PART_UDH16, 2, 1, text);
        snprintf(text, sizeof text, "%u", i);
        p.piece.octets.len = strlen(text);
        p.reference = (uint16_t)i;
        add(p);
    }
    assert_int_equal(box.n, SMPP_CONCAT_MAX);
    expect("0-", 1);
    expect("1-", 1);
    assert_null(take());
}

static void octets_are_bounded_too(void **state)
{
    (void)state;
    static char big[65000];
    struct smpp_part p = make(SMPP_PART_SAR, 32, 1, "");
    memset(big, 'x', sizeof big);
    p.piece.octets = (struct smpp_str){big, sizeof big};
    for (uint8_t i = 1; i <= 4; i++) {
        p.sequence = i;
        add(p);
    }
    assert_null(take());
    p.sequence = 5;
    add(p);
    struct smpp_parts *m = take();
    assert_non_null(m);
    assert_int_equal(m->come, 5);
    assert_int_equal(m->octets, 5 * sizeof big);
    smpp_parts_free(m);
    assert_null(take());
    assert_int_equal(box.n, 0);
    assert_int_equal(box.octets, 0);
}

static void it_is_emptied_oldest_first(void **state)
{
    (void)state;
    ADD(SMPP_PART_UDH8, 2, 1, "a");
    ADD(SMPP_PART_SAR, 2, 1, "b");
    struct smpp_parts *m = smpp_concat_take_waiting(&box);
    assert_octets(m->pieces[0].octets, "a");
    smpp_parts_free(m);
    m = smpp_concat_take_waiting(&box);
    assert_octets(m->pieces[0].octets, "b");
    smpp_parts_free(m);
    assert_null(smpp_concat_take_waiting(&box));
    ADD(SMPP_PART_UDH8, 2, 1, "left for teardown");
    ADD(SMPP_PART_ALONE, 1, 1, "left, too");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_message_without_header_stands_alone),
        T(parts_are_told_by_headers_and_by_sar),
        T(a_header_wins_over_sar),
        T(headers_are_read_element_by_element),
        T(sar_needs_all_three_in_their_lengths),
        T(every_order_of_three_parts_gives_the_message),
        T(a_message_alone_is_there_at_once),
        T(parts_of_a_message_that_is_too_long_stand_alone),
        T(repetitions_are_ignored),
        T(a_part_of_a_message_that_was_whole_is_a_repetition_for_a_while),
        T(what_was_incomplete_is_not_remembered),
        T(empty_parts_are_parts),
        T(another_part_in_a_place_that_is_taken_begins_another_message),
        T(parts_meet_only_what_they_belong_to),
        T(addresses_of_any_length_are_kept_apart_as_far_as_they_are_kept),
        T(what_has_waited_too_long_is_handed_out_with_what_there_is),
        T(the_oldest_makes_room_for_the_newest),
        T(octets_are_bounded_too),
        T(it_is_emptied_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
