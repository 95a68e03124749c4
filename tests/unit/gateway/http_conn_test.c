/* Connections: order, deadlines, ends. */
#include "http_rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct http_info info_of(const struct rig *g)
{
    struct http_info info;
    http_server_info(g->server, &info);
    return info;
}

/* Turns the loop for so long, whatever comes. */
static void pass_ms(struct rig *g, int64_t ms)
{
    struct mono end = mono_add_ms(mono_now(), ms);
    static const struct timeval slice = {0, 5000};
    while (!mono_is_past(end, mono_now())) {
        event_base_loopexit(g->base, &slice);
        event_base_dispatch(g->base);
    }
}

#define SET_DEADLINE(g, member) rig_set_deadline(g, offsetof(struct http_limits, member))

/* --- one after the other
 * --------------------------------------------------------------------------
 */

static void pipelined_requests_are_handed_over_one_at_a_time_and_answered_in_order(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    g->hold = true;
    client_say(g, c, GET("/1") GET("/2") GET("/3"));
    assert_int_equal(g->n_handed, 1);
    for (size_t n = 1; n <= 3; n++) {
        char path[8];
        snprintf(path, sizeof path, "/%zu", n);
        assert_int_equal(g->n_held, 1);
        assert_string_equal(http_request_path(g->held[0]), path);
        rig_release(g);
        client_say(g, c, "");
        assert_int_equal(g->n_handed, n < 3 ? n + 1 : 3);
    }
    assert_string_equal(client_outcome(c), "200 200 200");
    assert_true(strstr(c->got, "/1?") < strstr(c->got, "/2?"));
    assert_true(strstr(c->got, "/2?") < strstr(c->got, "/3?"));
    client_free(g, c);
}

static void what_is_pipelined_without_end_waits_in_the_kernel(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    g->hold = true;
    size_t sent = 0;
    while (!c->is_closed) {
        client_send(c, GET("/"), strlen(GET("/")));
        rig_turn(g);
        sent += strlen(GET("/"));
    }
    assert_int_equal(errno, EAGAIN); /* the socket is full: nobody reads */
    assert_true(sent < 1 << 20);
    assert_int_equal(g->n_handed, 1);
    rig_release(g);
    rig_turn(g);
    assert_int_equal(g->n_handed, 2);
    client_free(g, c);
}

