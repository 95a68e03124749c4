/* Changing applications and templates, and finding what a template was before. */
#include "tests/unit/pin/registry_rig.h"

#define NO_ID  "00000000000000000000000000000001"
#define DAY_MS INT64_C(86400000)

static void make_template(void)
{
    make_account("demo");
    make_app("demo");
    struct pin_template t = a_template(b->app.id);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)), 0);
}

static int find_app(struct pin_registry *reg, const struct pin_app *app)
{
    memset(&b->app, 0, sizeof b->app);
    return ASK(pin_registry_find_app(reg, app->account, app->id, app_cb, b));
}

static int update_app(const struct pin_app *app)
{
    return ASK(pin_registry_update_app(b->reg, app, app_cb, b));
}

static int find_revision(struct pin_registry *reg, const struct pin_template *t, uint32_t revision)
{
    const struct pin_template_ref ref = {t->app_id, t->id, revision};
    memset(&b->tmpl, 0, sizeof b->tmpl);
    return ASK(pin_registry_find_revision(reg, "demo", &ref, template_cb, b));
}

/* With a text that names it. */
static int update_template(const struct pin_template *t, const char *name)
{
    struct pin_template changed = *t;
    snprintf(changed.text, sizeof changed.text, "%s {{pin}}", name);
    return ASK(pin_registry_update_template(b->reg, "demo", &changed, template_cb, b));
}

static void expect_text(const struct pin_template *t, uint32_t revision, const char *text)
{
    assert_int_equal(find_revision(b->reg, t, revision), 0);
    assert_string_equal(b->tmpl.text, text);
    assert_string_equal(b->tmpl.id, t->id);
    assert_string_equal(b->tmpl.app_id, t->app_id);
    if (revision)
        assert_int_equal(b->tmpl.revision, revision);
}

/* --- applications -------------------------------------------------------------------------- */

static void a_changed_application_is_found_changed_at_once(void **state)
{
    (void)state;
    make_account("demo");
    make_app("demo");
    struct pin_app app = b->app;
    char why[160];
    assert_int_equal(find_app(b->reg, &app), 0); /* it is in the cache */
    strcpy(app.name, "Other");
    app.enabled = false;
    assert_int_equal(pin_policy_set(&app.policy, "pinTimeToLive", "3m", why, sizeof why), 0);
    assert_int_equal(update_app(&app), 0);
    assert_string_equal(b->app.name, "Other");
    assert_int_equal(find_app(b->reg, &app), 0);
    assert_string_equal(b->app.name, "Other");
    assert_false(b->app.enabled);
    assert_int_equal(b->app.policy.ttl_ms, 180000);
    assert_int_equal(b->app.policy.pin_attempts, 5); /* what was given, not what a new one has */
    assert_int_equal(redis_number("ZCARD pb:{demo}:apps"), 1);
}

static void a_change_is_seen_at_another_gateway_after_the_notice(void **state)
{
    (void)state;
    second_gateway();
    make_template();
    struct pin_template t = b->tmpl;
    struct pin_app app = b->app;
    while (pin_reg_cache_count(b->reg2->cache) < 2) { /* notices of their making may come late */
        assert_int_equal(find_app(b->reg2, &app), 0);
        assert_int_equal(find_revision(b->reg2, &t, 0), 0);
    }
    strcpy(app.name, "Other");
    assert_int_equal(update_app(&app), 0);
    assert_int_equal(update_template(&t, "two"), 0);
    RUN_UNTIL(b->rig, pin_reg_cache_count(b->reg2->cache) == 0);
    assert_int_equal(find_app(b->reg2, &app), 0);
    assert_string_equal(b->app.name, "Other");
    assert_int_equal(find_revision(b->reg2, &t, 0), 0);
    assert_string_equal(b->tmpl.text, "two {{pin}}");
}

