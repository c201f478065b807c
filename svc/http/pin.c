#include "http/pin.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/url_priv.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIORITIES	"SECURE128:-VERS-ALL:+VERS-TLS1.3"

/* What is open while one chain is fetched. */
struct pin {
	const char *url;
	int64_t deadline_ms;
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static void
pin_clear(struct pin *p)
{
	if (p->session != NULL)
		gnutls_deinit(p->session);
	if (p->credentials != NULL)
		gnutls_certificate_free_credentials(p->credentials);
	if (p->fd >= 0)
		(void)close(p->fd);
}

/* Waits until the socket is ready; false when time is up. */
static bool
wait_for(const struct pin *p, short events)
{
	struct pollfd at = { .fd = p->fd, .events = events };
	int64_t left_ms;
	int got;

	do {
		left_ms = p->deadline_ms - mu_tick_ms();
		if (left_ms <= 0)
			return false;
		got = poll(&at, 1, left_ms > 60000 ? 60000 : (int)left_ms);
	} while (got == 0 || (got < 0 && errno == EINTR));
	return got > 0;
}

/* Connects to one address. Otherwise errno says why not. */
static bool
address_connect(struct pin *p, const struct addrinfo *at)
{
	socklen_t size = sizeof(int);
	int fault = ETIMEDOUT;

	p->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd >= 0) {
		if (connect(p->fd, at->ai_addr, at->ai_addrlen) == 0)
			return true;
		if (errno != EINPROGRESS)
			fault = errno;
		else if (wait_for(p, POLLOUT) &&
		    getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0)
			return true;
		(void)close(p->fd);
		p->fd = -1;
	} else {
		fault = errno;
	}
	errno = fault;
	return false;
}

static enum mu_rc
host_connect(struct pin *p, const struct http_url *url, struct mu_err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found = NULL;
	int status = getaddrinfo(url->host, url->port, &hints, &found);

	if (status != 0)
		return mu_fail(err, MU_ERETRY, "cannot find host %s: %s", url->host, gai_strerror(status));
	for (const struct addrinfo *at = found; at != NULL && p->fd < 0; at = at->ai_next)
		if (!address_connect(p, at))
			(void)mu_fail_errno(err, MU_ERETRY, "cannot reach %s", p->url);
	freeaddrinfo(found);
	if (p->fd < 0)
		return err->rc;
	*err = (struct mu_err)MU_ERR_INIT;
	return MU_OK;
}

static enum mu_rc
session_make(struct pin *p, const struct http_url *url, struct mu_err *err)
{
	if (gnutls_init(&p->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0 ||
	    gnutls_certificate_allocate_credentials(&p->credentials) != 0 ||
	    gnutls_credentials_set(p->session, GNUTLS_CRD_CERTIFICATE, p->credentials) != 0 ||
	    gnutls_priority_set_direct(p->session, PRIORITIES, NULL) != 0 ||
	    (!http_host_is_numeric(url->host) &&
	    gnutls_server_name_set(p->session, GNUTLS_NAME_DNS, url->host, strlen(url->host)) != 0))
		return mu_fail(err, MU_EBROKEN, "GnuTLS gives no session for %s", p->url);
	gnutls_transport_set_int(p->session, p->fd);
	return MU_OK;
}

static enum mu_rc
handshake(const struct pin *p, struct mu_err *err)
{
	int status;

	while ((status = gnutls_handshake(p->session)) != 0) {
		bool is_lost = status == GNUTLS_E_PULL_ERROR || status == GNUTLS_E_PUSH_ERROR ||
		    status == GNUTLS_E_PREMATURE_TERMINATION;

		if (gnutls_error_is_fatal(status) != 0)
			return mu_fail(err, is_lost ? MU_ERETRY : MU_ECONFIG,
			    "%s: no TLS 1.3 there: %s", p->url, gnutls_strerror(status));
		if (status == GNUTLS_E_AGAIN &&
		    !wait_for(p, gnutls_record_get_direction(p->session) == 1 ? POLLOUT : POLLIN))
			return mu_fail(err, MU_ERETRY, "%s is too slow", p->url);
	}
	return MU_OK;
}

/* Appends the certificate in PEM if it is an authority that signed itself. */
static bool
authority_format(const gnutls_datum_t *der, struct mu_buf *b)
{
	gnutls_x509_crt_t cert = NULL;
	gnutls_datum_t text = { NULL, 0 };
	unsigned critical;
	bool good;

	if (gnutls_x509_crt_init(&cert) != 0)
		return false;
	good = gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_ca_status(cert, &critical) == 1 &&
	    gnutls_x509_crt_check_issuer(cert, cert) == 1 &&
	    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text) == 0;
	if (good)
		mu_buf_add(b, text.data, text.size);
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(cert);
	return good;
}

static enum mu_rc
chain_search(const struct pin *p, const unsigned char wanted[HTTP_PIN_BYTES], struct mu_buf *out_ca_pem,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf expected = MU_BUF_INIT, shown = MU_BUF_INIT;
	unsigned char print[HTTP_PIN_BYTES];
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(p->session, &count);

	mu_hex_format(&expected, wanted, HTTP_PIN_BYTES);
	for (unsigned i = 0; chain != NULL && i < count; i++) {
		if (gnutls_hash_fast(GNUTLS_DIG_SHA256, chain[i].data, chain[i].size, print) != 0)
			return mu_fail(err, MU_EBROKEN, "GnuTLS cannot compute SHA-256");
		if (memcmp(print, wanted, HTTP_PIN_BYTES) != 0)
			continue;
		if (!authority_format(&chain[i], out_ca_pem))
			return mu_fail(err, MU_ECONFIG, "%s: the certificate that was pinned, %s, "
			    "is no authority: ask whoever runs the server for the fingerprint of its "
			    "ca.crt", p->url, expected.data);
		return MU_OK;
	}
	if (chain == NULL || count == 0)
		return mu_fail(err, MU_ECONFIG, "%s shows no certificate", p->url);
	mu_hex_format(&shown, print, HTTP_PIN_BYTES);
	return mu_fail(err, MU_ECONFIG, "%s: the server's authority is not the one that was pinned: "
	    "expected %s, it shows %s: ask whoever runs the server", p->url, expected.data,
	    shown.data);
}

enum mu_rc
http_pin_fetch(const char *url, const unsigned char ca_fingerprint[HTTP_PIN_BYTES], int64_t deadline_ms,
    struct mu_buf *out_ca_pem, struct mu_err *err)
{
	MU_AUTO(http_url_clear) struct http_url at = { .scheme = NULL };
	MU_AUTO(pin_clear) struct pin p = { .url = url, .deadline_ms = deadline_ms, .fd = -1 };

	if (http_url_parse(url, &at, err) != MU_OK)
		return err->rc;
	if (!mu_text_equal(at.scheme, "https"))
		return mu_fail(err, MU_ECONFIG, "\"%s\" is not encrypted: use https://", url);
	if (host_connect(&p, &at, err) != MU_OK || session_make(&p, &at, err) != MU_OK ||
	    handshake(&p, err) != MU_OK ||
	    chain_search(&p, ca_fingerprint, out_ca_pem, err) != MU_OK)
		return err->rc;
	(void)gnutls_bye(p.session, GNUTLS_SHUT_WR);	/* it does not wait */
	return MU_OK;
}
