#include "base/result.h"
#include "smpp/smpp_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The last text that encode() wrote. */
static struct {
    uint8_t octets[2048];
    size_t len;
    uint8_t data_coding;
    int segments;
    uint16_t ends[64];
} t;

static int encode_n(const char *utf8, size_t len, enum smpp_alphabet alphabet)
{
    struct smpp_text_form form;
    int err = smpp_text_form(utf8, len, alphabet, &form);
    if (err)
        return err;
    smpp_text_write(utf8, len, &form, t.octets, t.ends);
    t.len = t.ends[form.segments - 1];
    t.data_coding = form.data_coding;
    t.segments = form.segments;
    assert_int_equal(t.len, form.octets);
    return ERR_OK;
}

static int encode(const char *utf8, enum smpp_alphabet alphabet)
{
    return encode_n(utf8, strlen(utf8), alphabet);
}

static size_t decode(const void *p, size_t len, uint8_t data_coding, enum smpp_alphabet alphabet,
                     char *out, size_t size)
{
    struct smpp_coded c = {p, len, 0, data_coding, alphabet};
    return smpp_text_decode(&c, out, size);
}

static void check_octets(const char *utf8, enum smpp_alphabet a, const char *octets, size_t len)
{
    assert_int_equal(encode(utf8, a), ERR_OK);
    assert_int_equal(t.len, len);
    assert_memory_equal(t.octets, octets, len);
}

#define OCTETS(utf8, alphabet, octets)                                                             \
    check_octets((utf8), (alphabet), "" octets "", sizeof(octets) - 1)

static void gsm_characters_take_their_codes(void **state)
{
    (void)state;
    OCTETS("@£$¥èéùìòÇ\nØø\rÅå", SMPP_GSM, "\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    OCTETS("Δ_ΦΓΛΩΠΨΣΘΞ", SMPP_GSM, "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a");
    OCTETS("ÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", SMPP_GSM,
           "\x1c\x1d\x1e\x1f\x24\x40\x5b\x5c\x5d\x5e\x5f\x60\x7b\x7c\x7d\x7e\x7f");
    OCTETS("PIN 1234", SMPP_GSM, "PIN 1234");
    assert_int_equal(t.data_coding, 0);
}

static void extension_characters_take_an_escape(void **state)
{
    (void)state;
    OCTETS("^{}\\[~]|€\f", SMPP_GSM,
           "\x1b\x14\x1b\x28\x1b\x29\x1b\x2f\x1b\x3c\x1b\x3d\x1b\x3e\x1b\x40\x1b\x65\x1b\x0a");
}

static void what_the_alphabet_lacks_goes_as_utf16(void **state)
{
    (void)state;
    OCTETS("š1", SMPP_GSM, "\x01\x61\x00\x31");
    assert_int_equal(t.data_coding, 8);
    OCTETS("😀", SMPP_GSM, "\xd8\x3d\xde\x00");
    OCTETS("€", SMPP_LATIN1, "\x20\xac");
    OCTETS("é", SMPP_ASCII, "\x00\xe9");
    OCTETS("`", SMPP_GSM, "\x00\x60");
}

static void latin1_and_ascii_go_as_they_are(void **state)
{
    (void)state;
    OCTETS("é@[`ÿ", SMPP_LATIN1, "\xe9@[`\xff");
    assert_int_equal(t.data_coding, 0);
    OCTETS("@[`~", SMPP_ASCII, "@[`~");
    assert_int_equal(t.data_coding, 0);
}

static int segments(const char *unit, size_t n, const char *tail, enum smpp_alphabet alphabet)
{
    static char text[4096];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", unit);
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", tail);
    return smpp_text_segments(text, len, alphabet);
}

static void segments_are_counted_by_what_the_handset_gets(void **state)
{
    (void)state;
    static const enum smpp_alphabet all[] = {SMPP_GSM, SMPP_LATIN1, SMPP_ASCII};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(segments("", 0, "", all[i]), 1);
        assert_int_equal(segments("a", 160, "", all[i]), 1);
        assert_int_equal(segments("a", 161, "", all[i]), 2);
        assert_int_equal(segments("a", 306, "", all[i]), 2);
        assert_int_equal(segments("a", 307, "", all[i]), 3);
        assert_int_equal(segments("[", 80, "", all[i]), 1);
        assert_int_equal(segments("[", 80, "a", all[i]), 2);
        assert_int_equal(segments("š", 70, "", all[i]), 1);
        assert_int_equal(segments("š", 71, "", all[i]), 2);
        assert_int_equal(segments("š", 134, "", all[i]), 2);
        assert_int_equal(segments("š", 135, "", all[i]), 3);
    }
    assert_int_equal(segments("`", 140, "", SMPP_ASCII), 1); /* not in GSM 03.38 */
    assert_int_equal(segments("`", 141, "", SMPP_ASCII), 2);
    assert_int_equal(segments("a", 139, "ç", SMPP_LATIN1), 1);
    assert_int_equal(segments("a", 140, "ç", SMPP_LATIN1), 2);
    assert_int_equal(segments("a", 159, "é", SMPP_LATIN1), 1); /* in GSM 03.38 */
}

