#include "tests/sim/pdu.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

enum pdu_frame pdu_frame(const uint8_t *p, size_t len, struct pdu *out)
{
    struct rd r = rd_init(p, len);
    out->len = rd_u32(&r);
    if (r.bad)
        return PDU_NEED_MORE;
    if (out->len < PDU_HEADER || out->len > PDU_MAX)
        return PDU_BROKEN;
    if (out->len > len)
        return PDU_NEED_MORE;
    out->id = rd_u32(&r);
    out->status = rd_u32(&r);
    out->seq = rd_u32(&r);
    out->body = p + PDU_HEADER;
    out->body_len = out->len - PDU_HEADER;
    return PDU_WHOLE;
}

const char *pdu_name(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } rows[] = {{CMD_BIND_RECEIVER, "bind_receiver"},
                {CMD_BIND_TRANSMITTER, "bind_transmitter"},
                {CMD_BIND_TRANSCEIVER, "bind_transceiver"},
                {CMD_QUERY_SM, "query_sm"},
                {CMD_SUBMIT_SM, "submit_sm"},
                {CMD_DELIVER_SM, "deliver_sm"},
                {CMD_UNBIND, "unbind"},
                {CMD_REPLACE_SM, "replace_sm"},
                {CMD_CANCEL_SM, "cancel_sm"},
                {CMD_ENQUIRE_LINK, "enquire_link"},
                {CMD_DATA_SM, "data_sm"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].id == (id & ~CMD_RESPONSE))
            return rows[i].name;
    return NULL;
}

/* A C-octet string of at most size - 1 octets and its NUL. */
static void read_cstr(struct rd *r, char *out, size_t size)
{
    size_t left = r->bad ? 0 : rd_left(r);
    const uint8_t *nul = left ? memchr(r->p + r->off, 0, left < size ? left : size) : NULL;
    *out = 0;
    if (!nul) {
        r->bad = true;
        return;
    }
    size_t n = (size_t)(nul - (r->p + r->off)) + 1;
    memcpy(out, rd_take(r, n), n);
}

uint32_t pdu_read_bind(const struct pdu *p, struct pdu_bind *out)
{
    struct rd r = rd_init(p->body, p->body_len);
    read_cstr(&r, out->system_id, sizeof out->system_id);
    if (r.bad)
        return ESME_RINVSYSID;
    read_cstr(&r, out->password, sizeof out->password);
    if (r.bad)
        return ESME_RINVPASWD;
    read_cstr(&r, out->system_type, sizeof out->system_type);
    out->interface_version = rd_u8(&r);
    rd_u8(&r); /* addr_ton, addr_npi and the address range, which the simulator ignores */
    rd_u8(&r);
    return r.bad ? ESME_RINVCMDLEN : ESME_ROK;
}

