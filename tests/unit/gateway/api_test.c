/*
 * The way of a call, with the HTTP layer, the registry's keys and the handlers played by the test:
 * routes, keys, bodies, and what becomes of each answer.
 */
#include "gateway/api_private.h"

#include "base/clock.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- the HTTP layer, played ------------------------------------------------------------------ */

struct http_request {
    enum http_verb verb;
    const char *path, *query, *headers[HTTP_N_HEADERS], *body;
    int answers, status;
    char text[512], field[64], allow[64], json[256];
    uint32_t retry_after_s;
};
struct http_server {
    struct http_options o;
    int drained, tls_set;
    struct http_limits limits;
};
struct tls {
    int refs;
};

static struct http_server servers[2];
static int n_servers;
static struct tls one_tls;
static bool tls_is_bad;

struct http_server *http_server_new(const struct http_options *o, char *why, size_t why_size)
{
    if (strcmp(o->listen, "taken") == 0) {
        snprintf(why, why_size, "taken: in use");
        return NULL;
    }
    servers[n_servers] = (struct http_server){.o = *o};
    return &servers[n_servers++];
}
void http_server_set_tls(struct http_server *s, struct tls *tls)
{
    (void)tls;
    s->tls_set++;
}
void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
    s->limits = *limits;
}
void http_server_drain(struct http_server *s)
{
    s->drained++;
}
void http_server_free(struct http_server *s)
{
    (void)s;
}
void http_server_info(const struct http_server *s, struct http_info *out)
{
    (void)s;
    *out = (struct http_info){.connections = 2};
}
enum http_verb http_request_verb(const struct http_request *r)
{
    return r->verb;
}
const char *http_request_path(const struct http_request *r)
{
    return r->path;
}
const char *http_request_query(const struct http_request *r)
{
    return r->query ? r->query : "";
}
const char *http_request_header(const struct http_request *r, enum http_header h)
{
    return r->headers[h];
}
const char *http_request_body(const struct http_request *r, size_t *len)
{
    *len = r->body ? strlen(r->body) : 0;
    return r->body;
}
const char *http_request_peer(const struct http_request *r)
{
    (void)r;
    return "192.0.2.1";
}
const char *http_request_id(const struct http_request *r)
{
    (void)r;
    return "0123456789abcdef";
}
int64_t http_request_age_us(const struct http_request *r)
{
    (void)r;
    return 1;
}
void http_respond(struct http_request *r, const struct http_response *response)
{
    r->answers++;
    r->status = response->status;
    snprintf(r->json, sizeof r->json, "%.*s", (int)response->len,
             response->body ? (const char *)response->body : "");
    snprintf(r->allow, sizeof r->allow, "%s", response->allow ? response->allow : "");
}
void http_respond_error(struct http_request *r, const struct http_error *error)
{
    r->answers++;
    r->status = error->status;
    r->retry_after_s = error->retry_after_s;
    snprintf(r->text, sizeof r->text, "%s", error->text);
    snprintf(r->field, sizeof r->field, "%s", error->field ? error->field : "");
    snprintf(r->allow, sizeof r->allow, "%s", error->allow ? error->allow : "");
}
struct tls *tls_new(const struct tls_options *o, char *why, size_t why_size)
{
    (void)o;
    snprintf(why, why_size, "bad certificate");
    if (tls_is_bad)
        return NULL;
    one_tls.refs++;
    return &one_tls;
}
struct tls *tls_ref(struct tls *t)
{
    t->refs++;
    return t;
}
void tls_unref(struct tls *t)
{
    if (t)
        t->refs--;
}

/* --- keys, played: "good" is demo's, "slow" is answered by the test ------------------------ */

static int find_result;
static pin_account_cb slow_cb;
static void *slow_arg;
static bool is_known;

void pin_registry_find_key(struct pin_registry *r, const char *key, size_t len, pin_account_cb cb,
                           void *arg)
{
    (void)r;
    if (len == 4 && strcmp(key, "slow") == 0) {
        slow_cb = cb;
        slow_arg = arg;
    } else if (len == 4 && strcmp(key, "good") == 0) {
        cb(arg, find_result, find_result ? NULL : "demo");
    } else {
        cb(arg, ERR_NOTFOUND, NULL);
    }
}
bool pin_registry_knows_key(struct pin_registry *r, const char *key, size_t len)
{
    (void)r;
    return is_known && len == 4 && strcmp(key, "good") == 0;
}

