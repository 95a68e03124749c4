/* The listeners of the HTTP doors, and the life of a call. */
#include "gateway/api_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/answer_json.h"
#include "gateway/api_metrics.h"
#include "gateway/config.h"
#include "gateway/failures.h"
#include "gateway/tls.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- the end of a call ----------------------------------------------------------------------- */

/* The last one to leave: api_free() or a call that was open then. */
static void free_if_over(struct api *a)
{
    if (!a->is_closed || a->n_calls)
        return;
    failures_free(a->failures);
    free(a);
}

static void call_free(struct api_call *c)
{
    struct api *a = c->api;
    json_decref(c->body);
    free(c);
    a->n_calls--;
    free_if_over(a);
}

/* What a request has come to, while its views are still there. */
static void note(const struct api_call *c, int status)
{
    api_metrics_count(c->route, status);
    LOG(LOG_LV_DEBUG, http_request_id(c->http), "http_request",
        KV_S("verb", api_verb_name(http_request_verb(c->http))),
        KV_S("route", c->route ? c->route->path : NULL), KV_I("status", status),
        KV_I("us", http_request_age_us(c->http)), KV_S("account", c->account));
}

void api_respond(struct api_call *c, const struct http_response *r)
{
    note(c, r->status);
    http_respond(c->http, r);
    call_free(c);
}

static void respond_error(struct api_call *c, const struct http_error *e)
{
    note(c, e->status);
    http_respond_error(c->http, e);
    call_free(c);
}

void api_reply(struct api_call *c, int status, const char *json, size_t len)
{
    api_respond(c, &(struct http_response){.status = status, .body = json, .len = len});
}

void api_reply_json(struct api_call *c, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    if (!text) {
        api_fail(c, ANSWER_GENERAL_ERROR, NULL, "out of memory");
        return;
    }
    api_reply(c, status, text, strlen(text));
    secret_wipe(text, strlen(text));
    free(text);
}

/* Whole seconds, so that nobody comes back too early. */
static uint32_t retry_after_s(int64_t ms)
{
    return ms <= 0 ? 0 : (uint32_t)((ms + 999) / 1000);
}

static bool may_be_retried(enum answer_code code)
{
    return code == ANSWER_TOO_MANY_REQUESTS || code == ANSWER_UNAVAILABLE;
}

static void fail(struct api_call *c, const struct answer *a)
{
    int64_t wait = a->retry_after_ms > 0 ? a->retry_after_ms : 1000;
    respond_error(c, &(struct http_error){
                         .status = answer_code_status(a->code),
                         .text = a->text,
                         .field = a->field,
                         .retry_after_s = may_be_retried(a->code) ? retry_after_s(wait) : 0});
}

void api_fail(struct api_call *c, enum answer_code code, const char *field, const char *fmt, ...)
{
    struct answer a;
    va_list ap;
    answer_init(&a);
    a.code = code;
    a.field = field;
    va_start(ap, fmt);
    vsnprintf(a.text, sizeof a.text, fmt, ap);
    va_end(ap);
    fail(c, &a);
}

void api_fail_status(struct api_call *c, int status, int64_t retry_after_ms, const char *text)
{
    respond_error(c, &(struct http_error){.status = status,
                                          .text = text,
                                          .retry_after_s = retry_after_s(retry_after_ms)});
}

void api_fail_result(struct api_call *c, int err, const char *what)
{
    struct answer a;
    if (err == ERR_NOTFOUND)
        answer_fail(&a, ANSWER_NOT_FOUND, "no such %s", what);
    else if (err == ERR_LIMIT)
        answer_fail(&a, ANSWER_BAD_REQUEST, "there are 10000 already, and no more can be made");
    else
        answer_store_error(&a, err);
    fail(c, &a);
}

void api_answer(void *call, const struct answer *a)
{
    struct api_call *c = call;
    char text[ANSWER_JSON_SIZE];
    struct wr w = wr_init(text, sizeof text);
    if (a->code != ANSWER_OK) {
        fail(c, a);
        return;
    }
    answer_write_json(&w, a);
    if (a->is_full || w.bad)
        api_fail(c, ANSWER_GENERAL_ERROR, NULL, "the answer does not fit");
    else
        api_reply(c, 200, text, w.len);
}

/* --- the body -------------------------------------------------------------------------------- */

static const char *skip_space(const char *s)
{
    return s + strspn(s, " \t");
}

/* The value of charset, perhaps in quotes. */
static bool is_utf8(const char *v)
{
    size_t quote = *v == '"', end = quote + 5;
    return strncasecmp(v + quote, "utf-8", 5) == 0 && (!quote || v[end] == '"') &&
           strchr("; \t", v[end + quote]);
}

