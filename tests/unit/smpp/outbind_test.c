#include "legs.h"

#include "base/result.h"

#define OUTBIND       0x0000000bu
#define RIGHT         "smsc\0letmein"
#define RIGHT_SIZE    (sizeof RIGHT)
#define ENQUIRE       0x00000015u
#define ENQUIRE_RESP  0x80000015u
#define LISTEN_FORMAT "127.0.0.1:%u"

static char address[32];
static uint16_t port;
static unsigned n_accepted;
static const struct secret outbind_password = {(uint8_t *)(uintptr_t) "letmein", 7};

static void on_outcome(void *arg, const struct smpp_result *r)
{
    (void)arg;
    n_accepted += r->outcome == SMPP_ACCEPTED;
}

static struct sockaddr_in loopback(uint16_t p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* One that nobody has now; the socket has it until it is closed. */
static int take_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(fd, (struct sockaddr *)&a, &size);
    port = ntohs(a.sin_port);
    snprintf(address, sizeof address, LISTEN_FORMAT, port);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    rig_open();
    legs_open();
    close(take_port());
    n_accepted = 0;
    return 0;
}

static int legs_teardown(void **state)
{
    legs_close();
    return teardown(state);
}

static struct smpp_carrier_options dialled(struct smpp_carrier_options o)
{
    o.outbind_listen = address;
    o.outbind_system_id = "smsc";
    o.outbind_password = &outbind_password;
    return o;
}
#define DIALLED(...) dialled(WITH(__VA_ARGS__))

static void make(struct smpp_carrier_options o)
{
    static const struct smpp_events events = {.receipt_cb = on_receipt};
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    assert_non_null(carrier);
}

/* In the next turn every bind that is dialled waits for it. */
static void make_waiting(struct smpp_carrier_options o)
{
    make(o);
    uint32_t last = smpp_carrier_bind_count(carrier) - 1;
    UNTIL(base, info_of(last).awaits_outbind);
}

static bool can_dial(int *fd)
{
    struct sockaddr_in a = loopback(port);
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*fd, (struct sockaddr *)&a, sizeof a) == 0)
        return true;
    close(*fd);
    return false;
}

static struct peer *dial(void)
{
    int fd;
    assert_true(can_dial(&fd));
    leg_open(&legs[n_legs], fd);
    is_given[n_legs] = true;
    return &legs[n_legs++];
}

static struct peer *outbind(const void *body, size_t size)
{
    struct peer *p = dial();
    peer_say(p, OUTBIND, 0, 1, body, size);
    return p;
}

static uint64_t guests(enum smpp_guest result)
{
    struct smpp_carrier_info info;
    smpp_carrier_info(carrier, &info);
    return info.guests[result];
}

static bool is_listening(void)
{
    struct smpp_carrier_info info;
    smpp_carrier_info(carrier, &info);
    return info.is_listening;
}

static void answer_bind(struct peer *p, uint32_t command, uint32_t status)
{
    struct wire w = peer_expect(p, command, 0);
    PEER_SAYS(p, ANSWER(command), status, w.sequence, "smsc");
}

static int submit(void)
{
    struct smpp_message m = {.destination = "38591234567", .text = "PIN 123456", .text_len = 10};
    m.deadline = mono_add_ms(mono_now(), 60000);
    return smpp_submit(carrier, &m, on_outcome, NULL);
}

static void closed_without_a_word(struct peer *p, enum smpp_guest result)
{
    UNTIL(base, p->eof);
    assert_int_equal(p->len, 0);
    assert_int_equal(guests(result), 1);
    assert_int_equal(guests(SMPP_GUEST_TAKEN), 0);
}

/* --- the right words --- */

