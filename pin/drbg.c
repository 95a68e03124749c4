/*
 * The process's HMAC_DRBG.  OpenSSL takes the operating system's entropy at instantiation and at
 * each reseed (and reseeds by itself more often than our schedule asks); the time-dependent seed
 * under K goes in beside it.  Octets are drawn in blocks, wiped as they are given out; what is
 * left of a block is dropped at a reseed and in a forked child.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STRENGTH     256
#define BOOT_ID_SIZE 40

static struct {
    EVP_RAND_CTX *ctx; /* NULL: not started */
    struct secret k;
    uint32_t interval_s;
    uint32_t max_draws;
    struct mono seeded;
    uint32_t draws; /* blocks since then */
    uint64_t reseeds;
    bool forked;
    size_t used; /* octets of the block that are given out */
    char boot_id[BOOT_ID_SIZE];
    uint8_t block[PIN_BLOCK_SIZE];
} drbg = {.used = PIN_BLOCK_SIZE};

static void drop_block(void)
{
    secret_wipe(drbg.block, sizeof drbg.block);
    drbg.used = sizeof drbg.block;
}

static void in_child_cb(void)
{
    drop_block();
    drbg.forked = true;
}

/* --- instantiation ------------------------------------------------------------------------- */

static EVP_RAND_CTX *hmac_drbg_new(EVP_RAND_CTX *parent)
{
    EVP_RAND *rand = EVP_RAND_fetch(NULL, "HMAC-DRBG", NULL);
    EVP_RAND_CTX *ctx = rand ? EVP_RAND_CTX_new(rand, parent) : NULL;
    EVP_RAND_free(rand);
    char mac[] = "HMAC";
    char digest[] = "SHA512";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_MAC, mac, 0),
                           OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    if (ctx && EVP_RAND_CTX_set_params(ctx, params) == 1)
        return ctx;
    EVP_RAND_CTX_free(ctx);
    return NULL;
}

/* HMAC-SHA-512 under K of the clock with nanoseconds, the process id and the boot id. */
static int time_seed(uint8_t out[PIN_MAC_SIZE])
{
    uint8_t msg[128];
    struct wr w = wr_init(msg, sizeof msg);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    wr_str(&w, "pinbind drbg seed");
    wr_u64(&w, (uint64_t)now.tv_sec);
    wr_u32(&w, (uint32_t)now.tv_nsec);
    wr_u32(&w, (uint32_t)getpid());
    wr_str(&w, drbg.boot_id);
    return pin_derive(&drbg.k, msg, w.len, out);
}

static void read_boot_id(void)
{
    memset(drbg.boot_id, 0, sizeof drbg.boot_id);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* one ingredient less; the entropy does not depend on it */
    (void)!read(fd, drbg.boot_id, sizeof drbg.boot_id - 1);
    close(fd);
}

static void mark_seeded(void)
{
    drbg.seeded = mono_now();
    drbg.draws = 0;
    drbg.forked = false;
}

static int instantiate(void)
{
    uint8_t seed[PIN_MAC_SIZE];
    int err = time_seed(seed);
    if (!err) {
        drbg.ctx = hmac_drbg_new(NULL);
        err = drbg.ctx ? 0 : ERR_NOMEM;
    }
    if (!err && EVP_RAND_instantiate(drbg.ctx, STRENGTH, 0, seed, sizeof seed, NULL) != 1)
        err = ERR_IO;
    secret_wipe(seed, sizeof seed);
    mark_seeded();
    return err;
}

int pin_random_start(const struct pin_keyring *ring, const struct pin_random_options *options)
{
    static bool hooked;
    const struct pin_key *key = pin_keyring_newest(ring, wall_ms());
    pin_random_stop();
    if (!key)
        return ERR_NOTFOUND;
    if (!hooked && pthread_atfork(NULL, NULL, in_child_cb))
        return ERR_NOMEM;
    hooked = true;
    drbg.interval_s = options && options->reseed_interval_s ? options->reseed_interval_s : 60;
    drbg.max_draws = options && options->reseed_draws ? options->reseed_draws : 65536;
    (void)mlock(drbg.block, sizeof drbg.block); /* best effort, as in secret_set() */
    read_boot_id();
    int err = secret_set(&drbg.k, key->k.data, key->k.len);
    if (!err)
        err = instantiate();
    if (err)
        pin_random_stop();
    return err;
}

void pin_random_stop(void)
{
    EVP_RAND_CTX_free(drbg.ctx); /* cleanses its state */
    drbg.ctx = NULL;
    secret_clear(&drbg.k);
    drop_block();
}

/* --- drawing ------------------------------------------------------------------------------- */

static int reseed(void)
{
    uint8_t seed[PIN_MAC_SIZE];
    drop_block();
    int err = time_seed(seed);
    if (!err && EVP_RAND_reseed(drbg.ctx, 0, NULL, 0, seed, sizeof seed) != 1)
        err = ERR_IO;
    secret_wipe(seed, sizeof seed);
    if (!err) {
        mark_seeded();
        drbg.reseeds++;
    }
    return err;
}

