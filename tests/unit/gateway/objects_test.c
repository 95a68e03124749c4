#include "gateway/objects.h"

#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct object_wrong wrong;

static int read_text(struct object *io, const char *json, enum object_act act, int version)
{
    json_error_t e;
    json_t *body = json_loads(json, 0, &e);
    assert_non_null(body);
    memset(&wrong, 0, sizeof wrong);
    int err = object_read(io, body, act, version, &wrong);
    json_decref(body);
    return err;
}

static const char *written(const struct object *o)
{
    static char out[OBJECT_JSON_MAX + 1];
    struct wr w = wr_init(out, sizeof out);
    object_write(o, &w);
    wr_end(&w);
    assert_false(w.bad);
    json_t *parsed = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    json_decref(parsed);
    return out;
}

static struct object app_of(const char *json)
{
    struct object o;
    object_init(&o, OBJECT_APP);
    assert_int_equal(read_text(&o, json, OBJECT_CREATE, 2), 0);
    return o;
}

static struct object template_of(const char *json)
{
    struct object o;
    object_init(&o, OBJECT_TEMPLATE);
    assert_int_equal(read_text(&o, json, OBJECT_CREATE, 2), 0);
    return o;
}

static void a_new_application_has_every_default(void **state)
{
    (void)state;
    struct object o = app_of("{\"name\": \"Shop\"}");
    str_copy(o.app.id, sizeof o.app.id, "A0");
    assert_string_equal(
        written(&o),
        "{\"applicationId\":\"A0\",\"name\":\"Shop\",\"enabled\":true,\"configuration\":{"
        "\"pinAttempts\":10,\"allowMultiplePinVerifications\":true,\"pinTimeToLive\":\"15m\","
        "\"verifyPinLimit\":\"1/3s\",\"sendPinPerApplicationLimit\":\"10000/1d\","
        "\"sendPinPerPhoneNumberLimit\":\"3/1d\"}}");
}

static void what_was_given_comes_back_as_it_was_given(void **state)
{
    (void)state;
    struct object o = app_of("{\"name\": \"\\u010cudo \\\"x\\\"\", \"enabled\": false,"
                             "\"configuration\": {\"pinAttempts\": 3, \"pinTimeToLive\": \"h\","
                             "\"allowMultiplePinVerifications\": false, \"verifyPinLimit\":"
                             "\"02/s\", \"unknown\": [1]}, \"processId\": null, \"more\": {}}");
    assert_string_equal(
        written(&o),
        "{\"name\":\"\xc4\x8cudo "
        "\\\"x\\\"\",\"enabled\":false,\"configuration\":{\"pinAttempts\":3,"
        "\"allowMultiplePinVerifications\":false,\"pinTimeToLive\":\"h\",\"verifyPinLimit\":"
        "\"02/s\",\"sendPinPerApplicationLimit\":\"10000/1d\",\"sendPinPerPhoneNumberLimit\":"
        "\"3/1d\"}}");
    assert_int_equal(o.app.policy.ttl_ms, 3600000);
    assert_int_equal(o.app.policy.verify.count, 2);
}

static void an_update_of_an_application_merges_field_by_field(void **state)
{
    (void)state;
    struct object o = app_of("{\"name\": \"a\", \"enabled\": false, \"configuration\": "
                             "{\"pinAttempts\": 3, \"pinTimeToLive\": \"5m\"}}");
    assert_int_equal(read_text(&o,
                               "{\"name\": \"b\", \"configuration\": {\"pinTimeToLive\": "
                               "\"6m\", \"pinAttempts\": null}}",
                               OBJECT_UPDATE, 2),
                     0);
    assert_string_equal(o.app.name, "b");
    assert_false(o.app.enabled);
    assert_int_equal(o.app.policy.pin_attempts, 3);
    assert_string_equal(o.app.policy.ttl_text, "6m");
}

static void version_2_needs_the_name_to_change_an_application_version_1_does_not(void **state)
{
    (void)state;
    struct object o = app_of("{\"name\": \"a\"}");
    assert_int_equal(read_text(&o, "{\"enabled\": false}", OBJECT_UPDATE, 2), ERR_INVALID);
    assert_string_equal(wrong.field, "name");
    assert_int_equal(read_text(&o, "{\"enabled\": false}", OBJECT_UPDATE, 1), 0);
    assert_false(o.app.enabled);
}

