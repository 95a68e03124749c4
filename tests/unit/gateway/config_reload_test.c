/* Two configurations: what a running gateway takes over, and what it keeps. */
#include "tests/unit/gateway/config_rig.h"

#include <stdio.h>

#define PLAIN CARRIER "}\n" ROUTE "}\n"

/* Loads both, keeps what must be kept, and gives back what is in effect as text. */
static char *in_effect(const char *running_text, const char *fresh_text, char *kept, size_t size)
{
    struct config *running = load_text(running_text), *fresh = load_text(fresh_text);
    assert_int_equal(config_keep_running(fresh, running, kept, size), 0);
    config_free(running); /* nothing in fresh is the other one's */
    char *text = print_config(fresh);
    config_free(fresh);
    return text;
}

static char *printed(const char *text)
{
    struct config *config = load_text(text);
    char *out = print_config(config);
    config_free(config);
    return out;
}

static bool is_http_tls(const struct config_row *row)
{
    return strncmp(row->name, "tls_", 4) == 0;
}

static void check_row(const struct config_row *row)
{
    char number[300], kept[100], name[80];
    char *plain = file_with(&(struct config_row){.section = "", .name = "log_level"}, "\"info\"");
    char *other = file_with(row, other_value(row, number, sizeof number));
    char *got = in_effect(plain, other, kept, sizeof kept);
    char *want = printed(row->reloadable ? other : plain);
    snprintf(name, sizeof name, "%s%s%s", row->section, *row->section ? " " : "", row->name);
    assert_string_equal(kept, row->reloadable ? "" : name);
    assert_string_equal(got, want);
    free(got);
    free(want);
    free(other);
    free(plain);
}

static void each_row_is_taken_over_or_kept_as_its_flag_says(void **state)
{
    (void)state;
    size_t n, reloadable = 0;
    const struct config_row *rows = config_rows(&n);
    for (size_t i = 0; i < n; i++) {
        reloadable += rows[i].reloadable;
        if (strcmp(rows[i].section, "carrier") != 0 && strcmp(rows[i].section, "route") != 0 &&
            !is_http_tls(&rows[i]))
            check_row(&rows[i]);
        else
            assert_true(rows[i].reloadable);
    }
    assert_in_range(reloadable, 50, n - 15);
}

static enum config_change change_of(const char *a, const char *b)
{
    struct config *x = load_text(a), *y = load_text(b);
    enum config_change change = config_carrier_compare(&x->carriers[0], &y->carriers[0]);
    assert_int_equal(config_carrier_compare(&y->carriers[0], &x->carriers[0]), change);
    assert_int_equal(config_carrier_compare(&x->carriers[0], &x->carriers[0]), CONFIG_SAME);
    config_free(x);
    config_free(y);
    return change;
}

