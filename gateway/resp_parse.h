/*
 * RESP requests (the Redis protocol): an array of bulk strings, or an inline command, out of a
 * buffer.  Total and allocation-free; the arguments are views into the buffer, each with a NUL put
 * behind it in the place of its line end or blank.  An argument may hold NULs of its own.
 */
#ifndef GATEWAY_RESP_PARSE_H
#define GATEWAY_RESP_PARSE_H

#include <stddef.h>

#define RESP_ARGS_MAX 128

struct resp_limits {
    size_t max_args;  /* at most RESP_ARGS_MAX */
    size_t max_bulk;  /* octets of one argument, or of an inline command */
    size_t max_total; /* octets of a whole request */
};

struct resp_arg {
    char *p;
    size_t len;
};

struct resp_command {
    size_t argc; /* 0: an empty line, to be passed over */
    struct resp_arg argv[RESP_ARGS_MAX];
    size_t consumed;
    const char *error; /* of RESP_ERROR: what follows "Protocol error: " */
};

enum resp_result {
    RESP_OK,
    RESP_MORE,  /* need more octets */
    RESP_ERROR, /* answer and close: what follows cannot be trusted */
    RESP_HTTP,  /* a browser or a forged request, not a client: close without a word */
};

enum resp_result resp_parse(char *buf, size_t len, const struct resp_limits *limits,
                            struct resp_command *out);

#endif
