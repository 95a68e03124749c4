#include "peer.h"

#include "base/log.h"
#include "base/result.h"
#include "smpp/smpp_long.h"
#include "smpp/smpp_session.h"

#include <stdio.h>

#define SUBMIT      0x00000004u
#define SUBMIT_RESP 0x80000004u
#define BIND        0x00000009u
#define BIND_RESP   0x80000009u
#define NACK        0x80000000u
#define ENQUIRE     0x00000015u
#define ENQUIRED    0x80000015u
#define DELIVER     0x00000005u
#define DELIVERED   0x80000005u
#define UNBIND      0x00000006u
#define UNBOUND     0x80000006u
#define ADDRESSES                                                                                  \
    "\1\1"                                                                                         \
    "123\0"                                                                                        \
    "\1\1"                                                                                         \
    "456\0"

struct outcome {
    struct smpp_entry *entry;
    enum smpp_outcome outcome;
    uint32_t status;
    char id[128];
};

static struct event_base *base;
static struct reap *reap;
static struct peer peer;
static struct smpp_config config;
static struct smpp_session s;
static struct smpp_session_env env;
static struct smpp_entry entries[64];
static const struct smpp_entry plain;
static struct smpp_references references;
static struct outcome outcomes[64];
static struct smpp_entry *backs[64];
static struct smpp_delivery handles[64];
static unsigned n_outcomes, n_backs, n_rooms, n_handles, n_late, n_ended;
static struct outcome late;
static enum smpp_end ended_as;
static char last_body[512];
static enum smpp_state stop_at; /* IDLE: never */

static void on_state(void *owner, const struct smpp_session *from_s, enum smpp_state from,
                     uint32_t status)
{
    (void)owner;
    (void)from;
    (void)status;
    if (stop_at != SMPP_IDLE && from_s->state == stop_at)
        smpp_session_stop(&s);
}

static void keep(struct outcome *o, const struct smpp_result *r)
{
    o->outcome = r->outcome;
    o->status = r->status;
    assert_true(r->message_id.len < sizeof o->id);
    if (r->message_id.len)
        memcpy(o->id, r->message_id.p, r->message_id.len);
    o->id[r->message_id.len] = 0;
    assert_non_null(r->reason);
}

static void on_done(void *owner, struct smpp_entry *e, const struct smpp_result *r)
{
    (void)owner;
    outcomes[n_outcomes].entry = e;
    keep(&outcomes[n_outcomes++], r);
}

static void on_back(void *owner, struct smpp_entry *e)
{
    (void)owner;
    backs[n_backs++] = e;
}

static void on_room(void *owner)
{
    (void)owner;
    n_rooms++;
}

static void on_delivery(void *owner, struct smpp_session *of, const struct smpp_pdu *pdu,
                        struct smpp_delivery handle)
{
    (void)owner;
    (void)of;
    struct smpp_str text = smpp_pdu_str(pdu, SMPP_F_SHORT_MESSAGE);
    snprintf(last_body, sizeof last_body, "%.*s", (int)text.len, text.p ? text.p : "");
    handles[n_handles++] = handle;
}

static void on_late(void *owner, void *submit_arg, const struct smpp_result *r)
{
    (void)owner;
    n_late++;
    late.entry = submit_arg;
    keep(&late, r);
}

static void on_ended(void *owner, struct smpp_session *of, enum smpp_end end)
{
    (void)owner;
    (void)of;
    n_ended++;
    ended_as = end;
}

static const struct smpp_session_ops ops = {on_state,    on_done, on_back, on_room,
                                            on_delivery, on_late, on_ended};

static void init_with(const struct smpp_carrier_options *changes)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct secret password = {0};
    struct smpp_carrier_options o = *changes;
    assert_int_equal(secret_set(&password, "secret08", 8), 0);
    o.name = "acme";
    o.hosts = hosts;
    o.n_hosts = 1;
    o.port = peer.port;
    o.system_id = "pinbind";
    o.system_type = "OTP";
    o.password = &password;
    o.source_ton = o.source_npi = -1;
    o.dest_ton = o.dest_npi = 1;
    o.registered_delivery = 1;
    assert_int_equal(smpp_config_init(&config, &o), 0);
    secret_clear(&password);
    env = (struct smpp_session_env){base, reap, NULL, &config, &ops, NULL};
    assert_int_equal(smpp_session_init(&s, &env, 0), 0);
}

static int setup(void **state)
{
    (void)state;
    log_set_fd(-1);
    base = event_base_new();
    reap = reap_new(base);
    peer_open(&peer, base);
    n_outcomes = n_backs = n_rooms = n_handles = n_late = n_ended = 0;
    stop_at = SMPP_IDLE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smpp_session_stop(&s);
    assert_int_equal(s.state, SMPP_CLOSED);
    assert_int_equal(s.window.in_flight, 0);
    reap_free(reap);
    smpp_session_clear(&s);
    smpp_config_clear(&config);
    peer_close(&peer);
    event_base_free(base);
    return 0;
}

#define OPTIONS(...) (&(struct smpp_carrier_options){__VA_ARGS__})

static struct wire start(const struct smpp_carrier_options *o)
{
    init_with(o);
    smpp_session_start(&s, "127.0.0.1", 0);
    return peer_expect(&peer, BIND, 0);
}

