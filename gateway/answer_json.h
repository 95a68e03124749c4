/* An answer as JSON (jansson): the same names and values as behind the other doors. */
#ifndef GATEWAY_ANSWER_JSON_H
#define GATEWAY_ANSWER_JSON_H

#include "gateway/answer.h"

#include <jansson.h>

/* A new reference, or NULL without memory.  An error answer gives {"error", "code"}. */
json_t *answer_to_json(const struct answer *a) __attribute__((warn_unused_result));

#endif
