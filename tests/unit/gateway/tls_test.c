/* TLS: what is loaded, what is spoken, and HTTP over it.  Certificates are made on the spot. */
#include "http_rig.h"

#include "gateway/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static char dir[] = "/tmp/pinbind-tls-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", dir, name);
    return out;
}

static void write_cert(const char *name, EVP_PKEY *key, long from_s, long to_s)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, n);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    X509_free(x);
}

static void write_key(const char *name, EVP_PKEY *key, const char *password)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    chmod(path_of(name), 0600);
    PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                         (void *)(uintptr_t)password);
    fclose(f);
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");
    write_cert("a.crt", a, 0, 86400);
    write_cert("expired.crt", a, -86400, -3600);
    write_cert("early.crt", a, 3600, 86400);
    write_cert("b.crt", b, 0, 86400);
    write_key("a.key", a, NULL);
    write_key("b.key", b, NULL);
    write_key("locked.key", a, "hidden");
    write_key("open.key", a, NULL);
    chmod(path_of("open.key"), 0644);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"a.crt", "expired.crt", "early.crt",  "b.crt",
                                        "a.key", "b.key",       "locked.key", "open.key"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(dir);
}

static struct tls *load(const char *cert, const char *key, char *why, size_t size)
{
    const struct tls_options o = {path_of(cert), path_of(key)};
    return tls_new(&o, why, size);
}

/* --- files
 * ----------------------------------------------------------------------------------------
 */

static void what_cannot_be_used_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *cert, *key, *says;
    } cases[] = {
        {"none.crt", "a.key", "none.crt: No such file"},
        {"a.key", "a.key", "no certificate in PEM form"},
        {"a.crt", "none.key", "none.key: No such file"},
        {"a.crt", "open.key", "chmod 640"},
        {"a.crt", "a.crt", "chmod 640"}, /* a certificate is for all to read */
        {"a.crt", "b.key", "not the key of the certificate"},
        {"a.crt", "locked.key", "without a password"},
        {"a.crt", "", "not a regular file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[400] = "";
        assert_null(load(cases[i].cert, cases[i].key, why, sizeof why));
        if (!strstr(why, cases[i].says))
            fail_msg("%s + %s: %s", cases[i].cert, cases[i].key, why);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void the_end_of_the_certificate_is_known_and_an_expired_one_is_still_taken(void **state)
{
    char why[200];
    struct tls *t = load("a.crt", "a.key", why, sizeof why);
    (void)state;
    assert_non_null(t);
    assert_in_range(tls_expires_ms(t) - wall_ms(), 86300000, 86400000);
    tls_unref(tls_ref(t));
    tls_unref(t);
    t = load("expired.crt", "a.key", why, sizeof why);
    assert_non_null(t);
    assert_in_range(wall_ms() - tls_expires_ms(t), 3600000, 3700000);
    tls_unref(t);
    t = load("early.crt", "a.key", why, sizeof why);
    assert_non_null(t);
    tls_unref(t);
}

/* --- HTTP over it
 * ---------------------------------------------------------------------------------
 */

struct secure {
    struct client *c;
    SSL_CTX *ctx;
    SSL *ssl;
    bool is_ended; /* by close_notify */
};

static int tls_setup(void **state)
{
    char why[200];
    rig_setup(state);
    struct rig *g = *state;
    struct tls *t = load("a.crt", "a.key", why, sizeof why);
    assert_non_null(t);
    http_server_set_tls(g->server, t);
    tls_unref(t); /* the server has its own */
    return 0;
}

static struct secure secure_new(struct rig *g, int version)
{
    struct secure s = {client_new(g), SSL_CTX_new(TLS_client_method()), NULL, false};
    SSL_CTX_set_security_level(s.ctx, 0);
    SSL_CTX_set_min_proto_version(s.ctx, version);
    SSL_CTX_set_max_proto_version(s.ctx, version);
    s.ssl = SSL_new(s.ctx);
    SSL_set_fd(s.ssl, s.c->fd);
    SSL_set_connect_state(s.ssl);
    return s;
}

static bool shake_hands(struct rig *g, struct secure *s)
{
    for (int i = 0; i < 20; i++) {
        int rc = SSL_do_handshake(s->ssl);
        if (rc == 1)
            return true;
        if (SSL_get_error(s->ssl, rc) != SSL_ERROR_WANT_READ)
            break;
        rig_turn(g);
    }
    ERR_clear_error();
    return false;
}

static void secure_read(struct rig *g, struct secure *s)
{
    for (int idle = 0; idle < 3; idle++) {
        int n;
        rig_turn(g);
        while ((n = SSL_read(s->ssl, s->c->got + s->c->len,
                             (int)(sizeof s->c->got - 1 - s->c->len))) > 0) {
            s->c->len += (size_t)n;
            idle = 0;
        }
        s->is_ended = SSL_get_error(s->ssl, n) == SSL_ERROR_ZERO_RETURN;
        ERR_clear_error();
    }
    s->c->got[s->c->len] = 0;
}

static void secure_say(struct rig *g, struct secure *s, const char *text)
{
    SSL_write(s->ssl, text, (int)strlen(text));
    secure_read(g, s);
}

static void secure_free(struct rig *g, struct secure *s)
{
    client_free(g, s->c);
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    ERR_clear_error();
}

static struct http_info info_of(const struct rig *g)
{
    struct http_info info;
    http_server_info(g->server, &info);
    return info;
}

static void tls_1_2_and_1_3_are_spoken_and_older_ones_are_not(void **state)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION, TLS1_1_VERSION, TLS1_VERSION};
    struct rig *g = *state;
    for (size_t i = 0; i < 4; i++) {
        struct secure s = secure_new(g, versions[i]);
        bool is_shaken = shake_hands(g, &s);
        assert_int_equal(is_shaken, i < 2);
        if (is_shaken) {
            secure_say(g, &s, GET("/1"));
            secure_say(g, &s, GET("/2"));
            assert_string_equal(client_outcome(s.c), "200 200");
        }
        secure_free(g, &s);
    }
    assert_int_equal(info_of(g).tls_failures, 2);
    assert_int_equal(info_of(g).connections, 0);
}

