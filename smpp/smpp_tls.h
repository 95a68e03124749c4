/*
 * The client's side of TLS: what a carrier trusts and shows (SSL_CTX), and one connection.
 *
 * The peer's chain and name are verified always.  The name is that of the options, else the host
 * as it was dialled; an address is looked for among the certificate's addresses and not sent as
 * SNI.  OpenSSL writes to the socket itself: the process ignores SIGPIPE.
 *
 * What is written is cut into chunks.  The octets of a chunk count as left from the moment that it
 * is handed to OpenSSL, because from then on nobody can tell how many of them the kernel has.
 */
#ifndef SMPP_SMPP_TLS_H
#define SMPP_SMPP_TLS_H

#include "smpp/smpp.h"
#include "smpp/smpp_output.h"

#include <openssl/types.h>
#include <sys/types.h>

struct smpp_tls;

/* NULL: why says which file, and what would be right. */
SSL_CTX *smpp_tls_context(const struct smpp_carrier_options *options, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/* Of one connection, to the peer of that name; NULL: out of memory. */
struct smpp_tls *smpp_tls_new(SSL_CTX *ctx, const char *name) __attribute__((warn_unused_result));
/* Before the first use; ERR_NOMEM. */
int smpp_tls_attach(struct smpp_tls *t, int fd) __attribute__((warn_unused_result));
/* These give 0, EAGAIN (smpp_tls_wants_write() says what to wait for), or EPROTO: why. */
int smpp_tls_handshake(struct smpp_tls *t);
int smpp_tls_write(struct smpp_tls *t, struct smpp_output *out);
/* As recv(), errno EAGAIN or EPROTO. */
ssize_t smpp_tls_read(struct smpp_tls *t, void *p, size_t n);
bool smpp_tls_wants_write(const struct smpp_tls *t);
/* Octets that a read would give without the socket. */
bool smpp_tls_has_more(const struct smpp_tls *t);
/* Says goodbye where the handshake was done. */
void smpp_tls_end(struct smpp_tls *t);
void smpp_tls_free(struct smpp_tls *t);

const char *smpp_tls_why(const struct smpp_tls *t);
const char *smpp_tls_version(const struct smpp_tls *t); /* "TLSv1.3" */
/* Unix ms of the end of the peer's certificate. */
int64_t smpp_tls_expires_ms(const struct smpp_tls *t);

#endif
