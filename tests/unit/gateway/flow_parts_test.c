/* Messages of several parts: which ids are recorded, and how a flow ends by them (quirk 8). */
#include "tests/unit/gateway/flow_rig.h"

/* --- which ids count ------------------------------------------------------------------------- */

#define PARTS 4

static struct smpp_str ids_of[PARTS];

static struct smpp_result result(enum smpp_outcome outcome, uint32_t parts, const char *const *ids)
{
    struct smpp_result r = {.outcome = outcome, .parts = parts, .part_ids = ids_of, .reason = "x"};
    for (uint32_t i = 0; i < parts && i < PARTS; i++)
        ids_of[i] = (struct smpp_str){ids[i], ids[i] ? strlen(ids[i]) : 0};
    r.message_id = ids_of[0];
    return r;
}

/* "id segment/segments" of each call, or "id" of the whole. */
static const char *recorded_by(struct flow_parts *p, enum flow_parts_by by)
{
    static char out[200];
    out[0] = 0;
    flow_parts_count(p, by);
    for (uint32_t i = 0; i < flow_parts_to_record(p); i++) {
        struct pin_sent s = {.message_id = "whole"};
        char one[40];
        flow_parts_name(p, i, &s);
        if (s.segment)
            snprintf(one, sizeof one, "%s%s %u/%u", i ? ", " : "", s.message_id, s.segment,
                     s.segments);
        else
            snprintf(one, sizeof one, "%s%s", i ? ", " : "", s.message_id);
        strcat(out, one);
    }
    return out;
}

static const char *recorded_of(struct flow_parts *p)
{
    return recorded_by(p, PARTS_BY_ID);
}

static void q08_ids_that_are_the_same_count_once_and_parts_without_one_do_not(void **state)
{
    (void)state;
    static const struct {
        uint32_t parts;
        const char *ids[PARTS], *recorded;
    } rows[] = {
        {1, {"a"}, "whole"},
        {2, {"a", "b"}, "a 1/2, b 2/2"},
        {4, {"a", "b", "c", "d"}, "a 1/4, b 2/4, c 3/4, d 4/4"},
        {3, {"a", "a", "a"}, "a"}, /* one id for all */
        {3, {"a", NULL, ""}, "a"}, /* for the first only */
        {3, {NULL, NULL, "c"}, "c"},
        {3, {"", "b", "c"}, "b 1/2, c 2/2"},
        {4, {"a", "b", "a", "b"}, "a 1/2, b 2/2"},
        {3, {NULL, NULL, NULL}, ""}, /* accepted, no receipt possible */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flow_parts p = {.n = 1};
        struct smpp_result r = result(SMPP_ACCEPTED, rows[i].parts, rows[i].ids);
        flow_parts_take(&p, &r, false);
        assert_string_equal(recorded_of(&p), rows[i].recorded);
        assert_false(flow_parts_is_torn(&p));
        flow_parts_clear(&p);
    }
}

