/* pinbindctl: the operator's program, over the admin socket; `pinkey` and `decode` need none. */
#include "base/clock.h"
#include "base/result.h"
#include "gateway/config_private.h"
#include "gateway/ctl_decode.h"
#include "gateway/ctl_mo.h"
#include "gateway/ctl_print.h"
#include "pin/pin.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/pinbind/admin.sock"
#define ANSWER_MS      15000
#define FOLLOW_MS      500 /* between two looks */

static const char usage[] =
    "usage: pinbindctl [-s SOCKET] [--json] COMMAND ...\n"
    "\n"
    "  pinkey new FILE                        make a PIN key file\n"
    "  pinkey add FILE [--active-from TIME]   add a key generation (RFC 3339; default: now)\n"
    "  account create NAME | list             an account and its first API key, shown this once\n"
    "  key create ACCOUNT | revoke KEY | -    a further key; an end of one; -: from standard "
    "input\n"
    "  app create --account NAME --name X [--set KEY=VALUE ...]\n"
    "  app list --account NAME\n"
    "  message create --account NAME --app ID --text 'Your code is {{pin}}'\n"
    "                 [--type NUMERIC|ALPHA|HEX|ALPHANUMERIC] [--length N] [--sender S]\n"
    "                 [--max-segments N] [--no-look-alikes]\n"
    "  message list --account NAME --app ID\n"
    "  binds                                  every bind with its state and counters\n"
    "  bind CARRIER[/N] up|down|restart|retry-now   its binds, or the one of that number\n"
    "  pins PINID                             what became of a PIN (never the PIN)\n"
    "  info                                   store, sends, ledger, clients\n"
    "  mo [--follow]                          the latest messages from handsets; --follow: and "
    "those\n"
    "                                         that come\n"
    "  config                                 the configuration in effect\n"
    "  reload                                 reads the configuration file again\n"
    "  drain                                  no new work, answers what is open, ends\n"
    "  decode pdu HEX | -                     what pinbind makes of a PDU, as JSON; -: one a line\n"
    "  decode receipt TEXT | -                and of the text of a delivery receipt\n"
    "                 [--text] [--time-zone ZONE] [--alphabet gsm|gsm-packed|latin1|ascii]\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n";

/* Commands of two words, and what the second one may be. */
static const struct {
    const char *name, *second;
} groups[] = {{"pinkey", "new or add"},      {"account", "create or list"},
              {"key", "create or revoke"},   {"app", "create or list"},
              {"message", "create or list"}, {"decode", "pdu or receipt"}};
/* Options that take no value, and those that do. */
static const char *const flags[] = {"no-look-alikes", "follow"};
static const char *const values[] = {"active-from", "account",   "name",     "set",
                                     "app",         "text",      "type",     "length",
                                     "sender",      "time-zone", "alphabet", "max-segments"};
#define IS_IN(list, s) is_in(list, sizeof list / sizeof list[0], s)

struct args {
    const char *socket;
    bool json;
    char command[64];
    json_t *words;    /* what follows the command */
    const char *item; /* the first of them as it stands: its octets need not be UTF-8 */
    size_t n_items;
    json_t *options; /* "set" is an array */
};

__attribute__((format(printf, 2, 0))) static int vcomplain(int status, const char *fmt, va_list ap)
{
    fputs("pinbindctl: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    return status;
}

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int status = vcomplain(1, fmt, ap);
    va_end(ap);
    return status;
}

static int misused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int misused(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int status = vcomplain(2, fmt, ap);
    va_end(ap);
    return status;
}

/* --- arguments ------------------------------------------------------------------------------- */

static bool is_in(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0)
            return true;
    return false;
}

/* False: the value cannot be a string of JSON. */
static bool add_option(json_t *options, const char *name, const char *value)
{
    if (strcmp(name, "set") != 0)
        return json_object_set_new(options, name, json_string(value)) == 0;
    json_t *list = json_object_get(options, "set");
    if (!list) {
        list = json_array();
        json_object_set_new(options, "set", list);
    }
    return json_array_append_new(list, json_string(value)) == 0;
}

/* What may follow this word, NULL where it is a command. */
static const char *second_words(const char *word)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(groups[i].name, word) == 0)
            return groups[i].second;
    return NULL;
}

static bool is_decode(const struct args *a)
{
    return strncmp(a->command, "decode", 6) == 0;
}

static int take_option(struct args *a, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    if (strcmp(name, "json") == 0) {
        a->json = true;
    } else if (IS_IN(flags, name) || (strcmp(name, "text") == 0 && is_decode(a))) {
        json_object_set_new(a->options, name, json_true());
    } else if (!IS_IN(values, name)) {
        return misused("%s: there is no such option", argv[*i]);
    } else if (!argv[*i + 1]) {
        return misused("%s: a value is expected", argv[*i]);
    } else if (!add_option(a->options, name, argv[++*i])) {
        return misused("--%s: the value is not UTF-8", name);
    }
    return 0;
}