static void bound(const struct smpp_carrier_options *o)
{
    struct wire bind = start(o);
    PEER_SAYS(&peer, BIND_RESP, 0, bind.sequence, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
}

static struct smpp_entry *submit(unsigned i)
{
    struct smpp_entry *e = &entries[i];
    struct smpp_message m = {.destination = "38591234567", .text = "PIN 123456", .text_len = 10};
    m.deadline = mono_add_ms(mono_now(), 60000);
    assert_int_equal(smpp_entry_fill(e, &config.o, &m, &references), 0);
    e->arg = e;
    assert_int_equal(smpp_session_send(&s, e), 0);
    return e;
}

/* --- binding --- */

static void a_bind_carries_the_account_and_an_ok_binds(void **state)
{
    (void)state;
    struct wire bind = start(OPTIONS(.window = 3));
    assert_memory_equal(bind.body, "pinbind\0secret08\0OTP\0\x34\0\0\0", bind.body_len);
    assert_int_equal(bind.body_len, 25);
    assert_int_equal(bind.sequence, 1);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    PEER_SAYS(&peer, BIND_RESP, 0, 1, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
    assert_int_equal(smpp_session_room(&s, &plain), 3);
}

static void q36_a_bind_resp_without_a_body_binds_too(void **state)
{
    (void)state;
    struct wire bind = start(OPTIONS(.window = 3));
    PEER_SAY0(&peer, BIND_RESP, 0, bind.sequence);
    UNTIL(base, s.state == SMPP_BOUND);
}

static void refuse_with(uint32_t id, uint32_t status, size_t body_len, enum smpp_end expected)
{
    struct wire bind = start(OPTIONS(.window = 3));
    peer_say(&peer, id, status, bind.sequence, "\0", body_len);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, expected);
    assert_int_equal(s.state, SMPP_IDLE);
    assert_null(s.conn);
}

#define REFUSED_TEST(name, id, status, body, end)                                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        refuse_with(id, status, body, end);                                                        \
    }
REFUSED_TEST(q57_a_wrong_password_is_about_credentials, BIND_RESP, 0x0e, 0, SMPP_END_CREDENTIALS)
REFUSED_TEST(q57_a_wrong_system_id_is_about_credentials, BIND_RESP, 0x0f, 1, SMPP_END_CREDENTIALS)
REFUSED_TEST(q57_a_wrong_system_type_is_about_credentials, BIND_RESP, 0x53, 1, SMPP_END_CREDENTIALS)
REFUSED_TEST(q57_already_bound_means_busy, BIND_RESP, 0x05, 1, SMPP_END_REFUSED)
REFUSED_TEST(q57_bind_failed_means_busy, BIND_RESP, 0x0d, 0, SMPP_END_REFUSED)
REFUSED_TEST(q57_a_vendor_status_on_a_bind_means_busy, BIND_RESP, 0x407, 0, SMPP_END_REFUSED)
REFUSED_TEST(q57_a_nack_of_the_bind_means_busy, NACK, 3, 0, SMPP_END_REFUSED)

static void a_bind_resp_for_another_request_is_ignored(void **state)
{
    (void)state;
    struct wire bind = start(OPTIONS(.window = 3));
    PEER_SAYS(&peer, BIND_RESP, 0x0e, bind.sequence + 1, "smsc");
    PEER_SAYS(&peer, BIND_RESP, 0, bind.sequence, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
    assert_int_equal(s.counts.unexpected, 1);
}

static void q59_no_answer_to_the_bind_ends_it(void **state)
{
    (void)state;
    start(OPTIONS(.bind_timeout_ms = 20));
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_SILENT);
    assert_string_equal(s.reason, "timeout while binding");
}

static void a_peer_that_is_not_there_ends_as_network_trouble(void **state)
{
    (void)state;
    init_with(OPTIONS(.window = 3));
    peer_stop_listening(&peer);
    smpp_session_start(&s, "127.0.0.1", 0);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_UNREACHED);
    assert_string_equal(s.reason, "Connection refused");
}

static void a_name_without_a_resolver_ends_as_network_trouble(void **state)
{
    (void)state;
    init_with(OPTIONS(.window = 3));
    smpp_session_start(&s, "smsc.example", 0);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_UNREACHED);
}

