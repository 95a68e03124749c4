/*
 * One command on its way: its octets in RESP form, and whom to tell.
 *
 * The octets are kept until the answer, because a script that the server has forgotten is sent
 * again.  A call stands in the connection's list until its reply has come (replies come in
 * order), and in one of the two deadline lists until its callback was called.
 */
#ifndef STORE_CALL_H
#define STORE_CALL_H

#include "base/clock.h"
#include "store/store.h"

/* Octets of one command; a longer one is refused with ERR_TOOLONG. */
#define CALL_MAX_OCTETS (1024 * 1024)
/* Octets of all commands without an answer; beyond it ERR_FULL. */
#define CALLS_MAX_OCTETS (64 * 1024 * 1024)

/* Whom the answer is for. */
struct call_to {
    store_cb cb; /* may be NULL */
    void *arg;
    struct store_script *script; /* of an EVALSHA, else NULL */
};

struct call {
    struct call *prev, *next;         /* all that wait for a reply, in order of sending */
    struct call *due_prev, *due_next; /* those whose callback is still to be called */
    struct call_to to;
    struct mono sent;
    struct mono deadline;
    uint64_t start; /* octets that the connection had taken before this one */
    uint8_t resent; /* times sent again after NOSCRIPT */
    bool told;      /* the callback was called: the reply, if it comes, is swallowed */
    bool internal;  /* of the store itself: not counted for the user */
    bool is_secret; /* wiped before it is freed */
    size_t len;
    char octets[];
};

/* A command is put together from up to a few runs of arguments. */
struct call_part {
    const struct store_arg *argv;
    size_t argc;
};

int store_call_new(struct call **out, const struct call_part *parts, size_t n_parts,
                   const struct call_to *to) __attribute__((warn_unused_result));
void store_call_free(struct call *c);

#endif
