/* The key ring: parses the key file and derives what each PIN needs. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE64_LEN 88 /* of 64 octets */

struct source { /* where a parse error stands */
    const char *path;
    unsigned line;
    char *why;
    size_t why_size;
};

int pin_why(char *why, size_t size, int err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, size, format, ap);
    va_end(ap);
    return err;
}

static int bad_line(const struct source *src, const char *text)
{
    return pin_why(src->why, src->why_size, ERR_INVALID, "%s:%u: %s", src->path, src->line, text);
}

/* --- one generation ------------------------------------------------------------------------ */

static void key_free(struct pin_key *key)
{
    if (!key)
        return;
    EVP_MAC_CTX_free(key->tag);
    EVP_MAC_CTX_free(key->draw.mac);
    EVP_MAC_CTX_free(key->past.mac);
    EVP_CIPHER_CTX_free(key->seal);
    secret_clear(&key->k);
    free(key);
}

static EVP_CIPHER_CTX *seal_new(const uint8_t *key)
{
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = aes ? EVP_CIPHER_CTX_new() : NULL;
    if (ctx && EVP_CipherInit_ex2(ctx, aes, key, NULL, 1, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_CIPHER_free(aes);
    return ctx;
}

static int key_derive(struct pin_key *key)
{
    static const char tag_label[] = "pinbind tag key";
    static const char seal_label[] = "pinbind seal key";
    uint8_t derived[PIN_MAC_SIZE] = {0};
    int err = pin_derive(&key->k, tag_label, sizeof tag_label - 1, derived);
    if (!err) {
        key->tag = pin_mac_new("SHA2-512", derived, sizeof derived);
        err = pin_derive(&key->k, seal_label, sizeof seal_label - 1, derived);
    }
    if (!err)
        key->seal = seal_new(derived);
    /* Each gets the key of its step before it is used; none holds K itself outside locked memory.
     */
    key->draw = (struct pin_step){pin_mac_new("SHA2-512", derived, sizeof derived), -1};
    key->past = (struct pin_step){pin_mac_new("SHA2-512", derived, sizeof derived), -1};
    secret_wipe(derived, sizeof derived);
    return key->tag && key->seal && key->draw.mac && key->past.mac ? err : ERR_NOMEM;
}

static int key_new(const uint8_t k[PIN_KEY_SIZE], struct pin_key **out)
{
    struct pin_key *key = calloc(1, sizeof *key);
    int err = key ? secret_set(&key->k, k, PIN_KEY_SIZE) : ERR_NOMEM;
    if (!err)
        err = key_derive(key);
    if (err)
        key_free(key);
    else
        *out = key;
    return err;
}

/* --- one line ------------------------------------------------------------------------------ */

static int parse_id(const char *text, uint32_t *id)
{
    size_t len = strlen(text);
    if (len > 10 || strspn(text, "0123456789") != len)
        return ERR_INVALID;
    unsigned long long v = strtoull(text, NULL, 10);
    if (v < 1 || v > PIN_KEY_ID_MAX)
        return ERR_INVALID;
    *id = (uint32_t)v;
    return 0;
}

static int parse_base64(const char *text, uint8_t k[PIN_KEY_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t octets[BASE64_LEN / 4 * 3];
    if (strlen(text) != BASE64_LEN || strspn(text, digits) != BASE64_LEN - 2 ||
        strcmp(text + BASE64_LEN - 2, "==") != 0)
        return ERR_INVALID;
    int n = EVP_DecodeBlock(octets, (const uint8_t *)text, BASE64_LEN);
    memcpy(k, octets, PIN_KEY_SIZE);
    secret_wipe(octets, sizeof octets);
    return n == (int)sizeof octets ? 0 : ERR_INVALID;
}

static int add_key(const struct source *src, struct pin_keyring *ring, struct pin_key *key)
{
    struct pin_key **slot = &ring->slots[key->id % PIN_KEY_SLOTS];
    if (*slot) {
        uint32_t other = (*slot)->id;
        uint32_t id = key->id;
        key_free(key);
        return pin_why(src->why, src->why_size, ERR_INVALID,
                       "%s:%u: ID %u has the same slot (ID mod 16) as ID %u: choose another ID",
                       src->path, src->line, id, other);
    }
    *slot = key;
    return 0;
}

static int parse_line(const struct source *src, char *line, struct pin_keyring *ring)
{
    char *save = NULL;
    const char *id = strtok_r(line, " \t\r", &save);
    if (!id || id[0] == '#')
        return 0;
    const char *from = strtok_r(NULL, " \t\r", &save);
    const char *base64 = strtok_r(NULL, " \t\r", &save);
    if (!from || !base64 || strtok_r(NULL, " \t\r", &save))
        return bad_line(src, "a generation is written ID ACTIVE_FROM BASE64");
    uint32_t number;
    int64_t from_ms;
    uint8_t k[PIN_KEY_SIZE];
    if (parse_id(id, &number))
        return bad_line(src, "ID must be a whole number from 1 to 2147483648");
    if (pin_time_parse(from, &from_ms))
        return bad_line(src, "ACTIVE_FROM must be a time like 2026-01-31T00:00:00Z (RFC 3339)");
    if (parse_base64(base64, k))
        return bad_line(src, "the key must be 64 octets in base64: 88 characters ending in ==");
    struct pin_key *key = NULL;
    int err = key_new(k, &key);
    secret_wipe(k, sizeof k);
    if (err)
        return pin_why(src->why, src->why_size, err, "%s:%u: the key cannot be set up: %s",
                       src->path, src->line, err_text(err));
    key->id = number;
    key->active_from_ms = from_ms;
    return add_key(src, ring, key);
}

/* --- the file ------------------------------------------------------------------------------ */

static int open_error(const char *path, char *why, size_t size)
{
    int err = errno == ENOENT ? ERR_NOTFOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
    return pin_why(why, size, err, "%s cannot be read: %s", path, strerror(errno));
}

static int check_file(int fd, const char *path, struct pin_keyfile *out, char *why, size_t size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return open_error(path, why, size);
    if (!S_ISREG(st.st_mode))
        return pin_why(why, size, ERR_INVALID, "%s is not a regular file", path);
    if (st.st_mode & 077)
        return pin_why(why, size, ERR_DENIED,
                       "%s is open to others (mode %04o): it must be 0600 or stricter", path,
                       (unsigned)st.st_mode & 07777);
    if (st.st_size > PIN_KEYFILE_MAX)
        return pin_why(why, size, ERR_TOOLONG, "%s is longer than %d octets", path,
                       PIN_KEYFILE_MAX);
    out->uid = st.st_uid;
    out->gid = st.st_gid;
    return 0;
}

static int read_all(int fd, struct pin_keyfile *out)
{
    out->len = 0;
    ssize_t n = 0;
    while (out->len < PIN_KEYFILE_MAX &&
           (n = read(fd, out->text + out->len, PIN_KEYFILE_MAX - out->len)) > 0)
        out->len += (size_t)n;
    out->text[out->len] = 0;
    return n < 0 ? ERR_IO : 0;
}

int pin_keyfile_read(const char *path, struct pin_keyfile *out, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return open_error(path, why, why_size);
    int err = check_file(fd, path, out, why, why_size);
    if (!err && read_all(fd, out))
        err = open_error(path, why, why_size);
    close(fd);
    if (!err && memchr(out->text, 0, out->len))
        err = pin_why(why, why_size, ERR_INVALID, "%s is not a text file", path);
    return err;
}

static int parse_file(struct source *src, char *text, struct pin_keyring *ring)
{
    int err = 0;
    char *line;
    while (!err && (line = strsep(&text, "\n"))) {
        src->line++;
        err = parse_line(src, line, ring);
    }
    if (err)
        return err;
    if (!pin_keyring_newest(ring, INT64_MAX))
        return pin_why(src->why, src->why_size, ERR_INVALID,
                       "%s holds no key: pinbindctl pinkey new makes one", src->path);
    if (!pin_keyring_newest(ring, wall_ms()))
        return pin_why(src->why, src->why_size, ERR_INVALID,
                       "%s holds no key that is active now: see ACTIVE_FROM", src->path);
    return 0;
}

int pin_keyring_load(const char *path, struct pin_keyring **out, char *why, size_t why_size)
{
    struct source src = {path, 0, why, why_size};
    struct pin_keyring *ring = calloc(1, sizeof *ring);
    struct pin_keyfile file;
    int err = ring ? pin_keyfile_read(path, &file, why, why_size)
                   : pin_why(why, why_size, ERR_NOMEM, "out of memory");
    if (!err)
        err = parse_file(&src, file.text, ring);
    secret_wipe(&file, sizeof file);
    if (err)
        pin_keyring_free(ring);
    else
        *out = ring;
    return err;
}

/* Each generation of the ring must be there still, with its key. */
static int check_kept(const struct source *src, const struct pin_keyring *ring,
                      const struct pin_keyring *fresh)
{
    for (size_t i = 0; i < PIN_KEY_SLOTS; i++) {
        const struct pin_key *old = ring->slots[i];
        const struct pin_key *key = old ? pin_keyring_by_id(fresh, old->id) : NULL;
        if (old && !key)
            return pin_why(src->why, src->why_size, ERR_INVALID,
                           "%s lacks ID %u, whose PINs may be alive: put it back, or restart to "
                           "do without it",
                           src->path, old->id);
        if (old && !secret_equal(old->k.data, old->k.len, key->k.data, key->k.len))
            return pin_why(src->why, src->why_size, ERR_INVALID,
                           "%s holds another key under ID %u, whose PINs may be alive: put the "
                           "old one back, and the new one under an ID of its own",
                           src->path, old->id);
    }
    return 0;
}

int pin_keyring_reload(struct pin_keyring *ring, const char *path, char *why, size_t why_size)
{
    const struct source src = {path, 0, why, why_size};
    struct pin_keyring *fresh = NULL;
    int err = pin_keyring_load(path, &fresh, why, why_size);
    if (err)
        return err;
    err = check_kept(&src, ring, fresh);
    if (!err) {
        struct pin_keyring old = *ring;
        *ring = *fresh;
        *fresh = old; /* to be wiped */
    }
    pin_keyring_free(fresh);
    return err;
}

void pin_keyring_free(struct pin_keyring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < PIN_KEY_SLOTS; i++)
        key_free(ring->slots[i]);
    free(ring);
}

/* --- look-up ------------------------------------------------------------------------------- */

struct pin_key *pin_keyring_newest(const struct pin_keyring *ring, int64_t now_ms)
{
    struct pin_key *best = NULL;
    for (size_t i = 0; i < PIN_KEY_SLOTS; i++) {
        struct pin_key *key = ring->slots[i];
        if (!key || key->active_from_ms > now_ms)
            continue;
        if (!best || key->active_from_ms > best->active_from_ms ||
            (key->active_from_ms == best->active_from_ms && key->id > best->id))
            best = key;
    }
    return best;
}

struct pin_key *pin_keyring_by_id(const struct pin_keyring *ring, uint32_t id)
{
    struct pin_key *key = ring->slots[id % PIN_KEY_SLOTS];
    return key && key->id == id ? key : NULL;
}

int pin_keyring_by_pin_id(const struct pin_keyring *ring, const char *pin_id, struct pin_key **out)
{
    if (!pin_id_is_valid(pin_id, strlen(pin_id)))
        return ERR_INVALID;
    *out = ring->slots[hex_value(pin_id[PIN_ID_SLOT])];
    return *out ? 0 : ERR_NOTFOUND;
}
