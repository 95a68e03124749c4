/* Responses and receipts in every order, and what they make of a PIN. */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER "385911234567"

static struct pin_ledger_info info_of(struct rig *r)
{
    struct pin_ledger_info info;
    pin_ledger_info(r->ledger[0], &info);
    return info;
}

/* A ledger with other options in the first one's place. */
static void ledger_again(struct rig *r, const struct pin_ledger_options *with)
{
    struct pin_ledger_options o = *with;
    pin_ledger_free(r->ledger[0]);
    o.base = r->base;
    o.store = r->store[0];
    o.ring = r->ring;
    o.arg = r;
    o.unmatched_cb = rig_unmatched_cb;
    r->ledger[0] = pin_ledger_new(&o);
    assert_non_null(r->ledger[0]);
}

static const struct pair { /* how the two sides write one id */
    enum pin_id_mode mode;
    const char *response, *receipt;
} pairs[] = {
    {PIN_ID_AUTO, "77aB", "0077Ab"},
    {PIN_ID_AUTO, "33E95179", "0870928761"},
    {PIN_ID_AUTO, "870928761", "33E95179"},
    {PIN_ID_AUTO, "1234", "4660"},
    {PIN_ID_AUTO, "4660", "1234"},
    {PIN_ID_AUTO, "e7e2f4f0-1b2c-4d5e-8f90-a1b2c3d4e5f6", "e7e2f4f0-1b2c-4d5e-8f90-a1b2c3d4e5f6"},
    {PIN_ID_STRING, "00aB", "00aB"},
    {PIN_ID_DECIMAL, "123456789012345678901234567890", "000123456789012345678901234567890"},
    {PIN_ID_HEX, "33E95179", "0033e95179"},
    {PIN_ID_RESP_HEX_DLR_DEC, "33E95179", "0870928761"},
    {PIN_ID_RESP_DEC_DLR_HEX, "0870928761", "33E95179"},
};
#define N_PAIRS (sizeof pairs / sizeof pairs[0])

static struct receipt_args delivered(const struct pair *p, const struct sample *s)
{
    return (struct receipt_args){.id = p->receipt,
                                 .mode = p->mode,
                                 .state = PIN_ATT_DELIVERED,
                                 .final = true,
                                 .msisdn = &s->msisdn,
                                 .err = "000",
                                 .done_ms = 1790000000000};
}

/* Of the one key that a message id has; command is TTL or STRLEN. */
static long long of_the_map(struct rig *r, const char *command)
{
    redisReply *keys = redisCommand(r->look, "KEYS pb:*:dlr:*");
    long long v = keys->elements == 1 ? look(r, "%s %s", command, keys->element[0]->str) : -1;
    freeReplyObject(keys);
    return v;
}

static void is_delivered(struct rig *r, const struct sample *s, const struct pair *p)
{
    struct got g;
    do_status(r, s, &g);
    assert_int_equal(g.record.state, PIN_LIVE);
    assert_int_equal(g.record.attempts[0].state, PIN_ATT_DELIVERED);
    assert_int_equal(g.record.attempts[0].done_ms, 1790000000000);
    assert_string_equal(g.record.attempts[0].err, "000");
    assert_string_equal(g.record.attempts[0].message_id, p->response);
    every_key_has_a_life(r);
}

static void q1_a_receipt_finds_its_pin_whatever_the_base(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < N_PAIRS; i++) {
        struct sample s = sample_opened(r, NUMBER);
        const struct sent_args sent = {
            .state = PIN_ATT_ACCEPTED, .mode = pairs[i].mode, .id = pairs[i].response};
        const struct receipt_args receipt = delivered(&pairs[i], &s);
        assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        struct pin_answer a = do_receipt(r, &receipt);
        assert_int_equal(a.verdict, PIN_OK);
        assert_string_equal(a.pin_id, s.drawn.pin_id);
        assert_int_equal(a.attempt, 1);
        assert_string_equal(a.msisdn.digits, NUMBER);
        is_delivered(r, &s, &pairs[i]);
        /* Nothing stays parked; the map is done and lives its short life. */
        RUN_UNTIL(r, look(r, "KEYS pb:*:dlr:*") == 1);
        assert_int_equal(do_receipt(r, &receipt).verdict, PIN_DUPLICATE);
        is_delivered(r, &s, &pairs[i]);
        rig_flush(r);
    }
    assert_int_equal(info_of(r).receipts_matched, N_PAIRS);
    assert_int_equal(info_of(r).receipts_duplicate, N_PAIRS);
    assert_int_equal(r->unmatched, 0);
}

