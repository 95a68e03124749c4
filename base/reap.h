/*
 * The reap list: nothing is freed inside its own callback.
 *
 * An object with sockets or timers that ends inside one of its callbacks is handed to reap_later();
 * its free function runs after the current turn of the event loop, when no callback of it can be
 * on the stack.  reap_free() runs what is left, at shutdown.
 */
#ifndef BASE_REAP_H
#define BASE_REAP_H

struct event_base;
struct reap;

struct reap *reap_new(struct event_base *base) __attribute__((warn_unused_result));
/* Never fails: the list node lives inside the object, see struct reap_node. */
struct reap_node {
    struct reap_node *next;
    void (*free_cb)(void *object); /* called exactly once */
    void *object;
};
void reap_later(struct reap *r, struct reap_node *node, void (*free_cb)(void *), void *object);
void reap_free(struct reap *r);

#endif
