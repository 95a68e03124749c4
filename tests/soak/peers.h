/* The peers of the soak: three pinbind-smsc, and node-smpp as the last. */
#ifndef TESTS_SOAK_PEERS_H
#define TESTS_SOAK_PEERS_H

#include "tests/soak/soak.h"

void peers_start(struct soak_book *book, const char *sim);
/* 0: it does not listen. */
uint16_t peers_port(const struct soak_book *book, size_t i);
/* SIGSTOP, SIGCONT. */
void peers_signal(size_t i, int signal_number);
/* Ends them, and their auditor once it has read all. */
void peers_end(void);

#endif
