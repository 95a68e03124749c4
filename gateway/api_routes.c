/* Which path is whose, and what stands in a path and its query. */
#include "gateway/api_private.h"

#include "base/buf.h"

#include <string.h>
#include <strings.h>

#define SEGMENTS_MAX 8
#define KEYED        (API_PUBLIC | API_KEY)
#define ANYWHERE     (API_PUBLIC | API_NOC | API_RAW)

/* Literal paths before those with an id in the same place. */
static const struct api_route routes[] = {
    /* clang-format off */
    {HTTP_VERB_GET,  "/applications", KEYED, api_apps_list},
    {HTTP_VERB_POST, "/applications", KEYED | API_BODY, api_apps_create},
    {HTTP_VERB_GET,  "/applications/{}", KEYED, api_apps_get},
    {HTTP_VERB_PUT,  "/applications/{}", KEYED | API_BODY, api_apps_update},
    {HTTP_VERB_GET,  "/applications/{}/messages", KEYED, api_messages_list},
    {HTTP_VERB_POST, "/applications/{}/messages", KEYED | API_BODY, api_messages_create},
    {HTTP_VERB_GET,  "/applications/{}/messages/{}", KEYED, api_messages_get},
    {HTTP_VERB_PUT,  "/applications/{}/messages/{}", KEYED | API_BODY, api_messages_update},
    {HTTP_VERB_GET,  "/applications/{}/verifications", KEYED, api_verifications},
    {HTTP_VERB_POST, "/applications/{}/email/messages", KEYED, api_sms_only},
    {HTTP_VERB_PUT,  "/applications/{}/email/messages/{}", KEYED, api_sms_only},
    {HTTP_VERB_POST, "/pin", KEYED | API_BODY, api_send},
    {HTTP_VERB_POST, "/pin/voice", KEYED, api_sms_only},
    {HTTP_VERB_POST, "/pin/email", KEYED, api_sms_only},
    {HTTP_VERB_POST, "/pin/{}/resend", KEYED | API_BODY_OPT, api_resend},
    {HTTP_VERB_POST, "/pin/{}/resend/voice", KEYED, api_sms_only},
    {HTTP_VERB_POST, "/pin/{}/resend/email", KEYED, api_sms_only},
    {HTTP_VERB_POST, "/pin/{}/verify", KEYED | API_BODY, api_verify},
    {HTTP_VERB_GET,  "/pin/{}/status", KEYED, api_status},
    {HTTP_VERB_GET,  "/healthz", ANYWHERE, api_healthz},
    {HTTP_VERB_GET,  "/readyz", ANYWHERE, api_readyz},
    {HTTP_VERB_GET,  "/readyz/send", ANYWHERE, api_readyz_send},
    {HTTP_VERB_GET,  "/metrics", API_NOC | API_RAW, api_metrics},
    /* clang-format on */
};

const struct api_route *api_routes(size_t *n)
{
    *n = sizeof routes / sizeof routes[0];
    return routes;
}

const char *api_verb_name(enum http_verb verb)
{
    static const char *const names[] = {
        [HTTP_VERB_GET] = "GET", [HTTP_VERB_HEAD] = "HEAD",       [HTTP_VERB_POST] = "POST",
        [HTTP_VERB_PUT] = "PUT", [HTTP_VERB_OPTIONS] = "OPTIONS", [HTTP_VERB_OTHER] = "other",
    };
    return names[verb];
}

/* Octets of n, "%41" as 'A' and, in a query, '+' as a space; false: it does not fit, or cannot be
 * a string. */
