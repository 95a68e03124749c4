#include "gateway/objects.h"

#include "base/result.h"
#include "gateway/json_write.h"
#include "gateway/sender.h"
#include "smpp/smpp.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 64 /* of a field */

enum json_kind { STRING, BOOLEAN, INTEGER, NUMBER }; /* what a field is in JSON */

enum row_flag {
    CREATE_NEEDS = 1,    /* a body that makes one */
    UPDATE_V2_NEEDS = 2, /* a body that changes one, in version 2 of the API */
    READ_ONLY = 4,       /* written, not read */
    V1_ALIAS = 8,        /* read under version 1 only, not written */
    GROUP_NEEDS = 16,    /* a body that has the object it stands in, unless it is there already */
};

struct row {
    const char *field;
    enum json_kind kind;
    unsigned flags;
    size_t at, size; /* of its text in struct object; size 0: get makes it */
    int (*set)(struct object *o, const struct row *row, const char *value,
               struct object_wrong *wrong);
    const char *(*get)(const struct object *o, char *buf, size_t size);
};

__attribute__((format(printf, 3, 4))) static int
wrong_value(struct object_wrong *wrong, const char *field, const char *fmt, ...)
{
    va_list ap;
    str_copy(wrong->field, sizeof wrong->field, field);
    va_start(ap, fmt);
    vsnprintf(wrong->text, sizeof wrong->text, fmt, ap);
    va_end(ap);
    return ERR_INVALID;
}

/* --- setting one field from text; every value is UTF-8 or does not matter ------------------- */

static int set_text(struct object *o, const struct row *row, const char *value,
                    struct object_wrong *wrong)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return wrong_value(wrong, row->field, "control characters are not permitted");
    if (!str_copy((char *)o + row->at, row->size, value))
        return wrong_value(wrong, row->field, "at most %zu octets are permitted", row->size - 1);
    return 0;
}

static int set_name(struct object *o, const struct row *row, const char *value,
                    struct object_wrong *wrong)
{
    if (!value[0])
        return wrong_value(wrong, row->field, "a name is needed");
    return set_text(o, row, value, wrong);
}

static int set_enabled(struct object *o, const struct row *row, const char *value,
                       struct object_wrong *wrong)
{
    o->app.enabled = strcmp(value, "true") == 0;
    if (!o->app.enabled && strcmp(value, "false") != 0)
        return wrong_value(wrong, row->field, "true or false is expected");
    return 0;
}

static int set_policy(struct object *o, const struct row *row, const char *value,
                      struct object_wrong *wrong)
{
    str_copy(wrong->field, sizeof wrong->field, row->field);
    return pin_policy_set(&o->app.policy, strchr(row->field, '.') + 1, value, wrong->text,
                          sizeof wrong->text);
}

static int set_message(struct object *o, const struct row *row, const char *value,
                       struct object_wrong *wrong)
{
    str_copy(wrong->field, sizeof wrong->field, row->field);
    if (pin_text_check(value, wrong->text, sizeof wrong->text))
        return ERR_INVALID;
    if (smpp_text_segments(value, strlen(value), SMPP_GSM) < 0)
        return wrong_value(wrong, row->field, "the text is not UTF-8");
    str_copy(o->tmpl.text, sizeof o->tmpl.text, value);
    return 0;
}

static int set_type(struct object *o, const struct row *row, const char *value,
                    struct object_wrong *wrong)
{
    if (pin_type_parse(value, &o->tmpl.spec.type))
        return wrong_value(wrong, row->field, "NUMERIC, ALPHA, HEX or ALPHANUMERIC is expected");
    return 0;
}

/* The number; or -1, and what would be right. */
static long whole_of(const struct row *row, const char *value, long min, long max,
                     struct object_wrong *wrong)
{
    char *end;
    long n = strtol(value, &end, 10);
    if (value[0] && !*end && n >= min && n <= max)
        return n;
    wrong_value(wrong, row->field, "a whole number from %ld to %ld is expected", min, max);
    return -1;
}

static int set_length(struct object *o, const struct row *row, const char *value,
                      struct object_wrong *wrong)
{
    long n = whole_of(row, value, PIN_LEN_MIN, PIN_LEN_MAX, wrong);
    if (n < 0)
        return ERR_INVALID;
    o->tmpl.spec.length = (uint8_t)n;
    return 0;
}

/* SMS of a text; an extension of the API of ours. */
static int set_segments(struct object *o, const struct row *row, const char *value,
                        struct object_wrong *wrong)
{
    long n = whole_of(row, value, 1, PIN_TEMPLATE_SEGMENTS_MAX, wrong);
    if (n < 0)
        return ERR_INVALID;
    o->tmpl.max_segments = (uint32_t)n;
    return 0;
}

