#include "tests/unit/pin/ring.h"

#include "base/clock.h"
#include "base/result.h"

#include <sys/wait.h>

static struct pin_keyring *ring;
static int64_t now_us;

static int64_t fake_us(void)
{
    return now_us;
}
static const struct clock_source fake_clock = {fake_us, fake_us};

static int setup(void **state)
{
    (void)state;
    ring_make_dir();
    ring = ring_of_test_key();
    return pin_random_start(ring, NULL);
}

static int teardown(void **state)
{
    (void)state;
    pin_random_stop();
    pin_keyring_free(ring);
    clock_set_source(NULL);
    ring_remove_dir();
    return 0;
}

static struct pin_random_state peek(void)
{
    struct pin_random_state st;
    pin_random_peek(&st);
    return st;
}

static bool is_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

static void the_known_answers_come_out(void **state)
{
    (void)state;
    assert_int_equal(pin_self_test(), 0);
}

static void nothing_is_drawn_before_the_start(void **state)
{
    (void)state;
    uint8_t out[8];
    pin_random_stop();
    assert_int_equal(pin_random(out, sizeof out), ERR_BADSTATE);
}

static void octets_given_out_are_wiped_from_the_block(void **state)
{
    (void)state;
    uint8_t out[100];
    assert_int_equal(peek().used, PIN_BLOCK_SIZE);
    assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().used, 100);
    assert_true(is_zero(peek().block, 100));
    assert_false(is_zero(peek().block + 100, PIN_BLOCK_SIZE - 100));
    assert_false(is_zero(out, sizeof out));
}

static void a_draw_over_the_end_of_a_block_goes_on_in_the_next(void **state)
{
    (void)state;
    static uint8_t out[3 * PIN_BLOCK_SIZE + 10];
    assert_int_equal(pin_random(out, 10), 0);
    assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().used, 20);
    for (size_t i = 0; i + 64 <= sizeof out; i += 64)
        assert_false(is_zero(out + i, 64));
    assert_memory_not_equal(out, out + PIN_BLOCK_SIZE, PIN_BLOCK_SIZE);
}

static void the_interval_reseeds_and_drops_the_block(void **state)
{
    (void)state;
    uint8_t out[16];
    now_us = INT64_C(1800000000000000);
    clock_set_source(&fake_clock);
    assert_int_equal(pin_random_start(ring, NULL), 0);
    uint64_t before = peek().reseeds;
    assert_int_equal(pin_random(out, sizeof out), 0);
    now_us += 59999000;
    assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().reseeds, before);
    assert_int_equal(peek().used, 32);
    now_us += 1000;
    assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().reseeds, before + 1);
    assert_int_equal(peek().used, 16); /* of a new block */
}

static void the_number_of_blocks_reseeds(void **state)
{
    (void)state;
    uint8_t out[PIN_BLOCK_SIZE];
    const struct pin_random_options options = {.reseed_draws = 3};
    assert_int_equal(pin_random_start(ring, &options), 0);
    uint64_t before = peek().reseeds;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().reseeds, before);
    assert_int_equal(pin_random(out, sizeof out), 0);
    assert_int_equal(peek().reseeds, before + 1);
}

/* What the child draws, and whether its copy of the block was gone, over a pipe. */
static void draw_in_child(uint8_t out[64], uint8_t *dropped)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint8_t gone = peek().used == PIN_BLOCK_SIZE && is_zero(peek().block, PIN_BLOCK_SIZE);
        uint8_t mine[64];
        bool ok = pin_random(mine, sizeof mine) == 0 && write(fd[1], &gone, 1) == 1 &&
                  write(fd[1], mine, sizeof mine) == sizeof mine;
        _exit(ok ? 0 : 1);
    }
    close(fd[1]);
    assert_int_equal(read(fd[0], dropped, 1), 1);
    assert_int_equal(read(fd[0], out, 64), 64);
    close(fd[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_forked_child_drops_the_block_and_draws_other_octets(void **state)
{
    (void)state;
    uint8_t parent[64], child[2][64], dropped[2];
    assert_int_equal(pin_random(parent, 1), 0);
    draw_in_child(child[0], &dropped[0]);
    draw_in_child(child[1], &dropped[1]);
    assert_int_equal(pin_random(parent, sizeof parent), 0);
    assert_true(dropped[0] && dropped[1]);
    assert_memory_not_equal(parent, child[0], 64);
    assert_memory_not_equal(parent, child[1], 64);
    assert_memory_not_equal(child[0], child[1], 64);
    assert_int_equal(peek().used, 65); /* the parent goes on in its own block */
}

static void two_starts_draw_different_octets(void **state)
{
    (void)state;
    uint8_t a[64], b[64];
    assert_int_equal(pin_random(a, sizeof a), 0);
    assert_int_equal(pin_random_start(ring, NULL), 0);
    assert_int_equal(pin_random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, 64);
}

static void octets_are_spread_evenly(void **state)
{
    (void)state;
    static uint8_t out[1 << 20];
    unsigned count[256] = {0};
    assert_int_equal(pin_random(out, sizeof out), 0);
    for (size_t i = 0; i < sizeof out; i++)
        count[out[i]]++;
    double expect = sizeof out / 256.0, chi = 0;
    for (unsigned i = 0; i < 256; i++)
        chi += (count[i] - expect) * (count[i] - expect) / expect;
    assert_true(chi > 150 && chi < 390); /* 255 degrees of freedom: about 5 sigma */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_known_answers_come_out),
        T(nothing_is_drawn_before_the_start),
        T(octets_given_out_are_wiped_from_the_block),
        T(a_draw_over_the_end_of_a_block_goes_on_in_the_next),
        T(the_interval_reseeds_and_drops_the_block),
        T(the_number_of_blocks_reseeds),
        T(a_forked_child_drops_the_block_and_draws_other_octets),
        T(two_starts_draw_different_octets),
        T(octets_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
