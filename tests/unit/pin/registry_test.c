#include "tests/unit/pin/registry_rig.h"

/* --- accounts and keys --------------------------------------------------------------------- */

static void a_new_account_has_a_key_that_finds_it(void **state)
{
    (void)state;
    make_account("demo");
    assert_string_equal(b->account, "demo");
    assert_int_equal(strlen(b->key), 67);
    assert_memory_equal(b->key, "pb_", 3);
    assert_int_equal(strspn(b->key + 3, "0123456789abcdef"), 64);
    b->account[0] = 0;
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
    assert_string_equal(b->account, "demo");
}

static void the_key_stands_in_redis_only_as_its_hash(void **state)
{
    (void)state;
    make_account("demo");
    redisReply *keys = redisCommand(b->redis, "KEYS *");
    unsigned records = 0;
    for (size_t i = 0; i < keys->elements; i++) {
        const char *name = keys->element[i]->str;
        assert_null(strstr(name, b->key + 3));
        redisReply *dump = redisCommand(b->redis, "DUMP %s", name);
        assert_null(memmem(dump->str, dump->len, b->key + 3, 64));
        freeReplyObject(dump);
        records += strstr(name, ":key:") != NULL;
    }
    assert_int_equal(records, 1);
    freeReplyObject(keys);
    char name[REG_NAME_SIZE];
    pin_reg_key_name(b->key, strlen(b->key), name);
    assert_int_equal(redis_number("EXISTS %s", name), 1);
    assert_false(log_has(b->rig, b->key + 3));
}

static void an_account_is_made_once_by_whoever_comes_first(void **state)
{
    (void)state;
    second_gateway();
    unsigned before = b->answers;
    struct bench other = {.rig = b->rig};
    pin_registry_create_account(b->reg, "demo", key_cb, b);
    pin_registry_create_account(b->reg2, "demo", key_cb, &other);
    assert_int_equal(b->answers, before); /* never inside the call */
    RUN_UNTIL(b->rig, b->answers == before + 1 && other.answers == 1);
    assert_int_equal((b->result == 0) + (other.result == 0), 1);
    assert_int_equal((b->result == ERR_EXISTS) + (other.result == ERR_EXISTS), 1);
    assert_int_equal(redis_number("ZCARD " REG_ACCOUNTS), 1);
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "Demo", "_x",  "-x",   "a b",
        "a}b", "a:",   "a\n", "\xc5", "a123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned before = b->answers;
        pin_registry_create_account(b->reg, bad[i], key_cb, b);
        assert_int_equal(b->answers, before);
        RUN_UNTIL(b->rig, b->answers == before + 1);
        assert_int_equal(b->result, ERR_INVALID);
    }
    make_account("0-a_b678901234567890123456789012");
    assert_int_equal(redis_number("DBSIZE"), 3);
}

static void an_account_can_have_several_keys(void **state)
{
    (void)state;
    char first[PIN_API_KEY_SIZE];
    make_account("demo");
    memcpy(first, b->key, sizeof first);
    assert_int_equal(ASK(pin_registry_create_key(b->reg, "demo", key_cb, b)), 0);
    assert_string_not_equal(first, b->key);
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
    assert_int_equal(ASK(FIND_KEY(b->reg, first)), 0);
    assert_string_equal(b->account, "demo");
    assert_int_equal(ASK(pin_registry_create_key(b->reg, "other", key_cb, b)), ERR_NOTFOUND);
    assert_int_equal(ASK(pin_registry_create_key(b->reg, "no}", key_cb, b)), ERR_NOTFOUND);
}

static void what_is_no_key_finds_nothing(void **state)
{
    (void)state;
    make_account("demo");
    char longer[200];
    snprintf(longer, sizeof longer, "%s%s", b->key, b->key);
    assert_int_equal(ASK(FIND_KEY(b->reg, longer)), ERR_NOTFOUND);
    longer[68] = 0;
    assert_int_equal(ASK(FIND_KEY(b->reg, longer)), ERR_NOTFOUND);
    longer[66] = 0;
    assert_int_equal(ASK(FIND_KEY(b->reg, longer)), ERR_NOTFOUND);
    assert_int_equal(ASK(FIND_KEY(b->reg, "")), ERR_NOTFOUND);
}

