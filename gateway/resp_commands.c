#include "gateway/resp_private.h"

#include "base/buf.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/flow.h"
#include "gateway/pins.h"

#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef void (*command_fn)(struct resp_request *r, const struct resp_command *cmd);

struct command {
    const char *name;
    size_t min_args, max_args; /* the name counts; 0: no maximum but the limits' */
    enum group {
        HANDSHAKE,  /* alone is there before AUTH, and not between MULTI and EXEC */
        LEAVE,      /* as HANDSHAKE, and ends a MULTI */
        CONNECTION, /* may be queued */
        BATCH,      /* MULTI and what ends it */
        PIN,        /* may be queued */
    } group;
    command_fn fn;
    const char *args; /* as in the documentation */
    const char *summary;
};
static const struct command *find_command(const struct resp_arg *name);
static const struct command *command_at(size_t i);
static size_t count_commands(void);

static bool is_word(const struct resp_arg *a, const char *word)
{
    return a->len == strlen(word) && strcasecmp(a->p, word) == 0;
}

static void bad_request(struct resp_request *r, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "BAD_REQUEST %s", what);
    resp_reply_error(r, text);
}

/* --- connection commands: what stock clients send before their first request --------------- */

static void cmd_ping(struct resp_request *r, const struct resp_command *cmd)
{
    size_t size = cmd->argc == 2 ? cmd->argv[1].len + 32 : 32;
    char *buf = malloc(size);
    struct wr w = wr_init(buf, buf ? size : 0);
    if (cmd->argc == 2)
        resp_bulk(&w, cmd->argv[1].p, cmd->argv[1].len);
    else
        resp_status(&w, "PONG");
    resp_reply(r, &w);
    free(buf);
}

static void cmd_quit(struct resp_request *r, const struct resp_command *cmd)
{
    (void)cmd;
    resp_conn_close_after(r->conn, "QUIT");
    resp_reply_ok(r);
}

static void cmd_reset(struct resp_request *r, const struct resp_command *cmd)
{
    struct resp_conn *c = r->conn;
    const char *unix_account = c->server->env.config->unix_account;
    char buf[16];
    struct wr w = wr_init(buf, sizeof buf);
    (void)cmd;
    c->proto = 2;
    c->name[0] = 0;
    resp_conn_forget(c);
    c->is_authenticated = c->is_unix && unix_account[0];
    str_copy(c->account, sizeof c->account, c->is_authenticated ? unix_account : "");
    resp_status(&w, "RESET");
    resp_reply(r, &w);
}

static void cmd_select(struct resp_request *r, const struct resp_command *cmd)
{
    if (is_word(&cmd->argv[1], "0"))
        resp_reply_ok(r);
    else
        resp_reply_error(r, "ERR DB index is out of range: there is 0 only");
}

static void cmd_auth(struct resp_request *r, const struct resp_command *cmd)
{
    resp_authenticate(r, cmd->argc == 3 ? cmd->argv[1].p : "default", &cmd->argv[cmd->argc - 1]);
}

void resp_write_hello(struct wr *w, const struct resp_conn *c)
{
    resp_map(w, 7, c->proto);
    resp_str(w, "server");
    resp_str(w, "pinbind");
    resp_str(w, "version");
    resp_str(w, PINBIND_VERSION);
    resp_str(w, "proto");
    resp_int(w, c->proto);
    resp_str(w, "id");
    resp_int(w, (int64_t)c->id);
    resp_str(w, "mode");
    resp_str(w, "standalone");
    resp_str(w, "role");
    resp_str(w, "master");
    resp_str(w, "modules");
    resp_array(w, 0);
}

struct hello {
    int proto;
    const struct resp_arg *name, *key, *client;
};

static bool parse_hello(const struct resp_command *cmd, struct hello *h)
{
    for (size_t i = 2; i < cmd->argc; i++) {
        if (is_word(&cmd->argv[i], "AUTH") && i + 2 < cmd->argc) {
            h->name = &cmd->argv[i + 1];
            h->key = &cmd->argv[i + 2];
            i += 2;
        } else if (is_word(&cmd->argv[i], "SETNAME") && i + 1 < cmd->argc) {
            h->client = &cmd->argv[++i];
        } else {
            return false;
        }
    }
    return true;
}

