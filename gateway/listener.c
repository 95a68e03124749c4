#include "gateway/listener.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG         511
#define ACCEPT_PAUSE_MS 100
#define LOG_EVERY_MS    1000
#define LISTEN_OPTS     (LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE)

struct listener {
    char door[16];
    struct evconnlistener *lev;
    struct event *pause;
    struct mono logged; /* that accept failed */
    uint64_t failed;    /* times since then */
    char *unix_path;    /* NULL: TCP */
    evconnlistener_cb cb;
    void *arg;
};

static bool is_answered(const struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int rc = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
    bool answered = rc == 0 || errno == EAGAIN;
    close(fd);
    return answered;
}

/* Gone, or a socket nobody answers on and that is removed now. */
static bool clear_path(const struct sockaddr_un *sun, char *why, size_t why_size)
{
    struct stat st;
    if (lstat(sun->sun_path, &st) < 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        snprintf(why, why_size, "%s is there and is not a socket", sun->sun_path);
    else if (is_answered(sun))
        snprintf(why, why_size, "another process answers on %s", sun->sun_path);
    else if (unlink(sun->sun_path) == 0)
        return true;
    else
        snprintf(why, why_size, "%s: %s", sun->sun_path, strerror(errno));
    return false;
}

static bool set_access(const struct listener_options *o, char *why, size_t why_size)
{
    if (chmod(o->unix_path, o->unix_mode) < 0) {
        snprintf(why, why_size, "%s: chmod: %s", o->unix_path, strerror(errno));
        return false;
    }
    if (!o->unix_group[0])
        return true;
    struct group *g = getgrnam(o->unix_group);
    if (!g || chown(o->unix_path, (uid_t)-1, g->gr_gid) < 0) {
        snprintf(why, why_size, "%s: group %s: %s", o->unix_path, o->unix_group,
                 g ? strerror(errno) : "no such group");
        return false;
    }
    return true;
}

static struct evconnlistener *unix_new(struct event_base *base, const struct listener_options *o,
                                       char *why, size_t why_size)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (!str_copy(sun.sun_path, sizeof sun.sun_path, o->unix_path)) {
        snprintf(why, why_size, "%s: longer than a socket path can be", o->unix_path);
        return NULL;
    }
    if (!clear_path(&sun, why, why_size))
        return NULL;
    mode_t old = umask(0177); /* nobody else gets in before set_access() */
    struct evconnlistener *l = evconnlistener_new_bind(base, NULL, NULL, LISTEN_OPTS, BACKLOG,
                                                       (struct sockaddr *)&sun, sizeof sun);
    int saved = errno;
    umask(old);
    if (!l) {
        snprintf(why, why_size, "%s: %s", o->unix_path, strerror(saved));
        return NULL;
    }
    if (!set_access(o, why, why_size)) {
        unlink(o->unix_path);
        evconnlistener_free(l);
        return NULL;
    }
    LOG(LOG_LV_INFO, NULL, "listening", KV_S("door", o->door), KV_S("address", o->unix_path));
    return l;
}

static void log_tcp(const struct listener_options *o, struct evconnlistener *l)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    char host[64] = "", text[80];
    uint16_t port = 0;
    getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&ss, &len);
    if (ss.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;
        evutil_inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;
        evutil_inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        port = ntohs(in6->sin6_port);
    }
    snprintf(text, sizeof text, ss.ss_family == AF_INET ? "%s:%u" : "[%s]:%u", host, port);
    LOG(LOG_LV_INFO, NULL, "listening", KV_S("door", o->door), KV_S("address", text));
}

static struct evconnlistener *tcp_new(struct event_base *base, const struct listener_options *o,
                                      char *why, size_t why_size)
{
    struct sockaddr_storage ss;
    int len = sizeof ss, one = 1;
    if (evutil_parse_sockaddr_port(o->tcp, (struct sockaddr *)&ss, &len) < 0) {
        snprintf(why, why_size, "%s: an address and port such as 127.0.0.1:2777 is expected",
                 o->tcp);
        return NULL;
    }
    struct evconnlistener *l = evconnlistener_new_bind(base, NULL, NULL, LISTEN_OPTS, BACKLOG,
                                                       (struct sockaddr *)&ss, len);
    if (!l) {
        snprintf(why, why_size, "%s: %s", o->tcp, strerror(errno));
        return NULL;
    }
    /* accepted sockets inherit it */
    setsockopt(evconnlistener_get_fd(l), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    log_tcp(o, l);
    return l;
}

/* As long as it goes on, a line a second. */
static void log_failed(struct listener *l, const char *reason)
{
    struct mono now = mono_now();
    l->failed++;
    if (l->logged.us && mono_diff_ms(now, l->logged) < LOG_EVERY_MS)
        return;
    LOG(LOG_LV_WARN, NULL, "accept_failed", KV_S("door", l->door), KV_S("reason", reason),
        KV_I("count", l->failed));
    l->logged = now;
    l->failed = 0;
}

/* Out of descriptors, say: without a pause the loop would do nothing but try. */
static void error_cb(struct evconnlistener *lev, void *arg)
{
    static const struct timeval wait = {0, ACCEPT_PAUSE_MS * 1000};
    struct listener *l = arg;
    log_failed(l, strerror(errno));
    evconnlistener_disable(lev);
    event_add(l->pause, &wait);
}

static void pause_over_cb(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    (void)fd;
    (void)what;
    evconnlistener_enable(l->lev);
}

static void accept_cb(struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *addr,
                      int len, void *arg)
{
    struct listener *l = arg;
    l->cb(lev, fd, addr, len, l->arg);
}

struct listener *listener_new(struct event_base *base, const struct listener_options *o,
                              evconnlistener_cb cb, void *arg, char *why, size_t why_size)
{
    struct listener *l = calloc(1, sizeof *l);
    snprintf(why, why_size, "out of memory");
    if (!l)
        return NULL;
    str_copy(l->door, sizeof l->door, o->door);
    l->cb = cb;
    l->arg = arg;
    l->pause = evtimer_new(base, pause_over_cb, l);
    l->unix_path = o->unix_path ? strdup(o->unix_path) : NULL;
    if (l->pause && (!o->unix_path || l->unix_path))
        l->lev = o->unix_path ? unix_new(base, o, why, why_size) : tcp_new(base, o, why, why_size);
    if (!l->lev) {
        free(l->unix_path); /* whatever is there is not ours to remove */
        l->unix_path = NULL;
        listener_free(l);
        return NULL;
    }
    evconnlistener_set_cb(l->lev, accept_cb, l);
    evconnlistener_set_error_cb(l->lev, error_cb);
    return l;
}

bool listener_is(const struct listener *l, const struct evconnlistener *accepted_on)
{
    return l && l->lev == accepted_on;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (l->unix_path)
        unlink(l->unix_path);
    if (l->lev)
        evconnlistener_free(l->lev);
    if (l->pause)
        event_free(l->pause);
    free(l->unix_path);
    free(l);
}
