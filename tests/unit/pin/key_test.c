#include "tests/unit/pin/ring.h"

#include "base/clock.h"
#include "base/result.h"

#include <sys/stat.h>

#define OTHER_KEY                                                                                  \
    "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+fw=="
#define LINE1 "1 2020-01-01T00:00:00Z " RING_KEY "\n"

static int setup(void **state)
{
    (void)state;
    ring_make_dir();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ring_remove_dir();
    return 0;
}

static void the_key_of_a_line_is_read_octet_by_octet(void **state)
{
    (void)state;
    struct pin_keyring *ring = ring_of("# comment\n\n" LINE1 "  # indented comment\n");
    const struct pin_key *key = pin_keyring_by_id(ring, 1);
    assert_non_null(key);
    assert_int_equal(key->k.len, 64);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(key->k.data[i], i);
    assert_int_equal(key->active_from_ms, INT64_C(1577836800000));
    assert_null(pin_keyring_by_id(ring, 17)); /* the same slot, another generation */
    pin_keyring_free(ring);
}

static void a_context_that_waits_for_its_step_does_not_hold_the_key(void **state)
{
    (void)state;
    struct pin_keyring *ring = NULL;
    char why[256];
    uint8_t under_k[PIN_MAC_SIZE], out[PIN_MAC_SIZE];
    assert_int_equal(pin_keyring_load(ring_write("waits", LINE1, 0600), &ring, why, sizeof why), 0);
    struct pin_key *key = pin_keyring_by_id(ring, 1);
    assert_int_equal(pin_derive(&key->k, "x", 1, under_k), 0);
    assert_int_equal(pin_mac(key->draw.mac, "x", 1, out), 0);
    assert_memory_not_equal(out, under_k, sizeof out);
    assert_int_equal(pin_mac(key->past.mac, "x", 1, out), 0);
    assert_memory_not_equal(out, under_k, sizeof out);
    pin_keyring_free(ring);
}

static void the_newest_active_generation_draws(void **state)
{
    (void)state;
    struct pin_keyring *ring = ring_of("7 2022-01-01T00:00:00Z " OTHER_KEY "\n" LINE1
                                       "9 2999-01-01T00:00:00Z " OTHER_KEY "\n");
    assert_int_equal(pin_keyring_newest(ring, wall_ms())->id, 7);
    assert_int_equal(pin_keyring_newest(ring, INT64_C(1600000000000))->id, 1);
    assert_int_equal(pin_keyring_newest(ring, INT64_MAX)->id, 9);
    assert_null(pin_keyring_newest(ring, 0));
    pin_keyring_free(ring);
}

static void the_slot_digit_of_a_pin_id_finds_its_key(void **state)
{
    (void)state;
    struct pin_keyring *ring = ring_of("26 2020-01-01T00:00:00Z " OTHER_KEY "\n" LINE1);
    struct pin_key *key = NULL;
    assert_int_equal(pin_keyring_by_pin_id(ring, "000A0000000000000000000000000000", &key), 0);
    assert_int_equal(key->id, 26);
    assert_int_equal(pin_keyring_by_pin_id(ring, "00010000000000000000000000000000", &key), 0);
    assert_int_equal(key->id, 1);
    assert_int_equal(pin_keyring_by_pin_id(ring, "00020000000000000000000000000000", &key),
                     ERR_NOTFOUND);
    assert_int_equal(pin_keyring_by_pin_id(ring, "0001000000000000000000000000000", &key),
                     ERR_INVALID);
    pin_keyring_free(ring);
}