static void a_revoked_key_is_dead_on_another_gateway_after_the_notice(void **state)
{
    (void)state;
    second_gateway();
    make_account("demo");
    char key[PIN_API_KEY_SIZE];
    memcpy(key, b->key, sizeof key);
    assert_int_equal(ASK(FIND_KEY(b->reg2, key)), 0);
    assert_int_equal(ASK_AT_ONCE(FIND_KEY(b->reg2, key)), 0);
    assert_int_equal(ASK(pin_registry_revoke_key(b->reg, key, account_cb, b)), 0);
    assert_string_equal(b->account, "demo");
    RUN_UNTIL(b->rig, pin_reg_cache_count(b->reg2->cache) == 0); /* the notice, not the age */
    assert_int_equal(ASK(FIND_KEY(b->reg2, key)), ERR_NOTFOUND);
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), ERR_NOTFOUND);
    assert_int_equal(ASK(pin_registry_revoke_key(b->reg, key, account_cb, b)), ERR_NOTFOUND);
}

static void a_revoked_key_is_dead_within_5_s_without_a_notice(void **state)
{
    (void)state;
    make_account("demo");
    char name[REG_NAME_SIZE];
    pin_reg_key_name(b->key, strlen(b->key), name);
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
    redis_says("DEL %s", name); /* nobody is told */
    skew_us += 4900000;
    assert_int_equal(ASK_AT_ONCE(FIND_KEY(b->reg, b->key)), 0);
    skew_us += 100000;
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), ERR_NOTFOUND);
}

/* --- applications and templates ------------------------------------------------------------ */

static void an_application_is_found_as_it_was_made(void **state)
{
    (void)state;
    make_account("demo");
    make_app("demo");
    struct pin_app made = b->app;
    assert_true(pin_id_is_valid(made.id, strlen(made.id)));
    memset(&b->app, 0, sizeof b->app);
    assert_int_equal(ASK(pin_registry_find_app(b->reg, "demo", made.id, app_cb, b)), 0);
    for (unsigned round = 0; round < 2; round++) { /* from Redis, then from the cache */
        assert_string_equal(b->app.account, "demo");
        assert_string_equal(b->app.id, made.id);
        assert_string_equal(b->app.name, "Shop & \"co\" \xc5\xa1");
        assert_true(b->app.enabled);
        assert_int_equal(b->app.policy.pin_attempts, 5);
        assert_false(b->app.policy.allow_multiple);
        assert_int_equal(b->app.policy.ttl_ms, 900000);
        assert_string_equal(b->app.policy.ttl_text, "15m");
        assert_int_equal(b->app.policy.per_phone.count, 7);
        assert_int_equal(b->app.policy.per_phone.window_ms, HOUR_US / 1000);
        assert_string_equal(b->app.policy.per_phone.text, "7/h");
        assert_string_equal(b->app.policy.verify.text, "1/3s");
        assert_string_equal(b->app.policy.per_app.text, "10000/1d");
        memset(&b->app, 0, sizeof b->app);
        assert_int_equal(ASK_AT_ONCE(pin_registry_find_app(b->reg, "demo", made.id, app_cb, b)), 0);
    }
}

static void a_template_is_found_as_it_was_made(void **state)
{
    (void)state;
    make_account("demo");
    make_app("demo");
    struct pin_template t = a_template(b->app.id);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)), 0);
    char id[PIN_APP_ID_SIZE];
    memcpy(id, b->tmpl.id, sizeof id);
    memset(&b->tmpl, 0, sizeof b->tmpl);
    assert_int_equal(ASK(pin_registry_find_template(b->reg, "demo", t.app_id, id, template_cb, b)),
                     0);
    assert_string_equal(b->tmpl.id, id);
    assert_string_equal(b->tmpl.app_id, t.app_id);
    assert_int_equal(b->tmpl.revision, 1);
    assert_string_equal(b->tmpl.text, t.text);
    assert_int_equal(b->tmpl.spec.type, PIN_ALPHANUMERIC);
    assert_int_equal(b->tmpl.spec.length, 8);
    assert_true(b->tmpl.spec.no_look_alikes);
    assert_string_equal(b->tmpl.sender, "ACME");
    assert_string_equal(b->tmpl.language, "pt_br");
}

