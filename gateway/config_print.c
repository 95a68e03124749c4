/* What is in effect, as it could stand in the file. */
#include "gateway/config_private.h"

#include <stdlib.h>
#include <string.h>

static void print_string(FILE *out, const char *s)
{
    char quote = strstr(s, "${") ? '\'' : '"'; /* ${ is refused in double quotes */
    putc(quote, out);
    for (; *s; s++) {
        if (*s == quote || *s == '\\')
            putc('\\', out);
        putc(*s, out);
    }
    putc(quote, out);
}

static void print_strings(FILE *out, const char *base, const struct config_field *f)
{
    const char *const *list;
    size_t n;
    memcpy(&list, base + f->offset, sizeof list);
    memcpy(&n, base + f->count_offset, sizeof n);
    putc('{', out);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ", " : "", out);
        print_string(out, list[i]);
    }
    putc('}', out);
}

static void print_text(FILE *out, const char *at, const struct config_field *f)
{
    if (f->flags & SECRET) {
        print_string(out, secret_is_set((const void *)at) ? "***" : "");
        return;
    }
    if (!(f->flags & ZONE)) {
        print_string(out, *(char *const *)(const void *)at);
        return;
    }
    int32_t minutes = *(const int32_t *)(const void *)at;
    char sign = minutes < 0 ? '-' : '+';
    minutes = abs(minutes);
    if (minutes)
        fprintf(out, "\"%c%02d:%02d\"", sign, minutes / 60, minutes % 60);
    else
        fputs("\"UTC\"", out);
}

static void print_value(FILE *out, const char *base, const struct config_field *f)
{
    const void *at = base + f->offset;
    switch (f->kind) {
    case CONFIG_STRING:
        print_text(out, at, f);
        break;
    case CONFIG_STRINGS:
        print_strings(out, base, f);
        break;
    case CONFIG_INTEGER:
        fprintf(out, "%u", *(const uint32_t *)at);
        break;
    case CONFIG_SIGNED:
        fprintf(out, "%d", *(const int32_t *)at);
        break;
    case CONFIG_OCTAL:
        fprintf(out, "%04o", *(const uint32_t *)at);
        break;
    case CONFIG_BOOLEAN:
        fputs(*(const bool *)at ? "true" : "false", out);
        break;
    case CONFIG_CHOICE:
        print_string(out, config_choice_name(f->choices, *(const int *)at));
        break;
    }
}

static void print_rows(FILE *out, enum config_section_id id, const char *title, const void *base)
{
    const char *section = config_section_name(id);
    for (int row = 0; row < CONFIG_N_ROWS; row++) {
        const struct config_field *f = &config_fields[row];
        if (f->section != id || (f->flags & ONE))
            continue;
        fprintf(out, "%s%s%s%s%s = ", section, *title ? " " : "", title, *section ? ": " : "",
                config_rows(NULL)[row].name);
        print_value(out, base, f);
        putc('\n', out);
    }
}

void config_print(const struct config *config, FILE *out)
{
    for (int id = CONFIG_top; id < CONFIG_carrier; id++)
        print_rows(out, (enum config_section_id)id, "", config);
    for (size_t i = 0; i < config->n_carriers; i++)
        print_rows(out, CONFIG_carrier, config->carriers[i].name, &config->carriers[i]);
    for (size_t i = 0; i < config->n_routes; i++)
        print_rows(out, CONFIG_route, config->routes[i].name, &config->routes[i]);
}