static void q6_a_receipt_before_its_response_is_parked_then_matched(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < N_PAIRS; i++) {
        struct sample s = sample_opened(r, NUMBER);
        const struct sent_args sent = {
            .state = PIN_ATT_ACCEPTED, .mode = pairs[i].mode, .id = pairs[i].response};
        const struct receipt_args receipt = delivered(&pairs[i], &s);
        assert_int_equal(do_receipt(r, &receipt).verdict, PIN_PARKED);
        every_key_has_a_life(r);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_PENDING);
        assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        assert_string_equal(r->sent.pin_id, s.drawn.pin_id);
        assert_int_equal(r->sent.attempt, 1);
        assert_int_equal(r->sent.segment, 0);
        is_delivered(r, &s, &pairs[i]);
        RUN_UNTIL(r, of_the_map(r, "TTL") > 0 && of_the_map(r, "TTL") <= 600);
        assert_int_equal(do_receipt(r, &receipt).verdict, PIN_DUPLICATE);
        rig_flush(r);
    }
    assert_int_equal(info_of(r).receipts_matched, N_PAIRS);
}

static void q7_a_receipt_at_another_gateway_finds_its_pin(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g[2] = {0};
    const struct receipt_args receipt = delivered(&pairs[1], &s);
    assert_int_equal(
        do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = pairs[1].response}),
        PIN_OK);
    assert_int_equal(wait_for(r, rig_receipt(r, 1, &receipt, &g[0]), &g[0]).verdict, PIN_OK);
    is_delivered(r, &s, &pairs[1]);
}

/* Both start in one turn of the loop, over two connections: one of the two sees the other. */
static void q6_a_receipt_and_its_response_may_race(void **state)
{
    struct rig *r = *state;
    for (int round = 0; round < 60; round++) {
        const struct pair *p = &pairs[round % (int)N_PAIRS];
        struct sample s = sample_opened(r, NUMBER);
        struct got sent = {0}, receipt = {0};
        const struct sent_args args = {
            .state = PIN_ATT_ACCEPTED, .mode = p->mode, .id = p->response};
        const struct receipt_args rargs = delivered(p, &s);
        int first = round & 1;
        if (first)
            assert_int_equal(rig_receipt(r, round % 4 / 2, &rargs, &receipt), 0);
        assert_int_equal(sample_sent(r, &s, round % 4 / 2 ? 0 : 1, &args, &sent), 0);
        if (!first)
            assert_int_equal(rig_receipt(r, round % 4 / 2, &rargs, &receipt), 0);
        RUN_UNTIL(r, sent.calls && receipt.calls);
        assert_int_equal(sent.a.verdict, PIN_OK);
        assert_true(receipt.a.verdict == PIN_OK || receipt.a.verdict == PIN_PARKED ||
                    receipt.a.verdict == PIN_DUPLICATE);
        is_delivered(r, &s, p);
        rig_flush(r);
    }
}