bool api_type_is_json(const char *type)
{
    static const char json[] = "application/json";
    if (!type || !*type)
        return true;
    if (strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    type = skip_space(type + sizeof json - 1);
    while (*type == ';') {
        type = skip_space(type + 1);
        if (strncasecmp(type, "charset=", 8) == 0 && !is_utf8(type + 8))
            return false;
        type += strcspn(type, ";");
    }
    return *type == 0;
}

static bool is_encoded(const char *encoding)
{
    return encoding && *encoding && strcasecmp(encoding, "identity") != 0;
}

/* Never the content: jansson's own text quotes it. */
static const char *trouble_text(enum json_error_code code)
{
    static const struct {
        enum json_error_code code;
        const char *text;
    } texts[] = {
        {json_error_duplicate_key, "a key stands twice"},
        {json_error_null_character, "a NUL in a string is not taken"},
        {json_error_null_byte_in_key, "a NUL in a key is not taken"},
        {json_error_invalid_utf8, "it is not UTF-8"},
        {json_error_numeric_overflow, "a number is too large"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "it is not JSON";
}

/* Clients send twenty or so; an empty object of two octets is 300 when jansson has read it. */
#define VALUES_MAX 256

/* Where strings would end elsewhere than for jansson, it has already refused the text. */
static bool has_too_many_values(const char *text, size_t len)
{
    size_t n = 1;
    bool is_string = false;
    if (len < VALUES_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (is_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            is_string = !is_string;
        else if (!is_string && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
            n++; /* a value may follow each of them */
    }
    return n > VALUES_MAX;
}

/* false: the call has ended. */
static bool take_body(struct api_call *c)
{
    json_error_t error;
    size_t len;
    const char *text = http_request_body(c->http, &len);
    if (!(c->route->flags & (API_BODY | API_BODY_OPT)))
        return true;
    if (len == 0 && (c->route->flags & API_BODY_OPT))
        return true;
    if (len && !api_type_is_json(http_request_header(c->http, HTTP_CONTENT_TYPE))) {
        api_fail_status(c, 415, 0, "Content-Type: application/json in UTF-8 is expected");
        return false;
    }
    if (len && is_encoded(http_request_header(c->http, HTTP_CONTENT_ENCODING))) {
        api_fail_status(c, 415, 0, "Content-Encoding: none but identity is taken");
        return false;
    }
    if (has_too_many_values(text, len)) {
        api_fail(c, ANSWER_BAD_REQUEST, NULL, "the body: more than %d values are not taken",
                 VALUES_MAX);
        return false;
    }
    c->body = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json_is_object(c->body))
        return true;
    if (c->body || len == 0)
        api_fail(c, ANSWER_BAD_REQUEST, NULL, "the body: a JSON object is expected");
    else
        api_fail(c, ANSWER_BAD_REQUEST, NULL, "the body: line %d, column %d: %s", error.line,
                 error.column, trouble_text(json_error_code(&error)));
    return false;
}

/* --- the way of a call ----------------------------------------------------------------------- */

void api_run(struct api_call *c)
{
    if (take_body(c))
        c->route->handler(c);
}

static void refuse_route(struct api_call *c, const char *allow)
{
    bool is_question = http_request_verb(c->http) == HTTP_VERB_OPTIONS;
    if (!allow[0])
        api_fail(c, ANSWER_NOT_FOUND, NULL, "there is no such path");
    else if (is_question)
        api_respond(c, &(struct http_response){.status = 204, .allow = allow});
    else
        respond_error(c, &(struct http_error){.status = 405,
                                              .text = "the path does not take this method",
                                              .allow = allow});
}

/* More than their connections could have: those that were cut are worked on, too. */
static bool has_too_many_calls(const struct api *a)
{
    return a->n_calls > a->env.config->http.max_connections;
}

static void serve(struct api *a, struct http_request *r, int doors)
{
    struct api_match m;
    struct api_call *c = calloc(1, sizeof *c);
    if (!c) {
        http_respond_error(r, &(struct http_error){.status = 500, .text = "out of memory"});
        return;
    }
    a->n_calls++;
    c->api = a;
    c->env = &a->env;
    c->http = r;
    api_match(http_request_path(r), http_request_verb(r), doors, &m);
    c->route = m.route;
    c->version = m.version;
    memcpy(c->ids, m.ids, sizeof c->ids);
    if (!c->route)
        refuse_route(c, m.allow);
    else if (!(c->route->flags & API_KEY))
        api_run(c);
    else if (has_too_many_calls(a))
        api_fail(c, ANSWER_UNAVAILABLE, NULL, "too many requests at once, try again");
    else
        api_authenticate(c);
}

static void public_cb(void *arg, struct http_request *r)
{
    struct api *a = arg;
    serve(a, r, a->noc ? API_PUBLIC : API_PUBLIC | API_NOC);
}

static void noc_cb(void *arg, struct http_request *r)
{
    serve(arg, r, API_NOC);
}

/* --- the listeners --------------------------------------------------------------------------- */

/* PINs and keys pass through jansson: what it frees is wiped. */
static void wipe_free(void *p)
{
    if (p)
        secret_wipe(p, malloc_usable_size(p));
    free(p);
}

static struct http_limits limits_of(const struct config_http *k, uint32_t most)
{
    uint32_t n = k->max_connections < most ? k->max_connections : most;
    return (struct http_limits){.max_connections = n,
                                .max_head = k->max_head,
                                .max_body = k->max_body,
                                .request_timeout_s = k->request_timeout_s,
                                .idle_timeout_s = k->idle_timeout_s,
                                .write_timeout_s = k->write_timeout_s};
}

/* *out is NULL where no certificate is configured. */
static int load_tls(const struct config_http *k, struct tls **out, char *why, size_t why_size)
{
    struct tls_options o = {.cert_file = k->tls_cert_file, .key_file = k->tls_key_file};
    *out = NULL;
    if (!k->tls_cert_file[0])
        return 0;
    *out = tls_new(&o, why, why_size);
    return *out ? 0 : ERR_INVALID;
}

static int open_doors(struct api *a, char *why, size_t why_size)
{
    const struct config_http *k = &a->env.config->http;
    struct tls *tls;
    if (load_tls(k, &tls, why, why_size))
        return ERR_INVALID;
    struct http_options o = {.base = a->env.base,
                             .reap = a->env.reap,
                             .door = "http",
                             .listen = k->listen,
                             .limits = limits_of(k, UINT32_MAX),
                             .tls = tls,
                             .arg = a,
                             .request_cb = public_cb};
    struct http_options n = o;
    n.door = "noc";
    n.limits = limits_of(k, API_NOC_CONNECTIONS);
    n.listen = k->noc_listen;
    n.request_cb = noc_cb;
    bool is_good = true;
    if (k->noc_listen[0])
        is_good = (a->noc = http_server_new(&n, why, why_size));
    if (k->listen[0] && is_good)
        is_good = (a->http = http_server_new(&o, why, why_size));
    if (is_good && k->insecure && !tls)
        LOG(LOG_LV_WARN, NULL, "insecure_listener", KV_S("door", "http"),
            KV_S("address", k->listen), KV_S("reason", "without TLS beyond loopback"));
    tls_unref(tls);
    return is_good ? 0 : ERR_IO;
}

struct api *api_new(const struct api_env *env, char *why, size_t why_size)
{
    struct api *a = calloc(1, sizeof *a);
    json_set_alloc_funcs(malloc, wipe_free);
    snprintf(why, why_size, "out of memory");
    if (!a)
        return NULL;
    a->env = *env;
    a->failures = failures_new();
    if (!a->failures || open_doors(a, why, why_size)) {
        api_free(a);
        return NULL;
    }
    return a;
}

int api_prepare(struct api *a, const struct config *fresh, char *why, size_t why_size)
{
    struct tls *tls;
    int err = load_tls(&fresh->http, &tls, why, why_size);
    if (err)
        return err;
    tls_unref(a->fresh);
    a->fresh = tls;
    return 0;
}

static void reload_door(struct http_server *s, struct tls *tls, const struct http_limits *limits)
{
    if (!s)
        return;
    if (tls)
        http_server_set_tls(s, tls);
    http_server_set_limits(s, limits);
}

void api_reload(struct api *a, const struct config *fresh)
{
    struct http_limits limits = limits_of(&fresh->http, UINT32_MAX);
    struct http_limits noc = limits_of(&fresh->http, API_NOC_CONNECTIONS);
    bool is_tls = a->env.config->http.tls_cert_file[0]; /* to be with or without needs a restart */
    a->env.config = fresh;
    reload_door(a->http, is_tls ? a->fresh : NULL, &limits);
    reload_door(a->noc, is_tls ? a->fresh : NULL, &noc);
    tls_unref(a->fresh);
    a->fresh = NULL;
}

void api_drain(struct api *a)
{
    a->is_draining = true;
    if (a->http)
        http_server_drain(a->http);
    if (a->noc)
        http_server_drain(a->noc);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    http_server_free(a->http);
    http_server_free(a->noc);
    tls_unref(a->fresh);
    a->http = a->noc = NULL;
    a->fresh = NULL;
    a->is_closed = true;
    free_if_over(a);
}

void api_info(const struct api *a, struct api_info *out)
{
    *out = (struct api_info){.auth_failures = a->auth_failures};
    if (a->http)
        http_server_info(a->http, &out->http);
    out->http.limits_hit += a->locked_out;
    if (a->noc)
        http_server_info(a->noc, &out->noc);
    out->connections = out->http.connections + out->noc.connections;
}
