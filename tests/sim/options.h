/*
 * The command line of pinbind-smsc, checked whole before anything starts.
 */
#ifndef TESTS_SIM_OPTIONS_H
#define TESTS_SIM_OPTIONS_H

#include "tests/sim/fault.h"
#include "tests/sim/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define OPTIONS_ACCOUNTS_MAX 32
#define OPTIONS_URL_MAX      512

enum id_form { ID_DEC, ID_HEX, ID_UPPER_HEX, ID_DEC_10, ID_UUID };

struct options {
    struct sockaddr_storage listen;
    socklen_t listen_len;
    struct sockaddr_storage web;
    socklen_t web_len;    /* 0: no page */
    const char *form_url; /* NULL: the page links to none */
    size_t system_ids;
    size_t passwords;
    const char *system_id[OPTIONS_ACCOUNTS_MAX];
    const char *password[OPTIONS_ACCOUNTS_MAX];
    uint32_t receipts_ppm;
    int64_t receipt_delay_ms;
    int64_t receipt_jitter_ms;
    bool exponential;
    int64_t receipt_retry_ms;
    int64_t receipt_tries;
    int64_t receipt_timeout_ms;
    int64_t receipt_keep_s;
    int64_t response_delay_ms;
    int64_t late_response_ms;
    enum id_form id_response;
    enum id_form id_receipt;
    int64_t first_id; /* 0: from the clock, so that a restart does not repeat ids */
    enum alphabet alphabet;
    uint32_t fault_ppm[FAULT_COUNT];
    int64_t enquire_link_s; /* 0: never */
    int64_t max_messages;
    int64_t inbox_messages;
    int64_t inbox_numbers;
    int64_t seed; /* 0: drawn */
    bool quiet;
    bool insecure_anywhere;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/*
 * OPTIONS_DONE: --help, --version or --list-faults was answered.  OPTIONS_WRONG: one line on
 * standard error said why.  Strings of *out point into argv.
 */
enum options_result options_parse(struct options *out, int argc, char **argv);

#endif
