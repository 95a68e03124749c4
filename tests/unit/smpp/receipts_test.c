/*
 * Every receipt of tests/data/dlr-texts.jsonl, as a text and inside a deliver_sm with its TLVs, and
 * what such a table cannot say.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_receipt.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECOND_MS INT64_C(1000)

static int64_t now_us; /* 2026-11-23T12:00:00Z unless a test says otherwise */

static int64_t fake_us(void)
{
    return now_us;
}

static int set_clock(void **state)
{
    (void)state;
    static const struct clock_source source = {fake_us, fake_us};
    now_us = INT64_C(1795435200) * 1000000;
    clock_set_source(&source);
    return 0;
}

static const struct smpp_receipt_options plain;
static const char *source;
static size_t failures;

#define CHECK(ok, ...)                                                                             \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            failures++;                                                                            \
            fprintf(stderr, "%s: ", source);                                                       \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
        }                                                                                          \
    } while (0)

/* A JSON string as Latin-1 octets; the caller frees. */
static char *latin1(json_t *string, size_t *len)
{
    const char *utf8 = json_string_value(string);
    size_t n = json_string_length(string);
    char *out = malloc(n + 1);
    *len = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)utf8[i];
        if (c >= 0x80)
            c = (uint8_t)((c << 6) | ((uint8_t)utf8[++i] & 0x3f));
        out[(*len)++] = (char)c;
    }
    return out;
}

static int64_t iso_ms(json_t *iso)
{
    struct tm tm = {0};
    const char *s = json_string_value(iso);
    if (!s)
        return -1;
    assert_non_null(strptime(s, "%Y-%m-%dT%H:%M:%S", &tm));
    return timegm(&tm) * SECOND_MS;
}

/* Of two readings the one nearest to now. */
static int64_t wanted_ms(json_t *iso)
{
    if (!json_is_array(iso))
        return iso_ms(iso);
    int64_t a = iso_ms(json_array_get(iso, 0)), b = iso_ms(json_array_get(iso, 1));
    return llabs(a - wall_ms()) <= llabs(b - wall_ms()) ? a : b;
}

static void check_string(const char *name, struct smpp_str got, json_t *expect)
{
    json_t *want = json_object_get(expect, name);
    if (!want) /* not said */
        return;
    if (json_is_null(want)) {
        CHECK(!got.p, "%s is %.*s", name, (int)got.len, got.p);
        return;
    }
    size_t len;
    char *octets = latin1(want, &len);
    CHECK(got.p && got.len == len && memcmp(got.p, octets, len) == 0, "%s is %.*s", name,
          (int)got.len, got.p ? got.p : "");
    free(octets);
}

static void check_receipt(const struct smpp_receipt *r, json_t *expect, bool text_too)
{
    check_string("id", r->id, expect);
    check_string("sub", r->sub, expect);
    check_string("dlvrd", r->dlvrd, expect);
    check_string("submit_date", r->submit_date, expect);
    check_string("done_date", r->done_date, expect);
    check_string("stat", r->stat, expect);
    check_string("err", r->err, expect);
    if (text_too)
        check_string("text", r->text, expect);
    json_t *state = json_object_get(expect, "state");
    CHECK(r->state == (json_is_null(state) ? -1 : json_integer_value(state)), "state %d", r->state);
    CHECK(r->state_known == !json_object_get(expect, "stat_unmapped"), "state_known");
    CHECK(r->final == json_is_true(json_object_get(expect, "final")), "final");
    CHECK(r->submit_ms == wanted_ms(json_object_get(expect, "submit_iso")), "submit_ms %lld",
          (long long)r->submit_ms);
    CHECK(r->done_ms == wanted_ms(json_object_get(expect, "done_iso")), "done_ms %lld",
          (long long)r->done_ms);
}

struct tlv_arg {
    uint16_t tag;
    uint16_t len;
    const void *value;
};

struct deliver {
    uint8_t esm_class;
    const char *text;
    size_t len;
    const struct tlv_arg *tlvs;
    size_t n;
};

