#include "gateway/http_parse.h"

#include "base/secret.h"
#include "gateway/http_chunks.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_HEAD 1024
#define FIRST_BODY 512

/* Octets that are wiped wherever they move from. */
struct store_of {
    char *p;
    size_t len, cap, max;
};

struct span {
    size_t off, len;
    bool is_set;
};

enum stage { STAGE_HEAD, STAGE_LENGTH, STAGE_CHUNKS, STAGE_DONE };

struct http_parse {
    http_parser lib;
    struct http_message m;
    enum stage stage;
    struct store_of head, body;
    /* the guard */
    uint8_t skipped; /* octets of an empty line before the request line */
    uint8_t prev;
    size_t line_len;
    /* the head */
    struct span target, name, headers[HTTP_N_HEADERS];
    struct span url_path, url_query; /* of the target's absolute form */
    bool is_chunked, has_length, has_expect;
    /* the body */
    struct http_chunks chunks;
    size_t left; /* of a body with its length */
};

static enum http_parse_result fail(struct http_parse *p, int status, const char *error)
{
    if (!p->m.status) {
        p->m.status = status;
        p->m.error = error;
    }
    return HTTP_PARSE_ERROR;
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool grow(struct store_of *s, size_t need, size_t first)
{
    size_t cap = s->cap ? s->cap : first;
    while (cap < need)
        cap *= 2;
    char *fresh = malloc(cap + 1); /* a NUL behind the body */
    if (!fresh)
        return false;
    if (s->len)
        memcpy(fresh, s->p, s->len);
    secret_wipe(s->p, s->len);
    free(s->p);
    s->p = fresh;
    s->cap = cap;
    return true;
}

static bool append(struct store_of *s, const char *data, size_t len, size_t first)
{
    if (s->len + len > s->cap && !grow(s, s->len + len, first))
        return false;
    memcpy(s->p + s->len, data, len);
    s->len += len;
    return true;
}

static void store_free(struct store_of *s)
{
    secret_wipe(s->p, s->len);
    free(s->p);
}

/* --- the guard over the head ----------------------------------------------------------------- */

static const char *fault_of(uint8_t prev, uint8_t c)
{
    if (prev == '\r' && c != '\n')
        return "a CR without its LF";
    if (c == '\n' && prev != '\r')
        return "an LF without its CR";
    if (c < 0x20 && c != '\t' && c != '\r' && c != '\n')
        return "a control character in the head";
    if (c == 0x7f)
        return "a control character in the head";
    if (prev == '\n' && (c == ' ' || c == '\t'))
        return "a line that begins with white space";
    return NULL;
}

/* Octets that are no fault wherever they stand but at the edges of a line. */
static size_t text_len(const char *data, size_t len)
{
    size_t i = 0;
    while (i < len && (uint8_t)data[i] >= 0x20 && data[i] != 0x7f)
        i++;
    return i;
}

/* Walks the octets of the head; true: it ends behind *used. */
static bool guard(struct http_parse *p, const char *data, size_t len, size_t *used)
{
    size_t i = 0;
    bool is_end = false;
    while (i < len && !is_end && !p->m.status) {
        size_t n = p->prev == '\r' || p->prev == '\n' ? 0 : text_len(data + i, len - i);
        p->line_len += n;
        i += n;
        if (n)
            p->prev = 'x';
        if (i == len)
            break;
        uint8_t prev = p->prev, c = (uint8_t)data[i++];
        const char *fault = fault_of(prev, c);
        p->prev = c;
        if (fault)
            fail(p, 400, fault);
        is_end = c == '\n' && p->line_len == 0;
        if (c == '\n')
            p->line_len = 0;
        else if (c != '\r')
            p->line_len++;
    }
    *used = i;
    return is_end;
}

/* RFC 9112 section 2.2: one empty line before the request line is left out. */
static size_t skip_empty_line(struct http_parse *p, const char *data, size_t len)
{
    size_t n = 0;
    while (p->head.len == 0 && n < len && p->skipped < 2 && data[n] == "\r\n"[p->skipped]) {
        p->prev = (uint8_t)data[n++];
        p->skipped++;
    }
    return n;
}

/* --- what libhttp-parser finds --------------------------------------------------------------- */

static bool is_token_char(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr(others, c));
}

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_token_char((uint8_t)s[i]))
            return false;
    return len > 0;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static bool is_digits(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return len > 0;
}