static void a_receipt_before_the_acceptance_implies_it(void **state)
{
    struct rig *r = *state;
    struct sample old = sample_live(r, NUMBER);
    struct sample s = sample_opened(r, NUMBER);
    char key[128];
    /* The map is there, and the gateway died before it noted the attempt. */
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:m1:" NUMBER, store_bucket("m1", 2));
    look(r, "SET %s M%s1" NUMBER " EX 100", key, s.drawn.pin_id);
    assert_int_equal(do_delivered(r, &s, "m1").verdict, PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_LIVE);
    assert_int_equal(state_of(r, &old), PIN_SUPERSEDED);
    /* The response that comes after all changes nothing but the id. */
    assert_int_equal(do_accept(r, &s, "m1"), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void q11_an_intermediate_state_never_overrides_a_final_one(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct receipt_args args = {.id = "9", .state = PIN_ATT_ENROUTE, .msisdn = &s.msisdn};
    assert_int_equal(do_accept(r, &s, "9"), PIN_OK);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ENROUTE);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
    args.state = PIN_ATT_ACCEPTED;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    args.state = PIN_ATT_UNDELIVERABLE;
    args.final = true;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    args.state = PIN_ATT_ENROUTE;
    args.final = false;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
    args.state = PIN_ATT_DELIVERED;
    args.final = true;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
    struct got g;
    do_status(r, &s, &g);
    assert_int_equal(g.record.attempts[0].state, PIN_ATT_UNDELIVERABLE);
    assert_true(g.record.attempts[0].done_ms > g.record.created_ms - 1);
}

static void q11_a_final_receipt_is_noted_once_even_when_its_mark_is_lost(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct receipt_args args = {
        .id = "9", .state = PIN_ATT_DELIVERED, .final = true, .msisdn = &s.msisdn};
    char key[128];
    assert_int_equal(do_accept(r, &s, "9"), PIN_OK);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:9:" NUMBER, store_bucket("9", 1));
    RUN_UNTIL(r, look(r, "TTL %s", key) <= 600); /* it is marked */
    look(r, "SET %s M%s1" NUMBER " EX 100", key, s.drawn.pin_id);
    args.state = PIN_ATT_EXPIRED;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void parked_a_final_receipt_stays_and_an_intermediate_gives_way(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct receipt_args args = {.id = "9", .state = PIN_ATT_ENROUTE, .msisdn = &s.msisdn};
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    args.state = PIN_ATT_DELIVERED;
    args.final = true;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    args.state = PIN_ATT_ENROUTE;
    args.final = false;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
    assert_int_equal(do_accept(r, &s, "9"), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void q11_an_intermediate_receipt_parked_leaves_the_map_for_the_final_one(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++) { /* under the same form, under the other base */
        struct sample s = sample_opened(r, NUMBER);
        const char *id = i == 0 ? "33e95179" : "870928761";
        struct receipt_args args = {.id = id, .state = PIN_ATT_ENROUTE, .msisdn = &s.msisdn};
        assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
        assert_int_equal(do_accept(r, &s, "33E95179"), PIN_OK);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ENROUTE);
        RUN_UNTIL(r, of_the_map(r, "STRLEN") == (long long)strlen("M1" NUMBER) + 32);
        assert_true(of_the_map(r, "TTL") > 600);
        assert_int_equal(do_delivered(r, &s, id).verdict, PIN_OK);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        every_key_has_a_life(r);
        rig_flush(r);
    }
}

static void q9_a_receipt_for_another_number_does_not_match(void **state)
{
    struct rig *r = *state;
    ledger_again(r, &(struct pin_ledger_options){.parked_s = 1});
    struct sample s = sample_opened(r, NUMBER), other = sample_new(r, "385911234568");
    struct receipt_args args = {.id = "9",
                                .mode = PIN_ID_STRING,
                                .state = PIN_ATT_DELIVERED,
                                .final = true,
                                .msisdn = &other.msisdn};
    assert_int_equal(
        do_sent(r, &s,
                &(struct sent_args){.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "9"}),
        PIN_OK);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    every_key_has_a_life(r);
    RUN_UNTIL(r, r->unmatched == 1);
    assert_string_equal(r->unmatched_id, "9");
    assert_int_equal(look(r, "KEYS pb:*:early:*"), 0);
    args.msisdn = &s.msisdn;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    /* In the mode auto it may be another message's id in another base: it waits for that. */
    args.mode = PIN_ID_AUTO;
    args.msisdn = &other.msisdn;
    args.id = "a9";
    assert_int_equal(do_accept(r, &s, "a9"), PIN_OK);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
}

static const enum pin_id_mode plain_modes[] = {PIN_ID_AUTO, PIN_ID_STRING, PIN_ID_DECIMAL,
                                               PIN_ID_HEX};

static void q9_an_id_used_again_before_the_first_message_is_done(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 16; i++) {
        struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
        const struct sent_args sent = {
            .state = PIN_ATT_ACCEPTED, .mode = plain_modes[i % 4], .id = "77"};
        struct receipt_args args = {
            .id = "77", .mode = sent.mode, .state = PIN_ATT_DELIVERED, .final = true};
        bool enroute = i & 4, a_is_done_between = i & 8;
        assert_int_equal(do_sent(r, &a, &sent), PIN_OK);
        args.msisdn = &b.msisdn;
        if (enroute) {
            args.state = PIN_ATT_ENROUTE;
            args.final = false;
            assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
            args.state = PIN_ATT_DELIVERED;
            args.final = true;
        }
        assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
        args.msisdn = &a.msisdn;
        if (a_is_done_between)
            assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
        assert_int_equal(do_sent(r, &b, &sent), PIN_OK);
        assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
        assert_int_equal(attempt_of(r, &a, 1),
                         a_is_done_between ? PIN_ATT_DELIVERED : PIN_ATT_ACCEPTED);
        RUN_UNTIL(r, look(r, "KEYS pb:*:early:*") == 0);
        args.msisdn = &b.msisdn;
        assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
        assert_int_equal(r->unmatched, 0);
        every_key_has_a_life(r);
        rig_flush(r);
    }
}

static void q9_an_id_used_again_and_its_receipt_may_race(void **state)
{
    struct rig *r = *state;
    for (int round = 0; round < 64; round++) {
        struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
        struct got sent = {0}, receipt = {0}, done = {0};
        const struct sent_args args = {
            .state = PIN_ATT_ACCEPTED, .mode = plain_modes[round % 4], .id = "77"};
        struct receipt_args ra = {
            .id = "77", .mode = args.mode, .state = PIN_ATT_DELIVERED, .final = true};
        struct receipt_args rb = ra;
        ra.msisdn = &a.msisdn;
        rb.msisdn = &b.msisdn;
        assert_int_equal(do_sent(r, &a, &args), PIN_OK);
        if (round & 8) /* the first message is done at the same time */
            assert_int_equal(rig_receipt(r, round >> 4 & 1, &ra, &done), 0);
        if (round & 4)
            assert_int_equal(rig_receipt(r, round >> 5 & 1, &rb, &receipt), 0);
        assert_int_equal(sample_sent(r, &b, 1, &args, &sent), 0);
        if (!(round & 4))
            assert_int_equal(rig_receipt(r, round >> 5 & 1, &rb, &receipt), 0);
        RUN_UNTIL(r, sent.calls && receipt.calls && (done.calls || !(round & 8)));
        assert_int_equal(sent.a.verdict, PIN_OK);
        assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
        every_key_has_a_life(r);
        rig_flush(r);
    }
}

static void in_auto_one_numbers_hex_is_not_anothers_decimal(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
    /* Response "1234" is receipt "4660"; response "4660" is receipt "18016". */
    assert_int_equal(do_accept(r, &a, "4660"), PIN_OK);
    assert_int_equal(do_delivered(r, &b, "4660").verdict, PIN_PARKED);
    assert_int_equal(do_accept(r, &b, "1234"), PIN_OK);
    assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
    assert_int_equal(attempt_of(r, &a, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(do_delivered(r, &a, "18016").verdict, PIN_OK);
}

static void a_receipt_that_names_no_number_matches_by_id_outside_auto(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++) { /* after its response, before it */
        struct sample s = sample_opened(r, NUMBER);
        struct receipt_args args = {
            .id = "5f", .mode = PIN_ID_HEX, .state = PIN_ATT_DELIVERED, .final = true};
        const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_HEX, .id = "5F"};
        if (i == 0)
            assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        assert_int_equal(do_receipt(r, &args).verdict, i == 0 ? PIN_OK : PIN_PARKED);
        if (i == 1)
            assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        assert_int_equal(info_of(r).receipts_by_id_alone, i + 1);
        rig_flush(r);
    }
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_accept(r, &s, "5F"), PIN_OK);
    assert_int_equal(
        do_receipt(r, &(struct receipt_args){.id = "5f", .state = PIN_ATT_DELIVERED, .final = true})
            .verdict,
        PIN_UNMATCHED);
}

