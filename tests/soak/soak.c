/*
 * soak [path of pinbind-smsc]: see soak.h.  SOAK_MESSAGES (default 1000000) and SOAK_SECONDS (when
 * to give up, default 1800) come from the environment.  Prints a table; exit status 1: something
 * does not add up.
 */
#include "base/log.h"
#include "base/reap.h"
#include "smpp/smpp.h"
#include "tests/soak/peers.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NODE            (SOAK_PEERS - 1)
#define LONG_AS_PAYLOAD 2   /* the carrier that sends them in one submit_sm */
#define NODE_SHARE      40  /* one message in so many goes to node-smpp */
#define QUIRKY          4   /* one of so many there asks for a quirk */
#define HURRIED         200 /* one in so many has SHORT_MS to be written */
#define SHORT_MS        20
#define PATIENT_MS      30000
#define LONG            50    /* one in so many has several segments */
#define AHEAD_MAX       20000 /* messages that a carrier may have had more than another */
#define STOP_EACH_MS    5000  /* a peer is stopped, and goes on after STOPPED_MS at most */
#define STOPPED_MS      4500
#define SETTLE_MS       300
#define SETTLE_TURNS    12   /* without a receipt, until all that can come have come */
#define GROWTH_MAX_KB   4096 /* of resident memory, from WARM messages to the end */
#define WARM_SHARE      5    /* a fifth of the messages */

static struct {
    struct event_base *base;
    struct reap *reap;
    struct smpp_carrier *carriers[SOAK_PEERS];
    struct event *ev_more, *ev_stop, *ev_go, *ev_settle, *ev_give_up;
    struct soak_book *book;
    uint32_t submitted, ended;
    uint64_t outcomes[SMPP_NOT_SENT + 1], late, late_of[SOAK_PEERS], receipts[SOAK_PEERS],
        given[SOAK_PEERS], long_unknown[SOAK_PEERS];
    uint64_t mo, state_changes, seen_last;
    size_t next, stopped;
    int quiet_turns, drained;
    long warm_kb, end_kb;
    bool gave_up;
    struct mono started, finished;
} t;

static const char *const names[SOAK_PEERS] = {"alpha", "bravo", "charlie", "node"};

/* --- the checks ------------------------------------------------------------------------------ */

static int failures;