static void q59_requests_before_the_bind_is_up_get_their_answers(void **state)
{
    (void)state;
    struct wire bind = start(OPTIONS(.window = 3));
    PEER_SAY0(&peer, ENQUIRE, 0, 41);
    assert_int_equal(peer_expect(&peer, ENQUIRED, 0).sequence, 41);
    peer_say(&peer, DELIVER, 0, 42, RECEIPT_BODY, sizeof RECEIPT_BODY - 1);
    assert_int_equal(peer_expect(&peer, DELIVERED, 4).sequence, 42);
    assert_int_equal(n_handles, 0);
    PEER_SAYS(&peer, BIND_RESP, 0, bind.sequence, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
}

static void stopping_inside_the_callback_that_tells_of_the_bind_is_safe(void **state)
{
    (void)state;
    struct wire bind = start(OPTIONS(.window = 3));
    stop_at = SMPP_BOUND;
    PEER_SAYS(&peer, BIND_RESP, 0, bind.sequence, "smsc");
    UNTIL(base, s.state == SMPP_CLOSED);
    peer_expect(&peer, UNBIND, 0);
}

static void stopping_inside_the_callback_that_tells_of_the_connection_is_safe(void **state)
{
    (void)state;
    init_with(OPTIONS(.window = 3));
    stop_at = SMPP_BINDING;
    smpp_session_start(&s, "127.0.0.1", 0);
    UNTIL(base, s.state == SMPP_CLOSED && peer.eof);
    assert_int_equal(peer.len, 0);
}

/* --- answers to submits --- */

static void an_accepted_submit_tells_its_message_id(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    struct smpp_entry *e = submit(0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "abc-1");
    UNTIL(base, n_outcomes == 1);
    assert_ptr_equal(outcomes[0].entry, e);
    assert_int_equal(outcomes[0].outcome, SMPP_ACCEPTED);
    assert_string_equal(outcomes[0].id, "abc-1");
    assert_int_equal(s.counts.responses, 1);
    assert_true(s.rtt_us >= 0);
    assert_int_equal(s.window.in_flight, 0);
}

static void answer_submit(uint32_t id, uint32_t status, const void *body, size_t len)
{
    unsigned before = n_outcomes;
    submit(before);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    peer_say(&peer, id, status, w.sequence, body, len);
    UNTIL(base, n_outcomes == before + 1);
}

static void odd_answers_that_mean_accepted_are_accepted(void **state)
{
    (void)state;
    char eighty[81];
    memset(eighty, '9', 80);
    eighty[80] = 0;
    bound(OPTIONS(.window = 3));
    answer_submit(SUBMIT_RESP, 0, NULL, 0);
    assert_string_equal(outcomes[0].id, "");
    answer_submit(SUBMIT_RESP, 0, "", 1);
    assert_string_equal(outcomes[1].id, "");
    answer_submit(SUBMIT_RESP, 0, "unterminated", 12);
    assert_string_equal(outcomes[2].id, "unterminated");
    answer_submit(SUBMIT_RESP, 0, eighty, 81);
    assert_string_equal(outcomes[3].id, eighty);
    answer_submit(SUBMIT_RESP, 0, "7\0\x04\x28\0\1\x5a", 7);
    assert_string_equal(outcomes[4].id, "7");
    for (int i = 0; i < 5; i++)
        assert_int_equal(outcomes[i].outcome, SMPP_ACCEPTED);
}

static void errors_are_told_by_the_header_alone(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    answer_submit(SUBMIT_RESP, 0x0b, "0A000000A3D323A1", 17);
    answer_submit(SUBMIT_RESP, 0x407, NULL, 0);
    answer_submit(SUBMIT_RESP, 0x22, "\x14\x24\0\1\0", 5);
    answer_submit(NACK, 1, NULL, 0);
    answer_submit(NACK, 0, NULL, 0);
    static const uint32_t expected[] = {0x0b, 0x407, 0x22, 1, 0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(outcomes[i].outcome, SMPP_REFUSED);
        assert_int_equal(outcomes[i].status, expected[i]);
        assert_string_equal(outcomes[i].id, "");
    }
    assert_int_equal(s.counts.errors, 5);
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q44_answers_out_of_order_find_their_submits(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    uint32_t sequence[3];
    for (unsigned i = 0; i < 3; i++)
        submit(i);
    for (int i = 0; i < 3; i++)
        sequence[i] = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence[2], "c");
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence[0], "a");
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence[1], "b");
    UNTIL(base, n_outcomes == 3);
    assert_ptr_equal(outcomes[0].entry, &entries[2]);
    assert_ptr_equal(outcomes[1].entry, &entries[0]);
    assert_string_equal(outcomes[2].id, "b");
}

static void a_full_window_takes_no_more_until_one_is_answered(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2));
    submit(0);
    submit(1);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    assert_int_equal(smpp_session_send(&s, &entries[2]), ERR_FULL);
    uint32_t first = peer_expect(&peer, SUBMIT, 0).sequence;
    n_rooms = 0;
    PEER_SAYS(&peer, SUBMIT_RESP, 0, first, "a");
    UNTIL(base, n_rooms > 0);
    assert_int_equal(smpp_session_room(&s, &plain), 1);
}

static void q42_answers_that_nothing_waits_for_are_counted_and_ignored(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2));
    submit(0);
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence + 100000, "x"); /* wrong sequence */
    PEER_SAYS(&peer, BIND_RESP, 0, 1, "x");                   /* wrong time */
    PEER_SAYS(&peer, 0x80010200, 0, 77, "x");                 /* unknown response */
    PEER_SAY0(&peer, NACK, 3, 0);                             /* names no request */
    peer_sync(&peer);
    assert_int_equal(n_outcomes, 0);
    assert_int_equal(s.counts.unexpected, 4);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "a");
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "a"); /* twice */
    peer_sync(&peer);
    assert_int_equal(n_outcomes, 1);
    assert_int_equal(s.counts.unexpected, 5);
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q43_an_overdue_answer_is_in_doubt_and_a_late_one_is_told_apart(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 1, .response_timeout_ms = 20));
    struct smpp_entry *e = submit(0);
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
    assert_int_equal(s.counts.in_doubt, 1);
    assert_int_equal(smpp_session_room(&s, &plain), 1);
    assert_int_equal(s.state, SMPP_BOUND);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "late");
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "late");
    UNTIL(base, s.counts.unexpected == 1);
    assert_int_equal(n_late, 1);
    assert_ptr_equal(late.entry, e);
    assert_int_equal(late.outcome, SMPP_ACCEPTED);
    assert_string_equal(late.id, "late");
    assert_int_equal(n_outcomes, 1);
}

/* Three parts, the first of which was accepted. */
static struct smpp_entry *begun_entry(void)
{
    char text[400];
    struct smpp_message m = {.destination = "38591234567",
                             .text = memset(text, 'x', sizeof text),
                             .text_len = sizeof text,
                             .deadline = mono_add_ms(mono_now(), 60000),
                             .max_segments = 3};
    assert_int_equal(smpp_entry_fill(&entries[0], &config.o, &m, &references), 0);
    entries[0].parts->next = 1;
    return &entries[0];
}

