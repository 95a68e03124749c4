/* Every PDU of tests/data/smpp-vectors.jsonl: the verdict, the fields and the TLVs. */
#include "base/buf.h"
#include "smpp/smpp_const.h"
#include "smpp/smpp_decode.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

static void hex_of(const void *p, size_t len, char *out)
{
    hex_encode(p, len, out, false);
}

/* The vectors write octets as Latin-1. */
static bool str_is(struct smpp_str s, const char *utf8)
{
    size_t i = 0;
    for (; *utf8; utf8++, i++) {
        uint8_t c = (uint8_t)*utf8;
        if (c >= 0x80)
            c = (uint8_t)((c << 6) | ((uint8_t) * ++utf8 & 0x3f));
        if (i >= s.len || (uint8_t)s.p[i] != c)
            return false;
    }
    return i == s.len;
}

static int field_by_name(const char *name, size_t len)
{
    for (int f = 0; f < SMPP_F_COUNT; f++) {
        const char *n = smpp_field_name((enum smpp_field)f);
        if (strlen(n) == len && memcmp(n, name, len) == 0)
            return f;
    }
    return -1;
}

static struct smpp_str next_string(struct rd *r)
{
    struct smpp_str s = {(const char *)r->p + r->off, 0};
    while (rd_u8(r))
        s.len++;
    return s;
}

static void check_address(struct rd *r, json_t *want)
{
    bool unsuccess = json_object_get(want, "error_status") != NULL;
    int flag = unsuccess ? 1 : rd_u8(r);
    if (flag == 1) {
        CHECK(rd_u8(r) == json_integer_value(json_object_get(want, "ton")), "ton in a list");
        CHECK(rd_u8(r) == json_integer_value(json_object_get(want, "npi")), "npi in a list");
    }
    const char *name = json_string_value(json_object_get(want, flag == 1 ? "addr" : "dl_name"));
    CHECK(name && str_is(next_string(r), name), "address in a list");
    if (unsuccess)
        CHECK(rd_u32(r) == json_integer_value(json_object_get(want, "error_status")), "status");
}

static void check_list(struct smpp_str view, json_t *want)
{
    struct rd r = rd_init(view.p, view.len);
    size_t i;
    json_t *item;
    json_array_foreach(want, i, item) check_address(&r, item);
    CHECK(!r.bad && rd_left(&r) == 0, "list of another length");
}

static void check_tlvs(const struct smpp_pdu *pdu, json_t *want)
{
    char hex[4096];
    CHECK(json_array_size(want) == pdu->n_tlvs, "%u TLVs", pdu->n_tlvs);
    for (size_t i = 0; i < pdu->n_tlvs; i++) {
        json_t *t = json_array_get(want, i);
        const char *name = json_string_value(json_object_get(t, "name"));
        const char *got = smpp_tlv_name(pdu->tlvs[i].tag);
        CHECK(pdu->tlvs[i].tag == json_integer_value(json_object_get(t, "tag")), "TLV tag");
        CHECK(!name || (got && strcmp(got, name) == 0), "TLV name %s", got ? got : "-");
        hex_of(pdu->tlvs[i].value, pdu->tlvs[i].len, hex);
        const char *octets = json_string_value(json_object_get(t, "hex"));
        CHECK(octets && strcmp(hex, octets) == 0, "TLV value %s", hex);
    }
}

static bool check_header(const struct smpp_pdu *pdu, const char *key, json_t *want)
{
    const struct {
        const char *name;
        uint32_t value;
    } header[] = {{"command_length", pdu->command_length},
                  {"command_id", pdu->command_id},
                  {"command_status", pdu->command_status},
                  {"sequence_number", pdu->sequence_number}};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(key, header[i].name) == 0) {
            CHECK(header[i].value == (uint32_t)json_integer_value(want), "%s", key);
            return true;
        }
    }
    if (strcmp(key, "command") == 0) {
        const char *name = json_string_value(want);
        CHECK(name ? pdu->command && strcmp(name, pdu->command) == 0 : !pdu->command, "command");
        return true;
    }
    return strcmp(key, "tlvs") == 0 || strcmp(key, "body_hex") == 0;
}