static void a_new_template_has_every_default(void **state)
{
    (void)state;
    struct object o = template_of("{\"messageText\": \"PIN {{pin}}\", \"pinType\": \"HEX\"}");
    str_copy(o.tmpl.id, sizeof o.tmpl.id, "M0");
    str_copy(o.tmpl.app_id, sizeof o.tmpl.app_id, "A0");
    assert_string_equal(written(&o),
                        "{\"messageId\":\"M0\",\"applicationId\":\"A0\",\"pinPlaceholder\":"
                        "\"{{pin}}\",\"messageText\":\"PIN {{pin}}\",\"pinType\":\"HEX\","
                        "\"pinLength\":6,\"language\":\"en\"}");
}

static const char full_template[] =
    "{\"pinPlaceholder\":\"{{pin}}\",\"messageText\":\"{{pin}}\\n{{name}}\",\"pinType\":\"ALPHA\","
    "\"pinLength\":32,\"senderId\":\"InfoSMS\",\"language\":\"pt_br\",\"maxSegments\":10,"
    "\"repeatDTMF\":\"1#\",\"speechRate\":0.75,\"voiceName\":\"Joanna\",\"regional\":{\"indiaDlt\":"
    "{"
    "\"principalEntityId\":\"1701\",\"contentTemplateId\":\"1107\",\"teleMarketerId\":\"99\"}}}";

static void every_field_of_a_template_comes_back(void **state)
{
    (void)state;
    struct object o = template_of(full_template);
    assert_string_equal(written(&o), full_template);
}

static void an_update_of_a_template_merges_field_by_field_and_may_take_away(void **state)
{
    (void)state;
    struct object o = template_of(full_template);
    assert_int_equal(read_text(&o,
                               "{\"senderId\": \"\", \"repeatDTMF\": \"\", \"speechRate\": 2, "
                               "\"maxSegments\": 1, "
                               "\"regional\": {\"indiaDlt\": {\"contentTemplateId\": \"\"}}}",
                               OBJECT_UPDATE, 2),
                     0);
    assert_string_equal(
        written(&o),
        "{\"pinPlaceholder\":\"{{pin}}\",\"messageText\":\"{{pin}}\\n{{name}}\",\"pinType\":"
        "\"ALPHA\",\"pinLength\":32,\"language\":\"pt_br\",\"speechRate\":2,\"voiceName\":"
        "\"Joanna\",\"regional\":{\"indiaDlt\":{\"principalEntityId\":\"1701\","
        "\"teleMarketerId\":\"99\"}}}");
}

static void an_entity_is_needed_with_the_other_dlt_ids_unless_it_is_there(void **state)
{
    (void)state;
    struct object o = template_of("{\"messageText\": \"{{pin}}\", \"pinType\": \"HEX\"}");
    assert_int_equal(read_text(&o, "{\"regional\": {\"indiaDlt\": {\"teleMarketerId\": \"1\"}}}",
                               OBJECT_UPDATE, 2),
                     ERR_INVALID);
    assert_string_equal(wrong.field, "regional.indiaDlt.principalEntityId");
    assert_int_equal(read_text(&o, "{\"regional\": {}}", OBJECT_UPDATE, 2), 0);
    assert_int_equal(read_text(&o, "{\"regional\": {\"indiaDlt\": {\"principalEntityId\": \"1\"}}}",
                               OBJECT_UPDATE, 2),
                     0);
    assert_int_equal(read_text(&o, "{\"regional\": {\"indiaDlt\": {\"teleMarketerId\": \"1\"}}}",
                               OBJECT_UPDATE, 2),
                     0);
}

static void an_entity_is_taken_away_with_the_other_dlt_ids_only(void **state)
{
    (void)state;
    struct object o = template_of(full_template);
    assert_int_equal(read_text(&o, "{\"regional\": {\"indiaDlt\": {\"principalEntityId\": \"\"}}}",
                               OBJECT_UPDATE, 2),
                     ERR_INVALID);
    assert_string_equal(wrong.field, "regional.indiaDlt.principalEntityId");
    o = template_of(full_template);
    assert_int_equal(read_text(&o,
                               "{\"regional\": {\"indiaDlt\": {\"principalEntityId\": \"\", "
                               "\"contentTemplateId\": \"\", \"teleMarketerId\": \"\"}}}",
                               OBJECT_UPDATE, 2),
                     0);
    assert_null(strstr(written(&o), "regional"));
}

static void sender_means_sender_id_under_version_1_only(void **state)
{
    (void)state;
    struct object o = template_of("{\"messageText\": \"{{pin}}\", \"pinType\": \"HEX\"}");
    assert_int_equal(read_text(&o, "{\"sender\": \"Shop\"}", OBJECT_UPDATE, 2), 0);
    assert_string_equal(o.tmpl.sender, "");
    assert_int_equal(read_text(&o, "{\"sender\": \"Shop\"}", OBJECT_UPDATE, 1), 0);
    assert_string_equal(o.tmpl.sender, "Shop");
    assert_null(strstr(written(&o), "\"sender\":"));
}