static void a_later_part_that_was_not_written_stays_with_its_bind(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 1));
    struct smpp_entry *e = begun_entry();
    e->parts->next = 0;
    assert_int_equal(smpp_session_send(&s, e), 0);
    smpp_session_pull_back(&s);
    assert_int_equal(n_backs, 1); /* the first one may go anywhere */
    e->parts->next = 1;
    assert_int_equal(smpp_session_send(&s, e), 0);
    smpp_session_pull_back(&s);
    assert_int_equal(n_backs, 1);
    assert_ptr_equal(s.begun, e);
    peer_hang_up(&peer, true);
    UNTIL(base, n_backs == 2); /* until the bind is lost */
    assert_null(s.begun);
    smpp_long_free(e->parts);
}

static void a_throttle_of_one_part_is_forgotten_by_the_next(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 1, .throttle_ms = 5));
    struct smpp_entry *e = begun_entry();
    assert_int_equal(smpp_session_send(&s, e), 0);
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, peer_expect(&peer, SUBMIT, 0).sequence);
    UNTIL(base, smpp_session_room(&s, e) == 1);
    assert_ptr_equal(s.begun, e);
    assert_int_equal(e->throttle_status, 0x58);
    assert_int_equal(smpp_session_send(&s, smpp_session_release(&s, e)), 0);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, peer_expect(&peer, SUBMIT, 0).sequence, "two");
    UNTIL(base, s.begun == e);
    assert_int_equal(e->parts->next, 2);
    assert_int_equal(e->throttle_status, 0);
    smpp_long_free(smpp_session_release(&s, e)->parts);
}

static void a_part_sent_while_draining_gets_no_time_of_its_own(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2, .response_timeout_ms = 300));
    struct smpp_entry *e = begun_entry();
    smpp_session_hold(&s, e);
    smpp_session_drain(&s);
    struct mono end = mono_add_ms(mono_now(), 300);
    while (mono_diff_ms(end, mono_now()) > 200)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(smpp_session_send(&s, smpp_session_release(&s, e)), 0);
    assert_true(e->expires.us <= end.us);
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
    assert_int_equal(s.state, SMPP_UNBINDING);
    smpp_long_free(e->parts);
}

static void q60_submits_of_one_turn_leave_together_behind_control_pdus(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    submit(1);
    smpp_session_reply(&s, ENQUIRE, 0, 99);
    assert_int_equal(s.conn->out.data_written, 41); /* the bind only */
    peer_expect(&peer, ENQUIRE, 0);
    peer_expect(&peer, SUBMIT, 0);
    peer_expect(&peer, SUBMIT, 0);
}

/* --- the end of a connection --- */

static void q45_a_lost_connection_leaves_sent_submits_in_doubt(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    submit(1);
    peer_expect(&peer, SUBMIT, 0);
    peer_hang_up(&peer, true);
    UNTIL(base, n_ended == 1);
    assert_int_equal(n_outcomes, 2);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
    assert_int_equal(outcomes[1].outcome, SMPP_UNKNOWN);
    assert_int_equal(n_backs, 0);
    assert_int_equal(s.state, SMPP_IDLE);
}

static void what_was_not_written_when_the_end_came_goes_back(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    peer_expect(&peer, SUBMIT, 0);
    struct smpp_entry *e = submit(1); /* in the buffer: the turn has not ended */
    smpp_session_stop(&s);
    assert_int_equal(n_backs, 1);
    assert_ptr_equal(backs[0], e);
    assert_int_equal(n_outcomes, 1);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
    assert_int_equal(s.counts.submits, 1);
    peer_expect(&peer, UNBIND, 0);
    UNTIL(base, peer.eof);
    assert_int_equal(peer.len, peer.at);
}

static void q58_an_unbind_of_the_peer_is_answered_and_sending_stops(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAY0(&peer, UNBIND, 0, 5);
    assert_int_equal(peer_expect(&peer, UNBOUND, 0).sequence, 5);
    assert_int_equal(s.state, SMPP_UNBINDING);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "a"); /* still taken */
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(outcomes[0].outcome, SMPP_ACCEPTED);
    peer_hang_up(&peer, false);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_UNBIND);
}

static void q58_a_peer_that_unbinds_and_does_not_close_is_closed(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3, .unbind_timeout_ms = 20));
    submit(0);
    peer_expect(&peer, SUBMIT, 0);
    PEER_SAY0(&peer, UNBIND, 0, 5);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_UNBIND);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
}

/* Nothing of ours was asked: neither 0 nor the number of an unbind of long ago. */
static void q58_an_unbind_resp_to_nothing_ends_nothing(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAY0(&peer, UNBIND, 0, 5);
    peer_expect(&peer, UNBOUND, 0);
    PEER_SAY0(&peer, UNBOUND, 0, 0);
    peer_sync(&peer);
    assert_int_equal(s.state, SMPP_UNBINDING);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "a");
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(outcomes[0].outcome, SMPP_ACCEPTED);
}

