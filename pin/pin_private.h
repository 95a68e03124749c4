/*
 * Shared inside pin/: the key ring's inside, HMAC on kept contexts, and the parts of generation
 * that tests drive without the public bounds.
 *
 * K stays in locked memory (struct secret).  What is derived from it and used for each PIN is
 * kept as keyed OpenSSL contexts, which cleanse themselves when freed.
 */
#ifndef PIN_PIN_PRIVATE_H
#define PIN_PIN_PRIVATE_H

#include "base/secret.h"
#include "pin/pin.h"

#include <openssl/evp.h>

#define PIN_KEY_SIZE    64
#define PIN_KEY_SLOTS   16
#define PIN_KEY_ID_MAX  2147483648u /* 2^31 */
#define PIN_ID_SLOT     3           /* digit of a pinId that names the key slot */
#define PIN_KEYFILE_MAX 16384       /* octets */
#define PIN_MAC_SIZE    64          /* HMAC-SHA-512 */
#define PIN_BLOCK_SIZE  4096        /* drawn from the DRBG at once */

struct pin_step {
    EVP_MAC_CTX *mac; /* keyed with K_T */
    int64_t t;        /* -1: not keyed yet */
};

struct pin_key { /* one generation */
    uint32_t id;
    int64_t active_from_ms;
    struct secret k;
    EVP_MAC_CTX *tag;     /* keyed with K' */
    EVP_CIPHER_CTX *seal; /* AES-256-GCM, keyed */
    struct pin_step draw; /* the step that new PINs are drawn in */
    struct pin_step past; /* the last other step that was asked for again */
};

struct pin_keyring {
    struct pin_key *slots[PIN_KEY_SLOTS]; /* by id mod 16 */
};

/* Writes a sentence and returns err. */
int pin_why(char *why, size_t size, int err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* HMAC with the digest ("SHA2-512"; the standards' values in tests need "SHA1" too). */
EVP_MAC_CTX *pin_mac_new(const char *digest, const void *key, size_t len)
    __attribute__((warn_unused_result));
int pin_mac_rekey(EVP_MAC_CTX *mac, const void *key, size_t len)
    __attribute__((warn_unused_result));
int pin_mac(EVP_MAC_CTX *mac, const void *msg, size_t len, uint8_t out[PIN_MAC_SIZE])
    __attribute__((warn_unused_result));
/* HMAC-SHA-512 under K, once; nothing of K is left behind. */
int pin_derive(const struct secret *k, const void *msg, size_t len, uint8_t out[PIN_MAC_SIZE])
    __attribute__((warn_unused_result));

/* The newest generation that is active, NULL: none. */
struct pin_key *pin_keyring_newest(const struct pin_keyring *ring, int64_t now_ms);
struct pin_key *pin_keyring_by_id(const struct pin_keyring *ring, uint32_t id);
/* By the slot digit of a pinId; ERR_INVALID: not a pinId, ERR_NOTFOUND: no such generation. */
int pin_keyring_by_pin_id(const struct pin_keyring *ring, const char *pin_id, struct pin_key **out)
    __attribute__((warn_unused_result));

/* The whole key file and its owner; buf is the caller's to wipe. */
struct pin_keyfile {
    char text[PIN_KEYFILE_MAX + 1];
    size_t len;
    uint32_t uid, gid;
};
int pin_keyfile_read(const char *path, struct pin_keyfile *out, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/* Alphabet of a type, without look-alikes where so asked. */
const char *pin_alphabet(enum pin_type type, bool no_look_alikes);
/* Takes up to want symbols out of the octets by rejection sampling; returns how many. */
size_t pin_take_symbols(const char *alphabet, const uint8_t *octets, size_t len, char *out,
                        size_t want);
/* Any number of symbols and a NUL under K_T. */
struct pin_seed {
    const uint8_t *nonce; /* PIN_NONCE_SIZE */
    const char *pin_id;
};
int pin_symbols(EVP_MAC_CTX *k_t, const struct pin_seed *seed, const char *alphabet, char *out,
                size_t n) __attribute__((warn_unused_result));
bool pin_spec_is_valid(const struct pin_spec *spec);
int pin_step_key(struct pin_key *key, int64_t t, struct pin_step *step)
    __attribute__((warn_unused_result));

/* What tests look at. */
struct pin_random_state {
    uint64_t reseeds;
    size_t used; /* octets of the block that are given out and wiped */
    const uint8_t *block;
};
void pin_random_peek(struct pin_random_state *out);

#endif