/* The operator's receipts bear something else than the id of its response, or it gives none. */
static void a_receipt_with_the_national_form_of_the_number_matches_outside_auto(void **state)
{
    struct rig *r = *state;
    struct msisdn national, other;
    assert_int_equal(msisdn_parse("911234567", 9, &national), 0); /* of NUMBER */
    assert_int_equal(msisdn_parse("911234568", 9, &other), 0);
    for (int i = 0; i < 2; i++) { /* after its response, before it */
        struct sample s = sample_opened(r, NUMBER);
        struct receipt_args args = {.id = "5f",
                                    .mode = PIN_ID_HEX,
                                    .state = PIN_ATT_DELIVERED,
                                    .final = true,
                                    .msisdn = &national};
        const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_HEX, .id = "5F"};
        if (i == 0)
            assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        assert_int_equal(do_receipt(r, &args).verdict, i == 0 ? PIN_OK : PIN_PARKED);
        if (i == 1)
            assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        assert_int_equal(do_receipt(r, &args).verdict, PIN_DUPLICATE);
        args.msisdn = &other;
        assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
        rig_flush(r);
    }
}

static void a_receipt_is_found_by_what_the_sender_calls_the_message(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 4; i++) { /* before or after its response, which has an id or has none */
        struct sample s = sample_opened(r, NUMBER);
        const struct pair p = {PIN_ID_REFERENCE, i & 2 ? "33E95179" : "", "ref=00A1"};
        const struct receipt_args receipt = delivered(&p, &s);
        const struct sent_args sent = {.state = PIN_ATT_ACCEPTED,
                                       .mode = PIN_ID_REFERENCE,
                                       .id = p.response,
                                       .match = "ref=00A1"};
        if (i & 1)
            assert_int_equal(do_receipt(r, &receipt).verdict, PIN_PARKED);
        assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        if (!(i & 1))
            assert_int_equal(do_receipt(r, &receipt).verdict, PIN_OK);
        is_delivered(r, &s, &p);
        RUN_UNTIL(r, of_the_map(r, "TTL") > 0 && of_the_map(r, "TTL") <= 600);
        assert_int_equal(do_receipt(r, &receipt).verdict, PIN_DUPLICATE);
        rig_flush(r);
    }
    assert_int_equal(info_of(r).receipts_matched, 4);
}

/* No answer came to the submit, so there is no id; its receipt finds it all the same. */
static void a_receipt_ends_the_doubt_where_it_needs_no_answer(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++) { /* before or after the outcome is noted */
        struct sample s = sample_opened(r, NUMBER);
        const struct pair p = {PIN_ID_REFERENCE, "", "ref=00A1"};
        const struct receipt_args receipt = delivered(&p, &s);
        const struct sent_args sent = {
            .state = PIN_ATT_IN_DOUBT, .mode = PIN_ID_REFERENCE, .id = "", .match = "ref=00A1"};
        if (i == 0)
            assert_int_equal(do_receipt(r, &receipt).verdict, PIN_PARKED);
        assert_int_equal(do_sent(r, &s, &sent), PIN_OK);
        if (i == 1) {
            assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_IN_DOUBT);
            assert_int_equal(do_receipt(r, &receipt).verdict, PIN_OK);
        }
        is_delivered(r, &s, &p);
        assert_int_equal(do_verify(r, &s, true).verdict, PIN_OK);
        rig_flush(r);
    }
}

