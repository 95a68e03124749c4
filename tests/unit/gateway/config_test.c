/* The configuration file: what is good is taken. */
#include "tests/unit/gateway/config_rig.h"

#include "pin/ledger.h"
#include "smpp/smpp.h"

static void assert_defaults(const struct config *c)
{
    assert_string_equal(c->node, "gw1");
    assert_int_equal(c->send_deadline_ms, 10000);
    assert_string_equal(c->pin_key_file, "/etc/pinbind/pin.key");
    assert_int_equal(c->pin_step_s, 30);
    assert_int_equal(c->log_level, LOG_LV_INFO);
    assert_string_equal(c->store.url, "embedded:/var/lib/pinbind/redis");
    assert_string_equal(c->store.user, "");
    assert_false(secret_is_set(&c->store.password));
    assert_int_equal(c->store.timeout_ms, 1000);
    assert_int_equal(c->store.max_pending, 20000);
    assert_int_equal(c->store.keep_s, 86400);
    assert_string_equal(c->verify_socket.unix_path, "/run/pinbind/verify.sock");
    assert_int_equal(c->verify_socket.unix_mode, 0660);
    assert_string_equal(c->verify_socket.tcp, "");
    assert_false(c->verify_socket.insecure);
    assert_int_equal(c->verify_socket.max_connections, 1000);
    assert_int_equal(c->verify_socket.max_in_flight, 128);
    assert_int_equal(c->verify_socket.max_bulk, 65536);
    assert_int_equal(c->verify_socket.max_arguments, 64);
    assert_int_equal(c->verify_socket.idle_timeout_s, 300);
    assert_int_equal(c->verify_socket.max_output, 1048576);
    assert_int_equal(c->verify_socket.auth_failures_per_min, 10);
    assert_string_equal(c->admin.unix_path, "/run/pinbind/admin.sock");
}

static void assert_example_carrier(const struct config *c)
{
    assert_int_equal(c->n_carriers, 1);
    const struct config_carrier *k = &c->carriers[0];
    assert_string_equal(k->name, "acme");
    assert_int_equal(k->n_hosts, 1);
    assert_string_equal(k->hosts[0], "smsc.example.net");
    assert_int_equal(k->port, 2775);
    assert_string_equal(k->system_id, "pinbind");
    assert_string_equal((const char *)k->password.data, "secret");
    assert_string_equal(k->password_file, path_of("acme.pass"));
    assert_int_equal(k->binds, 1);
    assert_int_equal(k->window, 10);
    assert_int_equal(k->enquire_link_s, 25);
    assert_int_equal(k->response_timeout_s, 30);
    assert_string_equal(k->source, "PINBIND");
    assert_int_equal(k->source_ton, -1);
    assert_int_equal(k->dest_npi, 1);
    assert_int_equal(k->default_alphabet, SMPP_GSM);
    assert_int_equal(k->validity, SMPP_VALIDITY_RELATIVE);
    assert_int_equal(k->registered_delivery, 1);
    assert_int_equal(k->message_id, PIN_ID_AUTO);
    assert_int_equal(k->receipt_utc_offset_min, 0);
    assert_int_equal(c->n_routes, 1);
    assert_string_equal(c->routes[0].name, "default");
    assert_int_equal(c->routes[0].n_prefixes, 1);
    assert_string_equal(c->routes[0].prefixes[0], "");
    assert_int_equal(c->routes[0].n_carriers, 1);
    assert_string_equal(c->routes[0].carriers[0], "acme");
}