static void cmd_hello(struct resp_request *r, const struct resp_command *cmd)
{
    struct resp_conn *c = r->conn;
    struct hello h = {.proto = c->proto};
    char buf[512];
    struct wr w = wr_init(buf, sizeof buf);
    if (cmd->argc > 1) {
        if (!is_word(&cmd->argv[1], "2") && !is_word(&cmd->argv[1], "3")) {
            resp_reply_error(r, "NOPROTO unsupported protocol version: 2 and 3 are there");
            return;
        }
        h.proto = cmd->argv[1].p[0] - '0';
    }
    if (!parse_hello(cmd, &h)) {
        resp_reply_error(r, "ERR Syntax error in HELLO");
        return;
    }
    if (h.client)
        str_copy(c->name, sizeof c->name, h.client->p);
    if (h.key) {
        r->is_hello = true;
        r->hello_proto = h.proto;
        resp_authenticate(r, h.name->p, h.key);
        return;
    }
    if (!c->is_authenticated) {
        resp_reply_error(r, "NOAUTH HELLO must be called with the client already authenticated, "
                            "otherwise the HELLO <proto> AUTH <account> <key> option can be used");
        return;
    }
    c->proto = h.proto;
    resp_write_hello(&w, c);
    resp_reply(r, &w);
}

static void cmd_client(struct resp_request *r, const struct resp_command *cmd)
{
    struct resp_conn *c = r->conn;
    const struct resp_arg *sub = &cmd->argv[1];
    char buf[160];
    struct wr w = wr_init(buf, sizeof buf);
    if (is_word(sub, "SETNAME") && cmd->argc == 3) {
        str_copy(c->name, sizeof c->name, cmd->argv[2].p);
        resp_reply_ok(r);
    } else if (is_word(sub, "SETINFO") && cmd->argc == 4) {
        resp_reply_ok(r);
    } else if (is_word(sub, "ID") && cmd->argc == 2) {
        resp_int(&w, (int64_t)c->id);
        resp_reply(r, &w);
    } else if (is_word(sub, "GETNAME") && cmd->argc == 2) {
        if (c->name[0])
            resp_str(&w, c->name);
        else
            resp_null(&w, c->proto);
        resp_reply(r, &w);
    } else {
        resp_reply_error(r, "ERR unknown subcommand or wrong number of arguments for 'client': "
                            "SETNAME, SETINFO, ID and GETNAME are there");
    }
}

static void cmd_info(struct resp_request *r, const struct resp_command *cmd)
{
    struct resp_info i;
    char text[512], buf[640];
    struct wr w = wr_init(buf, sizeof buf);
    (void)cmd;
    resp_server_info(r->conn->server, &i);
    /* redis_version: clients switch features by it */
    snprintf(text, sizeof text,
             "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\npinbind_version:%s\r\n"
             "\r\n# Clients\r\nconnected_clients:%u\r\n\r\n# Stats\r\n"
             "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
             "\r\n# Replication\r\nrole:master\r\n",
             PINBIND_VERSION, i.connections, (unsigned long long)i.accepted,
             (unsigned long long)i.commands);
    resp_str(&w, text);
    resp_reply(r, &w);
}

static void cmd_multi(struct resp_request *r, const struct resp_command *cmd)
{
    (void)cmd;
    resp_multi_begin(r);
}

static void cmd_exec(struct resp_request *r, const struct resp_command *cmd)
{
    (void)cmd;
    resp_multi_exec(r);
}

static void cmd_discard(struct resp_request *r, const struct resp_command *cmd)
{
    (void)cmd;
    resp_multi_discard(r);
}

/* --- COMMAND
 * -------------------------------------------------------------------------------------- */

