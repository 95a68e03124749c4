#include "base/result.h"

#include <stddef.h>

static const struct {
    int value;
    const char *name;
    const char *text;
} err_table[] = {
#define X(name, value, text) {value, #name, text},
    ERR_LIST(X)
#undef X
};

const char *err_name(int err)
{
    for (size_t i = 0; i < sizeof err_table / sizeof err_table[0]; i++)
        if (err_table[i].value == err)
            return err_table[i].name;
    return "ERR_?";
}

const char *err_text(int err)
{
    for (size_t i = 0; i < sizeof err_table / sizeof err_table[0]; i++)
        if (err_table[i].value == err)
            return err_table[i].text;
    return "unknown result";
}
