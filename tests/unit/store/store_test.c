#include "store/private.h"
#include "tests/unit/store/harness.h"

/* Commands. */

static void replies_of_every_type_are_told(void **state)
{
    struct rig *r = *state;
    redis_start(r, NULL);
    rig_up(r);
    struct answer a[6] = {0};
    const char *const commands[] = {"SET k 42", "GET k",       "GET none",
                                    "INCR n",   "RPUSH l a b", "LRANGE l 0 -1"};
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(r, &a[i], commands[i]), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(a[i].calls, 0); /* never inside the call */
    RUN_UNTIL(r, a[5].calls);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(a[i].calls, 1);
        assert_int_equal(a[i].result, 0);
    }
    assert_int_equal(a[0].type, STORE_STATUS);
    assert_int_equal(a[1].type, STORE_STRING);
    assert_int_equal(a[1].number, 42);
    assert_int_equal(a[2].type, STORE_NIL);
    assert_int_equal(a[3].number, 1);
    assert_int_equal(a[5].elements, 2);
    assert_int_equal(info_of(r).commands, 6);
    assert_int_equal(info_of(r).pending, 0);
    assert_true(info_of(r).rtt_us >= 0);
    assert_memory_equal(info_of(r).version, "7.", 2);
}

static void octets_of_any_value_and_length_pass(void **state)
{
    struct rig *r = *state;
    redis_start(r, NULL);
    rig_up(r);
    static char big[300000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    struct answer a = {0};
    assert_int_equal(store_command(r->store,
                                   (struct store_arg[]){{"SET", 3}, {"b", 1}, {big, sizeof big}}, 3,
                                   answer_cb, &a),
                     0);
    RUN_UNTIL(r, a.calls);
    assert_string_equal(answer_to(r, "STRLEN b"), "300000");
    struct store_arg too_long[] = {{"SET", 3}, {"b", 1}, {big, 1024 * 1024}};
    assert_int_equal(store_command(r->store, too_long, 3, answer_cb, &a), ERR_TOOLONG);
    assert_int_equal(store_command(r->store, NULL, 0, answer_cb, &a), ERR_INVALID);
    assert_int_equal(a.calls, 1);
}

static void an_error_reply_is_refused_with_its_text(void **state)
{
    struct rig *r = *state;
    redis_start(r, NULL);
    rig_up(r);
    struct answer a = {0};
    assert_int_equal(ask(r, &a, "INCR"), 0);
    RUN_UNTIL(r, a.calls);
    assert_int_equal(a.result, ERR_REFUSED);
    assert_int_equal(a.type, STORE_ERROR);
    assert_non_null(strstr(a.text, "wrong number of arguments"));
    assert_int_equal(info_of(r).errors, 1);
}

static void commands_before_it_is_up_are_refused_at_once(void **state)
{
    struct rig *r = *state;
    struct answer a = {0};
    rig_open(r);
    assert_int_equal(ask(r, &a, "PING"), ERR_UNAVAILABLE);
    assert_int_equal(a.calls, 0);
}

/* Scripts. */

static struct store_script echo_script = {
    .name = "echo",
    .source = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}",
};

static void value_cb(void *arg, int result, const struct store_reply *reply)
{
    struct answer *a = arg;
    answer_cb(a, result, reply);
    if (result == 0) {
        a->number = store_reply_int(store_reply_at(reply, 1));
        assert_null(store_reply_at(reply, 3));
    }
}

static int eval_echo(struct rig *r, struct answer *a, int n)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", n);
    return store_eval(r->store, &echo_script, &(struct store_arg){"{x}:count", 9}, 1,
                      &(struct store_arg){text, (size_t)len}, 1, value_cb, a);
}

static void a_script_is_loaded_by_itself_once(void **state)
{
    struct rig *r = *state;
    redis_start(r, NULL);
    rig_up(r);
    for (int i = 0; i < 3; i++) {
        struct answer a = {0};
        assert_int_equal(eval_echo(r, &a, i), 0);
        RUN_UNTIL(r, a.calls);
        assert_int_equal(a.result, 0);
        assert_int_equal(a.number, i);
    }
    assert_int_equal(strlen(echo_script.sha1), 40);
    assert_string_equal(answer_to(r, "GET {x}:count"), "3");
    assert_non_null(strstr(answer_to(r, "INFO commandstats"), "script|load:calls=1,"));
}

