/*
 * What the files gateway/config_*.c share: the rows with their private half, and one reading of
 * one file.  A reading goes through config_scan() (syntax, positions, shape of each value),
 * config_parse() (libconfuse, ranges, into the structs) and config_check() (what keys say
 * together); the first mistake ends it with a sentence in the struct config_error.
 */
#ifndef GATEWAY_CONFIG_PRIVATE_H
#define GATEWAY_CONFIG_PRIVATE_H

#include "gateway/config.h"

#define CONFIG_NAME_MAX 32  /* octets of a carrier's or route's name */
#define CONFIG_MULTI    256 /* carriers, and routes, at most */

enum config_section_id {
    CONFIG_top,
    CONFIG_store,
    CONFIG_verify_socket,
    CONFIG_http,
    CONFIG_admin,
    CONFIG_carrier, /* from here on: several, each with a name */
    CONFIG_route,
    CONFIG_N_SECTIONS
};

enum config_kind {
    CONFIG_STRING,
    CONFIG_STRINGS,
    CONFIG_INTEGER,
    CONFIG_SIGNED,
    CONFIG_OCTAL,
    CONFIG_BOOLEAN,
    CONFIG_CHOICE
};

enum config_flag {
    RELOAD = 1,
    SECRET = 2,
    NEEDED = 4,
    FILE_PATH = 8,
    CREDENTIAL = 16,
    URL = 32,
    ONE = 64,
    ZONE = 128,
    EXAMPLE = 256,
    REBIND = 512,
};

struct config_choice {
    const char *name; /* NULL ends the list */
    int value;
};

/* The private half of a row; same index as in config_rows(). */
struct config_field {
    enum config_section_id section;
    enum config_kind kind;
    int flags;
    size_t offset, count_offset; /* in struct config, config_carrier or config_route */
    long min, max;               /* of a number; max: octets of a string, items of a list */
    long number;                 /* default of numbers and booleans */
    const char *string;          /* default of strings and choices; of lists as written */
    const struct config_choice *choices;
    const char *(*check)(const char *value); /* NULL, or what would be right */
};

struct config_not_yet {
    enum config_section_id section;
    const char *name;
    const char *only; /* the value that says "without it", NULL: none */
};

/* Unset macros count nothing, so this is the number of keys. */
#define STRING(...)  +1
#define STRINGS(...) +1
#define INTEGER(...) +1
#define SIGNED(...)  +1
#define OCTAL(...)   +1
#define BOOLEAN(...) +1
#define CHOICE(...)  +1
enum {
    CONFIG_N_ROWS = 0
#include "gateway/config.def"
};

extern const struct config_field config_fields[CONFIG_N_ROWS];
const struct config_not_yet *config_not_yet_list(size_t *n);
const char *config_section_name(enum config_section_id id); /* "" is the top level */
/* Index of the row, or -1. */
/* Which of its section's secrets the SECRET row is. */
size_t config_secret_index(int row);
int config_row_find(enum config_section_id section, const char *name);
const struct config_not_yet *config_not_yet_find(enum config_section_id section, const char *name);
/* The known name nearest to a mistyped one, or NULL. */
const char *config_key_guess(enum config_section_id section, const char *name);
const char *config_section_guess(const char *name);
/* The last one where none has that value. */
const char *config_choice_name(const struct config_choice *choices, int value);

/* Checks of config_text.c: NULL, or what would be right. */
const char *config_name_check(const char *s);
const char *config_account_check(const char *s);
const char *config_ascii_check(const char *s);
const char *config_host_check(const char *s);
const char *config_address_check(const char *s);
const char *config_listen_check(const char *s);
const char *config_sender_check(const char *s);
const char *config_prefix_check(const char *s);
const char *config_carrier_check(const char *s);
const char *config_zone_check(const char *s);
const char *config_status_check(const char *s);
const char *config_stat_check(const char *s);
const char *config_state_check(const char *s);
const char *config_error_check(const char *s);
const char *config_url_check(const char *s);
bool config_listen_is_loopback(const char *s);
int32_t config_zone_minutes(const char *s);

#define CONFIG_SECRETS_MAX 2 /* SECRET rows of one section */

/* One section of the file; the four that stand once are there even when the file has none. */
struct config_section {
    enum config_section_id id;
    uint32_t line; /* 0: not in the file */
    char title[CONFIG_NAME_MAX + 1];
    uint32_t key_line[CONFIG_N_ROWS]; /* 0: not in the file */
    struct secret
        secrets[CONFIG_SECRETS_MAX]; /* the values of its SECRET keys, in the rows' order */
};

struct config_reader {
    const char *path;   /* as given, for messages */
    const char *folder; /* absolute, of the file */
    char *text;         /* ends with a NUL; the scan blanks comments and secrets in it */
    size_t text_size;
    uint32_t lines;
    struct config_section *sections; /* those up to CONFIG_admin by id, then in order */
    size_t n_sections;
    struct config_error *error;
};

struct config_place {
    const struct config_section *section; /* NULL: the file as a whole */
    const char *key;                      /* NULL: the section itself */
    uint32_t line;                        /* 0: none */
};

/* Writes "FILE:LINE: section: key: ..." and returns ERR_INVALID. */
int config_fail(struct config_reader *r, struct config_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define CONFIG_FAIL(r, section, key, line, ...)                                                    \
    config_fail(r, (struct config_place){section, key, line}, __VA_ARGS__)
/* The place of a row of the table. */
#define CONFIG_FAIL_ROW(r, section, row, ...)                                                      \
    CONFIG_FAIL(r, section, config_rows(NULL)[row].name, config_line(section, row), __VA_ARGS__)
uint32_t config_line(const struct config_section *section, int row);
/* The nth section of that kind. */
const struct config_section *config_section_at(const struct config_reader *r,
                                               enum config_section_id id, size_t nth);

int config_scan(struct config_reader *r) __attribute__((warn_unused_result));
int config_parse(struct config_reader *r, struct config *config)
    __attribute__((warn_unused_result));
int config_check(struct config_reader *r, struct config *config)
    __attribute__((warn_unused_result));

#endif
