#include "gateway/http_private.h"

#include "base/buf.h"

#include <event2/bufferevent.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* Counted from anywhere, so that ids of a restarted process do not meet the old ones. */
void http_request_new_id(char *out)
{
    static uint64_t last;
    uint8_t octets[8];
    uint32_t start = 0;
    if (!last && RAND_bytes((void *)&start, sizeof start) == 1)
        last = (uint64_t)start << 32;
    struct wr w = wr_init(octets, sizeof octets);
    wr_u64(&w, ++last);
    hex_encode(octets, sizeof octets, out, false);
}

struct http_request *http_request_new(struct http_conn *c, struct http_parse *parse)
{
    struct http_request *r = calloc(1, sizeof *r);
    if (!r) {
        http_parse_free(parse);
        return NULL;
    }
    r->conn = c;
    r->parse = parse;
    r->message = http_parse_message(parse);
    r->handed = mono_now();
    http_request_new_id(r->id);
    str_copy(r->peer, sizeof r->peer, c->peer);
    return r;
}

void http_request_free(struct http_request *r)
{
    http_parse_free(r->parse);
    free(r);
}

/* --- what was asked
 * -------------------------------------------------------------------------------
 */

enum http_verb http_request_verb(const struct http_request *r)
{
    return r->message->verb;
}

const char *http_request_path(const struct http_request *r)
{
    return r->message->path;
}

const char *http_request_query(const struct http_request *r)
{
    return r->message->query;
}

const char *http_request_header(const struct http_request *r, enum http_header h)
{
    return r->message->headers[h];
}

const char *http_request_body(const struct http_request *r, size_t *len)
{
    *len = r->message->body_len;
    return r->message->body;
}

const char *http_request_peer(const struct http_request *r)
{
    return r->peer;
}

const char *http_request_id(const struct http_request *r)
{
    return r->id;
}

int64_t http_request_age_us(const struct http_request *r)
{
    return mono_diff_us(mono_now(), r->handed);
}

/* --- its answer
 * -----------------------------------------------------------------------------------
 */

static bool is_last(const struct http_request *r)
{
    return !r->message->keep_alive || r->conn->server->is_draining;
}

static struct http_write write_to(const struct http_request *r)
{
    const char *kept = r->message->is_http_1_0 ? "keep-alive" : NULL;
    return (struct http_write){.out = bufferevent_get_output(r->conn->bev),
                               .id = r->id,
                               .connection = is_last(r) ? "close" : kept,
                               .is_head = r->message->verb == HTTP_VERB_HEAD};
}

static void end(struct http_request *r, bool is_written)
{
    struct http_conn *c = r->conn;
    bool last = c && is_last(r);
    http_request_free(r);
    if (!c)
        return;
    c->request = NULL;
    if (is_written)
        http_conn_written(c, last);
    else
        http_conn_close(c, "out of memory");
}

void http_respond(struct http_request *r, const struct http_response *response)
{
    static const struct http_error too_much = {
        .status = 503,
        .text = "too many long answers wait for clients to read them",
        .retry_after_s = 5};
    bool is_written = false;
    if (r->conn && !http_conn_has_room(r->conn->server, response->len)) {
        r->conn->server->info.limits_hit++;
        http_respond_error(r, &too_much);
        return;
    }
    if (r->conn) {
        struct http_write to = write_to(r);
        is_written = http_write_response(&to, response);
    }
    end(r, is_written);
}

void http_respond_error(struct http_request *r, const struct http_error *error)
{
    bool is_written = false;
    if (r->conn) {
        struct http_write to = write_to(r);
        is_written = http_write_error(&to, error);
    }
    end(r, is_written);
}
