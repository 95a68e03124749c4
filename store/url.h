/*
 * The forms of store.url, taken apart.  Nothing is looked up: a host name stays a name.
 */
#ifndef STORE_URL_H
#define STORE_URL_H

#include <stdint.h>

/* struct sockaddr_un holds 107 characters and a NUL. */
#define STORE_PATH_SIZE 108
#define STORE_HOST_SIZE 256

enum store_kind { STORE_KIND_EMBEDDED, STORE_KIND_UNIX, STORE_KIND_TCP };

struct store_url {
    enum store_kind kind;
    char path[STORE_PATH_SIZE]; /* the folder of embedded:, the socket of unix: */
    char host[STORE_HOST_SIZE]; /* name or address, without the brackets of IPv6 */
    uint16_t port;
    uint16_t db;
};

/* 0, ERR_INVALID or ERR_UNSUPPORTED; *why is a static sentence then. */
int store_url_parse(const char *url, struct store_url *out, const char **why)
    __attribute__((warn_unused_result));

#endif
