#include "base/secret.h"

#include "base/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char path[] = "/tmp/pinbind-secret-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    strcpy(path + sizeof path - 7, "XXXXXX");
    int fd = mkstemp(path); /* mode 0600 */
    close(fd);
    return fd < 0;
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static void a_secret_is_a_copy_with_a_nul_behind_it(void **state)
{
    (void)state;
    char from[] = "hunter2";
    struct secret s = {0};
    assert_false(secret_is_set(&s));
    assert_int_equal(secret_set(&s, from, 7), 0);
    memset(from, 'x', 7);
    assert_int_equal(s.len, 7);
    assert_string_equal((char *)s.data, "hunter2");
    assert_int_equal(secret_set(&s, "", 0), 0);
    assert_true(secret_is_set(&s));
    assert_int_equal(s.len, 0);
    secret_clear(&s);
    assert_false(secret_is_set(&s));
    secret_clear(&s);
}

static void wiping_leaves_zeros(void **state)
{
    (void)state;
    char pin[] = "123456";
    secret_wipe(pin, 3);
    assert_memory_equal(pin,
                        "\0\0\0"
                        "456",
                        6);
    secret_wipe(NULL, 0);
}

static void equality_wants_the_same_length_and_octets(void **state)
{
    (void)state;
    assert_true(secret_equal("abc", 3, "abc", 3));
    assert_false(secret_equal("abc", 3, "abd", 3));
    assert_false(secret_equal("abc", 3, "abcd", 4));
    assert_false(secret_equal("a\0b", 3, "a\0c", 3));
    assert_true(secret_equal("", 0, "", 0));
}

static void the_first_line_of_a_file_is_read_without_its_end(void **state)
{
    (void)state;
    static const char *const forms[] = {"hunter2", "hunter2\n", "hunter2\r\n", "hunter2\nmore\n"};
    for (size_t i = 0; i < 4; i++) {
        struct secret s = {0};
        put(forms[i], strlen(forms[i]));
        assert_int_equal(secret_read_file(&s, path), 0);
        assert_string_equal((char *)s.data, "hunter2");
        secret_clear(&s);
    }
}

static void a_file_that_others_could_read_or_change_is_refused(void **state)
{
    (void)state;
    static const mode_t bad[] = {0644, 0604, 0620, 0610, 0602, 0601, 0660, 0777};
    static const mode_t good[] = {0600, 0640, 0400, 0440, 0700};
    struct secret s = {0};
    put("hunter2\n", 8);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_int_equal(secret_read_file(&s, path), ERR_DENIED);
        assert_false(secret_is_set(&s));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(chmod(path, good[i]), 0);
        assert_int_equal(secret_read_file(&s, path), 0);
    }
    secret_clear(&s);
}

static void what_is_no_usable_file_has_a_reason(void **state)
{
    (void)state;
    struct secret s = {0};
    char big[4098];
    memset(big, 'x', sizeof big);
    assert_int_equal(secret_read_file(&s, "/nonexistent/file"), ERR_NOTFOUND);
    assert_int_equal(secret_read_file(&s, "/tmp"), ERR_INVALID);
    assert_int_equal(secret_read_file(&s, "/dev/null"), ERR_INVALID);
    put("", 0);
    assert_int_equal(secret_read_file(&s, path), ERR_INVALID);
    put("\nsecond", 7);
    assert_int_equal(secret_read_file(&s, path), ERR_INVALID);
    put(big, sizeof big);
    assert_int_equal(secret_read_file(&s, path), ERR_INVALID);
    put(big, 4096);
    assert_int_equal(secret_read_file(&s, path), 0);
    assert_int_equal(s.len, 4096);
    secret_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_a_copy_with_a_nul_behind_it),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(equality_wants_the_same_length_and_octets),
        cmocka_unit_test_setup_teardown(the_first_line_of_a_file_is_read_without_its_end, make_file,
                                        drop_file),
        cmocka_unit_test_setup_teardown(a_file_that_others_could_read_or_change_is_refused,
                                        make_file, drop_file),
        cmocka_unit_test_setup_teardown(what_is_no_usable_file_has_a_reason, make_file, drop_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