static int set_sender(struct object *o, const struct row *row, const char *value,
                      struct object_wrong *wrong)
{
    if (value[0] && !sender_is_valid(value))
        return wrong_value(wrong, row->field,
                           "up to 15 digits, or up to 11 characters of ASCII are expected");
    return set_text(o, row, value, wrong);
}

static int set_language(struct object *o, const struct row *row, const char *value,
                        struct object_wrong *wrong)
{
    static const char *const languages[] = {
        "en", "es", "ca", "da", "nl", "fr", "de", "it",    "ja",    "ko",    "no",
        "pl", "ru", "sv", "fi", "hr", "sl", "ro", "pt_pt", "pt_br", "zh_cn", "zh_tw"};
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (strcmp(languages[i], value) == 0)
            return set_text(o, row, value, wrong);
    return wrong_value(wrong, row->field, "a language like en, de or pt_br is expected");
}

/* Five digits of it are kept. */
static int set_rate(struct object *o, const struct row *row, const char *value,
                    struct object_wrong *wrong)
{
    char *end, text[16];
    double rate = strtod(value, &end);
    if (!value[0] || *end || !isfinite(rate) || rate < 0.5 || rate > 2)
        return wrong_value(wrong, row->field, "a number from 0.5 to 2 is expected");
    snprintf(text, sizeof text, "%.5g", rate);
    str_copy(o->tmpl.speech_rate, sizeof o->tmpl.speech_rate, text);
    return 0;
}

/* --- what is no text in the object ---------------------------------------------------------- */

static const char *get_enabled(const struct object *o, char *buf, size_t size)
{
    (void)buf, (void)size;
    return o->app.enabled ? "true" : "false";
}

static const char *get_attempts(const struct object *o, char *buf, size_t size)
{
    snprintf(buf, size, "%u", o->app.policy.pin_attempts);
    return buf;
}

static const char *get_multiple(const struct object *o, char *buf, size_t size)
{
    (void)buf, (void)size;
    return o->app.policy.allow_multiple ? "true" : "false";
}

static const char *get_placeholder(const struct object *o, char *buf, size_t size)
{
    (void)o, (void)buf, (void)size;
    return "{{pin}}";
}

static const char *get_type(const struct object *o, char *buf, size_t size)
{
    (void)buf, (void)size;
    return pin_type_name(o->tmpl.spec.type);
}

static const char *get_length(const struct object *o, char *buf, size_t size)
{
    snprintf(buf, size, "%u", o->tmpl.spec.length);
    return buf;
}

/* As long as nobody asked for more, clients of the API as it was see nothing new. */
static const char *get_segments(const struct object *o, char *buf, size_t size)
{
    if (o->tmpl.max_segments <= 1)
        return "";
    snprintf(buf, size, "%u", o->tmpl.max_segments);
    return buf;
}

/* A number whatever the store has there. */
static const char *get_rate(const struct object *o, char *buf, size_t size)
{
    double rate = strtod(o->tmpl.speech_rate, NULL);
    if (!o->tmpl.speech_rate[0] || !isfinite(rate))
        return "";
    snprintf(buf, size, "%.5g", rate);
    return buf;
}

/* --- the tables, in the order of the answers ------------------------------------------------ */

#define TEXT(member) offsetof(struct object, member), sizeof(((struct object *)0)->member)
#define MADE         0, 0

static const struct row app_rows[] = {
    {"applicationId", STRING, READ_ONLY, TEXT(app.id), NULL, NULL},
    {"name", STRING, CREATE_NEEDS | UPDATE_V2_NEEDS, TEXT(app.name), set_name, NULL},
    {"enabled", BOOLEAN, 0, MADE, set_enabled, get_enabled},
    {"configuration.pinAttempts", INTEGER, 0, MADE, set_policy, get_attempts},
    {"configuration.allowMultiplePinVerifications", BOOLEAN, 0, MADE, set_policy, get_multiple},
    {"configuration.pinTimeToLive", STRING, 0, TEXT(app.policy.ttl_text), set_policy, NULL},
    {"configuration.verifyPinLimit", STRING, 0, TEXT(app.policy.verify.text), set_policy, NULL},
    {"configuration.sendPinPerApplicationLimit", STRING, 0, TEXT(app.policy.per_app.text),
     set_policy, NULL},
    {"configuration.sendPinPerPhoneNumberLimit", STRING, 0, TEXT(app.policy.per_phone.text),
     set_policy, NULL},
};

