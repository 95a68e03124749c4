#include "tests/sim/web.h"

#include "base/result.h"
#include "tests/sim/smsc.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX      32
#define STREAM_TICK_MS   100
#define STREAM_BEAT_MS   15000
#define STREAM_QUEUE_MAX (64 * 1024)
#define IDLE_S           30
#define STREAM_IDLE_S    86400
#define SHOWN_MAX        200
#define NUMBERS_MAX      1000

/* The files of web/, taken into the program as they are. */
#define ASSET(name, file)                                                                          \
    __asm__(".section .rodata\n"                                                                   \
            ".global asset_" #name "\n"                                                            \
            ".global asset_" #name "_end\n"                                                        \
            "asset_" #name ":\n"                                                                   \
            ".incbin \"tests/sim/web/" file "\"\n"                                                 \
            "asset_" #name "_end:\n"                                                               \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char asset_##name[], asset_##name##_end[];

ASSET(page, "index.html")
ASSET(style, "app.css")
ASSET(script, "app.js")
ASSET(icon, "icon.svg")

static const struct asset {
    const char *path;
    const char *type;
    const char *data;
    const char *end;
} assets[] = {{"/", "text/html; charset=utf-8", asset_page, asset_page_end},
              {"/app.css", "text/css; charset=utf-8", asset_style, asset_style_end},
              {"/app.js", "text/javascript; charset=utf-8", asset_script, asset_script_end},
              {"/icon.svg", "image/svg+xml", asset_icon, asset_icon_end}};

struct stream {
    struct web *web;
    struct evhttp_request *req; /* NULL: free */
};

struct web {
    struct smsc *smsc;
    struct evhttp *http;
    struct event *tick;
    uint16_t port;
    uint64_t version; /* that the streams know */
    int quiet_ms;     /* since anything was written to them */
    struct stream streams[STREAMS_MAX];
};

static void put_headers(struct evhttp_request *req, const char *type)
{
    static const char *const rows[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"}};
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        evhttp_add_header(out, rows[i][0], rows[i][1]);
    evhttp_add_header(out, "Content-Type", type);
}

static void reply(struct evhttp_request *req, int code, const char *type, const char *body)
{
    struct evbuffer *buf = evbuffer_new();
    put_headers(req, type);
    if (buf && body)
        evbuffer_add(buf, body, strlen(body));
    evhttp_send_reply(req, buf && body ? code : 500, NULL, buf);
    if (buf)
        evbuffer_free(buf);
}

/* Takes the text. */
static void reply_json(struct evhttp_request *req, char *text)
{
    reply(req, 200, "application/json", text);
    free(text);
}

static bool is_local_host(struct web *w, struct evhttp_request *req)
{
    char host[64];
    struct in_addr a4;
    struct in6_addr a6;
    const char *h = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
    if (w->smsc->opt.insecure_anywhere)
        return true;
    if (!h || !str_copy(host, sizeof host, h + (*h == '[')))
        return false;
    char *end = *h == '[' ? strchr(host, ']') : strchr(host, ':');
    if (end)
        *end = 0;
    return strcasecmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &a4) == 1 ||
           inet_pton(AF_INET6, host, &a6) == 1;
}

static void messages(struct web *w, struct evhttp_request *req, const char *query)
{
    struct evkeyvalq q;
    if (evhttp_parse_query_str(query ? query : "", &q) != 0) {
        reply(req, 400, "text/plain", "the query is broken\n");
        return;
    }
    const char *to = evhttp_find_header(&q, "to");
    reply_json(req, to && *to ? inbox_json(w->smsc->inbox, to)
                              : inbox_json_all(w->smsc->inbox, SHOWN_MAX));
    evhttp_clear_headers(&q);
}

static void healthz(struct web *w, struct evhttp_request *req)
{
    char body[400];
    const struct stats *s = &w->smsc->stats;
    snprintf(body, sizeof body,
             "{\"status\":\"ok\",\"connections\":%u,\"submits\":%llu,\"accepted\":%llu,"
             "\"responses\":%llu,\"receipts\":%llu,\"receipts_acknowledged\":%llu,"
             "\"receipts_dropped\":%llu}\n",
             w->smsc->conns.count, (unsigned long long)s->submits, (unsigned long long)s->accepted,
             (unsigned long long)s->responses, (unsigned long long)s->receipts,
             (unsigned long long)s->receipts_acknowledged, (unsigned long long)s->receipts_dropped);
    reply(req, 200, "application/json", body);
}

/* Where an application can be tried, for the page to link to; null where there is none. */
static void form_url(struct web *w, struct evhttp_request *req)
{
    char body[OPTIONS_URL_MAX + 8] = "null\n";
    const char *url = w->smsc->opt.form_url;
    if (url)
        snprintf(body, sizeof body, "\"%s\"\n", url);
    reply(req, 200, "application/json", body);
}

static void write_stream(struct stream *st, const char *text)
{
    struct evbuffer *buf = evbuffer_new();
    if (!buf)
        return;
    evbuffer_add(buf, text, strlen(text));
    evhttp_send_reply_chunk(st->req, buf);
    evbuffer_free(buf);
}

/* The browser went away; libevent leaves the request to us when it took it off the connection. */
static void stream_closed_cb(struct evhttp_connection *conn, void *arg)
{
    (void)conn;
    struct stream *st = arg;
    struct evhttp_request *req = st->req;
    st->req = NULL;
    if (req && !evhttp_request_get_connection(req))
        evhttp_send_reply_end(req); /* frees it */
}

static void end_stream(struct stream *st)
{
    struct evhttp_request *req = st->req;
    st->req = NULL;
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
    evhttp_send_reply_end(req);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct web *w = arg;
    uint64_t version = inbox_version(w->smsc->inbox);
    const char *text = version != w->version ? "event: changed\ndata: 1\n\n" : ": beat\n\n";
    w->quiet_ms += STREAM_TICK_MS;
    if (version == w->version && w->quiet_ms < STREAM_BEAT_MS)
        return;
    w->version = version;
    w->quiet_ms = 0;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *st = &w->streams[i];
        if (!st->req)
            continue;
        struct evhttp_connection *conn = evhttp_request_get_connection(st->req);
        struct evbuffer *queue = bufferevent_get_output(evhttp_connection_get_bufferevent(conn));
        if (evbuffer_get_length(queue) > STREAM_QUEUE_MAX)
            end_stream(st);
        else
            write_stream(st, text);
    }
}

