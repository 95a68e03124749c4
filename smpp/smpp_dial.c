#include "smpp/smpp_dial.h"

#include "base/result.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Belongs to evdns until its callback has run; slot is NULL when it was cancelled. */
struct smpp_lookup {
    struct smpp_lookup **slot;
    struct evdns_getaddrinfo_request *request;
    uint32_t nth;
    smpp_lookup_cb cb;
    void *arg;
};

static void take_address(const struct addrinfo *ai, struct smpp_address *out)
{
    memcpy(&out->sa, ai->ai_addr, ai->ai_addrlen);
    out->len = ai->ai_addrlen;
}

int smpp_dial_parse(const char *host, uint16_t port, struct smpp_address *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *ai;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &ai) != 0)
        return ERR_INVALID;
    take_address(ai, out);
    freeaddrinfo(ai);
    return 0;
}

static const struct addrinfo *nth_address(const struct addrinfo *list, uint32_t nth)
{
    uint32_t count = 0;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        count++;
    const struct addrinfo *ai = list;
    for (nth %= count; nth > 0; nth--)
        ai = ai->ai_next;
    return ai;
}

static void resolved_cb(int result, struct evutil_addrinfo *list, void *arg)
{
    struct smpp_lookup *l = arg;
    struct smpp_lookup lookup = *l;
    free(l);
    if (lookup.slot) {
        *lookup.slot = NULL;
        struct smpp_address address;
        if (result == 0 && list) {
            take_address(nth_address(list, lookup.nth), &address);
            lookup.cb(lookup.arg, &address, NULL);
        } else {
            lookup.cb(lookup.arg, NULL, evutil_gai_strerror(result));
        }
    }
    if (list)
        evutil_freeaddrinfo(list);
}

int smpp_lookup_start(struct smpp_lookup **slot, const struct smpp_lookup_request *r)
{
    struct smpp_lookup *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NOMEM;
    *l = (struct smpp_lookup){.slot = slot, .nth = r->nth, .cb = r->cb, .arg = r->arg};
    *slot = l;
    struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)r->port);
    struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(r->dns, r->host, service, &hints,
                                                                  resolved_cb, l);
    if (request) /* else the callback has run, and l is gone */
        l->request = request;
    return 0;
}

void smpp_lookup_cancel(struct smpp_lookup *l)
{
    *l->slot = NULL;
    l->slot = NULL;
    evdns_getaddrinfo_cancel(l->request);
}

int smpp_dial_set_options(int fd, uint32_t user_timeout_ms)
{
    int on = 1;
    unsigned ms = user_timeout_ms;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) < 0)
        return ERR_IO;
    return 0;
}

static int bind_local(int fd, const char *local_address)
{
    struct smpp_address local;
    if (!local_address)
        return 0;
    if (smpp_dial_parse(local_address, 0, &local) != 0) {
        errno = EADDRNOTAVAIL;
        return ERR_IO;
    }
    return bind(fd, (const struct sockaddr *)&local.sa, local.len) < 0 ? ERR_IO : 0;
}

int smpp_dial_connect(const struct smpp_address *to, const char *local_address,
                      uint32_t user_timeout_ms, int *out)
{
    int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (smpp_dial_set_options(fd, user_timeout_ms) != 0 || bind_local(fd, local_address) != 0 ||
        (connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 && errno != EINPROGRESS)) {
        int why = errno;
        close(fd);
        errno = why;
        return ERR_IO;
    }
    *out = fd;
    return 0;
}
