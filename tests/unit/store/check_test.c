#include "tests/unit/store/harness.h"

#define PASSWORD "correct-horse"

static void set_password(struct rig *r, struct secret *s, const char *user, const char *password)
{
    assert_int_equal(secret_set(s, password, strlen(password)), 0);
    r->o.user = user;
    r->o.password = s;
}

static void the_right_password_opens(void **state)
{
    struct rig *r = *state;
    struct secret s = {0};
    redis_start(r, (const char *[]){"--requirepass", PASSWORD, NULL});
    set_password(r, &s, NULL, PASSWORD);
    rig_up(r);
    secret_clear(&s);
    assert_string_equal(answer_to(r, "PING"), "PONG");
    assert_string_equal(answer_to(r, "CLIENT GETNAME"), "pinbind");
}

static void a_wrong_password_is_logged_without_it_and_stays_away(void **state)
{
    struct rig *r = *state;
    struct secret s = {0};
    redis_start(r, (const char *[]){"--requirepass", PASSWORD, NULL});
    set_password(r, &s, NULL, "wrong-donkey");
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "the server refused user or password"));
    assert_int_equal(info_of(r).state, STORE_WAITING);
    assert_int_equal(r->ups, 0);
    assert_false(log_has(r, "donkey"));
    assert_true(log_has(r, "WRONGPASS"));
    secret_clear(&s);
}

static const char *echo_words(struct fake *f, const redisReply *command)
{
    (void)f;
    return strcmp(command->element[0]->str, "AUTH") == 0
               ? "-ERR unknown command 'AUTH', with args beginning with: '" PASSWORD "' \r\n"
               : "+OK\r\n";
}

static void notice_cb(void *arg, const char *payload, size_t len)
{
    (void)arg;
    (void)payload;
    (void)len;
}

static void a_password_that_the_server_repeats_is_not_logged(void **state)
{
    struct rig *r = *state;
    struct fake f = {.answer = echo_words};
    struct secret s = {0};
    fake_start(&f, r);
    set_password(r, &s, NULL, PASSWORD);
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "the server refused user or password"));
    assert_int_equal(store_subscribe(r->store, "news", notice_cb, NULL), 0);
    RUN_UNTIL(r, log_has(r, "the server refused the subscription"));
    assert_true(log_has(r, "unknown command"));
    assert_false(log_has(r, PASSWORD));
    rig_free_store(r);
    fake_stop(&f);
    secret_clear(&s);
}

static void a_missing_password_is_logged_and_stays_away(void **state)
{
    struct rig *r = *state;
    redis_start(r, (const char *[]){"--requirepass", PASSWORD, NULL});
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "NOAUTH"));
    assert_int_equal(r->ups, 0);
}

static void an_acl_user_without_config_and_info_is_up_and_told(void **state)
{
    struct rig *r = *state;
    struct secret s = {0};
    redis_start(r, (const char *[]){"--user", "pin", "on", ">" PASSWORD, "~*", "&*", "+@all",
                                    "-config", "-info", NULL});
    set_password(r, &s, "pin", PASSWORD);
    rig_up(r);
    secret_clear(&s);
    assert_true(log_has(r, "CONFIG is refused"));
    assert_true(log_has(r, "version and settings cannot be read"));
    assert_string_equal(info_of(r).version, "");
    assert_string_equal(answer_to(r, "ACL WHOAMI"), "pin");
}

static void settings_that_lose_pins_are_warned_of(void **state)
{
    struct rig *r = *state;
    redis_start(
        r, (const char *[]){"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", NULL});
    rig_up(r);
    assert_true(log_has(r, "setting=maxmemory-policy is=allkeys-lru should_be=noeviction"));
    assert_true(log_has(r, "setting=appendonly is=no should_be=yes"));
    assert_true(log_has(r, "a restart loses every PIN"));
}

static void settings_that_are_good_are_not_warned_of(void **state)
{
    struct rig *r = *state;
    redis_start(r, (const char *[]){"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru",
                                    NULL}); /* without a maximum the policy never acts */
    rig_up(r);
    assert_false(log_has(r, "store_setting"));
}

/* Servers that are not good enough. */

#define INFO_GOOD "redis_version:7.2.4\r\nloading:0\r\nrole:master\r\nredis_mode:standalone\r\n"

static const char *info_lines;

static const char *answer_info(struct fake *f, const redisReply *command)
{
    (void)f;
    return fake_info(command, info_lines);
}

static void assert_turned_away(struct rig *r, const char *lines, const char *reason)
{
    struct fake f = {.answer = answer_info};
    info_lines = lines;
    fake_start(&f, r);
    rig_open(r);
    RUN_UNTIL(r, log_has(r, reason));
    assert_int_equal(info_of(r).state, STORE_WAITING);
    assert_int_equal(r->ups, 0);
    fake_stop(&f);
}

static void a_server_before_6_2_is_turned_away(void **state)
{
    assert_turned_away(*state, "redis_version:6.0.16\r\n", "older than Redis 6.2");
}

static void a_server_without_a_version_is_turned_away(void **state)
{
    assert_turned_away(*state, "server:other\r\n", "older than Redis 6.2");
}

