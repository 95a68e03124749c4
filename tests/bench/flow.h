/*
 * The parts of the bench of whole PINs: flow.c (options, processes, the table of what was
 * measured), flow_smsc.c, and the application: flow_client.c (connections with one PIN under way
 * each) behind one of its doors, flow_door_resp.c or flow_door_http.c.
 */
#ifndef TESTS_BENCH_FLOW_H
#define TESTS_BENCH_FLOW_H

#include "base/clock.h"

#include <event2/bufferevent.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define BINDS_MAX  16
#define HELD       2000          /* PINs that are sent only, to see what one under way takes */
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
    char pin_id[40]; /* empty until the send is answered */
    struct mono asked;
};

/* What is looked at of an answer, from whichever door. */
struct flow_reply {
    char pin_id[40], sms_status[40];
    bool is_verified;
    char trouble[100]; /* empty: none */
};

struct flow_door {
    const char *name;
    socklen_t (*address)(const struct bench *b, struct sockaddr_storage *out);
    void (*send)(struct client *c);
    void (*verify)(struct client *c);
    bool (*take)(struct client *c, struct flow_reply *out); /* false: not whole yet */
};
extern const struct flow_door flow_door_resp, flow_door_http;

struct bench {
    const struct flow_door *door;
    long flows, connections, binds, receipt_delay_ms;
    char dir[64], build[PATH_MAX], key[160], app[40], template[40];
    struct event_base *base;
    struct evconnlistener *smsc;
    struct event *receipt_timer, *limit;
    uint16_t smsc_port, http_port;
    struct bufferevent *bound[BINDS_MAX];
    long n_bound;
    pid_t redis, gateway;
    redisContext *ask; /* to ask Redis about itself */
    struct client *clients;
    struct pin *pins; /* HELD + flows */
    long *receipts;   /* PINs whose receipt is due, in order */
    long first_receipt, n_receipts;
    long to_start, end; /* the next PIN, and the one after the last */
    bool is_holding;    /* no receipts and no verify */
    bool is_stopping;
    long sent, acked, verified, errors;
};

void flow_complain(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void flow_check_done(struct bench *b);
/* For bufferevents of the SMSC and of clients; the argument is the bench. */
void flow_lost_cb(struct bufferevent *bev, short what, void *bench);
void flow_smsc_start(struct bench *b);
void flow_clients_connect(struct bench *b);
void flow_clients_start(struct bench *b);
void flow_clients_free(struct bench *b);

#endif