static void take_length(struct http_parse *p, const char *at, size_t len)
{
    if (p->has_length)
        fail(p, 400, "two Content-Length headers");
    else if (!is_digits(at, len))
        fail(p, 400, "a Content-Length that is not a number");
    p->has_length = true;
}

static void take_coding(struct http_parse *p, const char *at, size_t len)
{
    if (p->is_chunked)
        fail(p, 400, "two Transfer-Encoding headers");
    else if (p->lib.http_minor == 0)
        fail(p, 400, "Transfer-Encoding in HTTP/1.0");
    else if (!is_word(at, len, "chunked"))
        fail(p, 501, "a transfer coding other than chunked");
    p->is_chunked = true;
}

static void take_expect(struct http_parse *p, const char *at, size_t len)
{
    if (p->lib.http_minor == 0) /* RFC 9110 section 10.1.1 */
        return;
    if (!is_word(at, len, "100-continue"))
        fail(p, 417, "an expectation other than 100-continue");
    p->has_expect = true;
}

static void keep_header(struct http_parse *p, enum http_header h, const char *at, size_t len)
{
    if (p->headers[h].is_set)
        fail(p, 400, "a header that may stand once stands twice");
    p->headers[h] = (struct span){(size_t)(at - p->head.p), len, true};
}

static bool name_is(const struct http_parse *p, const char *word)
{
    return is_word(p->head.p + p->name.off, p->name.len, word);
}

static void take_header(struct http_parse *p, const char *at, size_t len)
{
    static const char *const kept[HTTP_N_HEADERS] = {
        [HTTP_AUTHORIZATION] = "Authorization",
        [HTTP_CONTENT_TYPE] = "Content-Type",
        [HTTP_CONTENT_ENCODING] = "Content-Encoding",
        [HTTP_HOST] = "Host",
        [HTTP_ORIGIN] = "Origin",
    };
    for (int h = 0; h < HTTP_N_HEADERS; h++)
        if (name_is(p, kept[h])) {
            keep_header(p, (enum http_header)h, at, len);
            return;
        }
    if (name_is(p, "Content-Length"))
        take_length(p, at, len);
    else if (name_is(p, "Transfer-Encoding"))
        take_coding(p, at, len);
    else if (name_is(p, "Expect"))
        take_expect(p, at, len);
}

static const char no_version[] = "neither HTTP/1.0 nor HTTP/1.1";

static bool check_version(struct http_parse *p)
{
    if (p->lib.http_major != 1 || p->lib.http_minor > 1)
        fail(p, 505, no_version);
    return !p->m.status;
}

/* The head is given to the library whole, so each callback has all of its part. */

static int url_cb(http_parser *lib, const char *at, size_t len)
{
    struct http_parse *p = lib->data;
    p->target = (struct span){(size_t)(at - p->head.p), len, true};
    return 0;
}

static int name_cb(http_parser *lib, const char *at, size_t len)
{
    struct http_parse *p = lib->data;
    p->name = (struct span){(size_t)(at - p->head.p), len, true};
    if (check_version(p) && !is_token(at, len))
        fail(p, 400, "a header whose name is not a token");
    return p->m.status;
}

static int value_cb(http_parser *lib, const char *at, size_t len)
{
    struct http_parse *p = lib->data;
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    take_header(p, at, len);
    return p->m.status;
}