static const struct row template_rows[] = {
    {"messageId", STRING, READ_ONLY, TEXT(tmpl.id), NULL, NULL},
    {"applicationId", STRING, READ_ONLY, TEXT(tmpl.app_id), NULL, NULL},
    {"pinPlaceholder", STRING, READ_ONLY, MADE, NULL, get_placeholder},
    {"messageText", STRING, CREATE_NEEDS, TEXT(tmpl.text), set_message, NULL},
    {"pinType", STRING, CREATE_NEEDS, MADE, set_type, get_type},
    {"pinLength", INTEGER, 0, MADE, set_length, get_length},
    {"sender", STRING, V1_ALIAS, TEXT(tmpl.sender), set_sender, NULL},
    {"senderId", STRING, 0, TEXT(tmpl.sender), set_sender, NULL},
    {"language", STRING, 0, TEXT(tmpl.language), set_language, NULL},
    {"maxSegments", INTEGER, 0, MADE, set_segments, get_segments},
    {"repeatDTMF", STRING, 0, TEXT(tmpl.repeat_dtmf), set_text, NULL},
    {"speechRate", NUMBER, 0, MADE, set_rate, get_rate},
    {"voiceName", STRING, 0, TEXT(tmpl.voice_name), set_text, NULL},
    {"regional.indiaDlt.principalEntityId", STRING, GROUP_NEEDS, TEXT(tmpl.dlt_entity), set_text,
     NULL},
    {"regional.indiaDlt.contentTemplateId", STRING, 0, TEXT(tmpl.dlt_content), set_text, NULL},
    {"regional.indiaDlt.teleMarketerId", STRING, 0, TEXT(tmpl.dlt_telemarketer), set_text, NULL},
};

static const struct table {
    const struct row *rows;
    size_t n;
} tables[] = {[OBJECT_APP] = {app_rows, sizeof app_rows / sizeof app_rows[0]},
              [OBJECT_TEMPLATE] = {template_rows, sizeof template_rows / sizeof template_rows[0]}};

void object_init(struct object *o, enum object_kind kind)
{
    *o = (struct object){.kind = kind};
    if (kind == OBJECT_APP) {
        o->app.enabled = true;
        pin_policy_default(&o->app.policy);
    } else {
        o->tmpl.spec = (struct pin_spec){.type = PIN_NUMERIC, .length = 6};
        str_copy(o->tmpl.language, sizeof o->tmpl.language, "en");
    }
}

static const char *value_of(const struct row *row, const struct object *o, char *buf, size_t size)
{
    return row->get ? row->get(o, buf, size) : (const char *)o + row->at;
}

/* Length of "a.b." in "a.b.c". */
static size_t group_len(const char *field)
{
    const char *dot = strrchr(field, '.');
    return dot ? (size_t)(dot + 1 - field) : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

/* Walks the path; *out is NULL where the body does not have it, *group what it would stand in. */
static int look(const json_t *body, const char *field, const json_t **group, const json_t **out,
                struct object_wrong *wrong)
{
    char part[PATH_MAX_LEN];
    const char *from = field, *dot;
    for (; (dot = strchr(from, '.')); from = dot + 1) {
        str_copy_n(part, sizeof part, from, (size_t)(dot - from));
        body = json_object_get(body, part);
        if (body && !json_is_object(body) && !json_is_null(body)) {
            str_copy_n(part, sizeof part, field, (size_t)(dot - field));
            return wrong_value(wrong, part, "an object is expected");
        }
    }
    const json_t *found = json_object_get(body, from);
    *group = json_is_object(body) ? body : NULL;
    *out = json_is_null(found) ? NULL : found;
    return 0;
}

/* NULL: it is of another type. buf is for what is no string. */
static const char *text_of(const struct row *row, const json_t *v, char *buf, size_t size)
{
    const char *s = json_string_value(v);
    switch (row->kind) {
    case STRING:
        return s && strlen(s) == json_string_length(v) ? s : NULL;
    case BOOLEAN:
        return json_is_true(v) ? "true" : json_is_false(v) ? "false" : NULL;
    case INTEGER:
        snprintf(buf, size, "%lld", (long long)json_integer_value(v));
        return json_is_integer(v) ? buf : NULL;
    case NUMBER:
        snprintf(buf, size, "%.17g", json_number_value(v));
        return json_is_number(v) ? buf : NULL;
    }
    return NULL;
}

static int take(struct object *io, const struct row *row, const json_t *v,
                struct object_wrong *wrong)
{
    static const char *const expected[] = {[STRING] = "a string",
                                           [BOOLEAN] = "true or false",
                                           [INTEGER] = "a whole number",
                                           [NUMBER] = "a number"};
    char buf[40];
    const char *text = text_of(row, v, buf, sizeof buf);
    if (!text)
        return wrong_value(wrong, row->field, "%s is expected", expected[row->kind]);
    return row->set(io, row, text, wrong);
}

/* Is the field needed where it is not given? */
static bool is_missing(const struct row *row, const struct object *io, const json_t *group,
                       unsigned needs)
{
    char buf[40];
    return (row->flags & needs) ||
           ((row->flags & GROUP_NEEDS) && group && !value_of(row, io, buf, sizeof buf)[0]);
}

/* "" was given, or is left, beside others of its group? */
static bool is_lacking(const struct row *row, const struct object *o)
{
    const struct table *t = &tables[o->kind];
    size_t len = group_len(row->field);
    char buf[40];
    if (!(row->flags & GROUP_NEEDS) || value_of(row, o, buf, sizeof buf)[0])
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->rows[i].field, row->field, len) == 0 &&
            value_of(&t->rows[i], o, buf, sizeof buf)[0])
            return true;
    return false;
}

