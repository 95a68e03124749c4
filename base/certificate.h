/*
 * What both sides of TLS share (OpenSSL): a certificate with its key from PEM files, and the
 * versions and ciphers that are spoken: TLS 1.2 and 1.3, by current advice.
 */
#ifndef BASE_CERTIFICATE_H
#define BASE_CERTIFICATE_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

struct certificate_files {
    const char *cert_file; /* PEM: the certificate, then its chain */
    const char *key_file;  /* PEM, not readable by others */
};

/* ERR_INVALID: why says which file, and what would be right. */
int certificate_load(SSL_CTX *ctx, const struct certificate_files *files, char *why,
                     size_t why_size) __attribute__((warn_unused_result));
/* Versions, ciphers, no renegotiation; ERR_NOMEM. */
int certificate_protocol(SSL_CTX *ctx) __attribute__((warn_unused_result));
/* Unix ms, 0 where it is none. */
int64_t certificate_time_ms(const ASN1_TIME *t);

#endif
