#include "smpp/smpp_frame.h"

#include "base/buf.h"

enum smpp_frame_result smpp_frame_next(const uint8_t *p, size_t len, size_t cap,
                                       struct smpp_frame *out, size_t *need)
{
    *need = SMPP_HEADER_SIZE;
    if (len < 4)
        return SMPP_FRAME_MORE;
    struct rd r = rd_init(p, len);
    size_t length = rd_u32(&r);
    if (length < SMPP_HEADER_SIZE)
        return SMPP_FRAME_CORRUPT;
    if (length > cap)
        return SMPP_FRAME_TOO_LONG;
    *need = length;
    if (len < length)
        return SMPP_FRAME_MORE;
    out->p = p;
    out->len = length;
    out->command_id = rd_u32(&r);
    out->command_status = rd_u32(&r);
    out->sequence_number = rd_u32(&r);
    return SMPP_FRAME_OK;
}