/* --- handlers, played ------------------------------------------------------------------------ */

static char ran[400]; /* "send 2 account id0 id1 {body}" */
static struct api_call *waiting;

static void note(struct api_call *c, const char *name)
{
    char *body = c->body ? json_dumps(c->body, JSON_COMPACT) : NULL;
    snprintf(ran, sizeof ran, "%s %d %s %s %s %s", name, c->version, c->account, c->ids[0],
             c->ids[1], body ? body : "-");
    free(body);
}

#define HANDLER(name)                                                                              \
    void name(struct api_call *c)                                                                  \
    {                                                                                              \
        note(c, #name);                                                                            \
        api_reply(c, 200, "{}", 2);                                                                \
    }
HANDLER(api_send)
HANDLER(api_resend)
HANDLER(api_verifications)
HANDLER(api_apps_list)
HANDLER(api_apps_create)
HANDLER(api_apps_get)
HANDLER(api_apps_update)
HANDLER(api_messages_list)
HANDLER(api_messages_create)
HANDLER(api_messages_get)
HANDLER(api_messages_update)
HANDLER(api_sms_only)
HANDLER(api_healthz)
HANDLER(api_readyz)
HANDLER(api_readyz_send)
HANDLER(api_metrics)

void api_verify(struct api_call *c) /* answers later */
{
    note(c, "api_verify");
    waiting = c;
}

static struct answer given;

void api_status(struct api_call *c) /* answers what the test has put there */
{
    note(c, "api_status");
    api_answer(c, &given);
}

/* --- the rig --------------------------------------------------------------------------------- */

static struct config config;
static struct api *api;
static int64_t now_us;

static int64_t fake_us(void)
{
    return now_us;
}

static struct api *new_api(const char *listen, const char *noc_listen)
{
    char why[200];
    config.http = (struct config_http){.listen = listen,
                                       .noc_listen = noc_listen,
                                       .tls_cert_file = "",
                                       .tls_key_file = "",
                                       .auth_failures_per_min = 3,
                                       .max_connections = 2,
                                       .max_body = 1};
    n_servers = 0;
    return api_new(&(struct api_env){.config = &config}, why, sizeof why);
}

static int setup(void **state)
{
    static const struct clock_source fake = {.mono_us = fake_us, .wall_us = fake_us};
    (void)state;
    clock_set_source(&fake);
    log_set_level(LOG_LV_ERROR);
    find_result = 0;
    is_known = false;
    tls_is_bad = false;
    waiting = NULL;
    ran[0] = 0;
    api = new_api("a:1", "a:2");
    return api ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    api_free(api);
    clock_set_source(NULL);
    return 0;
}

/* The door that was opened first is the NOC's. */
static void ask_at(struct http_request *r, int door)
{
    ran[0] = 0;
    servers[door].o.request_cb(servers[door].o.arg, r);
}

static struct http_request ask(enum http_verb verb, const char *path, const char *body)
{
    struct http_request r = {
        .verb = verb, .path = path, .body = body, .headers = {[HTTP_AUTHORIZATION] = "App good"}};
    ask_at(&r, 1);
    assert_int_equal(r.answers, 1);
    return r;
}

static struct http_request ask_with(const char *authorization)
{
    struct http_request r = {.verb = HTTP_VERB_GET,
                             .path = "/2fa/2/applications",
                             .headers = {[HTTP_AUTHORIZATION] = authorization}};
    ask_at(&r, 1);
    assert_int_equal(r.answers, 1);
    return r;
}

/* --- routes ---------------------------------------------------------------------------------- */

static void every_path_of_the_table_reaches_its_handler_under_both_versions(void **state)
{
    (void)state;
    static const struct {
        enum http_verb verb;
        const char *path, *ran;
    } rows[] = {
        {HTTP_VERB_GET, "/2fa/2/applications", "api_apps_list 2 demo   -"},
        {HTTP_VERB_GET, "/2fa/1/applications/", "api_apps_list 1 demo   -"},
        {HTTP_VERB_HEAD, "/2fa/2/applications", "api_apps_list 2 demo   -"},
        {HTTP_VERB_POST, "/2fa/2/applications", "api_apps_create 2 demo   {}"},
        {HTTP_VERB_GET, "/2fa/2/applications/A%2Fb", "api_apps_get 2 demo A/b  -"},
        {HTTP_VERB_PUT, "/2fa/1/applications/A/", "api_apps_update 1 demo A  {}"},
        {HTTP_VERB_GET, "/2fa/2/applications/A/messages", "api_messages_list 2 demo A  -"},
        {HTTP_VERB_POST, "/2fa/2/applications/A/messages", "api_messages_create 2 demo A  {}"},
        {HTTP_VERB_GET, "/2fa/2/applications/A/messages/B", "api_messages_get 2 demo A B -"},
        {HTTP_VERB_PUT, "/2fa/2/applications/A/messages/B", "api_messages_update 2 demo A B {}"},
        {HTTP_VERB_GET, "/2fa/1/applications/A/verifications", "api_verifications 1 demo A  -"},
        {HTTP_VERB_POST, "/2fa/2/applications/A/email/messages", "api_sms_only 2 demo A  -"},
        {HTTP_VERB_PUT, "/2fa/2/applications/A/email/messages/B", "api_sms_only 2 demo A B -"},
        {HTTP_VERB_POST, "/2fa/2/pin/", "api_send 2 demo   {}"},
        {HTTP_VERB_POST, "/2fa/2/pin/voice", "api_sms_only 2 demo   -"},
        {HTTP_VERB_POST, "/2fa/2/pin/email", "api_sms_only 2 demo   -"},
        {HTTP_VERB_POST, "/2fa/2/pin/P/resend", "api_resend 2 demo P  {}"},
        {HTTP_VERB_POST, "/2fa/2/pin/P/resend/voice", "api_sms_only 2 demo P  -"},
        {HTTP_VERB_POST, "/2fa/2/pin/P/resend/email", "api_sms_only 2 demo P  -"},
        {HTTP_VERB_GET, "/healthz", "api_healthz 0    -"},
        {HTTP_VERB_GET, "/readyz/", "api_readyz 0    -"},
        {HTTP_VERB_HEAD, "/readyz/send", "api_readyz_send 0    -"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = ask(rows[i].verb, rows[i].path, "{}");
        assert_int_equal(r.status, 200);
        assert_string_equal(ran, rows[i].ran);
    }
}

static void a_path_that_is_no_route_is_404_whatever_its_form(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",
        "",
        "*",
        "//",
        "/2fa",
        "/2fa/2",
        "/2fa/3/applications",
        "/2fa/2/application",
        "/2fa/2/applicationsx",
        "/2fa/2/applications//messages",
        "/applications",
        "/2fa/2/healthz",
        "/2fa/2/pin/P/verify/x",
        "/healthz/x",
        "/metrics",
        "2fa/2/applications",
        "/2fa/2/applications/a/b/c/d/e/f/g/h/i",
        "/2fa/2/applications//",
        "/2fa/2/%00applications",
        "/2fa/2/applications/A/email%2Fmessages",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct http_request r = ask(HTTP_VERB_GET, paths[i], NULL);
        if (r.status != 404)
            fail_msg("%s: %d", paths[i], r.status);
        assert_string_equal(ran, "");
    }
}

static void an_id_that_cannot_be_one_is_empty(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "%",
        "%4",
        "%zz",
        "A%00",
        "0123456789012345678901234567890123456789012345678901234567890123",
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char path[160];
        snprintf(path, sizeof path, "/2fa/2/applications/%s", ids[i]);
        ask(HTTP_VERB_GET, path, NULL);
        assert_string_equal(ran, "api_apps_get 2 demo   -");
    }
    char longest[API_ID_SIZE], path[160];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    snprintf(path, sizeof path, "/2fa/2/applications/%s", longest);
    ask(HTTP_VERB_GET, path, NULL);
    assert_non_null(strstr(ran, longest));
}

