#include "gateway/answer_json.h"
#include "gateway/resp_write.h"

#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void build(struct answer *a)
{
    answer_init(a);
    answer_str(a, "pinId", "AB");
    answer_bool(a, "verified", true);
    answer_list(a, "attempts", 2);
    answer_map(a, 1);
    answer_str(a, "carrier", "x");
    answer_map(a, 2);
    answer_str(a, "carrier", "y");
    answer_int(a, "sentAt", -5);
    answer_int(a, "left", 3);
}

static void write_resp(const struct answer *a, int proto, char *out, size_t size)
{
    struct wr w = wr_init(out, size);
    resp_answer(&w, a, proto);
    wr_end(&w);
    assert_false(w.bad);
}

static void resp3_has_maps_and_booleans(void **state)
{
    (void)state;
    struct answer a;
    char out[512];
    build(&a);
    write_resp(&a, 3, out, sizeof out);
    assert_string_equal(out, "%4\r\n$5\r\npinId\r\n$2\r\nAB\r\n$8\r\nverified\r\n#t\r\n"
                             "$8\r\nattempts\r\n*2\r\n%1\r\n$7\r\ncarrier\r\n$1\r\nx\r\n"
                             "%2\r\n$7\r\ncarrier\r\n$1\r\ny\r\n$6\r\nsentAt\r\n:-5\r\n"
                             "$4\r\nleft\r\n:3\r\n");
}

static void resp2_has_flat_arrays_and_numbers(void **state)
{
    (void)state;
    struct answer a;
    char out[512];
    build(&a);
    write_resp(&a, 2, out, sizeof out);
    assert_string_equal(out, "*8\r\n$5\r\npinId\r\n$2\r\nAB\r\n$8\r\nverified\r\n:1\r\n"
                             "$8\r\nattempts\r\n*2\r\n*2\r\n$7\r\ncarrier\r\n$1\r\nx\r\n"
                             "*4\r\n$7\r\ncarrier\r\n$1\r\ny\r\n$6\r\nsentAt\r\n:-5\r\n"
                             "$4\r\nleft\r\n:3\r\n");
}

static void assert_json(const struct answer *a, const char *expected)
{
    char out[ANSWER_JSON_SIZE];
    struct wr w = wr_init(out, sizeof out);
    answer_write_json(&w, a);
    wr_end(&w);
    assert_false(w.bad);
    assert_string_equal(out, expected);
}

static void json_has_the_same_names_and_values(void **state)
{
    (void)state;
    struct answer a;
    build(&a);
    assert_json(&a, "{\"pinId\":\"AB\",\"verified\":true,\"attempts\":[{\"carrier\":\"x\"},"
                    "{\"carrier\":\"y\",\"sentAt\":-5}],\"left\":3}");
}

static void json_of_nothing_is_an_empty_object_or_list(void **state)
{
    (void)state;
    struct answer a;
    answer_init(&a);
    assert_json(&a, "{}");
    a.is_list = true;
    assert_json(&a, "[]");
    answer_init(&a);
    answer_list(&a, "attempts", 0);
    answer_bool(&a, "last", false);
    assert_json(&a, "{\"attempts\":[],\"last\":false}");
}

static void a_list_at_the_top_is_one_behind_both_doors(void **state)
{
    (void)state;
    struct answer a;
    char out[256];
    answer_init(&a);
    a.is_list = true;
    for (int i = 1; i <= 2; i++) {
        answer_map(&a, 2);
        answer_int(&a, "n", i);
        answer_str(&a, "s", "\"\n");
    }
    assert_json(&a, "[{\"n\":1,\"s\":\"\\\"\\n\"},{\"n\":2,\"s\":\"\\\"\\n\"}]");
    write_resp(&a, 3, out, sizeof out);
    assert_string_equal(out, "*2\r\n%2\r\n$1\r\nn\r\n:1\r\n$1\r\ns\r\n$2\r\n\"\n\r\n"
                             "%2\r\n$1\r\nn\r\n:2\r\n$1\r\ns\r\n$2\r\n\"\n\r\n");
}

