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
    char ids[128]; /* "one,two,": those of its parts */
};

static struct fate fates[MANY], late;
static unsigned n_done;
static void (*in_outcome)(void);

static void note(struct fate *f, const struct smpp_result *r)
{
    f->calls++;
    f->r = *r;
    snprintf(f->id, sizeof f->id, "%.*s", (int)r->message_id.len,
             r->message_id.p ? r->message_id.p : "");
    assert_true(r->parts >= 1);
    assert_non_null(r->part_ids);
    size_t at = 0;
    for (uint32_t i = 0; i < r->parts; i++)
        at += (size_t)snprintf(f->ids + at, sizeof f->ids - at, "%.*s,", (int)r->part_ids[i].len,
                               r->part_ids[i].p ? r->part_ids[i].p : "");
}

static void on_outcome(void *arg, const struct smpp_result *r)
{
    note(arg, r);
    n_done++;
    if (in_outcome)
        in_outcome();
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
    in_outcome = NULL;
    return 0;
}

static void bound(struct smpp_carrier_options o)
{
    const struct smpp_events events = {.late_cb = on_late};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    assert_non_null(carrier);
    bind_up(0);
}

static struct smpp_message message(const char *text)
{
    return (struct smpp_message){
        .destination = "38591234567",
        .text = text,
        .text_len = strlen(text),
        .deadline = mono_add_ms(mono_now(), 60000),
        .max_segments = SMPP_SEGMENTS_MAX,
    };
}

static int submit_text(unsigned i, const char *text)
{
    struct smpp_message m = message(text);
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

/* --- messages of several parts --- */

/* Parts full of a, b, c, ... of GSM 03.38, and the last one of so many octets. */
static const char *long_text(unsigned parts, unsigned last)
{
    static char text[2048];
    size_t at = 0;
    for (unsigned i = 0; i < parts; i++) {
        size_t n = i + 1 < parts ? 153 : last;
        memset(text + at, 'a' + (int)i, n);
        at += n;
    }
    text[at] = 0;
    return text;
}

static int submit_long(unsigned i, unsigned parts)
{
    return submit_text(i, long_text(parts, 10));
}

/* The parts of a submit_sm that tests look at. */
struct part {
    struct wire w;
    uint8_t esm_class, data_coding, sm_length;
    const uint8_t *sm, *tlvs;
    size_t tlvs_len;
    struct peer *at;
};

static struct part expect_part_at(struct peer *at)
{
    struct part p = {.w = peer_expect(at, SUBMIT, 0), .at = at};
    const uint8_t *q = p.w.body;
    q += strlen((const char *)q) + 1; /* service_type */
    for (int i = 0; i < 2; i++) {
        q += 2;
        q += strlen((const char *)q) + 1; /* addresses */
    }
    p.esm_class = *q;
    q += 3;
    for (int i = 0; i < 2; i++)
        q += strlen((const char *)q) + 1; /* times */
    p.data_coding = q[2];
    p.sm_length = q[4];
    p.sm = q + 5;
    p.tlvs = p.sm + p.sm_length;
    p.tlvs_len = p.w.body_len - (size_t)(p.tlvs - p.w.body);
    return p;
}

static struct part expect_part(void)
{
    return expect_part_at(&peer);
}

static void took(const struct part *p, const char *id)
{
    peer_say(p->at, SUBMIT_RESP, 0, p->w.sequence, id, strlen(id) + 1);
}

static void refuse(const struct part *p, uint32_t status)
{
    PEER_SAY0(p->at, SUBMIT_RESP, status, p->w.sequence);
}

/* The nth of so many parts of long_text(), with a user data header. */
static struct part expect_udh_at(struct peer *at, unsigned nth, unsigned of)
{
    struct part p = expect_part_at(at);
    static const uint8_t head[] = {5, 0, 3};
    assert_int_equal(p.esm_class & 0x40, 0x40);
    assert_memory_equal(p.sm, head, sizeof head);
    assert_int_equal(p.sm[4], of);
    assert_int_equal(p.sm[5], nth);
    assert_int_equal(p.sm_length, 6 + (nth < of ? 153 : 10));
    for (int i = 6; i < p.sm_length; i++)
        assert_int_equal(p.sm[i], 'a' + nth - 1);
    return p;
}

static struct part expect_udh(unsigned nth, unsigned of)
{
    return expect_udh_at(&peer, nth, of);
}

static void nothing_more_is_sent(void)
{
    peer_sync(&peer);
}

static void parts_go_one_after_the_other_with_a_user_data_header(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 3), 0);
    int reference = -1;
    static const char *const ids[] = {"one", "two", "three"};
    for (unsigned i = 1; i <= 3; i++) {
        struct part p = expect_udh(i, 3);
        reference = i == 1 ? p.sm[3] : reference;
        assert_int_equal(p.sm[3], reference);
        assert_int_equal(p.tlvs_len, 0);
        nothing_more_is_sent();
        assert_int_equal(n_done, 0);
        took(&p, ids[i - 1]);
    }
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_ACCEPTED);
    assert_int_equal(fates[0].r.parts, 3);
    assert_string_equal(fates[0].id, "one");
    assert_string_equal(fates[0].ids, "one,two,three,");
    assert_int_equal(info_of(0).submits, 3);
}

