/* The SMSC of the bench of whole PINs: it binds, takes each submit_sm and sends its receipt. */
#include "tests/bench/flow.h"
#include "tests/bench/pdu.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_receipt(struct bench *b, long n)
{
    char text[160], at[16];
    uint8_t body[256];
    struct wr w = wr_init(body, sizeof body);
    time_t now = time(NULL);
    struct tm tm;
    strftime(at, sizeof at, "%Y%m%d%H%M", gmtime_r(&now, &tm));
    int len = snprintf(text, sizeof text,
                       "id:%010ld sub:001 dlvrd:001 submit date:%s done date:%s stat:DELIVRD "
                       "err:000 text:",
                       n, at + 2, at + 2);
    wr_bytes(&w, "\0\1\1", 3); /* service_type; TON and NPI of the sender */
    wr_dec(&w, FIRST + n);
    wr_bytes(&w, "\0\5\0PINBIND", 11); /* with its end; esm_class 4 is a receipt */
    wr_bytes(&w, "\4\0\0\0\0\0\0\0\0", 9);
    wr_u8(&w, (uint8_t)len);
    wr_bytes(&w, text, (size_t)len);
    pdu_put(b->bound[b->pins[n].bind], 5, (uint32_t)n + 1, body, w.len);
}

static void put_due_receipts(struct bench *b)
{
    int64_t now = mono_now().us;
    while (b->first_receipt < b->n_receipts &&
           b->pins[b->receipts[b->first_receipt]].receipt_us <= now)
        put_receipt(b, b->receipts[b->first_receipt++]);
}

static void receipt_timer_cb(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    put_due_receipts(arg);
}

/* The PIN is what the text ends with. */
static void take_submit(struct bench *b, uint8_t bind, uint32_t sequence, const uint8_t *body,
                        size_t n)
{
    long number = 0;
    const uint8_t *text = pdu_text(body, body + n, &number);
    long at = number - FIRST;
    if (!text || *text < PIN_DIGITS || text + 1 + *text > body + n || at < 0 || at >= b->end) {
        flow_complain(b, "a submit_sm that makes no sense");
        return;
    }
    struct pin *p = &b->pins[at];
    memcpy(p->digits, text + 1 + *text - PIN_DIGITS, PIN_DIGITS);
    p->bind = bind;
    char id[24];
    snprintf(id, sizeof id, "%010ld", at);
    pdu_put(b->bound[bind], 0x80000004, sequence, id, strlen(id) + 1);
    if (b->is_holding)
        return;
    p->receipt_us = mono_now().us + b->receipt_delay_ms * 1000;
    b->receipts[b->n_receipts++] = at;
    if (b->receipt_delay_ms == 0)
        put_due_receipts(b);
}

static void take_pdu(struct bench *b, struct bufferevent *from, const uint8_t *pdu, size_t n)
{
    uint32_t command = pdu_u32(pdu + 4), sequence = pdu_u32(pdu + 12);
    uint8_t bind = 0;
    while (bind < b->n_bound && b->bound[bind] != from)
        bind++;
    if (command == 9 && b->n_bound < BINDS_MAX) {
        b->bound[b->n_bound++] = from;
        pdu_put(from, 0x80000009, sequence, "bench", 6);
        if (b->n_bound == b->binds)
            event_base_loopbreak(b->base);
    } else if (command == 4 && bind < b->n_bound) {
        take_submit(b, bind, sequence, pdu + PDU_HEADER, n - PDU_HEADER);
    } else if (command == 0x80000005 && pdu_u32(pdu + 8) == 0) {
        b->acked++;
        flow_check_done(b);
    } else if (command == 0x15 || command == 6) { /* enquire_link, unbind */
        pdu_put(from, command | 0x80000000, sequence, "", 0);
    } else {
        flow_complain(b, "the gateway sent command %08x, status %08x", command, pdu_u32(pdu + 8));
    }
}

static void smsc_read_cb(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(in), off = 0;
    const uint8_t *p = evbuffer_pullup(in, -1);
    while (len - off >= PDU_HEADER && len - off >= pdu_u32(p + off)) {
        take_pdu(arg, bev, p + off, pdu_u32(p + off));
        off += pdu_u32(p + off);
    }
    evbuffer_drain(in, off);
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *arg)
{
    struct bench *b = arg;
    struct bufferevent *bev = bufferevent_socket_new(b->base, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)l;
    (void)addr;
    (void)len;
    bufferevent_setcb(bev, smsc_read_cb, NULL, flow_lost_cb, b);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

void flow_smsc_start(struct bench *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    b->smsc = evconnlistener_new_bind(b->base, accept_cb, b,
                                      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
                                      (struct sockaddr *)&at, sizeof at);
    if (!b->smsc || getsockname(evconnlistener_get_fd(b->smsc), (struct sockaddr *)&at, &len))
        abort();
    b->smsc_port = ntohs(at.sin_port);
    if (b->receipt_delay_ms) {
        static const struct timeval tick = {0, 1000};
        b->receipt_timer = event_new(b->base, -1, EV_PERSIST, receipt_timer_cb, b);
        event_add(b->receipt_timer, &tick);
    }
}
