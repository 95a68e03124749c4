/* The HTTP layer on whatever a client sends, in whatever pieces: the first octet says how the rest
 * is cut and whether answers come at once, later, or after the connection.  Each answer is a whole
 * one, there are no more of them than requests and one refusal, and a request handed over is what
 * its octets say. */
#include "base/log.h"
#include "base/reap.h"
#include "gateway/http.h"

#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static struct reap *reap;
static struct http_server *server;
static struct http_request *held[HELD_MAX];
static size_t n_held, n_handed;
static bool is_late;
static const uint8_t *sent;
static size_t n_sent;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void answer(struct http_request *r)
{
    static const struct http_response a = {.status = 200, .body = "{}", .len = 2};
    http_respond(r, &a);
}

/* A second reading, of the first request where it has no chunks. */
static void check_body(const char *body, size_t len)
{
    static char head[2048];
    const uint8_t *end = memmem(sent, n_sent, "\r\n\r\n", 4);
    size_t n = end ? (size_t)(end + 4 - sent) : 0;
    if (n_handed > 1 || *sent == '\r')
        return;
    check(end && n < sizeof head);
    memcpy(head, sent, n);
    head[n] = 0;
    if (strcasestr(head, "\r\nTransfer-Encoding:"))
        return;
    const char *length = strcasestr(head, "\r\nContent-Length:");
    check(len == (length ? strtoul(length + 17, NULL, 10) : 0));
    check(memcmp(body, end + 4, len) == 0);
}

static void request_cb(void *arg, struct http_request *r)
{
    size_t len;
    const char *body = http_request_body(r, &len), *path = http_request_path(r);
    (void)arg;
    n_handed++;
    check(*path == '/' || strcmp(path, "*") == 0);
    check(body && body[len] == 0 && len <= 512);
    check(memmem(sent, n_sent, path, strlen(path)) || strcmp(path, "/") == 0);
    check_body(body, len);
    for (int h = 0; h < HTTP_N_HEADERS; h++) {
        const char *v = http_request_header(r, (enum http_header)h);
        check(!v || (memmem(sent, n_sent, v, strlen(v)) && !strpbrk(v, "\r\n")));
    }
    if (is_late && n_held < HELD_MAX)
        held[n_held++] = r;
    else
        answer(r);
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void release(void)
{
    while (n_held) {
        struct http_request *r = held[0];
        memmove(held, held + 1, --n_held * sizeof *held);
        answer(r);
        turn();
    }
}

static void begin(void)
{
    char why[200];
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    log_set_level(LOG_LV_ERROR);
    base = event_base_new();
    reap = reap_new(base);
    struct http_options o = {.base = base,
                             .reap = reap,
                             .door = "fuzz",
                             .limits = {.max_connections = 4,
                                        .max_head = 1024,
                                        .max_body = 512,
                                        .request_timeout_s = 60,
                                        .idle_timeout_s = 60,
                                        .write_timeout_s = 60},
                             .request_cb = request_cb};
    server = http_server_new(&o, why, sizeof why);
    check(server != NULL);
}

/* Answers stand one behind the other: a head, and as much body as it says. */
static void check_answers(const char *p, size_t len, size_t n_requests)
{
    size_t answers = 0;
    const char *end = p + len;
    while (p < end) {
        check(strncmp(p, "HTTP/1.1 ", 9) == 0);
        bool is_interim = strncmp(p + 9, "100", 3) == 0;
        const char *body = strstr(p, "\r\n\r\n"), *l = strstr(p, "Content-Length: ");
        check(body && (is_interim || (l && l < body)));
        body += 4;
        size_t n = is_interim ? 0 : strtoul(l + 16, NULL, 10);
        if (n && (size_t)(end - body) >= n && *body == '{') /* none after HEAD */
            body += n;
        answers += !is_interim;
        p = body;
    }
    check(answers <= n_requests + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char got[1 << 20];
    int fds[2];
    if (!base)
        begin();
    if (!size || size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return 0;
    uint8_t how = data[0];
    size_t piece = how & 31 ? how & 31 : 65536;
    is_late = how & 32;
    sent = data + 1;
    n_sent = size - 1;
    n_handed = 0;
    http_server_take(server, fds[1], "192.0.2.1");
    for (size_t at = 0; at < n_sent; at += piece) {
        size_t n = n_sent - at < piece ? n_sent - at : piece;
        if (send(fds[0], sent + at, n, MSG_NOSIGNAL) < 0)
            break;
        event_base_loop(base, EVLOOP_NONBLOCK);
        if (n_held && (at & 64))
            release();
    }
    if (how & 64)
        shutdown(fds[0], SHUT_WR);
    turn();
    if (!(how & 128))
        release();
    ssize_t n = recv(fds[0], got, sizeof got - 1, 0);
    got[n > 0 ? n : 0] = 0;
    check_answers(got, n > 0 ? (size_t)n : 0, n_handed);
    close(fds[0]);
    turn();
    release();
    turn();
    struct http_info info;
    http_server_info(server, &info);
    check(info.connections == 0);
    return 0;
}