static void another_method_is_405_and_options_204_with_what_the_path_takes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *allow;
    } rows[] = {
        {"/2fa/2/applications", "GET, HEAD, POST"},
        {"/2fa/2/applications/A", "GET, HEAD, PUT"},
        {"/2fa/1/pin", "POST"},
        {"/2fa/1/pin/P/status/", "GET, HEAD"},
        {"/healthz", "GET, HEAD"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = ask(HTTP_VERB_OTHER, rows[i].path, NULL);
        assert_int_equal(r.status, 405);
        assert_string_equal(r.allow, rows[i].allow);
        r = ask(HTTP_VERB_OPTIONS, rows[i].path, NULL);
        assert_int_equal(r.status, 204);
        assert_string_equal(r.allow, rows[i].allow);
    }
    assert_int_equal(ask(HTTP_VERB_OPTIONS, "/nowhere", NULL).status, 404);
    assert_int_equal(ask(HTTP_VERB_PUT, "/2fa/2/applications", "{}").status, 405);
}

static void each_door_has_its_own_paths(void **state)
{
    (void)state;
    struct http_request r = {.verb = HTTP_VERB_GET, .path = "/metrics"};
    ask_at(&r, 0);
    assert_string_equal(ran, "api_metrics 0    -");
    r = (struct http_request){.verb = HTTP_VERB_GET, .path = "/healthz"};
    ask_at(&r, 0);
    assert_int_equal(r.status, 200);
    r = (struct http_request){.verb = HTTP_VERB_GET, .path = "/2fa/2/applications"};
    ask_at(&r, 0);
    assert_int_equal(r.status, 404);
    api_free(api);
    api = new_api("a:1", "");
    assert_int_equal(n_servers, 1);
    r = (struct http_request){.verb = HTTP_VERB_GET, .path = "/metrics"};
    ask_at(&r, 0);
    assert_string_equal(ran, "api_metrics 0    -");
}