/* What every wrong value leads to: the field, and that the sentence says something. */
static void every_wrong_value_names_its_field(void **state)
{
    (void)state;
    static const struct {
        enum object_kind kind;
        const char *json, *field;
    } cases[] = {
        {OBJECT_APP, "{}", "name"},
        {OBJECT_APP, "{\"name\": null}", "name"},
        {OBJECT_APP, "{\"name\": 1}", "name"},
        {OBJECT_APP, "{\"name\": \"\"}", "name"},
        {OBJECT_APP, "{\"name\": \"a\\nb\"}", "name"},
        {OBJECT_APP, "{\"name\": \"a\", \"enabled\": 1}", "enabled"},
        {OBJECT_APP, "{\"name\": \"a\", \"enabled\": \"true\"}", "enabled"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": []}", "configuration"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": \"x\"}", "configuration"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinAttempts\": \"3\"}}",
         "configuration.pinAttempts"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinAttempts\": 3.5}}",
         "configuration.pinAttempts"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinAttempts\": 0}}",
         "configuration.pinAttempts"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinAttempts\": -1}}",
         "configuration.pinAttempts"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinAttempts\": 9223372036854775807}}",
         "configuration.pinAttempts"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"allowMultiplePinVerifications\": 1}}",
         "configuration.allowMultiplePinVerifications"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinTimeToLive\": \"2y\"}}",
         "configuration.pinTimeToLive"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"pinTimeToLive\": 900000}}",
         "configuration.pinTimeToLive"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"verifyPinLimit\": \"1/2d\"}}",
         "configuration.verifyPinLimit"},
        {OBJECT_APP, "{\"name\": \"a\", \"configuration\": {\"sendPinPerApplicationLimit\": \"\"}}",
         "configuration.sendPinPerApplicationLimit"},
        {OBJECT_APP,
         "{\"name\": \"a\", \"configuration\": {\"sendPinPerPhoneNumberLimit\": \"/1d\"}}",
         "configuration.sendPinPerPhoneNumberLimit"},
        {OBJECT_TEMPLATE, "{\"pinType\": \"HEX\"}", "messageText"},
        {OBJECT_TEMPLATE, "{\"messageText\": \"{{pin}}\"}", "pinType"},
        {OBJECT_TEMPLATE, "{\"messageText\": \"{{pin}}\", \"pinType\": \"hex\"}", "pinType"},
        {OBJECT_TEMPLATE, "{\"messageText\": \"no\", \"pinType\": \"HEX\"}", "messageText"},
        {OBJECT_TEMPLATE, "{\"messageText\": \"{{pin}}{{pin}}\", \"pinType\": \"HEX\"}",
         "messageText"},
        {OBJECT_TEMPLATE, "{\"messageText\": {}, \"pinType\": \"HEX\"}", "messageText"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct object o;
        object_init(&o, cases[i].kind);
        assert_int_equal(read_text(&o, cases[i].json, OBJECT_CREATE, 2), ERR_INVALID);
        assert_string_equal(wrong.field, cases[i].field);
        assert_true(strlen(wrong.text) > 5);
    }
}

static void every_wrong_value_of_a_change_names_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *json, *field;
    } cases[] = {
        {"{\"pinLength\": 3}", "pinLength"},
        {"{\"pinLength\": 33}", "pinLength"},
        {"{\"pinLength\": \"6\"}", "pinLength"},
        {"{\"pinLength\": 6.0}", "pinLength"},
        {"{\"pinLength\": 4294967302}", "pinLength"},
        {"{\"senderId\": \"twelve chars\"}", "senderId"},
        {"{\"senderId\": \"1234567890123456\"}", "senderId"},
        {"{\"senderId\": \"\\u010cudo\"}", "senderId"},
        {"{\"language\": \"EN\"}", "language"},
        {"{\"language\": \"\"}", "language"},
        {"{\"repeatDTMF\": \"1234567890123456\"}", "repeatDTMF"},
        {"{\"repeatDTMF\": 1}", "repeatDTMF"},
        {"{\"maxSegments\": 0}", "maxSegments"},
        {"{\"maxSegments\": 11}", "maxSegments"},
        {"{\"maxSegments\": \"2\"}", "maxSegments"},
        {"{\"speechRate\": 0.4}", "speechRate"},
        {"{\"speechRate\": 2.1}", "speechRate"},
        {"{\"speechRate\": \"1\"}", "speechRate"},
        {"{\"voiceName\": \"a\\u0007\"}", "voiceName"},
        {"{\"voiceName\": \"a\\u007f\"}", "voiceName"},
        {"{\"regional\": 1}", "regional"},
        {"{\"regional\": {\"indiaDlt\": []}}", "regional.indiaDlt"},
        {"{\"regional\": {\"indiaDlt\": {\"principalEntityId\": "
         "\"1234567890123456789012345678901\"}}}",
         "regional.indiaDlt.principalEntityId"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct object o = template_of("{\"messageText\": \"{{pin}}\", \"pinType\": \"HEX\"}");
        assert_int_equal(read_text(&o, cases[i].json, OBJECT_UPDATE, 2), ERR_INVALID);
        assert_string_equal(wrong.field, cases[i].field);
        assert_true(strlen(wrong.text) > 5);
    }
}

