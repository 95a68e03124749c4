/* The configuration file: what is wrong is named. */
#include "tests/unit/gateway/config_rig.h"

static const struct mistake {
    const char *text, *expected;
} mistakes[] = {
    /* names */
    {ON_TOP("nod = \"a\""), "t.conf:1: nod: unknown key, did you mean node?"},
    {IN_CARRIER("windw = 10"), "t.conf:5: carrier acme: windw: unknown key, did you mean window?"},
    {ON_TOP("\nwindow = 10"),
     "t.conf:2: window: unknown key here, it belongs into section carrier"},
    {IN_CARRIER("node = \"a\""),
     "t.conf:5: carrier acme: node: unknown key here, it belongs outside"},
    {ON_TOP("xyzzy = 1"), "t.conf:1: xyzzy: unknown key, see pinbind.conf(5)"},
    {ON_TOP("stroe { }"), "t.conf:1: stroe: unknown section, did you mean store?"},
    {ON_TOP("xyzzy { }"), "t.conf:1: xyzzy: unknown section"},
    {ON_TOP("node { }"), "t.conf:1: node: this is a key, not a section"},
    {ON_TOP("carrier = \"acme\""), "t.conf:1: carrier: this is a section: carrier \"NAME\""},
    {ON_TOP("store = \"x\""), "t.conf:1: store: this is a section: store {"},
    /* numbers */
    {IN_CARRIER("window = 0"), "t.conf:5: carrier acme: window: 0 is out of range, 1..10000"},
    {IN_CARRIER("window = -1"), "window: -1 is out of range, 1..10000 would do"},
    {IN_CARRIER("window = 99999999999999"), "window: 99999999999999 is out of range, 1..10000"},
    {IN_CARRIER("window = 99999999999999999999"), "window: 99999999999999999999 is out of range"},
    {IN_CARRIER("window = 4294967297"), "window: 4294967297 is out of range"},
    {IN_CARRIER("window = \"10\""),
     "t.conf:5: carrier acme: window: a number stands without quotes"},
    {IN_CARRIER("window = 10s"), "window: 10s is not a whole number in decimal, 1..10000 would do"},
    {IN_CARRIER("window = 010"), "window: 010 is not a whole number in decimal"},
    {IN_CARRIER("window = 0x10"), "window: 0x10 is not a whole number in decimal"},
    {IN_CARRIER("window = 1.5"), "window: 1.5 is not a whole number"},
    {IN_CARRIER("window = -"), "window: - is not a whole number"},
    {IN_CARRIER("window = true"), "window: true is not a whole number"},
    {IN_CARRIER("window = {\"1\"}"), "t.conf:5: carrier acme: window: one value, not a list"},
    {IN_CARRIER("port = 65536"), "t.conf:5: carrier acme: port: 65536 is out of range, 1..65535"},
    {IN_CARRIER("source_ton = 7"), "source_ton: 7 is out of range, -1..6 would do"},
    {IN_CARRIER("dest_npi = 2"), "t.conf:5: carrier acme: dest_npi: 2 is no numbering plan"},
    {IN_CARRIER("source_npi = 11"), "t.conf:5: carrier acme: source_npi: 11 is no numbering plan"},
    {ON_TOP("send_deadline_ms = 99"),
     "t.conf:1: send_deadline_ms: 99 is out of range, 100..600000"},
    {ON_TOP("admin { unix_mode = 660 }"), "t.conf:1: admin: unix_mode: permissions are four octal"},
    {ON_TOP("admin { unix_mode = \"0660\" }"), "unix_mode: permissions are four octal digits"},
    {ON_TOP("admin { unix_mode = 0680 }"), "unix_mode: permissions are four octal digits"},
    {ON_TOP("admin { unix_mode = 0060 }"), "unix_mode: 0060 is out of range, 0600..0777"},
    {ON_TOP("verify_socket {\n insecure = yes }"),
     "t.conf:2: verify_socket: insecure: true or false"},
    {ON_TOP("verify_socket { insecure = \"true\" }"), "insecure: true or false, without quotes"},
    /* strings and lists */
    {ON_TOP("node = gw1"), "t.conf:1: node: a string stands in quotes"},
    {ON_TOP("node = \"\""), "t.conf:1: node: is missing"},
    {ON_TOP("node = \"GW 1\""), "t.conf:1: node: a name has 1 to 32 of a-z"},
    {ON_TOP("node = {\"gw1\"}"), "t.conf:1: node: one value, not a list"},
    {ON_TOP("node ="), "node: a string stands in quotes"},
    {"node = }", "t.conf:1: node: expected a value after =, not }"},
    {ON_TOP("node \"gw1\""), "t.conf:1: node: this is a key, not a section"},
    {IN_CARRIER("window 10"),
     "t.conf:5: carrier acme: window: expected = and a value after the key"},
    {ON_TOP("node = \"a\" \"b\""), "t.conf:1: expected a key or a section, not a string"},
    {ON_TOP("node = \"a"), "t.conf:1: the string that opens here does not end on its line"},
    {ON_TOP("node = \"a\\nb\""), "t.conf:1: in a string \\ stands before \\ or the quote only"},
    {ON_TOP("node = \"a\tb\""), "t.conf:1: a string holds the control character 0x09"},
    {ON_TOP("node = \"a${HOME}\""),
     "t.conf:1: ${ is not replaced here: write the string in single"},
    {IN_CARRIER("validity = \"never\""),
     "t.conf:5: carrier acme: validity: \"never\" is none of none, relative, absolute"},
    {IN_CARRIER("message_id = \"\""),
     "message_id: \"\" is none of auto, string, decimal, hex, resp"},
    {ON_TOP("log_level = \"trace\""),
     "t.conf:1: log_level: \"trace\" is none of error, warn, info"},
    {IN_CARRIER("receipt_time_zone = \"Europe/Zagreb\""),
     "receipt_time_zone: 13 octets long, 6 at"},
    {IN_CARRIER("statuses = {\"0x406=route\", \"0x407=gone\"}"),
     "statuses: STATUS=MEANING, such as 0x0407=subscriber; MEANING is throttle, route or"
     " subscriber, not \"0x407=gone\""},
    {IN_CARRIER("statuses = {\"0=route\"}"), "statuses: STATUS=MEANING, such as"},
    {IN_CARRIER("statuses = {\"0x407=route\", \"1031=subscriber\"}"),
     "statuses: 0x00000407 stands in the list twice"},
    {IN_CARRIER("statuses = {\"-5=route\"}"), "statuses: STATUS=MEANING, such as"},
    {IN_CARRIER("statuses = {\"0x100000000=route\"}"), "statuses: STATUS=MEANING, such as"},
    {IN_CARRIER("statuses = {\"0x407\"}"), "statuses: STATUS=MEANING, such as"},
    {IN_CARRIER("receipt_dates = \"year\""), "is none of auto, seconds, year-first"},
    {IN_CARRIER("receipt_states = {\"ACKED\"}"), "receipt_states: STAT=STATE, such as"},
    {IN_CARRIER("receipt_states = {\"ACKED=DELIVRD\"}"), "receipt_states: STAT=STATE, such as"},
    {IN_CARRIER("receipt_states = {\"=DELIVERED\"}"), "receipt_states: STAT=STATE, such as"},
    {IN_CARRIER("receipt_states = {\"A B=DELIVERED\"}"), "receipt_states: STAT=STATE, such as"},
    {IN_CARRIER("receipt_states = {\"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG=DELIVERED\"}"),
     "receipt_states: STAT=STATE, such as"},
    {IN_CARRIER("receipt_states = {\"x=DELIVERED\", \"X=EXPIRED\"}"),
     "receipt_states: \"X\" stands in the list twice"},
    {IN_CARRIER("final_states = {\"ACCEPTD\"}"), "final_states: one of SCHEDULED, ENROUTE"},
    {IN_CARRIER("final_states = {\"ACCEPTED\"}"),
     "final_states: DELIVERED is missing: the list stands in place of the default"},
    {IN_CARRIER("final_states = {}"), "final_states: is missing or empty"},
    {IN_CARRIER("final_states = {\"DELIVERED\", \"delivered\"}"), "stands in the list twice"},
    {IN_CARRIER("receipt_errors = {\"069\"}"), "receipt_errors: CODE=CLASS:TEXT, such as"},
    {IN_CARRIER("receipt_errors = {\"069=gone:away\"}"), "receipt_errors: CODE=CLASS:TEXT"},
    {IN_CARRIER("receipt_errors = {\"069=temporary\"}"), "receipt_errors: CODE=CLASS:TEXT"},
    {IN_CARRIER("receipt_errors = {\"069=temporary:\"}"), "receipt_errors: CODE=CLASS:TEXT"},
    {IN_CARRIER("receipt_errors = {\"=temporary:x\"}"), "receipt_errors: CODE=CLASS:TEXT"},
    {IN_CARRIER("receipt_errors = {\"069=temporary:caf\xc3\xa9\"}"),
     "receipt_errors: CODE=CLASS:TEXT"},
    {IN_CARRIER("receipt_errors = {\"b=temporary:x\", \"B=permanent:y\"}"),
     "receipt_errors: \"B\" stands in the list twice"},
    {IN_CARRIER("receipt_time_zone = \"+15:00\""), "receipt_time_zone: UTC or an offset"},
    {IN_CARRIER("receipt_time_zone = \"+01:60\""), "receipt_time_zone: UTC or an offset"},
    {IN_CARRIER("source = \"a sender too long\""),
     "source: up to 20 digits, or a name of up to 11"},
    {IN_CARRIER("source = \"Pi\xc3\xb1\""), "source: up to 20 digits, or a name of up to 11"},
    {IN_CARRIER("service_type = \"123456\""), "service_type: 6 octets long, 5 at most"},
    {IN_CARRIER("local_address = \"eth0\""), "local_address: an IPv4 or IPv6 address"},
    {IN_ROUTE("prefixes = \"385\""), "t.conf:8: route default: prefixes: a list stands in braces"},
    {IN_ROUTE("prefixes = {385}"),
     "route default: prefixes: a list holds strings in quotes, not a word"},
    {IN_ROUTE("prefixes = {\"1\" \"2\"}"), "prefixes: expected , or } in the list, not a string"},
    {IN_ROUTE("prefixes = {\"1\",}"), "prefixes: a list holds strings in quotes, not }"},
    {IN_ROUTE("prefixes = {\"+385\"}"), "prefixes: up to 15 digits of an international number"},
    {IN_ROUTE("prefixes = {\"00385\"}"), "prefixes: up to 15 digits of an international number"},
    /* repeats */
    {IN_CARRIER("window = 1\nwindow = 2"),
     "t.conf:6: carrier acme: window: stands on line 5 already"},
    {ON_TOP("store { }\nstore { }"), "t.conf:2: store: this section stands on line 1 already"},
    {IN_CARRIER("}\ncarrier \"acme\" {"), "t.conf:6: carrier acme: this section stands on line 1"},
    {IN_ROUTE("}\nroute \"default\" {"), "t.conf:9: route default: this section stands on line 6"},
    {IN_ROUTE("prefixes = {}"), "t.conf:8: route default: prefixes: is missing or empty"},
    {IN_ROUTE("prefixes = {\"1\", \"2\", \"1\"}"),
     "t.conf:8: route default: prefixes: \"1\" stands in route"},
    {IN_ROUTE("}\nroute \"b\" { carriers = {\"acme\"}"),
     "t.conf:9: route b: prefixes: \"\" stands in route default already"},
    /* sections */
    {CARRIER, "t.conf:1: carrier acme: the section that opens here is not closed"},
    {CARRIER ROUTE "}\n",
     "t.conf:5: carrier acme: route: a section inside a section: is a } missing"
     " for the one that opens on line 1?"},
    {CARRIER "}\n}\n", "t.conf:6: expected a key or a section, not }"},
    {ON_TOP("carrier { }"), "t.conf:1: carrier: needs a name in quotes"},
    {ON_TOP("carrier acme { }"), "t.conf:1: carrier: needs a name in quotes"},
    {ON_TOP("carrier \"Acme\" { }"), "t.conf:1: carrier: a name has 1 to 32 of a-z"},
    {ON_TOP("carrier \"-\" { }"), "t.conf:1: carrier: a name has 1 to 32 of a-z"},
    {ON_TOP("carrier \"\" { }"), "t.conf:1: carrier: a name has 1 to 32 of a-z"},
    {ON_TOP("carrier \"abcdefghijabcdefghijabcdefghijabc\" { }"), "carrier: a name has 1 to 32"},
    {ON_TOP("store \"a\" { }"), "t.conf:1: store: expected { to open the section, not a string"},
    {ON_TOP("/* a comment"), "t.conf:1: the comment that opens here with /* is not closed"},
    {ON_TOP("include(\"other.conf\")"), "t.conf:1: include: not available yet"},
    {ON_TOP("node = \"a\";"), "t.conf:1: unexpected ;"},
    {ON_TOP("node += \"a\""), "t.conf:1: unexpected +"},
    {"\xef\xbb\xbfnode = \"a\"", "t.conf:1: unexpected octet 0xef"},
    {"# a comment\n/* two\nlines */ // and one\nnode = 'x'\nnod = 'y'",
     "t.conf:5: nod: unknown key, did you mean node?"},
    /* what belongs together */
    {"", "t.conf:1: carrier: there is none"},
    {ROUTE "}\n", "t.conf:3: carrier: there is none"},
    {CARRIER "}\n",
     "t.conf:5: route: there is none: add route \"default\" { carriers = {\"acme\"} }"},
    {IN_ROUTE("}\nroute \"b\" {\nprefixes = {\"1\"}\ncarriers = {\"acmee\"}"),
     "t.conf:11: route b: carriers: there is no carrier \"acmee\""},
    {CARRIER "}\nroute \"r\" {\n}\n", "t.conf:6: route r: carriers: is missing or empty"},
    {IN_CARRIER("bind = \"receiver\""),
     "route default: carriers: \"acme\" is a receiver and sends nothing"},
    {IN_CARRIER("interface_version = \"3.3\""),
     "interface_version: 3.3 has no transceivers: set bind = \"transmitter+receiver\""},
    {IN_CARRIER("interface_version = \"3.3\" bind = \"transmitter\" user_message_reference = true"),
     "user_message_reference: SMPP 3.3 has no TLVs"},
    {IN_CARRIER("interface_version = \"3.3\" bind = \"transmitter\" receipt_match = \"reference\""),
     "receipt_match: SMPP 3.3 has no TLVs, and reference needs one: id or address would do"},
    {IN_CARRIER("interface_version = \"3.3\" bind = \"transmitter\" long_message = \"sar\""),
     "long_message: SMPP 3.3 has no TLVs: only udh"},
    {IN_CARRIER("long_message = \"split\""),
     "long_message: \"split\" is none of udh, sar, payload"},
    {IN_CARRIER("interface_version = 3.4"), "interface_version: "},
    {IN_CARRIER("address_npi = 2"), "address_npi: 2 is no numbering plan"},
    {IN_CARRIER("outbind_system_id = \"s\""),
     "t.conf:5: carrier acme: outbind_system_id: without outbind_listen it is of no use"},
    {IN_CARRIER("outbind_password = \"p\""), "outbind_password: without outbind_listen"},
    {IN_CARRIER("outbind_password_file = \"/f\""), "outbind_password_file: without outbind_listen"},
    {IN_CARRIER("outbind_listen = \"127.0.0.1:2776\""),
     "outbind_system_id: is missing: outbind_listen needs it"},
    {IN_CARRIER("outbind_listen = \"127.0.0.1:2776\" outbind_system_id = \"s\""),
     "outbind_password_file: is missing, and so is outbind_password"},
    {IN_CARRIER("outbind_listen = \"127.0.0.1:2776\" outbind_system_id = \"s\" outbind_password = "
                "\"123456789\""),
     "outbind_password: 9 octets long, 8 at most"},
    {IN_CARRIER("outbind_listen = \"192.0.2.1:2776\" outbind_system_id = \"s\""),
     "outbind_listen: 192.0.2.1:2776 is not loopback and there is no TLS"},
    {IN_CARRIER("outbind_listen = \"127.0.0.1:2776\" bind = \"transmitter\""),
     "outbind_listen: a transmitter is not dialled by the SMSC"},
    {IN_CARRIER("outbind_listen = \"127.0.0.1:2776\" tls = true"),
     "outbind_listen: there is no TLS for outbind"},
    {IN_CARRIER("outbind_listen = \"localhost:2776\""), "outbind_listen: "},
    {CARRIER
     "outbind_listen = \"127.0.0.1:2776\" outbind_system_id = \"s\" outbind_password = \"p\" }\n"
     "carrier \"two\" { host='h' system_id='s' password='p' outbind_listen = \"127.0.0.1:2776\"\n"
     "outbind_system_id = \"s\" outbind_password = \"p\" }\n" ROUTE "}",
     "carrier two: outbind_listen: carrier acme listens there already"},
    {IN_CARRIER("bind = \"trx\""),
     "bind: \"trx\" is none of transceiver, transmitter+receiver, receiver, transmitter"},
    {CARRIER "}\nroute \"r\" { carriers = {\"acme\", \"acme\"} }",
     "\"acme\" stands in the list twice"},
    {CARRIER "}\nroute \"r\" { carriers = {\"acme:3\"} }",
     "weights of carriers are not available yet"},
    {IN_CARRIER("hosts = {\"b\"}"), "t.conf:5: carrier acme: hosts: host is set as well"},
    {"carrier \"acme\" {\n system_id = \"me\"\n password = \"x\" }\n" ROUTE "}",
     "t.conf:1: carrier acme: host: is missing"},
    {"carrier \"acme\" {\n host = \"h\"\n password = \"x\" }\n" ROUTE "}",
     "t.conf:1: carrier acme: system_id: is missing"},
    {"carrier \"acme\" { host = \"h:2775\" }\n" ROUTE "}",
     "acme: host: a host name or an address alone"},
    {"carrier \"acme\" { hosts = {\"h\", \"192.0.2.300\"} }\n" ROUTE "}",
     "hosts: a host name or an"},
    {"carrier \"acme\" { host = \"h\"\n system_id = \"1234567890123456\" }\n" ROUTE "}",
     "t.conf:2: carrier acme: system_id: 16 octets long, 15 at most"},
    {"carrier \"acme\" { host = \"h\"\n system_id = \"a\" }\n" ROUTE "}",
     "t.conf:1: carrier acme: password_file: is missing, and so is password"},
    {IN_CARRIER("password_file = \"acme.pass\""),
     "t.conf:4: carrier acme: password: password_file is set as well"},
    {"carrier \"acme\" { host = \"h\"\n system_id = \"a\"\n password = \"123456789\" }\n" ROUTE "}",
     "t.conf:3: carrier acme: password: 9 octets long, 8 at most"},
    {IN_CARRIER("backoff_min_ms = 2000\nbackoff_max_ms = 1000"),
     "t.conf:6: carrier acme: backoff_max_ms: less than backoff_min_ms, which is 2000"},
    {ON_TOP("store { url = \"rediss://h\" }"), "t.conf:1: store: url: not available yet"},
    {ON_TOP("store { url = \"sentinel://h/x\" }"), "store: url: not available yet"},
    {ON_TOP("store { url = \"cluster://h\" }"), "store: url: not available yet"},
    {ON_TOP("store {\n\n url = \"http://h\" }"), "t.conf:3: store: url: "},
    {ON_TOP("store { password = \"x\" }"), "password: unknown key, did you mean password_file?"},
    {ON_TOP("verify_socket { tcp = \"0.0.0.0:2777\" }"),
     "t.conf:1: verify_socket: tcp: 0.0.0.0:2777 is not loopback and there is no TLS"},
    {ON_TOP("verify_socket { tcp = \"[::]:2777\" }"), "tcp: [::]:2777 is not loopback"},
    {ON_TOP("verify_socket { tcp = \"127.0.0.1\" }"), "tcp: an address with a port 1..65535"},
    {ON_TOP("verify_socket { tcp = \"::1\" }"), "tcp: an address with a port 1..65535"},
    {ON_TOP("verify_socket { tcp = \"127.0.0.1:0\" }"), "tcp: an address with a port 1..65535"},
    {ON_TOP("verify_socket { tcp = \"127.0.0.1:65536\" }"), "tcp: an address with a port"},
    {ON_TOP("verify_socket { tcp = \"127.0.0.1:27x\" }"), "tcp: an address with a port"},
    {ON_TOP("verify_socket { tcp = \":2777\" }"), "tcp: an address with a port"},
    {ON_TOP("verify_socket { tcp = \"localhost:2777\" }"), "tcp: an address with a port"},
    {ON_TOP("verify_socket { unix = \"\" }"),
     "t.conf:1: verify_socket: unix: tcp is empty as well"},
    {ON_TOP("verify_socket { unix = \"/run/pinbind/admin.sock\" }"),
     "the admin socket has the same"},
    {ON_TOP("verify_socket { unix_account = \"-x\" }"), "unix_account: the name of an account"},
    {ON_TOP("http { listen = \"127.0.0.1\" }"), "http: listen: an address with a port 1..65535"},
    {ON_TOP("http { listen = \"0.0.0.0:8080\" }"),
     "t.conf:1: http: listen: 0.0.0.0:8080 is not loopback and there is no TLS"},
    {ON_TOP("http { noc_listen = \"[::]:81\" }"), "noc_listen: [::]:81 is not loopback"},
    {ON_TOP("http { noc_listen = \"127.0.0.1:8080\" }"), "noc_listen: the same address as listen"},
    {ON_TOP("http { tls_cert_file = \"c\" }"), "http: tls_key_file: is missing"},
    {ON_TOP("http {\n tls_key_file = \"k\" }"), "t.conf:1: http: tls_cert_file: is missing"},
    {IN_CARRIER("tls_name = \"x\""),
     "t.conf:5: carrier acme: tls_name: without TLS it is of no use: set tls = true"},
    {IN_CARRIER("tls_ca_file = \"x\""), "tls_ca_file: without TLS"},
    {IN_CARRIER("tls = true\ntls_cert_file = \"c\""),
     "carrier acme: tls_key_file: is missing: a certificate and its key go together"},
    {IN_CARRIER("tls = true\ntls_key_file = \"k\""), "tls_cert_file: is missing"},
    {IN_CARRIER("tls = true\ntls_name = \"a b\""), "carrier acme: tls_name: "},
    {ON_TOP("http { max_body = 1023 }"), "max_body: 1023 is out of range, 1024..16777216"},
    /* not available yet */
    {ON_TOP("http { operator_key_file = \"k\" }"),
     "t.conf:1: http: operator_key_file: not available"},
    {ON_TOP("number_context { }"), "t.conf:1: number_context: not available yet"},
    {ON_TOP("source \"s\" { type = \"enum\" }"), "t.conf:1: source: not available yet"},
    {ON_TOP("policy = \"strict\""),
     "t.conf:1: policy: not available yet, only = standard would do"},
    {IN_CARRIER("rate = 100001"),
     "t.conf:5: carrier acme: rate: 100001 is out of range, 0..100000"},
    {IN_CARRIER("rate_per_bind = -1"), "rate_per_bind: -1 is out of range, 0..100000"},
    {IN_ROUTE("mccmnc = {\"21901\"}"), "t.conf:8: route default: mccmnc: not available yet"},
    {IN_ROUTE("receipt_patience_s = 30"), "receipt_patience_s: not available yet, only = 0 would"},
    {ON_TOP("verify_socket { tls_cert_file = \"a\" }"), "tls_cert_file: not available yet"},
};

