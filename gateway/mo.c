#include "gateway/mo.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/msisdn.h"
#include "base/result.h"
#include "base/table.h"
#include "gateway/metrics_page.h"

#include <stdlib.h>
#include <string.h>

#define COUNTS_MAX (METRICS_SERIES_MAX / MO_KEYWORDS)
#define WORD_SIZE  16 /* longer than every keyword */
#define SHORT_CODE 6  /* digits at most: no number of a person */

struct mo {
    struct mo_event *events; /* oldest first */
    size_t n;
    size_t texts; /* octets */
    int64_t last_id;
    struct mo_count counts[COUNTS_MAX]; /* the last one is of the carrier "other" */
    size_t n_counts;
};

/* --- keywords --- */

const char *mo_keyword_name(enum mo_keyword keyword)
{
    static const char *const names[MO_KEYWORDS] = {
        [MO_NONE] = "none", [MO_STOP] = "STOP", [MO_START] = "START", [MO_HELP] = "HELP"};
    return names[keyword];
}

static const struct {
    const char *word;
    enum mo_keyword keyword;
} words[] = {
    {"stop", MO_STOP},    {"stopall", MO_STOP}, {"unsubscribe", MO_STOP}, {"cancel", MO_STOP},
    {"end", MO_STOP},     {"quit", MO_STOP},    {"arret", MO_STOP},       {"start", MO_START},
    {"unstop", MO_START}, {"help", MO_HELP},    {"info", MO_HELP},
};

/* Sequences of UTF-8 that are no letters: they stand between words. */
static const char *const signs[] = {
    "\xc2",     /* U+0080 to U+00BF: blanks and quotes */
    "\xe2\x80", /* U+2000 to U+203F: blanks, dashes, quotes */
    "\xef\xbf", /* U+FFC0 and on: what could not be read */
    "\xef\xbb", /* a byte order mark */
};

static bool begins(const char *p, const char *end, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(end - p) >= n && memcmp(p, with, n) == 0;
}

