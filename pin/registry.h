/*
 * Accounts, API keys, applications and templates in Redis, with a cache in the process.
 *
 *   pb:{KKK}:key:<sha256 of the key>   account, scopes, name   (KKK: bucket of the hash)
 *   pb:{accounts}:names                index of all accounts
 *   pb:{account}:account, pb:{account}:apps, pb:{account}:app:<id>, pb:{account}:app:<id>:msgs,
 *   pb:{account}:msg:<app>:<id>, and :<revision> behind it for what an earlier revision was
 *
 * What a request needs is cached for at most 5 s and dropped on a notice on the channel
 * "pb:registry", so a revoked key is dead everywhere within 5 s.  The cache is bounded; the oldest
 * entry goes.  Absence is cached too.  Objects handed to callbacks are valid during the callback.
 * A find callback may run inside the call (a hit in the cache), or later from the event loop;
 * exactly once either way.
 */
#ifndef PIN_REGISTRY_H
#define PIN_REGISTRY_H

#include "pin/pin.h"

struct event_base;
struct store;
struct pin_registry;

#define PIN_ACCOUNT_SIZE          33 /* [a-z0-9][a-z0-9_-]{0,31} */
#define PIN_APP_ID_SIZE           33 /* 32 upper-case hex digits */
#define PIN_NAME_SIZE             129
#define PIN_SENDER_SIZE           17
#define PIN_TEMPLATE_SEGMENTS_MAX 10
#define PIN_API_KEY_SIZE          68 /* 64 hex digits of 256 random bits, prefixed "pb_", and a NUL */

struct pin_app {
    char account[PIN_ACCOUNT_SIZE];
    char id[PIN_APP_ID_SIZE];
    char name[PIN_NAME_SIZE];
    bool enabled;
    struct pin_policy policy;
};

struct pin_template {
    char id[PIN_APP_ID_SIZE];
    char app_id[PIN_APP_ID_SIZE];
    uint32_t revision; /* 1.. */
    char text[PIN_TEXT_MAX + 1];
    struct pin_spec spec;
    char sender[PIN_SENDER_SIZE]; /* "": the carrier's */
    char language[8];
    uint32_t max_segments; /* of the SMS that its text may take, 0 counts as 1 */
    /* Kept and given back as they came, "" where not given: speech is not spoken here, and the
     * identifiers of Indian DLT registration go out with carriers that take them. */
    char repeat_dtmf[16];
    char speech_rate[8]; /* "0.5".."2" */
    char voice_name[33];
    char dlt_entity[31], dlt_content[31], dlt_telemarketer[256];
};

struct pin_registry *pin_registry_new(struct event_base *base, struct store *store,
                                      uint32_t cache_ms /* default 5000 */,
                                      uint32_t cache_max /* entries, default 10000 */)
    __attribute__((warn_unused_result));
/* Pending callbacks get ERR_CLOSED before this returns. Call before store_free(). */
void pin_registry_free(struct pin_registry *r);

struct pin_template_ref {
    const char *app_id;
    const char *id;
    uint32_t revision; /* 0: the newest */
};

/* result: 0, ERR_NOTFOUND (also: another account's), ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_LOST. */
typedef void (*pin_account_cb)(void *arg, int result, const char *account);
typedef void (*pin_app_cb)(void *arg, int result, const struct pin_app *app);
typedef void (*pin_template_cb)(void *arg, int result, const struct pin_template *t);

/* Which account a key belongs to. */
void pin_registry_find_key(struct pin_registry *r, const char *key, size_t len, pin_account_cb cb,
                           void *arg);
void pin_registry_find_app(struct pin_registry *r, const char *account, const char *app_id,
                           pin_app_cb cb, void *arg);
void pin_registry_find_template(struct pin_registry *r, const char *account, const char *app_id,
                                const char *id, pin_template_cb cb, void *arg);

/* What the cache knows of an application (id NULL) or template is dropped: the next find asks the
 * store.  For those who change it by parts. */
void pin_registry_forget(struct pin_registry *r, const char *account, const char *app_id,
                         const char *id);

/* Was it found to be good here within the last hour, and not withdrawn since?  It may be asked
 * about also when strangers at the same address must not. */
bool pin_registry_knows_key(struct pin_registry *r, const char *key, size_t len);

/* The template as an earlier revision had it, so that a PIN goes out again as it went out first;
 * revision 0: the newest.  What a change replaces is kept for the application's pinTimeToLive at
 * that moment and a day more, the last 100 of a template: ERR_NOTFOUND after that, and the newest
 * is the next best. */
void pin_registry_find_revision(struct pin_registry *r, const char *account,
                                const struct pin_template_ref *ref, pin_template_cb cb, void *arg);

/* Making and changing: never inside the call, unless it cannot even be begun (ERR_NOMEM, or
 * ERR_UNAVAILABLE when 4096 are outstanding).  The key in clear is shown this once.
 * ERR_LIMIT: 10000 of them are there. */
typedef void (*pin_key_cb)(void *arg, int result, const char *account, const char *key);
/* ERR_EXISTS, ERR_INVALID (name). Makes the account and its first key. */
void pin_registry_create_account(struct pin_registry *r, const char *account, pin_key_cb cb,
                                 void *arg);
/* A further key of an account; ERR_NOTFOUND. */
void pin_registry_create_key(struct pin_registry *r, const char *account, pin_key_cb cb, void *arg);
void pin_registry_revoke_key(struct pin_registry *r, const char *key, pin_account_cb cb, void *arg);
/* app->id is drawn here; ERR_NOTFOUND: no such account. */
void pin_registry_create_app(struct pin_registry *r, const struct pin_app *app, pin_app_cb cb,
                             void *arg);
/* t->id and revision are set here; ERR_NOTFOUND: no such application. */
void pin_registry_create_template(struct pin_registry *r, const char *account,
                                  const struct pin_template *t, pin_template_cb cb, void *arg);

/* Writes the object whole, under the id it carries; a template gets its next revision.
 * ERR_NOTFOUND: there is none to change. Between a find and this, another change may be lost; the
 * last one stands. */
void pin_registry_update_app(struct pin_registry *r, const struct pin_app *app, pin_app_cb cb,
                             void *arg);
void pin_registry_update_template(struct pin_registry *r, const char *account,
                                  const struct pin_template *t, pin_template_cb cb, void *arg);

/* Names of all accounts / ids of an account's applications / of an application's templates;
 * n views valid during the callback. */
typedef void (*pin_names_cb)(void *arg, int result, const char *const *names, size_t n);
void pin_registry_list_accounts(struct pin_registry *r, pin_names_cb cb, void *arg);
void pin_registry_list_apps(struct pin_registry *r, const char *account, pin_names_cb cb,
                            void *arg);
void pin_registry_list_templates(struct pin_registry *r, const char *account, const char *app_id,
                                 pin_names_cb cb, void *arg);

#endif
