/*
 * A message of several segments.  It is one entry that sends its parts (submit_sm) one after the
 * other, each after the answer to the one before: so they arrive in order, a window of 1 is enough,
 * and a throttled part is tried again alone.
 *
 * Text and ids are on the heap, so that entries stay small; the text is wiped at the end.
 */
#ifndef SMPP_SMPP_LONG_H
#define SMPP_SMPP_LONG_H

#include "smpp/smpp_encode.h"
#include "smpp/smpp_window.h"

#define SMPP_PART_ID_MAX 256 /* octets kept of the id of a part; a longer one is cut */

struct smpp_long {
    enum smpp_long_message way;
    uint8_t segments; /* on the air */
    uint8_t total;    /* submit_sm: as many, or one with message_payload */
    uint8_t next; /* the part that is sent next or waits for its answer; accepted: those before */
    bool is_held; /* waits in the list of a session */
    uint16_t reference;
    uint16_t ends[SMPP_SEGMENTS_MAX];       /* of each segment, in octets */
    struct smpp_str ids[SMPP_SEGMENTS_MAX]; /* those before next are on the heap, too */
    uint8_t octets[];                       /* before packing */
};

/* ERR_TOOLONG: more octets than message_payload takes. */
int smpp_long_new(const struct smpp_message *m, const struct smpp_text_form *form,
                  enum smpp_long_message way, struct smpp_long **out)
    __attribute__((warn_unused_result));
void smpp_long_free(struct smpp_long *p);

/* The part was accepted; false: it was the last one. */
bool smpp_long_took(struct smpp_long *p, struct smpp_str message_id);

/* What a part has beside what every part has. */
struct smpp_body {
    uint8_t esm_class; /* to be added */
    const uint8_t *p;  /* short_message */
    size_t len;
    struct smpp_put_tlv tlvs[SMPP_PUT_MAX];
    size_t n_tlvs;
    size_t made_len;
    uint8_t made[SMPP_PAYLOAD_MAX]; /* what had to be put together */
};
void smpp_body_fill(struct smpp_body *b, const struct smpp_entry *e);
void smpp_body_wipe(struct smpp_body *b);

/* A part of it was accepted, and there are others. */
static inline bool smpp_entry_is_begun(const struct smpp_entry *e)
{
    return e->parts && e->parts->next > 0;
}

/* Segments that its next submit_sm counts for the rates. */
static inline uint32_t smpp_entry_cost(const struct smpp_entry *e)
{
    return e->parts && e->parts->way == SMPP_LONG_PAYLOAD ? e->parts->segments : 1;
}

#endif
