/*
 * What a whole PIN costs: the send, the SMS, its receipt and the verify through the real daemon,
 * with a redis-server of its own (appendonly, fsync each second).  This process is the application
 * (connections with one PIN under way each) and the SMSC, whose few PDUs are written by hand.
 *
 *   flow [--door resp|http] [-l log level] [-n PINs] [-c connections] [-b binds]
 *        [-d receipt delay, ms]
 *
 * Without --door and -l it runs for each door and for log_level warn and info.  The exit status is
 * 1 if any answer was not as it should be, or a receipt was not matched.
 */
#include "tests/bench/flow.h"
#include "tests/bench/process.h"

#include "base/buf.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/wait.h>

#define START_S  10
#define RUN_S    30
#define RUNS_MAX 4
#define SHOWN    5 /* complaints shown; the others are only counted */

#define ROW_LIST(X)                                                                                \
    X(ROW_RATE, "flows/s", 0)                                                                      \
    X(ROW_SEND_P50, "send, p50 ms", 2)                                                             \
    X(ROW_SEND_P99, "send, p99 ms", 2)                                                             \
    X(ROW_VERIFY_P50, "verify, p50 ms", 2)                                                         \
    X(ROW_VERIFY_P99, "verify, p99 ms", 2)                                                         \
    X(ROW_GATEWAY, "CPU of a flow, pinbindd, us", 1)                                               \
    X(ROW_REDIS, "CPU of a flow, redis-server, us", 1)                                             \
    X(ROW_OWN, "CPU of a flow, this bench, us", 1)                                                 \
    X(ROW_KB, "pinbindd, KiB at most", 0)                                                          \
    X(ROW_HELD, "Redis, octets of a PIN under way", 0)                                             \
    X(ROW_KEPT, "Redis, octets of a verified PIN", 0)

enum row {
#define X(id, name, decimals) id,
    ROW_LIST(X) N_ROWS
#undef X
};

struct result {
    const char *door, *level;
    double rows[N_ROWS];
    long errors;
};

void flow_complain(struct bench *b, const char *fmt, ...)
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

void flow_check_done(struct bench *b)
{
    if (b->is_holding ? b->sent == HELD : b->verified == b->flows && b->acked == b->flows)
        event_base_loopbreak(b->base);
}

void flow_lost_cb(struct bufferevent *bev, short what, void *bench)
{
    (void)bev;
    if (what & BEV_EVENT_CONNECTED)
        return;
    struct bench *b = bench;
    if (!b->is_stopping)
        flow_complain(b, "a connection ended (%x)", (unsigned)what);
    event_base_loopbreak(b->base);
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
    char command[PATH_MAX + 400], line[2000];
    snprintf(command, sizeof command, "'%s/pinbindctl' -s '%s/admin.sock' %s 2>/dev/null", b->build,
             b->dir, args);
    FILE *f = popen(command, "r");
    out[0] = 0;
    while (f && fgets(line, sizeof line, f))
        str_copy_n(out, size, line, strcspn(line, "\n"));
    if (!f || pclose(f))
        out[0] = 0;
}

/* One that is free now. */
static uint16_t free_port(struct bench *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, len) || getsockname(fd, (struct sockaddr *)&at, &len))
        die(b, "no port for HTTP");
    close(fd);
    return ntohs(at.sin_port);
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
            "  max_connections = 10000\n}\nhttp {\n  listen = \"127.0.0.1:%u\"\n  noc_listen = "
            "\"\"\n}\n"
            "admin {\n  unix = \"admin.sock\"\n}\n"
            "carrier \"bench\" {\n  host = \"127.0.0.1\"\n  port = %u\n  system_id = \"bench\"\n"
            "  password = \"bench\"\n  binds = %ld\n  window = 500\n  max_queue = 10000\n}\n"
            "route \"default\" {\n  carriers = {\"bench\"}\n}\n",
            level, b->dir, b->http_port, b->smsc_port, b->binds);
    fclose(f);
}

