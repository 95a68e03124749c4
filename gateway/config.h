/*
 * The configuration file (libconfuse syntax) as one table and one tree of plain values.
 *
 * gateway/config.def has a row per key: section, name, type, default, range, unit, flags, help.
 * Parsing, the commented sample conf/pinbind.conf, pinbind.conf(5) and `pinbindctl config` come
 * from or are checked against those rows.  Only config*.c knows the parser.  A struct config is
 * complete and valid before anything of it takes effect, and never changes afterwards; it is
 * counted, so that what began under one configuration ends under it, also when another has been
 * loaded.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "base/log.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Strings are never NULL ("" is unset); paths are absolute (relative ones: to the file). */
struct config_store {
    const char *url; /* embedded:DIR has an absolute DIR */
    const char *user;
    const char *password_file;
    struct secret password; /* read from password_file */
    uint32_t timeout_ms;
    uint32_t max_pending;
    uint32_t keep_s;         /* PIN record after its life */
    uint32_t receipt_keep_s; /* message id after the PIN's life */
    uint32_t parked_s;
};

struct config_verify_socket {
    const char *unix_path; /* key "unix"; "" is off */
    uint32_t unix_mode;    /* octal in the file: 0660 */
    const char *unix_group;
    const char *unix_account;
    const char *tcp; /* "127.0.0.1:2777"; "" is off */
    bool insecure;   /* tcp on an address that is not loopback, without TLS */
    uint32_t max_connections;
    uint32_t max_in_flight; /* requests per connection */
    uint32_t max_bulk;      /* octets of one argument or inline command */
    uint32_t max_arguments;
    uint32_t idle_timeout_s;
    uint32_t max_output;            /* octets waiting for a slow reader */
    uint32_t auth_failures_per_min; /* per peer address */
};

struct config_http {
    const char *listen;     /* "127.0.0.1:8080"; "" is off */
    const char *noc_listen; /* "": on listen as well */
    const char *tls_cert_file, *tls_key_file;
    bool insecure; /* an address that is not loopback, without TLS */
    uint32_t max_connections;
    uint32_t max_head, max_body; /* octets */
    uint32_t request_timeout_s, idle_timeout_s, write_timeout_s;
    uint32_t auth_failures_per_min; /* per peer address */
};

struct config_admin {
    const char *unix_path;
    uint32_t unix_mode;
    const char *unix_group;
};

enum config_in_doubt { CONFIG_DOUBT_KEEP, CONFIG_DOUBT_NEXT };
enum config_receipt_match { CONFIG_MATCH_ID, CONFIG_MATCH_REFERENCE, CONFIG_MATCH_ADDRESS };

struct config_carrier {
    const char *name; /* the section's title: [a-z0-9][a-z0-9-]{0,31} */
    const char *const *hosts;
    size_t n_hosts;
    uint32_t port;
    const char *local_address;
    bool tls;
    const char *tls_ca_file, *tls_cert_file, *tls_key_file;
    const char *tls_name;
    uint64_t tls_files[3]
                      [3]; /* what tells whether those three are others now, see config_check.c */
    const char *system_id;
    const char *password_file;
    struct secret password;
    const char *system_type;
    int bind;              /* enum smpp_mode */
    int interface_version; /* 0x33, 0x34, 0x50 */
    const char *address_range;
    uint32_t address_ton, address_npi;
    const char *outbind_listen; /* "" is off */
    bool outbind_insecure;
    const char *outbind_system_id, *outbind_password_file;
    struct secret outbind_password;
    uint32_t binds, window, max_queue, rate, rate_per_bind;
    uint32_t enquire_link_s, response_timeout_s, connect_timeout_ms, bind_timeout_ms;
    uint32_t backoff_min_ms, backoff_max_ms, backoff_credentials_s, backoff_bound_s;
    uint32_t throttle_ms;
    const char *source;
    int32_t source_ton, source_npi; /* -1: by form */
    uint32_t dest_ton, dest_npi;
    const char *service_type;
    int default_alphabet; /* enum smpp_alphabet */
    int validity;         /* enum smpp_validity */
    int messaging_mode;   /* enum smpp_messaging_mode */
    uint32_t registered_delivery;
    const char *const *statuses; /* "0x0407=subscriber" */
    size_t n_statuses;
    int long_message; /* enum smpp_long_message */
    bool user_message_reference;
    int message_id;    /* enum pin_id_mode */
    int in_doubt;      /* enum config_in_doubt */
    int receipt_match; /* enum config_receipt_match */
    int receipt_dates; /* enum smpp_receipt_dates */
    int32_t receipt_utc_offset_min;
    bool receipt_without_esm_class;
    bool strip_trailing_nul;
    uint32_t query_after_s; /* 0: never */
    bool cancel;
    const char *const *receipt_states; /* "ACKED=DELIVERED" */
    size_t n_receipt_states;
    const char *const *final_states; /* "DELIVERED" */
    size_t n_final_states;
    const char *const *receipt_errors; /* "069=temporary:absent subscriber" */
    size_t n_receipt_errors;
};

struct config_route {
    const char *name;
    const char *const *prefixes; /* "" matches every number; the longest wins */
    size_t n_prefixes;
    const char *const *carriers; /* names of carriers, in order of preference */
    size_t n_carriers;
};

struct config {
    uint32_t refs;
    const char *file;
    const char *node;
    uint32_t send_deadline_ms;
    uint32_t drain_timeout_s;
    const char *pin_key_file;
    uint32_t pin_key_file_line; /* where the file says so; 0: it does not */
    uint32_t pin_step_s;
    enum log_level log_level;
    struct config_store store;
    struct config_verify_socket verify_socket;
    struct config_http http;
    struct config_admin admin;
    struct config_carrier *carriers;
    size_t n_carriers;
    struct config_route *routes;
    size_t n_routes;
};

struct config_error {
    char text[512]; /* "FILE:LINE: carrier acme: window: 0 is out of range, 1..10000 would do" */
};

/* 0 and *out with one reference, or ERR_* and a sentence that names file, line, key and what would
 * be right. */
int config_load(const char *path, struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));
const struct config *config_ref(const struct config *config);
/* Drops one reference; the last one wipes what is secret.  NULL is fine. */
void config_free(const struct config *config);

/* NULL: there is none of that name. */
const struct config_carrier *config_carrier_find(const struct config *config, const char *name);
/* What a running carrier needs so that it goes by b instead of a. */
enum config_change {
    CONFIG_SAME,
    CONFIG_IN_PLACE, /* binds stay up */
    CONFIG_REBIND,   /* address or account: a new bind */
};
enum config_change config_carrier_compare(const struct config_carrier *a,
                                          const struct config_carrier *b);

/*
 * A running gateway cannot take over every key: the fresh configuration gets the running value of
 * those rows, so that it says what is in effect.  kept: names of those that differed, "node, store
 * url".  ERR_NOMEM.
 */
int config_keep_running(struct config *fresh, const struct config *running, char *kept, size_t size)
    __attribute__((warn_unused_result));
/* Adds to such a list; "..." where it is full. */
void config_list_add(char *list, size_t size, const char *section, const char *name);

/* "carrier acme: window = 10" for each key as it is in effect; secrets as "***". */
void config_print(const struct config *config, FILE *out);

/* The rows, for the checks of sample and man page. */
struct config_row {
    const char *section; /* "" is the top level */
    const char *name;
    const char *type;     /* "string", "strings", "integer", "boolean", "octal", "choice" */
    const char *fallback; /* as it is written in the file */
    const char *unit;
    bool reloadable, secret;
    const char *help;
};
const struct config_row *config_rows(size_t *n);

#endif
