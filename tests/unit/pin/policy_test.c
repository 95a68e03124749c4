#include "tests/unit/pin/ring.h"

#include "base/result.h"

#define DAY INT64_C(86400000)

static void periods_are_read_as_the_contract_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"15m", 900000},
        {"h", 3600000},
        {"ms", 1},
        {"250ms", 250},
        {"10s", 10000},
        {"2d", 2 * DAY},
        {"007s", 7000},
        {"0s", 0},
        {"", -1},
        {"15", -1},
        {"15 m", -1},
        {" 15m", -1},
        {"15m ", -1},
        {"15M", -1},
        {"-1m", -1},
        {"+1m", -1},
        {"1.5h", -1},
        {"1w", -1},
        {"1hm", -1},
        {"m1", -1},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", -1},
        {"9223372036854775807s", -1},
        {"106751991167d", INT64_C(106751991167) * DAY},
        {"106751991168d", -1},
        {"99999999999999999999999d", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 42;
        int err = pin_period_parse(cases[i].text, &ms);
        if (cases[i].ms == -1 ? err != ERR_INVALID : err != 0 || ms != cases[i].ms)
            fail_msg("'%s' gives %d, %lld", cases[i].text, err, (long long)ms);
    }
}

static void limits_are_read_as_the_contract_says(void **state)
{
    (void)state;
    struct pin_limit l;
    assert_int_equal(pin_limit_parse("1/3s", &l), 0);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.window_ms, 3000);
    assert_string_equal(l.text, "1/3s");
    assert_int_equal(pin_limit_parse("30/d", &l), 0);
    assert_int_equal(l.count, 30);
    assert_int_equal(l.window_ms, DAY);
    assert_int_equal(pin_limit_parse("4294967295/ms", &l), 0);
    static const char *const bad[] = {"",
                                      "/3s",
                                      "3",
                                      "3/",
                                      "3/1",
                                      "3/1x",
                                      "3/ 1s",
                                      "3 /1s",
                                      "-3/1s",
                                      "3//1s",
                                      "4294967296/1s",
                                      "3/1s/1s",
                                      "1/0000000000000000000000001s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pin_limit before = l;
        if (pin_limit_parse(bad[i], &l) != ERR_INVALID)
            fail_msg("'%s' is taken", bad[i]);
        assert_string_equal(before.text, l.text);
    }
}

static void the_defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct pin_policy p, q;
    char why[256];
    pin_policy_default(&p);
    pin_policy_default(&q);
    static const char *const same[][2] = {{"pinAttempts", "10"},
                                          {"allowMultiplePinVerifications", "true"},
                                          {"pinTimeToLive", "15m"},
                                          {"verifyPinLimit", "1/3s"},
                                          {"sendPinPerApplicationLimit", "10000/1d"},
                                          {"sendPinPerPhoneNumberLimit", "3/1d"}};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pin_policy_set(&q, same[i][0], same[i][1], why, sizeof why), 0);
    assert_int_equal(p.pin_attempts, q.pin_attempts);
    assert_int_equal(p.allow_multiple, q.allow_multiple);
    assert_int_equal(p.ttl_ms, q.ttl_ms);
    assert_string_equal(p.ttl_text, q.ttl_text);
    const struct pin_limit *a[] = {&p.verify, &p.per_app, &p.per_phone};
    const struct pin_limit *b[] = {&q.verify, &q.per_app, &q.per_phone};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a[i]->count, b[i]->count);
        assert_int_equal(a[i]->window_ms, b[i]->window_ms);
        assert_string_equal(a[i]->text, b[i]->text);
    }
}

