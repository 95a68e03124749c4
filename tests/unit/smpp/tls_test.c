/* TLS to an SMSC: who is believed, what counts as left, and what is read.  The other end is OpenSSL
 * on the other socket of a pair; certificates are made on the spot. */
#include "peer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/reap.h"
#include "smpp/smpp_conn.h"
#include "smpp/smpp_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define DAY 86400

static char dir[] = "/tmp/pinbind-smpptls-XXXXXX";
static EVP_PKEY *ca_key, *key;
static X509 *ca;

static const char *path_of(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", dir, name);
    return out;
}

/* names as in subjectAltName; NULL: one that signs others. */
static X509 *make_cert(const char *names, long from_s, long to_s)
{
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), names ? 2 : 1);
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    X509_set_pubkey(x, names ? key : ca_key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)(names ? "leaf" : "ca"), -1, -1, 0);
    X509_set_issuer_name(x, names ? X509_get_subject_name(ca) : X509_get_subject_name(x));
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL,
                                            names ? NID_subject_alt_name : NID_basic_constraints,
                                            names ? names : "critical,CA:TRUE");
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    assert_true(X509_sign(x, ca_key, EVP_sha256()) > 0);
    return x;
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int make_files(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    log_set_fd(-1);
    assert_non_null(mkdtemp(dir));
    ca_key = EVP_EC_gen("P-256");
    key = EVP_EC_gen("P-256");
    ca = make_cert(NULL, 0, DAY);
    FILE *f = fopen(path_of("ca.pem"), "w");
    PEM_write_X509(f, ca);
    fclose(f);
    f = fopen(path_of("key.pem"), "w");
    chmod(path_of("key.pem"), 0600);
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    write_text("empty.pem", "");
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"ca.pem", "key.pem", "empty.pem"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rmdir(dir);
}

/* --- both ends --- */

static struct event_base *base;
static struct reap *reap;
static struct smpp_conn *conn;
static SSL *server;
static SSL_CTX *server_ctx;
static int server_fd;
static unsigned n_open, n_frames, n_lost, n_blocked;
static uint32_t last_len;
static char lost_reason[100], sni[100];

static void on_open(void *arg)
{
    (void)arg;
    n_open++;
}

static void on_frame(void *arg, const struct smpp_frame *frame)
{
    (void)arg;
    n_frames++;
    last_len = (uint32_t)frame->len;
    conn->answers_owed++;
}

static void on_blocked(void *arg)
{
    (void)arg;
    n_blocked++;
    smpp_conn_retract(conn);
}

static void on_nothing(void *arg)
{
    (void)arg;
}

/* Its memory goes with the turn. */
static void hang_up(void)
{
    if (conn)
        smpp_conn_close(conn);
    conn = NULL;
}

static void on_lost(void *arg, const char *reason)
{
    (void)arg;
    n_lost++;
    snprintf(lost_reason, sizeof lost_reason, "%s", reason);
    hang_up();
}

static const struct smpp_conn_cbs cbs = {on_open,    on_frame,   on_blocked,
                                         on_nothing, on_nothing, on_lost};

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    reap = reap_new(base);
    conn = NULL;
    server = NULL;
    server_ctx = NULL;
    server_fd = -1;
    n_open = n_frames = n_lost = n_blocked = 0;
    lost_reason[0] = sni[0] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hang_up();
    reap_free(reap);
    SSL_free(server);
    SSL_CTX_free(server_ctx);
    if (server_fd >= 0)
        close(server_fd);
    event_base_free(base);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

static void dial(const char *name, X509 *cert)
{
    const struct smpp_carrier_options o = {.tls = true, .tls_ca_file = path_of("ca.pem")};
    struct smpp_conn_params p = {.base = base, .reap = reap, .cbs = &cbs, .max_answers_owed = 10};
    char why[200];
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    server_fd = fds[1];
    server_ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server_ctx, cert);
    SSL_CTX_use_PrivateKey(server_ctx, key);
    X509_free(cert);
    server = SSL_new(server_ctx);
    SSL_set_fd(server, server_fd);
    SSL_set_accept_state(server);
    SSL_CTX *ctx = smpp_tls_context(&o, why, sizeof why);
    assert_non_null(ctx);
    p.tls = smpp_tls_new(ctx, name);
    SSL_CTX_free(ctx);
    assert_non_null(p.tls);
    conn = smpp_conn_new(&p, fds[0]);
    assert_non_null(conn);
}