static void each_mistake_is_named_with_file_line_and_key(void **state)
{
    int failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct config *config = (struct config *)1;
        struct config_error error;
        write_file("t.conf", mistakes[i].text);
        int err = config_load(path_of("t.conf"), &config, &error);
        if (!err || !strstr(error.text, mistakes[i].expected)) {
            print_error("%s\n-> %s\nbut expected %s\n", mistakes[i].text, error.text,
                        mistakes[i].expected);
            failed++;
        }
        assert_null(config);
        assert_true(strncmp(error.text, folder, strlen(folder)) == 0);
    }
    assert_int_equal(failed, 0);
}

static void expect_error(const char *name, int expected_err, const char *expected)
{
    struct config *config;
    struct config_error error;
    int err = config_load(path_of(name), &config, &error);
    if (err != expected_err || !strstr(error.text, expected))
        fail_msg("%s: %s\nbut expected %s: %s", err_name(err), error.text, err_name(expected_err),
                 expected);
}

static void a_file_that_cannot_be_read_is_an_error_that_says_why(void **state)
{
    (void)state;
    expect_error("absent.conf", ERR_NOTFOUND, "/absent.conf: cannot be opened: No such file");
    expect_error(".", ERR_IO, "/.: not a regular file");
    if (geteuid() != 0) {
        write_octets("closed.conf", "", 0, 0);
        expect_error("closed.conf", ERR_IO, "cannot be opened: Permission denied");
    }
}