static void put_info(struct wr *w, const struct command *k)
{
    char name[32];
    size_t n = strlen(k->name);
    for (size_t i = 0; i <= n; i++)
        name[i] = (char)(k->name[i] >= 'A' && k->name[i] <= 'Z' ? k->name[i] + 32 : k->name[i]);
    resp_array(w, 10);
    resp_str(w, name);
    resp_int(w, k->min_args == k->max_args ? (int64_t)k->min_args : -(int64_t)k->min_args);
    resp_array(w, 0); /* flags */
    for (int i = 0; i < 3; i++)
        resp_int(w, 0); /* first key, last key, step: there are no keys */
    for (int i = 0; i < 4; i++)
        resp_array(w, 0); /* ACL categories, tips, key specifications, subcommands */
}

static void put_doc(struct wr *w, const struct command *k, int proto)
{
    char summary[256];
    snprintf(summary, sizeof summary, "%s%s%s", k->summary, k->args[0] ? ": " : "", k->args);
    resp_str(w, k->name);
    resp_map(w, 3, proto);
    resp_str(w, "summary");
    resp_str(w, summary);
    resp_str(w, "since");
    resp_str(w, PINBIND_VERSION);
    resp_str(w, "group");
    resp_str(w, k->group == PIN ? "pin" : "connection");
}

static void put_named(struct wr *w, const struct resp_command *cmd, bool docs, int proto)
{
    size_t found = 0;
    for (size_t i = 2; i < cmd->argc; i++)
        found += find_command(&cmd->argv[i]) != NULL;
    if (docs)
        resp_map(w, found, proto);
    else
        resp_array(w, cmd->argc - 2);
    for (size_t i = 2; i < cmd->argc; i++) {
        const struct command *k = find_command(&cmd->argv[i]);
        if (k && docs)
            put_doc(w, k, proto);
        else if (k)
            put_info(w, k);
        else if (!docs)
            resp_null_array(w, proto);
    }
}

static void put_all(struct wr *w, bool docs, int proto)
{
    size_t n = count_commands();
    if (docs)
        resp_map(w, n, proto);
    else
        resp_array(w, n);
    for (size_t i = 0; i < n; i++) {
        if (docs)
            put_doc(w, command_at(i), proto);
        else
            put_info(w, command_at(i));
    }
}

static void cmd_command(struct resp_request *r, const struct resp_command *cmd)
{
    char buf[RESP_REPLY_MAX];
    struct wr w = wr_init(buf, sizeof buf);
    int proto = r->conn->proto;
    bool docs = cmd->argc > 1 && is_word(&cmd->argv[1], "DOCS");
    bool info = cmd->argc > 1 && is_word(&cmd->argv[1], "INFO");
    if (cmd->argc == 2 && is_word(&cmd->argv[1], "COUNT"))
        resp_int(&w, (int64_t)count_commands());
    else if ((docs || info) && cmd->argc > 2)
        put_named(&w, cmd, docs, proto);
    else if (cmd->argc == 1 || docs || info)
        put_all(&w, docs, proto);
    else
        resp_error(&w, "ERR unknown subcommand for 'command': DOCS, COUNT and INFO are there");
    resp_reply(r, &w);
}

/* --- PIN commands -------------------------- */

struct options {
    const char *from;
    bool nc, track;
    struct pin_placeholder ph[PIN_PLACEHOLDERS_MAX];
    size_t n_ph;
    const char *trouble;
};

static bool take_yes_no(const struct resp_arg *a, bool *out)
{
    *out = is_word(a, "yes");
    return *out || is_word(a, "no");
}

static void take_placeholder(struct options *o, const struct resp_arg *name,
                             const struct resp_arg *value)
{
    if (o->n_ph == PIN_PLACEHOLDERS_MAX)
        o->trouble = "PLACEHOLDER: at most 16 are taken";
    else if (strcasecmp(name->p, "pin") == 0)
        o->trouble = "PLACEHOLDER: pin is filled in by the gateway";
    else
        o->ph[o->n_ph++] = (struct pin_placeholder){name->p, value->p};
}