static void a_mistake_in_the_file_is_named_with_line_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "holds no key"},
        {"# nothing\n", "holds no key"},
        {"1 2999-01-01T00:00:00Z " RING_KEY "\n", "active now"},
        {"# c\n1 2020-01-01T00:00:00Z\n", ":2: a generation is written ID ACTIVE_FROM BASE64"},
        {LINE1 "2 2020-01-01T00:00:00Z " OTHER_KEY " more\n", ":2: a generation is written"},
        {"0 2020-01-01T00:00:00Z " RING_KEY "\n", ":1: ID must be a whole number from 1 to"},
        {"2147483649 2020-01-01T00:00:00Z " RING_KEY "\n", ":1: ID must be"},
        {"99999999999999999999 2020-01-01T00:00:00Z " RING_KEY "\n", ":1: ID must be"},
        {"-1 2020-01-01T00:00:00Z " RING_KEY "\n", ":1: ID must be"},
        {"1x 2020-01-01T00:00:00Z " RING_KEY "\n", ":1: ID must be"},
        {"1 2020-13-01T00:00:00Z " RING_KEY "\n", ":1: ACTIVE_FROM must be"},
        {"1 today " RING_KEY "\n", ":1: ACTIVE_FROM must be"},
        {"1 2020-01-01T00:00:00Z c2hvcnQ=\n", ":1: the key must be 64 octets in base64"},
        {"1 2020-01-01T00:00:00Z A" RING_KEY "\n", ":1: the key must be"},
        {"1 2020-01-01T00:00:00Z =AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMD"
         "EyMzQ1Njc4OTo7PD0+Pw==\n",
         ":1: the key must be"},
        {LINE1 "17 2020-01-01T00:00:00Z " OTHER_KEY "\n", ":2: ID 17 has the same slot"},
        {LINE1 LINE1, ":2: ID 1 has the same slot"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pin_keyring *ring = NULL;
        char why[256] = "";
        const char *path = ring_write("bad", cases[i].text, 0600);
        assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), ERR_INVALID);
        assert_null(ring);
        if (!strstr(why, cases[i].says) || !strstr(why, path))
            fail_msg("case %zu says: %s", i, why);
        assert_null(strstr(why, "AAECAwQF")); /* nothing of a key in a message */
    }
}

static void the_largest_id_and_windows_line_ends_are_fine(void **state)
{
    (void)state;
    struct pin_keyring *ring = ring_of("2147483648 2020-01-01T00:00:00Z " RING_KEY "\r\n");
    assert_non_null(pin_keyring_by_id(ring, 2147483648u));
    pin_keyring_free(ring);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    static const unsigned modes[] = {0640, 0604, 0610, 0620, 0602};
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        const char *path = ring_write("wide", LINE1, 0600);
        chmod(path, modes[i]);
        assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), ERR_DENIED);
        assert_non_null(strstr(why, "0600"));
    }
    const char *path = ring_write("strict", LINE1, 0400);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    pin_keyring_free(ring);
}

static void what_is_no_key_file_is_refused(void **state)
{
    (void)state;
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    assert_int_equal(pin_keyring_load(ring_file("none"), &ring, why, sizeof why), ERR_NOTFOUND);
    assert_non_null(strstr(why, "none"));
    chmod(ring_dir, 0700);
    assert_int_equal(pin_keyring_load(ring_dir, &ring, why, sizeof why), ERR_INVALID);
    const char *path = ring_write("long", LINE1, 0600);
    assert_int_equal(truncate(path, PIN_KEYFILE_MAX + 1), 0);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), ERR_TOOLONG);
    assert_int_equal(truncate(path, PIN_KEYFILE_MAX), 0); /* NUL octets behind the line */
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), ERR_INVALID);
    assert_non_null(strstr(why, "not a text file"));
}

static void a_new_file_loads_is_private_and_is_never_replaced(void **state)
{
    (void)state;
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    const char *path = ring_file("new");
    mode_t mask = umask(0);
    assert_int_equal(pin_keyfile_new(path, why, sizeof why), 0);
    umask(mask);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    uint8_t k[PIN_KEY_SIZE];
    memcpy(k, pin_keyring_by_id(ring, 1)->k.data, sizeof k);
    pin_keyring_free(ring);
    assert_int_equal(pin_keyfile_new(path, why, sizeof why), ERR_EXISTS);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    assert_memory_equal(pin_keyring_by_id(ring, 1)->k.data, k, sizeof k);
    pin_keyring_free(ring);
    assert_int_equal(access(ring_file("new.new"), F_OK), -1);
    assert_int_equal(pin_keyfile_new(ring_file("no/such/folder"), why, sizeof why), ERR_IO);
}

static void an_added_generation_keeps_what_was_there(void **state)
{
    (void)state;
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    /* No line end at the end. */
    const char *path = ring_write("add", "# mine\n3 2020-01-01T00:00:00Z " RING_KEY, 0600);
    assert_int_equal(pin_keyfile_add(path, INT64_C(32472144000000), why, sizeof why), 0);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    assert_non_null(pin_keyring_by_id(ring, 3));
    assert_int_equal(pin_keyring_by_id(ring, 4)->active_from_ms, INT64_C(32472144000000));
    assert_int_equal(pin_keyring_newest(ring, wall_ms())->id, 3);
    pin_keyring_free(ring);
    struct pin_keyfile file;
    assert_int_equal(pin_keyfile_read(path, &file, why, sizeof why), 0);
    assert_non_null(strstr(file.text, "# mine\n"));
    assert_int_equal(file.uid, getuid());
    assert_int_equal(access(ring_file("add.new"), F_OK), -1);
}