/* The bit of the field that the key names. */
static uint64_t check_field(const struct smpp_pdu *pdu, const char *key, json_t *want)
{
    char hex[4096];
    size_t len = strlen(key);
    bool is_hex = len > 4 && strcmp(key + len - 4, "_hex") == 0;
    int f = field_by_name(key, is_hex ? len - 4 : len);
    CHECK(f >= 0 && smpp_pdu_has(pdu, (enum smpp_field)f), "no %s", key);
    if (f < 0 || !smpp_pdu_has(pdu, (enum smpp_field)f))
        return 0;
    struct smpp_str s = smpp_pdu_str(pdu, (enum smpp_field)f);
    if (json_is_array(want)) {
        check_list(s, want);
    } else if (json_is_integer(want)) {
        CHECK(smpp_pdu_int(pdu, (enum smpp_field)f) == json_integer_value(want), "%s", key);
    } else if (is_hex) {
        hex_of(s.p, s.len, hex);
        CHECK(strcmp(hex, json_string_value(want)) == 0, "%s is %s", key, hex);
    } else {
        CHECK(str_is(s, json_string_value(want)), "%s is %.*s", key, (int)s.len, s.p);
    }
    return UINT64_C(1) << f;
}

static void check_pdu(const struct smpp_pdu *pdu, json_t *want)
{
    const char *key;
    json_t *value;
    uint64_t named = 0;
    json_object_foreach(want, key, value) if (!check_header(pdu, key, value))
        named |= check_field(pdu, key, value);
    CHECK(pdu->present == named, "fields that are not there: %llx",
          (unsigned long long)(pdu->present & ~named));
    check_tlvs(pdu, json_object_get(want, "tlvs"));
}

static void check_unframed(enum smpp_frame_result r, size_t need, const char *verdict, json_t *e)
{
    json_t *n = json_object_get(e, "need");
    bool reject = r == SMPP_FRAME_TOO_LONG || r == SMPP_FRAME_CORRUPT;
    CHECK(strcmp(verdict, reject ? "reject" : "incomplete") == 0, "framing says %d", r);
    CHECK(!n || need == (size_t)json_integer_value(n), "needs %zu", need);
    CHECK(json_integer_value(json_object_get(e, "consumed")) == 0, "consumed");
}

static void check_vector(json_t *v)
{
    source = json_string_value(json_object_get(v, "source"));
    const char *hex = json_string_value(json_object_get(v, "hex"));
    json_t *e = json_object_get(v, "expect");
    const char *verdict = json_string_value(json_object_get(e, "verdict"));
    size_t len = strlen(hex) / 2, need = 0;
    uint8_t *octets = malloc(len); /* of the exact size, for the sanitizer */
    assert_int_equal(hex_decode(hex, 2 * len, octets), 0);

    struct smpp_frame frame;
    enum smpp_frame_result r = smpp_frame_next(octets, len, SMPP_PDU_CAP, &frame, &need);
    if (r != SMPP_FRAME_OK) {
        check_unframed(r, need, verdict, e);
    } else {
        struct smpp_pdu pdu;
        static const char *const names[] = {"ok", "unknown_command", "malformed"};
        enum smpp_decode_result d = smpp_decode(&frame, &pdu);
        const char *got = d == SMPP_DECODE_OK && pdu.lenient ? "lenient" : names[d];
        CHECK(strcmp(verdict, got) == 0, "%s: %s", got, pdu.defect ? pdu.defect : "-");
        CHECK(frame.len == (size_t)json_integer_value(json_object_get(e, "consumed")), "consumed");
        check_pdu(&pdu, json_object_get(e, "pdu"));
    }
    free(octets);
}

static void every_vector_of_the_field_is_decoded_as_it_should_be(void **state)
{
    (void)state;
    FILE *f = fopen("tests/data/smpp-vectors.jsonl", "r");
    assert_non_null(f);
    size_t n = 0;
    json_t *v;
    while ((v = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL))) {
        check_vector(v);
        json_decref(v);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 138);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_of_the_field_is_decoded_as_it_should_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
