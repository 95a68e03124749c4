/*
 * The simulator as a whole: what its parts share.
 *
 * One thread, one loop.  A turn of the loop collects events and answers; smsc_turn_end() then
 * writes the events, only after them the answers, and frees what ended (nothing is freed inside
 * its own callback).
 */
#ifndef TESTS_SIM_SMSC_H
#define TESTS_SIM_SMSC_H

#include "tests/sim/conn.h"
#include "tests/sim/fault.h"
#include "tests/sim/inbox.h"
#include "tests/sim/msg.h"
#include "tests/sim/options.h"
#include "tests/sim/text.h"
#include "tests/sim/pdu.h"
#include "tests/sim/wheel.h"
#include "tests/sim/witness.h"

struct event_base;
struct event;
struct evconnlistener;
struct web;

struct delayed;

struct account {
    const char *system_id;
    const char *password;
    struct conn *receivers; /* bound and able to take receipts; the next to use is first */
    struct msg *waiting;    /* receipts without a bind or a window, oldest first */
};

struct stats {
    uint64_t submits;
    uint64_t accepted;
    uint64_t responses;
    uint64_t receipts;
    uint64_t receipts_acknowledged;
    uint64_t receipts_dropped;
};

struct smsc {
    struct options opt;
    struct dice dice;
    struct event_base *base;
    struct wheel *wheel;
    struct witness *out;
    struct evconnlistener *listener;
    struct event *second;
    struct event *sig[2];
    struct web *web; /* NULL without a page */
    struct conn_set conns;
    struct msg_ring msgs;
    struct inbox *inbox;
    struct delayed *delayed; /* answers to come */
    struct account account[OPTIONS_ACCOUNTS_MAX];
    struct stats stats;
    char text[TEXT_OUT(PDU_MAX)]; /* of the message at hand */
};

/* ERR_IO after one line on standard error; smsc_free() is due in any case. */
int smsc_start(struct smsc *s) __attribute__((warn_unused_result));
/* Until SIGTERM or SIGINT; the exit status. */
int smsc_run(struct smsc *s);
void smsc_free(struct smsc *s);

#endif
