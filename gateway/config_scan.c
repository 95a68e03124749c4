/*
 * The pass before libconfuse: it reads the whole file by the grammar below, notes on which line
 * each section and key stands, and refuses what libconfuse would take without a word.
 *
 *   file    = { item }
 *   item    = key "=" value | section [ 'title' ] "{" { key "=" value } "}"
 *   value   = word | string | "{" [ string { "," string } ] "}"
 *
 * Comments are overwritten with blanks, keeping line ends: libconfuse then counts lines as we do.
 * Values of SECRET keys are taken here and overwritten, so that libconfuse never copies them.
 */
#include "gateway/config_private.h"

#include "base/result.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX       63
#define SECRET_MAX     256
#define NUMBER_DIGITS  18 /* always fits a long */
#define TITLE_IN_FIRST CONFIG_carrier

enum token_kind { T_END, T_WORD, T_STRING, T_OPEN, T_CLOSE, T_EQUAL, T_COMMA };

struct token {
    enum token_kind kind;
    uint32_t line;
    char *p; /* of a string: what is between the quotes, escapes as they stand */
    size_t len;
    char word[WORD_MAX + 1]; /* of T_WORD */
};

struct scan {
    struct config_reader *r;
    char *at;
    uint32_t line;
    size_t current; /* index of the section that is open */
    struct token tok;
};

static struct config_section *current(struct scan *s)
{
    return &s->r->sections[s->current];
}

#define FAIL_HERE(s, ...)           CONFIG_FAIL((s)->r, current(s), NULL, (s)->line, __VA_ARGS__)
#define FAIL_KEY(s, key, line, ...) CONFIG_FAIL((s)->r, current(s), key, line, __VA_ARGS__)

/* ---- tokens ---- */

static void blank(struct scan *s)
{
    if (*s->at == '\n')
        s->line++;
    else
        *s->at = ' ';
    s->at++;
}

static int skip_comment(struct scan *s)
{
    if (s->at[0] != '/' || s->at[1] != '*') {
        while (*s->at && *s->at != '\n')
            blank(s);
        return 0;
    }
    uint32_t opened = s->line;
    blank(s);
    blank(s);
    while (*s->at && (s->at[0] != '*' || s->at[1] != '/'))
        blank(s);
    if (!*s->at)
        return FAIL_KEY(s, NULL, opened, "the comment that opens here with /* is not closed");
    blank(s);
    blank(s);
    return 0;
}

static int skip_blanks(struct scan *s)
{
    for (;;) {
        char c = *s->at;
        if (c == ' ' || c == '\t' || c == '\n' || (c == '\r' && s->at[1] == '\n')) {
            blank(s);
        } else if (c == '#' || (c == '/' && (s->at[1] == '/' || s->at[1] == '*'))) {
            int err = skip_comment(s);
            if (err)
                return err;
        } else {
            return 0;
        }
    }
}

/* What libconfuse would expand, cut or misread inside quotes. */
static int check_char(struct scan *s, char quote)
{
    unsigned char c = (unsigned char)*s->at;
    if (c == '\0' || c == '\n' || c == '\r')
        return FAIL_HERE(s, "the string that opens here does not end on its line");
    if (c < 0x20 || c == 0x7f)
        return FAIL_HERE(s, "a string holds the control character 0x%02x", c);
    if (c == '\\' && s->at[1] != '\\' && s->at[1] != quote)
        return FAIL_HERE(s, "in a string \\ stands before \\ or the quote only: write \\\\");
    if (quote == '"' && c == '$' && s->at[1] == '{')
        return FAIL_HERE(s, "${ is not replaced here: write the string in single quotes, '...'");
    return 0;
}

