#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "gateway/admin.h"
#include "gateway/api.h"
#include "gateway/carriers.h"
#include "gateway/config.h"
#include "gateway/flow.h"
#include "gateway/mo.h"
#include "gateway/overdue.h"
#include "gateway/resp.h"
#include "pin/ledger.h"
#include "pin/registry.h"
#include "smpp/smpp.h"
#include "store/store.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

/* How often a drain looks whether the last answers have left. */
#define DRAIN_LOOK_MS 20
/* Descriptors beside those of clients and binds: listeners, Redis, look-ups, pinbindctl. */
#define DESCRIPTORS_OWN 64
/* A withdrawn key is dead within 5 s, of which a connection in use takes one (resp_auth.c). */
#define KEY_CACHE_MS 4000

struct gateway {
    struct event_base *base;
    const struct config *config;
    struct reap *reap;
    struct evdns_base *dns;
    struct store *store;
    struct pin_keyring *ring;
    struct pin_registry *registry;
    struct pin_ledger *ledger;
    struct overdue *overdue;
    struct flows *flows;
    struct carriers *carriers;
    struct mo *mo;
    struct resp_server *resp;
    struct api *api;
    struct admin_server *admin;
    struct event *drain_limit, *drain_look;
    bool is_listening, is_ready, is_draining;
};

static void check_ready(struct gateway *g)
{
    if (g->is_ready || !g->is_listening || !store_is_up(g->store))
        return;
    g->is_ready = true;
    LOG(LOG_LV_INFO, NULL, "ready", KV_S("node", g->config->node), KV_S("version", PINBIND_VERSION),
        KV_I("carriers", g->config->n_carriers));
    sd_notify(0, "STATUS=ready");
}

static void store_state_cb(void *arg, bool up, const char *reason)
{
    struct gateway *g = arg;
    LOG(up || g->is_draining ? LOG_LV_INFO : LOG_LV_ERROR, NULL, up ? "store_up" : "store_away",
        KV_S("reason", reason));
    if (up)
        check_ready(g);
}

/* --- building, in the order in which the rooms stand on each other ------------------------- */

/* trouble is the key file's own; why names the configuration's line too. */
static void explain_keys(const struct config *config, const char *trouble, char *why,
                         size_t why_size)
{
    char line[16] = "";
    if (config->pin_key_file_line)
        snprintf(line, sizeof line, ":%u", config->pin_key_file_line);
    snprintf(why, why_size, "%s%s: pin_key_file: %s", config->file, line, trouble);
}

int gateway_load_keys(const struct config *config, struct pin_keyring **ring, char *why,
                      size_t why_size)
{
    char trouble[400];
    int err = pin_keyring_load(config->pin_key_file, ring, trouble, sizeof trouble);
    if (err)
        explain_keys(config, trouble, why, why_size);
    return err;
}

static int start_keys(struct gateway *g, char *why, size_t why_size)
{
    snprintf(why, why_size,
             "the known-answer tests of the random generator failed: this OpenSSL "
             "must not be used");
    int err = pin_self_test();
    if (!err)
        err = gateway_load_keys(g->config, &g->ring, why, why_size);
    if (!err) {
        snprintf(why, why_size, "the random generator cannot be started");
        err = pin_random_start(g->ring, NULL);
    }
    return err;
}

static int start_store(struct gateway *g)
{
    const struct config_store *k = &g->config->store;
    struct store_options o = {.url = k->url,
                              .user = k->user[0] ? k->user : NULL,
                              .password = secret_is_set(&k->password) ? &k->password : NULL,
                              .timeout_ms = k->timeout_ms,
                              .max_pending = k->max_pending,
                              .arg = g,
                              .state_cb = store_state_cb};
    g->store = store_new(g->base, g->reap, g->dns, &o);
    return g->store ? 0 : ERR_IO;
}

static uint32_t longest_response_ms(const struct config *config)
{
    uint32_t longest_s = 0;
    for (size_t i = 0; i < config->n_carriers; i++)
        if (config->carriers[i].response_timeout_s > longest_s)
            longest_s = config->carriers[i].response_timeout_s;
    return longest_s * 1000;
}