static void check(bool good, const char *what, uint64_t a, uint64_t b)
{
    if (!good) {
        printf("  DOES NOT ADD UP: %s (%" PRIu64 ", %" PRIu64 ")\n", what, a, b);
        failures++;
    }
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* --- messages --------------------------------------------------------------------------------- */

static void more(void);

static void outcome_cb(void *arg, const struct smpp_result *r)
{
    struct soak_message *m = arg;
    m->outcomes++;
    m->outcome = (uint8_t)r->outcome;
    t.outcomes[r->outcome]++;
    t.long_unknown[m->carrier] += r->outcome == SMPP_UNKNOWN && m->parts > 1;
    if (++t.ended == t.book->n_messages / WARM_SHARE)
        t.warm_kb = resident_kb();
    if (t.ended == t.book->n_messages)
        event_add(t.ev_settle, &(struct timeval){0, SETTLE_MS * 1000});
    else
        more();
}

#define SENTENCE  "This text is longer than a single short message would be able to carry at once. "
#define LONG_TEXT SENTENCE SENTENCE SENTENCE

static const char *text_for(uint32_t n, size_t carrier)
{
    static const char *const quirks[] = {
        "q:nobody",   "q:emptyid",   "q:longid",     "q:noterm",      "q:noresp",
        "q:lateresp", "q:dupresp",   "q:wrongseq",   "q:rsyserr",     "q:rinvdstadr",
        "q:nack",     "q:vendorerr", "q:unknowncmd", "q:unknownresp", "q:elinkflood",
        "q:alert",    "q:outbind",   "q:coalesce",   "q:respslow",    "q:dlrfirst",
        "q:dlr2",     "q:dlrdup",    "q:dlrvendor",  "q:dlrbadtlv",   "q:dlrnul",
        "q:dlrbin",   "q:dlrdata",   "q:dlrpayload", "q:dlrtlv",      "q:dlrunknown",
        "q:mo",       "q:molong",    "q:mosar",      "q:mopayload",   "q:congest",
        "q:unbind",   "q:close",     "q:rst"};
    if (carrier == NODE && n % (NODE_SHARE * QUIRKY) == 0)
        return quirks[n / (NODE_SHARE * QUIRKY) % (sizeof quirks / sizeof quirks[0])];
    if (n % LONG == 0)
        return LONG_TEXT;
    return n % 7 == 0 ? "Va\xc5\xa1 PIN je 739201" : "Your PIN is 739201";
}

/* False: the carrier takes none now. */
static bool submit(size_t carrier)
{
    char to[24];
    uint32_t n = t.submitted;
    struct smpp_carrier *c = t.carriers[carrier];
    struct soak_message *m = &t.book->messages[n];
    struct smpp_message message = {
        .destination = to,
        .text = text_for(n, carrier),
        .max_segments = 3,
        .deadline = mono_add_ms(mono_now(), n % HURRIED ? PATIENT_MS : SHORT_MS)};
    message.text_len = strlen(message.text);
    if (!smpp_carrier_is_ready(c))
        return false;
    snprintf(to, sizeof to, "%" PRIu64, SOAK_FIRST + n);
    m->carrier = (uint8_t)carrier;
    int segments = smpp_text_segments(message.text, message.text_len, SMPP_GSM);
    m->parts = carrier == LONG_AS_PAYLOAD ? 1 : (uint8_t)segments;
    t.given[carrier]++;
    t.submitted++; /* before: a callback of another message may submit the next one */
    int err = smpp_submit(c, &message, outcome_cb, m);
    check(err == 0, "a carrier that was ready refused a message", n, (uint64_t)-err);
    return err == 0;
}

static bool is_ahead(size_t carrier)
{
    bool ahead = false;
    for (size_t i = 0; i < NODE; i++)
        ahead |= t.given[carrier] > t.given[i] + AHEAD_MAX;
    return ahead;
}

static void more(void)
{
    size_t tried = 0;
    while (t.submitted < t.book->n_messages && tried < NODE) {
        if (t.submitted % NODE_SHARE == 0 && submit(NODE))
            continue;
        t.next = (t.next + 1) % NODE;
        tried = is_ahead(t.next) || !submit(t.next) ? tried + 1 : 0;
    }
}

/* --- what the carriers tell ------------------------------------------------------------------- */

static size_t index_of(const struct smpp_carrier *c)
{
    size_t i = 0;
    while (t.carriers[i] != c)
        i++;
    return i;
}

static void state_cb(void *arg, const struct smpp_bind_event *e)
{
    (void)arg;
    (void)e;
    t.state_changes++;
}

static void receipt_cb(void *arg, struct smpp_carrier *c, const struct smpp_receipt *r,
                       struct smpp_delivery handle)
{
    (void)arg;
    (void)r;
    t.receipts[index_of(c)]++;
    smpp_delivery_done(c, handle, 0);
}

static void mo_cb(void *arg, struct smpp_carrier *c, const struct smpp_mo *mo,
                  struct smpp_delivery handle)
{
    (void)arg;
    (void)mo;
    t.mo++;
    smpp_delivery_done(c, handle, 0);
}

static void late_cb(void *arg, struct smpp_carrier *c, void *submit_arg,
                    const struct smpp_result *r)
{
    struct soak_message *m = submit_arg;
    (void)arg;
    (void)r;
    check(m->outcome == SMPP_UNKNOWN, "an answer came late for what was no longer open",
          (uint64_t)(m - t.book->messages), m->outcome);
    t.late++;
    t.late_of[index_of(c)]++;
}

/* --- timers ------------------------------------------------------------------------------------
 */

static void more_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    more();
}

static void stop_cb(evutil_socket_t fd, short what, void *arg)
{
    static unsigned n;
    (void)fd;
    (void)what;
    (void)arg;
    peers_signal(t.stopped, SIGCONT);
    t.stopped = n++ % SOAK_PEERS;
    peers_signal(t.stopped, SIGSTOP);
    int ms = n % 2 ? STOPPED_MS / 2 : STOPPED_MS;
    event_add(t.ev_go, &(struct timeval){ms / 1000, ms % 1000 * 1000});
}

static void go_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    peers_signal(t.stopped, SIGCONT);
}

static void drained_cb(void *arg)
{
    (void)arg;
    if (++t.drained == SOAK_PEERS)
        event_base_loopbreak(t.base);
}

static void check_free(void)
{
    for (size_t i = 0; i < SOAK_PEERS; i++) {
        struct smpp_carrier_info all;
        smpp_carrier_info(t.carriers[i], &all);
        check(all.queued == 0, "messages are left in a queue", i, all.queued);
        for (uint32_t b = 0; b < smpp_carrier_bind_count(t.carriers[i]); b++) {
            struct smpp_bind_info info;
            smpp_carrier_bind_info(t.carriers[i], b, &info);
            check(info.in_flight == 0, "places of a window are not free", i, info.in_flight);
        }
    }
}

static uint64_t sum(const uint64_t *n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < SOAK_PEERS; i++)
        all += n[i];
    return all;
}