static void take_option(struct options *o, const struct resp_command *cmd, size_t *i, bool send)
{
    const struct resp_arg *a = &cmd->argv[*i];
    size_t left = cmd->argc - *i - 1;
    if (is_word(a, "PLACEHOLDER") && left >= 2) {
        take_placeholder(o, a + 1, a + 2);
        *i += 2;
    } else if (send && is_word(a, "FROM") && left >= 1) {
        o->from = cmd->argv[++*i].p;
    } else if (send && is_word(a, "NC") && left >= 1) {
        if (!take_yes_no(&cmd->argv[++*i], &o->nc))
            o->trouble = "NC: yes or no is expected";
    } else if (is_word(a, "TRACK") && left >= 1) {
        if (!take_yes_no(&cmd->argv[++*i], &o->track))
            o->trouble = "TRACK: yes or no is expected";
    } else {
        o->trouble = send ? "options are FROM sender, NC yes|no, TRACK yes|no, PLACEHOLDER "
                            "name value"
                          : "options are TRACK yes|no, PLACEHOLDER name value";
    }
}

static void parse_options(struct options *o, const struct resp_command *cmd, size_t first,
                          bool send)
{
    *o = (struct options){.nc = true};
    for (size_t i = 1; i < cmd->argc; i++)
        if (memchr(cmd->argv[i].p, 0, cmd->argv[i].len))
            o->trouble = "an argument holds a NUL octet";
    for (size_t i = first; i < cmd->argc && !o->trouble; i++)
        take_option(o, cmd, &i, send);
}

static void cmd_send(struct resp_request *r, const struct resp_command *cmd)
{
    struct options o;
    parse_options(&o, cmd, 4, true);
    if (o.trouble) {
        bad_request(r, o.trouble);
        return;
    }
    struct flow_send s = {.account = r->conn->account,
                          .app_id = cmd->argv[1].p,
                          .template_id = cmd->argv[2].p,
                          .to = cmd->argv[3].p,
                          .from = o.from,
                          .nc_needed = o.nc,
                          .track_delivery = o.track,
                          .placeholders = o.ph,
                          .n_placeholders = o.n_ph};
    flow_send(r->conn->server->env.flows, &s, resp_reply_answer, r);
}

static void cmd_resend(struct resp_request *r, const struct resp_command *cmd)
{
    struct options o;
    parse_options(&o, cmd, 2, false);
    if (o.trouble) {
        bad_request(r, o.trouble);
        return;
    }
    struct flow_resend s = {.account = r->conn->account,
                            .pin_id = cmd->argv[1].p,
                            .track_delivery = o.track,
                            .placeholders = o.ph,
                            .n_placeholders = o.n_ph};
    flow_resend(r->conn->server->env.flows, &s, resp_reply_answer, r);
}

static void cmd_verify(struct resp_request *r, const struct resp_command *cmd)
{
    pins_verify(r->conn->server->env.ledger, r->conn->account, cmd->argv[1].p, cmd->argv[2].p,
                cmd->argv[2].len, resp_reply_answer, r);
}

static void cmd_status(struct resp_request *r, const struct resp_command *cmd)
{
    const struct resp_env *env = &r->conn->server->env;
    pins_status(env->ledger, env->carriers, r->conn->account, cmd->argv[1].p, resp_reply_answer, r);
}

static void cmd_cancel(struct resp_request *r, const struct resp_command *cmd)
{
    const struct resp_env *env = &r->conn->server->env;
    pins_cancel(env->ledger, env->overdue, r->conn->account, cmd->argv[1].p, resp_reply_answer, r);
}

/* --- the table
 * ------------------------------------------------------------------------------------ */

