/* The auditor: lines of JSON from the peers, counted. */
#include "tests/soak/soak.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 65536
#define CONNS_MAX       65536

static struct reader {
    int fd;
    struct soak_log *log;
    size_t len;
    uint32_t owed[CONNS_MAX]; /* receipts without an answer, by connection */
    bool is_closed[CONNS_MAX];
    char buf[4 * LINE_MAX_OCTETS];
} readers[SOAK_PEERS];

static struct soak_book *book;

/* What stands behind "key":, or NULL. */
static const char *field(const char *line, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    return *at == '"' ? at + 1 : at;
}

static uint64_t number(const char *line, const char *key)
{
    const char *at = field(line, key);
    return at ? strtoull(at, NULL, 10) : 0;
}

static bool is_word(const char *at, const char *word)
{
    size_t n = strlen(word);
    return at && strncmp(at, word, n) == 0 && at[n] == '"';
}

/* pinbind-smsc tells the status; of node-smpp the text asks for it. */
static bool is_refused(const char *line)
{
    static const char *const words[] = {"rthrottled", "rmsgqful",  "rsyserr", "rsubmitfail",
                                        "rinvdstadr", "vendorerr", "nack"};
    if (field(line, "status"))
        return number(line, "status") != 0;
    const char *q = field(line, "q");
    bool found = false;
    for (size_t i = 0; q && i < sizeof words / sizeof words[0]; i++)
        found |= is_word(q, words[i]);
    return found;
}

static void on_submit(struct reader *r, const char *line)
{
    uint64_t n = number(line, "dst") - SOAK_FIRST;
    bool refused = is_refused(line);
    r->log->submits++;
    if (n >= book->n_messages) {
        r->log->strangers++;
        return;
    }
    struct soak_message *m = &book->messages[n];
    uint8_t *count = refused ? &m->refused : &m->taken;
    if (*count < UINT8_MAX)
        ++*count;
    if (refused)
        r->log->refused++;
    else
        r->log->taken++;
}

static uint32_t *owed(struct reader *r, const char *line)
{
    return &r->owed[number(line, "conn") % CONNS_MAX];
}

static void on_receipt(struct reader *r, const char *line)
{
    r->log->receipts++;
    if (r->is_closed[number(line, "conn") % CONNS_MAX])
        r->log->lost++; /* written in the turn in which its connection broke */
    else
        ++*owed(r, line);
}

static void on_receipt_resp(struct reader *r, const char *line)
{
    r->log->answered++;
    --*owed(r, line);
}

static void on_complaint(struct reader *r, const char *line)
{
    fprintf(stderr, "a peer complains: %.300s\n", line);
    r->log->complaints++;
}

/* The answer to a receipt that the peer waits for no more, because it was stopped meanwhile, or to
 * the second of a pair whose message it has forgotten.  To nothing at all there must be none. */
static void on_late_resp(struct reader *r, const char *line)
{
    if (*owed(r, line))
        on_receipt_resp(r, line);
    else
        on_complaint(r, line);
}

static void on_close(struct reader *r, const char *line)
{
    r->log->closes++;
    if (!field(line, "conn")) /* node-smpp does not number them */
        return;
    r->log->lost += *owed(r, line);
    *owed(r, line) = 0;
    r->is_closed[number(line, "conn") % CONNS_MAX] = true;
}

/* Of node-smpp: an answer to what it sent. */
static void on_resp(struct reader *r, const char *line)
{
    if (is_word(field(line, "cmd"), "deliver_sm_resp") ||
        is_word(field(line, "cmd"), "data_sm_resp"))
        r->log->answered++;
}

static void on_bind(struct reader *r, const char *line)
{
    (void)line;
    r->log->binds++;
}

static void on_listening(struct reader *r, const char *line)
{
    uint16_t port = (uint16_t)number(line, field(line, "smpp") ? "smpp" : "port");
    __atomic_store_n(&r->log->port, port, __ATOMIC_RELEASE);
}

static const struct {
    const char *ev;
    void (*run)(struct reader *r, const char *line);
} handlers[] = {
    {"submit", on_submit},
    {"receipt", on_receipt},
    {"receipt_resp", on_receipt_resp},
    {"unexpected_resp", on_late_resp},
    {"close", on_close},
    {"dlr", on_receipt},
    {"resp", on_resp},
    {"bind", on_bind},
    {"listening", on_listening},
    {"protocol_error", on_complaint},
    {"wrong_state", on_complaint},
    {"unknown_command", on_complaint},
};

static void take_line(struct reader *r, const char *line)
{
    const char *ev = field(line, "ev");
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (is_word(ev, handlers[i].ev)) {
            handlers[i].run(r, line);
            return;
        }
}

/* False: the end. */
static bool read_some(struct reader *r)
{
    char *line = r->buf, *end;
    ssize_t n = read(r->fd, r->buf + r->len, sizeof r->buf - r->len);
    if (n <= 0)
        return false;
    r->len += (size_t)n;
    while ((end = memchr(line, '\n', r->len - (size_t)(line - r->buf)))) {
        *end = 0;
        take_line(r, line);
        line = end + 1;
    }
    r->len -= (size_t)(line - r->buf);
    memmove(r->buf, line, r->len);
    return r->len < sizeof r->buf;
}

void soak_audit(struct soak_book *shared, const int fds[SOAK_PEERS])
{
    struct pollfd p[SOAK_PEERS];
    int left = SOAK_PEERS;
    book = shared;
    for (int i = 0; i < SOAK_PEERS; i++) {
        readers[i].fd = fds[i];
        readers[i].log = &book->logs[i];
        p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    while (left > 0 && poll(p, SOAK_PEERS, -1) > 0)
        for (int i = 0; i < SOAK_PEERS; i++)
            if (p[i].revents && !read_some(&readers[i])) {
                p[i].fd = -1;
                left--;
            }
}