static void parts_in_doubt_are_awaited_until_they_are_known(void **state)
{
    (void)state;
    static const char *const none[] = {NULL, NULL, NULL}, *const two[] = {"a", "b", NULL},
                             *const one[] = {"a", NULL, NULL}, *const late[] = {NULL, NULL, "c"},
                             *const same[] = {NULL, NULL, "a"}, *const early[] = {NULL, "b", NULL};
    struct flow_parts p = {.n = 1};
    struct smpp_result r = result(SMPP_UNKNOWN, 3, none);
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "");
    assert_false(flow_parts_is_torn(&p));

    r = result(SMPP_UNKNOWN, 3, two);
    r.part = 2;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "a 1/3, b 2/3");
    assert_true(flow_parts_is_torn(&p));
    r = result(SMPP_REFUSED, 3, none);
    r.part = 2;
    flow_parts_take(&p, &r, true);
    assert_true(flow_parts_is_torn(&p));
    assert_string_equal(recorded_of(&p), "a 1/3, b 2/3");

    r = result(SMPP_UNKNOWN, 3, two);
    r.part = 2;
    flow_parts_take(&p, &r, false);
    r = result(SMPP_ACCEPTED, 3, late);
    r.part = 2;
    flow_parts_take(&p, &r, true);
    assert_string_equal(recorded_of(&p), "a 1/3, b 2/3, c 3/3");
    assert_false(flow_parts_is_torn(&p));

    r = result(SMPP_UNKNOWN, 3, two);
    r.part = 2;
    flow_parts_take(&p, &r, false);
    r = result(SMPP_ACCEPTED, 3, same);
    r.part = 2;
    flow_parts_take(&p, &r, true);
    assert_string_equal(recorded_of(&p), "a 1/2, b 2/2");

    r = result(SMPP_UNKNOWN, 3, one); /* the third was never sent, and never will be */
    r.part = 1;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "a 1/3");
    r = result(SMPP_ACCEPTED, 3, early);
    r.part = 1;
    flow_parts_take(&p, &r, true);
    assert_string_equal(recorded_of(&p), "a 1/3, b 2/3");
    assert_true(flow_parts_is_torn(&p));
    flow_parts_clear(&p);
}

/* Receipts that bear a reference, or nothing but the number. */
static void parts_may_be_told_apart_by_their_place_or_not_at_all(void **state)
{
    (void)state;
    static const char *const aaa[] = {"a", "a", NULL};
    struct flow_parts p = {.n = 1};
    struct smpp_result r = result(SMPP_ACCEPTED, 3, aaa);
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_by(&p, PARTS_BY_PLACE), "a 1/3, a 2/3,  3/3");
    assert_string_equal(recorded_by(&p, PARTS_ALIKE), "a");
    r.outcome = SMPP_UNKNOWN;
    r.part = 2;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_by(&p, PARTS_BY_PLACE), "a 1/3, a 2/3,  3/3"); /* its own name */
    assert_string_equal(recorded_by(&p, PARTS_ALIKE), "a 1/3");
    r.part = 0;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_by(&p, PARTS_BY_PLACE), " 1/3");
    assert_string_equal(recorded_by(&p, PARTS_ALIKE), " 1/3");
    r.outcome = SMPP_REFUSED;
    flow_parts_take(&p, &r, true);
    assert_string_equal(recorded_by(&p, PARTS_BY_PLACE), "");
    r.part = 0;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_by(&p, PARTS_BY_PLACE), "");
    flow_parts_clear(&p);
}

static void what_is_refused_or_was_of_another_carrier_leaves_no_ids(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b"}, *const none[] = {NULL, NULL};
    struct flow_parts p = {.n = 1};
    struct smpp_result r = result(SMPP_ACCEPTED, 2, ids);
    flow_parts_take(&p, &r, false);
    r = result(SMPP_REFUSED, 2, none);
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "");
    /* ... but for those of parts before the refused one, whose receipts shall find what they are of
     */
    r = result(SMPP_REFUSED, 2, ids);
    r.part = 1;
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "a 1/2");
    r = result(SMPP_NOT_SENT, 0, none);
    flow_parts_take(&p, &r, false);
    assert_string_equal(recorded_of(&p), "whole");
    flow_parts_clear(&p);
}

/* --- the flow -------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char *const prefixes[] = {""}, *const carriers[] = {"a"};
    static struct config_route route = {"default", prefixes, 1, carriers, 1};
    (void)state;
    memset(&t, 0, sizeof t);
    t.fail_at = -1;
    t.ready[0] = true;
    t.max_segments = 3;
    t.config.send_deadline_ms = 10000;
    t.config.routes = &route;
    t.config.n_routes = 1;
    t.config.carriers = carrier_configs;
    t.config.n_carriers = 2;
    t.config.refs = 1; /* ours */
    t.base = event_base_new();
    t.reap = reap_new(t.base);
    const struct flow_env env = {.base = t.base, .reap = t.reap, .config = &t.config};
    t.flows = flows_new(&env);
    return t.base && t.reap && t.flows ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    flows_free(t.flows);
    reap_free(t.reap);
    event_base_free(t.base);
    return t.config.refs != 1;
}

