/* What the tests of the registry share: a redis-server, one or two registries, one answer. */
#ifndef TESTS_UNIT_PIN_REGISTRY_RIG_H
#define TESTS_UNIT_PIN_REGISTRY_RIG_H

#include "tests/unit/pin/ring.h"
#include "tests/unit/store/harness.h"

#include "base/buf.h"
#include "base/clock.h"
#include "pin/registry.h"
#include "pin/registry_private.h"

#define HOUR_US INT64_C(3600000000)

struct bench {
    struct rig *rig;
    struct store *store2;
    struct pin_registry *reg, *reg2;
    struct pin_keyring *ring;
    redisContext *redis; /* to look and to interfere */
    /* the last answer */
    unsigned answers;
    int result;
    char account[PIN_ACCOUNT_SIZE], key[PIN_API_KEY_SIZE];
    struct pin_app app;
    struct pin_template tmpl;
    char names[64][PIN_ACCOUNT_SIZE];
    size_t n_names;
};

static struct bench *b;
static int64_t skew_us; /* what the tests add to the clock */

static int64_t skewed_mono(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + skew_us;
}

static UNUSED int64_t real_wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static UNUSED void account_cb(void *arg, int result, const char *account)
{
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    assert_int_equal(result == 0, account != NULL);
    str_copy(to->account, sizeof to->account, account ? account : "");
}

static UNUSED void app_cb(void *arg, int result, const struct pin_app *app)
{
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    assert_int_equal(result == 0, app != NULL);
    if (app)
        to->app = *app;
}

static UNUSED void template_cb(void *arg, int result, const struct pin_template *t)
{
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    assert_int_equal(result == 0, t != NULL);
    if (t)
        to->tmpl = *t;
}

static UNUSED void key_cb(void *arg, int result, const char *account, const char *key)
{
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    assert_int_equal(result == 0, key != NULL);
    str_copy(to->account, sizeof to->account, account ? account : "");
    str_copy(to->key, sizeof to->key, key ? key : "");
}

static UNUSED void names_cb(void *arg, int result, const char *const *names, size_t n)
{
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    to->n_names = n;
    for (size_t i = 0; i < n && i < 64; i++)
        str_copy(to->names[i], PIN_ACCOUNT_SIZE, names[i]);
}

/* Makes the call and waits for its one answer; gives the result. */
#define ASK(call)                                                                                  \
    ({                                                                                             \
        unsigned before_ = b->answers;                                                             \
        call;                                                                                      \
        RUN_UNTIL(b->rig, b->answers != before_);                                                  \
        assert_int_equal(b->answers, before_ + 1);                                                 \
        b->result;                                                                                 \
    })
/* The same for what must be answered inside the call: the cache knows it. */
#define ASK_AT_ONCE(call)                                                                          \
    ({                                                                                             \
        unsigned before_ = b->answers;                                                             \
        call;                                                                                      \
        assert_int_equal(b->answers, before_ + 1);                                                 \
        b->result;                                                                                 \
    })
#define FIND_KEY(reg, key) pin_registry_find_key(reg, key, strlen(key), account_cb, b)

static UNUSED void redis_says(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *reply = redisvCommand(b->redis, format, ap);
    va_end(ap);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static UNUSED long long redis_number(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *reply = redisvCommand(b->redis, format, ap);
    va_end(ap);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long n = reply->integer;
    freeReplyObject(reply);
    return n;
}

static bool has_subscribers(unsigned n)
{
    redisReply *reply = redisCommand(b->redis, "PUBSUB NUMSUB " REG_CHANNEL);
    bool has = reply->element[1]->integer == n;
    freeReplyObject(reply);
    return has;
}

static UNUSED int setup(void **state)
{
    static const struct clock_source source = {skewed_mono, real_wall};
    b = calloc(1, sizeof *b);
    rig_setup((void **)&b->rig);
    redis_start(b->rig, NULL);
    b->redis = redisConnectUnix(b->rig->socket);
    ring_make_dir();
    b->ring = ring_of_test_key();
    assert_int_equal(pin_random_start(b->ring, NULL), 0);
    skew_us = 0;
    clock_set_source(&source);
    rig_up(b->rig);
    b->reg = pin_registry_new(b->rig->base, b->rig->store, 0, 0);
    assert_non_null(b->reg);
    RUN_UNTIL(b->rig, has_subscribers(1));
    *state = b;
    return 0;
}

static UNUSED int teardown(void **state)
{
    (void)state;
    pin_registry_free(b->reg2);
    pin_registry_free(b->reg);
    store_free(b->store2);
    redisFree(b->redis);
    void *rig = b->rig;
    rig_teardown(&rig);
    clock_set_source(NULL);
    pin_random_stop();
    pin_keyring_free(b->ring);
    ring_remove_dir();
    free(b);
    return 0;
}

/* Another gateway on the same Redis. */
static UNUSED void second_gateway(void)
{
    b->store2 = store_new(b->rig->base, b->rig->reap, NULL, &b->rig->o);
    RUN_UNTIL(b->rig, store_is_up(b->store2));
    b->reg2 = pin_registry_new(b->rig->base, b->store2, 0, 0);
    RUN_UNTIL(b->rig, has_subscribers(2));
}

static UNUSED void make_account(const char *name)
{
    assert_int_equal(ASK(pin_registry_create_account(b->reg, name, key_cb, b)), 0);
}

static UNUSED struct pin_app an_app(const char *account)
{
    struct pin_app app = {.name = "Shop & \"co\" \xc5\xa1", .enabled = true};
    char why[160];
    str_copy(app.account, sizeof app.account, account);
    pin_policy_default(&app.policy);
    assert_int_equal(pin_policy_set(&app.policy, "pinAttempts", "5", why, sizeof why), 0);
    assert_int_equal(
        pin_policy_set(&app.policy, "allowMultiplePinVerifications", "false", why, 160), 0);
    assert_int_equal(pin_policy_set(&app.policy, "sendPinPerPhoneNumberLimit", "7/h", why, 160), 0);
    return app;
}

static UNUSED void make_app(const char *account)
{
    struct pin_app app = an_app(account);
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), 0);
}

static UNUSED struct pin_template a_template(const char *app_id)
{
    struct pin_template t = {.text = "{{shop}}: {{pin}}\nis your code",
                             .spec = {PIN_ALPHANUMERIC, 8, true},
                             .sender = "ACME",
                             .language = "pt_br"};
    str_copy(t.app_id, sizeof t.app_id, app_id);
    return t;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
