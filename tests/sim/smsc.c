#include "tests/sim/smsc.h"

#include "base/result.h"
#include "tests/sim/answer.h"
#include "tests/sim/receipt.h"
#include "tests/sim/web.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const struct timeval one_second = {1, 0};

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len,
                      void *arg)
{
    (void)l;
    (void)len;
    char host[INET6_ADDRSTRLEN] = "?", peer[INET6_ADDRSTRLEN + 8];
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    bool is_v4 = a->sa_family == AF_INET;
    inet_ntop(a->sa_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, host,
              sizeof host);
    snprintf(peer, sizeof peer, is_v4 ? "%s:%u" : "[%s]:%u", host,
             ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
    conn_new(arg, fd, peer);
}

/* Out of descriptors: the next second tries again instead of spinning. */
static void accept_error_cb(struct evconnlistener *l, void *arg)
{
    (void)arg;
    evconnlistener_disable(l);
}

static void second_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct smsc *s = arg;
    evconnlistener_enable(s->listener);
    conn_second(s);
    receipt_second(s);
}

static void signal_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct smsc *)arg)->base);
}

static int listen_smpp(struct smsc *s)
{
    s->listener = evconnlistener_new_bind(
        s->base, accept_cb, s, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
        1024, (struct sockaddr *)&s->opt.listen, (int)s->opt.listen_len);
    if (!s->listener) {
        perror("pinbind-smsc: --listen: cannot listen");
        return ERR_IO;
    }
    evconnlistener_set_error_cb(s->listener, accept_error_cb);
    return ERR_OK;
}

static uint16_t smpp_port(const struct smsc *s)
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof a;
    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &len);
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
}

static void announce(struct smsc *s)
{
    witness_begin_always(s->out, "listening");
    witness_int(s->out, "smpp", smpp_port(s));
    if (s->web)
        witness_int(s->out, "web", web_port(s->web));
    witness_int(s->out, "seed", s->opt.seed);
    witness_int(s->out, "pid", getpid());
    witness_end(s->out);
}

static void say_stopped(struct smsc *s)
{
    witness_begin_always(s->out, "stopped");
    witness_int(s->out, "submits", (int64_t)s->stats.submits);
    witness_int(s->out, "accepted", (int64_t)s->stats.accepted);
    witness_int(s->out, "responses", (int64_t)s->stats.responses);
    witness_int(s->out, "receipts", (int64_t)s->stats.receipts);
    witness_int(s->out, "receipts_acknowledged", (int64_t)s->stats.receipts_acknowledged);
    witness_int(s->out, "receipts_dropped", (int64_t)s->stats.receipts_dropped);
    witness_end(s->out);
}

static int make_parts(struct smsc *s)
{
    static const int signals[] = {SIGTERM, SIGINT};
    s->base = event_base_new();
    s->out = witness_new(STDOUT_FILENO, s->opt.quiet);
    if (!s->base || !s->out)
        return ERR_NOMEM;
    s->wheel = wheel_new(s->base, s);
    s->inbox = inbox_new((size_t)s->opt.inbox_numbers, (size_t)s->opt.inbox_messages);
    s->second = event_new(s->base, -1, EV_PERSIST, second_cb, s);
    if (!s->wheel || !s->inbox || !s->second || event_add(s->second, &one_second) != 0)
        return ERR_NOMEM;
    for (size_t i = 0; i < 2; i++) {
        s->sig[i] = evsignal_new(s->base, signals[i], signal_cb, s);
        if (!s->sig[i] || event_add(s->sig[i], NULL) != 0)
            return ERR_NOMEM;
    }
    return msg_ring_init(&s->msgs, s->opt.max_messages, s->opt.first_id);
}

int smsc_start(struct smsc *s)
{
    signal(SIGPIPE, SIG_IGN);
    while (!s->opt.seed) {
        uint32_t drawn;
        if (getrandom(&drawn, sizeof drawn, 0) == sizeof drawn)
            s->opt.seed = drawn;
    }
    s->dice.state = (uint64_t)s->opt.seed;
    for (size_t i = 0; i < s->opt.system_ids; i++)
        s->account[i] = (struct account){.system_id = s->opt.system_id[i],
                                         .password = s->opt.password[i]};
    if (make_parts(s) != ERR_OK) {
        fprintf(stderr, "pinbind-smsc: out of memory\n");
        return ERR_NOMEM;
    }
    if (listen_smpp(s) != ERR_OK)
        return ERR_IO;
    if (s->opt.web_len && !(s->web = web_new(s)))
        return ERR_IO;
    announce(s);
    return ERR_OK;
}

/* Events first, then the answers; a connection that ends may free receipts for another. */
static bool end_turn(struct smsc *s)
{
    bool again;
    do {
        receipt_pump(s);
        if (!witness_flush(s->out))
            return false;
        again = conn_flush_all(s);
    } while (again);
    conn_reap(s);
    wheel_arm(s->wheel);
    return witness_flush(s->out);
}

int smsc_run(struct smsc *s)
{
    bool good = end_turn(s);
    while (good && !event_base_got_break(s->base)) {
        event_base_loop(s->base, EVLOOP_ONCE);
        bool stopping = event_base_got_break(s->base);
        good = end_turn(s);
        if (stopping)
            break;
    }
    say_stopped(s);
    good = witness_flush(s->out) && good;
    if (!good)
        fprintf(stderr, "pinbind-smsc: standard output is gone\n");
    return good ? 0 : 1;
}

void smsc_free(struct smsc *s)
{
    web_free(s->web);
    if (s->listener)
        evconnlistener_free(s->listener);
    conn_free_all(s);
    answer_free_all(s);
    for (size_t i = 0; i < 2; i++)
        if (s->sig[i])
            event_free(s->sig[i]);
    if (s->second)
        event_free(s->second);
    msg_ring_clear(&s->msgs);
    inbox_free(s->inbox);
    wheel_free(s->wheel);
    witness_free(s->out);
    if (s->base)
        event_base_free(s->base);
}
