#include "tests/sim/inbox.h"

#include "base/buf.h"
#include "base/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 24

struct number;

struct entry {
    struct entry *next, *prev;         /* of its number, oldest first */
    struct entry *all_next, *all_prev; /* of all, oldest first */
    struct number *number;
    uint64_t n;
    int64_t at_ms;
    const char *state;
    size_t octets;
    char from[NUMBER_SIZE];
    char id[40];
    uint16_t ref;
    uint8_t total; /* parts, at least 1 */
    uint8_t have;
    char *part[];
};

struct number {
    char digits[NUMBER_SIZE];
    struct entry *entries;
    size_t count;
    UT_hash_handle hh; /* in order of the last message, oldest first */
};

struct inbox {
    size_t numbers_max;
    size_t messages_max;
    struct number *numbers;
    struct entry *all;
    size_t octets;
    uint64_t version;
};

struct inbox *inbox_new(size_t numbers, size_t messages)
{
    struct inbox *b = calloc(1, sizeof *b);
    if (b) {
        b->numbers_max = numbers;
        b->messages_max = messages;
    }
    return b;
}

static void normalise(const char *to, char out[NUMBER_SIZE])
{
    while (*to == ' ' || *to == '+') /* a + in a query arrives as a space */
        to++;
    if (strncmp(to, "00", 2) == 0)
        to += 2;
    str_copy(out, NUMBER_SIZE, to);
}

static void free_entry(struct inbox *b, struct entry *e)
{
    DL_DELETE(e->number->entries, e);
    DL_DELETE2(b->all, e, all_prev, all_next);
    e->number->count--;
    b->octets -= e->octets;
    for (size_t i = 0; i < e->total; i++)
        free(e->part[i]);
    free(e);
}

static void free_number(struct inbox *b, struct number *number)
{
    while (number->entries)
        free_entry(b, number->entries);
    HASH_DELETE(hh, b->numbers, number);
    free(number);
}

static struct number *find_number(struct inbox *b, const char *to)
{
    char digits[NUMBER_SIZE];
    struct number *number;
    normalise(to, digits);
    HASH_FIND_STR(b->numbers, digits, number);
    return number;
}

/* The number, moved or added to the end of the order; NULL without memory. */
static struct number *touch_number(struct inbox *b, const char *to)
{
    struct number *number = find_number(b, to);
    if (number) {
        HASH_DELETE(hh, b->numbers, number);
    } else {
        if (HASH_COUNT(b->numbers) >= b->numbers_max)
            free_number(b, b->numbers);
        number = calloc(1, sizeof *number);
        if (!number)
            return NULL;
        normalise(to, number->digits);
    }
    HASH_ADD_STR(b->numbers, digits, number);
    if (TABLE_ADDED(number))
        return number;
    while (number->entries)
        free_entry(b, number->entries);
    free(number);
    return NULL;
}

static struct entry *find_parts(struct number *number, const struct inbox_item *item)
{
    for (struct entry *e = number->entries; e; e = e->next) {
        if (e->total == item->part_total && e->ref == item->part_ref && e->have < e->total &&
            !e->part[item->part_no - 1] && strcmp(e->from, item->from) == 0)
            return e;
    }
    return NULL;
}

static struct entry *add_entry(struct inbox *b, struct number *number,
                               const struct inbox_item *item)
{
    size_t total = item->part_total > 1 ? item->part_total : 1;
    struct entry *e = calloc(1, sizeof *e + total * sizeof *e->part);
    if (!e)
        return NULL;
    e->number = number;
    e->total = (uint8_t)total;
    e->ref = item->part_ref;
    e->n = item->n;
    e->at_ms = item->at_ms;
    e->state = "ENROUTE";
    str_copy(e->from, sizeof e->from, item->from);
    str_copy(e->id, sizeof e->id, item->id);
    if (number->count == b->messages_max)
        free_entry(b, number->entries);
    DL_APPEND(number->entries, e);
    DL_APPEND2(b->all, e, all_prev, all_next);
    number->count++;
    return e;
}

