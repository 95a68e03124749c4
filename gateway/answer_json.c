#include "gateway/answer_json.h"

static json_t *value_at(const struct answer *a, uint16_t *i);

static json_t *map_at(const struct answer *a, uint16_t *i, uint16_t fields)
{
    json_t *map = json_object();
    for (uint16_t f = 0; f < fields && *i < a->n_nodes; f++) {
        const char *key = a->nodes[*i].key;
        json_object_set_new(map, key, value_at(a, i));
    }
    return map;
}

static json_t *list_at(const struct answer *a, uint16_t *i, uint16_t n)
{
    json_t *list = json_array();
    for (uint16_t k = 0; k < n && *i < a->n_nodes; k++)
        json_array_append_new(list, value_at(a, i));
    return list;
}

static json_t *value_at(const struct answer *a, uint16_t *i)
{
    const struct answer_node *n = &a->nodes[(*i)++];
    switch (n->type) {
    case ANSWER_STR:
        return json_string(n->s);
    case ANSWER_INT:
        return json_integer(n->i);
    case ANSWER_BOOL:
        return json_boolean(n->i != 0);
    case ANSWER_LIST:
        return list_at(a, i, n->children);
    case ANSWER_MAP:
        return map_at(a, i, n->children);
    }
    return json_null();
}

json_t *answer_to_json(const struct answer *a)
{
    uint16_t i = 0;
    if (a->code != ANSWER_OK)
        return json_pack("{s:s, s:s}", "error", a->text, "code", answer_code_name(a->code));
    return map_at(a, &i, a->n_fields);
}
