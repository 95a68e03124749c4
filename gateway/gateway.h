/*
 * The running gateway: builds the rooms from a configuration in the order in which they stand on
 * each other, starts them, drains them, and takes them down in reverse.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway/carriers.h"

#include <stdbool.h>
#include <stddef.h>

struct config;
struct event_base;
struct gateway;
struct pin_keyring;

/* The key file that the configuration names; why names both files. */
int gateway_load_keys(const struct config *config, struct pin_keyring **ring, char *why,
                      size_t why_size) __attribute__((warn_unused_result));

/* The configuration is counted.  NULL: why is a sentence for the operator that says what to do. */
struct gateway *gateway_new(struct event_base *base, const struct config *config, char *why,
                            size_t why_size) __attribute__((warn_unused_result));
/*
 * No new clients and sends; those that are open get their answer; windows empty; unbind.  Then, or
 * after drain_timeout_s, the event loop ends.  A second call ends it at once.
 */
void gateway_drain(struct gateway *g, const char *reason);
bool gateway_is_draining(const struct gateway *g);

struct gateway_reloaded {
    char why[512]; /* refused: a sentence; "FILE:LINE: ..." where the file is wrong */
    struct carriers_changes carriers;
    char needs_restart[512]; /* keys that differ and stay as they were, "node, store url" */
};
/*
 * Reads the file again, and the files that it names.  Negative: nothing has changed.  What is in
 * work goes on under the configuration that it began with.  Logged, also when it is refused.
 */
int gateway_reload(struct gateway *g, const char *reason, struct gateway_reloaded *out)
    __attribute__((warn_unused_result));
void gateway_free(struct gateway *g);

#endif