static void no_segment_ends_inside_an_escape_or_a_surrogate_pair(void **state)
{
    (void)state;
    /* 76 pairs fill 152 of 153 septets: the 153rd stays empty. */
    assert_int_equal(segments("[", 152, "", SMPP_GSM), 2);
    assert_int_equal(segments("[", 152, "aa", SMPP_GSM), 3);
    assert_int_equal(segments("a", 304, "aa", SMPP_GSM), 2);
    /* 33 pairs fill 66 of 67 units. */
    assert_int_equal(segments("😀", 35, "", SMPP_GSM), 1);
    assert_int_equal(segments("😀", 66, "", SMPP_GSM), 2);
    assert_int_equal(segments("😀", 66, "aa", SMPP_GSM), 3);
}

/* A text of about 700 octets of UTF-8; want: octets of each part, then 0. */
static void check_parts(const char *unit, const char *tail, enum smpp_alphabet alphabet,
                        const size_t *want)
{
    static char text[4096];
    size_t len = 0, at = 0;
    while (len + strlen(unit) < 700)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", unit);
    snprintf(text + len, sizeof text - len, "%s", tail);
    assert_int_equal(encode(text, alphabet), ERR_OK);
    for (int i = 0; i < t.segments; i++) {
        size_t part = t.ends[i] - at;
        if (want[0])
            assert_int_equal(part, *want++);
        at = t.ends[i];
    }
    assert_int_equal(want[0], 0);
    assert_int_equal(at, t.len);
}
#define PARTS(unit, tail, alphabet, ...)                                                           \
    check_parts((unit), (tail), (alphabet), (const size_t[]){__VA_ARGS__, 0})

static void a_long_text_is_divided_into_full_parts(void **state)
{
    (void)state;
    PARTS("a", "!", SMPP_GSM, 153, 153, 153, 153, 88);
    PARTS("a", "!", SMPP_GSM_PACKED, 153, 153, 153, 153, 88);
    PARTS("a", "!", SMPP_LATIN1, 153, 153, 153, 153, 88); /* all in GSM 03.38 */
    PARTS("`", "!", SMPP_ASCII, 134, 134, 134, 134, 134, 30);
    PARTS("ç", "!", SMPP_LATIN1, 134, 134, 82);
    PARTS("ç", "!", SMPP_LATIN1_3, 134, 134, 82);
    PARTS("š", "!", SMPP_GSM, 134, 134, 134, 134, 134, 30);
}

static void no_part_ends_inside_an_escape_or_a_surrogate_pair(void **state)
{
    (void)state;
    PARTS("[", "", SMPP_GSM, 152, 152, 152, 152, 152, 152, 152, 152, 152, 30);
    PARTS("😀", "", SMPP_GSM, 132, 132, 132, 132, 132, 36);
    assert_int_equal(encode("012345678901234567890123456789012345678901234567890123456789"
                            "012345678901234567890123456789012345678901234567890123456789"
                            "01234567890123456789012345678901[€]aaaaaa",
                            SMPP_GSM),
                     ERR_OK);
    assert_int_equal(t.segments, 2);
    assert_int_equal(t.ends[0], 152); /* the escape of [ would be the 153rd */
    assert_int_equal(t.octets[152], 0x1b);
}

static void latin1_with_data_coding_3_where_the_operator_wants_it(void **state)
{
    (void)state;
    OCTETS("é@[ÿ", SMPP_LATIN1_3, "\xe9@[\xff");
    assert_int_equal(t.data_coding, 3);
    OCTETS("€", SMPP_LATIN1_3, "\x20\xac");
    assert_int_equal(t.data_coding, 8);
    char out[8];
    decode("\0", 1, 0, SMPP_LATIN1_3, out, sizeof out); /* what comes as 0 is the operator's */
    assert_string_equal(out, "@");
    decode("\xe9", 1, 3, SMPP_LATIN1_3, out, sizeof out);
    assert_string_equal(out, "é");
}

static void national_characters_go_as_ucs2_without_a_byte_order_mark(void **state)
{
    (void)state;
    OCTETS("Šifra", SMPP_GSM, "\x01\x60\0i\0f\0r\0a");
    OCTETS("код", SMPP_GSM_PACKED, "\x04\x3a\x04\x3e\x04\x34");
    assert_int_equal(t.data_coding, 8);
}