static size_t utf8_size(const char *p, const char *end)
{
    size_t n = 1;
    while (p + n < end && (p[n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* The character at *p in lower case and without an accent, '?' for other letters, ' ' for what
 * stands between words. */
static char next_letter(const char **p, const char *end)
{
    const char *at = *p;
    char lower = (char)(*at | 0x20);
    *p += utf8_size(at, end);
    if (!(*at & 0x80)) {
        bool is_digit = *at >= '0' && *at <= '9';
        return (lower >= 'a' && lower <= 'z') || is_digit ? lower : ' ';
    }
    if (begins(at, end, "\xc3\x8a") || begins(at, end, "\xc3\xaa")) /* E with a circumflex */
        return 'e';
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (begins(at, end, signs[i]))
            return ' ';
    return '?';
}

enum mo_keyword mo_keyword_of(const char *text, size_t len)
{
    char word[WORD_SIZE];
    size_t n = 0;
    const char *p = text, *end = text + len;
    while (p < end) {
        char c = next_letter(&p, end);
        if (c == ' ' && n)
            break;
        if (c == ' ')
            continue;
        if (n == WORD_SIZE - 1)
            return MO_NONE;
        word[n++] = c;
    }
    word[n] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].keyword;
    return MO_NONE;
}

/* --- one message --- */

static void put_address(char *out, struct smpp_str s)
{
    str_copy_n(out, MO_ADDRESS_SIZE, s.p ? s.p : "", s.len);
    for (; *out; out++)
        if (*out < ' ' || *out > '~')
            *out = '?';
}

static int put_text(struct mo_event *e, const struct smpp_mo *message)
{
    if (!message->text.p)
        return 0;
    e->text = malloc(message->text.len + 1);
    if (!e->text)
        return ERR_NOMEM;
    memcpy(e->text, message->text.p, message->text.len);
    e->text[message->text.len] = '\0';
    e->text_len = message->text.len;
    if (message->has_start)
        e->keyword = mo_keyword_of(e->text, e->text_len);
    return 0;
}

static void event_free(struct mo_event *e)
{
    if (e->text)
        secret_wipe(e->text, e->text_len);
    free(e->text);
    secret_wipe(e, sizeof *e);
    free(e);
}

static struct mo_event *event_new(const char *carrier, const struct smpp_mo *message)
{
    struct mo_event *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->at_ms = wall_ms();
    str_copy(e->carrier, sizeof e->carrier, carrier);
    put_address(e->from, message->source_addr);
    put_address(e->to, message->destination_addr);
    e->data_coding = message->data_coding;
    e->octets = message->octets;
    e->parts = message->parts;
    e->missing = message->missing;
    if (put_text(e, message)) {
        event_free(e);
        return NULL;
    }
    return e;
}

/* --- what becomes of it --- */

/* Masked, and left out where it cannot be. */
static struct log_kv number_kv(const char *key, const char *address, struct msisdn *room)
{
    size_t len = strlen(address);
    if (msisdn_parse(address, len, room) == 0)
        return KV_MSISDN(key, room);
    return KV_S(key, len <= SHORT_CODE && strspn(address, "0123456789") == len ? address : NULL);
}

static void tell(const struct mo_event *e)
{
    struct msisdn from, to;
    LOG(LOG_LV_INFO, e->carrier, "mo", number_kv("from", e->from, &from),
        number_kv("to", e->to, &to), KV_S("keyword", mo_keyword_name(e->keyword)),
        KV_I("octets", e->octets), KV_I("data_coding", e->data_coding), KV_I("parts", e->parts),
        KV_I("missing", e->missing));
}

static struct mo_count *count_of(struct mo *m, const char *carrier)
{
    size_t i = 0;
    while (i < m->n_counts && strcmp(m->counts[i].carrier, carrier) != 0)
        i++;
    if (i >= COUNTS_MAX - 1)
        i = COUNTS_MAX - 1;
    if (i == m->n_counts) {
        str_copy(m->counts[i].carrier, MO_CARRIER_SIZE, i < COUNTS_MAX - 1 ? carrier : "other");
        m->n_counts++;
    }
    return &m->counts[i];
}

void mo_add_carrier(struct mo *m, const char *carrier)
{
    count_of(m, carrier);
}

static void keep(struct mo *m, struct mo_event *e)
{
    DL_APPEND(m->events, e);
    m->n++;
    m->texts += e->text_len;
    while (m->n > MO_KEPT_MAX || (m->texts > MO_TEXT_MAX && m->n > 1)) {
        struct mo_event *oldest = m->events;
        DL_DELETE(m->events, oldest);
        m->n--;
        m->texts -= oldest->text_len;
        event_free(oldest);
    }
}

int mo_take(struct mo *m, const char *carrier, const struct smpp_mo *message)
{
    struct mo_event *e = event_new(carrier, message);
    if (!e)
        return ERR_NOMEM;
    e->id = ++m->last_id;
    tell(e);
    count_of(m, e->carrier)->n[e->keyword]++;
    keep(m, e);
    return 0;
}

/* --- life and looks --- */

struct mo *mo_new(void)
{
    struct mo *m = calloc(1, sizeof *m);
    if (m)
        m->last_id = wall_ms(); /* fewer than one message a millisecond came before the restart */
    return m;
}

void mo_free(struct mo *m)
{
    if (!m)
        return;
    while (m->events) {
        struct mo_event *e = m->events;
        DL_DELETE(m->events, e);
        event_free(e);
    }
    free(m);
}

const struct mo_event *mo_newest(const struct mo *m)
{
    return m->events ? m->events->prev : NULL;
}

const struct mo_event *mo_before(const struct mo *m, const struct mo_event *e)
{
    return e == m->events ? NULL : e->prev;
}

const struct mo_count *mo_counts(const struct mo *m, size_t *n)
{
    *n = m->n_counts;
    return m->counts;
}
