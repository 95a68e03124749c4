#include "peer.h"

#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "smpp/smpp.h"

#include <stdio.h>

#define SUBMIT      0x00000004u
#define SUBMIT_RESP 0x80000004u
#define MANY        10000

/* What became of one message. */
struct fate {
    unsigned calls;
    enum smpp_outcome outcome;
    uint32_t status, bind;
    char id[32];
};

static struct event_base *base;
static struct reap *reap;
static struct peer peer;
static struct smpp_carrier *carrier;
static struct fate fates[MANY];
static unsigned n_done, n_drained, n_states, n_late;
static void (*in_outcome)(void); /* what the test does inside the callback */
static struct smpp_receipt receipt;
static char receipt_id[32];
static struct smpp_delivery handle;
static unsigned n_receipts, n_mo;
static char log_path[] = "/tmp/carrier_test_XXXXXX";
static int log_fd;

static void on_state(void *arg, const struct smpp_bind_event *event)
{
    (void)arg;
    assert_string_equal(event->carrier, "acme");
    assert_non_null(event->reason);
    n_states++;
}

static void on_receipt(void *arg, struct smpp_carrier *c, const struct smpp_receipt *r,
                       struct smpp_delivery h)
{
    (void)arg;
    assert_ptr_equal(c, carrier);
    receipt = *r;
    snprintf(receipt_id, sizeof receipt_id, "%.*s", (int)r->id.len, r->id.p);
    handle = h;
    n_receipts++;
}

static void on_mo(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery h)
{
    (void)arg;
    assert_string_equal(mo->text.p, "hello");
    n_mo++;
    smpp_delivery_done(c, h, 0); /* inside the callback is allowed */
}

static void on_late(void *arg, struct smpp_carrier *c, void *submit_arg,
                    const struct smpp_result *r)
{
    (void)arg;
    (void)c;
    assert_ptr_equal(submit_arg, &fates[0]);
    assert_int_equal(r->outcome, SMPP_ACCEPTED);
    n_late++;
}

static void on_outcome(void *arg, const struct smpp_result *r)
{
    struct fate *f = arg;
    f->calls++;
    f->outcome = r->outcome;
    f->status = r->status;
    f->bind = r->bind;
    snprintf(f->id, sizeof f->id, "%.*s", (int)r->message_id.len,
             r->message_id.p ? r->message_id.p : "");
    n_done++;
    if (in_outcome)
        in_outcome();
}

static void on_drained(void *arg)
{
    (void)arg;
    n_drained++;
}

static const struct smpp_events all_events = {NULL, on_state, on_receipt, on_mo, on_late};

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    reap = reap_new(base);
    peer_open(&peer, base);
    memset(fates, 0, sizeof fates);
    for (int i = 0; i < MANY; i++)
        fates[i].outcome = (enum smpp_outcome)99;
    n_done = n_drained = n_states = n_late = n_receipts = n_mo = 0;
    in_outcome = NULL;
    carrier = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smpp_carrier_free(carrier);
    reap_free(reap);
    peer_close(&peer);
    event_base_free(base);
    return 0;
}

static void make(struct smpp_carrier_options o, const struct smpp_events *events)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct secret password = {0};
    assert_int_equal(secret_set(&password, "secret08", 8), 0);
    o.name = "acme";
    o.hosts = hosts;
    o.n_hosts = 1;
    o.port = peer.port;
    o.system_id = "pinbind";
    o.password = &password;
    o.source = "ACME";
    o.source_ton = o.source_npi = -1;
    o.dest_ton = o.dest_npi = 1;
    o.registered_delivery = 1;
    carrier = smpp_carrier_new(base, reap, NULL, &o, events);
    secret_clear(&password);
}

static enum smpp_state state_of(uint32_t bind)
{
    struct smpp_bind_info info;
    smpp_carrier_bind_info(carrier, bind, &info);
    return info.state;
}

static uint32_t in_flight(uint32_t bind)
{
    struct smpp_bind_info info;
    smpp_carrier_bind_info(carrier, bind, &info);
    return info.in_flight;
}

static void bind_up(void)
{
    struct wire bind = peer_expect(&peer, 9, 0);
    PEER_SAYS(&peer, 0x80000009, 0, bind.sequence, "smsc");
    UNTIL(base, smpp_carrier_is_ready(carrier));
}