static void another_accounts_objects_are_not_there(void **state)
{
    (void)state;
    make_account("demo");
    make_account("thief");
    make_app("demo");
    struct pin_template t = a_template(b->app.id);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "thief", &t, template_cb, b)),
                     ERR_NOTFOUND);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)), 0);
    assert_int_equal(ASK(pin_registry_find_app(b->reg, "thief", t.app_id, app_cb, b)),
                     ERR_NOTFOUND);
    assert_int_equal(
        ASK(pin_registry_find_template(b->reg, "thief", t.app_id, b->tmpl.id, template_cb, b)),
        ERR_NOTFOUND);
    assert_int_equal(ASK(pin_registry_list_templates(b->reg, "thief", t.app_id, names_cb, b)),
                     ERR_NOTFOUND);
}

static void ids_that_are_none_are_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "00000000000000000000000000000001\n",
                                      "0000000000000000000000000000000a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ASK(pin_registry_find_app(b->reg, "demo", bad[i], app_cb, b)),
                         ERR_NOTFOUND);
        assert_int_equal(
            ASK(pin_registry_find_template(b->reg, "demo", RING_KEY, bad[i], template_cb, b)),
            ERR_NOTFOUND);
    }
    assert_int_equal(
        ASK(pin_registry_find_app(b->reg, "DEMO", "00000000000000000000000000000001", app_cb, b)),
        ERR_NOTFOUND);
}

static void what_could_not_be_read_back_is_not_written(void **state)
{
    (void)state;
    make_account("demo");
    make_app("demo");
    struct pin_app app = an_app("demo");
    app.name[0] = 0;
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), ERR_INVALID);
    app = an_app("demo");
    app.name[0] = '\n';
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), ERR_INVALID);
    app = an_app("demo");
    strcpy(app.policy.verify.text, "1/2d");
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), ERR_INVALID);
    app = an_app("nobody");
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), ERR_NOTFOUND);
    struct pin_template t = a_template("00000000000000000000000000000001");
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)),
                     ERR_NOTFOUND);
    struct pin_template bad[4] = {a_template(b->app.id), a_template(b->app.id),
                                  a_template(b->app.id), a_template("x")};
    strcpy(bad[0].text, "no pin");
    bad[1].spec.length = 3;
    strcpy(bad[2].sender, "AC\tME");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &bad[i], template_cb, b)),
                         i == 3 ? ERR_NOTFOUND : ERR_INVALID);
}

static void lists_name_what_was_made_in_order(void **state)
{
    (void)state;
    char ids[12][PIN_APP_ID_SIZE];
    assert_int_equal(ASK(pin_registry_list_accounts(b->reg, names_cb, b)), 0);
    assert_int_equal(b->n_names, 0);
    make_account("zeta");
    make_account("alpha");
    assert_int_equal(ASK(pin_registry_list_accounts(b->reg, names_cb, b)), 0);
    assert_int_equal(b->n_names, 2);
    assert_string_equal(b->names[0], "alpha");
    assert_string_equal(b->names[1], "zeta");
    assert_int_equal(ASK(pin_registry_list_apps(b->reg, "zeta", names_cb, b)), 0);
    assert_int_equal(b->n_names, 0);
    for (unsigned i = 0; i < 12; i++) {
        make_app("zeta");
        memcpy(ids[i], b->app.id, sizeof ids[i]);
        if (i == 6) /* and the clock was set back since */
            redis_says("ZADD pb:{zeta}:apps XX 9000000000000 %s", ids[i]);
    }
    assert_int_equal(ASK(pin_registry_list_apps(b->reg, "zeta", names_cb, b)), 0);
    assert_int_equal(b->n_names, 12);
    for (unsigned i = 0; i < 12; i++)
        assert_string_equal(b->names[i], ids[i]);
    struct pin_template t = a_template(ids[1]);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "zeta", &t, template_cb, b)), 0);
    assert_int_equal(ASK(pin_registry_list_templates(b->reg, "zeta", ids[1], names_cb, b)), 0);
    assert_int_equal(b->n_names, 1);
    assert_string_equal(b->names[0], b->tmpl.id);
    assert_int_equal(ASK(pin_registry_list_apps(b->reg, "nobody", names_cb, b)), ERR_NOTFOUND);
}

