/*
 * What the handlers of applications (api_apps.c) and of message templates (api_messages.c) have
 * in common: a body into an object, an object into an answer, and lists (api_list.c).
 */
#ifndef GATEWAY_API_OBJECTS_H
#define GATEWAY_API_OBJECTS_H

#include "gateway/api_private.h"
#include "gateway/objects.h"

/* false: the call is answered. */
bool api_take_object(struct api_call *c, struct object *io, enum object_act act);
/* Ends the call, as the api_* functions do. */
void api_reply_object(struct api_call *c, int status, const struct object *o);

/* Answers with all applications of the call's account, or with all templates of the application
 * ids[0], oldest first. */
void api_list(struct api_call *c, enum object_kind kind);

#endif