/* A deliver_sm, decoded; the caller frees *buf. */
static void make_pdu(const struct deliver *d, uint8_t **buf, struct smpp_pdu *pdu)
{
    uint8_t big[2048];
    struct wr w = wr_init(big, sizeof big);
    for (int i = 0; i < 4; i++)
        wr_u32(&w, i == 1 ? 5 : 0);
    static const uint8_t addresses[] = "\0\1\1"
                                       "38591\0\1\1"
                                       "1971";
    wr_bytes(&w, addresses, sizeof addresses);
    wr_u8(&w, d->esm_class);
    wr_bytes(&w, "\0\0\0\0\0\0\0\0", 8);
    wr_u8(&w, (uint8_t)d->len);
    wr_bytes(&w, d->text, d->len);
    for (size_t i = 0; i < d->n; i++) {
        wr_u16(&w, d->tlvs[i].tag);
        wr_u16(&w, d->tlvs[i].len);
        wr_bytes(&w, d->tlvs[i].value, d->tlvs[i].len);
    }
    assert_false(w.bad);
    *buf = malloc(w.len);
    memcpy(*buf, big, w.len);
    (*buf)[2] = (uint8_t)(w.len >> 8);
    (*buf)[3] = (uint8_t)w.len;
    struct smpp_frame frame;
    size_t need;
    assert_int_equal(smpp_frame_next(*buf, w.len, 4096, &frame, &need), SMPP_FRAME_OK);
    assert_int_equal(smpp_decode(&frame, pdu), SMPP_DECODE_OK);
}

static void check_with_tlvs(json_t *row, const char *text, size_t len, bool text_too)
{
    json_t *t = json_object_get(row, "tlvs");
    json_t *id = json_object_get(t, "receipted_message_id");
    json_t *state = json_object_get(t, "message_state");
    json_t *error = json_object_get(t, "network_error_code");
    uint8_t state_octet = (uint8_t)json_integer_value(state), octets[3];
    struct tlv_arg tlvs[3];
    size_t n = 0;
    if (id)
        tlvs[n++] = (struct tlv_arg){SMPP_TLV_RECEIPTED_MESSAGE_ID,
                                     (uint16_t)(json_string_length(id) + 1), json_string_value(id)};
    if (state)
        tlvs[n++] = (struct tlv_arg){SMPP_TLV_MESSAGE_STATE, 1, &state_octet};
    if (error) {
        assert_int_equal(hex_decode(json_string_value(error), 6, octets), 0);
        tlvs[n++] = (struct tlv_arg){SMPP_TLV_NETWORK_ERROR_CODE, 3, octets};
    }
    uint8_t *buf;
    struct smpp_pdu pdu;
    struct smpp_receipt r;
    make_pdu(&(struct deliver){4, text, len, tlvs, n}, &buf, &pdu);
    CHECK(smpp_receipt_from_pdu(&pdu, &plain, &r), "is a receipt");
    check_receipt(&r, json_object_get(row, "expect_with_tlvs"), text_too);
    free(buf);
}

static void check_row(json_t *row)
{
    size_t len;
    struct smpp_receipt r;
    char *text = latin1(json_object_get(row, "text"), &len);
    json_t *expect = json_object_get(row, "expect");
    source = json_string_value(json_object_get(row, "source"));
    /* One source ends the text before a field that follows it. */
    const char *note = json_string_value(json_object_get(row, "note"));
    bool text_too = !note || !strstr(note, "not asserted");
    char *exact = malloc(len); /* of the exact size, for the sanitizer */
    memcpy(exact, text, len);
    bool is = smpp_receipt_parse(exact, len, &plain, &r);
    CHECK(is == !json_object_get(expect, "verdict"), "receipt or not");
    if (is)
        check_receipt(&r, expect, text_too);
    if (json_object_get(row, "expect_with_tlvs"))
        check_with_tlvs(row, text, len, text_too);
    free(exact);
    free(text);
}

static void every_receipt_of_the_field_is_read_as_it_should_be(void **state)
{
    (void)state;
    FILE *f = fopen("tests/data/dlr-texts.jsonl", "r");
    assert_non_null(f);
    size_t n = 0;
    json_t *row;
    while ((row = json_loadf(f, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL))) {
        check_row(row);
        json_decref(row);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 80);
    assert_int_equal(failures, 0);
}

static bool parse(const char *text, const struct smpp_receipt_options *options,
                  struct smpp_receipt *r)
{
    return smpp_receipt_parse(text, strlen(text), options, r);
}

