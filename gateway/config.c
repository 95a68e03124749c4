#include "gateway/config_private.h"

#include "base/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 20) /* octets */

/* ---- mistakes ---- */

int config_fail(struct config_reader *r, struct config_place at, const char *format, ...)
{
    const struct config_section *section = at.section;
    char *out = r->error->text;
    size_t size = sizeof r->error->text, len = strlen(r->path);
    /* The end of a very long path, so that the sentence still has room. */
    size_t n = (size_t)snprintf(out, size, "%s", r->path + (len > 200 ? len - 200 : 0));
    if (at.line)
        n += (size_t)snprintf(out + n, size - n, ":%u", at.line);
    if (section && section->id != CONFIG_top)
        n += (size_t)snprintf(out + n, size - n, ": %s%s%s", config_section_name(section->id),
                              *section->title ? " " : "", section->title);
    if (at.key)
        n += (size_t)snprintf(out + n, size - n, ": %s", at.key);
    n += (size_t)snprintf(out + n, size - n, ": ");
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(out + n, size - n, format, ap);
    va_end(ap);
    return ERR_INVALID;
}

uint32_t config_line(const struct config_section *section, int row)
{
    return section->key_line[row] ? section->key_line[row] : section->line;
}

const struct config_section *config_section_at(const struct config_reader *r,
                                               enum config_section_id id, size_t nth)
{
    size_t i = 0;
    while (r->sections[i].id != id || nth--)
        i++;
    return &r->sections[i];
}

/* ---- the file ---- */

static int read_all(struct config_reader *r, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)CONFIG_FAIL(r, NULL, NULL, 0, "not a regular file");
        return ERR_IO;
    }
    if (st.st_size > FILE_MAX) {
        (void)CONFIG_FAIL(r, NULL, NULL, 0, "longer than %d octets", FILE_MAX);
        return ERR_TOOLONG;
    }
    size_t n = 0, size = (size_t)st.st_size;
    r->text = calloc(1, size + 2);
    if (!r->text)
        return ERR_NOMEM;
    ssize_t got = 1;
    while (n < size && (got = read(fd, r->text + n, size - n)) > 0)
        n += (size_t)got;
    if (got < 0) {
        (void)CONFIG_FAIL(r, NULL, NULL, 0, "cannot be read: %s", strerror(errno));
        return ERR_IO;
    }
    r->text_size = size + 2;
    if (n == 0 || r->text[n - 1] != '\n')
        r->text[n] = '\n'; /* libconfuse is never given an empty buffer */
    const char *nul = memchr(r->text, '\0', n);
    uint32_t line = 1;
    for (const char *p = r->text; nul && p < nul; p++)
        line += *p == '\n';
    return nul ? CONFIG_FAIL(r, NULL, NULL, line, "a NUL octet: this is no text file") : 0;
}

static int read_file(struct config_reader *r)
{
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int why = errno;
        (void)CONFIG_FAIL(r, NULL, NULL, 0, "cannot be opened: %s", strerror(why));
        return why == ENOENT ? ERR_NOTFOUND : ERR_IO;
    }
    int err = read_all(r, fd);
    close(fd);
    return err;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *folder = name ? realpath(name, NULL) : NULL;
    free(name);
    /* Of "/" nothing is left: a relative path is put behind a slash of its own. */
    if (folder && strcmp(folder, "/") == 0)
        *folder = '\0';
    return folder;
}

/* By the links that lead to it: at a reload they may lead to another folder. */
static char *absolute(const char *path)
{
    char *file = NULL, *here = *path == '/' ? strdup("") : realpath(".", NULL);
    if (here && asprintf(&file, "%s%s%s", here, *here ? "/" : "", path) < 0)
        file = NULL;
    free(here);
    return file;
}

static int make_config(struct config_reader *r, struct config *config)
{
    config->file = absolute(r->path);
    if (!config->file)
        return ERR_NOMEM;
    int err = config_scan(r);
    if (!err)
        err = config_parse(r, config);
    return err ? err : config_check(r, config);
}

static void clear_reader(struct config_reader *r)
{
    secret_wipe(r->text, r->text_size);
    free(r->text);
    for (size_t i = 0; r->sections && i < r->n_sections; i++)
        for (size_t k = 0; k < CONFIG_SECRETS_MAX; k++)
            secret_clear(&r->sections[i].secrets[k]);
    free(r->sections);
    free((char *)r->folder);
}

static int prepare_reader(struct config_reader *r)
{
    r->sections = calloc(CONFIG_carrier, sizeof *r->sections);
    if (!r->sections)
        return ERR_NOMEM;
    for (r->n_sections = 0; r->n_sections < CONFIG_carrier; r->n_sections++)
        r->sections[r->n_sections].id = (enum config_section_id)r->n_sections;
    int err = read_file(r);
    if (err)
        return err;
    r->folder = folder_of(r->path);
    return r->folder ? 0 : ERR_NOMEM;
}

int config_load(const char *path, struct config **out, struct config_error *error)
{
    struct config_reader r = {.path = path, .error = error};
    struct config *config = calloc(1, sizeof *config);
    *out = NULL;
    if (config)
        config->refs = 1;
    error->text[0] = '\0';
    int err = config ? prepare_reader(&r) : ERR_NOMEM;
    if (!err)
        err = make_config(&r, config);
    clear_reader(&r);
    if (!err) {
        *out = config;
        return 0;
    }
    if (!error->text[0])
        snprintf(error->text, sizeof error->text, "%.200s: %s", path, err_text(err));
    config_free(config);
    return err;
}

/* ---- the structs by their rows ---- */

static void free_strings(char *base, const struct config_field *f)
{
    char **list;
    size_t n;
    memcpy(&list, base + f->offset, sizeof list);
    memcpy(&n, base + f->count_offset, sizeof n);
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
}

static void free_rows(enum config_section_id id, void *base)
{
    for (int row = 0; row < CONFIG_N_ROWS; row++) {
        const struct config_field *f = &config_fields[row];
        char *at = (char *)base + f->offset;
        if (f->section != id || (f->flags & (ONE | ZONE)))
            continue;
        if (f->kind == CONFIG_STRINGS)
            free_strings(base, f);
        else if (f->flags & SECRET)
            secret_clear((struct secret *)(void *)at);
        else if (f->kind == CONFIG_STRING)
            free(*(char **)(void *)at);
    }
}

const struct config *config_ref(const struct config *config)
{
    ((struct config *)(uintptr_t)config)->refs++; /* all that ever changes in it */
    return config;
}

void config_free(const struct config *counted)
{
    struct config *config = (struct config *)(uintptr_t)counted;
    if (!config || --config->refs > 0)
        return;
    for (int id = CONFIG_top; id < CONFIG_carrier; id++)
        free_rows((enum config_section_id)id, config);
    secret_clear(&config->store.password);
    for (size_t i = 0; i < config->n_carriers; i++) {
        free_rows(CONFIG_carrier, &config->carriers[i]);
        free((char *)config->carriers[i].name);
    }
    for (size_t i = 0; i < config->n_routes; i++) {
        free_rows(CONFIG_route, &config->routes[i]);
        free((char *)config->routes[i].name);
    }
    free(config->carriers);
    free(config->routes);
    free((char *)config->file);
    free(config);
}
