/*
 * Wrong keys per peer address, a minute at a time: who tries too many is refused unseen.  Each
 * front door has a table of its own, because each has its own limit.  Bounded: at 4096 peers it
 * starts anew.
 */
#ifndef GATEWAY_FAILURES_H
#define GATEWAY_FAILURES_H

#include <stdint.h>

struct failures;

struct failures *failures_new(void) __attribute__((warn_unused_result));
void failures_free(struct failures *f);

/* One more; without memory it is not counted. */
void failures_add(struct failures *f, const char *peer);
/* How long the peer is refused for `limit` failures or more, in ms; 0: it is not. */
int64_t failures_wait_ms(struct failures *f, const char *peer, uint32_t limit);

#endif
