/* What version 1 of the HTTP API says of each SMS of a PIN, with the ledger played. */
#include "gateway/pins.h"

#include "gateway/answer_json.h"
#include "pin/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pin_record record;

int pin_ledger_status(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id;
    cb(arg, &(struct pin_answer){.verdict = PIN_OK, .record = &record});
    return 0;
}

int pin_ledger_verify(struct pin_ledger *l, const char *account, const char *pin_id,
                      const char *typed, size_t typed_len, pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id, (void)typed, (void)typed_len, (void)cb, (void)arg;
    return -1;
}

int pin_ledger_cancel(struct pin_ledger *l, const char *account, const char *pin_id,
                      pin_ledger_cb cb, void *arg)
{
    (void)l, (void)account, (void)pin_id, (void)cb, (void)arg;
    return -1;
}

static void answer_json_cb(void *arg, const struct answer *a)
{
    struct wr w = wr_init(arg, 1024);
    answer_write_json(&w, a);
    wr_end(&w);
    assert_false(w.bad);
}

static void each_state_has_its_word(void **state)
{
    (void)state;
    static const struct {
        enum pin_attempt_state state;
        const char *err;
        int64_t done_ms;
        const char *status, *final;
    } rows[] = {
        {PIN_ATT_PENDING, "", 0, "MESSAGE_WAITING_DELIVERY", "false"},
        {PIN_ATT_ACCEPTED, "", 0, "MESSAGE_ACCEPTED", "true"},    /* by its response */
        {PIN_ATT_ACCEPTED, "000", 1, "MESSAGE_ACCEPTED", "true"}, /* by its receipt */
        {PIN_ATT_SCHEDULED, "", 0, "MESSAGE_WAITING_DELIVERY", "false"},
        {PIN_ATT_ENROUTE, "", 0, "MESSAGE_WAITING_DELIVERY", "false"},
        {PIN_ATT_DELIVERED, "000", 1, "MESSAGE_DELIVERED", "true"},
        {PIN_ATT_EXPIRED, "0x0000000a", 1, "MESSAGE_EXPIRED", "true"},
        {PIN_ATT_DELETED, "", 1, "MESSAGE_NOT_DELIVERED", "true"},
        {PIN_ATT_UNDELIVERABLE, "", 1, "MESSAGE_NOT_DELIVERED", "true"},
        {PIN_ATT_SKIPPED, "", 1, "MESSAGE_NOT_DELIVERED", "true"},
        {PIN_ATT_UNKNOWN, "", 1, "MESSAGE_DELIVERY_UNKNOWN", "true"},
        {PIN_ATT_IN_DOUBT, "", 0, "MESSAGE_DELIVERY_UNKNOWN", "true"},
        {PIN_ATT_REJECTED, "", 1, "MESSAGE_REJECTED", "true"},
        {PIN_ATT_REFUSED, "0x00000058", 1, "MESSAGE_REJECTED", "true"},
        {PIN_ATT_REFUSED, "0x0000000a", 1, "INVALID_SOURCE_ADDRESS", "true"},
        {PIN_ATT_REFUSED, "0x0000000b", 1, "MESSAGE_INVALID_DESTINATION_ADDRESS", "true"},
        {PIN_ATT_NOT_SENT, "", 1, "MESSAGE_NOT_SENT", "false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[1024], status[80], final[32];
        record = (struct pin_record){.n_attempts = 1};
        record.attempts[0].state = rows[i].state;
        record.attempts[0].done_ms = rows[i].done_ms;
        snprintf(record.attempts[0].err, sizeof record.attempts[0].err, "%s", rows[i].err);
        pins_messages(NULL, "demo", "0123456789ABCDEF0123456789ABCDEF", answer_json_cb, json);
        snprintf(status, sizeof status, "[{\"status\":\"%s\",\"description\":\"", rows[i].status);
        snprintf(final, sizeof final, "\",\"finalStatus\":%s}]", rows[i].final);
        if (strncmp(json, status, strlen(status)) != 0 || !strstr(json, final))
            fail_msg("%s: %s", rows[i].status, json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
