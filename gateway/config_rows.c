/* The rows of config.def as data, and looking names up in them. */
#include "gateway/config_private.h"

#include "pin/ledger.h"
#include "smpp/smpp.h"

#include <stddef.h>
#include <string.h>

static const struct config_choice config_log_levels[] = {{"error", LOG_LV_ERROR},
                                                         {"warn", LOG_LV_WARN},
                                                         {"info", LOG_LV_INFO},
                                                         {"debug", LOG_LV_DEBUG},
                                                         {NULL, 0}};
static const struct config_choice config_binds[] = {{"transceiver", SMPP_TRANSCEIVER},
                                                    {"transmitter+receiver", SMPP_PAIR},
                                                    {"receiver", SMPP_RECEIVER},
                                                    {"transmitter", SMPP_TRANSMITTER},
                                                    {NULL, 0}};
static const struct config_choice config_versions[] = {
    {"3.3", 0x33}, {"3.4", 0x34}, {"5.0", 0x50}, {NULL, 0}};
static const struct config_choice config_alphabets[] = {
    {"gsm", SMPP_GSM},           {"gsm-packed", SMPP_GSM_PACKED}, {"latin1", SMPP_LATIN1},
    {"latin1-3", SMPP_LATIN1_3}, {"ascii", SMPP_ASCII},           {NULL, 0}};
static const struct config_choice config_validities[] = {{"none", SMPP_VALIDITY_NONE},
                                                         {"relative", SMPP_VALIDITY_RELATIVE},
                                                         {"absolute", SMPP_VALIDITY_ABSOLUTE},
                                                         {NULL, 0}};
static const struct config_choice config_long_messages[] = {
    {"udh", SMPP_LONG_UDH}, {"sar", SMPP_LONG_SAR}, {"payload", SMPP_LONG_PAYLOAD}, {NULL, 0}};
static const struct config_choice config_messaging_modes[] = {
    {"default", SMPP_MODE_DEFAULT},
    {"datagram", SMPP_MODE_DATAGRAM},
    {"forward", SMPP_MODE_FORWARD},
    {"store-and-forward", SMPP_MODE_STORE_AND_FORWARD},
    {NULL, 0}};
static const struct config_choice config_receipt_dates[] = {{"auto", SMPP_DATES_AUTO},
                                                            {"seconds", SMPP_DATES_SECONDS},
                                                            {"year-first", SMPP_DATES_YEAR_FIRST},
                                                            {NULL, 0}};
static const struct config_choice config_in_doubts[] = {
    {"keep", CONFIG_DOUBT_KEEP}, {"next", CONFIG_DOUBT_NEXT}, {NULL, 0}};
static const struct config_choice config_receipt_matches[] = {{"id", CONFIG_MATCH_ID},
                                                              {"reference", CONFIG_MATCH_REFERENCE},
                                                              {"address", CONFIG_MATCH_ADDRESS},
                                                              {NULL, 0}};
static const struct config_choice config_id_modes[] = {
    {"auto", PIN_ID_AUTO},
    {"string", PIN_ID_STRING},
    {"decimal", PIN_ID_DECIMAL},
    {"hex", PIN_ID_HEX},
    {"resp-hex-dlr-dec", PIN_ID_RESP_HEX_DLR_DEC},
    {"resp-dec-dlr-hex", PIN_ID_RESP_DEC_DLR_HEX},
    {NULL, 0}};

static const char *const section_names[CONFIG_N_SECTIONS] = {
    [CONFIG_top] = "",        [CONFIG_store] = "store", [CONFIG_verify_socket] = "verify_socket",
    [CONFIG_http] = "http",   [CONFIG_admin] = "admin", [CONFIG_carrier] = "carrier",
    [CONFIG_route] = "route",
};

/* Where the members of a section's keys are. */
#define IN_top           struct config
#define IN_store         struct config
#define IN_verify_socket struct config
#define IN_http          struct config
#define IN_admin         struct config
#define IN_carrier       struct config_carrier
#define IN_route         struct config_route
#define AT(s, member)    .section = CONFIG_##s, .offset = offsetof(IN_##s, member)

#define STRING(s, key, member, def, most, chk, f, help)                                            \
    {AT(s, member), .kind = CONFIG_STRING, .string = def, .max = most, .check = chk, .flags = f},
