/*
 * The witness: one JSON object a line on standard output, for tests that crash the other side.
 *
 *   witness_begin(w, "submit"); witness_str(w, "src", src); ...; witness_end(w);
 *
 * Lines are collected and written by witness_flush(), which the loop calls before any answer of
 * that turn leaves: what a peer has seen answered is in the output.  That write blocks on purpose;
 * a reader that stops reading stops the simulator.  Quiet, only lines begun with
 * witness_begin_always() are written.
 */
#ifndef TESTS_SIM_WITNESS_H
#define TESTS_SIM_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct witness;

struct witness *witness_new(int fd, bool quiet) __attribute__((warn_unused_result));
void witness_begin(struct witness *w, const char *ev);
void witness_begin_always(struct witness *w, const char *ev);
void witness_int(struct witness *w, const char *key, int64_t v);
/* Octets of a peer: those outside ASCII are written as Latin-1 code points. */
void witness_str(struct witness *w, const char *key, const char *s);
/* Valid UTF-8 of at most WITNESS_TEXT_MAX octets. */
#define WITNESS_TEXT_MAX (200 * 1024)
void witness_text(struct witness *w, const char *key, const char *utf8, size_t len);
void witness_end(struct witness *w);
/* False when standard output is gone. */
bool witness_flush(struct witness *w) __attribute__((warn_unused_result));
void witness_free(struct witness *w);

#endif
