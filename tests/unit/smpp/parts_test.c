/* What a message bears beyond its text, and messages that take several submit_sm. */
#include "carrier_rig.h"

#include "base/result.h"

#include <stdio.h>

#define MANY 64

/* What became of one message. */
struct fate {
    unsigned calls;
    struct smpp_result r; /* its pointers are of no use any more */
    char id[32];
};

static struct fate fates[MANY], late;
static unsigned n_done;

static void note(struct fate *f, const struct smpp_result *r)
{
    f->calls++;
    f->r = *r;
    snprintf(f->id, sizeof f->id, "%.*s", (int)r->message_id.len,
             r->message_id.p ? r->message_id.p : "");
    assert_true(r->parts >= 1);
    assert_non_null(r->part_ids);
}

static void on_outcome(void *arg, const struct smpp_result *r)
{
    note(arg, r);
    n_done++;
}

static void on_late(void *arg, struct smpp_carrier *c, void *submit_arg,
                    const struct smpp_result *r)
{
    (void)arg;
    (void)c;
    (void)submit_arg;
    note(&late, r);
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    memset(fates, 0, sizeof fates);
    memset(&late, 0, sizeof late);
    n_done = 0;
    return 0;
}

static void bound(struct smpp_carrier_options o)
{
    const struct smpp_events events = {.late_cb = on_late};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    assert_non_null(carrier);
    bind_up(0);
}

static int submit_text(unsigned i, const char *text)
{
    struct smpp_message m = {
        .destination = "38591234567",
        .text = text,
        .text_len = strlen(text),
        .deadline = mono_add_ms(mono_now(), 60000),
    };
    return smpp_submit(carrier, &m, on_outcome, &fates[i]);
}

static int submit(unsigned i)
{
    return submit_text(i, "Your PIN is 739201");
}

/* data_coding, sm_default_msg_id, sm_length and the message, at the end of a submit. */
static void check_end(const struct wire *w, const char *end, size_t len)
{
    assert_true(w->body_len > len);
    assert_memory_equal(w->body + w->body_len - len, end, len);
}
#define ENDS(w, octets) check_end((w), "" octets "", sizeof(octets) - 1)

/* --- user_message_reference --- */

/* What the one TLV of a submit says. */
static int32_t reference_of(const struct wire *w)
{
    const uint8_t *tlv = w->body + w->body_len - 6;
    assert_memory_equal(tlv, "\2\4\0\2", 4);
    return tlv[4] << 8 | tlv[5];
}

static void each_submit_has_a_reference_of_its_own(void **state)
{
    (void)state;
    bound(WITH(.window = 3, .user_message_reference = true));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(i), 0);
    int32_t first = -1;
    for (unsigned i = 0; i < 3; i++) {
        struct wire w = peer_expect(&peer, SUBMIT, 0);
        first = i ? first : reference_of(&w);
        assert_int_equal(reference_of(&w), (first + i) & 0xffff);
        PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "id-1");
        UNTIL(base, n_done == i + 1);
        assert_int_equal(fates[i].r.reference, (first + i) & 0xffff);
        assert_int_equal(fates[i].r.parts, 1);
    }
}

static void a_throttled_submit_keeps_its_reference(void **state)
{
    (void)state;
    bound(WITH(.throttle_ms = 10, .user_message_reference = true));
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    int32_t first = reference_of(&w);
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, w.sequence);
    w = peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(reference_of(&w), first);
}

static void a_late_answer_tells_the_reference(void **state)
{
    (void)state;
    bound(WITH(.response_timeout_ms = 20, .user_message_reference = true));
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    int32_t reference = reference_of(&w);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.reference, reference);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "late");
    UNTIL(base, late.calls == 1);
    assert_int_equal(late.r.reference, reference);
    assert_string_equal(late.id, "late");
}

static void without_the_option_there_is_no_reference(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    assert_memory_equal(w.body + w.body_len - 19, "\x12Your PIN is 739201", 19);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "id-1");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.reference, -1);
}

/* --- what the text is written in --- */

static void a_text_is_packed_where_the_bind_says_so(void **state)
{
    (void)state;
    bound(WITH(.alphabet = SMPP_GSM_PACKED));
    assert_int_equal(submit_text(0, "hellohello"), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    ENDS(&w, "\0\0\x09\xe8\x32\x9b\xfd\x46\x97\xd9\xec\x37");
    assert_int_equal(submit_text(1, "код"), 0);
    w = peer_expect(&peer, SUBMIT, 0);
    ENDS(&w, "\x08\0\6\x04\x3a\x04\x3e\x04\x34");
}

static void an_at_sign_is_an_octet_of_zero_and_no_end(void **state)
{
    (void)state;
    bound(WITH(.window = 2));
    assert_int_equal(submit_text(0, "a@b"), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    ENDS(&w, "\0\0\3a\0b");
}

static void latin1_bears_the_data_coding_that_the_operator_wants(void **state)
{
    (void)state;
    bound(WITH(.alphabet = SMPP_LATIN1_3));
    assert_int_equal(submit_text(0, "é"), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    ENDS(&w, "\3\0\1\xe9");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_submit_has_a_reference_of_its_own),
        TEST(a_throttled_submit_keeps_its_reference),
        TEST(a_late_answer_tells_the_reference),
        TEST(without_the_option_there_is_no_reference),
        TEST(a_text_is_packed_where_the_bind_says_so),
        TEST(an_at_sign_is_an_octet_of_zero_and_no_end),
        TEST(latin1_bears_the_data_coding_that_the_operator_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
