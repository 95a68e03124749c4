/* In place of smpp_dial.c: connections of fuzz_session.c come about, or do not, as its input says.
 */
#ifndef TESTS_FUZZ_SESSION_DIAL_H
#define TESTS_FUZZ_SESSION_DIAL_H

#include "base/result.h"
#include "session_peer.h"
#include "smpp/smpp_dial.h"

#include <fcntl.h>
#include <sys/syscall.h>

/* how the next connection comes about */
enum { DIAL_OK, DIAL_FAILS, DIAL_HANGS, DIAL_BREAKS, DIAL_CLOSES, DIAL_PLANS };

static struct {
    uint8_t plan;               /* of the next connection */
    bool resolves, tight;       /* names at once; buffers of a few PDUs */
    size_t chop, budget;        /* octets that the kernel takes in a turn, and is yet to; 0: all */
    int hung;                   /* the other end of a connection that hangs, or -1 */
    struct smpp_lookup *lookup; /* newest first */
} dialled = {.hung = -1};

struct smpp_lookup {
    struct smpp_lookup **slot, *next;
    smpp_lookup_cb cb;
    void *arg;
};

int smpp_dial_parse(const char *host, uint16_t port, struct smpp_address *out)
{
    *out = (struct smpp_address){.len = port};
    return host[0] == 'n' ? ERR_INVALID : 0;
}

static inline void lookup_end(struct smpp_lookup *l, bool found)
{
    static const struct smpp_address address;
    struct smpp_lookup **at = &dialled.lookup, own = *l;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
    *own.slot = NULL;
    own.cb(own.arg, found ? &address : NULL, found ? NULL : "not found");
}

int smpp_lookup_start(struct smpp_lookup **slot, const struct smpp_lookup_request *r)
{
    struct smpp_lookup *l = malloc(sizeof *l);
    *l = (struct smpp_lookup){slot, dialled.lookup, r->cb, r->arg};
    dialled.lookup = *slot = l;
    if (dialled.resolves)
        lookup_end(l, true);
    return 0;
}

void smpp_lookup_cancel(struct smpp_lookup *l)
{
    struct smpp_lookup **at = &dialled.lookup;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    *l->slot = NULL;
    free(l);
}

/* A pipe is never writable at its reading end: connecting takes for ever, or breaks. */
static int hang(void)
{
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    if (dialled.hung >= 0)
        close(dialled.hung);
    dialled.hung = fds[1];
    return fds[0];
}

int smpp_dial_set_options(int fd, uint32_t user_timeout_ms)
{
    (void)fd, (void)user_timeout_ms;
    return 0;
}

int smpp_dial_connect(const struct smpp_address *to, const char *local_address,
                      uint32_t user_timeout_ms, int *fd)
{
    (void)to;
    (void)local_address;
    (void)user_timeout_ms;
    uint8_t plan = dialled.plan;
    errno = ECONNREFUSED;
    *fd = plan == DIAL_FAILS                          ? -1
          : plan == DIAL_HANGS || plan == DIAL_BREAKS ? hang()
                                                      : line_open(dialled.tight);
    if (*fd >= 0 && plan == DIAL_BREAKS) {
        close(dialled.hung);
        dialled.hung = -1;
    } else if (*fd >= 0 && plan == DIAL_CLOSES) {
        line_close(&peer.lines[peer.n_lines - 1]);
    }
    return *fd >= 0 ? 0 : ERR_IO;
}

/* In place of libc's: less than everything where that is asked for. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct iovec iov[4];
    struct msghdr part = {.msg_iov = iov};
    size_t left = dialled.chop ? dialled.budget : SIZE_MAX;
    for (size_t i = 0; i < m->msg_iovlen && left; i++) {
        iov[i] = m->msg_iov[i];
        if (iov[i].iov_len > left)
            iov[i].iov_len = left;
        left -= iov[i].iov_len;
        part.msg_iovlen++;
    }
    errno = EAGAIN;
    ssize_t n = part.msg_iovlen ? syscall(SYS_sendmsg, fd, &part, flags) : -1;
    if (n > 0 && dialled.chop)
        dialled.budget -= (size_t)n;
    return n;
}

#endif
