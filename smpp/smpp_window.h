/*
 * The window of one connection: submits that wait for their answer, found by sequence number.
 *
 * An entry is one message from smpp_submit() to its outcome.  It comes from the slab of its
 * carrier and is in one list at a time: spare, queue, or a window.  A window keeps its entries in
 * the order of sending, which is the order of their deadlines too, so the oldest tells when the
 * next one is due.  Sequence numbers run 1..0x7fffffff and skip those in flight (SMPP 3.4, 3.2).
 * The latest SMPP_LATE_MAX submits that were given up stay known by their sequence number.
 */
#ifndef SMPP_SMPP_WINDOW_H
#define SMPP_SMPP_WINDOW_H

#include "smpp/smpp.h"
#include "smpp/smpp_text.h"

#define SMPP_SEQUENCE_MAX 0x7fffffffu
#define SMPP_LATE_MAX     1024
#define SMPP_ADDRESS_MAX  20 /* octets of an address without its NUL (5.2.8, 5.2.9) */

struct smpp_sender {
    uint8_t ton, npi;
    char address[SMPP_ADDRESS_MAX + 1];
};
/* source as in struct smpp_message.  Digits are international ISDN, few digits a short code,
 * letters alphanumeric (5.2.5, 5.2.6); ERR_INVALID: none of them. */
int smpp_sender_fill(struct smpp_sender *out, const struct smpp_carrier_options *o,
                     const char *source) __attribute__((warn_unused_result));

struct smpp_long;

struct smpp_text {
    uint8_t data_coding;
    bool is_packed; /* octets are septets, to be packed when they are sent */
    uint8_t len;
    uint8_t octets[SMPP_TEXT_MAX];
};

struct smpp_entry {
    struct smpp_entry *prev, *next;
    smpp_submit_cb cb;
    void *arg;
    struct mono since;       /* of smpp_submit() */
    struct mono deadline;    /* to be written by then */
    struct mono valid_until; /* us 0: no validity_period */
    struct mono written;     /* when it went to its connection */
    struct mono expires;     /* when its answer is given up */
    uint64_t offset;         /* of its first octet in the data stream of the connection */
    uint32_t sequence;
    uint32_t throttle_status; /* the last one it got, 0: none yet */
    struct mono full_at;      /* when it last got ESME_RMSGQFUL, us 0: never */
    struct mono again_at;     /* it waits by itself until then, us 0: it does not */
    int32_t reference;        /* user_message_reference of its first part, -1: none */
    struct smpp_sender sender;
    char destination[SMPP_ADDRESS_MAX + 1];
    struct smpp_long *parts; /* NULL: one segment; else its octets are there */
    struct smpp_text text;   /* wiped when the entry becomes spare */
};

/*
 * Numbers that messages of a carrier bear; they begin anywhere, because another process, or this
 * one a moment ago, may send for the same account.  The parts of a long message find together by
 * sender, receiver and reference, so each pair of addresses counts for itself, as far as there are
 * slots: others that share one make no harm until there are 256 between two messages of a pair.
 */
#define SMPP_REFERENCE_SLOTS 4096
struct smpp_references {
    uint16_t user; /* user_message_reference */
    uint32_t seed;
    uint16_t slots[SMPP_REFERENCE_SLOTS]; /* of concatenation, by the addresses */
};
void smpp_references_init(struct smpp_references *r);

/* Addresses, deadline, text and references; ERR_INVALID or ERR_TOOLONG: it cannot be sent. */
int smpp_entry_fill(struct smpp_entry *e, const struct smpp_carrier_options *o,
                    const struct smpp_message *m, struct smpp_references *references)
    __attribute__((warn_unused_result));
/* Into a list in the order of deadlines, behind equal ones. */
void smpp_entry_insert(struct smpp_entry **list, struct smpp_entry *e);

/* What the caller is told of it, whatever its outcome; part_ids points into *r or e->parts. */
void smpp_entry_tell(const struct smpp_entry *e, struct smpp_result *r);

struct smpp_late {
    uint32_t sequence; /* 0: empty */
    int32_t reference;
    void *arg;
    struct mono written;
    uint8_t part, parts; /* which of how many */
};
struct smpp_late smpp_entry_late(const struct smpp_entry *e);
/* The answer is in *r; ids gets it as the one of its part. */
void smpp_late_tell(const struct smpp_late *l, struct smpp_str ids[SMPP_SEGMENTS_MAX],
                    struct smpp_result *r);

struct smpp_window {
    struct smpp_entry **slots; /* by sequence & mask */
    uint32_t mask;
    struct smpp_entry *entries; /* oldest first */
    uint32_t size, in_flight;
    uint32_t next_sequence;
    struct smpp_late *late; /* ring */
    uint32_t late_next;
};

int smpp_window_init(struct smpp_window *w, uint32_t size) __attribute__((warn_unused_result));
/* Makes room for another size; the caller sets it.  A smaller one counts as entries leave. */
int smpp_window_reserve(struct smpp_window *w, uint32_t size) __attribute__((warn_unused_result));
/* For a new connection: sequence numbers from 1, nothing remembered. The window must be empty. */
void smpp_window_reset(struct smpp_window *w);
void smpp_window_clear(struct smpp_window *w);

/* The next sequence number that no entry in flight has; also for requests without an entry. */
uint32_t smpp_window_sequence(struct smpp_window *w);
/* e->sequence comes from smpp_window_sequence(); in_flight is below size. */
void smpp_window_put(struct smpp_window *w, struct smpp_entry *e);
/* NULL: no entry has this sequence number. */
struct smpp_entry *smpp_window_find(const struct smpp_window *w, uint32_t sequence);
/* Likewise, and out of the window. */
struct smpp_entry *smpp_window_take(struct smpp_window *w, uint32_t sequence);
/* NULL when empty; they stay in the window. */
struct smpp_entry *smpp_window_oldest(const struct smpp_window *w);
struct smpp_entry *smpp_window_newest(const struct smpp_window *w);
/* The oldest, taken out and remembered, when its answer is due; else NULL. */
struct smpp_entry *smpp_window_expire(struct smpp_window *w, struct mono now);
/* Was it given up? Tells once. */
bool smpp_window_take_late(struct smpp_window *w, uint32_t sequence, struct smpp_late *out);

#endif
