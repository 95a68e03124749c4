/*
 * A real redis-server in a folder of its own, two ledgers on it (each with its store), and a
 * proxy on the first one's way that loses or withholds answers.  Waits are for conditions, with
 * a limit after which the test fails.
 */
#ifndef TESTS_UNIT_PIN_LEDGER_RIG_H
#define TESTS_UNIT_PIN_LEDGER_RIG_H

#include "tests/unit/pin/ring.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "pin/ledger.h"
#include "store/store.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define RIG_LIMIT_MS   10000
#define RIG_TIMEOUT_MS 150
#define RIG_APP        "0123456789ABCDEF0123456789ABCDEF"
#define RIG_TEMPLATE   "FEDCBA9876543210FEDCBA9876543210"

enum proxy_mode { PROXY_PASS, PROXY_LOSE, PROXY_HOLD };

struct rig {
    struct pin_answer sent; /* to the last do_sent() */
    pid_t redis;
    char socket[128], proxy_socket[128];
    struct event_base *base;
    struct reap *reap;
    struct pin_keyring *ring;
    struct store *store[2];
    struct pin_ledger *ledger[2];
    redisContext *look;
    struct evconnlistener *listener;
    enum proxy_mode proxy;
    int proxy_after; /* answers that still pass */
    unsigned proxy_hits;
    struct bufferevent *held_from, *held_to;
    int unmatched;
    char unmatched_id[PIN_MESSAGE_ID_SIZE];
};

struct got { /* an answer, kept */
    int calls;
    struct pin_answer a;
    struct pin_record record;
};

static inline void got_cb(void *arg, const struct pin_answer *answer)
{
    struct got *g = arg;
    g->calls++;
    g->a = *answer;
    if (answer->record) {
        g->record = *answer->record;
        g->a.record = &g->record;
    }
}

static inline void wake_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

#define RUN_UNTIL(r, condition)                                                                    \
    do {                                                                                           \
        struct mono rig_end = mono_add_ms(mono_now(), RIG_LIMIT_MS);                               \
        while (!(condition)) {                                                                     \
            if (mono_is_past(rig_end, mono_now()))                                                 \
                fail_msg("never: %s", #condition);                                                 \
            struct timeval rig_tick = {0, 5000};                                                   \
            event_base_once((r)->base, -1, EV_TIMEOUT, wake_cb, NULL, &rig_tick);                  \
            event_base_loop((r)->base, EVLOOP_ONCE);                                               \
        }                                                                                          \
    } while (0)

/* --- proxy ----------------------------------------------------------------------------------- */

static inline void proxy_close(struct bufferevent *a)
{
    struct bufferevent *b = NULL;
    bufferevent_getcb(a, NULL, NULL, NULL, (void **)&b);
    bufferevent_free(a);
    bufferevent_free(b);
}

static struct rig *proxy_rig;

static inline void proxy_up_cb(struct bufferevent *from, void *to)
{
    bufferevent_write_buffer(to, bufferevent_get_input(from));
}

/* From the server: what arrives at once is taken for one answer. */
static inline void proxy_down_cb(struct bufferevent *from, void *to)
{
    struct rig *r = proxy_rig;
    if (r->proxy != PROXY_PASS && r->proxy_after-- <= 0) {
        r->proxy_hits++;
        if (r->proxy == PROXY_LOSE) {
            r->proxy = PROXY_PASS;
            proxy_close(from);
        } else {
            r->held_from = from;
            r->held_to = to;
        }
        return;
    }
    bufferevent_write_buffer(to, bufferevent_get_input(from));
}

static inline void proxy_event_cb(struct bufferevent *from, short what, void *to)
{
    (void)to;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        if (proxy_rig->held_from)
            proxy_rig->held_from = proxy_rig->held_to = NULL;
        proxy_close(from);
    }
}

