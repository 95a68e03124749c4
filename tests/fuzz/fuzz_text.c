/*
 * The first octet chooses alphabet and data_coding, the rest is first a text to encode and then
 * octets to decode.  What was encoded comes back, and what was decoded is UTF-8.
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

static void check_encode(const char *text, size_t len, enum smpp_alphabet alphabet)
{
    struct smpp_text t;
    char back[1024];
    int err = smpp_text_encode(text, len, alphabet, &t);
    int segments = smpp_text_segments(text, len, alphabet);
    require(err == ERR_OK || err == ERR_INVALID || err == ERR_TOOLONG);
    require((err == ERR_INVALID) == (segments < 0));
    if (err != ERR_INVALID)
        require(segments == t.segments && (segments == 1) == (err == ERR_OK));
    if (err != ERR_OK)
        return;
    require(t.len <= 160);
    size_t n = smpp_text_decode(t.octets, t.len, t.data_coding, alphabet, back, sizeof back);
    bool has_nul = memchr(text, 0, len) != NULL;
    bool has_mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    require(has_nul || has_mark || (n == len && memcmp(back, text, len) == 0));
}

static void check_decode(const uint8_t *p, size_t len, uint8_t coding, enum smpp_alphabet alphabet)
{
    char out[300];
    size_t room = len % sizeof out + 1;
    size_t n = smpp_text_decode(p, len, coding, alphabet, out, room);
    require(n < room && strlen(out) == n);
    require(smpp_text_segments(out, n, alphabet) >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t codings[] = {0, 1, 3, 4, 8, 0x10, 0x18, 0xF0, 0xF4};
    if (size == 0)
        return 0;
    enum smpp_alphabet alphabet = (enum smpp_alphabet)(data[0] % 3);
    check_encode((const char *)data + 1, size - 1, alphabet);
    check_decode(data + 1, size - 1, codings[data[0] / 3 % sizeof codings], alphabet);
    return 0;
}