static int start_pins(struct gateway *g)
{
    const struct config_store *k = &g->config->store;
    struct pin_ledger_options o = {.base = g->base,
                                   .store = g->store,
                                   .ring = g->ring,
                                   .keep_s = k->keep_s,
                                   .map_keep_s = k->receipt_keep_s,
                                   .parked_s = k->parked_s,
                                   .in_doubt_ms = longest_response_ms(g->config),
                                   .max_outstanding = k->max_pending};
    struct flow_env f = {.base = g->base, .reap = g->reap, .ring = g->ring, .config = g->config};
    g->registry = pin_registry_new(g->base, g->store, KEY_CACHE_MS, 0);
    g->ledger = g->registry ? pin_ledger_new(&o) : NULL;
    f.registry = g->registry;
    f.ledger = g->ledger;
    struct overdue_env w = {.base = g->base, .ledger = g->ledger, .ring = g->ring};
    f.overdue = g->overdue = g->ledger ? overdue_new(&w) : NULL;
    g->flows = g->overdue ? flows_new(&f) : NULL;
    return g->flows ? 0 : ERR_NOMEM;
}

static void final_cb(void *arg, const struct pin_answer *a)
{
    struct gateway *g = arg;
    overdue_receipt(g->overdue, a);
}

static int start_carriers(struct gateway *g, char *why, size_t why_size)
{
    struct carriers_env e = {.base = g->base,
                             .reap = g->reap,
                             .dns = g->dns,
                             .ledger = g->ledger,
                             .config = g->config,
                             .arg = g,
                             .late_cb = flow_late,
                             .final_cb = final_cb};
    g->mo = mo_new();
    if (!g->mo)
        return ERR_NOMEM;
    e.mo = g->mo;
    g->carriers = carriers_new(&e, why, why_size);
    if (!g->carriers)
        return ERR_INVALID;
    flows_set_carriers(g->flows, g->carriers);
    overdue_set_carriers(g->overdue, g->carriers);
    return 0;
}

static struct api *new_api(struct gateway *g, char *why, size_t why_size)
{
    struct api_env e = {.base = g->base,
                        .reap = g->reap,
                        .config = g->config,
                        .flows = g->flows,
                        .ledger = g->ledger,
                        .registry = g->registry,
                        .carriers = g->carriers,
                        .mo = g->mo,
                        .overdue = g->overdue,
                        .store = g->store,
                        .resp = g->resp};
    return api_new(&e, why, why_size);
}

static int start_doors(struct gateway *g, char *why, size_t why_size)
{
    struct resp_env r = {.base = g->base,
                         .reap = g->reap,
                         .config = &g->config->verify_socket,
                         .flows = g->flows,
                         .ledger = g->ledger,
                         .carriers = g->carriers,
                         .overdue = g->overdue,
                         .registry = g->registry};
    struct admin_env a = {.base = g->base,
                          .reap = g->reap,
                          .config = g->config,
                          .store = g->store,
                          .registry = g->registry,
                          .ledger = g->ledger,
                          .carriers = g->carriers,
                          .flows = g->flows,
                          .mo = g->mo,
                          .gateway = g};
    g->resp = resp_server_new(&r, why, why_size);
    if (!g->resp)
        return ERR_IO;
    g->api = new_api(g, why, why_size);
    if (!g->api)
        return ERR_IO;
    a.resp = g->resp;
    a.api = g->api;
    g->admin = admin_server_new(&a, why, why_size);
    if (!g->admin)
        return ERR_IO;
    g->is_listening = true;
    sd_notify(0, "READY=1\nSTATUS=waiting for the store");
    check_ready(g);
    return 0;
}

static int start(struct gateway *g, char *why, size_t why_size)
{
    int err = start_keys(g, why, why_size);
    if (err)
        return err;
    snprintf(why, why_size, "store: it cannot be used, see the log line before");
    err = start_store(g);
    if (err)
        return err;
    snprintf(why, why_size, "out of memory");
    err = start_pins(g);
    if (err)
        return err;
    err = start_carriers(g, why, why_size);
    if (err)
        return err;
    return start_doors(g, why, why_size);
}

