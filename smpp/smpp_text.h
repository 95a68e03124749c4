/*
 * Text to octets and back: GSM 03.38 default alphabet with its extension table (8 bits a
 * character, as SMPP carries it), Latin-1, ASCII, and UCS-2 as UTF-16BE with surrogates.
 *
 * The default alphabet of the bind is taken when it holds every character, else UCS-2
 * (data_coding 8).
 *
 * One segment: what data_coding 0 becomes on the air is the operator's choice, so a text of which
 * every character is in GSM 03.38 counts 160 septets (a character of the extension table two) on
 * a GSM, Latin-1 or ASCII bind alike; any other Latin-1 or ASCII text counts 140 octets; UCS-2
 * counts 70 units (a character beyond U+FFFF two).  Several segments hold 153, 134 and 67 each,
 * and none divides an escape sequence or a surrogate pair.
 */
#ifndef SMPP_SMPP_TEXT_H
#define SMPP_SMPP_TEXT_H

#include "smpp/smpp.h"

#define SMPP_TEXT_MAX 253 /* octets of one short_message that the encoder takes */

struct smpp_text {
    uint8_t data_coding; /* 0 default alphabet, 8 UCS-2 */
    uint8_t octets[SMPP_TEXT_MAX];
    size_t len;
    int segments;
};

/* ERR_INVALID: not UTF-8; ERR_TOOLONG: more than one segment (out->segments says how many). */
int smpp_text_encode(const char *utf8, size_t len, enum smpp_alphabet alphabet,
                     struct smpp_text *out) __attribute__((warn_unused_result));

/* To UTF-8 with a NUL; unmappable octets, and NUL, become U+FFFD; returns the length, cut at
 * size - 1 on a character boundary. */
size_t smpp_text_decode(const uint8_t *p, size_t len, uint8_t data_coding,
                        enum smpp_alphabet alphabet, char *out, size_t size);

#endif