static void q64_a_receiver_binds_on_the_connection_of_the_outbind(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = outbind(RIGHT, RIGHT_SIZE);
    answer_bind(p, BIND_RX, 0);
    UNTIL(base, info_of(0).is_up);
    PEER_SAYS(p, DELIVER, 0, 9, RECEIPT_BODY);
    peer_expect(p, ANSWER(DELIVER), 0);
    assert_int_equal(n_receipts, 1);
    assert_int_equal(guests(SMPP_GUEST_TAKEN), 1);
    assert_int_equal(n_legs, 1); /* and nothing dials */
}

static void q64_a_transceiver_sends_where_it_was_dialled(void **state)
{
    (void)state;
    make_waiting(DIALLED(.window = 1));
    struct peer *p = outbind(RIGHT, RIGHT_SIZE);
    answer_bind(p, BIND, 0);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    struct wire w = peer_expect(p, SUBMIT, 0);
    PEER_SAYS(p, SUBMIT_RESP, 0, w.sequence, "77");
    UNTIL(base, n_accepted == 1);
}

static void q64_the_receiver_of_a_pair_is_dialled_and_its_transmitter_dials(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_PAIR));
    struct peer *tx = leg_bound(BIND_TX);
    struct peer *rx = outbind(RIGHT, RIGHT_SIZE);
    answer_bind(rx, BIND_RX, 0);
    UNTIL(base, smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(), 0);
    peer_expect(tx, SUBMIT, 0);
}

static void q64_a_bind_that_is_lost_waits_for_the_next_outbind(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    for (unsigned i = 1; i <= 3; i++) {
        struct peer *p = outbind(RIGHT, RIGHT_SIZE);
        answer_bind(p, BIND_RX, 0);
        UNTIL(base, info_of(0).is_up);
        assert_int_equal(guests(SMPP_GUEST_TAKEN), i);
        peer_hang_up(p, i == 2);
        UNTIL(base, info_of(0).awaits_outbind);
    }
}

static void q64_each_bind_takes_one(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER, .binds = 2));
    for (int i = 0; i < 2; i++)
        answer_bind(outbind(RIGHT, RIGHT_SIZE), BIND_RX, 0);
    UNTIL(base, info_of(0).is_up && info_of(1).is_up);
    struct peer *third = outbind(RIGHT, RIGHT_SIZE);
    UNTIL(base, third->eof);
    assert_int_equal(guests(SMPP_GUEST_NOT_AWAITED), 1);
    assert_true(info_of(0).is_up && info_of(1).is_up);
}

static void q64_octets_one_by_one_and_what_follows_at_once_are_read(void **state)
{
    (void)state;
    uint8_t said[128];
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = dial();
    size_t len = peer_pdu(said, OUTBIND, 0, 1, RIGHT, RIGHT_SIZE);
    for (size_t i = 0; i + 1 < len; i++) {
        peer_write(p, said + i, 1);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    /* The last octet comes with an enquire_link, which the new bind answers. */
    peer_pdu(said + len, ENQUIRE, 0, 5, NULL, 0);
    peer_write(p, said + len - 1, 17);
    struct wire first = peer_take(p), then = peer_take(p);
    assert_true(first.id == BIND_RX || then.id == BIND_RX);
    assert_true(first.id == ENQUIRE_RESP || then.id == ENQUIRE_RESP);
}

/* --- the wrong ones --- */

static void refuse_words(const void *body, size_t size)
{
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    closed_without_a_word(outbind(body, size), SMPP_GUEST_CREDENTIALS);
    assert_true(info_of(0).awaits_outbind);
}

static void q64_a_wrong_password_is_closed(void **state)
{
    (void)state;
    refuse_words("smsc\0letmeout", 14);
}

static void q64_the_beginning_of_the_password_is_closed(void **state)
{
    (void)state;
    refuse_words("smsc\0let", 9);
}

static void q64_no_password_is_closed(void **state)
{
    (void)state;
    refuse_words("smsc\0", 6);
}

static void q64_a_wrong_system_id_is_closed(void **state)
{
    (void)state;
    refuse_words("smsd\0letmein", 13);
}

static void q64_another_command_first_is_closed(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = dial();
    PEER_SAY0(p, ENQUIRE, 0, 1);
    closed_without_a_word(p, SMPP_GUEST_NO_OUTBIND);
}

static void q64_an_outbind_without_a_body_is_closed(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = dial();
    PEER_SAY0(p, OUTBIND, 0, 1);
    UNTIL(base, p->eof);
    assert_int_equal(guests(SMPP_GUEST_TAKEN), 0);
}

static void q64_lost_framing_is_closed(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = dial();
    peer_write(p, "\0\0\0\1\0\0\0\x0b\0\0\0\0\0\0\0\1", 16);
    closed_without_a_word(p, SMPP_GUEST_NO_OUTBIND);
}

static void q64_a_guest_that_says_nothing_is_closed_in_time(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER, .bind_timeout_ms = 50));
    closed_without_a_word(dial(), SMPP_GUEST_SILENT);
}

