#include "tests/sim/fault.h"

#include <string.h>

static const struct {
    const char *name;
    enum fault_class class;
    uint32_t status;
    const char *help;
} rows[FAULT_COUNT] = {
#define FAULT(symbol, name, class, status, help)                                                   \
    [FAULT_##symbol] = {name, FAULT_CLASS_##class, status, help},
#include "tests/sim/fault.def"
#undef FAULT
};

uint64_t dice_u64(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double dice_unit(struct dice *d)
{
    return (double)(dice_u64(d) >> 11) * 0x1p-53;
}

/* Von Neumann: a falling run of odd length ends it, one of even length adds 1. */
double dice_exponential(struct dice *d)
{
    for (double whole = 0;; whole++) {
        double first = dice_unit(d);
        double last = first;
        unsigned length = 1;
        for (double next; (next = dice_unit(d)) < last; last = next)
            length++;
        if (length % 2)
            return whole + first;
    }
}

bool dice_hits(struct dice *d, uint32_t ppm)
{
    return ppm && dice_u64(d) % 1000000 < ppm;
}

const char *fault_name(enum fault f)
{
    return rows[f].name;
}

const char *fault_help(enum fault f)
{
    return rows[f].help;
}

uint32_t fault_status(enum fault f)
{
    return rows[f].status;
}

enum fault fault_find(const char *name, size_t len)
{
    size_t f = 0;
    while (f < FAULT_COUNT && (strlen(rows[f].name) != len || memcmp(rows[f].name, name, len) != 0))
        f++;
    return (enum fault)f;
}

static bool is_exclusive(size_t f)
{
    return rows[f].class == FAULT_CLASS_REFUSE || rows[f].class == FAULT_CLASS_ANSWER;
}

uint64_t fault_answer_ppm(const uint32_t *ppm)
{
    uint64_t sum = 0;
    for (size_t f = 0; f < FAULT_COUNT; f++)
        if (is_exclusive(f))
            sum += ppm[f];
    return sum;
}

uint32_t fault_draw(struct dice *d, const uint32_t *ppm)
{
    uint32_t set = 0;
    uint64_t left = dice_u64(d) % 1000000;
    bool drawn = false;
    for (size_t f = 0; f < FAULT_COUNT; f++) {
        if (!ppm[f] || rows[f].class == FAULT_CLASS_LINK)
            continue;
        if (!is_exclusive(f)) {
            set |= (uint32_t)dice_hits(d, ppm[f]) << f;
        } else if (!drawn && left < ppm[f]) {
            set |= (uint32_t)1 << f;
            drawn = true;
        } else if (!drawn) {
            left -= ppm[f];
        }
    }
    return set;
}

uint32_t fault_in_text(const char *text, size_t len)
{
    static const char mark[] = "fault:";
    const char *end = text + len;
    uint32_t set = 0;
    for (const char *p = text; (p = memmem(p, (size_t)(end - p), mark, sizeof mark - 1));) {
        p += sizeof mark - 1;
        size_t n = 0;
        while (p + n < end && ((p[n] >= 'a' && p[n] <= 'z') || p[n] == '-'))
            n++;
        enum fault f = fault_find(p, n);
        if (f != FAULT_COUNT)
            set |= (uint32_t)1 << f;
    }
    return set;
}

enum fault fault_of_class(uint32_t set, enum fault_class class)
{
    size_t f = 0;
    while (f < FAULT_COUNT && !(rows[f].class == class && fault_in(set, (enum fault)f)))
        f++;
    return (enum fault)f;
}
