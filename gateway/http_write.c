#include "base/buf.h"
#include "gateway/http_private.h"
#include "gateway/json_write.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The fixed headers of an answer, with room to spare. */
#define HEAD_SIZE 512

struct status_row {
    int status;
    const char *reason;
    const char *message_id; /* of the error envelope */
};

static const struct status_row statuses[] = {
    {200, "OK", NULL},
    {201, "Created", NULL},
    {204, "No Content", NULL},
    {302, "Found", NULL},
    {304, "Not Modified", NULL},
    {400, "Bad Request", "BAD_REQUEST"},
    {401, "Unauthorized", "UNAUTHORIZED"},
    {403, "Forbidden", "FORBIDDEN"},
    {404, "Not Found", "NOT_FOUND"},
    {405, "Method Not Allowed", "METHOD_NOT_ALLOWED"},
    {408, "Request Timeout", "REQUEST_TIMEOUT"},
    {409, "Conflict", "CONFLICT"},
    {413, "Content Too Large", "PAYLOAD_TOO_LARGE"},
    {415, "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE"},
    {417, "Expectation Failed", "EXPECTATION_FAILED"},
    {429, "Too Many Requests", "TOO_MANY_REQUESTS"},
    {431, "Request Header Fields Too Large", "HEADERS_TOO_LARGE"},
    {500, "Internal Server Error", "GENERAL_ERROR"},
    {501, "Not Implemented", "NOT_IMPLEMENTED"},
    {503, "Service Unavailable", "SERVICE_UNAVAILABLE"},
    {505, "HTTP Version Not Supported", "HTTP_VERSION_NOT_SUPPORTED"},
};

static const struct status_row *row_of(int status)
{
    static const struct status_row other = {0, "Other", "GENERAL_ERROR"};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return &statuses[i];
    return &other;
}

/* The value of Date, made once a second. */
static const char *date_now(void)
{
    static char text[32];
    static int64_t made_for = -1;
    int64_t s = wall_ms() / 1000;
    if (s != made_for) {
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        made_for = s;
    }
    return text;
}

/* Whatever a value holds, it stays one header. */
static void put_header(struct wr *w, const char *name, const char *value)
{
    if (!value)
        return;
    wr_str(w, name);
    wr_str(w, ": ");
    for (; *value; value++)
        wr_u8(w, (uint8_t)*value < 0x20 || *value == 0x7f ? ' ' : (uint8_t)*value);
    wr_str(w, "\r\n");
}

static void put_number(struct wr *w, const char *name, size_t value)
{
    wr_str(w, name);
    wr_str(w, ": ");
    wr_dec(w, (int64_t)value);
    wr_str(w, "\r\n");
}

static bool status_has_body(int status)
{
    return status != 204 && status != 304;
}

static void put_head(struct wr *w, const struct http_write *to, const struct http_response *r)
{
    wr_str(w, "HTTP/1.1 ");
    wr_dec(w, r->status);
    wr_u8(w, ' ');
    wr_str(w, row_of(r->status)->reason);
    wr_str(w, "\r\n");
    put_header(w, "Date", date_now());
    if (status_has_body(r->status)) {
        put_header(w, "Content-Type", r->type ? r->type : "application/json");
        put_number(w, "Content-Length", r->len);
    }
    put_header(w, "X-Request-Id", to->id);
    put_header(w, "Cache-Control", "no-store");
    put_header(w, "X-Content-Type-Options", "nosniff");
    put_header(w, "Connection", to->connection);
    if (r->retry_after_s)
        put_number(w, "Retry-After", r->retry_after_s);
    put_header(w, "Allow", r->allow);
    put_header(w, "WWW-Authenticate", r->authenticate ? "App realm=\"pinbind\"" : NULL);
    put_header(w, "Content-Security-Policy", r->policy);
    wr_str(w, "\r\n");
}

static size_t length_of(const char *s)
{
    return s ? strlen(s) : 0;
}

bool http_write_response(const struct http_write *to, const struct http_response *r)
{
    bool has_body = status_has_body(r->status) && !to->is_head;
    size_t room = HEAD_SIZE + length_of(r->type) + length_of(r->allow) + length_of(r->policy) +
                  length_of(to->id) + (has_body ? r->len : 0);
    struct evbuffer_iovec v;
    if (evbuffer_reserve_space(to->out, (ev_ssize_t)room, &v, 1) != 1)
        return false;
    struct wr w = wr_init(v.iov_base, room);
    put_head(&w, to, r);
    if (has_body)
        wr_bytes(&w, r->body, r->len);
    if (w.bad)
        return false;
    v.iov_len = w.len;
    return evbuffer_commit_space(to->out, &v, 1) == 0;
}

/* {"requestError":{"serviceException":{"messageId":"...","text":"...","validationErrors":...}}} */
static void put_envelope(struct wr *w, const struct http_error *e)
{
    const char *id = row_of(e->status)->message_id;
    size_t len = length_of(e->text);
    wr_str(w, "{\"requestError\":{\"serviceException\":{");
    json_write_key(w, "messageId");
    json_write_str(w, id ? id : "", length_of(id));
    wr_u8(w, ',');
    json_write_key(w, "text");
    json_write_str(w, e->text, len);
    if (e->field) {
        wr_u8(w, ',');
        json_write_key(w, "validationErrors");
        wr_u8(w, '{');
        json_write_key(w, e->field);
        wr_u8(w, '[');
        json_write_str(w, e->text, len);
        wr_str(w, "]}");
    }
    wr_str(w, "}}}");
}

bool http_write_error(const struct http_write *to, const struct http_error *e)
{
    /* an octet takes six where it is escaped, and the text may stand twice */
    size_t room = 256 + 6 * (2 * length_of(e->text) + length_of(e->field));
    char *body = malloc(room);
    if (!body)
        return false;
    struct wr w = wr_init(body, room);
    put_envelope(&w, e);
    const struct http_response r = {.status = e->status,
                                    .body = body,
                                    .len = w.len,
                                    .retry_after_s = e->retry_after_s,
                                    .allow = e->allow,
                                    .authenticate = e->status == 401};
    bool is_written = !w.bad && http_write_response(to, &r);
    free(body);
    return is_written;
}
