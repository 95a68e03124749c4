/* Messages of several segments, each with an id and receipts of its own (quirk 8). */
#include "tests/unit/pin/ledger_rig.h"

#define NUMBER  "385911234567"
#define DONE_MS 1790000000000 /* of segment 1; a second more for each further one */

/* How the operator writes the ids of the parts in its responses and in its receipts. */
static const struct ids {
    enum pin_id_mode mode;
    const char *response[3], *receipt[3];
} kinds[] = {
    {PIN_ID_AUTO, {"a1", "a2", "a3"}, {"a1", "a2", "a3"}},
    {PIN_ID_AUTO, {"33E95179", "33E9517A", "33E9517B"}, {"870928761", "870928762", "870928763"}},
    {PIN_ID_AUTO, {"870928761", "870928762", "870928763"}, {"33E95179", "33e9517A", "33E9517B"}},
    {PIN_ID_STRING, {"x-1", "x-2", "x-3"}, {"x-1", "x-2", "x-3"}},
    {PIN_ID_HEX, {"0A1", "0A2", "0A3"}, {"a1", "a2", "a3"}},
    {PIN_ID_RESP_HEX_DLR_DEC, {"a1", "a2", "a3"}, {"161", "162", "163"}},
    {PIN_ID_REFERENCE, {"ref=1", "ref=2", "ref=3"}, {"ref=1", "ref=2", "ref=3"}},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static enum pin_verdict sent(struct rig *r, const struct sample *s, const struct ids *k,
                             uint32_t segment)
{
    return do_sent(r, s,
                   &(struct sent_args){.state = PIN_ATT_ACCEPTED,
                                       .mode = k->mode,
                                       .id = k->response[segment - 1],
                                       .segment = segment,
                                       .segments = 3});
}

static struct receipt_args receipt_of(const struct sample *s, const struct ids *k, uint32_t segment,
                                      enum pin_attempt_state state)
{
    return (struct receipt_args){.id = k->receipt[segment - 1],
                                 .mode = k->mode,
                                 .state = state,
                                 .final = state != PIN_ATT_ENROUTE && state != PIN_ATT_ACCEPTED,
                                 .msisdn = &s->msisdn,
                                 .err = state == PIN_ATT_DELIVERED ? "000" : "069",
                                 .done_ms = DONE_MS + (segment - 1) * 1000};
}

/* At either gateway. */
static enum pin_verdict receipt(struct rig *r, int ledger, const struct sample *s,
                                const struct ids *k, uint32_t segment, enum pin_attempt_state state)
{
    const struct receipt_args args = receipt_of(s, k, segment, state);
    struct got g = {0};
    struct pin_answer a = wait_for(r, rig_receipt(r, ledger, &args, &g), &g);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.segment, a.verdict == PIN_PARKED ? 0 : segment);
    return a.verdict;
}

static struct pin_attempt attempt_at(struct rig *r, const struct sample *s, uint32_t i)
{
    struct got g;
    assert_int_equal(do_status(r, s, &g).verdict, PIN_OK);
    assert_true(g.record.n_attempts >= i);
    return g.record.attempts[i - 1];
}

/* --- every order ----------------------------------------------------------------------------- */

/* Bits 0..2: response of a segment, 3..5: its receipt.  Responses come in the order of the parts;
 * step() is called for each order of the six, with what has come before. */
struct order {
    struct rig *r;
    const struct ids *kind;
    struct sample s;
    int step[6];
    enum pin_attempt_state state[3]; /* of the receipts */
    unsigned count;
};

static unsigned both(unsigned come)
{
    return (come & 7) & (come >> 3);
}

