/*
 * One connection of a carrier, a bind or a leg of one, kept alive: after each end of its session it
 * waits and tries again.
 *
 * The wait is drawn anew each time between a floor and a ceiling that doubles (full jitter); both
 * depend on why the session ended.  Hosts are tried in turn; a round in which a host was only not
 * reached goes on to the next one at once.  A bind that held longer than backoff_max_ms starts
 * from the floor again.  Where the peer dials (outbind), the link waits for it instead, and before
 * that only when it was refused.
 */
#ifndef SMPP_SMPP_LINK_H
#define SMPP_SMPP_LINK_H

#include "smpp/smpp_session.h"

/* What an attempt waits for. */
enum smpp_wait { SMPP_WAIT_NETWORK, SMPP_WAIT_BUSY, SMPP_WAIT_CREDENTIALS };

struct smpp_link {
    struct smpp_session session; /* first: the session's callbacks find their link by it */
    struct smpp_session_ops ops; /* the owner's, with ended_cb of our own */
    struct event *timer;
    struct mono next_attempt; /* us 0: none planned */
    bool awaits_outbind;      /* the next attempt is the peer's */
    enum smpp_wait last_wait;
    bool is_down;      /* by an operator: no attempts */
    bool at_once;      /* the next end is followed by an attempt without a wait */
    uint32_t failures; /* in a row, of the same kind */
    uint32_t attempts; /* in all */
    uint32_t host;     /* index of the one to try */
    uint32_t tried;    /* hosts of this round that were not reached */
};

/* The nth connection of the carrier. */
int smpp_link_init(struct smpp_link *l, const struct smpp_session_env *env, uint32_t nth)
    __attribute__((warn_unused_result));
/* The first attempt, in the next loop turn; none where it is down. */
void smpp_link_start(struct smpp_link *l);
/* Of one that the peer dials: takes over the connection where it waits for one. */
bool smpp_link_adopt(struct smpp_link *l, struct smpp_conn *conn, const char *peer);
/* Other options count: a wait that is longer now than they would have it is drawn anew. */
void smpp_link_update(struct smpp_link *l);
/* -1: none planned. */
int64_t smpp_link_next_attempt_ms(const struct smpp_link *l);
/* What operators ask for; each returns what it has done, for people.  Not once it is stopping. */
const char *smpp_link_up(struct smpp_link *l);
const char *smpp_link_down(struct smpp_link *l);
const char *smpp_link_restart(struct smpp_link *l);
const char *smpp_link_retry_now(struct smpp_link *l);
void smpp_link_drain(struct smpp_link *l);
void smpp_link_stop(struct smpp_link *l);
void smpp_link_clear(struct smpp_link *l);

enum smpp_wait smpp_link_wait(enum smpp_end end);
/* The bounds of the wait after the given number of failures in a row (0: the first). */
void smpp_link_backoff(const struct smpp_carrier_options *o, enum smpp_wait wait, uint32_t failures,
                       uint32_t *min_ms, uint32_t *max_ms);

#endif
