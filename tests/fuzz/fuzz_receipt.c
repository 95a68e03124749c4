/* The text of a receipt: the first octet chooses the options, the rest is the text. */
#include "base/clock.h"
#include "smpp/smpp_receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t fixed_us(void)
{
    return INT64_C(1795435200) * 1000000;
}

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_date(struct smpp_str s, int64_t ms)
{
    /* 2000 to 2099, moved by the time zone; never from nothing. */
    require(ms == -1 || (s.len >= 10 && ms > INT64_C(946000000000) && ms < INT64_C(4103000000000)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct clock_source source = {fixed_us, fixed_us};
    clock_set_source(&source);
    if (size == 0)
        return 0;
    static const struct smpp_stat_rule states[] = {{"0", 2}, {"FAILED", 3}, {"FAILED:", 8}};
    static const struct smpp_error_rule errors[] = {{"0", SMPP_ERROR_PERMANENT, "x"}};
    const struct smpp_carrier_options options = {
        .receipt_states = states,
        .n_receipt_states = data[0] & 16 ? 3 : 0,
        .receipt_errors = errors,
        .n_receipt_errors = data[0] & 16 ? 1 : 0,
        .receipt_utc_offset_min = data[0] & 4   ? 840
                                  : data[0] & 8 ? -720
                                                : 0,
        .receipt_dates = (enum smpp_receipt_dates)((data[0] & 3) % 3),
    };
    const char *text = (const char *)data + 1;
    struct smpp_receipt r;
    bool is = smpp_receipt_parse(text, size - 1, &options, &r);
    require(is == (r.id.len || r.stat.len));
    const struct smpp_str views[] = {r.id,        r.sub,  r.dlvrd, r.submit_date,
                                     r.done_date, r.stat, r.err,   r.text};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        require(!views[i].p ||
                (views[i].p >= text && views[i].p + views[i].len <= text + size - 1));
    require(r.state >= -1 && r.state <= 9 && (r.state_known || r.state == 7));
    require((r.state == -1) == !r.stat.len);
    check_date(r.submit_date, r.submit_ms);
    check_date(r.done_date, r.done_ms);
    return 0;
}