static void a_hundred_pipelined_scripts_survive_a_script_flush(void **state)
{
    struct rig *r = *state;
    static struct answer a[100], flush, other[100];
    memset(a, 0, sizeof a);
    memset(other, 0, sizeof other);
    redis_start(r, NULL);
    rig_up(r);
    for (int round = 1; round <= 2; round++) { /* the second forgets what was loaded */
        memset(a, 0, sizeof a);
        flush.calls = 0;
        assert_int_equal(ask(r, &flush, "SCRIPT FLUSH"), 0);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(eval_echo(r, &a[i], i), 0);
            assert_int_equal(ask(r, &other[i], "PING"), 0);
        }
        RUN_UNTIL(r, a[99].calls && info_of(r).pending == 0);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(a[i].calls, 1);
            assert_int_equal(a[i].result, 0);
            assert_int_equal(a[i].number, i);
            assert_int_equal(other[i].calls, round);
            assert_string_equal(other[i].text, "PONG");
        }
    }
    assert_string_equal(answer_to(r, "GET {x}:count"), "200");
    assert_non_null(strstr(answer_to(r, "INFO commandstats"), "script|load:calls=2,"));
}

static void a_script_that_does_not_compile_is_refused_once(void **state)
{
    static struct store_script broken = {.name = "broken", .source = "return ("};
    struct rig *r = *state;
    struct answer a = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(store_eval(r->store, &broken, NULL, 0, NULL, 0, answer_cb, &a), 0);
    RUN_UNTIL(r, a.calls);
    RUN_UNTIL(r, info_of(r).pending == 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.result, ERR_REFUSED);
    assert_true(log_has(r, "script_load_refused"));
}

/* Fates. */

static void a_late_reply_is_swallowed_and_the_next_is_not_mismatched(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer late = {0}, next = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.timeout_ms = 200;
    rig_up(r);
    p.holds = true;
    assert_int_equal(ask(r, &late, "ECHO late"), 0);
    RUN_UNTIL(r, late.calls);
    assert_int_equal(late.result, ERR_TIMEOUT);
    assert_int_equal(info_of(r).timeouts, 1);
    assert_int_equal(info_of(r).pending, 1);
    assert_int_equal(ask(r, &next, "ECHO next"), 0);
    RUN_UNTIL(r, proxy_held(&p) >= strlen("$4\r\nlate\r\n$4\r\nnext\r\n"));
    proxy_release(&p);
    RUN_UNTIL(r, next.calls);
    assert_int_equal(next.result, 0);
    assert_string_equal(next.text, "next");
    assert_int_equal(late.calls, 1);
    assert_int_equal(info_of(r).pending, 0);
    assert_int_equal(p.accepted, 1);
    proxy_stop(&p);
}

static void a_server_that_falls_silent_is_left_and_connected_again(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer a[2] = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.timeout_ms = 100;
    rig_up(r);
    p.holds = true;
    assert_int_equal(ask(r, &a[0], "ECHO one"), 0);
    RUN_UNTIL(r, a[0].calls);
    assert_int_equal(ask(r, &a[1], "ECHO two"), 0);
    RUN_UNTIL(r, !store_is_up(r->store));
    p.holds = false;
    RUN_UNTIL(r, store_is_up(r->store));
    assert_int_equal(a[0].result, ERR_TIMEOUT);
    assert_true(a[1].result == ERR_LOST || a[1].result == ERR_TIMEOUT);
    assert_int_equal(a[0].calls + a[1].calls, 2);
    assert_true(log_has(r, "no answer in twice the time-out"));
    assert_int_equal(info_of(r).reconnects, 1);
    proxy_stop(&p);
}

static void an_idle_server_that_falls_silent_is_noticed(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.timeout_ms = 100;
    rig_up(r);
    p.holds = true;
    RUN_UNTIL(r, !store_is_up(r->store));
    assert_int_equal(r->downs, 1);
    proxy_stop(&p);
}

static void a_written_command_is_lost_with_its_connection_and_may_have_run(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer a = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    rig_up(r);
    p.holds = true;
    assert_int_equal(ask(r, &a, "INCR n"), 0);
    RUN_UNTIL(r, proxy_held(&p) > 0);
    assert_int_equal(a.calls, 0);
    p.holds = false;
    proxy_cut(&p);
    RUN_UNTIL(r, a.calls);
    assert_int_equal(a.result, ERR_LOST);
    RUN_UNTIL(r, store_is_up(r->store));
    assert_string_equal(answer_to(r, "GET n"), "1");
    assert_int_equal(a.calls, 1);
    assert_int_equal(r->ups, 2);
    assert_int_equal(r->downs, 1);
    proxy_stop(&p);
}