static void of_tls_1_2_only_forward_secret_aead_ciphers_are_taken(void **state)
{
    static const struct {
        const char *cipher;
        bool good;
    } cases[] = {{"ECDHE-ECDSA-AES128-GCM-SHA256", true},
                 {"ECDHE-ECDSA-CHACHA20-POLY1305", true},
                 {"ECDHE-ECDSA-AES128-SHA256", false},
                 {"ECDHE-ECDSA-AES256-SHA", false},
                 {"AES128-GCM-SHA256", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secure s = secure_new(*state, TLS1_2_VERSION);
        assert_int_equal(SSL_set_cipher_list(s.ssl, cases[i].cipher), 1);
        assert_int_equal(shake_hands(*state, &s), cases[i].good);
        secure_free(*state, &s);
    }
}

static void a_renegotiation_is_refused(void **state)
{
    struct rig *g = *state;
    struct secure s = secure_new(g, TLS1_2_VERSION);
    assert_true(shake_hands(g, &s));
    secure_say(g, &s, GET("/"));
    SSL_renegotiate(s.ssl);
    assert_false(shake_hands(g, &s));
    assert_string_equal(client_outcome(s.c), "200");
    secure_free(g, &s);
    assert_int_equal(info_of(g).connections, 0);
}

static void plain_http_on_the_tls_port_is_a_failed_handshake(void **state)
{
    struct client *c = client_new(*state);
    client_say(*state, c, GET("/"));
    client_wait_closed(*state, c);
    assert_null(strstr(c->got, "HTTP/1.1 "));
    assert_int_equal(info_of(*state).tls_failures, 1);
    client_free(*state, c);
}

static void a_handshake_that_does_not_come_is_closed_without_a_word(void **state)
{
    rig_set_deadline(*state, offsetof(struct http_limits, request_timeout_s));
    struct client *c = client_new(*state);
    struct mono start = mono_now();
    client_say(*state, c, "\x16");
    client_wait_closed(*state, c);
    assert_in_range(mono_diff_ms(mono_now(), start), 900, 3000);
    assert_int_equal(c->len, 0);
    assert_int_equal(info_of(*state).timeouts, 1);
    client_free(*state, c);
}

static void the_last_answer_is_followed_by_the_end_of_tls(void **state)
{
    static const char *const last[] = {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct secure s = secure_new(*state, TLS1_3_VERSION);
        assert_true(shake_hands(*state, &s));
        secure_say(*state, &s, last[i]);
        assert_string_equal(client_outcome(s.c), i ? "400" : "200");
        assert_true(s.is_ended);
        secure_free(*state, &s);
    }
    assert_int_equal(info_of(*state).connections, 0);
}

static void a_body_and_an_answer_of_many_records_come_whole(void **state)
{
    static char raw[4096];
    struct rig *g = *state;
    struct secure s = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &s));
    g->big_len = 900000;
    g->big = malloc(g->big_len);
    memset(g->big, 'x', g->big_len);
    int at = snprintf(raw, sizeof raw,
                      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
    memset(raw + at, 'b', 2000);
    for (const char *p = raw; *p; p += 68) {
        SSL_write(s.ssl, p, (int)strnlen(p, 68));
        rig_turn(g);
    }
    secure_read(g, &s);
    assert_true(s.c->len > 900000);
    assert_string_equal(client_outcome(s.c), "200");
    assert_non_null(strstr(g->seen, "bbbb]"));
    secure_free(g, &s);
}