static void what_is_not_there_is_not_changed_into_being(void **state)
{
    (void)state;
    make_template();
    make_account("thief");
    long long keys = redis_number("DBSIZE");
    struct pin_template t = b->tmpl, other = t;
    struct pin_app app = b->app;
    static const char *const ids[] = {NO_ID, "", "x", "0000000000000000000000000000000a"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        strcpy(app.id, ids[i]);
        assert_int_equal(update_app(&app), ERR_NOTFOUND);
        other = t;
        strcpy(other.id, ids[i]);
        assert_int_equal(update_template(&other, "two"), ERR_NOTFOUND);
        other = t;
        strcpy(other.app_id, ids[i]);
        assert_int_equal(update_template(&other, "two"), ERR_NOTFOUND);
    }
    strcpy(app.id, t.app_id);
    static const char *const accounts[] = {"thief", "nobody", "De}mo", ""};
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        strcpy(app.account, accounts[i]);
        assert_int_equal(update_app(&app), ERR_NOTFOUND);
        assert_int_equal(ASK(pin_registry_update_template(b->reg, accounts[i], &t, template_cb, b)),
                         ERR_NOTFOUND);
    }
    assert_int_equal(redis_number("DBSIZE"), keys);
    expect_text(&t, 1, t.text);
}

static void a_change_that_could_not_be_read_back_is_refused(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl, bad[5] = {t, t, t, t, t};
    struct pin_app app = b->app;
    strcpy(bad[0].text, "no pin");
    bad[1].spec.length = 33;
    strcpy(bad[2].voice_name, "a\nb");
    strcpy(bad[3].dlt_telemarketer, "\x01");
    bad[4].max_segments = PIN_TEMPLATE_SEGMENTS_MAX + 1;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ASK(pin_registry_update_template(b->reg, "demo", &bad[i], template_cb, b)),
                         ERR_INVALID);
    expect_text(&t, 0, t.text);
    assert_int_equal(b->tmpl.revision, 1);
    app.name[0] = 0;
    assert_int_equal(update_app(&app), ERR_INVALID);
}

/* --- templates and revisions --------------------------------------------------------------- */

static void a_changed_template_has_the_next_revision_and_the_earlier_ones_are_kept(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    for (unsigned round = 0; round < 2; round++) { /* with the newest unknown, and cached */
        expect_text(&t, round + 1, round ? "two {{pin}}" : t.text);
        assert_int_equal(update_template(&t, round ? "three" : "two"), 0);
        assert_int_equal(b->tmpl.revision, round + 2);
        assert_string_equal(b->tmpl.text, round ? "three {{pin}}" : "two {{pin}}");
    }
    for (unsigned round = 0; round < 2; round++) { /* from Redis, then from the cache */
        expect_text(&t, 1, t.text);
        expect_text(&t, 2, "two {{pin}}");
        expect_text(&t, 3, "three {{pin}}");
        expect_text(&t, 0, "three {{pin}}");
    }
    const struct pin_template_ref ref = {t.app_id, t.id, 2};
    assert_int_equal(ASK_AT_ONCE(pin_registry_find_revision(b->reg, "demo", &ref, template_cb, b)),
                     0);
    assert_int_equal(b->tmpl.revision, 2);
    assert_int_equal(redis_number("EXISTS pb:{demo}:msg:%s:%s:3", t.app_id, t.id), 0);
    assert_int_equal(find_revision(b->reg, &t, 4), ERR_NOTFOUND);
    assert_int_equal(redis_number("ZCARD pb:{demo}:app:%s:msgs", t.app_id), 1);
}

static void an_earlier_revision_lives_as_long_as_a_pin_of_then_and_a_day(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    struct pin_app app = b->app;
    char why[160];
    assert_int_equal(update_template(&t, "two"), 0);
    long long ms = redis_number("PTTL pb:{demo}:msg:%s:%s:1", t.app_id, t.id);
    assert_in_range(ms, 900000 + DAY_MS - 20000, 900000 + DAY_MS);
    assert_int_equal(pin_policy_set(&app.policy, "pinTimeToLive", "300d", why, sizeof why), 0);
    assert_int_equal(update_app(&app), 0);
    assert_int_equal(update_template(&t, "three"), 0);
    ms = redis_number("PTTL pb:{demo}:msg:%s:%s:2", t.app_id, t.id);
    assert_in_range(ms, 301 * DAY_MS - 20000, 301 * DAY_MS);
    assert_int_equal(redis_number("PTTL pb:{demo}:msg:%s:%s", t.app_id, t.id), -1);
    redis_says("DEL pb:{demo}:msg:%s:%s:1", t.app_id, t.id); /* its life is over */
    assert_int_equal(find_revision(b->reg, &t, 1), ERR_NOTFOUND);
    expect_text(&t, 2, "two {{pin}}");
}