#define MANY 64
static char filling[100000];

/* Fills the socket towards a peer that does not read: some are written, the last are not. */
static void fill(struct rig *r, struct answer a[MANY])
{
    memset(a, 0, MANY * sizeof *a);
    memset(filling, 'x', sizeof filling);
    for (int i = 0; i < MANY; i++) {
        struct store_arg argv[] = {{"SET", 3}, {"k", 1}, {filling, sizeof filling}};
        assert_int_equal(store_command(r->store, argv, 3, answer_cb, &a[i]), 0);
    }
}

/* In order of sending: first those that left, then those that did not; at least one of each. */
static void assert_split(const struct answer a[MANY], int left)
{
    int n = 0;
    while (n < MANY && a[n].result == left)
        n++;
    assert_in_range(n, 1, MANY - 1);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(a[i].calls, 1);
        assert_int_equal(a[i].result, i < n ? left : ERR_UNAVAILABLE);
    }
}

static void what_was_never_written_is_unavailable_and_not_lost(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    static struct answer a[MANY];
    redis_start(r, NULL);
    proxy_start(&p, r);
    rig_up(r);
    proxy_stop_reading(&p);
    fill(r, a);
    RUN_UNTIL(r, r->store->conn.is_full);
    assert_int_equal(a[0].calls + a[MANY - 1].calls, 0);
    proxy_cut(&p);
    RUN_UNTIL(r, a[MANY - 1].calls);
    assert_split(a, ERR_LOST);
    proxy_stop(&p);
}

static void a_command_unwritten_at_its_deadline_ends_the_connection(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    static struct answer a[MANY];
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.timeout_ms = 100;
    rig_up(r);
    proxy_stop_reading(&p);
    fill(r, a);
    RUN_UNTIL(r, a[MANY - 1].calls);
    assert_split(a, ERR_TIMEOUT);
    assert_true(log_has(r, "the server has stopped reading"));
    proxy_stop(&p);
}

static void a_script_lost_while_it_is_sent_again_is_told_once(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer a = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    rig_up(r);
    p.holds = true;
    assert_int_equal(eval_echo(r, &a, 1), 0);
    RUN_UNTIL(r, proxy_held(&p) > 0); /* NOSCRIPT */
    proxy_release(&p);
    p.holds = true;
    RUN_UNTIL(r, proxy_held(&p) > 40); /* loaded, and the script's answer */
    p.holds = false;
    proxy_cut(&p);
    RUN_UNTIL(r, a.calls);
    assert_int_equal(a.result, ERR_LOST);
    RUN_UNTIL(r, store_is_up(r->store));
    assert_string_equal(answer_to(r, "GET {x}:count"), "1");
    assert_int_equal(a.calls, 1);
    proxy_stop(&p);
}

static void the_queue_is_bounded(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer a = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.max_pending = 10;
    rig_up(r);
    p.holds = true;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(r, &a, "PING"), 0);
    assert_int_equal(ask(r, &a, "PING"), ERR_FULL);
    assert_int_equal(info_of(r).pending, 10);
    RUN_UNTIL(r, proxy_held(&p) >= 10 * strlen("+PONG\r\n"));
    proxy_release(&p);
    RUN_UNTIL(r, a.calls == 10);
    assert_int_equal(ask(r, &a, "PING"), 0);
    RUN_UNTIL(r, a.calls == 11);
    proxy_stop(&p);
}

static void the_octets_of_all_commands_are_bounded(void **state)
{
    struct rig *r = *state;
    struct answer a = {0};
    struct store_arg argv[] = {{"SET", 3}, {"k", 1}, {filling, sizeof filling}};
    int sent = 0, err;
    redis_start(r, NULL);
    r->o.timeout_ms = 60000;
    rig_up(r);
    while ((err = store_command(r->store, argv, 3, answer_cb, &a)) == 0)
        sent++;
    assert_int_equal(err, ERR_FULL);
    assert_in_range(sent, 600, 700); /* 64 MiB of 100 kB each */
    RUN_UNTIL(r, a.calls == sent);
    assert_int_equal(ask(r, &a, "PING"), 0);
    RUN_UNTIL(r, a.calls == sent + 1);
}

