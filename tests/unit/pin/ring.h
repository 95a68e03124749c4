/* A key ring with the key of the published test value (K = 00 01 .. 3f, ID 1), for tests. */
#ifndef TESTS_UNIT_PIN_RING_H
#define TESTS_UNIT_PIN_RING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pin/pin_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_KEY                                                                                   \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

/* A private folder; ring_file() makes names in it. */
static char ring_dir[64];

static inline void ring_make_dir(void)
{
    snprintf(ring_dir, sizeof ring_dir, "/tmp/pin_test.XXXXXX");
    assert_non_null(mkdtemp(ring_dir));
}

static inline void ring_remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", ring_dir);
    assert_int_equal(system(command), 0);
}

static inline const char *ring_file(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", ring_dir, name);
    return path;
}

static inline const char *ring_write(const char *name, const char *text, unsigned mode)
{
    const char *path = ring_file(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static inline struct pin_keyring *ring_of(const char *text)
{
    struct pin_keyring *ring = NULL;
    char why[256] = "";
    int err = pin_keyring_load(ring_write("ring", text, 0600), &ring, why, sizeof why);
    if (err)
        fail_msg("%s", why);
    return ring;
}

static inline struct pin_keyring *ring_of_test_key(void)
{
    return ring_of("1 2020-01-01T00:00:00Z " RING_KEY "\n");
}

#endif
