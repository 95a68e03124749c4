/*
 * Listening sockets for the front doors: a Unix socket with mode and group, or "address:port".
 * The port may be 0; what was bound is logged as event=listening.
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include <event2/listener.h>
#include <stdbool.h>
#include <stdint.h>

struct listener;

struct listener_options {
    const char *door;      /* for the log: "verify", "admin" */
    const char *unix_path; /* or NULL */
    uint32_t unix_mode;
    const char *unix_group; /* "": as it comes */
    const char *tcp;        /* "127.0.0.1:2777", or NULL */
};

/*
 * A stale Unix socket is replaced, one that somebody answers on is not.  NULL: why says what is
 * wrong, as a sentence with the path or address.
 */
struct listener *listener_new(struct event_base *base, const struct listener_options *options,
                              evconnlistener_cb cb, void *arg, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* Is it the one that cb was called for? */
bool listener_is(const struct listener *l, const struct evconnlistener *accepted_on);
/* Removes the Unix socket, too. */
void listener_free(struct listener *l);

#endif