static bool decode(const char *p, size_t n, bool is_query, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)p[i];
        if (c == '%') {
            int high = i + 2 < n ? hex_value(p[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(p[i + 2]);
            c = low < 0 ? 0 : high * 16 + low;
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (c == 0 || len + 1 >= size) {
            out[0] = 0;
            return false;
        }
        out[len++] = (char)c;
    }
    out[len] = 0;
    return true;
}

/* --- paths ----------------------------------------------------------------------------------- */

struct path {
    size_t n;
    char segments[SEGMENTS_MAX][API_ID_SIZE]; /* decoded; what cannot be is "" */
};

/* false: no route has such a form. */
static bool split(const char *path, struct path *out)
{
    out->n = 0;
    while (*path == '/' && path[1]) {
        size_t len = strcspn(++path, "/");
        if (len == 0 || out->n == SEGMENTS_MAX)
            return false;
        decode(path, len, false, out->segments[out->n++], API_ID_SIZE);
        path += len;
    }
    return *path == 0 || (path[0] == '/' && path[1] == 0);
}

static bool fits(const char *pattern, const struct path *path, size_t first, struct api_match *out)
{
    size_t id = 0, i = first;
    for (; *pattern == '/' && i < path->n; i++) {
        const char *segment = path->segments[i];
        if (*++pattern == '{') {
            memcpy(out->ids[id++], segment, API_ID_SIZE);
            pattern += strlen("{}");
            continue;
        }
        while (*segment && *segment == *pattern && *pattern != '/') {
            segment++;
            pattern++;
        }
        if (*segment || (*pattern && *pattern != '/'))
            return false;
    }
    return *pattern == 0 && i == path->n;
}

static int version_of(const struct path *path)
{
    if (path->n < 2 || strcmp(path->segments[0], "2fa") != 0)
        return 0;
    return strcmp(path->segments[1], "1") == 0 ? 1 : strcmp(path->segments[1], "2") == 0 ? 2 : 0;
}

static bool serves(const struct api_route *r, enum http_verb verb)
{
    return r->verb == verb || (r->verb == HTTP_VERB_GET && verb == HTTP_VERB_HEAD);
}

static void allow(struct wr *w, enum http_verb verb)
{
    if (w->len)
        wr_str(w, ", ");
    wr_str(w, api_verb_name(verb));
    if (verb == HTTP_VERB_GET)
        wr_str(w, ", HEAD");
}

/* Has it this path, behind one of the doors? */
static bool is_at(const struct api_route *r, const struct path *p, int doors, struct api_match *out)
{
    bool is_raw = r->flags & API_RAW;
    return (r->flags & doors) && (is_raw || out->version) && fits(r->path, p, is_raw ? 0 : 2, out);
}

void api_match(const char *path, enum http_verb verb, int doors, struct api_match *out)
{
    const struct api_route *end = routes + sizeof routes / sizeof routes[0];
    struct path p;
    struct wr w = wr_init(out->allow, sizeof out->allow);
    *out = (struct api_match){0};
    if (!split(path, &p))
        return;
    out->version = version_of(&p);
    for (const struct api_route *r = routes; r < end && !out->route; r++)
        if (serves(r, verb) && is_at(r, &p, doors, out))
            out->route = r;
    for (const struct api_route *r = routes; r < end && !out->route; r++)
        if (is_at(r, &p, doors, out))
            allow(&w, r->verb);
    wr_end(&w);
}

/* --- queries --------------------------------------------------------------------------------- */

bool api_query(const struct api_call *c, const char *name, char *out, size_t size)
{
    const char *p = http_request_query(c->http);
    size_t name_len = strlen(name);
    out[0] = 0;
    while (*p) {
        size_t len = strcspn(p, "&");
        if (len > name_len && p[name_len] == '=' && strncmp(p, name, name_len) == 0)
            return decode(p + name_len + 1, len - name_len - 1, true, out, size);
        p += len + (p[len] != 0);
    }
    return false;
}

bool api_query_bool(const struct api_call *c, const char *name, bool fallback)
{
    char value[8];
    if (!api_query(c, name, value, sizeof value))
        return fallback;
    if (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0)
        return true;
    if (strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return false;
    return fallback;
}
