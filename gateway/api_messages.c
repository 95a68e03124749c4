#include "gateway/api_objects.h"

#include "base/result.h"

#include <string.h>

static void reply_template(struct api_call *c, int result, const char *what,
                           const struct pin_template *t)
{
    if (result)
        api_fail_result(c, result, what);
    else
        api_reply_object(c, 200, &(struct object){.kind = OBJECT_TEMPLATE, .tmpl = *t});
}

static void made_cb(void *arg, int result, const struct pin_template *t)
{
    reply_template(arg, result, "application", t);
}

static void found_cb(void *arg, int result, const struct pin_template *t)
{
    reply_template(arg, result, "message template", t);
}

/* Found as it stands in the store: what the body has is changed, and written back. */
static void found_to_change_cb(void *arg, int result, const struct pin_template *t)
{
    struct api_call *c = arg;
    if (result) {
        api_fail_result(c, result, "message template");
        return;
    }
    struct object o = {.kind = OBJECT_TEMPLATE, .tmpl = *t};
    if (api_take_object(c, &o, OBJECT_UPDATE))
        pin_registry_update_template(c->env->registry, c->account, &o.tmpl, found_cb, c);
}

void api_messages_list(struct api_call *c)
{
    api_list(c, OBJECT_TEMPLATE);
}

void api_messages_create(struct api_call *c)
{
    struct object o;
    object_init(&o, OBJECT_TEMPLATE);
    str_copy(o.tmpl.app_id, sizeof o.tmpl.app_id, c->ids[0]);
    if (api_take_object(c, &o, OBJECT_CREATE))
        pin_registry_create_template(c->env->registry, c->account, &o.tmpl, made_cb, c);
}

void api_messages_get(struct api_call *c)
{
    pin_registry_find_template(c->env->registry, c->account, c->ids[0], c->ids[1], found_cb, c);
}

void api_messages_update(struct api_call *c)
{
    const struct api_env *env = c->env;
    pin_registry_forget(env->registry, c->account, c->ids[0], c->ids[1]);
    pin_registry_find_template(env->registry, c->account, c->ids[0], c->ids[1], found_to_change_cb,
                               c);
}
