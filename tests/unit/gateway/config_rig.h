/* Files in a folder of their own, and the pieces that a good configuration is made of. */
#ifndef TESTS_UNIT_GATEWAY_CONFIG_RIG_H
#define TESTS_UNIT_GATEWAY_CONFIG_RIG_H

#include "gateway/config.h"

#include "base/result.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CARRIER                                                                                    \
    "carrier \"acme\" {\n"                                                                         \
    "  host = \"127.0.0.1\"\n"                                                                     \
    "  system_id = \"me\"\n"                                                                       \
    "  password = \"secret\"\n"
#define ROUTE "route \"default\" {\n  carriers = {\"acme\"}\n"
/* Lines 1..4 and what is put in from line 5 on; lines 1..5 and line 8 for a route. */
#define IN_CARRIER(text) CARRIER text "\n}\n" ROUTE "}\n"
#define IN_ROUTE(text)   CARRIER "}\n" ROUTE text "\n}\n"
#define ON_TOP(text)     text "\n" CARRIER "}\n" ROUTE "}\n"

static char folder[] = "/tmp/config_test.XXXXXX";

static inline const char *path_of(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline void write_octets(const char *name, const void *p, size_t len, mode_t mode)
{
    unlink(path_of(name));
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, len), (ssize_t)len);
    close(fd);
}

static inline void write_file(const char *name, const char *text)
{
    write_octets(name, text, strlen(text), 0640);
}

static inline int setup(void **state)
{
    (void)state;
    umask(022);
    if (!mkdtemp(folder))
        return -1;
    write_file("acme.pass", "secret\n");
    write_file("long.pass", "123456789\n");
    write_octets("wide.pass", "secret\n", 7, 0644);
    write_file("empty.pass", "");
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static inline struct config *load_text(const char *text)
{
    struct config *config;
    struct config_error error;
    write_file("t.conf", text);
    int err = config_load(path_of("t.conf"), &config, &error);
    if (err)
        fail_msg("%s: %s", err_name(err), error.text);
    assert_string_equal(error.text, "");
    return config;
}

#endif
