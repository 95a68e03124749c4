/* What keys say together, and the files that hold secrets. */
#include "gateway/config_private.h"

#include "base/result.h"
#include "smpp/smpp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SMPP_VERSION_3_3 0x33

#define PASSWORD_MAX 8 /* octets, SMPP 3.4 section 5.2.2 without its NUL */

#define FAIL_KEY(r, section, key, ...)                                                             \
    CONFIG_FAIL_ROW(r, section, config_row_find((section)->id, key), __VA_ARGS__)

/* A password and the two keys that can hold it. */
struct password {
    const char *file_key, *key;
    const char *path;
    struct secret *value;
};

static int read_password(struct config_reader *r, const struct config_section *at,
                         const struct password *p)
{
    int err = secret_read_file(p->value, p->path);
    switch (err) {
    case 0:
    case ERR_NOMEM:
        return err;
    case ERR_NOTFOUND:
        return FAIL_KEY(r, at, p->file_key, "there is no file %.200s", p->path);
    case ERR_DENIED:
        return FAIL_KEY(r, at, p->file_key,
                        "%.200s must be readable by pinbind and not by others: chmod 0640 or less",
                        p->path);
    case ERR_INVALID:
        return FAIL_KEY(r, at, p->file_key,
                        "%.200s must be a file with the password on its first line", p->path);
    }
    return FAIL_KEY(r, at, p->file_key, "%.200s cannot be read", p->path);
}

static int check_password(struct config_reader *r, const struct config_section *at,
                          const struct password *p)
{
    bool given = secret_is_set(p->value);
    if (given && *p->path)
        return FAIL_KEY(r, at, p->key, "%s is set as well: keep one of them", p->file_key);
    if (!given && !*p->path)
        return FAIL_KEY(r, at, p->file_key, "is missing, and so is %s", p->key);
    int err = given ? 0 : read_password(r, at, p);
    if (!err && p->value->len > PASSWORD_MAX)
        return FAIL_KEY(r, at, p->file_key, "the password has %zu octets, SMPP allows %d",
                        p->value->len, PASSWORD_MAX);
    return err;
}

static int check_verify_socket(struct config_reader *r, const struct config *config)
{
    const struct config_section *at = &r->sections[CONFIG_verify_socket];
    const struct config_verify_socket *v = &config->verify_socket;
    if (!*v->unix_path && !*v->tcp)
        return FAIL_KEY(r, at, "unix", "tcp is empty as well: one of them must be set");
    if (*v->unix_path && strcmp(v->unix_path, config->admin.unix_path) == 0)
        return FAIL_KEY(r, at, "unix", "the admin socket has the same path: choose another");
    if (*v->tcp && !v->insecure && !config_listen_is_loopback(v->tcp))
        return FAIL_KEY(r, at, "tcp",
                        "%s is not loopback and there is no TLS: listen on 127.0.0.1, or set"
                        " insecure = true",
                        v->tcp);
    return 0;
}

/* Both keys of the pair, or neither. */
static int check_http(struct config_reader *r, const struct config *config)
{
    const struct config_section *at = &r->sections[CONFIG_http];
    const struct config_http *h = &config->http;
    const struct {
        const char *key, *address;
    } doors[] = {{"listen", h->listen}, {"noc_listen", h->noc_listen}};
    if (!*h->tls_cert_file != !*h->tls_key_file)
        return FAIL_KEY(r, at, *h->tls_cert_file ? "tls_key_file" : "tls_cert_file",
                        "is missing: a certificate and its key go together");
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
        if (*doors[i].address && !*h->tls_cert_file && !h->insecure &&
            !config_listen_is_loopback(doors[i].address))
            return FAIL_KEY(r, at, doors[i].key,
                            "%s is not loopback and there is no TLS: set tls_cert_file and"
                            " tls_key_file, listen on 127.0.0.1, or set insecure = true",
                            doors[i].address);
    if (*h->listen && strcmp(h->listen, h->noc_listen) == 0)
        return FAIL_KEY(r, at, "noc_listen",
                        "the same address as listen: leave it empty to serve both there");
    return 0;
}

