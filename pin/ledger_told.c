#include "pin/ledger_private.h"

#include "base/result.h"

#include <string.h>

#define TOLD_CAP        512
#define HOLD_DEFAULT_MS 5000

/* The script that notes receipts, without the search for the PIN before it. */

static void told_reply(struct act *a, const struct store_reply *reply)
{
    pin_act_finish_verdict(a, pin_reply_verdict(reply));
}

static bool told_is_valid(const struct pin_told *t)
{
    return pin_id_is_valid(t->pin_id, strlen(t->pin_id)) && t->attempt >= 1 &&
           t->attempt <= PIN_ATTEMPTS_MAX && t->state <= PIN_ATT_SKIPPED &&
           t->segments <= PIN_SEGMENTS_MAX && t->segment <= t->segments &&
           (t->segments == 0 || t->segment > 0);
}

int pin_ledger_told(struct pin_ledger *l, const struct pin_told *t, pin_ledger_cb cb, void *arg)
{
    struct act *a;
    int err;

    if (!told_is_valid(t))
        return ERR_INVALID;
    if ((a = pin_act_new(l, "told", sizeof *a, TOLD_CAP, &err)) == NULL)
        return err;
    pin_act_for(a, cb, arg, NULL);
    a->patience = ACT_STUBBORN;
    a->give_up = mono_add_ms(mono_now(), t->hold_ms != 0 ? t->hold_ms : HOLD_DEFAULT_MS);
    a->reply = told_reply;
    struct map map = {.attempt = t->attempt, .segment = t->segment, .segments = t->segments};
    str_copy(map.pin_id, sizeof map.pin_id, t->pin_id);
    pin_note_command(a, &map,
                     &(struct note){.state = t->state,
                                    .final = t->final,
                                    .done_ms = t->done_ms,
                                    .err = t->err,
                                    .rid = a->rid},
                     NULL);
    return pin_act_start(a);
}