static void events(struct web *w, struct evhttp_request *req)
{
    struct stream *st = NULL;
    for (size_t i = 0; i < STREAMS_MAX && !st; i++)
        if (!w->streams[i].req)
            st = &w->streams[i];
    if (!st) {
        reply(req, 503, "text/plain", "too many open pages\n");
        return;
    }
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    st->req = req;
    put_headers(req, "text/event-stream");
    evhttp_connection_set_timeout(conn, STREAM_IDLE_S);
    evhttp_connection_set_closecb(conn, stream_closed_cb, st);
    evhttp_send_reply_start(req, 200, NULL);
    write_stream(st, "retry: 1000\nevent: changed\ndata: 1\n\n");
}

static bool serve_asset(struct evhttp_request *req, const char *path)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
        const struct asset *a = &assets[i];
        if (strcmp(path, a->path) != 0)
            continue;
        struct evbuffer *buf = evbuffer_new();
        put_headers(req, a->type);
        if (buf)
            evbuffer_add_reference(buf, a->data, (size_t)(a->end - a->data), NULL, NULL);
        evhttp_send_reply(req, buf ? 200 : 500, NULL, buf);
        if (buf)
            evbuffer_free(buf);
        return true;
    }
    return false;
}

static void request_cb(struct evhttp_request *req, void *arg)
{
    struct web *w = arg;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = evhttp_uri_get_path(uri);
    if (!is_local_host(w, req))
        reply(req, 403, "text/plain", "only as localhost or by address\n");
    else if (!path || serve_asset(req, path))
        return;
    else if (strcmp(path, "/messages") == 0)
        messages(w, req, evhttp_uri_get_query(uri));
    else if (strcmp(path, "/numbers") == 0)
        reply_json(req, inbox_json_numbers(w->smsc->inbox, NUMBERS_MAX));
    else if (strcmp(path, "/form") == 0)
        form_url(w, req);
    else if (strcmp(path, "/events") == 0)
        events(w, req);
    else if (strcmp(path, "/healthz") == 0)
        healthz(w, req);
    else
        reply(req, 404, "text/plain", "no such page\n");
}

static int listen_web(struct web *w)
{
    const struct sockaddr_storage *a = &w->smsc->opt.web;
    char host[INET6_ADDRSTRLEN];
    bool is_v4 = a->ss_family == AF_INET;
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    evutil_inet_ntop(a->ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, host,
                     sizeof host);
    uint16_t port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port);
    struct evhttp_bound_socket *b = evhttp_bind_socket_with_handle(w->http, host, port);
    if (!b) {
        fprintf(stderr, "pinbind-smsc: --web: cannot listen on %s port %u\n", host, port);
        return ERR_IO;
    }
    struct sockaddr_storage real = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof real;
    getsockname(evhttp_bound_socket_get_fd(b), (struct sockaddr *)&real, &len);
    w->port = ntohs(is_v4 ? ((struct sockaddr_in *)(void *)&real)->sin_port
                          : ((struct sockaddr_in6 *)(void *)&real)->sin6_port);
    return ERR_OK;
}

struct web *web_new(struct smsc *s)
{
    static const struct timeval tick = {0, STREAM_TICK_MS * 1000};
    struct web *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->smsc = s;
    w->http = evhttp_new(s->base);
    w->tick = event_new(s->base, -1, EV_PERSIST, tick_cb, w);
    if (!w->http || !w->tick || event_add(w->tick, &tick) != 0 || listen_web(w) != ERR_OK) {
        web_free(w);
        return NULL;
    }
    evhttp_set_allowed_methods(w->http, EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(w->http, 8192);
    evhttp_set_max_body_size(w->http, 0);
    evhttp_set_timeout(w->http, IDLE_S);
    evhttp_set_gencb(w->http, request_cb, w);
    return w;
}

uint16_t web_port(const struct web *w)
{
    return w->port;
}

void web_free(struct web *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (w->streams[i].req)
            end_stream(&w->streams[i]);
    if (w->tick)
        event_free(w->tick);
    if (w->http)
        evhttp_free(w->http);
    free(w);
}