static void bound(struct smpp_carrier_options o)
{
    make(o, &all_events);
    assert_non_null(carrier);
    bind_up();
}

static int submit_by(unsigned i, int64_t within_ms)
{
    struct smpp_message m = {
        .destination = "38591234567",
        .text = "Your PIN is 739201",
        .text_len = 18,
        .validity_ms = 300000,
        .deadline = mono_add_ms(mono_now(), within_ms),
    };
    unsigned before = n_done;
    int err = smpp_submit(carrier, &m, on_outcome, &fates[i]);
    assert_int_equal(n_done, before); /* never inside the call */
    return err;
}

static int submit(unsigned i)
{
    return submit_by(i, 60000);
}

static void answer(uint32_t status)
{
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    if (status)
        PEER_SAY0(&peer, SUBMIT_RESP, status, w.sequence);
    else
        PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "id-1");
}

/* --- submitting --- */

static void a_message_goes_out_as_submit_sm_and_comes_back_accepted(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.validity = SMPP_VALIDITY_RELATIVE});
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    static const char head[] = "\0\5\0ACME\0\1\1"
                               "38591234567\0\0\0\0\0";
    assert_memory_equal(w.body, head, sizeof head - 1);
    assert_memory_equal(w.body + sizeof head - 1, "000000000", 9);
    assert_memory_equal(w.body + w.body_len - 19, "\x12Your PIN is 739201", 19);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "id-1");
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_ACCEPTED);
    assert_string_equal(fates[0].id, "id-1");
}

static void a_message_without_a_life_has_no_validity_period(void **state)
{
    (void)state;
    struct smpp_message m = {.destination = "385911", .text = "x", .text_len = 1};
    bound((struct smpp_carrier_options){.validity = SMPP_VALIDITY_RELATIVE});
    assert_int_equal(submit(0), 0);
    answer(0);
    UNTIL(base, n_done == 1);
    m.deadline = mono_add_ms(mono_now(), 1000);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[1]), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    static const char body[] = "\0\5\0ACME\0\1\1"
                               "385911\0\0\0\0\0\0\1\0\0\0\1x";
    assert_int_equal(w.body_len, sizeof body - 1);
    assert_memory_equal(w.body, body, sizeof body - 1);
}

static void the_messaging_mode_stands_in_esm_class(void **state)
{
    (void)state;
    static const char head[] = "\0\5\0ACME\0\1\1"
                               "38591234567\0\2\0";
    bound((struct smpp_carrier_options){.messaging_mode = SMPP_MODE_FORWARD});
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    assert_memory_equal(w.body, head, sizeof head - 1);
}

static void without_a_bound_bind_nothing_is_taken(void **state)
{
    (void)state;
    make((struct smpp_carrier_options){.window = 1}, &all_events);
    assert_int_equal(n_states, 0); /* no callback inside the call */
    assert_false(smpp_carrier_is_ready(carrier));
    assert_int_equal(submit(0), ERR_UNAVAILABLE);
    bind_up();
    assert_int_equal(submit(0), 0);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    struct smpp_message m = {.destination = "not digits", .text = "x", .text_len = 1};
    m.deadline = mono_add_ms(mono_now(), 1000);
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), ERR_INVALID);
    m.destination = "38591234567";
    m.text = "\xc3\x28";
    m.text_len = 2;
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), ERR_INVALID);
    m.text = "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
             "12345678901234567890123456789012345678901234567890123456789012345678901234567890.";
    m.text_len = 161;
    assert_int_equal(smpp_submit(carrier, &m, on_outcome, &fates[0]), ERR_TOOLONG);
    peer_sync(&peer);
    assert_int_equal(n_done, 0);
}

static void messages_wait_for_room_up_to_the_bound_of_the_queue(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1, .max_queue = 2});
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(i), 0);
    assert_int_equal(submit(3), ERR_FULL);
    assert_false(smpp_carrier_is_ready(carrier));
    for (int i = 0; i < 3; i++)
        answer(0);
    UNTIL(base, n_done == 3);
    assert_true(smpp_carrier_is_ready(carrier));
    assert_int_equal(fates[3].calls, 0);
}