static void what_is_pipelined_without_end_waits_while_the_handler_works(void **state)
{
    struct rig *g = *state;
    struct secure s = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &s));
    g->hold = true;
    size_t n = 0;
    while (SSL_write(s.ssl, GET("/"), (int)strlen(GET("/"))) > 0) {
        rig_turn(g);
        n++;
    }
    ERR_clear_error();
    assert_true(n > 700 && n < 100000); /* more than the input takes at a time */
    assert_int_equal(g->n_handed, 1);
    for (size_t i = 1; i < n; i++) {
        rig_release(g);
        s.c->len = 0;
        secure_read(g, &s);
        assert_int_equal(g->n_handed, i + 1);
    }
    secure_free(g, &s);
}

static void a_client_that_is_gone_without_a_word_is_no_harm(void **state)
{
    struct rig *g = *state;
    struct secure s = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &s));
    g->hold = true;
    secure_say(g, &s, GET("/"));
    secure_free(g, &s);
    rig_release(g);
    rig_turn(g);
    assert_int_equal(info_of(g).connections, 0);
    assert_int_equal(info_of(g).tls_failures, 0);
}

static void a_client_that_says_its_end_still_gets_its_answer(void **state)
{
    struct rig *g = *state;
    struct secure s = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &s));
    g->hold = true;
    secure_say(g, &s, GET("/"));
    SSL_shutdown(s.ssl);
    rig_turn(g);
    rig_release(g);
    secure_read(g, &s);
    assert_string_equal(client_outcome(s.c), "200");
    assert_int_equal(info_of(g).connections, 0);
    secure_free(g, &s);
}

static void a_client_that_says_its_end_while_its_answer_is_written_gets_all_of_it(void **state)
{
    struct rig *g = *state;
    g->big_len = 900000; /* more than the socket takes */
    g->big = malloc(g->big_len);
    memset(g->big, 'x', g->big_len);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct secure s = secure_new(g, version);
        assert_true(shake_hands(g, &s));
        SSL_write(s.ssl, GET("/"), (int)strlen(GET("/")));
        rig_turn(g);
        SSL_shutdown(s.ssl);
        secure_read(g, &s);
        assert_true(s.c->len > 900000);
        assert_true(s.is_ended);
        secure_free(g, &s);
    }
}

static void a_new_certificate_is_for_connections_from_then_on(void **state)
{
    char why[200], name[40];
    struct rig *g = *state;
    struct secure old = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &old));
    struct tls *t = load("b.crt", "b.key", why, sizeof why);
    http_server_set_tls(g->server, t);
    tls_unref(t);
    struct secure fresh = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &fresh));
    X509 *x = SSL_get1_peer_certificate(fresh.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
    assert_string_equal(name, "b.crt");
    X509_free(x);
    secure_say(g, &old, GET("/"));
    secure_say(g, &fresh, GET("/"));
    assert_string_equal(client_outcome(old.c), "200");
    assert_string_equal(client_outcome(fresh.c), "200");
    secure_free(g, &old);
    secure_free(g, &fresh);
}

static void a_server_is_freed_with_tls_connections_in_every_state(void **state)
{
    struct rig *g = *state;
    struct secure s[3];
    for (int i = 0; i < 3; i++)
        s[i] = secure_new(g, TLS1_3_VERSION);
    assert_true(shake_hands(g, &s[1]) && shake_hands(g, &s[2]));
    g->hold = true;
    secure_say(g, &s[2], GET("/"));
    http_server_free(g->server);
    g->server = NULL;
    secure_read(g, &s[1]);
    assert_true(s[1].is_ended);
    for (int i = 0; i < 3; i++)
        secure_free(g, &s[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tls_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_used_is_refused_with_a_sentence),
        cmocka_unit_test(the_end_of_the_certificate_is_known_and_an_expired_one_is_still_taken),
        TEST(tls_1_2_and_1_3_are_spoken_and_older_ones_are_not),
        TEST(of_tls_1_2_only_forward_secret_aead_ciphers_are_taken),
        TEST(a_renegotiation_is_refused),
        TEST(plain_http_on_the_tls_port_is_a_failed_handshake),
        TEST(a_handshake_that_does_not_come_is_closed_without_a_word),
        TEST(the_last_answer_is_followed_by_the_end_of_tls),
        TEST(a_body_and_an_answer_of_many_records_come_whole),
        TEST(what_is_pipelined_without_end_waits_while_the_handler_works),
        TEST(a_client_that_is_gone_without_a_word_is_no_harm),
        TEST(a_client_that_says_its_end_still_gets_its_answer),
        TEST(a_client_that_says_its_end_while_its_answer_is_written_gets_all_of_it),
        TEST(a_new_certificate_is_for_connections_from_then_on),
        TEST(a_server_is_freed_with_tls_connections_in_every_state),
    };
    log_set_level(LOG_LV_ERROR);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