/* Printable ASCII, or the status. */
static uint32_t read_addr(struct rd *r, struct pdu_addr *a, uint32_t status)
{
    a->ton = rd_u8(r);
    a->npi = rd_u8(r);
    read_cstr(r, a->digits, sizeof a->digits);
    if (r->bad)
        return status;
    for (const char *c = a->digits; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return status;
    return ESME_ROK;
}

static uint32_t check_destination(const struct pdu_addr *a)
{
    const char *d = a->digits + (a->digits[0] == '+');
    size_t n = strlen(d);
    return n && strspn(d, "0123456789") == n ? ESME_ROK : ESME_RINVDSTADR;
}

static int two(const char *s)
{
    return (s[0] - '0') * 10 + s[1] - '0';
}

/* Section 7.1.1: YYMMDDhhmmsstnnp, p being + or - (absolute, nn quarters of an hour) or R. */
static bool read_time(const char *s, int64_t *from_now_ms)
{
    *from_now_ms = -1;
    if (!*s)
        return true;
    if (strlen(s) != 16 || strspn(s, "0123456789") != 15 || !strchr("+-R", s[15]))
        return false;
    struct tm tm = {.tm_year = two(s), .tm_mon = two(s + 2), .tm_mday = two(s + 4)};
    tm.tm_hour = two(s + 6);
    tm.tm_min = two(s + 8);
    tm.tm_sec = two(s + 10);
    if (s[15] == 'R') {
        int64_t days = tm.tm_year * 365 + tm.tm_mon * 30 + tm.tm_mday;
        *from_now_ms = (((days * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60 + tm.tm_sec) * 1000;
        return true;
    }
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 59 || two(s + 13) > 48)
        return false;
    tm.tm_year += 100;
    tm.tm_mon -= 1;
    int64_t east_s = two(s + 13) * 900 * (s[15] == '+' ? 1 : -1);
    int64_t left_ms = ((int64_t)timegm(&tm) - east_s) * 1000 - wall_ms();
    *from_now_ms = left_ms > 0 ? left_ms : 0;
    return true;
}

static void read_tlv(uint16_t tag, const uint8_t *v, size_t len, struct pdu_sm *out)
{
    if (tag == TLV_MESSAGE_PAYLOAD && !out->text_len) {
        out->text = v;
        out->text_len = len;
    } else if (tag == TLV_SAR_MSG_REF_NUM && len == 2) {
        out->part_ref = (uint16_t)(v[0] << 8 | v[1]);
    } else if (tag == TLV_SAR_TOTAL_SEGMENTS && len == 1) {
        out->part_total = v[0];
    } else if (tag == TLV_SAR_SEGMENT_SEQNUM && len == 1) {
        out->part_no = v[0];
    }
}

static uint32_t read_tlvs(struct rd *r, struct pdu_sm *out)
{
    while (rd_left(r) > 0) {
        uint16_t tag = rd_u16(r);
        uint16_t len = rd_u16(r);
        const uint8_t *v = rd_take(r, len);
        if (!v)
            return ESME_RINVOPTPARSTREAM;
        read_tlv(tag, v, len, out);
    }
    return ESME_ROK;
}

/* 3GPP TS 23.040 section 9.2.3.24: takes the header off the text; elements 0 and 8 number parts. */
static uint32_t read_udh(struct pdu_sm *out)
{
    struct rd r = rd_init(out->text, out->text_len);
    size_t len = rd_u8(&r);
    const uint8_t *elements = rd_take(&r, len);
    if (!elements)
        return ESME_RINVMSGLEN;
    out->text += r.off;
    out->text_len -= r.off;
    out->udh_len = r.off;
    struct rd e = rd_init(elements, len);
    while (rd_left(&e) > 0) {
        uint8_t id = rd_u8(&e);
        uint8_t n = rd_u8(&e);
        const uint8_t *v = rd_take(&e, n);
        if (!v)
            return ESME_RINVMSGLEN;
        if (!(id == 0 && n == 3) && !(id == 8 && n == 4))
            continue;
        out->part_ref = (uint16_t)(n == 3 ? v[0] : v[0] << 8 | v[1]);
        out->part_total = v[n - 2];
        out->part_no = v[n - 1];
    }
    return ESME_ROK;
}

static uint32_t finish_text(struct rd *r, struct pdu_sm *out)
{
    uint32_t status = read_tlvs(r, out);
    if (status == ESME_ROK && out->esm_class & 0x40)
        status = read_udh(out);
    if (out->part_no < 1 || out->part_no > out->part_total)
        out->part_total = 0; /* not parts of anything */
    return status;
}

static void init_sm(struct pdu_sm *out)
{
    static const uint8_t nothing[1];
    memset(out, 0, sizeof *out);
    out->validity_ms = -1;
    out->text = nothing;
}

static void read_short_message(struct rd *r, struct pdu_sm *out)
{
    size_t n = rd_u8(r);
    const uint8_t *text = rd_take(r, n);
    if (text) {
        out->text = text;
        out->text_len = n;
    }
}

static uint32_t read_times(struct rd *r, struct pdu_sm *out)
{
    char schedule[18];
    int64_t ignored;
    read_cstr(r, schedule, sizeof schedule);
    if (r->bad || !read_time(schedule, &ignored))
        return ESME_RINVSCHED;
    read_cstr(r, out->validity, sizeof out->validity);
    if (r->bad || !read_time(out->validity, &out->validity_ms))
        return ESME_RINVEXPIRY;
    return ESME_ROK;
}

static uint32_t read_addresses(struct rd *r, struct pdu_sm *out)
{
    read_cstr(r, out->service_type, sizeof out->service_type);
    uint32_t status = read_addr(r, &out->src, ESME_RINVSRCADR);
    if (status == ESME_ROK)
        status = read_addr(r, &out->dst, ESME_RINVDSTADR);
    return status == ESME_ROK ? check_destination(&out->dst) : status;
}

uint32_t pdu_read_submit(const struct pdu *p, struct pdu_sm *out)
{
    struct rd r = rd_init(p->body, p->body_len);
    init_sm(out);
    uint32_t status = read_addresses(&r, out);
    if (status != ESME_ROK)
        return status;
    out->esm_class = rd_u8(&r);
    rd_take(&r, 2); /* protocol_id, priority_flag */
    status = read_times(&r, out);
    if (status != ESME_ROK)
        return status;
    out->registered_delivery = rd_u8(&r);
    rd_u8(&r); /* replace_if_present_flag */
    out->data_coding = rd_u8(&r);
    rd_u8(&r); /* sm_default_msg_id */
    read_short_message(&r, out);
    return r.bad ? ESME_RINVMSGLEN : finish_text(&r, out);
}

uint32_t pdu_read_data(const struct pdu *p, struct pdu_sm *out)
{
    struct rd r = rd_init(p->body, p->body_len);
    init_sm(out);
    uint32_t status = read_addresses(&r, out);
    if (status != ESME_ROK)
        return status;
    out->esm_class = rd_u8(&r);
    out->registered_delivery = rd_u8(&r);
    out->data_coding = rd_u8(&r);
    return r.bad ? ESME_RINVCMDLEN : finish_text(&r, out);
}

uint32_t pdu_read_replace(const struct pdu *p, struct pdu_sm *out)
{
    struct rd r = rd_init(p->body, p->body_len);
    init_sm(out);
    read_cstr(&r, out->message_id, sizeof out->message_id);
    uint32_t status = read_addr(&r, &out->src, ESME_RINVSRCADR);
    if (status == ESME_ROK)
        status = read_times(&r, out);
    if (status != ESME_ROK)
        return status;
    out->registered_delivery = rd_u8(&r);
    rd_u8(&r); /* sm_default_msg_id */
    read_short_message(&r, out);
    return r.bad ? ESME_RINVMSGLEN : ESME_ROK;
}

uint32_t pdu_read_id(const struct pdu *p, char out[66])
{
    struct rd r = rd_init(p->body, p->body_len);
    char service_type[7];
    if (p->id == CMD_CANCEL_SM)
        read_cstr(&r, service_type, sizeof service_type);
    read_cstr(&r, out, 66);
    return r.bad ? ESME_RINVCMDLEN : ESME_ROK;
}

void pdu_put_header(struct wr *w, uint32_t id, uint32_t status, uint32_t seq)
{
    wr_u32(w, PDU_HEADER);
    wr_u32(w, id);
    wr_u32(w, status);
    wr_u32(w, seq);
}

void pdu_put_length(struct wr *w, size_t start)
{
    struct wr length = wr_init(w->p + start, 4);
    wr_u32(&length, (uint32_t)(w->len - start));
}

void pdu_put_cstr(struct wr *w, const char *s)
{
    wr_bytes(w, s, strlen(s) + 1);
}

void pdu_put_addr(struct wr *w, const struct pdu_addr *a)
{
    wr_u8(w, a->ton);
    wr_u8(w, a->npi);
    pdu_put_cstr(w, a->digits);
}

void pdu_put_tlv(struct wr *w, uint16_t tag, const void *value, size_t len)
{
    wr_u16(w, tag);
    wr_u16(w, (uint16_t)len);
    wr_bytes(w, value, len);
}
