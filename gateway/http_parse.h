/*
 * One HTTP/1 request out of whatever pieces it comes in (RFC 9112).
 *
 * The head is walked by a guard before libhttp-parser sees it, and chunks are taken apart here:
 * Debian's build of that library is not a strict one (it takes a bare LF, white space before a
 * colon, "XX" for the line end of a chunk), and where two readers of a message can disagree about
 * its end, one of them can be given a request that the other has not seen.
 *
 * The parser copies what it takes: head and body live here, until http_parse_free() wipes them.
 */
#ifndef GATEWAY_HTTP_PARSE_H
#define GATEWAY_HTTP_PARSE_H

#include "gateway/http.h"

enum http_parse_result {
    HTTP_PARSE_MORE,  /* all was taken, and more is needed */
    HTTP_PARSE_DONE,  /* whole; what follows is the next request's */
    HTTP_PARSE_ERROR, /* status and error say why; the connection cannot go on */
};

struct http_message {
    enum http_verb verb;   /* HTTP_VERB_OTHER until the head is there */
    bool is_head_done;     /* what is above and below is known */
    bool keep_alive;       /* by version and Connection */
    bool is_http_1_0;      /* keep-alive must be said */
    bool expects_continue; /* and so far no octet of the body has come */
    const char *path, *query;
    const char *headers[HTTP_N_HEADERS];
    const char *body;
    size_t body_len;
    int status; /* of what was refused */
    const char *error;
};

struct http_parse;

/* NULL: out of memory. */
struct http_parse *http_parse_new(size_t max_head, size_t max_body)
    __attribute__((warn_unused_result));
/* Takes what belongs to this request: *used octets of the len. */
enum http_parse_result http_parse(struct http_parse *p, const char *data, size_t len, size_t *used)
    __attribute__((warn_unused_result));
const struct http_message *http_parse_message(const struct http_parse *p);
/* Has anything of a request come?  An empty line before one is not. */
bool http_parse_is_begun(const struct http_parse *p);
void http_parse_free(struct http_parse *p);

#endif
