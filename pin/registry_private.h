/*
 * Inside of the registry: registry.c keeps operations and finds, registry_make.c makes, changes,
 * revokes and lists, registry_form.c turns objects into hash fields and back, registry_cache.c
 * remembers.
 *
 * The Redis key of an object is also its name in the cache and the text of the notice about it.
 */
#ifndef PIN_REGISTRY_PRIVATE_H
#define PIN_REGISTRY_PRIVATE_H

#include "base/clock.h"
#include "pin/registry.h"
#include "store/store.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#define REG_CHANNEL     "pb:registry"
#define REG_ACCOUNTS    "pb:{accounts}:names" /* index of all accounts */
#define REG_NAME_SIZE   128                   /* of a Redis key */
#define REG_FIELDS_MAX  16                    /* of an object's hash */
#define REG_OPS_MAX     4096                  /* operations without an answer */
#define REG_LIST_MAX    10000                 /* accounts, applications, templates of one owner */
#define REG_EARLIER_MAX 100                   /* revisions of a template that are kept */
#define REG_EARLIER_MS  INT64_C(86400000)     /* so long, and the life of a PIN */

enum reg_kind { REG_KEY, REG_APP, REG_TEMPLATE };

union reg_object {
    char account[PIN_ACCOUNT_SIZE]; /* of a key */
    struct pin_app app;
    struct pin_template tmpl;
};

/* --- cache: registry_cache.c --------------------------------------------------------------- */

struct reg_cache;
struct reg_cache *pin_reg_cache_new(uint32_t life_ms, uint32_t max)
    __attribute__((warn_unused_result));
void pin_reg_cache_free(struct reg_cache *c);
/* 0, ERR_NOTFOUND: it is known to be absent, ERR_UNAVAILABLE: nothing is known. */
int pin_reg_cache_get(struct reg_cache *c, const char *name, union reg_object *out)
    __attribute__((warn_unused_result));
/* object NULL: absent.  The life counts from asked, when the question was sent. */
void pin_reg_cache_put(struct reg_cache *c, const char *name, struct mono asked,
                       const union reg_object *object, size_t size);
void pin_reg_cache_drop(struct reg_cache *c, const char *name, size_t len);
void pin_reg_cache_drop_all(struct reg_cache *c);
uint32_t pin_reg_cache_count(const struct reg_cache *c);

/* --- form: registry_form.c ----------------------------------------------------------------- */

struct reg_fields { /* names and values by turns; they point into the object and into text */
    struct store_arg v[2 * REG_FIELDS_MAX];
    size_t n;
    char text[64];
    size_t used;
};
bool pin_reg_account_is_valid(const char *name);
size_t pin_reg_object_size(enum reg_kind kind);
/* Fills what HGETALL answered into an object that knows its ids.  ERR_NOTFOUND, ERR_CORRUPT. */
int pin_reg_parse(enum reg_kind kind, const struct store_reply *reply, union reg_object *out)
    __attribute__((warn_unused_result));
/* ERR_INVALID: would not be read back as it is. */
int pin_reg_app_fields(const struct pin_app *app, struct reg_fields *out)
    __attribute__((warn_unused_result));
int pin_reg_template_fields(const struct pin_template *t, struct reg_fields *out)
    __attribute__((warn_unused_result));

void pin_reg_key_name(const char *key, size_t len, char out[REG_NAME_SIZE]);
void pin_reg_account_name(const char *account, char out[REG_NAME_SIZE]);
void pin_reg_apps_name(const char *account, char out[REG_NAME_SIZE]);
void pin_reg_app_name(const char *account, const char *app, char out[REG_NAME_SIZE]);
void pin_reg_templates_name(const char *account, const char *app, char out[REG_NAME_SIZE]);
void pin_reg_template_name(const char *account, const char *app, const char *id,
                           char out[REG_NAME_SIZE]);
/* template: the name of its newest revision. */
void pin_reg_revision_name(const char *template, uint32_t revision, char out[REG_NAME_SIZE]);

/* --- operations: registry.c ---------------------------------------------------------------- */

struct pin_registry {
    struct pin_registry *prev, *next; /* of those that are alive */
    uint64_t number;                  /* what a notice knows it by */
    struct event_base *base;
    struct store *store;
    struct reg_cache *cache;
    struct reg_cache *good; /* keys that were found, see pin_registry_knows_key() */
    struct reg_op *ops;
    uint32_t n_ops;
    uint64_t notices; /* of changes; an answer asked for before the last one is not kept */
    bool is_closing;
};

enum reg_to_kind { REG_TO_ACCOUNT, REG_TO_APP, REG_TO_TEMPLATE, REG_TO_KEY, REG_TO_NAMES };
struct reg_to { /* whom to answer */
    enum reg_to_kind kind;
    union {
        pin_account_cb account;
        pin_app_cb app;
        pin_template_cb tmpl;
        pin_key_cb key;
        pin_names_cb names;
    } cb;
    void *arg;
};

struct reg_op {
    struct reg_op *prev, *next;
    struct pin_registry *r; /* NULL: closed and answered, only the store's answer is to come */
    struct reg_to to;
    void (*step)(struct reg_op *op, const struct store_reply *reply); /* on the store's answer */
    struct event later; /* ends it from the loop with result */
    int result;
    enum reg_kind kind;
    struct mono asked;
    uint64_t notices;
    bool is_change;           /* of what stands under name: forgotten here whatever the answer is */
    uint32_t revision;        /* of a template, that is looked for */
    char name[REG_NAME_SIZE]; /* Redis key of its object */
    char account[PIN_ACCOUNT_SIZE];
    char api_key[PIN_API_KEY_SIZE]; /* in clear: wiped */
    const char *const *names;       /* of a list, during the answer */
    size_t n_names;
    union reg_object object;
};

/* NULL: there was no room, the caller has been answered. */
struct reg_op *pin_reg_op_new(struct pin_registry *r, const struct reg_to *to)
    __attribute__((warn_unused_result));
/* Answers and frees it; only from the event loop. */
void pin_reg_op_end(struct reg_op *op, int result);
void pin_reg_op_later(struct reg_op *op, int result);
/* One command or script; step goes on with an answer that is no error. */
typedef void (*reg_step)(struct reg_op *op, const struct store_reply *reply);
void pin_reg_op_command(struct reg_op *op, reg_step step, const struct store_arg *argv,
                        size_t argc);
struct reg_call {
    struct store_script *script;
    const struct store_arg *keys;
    size_t n_keys;
    const struct store_arg *args;
    size_t n_args;
};
void pin_reg_op_eval(struct reg_op *op, reg_step step, const struct reg_call *call);
/* Something under this name has changed. */
void pin_reg_changed(struct pin_registry *r, const char *name);

#define REG_ARG(s)                                                                                 \
    {                                                                                              \
        (s), strlen(s)                                                                             \
    }

#endif
