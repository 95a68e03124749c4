/*
 * Applications and message templates as people and programs name them: one table of fields each
 * (objects.c), from which bodies of the HTTP API are read, its answers are written, and what
 * `pinbindctl app create` and `message create` are given is checked.
 *
 * A field is named by its path in the JSON object: "configuration.pinAttempts".  Fields that are
 * not in the table are passed over, null is as not given, and "" takes an optional text away.
 */
#ifndef GATEWAY_OBJECTS_H
#define GATEWAY_OBJECTS_H

#include "base/buf.h"
#include "pin/registry.h"

#include <jansson.h>

enum object_kind { OBJECT_APP, OBJECT_TEMPLATE };

struct object {
    enum object_kind kind;
    union {
        struct pin_app app;
        struct pin_template tmpl;
    };
};

/* What is wrong with which field; the text may quote the table, never the value. */
struct object_wrong {
    char field[64];
    char text[200];
};

/* Everything that has a default has it; the rest is empty. */
void object_init(struct object *o, enum object_kind kind);

enum object_act { OBJECT_CREATE, OBJECT_UPDATE };
/* Takes over the fields that the body has, the others stay.  version of the API: 1 or 2.
 * ERR_INVALID: one is wrong, or one that the act needs is missing; then *io is spoilt. */
int object_read(struct object *io, const json_t *body, enum object_act act, int version,
                struct object_wrong *wrong) __attribute__((warn_unused_result));
/* One field from text.  ERR_INVALID; ERR_NOTFOUND: there is none of that name to set. */
int object_set(struct object *io, const char *field, const char *value, struct object_wrong *wrong)
    __attribute__((warn_unused_result));
/* "pinAttempts, ...": the fields that can be set below a path, "configuration.". */
void object_names(enum object_kind kind, const char *path, char *out, size_t size);

#define OBJECT_JSON_MAX 8192
/* The JSON object of an answer; what is empty is left out.  Fits into OBJECT_JSON_MAX. */
void object_write(const struct object *o, struct wr *w);

#endif