static void the_most_urgent_of_those_that_wait_goes_first(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    assert_int_equal(submit_by(0, 60000), 0);
    assert_int_equal(submit_by(1, 40000), 0);
    assert_int_equal(submit_by(2, 50000), 0);
    assert_int_equal(submit_by(3, 30000), 0);
    static const unsigned order[] = {0, 3, 1, 2};
    for (unsigned i = 0; i < 4; i++) {
        answer(0);
        UNTIL(base, n_done == i + 1);
        assert_int_equal(fates[order[i]].calls, 1);
    }
}

static void a_message_that_waited_too_long_was_not_sent(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit_by(1, 10), 0);
    assert_int_equal(submit_by(2, -5), 0); /* overdue already */
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[1].outcome, SMPP_NOT_SENT);
    assert_int_equal(fates[2].outcome, SMPP_NOT_SENT);
    assert_int_equal(fates[0].calls, 0);
    answer(0);
    UNTIL(base, n_done == 3);
    peer_sync(&peer); /* nothing else was sent */
}

static void an_overdue_message_is_not_sent_though_there_is_room(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 5});
    assert_int_equal(submit_by(0, 0), 0);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_NOT_SENT);
    peer_sync(&peer);
}

static void resubmit_overdue(void)
{
    assert_true(n_done < 100);
    assert_int_equal(submit_by(0, -1), 0);
}

static void a_callback_that_submits_what_is_overdue_does_not_hold_the_loop(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    in_outcome = resubmit_overdue;
    assert_int_equal(submit_by(0, -1), 0);
    UNTIL(base, n_done == 3);
    in_outcome = NULL;
}

static void resubmit(void)
{
    in_outcome = NULL;
    assert_int_equal(submit(1), 0);
}

static void a_callback_may_submit_again(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    in_outcome = resubmit;
    assert_int_equal(submit(0), 0);
    answer(0x0b);
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[0].outcome, SMPP_REFUSED);
    assert_int_equal(fates[1].outcome, SMPP_ACCEPTED);
}

/* --- throttling --- */

static void a_throttled_message_tries_again_and_is_accepted(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 5, .throttle_ms = 10});
    assert_int_equal(submit(0), 0);
    answer(0x58);
    answer(0x14);
    answer(0);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_ACCEPTED);
    assert_int_equal(fates[0].calls, 1);
}

static void one_throttled_message_does_not_hold_up_the_others(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1, .throttle_ms = 10});
    assert_int_equal(submit_by(0, 50000), 0);
    assert_int_equal(submit_by(1, 60000), 0);
    answer(0x14);
    answer(0);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[1].outcome, SMPP_ACCEPTED);
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[0].outcome, SMPP_ACCEPTED);
}

static void a_message_that_is_throttled_until_its_deadline_says_so(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 5, .throttle_ms = 3600000});
    assert_int_equal(submit_by(0, 100), 0);
    answer(0x58);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_THROTTLED_OUT);
    assert_int_equal(fates[0].status, 0x58);
    assert_int_equal(submit_by(1, -1), 0); /* the next one knows nothing of that */
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[1].outcome, SMPP_NOT_SENT);
    assert_int_equal(fates[1].status, 0);
}

/* --- loss --- */

static void a_late_answer_is_told_with_the_argument_of_its_submit(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1, .response_timeout_ms = 20});
    assert_int_equal(submit(0), 0);
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_UNKNOWN);
    PEER_SAYS(&peer, SUBMIT_RESP, 0, w.sequence, "late");
    UNTIL(base, n_late == 1);
    assert_int_equal(fates[0].calls, 1);
}

static void what_waits_survives_a_lost_connection(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1, .backoff_min_ms = 1, .backoff_max_ms = 2});
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit(1), 0);
    peer_expect(&peer, SUBMIT, 0);
    peer_hang_up(&peer, true);
    bind_up();
    assert_int_equal(n_done, 1);
    assert_int_equal(fates[0].outcome, SMPP_UNKNOWN);
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[1].outcome, SMPP_ACCEPTED);
}

/* The kernel shall hold little in the sockets that go to the peer. */
static void shrink_send_buffers(void)
{
    int small = 4096;
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in a = {0};
        socklen_t len = sizeof a;
        if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && ntohs(a.sin_port) == peer.port)
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    }
}

