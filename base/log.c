#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 4096
#define VALUE_MAX       256
#define MS_AT           20 /* in "2026-11-23T12:00:00.123Z" */

static int log_fd = STDERR_FILENO;
static enum log_level log_threshold = LOG_LV_INFO;
static int log_is_file = -1; /* not looked yet */
static uint64_t log_lost_lines;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Keys whose value is never written, whoever asks. */
static const char *const secret_keys[] = {"password", "pin",           "key",  "secret",
                                          "text",     "short_message", "auth", "nonce",
                                          "tag",      "placeholder"};

void log_set_fd(int fd)
{
    log_fd = fd;
    log_is_file = -1;
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

int log_level_parse(const char *name, enum log_level *out)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    return ERR_INVALID;
}

int log_enabled(enum log_level level)
{
    return level <= log_threshold;
}

uint64_t log_lost(void)
{
    return log_lost_lines;
}

static int is_secret_key(const char *key)
{
    char first = (char)(key[0] | 0x20); /* lower case: most keys are told apart by it alone */
    for (size_t i = 0; i < sizeof secret_keys / sizeof secret_keys[0]; i++)
        if (first == secret_keys[i][0] && strcasecmp(key, secret_keys[i]) == 0)
            return 1;
    return 0;
}

static int needs_quotes(const char *s, size_t n)
{
    if (n == 0)
        return 1;
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '=' || s[i] == '\\')
            return 1;
    return 0;
}

static void put_octet(struct wr *w, unsigned char c)
{
    if (c == '"' || c == '\\')
        wr_u8(w, '\\');
    if (c >= ' ' && c <= '~') {
        wr_u8(w, c);
        return;
    }
    char hex[3];
    hex_encode(&c, 1, hex, false);
    wr_str(w, "\\x");
    wr_str(w, hex);
}

static void put_string(struct wr *w, const char *s, size_t n)
{
    size_t shown = n < VALUE_MAX ? n : VALUE_MAX;
    if (!needs_quotes(s, shown)) {
        wr_bytes(w, s, shown);
        return;
    }
    wr_u8(w, '"');
    for (size_t i = 0; i < shown; i++)
        put_octet(w, (unsigned char)s[i]);
    if (shown < n)
        wr_str(w, "...");
    wr_u8(w, '"');
}

static void put_value(struct wr *w, const struct log_kv *kv)
{
    char tmp[MSISDN_MASK_SIZE];
    if (is_secret_key(kv->key)) {
        wr_str(w, "[redacted]");
        return;
    }
    switch (kv->kind) {
    case LOG_KV_STR:
        put_string(w, kv->v.s ? kv->v.s : "-", kv->v.s ? strlen(kv->v.s) : 1);
        break;
    case LOG_KV_STRN:
        put_string(w, kv->v.s, kv->len);
        break;
    case LOG_KV_INT:
        wr_dec(w, kv->v.i);
        break;
    case LOG_KV_HEX32:
        snprintf(tmp, sizeof tmp, "0x%08x", (unsigned)kv->v.i);
        wr_str(w, tmp);
        break;
    case LOG_KV_MSISDN:
        msisdn_mask(kv->v.m, tmp);
        wr_str(w, tmp);
        break;
    case LOG_KV_END:
        break;
    }
}

/* The calendar is asked once a second; within it only the milliseconds change. */
static void put_time(struct wr *w)
{
    static char text[32];
    static int64_t second = INT64_MIN;
    int64_t ms = wall_ms();
    if (ms / 1000 != second) {
        second = ms / 1000;
        wall_format(ms, text, sizeof text);
    }
    unsigned part = (unsigned)(ms % 1000);
    char *digits = text + MS_AT;
    digits[0] = (char)('0' + part / 100);
    digits[1] = (char)('0' + part / 10 % 10);
    digits[2] = (char)('0' + part % 10);
    wr_str(w, text);
}

static void put_head(struct wr *w, enum log_level level, const char *id, const char *event)
{
    put_time(w);
    wr_u8(w, ' ');
    wr_str(w, level_names[level]);
    if (id) {
        wr_str(w, " id=");
        put_string(w, id, strlen(id));
    }
    wr_str(w, " event=");
    wr_str(w, event);
}

/* A pipe or a socket whose reader has stopped; files are never asked, it costs a call a line. */
static int would_wait(void)
{
    struct pollfd p = {.fd = log_fd, .events = POLLOUT};
    struct stat st;
    if (log_is_file < 0)
        log_is_file = fstat(log_fd, &st) == 0 && S_ISREG(st.st_mode);
    return !log_is_file && poll(&p, 1, 0) == 0;
}

void log_write(enum log_level level, const char *id, const char *event, const struct log_kv *kv)
{
    char line[LINE_MAX_OCTETS];
    struct wr w = wr_init(line, sizeof line - 1);
    put_head(&w, level, id, event);
    for (; kv->kind != LOG_KV_END; kv++) {
        struct wr before = w;
        wr_u8(&w, ' ');
        wr_str(&w, kv->key);
        wr_u8(&w, '=');
        put_value(&w, kv);
        if (w.bad) { /* no room: this pair is left out, the line stays whole */
            w = before;
            break;
        }
    }
    line[w.len] = '\n';
    if (would_wait() || write(log_fd, line, w.len + 1) != (ssize_t)(w.len + 1))
        log_lost_lines++;
}
