#include "smpp/smpp_mode.h"

#include "smpp/smpp_const.h"
#include "smpp/smpp_session.h"

static const struct smpp_mode_row rows[] = {
    [SMPP_TRANSCEIVER] = {"transceiver", NULL, SMPP_BIND_TRANSCEIVER, 0},
    [SMPP_RECEIVER] = {"receiver", "rx", SMPP_BIND_RECEIVER, SMPP_TAKES_ANSWER},
    [SMPP_TRANSMITTER] = {"transmitter", "tx", SMPP_BIND_TRANSMITTER, SMPP_TAKES_DELIVERY},
};

const struct smpp_mode_row *smpp_mode_row(enum smpp_mode mode)
{
    return &rows[mode];
}

bool smpp_mode_is_dialled(const struct smpp_carrier_options *o, enum smpp_mode mode)
{
    return o->outbind_listen && *o->outbind_listen && mode != SMPP_TRANSMITTER;
}

static uint32_t legs(const struct smpp_carrier_options *o)
{
    return o->mode == SMPP_PAIR ? 2 : 1;
}

uint32_t smpp_mode_links(const struct smpp_carrier_options *o)
{
    return o->binds * legs(o);
}

enum smpp_mode smpp_mode_of_link(const struct smpp_carrier_options *o, uint32_t nth)
{
    if (o->mode != SMPP_PAIR)
        return o->mode;
    return nth % 2 == 0 ? SMPP_TRANSMITTER : SMPP_RECEIVER;
}

uint32_t smpp_mode_bind_of_link(const struct smpp_carrier_options *o, uint32_t nth)
{
    return nth / legs(o);
}
