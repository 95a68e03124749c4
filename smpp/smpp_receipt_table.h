/*
 * What the words and error codes of receipts mean: Appendix B and the spellings met in the field,
 * and before them what the options of the carrier say.
 */
#ifndef SMPP_SMPP_RECEIPT_TABLE_H
#define SMPP_SMPP_RECEIPT_TABLE_H

#include "smpp/smpp.h"

struct smpp_stat {
    const char *word; /* of the table; lives as long as the options */
    int state;
};

/* The word at the beginning of stat: "FAILED:Mob. Abst." says FAILED.  False: in no table.  o NULL:
 * as it is by the book. */
bool smpp_stat_find(const struct smpp_carrier_options *o, struct smpp_str stat,
                    struct smpp_stat *out);
/* A message_state 0..9, which counts as its word of Appendix B. */
struct smpp_stat smpp_stat_of_state(const struct smpp_carrier_options *o, int state);
bool smpp_state_is_final(const struct smpp_carrier_options *o, int state);
/* NULL: the operator's table has none. */
const struct smpp_error_rule *smpp_error_find(const struct smpp_carrier_options *o,
                                              struct smpp_str err);

#endif