static void the_messaging_mode_stands_beside_the_header_indicator(void **state)
{
    (void)state;
    bound(WITH(.messaging_mode = SMPP_MODE_STORE_AND_FORWARD));
    assert_int_equal(submit_long(0, 2), 0);
    assert_int_equal(expect_udh(1, 2).esm_class, 0x43);
}

static void parts_go_with_sar_tlvs(void **state)
{
    (void)state;
    bound(WITH(.long_message = SMPP_LONG_SAR));
    assert_int_equal(submit_long(0, 2), 0);
    uint8_t reference[2] = {0};
    for (uint8_t i = 1; i <= 2; i++) {
        struct part p = expect_part();
        if (i == 1)
            memcpy(reference, p.tlvs + 4, 2);
        const uint8_t want[] = {2,   0xc, 0, 2, reference[0], reference[1], 2, 0xe, 0, 1, 2, 2,
                                0xf, 0,   1, i};
        assert_int_equal(p.esm_class, 0);
        assert_int_equal(p.sm_length, i == 1 ? 153 : 10);
        assert_int_equal(p.sm[0], 'a' + i - 1);
        assert_int_equal(p.tlvs_len, sizeof want);
        assert_memory_equal(p.tlvs, want, sizeof want);
        took(&p, "id");
    }
    UNTIL(base, n_done == 1);
    assert_string_equal(fates[0].ids, "id,id,");
}

static void a_payload_is_one_submit(void **state)
{
    (void)state;
    const char *text = long_text(6, 10);
    bound(WITH(.long_message = SMPP_LONG_PAYLOAD));
    assert_int_equal(submit_text(0, text), 0);
    struct part p = expect_part();
    const uint8_t head[] = {4, 0x24, (uint8_t)(strlen(text) >> 8), (uint8_t)strlen(text)};
    assert_int_equal(p.esm_class, 0);
    assert_int_equal(p.sm_length, 0);
    assert_int_equal(p.tlvs_len, sizeof head + strlen(text));
    assert_memory_equal(p.tlvs, head, sizeof head);
    assert_memory_equal(p.tlvs + sizeof head, text, strlen(text));
    took(&p, "id");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.parts, 1);
    assert_string_equal(fates[0].ids, "id,");
    assert_int_equal(submit_text(1, "short"), 0); /* one segment is no long message */
    p = expect_part();
    assert_int_equal(p.sm_length, 5);
}

static void parts_are_packed_behind_their_header(void **state)
{
    (void)state;
    bound(WITH(.alphabet = SMPP_GSM_PACKED));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_part();
    assert_int_equal(p.sm_length, 140);
    assert_int_equal(p.sm[6], 0xc2); /* one bit is filled, and seven are an a */
    assert_int_equal(p.sm[7], 0xe1);
    took(&p, "id");
    p = expect_part();
    assert_int_equal(p.sm_length, 6 + 9);
    carrier = (smpp_carrier_free(carrier), NULL);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
}

