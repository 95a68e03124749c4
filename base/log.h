/*
 * Structured log lines: one event a line, key=value, on one file descriptor.
 *
 *   LOG(LOG_LV_INFO, "acme/0", "bind_state", KV_S("from", "BINDING"), KV_S("to", "BOUND"));
 *   -> 2026-11-23T12:00:00.123Z info id=acme/0 event=bind_state from=BINDING to=BOUND
 *
 * The id comes first so that all lines of one request or bind can be found together; NULL leaves
 * it out.  Values are quoted when they hold a space, quote, equals sign or an octet outside
 * printable ASCII; such octets are written \xNN, and a value is cut at 256 octets: a peer cannot
 * forge a line.  A key that names something secret (table in log.c) is written as [redacted].
 * Numbers of persons go through KV_MSISDN only, which masks them.  There is no member that takes
 * a struct secret.  A line that cannot be written is counted, never waited for.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/msisdn.h"

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };

enum log_kind { LOG_KV_END, LOG_KV_STR, LOG_KV_STRN, LOG_KV_INT, LOG_KV_HEX32, LOG_KV_MSISDN };

struct log_kv {
    const char *key;
    enum log_kind kind;
    size_t len; /* of LOG_KV_STRN */
    union {
        const char *s; /* NULL prints as "-" */
        int64_t i;
        const struct msisdn *m;
    } v;
};

#define KV_S(k, str) ((struct log_kv){.key = (k), .kind = LOG_KV_STR, .v.s = (str)})
#define KV_SN(k, str, n)                                                                           \
    ((struct log_kv){.key = (k), .kind = LOG_KV_STRN, .len = (n), .v.s = (str)})
#define KV_I(k, num) ((struct log_kv){.key = (k), .kind = LOG_KV_INT, .v.i = (int64_t)(num)})
/* 0x00000058: SMPP statuses and command ids. */
#define KV_HEX(k, num)    ((struct log_kv){.key = (k), .kind = LOG_KV_HEX32, .v.i = (int64_t)(num)})
#define KV_MSISDN(k, num) ((struct log_kv){.key = (k), .kind = LOG_KV_MSISDN, .v.m = (num)})

#define KV_END ((struct log_kv){.kind = LOG_KV_END})

/* LOG(level, id, event, KV_...) */
#define LOG(level, id, ...) LOG_EVENT(level, id, __VA_ARGS__, KV_END)
#define LOG_EVENT(level, id, event, ...)                                                           \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write(level, id, event, (const struct log_kv[]){__VA_ARGS__});                     \
    } while (0)

/* Where lines go (default: standard error) and from which level up (default: info). */
void log_set_fd(int fd);
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug"; ERR_INVALID otherwise. */
int log_level_parse(const char *name, enum log_level *out) __attribute__((warn_unused_result));
int log_enabled(enum log_level level);
void log_write(enum log_level level, const char *id, const char *event, const struct log_kv *kv);
/* Lines that could not be written since the start. */
uint64_t log_lost(void);

#endif
