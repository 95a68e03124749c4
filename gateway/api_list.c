/*
 * A list of objects: their ids from the registry (10000 at most), then the objects themselves,
 * some of them asked for at a time, written in the order of the ids as they come.  One that is
 * gone by then is left out; any other trouble ends the list with an error, once what has been
 * asked for is there.
 *
 * What the cache knows comes inside the call that asks: every so often an object is asked of the
 * store all the same, so that a long list lets others have their turn.
 */
#include "gateway/api_objects.h"

#include "base/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW   32  /* objects that are asked for at a time */
#define TURN     128 /* one object in so many is asked of the store whatever the cache knows */
#define TEXT_MAX ((size_t)32 << 20) /* octets of a list */
#define ALL_MAX  ((size_t)64 << 20) /* octets of all lists that are being written */

struct slot {
    struct list *list;
    bool is_done;
    char *json; /* NULL: there is no such object any more */
    size_t len;
};

struct list {
    struct api_call *call;
    enum object_kind kind;
    char (*ids)[PIN_APP_ID_SIZE];
    size_t n, asked, written; /* of ids */
    struct slot slots[WINDOW];
    int err; /* the first one */
    bool is_going;
    FILE *out;     /* into text */
    size_t octets; /* written to it */
    char *text;    /* with len: valid when out is closed */
    size_t len;
};

static void list_free(struct list *l)
{
    if (l->out)
        fclose(l->out);
    free(l->text);
    free(l->ids);
    free(l);
}

static void finish(struct list *l)
{
    struct api_call *c = l->call;
    if (!l->octets)
        fputc('[', l->out);
    fputc(']', l->out);
    if (fclose(l->out) != 0 && !l->err)
        l->err = ERR_NOMEM;
    l->out = NULL;
    c->api->list_octets -= l->octets;
    l->octets = 0;
    if (l->err == ERR_FULL)
        api_fail(c, ANSWER_UNAVAILABLE, NULL, "too many long lists at a time, try again");
    else if (l->err == ERR_TOOLONG)
        api_fail(c, ANSWER_BAD_REQUEST, NULL, "the list is over %zu MiB: ask for each by its id",
                 TEXT_MAX >> 20);
    else if (l->err)
        api_fail_result(c, l->err, "list");
    else
        api_reply(c, 200, l->text, l->len);
    list_free(l);
}

/* --- objects as they come ------------------------------------------------------------------- */

static void go_on(struct list *l);

static void keep(struct slot *s, const struct object *o)
{
    char json[OBJECT_JSON_MAX];
    struct wr w = wr_init(json, sizeof json);
    object_write(o, &w);
    s->json = w.bad ? NULL : malloc(w.len);
    s->len = w.len;
    if (s->json)
        memcpy(s->json, json, w.len);
    else
        s->list->err = ERR_NOMEM;
}

static void done(struct slot *s, int result)
{
    if (result && result != ERR_NOTFOUND && !s->list->err)
        s->list->err = result;
    s->is_done = true;
    go_on(s->list);
}

static void app_cb(void *arg, int result, const struct pin_app *app)
{
    if (!result)
        keep(arg, &(struct object){.kind = OBJECT_APP, .app = *app});
    done(arg, result);
}

static void template_cb(void *arg, int result, const struct pin_template *t)
{
    if (!result)
        keep(arg, &(struct object){.kind = OBJECT_TEMPLATE, .tmpl = *t});
    done(arg, result);
}

/* --- in order ------------------------------------------------------------------------------- */

static void ask(struct list *l)
{
    const struct api_call *c = l->call;
    const char *id = l->ids[l->asked];
    struct slot *s = &l->slots[l->asked % WINDOW];
    bool is_turn = l->asked++ % TURN == TURN - 1;
    *s = (struct slot){.list = l};
    if (l->kind == OBJECT_APP) {
        if (is_turn)
            pin_registry_forget(c->env->registry, c->account, id, NULL);
        pin_registry_find_app(c->env->registry, c->account, id, app_cb, s);
    } else {
        if (is_turn)
            pin_registry_forget(c->env->registry, c->account, c->ids[0], id);
        pin_registry_find_template(c->env->registry, c->account, c->ids[0], id, template_cb, s);
    }
}

static void write_next(struct list *l)
{
    struct slot *s = &l->slots[l->written++ % WINDOW];
    struct api *all = l->call->api;
    if (s->json && l->octets + s->len > TEXT_MAX)
        l->err = ERR_TOOLONG;
    else if (s->json && all->list_octets + s->len > ALL_MAX)
        l->err = ERR_FULL;
    if (s->json && !l->err) {
        fputc(l->octets ? ',' : '[', l->out);
        l->octets += 1 + fwrite(s->json, 1, s->len, l->out);
        all->list_octets += s->len + 1;
    }
    free(s->json);
}

/* A find may answer inside the call: then the loop that asked goes on. */
static void go_on(struct list *l)
{
    if (l->is_going)
        return;
    l->is_going = true;
    while (true) {
        if (l->written < l->asked && l->slots[l->written % WINDOW].is_done)
            write_next(l);
        else if (!l->err && l->asked < l->n && l->asked - l->written < WINDOW)
            ask(l);
        else
            break;
    }
    l->is_going = false;
    if (l->written == l->asked && (l->err || l->asked == l->n))
        finish(l);
}

static void ids_cb(void *arg, int result, const char *const *names, size_t n)
{
    struct list *l = arg;
    if (result) {
        api_fail_result(l->call, result, "application");
        list_free(l);
        return;
    }
    l->ids = calloc(n + 1, sizeof *l->ids);
    l->out = open_memstream(&l->text, &l->len);
    if (!l->ids || !l->out) {
        api_fail_result(l->call, ERR_NOMEM, "list");
        list_free(l);
        return;
    }
    for (size_t i = 0; i < n; i++)
        str_copy(l->ids[i], sizeof l->ids[i], names[i]);
    l->n = n;
    go_on(l);
}

void api_list(struct api_call *c, enum object_kind kind)
{
    struct list *l = calloc(1, sizeof *l);
    if (!l) {
        api_fail_result(c, ERR_NOMEM, "list");
        return;
    }
    l->call = c;
    l->kind = kind;
    if (kind == OBJECT_APP)
        pin_registry_list_apps(c->env->registry, c->account, ids_cb, l);
    else
        pin_registry_list_templates(c->env->registry, c->account, c->ids[0], ids_cb, l);
}
