#include "gateway/ctl_mo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- texts --- */

/* What a terminal does more with than show it: controls, ends of lines, marks of direction. */
static const struct {
    uint32_t first, last;
} escaped[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200E, 0x200F},
    {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF},
};

static bool is_escaped(uint32_t cp)
{
    for (size_t i = 0; i < sizeof escaped / sizeof escaped[0]; i++)
        if (cp >= escaped[i].first && cp <= escaped[i].last)
            return true;
    return false;
}

/* Of well-formed UTF-8. */
static uint32_t next_character(const char **p)
{
    uint8_t first = (uint8_t) * (*p)++;
    uint32_t cp = first < 0x80   ? first
                  : first < 0xE0 ? first & 0x1F
                  : first < 0xF0 ? first & 0x0F
                                 : first & 0x07;
    while ((**p & 0xC0) == 0x80)
        cp = cp << 6 | ((uint8_t) * (*p)++ & 0x3F);
    return cp;
}

void ctl_mo_print_text(const char *text, FILE *out)
{
    putc('"', out);
    while (*text) {
        const char *at = text;
        uint32_t cp = next_character(&text);
        if (cp == '\n')
            fputs("\\n", out);
        else if (is_escaped(cp))
            fprintf(out, "\\u%04x", (unsigned)cp);
        else
            fprintf(out, "%s%.*s", cp == '"' || cp == '\\' ? "\\" : "", (int)(text - at), at);
    }
    putc('"', out);
}

/* --- messages --- */

static const char *string_of(const json_t *message, const char *key)
{
    const char *s = json_string_value(json_object_get(message, key));
    return s ? s : "-";
}

static long long number_of(const json_t *message, const char *key)
{
    return json_integer_value(json_object_get(message, key));
}

void ctl_mo_print(const json_t *message, FILE *out)
{
    const char *text = json_string_value(json_object_get(message, "text"));
    fprintf(out, "%s %s %s to %s %s ", string_of(message, "at"), string_of(message, "carrier"),
            string_of(message, "from"), string_of(message, "to"), string_of(message, "keyword"));
    if (text)
        ctl_mo_print_text(text, out);
    else
        fprintf(out, "(%lld octets of data)", number_of(message, "octets"));
    if (number_of(message, "missing"))
        fprintf(out, " (%lld of %lld parts missing)", number_of(message, "missing"),
                number_of(message, "parts"));
    putc('\n', out);
}