static void a_file_of_more_than_a_mebibyte_is_refused(void **state)
{
    (void)state;
    char *big = malloc((1 << 20) + 1);
    memset(big, '\n', (1 << 20) + 1);
    write_octets("big.conf", big, (1 << 20) + 1, 0640);
    expect_error("big.conf", ERR_TOOLONG, "/big.conf: longer than 1048576 octets");
    write_octets("big.conf", big, 1 << 20, 0640);
    expect_error("big.conf", ERR_INVALID, "carrier: there is none");
    free(big);
}

static void a_nul_octet_is_refused_with_its_line(void **state)
{
    (void)state;
    write_octets("nul.conf", "\n\nnode = \"a\0b\"\n", 15, 0640);
    expect_error("nul.conf", ERR_INVALID, "/nul.conf:3: a NUL octet");
}

static void what_is_not_there_yet_is_told_from_what_is_wrong(void **state)
{
    (void)state;
    write_file("t.conf", ON_TOP("number_context { }"));
    expect_error("t.conf", ERR_UNSUPPORTED, "number_context: not available yet");
    write_file("t.conf", ON_TOP("verify_socket { unix_tls = true }"));
    expect_error("t.conf", ERR_UNSUPPORTED, "unix_tls: not available yet");
}

static void expect_password_error(const char *file, const char *expected)
{
    char text[400];
    snprintf(text, sizeof text,
             "carrier \"acme\" {\n host = \"h\"\n system_id = \"a\"\n password_file = \"%s\"\n}\n"
             "%s}\n",
             file, ROUTE);
    write_file("t.conf", text);
    expect_error("t.conf", ERR_INVALID, expected);
}

