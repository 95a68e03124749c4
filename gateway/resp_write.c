#include "gateway/resp_write.h"

#include <string.h>

static void line(struct wr *w, char type, int64_t n)
{
    wr_u8(w, (uint8_t)type);
    wr_dec(w, n);
    wr_str(w, "\r\n");
}

void resp_status(struct wr *w, const char *s)
{
    wr_u8(w, '+');
    wr_str(w, s);
    wr_str(w, "\r\n");
}

void resp_error(struct wr *w, const char *text)
{
    wr_u8(w, '-');
    for (; *text; text++)
        wr_u8(w, *text == '\r' || *text == '\n' ? ' ' : (uint8_t)*text);
    wr_str(w, "\r\n");
}

void resp_int(struct wr *w, int64_t v)
{
    line(w, ':', v);
}

void resp_bulk(struct wr *w, const char *s, size_t n)
{
    line(w, '$', (int64_t)n);
    wr_bytes(w, s, n);
    wr_str(w, "\r\n");
}

void resp_str(struct wr *w, const char *s)
{
    resp_bulk(w, s, strlen(s));
}

void resp_null(struct wr *w, int proto)
{
    wr_str(w, proto == 3 ? "_\r\n" : "$-1\r\n");
}

void resp_null_array(struct wr *w, int proto)
{
    wr_str(w, proto == 3 ? "_\r\n" : "*-1\r\n");
}

void resp_array(struct wr *w, size_t n)
{
    line(w, '*', (int64_t)n);
}

void resp_map(struct wr *w, size_t pairs, int proto)
{
    if (proto == 3)
        line(w, '%', (int64_t)pairs);
    else
        line(w, '*', (int64_t)(2 * pairs));
}

static void put_bool(struct wr *w, bool v, int proto)
{
    if (proto == 3)
        wr_str(w, v ? "#t\r\n" : "#f\r\n");
    else
        resp_int(w, v);
}

static void put_node(struct wr *w, const struct answer_node *n, int proto)
{
    if (n->key)
        resp_str(w, n->key);
    switch (n->type) {
    case ANSWER_STR:
        resp_str(w, n->s);
        break;
    case ANSWER_INT:
        resp_int(w, n->i);
        break;
    case ANSWER_BOOL:
        put_bool(w, n->i != 0, proto);
        break;
    case ANSWER_LIST:
        resp_array(w, n->children);
        break;
    case ANSWER_MAP:
        resp_map(w, n->children, proto);
        break;
    }
}

static void put_failure(struct wr *w, const struct answer *a)
{
    char text[300];
    struct wr t = wr_init(text, sizeof text);
    wr_str(&t, answer_code_name(a->code));
    wr_u8(&t, ' ');
    wr_str(&t, a->text);
    wr_end(&t);
    resp_error(w, text);
}

void resp_answer(struct wr *w, const struct answer *a, int proto)
{
    if (a->is_full) {
        resp_error(w, "GENERAL_ERROR the answer does not fit");
        return;
    }
    if (a->code != ANSWER_OK) {
        put_failure(w, a);
        return;
    }
    if (a->is_plain_ok) {
        resp_status(w, "OK");
        return;
    }
    if (a->is_list)
        resp_array(w, a->n_fields);
    else
        resp_map(w, a->n_fields, proto);
    for (uint16_t i = 0; i < a->n_nodes; i++)
        put_node(w, &a->nodes[i], proto);
}
