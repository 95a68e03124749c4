/*
 * What one connection still has to write: control PDUs (answers, enquire_link, unbind) and data
 * (bind and submit_sm) as two bounded streams of whole PDUs.
 *
 * Control goes first, but never into the middle of a data PDU whose first octets have left.  The
 * data stream counts its octets from 0: an entry whose offset is below the written count has left
 * in part or in whole, all others can be retracted without a trace.  Octets are wiped when they
 * have been written.
 */
#ifndef SMPP_SMPP_OUTPUT_H
#define SMPP_SMPP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct smpp_stream {
    uint8_t *p;
    size_t cap, head, tail;
};

struct smpp_output {
    struct smpp_stream control, data;
    size_t begun;          /* octets left of the data PDU whose first octets have left */
    uint64_t data_written; /* octets of the data stream that the kernel took */
};

#define SMPP_OUTPUT_IOV 3

int smpp_output_init(struct smpp_output *o, size_t control_cap, size_t data_cap)
    __attribute__((warn_unused_result));
void smpp_output_clear(struct smpp_output *o);

static inline bool smpp_output_is_empty(const struct smpp_output *o)
{
    return o->control.head == o->control.tail && o->data.head == o->data.tail;
}
/* Free octets. */
size_t smpp_output_control_room(const struct smpp_output *o);
size_t smpp_output_data_room(const struct smpp_output *o);
/* One whole control PDU; ERR_FULL leaves it out. */
int smpp_output_control(struct smpp_output *o, const uint8_t *pdu, size_t len)
    __attribute__((warn_unused_result));
/* Where a data PDU of up to n octets can be written, or NULL; then commit what it took. */
uint8_t *smpp_output_reserve(struct smpp_output *o, size_t n);
void smpp_output_commit(struct smpp_output *o, size_t n);
/* The offset that the next data PDU will have. */
uint64_t smpp_output_data_end(const struct smpp_output *o);

/* The pieces to write, in order; returns how many. */
int smpp_output_iov(const struct smpp_output *o, struct iovec iov[SMPP_OUTPUT_IOV]);
/* The kernel took the first n octets of them. */
void smpp_output_wrote(struct smpp_output *o, size_t n);
/* Drops every data PDU of which no octet has left. */
void smpp_output_retract(struct smpp_output *o);

#endif