static const struct command commands[] = {
    {"AUTH", 2, 3, HANDSHAKE, cmd_auth, "[account] key", "Authenticate the connection"},
    {"HELLO", 1, 0, HANDSHAKE, cmd_hello, "[2|3] [AUTH account key] [SETNAME name]",
     "Choose the protocol version"},
    {"PING", 1, 2, CONNECTION, cmd_ping, "[message]", "Test the connection"},
    {"ECHO", 2, 2, CONNECTION, cmd_ping, "message", "Repeat the message"},
    {"QUIT", 1, 1, LEAVE, cmd_quit, "", "Close after the answers"},
    {"RESET", 1, 1, LEAVE, cmd_reset, "", "Forget authentication and protocol version"},
    {"SELECT", 2, 2, CONNECTION, cmd_select, "0", "For clients that expect it"},
    {"CLIENT", 2, 0, CONNECTION, cmd_client, "SETNAME|SETINFO|ID|GETNAME ...",
     "About the connection"},
    {"COMMAND", 1, 0, CONNECTION, cmd_command, "[DOCS|COUNT|INFO] [command ...]",
     "What commands there are"},
    {"INFO", 1, 0, CONNECTION, cmd_info, "[section]", "About the server"},
    {"MULTI", 1, 1, BATCH, cmd_multi, "", "Queue what follows"},
    {"EXEC", 1, 1, BATCH, cmd_exec, "", "Run what is queued, one by one"},
    {"DISCARD", 1, 1, BATCH, cmd_discard, "", "Forget what is queued"},
    {"PIN.SEND", 4, 0, PIN, cmd_send,
     "applicationId messageId to [FROM sender] [NC yes|no] [TRACK yes|no] [PLACEHOLDER name "
     "value]...",
     "Send a PIN by SMS"},
    {"PIN.RESEND", 2, 0, PIN, cmd_resend, "pinId [TRACK yes|no] [PLACEHOLDER name value]...",
     "Send the same PIN again"},
    {"PIN.VERIFY", 3, 3, PIN, cmd_verify, "pinId pin", "Is this the PIN?"},
    {"PIN.STATUS", 2, 2, PIN, cmd_status, "pinId", "State, deliveries, attempts left"},
    {"PIN.CANCEL", 2, 2, PIN, cmd_cancel, "pinId", "The PIN can no longer be verified"},
};

static size_t count_commands(void)
{
    return sizeof commands / sizeof commands[0];
}

static const struct command *command_at(size_t i)
{
    return &commands[i];
}

static const struct command *find_command(const struct resp_arg *name)
{
    for (size_t i = 0; i < count_commands(); i++)
        if (is_word(name, commands[i].name))
            return &commands[i];
    return NULL;
}

/* Why the command cannot be run, or false. */
static bool is_refused(const struct resp_conn *c, const struct command *k,
                       const struct resp_command *cmd, struct wr *why)
{
    bool handshake = k && (k->group == HANDSHAKE || k->group == LEAVE);
    char text[200] = "";
    if (!c->is_authenticated && !handshake)
        snprintf(text, sizeof text, "NOAUTH Authentication required.");
    else if (!k) /* it is not repeated: who has the order wrong typed a PIN or a key there */
        snprintf(text, sizeof text,
                 "ERR unknown command (COMMAND DOCS names those that are there)");
    else if (cmd->argc < k->min_args || (k->max_args && cmd->argc > k->max_args))
        snprintf(text, sizeof text, "ERR wrong number of arguments for '%s': %s %.120s", k->name,
                 k->name, k->args);
    else if (c->multi && k->group == HANDSHAKE)
        snprintf(text, sizeof text, "ERR %s is not allowed in transactions", k->name);
    wr_str(why, text);
    wr_end(why);
    return text[0] != 0;
}

void resp_dispatch(struct resp_request *r, const struct resp_command *cmd)
{
    char text[200];
    struct wr why = wr_init(text, sizeof text);
    const struct command *k = find_command(&cmd->argv[0]);
    if (is_refused(r->conn, k, cmd, &why)) {
        resp_multi_abort(r->conn);
        resp_reply_error(r, text);
    } else if (r->conn->multi && (k->group == CONNECTION || k->group == PIN)) {
        resp_multi_queue(r, cmd);
    } else {
        if (k->group == LEAVE)
            resp_multi_free(r->conn);
        k->fn(r, cmd);
    }
}
