#include "gateway/flow_private.h"

#include "base/buf.h"
#include "base/result.h"
#include "base/secret.h"
#include "smpp/smpp.h"

#include <stdlib.h>
#include <string.h>

static int append(struct flow_values *v, const char *s)
{
    size_t n = strlen(s) + 1;
    if (n > sizeof v->buf - v->len)
        return ERR_TOOLONG;
    memcpy(v->buf + v->len, s, n);
    v->len += n;
    return 0;
}

int flow_values_set(struct flow_values *v, const char *sender, const struct pin_placeholder *ph,
                    size_t n)
{
    v->len = 0;
    int err = append(v, sender);
    for (size_t i = 0; i < n && !err; i++) {
        err = append(v, ph[i].name);
        if (!err)
            err = append(v, ph[i].value);
    }
    return err;
}

int flow_values_get(const struct flow_values *v, const char **sender, struct pin_placeholder *ph,
                    size_t *n)
{
    const char *p = v->buf, *end = v->buf + v->len;
    if (v->len == 0 || end[-1] != 0)
        return ERR_CORRUPT;
    *sender = p;
    p += strlen(p) + 1;
    for (*n = 0; p < end; (*n)++) {
        if (*n == PIN_PLACEHOLDERS_MAX)
            return ERR_CORRUPT;
        ph[*n].name = p;
        p += strlen(p) + 1;
        if (p == end)
            return ERR_CORRUPT;
        ph[*n].value = p;
        p += strlen(p) + 1;
    }
    return 0;
}

static const struct pin_placeholder *find(const struct pin_placeholder *ph, size_t n,
                                          const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ph[i].name, name) == 0)
            return &ph[i];
    return NULL;
}

int flow_values_merge(struct flow_values *v, const struct pin_placeholder *ph, size_t n)
{
    struct flow_values old = *v;
    struct pin_placeholder all[PIN_PLACEHOLDERS_MAX];
    const char *sender;
    size_t m;
    int err = flow_values_get(&old, &sender, all, &m);
    for (size_t i = 0; i < m && !err; i++) {
        const struct pin_placeholder *given = find(ph, n, all[i].name);
        if (given)
            all[i].value = given->value;
    }
    for (size_t i = 0; i < n && !err; i++) {
        if (find(all, m, ph[i].name))
            continue;
        if (m == PIN_PLACEHOLDERS_MAX)
            err = ERR_TOOLONG;
        else
            all[m++] = ph[i];
    }
    if (!err)
        err = flow_values_set(v, sender, all, m);
    secret_wipe(&old, sizeof old);
    return err;
}

static int render(struct flow *f, const char *pin, char *out, size_t size, char *why,
                  size_t why_size)
{
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    const char *sender;
    size_t n;
    int err = flow_values_get(f->values, &sender, ph, &n);
    if (err)
        return err;
    return pin_text_render(f->template_text, pin, ph, n, out, size, why, why_size);
}

bool flow_text_is_good(struct flow *f, int alphabet)
{
    char text[PIN_TEXT_MAX + 1], pin[PIN_SIZE], why[160] = "the text cannot be made";
    memset(pin, '0', f->spec.length);
    pin[f->spec.length] = 0;
    int segments = 0;
    int err = render(f, pin, text, sizeof text, why, sizeof why);
    if (!err)
        segments = smpp_text_segments(text, strlen(text), (enum smpp_alphabet)alphabet);
    secret_wipe(text, sizeof text);
    if (err) {
        flow_refuse(f, ANSWER_BAD_REQUEST, "%s", why);
        f->refusal.field = "placeholders";
    } else if (segments < 0) {
        flow_refuse(f, ANSWER_BAD_REQUEST, "the text is not UTF-8");
    } else if ((uint32_t)segments > f->max_segments) {
        flow_refuse(
            f, ANSWER_BAD_REQUEST,
            "the text takes %d SMS segments, %u is the most: shorten it, or set maxSegments "
            "of its message template (up to %d)",
            segments, f->max_segments, PIN_TEMPLATE_SEGMENTS_MAX);
    }
    return !err && segments > 0 && (uint32_t)segments <= f->max_segments;
}

int flow_text_render(struct flow *f)
{
    char text[PIN_TEXT_MAX + 1], why[160];
    int err = render(f, f->drawn.pin, text, sizeof text, why, sizeof why);
    if (!err) {
        f->text_len = strlen(text);
        f->text = strdup(text);
        if (!f->text)
            err = ERR_NOMEM;
    }
    secret_wipe(text, sizeof text);
    secret_wipe(f->drawn.pin, sizeof f->drawn.pin);
    return err;
}

static void wipe_free(void *p, size_t n)
{
    secret_wipe(p, n);
    free(p);
}

void flow_text_clear(struct flow *f)
{
    if (f->text)
        wipe_free(f->text, f->text_len);
    if (f->values)
        wipe_free(f->values, sizeof *f->values);
    free(f->template_text);
    f->text = NULL;
    f->values = NULL;
    f->template_text = NULL;
    secret_wipe(f->drawn.pin, sizeof f->drawn.pin);
}
