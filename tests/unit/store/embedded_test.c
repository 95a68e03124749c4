#include "tests/unit/store/harness.h"

#include <sys/pidfd.h>

/* valgrind may be older than pidfd_open(): then what needs a server is left out. */
static struct rig *use_embedded(void **state)
{
    struct rig *r = *state;
    int fd = pidfd_open(getpid(), 0);
    if (fd < 0 && errno == ENOSYS)
        skip();
    close(fd);
    snprintf(r->url, sizeof r->url, "embedded:%s/home", r->dir);
    return r;
}

static pid_t server_pid(struct rig *r)
{
    const char *at = strstr(answer_to(r, "INFO server"), "process_id:");
    assert_non_null(at);
    return atoi(at + strlen("process_id:"));
}

static void a_folder_is_made_for_the_owner_alone(void **state)
{
    struct rig *r = use_embedded(state);
    struct stat st;
    rig_up(r);
    assert_int_equal(stat(in_dir(r, "home"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_dir(r, "home/redis.sock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_dir(r, "home/redis.log"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(answer_to(r, "SET k v"), "OK");
    assert_false(log_has(r, "store_setting")); /* its settings are the right ones */
    assert_false(log_has(r, " warn "));
}

static void its_server_listens_nowhere_else_and_keeps_its_data(void **state)
{
    struct rig *r = use_embedded(state);
    rig_up(r);
    assert_non_null(strstr(answer_to(r, "INFO server"), "tcp_port:0"));
    assert_non_null(strstr(answer_to(r, "INFO persistence"), "aof_enabled:1"));
    pid_t pid = server_pid(r);
    assert_int_equal(getsid(pid), pid); /* out of reach of the terminal's Ctrl-C */
}

static void only_the_lock_is_inherited(void **state)
{
    struct rig *r = use_embedded(state);
    int leak = dup(r->log_fd); /* without close-on-exec */
    char path[64];
    rig_up(r);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)server_pid(r));
    for (int fd = 0; fd < 64; fd++) {
        char entry[96], target[160] = "";
        snprintf(entry, sizeof entry, "%s/%d", path, fd);
        if (readlink(entry, target, sizeof target - 1) > 0)
            assert_null(strstr(target, in_dir(r, "log")));
    }
    close(leak);
}

static void a_killed_server_is_started_again_with_its_data(void **state)
{
    struct rig *r = use_embedded(state);
    rig_up(r);
    assert_string_equal(answer_to(r, "SET k v"), "OK");
    pid_t first = server_pid(r);
    kill(first, SIGKILL);
    RUN_UNTIL(r, !store_is_up(r->store));
    RUN_UNTIL(r, store_is_up(r->store));
    assert_int_not_equal(server_pid(r), first);
    assert_string_equal(answer_to(r, "GET k"), "v");
    assert_true(log_has(r, "embedded_died"));
    assert_int_equal(info_of(r).reconnects, 1);
}

static void free_ends_the_server_in_order_and_the_data_stays(void **state)
{
    struct rig *r = use_embedded(state);
    rig_up(r);
    assert_string_equal(answer_to(r, "SET k v"), "OK");
    pid_t pid = server_pid(r);
    rig_free_store(r);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(access(in_dir(r, "home/redis.sock"), F_OK), -1);
    assert_false(log_has(r, "embedded_killed"));
    rig_up(r);
    assert_string_equal(answer_to(r, "GET k"), "v");
}

static void another_childs_status_is_left_alone(void **state)
{
    struct rig *r = use_embedded(state);
    int status;
    pid_t other = fork();
    if (other == 0)
        _exit(7);
    rig_up(r);
    kill(server_pid(r), SIGKILL);
    RUN_UNTIL(r, !store_is_up(r->store));
    RUN_UNTIL(r, store_is_up(r->store));
    rig_free_store(r);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and ours are collected */
    assert_int_equal(errno, ECHILD);
}

static void a_second_gateway_on_the_folder_is_refused(void **state)
{
    struct rig *r = use_embedded(state);
    rig_up(r);
    pid_t pid = server_pid(r);
    assert_null(store_new(r->base, r->reap, NULL, &r->o));
    assert_true(log_has(r, "another gateway uses this folder"));
    assert_int_equal(server_pid(r), pid);
}

/* The gateway that is to be killed.  No assertion here: it would return into the test runner. */
static void be_a_gateway(struct rig *r, int fd)
{
    struct answer set = {0}, info = {0};
    alarm(PATIENCE_MS / 1000);
    event_reinit(r->base);
    r->store = store_new(r->base, r->reap, NULL, &r->o);
    while (r->store && !store_is_up(r->store))
        event_base_loop(r->base, EVLOOP_ONCE);
    if (!r->store || ask(r, &set, "SET k orphaned") || ask(r, &info, "INFO server"))
        _exit(1);
    while (!info.calls)
        event_base_loop(r->base, EVLOOP_ONCE);
    const char *at = strstr(info.text, "process_id:");
    pid_t pid = at ? atoi(at + strlen("process_id:")) : 0;
    if (write(fd, &pid, sizeof pid) != sizeof pid)
        _exit(1);
    kill(getpid(), SIGKILL);
}

/* Within that time; a process is gone when all its threads are. */
static bool is_gone(pid_t pid, int ms)
{
    struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    bool gone = p.fd < 0 || poll(&p, 1, ms) == 1;
    close(p.fd);
    return gone;
}

static pid_t orphan_left;

/* A test that failed must not leave it behind. */
static int teardown(void **state)
{
    int err = rig_teardown(state);
    if (orphan_left && !is_gone(orphan_left, 0))
        kill(orphan_left, SIGKILL);
    orphan_left = 0;
    return err;
}

/* Returns the pid of the server that a killed gateway left. */
static pid_t leave_an_orphan(struct rig *r)
{
    int fds[2];
    pid_t pid = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t gateway = fork();
    if (gateway == 0)
        be_a_gateway(r, fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &pid, sizeof pid), sizeof pid);
    close(fds[0]);
    waitpid(gateway, NULL, 0);
    assert_int_equal(kill(pid, 0), 0);
    orphan_left = pid;
    return pid;
}

static void the_orphan_of_a_killed_gateway_is_adopted_and_ended(void **state)
{
    struct rig *r = use_embedded(state);
    pid_t orphan = leave_an_orphan(r);
    rig_up(r);
    assert_int_equal(server_pid(r), orphan);
    assert_string_equal(answer_to(r, "GET k"), "orphaned");
    assert_true(log_has(r, "embedded_adopted"));
    assert_null(store_new(r->base, r->reap, NULL, &r->o)); /* we are a gateway like any other */
    rig_free_store(r);
    assert_true(is_gone(orphan, 0));
    assert_int_equal(access(in_dir(r, "home/redis.sock"), F_OK), -1);
}

static void an_adopted_server_that_dies_is_started_again(void **state)
{
    struct rig *r = use_embedded(state);
    pid_t orphan = leave_an_orphan(r);
    rig_up(r);
    kill(orphan, SIGKILL);
    RUN_UNTIL(r, !store_is_up(r->store));
    RUN_UNTIL(r, store_is_up(r->store));
    assert_int_not_equal(server_pid(r), orphan);
    assert_string_equal(answer_to(r, "GET k"), "orphaned");
}

static void an_orphan_that_does_not_listen_is_waited_for(void **state)
{
    struct rig *r = use_embedded(state);
    pid_t orphan = leave_an_orphan(r);
    unlink(in_dir(r, "home/redis.sock")); /* as on its way down */
    rig_open(r);
    assert_true(log_has(r, "embedded_wait"));
    kill(orphan, SIGKILL);
    RUN_UNTIL(r, store_is_up(r->store));
    assert_int_not_equal(server_pid(r), orphan);
    assert_string_equal(answer_to(r, "GET k"), "orphaned");
}

static void a_socket_left_over_is_not_taken_for_a_server(void **state)
{
    struct rig *r = use_embedded(state);
    pid_t orphan = leave_an_orphan(r);
    kill(orphan, SIGKILL);
    assert_true(is_gone(orphan, PATIENCE_MS));
    assert_int_equal(access(in_dir(r, "home/redis.sock"), F_OK), 0);
    rig_up(r);
    assert_string_equal(answer_to(r, "GET k"), "orphaned");
    assert_false(log_has(r, "cannot connect"));
}

static void a_server_deaf_to_sigterm_is_killed_in_the_end(void **state)
{
    struct rig *r = use_embedded(state);
    rig_up(r);
    pid_t pid = server_pid(r);
    kill(pid, SIGSTOP);
    rig_free_store(r);
    assert_int_equal(kill(pid, 0), -1);
    assert_true(log_has(r, "embedded_killed"));
    assert_int_equal(access(in_dir(r, "home/redis.sock"), F_OK), -1);
}

static void assert_refused(struct rig *r, const char *why)
{
    assert_null(store_new(r->base, r->reap, NULL, &r->o));
    assert_true(log_has(r, why));
}

static void a_folder_open_to_others_is_refused(void **state)
{
    struct rig *r = use_embedded(state);
    assert_int_equal(mkdir(in_dir(r, "home"), 0700), 0);
    assert_int_equal(chmod(in_dir(r, "home"), 0750), 0);
    assert_refused(r, "chmod 0700");
}

static void a_folder_that_is_none_is_refused(void **state)
{
    struct rig *r = use_embedded(state);
    close(open(in_dir(r, "home"), O_CREAT | O_WRONLY, 0600));
    assert_refused(r, "this is not a folder");
}

static void a_folder_that_cannot_be_made_is_refused(void **state)
{
    struct rig *r = *state;
    snprintf(r->url, sizeof r->url, "embedded:%s/no/home", r->dir);
    assert_refused(r, "the folder cannot be made");
}

static void a_folder_whose_name_is_too_long_is_refused(void **state)
{
    struct rig *r = *state;
    char deep[96];
    memset(deep, 'd', 90);
    deep[90] = 0;
    assert_int_equal(mkdir(in_dir(r, deep), 0700), 0);
    assert_int_equal(chdir(in_dir(r, deep)), 0);
    snprintf(r->url, sizeof r->url, "embedded:."); /* long only when made absolute */
    assert_refused(r, "too long for the socket");
    assert_int_equal(chdir("/"), 0);
}

static void a_program_that_is_missing_is_refused_with_a_hint(void **state)
{
    struct rig *r = use_embedded(state);
    r->o.redis_server = "/nonexistent/redis-server";
    assert_refused(r, "install the package redis-server");
    r->o.redis_server = NULL;
    rig_up(r); /* and the folder is free again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, teardown)
        T(a_folder_is_made_for_the_owner_alone),
        T(its_server_listens_nowhere_else_and_keeps_its_data),
        T(only_the_lock_is_inherited),
        T(a_killed_server_is_started_again_with_its_data),
        T(free_ends_the_server_in_order_and_the_data_stays),
        T(another_childs_status_is_left_alone),
        T(a_second_gateway_on_the_folder_is_refused),
        T(the_orphan_of_a_killed_gateway_is_adopted_and_ended),
        T(an_adopted_server_that_dies_is_started_again),
        T(an_orphan_that_does_not_listen_is_waited_for),
        T(a_socket_left_over_is_not_taken_for_a_server),
        T(a_server_deaf_to_sigterm_is_killed_in_the_end),
        T(a_folder_open_to_others_is_refused),
        T(a_folder_that_is_none_is_refused),
        T(a_folder_that_cannot_be_made_is_refused),
        T(a_folder_whose_name_is_too_long_is_refused),
        T(a_program_that_is_missing_is_refused_with_a_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
