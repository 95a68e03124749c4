/*
 * The options of a carrier as the library keeps them: a deep copy with defaults filled in and
 * every value inside its range.
 */
#ifndef SMPP_SMPP_OPTIONS_H
#define SMPP_SMPP_OPTIONS_H

#include "smpp/smpp.h"

#include <openssl/types.h>

struct smpp_config {
    struct smpp_carrier_options o; /* its pointers belong to this struct */
    struct secret password, outbind_password;
    SSL_CTX *tls; /* NULL: plain */
};

/* ERR_INVALID (logged, with the option's name) or ERR_NOMEM; *c is then unset. */
int smpp_config_init(struct smpp_config *c, const struct smpp_carrier_options *options)
    __attribute__((warn_unused_result));
void smpp_config_clear(struct smpp_config *c);
/* The carrier's own rules, then smpp_status_class(). */
enum smpp_status_class smpp_config_status_class(const struct smpp_config *c, uint32_t status);
/* The same in what a running carrier cannot change. */
bool smpp_config_is_like(const struct smpp_config *a, const struct smpp_config *b);
/* After the struct has moved: what points into it. */
void smpp_config_moved(struct smpp_config *c);
/* The most that one bind may send a second; 0: no limit. */
uint32_t smpp_config_bind_rate(const struct smpp_config *c);

#endif
