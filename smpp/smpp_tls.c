#include "smpp/smpp_tls.h"

#include "base/buf.h"
#include "base/certificate.h"
#include "base/result.h"
#include "base/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK     4096 /* octets: no more are in doubt when a connection ends that was blocked */
#define NAME_SIZE 256  /* a domain name has 253 octets at most, and a dot */

struct smpp_tls {
    SSL *ssl;
    bool wants_write, failed;
    char why[96];
    size_t len; /* of the chunk that OpenSSL has */
    uint8_t chunk[CHUNK];
};

/* --- what a carrier trusts and shows --- */

static bool load_roots(SSL_CTX *ctx, const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (!path || !*path)
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    if (stat(path, &st) < 0)
        snprintf(why, why_size, "%s: %s; the certificates of who is trusted are expected there",
                 path, strerror(errno));
    else if (!S_ISREG(st.st_mode)) /* OpenSSL would wait at a pipe */
        snprintf(why, why_size, "%s: not a regular file", path);
    else if (SSL_CTX_load_verify_file(ctx, path) != 1)
        snprintf(why, why_size, "%s: no certificate in PEM form can be read from it", path);
    else
        return true;
    return false;
}

static bool set_up(SSL_CTX *ctx, const struct smpp_carrier_options *o, char *why, size_t why_size)
{
    const struct certificate_files own = {o->tls_cert_file, o->tls_key_file};
    if (!ctx || certificate_protocol(ctx) != 0)
        return false;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (!load_roots(ctx, o->tls_ca_file, why, why_size))
        return false;
    return !own.cert_file || !*own.cert_file || certificate_load(ctx, &own, why, why_size) == 0;
}

SSL_CTX *smpp_tls_context(const struct smpp_carrier_options *o, char *why, size_t why_size)
{
    snprintf(why, why_size, "out of memory");
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!set_up(ctx, o, why, why_size)) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    ERR_clear_error();
    return ctx;
}

/* --- one connection --- */

/* The dot that ends a full domain name is DNS's: neither certificates nor SNI have it. */
static bool expect_name(SSL *ssl, const char *dialled)
{
    char name[NAME_SIZE];
    size_t len = strlen(dialled);
    if (!str_copy(name, sizeof name, dialled))
        return false;
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = 0;
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct smpp_tls *smpp_tls_new(SSL_CTX *ctx, const char *name)
{
    struct smpp_tls *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->ssl = SSL_new(ctx);
    if (!t->ssl || !*name || !expect_name(t->ssl, name)) {
        smpp_tls_free(t);
        t = NULL;
    } else {
        SSL_set_connect_state(t->ssl);
    }
    ERR_clear_error();
    return t;
}

int smpp_tls_attach(struct smpp_tls *t, int fd)
{
    return SSL_set_fd(t->ssl, fd) == 1 ? 0 : ERR_NOMEM;
}

void smpp_tls_end(struct smpp_tls *t)
{
    if (!t->failed && SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void smpp_tls_free(struct smpp_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    secret_wipe(t->chunk, t->len);
    free(t);
}

static void explain(struct smpp_tls *t, int why_errno)
{
    long verdict = SSL_get_verify_result(t->ssl);
    const char *text = ERR_reason_error_string(ERR_peek_error());
    if (verdict != X509_V_OK)
        snprintf(t->why, sizeof t->why, "certificate verify failed: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(t->why, sizeof t->why, "TLS: %s",
                 text        ? text
                 : why_errno ? strerror(why_errno)
                             : "closed by the peer");
}

/* What an operation that gave n <= 0 means: EAGAIN, EPROTO, or 0 for the end of what the peer says.
 */
static int meaning(struct smpp_tls *t, int n)
{
    int why_errno = errno;
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->wants_write = true;
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    t->failed = true;
    explain(t, why_errno);
    ERR_clear_error();
    return EPROTO;
}

static void begin(struct smpp_tls *t)
{
    t->wants_write = false;
    errno = 0;
    ERR_clear_error();
}

int smpp_tls_handshake(struct smpp_tls *t)
{
    begin(t);
    int n = SSL_do_handshake(t->ssl);
    if (n == 1)
        return 0;
    int err = meaning(t, n);
    return err ? err : EPROTO;
}

ssize_t smpp_tls_read(struct smpp_tls *t, void *p, size_t n)
{
    size_t got = 0;
    begin(t);
    int ok = SSL_read_ex(t->ssl, p, n, &got);
    if (ok == 1)
        return (ssize_t)got;
    int err = meaning(t, ok);
    errno = err;
    return err ? -1 : 0;
}

static void fill(struct smpp_tls *t, struct smpp_output *out)
{
    struct iovec iov[SMPP_OUTPUT_IOV];
    int n = smpp_output_iov(out, iov);
    for (int i = 0; i < n && t->len < CHUNK; i++) {
        size_t part = iov[i].iov_len < CHUNK - t->len ? iov[i].iov_len : CHUNK - t->len;
        memcpy(t->chunk + t->len, iov[i].iov_base, part);
        t->len += part;
    }
    smpp_output_wrote(out, t->len);
}

int smpp_tls_write(struct smpp_tls *t, struct smpp_output *out)
{
    while (t->len > 0 || !smpp_output_is_empty(out)) {
        size_t wrote;
        if (t->len == 0)
            fill(t, out);
        begin(t);
        int ok = SSL_write_ex(t->ssl, t->chunk, t->len, &wrote);
        if (ok != 1) {
            int err = meaning(t, ok);
            return err ? err : EPIPE;
        }
        secret_wipe(t->chunk, t->len);
        t->len = 0;
    }
    return 0;
}

bool smpp_tls_wants_write(const struct smpp_tls *t)
{
    return t->wants_write;
}

bool smpp_tls_has_more(const struct smpp_tls *t)
{
    return SSL_pending(t->ssl) > 0;
}

const char *smpp_tls_why(const struct smpp_tls *t)
{
    return t->why[0] ? t->why : "TLS: closed by the peer";
}

const char *smpp_tls_version(const struct smpp_tls *t)
{
    return SSL_get_version(t->ssl);
}

int64_t smpp_tls_expires_ms(const struct smpp_tls *t)
{
    const X509 *peer = SSL_get0_peer_certificate(t->ssl);
    return peer ? certificate_time_ms(X509_get0_notAfter(peer)) : 0;
}