/* Two for each pair; and the port for outbind, with those who call there. */
static uint64_t descriptors_of(const struct config_carrier *c)
{
    uint64_t legs = c->bind == SMPP_PAIR ? 2 : 1;
    return c->binds * legs + (*c->outbind_listen ? 1 + SMPP_CALLERS_MAX : 0);
}

/* Clients must not be able to take the descriptors that carriers and the store need. */

static void check_descriptors(const struct config *config)
{
    struct rlimit limit;
    uint64_t wanted = DESCRIPTORS_OWN + API_NOC_CONNECTIONS + config->http.max_connections +
                      config->verify_socket.max_connections;
    for (size_t i = 0; i < config->n_carriers; i++)
        wanted += descriptors_of(&config->carriers[i]);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        LOG(LOG_LV_WARN, NULL, "few_descriptors", KV_I("limit", limit.rlim_cur),
            KV_I("wanted", wanted),
            KV_S("reason", "raise the limit of open files, or lower max_connections of http and "
                           "verify_socket"));
}

struct gateway *gateway_new(struct event_base *base, const struct config *config, char *why,
                            size_t why_size)
{
    struct gateway *g = calloc(1, sizeof *g);
    snprintf(why, why_size, "out of memory");
    if (!g)
        return NULL;
    check_descriptors(config);
    g->base = base;
    g->config = config_ref(config);
    g->reap = reap_new(base);
    g->dns = evdns_base_new(base,
                            EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!g->dns) /* no resolv.conf: addresses still work */
        g->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!g->reap || !g->dns || start(g, why, why_size)) {
        gateway_free(g);
        return NULL;
    }
    return g;
}

/* --- draining -------------------------------------------------------------------------------- */

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
    struct gateway *g = arg;
    static const struct timeval soon = {0, DRAIN_LOOK_MS * 1000};
    struct resp_info resp;
    struct api_info api;
    (void)fd;
    (void)what;
    resp_server_info(g->resp, &resp);
    api_info(g->api, &api);
    if (resp.connections || api.connections) {
        event_add(g->drain_look, &soon);
        return;
    }
    LOG(LOG_LV_INFO, NULL, "drained");
    event_base_loopexit(g->base, NULL);
}

static void carriers_drained_cb(void *arg)
{
    struct gateway *g = arg;
    static const struct timeval now = {0, 0};
    event_add(g->drain_look, &now);
}

static void flows_drained_cb(void *arg)
{
    struct gateway *g = arg;
    carriers_drain(g->carriers, carriers_drained_cb, g);
}

static void limit_cb(evutil_socket_t fd, short what, void *arg)
{
    struct gateway *g = arg;
    struct flows_info info;
    (void)fd;
    (void)what;
    flows_info(g->flows, &info);
    LOG(LOG_LV_WARN, NULL, "drain_cut_short", KV_I("sends_open", info.open),
        KV_I("drain_timeout_s", g->config->drain_timeout_s));
    event_base_loopexit(g->base, NULL);
}

void gateway_drain(struct gateway *g, const char *reason)
{
    if (g->is_draining) {
        LOG(LOG_LV_WARN, NULL, "drain_cut_short", KV_S("reason", reason));
        event_base_loopexit(g->base, NULL);
        return;
    }
    g->is_draining = true;
    LOG(LOG_LV_INFO, NULL, "draining", KV_S("reason", reason));
    sd_notify(0, "STOPPING=1");
    struct timeval limit = {g->config->drain_timeout_s, 0};
    g->drain_limit = evtimer_new(g->base, limit_cb, g);
    g->drain_look = evtimer_new(g->base, look_cb, g);
    if (!g->drain_limit || !g->drain_look) {
        event_base_loopexit(g->base, NULL);
        return;
    }
    event_add(g->drain_limit, &limit);
    carriers_stop_waiting(g->carriers);
    resp_server_drain(g->resp);
    api_drain(g->api);
    flows_drain(g->flows, flows_drained_cb, g);
}

bool gateway_is_draining(const struct gateway *g)
{
    return g->is_draining;
}

/* --- reload ------------------------------------------------------------------------------------
 */

/* Cannot be taken back, so it is the last that can fail: with new keys alone nothing would be
 * wrong. */
