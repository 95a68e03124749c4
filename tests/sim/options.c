#include "tests/sim/options.h"

#include <errno.h>
#include <event2/util.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "pinbind-smsc"

struct row {
    const char *name;
    const char *value; /* what it takes; NULL: a switch */
    /* NULL when good, else what it should have been */
    const char *(*parse)(struct options *o, const struct row *row, const char *value);
    size_t offset;
    int64_t min;
    int64_t max;
    const char *help;
};

static const char *parse_number(struct options *o, const struct row *row, const char *value)
{
    static char want[80];
    char *end;
    errno = 0;
    long long v = strtoll(value, &end, 10);
    if (end == value || *end || errno || v < row->min || v > row->max) {
        snprintf(want, sizeof want, "a whole number from %lld to %lld", (long long)row->min,
                 (long long)row->max);
        return want;
    }
    *(int64_t *)(void *)((char *)o + row->offset) = v;
    return NULL;
}

static const char *parse_switch(struct options *o, const struct row *row, const char *value)
{
    (void)value;
    *(bool *)((char *)o + row->offset) = true;
    return NULL;
}

static bool parse_percent(const char *s, uint32_t *ppm)
{
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !(v >= 0 && v <= 100))
        return false;
    *ppm = (uint32_t)(v * 10000 + 0.5);
    return true;
}

static bool parse_address(const char *s, struct sockaddr_storage *out, socklen_t *len)
{
    int n = (int)sizeof *out;
    const char *colon = strrchr(s, ':');
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1])
        return false;
    /* libevent takes port 0 for a mistake: the port is set by hand */
    char host[64];
    size_t hlen = (size_t)(colon - s);
    long port = strtol(colon + 1, NULL, 10);
    if (hlen >= sizeof host || port > 65535)
        return false;
    memcpy(host, s, hlen);
    host[hlen] = 0;
    memset(out, 0, sizeof *out);
    if (evutil_parse_sockaddr_port(host, (struct sockaddr *)out, &n) != 0)
        return false;
    *len = (socklen_t)n;
    if (out->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)out)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)(void *)out)->sin6_port = htons((uint16_t)port);
    return true;
}

static const char *parse_listen(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    return parse_address(value, &o->listen, &o->listen_len)
               ? NULL
               : "ADDR:PORT, as 127.0.0.1:2775 or [::1]:2775; port 0 is the system's choice";
}

static const char *parse_web(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    o->web_len = 0;
    if (strcmp(value, "none") == 0 || parse_address(value, &o->web, &o->web_len))
        return NULL;
    return "ADDR:PORT, as 127.0.0.1:2780 or [::1]:2780, or none";
}

/* It stands in JSON as it is. */
static const char *parse_form_url(struct options *o, const struct row *row, const char *value)
{
    size_t len = strlen(value);
    o->form_url = value;
    return len <= (size_t)row->max &&
                   (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0) &&
                   strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-._~:/?#[]@!$&()*+,;=%") == len
               ? NULL
               : "a URL that begins with http:// or https://";
}

static const char *parse_system_id(struct options *o, const struct row *row, const char *value)
{
    if (!*value || strlen(value) > (size_t)row->max)
        return "1 to 16 octets";
    if (o->system_ids == OPTIONS_ACCOUNTS_MAX)
        return "given at most 32 times";
    o->system_id[o->system_ids++] = value;
    return NULL;
}

static const char *parse_password(struct options *o, const struct row *row, const char *value)
{
    if (strlen(value) > (size_t)row->max)
        return "at most 64 octets";
    if (o->passwords == OPTIONS_ACCOUNTS_MAX)
        return "given at most 32 times";
    o->password[o->passwords++] = value;
    return NULL;
}

static const char *parse_receipts(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    if (strcmp(value, "all") == 0)
        o->receipts_ppm = 1000000;
    else if (strcmp(value, "none") == 0)
        o->receipts_ppm = 0;
    else if (!parse_percent(value, &o->receipts_ppm))
        return "all, none or a percentage from 0 to 100";
    return NULL;
}

static const char *parse_distribution(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    o->exponential = strcmp(value, "exponential") == 0;
    return o->exponential || strcmp(value, "uniform") == 0 ? NULL : "uniform or exponential";
}

static const char *parse_fault(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    const char *colon = strchr(value, ':');
    if (!colon)
        return "NAME:PERCENT";
    enum fault f = fault_find(value, (size_t)(colon - value));
    if (f == FAULT_COUNT)
        return "a NAME that --list-faults knows, and a percentage";
    return parse_percent(colon + 1, &o->fault_ppm[f]) ? NULL
                                                      : "NAME:PERCENT with a percentage 0 to 100";
}