int object_read(struct object *io, const json_t *body, enum object_act act, int version,
                struct object_wrong *wrong)
{
    const struct table *t = &tables[io->kind];
    unsigned needs = act == OBJECT_CREATE ? CREATE_NEEDS : version >= 2 ? UPDATE_V2_NEEDS : 0;
    unsigned skip = READ_ONLY | (version >= 2 ? V1_ALIAS : 0);
    int err = 0;
    for (size_t i = 0; i < t->n && !err; i++) {
        const struct row *row = &t->rows[i];
        const json_t *group = NULL, *v = NULL;
        if (row->flags & skip)
            continue;
        err = look(body, row->field, &group, &v, wrong);
        if (!err && v)
            err = take(io, row, v, wrong);
        else if (!err && is_missing(row, io, group, needs))
            err = wrong_value(wrong, row->field, "%s is needed", row->field);
    }
    for (size_t i = 0; i < t->n && !err; i++)
        if (is_lacking(&t->rows[i], io))
            err = wrong_value(wrong, t->rows[i].field, "%s is needed", t->rows[i].field);
    return err;
}

int object_set(struct object *io, const char *field, const char *value, struct object_wrong *wrong)
{
    const struct table *t = &tables[io->kind];
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].field, field) == 0 && t->rows[i].set)
            return t->rows[i].set(io, &t->rows[i], value, wrong);
    wrong_value(wrong, field, "there is no field of that name");
    return ERR_NOTFOUND;
}

void object_names(enum object_kind kind, const char *path, char *out, size_t size)
{
    const struct table *t = &tables[kind];
    size_t len = strlen(path);
    struct wr w = wr_init(out, size);
    for (size_t i = 0; i < t->n; i++) {
        const char *field = t->rows[i].field;
        if (strncmp(field, path, len) != 0 || strchr(field + len, '.') || !t->rows[i].set)
            continue;
        if (w.len)
            wr_str(&w, ", ");
        wr_str(&w, field + len);
    }
    wr_end(&w);
}

/* --- writing -------------------------------------------------------------------------------- */

/* Ends the groups of the field before (NULL: none) that this one is not in, and begins its own. */
static void enter(struct wr *w, const char *before, const char *field)
{
    size_t had = before ? group_len(before) : 0, has = field ? group_len(field) : 0, same = 0;
    for (size_t i = 0; i < had && i < has && before[i] == field[i]; i++)
        if (field[i] == '.')
            same = i + 1;
    for (size_t i = same; i < had; i++)
        if (before[i] == '.')
            wr_u8(w, '}');
    if (before && field)
        wr_u8(w, ',');
    for (size_t i = same; i < has; i++)
        if (field[i] == '.') {
            json_write_str(w, field + same, i - same);
            wr_str(w, ":{");
            same = i + 1;
        }
}

void object_write(const struct object *o, struct wr *w)
{
    const struct table *t = &tables[o->kind];
    const char *before = NULL;
    char buf[40];
    wr_u8(w, '{');
    for (size_t i = 0; i < t->n; i++) {
        const struct row *row = &t->rows[i];
        const char *value = value_of(row, o, buf, sizeof buf);
        if (!value[0] || (row->flags & V1_ALIAS))
            continue;
        enter(w, before, row->field);
        json_write_key(w, row->field + group_len(row->field));
        if (row->kind == STRING)
            json_write_str(w, value, strlen(value));
        else
            wr_str(w, value);
        before = row->field;
    }
    enter(w, before, NULL);
    wr_u8(w, '}');
}
