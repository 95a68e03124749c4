/*
 * Inside of struct store, shared by the files of store/.
 *
 * store.c owns states, queue and deadlines; check.c brings a fresh connection up; script.c repeats
 * what the server has forgotten; sub.c is the second connection; embedded.c keeps the child.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "base/reap.h"
#include "store/backoff.h"
#include "store/call.h"
#include "store/conn.h"
#include "store/embedded.h"
#include "store/store.h"
#include "store/url.h"

/* Scripts whose loading is remembered per connection; beyond it the oldest is forgotten. */
#define SCRIPT_LOADS_MAX 64

struct script_load {
    const struct store_script *script;
    uint64_t at; /* octets before the SCRIPT LOAD: a later EVALSHA knows the script */
};

enum sub_state { SUB_OFF, SUB_WAITING, SUB_CONNECTING, SUB_ASKING, SUB_LIVE };

struct sub {
    struct conn conn;
    struct event timer;
    struct backoff backoff;
    enum sub_state state;
    bool was_live;
    bool has_heard; /* anything since the last look */
    char *channel;
    store_message_cb cb;
    void *arg;
};

struct store {
    struct store_url url;
    char socket[STORE_PATH_SIZE]; /* "" over TCP */
    char *user;                   /* NULL: default */
    struct secret password;
    struct event_base *base;
    struct evdns_base *dns;
    struct reap *reap;
    struct reap_node node;
    uint32_t timeout_ms, connect_timeout_ms, max_pending;
    void (*state_cb)(void *arg, bool up, const char *reason);
    void *arg;

    enum store_state state;
    struct conn conn;
    struct event timer; /* deadlines while connected, else the next attempt */
    struct backoff backoff;
    struct call *unanswered;
    struct call *due[2]; /* sent once; sent again: each in the order of its deadlines */
    uint32_t pending;
    size_t held; /* octets of the calls in unanswered */
    struct script_load loads[SCRIPT_LOADS_MAX];
    uint32_t n_loads;     /* of this connection, may exceed the array */
    struct mono start_by; /* how long STARTING may last */
    bool is_aof_on;
    bool was_up;
    char version[32];
    uint64_t commands, errors, timeouts, reconnects;
    int64_t rtt_us;
    struct sub sub;
    struct embedded *embedded; /* NULL for a server that is not ours */
};

/* store.c: the one door of the state; false when the table does not allow it. */
bool store_set_state(struct store *s, enum store_state to, const char *reason);
/* Sends in any connected state; a call that fails stays the caller's. */
int store_send(struct store *s, struct call *c);
/* A command of a user: only when up and with room. */
int store_submit(struct store *s, const struct call_part *parts, size_t n_parts,
                 const struct call_to *to);
/* A command of the store's own, words of text. */
int store_send_words(struct store *s, store_cb cb, const char *const *words, size_t n);
/* Common to both connections: where to connect. */
void store_conn_options(const struct store *s, struct conn_options *out);

/* check.c: AUTH and the rest on a fresh connection; ends with STORE_UP or the connection's end. */
void store_check_start(struct store *s);
/* 0 and NULL when no password is to be sent. */
int store_auth_call(const struct store *s, struct call **out);
/* A server that does not know AUTH repeats its words: the text is kept up to the first of them. */
#define STORE_ERROR_SIZE 160
void store_auth_error(const char *text, char *out, size_t size);

/* script.c: true when the call was sent again, because its script was unknown to the server. */
bool store_script_retry(struct store *s, struct call *c, const struct store_reply *reply);

/* sub.c */
void store_sub_clear(struct store *s);

#endif
