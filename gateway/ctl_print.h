/* The answers of the admin socket as a person reads them: tables, lines, lists. */
#ifndef GATEWAY_CTL_PRINT_H
#define GATEWAY_CTL_PRINT_H

#include <jansson.h>

/* The result of that command, to standard output. */
void ctl_print(const char *command, json_t *result);

#endif
