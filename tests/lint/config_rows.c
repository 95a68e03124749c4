/*
 * Every row of gateway/config.def stands in the sample and in the man page, in its section, once
 * and with its default; and no key stands there that is not a row.  What is written beside a key
 * says "needs a restart" where the row has no RELOAD, and "binds anew" where it has REBIND.
 *
 *   config_rows conf/pinbind.conf man/pinbind.conf.5 README.md
 *   config_rows --reference      the lines of README's reference, to put in there
 *
 * Sample: "section ... {", then "#key = default", or "key = value" where the row says EXAMPLE.
 * Man page: ".Ss section", then ".It Ic key No = default".  README:
 * "| `key` | `default` | help |" under "| section | | |".  Built from config.def alone.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE 1024

struct row {
    const char *section, *key, *fallback, *flags, *unit, *help;
};

#define STRING(s, key, member, def, most, check, flags, help)                                      \
    {#s, key, "\"" def "\"", #flags, "", help},
#define STRINGS(s, key, member, def, most, check, flags, help) {#s, key, def, #flags, "", help},
#define INTEGER(s, key, member, def, min, max, unit, flags, help)                                  \
    {#s, key, #def, #flags, unit, help},
#define SIGNED(s, key, member, def, min, max, unit, flags, help)                                   \
    {#s, key, #def, #flags, unit, help},
#define OCTAL(s, key, member, def, min, max, flags, help) {#s, key, #def, #flags, "", help},
#define BOOLEAN(s, key, member, def, flags, help)         {#s, key, #def, #flags, "", help},
#define CHOICE(s, key, member, def, choices, flags, help)                                          \
    {#s, key, "\"" def "\"", #flags, "", help},
static const struct row rows[] = {
#include "gateway/config.def"
};
#define N_ROWS (sizeof rows / sizeof rows[0])

struct check {
    const char *file;
    unsigned line;
    char section[64];
    unsigned seen[N_ROWS];
    int row;         /* of the key at hand in the man page, -1: none */
    char said[LINE]; /* about the key at hand (man page) or to come (sample) */
    int wrong;
};

static void hear(struct check *c, const char *text)
{
    size_t n = strlen(c->said);
    snprintf(c->said + n, sizeof c->said - n, " %s", text);
}

static void must_say(struct check *c, int row, const char *phrase, bool must)
{
    /* without its first letter, which may be a capital */
    if (!strstr(c->said, phrase + 1) == !must)
        return;
    printf("%s:%u: %s %s: %s \"%s\" by its row\n", c->file, c->line, rows[row].section,
           rows[row].key, must ? "must say" : "must not say", phrase);
    c->wrong++;
}

/* Everything about a key has been heard. */
static void settle(struct check *c, int row)
{
    if (row >= 0) {
        must_say(c, row, "needs a restart", !strstr(rows[row].flags, "RELOAD"));
        must_say(c, row, "binds anew", strstr(rows[row].flags, "REBIND"));
    }
    c->said[0] = '\0';
}

/* One key as it stands in the file: its row, or -1. */
static int found(struct check *c, const char *key, const char *value, bool commented)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].section, c->section) != 0 || strcmp(rows[i].key, key) != 0)
            continue;
        bool example = !commented && strstr(rows[i].flags, "EXAMPLE");
        bool good = example || (commented && strcmp(value, rows[i].fallback) == 0);
        if (!good || c->seen[i]++) {
            printf("%s:%u: %s %s = %s: the row has %s, once\n", c->file, c->line, c->section, key,
                   value, rows[i].fallback);
            c->wrong++;
        }
        return (int)i;
    }
    printf("%s:%u: %s %s: no row of gateway/config.def\n", c->file, c->line, c->section, key);
    c->wrong++;
    return -1;
}

static void set_section(struct check *c, const char *name, size_t len)
{
    snprintf(c->section, sizeof c->section, "%.*s", (int)len, name);
}

/* "#key = value" and "key = value"; prose begins with "# ". */
static void sample_line(struct check *c, char *line)
{
    const char *first = line + strspn(line, " ");
    bool commented = *first == '#' && first[1] != ' ' && first[1] != '\0';
    char *equals = strstr(line, " = ");
    if (*first == '#' && !commented) {
        hear(c, first + strspn(first, "# "));
        return;
    }
    if (strchr(line, '{') && !equals)
        set_section(c, first, strcspn(first, " "));
    else if (*first == '}')
        set_section(c, "top", 3);
    if (!equals) {
        c->said[0] = '\0';
        return;
    }
    *equals = '\0';
    settle(c, found(c, first + commented, equals + 3, commented));
}

