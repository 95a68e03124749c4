/*
 * Every row of gateway/metrics.def stands in section METRICS of the man page, once, with its type
 * and help; and no metric stands there that is not a row.
 *
 *   metrics_rows man/pinbindd.8
 *
 * Man page: ".It Ic name No type", then the help, broken into lines as it may be.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE 1024

struct row {
    const char *name, *type, *help;
};

#define BIND(name, type, fold, help, value) {#name, #type, help},
#define DOOR(name, type, help, value)       {#name, #type, help},
#define VALUE(name, type, help, value)      {#name, #type, help},
#define TABLE(name, type, help, function)   {#name, #type, help},
static const struct row rows[] = {
#include "gateway/metrics.def"
};
#define N_ROWS (sizeof rows / sizeof rows[0])

struct check {
    const char *file;
    unsigned line;
    bool is_inside; /* of the section */
    char name[LINE], type[LINE], help[LINE];
    unsigned at; /* line of the name; 0: none is being read */
    unsigned seen[N_ROWS];
    int wrong;
};

/* The metric that has been read. */
static void found(struct check *c)
{
    unsigned at = c->at;
    c->at = 0;
    if (!at)
        return;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].name, c->name) != 0)
            continue;
        if (c->seen[i]++ || strcmp(rows[i].type, c->type) != 0 ||
            strcmp(rows[i].help, c->help) != 0) {
            printf("%s:%u: %s %s: \"%s\": the row has %s: \"%s\", once\n", c->file, at, c->name,
                   c->type, c->help, rows[i].type, rows[i].help);
            c->wrong++;
        }
        return;
    }
    printf("%s:%u: %s: no row of gateway/metrics.def\n", c->file, at, c->name);
    c->wrong++;
}

/* In place: \(dq is a quote, \- a minus, \& nothing. */
static void unescape(char *s)
{
    static const struct {
        const char *from, *to;
    } escapes[] = {{"\\(dq", "\""}, {"\\-", "-"}, {"\\&", ""}};
    char *out = s;
    while (*s) {
        size_t i = 0, n = sizeof escapes / sizeof escapes[0];
        while (i < n && strncmp(s, escapes[i].from, strlen(escapes[i].from)) != 0)
            i++;
        for (const char *to = i < n ? escapes[i].to : ""; *to; to++)
            *out++ = *to;
        if (i == n)
            *out++ = *s;
        s += i < n ? strlen(escapes[i].from) : 1;
    }
    *out = '\0';
}

static void add_help(struct check *c, const char *text)
{
    size_t len = strlen(c->help);
    snprintf(c->help + len, sizeof c->help - len, "%s%s", len ? " " : "", text);
}

static void man_line(struct check *c, char *line)
{
    char name[LINE], type[LINE];
    if (line[0] == '.')
        found(c);
    if (strncmp(line, ".Sh ", 4) == 0)
        c->is_inside = strcmp(line + 4, "METRICS") == 0;
    if (c->is_inside && sscanf(line, ".It Ic %1000s No %1000s", name, type) == 2) {
        memcpy(c->name, name, sizeof name);
        memcpy(c->type, type, sizeof type);
        c->help[0] = '\0';
        c->at = c->line;
    } else if (c->at) {
        unescape(line);
        add_help(c, line);
    }
}

int main(int argc, char **argv)
{
    struct check c = {.file = argc == 2 ? argv[1] : NULL};
    char line[LINE];
    FILE *f = c.file ? fopen(c.file, "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: metrics_rows MANPAGE\n");
        return 2;
    }
    while (fgets(line, sizeof line, f)) {
        c.line++;
        line[strcspn(line, "\n")] = '\0';
        man_line(&c, line);
    }
    found(&c);
    fclose(f);
    for (size_t i = 0; i < N_ROWS; i++)
        if (!c.seen[i]) {
            printf("%s: %s is missing (%s: \"%s\")\n", c.file, rows[i].name, rows[i].type,
                   rows[i].help);
            c.wrong++;
        }
    if (!c.wrong)
        printf("metrics rows: %zu, all in the man page\n", N_ROWS);
    return c.wrong ? 1 : 0;
}
