/* The verify socket as a door of the bench of whole PINs. */
#include "tests/bench/flow.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static socklen_t address(const struct bench *b, struct sockaddr_storage *out)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/verify.sock", b->dir);
    memcpy(out, &at, sizeof at);
    return sizeof at;
}

static void ask(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void ask(struct client *c, const char *fmt, ...)
{
    char *command;
    va_list ap;
    va_start(ap, fmt);
    int n = redisvFormatCommand(&command, fmt, ap);
    va_end(ap);
    bufferevent_write(c->bev, command, (size_t)n);
    free(command);
}

static void ask_send(struct client *c)
{
    ask(c, "PIN.SEND %s %s %lld", c->b->app, c->b->template, (long long)(FIRST + c->n));
}

static void ask_verify(struct client *c)
{
    ask(c, "PIN.VERIFY %s %s", c->pin_id, c->b->pins[c->n].digits);
}

/* The value of a field of a RESP2 map, NULL: not there. */
static const redisReply *field(const redisReply *r, const char *name)
{
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i + 1 < r->elements; i += 2)
        if (r->element[i]->str && strcmp(r->element[i]->str, name) == 0)
            return r->element[i + 1];
    return NULL;
}

static bool take(struct client *c, struct flow_reply *out)
{
    char buf[4096];
    size_t n = bufferevent_read(c->bev, buf, sizeof buf);
    void *reply = NULL;
    if (redisReaderFeed(c->reader, buf, n) || redisReaderGetReply(c->reader, &reply))
        abort();
    const redisReply *r = reply;
    if (!r)
        return false;
    const redisReply *id = field(r, "pinId"), *status = field(r, "smsStatus"),
                     *verified = field(r, "verified");
    str_copy(out->pin_id, sizeof out->pin_id, id ? id->str : "");
    str_copy(out->sms_status, sizeof out->sms_status, status ? status->str : "");
    str_copy(out->trouble, sizeof out->trouble, r->str ? r->str : "");
    out->is_verified = verified && verified->integer == 1;
    freeReplyObject(reply);
    return true;
}

const struct flow_door flow_door_resp = {
    .name = "resp", .address = address, .send = ask_send, .verify = ask_verify, .take = take};
