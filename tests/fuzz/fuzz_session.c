/*
 * A whole carrier under a hostile operator: binds, windows, rates, receipts, orders by hand and
 * draining as they are, over socket pairs, on a clock that stands still until the input says that
 * time passes.  The input is the script of both sides: what the peer writes and when it closes, and
 * what the user of the library asks for, also inside callbacks.
 *
 * What must hold: each accepted message has one outcome, and the one that the wire bears out; no
 * place in a window or in the queue is lost; the counters of a bind add up; each request of the
 * peer has one answer; what pinbind writes is whole and in order (session_peer.h); a drain ends in
 * its time, as a bind does that is taken down or restarted; nothing spins while nothing happens.
 *
 * In place of smpp_dial.c stands session_dial.h.
 */
#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "smpp/smpp_carrier.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>

#include "session_clock.h"
#include "session_judge.h"
#include "session_says.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX    256
#define OPS_MAX     400
#define IDLE_TURNS  64 /* without an octet moved, until it counts as spinning */
#define RESPONSE_MS 60
#define UNBIND_MS   20
#define LONGEST_MS  300 /* of the deadline of a message */

/* of the first octet of the input */
enum { TIGHT = 1, BINDS_ITSELF = 2, ANSWERS_ITSELF = 4, LOGS = 8, RESOLVES = 16 };
/* how it ends */
enum { END_FREE, END_DRAIN, END_SILENCE, END_CALM };
/* what the next callback does */
enum { NOTHING, SUBMITS, DELIVERS, DRAINS, UPDATES, OPERATES, FREES };

static struct {
    struct event_base *base;
    struct reap *reap;
    uint8_t flags;
    struct smpp_carrier *carrier;
    struct smpp_carrier_options options;
    bool is_freed, is_draining, is_drained, in_callback;
    uint8_t mischief;
    uint64_t lates;
    struct smpp_delivery held[HELD_MAX];
    size_t n_held, held_most;
} t;

/* --- the user of the library ------------------------------------------------------------------ */

static void misbehave(void);

static void submit_cb(void *arg, const struct smpp_result *r)
{
    struct message *m = arg;
    MUST(m->is_accepted && !m->in_submit && m->outcomes == 0);
    m->outcomes++;
    m->outcome = r->outcome;
    m->parts = r->parts;
    MUST(r->parts >= 1 && r->parts <= m->segments && r->part < r->parts && r->part_ids);
    MUST(smpp_outcome_name(r->outcome)[0] != '?' && r->reason);
    MUST((r->outcome == SMPP_ACCEPTED || r->outcome == SMPP_REFUSED) == (r->rtt_us >= 0));
    misbehave();
}

static void ask_cb(void *arg, const struct smpp_ask_result *r)
{
    struct message *m = arg;
    MUST(m->is_accepted && !m->in_submit && m->outcomes == 0);
    m->outcomes++;
    m->asked = r->outcome;
    MUST(smpp_ask_outcome_name(r->outcome)[0] != '?' && r->reason);
    misbehave();
}

static void late_cb(void *arg, struct smpp_carrier *c, void *submit_arg,
                    const struct smpp_result *r)
{
    (void)arg;
    struct message *m = submit_arg;
    MUST(c == t.carrier && !t.is_freed);
    MUST(m->outcomes == 1 && m->outcome == SMPP_UNKNOWN);
    MUST(r->outcome == SMPP_ACCEPTED || r->outcome == SMPP_REFUSED);
    MUST(r->parts == m->parts && r->part < r->parts && r->part_ids);
    t.lates++;
    misbehave();
}

static void state_cb(void *arg, const struct smpp_bind_event *e)
{
    static const unsigned may_follow[] = {
#define MS(option)                           0
#define TO(state)                            (1u << SMPP_##state)
#define SMPP_STATE(name, bound, takes, next) [SMPP_##name] = (next),
#include "smpp/smpp_state.def"
    };
    (void)arg;
    MUST(!t.is_freed && may_follow[e->from] & 1u << e->to);
    misbehave();
}

