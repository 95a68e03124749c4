/*
 * A peer with many connections, each a struct peer of its own that says what it bound as: for
 * carriers whose binds have two legs, or that are dialled by their peer.  Goes with carrier_rig.h.
 */
#ifndef TESTS_UNIT_SMPP_LEGS_H
#define TESTS_UNIT_SMPP_LEGS_H

#include "carrier_rig.h"

#define BIND_RX     0x00000001u
#define BIND_TX     0x00000002u
#define ANSWER(id)  (0x80000000u | (id))
#define DELIVER     0x00000005u
#define UNBIND      0x00000006u
#define UNBIND_RESP 0x80000006u
#define DATA        0x00000103u
#define LEGS_MAX    64

static struct peer legs[LEGS_MAX];
static unsigned n_legs;         /* accepted */
static bool is_given[LEGS_MAX]; /* to a test, by leg_of() */
static struct event *ev_door;

static RIG_UNUSED void leg_open(struct peer *p, int fd)
{
    *p = (struct peer){.base = base, .fd = fd, .listen_fd = -1};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    p->in = malloc(PEER_BUFFER);
    p->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, peer_read_cb, p);
    event_add(p->ev_read, NULL);
}

static RIG_UNUSED void door_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    int got = accept(fd, NULL, NULL);
    if (got < 0)
        return;
    assert_true(n_legs < LEGS_MAX);
    leg_open(&legs[n_legs++], got);
}

/* After rig_open(): connections come here instead of to `peer`. */
static RIG_UNUSED void legs_open(void)
{
    n_legs = 0;
    memset(is_given, 0, sizeof is_given);
    event_del(peer.ev_accept);
    ev_door = event_new(base, peer.listen_fd, EV_READ | EV_PERSIST, door_cb, NULL);
    event_add(ev_door, NULL);
}

static RIG_UNUSED void legs_close(void)
{
    for (unsigned i = 0; i < n_legs; i++) {
        peer_hang_up(&legs[i], false);
        free(legs[i].in);
    }
    event_free(ev_door);
}

static RIG_UNUSED struct peer *leg_with(uint32_t command)
{
    for (unsigned i = 0; i < n_legs; i++)
        if (!is_given[i] && peer_has_pdu(&legs[i]) &&
            peer_u32(legs[i].in + legs[i].at + 4) == command) {
            is_given[i] = true;
            return &legs[i];
        }
    return NULL;
}

/* The connection that asks to be bound so, and its request. */
static RIG_UNUSED struct peer *leg_of(uint32_t command, struct wire *bind)
{
    struct peer *p = NULL;
    UNTIL(base, (p = leg_with(command)));
    *bind = peer_take(p);
    return p;
}

static RIG_UNUSED struct peer *leg_bound(uint32_t command)
{
    struct wire w;
    struct peer *p = leg_of(command, &w);
    PEER_SAYS(p, ANSWER(command), 0, w.sequence, "smsc");
    return p;
}

#endif
