/* Draws PINs: pinId, nonce, symbols, tag. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/result.h"
#include "pin/pin_private.h"
#include "store/store.h"

#include <string.h>

#define ID_RANDOM  14  /* octets of a pinId that are random */
#define TAG_FIELDS 256 /* octets of all fields of a tag */

static const struct {
    const char *name;
    const char *alphabet;
    const char *no_look_alikes;
} types[] = {
    [PIN_NUMERIC] = {"NUMERIC", "0123456789", "23456789"},
    [PIN_ALPHA] = {"ALPHA", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ABCDEFGHJKLMNPQRSTUVWXYZ"},
    [PIN_HEX] = {"HEX", "0123456789ABCDEF", "23456789ABCDEF"},
    [PIN_ALPHANUMERIC] = {"ALPHANUMERIC", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
                          "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"},
};
#define N_TYPES (sizeof types / sizeof types[0])

const char *pin_type_name(enum pin_type type)
{
    return (size_t)type < N_TYPES ? types[type].name : "?";
}

int pin_type_parse(const char *name, enum pin_type *out)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, name) == 0) {
            *out = (enum pin_type)i;
            return 0;
        }
    return ERR_INVALID;
}

const char *pin_alphabet(enum pin_type type, bool no_look_alikes)
{
    return no_look_alikes ? types[type].no_look_alikes : types[type].alphabet;
}

bool pin_id_is_valid(const char *s, size_t len)
{
    if (len != PIN_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'F')))
            return false;
    return true;
}

/* --- symbols ------------------------------------------------------------------------------- */

size_t pin_take_symbols(const char *alphabet, const uint8_t *octets, size_t len, char *out,
                        size_t want)
{
    size_t n = strlen(alphabet);
    size_t limit = 256 - 256 % n; /* octets from here on would favour the first symbols */
    size_t got = 0;
    for (size_t i = 0; i < len && got < want; i++)
        if (octets[i] < limit)
            out[got++] = alphabet[octets[i] % n];
    return got;
}

int pin_symbols(EVP_MAC_CTX *k_t, const struct pin_seed *seed, const char *alphabet, char *out,
                size_t n)
{
    uint8_t msg[PIN_NONCE_SIZE + PIN_ID_SIZE - 1 + 4];
    uint8_t block[PIN_MAC_SIZE];
    size_t got = 0;
    int err = 0;
    for (uint32_t counter = 0; !err && got < n; counter++) {
        struct wr w = wr_init(msg, sizeof msg);
        wr_bytes(&w, seed->nonce, PIN_NONCE_SIZE);
        wr_bytes(&w, seed->pin_id, PIN_ID_SIZE - 1);
        wr_u32(&w, counter);
        err = pin_mac(k_t, msg, w.len, block);
        if (!err)
            got += pin_take_symbols(alphabet, block, sizeof block, out + got, n - got);
    }
    secret_wipe(block, sizeof block);
    if (err)
        secret_wipe(out, n);
    out[err ? 0 : n] = 0;
    return err;
}

/* Keys the step with K_T, unless it is keyed with it already. */
int pin_step_key(struct pin_key *key, int64_t t, struct pin_step *step)
{
    if (step->t == t)
        return 0;
    uint8_t msg[32];
    uint8_t k_t[PIN_MAC_SIZE];
    struct wr w = wr_init(msg, sizeof msg);
    wr_str(&w, "pinbind pin key");
    wr_u64(&w, (uint64_t)t);
    step->t = -1;
    int err = pin_derive(&key->k, msg, w.len, k_t);
    if (!err)
        err = pin_mac_rekey(step->mac, k_t, sizeof k_t);
    secret_wipe(k_t, sizeof k_t);
    if (!err)
        step->t = t;
    return err;
}

static int draw_pin(struct pin_step *step, const struct pin_spec *spec, struct pin_drawn *io)
{
    struct pin_seed seed = {io->nonce, io->pin_id};
    return pin_symbols(step->mac, &seed, pin_alphabet(spec->type, spec->no_look_alikes), io->pin,
                       spec->length);
}

bool pin_spec_is_valid(const struct pin_spec *spec)
{
    return (size_t)spec->type < N_TYPES && spec->length >= PIN_LEN_MIN &&
           spec->length <= PIN_LEN_MAX;
}

/* --- tag ----------------------------------------------------------------------------------- */

static void put_field(struct wr *w, const char *s, size_t len)
{
    wr_u16(w, (uint16_t)len);
    wr_bytes(w, s, len);
}

static void put_key_id(struct wr *w, uint32_t id)
{
    char digits[12];
    struct wr d = wr_init(digits, sizeof digits);
    wr_dec(&d, id);
    put_field(w, digits, d.len);
}

