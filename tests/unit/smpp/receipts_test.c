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

static const struct smpp_carrier_options plain;
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

static bool parse(const char *text, const struct smpp_carrier_options *options,
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

static void q22_twelve_digits_follow_the_hint_of_the_operator(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_carrier_options year = {.receipt_dates = SMPP_DATES_YEAR_FIRST},
                                secs = {.receipt_dates = SMPP_DATES_SECONDS};
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

static void q22_twelve_digits_without_a_hint_are_what_is_nearest_to_now(void **state)
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

static void q22_dates_are_moved_by_the_time_zone_of_the_operator(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_carrier_options zagreb = {.receipt_utc_offset_min = 120},
                                lima = {.receipt_utc_offset_min = -300};
    const char *text = "id:1 done date:2607190900";
    assert_true(parse(text, &plain, &r));
    int64_t utc = r.done_ms;
    assert_int_equal(utc, INT64_C(1784451600) * 1000);
    assert_true(parse(text, &zagreb, &r));
    assert_int_equal(r.done_ms, utc - 7200 * SECOND_MS);
    assert_true(parse(text, &lima, &r));
    assert_int_equal(r.done_ms, utc + 18000 * SECOND_MS);
    struct smpp_carrier_options newfoundland = {.receipt_utc_offset_min = -210};
    assert_true(parse(text, &newfoundland, &r));
    assert_int_equal(r.done_ms, utc + 12600 * SECOND_MS);
}

static void q22_no_date_ever_fails_a_receipt(void **state)
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
        "YYMMDDhhmmss",
        "000000000000",
        "00000000000000",
        "0000-00-00 00:00:00",
        "20130217 000429",
        "13-02-17 00:04:29",
        "1+1",
        "\xff\xfe",
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

static void q22_every_form_of_a_date_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t second; /* from 2026-07-19T09:05:00Z */
    } forms[] = {
        {"2607190905", 0},          {"260719090507", 7},        {"202607190905", 0},
        {"20260719090507", 7},      {"2026-07-19 09:05:07", 7}, {"2026-07-19T09:05:07", 7},
        {"2026-07-19 09:05", 0},    {"2026-07-1909:05:07", 7},  {"26-07-19-09-05", 0},
        {"2026/07/19-09:05:07", 7},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[80];
        struct smpp_receipt r;
        snprintf(text, sizeof text, "id:7 submit date:%s done date:%s stat:DELIVRD", forms[i].text,
                 forms[i].text);
        assert_true(parse(text, &plain, &r));
        assert_int_equal(r.done_ms, (INT64_C(1784451900) + forms[i].second) * SECOND_MS);
        assert_int_equal(r.submit_ms, r.done_ms);
        assert_int_equal(r.state, 2);
    }
}

static void q22_nearest_to_now_is_reckoned_in_the_operators_time(void **state)
{
    (void)state;
    /* 2020-11-01 02:00:30 or 2011-01-02 00:30, and now is an hour nearer to the first there. */
    const int64_t seconds = INT64_C(1604196030), year = INT64_C(1293928200);
    struct smpp_carrier_options west = {.receipt_utc_offset_min = -720};
    struct smpp_receipt r;
    now_us = ((seconds + year) / 2 + 3600) * 1000000;
    assert_true(parse("id:1 done date:201101020030", &plain, &r));
    assert_int_equal(r.done_ms, seconds * SECOND_MS);
    assert_true(parse("id:1 done date:201101020030", &west, &r));
    assert_int_equal(r.done_ms, (year + 43200) * SECOND_MS);
    set_clock(NULL);
}

static void q22_leap_days_and_the_ends_of_years_are_right(void **state)
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

static void q28_a_key_inside_a_word_is_no_key(void **state)
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

