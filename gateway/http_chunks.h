/*
 * The framing of a chunked body (RFC 9112 section 7.1), read strictly: what is not exactly a size,
 * perhaps extensions, CRLF, data, CRLF, and at the end an empty line, is refused.  Trailers are
 * refused, too.  The data between is the caller's.
 */
#ifndef GATEWAY_HTTP_CHUNKS_H
#define GATEWAY_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

enum http_chunks_state {
    HTTP_CHUNKS_SIZE,
    HTTP_CHUNKS_EXTENSION,
    HTTP_CHUNKS_SIZE_LF,
    HTTP_CHUNKS_DATA, /* left octets of it come now */
    HTTP_CHUNKS_DATA_CR,
    HTTP_CHUNKS_DATA_LF,
    HTTP_CHUNKS_END_CR,
    HTTP_CHUNKS_END_LF,
    HTTP_CHUNKS_END,
};

struct http_chunks {
    enum http_chunks_state state;
    size_t line, digits; /* octets and digits of the size line so far */
    size_t left;         /* of the chunk's data */
    size_t room;         /* for all data that still comes */
    int status;          /* 0, or of what was refused */
    const char *error;
};

/* Takes framing up to the next data or the end; how many octets it took. */
size_t http_chunks_frame(struct http_chunks *c, const char *data, size_t len);
/* n octets of data were taken, at most what was left. */
void http_chunks_took(struct http_chunks *c, size_t n);

#endif