static void shrink_receive_buffers(void)
{
    int small = 4096;
    setsockopt(peer.listen_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

/* Submits until the kernel takes no more from us; returns how many. */
static unsigned fill_the_kernel(void)
{
    shrink_receive_buffers();
    bound((struct smpp_carrier_options){.window = MANY, .max_queue = MANY});
    shrink_send_buffers();
    event_del(peer.ev_read);
    unsigned n = 0;
    uint32_t sent = 0;
    for (;;) {
        for (int i = 0; i < 50; i++) {
            assert_true(n < MANY);
            assert_int_equal(submit(n++), 0);
        }
        event_base_loop(base, EVLOOP_NONBLOCK);
        if (in_flight(0) == sent)
            return n;
        sent = in_flight(0);
    }
}

static void what_is_still_here_when_the_peer_unbinds_is_not_sent_there(void **state)
{
    (void)state;
    uint8_t out[64];
    bound((struct smpp_carrier_options){
        .window = 1, .backoff_bound_min_ms = 1, .backoff_bound_max_ms = 2});
    assert_int_equal(submit(0), 0);
    in_outcome = resubmit;
    struct wire w = peer_expect(&peer, SUBMIT, 0);
    size_t len = peer_pdu(out, SUBMIT_RESP, 0, w.sequence, "id-1", 5);
    len += peer_pdu(out + len, 6, 0, 7, NULL, 0);
    peer_write(&peer, out, len);
    peer_expect(&peer, 0x80000006, 0);
    peer_sync(&peer); /* nothing behind the answer */
    assert_int_equal(n_done, 1);
    peer_hang_up(&peer, false);
    bind_up();
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[1].outcome, SMPP_ACCEPTED);
}

/*
 * The law of sending.  The peer does not read, so the kernel fills up; then the carrier goes away.
 * What the peer finds on the wire afterwards, in part or in whole, must be exactly what was
 * reported UNKNOWN, and all the rest NOT_SENT.
 */
static void not_sent_means_that_not_one_octet_left(void **state)
{
    (void)state;
    unsigned n = fill_the_kernel();
    assert_true(in_flight(0) < n);
    smpp_carrier_free(carrier);
    carrier = NULL;
    assert_int_equal(n_done, n);
    unsigned unknown = 0;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(fates[i].calls, 1);
        assert_true(fates[i].outcome == SMPP_UNKNOWN || fates[i].outcome == SMPP_NOT_SENT);
        unknown += fates[i].outcome == SMPP_UNKNOWN;
    }
    event_add(peer.ev_read, NULL);
    UNTIL(base, peer.eof);
    unsigned begun = 0;
    while (peer.at < peer.len) {
        size_t left = peer.len - peer.at;
        uint32_t len = left >= 4 ? peer_u32(peer.in + peer.at) : 4;
        begun += left < 8 || peer_u32(peer.in + peer.at + 4) == SUBMIT;
        peer.at += len < left ? len : left;
    }
    assert_int_equal(begun, unknown);
}

static void a_blocked_connection_goes_on_when_the_peer_reads_again(void **state)
{
    (void)state;
    static uint32_t sequence[MANY];
    unsigned n = fill_the_kernel();
    assert_true(in_flight(0) < n);
    event_add(peer.ev_read, NULL);
    for (unsigned i = 0; i < n; i++) /* reads, and answers nothing yet */
        sequence[i] = peer_expect(&peer, SUBMIT, 0).sequence;
    for (unsigned i = 0; i < n; i++)
        PEER_SAYS(&peer, SUBMIT_RESP, 0, sequence[i], "id-1");
    UNTIL(base, n_done == n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(fates[i].outcome, SMPP_ACCEPTED);
    assert_int_equal(peer.at, peer.len);
}

/* More messages in one turn than the output holds, and no answer that would call for more. */
static void a_full_output_goes_on_after_the_turn(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 2000, .max_queue = 2000});
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(submit(i), 0);
    assert_true(in_flight(0) < 2000);
    for (unsigned i = 0; i < 2000; i++)
        peer_expect(&peer, SUBMIT, 0);
    assert_int_equal(in_flight(0), 2000);
}

/* --- several binds --- */

static struct peer second;

static void take_aside(void)
{
    second = peer;
    second.in = malloc(PEER_BUFFER);
    second.len = second.at = 0;
    second.ev_read = event_new(base, second.fd, EV_READ | EV_PERSIST, peer_read_cb, &second);
    event_add(second.ev_read, NULL);
    event_free(peer.ev_read);
    peer.ev_read = NULL;
    peer.fd = -1;
}

static void drop_second(void)
{
    peer_hang_up(&second, true);
    free(second.in);
}