static void q19_keys_of_any_spelling_are_found(void **state)
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
                     const struct smpp_carrier_options *options, struct smpp_receipt *r)
{
    static uint8_t *buf;
    struct smpp_pdu pdu;
    free(buf);
    make_pdu(&(struct deliver){esm_class, text, strlen(text), &tlv, tlv.tag != 0}, &buf, &pdu);
    return smpp_receipt_from_pdu(&pdu, options, r);
}

static const struct tlv_arg no_tlv;

static void q12_only_bits_2_to_5_of_esm_class_make_a_receipt(void **state)
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

static void q12_an_acknowledgement_of_the_handset_is_a_receipt_only_with_id_and_stat(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg id = {SMPP_TLV_RECEIPTED_MESSAGE_ID, 3, "77"};
    static const uint8_t acknowledgements[] = {0x08, 0x10, 0x18, 0x48, 0x50};
    for (size_t i = 0; i < sizeof acknowledgements; i++) {
        uint8_t esm = acknowledgements[i];
        assert_true(from_pdu(esm, "id:1 stat:DELIVRD", no_tlv, &plain, &r));
        assert_true(from_pdu(esm, "thank you", id, &plain, &r));
        assert_false(from_pdu(esm, "thank you", no_tlv, &plain, &r));
        assert_false(from_pdu(esm, "id:1", no_tlv, &plain, &r));
        assert_false(from_pdu(esm, "", no_tlv, &plain, &r));
        /* together with the bit of a receipt it is one */
        assert_true(from_pdu(esm | 0x04, "thank you", no_tlv, &plain, &r));
        assert_true(from_pdu(esm | 0x20, "thank you", no_tlv, &plain, &r));
    }
}

static void q13_a_text_alone_makes_a_receipt_only_by_option(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct smpp_carrier_options lax = {.receipt_without_esm_class = true};
    assert_false(from_pdu(0, "id:1 stat:DELIVRD", no_tlv, &plain, &r));
    assert_true(from_pdu(0, "id:1 stat:DELIVRD", no_tlv, &lax, &r));
    ASSERT_STR(r.source_addr, "38591");
    ASSERT_STR(r.destination_addr, "1971");
    assert_false(from_pdu(0, "id:1", no_tlv, &lax, &r));
    assert_false(from_pdu(0, "stat:DELIVRD", no_tlv, &lax, &r));
}

static void q14_tlvs_alone_make_a_receipt(void **state)
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

static void qf10_the_reference_of_the_submit_is_told(void **state)
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

static void q31_states_0_and_9_are_taken_and_what_is_beyond_is_unknown(void **state)
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
    struct tlv_arg scheduled = {SMPP_TLV_MESSAGE_STATE, 1, "\x00"};
    assert_true(from_pdu(4, "id:1", scheduled, &plain, &r));
    assert_int_equal(r.state, 0);
    assert_true(r.state_known);
    assert_false(r.final);
    /* what says nothing does not take away what the text says */
    assert_true(from_pdu(4, "id:1 stat:EXPIRED", far, &plain, &r));
    assert_int_equal(r.state, 3);
    assert_true(r.state_known);
}

static void q15_text_and_tlvs_are_combined_field_by_field(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg id = {SMPP_TLV_RECEIPTED_MESSAGE_ID, 5, "ab12"};
    struct tlv_arg expired = {SMPP_TLV_MESSAGE_STATE, 1, "\x03"};
    struct tlv_arg error = {SMPP_TLV_NETWORK_ERROR_CODE, 3, "\x03\x00\x45"};
    assert_true(from_pdu(4, "stat:DELIVRD err:000", id, &plain, &r));
    ASSERT_STR(r.id, "ab12");
    assert_int_equal(r.state, 2);
    ASSERT_STR(r.err, "000");
    assert_true(from_pdu(4, "id:77 err:017", expired, &plain, &r));
    ASSERT_STR(r.id, "77");
    assert_int_equal(r.state, 3);
    assert_string_equal(r.word, "EXPIRED");
    assert_true(from_pdu(4, "id:77 stat:UNDELIV", error, &plain, &r));
    assert_int_equal(r.state, 5);
    ASSERT_STR(r.err, "069");
    assert_null(r.conflict);
}