/* References are 16 bits of a carrier: two numbers have one at the same time. */
static void one_reference_of_two_numbers_is_two_messages(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
    const struct sent_args sent = {
        .state = PIN_ATT_ACCEPTED, .mode = PIN_ID_REFERENCE, .id = "1", .match = "ref=1"};
    struct receipt_args receipt = {.id = "ref=1",
                                   .mode = PIN_ID_REFERENCE,
                                   .state = PIN_ATT_DELIVERED,
                                   .final = true,
                                   .msisdn = &b.msisdn};
    assert_int_equal(do_sent(r, &a, &sent), PIN_OK);
    assert_int_equal(do_receipt(r, &receipt).verdict, PIN_PARKED);
    assert_int_equal(do_sent(r, &b, &sent), PIN_OK);
    assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
    assert_int_equal(attempt_of(r, &a, 1), PIN_ATT_ACCEPTED);
    receipt.msisdn = NULL;
    assert_int_equal(do_receipt(r, &receipt).verdict, PIN_UNMATCHED);
    receipt.msisdn = &a.msisdn;
    assert_int_equal(do_receipt(r, &receipt).verdict, PIN_OK);
}

static void q9_an_id_that_the_operator_uses_again_leads_to_the_newest(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
    const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "1"};
    struct receipt_args args = {
        .id = "1", .mode = PIN_ID_STRING, .state = PIN_ATT_DELIVERED, .final = true};
    assert_int_equal(do_sent(r, &a, &sent), PIN_OK);
    args.msisdn = &a.msisdn;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    RUN_UNTIL(r, of_the_map(r, "TTL") <= 600); /* it is marked */
    /* Done for one number: another's receipt may come before its response. */
    args.msisdn = &b.msisdn;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    assert_int_equal(do_sent(r, &b, &sent), PIN_OK);
    assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
    struct sample c = sample_opened(r, "385911234569");
    args.msisdn = &c.msisdn;
    assert_int_equal(do_sent(r, &c, &sent), PIN_OK);
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &c, 1), PIN_ATT_DELIVERED);
}

static void a_parked_receipt_that_gives_way_to_another_number_is_told(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
    struct receipt_args args = {.id = "1",
                                .mode = PIN_ID_STRING,
                                .state = PIN_ATT_DELIVERED,
                                .final = true,
                                .msisdn = &a.msisdn};
    const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "1"};
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    args.msisdn = &b.msisdn;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_PARKED);
    assert_int_equal(r->unmatched, 1);
    assert_int_equal(do_sent(r, &a, &sent), PIN_OK);
    assert_int_equal(r->unmatched, 2);
    assert_int_equal(attempt_of(r, &a, 1), PIN_ATT_ACCEPTED);
}

static void q10_a_parked_receipt_that_nothing_matches_is_told(void **state)
{
    struct rig *r = *state;
    ledger_again(r, &(struct pin_ledger_options){.parked_s = 1});
    struct sample s = sample_opened(r, NUMBER), t = sample_opened(r, "385911234568");
    assert_int_equal(do_delivered(r, &s, "0C0FFEE").verdict, PIN_PARKED);
    assert_int_equal(do_delivered(r, &t, "77").verdict, PIN_PARKED);
    assert_int_equal(do_accept(r, &t, "77"), PIN_OK);
    RUN_UNTIL(r, r->unmatched > 0);
    assert_string_equal(r->unmatched_id, "0C0FFEE");
    RUN_UNTIL(r, info_of(r).outstanding == 0);
    assert_int_equal(r->unmatched, 1);
    assert_int_equal(info_of(r).receipts_unmatched, 1);
    RUN_UNTIL(r, look(r, "KEYS pb:*:dlr:*") == 1);
}

static void the_watch_over_parked_receipts_is_bounded(void **state)
{
    struct rig *r = *state;
    ledger_again(r, &(struct pin_ledger_options){.max_outstanding = 2});
    struct sample s = sample_opened(r, NUMBER);
    do_delivered(r, &s, "a1");
    do_delivered(r, &s, "a2");
    assert_int_equal(r->unmatched, 0);
    do_delivered(r, &s, "a3");
    assert_int_equal(r->unmatched, 1);
    assert_string_equal(r->unmatched_id, "a1");
}

static void a_carrier_in_auto_settles_after_a_hundred_alike(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    char response[20], receipt[20];
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(pin_ledger_id_mode(r->ledger[0], "acme", PIN_ID_AUTO), PIN_ID_AUTO);
        snprintf(response, sizeof response, "%x", 0xabc00 + i);
        snprintf(receipt, sizeof receipt, "%d", 0xabc00 + i);
        if (i % 2)
            assert_int_equal(do_accept(r, &s, response), PIN_OK);
        do_delivered(r, &s, receipt);
        if (i % 2 == 0)
            assert_int_equal(do_accept(r, &s, response), PIN_OK);
    }
    assert_int_equal(pin_ledger_id_mode(r->ledger[0], "acme", PIN_ID_AUTO),
                     PIN_ID_RESP_HEX_DLR_DEC);
    assert_int_equal(pin_ledger_id_mode(r->ledger[0], "acme", PIN_ID_HEX), PIN_ID_HEX);
    assert_int_equal(pin_ledger_id_mode(r->ledger[0], "other", PIN_ID_AUTO), PIN_ID_AUTO);
    /* It still matches, in both orders, also with a gateway that has not settled. */
    for (int i = 0; i < 4; i++) {
        struct sample t = sample_opened(r, "385911234568");
        struct got g = {0}, h = {0};
        const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .id = "abcde"};
        const struct receipt_args rec = {
            .id = "703710", .state = PIN_ATT_DELIVERED, .final = true, .msisdn = &t.msisdn};
        if (i & 1)
            wait_for(r, rig_receipt(r, i / 2, &rec, &h), &h);
        wait_for(r, sample_sent(r, &t, 1 - i / 2, &sent, &g), &g);
        if (!(i & 1))
            wait_for(r, rig_receipt(r, i / 2, &rec, &h), &h);
        assert_int_equal(attempt_of(r, &t, 1), PIN_ATT_DELIVERED);
        rig_flush(r);
    }
}

