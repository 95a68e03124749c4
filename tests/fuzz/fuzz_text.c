/*
 * The first octet chooses alphabet and data_coding, the rest is first a text to encode and then
 * octets to decode.  What was encoded comes back, part by part, and what was decoded is UTF-8.
 */
#include "base/result.h"
#include "smpp/smpp_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* What a handset would show of the parts, one after the other. */
static size_t rejoin(const uint8_t *octets, const uint16_t *ends, const struct smpp_text_form *form,
                     char *out, size_t size)
{
    size_t n = 0, at = 0;
    for (int i = 0; i < form->segments; i++) {
        uint8_t packed[SMPP_TEXT_MAX];
        struct smpp_coded c = {octets + at, ends[i] - at, 0, form->data_coding, form->alphabet};
        require(ends[i] >= at && c.len <= SMPP_TEXT_MAX);
        if (form->is_packed) {
            require(c.len == 0 || smpp_text_pack(c.p, c.len, 0, packed) <= 140);
            c.len = c.len ? smpp_text_pack(c.p, c.len, 0, packed) : 0;
            c.p = packed;
        }
        n += smpp_text_decode(&c, out + n, size - n);
        at = ends[i];
    }
    require(at == form->octets);
    return n;
}

/* An @ or a carriage return at the end of a packed part may be padding. */
static bool is_told_apart(const char *text, size_t len, const struct smpp_text_form *form)
{
    return !form->is_packed || (!memchr(text, '@', len) && !memchr(text, '\r', len));
}

static void check_encode(const char *text, size_t len, enum smpp_alphabet alphabet)
{
    static uint8_t octets[1 << 17];
    static uint16_t ends[1 << 12];
    static char back[1 << 17];
    struct smpp_text_form form;
    int segments = smpp_text_segments(text, len, alphabet);
    if (len > UINT16_MAX / 2)
        return;
    if (smpp_text_form(text, len, alphabet, &form) != ERR_OK) {
        require(segments == ERR_INVALID);
        return;
    }
    require(segments == form.segments && segments >= 1);
    smpp_text_write(text, len, &form, octets, ends);
    size_t n = rejoin(octets, ends, &form, back, sizeof back);
    bool has_nul = memchr(text, 0, len) != NULL;
    bool has_mark = memmem(text, len, "\xef\xbb\xbf", 3) != NULL;
    require(has_nul || has_mark || !is_told_apart(text, len, &form) ||
            (n == len && memcmp(back, text, len) == 0));
}

static void check_decode(const uint8_t *p, size_t len, uint8_t coding, enum smpp_alphabet alphabet)
{
    char out[300];
    size_t room = len % sizeof out + 1;
    size_t udh = len ? p[0] % (len + 1) : 0;
    struct smpp_coded c = {p, len, udh, coding, alphabet};
    size_t n = smpp_text_decode(&c, out, room);
    require(n < room && strlen(out) == n);
    require(smpp_text_segments(out, n, alphabet) >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t codings[] = {0, 1, 3, 4, 8, 0x10, 0x18, 0xF0, 0xF4};
    if (size == 0)
        return 0;
    enum smpp_alphabet alphabet = (enum smpp_alphabet)(data[0] % 5);
    check_encode((const char *)data + 1, size - 1, alphabet);
    check_decode(data + 1, size - 1, codings[data[0] / 5 % sizeof codings], alphabet);
    return 0;
}
