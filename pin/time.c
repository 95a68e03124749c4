/* RFC 3339 times of the key file. */
#include "base/result.h"
#include "pin/pin.h"

#include <string.h>
#include <time.h>

static int two_digits(const char **p, int lo, int hi, int *out)
{
    const char *s = *p;
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return ERR_INVALID;
    *out = (s[0] - '0') * 10 + (s[1] - '0');
    *p = s + 2;
    return *out >= lo && *out <= hi ? 0 : ERR_INVALID;
}

static bool skip(const char **p, const char *any)
{
    if (!**p || !strchr(any, **p))
        return false;
    (*p)++;
    return true;
}

/* Milliseconds of ".123456"; nothing there is 0. */
static int parse_fraction(const char **p, int *ms)
{
    *ms = 0;
    if (!skip(p, "."))
        return 0;
    int scale = 100;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ms += (**p - '0') * scale;
    return *p > start ? 0 : ERR_INVALID;
}

/* Seconds east of UTC. */
static int parse_offset(const char **p, int *offset_s)
{
    *offset_s = 0;
    if (skip(p, "Zz"))
        return 0;
    int sign = **p == '-' ? -1 : 1;
    int h, m;
    if (!skip(p, "+-") || two_digits(p, 0, 23, &h) || !skip(p, ":") || two_digits(p, 0, 59, &m))
        return ERR_INVALID;
    *offset_s = sign * (h * 3600 + m * 60);
    return 0;
}

int pin_time_parse(const char *text, int64_t *ms)
{
    const char *p = text;
    struct tm tm = {0};
    int century, year, fraction, offset_s;
    if (two_digits(&p, 19, 99, &century) || two_digits(&p, 0, 99, &year) || !skip(&p, "-") ||
        two_digits(&p, 1, 12, &tm.tm_mon) || !skip(&p, "-") || two_digits(&p, 1, 31, &tm.tm_mday) ||
        !skip(&p, "Tt") || two_digits(&p, 0, 23, &tm.tm_hour) || !skip(&p, ":") ||
        two_digits(&p, 0, 59, &tm.tm_min) || !skip(&p, ":") || two_digits(&p, 0, 59, &tm.tm_sec) ||
        parse_fraction(&p, &fraction) || parse_offset(&p, &offset_s) || *p)
        return ERR_INVALID;
    tm.tm_year = century * 100 + year - 1900;
    tm.tm_mon--;
    int day = tm.tm_mday;
    int64_t s = timegm(&tm);
    if (tm.tm_mday != day) /* 30 February moves on to March */
        return ERR_INVALID;
    *ms = (s - offset_s) * 1000 + fraction;
    return 0;
}
