/* Objects as hash fields of plain text, and the Redis keys they live under. */
#include "pin/registry_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <openssl/sha.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the HTTP API; all of them stand in an application's hash. */
static const char *const policy_keys[] = {
    "pinAttempts",    "allowMultiplePinVerifications", "pinTimeToLive",
    "verifyPinLimit", "sendPinPerApplicationLimit",    "sendPinPerPhoneNumberLimit"};
#define N_POLICY (sizeof policy_keys / sizeof policy_keys[0])

/* Of a template: kept and given back as they came. */
#define CARRIED(member, field)                                                                     \
    {                                                                                              \
        (field), offsetof(struct pin_template, member), sizeof(((struct pin_template *)0)->member) \
    }
static const struct {
    const char *field;
    size_t at, size;
} carried[] = {CARRIED(repeat_dtmf, "repeatDTMF"),
               CARRIED(speech_rate, "speechRate"),
               CARRIED(voice_name, "voiceName"),
               CARRIED(dlt_entity, "dltPrincipalEntityId"),
               CARRIED(dlt_content, "dltContentTemplateId"),
               CARRIED(dlt_telemarketer, "dltTelemarketerId")};
#define N_CARRIED (sizeof carried / sizeof carried[0])

/* --- names --------------------------------------------------------------------------------- */

bool pin_reg_account_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len < PIN_ACCOUNT_SIZE && name[0] != '_' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* A longer string than a key is none: what is hashed of it is longer than a key, too. */
void pin_reg_key_name(const char *key, size_t len, char out[REG_NAME_SIZE])
{
    uint8_t md[SHA256_DIGEST_LENGTH];
    char hex[2 * sizeof md + 1], bucket[4];
    SHA256((const uint8_t *)key, len < PIN_API_KEY_SIZE ? len : PIN_API_KEY_SIZE, md);
    hex_encode(md, sizeof md, hex, false);
    store_bucket_hex(store_bucket(hex, sizeof hex - 1), bucket);
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:key:%s", bucket, hex);
}

void pin_reg_account_name(const char *account, char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:account", account);
}

void pin_reg_apps_name(const char *account, char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:apps", account);
}

void pin_reg_app_name(const char *account, const char *app, char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:app:%s", account, app);
}

void pin_reg_templates_name(const char *account, const char *app, char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:app:%s:msgs", account, app);
}

void pin_reg_template_name(const char *account, const char *app, const char *id,
                           char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "pb:{%s}:msg:%s:%s", account, app, id);
}

void pin_reg_revision_name(const char *template, uint32_t revision, char out[REG_NAME_SIZE])
{
    snprintf(out, REG_NAME_SIZE, "%s:%u", template, revision);
}

size_t pin_reg_object_size(enum reg_kind kind)
{
    static const size_t sizes[] = {[REG_KEY] = PIN_ACCOUNT_SIZE,
                                   [REG_APP] = sizeof(struct pin_app),
                                   [REG_TEMPLATE] = sizeof(struct pin_template)};
    return sizes[kind];
}

/* --- reading ------------------------------------------------------------------------------- */

/* NULL: there is no such field. */
static const char *field_of(const struct store_reply *reply, const char *field, size_t *len)
{
    for (size_t i = 0; i + 1 < store_reply_len(reply); i += 2) {
        const char *name = store_reply_str(store_reply_at(reply, i), len);
        if (name && *len == strlen(field) && memcmp(name, field, *len) == 0)
            return store_reply_str(store_reply_at(reply, i + 1), len);
    }
    return NULL;
}

/* False when the field is missing or too long. */
static bool get(const struct store_reply *reply, const char *field, char *out, size_t size)
{
    size_t len;
    const char *value = field_of(reply, field, &len);
    return value && str_copy_n(out, size, value, len);
}

/* "" when it is missing, as in what was written before there was such a field. */
static bool get_optional(const struct store_reply *reply, const char *field, char *out, size_t size)
{
    size_t len;
    const char *value = field_of(reply, field, &len);
    return value ? str_copy_n(out, size, value, len) : str_copy(out, size, "");
}

static bool get_number(const struct store_reply *reply, const char *field, uint32_t max,
                       uint32_t *out)
{
    char digits[12];
    if (!get(reply, field, digits, sizeof digits) || !digits[0] ||
        strspn(digits, "0123456789") != strlen(digits))
        return false;
    unsigned long long v = strtoull(digits, NULL, 10);
    *out = (uint32_t)v;
    return v <= max;
}

/* 0 when it is missing, as in what was written before there was such a field. */
static bool get_optional_number(const struct store_reply *reply, const char *field, uint32_t max,
                                uint32_t *out)
{
    size_t len;
    *out = 0;
    return !field_of(reply, field, &len) || get_number(reply, field, max, out);
}

static bool parse_key(const struct store_reply *reply, union reg_object *out)
{
    return get(reply, "account", out->account, sizeof out->account) &&
           pin_reg_account_is_valid(out->account);
}

