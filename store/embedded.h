/*
 * The private redis-server of "embedded:DIR": a supervised child on DIR/redis.sock.
 *
 * DIR (0700, made when missing) holds the socket, the append-only file, redis.log, redis.pid, and
 * two lock files.  DIR/gateway.lock is held by the gateway alone, so a second gateway is refused.
 * DIR/lock is inherited by the server: when the gateway was killed its server goes on and keeps
 * that lock, and the next gateway adopts it rather than start a second one on the same files.
 * The server has a session of its own; a signal from the terminal does not reach it.  Its end is
 * noticed by a pidfd, so no SIGCHLD handler is needed and no other child's status is taken.
 */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct embedded;

struct embedded_options {
    struct event_base *base;
    const char *dir;
    const char *program; /* with a slash, or found by PATH */
    uint32_t backoff_max_ms;
};

/* NULL: out of memory, or the folder or the program cannot be used (logged). */
struct embedded *store_embedded_new(const struct embedded_options *o)
    __attribute__((warn_unused_result));
/* The socket's path; lives as long as e. */
const char *store_embedded_socket(const struct embedded *e);
bool store_embedded_has_socket(const struct embedded *e);
/* Ends the server, also an adopted one: SIGTERM, up to 5 s, SIGKILL.  e may be NULL. */
void store_embedded_free(struct embedded *e);

#endif
