/*
 * What a whole PIN costs: PIN.SEND, the SMS, its receipt and PIN.VERIFY through the real daemon,
 * with a redis-server of its own (appendonly, fsync each second).  This process is the application
 * (connections with one PIN under way each) and the SMSC, whose few PDUs are written by hand.
 *
 *   flow [-n PINs] [-c connections] [-b binds] [-d receipt delay, ms] [-l log level]
 *
 * Without -l it runs twice, with log_level warn and info.  The exit status is 1 if any answer was
 * not as it should be.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "tests/bench/pdu.h"
#include "tests/bench/process.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BINDS_MAX  16
#define HELD       2000 /* PINs that are sent only, to see what one under way takes in Redis */
#define START_S    10
#define RUN_S      30
#define SHOWN      5             /* complaints shown; the others are only counted */
#define FIRST      3859100000000 /* the number of PIN 0 */
#define PIN_DIGITS 6

struct pin {
    char digits[PIN_DIGITS + 1]; /* from the SMS */
    uint8_t bind;                /* that the SMS came by */
    int64_t receipt_us;          /* when its receipt is due */
    int64_t send_us, verify_us;  /* how long the answers took */
};

struct client {
    struct bench *b;
    struct bufferevent *bev;
    redisReader *reader;
    long n;          /* its PIN */
    char pin_id[40]; /* empty until PIN.SEND is answered */
    struct mono asked;
};

struct bench {
    long flows, connections, binds, receipt_delay_ms;
    char dir[64], build[PATH_MAX], app[40], template[40];
    struct event_base *base;
    struct evconnlistener *smsc;
    struct event *receipt_timer, *limit;
    uint16_t smsc_port;
    struct bufferevent *bound[BINDS_MAX];
    long n_bound;
    pid_t redis, gateway;
    redisContext *ask; /* to ask Redis about itself */
    struct client *clients;
    struct pin *pins; /* HELD + flows */
    long *receipts;   /* PINs whose receipt is due, in order */
    long first_receipt, n_receipts;
    long to_start, end; /* the next PIN, and the one after the last */
    bool is_holding;    /* no receipts and no PIN.VERIFY */
    bool is_stopping;
    long sent, acked, verified, errors;
};

