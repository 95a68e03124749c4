#include "gateway/answer_json.h"

#include "gateway/json_write.h"

#include <string.h>

/* Nodes stand in the order of the text; a list or map says how many of the next are its own. */
struct walk {
    struct wr *w;
    const struct answer *a;
    uint16_t at;
};

static void put_value(struct walk *k);

static void put_all(struct walk *k, uint16_t n, bool named)
{
    wr_u8(k->w, named ? '{' : '[');
    for (uint16_t i = 0; i < n && k->at < k->a->n_nodes; i++) {
        if (i)
            wr_u8(k->w, ',');
        if (named)
            json_write_key(k->w, k->a->nodes[k->at].key);
        put_value(k);
    }
    wr_u8(k->w, named ? '}' : ']');
}

static void put_value(struct walk *k)
{
    const struct answer_node *n = &k->a->nodes[k->at++];
    switch (n->type) {
    case ANSWER_STR:
        json_write_str(k->w, n->s, strlen(n->s));
        break;
    case ANSWER_INT:
        wr_dec(k->w, n->i);
        break;
    case ANSWER_BOOL:
        wr_str(k->w, n->i ? "true" : "false");
        break;
    case ANSWER_LIST:
        put_all(k, n->children, false);
        break;
    case ANSWER_MAP:
        put_all(k, n->children, true);
        break;
    }
}

void answer_write_json(struct wr *w, const struct answer *a)
{
    struct walk k = {.w = w, .a = a};
    put_all(&k, a->n_fields, !a->is_list);
}
