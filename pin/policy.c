/* Limits and lives of an application, in the words of the HTTP API. */
#include "base/buf.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <string.h>
#include <strings.h>

#define DAY_MS       INT64_C(86400000)
#define YEAR_MS      (365 * DAY_MS)
#define ATTEMPTS_MAX 1000
#define COUNT_MAX    1000000000 /* of a limit */

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS}};

/* ^\d*; at least min digits.  Overflow is an error. */
static int parse_digits(const char **p, size_t min, int64_t *out)
{
    const char *s = *p;
    int64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return ERR_INVALID;
    if ((size_t)(s - *p) < min)
        return ERR_INVALID;
    *out = v;
    *p = s;
    return 0;
}

int pin_period_parse(const char *text, int64_t *ms)
{
    const char *p = text;
    int64_t n;
    if (parse_digits(&p, 0, &n))
        return ERR_INVALID;
    if (p == text)
        n = 1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(p, units[i].name) == 0)
            return __builtin_mul_overflow(n, units[i].ms, ms) ? ERR_INVALID : 0;
    return ERR_INVALID;
}

int pin_limit_parse(const char *text, struct pin_limit *out)
{
    struct pin_limit l = {0};
    const char *p = text;
    int64_t n;
    if (!str_copy(l.text, sizeof l.text, text) || parse_digits(&p, 1, &n) || *p != '/' ||
        n > UINT32_MAX || pin_period_parse(p + 1, &l.window_ms))
        return ERR_INVALID;
    l.count = (uint32_t)n;
    *out = l;
    return 0;
}

void pin_policy_default(struct pin_policy *p)
{
    *p = (struct pin_policy){.pin_attempts = 10,
                             .allow_multiple = true,
                             .ttl_ms = 900000,
                             .ttl_text = "15m",
                             .verify = {1, 3000, "1/3s"},
                             .per_app = {10000, DAY_MS, "10000/1d"},
                             .per_phone = {3, DAY_MS, "3/1d"}};
}

/* --- by key -------------------------------------------------------------------------------- */

struct setting {
    const char *value;
    const char *key;
    char *why;
    size_t why_size;
};

#define WRONG(s, rule)                                                                             \
    pin_why((s)->why, (s)->why_size, ERR_INVALID, "%s must be %s", (s)->key, rule)

static int set_attempts(struct pin_policy *p, const struct setting *s)
{
    const char *v = s->value;
    int64_t n;
    if (parse_digits(&v, 1, &n) || *v || n < 1 || n > ATTEMPTS_MAX)
        return WRONG(s, "a whole number from 1 to 1000");
    p->pin_attempts = (uint32_t)n;
    return 0;
}

static int set_multiple(struct pin_policy *p, const struct setting *s)
{
    bool yes = strcasecmp(s->value, "true") == 0 || strcmp(s->value, "1") == 0;
    if (!yes && strcasecmp(s->value, "false") != 0 && strcmp(s->value, "0") != 0)
        return WRONG(s, "true or false");
    p->allow_multiple = yes;
    return 0;
}

static int set_ttl(struct pin_policy *p, const struct setting *s)
{
    int64_t ms;
    if (strlen(s->value) >= sizeof p->ttl_text || pin_period_parse(s->value, &ms) || ms < 1 ||
        ms > YEAR_MS)
        return WRONG(s, "a time like 15m (ms, s, m, h or d), more than 0 and at most 365d");
    p->ttl_ms = ms;
    str_copy(p->ttl_text, sizeof p->ttl_text, s->value);
    return 0;
}

static int set_limit(struct pin_limit *l, const struct setting *s, int64_t max_ms)
{
    struct pin_limit new;
    if (pin_limit_parse(s->value, &new) || new.count < 1 || new.count > COUNT_MAX ||
        new.window_ms < 1 || new.window_ms > max_ms)
        return WRONG(s, max_ms == DAY_MS
                            ? "a limit like 1/3s (at least 1; ms, s, m, h or d), at most 1d"
                            : "a limit like 3/1d (at least 1; ms, s, m, h or d), at most 365d");
    *l = new;
    return 0;
}

static int set_verify(struct pin_policy *p, const struct setting *s)
{
    return set_limit(&p->verify, s, DAY_MS);
}

static int set_per_app(struct pin_policy *p, const struct setting *s)
{
    return set_limit(&p->per_app, s, YEAR_MS);
}

static int set_per_phone(struct pin_policy *p, const struct setting *s)
{
    return set_limit(&p->per_phone, s, YEAR_MS);
}

static const struct {
    const char *key;
    int (*set)(struct pin_policy *p, const struct setting *s);
} settings[] = {
    {"pinAttempts", set_attempts},
    {"allowMultiplePinVerifications", set_multiple},
    {"pinTimeToLive", set_ttl},
    {"verifyPinLimit", set_verify},
    {"sendPinPerApplicationLimit", set_per_app},
    {"sendPinPerPhoneNumberLimit", set_per_phone},
};

int pin_policy_set(struct pin_policy *p, const char *key, const char *value, char *why,
                   size_t why_size)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].key, key) == 0) {
            struct setting s = {value, settings[i].key, why, why_size};
            return settings[i].set(p, &s);
        }
    return pin_why(why, why_size, ERR_NOTFOUND, "there is no setting of that name");
}