static void the_last_hundred_revisions_are_kept(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    for (unsigned i = 1; i <= REG_EARLIER_MAX + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i + 1);
        assert_int_equal(update_template(&t, name), 0);
        assert_int_equal(b->tmpl.revision, i + 1);
    }
    assert_int_equal(find_revision(b->reg, &t, 1), ERR_NOTFOUND);
    expect_text(&t, 2, "2 {{pin}}");
    redis_says("HSET pb:{demo}:msg:%s:%s revision 4294967295", t.app_id, t.id);
    assert_int_equal(update_template(&t, "no more"), ERR_LIMIT);
    redis_says("HSET pb:{demo}:msg:%s:%s revision 4294967294", t.app_id, t.id);
    assert_int_equal(update_template(&t, "last"), 0);
    expect_text(&t, UINT32_MAX, "last {{pin}}");
}

static void two_gateways_changing_at_once_give_two_revisions(void **state)
{
    (void)state;
    second_gateway();
    make_template();
    struct pin_template t = b->tmpl;
    struct bench other = {.rig = b->rig};
    unsigned before = b->answers;
    pin_registry_update_template(b->reg, "demo", &t, template_cb, b);
    pin_registry_update_template(b->reg2, "demo", &t, template_cb, &other);
    assert_int_equal(b->answers + other.answers, before); /* never inside the call */
    RUN_UNTIL(b->rig, b->answers == before + 1 && other.answers == 1);
    assert_int_equal(b->result + other.result, 0);
    assert_int_equal(b->tmpl.revision + other.tmpl.revision, 5);
    expect_text(&t, 3, t.text);
}

/* That it was not there is not remembered of it. */
static void a_revision_that_was_asked_for_too_early_is_found_later(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    RUN_UNTIL(b->rig, b->reg->notices == 5); /* of the key; of both objects here and by the store */
    assert_int_equal(find_revision(b->reg, &t, 2), ERR_NOTFOUND);
    assert_int_equal(update_template(&t, "two"), 0);
    assert_int_equal(update_template(&t, "three"), 0);
    RUN_UNTIL(b->rig, b->reg->notices == 9);
    expect_text(&t, 0, "three {{pin}}"); /* in the cache: now that is asked for the other */
    expect_text(&t, 2, "two {{pin}}");
}

/* The newest in the cache is older than the record, whose gateway knew of the change. */
static void a_revision_that_the_cache_does_not_know_yet_is_asked_for(void **state)
{
    (void)state;
    second_gateway();
    make_template();
    struct pin_template t = b->tmpl;
    assert_int_equal(find_revision(b->reg2, &t, 1), 0);
    assert_int_equal(find_revision(b->reg2, &t, 0), 0);
    redis_says("HSET pb:{demo}:msg:%s:%s revision 2 text {{pin}}", t.app_id, t.id); /* no notice */
    const struct pin_template_ref ref = {t.app_id, t.id, 1};
    assert_int_equal(ASK_AT_ONCE(pin_registry_find_revision(b->reg2, "demo", &ref, template_cb, b)),
                     0);
    assert_int_equal(find_revision(b->reg2, &t, 2), 0);
    assert_string_equal(b->tmpl.text, "{{pin}}");
    const struct pin_template_ref newest = {t.app_id, t.id, 0};
    assert_int_equal(/* and now it knows */
                     ASK_AT_ONCE(
                         pin_registry_find_revision(b->reg2, "demo", &newest, template_cb, b)),
                     0);
    assert_int_equal(b->tmpl.revision, 2);
}