static void what_the_gateway_sets_itself_is_not_read(void **state)
{
    (void)state;
    struct object o = template_of("{\"messageId\": \"X\", \"applicationId\": 5, \"pinPlaceholder\":"
                                  "\"<pin>\", \"messageText\": \"{{pin}}\", \"pinType\": \"HEX\"}");
    assert_string_equal(o.tmpl.id, "");
    assert_string_equal(o.tmpl.app_id, "");
    assert_int_equal(object_set(&o, "messageId", "X", &wrong), ERR_NOTFOUND);
}

static void a_field_is_set_from_text_by_its_path(void **state)
{
    (void)state;
    struct object o;
    char names[256];
    object_init(&o, OBJECT_APP);
    assert_int_equal(object_set(&o, "configuration.pinAttempts", "7", &wrong), 0);
    assert_int_equal(o.app.policy.pin_attempts, 7);
    assert_int_equal(object_set(&o, "enabled", "false", &wrong), 0);
    assert_false(o.app.enabled);
    assert_int_equal(object_set(&o, "enabled", "yes", &wrong), ERR_INVALID);
    assert_int_equal(object_set(&o, "pinAttempts", "7", &wrong), ERR_NOTFOUND);
    assert_int_equal(object_set(&o, "configuration.pinAttempts", "x", &wrong), ERR_INVALID);
    assert_string_equal(wrong.field, "configuration.pinAttempts");
    object_names(OBJECT_APP, "configuration.", names, sizeof names);
    assert_string_equal(names, "pinAttempts, allowMultiplePinVerifications, pinTimeToLive, "
                               "verifyPinLimit, sendPinPerApplicationLimit, "
                               "sendPinPerPhoneNumberLimit");
    object_names(OBJECT_APP, "", names, sizeof names);
    assert_string_equal(names, "name, enabled");
    object_init(&o, OBJECT_TEMPLATE);
    assert_int_equal(object_set(&o, "messageText", "\xff{{pin}}", &wrong), ERR_INVALID);
    assert_string_equal(wrong.text, "the text is not UTF-8");
}

static void the_longest_object_fits_and_is_json(void **state)
{
    (void)state;
    struct object o = template_of(full_template);
    memset(o.tmpl.text, '"', PIN_TEXT_MAX);
    o.tmpl.text[PIN_TEXT_MAX] = 0;
    memset(o.tmpl.voice_name, 0xff, sizeof o.tmpl.voice_name - 1);
    memset(o.tmpl.dlt_telemarketer, 0xff, sizeof o.tmpl.dlt_telemarketer - 1);
    str_copy(o.tmpl.speech_rate, sizeof o.tmpl.speech_rate, "inf");
    assert_true(strlen(written(&o)) > 2 * PIN_TEXT_MAX);
    memset(o.tmpl.text, 0xff, PIN_TEXT_MAX);
    assert_true(strlen(written(&o)) > 3 * PIN_TEXT_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_application_has_every_default),
        cmocka_unit_test(what_was_given_comes_back_as_it_was_given),
        cmocka_unit_test(an_update_of_an_application_merges_field_by_field),
        cmocka_unit_test(version_2_needs_the_name_to_change_an_application_version_1_does_not),
        cmocka_unit_test(a_new_template_has_every_default),
        cmocka_unit_test(every_field_of_a_template_comes_back),
        cmocka_unit_test(an_update_of_a_template_merges_field_by_field_and_may_take_away),
        cmocka_unit_test(an_entity_is_needed_with_the_other_dlt_ids_unless_it_is_there),
        cmocka_unit_test(an_entity_is_taken_away_with_the_other_dlt_ids_only),
        cmocka_unit_test(sender_means_sender_id_under_version_1_only),
        cmocka_unit_test(every_wrong_value_names_its_field),
        cmocka_unit_test(every_wrong_value_of_a_change_names_its_field),
        cmocka_unit_test(what_the_gateway_sets_itself_is_not_read),
        cmocka_unit_test(a_field_is_set_from_text_by_its_path),
        cmocka_unit_test(the_longest_object_fits_and_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
