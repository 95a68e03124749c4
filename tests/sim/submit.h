/*
 * Messages from an ESME: submit_sm and data_sm taken or refused, query_sm, cancel_sm, replace_sm.
 */
#ifndef TESTS_SIM_SUBMIT_H
#define TESTS_SIM_SUBMIT_H

struct conn;
struct pdu;

void submit_handle(struct conn *c, const struct pdu *p);
void submit_query(struct conn *c, const struct pdu *p);
void submit_cancel(struct conn *c, const struct pdu *p);
void submit_replace(struct conn *c, const struct pdu *p);

#endif