static void a_password_file_that_will_not_do_is_named(void **state)
{
    (void)state;
    expect_password_error("absent.pass", "t.conf:4: carrier acme: password_file: there is no file");
    expect_password_error("wide.pass", "wide.pass must be readable by pinbind and not by others");
    expect_password_error("empty.pass", "empty.pass must be a file with the password on its first");
    expect_password_error("long.pass", "password_file: the password has 9 octets, SMPP allows 8");
    write_file("t.conf", ON_TOP("store { password_file = \"absent.pass\" }"));
    expect_error("t.conf", ERR_INVALID, "t.conf:1: store: password_file: there is no file");
}

static void no_secret_stands_in_an_error(void **state)
{
    static const char *const texts[] = {"password = \"hunter2hunter2\"",
                                        "password = hunter2",
                                        "password = \"hunter2${x}\"",
                                        "password = \"hunter2\\x\"",
                                        "password = \"hunter2",
                                        "password = {\"hunter2\"}",
                                        "password = \"hunter2\" password = \"hunter2\"",
                                        "password hunter2"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config *config;
        struct config_error error;
        char text[300];
        snprintf(text, sizeof text,
                 "carrier \"a\" {\nhost = \"h\" system_id = \"a\"\n%s\n}\n" ROUTE "}", texts[i]);
        write_file("t.conf", text);
        assert_int_equal(config_load(path_of("t.conf"), &config, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "t.conf:3: "));
        assert_null(strstr(error.text, "hunter"));
    }
}