/* When no receipt has come for a while: the windows must be empty, and then the carriers go. */
static void settle_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    uint64_t seen = sum(t.receipts) + t.mo;
    event_del(t.ev_stop);
    peers_signal(t.stopped, SIGCONT);
    t.quiet_turns = seen == t.seen_last ? t.quiet_turns + 1 : 0;
    t.seen_last = seen;
    if (t.quiet_turns < SETTLE_TURNS) {
        event_add(t.ev_settle, &(struct timeval){0, SETTLE_MS * 1000});
        return;
    }
    t.finished = mono_now();
    t.end_kb = resident_kb();
    check_free();
    for (size_t i = 0; i < SOAK_PEERS; i++)
        smpp_carrier_drain(t.carriers[i], drained_cb, NULL);
}

static void give_up_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    t.gave_up = true;
    event_base_loopbreak(t.base);
}

/* --- the account -------------------------------------------------------------------------------
 */

/* What the library says of a message, against what the peers saw of it. */
static bool agrees(const struct soak_message *m)
{
    if (m->outcomes != 1 || m->taken > m->parts)
        return false;
    switch (m->outcome) {
    case SMPP_ACCEPTED:
        return m->taken == m->parts;
    case SMPP_REFUSED:
        return m->taken < m->parts && m->refused > 0;
    case SMPP_THROTTLED_OUT:
        return m->taken == 0 && m->refused > 0;
    case SMPP_UNKNOWN:
        return true;
    default:
        return m->taken == 0 && m->refused == 0;
    }
}

static void check_messages(void)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < t.book->n_messages; i++) {
        const struct soak_message *m = &t.book->messages[i];
        if (agrees(m) || ++wrong > 10)
            continue;
        printf("  message %u by %s: outcome %s (%u times), taken %u, refused %u times\n", i,
               names[m->carrier], smpp_outcome_name(m->outcome), m->outcomes, m->taken, m->refused);
    }
    check(wrong == 0, "messages whose outcome the peers do not bear out", wrong, 0);
}

struct counts {
    uint64_t submits, responses, errors, throttled, in_doubt, receipts, unexpected, binds, ended;
};

static struct counts counts_of(const struct smpp_carrier *c)
{
    struct counts n = {0};
    for (uint32_t i = 0; i < smpp_carrier_bind_count(c); i++) {
        struct smpp_bind_info b;
        smpp_carrier_bind_info(c, i, &b);
        n.submits += b.submits;
        n.responses += b.responses;
        n.errors += b.errors;
        n.throttled += b.throttled;
        n.in_doubt += b.in_doubt;
        n.receipts += b.receipts;
        n.unexpected += b.unexpected;
        n.binds += b.bound;
    }
    return n;
}

static void account(size_t i)
{
    const struct soak_log *l = &t.book->logs[i];
    struct counts n = counts_of(t.carriers[i]);
    printf("%-8s %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " %6" PRIu64
           " %9" PRIu64 " %9" PRIu64 " %6" PRIu64 " %6" PRIu64 " %5" PRIu64 "\n",
           names[i], n.submits, n.responses, n.errors, n.throttled, n.in_doubt, t.late_of[i],
           n.receipts, l->receipts, l->lost, n.unexpected, n.binds);
    /* A long message may come to be in doubt between two parts, with no submit open. */
    uint64_t ended = n.responses + n.in_doubt - t.late_of[i];
    check(n.submits <= ended && ended <= n.submits + t.long_unknown[i],
          "submits are not responses, submits in doubt, less late ones", n.submits, ended);
    check(n.receipts == t.receipts[i], "receipts counted and receipts told", n.receipts,
          t.receipts[i]);
    check(l->submits <= n.submits, "the peer saw submits that were never sent", l->submits,
          n.submits);
    check(n.submits - l->submits <= n.in_doubt, "submits were lost, and are not in doubt",
          n.submits - l->submits, n.in_doubt);
    check(l->strangers == 0 && l->complaints == 0, "the peer saw what was never said", l->strangers,
          l->complaints);
    if (i == NODE) { /* does not log all that it sends, nor what it loses with a connection */
        check(n.receipts * 2 >= l->receipts, "few receipts of those sent were seen", l->receipts,
              n.receipts);
        return;
    }
    check(l->receipts == l->answered + l->lost, "receipts are not answered, nor lost", l->receipts,
          l->answered + l->lost);
    check(l->answered <= n.receipts && n.receipts <= l->receipts, "receipts sent and seen",
          l->receipts, n.receipts);
}

static void print_head(void)
{
    double s = (double)mono_diff_ms(t.finished, t.started) / 1000;
    printf("soak: %u messages in %.1f s, %.0f/s; memory %ld kB after a fifth, %ld kB at the end\n",
           t.ended, s, t.ended / s, t.warm_kb, t.end_kb);
    for (int i = 0; i <= SMPP_NOT_SENT; i++)
        printf("%s %" PRIu64 "  ", smpp_outcome_name(i), t.outcomes[i]);
    printf("late %" PRIu64 "  from handsets %" PRIu64 "  changes of state %" PRIu64 "\n", t.late,
           t.mo, t.state_changes);
    printf("%-8s %9s %9s %8s %7s %7s %6s %9s %9s %6s %6s %5s\n", "carrier", "submits", "responses",
           "errors", "throttl", "indoubt", "late", "receipts", "(peer)", "lost", "unexp", "binds");
}

