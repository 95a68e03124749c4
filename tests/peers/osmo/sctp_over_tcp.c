/*
 * LD_PRELOAD for osmo-msc: SCTP on loopback without SCTP in the kernel, which is what most test
 * machines lack, and without which osmo-msc does not start.
 *
 * A one-to-one SCTP socket becomes a TCP socket.  SCTP keeps records apart, TCP does not: each
 * record goes as its length in two octets (network order), then itself.  mme.py does the same.
 * These are the calls that libosmocore, libosmo-netif and osmo-msc make, and no more.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RECORD_MS 5000 /* the rest of a record that has begun must come within */

/* As in netinet/sctp.h, which is in no package that the tests need. */
struct sctp_sndrcvinfo {
    uint16_t stream, ssn, flags;
    uint32_t ppid, context, time_to_live, tsn, cumtsn;
    int32_t assoc_id;
};

/* The function that this one stands before. */
#define NEXT(name, ...) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

int socket(int domain, int type, int protocol)
{
    if (protocol != IPPROTO_SCTP)
        return NEXT(socket, domain, type, protocol);
    return NEXT(socket, domain, SOCK_STREAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), IPPROTO_TCP);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return level == IPPROTO_SCTP ? 0 : NEXT(setsockopt, fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    if (level != IPPROTO_SCTP)
        return NEXT(getsockopt, fd, level, name, value, size);
    memset(value, 0, *size);
    return 0;
}

static socklen_t size_of(const struct sockaddr *a)
{
    return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Of several addresses the first one counts: there is one loopback. */
int sctp_bindx(int fd, struct sockaddr *addresses, int count, int flags)
{
    (void)count, (void)flags;
    return bind(fd, addresses, size_of(addresses));
}

int sctp_connectx(int fd, struct sockaddr *addresses, int count, int32_t *id)
{
    (void)count;
    if (id)
        *id = 1;
    return connect(fd, addresses, size_of(addresses));
}

int sctp_send(int fd, const void *record, size_t size, const struct sctp_sndrcvinfo *info,
              int flags)
{
    uint16_t head = htons((uint16_t)size);
    struct iovec parts[] = {{&head, sizeof head}, {(void *)record, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    (void)info, (void)flags;
    ssize_t n = size > UINT16_MAX ? -1 : sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n == (ssize_t)(sizeof head + size))
        return (int)size;
    if (n >= 0) /* half a record: this connection is of no more use */
        shutdown(fd, SHUT_RDWR);
    errno = EPIPE;
    return -1;
}

/* 1: all of it is there, 0: the peer has closed. */
static int take(int fd, void *to, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(fd, (char *)to + have, size - have, 0);
        if (n == 0)
            return 0;
        if (n > 0)
            have += (size_t)n;
        else if (errno != EAGAIN || poll(&(struct pollfd){fd, POLLIN, 0}, 1, RECORD_MS) != 1)
            return -1;
    }
    return 1;
}

int sctp_recvmsg(int fd, void *to, size_t size, struct sockaddr *from, socklen_t *from_size,
                 struct sctp_sndrcvinfo *info, int *flags)
{ /* given: by libsctp */
    uint16_t head;
    (void)from, (void)from_size;
    if (info)
        memset(info, 0, sizeof *info);
    if (flags)
        *flags = MSG_EOR;
    int got = take(fd, &head, sizeof head);
    if (got == 1 && ntohs(head) > size) {
        errno = EMSGSIZE;
        return -1;
    }
    if (got == 1)
        got = take(fd, to, ntohs(head));
    return got == 1 ? ntohs(head) : got;
}