static void a_revision_of_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    make_template();
    make_account("thief");
    struct pin_template t = b->tmpl, other = t;
    assert_int_equal(update_template(&t, "two"), 0);
    const struct pin_template_ref ref = {t.app_id, t.id, 1};
    assert_int_equal(ASK(pin_registry_find_revision(b->reg, "thief", &ref, template_cb, b)),
                     ERR_NOTFOUND);
    assert_int_equal(ASK(pin_registry_find_revision(b->reg, "", &ref, template_cb, b)),
                     ERR_NOTFOUND);
    static const char *const ids[] = {NO_ID, "", "x"};
    for (size_t i = 0; i < 3; i++) {
        other = t;
        strcpy(other.id, ids[i]);
        assert_int_equal(find_revision(b->reg, &other, 1), ERR_NOTFOUND);
        other = t;
        strcpy(other.app_id, ids[i]);
        assert_int_equal(find_revision(b->reg, &other, 1), ERR_NOTFOUND);
    }
    redis_says("HSET pb:{demo}:msg:%s:%s:1 length 3", t.app_id, t.id);
    assert_int_equal(find_revision(b->reg, &t, 1), ERR_UNAVAILABLE);
    assert_true(log_has(b->rig, "ERR_CORRUPT"));
}

static void what_is_only_carried_comes_back_and_can_be_taken_away(void **state)
{
    (void)state;
    make_account("demo");
    make_app("demo");
    struct pin_template t = a_template(b->app.id);
    t.max_segments = 10;
    strcpy(t.repeat_dtmf, "123#");
    strcpy(t.speech_rate, "1.5");
    strcpy(t.voice_name, "Joanna");
    strcpy(t.dlt_entity, "110100001352");
    strcpy(t.dlt_content, "1107160000000000012");
    memset(t.dlt_telemarketer, 't', sizeof t.dlt_telemarketer - 1);
    assert_int_equal(ASK(pin_registry_create_template(b->reg, "demo", &t, template_cb, b)), 0);
    strcpy(t.id, b->tmpl.id);
    assert_int_equal(find_revision(b->reg, &t, 0), 0);
    assert_int_equal(b->tmpl.max_segments, 10);
    assert_string_equal(b->tmpl.repeat_dtmf, "123#");
    assert_string_equal(b->tmpl.speech_rate, "1.5");
    assert_string_equal(b->tmpl.voice_name, "Joanna");
    assert_string_equal(b->tmpl.dlt_entity, "110100001352");
    assert_string_equal(b->tmpl.dlt_content, "1107160000000000012");
    assert_string_equal(b->tmpl.dlt_telemarketer, t.dlt_telemarketer);
    t.dlt_entity[0] = t.voice_name[0] = 0;
    assert_int_equal(update_template(&t, "two"), 0);
    assert_int_equal(find_revision(b->reg, &t, 2), 0);
    assert_string_equal(b->tmpl.dlt_entity, "");
    assert_string_equal(b->tmpl.voice_name, "");
    assert_string_equal(b->tmpl.speech_rate, "1.5");
    assert_int_equal(find_revision(b->reg, &t, 1), 0);
    assert_string_equal(b->tmpl.dlt_entity, "110100001352");
}

static void a_template_written_before_there_were_such_fields_is_read_and_changed(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    redis_says("HDEL pb:{demo}:msg:%s:%s repeatDTMF speechRate voiceName dltPrincipalEntityId "
               "dltContentTemplateId dltTelemarketerId maxSegments",
               t.app_id, t.id);
    assert_int_equal(redis_number("HLEN pb:{demo}:msg:%s:%s", t.app_id, t.id), 7);
    expect_text(&t, 0, t.text);
    assert_string_equal(b->tmpl.dlt_telemarketer, "");
    assert_int_equal(b->tmpl.max_segments, 0);
    assert_int_equal(update_template(&t, "two"), 0);
    expect_text(&t, 1, t.text);
    assert_string_equal(b->tmpl.voice_name, "");
    expect_text(&t, 2, "two {{pin}}");
    redis_says("HSET pb:{demo}:msg:%s:%s speechRate longer-than-it-may-be", t.app_id, t.id);
    pin_reg_changed(b->reg, "pb:{demo}:msg");
    skew_us += 5000000;
    assert_int_equal(find_revision(b->reg, &t, 0), ERR_UNAVAILABLE);
}

