/*
 * Seals what the record keeps for a resend: nonce (12 octets), ciphertext, GCM tag (16 octets).
 * The nonce is random; a key generation may seal 2^32 records (NIST SP 800-38D, 8.3), so a site
 * that sends a thousand PINs a second adds a generation every month.
 */
#include "base/result.h"
#include "pin/pin_private.h"

#include <string.h>

#define IV_LEN   12
#define GCM_LEN  16
#define OVERHEAD (IV_LEN + GCM_LEN)

/* Keys are in place; gives the direction, the nonce and the additional data. */
static int start(EVP_CIPHER_CTX *ctx, const uint8_t *iv, const char *pin_id, int encrypt)
{
    int n = 0;
    if (EVP_CipherInit_ex2(ctx, NULL, NULL, iv, encrypt, NULL) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)pin_id, PIN_ID_SIZE - 1) == 1)
        return 0;
    return ERR_IO;
}

int pin_seal(struct pin_keyring *ring, const char *pin_id, const void *plain, size_t len,
             uint8_t *out, size_t cap, size_t *out_len)
{
    struct pin_key *key = NULL;
    int n = 0;
    int err = pin_keyring_by_pin_id(ring, pin_id, &key);
    if (err)
        return err;
    if (len > PIN_SEAL_MAX - OVERHEAD || cap < len + OVERHEAD)
        return ERR_TOOLONG;
    err = pin_random(out, IV_LEN);
    if (!err)
        err = start(key->seal, out, pin_id, 1);
    if (err)
        return err;
    if (EVP_CipherUpdate(key->seal, out + IV_LEN, &n, plain, (int)len) != 1 ||
        EVP_CipherFinal_ex(key->seal, out + IV_LEN + len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(key->seal, EVP_CTRL_AEAD_GET_TAG, GCM_LEN, out + IV_LEN + len) != 1)
        return ERR_IO;
    *out_len = len + OVERHEAD;
    return 0;
}

static int open_sealed(EVP_CIPHER_CTX *ctx, const uint8_t *sealed, size_t len, uint8_t *out)
{
    uint8_t tag[GCM_LEN];
    int n = 0;
    memcpy(tag, sealed + IV_LEN + len, sizeof tag);
    if (EVP_CipherUpdate(ctx, out, &n, sealed + IV_LEN, (int)len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_LEN, tag) != 1 ||
        EVP_CipherFinal_ex(ctx, out + len, &n) != 1)
        return ERR_CORRUPT;
    return 0;
}

int pin_unseal(struct pin_keyring *ring, const char *pin_id, const void *sealed, size_t len,
               uint8_t *out, size_t cap, size_t *out_len)
{
    struct pin_key *key = NULL;
    int err = pin_keyring_by_pin_id(ring, pin_id, &key);
    if (err)
        return err;
    if (len < OVERHEAD || len > PIN_SEAL_MAX)
        return ERR_CORRUPT;
    size_t n = len - OVERHEAD;
    if (cap < n)
        return ERR_TOOLONG;
    err = start(key->seal, sealed, pin_id, 0);
    if (!err)
        err = open_sealed(key->seal, sealed, n, out);
    if (err)
        secret_wipe(out, n);
    else
        *out_len = n;
    return err;
}
