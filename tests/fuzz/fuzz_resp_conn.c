/*
 * Connections of the verify socket under whatever a peer sends, in whatever pieces: resp_conn.c,
 * resp_auth.c, resp_multi.c and resp_commands.c as they are, behind a real Unix socket.  The rooms
 * below are played by this file: each request is answered at once, later in any order, or when its
 * client is gone.
 *
 * What must hold: every octet that comes back belongs to a well-formed answer; each command has one
 * answer, none more; a client that has sent its last octet gets its answers and then the end; no
 * connection is left over.
 *
 * Input: a flag octet, STEPS octets that say how the stream is cut and what happens between the
 * pieces, then the stream.
 */
#include "base/log.h"
#include "base/reap.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/flow.h"
#include "gateway/pins.h"
#include "gateway/resp.h"
#include "pin/registry.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS     8
#define HELD_MAX  256
#define OUT_MAX   (1 << 20)
#define TURNS_MAX 200

/* of the flag octet */
enum { AUTHENTICATED = 1, HOLD = 2, RESET = 4 };

static struct {
    struct event_base *base;
    struct reap *reap;
    struct config_verify_socket config;
    struct resp_server *server;
    struct sockaddr_un address;
    uint8_t flags;
    int client;
    uint8_t out[OUT_MAX]; /* what the client has read */
    size_t out_len;
    bool is_over; /* the server has closed */
} t;

/* --- the rooms below ------------------------------------------------------------------------- */

static struct held {
    pin_account_cb key_cb; /* of a key; else answer_cb */
    answer_cb cb;
    void *arg;
    bool is_right;
} held[HELD_MAX];
static size_t n_held;

static void give(const struct held *h)
{
    struct answer a;
    if (h->key_cb) {
        h->key_cb(h->arg, h->is_right ? 0 : ERR_NOTFOUND, h->is_right ? "demo" : NULL);
        return;
    }
    if (!h->is_right) {
        answer_fail(&a, ANSWER_UNAVAILABLE, "the store does not answer, try again");
    } else {
        answer_init(&a);
        answer_str(&a, "pinId", "0A3100112233445566778899AABBCCDD");
        answer_bool(&a, "verified", true);
        answer_list(&a, "attempts", 1);
        answer_map(&a, 1);
        answer_str(&a, "carrier", "acme");
    }
    h->cb(h->arg, &a);
}

static void answer_one(size_t at)
{
    struct held h = held[at];
    memmove(held + at, held + at + 1, (--n_held - at) * sizeof *held);
    give(&h);
}

static void take(struct held h)
{
    if (!(t.flags & HOLD) || n_held == HELD_MAX) {
        give(&h);
        return;
    }
    held[n_held++] = h;
}

void pin_registry_find_key(struct pin_registry *r, const char *key, size_t len, pin_account_cb cb,
                           void *arg)
{
    (void)r;
    take((struct held){.key_cb = cb, .arg = arg, .is_right = len && key[0] == 'k'});
}

bool pin_registry_knows_key(struct pin_registry *r, const char *key, size_t len)
{
    (void)r;
    return len > 1 && memcmp(key, "kk", 2) == 0;
}

static void ask(answer_cb cb, void *arg, const char *word)
{
    take((struct held){.cb = cb, .arg = arg, .is_right = strlen(word) % 2});
}

void flow_send(struct flows *fs, const struct flow_send *s, answer_cb cb, void *arg)
{
    (void)fs;
    ask(cb, arg, s->to);
}

void flow_resend(struct flows *fs, const struct flow_resend *r, answer_cb cb, void *arg)
{
    (void)fs;
    ask(cb, arg, r->pin_id);
}

void pins_verify(struct pin_ledger *l, const char *account, const char *pin_id, const char *typed,
                 size_t typed_len, answer_cb cb, void *arg)
{
    (void)l;
    if (!account[0] || typed[typed_len] != 0)
        abort();
    ask(cb, arg, pin_id);
}

void pins_status(struct pin_ledger *l, struct carriers *carriers, const char *account,
                 const char *pin_id, answer_cb cb, void *arg)
{
    (void)l;
    (void)carriers;
    if (!account[0])
        abort();
    ask(cb, arg, pin_id);
}

void pins_cancel(struct pin_ledger *l, struct overdue *overdue, const char *account,
                 const char *pin_id, answer_cb cb, void *arg)
{
    (void)overdue;
    pins_status(l, NULL, account, pin_id, cb, arg);
}