static void to_submit(void)
{
    send_one();
    app_is(0, true);
    template_is(0);
    act_is(ADMIT, 0, PIN_OK);
    act_is(OPEN, 0, PIN_OK);
    assert_int_equal(t.submitted_segments, 3);
}

static void parts_are(enum smpp_outcome outcome, uint32_t part, const char *const ids[3])
{
    smpp_submit_cb cb = (smpp_submit_cb)(uintptr_t)take(SUBMIT);
    struct smpp_result r = result(outcome, 3, ids);
    r.part = part;
    cb(t.submit_arg, &r);
}

static void late_part_is(enum smpp_outcome outcome, uint32_t part, const char *id)
{
    const char *ids[3] = {NULL, NULL, NULL};
    ids[part] = id;
    struct smpp_result r = result(outcome, 3, ids);
    r.part = part;
    flow_late(NULL, t.submit_arg, &r);
}

/* The acts from `first` on answer, one after the other. */
static void recorded_from(int first)
{
    pin_ledger_cb cb = (pin_ledger_cb)(uintptr_t)take(SENT);
    for (int n = t.calls[SENT] - first; n > 0; n--)
        cb(t.arg, &(struct pin_answer){0});
}

static void assert_recorded(int at, const char *id, enum pin_attempt_state state, uint32_t segment)
{
    assert_string_equal(t.recorded[at].id, id);
    assert_int_equal(t.recorded[at].state, state);
    assert_int_equal(t.recorded[at].segment, segment);
    assert_int_equal(t.recorded[at].segments, 3);
}

static const char *const abc[] = {"a", "b", "c"}, *const ab[] = {"a", "b", NULL},
                         *const only_a[] = {"a", NULL, NULL}, *const no_ids[] = {NULL, NULL, NULL};

static void each_part_is_recorded_before_the_flow_ends(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_ACCEPTED, 0, abc);
    assert_int_equal(t.calls[SENT], 3);
    for (int i = 0; i < 3; i++)
        assert_recorded(i, abc[i], PIN_ATT_ACCEPTED, (uint32_t)i + 1);
    pin_ledger_cb cb = (pin_ledger_cb)(uintptr_t)take(SENT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t.answers, 0);
        cb(t.arg, &(struct pin_answer){.result = i == 1 ? ERR_TIMEOUT : 0});
    }
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void each_part_has_the_reference_of_its_place(void **state)
{
    (void)state;
    static struct config_carrier by_reference[] = {
        {.name = "a", .receipt_match = CONFIG_MATCH_REFERENCE}};
    t.config.carriers = by_reference;
    t.config.n_carriers = 1;
    to_submit();
    smpp_submit_cb cb = (smpp_submit_cb)(uintptr_t)take(SUBMIT);
    struct smpp_result r = result(SMPP_ACCEPTED, 3, no_ids);
    r.reference = 0xffff;
    cb(t.submit_arg, &r);
    assert_int_equal(t.calls[SENT], 3);
    for (int i = 0; i < 3; i++) {
        static const char *const matches[] = {"ref=ff", "ref=00", "ref=01"};
        assert_recorded(i, "", PIN_ATT_ACCEPTED, (uint32_t)i + 1);
        assert_string_equal(t.recorded[i].match, matches[i]);
    }
    recorded_from(0);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void an_act_that_cannot_be_begun_is_not_waited_for(void **state)
{
    (void)state;
    to_submit();
    t.fail_at = SENT;
    t.error = ERR_FULL;
    parts_are(SMPP_ACCEPTED, 0, abc);
    assert_int_equal(t.calls[SENT], 3);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void q08_one_id_for_all_parts_is_recorded_as_the_whole(void **state)
{
    (void)state;
    static const char *const aaa[] = {"a", "a", "a"};
    to_submit();
    parts_are(SMPP_ACCEPTED, 0, aaa);
    assert_int_equal(t.calls[SENT], 1);
    assert_string_equal(t.recorded[0].id, "a");
    assert_int_equal(t.recorded[0].segment, 0);
    recorded_from(0);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void the_accepted_parts_of_a_message_in_doubt_are_recorded_too(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_UNKNOWN, 2, ab);
    assert_int_equal(t.calls[SENT], 2);
    assert_recorded(0, "a", PIN_ATT_IN_DOUBT, 1);
    assert_recorded(1, "b", PIN_ATT_IN_DOUBT, 2);
    recorded_from(0);
    assert_answered(ANSWER_OK, "MESSAGE_SENT");
    late_part_is(SMPP_ACCEPTED, 2, "c");
    assert_int_equal(t.calls[SENT], 5);
    for (int i = 0; i < 3; i++)
        assert_recorded(2 + i, abc[i], PIN_ATT_ACCEPTED, (uint32_t)i + 1);
    recorded_from(2);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void a_late_part_overtakes_the_record_of_the_doubt(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_UNKNOWN, 2, ab);
    late_part_is(SMPP_ACCEPTED, 2, "c");
    recorded_from(0);
    assert_over(ANSWER_OK, "MESSAGE_SENT");
    assert_int_equal(t.calls[SENT], 5);
}

/* The part after it was never sent: the text is not whole, whatever comes. */
static void a_late_part_before_the_last_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_UNKNOWN, 1, only_a);
    assert_recorded(0, "a", PIN_ATT_IN_DOUBT, 1);
    recorded_from(0);
    late_part_is(SMPP_ACCEPTED, 1, "b");
    assert_int_equal(t.calls[SENT], 3);
    assert_recorded(1, "a", PIN_ATT_IN_DOUBT, 1);
    assert_recorded(2, "b", PIN_ATT_IN_DOUBT, 2);
    recorded_from(1);
    assert_int_equal(n_open(), 1);
    deadline();
    assert_over(ANSWER_OK, "MESSAGE_SENT");
}

