/*
 * The faults: drawn by percentage, or asked for by the text of a message.
 *
 * A set is a bit mask of 1 << enum fault.  fault.def holds every fault with its class and meaning.
 */
#ifndef TESTS_SIM_FAULT_H
#define TESTS_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault {
#define FAULT(symbol, name, class, status, help) FAULT_##symbol,
#include "tests/sim/fault.def"
#undef FAULT
    FAULT_COUNT
};

enum fault_class { FAULT_CLASS_REFUSE, FAULT_CLASS_ANSWER, FAULT_CLASS_RECEIPT, FAULT_CLASS_LINK };

/* Random numbers that a seed repeats (splitmix64). */
struct dice {
    uint64_t state;
};
uint64_t dice_u64(struct dice *d);
/* 0 to 1, and with mean 1. */
double dice_unit(struct dice *d);
double dice_exponential(struct dice *d);
/* True ppm times in a million. */
bool dice_hits(struct dice *d, uint32_t ppm);

static inline bool fault_in(uint32_t set, enum fault f)
{
    return set >> f & 1;
}
const char *fault_name(enum fault f);
const char *fault_help(enum fault f);
/* The SMPP status of a refusing fault. */
uint32_t fault_status(enum fault f);
/* FAULT_COUNT when there is none of that name. */
enum fault fault_find(const char *name, size_t len);

/* What happens to one message: ppm has FAULT_COUNT chances. */
uint32_t fault_draw(struct dice *d, const uint32_t *ppm);
/* The faults named in the text as fault:NAME. */
uint32_t fault_in_text(const char *text, size_t len);
/* The first refusing, or answering, fault of a set; FAULT_COUNT for none. */
enum fault fault_of_class(uint32_t set, enum fault_class class);
/* The chances of refusing and answering faults together, in millionths. */
uint64_t fault_answer_ppm(const uint32_t *ppm);

#endif
