#include "gateway/answer.h"

#include "base/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *answer_code_name(enum answer_code code)
{
    static const char *const names[] = {
#define X(id, http, name) name,
        ANSWER_CODE_LIST(X)
#undef X
    };
    return names[code];
}

int answer_code_status(enum answer_code code)
{
    static const int statuses[] = {
#define X(id, http, name) http,
        ANSWER_CODE_LIST(X)
#undef X
    };
    return statuses[code];
}

void answer_init(struct answer *a)
{
    a->code = ANSWER_OK;
    a->text[0] = 0;
    a->field = NULL;
    a->retry_after_ms = 0;
    a->is_plain_ok = false;
    a->is_list = false;
    a->is_full = false;
    a->n_fields = a->n_nodes = a->pool_used = a->open = 0;
}

void answer_fail(struct answer *a, enum answer_code code, const char *fmt, ...)
{
    va_list ap;
    answer_init(a);
    a->code = code;
    va_start(ap, fmt);
    vsnprintf(a->text, sizeof a->text, fmt, ap);
    va_end(ap);
}

static struct answer_node *add_node(struct answer *a, const char *key, enum answer_type type)
{
    static struct answer_node spare;
    if (a->n_nodes == ANSWER_NODES) {
        a->is_full = true;
        return &spare;
    }
    if (a->open)
        a->open--;
    else
        a->n_fields++;
    struct answer_node *n = &a->nodes[a->n_nodes++];
    *n = (struct answer_node){.key = key, .type = type};
    return n;
}

void answer_str(struct answer *a, const char *key, const char *value)
{
    size_t size = strlen(value) + 1;
    if (size > (size_t)(ANSWER_POOL - a->pool_used)) {
        a->is_full = true;
        value = "";
        size = 0;
    }
    struct answer_node *n = add_node(a, key, ANSWER_STR);
    n->s = size ? memcpy(a->pool + a->pool_used, value, size) : "";
    a->pool_used = (uint16_t)(a->pool_used + size);
}

void answer_int(struct answer *a, const char *key, int64_t value)
{
    add_node(a, key, ANSWER_INT)->i = value;
}

void answer_bool(struct answer *a, const char *key, bool value)
{
    add_node(a, key, ANSWER_BOOL)->i = value;
}

void answer_list(struct answer *a, const char *key, uint16_t n)
{
    add_node(a, key, ANSWER_LIST)->children = n;
    a->open = (uint16_t)(a->open + n);
}

void answer_map(struct answer *a, uint16_t n)
{
    add_node(a, NULL, ANSWER_MAP)->children = n;
    a->open = (uint16_t)(a->open + n);
}

void answer_refuse(answer_cb cb, void *arg, enum answer_code code, const char *text)
{
    struct answer a;
    answer_fail(&a, code, "%s", text);
    if (code == ANSWER_UNAVAILABLE)
        a.retry_after_ms = 1000;
    cb(arg, &a);
}

void answer_refuse_field(answer_cb cb, void *arg, const char *field, const char *text)
{
    struct answer a;
    answer_fail(&a, ANSWER_BAD_REQUEST, "%s", text);
    a.field = field;
    cb(arg, &a);
}

void answer_store_error(struct answer *a, int err)
{
    if (err == ERR_NOMEM)
        answer_fail(a, ANSWER_GENERAL_ERROR, "out of memory");
    else if (err == ERR_INVALID || err == ERR_TOOLONG)
        answer_fail(a, ANSWER_BAD_REQUEST, "%s", err_text(err));
    else if (err == ERR_REFUSED || err == ERR_CORRUPT)
        answer_fail(a, ANSWER_GENERAL_ERROR, "the store answered with an error");
    else
        answer_fail(a, ANSWER_UNAVAILABLE, "the store does not answer, try again");
    a->retry_after_ms = 1000;
}

void answer_retry(struct answer *a, int64_t retry_after_ms)
{
    int64_t s = (retry_after_ms + 999) / 1000;
    answer_fail(a, ANSWER_TOO_MANY_REQUESTS, "retry after %lld s", (long long)(s > 0 ? s : 1));
    a->retry_after_ms = retry_after_ms;
}