static int head_cb(http_parser *lib)
{
    struct http_parse *p = lib->data;
    p->m.is_head_done = true;
    p->m.keep_alive = http_should_keep_alive(lib) && !(lib->flags & F_CONNECTION_CLOSE);
    p->m.is_http_1_0 = lib->http_minor == 0;
    return 0;
}

/* --- the head as a whole --------------------------------------------------------------------- */

static bool is_host_char(uint8_t c)
{
    return c != '[' && c != ']' && c != '@' && c != ':' && c != '/' && c != '?' && c != '#' &&
           c != '\\' && c != '"' && c != '<' && c != '>' && c != '^' && c != '`' && c != '{' &&
           c != '|' && c != '}' && c > 0x20 && c < 0x7f;
}

/* RFC 9110 section 7.2: a name or address, and perhaps a port. */
static bool is_host(const char *s, size_t len)
{
    size_t i = 0;
    if (len && s[0] == '[') {
        for (i = 1; i < len && (strchr("0123456789abcdefABCDEF:.", s[i])); i++)
            ;
        if (i < 3 || i == len || s[i++] != ']')
            return false;
    } else {
        while (i < len && is_host_char((uint8_t)s[i]))
            i++;
    }
    if (i == 0 || i == len)
        return i > 0;
    return s[i] == ':' && (i + 1 == len || (len - i <= 6 && is_digits(s + i + 1, len - i - 1)));
}

static bool check_host(struct http_parse *p)
{
    const struct span *h = &p->headers[HTTP_HOST];
    if (!h->is_set && p->lib.http_minor == 1)
        fail(p, 400, "no Host header");
    else if (h->is_set && !is_host(p->head.p + h->off, h->len))
        fail(p, 400, "a Host header that names no host");
    return !p->m.status;
}

static bool split_absolute(struct http_parse *p, const char *target)
{
    struct http_parser_url u;
    http_parser_url_init(&u);
    if (http_parser_parse_url(target, p->target.len, 0, &u) || (u.field_set & 1 << UF_USERINFO))
        return false;
    if (u.field_set & 1 << UF_PATH)
        p->url_path = (struct span){p->target.off + u.field_data[UF_PATH].off,
                                    u.field_data[UF_PATH].len, true};
    if (u.field_set & 1 << UF_QUERY)
        p->url_query = (struct span){p->target.off + u.field_data[UF_QUERY].off,
                                     u.field_data[UF_QUERY].len, true};
    return true;
}

static void split_origin(struct http_parse *p, const char *target)
{
    const char *mark = memchr(target, '?', p->target.len);
    size_t len = mark ? (size_t)(mark - target) : p->target.len;
    p->url_path = (struct span){p->target.off, len, true};
    if (mark)
        p->url_query = (struct span){p->target.off + len + 1, p->target.len - len - 1, true};
}

/* The library takes several blanks, too; others may read a target that begins with one. */
static bool check_blanks(struct http_parse *p)
{
    const char *t = p->head.p + p->target.off;
    if (t[-2] == ' ' || strncmp(t + p->target.len, " HTTP/", 6) != 0)
        fail(p, 400, "a request line that is not method, path and version, a blank between each");
    return !p->m.status;
}

static bool check_target(struct http_parse *p)
{
    const char *t = p->head.p + p->target.off;
    size_t len = p->target.len;
    bool is_absolute = (len > 7 && strncasecmp(t, "http://", 7) == 0) ||
                       (len > 8 && strncasecmp(t, "https://", 8) == 0);
    bool is_star = len == 1 && *t == '*' && p->lib.method == HTTP_OPTIONS;
    if (p->lib.method == HTTP_CONNECT || !len || memchr(t, '#', len) || memchr(t, '\t', len) ||
        (is_absolute && !split_absolute(p, t)) || (!is_absolute && *t != '/' && !is_star))
        fail(p, 400, "a request target that is no path");
    else if (!is_absolute)
        split_origin(p, t);
    return !p->m.status;
}

