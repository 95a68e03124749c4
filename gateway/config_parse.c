/* The only file that knows libconfuse: its values go, row by row, into the structs. */
#include "gateway/config_private.h"

#include "base/result.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OPTS_MAX (CONFIG_N_ROWS + CONFIG_N_SECTIONS + 32) /* 32: keys that are not yet there */

struct parse {
    struct config_reader *r;
    struct config *config;
    const struct config_section *section;
    cfg_t *values; /* of the section */
    char *base;    /* the struct that the section's offsets are in */
};

#define FAIL_ROW(p, row, ...) CONFIG_FAIL_ROW((p)->r, (p)->section, row, __VA_ARGS__)

/* ---- the rows as libconfuse wants them ---- */

static cfg_opt_t row_option(int row)
{
    const struct config_field *f = &config_fields[row];
    const char *name = config_rows(NULL)[row].name;
    switch (f->kind) {
    case CONFIG_INTEGER:
    case CONFIG_SIGNED:
    case CONFIG_OCTAL:
        return (cfg_opt_t)CFG_INT(name, f->number, CFGF_NONE);
    case CONFIG_BOOLEAN:
        return (cfg_opt_t)CFG_BOOL(name, f->number ? cfg_true : cfg_false, CFGF_NONE);
    case CONFIG_STRINGS:
        return (cfg_opt_t)CFG_STR_LIST(name, (char *)f->string, CFGF_NONE);
    case CONFIG_STRING:
    case CONFIG_CHOICE:
        break;
    }
    return (cfg_opt_t)CFG_STR(name, f->string, CFGF_NONE);
}

/* Returns how many; the caller ends the array. */
static size_t section_options(enum config_section_id id, cfg_opt_t *opts)
{
    size_t n = 0, n_not_yet;
    const struct config_not_yet *not_yet = config_not_yet_list(&n_not_yet);
    for (int row = 0; row < CONFIG_N_ROWS; row++)
        if (config_fields[row].section == id)
            opts[n++] = row_option(row);
    for (size_t i = 0; i < n_not_yet; i++)
        if (not_yet[i].section == id && not_yet[i].only)
            opts[n++] = (cfg_opt_t)CFG_STR(not_yet[i].name, not_yet[i].only, CFGF_NONE);
    return n;
}

/* libconfuse says nothing that the scan has not said before, and better. */
static void quiet_cb(cfg_t *cfg, const char *format, va_list ap)
{
    (void)cfg;
    (void)format;
    (void)ap;
}

/* libconfuse copies the options, so they need not outlive the call. */
static cfg_t *make_parser(void)
{
    cfg_opt_t *all = calloc(CONFIG_N_SECTIONS, OPTS_MAX * sizeof *all);
    if (!all)
        return NULL;
    const cfg_opt_t end = CFG_END();
    size_t n = section_options(CONFIG_top, all);
    for (int id = CONFIG_store; id < CONFIG_N_SECTIONS; id++) {
        cfg_opt_t *opts = all + id * OPTS_MAX;
        opts[section_options(id, opts)] = end;
        cfg_flag_t flags = id >= CONFIG_carrier ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;
        all[n++] = (cfg_opt_t)CFG_SEC(config_section_name(id), opts, flags);
    }
    all[n] = end;
    cfg_t *cfg = cfg_init(all, CFGF_NONE);
    free(all);
    if (cfg)
        cfg_set_error_function(cfg, quiet_cb);
    return cfg;
}

/* ---- one value ---- */

static void put(struct parse *p, size_t offset, const void *value, size_t size)
{
    memcpy(p->base + offset, value, size);
}

static bool is_credential(const char *name, char **out)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct stat st;
    if (!folder || *folder != '/' || strchr(name, '/') || asprintf(out, "%s/%s", folder, name) < 0)
        return false;
    if (stat(*out, &st) == 0 && S_ISREG(st.st_mode))
        return true;
    free(*out);
    return false;
}

