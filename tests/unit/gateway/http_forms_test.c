/* Raw requests, and what comes of each: whole, and cut at every octet. */
#include "http_rig.h"

#define H       "Host: a\r\n"
#define X10     "xxxxxxxxxx"
#define X100    X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000   X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

struct form {
    const char *raw;
    const char *outcome; /* client_outcome() */
    const char *seen;    /* by the handler, of the last request; NULL: nothing */
};

static const struct form good[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", "200", "GET /? - []"},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", "200", "GET /? - []"},
    {"GET /a/b%2Fc?d=e&f HTTP/1.1\r\nhost:a:80\r\n\r\n", "200", "GET /a/b%2Fc?d=e&f - []"},
    {"GET /? HTTP/1.1\r\n" H "\r\n", "200", "GET /? - []"},
    {"GET http://a:8080/x?y HTTP/1.1\r\n" H "\r\n", "200", "GET /x?y - []"},
    {"GET http://a HTTP/1.1\r\n" H "\r\n", "200", "GET /? - []"},
    {"GET https://a?q HTTP/1.1\r\n" H "\r\n", "200", "GET /?q - []"},
    {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "200", "GET /? - []"},
    {"GET / HTTP/1.1\r\nHost: my_service.local:1\r\n\r\n", "200", "GET /? - []"},
    {"GET / HTTP/1.1\r\n" H "Authorization: App k\t \r\nE:\r\n\r\n", "200", "GET /? App k []"},
    {"GET / HTTP/1.1\r\n" H "Authorization:\r\n\r\n", "200", "GET /?  []"},
    {"HEAD / HTTP/1.1\r\n" H "\r\n", "200", "HEAD /? - []"},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "200", "OPTIONS *? - []"},
    {"PATCH /x HTTP/1.1\r\n" H "\r\n", "200", "other /x? - []"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "200", "POST /? - [hello]"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "200", "PUT /? - []"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 005 \r\n\r\nhello", "200", "POST /? - [hello]"},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab", "200", "GET /? - [ab]"},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "200", "POST /? - [hello]"},
    {CHUNKED "00a;x=\"y\"\r\n0123456789\r\n1\r\n!\r\n000\r\n\r\n", "200",
     "POST /? - [0123456789!]"},
    {CHUNKED "0\r\n\r\n", "200", "POST /? - []"},
    {"POST / HTTP/1.1\r\n" H "transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "200",
     "POST /? - [a]"},
    {"GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\n", "200 200", "GET /2? - []"},
    {CHUNKED "1\r\na\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n", "200 200", "GET /2? - []"},
    {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200 close", "GET /? - []"},
    {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "200 close",
     "GET /? - []"},
    {"GET / HTTP/1.0\r\n\r\n", "200 close", "GET /? - []"}, /* HAProxy's check */
    {"GET / HTTP/1.0\r\n" H "Connection: Keep-Alive\r\n\r\n", "200", "GET /? - []"}, /* ab -k */
    {"GET / HTTP/1.0\r\n" H "Connection: keep-alive, close\r\n\r\n", "200 close", "GET /? - []"},
    {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", "200 close",
     "GET /? - []"},
    {"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "200 close", "GET /? - []"},
    /* Java's HttpClient */
    {"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 2\r\n" H
     "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
     "User-Agent: Java-http-client/17\r\n\r\n{}",
     "200", "POST /? - [{}]"},
    {"POST / HTTP/1.1\r\nConnection: Upgrade\r\n" H "Upgrade: h2c\r\n"
     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
     "200 200", "GET /2? - []"},
    {"GET /2fa HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"
     "GET /2 HTTP/1.1\r\n" H "\r\n",
     "200 200", "GET /2? - []"},
    {"POST /pin/?ncNeeded=undefined HTTP/1.1\r\n" /* axios */
     "Accept: application/json, text/plain, */*\r\nContent-Type: application/json\r\n"
     "User-Agent: axios/0.27.2\r\n" H "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
     "200 close", "POST /pin/?ncNeeded=undefined - [{}]"},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\r\n\r\n", "200", "GET /? - []"},
    /* waiting */
    {"", "", NULL},
    {"\r\n", "", NULL},
    {"GET / HTTP/1.1\r\n" H "\r", "", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhell", "", NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\r", "", NULL},
};

/* Each is refused before the handler, and the connection ends. */
static const struct form refused[] = {
    /* the end of lines */
    {"GET / HTTP/1.1\n" H "\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n", "400 close", NULL},
    {"\nGET / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"\rGET / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    /* header lines */
    {"GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n " H "\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A\t: a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A(: a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A\xe9: a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "nothing\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "Authorization: App a\r\nauthorization: App a\r\n\r\n", "400 close",
     NULL},
    {"GET / HTTP/1.1\r\n" H "Content-Type: a\r\nContent-Type: a\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H "Content-Encoding: a\r\nContent-Encoding: a\r\n\r\n", "400 close",
     NULL},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nA: b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\n" H H "\r\n", "400 close", NULL},
    {"GET / HTTP/1.0\r\n" H H "\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 close", NULL},
    {"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400 close", NULL},
    /* the request line */
    {"GET\r\n\r\n", "400 close", NULL},
    {"GET /\r\n\r\n", "505 close", NULL},
    {"GET / HTTP/2.0\r\n" H "\r\n", "505 close", NULL},
    {"GET / HTTP/1.2\r\n" H "\r\n", "505 close", NULL},
    {"GET / HTTP/0.9\r\n\r\n", "505 close", NULL},
    {"GET / HTTP/1.10\r\n" H "\r\n", "400 close", NULL},
    {"GET / http/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET / HTTP/1.1 \r\n" H "\r\n", "400 close", NULL},
    {"GET a HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET * HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET /a\tb HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET /#a HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET http://u@a/ HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET ftp://a/ HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"CONNECT a:80 HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"BREW / HTTP/1.1\r\n" H "\r\n", "501 close", NULL},
    {"get / HTTP/1.1\r\n" H "\r\n", "501 close", NULL},
    {"GET  / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET /  HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"GET / \tHTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"SOURCE / ICE/1.0\r\n" H "\r\n", "400 close", NULL},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 close", NULL}, /* HTTP/2, unasked */
    {"G:T / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {" GET / HTTP/1.1\r\n" H "\r\n", "400 close", NULL},
    {"\x16\x03\x01\x02", "400 close", NULL}, /* TLS */
    /* lengths */
    {"POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3 3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\nContent-Length: 3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400 close",
     NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400 close",
     NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\nabc", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 2049\r\n\r\n", "413 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
     "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
     "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length:\r\n\r\nabc",
     "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "400 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "501 close", NULL},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 close", NULL},
    /* chunks */
    {CHUNKED "5\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhelloXX0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhelloX\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhello\r\n0\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\n", "400 close", NULL},
    {CHUNKED "5\rXhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\r\nhello\r\n0\r\n\rX", "400 close", NULL},
    {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "+5\r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "-1\r\n", "400 close", NULL},
    {CHUNKED " 5\r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "\r\nhello", "400 close", NULL},
    {CHUNKED ";a\r\n", "400 close", NULL},
    {CHUNKED "5g\r\n", "400 close", NULL},
    {CHUNKED "5;a\nb\r\n", "400 close", NULL},
    {CHUNKED "5 \r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5 6\r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5\t6;a\r\nhello\r\n0\r\n\r\n", "400 close", NULL},
    {CHUNKED "5;" X100 X100 "\r\n", "400 close", NULL},
    {CHUNKED "0\r\nA: b\r\n\r\n", "400 close", NULL},
    {CHUNKED "801\r\n", "413 close", NULL},
    {CHUNKED "FFFFFFFFFFFFFFFFF\r\n", "413 close", NULL},
    {CHUNKED "400\r\n" X1000 X10 X10 "abcd\r\n401\r\n", "413 close", NULL},
    /* other */
    {"GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", "417 close", NULL},
    {"GET / HTTP/1.1\r\n" H "Expect:\r\n\r\n", "417 close", NULL},
    {"GET / HTTP/1.1\r\n" H "A: " X1000 "\r\n\r\n", "431 close", NULL},
    {X1000 X100, "431 close", NULL},
};

static void check_form(struct rig *g, const struct form *f, size_t cut)
{
    struct client *c = client_new(g);
    size_t len = strlen(f->raw);
    g->seen[0] = 0;
    client_send(c, f->raw, cut);
    rig_turn(g);
    client_send(c, f->raw + cut, len - cut);
    c->is_closed = false; /* refused before the rest was sent: the answer is there all the same */
    rig_turn(g);
    client_read(c);
    if (strcmp(client_outcome(c), f->outcome) != 0 || strcmp(g->seen, f->seen ? f->seen : "") != 0)
        fail_msg("cut at %zu of: %s\n-> %s, seen: %s", cut, f->raw, client_outcome(c), g->seen);
    client_free(g, c);
}

static void check_all(struct rig *g, const struct form *forms, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t cut = 0; cut <= strlen(forms[i].raw) && cut < 400; cut++)
            check_form(g, &forms[i], cut);
}

static void what_real_clients_send_is_taken_whole_and_in_pieces(void **state)
{
    check_all(*state, good, sizeof good / sizeof *good);
}

static void what_two_readers_could_read_differently_is_refused_whole_and_in_pieces(void **state)
{
    check_all(*state, refused, sizeof refused / sizeof *refused);
    struct http_info info;
    http_server_info(((struct rig *)*state)->server, &info);
    assert_int_equal(info.connections, 0);
    assert_int_equal(info.requests, 0);
    assert_true(info.malformed > 0 && info.limits_hit > 0);
}

static void a_nul_in_the_head_is_refused(void **state)
{
    static const char raw[] = "GET / HTTP/1.1\r\n" H "A: \0\r\n\r\n";
    struct client *c = client_new(*state);
    client_send(c, raw, sizeof raw - 1);
    rig_turn(*state);
    client_read(c);
    assert_string_equal(client_outcome(c), "400 close");
    client_free(*state, c);
}

static void one_octet_at_a_time_gives_the_same(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct client *c = client_new(*state);
        for (const char *p = good[i].raw; *p; p++) {
            client_send(c, p, 1);
            event_base_loop(((struct rig *)*state)->base, EVLOOP_NONBLOCK);
        }
        c->is_closed = false; /* of the requests behind a closing one */
        client_say(*state, c, "");
        assert_string_equal(client_outcome(c), good[i].outcome);
        client_free(*state, c);
    }
}

static void a_head_of_just_the_limit_is_taken_and_one_more_is_not(void **state)
{
    for (size_t n = 1023; n <= 1025; n++) {
        char raw[2048];
        struct client *c = client_new(*state);
        int at = snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\n" H "A: ");
        memset(raw + at, 'x', n - 4 - (size_t)at);
        memcpy(raw + n - 4, "\r\n\r\n", 5);
        client_say(*state, c, raw);
        assert_string_equal(client_outcome(c), n <= 1024 ? "200" : "431 close");
        client_free(*state, c);
    }
}

static void a_body_of_just_the_limit_is_taken(void **state)
{
    static char raw[8192];
    for (int chunked = 0; chunked < 2; chunked++) {
        struct client *c = client_new(*state);
        int at = snprintf(raw, sizeof raw, "POST / HTTP/1.1\r\n" H "%s\r\n\r\n%s",
                          chunked ? "Transfer-Encoding: chunked" : "Content-Length: 2048",
                          chunked ? "800\r\n" : "");
        memset(raw + at, 'x', 2048);
        snprintf(raw + at + 2048, 20, "%s", chunked ? "\r\n0\r\n\r\n" : "");
        client_say(*state, c, raw);
        assert_string_equal(client_outcome(c), "200");
        client_free(*state, c);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_real_clients_send_is_taken_whole_and_in_pieces),
        TEST(what_two_readers_could_read_differently_is_refused_whole_and_in_pieces),
        TEST(a_nul_in_the_head_is_refused),
        TEST(one_octet_at_a_time_gives_the_same),
        TEST(a_head_of_just_the_limit_is_taken_and_one_more_is_not),
        TEST(a_body_of_just_the_limit_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
