/*
 * The page of the handsets: GET only, on loopback.
 *
 *   /                     the page            /messages[?to=MSISDN]  [{to,from,text,id,at,state}]
 *   /events               server-sent events: "changed" at most ten times a second
 *   /numbers              [{to,messages,at}]  /healthz               counters
 *
 * Nothing outside is loaded: the Content-Security-Policy allows this origin alone.  A request
 * whose Host is a name other than localhost is refused, so that no web site can read the inboxes
 * through a browser by pointing its own name here.
 */
#ifndef TESTS_SIM_WEB_H
#define TESTS_SIM_WEB_H

#include <stdint.h>

struct smsc;
struct web;

/* NULL after one line on standard error. */
struct web *web_new(struct smsc *s) __attribute__((warn_unused_result));
uint16_t web_port(const struct web *w);
void web_free(struct web *w);

#endif