/* --- keys ------------------------------------------------------------------------------------ */

static void the_scheme_is_taken_in_any_case_and_others_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *authorization;
        int status;
        const char *text;
    } rows[] = {
        {"App good", 200, ""},
        {"app good", 200, ""},
        {"APP   good", 200, ""},
        {NULL, 401, "a key is needed"},
        {"", 401, "a key is needed"},
        {"App", 401, "a key is needed"},
        {"App ", 401, "a key is needed"},
        {"good", 401, "a key is needed"},
        {"Application good", 401, "a key is needed"},
        {"Basic Zm9vOmJhcg==", 401, "this form"},
        {"bearer good", 401, "this form"},
        {"App bad", 401, "the key is not known"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = ask_with(rows[i].authorization);
        assert_int_equal(r.status, rows[i].status);
        assert_memory_equal(r.text, rows[i].text, strlen(rows[i].text));
        assert_true(r.status == 200 || !ran[0]);
    }
}

static void too_many_wrong_keys_are_429_but_a_key_known_good_passes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_with("App bad").status, 401);
    struct http_request r = ask_with("App bad");
    assert_int_equal(r.status, 429);
    assert_int_equal(r.retry_after_s, 60);
    assert_int_equal(ask_with("App good").status, 429); /* not known good: not asked about */
    is_known = true;
    assert_int_equal(ask_with("App good").status, 200);
    now_us += 59999000;
    assert_int_equal(ask_with("App bad").retry_after_s, 1);
    now_us += 1000;
    assert_int_equal(ask_with("App bad").status, 401);
    struct api_info info;
    api_info(api, &info);
    assert_int_equal(info.auth_failures, 4);
    assert_int_equal(info.http.limits_hit, 3);
    assert_int_equal(info.connections, 4);
}

static void a_missing_or_other_authorization_is_no_wrong_key(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask_with(i & 1 ? NULL : "Basic eA==").status, 401);
}

static void without_the_store_a_key_is_503_and_no_failure(void **state)
{
    (void)state;
    find_result = ERR_UNAVAILABLE;
    for (int i = 0; i < 5; i++) {
        struct http_request r = ask_with("App good");
        assert_int_equal(r.status, 503);
        assert_int_equal(r.retry_after_s, 1);
    }
}

static void a_key_may_be_found_later_and_the_api_may_be_gone_by_then(void **state)
{
    (void)state;
    struct http_request r = {.verb = HTTP_VERB_POST,
                             .path = "/2fa/2/pin/P/verify",
                             .body = "{\"pin\":\"1\"}",
                             .headers = {[HTTP_AUTHORIZATION] = "App slow"}};
    ask_at(&r, 1);
    assert_int_equal(r.answers, 0);
    slow_cb(slow_arg, 0, "other");
    assert_string_equal(ran, "api_verify 2 other P  {\"pin\":\"1\"}");
    struct http_request second = r;
    ask_at(&second, 1);
    api_free(api);
    api = NULL;
    api_fail(waiting, ANSWER_UNAVAILABLE, NULL, "closed");
    assert_int_equal(r.status, 503);
    slow_cb(slow_arg, ERR_CLOSED, NULL);
    assert_int_equal(second.status, 503);
    assert_int_equal(r.answers + second.answers, 2);
}

