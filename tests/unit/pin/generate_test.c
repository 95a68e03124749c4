#include "tests/unit/pin/ring.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"

#define PIN_ID "0A3100112233445566778899AABBCCDD"
#define APP    "00000000000000000000000000000001"
#define STEP   60000000

static struct pin_keyring *ring;
static struct msisdn number;
static struct pin_owner owner = {"demo", APP, &number};

static int setup(void **state)
{
    (void)state;
    ring_make_dir();
    ring = ring_of_test_key();
    assert_int_equal(msisdn_parse("385911234567", 12, &number), 0);
    return pin_random_start(ring, NULL);
}

static int teardown(void **state)
{
    (void)state;
    pin_random_stop();
    pin_keyring_free(ring);
    ring_remove_dir();
    return 0;
}

static struct pin_drawn of_test_value(void)
{
    struct pin_drawn d = {.pin_id = PIN_ID, .key_id = 1, .step = STEP};
    for (unsigned i = 0; i < PIN_NONCE_SIZE; i++)
        d.nonce[i] = (uint8_t)(0x40 + i);
    return d;
}

/* --- values of the standards, through the same HMAC ---------------------------------------- */

/* RFC 4226, 5.3; the offset comes from the last octet of the HMAC. */
static uint32_t truncate_hmac(const uint8_t *h, size_t len, uint32_t modulo)
{
    const uint8_t *p = h + (h[len - 1] & 15);
    uint32_t bits = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
                    p[3];
    return bits % modulo;
}

static uint32_t otp(EVP_MAC_CTX *mac, size_t len, uint64_t counter, uint32_t modulo)
{
    uint8_t msg[8], out[PIN_MAC_SIZE];
    struct wr w = wr_init(msg, sizeof msg);
    wr_u64(&w, counter);
    assert_int_equal(pin_mac(mac, msg, sizeof msg, out), 0);
    return truncate_hmac(out, len, modulo);
}

static void the_values_of_rfc_4226_come_out(void **state)
{
    (void)state;
    static const uint32_t want[] = {755224, 287082, 359152, 969429, 338314,
                                    254676, 287922, 162583, 399871, 520489};
    EVP_MAC_CTX *mac = pin_mac_new("SHA1", "12345678901234567890", 20);
    assert_non_null(mac);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(otp(mac, 20, i, 1000000), want[i]);
    EVP_MAC_CTX_free(mac);
}

static void the_sha_512_values_of_rfc_6238_come_out(void **state)
{
    (void)state;
    static const struct {
        uint64_t time;
        uint32_t want;
    } cases[] = {{59, 90693936},         {1111111109, 25091201}, {1111111111, 99943326},
                 {1234567890, 93441116}, {2000000000, 38618901}, {20000000000, 47863826}};
    EVP_MAC_CTX *mac = pin_mac_new(
        "SHA2-512", "1234567890123456789012345678901234567890123456789012345678901234", 64);
    assert_non_null(mac);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(otp(mac, 64, cases[i].time / 30, 100000000), cases[i].want);
    EVP_MAC_CTX_free(mac);
}

/* --- the published test value -------------------------------------------------------------- */

static void the_published_pins_come_out(void **state)
{
    (void)state;
    static const struct {
        struct pin_spec spec;
        const char *want;
    } cases[] = {
        {{PIN_NUMERIC, 6, false}, "071048"},        {{PIN_NUMERIC, 8, false}, "07104883"},
        {{PIN_ALPHA, 6, false}, "URTQQK"},          {{PIN_HEX, 8, false}, "4378EA41"},
        {{PIN_ALPHANUMERIC, 8, false}, "UD9MWC6F"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pin_drawn d = of_test_value();
        assert_int_equal(pin_draw_again(ring, &cases[i].spec, &d), 0);
        assert_string_equal(d.pin, cases[i].want);
    }
}

static void symbols_past_the_first_block_come_from_the_next(void **state)
{
    (void)state;
    char out[81];
    struct pin_drawn d = of_test_value();
    struct pin_seed seed = {d.nonce, d.pin_id};
    struct pin_key *key = pin_keyring_by_id(ring, 1);
    assert_int_equal(pin_step_key(key, STEP, &key->past), 0);
    assert_int_equal(
        pin_symbols(key->past.mac, &seed, pin_alphabet(PIN_ALPHANUMERIC, false), out, 80), 0);
    assert_int_equal(strlen(out), 80);
    assert_string_equal(out + 74, "XNEPGF");
}

static void the_published_tag_comes_out(void **state)
{
    (void)state;
    uint8_t tag[PIN_TAG_SIZE];
    char hex[2 * PIN_TAG_SIZE + 1];
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, "071048", 6, tag), 0);
    hex_encode(tag, sizeof tag, hex, false);
    assert_string_equal(hex, "a5c1247b948f7e29959a662c03b310b546038bcfe8fc3b2fe66043a0eaea73cd");
}

