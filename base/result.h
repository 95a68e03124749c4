/*
 * Result codes of every room.
 *
 * A function that can fail returns int: 0 is good, a negative ERR_* says why.  Parsers return an
 * enum of their own instead, because they have more outcomes than two.  err_name() gives the
 * upper-case name for log lines and never fails.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#define ERR_LIST(X)                                                                                \
    X(ERR_OK, 0, "done")                                                                           \
    X(ERR_NOMEM, -1, "out of memory")                                                              \
    X(ERR_INVALID, -2, "an argument or a field is not valid")                                      \
    X(ERR_FULL, -3, "a bounded queue, window or buffer is full")                                   \
    X(ERR_TIMEOUT, -4, "no answer in time: the outcome is unknown")                                \
    X(ERR_IO, -5, "the operating system refused")                                                  \
    X(ERR_UNAVAILABLE, -6, "the peer is away: nothing was done")                                   \
    X(ERR_NOTFOUND, -7, "no such thing")                                                           \
    X(ERR_EXISTS, -8, "it is there already")                                                       \
    X(ERR_UNSUPPORTED, -9, "not available yet")                                                    \
    X(ERR_CLOSED, -10, "closed by this side")                                                      \
    X(ERR_BADSTATE, -11, "not possible in this state")                                             \
    X(ERR_TOOLONG, -12, "longer than its limit")                                                   \
    X(ERR_CORRUPT, -13, "the data makes no sense")                                                 \
    X(ERR_LOST, -14, "the connection was lost after sending: the outcome is unknown")              \
    X(ERR_REFUSED, -15, "the peer answered with an error")                                         \
    X(ERR_LIMIT, -16, "a limit was reached")                                                       \
    X(ERR_DENIED, -17, "not permitted")

enum err {
#define X(name, value, text) name = value,
    ERR_LIST(X)
#undef X
};

/* "ERR_FULL"; "ERR_?" for a number that is none of ours. */
const char *err_name(int err);
/* The sentence of the list above. */
const char *err_text(int err);

#endif