/* Where the lines ended is room for NULs: the views are strings. */
static const char *view(struct http_parse *p, const struct span *s, const char *otherwise)
{
    if (!s->is_set || !s->len)
        return otherwise;
    p->head.p[s->off + s->len] = 0;
    return p->head.p + s->off;
}

static void fill_message(struct http_parse *p)
{
    p->m.path = view(p, &p->url_path, "/");
    p->m.query = view(p, &p->url_query, "");
    for (int h = 0; h < HTTP_N_HEADERS; h++)
        p->m.headers[h] = view(p, &p->headers[h], p->headers[h].is_set ? "" : NULL);
    p->m.body = "";
}

static enum http_verb verb_of(unsigned method)
{
    switch (method) {
    case HTTP_GET:
        return HTTP_VERB_GET;
    case HTTP_HEAD:
        return HTTP_VERB_HEAD;
    case HTTP_POST:
        return HTTP_VERB_POST;
    case HTTP_PUT:
        return HTTP_VERB_PUT;
    case HTTP_OPTIONS:
        return HTTP_VERB_OPTIONS;
    default:
        return HTTP_VERB_OTHER;
    }
}

/* What the library itself does not like. */
static enum http_parse_result fail_of_library(struct http_parse *p)
{
    static const char http_2[] = "PRI * HTTP/2.0\r\n";
    const char *end = memchr(p->head.p, ' ', p->head.len);
    switch (HTTP_PARSER_ERRNO(&p->lib)) {
    case HPE_INVALID_METHOD:
        if (p->head.len > sizeof http_2 && memcmp(p->head.p, http_2, sizeof http_2 - 1) == 0)
            return fail(p, 505, no_version);
        if (end && is_token(p->head.p, (size_t)(end - p->head.p)))
            return fail(p, 501, "a method that is not known");
        return fail(p, 400, "no request line");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return fail(p, 400, "Content-Length twice, or with Transfer-Encoding");
    case HPE_INVALID_CONTENT_LENGTH:
        return fail(p, 400, "a Content-Length that is not a number");
    case HPE_HEADER_OVERFLOW:
        return fail(p, 431, "the head is too long");
    default:
        return fail(p, 400, "a head that is not HTTP/1.1");
    }
}

