/* A carrier of one or more binds against a peer that the test plays, and what its tests need. */
#ifndef TESTS_UNIT_SMPP_CARRIER_RIG_H
#define TESTS_UNIT_SMPP_CARRIER_RIG_H

#include "peer.h"

#include "base/log.h"
#include "base/reap.h"
#include "smpp/smpp.h"

#define BIND        0x00000009u
#define BIND_RESP   0x80000009u
#define SUBMIT      0x00000004u
#define SUBMIT_RESP 0x80000004u
#define RIG_UNUSED  __attribute__((unused)) /* not every test takes everything */

static struct event_base *base;
static struct reap *reap;
static struct peer peer, second; /* second: an earlier connection, set aside */
static struct smpp_carrier *carrier;
static unsigned n_receipts, n_drained;

static RIG_UNUSED void rig_open(void)
{
    log_set_fd(-1);
    base = event_base_new();
    reap = reap_new(base);
    peer_open(&peer, base);
    memset(&second, 0, sizeof second);
    second.fd = -1;
    carrier = NULL;
    n_receipts = n_drained = 0;
}

/* The receipt is in good hands. */
static RIG_UNUSED void on_receipt(void *arg, struct smpp_carrier *c, const struct smpp_receipt *r,
                                  struct smpp_delivery handle)
{
    (void)arg;
    (void)r;
    n_receipts++;
    smpp_delivery_done(c, handle, 0);
}

static RIG_UNUSED void on_drained(void *arg)
{
    (void)arg;
    n_drained++;
}

static RIG_UNUSED int teardown(void **state)
{
    (void)state;
    smpp_carrier_free(carrier);
    reap_free(reap);
    peer_hang_up(&second, true);
    free(second.in);
    peer_close(&peer);
    event_base_free(base);
    return 0;
}

/* What is not said, as most tests want it. */
static RIG_UNUSED struct smpp_carrier_options with(struct smpp_carrier_options o)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const struct secret password = {(uint8_t *)(uintptr_t) "secret", 6};
    o.name = "acme";
    o.hosts = o.hosts ? o.hosts : hosts;
    o.n_hosts = o.n_hosts ? o.n_hosts : 1;
    o.port = peer.port;
    o.system_id = "pinbind";
    o.password = &password;
    o.source = o.source ? o.source : "ACME";
    o.source_ton = o.source_npi = -1;
    o.dest_ton = o.dest_npi = 1;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 2;
    return o;
}
#define WITH(...) with((struct smpp_carrier_options){__VA_ARGS__})

static RIG_UNUSED struct smpp_bind_info info_of(uint32_t bind)
{
    struct smpp_bind_info info;
    smpp_carrier_bind_info(carrier, bind, &info);
    return info;
}

static RIG_UNUSED void bind_up(uint32_t bind)
{
    struct wire w = peer_expect(&peer, BIND, 0);
    PEER_SAYS(&peer, BIND_RESP, 0, w.sequence, "smsc");
    UNTIL(base, info_of(bind).state == SMPP_BOUND);
}

#endif