static void complain(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct bench *b, const char *fmt, ...)
{
    va_list ap;
    if (b->errors++ >= SHOWN)
        return;
    va_start(ap, fmt);
    fputs("flow: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static void check_done(struct bench *b)
{
    if (b->is_holding ? b->sent == HELD : b->verified == b->flows && b->acked == b->flows)
        event_base_loopbreak(b->base);
}

/* --- the SMSC ------------------------------------------------------------------------------ */

static void put_receipt(struct bench *b, long n)
{
    char text[160], at[16];
    uint8_t body[256];
    struct wr w = wr_init(body, sizeof body);
    time_t now = time(NULL);
    struct tm tm;
    strftime(at, sizeof at, "%Y%m%d%H%M", gmtime_r(&now, &tm));
    int len = snprintf(text, sizeof text,
                       "id:%010ld sub:001 dlvrd:001 submit date:%s done date:%s stat:DELIVRD "
                       "err:000 text:",
                       n, at + 2, at + 2);
    wr_bytes(&w, "\0\1\1", 3); /* service_type; TON and NPI of the sender */
    wr_dec(&w, FIRST + n);
    wr_bytes(&w, "\0\5\0PINBIND", 11); /* with its end; esm_class 4 is a receipt */
    wr_bytes(&w, "\4\0\0\0\0\0\0\0\0", 9);
    wr_u8(&w, (uint8_t)len);
    wr_bytes(&w, text, (size_t)len);
    pdu_put(b->bound[b->pins[n].bind], 5, (uint32_t)n + 1, body, w.len);
}

static void put_due_receipts(struct bench *b)
{
    int64_t now = mono_now().us;
    while (b->first_receipt < b->n_receipts &&
           b->pins[b->receipts[b->first_receipt]].receipt_us <= now)
        put_receipt(b, b->receipts[b->first_receipt++]);
}

static void receipt_timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    put_due_receipts(arg);
}

/* The PIN is what the text ends with. */
static void take_submit(struct bench *b, uint8_t bind, uint32_t sequence, const uint8_t *body,
                        size_t n)
{
    long number = 0;
    const uint8_t *text = pdu_text(body, body + n, &number);
    long at = number - FIRST;
    if (!text || *text < PIN_DIGITS || text + 1 + *text > body + n || at < 0 || at >= b->end) {
        complain(b, "a submit_sm that makes no sense");
        return;
    }
    struct pin *p = &b->pins[at];
    memcpy(p->digits, text + 1 + *text - PIN_DIGITS, PIN_DIGITS);
    p->bind = bind;
    char id[24];
    snprintf(id, sizeof id, "%010ld", at);
    pdu_put(b->bound[bind], 0x80000004, sequence, id, strlen(id) + 1);
    if (b->is_holding)
        return;
    p->receipt_us = mono_now().us + b->receipt_delay_ms * 1000;
    b->receipts[b->n_receipts++] = at;
    if (b->receipt_delay_ms == 0)
        put_due_receipts(b);
}

static void take_pdu(struct bench *b, struct bufferevent *from, const uint8_t *pdu, size_t n)
{
    uint32_t command = pdu_u32(pdu + 4), sequence = pdu_u32(pdu + 12);
    uint8_t bind = 0;
    while (bind < b->n_bound && b->bound[bind] != from)
        bind++;
    if (command == 9 && b->n_bound < BINDS_MAX) {
        b->bound[b->n_bound++] = from;
        pdu_put(from, 0x80000009, sequence, "bench", 6);
        if (b->n_bound == b->binds)
            event_base_loopbreak(b->base);
    } else if (command == 4 && bind < b->n_bound) {
        take_submit(b, bind, sequence, pdu + PDU_HEADER, n - PDU_HEADER);
    } else if (command == 0x80000005 && pdu_u32(pdu + 8) == 0) {
        b->acked++;
        check_done(b);
    } else if (command == 0x15 || command == 6) { /* enquire_link, unbind */
        pdu_put(from, command | 0x80000000, sequence, "", 0);
    } else {
        complain(b, "the gateway sent command %08x, status %08x", command, pdu_u32(pdu + 8));
    }
}

static void smsc_read_cb(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(in), off = 0;
    const uint8_t *p = evbuffer_pullup(in, -1);
    while (len - off >= PDU_HEADER && len - off >= pdu_u32(p + off)) {
        take_pdu(arg, bev, p + off, pdu_u32(p + off));
        off += pdu_u32(p + off);
    }
    evbuffer_drain(in, off);
}

static void lost_cb(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & BEV_EVENT_CONNECTED)
        return;
    struct bench *b = arg;
    if (!b->is_stopping)
        complain(b, "a connection ended (%x)", (unsigned)what);
    event_base_loopbreak(b->base);
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
    struct bench *b = arg;
    struct bufferevent *bev = bufferevent_socket_new(b->base, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)l;
    (void)addr;
    (void)len;
    bufferevent_setcb(bev, smsc_read_cb, NULL, lost_cb, b);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void smsc_start(struct bench *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    b->smsc = evconnlistener_new_bind(b->base, accept_cb, b,
                                      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
                                      (struct sockaddr *)&at, sizeof at);
    if (!b->smsc || getsockname(evconnlistener_get_fd(b->smsc), (struct sockaddr *)&at, &len))
        abort();
    b->smsc_port = ntohs(at.sin_port);
    if (b->receipt_delay_ms) {
        static const struct timeval tick = {0, 1000};
        b->receipt_timer = event_new(b->base, -1, EV_PERSIST, receipt_timer_cb, b);
        event_add(b->receipt_timer, &tick);
    }
}

/* --- the application -------------------------------------------------------------------------- */

static void ask(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void ask(struct client *c, const char *fmt, ...)
{
    char *command;
    va_list ap;
    va_start(ap, fmt);
    int n = redisvFormatCommand(&command, fmt, ap);
    va_end(ap);
    c->asked = mono_now();
    bufferevent_write(c->bev, command, (size_t)n);
    free(command);
}

static void start_next(struct client *c)
{
    struct bench *b = c->b;
    if (b->to_start == b->end)
        return;
    c->n = b->to_start++;
    c->pin_id[0] = 0;
    ask(c, "PIN.SEND %s %s %lld", b->app, b->template, (long long)(FIRST + c->n));
}

/* The value of a field of a RESP2 map, NULL: not there. */
static const redisReply *field(const redisReply *r, const char *name)
{
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i + 1 < r->elements; i += 2)
        if (r->element[i]->str && strcmp(r->element[i]->str, name) == 0)
            return r->element[i + 1];
    return NULL;
}

static void take_sent(struct client *c, const redisReply *r, int64_t us)
{
    const redisReply *id = field(r, "pinId"), *status = field(r, "smsStatus");
    struct bench *b = c->b;
    b->pins[c->n].send_us = us;
    if (!id || !status || strcmp(status->str, "MESSAGE_SENT") != 0) {
        complain(b, "PIN.SEND: %s", status ? status->str : r->str ? r->str : "?");
        start_next(c);
        return;
    }
    b->sent++;
    if (b->is_holding) {
        check_done(b);
        start_next(c);
        return;
    }
    str_copy(c->pin_id, sizeof c->pin_id, id->str);
    ask(c, "PIN.VERIFY %s %s", c->pin_id, b->pins[c->n].digits);
}

static void take_verified(struct client *c, const redisReply *r, int64_t us)
{
    const redisReply *verified = field(r, "verified");
    struct bench *b = c->b;
    b->pins[c->n].verify_us = us;
    if (verified && verified->integer == 1)
        b->verified++;
    else
        complain(b, "PIN.VERIFY: %s", verified ? "not verified" : r->str ? r->str : "?");
    start_next(c);
    check_done(b);
}

static void client_read_cb(struct bufferevent *bev, void *arg)
{
    struct client *c = arg;
    char buf[4096];
    size_t n = bufferevent_read(bev, buf, sizeof buf);
    void *reply = NULL;
    if (redisReaderFeed(c->reader, buf, n) || redisReaderGetReply(c->reader, &reply))
        abort();
    if (!reply)
        return;
    int64_t us = mono_diff_us(mono_now(), c->asked);
    if (c->pin_id[0])
        take_verified(c, reply, us);
    else
        take_sent(c, reply, us);
    freeReplyObject(reply);
}

static void client_lost_cb(struct bufferevent *bev, short what, void *arg)
{
    lost_cb(bev, what, ((struct client *)arg)->b);
}

static void clients_connect(struct bench *b)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/verify.sock", b->dir);
    for (long i = 0; i < b->connections; i++) {
        struct client *c = &b->clients[i];
        c->b = b;
        c->reader = redisReaderCreate();
        c->bev = bufferevent_socket_new(b->base, -1, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(c->bev, client_read_cb, NULL, client_lost_cb, c);
        if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&at, sizeof at))
            abort();
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    }
}

