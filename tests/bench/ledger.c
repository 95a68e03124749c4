/*
 * What one PIN costs in Redis and in the ledger: open, sent, receipt and verify, some hundred
 * flows under way at once, against a redis-server of its own with an AOF written each second.
 *
 *   ledger [flows [under way [everysec|no|always]]]
 *
 * Prints CPU microseconds per flow of both processes.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/reap.h"
#include "pin/ledger.h"
#include "store/store.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define APP "0123456789ABCDEF0123456789ABCDEF"

struct bench {
    struct event_base *base;
    struct store *store;
    struct pin_ledger *ledger;
    struct pin_keyring *ring;
    struct pin_policy policy;
    struct pin_app app;
    long to_start, running, done, failed;
};

struct flow {
    struct bench *b;
    int step;
    struct msisdn msisdn;
    struct pin_drawn drawn;
    char message_id[16];
};

static const struct pin_spec spec = {PIN_NUMERIC, 6, false};
static const uint8_t sealed[60] = {1};

static void flow_cb(void *arg, const struct pin_answer *answer);

static int flow_admit(struct flow *f)
{
    return pin_ledger_admit_app(f->b->ledger, &f->b->app, flow_cb, f);
}

static int flow_open(struct flow *f)
{
    const struct pin_open o = {.drawn = &f->drawn,
                               .owner = {"demo", APP, &f->msisdn},
                               .spec = &spec,
                               .policy = &f->b->policy,
                               .template_id = APP,
                               .sealed = sealed,
                               .sealed_len = sizeof sealed,
                               .carrier = "acme"};
    return pin_ledger_open(f->b->ledger, &o, flow_cb, f);
}

static int flow_sent(struct flow *f)
{
    const struct pin_sent s = {.owner = {"demo", APP, &f->msisdn},
                               .pin_id = f->drawn.pin_id,
                               .attempt = 1,
                               .carrier = "acme",
                               .id_mode = PIN_ID_HEX,
                               .message_id = f->message_id,
                               .message_id_len = strlen(f->message_id),
                               .state = PIN_ATT_ACCEPTED};
    return pin_ledger_sent(f->b->ledger, &s, flow_cb, f);
}

static int flow_receipt(struct flow *f)
{
    const struct pin_receipt r = {.carrier = "acme",
                                  .id_mode = PIN_ID_HEX,
                                  .message_id = f->message_id,
                                  .message_id_len = strlen(f->message_id),
                                  .msisdn = &f->msisdn,
                                  .state = PIN_ATT_DELIVERED,
                                  .final = true,
                                  .err = "000",
                                  .err_len = 3,
                                  .done_ms = -1};
    return pin_ledger_receipt(f->b->ledger, &r, flow_cb, f);
}

static int flow_verify(struct flow *f)
{
    return pin_ledger_verify(f->b->ledger, "demo", f->drawn.pin_id, f->drawn.pin,
                             strlen(f->drawn.pin), flow_cb, f);
}

static int (*const steps[])(struct flow *) = {flow_admit, flow_open, flow_sent, flow_receipt,
                                              flow_verify};
#define N_STEPS (int)(sizeof steps / sizeof steps[0])

static void flow_start(struct bench *b)
{
    struct flow *f = calloc(1, sizeof *f);
    const struct pin_owner owner = {"demo", APP, &f->msisdn};
    char number[32];
    long n = b->to_start--;

    snprintf(number, sizeof number, "38591%07ld", n);
    f->b = b;
    /* Without the application's window when there is none. */
    f->step = b->app.id[0] == '\0' ? 1 : 0;
    snprintf(f->message_id, sizeof f->message_id, "%08lx", n * 2654435761 % 4294967296);
    if (msisdn_parse(number, strlen(number), &f->msisdn) < 0 ||
        pin_draw(b->ring, &spec, &owner, 30, &f->drawn) < 0 || steps[f->step](f) < 0)
        abort();
    b->running++;
}

static void flow_cb(void *arg, const struct pin_answer *answer)
{
    struct flow *f = arg;
    struct bench *b = f->b;

    if (answer->result < 0 || answer->verdict != PIN_OK)
        b->failed++;
    else if (++f->step < N_STEPS && steps[f->step](f) == 0)
        return;
    b->done++;
    b->running--;
    free(f);
    if (b->to_start > 0)
        flow_start(b);
    else if (b->running == 0)
        event_base_loopbreak(b->base);
}

static double cpu_us(struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e6 +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static double own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return cpu_us(&u);
}

