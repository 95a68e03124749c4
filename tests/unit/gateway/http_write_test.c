#include "http_rig.h"

#include "gateway/http_private.h"

#include <event2/buffer.h>
#include <jansson.h>

static const char *text_of(struct evbuffer *b)
{
    static char out[8192];
    size_t n = evbuffer_get_length(b);
    assert_true(n < sizeof out);
    evbuffer_remove(b, out, n);
    out[n] = 0;
    return out;
}

static const char *write_response(const struct http_response *r, bool is_head)
{
    struct evbuffer *b = evbuffer_new();
    const struct http_write to = {b, "0123456789abcdef", NULL, is_head};
    assert_true(http_write_response(&to, r));
    const char *text = text_of(b);
    evbuffer_free(b);
    return text;
}

static const char *write_error(const struct http_error *e)
{
    struct evbuffer *b = evbuffer_new();
    const struct http_write to = {b, "0123456789abcdef", NULL, false};
    assert_true(http_write_error(&to, e));
    const char *text = text_of(b);
    evbuffer_free(b);
    return text;
}

static int64_t at_1994(void)
{
    return INT64_C(784111777) * 1000000;
}

static int64_t a_second_later(void)
{
    return INT64_C(784111778) * 1000000;
}

static void the_date_is_that_of_rfc_9110_and_goes_on(void **state)
{
    static const struct clock_source first = {at_1994, at_1994}, then = {at_1994, a_second_later};
    const struct http_response r = {.status = 200};
    (void)state;
    clock_set_source(&first);
    assert_non_null(strstr(write_response(&r, false), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    clock_set_source(&then);
    assert_non_null(strstr(write_response(&r, false), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"));
    clock_set_source(NULL);
}

static void what_was_given_becomes_headers(void **state)
{
    const struct http_response r = {.status = 405,
                                    .type = "text/html; charset=utf-8",
                                    .body = "<p>",
                                    .len = 3,
                                    .retry_after_s = 7,
                                    .allow = "GET, HEAD",
                                    .authenticate = true,
                                    .policy = "default-src 'self'"};
    const char *text = write_response(&r, false);
    (void)state;
    assert_ptr_equal(strstr(text, "HTTP/1.1 405 Method Not Allowed\r\n"), text);
    assert_non_null(strstr(text, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 3\r\n"));
    assert_non_null(strstr(text, "\r\nRetry-After: 7\r\n"));
    assert_non_null(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(text, "\r\nWWW-Authenticate: App realm=\"pinbind\"\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Security-Policy: default-src 'self'\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n<p>"));
}

static void a_value_with_line_ends_stays_one_header(void **state)
{
    const struct http_response r = {
        .status = 200, .type = "a\r\nSet-Cookie: b", .allow = "c\nd", .policy = "e\rf\x7f"};
    const char *text = write_response(&r, false);
    (void)state;
    assert_null(strstr(text, "\nSet-Cookie"));
    assert_non_null(strstr(text, "Content-Type: a  Set-Cookie: b\r\n"));
    assert_non_null(strstr(text, "Allow: c d\r\n"));
    assert_non_null(strstr(text, "Policy: e f \r\n"));
}

static void an_answer_without_a_body_has_no_length_of_one(void **state)
{
    const struct http_response r = {.status = 204, .body = "x", .len = 1};
    const char *text = write_response(&r, false);
    (void)state;
    assert_null(strstr(text, "\nContent-"));
    assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
}

static void each_status_of_the_api_has_its_message_id(void **state)
{
    static const struct {
        int status;
        const char *id;
    } rows[] = {{400, "BAD_REQUEST"},
                {401, "UNAUTHORIZED"},
                {403, "FORBIDDEN"},
                {404, "NOT_FOUND"},
                {405, "METHOD_NOT_ALLOWED"},
                {408, "REQUEST_TIMEOUT"},
                {413, "PAYLOAD_TOO_LARGE"},
                {415, "UNSUPPORTED_MEDIA_TYPE"},
                {417, "EXPECTATION_FAILED"},
                {429, "TOO_MANY_REQUESTS"},
                {431, "HEADERS_TOO_LARGE"},
                {500, "GENERAL_ERROR"},
                {501, "NOT_IMPLEMENTED"},
                {503, "SERVICE_UNAVAILABLE"},
                {505, "HTTP_VERSION_NOT_SUPPORTED"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[80];
        const struct http_error e = {.status = rows[i].status, .text = "t"};
        const char *text = write_error(&e);
        snprintf(want, sizeof want, "\"messageId\":\"%s\"", rows[i].id);
        assert_non_null(strstr(text, want));
        assert_int_equal(strstr(text, "WWW-Authenticate: App") != NULL, rows[i].status == 401);
    }
}

static void an_error_names_its_field_and_is_json_whatever_its_text(void **state)
{
    const struct http_error e = {.status = 429,
                                 .text = "a \"quoted\"\r\n\x01 \xff text",
                                 .field = "to\n",
                                 .retry_after_s = 60};
    const char *text = write_error(&e), *body = strstr(text, "\r\n\r\n") + 4, *got;
    json_t *j = json_loads(body, 0, NULL), *list;
    (void)state;
    assert_non_null(j);
    assert_non_null(strstr(text, "Retry-After: 60\r\n"));
    assert_int_equal(json_unpack(j, "{s:{s:{s:s, s:{s:o}}}}", "requestError", "serviceException",
                                 "text", &got, "validationErrors", "to\n", &list),
                     0);
    assert_string_equal(got, "a \"quoted\"\r\n\x01 \xef\xbf\xbd text");
    assert_string_equal(json_string_value(json_array_get(list, 0)), got);
    json_decref(j);
}

static void ids_are_never_the_same(void **state)
{
    char a[HTTP_ID_SIZE], b[HTTP_ID_SIZE];
    (void)state;
    http_request_new_id(a);
    http_request_new_id(b);
    assert_int_equal(strlen(a), 16);
    assert_int_equal(strspn(a, "0123456789abcdef"), 16);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_date_is_that_of_rfc_9110_and_goes_on),
        cmocka_unit_test(what_was_given_becomes_headers),
        cmocka_unit_test(a_value_with_line_ends_stays_one_header),
        cmocka_unit_test(an_answer_without_a_body_has_no_length_of_one),
        cmocka_unit_test(each_status_of_the_api_has_its_message_id),
        cmocka_unit_test(an_error_names_its_field_and_is_json_whatever_its_text),
        cmocka_unit_test(ids_are_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