static int check_store(struct config_reader *r, struct config *config)
{
    const struct config_section *at = &r->sections[CONFIG_store];
    struct password p = {"password_file", NULL, config->store.password_file,
                         &config->store.password};
    return *p.path ? read_password(r, at, &p) : 0;
}

/* SMPP 3.4 section 5.2.6; others make every submit fail. */
static int check_npi(struct config_reader *r, const struct config_section *at, const char *key,
                     int32_t npi)
{
    static const int8_t known[] = {-1, 0, 1, 3, 4, 6, 8, 9, 10, 14, 18};
    for (size_t i = 0; i < sizeof known; i++)
        if (known[i] == npi)
            return 0;
    return FAIL_KEY(r, at, key,
                    "%d is no numbering plan, 0, 1, 3, 4, 6, 8, 9, 10, 14 or 18 would do", npi);
}

/* A file that is there unchanged has the same; none has zeros, and is refused where it is loaded.
 */
static void identify(const char *path, uint64_t id[3])
{
    struct stat st;
    if (!*path || stat(path, &st) < 0)
        return;
    id[0] = (uint64_t)st.st_ino;
    id[1] = (uint64_t)st.st_size;
    id[2] = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
}

static int check_tls(struct config_reader *r, const struct config_section *at,
                     struct config_carrier *c)
{
    const struct {
        const char *key, *value;
    } parts[] = {{"tls_ca_file", c->tls_ca_file},
                 {"tls_cert_file", c->tls_cert_file},
                 {"tls_key_file", c->tls_key_file},
                 {"tls_name", c->tls_name}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (*parts[i].value && !c->tls)
            return FAIL_KEY(r, at, parts[i].key, "without TLS it is of no use: set tls = true");
    if (!*c->tls_cert_file != !*c->tls_key_file)
        return FAIL_KEY(r, at, *c->tls_cert_file ? "tls_key_file" : "tls_cert_file",
                        "is missing: a certificate and its key go together");
    for (size_t i = 0; i < sizeof c->tls_files / sizeof c->tls_files[0]; i++)
        identify(parts[i].value, c->tls_files[i]);
    return 0;
}

/* Lists of pairs: what stands before the sign may stand there once. */
static int check_pairs(struct config_reader *r, const struct config_section *at, const char *key,
                       const char *const *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int len = (int)strcspn(pairs[i], "=");
        for (size_t j = 0; j < i; j++)
            if (strncasecmp(pairs[i], pairs[j], (size_t)len + 1) == 0)
                return FAIL_KEY(r, at, key, "\"%.*s\" stands in the list twice", len, pairs[i]);
    }
    return 0;
}

/* A status may be written in two ways. */
static int check_statuses(struct config_reader *r, const struct config_section *at,
                          const struct config_carrier *c)
{
    for (size_t i = 1; i < c->n_statuses; i++) {
        unsigned long status = strtoul(c->statuses[i], NULL, 0);
        for (size_t j = 0; j < i; j++)
            if (strtoul(c->statuses[j], NULL, 0) == status)
                return FAIL_KEY(r, at, "statuses", "0x%08lx stands in the list twice", status);
    }
    return 0;
}

/* Who adds a state forgets easily that the list begins anew. */
static int check_final_states(struct config_reader *r, const struct config_section *at,
                              const struct config_carrier *c)
{
    for (size_t i = 0; i < c->n_final_states; i++)
        if (strcasecmp(c->final_states[i], "DELIVERED") == 0)
            return check_pairs(r, at, "final_states", c->final_states, c->n_final_states);
    return FAIL_KEY(r, at, "final_states",
                    "DELIVERED is missing: the list stands in place of the default, not beside it");
}

static int check_receipts(struct config_reader *r, const struct config_section *at,
                          const struct config_carrier *c)
{
    int err = check_pairs(r, at, "receipt_states", c->receipt_states, c->n_receipt_states);
    if (!err)
        err = check_pairs(r, at, "receipt_errors", c->receipt_errors, c->n_receipt_errors);
    return err ? err : check_final_states(r, at, c);
}