static void hold(struct smpp_delivery handle)
{
    MUST(!t.is_freed && t.n_held < HELD_MAX);
    t.held[t.n_held++] = handle;
    if (t.n_held > t.held_most)
        t.held_most = t.n_held;
    if (t.n_held == HELD_MAX)
        smpp_delivery_done(t.carrier, t.held[--t.n_held], 0);
    misbehave();
}

static void receipt_cb(void *arg, struct smpp_carrier *c, const struct smpp_receipt *r,
                       struct smpp_delivery handle)
{
    (void)arg;
    (void)c;
    MUST(r->state >= -1 && r->state <= 9);
    hold(handle);
}

static void mo_cb(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    (void)arg;
    (void)c;
    MUST(!mo->text.p || strlen(mo->text.p) <= mo->text.len);
    MUST(mo->parts >= 1 && mo->missing < mo->parts && mo->is_complete == (mo->missing == 0));
    hold(handle);
}

static const struct smpp_events events = {
    .state_cb = state_cb, .receipt_cb = receipt_cb, .mo_cb = mo_cb, .late_cb = late_cb};

static void drained_cb(void *arg)
{
    (void)arg;
    MUST(t.is_draining && !t.is_drained);
    t.is_drained = true;
    misbehave();
}

static void check_full(int err)
{
    struct smpp_carrier_info info;
    smpp_carrier_info(t.carrier, &info);
    MUST(err != ERR_FULL || info.queued >= t.options.max_queue);
}

static void submit(void)
{
    static const char *const senders[] = {NULL, "ACME", "+38591234567", "12345", "", "too\1bad"};
    char to[16];
    const uint8_t *text;
    uint8_t how = octet(), life = octet();
    size_t len = take(&text, octet());
    if (how & 128)
        len = long_text(&text, life % 8);
    if (n_messages == MSGS_MAX || t.is_freed)
        return;
    struct message *m = &messages[n_messages];
    snprintf(to, sizeof to, "%u", MSG_BASE + n_messages++);
    struct smpp_message message = {.source = senders[how % 6],
                                   .destination = to,
                                   .text = (const char *)text,
                                   .text_len = len,
                                   .validity_ms = how & 64 ? life * 1000 : 0,
                                   .deadline = {now_us + life % LONGEST_MS * 1000},
                                   .max_segments = how & 128 ? SMPP_SEGMENTS_MAX : 1};
    *m = (struct message){.in_submit = true, .is_accepted = true};
    m->segments = (uint32_t)smpp_text_segments((const char *)text, len, t.options.alphabet);
    bool is_ready = smpp_carrier_is_ready(t.carrier);
    int err = smpp_submit(t.carrier, &message, submit_cb, m);
    MUST(err <= 0);
    MUST(is_ready ? err != ERR_FULL && err != ERR_UNAVAILABLE && err != ERR_CLOSED : err);
    MUST(err || m->segments <= message.max_segments);
    check_full(err);
    MUST(!err || m->outcomes == 0);
    m->in_submit = false;
    m->is_accepted = !err;
}

static void deliver(size_t at, uint32_t status)
{
    if (t.n_held == 0 || t.is_freed)
        return;
    at %= t.n_held;
    struct smpp_delivery handle = t.held[at];
    t.held[at] = t.held[--t.n_held];
    smpp_delivery_done(t.carrier, handle, status);
}

static void update(void)
{
    struct smpp_carrier_options o = t.options;
    o.window = octet() % 8;
    o.rate = octet() & 1 ? octet() : 0;
    o.response_timeout_ms = RESPONSE_MS - octet() % 30;
    if (!t.is_freed && smpp_carrier_prepare(t.carrier, &o) == 0 && octet() & 1)
        smpp_carrier_update(t.carrier);
}