/* --- seven bits a character --- */

static void seven_bit_text_is_packed_as_on_the_air(void **state)
{
    (void)state;
    uint8_t out[160];
    static const uint8_t hello[] = {0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37};
    assert_int_equal(smpp_text_pack((const uint8_t *)"hellohello", 10, 0, out), sizeof hello);
    assert_memory_equal(out, hello, sizeof hello);
    /* Behind a user data header of six octets there is one bit to fill (3GPP 23.040, 9.2.3.24.1).
     */
    static const uint8_t behind[] = {0xd0, 0x65, 0x36, 0xfb, 0x0d};
    assert_int_equal(smpp_text_pack((const uint8_t *)"hello", 5, 1, out), sizeof behind);
    assert_memory_equal(out, behind, sizeof behind);
    assert_int_equal(smpp_text_pack((const uint8_t *)"", 0, 0, out), 0);
}

static void a_full_segment_takes_140_octets_packed(void **state)
{
    (void)state;
    uint8_t septets[160], out[160];
    memset(septets, 'a', sizeof septets);
    assert_int_equal(smpp_text_pack(septets, 160, 0, out), 140);
    assert_int_equal(smpp_text_pack(septets, 153, 1, out), 134);
    assert_int_equal(smpp_text_pack(septets, 153, 0, out), 134);
}

static void seven_bits_left_over_are_no_character(void **state)
{
    (void)state;
    uint8_t packed[8];
    char out[16];
    assert_int_equal(smpp_text_pack((const uint8_t *)"seven77", 7, 0, packed), 7);
    assert_int_equal(packed[6] >> 1, '\r');
    decode(packed, 7, 0, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "seven77");
    packed[6] &= 1; /* others leave zeros, which would be an @ */
    decode(packed, 7, 0, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "seven77");
    smpp_text_pack((const uint8_t *)"eight888", 8, 0, packed);
    decode(packed, 7, 0, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "eight888");
}

static void packed_text_comes_back_whatever_its_length_and_its_header(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 160; n++) {
        for (size_t udh = 0; udh < 15; udh++) {
            uint8_t septets[160], octets[200] = {(uint8_t)(udh - 1)};
            char want[161] = "", out[200];
            for (size_t i = 0; i < n; i++)
                want[i] = (char)(septets[i] = (uint8_t)('0' + (i * 7 + n) % 75 % 10));
            unsigned fill = (unsigned)((7 - udh * 8 % 7) % 7);
            size_t len = n ? smpp_text_pack(septets, n, fill, octets + udh) : 0;
            struct smpp_coded c = {octets, udh + len, udh, 0, SMPP_GSM_PACKED};
            assert_int_equal(smpp_text_decode(&c, out, sizeof out), n);
            assert_string_equal(out, want);
        }
    }
}

static void only_the_default_alphabet_is_packed(void **state)
{
    (void)state;
    char out[16];
    decode("\x00\x41", 2, 8, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "A");
    decode("ab", 2, 3, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "ab");
    decode("\xe8\x32\x9b\xfd\x06", 5, 0xF1, SMPP_GSM_PACKED, out, sizeof out);
    assert_string_equal(out, "hello");
    OCTETS("@€", SMPP_GSM_PACKED, "\0\x1b\x65"); /* packed when it is sent */
}

static void bad_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xc3(",
        "\xe2\x82(",    "a\xfe",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(encode(bad[i], SMPP_GSM), ERR_INVALID);
        assert_int_equal(smpp_text_segments(bad[i], strlen(bad[i]), SMPP_LATIN1), ERR_INVALID);
    }
    assert_int_equal(encode_n("\xf0\x9f\x98\x80", 3, SMPP_GSM), ERR_INVALID);
}

static void every_character_comes_back(void **state)
{
    (void)state;
    static const enum smpp_alphabet all[] = {SMPP_GSM, SMPP_LATIN1, SMPP_ASCII, SMPP_LATIN1_3};
    static const uint32_t last = 0x10FFFF;
    for (uint32_t cp = 1; cp <= last; cp++) {
        if (cp == 0xD800)
            cp = 0xE000;
        if (cp == 0xFEFF) /* a byte order mark, taken off */
            continue;
        char in[5] = {0}, out[8];
        if (cp < 0x80)
            snprintf(in, sizeof in, "%c", (int)cp);
        else if (cp < 0x800)
            snprintf(in, sizeof in, "%c%c", (int)(0xC0 | cp >> 6), (int)(0x80 | (cp & 63)));
        else if (cp < 0x10000)
            snprintf(in, sizeof in, "%c%c%c", (int)(0xE0 | cp >> 12), (int)(0x80 | (cp >> 6 & 63)),
                     (int)(0x80 | (cp & 63)));
        else
            snprintf(in, sizeof in, "%c%c%c%c", (int)(0xF0 | cp >> 18),
                     (int)(0x80 | (cp >> 12 & 63)), (int)(0x80 | (cp >> 6 & 63)),
                     (int)(0x80 | (cp & 63)));
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(encode(in, all[i]), ERR_OK);
            decode(t.octets, t.len, t.data_coding, all[i], out, sizeof out);
            assert_string_equal(out, in);
        }
    }
}

