/* The HTTP API as a door of the bench of whole PINs: keep-alive, headers as SDKs send them. */
#include "tests/bench/flow.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static socklen_t address(const struct bench *b, struct sockaddr_storage *out)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(b->http_port)};
    memcpy(out, &at, sizeof at);
    return sizeof at;
}

static void post(struct client *c, const char *path, const char *body)
{
    char request[1000];
    int n = snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: flow\r\n"
                     "Authorization: App %s\r\nContent-Type: application/json\r\n"
                     "Accept: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     path, c->b->http_port, c->b->key, strlen(body), body);
    bufferevent_write(c->bev, request, (size_t)n);
}

static void ask_send(struct client *c)
{
    char body[200];
    snprintf(body, sizeof body, "{\"applicationId\":\"%s\",\"messageId\":\"%s\",\"to\":\"%lld\"}",
             c->b->app, c->b->template, (long long)(FIRST + c->n));
    post(c, "/2fa/2/pin", body);
}

static void ask_verify(struct client *c)
{
    char path[80], body[40];
    snprintf(path, sizeof path, "/2fa/2/pin/%s/verify", c->pin_id);
    snprintf(body, sizeof body, "{\"pin\":\"%s\"}", c->b->pins[c->n].digits);
    post(c, path, body);
}

/* The value of a field of a flat object, without quotes; empty: not there. */
static void field(const char *json, const char *name, char *out, size_t size)
{
    char key[40];
    int len = snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(json, key);
    at = at ? at + len : "";
    at += *at == '"';
    str_copy_n(out, size, at, strcspn(at, "\",}"));
}

/* Octets of a whole answer, its body at *body; 0: there are not so many yet. */
static size_t measure(char *answer, const char **body)
{
    static const char length[] = "\r\nContent-Length: ";
    char *end = strstr(answer, "\r\n\r\n");
    if (!end)
        return 0;
    *body = end + 4;
    const char *at = strstr(answer, length);
    size_t n = at && at < end ? strtoul(at + sizeof length - 1, NULL, 10) : 0;
    return strlen(*body) < n ? 0 : (size_t)(*body - answer) + n;
}

static bool take(struct client *c, struct flow_reply *out)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    char answer[4096], verified[8];
    const char *body = answer;
    ssize_t n = evbuffer_copyout(in, answer, sizeof answer - 1);
    answer[n > 0 ? n : 0] = 0;
    size_t len = measure(answer, &body);
    if (len == 0 && n < (ssize_t)sizeof answer - 1)
        return false;
    evbuffer_drain(in, (size_t)n);
    if (len != (size_t)n || strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
        str_copy_n(out->trouble, sizeof out->trouble, answer, strcspn(answer, "\r\n"));
        return true;
    }
    field(body, "pinId", out->pin_id, sizeof out->pin_id);
    field(body, "smsStatus", out->sms_status, sizeof out->sms_status);
    field(body, "verified", verified, sizeof verified);
    out->is_verified = strcmp(verified, "true") == 0;
    return true;
}

const struct flow_door flow_door_http = {
    .name = "http", .address = address, .send = ask_send, .verify = ask_verify, .take = take};
