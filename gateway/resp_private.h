/*
 * Connections and requests of the verify socket, for resp_conn.c and resp_commands.c.
 *
 * A request is the argument of whatever works for it and lives until its answer has come, also
 * when its connection is gone by then (conn is NULL from that moment); it is answered once.
 */
#ifndef GATEWAY_RESP_PRIVATE_H
#define GATEWAY_RESP_PRIVATE_H

#include "base/clock.h"
#include "base/reap.h"
#include "base/secret.h"
#include "base/table.h"
#include "gateway/resp.h"
#include "gateway/resp_parse.h"
#include "gateway/resp_write.h"
#include "pin/registry.h"

#include <stdbool.h>

struct bufferevent;
struct evbuffer;
struct failures;
struct listener;
struct event;

struct resp_request {
    struct resp_conn *conn; /* NULL: the connection is gone */
    struct resp_request *prev, *next;
    int proto; /* of the connection when the request came */
    bool is_done;
    bool is_hello;   /* the answer of an AUTH inside HELLO is HELLO's */
    int hello_proto; /* takes effect when the AUTH was right */
    char auth_name[PIN_ACCOUNT_SIZE];
    char *reply; /* once done, until the ones before it are */
    size_t reply_len;
};

struct resp_conn {
    struct resp_server *server;
    struct resp_conn *prev, *next;
    struct resp_conn *next_unwritten;
    struct reap_node reap;
    uint64_t id;
    struct bufferevent *bev;
    struct resp_request *requests; /* in the order of arrival */
    uint32_t in_flight;
    int proto; /* 2 or 3 */
    bool is_authenticated;
    bool is_waiting;                /* for an AUTH: what follows is not looked at yet */
    bool is_paused;                 /* nothing is read: too much in flight, or is_waiting */
    bool is_unwritten;              /* has answers that flush is to write */
    bool is_closing;                /* after the last answer */
    bool is_half_closed;            /* the client sends no more; it still gets its answers */
    bool is_dead;                   /* on the reap list */
    char account[PIN_ACCOUNT_SIZE]; /* of an authenticated one */
    struct secret key;              /* that it authenticated with; unset: unix_account's client */
    struct secret tried;            /* of the AUTH that is being looked at */
    struct mono key_checked;
    struct resp_multi *multi; /* between MULTI and EXEC */
    bool is_unix;
    char peer[48]; /* address without port; "unix:UID" */
    char name[64]; /* CLIENT SETNAME */
};

struct resp_server {
    struct resp_env env;
    struct listener *unix_listener, *tcp_listener;
    struct resp_conn *conns;
    struct resp_conn *unwritten;
    struct event *flush; /* runs at the end of a loop turn that left something unwritten */
    uint64_t last_id;
    struct failures *failures;
    struct resp_info info;
    bool is_draining;
};

/* The next of a connection's requests; NULL: out of memory, and the connection has ended. */
struct resp_request *resp_request_new(struct resp_conn *c);

/* Answers: each ends the request, and is called once for it. */
void resp_reply(struct resp_request *r, const struct wr *w);
void resp_reply_error(struct resp_request *r, const char *text);
void resp_reply_ok(struct resp_request *r);
/* The end of a request that has no answer. */
void resp_reply_nothing(struct resp_request *r);
/* An answer_cb. */
void resp_reply_answer(void *request, const struct answer *a);

/* resp_commands.c: runs one command; the request is answered at once or later. */
void resp_dispatch(struct resp_request *r, const struct resp_command *cmd);

/* resp_multi.c */
void resp_multi_begin(struct resp_request *r);
void resp_multi_queue(struct resp_request *r, const struct resp_command *cmd);
void resp_multi_exec(struct resp_request *r);
void resp_multi_discard(struct resp_request *r);
/* A command was refused. */
void resp_multi_abort(struct resp_conn *c);
void resp_multi_free(struct resp_conn *c);

/* resp_auth.c */
void resp_authenticate(struct resp_request *r, const char *name, const struct resp_arg *key);
/* A connection outlives its key: whether the key still is one is asked again as it is used. */
bool resp_is_key_due(const struct resp_conn *c);
void resp_check_key(struct resp_request *r);
/* Its key is forgotten, and so are those who used it. */
void resp_conn_forget(struct resp_conn *c);
/* Goes on with what is_waiting held up. */
void resp_conn_go_on(struct resp_conn *c);
void resp_conn_close_after(struct resp_conn *c, const char *reason);
void resp_write_hello(struct wr *w, const struct resp_conn *c);

#endif
