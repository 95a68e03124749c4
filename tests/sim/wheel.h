/*
 * The timer wheel: every delay of the simulator (receipts, late answers, slow writes) in one place.
 *
 * 8192 slots of one millisecond and one libevent timer.  Adding and removing are O(1), nodes of one
 * millisecond fire in the order they were added, and a delay longer than a turn of the wheel stays
 * in its slot for the next turn.  A node lives inside its object; the wheel owns nothing.  fire_cb
 * is called once for each wheel_add, with the node already out of the wheel: it may add it again
 * or free its object.
 */
#ifndef TESTS_SIM_WHEEL_H
#define TESTS_SIM_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct wheel;

struct wheel_node {
    struct wheel_node *next; /* NULL when not in the wheel */
    struct wheel_node *prev;
    int64_t due_ms;
    void (*fire_cb)(struct wheel_node *node, void *ctx);
};

/* ctx is handed to every fire_cb. */
struct wheel *wheel_new(struct event_base *base, void *ctx) __attribute__((warn_unused_result));
/* Fires delay_ms from now (0: in the next millisecond).  The node must not be in the wheel. */
void wheel_add(struct wheel *w, struct wheel_node *node, int64_t delay_ms);
/* Nothing when it is not in the wheel. */
void wheel_remove(struct wheel_node *node);
bool wheel_is_added(const struct wheel_node *node);
/* Sets the timer for the earliest node: to be called once after each turn of the loop. */
void wheel_arm(struct wheel *w);
void wheel_free(struct wheel *w);

#endif
