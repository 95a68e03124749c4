#include "base/result.h"
#include "pin/pin_private.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

EVP_MAC_CTX *pin_mac_new(const char *digest, const void *key, size_t len)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_end()};
    if (mac && EVP_MAC_init(mac, key, len, params) == 1)
        return mac;
    EVP_MAC_CTX_free(mac);
    return NULL;
}

int pin_mac_rekey(EVP_MAC_CTX *mac, const void *key, size_t len)
{
    return EVP_MAC_init(mac, key, len, NULL) == 1 ? 0 : ERR_IO;
}

int pin_mac(EVP_MAC_CTX *mac, const void *msg, size_t len, uint8_t out[PIN_MAC_SIZE])
{
    size_t n = 0;
    /* Without a key the context starts again under the key that it has. */
    if (EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, msg, len) == 1 &&
        EVP_MAC_final(mac, out, &n, PIN_MAC_SIZE) == 1)
        return 0;
    return ERR_IO;
}

int pin_derive(const struct secret *k, const void *msg, size_t len, uint8_t out[PIN_MAC_SIZE])
{
    EVP_MAC_CTX *mac = pin_mac_new("SHA2-512", k->data, k->len);
    int err = mac ? pin_mac(mac, msg, len, out) : ERR_NOMEM;
    EVP_MAC_CTX_free(mac);
    return err;
}