/* --- rejection sampling -------------------------------------------------------------------- */

static void octets_above_the_last_whole_multiple_are_skipped(void **state)
{
    (void)state;
    static const uint8_t octets[] = {249, 250, 255, 0, 10};
    char out[8] = "";
    assert_int_equal(pin_take_symbols("0123456789", octets, sizeof octets, out, 8), 3);
    assert_memory_equal(out, "900", 3);
    static const uint8_t edge26[] = {233, 234};
    assert_int_equal(pin_take_symbols("ABCDEFGHIJKLMNOPQRSTUVWXYZ", edge26, 2, out, 8), 1);
    assert_int_equal(out[0], 'Z');
    static const uint8_t edge16[] = {255}; /* 256 is a multiple of 16: nothing is skipped */
    assert_int_equal(pin_take_symbols("0123456789ABCDEF", edge16, 1, out, 8), 1);
    assert_int_equal(out[0], 'F');
    assert_int_equal(pin_take_symbols("0123456789", octets + 3, 2, out, 1), 1);
}

static void every_symbol_of_an_alphabet_has_the_same_number_of_octets(void **state)
{
    (void)state;
    uint8_t all[256];
    char out[256];
    for (unsigned i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    for (unsigned type = 0; type < 8; type++) {
        const char *alphabet = pin_alphabet((enum pin_type)(type / 2), type % 2);
        size_t n = strlen(alphabet), count[128] = {0};
        size_t got = pin_take_symbols(alphabet, all, sizeof all, out, sizeof out);
        assert_int_equal(got, 256 / n * n);
        for (size_t i = 0; i < got; i++)
            count[(unsigned)out[i]]++;
        for (size_t i = 0; i < n; i++)
            assert_int_equal(count[(unsigned)alphabet[i]], 256 / n);
        assert_true(type % 2 == 0 || !strpbrk(alphabet, "0O1I"));
    }
}

/* --- drawing ------------------------------------------------------------------------------- */

static void a_drawn_pin_can_be_drawn_again_and_its_tag_matches(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct pin_spec spec = {(enum pin_type)(i % 4), (uint8_t)(4 + i % 29), i % 3 == 0};
        struct pin_drawn d, again;
        uint8_t tag[PIN_TAG_SIZE];
        assert_int_equal(pin_draw(ring, &spec, &owner, 30, &d), 0);
        assert_true(pin_id_is_valid(d.pin_id, strlen(d.pin_id)));
        assert_int_equal(d.pin_id[3], '1');
        assert_int_equal(strlen(d.pin), spec.length);
        assert_int_equal(strspn(d.pin, pin_alphabet(spec.type, spec.no_look_alikes)), spec.length);
        again = d;
        memset(again.pin, 0, sizeof again.pin);
        assert_int_equal(pin_draw_again(ring, &spec, &again), 0);
        assert_string_equal(again.pin, d.pin);
        assert_int_equal(pin_tag(ring, &owner, d.pin_id, d.pin, strlen(d.pin), tag), 0);
        assert_memory_equal(tag, d.tag, sizeof tag);
    }
}

static int64_t frozen_us;
static int64_t frozen(void)
{
    return frozen_us;
}