static void a_late_refusal_of_a_part_is_the_messages(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_UNKNOWN, 2, ab);
    recorded_from(0);
    late_part_is(SMPP_REFUSED, 2, NULL);
    assert_recorded(2, "a", PIN_ATT_REFUSED, 1);
    assert_recorded(3, "b", PIN_ATT_REFUSED, 2);
    recorded_from(2);
    assert_over(ANSWER_OK, "MESSAGE_SENT"); /* it was said before */
}

/* The handset has a text with a hole, which it does not show: another carrier may bring it whole.
 */
static void a_part_that_is_refused_is_a_refusal_of_the_message(void **state)
{
    (void)state;
    to_submit();
    parts_are(SMPP_REFUSED, 1, only_a);
    assert_recorded(0, "a", PIN_ATT_REFUSED, 1);
    recorded_from(0);
    assert_over(ANSWER_OK, "MESSAGE_NOT_SENT");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q08_ids_that_are_the_same_count_once_and_parts_without_one_do_not),
        cmocka_unit_test(parts_in_doubt_are_awaited_until_they_are_known),
        cmocka_unit_test(parts_may_be_told_apart_by_their_place_or_not_at_all),
        cmocka_unit_test(what_is_refused_or_was_of_another_carrier_leaves_no_ids),
        TEST(each_part_is_recorded_before_the_flow_ends),
        TEST(each_part_has_the_reference_of_its_place),
        TEST(an_act_that_cannot_be_begun_is_not_waited_for),
        TEST(q08_one_id_for_all_parts_is_recorded_as_the_whole),
        TEST(the_accepted_parts_of_a_message_in_doubt_are_recorded_too),
        TEST(a_late_part_overtakes_the_record_of_the_doubt),
        TEST(a_late_part_before_the_last_leaves_the_message_in_doubt),
        TEST(a_late_refusal_of_a_part_is_the_messages),
        TEST(a_part_that_is_refused_is_a_refusal_of_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
