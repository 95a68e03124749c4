#include "gateway/carrier_options.h"

#include "base/buf.h"
#include "gateway/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the checks of the configuration let pass: "0x0407=subscriber". */
static struct smpp_status_rule status_rule(const char *pair)
{
    static const struct {
        const char *name;
        enum smpp_status_class meaning;
    } meanings[] = {
        {"throttle", SMPP_CLASS_THROTTLE},
        {"route", SMPP_CLASS_PERMANENT},
        {"subscriber", SMPP_CLASS_SUBSCRIBER},
    };
    char *end;
    struct smpp_status_rule rule = {(uint32_t)strtoul(pair, &end, 0), SMPP_CLASS_PERMANENT};
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(end + 1, meanings[i].name) == 0)
            rule.meaning = meanings[i].meaning;
    return rule;
}

/* A word of a receipt, which ends at a blank, in capitals; false: it does not fit or is none. */
static bool take_word(char *out, size_t size, const char *s, size_t len)
{
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] <= ' ' || s[i] > '~')
            return false;
        out[i] = s[i] >= 'a' && s[i] <= 'z' ? (char)(s[i] - 'a' + 'A') : s[i];
    }
    out[len] = '\0';
    return true;
}

int carrier_state(const char *name)
{
    for (int state = 0; state <= 9; state++)
        if (strcasecmp(name, smpp_message_state_name(state)) == 0)
            return state;
    return -1;
}

bool carrier_stat_rule(const char *pair, struct smpp_stat_rule *out)
{
    const char *equals = strrchr(pair, '=');
    if (!equals || !take_word(out->stat, sizeof out->stat, pair, (size_t)(equals - pair)))
        return false;
    out->state = carrier_state(equals + 1);
    return out->state >= 0;
}

bool carrier_error_rule(const char *pair, struct smpp_error_rule *out)
{
    static const enum smpp_error_class classes[] = {SMPP_ERROR_PERMANENT, SMPP_ERROR_TEMPORARY};
    const char *equals = strchr(pair, '='), *colon = equals ? strchr(equals, ':') : NULL;
    if (!colon || !take_word(out->err, sizeof out->err, pair, (size_t)(equals - pair)))
        return false;
    size_t len = (size_t)(colon - equals - 1);
    out->class = SMPP_ERROR_UNKNOWN;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        const char *name = smpp_error_class_name(classes[i]);
        if (strlen(name) == len && memcmp(name, equals + 1, len) == 0)
            out->class = classes[i];
    }
    for (const char *p = colon + 1; *p; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return out->class != SMPP_ERROR_UNKNOWN && colon[1] &&
           str_copy(out->text, sizeof out->text, colon + 1);
}

static void fill_receipt_tables(const struct config_carrier *k, struct carrier_tables *t,
                                struct smpp_carrier_options *o)
{
    for (size_t i = 0; i < k->n_receipt_states; i++)
        (void)carrier_stat_rule(k->receipt_states[i], &t->receipt_states[i]);
    for (size_t i = 0; i < k->n_receipt_errors; i++)
        (void)carrier_error_rule(k->receipt_errors[i], &t->receipt_errors[i]);
    for (size_t i = 0; i < k->n_final_states; i++)
        o->final_states |= 1u << carrier_state(k->final_states[i]);
    o->receipt_states = t->receipt_states;
    o->n_receipt_states = k->n_receipt_states;
    o->receipt_errors = t->receipt_errors;
    o->n_receipt_errors = k->n_receipt_errors;
}

void carrier_options_fill(const struct config_carrier *k, struct carrier_tables *t,
                          struct smpp_carrier_options *o)
{
    *o = (struct smpp_carrier_options){
        .name = k->name,
        .hosts = k->hosts,
        .n_hosts = k->n_hosts,
        .port = (uint16_t)k->port,
        .local_address = k->local_address[0] ? k->local_address : NULL,
        .tls = k->tls,
        .tls_ca_file = k->tls_ca_file,
        .tls_cert_file = k->tls_cert_file,
        .tls_key_file = k->tls_key_file,
        .tls_name = k->tls_name,
        .system_id = k->system_id,
        .password = &k->password,
        .system_type = k->system_type,
        .mode = (enum smpp_mode)k->bind,
        .interface_version = (uint8_t)k->interface_version,
        .address_range = k->address_range,
        .address_ton = (uint8_t)k->address_ton,
        .address_npi = (uint8_t)k->address_npi,
        .outbind_listen = k->outbind_listen,
        .outbind_system_id = k->outbind_system_id,
        .outbind_password = &k->outbind_password,
        .binds = k->binds,
        .window = k->window,
        .max_queue = k->max_queue,
        .rate = k->rate,
        .rate_per_bind = k->rate_per_bind,
        .enquire_link_ms = k->enquire_link_s * 1000,
        .response_timeout_ms = k->response_timeout_s * 1000,
        .connect_timeout_ms = k->connect_timeout_ms,
        .bind_timeout_ms = k->bind_timeout_ms,
        .backoff_min_ms = k->backoff_min_ms,
        .backoff_max_ms = k->backoff_max_ms,
        .backoff_credentials_ms = k->backoff_credentials_s * 1000,
        .backoff_bound_min_ms = k->backoff_bound_s * 1000,
        .throttle_ms = k->throttle_ms,
        .source = k->source,
        .source_ton = k->source_ton,
        .source_npi = k->source_npi,
        .dest_ton = (uint8_t)k->dest_ton,
        .dest_npi = (uint8_t)k->dest_npi,
        .service_type = k->service_type,
        .alphabet = (enum smpp_alphabet)k->default_alphabet,
        .validity = (enum smpp_validity)k->validity,
        .messaging_mode = (enum smpp_messaging_mode)k->messaging_mode,
        .registered_delivery = (uint8_t)k->registered_delivery,
        .long_message = (enum smpp_long_message)k->long_message,
        .user_message_reference = k->user_message_reference ||
                                  k->receipt_match == CONFIG_MATCH_REFERENCE,
        .receipt_dates = (enum smpp_receipt_dates)k->receipt_dates,
        .receipt_utc_offset_min = k->receipt_utc_offset_min,
        .receipt_without_esm_class = k->receipt_without_esm_class,
        .strip_trailing_nul = k->strip_trailing_nul,
        .statuses = t->statuses,
        .n_statuses = k->n_statuses,
        .is_held = true,
    };
    for (size_t i = 0; i < k->n_statuses; i++)
        t->statuses[i] = status_rule(k->statuses[i]);
    fill_receipt_tables(k, t, o);
}