/* --- the client ------------------------------------------------------------------------------ */

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static void read_answers(void)
{
    while (!t.is_over && t.out_len < OUT_MAX) {
        ssize_t n = recv(t.client, t.out + t.out_len, OUT_MAX - t.out_len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        t.is_over = n <= 0;
        t.out_len += n > 0 ? (size_t)n : 0;
    }
}

/* What is between two pieces. */
static void step(uint8_t how)
{
    turn();
    if (how == 1 && n_held)
        answer_one(0);
    else if (how == 2 && n_held)
        answer_one(n_held - 1);
    else if (how == 3)
        read_answers();
    turn();
}

/* false: the server takes no more of it. */
static bool write_piece(const uint8_t *p, size_t n)
{
    for (int i = 0; n && i < TURNS_MAX && !t.is_over; i++) {
        ssize_t done = send(t.client, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN)
            return false;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
        if (n)
            step(i % 2 ? 1 : 3);
    }
    return n == 0;
}

static void write_stream(const uint8_t *steps, const uint8_t *p, size_t size)
{
    for (size_t i = 0; size; i++) {
        uint8_t s = steps[i % STEPS];
        size_t n = (s & 63) == 63 ? 4096 : (size_t)(s & 63) + 1;
        if (n > size)
            n = size;
        if (!write_piece(p, n))
            return;
        p += n;
        size -= n;
        step(s >> 6);
    }
}

/* --- the judge ------------------------------------------------------------------------------- */

/* Behind the line that begins at `at`; 0: it is not whole. */
static size_t line_end(size_t at)
{
    const uint8_t *cr = memchr(t.out + at, '\r', t.out_len - at);
    if (!cr || cr + 1 == t.out + t.out_len)
        return 0;
    if (cr[1] != '\n')
        abort();
    return (size_t)(cr + 2 - t.out);
}

static long read_count(size_t at, size_t end)
{
    char digits[24];
    size_t n = end - at - 3;
    if (n == 0 || n >= sizeof digits)
        abort();
    memcpy(digits, t.out + at + 1, n);
    digits[n] = 0;
    char *rest;
    long value = strtol(digits, &rest, 10);
    if (*rest || value < -1 || value > OUT_MAX)
        abort();
    return value;
}

/* Behind the value that begins at `at`; 0: it is not whole; anything else that is no RESP ends
 * the process. */
static size_t value_end(size_t at, int depth)
{
    size_t end = at < t.out_len ? line_end(at) : 0;
    if (!end || depth > 6)
        return 0;
    char kind = (char)t.out[at];
    if (strchr("+-:_#", kind))
        return end;
    if (!strchr("$*%", kind))
        abort();
    long n = read_count(at, end);
    if (kind == '$') {
        size_t whole = n < 0 ? end : end + (size_t)n + 2;
        if (whole <= t.out_len && n >= 0 && memcmp(t.out + whole - 2, "\r\n", 2) != 0)
            abort();
        return whole <= t.out_len ? whole : 0;
    }
    for (long i = 0; i < n * (kind == '%' ? 2 : 1) && end; i++)
        end = value_end(end, depth + 1);
    return end;
}

/* Whole answers in what came; *rest: octets of one that is not whole. */
static uint64_t count_answers(size_t *rest)
{
    uint64_t n = 0;
    size_t at = 0, end;
    while ((end = value_end(at, 0))) {
        at = end;
        n++;
    }
    *rest = t.out_len - at;
    return n;
}

static void judge(const struct resp_info *before)
{
    struct resp_info now;
    size_t rest;
    resp_server_info(t.server, &now);
    uint64_t commands = now.commands - before->commands;
    uint64_t errors = now.protocol_errors - before->protocol_errors;
    uint64_t answers = count_answers(&rest);
    if (answers > commands + errors)
        abort();
    if (t.flags & RESET || now.limits_hit != before->limits_hit || errors)
        return; /* perhaps cut short */
    if (rest || answers < commands)
        abort();
}

/* --- one connection -------------------------------------------------------------------------- */

static void end(void)
{
    resp_server_free(t.server);
    reap_free(t.reap);
    event_base_free(t.base);
    *strrchr(t.address.sun_path, '/') = 0;
    rmdir(t.address.sun_path);
}

static void start(void)
{
    char folder[] = "/tmp/fuzz-resp-XXXXXX", why[200];
    if (!mkdtemp(folder))
        abort();
    signal(SIGPIPE, SIG_IGN);
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    log_set_level(LOG_LV_DEBUG);
    t.address.sun_family = AF_UNIX;
    snprintf(t.address.sun_path, sizeof t.address.sun_path, "%s/s", folder);
    t.config = (struct config_verify_socket){.unix_path = t.address.sun_path,
                                             .unix_mode = 0600,
                                             .unix_group = "",
                                             .unix_account = "",
                                             .tcp = "",
                                             .max_connections = 2,
                                             .max_in_flight = 8,
                                             .max_bulk = 1024,
                                             .max_arguments = 16,
                                             .idle_timeout_s = 300,
                                             .max_output = 16384,
                                             .auth_failures_per_min = 1000000};
    t.base = event_base_new();
    t.reap = reap_new(t.base);
    struct resp_env env = {.base = t.base, .reap = t.reap, .config = &t.config};
    t.server = resp_server_new(&env, why, sizeof why);
    if (!t.server || atexit(end))
        abort();
}

static void open_connection(const struct resp_info *before)
{
    struct resp_info now;
    t.out_len = 0;
    t.is_over = false;
    t.config.unix_account = t.flags & AUTHENTICATED ? "demo" : "";
    t.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(t.client, (const struct sockaddr *)(const void *)&t.address, sizeof t.address))
        abort();
    turn();
    resp_server_info(t.server, &now);
    if (now.connections != 1 || now.accepted != before->accepted + 1)
        abort();
}

/* The client has sent its last octet, or is gone; all that is held is answered. */
static void finish(void)
{
    struct resp_info now;
    bool is_reset = t.flags & RESET;
    if (is_reset)
        close(t.client);
    else
        shutdown(t.client, SHUT_WR);
    for (int i = 0; i < TURNS_MAX && (i < 3 || !t.is_over); i++) {
        turn();
        while (n_held)
            answer_one(0);
        if (!is_reset)
            read_answers();
        resp_server_info(t.server, &now);
        t.is_over |= is_reset && !now.connections && !n_held;
    }
    if (!t.is_over || now.connections || n_held)
        abort();
    if (!is_reset)
        close(t.client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp_info before;
    if (size <= 1 + STEPS)
        return 0;
    if (!t.server)
        start();
    t.flags = data[0];
    resp_server_info(t.server, &before);
    open_connection(&before);
    write_stream(data + 1, data + 1 + STEPS, size - 1 - STEPS);
    finish();
    judge(&before);
    return 0;
}