static void a_server_that_becomes_a_replica_is_left_and_taken_again_as_a_master(void **state)
{
    struct rig *r = *state;
    struct answer a[2] = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_string_equal(answer_to(r, "REPLICAOF 127.0.0.1 1"), "OK");
    assert_int_equal(ask(r, &a[0], "SET k v"), 0);
    assert_int_equal(ask(r, &a[1], "SET k v"), 0);
    RUN_UNTIL(r, a[0].calls && a[1].calls && !store_is_up(r->store));
    assert_int_equal(a[0].result, ERR_REFUSED);
    RUN_UNTIL(r, log_has(r, "the server is a replica"));
    redisContext *other = redisConnectUnix(r->socket);
    freeReplyObject(redisCommand(other, "REPLICAOF NO ONE"));
    redisFree(other);
    RUN_UNTIL(r, store_is_up(r->store));
    assert_int_equal(a[0].calls + a[1].calls, 2);
}

static void a_replica_is_turned_away(void **state)
{
    assert_turned_away(*state, "redis_version:7.0.0\r\nrole:slave\r\n", "the server is a replica");
}

static void a_cluster_node_is_turned_away(void **state)
{
    assert_turned_away(*state, "redis_version:7.0.0\r\nredis_mode:cluster\r\n", "cluster node");
}

static void a_server_that_loads_is_tried_again_until_it_has(void **state)
{
    struct rig *r = *state;
    struct fake f = {.answer = answer_info};
    info_lines = "redis_version:6.2.0\r\nloading:1\r\n";
    fake_start(&f, r);
    rig_open(r);
    RUN_UNTIL(r, f.accepted == 2);
    assert_true(log_has(r, "still loading"));
    assert_false(log_has(r, " warn "));
    info_lines = INFO_GOOD;
    RUN_UNTIL(r, store_is_up(r->store));
    assert_string_equal(info_of(r).version, "7.2.4");
    fake_stop(&f);
}

/* Servers that are none. */

static void a_reply_that_nobody_asked_for_ends_the_connection_not_the_process(void **state)
{
    struct rig *r = *state;
    struct fake f = {.greeting = "+220\r\n+a\r\n+b\r\n$-1\r\n+d\r\n+e\r\n+f\r\n+g\r\n:1\r\n"};
    fake_start(&f, r);
    rig_open(r);
    RUN_UNTIL(r, f.accepted == 2);
    assert_int_equal(r->ups, 0);
    fake_stop(&f);
}

static void a_reply_too_many_ends_the_connection(void **state)
{
    struct rig *r = *state;
    struct fake f = {.answer = answer_info};
    info_lines = INFO_GOOD;
    fake_start(&f, r);
    rig_up(r);
    bufferevent_write(f.client, "-ERR max number of clients reached\r\n", 36);
    RUN_UNTIL(r, !store_is_up(r->store));
    assert_true(log_has(r, "a reply that nobody asked for"));
    assert_true(log_has(r, "max number of clients"));
    fake_stop(&f);
}

static void another_protocol_ends_the_connection(void **state)
{
    struct rig *r = *state;
    struct fake f = {.greeting = "HTTP/1.1 400 Bad Request\r\n\r\n"};
    fake_start(&f, r);
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "not of the Redis protocol"));
    fake_stop(&f);
}

static void a_server_that_never_answers_is_left_in_time(void **state)
{
    struct rig *r = *state;
    struct fake f = {0};
    struct answer a = {0};
    r->o.timeout_ms = 100;
    fake_start(&f, r);
    rig_open(r);
    RUN_UNTIL(r, info_of(r).state == STORE_CHECKING);
    assert_int_equal(ask(r, &a, "PING"), ERR_UNAVAILABLE);
    RUN_UNTIL(r, f.accepted == 2);
    assert_true(log_has(r, "no answer to the first commands"));
    assert_int_equal(r->ups, 0);
    fake_stop(&f);
}

/* Addresses. */

static void use_tcp(struct rig *r, const char *host, int port, int db)
{
    snprintf(r->url, sizeof r->url, "redis://%s:%d/%d", host, port, db);
}

/* A listener that the kernel gave a port. */
static int listen_tcp(int backlog, int *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

static int redis_on_tcp(struct rig *r)
{
    char text[16];
    int port;
    close(listen_tcp(1, &port));
    snprintf(text, sizeof text, "%d", port);
    redis_start(r, (const char *[]){"--port", text, "--bind", "127.0.0.1", NULL});
    return port;
}

static void an_address_needs_no_resolver_and_a_database_is_selected(void **state)
{
    struct rig *r = *state;
    use_tcp(r, "127.0.0.1", redis_on_tcp(r), 7);
    rig_up(r);
    assert_string_equal(answer_to(r, "SET where seven"), "OK");
    assert_non_null(strstr(answer_to(r, "INFO keyspace"), "db7:keys=1"));
}

static void a_database_that_is_not_there_is_logged(void **state)
{
    struct rig *r = *state;
    use_tcp(r, "127.0.0.1", redis_on_tcp(r), 99);
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "the server refused the database"));
    assert_int_equal(r->ups, 0);
}

