/*
 * What a connection is bound as (SMPP 3.4, table 2-1), and how the connections of a carrier are
 * numbered: bind 0, 1, ... is one of them each, with pairs the transmitter and then the receiver.
 */
#ifndef SMPP_SMPP_MODE_H
#define SMPP_SMPP_MODE_H

#include "smpp/smpp.h"

struct smpp_mode_row {
    const char *name;
    const char *leg;     /* of a pair; NULL: a pair has none of that kind */
    uint32_t command_id; /* of its bind request */
    unsigned refuses;    /* kinds of PDU (enum smpp_takes) that are not for it */
};
/* Of a connection: never SMPP_PAIR. */
const struct smpp_mode_row *smpp_mode_row(enum smpp_mode mode);

/* The peer makes the connection and says outbind. */
bool smpp_mode_is_dialled(const struct smpp_carrier_options *o, enum smpp_mode mode);
/* How many connections a carrier has. */
uint32_t smpp_mode_links(const struct smpp_carrier_options *o);
/* What the nth of them is bound as, and the bind that it belongs to. */
enum smpp_mode smpp_mode_of_link(const struct smpp_carrier_options *o, uint32_t nth);
uint32_t smpp_mode_bind_of_link(const struct smpp_carrier_options *o, uint32_t nth);

#endif