static void q64_a_guest_that_leaves_makes_room(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p[4];
    for (int i = 0; i < 4; i++)
        p[i] = dial();
    struct peer *fifth = dial();
    UNTIL(base, fifth->eof);
    assert_int_equal(guests(SMPP_GUEST_CROWDED), 1);
    peer_hang_up(p[2], false);
    UNTIL(base, guests(SMPP_GUEST_LOST) == 1);
    answer_bind(outbind(RIGHT, RIGHT_SIZE), BIND_RX, 0);
    UNTIL(base, info_of(0).is_up);
}

static void q64_a_bind_that_was_refused_waits_its_time_before_it_is_taken_again(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *p = outbind(RIGHT, RIGHT_SIZE);
    answer_bind(p, BIND_RX, 0x0e);
    UNTIL(base, info_of(0).next_attempt_ms > 200000);
    struct peer *again = outbind(RIGHT, RIGHT_SIZE);
    UNTIL(base, again->eof);
    assert_int_equal(again->len, 0);
    assert_int_equal(guests(SMPP_GUEST_NOT_AWAITED), 1);
}

/* --- the door --- */

static void q64_a_drain_closes_the_door_and_sends_guests_away(void **state)
{
    (void)state;
    int fd;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER, .binds = 2));
    struct peer *bound = outbind(RIGHT, RIGHT_SIZE);
    answer_bind(bound, BIND_RX, 0);
    struct peer *guest = dial();
    UNTIL(base, info_of(0).is_up);
    smpp_carrier_drain(carrier, on_drained, NULL);
    UNTIL(base, guest->eof);
    struct wire w = peer_expect(bound, UNBIND, 0);
    PEER_SAY0(bound, UNBIND_RESP, 0, w.sequence);
    UNTIL(base, n_drained == 1);
    assert_false(can_dial(&fd));
}

static void drain_when_binding(void *arg, const struct smpp_bind_event *event)
{
    (void)arg;
    if (event->to == SMPP_BINDING)
        smpp_carrier_drain(carrier, on_drained, NULL);
}

static void q64_a_carrier_may_be_drained_where_it_takes_a_guest(void **state)
{
    (void)state;
    const struct smpp_events events = {.state_cb = drain_when_binding};
    struct smpp_carrier_options o = DIALLED(.mode = SMPP_RECEIVER);
    carrier = smpp_carrier_new(base, reap, NULL, &o, &events);
    assert_non_null(carrier);
    UNTIL(base, info_of(0).awaits_outbind);
    struct peer *p = outbind(RIGHT, RIGHT_SIZE);
    UNTIL(base, n_drained == 1 && p->eof);
    assert_int_equal(guests(SMPP_GUEST_TAKEN), 1);
    assert_int_equal(guests(SMPP_GUEST_NOT_AWAITED), 0);
}

static void q64_a_carrier_that_is_freed_with_guests_leaves_nothing(void **state)
{
    (void)state;
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    struct peer *guest = dial();
    for (int i = 0; i < 5; i++)
        event_base_loop(base, EVLOOP_ONCE);
    smpp_carrier_free(carrier);
    carrier = NULL;
    UNTIL(base, guest->eof);
}