static void an_older_step_still_gives_its_own_pin(void **state)
{
    (void)state;
    static const struct clock_source source = {frozen, frozen};
    const struct pin_spec spec = {PIN_NUMERIC, 8, false};
    struct pin_drawn old, new, again;
    frozen_us = INT64_C(1800000000000000);
    clock_set_source(&source);
    assert_int_equal(pin_draw(ring, &spec, &owner, 30, &old), 0);
    assert_int_equal(old.step, STEP);
    frozen_us += 29999999;
    assert_int_equal(pin_draw(ring, &spec, &owner, 30, &new), 0);
    assert_int_equal(new.step, STEP);
    frozen_us += 1;
    assert_int_equal(pin_draw(ring, &spec, &owner, 30, &new), 0);
    assert_int_equal(new.step, STEP + 1);
    clock_set_source(NULL);
    again = old;
    assert_int_equal(pin_draw_again(ring, &spec, &again), 0);
    assert_string_equal(again.pin, old.pin);
    again = new;
    assert_int_equal(pin_draw_again(ring, &spec, &again), 0);
    assert_string_equal(again.pin, new.pin);
}

static void the_step_and_the_key_change_the_pin(void **state)
{
    (void)state;
    const struct pin_spec spec = {PIN_ALPHANUMERIC, 32, false};
    struct pin_drawn a = of_test_value(), b = of_test_value(), c = of_test_value();
    b.step++;
    c.nonce[63] ^= 1;
    assert_int_equal(pin_draw_again(ring, &spec, &a), 0);
    assert_int_equal(pin_draw_again(ring, &spec, &b), 0);
    assert_int_equal(pin_draw_again(ring, &spec, &c), 0);
    assert_string_not_equal(a.pin, b.pin);
    assert_string_not_equal(a.pin, c.pin);
}

static void what_cannot_be_drawn_is_refused(void **state)
{
    (void)state;
    const struct pin_spec good = {PIN_NUMERIC, 6, false};
    const struct pin_spec bad[] = {
        {PIN_NUMERIC, 3, false}, {PIN_NUMERIC, 33, false}, {(enum pin_type)4, 6, false}};
    struct pin_drawn d = of_test_value();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pin_draw(ring, &bad[i], &owner, 30, &d), ERR_INVALID);
        assert_int_equal(pin_draw_again(ring, &bad[i], &d), ERR_INVALID);
    }
    assert_int_equal(pin_draw(ring, &good, &owner, 0, &d), ERR_INVALID);
    d = of_test_value();
    d.key_id = 17; /* the slot of ID 1, but not that generation */
    assert_int_equal(pin_draw_again(ring, &good, &d), ERR_NOTFOUND);
    pin_random_stop();
    d = of_test_value();
    assert_int_equal(pin_draw(ring, &good, &owner, 30, &d), ERR_BADSTATE);
    assert_int_equal(d.pin[0], 0);
    assert_int_equal(pin_random_start(ring, NULL), 0);
}

static void types_have_the_names_of_the_contract(void **state)
{
    (void)state;
    enum pin_type type;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pin_type_parse(pin_type_name((enum pin_type)i), &type), 0);
        assert_int_equal(type, i);
    }
    assert_int_equal(pin_type_parse("numeric", &type), ERR_INVALID);
    assert_int_equal(pin_type_parse("", &type), ERR_INVALID);
}

static void pin_ids_are_32_upper_case_hex_digits(void **state)
{
    (void)state;
    assert_true(pin_id_is_valid(PIN_ID, 32));
    assert_false(pin_id_is_valid(PIN_ID, 31));
    assert_false(pin_id_is_valid("0a3100112233445566778899AABBCCDD", 32));
    assert_false(pin_id_is_valid("GA3100112233445566778899AABBCCDD", 32));
    assert_false(pin_id_is_valid("", 0));
}

/* --- typed PINs ---------------------------------------------------------------------------- */

static void typed_case_spaces_and_dashes_do_not_matter(void **state)
{
    (void)state;
    static const char *const same[] = {"AB12CD",  "ab12cd",         " ab12cd\r\n",
                                       "AB1-2CD", "\tA B 1 2 C D ", "--ab12cd--"};
    uint8_t want[PIN_TAG_SIZE], tag[PIN_TAG_SIZE];
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, "AB12CD", 6, want), 0);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(pin_tag(ring, &owner, PIN_ID, same[i], strlen(same[i]), tag), 0);
        assert_memory_equal(tag, want, sizeof tag);
    }
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, "AB12CE", 6, tag), 0);
    assert_memory_not_equal(tag, want, sizeof tag);
}

