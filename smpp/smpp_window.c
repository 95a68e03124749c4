#include "smpp/smpp_window.h"

#include "base/result.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

int smpp_window_reserve(struct smpp_window *w, uint32_t size)
{
    uint32_t n = 2;
    while (n < size * 2)
        n *= 2;
    if (w->slots && n <= w->mask + 1)
        return 0;
    struct smpp_entry **slots = calloc(n, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    /* None meet: they differ in the bits of the smaller mask already. */
    for (struct smpp_entry *e = w->entries; e; e = e->next)
        slots[e->sequence & (n - 1)] = e;
    free(w->slots);
    w->slots = slots;
    w->mask = n - 1;
    return 0;
}

int smpp_window_init(struct smpp_window *w, uint32_t size)
{
    *w = (struct smpp_window){.size = size, .next_sequence = 1};
    w->late = calloc(SMPP_LATE_MAX, sizeof *w->late);
    if (w->late && smpp_window_reserve(w, size) == 0)
        return 0;
    smpp_window_clear(w);
    return ERR_NOMEM;
}

void smpp_window_reset(struct smpp_window *w)
{
    w->next_sequence = 1;
    w->late_next = 0;
    memset(w->late, 0, SMPP_LATE_MAX * sizeof *w->late);
}

void smpp_window_clear(struct smpp_window *w)
{
    free(w->slots);
    free(w->late);
    *w = (struct smpp_window){0};
}

uint32_t smpp_window_sequence(struct smpp_window *w)
{
    uint32_t sequence;
    /* Ends: there are twice as many slots as entries. */
    do {
        sequence = w->next_sequence;
        w->next_sequence = sequence == SMPP_SEQUENCE_MAX ? 1 : sequence + 1;
    } while (w->slots[sequence & w->mask]);
    return sequence;
}

void smpp_window_put(struct smpp_window *w, struct smpp_entry *e)
{
    w->slots[e->sequence & w->mask] = e;
    DL_APPEND(w->entries, e);
    w->in_flight++;
}

struct smpp_entry *smpp_window_find(const struct smpp_window *w, uint32_t sequence)
{
    struct smpp_entry *e = w->slots[sequence & w->mask];
    return e && e->sequence == sequence ? e : NULL;
}

struct smpp_entry *smpp_window_take(struct smpp_window *w, uint32_t sequence)
{
    struct smpp_entry *e = smpp_window_find(w, sequence);
    if (!e)
        return NULL;
    w->slots[sequence & w->mask] = NULL;
    DL_DELETE(w->entries, e);
    w->in_flight--;
    return e;
}

struct smpp_entry *smpp_window_oldest(const struct smpp_window *w)
{
    return w->entries;
}

struct smpp_entry *smpp_window_newest(const struct smpp_window *w)
{
    return w->entries ? w->entries->prev : NULL;
}

struct smpp_entry *smpp_window_expire(struct smpp_window *w, struct mono now)
{
    struct smpp_entry *e = w->entries;
    if (!e || !mono_is_past(e->expires, now))
        return NULL;
    w->late[w->late_next] = smpp_entry_late(e);
    w->late_next = (w->late_next + 1) % SMPP_LATE_MAX;
    return smpp_window_take(w, e->sequence);
}

bool smpp_window_take_late(struct smpp_window *w, uint32_t sequence, struct smpp_late *out)
{
    if (sequence == 0)
        return false;
    for (uint32_t i = 0; i < SMPP_LATE_MAX; i++)
        if (w->late[i].sequence == sequence) {
            *out = w->late[i];
            w->late[i].sequence = 0;
            return true;
        }
    return false;
}