static void another_kind_between_starts_the_count_again(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    char id[20];
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    for (int i = 0; i < 120; i++) {
        snprintf(id, sizeof id, i == 60 ? "%d" : "%x", 0xabc00 + i);
        do_delivered(r, &s, id);
        snprintf(id, sizeof id, "%x", 0xabc00 + i);
        assert_int_equal(do_accept(r, &s, id), PIN_OK);
    }
    assert_int_equal(pin_ledger_id_mode(r->ledger[0], "acme", PIN_ID_AUTO), PIN_ID_AUTO);
}

static void q8_an_accepted_message_without_an_id_has_no_map(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_LIVE);
    assert_int_equal(look(r, "KEYS pb:*:dlr:*"), 0);
}

static void q5_a_long_id_is_kept_whole(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    char id[257];
    memset(id, 'z', 256);
    memcpy(id, "begin", 5);
    memcpy(id + 253, "end", 4);
    struct got g;
    assert_int_equal(do_accept(r, &s, id), PIN_OK);
    do_status(r, &s, &g);
    assert_string_equal(g.record.attempts[0].message_id, id);
    assert_int_equal(do_delivered(r, &s, id).verdict, PIN_OK);
    char key[128];
    snprintf(key, sizeof key, "pb:{%.3s}:pin:%s", s.drawn.pin_id, s.drawn.pin_id);
    redisReply *encoding = redisCommand(r->look, "OBJECT ENCODING %s", key);
    assert_string_equal(encoding->str, "listpack");
    freeReplyObject(encoding);
}

static void a_receipt_whose_record_is_gone_is_unmatched(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_accept(r, &s, "9"), PIN_OK);
    char key[128];
    snprintf(key, sizeof key, "pb:{%.3s}:pin:%s", s.drawn.pin_id, s.drawn.pin_id);
    assert_int_equal(look(r, "DEL %s", key), 1);
    assert_int_equal(do_delivered(r, &s, "9").verdict, PIN_UNMATCHED);
    assert_int_equal(look(r, "EXISTS %s", key), 0);
    assert_int_equal(r->unmatched, 1);
}

/* It parked the receipt and died before it looked under the other base: nobody has answered. */
static void a_receipt_given_again_after_its_gateway_died_is_looked_for_everywhere(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER), t = sample_opened(r, "385911234568");
    char key[128], value[64];
    assert_int_equal(do_accept(r, &s, "33E95179"), PIN_OK);
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:870928761:" NUMBER, store_bucket("870928761", 9));
    snprintf(value, sizeof value, "Pdeadgate102-1 %s 000", NUMBER);
    look(r, "SET %s %b EX 100", key, value, strlen(value));
    assert_int_equal(do_delivered(r, &s, "870928761").verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    /* The same with no response yet: it is watched from now on. */
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:77:385911234568", store_bucket("77", 2));
    look(r, "SET %s %b EX 100", key, "Pdeadgate102-1 385911234568 000", (size_t)31);
    assert_int_equal(do_delivered(r, &t, "77").verdict, PIN_PARKED);
    assert_int_equal(do_accept(r, &t, "77"), PIN_OK);
    assert_int_equal(attempt_of(r, &t, 1), PIN_ATT_DELIVERED);
}

/* The operator uses an id again while the gateway waits to hear that its receipt is recorded. */
static void the_mark_of_a_final_receipt_leaves_the_map_of_a_newer_message(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, "385911234568");
    const struct sent_args sent = {.state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "9"};
    struct receipt_args args = {.id = "9",
                                .mode = PIN_ID_STRING,
                                .state = PIN_ATT_DELIVERED,
                                .final = true,
                                .msisdn = &a.msisdn};
    struct got first = {0}, second = {0};
    assert_int_equal(do_sent(r, &a, &sent), PIN_OK);
    proxy_arm(r, PROXY_HOLD, 1);
    assert_int_equal(rig_receipt(r, 0, &args, &first), 0);
    RUN_UNTIL(r, r->proxy_hits > 0);
    assert_int_equal(wait_for(r, sample_sent(r, &b, 1, &sent, &second), &second).verdict, PIN_OK);
    proxy_release(r);
    RUN_UNTIL(r, first.calls > 0);
    do_cancel(r, &a); /* behind it on the same connection */
    args.msisdn = &b.msisdn;
    assert_int_equal(do_receipt(r, &args).verdict, PIN_OK);
    assert_int_equal(attempt_of(r, &b, 1), PIN_ATT_DELIVERED);
}