/* pin is in canonical form. */
static int make_tag(struct pin_key *key, const struct pin_owner *owner, const char *pin_id,
                    const char *pin, uint8_t tag[PIN_TAG_SIZE])
{
    uint8_t fields[TAG_FIELDS];
    uint8_t full[PIN_MAC_SIZE];
    struct wr w = wr_init(fields, sizeof fields);
    put_key_id(&w, key->id);
    put_field(&w, owner->account, strlen(owner->account));
    put_field(&w, owner->app_id, strlen(owner->app_id));
    put_field(&w, owner->msisdn->digits, owner->msisdn->len);
    put_field(&w, pin_id, PIN_ID_SIZE - 1);
    put_field(&w, pin, strlen(pin));
    int err = w.bad ? ERR_TOOLONG : pin_mac(key->tag, fields, w.len, full);
    if (!err)
        memcpy(tag, full, PIN_TAG_SIZE);
    secret_wipe(fields, sizeof fields);
    secret_wipe(full, sizeof full);
    return err;
}

static bool is_ignored(char c)
{
    return c == ' ' || c == '-' || (c >= '\t' && c <= '\r');
}

/*
 * Upper case, white space and dashes dropped.  What cannot be a PIN (empty, too long, a NUL in
 * it) becomes "", which no drawn PIN is.
 */
static void canonical(const char *typed, size_t len, char out[PIN_SIZE])
{
    size_t n = 0;
    bool bad = false;
    for (size_t i = 0; !bad && i < len; i++) {
        if (is_ignored(typed[i]))
            continue;
        bad = n == PIN_LEN_MAX || typed[i] == 0;
        if (!bad)
            out[n++] = (char)(typed[i] >= 'a' && typed[i] <= 'z' ? typed[i] - 32 : typed[i]);
    }
    out[bad ? 0 : n] = 0;
}

int pin_tag(struct pin_keyring *ring, const struct pin_owner *owner, const char *pin_id,
            const char *typed, size_t typed_len, uint8_t tag[PIN_TAG_SIZE])
{
    struct pin_key *key = NULL;
    int err = pin_keyring_by_pin_id(ring, pin_id, &key);
    if (err)
        return err;
    char pin[PIN_SIZE] = {0};
    canonical(typed, typed_len, pin);
    err = make_tag(key, owner, pin_id, pin, tag);
    secret_wipe(pin, sizeof pin);
    return err;
}

/* --- drawing ------------------------------------------------------------------------------- */

static int draw_id_and_nonce(const struct pin_owner *owner, struct pin_drawn *out)
{
    uint8_t random[ID_RANDOM];
    uint16_t bucket = store_bucket(owner->msisdn->digits, owner->msisdn->len);
    char bucket_hex[4];
    store_bucket_hex(bucket, bucket_hex);
    memcpy(out->pin_id, bucket_hex, 3);
    out->pin_id[PIN_ID_SLOT] = "0123456789ABCDEF"[out->key_id % PIN_KEY_SLOTS];
    int err = pin_random(random, sizeof random);
    if (!err)
        err = pin_random(out->nonce, sizeof out->nonce);
    if (!err)
        hex_encode(random, sizeof random, out->pin_id + PIN_ID_SLOT + 1, true);
    return err;
}

int pin_draw(struct pin_keyring *ring, const struct pin_spec *spec, const struct pin_owner *owner,
             uint32_t step_s, struct pin_drawn *out)
{
    int64_t now = wall_ms();
    struct pin_key *key = pin_keyring_newest(ring, now);
    if (!pin_spec_is_valid(spec) || step_s == 0)
        return ERR_INVALID;
    if (!key)
        return ERR_NOTFOUND;
    *out = (struct pin_drawn){.key_id = key->id, .step = now / 1000 / step_s};
    int err = draw_id_and_nonce(owner, out);
    if (!err)
        err = pin_step_key(key, out->step, &key->draw);
    if (!err)
        err = draw_pin(&key->draw, spec, out);
    if (!err)
        err = make_tag(key, owner, out->pin_id, out->pin, out->tag);
    if (err)
        secret_wipe(out, sizeof *out);
    return err;
}

int pin_draw_again(struct pin_keyring *ring, const struct pin_spec *spec, struct pin_drawn *io)
{
    struct pin_key *key = pin_keyring_by_id(ring, io->key_id);
    if (!pin_spec_is_valid(spec) || io->step < 0 ||
        !pin_id_is_valid(io->pin_id, strlen(io->pin_id)))
        return ERR_INVALID;
    if (!key)
        return ERR_NOTFOUND;
    struct pin_step *step = key->draw.t == io->step ? &key->draw : &key->past;
    int err = pin_step_key(key, io->step, step);
    return err ? err : draw_pin(step, spec, io);
}
