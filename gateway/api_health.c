/* Is the process there, and can it work? */
#include "gateway/api_private.h"

#include "gateway/carriers.h"
#include "store/store.h"

static bool has_bind(struct carriers *cs)
{
    for (size_t i = 0; i < carriers_count(cs); i++)
        if (smpp_carrier_is_up(carriers_at(cs, i)))
            return true;
    return false;
}

static void report(struct api_call *c, bool needs_bind)
{
    json_t *reasons = json_array();
    if (c->api->is_draining)
        json_array_append_new(reasons, json_string("the gateway is shutting down"));
    if (!store_is_up(c->env->store))
        json_array_append_new(reasons, json_string("the store is away"));
    if (needs_bind && !has_bind(c->env->carriers))
        json_array_append_new(reasons, json_string("no carrier is bound"));
    if (json_array_size(reasons)) {
        api_reply_json(c, 503,
                       json_pack("{s:s, s:o}", "status", "unavailable", "reasons", reasons));
        return;
    }
    json_decref(reasons);
    api_healthz(c);
}

void api_healthz(struct api_call *c)
{
    static const char ok[] = "{\"status\":\"ok\"}";
    api_reply(c, 200, ok, sizeof ok - 1);
}

void api_readyz(struct api_call *c)
{
    report(c, false);
}

void api_readyz_send(struct api_call *c)
{
    report(c, true);
}
