/*
 * One answer for every front door: a code with a sentence, or an ordered list of named fields.
 *
 * The operations (flow.h, api.h) build it; RESP and JSON writers only walk it, so that field names
 * and values are the same behind every door.  An answer lives on the stack of whoever builds it;
 * its strings are copied into its own pool, so a door may use it during the callback only.  It
 * never holds a PIN, a key in clear excepted where an operator has just made one.
 */
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* code, HTTP status (of which its message id is made), first word of a RESP error */
#define ANSWER_CODE_LIST(X)                                                                        \
    X(ANSWER_OK, 200, "OK")                                                                        \
    X(ANSWER_BAD_REQUEST, 400, "BAD_REQUEST")                                                      \
    X(ANSWER_UNAUTHORIZED, 401, "UNAUTHORIZED")                                                    \
    X(ANSWER_FORBIDDEN, 403, "FORBIDDEN")                                                          \
    X(ANSWER_NOT_FOUND, 404, "NOT_FOUND")                                                          \
    X(ANSWER_TOO_MANY_REQUESTS, 429, "TOO_MANY_REQUESTS")                                          \
    X(ANSWER_GENERAL_ERROR, 500, "GENERAL_ERROR")                                                  \
    X(ANSWER_UNAVAILABLE, 503, "UNAVAILABLE")

enum answer_code {
#define X(id, http, name) id,
    ANSWER_CODE_LIST(X)
#undef X
};
const char *answer_code_name(enum answer_code code);
int answer_code_status(enum answer_code code);

enum answer_type { ANSWER_STR, ANSWER_INT, ANSWER_BOOL, ANSWER_LIST, ANSWER_MAP };

struct answer_node {
    const char *key; /* static text; NULL for the elements of a list */
    enum answer_type type;
    int64_t i;         /* of INT and BOOL */
    const char *s;     /* of STR, inside the pool */
    uint16_t children; /* of LIST and MAP: nodes that follow and belong to it directly */
};

#define ANSWER_NODES 96
#define ANSWER_POOL  4096

struct answer {
    enum answer_code code;
    char text[256];         /* of an error: a sentence */
    const char *field;      /* of BAD_REQUEST: what it is about, static text; NULL: none */
    int64_t retry_after_ms; /* of TOO_MANY_REQUESTS and UNAVAILABLE */
    bool is_plain_ok;       /* "+OK" rather than a map */
    bool is_list;           /* the top is a list, of what is added without a key */
    bool is_full;           /* something did not fit: a defect, answered as GENERAL_ERROR */
    uint16_t n_fields;      /* of the top map or list */
    uint16_t n_nodes;
    uint16_t pool_used;
    uint16_t open; /* nodes that are still to come for lists and maps added so far */
    struct answer_node nodes[ANSWER_NODES];
    char pool[ANSWER_POOL];
};

/* Called exactly once per request. */
typedef void (*answer_cb)(void *arg, const struct answer *a);

void answer_init(struct answer *a);
void answer_fail(struct answer *a, enum answer_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void answer_str(struct answer *a, const char *key, const char *value);
void answer_int(struct answer *a, const char *key, int64_t value);
void answer_bool(struct answer *a, const char *key, bool value);
/* The next `n` maps added with answer_map() are the elements. */
void answer_list(struct answer *a, const char *key, uint16_t n);
/* The next `n` fields added belong to the map. */
void answer_map(struct answer *a, uint16_t n);

/* An error at once, to who asked; UNAVAILABLE may be tried again in a second. */
void answer_refuse(answer_cb cb, void *arg, enum answer_code code, const char *text);
/* BAD_REQUEST about a field (static text). */
void answer_refuse_field(answer_cb cb, void *arg, const char *field, const char *text);

/* The answer of another outcome: the store is away, or its verdict is unknown. */
void answer_store_error(struct answer *a, int err);
void answer_retry(struct answer *a, int64_t retry_after_ms);

#endif