static void q16_the_tlv_wins_and_the_conflict_is_told(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg id = {SMPP_TLV_RECEIPTED_MESSAGE_ID, 9, "D419C83C"};
    struct tlv_arg same = {SMPP_TLV_RECEIPTED_MESSAGE_ID, 9, "d419c834"};
    struct tlv_arg undelivered = {SMPP_TLV_MESSAGE_STATE, 1, "\x05"};
    assert_true(from_pdu(4, "id:D419C834 stat:DELIVRD", id, &plain, &r));
    ASSERT_STR(r.id, "D419C83C");
    assert_string_equal(r.conflict, "id");
    assert_true(from_pdu(4, "id:D419C834 stat:DELIVRD", same, &plain, &r));
    ASSERT_STR(r.id, "d419c834");
    assert_null(r.conflict);
    assert_true(from_pdu(4, "id:1 stat:DELIVRD", undelivered, &plain, &r));
    assert_int_equal(r.state, 5);
    assert_string_equal(r.word, "UNDELIV");
    assert_string_equal(r.conflict, "state");
    ASSERT_STR(r.stat, "DELIVRD");
    /* another word for the same, and a word that says nothing */
    assert_true(from_pdu(4, "id:1 stat:FAILED", undelivered, &plain, &r));
    assert_string_equal(r.word, "FAILED");
    assert_null(r.conflict);
    assert_true(from_pdu(4, "id:1 stat:whatever", undelivered, &plain, &r));
    assert_int_equal(r.state, 5);
    assert_true(r.state_known);
    assert_null(r.conflict);
}

/* --- what an operator's own tables say --- */

static const struct smpp_stat_rule state_rules[] = {
    {"0", 2}, {"ACCEPTD", 2}, {"FAILED", 3}, {"FAILED:ABSENT", 8}, {"NOT_OK", 5},
};
static const struct smpp_carrier_options own = {.receipt_states = state_rules,
                                                .n_receipt_states = 5};

static void q24_a_stat_means_what_the_operator_says(void **state)
{
    (void)state;
    static const struct {
        const char *stat;
        int state;
        bool known;
    } words[] = {
        {"0", 2, true},
        {"0:ok", 2, true},
        {"069", 7, false}, /* another number */
        {"1", 7, false},
        {"acceptd", 2, true},
        {"Failed", 3, true},
        {"FAILED:", 3, true},
        {"failed:absent", 8, true}, /* the longest one counts */
        {"FAILED:ABSENTEE", 3, true},
        {"FAILEDX", 7, false},
        {"not_ok", 5, true},
        {"NOT", 7, false},
        {"DELIVRD", 2, true}, /* what the table leaves out is as ever */
        {"REJECTD", 8, true},
        {"BUFFRED", 6, true},
        {"DND_REJECTED", 8, true},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[64];
        struct smpp_receipt r;
        snprintf(text, sizeof text, "id:1 stat:%s err:9", words[i].stat);
        assert_true(parse(text, &own, &r));
        if (r.state != words[i].state || r.state_known != words[i].known)
            fail_msg("%s is %d", words[i].stat, r.state);
        assert_int_equal(r.stat.len, strlen(words[i].stat));
        assert_int_equal(r.word != NULL, words[i].known);
        assert_true(r.state_known || !r.final);
    }
}

static void q24_an_unknown_stat_is_kept_as_it_stands(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_true(parse("id:1 stat:Kaputt! err:9", &plain, &r));
    ASSERT_STR(r.stat, "Kaputt!");
    assert_int_equal(r.state, 7);
    assert_false(r.state_known);
    assert_false(r.final);
    assert_true(parse("id:1 stat:0", &plain, &r));
    assert_int_equal(r.state, 7);
    assert_true(parse("id:1 stat: err:1", &plain, &r));
    assert_int_equal(r.state, -1);
}