/* The listener is deaf for a moment so that the binds come up one after the other. */
static void bind_both(struct smpp_carrier_options o)
{
    o.binds = 2;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 2;
    event_del(peer.ev_accept);
    make(o, &all_events);
    for (int i = 0; i < 2; i++) {
        peer.accepted = 0;
        while (peer.accepted == 0) {
            event_base_loop(base, EVLOOP_ONCE);
            peer_accept_cb(peer.listen_fd, 0, &peer);
        }
        struct wire bind = peer_expect(&peer, 9, 0);
        PEER_SAYS(&peer, 0x80000009, 0, bind.sequence, "smsc");
        if (i == 0) {
            UNTIL(base, state_of(0) == SMPP_BOUND || state_of(1) == SMPP_BOUND);
            take_aside();
        }
    }
    UNTIL(base, state_of(0) == SMPP_BOUND && state_of(1) == SMPP_BOUND);
    event_add(peer.ev_accept, NULL);
}

static void messages_go_to_the_bind_with_the_most_room(void **state)
{
    (void)state;
    bind_both((struct smpp_carrier_options){.window = 2});
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(submit(i), 0);
    assert_int_equal(in_flight(0), 2);
    assert_int_equal(in_flight(1), 2);
    drop_second();
}

static void an_unbinding_bind_gets_nothing_more(void **state)
{
    (void)state;
    bind_both((struct smpp_carrier_options){.window = 2});
    PEER_SAY0(&second, 6, 0, 1);
    peer_expect(&second, 0x80000006, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(submit(i), 0);
    answer(0);
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(second.at, second.len);
    drop_second();
}

static void what_a_blocked_bind_did_not_send_goes_out_through_the_other(void **state)
{
    (void)state;
    shrink_receive_buffers();
    bind_both((struct smpp_carrier_options){.window = MANY / 2, .max_queue = MANY});
    event_del(second.ev_read);
    shrink_send_buffers();
    unsigned n = 0;
    while (n < MANY / 2) { /* far more than half of it would fit in the kernel */
        for (int i = 0; i < 250; i++)
            assert_int_equal(submit(n++), 0);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    while (in_flight(0) && in_flight(1)) {
        if (peer_has_pdu(&peer))
            answer(0);
        else
            event_base_loop(base, EVLOOP_ONCE);
    }
    uint32_t left = in_flight(0) + in_flight(1);
    UNTIL(base, n_done == n - left);
    assert_true(left > 0 && left < n / 2);
    event_add(second.ev_read, NULL);
    for (uint32_t i = 0; i < left; i++) {
        struct wire w = peer_expect(&second, SUBMIT, 0);
        PEER_SAYS(&second, SUBMIT_RESP, 0, w.sequence, "id-2");
    }
    UNTIL(base, n_done == n);
    for (unsigned i = 0; i < n; i++)
        assert_true(fates[i].calls == 1 && fates[i].outcome == SMPP_ACCEPTED);
    drop_second();
}

static void a_lost_bind_does_not_touch_what_the_other_has(void **state)
{
    (void)state;
    bind_both((struct smpp_carrier_options){.window = 1});
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit(1), 0);
    assert_int_equal(submit(2), 0);
    peer_expect(&second, SUBMIT, 0);
    event_del(peer.ev_accept); /* the lost bind must not come back in place of the other */
    drop_second();
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].calls + fates[1].calls, 1);
    assert_int_equal(fates[fates[1].calls].outcome, SMPP_UNKNOWN);
    answer(0);
    answer(0);
    UNTIL(base, n_done == 3);
    assert_int_equal(fates[2].outcome, SMPP_ACCEPTED);
}

/* --- deliveries --- */

static void say_receipt(uint32_t sequence)
{
    peer_say(&peer, 5, 0, sequence, RECEIPT_BODY, sizeof RECEIPT_BODY - 1);
}

static void a_receipt_is_told_and_answered_only_when_done(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    say_receipt(9);
    UNTIL(base, n_receipts == 1);
    assert_string_equal(receipt_id, "77");
    assert_int_equal(receipt.state, 2);
    peer_sync(&peer); /* no answer yet */
    smpp_delivery_done(carrier, handle, 0);
    assert_int_equal(peer_expect(&peer, 0x80000005, 0).sequence, 9);
    struct smpp_bind_info info;
    smpp_carrier_bind_info(carrier, 0, &info);
    assert_int_equal(info.receipts, 1);
}