static void drain(void)
{
    if (t.is_freed)
        return;
    if (t.is_draining) {
        smpp_carrier_drain(t.carrier, NULL, NULL);
        return;
    }
    t.is_draining = true;
    smpp_carrier_drain(t.carrier, drained_cb, NULL);
    MUST(!t.is_drained);
}

static void operate(void)
{
    uint8_t row = octet(), action = octet();
    if (!t.is_freed)
        MUST(smpp_carrier_act(t.carrier, row % smpp_carrier_bind_count(t.carrier), action % 4));
}

/* What became of a message that had been accepted. */
static void ask(void)
{
    char id[8];
    uint8_t how = octet();
    struct smpp_message_ref ref = {.message_id = id, .destination = "38591234567"};
    if (n_asks == ASKS_MAX || t.is_freed)
        return;
    struct message *m = &asks[n_asks];
    snprintf(id, sizeof id, "%u", n_asks++);
    *m = (struct message){.in_submit = true, .is_accepted = true};
    int err = (how & 1 ? smpp_query : smpp_cancel)(t.carrier, &ref, ask_cb, m);
    MUST(err <= 0);
    m->in_submit = false;
    m->is_accepted = !err;
}

static void check_ended(void)
{
    for (uint32_t i = 0; i < n_asks; i++)
        MUST(asks[i].outcomes == asks[i].is_accepted);
    for (uint32_t i = 0; i < n_messages; i++)
        MUST(messages[i].outcomes == messages[i].is_accepted);
}

static void set_free(void)
{
    if (t.is_freed)
        return;
    smpp_carrier_free(t.carrier);
    t.is_freed = true;
}

static void misbehave(void)
{
    uint8_t what = t.mischief;
    t.mischief = NOTHING;
    if (what == SUBMITS)
        submit();
    else if (what == DELIVERS)
        deliver(0, 0);
    else if (what == DRAINS)
        drain();
    else if (what == UPDATES)
        update();
    else if (what == OPERATES)
        operate();
    else if (what == FREES)
        set_free();
}

/* --- turns ------------------------------------------------------------------------------------ */

static bool move_lines(void)
{
    bool moved = false;
    dialled.budget = dialled.chop;
    for (size_t i = 0; i < peer.n_lines; i++) {
        if (peer.lines[i].fd < 0)
            continue;
        answer_by_itself(&peer.lines[i], t.flags & BINDS_ITSELF, t.flags & ANSWERS_ITSELF);
        moved |= line_move(&peer.lines[i]);
    }
    return moved;
}

/* Every message is somewhere, and what was counted adds up. */
static void check_counts(void)
{
    struct smpp_carrier_info all;
    uint64_t open = 0, in_flight = 0, submits = 0, ended = 0;
    if (t.is_freed)
        return;
    for (uint32_t i = 0; i < n_messages; i++)
        open += messages[i].is_accepted && !messages[i].outcomes;
    for (uint32_t i = 0; i < smpp_carrier_bind_count(t.carrier); i++) {
        struct smpp_bind_info b;
        smpp_carrier_bind_info(t.carrier, i, &b);
        in_flight += b.in_flight;
        submits += b.submits;
        ended += b.responses + b.in_doubt;
        MUST(b.state == SMPP_BOUND || b.state == SMPP_UNBINDING || b.in_flight == 0);
        MUST(b.errors + b.throttled <= b.responses);
        MUST(!b.turned_away || t.held_most >= t.options.max_deliveries ||
             strcmp(b.mode, "transmitter") == 0);
    }
    smpp_carrier_info(t.carrier, &all);
    MUST(open == in_flight + all.queued);
    MUST(submits == ended + in_flight - t.lates);
}

