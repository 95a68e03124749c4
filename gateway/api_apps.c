#include "gateway/api_objects.h"

#include "base/result.h"

#include <string.h>

/* --- what templates use, too ---------------------------------------------------------------- */

bool api_take_object(struct api_call *c, struct object *io, enum object_act act)
{
    struct object_wrong wrong;
    if (object_read(io, c->body, act, c->version, &wrong) == 0)
        return true;
    api_fail(c, ANSWER_BAD_REQUEST, wrong.field, "%s", wrong.text);
    return false;
}

void api_reply_object(struct api_call *c, int status, const struct object *o)
{
    char json[OBJECT_JSON_MAX];
    struct wr w = wr_init(json, sizeof json);
    object_write(o, &w);
    if (w.bad)
        api_fail(c, ANSWER_GENERAL_ERROR, NULL, "the answer is too long");
    else
        api_reply(c, status, json, w.len);
}

/* --- applications --------------------------------------------------------------------------- */

static void reply_app(struct api_call *c, int result, int status, const struct pin_app *app)
{
    if (result)
        api_fail_result(c, result, "application");
    else
        api_reply_object(c, status, &(struct object){.kind = OBJECT_APP, .app = *app});
}

static void made_cb(void *arg, int result, const struct pin_app *app)
{
    reply_app(arg, result, 201, app);
}

static void found_cb(void *arg, int result, const struct pin_app *app)
{
    reply_app(arg, result, 200, app);
}

/* Found as it stands in the store: what the body has is changed, and written back. */
static void found_to_change_cb(void *arg, int result, const struct pin_app *app)
{
    struct api_call *c = arg;
    if (result) {
        api_fail_result(c, result, "application");
        return;
    }
    struct object o = {.kind = OBJECT_APP, .app = *app};
    if (api_take_object(c, &o, OBJECT_UPDATE))
        pin_registry_update_app(c->env->registry, &o.app, found_cb, c);
}

void api_apps_list(struct api_call *c)
{
    api_list(c, OBJECT_APP);
}

void api_apps_create(struct api_call *c)
{
    struct object o;
    object_init(&o, OBJECT_APP);
    str_copy(o.app.account, sizeof o.app.account, c->account);
    if (api_take_object(c, &o, OBJECT_CREATE))
        pin_registry_create_app(c->env->registry, &o.app, made_cb, c);
}

void api_apps_get(struct api_call *c)
{
    pin_registry_find_app(c->env->registry, c->account, c->ids[0], found_cb, c);
}

void api_apps_update(struct api_call *c)
{
    pin_registry_forget(c->env->registry, c->account, c->ids[0], NULL);
    pin_registry_find_app(c->env->registry, c->account, c->ids[0], found_to_change_cb, c);
}
