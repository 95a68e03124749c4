#include "gateway/sender.h"

#include <string.h>

bool sender_is_valid(const char *s)
{
    size_t n = strlen(s);
    size_t digits = strspn(s, "0123456789");
    for (size_t i = 0; i < n; i++)
        if (s[i] < ' ' || s[i] > '~')
            return false;
    return n > 0 && (digits == n ? n <= 15 : n <= 11);
}
