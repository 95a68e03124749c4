#include "smpp/smpp_const.h"

#include "smpp/smpp.h"

#include <stddef.h>

const char *smpp_command_name(uint32_t id)
{
    switch (id) {
#define SMPP_COMMAND(value, NAME, name)                                                            \
    case value:                                                                                    \
        return name;
#include "smpp/smpp_const.def"
    default:
        return NULL;
    }
}

static bool status_is_vendor(uint32_t status)
{
    return status >= 0x400 && status <= 0x4FF;
}

const char *smpp_status_name(uint32_t status)
{
    switch (status) {
#define SMPP_STATUS(value, NAME, class, text)                                                      \
    case value:                                                                                    \
        return "ESME_" #NAME;
#include "smpp/smpp_const.def"
    default:
        return status_is_vendor(status) ? "vendor" : "reserved";
    }
}

const char *smpp_status_text(uint32_t status)
{
    switch (status) {
#define SMPP_STATUS(value, NAME, class, text)                                                      \
    case value:                                                                                    \
        return text;
#include "smpp/smpp_const.def"
    default:
        return status_is_vendor(status) ? "the operator's own error" : "reserved status";
    }
}

enum smpp_status_class smpp_status_class(uint32_t status)
{
    switch (status) {
#define SMPP_STATUS(value, NAME, class, text)                                                      \
    case value:                                                                                    \
        return SMPP_CLASS_##class;
#include "smpp/smpp_const.def"
    default: /* vendor and reserved: nothing says that a repetition would help */
        return SMPP_CLASS_PERMANENT;
    }
}

const char *smpp_tlv_name(uint16_t tag)
{
    switch (tag) {
#define SMPP_TLV(value, NAME, name)                                                                \
    case value:                                                                                    \
        return name;
#include "smpp/smpp_const.def"
    default:
        return NULL;
    }
}

const char *smpp_message_state_name(int state)
{
    switch (state) {
#define SMPP_MESSAGE_STATE(value, name)                                                            \
    case value:                                                                                    \
        return name;
#include "smpp/smpp_const.def"
    default:
        return "UNKNOWN";
    }
}
