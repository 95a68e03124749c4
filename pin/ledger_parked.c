/* How receipts and maps are written under a message id, and the watch over parked ones. */
#include "pin/ledger_private.h"

#include "base/log.h"
#include "base/result.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_SLACK_MS 10000 /* a parked receipt outlives its watch by this */
#define WATCH_BUSY_MS  1000

/* --- forms ----------------------------------------------------------------------------------- */

size_t pin_parked_write(const struct parked *p, char *out, size_t size)
{
    struct wr w = wr_init(out, size);

    wr_u8(&w, 'P');
    wr_bytes(&w, p->rid, ACT_RID_SIZE);
    wr_u8(&w, p->final ? '1' : '0');
    wr_u8(&w, (uint8_t)('0' + p->state / 10));
    wr_u8(&w, (uint8_t)('0' + p->state % 10));
    if (p->done_ms < 0)
        wr_str(&w, "-1");
    else
        wr_dec(&w, p->done_ms);
    wr_u8(&w, ' ');
    wr_bytes(&w, p->msisdn.digits, p->msisdn.len);
    wr_u8(&w, ' ');
    wr_str(&w, p->err);
    return w.bad ? 0 : w.len;
}

bool pin_parked_read(struct parked *p, const char *s, size_t len)
{
    const char *end = s + len, *number, *err;

    memset(p, 0, sizeof *p);
    if (len < ACT_RID_SIZE + 4)
        return false;
    memcpy(p->rid, s, ACT_RID_SIZE);
    s += ACT_RID_SIZE;
    p->final = s[0] == '1';
    p->state = (enum pin_attempt_state)((s[1] - '0') * 10 + (s[2] - '0'));
    s += 3;
    if ((number = memchr(s, ' ', (size_t)(end - s))) == NULL ||
        (err = memchr(number + 1, ' ', (size_t)(end - number - 1))) == NULL)
        return false;
    p->done_ms = -1;
    if (*s != '-')
        p->done_ms = strtoll(s, NULL, 10); /* ends at the blank */
    if (err > number + 1 && msisdn_parse(number + 1, (size_t)(err - number - 1), &p->msisdn) < 0)
        return false;
    return p->state <= PIN_ATT_SKIPPED &&
           str_copy_n(p->err, sizeof p->err, err + 1, (size_t)(end - err - 1));
}

size_t pin_map_write(const struct map *m, char kind, char *out, size_t size)
{
    struct wr w = wr_init(out, size);

    wr_u8(&w, (uint8_t)kind);
    wr_str(&w, m->pin_id);
    wr_dec(&w, m->attempt);
    if (m->segment > 0) {
        wr_u8(&w, (uint8_t)('a' + m->segment - 1));
        wr_u8(&w, (uint8_t)('a' + m->segments - 1));
    }
    wr_bytes(&w, m->msisdn.digits, m->msisdn.len);
    return w.bad ? 0 : w.len;
}

/* 1.. of the letter of a segment; 0: it is none. */
static uint32_t segment_of(char c)
{
    return c >= 'a' && c < 'a' + PIN_SEGMENTS_MAX ? (uint32_t)(c - 'a') + 1 : 0;
}

bool pin_map_read(struct map *m, const char *s, size_t len)
{
    const char *newline = memchr(s, '\n', len);
    size_t head = PIN_ID_SIZE + 1; /* kind, pinId, attempt */

    if (newline != NULL)
        len = (size_t)(newline - s);
    if (len <= head || s[head - 1] < '1' || s[head - 1] > '0' + PIN_ATTEMPTS_MAX)
        return false;
    m->attempt = (uint32_t)(s[head - 1] - '0');
    m->segment = segment_of(s[head]);
    m->segments = m->segment > 0 && len > head + 1 ? segment_of(s[head + 1]) : 0;
    if (m->segment > m->segments)
        return false;
    if (m->segment > 0)
        head += 2;
    return str_copy_n(m->pin_id, sizeof m->pin_id, s + 1, PIN_ID_SIZE - 1) &&
           msisdn_parse(s + head, len - head, &m->msisdn) == 0;
}

void pin_map_done(struct pin_ledger *l, const struct key *k, const struct map *m)
{
    char value[MAP_SIZE], life[24];
    size_t len = pin_map_write(m, 'D', value, sizeof value);
    struct wr w = wr_init(life, sizeof life);

    wr_dec(&w, l->o.final_keep_s);
    pin_ledger_fire(l, &pin_ledger_script_done,
                    (const struct store_arg[]){{k->s, k->len}, {value, len}, {life, w.len}}, 3);
}

void pin_unpark(struct pin_ledger *l, const struct key *k, const uint8_t rid[ACT_RID_SIZE])
{
    pin_ledger_fire(l, &pin_ledger_script_unpark,
                    (const struct store_arg[]){{k->s, k->len}, {rid, ACT_RID_SIZE}}, 2);
}