/* --- the processes ------------------------------------------------------------------------------
 */

static void die(struct bench *b, const char *why)
{
    fprintf(stderr, "flow: %s; see %s\n", why, b->dir);
    exit(1);
}

/* The last line of pinbindctl's output; empty when it failed. */
static void control(struct bench *b, char *out, size_t size, const char *args)
{
    char command[PATH_MAX + 400], line[400];
    snprintf(command, sizeof command, "'%s/pinbindctl' -s '%s/admin.sock' %s 2>/dev/null", b->build,
             b->dir, args);
    FILE *f = popen(command, "r");
    out[0] = 0;
    while (f && fgets(line, sizeof line, f))
        str_copy_n(out, size, line, strcspn(line, "\n"));
    if (!f || pclose(f))
        out[0] = 0;
}

static void write_config(struct bench *b, const char *path, const char *level)
{
    FILE *f = fopen(path, "w");
    if (!f)
        die(b, "no room for a configuration");
    fprintf(f,
            "pin_key_file = \"pin.key\"\nlog_level = \"%s\"\n"
            "store {\n  url = \"unix:%s/redis.sock\"\n}\n"
            "verify_socket {\n  unix = \"verify.sock\"\n  unix_account = \"bench\"\n"
            "  max_connections = 10000\n}\nhttp {\n  listen = \"\"\n  noc_listen = \"\"\n}\n"
            "admin {\n  unix = \"admin.sock\"\n}\n"
            "carrier \"bench\" {\n  host = \"127.0.0.1\"\n  port = %u\n  system_id = \"bench\"\n"
            "  password = \"bench\"\n  binds = %ld\n  window = 500\n  max_queue = 10000\n}\n"
            "route \"default\" {\n  carriers = {\"bench\"}\n}\n",
            level, b->dir, b->smsc_port, b->binds);
    fclose(f);
}

