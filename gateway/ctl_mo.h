/*
 * pinbindctl mo: a message from a handset as a line on a terminal.  What a stranger wrote stands in
 * quotes, and what could move the cursor or turn the direction of writing is escaped.
 */
#ifndef GATEWAY_CTL_MO_H
#define GATEWAY_CTL_MO_H

#include <jansson.h>
#include <stdio.h>

/* message is one of those that the daemon tells (admin_mo.c). */
void ctl_mo_print(const json_t *message, FILE *out);
/* A text in quotes; it is UTF-8. */
void ctl_mo_print_text(const char *text, FILE *out);

#endif