/* What names the peer or the account; all else goes on with the binds that are up. */
static bool is_of_the_bind(const char *key)
{
    static const char *const keys[] = {"host",
                                       "hosts",
                                       "port",
                                       "local_address",
                                       "system_id",
                                       "password",
                                       "system_type",
                                       "bind",
                                       "interface_version",
                                       "outbind_listen",
                                       "outbind_system_id",
                                       "outbind_password",
                                       "outbind_password_file"}; /* what it holds does */
    if (strncmp(key, "tls", 3) == 0 || strncmp(key, "address_", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static void each_key_of_a_carrier_binds_anew_or_not(void **state)
{
    (void)state;
    size_t n, seen = 0;
    const struct config_row *rows = config_rows(&n);
    for (size_t i = 0; i < n; i++) {
        char number[300];
        const char *value = other_value(&rows[i], number, sizeof number);
        if (strcmp(rows[i].section, "carrier") != 0)
            continue;
        char *plain = file_with(&(struct config_row){.section = "carrier", .name = "window"}, "10");
        char *other = file_with(&rows[i], value);
        enum config_change want = is_of_the_bind(rows[i].name) ? CONFIG_REBIND : CONFIG_IN_PLACE;
        if (change_of(plain, other) != want)
            fail_msg("carrier %s", rows[i].name);
        seen++;
        free(plain);
        free(other);
    }
    assert_true(seen > 25);
}

static void a_host_written_as_a_list_is_the_same(void **state)
{
    (void)state;
    char *one = file_with(&(struct config_row){.section = "carrier", .name = "host"}, "\"a\"");
    char *list = file_with(&(struct config_row){.section = "carrier", .name = "hosts"}, "{\"a\"}");
    char *two = file_with(&(struct config_row){.section = "carrier", .name = "hosts"},
                          "{\"a\", \"b\"}");
    assert_int_equal(change_of(one, list), CONFIG_SAME);
    assert_int_equal(change_of(list, two), CONFIG_REBIND);
    free(one);
    free(list);
    free(two);
}

static void a_password_is_compared_by_what_it_is_not_where_it_stands(void **state)
{
    (void)state;
    struct config_row row = {.section = "carrier", .name = "password_file"};
    char *file = file_with(&row, "\"acme.pass\""), *moved = file_with(&row, "\"moved.pass\"");
    write_file("moved.pass", "secret\n");
    struct config *before = load_text(file), *same = load_text(moved);
    assert_int_equal(config_carrier_compare(&before->carriers[0], &same->carriers[0]),
                     CONFIG_IN_PLACE);
    write_file("acme.pass", "rotated\n");
    struct config *after = load_text(file);
    write_file("acme.pass", "secret\n");
    assert_int_equal(config_carrier_compare(&before->carriers[0], &after->carriers[0]),
                     CONFIG_REBIND);
    config_free(before);
    config_free(same);
    config_free(after);
    free(file);
    free(moved);
}

static void a_file_of_tls_with_another_content_binds_anew(void **state)
{
    static const char *const keys[] = {"tls_ca_file", "tls_cert_file", "tls_key_file"};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct config_row row = {.section = "carrier", .name = keys[i]};
        char *file = file_with(&row, "\"tls.pem\"");
        write_file("tls.pem", "one");
        struct config *before = load_text(file), *same = load_text(file);
        write_file("tls.pem", "another");
        struct config *after = load_text(file);
        assert_int_equal(config_carrier_compare(&before->carriers[0], &same->carriers[0]),
                         CONFIG_SAME);
        assert_int_equal(config_carrier_compare(&before->carriers[0], &after->carriers[0]),
                         CONFIG_REBIND);
        config_free(before);
        config_free(same);
        config_free(after);
        free(file);
    }
}

static void the_password_of_the_store_stays(void **state)
{
    static const char text[] = ON_TOP("store { password_file = \"store.pass\" }");
    char kept[100];
    (void)state;
    write_file("store.pass", "first\n");
    struct config *running = load_text(text);
    write_file("store.pass", "second\n");
    struct config *fresh = load_text(text), *without = load_text(PLAIN);
    assert_int_equal(config_keep_running(fresh, running, kept, sizeof kept), 0);
    assert_string_equal(kept, "store password_file");
    assert_string_equal((const char *)fresh->store.password.data, "first");
    assert_int_equal(config_keep_running(without, running, kept, sizeof kept), 0);
    assert_string_equal(kept, "store password_file");
    assert_string_equal((const char *)without->store.password.data, "first");
    config_free(running);
    config_free(fresh);
    config_free(without);
}

static void tls_is_not_switched_on_or_off_but_its_files_may_change(void **state)
{
    static const char with[] = ON_TOP("http { tls_cert_file = \"/c\" tls_key_file = \"/k\" }");
    static const char other[] = ON_TOP("http { tls_cert_file = \"/c2\" tls_key_file = \"/k2\" }");
    static const char both[] = "http tls_cert_file, http tls_key_file";
    char kept[100];
    (void)state;
    char *text = in_effect(with, PLAIN, kept, sizeof kept);
    assert_string_equal(kept, both);
    assert_non_null(strstr(text, "tls_cert_file = \"/c\""));
    free(text);
    text = in_effect(PLAIN, with, kept, sizeof kept);
    assert_string_equal(kept, both);
    assert_non_null(strstr(text, "tls_key_file = \"\""));
    free(text);
    text = in_effect(with, other, kept, sizeof kept);
    assert_string_equal(kept, "");
    assert_non_null(strstr(text, "tls_key_file = \"/k2\""));
    free(text);
}

static void the_same_file_keeps_nothing(void **state)
{
    char kept[100] = "?";
    (void)state;
    char *text = in_effect(PLAIN, PLAIN, kept, sizeof kept);
    assert_string_equal(kept, "");
    free(text);
}

static void a_list_that_is_full_says_so_once(void **state)
{
    char list[24] = "";
    (void)state;
    config_list_add(list, sizeof list, "", "node");
    config_list_add(list, sizeof list, "store", "url");
    assert_string_equal(list, "node, store url");
    config_list_add(list, sizeof list, "store", "user");
    assert_string_equal(list, "node, store url, ...");
    config_list_add(list, sizeof list, "store", "max_pending");
    assert_string_equal(list, "node, store url, ...");
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    const struct config *config = load_text(PLAIN);
    assert_ptr_equal(config_ref(config), config);
    config_free(config);
    assert_string_equal(config_carrier_find(config, "acme")->system_id, "me");
    assert_null(config_carrier_find(config, "acm"));
    config_free(config); /* a sanitizer tells whether it was the last */
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_taken_over_or_kept_as_its_flag_says),
        cmocka_unit_test(each_key_of_a_carrier_binds_anew_or_not),
        cmocka_unit_test(a_host_written_as_a_list_is_the_same),
        cmocka_unit_test(a_password_is_compared_by_what_it_is_not_where_it_stands),
        cmocka_unit_test(a_file_of_tls_with_another_content_binds_anew),
        cmocka_unit_test(the_password_of_the_store_stays),
        cmocka_unit_test(tls_is_not_switched_on_or_off_but_its_files_may_change),
        cmocka_unit_test(the_same_file_keeps_nothing),
        cmocka_unit_test(a_list_that_is_full_says_so_once),
        cmocka_unit_test(the_last_reference_frees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
