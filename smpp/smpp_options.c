#include "smpp/smpp_options.h"

#include "base/log.h"
#include "base/result.h"
#include "smpp/smpp_rate.h"
#include "smpp/smpp_tls.h"

#include <event2/util.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS (60 * 60 * 1000)

struct number_row {
    const char *name;
    size_t at;
    uint32_t preset, min, max;
};

#define ROW(field, preset, min, max)                                                               \
    {                                                                                              \
#field, offsetof(struct smpp_carrier_options, field), preset, min, max                     \
    }
static const struct number_row number_rows[] = {
    ROW(binds, 1, 1, 16),
    ROW(window, 10, 1, 10000),
    ROW(max_queue, 1000, 1, 1000000),
    ROW(max_deliveries, 1000, 1, 100000),
    ROW(mo_age_ms, 300000, 1, HOUR_MS),
    ROW(enquire_link_ms, 25000, 1, HOUR_MS),
    ROW(response_timeout_ms, 30000, 1, HOUR_MS),
    ROW(connect_timeout_ms, 10000, 1, HOUR_MS),
    ROW(bind_timeout_ms, 15000, 1, HOUR_MS),
    ROW(unbind_timeout_ms, 5000, 1, HOUR_MS),
    ROW(backoff_min_ms, 1000, 1, HOUR_MS),
    ROW(backoff_max_ms, 30000, 1, HOUR_MS),
    ROW(backoff_credentials_ms, 300000, 1, HOUR_MS),
    ROW(backoff_bound_min_ms, 30000, 1, HOUR_MS),
    ROW(backoff_bound_max_ms, 300000, 1, HOUR_MS),
    ROW(throttle_ms, 1000, 1, HOUR_MS),
    ROW(rate, 0, 0, SMPP_RATE_MAX),
    ROW(rate_per_bind, 0, 0, SMPP_RATE_MAX),
};

struct text_row {
    const char *name;
    size_t at;
    size_t max;
    bool required;
};

#define TEXT(field, max, required)                                                                 \
    {                                                                                              \
#field, offsetof(struct smpp_carrier_options, field), max, required                        \
    }
static const struct text_row text_rows[] = {
    TEXT(name, 64, true),
    TEXT(local_address, 64, false),
    TEXT(system_id, 15, true),
    TEXT(system_type, 12, false),
    TEXT(address_range, 40, false),
    TEXT(outbind_listen, 64, false),
    TEXT(outbind_system_id, 15, false),
    TEXT(source, 20, false),
    TEXT(service_type, 5, false),
    TEXT(tls_ca_file, 4095, false),
    TEXT(tls_cert_file, 4095, false),
    TEXT(tls_key_file, 4095, false),
    TEXT(tls_name, 253, false),
};

static uint32_t *number_at(struct smpp_carrier_options *o, const struct number_row *row)
{
    return (uint32_t *)(void *)((char *)o + row->at);
}

static const char **text_at(struct smpp_carrier_options *o, const struct text_row *row)
{
    return (const char **)(void *)((char *)o + row->at);
}

static int refuse(const struct smpp_carrier_options *o, const char *option)
{
    LOG(LOG_LV_ERROR, NULL, "carrier_option_invalid", KV_S("carrier", o->name),
        KV_S("option", option));
    return ERR_INVALID;
}

static int check_numbers(struct smpp_carrier_options *o)
{
    for (size_t i = 0; i < sizeof number_rows / sizeof number_rows[0]; i++) {
        uint32_t *n = number_at(o, &number_rows[i]);
        if (*n == 0)
            *n = number_rows[i].preset;
        if (*n < number_rows[i].min || *n > number_rows[i].max)
            return refuse(o, number_rows[i].name);
    }
    if (o->backoff_max_ms < o->backoff_min_ms)
        return refuse(o, "backoff_max_ms");
    if (o->backoff_bound_max_ms < o->backoff_bound_min_ms)
        return refuse(o, "backoff_bound_max_ms");
    return 0;
}

static bool is_set(const char *s)
{
    return s && *s;
}

static int check_texts(struct smpp_carrier_options *o)
{
    for (size_t i = 0; i < sizeof text_rows / sizeof text_rows[0]; i++) {
        const char *s = *text_at(o, &text_rows[i]);
        if (s ? strlen(s) > text_rows[i].max : text_rows[i].required)
            return refuse(o, text_rows[i].name);
    }
    if (o->n_hosts == 0 || !o->hosts)
        return refuse(o, "hosts");
    if (o->port == 0)
        return refuse(o, "port");
    if (is_set(o->tls_cert_file) != is_set(o->tls_key_file))
        return refuse(o, "tls_key_file");
    if (o->password && o->password->len > 8)
        return refuse(o, "password"); /* the option's name, not its value */
    return 0;
}

static int check_rules(const struct smpp_carrier_options *o)
{
    if (o->n_statuses > SMPP_STATUS_RULES_MAX)
        return refuse(o, "statuses");
    if (o->n_receipt_states > SMPP_STAT_RULES_MAX)
        return refuse(o, "receipt_states");
    for (size_t i = 0; i < o->n_receipt_states; i++)
        if (o->receipt_states[i].state < 0 || o->receipt_states[i].state > 9)
            return refuse(o, "receipt_states");
    return o->n_receipt_errors > SMPP_ERROR_RULES_MAX ? refuse(o, "receipt_errors") : 0;
}

/* 3.3 knows neither transceivers nor TLVs. */
static int check_version(struct smpp_carrier_options *o)
{
    if (o->interface_version == 0)
        o->interface_version = 0x34;
    if (o->interface_version == 0x34 || o->interface_version == 0x50)
        return 0;
    if (o->interface_version != 0x33 || o->mode == SMPP_TRANSCEIVER)
        return refuse(o, "interface_version");
    if (o->long_message != SMPP_LONG_UDH)
        return refuse(o, "long_message");
    return o->user_message_reference ? refuse(o, "user_message_reference") : 0;
}