static void check_decode(uint8_t data_coding, const char *octets, size_t len, const char *want)
{
    char out[64];
    size_t n = decode(octets, len, data_coding, SMPP_GSM, out, sizeof out);
    assert_string_equal(out, want);
    assert_int_equal(n, strlen(want));
}

#define DECODES(data_coding, octets, want)                                                         \
    check_decode((data_coding), "" octets "", sizeof(octets) - 1, (want))

static void octets_that_are_no_character_become_a_replacement(void **state)
{
    (void)state;
    DECODES(0, "a\x1b", "a�");            /* an escape at the end */
    DECODES(0, "\x1bz\x80", "�z�");       /* an escape to nothing, an octet of eight bits */
    DECODES(8, "\xd8\x3d", "�");          /* half a pair at the end */
    DECODES(8, "\xd8\x3d\x00\x41", "�A"); /* ... and before another character */
    DECODES(8, "\xde\x00\x00\x41", "�A"); /* the lower half alone */
    DECODES(8, "\x00\x41\x00", "A�");     /* half a unit */
    DECODES(8, "\xfe\xff\x00\x41", "A");
    DECODES(8, "\xd8\x3d\xe0\x41", "\xef\xbf\xbd\xee\x81\x81"); /* beyond the lower halves */
    check_decode(0, "a\x1b\x65", 2, "a\xef\xbf\xbd");           /* what follows is not ours */
    DECODES(3, "a\0\xe9", "a�é");
    DECODES(4, "a\xe9", "a�");
    DECODES(1, "@\xe9", "@�");
}

static void data_coding_chooses_the_alphabet(void **state)
{
    (void)state;
    DECODES(0, "\0", "@");
    DECODES(0x10, "\0", "@");
    DECODES(0xF1, "\0", "@");
    DECODES(0xF5, "@", "@");
    DECODES(0x18, "\x01\x61", "š");
    char out[8];
    assert_int_equal(decode("\xe9", 1, 0, SMPP_LATIN1, out, 8), 2);
    assert_string_equal(out, "é");
}

static void decoding_stops_at_a_whole_character(void **state)
{
    (void)state;
    const uint8_t *octets = (const uint8_t *)"ab\x05"
                                             "c"; /* abéc */
    static const size_t want[] = {0, 0, 1, 2, 2, 4, 5, 5};
    for (size_t size = 0; size < 8; size++) {
        char out[8] = "zzzzzzz";
        assert_int_equal(decode(octets, 4, 0, SMPP_GSM, out, size), want[size]);
        if (size)
            assert_int_equal(strlen(out), want[size]);
        else
            assert_int_equal(out[0], 'z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gsm_characters_take_their_codes),
        cmocka_unit_test(extension_characters_take_an_escape),
        cmocka_unit_test(what_the_alphabet_lacks_goes_as_utf16),
        cmocka_unit_test(latin1_and_ascii_go_as_they_are),
        cmocka_unit_test(segments_are_counted_by_what_the_handset_gets),
        cmocka_unit_test(no_segment_ends_inside_an_escape_or_a_surrogate_pair),
        cmocka_unit_test(a_long_text_is_divided_into_full_parts),
        cmocka_unit_test(no_part_ends_inside_an_escape_or_a_surrogate_pair),
        cmocka_unit_test(latin1_with_data_coding_3_where_the_operator_wants_it),
        cmocka_unit_test(national_characters_go_as_ucs2_without_a_byte_order_mark),
        cmocka_unit_test(seven_bit_text_is_packed_as_on_the_air),
        cmocka_unit_test(a_full_segment_takes_140_octets_packed),
        cmocka_unit_test(seven_bits_left_over_are_no_character),
        cmocka_unit_test(packed_text_comes_back_whatever_its_length_and_its_header),
        cmocka_unit_test(only_the_default_alphabet_is_packed),
        cmocka_unit_test(bad_utf8_is_refused),
        cmocka_unit_test(every_character_comes_back),
        cmocka_unit_test(octets_that_are_no_character_become_a_replacement),
        cmocka_unit_test(data_coding_chooses_the_alphabet),
        cmocka_unit_test(decoding_stops_at_a_whole_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