static inline void proxy_accept_cb(struct evconnlistener *listener, evutil_socket_t fd,
                                   struct sockaddr *addr, int len, void *arg)
{
    struct rig *r = arg;
    (void)listener;
    (void)addr;
    (void)len;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    str_copy(un.sun_path, sizeof un.sun_path, r->socket);
    struct bufferevent *client = bufferevent_socket_new(r->base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct bufferevent *server = bufferevent_socket_new(r->base, -1, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client, proxy_up_cb, NULL, proxy_event_cb, server);
    bufferevent_setcb(server, proxy_down_cb, NULL, proxy_event_cb, client);
    assert_int_equal(bufferevent_socket_connect(server, (struct sockaddr *)&un, sizeof un), 0);
    bufferevent_enable(client, EV_READ | EV_WRITE);
    bufferevent_enable(server, EV_READ | EV_WRITE);
}

static inline void proxy_start(struct rig *r)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    str_copy(un.sun_path, sizeof un.sun_path, r->proxy_socket);
    proxy_rig = r;
    r->listener = evconnlistener_new_bind(r->base, proxy_accept_cb, r, LEV_OPT_CLOSE_ON_FREE, 8,
                                          (struct sockaddr *)&un, sizeof un);
    assert_non_null(r->listener);
}

static inline void proxy_arm(struct rig *r, enum proxy_mode mode, int after)
{
    r->proxy = mode;
    r->proxy_after = after;
    r->proxy_hits = 0;
    r->held_from = r->held_to = NULL;
}

static inline void proxy_release(struct rig *r)
{
    struct bufferevent *from = r->held_from, *to = r->held_to;
    r->proxy = PROXY_PASS;
    r->held_from = r->held_to = NULL;
    if (from)
        bufferevent_write_buffer(to, bufferevent_get_input(from));
}

/* --- the rig --------------------------------------------------------------------------------- */

static inline void redis_start(struct rig *r)
{
    snprintf(r->socket, sizeof r->socket, "%s/redis.sock", ring_dir);
    snprintf(r->proxy_socket, sizeof r->proxy_socket, "%s/proxy.sock", ring_dir);
    r->redis = fork();
    assert_true(r->redis >= 0);
    if (r->redis == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", r->socket, "--save",
               "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", ring_dir,
               (char *)NULL);
        _exit(127);
    }
    struct mono end = mono_add_ms(mono_now(), RIG_LIMIT_MS);
    while ((r->look = redisConnectUnix(r->socket)) == NULL || r->look->err) {
        redisFree(r->look);
        assert_false(mono_is_past(end, mono_now()));
        usleep(2000);
    }
}

static inline void rig_unmatched_cb(void *arg, const char *carrier, const char *message_id)
{
    struct rig *r = arg;
    (void)carrier;
    r->unmatched++;
    str_copy(r->unmatched_id, sizeof r->unmatched_id, message_id);
}

static inline struct pin_ledger_options rig_options(struct rig *r, int i)
{
    return (struct pin_ledger_options){.base = r->base,
                                       .store = r->store[i],
                                       .ring = r->ring,
                                       .arg = r,
                                       .unmatched_cb = rig_unmatched_cb};
}

static inline void rig_store(struct rig *r, int i)
{
    char url[160];
    snprintf(url, sizeof url, "unix:%s", i == 0 ? r->proxy_socket : r->socket);
    r->store[i] = store_new(
        r->base, r->reap, NULL,
        &(struct store_options){.url = url, .timeout_ms = RIG_TIMEOUT_MS, .backoff_max_ms = 20});
    assert_non_null(r->store[i]);
}

static inline int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LV_ERROR);
    ring_make_dir();
    r->ring = ring_of_test_key();
    assert_int_equal(pin_random_start(r->ring, &(struct pin_random_options){0}), 0);
    redis_start(r);
    r->base = event_base_new();
    r->reap = reap_new(r->base);
    proxy_start(r);
    for (int i = 0; i < 2; i++) {
        rig_store(r, i);
        struct pin_ledger_options o = rig_options(r, i);
        r->ledger[i] = pin_ledger_new(&o);
        assert_non_null(r->ledger[i]);
    }
    RUN_UNTIL(r, store_is_up(r->store[0]) && store_is_up(r->store[1]));
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 2; i++)
        pin_ledger_free(r->ledger[i]);
    for (int i = 0; i < 2; i++)
        store_free(r->store[i]);
    evconnlistener_free(r->listener);
    for (int i = 0; i < 20; i++) /* the proxy sees its ends close */
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    reap_free(r->reap);
    event_base_free(r->base);
    redisFree(r->look);
    kill(r->redis, SIGKILL);
    waitpid(r->redis, NULL, 0);
    pin_random_stop();
    pin_keyring_free(r->ring);
    ring_remove_dir();
    free(r);
    return 0;
}

/* Everything out of Redis, nothing under way: for the next case inside one test. */
static inline void rig_flush(struct rig *r)
{
    redisReply *reply = redisCommand(r->look, "FLUSHALL");
    freeReplyObject(reply);
}