static void settings_inside_their_bounds_are_taken(void **state)
{
    (void)state;
    struct pin_policy p;
    char why[256];
    pin_policy_default(&p);
    assert_int_equal(pin_policy_set(&p, "pinAttempts", "1000", why, sizeof why), 0);
    assert_int_equal(p.pin_attempts, 1000);
    assert_int_equal(pin_policy_set(&p, "allowMultiplePinVerifications", "False", why, 256), 0);
    assert_false(p.allow_multiple);
    assert_int_equal(pin_policy_set(&p, "allowMultiplePinVerifications", "1", why, 256), 0);
    assert_true(p.allow_multiple);
    assert_int_equal(pin_policy_set(&p, "pinTimeToLive", "365d", why, sizeof why), 0);
    assert_int_equal(p.ttl_ms, 365 * DAY);
    assert_string_equal(p.ttl_text, "365d");
    assert_int_equal(pin_policy_set(&p, "verifyPinLimit", "2/24h", why, sizeof why), 0);
    assert_int_equal(p.verify.window_ms, DAY);
    assert_int_equal(pin_policy_set(&p, "sendPinPerApplicationLimit", "1/365d", why, 256), 0);
    assert_int_equal(p.per_app.window_ms, 365 * DAY);
    assert_int_equal(pin_policy_set(&p, "sendPinPerPhoneNumberLimit", "5/h", why, 256), 0);
    assert_int_equal(p.per_phone.count, 5);
    assert_string_equal(p.per_phone.text, "5/h");
}

static void settings_outside_their_bounds_name_the_key_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"pinAttempts", "0"},
        {"pinAttempts", "1001"},
        {"pinAttempts", "-1"},
        {"pinAttempts", ""},
        {"pinAttempts", "ten"},
        {"pinAttempts", "10 "},
        {"pinAttempts", "18446744073709551617"},
        {"allowMultiplePinVerifications", "yes"},
        {"allowMultiplePinVerifications", ""},
        {"pinTimeToLive", "0m"},
        {"pinTimeToLive", "366d"},
        {"pinTimeToLive", "31536000001ms"},
        {"pinTimeToLive", "15"},
        {"pinTimeToLive", "000000000000015m"},
        {"verifyPinLimit", "1/86400001ms"},
        {"verifyPinLimit", "1/2d"},
        {"verifyPinLimit", "0/3s"},
        {"verifyPinLimit", "1/0s"},
        {"sendPinPerApplicationLimit", "1/366d"},
        {"sendPinPerApplicationLimit", "1000000001/1d"},
        {"sendPinPerPhoneNumberLimit", "3"},
        {"sendPinPerPhoneNumberLimit", "0/1d"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pin_policy p, before;
        char why[256] = "";
        memset(&p, 0, sizeof p);
        pin_policy_default(&p);
        before = p;
        int err = pin_policy_set(&p, bad[i][0], bad[i][1], why, sizeof why);
        if (err != ERR_INVALID || strncmp(why, bad[i][0], strlen(bad[i][0])) != 0)
            fail_msg("%s '%s': %d %s", bad[i][0], bad[i][1], err, why);
        assert_int_equal(p.pin_attempts, before.pin_attempts);
        assert_int_equal(p.ttl_ms, before.ttl_ms);
        assert_string_equal(p.verify.text, before.verify.text);
        assert_string_equal(p.per_app.text, before.per_app.text);
        assert_string_equal(p.per_phone.text, before.per_phone.text);
    }
}

static void an_unknown_setting_is_not_found(void **state)
{
    (void)state;
    struct pin_policy p;
    char why[256] = "";
    pin_policy_default(&p);
    assert_int_equal(pin_policy_set(&p, "pinattempts", "3", why, sizeof why), ERR_NOTFOUND);
    assert_true(why[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_are_read_as_the_contract_says),
        cmocka_unit_test(limits_are_read_as_the_contract_says),
        cmocka_unit_test(the_defaults_are_those_of_the_contract),
        cmocka_unit_test(settings_inside_their_bounds_are_taken),
        cmocka_unit_test(settings_outside_their_bounds_name_the_key_and_change_nothing),
        cmocka_unit_test(an_unknown_setting_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
