/*
 * What the handsets have received: a bounded number of messages for a bounded number of numbers.
 *
 * Full, the number that received nothing for the longest time is forgotten; a number's oldest
 * message makes room for its newest.  Texts take INBOX_OCTETS_MAX in all.  Parts of a long message
 * come together in one entry, in whatever order they arrive.  A number is its digits, without
 * leading + or 00.
 */
#ifndef TESTS_SIM_INBOX_H
#define TESTS_SIM_INBOX_H

#include <stddef.h>
#include <stdint.h>

#define INBOX_OCTETS_MAX (64u * 1024 * 1024)

struct inbox;

struct inbox_item {
    const char *to;
    const char *from; /* ASCII */
    const char *id;
    uint64_t n;
    int64_t at_ms;    /* Unix time */
    const char *text; /* UTF-8 */
    size_t text_len;
    uint16_t part_ref;
    uint8_t part_total; /* 0 or 1: whole */
    uint8_t part_no;
};

/* numbers 0: nothing is kept. */
struct inbox *inbox_new(size_t numbers, size_t messages) __attribute__((warn_unused_result));
void inbox_add(struct inbox *b, const struct inbox_item *item);
/* state stays the caller's and must live on: a literal. */
void inbox_set_state(struct inbox *b, const char *to, uint64_t n, const char *state);
void inbox_replace(struct inbox *b, const char *to, uint64_t n, const char *text, size_t len);
/* Grows with every change. */
uint64_t inbox_version(const struct inbox *b);
void inbox_free(struct inbox *b);

/* JSON text for the caller to free; NULL without memory.  Newest last. */
char *inbox_json(struct inbox *b, const char *to);
/* The newest of all numbers, at most limit. */
char *inbox_json_all(struct inbox *b, size_t limit);
/* [{to,messages,at}], the latest to receive first, at most limit. */
char *inbox_json_numbers(struct inbox *b, size_t limit);

#endif