static char *read_source_file(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

static void the_sample_is_the_defaults(void **state)
{
    (void)state;
    char *sample = read_source_file("conf/pinbind.conf");
    struct config *config = load_text(sample);
    assert_defaults(config);
    assert_example_carrier(config);
    assert_string_equal(config->file, path_of("t.conf"));
    char *as_it_is = print_config(config);
    config_free(config);
    /* With every default written out it says the same. */
    for (char *p = sample; (p = strchr(p, '#')); p++)
        if (p[1] >= 'a' && p[1] <= 'z')
            *p = ' ';
    config = load_text(sample);
    char *written_out = print_config(config);
    assert_string_equal(as_it_is, written_out);
    config_free(config);
    free(as_it_is);
    free(written_out);
    free(sample);
}

static void the_minimal_file_loads(void **state)
{
    (void)state;
    char *minimal = read_source_file("conf/minimal.conf");
    struct config *config = load_text(minimal);
    assert_defaults(config);
    assert_example_carrier(config);
    config_free(config);
    free(minimal);
}

static void every_row_takes_a_value_and_prints_it_again(void **state)
{
    (void)state;
    size_t n;
    const struct config_row *rows = config_rows(&n);
    assert_true(n > 60);
    for (size_t i = 0; i < n; i++) {
        char number[300], expected[400];
        if (strcmp(rows[i].name, "host") == 0)
            continue; /* printed as hosts, see below */
        const char *value = other_value(&rows[i], number, sizeof number);
        char *text = file_with(&rows[i], value);
        struct config *config = load_text(text);
        char *printed = print_config(config);
        snprintf(expected, sizeof expected, "%s%s%s = %s\n", titled(rows[i].section),
                 *rows[i].section ? ": " : "", rows[i].name, value);
        if (!strstr(printed, expected) || (strcmp(value, rows[i].fallback) == 0))
            fail_msg("%s\nnot in:\n%s", expected, printed);
        config_free(config);
        free(printed);
        free(text);
    }
}

static void one_host_is_a_list_of_one(void **state)
{
    (void)state;
    struct config *config = load_text(IN_CARRIER("hosts = {}"));
    char *printed = print_config(config);
    assert_int_equal(config->carriers[0].n_hosts, 1);
    assert_non_null(strstr(printed, "carrier acme: hosts = {\"127.0.0.1\"}\n"));
    free(printed);
    config_free(config);
}

static void several_carriers_and_routes_keep_their_order(void **state)
{
    (void)state;
    struct config *c = load_text(
        "route \"second\" { prefixes = {\"385\", \"386\"} carriers = {\"b\", \"a\"} }\n"
        "carrier \"b\" { hosts = {\"h1\", \"h2\"} system_id='x' password='p' window = 3 }\n"
        "store { timeout_ms = 50 }\n"
        "carrier \"a\" { host = \"h3\" system_id='y' password='q' }\n"
        "route \"first\" { carriers = {\"a\"} }\n");
    assert_int_equal(c->n_carriers, 2);
    assert_string_equal(c->carriers[0].name, "b");
    assert_string_equal(c->carriers[0].hosts[1], "h2");
    assert_int_equal(c->carriers[0].window, 3);
    assert_string_equal((char *)c->carriers[1].password.data, "q");
    assert_int_equal(c->carriers[1].window, 10);
    assert_string_equal(c->routes[0].name, "second");
    assert_string_equal(c->routes[0].carriers[1], "a");
    assert_string_equal(c->routes[1].prefixes[0], "");
    assert_int_equal(c->store.timeout_ms, 50);
    config_free(c);
}

static void what_looks_like_a_comment_in_a_string_is_text(void **state)
{
    (void)state;
    struct config *c = load_text("/* \" ' { */ # \" ' {\r\n"
                                 "// \" /* \r\n"
                                 "pin_key_file = \"/a#b//c/*d*/\"\r\n\t# e\n" CARRIER
                                 "  source = 'a\"b\\'\\\\${x'  // and so on\n"
                                 "  system_type = \"# \\\"{\"\n}\n" ROUTE "}# no line end");
    assert_string_equal(c->pin_key_file, "/a#b//c/*d*/");
    assert_string_equal(c->carriers[0].source, "a\"b'\\${x");
    assert_string_equal(c->carriers[0].system_type, "# \"{");
    char *printed = print_config(c);
    assert_non_null(strstr(printed, "source = 'a\"b\\'\\\\${x'\n"));
    assert_non_null(strstr(printed, "system_type = \"# \\\"{\"\n"));
    free(printed);
    config_free(c);
}

static void a_password_in_the_file_may_have_any_printable_character(void **state)
{
    (void)state;
    struct config *c = load_text(
        "carrier \"acme\" { host='h' system_id='s' password = '#\"\\'\\\\${}a' }" ROUTE "}");
    assert_string_equal((char *)c->carriers[0].password.data, "#\"'\\${}a");
    assert_int_equal(c->carriers[0].password.len, 8);
    char *printed = print_config(c);
    assert_non_null(strstr(printed, "carrier acme: password = \"***\"\n"));
    assert_null(strstr(printed, "${}a"));
    free(printed);
    config_free(c);
}

static void relative_paths_are_relative_to_the_file(void **state)
{
    (void)state;
    struct config *c = load_text(
        "pin_key_file = \"keys/pin.key\"\nstore { url = 'embedded:redis' }\n"
        "verify_socket { unix = 'v.sock' }\nadmin { unix = '' }\n" CARRIER "}\n" ROUTE "}");
    char url[300];
    snprintf(url, sizeof url, "embedded:%s/redis", folder);
    assert_string_equal(c->store.url, url);
    assert_string_equal(c->pin_key_file, path_of("keys/pin.key"));
    assert_string_equal(c->verify_socket.unix_path, path_of("v.sock"));
    assert_string_equal(c->admin.unix_path, "");
    config_free(c);
}

static void a_file_named_without_a_folder_is_taken_from_the_current_one(void **state)
{
    (void)state;
    struct config *c;
    struct config_error error;
    char before[1024];
    write_file("t.conf", IN_CARRIER(""));
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    int err = config_load("t.conf", &c, &error);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(err, 0);
    assert_string_equal(c->file, path_of("t.conf"));
    config_free(c);
}

static void a_credential_of_systemd_is_found_by_its_name(void **state)
{
    (void)state;
    char text[400];
    assert_int_equal(mkdir(path_of("creds"), 0700), 0);
    write_file("creds/acme.cred", "fromcred\n");
    write_file("acme.cred", "plain\n");
    setenv("CREDENTIALS_DIRECTORY", path_of("creds"), 1);
    snprintf(text, sizeof text,
             "pin_key_file = \"acme.cred\"\n"
             "carrier \"a\" { host='h' system_id='s' password_file = \"acme.cred\" }\n"
             "carrier \"b\" { host='h' system_id='s' password_file = \"acme.pass\" }\n"
             "carrier \"c\" { host='h' system_id='s' password_file = \"./acme.cred\" }\n"
             "route \"r\" { carriers = {\"a\", \"b\"} }");
    struct config *c = load_text(text);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_string_equal(c->pin_key_file, path_of("creds/acme.cred"));
    assert_string_equal((char *)c->carriers[0].password.data, "fromcred");
    assert_string_equal(c->carriers[1].password_file, path_of("acme.pass"));
    assert_string_equal((char *)c->carriers[2].password.data, "plain");
    config_free(c);
}

static void what_says_without_a_missing_feature_is_accepted(void **state)
{
    (void)state;
    struct config *c = load_text("policy = \"standard\"\n"
                                 "verify_socket { tls_cert_file = \"\" tls_key_file = \"\" "
                                 "tls_client_ca_file = \"\" }\n" CARRIER "tls = false "
                                 "long_message = \"udh\"\n}\n" ROUTE "receipt_patience_s = 0 }");
    config_free(c);
}

static void an_open_tcp_address_is_taken_when_it_is_said_to_be_insecure(void **state)
{
    (void)state;
    struct config *c = load_text(
        ON_TOP("verify_socket { tcp = \"0.0.0.0:2777\" insecure = true unix = \"\" }"));
    assert_true(c->verify_socket.insecure);
    config_free(c);
    c = load_text(ON_TOP("verify_socket { tcp = \"[::1]:2777\" }"));
    assert_string_equal(c->verify_socket.tcp, "[::1]:2777");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_the_defaults),
        cmocka_unit_test(the_minimal_file_loads),
        cmocka_unit_test(every_row_takes_a_value_and_prints_it_again),
        cmocka_unit_test(one_host_is_a_list_of_one),
        cmocka_unit_test(several_carriers_and_routes_keep_their_order),
        cmocka_unit_test(what_looks_like_a_comment_in_a_string_is_text),
        cmocka_unit_test(a_password_in_the_file_may_have_any_printable_character),
        cmocka_unit_test(relative_paths_are_relative_to_the_file),
        cmocka_unit_test(a_file_named_without_a_folder_is_taken_from_the_current_one),
        cmocka_unit_test(a_credential_of_systemd_is_found_by_its_name),
        cmocka_unit_test(what_says_without_a_missing_feature_is_accepted),
        cmocka_unit_test(an_open_tcp_address_is_taken_when_it_is_said_to_be_insecure),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