#define ASSERT_STR(s, literal)                                                                     \
    do {                                                                                           \
        assert_non_null((s).p);                                                                    \
        assert_int_equal((s).len, strlen(literal));                                                \
        assert_memory_equal((s).p, literal, (s).len);                                              \
    } while (0)

static void twelve_digits_follow_the_hint_of_the_operator(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_receipt_options year = {.date_year_first = true}, secs = {.date_seconds = true};
    const char *text = "id:1 stat:DELIVRD done date:201101020030"; /* 2020-11-01 02:00:30 */
    assert_true(parse(text, &year, &r));
    assert_int_equal(r.done_ms, INT64_C(1293928200) * 1000); /* 2011-01-02 00:30 */
    assert_true(parse(text, &secs, &r));
    assert_int_equal(r.done_ms, INT64_C(1604196030) * 1000);
    /* four digits before a dash are a year, whatever the hint */
    assert_true(parse("id:1 done date:2011-01-02 00:30 stat:DELIVRD", &secs, &r));
    assert_int_equal(r.done_ms, INT64_C(1293928200) * 1000);
    assert_int_equal(r.state, 2);
    /* a hint that gives no date gives way */
    assert_true(parse("id:1 stat:DELIVRD done date:201506201641", &secs, &r));
    assert_int_equal(r.done_ms, INT64_C(1434818460) * 1000);
}

static void twelve_digits_without_a_hint_are_what_is_nearest_to_now(void **state)
{
    (void)state;
    struct smpp_receipt r;
    const char *text = "id:1 stat:DELIVRD done date:201101020030";
    now_us = INT64_C(1293930000) * 1000000; /* January 2011 */
    assert_true(parse(text, &plain, &r));
    assert_int_equal(r.done_ms, INT64_C(1293928200) * 1000);
    set_clock(NULL);
    assert_true(parse(text, &plain, &r));
    assert_int_equal(r.done_ms, INT64_C(1604196030) * 1000);
}

static void dates_are_moved_by_the_time_zone_of_the_operator(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_receipt_options zagreb = {.utc_offset_min = 120}, lima = {.utc_offset_min = -300};
    const char *text = "id:1 done date:2607190900";
    assert_true(parse(text, &plain, &r));
    int64_t utc = r.done_ms;
    assert_int_equal(utc, INT64_C(1784451600) * 1000);
    assert_true(parse(text, &zagreb, &r));
    assert_int_equal(r.done_ms, utc - 7200 * SECOND_MS);
    assert_true(parse(text, &lima, &r));
    assert_int_equal(r.done_ms, utc + 18000 * SECOND_MS);
}

static void no_date_ever_fails_a_receipt(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0000000000",
        "YYMMDDhhmm",
        "2613010000",
        "2602300000",
        "2602290000",
        "2602012400",
        "2602012360",
        "2602000000",
        "260201235960",
        "",
        "-",
        "26",
        "2100-02-29",
        "26020100000000000",
        "9",
        "19991221000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[80];
        struct smpp_receipt r;
        snprintf(text, sizeof text, "id:7 done date:%s stat:EXPIRED", bad[i]);
        assert_true(parse(text, &plain, &r));
        assert_int_equal(r.done_ms, -1);
        assert_int_equal(r.state, 3);
    }
}

static void leap_days_and_the_ends_of_years_are_right(void **state)
{
    (void)state;
    for (int year = 2000; year < 2100; year++) {
        for (int day = 0; day < 366; day += 1) {
            struct tm tm = {.tm_year = year - 1900, .tm_mday = day + 1, .tm_hour = 23};
            int64_t want = timegm(&tm) * SECOND_MS;
            char text[48];
            struct smpp_receipt r;
            snprintf(text, sizeof text, "id:1 done date:%04d%02d%02d230000", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday);
            assert_true(parse(text, &plain, &r));
            assert_int_equal(r.done_ms, tm.tm_year > 199 ? -1 : want);
        }
    }
}

static void a_key_inside_a_word_is_no_key(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_false(parse("userid:5 resubmit date:2607190900 upstat:DELIVRD", &plain, &r));
    assert_null(r.submit_date.p);
    assert_true(parse("#id:5", &plain, &r));
    ASSERT_STR(r.id, "5");
}

