#include "base/result.h"
#include "smpp/smpp_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct smpp_text t;

static int encode(const char *utf8, enum smpp_alphabet alphabet)
{
    return smpp_text_encode(utf8, strlen(utf8), alphabet, &t);
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

static void more_than_a_segment_is_refused_and_counted(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof text);
    assert_int_equal(smpp_text_encode(text, 160, SMPP_GSM, &t), ERR_OK);
    assert_int_equal(t.len, 160);
    assert_int_equal(smpp_text_encode(text, 161, SMPP_GSM, &t), ERR_TOOLONG);
    assert_int_equal(t.segments, 2);
    assert_int_equal(t.len, 0);
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
    assert_int_equal(smpp_text_encode("\xf0\x9f\x98\x80", 3, SMPP_GSM, &t), ERR_INVALID);
}

static void every_character_comes_back(void **state)
{
    (void)state;
    static const enum smpp_alphabet all[] = {SMPP_GSM, SMPP_LATIN1, SMPP_ASCII};
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
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(encode(in, all[i]), ERR_OK);
            smpp_text_decode(t.octets, t.len, t.data_coding, all[i], out, sizeof out);
            assert_string_equal(out, in);
        }
    }
}

static void check_decode(uint8_t data_coding, const char *octets, size_t len, const char *want)
{
    char out[64];
    size_t n = smpp_text_decode((const uint8_t *)octets, len, data_coding, SMPP_GSM, out,
                                sizeof out);
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
    assert_int_equal(smpp_text_decode((const uint8_t *)"\xe9", 1, 0, SMPP_LATIN1, out, 8), 2);
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
        assert_int_equal(smpp_text_decode(octets, 4, 0, SMPP_GSM, out, size), want[size]);
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
        cmocka_unit_test(more_than_a_segment_is_refused_and_counted),
        cmocka_unit_test(bad_utf8_is_refused),
        cmocka_unit_test(every_character_comes_back),
        cmocka_unit_test(octets_that_are_no_character_become_a_replacement),
        cmocka_unit_test(data_coding_chooses_the_alphabet),
        cmocka_unit_test(decoding_stops_at_a_whole_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