static void sixteen_generations_fit_and_a_seventeenth_does_not(void **state)
{
    (void)state;
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    char path[128];
    snprintf(path, sizeof path, "%s", ring_write("full", LINE1, 0600));
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(pin_keyfile_add(path, 0, why, sizeof why), 0);
    assert_int_equal(pin_keyfile_add(path, 0, why, sizeof why), ERR_FULL);
    assert_non_null(strstr(why, "16 slots"));
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    pin_keyring_free(ring);
}

static void an_add_that_cannot_be_changes_nothing(void **state)
{
    (void)state;
    char why[256] = "";
    struct pin_keyring *ring = NULL;
    assert_int_equal(pin_keyfile_add(ring_file("none"), 0, why, sizeof why), ERR_NOTFOUND);
    assert_int_equal(access(ring_file("none.new"), F_OK), -1);
    ring_write("busy.new", "", 0600);
    char path[128];
    snprintf(path, sizeof path, "%s", ring_write("busy", LINE1, 0600));
    assert_int_equal(pin_keyfile_add(path, 0, why, sizeof why), ERR_EXISTS);
    assert_non_null(strstr(why, "busy.new is there"));
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    assert_null(pin_keyring_by_id(ring, 2));
    pin_keyring_free(ring);
}

static void a_time_that_could_not_be_read_back_is_not_added(void **state)
{
    (void)state;
    char why[200];
    const char *path = ring_file("times");
    struct pin_keyring *ring = NULL;
    assert_int_equal(pin_keyfile_new(path, why, sizeof why), 0);
    int64_t ms;
    assert_int_equal(pin_time_parse("9999-12-31T23:59:59-01:00", &ms), 0);
    assert_int_equal(pin_keyfile_add(path, ms, why, sizeof why), ERR_INVALID);
    assert_int_equal(pin_time_parse("1969-12-31T23:59:59.5Z", &ms), 0);
    assert_int_equal(pin_keyfile_add(path, ms, why, sizeof why), 0);
    assert_int_equal(pin_keyring_load(path, &ring, why, sizeof why), 0);
    pin_keyring_free(ring);
}

static void times_are_read_as_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1985-04-12T23:20:50.52Z", 482196050520},
        {"1996-12-19T16:39:57-08:00", 851042397000},
        {"1937-01-01T12:00:27.87+00:20", -1041337172130},
        {"2024-02-29t00:00:00.1239z", 1709164800123},
        {"2023-02-29T00:00:00Z", -1},
        {"2024-04-31T00:00:00Z", -1},
        {"2024-00-01T00:00:00Z", -1},
        {"2024-01-01T24:00:00Z", -1},
        {"2024-01-01T00:60:00Z", -1},
        {"2024-01-01T00:00:60Z", -1},
        {"2024-01-01T00:00:00", -1},
        {"2024-01-01T00:00:00+2:00", -1},
        {"2024-01-01T00:00:00+24:00", -1},
        {"2024-01-01T00:00:00.Z", -1},
        {"2024-01-01 00:00:00Z", -1},
        {"2024-01-01", -1},
        {"2024-01-01T00:00:00Zx", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 42;
        int err = pin_time_parse(cases[i].text, &ms);
        if (cases[i].ms == -1 ? err != ERR_INVALID : err != 0 || ms != cases[i].ms)
            fail_msg("%s gives %d, %lld", cases[i].text, err, (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_a_line_is_read_octet_by_octet),
        cmocka_unit_test(a_context_that_waits_for_its_step_does_not_hold_the_key),
        cmocka_unit_test(the_newest_active_generation_draws),
        cmocka_unit_test(the_slot_digit_of_a_pin_id_finds_its_key),
        cmocka_unit_test(a_mistake_in_the_file_is_named_with_line_and_remedy),
        cmocka_unit_test(the_largest_id_and_windows_line_ends_are_fine),
        cmocka_unit_test(a_file_that_others_may_read_is_refused),
        cmocka_unit_test(what_is_no_key_file_is_refused),
        cmocka_unit_test(a_new_file_loads_is_private_and_is_never_replaced),
        cmocka_unit_test(an_added_generation_keeps_what_was_there),
        cmocka_unit_test(sixteen_generations_fit_and_a_seventeenth_does_not),
        cmocka_unit_test(an_add_that_cannot_be_changes_nothing),
        cmocka_unit_test(a_time_that_could_not_be_read_back_is_not_added),
        cmocka_unit_test(times_are_read_as_rfc_3339),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
