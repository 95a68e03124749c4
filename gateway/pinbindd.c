/* pinbindd: the daemon, in the foreground, logging to standard error. */
#include "base/log.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "pin/pin.h"

#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const char usage[] = "usage: pinbindd -c FILE [-t]\n"
                            "  -c FILE    configuration file, see pinbind.conf(5)\n"
                            "  -t         check the file and the PIN key file, then exit\n"
                            "  --version, --help\n";

struct args {
    const char *file;
    bool test;
};

/* 0: go on; else the exit status plus one. */
static int parse_args(int argc, char **argv, struct args *a)
{
    static const struct option longs[] = {
        {"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {0}};
    int c;
    while ((c = getopt_long(argc, argv, "c:th", longs, NULL)) != -1) {
        if (c == 'c')
            a->file = optarg;
        else if (c == 't')
            a->test = true;
        else if (c == 'V') {
            puts("pinbindd " PINBIND_VERSION);
            return 1;
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 1 : 2;
        }
    }
    if (!a->file || optind < argc) {
        fputs(usage, stderr);
        return 2;
    }
    return 0;
}

/* Keys and PINs are in this process's memory: no core dump, no ptrace by others of the user. */
static void protect_memory(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* As many descriptors as may be had: a client that finds none left would wait at the door. */
static void raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* arg: where the gateway will be.  NULL: it did not start. */
static void stop_cb(evutil_socket_t sig, short what, void *arg)
{
    struct gateway *g = *(struct gateway **)arg;
    (void)what;
    if (g)
        gateway_drain(g, sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void reload_cb(evutil_socket_t sig, short what, void *arg)
{
    struct gateway *g = *(struct gateway **)arg;
    struct gateway_reloaded out;
    (void)sig;
    (void)what;
    if (g && gateway_reload(g, "SIGHUP", &out))
        return; /* it is logged, and all is as it was */
}

static int serve(struct event_base *base, const struct config *config, struct gateway **g)
{
    char why[512];
    *g = gateway_new(base, config, why, sizeof why);
    if (!*g) {
        fprintf(stderr, "pinbindd: %s\n", why);
        return 1;
    }
    event_base_dispatch(base);
    LOG(LOG_LV_INFO, NULL, "stopped");
    return 0;
}

static int run(struct event_base *base, const struct config *config)
{
    struct gateway *g = NULL;
    /* Before the gateway: a signal while it starts waits for it. */
    struct event *all[] = {evsignal_new(base, SIGTERM, stop_cb, &g),
                           evsignal_new(base, SIGINT, stop_cb, &g),
                           evsignal_new(base, SIGHUP, reload_cb, &g)};
    int status = 0;
    for (size_t i = 0; i < 3; i++)
        if (!all[i] || event_add(all[i], NULL))
            status = 1;
    if (!status)
        status = serve(base, config, &g);
    gateway_free(g);
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            event_free(all[i]);
    return status;
}

static struct event_base *base_new(void)
{
    struct event_config *ec = event_config_new();
    if (!ec)
        return NULL;
    event_config_set_flag(ec, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    struct event_base *base = event_base_new_with_config(ec);
    event_config_free(ec);
    return base;
}

static int test_config(const struct config *config)
{
    char why[512];
    struct pin_keyring *ring = NULL;
    if (gateway_load_keys(config, &ring, why, sizeof why)) {
        fprintf(stderr, "pinbindd: %s\n", why);
        return 1;
    }
    pin_keyring_free(ring);
    printf("%s: the configuration is good\n", config->file);
    return 0;
}

int main(int argc, char **argv)
{
    struct args args = {0};
    struct config *config = NULL;
    struct config_error error;
    int stop = parse_args(argc, argv, &args);
    if (stop)
        return stop - 1;
    protect_memory();
    raise_descriptors();
    signal(SIGPIPE, SIG_IGN);
    if (config_load(args.file, &config, &error)) {
        fprintf(stderr, "pinbindd: %s\n", error.text);
        return 1;
    }
    log_set_level(config->log_level);
    struct event_base *base = args.test ? NULL : base_new();
    int status = args.test ? test_config(config) : base ? run(base, config) : 1;
    if (base)
        event_base_free(base);
    config_free(config);
    libevent_global_shutdown();
    return status;
}