static bool parse_app(const struct store_reply *reply, union reg_object *out)
{
    struct pin_app *app = &out->app;
    uint32_t enabled;
    char value[32], why[160];
    if (!get(reply, "name", app->name, sizeof app->name) ||
        !get_number(reply, "enabled", 1, &enabled))
        return false;
    app->enabled = enabled;
    pin_policy_default(&app->policy);
    for (size_t i = 0; i < N_POLICY; i++)
        if (!get(reply, policy_keys[i], value, sizeof value) ||
            pin_policy_set(&app->policy, policy_keys[i], value, why, sizeof why))
            return false;
    return true;
}

static bool parse_carried(const struct store_reply *reply, struct pin_template *t)
{
    for (size_t i = 0; i < N_CARRIED; i++)
        if (!get_optional(reply, carried[i].field, (char *)t + carried[i].at, carried[i].size))
            return false;
    return true;
}

static bool parse_template(const struct store_reply *reply, union reg_object *out)
{
    struct pin_template *t = &out->tmpl;
    uint32_t length, no_look_alikes;
    char type[16];
    if (!get_number(reply, "revision", UINT32_MAX, &t->revision) ||
        !get(reply, "text", t->text, sizeof t->text) || !get(reply, "type", type, sizeof type) ||
        pin_type_parse(type, &t->spec.type) || !get_number(reply, "length", UINT8_MAX, &length) ||
        !get_number(reply, "noLookAlikes", 1, &no_look_alikes) ||
        !get(reply, "sender", t->sender, sizeof t->sender) ||
        !get(reply, "language", t->language, sizeof t->language) ||
        !get_optional_number(reply, "maxSegments", PIN_TEMPLATE_SEGMENTS_MAX, &t->max_segments) ||
        !parse_carried(reply, t))
        return false;
    t->spec.length = (uint8_t)length;
    t->spec.no_look_alikes = no_look_alikes;
    return pin_spec_is_valid(&t->spec);
}

int pin_reg_parse(enum reg_kind kind, const struct store_reply *reply, union reg_object *out)
{
    static bool (*const parse[])(const struct store_reply *, union reg_object *) = {
        [REG_KEY] = parse_key, [REG_APP] = parse_app, [REG_TEMPLATE] = parse_template};
    if (store_reply_type(reply) != STORE_ARRAY)
        return ERR_CORRUPT;
    if (store_reply_len(reply) == 0)
        return ERR_NOTFOUND;
    return parse[kind](reply, out) ? 0 : ERR_CORRUPT;
}

/* --- writing ------------------------------------------------------------------------------- */

static bool is_clean(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static void put(struct reg_fields *f, const char *name, const char *value)
{
    f->v[f->n++] = (struct store_arg)REG_ARG(name);
    f->v[f->n++] = (struct store_arg)REG_ARG(value);
}

static void put_number(struct reg_fields *f, const char *name, uint32_t v)
{
    char *text = f->text + f->used;
    f->used += (size_t)snprintf(text, sizeof f->text - f->used, "%u", v) + 1;
    put(f, name, text);
}

/* What would be refused when read back is refused here. */
static bool policy_reads_back(const struct reg_fields *f, size_t from)
{
    struct pin_policy check;
    char why[160];
    pin_policy_default(&check);
    for (size_t i = from; i < f->n; i += 2)
        if (pin_policy_set(&check, f->v[i].p, f->v[i + 1].p, why, sizeof why))
            return false;
    return true;
}

int pin_reg_app_fields(const struct pin_app *app, struct reg_fields *out)
{
    const struct pin_policy *p = &app->policy;
    out->n = out->used = 0;
    put(out, "name", app->name);
    put_number(out, "enabled", app->enabled);
    size_t policy = out->n;
    put_number(out, policy_keys[0], p->pin_attempts);
    put(out, policy_keys[1], p->allow_multiple ? "true" : "false");
    put(out, policy_keys[2], p->ttl_text);
    put(out, policy_keys[3], p->verify.text);
    put(out, policy_keys[4], p->per_app.text);
    put(out, policy_keys[5], p->per_phone.text);
    bool is_good = app->name[0] && is_clean(app->name) && policy_reads_back(out, policy);
    return is_good ? 0 : ERR_INVALID;
}

/* All of them, so that a change leaves none of what was there. */
static bool put_carried(struct reg_fields *f, const struct pin_template *t)
{
    for (size_t i = 0; i < N_CARRIED; i++) {
        const char *value = (const char *)t + carried[i].at;
        if (!is_clean(value))
            return false;
        put(f, carried[i].field, value);
    }
    return true;
}

int pin_reg_template_fields(const struct pin_template *t, struct reg_fields *out)
{
    char why[160];
    out->n = out->used = 0;
    if (!pin_spec_is_valid(&t->spec) || pin_text_check(t->text, why, sizeof why) ||
        !is_clean(t->sender) || !is_clean(t->language) ||
        t->max_segments > PIN_TEMPLATE_SEGMENTS_MAX || !put_carried(out, t))
        return ERR_INVALID;
    put_number(out, "revision", t->revision);
    put(out, "text", t->text);
    put(out, "type", pin_type_name(t->spec.type));
    put_number(out, "length", t->spec.length);
    put_number(out, "noLookAlikes", t->spec.no_look_alikes);
    put(out, "sender", t->sender);
    put(out, "language", t->language);
    put_number(out, "maxSegments", t->max_segments);
    return 0;
}
