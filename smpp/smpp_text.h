/*
 * Text to octets and back: GSM 03.38 default alphabet with its extension table (8 bits a
 * character, as SMPP carries it, or packed 7 bits where a bind says so), Latin-1, ASCII, and UCS-2
 * as UTF-16BE with surrogates and without a byte order mark.
 *
 * The default alphabet of the bind is taken when it holds every character, else UCS-2
 * (data_coding 8).
 *
 * One segment: what the default alphabet becomes on the air is the operator's choice, so a text of
 * which every character is in GSM 03.38 counts 160 septets (a character of the extension table two)
 * on a GSM, Latin-1 or ASCII bind alike; any other Latin-1 or ASCII text counts 140 octets; UCS-2
 * counts 70 units (a character beyond U+FFFF two).  Several segments hold 153, 134 and 67 each,
 * and none divides an escape sequence or a surrogate pair.
 */
#ifndef SMPP_SMPP_TEXT_H
#define SMPP_SMPP_TEXT_H

#include "smpp/smpp.h"

#define SMPP_TEXT_MAX 160 /* octets of one segment, before packing */

enum smpp_unit { SMPP_SEPTETS, SMPP_OCTETS, SMPP_UNITS };

/* How a text is written. */
struct smpp_text_form {
    enum smpp_alphabet alphabet;
    enum smpp_unit unit; /* that its segments are counted in */
    uint8_t data_coding;
    bool is_packed; /* each segment goes through smpp_text_pack() */
    int segments;   /* 1.. */
    size_t octets;  /* in all, before packing */
};

/* ERR_INVALID: not UTF-8. */
int smpp_text_form(const char *utf8, size_t len, enum smpp_alphabet alphabet,
                   struct smpp_text_form *out) __attribute__((warn_unused_result));
/* The same text as form->octets octets; ends[] of form->segments gets where each segment ends. */
void smpp_text_write(const char *utf8, size_t len, const struct smpp_text_form *form, uint8_t *out,
                     uint16_t ends[]);
/* n septets behind so many fill bits; returns the octets: (fill + 7 n + 7) / 8.  Seven bits left
 * over hold a carriage return. */
size_t smpp_text_pack(const uint8_t *septets, size_t n, unsigned fill, uint8_t *out);

/* Is it in the default alphabet of the bind?  Is it data, which is no text? (5.2.19) */
bool smpp_text_is_default(uint8_t data_coding);
bool smpp_text_is_binary(uint8_t data_coding);

/* A message as it came. */
struct smpp_coded {
    const uint8_t *p;
    size_t len;
    size_t udh_len; /* octets of the user data header that it begins with, <= len; 0: none */
    uint8_t data_coding;
    enum smpp_alphabet alphabet;
};

/* The septets of a packed text that stands behind a user data header of udh_len octets, an octet
 * each; returns how many, 8 * len / 7 at most. */
size_t smpp_text_unpack(const uint8_t *p, size_t len, size_t udh_len, uint8_t *out);
/* To UTF-8 with a NUL; unmappable octets, and NUL, become U+FFFD; returns the length, cut at
 * size - 1 on a character boundary.  The end of a packed text is not told apart from padding: an @
 * or a carriage return in the last seven bits is dropped, here as in smpp_text_unpack(). */
size_t smpp_text_decode(const struct smpp_coded *c, char *out, size_t size);

#endif