static void what_cannot_be_a_pin_gives_the_tag_of_no_pin(void **state)
{
    (void)state;
    uint8_t none[PIN_TAG_SIZE], tag[PIN_TAG_SIZE], full[PIN_TAG_SIZE];
    char longest[200];
    memset(longest, '1', sizeof longest);
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, "", 0, none), 0);
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, longest, 32, full), 0);
    assert_memory_not_equal(full, none, sizeof none);
    static const struct {
        const char *typed;
        size_t len;
    } cases[] = {{" - ", 3}, {"0710\00048", 7}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pin_tag(ring, &owner, PIN_ID, cases[i].typed, cases[i].len, tag), 0);
        assert_memory_equal(tag, none, sizeof none);
    }
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, longest, 33, tag), 0);
    assert_memory_equal(tag, none, sizeof none);
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, longest, sizeof longest, tag), 0);
    assert_memory_equal(tag, none, sizeof none);
}

static void every_part_of_the_owner_is_in_the_tag(void **state)
{
    (void)state;
    struct msisdn other;
    assert_int_equal(msisdn_parse("385911234568", 12, &other), 0);
    const struct pin_owner others[] = {{"dem", APP, &number},
                                       {"demo", "00000000000000000000000000000002", &number},
                                       {"demo", APP, &other},
                                       /* the same octets in a row, split elsewhere */
                                       {"demo0", "0000000000000000000000000000001", &number}};
    uint8_t want[PIN_TAG_SIZE], tag[PIN_TAG_SIZE];
    assert_int_equal(pin_tag(ring, &owner, PIN_ID, "071048", 6, want), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pin_tag(ring, &others[i], PIN_ID, "071048", 6, tag), 0);
        assert_memory_not_equal(tag, want, sizeof tag);
    }
    assert_int_equal(pin_tag(ring, &owner, "0A3100112233445566778899AABBCCDE", "071048", 6, tag),
                     0);
    assert_memory_not_equal(tag, want, sizeof tag);
    assert_int_equal(pin_tag(ring, &owner, "0A3200112233445566778899AABBCCDD", "071048", 6, tag),
                     ERR_NOTFOUND);
    assert_int_equal(pin_tag(ring, &owner, "nonsense", "071048", 6, tag), ERR_INVALID);
}

static void an_owner_too_long_for_a_tag_is_refused(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    uint8_t tag[PIN_TAG_SIZE];
    const struct pin_owner big = {name, APP, &number};
    assert_int_equal(pin_tag(ring, &big, PIN_ID, "071048", 6, tag), ERR_TOOLONG);
}

/* --- seal ---------------------------------------------------------------------------------- */

static void what_is_sealed_opens_again(void **state)
{
    (void)state;
    uint8_t plain[PIN_SEAL_MAX - 28], sealed[PIN_SEAL_MAX], out[PIN_SEAL_MAX];
    size_t n = 0, back = 0;
    memset(plain, 'x', sizeof plain);
    static const size_t lengths[] = {0, 1, 16, 100, sizeof plain};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(pin_seal(ring, PIN_ID, plain, lengths[i], sealed, sizeof sealed, &n), 0);
        assert_int_equal(n, lengths[i] + 28);
        assert_int_equal(pin_unseal(ring, PIN_ID, sealed, n, out, sizeof out, &back), 0);
        assert_int_equal(back, lengths[i]);
        assert_memory_equal(out, plain, lengths[i]);
    }
    assert_int_equal(pin_seal(ring, PIN_ID, sealed, sizeof plain + 1, sealed, sizeof sealed, &n),
                     ERR_TOOLONG);
    assert_int_equal(pin_seal(ring, PIN_ID, plain, 100, sealed, 127, &n), ERR_TOOLONG);
}

