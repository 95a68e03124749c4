/*
 * A phone number as digits of E.164.
 *
 * msisdn_parse() drops a leading "+" or "00" and any space, dash, dot or bracket; what is left
 * must be 7 to 15 digits of which the first is not 0.  Logs show the masked form; answers and
 * Redis keys the digits alone.
 */
#ifndef BASE_MSISDN_H
#define BASE_MSISDN_H

#include <stddef.h>
#include <stdint.h>

#define MSISDN_MAX 15

struct msisdn {
    char digits[MSISDN_MAX + 1]; /* NUL-terminated */
    uint8_t len;
};

/* ERR_INVALID leaves *out as it was. */
int msisdn_parse(const char *text, size_t len, struct msisdn *out)
    __attribute__((warn_unused_result));

/* "+38591*****67": five leading and two trailing digits stay; shorter numbers show fewer. */
#define MSISDN_MASK_SIZE 20
void msisdn_mask(const struct msisdn *m, char out[MSISDN_MASK_SIZE]);

#endif
