/*
 * A message of several parts, and which of them have receipts.  Carriers give each part an id, or
 * all of them the same, or one to the first part only; what has no id has no receipt, and nothing
 * is waited for there.  Where receipts find their message by its reference, each part has one.
 */
#include "gateway/flow_private.h"

#include "base/buf.h"
#include "base/log.h"
#include "smpp/smpp.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SMPP_SEGMENTS_MAX <= PIN_SEGMENTS_MAX, "each part has its place in the ledger");

void flow_parts_clear(struct flow_parts *p)
{
    free(p->ids);
    *p = (struct flow_parts){.n = 1};
}

static void take_id(struct flow_parts *p, uint32_t i, const struct smpp_result *r)
{
    const struct smpp_str *id = &r->part_ids[i];
    if (p->ids)
        str_copy_n(p->ids[i], sizeof p->ids[i], id->p ? id->p : "", id->len);
}

static void take_all(struct flow_parts *p, const struct smpp_result *r)
{
    flow_parts_clear(p);
    if (r->parts <= 1 || r->parts > PIN_SEGMENTS_MAX)
        return;
    p->n = r->parts;
    p->accepted = r->outcome == SMPP_ACCEPTED ? p->n : r->part;
    p->in_doubt = r->outcome == SMPP_UNKNOWN;
    p->ids = calloc(p->n, sizeof *p->ids);
    if (!p->ids)
        LOG(LOG_LV_ERROR, NULL, "parts_without_ids", KV_S("reason", "out of memory"));
    for (uint32_t i = 0; i < p->accepted; i++)
        take_id(p, i, r);
}

void flow_parts_take(struct flow_parts *p, const struct smpp_result *r, bool is_late)
{
    if (!is_late) {
        take_all(p, r);
    } else if (p->n > 1 && r->part == p->accepted && p->in_doubt) {
        p->in_doubt = false;
        if (r->outcome == SMPP_ACCEPTED)
            take_id(p, p->accepted++, r);
    }
}

bool flow_parts_is_torn(const struct flow_parts *p)
{
    return p->accepted > 0 && p->accepted < p->n;
}

static const char *id_of(const struct flow_parts *p, uint32_t i)
{
    return p->ids ? p->ids[i] : "";
}

static bool counts(const struct flow_parts *p, uint32_t i, enum flow_parts_by by)
{
    if (by != PARTS_BY_ID)
        return by == PARTS_BY_PLACE || i == 0;
    for (uint32_t j = 0; j < p->n_counted; j++)
        if (strcmp(id_of(p, p->counted[j]), id_of(p, i)) == 0)
            return false;
    return id_of(p, i)[0] != 0;
}

void flow_parts_count(struct flow_parts *p, enum flow_parts_by by)
{
    /* The place of a part is known without an answer. */
    uint32_t known = p->accepted + (p->in_doubt && by != PARTS_BY_ID);
    p->n_counted = 0;
    for (uint32_t i = 0; i < known; i++)
        if (counts(p, i, by))
            p->counted[p->n_counted++] = i;
    p->awaited = p->n_counted + p->n - p->accepted;
    if (by != PARTS_BY_ID && p->accepted < p->n)
        p->awaited = p->n;
}

uint32_t flow_parts_to_record(const struct flow_parts *p)
{
    return p->n_counted > 0 ? p->n_counted : 1;
}

void flow_parts_name(const struct flow_parts *p, uint32_t i, struct pin_sent *out)
{
    if (p->n == 1)
        return;
    out->message_id = i < p->n_counted ? id_of(p, p->counted[i]) : "";
    out->message_id_len = strlen(out->message_id);
    if (i < p->n_counted && p->awaited > 1) {
        out->segment = i + 1;
        out->segments = p->awaited;
    }
}
