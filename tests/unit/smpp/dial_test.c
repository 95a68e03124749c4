#include "peer.h"

#include "base/result.h"
#include "smpp/smpp_dial.h"

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <stdio.h>
#include <strings.h>

static struct event_base *base;
static struct evdns_base *dns;
static struct evdns_server_port *server;
static struct evdns_server_request *silent[8]; /* asked for, never answered */
static unsigned n_silent;
static struct peer peer;
static struct smpp_lookup *lookup;
static unsigned n_calls;
static char found[64];
static char error_text[128];

static void server_cb(struct evdns_server_request *r, void *arg)
{
    static const uint8_t two[] = {127, 0, 0, 1, 127, 0, 0, 2};
    (void)arg;
    const struct evdns_server_question *q = r->questions[0];
    if (strcasecmp(q->name, "silent.test") == 0) {
        assert_true(n_silent < 8);
        silent[n_silent++] = r;
        return;
    }
    bool known = strcasecmp(q->name, "smsc.test") == 0;
    if (known && q->type == EVDNS_TYPE_A)
        evdns_server_request_add_a_reply(r, q->name, 2, two, 60);
    evdns_server_request_respond(r, known ? 0 : 3);
}

static void found_cb(void *arg, const struct smpp_address *a, const char *error)
{
    assert_ptr_equal(arg, &n_calls);
    assert_null(lookup);
    n_calls++;
    if (a)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->sa)->sin_addr, found, sizeof found);
    else
        snprintf(error_text, sizeof error_text, "%s", error);
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    char name[64];
    base = event_base_new();
    peer_open(&peer, base);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    server = evdns_add_server_port_with_base(base, fd, 0, server_cb, NULL);
    dns = evdns_base_new(base, 0);
    snprintf(name, sizeof name, "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(evdns_base_nameserver_ip_add(dns, name), 0);
    n_calls = 0;
    n_silent = 0;
    found[0] = error_text[0] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (n_silent > 0)
        evdns_server_request_drop(silent[--n_silent]);
    evdns_base_free(dns, 1);
    event_base_loop(base, EVLOOP_NONBLOCK);
    evdns_close_server_port(server);
    peer_close(&peer);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    return 0;
}

static void look_up(const char *host, uint32_t nth)
{
    struct smpp_lookup_request r = {dns, host, 2775, nth, found_cb, &n_calls};
    assert_int_equal(smpp_lookup_start(&lookup, &r), 0);
}

static void addresses_are_taken_as_they_are_and_names_are_told_apart(void **state)
{
    (void)state;
    struct smpp_address a;
    assert_int_equal(smpp_dial_parse("192.0.2.7", 2775, &a), 0);
    assert_int_equal(ntohs(((struct sockaddr_in *)&a.sa)->sin_port), 2775);
    assert_int_equal(smpp_dial_parse("2001:db8::1", 2775, &a), 0);
    assert_int_equal(a.sa.ss_family, AF_INET6);
    assert_int_equal(smpp_dial_parse("smsc.test", 2775, &a), ERR_INVALID);
    assert_int_equal(smpp_dial_parse("", 2775, &a), ERR_INVALID);
}

static void the_addresses_of_a_name_get_their_turns(void **state)
{
    (void)state;
    static const char *const expected[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1"};
    for (uint32_t i = 0; i < 3; i++) {
        look_up("smsc.test", i);
        UNTIL(base, n_calls == i + 1);
        assert_string_equal(found, expected[i]);
    }
}

static void a_name_that_does_not_exist_says_why(void **state)
{
    (void)state;
    look_up("nowhere.test", 0);
    UNTIL(base, n_calls == 1);
    assert_true(strlen(error_text) > 0);
}

static void a_cancelled_lookup_calls_nobody(void **state)
{
    (void)state;
    look_up("silent.test", 0);
    UNTIL(base, n_silent > 0);
    assert_non_null(lookup);
    smpp_lookup_cancel(lookup);
    assert_null(lookup);
    look_up("smsc.test", 0);
    UNTIL(base, n_calls == 1);
    assert_string_equal(found, "127.0.0.1");
}

static void q61_a_socket_has_its_options_and_its_source_address(void **state)
{
    (void)state;
    struct smpp_address a;
    struct sockaddr_in mine;
    socklen_t len = sizeof mine;
    unsigned timeout = 0;
    socklen_t timeout_len = sizeof timeout;
    int on = 0, fd;
    socklen_t on_len = sizeof on;
    assert_int_equal(smpp_dial_parse("127.0.0.1", peer.port, &a), 0);
    assert_int_equal(smpp_dial_connect(&a, "127.0.0.5", 12345, &fd), 0);
    getsockname(fd, (struct sockaddr *)&mine, &len);
    assert_int_equal(ntohl(mine.sin_addr.s_addr), 0x7f000005);
    getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &timeout_len);
    assert_int_equal(timeout, 12345);
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len);
    assert_int_equal(on, 1);
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &on_len);
    assert_int_equal(on, 1);
    close(fd);
}

static void a_source_address_that_is_not_ours_fails(void **state)
{
    (void)state;
    struct smpp_address a;
    int fd = -1;
    assert_int_equal(smpp_dial_parse("127.0.0.1", peer.port, &a), 0);
    assert_int_equal(smpp_dial_connect(&a, "192.0.2.1", 1000, &fd), ERR_IO);
    assert_int_equal(smpp_dial_connect(&a, "a-name", 1000, &fd), ERR_IO);
    assert_int_equal(fd, -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(addresses_are_taken_as_they_are_and_names_are_told_apart),
        T(the_addresses_of_a_name_get_their_turns),
        T(a_name_that_does_not_exist_says_why),
        T(a_cancelled_lookup_calls_nobody),
        T(q61_a_socket_has_its_options_and_its_source_address),
        T(a_source_address_that_is_not_ours_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
