#include "tests/sim/witness.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The longest line: a text in which every octet becomes \u00XX, and the other fields. */
#define LINE_MAX_OCTETS (6 * WITNESS_TEXT_MAX + 16 * 1024)
#define FLUSH_AT        (64 * 1024)

struct witness {
    int fd;
    bool quiet;
    bool skip; /* the line being built is not wanted */
    bool gone;
    size_t len;
    char buf[FLUSH_AT + LINE_MAX_OCTETS];
};

struct witness *witness_new(int fd, bool quiet)
{
    struct witness *w = calloc(1, sizeof *w);
    if (w) {
        w->fd = fd;
        w->quiet = quiet;
    }
    return w;
}

static void put(struct witness *w, const char *s, size_t n)
{
    memcpy(w->buf + w->len, s, n);
    w->len += n;
}

static void put_str(struct witness *w, const char *s)
{
    put(w, s, strlen(s));
}

static void put_dec(struct witness *w, int64_t v)
{
    char d[24];
    size_t i = sizeof d;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        d[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        d[--i] = '-';
    put(w, d + i, sizeof d - i);
}

static void put_u(struct witness *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char e[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    put(w, e, sizeof e);
}

static void put_quoted(struct witness *w, const char *s, size_t len, bool utf8)
{
    w->buf[w->len++] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            w->buf[w->len++] = '\\';
            w->buf[w->len++] = (char)c;
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            put_u(w, c);
        } else {
            w->buf[w->len++] = (char)c;
        }
    }
    w->buf[w->len++] = '"';
}

static void put_key(struct witness *w, const char *key)
{
    put_str(w, ",\"");
    put_str(w, key);
    put_str(w, "\":");
}

static void begin(struct witness *w, const char *ev)
{
    w->skip = w->gone;
    if (w->skip)
        return;
    put_str(w, "{\"ev\":\"");
    put_str(w, ev);
    put_str(w, "\",\"t\":");
    put_dec(w, wall_ms());
}

void witness_begin(struct witness *w, const char *ev)
{
    if (w->quiet)
        w->skip = true;
    else
        begin(w, ev);
}

void witness_begin_always(struct witness *w, const char *ev)
{
    begin(w, ev);
}

void witness_int(struct witness *w, const char *key, int64_t v)
{
    if (w->skip)
        return;
    put_key(w, key);
    put_dec(w, v);
}

void witness_str(struct witness *w, const char *key, const char *s)
{
    if (w->skip)
        return;
    put_key(w, key);
    put_quoted(w, s, strlen(s), false);
}

void witness_text(struct witness *w, const char *key, const char *utf8, size_t len)
{
    if (w->skip)
        return;
    put_key(w, key);
    put_quoted(w, utf8, len < WITNESS_TEXT_MAX ? len : WITNESS_TEXT_MAX, true);
}

void witness_end(struct witness *w)
{
    if (w->skip)
        return;
    put_str(w, "}\n");
    if (w->len >= FLUSH_AT)
        w->gone = !witness_flush(w);
}

bool witness_flush(struct witness *w)
{
    for (size_t off = 0; off < w->len && !w->gone;) {
        ssize_t n = write(w->fd, w->buf + off, w->len - off);
        if (n > 0)
            off += (size_t)n;
        else if (errno != EINTR)
            w->gone = true;
    }
    w->len = 0;
    return !w->gone;
}

void witness_free(struct witness *w)
{
    free(w);
}
