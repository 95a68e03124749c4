#include "base/reap.h"

#include <event2/event.h>
#include <stdlib.h>

struct reap {
    struct event *turn;
    struct reap_node *head;
};

static void run(struct reap *r)
{
    while (r->head) {
        struct reap_node *list = r->head;
        r->head = NULL;
        while (list) {
            struct reap_node *next = list->next; /* the node dies with its object */
            list->free_cb(list->object);
            list = next;
        }
    }
}

static void turn_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run(arg);
}

struct reap *reap_new(struct event_base *base)
{
    struct reap *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->turn = event_new(base, -1, 0, turn_cb, r);
    if (!r->turn) {
        free(r);
        return NULL;
    }
    return r;
}

void reap_later(struct reap *r, struct reap_node *node, void (*free_cb)(void *), void *object)
{
    static const struct timeval now = {0, 0};
    node->free_cb = free_cb;
    node->object = object;
    node->next = r->head;
    if (!r->head)
        /* a timer of zero fires in the next turn; event_active() could run in this one */
        event_add(r->turn, &now);
    r->head = node;
}

void reap_free(struct reap *r)
{
    if (!r)
        return;
    run(r);
    event_free(r->turn);
    free(r);
}