static void set_part(struct inbox *b, struct entry *e, size_t i, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy)
        return;
    memcpy(copy, text, len);
    copy[len] = 0;
    size_t before = e->part[i] ? strlen(e->part[i]) : 0;
    e->have = (uint8_t)(e->have + !e->part[i]);
    free(e->part[i]);
    e->part[i] = copy;
    e->octets += len - before;
    b->octets += len - before;
    b->version++;
}

void inbox_add(struct inbox *b, const struct inbox_item *item)
{
    struct number *number = b->numbers_max ? touch_number(b, item->to) : NULL;
    if (!number)
        return;
    bool is_part = item->part_total > 1;
    struct entry *e = is_part ? find_parts(number, item) : NULL;
    if (!e)
        e = add_entry(b, number, item);
    if (!e)
        return;
    set_part(b, e, is_part ? item->part_no - 1u : 0, item->text, item->text_len);
    while (b->octets > INBOX_OCTETS_MAX && b->numbers != number)
        free_number(b, b->numbers);
    while (b->octets > INBOX_OCTETS_MAX && number->count > 1)
        free_entry(b, number->entries);
}

/* The newest first: it is the likeliest. */
static struct entry *find_entry(struct inbox *b, const char *to, uint64_t n)
{
    struct number *number = b->numbers ? find_number(b, to) : NULL;
    if (!number || !number->entries)
        return NULL;
    struct entry *last = number->entries->prev;
    for (struct entry *e = last;; e = e->prev) {
        if (e->n == n)
            return e;
        if (e == number->entries)
            return NULL;
    }
}

void inbox_set_state(struct inbox *b, const char *to, uint64_t n, const char *state)
{
    struct entry *e = find_entry(b, to, n);
    if (!e)
        return;
    e->state = state;
    b->version++;
}

void inbox_replace(struct inbox *b, const char *to, uint64_t n, const char *text, size_t len)
{
    struct entry *e = find_entry(b, to, n);
    if (e && e->total == 1)
        set_part(b, e, 0, text, len);
}

uint64_t inbox_version(const struct inbox *b)
{
    return b->version;
}

/* A part that has not come yet shows as an ellipsis. */
static json_t *entry_text(const struct entry *e)
{
    static const char missing[] = "\xe2\x80\xa6";
    size_t len = 0;
    for (size_t i = 0; i < e->total; i++)
        len += strlen(e->part[i] ? e->part[i] : missing);
    char *text = malloc(len + 1);
    if (!text)
        return NULL;
    char *end = text;
    for (size_t i = 0; i < e->total; i++)
        end = stpcpy(end, e->part[i] ? e->part[i] : missing);
    json_t *j = json_stringn(text, len);
    free(text);
    return j;
}

static json_t *entry_json(const struct entry *e)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:s, s:i, s:i}", "to", e->number->digits, "from",
                     e->from, "text", entry_text(e), "id", e->id, "at", (json_int_t)e->at_ms,
                     "state", e->state, "parts", (int)e->total, "have", (int)e->have);
}

static char *dump(json_t *list)
{
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

char *inbox_json(struct inbox *b, const char *to)
{
    struct number *number = find_number(b, to);
    json_t *list = json_array();
    for (struct entry *e = number ? number->entries : NULL; e; e = e->next)
        json_array_append_new(list, entry_json(e));
    return dump(list);
}

char *inbox_json_all(struct inbox *b, size_t limit)
{
    json_t *list = json_array();
    struct entry *e = b->all ? b->all->all_prev : NULL;
    while (e && limit--) {
        json_array_insert_new(list, 0, entry_json(e));
        e = e == b->all ? NULL : e->all_prev;
    }
    return dump(list);
}

char *inbox_json_numbers(struct inbox *b, size_t limit)
{
    json_t *list = json_array();
    struct number *number = b->numbers ? ELMT_FROM_HH(b->numbers->hh.tbl, b->numbers->hh.tbl->tail)
                                       : NULL;
    while (number && limit--) {
        if (number->entries)
            json_array_append_new(list, json_pack("{s:s, s:i, s:I}", "to", number->digits,
                                                  "messages", (int)number->count, "at",
                                                  (json_int_t)number->entries->prev->at_ms));
        number = number->hh.prev;
    }
    return dump(list);
}

void inbox_free(struct inbox *b)
{
    if (!b)
        return;
    while (b->numbers)
        free_number(b, b->numbers);
    free(b);
}