static void q58_the_number_of_an_unbind_is_forgotten_with_its_connection(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    smpp_session_drain(&s);
    uint32_t sequence = peer_expect(&peer, UNBIND, 0).sequence;
    s.stopping = false; /* it is wanted again */
    PEER_SAY0(&peer, UNBOUND, 0, sequence);
    UNTIL(base, s.state == SMPP_IDLE);
    smpp_session_start(&s, "127.0.0.1", 0);
    PEER_SAYS(&peer, BIND_RESP, 0, peer_expect(&peer, BIND, 0).sequence, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
    submit(0);
    assert_int_equal(peer_expect(&peer, SUBMIT, 0).sequence, sequence);
    PEER_SAY0(&peer, UNBIND, 0, 5);
    peer_expect(&peer, UNBOUND, 0);
    PEER_SAY0(&peer, 0x80000000, 8, sequence);
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(outcomes[0].outcome, SMPP_REFUSED);
    assert_int_equal(s.state, SMPP_UNBINDING);
}

static void q58_draining_waits_for_the_window_then_unbinds(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    smpp_session_drain(&s);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    assert_int_equal(s.state, SMPP_BOUND);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence, "a");
    struct wire w = peer_expect(&peer, UNBIND, 0);
    assert_int_equal(n_outcomes, 1);
    PEER_SAY0(&peer, UNBOUND, 0, w.sequence);
    UNTIL(base, s.state == SMPP_CLOSED);
    assert_int_equal(ended_as, SMPP_END_STOPPED);
    UNTIL(base, peer.eof);
}

static void q58_draining_is_bounded_when_the_peer_answers_nothing(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3, .response_timeout_ms = 20, .unbind_timeout_ms = 20));
    submit(0);
    peer_expect(&peer, SUBMIT, 0);
    smpp_session_drain(&s);
    UNTIL(base, s.state == SMPP_CLOSED);
    assert_int_equal(outcomes[0].outcome, SMPP_UNKNOWN);
    peer_expect(&peer, UNBIND, 0);
}

static void draining_before_the_bind_is_up_closes_at_once(void **state)
{
    (void)state;
    start(OPTIONS(.window = 3));
    smpp_session_drain(&s);
    assert_int_equal(s.state, SMPP_CLOSED);
    UNTIL(base, peer.eof);
}

/* --- framing --- */

static void q46_octets_that_come_one_by_one_make_a_pdu(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    uint8_t out[64];
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    size_t len = peer_pdu(out, SUBMIT_RESP, 0, sequence, "slow", 5);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(n_outcomes, 0);
        size_t taken = s.conn->in_len;
        peer_write(&peer, out + i, 1);
        UNTIL(base, s.conn->in_len != taken);
    }
    assert_int_equal(n_outcomes, 1);
    assert_string_equal(outcomes[0].id, "slow");
}

static void q46_pdus_that_come_together_are_all_taken(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    submit(0);
    uint8_t out[512];
    uint32_t sequence = peer_expect(&peer, SUBMIT, 0).sequence;
    size_t len = peer_pdu(out, SUBMIT_RESP, 0, sequence, "a", 2);
    len += peer_pdu(out + len, DELIVER, 0, 50, RECEIPT_BODY, sizeof RECEIPT_BODY - 1);
    len += peer_pdu(out + len, ENQUIRE, 0, 51, NULL, 0);
    peer_write(&peer, out, len);
    assert_int_equal(peer_expect(&peer, ENQUIRED, 0).sequence, 51);
    assert_int_equal(n_outcomes, 1);
    assert_int_equal(n_handles, 1);
}

static void lose_framing(uint32_t command_length)
{
    uint8_t out[16];
    bound(OPTIONS(.window = 3));
    peer_pdu(out, ENQUIRE, 0, 9, NULL, 0);
    peer_put32(out, command_length);
    peer_write(&peer, out, 16);
    assert_int_equal(peer_expect(&peer, NACK, 2).sequence, 0);
    UNTIL(base, n_ended == 1 && peer.eof);
    assert_int_equal(ended_as, SMPP_END_FRAMING);
}

static void q47_a_length_of_15_is_nacked_and_the_connection_closed(void **state)
{
    (void)state;
    lose_framing(15);
}

static void q47_a_length_of_2_gigabytes_is_nacked_and_the_connection_closed(void **state)
{
    (void)state;
    lose_framing(0x7fffffff);
}