/* Where a path begins in the value, or NULL. */
static const char *find_path(const struct config_field *f, const char *value)
{
    static const char *const schemes[] = {"embedded:", "unix:"};
    if (f->flags & FILE_PATH)
        return value;
    for (size_t i = 0; (f->flags & URL) && i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
            return value + strlen(schemes[i]);
    return NULL;
}

/* A copy in which a path is absolute. */
static char *copy_string(struct parse *p, const struct config_field *f, const char *value)
{
    char *out = NULL;
    const char *path = find_path(f, value);
    if (!path || !*path || *path == '/')
        return strdup(value);
    if ((f->flags & CREDENTIAL) && is_credential(path, &out))
        return out;
    int n = asprintf(&out, "%.*s%s/%s", (int)(path - value), value, p->r->folder, path);
    return n < 0 ? NULL : out;
}

static int check_string(struct parse *p, int row, const char *value)
{
    const struct config_field *f = &config_fields[row];
    size_t len = strlen(value);
    if (len > (size_t)f->max && f->kind != CONFIG_STRINGS)
        return FAIL_ROW(p, row, "%zu octets long%s, %ld at most", len,
                        f->flags & FILE_PATH ? " as an absolute path" : "", f->max);
    const char *wrong = f->check ? f->check(value) : NULL;
    if (wrong && f->kind == CONFIG_STRINGS) /* which of them */
        return FAIL_ROW(p, row, "%s, not \"%.80s\"", wrong, value);
    return wrong ? FAIL_ROW(p, row, "%s", wrong) : 0;
}

static int load_secret(struct parse *p, int row)
{
    const struct secret *s = &p->section->secrets[config_secret_index(row)];
    struct secret *out = (void *)(p->base + config_fields[row].offset);
    if (!secret_is_set(s))
        return 0;
    int err = check_string(p, row, (const char *)s->data);
    return err ? err : secret_set(out, s->data, s->len);
}

/* The item becomes the list of the next row, which is loaded after it. */
static int store_one(struct parse *p, int row, char *item)
{
    const char **list = malloc(sizeof *list);
    if (!list)
        return ERR_NOMEM;
    *list = item;
    put(p, config_fields[row].offset, &list, sizeof list);
    put(p, config_fields[row + 1].count_offset, &(size_t){1}, sizeof(size_t));
    return 0;
}

static int load_string(struct parse *p, int row)
{
    const struct config_field *f = &config_fields[row];
    char *s = copy_string(p, f, cfg_getstr(p->values, config_rows(NULL)[row].name));
    if (!s)
        return ERR_NOMEM;
    int err = *s ? check_string(p, row, s) : f->flags & NEEDED ? FAIL_ROW(p, row, "is missing") : 0;
    if (err)
        goto out;
    if (f->flags & ZONE) {
        int32_t minutes = config_zone_minutes(s);
        put(p, f->offset, &minutes, sizeof minutes);
    } else if (!(f->flags & ONE)) {
        put(p, f->offset, &s, sizeof s);
        return 0;
    } else if (*s) {
        err = store_one(p, row, s);
        if (!err)
            return 0;
    }
out:
    free(s);
    return err;
}

static int fill_list(struct parse *p, int row, char **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *item = cfg_getnstr(p->values, config_rows(NULL)[row].name, (unsigned)i);
        int err = check_string(p, row, item);
        if (err)
            return err;
        list[i] = strdup(item);
        if (!list[i])
            return ERR_NOMEM;
    }
    return 0;
}

