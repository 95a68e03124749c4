#include "gateway/http_chunks.h"

#include "base/buf.h"

#include <stdint.h>

/* Of a size line; clients that send extensions are not known to exist. */
#define LINE_MAX_OCTETS 128

static void fail(struct http_chunks *c, int status, const char *error)
{
    if (!c->status) {
        c->status = status;
        c->error = error;
    }
}

static void take_digit(struct http_chunks *c, int digit)
{
    c->digits++;
    c->left = c->left * 16 + (size_t)digit; /* of what was no more than room: no overflow */
    if (c->left > c->room)
        fail(c, 413, "the body is too long");
}

static bool is_extension_char(const struct http_chunks *c, char ch)
{
    if (c->state == HTTP_CHUNKS_SIZE) /* behind the digits */
        return ch == ';'; /* a blank there is bad form, which others read in more than one way */
    return ch == '\t' || ((uint8_t)ch >= 0x20 && ch != 0x7f);
}

static enum http_chunks_state take_size(struct http_chunks *c, char ch)
{
    int digit = hex_value(ch);
    if (++c->line > LINE_MAX_OCTETS)
        fail(c, 400, "the size line of a chunk is too long");
    if (c->state == HTTP_CHUNKS_SIZE && digit >= 0) {
        take_digit(c, digit);
        return HTTP_CHUNKS_SIZE;
    }
    if (!c->digits)
        fail(c, 400, "a chunk without its size");
    if (ch == '\r')
        return HTTP_CHUNKS_SIZE_LF;
    if (!is_extension_char(c, ch))
        fail(c, 400, "a chunk whose size is no number");
    return HTTP_CHUNKS_EXTENSION;
}

static enum http_chunks_state expect(struct http_chunks *c, bool is_there,
                                     enum http_chunks_state next, const char *error)
{
    if (!is_there)
        fail(c, 400, error);
    return next;
}

static enum http_chunks_state take(struct http_chunks *c, char ch)
{
    static const char no_line_end[] = "a chunk without its line end";
    switch (c->state) {
    case HTTP_CHUNKS_SIZE:
    case HTTP_CHUNKS_EXTENSION:
        return take_size(c, ch);
    case HTTP_CHUNKS_SIZE_LF:
        return expect(c, ch == '\n', c->left ? HTTP_CHUNKS_DATA : HTTP_CHUNKS_END_CR, no_line_end);
    case HTTP_CHUNKS_DATA_CR:
        return expect(c, ch == '\r', HTTP_CHUNKS_DATA_LF, no_line_end);
    case HTTP_CHUNKS_DATA_LF:
        c->line = c->digits = 0;
        return expect(c, ch == '\n', HTTP_CHUNKS_SIZE, no_line_end);
    case HTTP_CHUNKS_END_CR:
        return expect(c, ch == '\r', HTTP_CHUNKS_END_LF, "trailers are not taken");
    case HTTP_CHUNKS_END_LF:
        return expect(c, ch == '\n', HTTP_CHUNKS_END, no_line_end);
    case HTTP_CHUNKS_DATA:
    case HTTP_CHUNKS_END:
        break;
    }
    return c->state;
}

size_t http_chunks_frame(struct http_chunks *c, const char *data, size_t len)
{
    size_t i = 0;
    while (i < len && !c->status && c->state != HTTP_CHUNKS_DATA && c->state != HTTP_CHUNKS_END)
        c->state = take(c, data[i++]);
    return i;
}

void http_chunks_took(struct http_chunks *c, size_t n)
{
    c->left -= n;
    c->room -= n;
    if (!c->left)
        c->state = HTTP_CHUNKS_DATA_CR;
}