static enum http_parse_result begin_body(struct http_parse *p)
{
    if (p->is_chunked && p->has_length)
        return fail(p, 400, "Content-Length with Transfer-Encoding");
    if (p->is_chunked) {
        p->stage = STAGE_CHUNKS;
        p->chunks.room = p->body.max;
    } else if (p->has_length && p->lib.content_length > p->body.max) {
        return fail(p, 413, "the body is too long");
    } else {
        p->left = p->has_length ? (size_t)p->lib.content_length : 0;
        p->stage = p->left ? STAGE_LENGTH : STAGE_DONE;
    }
    p->m.expects_continue = p->has_expect && p->stage != STAGE_DONE;
    return p->stage == STAGE_DONE ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

static enum http_parse_result parse_head(struct http_parse *p)
{
    static const http_parser_settings settings = {.on_url = url_cb,
                                                  .on_header_field = name_cb,
                                                  .on_header_value = value_cb,
                                                  .on_headers_complete = head_cb};
    /* it sees no more than the head: an Upgrade that is offered (h2c, say) changes nothing */
    http_parser_init(&p->lib, HTTP_REQUEST);
    p->lib.data = p;
    http_parser_execute(&p->lib, &settings, p->head.p, p->head.len);
    if (HTTP_PARSER_ERRNO(&p->lib) != HPE_INVALID_METHOD)
        p->m.verb = verb_of(p->lib.method);
    if (p->m.status)
        return HTTP_PARSE_ERROR;
    if (HTTP_PARSER_ERRNO(&p->lib) != HPE_OK)
        return fail_of_library(p);
    if (!p->m.is_head_done)
        return fail(p, 400, "no request line");
    if (!check_version(p) || !check_blanks(p) || !check_host(p) || !check_target(p))
        return HTTP_PARSE_ERROR;
    fill_message(p);
    return begin_body(p);
}

static enum http_parse_result read_head(struct http_parse *p, const char *data, size_t len,
                                        size_t *used)
{
    size_t room = p->head.max - p->head.len, n;
    bool is_end = guard(p, data, len < room ? len : room, &n);
    *used = n;
    if (p->m.status)
        return HTTP_PARSE_ERROR;
    if (!append(&p->head, data, n, FIRST_HEAD))
        return fail(p, 503, "out of memory");
    if (is_end)
        return parse_head(p);
    return p->head.len < p->head.max ? HTTP_PARSE_MORE : fail(p, 431, "the head is too long");
}

/* --- the body -------------------------------------------------------------------------------- */

static enum http_parse_result body_done(struct http_parse *p)
{
    p->stage = STAGE_DONE;
    if (p->body.len) {
        p->body.p[p->body.len] = 0;
        p->m.body = p->body.p;
    }
    p->m.body_len = p->body.len;
    return HTTP_PARSE_DONE;
}

static enum http_parse_result read_length(struct http_parse *p, const char *data, size_t len,
                                          size_t *used)
{
    size_t n = len < p->left ? len : p->left;
    *used = n;
    if (!append(&p->body, data, n, FIRST_BODY))
        return fail(p, 503, "out of memory");
    p->left -= n;
    return p->left ? HTTP_PARSE_MORE : body_done(p);
}

static enum http_parse_result read_chunks(struct http_parse *p, const char *data, size_t len,
                                          size_t *used)
{
    struct http_chunks *c = &p->chunks;
    size_t i = 0;
    while (i < len && !c->status && c->state != HTTP_CHUNKS_END) {
        size_t n = len - i < c->left ? len - i : c->left;
        if (c->state != HTTP_CHUNKS_DATA) {
            i += http_chunks_frame(c, data + i, len - i);
            continue;
        }
        if (!append(&p->body, data + i, n, FIRST_BODY))
            return fail(p, 503, "out of memory");
        http_chunks_took(c, n);
        i += n;
    }
    *used = i;
    if (c->status)
        return fail(p, c->status, c->error);
    return c->state == HTTP_CHUNKS_END ? body_done(p) : HTTP_PARSE_MORE;
}

/* --- all of it ------------------------------------------------------------------------------- */

struct http_parse *http_parse_new(size_t max_head, size_t max_body)
{
    struct http_parse *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->head.max = max_head;
    p->body.max = max_body;
    p->prev = '\n';
    p->m.verb = HTTP_VERB_OTHER;
    return p;
}

static enum http_parse_result step(struct http_parse *p, const char *data, size_t len, size_t *used)
{
    switch (p->stage) {
    case STAGE_HEAD:
        return read_head(p, data, len, used);
    case STAGE_LENGTH:
        return read_length(p, data, len, used);
    case STAGE_CHUNKS:
        return read_chunks(p, data, len, used);
    case STAGE_DONE:
        break;
    }
    return HTTP_PARSE_DONE;
}

enum http_parse_result http_parse(struct http_parse *p, const char *data, size_t len, size_t *used)
{
    enum http_parse_result r = p->m.status ? HTTP_PARSE_ERROR : HTTP_PARSE_MORE;
    size_t at = skip_empty_line(p, data, len);
    while (r == HTTP_PARSE_MORE && at < len) {
        size_t n = 0;
        if (p->m.is_head_done)
            p->m.expects_continue = false;
        r = step(p, data + at, len - at, &n);
        at += n;
    }
    *used = at;
    return r;
}

const struct http_message *http_parse_message(const struct http_parse *p)
{
    return &p->m;
}

bool http_parse_is_begun(const struct http_parse *p)
{
    return p->head.len > 0;
}

void http_parse_free(struct http_parse *p)
{
    if (!p)
        return;
    store_free(&p->head);
    store_free(&p->body);
    secret_wipe(p, sizeof *p);
    free(p);
}
