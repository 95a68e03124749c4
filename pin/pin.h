/*
 * pin/: the one-time PIN: keys, generation, tag, seal, text and policy.  The PIN's state in Redis
 * is ledger.h, accounts and templates are registry.h.
 *
 * A PIN is a function of the gateway's secret K, a time step and a nonce (a TOTP variant after
 * RFC 6238 on HMAC-SHA-512); the record keeps nonce, step and a keyed tag, never the PIN.  Random
 * octets come from one HMAC_DRBG with SHA-512 per process (NIST SP 800-90A rev. 1, 10.1.2).
 * Nothing here touches the event loop.  A PIN in clear lives in arrays of PIN_SIZE that their
 * owner wipes with secret_wipe().
 */
#ifndef PIN_PIN_H
#define PIN_PIN_H

#include "base/msisdn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_ID_SIZE    33 /* 32 upper-case hex digits and a NUL */
#define PIN_LEN_MIN    4
#define PIN_LEN_MAX    32
#define PIN_SIZE       (PIN_LEN_MAX + 1)
#define PIN_NONCE_SIZE 64
#define PIN_TAG_SIZE   32
#define PIN_SEAL_MAX   1024 /* sealed octets in a record */

/* --- keys: pin/key.c ---------------------------------------------------------------------- */

struct pin_keyring;

