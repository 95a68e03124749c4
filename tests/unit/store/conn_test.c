#include "store/private.h"
#include "tests/unit/store/harness.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define MANY  100
#define VALUE 500

/* Stands before the C library's: 2: the next write takes five octets, 1: the next one fails. */
static int failing;

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    if (failing == 0)
        return syscall(SYS_writev, fd, iov, n);
    failing--;
    if (failing == 1)
        return write(fd, iov->iov_base, 5);
    errno = EPIPE;
    return -1;
}

static void what_was_written_before_a_write_failed_is_lost_not_unavailable(void **state)
{
    struct rig *r = *state;
    struct answer a[2] = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(ask(r, &a[0], "INCR n"), 0);
    assert_int_equal(ask(r, &a[1], "INCR n"), 0);
    failing = 2;
    RUN_UNTIL(r, a[1].calls);
    assert_int_equal(failing, 0);
    assert_int_equal(a[0].result, ERR_LOST);
    assert_int_equal(a[1].result, ERR_UNAVAILABLE);
}

/* In the kernel, in the reader, or handed over: one turn of the loop may have read some already. */
static bool all_arrived(struct rig *r, const struct answer *a)
{
    const redisContext *ctx = r->store->conn.ctx;
    int n = 0;
    assert_int_equal(ioctl(ctx->fd, FIONREAD, &n), 0);
    size_t octets = (size_t)n + ctx->reader->len - ctx->reader->pos;
    for (int i = 0; i < MANY; i++)
        octets += a[i].calls ? VALUE : 0;
    return octets >= MANY * VALUE;
}

static void answers_that_came_while_the_loop_was_held_up_are_not_time_outs(void **state)
{
    struct rig *r = *state;
    static struct answer a[MANY];
    char set[VALUE + 8] = "SET k ";
    memset(set + 6, 'v', VALUE);
    redis_start(r, NULL);
    r->o.timeout_ms = 200;
    rig_up(r);
    answer_to(r, set);
    memset(a, 0, sizeof a);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(ask(r, &a[i], "GET k"), 0);
    event_base_loop(r->base, EVLOOP_NONBLOCK);
    for (int ms = 0; !all_arrived(r, a); ms++) {
        assert_true(ms < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    poll(NULL, 0, 500); /* the loop is held up */
    RUN_UNTIL(r, a[MANY - 1].calls);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(a[i].result, 0);
    assert_int_equal(info_of(r).timeouts, 0);
    assert_true(store_is_up(r->store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
        T(what_was_written_before_a_write_failed_is_lost_not_unavailable),
        T(answers_that_came_while_the_loop_was_held_up_are_not_time_outs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