static void limit_cb(evutil_socket_t fd, short what, void *arg)
{
    struct bench *b = arg;
    (void)fd;
    (void)what;
    complain(b, "not done in time: %ld bound, %ld sent, %ld receipts acknowledged, %ld verified",
             b->n_bound, b->sent, b->acked, b->verified);
    event_base_loopbreak(b->base);
}

static void loop(struct bench *b, int seconds)
{
    struct timeval limit = {seconds, 0};
    event_add(b->limit, &limit);
    event_base_dispatch(b->base);
    event_del(b->limit);
}

static void gateway_start(struct bench *b, const char *level)
{
    char path[128], program[PATH_MAX + 16], args[300], key[160];
    snprintf(args, sizeof args, "pinkey new '%s/pin.key'", b->dir);
    control(b, key, sizeof key, args);
    snprintf(path, sizeof path, "%s/pinbind.conf", b->dir);
    write_config(b, path, level);
    snprintf(program, sizeof program, "%s/pinbindd", b->build);
    b->gateway = process_start(b->dir, "pinbindd.log", (const char *[]){program, "-c", path, NULL});
    loop(b, START_S);
    for (int i = 0; i < START_S * 20; i++) { /* until the store is up, too */
        control(b, key, sizeof key, "account create bench");
        if (key[0])
            break;
        usleep(50000);
    }
    control(
        b, b->app, sizeof b->app,
        "app create --account bench --name Bench --set sendPinPerApplicationLimit=1000000000/1d");
    snprintf(args, sizeof args,
             "message create --account bench --app '%s' --length %d --text 'Your code is {{pin}}'",
             b->app, PIN_DIGITS);
    control(b, b->template, sizeof b->template, args);
    if (b->errors || !b->template[0])
        die(b, "the gateway did not start");
}

/* --- numbers ------------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(struct bench *b, const char *name, size_t offset)
{
    int64_t *us = malloc((size_t)b->flows * sizeof *us);
    for (long i = 0; us && i < b->flows; i++)
        memcpy(&us[i], (const char *)&b->pins[HELD + i] + offset, sizeof us[i]);
    if (!us)
        return;
    qsort(us, (size_t)b->flows, sizeof *us, compare);
    printf("  %-10s p50 %.2f ms, p99 %.2f ms\n", name, (double)us[b->flows / 2] / 1000,
           (double)us[b->flows * 99 / 100] / 1000);
    free(us);
}

/* --- a run ---------------------------------------------------------------------------------------
 */

static void measure_held(struct bench *b)
{
    double memory = process_redis_memory(b->ask);
    b->is_holding = true;
    b->end = HELD;
    for (long i = 0; i < b->connections; i++)
        start_next(&b->clients[i]);
    loop(b, RUN_S);
    printf("  a PIN under way (sent, no receipt yet) has %.0f octets in Redis\n",
           (process_redis_memory(b->ask) - memory) / HELD);
}

static void measure(struct bench *b)
{
    double gateway = process_cpu_us(b->gateway), redis = process_cpu_us(b->redis),
           own = process_cpu_us(getpid());
    double memory = process_redis_memory(b->ask), n = (double)b->flows;
    struct mono begin = mono_now();
    b->is_holding = false;
    b->end = HELD + b->flows;
    for (long i = 0; i < b->connections; i++)
        start_next(&b->clients[i]);
    loop(b, RUN_S);
    double s = (double)mono_diff_us(mono_now(), begin) / 1e6;
    printf("  %ld sent, %ld receipts acknowledged, %ld verified, %ld errors: %.0f flows/s\n",
           b->sent - HELD, b->acked, b->verified, b->errors, n / s);
    print_times(b, "PIN.SEND", offsetof(struct pin, send_us));
    print_times(b, "PIN.VERIFY", offsetof(struct pin, verify_us));
    printf("  CPU of a flow: pinbindd %.1f us, redis-server %.1f us (and this bench %.1f us)\n",
           (process_cpu_us(b->gateway) - gateway) / n, (process_cpu_us(b->redis) - redis) / n,
           (process_cpu_us(getpid()) - own) / n);
    printf("  pinbindd has %ld KiB, had %ld KiB at most; Redis keeps %.0f octets a PIN\n",
           process_status_kb(b->gateway, "VmRSS:"), process_status_kb(b->gateway, "VmHWM:"),
           (process_redis_memory(b->ask) - memory) / n);
}