static int reload_keys(struct gateway *g, const struct config *fresh, char *why, size_t why_size)
{
    char trouble[400];
    int err = pin_keyring_reload(g->ring, fresh->pin_key_file, trouble, sizeof trouble);
    if (err)
        explain_keys(fresh, trouble, why, why_size);
    return err;
}

/* All that can fail, in an order in which what was done can be taken back. */
static int prepare(struct gateway *g, struct config **fresh, struct gateway_reloaded *out)
{
    struct config_error error;
    int err = config_load(g->config->file, fresh, &error);
    snprintf(out->why, sizeof out->why, "%s", error.text);
    if (err)
        return err;
    snprintf(out->why, sizeof out->why, "out of memory");
    err = api_prepare(g->api, *fresh, out->why, sizeof out->why); /* the files that it names */
    if (!err)
        err = config_keep_running(*fresh, g->config, out->needs_restart, sizeof out->needs_restart);
    if (!err)
        err = carriers_prepare(g->carriers, *fresh, out->why, sizeof out->why);
    if (!err && (err = reload_keys(g, *fresh, out->why, sizeof out->why)))
        carriers_cancel(g->carriers);
    return err;
}

static void swap(struct gateway *g, const struct config *fresh, struct gateway_reloaded *out)
{
    log_set_level(fresh->log_level);
    carriers_reload(g->carriers, &out->carriers);
    flows_reload(g->flows, fresh);
    pin_ledger_set_in_doubt(g->ledger, longest_response_ms(fresh));
    resp_server_reload(g->resp, &fresh->verify_socket);
    api_reload(g->api, fresh);
    admin_server_reload(g->admin, fresh);
    config_free(g->config);
    g->config = fresh;
}

/* systemd's protocol of a reload, for Type=notify-reload. */
static void notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)mono_now().us);
}

static const char *or_none(const char *list)
{
    return *list ? list : NULL;
}

static void log_reloaded(const char *reason, const struct gateway_reloaded *r)
{
    const struct carriers_changes *c = &r->carriers;
    LOG(LOG_LV_INFO, NULL, "reloaded", KV_S("by", reason), KV_S("added", or_none(c->added)),
        KV_S("changed", or_none(c->changed)), KV_S("rebound", or_none(c->rebound)),
        KV_S("removed", or_none(c->removed)), KV_S("needs_restart", or_none(r->needs_restart)));
}

/* Reads small files in the loop: an operator asked for it, and it takes a few milliseconds. */
int gateway_reload(struct gateway *g, const char *reason, struct gateway_reloaded *out)
{
    struct config *fresh = NULL;
    memset(out, 0, sizeof *out);
    snprintf(out->why, sizeof out->why, "the gateway is shutting down");
    if (!g->is_draining)
        notify_reloading();
    int err = g->is_draining ? ERR_CLOSED : prepare(g, &fresh, out);
    if (err) {
        LOG(LOG_LV_ERROR, NULL, "reload_refused", KV_S("by", reason), KV_S("reason", out->why));
        config_free(fresh);
    } else {
        swap(g, fresh, out);
        log_reloaded(reason, out);
    }
    if (!g->is_draining)
        sd_notify(0, "READY=1");
    return err;
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    /* The loop turns once more, and these look at what is gone by then. */
    if (g->drain_limit)
        event_free(g->drain_limit);
    if (g->drain_look)
        event_free(g->drain_look);
    admin_server_free(g->admin);
    flows_free(g->flows); /* its callers' answers go to connections that are still there */
    pin_ledger_free(g->ledger);
    carriers_free(g->carriers); /* outcomes of submits find their flows gone */
    mo_free(g->mo);
    overdue_free(g->overdue);
    pin_registry_free(g->registry);
    api_free(g->api);
    resp_server_free(g->resp);
    store_free(g->store);
    event_base_loop(g->base, EVLOOP_NONBLOCK); /* look-ups that were cancelled tell so first */
    if (g->dns)
        evdns_base_free(g->dns, 0);
    reap_free(g->reap);
    pin_random_stop();
    pin_keyring_free(g->ring);
    config_free(g->config);
    free(g);
}