static const char *parse_id_mode(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    static const struct {
        const char *name;
        enum id_form response, receipt;
    } modes[] = {{"dec", ID_DEC, ID_DEC},
                 {"hex", ID_HEX, ID_HEX},
                 {"HEX", ID_UPPER_HEX, ID_UPPER_HEX},
                 {"uuid", ID_UUID, ID_UUID},
                 {"hex-dec", ID_UPPER_HEX, ID_DEC_10},
                 {"dec-hex", ID_DEC, ID_HEX},
                 {"dec-padded", ID_DEC, ID_DEC_10}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(value, modes[i].name) == 0) {
            o->id_response = modes[i].response;
            o->id_receipt = modes[i].receipt;
            return NULL;
        }
    }
    return "dec, hex, HEX, uuid, hex-dec, dec-hex or dec-padded";
}

static const char *parse_alphabet(struct options *o, const struct row *row, const char *value)
{
    (void)row;
    static const char *const names[] = {
        [ALPHABET_GSM] = "gsm",
        [ALPHABET_LATIN1] = "latin1",
        [ALPHABET_ASCII] = "ascii",
        [ALPHABET_PACKED] = "gsm-packed",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value, names[i]) == 0) {
            o->alphabet = (enum alphabet)i;
            return NULL;
        }
    }
    return "gsm, gsm-packed, latin1 or ascii";
}

#define NUMBER(name, field, min, max, help)                                                        \
    {                                                                                              \
        name, "N", parse_number, offsetof(struct options, field), min, max, help                   \
    }
#define SWITCH(name, field, help)                                                                  \
    {                                                                                              \
        name, NULL, parse_switch, offsetof(struct options, field), 0, 0, help                      \
    }
#define VALUE(name, value, parse, max, help)                                                       \
    {                                                                                              \
        name, value, parse, 0, 0, max, help                                                        \
    }

static const struct row rows[] = {
    VALUE("listen", "ADDR:PORT", parse_listen, 0, "SMPP (127.0.0.1:2775; port 0: any)"),
    VALUE("web", "ADDR:PORT", parse_web, 0, "page of the handsets, or none (127.0.0.1:2780)"),
    VALUE("form-url", "URL", parse_form_url, OPTIONS_URL_MAX,
          "application that the page links to (none)"),
    VALUE("system-id", "X", parse_system_id, 16,
          "account (pinbind); repeatable, with a password each"),
    VALUE("password", "Y", parse_password, 64, "its password (password)"),
    VALUE("receipts", "all|none|PERCENT", parse_receipts, 0,
          "how many asked-for receipts come (all)"),
    NUMBER("receipt-delay-ms", receipt_delay_ms, 0, 86400000, "from answer to receipt (500)"),
    NUMBER("receipt-jitter-ms", receipt_jitter_ms, 0, 86400000, "random part added to it (0)"),
    VALUE("receipt-distribution", "uniform|exponential", parse_distribution, 0,
          "of the random part: 0 to N, or with mean N (uniform)"),
    NUMBER("receipt-retry-ms", receipt_retry_ms, 1, 3600000,
           "first pause after a refusal, doubled each time (1000)"),
    NUMBER("receipt-tries", receipt_tries, 1, 1000, "until a receipt is given up (12)"),
    NUMBER("receipt-timeout-ms", receipt_timeout_ms, 10, 3600000,
           "for the answer to a receipt (10000)"),
    NUMBER("receipt-keep-s", receipt_keep_s, 1, 604800, "while nobody is bound for it (3600)"),
    NUMBER("response-delay-ms", response_delay_ms, 0, 3600000, "before submit_sm is answered (0)"),
    NUMBER("late-response-ms", late_response_ms, 1, 3600000, "of the fault late-response (15000)"),
    VALUE("id-mode", "MODE", parse_id_mode, 0,
          "dec, hex, HEX, uuid, hex-dec (answer-receipt), dec-hex, dec-padded (dec)"),
    NUMBER("first-id", first_id, 1, 1LL << 47, "number of the first message (from the clock)"),
    VALUE("alphabet", "gsm|gsm-packed|latin1|ascii", parse_alphabet, 0,
          "what data_coding 0 means (gsm)"),
    VALUE("fault", "NAME:PERCENT", parse_fault, 0,
          "repeatable; a text with fault:NAME asks for one"),
    NUMBER("enquire-link-s", enquire_link_s, 0, 86400, "ask idle binds, 0 never (30)"),
    NUMBER("max-messages", max_messages, 64, 1 << 24,
           "remembered; a full memory answers ESME_RMSGQFUL (262144)"),
    NUMBER("inbox-messages", inbox_messages, 1, 1000, "kept for each number (50)"),
    NUMBER("inbox-numbers", inbox_numbers, 0, 100000, "handsets kept (1000; 0: no inboxes)"),
    NUMBER("seed", seed, 1, INT64_MAX, "repeats the random choices (drawn)"),
    SWITCH("quiet", quiet, "only the first and the last line on standard output"),
    SWITCH("insecure-anywhere", insecure_anywhere, "allow listeners that are not loopback"),
};
#define ROWS (sizeof rows / sizeof *rows)