static void q48_unknown_requests_are_nacked_and_the_bind_stays(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    PEER_SAYS(&peer, 0x00010200, 0, 0xffffffff, "abc");
    assert_int_equal(peer_expect(&peer, NACK, 3).sequence, 0xffffffff);
    PEER_SAYS(&peer, SUBMIT, 0, 8, "we are no SMSC");
    assert_int_equal(peer_expect(&peer, NACK, 3).sequence, 8);
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q64_notifications_are_ignored_without_an_answer(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    peer_say(&peer, 0x102, 0, 7, ADDRESSES, sizeof ADDRESSES - 1);
    peer_say(&peer, 0x0b, 0, 8, "smsc\0pw\0", 8);
    peer_say(&peer, 0x102, 0, 9, "\1", 1); /* malformed */
    peer_sync(&peer);
    assert_int_equal(s.state, SMPP_BOUND);
}

/* --- liveness --- */

static void q60_silence_is_met_with_enquire_link_and_its_answer_keeps_the_bind(void **state)
{
    (void)state;
    bound(OPTIONS(.enquire_link_ms = 10, .response_timeout_ms = 60));
    for (int i = 0; i < 8; i++) { /* longer than the time-out together */
        struct wire w = peer_expect(&peer, ENQUIRE, 0);
        PEER_SAY0(&peer, ENQUIRED, 0, w.sequence);
    }
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q60_an_answer_to_enquire_link_counts_the_silence_anew(void **state)
{
    (void)state;
    bound(
        OPTIONS(.enquire_link_ms = 10, .response_timeout_ms = 60000)); /* that is not waited for */
    for (int i = 0; i < 3; i++) {
        struct wire w = peer_expect(&peer, ENQUIRE, 0);
        PEER_SAY0(&peer, ENQUIRED, 0, w.sequence);
    }
}

static void q62_any_pdu_is_a_sign_of_life(void **state)
{
    (void)state;
    bound(OPTIONS(.enquire_link_ms = 10, .response_timeout_ms = 60));
    for (uint32_t i = 0; i < 8; i++) {
        peer_expect(&peer, ENQUIRE, 0);
        PEER_SAYS(&peer, 0x80010200, 0, i, "x");
    }
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q61_enquire_link_without_an_answer_ends_the_connection(void **state)
{
    (void)state;
    bound(OPTIONS(.enquire_link_ms = 10, .response_timeout_ms = 20));
    peer_expect(&peer, ENQUIRE, 0);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_SILENT);
    assert_string_equal(s.reason, "enquire_link not answered");
}

static void q60_a_flood_of_enquire_link_is_answered_one_by_one(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    uint8_t out[16];
    for (uint32_t i = 0; i < 50; i++) {
        peer_pdu(out, ENQUIRE, 0, 100 + i, NULL, 0);
        peer_write(&peer, out, 16);
    }
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(peer_expect(&peer, ENQUIRED, 0).sequence, 100 + i);
}

/* A peer that asks without end and reads nothing must not make us buffer without end. */
static void answers_that_nobody_reads_stop_the_reading(void **state)
{
    (void)state;
    peer.deaf = true;
    init_with(OPTIONS(.window = 3));
    smpp_session_start(&s, "127.0.0.1", 0);
    UNTIL(base, s.state == SMPP_BINDING && peer.fd >= 0);
    PEER_SAYS(&peer, BIND_RESP, 0, 1, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
    static uint8_t out[16 * 4096];
    uint32_t asked = 0;
    for (uint32_t i = 0; i < 4096; i++)
        peer_pdu(out + 16 * i, ENQUIRE, 0, i, NULL, 0);
    size_t at = 0;
    while (!s.conn->reading_paused) {
        ssize_t n = send(peer.fd, out + at, sizeof out - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            asked += (uint32_t)n;
            at = (at + (size_t)n) % sizeof out;
        }
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_true(asked < 64u << 20);
    }
    assert_true(s.conn->out.control.tail <= s.conn->out.control.cap);
    event_add(peer.ev_read, NULL); /* it listens at last: everything is answered */
    struct wire w = peer_expect(&peer, BIND, 0);
    for (size_t rest = at % 16 ? 16 - at % 16 : 0; rest;) { /* the PDU that was cut */
        ssize_t n = send(peer.fd, out + at, rest, MSG_NOSIGNAL);
        if (n > 0) {
            rest -= (size_t)n;
            at += (size_t)n;
            asked += (uint32_t)n;
        }
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    for (uint32_t i = 0; i < asked / 16; i++) {
        w = peer_expect(&peer, ENQUIRED, 0);
        assert_int_equal(w.sequence, i % 4096);
        if (peer.at > PEER_BUFFER / 2) {
            memmove(peer.in, peer.in + peer.at, peer.len - peer.at);
            peer.len -= peer.at;
            peer.at = 0;
        }
    }
    assert_false(s.conn->reading_paused);
}

/* --- deliveries --- */

static void deliver(uint32_t id, uint32_t sequence)
{
    unsigned before = n_handles;
    peer_say(&peer, id, 0, sequence, RECEIPT_BODY, sizeof RECEIPT_BODY - 1);
    UNTIL(base, n_handles == before + 1);
}

static void deliveries_are_answered_when_told_and_in_any_order(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    deliver(DELIVER, 0);
    assert_string_equal(last_body, "id:77 sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
    deliver(DELIVER, 0xffffffff);
    peer_say(&peer, 0x103, 0, 9, "\0" ADDRESSES "\4\0\0", sizeof ADDRESSES + 3);
    UNTIL(base, n_handles == 3);
    assert_int_equal(peer.len, peer.at);
    smpp_session_answer(&s, handles[2], 0);
    assert_int_equal(peer_expect(&peer, 0x80000103, 0).sequence, 9);
    smpp_session_answer(&s, handles[1], 0);
    smpp_session_answer(&s, handles[0], 0x64);
    struct wire w = peer_expect(&peer, DELIVERED, 0);
    assert_int_equal(w.sequence, 0xffffffff);
    assert_int_equal(w.len, 17);
    assert_int_equal(peer_expect(&peer, DELIVERED, 0x64).sequence, 0);
}

static void q53_a_malformed_delivery_is_refused_and_the_bind_stays(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    static const char body[] = "\0" ADDRESSES "\4\0\0\0\0\0\0\0\0\xff"
                               "short";
    peer_say(&peer, DELIVER, 0, 3, body, sizeof body - 1);
    assert_int_equal(peer_expect(&peer, DELIVERED, 1).sequence, 3);
    assert_int_equal(n_handles, 0);
    assert_int_equal(s.counts.malformed, 1);
    deliver(DELIVER, 4);
}

static void q55_a_status_in_a_request_does_not_matter(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    PEER_SAY0(&peer, ENQUIRE, 0x58, 6);
    assert_int_equal(peer_expect(&peer, ENQUIRED, 0).sequence, 6);
}

static void too_many_unanswered_deliveries_are_put_off(void **state)
{
    (void)state;
    bound(OPTIONS(.max_deliveries = 2));
    deliver(DELIVER, 1);
    deliver(DELIVER, 2);
    peer_say(&peer, DELIVER, 0, 3, RECEIPT_BODY, sizeof RECEIPT_BODY - 1);
    assert_int_equal(peer_expect(&peer, DELIVERED, 0x64).sequence, 3);
    assert_int_equal(s.counts.turned_away, 1);
    smpp_session_answer(&s, handles[0], 0);
    peer_expect(&peer, DELIVERED, 0);
    deliver(DELIVER, 3);
}

static void a_handle_of_another_connection_answers_nothing(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 3));
    deliver(DELIVER, 1);
    peer_hang_up(&peer, false);
    UNTIL(base, n_ended == 1);
    smpp_session_answer(&s, handles[0], 0);
    smpp_session_start(&s, "127.0.0.1", 0);
    struct wire bind = peer_expect(&peer, BIND, 0);
    PEER_SAYS(&peer, BIND_RESP, 0, bind.sequence, "smsc");
    UNTIL(base, s.state == SMPP_BOUND);
    deliver(DELIVER, 1);
    smpp_session_answer(&s, handles[0], 0);
    peer_sync(&peer);
    smpp_session_answer(&s, handles[1], 0);
    assert_int_equal(peer_expect(&peer, DELIVERED, 0).sequence, 1);
    smpp_session_answer(&s, handles[1], 0); /* twice */
    peer_sync(&peer);
}

/* --- throttling --- */

static void a_throttled_bind_pauses_then_probes_with_one_message(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 5, .throttle_ms = 20));
    struct smpp_entry *e = submit(0);
    submit(1);
    uint32_t first = peer_expect(&peer, SUBMIT, 0).sequence;
    uint32_t second = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, first);
    UNTIL(base, n_backs == 1);
    assert_ptr_equal(backs[0], e);
    assert_int_equal(e->throttle_status, 0x58);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, second, "b"); /* sent before: does not end the pause */
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    UNTIL(base, smpp_session_room(&s, &plain) == 1);
    submit(0);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    uint32_t probe = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAY0(&peer, SUBMIT_RESP, 0x14, probe);
    UNTIL(base, n_backs == 2);
    assert_int_equal(smpp_session_room(&s, &plain), 0);
    UNTIL(base, smpp_session_room(&s, &plain) == 1);
    submit(0);
    probe = peer_expect(&peer, SUBMIT, 0).sequence;
    PEER_SAYS(&peer, SUBMIT_RESP, 0, probe, "a");
    UNTIL(base, smpp_session_room(&s, &plain) == 5);
    assert_int_equal(s.counts.throttled, 2);
}