/* Away and back. */

static void while_away_commands_are_refused_and_then_it_is_back_by_itself(void **state)
{
    struct rig *r = *state;
    struct answer a = {0};
    redis_start(r, NULL);
    rig_up(r);
    redis_stop(r);
    RUN_UNTIL(r, !store_is_up(r->store));
    assert_int_equal(ask(r, &a, "PING"), ERR_UNAVAILABLE);
    RUN_UNTIL(r, log_has(r, "cannot connect"));
    assert_int_equal(ask(r, &a, "PING"), ERR_UNAVAILABLE);
    redis_start(r, NULL);
    RUN_UNTIL(r, store_is_up(r->store));
    assert_string_equal(answer_to(r, "PING"), "PONG");
    assert_int_equal(info_of(r).reconnects, 1);
    assert_int_equal(r->store->backoff.next_ms, 0); /* the next loss begins anew */
    assert_int_equal(a.calls, 0);
}

struct loop_back {
    struct rig *r;
    struct answer again;
    int refused;
};

static void ask_again_cb(void *arg, int result, const struct store_reply *reply)
{
    struct loop_back *l = arg;
    (void)reply;
    assert_int_equal(result, ERR_LOST);
    l->refused = ask(l->r, &l->again, "PING");
}

static void a_command_issued_from_a_lost_callback_is_refused(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct loop_back l = {.r = r};
    redis_start(r, NULL);
    proxy_start(&p, r);
    rig_up(r);
    p.holds = true;
    assert_int_equal(store_command(r->store, &(struct store_arg){"PING", 4}, 1, ask_again_cb, &l),
                     0);
    RUN_UNTIL(r, proxy_held(&p) > 0);
    proxy_cut(&p);
    RUN_UNTIL(r, l.refused);
    assert_int_equal(l.refused, ERR_UNAVAILABLE);
    assert_int_equal(l.again.calls, 0);
    proxy_stop(&p);
}

static void free_tells_every_pending_callback_once(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct answer written[5] = {0}, unwritten[5] = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    rig_up(r);
    p.holds = true;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(r, &written[i], "PING"), 0);
    RUN_UNTIL(r, proxy_held(&p) == 5 * strlen("+PONG\r\n"));
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(r, &unwritten[i], "PING"), 0);
    rig_free_store(r);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(written[i].calls, 1);
        assert_int_equal(written[i].result, ERR_LOST);
        assert_int_equal(unwritten[i].calls, 1);
        assert_int_equal(unwritten[i].result, ERR_UNAVAILABLE);
    }
    assert_int_equal(r->downs, 1);
    proxy_stop(&p);
}

static void free_cb(void *arg, int result, const struct store_reply *reply)
{
    struct rig *r = arg;
    (void)result;
    (void)reply;
    rig_free_store(r);
}

static void free_inside_a_callback_is_safe(void **state)
{
    struct rig *r = *state;
    struct answer a[3] = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(store_command(r->store, &(struct store_arg){"PING", 4}, 1, free_cb, r), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(r, &a[i], "PING"), 0);
    RUN_UNTIL(r, !r->store);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a[i].calls, 1);
        assert_int_equal(a[i].result, ERR_LOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
        T(replies_of_every_type_are_told),
        T(octets_of_any_value_and_length_pass),
        T(an_error_reply_is_refused_with_its_text),
        T(commands_before_it_is_up_are_refused_at_once),
        T(a_script_is_loaded_by_itself_once),
        T(a_hundred_pipelined_scripts_survive_a_script_flush),
        T(a_script_that_does_not_compile_is_refused_once),
        T(a_late_reply_is_swallowed_and_the_next_is_not_mismatched),
        T(a_server_that_falls_silent_is_left_and_connected_again),
        T(an_idle_server_that_falls_silent_is_noticed),
        T(a_written_command_is_lost_with_its_connection_and_may_have_run),
        T(what_was_never_written_is_unavailable_and_not_lost),
        T(a_command_unwritten_at_its_deadline_ends_the_connection),
        T(a_script_lost_while_it_is_sent_again_is_told_once),
        T(the_queue_is_bounded),
        T(the_octets_of_all_commands_are_bounded),
        T(while_away_commands_are_refused_and_then_it_is_back_by_itself),
        T(a_command_issued_from_a_lost_callback_is_refused),
        T(free_tells_every_pending_callback_once),
        T(free_inside_a_callback_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