/* --- what a response makes of a PIN ---------------------------------------------------------- */

static void the_newer_pin_supersedes_the_older_in_either_order_of_acceptance(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++) {
        struct sample a = sample_opened(r, NUMBER), b = sample_opened(r, NUMBER);
        assert_int_equal(state_of(r, &a), PIN_PENDING);
        assert_int_equal(do_accept(r, i == 0 ? &a : &b, ""), PIN_OK);
        assert_int_equal(state_of(r, i == 0 ? &a : &b), PIN_LIVE);
        assert_int_equal(do_accept(r, i == 0 ? &b : &a, ""), PIN_OK);
        assert_int_equal(state_of(r, &a), PIN_SUPERSEDED);
        assert_int_equal(state_of(r, &b), PIN_LIVE);
        rig_flush(r);
    }
}

/* What became of its submit is not known; a newer one's is. */
static void a_pin_in_doubt_is_over_when_a_newer_one_is_live(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++) {
        struct sample a = sample_opened(r, NUMBER);
        assert_int_equal(do_sent(r, &a, &(struct sent_args){.state = PIN_ATT_IN_DOUBT}), PIN_OK);
        if (i == 1)
            assert_int_equal(do_verify(r, &a, true).verdict, PIN_OK);
        struct sample b = sample_live(r, NUMBER);
        assert_int_equal(do_verify(r, &a, true).verdict, PIN_TTL_EXPIRED);
        assert_int_equal(do_attempt(r, &a, 1).verdict, PIN_LOST_RACE);
        assert_int_equal(do_verify(r, &b, true).verdict, PIN_OK);
        rig_flush(r);
    }
}

static void a_pin_not_yet_accepted_supersedes_nothing(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_live(r, NUMBER), b = sample_opened(r, NUMBER);
    assert_int_equal(do_sent(r, &b, &(struct sent_args){.state = PIN_ATT_IN_DOUBT}), PIN_OK);
    assert_int_equal(state_of(r, &a), PIN_LIVE);
    assert_int_equal(do_cancel(r, &b), PIN_OK);
    assert_int_equal(do_accept(r, &b, ""), PIN_OK); /* late; the PIN is withdrawn already */
    assert_int_equal(state_of(r, &a), PIN_LIVE);
    assert_int_equal(state_of(r, &b), PIN_CANCELLED);
}

static void a_verified_pin_for_many_uses_is_superseded_and_stays_known_as_verified(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_live(r, NUMBER);
    assert_int_equal(do_verify(r, &a, true).verdict, PIN_OK);
    sample_live(r, NUMBER);
    struct got g;
    do_status(r, &a, &g);
    assert_int_equal(g.record.state, PIN_SUPERSEDED);
    assert_true(g.record.verified_ms > 0);
}

static void other_applications_and_numbers_are_left_alone(void **state)
{
    struct rig *r = *state;
    struct sample a = sample_live(r, NUMBER), b = sample_live(r, "385911234568");
    assert_int_equal(state_of(r, &a), PIN_LIVE);
    assert_int_equal(state_of(r, &b), PIN_LIVE);
}

static void refused_everywhere_ends_a_pin_only_when_no_copy_may_be_out(void **state)
{
    struct rig *r = *state;
    const struct sent_args last = {.state = PIN_ATT_REFUSED, .attempt = 2, .last = true};
    static const struct {
        enum pin_attempt_state first;
        enum pin_state end;
    } rows[] = {{PIN_ATT_REFUSED, PIN_NOT_SENT},
                {PIN_ATT_NOT_SENT, PIN_NOT_SENT},
                {PIN_ATT_IN_DOUBT, PIN_PENDING},
                {PIN_ATT_PENDING, PIN_PENDING},
                {PIN_ATT_ACCEPTED, PIN_LIVE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample s = sample_opened(r, NUMBER);
        if (rows[i].first != PIN_ATT_PENDING)
            assert_int_equal(do_sent(r, &s, &(struct sent_args){.state = rows[i].first}), PIN_OK);
        assert_int_equal(do_attempt(r, &s, 1).verdict, PIN_OK);
        assert_int_equal(do_sent(r, &s, &last), PIN_OK);
        assert_int_equal(state_of(r, &s), rows[i].end);
        assert_int_equal(attempt_of(r, &s, 1), rows[i].first);
        assert_int_equal(attempt_of(r, &s, 2), PIN_ATT_REFUSED);
        rig_flush(r);
    }
}

static void that_nothing_follows_may_be_told_after_the_refusal(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    const struct sent_args refused = {.state = PIN_ATT_REFUSED},
                           closed = {.state = PIN_ATT_REFUSED, .last = true};
    assert_int_equal(do_sent(r, &s, &refused), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_PENDING);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(do_sent(r, &s, &closed), PIN_OK);
        assert_int_equal(state_of(r, &s), PIN_NOT_SENT);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_REFUSED);
    }
    s = sample_live(r, NUMBER);
    assert_int_equal(do_sent(r, &s, &closed), PIN_OK);
    assert_int_equal(state_of(r, &s), PIN_LIVE);
}