static void the_throttling_of_one_window_is_one_pause(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2, .throttle_ms = 60000));
    submit(0);
    submit(1);
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, peer_expect(&peer, SUBMIT, 0).sequence);
    UNTIL(base, n_backs == 1);
    struct mono until = s.pace_until;
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, peer_expect(&peer, SUBMIT, 0).sequence);
    UNTIL(base, n_backs == 2);
    assert_int_equal(s.pace_until.us, until.us);
    assert_in_range(mono_diff_ms(until, mono_now()), 59000, 90000);
}

static void a_probe_that_is_never_answered_does_not_stop_the_bind(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 5, .throttle_ms = 5, .response_timeout_ms = 30));
    submit(0);
    PEER_SAY0(&peer, SUBMIT_RESP, 0x58, peer_expect(&peer, SUBMIT, 0).sequence);
    UNTIL(base, smpp_session_room(&s, &plain) == 1);
    submit(0);
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(smpp_session_room(&s, &plain), 1);
}

/* --- a peer that is there and does not work --- */

static void submit_unanswered(unsigned outcomes_then)
{
    submit(0);
    peer_expect(&peer, SUBMIT, 0);
    UNTIL(base, n_outcomes == outcomes_then);
    assert_int_equal(outcomes[outcomes_then - 1].outcome, SMPP_UNKNOWN);
}

static void q61_a_peer_that_answers_no_submit_any_more_is_left(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2, .response_timeout_ms = 40));
    submit_unanswered(1);
    peer_sync(&peer); /* the link itself is alive */
    assert_int_equal(s.state, SMPP_BOUND);
    submit_unanswered(2);
    UNTIL(base, n_ended == 1);
    assert_int_equal(ended_as, SMPP_END_MUTE);
    assert_int_equal(s.state, SMPP_IDLE);
    assert_string_equal(s.reason, "submits are not answered");
}

static void q61_one_unanswered_submit_says_nothing_even_when_noticed_late(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2, .response_timeout_ms = 5));
    submit(0);
    struct mono until = mono_add_ms(mono_now(), 30);
    while (!mono_is_past(until, mono_now())) /* as a loop that is held up */
        ;
    UNTIL(base, n_outcomes == 1);
    assert_int_equal(s.state, SMPP_BOUND);
}

static void q61_a_late_answer_shows_that_submits_are_answered(void **state)
{
    (void)state;
    bound(OPTIONS(.window = 2, .response_timeout_ms = 40));
    submit_unanswered(1);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, outcomes[0].entry->sequence, "late");
    UNTIL(base, n_late == 1);
    submit_unanswered(2);
    peer_sync(&peer);
    assert_int_equal(s.state, SMPP_BOUND);
}

/* The peer reads nothing any more, and the kernel takes no octet for it. */
static void stuff(int fd)
{
    static const uint8_t junk[4096];
    event_del(peer.ev_read);
    for (int quiet = 0; quiet < 20; quiet++) { /* turns; buffers grow and move for a while */
        while (send(fd, junk, sizeof junk, MSG_NOSIGNAL) > 0)
            quiet = 0;
        while (send(fd, junk, 1, MSG_NOSIGNAL) > 0)
            quiet = 0;
        event_base_loop(base, EVLOOP_ONCE);
    }
}