static void ucs2_is_divided_by_units(void **state)
{
    (void)state;
    char text[256] = "";
    for (int i = 0; i < 71; i++)
        strcat(text, "š");
    bound(WITH(.window = 1));
    assert_int_equal(submit_text(0, text), 0);
    struct part p = expect_part();
    assert_int_equal(p.data_coding, 8);
    assert_int_equal(p.sm_length, 6 + 134);
    took(&p, "id");
    assert_int_equal(expect_part().sm_length, 6 + 8);
}

static void more_segments_than_the_caller_wants_are_too_long(void **state)
{
    (void)state;
    struct smpp_message m = message(long_text(3, 10));
    bound(WITH(.window = 5));
    for (m.max_segments = 0; m.max_segments < 3; m.max_segments++)
        assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), ERR_TOOLONG);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    m = message(long_text(SMPP_SEGMENTS_MAX + 1, 1));
    m.max_segments = 100;
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[1]), ERR_TOOLONG);
    assert_int_equal(submit_long(1, SMPP_SEGMENTS_MAX), 0);
    expect_udh(1, 3);
    expect_udh(1, SMPP_SEGMENTS_MAX);
}

static void a_payload_takes_1024_octets(void **state)
{
    (void)state;
    char text[1026];
    memset(text, 'x', sizeof text);
    text[1025] = 0;
    bound(WITH(.window = 1, .long_message = SMPP_LONG_PAYLOAD));
    assert_int_equal(submit_text(0, text), ERR_TOOLONG);
    text[1024] = 0;
    assert_int_equal(submit_text(0, text), 0);
    assert_int_equal(expect_part().tlvs_len, 1028);
}

static uint8_t reference_to(const char *destination)
{
    struct smpp_message m = message(long_text(2, 10));
    m.destination = destination;
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    return expect_udh(1, 2).sm[3];
}

static void each_pair_of_addresses_counts_its_own_references(void **state)
{
    (void)state;
    bound(WITH(.window = 100));
    uint8_t first = reference_to("38591234567");
    for (int i = 0; i < 20; i++)
        reference_to("385917777777");
    assert_int_equal(reference_to("38591234567"), (uint8_t)(first + 1));
    assert_int_equal(reference_to("38591234567"), (uint8_t)(first + 2));
}

static void the_references_of_parts_count_on(void **state)
{
    (void)state;
    bound(WITH(.user_message_reference = true, .long_message = SMPP_LONG_SAR, .window = 2));
    assert_int_equal(submit_long(0, 2), 0);
    assert_int_equal(submit(1), 0);
    struct part p = expect_part();
    int first = p.tlvs[4] << 8 | p.tlvs[5];
    struct wire other = peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(reference_of(&other), (first + 2) & 0xffff);
    took(&p, "id");
    p = expect_part();
    assert_int_equal(p.tlvs[4] << 8 | p.tlvs[5], (first + 1) & 0xffff);
    took(&p, "id");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.reference, first);
}

/* --- when a part does not go as it should --- */

static void q37_a_throttled_part_is_tried_again_alone(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .throttle_ms = 10));
    assert_int_equal(submit_long(0, 3), 0);
    struct part p = expect_udh(1, 3);
    uint8_t reference = p.sm[3];
    took(&p, "one");
    p = expect_udh(2, 3);
    refuse(&p, 0x58);
    p = expect_udh(2, 3);
    assert_int_equal(p.sm[3], reference);
    took(&p, "two");
    p = expect_udh(3, 3);
    refuse(&p, 0x14);
    p = expect_udh(3, 3);
    took(&p, "three");
    UNTIL(base, n_done == 1);
    assert_string_equal(fates[0].ids, "one,two,three,");
}

