/* An answer as JSON: the same names and values as behind the other doors. */
#ifndef GATEWAY_ANSWER_JSON_H
#define GATEWAY_ANSWER_JSON_H

#include "base/buf.h"
#include "gateway/answer.h"

/* Room for every answer there can be: a pool of control characters, escaped, and its names. */
#define ANSWER_JSON_SIZE 32768

/* Of ANSWER_OK; an error is its door's to write. */
void answer_write_json(struct wr *w, const struct answer *a);

#endif
