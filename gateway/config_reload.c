/* What is different between two configurations, and what a running gateway can make of it. */
#include "gateway/config_private.h"

#include "base/result.h"

#include <stdlib.h>
#include <string.h>

static bool is_same_secret(const struct secret *a, const struct secret *b)
{
    return secret_equal(a->data, a->len, b->data, b->len);
}

static bool is_same_string(const struct config_field *f, const char *a, const char *b)
{
    if (f->flags & ONE)
        return true; /* its list is a row of its own */
    if (f->flags & SECRET)
        return is_same_secret((const void *)a, (const void *)b);
    if (f->flags & ZONE)
        return memcmp(a, b, sizeof(int32_t)) == 0;
    return strcmp(*(char *const *)(const void *)a, *(char *const *)(const void *)b) == 0;
}

static bool is_same_list(const struct config_field *f, const char *a, const char *b)
{
    const char *const *x, *const *y;
    size_t n, m;
    memcpy(&x, a + f->offset, sizeof x);
    memcpy(&y, b + f->offset, sizeof y);
    memcpy(&n, a + f->count_offset, sizeof n);
    memcpy(&m, b + f->count_offset, sizeof m);
    if (n != m)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(x[i], y[i]) != 0)
            return false;
    return true;
}

static size_t number_size(const struct config_field *f)
{
    return f->kind == CONFIG_BOOLEAN  ? sizeof(bool)
           : f->kind == CONFIG_CHOICE ? sizeof(int)
                                      : sizeof(uint32_t);
}

/* a and b: the structs that the row's offset is in. */
static bool is_same(const struct config_field *f, const void *a, const void *b)
{
    const char *x = a, *y = b;
    if (f->kind == CONFIG_STRINGS)
        return is_same_list(f, x, y);
    if (f->kind == CONFIG_STRING)
        return is_same_string(f, x + f->offset, y + f->offset);
    return memcmp(x + f->offset, y + f->offset, number_size(f)) == 0;
}

/* ---- carriers ---- */

const struct config_carrier *config_carrier_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_carriers; i++)
        if (strcmp(config->carriers[i].name, name) == 0)
            return &config->carriers[i];
    return NULL;
}

enum config_change config_carrier_compare(const struct config_carrier *a,
                                          const struct config_carrier *b)
{
    enum config_change change = CONFIG_SAME;
    for (int row = 0; row < CONFIG_N_ROWS; row++) {
        const struct config_field *f = &config_fields[row];
        if (f->section != CONFIG_carrier || is_same(f, a, b))
            continue;
        if (f->flags & REBIND)
            return CONFIG_REBIND;
        change = CONFIG_IN_PLACE;
    }
    /* Files of the same name and with another content. */
    return memcmp(a->tls_files, b->tls_files, sizeof a->tls_files) != 0 ? CONFIG_REBIND : change;
}

/* ---- rows that need a restart ---- */

void config_list_add(char *list, size_t size, const char *section, const char *name)
{
    static const char more[] = ", ...";
    size_t used = strlen(list), need = strlen(section) + strlen(name) + 4;
    if (used + need + sizeof more <= size)
        snprintf(list + used, size - used, "%s%s%s%s", used ? ", " : "", section,
                 *section ? " " : "", name);
    else if (used + sizeof more <= size && (used < 4 || strcmp(list + used - 3, "...") != 0))
        memcpy(list + used, more, sizeof more);
}

static int keep_row(const struct config_field *f, struct config *fresh,
                    const struct config *running)
{
    char *to = (char *)fresh + f->offset;
    const char *from = (const char *)running + f->offset;
    if (f->kind != CONFIG_STRING) { /* lists stand in carriers and routes only */
        memcpy(to, from, number_size(f));
        return 0;
    }
    char **at = (char **)(void *)to, *copy = strdup(*(char *const *)(const void *)from);
    if (!copy)
        return ERR_NOMEM;
    free(*at);
    *at = copy;
    return 0;
}

/* With TLS switched on or off a door would be another one behind its clients' back. */
static bool is_tls_switch(const struct config_field *f, const struct config *a,
                          const struct config *b)
{
    bool is_tls = f->offset == offsetof(struct config, http.tls_cert_file) ||
                  f->offset == offsetof(struct config, http.tls_key_file);
    return f->section == CONFIG_http && is_tls &&
           !*a->http.tls_cert_file != !*b->http.tls_cert_file;
}

static bool is_kept(const struct config_field *f, const struct config *fresh,
                    const struct config *running)
{
    if (f->section >= CONFIG_carrier)
        return false;
    return !(f->flags & RELOAD) || is_tls_switch(f, fresh, running);
}

static bool is_other(const struct config_field *f, const struct config *fresh,
                     const struct config *running)
{
    if (f->offset == offsetof(struct config, store.password_file) &&
        !is_same_secret(&fresh->store.password, &running->store.password))
        return true;
    return !is_same(f, fresh, running);
}

static int keep_store_password(struct config *fresh, const struct config *running)
{
    const struct secret *p = &running->store.password;
    secret_clear(&fresh->store.password);
    return secret_is_set(p) ? secret_set(&fresh->store.password, p->data, p->len) : 0;
}

int config_keep_running(struct config *fresh, const struct config *running, char *kept, size_t size)
{
    bool keep[CONFIG_N_ROWS];
    int err = 0;
    *kept = '\0';
    /* Looked at before anything is kept: one row's fate may hang on another's value. */
    for (int row = 0; row < CONFIG_N_ROWS; row++) {
        const struct config_field *f = &config_fields[row];
        keep[row] = is_kept(f, fresh, running) && is_other(f, fresh, running);
        if (keep[row])
            config_list_add(kept, size, config_section_name(f->section),
                            config_rows(NULL)[row].name);
    }
    for (int row = 0; !err && row < CONFIG_N_ROWS; row++)
        if (keep[row])
            err = keep_row(&config_fields[row], fresh, running);
    return err ? err : keep_store_password(fresh, running);
}