enum { OPT_HELP = ROWS + 1, OPT_VERSION, OPT_LIST_FAULTS };

static void print_help(void)
{
    printf("usage: " PROGRAM " [OPTION]...\n"
           "A simulator SMSC: answers, sends receipts, has faults on request, shows the inboxes.\n"
           "Events are JSON lines on standard output, the first with the ports.\n\n");
    for (size_t i = 0; i < ROWS; i++) {
        int n = printf("  --%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        printf("%*s%s\n", n < 42 ? 42 - n : 1, "", rows[i].help);
    }
    printf("  --list-faults, --help, --version\n");
}

static void print_faults(void)
{
    for (int f = 0; f < FAULT_COUNT; f++)
        printf("%-20s %s\n", fault_name((enum fault)f), fault_help((enum fault)f));
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static enum options_result wrong(const char *what)
{
    fprintf(stderr, PROGRAM ": %s\n", what);
    return OPTIONS_WRONG;
}

static enum options_result check(struct options *o)
{
    if (!o->system_ids && !o->passwords) {
        o->system_id[o->system_ids++] = "pinbind";
        o->password[o->passwords++] = "password";
    }
    if (o->system_ids != o->passwords)
        return wrong("each --system-id needs one --password, in the same order");
    for (size_t i = 0; i < o->system_ids; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(o->system_id[i], o->system_id[j]) == 0)
                return wrong("--system-id: each only once");
    if (fault_answer_ppm(o->fault_ppm) > 1000000)
        return wrong("--fault: the faults of answers add up to more than 100 percent");
    if (!o->insecure_anywhere &&
        (!is_loopback(&o->listen) || (o->web_len && !is_loopback(&o->web))))
        return wrong("a listener is not on loopback: texts and passwords would cross the network "
                     "in the clear; --insecure-anywhere allows it");
    return OPTIONS_RUN;
}

static void set_defaults(struct options *o)
{
    *o = (struct options){
        .receipts_ppm = 1000000,
        .receipt_delay_ms = 500,
        .receipt_retry_ms = 1000,
        .receipt_tries = 12,
        .receipt_timeout_ms = 10000,
        .receipt_keep_s = 3600,
        .late_response_ms = 15000,
        .enquire_link_s = 30,
        .max_messages = 262144,
        .inbox_messages = 50,
        .inbox_numbers = 1000,
    };
    parse_address("127.0.0.1:2775", &o->listen, &o->listen_len);
    parse_address("127.0.0.1:2780", &o->web, &o->web_len);
}

static enum options_result parse_one(struct options *o, int option, const char *value)
{
    if (option == OPT_HELP)
        print_help();
    else if (option == OPT_VERSION)
        printf(PROGRAM " " PINBIND_VERSION "\n");
    else if (option == OPT_LIST_FAULTS)
        print_faults();
    else if (option < 1 || option > (int)ROWS)
        return OPTIONS_WRONG; /* getopt has said it */
    if (option > (int)ROWS)
        return OPTIONS_DONE;
    const struct row *row = &rows[option - 1];
    const char *want = row->parse(o, row, value);
    if (!want)
        return OPTIONS_RUN;
    fprintf(stderr, PROGRAM ": --%s: \"%s\" must be %s\n", row->name, value, want);
    return OPTIONS_WRONG;
}

enum options_result options_parse(struct options *out, int argc, char **argv)
{
    struct option longs[ROWS + 4] = {{"help", no_argument, NULL, OPT_HELP},
                                     {"version", no_argument, NULL, OPT_VERSION},
                                     {"list-faults", no_argument, NULL, OPT_LIST_FAULTS}};
    for (size_t i = 0; i < ROWS; i++)
        longs[i + 3] = (struct option){
            rows[i].name, rows[i].value ? required_argument : no_argument, NULL, (int)i + 1};
    set_defaults(out);
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        enum options_result r = parse_one(out, option, optarg);
        if (r != OPTIONS_RUN)
            return r;
    }
    if (optind < argc) {
        fprintf(stderr, PROGRAM ": \"%s\" is not an option; see --help\n", argv[optind]);
        return OPTIONS_WRONG;
    }
    return check(out);
}