static void a_part_that_is_throttled_for_good_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    struct smpp_message m = message(long_text(2, 10));
    bound(WITH(.throttle_ms = 3600000));
    m.deadline = mono_add_ms(mono_now(), 500);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    p = expect_udh(2, 2);
    refuse(&p, 0x58);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.part, 1);
    assert_string_equal(fates[0].ids, "one,,");
}

static void a_first_part_that_is_throttled_for_good_says_so(void **state)
{
    (void)state;
    struct smpp_message m = message(long_text(2, 10));
    bound(WITH(.throttle_ms = 3600000));
    m.deadline = mono_add_ms(mono_now(), 500);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    struct part p = expect_udh(1, 2);
    refuse(&p, 0x58);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_THROTTLED_OUT);
}

static void q38_a_throttled_part_does_not_keep_a_bind_from_asking_with_another_message(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .throttle_ms = 10));
    assert_int_equal(submit_long(0, 2), 0);
    assert_int_equal(submit(1), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    p = expect_udh(2, 2);
    refuse(&p, 0x14); /* perhaps of this recipient alone */
    p = expect_part();
    assert_int_equal(p.sm_length, 18);
    took(&p, "other");
    p = expect_udh(2, 2);
    took(&p, "two");
    UNTIL(base, n_done == 2);
    assert_string_equal(fates[0].ids, "one,two,");
}

static void q42_an_answer_to_a_part_that_has_not_left_answers_nothing(void **state)
{
    (void)state;
    uint8_t both[64];
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    size_t len = peer_pdu(both, SUBMIT_RESP, 0, p.w.sequence, "one", 4);
    len += peer_pdu(both + len, SUBMIT_RESP, 0, p.w.sequence + 1, "wrong", 6);
    peer_write(&peer, both, len);
    p = expect_udh(2, 2);
    took(&p, "two");
    UNTIL(base, n_done == 1);
    assert_string_equal(fates[0].ids, "one,two,");
    assert_int_equal(info_of(0).unexpected, 1);
}

static void a_refused_part_ends_the_message(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 3), 0);
    struct part p = expect_udh(1, 3);
    took(&p, "one");
    p = expect_udh(2, 3);
    refuse(&p, 0x0b);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_REFUSED);
    assert_int_equal(fates[0].r.status, 0x0b);
    assert_int_equal(fates[0].r.part, 1);
    assert_int_equal(fates[0].r.parts, 3);
    assert_string_equal(fates[0].ids, "one,,,");
    nothing_more_is_sent();
}

static void q43_a_part_without_an_answer_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    bound(WITH(.response_timeout_ms = 500));
    assert_int_equal(submit_long(0, 3), 0);
    struct part p = expect_udh(1, 3);
    took(&p, "one");
    p = expect_udh(2, 3);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.part, 1);
    assert_string_equal(fates[0].ids, "one,,,");
    took(&p, "two");
    UNTIL(base, late.calls == 1);
    assert_int_equal(late.r.outcome, SMPP_ACCEPTED);
    assert_int_equal(late.r.part, 1);
    assert_int_equal(late.r.parts, 3);
    assert_string_equal(late.id, "two");
    assert_string_equal(late.ids, ",two,,");
    nothing_more_is_sent();
}

static void q45_a_connection_lost_with_a_part_under_way_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    expect_udh(2, 2);
    peer_hang_up(&peer, true);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.part, 1);
    bind_up(0);
    nothing_more_is_sent();
}

static void q08_parts_without_an_id_have_none(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 3), 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct part p = expect_udh(i, 3);
        if (i == 2)
            refuse(&p, 0); /* no body */
        else
            took(&p, i == 1 ? "" : "three");
    }
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_ACCEPTED);
    assert_string_equal(fates[0].ids, ",,three,");
    assert_string_equal(fates[0].id, "");
}

/* --- waiting between parts --- */