/* An integer or a string's number; -1 for nil. */
static inline long long look(struct rig *r, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *reply = redisvCommand(r->look, format, ap);
    va_end(ap);
    assert_non_null(reply);
    long long v = -1;
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    if (reply->type == REDIS_REPLY_INTEGER)
        v = reply->integer;
    else if (reply->type == REDIS_REPLY_ARRAY)
        v = (long long)reply->elements;
    else if (reply->type == REDIS_REPLY_STRING)
        v = (long long)reply->len;
    freeReplyObject(reply);
    return v;
}

/* Every key has a life, and no field is longer than a listpack takes. */
static inline void every_key_has_a_life(struct rig *r)
{
    redisReply *keys = redisCommand(r->look, "KEYS *");
    for (size_t i = 0; i < keys->elements; i++)
        if (look(r, "PTTL %b", keys->element[i]->str, keys->element[i]->len) <= 0)
            fail_msg("no life: %s", keys->element[i]->str);
    freeReplyObject(keys);
}

/* --- PINs ------------------------------------------------------------------------------------ */

struct sample { /* one PIN on its way */
    struct msisdn msisdn;
    struct pin_policy policy;
    struct pin_spec spec;
    struct pin_drawn drawn;
    const char *account;
    uint8_t sealed[200];
};

static inline struct sample sample_new(struct rig *r, const char *number)
{
    struct sample s = {.account = "demo", .spec = {PIN_NUMERIC, 6, false}};
    assert_int_equal(msisdn_parse(number, strlen(number), &s.msisdn), 0);
    pin_policy_default(&s.policy);
    s.policy.verify = (struct pin_limit){.count = 1000, .window_ms = 3600000};
    s.policy.per_phone = (struct pin_limit){.count = 1000, .window_ms = 3600000};
    const struct pin_owner owner = {s.account, RIG_APP, &s.msisdn};
    assert_int_equal(pin_draw(r->ring, &s.spec, &owner, 30, &s.drawn), 0);
    for (size_t i = 0; i < sizeof s.sealed; i++)
        s.sealed[i] = (uint8_t)(i * 31);
    return s;
}

static inline int sample_open(struct rig *r, struct sample *s, int ledger, struct got *g)
{
    const struct pin_open o = {.drawn = &s->drawn,
                               .owner = {s->account, RIG_APP, &s->msisdn},
                               .spec = &s->spec,
                               .policy = &s->policy,
                               .template_id = RIG_TEMPLATE,
                               .template_revision = 7,
                               .sealed = s->sealed,
                               .sealed_len = sizeof s->sealed,
                               .carrier = "acme"};
    return pin_ledger_open(r->ledger[ledger], &o, got_cb, g);
}

static inline struct pin_answer wait_for(struct rig *r, int rc, struct got *g)
{
    assert_int_equal(rc, 0);
    assert_int_equal(g->calls, 0); /* never inside the call */
    RUN_UNTIL(r, g->calls > 0);
    assert_int_equal(g->calls, 1);
    return g->a;
}

static inline struct pin_answer do_open(struct rig *r, struct sample *s)
{
    struct got g = {0};
    struct pin_answer a = wait_for(r, sample_open(r, s, 0, &g), &g);
    assert_int_equal(a.result, 0);
    return a;
}

static inline struct sample sample_opened(struct rig *r, const char *number)
{
    struct sample s = sample_new(r, number);
    assert_int_equal(do_open(r, &s).verdict, PIN_OK);
    return s;
}

struct sent_args {
    enum pin_attempt_state state;
    enum pin_id_mode mode;
    const char *id, *match;
    uint32_t attempt, segment, segments;
    bool last;
};

static inline int sample_sent(struct rig *r, const struct sample *s, int ledger,
                              const struct sent_args *args, struct got *g)
{
    const char *id = args->id ? args->id : "";
    const struct pin_sent sent = {.owner = {s->account, RIG_APP, &s->msisdn},
                                  .pin_id = s->drawn.pin_id,
                                  .attempt = args->attempt ? args->attempt : 1,
                                  .segment = args->segment,
                                  .segments = args->segments,
                                  .carrier = "acme",
                                  .id_mode = args->mode,
                                  .message_id = id,
                                  .message_id_len = strlen(id),
                                  .match_id = args->match,
                                  .match_id_len = args->match ? strlen(args->match) : 0,
                                  .state = args->state,
                                  .status = 0xb,
                                  .last = args->last};
    return pin_ledger_sent(r->ledger[ledger], &sent, got_cb, g);
}

