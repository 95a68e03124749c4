/*
 * The insides of a carrier, for smpp_carrier.c (draining, life), smpp_queue.c (messages),
 * smpp_update.c (other options for a running one) and smpp_mo.c (messages from handsets).
 *
 * Messages wait in the queue in the order of their deadlines, so the first is both the most
 * urgent and the first to expire: one timer watches it, and wakes for the next message that the
 * rates permit; what else makes room for one is told by the sessions.  Every message lives in one
 * entry of a slab; the slabs are as large as queue and windows together, so what comes back from a
 * bind always has a place.
 */
#ifndef SMPP_SMPP_CARRIER_H
#define SMPP_SMPP_CARRIER_H

#include "base/reap.h"
#include "smpp/smpp_ask.h"
#include "smpp/smpp_concat.h"
#include "smpp/smpp_link.h"
#include "smpp/smpp_outbind.h"

#define SMPP_LINKS_MAX 32 /* 16 binds, each of two legs */

struct smpp_slab {
    struct smpp_slab *next;
    size_t size, used; /* entries; those behind used were never touched */
    struct smpp_entry entries[];
};

struct smpp_carrier {
    struct smpp_config config;
    struct smpp_events events;
    struct smpp_session_env env; /* of the links */
    struct reap_node reap_node;
    /* Numbered as smpp_mode.h says; more of them than smpp_mode_links() are on their way out. */
    struct smpp_link *links[SMPP_LINKS_MAX];
    uint32_t n_links;
    struct smpp_slab *slabs;
    size_t slab_size; /* entries of all slabs */
    struct smpp_entry *spare, *queue;
    struct smpp_entry *aside;  /* throttled for their recipients, by again_at */
    uint32_t queued;           /* in both */
    struct smpp_bucket bucket; /* of all binds together */
    uint32_t served;           /* the link that got the last message */
    struct smpp_references references;
    struct smpp_ask_queue asks;
    struct event *timer;  /* for the deadline of the first in the queue, or for the next token */
    struct mono timer_at; /* us 0: not armed */
    struct smpp_outbind *outbind; /* NULL: nobody dials us */
    struct event *turn;           /* what drain and update leave to do outside of calls */
    struct smpp_concat mo;        /* parts of messages from handsets */
    struct event *mo_timer;       /* for the oldest of them */
    bool draining, freed;
    void (*drained_cb)(void *arg);
    void *drained_arg;
    /* Between smpp_carrier_prepare() and smpp_carrier_update(); name NULL: nothing is prepared. */
    struct smpp_config next;
    struct smpp_link *fresh[SMPP_LINKS_MAX]; /* where a link is missing then */
};

/* Where submits may go; NULL: a receiver, or a transmitter whose pair lacks the other leg. */
struct smpp_session *smpp_carrier_sender(const struct smpp_carrier *c, uint32_t nth);
/* Room for as many entries as the options may need. */
int smpp_carrier_reserve(struct smpp_carrier *c, const struct smpp_carrier_options *o)
    __attribute__((warn_unused_result));
/* NULL: out of memory. */
struct smpp_link *smpp_carrier_link_new(const struct smpp_carrier *c,
                                        const struct smpp_config *config, uint32_t nth)
    __attribute__((warn_unused_result));
void smpp_carrier_link_free(struct smpp_link *l);
/* Outside of calls.  The receiver of a pair stays until its transmitter is closed. */
void smpp_carrier_drain_link(struct smpp_carrier *c, uint32_t nth);
/* Outside of calls: a receiver goes down where its transmitter did. */
void smpp_carrier_follow(struct smpp_carrier *c);
/* Outside of calls: links that are too many drain, and go when they are closed. */
void smpp_carrier_trim(struct smpp_carrier *c);
/* Drops what was prepared. */
void smpp_carrier_forget(struct smpp_carrier *c);

int smpp_carrier_mo_init(struct smpp_carrier *c) __attribute__((warn_unused_result));
/* Takes a delivery that is no receipt, and answers it or has it answered. */
void smpp_carrier_mo(struct smpp_carrier *c, struct smpp_session *s, const struct smpp_pdu *pdu,
                     struct smpp_delivery handle);
/* Hands up what still waits for parts. */
void smpp_carrier_mo_flush(struct smpp_carrier *c);
/* Drops it. */
void smpp_carrier_mo_clear(struct smpp_carrier *c);

/* --- smpp_queue.c: entries, those that wait, and who gets them --- */

/* NULL: all are taken. */
struct smpp_entry *smpp_queue_entry(struct smpp_carrier *c);
bool smpp_queue_has_entry(const struct smpp_carrier *c);
/* Wiped; its caller is told nothing. */
void smpp_queue_release(struct smpp_carrier *c, struct smpp_entry *e);
/* At once when a bind has room and nobody is in front; ERR_FULL, ERR_INVALID: it is not taken. */
int smpp_queue_submit(struct smpp_carrier *c, struct smpp_entry *e)
    __attribute__((warn_unused_result));
/* From a bind that did not send it, was throttled, or is gone between two of its parts. */
void smpp_queue_back(struct smpp_carrier *c, struct smpp_entry *e);
/* Sends what can go, and gives up what has waited too long. */
void smpp_queue_pump(struct smpp_carrier *c);
void smpp_queue_finish(struct smpp_carrier *c, struct smpp_entry *e, const struct smpp_result *r);
/* Everything that waits for a bind. */
void smpp_queue_fail(struct smpp_carrier *c, const char *reason);

#endif
