/*
 * Message octets to UTF-8, as a handset would show them.
 *
 * Total: every input gives valid UTF-8 without NUL.  What an alphabet does not define becomes
 * U+FFFD; binary becomes upper-case hex.
 */
#ifndef TESTS_SIM_TEXT_H
#define TESTS_SIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum alphabet {
    ALPHABET_GSM,
    ALPHABET_LATIN1,
    ALPHABET_ASCII,
    ALPHABET_PACKED, /* GSM, seven bits each character */
    ALPHABET_UCS2,
    ALPHABET_BINARY,
};

/* The alphabet of a data_coding; plain is what the SMSC takes 0 for. */
enum alphabet text_alphabet(uint8_t data_coding, enum alphabet plain);

/* udh: octets of the user data header that stood before, from which on packed text is aligned.
 * out needs TEXT_OUT(n) octets.  Returns the length; a NUL follows. */
#define TEXT_OUT(n) ((n)*3 + 1)
size_t text_decode(enum alphabet a, const uint8_t *p, size_t n, size_t udh, char *out);

#endif
