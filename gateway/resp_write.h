/*
 * RESP answers: RESP2, and RESP3 where the connection asked for it (maps "%", booleans "#").  In
 * RESP2 a map is a flat array and a boolean 1 or 0.
 */
#ifndef GATEWAY_RESP_WRITE_H
#define GATEWAY_RESP_WRITE_H

#include "base/buf.h"
#include "gateway/answer.h"

/* Room for any answer or COMMAND DOCS. */
#define RESP_REPLY_MAX 16384

void resp_status(struct wr *w, const char *s);
/* Line ends in the text become blanks. */
void resp_error(struct wr *w, const char *text);
void resp_int(struct wr *w, int64_t v);
void resp_bulk(struct wr *w, const char *s, size_t n);
void resp_str(struct wr *w, const char *s);
void resp_null(struct wr *w, int proto);
/* What RESP2 writes where an array is missing. */
void resp_null_array(struct wr *w, int proto);
void resp_array(struct wr *w, size_t n);
void resp_map(struct wr *w, size_t pairs, int proto);
void resp_answer(struct wr *w, const struct answer *a, int proto);

#endif