static void an_answer_after_the_connection_is_gone_is_dropped(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    g->hold = true;
    client_say(g, c, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    client_free(g, c);
    size_t len;
    assert_string_equal(http_request_path(g->held[0]), "/x");
    assert_memory_equal(http_request_body(g->held[0], &len), "abc", 3);
    assert_string_equal(http_request_peer(g->held[0]), "192.0.2.1");
    rig_release(g);
    rig_turn(g);
    assert_int_equal(info_of(g).connections, 0);
}

static void a_reset_is_noticed_while_the_handler_works(void **state)
{
    static const char post[] =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    struct rig *g = *state;
    struct client *c = client_new(g);
    g->hold = true;
    client_send(c, post, sizeof post - 1);
    rig_turn(g);
    client_send(c, "x", 1);
    rig_turn(g);
    assert_int_equal(g->n_held, 1);
    client_free(g, c); /* with "100 Continue" unread: that makes it a reset */
    assert_int_equal(info_of(g).connections, 0);
    rig_release(g);
}

static void a_half_closed_client_gets_all_its_answers(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    g->hold = true;
    client_send(c, GET("/1") GET("/2"), strlen(GET("/1") GET("/2")));
    shutdown(c->fd, SHUT_WR);
    rig_turn(g);
    rig_release(g);
    client_say(g, c, "");
    assert_string_equal(client_outcome(c), "200");
    rig_release(g);
    rig_turn(g);
    client_read(c);
    assert_string_equal(client_outcome(c), "200 200 close");
    assert_int_equal(info_of(g).connections, 0);
    client_free(g, c);
}

static void one_that_ends_in_the_middle_of_a_request_gets_nothing(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    client_say(g, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    shutdown(c->fd, SHUT_WR);
    client_say(g, c, "");
    rig_turn(g);
    client_read(c);
    assert_string_equal(client_outcome(c), "close");
    assert_int_equal(g->n_handed, 0);
    client_free(g, c);
}

/* --- deadlines
 * ------------------------------------------------------------------------------------
 */

/* Sends an octet now and then until it is refused. */
static void drip(struct rig *g, const char *begin, const char *outcome)
{
    SET_DEADLINE(g, request_timeout_s);
    struct client *c = client_new(g);
    struct mono start = mono_now();
    client_say(g, c, begin);
    while (!c->is_closed && mono_diff_ms(mono_now(), start) < 5000) {
        pass_ms(g, 50);
        client_read(c);
        if (!c->is_closed)
            client_send(c, "x", 1);
    }
    assert_string_equal(client_outcome(c), outcome);
    assert_in_range(mono_diff_ms(mono_now(), start), 900, 3000);
    client_free(g, c);
    assert_int_equal(info_of(g).connections, 0);
}

static void a_head_that_drips_is_ended_by_the_total_deadline(void **state)
{
    drip(*state, "GET / HTTP/1.1\r\nA: ", "408 close");
    assert_int_equal(info_of(*state).timeouts, 1);
}

static void a_body_that_drips_is_ended_by_the_total_deadline(void **state)
{
    drip(*state, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", "408 close");
}

static void a_silent_connection_is_closed_without_a_word(void **state)
{
    struct rig *g = *state;
    SET_DEADLINE(g, idle_timeout_s);
    struct client *c = client_new(g);
    pass_ms(g, 600);
    client_say(g, c, GET("/")); /* the time begins anew */
    pass_ms(g, 600);
    client_read(c);
    assert_string_equal(client_outcome(c), "200");
    client_wait_closed(g, c);
    assert_string_equal(client_outcome(c), "200 close");
    client_free(g, c);
}

static void a_handler_may_take_longer_than_any_deadline(void **state)
{
    struct rig *g = *state;
    SET_DEADLINE(g, request_timeout_s);
    struct client *c = client_new(g);
    g->hold = true;
    client_say(g, c, GET("/"));
    pass_ms(g, 1300);
    rig_release(g);
    client_say(g, c, "");
    assert_string_equal(client_outcome(c), "200");
    client_free(g, c);
}

static void answer_big(struct rig *g, size_t len)
{
    g->big = malloc(len);
    g->big_len = len;
    assert_non_null(g->big);
    memset(g->big, 'x', len);
}

static void a_client_that_does_not_read_its_answer_is_closed(void **state)
{
    struct rig *g = *state;
    SET_DEADLINE(g, write_timeout_s);
    struct client *c = client_new(g);
    answer_big(g, 8 << 20);
    client_send(c, GET("/"), strlen(GET("/")));
    pass_ms(g, 500);
    assert_int_equal(info_of(g).connections, 1);
    struct mono start = mono_now();
    while (info_of(g).connections && mono_diff_ms(mono_now(), start) < 4000)
        pass_ms(g, 20);
    assert_int_equal(info_of(g).connections, 0);
    assert_int_equal(info_of(g).timeouts, 1);
    client_free(g, c);
}

static void what_clients_leave_unread_is_bounded_over_all_connections(void **state)
{
    struct rig *g = *state;
    struct client *slow = client_new(g), *c = client_new(g);
    answer_big(g, 40 << 20);
    client_send(slow, GET("/"), strlen(GET("/")));
    rig_turn(g);
    client_say(g, c, GET("/"));
    assert_string_equal(client_outcome(c), "503");
    assert_non_null(strstr(c->got, "Retry-After: "));
    assert_int_equal(info_of(g).limits_hit, 1);
    g->big_len = 100;
    client_say(g, c, GET("/"));
    assert_string_equal(client_outcome(c), "503 200");
    client_free(g, slow);
    g->big_len = 40 << 20;
    client_say(g, c, GET("/"));
    assert_string_equal(client_outcome(c), "503 200 200");
    client_free(g, c);
}

static void a_big_answer_comes_whole_and_the_next_request_is_taken(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    answer_big(g, 900000);
    client_send(c, GET("/1") GET("/2"), strlen(GET("/1") GET("/2")));
    for (int i = 0; i < 200 && c->len < 900000; i++)
        client_say(g, c, "");
    assert_true(c->len > 900000);
    c->len = 0;
    for (int i = 0; i < 200 && c->len < 900000; i++)
        client_say(g, c, "");
    assert_int_equal(g->n_handed, 2);
    client_free(g, c);
}

/* --- heads of answers
 * -----------------------------------------------------------------------------
 */

static void an_answer_has_its_headers_and_the_id_of_its_request(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    char id[64];
    g->hold = true;
    client_say(g, c, GET("/"));
    snprintf(id, sizeof id, "X-Request-Id: %s\r\n", http_request_id(g->held[0]));
    assert_int_equal(strlen(http_request_id(g->held[0])), 16);
    rig_release(g);
    client_say(g, c, "");
    assert_non_null(strstr(c->got, id));
    assert_non_null(strstr(c->got, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(c->got, "Content-Length: 11\r\n"));
    assert_non_null(strstr(c->got, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(c->got, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(c->got, " GMT\r\n"));
    assert_null(strstr(c->got, "Connection:"));
    assert_non_null(strstr(c->got, "\r\n\r\nGET /? - []"));
    client_free(g, c);
}

static void head_gets_the_head_of_it(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/2"));
    assert_string_equal(client_outcome(c), "200 200");
    assert_non_null(strstr(c->got, "Content-Length: 12\r\n"));
    assert_null(strstr(c->got, "HEAD /"));
    client_free(*state, c);
    c = client_new(*state);
    client_say(*state, c, "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n");
    assert_string_equal(client_outcome(c), "413 close");
    assert_null(strstr(c->got, "requestError"));
    client_free(*state, c);
}

static void whether_the_connection_stays_is_said_where_it_must_be(void **state)
{
    static const struct {
        const char *raw, *want;
    } cases[] = {
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "Connection: close\r\n"},
        {"GET / HTTP/1.1\r\n\r\n", "Connection: close\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *c = client_new(*state);
        client_say(*state, c, cases[i].raw);
        assert_non_null(strstr(c->got, cases[i].want));
        client_free(*state, c);
    }
}

static void a_refusal_is_told_in_the_envelope(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, "GET / HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(c->got, "\r\n\r\n{\"requestError\":{\"serviceException\":{\"messageId\":"
                                   "\"BAD_REQUEST\",\"text\":\"no Host header\"}}}"));
    assert_non_null(strstr(c->got, "X-Request-Id: "));
    client_free(*state, c);
}

/* --- 100-continue
 * ---------------------------------------------------------------------------------
 */

#define EXPECTING(n)                                                                               \
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " n "\r\n\r\n"

static void a_client_that_waits_is_told_to_go_on_once(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, EXPECTING("2"));
    assert_string_equal(client_outcome(c), "100");
    client_say(*state, c, "a");
    client_say(*state, c, "b");
    assert_string_equal(client_outcome(c), "100 200");
    client_say(*state, c, GET("/"));
    assert_string_equal(client_outcome(c), "100 200 200");
    client_free(*state, c);
}

static void one_that_does_not_wait_is_just_answered(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, EXPECTING("2") "a");
    assert_string_equal(client_outcome(c), "");
    client_say(*state, c, "b");
    assert_string_equal(client_outcome(c), "200");
    client_free(*state, c);
}

static void a_body_too_long_is_refused_instead_of_asked_for(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, EXPECTING("2049"));
    assert_string_equal(client_outcome(c), "413 close");
    client_free(*state, c);
}

/* --- ends
 * -----------------------------------------------------------------------------------------
 */

static void a_client_that_still_sends_can_read_why_it_was_refused(void **state)
{
    static char body[65536];
    struct rig *g = *state;
    struct client *c = client_new(g);
    client_send(c, EXPECTING("1000000"), strlen(EXPECTING("1000000")));
    for (int i = 0; i < 15; i++) {
        client_send(c, body, sizeof body);
        assert_false(c->is_closed);
        rig_turn(g);
    }
    client_read(c);
    assert_string_equal(client_outcome(c), "413 close");
    assert_int_equal(info_of(g).connections, 1); /* until the client closes */
    client_free(g, c);
    assert_int_equal(info_of(g).connections, 0);
}

static void one_that_sends_on_and_on_is_cut(void **state)
{
    static char body[65536];
    struct rig *g = *state;
    struct client *c = client_new(g);
    client_send(c, EXPECTING("9000000"), strlen(EXPECTING("9000000")));
    for (int i = 0; i < 100 && info_of(g).connections; i++) {
        client_send(c, body, sizeof body);
        rig_turn(g);
    }
    assert_int_equal(info_of(g).connections, 0);
    assert_int_equal(info_of(g).limits_hit, 2);
    client_free(g, c);
}

static void one_that_never_closes_is_closed(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g);
    client_say(g, c, "GET / HTTP/1.0\r\n\r\n");
    assert_string_equal(client_outcome(c), "200 close");
    struct mono start = mono_now();
    while (info_of(g).connections && mono_diff_ms(mono_now(), start) < 5000)
        pass_ms(g, 20);
    assert_int_equal(info_of(g).connections, 0);
    client_free(g, c);
}

static void further_connections_than_there_may_be_are_closed_and_counted(void **state)
{
    struct rig *g = *state;
    struct client *c[10];
    log_set_level(LOG_LV_ERROR);
    for (int i = 0; i < 10; i++)
        c[i] = client_new(g);
    rig_turn(g);
    for (int i = 0; i < 10; i++) {
        client_read(c[i]);
        assert_int_equal(c[i]->is_closed, i >= 8);
    }
    assert_int_equal(info_of(g).connections, 8);
    assert_int_equal(info_of(g).accepted, 8);
    assert_int_equal(info_of(g).limits_hit, 2);
    for (int i = 0; i < 10; i++)
        client_free(g, c[i]);
    assert_int_equal(info_of(g).connections, 0);
}

static void drain_closes_idle_ones_and_the_others_after_their_answer(void **state)
{
    struct rig *g = *state;
    struct client *idle = client_new(g), *reading = client_new(g), *working = client_new(g);
    g->hold = true;
    client_say(g, working, GET("/w") GET("/never"));
    client_say(g, reading, "GET /r HTTP/1.1\r\n");
    http_server_drain(g->server);
    client_say(g, idle, "");
    client_say(g, working, "");
    assert_string_equal(client_outcome(idle), "close");
    assert_string_equal(client_outcome(working), "");
    rig_release(g);
    client_say(g, working, "");
    assert_string_equal(client_outcome(working), "200 close");
    assert_non_null(strstr(working->got, "Connection: close\r\n"));
    client_say(g, reading, "Host: a\r\n\r\n");
    rig_release(g);
    client_say(g, reading, "");
    assert_string_equal(client_outcome(reading), "200 close");
    struct client *late = client_new(g);
    client_say(g, late, "");
    assert_true(late->is_closed);
    client_free(g, idle);
    client_free(g, reading);
    client_free(g, working);
    client_free(g, late);
    assert_int_equal(info_of(g).connections, 0);
}

static void a_server_is_freed_with_requests_open_and_answers_unwritten(void **state)
{
    struct rig *g = *state;
    struct client *c = client_new(g), *d = client_new(g), *e = client_new(g);
    g->hold = true;
    client_say(g, c, GET("/c"));
    client_say(g, d, GET("/d"));
    client_say(g, e, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    rig_release(g); /* not written before the end of a turn */
    http_server_free(g->server);
    g->server = NULL;
    client_read(c);
    assert_string_equal(client_outcome(c), "200 close");
    rig_release(g);
    client_free(g, c);
    client_free(g, d);
    client_free(g, e);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipelined_requests_are_handed_over_one_at_a_time_and_answered_in_order),
        TEST(what_is_pipelined_without_end_waits_in_the_kernel),
        TEST(an_answer_after_the_connection_is_gone_is_dropped),
        TEST(a_reset_is_noticed_while_the_handler_works),
        TEST(a_half_closed_client_gets_all_its_answers),
        TEST(one_that_ends_in_the_middle_of_a_request_gets_nothing),
        TEST(a_head_that_drips_is_ended_by_the_total_deadline),
        TEST(a_body_that_drips_is_ended_by_the_total_deadline),
        TEST(a_silent_connection_is_closed_without_a_word),
        TEST(a_handler_may_take_longer_than_any_deadline),
        TEST(a_client_that_does_not_read_its_answer_is_closed),
        TEST(what_clients_leave_unread_is_bounded_over_all_connections),
        TEST(a_big_answer_comes_whole_and_the_next_request_is_taken),
        TEST(an_answer_has_its_headers_and_the_id_of_its_request),
        TEST(head_gets_the_head_of_it),
        TEST(whether_the_connection_stays_is_said_where_it_must_be),
        TEST(a_refusal_is_told_in_the_envelope),
        TEST(a_client_that_waits_is_told_to_go_on_once),
        TEST(one_that_does_not_wait_is_just_answered),
        TEST(a_body_too_long_is_refused_instead_of_asked_for),
        TEST(a_client_that_still_sends_can_read_why_it_was_refused),
        TEST(one_that_sends_on_and_on_is_cut),
        TEST(one_that_never_closes_is_closed),
        TEST(further_connections_than_there_may_be_are_closed_and_counted),
        TEST(drain_closes_idle_ones_and_the_others_after_their_answer),
        TEST(a_server_is_freed_with_requests_open_and_answers_unwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
