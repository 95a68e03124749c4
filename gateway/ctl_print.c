/* What a person sees of the answers to pinbindctl. */
#include "gateway/ctl_print.h"

#include "base/clock.h"
#include "gateway/ctl_mo.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_scalar(const json_t *v)
{
    char *text = json_is_string(v)
                     ? NULL
                     : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(4));
    fputs(json_is_string(v) ? json_string_value(v) : json_is_null(v) ? "-" : text, stdout);
    free(text);
}

/* Of what happened at that time ("sentAt"), in Unix milliseconds. */
static bool is_time(const char *key, const json_t *v)
{
    size_t n = strlen(key);
    return json_is_integer(v) && n > 2 && strcmp(key + n - 2, "At") == 0;
}

static void print_time(const json_t *v)
{
    char text[32];
    wall_format(json_integer_value(v), text, sizeof text);
    fputs(text, stdout);
}

static void print_value(const char *key, json_t *v, int indent);

static void print_fields(json_t *object, int indent)
{
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v) print_value(key, v, indent);
}

static void print_value(const char *key, json_t *v, int indent)
{
    size_t i;
    json_t *element;
    bool is_nested = json_is_object(v) || json_is_array(v);
    printf("%*s%s:%s", indent, "", key, is_nested ? "" : " ");
    if (json_is_object(v)) {
        putchar('\n');
        print_fields(v, indent + 2);
    } else if (json_is_array(v)) {
        putchar('\n');
        json_array_foreach(v, i, element)
        {
            printf("%*s- %zu\n", indent + 2, "", i + 1);
            print_fields(element, indent + 4);
        }
    } else {
        if (is_time(key, v))
            print_time(v);
        else
            print_scalar(v);
        putchar('\n');
    }
}

#define I(name) json_integer_value(json_object_get(b, name))
#define S(name) json_string_value(json_object_get(b, name))

static void print_bind(const json_t *b, int wide)
{
    char window[32], rate[48] = "-", rtt[32] = "-", next[48] = "";
    const json_t *r = json_object_get(b, "rtt_ms"), *n = json_object_get(b, "next_attempt_s");
    snprintf(window, sizeof window, "%lld/%lld", I("in_flight"), I("window"));
    if (I("rate_now"))
        snprintf(rate, sizeof rate, "%lld/%lld", I("rate_now"), I("rate"));
    if (json_is_number(r))
        snprintf(rtt, sizeof rtt, "%.1f", json_number_value(r));
    if (json_is_true(json_object_get(b, "down")))
        snprintf(next, sizeof next, ", down by order");
    else if (json_is_true(json_object_get(b, "awaits_outbind")))
        snprintf(next, sizeof next, ", awaits outbind");
    else if (json_is_number(n))
        snprintf(next, sizeof next, ", next attempt in %.0f s", json_number_value(n));
    printf("%-*s %4s %-11s %-10s %.19sZ %7s %7s %8lld %9lld %8lld %6lld %7s  %s%s\n", wide,
           S("carrier"), S("name"), S("mode"), S("state"), S("since"), window, rate, I("submits"),
           I("responses"), I("receipts"), I("errors"), rtt, S("reason"), next);
}

static void print_binds(json_t *list)
{
    size_t i;
    json_t *b;
    int wide = (int)strlen("CARRIER");
    json_array_foreach(list, i, b)
    {
        int n = (int)strlen(S("carrier"));
        wide = n > wide ? n : wide;
    }
    printf("%-*s %4s %-11s %-10s %-20s %7s %7s %8s %9s %8s %6s %7s  %s\n", wide, "CARRIER", "BIND",
           "MODE", "STATE", "SINCE", "WINDOW", "RATE", "SUBMITS", "RESPONSES", "RECEIPTS", "ERRORS",
           "RTT_MS", "REASON");
    json_array_foreach(list, i, b) print_bind(b, wide);
}

#undef I
#undef S

/* The last line is the thing alone, for scripts: the key, the id. */
static void print_made(json_t *result)
{
    static const char *const last[] = {"key", "applicationId", "messageId"};
    const char *key;
    json_t *v, *made = NULL;
    json_object_foreach(result, key, v)
    {
        bool is_last = false;
        for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
            is_last = is_last || strcmp(key, last[i]) == 0;
        if (is_last)
            made = v;
        else
            print_value(key, v, 0);
    }
    if (made)
        printf("%s\n", json_string_value(made));
}

static void print_list(json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        print_scalar(v);
        putchar('\n');
    }
}

/* "added: a, b" for each list that is not empty. */
static void print_reload(json_t *result)
{
    const char *what;
    size_t i, lists = 0;
    json_t *names, *name;
    json_object_foreach(result, what, names)
    {
        if (json_array_size(names) == 0)
            continue;
        lists++;
        printf("%s: ", what);
        json_array_foreach(names, i, name) printf("%s%s", i ? ", " : "", json_string_value(name));
        putchar('\n');
    }
    if (!lists)
        puts("done");
}

static void print_messages(json_t *list)
{
    size_t i;
    json_t *message;
    if (json_array_size(list) == 0)
        puts("none has come since the start");
    json_array_foreach(list, i, message) ctl_mo_print(message, stdout);
}

static void print_acts(json_t *list)
{
    size_t i;
    json_t *b;
    json_array_foreach(list, i, b)
        printf("%s/%s: %s\n", json_string_value(json_object_get(b, "carrier")),
               json_string_value(json_object_get(b, "name")),
               json_string_value(json_object_get(b, "did")));
}

void ctl_print(const char *command, json_t *result)
{
    if (strcmp(command, "binds") == 0)
        print_binds(result);
    else if (strcmp(command, "bind") == 0)
        print_acts(result);
    else if (strcmp(command, "reload") == 0)
        print_reload(result);
    else if (strcmp(command, "mo") == 0)
        print_messages(result);
    else if (strcmp(command, "config") == 0)
        fputs(json_string_value(result), stdout);
    else if (strstr(command, " create"))
        print_made(result);
    else if (json_is_array(result))
        print_list(result);
    else
        print_fields(result, 0);
}
