/*
 * CPU per pair of submit_sm and submit_sm_resp over loopback: one carrier against a child process
 * that answers every request in as few writes as it gets reads.
 *
 *   smpp_pair [messages [window [binds]]]
 */
#include "base/log.h"
#include "base/reap.h"
#include "smpp/smpp.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ID "0123456789"

static struct event_base *base;
static struct smpp_carrier *carrier;
static uint32_t wanted = 1000000, submitted, answered, accepted;

/* --- the peer: header in, header and message id out --- */

static size_t answer_all(uint8_t *in, size_t len, uint8_t *out, size_t *out_len)
{
    size_t at = 0;
    *out_len = 0;
    while (len - at >= 16) {
        const uint8_t *p = in + at;
        size_t pdu = (size_t)p[2] << 8 | p[3];
        if (len - at < pdu)
            break;
        uint8_t *q = out + *out_len;
        memcpy(q, p, 16);
        q[4] = 0x80;
        memset(q + 8, 0, 4);
        size_t body = p[7] == 4 ? sizeof ID : p[7] == 9 ? 1 : 0;
        memcpy(q + 16, body == 1 ? "" : ID, body);
        q[2] = 0;
        q[3] = (uint8_t)(16 + body);
        *out_len += 16 + body;
        at += pdu;
    }
    return at;
}

static void serve(int fd)
{
    static uint8_t in[1 << 16], out[1 << 17];
    size_t len = 0;
    size_t out_len;
    ssize_t n;
    while ((n = recv(fd, in + len, sizeof in - len, 0)) > 0) {
        len += (size_t)n;
        size_t used = answer_all(in, len, out, &out_len);
        memmove(in, in + used, len - used);
        len -= used;
        for (size_t at = 0; at < out_len; at += (size_t)n)
            if ((n = send(fd, out + at, out_len - at, MSG_NOSIGNAL)) <= 0)
                return;
    }
}

static void peer_main(int listen_fd)
{
    int on = 1;
    int fd;
    signal(SIGCHLD, SIG_IGN);
    while ((fd = accept(listen_fd, NULL, NULL)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fork() == 0) {
            serve(fd);
            _exit(0);
        }
        close(fd);
    }
    _exit(0);
}

static pid_t start_peer(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0)
        exit(1);
    getsockname(fd, (struct sockaddr *)&a, &len);
    *port = ntohs(a.sin_port);
    pid_t pid = fork();
    if (pid == 0)
        peer_main(fd);
    close(fd);
    return pid;
}

/* --- the carrier --- */

static void outcome_cb(void *arg, const struct smpp_result *r);

static void submit_more(void)
{
    struct smpp_message m = {.destination = "385912345678",
                             .text = "Your PIN is 739201. It is valid for 5 minutes.",
                             .text_len = 46,
                             .deadline = mono_add_ms(mono_now(), 10000)};
    while (submitted < wanted && smpp_carrier_is_ready(carrier)) {
        if (smpp_submit(carrier, &m, outcome_cb, NULL) != 0)
            return;
        submitted++;
    }
}

static void outcome_cb(void *arg, const struct smpp_result *r)
{
    (void)arg;
    accepted += r->outcome == SMPP_ACCEPTED;
    if (++answered == wanted)
        event_base_loopbreak(base);
    else
        submit_more();
}

static void state_cb(void *arg, const struct smpp_bind_event *event)
{
    (void)arg;
    if (event->to == SMPP_BOUND)
        submit_more();
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct smpp_carrier_options o = {.name = "bench", .hosts = hosts, .n_hosts = 1};
    struct smpp_events events = {.state_cb = state_cb};
    wanted = argc > 1 ? (uint32_t)atoi(argv[1]) : wanted;
    o.window = argc > 2 ? (uint32_t)atoi(argv[2]) : 100;
    o.binds = argc > 3 ? (uint32_t)atoi(argv[3]) : 1;
    o.max_queue = 1; /* the window drives */
    o.system_id = "bench";
    o.source = "ACME";
    o.source_ton = o.source_npi = -1;
    o.dest_ton = o.dest_npi = 1;
    pid_t pid = start_peer(&o.port);
    log_set_level(LOG_LV_ERROR);
    base = event_base_new();
    struct reap *reap = reap_new(base);
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    if (!carrier)
        return 1;
    struct mono start = mono_now();
    event_base_dispatch(base);
    double wall = (double)mono_diff_us(mono_now(), start) / 1e6;
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double user = seconds(u.ru_utime), sys = seconds(u.ru_stime);
    printf("pairs %u accepted %u window %u binds %u: %.0f/s, CPU %.2f us a pair (user %.2f, system "
           "%.2f)\n",
           answered, accepted, o.window, o.binds, answered / wall, (user + sys) / answered * 1e6,
           user / answered * 1e6, sys / answered * 1e6);
    smpp_carrier_free(carrier);
    reap_free(reap);
    event_base_free(base);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return accepted == wanted ? 0 : 1;
}
