#include "gateway/receipt_match.h"

#include "gateway/config.h"
#include "smpp/smpp.h"

#include <stdio.h>
#include <string.h>

void receipt_match_submit(const struct config_carrier *k, int32_t reference,
                          struct receipt_match *out)
{
    memset(out, 0, sizeof *out);
    out->mode = (enum pin_id_mode)k->message_id;
    if (k->receipt_match == CONFIG_MATCH_ID)
        return;
    out->mode = PIN_ID_REFERENCE;
    out->id = out->own;
    if (k->receipt_match == CONFIG_MATCH_ADDRESS)
        snprintf(out->own, sizeof out->own, "newest");
    else if (reference >= 0)
        snprintf(out->own, sizeof out->own, "ref=%02x", (unsigned)reference & 0xff);
    out->len = strlen(out->own);
}

bool receipt_match_receipt(const struct config_carrier *k, const struct smpp_receipt *r,
                           struct receipt_match *out)
{
    receipt_match_submit(k, r->reference, out);
    if (k->receipt_match == CONFIG_MATCH_ID) {
        out->id = r->id.p;
        out->len = r->id.len;
    }
    return out->len > 0;
}