static void play(struct order *o)
{
    struct rig *r = o->r;
    unsigned come = 0, noted = 0;
    bool over = false;
    int64_t done = 0;
    o->s = sample_opened(r, NUMBER);
    for (int i = 0; i < 6; i++) {
        uint32_t segment = (uint32_t)(o->step[i] % 3) + 1;
        come |= 1u << o->step[i];
        if (o->step[i] < 3) {
            assert_int_equal(sent(r, &o->s, o->kind, segment), PIN_OK);
        } else {
            enum pin_verdict v = receipt(r, i & 1, &o->s, o->kind, segment, o->state[segment - 1]);
            bool mapped = (come & 7) & 1u << (segment - 1);
            assert_int_equal(v, !mapped ? PIN_PARKED : over ? PIN_DUPLICATE : PIN_OK);
        }
        if (!over && both(come) != noted) {
            over = both(come) == 7 || o->state[segment - 1] != PIN_ATT_DELIVERED;
            done = DONE_MS + (segment - 1) * 1000;
            noted = both(come);
        }
        struct pin_attempt a = attempt_at(r, &o->s, 1);
        assert_int_equal(a.done_ms, over ? done : 0);
        assert_int_equal(a.state == PIN_ATT_ACCEPTED || a.state == PIN_ATT_PENDING, !over);
    }
    o->count++;
}

static void each_order(struct order *o, int at, unsigned come, void (*then)(struct order *o))
{
    if (at == 6) {
        then(o);
        return;
    }
    for (int e = 0; e < 6; e++) {
        bool in_order = e >= 3 || (come & 7) == (1u << e) - 1;
        if ((come & 1u << e) || !in_order)
            continue;
        o->step[at] = e;
        each_order(o, at + 1, come | 1u << e, then);
    }
}

static void play_delivered(struct order *o)
{
    for (int i = 0; i < 3; i++)
        o->state[i] = PIN_ATT_DELIVERED;
    play(o);
    struct pin_attempt a = attempt_at(o->r, &o->s, 1);
    assert_int_equal(a.state, PIN_ATT_DELIVERED);
    assert_string_equal(a.err, "000");
    assert_string_equal(a.message_id, o->kind->response[0]);
    assert_int_equal(a.segments, 3);
    assert_int_equal(a.segments_delivered, 3);
    assert_int_equal(state_of(o->r, &o->s), PIN_LIVE);
    every_key_has_a_life(o->r);
    rig_flush(o->r);
}

static void play_undeliverable(struct order *o)
{
    for (int bad = 0; bad < 3; bad++) {
        for (int i = 0; i < 3; i++)
            o->state[i] = i == bad ? PIN_ATT_UNDELIVERABLE : PIN_ATT_DELIVERED;
        play(o);
        struct pin_attempt a = attempt_at(o->r, &o->s, 1);
        assert_int_equal(a.state, PIN_ATT_UNDELIVERABLE);
        assert_string_equal(a.err, "069");
        assert_int_equal(a.done_ms, DONE_MS + bad * 1000);
        rig_flush(o->r);
    }
}

static void q08_delivered_is_when_the_last_segment_is_in_every_order(void **state)
{
    struct order o = {.r = *state, .kind = &kinds[0]};
    each_order(&o, 0, 0, play_delivered);
    assert_int_equal(o.count, 120);
}

static void q08_the_first_other_final_state_of_a_segment_ends_it_in_every_order(void **state)
{
    struct order o = {.r = *state, .kind = &kinds[3]};
    each_order(&o, 0, 0, play_undeliverable);
    assert_int_equal(o.count, 3 * 120);
}

static void q08_each_segment_is_found_whatever_the_base(void **state)
{
    static const int orders[][6] = {
        {0, 1, 2, 3, 4, 5}, {3, 4, 5, 0, 1, 2}, {5, 0, 3, 1, 4, 2}, {0, 5, 1, 2, 4, 3}};
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
            struct order o = {.r = *state, .kind = &kinds[k]};
            memcpy(o.step, orders[i], sizeof o.step);
            play_delivered(&o);
        }
}

/* --- one by one ------------------------------------------------------------------------------ */

static struct sample sample_mapped(struct rig *r)
{
    struct sample s = sample_opened(r, NUMBER);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(sent(r, &s, &kinds[3], i), PIN_OK);
    return s;
}