static void a_full_list_takes_no_more(void **state)
{
    (void)state;
    make_account("demo");
    redis_says("EVAL %s 1 pb:{demo}:apps %d",
               "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], 0, i) end return 1",
               REG_LIST_MAX);
    struct pin_app app = an_app("demo");
    assert_int_equal(ASK(pin_registry_create_app(b->reg, &app, app_cb, b)), ERR_LIMIT);
    redis_says("EVAL %s 1 " REG_ACCOUNTS " %d",
               "for i = 2, ARGV[1] do redis.call('ZADD', KEYS[1], 0, i) end return 1",
               REG_LIST_MAX);
    assert_int_equal(ASK(pin_registry_create_account(b->reg, "more", key_cb, b)), ERR_LIMIT);
    assert_int_equal(ASK(pin_registry_create_account(b->reg, "demo", key_cb, b)), ERR_EXISTS);
}

/* --- cache --------------------------------------------------------------------------------- */

static void absence_is_remembered_until_the_notice(void **state)
{
    (void)state;
    second_gateway();
    static const char id[] = "00000000000000000000000000000001";
    make_account("demo");
    assert_int_equal(ASK(pin_registry_find_app(b->reg2, "demo", id, app_cb, b)), ERR_NOTFOUND);
    assert_int_equal(ASK_AT_ONCE(pin_registry_find_app(b->reg2, "demo", id, app_cb, b)),
                     ERR_NOTFOUND);
    make_app("demo");
    redis_says("COPY pb:{demo}:app:%s pb:{demo}:app:%s", b->app.id, id);
    assert_int_equal(ASK_AT_ONCE(pin_registry_find_app(b->reg2, "demo", id, app_cb, b)),
                     ERR_NOTFOUND);
    redis_says("PUBLISH " REG_CHANNEL " pb:{demo}:app:%s", id);
    RUN_UNTIL(b->rig, pin_reg_cache_count(b->reg2->cache) == 0);
    assert_int_equal(ASK(pin_registry_find_app(b->reg2, "demo", id, app_cb, b)), 0);
}

static void a_notice_about_another_object_drops_nothing(void **state)
{
    (void)state;
    make_account("demo");
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
    uint64_t before = b->reg->notices;
    redis_says("PUBLISH " REG_CHANNEL " nonsense");
    RUN_UNTIL(b->rig, b->reg->notices > before);
    assert_int_equal(ASK_AT_ONCE(FIND_KEY(b->reg, b->key)), 0);
}

static void an_answer_older_than_a_notice_is_not_remembered(void **state)
{
    (void)state;
    make_account("demo");
    unsigned before = b->answers;
    FIND_KEY(b->reg, b->key);
    pin_reg_changed(b->reg, "something");
    RUN_UNTIL(b->rig, b->answers == before + 1);
    assert_int_equal(b->result, 0);
    assert_int_equal(pin_reg_cache_count(b->reg->cache), 0);
}

static void a_lost_subscription_drops_everything_when_it_is_back(void **state)
{
    (void)state;
    make_account("demo");
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
    assert_int_equal(pin_reg_cache_count(b->reg->cache), 1);
    redis_says("CLIENT KILL TYPE pubsub");
    RUN_UNTIL(b->rig, pin_reg_cache_count(b->reg->cache) == 0);
    assert_true(pin_registry_knows_key(b->reg, b->key, strlen(b->key))); /* may be asked about */
    assert_int_equal(ASK(FIND_KEY(b->reg, b->key)), 0);
}

static void the_oldest_entry_goes_when_the_cache_is_full(void **state)
{
    (void)state;
    const union reg_object object = {.account = "demo"};
    union reg_object out;
    struct reg_cache *c = pin_reg_cache_new(5000, 3);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (unsigned i = 0; i < 4; i++)
        pin_reg_cache_put(c, names[i], mono_now(), &object, PIN_ACCOUNT_SIZE);
    assert_int_equal(pin_reg_cache_count(c), 3);
    assert_int_equal(pin_reg_cache_get(c, "a", &out), ERR_UNAVAILABLE);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(pin_reg_cache_get(c, names[i], &out), 0);
    pin_reg_cache_put(c, "b", mono_now(), NULL, PIN_ACCOUNT_SIZE); /* again: now the youngest */
    assert_int_equal(pin_reg_cache_count(c), 3);
    pin_reg_cache_put(c, "e", mono_now(), &object, PIN_ACCOUNT_SIZE);
    assert_int_equal(pin_reg_cache_get(c, "b", &out), ERR_NOTFOUND);
    assert_int_equal(pin_reg_cache_get(c, "c", &out), ERR_UNAVAILABLE);
    skew_us += 5000000;
    pin_reg_cache_put(c, "f", mono_now(), &object, PIN_ACCOUNT_SIZE); /* sweeps what is over */
    assert_int_equal(pin_reg_cache_count(c), 1);
    pin_reg_cache_free(c);
}