/* Until nothing happens any more at this point of time. */
static void turn(void)
{
    bool is_quiet = false;
    for (int idle = 0; idle < IDLE_TURNS && !is_quiet; idle++) {
        uint64_t reads = clock_reads;
        bool moved = move_lines();
        event_base_loop(t.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
        moved |= dialled.budget < dialled.chop;
        moved |= move_lines();
        is_quiet = !moved && reads == clock_reads && idle > 1;
        if (moved)
            idle = 0;
    }
    MUST(is_quiet);
    check_counts();
}

static void pass(int64_t ms)
{
    now_us += ms * 1000;
    turn();
}

/* --- the script ------------------------------------------------------------------------------- */

/* 1, 2, 4 ... 64 ms, or long enough for all that waits. */
static void pass_some(void)
{
    uint8_t how = octet() % 8;
    pass(how < 7 ? 1 << how : 400);
}

static void run_user(uint8_t op)
{
    switch (op) {
    case 0:
        submit();
        break;
    case 1:
        ask();
        break;
    case 2:
        deliver(octet(), statuses[octet() % N_STATUSES]);
        break;
    case 3:
        t.mischief = octet() % (FREES + 1);
        break;
    case 4:
        update();
        break;
    case 5:
        drain();
        break;
    case 6:
        turn();
        break;
    case 7:
        operate();
        break;
    default:
        pass_some();
    }
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* False: the options do not go together. */
static bool begin(void)
{
    static const char *const hosts[] = {"127.0.0.1", "name.example", "::1"};
    static const struct secret password = {(uint8_t *)(uintptr_t) "secret", 6};
    uint8_t a = octet(), b = octet(), c = octet(), d = octet();
    t.options = (struct smpp_carrier_options){.name = "acme",
                                              .port = 2775,
                                              .mode = d & 3,
                                              .interface_version = d & 4   ? 0x33
                                                                   : d & 8 ? 0x50
                                                                           : 0x34,
                                              .user_message_reference = d & 16,
                                              .messaging_mode = d >> 6,
                                              .long_message = c & 128  ? SMPP_LONG_PAYLOAD
                                                              : d & 32 ? SMPP_LONG_SAR
                                                                       : SMPP_LONG_UDH,
                                              .system_id = "pinbind",
                                              .password = &password,
                                              .hosts = hosts + (a & 1),
                                              .n_hosts = 1 + (a >> 1 & 1),
                                              .binds = 1 + (a >> 2 & 1),
                                              .window = 1 + (a >> 3 & 7),
                                              .max_queue = 1 + (a >> 6) * 4,
                                              .max_deliveries = 1 + b % 8,
                                              .rate = b & 8 ? 1 + b / 4u : 0,
                                              .rate_per_bind = b & 16 ? 40 : 0,
                                              .source = "ACME",
                                              .source_ton = -1,
                                              .source_npi = -1,
                                              .dest_ton = 1,
                                              .dest_npi = 1,
                                              .alphabet = c % 5,
                                              .mo_age_ms = 100,
                                              .strip_trailing_nul = c & 32,
                                              .validity = c / 4 % 3,
                                              .registered_delivery = 1,
                                              .receipt_without_esm_class = c & 64,
                                              .enquire_link_ms = 50,
                                              .response_timeout_ms = RESPONSE_MS,
                                              .connect_timeout_ms = 30,
                                              .bind_timeout_ms = 40,
                                              .unbind_timeout_ms = UNBIND_MS,
                                              .backoff_min_ms = 4,
                                              .backoff_max_ms = 40,
                                              .backoff_credentials_ms = 100,
                                              .backoff_bound_min_ms = 20,
                                              .backoff_bound_max_ms = 80,
                                              .throttle_ms = 10};
    t.carrier = smpp_carrier_new(t.base, t.reap, (struct evdns_base *)(uintptr_t)&t, &t.options,
                                 &events);
    return t.carrier != NULL;
}

/* Each request that the peer wrote on a connection that stands has its answer. */
static void check_answers(void)
{
    while (t.n_held && !t.is_freed) { /* each turn may bring more */
        while (t.n_held)
            deliver(0, 0);
        turn();
    }
    for (size_t i = 0; i < peer.n_lines; i++) {
        struct line *l = &peer.lines[i];
        if (l->fd >= 0 && !l->is_over && !l->is_broken && l->tx_sent == l->tx_len)
            MUST(l->n_ours == 0);
    }
}

/* What was taken down or restarted is, in its time. */
static void check_operated(void)
{
    for (int ms = 0; ms <= RESPONSE_MS + 2 * UNBIND_MS; ms += 5)
        pass(5);
    for (uint32_t i = 0; !t.is_freed && i < t.carrier->n_links; i++) {
        const struct smpp_link *l = t.carrier->links[i];
        MUST(l->session.state != SMPP_BOUND || !l->session.draining);
        MUST(!l->is_down || l->session.state == SMPP_IDLE || l->session.state == SMPP_CLOSED);
    }
}

static void be_silent(void)
{
    dialled.plan = DIAL_FAILS;
    for (size_t i = 0; i < peer.n_lines; i++)
        line_close(&peer.lines[i]);
    for (int i = 0; i < 8; i++)
        pass(LONGEST_MS / 4);
    check_ended();
}

static void end_calmly(void)
{
    dialled.chop = 0;
    for (size_t i = 0; i < peer.n_lines; i++) {
        peer.lines[i].is_deaf = false;
        peer.lines[i].piece = 0;
    }
    turn();
    check_answers();
    check_operated();
}

static void finish(uint8_t how)
{
    t.mischief = NOTHING;
    if (how == END_SILENCE) {
        be_silent();
    } else if (how == END_CALM) {
        end_calmly();
    } else if (how == END_DRAIN && !t.is_freed) {
        drain();
        for (int ms = 0; ms <= RESPONSE_MS + 2 * UNBIND_MS; ms += 5)
            pass(5);
        MUST(t.is_drained || t.is_freed);
        check_ended();
    }
    set_free();
    check_ended();
    MUST(!t.is_draining || t.is_drained);
}

static void clear(void)
{
    pass(1); /* the reap list */
    for (size_t i = 0; i < peer.n_lines; i++)
        line_close(&peer.lines[i]);
    if (dialled.hung >= 0)
        close(dialled.hung);
    MUST(!dialled.lookup);
    MUST(event_base_get_num_events(t.base, EVENT_BASE_COUNT_ADDED) == 0);
}

static void start(void)
{
    static const struct clock_source source = {mono_us, virtual_wall_us};
    clock_set_source(&source);
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    t.base = event_base_new();
    t.reap = reap_new(t.base);
    MUST(t.base && t.reap);
}

static void reset(const uint8_t *data, size_t size)
{
    struct event_base *base = t.base;
    struct reap *reap = t.reap;
    memset(&t, 0, sizeof t);
    memset(messages, 0, n_messages * sizeof messages[0]);
    memset(asks, 0, n_asks * sizeof asks[0]);
    memset(peer.seen, 0, n_messages * sizeof peer.seen[0]);
    memset(peer.asks, 0, n_asks * sizeof peer.asks[0]);
    peer.n_lines = n_messages = n_asks = 0;
    t.base = base;
    t.reap = reap;
    dialled.plan = DIAL_OK;
    dialled.chop = 0;
    dialled.hung = -1;
    input.line = 0;
    input.p = data;
    input.end = data + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!t.base)
        start();
    if (size < 8)
        return 0;
    reset(data, size);
    t.flags = octet();
    uint8_t how = octet() % (END_CALM + 1);
    dialled.resolves = t.flags & RESOLVES;
    dialled.tight = t.flags & TIGHT;
    log_set_level(t.flags & LOGS ? LOG_LV_DEBUG : LOG_LV_ERROR);
    if (!begin())
        return 0;
    turn();
    for (int i = 0; i < OPS_MAX && input.p < input.end; i++) {
        uint8_t op = octet() % 21;
        if (op < 12)
            run_peer(op, line());
        else
            run_user(op - 12);
    }
    turn();
    finish(how);
    clear();
    judge_messages();
    judge_asks();
    return 0;
}
