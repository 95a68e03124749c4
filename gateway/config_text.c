/* Checks of one string each: NULL, or a sentence that says what would be right. */
#include "gateway/config_private.h"

#include "base/result.h"
#include "gateway/carrier_options.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool all_of(const char *s, const char *set)
{
    return s[strspn(s, set)] == '\0';
}

const char *config_name_check(const char *s)
{
    if (*s && *s != '-' && all_of(s, LOWER DIGITS "-") && strlen(s) <= CONFIG_NAME_MAX)
        return NULL;
    return "a name has 1 to 32 of a-z, 0-9 and -, and does not begin with -";
}

const char *config_account_check(const char *s)
{
    if (*s != '-' && *s != '_' && all_of(s, LOWER DIGITS "-_"))
        return NULL;
    return "the name of an account has a-z, 0-9, - and _, and begins with a letter or digit";
}

const char *config_ascii_check(const char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e)
            return "printable ASCII characters only";
    return NULL;
}

static bool is_address(const char *s)
{
    struct in6_addr any;
    return inet_pton(AF_INET, s, &any) == 1 || inet_pton(AF_INET6, s, &any) == 1;
}

const char *config_address_check(const char *s)
{
    return is_address(s) ? NULL : "an IPv4 or IPv6 address, such as 192.0.2.1";
}

const char *config_host_check(const char *s)
{
    if (is_address(s))
        return NULL;
    const char *last = strrchr(s, '.');
    last = last ? last + 1 : s;
    /* A name whose last label is all digits would be a mistyped address. */
    if (*s && *s != '.' && *s != '-' && !strstr(s, "..") && !all_of(last, DIGITS) &&
        strlen(s) <= 253 && all_of(s, LOWER UPPER DIGITS ".-"))
        return NULL;
    return "a host name or an address alone; its port stands in the key port";
}

static int listen_parse(const char *s, struct sockaddr_storage *address)
{
    int len = sizeof *address;
    const char *port = strrchr(s, ':');
    if (!port || port[1] == '0' || !all_of(port + 1, DIGITS) || strlen(port + 1) > 5)
        return ERR_INVALID;
    if (evutil_parse_sockaddr_port(s, (struct sockaddr *)address, &len))
        return ERR_INVALID;
    in_port_t n = address->ss_family == AF_INET6 ? ((struct sockaddr_in6 *)address)->sin6_port
                                                 : ((struct sockaddr_in *)address)->sin_port;
    return n ? 0 : ERR_INVALID;
}

const char *config_listen_check(const char *s)
{
    struct sockaddr_storage address;
    if (listen_parse(s, &address) == 0)
        return NULL;
    return "an address with a port 1..65535, such as 127.0.0.1:2777 or [::1]:2777";
}

bool config_listen_is_loopback(const char *s)
{
    struct sockaddr_storage address;
    if (listen_parse(s, &address))
        return false;
    if (address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr);
    return ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 == 127;
}

const char *config_sender_check(const char *s)
{
    if (all_of(s, DIGITS) || (strlen(s) <= 11 && !config_ascii_check(s)))
        return NULL;
    return "up to 20 digits, or a name of up to 11 printable ASCII characters";
}

const char *config_prefix_check(const char *s)
{
    if (all_of(s, DIGITS) && *s != '0' && strlen(s) <= 15)
        return NULL;
    return "up to 15 digits of an international number, without + or 00, such as 385";
}

const char *config_carrier_check(const char *s)
{
    const char *weight = strchr(s, ':');
    if (weight && all_of(weight + 1, DIGITS))
        return "weights of carriers are not available yet; names alone, in order of preference";
    return config_name_check(s);
}

/* A command_status and what it means: "0x0407=subscriber". */
const char *config_status_check(const char *s)
{
    static const char *const meanings[] = {"=throttle", "=route", "=subscriber"};
    char *end;
    unsigned long status = strtoul(s, &end, 0);
    if (*s >= '0' && *s <= '9' && status > 0 && status <= UINT32_MAX)
        for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
            if (strcmp(end, meanings[i]) == 0)
                return NULL;
    return "STATUS=MEANING, such as 0x0407=subscriber; MEANING is throttle, route or subscriber";
}

#define STATES                                                                                     \
    "SCHEDULED, ENROUTE, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, ACCEPTED, UNKNOWN, REJECTED"  \
    " or SKIPPED"

const char *config_stat_check(const char *s)
{
    struct smpp_stat_rule rule;
    return carrier_stat_rule(s, &rule) ? NULL
                                       : "STAT=STATE, such as ACKED=DELIVERED; STAT is a word of "
                                         "up to 32 characters, STATE is"
                                         " one of " STATES;
}

const char *config_state_check(const char *s)
{
    return carrier_state(s) >= 0 ? NULL : "one of " STATES;
}

const char *config_error_check(const char *s)
{
    struct smpp_error_rule rule;
    return carrier_error_rule(s, &rule)
               ? NULL
               : "CODE=CLASS:TEXT, such as 069=temporary:absent subscriber; CODE has up to 32"
                 " characters, CLASS is permanent or temporary, TEXT has up to 80 ASCII characters";
}

/* UTC, or sign, two digits of hours up to 14, colon, two digits of minutes. */
const char *config_zone_check(const char *s)
{
    if (strcmp(s, "UTC") == 0)
        return NULL;
    if (strlen(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':' &&
        strspn(s + 1, DIGITS) == 2 && strspn(s + 4, DIGITS) == 2 && s[4] < '6' &&
        labs(config_zone_minutes(s)) <= 14 * 60)
        return NULL;
    return "UTC or an offset from it such as +01:00; names of zones are not available yet";
}

int32_t config_zone_minutes(const char *s)
{
    if (strcmp(s, "UTC") == 0)
        return 0;
    int32_t minutes = (int32_t)(strtol(s + 1, NULL, 10) * 60 + strtol(s + 4, NULL, 10));
    return *s == '-' ? -minutes : minutes;
}

const char *config_url_check(const char *s)
{
    const char *why = NULL;
    int err = store_url_check(s, &why);
    if (!err)
        return NULL;
    return why ? why : err_text(err);
}