/* --- when things go wrong ------------------------------------------------------------------ */

/* A second gateway behind a proxy, which the notices go through, too. */
static void second_gateway_behind(struct proxy *p)
{
    proxy_start(p, b->rig);
    second_gateway();
}

static bool redis_has(const char *value, const char *key, const char *field)
{
    redisReply *reply = redisCommand(b->redis, "HGET %s %s", key, field);
    bool has = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, value) == 0;
    freeReplyObject(reply);
    return has;
}

/* The change was made and nobody heard of it: what this process knew is forgotten all the same. */
static void a_change_whose_answer_is_lost_is_forgotten_here(void **state)
{
    (void)state;
    struct proxy p;
    char name[REG_NAME_SIZE];
    union reg_object object;
    make_template();
    struct pin_app app = b->app;
    second_gateway_behind(&p);
    uint64_t notices = b->reg2->notices;
    assert_int_equal(update_app(&app), 0); /* the script is loaded */
    RUN_UNTIL(b->rig, b->reg2->notices > notices);
    pin_reg_app_name("demo", app.id, name);
    assert_int_equal(find_app(b->reg2, &app), 0);
    strcpy(app.name, "Other");
    p.holds = true;
    unsigned before = b->answers;
    pin_registry_update_app(b->reg2, &app, app_cb, b);
    RUN_UNTIL(b->rig, redis_has("Other", name, "name"));
    assert_int_equal(b->answers, before);
    assert_int_equal(pin_reg_cache_get(b->reg2->cache, name, &object), 0);
    proxy_cut(&p);
    p.holds = false;
    RUN_UNTIL(b->rig, b->answers == before + 1);
    assert_int_equal(b->result, ERR_LOST);
    assert_int_equal(pin_reg_cache_get(b->reg2->cache, name, &object), ERR_UNAVAILABLE);
    RUN_UNTIL(b->rig, store_is_up(b->store2));
    assert_int_equal(find_app(b->reg2, &app), 0);
    assert_string_equal(b->app.name, "Other");
    proxy_stop(&p);
}

static void a_change_of_a_template_may_lose_each_of_its_answers(void **state)
{
    (void)state;
    struct proxy p;
    char name[REG_NAME_SIZE];
    make_template();
    struct pin_template t = b->tmpl;
    assert_int_equal(update_template(&t, "two"), 0); /* the script is loaded */
    second_gateway_behind(&p);
    pin_reg_template_name("demo", t.app_id, t.id, name);
    for (unsigned step = 0; step < 2; step++) { /* the application's life, the change */
        unsigned before = b->answers;
        p.holds = step == 0;
        pin_registry_update_template(b->reg2, "demo", &t, template_cb, b);
        if (step == 0) {
            RUN_UNTIL(b->rig, proxy_held(&p) > 0);
        } else {
            RUN_UNTIL(b->rig, b->reg2->ops->is_change);
            p.holds = true;
            RUN_UNTIL(b->rig, redis_has("3", name, "revision"));
        }
        assert_int_equal(b->answers, before);
        proxy_cut(&p);
        p.holds = false;
        RUN_UNTIL(b->rig, b->answers == before + 1);
        assert_int_equal(b->result, ERR_LOST);
        RUN_UNTIL(b->rig, store_is_up(b->store2));
        assert_int_equal(find_revision(b->reg2, &t, 0), 0);
        assert_int_equal(b->tmpl.revision, 2 + step);
    }
    expect_text(&t, 2, "two {{pin}}");
    proxy_stop(&p);
}

static void while_the_store_is_away_changes_are_unavailable(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    struct pin_app app = b->app;
    RUN_UNTIL(b->rig, b->reg->notices == 5); /* of the key; of both objects here and by the store */
    assert_int_equal(find_revision(b->reg, &t, 1), 0);
    redis_stop(b->rig);
    RUN_UNTIL(b->rig, !store_is_up(b->rig->store));
    assert_int_equal(update_app(&app), ERR_UNAVAILABLE);
    assert_int_equal(update_template(&t, "two"), ERR_UNAVAILABLE);
    const struct pin_template_ref ref = {t.app_id, t.id, 1};
    assert_int_equal(ASK_AT_ONCE(pin_registry_find_revision(b->reg, "demo", &ref, template_cb, b)),
                     0);
    assert_int_equal(find_revision(b->reg, &t, 2), ERR_UNAVAILABLE);
}

