#include "gateway/tls.h"

#include "base/certificate.h"
#include "base/clock.h"
#include "base/log.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct tls {
    SSL_CTX *ctx;
    uint32_t refs;
    int64_t expires_ms;
};

static void note_expiry(struct tls *t, const char *path)
{
    const X509 *cert = SSL_CTX_get0_certificate(t->ctx);
    char end[32];
    t->expires_ms = certificate_time_ms(X509_get0_notAfter(cert));
    wall_format(t->expires_ms, end, sizeof end);
    if (t->expires_ms <= wall_ms())
        LOG(LOG_LV_WARN, NULL, "certificate_expired", KV_S("file", path), KV_S("at", end));
    else if (certificate_time_ms(X509_get0_notBefore(cert)) > wall_ms())
        LOG(LOG_LV_WARN, NULL, "certificate_not_valid_yet", KV_S("file", path));
    else
        LOG(LOG_LV_INFO, NULL, "certificate_loaded", KV_S("file", path), KV_S("until", end));
}

struct tls *tls_new(const struct tls_options *o, char *why, size_t why_size)
{
    struct tls *t = calloc(1, sizeof *t);
    snprintf(why, why_size, "out of memory");
    if (!t)
        return NULL;
    t->refs = 1;
    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_server_method());
    const struct certificate_files files = {o->cert_file, o->key_file};
    if (!t->ctx || certificate_protocol(t->ctx) != 0 ||
        certificate_load(t->ctx, &files, why, why_size) != 0) {
        tls_unref(t);
        t = NULL;
    } else {
        note_expiry(t, o->cert_file);
    }
    ERR_clear_error();
    return t;
}

struct tls *tls_ref(struct tls *t)
{
    t->refs++;
    return t;
}

void tls_unref(struct tls *t)
{
    if (!t || --t->refs)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

SSL *tls_accept(struct tls *t)
{
    return SSL_new(t->ctx);
}

int64_t tls_expires_ms(const struct tls *t)
{
    return t->expires_ms;
}
