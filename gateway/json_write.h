/*
 * JSON written into a bounded buffer (RFC 8259): strings and keys.  Numbers, braces and commas go
 * in by wr_dec() and wr_str().
 */
#ifndef GATEWAY_JSON_WRITE_H
#define GATEWAY_JSON_WRITE_H

#include "base/buf.h"

/* A string with its quotes; control characters are escaped, and each octet that is not part of
 * well-formed UTF-8 becomes U+FFFD, so that what is written is JSON whatever comes in. */
void json_write_str(struct wr *w, const char *s, size_t len);
/* "key": with the colon. */
void json_write_key(struct wr *w, const char *key);

#endif
