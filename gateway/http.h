/*
 * HTTP/1.1 for the gateway's doors (RFC 9110, RFC 9112): connections on bufferevents with limits,
 * deadlines, keep-alive and TLS; requests parsed by libhttp-parser behind a guard of our own
 * (http_parse.c); answers in order.  It knows nothing of routes, keys or PINs.
 *
 * A request is handed to request_cb whole: head and body.  It is answered exactly once, at once or
 * later, by http_respond(); until then it lives, also when its connection is gone.  The next
 * request of a connection is not looked at before the one at hand is answered, so pipelined
 * requests are worked on in order (RFC 9112 section 9.3.2) and its views stay valid until then.
 * Heads and bodies are wiped after use: they hold keys and PINs.  A long answer is 503 while 64 MiB
 * of others wait for clients that are slow to read them.
 *
 * What is refused here, without request_cb, in the API's error envelope: 400 and close for a
 * message whose end two readers could see in different places (two lengths, length with chunked,
 * another transfer coding, bare CR or LF, a missing or second Host, white space before a colon, a
 * folded line, a NUL), 408 request_timeout_s, 413 max_body, 417, 431 max_head, 501, 505.
 */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct reap;
struct http_request;
struct http_server;
struct tls;

enum http_verb {
    HTTP_VERB_GET,
    HTTP_VERB_HEAD,
    HTTP_VERB_POST,
    HTTP_VERB_PUT,
    HTTP_VERB_OPTIONS,
    HTTP_VERB_OTHER
};

/* The headers that handlers may ask for; others are checked for their form and dropped. */
enum http_header {
    HTTP_AUTHORIZATION,
    HTTP_CONTENT_TYPE,
    HTTP_CONTENT_ENCODING,
    HTTP_HOST,
    HTTP_ORIGIN,
    HTTP_N_HEADERS
};

struct http_limits {
    uint32_t max_connections;
    uint32_t max_head, max_body; /* octets */
    uint32_t request_timeout_s;  /* from the first octet (TLS: from accept) to the last */
    uint32_t idle_timeout_s;     /* between requests */
    uint32_t write_timeout_s;    /* for one answer, whole */
};

struct http_options {
    struct event_base *base;
    struct reap *reap;
    const char *door;   /* for the log and metrics: "http", "noc" */
    const char *listen; /* "127.0.0.1:8080"; NULL: none, see http_server_take() */
    struct http_limits limits;
    struct tls *tls; /* NULL: plain; a reference is taken */
    void *arg;
    void (*request_cb)(void *arg, struct http_request *request);
};

/* NULL: why says what is wrong, with the address. */
struct http_server *http_server_new(const struct http_options *options, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* A connected, non-blocking socket that came another way; it is closed where it cannot be had. */
void http_server_take(struct http_server *s, int fd, const char *peer);
/* For connections from now on. */
void http_server_set_tls(struct http_server *s, struct tls *tls);
void http_server_set_limits(struct http_server *s, const struct http_limits *limits);
/* No new connections; idle ones are closed, the others after the answer at hand, which says
 * "Connection: close". */
void http_server_drain(struct http_server *s);
/* Open connections are closed; requests that are not answered yet still must be. */
void http_server_free(struct http_server *s);

struct http_info {
    uint32_t connections;
    uint64_t accepted, requests, malformed, timeouts, limits_hit, tls_failures;
};
void http_server_info(const struct http_server *s, struct http_info *out);

/* --- a request: views are valid until it is answered ----------------------------------------- */

enum http_verb http_request_verb(const struct http_request *r);
/* The path as it came, without query; of the absolute form the path alone. */
const char *http_request_path(const struct http_request *r);
const char *http_request_query(const struct http_request *r); /* "" where there is none */
/* NULL where it was not sent. A header that stands twice where it may not: 400 already. */
const char *http_request_header(const struct http_request *r, enum http_header h);
const char *http_request_body(const struct http_request *r, size_t *len);
const char *http_request_peer(const struct http_request *r); /* address without port */
/* Unique in the process, 16 hex digits; also sent as X-Request-Id. */
const char *http_request_id(const struct http_request *r);
/* Microseconds since it was handed over. */
int64_t http_request_age_us(const struct http_request *r);

/* --- its answer ------------------------------------------------------------------------------ */

struct http_response {
    int status;
    const char *type; /* of the body; NULL: application/json */
    const void *body; /* copied */
    size_t len;
    uint32_t retry_after_s; /* 0: none */
    const char *allow;      /* of 405, and 204 of OPTIONS: "GET, HEAD, PUT" */
    bool authenticate;      /* of 401: WWW-Authenticate: App */
    const char *policy;     /* Content-Security-Policy of a page; NULL: none */
};
/* Exactly once; HEAD gets the head of it. */
void http_respond(struct http_request *r, const struct http_response *response);
/* The error envelope: status, its message id (BAD_REQUEST ...) and a sentence; field may be NULL.
 */
struct http_error {
    int status;
    const char *text;
    const char *field; /* of the request body: validationErrors */
    uint32_t retry_after_s;
    const char *allow;
};
void http_respond_error(struct http_request *r, const struct http_error *error);

#endif
