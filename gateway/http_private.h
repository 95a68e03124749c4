/*
 * Connections and requests of the HTTP layer, for http_conn.c, http_server.c and http_write.c.
 *
 * A connection reads one request at a time into its parser.  When that is whole it goes, parser
 * and all, to a struct http_request, which lives until it is answered, also when the connection is
 * gone by then (conn is NULL from that moment).
 */
#ifndef GATEWAY_HTTP_PRIVATE_H
#define GATEWAY_HTTP_PRIVATE_H

#include "base/clock.h"
#include "base/reap.h"
#include "base/table.h"
#include "gateway/http.h"
#include "gateway/http_parse.h"

#define HTTP_ID_SIZE 17

struct bufferevent;
struct evbuffer;
struct event;
struct listener;

/* What a connection waits for; each but HTTP_WORKING has a deadline. */
enum http_phase {
    HTTP_HANDSHAKE,
    HTTP_IDLE,    /* for the first octet of a request */
    HTTP_READING, /* for the rest of it */
    HTTP_WORKING, /* for the handler's answer */
    HTTP_WRITING, /* for the client to take the answer */
    HTTP_LINGERING,
};

struct http_request {
    struct http_conn *conn; /* NULL: gone */
    struct http_parse *parse;
    const struct http_message *message; /* of parse */
    struct mono handed;
    char id[HTTP_ID_SIZE];
    char peer[48];
};

struct http_conn {
    struct http_server *server;
    struct http_conn *prev, *next;
    struct http_conn *next_unwritten;
    struct reap_node reap;
    uint64_t id;
    struct bufferevent *bev;
    struct http_parse *parse;     /* of the request that is being read, or NULL */
    struct http_request *request; /* the one that waits for its answer, or NULL */
    enum http_phase phase;
    struct event *timer;
    struct mono deadline; /* of the phase */
    struct mono armed;    /* when the timer fires; 0: it does not */
    bool is_tls, is_established;
    bool is_working;     /* inside work(): what comes next is its business */
    bool is_unwritten;   /* has octets that flush is to write */
    bool is_closing;     /* after the answer that is being written */
    bool is_half_closed; /* the client sends no more; it still gets its answers */
    bool is_broken;      /* an error of the socket or of TLS: nothing can be sent */
    bool is_dead;        /* on the reap list */
    size_t lingered;     /* octets thrown away since the last answer */
    size_t held;         /* octets of its answer that were not written at last look */
    char peer[48];
};

struct http_server {
    struct event_base *base;
    struct reap *reap;
    char door[16];
    struct http_limits limits;
    struct tls *tls;
    void *arg;
    void (*request_cb)(void *arg, struct http_request *request);
    struct listener *listener;
    struct http_conn *conns;
    struct http_conn *unwritten;
    size_t held;         /* octets, of all connections */
    struct event *flush; /* runs at the end of a loop turn that left something unwritten */
    struct http_info info;
    struct mono refused_logged;
    uint64_t refused; /* connections since then */
    bool is_draining;
};

/* --- http_conn.c --- */

/* The connection owns the descriptor from here on, also when it cannot be had. */
void http_conn_open(struct http_server *s, int fd, const char *peer);
/* At once, with what can be written without waiting. */
void http_conn_close(struct http_conn *c, const char *reason);
/* Closes it if it is idle; else it is closed after the answer at hand. */
void http_conn_drain(struct http_conn *c);
/* What is written goes out at the end of this loop turn. */
void http_conn_written(struct http_conn *c, bool is_last);
/* Its answers by write(), all of a connection at once. */
void http_conn_flush(struct http_server *s);
/* May an answer of so many octets be made? */
bool http_conn_has_room(const struct http_server *s, size_t len);

/* --- http_write.c --- */

struct http_write {
    struct evbuffer *out;
    const char *id;         /* X-Request-Id */
    const char *connection; /* "close", "keep-alive" or NULL */
    bool is_head;           /* of a HEAD: no body */
};
/* False: out of memory, and nothing was written. */
bool http_write_response(const struct http_write *to, const struct http_response *r);
bool http_write_error(const struct http_write *to, const struct http_error *e);

/* --- http_request.c --- */

/* A new id; out has HTTP_ID_SIZE octets. */
void http_request_new_id(char *out);
/* Takes the parser, also when it fails.  NULL: out of memory. */
struct http_request *http_request_new(struct http_conn *c, struct http_parse *parse);
void http_request_free(struct http_request *r);

#endif
