#include "gateway/resp_parse.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct cursor {
    char *p;
    char *end;
};

/* A line "<type><integer>\r\n".  *n may be negative. */
static enum resp_result take_number(struct cursor *c, char type, long *n, const char **error)
{
    char *nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
    if (!nl) {
        *error = "too big a length line";
        return c->end - c->p > 32 ? RESP_ERROR : RESP_MORE;
    }
    char *p = c->p;
    bool negative = false;
    *error = type == '*' ? "invalid multibulk length" : "invalid bulk length";
    if (*p++ != type) {
        *error = "expected '$'";
        return RESP_ERROR;
    }
    if (p < nl && *p == '-') {
        negative = true;
        p++;
    }
    size_t digits = 0;
    for (*n = 0; p < nl && *p >= '0' && *p <= '9' && digits < 10; p++, digits++)
        *n = *n * 10 + (*p - '0');
    if (!digits || p + 1 != nl || *p != '\r')
        return RESP_ERROR;
    if (negative)
        *n = -*n;
    c->p = nl + 1;
    return RESP_OK;
}

static enum resp_result take_bulk(struct cursor *c, const struct resp_limits *limits,
                                  struct resp_command *out)
{
    long n;
    enum resp_result r = take_number(c, '$', &n, &out->error);
    if (r != RESP_OK)
        return r;
    if (n < 0 || (size_t)n > limits->max_bulk) {
        out->error = "invalid bulk length";
        return RESP_ERROR;
    }
    if (c->end - c->p < n + 2)
        return RESP_MORE;
    if (c->p[n] != '\r' || c->p[n + 1] != '\n') {
        out->error = "expected a line end behind the argument";
        return RESP_ERROR;
    }
    out->argv[out->argc++] = (struct resp_arg){c->p, (size_t)n};
    c->p += n + 2;
    return RESP_OK;
}

static enum resp_result parse_array(char *buf, size_t len, const struct resp_limits *limits,
                                    struct resp_command *out)
{
    struct cursor c = {buf, buf + len};
    long n;
    enum resp_result r = take_number(&c, '*', &n, &out->error);
    if (r != RESP_OK)
        return r;
    if (n > (long)limits->max_args) {
        out->error = "too many arguments";
        return RESP_ERROR;
    }
    while ((long)out->argc < n) {
        if (c.p < c.end && *c.p != '$') {
            out->error = "expected '$'";
            return RESP_ERROR;
        }
        r = c.p < c.end ? take_bulk(&c, limits, out) : RESP_MORE;
        if (r != RESP_OK)
            return r;
    }
    out->consumed = (size_t)(c.p - buf);
    /* not before the request is whole: it may be looked at again with more octets */
    for (size_t i = 0; i < out->argc; i++)
        out->argv[i].p[out->argv[i].len] = 0;
    return RESP_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One word at p, quotes taken off in place ("a \" b" or 'a b'); NULL: the quotes do not match. */
static char *take_word(char *p, char *end, struct resp_arg *out)
{
    char quote = *p == '"' || *p == '\'' ? *p++ : 0;
    char *to = out->p = p;
    while (p < end && (quote ? *p != quote : !is_blank(*p))) {
        if (quote == '"' && *p == '\\' && p + 1 < end)
            p++;
        *to++ = *p++;
    }
    if (quote && (p == end || (p + 1 < end && !is_blank(p[1]))))
        return NULL;
    out->len = (size_t)(to - out->p);
    p = p < end ? p + 1 : p;
    *to = 0; /* on a quote, a blank or the line end */
    return p;
}

static enum resp_result split_line(char *buf, char *nl, const struct resp_limits *limits,
                                   struct resp_command *out)
{
    out->consumed = (size_t)(nl + 1 - buf);
    for (char *p = buf; p < nl;) {
        if (is_blank(*p)) {
            p++;
            continue;
        }
        out->error = "too many arguments";
        if (out->argc == limits->max_args)
            return RESP_ERROR;
        out->error = "unbalanced quotes in request";
        p = take_word(p, nl, &out->argv[out->argc++]);
        if (!p)
            return RESP_ERROR;
    }
    return RESP_OK;
}

static bool is_http(const struct resp_command *c)
{
    static const char *const words[] = {"POST", "Host:"};
    for (size_t i = 0; c->argc && i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(c->argv[0].p, words[i]) == 0)
            return true;
    return false;
}

static enum resp_result parse_inline(char *buf, size_t len, const struct resp_limits *limits,
                                     struct resp_command *out)
{
    char *nl = memchr(buf, '\n', len);
    if (!nl || (size_t)(nl - buf) > limits->max_bulk) {
        out->error = "too big inline request";
        return nl || len > limits->max_bulk ? RESP_ERROR : RESP_MORE;
    }
    enum resp_result r = split_line(buf, nl, limits, out);
    return r == RESP_OK && is_http(out) ? RESP_HTTP : r;
}

enum resp_result resp_parse(char *buf, size_t len, const struct resp_limits *limits,
                            struct resp_command *out)
{
    out->argc = 0;
    out->consumed = 0;
    out->error = NULL;
    if (len == 0)
        return RESP_MORE;
    enum resp_result r = buf[0] == '*' ? parse_array(buf, len, limits, out)
                                       : parse_inline(buf, len, limits, out);
    if (r == RESP_MORE && len > limits->max_total) {
        out->error = "too big a request";
        return RESP_ERROR;
    }
    return r;
}
