#include "tests/unit/store/harness.h"

struct heard {
    int messages, notices;
    char last[64];
    struct rig *free_in; /* store_free() inside the callback */
};

static void message_cb(void *arg, const char *payload, size_t len)
{
    struct heard *h = arg;
    if (!payload) {
        h->notices++;
        return;
    }
    h->messages++;
    snprintf(h->last, sizeof h->last, "%.*s", (int)len, payload);
    if (h->free_in)
        rig_free_store(h->free_in);
}

/* Publishes until it is heard: a subscription has no sign of its own that it is there. */
static void publish_until(struct rig *r, const struct heard *h, const char *payload)
{
    char command[64];
    snprintf(command, sizeof command, "PUBLISH news %s", payload);
    while (strcmp(answer_to(r, command), "0") == 0)
        ;
    RUN_UNTIL(r, strcmp(h->last, payload) == 0);
}

static void messages_of_the_channel_are_told(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    publish_until(r, &h, "one");
    assert_int_equal(h.messages, 1);
    assert_string_equal(answer_to(r, "PUBLISH other no"), "0");
    publish_until(r, &h, "two");
    assert_int_equal(h.messages, 2);
    assert_int_equal(h.notices, 0);
    assert_int_equal(store_subscribe(r->store, "more", message_cb, &h), ERR_EXISTS);
}

static void a_lost_subscription_comes_back_with_a_notice(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    publish_until(r, &h, "one");
    assert_string_equal(answer_to(r, "CLIENT KILL TYPE pubsub"), "1");
    RUN_UNTIL(r, h.notices == 1);
    publish_until(r, &h, "two");
    assert_int_equal(r->downs, 0); /* the commands' connection is another one */
    redis_stop(r);
    RUN_UNTIL(r, !store_is_up(r->store));
    redis_start(r, NULL);
    RUN_UNTIL(r, h.notices == 2 && store_is_up(r->store));
    publish_until(r, &h, "three");
    assert_int_equal(h.messages, 3);
}

static void a_subscription_asked_for_before_the_server_is_there_comes_by_itself(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    rig_open(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    RUN_UNTIL(r, log_has(r, "id=store/sub event=store_connection_closed"));
    redis_start(r, NULL);
    RUN_UNTIL(r, store_is_up(r->store));
    publish_until(r, &h, "one");
    assert_int_equal(h.notices, 0);
}

static void a_subscription_needs_the_password_too(void **state)
{
    struct rig *r = *state;
    struct secret s = {0};
    struct heard h = {0};
    redis_start(r, (const char *[]){"--requirepass", "donkey", NULL});
    assert_int_equal(secret_set(&s, "donkey", 6), 0);
    r->o.password = &s;
    rig_up(r);
    secret_clear(&s);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    publish_until(r, &h, "one");
}

static void a_subscription_that_is_refused_is_logged(void **state)
{
    struct rig *r = *state;
    struct secret s = {0};
    struct heard h = {0};
    redis_start(r, (const char *[]){"--user", "pin", "on", ">donkey", "~*", "resetchannels",
                                    "+@all", NULL});
    assert_int_equal(secret_set(&s, "donkey", 6), 0);
    r->o.password = &s;
    r->o.user = "pin";
    rig_up(r);
    secret_clear(&s);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    RUN_UNTIL(r, log_has(r, "the server refused the subscription"));
    assert_true(log_has(r, "NOPERM"));
}

static void a_server_silent_to_the_subscription_is_left(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct heard h = {0};
    redis_start(r, NULL);
    rig_up(r);
    rig_free_store(r);
    proxy_start(&p, r);
    p.holds = true;
    r->o.timeout_ms = 100;
    rig_open(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    RUN_UNTIL(r, log_has(r, "no answer to the subscription"));
    proxy_stop(&p);
}

static void a_subscription_whose_server_falls_silent_is_renewed(void **state)
{
    struct rig *r = *state;
    struct proxy p;
    struct heard h = {0};
    redis_start(r, NULL);
    proxy_start(&p, r);
    r->o.timeout_ms = 100;
    rig_up(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    publish_until(r, &h, "one");
    p.holds = true;
    RUN_UNTIL(r, log_has(r, "the server is silent"));
    p.holds = false;
    RUN_UNTIL(r, h.notices && store_is_up(r->store));
    publish_until(r, &h, "two");
    proxy_stop(&p);
}

static void an_idle_subscription_stays(void **state)
{
    struct rig *r = *state;
    struct heard h = {0};
    redis_start(r, NULL);
    r->o.timeout_ms = 50;
    rig_up(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    publish_until(r, &h, "one");
    RUN_UNTIL(r, strstr(answer_to(r, "CLIENT LIST TYPE pubsub"), "cmd=ping") != NULL);
    RUN_UNTIL(r, strstr(answer_to(r, "CLIENT LIST TYPE pubsub"), " age=1 ") != NULL); /* s */
    assert_int_equal(h.notices, 0);
    publish_until(r, &h, "two");
}

static void free_inside_a_message_is_safe(void **state)
{
    struct rig *r = *state;
    struct heard h = {.free_in = r};
    struct answer a = {0};
    redis_start(r, NULL);
    rig_up(r);
    assert_int_equal(store_subscribe(r->store, "news", message_cb, &h), 0);
    RUN_UNTIL(r, log_has(r, "reason=subscribed"));
    assert_int_equal(ask(r, &a, "PUBLISH news x"), 0);
    assert_int_equal(ask(r, &a, "PUBLISH news y"), 0);
    RUN_UNTIL(r, !r->store);
    assert_int_equal(h.messages, 1);
    assert_int_equal(a.calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
        T(messages_of_the_channel_are_told),
        T(a_lost_subscription_comes_back_with_a_notice),
        T(a_subscription_asked_for_before_the_server_is_there_comes_by_itself),
        T(a_subscription_needs_the_password_too),
        T(a_subscription_that_is_refused_is_logged),
        T(a_server_silent_to_the_subscription_is_left),
        T(a_subscription_whose_server_falls_silent_is_renewed),
        T(an_idle_subscription_stays),
        T(free_inside_a_message_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