static void calls_whose_connection_may_be_gone_are_bounded_too(void **state)
{
    (void)state;
    struct http_request r[4];
    struct api_call *calls[4];
    for (size_t i = 0; i < 4; i++) {
        r[i] = (struct http_request){.verb = HTTP_VERB_POST,
                                     .path = "/2fa/2/pin/P/verify",
                                     .body = "{}",
                                     .headers = {[HTTP_AUTHORIZATION] = "App good"}};
        if (i == 3)
            api_fail(calls[0], ANSWER_UNAVAILABLE, NULL, "done");
        ask_at(&r[i], 1);
        calls[i] = waiting;
    }
    assert_int_equal(r[1].answers, 0);
    assert_int_equal(r[2].status, 503);
    assert_int_equal(r[2].retry_after_s, 1);
    assert_int_equal(r[3].answers, 0);
    struct http_request health = {.verb = HTTP_VERB_GET, .path = "/healthz"};
    ask_at(&health, 0);
    assert_int_equal(health.status, 200);
    api_fail(calls[1], ANSWER_UNAVAILABLE, NULL, "done");
    api_fail(calls[3], ANSWER_UNAVAILABLE, NULL, "done");
}

/* --- bodies ---------------------------------------------------------------------------------- */

static struct http_request send_body(const char *body, const char *type, const char *encoding)
{
    struct http_request r = {.verb = HTTP_VERB_POST,
                             .path = "/2fa/2/pin",
                             .body = body,
                             .headers = {[HTTP_AUTHORIZATION] = "App good",
                                         [HTTP_CONTENT_TYPE] = type,
                                         [HTTP_CONTENT_ENCODING] = encoding}};
    ask_at(&r, 1);
    return r;
}

static void a_body_that_is_not_json_by_its_type_is_415(void **state)
{
    (void)state;
    static const struct {
        const char *type, *encoding;
        int status;
    } rows[] = {
        {NULL, NULL, 200},
        {"", "", 200},
        {"application/json", "identity", 200},
        {"Application/JSON; charset=UTF-8", NULL, 200},
        {"application/json;charset=\"utf-8\" ; x=y", NULL, 200},
        {"application/json; v=1", "Identity", 200},
        {"application/json; charset=iso-8859-1", NULL, 415},
        {"application/json; charset=utf-88", NULL, 415},
        {"application/json; charset=\"utf-8", NULL, 415},
        {"application/jsonp", NULL, 415},
        {"application/json x", NULL, 415},
        {"application/xml", NULL, 415},
        {"application/x-www-form-urlencoded", NULL, 415},
        {"text/plain", NULL, 415},
        {"application/json", "gzip", 415},
        {"application/json", "identity, gzip", 415},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = send_body("{}", rows[i].type, rows[i].encoding).status;
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].type, status);
    }
}

static void bad_json_is_400_and_never_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
    } rows[] = {
        {NULL, "the body: a JSON object is expected"},
        {"[]", "the body: a JSON object is expected"},
        {"5", "the body: a JSON object is expected"},
        {"null", "the body: a JSON object is expected"},
        {"\"secret\"", "the body: a JSON object is expected"},
        {"{\"pin\":secret}", "the body: line 1, column 13: it is not JSON"},
        {"{\"pin\":\n\"secret}", "the body: line 2, column 7: it is not JSON"},
        {"{\"a\":1} secret", "the body: line 1, column 14: it is not JSON"},
        {"{\"a\":1,\"a\":2}", "the body: line 1, column 10: a key stands twice"},
        {"{\"a\":\"\\u0000\"}", "the body: line 1, column 13: a NUL in a string is not taken"},
        {"{\"a\":\"\xff\"}", "the body: line 1, column 5: it is not UTF-8"},
        {"{\"a\":99999999999999999999}", "the body: line 1, column 25: a number is too large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = send_body(rows[i].body, NULL, NULL);
        assert_int_equal(r.status, 400);
        /* the line and the reason; the column is jansson's matter */
        if (strncmp(r.text, rows[i].text, 17) != 0 || !strstr(r.text, strrchr(rows[i].text, ':')) ||
            strstr(r.text, "secret"))
            fail_msg("%s: %s", rows[i].body, r.text);
    }
}