static void q24_a_message_state_counts_as_its_word(void **state)
{
    (void)state;
    struct smpp_receipt r;
    struct tlv_arg accepted = {SMPP_TLV_MESSAGE_STATE, 1, "\x06"};
    struct tlv_arg delivered = {SMPP_TLV_MESSAGE_STATE, 1, "\x02"};
    assert_true(from_pdu(4, "id:1", accepted, &own, &r));
    assert_int_equal(r.state, 2);
    assert_string_equal(r.word, "ACCEPTD");
    assert_true(from_pdu(4, "id:1 stat:ACCEPTD", accepted, &own, &r));
    assert_int_equal(r.state, 2);
    assert_null(r.conflict);
    assert_true(from_pdu(4, "id:1 stat:0", delivered, &own, &r));
    assert_int_equal(r.state, 2);
    assert_null(r.conflict);
    assert_true(from_pdu(4, "id:1 stat:NOT_OK", delivered, &own, &r));
    assert_int_equal(r.state, 2);
    assert_string_equal(r.conflict, "state");
}

static void q25_which_states_are_final_is_up_to_the_operator(void **state)
{
    (void)state;
    struct smpp_receipt r;
    static const bool by_the_book[] = {0, 0, 1, 1, 1, 1, 0, 0, 1, 1};
    struct smpp_carrier_options last = {.final_states = 1u << 2 | 1u << 6};
    struct smpp_carrier_options mapped = {
        .receipt_states = state_rules, .n_receipt_states = 5, .final_states = 1u << 2};
    for (uint8_t i = 0; i <= 9; i++) {
        struct tlv_arg tlv = {SMPP_TLV_MESSAGE_STATE, 1, &i};
        assert_true(from_pdu(4, "id:1", tlv, &plain, &r));
        assert_int_equal(r.final, by_the_book[i]);
        assert_true(from_pdu(4, "id:1", tlv, &last, &r));
        assert_int_equal(r.final, i == 2 || i == 6);
    }
    assert_true(parse("id:1 stat:ACCEPTD", &plain, &r));
    assert_false(r.final);
    assert_true(parse("id:1 stat:ACCEPTD", &last, &r));
    assert_int_equal(r.state, 6);
    assert_true(r.final);
    assert_true(parse("id:1 stat:EXPIRED", &last, &r));
    assert_false(r.final);
    assert_true(parse("id:1 stat:ACCEPTD", &mapped, &r));
    assert_true(r.final);
    /* what is not known is never the end, whatever the list says of UNKNOWN */
    struct smpp_carrier_options unknown = {.final_states = 1u << 7};
    assert_true(parse("id:1 stat:UNKNOWN", &unknown, &r));
    assert_true(r.final);
    assert_true(parse("id:1 stat:x", &unknown, &r));
    assert_false(r.final);
}

static void q30_an_error_code_means_what_the_operators_table_says(void **state)
{
    (void)state;
    static const struct smpp_error_rule rules[] = {
        {"069", SMPP_ERROR_TEMPORARY, "absent subscriber"},
        {"00B", SMPP_ERROR_PERMANENT, "unknown number"},
        {"007", SMPP_ERROR_PERMANENT, "blocked"},
    };
    const struct smpp_carrier_options o = {.receipt_errors = rules, .n_receipt_errors = 3};
    struct smpp_receipt r;
    struct tlv_arg number = {SMPP_TLV_NETWORK_ERROR_CODE, 3, "\x03\x00\x07"};
    assert_true(parse("id:1 stat:UNDELIV err:069", &o, &r));
    assert_int_equal(r.err_class, SMPP_ERROR_TEMPORARY);
    assert_string_equal(r.err_text, "absent subscriber");
    assert_true(parse("id:1 stat:UNDELIV err:00b", &o, &r));
    assert_int_equal(r.err_class, SMPP_ERROR_PERMANENT);
    assert_string_equal(r.err_text, "unknown number");
    ASSERT_STR(r.err, "00b"); /* as it stands */
    assert_true(from_pdu(4, "id:1 stat:UNDELIV", number, &o, &r));
    assert_string_equal(r.err_text, "blocked");
    assert_true(from_pdu(4, "id:1 stat:UNDELIV err:069", number, &o, &r));
    assert_string_equal(r.err_text, "absent subscriber");
}