static void q39_parts_are_paced_as_segments(void **state)
{
    (void)state;
    bound(WITH(.window = 5, .rate = 10));
    struct mono start = mono_now();
    assert_int_equal(submit_long(0, 4), 0);
    for (unsigned i = 1; i <= 4; i++) {
        struct part p = expect_udh(i, 4);
        took(&p, "id");
    }
    UNTIL(base, n_done == 1);
    assert_in_range(mono_diff_ms(mono_now(), start), 320, 5000); /* 110 ms each */
}

static void q39_a_payload_costs_what_it_takes_on_the_air(void **state)
{
    (void)state;
    bound(WITH(.window = 5, .rate = 10, .long_message = SMPP_LONG_PAYLOAD));
    struct mono start = mono_now();
    assert_int_equal(submit_long(0, 4), 0);
    struct part p = expect_part();
    took(&p, "id");
    assert_int_equal(submit(1), 0);
    p = expect_part();
    assert_in_range(mono_diff_ms(mono_now(), start), 400, 5000);
}

static void a_payload_waits_for_a_full_bucket_and_holds_up_what_is_behind(void **state)
{
    (void)state;
    bound(WITH(.window = 50, .rate = 500, .long_message = SMPP_LONG_PAYLOAD));
    for (unsigned i = 1; i <= 11; i++)
        assert_int_equal(submit(i), 0); /* the burst */
    assert_int_equal(submit_long(0, 4), 0);
    assert_int_equal(submit(12), 0);
    for (unsigned i = 1; i <= 11; i++)
        assert_int_equal(expect_part().sm_length, 18);
    assert_int_equal(expect_part().sm_length, 0);
    assert_int_equal(expect_part().sm_length, 18);
}

static void a_begun_message_goes_on_ahead_of_all_others(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .rate_per_bind = 20));
    assert_int_equal(submit_long(0, 3), 0);
    struct smpp_message urgent = message("urgent");
    urgent.deadline = mono_add_ms(mono_now(), 30000);
    assert_int_equal(smpp_submit(carrier, &urgent, on_outcome, &fates[1]), 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct part p = expect_udh(i, 3);
        took(&p, "id");
    }
    assert_int_equal(expect_part().sm_length, 6);
}

/* Two binds; the first one is `second` then. */
static void bound_twice(struct smpp_carrier_options o)
{
    bound(o);
    second = peer;
    second.ev_read = event_new(base, second.fd, EV_READ | EV_PERSIST, peer_read_cb, &second);
    event_add(second.ev_read, NULL);
    second.ev_accept = second.ev_tick = NULL;
    second.listen_fd = -1;
    event_free(peer.ev_read);
    peer.ev_read = NULL;
    peer.in = malloc(PEER_BUFFER);
    peer.len = peer.at = 0;
    peer.fd = -1;
    o.binds = 2;
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    bind_up(1);
}

static struct peer *whoever_got_it(void)
{
    UNTIL(base, peer_has_pdu(&peer) || peer_has_pdu(&second));
    return peer_has_pdu(&peer) ? &peer : &second;
}

static void parts_go_over_the_bind_of_the_first_one(void **state)
{
    (void)state;
    bound_twice(WITH(.window = 5));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(submit_long(i, 4), 0);
        struct peer *at = whoever_got_it();
        for (unsigned k = 1; k <= 4; k++) {
            struct part p = expect_udh_at(at, k, 4);
            took(&p, "id");
        }
        UNTIL(base, n_done == i + 1);
    }
}

static void a_bind_lost_between_parts_leaves_the_rest_to_another(void **state)
{
    (void)state;
    bound_twice(WITH(.rate_per_bind = 1, .backoff_min_ms = 60000, .backoff_max_ms = 60000));
    assert_int_equal(submit_long(0, 2), 0);
    struct peer *at = whoever_got_it();
    struct part p = expect_udh_at(at, 1, 2);
    uint8_t reference = p.sm[3];
    took(&p, "one");
    UNTIL(base, info_of(0).responses + info_of(1).responses == 1);
    peer_hang_up(at, true);
    p = expect_udh_at(at == &peer ? &second : &peer, 2, 2);
    assert_int_equal(p.sm[3], reference);
    took(&p, "two");
    UNTIL(base, n_done == 1);
    assert_string_equal(fates[0].ids, "one,two,");
}