/* A body of {"a":, then `from`, n times `again`, and `to` and a brace at its end. */
static struct http_request send_many(const char *from, const char *again, size_t n, const char *to)
{
    char *body = NULL;
    size_t len;
    FILE *f = open_memstream(&body, &len);
    assert_non_null(f);
    fprintf(f, "{\"a\":%s", from);
    for (size_t i = 0; i < n; i++)
        fputs(again, f);
    fprintf(f, "%s}", to);
    fclose(f);
    struct http_request r = send_body(body, NULL, NULL);
    free(body);
    return r;
}

static void values_are_bounded_however_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *from, *again, *to;
        size_t n;
        int status;
    } rows[] = {
        {"[0", ",0", "]", 253, 200},        {"[0", ",0", "]", 254, 400},
        {"[[]", ",[]", "]", 126, 200},      {"[[]", ",[]", "]", 20000, 400},
        {"[{}", ",{}", "]", 20000, 400},    {"", "[", "", 30000, 400},
        {"0", ",\"x\":0", "", 20000, 400},  {"\"", "[{,", "\"", 20000, 200},
        {"\"", "\\\"[,", "\"", 20000, 200},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = send_many(rows[i].from, rows[i].again, rows[i].n, rows[i].to);
        if (r.status != rows[i].status)
            fail_msg("row %zu: %d %s", i, r.status, r.text);
        if (r.status == 400)
            assert_string_equal(r.text, "the body: more than 256 values are not taken");
    }
}

static void an_optional_body_may_be_missing_but_not_wrong(void **state)
{
    (void)state;
    ask(HTTP_VERB_POST, "/2fa/2/pin/P/resend", NULL);
    assert_string_equal(ran, "api_resend 2 demo P  -");
    assert_int_equal(ask(HTTP_VERB_POST, "/2fa/2/pin/P/resend", "[").status, 400);
    ask(HTTP_VERB_GET, "/2fa/2/pin/P/status", "no JSON, not looked at");
    assert_string_equal(ran, "api_status 2 demo P  -");
}

/* --- answers --------------------------------------------------------------------------------- */

static struct http_request answered(void)
{
    return ask(HTTP_VERB_GET, "/2fa/2/pin/P/status", NULL);
}

static void an_answer_becomes_a_status_and_its_fields(void **state)
{
    (void)state;
    answer_init(&given);
    answer_str(&given, "pinId", "P");
    answer_bool(&given, "verified", true);
    struct http_request r = answered();
    assert_int_equal(r.status, 200);
    assert_string_equal(r.json, "{\"pinId\":\"P\",\"verified\":true}");

    answer_fail(&given, ANSWER_BAD_REQUEST, "to: wrong");
    given.field = "to";
    given.retry_after_ms = 1000; /* of no meaning here */
    r = answered();
    assert_int_equal(r.status, 400);
    assert_string_equal(r.text, "to: wrong");
    assert_string_equal(r.field, "to");
    assert_int_equal(r.retry_after_s, 0);
}

static void when_to_try_again_is_rounded_up_and_never_at_once(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        uint32_t s;
    } rows[] = {{0, 1}, {1, 1}, {1000, 1}, {1001, 2}, {86400000, 86400}, {-5, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer_fail(&given, ANSWER_TOO_MANY_REQUESTS, "slow");
        given.retry_after_ms = rows[i].ms;
        assert_int_equal(answered().retry_after_s, rows[i].s);
        given.code = ANSWER_UNAVAILABLE;
        struct http_request r = answered();
        assert_int_equal(r.retry_after_s, rows[i].s);
        assert_int_equal(r.status, 503);
    }
}

static void an_answer_that_does_not_fit_is_500(void **state)
{
    (void)state;
    answer_init(&given);
    given.is_full = true;
    assert_int_equal(answered().status, 500);
}

static void results_of_the_registry_have_their_status(void **state)
{
    (void)state;
    static const struct {
        int err, status;
    } rows[] = {{ERR_NOTFOUND, 404}, {ERR_LIMIT, 400},   {ERR_INVALID, 400},
                {ERR_NOMEM, 500},    {ERR_TIMEOUT, 503}, {ERR_UNAVAILABLE, 503},
                {ERR_LOST, 503},     {ERR_CLOSED, 503},  {ERR_CORRUPT, 500}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = {.verb = HTTP_VERB_POST,
                                 .path = "/2fa/2/pin/P/verify",
                                 .body = "{}",
                                 .headers = {[HTTP_AUTHORIZATION] = "App good"}};
        ask_at(&r, 1);
        api_fail_result(waiting, rows[i].err, "application");
        assert_int_equal(r.status, rows[i].status);
        assert_int_equal(r.retry_after_s, rows[i].status == 503);
    }
}

