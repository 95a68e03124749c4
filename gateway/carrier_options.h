/*
 * From a carrier's section of the configuration to the options that smpp/ takes.  The options point
 * into the section and into the tables, which are made of its lists of pairs; smpp/ copies all.
 */
#ifndef GATEWAY_CARRIER_OPTIONS_H
#define GATEWAY_CARRIER_OPTIONS_H

#include "smpp/smpp.h"

struct config_carrier;

struct carrier_tables {
    struct smpp_status_rule statuses[SMPP_STATUS_RULES_MAX];
    struct smpp_stat_rule receipt_states[SMPP_STAT_RULES_MAX];
    struct smpp_error_rule receipt_errors[SMPP_ERROR_RULES_MAX];
};

void carrier_options_fill(const struct config_carrier *k, struct carrier_tables *t,
                          struct smpp_carrier_options *o);

/* One item of receipt_states, final_states and receipt_errors; false or -1: it is none. */
bool carrier_stat_rule(const char *pair, struct smpp_stat_rule *out);
int carrier_state(const char *name);
bool carrier_error_rule(const char *pair, struct smpp_error_rule *out);

#endif