#define STRINGS(s, key, member, def, most, chk, f, help)                                           \
    {AT(s, member),                                                                                \
     .kind = CONFIG_STRINGS,                                                                       \
     .count_offset = offsetof(IN_##s, n_##member),                                                 \
     .string = def,                                                                                \
     .max = most,                                                                                  \
     .check = chk,                                                                                 \
     .flags = f},
#define INTEGER(s, key, member, def, least, most, unit, f, help)                                   \
    {AT(s, member), .kind = CONFIG_INTEGER, .number = def, .min = least, .max = most, .flags = f},
#define SIGNED(s, key, member, def, least, most, unit, f, help)                                    \
    {AT(s, member), .kind = CONFIG_SIGNED, .number = def, .min = least, .max = most, .flags = f},
#define OCTAL(s, key, member, def, least, most, f, help)                                           \
    {AT(s, member), .kind = CONFIG_OCTAL, .number = def, .min = least, .max = most, .flags = f},
#define BOOLEAN(s, key, member, def, f, help)                                                      \
    {AT(s, member), .kind = CONFIG_BOOLEAN, .number = def, .flags = f},
#define CHOICE(s, key, member, def, list, f, help)                                                 \
    {AT(s, member), .kind = CONFIG_CHOICE, .string = def, .choices = list, .max = 32, .flags = f},

const struct config_field config_fields[CONFIG_N_ROWS] = {
#include "gateway/config.def"
};

#define NAME_top           ""
#define NAME_store         "store"
#define NAME_verify_socket "verify_socket"
#define NAME_http          "http"
#define NAME_admin         "admin"
#define NAME_carrier       "carrier"
#define NAME_route         "route"
#define ROW(s, key, type, written, unit, f, help)                                                  \
    {NAME_##s, key, type, written, unit, ((f)&RELOAD) != 0, ((f)&SECRET) != 0, help},

#define STRING(s, key, member, def, most, chk, f, help)                                            \
    ROW(s, key, "string", "\"" def "\"", "", f, help)
#define STRINGS(s, key, member, def, most, chk, f, help) ROW(s, key, "strings", def, "", f, help)
#define INTEGER(s, key, member, def, least, most, unit, f, help)                                   \
    ROW(s, key, "integer", #def, unit, f, help)
#define SIGNED(s, key, member, def, least, most, unit, f, help)                                    \
    ROW(s, key, "integer", #def, unit, f, help)
#define OCTAL(s, key, member, def, least, most, f, help) ROW(s, key, "octal", #def, "", f, help)
#define BOOLEAN(s, key, member, def, f, help)            ROW(s, key, "boolean", #def, "", f, help)
#define CHOICE(s, key, member, def, list, f, help)       ROW(s, key, "choice", "\"" def "\"", "", f, help)

static const struct config_row rows[CONFIG_N_ROWS] = {
#include "gateway/config.def"
};

#define STRING(...)
#define STRINGS(...)
#define INTEGER(...)
#define SIGNED(...)
#define OCTAL(...)
#define BOOLEAN(...)
#define CHOICE(...)
#define NOT_YET(s, key, only) {CONFIG_##s, key, only},

static const struct config_not_yet not_yet[] = {
#include "gateway/config.def"
};

#define N_NOT_YET (sizeof not_yet / sizeof not_yet[0])

const struct config_row *config_rows(size_t *n)
{
    if (n)
        *n = CONFIG_N_ROWS;
    return rows;
}

const struct config_not_yet *config_not_yet_list(size_t *n)
{
    *n = N_NOT_YET;
    return not_yet;
}

const char *config_section_name(enum config_section_id id)
{
    return section_names[id];
}

size_t config_secret_index(int row)
{
    size_t before = 0;
    for (int i = 0; i < row; i++)
        before += config_fields[i].section == config_fields[row].section &&
                  (config_fields[i].flags & SECRET);
    return before;
}

int config_row_find(enum config_section_id section, const char *name)
{
    for (int i = 0; i < CONFIG_N_ROWS; i++)
        if (config_fields[i].section == section && strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

const struct config_not_yet *config_not_yet_find(enum config_section_id section, const char *name)
{
    for (size_t i = 0; i < N_NOT_YET; i++)
        if (not_yet[i].section == section && strcmp(not_yet[i].name, name) == 0)
            return &not_yet[i];
    return NULL;
}

const char *config_choice_name(const struct config_choice *choices, int value)
{
    while (choices->value != value && choices[1].name)
        choices++;
    return choices->name;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance; names are short (a word of the file has at most 63 octets). */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

/* Half of the letters wrong is no slip of the finger any more. */
struct guess {
    const char *word, *best;
    size_t distance;
};

static void guess_try(struct guess *g, const char *name)
{
    size_t d = distance(g->word, name);
    if (d < g->distance && d * 2 < strlen(name)) {
        g->distance = d;
        g->best = name;
    }
}

const char *config_key_guess(enum config_section_id section, const char *name)
{
    struct guess g = {name, NULL, 64};
    for (int i = 0; i < CONFIG_N_ROWS; i++)
        if (config_fields[i].section == section)
            guess_try(&g, rows[i].name);
    return g.best;
}

const char *config_section_guess(const char *name)
{
    struct guess g = {name, NULL, 64};
    for (int i = CONFIG_store; i < CONFIG_N_SECTIONS; i++)
        guess_try(&g, section_names[i]);
    return g.best;
}