static enum pin_verdict take(struct rig *r, const struct sample *s, uint32_t segment,
                             enum pin_attempt_state state)
{
    return receipt(r, 0, s, &kinds[3], segment, state);
}

static void q08_a_segments_receipt_counts_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_mapped(r);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), i == 0 ? PIN_OK : PIN_DUPLICATE);
    assert_int_equal(take(r, &s, 2, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 2);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(take(r, &s, 3, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(take(r, &s, 2, PIN_ATT_EXPIRED), PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

/* The mark on the id is set last: without it the record itself says so. */
static void q08_a_segment_is_counted_once_even_when_its_mark_is_lost(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_mapped(r);
    char key[128];
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:x-1", store_bucket("x-1", 3));
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_OK);
    RUN_UNTIL(r, look(r, "TTL %s", key) <= 600);
    for (int i = 0; i < 3; i++) {
        look(r, "SET %s M%s1ac" NUMBER " EX 1000", key, s.drawn.pin_id);
        assert_int_equal(take(r, &s, 1, i == 0 ? PIN_ATT_EXPIRED : PIN_ATT_DELIVERED),
                         PIN_DUPLICATE);
    }
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 1);
}

static void q11_an_intermediate_state_never_overrides_a_segments_final_one(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_mapped(r);
    assert_int_equal(take(r, &s, 1, PIN_ATT_ENROUTE), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ENROUTE);
    assert_int_equal(take(r, &s, 1, PIN_ATT_ENROUTE), PIN_DUPLICATE);
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(take(r, &s, 1, PIN_ATT_ENROUTE), PIN_DUPLICATE);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 1);
    assert_int_equal(take(r, &s, 2, PIN_ATT_ACCEPTED), PIN_OK);
    assert_int_equal(take(r, &s, 2, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(take(r, &s, 3, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(take(r, &s, 3, PIN_ATT_ENROUTE), PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void an_intermediate_receipt_parked_leaves_the_segment_for_the_final_one(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(take(r, &s, i, PIN_ATT_ENROUTE), PIN_PARKED);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(sent(r, &s, &kinds[3], i), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ENROUTE);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(take(r, &s, i, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
}

static void a_receipt_of_a_segment_implies_the_acceptance(void **state)
{
    struct rig *r = *state;
    struct sample old = sample_live(r, NUMBER), s = sample_opened(r, NUMBER);
    char key[128];
    /* The map is there, and the gateway died before it noted the attempt. */
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:x-1", store_bucket("x-1", 3));
    look(r, "SET %s M%s1ac" NUMBER " EX 100", key, s.drawn.pin_id);
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(state_of(r, &s), PIN_LIVE);
    assert_int_equal(state_of(r, &old), PIN_SUPERSEDED);
}

/* Two parts were accepted, the third one's answer is late: its attempt is in doubt till then. */
static void parts_of_a_message_in_doubt_have_their_receipts(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct sent_args args = {
        .state = PIN_ATT_IN_DOUBT, .mode = PIN_ID_STRING, .segments = 3, .last = true};
    for (args.segment = 1; args.segment <= 2; args.segment++) {
        args.id = kinds[3].response[args.segment - 1];
        assert_int_equal(do_sent(r, &s, &args), PIN_OK);
    }
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_IN_DOUBT);
    assert_string_equal(attempt_at(r, &s, 1).message_id, "x-1");
    for (uint32_t i = 1; i <= 2; i++)
        assert_int_equal(take(r, &s, i, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_IN_DOUBT);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 2);
    assert_int_equal(state_of(r, &s), PIN_LIVE); /* a receipt is proof that it is out */
    for (uint32_t i = 1; i <= 3; i++)            /* all of them again */
        assert_int_equal(sent(r, &s, &kinds[3], i), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_ACCEPTED);
    assert_int_equal(take(r, &s, 3, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_DUPLICATE);
}

static void ten_segments_are_told_apart(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    char id[8];
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 1; i <= PIN_SEGMENTS_MAX; i++) {
            struct receipt_args args = {.id = id,
                                        .mode = PIN_ID_STRING,
                                        .state = PIN_ATT_DELIVERED,
                                        .final = true,
                                        .msisdn = &s.msisdn};
            snprintf(id, sizeof id, "t%u", i);
            if (round == 0)
                assert_int_equal(do_sent(r, &s,
                                         &(struct sent_args){.state = PIN_ATT_ACCEPTED,
                                                             .mode = PIN_ID_STRING,
                                                             .id = id,
                                                             .segment = i,
                                                             .segments = PIN_SEGMENTS_MAX}),
                                 PIN_OK);
            else
                assert_int_equal(do_receipt(r, &args).verdict, round == 1 ? PIN_OK : PIN_DUPLICATE);
            assert_int_equal(attempt_of(r, &s, 1) == PIN_ATT_DELIVERED,
                             round == 2 || (round == 1 && i == PIN_SEGMENTS_MAX));
        }
    every_key_has_a_life(r);
}

static void each_attempt_has_segments_of_its_own(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_mapped(r);
    struct sent_args args = {
        .state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .attempt = 2, .segments = 2};
    assert_int_equal(do_attempt(r, &s, 1).verdict, PIN_OK);
    for (args.segment = 1; args.segment <= 2; args.segment++) {
        args.id = args.segment == 1 ? "y-1" : "y-2";
        assert_int_equal(do_sent(r, &s, &args), PIN_OK);
    }
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(take(r, &s, i, PIN_ATT_DELIVERED), PIN_OK);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(attempt_of(r, &s, 2), PIN_ATT_ACCEPTED);
    assert_int_equal(attempt_at(r, &s, 2).segments, 2);
    assert_int_equal(attempt_at(r, &s, 2).segments_delivered, 0);
}

/* One id for all parts, or one for the first only: that one stands for the whole message. */
static void q08_one_id_is_the_whole_messages(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    assert_int_equal(do_accept(r, &s, "a1"), PIN_OK);
    assert_int_equal(do_delivered(r, &s, "a1").verdict, PIN_OK);
    assert_int_equal(do_delivered(r, &s, "a1").verdict, PIN_DUPLICATE);
    assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
    assert_int_equal(attempt_at(r, &s, 1).segments, 0);
}

static void an_id_used_again_after_a_segments_end_is_another_numbers(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_mapped(r), b = sample_opened(r, "385911234568");
    char key[128];
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:x-1", store_bucket("x-1", 3));
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_OK);
    RUN_UNTIL(r, look(r, "TTL %s", key) <= 600);
    assert_int_equal(take(r, &s, 1, PIN_ATT_DELIVERED), PIN_DUPLICATE);
    assert_int_equal(take(r, &b, 1, PIN_ATT_DELIVERED), PIN_PARKED);
    assert_int_equal(sent(r, &b, &kinds[3], 1), PIN_OK);
    assert_int_equal(attempt_at(r, &b, 1).segments_delivered, 1);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 1);
}

static void what_makes_no_sense_is_refused_at_once(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct got g = {0};
    static const struct sent_args rows[] = {
        {.id = "1", .segment = 1},
        {.id = "1", .segments = 2},
        {.id = "1", .segment = 3, .segments = 2},
        {.id = "1", .segment = 1, .segments = PIN_SEGMENTS_MAX + 1},
        {.id = "", .segment = 2, .segments = 2},
        {.id = "1", .match = "", .segment = 2, .segments = 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sent_args args = rows[i];
        args.state = PIN_ATT_ACCEPTED;
        assert_int_equal(sample_sent(r, &s, 0, &args, &g), ERR_INVALID);
    }
    struct pin_told told = {.pin_id = s.drawn.pin_id,
                            .attempt = 1,
                            .segment = 1,
                            .segments = PIN_SEGMENTS_MAX + 1,
                            .err = ""};
    assert_int_equal(pin_ledger_told(r->ledger[0], &told, got_cb, &g), ERR_INVALID);
    assert_int_equal(g.calls, 0);
}

/* --- answers that are lost ------------------------------------------------------------------- */

#define STEPS 6 /* more than any act has */

static void wait_through(struct rig *r, struct got *g)
{
    RUN_UNTIL(r, g->calls);
    for (int i = 0; i < 10; i++)
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    assert_int_equal(g->calls, 1);
    assert_int_equal(g->a.result, 0);
    RUN_UNTIL(r, store_is_up(r->store[0]));
}

static void a_receipt_repeated_counts_its_segment_once_at_every_step(void **state)
{
    struct rig *r = *state;
    for (int step = 0; step < STEPS; step++) {
        struct sample s = sample_mapped(r);
        for (uint32_t i = 1; i <= 3; i++) {
            const struct receipt_args args = receipt_of(&s, &kinds[3], i, PIN_ATT_DELIVERED);
            struct got g = {0};
            proxy_arm(r, PROXY_LOSE, step);
            assert_int_equal(rig_receipt(r, 0, &args, &g), 0);
            wait_through(r, &g);
            assert_int_equal(g.a.verdict, PIN_OK);
            assert_int_equal(attempt_at(r, &s, 1).segments_delivered, i);
        }
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        assert_int_equal(attempt_at(r, &s, 1).done_ms, DONE_MS + 2000);
        rig_flush(r);
    }
}

/* A receipt whose answer is lost, and another segment's before it is asked for again. */
static void a_repeat_gives_its_verdict_when_another_segment_came_between(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    struct receipt_args args = {
        .mode = PIN_ID_STRING, .state = PIN_ATT_DELIVERED, .final = true, .msisdn = &s.msisdn};
    struct sent_args sargs = {
        .state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .segments = PIN_SEGMENTS_MAX};
    char id[8];
    for (uint32_t i = 1; i <= PIN_SEGMENTS_MAX; i++) {
        snprintf(id, sizeof id, "t%u", i);
        sargs.id = id;
        sargs.segment = i;
        assert_int_equal(do_sent(r, &s, &sargs), PIN_OK);
    }
    struct got g = {0}, h = {0};
    proxy_arm(r, PROXY_HOLD, 1); /* the answer of the note */
    args.id = "t1";
    assert_int_equal(rig_receipt(r, 0, &args, &g), 0);
    RUN_UNTIL(r, r->proxy_hits);
    args.id = "t9";
    assert_int_equal(wait_for(r, rig_receipt(r, 1, &args, &h), &h).verdict, PIN_OK);
    RUN_UNTIL(r, g.calls || !store_is_up(r->store[0]));
    proxy_release(r);
    wait_through(r, &g);
    assert_int_equal(g.a.verdict, PIN_OK);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 2);
}

/* A receipt that found nothing is about to be parked: by then its message is there, and done. */
static void a_receipt_overtaken_by_its_like_parks_nothing(void **state)
{
    struct rig *r = *state;
    struct sample s = sample_opened(r, NUMBER);
    const struct receipt_args args = receipt_of(&s, &kinds[3], 1, PIN_ATT_DELIVERED);
    struct sent_args sargs = {
        .state = PIN_ATT_ACCEPTED, .mode = PIN_ID_STRING, .id = "x-1", .segment = 1, .segments = 3};
    struct got g = {0}, h = {0};
    char key[128];
    snprintf(key, sizeof key, "pb:{%03X}:dlr:acme:x-1", store_bucket("x-1", 3));
    proxy_arm(r, PROXY_HOLD, 0);
    assert_int_equal(rig_receipt(r, 0, &args, &g), 0);
    RUN_UNTIL(r, r->proxy_hits);
    assert_int_equal(wait_for(r, sample_sent(r, &s, 1, &sargs, &h), &h).verdict, PIN_OK);
    assert_int_equal(receipt(r, 1, &s, &kinds[3], 1, PIN_ATT_DELIVERED), PIN_OK);
    RUN_UNTIL(r, look(r, "TTL %s", key) <= 600); /* it is marked */
    proxy_release(r);
    wait_through(r, &g);
    assert_int_equal(g.a.verdict, PIN_DUPLICATE);
    assert_int_equal(attempt_at(r, &s, 1).segments_delivered, 1);
}

static void a_response_repeated_at_every_step_loses_no_segment(void **state)
{
    struct rig *r = *state;
    for (int parked = 0; parked < 2; parked++)
        for (int step = 0; step < STEPS; step++) {
            struct sample s = sample_opened(r, NUMBER);
            for (uint32_t i = 1; i <= 3; i++) {
                struct got g = {0};
                const struct sent_args args = {.state = PIN_ATT_ACCEPTED,
                                               .mode = PIN_ID_STRING,
                                               .id = kinds[3].response[i - 1],
                                               .segment = i,
                                               .segments = 3};
                if (parked)
                    assert_int_equal(take(r, &s, i, PIN_ATT_DELIVERED), PIN_PARKED);
                proxy_arm(r, PROXY_LOSE, step);
                assert_int_equal(sample_sent(r, &s, 0, &args, &g), 0);
                wait_through(r, &g);
                assert_int_equal(g.a.verdict, PIN_OK);
                proxy_arm(r, PROXY_PASS, 0);
                if (!parked)
                    assert_int_equal(take(r, &s, i, PIN_ATT_DELIVERED), PIN_OK);
            }
            assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
            rig_flush(r);
        }
}

/* Both start in one turn of the loop, over two connections: one of the two sees the other. */
static void receipts_and_responses_of_segments_may_race(void **state)
{
    struct rig *r = *state;
    for (int round = 0; round < 60; round++) {
        const struct ids *k = &kinds[round % (int)N_KINDS];
        struct sample s = sample_opened(r, NUMBER);
        struct got got[6] = {0};
        for (uint32_t i = 1; i <= 3; i++) {
            const struct receipt_args args = receipt_of(&s, k, i, PIN_ATT_DELIVERED);
            const struct sent_args sargs = {.state = PIN_ATT_ACCEPTED,
                                            .mode = k->mode,
                                            .id = k->response[i - 1],
                                            .segment = i,
                                            .segments = 3};
            assert_int_equal(rig_receipt(r, (round + (int)i) & 1, &args, &got[i - 1]), 0);
            assert_int_equal(sample_sent(r, &s, round / 2 & 1, &sargs, &got[i + 2]), 0);
        }
        for (int i = 0; i < 6; i++)
            RUN_UNTIL(r, got[i].calls);
        assert_int_equal(attempt_of(r, &s, 1), PIN_ATT_DELIVERED);
        rig_flush(r);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(q08_delivered_is_when_the_last_segment_is_in_every_order),
        T(q08_the_first_other_final_state_of_a_segment_ends_it_in_every_order),
        T(q08_each_segment_is_found_whatever_the_base),
        T(q08_a_segments_receipt_counts_once),
        T(q08_a_segment_is_counted_once_even_when_its_mark_is_lost),
        T(q11_an_intermediate_state_never_overrides_a_segments_final_one),
        T(an_intermediate_receipt_parked_leaves_the_segment_for_the_final_one),
        T(a_receipt_of_a_segment_implies_the_acceptance),
        T(parts_of_a_message_in_doubt_have_their_receipts),
        T(ten_segments_are_told_apart),
        T(each_attempt_has_segments_of_its_own),
        T(q08_one_id_is_the_whole_messages),
        T(an_id_used_again_after_a_segments_end_is_another_numbers),
        T(what_makes_no_sense_is_refused_at_once),
        T(a_receipt_repeated_counts_its_segment_once_at_every_step),
        T(a_repeat_gives_its_verdict_when_another_segment_came_between),
        T(a_receipt_overtaken_by_its_like_parks_nothing),
        T(a_response_repeated_at_every_step_loses_no_segment),
        T(receipts_and_responses_of_segments_may_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
