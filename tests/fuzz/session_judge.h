/*
 * What fuzz_session.c was told of each message and each ask, against what its peer saw of them.
 */
#ifndef TESTS_FUZZ_SESSION_JUDGE_H
#define TESTS_FUZZ_SESSION_JUDGE_H

#include "session_peer.h"
#include "smpp/smpp.h"

static struct message {
    bool is_accepted, in_submit;
    uint32_t segments, parts;
    int outcomes;
    enum smpp_outcome outcome;
    enum smpp_ask_outcome asked;
} messages[MSGS_MAX], asks[ASKS_MAX];
static uint32_t n_messages, n_asks;

static inline void judge_asks(void)
{
    for (uint32_t i = 0; i < n_asks; i++) {
        const struct msg_seen *s = &peer.asks[i];
        MUST(s->seen <= asks[i].is_accepted);
        if (!asks[i].is_accepted)
            continue;
        MUST(asks[i].asked != SMPP_ASK_DONE || s->taken || has_guessed());
        MUST(asks[i].asked != SMPP_ASK_NOT_SENT || !s->seen);
    }
}

static inline void judge_messages(void)
{
    for (uint32_t i = 0; i < n_messages; i++) {
        const struct message *m = &messages[i];
        const struct msg_seen *s = &peer.seen[i];
        MUST(s->seen == 0 || m->is_accepted);
        MUST(s->seen <= m->segments + s->refused || has_guessed());
        MUST(!m->is_accepted || m->outcome != SMPP_NOT_SENT || s->seen == 0);
        if (!m->is_accepted || has_guessed())
            continue;
        MUST(m->outcome != SMPP_ACCEPTED || s->taken >= m->parts);
        MUST(m->outcome != SMPP_REFUSED || s->refused);
        MUST(m->outcome != SMPP_THROTTLED_OUT || s->refused);
    }
}

#endif
