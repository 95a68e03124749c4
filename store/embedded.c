#include "store/embedded.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "store/backoff.h"
#include "store/timer.h"
#include "store/url.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_ID  "store/redis"
#define TERM_MS 5000
#define KILL_MS 1000
/* A server that lived this long did not fail at its start: the back-off begins anew. */
#define GOOD_LIFE_MS 10000
/* The lock's number in the server; nothing above it is inherited. */
#define CHILD_LOCK_FD 3

#define SOCKET_NAME "/redis.sock"

struct embedded {
    char dir[STORE_PATH_SIZE];
    char socket[STORE_PATH_SIZE];
    char *program;
    struct event_base *base;
    struct event exit_ev, timer;
    struct backoff backoff;
    struct mono started;
    int gateway_fd; /* DIR/gateway.lock, not inherited */
    int lock_fd;    /* DIR/lock, inherited by the server */
    bool is_locked; /* by us or by a child of ours through the same description */
    bool is_child;  /* of this process; an adopted one is not */
    int pidfd;      /* -1: no server */
    pid_t pid;
};

static int complain(const char *dir, const char *what, const char *detail)
{
    LOG(LOG_LV_ERROR, LOG_ID, "embedded_folder", KV_S("dir", dir), KV_S("error", what),
        KV_S("detail", detail));
    return ERR_IO;
}

/* The folder. */

