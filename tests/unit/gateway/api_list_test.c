/*
 * Lists of objects with the registry played by this file: finds are answered inside the call, or
 * held until the test answers them, in any order and with any result.
 */
#include "gateway/api_objects.h"

#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS_MAX 8000
#define WINDOW  32

static struct {
    pin_names_cb names_cb;
    pin_app_cb app_cb;
    pin_template_cb template_cb;
    void *list_arg;
    bool at_once;         /* finds are answered inside the call ... */
    unsigned at_once_not; /* ... but for this one */
    unsigned asked;
    unsigned ids[IDS_MAX];
    void *args[IDS_MAX];
    unsigned forgotten;
    bool is_long; /* each is as long as can be */

    unsigned answers;
    int err; /* of api_fail_result() */
    char *json;
} t;

static void answer(unsigned i, int result)
{
    struct pin_app app = {.enabled = true};
    struct pin_template tmpl = {.spec = {.length = 6}};
    snprintf(app.id, sizeof app.id, "%u", t.ids[i]);
    snprintf(tmpl.id, sizeof tmpl.id, "%u", t.ids[i]);
    if (t.is_long)
        memset(tmpl.text, 0xff, PIN_TEXT_MAX); /* three octets each in JSON */
    if (t.app_cb)
        t.app_cb(t.args[i], result, result ? NULL : &app);
    else
        t.template_cb(t.args[i], result, result ? NULL : &tmpl);
}

static void asked(const char *id, void *arg)
{
    unsigned i = t.asked++;
    assert_true(i < IDS_MAX);
    t.ids[i] = (unsigned)strtoul(id, NULL, 10);
    t.args[i] = arg;
    if (t.at_once && t.ids[i] != t.at_once_not)
        answer(i, 0);
}

/* --- what the list calls -------------------------------------------------------------------- */

void pin_registry_list_apps(struct pin_registry *r, const char *account, pin_names_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    t.names_cb = cb;
    t.list_arg = arg;
}

void pin_registry_list_templates(struct pin_registry *r, const char *account, const char *app_id,
                                 pin_names_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    assert_string_equal(app_id, "APP");
    t.names_cb = cb;
    t.list_arg = arg;
}

void pin_registry_find_app(struct pin_registry *r, const char *account, const char *app_id,
                           pin_app_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    t.app_cb = cb;
    asked(app_id, arg);
}

void pin_registry_find_template(struct pin_registry *r, const char *account, const char *app_id,
                                const char *id, pin_template_cb cb, void *arg)
{
    (void)r;
    assert_string_equal(account, "demo");
    assert_string_equal(app_id, "APP");
    t.template_cb = cb;
    asked(id, arg);
}

void pin_registry_forget(struct pin_registry *r, const char *account, const char *app_id,
                         const char *id)
{
    (void)r, (void)account, (void)app_id, (void)id;
    t.forgotten++;
}

void api_fail_result(struct api_call *c, int err, const char *what)
{
    (void)c, (void)what;
    t.answers++;
    t.err = err;
}

void api_fail(struct api_call *c, enum answer_code code, const char *field, const char *fmt, ...)
{
    (void)c, (void)field;
    bool is_long = code == ANSWER_BAD_REQUEST;
    t.answers++;
    assert_true(is_long || code == ANSWER_UNAVAILABLE);
    assert_string_equal(fmt, is_long ? "the list is over %zu MiB: ask for each by its id"
                                     : "too many long lists at a time, try again");
    t.err = is_long ? ERR_TOOLONG : ERR_FULL;
}

void api_reply(struct api_call *c, int status, const char *json, size_t len)
{
    (void)c;
    t.answers++;
    assert_int_equal(status, 200);
    t.json = strndup(json, len);
}

/* --- cases -------------------------------------------------------------------------------- */

static const struct api_env env;
static struct api api;
static struct api_call call = {.api = &api, .env = &env, .account = "demo", .ids = {"APP"}};

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(t.json);
    assert_int_equal(api.list_octets, 0);
    return 0;
}

static void list(enum object_kind kind, unsigned n)
{
    char names[IDS_MAX][12];
    const char *views[IDS_MAX + 1];
    api_list(&call, kind);
    for (unsigned i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%u", i);
        views[i] = names[i];
    }
    t.names_cb(t.list_arg, 0, views, n);
    memset(names, 'x', sizeof names); /* they are valid during the call only */
}

/* The ids of the answer are 0.. without those left out; UINT32_MAX: nothing is. */
static void expect_ids(const char *key, unsigned n, unsigned left_out)
{
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.err, 0);
    json_t *all = json_loads(t.json, 0, NULL);
    assert_true(json_is_array(all));
    size_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        if (i == left_out)
            continue;
        const char *id = json_string_value(json_object_get(json_array_get(all, at++), key));
        assert_non_null(id);
        assert_int_equal(strtoul(id, NULL, 10), i);
    }
    assert_int_equal(json_array_size(all), at);
    json_decref(all);
}