static void turn(void)
{
    struct timeval soon = {0, 1000};
    event_base_loopexit(base, &soon);
    event_base_dispatch(base);
    ERR_clear_error(); /* of the server */
}

/* As UNTIL(), where nothing ticks. */
#define UNTIL_TURNS(condition)                                                                     \
    do {                                                                                           \
        time_t until_ = time(NULL) + PEER_PATIENT;                                                 \
        for (; !(condition); turn())                                                               \
            if (time(NULL) > until_)                                                               \
                fail_msg("waited in vain for: %s", #condition);                                    \
    } while (0)

static void shake_hands(void)
{
    for (int i = 0; i < 2000 && !n_open && !n_lost; i++) {
        SSL_do_handshake(server);
        turn();
    }
    SSL_do_handshake(server);
    const char *name = SSL_get_servername(server, TLSEXT_NAMETYPE_host_name);
    snprintf(sni, sizeof sni, "%s", name ? name : "");
    ERR_clear_error();
}

static void open_up(void)
{
    dial("smsc.example.net", make_cert("DNS:smsc.example.net", 0, DAY));
    shake_hands();
    assert_int_equal(n_open, 1);
}

static void put_header(uint8_t *p, size_t len)
{
    memset(p, 0, len);
    peer_put32(p, (uint32_t)len);
    peer_put32(p + 4, 5);
    peer_put32(p + 12, 1);
}

/* --- who is believed --- */

static void only_a_chain_and_a_name_that_fit_are_believed(void **state)
{
    static const struct {
        const char *dialled, *names;
        long from, to;
        const char *reason, *sni;
    } cases[] = {
        {"smsc.example.net", "DNS:smsc.example.net", 0, DAY, "", "smsc.example.net"},
        {"smsc.example.net", "DNS:*.example.net", 0, DAY, "", "smsc.example.net"},
        {"smsc.example.net.", "DNS:smsc.example.net", 0, DAY, "", "smsc.example.net"},
        {"smsc.example.net.", "DNS:smsc.example.org", 0, DAY, "hostname mismatch", ""},
        {"127.0.0.1", "IP:127.0.0.1", 0, DAY, "", ""},
        {"::1", "IP:::1", 0, DAY, "", ""},
        {"smsc.example.net", "DNS:s*.example.net", 0, DAY, "hostname mismatch", ""},
        {"smsc.example.net", "DNS:example.net", 0, DAY, "hostname mismatch", ""},
        {"smsc.example.net", "IP:127.0.0.1", 0, DAY, "hostname mismatch", ""},
        {"127.0.0.1", "DNS:127.0.0.1", 0, DAY, "IP address mismatch", ""},
        {"127.0.0.1", "IP:127.0.0.1", -DAY, -60, "certificate has expired", ""},
        {"127.0.0.1", "IP:127.0.0.1", 60, DAY, "certificate is not yet valid", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[100] = "";
        dial(cases[i].dialled, make_cert(cases[i].names, cases[i].from, cases[i].to));
        shake_hands();
        if (*cases[i].reason)
            snprintf(want, sizeof want, "certificate verify failed: %s", cases[i].reason);
        assert_string_equal(lost_reason, want);
        assert_int_equal(n_open, *want ? 0 : 1);
        if (!*want)
            assert_string_equal(sni, cases[i].sni);
        teardown(state);
        setup(state);
    }
}

static void somebody_else_s_signature_is_not_believed(void **state)
{
    (void)state;
    EVP_PKEY *trusted = ca_key;
    ca_key = EVP_EC_gen("P-256");
    X509 *forged = make_cert("IP:127.0.0.1", 0, DAY);
    EVP_PKEY_free(ca_key);
    ca_key = trusted;
    dial("127.0.0.1", forged);
    shake_hands();
    assert_int_equal(n_open, 0);
    assert_non_null(strstr(lost_reason, "certificate verify failed: "));
}

static void what_is_spoken_and_the_end_of_the_certificate_are_known(void **state)
{
    (void)state;
    open_up();
    assert_string_equal(smpp_tls_version(conn->tls), "TLSv1.3");
    assert_in_range(smpp_tls_expires_ms(conn->tls) - wall_ms(), (DAY - 60) * 1000, DAY * 1000);
}

static void a_peer_that_hangs_up_in_the_handshake_is_lost(void **state)
{
    (void)state;
    dial("127.0.0.1", make_cert("IP:127.0.0.1", 0, DAY));
    shutdown(server_fd, SHUT_RDWR);
    UNTIL_TURNS(n_lost == 1);
    assert_int_equal(n_open, 0);
    assert_non_null(strstr(lost_reason, "TLS: "));
}

static void files_that_cannot_be_used_are_named(void **state)
{
    static const struct {
        const char *ca, *cert, *key, *says;
    } cases[] = {
        {"none.pem", NULL, NULL, "none.pem: No such file"},
        {"empty.pem", NULL, NULL, "empty.pem: no certificate in PEM form"},
        {"", NULL, NULL, "not a regular file"},
        {"ca.pem", "none.pem", "key.pem", "none.pem: No such file"},
        {"ca.pem", "ca.pem", "key.pem", "not the key of the certificate"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smpp_carrier_options o = {.tls = true, .tls_ca_file = path_of(cases[i].ca)};
        char why[400] = "";
        if (cases[i].cert) {
            o.tls_cert_file = path_of(cases[i].cert);
            o.tls_key_file = path_of(cases[i].key);
        }
        assert_null(smpp_tls_context(&o, why, sizeof why));
        if (!strstr(why, cases[i].says))
            fail_msg("%zu: %s", i, why);
    }
}

/* --- what goes --- */

static size_t server_reads(size_t want, uint8_t *last)
{
    uint8_t octets[4096];
    size_t total = 0, n;
    for (int idle = 0; idle < 200 && total < want;) {
        if (SSL_read_ex(server, octets, sizeof octets, &n) == 1) {
            total += n;
            *last = octets[n - 1];
            idle = 0;
        } else {
            idle++;
            turn();
        }
    }
    return total;
}

/* Data PDUs of 100 octets, the last octet of each is its number. */
static unsigned commit_data(unsigned most)
{
    unsigned n = 0;
    uint8_t *p;
    for (; n < most && (p = smpp_conn_reserve(conn, 100)); n++) {
        put_header(p, 100);
        p[99] = (uint8_t)n;
        smpp_conn_commit(conn, 100);
    }
    return n;
}

static void what_openssl_has_counts_as_left_and_nothing_else_goes_after_a_retract(void **state)
{
    uint8_t last = 0;
    int small = 8192;
    (void)state;
    open_up();
    setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    while (!n_blocked) {
        assert_true(commit_data(600) > 0);
        turn();
    }
    uint64_t left = conn->out.data_written + conn->out.begun; /* whole PDUs */
    assert_true(left > 0 && left % 100 == 0);
    assert_int_equal(smpp_output_data_end(&conn->out), left);
    assert_false(smpp_conn_is_writable(conn));
    assert_int_equal(server_reads((size_t)left + 1, &last), left);
    assert_int_equal(conn->out.data_written, left);
    assert_true(smpp_conn_is_writable(conn));
    assert_int_equal(commit_data(3), 3);
    assert_int_equal(server_reads(300, &last), 300);
    assert_int_equal(last, 2);
}

static void no_more_than_a_chunk_is_between_us_and_the_kernel(void **state)
{
    uint8_t octets[65536];
    (void)state;
    open_up();
    while (!n_blocked) {
        assert_true(commit_data(600) > 0);
        turn();
    }
    uint64_t counted = conn->out.data_written;
    ssize_t got, all = 0;
    /* what the kernel has, still enciphered: records with their heads and tags */
    while ((got = recv(server_fd, octets, sizeof octets, MSG_DONTWAIT)) > 0)
        all += got;
    assert_true((uint64_t)all + 4096 + 100 >= counted);
}

/* --- what comes --- */

static void server_says(const uint8_t *p, size_t len)
{
    size_t n;
    while (SSL_write_ex(server, p, len, &n) != 1)
        turn();
    assert_int_equal(n, len);
}

static void octets_that_openssl_holds_are_read_without_the_socket(void **state)
{
    /* The records do not fit the buffer's rest: the end of the last one stays in OpenSSL. */
    const size_t first = 100, record = 16384;
    size_t whole = SMPP_PDU_CAP;
    uint8_t *octets = malloc(whole + 200);
    (void)state;
    open_up();
    put_header(octets, whole);
    for (unsigned i = 0; i < 12; i++)
        put_header(octets + whole + 16 * i, 16);
    server_says(octets, first);
    for (size_t at = first; at < whole + 192; at += record)
        server_says(octets + at, whole + 192 - at < record ? whole + 192 - at : record);
    UNTIL_TURNS(n_frames == 13);
    assert_int_equal(last_len, 16);
    free(octets);
}

static void reading_goes_on_after_a_pause(void **state)
{
    enum { N = 3000 };
    static uint8_t octets[N * 16];
    (void)state;
    open_up();
    for (unsigned i = 0; i < N; i++)
        put_header(octets + 16 * i, 16);
    server_says(octets, sizeof octets);
    UNTIL_TURNS(conn->reading_paused);
    unsigned before = n_frames;
    assert_true(before < N);
    while (n_frames < N) {
        uint8_t last, answer[16];
        put_header(answer, sizeof answer);
        unsigned n = (unsigned)conn->answers_owed;
        for (unsigned i = 0; i < n; i++, conn->answers_owed--)
            assert_true(smpp_conn_control(conn, answer, sizeof answer));
        assert_int_equal(server_reads(n * 16, &last), n * 16);
        turn();
    }
}

static void server_says_a_header(void)
{
    uint8_t header[16];
    put_header(header, sizeof header);
    server_says(header, sizeof header);
}

/* The peer asks for new keys, which has us write while we read. */
static void q66_new_keys_in_mid_flow_are_taken(void **state)
{
    uint8_t last = 0;
    (void)state;
    open_up();
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
        server_says_a_header();
        UNTIL_TURNS(n_frames == i);
        assert_int_equal(commit_data(2), 2);
        assert_int_equal(server_reads(200, &last), 200);
    }
    assert_int_equal(n_lost, 0);
}

static void q66_nothing_is_renegotiated(void **state)
{
    (void)state;
    dial("smsc.example.net", make_cert("DNS:smsc.example.net", 0, DAY));
    SSL_set_max_proto_version(server, TLS1_2_VERSION);
    shake_hands();
    assert_int_equal(n_open, 1);
    assert_string_equal(smpp_tls_version(conn->tls), "TLSv1.2");
    server_says_a_header();
    UNTIL_TURNS(n_frames == 1);
    assert_int_equal(SSL_renegotiate(server), 1);
    SSL_do_handshake(server);
    for (int i = 0; i < 50; i++) {
        uint8_t octets[16];
        SSL_read(server, octets, sizeof octets);
        turn();
    }
    assert_true(SSL_renegotiate_pending(server));
    assert_int_equal(n_frames, 1);
}

static void the_end_by_the_peer_is_told_once(void **state)
{
    (void)state;
    open_up();
    SSL_shutdown(server);
    UNTIL_TURNS(n_lost == 1);
    assert_string_equal(lost_reason, "closed by the peer");
}

static void our_end_is_told_to_the_peer(void **state)
{
    uint8_t last;
    (void)state;
    open_up();
    hang_up();
    assert_int_equal(server_reads(1, &last), 0);
    assert_true(SSL_get_shutdown(server) & SSL_RECEIVED_SHUTDOWN);
}

static void octets_that_are_no_record_end_it(void **state)
{
    (void)state;
    open_up();
    assert_int_equal(send(server_fd, "\0\0\0\20\0\0\0\25\0\0\0\0\0\0\0\1", 16, 0), 16);
    UNTIL_TURNS(n_lost == 1);
    assert_non_null(strstr(lost_reason, "TLS: "));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(only_a_chain_and_a_name_that_fit_are_believed),
        T(somebody_else_s_signature_is_not_believed),
        T(what_is_spoken_and_the_end_of_the_certificate_are_known),
        T(a_peer_that_hangs_up_in_the_handshake_is_lost),
        cmocka_unit_test(files_that_cannot_be_used_are_named),
        T(what_openssl_has_counts_as_left_and_nothing_else_goes_after_a_retract),
        T(no_more_than_a_chunk_is_between_us_and_the_kernel),
        T(octets_that_openssl_holds_are_read_without_the_socket),
        T(reading_goes_on_after_a_pause),
        T(q66_new_keys_in_mid_flow_are_taken),
        T(q66_nothing_is_renegotiated),
        T(the_end_by_the_peer_is_told_once),
        T(our_end_is_told_to_the_peer),
        T(octets_that_are_no_record_end_it),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