static void draining_goes_on_when_the_last_submit_could_not_be_written(void **state)
{
    (void)state;
    int small = 4096;
    setsockopt(peer.listen_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    bound(OPTIONS(.window = 2, .unbind_timeout_ms = 50));
    stuff(s.conn->fd);
    submit(0);
    smpp_session_drain(&s);
    UNTIL(base, n_backs == 1);
    UNTIL(base, s.state == SMPP_CLOSED);
    assert_int_equal(n_outcomes, 0);
}

static void a_flood_of_nonsense_is_counted_and_leaves_few_lines(void **state)
{
    (void)state;
    char path[] = "/tmp/session_test_XXXXXX", c;
    int fd = mkstemp(path);
    unsigned lines = 0;
    assert_true(fd >= 0);
    unlink(path);
    bound(OPTIONS(.window = 2));
    log_set_fd(fd);
    for (uint32_t i = 1; i <= 200; i++) {
        peer_say(&peer, DELIVER, 0, i, "\0\1", 2);
        PEER_SAY0(&peer, NACK, 3, 0);
        peer_expect(&peer, DELIVERED, 1);
    }
    peer_sync(&peer);
    log_set_fd(-1);
    assert_int_equal(s.counts.malformed, 200);
    assert_int_equal(s.counts.unexpected, 200);
    lseek(fd, 0, SEEK_SET);
    while (read(fd, &c, 1) == 1)
        lines += c == '\n';
    close(fd);
    assert_in_range(lines, 2, 20);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_bind_carries_the_account_and_an_ok_binds),
        T(q36_a_bind_resp_without_a_body_binds_too),
        T(q57_a_wrong_password_is_about_credentials),
        T(q57_a_wrong_system_id_is_about_credentials),
        T(q57_a_wrong_system_type_is_about_credentials),
        T(q57_already_bound_means_busy),
        T(q57_bind_failed_means_busy),
        T(q57_a_vendor_status_on_a_bind_means_busy),
        T(q57_a_nack_of_the_bind_means_busy),
        T(a_bind_resp_for_another_request_is_ignored),
        T(q59_no_answer_to_the_bind_ends_it),
        T(a_peer_that_is_not_there_ends_as_network_trouble),
        T(a_name_without_a_resolver_ends_as_network_trouble),
        T(q59_requests_before_the_bind_is_up_get_their_answers),
        T(stopping_inside_the_callback_that_tells_of_the_bind_is_safe),
        T(stopping_inside_the_callback_that_tells_of_the_connection_is_safe),
        T(an_accepted_submit_tells_its_message_id),
        T(odd_answers_that_mean_accepted_are_accepted),
        T(errors_are_told_by_the_header_alone),
        T(q44_answers_out_of_order_find_their_submits),
        T(a_full_window_takes_no_more_until_one_is_answered),
        T(q42_answers_that_nothing_waits_for_are_counted_and_ignored),
        T(q43_an_overdue_answer_is_in_doubt_and_a_late_one_is_told_apart),
        T(a_later_part_that_was_not_written_stays_with_its_bind),
        T(a_throttle_of_one_part_is_forgotten_by_the_next),
        T(a_part_sent_while_draining_gets_no_time_of_its_own),
        T(q60_submits_of_one_turn_leave_together_behind_control_pdus),
        T(q45_a_lost_connection_leaves_sent_submits_in_doubt),
        T(what_was_not_written_when_the_end_came_goes_back),
        T(q58_an_unbind_of_the_peer_is_answered_and_sending_stops),
        T(q58_a_peer_that_unbinds_and_does_not_close_is_closed),
        T(q58_an_unbind_resp_to_nothing_ends_nothing),
        T(q58_the_number_of_an_unbind_is_forgotten_with_its_connection),
        T(q58_draining_waits_for_the_window_then_unbinds),
        T(q58_draining_is_bounded_when_the_peer_answers_nothing),
        T(draining_before_the_bind_is_up_closes_at_once),
        T(q46_octets_that_come_one_by_one_make_a_pdu),
        T(q46_pdus_that_come_together_are_all_taken),
        T(q47_a_length_of_15_is_nacked_and_the_connection_closed),
        T(q47_a_length_of_2_gigabytes_is_nacked_and_the_connection_closed),
        T(q48_unknown_requests_are_nacked_and_the_bind_stays),
        T(q64_notifications_are_ignored_without_an_answer),
        T(q60_silence_is_met_with_enquire_link_and_its_answer_keeps_the_bind),
        T(q60_an_answer_to_enquire_link_counts_the_silence_anew),
        T(q62_any_pdu_is_a_sign_of_life),
        T(q61_enquire_link_without_an_answer_ends_the_connection),
        T(q60_a_flood_of_enquire_link_is_answered_one_by_one),
        T(answers_that_nobody_reads_stop_the_reading),
        T(deliveries_are_answered_when_told_and_in_any_order),
        T(q53_a_malformed_delivery_is_refused_and_the_bind_stays),
        T(q55_a_status_in_a_request_does_not_matter),
        T(too_many_unanswered_deliveries_are_put_off),
        T(a_handle_of_another_connection_answers_nothing),
        T(a_throttled_bind_pauses_then_probes_with_one_message),
        T(the_throttling_of_one_window_is_one_pause),
        T(a_probe_that_is_never_answered_does_not_stop_the_bind),
        T(q61_a_peer_that_answers_no_submit_any_more_is_left),
        T(q61_one_unanswered_submit_says_nothing_even_when_noticed_late),
        T(q61_a_late_answer_shows_that_submits_are_answered),
        T(draining_goes_on_when_the_last_submit_could_not_be_written),
        T(a_flood_of_nonsense_is_counted_and_leaves_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