static void nothing_is_an_empty_array(void **state)
{
    (void)state;
    list(OBJECT_APP, 0);
    assert_int_equal(t.asked, 0);
    expect_ids("applicationId", 0, UINT32_MAX);
    assert_string_equal(t.json, "[]");
}

static void so_many_are_asked_for_at_a_time_and_written_in_order(void **state)
{
    (void)state;
    list(OBJECT_APP, 100);
    assert_int_equal(t.asked, WINDOW);
    for (unsigned i = WINDOW; i-- > 1;)
        answer(i, 0); /* the last first: none can be written yet */
    assert_int_equal(t.asked, WINDOW);
    answer(0, 0);
    assert_int_equal(t.asked, 2 * WINDOW);
    for (unsigned i = WINDOW; i < 100; i++) {
        assert_int_equal(t.answers, 0);
        answer(i ^ 1, 0);
    }
    expect_ids("applicationId", 100, UINT32_MAX);
}

static void what_is_answered_inside_the_call_is_no_matter(void **state)
{
    (void)state;
    t.at_once = true;
    t.at_once_not = UINT32_MAX;
    list(OBJECT_TEMPLATE, 600);
    expect_ids("messageId", 600, UINT32_MAX);
    assert_int_equal(t.forgotten, 600 / 128); /* these would have come from the store */
}

static void one_that_is_late_holds_up_a_window_only(void **state)
{
    (void)state;
    t.at_once = true;
    t.at_once_not = 40;
    list(OBJECT_APP, 600);
    assert_int_equal(t.asked, 40 + WINDOW);
    answer(40, 0);
    expect_ids("applicationId", 600, UINT32_MAX);
}

static void one_that_is_gone_is_left_out(void **state)
{
    (void)state;
    static const unsigned gone[] = {0, 7, 9};
    for (size_t i = 0; i < 3; i++) {
        setup(NULL);
        t.at_once = true;
        t.at_once_not = gone[i];
        list(OBJECT_APP, 10);
        answer(gone[i], ERR_NOTFOUND);
        expect_ids("applicationId", 10, gone[i]);
        if (i < 2)
            teardown(NULL);
    }
}

static void all_that_are_gone_leave_an_empty_array(void **state)
{
    (void)state;
    list(OBJECT_APP, 2);
    answer(1, ERR_NOTFOUND);
    answer(0, ERR_NOTFOUND);
    assert_string_equal(t.json, "[]");
}

static void trouble_ends_it_once_everything_asked_for_is_there(void **state)
{
    (void)state;
    list(OBJECT_APP, 100);
    answer(3, 0);
    answer(5, ERR_TIMEOUT);
    answer(0, ERR_LOST);
    for (unsigned i = 1; i < WINDOW; i++)
        if (i != 3 && i != 5) {
            assert_int_equal(t.answers, 0);
            answer(i, i % 2 ? 0 : ERR_CLOSED);
        }
    assert_int_equal(t.asked, WINDOW);
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.err, ERR_TIMEOUT);
    assert_null(t.json);
}

static void a_list_that_is_too_long_is_an_error(void **state)
{
    (void)state;
    t.at_once = t.is_long = true;
    t.at_once_not = UINT32_MAX;
    list(OBJECT_TEMPLATE, 6000);
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.err, 0);
    assert_int_equal(t.json[strlen(t.json) - 1], ']');
    free(t.json);
    t.json = NULL;
    t.asked = 0;
    list(OBJECT_TEMPLATE, IDS_MAX);
    assert_int_equal(t.answers, 2);
    assert_int_equal(t.err, ERR_TOOLONG);
    assert_true(t.asked < IDS_MAX);
    assert_null(t.json);
}

static void long_lists_at_a_time_are_bounded(void **state)
{
    (void)state;
    t.at_once = true;
    t.at_once_not = 40;
    list(OBJECT_APP, 100);
    assert_true(api.list_octets > 0);
    api.list_octets += (size_t)64 << 20; /* others */
    answer(40, 0);
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.err, ERR_FULL);
    api.list_octets -= (size_t)64 << 20;
}

static void ids_that_cannot_be_had_are_its_end(void **state)
{
    (void)state;
    api_list(&call, OBJECT_TEMPLATE);
    t.names_cb(t.list_arg, ERR_NOTFOUND, NULL, 0);
    assert_int_equal(t.answers, 1);
    assert_int_equal(t.err, ERR_NOTFOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(nothing_is_an_empty_array),
        T(so_many_are_asked_for_at_a_time_and_written_in_order),
        T(what_is_answered_inside_the_call_is_no_matter),
        T(one_that_is_late_holds_up_a_window_only),
        T(one_that_is_gone_is_left_out),
        T(all_that_are_gone_leave_an_empty_array),
        T(trouble_ends_it_once_everything_asked_for_is_there),
        T(a_list_that_is_too_long_is_an_error),
        T(long_lists_at_a_time_are_bounded),
        T(ids_that_cannot_be_had_are_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