/* --- doors ----------------------------------------------------------------------------------- */

static void a_port_that_is_taken_says_so(void **state)
{
    (void)state;
    char why[100];
    config.http.listen = "taken";
    n_servers = 0;
    assert_null(api_new(&(struct api_env){.config = &config}, why, sizeof why));
    assert_string_equal(why, "taken: in use");
}

static void a_reload_reads_what_can_be_wrong_before_it_changes_anything(void **state)
{
    (void)state;
    char why[100];
    struct config fresh = config;
    config.http.tls_cert_file = "old";
    fresh.http.tls_cert_file = "cert";
    fresh.http.max_body = 7;
    tls_is_bad = true;
    assert_int_not_equal(api_prepare(api, &fresh, why, sizeof why), 0);
    assert_string_equal(why, "bad certificate");
    tls_is_bad = false;
    assert_int_equal(api_prepare(api, &fresh, why, sizeof why), 0);
    assert_int_equal(api_prepare(api, &fresh, why, sizeof why), 0); /* the first one is let go */
    assert_int_equal(one_tls.refs, 1);
    assert_int_equal(servers[0].tls_set + servers[1].tls_set, 0);
    api_reload(api, &fresh);
    assert_int_equal(servers[0].tls_set, 1);
    assert_int_equal(servers[1].limits.max_body, 7);
    assert_int_equal(one_tls.refs, 0); /* the servers, played here, keep none */
    api_drain(api);
    assert_int_equal(servers[0].drained + servers[1].drained, 2);
    assert_true(api->is_draining);
}

static void doors_are_not_given_tls_or_robbed_of_it_by_a_reload(void **state)
{
    (void)state;
    char why[100];
    struct config fresh = config;
    fresh.http.tls_cert_file = "cert";
    assert_int_equal(api_prepare(api, &fresh, why, sizeof why), 0);
    fresh.http.tls_cert_file = ""; /* kept */
    api_reload(api, &fresh);
    fresh.http.tls_cert_file = "old";
    assert_int_equal(api_prepare(api, &config, why, sizeof why), 0);
    api_reload(api, &fresh);
    assert_int_equal(servers[0].tls_set + servers[1].tls_set, 0);
    assert_int_equal(one_tls.refs, 0);
}

static void what_jansson_frees_is_wiped(void **state)
{
    (void)state;
    json_malloc_t get;
    json_free_t put;
    json_get_alloc_funcs(&get, &put);
    assert_true(get == malloc);
    assert_true(put != free);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_path_of_the_table_reaches_its_handler_under_both_versions),
        T(a_path_that_is_no_route_is_404_whatever_its_form),
        T(an_id_that_cannot_be_one_is_empty),
        T(another_method_is_405_and_options_204_with_what_the_path_takes),
        T(each_door_has_its_own_paths),
        T(the_scheme_is_taken_in_any_case_and_others_are_told_apart),
        T(too_many_wrong_keys_are_429_but_a_key_known_good_passes),
        T(a_missing_or_other_authorization_is_no_wrong_key),
        T(without_the_store_a_key_is_503_and_no_failure),
        T(a_key_may_be_found_later_and_the_api_may_be_gone_by_then),
        T(calls_whose_connection_may_be_gone_are_bounded_too),
        T(a_body_that_is_not_json_by_its_type_is_415),
        T(bad_json_is_400_and_never_quoted),
        T(values_are_bounded_however_they_stand),
        T(an_optional_body_may_be_missing_but_not_wrong),
        T(an_answer_becomes_a_status_and_its_fields),
        T(when_to_try_again_is_rounded_up_and_never_at_once),
        T(an_answer_that_does_not_fit_is_500),
        T(results_of_the_registry_have_their_status),
        T(a_port_that_is_taken_says_so),
        T(a_reload_reads_what_can_be_wrong_before_it_changes_anything),
        T(doors_are_not_given_tls_or_robbed_of_it_by_a_reload),
        T(what_jansson_frees_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
