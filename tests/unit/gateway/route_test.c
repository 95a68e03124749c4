#include "gateway/route.h"

#include "gateway/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const any[] = {""}, *const croatia[] = {"385", "387"}, *const a1[] = {"38591"};
static const char *const fall_back[] = {"world", "spare"}, *const local[] = {"hr"},
                         *const best[] = {"a1", "hr"};

static struct config_route routes[] = {
    {.name = "default", .prefixes = any, .n_prefixes = 1, .carriers = fall_back, .n_carriers = 2},
    {.name = "hr", .prefixes = croatia, .n_prefixes = 2, .carriers = local, .n_carriers = 1},
    {.name = "a1", .prefixes = a1, .n_prefixes = 1, .carriers = best, .n_carriers = 2},
};

static void pick(struct config_route *r, size_t n, const char *number, struct route_pick *out)
{
    struct config c = {.routes = r, .n_routes = n};
    struct msisdn to;
    assert_int_equal(msisdn_parse(number, strlen(number), &to), 0);
    route_pick(&c, &to, out);
}

static void the_longest_prefix_wins_and_keeps_the_order_of_carriers(void **state)
{
    (void)state;
    struct route_pick p;
    pick(routes, 3, "385911234567", &p);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.carriers[0], "a1");
    assert_string_equal(p.carriers[1], "hr");
    pick(routes, 3, "387611234567", &p);
    assert_string_equal(p.carriers[0], "hr");
    pick(routes, 3, "447700900123", &p);
    assert_string_equal(p.carriers[0], "world");
    assert_string_equal(p.carriers[1], "spare");
}

static void a_number_that_no_route_takes_has_no_carrier(void **state)
{
    (void)state;
    struct route_pick p;
    pick(&routes[1], 2, "447700900123", &p);
    assert_int_equal(p.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_wins_and_keeps_the_order_of_carriers),
        cmocka_unit_test(a_number_that_no_route_takes_has_no_carrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