static int read_string(struct scan *s)
{
    char quote = *s->at++;
    s->tok.kind = T_STRING;
    s->tok.p = s->at;
    while (*s->at != quote) {
        int err = check_char(s, quote);
        if (err)
            return err;
        s->at += *s->at == '\\' ? 2 : 1;
    }
    s->tok.len = (size_t)(s->at - s->tok.p);
    s->at++;
    return 0;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static int read_word(struct scan *s)
{
    size_t n = 0;
    while (is_word_char(s->at[n]))
        n++;
    if (n == 0) {
        unsigned char c = (unsigned char)*s->at;
        return isprint(c) ? FAIL_HERE(s, "unexpected %c", c)
                          : FAIL_HERE(s, "unexpected octet 0x%02x", c);
    }
    if (n > WORD_MAX)
        return FAIL_HERE(s, "a word longer than %d characters", WORD_MAX);
    s->tok.kind = T_WORD;
    memcpy(s->tok.word, s->at, n);
    s->tok.word[n] = '\0';
    s->tok.p = s->at;
    s->tok.len = n;
    s->at += n;
    return 0;
}

static int next(struct scan *s)
{
    static const char marks[] = "{}=,";
    static const enum token_kind kinds[] = {T_OPEN, T_CLOSE, T_EQUAL, T_COMMA};
    int err = skip_blanks(s);
    if (err)
        return err;
    s->tok.line = s->line;
    const char *mark = *s->at ? strchr(marks, *s->at) : NULL;
    if (*s->at == '\0') {
        s->tok.kind = T_END;
    } else if (mark) {
        s->tok.kind = kinds[mark - marks];
        s->at++;
    } else if (*s->at == '"' || *s->at == '\'') {
        return read_string(s);
    } else {
        return read_word(s);
    }
    return 0;
}

static const char *token_name(const struct token *t)
{
    switch (t->kind) {
    case T_END:
        return "the end of the file";
    case T_WORD:
        return "a word"; /* which might be a password */
    case T_STRING:
        return "a string";
    case T_OPEN:
        return "{";
    case T_CLOSE:
        return "}";
    case T_EQUAL:
        return "=";
    case T_COMMA:
        break;
    }
    return ",";
}

/* ---- values ---- */

static int check_number(struct scan *s, int row)
{
    const struct config_field *f = &config_fields[row];
    const char *key = config_rows(NULL)[row].name, *digits = s->tok.word;
    uint32_t line = s->tok.line;
    if (s->tok.kind == T_STRING)
        return FAIL_KEY(s, key, line, "a number stands without quotes, %ld..%ld would do", f->min,
                        f->max);
    digits += *digits == '-';
    if (!*digits || digits[strspn(digits, "0123456789")] || (digits[0] == '0' && digits[1]))
        return FAIL_KEY(s, key, line, "%s is not a whole number in decimal, %ld..%ld would do",
                        s->tok.word, f->min, f->max);
    if (strlen(digits) > NUMBER_DIGITS)
        return FAIL_KEY(s, key, line, "%s is out of range, %ld..%ld would do", s->tok.word, f->min,
                        f->max);
    return 0;
}

static int check_word(struct scan *s, int row)
{
    const char *key = config_rows(NULL)[row].name, *word = s->tok.word;
    uint32_t line = s->tok.line;
    bool is_word = s->tok.kind == T_WORD;
    switch (config_fields[row].kind) {
    case CONFIG_INTEGER:
    case CONFIG_SIGNED:
        return check_number(s, row);
    case CONFIG_OCTAL:
        if (!is_word || word[0] != '0' || word[strspn(word, "01234567")] || strlen(word) != 4)
            return FAIL_KEY(s, key, line, "permissions are four octal digits, such as 0660");
        return 0;
    case CONFIG_BOOLEAN:
        if (!is_word || (strcmp(word, "true") && strcmp(word, "false")))
            return FAIL_KEY(s, key, line, "true or false, without quotes");
        return 0;
    case CONFIG_STRING:
    case CONFIG_STRINGS:
    case CONFIG_CHOICE:
        if (is_word)
            return FAIL_KEY(s, key, line, "a string stands in quotes: \"...\"");
    }
    return 0;
}

static int take_secret(struct scan *s, int row)
{
    const char *key = config_rows(NULL)[row].name;
    char plain[SECRET_MAX];
    size_t n = 0;
    if (s->tok.len > sizeof plain)
        return FAIL_KEY(s, key, s->tok.line, "too long");
    for (size_t i = 0; i < s->tok.len; i++) {
        i += s->tok.p[i] == '\\';
        plain[n++] = s->tok.p[i];
    }
    memset(s->tok.p, '*', s->tok.len);
    int err = n ? secret_set(&current(s)->secrets[config_secret_index(row)], plain, n) : 0;
    secret_wipe(plain, sizeof plain);
    return err;
}

static int scan_list(struct scan *s, int row)
{
    const char *key = config_rows(NULL)[row].name;
    if (s->tok.kind != T_OPEN)
        return FAIL_KEY(s, key, s->tok.line, "a list stands in braces: {\"...\", \"...\"}");
    int err = next(s);
    if (!err && s->tok.kind == T_CLOSE)
        return 0;
    while (!err) {
        if (s->tok.kind != T_STRING)
            return FAIL_KEY(s, key, s->tok.line, "a list holds strings in quotes, not %s",
                            token_name(&s->tok));
        err = next(s);
        if (err || s->tok.kind == T_CLOSE)
            return err;
        if (s->tok.kind != T_COMMA)
            return FAIL_KEY(s, key, s->tok.line, "expected , or } in the list, not %s",
                            token_name(&s->tok));
        err = next(s);
    }
    return err;
}

static int scan_value(struct scan *s, int row)
{
    const char *key = config_rows(NULL)[row].name;
    if (config_fields[row].kind == CONFIG_STRINGS)
        return scan_list(s, row);
    if (s->tok.kind == T_OPEN)
        return FAIL_KEY(s, key, s->tok.line, "one value, not a list");
    if (s->tok.kind != T_WORD && s->tok.kind != T_STRING)
        return FAIL_KEY(s, key, s->tok.line, "expected a value after =, not %s",
                        token_name(&s->tok));
    int err = check_word(s, row);
    if (!err && (config_fields[row].flags & SECRET))
        err = take_secret(s, row);
    return err;
}

/* ---- keys and sections ---- */

static bool is_value(const struct token *t, const char *text)
{
    return (t->kind == T_WORD || t->kind == T_STRING) && strlen(text) == t->len &&
           memcmp(text, t->p, t->len) == 0;
}

/* Without a value that says "without it" the name alone is refused, whatever follows. */
static int scan_not_yet(struct scan *s, const struct config_not_yet *n, uint32_t line)
{
    int err = n->only ? next(s) : 0;
    if (!err && n->only && s->tok.kind == T_EQUAL) {
        err = next(s);
        if (!err && is_value(&s->tok, n->only))
            return 0;
    }
    if (err)
        return err;
    if (n->only && *n->only)
        (void)FAIL_KEY(s, n->name, line, "not available yet, only = %s would do", n->only);
    else
        (void)FAIL_KEY(s, n->name, line, "not available yet");
    return ERR_UNSUPPORTED;
}

static int fail_unknown_key(struct scan *s, const char *key, uint32_t line)
{
    const char *guess = config_key_guess(current(s)->id, key);
    if (guess)
        return FAIL_KEY(s, key, line, "unknown key, did you mean %s?", guess);
    for (int id = CONFIG_store; id < CONFIG_N_SECTIONS; id++)
        if (strcmp(key, config_section_name(id)) == 0)
            return FAIL_KEY(s, key, line, "this is a section: %s%s { ... }", key,
                            id >= TITLE_IN_FIRST ? " \"NAME\"" : "");
    for (int id = CONFIG_top; id < CONFIG_N_SECTIONS; id++)
        if (config_row_find(id, key) >= 0)
            return FAIL_KEY(s, key, line, "unknown key here, it belongs %s%s",
                            id ? "into section " : "outside of all sections",
                            config_section_name(id));
    return FAIL_KEY(s, key, line, "unknown key, see pinbind.conf(5)");
}

static int scan_key(struct scan *s, const char *key, uint32_t line)
{
    int row = config_row_find(current(s)->id, key);
    if (row < 0)
        return fail_unknown_key(s, key, line);
    uint32_t *seen = &current(s)->key_line[row];
    if (*seen)
        return FAIL_KEY(s, key, line, "stands on line %u already: keep one of them", *seen);
    *seen = line;
    int err = next(s);
    return err ? err : scan_value(s, row);
}

static int section_id(struct scan *s, const char *name, uint32_t line, enum config_section_id *out)
{
    const struct config_section *open = current(s);
    if (open->id != CONFIG_top)
        return FAIL_KEY(s, name, line,
                        "a section inside a section: is a } missing for the one that opens on line"
                        " %u?",
                        open->line);
    for (int id = CONFIG_store; id < CONFIG_N_SECTIONS; id++)
        if (strcmp(name, config_section_name(id)) == 0) {
            *out = id;
            return 0;
        }
    if (config_row_find(CONFIG_top, name) >= 0)
        return FAIL_KEY(s, name, line, "this is a key, not a section: %s = ...", name);
    const char *guess = config_section_guess(name);
    return guess ? FAIL_KEY(s, name, line, "unknown section, did you mean %s?", guess)
                 : FAIL_KEY(s, name, line, "unknown section, see pinbind.conf(5)");
}

/* Takes the title, if there is one, out of the token. */
static int scan_title(struct scan *s, enum config_section_id id, char *title, size_t size)
{
    const char *name = config_section_name(id);
    bool wanted = id >= TITLE_IN_FIRST;
    *title = '\0';
    if (wanted && s->tok.kind != T_STRING)
        return FAIL_KEY(s, name, s->tok.line, "needs a name in quotes: %s \"NAME\" { ... }", name);
    if (!wanted)
        return 0;
    if (s->tok.len < size) {
        memcpy(title, s->tok.p, s->tok.len);
        title[s->tok.len] = '\0';
    }
    const char *wrong = config_name_check(title);
    return wrong ? FAIL_KEY(s, name, s->tok.line, "%s", wrong) : next(s);
}

static int add_section(struct scan *s, const struct config_section *section)
{
    struct config_reader *r = s->r;
    size_t same = 0;
    for (size_t i = 0; i < r->n_sections; i++) {
        const struct config_section *old = &r->sections[i];
        same += old->id == section->id;
        if (old->id == section->id && old->line && strcmp(old->title, section->title) == 0)
            return CONFIG_FAIL(r, section, NULL, section->line,
                               "this section stands on line %u already: make them one", old->line);
    }
    if (same >= CONFIG_MULTI)
        return CONFIG_FAIL(r, section, NULL, section->line, "more than %d of them", CONFIG_MULTI);
    struct config_section *grown = realloc(r->sections, (r->n_sections + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    r->sections = grown;
    grown[r->n_sections] = *section;
    s->current = r->n_sections++;
    return 0;
}

static int scan_section(struct scan *s, const char *name, uint32_t line)
{
    struct config_section section = {.line = line};
    int err = section_id(s, name, line, &section.id);
    if (!err)
        err = scan_title(s, section.id, section.title, sizeof section.title);
    if (err)
        return err;
    if (s->tok.kind != T_OPEN)
        return FAIL_KEY(s, name, s->tok.line, "expected { to open the section, not %s",
                        token_name(&s->tok));
    if (section.id >= TITLE_IN_FIRST)
        return add_section(s, &section);
    s->current = section.id;
    if (current(s)->line)
        return CONFIG_FAIL(s->r, current(s), NULL, line,
                           "this section stands on line %u already: make them one",
                           current(s)->line);
    current(s)->line = line;
    return 0;
}

static int scan_item(struct scan *s)
{
    char name[WORD_MAX + 1];
    uint32_t line = s->tok.line;
    if (s->tok.kind != T_WORD)
        return FAIL_HERE(s, "expected a key or a section, not %s", token_name(&s->tok));
    memcpy(name, s->tok.word, sizeof name);
    const struct config_not_yet *not_yet = config_not_yet_find(current(s)->id, name);
    if (not_yet)
        return scan_not_yet(s, not_yet, line);
    int err = next(s);
    if (err)
        return err;
    if (s->tok.kind == T_EQUAL)
        return scan_key(s, name, line);
    if (s->tok.kind == T_OPEN || s->tok.kind == T_STRING || current(s)->id == CONFIG_top)
        return scan_section(s, name, line);
    return FAIL_KEY(s, name, line, "expected = and a value after the key, not %s",
                    token_name(&s->tok));
}

int config_scan(struct config_reader *r)
{
    struct scan s = {.r = r, .at = r->text, .line = 1};
    int err;
    while (!(err = next(&s)) && s.tok.kind != T_END) {
        if (s.tok.kind == T_CLOSE && s.current != CONFIG_top)
            s.current = CONFIG_top;
        else
            err = scan_item(&s);
        if (err)
            return err;
    }
    r->lines = s.line - 1; /* the text ends with a line end */
    if (!err && s.current != CONFIG_top)
        err = FAIL_KEY(&s, NULL, current(&s)->line,
                       "the section that opens here is not closed: a } is missing");
    return err;
}
