#include "base/certificate.h"

#include "base/result.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 section 4.2). */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text ? text : "not a PEM file";
}

/* A key with a password would stop the daemon at a prompt. */
static int no_password_cb(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

static bool load_cert(SSL_CTX *ctx, const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) < 0 || access(path, R_OK) < 0) {
        snprintf(why, why_size, "%s: %s; the certificate and its chain are expected there", path,
                 strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) { /* OpenSSL would wait at a pipe */
        snprintf(why, why_size, "%s: not a regular file", path);
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, path) == 1)
        return true;
    snprintf(why, why_size, "%s: no certificate in PEM form can be read from it (%s)", path,
             reason());
    return false;
}

/* Open and fit to be trusted with a key; else -1. */
static int open_key(const char *path, char *why, size_t why_size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        snprintf(why, why_size, "%s: %s; the certificate's key is expected there", path,
                 strerror(errno));
    else if (!S_ISREG(st.st_mode))
        snprintf(why, why_size, "%s: not a regular file", path);
    else if (st.st_mode & 037)
        snprintf(why, why_size, "%s: a key is not for others to read: chmod 640 or stricter", path);
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static EVP_PKEY *read_key(const char *path, char *why, size_t why_size)
{
    EVP_PKEY *key = NULL;
    int fd = open_key(path, why, why_size);
    if (fd < 0)
        return NULL;
    FILE *f = fdopen(fd, "r");
    if (f) {
        setvbuf(f, NULL, _IONBF, 0); /* no copy of the key in a buffer of stdio's */
        key = PEM_read_PrivateKey(f, NULL, no_password_cb, NULL);
        fclose(f);
    } else {
        close(fd);
    }
    if (!key)
        snprintf(why, why_size, "%s: no key in PEM form, without a password, can be read from it",
                 path);
    return key;
}

static bool load_key(SSL_CTX *ctx, const struct certificate_files *f, char *why, size_t why_size)
{
    EVP_PKEY *key = read_key(f->key_file, why, why_size);
    if (!key)
        return false;
    bool fits = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (!fits)
        snprintf(why, why_size, "%s: not the key of the certificate in %s", f->key_file,
                 f->cert_file);
    return fits;
}

int certificate_load(SSL_CTX *ctx, const struct certificate_files *f, char *why, size_t why_size)
{
    return load_cert(ctx, f->cert_file, why, why_size) && load_key(ctx, f, why, why_size)
               ? 0
               : ERR_INVALID;
}

int certificate_protocol(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1
               ? 0
               : ERR_NOMEM;
}

int64_t certificate_time_ms(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}