static int refill(void)
{
    int err = drbg.draws >= drbg.max_draws ? reseed() : 0;
    if (err)
        return err;
    if (EVP_RAND_generate(drbg.ctx, drbg.block, sizeof drbg.block, STRENGTH, 0, NULL, 0) != 1) {
        drop_block();
        return ERR_IO;
    }
    drbg.draws++;
    drbg.used = 0;
    return 0;
}

static bool is_stale(void)
{
    return drbg.forked || mono_diff_ms(mono_now(), drbg.seeded) >= drbg.interval_s * INT64_C(1000);
}

static size_t take(uint8_t *out, size_t len)
{
    size_t left = sizeof drbg.block - drbg.used;
    size_t n = len < left ? len : left;
    memcpy(out, drbg.block + drbg.used, n);
    secret_wipe(drbg.block + drbg.used, n);
    drbg.used += n;
    return n;
}

int pin_random(void *out, size_t len)
{
    if (!drbg.ctx)
        return ERR_BADSTATE;
    int err = is_stale() ? reseed() : 0;
    size_t done = 0;
    while (!err && done < len) {
        if (drbg.used == sizeof drbg.block)
            err = refill();
        if (!err)
            done += take((uint8_t *)out + done, len - done);
    }
    if (err)
        secret_wipe(out, len);
    return err;
}

void pin_random_peek(struct pin_random_state *out)
{
    *out = (struct pin_random_state){drbg.reseeds, drbg.used, drbg.block};
}

/* --- self-test ----------------------------------------------------------------------------- */

/* RFC 4231, test case 2. */
static int test_hmac(void)
{
    static const char want[] = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    static const char msg[] = "what do ya want for nothing?";
    uint8_t out[PIN_MAC_SIZE];
    char hex[2 * PIN_MAC_SIZE + 1];
    EVP_MAC_CTX *mac = pin_mac_new("SHA2-512", "Jefe", 4);
    int err = mac ? 0 : ERR_NOMEM;
    for (int round = 0; !err && round < 2; round++) { /* the kept context must start afresh */
        err = pin_mac(mac, msg, sizeof msg - 1, out);
        hex_encode(out, sizeof out, hex, false);
        if (!err && strcmp(hex, want) != 0)
            err = ERR_CORRUPT;
    }
    EVP_MAC_CTX_free(mac);
    return err;
}

/* What the DRBG under test gets for entropy: 64 times the octet, and a nonce of 32 x 0x22. */
static int feed(EVP_RAND_CTX *source, int octet)
{
    uint8_t entropy[64], nonce[32];
    unsigned strength = STRENGTH;
    memset(entropy, octet, sizeof entropy);
    memset(nonce, 0x22, sizeof nonce);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
        OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, entropy, sizeof entropy),
        OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_NONCE, nonce, sizeof nonce),
        OSSL_PARAM_construct_end()};
    return EVP_RAND_CTX_set_params(source, params) == 1 ? 0 : ERR_IO;
}

static EVP_RAND_CTX *test_source_new(void)
{
    EVP_RAND *rand = EVP_RAND_fetch(NULL, "TEST-RAND", NULL);
    EVP_RAND_CTX *ctx = rand ? EVP_RAND_CTX_new(rand, NULL) : NULL;
    EVP_RAND_free(rand);
    if (ctx && feed(ctx, 0x11) == 0 && EVP_RAND_instantiate(ctx, STRENGTH, 0, NULL, 0, NULL) == 1)
        return ctx;
    EVP_RAND_CTX_free(ctx);
    return NULL;
}

static int expect_next(EVP_RAND_CTX *ctx, const char *want)
{
    uint8_t out[32];
    char hex[2 * sizeof out + 1];
    if (EVP_RAND_generate(ctx, out, sizeof out, STRENGTH, 0, NULL, 0) != 1)
        return ERR_IO;
    hex_encode(out, sizeof out, hex, false);
    return strcmp(hex, want) == 0 ? 0 : ERR_CORRUPT;
}

/* Instantiate, generate, reseed, generate; the values are those of SP 800-90A's pseudo-code. */
static int test_drbg(void)
{
    EVP_RAND_CTX *source = test_source_new();
    EVP_RAND_CTX *ctx = source ? hmac_drbg_new(source) : NULL;
    int err = ERR_NOMEM;
    if (ctx && EVP_RAND_instantiate(ctx, STRENGTH, 0, (const uint8_t *)"pers", 4, NULL) == 1)
        err = expect_next(ctx, "f5331b40e463862646ec5c53d1f7ac357804c6b531e42f81c70f20914f1a3be6");
    if (!err)
        err = feed(source, 0x33);
    if (!err && EVP_RAND_reseed(ctx, 0, NULL, 0, (const uint8_t *)"more", 4) != 1)
        err = ERR_IO;
    if (!err)
        err = expect_next(ctx, "84d0ab8fa44f335da86fab5866ad2f13e914406e498755a7090aa12842ae79e9");
    EVP_RAND_CTX_free(ctx);
    EVP_RAND_CTX_free(source);
    return err;
}

int pin_self_test(void)
{
    int err = test_hmac();
    return err ? err : test_drbg();
}
