/* Send, resend, verify and status: what came as JSON becomes what flow.h and pins.h take. */
#include "gateway/api_private.h"

#include "gateway/flow.h"
#include "gateway/pins.h"

/* --- fields of the body: false, and the call has ended, when one is wrong ------------------- */

/* NULL where it is absent or null. */
static const json_t *field_of(const struct api_call *c, const char *name)
{
    const json_t *v = json_object_get(c->body, name);
    return json_is_null(v) ? NULL : v;
}

static bool take_string(struct api_call *c, const char *name, const char **out)
{
    const json_t *v = field_of(c, name);
    *out = json_string_value(v);
    if (v && !*out)
        api_fail(c, ANSWER_BAD_REQUEST, name, "%s: a string is expected", name);
    return !v || *out;
}

static bool need_string(struct api_call *c, const char *name, const char **out)
{
    if (!take_string(c, name, out))
        return false;
    if (!*out)
        api_fail(c, ANSWER_BAD_REQUEST, name, "%s is needed", name);
    return *out;
}

static bool take_bool(struct api_call *c, const char *name, bool *out)
{
    const json_t *v = field_of(c, name);
    *out = json_is_true(v);
    if (!v || json_is_boolean(v))
        return true;
    api_fail(c, ANSWER_BAD_REQUEST, name, "%s: true or false is expected", name);
    return false;
}

static bool take_placeholders(struct api_call *c, struct pin_placeholder *ph, size_t *n)
{
    static const char name[] = "placeholders";
    const json_t *v = field_of(c, name);
    const char *key, *trouble = NULL;
    json_t *value;
    *n = 0;
    if (v && !json_is_object(v))
        trouble = "an object of strings is expected";
    else if (json_object_size(v) > PIN_PLACEHOLDERS_MAX)
        trouble = "at most 16 are taken";
    json_object_foreach((json_t *)v, key, value)
    {
        if (trouble)
            break;
        if (!json_is_string(value))
            trouble = "an object of strings is expected";
        else
            ph[(*n)++] = (struct pin_placeholder){key, json_string_value(value)};
    }
    if (trouble)
        api_fail(c, ANSWER_BAD_REQUEST, name, "%s: %s", name, trouble);
    return !trouble;
}

/* --- handlers: what they call may end the call and its body before it returns --------------- */

void api_send(struct api_call *c)
{
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    struct flow_send s = {.account = c->account,
                          .nc_needed = api_query_bool(c, "ncNeeded", true),
                          .placeholders = ph};
    if (!need_string(c, "applicationId", &s.app_id) ||
        !need_string(c, "messageId", &s.template_id) || !need_string(c, "to", &s.to) ||
        !take_string(c, "from", &s.from) || !take_bool(c, "trackDelivery", &s.track_delivery) ||
        !take_placeholders(c, ph, &s.n_placeholders))
        return;
    json_t *body = json_incref(c->body);
    flow_send(c->env->flows, &s, api_answer, c);
    json_decref(body);
}

void api_resend(struct api_call *c)
{
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    struct flow_resend s = {.account = c->account, .pin_id = c->ids[0], .placeholders = ph};
    if (!take_bool(c, "trackDelivery", &s.track_delivery) ||
        !take_placeholders(c, ph, &s.n_placeholders))
        return;
    json_t *body = json_incref(c->body);
    flow_resend(c->env->flows, &s, api_answer, c);
    json_decref(body);
}

void api_verify(struct api_call *c)
{
    const char *pin;
    if (json_is_number(json_object_get(c->body, "pin"))) {
        api_fail(c, ANSWER_BAD_REQUEST, "pin",
                 "pin: a string is expected, because a number loses the zeros in front");
        return;
    }
    if (!need_string(c, "pin", &pin))
        return;
    json_t *body = json_incref(c->body);
    pins_verify(c->env->ledger, c->account, c->ids[0], pin,
                json_string_length(json_object_get(body, "pin")), api_answer, c);
    json_decref(body);
}

void api_status(struct api_call *c)
{
    pins_messages(c->env->ledger, c->account, c->ids[0], api_answer, c);
}

void api_sms_only(struct api_call *c)
{
    api_fail(c, ANSWER_BAD_REQUEST, NULL, "this gateway carries SMS only");
}
