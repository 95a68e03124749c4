/*
 * One request of the HTTP API on its way: api.c makes it out of a route (api_routes.c: a table of
 * verb, path, what it needs, handler), knows whose key it carries (api_auth.c), parses its body,
 * and runs the handler, which answers exactly once with one of the api_* functions below, at once
 * or later; that ends the call: it and its body are gone then.
 *
 * Handlers: api_pins.c (send, resend, verify, status), api_verifications.c, api_apps.c
 * (applications), api_messages.c (templates), api_health.c, api_metrics.c.
 */
#ifndef GATEWAY_API_PRIVATE_H
#define GATEWAY_API_PRIVATE_H

#include "gateway/answer.h"
#include "gateway/api.h"
#include "pin/registry.h"

#include <jansson.h>

struct failures;
struct tls;

struct api {
    struct api_env env;
    struct http_server *http, *noc; /* NULL: not listened for */
    struct tls *fresh;              /* what api_prepare() has read, until api_reload() */
    struct failures *failures;
    uint64_t auth_failures;
    uint64_t locked_out; /* requests refused for the wrong keys of their address */
    uint32_t n_calls;    /* not answered yet */
    size_t list_octets;  /* of lists that are being written */
    bool is_draining;
    bool is_closed; /* freed with the last call */
};

#define API_IDS_MAX 2 /* {appId} and {msgId}, or {pinId} */
#define API_ID_SIZE 64

struct api_call {
    struct api *api;
    const struct api_env *env;
    struct http_request *http;
    const struct api_route *route;
    int version;                        /* 1 or 2, of the path */
    char account[PIN_ACCOUNT_SIZE];     /* "" where the route needs no key */
    char ids[API_IDS_MAX][API_ID_SIZE]; /* of the path, decoded; too long a one is "" */
    json_t *body;                       /* an object, or NULL where none was sent */
};

enum api_flag {
    API_KEY = 1,      /* needs Authorization */
    API_BODY = 2,     /* a JSON object must be sent */
    API_BODY_OPT = 4, /* may be sent */
    API_PUBLIC = 8,   /* is there on http.listen */
    API_NOC = 16,     /* is there on http.noc_listen, and on http.listen where that is "" */
    API_RAW = 32,     /* the path is taken as it is, not under /2fa/{1,2} */
};

struct api_route {
    enum http_verb verb; /* GET serves HEAD, too */
    const char *path;    /* "/applications/{}/messages/{}"; also its label in metrics */
    int flags;
    void (*handler)(struct api_call *c);
};
const struct api_route *api_routes(size_t *n);

/* What a path stands for. */
struct api_match {
    const struct api_route *route; /* NULL: nothing, or not with this verb */
    int version;
    char ids[API_IDS_MAX][API_ID_SIZE];
    char allow[40]; /* without a route: what the path takes, "GET, HEAD, PUT"; "": no such path */
};
/* doors: API_PUBLIC, API_NOC or both. A slash at the end is as none. */
void api_match(const char *path, enum http_verb verb, int doors, struct api_match *out);
const char *api_verb_name(enum http_verb verb);

/* Finds the account of the call's key and goes on with api_run(), or answers. */
void api_authenticate(struct api_call *c);
void api_run(struct api_call *c);

/* --- what was asked -------------------------------------------------------------------------- */

/* A parameter of the query, decoded; false: not given, or it does not fit (then out is ""). The
 * first one of its name counts. */
bool api_query(const struct api_call *c, const char *name, char *out, size_t size);
/* true/1, false/0 in any case; anything else is as not given. */
bool api_query_bool(const struct api_call *c, const char *name, bool fallback);
/* Is it JSON in UTF-8? NULL: none was sent, taken as JSON. */
bool api_type_is_json(const char *content_type);

/* --- its answer: each ends the call ---------------------------------------------------------- */

/* An answer_cb; the argument is the call.  200, or the error envelope. */
void api_answer(void *call, const struct answer *a);
/* A body of any type. */
void api_respond(struct api_call *c, const struct http_response *response);
/* A body that is JSON already. */
void api_reply(struct api_call *c, int status, const char *json, size_t len);
void api_reply_json(struct api_call *c, int status, json_t *json); /* takes the reference */
void api_fail(struct api_call *c, enum answer_code code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* With a status that has no answer_code; retry_after_ms 0: none. */
void api_fail_status(struct api_call *c, int status, int64_t retry_after_ms, const char *text);
/* By the result of the registry or ledger: "no such application" for ERR_NOTFOUND, and so on. */
void api_fail_result(struct api_call *c, int err, const char *what);

/* --- handlers -------------------------------------------------------------------------------- */

void api_send(struct api_call *c);
void api_resend(struct api_call *c);
void api_verify(struct api_call *c);
void api_status(struct api_call *c);
void api_verifications(struct api_call *c);
void api_apps_list(struct api_call *c);
void api_apps_create(struct api_call *c);
void api_apps_get(struct api_call *c);
void api_apps_update(struct api_call *c);
void api_messages_list(struct api_call *c);
void api_messages_create(struct api_call *c);
void api_messages_get(struct api_call *c);
void api_messages_update(struct api_call *c);
void api_sms_only(struct api_call *c); /* voice and e-mail */
void api_healthz(struct api_call *c);
void api_readyz(struct api_call *c);
void api_readyz_send(struct api_call *c);
void api_metrics(struct api_call *c);

#endif