static void the_rest_goes_over_another_bind_ahead_of_what_waits(void **state)
{
    (void)state;
    bound_twice(WITH(.rate_per_bind = 2, .backoff_min_ms = 60000, .backoff_max_ms = 60000));
    assert_int_equal(submit_long(0, 2), 0);
    struct peer *at = whoever_got_it(), *other = at == &peer ? &second : &peer;
    struct part p = expect_udh_at(at, 1, 2);
    assert_int_equal(submit(1), 0); /* the token of the other bind */
    expect_part_at(other);
    struct smpp_message urgent = message("urgent");
    urgent.deadline = mono_add_ms(mono_now(), 30000);
    assert_int_equal(smpp_submit(carrier, &urgent, on_outcome, &fates[2]), 0);
    took(&p, "one");
    UNTIL(base, info_of(0).responses + info_of(1).responses == 1);
    peer_hang_up(at, true);
    expect_udh_at(other, 2, 2);
    assert_int_equal(expect_part_at(other).sm_length, 6);
}

static void the_tokens_of_a_carrier_are_for_what_is_begun_first(void **state)
{
    (void)state;
    bound_twice(WITH(.rate = 8));
    assert_int_equal(submit_long(0, 3), 0);
    struct peer *at = whoever_got_it(), *other = at == &peer ? &second : &peer;
    assert_int_equal(submit(1), 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct part p = expect_udh_at(at, i, 3);
        assert_false(peer_has_pdu(other));
        took(&p, "id");
    }
    assert_int_equal(expect_part_at(whoever_got_it()).sm_length, 18);
}

static void a_bind_that_is_one_too_many_finishes_what_it_has_begun(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.window = 1, .throttle_ms = 30);
    bound_twice(o);
    assert_int_equal(submit_long(0, 2), 0);
    assert_int_equal(submit_long(1, 2), 0);
    expect_udh_at(&second, 1, 2);
    struct part p = expect_udh_at(&peer, 1, 2);
    took(&p, "one");
    p = expect_udh_at(&peer, 2, 2);
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0); /* one bind */
    smpp_carrier_update(carrier);
    assert_int_equal(submit(2), 0); /* waits for the other one */
    refuse(&p, 0x58);
    p = expect_udh_at(&peer, 2, 2); /* as its probe */
    took(&p, "two");
    peer_expect(&peer, 6, 0);
    UNTIL(base, n_done == 1);
}

static void a_bind_that_the_peer_ends_between_parts_leaves_the_rest_to_another(void **state)
{
    (void)state;
    bound_twice(WITH(.rate_per_bind = 1, .backoff_min_ms = 60000, .backoff_max_ms = 60000));
    assert_int_equal(submit_long(0, 2), 0);
    struct peer *at = whoever_got_it();
    struct part p = expect_udh_at(at, 1, 2);
    took(&p, "one");
    PEER_SAY0(at, 6, 0, 77);
    p = expect_udh_at(at == &peer ? &second : &peer, 2, 2);
    took(&p, "two");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_ACCEPTED);
    peer_expect(at, 0x80000006, 0);
    assert_false(peer_has_pdu(at));
}

static void the_only_bind_lost_between_parts_goes_on_when_it_is_back(void **state)
{
    (void)state;
    bound(WITH(.rate_per_bind = 2));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    UNTIL(base, info_of(0).responses == 1);
    peer_hang_up(&peer, true);
    UNTIL(base, info_of(0).state != SMPP_BOUND);
    assert_int_equal(n_done, 0);
    bind_up(0);
    p = expect_udh(2, 2);
    took(&p, "two");
    UNTIL(base, n_done == 1);
    assert_string_equal(fates[0].ids, "one,two,");
}

static void a_deadline_between_parts_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    struct smpp_message m = message(long_text(2, 10));
    bound(WITH(.rate = 1));
    m.deadline = mono_add_ms(mono_now(), 500);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.part, 1);
    assert_string_equal(fates[0].ids, "one,,");
    assert_int_equal(submit(1), 0); /* nobody is in front any more */
    assert_int_equal(expect_part().sm_length, 18);
}