static void a_changed_octet_or_another_pin_id_does_not_open(void **state)
{
    (void)state;
    uint8_t sealed[64], out[64];
    size_t n = 0, back = 7;
    assert_int_equal(pin_seal(ring, PIN_ID, "sender=ACME", 11, sealed, sizeof sealed, &n), 0);
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 1;
        memset(out, 'o', sizeof out);
        assert_int_equal(pin_unseal(ring, PIN_ID, sealed, n, out, sizeof out, &back), ERR_CORRUPT);
        assert_int_equal(out[0], 0); /* nothing unproven is handed out */
        sealed[i] ^= 1;
    }
    assert_int_equal(back, 7);
    assert_int_equal(
        pin_unseal(ring, "0A3100112233445566778899AABBCCDE", sealed, n, out, sizeof out, &back),
        ERR_CORRUPT);
    assert_int_equal(pin_unseal(ring, PIN_ID, sealed, n - 1, out, sizeof out, &back), ERR_CORRUPT);
    assert_int_equal(pin_unseal(ring, PIN_ID, sealed, 27, out, sizeof out, &back), ERR_CORRUPT);
    assert_int_equal(pin_unseal(ring, PIN_ID, sealed, n, out, 10, &back), ERR_TOOLONG);
    assert_int_equal(pin_unseal(ring, PIN_ID, sealed, n, out, 11, &back), 0);
}

static void the_same_text_never_seals_to_the_same_octets(void **state)
{
    (void)state;
    uint8_t a[64], b[64];
    size_t n = 0;
    assert_int_equal(pin_seal(ring, PIN_ID, "same", 4, a, sizeof a, &n), 0);
    assert_int_equal(pin_seal(ring, PIN_ID, "same", 4, b, sizeof b, &n), 0);
    assert_memory_not_equal(a, b, 12);
    assert_memory_not_equal(a + 12, b + 12, 4 + 16);
}

/* --- quality, light (tests/bench/pin_quality.c is the thorough one) ------------------------ */

static void positions_and_symbols_are_even(void **state)
{
    (void)state;
    enum { PINS = 20000 };
    const struct pin_spec spec = {PIN_NUMERIC, 6, false};
    unsigned count[6][10] = {{0}};
    struct pin_drawn d;
    for (unsigned i = 0; i < PINS; i++) {
        assert_int_equal(pin_draw(ring, &spec, &owner, 30, &d), 0);
        for (unsigned p = 0; p < 6; p++)
            count[p][d.pin[p] - '0']++;
    }
    for (unsigned p = 0; p < 6; p++) {
        double chi = 0, expect = PINS / 10.0;
        for (unsigned s = 0; s < 10; s++)
            chi += (count[p][s] - expect) * (count[p][s] - expect) / expect;
        assert_true(chi < 45); /* 9 degrees of freedom: p = 1e-6 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_values_of_rfc_4226_come_out),
        cmocka_unit_test(the_sha_512_values_of_rfc_6238_come_out),
        cmocka_unit_test(the_published_pins_come_out),
        cmocka_unit_test(symbols_past_the_first_block_come_from_the_next),
        cmocka_unit_test(the_published_tag_comes_out),
        cmocka_unit_test(octets_above_the_last_whole_multiple_are_skipped),
        cmocka_unit_test(every_symbol_of_an_alphabet_has_the_same_number_of_octets),
        cmocka_unit_test(a_drawn_pin_can_be_drawn_again_and_its_tag_matches),
        cmocka_unit_test(an_older_step_still_gives_its_own_pin),
        cmocka_unit_test(the_step_and_the_key_change_the_pin),
        cmocka_unit_test(what_cannot_be_drawn_is_refused),
        cmocka_unit_test(types_have_the_names_of_the_contract),
        cmocka_unit_test(pin_ids_are_32_upper_case_hex_digits),
        cmocka_unit_test(typed_case_spaces_and_dashes_do_not_matter),
        cmocka_unit_test(what_cannot_be_a_pin_gives_the_tag_of_no_pin),
        cmocka_unit_test(every_part_of_the_owner_is_in_the_tag),
        cmocka_unit_test(an_owner_too_long_for_a_tag_is_refused),
        cmocka_unit_test(what_is_sealed_opens_again),
        cmocka_unit_test(a_changed_octet_or_another_pin_id_does_not_open),
        cmocka_unit_test(the_same_text_never_seals_to_the_same_octets),
        cmocka_unit_test(positions_and_symbols_are_even),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