static void a_mobile_originated_message_is_told_apart(void **state)
{
    (void)state;
    static const char body[] = "\0\1\1"
                               "123\0"
                               "\1\1"
                               "456\0"
                               "\0\0\0\0\0\0\0\0\0\5hello";
    bound((struct smpp_carrier_options){.window = 1});
    peer_say(&peer, 5, 0, 9, body, sizeof body - 1);
    assert_int_equal(peer_expect(&peer, 0x80000005, 0).sequence, 9);
    assert_int_equal(n_mo, 1);
    assert_int_equal(n_receipts, 0);
}

static void without_takers_receipts_are_put_off_and_messages_refused(void **state)
{
    (void)state;
    static const struct smpp_events none;
    static const char body[] = "\0\1\1"
                               "123\0"
                               "\1\1"
                               "456\0"
                               "\0\0\0\0\0\0\0\0\0\5hello";
    make((struct smpp_carrier_options){.window = 1}, &none);
    bind_up();
    say_receipt(9);
    peer_expect(&peer, 0x80000005, 0x64);
    peer_say(&peer, 5, 0, 10, body, sizeof body - 1);
    peer_expect(&peer, 0x80000005, 0x66);
}

/* --- the end --- */

static void a_drain_waits_for_answers_fails_the_queue_and_tells_once(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit(1), 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    smpp_carrier_drain(carrier, on_drained, NULL);
    assert_int_equal(n_done, 0);
    assert_int_equal(submit(2), ERR_CLOSED);
    assert_false(smpp_carrier_is_ready(carrier));
    answer(0);
    UNTIL(base, n_done == 2);
    assert_int_equal(fates[0].outcome, SMPP_ACCEPTED);
    assert_int_equal(fates[1].outcome, SMPP_NOT_SENT);
    struct wire w = peer_expect(&peer, 6, 0);
    assert_int_equal(n_drained, 0);
    PEER_SAY0(&peer, 0x80000006, 0, w.sequence);
    UNTIL(base, n_drained == 1);
    assert_int_equal(state_of(0), SMPP_CLOSED);
    smpp_carrier_free(carrier);
    carrier = NULL;
    assert_int_equal(n_drained, 1);
}

static void a_message_that_is_throttled_while_draining_ends_at_once(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    assert_int_equal(submit(0), 0);
    smpp_carrier_drain(carrier, on_drained, NULL);
    answer(0x58);
    UNTIL(base, n_done == 1);
    assert_int_equal(fates[0].outcome, SMPP_THROTTLED_OUT);
    peer_expect(&peer, 6, 0);
}

static void a_drain_without_a_bound_bind_ends_in_the_next_turn(void **state)
{
    (void)state;
    make((struct smpp_carrier_options){.binds = 2}, &all_events);
    smpp_carrier_drain(carrier, on_drained, NULL);
    assert_int_equal(n_drained, 0);
    UNTIL(base, n_drained == 1);
    assert_int_equal(state_of(1), SMPP_CLOSED);
}

static void freeing_ends_everything_outstanding_before_it_returns(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 2, .max_queue = 5});
    assert_int_equal(submit(0), 0);
    peer_expect(&peer, SUBMIT, 0);
    for (unsigned i = 1; i < 5; i++)
        assert_int_equal(submit(i), 0); /* 1 is in the output, the others in the queue */
    say_receipt(4);
    UNTIL(base, n_receipts == 1);
    assert_int_equal(submit(5), 0);
    n_states = 0;
    smpp_carrier_drain(carrier, on_drained, NULL);
    smpp_carrier_free(carrier);
    smpp_carrier_free(carrier); /* the memory is still there in this turn */
    carrier = NULL;
    assert_int_equal(n_done, 6);
    assert_int_equal(n_drained, 1);
    assert_int_equal(n_states, 0);
    assert_int_equal(fates[0].outcome, SMPP_UNKNOWN);
    for (int i = 2; i < 6; i++)
        assert_int_equal(fates[i].outcome, SMPP_NOT_SENT);
    for (int i = 0; i < 6; i++)
        assert_int_equal(fates[i].calls, 1);
}

static void submit_overdue(void)
{
    if (n_done < 3)
        assert_int_equal(submit_by(n_done, -1), 0);
}

