/*
 * The facts of smpp_const.def as enums: command ids (5.1.2.1), command statuses (5.1.3), TLV tags
 * (5.3.2).  Names with their texts and classes come from smpp.h.
 */
#ifndef SMPP_SMPP_CONST_H
#define SMPP_SMPP_CONST_H

#include <stdbool.h>
#include <stdint.h>

#define SMPP_RESPONSE 0x80000000u

enum smpp_command {
#define SMPP_COMMAND(id, NAME, name) SMPP_##NAME = (int)(id),
#include "smpp/smpp_const.def"
};

enum smpp_status {
#define SMPP_STATUS(value, NAME, class, text) ESME_##NAME = (value),
#include "smpp/smpp_const.def"
};

enum smpp_tag {
#define SMPP_TLV(tag, NAME, name) SMPP_TLV_##NAME = (tag),
#include "smpp/smpp_const.def"
};

/* "invalid password"; one sentence fragment for people, never NULL. */
const char *smpp_status_text(uint32_t status);
/* "message_payload", or NULL for a tag that is not of SMPP 3.4 or 5.0. */
const char *smpp_tlv_name(uint16_t tag);
static inline bool smpp_is_response(uint32_t command_id)
{
    return (command_id & SMPP_RESPONSE) != 0;
}

#endif
