/*
 * What the tests of store/ share: a real redis-server in a folder of its own, a loop that runs
 * until something holds, a proxy that can withhold, and a fake server that says what it is told.
 */
#ifndef TESTS_UNIT_STORE_HARNESS_H
#define TESTS_UNIT_STORE_HARNESS_H

#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "store/store.h"
#include "store/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define UNUSED      __attribute__((unused))
#define PATIENCE_MS 20000

struct rig {
    struct event_base *base;
    struct reap *reap;
    char dir[64];
    char socket[96]; /* of the real server */
    char url[128];
    pid_t redis;
    int log_fd;
    struct store_options o;
    struct store *store;
    int ups, downs;
};

/* Files. */

static UNUSED const char *in_dir(const struct rig *r, const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", r->dir, name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static UNUSED bool log_has(const struct rig *r, const char *text)
{
    static char buf[1 << 20];
    ssize_t n = pread(r->log_fd, buf, sizeof buf - 1, 0);
    buf[n > 0 ? n : 0] = 0;
    return strstr(buf, text) != NULL;
}

/* The loop. */

static void patience_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

#define RUN_UNTIL(r, condition)                                                                    \
    do {                                                                                           \
        bool late_ = false;                                                                        \
        struct event *guard_ = evtimer_new((r)->base, patience_cb, &late_);                        \
        timer_arm_ms(guard_, PATIENCE_MS);                                                         \
        while (!(condition) && !late_)                                                             \
            event_base_loop((r)->base, EVLOOP_ONCE);                                               \
        event_free(guard_);                                                                        \
        if (late_)                                                                                 \
            fail_msg("never came true: %s", #condition);                                           \
    } while (0)

/* The real server. */

static bool is_listening(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is = connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0;
    close(fd);
    return is;
}

/* Returns when it listens. */
static UNUSED void redis_start(struct rig *r, const char *const *extra)
{
    const char *argv[32] = {"redis-server", "--port", "0", "--unixsocket", r->socket,  "--dir",
                            r->dir,         "--save", "",  "--logfile",    "redis.log"};
    for (int n = 11; extra && *extra && n < 31; n++)
        argv[n] = *extra++;
    unlink(r->socket);
    r->redis = fork();
    assert_true(r->redis >= 0);
    if (r->redis == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (int ms = 0; !is_listening(r->socket); ms++) {
        assert_true(ms < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

static UNUSED void redis_stop(struct rig *r)
{
    if (r->redis > 0) {
        kill(r->redis, SIGKILL);
        waitpid(r->redis, NULL, 0);
    }
    r->redis = 0;
}

/* The rig. */

static void state_cb(void *arg, bool up, const char *reason)
{
    struct rig *r = arg;
    assert_non_null(reason);
    if (up)
        r->ups++;
    else
        r->downs++;
}

static UNUSED int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct event_config *cfg = event_config_new();
    event_config_set_flag(cfg, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    signal(SIGPIPE, SIG_IGN);
    strcpy(r->dir, "/tmp/pinbind-store-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->socket, sizeof r->socket, "%s/real.sock", r->dir);
    snprintf(r->url, sizeof r->url, "unix:%s", r->socket);
    r->log_fd = open(in_dir(r, "log"), O_RDWR | O_CREAT | O_APPEND, 0600);
    log_set_fd(r->log_fd);
    r->base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    r->reap = reap_new(r->base);
    r->o = (struct store_options){
        .url = r->url, .arg = r, .state_cb = state_cb, .timeout_ms = 5000};
    *state = r;
    return 0;
}

static UNUSED int rig_teardown(void **state)
{
    struct rig *r = *state;
    store_free(r->store);
    reap_free(r->reap);
    event_base_free(r->base);
    redis_stop(r);
    log_set_fd(STDERR_FILENO);
    close(r->log_fd);
    nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(r);
    return 0;
}

static UNUSED void rig_open(struct rig *r)
{
    r->store = store_new(r->base, r->reap, NULL, &r->o);
    assert_non_null(r->store);
}

static UNUSED void rig_up(struct rig *r)
{
    rig_open(r);
    RUN_UNTIL(r, store_is_up(r->store));
}

static UNUSED void rig_free_store(struct rig *r)
{
    store_free(r->store);
    r->store = NULL;
}

static UNUSED struct store_info info_of(const struct rig *r)
{
    struct store_info i;
    store_info(r->store, &i);
    return i;
}

/* Answers. */

struct answer {
    int calls;
    int result;
    enum store_type type;
    int64_t number;
    size_t elements;
    char text[4096];
};

static UNUSED void answer_cb(void *arg, int result, const struct store_reply *reply)
{
    struct answer *a = arg;
    a->calls++;
    a->result = result;
    a->text[0] = 0;
    assert_int_equal(reply != NULL, result == 0 || result == ERR_REFUSED);
    if (!reply)
        return;
    const char *s = store_reply_str(reply, NULL);
    a->type = store_reply_type(reply);
    a->number = store_reply_int(reply);
    a->elements = store_reply_len(reply);
    snprintf(a->text, sizeof a->text, "%s", s ? s : "");
}

/* A command in words; the result of store_command(). */
static UNUSED int ask(struct rig *r, struct answer *a, const char *text)
{
    static char copy[1024];
    struct store_arg argv[16];
    size_t argc = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = strtok(copy, " "); p && argc < 16; p = strtok(NULL, " "))
        argv[argc++] = (struct store_arg){p, strlen(p)};
    return store_command(r->store, argv, argc, answer_cb, a);
}

/* Asks and waits for the answer's text. */
static UNUSED const char *answer_to(struct rig *r, const char *text)
{
    static struct answer a;
    a = (struct answer){0};
    assert_int_equal(ask(r, &a, text), 0);
    RUN_UNTIL(r, a.calls);
    assert_int_equal(a.calls, 1);
    if (a.type == STORE_INTEGER)
        snprintf(a.text, sizeof a.text, "%lld", (long long)a.number);
    return a.text;
}

/* A listener on a Unix socket in the rig's folder. */
static UNUSED struct evconnlistener *listen_at(struct rig *r, const char *path,
                                               evconnlistener_cb cb, void *arg)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    unlink(path);
    struct evconnlistener *l = evconnlistener_new_bind(
        r->base, cb, arg, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
        (struct sockaddr *)&sun, sizeof sun);
    assert_non_null(l);
    return l;
}

/* The proxy.  Each connection is a pair: towards the store, towards the real server. */

#define PROXY_PAIRS 8

struct proxy;

struct pair {
    struct proxy *p;
    struct bufferevent *client, *server;
};

struct proxy {
    struct rig *r;
    struct evconnlistener *listener;
    struct pair pairs[PROXY_PAIRS];
    char path[96];
    bool holds; /* answers stay here until proxy_release() */
    int accepted;
};

static void pair_cut(struct pair *q)
{
    if (q->client)
        bufferevent_free(q->client);
    if (q->server)
        bufferevent_free(q->server);
    q->client = q->server = NULL;
}

static UNUSED void proxy_cut(struct proxy *p)
{
    for (int i = 0; i < PROXY_PAIRS; i++)
        pair_cut(&p->pairs[i]);
}

static void pair_up_cb(struct bufferevent *from, void *arg)
{
    struct pair *q = arg;
    bufferevent_write_buffer(q->server, bufferevent_get_input(from));
}

static void pair_down_cb(struct bufferevent *from, void *arg)
{
    struct pair *q = arg;
    if (!q->p->holds)
        bufferevent_write_buffer(q->client, bufferevent_get_input(from));
}

static void pair_event_cb(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        pair_cut(arg);
}

static UNUSED void proxy_release(struct proxy *p)
{
    p->holds = false;
    for (int i = 0; i < PROXY_PAIRS; i++)
        if (p->pairs[i].server)
            pair_down_cb(p->pairs[i].server, &p->pairs[i]);
}

/* The store's octets stay in the kernel. */
static UNUSED void proxy_stop_reading(struct proxy *p)
{
    for (int i = 0; i < PROXY_PAIRS; i++)
        if (p->pairs[i].client)
            bufferevent_disable(p->pairs[i].client, EV_READ);
}

/* Octets of answers that are withheld. */
static UNUSED size_t proxy_held(const struct proxy *p)
{
    size_t n = 0;
    for (int i = 0; i < PROXY_PAIRS; i++)
        if (p->pairs[i].server)
            n += evbuffer_get_length(bufferevent_get_input(p->pairs[i].server));
    return n;
}

static void proxy_accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
                            int len, void *arg)
{
    struct proxy *p = arg;
    struct pair *q = p->pairs;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    (void)l;
    (void)sa;
    (void)len;
    while (q->client)
        q++;
    assert_true(q < p->pairs + PROXY_PAIRS);
    p->accepted++;
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", p->r->socket);
    q->p = p;
    q->client = bufferevent_socket_new(p->r->base, fd, BEV_OPT_CLOSE_ON_FREE);
    q->server = bufferevent_socket_new(p->r->base, -1, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(q->client, pair_up_cb, NULL, pair_event_cb, q);
    bufferevent_setcb(q->server, pair_down_cb, NULL, pair_event_cb, q);
    bufferevent_enable(q->client, EV_READ | EV_WRITE);
    bufferevent_enable(q->server, EV_READ | EV_WRITE);
    bufferevent_socket_connect(q->server, (struct sockaddr *)&sun, sizeof sun);
}

static UNUSED void proxy_start(struct proxy *p, struct rig *r)
{
    *p = (struct proxy){.r = r};
    snprintf(p->path, sizeof p->path, "%s/proxy.sock", r->dir);
    snprintf(r->url, sizeof r->url, "unix:%s", p->path);
    p->listener = listen_at(r, p->path, proxy_accept_cb, p);
}

static UNUSED void proxy_stop(struct proxy *p)
{
    proxy_cut(p);
    evconnlistener_free(p->listener);
}

/* The fake server: answers each command by a function of its words. */

struct fake {
    struct rig *r;
    struct evconnlistener *listener;
    struct bufferevent *client;
    redisReader *reader;
    const char *(*answer)(struct fake *f, const redisReply *command); /* RESP; NULL: silence */
    const char *greeting;
    int accepted, commands;
};

static UNUSED void fake_cut(struct fake *f)
{
    if (f->client)
        bufferevent_free(f->client);
    if (f->reader)
        redisReaderFree(f->reader);
    f->client = NULL;
    f->reader = NULL;
}

static void fake_read_cb(struct bufferevent *bev, void *arg)
{
    struct fake *f = arg;
    char buf[4096];
    for (size_t n; (n = bufferevent_read(bev, buf, sizeof buf)) > 0;)
        redisReaderFeed(f->reader, buf, n);
    void *command;
    while (redisReaderGetReply(f->reader, &command) == REDIS_OK && command) {
        const char *text = f->answer ? f->answer(f, command) : NULL;
        f->commands++;
        freeReplyObject(command);
        if (text)
            bufferevent_write(bev, text, strlen(text));
    }
}

static void fake_event_cb(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        fake_cut(arg);
}

static void fake_accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
                           int len, void *arg)
{
    struct fake *f = arg;
    (void)l;
    (void)sa;
    (void)len;
    fake_cut(f);
    f->accepted++;
    f->reader = redisReaderCreate();
    f->client = bufferevent_socket_new(f->r->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(f->client, fake_read_cb, NULL, fake_event_cb, f);
    bufferevent_enable(f->client, EV_READ | EV_WRITE);
    if (f->greeting)
        bufferevent_write(f->client, f->greeting, strlen(f->greeting));
}

static UNUSED void fake_start(struct fake *f, struct rig *r)
{
    f->r = r;
    snprintf(r->url, sizeof r->url, "unix:%s", r->socket);
    f->listener = listen_at(r, r->socket, fake_accept_cb, f);
}

static UNUSED void fake_stop(struct fake *f)
{
    fake_cut(f);
    evconnlistener_free(f->listener);
}

/* "INFO" with these lines, everything else "+OK". */
static UNUSED const char *fake_info(const redisReply *command, const char *lines)
{
    static char buf[1024];
    if (strcmp(command->element[0]->str, "INFO") != 0)
        return "+OK\r\n";
    snprintf(buf, sizeof buf, "$%zu\r\n%s\r\n", strlen(lines), lines);
    return buf;
}

#endif