/* Without a password of the peer's anybody could make us send ours. */
static int check_outbind(const struct smpp_carrier_options *o)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    if (!is_set(o->outbind_listen))
        return 0;
    if (evutil_parse_sockaddr_port(o->outbind_listen, (struct sockaddr *)&ss, &len) != 0 ||
        o->mode == SMPP_TRANSMITTER || o->tls)
        return refuse(o, "outbind_listen");
    if (!is_set(o->outbind_system_id))
        return refuse(o, "outbind_system_id");
    const struct secret *password = o->outbind_password;
    return !password || !password->len || password->len > 8 ? refuse(o, "outbind_password") : 0;
}

static int copy_texts(struct smpp_carrier_options *o)
{
    int err = 0;
    for (size_t i = 0; i < sizeof text_rows / sizeof text_rows[0]; i++) {
        const char **s = text_at(o, &text_rows[i]);
        if (*s && !(*s = strdup(*s)))
            err = ERR_NOMEM;
    }
    return err;
}

static int copy_hosts(struct smpp_carrier_options *o, const char *const *from)
{
    char **hosts = calloc(o->n_hosts, sizeof *hosts);
    o->hosts = (const char *const *)hosts;
    if (!hosts)
        return ERR_NOMEM;
    for (size_t i = 0; i < o->n_hosts; i++)
        if (!(hosts[i] = strdup(from[i])))
            return ERR_NOMEM;
    return 0;
}

/* An own copy of size octets; NULL where there is none. */
static const void *copy_of(const void *from, size_t size, int *err)
{
    void *own = size ? malloc(size) : NULL;
    if (own)
        memcpy(own, from, size);
    else if (size)
        *err = ERR_NOMEM;
    return own;
}

static int copy_rules(struct smpp_carrier_options *o)
{
    int err = 0;
    o->statuses = copy_of(o->statuses, o->n_statuses * sizeof *o->statuses, &err);
    o->receipt_states = copy_of(o->receipt_states, o->n_receipt_states * sizeof *o->receipt_states,
                                &err);
    o->receipt_errors = copy_of(o->receipt_errors, o->n_receipt_errors * sizeof *o->receipt_errors,
                                &err);
    return err;
}

static int load_tls(struct smpp_config *c)
{
    char why[300];
    if (!c->o.tls)
        return 0;
    c->tls = smpp_tls_context(&c->o, why, sizeof why);
    if (c->tls)
        return 0;
    LOG(LOG_LV_ERROR, NULL, "carrier_tls_invalid", KV_S("carrier", c->o.name), KV_S("reason", why));
    return ERR_INVALID;
}

static int copy_secret(struct secret *to, const struct secret *from)
{
    return from && from->len ? secret_set(to, from->data, from->len) : 0;
}

void smpp_config_moved(struct smpp_config *c)
{
    c->o.password = &c->password;
    c->o.outbind_password = &c->outbind_password;
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool smpp_config_is_like(const struct smpp_config *a, const struct smpp_config *b)
{
    return a->o.mode == b->o.mode && is_same_text(a->o.outbind_listen, b->o.outbind_listen);
}

int smpp_config_init(struct smpp_config *c, const struct smpp_carrier_options *options)
{
    *c = (struct smpp_config){.o = *options};
    int err = check_numbers(&c->o);
    if (!err)
        err = check_texts(&c->o);
    if (!err)
        err = check_rules(&c->o);
    if (!err)
        err = check_version(&c->o);
    if (!err)
        err = check_outbind(&c->o);
    if (err) {
        *c = (struct smpp_config){0};
        return err;
    }
    err = copy_texts(&c->o);
    if (copy_hosts(&c->o, options->hosts) != 0)
        err = ERR_NOMEM;
    if (copy_rules(&c->o) != 0)
        err = ERR_NOMEM;
    if (copy_secret(&c->password, options->password) != 0 ||
        copy_secret(&c->outbind_password, options->outbind_password) != 0)
        err = ERR_NOMEM;
    smpp_config_moved(c);
    if (!err)
        err = load_tls(c);
    if (err)
        smpp_config_clear(c);
    return err;
}

void smpp_config_clear(struct smpp_config *c)
{
    for (size_t i = 0; i < sizeof text_rows / sizeof text_rows[0]; i++)
        free((void *)(uintptr_t)*text_at(&c->o, &text_rows[i]));
    for (size_t i = 0; c->o.hosts && i < c->o.n_hosts; i++)
        free((void *)(uintptr_t)c->o.hosts[i]);
    free((void *)(uintptr_t)c->o.hosts);
    free((void *)(uintptr_t)c->o.statuses);
    free((void *)(uintptr_t)c->o.receipt_states);
    free((void *)(uintptr_t)c->o.receipt_errors);
    secret_clear(&c->password);
    secret_clear(&c->outbind_password);
    SSL_CTX_free(c->tls); /* connections that are up hold it, too */
    *c = (struct smpp_config){0};
}

enum smpp_status_class smpp_config_status_class(const struct smpp_config *c, uint32_t status)
{
    for (size_t i = 0; i < c->o.n_statuses; i++)
        if (c->o.statuses[i].status == status)
            return c->o.statuses[i].meaning;
    return smpp_status_class(status);
}

uint32_t smpp_config_bind_rate(const struct smpp_config *c)
{
    uint32_t all = c->o.rate, each = c->o.rate_per_bind;
    return all && (each == 0 || all < each) ? all : each;
}