static void an_overdue_message_put_inside_an_outcome_is_not_sent(void **state)
{
    (void)state;
    bound((struct smpp_carrier_options){.window = 1});
    in_outcome = submit_overdue;
    assert_int_equal(submit(0), 0);
    answer(0);
    UNTIL(base, n_done == 3);
    peer_sync(&peer); /* no submit_sm has come */
    assert_int_equal(fates[1].outcome, SMPP_NOT_SENT);
    assert_int_equal(fates[2].outcome, SMPP_NOT_SENT);
}

static void free_it(void)
{
    in_outcome = NULL;
    smpp_carrier_free(carrier);
    assert_int_equal(n_done, 3);
}

static void free_with_three(uint32_t status)
{
    bound((struct smpp_carrier_options){.window = 2});
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(i), 0);
    in_outcome = free_it;
    if (status == UINT32_MAX) {
        peer_expect(&peer, SUBMIT, 0);
        peer_hang_up(&peer, true);
    } else {
        answer(status);
    }
    UNTIL(base, n_done > 0);
    carrier = NULL;
    assert_int_equal(n_done, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fates[i].calls, 1);
    event_base_loop(base, EVLOOP_ONCE);
}

static void a_carrier_may_be_freed_inside_the_outcome_of_an_answer(void **state)
{
    (void)state;
    free_with_three(0x0b);
}

static void a_carrier_may_be_freed_inside_the_outcome_of_a_loss(void **state)
{
    (void)state;
    free_with_three(UINT32_MAX);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    make((struct smpp_carrier_options){.binds = 17}, &all_events);
    assert_null(carrier);
    make((struct smpp_carrier_options){.window = 10001}, &all_events);
    assert_null(carrier);
    make((struct smpp_carrier_options){.system_type = "thirteen-long"}, &all_events);
    assert_null(carrier);
    make((struct smpp_carrier_options){.backoff_min_ms = 5, .backoff_max_ms = 4}, &all_events);
    assert_null(carrier);
}

static void q24_rules_are_copied_and_what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    static struct smpp_stat_rule states[SMPP_STAT_RULES_MAX + 1];
    static struct smpp_error_rule errors[SMPP_ERROR_RULES_MAX + 1];
    struct smpp_carrier_options o = {.receipt_states = states,
                                     .n_receipt_states = SMPP_STAT_RULES_MAX + 1};
    make(o, &all_events);
    assert_null(carrier);
    o.n_receipt_states = SMPP_STAT_RULES_MAX;
    states[3].state = 10;
    make(o, &all_events);
    assert_null(carrier);
    states[3].state = 9;
    o.receipt_errors = errors;
    o.n_receipt_errors = SMPP_ERROR_RULES_MAX + 1;
    make(o, &all_events);
    assert_null(carrier);
    o.n_receipt_errors = SMPP_ERROR_RULES_MAX;
    strcpy(errors[5].err, "069");
    strcpy(errors[5].text, "absent");
    make(o, &all_events);
    assert_non_null(carrier);
    memset(errors, 'x', sizeof errors);
    assert_string_equal(smpp_carrier_error_text(carrier, "069"), "absent");
    assert_null(smpp_carrier_error_text(carrier, "69"));
    assert_null(smpp_carrier_error_text(carrier, ""));
}

static void no_log_line_shows_password_text_or_number(void **state)
{
    (void)state;
    static char text[65536];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
    assert_true(n > 1000);
    assert_non_null(strstr(text, "event=bind_state carrier=acme bind=0 from=BINDING to=BOUND"));
    assert_null(strstr(text, "secret08"));
    assert_null(strstr(text, "739201"));
    assert_null(strstr(text, "38591234567"));
    assert_null(strstr(text, "bind_state_illegal"));
}

/* Reads by way of the kernel, so that memory checkers do not mind. */
static bool range_holds(int mem, size_t from, size_t to, const char *pin)
{
    char part[65536]; /* on the stack, which is not searched */
    ssize_t n;
    for (size_t at = from; at < to; at += (size_t)n - 5) {
        size_t want = to - at < sizeof part ? to - at : sizeof part;
        n = pread(mem, part, want, (off_t)at);
        if (n < 6)
            return false;
        if (memmem(part, (size_t)n, pin, 6))
            return true;
    }
    return false;
}

