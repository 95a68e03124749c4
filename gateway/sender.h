/* The sender of a message, as a request or a template may name it. */
#ifndef GATEWAY_SENDER_H
#define GATEWAY_SENDER_H

#include <stdbool.h>

/* Printable ASCII: an address of letters has at most 11 characters (GSM 03.40 9.1.2.5), one of
 * digits 15. */
bool sender_is_valid(const char *s);

#endif
