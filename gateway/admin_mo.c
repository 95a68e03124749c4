/* pinbindctl mo: the latest messages from handsets, with their texts. */
#include "gateway/admin_private.h"

#include "base/clock.h"
#include "gateway/mo.h"

static json_t *event_json(const struct mo_event *e)
{
    char at[32];
    wall_format(e->at_ms, at, sizeof at);
    json_t *text = e->text ? json_stringn(e->text, e->text_len) : json_null();
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:i, s:i, s:i}", "id",
                     (json_int_t)e->id, "at", at, "carrier", e->carrier, "from", e->from, "to",
                     e->to, "keyword", mo_keyword_name(e->keyword), "text", text, "octets",
                     (json_int_t)e->octets, "data_coding", (int)e->data_coding, "parts",
                     (int)e->parts, "missing", (int)e->missing);
}

/* Newest first; with the option `since` those that came after the message with that id. */
void admin_mo(struct admin_request *r)
{
    json_int_t after = json_integer_value(json_object_get(r->options, "since"));
    json_t *list = json_array();
    const struct mo *m = r->env->mo;
    for (const struct mo_event *e = mo_newest(m); e && e->id > after; e = mo_before(m, e))
        json_array_append_new(list, event_json(e));
    admin_ok(r, list);
}