static void a_unix_path_is_measured_when_it_is_absolute(void **state)
{
    (void)state;
    char text[400], name[108];
    size_t n = 107 - strlen(folder) - 1;
    memset(name, 'x', sizeof name);
    name[n] = '\0';
    snprintf(text, sizeof text, "admin { unix = \"%s\" }\n%s}\n%s}\n", name, CARRIER, ROUTE);
    struct config *config = load_text(text);
    assert_int_equal(strlen(config->admin.unix_path), 107);
    config_free(config);
    snprintf(text, sizeof text, "admin { unix = \"%sx\" }\n%s}\n%s}\n", name, CARRIER, ROUTE);
    write_file("t.conf", text);
    expect_error("t.conf", ERR_INVALID,
                 "t.conf:1: admin: unix: 108 octets long as an absolute path");
}

static void more_sections_than_the_limit_are_refused(void **state)
{
    (void)state;
    char *text = calloc(257, 40), *p = text;
    for (int i = 0; i < 257; i++)
        p += sprintf(p, "carrier \"c%d\" {}\n", i);
    write_file("t.conf", text);
    free(text);
    expect_error("t.conf", ERR_INVALID, "t.conf:257: carrier c256: more than 256");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named_with_file_line_and_key),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_that_says_why),
        cmocka_unit_test(a_file_of_more_than_a_mebibyte_is_refused),
        cmocka_unit_test(a_nul_octet_is_refused_with_its_line),
        cmocka_unit_test(what_is_not_there_yet_is_told_from_what_is_wrong),
        cmocka_unit_test(a_password_file_that_will_not_do_is_named),
        cmocka_unit_test(no_secret_stands_in_an_error),
        cmocka_unit_test(a_unix_path_is_measured_when_it_is_absolute),
        cmocka_unit_test(more_sections_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