static void a_name_is_resolved_in_the_loop(void **state)
{
    struct rig *r = *state;
    struct evdns_base *dns = evdns_base_new(r->base, 0);
    char hosts[160];
    snprintf(hosts, sizeof hosts, "%s", in_dir(r, "hosts"));
    FILE *f = fopen(hosts, "w");
    fputs("127.0.0.1 redis.test\n", f);
    fclose(f);
    evdns_base_load_hosts(dns, hosts);
    use_tcp(r, "redis.test", redis_on_tcp(r), 0);
    r->store = store_new(r->base, r->reap, dns, &r->o);
    RUN_UNTIL(r, store_is_up(r->store));
    rig_free_store(r);
    evdns_base_free(dns, 0);
}

static void a_name_that_nobody_answers_for_ends_in_time_and_can_be_freed(void **state)
{
    struct rig *r = *state;
    int port;
    int silent = listen_tcp(1, &port);
    struct evdns_base *dns = evdns_base_new(r->base, 0);
    char server[32];
    snprintf(server, sizeof server, "127.0.0.1:%d", port); /* nothing reads UDP there */
    evdns_base_nameserver_ip_add(dns, server);
    use_tcp(r, "redis.test", 1, 0);
    r->o.connect_timeout_ms = 100;
    r->store = store_new(r->base, r->reap, dns, &r->o);
    RUN_UNTIL(r, log_has(r, "cannot connect in time") || log_has(r, "host name was not found"));
    RUN_UNTIL(r, info_of(r).state == STORE_CONNECTING);
    rig_free_store(r); /* while a question is under way */
    reap_free(r->reap);
    r->reap = reap_new(r->base);
    event_base_loop(r->base, EVLOOP_NONBLOCK); /* the cancelled answers refer to the resolver */
    evdns_base_free(dns, 1);
    close(silent);
}

static void a_name_without_a_resolver_is_logged(void **state)
{
    struct rig *r = *state;
    use_tcp(r, "redis.test", 1, 0);
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "the host name cannot be looked up"));
}

static void a_refused_connection_is_logged_once_not_at_each_attempt(void **state)
{
    struct rig *r = *state;
    int port;
    close(listen_tcp(1, &port));
    use_tcp(r, "127.0.0.1", port, 0);
    r->o.backoff_max_ms = 1;
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "Connection refused"));
    off_t size = lseek(r->log_fd, 0, SEEK_END);
    for (int attempts = 0; attempts < 10; attempts++) {
        RUN_UNTIL(r, info_of(r).state == STORE_CONNECTING);
        RUN_UNTIL(r, info_of(r).state == STORE_WAITING);
    }
    assert_int_equal(lseek(r->log_fd, 0, SEEK_END), size);
}

/* The queue of a listener that nobody empties is filled, then the kernel drops what comes. */
static void a_connection_that_hangs_ends_in_time(void **state)
{
    struct rig *r = *state;
    int port, fillers[4];
    int fd = listen_tcp(0, &port);
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&sin, sizeof sin);
    }
    use_tcp(r, "127.0.0.1", port, 0);
    r->o.connect_timeout_ms = 100;
    rig_open(r);
    RUN_UNTIL(r, log_has(r, "cannot connect in time"));
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

static void a_bad_url_makes_no_store(void **state)
{
    struct rig *r = *state;
    snprintf(r->url, sizeof r->url, "cluster://h:1");
    assert_null(store_new(r->base, r->reap, NULL, &r->o));
    assert_true(log_has(r, "not available yet"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
        T(the_right_password_opens),
        T(a_wrong_password_is_logged_without_it_and_stays_away),
        T(a_password_that_the_server_repeats_is_not_logged),
        T(a_missing_password_is_logged_and_stays_away),
        T(an_acl_user_without_config_and_info_is_up_and_told),
        T(settings_that_lose_pins_are_warned_of),
        T(settings_that_are_good_are_not_warned_of),
        T(a_server_before_6_2_is_turned_away),
        T(a_server_without_a_version_is_turned_away),
        T(a_replica_is_turned_away),
        T(a_server_that_becomes_a_replica_is_left_and_taken_again_as_a_master),
        T(a_cluster_node_is_turned_away),
        T(a_server_that_loads_is_tried_again_until_it_has),
        T(a_reply_that_nobody_asked_for_ends_the_connection_not_the_process),
        T(a_reply_too_many_ends_the_connection),
        T(another_protocol_ends_the_connection),
        T(a_server_that_never_answers_is_left_in_time),
        T(an_address_needs_no_resolver_and_a_database_is_selected),
        T(a_database_that_is_not_there_is_logged),
        T(a_name_is_resolved_in_the_loop),
        T(a_name_that_nobody_answers_for_ends_in_time_and_can_be_freed),
        T(a_name_without_a_resolver_is_logged),
        T(a_refused_connection_is_logged_once_not_at_each_attempt),
        T(a_connection_that_hangs_ends_in_time),
        T(a_bad_url_makes_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
