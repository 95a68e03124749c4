/*
 * From a stream of octets to whole PDUs (SMPP 3.4 section 3.2): only the header is looked at.
 *
 * A command_length under 16 or over the cap means that framing is lost: it is told from the first
 * four octets, and nothing that follows on this connection can be trusted.
 */
#ifndef SMPP_SMPP_FRAME_H
#define SMPP_SMPP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define SMPP_HEADER_SIZE 16
#define SMPP_PDU_CAP     (64 * 1024 + 1024) /* message_payload of 64 KiB and its surroundings */

enum smpp_frame_result {
    SMPP_FRAME_OK,
    SMPP_FRAME_MORE,     /* need more octets; nothing consumed */
    SMPP_FRAME_TOO_LONG, /* command_length over the cap: nack, close */
    SMPP_FRAME_CORRUPT,  /* command_length under 16: nack, close */
};

struct smpp_frame {
    const uint8_t *p; /* the whole PDU, len == command_length */
    size_t len;
    uint32_t command_id, command_status, sequence_number;
};

/* *need: octets in all that the PDU at p takes (16 while its length is not known); set for OK and
 * MORE. */
enum smpp_frame_result smpp_frame_next(const uint8_t *p, size_t len, size_t cap,
                                       struct smpp_frame *out, size_t *need);

#endif