/* ERR_NOTFOUND, ERR_DENIED (mode wider than 0600), ERR_INVALID...; why: a sentence for a person. */
int pin_keyring_load(const char *path, struct pin_keyring **out, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* Reads the file anew into the same ring: all of it when it is good, else nothing has changed.
 * Generations can be added, and become active at another time.  ERR_INVALID also when one that
 * the ring has is missing, or is another key: its PINs may be alive, so doing without it takes a
 * restart.  The DRBG goes on as it is. */
int pin_keyring_reload(struct pin_keyring *ring, const char *path, char *why, size_t why_size)
    __attribute__((warn_unused_result));
void pin_keyring_free(struct pin_keyring *ring);
/* Makes a key file (0600) with one generation active now; ERR_EXISTS when there is one. */
int pin_keyfile_new(const char *path, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* Adds a generation, by rewriting to a new file and rename(). active_from: Unix ms. */
int pin_keyfile_add(const char *path, int64_t active_from_ms, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* RFC 3339 with Z or an offset -> Unix ms. */
int pin_time_parse(const char *text, int64_t *ms) __attribute__((warn_unused_result));

/* --- DRBG: pin/drbg.c --------------------------------------------------------------------- */

/* Known-answer tests of HMAC_DRBG and HMAC-SHA-512; a failure must end the process. */
int pin_self_test(void) __attribute__((warn_unused_result));
struct pin_random_options {
    uint32_t reseed_interval_s; /* default 60 */
    uint32_t reseed_draws;      /* blocks of 4 KiB, default 65536 */
};
/* Instantiates the process's DRBG with a time-dependent personalisation under the ring's key. */
int pin_random_start(const struct pin_keyring *ring, const struct pin_random_options *options)
    __attribute__((warn_unused_result));
int pin_random(void *out, size_t len) __attribute__((warn_unused_result));
void pin_random_stop(void);

/* --- generation: pin/generate.c ------------------------------------------------------------ */

enum pin_type { PIN_NUMERIC, PIN_ALPHA, PIN_HEX, PIN_ALPHANUMERIC };
const char *pin_type_name(enum pin_type type);
int pin_type_parse(const char *name, enum pin_type *out) __attribute__((warn_unused_result));

struct pin_spec {
    enum pin_type type;
    uint8_t length;      /* 4..32 */
    bool no_look_alikes; /* leaves out 0 O 1 I */
};

struct pin_owner { /* whose PIN it is: all of it goes into the tag */
    const char *account;
    const char *app_id;
    const struct msisdn *msisdn;
};

struct pin_drawn {
    char pin_id[PIN_ID_SIZE];
    uint32_t key_id;
    int64_t step; /* T */
    uint8_t nonce[PIN_NONCE_SIZE];
    uint8_t tag[PIN_TAG_SIZE];
    char pin[PIN_SIZE]; /* in clear: wipe */
};

/* A new pinId (bucket of the msisdn, key slot, 28 random digits), nonce, PIN and tag. */
int pin_draw(struct pin_keyring *ring, const struct pin_spec *spec, const struct pin_owner *owner,
             uint32_t step_s, struct pin_drawn *out) __attribute__((warn_unused_result));
/* The same PIN again from what the record keeps: pin_id, key_id, step and nonce of io. */
int pin_draw_again(struct pin_keyring *ring, const struct pin_spec *spec, struct pin_drawn *io)
    __attribute__((warn_unused_result));
/* The tag of a typed PIN: canonical form (upper case, white space, spaces and dashes dropped);
 * the key is found by the slot digit of the pinId.  ERR_NOTFOUND: no such generation. A typed
 * text that cannot be a PIN (longer than PIN_LEN_MAX, or empty) gives a tag that matches nothing.
 */
int pin_tag(struct pin_keyring *ring, const struct pin_owner *owner, const char *pin_id,
            const char *typed, size_t typed_len, uint8_t tag[PIN_TAG_SIZE])
    __attribute__((warn_unused_result));
/* 32 upper-case hex digits. */
bool pin_id_is_valid(const char *s, size_t len);

/* AES-256-GCM under the seal key of the pinId's generation; additional data: the pinId. */
int pin_seal(struct pin_keyring *ring, const char *pin_id, const void *plain, size_t len,
             uint8_t *out, size_t cap, size_t *out_len) __attribute__((warn_unused_result));
int pin_unseal(struct pin_keyring *ring, const char *pin_id, const void *sealed, size_t len,
               uint8_t *out, size_t cap, size_t *out_len) __attribute__((warn_unused_result));

/* --- text: pin/text.c ----------------------------------------------------------------------- */

struct pin_placeholder {
    const char *name; /* without braces, never "pin" */
    const char *value;
};
#define PIN_PLACEHOLDERS_MAX 16
#define PIN_TEXT_MAX         1600 /* octets of rendered UTF-8 */

/* A template holds {{pin}} exactly once; ERR_INVALID with *why (a sentence) otherwise. */
int pin_text_check(const char *text, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/* ERR_INVALID names an unknown or missing placeholder in why; ERR_TOOLONG. out is wiped on error.
 */
int pin_text_render(const char *text, const char *pin, const struct pin_placeholder *ph,
                    size_t n_ph, char *out, size_t size, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/* --- policy: pin/policy.c ------------------------------------------------------------------- */

struct pin_limit {
    uint32_t count;
    int64_t window_ms;
    char text[24]; /* as given: "3/1d" */
};

struct pin_policy {             /* of an application; names and defaults of the HTTP API */
    uint32_t pin_attempts;      /* 10 */
    bool allow_multiple;        /* true */
    int64_t ttl_ms;             /* 900000 */
    char ttl_text[16];          /* "15m" */
    struct pin_limit verify;    /* 1/3s, at most a day */
    struct pin_limit per_app;   /* 10000/1d, at most a year */
    struct pin_limit per_phone; /* 3/1d, at most a year */
};
void pin_policy_default(struct pin_policy *p);
/* key: pinAttempts, allowMultiplePinVerifications, pinTimeToLive, verifyPinLimit,
 * sendPinPerApplicationLimit, sendPinPerPhoneNumberLimit.  ERR_NOTFOUND: no such key. */
int pin_policy_set(struct pin_policy *p, const char *key, const char *value, char *why,
                   size_t why_size) __attribute__((warn_unused_result));
/* "15m", "h" = one hour: ^\d*(ms|s|m|h|d)$ */
int pin_period_parse(const char *text, int64_t *ms) __attribute__((warn_unused_result));
/* "1/3s": ^\d+/\d*(ms|s|m|h|d)$ */
int pin_limit_parse(const char *text, struct pin_limit *out) __attribute__((warn_unused_result));

#endif