static inline enum pin_verdict do_sent(struct rig *r, const struct sample *s,
                                       const struct sent_args *args)
{
    struct got g = {0};
    struct pin_answer a = wait_for(r, sample_sent(r, s, 0, args, &g), &g);
    assert_int_equal(a.result, 0);
    r->sent = a;
    return a.verdict;
}

static inline enum pin_verdict do_accept(struct rig *r, const struct sample *s, const char *id)
{
    return do_sent(r, s, &(struct sent_args){.state = PIN_ATT_ACCEPTED, .id = id});
}

static inline struct sample sample_live(struct rig *r, const char *number)
{
    struct sample s = sample_opened(r, number);
    assert_int_equal(do_accept(r, &s, ""), PIN_OK);
    return s;
}

struct receipt_args {
    const char *id;
    enum pin_id_mode mode;
    enum pin_attempt_state state;
    bool final;
    const struct msisdn *msisdn;
    const char *err;
    int64_t done_ms;
};

static inline int rig_receipt(struct rig *r, int ledger, const struct receipt_args *args,
                              struct got *g)
{
    const struct pin_receipt receipt = {.carrier = "acme",
                                        .id_mode = args->mode,
                                        .message_id = args->id,
                                        .message_id_len = strlen(args->id),
                                        .msisdn = args->msisdn,
                                        .state = args->state,
                                        .final = args->final,
                                        .err = args->err ? args->err : "",
                                        .err_len = args->err ? strlen(args->err) : 0,
                                        .done_ms = args->done_ms ? args->done_ms : -1};
    return pin_ledger_receipt(r->ledger[ledger], &receipt, got_cb, g);
}

static inline struct pin_answer do_receipt(struct rig *r, const struct receipt_args *args)
{
    struct got g = {0};
    struct pin_answer a = wait_for(r, rig_receipt(r, 0, args, &g), &g);
    assert_int_equal(a.result, 0);
    return a;
}

static inline struct pin_answer do_delivered(struct rig *r, const struct sample *s, const char *id)
{
    return do_receipt(r, &(struct receipt_args){.id = id,
                                                .state = PIN_ATT_DELIVERED,
                                                .final = true,
                                                .msisdn = &s->msisdn,
                                                .err = "000"});
}

static inline struct pin_answer do_verify(struct rig *r, const struct sample *s, bool right)
{
    struct got g = {0};
    const char *typed = right ? s->drawn.pin : "no such";
    struct pin_answer a = wait_for(r,
                                   pin_ledger_verify(r->ledger[0], s->account, s->drawn.pin_id,
                                                     typed, strlen(typed), got_cb, &g),
                                   &g);
    assert_int_equal(a.result, 0);
    return a;
}

static inline struct pin_answer do_status(struct rig *r, const struct sample *s, struct got *g)
{
    *g = (struct got){0};
    return wait_for(r, pin_ledger_status(r->ledger[0], s->account, s->drawn.pin_id, got_cb, g), g);
}

static inline enum pin_state state_of(struct rig *r, const struct sample *s)
{
    struct got g;
    assert_int_equal(do_status(r, s, &g).verdict, PIN_OK);
    return g.record.state;
}

static inline enum pin_attempt_state attempt_of(struct rig *r, const struct sample *s, int i)
{
    struct got g;
    assert_int_equal(do_status(r, s, &g).verdict, PIN_OK);
    assert_true(g.record.n_attempts >= (uint32_t)i);
    return g.record.attempts[i - 1].state;
}

static inline enum pin_verdict do_cancel(struct rig *r, const struct sample *s)
{
    struct got g = {0};
    return wait_for(r, pin_ledger_cancel(r->ledger[0], s->account, s->drawn.pin_id, got_cb, &g), &g)
        .verdict;
}

static inline struct pin_answer do_attempt(struct rig *r, const struct sample *s, uint32_t last)
{
    struct got g = {0};
    return wait_for(r,
                    pin_ledger_attempt(r->ledger[0],
                                       &(struct pin_next){.account = s->account,
                                                          .pin_id = s->drawn.pin_id,
                                                          .last = last,
                                                          .carrier = "beta"},
                                       got_cb, &g),
                    &g);
}

#endif