static void json_has_room_for_the_largest_answer_and_none_beyond_its_buffer(void **state)
{
    (void)state;
    struct answer a;
    char long_text[64], out[ANSWER_JSON_SIZE];
    memset(long_text, 1, sizeof long_text);
    long_text[41] = 0; /* 96 of them and their NULs are in the pool */
    answer_init(&a);
    for (int i = 0; i < ANSWER_NODES; i++)
        answer_str(&a, "aNameOfTwentyTwoOctets", long_text);
    assert_false(a.is_full);
    struct wr w = wr_init(out, sizeof out);
    answer_write_json(&w, &a);
    assert_false(w.bad);
    w = wr_init(out, 100);
    answer_write_json(&w, &a);
    assert_true(w.bad);
    assert_true(w.len <= 100);
}

static void an_error_cannot_forge_a_second_answer(void **state)
{
    (void)state;
    struct answer a;
    char out[512];
    answer_fail(&a, ANSWER_BAD_REQUEST, "no such thing: %s", "x\r\n+OK");
    write_resp(&a, 2, out, sizeof out);
    assert_string_equal(out, "-BAD_REQUEST no such thing: x  +OK\r\n");
}

static void an_answer_that_does_not_fit_says_so(void **state)
{
    (void)state;
    struct answer a;
    char out[512];
    answer_init(&a);
    for (int i = 0; i <= ANSWER_NODES; i++)
        answer_int(&a, "n", i);
    write_resp(&a, 2, out, sizeof out);
    assert_string_equal(out, "-GENERAL_ERROR the answer does not fit\r\n");
}

static void a_string_over_the_pool_is_left_out_and_told(void **state)
{
    (void)state;
    static char big[ANSWER_POOL + 10];
    struct answer a;
    memset(big, 'x', sizeof big - 1);
    answer_init(&a);
    answer_str(&a, "k", big);
    assert_true(a.is_full);
}

static void results_of_the_store_become_codes(void **state)
{
    (void)state;
    static const struct {
        int err;
        enum answer_code code;
    } table[] = {
        {ERR_UNAVAILABLE, ANSWER_UNAVAILABLE}, {ERR_TIMEOUT, ANSWER_UNAVAILABLE},
        {ERR_LOST, ANSWER_UNAVAILABLE},        {ERR_FULL, ANSWER_UNAVAILABLE},
        {ERR_NOMEM, ANSWER_GENERAL_ERROR},     {ERR_REFUSED, ANSWER_GENERAL_ERROR},
        {ERR_INVALID, ANSWER_BAD_REQUEST},
    };
    struct answer a;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        answer_store_error(&a, table[i].err);
        assert_int_equal(a.code, table[i].code);
    }
}

static void a_wait_is_told_in_whole_seconds_rounded_up(void **state)
{
    (void)state;
    struct answer a;
    char out[128];
    answer_retry(&a, 2001);
    write_resp(&a, 2, out, sizeof out);
    assert_string_equal(out, "-TOO_MANY_REQUESTS retry after 3 s\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp3_has_maps_and_booleans),
        cmocka_unit_test(resp2_has_flat_arrays_and_numbers),
        cmocka_unit_test(json_has_the_same_names_and_values),
        cmocka_unit_test(json_of_nothing_is_an_empty_object_or_list),
        cmocka_unit_test(a_list_at_the_top_is_one_behind_both_doors),
        cmocka_unit_test(json_has_room_for_the_largest_answer_and_none_beyond_its_buffer),
        cmocka_unit_test(an_error_cannot_forge_a_second_answer),
        cmocka_unit_test(an_answer_that_does_not_fit_says_so),
        cmocka_unit_test(a_string_over_the_pool_is_left_out_and_told),
        cmocka_unit_test(results_of_the_store_become_codes),
        cmocka_unit_test(a_wait_is_told_in_whole_seconds_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