/* SMPP 3.3 knows neither transceivers nor TLVs. */
static int check_version(struct config_reader *r, const struct config_section *at,
                         const struct config_carrier *c)
{
    if (c->interface_version != SMPP_VERSION_3_3)
        return 0;
    if (c->bind == SMPP_TRANSCEIVER)
        return FAIL_KEY(r, at, "interface_version",
                        "3.3 has no transceivers: set bind = \"transmitter+receiver\"");
    if (c->user_message_reference)
        return FAIL_KEY(r, at, "user_message_reference",
                        "SMPP 3.3 has no TLVs, and this needs one");
    if (c->receipt_match == CONFIG_MATCH_REFERENCE)
        return FAIL_KEY(r, at, "receipt_match",
                        "SMPP 3.3 has no TLVs, and reference needs one: id or address would do");
    if (c->long_message != SMPP_LONG_UDH)
        return FAIL_KEY(r, at, "long_message", "SMPP 3.3 has no TLVs: only udh goes without");
    return 0;
}

/* Who dials us may make us send the account's password: only who knows another one. */
static int check_no_outbind(struct config_reader *r, const struct config_section *at,
                            const struct config_carrier *c)
{
    const struct {
        const char *key;
        bool is_set;
    } keys[] = {{"outbind_system_id", *c->outbind_system_id != 0},
                {"outbind_password_file", *c->outbind_password_file != 0},
                {"outbind_password", secret_is_set(&c->outbind_password)}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].is_set)
            return FAIL_KEY(r, at, keys[i].key, "without outbind_listen it is of no use");
    return 0;
}

static int check_outbind(struct config_reader *r, const struct config_section *at,
                         struct config_carrier *c)
{
    struct password p = {"outbind_password_file", "outbind_password", c->outbind_password_file,
                         &c->outbind_password};
    if (!*c->outbind_listen)
        return check_no_outbind(r, at, c);
    if (c->bind == SMPP_TRANSMITTER)
        return FAIL_KEY(r, at, "outbind_listen", "a transmitter is not dialled by the SMSC");
    if (c->tls)
        return FAIL_KEY(r, at, "outbind_listen", "there is no TLS for outbind: set tls = false");
    if (!c->outbind_insecure && !config_listen_is_loopback(c->outbind_listen))
        return FAIL_KEY(r, at, "outbind_listen",
                        "%s is not loopback and there is no TLS: listen on 127.0.0.1, or set"
                        " outbind_insecure = true",
                        c->outbind_listen);
    if (!*c->outbind_system_id)
        return FAIL_KEY(r, at, "outbind_system_id", "is missing: outbind_listen needs it");
    return check_password(r, at, &p);
}

static int check_carrier(struct config_reader *r, const struct config_section *at,
                         struct config_carrier *c)
{
    if (c->n_hosts == 0)
        return FAIL_KEY(r, at, "host", "is missing, and so is hosts");
    if (c->backoff_max_ms < c->backoff_min_ms)
        return FAIL_KEY(r, at, "backoff_max_ms", "less than backoff_min_ms, which is %u",
                        c->backoff_min_ms);
    int err = check_npi(r, at, "source_npi", c->source_npi);
    if (!err)
        err = check_npi(r, at, "dest_npi", (int32_t)c->dest_npi);
    if (!err)
        err = check_npi(r, at, "address_npi", (int32_t)c->address_npi);
    if (!err)
        err = check_version(r, at, c);
    if (!err)
        err = check_tls(r, at, c);
    if (!err)
        err = check_statuses(r, at, c);
    if (!err)
        err = check_receipts(r, at, c);
    if (!err)
        err = check_outbind(r, at, c);
    return err ? err
               : check_password(r, at,
                                &(struct password){"password_file", "password", c->password_file,
                                                   &c->password});
}

