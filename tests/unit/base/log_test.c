#include "base/log.h"

#include "base/clock.h"
#include "base/result.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int fds[2];
static char seen[8192];

static int64_t fixed_us(void)
{
    return INT64_C(1795867200123000);
}

static const struct clock_source fixed = {fixed_us, fixed_us};

/* What was written since the last call, as one string. */
static const char *lines(void)
{
    ssize_t n = read(fds[0], seen, sizeof seen - 1);
    seen[n > 0 ? n : 0] = 0;
    return seen;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    log_set_fd(fds[1]);
    log_set_level(LOG_LV_INFO);
    clock_set_source(&fixed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_set_fd(STDERR_FILENO);
    log_set_level(LOG_LV_INFO);
    clock_set_source(NULL);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static int64_t moving_us_now;

static int64_t moving_us(void)
{
    return moving_us_now;
}

static void each_line_has_the_time_of_its_own(void **state)
{
    static const struct clock_source moving = {moving_us, moving_us};
    (void)state;
    clock_set_source(&moving);
    moving_us_now = fixed_us() - 1000; /* .122 */
    LOG(LOG_LV_INFO, NULL, "a");
    moving_us_now += 1000;
    LOG(LOG_LV_INFO, NULL, "within_the_second");
    moving_us_now += 884000;
    LOG(LOG_LV_INFO, NULL, "b");
    moving_us_now -= 1000000; /* set back over the second */
    LOG(LOG_LV_INFO, NULL, "c");
    moving_us_now += 60001000;
    LOG(LOG_LV_INFO, NULL, "d");
    assert_string_equal(lines(), "2026-11-28T12:00:00.122Z info event=a\n"
                                 "2026-11-28T12:00:00.123Z info event=within_the_second\n"
                                 "2026-11-28T12:00:01.007Z info event=b\n"
                                 "2026-11-28T12:00:00.007Z info event=c\n"
                                 "2026-11-28T12:01:00.008Z info event=d\n");
}

static void a_line_has_time_level_id_and_event_before_its_pairs(void **state)
{
    (void)state;
    LOG(LOG_LV_INFO, "acme/0", "bind_state", KV_S("from", "BINDING"), KV_I("n", -5),
        KV_HEX("status", 0x58));
    assert_string_equal(lines(), "2026-11-28T12:00:00.123Z info id=acme/0 event=bind_state "
                                 "from=BINDING n=-5 status=0x00000058\n");
}

static void a_line_without_an_id_or_pairs_is_whole(void **state)
{
    (void)state;
    LOG(LOG_LV_ERROR, NULL, "ready");
    assert_string_equal(lines(), "2026-11-28T12:00:00.123Z error event=ready\n");
}

static void a_level_below_the_threshold_writes_nothing(void **state)
{
    (void)state;
    LOG(LOG_LV_DEBUG, NULL, "quiet");
    assert_string_equal(lines(), "");
    log_set_level(LOG_LV_DEBUG);
    LOG(LOG_LV_DEBUG, NULL, "loud");
    assert_non_null(strstr(lines(), "debug event=loud\n"));
    log_set_level(LOG_LV_ERROR);
    LOG(LOG_LV_WARN, NULL, "quiet");
    assert_string_equal(lines(), "");
}

static void levels_are_parsed_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    enum log_level level;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(log_level_parse(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("INFO", &level), ERR_INVALID);
    assert_int_equal(log_level_parse("", &level), ERR_INVALID);
}

static void a_peer_cannot_forge_a_line_or_a_pair(void **state)
{
    (void)state;
    LOG(LOG_LV_INFO, "x\nid=y", "e", KV_S("reason", "a\nb level=error c=\"d\" \\ \x01\xff"));
    assert_string_equal(strstr(lines(), " info"),
                        " info id=\"x\\x0aid=y\" event=e "
                        "reason=\"a\\x0ab level=error c=\\\"d\\\" \\\\ \\x01\\xff\"\n");
}

static void each_odd_character_alone_brings_quotes(void **state)
{
    (void)state;
    LOG(LOG_LV_INFO, NULL, "e", KV_S("a", "x=y"), KV_S("b", "x y"), KV_S("c", "x\"y"),
        KV_S("d", "x\\y"), KV_S("e", "x\x7fy"), KV_S("f", "x~y"));
    assert_non_null(strstr(lines(), "a=\"x=y\" b=\"x y\" c=\"x\\\"y\" d=\"x\\\\y\" "
                                    "e=\"x\\x7fy\" f=x~y\n"));
}

static void empty_and_missing_values_can_be_told_apart(void **state)
{
    (void)state;
    LOG(LOG_LV_INFO, NULL, "e", KV_S("a", ""), KV_S("b", NULL), KV_SN("c", "xyz", 2));
    assert_non_null(strstr(lines(), "a=\"\" b=- c=xy\n"));
}

static void a_long_value_is_cut_at_256_octets(void **state)
{
    (void)state;
    char big[1000];
    memset(big, 'x', sizeof big);
    LOG(LOG_LV_INFO, NULL, "e", KV_SN("v", big, sizeof big), KV_I("after", 1));
    const char *s = lines();
    size_t shown = strspn(strchr(s, 'x'), "x");
    assert_int_equal(shown, 256);
    assert_non_null(strstr(s, "after=1\n"));
}

static void pairs_that_do_not_fit_are_left_out_and_the_line_stays_whole(void **state)
{
    (void)state;
    char quoted[256];
    memset(quoted, '\n', sizeof quoted); /* four characters each */
    const struct log_kv q = KV_SN("v", quoted, sizeof quoted);
    LOG(LOG_LV_INFO, NULL, "e", q, q, q, q, KV_I("last", 1));
    const char *s = lines();
    assert_int_equal(s[strlen(s) - 1], '\n');
    assert_ptr_equal(strchr(s, '\n'), s + strlen(s) - 1);
    assert_null(strstr(s, "last"));
    assert_int_equal(s[strlen(s) - 2], '"');
}

static void what_a_key_calls_secret_is_never_written(void **state)
{
    (void)state;
    LOG(LOG_LV_INFO, NULL, "e", KV_S("password", "hunter2"), KV_S("PIN", "hunter2"),
        KV_S("Text", "hunter2"), KV_SN("key", "hunter2", 7), KV_I("secret", 4711),
        KV_S("nonce", "hunter2"), KV_S("tag", "hunter2"), KV_S("short_message", "hunter2"),
        KV_S("placeholder", "hunter2"), KV_S("auth", "hunter2"));
    const char *s = lines();
    assert_null(strstr(s, "hunter2"));
    assert_null(strstr(s, "4711"));
    assert_non_null(strstr(s, "password=[redacted] PIN=[redacted] Text=[redacted] key=[redacted]"));
}

static void numbers_of_persons_are_masked(void **state)
{
    (void)state;
    struct msisdn m;
    assert_int_equal(msisdn_parse("385911234567", 12, &m), 0);
    LOG(LOG_LV_INFO, NULL, "e", KV_MSISDN("to", &m));
    assert_non_null(strstr(lines(), "to=+38591*****67\n"));
}

static void a_line_that_cannot_be_written_is_counted_not_waited_for(void **state)
{
    (void)state;
    char fill[4096] = {0};
    while (write(fds[1], fill, sizeof fill) > 0)
        ;
    uint64_t before = log_lost();
    LOG(LOG_LV_INFO, NULL, "e");
    assert_int_equal(log_lost(), before + 1);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void a_full_pipe_that_blocks_is_not_waited_for(void **state)
{
    int full[2];
    char octets[4096] = {0};
    (void)state;
    assert_int_equal(pipe2(full, 0), 0);
    assert_int_equal(fcntl(full[1], F_SETFL, O_NONBLOCK), 0);
    while (write(full[1], octets, sizeof octets) > 0)
        ;
    assert_int_equal(fcntl(full[1], F_SETFL, 0), 0);
    uint64_t before = log_lost();
    log_set_fd(full[1]);
    alarm(10); /* ends the test if it waits */
    LOG(LOG_LV_INFO, NULL, "a");
    assert_int_equal(log_lost(), before + 1);
    assert_int_equal(read(full[0], octets, sizeof octets), sizeof octets);
    LOG(LOG_LV_INFO, NULL, "b");
    alarm(0);
    assert_int_equal(log_lost(), before + 1);
    close(full[0]);
    close(full[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_line_has_time_level_id_and_event_before_its_pairs),
        T(each_line_has_the_time_of_its_own),
        T(a_line_without_an_id_or_pairs_is_whole),
        T(a_level_below_the_threshold_writes_nothing),
        T(levels_are_parsed_by_name),
        T(a_peer_cannot_forge_a_line_or_a_pair),
        T(each_odd_character_alone_brings_quotes),
        T(empty_and_missing_values_can_be_told_apart),
        T(a_long_value_is_cut_at_256_octets),
        T(pairs_that_do_not_fit_are_left_out_and_the_line_stays_whole),
        T(what_a_key_calls_secret_is_never_written),
        T(numbers_of_persons_are_masked),
        T(a_line_that_cannot_be_written_is_counted_not_waited_for),
        T(a_full_pipe_that_blocks_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
