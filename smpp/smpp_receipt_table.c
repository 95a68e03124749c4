#include "smpp/smpp_receipt_table.h"

#include <string.h>
#include <strings.h>

/* DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, REJECTED, SKIPPED */
#define FINAL_BY_THE_BOOK (1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 9)

/* Appendix B and the states of SMPP 5.0, by message_state; then the spellings met in the field. */
static const struct smpp_stat stats[] = {
    {"SCHEDULED", 0}, {"ENROUTE", 1}, {"DELIVRD", 2},      {"EXPIRED", 3},  {"DELETED", 4},
    {"UNDELIV", 5},   {"ACCEPTD", 6}, {"UNKNOWN", 7},      {"REJECTD", 8},  {"SKIPPED", 9},
    {"DELIVERED", 2}, {"FAILED", 5},  {"UNDELIVERED", 5},  {"ACCEPTED", 6}, {"UNDELIVERABLE", 5},
    {"REJECTED", 8},  {"ACKED", 6},   {"DND_REJECTED", 8}, {"BUFFRED", 6},  {"BUFFERD", 6},
    {"BUFFERED", 6},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A word ends where letters or digits do, whichever it ends with. */
static bool begins_with(struct smpp_str stat, const char *word)
{
    size_t len = strlen(word);
    if (len == 0 || stat.len < len || strncasecmp(stat.p, word, len) != 0)
        return false;
    if (stat.len == len)
        return true;
    return is_digit(word[len - 1]) ? !is_digit(stat.p[len]) : !is_letter(stat.p[len]);
}

static const struct smpp_stat_rule *find_rule(const struct smpp_carrier_options *o,
                                              struct smpp_str stat)
{
    const struct smpp_stat_rule *best = NULL;
    for (size_t i = 0; o && i < o->n_receipt_states; i++) {
        const struct smpp_stat_rule *rule = &o->receipt_states[i];
        if (begins_with(stat, rule->stat) && (!best || strlen(rule->stat) > strlen(best->stat)))
            best = rule;
    }
    return best;
}

bool smpp_stat_find(const struct smpp_carrier_options *o, struct smpp_str stat,
                    struct smpp_stat *out)
{
    const struct smpp_stat_rule *rule = find_rule(o, stat);
    if (rule) {
        *out = (struct smpp_stat){rule->stat, rule->state};
        return true;
    }
    for (size_t i = 0; i < sizeof stats / sizeof stats[0]; i++) {
        if (begins_with(stat, stats[i].word)) {
            *out = stats[i];
            return true;
        }
    }
    return false;
}

struct smpp_stat smpp_stat_of_state(const struct smpp_carrier_options *o, int state)
{
    struct smpp_stat found = stats[state];
    (void)smpp_stat_find(o, (struct smpp_str){found.word, strlen(found.word)}, &found);
    return found;
}

bool smpp_state_is_final(const struct smpp_carrier_options *o, int state)
{
    uint32_t states = o->final_states ? o->final_states : FINAL_BY_THE_BOOK;
    return states >> state & 1;
}

const struct smpp_error_rule *smpp_error_find(const struct smpp_carrier_options *o,
                                              struct smpp_str err)
{
    for (size_t i = 0; i < o->n_receipt_errors; i++) {
        const struct smpp_error_rule *rule = &o->receipt_errors[i];
        if (strlen(rule->err) == err.len && err.len && strncasecmp(rule->err, err.p, err.len) == 0)
            return rule;
    }
    return NULL;
}

const char *smpp_error_class_name(enum smpp_error_class class)
{
    static const char *const names[] = {
        [SMPP_ERROR_UNKNOWN] = "unknown",
        [SMPP_ERROR_TEMPORARY] = "temporary",
        [SMPP_ERROR_PERMANENT] = "permanent",
    };
    return (size_t) class < sizeof names / sizeof names[0] ? names[class] : "?";
}