/* One port, one carrier. */
static int check_outbind_twins(struct config_reader *r, const struct config *config)
{
    for (size_t i = 0; i < config->n_carriers; i++)
        for (size_t j = 0; j < i; j++)
            if (*config->carriers[i].outbind_listen &&
                strcmp(config->carriers[i].outbind_listen, config->carriers[j].outbind_listen) == 0)
                return FAIL_KEY(r, config_section_at(r, CONFIG_carrier, i), "outbind_listen",
                                "carrier %s listens there already", config->carriers[j].name);
    return 0;
}

static int check_route(struct config_reader *r, const struct config_section *at,
                       const struct config *config, const struct config_route *route)
{
    for (size_t i = 0; i < route->n_carriers; i++) {
        const char *name = route->carriers[i];
        const struct config_carrier *c = config_carrier_find(config, name);
        if (!c)
            return FAIL_KEY(r, at, "carriers", "there is no carrier \"%s\"", name);
        if (c->bind == SMPP_RECEIVER)
            return FAIL_KEY(r, at, "carriers", "\"%s\" is a receiver and sends nothing", name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, route->carriers[j]) == 0)
                return FAIL_KEY(r, at, "carriers", "\"%s\" stands in the list twice", name);
    }
    return 0;
}

struct prefix {
    const char *digits;
    size_t route;
};

static int compare_prefixes(const void *a, const void *b)
{
    const struct prefix *x = a, *y = b;
    int order = strcmp(x->digits, y->digits);
    return order ? order : (x->route > y->route) - (x->route < y->route);
}

static int find_twins(struct config_reader *r, const struct config *config, struct prefix *all,
                      size_t n)
{
    qsort(all, n, sizeof *all, compare_prefixes);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i - 1].digits, all[i].digits) == 0)
            return FAIL_KEY(r, config_section_at(r, CONFIG_route, all[i].route), "prefixes",
                            "\"%s\" stands in route %s already", all[i].digits,
                            config->routes[all[i - 1].route].name);
    return 0;
}

/* The longest prefix wins, so each may stand only once. */
static int check_prefixes(struct config_reader *r, const struct config *config)
{
    size_t n = 0;
    for (size_t i = 0; i < config->n_routes; i++)
        n += config->routes[i].n_prefixes;
    struct prefix *all = calloc(n + 1, sizeof *all);
    if (!all)
        return ERR_NOMEM;
    n = 0;
    for (size_t i = 0; i < config->n_routes; i++)
        for (size_t j = 0; j < config->routes[i].n_prefixes; j++)
            all[n++] = (struct prefix){config->routes[i].prefixes[j], i};
    int err = find_twins(r, config, all, n);
    free(all);
    return err;
}

static int check_counts(struct config_reader *r, const struct config *config)
{
    const struct config_section *top = &r->sections[CONFIG_top];
    if (!config->n_carriers)
        return CONFIG_FAIL(r, top, "carrier", r->lines,
                           "there is none: add carrier \"NAME\" { host = ... }");
    if (!config->n_routes)
        return CONFIG_FAIL(r, top, "route", r->lines,
                           "there is none: add route \"default\" { carriers = {\"%s\"} }",
                           config->carriers[0].name);
    return 0;
}

int config_check(struct config_reader *r, struct config *config)
{
    const struct config_section *top = &r->sections[CONFIG_top];
    int err = check_counts(r, config);
    config->pin_key_file_line = config_line(top, config_row_find(CONFIG_top, "pin_key_file"));
    if (!err)
        err = check_verify_socket(r, config);
    if (!err)
        err = check_http(r, config);
    if (!err)
        err = check_store(r, config);
    for (size_t i = 0; !err && i < config->n_carriers; i++)
        err = check_carrier(r, config_section_at(r, CONFIG_carrier, i), &config->carriers[i]);
    if (!err)
        err = check_outbind_twins(r, config);
    for (size_t i = 0; !err && i < config->n_routes; i++)
        err = check_route(r, config_section_at(r, CONFIG_route, i), config, &config->routes[i]);
    return err ? err : check_prefixes(r, config);
}
