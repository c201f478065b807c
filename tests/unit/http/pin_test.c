/* What a server shows, and whether its authority is the one that was pinned; and that nothing else is said. */
#include "base/clock.h"
#include "base/text.h"
#include "http/pin.h"
#include "unit/http/pki.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000
#define IMPATIENCE_MS 300

enum shows { LEAF_AND_CA, LEAF_ALONE, BY_TLS12, ASKS_FOR_A_CERTIFICATE, NOT_TLS, SILENCE, HANGS_UP, NOBODY };

static struct row {
	const char *name;
	enum shows shows;
	enum pinned { CA, STRANGER, LEAF } pinned;
	enum mu_rc want;
	const char *says;
} rows[] = {
	{ "the authority is in the chain",		LEAF_AND_CA, CA, MU_OK, NULL },
	{ "the server asks who we are",			ASKS_FOR_A_CERTIFICATE, CA, MU_OK, NULL },
	{ "another authority was pinned",		LEAF_AND_CA, STRANGER, MU_ECONFIG,
	    "the server's authority is not the one that was pinned: expected " },
	{ "the server's own certificate was pinned",	LEAF_AND_CA, LEAF, MU_ECONFIG, "is no authority" },
	{ "the chain has no authority",			LEAF_ALONE, CA, MU_ECONFIG, "is not the one that was pinned" },
	{ "TLS 1.2 alone is spoken",			BY_TLS12, CA, MU_ECONFIG, "no TLS 1.3" },
	{ "no TLS is spoken",				NOT_TLS, CA, MU_ECONFIG, "no TLS 1.3" },
	{ "the server hangs up",			HANGS_UP, CA, MU_ERETRY, NULL },
	{ "the server stays silent",			SILENCE, CA, MU_ERETRY, "too slow" },
	{ "nobody is there",				NOBODY, CA, MU_ERETRY, "cannot reach" },
};

static struct pki_cert authority, stranger, leaf;

static void
fingerprint(const struct pki_cert *cert, unsigned char out[HTTP_PIN_BYTES])
{
	size_t size = HTTP_PIN_BYTES;

	pki_must(gnutls_x509_crt_get_fingerprint(cert->crt, GNUTLS_DIG_SHA256, out, &size));
}

/* The child's TLS: shakes hands and ends with status 0 if not a byte came after that. */
static int
tls_serve(int fd, enum shows shows)
{
	MU_AUTO(mu_buf_clear) struct mu_buf chain = MU_BUF_INIT;
	const gnutls_datum_t key = { leaf.key_pem.bytes, (unsigned)leaf.key_pem.size_bytes };
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t pem;
	gnutls_session_t session;
	char byte;
	int status;

	pki_must(gnutls_certificate_allocate_credentials(&credentials));
	mu_buf_format(&chain, "%s%s", leaf.cert_pem, shows == LEAF_ALONE ? "" : authority.cert_pem);
	pem = (gnutls_datum_t){ (unsigned char *)chain.data, (unsigned)chain.size_bytes };
	pki_must(gnutls_certificate_set_x509_key_mem(credentials, &pem, &key, GNUTLS_X509_FMT_PEM));
	pki_must(gnutls_init(&session, GNUTLS_SERVER));
	pki_must(gnutls_priority_set_direct(session,
	    shows == BY_TLS12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", NULL));
	pki_must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
	if (shows == ASKS_FOR_A_CERTIFICATE)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_transport_set_int(session, fd);
	do
		status = gnutls_handshake(session);
	while (status < 0 && gnutls_error_is_fatal(status) == 0);
	if (status < 0)
		(void)gnutls_alert_send_appropriate(session, status);
	return status == 0 && gnutls_record_recv(session, &byte, 1) > 0 ? 1 : 0;
}

static int
serve_once(int listen_fd, enum shows shows)
{
	int fd = accept(listen_fd, NULL, NULL), status = 0;
	char bytes[4096];

	if (shows == SILENCE) {
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
	} else if (shows == NOT_TLS) {
		(void)!write(fd, "220 smtp.example.org ESMTP\r\n", 28);
		(void)!read(fd, bytes, sizeof(bytes));
	} else if (shows != HANGS_UP) {
		status = tls_serve(fd, shows);
	}
	return status;
}

static pid_t
server_start(enum shows shows, int *out_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = 0;

	assert_int_equal(0, bind(fd, (struct sockaddr *)&in, size));
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&in, &size));
	*out_port = ntohs(in.sin_port);
	if (shows != NOBODY) {
		assert_int_equal(0, listen(fd, 4));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(serve_once(fd, shows));
	}
	(void)close(fd);
	return pid;
}

static void
pin_row(void **state)
{
	const struct row *r = *state;
	const struct pki_cert *pinned = r->pinned == CA ? &authority : r->pinned == LEAF ? &leaf : &stranger;
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT, hex = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	unsigned char print[HTTP_PIN_BYTES];
	int port, status = 0;
	pid_t pid = server_start(r->shows, &port);
	char url[64];
	enum mu_rc rc;

	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
	fingerprint(pinned, print);
	rc = http_pin_fetch(url, print,
	    mu_tick_ms() + (r->shows == SILENCE ? IMPATIENCE_MS : PATIENCE_MS), &pem, &err);
	if (rc != r->want)
		fail_msg("%s: %s", mu_rc_name(rc), err.text);
	if (r->want == MU_OK)
		assert_string_equal(authority.cert_pem, pem.data);
	else
		assert_int_equal(0, pem.size_bytes);
	if (r->says != NULL && strstr(err.text, r->says) == NULL)
		fail_msg("%s", err.text);
	if (r->pinned == STRANGER) {		/* both are named, and whom to ask */
		mu_hex_format(&hex, print, sizeof(print));
		assert_non_null(strstr(err.text, hex.data));
		mu_buf_reset(&hex);
		fingerprint(&authority, print);
		mu_hex_format(&hex, print, sizeof(print));
		assert_non_null(strstr(err.text, hex.data));
		assert_non_null(strstr(err.text, "ask whoever runs the server"));
	}
	if (pid > 0)
		assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(0, status);
}

static void
urls_that_are_none_are_refused(void **state)
{
	static const char *const urls[] = {
		"", "localhost", "http://localhost", "https://localhost/v1", "https://me@localhost", "ldaps://localhost",
		"https://localhost?x", "https://localhost#x",
	};
	const unsigned char print[HTTP_PIN_BYTES] = { 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(urls); i++) {
		struct mu_err err = MU_ERR_INIT;

		if (http_pin_fetch(urls[i], print, mu_tick_ms() + PATIENCE_MS, &pem, &err) != MU_ECONFIG)
			fail_msg("%s: %s", urls[i], err.text);
	}
}

static int
all_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	pki_make(&authority, NULL, "Test authority", NULL, 99);
	pki_make(&stranger, NULL, "Stranger", NULL, 99);
	pki_make(&leaf, &authority, "localhost", GNUTLS_KP_TLS_WWW_SERVER, 9);
	return 0;
}

static int
all_down(void **state)
{
	(void)state;
	pki_clear(&authority);
	pki_clear(&stranger);
	pki_clear(&leaf);
	return 0;
}

int
main(void)
{
	struct CMUnitTest tests[1 + MU_COUNT(rows)] = { cmocka_unit_test(urls_that_are_none_are_refused) };

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[1 + i] = (struct CMUnitTest){ rows[i].name, pin_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("pin", tests, all_up, all_down);
}