static void a_life_counts_from_the_question(void **state)
{
    (void)state;
    const union reg_object object = {.account = "demo"};
    union reg_object out;
    struct reg_cache *c = pin_reg_cache_new(5000, 3);
    struct mono asked = mono_now();
    skew_us += 3000000;
    pin_reg_cache_put(c, "a", asked, &object, PIN_ACCOUNT_SIZE);
    assert_int_equal(pin_reg_cache_get(c, "a", &out), 0);
    assert_string_equal(out.account, "demo");
    skew_us += 2000000;
    assert_int_equal(pin_reg_cache_get(c, "a", &out), ERR_UNAVAILABLE);
    pin_reg_cache_free(c);
}

/* --- when things go wrong ------------------------------------------------------------------ */

static void while_the_store_is_away_the_cache_still_answers(void **state)
{
    (void)state;
    make_account("demo");
    char key[PIN_API_KEY_SIZE];
    memcpy(key, b->key, sizeof key);
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), 0);
    redis_stop(b->rig);
    RUN_UNTIL(b->rig, !store_is_up(b->rig->store));
    assert_int_equal(ASK_AT_ONCE(FIND_KEY(b->reg, key)), 0);
    assert_int_equal(ASK(FIND_KEY(b->reg, "pb_other")), ERR_UNAVAILABLE);
    unsigned before = b->answers;
    pin_registry_create_account(b->reg, "more", key_cb, b);
    pin_registry_list_accounts(b->reg, names_cb, b);
    assert_int_equal(b->answers, before);
    RUN_UNTIL(b->rig, b->answers == before + 2);
    assert_int_equal(b->result, ERR_UNAVAILABLE);
    skew_us += 5000000;
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), ERR_UNAVAILABLE);
}

static void a_record_that_makes_no_sense_is_unavailable_and_logged(void **state)
{
    (void)state;
    static const char id[] = "00000000000000000000000000000001";
    make_account("demo");
    make_app("demo");
    struct pin_template t = a_template(b->app.id);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)), 0);
    static const char *const app_damage[][2] = {
        {"enabled", "2"}, {"enabled", ""}, {"verifyPinLimit", "1/2d"}, {"pinTimeToLive", "x"}};
    for (size_t i = 0; i < 4; i++) {
        redis_says("COPY pb:{demo}:app:%s pb:{demo}:app:%s REPLACE", t.app_id, id);
        redis_says("HSET pb:{demo}:app:%s %s %s", id, app_damage[i][0], app_damage[i][1]);
        assert_int_equal(ASK(pin_registry_find_app(b->reg, "demo", id, app_cb, b)),
                         ERR_UNAVAILABLE);
    }
    redis_says("HDEL pb:{demo}:app:%s name", id);
    assert_int_equal(ASK(pin_registry_find_app(b->reg, "demo", id, app_cb, b)), ERR_UNAVAILABLE);
    redis_says("SET pb:{demo}:app:%s string", id);
    assert_int_equal(ASK(pin_registry_find_app(b->reg, "demo", id, app_cb, b)), ERR_UNAVAILABLE);
    static const char *const tmpl_damage[][2] = {{"type", "OCTAL"},
                                                 {"length", "3"},
                                                 {"length", "256"},
                                                 {"length", "99999999999"},
                                                 {"sender", "longer than sixteen octets"},
                                                 {"revision", "-1"}};
    for (size_t i = 0; i < 6; i++) {
        redis_says("COPY pb:{demo}:msg:%s:%s pb:{demo}:msg:%s:%s REPLACE", t.app_id, b->tmpl.id,
                   t.app_id, id);
        redis_says("HSET pb:{demo}:msg:%s:%s %s %s", t.app_id, id, tmpl_damage[i][0],
                   tmpl_damage[i][1]);
        assert_int_equal(
            ASK(pin_registry_find_template(b->reg, "demo", t.app_id, id, template_cb, b)),
            ERR_UNAVAILABLE);
    }
    assert_int_equal(pin_reg_cache_count(b->reg->cache), 0);
    assert_true(log_has(b->rig, "registry_failed"));
    assert_true(log_has(b->rig, "WRONGTYPE"));
    assert_true(log_has(b->rig, "ERR_CORRUPT"));
}