/* In place: \(dq is a quote, \- a minus. */
static void unescape(char *s)
{
    char *out = s;
    while (*s) {
        bool quote = strncmp(s, "\\(dq", 4) == 0, minus = strncmp(s, "\\-", 2) == 0;
        *out++ = quote ? '"' : minus ? '-' : *s;
        s += quote ? 4 : minus ? 2 : 1;
    }
    *out = '\0';
}

static void man_line(struct check *c, char *line)
{
    static const char key_macro[] = ".It Ic ", section_macro[] = ".Ss ";
    char *equals = strstr(line, " No = ");
    if (strncmp(line, section_macro, 4) == 0)
        set_section(c, strcmp(line + 4, "Outside of all sections") ? line + 4 : "top", 63);
    bool is_key = strncmp(line, key_macro, 7) == 0 && equals;
    if (!is_key && strcmp(line, ".El") != 0) {
        hear(c, line);
        return;
    }
    settle(c, c->row);
    c->row = -1;
    if (!is_key)
        return;
    *equals = '\0';
    unescape(equals + 6);
    c->row = found(c, line + 7, equals + 6, true);
}

static int check_file(const char *path, void (*each)(struct check *c, char *line))
{
    struct check c = {.file = path, .section = "top", .row = -1};
    char line[LINE];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof line, f)) {
        c.line++;
        line[strcspn(line, "\n")] = '\0';
        each(&c, line);
    }
    fclose(f);
    for (size_t i = 0; i < N_ROWS; i++)
        if (!c.seen[i]) {
            printf("%s: %s %s is missing (default %s)\n", path, rows[i].section, rows[i].key,
                   rows[i].fallback);
            c.wrong++;
        }
    return c.wrong;
}

/* --- README's reference ----------------------------------------------------------------------- */

static bool begins_section(size_t i)
{
    return i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0;
}

static void reference_section(size_t i, char *out, size_t size)
{
    const char *s = rows[i].section;
    bool named = strcmp(s, "carrier") == 0 || strcmp(s, "route") == 0;
    snprintf(out, size,
             strcmp(s, "top") ? "| **`%s%s`** | | |" : "| **outside of all sections** | | |", s,
             named ? " \"NAME\"" : "");
}

static void reference_row(size_t i, char *out, size_t size)
{
    const struct row *r = &rows[i];
    char written[LINE] = "";
    const char *then = strstr(r->flags, "REBIND")   ? "; binds anew"
                       : strstr(r->flags, "RELOAD") ? ""
                                                    : "; needs a restart";
    if (!strstr(r->flags, "EXAMPLE"))
        snprintf(written, sizeof written, "`%s`%s%s", r->fallback, r->unit[0] ? " " : "", r->unit);
    snprintf(out, size, "| `%s` | %s | %s%s |", r->key, written, r->help, then);
}

static void print_reference(void)
{
    char line[LINE];
    puts("| key | default | what |\n|---|---|---|");
    for (size_t i = 0; i < N_ROWS; i++) {
        if (begins_section(i)) {
            reference_section(i, line, sizeof line);
            puts(line);
        }
        reference_row(i, line, sizeof line);
        puts(line);
    }
}

/* Each line of the reference, in order; others may stand between. */
static int check_reference(const char *path)
{
    char line[LINE], expected[LINE];
    FILE *f = fopen(path, "r");
    size_t i = 0;
    if (!f) {
        perror(path);
        return 1;
    }
    while (i < N_ROWS && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        reference_row(i, expected, sizeof expected);
        i += strcmp(line, expected) == 0;
    }
    fclose(f);
    if (i == N_ROWS)
        return 0;
    reference_row(i, expected, sizeof expected);
    printf("%s: %s %s: the reference lacks, or has elsewhere: %s\n"
           "(config_rows --reference prints it whole)\n",
           path, rows[i].section, rows[i].key, expected);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--reference") == 0) {
        print_reference();
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: config_rows SAMPLE MANPAGE README | --reference\n");
        return 2;
    }
    int wrong = check_file(argv[1], sample_line) + check_file(argv[2], man_line) +
                check_reference(argv[3]);
    if (!wrong)
        printf("config rows: %zu, all in the sample, in the man page and in README\n", N_ROWS);
    return wrong ? 1 : 0;
}