static void a_refused_attempt_keeps_its_status_and_the_pin_goes_on(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g;
    assert_int_equal(do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_REFUSED}), PIN_OK);
    do_status(r, &s, &g);
    assert_int_equal(g.record.state, PIN_PENDING);
    assert_int_equal(g.record.attempts[0].state, PIN_ATT_REFUSED);
    assert_string_equal(g.record.attempts[0].err, "0x0000000b");
    assert_true(g.record.attempts[0].done_ms > 0);
}

static void a_late_response_settles_an_attempt_in_doubt(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_IN_DOUBT}), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_IN_DOUBT);
    assert_int_equal(state_of(r, &s), PIN_PENDING);
    assert_int_equal(do_accept(r, &s, "12"), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(state_of(r, &s), PIN_LIVE);
    /* And nothing takes that back. */
    assert_int_equal(do_sent(r, &s, &(struct sent_args){.state = PIN_ATT_IN_DOUBT}), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
}

static void what_makes_no_sense_is_refused_at_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_new(r, NUMBER);
    struct got g = {0};
    assert_int_equal(sample_sent(r, &s, 0, &(struct sent_args){.state = PIN_ATT_DELIVERED}, &g),
                     ERR_INVALID);
    assert_int_equal(
        sample_sent(r, &s, 0, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .attempt = 9}, &g),
        ERR_INVALID);
    assert_int_equal(rig_receipt(r, 0, &(struct receipt_args){.id = ""}, &g), ERR_INVALID);
    assert_int_equal(
        rig_receipt(r, 0, &(struct receipt_args){.id = "1", .state = PIN_ATT_PENDING}, &g),
        ERR_INVALID);
    assert_int_equal(pin_ledger_verify(r->ledger[0], "demo", "12", "1", 1, got_cb, &g),
                     ERR_INVALID);
    assert_int_equal(pin_ledger_attempt(r->ledger[0],
                                        &(struct pin_next){.account = "demo",
                                                           .pin_id = s.drawn.pin_id,
                                                           .last = 1,
                                                           .carrier = "a b"},
                                        got_cb, &g),
                     ERR_INVALID);
    assert_int_equal(info_of(r).outstanding, 0);
    assert_int_equal(g.calls, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(q1_a_receipt_finds_its_pin_whatever_the_base),
        T(q6_a_receipt_before_its_response_is_parked_then_matched),
        T(q7_a_receipt_at_another_gateway_finds_its_pin),
        T(q6_a_receipt_and_its_response_may_race),
        T(a_receipt_before_the_acceptance_implies_it),
        T(q11_an_intermediate_state_never_overrides_a_final_one),
        T(q11_a_final_receipt_is_noted_once_even_when_its_mark_is_lost),
        T(parked_a_final_receipt_stays_and_an_intermediate_gives_way),
        T(q11_an_intermediate_receipt_parked_leaves_the_map_for_the_final_one),
        T(q9_a_receipt_for_another_number_does_not_match),
        T(q9_an_id_used_again_before_the_first_message_is_done),
        T(q9_an_id_used_again_and_its_receipt_may_race),
        T(in_auto_one_numbers_hex_is_not_anothers_decimal),
        T(a_receipt_that_names_no_number_matches_by_id_outside_auto),
        T(a_receipt_with_the_national_form_of_the_number_matches_outside_auto),
        T(a_receipt_is_found_by_what_the_sender_calls_the_message),
        T(a_receipt_ends_the_doubt_where_it_needs_no_answer),
        T(one_reference_of_two_numbers_is_two_messages),
        T(q9_an_id_that_the_operator_uses_again_leads_to_the_newest),
        T(a_parked_receipt_that_gives_way_to_another_number_is_told),
        T(q10_a_parked_receipt_that_nothing_matches_is_told),
        T(the_watch_over_parked_receipts_is_bounded),
        T(a_carrier_in_auto_settles_after_a_hundred_alike),
        T(another_kind_between_starts_the_count_again),
        T(q8_an_accepted_message_without_an_id_has_no_map),
        T(q5_a_long_id_is_kept_whole),
        T(a_receipt_whose_record_is_gone_is_unmatched),
        T(a_receipt_given_again_after_its_gateway_died_is_looked_for_everywhere),
        T(the_mark_of_a_final_receipt_leaves_the_map_of_a_newer_message),
        T(the_newer_pin_supersedes_the_older_in_either_order_of_acceptance),
        T(a_pin_in_doubt_is_over_when_a_newer_one_is_live),
        T(a_pin_not_yet_accepted_supersedes_nothing),
        T(a_verified_pin_for_many_uses_is_superseded_and_stays_known_as_verified),
        T(other_applications_and_numbers_are_left_alone),
        T(refused_everywhere_ends_a_pin_only_when_no_copy_may_be_out),
        T(that_nothing_follows_may_be_told_after_the_refusal),
        T(a_refused_attempt_keeps_its_status_and_the_pin_goes_on),
        T(a_late_response_settles_an_attempt_in_doubt),
        T(what_makes_no_sense_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