static void take_word(struct args *a, const char *word)
{
    size_t n = strlen(a->command);
    bool second = n && !strchr(a->command, ' ') && !json_array_size(a->words) &&
                  second_words(a->command);
    if (n && !second) {
        a->item = a->n_items++ ? a->item : word;
        json_array_append_new(a->words, json_string(word));
    } else {
        snprintf(a->command + n, sizeof a->command - n, "%s%s", n ? " " : "", word);
    }
}

static int parse_args(char **argv, struct args *a)
{
    int status = 0;
    for (int i = 1; argv[i] && !status; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("pinbindctl " PINBIND_VERSION);
            exit(0);
        }
        if (strcmp(argv[i], "-s") == 0 && argv[i + 1])
            a->socket = argv[++i];
        else if (strncmp(argv[i], "--", 2) == 0)
            status = take_option(a, argv, &i);
        else if (argv[i][0] == '-' && argv[i][1])
            status = strcmp(argv[i], "-s") == 0 ? misused("-s: a socket is expected")
                                                : misused("%s: there is no such option", argv[i]);
        else
            take_word(a, argv[i]);
    }
    if (!a->command[0] && !status) {
        fputs(usage, stderr);
        status = 2;
    }
    const char *second = status ? NULL : second_words(a->command);
    return second ? misused("%s: %s is expected", a->command, second) : status;
}