/* Does the heap or other anonymous memory hold the PIN of the test? */
static bool memory_holds_the_pin(void)
{
    char pin[6], line[512];
    size_t from, to;
    for (int i = 0; i < 6; i++) /* put together here, so that it is not found in this program */
        pin[i] = (char)("6281/0"[i] + 1);
    int mem = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;
    while (!found && fgets(line, sizeof line, maps)) {
        bool heap = strstr(line, "[heap]") != NULL;
        bool anonymous = strchr(line, '/') == NULL && strchr(line, '[') == NULL;
        if (strstr(line, " rw-p ") && (heap || anonymous) &&
            sscanf(line, "%zx-%zx", &from, &to) == 2 && to - from < (64u << 20))
            found = range_holds(mem, from, to, pin);
    }
    fclose(maps);
    close(mem);
    return found;
}

static bool a_memory_checker_is_here(void)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        found = found || strstr(line, "vgpreload") || strstr(line, "libasan");
    fclose(maps);
    return found;
}

static void the_text_of_a_message_is_gone_when_it_has_ended(void **state)
{
    (void)state;
    if (a_memory_checker_is_here())
        skip(); /* it keeps what was freed */
    bound((struct smpp_carrier_options){.window = 1});
    assert_false(memory_holds_the_pin());
    assert_int_equal(submit(0), 0);
    assert_int_equal(submit(1), 0);
    assert_true(memory_holds_the_pin());
    answer(0x0b);
    answer(0);
    UNTIL(base, n_done == 2);
    memset(peer.in, 0, peer.len);
    assert_false(memory_holds_the_pin());
}

static int open_log(void **state)
{
    (void)state;
    log_fd = mkstemp(log_path);
    log_set_fd(log_fd);
    return log_fd < 0;
}

static int close_log(void **state)
{
    (void)state;
    close(log_fd);
    return unlink(log_path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_text_of_a_message_is_gone_when_it_has_ended),
        T(a_message_goes_out_as_submit_sm_and_comes_back_accepted),
        T(a_message_without_a_life_has_no_validity_period),
        T(the_messaging_mode_stands_in_esm_class),
        T(without_a_bound_bind_nothing_is_taken),
        T(what_cannot_be_sent_is_refused_at_once),
        T(messages_wait_for_room_up_to_the_bound_of_the_queue),
        T(the_most_urgent_of_those_that_wait_goes_first),
        T(a_message_that_waited_too_long_was_not_sent),
        T(an_overdue_message_is_not_sent_though_there_is_room),
        T(a_callback_that_submits_what_is_overdue_does_not_hold_the_loop),
        T(a_callback_may_submit_again),
        T(a_throttled_message_tries_again_and_is_accepted),
        T(one_throttled_message_does_not_hold_up_the_others),
        T(a_message_that_is_throttled_until_its_deadline_says_so),
        T(a_late_answer_is_told_with_the_argument_of_its_submit),
        T(what_waits_survives_a_lost_connection),
        T(what_is_still_here_when_the_peer_unbinds_is_not_sent_there),
        T(not_sent_means_that_not_one_octet_left),
        T(a_blocked_connection_goes_on_when_the_peer_reads_again),
        T(a_full_output_goes_on_after_the_turn),
        T(messages_go_to_the_bind_with_the_most_room),
        T(an_unbinding_bind_gets_nothing_more),
        T(what_a_blocked_bind_did_not_send_goes_out_through_the_other),
        T(a_lost_bind_does_not_touch_what_the_other_has),
        T(a_receipt_is_told_and_answered_only_when_done),
        T(a_mobile_originated_message_is_told_apart),
        T(without_takers_receipts_are_put_off_and_messages_refused),
        T(a_drain_waits_for_answers_fails_the_queue_and_tells_once),
        T(a_message_that_is_throttled_while_draining_ends_at_once),
        T(a_drain_without_a_bound_bind_ends_in_the_next_turn),
        T(freeing_ends_everything_outstanding_before_it_returns),
        T(an_overdue_message_put_inside_an_outcome_is_not_sent),
        T(a_carrier_may_be_freed_inside_the_outcome_of_an_answer),
        T(a_carrier_may_be_freed_inside_the_outcome_of_a_loss),
        T(options_out_of_range_are_refused),
        T(q24_rules_are_copied_and_what_is_out_of_range_is_refused),
        cmocka_unit_test(no_log_line_shows_password_text_or_number),
    };
    return cmocka_run_group_tests(tests, open_log, close_log);
}