static void limit_cb(evutil_socket_t fd, short what, void *arg)
{
    struct bench *b = arg;
    (void)fd;
    (void)what;
    flow_complain(b,
                  "not done in time: %ld bound, %ld sent, %ld receipts acknowledged, %ld verified",
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
    char path[128], program[PATH_MAX + 16], args[300];
    snprintf(args, sizeof args, "pinkey new '%s/pin.key'", b->dir);
    control(b, b->key, sizeof b->key, args);
    b->http_port = free_port(b);
    snprintf(path, sizeof path, "%s/pinbind.conf", b->dir);
    write_config(b, path, level);
    snprintf(program, sizeof program, "%s/pinbindd", b->build);
    b->gateway = process_start(b->dir, "pinbindd.log", (const char *[]){program, "-c", path, NULL});
    loop(b, START_S);
    for (int i = 0; i < START_S * 20; i++) { /* until the store is up, too */
        control(b, b->key, sizeof b->key, "account create bench");
        if (b->key[0])
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

/* --- numbers ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* p50 and p99 in milliseconds. */
static void take_times(const struct bench *b, size_t offset, double *p50, double *p99)
{
    int64_t *us = malloc((size_t)b->flows * sizeof *us);
    for (long i = 0; us && i < b->flows; i++)
        memcpy(&us[i], (const char *)&b->pins[HELD + i] + offset, sizeof us[i]);
    if (!us)
        abort();
    qsort(us, (size_t)b->flows, sizeof *us, compare);
    *p50 = (double)us[b->flows / 2] / 1000;
    *p99 = (double)us[b->flows * 99 / 100] / 1000;
    free(us);
}

static void print_table(const struct result *r, size_t n)
{
    static const struct {
        const char *name;
        int decimals;
    } rows[] = {
#define X(id, name, decimals) {name, decimals},
        ROW_LIST(X)
#undef X
    };
    printf("%-34s", "");
    for (size_t i = 0; i < n; i++)
        printf("%7s %-5s", r[i].door, r[i].level);
    for (size_t row = 0; row < N_ROWS; row++) {
        printf("\n%-34s", rows[row].name);
        for (size_t i = 0; i < n; i++)
            printf("%12.*f ", rows[row].decimals, r[i].rows[row]);
    }
    printf("\n");
}

/* --- a run ------------------------------------------------------------------------------------ */

static void measure_held(struct bench *b, double *rows)
{
    double memory = process_redis_memory(b->ask);
    b->is_holding = true;
    b->end = HELD;
    flow_clients_start(b);
    loop(b, RUN_S);
    rows[ROW_HELD] = (process_redis_memory(b->ask) - memory) / HELD;
}

/* Acknowledged is a receipt that is only parked, too. */
static void check_receipts(struct bench *b)
{
    static const char name[] = "\"receipts_matched\":";
    char info[2000];
    control(b, info, sizeof info, "--json info");
    const char *at = strstr(info, name);
    long matched = at ? strtol(at + sizeof name - 1, NULL, 10) : -1;
    if (matched != b->flows)
        flow_complain(b, "%ld receipts matched of %ld", matched, b->flows);
}

static void measure(struct bench *b, double *rows)
{
    double gateway = process_cpu_us(b->gateway), redis = process_cpu_us(b->redis),
           own = process_cpu_us(getpid());
    double memory = process_redis_memory(b->ask), n = (double)b->flows;
    struct mono begin = mono_now();
    b->is_holding = false;
    b->end = HELD + b->flows;
    flow_clients_start(b);
    loop(b, RUN_S);
    rows[ROW_RATE] = n * 1e6 / (double)mono_diff_us(mono_now(), begin);
    rows[ROW_GATEWAY] = (process_cpu_us(b->gateway) - gateway) / n;
    rows[ROW_REDIS] = (process_cpu_us(b->redis) - redis) / n;
    rows[ROW_OWN] = (process_cpu_us(getpid()) - own) / n;
    rows[ROW_KB] = (double)process_status_kb(b->gateway, "VmHWM:");
    rows[ROW_KEPT] = (process_redis_memory(b->ask) - memory) / n;
    take_times(b, offsetof(struct pin, send_us), &rows[ROW_SEND_P50], &rows[ROW_SEND_P99]);
    take_times(b, offsetof(struct pin, verify_us), &rows[ROW_VERIFY_P50], &rows[ROW_VERIFY_P99]);
    check_receipts(b);
}

static void clean_up(struct bench *b)
{
    char command[128];
    flow_clients_free(b);
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
static void run(struct bench b, struct result *out)
{
    snprintf(b.dir, sizeof b.dir, "/tmp/pinbind-flow.XXXXXX");
    b.base = event_base_new();
    b.limit = b.base ? evtimer_new(b.base, limit_cb, &b) : NULL;
    b.clients = calloc((size_t)b.connections, sizeof *b.clients);
    b.pins = calloc((size_t)b.flows + HELD, sizeof *b.pins);
    b.receipts = calloc((size_t)b.flows, sizeof *b.receipts);
    if (!mkdtemp(b.dir) || !b.limit || !b.clients || !b.pins || !b.receipts)
        abort();
    flow_smsc_start(&b);
    b.ask = process_redis(b.dir, &b.redis);
    if (!b.ask)
        die(&b, "redis-server did not start");
    gateway_start(&b, out->level);
    flow_clients_connect(&b);
    fprintf(stderr, "%s, log_level %s: pinbindd is %d, redis-server %d\n", out->door, out->level,
            (int)b.gateway, (int)b.redis);
    measure_held(&b, out->rows);
    measure(&b, out->rows);
    clean_up(&b);
    out->errors = b.errors;
}

/* The doors and levels that were asked for. */
static int run_all(struct bench *b, const char *level)
{
    static const struct flow_door *const doors[] = {&flow_door_resp, &flow_door_http};
    static const char *const levels[] = {"warn", "info"};
    const struct flow_door *only = b->door;
    struct result results[RUNS_MAX] = {0};
    size_t n = 0;
    long errors = 0;
    for (size_t i = 0; i < RUNS_MAX; i++) {
        b->door = doors[i / 2];
        if ((only && b->door != only) || (level && i % 2))
            continue;
        results[n] = (struct result){.door = b->door->name, .level = level ? level : levels[i % 2]};
        run(*b, &results[n]);
        errors += results[n++].errors;
    }
    printf("%ld flows, %ld connections, %ld binds, receipts after %ld ms, %ld errors\n", b->flows,
           b->connections, b->binds, b->receipt_delay_ms, errors);
    print_table(results, n);
    return errors != 0;
}

static long at_least_1(const char *s)
{
    long n = strtol(s, NULL, 10);
    return n > 0 ? n : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"door", required_argument, NULL, 'D'}, {0}};
    struct bench b = {.flows = 10000, .connections = 64, .binds = 1, .receipt_delay_ms = 20};
    const char *level = NULL;
    int c;
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "n:c:b:d:l:", options, NULL)) != -1) {
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
        else if (c == 'D' && strcmp(optarg, "resp") == 0)
            b.door = &flow_door_resp;
        else if (c == 'D' && strcmp(optarg, "http") == 0)
            b.door = &flow_door_http;
        else
            return 2;
    }
    /* build/bench/flow: the programs are in build/ */
    ssize_t n = readlink("/proc/self/exe", b.build, sizeof b.build - 1);
    for (int i = 0; n > 0 && i < 2; i++)
        *strrchr(b.build, '/') = 0;
    return run_all(&b, level);
}