static void clean_up(struct bench *b)
{
    char command[128];
    for (long i = 0; i < b->connections; i++) {
        bufferevent_free(b->clients[i].bev);
        redisReaderFree(b->clients[i].reader);
    }
    b->is_stopping = true;
    kill(b->gateway, SIGTERM);
    for (long i = 0; i < b->n_bound; i++) {
        loop(b, START_S);
        bufferevent_free(b->bound[i]);
    }
    if (b->errors)
        kill(b->gateway, SIGKILL);
    evconnlistener_free(b->smsc);
    waitpid(b->gateway, NULL, 0);
    redisFree(b->ask);
    kill(b->redis, SIGTERM);
    waitpid(b->redis, NULL, 0);
    if (b->receipt_timer)
        event_free(b->receipt_timer);
    event_free(b->limit);
    event_base_free(b->base);
    free(b->clients);
    free(b->receipts);
    free(b->pins);
    snprintf(command, sizeof command, "rm -rf %s", b->dir);
    if (system(command))
        fprintf(stderr, "flow: %s stays behind\n", b->dir);
}

/* Each run has a copy of the options and everything else anew. */
static long run(struct bench b, const char *level)
{
    snprintf(b.dir, sizeof b.dir, "/tmp/pinbind-flow.XXXXXX");
    b.base = event_base_new();
    b.limit = b.base ? evtimer_new(b.base, limit_cb, &b) : NULL;
    b.clients = calloc((size_t)b.connections, sizeof *b.clients);
    b.pins = calloc((size_t)b.flows + HELD, sizeof *b.pins);
    b.receipts = calloc((size_t)b.flows, sizeof *b.receipts);
    if (!mkdtemp(b.dir) || !b.limit || !b.clients || !b.pins || !b.receipts)
        abort();
    smsc_start(&b);
    b.ask = process_redis(b.dir, &b.redis);
    if (!b.ask)
        die(&b, "redis-server did not start");
    gateway_start(&b, level);
    clients_connect(&b);
    printf("%ld flows, %ld connections, %ld binds, receipts after %ld ms, log_level %s, pinbindd "
           "is %d, redis-server %d\n",
           b.flows, b.connections, b.binds, b.receipt_delay_ms, level, (int)b.gateway,
           (int)b.redis);
    fflush(stdout);
    measure_held(&b);
    measure(&b);
    clean_up(&b);
    return b.errors;
}

static long at_least_1(const char *s)
{
    long n = strtol(s, NULL, 10);
    return n > 0 ? n : 1;
}

int main(int argc, char **argv)
{
    struct bench b = {.flows = 20000, .connections = 64, .binds = 1, .receipt_delay_ms = 20};
    const char *level = NULL;
    int c;
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt(argc, argv, "n:c:b:d:l:")) != -1) {
        if (c == 'n')
            b.flows = at_least_1(optarg);
        else if (c == 'c')
            b.connections = at_least_1(optarg);
        else if (c == 'b')
            b.binds = at_least_1(optarg) < BINDS_MAX ? at_least_1(optarg) : BINDS_MAX;
        else if (c == 'd')
            b.receipt_delay_ms = strtol(optarg, NULL, 10);
        else if (c == 'l')
            level = optarg;
        else
            return 2;
    }
    /* build/bench/flow: the programs are in build/ */
    ssize_t n = readlink("/proc/self/exe", b.build, sizeof b.build - 1);
    for (int i = 0; n > 0 && i < 2; i++)
        *strrchr(b.build, '/') = 0;
    if (level)
        return run(b, level) != 0;
    long errors = run(b, "warn");
    return run(b, "info") + errors != 0;
}
