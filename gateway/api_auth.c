/* Whose key a call carries: Authorization: App KEY. */
#include "gateway/api_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/failures.h"

#include <string.h>
#include <strings.h>

#define FORM "Authorization: App and the API key"

static void refuse(struct api_call *c, const char *text)
{
    api_fail_status(c, 401, 0, text);
}

/* The key in the header; NULL: why says what is expected. */
static const char *take_key(const char *header, const char **why)
{
    static const char *const not_yet[] = {"Basic", "Bearer", "IBSSO"};
    size_t len = header ? strcspn(header, " ") : 0;
    const char *key = header ? header + len + strspn(header + len, " ") : "";
    *why = "a key is needed: " FORM " is expected";
    if (len == 3 && strncasecmp(header, "App", 3) == 0)
        return *key ? key : NULL;
    for (size_t i = 0; i < sizeof not_yet / sizeof not_yet[0]; i++)
        if (len == strlen(not_yet[i]) && strncasecmp(header, not_yet[i], len) == 0)
            *why = "this form of Authorization is not taken: " FORM " is expected";
    return NULL;
}

static void key_cb(void *arg, int result, const char *account)
{
    struct api_call *c = arg;
    if (!result) {
        str_copy(c->account, sizeof c->account, account);
        api_run(c);
    } else if (result == ERR_NOTFOUND) {
        const char *peer = http_request_peer(c->http);
        c->api->auth_failures++;
        LOG(LOG_LV_WARN, http_request_id(c->http), "auth_failed", KV_S("peer", peer));
        failures_add(c->api->failures, peer);
        refuse(c, "the key is not known");
    } else {
        api_fail_result(c, result, "key");
    }
}

void api_authenticate(struct api_call *c)
{
    const char *why, *key = take_key(http_request_header(c->http, HTTP_AUTHORIZATION), &why);
    if (!key) {
        refuse(c, why);
        return;
    }
    struct pin_registry *registry = c->env->registry;
    int64_t wait = failures_wait_ms(c->api->failures, http_request_peer(c->http),
                                    c->env->config->http.auth_failures_per_min);
    if (wait > 0 && !pin_registry_knows_key(registry, key, strlen(key))) {
        c->api->locked_out++;
        api_fail_status(c, 429, wait, "too many wrong keys from this address");
    } else {
        pin_registry_find_key(registry, key, strlen(key), key_cb, c);
    }
}