static void q23_an_error_code_is_a_string(void **state)
{
    (void)state;
    static const struct smpp_error_rule rules[] = {{"69", SMPP_ERROR_TEMPORARY, "absent"}};
    static const char *const codes[] = {"069",  "000069", "6",   "690", "0x45", "45",
                                        "null", "4A6",    "21b", "-69", "69,",  "absent"};
    const struct smpp_carrier_options o = {.receipt_errors = rules, .n_receipt_errors = 1};
    struct smpp_receipt r;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char text[48];
        snprintf(text, sizeof text, "id:1 stat:UNDELIV err:%s", codes[i]);
        assert_true(parse(text, &o, &r));
        assert_int_equal(r.err.len, strlen(codes[i]));
        assert_int_equal(r.err_class, SMPP_ERROR_UNKNOWN);
        assert_null(r.err_text);
    }
    assert_true(parse("id:1 stat:UNDELIV err: text:69", &o, &r));
    assert_int_equal(r.err.len, 0);
    assert_null(r.err_text);
    assert_true(parse("id:1 stat:UNDELIV err:69", &o, &r));
    assert_string_equal(r.err_text, "absent");
}

static void q20_every_field_may_be_missing(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_true(parse("stat:DELIVRD", &plain, &r));
    assert_int_equal(r.state, 2);
    assert_true(r.final);
    assert_null(r.id.p);
    assert_null(r.sub.p);
    assert_null(r.err.p);
    assert_int_equal(r.done_ms, -1);
    assert_true(parse("id:7", &plain, &r));
    assert_int_equal(r.state, -1);
    assert_false(r.final);
    assert_null(r.word);
    assert_false(parse("sub:001 dlvrd:001 err:000 text:x", &plain, &r));
    assert_false(parse("", &plain, &r));
}

static void q21_fields_come_in_any_order(void **state)
{
    (void)state;
    static const char *const parts[] = {"id:7", "stat:EXPIRED", "err:069", "done date:2607190905"};
    for (int n = 0; n < 256; n++) {
        int at[4] = {n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3};
        char text[96];
        struct smpp_receipt r;
        if ((1 << at[0] | 1 << at[1] | 1 << at[2] | 1 << at[3]) != 15)
            continue;
        snprintf(text, sizeof text, "%s %s %s %s", parts[at[0]], parts[at[1]], parts[at[2]],
                 parts[at[3]]);
        assert_true(parse(text, &plain, &r));
        ASSERT_STR(r.id, "7");
        ASSERT_STR(r.err, "069");
        assert_int_equal(r.state, 3);
        assert_int_equal(r.done_ms, INT64_C(1784451900) * SECOND_MS);
    }
}

static void q26_the_text_is_octets_and_only_its_keys_are_ascii(void **state)
{
    (void)state;
    struct smpp_receipt r;
    static const char text[] = "\xff\x00\xc3 id:\xe9"
                               "9 stat:DELIVRD\nerr:0\r\ntext:\0\x84";
    assert_true(smpp_receipt_parse(text, sizeof text - 1, &plain, &r));
    ASSERT_STR(r.id, "\xe9"
                     "9");
    ASSERT_STR(r.stat, "DELIVRD");
    ASSERT_STR(r.err, "0");
    assert_int_equal(r.text.len, 2);
}

