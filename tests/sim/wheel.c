#include "tests/sim/wheel.h"

#include "base/clock.h"

#include <event2/event.h>
#include <stdlib.h>

#define SLOTS 8192 /* a power of two */
#define WORDS (SLOTS / 64)

struct wheel {
    struct event *timer;
    void *ctx;
    int64_t tick_ms;  /* all nodes due until here have fired */
    int64_t armed_ms; /* 0: the timer is not set */
    struct wheel_node slot[SLOTS];
    uint64_t used[WORDS]; /* a slot with its bit clear is empty; a set bit may be stale */
};

static int64_t now_ms(void)
{
    return mono_now().us / 1000;
}

static void link_before(struct wheel_node *head, struct wheel_node *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static void insert(struct wheel *w, struct wheel_node *node)
{
    size_t i = (size_t)node->due_ms & (SLOTS - 1);
    link_before(&w->slot[i], node);
    w->used[i / 64] |= (uint64_t)1 << (i % 64);
}

/* The nodes of one slot: those that are due fire, those of a later turn go back. */
static void run_slot(struct wheel *w, size_t i)
{
    struct wheel_node *head = &w->slot[i];
    if (head->next == head)
        goto out;
    struct wheel_node list = {.next = head->next, .prev = head->prev};
    list.next->prev = &list;
    list.prev->next = &list;
    head->next = head->prev = head;
    while (list.next != &list) {
        struct wheel_node *node = list.next;
        wheel_remove(node);
        if (node->due_ms > w->tick_ms)
            link_before(head, node);
        else
            node->fire_cb(node, w->ctx);
    }
out:
    if (head->next == head)
        w->used[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct wheel *w = arg;
    int64_t from = w->tick_ms + 1;
    int64_t now = now_ms();
    w->armed_ms = 0;
    if (now - from >= SLOTS)
        from = now - SLOTS + 1;
    w->tick_ms = now;
    for (int64_t t = from; t <= now; t++) {
        size_t i = (size_t)t & (SLOTS - 1);
        if (w->used[i / 64] >> (i % 64) & 1)
            run_slot(w, i);
    }
}

struct wheel *wheel_new(struct event_base *base, void *ctx)
{
    struct wheel *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->timer = event_new(base, -1, 0, tick_cb, w);
    if (!w->timer) {
        free(w);
        return NULL;
    }
    for (size_t i = 0; i < SLOTS; i++)
        w->slot[i].next = w->slot[i].prev = &w->slot[i];
    w->ctx = ctx;
    w->tick_ms = now_ms();
    return w;
}

void wheel_add(struct wheel *w, struct wheel_node *node, int64_t delay_ms)
{
    node->due_ms = now_ms() + delay_ms;
    if (node->due_ms <= w->tick_ms)
        node->due_ms = w->tick_ms + 1;
    insert(w, node);
}

void wheel_remove(struct wheel_node *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

bool wheel_is_added(const struct wheel_node *node)
{
    return node->next != NULL;
}

/* The time of the next used slot, 0 for none. */
static int64_t next_due(const struct wheel *w)
{
    for (int64_t t = w->tick_ms + 1, end = t + SLOTS; t < end;) {
        size_t i = (size_t)t & (SLOTS - 1);
        uint64_t word = w->used[i / 64] >> (i % 64);
        if (word)
            return t + __builtin_ctzll(word);
        t += 64 - (int64_t)(i % 64);
    }
    return 0;
}

void wheel_arm(struct wheel *w)
{
    int64_t due = next_due(w);
    if (!due || due == w->armed_ms)
        return;
    int64_t us = due * 1000 - mono_now().us;
    if (us < 0)
        us = 0;
    struct timeval tv = {us / 1000000, us % 1000000};
    event_add(w->timer, &tv);
    w->armed_ms = due;
}

void wheel_free(struct wheel *w)
{
    if (!w)
        return;
    event_free(w->timer);
    free(w);
}
