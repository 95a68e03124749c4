/*
 * Messages from handsets (mobile-originated), of every carrier.  Each is an event: a line in the
 * log and a count, both without its text, and a place among the latest ones, which are kept with
 * their text for people who answer questions (`pinbindctl mo`).  A text stands nowhere else, and
 * ends with the process: at MO_KEPT_MAX messages, or MO_TEXT_MAX octets of texts, the oldest falls
 * out and is wiped.
 *
 * Every message goes through mo_take() once: what else is to learn of it is told there.
 */
#ifndef GATEWAY_MO_H
#define GATEWAY_MO_H

#include "smpp/smpp.h"

#define MO_KEPT_MAX     256
#define MO_TEXT_MAX     (1u << 20) /* octets of texts, in all; more than one message can have */
#define MO_CARRIER_SIZE 33
#define MO_ADDRESS_SIZE 65

/* What the first word asks for, in any case: STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, ARRET;
 * START, UNSTOP; HELP, INFO. */
enum mo_keyword { MO_NONE, MO_STOP, MO_START, MO_HELP };
#define MO_KEYWORDS 4
const char *mo_keyword_name(enum mo_keyword keyword); /* "none", "STOP" */
enum mo_keyword mo_keyword_of(const char *text, size_t len);

struct mo_event {
    struct mo_event *prev, *next;
    int64_t id;    /* grows, over restarts too */
    int64_t at_ms; /* Unix time: it was whole, or given up, then */
    char carrier[MO_CARRIER_SIZE];
    char from[MO_ADDRESS_SIZE], to[MO_ADDRESS_SIZE]; /* printable ASCII */
    enum mo_keyword keyword; /* MO_NONE also where the beginning of the text is missing */
    uint8_t data_coding;
    size_t octets;
    uint32_t parts, missing;
    size_t text_len;
    char *text; /* UTF-8; NULL: binary data */
};

struct mo;
struct mo *mo_new(void) __attribute__((warn_unused_result));
void mo_free(struct mo *m);

/* Its counts are there from now on, 0 until the first message. */
void mo_add_carrier(struct mo *m, const char *carrier);
/* ERR_NOMEM: it is not taken, and nothing was told of it. */
int mo_take(struct mo *m, const char *carrier, const struct smpp_mo *message)
    __attribute__((warn_unused_result));

/* From the newest to the oldest; NULL: no more.  Valid until the next mo_take(). */
const struct mo_event *mo_newest(const struct mo *m);
const struct mo_event *mo_before(const struct mo *m, const struct mo_event *e);

/* Messages by carrier and keyword, for /metrics; a row each, as many as a metric may have series.
 * What comes when there are so many counts as of the carrier "other". */
struct mo_count {
    char carrier[MO_CARRIER_SIZE];
    uint64_t n[MO_KEYWORDS];
};
const struct mo_count *mo_counts(const struct mo *m, size_t *n);

#endif