static void the_first_value_of_a_key_counts(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_true(parse("id:1 stat:DELIVRD text:id:2 stat:EXPIRED err:9", &plain, &r));
    ASSERT_STR(r.id, "1");
    ASSERT_STR(r.stat, "DELIVRD");
    ASSERT_STR(r.err, "9"); /* a field may follow the text */
    ASSERT_STR(r.text, "id:2 stat:EXPIRED err:9");
}

static void keys_of_any_spelling_are_found(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_true(parse("ID:1\r\nSubmitDate:2607190900\nDONE_DATE:2607190901\tStat:x", &plain, &r));
    ASSERT_STR(r.submit_date, "2607190900");
    ASSERT_STR(r.done_date, "2607190901");
    ASSERT_STR(r.stat, "x");
    assert_int_equal(r.state, 7);
    assert_false(r.state_known);
    assert_false(r.final);
}

/* One PDU with a text and at most one TLV. */
static bool from_pdu(uint8_t esm_class, const char *text, struct tlv_arg tlv,
                     const struct smpp_receipt_options *options, struct smpp_receipt *r)
{
    static uint8_t *buf;
    struct smpp_pdu pdu;
    free(buf);
    make_pdu(&(struct deliver){esm_class, text, strlen(text), &tlv, tlv.tag != 0}, &buf, &pdu);
    return smpp_receipt_from_pdu(&pdu, options, r);
}

static const struct tlv_arg no_tlv;

static void only_bits_2_to_5_of_esm_class_make_a_receipt(void **state)
{
    (void)state;
    struct smpp_receipt r;
    const char *text = "id:1 stat:DELIVRD";
    for (int esm = 0; esm < 256; esm++)
        assert_int_equal(from_pdu((uint8_t)esm, text, no_tlv, &plain, &r), (esm & 0x3c) != 0);
    assert_true(from_pdu(4, "nothing to read", no_tlv, &plain, &r));
    assert_null(r.id.p);
    assert_int_equal(r.state, -1);
}

static void a_text_alone_makes_a_receipt_only_by_option(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_receipt_options lax = {.without_esm_class = true};
    assert_false(from_pdu(0, "id:1 stat:DELIVRD", no_tlv, &plain, &r));
    assert_true(from_pdu(0, "id:1 stat:DELIVRD", no_tlv, &lax, &r));
    ASSERT_STR(r.source_addr, "38591");
    ASSERT_STR(r.destination_addr, "1971");
    assert_false(from_pdu(0, "id:1", no_tlv, &lax, &r));
    assert_false(from_pdu(0, "stat:DELIVRD", no_tlv, &lax, &r));
}

static void tlvs_alone_make_a_receipt(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg id = {SMPP_TLV_RECEIPTED_MESSAGE_ID, 8, "362d9701"}; /* no NUL */
    struct tlv_arg two = {SMPP_TLV_MESSAGE_STATE, 2, "\0\2"};
    assert_true(from_pdu(0, "", id, &plain, &r));
    ASSERT_STR(r.id, "362d9701");
    assert_true(from_pdu(0, "stat:UNDELIV", two, &plain, &r));
    assert_int_equal(r.state, 2);
    ASSERT_STR(r.stat, "UNDELIV");
}

static void the_reference_of_the_submit_is_told(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg reference = {SMPP_TLV_USER_MESSAGE_REFERENCE, 2, "\xff\x02"};
    assert_true(from_pdu(4, "id:1 stat:DELIVRD", reference, &plain, &r));
    assert_int_equal(r.reference, 0xff02);
    reference.len = 1;
    assert_true(from_pdu(4, "id:1 stat:DELIVRD", reference, &plain, &r));
    assert_int_equal(r.reference, -1);
    assert_true(from_pdu(4, "id:1 stat:DELIVRD", no_tlv, &plain, &r));
    assert_int_equal(r.reference, -1);
}