static void a_deadline_without_a_bind_between_parts_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    struct smpp_message m = message(long_text(2, 10));
    bound(WITH(.rate = 1, .backoff_min_ms = 60000, .backoff_max_ms = 60000));
    m.deadline = mono_add_ms(mono_now(), 500);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    UNTIL(base, info_of(0).responses == 1);
    peer_hang_up(&peer, true);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_string_equal(fates[0].ids, "one,,");
}

/* --- the carrier's life --- */

static void a_begun_message_is_finished_when_its_carrier_drains(void **state)
{
    (void)state;
    bound(WITH(.window = 1));
    assert_int_equal(submit_long(0, 3), 0);
    assert_int_equal(submit(1), 0);
    struct part p = expect_udh(1, 3);
    smpp_carrier_drain(carrier, on_drained, NULL);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[1].r.outcome, SMPP_NOT_SENT);
    took(&p, "one");
    for (unsigned i = 2; i <= 3; i++) {
        p = expect_udh(i, 3);
        took(&p, "more");
    }
    struct wire w = peer_expect(&peer, 6, 0);
    PEER_SAY0(&peer, 0x80000006, 0, w.sequence);
    UNTIL(base, n_drained == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_ACCEPTED);
    assert_string_equal(fates[0].ids, "one,more,more,");
}

static void a_throttled_part_goes_out_though_its_carrier_drains(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .throttle_ms = 10));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    smpp_carrier_drain(carrier, on_drained, NULL);
    took(&p, "one");
    p = expect_udh(2, 2);
    refuse(&p, 0x58);
    p = expect_udh(2, 2);
    took(&p, "two");
    peer_expect(&peer, 6, 0);
    assert_int_equal(fates[0].r.outcome, SMPP_ACCEPTED);
}

static void parts_that_wait_do_not_hold_up_the_end_of_a_drain(void **state)
{
    (void)state;
    bound(WITH(.rate = 1, .response_timeout_ms = 200));
    assert_int_equal(submit_long(0, 3), 0);
    struct part p = expect_udh(1, 3);
    took(&p, "one");
    UNTIL(base, info_of(0).responses == 1);
    struct mono start = mono_now();
    smpp_carrier_drain(carrier, on_drained, NULL);
    peer_expect(&peer, 6, 0);
    assert_true(mono_diff_ms(mono_now(), start) >= 190);
    assert_int_equal(n_done, 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_int_equal(fates[0].r.part, 1);
}

static void a_begun_message_keeps_its_form_when_the_carrier_changes(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.window = 1);
    bound(o);
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    o.long_message = SMPP_LONG_SAR;
    o.alphabet = SMPP_GSM_PACKED;
    o.user_message_reference = true;
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    took(&p, "one");
    p = expect_udh(2, 2);
    assert_int_equal(p.tlvs_len, 0);
    took(&p, "two");
    UNTIL(base, n_done == 1);
    assert_int_equal(submit_long(1, 2), 0);
    p = expect_part();
    assert_int_equal(p.sm_length, 134);
    assert_int_equal(p.tlvs_len, 6 + 16);
}

static void a_part_that_cannot_be_encoded_does_not_keep_a_bind_from_going_down(void **state)
{
    (void)state;
    struct smpp_carrier_options o = WITH(.window = 1);
    bound(o);
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    smpp_carrier_act(carrier, 0, SMPP_BIND_DOWN);
    o.dest_ton = 99; /* libsmpp34 knows none */
    assert_int_equal(smpp_carrier_prepare(carrier, &o), 0);
    smpp_carrier_update(carrier);
    took(&p, "one");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_string_equal(fates[0].r.reason, "cannot be encoded");
    peer_expect(&peer, 0x00000006, 0); /* unbind */
}

