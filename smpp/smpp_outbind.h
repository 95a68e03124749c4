/*
 * The door of a carrier whose SMSC dials us (SMPP 3.4, 2.2.1 and 4.1.7): it says outbind on the
 * connection, and where its system_id and password are right, a bind that waits for it sends its
 * own bind request there.
 *
 * Few guests are let in at a time, each with bind_timeout_ms to say it; the next one is turned away
 * at the door.  Whatever else a guest says ends its connection without an answer.  A port that is
 * not to be had is tried again, because the carrier that this one follows may hold it still.
 */
#ifndef SMPP_SMPP_OUTBIND_H
#define SMPP_SMPP_OUTBIND_H

#include "smpp/smpp_conn.h"
#include "smpp/smpp_options.h"

struct smpp_outbind;

struct smpp_outbind_env {
    struct event_base *base;
    struct reap *reap;
    const struct smpp_config *config;
    /* False: no bind waits for one; the connection stays the door's. */
    bool (*take_cb)(void *arg, struct smpp_conn *conn, const char *peer);
    void *arg;
};

/* NULL: out of memory.  Listens from smpp_outbind_start() to smpp_outbind_stop(). */
struct smpp_outbind *smpp_outbind_new(const struct smpp_outbind_env *env)
    __attribute__((warn_unused_result));
void smpp_outbind_start(struct smpp_outbind *o);
void smpp_outbind_stop(struct smpp_outbind *o);
/* Stopped before, and outside of calls. */
void smpp_outbind_free(struct smpp_outbind *o);
bool smpp_outbind_is_open(const struct smpp_outbind *o);
/* What became of each connection so far. */
const uint64_t *smpp_outbind_counts(const struct smpp_outbind *o);

#endif