static int load_strings(struct parse *p, int row)
{
    const struct config_field *f = &config_fields[row];
    size_t n = cfg_size(p->values, config_rows(NULL)[row].name), before;
    memcpy(&before, p->base + f->count_offset, sizeof before);
    if (n == 0)
        return f->flags & NEEDED ? FAIL_ROW(p, row, "is missing or empty") : 0;
    if (before)
        return FAIL_ROW(p, row, "%s is set as well: keep one of them",
                        config_rows(NULL)[row - 1].name);
    if (n > (size_t)f->max)
        return FAIL_ROW(p, row, "%zu items, %ld at most", n, f->max);
    char **list = calloc(n, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    /* From here on config_free() knows them. */
    put(p, f->offset, &list, sizeof list);
    put(p, f->count_offset, &n, sizeof n);
    return fill_list(p, row, list, n);
}

static int load_number(struct parse *p, int row)
{
    const struct config_field *f = &config_fields[row];
    long n = cfg_getint(p->values, config_rows(NULL)[row].name);
    int32_t value = (int32_t)n; /* every max fits, so do its bits for a uint32_t */
    if (n >= f->min && n <= f->max) {
        put(p, f->offset, &value, sizeof value);
        return 0;
    }
    if (f->kind == CONFIG_OCTAL)
        return FAIL_ROW(p, row, "%04lo is out of range, %04lo..%04lo would do", n, f->min, f->max);
    return FAIL_ROW(p, row, "%ld is out of range, %ld..%ld would do", n, f->min, f->max);
}

static int fail_choice(struct parse *p, int row, const char *value)
{
    char names[200] = "";
    const struct config_choice *c = config_fields[row].choices;
    for (; c->name; c++) {
        strncat(names, c->name, sizeof names - strlen(names) - 1);
        strncat(names, c[1].name ? ", " : "", sizeof names - strlen(names) - 1);
    }
    return FAIL_ROW(p, row, "\"%.40s\" is none of %s", value, names);
}

static int load_choice(struct parse *p, int row)
{
    const struct config_field *f = &config_fields[row];
    const char *value = cfg_getstr(p->values, config_rows(NULL)[row].name);
    for (const struct config_choice *c = f->choices; c->name; c++)
        if (strcmp(c->name, value) == 0) {
            put(p, f->offset, &c->value, sizeof c->value);
            return 0;
        }
    return fail_choice(p, row, value);
}

static int load_row(struct parse *p, int row)
{
    switch (config_fields[row].kind) {
    case CONFIG_STRING:
        return config_fields[row].flags & SECRET ? load_secret(p, row) : load_string(p, row);
    case CONFIG_STRINGS:
        return load_strings(p, row);
    case CONFIG_INTEGER:
    case CONFIG_SIGNED:
    case CONFIG_OCTAL:
        return load_number(p, row);
    case CONFIG_CHOICE:
        return load_choice(p, row);
    case CONFIG_BOOLEAN:
        break;
    }
    bool value = cfg_getbool(p->values, config_rows(NULL)[row].name) == cfg_true;
    put(p, config_fields[row].offset, &value, sizeof value);
    return 0;
}

/* ---- sections ---- */

static int make_room(const struct config_reader *r, struct config *config)
{
    size_t n[CONFIG_N_SECTIONS] = {0};
    for (size_t i = 0; i < r->n_sections; i++)
        n[r->sections[i].id]++;
    config->carriers = calloc(n[CONFIG_carrier] + 1, sizeof *config->carriers);
    config->routes = calloc(n[CONFIG_route] + 1, sizeof *config->routes);
    return config->carriers && config->routes ? 0 : ERR_NOMEM;
}

/* Where the section's values go and come from; a carrier or route begins with its name. */
static int aim(struct parse *p, cfg_t *root)
{
    enum config_section_id id = p->section->id;
    const char *name = config_section_name(id);
    p->base = (char *)p->config;
    p->values = id == CONFIG_top ? root : NULL;
    if (id != CONFIG_top && id < CONFIG_carrier)
        p->values = cfg_getsec(root, name);
    if (p->values)
        return 0;
    bool is_carrier = id == CONFIG_carrier;
    size_t nth = is_carrier ? p->config->n_carriers++ : p->config->n_routes++;
    p->base = is_carrier ? (char *)&p->config->carriers[nth] : (char *)&p->config->routes[nth];
    p->values = cfg_getnsec(root, name, (unsigned)nth);
    const char *title = strdup(p->section->title);
    put(p, is_carrier ? offsetof(struct config_carrier, name) : offsetof(struct config_route, name),
        &title, sizeof title);
    return title ? 0 : ERR_NOMEM;
}

static int load_sections(struct config_reader *r, struct config *config, cfg_t *root)
{
    struct parse p = {.r = r, .config = config};
    int err = make_room(r, config);
    for (size_t i = 0; !err && i < r->n_sections; i++) {
        p.section = &r->sections[i];
        err = aim(&p, root);
        for (int row = 0; !err && row < CONFIG_N_ROWS; row++)
            if (config_fields[row].section == p.section->id)
                err = load_row(&p, row);
    }
    return err;
}

int config_parse(struct config_reader *r, struct config *config)
{
    cfg_t *root = make_parser();
    if (!root)
        return ERR_NOMEM;
    int err = 0;
    if (cfg_parse_buf(root, r->text) != CFG_SUCCESS)
        err = CONFIG_FAIL(r, &r->sections[CONFIG_top], NULL, (uint32_t)root->line,
                          "the parser stopped here");
    if (!err)
        err = load_sections(r, config, root);
    cfg_free(root);
    return err;
}
