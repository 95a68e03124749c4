/* The commands of the admin socket that are about binds. */
#include "gateway/admin_private.h"

#include "base/clock.h"
#include "gateway/carriers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *bind_json(const struct smpp_bind_info *b)
{
    char since[32], until[32], version[8];
    snprintf(version, sizeof version, "%d.%d", b->interface_version >> 4 & 15,
             b->interface_version & 15);
    wall_format(b->since_ms, since, sizeof since);
    wall_format(b->tls_expires_ms, until, sizeof until);
    json_t *next = b->next_attempt_ms < 0 ? json_null()
                                          : json_real((double)b->next_attempt_ms / 1000.0);
    json_t *rtt = b->rtt_us < 0 ? json_null() : json_real((double)b->rtt_us / 1000.0);
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s?, s:b, s:b, s:b, s:s, s:s, s:o, s:i, s:i, s:I, s:I, s:I, s:I, "
        "s:I, s:I, s:I, s:I, s:o, s:s?, s:s?, s:s}",
        "carrier", b->carrier, "bind", (int)b->bind, "name", b->name, "mode", b->mode, "version",
        b->interface_version < 0 ? NULL : version, "up", b->is_up, "down", b->is_down,
        "awaits_outbind", b->awaits_outbind, "state", smpp_state_name(b->state), "since", since,
        "next_attempt_s", next, "window", (int)b->window, "in_flight", (int)b->in_flight, "rate",
        (json_int_t)b->rate, "rate_now", (json_int_t)b->rate_now, "submits", (json_int_t)b->submits,
        "responses", (json_int_t)b->responses, "errors", (json_int_t)b->errors, "receipts",
        (json_int_t)b->receipts, "throttled", (json_int_t)b->throttled, "in_doubt",
        (json_int_t)b->in_doubt, "rtt_ms", rtt, "tls", b->tls_version, "tls_expires",
        b->tls_expires_ms ? until : NULL, "reason", b->last_reason ? b->last_reason : "");
}

void admin_binds(struct admin_request *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < carriers_count(r->env->carriers); i++) {
        const struct smpp_carrier *c = carriers_at(r->env->carriers, i);
        for (uint32_t k = 0; k < smpp_carrier_bind_count(c); k++) {
            struct smpp_bind_info info;
            smpp_carrier_bind_info(c, k, &info);
            json_array_append_new(list, bind_json(&info));
        }
    }
    admin_ok(r, list);
}

/* --- bind CARRIER[/N] up|down|restart|retry-now ---------------------------------------------- */

struct target {
    char name[64];
    struct smpp_carrier *carrier;
    bool is_one;   /* of its binds */
    uint32_t bind; /* that one */
    enum smpp_bind_action action;
};

static void fail_unknown(struct admin_request *r, const char *name)
{
    char there[300] = "";
    size_t n = carriers_count(r->env->carriers), used = 0;
    for (size_t i = 0; i < n && used < sizeof there; i++)
        used += (size_t)snprintf(there + used, sizeof there - used, "%s%s", i ? ", " : "",
                                 smpp_carrier_name(carriers_at(r->env->carriers, i)));
    admin_fail(r, "NOT_FOUND", "there is no carrier %.40s, but %s", name, there);
}

static uint32_t count_binds(const struct smpp_carrier *c)
{
    struct smpp_bind_info last;
    smpp_carrier_bind_info(c, smpp_carrier_bind_count(c) - 1, &last);
    return last.bind + 1;
}

/* "acme" or "acme/0". */
static bool take_name(struct admin_request *r, const char *word, struct target *t)
{
    const char *slash = strchr(word, '/');
    snprintf(t->name, sizeof t->name, "%.*s", (int)strcspn(word, "/"), word);
    t->carrier = carriers_find(r->env->carriers, t->name);
    if (!t->carrier) {
        fail_unknown(r, t->name);
        return false;
    }
    char *end = NULL;
    uint32_t n = count_binds(t->carrier);
    unsigned long nth = slash ? strtoul(slash + 1, &end, 10) : 0;
    t->is_one = slash != NULL;
    t->bind = (uint32_t)nth;
    if (slash && (slash[1] < '0' || slash[1] > '9' || *end || nth >= n)) {
        admin_fail(r, "NOT_FOUND", "there is no bind %.40s, %s has 0%s%.0u", word, t->name,
                   n > 1 ? " to " : " alone", n - 1);
        return false;
    }
    return true;
}

static bool take_action(struct admin_request *r, const char *word, struct target *t)
{
    for (int i = SMPP_BIND_UP; i <= SMPP_BIND_RETRY_NOW; i++) {
        t->action = (enum smpp_bind_action)i;
        if (strcmp(word, smpp_bind_action_name(t->action)) == 0)
            return true;
    }
    admin_fail(r, "BAD_REQUEST", "bind: up, down, restart or retry-now is expected, not %.40s",
               word);
    return false;
}

static json_t *act(const struct target *t)
{
    json_t *list = json_array();
    for (uint32_t k = 0; k < smpp_carrier_bind_count(t->carrier); k++) {
        struct smpp_bind_info b;
        smpp_carrier_bind_info(t->carrier, k, &b);
        if (t->is_one && b.bind != t->bind)
            continue;
        const char *did = smpp_carrier_act(t->carrier, k, t->action);
        smpp_carrier_bind_info(t->carrier, k, &b);
        json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s, s:s}", "carrier", b.carrier,
                                              "bind", (int)b.bind, "name", b.name, "state",
                                              smpp_state_name(b.state), "did", did));
    }
    return list;
}

void admin_bind(struct admin_request *r)
{
    const char *name = json_string_value(json_array_get(r->args, 0));
    const char *action = json_string_value(json_array_get(r->args, 1));
    struct target t = {0};
    if (!name || !action)
        admin_fail(r, "BAD_REQUEST",
                   "bind: a carrier and up, down, restart or retry-now are needed");
    else if (take_name(r, name, &t) && take_action(r, action, &t))
        admin_ok(r, act(&t));
}
