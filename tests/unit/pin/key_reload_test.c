/* The key ring read anew while PINs are out. */
#include "tests/unit/pin/ring.h"

#include "base/clock.h"
#include "base/result.h"

#define OTHER_KEY                                                                                  \
    "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+fw=="
#define LINE1 "1 2020-01-01T00:00:00Z " RING_KEY "\n"
#define LINE2 "2 2021-01-01T00:00:00Z " OTHER_KEY "\n"

static const struct pin_spec spec = {PIN_NUMERIC, 8, false};
static const struct msisdn number = {.len = 12, .digits = "385911234567"};
static const struct pin_owner owner = {"demo", "00000000000000000000000000000001", &number};

static struct pin_keyring *ring;
static char why[256];

static int setup(void **state)
{
    (void)state;
    ring_make_dir();
    ring = ring_of(LINE1);
    assert_int_equal(pin_random_start(ring, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pin_random_stop();
    pin_keyring_free(ring);
    ring_remove_dir();
    return 0;
}

static int reload(const char *text)
{
    why[0] = 0;
    return pin_keyring_reload(ring, ring_write("ring", text, 0600), why, sizeof why);
}

static struct pin_drawn drawn(void)
{
    struct pin_drawn d;
    assert_int_equal(pin_draw(ring, &spec, &owner, 30, &d), 0);
    return d;
}

/* The tag of what was typed, the PIN drawn again, and what was sealed. */
static void assert_alive(const struct pin_drawn *d, const uint8_t *sealed, size_t len)
{
    uint8_t tag[PIN_TAG_SIZE], plain[64];
    struct pin_drawn again = *d;
    size_t n = 0;
    memset(again.pin, 0, sizeof again.pin);
    assert_int_equal(pin_tag(ring, &owner, d->pin_id, d->pin, strlen(d->pin), tag), 0);
    assert_memory_equal(tag, d->tag, sizeof tag);
    assert_int_equal(pin_draw_again(ring, &spec, &again), 0);
    assert_string_equal(again.pin, d->pin);
    assert_int_equal(pin_unseal(ring, d->pin_id, sealed, len, plain, sizeof plain, &n), 0);
    assert_int_equal(n, 5);
    assert_memory_equal(plain, "hello", 5);
}

static size_t seal(const struct pin_drawn *d, uint8_t sealed[64])
{
    size_t len = 0;
    assert_int_equal(pin_seal(ring, d->pin_id, "hello", 5, sealed, 64, &len), 0);
    return len;
}

static void an_added_generation_draws_and_the_old_ones_pins_verify(void **state)
{
    (void)state;
    uint8_t sealed[64], sealed2[64];
    struct pin_drawn d = drawn();
    size_t len = seal(&d, sealed);
    assert_int_equal(d.key_id, 1);
    assert_int_equal(reload(LINE2 LINE1), 0);
    struct pin_drawn d2 = drawn();
    assert_int_equal(d2.key_id, 2);
    size_t len2 = seal(&d2, sealed2);
    assert_alive(&d, sealed, len);
    assert_alive(&d2, sealed2, len2);
    assert_int_equal(reload(LINE1 LINE2), 0); /* and again, with nothing new */
    assert_alive(&d, sealed, len);
    assert_alive(&d2, sealed2, len2);
}

static void a_generation_becomes_active_at_another_time(void **state)
{
    (void)state;
    assert_int_equal(reload(LINE1 "2 2999-01-01T00:00:00Z " OTHER_KEY "\n"), 0);
    assert_int_equal(drawn().key_id, 1);
    assert_int_equal(reload(LINE1 LINE2), 0);
    assert_int_equal(drawn().key_id, 2);
}

static void a_bad_file_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        int err;
    } cases[] = {
        {"", "holds no key", ERR_INVALID},
        {LINE1 "2 today " OTHER_KEY "\n", ":2: ACTIVE_FROM", ERR_INVALID},
        {LINE1 "17 2020-01-01T00:00:00Z " OTHER_KEY "\n", "same slot", ERR_INVALID},
        {"1 2999-01-01T00:00:00Z " RING_KEY "\n", "active now", ERR_INVALID},
        {LINE2, "lacks ID 1, whose PINs may be alive", ERR_INVALID},
        {"17 2020-01-01T00:00:00Z " RING_KEY "\n", "lacks ID 1", ERR_INVALID},
        {LINE2 "1 2020-01-01T00:00:00Z " OTHER_KEY "\n", "another key under ID 1", ERR_INVALID},
    };
    uint8_t sealed[64];
    struct pin_drawn d = drawn();
    size_t len = seal(&d, sealed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(reload(cases[i].text), cases[i].err);
        if (!strstr(why, cases[i].says))
            fail_msg("%s instead of %s", why, cases[i].says);
        assert_alive(&d, sealed, len);
        assert_int_equal(drawn().key_id, 1);
        assert_null(pin_keyring_by_id(ring, 2));
    }
    assert_int_equal(pin_keyring_reload(ring, ring_file("none"), why, sizeof why), ERR_NOTFOUND);
    assert_int_equal(
        pin_keyring_reload(ring, ring_write("open", LINE1 LINE2, 0644), why, sizeof why),
        ERR_DENIED);
    assert_alive(&d, sealed, len);
    assert_null(strstr(why, RING_KEY));
}

static void the_drbg_goes_on(void **state)
{
    (void)state;
    struct pin_random_state before, after;
    uint8_t octet;
    assert_int_equal(pin_random(&octet, 1), 0);
    pin_random_peek(&before);
    assert_int_equal(reload(LINE1 LINE2), 0);
    pin_random_peek(&after);
    assert_int_equal(after.used, before.used);
    assert_int_equal(after.reseeds, before.reseeds);
    assert_int_equal(pin_random(&octet, 1), 0);
    pin_random_peek(&after);
    assert_int_equal(after.used, before.used + 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_added_generation_draws_and_the_old_ones_pins_verify),
        T(a_generation_becomes_active_at_another_time),
        T(a_bad_file_changes_nothing),
        T(the_drbg_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