void pin_receipt_unmatched(struct pin_ledger *l, const char *carrier, const char *message_id,
                           const char *reason)
{
    l->info.receipts_unmatched++;
    LOG(LOG_LV_WARN, carrier, "receipt_unmatched", KV_S("carrier", carrier),
        KV_S("message_id", message_id), KV_S("reason", reason));
    if (l->o.unmatched_cb != NULL)
        l->o.unmatched_cb(l->o.arg, carrier, message_id);
}

/* --- the watch ------------------------------------------------------------------------------- */

struct watch {
    struct watch *prev, *next;
    struct mono deadline;
    uint8_t rid[ACT_RID_SIZE];
    struct key key;
    char carrier[PIN_CARRIER_SIZE];
    char message_id[PIN_MESSAGE_ID_SIZE];
};

struct look_act { /* at a watched receipt whose time is over */
    struct act a;
    char carrier[PIN_CARRIER_SIZE];
    char message_id[PIN_MESSAGE_ID_SIZE];
};

static void look_reply(struct act *a, const struct store_reply *reply)
{
    struct look_act *t = (struct look_act *)a;

    if (store_reply_int(reply) == 1)
        pin_receipt_unmatched(a->l, t->carrier, t->message_id, "no response came");
    pin_act_finish_verdict(a, PIN_OK);
}

/* False: no act could be had, try again later. */
static bool watch_look(struct pin_ledger *l, struct watch *w)
{
    struct look_act *t;
    int err;

    if ((t = pin_act_new(l, "look", sizeof *t, PIN_KEY_MAX + 64, &err)) == NULL)
        return false;
    pin_act_for(&t->a, NULL, NULL, look_reply);
    t->a.patience = ACT_STUBBORN;
    t->a.give_up = mono_add_ms(mono_now(), WATCH_SLACK_MS);
    str_copy(t->carrier, sizeof t->carrier, w->carrier);
    str_copy(t->message_id, sizeof t->message_id, w->message_id);
    pin_act_command(&t->a, &pin_ledger_script_unpark);
    pin_act_key(&t->a, &w->key);
    pin_act_put(&t->a, w->rid, ACT_RID_SIZE);
    return pin_act_start(&t->a) == 0;
}

static void watch_drop(struct pin_ledger *l, struct watch *w)
{
    DL_DELETE(l->watched, w);
    l->n_watched--;
    free(w);
}

static void watch_cb(evutil_socket_t fd, short what, void *arg);

static void watch_arm(struct pin_ledger *l, int64_t least_ms)
{
    int64_t ms;

    if (l->watched == NULL)
        return;
    if (l->watch_timer == NULL && (l->watch_timer = evtimer_new(l->o.base, watch_cb, l)) == NULL)
        return; /* tried again with the next one that is parked */
    ms = mono_diff_ms(l->watched->deadline, mono_now());
    if (ms < least_ms)
        ms = least_ms;
    struct timeval tv = {ms / 1000, (ms % 1000) * 1000 + 1000};
    evtimer_add(l->watch_timer, &tv);
}

static void watch_cb(evutil_socket_t fd, short what, void *arg)
{
    struct pin_ledger *l = arg;
    struct mono now = mono_now();

    (void)fd;
    (void)what;
    while (l->watched != NULL && mono_is_past(l->watched->deadline, now)) {
        if (!watch_look(l, l->watched)) {
            watch_arm(l, WATCH_BUSY_MS);
            return;
        }
        watch_drop(l, l->watched);
    }
    watch_arm(l, 0);
}

void pin_watch_add(struct pin_ledger *l, const struct key *k, const struct parked *p,
                   const struct receipt_name *name)
{
    struct watch *w = malloc(sizeof *w);

    /* At the bound the oldest one's end is no longer looked for here; it is said now. */
    if (l->n_watched >= l->o.max_outstanding) {
        pin_receipt_unmatched(l, l->watched->carrier, l->watched->message_id,
                              "too many are parked");
        watch_drop(l, l->watched);
    }
    if (w == NULL)
        return;
    w->deadline = mono_add_ms(mono_now(), (int64_t)l->o.parked_s * 1000);
    w->key = *k;
    memcpy(w->rid, p->rid, ACT_RID_SIZE);
    str_copy(w->carrier, sizeof w->carrier, name->carrier);
    str_copy(w->message_id, sizeof w->message_id, name->message_id);
    DL_APPEND(l->watched, w);
    l->n_watched++;
    if (l->watched == w)
        watch_arm(l, 0);
}

int64_t pin_watch_life_ms(const struct pin_ledger *l)
{
    return (int64_t)l->o.parked_s * 1000 + WATCH_SLACK_MS;
}

void pin_watch_end(struct pin_ledger *l)
{
    while (l->watched != NULL)
        watch_drop(l, l->watched);
    if (l->watch_timer != NULL)
        event_free(l->watch_timer);
    l->watch_timer = NULL;
}
