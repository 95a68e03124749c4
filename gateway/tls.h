/*
 * The server's side of TLS (OpenSSL): certificate, key and what is spoken: TLS 1.2 and 1.3, by
 * current advice.  A struct tls is immutable and counted, so that a reload puts a new one in place
 * while connections of the old one go on.
 */
#ifndef GATEWAY_TLS_H
#define GATEWAY_TLS_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

struct tls_options {
    const char *cert_file; /* PEM: the certificate, then its chain */
    const char *key_file;  /* PEM, not readable by others */
};

/* NULL: why says which file, and what would be right. */
struct tls *tls_new(const struct tls_options *options, char *why, size_t why_size)
    __attribute__((warn_unused_result));
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t);
/* A new one per connection, the caller's to SSL_free(); NULL: out of memory. */
SSL *tls_accept(struct tls *t) __attribute__((warn_unused_result));
/* Unix ms of the certificate's end. */
int64_t tls_expires_ms(const struct tls *t);

#endif
