/*
 * The soak: SOAK_MESSAGES submits through carriers of the library itself, against peers in
 * processes of their own that misbehave.  What the peers log is read by a process of its own, the
 * auditor, into a book that both share; at the end the two accounts of each message must agree.
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOAK_PEERS 4
#define SOAK_FIRST UINT64_C(385910000000) /* destination of message 0 */
#define SOAK_OPEN  255                    /* no outcome yet */

struct soak_message {
    uint8_t outcome;        /* enum smpp_outcome; SOAK_OPEN; by the library */
    uint8_t outcomes;       /* callbacks */
    uint8_t parts;          /* segments that it may become */
    uint8_t carrier;        /* index */
    uint8_t taken, refused; /* submit_sm of it that the peer logged */
};

/* What a peer logged. */
struct soak_log {
    uint16_t port;                               /* 0: it does not listen yet */
    uint64_t submits, taken, refused, strangers; /* strangers: of no message of ours */
    uint64_t receipts, answered, lost;           /* lost: unanswered when their connection ended */
    uint64_t binds, closes;
    uint64_t complaints; /* about what the library wrote */
};

struct soak_book {
    uint32_t n_messages;
    struct soak_log logs[SOAK_PEERS];
    struct soak_message messages[];
};

/* Reads the logs of the peers to their ends. */
void soak_audit(struct soak_book *book, const int fds[SOAK_PEERS]);

#endif