static void print_account(void)
{
    print_head();
    for (size_t i = 0; i < SOAK_PEERS; i++)
        account(i);
    check_messages();
    check(!t.gave_up && t.drained == SOAK_PEERS, "it did not end in its time", t.ended,
          (uint64_t)t.drained);
    check(t.end_kb - t.warm_kb <= GROWTH_MAX_KB, "memory grows", (uint64_t)t.warm_kb,
          (uint64_t)t.end_kb);
    printf("soak: %s\n", failures ? "FAILED" : "everything adds up");
}

/* --- beginning ---------------------------------------------------------------------------------
 */

static struct smpp_carrier *carrier_new(size_t i)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const struct secret password = {(uint8_t *)(uintptr_t) "soak", 4};
    static const struct smpp_events events = {
        .state_cb = state_cb, .receipt_cb = receipt_cb, .mo_cb = mo_cb, .late_cb = late_cb};
    struct smpp_carrier_options o = {
        .name = names[i],
        .hosts = hosts,
        .n_hosts = 1,
        .port = peers_port(t.book, i),
        .system_id = "soak",
        .password = &password,
        .mode = i == 1 ? SMPP_PAIR : SMPP_TRANSCEIVER,
        .binds = i == 0 ? 3 : 2,
        .window = i == NODE ? 20 : 150,
        .max_queue = i == NODE ? 20 : 300,
        .rate = i == 2 ? 6000 : 0,
        .long_message = i == LONG_AS_PAYLOAD ? SMPP_LONG_PAYLOAD
                        : i == 1             ? SMPP_LONG_SAR
                                             : SMPP_LONG_UDH,
        .enquire_link_ms = 1000,
        .response_timeout_ms = 2000,
        .unbind_timeout_ms = 2000,
        .backoff_min_ms = 20,
        .backoff_max_ms = 200,
        .backoff_bound_min_ms = 50,
        .backoff_bound_max_ms = 300,
        .throttle_ms = 50,
        .source = "SOAK",
        .source_ton = -1,
        .source_npi = -1,
        .dest_ton = 1,
        .dest_npi = 1,
        .registered_delivery = 1,
        .user_message_reference = i == 0,
    };
    return smpp_carrier_new(t.base, t.reap, NULL, &o, &events);
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
    const char *s = getenv(name);
    return s && *s ? (uint32_t)strtoul(s, NULL, 10) : otherwise;
}

static void open_book(void)
{
    uint32_t n = setting("SOAK_MESSAGES", 1000000);
    size_t size = sizeof *t.book + n * sizeof t.book->messages[0];
    t.book = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t.book == MAP_FAILED || n == 0)
        exit(1);
    t.book->n_messages = n;
    memset(t.book->messages, 0, size - sizeof *t.book); /* its pages are here from the beginning */
}

static void start(const char *sim)
{
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LV_ERROR);
    open_book();
    peers_start(t.book, sim);
    t.base = event_base_new();
    t.reap = reap_new(t.base);
    for (size_t i = 0; i < SOAK_PEERS; i++)
        if (!(t.carriers[i] = carrier_new(i)))
            exit(1);
    t.ev_more = event_new(t.base, -1, EV_PERSIST, more_cb, NULL);
    t.ev_stop = event_new(t.base, -1, EV_PERSIST, stop_cb, NULL);
    t.ev_go = evtimer_new(t.base, go_cb, NULL);
    t.ev_settle = evtimer_new(t.base, settle_cb, NULL);
    t.ev_give_up = evtimer_new(t.base, give_up_cb, NULL);
    event_add(t.ev_more, &(struct timeval){0, 10000});
    event_add(t.ev_stop, &(struct timeval){STOP_EACH_MS / 1000, 0});
    event_add(t.ev_give_up, &(struct timeval){setting("SOAK_SECONDS", 1800), 0});
    t.started = mono_now();
}

static void end(void)
{
    for (size_t i = 0; i < SOAK_PEERS; i++)
        smpp_carrier_free(t.carriers[i]);
    struct event *all[] = {t.ev_more, t.ev_stop, t.ev_go, t.ev_settle, t.ev_give_up};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        event_free(all[i]);
    reap_free(t.reap);
    event_base_free(t.base);
}

int main(int argc, char **argv)
{
    start(argc > 1 ? argv[1] : "build/pinbind-smsc");
    event_base_dispatch(t.base);
    peers_end();
    print_account();
    end();
    return failures ? 1 : 0;
}