static void an_application_whose_life_makes_no_sense_changes_no_template(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    redis_says("HSET pb:{demo}:app:%s pinTimeToLive soon", t.app_id);
    assert_int_equal(update_template(&t, "two"), ERR_UNAVAILABLE);
    assert_true(log_has(b->rig, "registry_failed"));
    expect_text(&t, 0, t.text);
    redis_says("DEL pb:{demo}:app:%s", t.app_id);
    assert_int_equal(update_template(&t, "two"), ERR_NOTFOUND);
}

static void freeing_answers_a_change_that_is_under_way(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    struct pin_app app = b->app;
    unsigned before = b->answers;
    pin_registry_update_app(b->reg, &app, app_cb, b);
    pin_registry_update_template(b->reg, "demo", &t, template_cb, b);
    pin_registry_find_revision(b->reg, "demo", &(struct pin_template_ref){t.app_id, t.id, 1},
                               template_cb, b);
    pin_registry_free(b->reg);
    b->reg = NULL;
    assert_int_equal(b->answers, before + 3);
    assert_int_equal(b->result, ERR_CLOSED);
    RUN_UNTIL(b->rig, info_of(b->rig).pending == 0);
    assert_int_equal(b->answers, before + 3);
}

static void what_is_forgotten_is_asked_of_the_store_again(void **state)
{
    (void)state;
    make_template();
    struct pin_template t = b->tmpl;
    struct pin_app app = b->app;
    RUN_UNTIL(b->rig, b->reg->notices == 5); /* of the key; of both objects here and by the store */
    assert_int_equal(find_app(b->reg, &app), 0);
    expect_text(&t, 0, t.text);
    redis_says("HSET pb:{demo}:app:%s name Other", app.id); /* without a notice */
    redis_says("HSET pb:{demo}:msg:%s:%s text {{pin}}", app.id, t.id);
    assert_int_equal(find_app(b->reg, &app), 0);
    assert_string_equal(b->app.name, app.name);
    pin_registry_forget(b->reg, "demo", app.id, NULL);
    assert_int_equal(find_app(b->reg, &app), 0);
    assert_string_equal(b->app.name, "Other");
    expect_text(&t, 0, t.text);
    pin_registry_forget(b->reg, "demo", app.id, t.id);
    expect_text(&t, 0, "{{pin}}");
}

/* --- what the cache knows of keys ---------------------------------------------------------- */

static void a_good_key_is_known_for_an_hour_or_until_it_is_withdrawn(void **state)
{
    (void)state;
    make_account("demo");
    char key[PIN_API_KEY_SIZE];
    memcpy(key, b->key, sizeof key);
    assert_false(pin_registry_knows_key(b->reg, key, strlen(key)));
    assert_int_equal(ASK(FIND_KEY(b->reg, "pb_other")), ERR_NOTFOUND);
    assert_false(pin_registry_knows_key(b->reg, "pb_other", 8)); /* known to be absent */
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), 0);
    assert_true(pin_registry_knows_key(b->reg, key, strlen(key)));
    assert_false(pin_registry_knows_key(b->reg, key, strlen(key) - 1));
    skew_us += 3590000000;
    assert_true(pin_registry_knows_key(b->reg, key, strlen(key)));
    skew_us += 10000000;
    assert_false(pin_registry_knows_key(b->reg, key, strlen(key)));
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), 0);
    assert_true(pin_registry_knows_key(b->reg, key, strlen(key)));
    assert_int_equal(ASK(pin_registry_revoke_key(b->reg, key, account_cb, b)), 0);
    assert_false(pin_registry_knows_key(b->reg, key, strlen(key)));
}

static bool knows(struct pin_registry *reg, const char *key)
{
    return pin_registry_knows_key(reg, key, strlen(key));
}