static void q64_a_port_that_is_taken_is_tried_again(void **state)
{
    (void)state;
    int holder = take_port(), fd;
    assert_int_equal(listen(holder, 1), 0);
    make_waiting(DIALLED(.mode = SMPP_RECEIVER));
    assert_false(is_listening());
    close(holder);
    UNTIL(base, is_listening());
    assert_true(can_dial(&fd));
    leg_open(&legs[n_legs], fd);
    is_given[n_legs] = true;
    peer_say(&legs[n_legs++], OUTBIND, 0, 1, RIGHT, RIGHT_SIZE);
    answer_bind(&legs[n_legs - 1], BIND_RX, 0);
    UNTIL(base, info_of(0).is_up);
}

static void q64_nobody_listens_where_it_is_not_configured(void **state)
{
    (void)state;
    int fd;
    make(WITH(.mode = SMPP_RECEIVER, .outbind_system_id = "smsc",
              .outbind_password = &outbind_password));
    struct peer *rx = leg_bound(BIND_RX);
    UNTIL(base, info_of(0).is_up);
    assert_false(can_dial(&fd));
    peer_say(rx, OUTBIND, 0, 1, RIGHT, RIGHT_SIZE); /* on a bind of its own it means nothing */
    peer_sync(rx);
    assert_true(info_of(0).is_up);
}

static void check_refused(struct smpp_carrier_options o)
{
    static const struct smpp_events events = {0};
    assert_null(smpp_carrier_new(base, reap, NULL, &o, &events));
}

static void q64_half_a_configuration_is_refused(void **state)
{
    (void)state;
    static const struct secret none = {NULL, 0}, nine = {(uint8_t *)(uintptr_t) "123456789", 9};
    struct smpp_carrier_options o = DIALLED(.mode = SMPP_RECEIVER);
    o.outbind_system_id = "";
    check_refused(o);
    o = DIALLED(.mode = SMPP_RECEIVER);
    o.outbind_password = &none;
    check_refused(o);
    o.outbind_password = &nine;
    check_refused(o);
    o = DIALLED(.mode = SMPP_RECEIVER);
    o.outbind_listen = "localhost:1";
    check_refused(o);
    check_refused(DIALLED(.mode = SMPP_TRANSMITTER));
    check_refused(DIALLED(.tls = true));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, legs_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(q64_a_receiver_binds_on_the_connection_of_the_outbind),
        T(q64_a_transceiver_sends_where_it_was_dialled),
        T(q64_the_receiver_of_a_pair_is_dialled_and_its_transmitter_dials),
        T(q64_a_bind_that_is_lost_waits_for_the_next_outbind),
        T(q64_each_bind_takes_one),
        T(q64_octets_one_by_one_and_what_follows_at_once_are_read),
        T(q64_a_wrong_password_is_closed),
        T(q64_the_beginning_of_the_password_is_closed),
        T(q64_no_password_is_closed),
        T(q64_a_wrong_system_id_is_closed),
        T(q64_another_command_first_is_closed),
        T(q64_an_outbind_without_a_body_is_closed),
        T(q64_lost_framing_is_closed),
        T(q64_a_guest_that_says_nothing_is_closed_in_time),
        T(q64_a_guest_that_leaves_makes_room),
        T(q64_a_bind_that_was_refused_waits_its_time_before_it_is_taken_again),
        T(q64_a_drain_closes_the_door_and_sends_guests_away),
        T(q64_a_carrier_may_be_drained_where_it_takes_a_guest),
        T(q64_a_carrier_that_is_freed_with_guests_leaves_nothing),
        T(q64_a_port_that_is_taken_is_tried_again),
        T(q64_nobody_listens_where_it_is_not_configured),
        T(q64_half_a_configuration_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
