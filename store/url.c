#include "store/url.h"

#include "base/buf.h"
#include "base/result.h"
#include "store/store.h"

#include <string.h>

#define REDIS_PORT 6379
/* "/redis.sock" is put behind the folder. */
#define SOCKET_NAME_ROOM 12

static int refuse(const char **why, const char *text)
{
    *why = text;
    return ERR_INVALID;
}

static int parse_embedded(const char *rest, struct store_url *out, const char **why)
{
    out->kind = STORE_KIND_EMBEDDED;
    if (!*rest)
        return refuse(why, "embedded: needs a folder, as in embedded:/var/lib/pinbind/redis");
    if (!str_copy(out->path, sizeof out->path - SOCKET_NAME_ROOM, rest))
        return refuse(why, "the folder's name is too long for the socket in it");
    return 0;
}

static int parse_unix(const char *rest, struct store_url *out, const char **why)
{
    out->kind = STORE_KIND_UNIX;
    if (!*rest)
        return refuse(why, "unix: needs a socket, as in unix:/run/redis/redis.sock");
    if (!str_copy(out->path, sizeof out->path, rest))
        return refuse(why, "the name of the socket is longer than 107 characters");
    return 0;
}

/* Decimal digits only, at most max; the end is returned, NULL when it is no such number. */
static const char *parse_number(const char *p, uint16_t max, uint16_t *out)
{
    uint32_t v = 0;
    if (*p < '0' || *p > '9')
        return NULL;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (uint32_t)(*p - '0');
        if (v > max)
            return NULL;
    }
    *out = (uint16_t)v;
    return p;
}

static const char *parse_host(const char *rest, struct store_url *out)
{
    bool bracket = *rest == '[';
    const char *start = bracket ? rest + 1 : rest;
    size_t len = strcspn(start, bracket ? "]" : ":/");
    if (len == 0 || (bracket && start[len] != ']') ||
        !str_copy_n(out->host, sizeof out->host, start, len))
        return NULL;
    return start + len + bracket;
}

static int parse_redis(const char *rest, struct store_url *out, const char **why)
{
    out->kind = STORE_KIND_TCP;
    out->port = REDIS_PORT;
    if (strchr(rest, '@'))
        return refuse(why, "user and password do not belong in the URL: use password_file");
    const char *p = parse_host(rest, out);
    if (!p)
        return refuse(why, "redis:// needs a host, as in redis://127.0.0.1:6379/0");
    if (*p == ':' && (!(p = parse_number(p + 1, UINT16_MAX, &out->port)) || out->port == 0))
        return refuse(why, "the port must be a number from 1 to 65535");
    if (p[0] == '/' && p[1] && !(p = parse_number(p + 1, UINT16_MAX, &out->db)))
        return refuse(why, "the database must be a number, as in redis://127.0.0.1:6379/0");
    if (*p && strcmp(p, "/") != 0)
        return refuse(why, "there is something behind host, port and database");
    return 0;
}

static const struct scheme {
    const char *prefix;
    int (*parse)(const char *rest, struct store_url *out, const char **why);
    const char *not_yet; /* where there is no parse */
} schemes[] = {
    {"embedded:", parse_embedded, NULL},
    {"unix:", parse_unix, NULL},
    {"redis://", parse_redis, NULL},
    {"rediss:", NULL, "not available yet: Redis over TLS (rediss:); use redis:// or unix:"},
    {"sentinel:", NULL, "not available yet: Redis Sentinel (sentinel:); use redis:// or unix:"},
    {"cluster:", NULL, "not available yet: Redis Cluster (cluster:); use redis:// or unix:"},
};

int store_url_parse(const char *url, struct store_url *out, const char **why)
{
    *out = (struct store_url){0};
    *why = "";
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const struct scheme *s = &schemes[i];
        size_t n = strlen(s->prefix);
        if (strncmp(url, s->prefix, n) != 0)
            continue;
        if (s->parse)
            return s->parse(url + n, out, why);
        *why = s->not_yet;
        return ERR_UNSUPPORTED;
    }
    return refuse(why, "must be embedded:DIR, unix:PATH or redis://HOST:PORT/DB");
}

int store_url_check(const char *url, const char **why)
{
    struct store_url parsed;
    return store_url_parse(url, &parsed, why);
}