static void a_key_that_went_without_a_notice_is_known_until_it_is_asked_for(void **state)
{
    (void)state;
    make_account("demo");
    char key[PIN_API_KEY_SIZE], name[REG_NAME_SIZE];
    memcpy(key, b->key, sizeof key);
    pin_reg_key_name(key, strlen(key), name);
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), 0);
    redis_says("DEL %s", name);
    skew_us += 5000000;
    assert_true(knows(b->reg, key));
    assert_int_equal(ASK(FIND_KEY(b->reg, key)), ERR_NOTFOUND);
    assert_false(knows(b->reg, key));
}

static void a_key_that_is_withdrawn_while_it_is_asked_for_is_not_known(void **state)
{
    (void)state;
    make_account("demo");
    char name[REG_NAME_SIZE];
    unsigned before = b->answers;
    pin_reg_key_name(b->key, strlen(b->key), name);
    FIND_KEY(b->reg, b->key);
    assert_int_equal(b->answers, before); /* the answer is on its way */
    pin_reg_changed(b->reg, name);
    RUN_UNTIL(b->rig, b->answers == before + 1);
    assert_int_equal(b->result, 0);
    assert_false(knows(b->reg, b->key));
}

static void a_withdrawal_whose_answer_is_lost_is_heeded_here(void **state)
{
    (void)state;
    struct proxy p;
    char key[PIN_API_KEY_SIZE], name[REG_NAME_SIZE];
    make_account("demo");
    memcpy(key, b->key, sizeof key);
    pin_reg_key_name(key, strlen(key), name);
    second_gateway_behind(&p);
    /* the script is loaded */
    assert_int_equal(ASK(pin_registry_revoke_key(b->reg, "pb_", account_cb, b)), ERR_NOTFOUND);
    while (!knows(b->reg2, key)) /* the notice of its making may come late */
        assert_int_equal(ASK(FIND_KEY(b->reg2, key)), 0);
    p.holds = true;
    unsigned before = b->answers;
    pin_registry_revoke_key(b->reg2, key, account_cb, b);
    RUN_UNTIL(b->rig, redis_number("EXISTS %s", name) == 0);
    assert_int_equal(b->answers, before);
    assert_true(knows(b->reg2, key));
    proxy_cut(&p);
    p.holds = false;
    RUN_UNTIL(b->rig, b->answers == before + 1);
    assert_int_equal(b->result, ERR_LOST);
    assert_false(knows(b->reg2, key));
    proxy_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_changed_application_is_found_changed_at_once),
        T(a_change_is_seen_at_another_gateway_after_the_notice),
        T(what_is_not_there_is_not_changed_into_being),
        T(a_change_that_could_not_be_read_back_is_refused),
        T(a_changed_template_has_the_next_revision_and_the_earlier_ones_are_kept),
        T(an_earlier_revision_lives_as_long_as_a_pin_of_then_and_a_day),
        T(the_last_hundred_revisions_are_kept),
        T(two_gateways_changing_at_once_give_two_revisions),
        T(a_revision_that_was_asked_for_too_early_is_found_later),
        T(a_revision_that_the_cache_does_not_know_yet_is_asked_for),
        T(a_revision_of_what_is_not_there_is_not_found),
        T(what_is_only_carried_comes_back_and_can_be_taken_away),
        T(a_template_written_before_there_were_such_fields_is_read_and_changed),
        T(a_change_whose_answer_is_lost_is_forgotten_here),
        T(a_change_of_a_template_may_lose_each_of_its_answers),
        T(while_the_store_is_away_changes_are_unavailable),
        T(an_application_whose_life_makes_no_sense_changes_no_template),
        T(freeing_answers_a_change_that_is_under_way),
        T(what_is_forgotten_is_asked_of_the_store_again),
        T(a_good_key_is_known_for_an_hour_or_until_it_is_withdrawn),
        T(a_key_that_went_without_a_notice_is_known_until_it_is_asked_for),
        T(a_key_that_is_withdrawn_while_it_is_asked_for_is_not_known),
        T(a_withdrawal_whose_answer_is_lost_is_heeded_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