static void a_state_beyond_the_table_is_unknown(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg far = {SMPP_TLV_MESSAGE_STATE, 1, "\x0a"};
    struct tlv_arg skipped = {SMPP_TLV_MESSAGE_STATE, 1, "\x09"};
    struct tlv_arg empty = {SMPP_TLV_MESSAGE_STATE, 0, ""};
    assert_true(from_pdu(4, "id:1", far, &plain, &r));
    assert_int_equal(r.state, 7);
    assert_false(r.state_known);
    assert_true(from_pdu(4, "id:1", skipped, &plain, &r));
    assert_int_equal(r.state, 9);
    assert_true(r.final);
    assert_true(from_pdu(4, "id:1 stat:EXPIRED", empty, &plain, &r));
    assert_int_equal(r.state, 3);
}

static void the_text_may_be_in_message_payload(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg payload = {SMPP_TLV_MESSAGE_PAYLOAD, 18, "id:9 stat:EXPIRED"};
    assert_true(from_pdu(4, "", payload, &plain, &r));
    ASSERT_STR(r.id, "9");
    ASSERT_STR(r.stat, "EXPIRED");
    assert_true(from_pdu(4, "id:8", payload, &plain, &r));
    ASSERT_STR(r.id, "8");
}

static void network_error_code_is_err_where_the_text_has_none(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg number = {SMPP_TLV_NETWORK_ERROR_CODE, 3, "\x03\x00\x07"};
    struct tlv_arg big = {SMPP_TLV_NETWORK_ERROR_CODE, 3, "\x03\xff\xff"};
    struct tlv_arg digits = {SMPP_TLV_NETWORK_ERROR_CODE, 3, "012"};
    struct tlv_arg cut = {SMPP_TLV_NETWORK_ERROR_CODE, 2, "\x03\x01"};
    assert_true(from_pdu(4, "id:1", number, &plain, &r));
    ASSERT_STR(r.err, "007");
    assert_true(from_pdu(4, "id:1", big, &plain, &r));
    ASSERT_STR(r.err, "65535");
    assert_true(from_pdu(4, "id:1", digits, &plain, &r));
    ASSERT_STR(r.err, "012");
    assert_true(from_pdu(4, "id:1", cut, &plain, &r));
    assert_null(r.err.p);
    assert_true(from_pdu(4, "id:1 err:42", number, &plain, &r));
    ASSERT_STR(r.err, "42");
}

static void data_sm_carries_receipts_and_submit_sm_does_not(void **state)
{
    (void)state;
    uint8_t *buf;
    struct smpp_pdu pdu;
    struct smpp_receipt r;
    make_pdu(&(struct deliver){4, "id:1 stat:DELIVRD", 17, NULL, 0}, &buf, &pdu);
    pdu.command_id = (uint32_t)SMPP_DATA_SM;
    assert_true(smpp_receipt_from_pdu(&pdu, &plain, &r));
    pdu.command_id = (uint32_t)SMPP_SUBMIT_SM;
    assert_false(smpp_receipt_from_pdu(&pdu, &plain, &r));
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_receipt_of_the_field_is_read_as_it_should_be),
        cmocka_unit_test(twelve_digits_follow_the_hint_of_the_operator),
        cmocka_unit_test(twelve_digits_without_a_hint_are_what_is_nearest_to_now),
        cmocka_unit_test(dates_are_moved_by_the_time_zone_of_the_operator),
        cmocka_unit_test(no_date_ever_fails_a_receipt),
        cmocka_unit_test(leap_days_and_the_ends_of_years_are_right),
        cmocka_unit_test(a_key_inside_a_word_is_no_key),
        cmocka_unit_test(the_first_value_of_a_key_counts),
        cmocka_unit_test(keys_of_any_spelling_are_found),
        cmocka_unit_test(only_bits_2_to_5_of_esm_class_make_a_receipt),
        cmocka_unit_test(a_text_alone_makes_a_receipt_only_by_option),
        cmocka_unit_test(tlvs_alone_make_a_receipt),
        cmocka_unit_test(the_reference_of_the_submit_is_told),
        cmocka_unit_test(a_state_beyond_the_table_is_unknown),
        cmocka_unit_test(the_text_may_be_in_message_payload),
        cmocka_unit_test(network_error_code_is_err_where_the_text_has_none),
        cmocka_unit_test(data_sm_carries_receipts_and_submit_sm_does_not),
    };
    return cmocka_run_group_tests(tests, set_clock, NULL);
}