static void a_carrier_freed_between_parts_leaves_the_message_in_doubt(void **state)
{
    (void)state;
    bound(WITH(.rate = 1));
    assert_int_equal(submit_long(0, 2), 0);
    struct part p = expect_udh(1, 2);
    took(&p, "one");
    UNTIL(base, info_of(0).responses == 1);
    smpp_carrier_free(carrier);
    carrier = NULL;
    assert_int_equal(n_done, 1);
    assert_int_equal(fates[0].r.outcome, SMPP_UNKNOWN);
    assert_string_equal(fates[0].ids, "one,,");
}

static void resubmit(void)
{
    in_outcome = NULL;
    assert_int_equal(submit_long(1, 2), 0);
}

static void a_callback_may_submit_a_long_message(void **state)
{
    (void)state;
    bound(WITH(.window = 1, .max_queue = 1));
    in_outcome = resubmit;
    assert_int_equal(submit_long(0, 2), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct part p = expect_udh(i % 2 + 1, 2);
        took(&p, i % 2 ? "two" : "one");
    }
    UNTIL(base, n_done == 2);
    assert_string_equal(fates[0].ids, "one,two,");
    assert_string_equal(fates[1].ids, "one,two,");
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
        TEST(parts_go_one_after_the_other_with_a_user_data_header),
        TEST(the_messaging_mode_stands_beside_the_header_indicator),
        TEST(parts_go_with_sar_tlvs),
        TEST(a_payload_is_one_submit),
        TEST(parts_are_packed_behind_their_header),
        TEST(ucs2_is_divided_by_units),
        TEST(more_segments_than_the_caller_wants_are_too_long),
        TEST(a_payload_takes_1024_octets),
        TEST(each_pair_of_addresses_counts_its_own_references),
        TEST(the_references_of_parts_count_on),
        TEST(q37_a_throttled_part_is_tried_again_alone),
        TEST(a_part_that_is_throttled_for_good_leaves_the_message_in_doubt),
        TEST(a_first_part_that_is_throttled_for_good_says_so),
        TEST(q38_a_throttled_part_does_not_keep_a_bind_from_asking_with_another_message),
        TEST(q42_an_answer_to_a_part_that_has_not_left_answers_nothing),
        TEST(a_refused_part_ends_the_message),
        TEST(q43_a_part_without_an_answer_leaves_the_message_in_doubt),
        TEST(q45_a_connection_lost_with_a_part_under_way_leaves_the_message_in_doubt),
        TEST(q08_parts_without_an_id_have_none),
        TEST(q39_parts_are_paced_as_segments),
        TEST(q39_a_payload_costs_what_it_takes_on_the_air),
        TEST(a_payload_waits_for_a_full_bucket_and_holds_up_what_is_behind),
        TEST(a_begun_message_goes_on_ahead_of_all_others),
        TEST(parts_go_over_the_bind_of_the_first_one),
        TEST(a_bind_lost_between_parts_leaves_the_rest_to_another),
        TEST(the_rest_goes_over_another_bind_ahead_of_what_waits),
        TEST(the_tokens_of_a_carrier_are_for_what_is_begun_first),
        TEST(a_bind_that_is_one_too_many_finishes_what_it_has_begun),
        TEST(a_bind_that_the_peer_ends_between_parts_leaves_the_rest_to_another),
        TEST(the_only_bind_lost_between_parts_goes_on_when_it_is_back),
        TEST(a_deadline_between_parts_leaves_the_message_in_doubt),
        TEST(a_deadline_without_a_bind_between_parts_leaves_the_message_in_doubt),
        TEST(a_begun_message_is_finished_when_its_carrier_drains),
        TEST(a_throttled_part_goes_out_though_its_carrier_drains),
        TEST(parts_that_wait_do_not_hold_up_the_end_of_a_drain),
        TEST(a_begun_message_keeps_its_form_when_the_carrier_changes),
        TEST(a_part_that_cannot_be_encoded_does_not_keep_a_bind_from_going_down),
        TEST(a_carrier_freed_between_parts_leaves_the_message_in_doubt),
        TEST(a_callback_may_submit_a_long_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