static void q27_nuls_at_the_end_are_no_part_of_a_receipt(void **state)
{
    (void)state;
    struct smpp_receipt r;
    static const char text[] = "id:9 stat:DELIVRD err:000\0\0";
    assert_true(smpp_receipt_parse(text, sizeof text, &plain, &r));
    ASSERT_STR(r.err, "000");
    assert_false(smpp_receipt_parse("\0\0\0", 3, &plain, &r));
}

static void q28_garbage_before_the_first_key_does_not_matter(void **state)
{
    (void)state;
    struct smpp_receipt r;
    assert_true(
        parse("4193\x80!#id:11f8f46639bd4f7a209016e1a181e3ae sub:001 stat:REJECTD", &plain, &r));
    ASSERT_STR(r.id, "11f8f46639bd4f7a209016e1a181e3ae");
    assert_int_equal(r.state, 8);
}

static void q18_the_text_may_be_in_message_payload(void **state)
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

static void q29_network_error_code_is_err_where_the_text_has_none(void **state)
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

static void q17_data_sm_carries_receipts_and_submit_sm_does_not(void **state)
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
        cmocka_unit_test(q22_twelve_digits_follow_the_hint_of_the_operator),
        cmocka_unit_test(q22_twelve_digits_without_a_hint_are_what_is_nearest_to_now),
        cmocka_unit_test(q22_dates_are_moved_by_the_time_zone_of_the_operator),
        cmocka_unit_test(q22_no_date_ever_fails_a_receipt),
        cmocka_unit_test(q22_every_form_of_a_date_is_read),
        cmocka_unit_test(q22_nearest_to_now_is_reckoned_in_the_operators_time),
        cmocka_unit_test(q22_leap_days_and_the_ends_of_years_are_right),
        cmocka_unit_test(q28_a_key_inside_a_word_is_no_key),
        cmocka_unit_test(the_first_value_of_a_key_counts),
        cmocka_unit_test(q19_keys_of_any_spelling_are_found),
        cmocka_unit_test(q12_only_bits_2_to_5_of_esm_class_make_a_receipt),
        cmocka_unit_test(q12_an_acknowledgement_of_the_handset_is_a_receipt_only_with_id_and_stat),
        cmocka_unit_test(q13_a_text_alone_makes_a_receipt_only_by_option),
        cmocka_unit_test(q14_tlvs_alone_make_a_receipt),
        cmocka_unit_test(qf10_the_reference_of_the_submit_is_told),
        cmocka_unit_test(q31_states_0_and_9_are_taken_and_what_is_beyond_is_unknown),
        cmocka_unit_test(q18_the_text_may_be_in_message_payload),
        cmocka_unit_test(q29_network_error_code_is_err_where_the_text_has_none),
        cmocka_unit_test(q17_data_sm_carries_receipts_and_submit_sm_does_not),
        cmocka_unit_test(q15_text_and_tlvs_are_combined_field_by_field),
        cmocka_unit_test(q16_the_tlv_wins_and_the_conflict_is_told),
        cmocka_unit_test(q24_a_stat_means_what_the_operator_says),
        cmocka_unit_test(q24_an_unknown_stat_is_kept_as_it_stands),
        cmocka_unit_test(q24_a_message_state_counts_as_its_word),
        cmocka_unit_test(q25_which_states_are_final_is_up_to_the_operator),
        cmocka_unit_test(q30_an_error_code_means_what_the_operators_table_says),
        cmocka_unit_test(q23_an_error_code_is_a_string),
        cmocka_unit_test(q20_every_field_may_be_missing),
        cmocka_unit_test(q21_fields_come_in_any_order),
        cmocka_unit_test(q26_the_text_is_octets_and_only_its_keys_are_ascii),
        cmocka_unit_test(q27_nuls_at_the_end_are_no_part_of_a_receipt),
        cmocka_unit_test(q28_garbage_before_the_first_key_does_not_matter),
    };
    return cmocka_run_group_tests(tests, set_clock, NULL);
}