static double info_value(redisContext *c, const char *section, const char *name)
{
    redisReply *r = redisCommand(c, "INFO %s", section);
    const char *at = r != NULL && r->str != NULL ? strstr(r->str, name) : NULL;
    double v = at != NULL ? strtod(at + strlen(name) + 1, NULL) : 0;

    freeReplyObject(r);
    return v;
}

static double redis_cpu_us(redisContext *c)
{
    return 1e6 * (info_value(c, "cpu", "used_cpu_user") + info_value(c, "cpu", "used_cpu_sys"));
}

static pid_t redis_start(const char *dir, const char *socket, const char *fsync)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
           "--appendonly", strcmp(fsync, "no") == 0 ? "no" : "yes", "--appendfsync", fsync,
           "--maxmemory-policy", "noeviction", "--loglevel", "warning", "--dir", dir, (char *)NULL);
    _exit(127);
}

static void print_commands(redisContext *c, long flows)
{
    redisReply *r = redisCommand(c, "INFO commandstats");

    for (char *line = r->str; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *usec = strstr(line, "usec=");
        if (strncmp(line, "cmdstat_", 8) == 0 && usec != NULL)
            printf("  %-12.*s %7.2f us a flow\n", (int)strcspn(line + 8, ":"), line + 8,
                   strtod(usec + 5, NULL) / (double)flows);
    }
    freeReplyObject(r);
}

static void run(struct bench *b, redisContext *c, long flows, long at_once)
{
    double redis = redis_cpu_us(c), own = own_cpu_us();
    struct mono begin = mono_now();

    freeReplyObject(redisCommand(c, "CONFIG RESETSTAT"));
    b->to_start = flows;
    for (long i = 0; i < at_once && b->to_start > 0; i++)
        flow_start(b);
    event_base_dispatch(b->base);
    double ms = (double)mono_diff_ms(mono_now(), begin);
    printf("%ld flows (%ld failed), %.0f/s: redis %.1f us, ledger with drawing %.1f us a flow\n",
           b->done, b->failed, (double)b->done * 1000 / ms,
           (redis_cpu_us(c) - redis) / (double)flows, (own_cpu_us() - own) / (double)flows);
    print_commands(c, flows);
}

int main(int argc, char **argv)
{
    long flows = argc > 1 ? atol(argv[1]) : 100000, at_once = argc > 2 ? atol(argv[2]) : 256;
    const char *fsync = argc > 3 ? argv[3] : "everysec";
    char dir[] = "/tmp/pinbind-bench.XXXXXX", socket[64], url[80], keys[64], why[128];
    struct bench b = {.base = event_base_new()};
    redisContext *c = NULL;

    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LV_ERROR);
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(socket, sizeof socket, "%s/redis.sock", dir);
    snprintf(url, sizeof url, "unix:%s", socket);
    snprintf(keys, sizeof keys, "%s/keys", dir);
    pid_t redis = redis_start(dir, socket, fsync);
    while ((c = redisConnectUnix(socket)) == NULL || c->err != 0) {
        redisFree(c);
        usleep(5000);
    }
    if (pin_keyfile_new(keys, why, sizeof why) < 0 ||
        pin_keyring_load(keys, &b.ring, why, sizeof why) < 0 ||
        pin_random_start(b.ring, &(struct pin_random_options){0}) < 0)
        return 1;
    pin_policy_default(&b.policy);
    struct reap *reap = reap_new(b.base);
    b.store = store_new(b.base, reap, NULL, &(struct store_options){.url = url});
    b.ledger = pin_ledger_new(&(struct pin_ledger_options){
        .base = b.base, .store = b.store, .ring = b.ring, .where_cache = 200000});
    while (!store_is_up(b.store))
        event_base_loop(b.base, EVLOOP_ONCE);
    run(&b, c, flows, at_once);
    printf("memory %.0f octets a flow\n", info_value(c, "memory", "used_memory") / (double)flows);
    str_copy(b.app.id, sizeof b.app.id, APP);
    b.app.policy = b.policy;
    b.app.policy.per_app.count = 1000000000;
    b.done = b.failed = 0;
    freeReplyObject(redisCommand(c, "FLUSHALL"));
    printf("with the application's window:\n");
    run(&b, c, flows, at_once);
    pin_ledger_free(b.ledger);
    store_free(b.store);
    reap_free(reap);
    event_base_free(b.base);
    pin_random_stop();
    pin_keyring_free(b.ring);
    redisFree(c);
    kill(redis, SIGKILL);
    waitpid(redis, NULL, 0);
    snprintf(url, sizeof url, "rm -rf %s", dir);
    return system(url) == 0 ? 0 : 1;
}