static void print_json(const json_t *v)
{
    json_dumpf(v, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
}

/* --- pinkey ------------------------------------------------------------------------------------
 */

static int pinkey(const struct args *a, bool add)
{
    char why[400] = "";
    const char *file = json_string_value(json_array_get(a->words, 0));
    const char *from = json_string_value(json_object_get(a->options, "active-from"));
    int64_t at = wall_ms();
    if (!file)
        return misused("pinkey: a file is expected");
    if (from && pin_time_parse(from, &at))
        return fail("--active-from %s: a time such as 2026-12-01T00:00:00Z is expected", from);
    int err = add ? pin_keyfile_add(file, at, why, sizeof why)
                  : pin_keyfile_new(file, why, sizeof why);
    if (err)
        return fail("%s", why);
    json_t *made = json_pack("{s:s}", "file", file);
    if (a->json)
        print_json(made);
    else
        printf("%s: %s\n", file, add ? "a key generation was added" : "made");
    json_decref(made);
    return 0;
}

/* --- decode ------------------------------------------------------------------------------------
 */

static int decode_options(const struct args *a, struct ctl_decode *d)
{
    static const char *const alphabets[] = {
        [SMPP_GSM] = "gsm",
        [SMPP_LATIN1] = "latin1",
        [SMPP_ASCII] = "ascii",
        [SMPP_GSM_PACKED] = "gsm-packed",
    };
    const char *zone = json_string_value(json_object_get(a->options, "time-zone"));
    const char *alphabet = json_string_value(json_object_get(a->options, "alphabet"));
    const char *expected = zone ? config_zone_check(zone) : NULL;
    if (expected)
        return misused("--time-zone %s: %s", zone, expected);
    d->utc_offset_min = zone ? config_zone_minutes(zone) : 0;
    for (size_t i = 0; alphabet && i < sizeof alphabets / sizeof alphabets[0]; i++) {
        if (strcmp(alphabets[i], alphabet) == 0) {
            d->alphabet = (enum smpp_alphabet)i;
            alphabet = NULL;
        }
    }
    return alphabet
               ? misused("--alphabet %s: gsm, gsm-packed, latin1 or ascii is expected", alphabet)
               : 0;
}

static int decode(const struct args *a)
{
    char why[80];
    struct ctl_decode d = {.is_receipt = strcmp(a->command, "decode receipt") == 0,
                           .with_text = json_object_get(a->options, "text") != NULL,
                           .is_compact = a->json};
    if (!d.is_receipt && strcmp(a->command, "decode pdu") != 0)
        return misused("decode: pdu or receipt is expected");
    if (a->n_items != 1)
        return misused("%s: one %s is expected, in quotes where it has blanks, or - for lines",
                       a->command, d.is_receipt ? "TEXT" : "HEX");
    int err = decode_options(a, &d);
    if (err)
        return err;
    if (strcmp(a->item, "-") == 0) {
        err = ctl_decode_lines(&d, stdin, stdout);
        return err == ERR_INVALID ? 1 : err ? fail("%s", err_text(err)) : 0;
    }
    struct smpp_str item = {a->item, strlen(a->item)};
    return ctl_decode_item(&d, item, stdout, why) ? fail("%s", why) : 0;
}

/* --- the admin socket --------------------------------------------------------------------------
 */

static int dial(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sun.sun_path) {
        fail("%s: longer than a socket path can be", path);
        return -1;
    }
    memcpy(sun.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        fail("%s: %s: is pinbindd running, and may you use its admin socket?", path,
             strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* One line, or NULL; the caller frees it. */
static char *read_line(int fd)
{
    size_t cap = 65536, len = 0;
    char *buf = malloc(cap);
    while (buf) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, ANSWER_MS) > 0 ? read(fd, buf + len, cap - len - 1) : -1;
        if (n <= 0)
            break;
        len += (size_t)n;
        buf[len] = 0;
        if (buf[len - 1] == '\n')
            return buf;
        if (len + 1 < cap)
            continue;
        char *more = realloc(buf, cap *= 2);
        if (!more)
            break;
        buf = more;
    }
    free(buf);
    return NULL;
}

static json_t *ask(const struct args *a)
{
    int fd = dial(a->socket);
    if (fd < 0)
        return NULL;
    json_t *question = json_pack("{s:s, s:O, s:O}", "command", a->command, "args", a->words,
                                 "options", a->options);
    char *text = json_dumps(question, JSON_COMPACT);
    json_decref(question);
    char *line = NULL;
    if (text && write_all(fd, text, strlen(text)) && write_all(fd, "\n", 1))
        line = read_line(fd);
    free(text);
    close(fd);
    json_t *answer = line ? json_loads(line, 0, NULL) : NULL;
    free(line);
    if (!answer)
        fail("%s: no answer", a->socket);
    return answer;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void print_result(const struct args *a, json_t *result)
{
    if (a->json)
        print_json(result);
    else
        ctl_print(a->command, result);
}

/* A key that is given as "-" comes from standard input: a command line can be read by others. */
static int read_key(const struct args *a)
{
    char line[256] = "";
    if (strcmp(a->command, "key revoke") != 0 || a->n_items != 1 || strcmp(a->item, "-") != 0)
        return 0;
    bool is_there = fgets(line, sizeof line, stdin) != NULL;
    line[strcspn(line, "\r\n")] = 0;
    if (!is_there || !line[0] || json_array_set_new(a->words, 0, json_string(line)))
        return fail("key revoke -: a line with the key is expected on standard input");
    return 0;
}

/* What was asked for, shown by print. */
static int show(const struct args *a, void (*print)(const struct args *a, json_t *result))
{
    json_t *answer = ask(a);
    if (!answer)
        return 1;
    int status = 0;
    if (json_is_true(json_object_get(answer, "ok")))
        print(a, json_object_get(answer, "result"));
    else
        status = fail("%s", json_string_value(json_object_get(answer, "error")));
    json_decref(answer);
    return status;
}

/* Oldest first; the next question is for what comes after them. */
static void print_new_messages(const struct args *a, json_t *list)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *message = json_array_get(list, i);
        if (a->json)
            print_json(message);
        else
            ctl_mo_print(message, stdout);
    }
    json_t *newest = json_array_get(list, 0);
    if (newest)
        json_object_set(a->options, "since", json_object_get(newest, "id"));
}

/* Until it is ended, or one of the two sides is gone. */
static int follow(const struct args *a)
{
    int status = 0;
    while (!status) {
        status = show(a, print_new_messages);
        if (fflush(stdout) != 0)
            return 1;
        if (!status)
            poll(NULL, 0, FOLLOW_MS);
    }
    return status;
}

static int remote(const struct args *a)
{
    if (read_key(a))
        return 1;
    if (strcmp(a->command, "mo") == 0 && json_object_get(a->options, "follow"))
        return follow(a);
    return show(a, print_result);
}

int main(int argc, char **argv)
{
    struct args a = {.socket = DEFAULT_SOCKET};
    (void)argc;
    signal(SIGPIPE, SIG_IGN); /* a daemon that hangs up is told, not died of */
    a.words = json_array();
    a.options = json_object();
    int status = parse_args(argv, &a);
    if (status) {
        /* what is wrong is told */
    } else if (strncmp(a.command, "pinkey", 6) == 0) {
        bool add = strcmp(a.command, "pinkey add") == 0;
        if (add || strcmp(a.command, "pinkey new") == 0)
            status = pinkey(&a, add);
        else
            status = misused("pinkey: new or add is expected");
    } else if (is_decode(&a)) {
        status = decode(&a);
    } else {
        status = remote(&a);
    }
    json_decref(a.words);
    json_decref(a.options);
    return status;
}
