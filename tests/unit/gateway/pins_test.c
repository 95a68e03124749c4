/* What version 1 of the HTTP API says of each SMS of a PIN, with the ledger played. */
#include "gateway/pins.h"

#include "gateway/answer_json.h"
#include "gateway/carriers.h"
#include "gateway/overdue.h"
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

struct smpp_carrier *carriers_find(struct carriers *cs, const char *name)
{
    return strcmp(name, "gone") == 0 ? NULL : (struct smpp_carrier *)(void *)cs;
}

void overdue_cancelled(struct overdue *o, const char *pin_id)
{
    (void)o, (void)pin_id;
}

static const char *error_text;

const char *smpp_carrier_error_text(const struct smpp_carrier *c, const char *err)
{
    (void)c;
    return strcmp(err, "000") == 0 ? NULL : error_text;
}

#define JSON_SIZE 8192

static void answer_json_cb(void *arg, const struct answer *a)
{
    struct wr w = wr_init(arg, JSON_SIZE);
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
        char json[JSON_SIZE], status[80], final[32];
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

static const char *status_of_record(void)
{
    static char json[JSON_SIZE];
    int cs; /* is not looked into */
    pins_status(NULL, (struct carriers *)(void *)&cs, "demo", "0123456789ABCDEF0123456789ABCDEF",
                answer_json_cb, json);
    return json;
}

static void q30_a_status_has_the_operators_text_of_an_error(void **state)
{
    (void)state;
    struct pin_attempt *t = &record.attempts[0];
    record = (struct pin_record){.n_attempts = 1};
    error_text = "absent subscriber";
    t->state = PIN_ATT_UNDELIVERABLE;
    strcpy(t->carrier, "acme");
    strcpy(t->err, "069");
    assert_non_null(
        strstr(status_of_record(), "\"err\":\"069\",\"errText\":\"absent subscriber\"}"));
    strcpy(t->err, "000");
    assert_null(strstr(status_of_record(), "errText"));
    t->err[0] = '\0';
    assert_null(strstr(status_of_record(), "errText"));
    strcpy(t->err, "0x0000000b"); /* a status of submits is none of receipts */
    t->state = PIN_ATT_REFUSED;
    assert_null(strstr(status_of_record(), "errText"));
    t->state = PIN_ATT_UNDELIVERABLE;
    strcpy(t->carrier, "gone");
    assert_null(strstr(status_of_record(), "errText"));
}

static void the_longest_status_fits(void **state)
{
    (void)state;
    static char text[SMPP_ERR_TEXT_MAX + 1];
    memset(text, 't', sizeof text - 1);
    error_text = text;
    record = (struct pin_record){.n_attempts = PIN_ATTEMPTS_MAX, .verified_ms = 1};
    for (size_t i = 0; i < PIN_ATTEMPTS_MAX; i++) {
        struct pin_attempt *t = &record.attempts[i];
        t->state = PIN_ATT_UNDELIVERABLE;
        t->sent_ms = t->done_ms = 1;
        t->segments = PIN_SEGMENTS_MAX;
        t->segments_delivered = PIN_SEGMENTS_MAX - 1;
        memset(t->carrier, 'c', sizeof t->carrier - 1);
        memset(t->err, 'e', sizeof t->err - 1);
        memset(t->message_id, 'm', sizeof t->message_id - 1);
    }
    assert_non_null(strstr(status_of_record(), "\"attempts\":[{"));
    assert_non_null(strstr(status_of_record(), "\"segments\":10,\"segmentsDelivered\":9}]}"));
    record.attempts[PIN_ATTEMPTS_MAX - 1].segments = 0;
    assert_non_null(strstr(status_of_record(), "\"doneAt\":1}]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_word),
        cmocka_unit_test(q30_a_status_has_the_operators_text_of_an_error),
        cmocka_unit_test(the_longest_status_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
