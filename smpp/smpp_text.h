/*
 * Text to octets and back: GSM 03.38 default alphabet with its extension table (8 bits a
 * character, as SMPP carries it), Latin-1, ASCII, and UCS-2 as UTF-16BE with surrogates.
 *
 * The default alphabet of the bind is taken when it holds every character, else UCS-2
 * (data_coding 8).  One segment is 160 characters of GSM (an extension character counts two), 140
 * octets of Latin-1 or ASCII... see smpp_text_segments() in smpp.h.
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

/* To UTF-8 with a NUL; unmappable octets become U+FFFD; returns the length, cut at size - 1 on a
 * character boundary. */
size_t smpp_text_decode(const uint8_t *p, size_t len, uint8_t data_coding,
                        enum smpp_alphabet alphabet, char *out, size_t size);

#endif
