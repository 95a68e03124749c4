/*
 * From a host to a socket whose connect is in progress.  Addresses are taken as they are; names go
 * through evdns, one address per attempt, so that all addresses of a name get their turn.
 */
#ifndef SMPP_SMPP_DIAL_H
#define SMPP_SMPP_DIAL_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

struct evdns_base;
struct smpp_lookup;

struct smpp_address {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* ERR_INVALID: it is a name, not an IPv4 or IPv6 address. */
int smpp_dial_parse(const char *host, uint16_t port, struct smpp_address *out)
    __attribute__((warn_unused_result));

/* address NULL: not found, error says why. May be called inside smpp_lookup_start(). */
typedef void (*smpp_lookup_cb)(void *arg, const struct smpp_address *address, const char *error);

struct smpp_lookup_request {
    struct evdns_base *dns;
    const char *host;
    uint16_t port;
    uint32_t nth; /* takes the nth address, modulo their number */
    smpp_lookup_cb cb;
    void *arg;
};
/* *slot names the lookup until cb is called, then it is NULL. */
int smpp_lookup_start(struct smpp_lookup **slot, const struct smpp_lookup_request *request)
    __attribute__((warn_unused_result));
/* cb will not be called. */
void smpp_lookup_cancel(struct smpp_lookup *l);

/* Those of every connection to a peer; ERR_IO with errno set. */
int smpp_dial_set_options(int fd, uint32_t user_timeout_ms) __attribute__((warn_unused_result));
/* A non-blocking socket with its options set and connect begun; ERR_IO with errno set. */
int smpp_dial_connect(const struct smpp_address *to, const char *local_address,
                      uint32_t user_timeout_ms, int *fd) __attribute__((warn_unused_result));

#endif