static int check_dir(const char *dir)
{
    struct stat st;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return complain(dir, "the folder cannot be made", strerror(errno));
    if (stat(dir, &st) < 0)
        return complain(dir, "the folder cannot be read", strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return complain(dir, "this is not a folder", NULL);
    if (st.st_uid != geteuid())
        return complain(dir, "the folder belongs to another user", NULL);
    if (st.st_mode & 077)
        return complain(dir, "others may enter the folder: chmod 0700", NULL);
    return 0;
}

/* The server changes its folder, so all its paths are absolute. */
static int set_paths(struct embedded *e, const char *dir)
{
    char real[PATH_MAX];
    if (!realpath(dir, real))
        return complain(dir, "the folder cannot be read", strerror(errno));
    if (!str_copy(e->dir, sizeof e->dir - sizeof SOCKET_NAME, real))
        return complain(dir, "the folder's name is too long for the socket in it", real);
    size_t n = strlen(e->dir);
    memcpy(e->socket, e->dir, n);
    memcpy(e->socket + n, SOCKET_NAME, sizeof SOCKET_NAME);
    return 0;
}

static int open_lock(const struct embedded *e, const char *name)
{
    char path[STORE_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", e->dir, name);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int lock_folder(struct embedded *e)
{
    e->gateway_fd = open_lock(e, "gateway.lock");
    e->lock_fd = open_lock(e, "lock");
    if (e->gateway_fd < 0 || e->lock_fd < 0)
        return complain(e->dir, "the lock files cannot be opened", strerror(errno));
    if (flock(e->gateway_fd, LOCK_EX | LOCK_NB) < 0)
        return complain(e->dir, "another gateway uses this folder", NULL);
    return 0;
}

/* The server. */

static void arm(struct embedded *e)
{
    timer_arm_ms(&e->timer, store_backoff_next_ms(&e->backoff));
}

static void collect(struct embedded *e)
{
    int status = 0;
    bool has_status = e->is_child && waitpid(e->pid, &status, WNOHANG) == e->pid;
    LOG(LOG_LV_INFO, LOG_ID, "embedded_ended", KV_I("pid", e->pid),
        KV_I("exit", has_status && WIFEXITED(status) ? WEXITSTATUS(status) : -1),
        KV_I("signal", has_status && WIFSIGNALED(status) ? WTERMSIG(status) : -1));
    close(e->pidfd);
    e->pidfd = -1;
}

static void exit_cb(evutil_socket_t fd, short what, void *arg)
{
    struct embedded *e = arg;
    (void)fd;
    (void)what;
    LOG(LOG_LV_ERROR, LOG_ID, "embedded_died", KV_I("pid", e->pid),
        KV_S("what", "it is started again; redis.log in its folder may say why it ended"));
    collect(e);
    if (mono_diff_ms(mono_now(), e->started) >= GOOD_LIFE_MS)
        store_backoff_reset(&e->backoff);
    arm(e);
}

static int watch(struct embedded *e, pid_t pid, bool is_child)
{
    e->pidfd = pidfd_open(pid, 0);
    if (e->pidfd < 0)
        return ERR_IO;
    e->pid = pid;
    e->is_child = is_child;
    e->started = mono_now();
    LOG(LOG_LV_INFO, LOG_ID, is_child ? "embedded_started" : "embedded_adopted", KV_I("pid", pid),
        KV_S("socket", e->socket));
    event_assign(&e->exit_ev, e->base, e->pidfd, EV_READ, exit_cb, e);
    event_add(&e->exit_ev, NULL);
    return 0;
}

static void fill_actions(const struct embedded *e, posix_spawn_file_actions_t *fa)
{
    char log[STORE_PATH_SIZE + 16];
    snprintf(log, sizeof log, "%s/redis.log", e->dir);
    posix_spawn_file_actions_adddup2(fa, e->lock_fd, CHILD_LOCK_FD);
    posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(fa, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(fa, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(fa, CHILD_LOCK_FD + 1);
}

static void fill_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&usual, signals[i]);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &usual);
    posix_spawnattr_setflags(attr,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* 0 or an errno, also when the program is not there. */
static int run_program(const struct embedded *e, pid_t *pid)
{
    char pidfile[STORE_PATH_SIZE + 16];
    snprintf(pidfile, sizeof pidfile, "%s/redis.pid", e->dir);
    const char *const argv[] = {
        e->program, "--port",    "0",     "--unixsocket",       e->socket,    "--unixsocketperm",
        "700",      "--dir",     e->dir,  "--appendonly",       "yes",        "--appendfsync",
        "everysec", "--save",    "",      "--maxmemory-policy", "noeviction", "--daemonize",
        "no",       "--pidfile", pidfile, "--logfile",          "",           NULL};
    static char locale[] = "LC_ALL=C";
    char *const environment[] = {locale, NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    fill_actions(e, &fa);
    fill_attributes(&attr);
    int err = posix_spawnp(pid, e->program, &fa, &attr, (char *const *)argv, environment);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return err;
}

static int spawn(struct embedded *e)
{
    pid_t pid;
    unlink(e->socket); /* we hold the lock: what is there is left over */
    int err = run_program(e, &pid);
    if (err) {
        LOG(LOG_LV_ERROR, LOG_ID, "embedded_program", KV_S("program", e->program),
            KV_S("error", strerror(err)), KV_S("hint", "install the package redis-server"));
        return err == ENOENT || err == EACCES ? ERR_NOTFOUND : ERR_IO;
    }
    if (watch(e, pid, true)) {
        complain(e->dir, "the server cannot be watched", strerror(errno));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return ERR_IO;
    }
    return 0;
}

/* The process that listens on the socket, 0 when there is none. */
static pid_t find_listener(const struct embedded *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    memcpy(sun.sun_path, e->socket, sizeof sun.sun_path);
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        peer.pid = 0;
    close(fd);
    return peer.pid;
}

/* Adopts the orphan that holds the lock, or starts a server.  An orphan on its way down holds the
 * lock without listening: it is waited for. */
static int start(struct embedded *e)
{
    if (!e->is_locked)
        e->is_locked = flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (e->is_locked)
        return spawn(e);
    pid_t pid = find_listener(e);
    if (pid > 0 && watch(e, pid, false) == 0)
        return 0;
    LOG(LOG_LV_WARN, LOG_ID, "embedded_wait", KV_S("dir", e->dir),
        KV_S("why", "the last server of this folder is ending"));
    return ERR_BADSTATE;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct embedded *e = arg;
    (void)fd;
    (void)what;
    if (start(e))
        arm(e);
}

static bool waits_for_exit(const struct embedded *e, int ms)
{
    struct pollfd p = {.fd = e->pidfd, .events = POLLIN};
    struct mono until = mono_add_ms(mono_now(), ms);
    int n;
    do {
        int64_t left = mono_diff_ms(until, mono_now());
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

static void end_server(struct embedded *e)
{
    pidfd_send_signal(e->pidfd, SIGTERM, NULL, 0);
    if (!waits_for_exit(e, TERM_MS)) {
        LOG(LOG_LV_WARN, LOG_ID, "embedded_killed", KV_I("pid", e->pid), KV_I("after_ms", TERM_MS));
        pidfd_send_signal(e->pidfd, SIGKILL, NULL, 0);
        waits_for_exit(e, KILL_MS);
    }
    collect(e);
    unlink(e->socket);
}

void store_embedded_free(struct embedded *e)
{
    if (!e)
        return;
    event_del(&e->timer);
    event_del(&e->exit_ev);
    if (e->pidfd >= 0)
        end_server(e);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    if (e->gateway_fd >= 0)
        close(e->gateway_fd);
    free(e->program);
    free(e);
}

struct embedded *store_embedded_new(const struct embedded_options *o)
{
    struct embedded *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->base = o->base;
    e->backoff.max_ms = o->backoff_max_ms;
    e->gateway_fd = e->lock_fd = e->pidfd = -1;
    event_assign(&e->exit_ev, o->base, -1, 0, exit_cb, e);
    event_assign(&e->timer, o->base, -1, 0, timer_cb, e);
    e->program = strdup(o->program);
    int err = e->program ? check_dir(o->dir) : ERR_NOMEM;
    if (!err)
        err = set_paths(e, o->dir);
    if (!err)
        err = lock_folder(e);
    if (!err)
        err = start(e);
    if (err == ERR_BADSTATE)
        arm(e);
    else if (err) {
        store_embedded_free(e);
        return NULL;
    }
    return e;
}

const char *store_embedded_socket(const struct embedded *e)
{
    return e->socket;
}

bool store_embedded_has_socket(const struct embedded *e)
{
    return access(e->socket, F_OK) == 0;
}