static void many_questions_at_once_are_each_answered_and_bounded(void **state)
{
    (void)state;
    make_account("demo");
    unsigned before = b->answers;
    for (unsigned i = 0; i < REG_OPS_MAX; i++)
        FIND_KEY(b->reg, b->key);
    assert_int_equal(b->answers, before);
    assert_int_equal(ASK_AT_ONCE(FIND_KEY(b->reg, b->key)), ERR_UNAVAILABLE);
    RUN_UNTIL(b->rig, b->answers == before + 1 + REG_OPS_MAX);
    assert_int_equal(b->result, 0);
    assert_int_equal(b->reg->n_ops, 0);
    assert_int_equal(pin_reg_cache_count(b->reg->cache), 1); /* remembered once */
}

static void freeing_answers_what_is_pending_exactly_once(void **state)
{
    (void)state;
    make_account("demo");
    unsigned before = b->answers;
    pin_registry_create_key(b->reg, "demo", key_cb, b);        /* with the store */
    pin_registry_create_account(b->reg, "No Name", key_cb, b); /* to be answered from the loop */
    FIND_KEY(b->reg, "pb_x");
    assert_int_equal(b->answers, before);
    pin_registry_free(b->reg);
    b->reg = NULL;
    assert_int_equal(b->answers, before + 3);
    assert_int_equal(b->result, ERR_CLOSED);
    /* The store's own answers, and notices, find nobody. */
    redis_says("PUBLISH " REG_CHANNEL " nonsense");
    struct store_info info;
    store_info(b->rig->store, &info);
    RUN_UNTIL(b->rig, (store_info(b->rig->store, &info), info.pending == 0));
    assert_int_equal(b->answers, before + 3);
}

static void free_and_note(void *arg, int result, const char *account)
{
    (void)account;
    struct bench *to = arg;
    to->answers++;
    to->result = result;
    pin_registry_free(to->reg);
    to->reg = NULL;
}

static void a_callback_may_free_the_registry(void **state)
{
    (void)state;
    unsigned before = b->answers;
    pin_registry_find_key(b->reg, "pb_x", 4, free_and_note, b);
    RUN_UNTIL(b->rig, b->answers == before + 1);
    assert_int_equal(b->result, ERR_NOTFOUND);
    assert_null(b->reg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_account_has_a_key_that_finds_it),
        T(the_key_stands_in_redis_only_as_its_hash),
        T(an_account_is_made_once_by_whoever_comes_first),
        T(names_that_are_none_are_refused),
        T(an_account_can_have_several_keys),
        T(what_is_no_key_finds_nothing),
        T(a_revoked_key_is_dead_on_another_gateway_after_the_notice),
        T(a_revoked_key_is_dead_within_5_s_without_a_notice),
        T(an_application_is_found_as_it_was_made),
        T(a_template_is_found_as_it_was_made),
        T(another_accounts_objects_are_not_there),
        T(ids_that_are_none_are_not_found),
        T(what_could_not_be_read_back_is_not_written),
        T(lists_name_what_was_made_in_order),
        T(a_full_list_takes_no_more),
        T(absence_is_remembered_until_the_notice),
        T(a_notice_about_another_object_drops_nothing),
        T(an_answer_older_than_a_notice_is_not_remembered),
        T(a_lost_subscription_drops_everything_when_it_is_back),
        T(the_oldest_entry_goes_when_the_cache_is_full),
        T(a_life_counts_from_the_question),
        T(while_the_store_is_away_the_cache_still_answers),
        T(a_record_that_makes_no_sense_is_unavailable_and_logged),
        T(many_questions_at_once_are_each_answered_and_bounded),
        T(freeing_answers_what_is_pending_exactly_once),
        T(a_callback_may_free_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
