/* Files in a folder of their own, the pieces that a good configuration is made of, and for each row
 * a file in which it has another value. */
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

static inline char *print_config(const struct config *config)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    config_print(config, f);
    fclose(f);
    return text;
}

/* A value that is not the default, as it is written in the file and printed again. */
static inline const char *other_value(const struct config_row *row, char *out, size_t size)
{
    static const char *const special[][2] = {
        {"url", "\"redis://127.0.0.1:6379/1\""},
        {"unix", "\"/tmp/x.sock\""},
        {"tcp", "\"127.0.0.1:2777\""},
        {"listen", "\"127.0.0.1:8088\""},
        {"noc_listen", "\"[::1]:8089\""},
        {"tls_cert_file", "\"/tmp/cert.pem\""},
        {"tls_key_file", "\"/tmp/key.pem\""},
        {"tls_ca_file", "\"/tmp/ca.pem\""},
        {"hosts", "{\"one.example\", \"192.0.2.1\"}"},
        {"local_address", "\"::1\""},
        {"log_level", "\"debug\""},
        {"bind", "\"transmitter+receiver\""},
        {"interface_version", "\"5.0\""},
        {"address_npi", "9"},
        {"outbind_listen", "\"127.0.0.1:2776\""},
        {"outbind_password", "\"***\""},
        {"default_alphabet", "\"latin1\""},
        {"validity", "\"none\""},
        {"messaging_mode", "\"forward\""},
        {"long_message", "\"sar\""},
        {"in_doubt", "\"next\""},
        {"receipt_match", "\"reference\""},
        {"message_id", "\"resp-hex-dlr-dec\""},
        {"receipt_time_zone", "\"-03:30\""},
        {"statuses", "{\"0x0407=subscriber\", \"8=throttle\"}"},
        {"receipt_dates", "\"year-first\""},
        {"receipt_states", "{\"ACKED=DELIVERED\", \"0=DELIVERED\"}"},
        {"final_states", "{\"DELIVERED\", \"ACCEPTED\"}"},
        {"receipt_errors", "{\"00B=permanent:no such number: ever\"}"},
        {"prefixes", "{\"385\", \"1\"}"},
        {"carriers", "{\"acme\"}"},
        {"password", "\"***\""},
        {"source_npi", "9"},
        {"dest_npi", "9"},
        {"pin_key_file", "\"/tmp/pin.key\""},
    };
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (strcmp(row->name, special[i][0]) == 0)
            return special[i][1];
    if (strstr(row->name, "password_file"))
        snprintf(out, size, "\"%s\"", path_of("acme.pass"));
    else if (strcmp(row->type, "integer") == 0)
        snprintf(out, size, "%d", atoi(row->fallback) + 1);
    else
        return strcmp(row->type, "octal") == 0     ? "0640"
               : strcmp(row->type, "boolean") == 0 ? "true"
                                                   : "\"x1\"";
    return out;
}

static inline const char *titled(const char *section)
{
    return strcmp(section, "carrier") == 0 ? "carrier acme"
           : strcmp(section, "route") == 0 ? "route default"
                                           : section;
}

/* A good file in which this one row has that value. */
static inline char *file_with(const struct config_row *row, const char *value)
{
    char *text = NULL;
    const char *s = row->section, *k = row->name;
    bool carrier = !strcmp(s, "carrier"), route = !strcmp(s, "route");
    char line[800];
    const char *tls = carrier && !strncmp(k, "tls_", 4) ? "tls = true\n" : "";
    const char *with = strcmp(k, "tls_cert_file") == 0  ? "tls_key_file = \"/k\"\n"
                       : strcmp(k, "tls_key_file") == 0 ? "tls_cert_file = \"/c\"\n"
                                                        : "";
    const char *outbind[] = {"", "", ""};
    if (carrier && !strncmp(k, "outbind_", 8) && strcmp(k, "outbind_insecure")) {
        outbind[0] = strcmp(k, "outbind_listen") ? "outbind_listen = \"127.0.0.1:2777\"\n" : "";
        outbind[1] = strcmp(k, "outbind_system_id") ? "outbind_system_id = \"s\"\n" : "";
        outbind[2] = strncmp(k, "outbind_password", 16) ? "outbind_password = \"p\"\n" : "";
    }
    snprintf(line, sizeof line, "%s%s%s%s%s = %s\n%s", tls, outbind[0], outbind[1], outbind[2], k,
             value, with);
    bool host = carrier && (!strcmp(k, "host") || !strcmp(k, "hosts"));
    bool password = carrier && !strncmp(k, "password", 8);
    assert_true(
        asprintf(
            &text, "%s%s%s%s carrier \"acme\" {\n%s %s %s %s }\nroute \"default\" {\n%s %s }\n",
            carrier || route ? "" : s, *s && !carrier && !route ? " { " : "",
            carrier || route ? "" : line, *s && !carrier && !route ? " } " : "",
            host ? "" : "host = \"h\"",
            carrier && !strcmp(k, "system_id") ? "" : "system_id = \"me\"",
            password ? "" : "password = \"secret\"", carrier ? line : "",
            route && !strcmp(k, "carriers") ? "" : "carriers = {\"acme\"}", route ? line : "") > 0);
    return text;
}

#endif
