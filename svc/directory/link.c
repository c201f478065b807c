#include "directory/link_priv.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define SYSTEM_CA		"/etc/ssl/certs/ca-certificates.crt"
#define TLS_GNUTLS		"SECURE128:-VERS-ALL:+VERS-TLS1.3"
#define GNUTLS_NO_WORDS		"(unknown error code)"	/* libldap's -1: it refused the certificate */
#define TLS_CONTEXTS_MAX	(2 * SETTINGS_SOURCES_MAX)
#define READ_BYTES		(64 * 1024)
#define KEEPALIVE_IDLE_S	30
#define KEEPALIVE_PROBES	3
#define KEEPALIVE_INTERVAL_S	10
#define TCP_TIMEOUT_MS		30000u

enum link_stage { LINK_NEW, LINK_STARTING_TLS, LINK_BINDING, LINK_UP, LINK_ENDED };

struct directory_link {
	struct mu_loop *loop;
	const struct directory_source *source;
	char *dn;
	struct mu_secret password;
	struct mu_timer *timer;		/* first the start, then the deadline */
	struct mu_watch *watch;
	LDAP *ld;
	int64_t deadline_ms;
	int msgid;
	enum link_stage stage;
	directory_link_done_fn *done;
	directory_link_ready_fn *ready;
	void *ctx;
};

static bool
text_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool
uri_is(const struct directory_source *source, const char *scheme)
{
	return strncasecmp(source->uri, scheme, strlen(scheme)) == 0;
}

static bool
wants_tls(const struct directory_source *source)
{
	return source->starttls || uri_is(source, "ldaps://");
}

enum mu_rc
directory_link_check(const struct directory_source *source, struct mu_err *err)
{
	LDAPURLDesc *url = NULL;
	bool localhost;

	if (!text_given(source->uri) || ldap_url_parse(source->uri, &url) != LDAP_URL_SUCCESS)
		return mu_fail(err, MU_ECONFIG,
		    "source %s: uri is no LDAP address: write ldaps://HOST",
		    source->name);
	localhost = url->lud_host != NULL && mu_text_equal_fold(url->lud_host, "localhost");
	ldap_free_urldesc(url);
	if (source->starttls && !uri_is(source, "ldap://"))
		return mu_fail(err, MU_ECONFIG, "source %s: starttls is for ldap:// alone",
		    source->name);
	if (!uri_is(source, "ldapi://") && !wants_tls(source) && !source->insecure_plain)
		return mu_fail(err, MU_ECONFIG,
		    "source %s: %s is not encrypted: use ldaps:// or starttls", source->name,
		    source->uri);
	/* libldap would put this machine's own name in the place of "localhost" and check that. */
	if (wants_tls(source) && localhost)
		return mu_fail(err, MU_ECONFIG, "source %s: write 127.0.0.1 or the name in the "
		    "server's certificate, not localhost", source->name);
	return MU_OK;
}

void
directory_ldap_text(LDAP *ld, int result, const char *diagnostic, struct mu_buf *out_text)
{
	char *own = NULL;

	if (!text_given(diagnostic) && ld != NULL &&
	    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &own) == LDAP_OPT_SUCCESS)
		diagnostic = own;
	mu_buf_text_add(out_text, ldap_err2string(result));
	if (text_given(diagnostic) && mu_utf8_valid(diagnostic, strlen(diagnostic)))
		mu_buf_format(out_text, " (%.200s)", diagnostic);
	ldap_memfree(own);
}

/* Says how it ended; ctx may close the link in there. */
static void
link_end(struct directory_link *link, enum link_outcome outcome, const char *text)
{
	link->stage = outcome == LINK_BOUND ? LINK_UP : LINK_ENDED;
	mu_timer_stop(link->timer);
	mu_secret_clear(&link->password);
	if (outcome != LINK_BOUND) {
		mu_watch_remove(link->watch);
		link->watch = NULL;
	}
	link->done(link->ctx, outcome, text);
}

static void
link_fail(struct directory_link *link, const char *what, int result, const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	mu_buf_format(&text, "%s: ", what);
	directory_ldap_text(link->ld, result, diagnostic, &text);
	link_end(link, LINK_FAILED, mu_buf_text(&text));
}

/* It was not connected, or TLS did not begin: libldap then has words of its TLS library. */
static void
connect_fail(struct directory_link *link, const char *what, int result)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	char *said = NULL;

	if (!wants_tls(link->source) ||
	    ldap_get_option(link->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said) != LDAP_OPT_SUCCESS ||
	    !text_given(said)) {
		link_fail(link, what, result, NULL);
		return;
	}
	if (strcmp(said, GNUTLS_NO_WORDS) == 0)
		mu_buf_text_add(&text, "TLS: the server's certificate is refused: it must be "
		    "issued by ca, for the host in uri, and not have expired");
	else
		mu_buf_format(&text, "TLS: %.200s The server must speak TLS 1.3 here", said);
	ldap_memfree(said);
	link_end(link, LINK_FAILED, mu_buf_text(&text));
}

static int
int_option_set(LDAP *ld, int option, int value)
{
	return ldap_set_option(ld, option, &value);
}

static const char *
ca_file(const struct directory_source *source)
{
	return text_given(source->ca) ? source->ca : SYSTEM_CA;
}

/* A new TLS context in ld, from the files. */
static int
tls_context_make(LDAP *ld, const char *ca)
{
	char *package = NULL;
	int rc;

	rc = ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca);
	if (rc == LDAP_OPT_SUCCESS)
		rc = ldap_get_option(ld, LDAP_OPT_X_TLS_PACKAGE, &package);
	/* GnuTLS takes PROTOCOL_MIN, says yes and ignores it; OpenSSL knows no priority strings. */
	if (rc == LDAP_OPT_SUCCESS && mu_text_equal(package, "GnuTLS"))
		rc = ldap_set_option(ld, LDAP_OPT_X_TLS_CIPHER_SUITE, TLS_GNUTLS);
	else if (rc == LDAP_OPT_SUCCESS)
		rc = int_option_set(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN,
		    LDAP_OPT_X_TLS_PROTOCOL_TLS1_3);
	if (rc == LDAP_OPT_SUCCESS)
		rc = int_option_set(ld, LDAP_OPT_X_TLS_NEWCTX, 0);
	ldap_memfree(package);
	return rc;
}

/*
 * The contexts of this process, one a CA file, made once: libldap leaks 8 KiB with each that it
 * makes, and a process in its sandbox may no longer read the file.
 */
static struct {
	char *ca;
	void *context;
} tls_contexts[TLS_CONTEXTS_MAX];

static int
tls_prepare(LDAP *ld, const struct directory_source *source)
{
	const char *ca = ca_file(source);
	size_t at = 0;
	int rc;

	while (at < TLS_CONTEXTS_MAX && tls_contexts[at].ca != NULL &&
	    strcmp(tls_contexts[at].ca, ca) != 0)
		at++;
	if (at == TLS_CONTEXTS_MAX)
		return LDAP_OPT_ERROR;
	rc = int_option_set(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND);
	if (rc != LDAP_OPT_SUCCESS)
		return rc;
	if (tls_contexts[at].ca != NULL)
		return ldap_set_option(ld, LDAP_OPT_X_TLS_CTX, tls_contexts[at].context);
	rc = tls_context_make(ld, ca);
	if (rc == LDAP_OPT_SUCCESS)
		rc = ldap_get_option(ld, LDAP_OPT_X_TLS_CTX, &tls_contexts[at].context);
	if (rc == LDAP_OPT_SUCCESS)
		tls_contexts[at].ca = mu_strdup(ca);
	return rc;
}

enum mu_rc
directory_link_prepare(const struct directory_source *source, struct mu_err *err)
{
	LDAP *ld = NULL;
	int rc;

	if (directory_link_check(source, err) != MU_OK)
		return err->rc;
	if (!wants_tls(source))
		return MU_OK;
	(void)setenv("LDAPNOINIT", "1", 1);	/* read once, at libldap's first use */
	rc = ldap_initialize(&ld, source->uri);
	if (rc == LDAP_SUCCESS)
		rc = tls_prepare(ld, source);
	if (ld != NULL)
		(void)ldap_unbind_ext(ld, NULL, NULL);
	if (rc != LDAP_SUCCESS)
		return mu_fail(err, MU_ECONFIG,
		    "source %s: TLS cannot be set up with the CA file %s",
		    source->name, ca_file(source));
	return MU_OK;
}

static int
options_set(LDAP *ld)
{
	struct timeval network = { LINK_NETWORK_S, 0 };
	unsigned int tcp_timeout_ms = TCP_TIMEOUT_MS;
	const struct { int option, value; } ints[] = {
		{ LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3 },
		{ LDAP_OPT_DEREF, LDAP_DEREF_NEVER },
		{ LDAP_OPT_X_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S },
		{ LDAP_OPT_X_KEEPALIVE_PROBES, KEEPALIVE_PROBES },
		{ LDAP_OPT_X_KEEPALIVE_INTERVAL, KEEPALIVE_INTERVAL_S },
	};

	for (size_t i = 0; i < MU_COUNT(ints); i++)
		if (int_option_set(ld, ints[i].option, ints[i].value) != LDAP_OPT_SUCCESS)
			return LDAP_OTHER;
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &network) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &network) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_TCP_USER_TIMEOUT, &tcp_timeout_ms) != LDAP_OPT_SUCCESS)
		return LDAP_OTHER;
	return LDAP_SUCCESS;
}

/* What libldap reports as established must be what was asked for. */
static bool
tls_is_as_wanted(LDAP *ld)
{
	char *version = NULL;
	bool good;

	if (!ldap_tls_inplace(ld) ||
	    ldap_get_option(ld, LDAP_OPT_X_TLS_VERSION, &version) != LDAP_OPT_SUCCESS)
		return false;
	good = version != NULL && strstr(version, "1.3") != NULL;
	ldap_memfree(version);
	return good;
}

/* The socket of ld, made non-blocking; libldap makes it blocking again around its handshake. */
static int
socket_take(LDAP *ld)
{
	int fd = -1, flags;

	if (ldap_get_option(ld, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS || fd < 0)
		return -1;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return -1;
	return fd;
}

static void
bind_send(struct directory_link *link)
{
	struct berval credentials = { link->password.size_bytes, (char *)link->password.bytes };
	bool external = link->dn[0] == '\0';
	int rc;

	if (wants_tls(link->source) && !tls_is_as_wanted(link->ld)) {
		link_end(link, LINK_FAILED, "TLS: the session is not TLS 1.3");
		return;
	}
	if (socket_take(link->ld) < 0) {
		link_end(link, LINK_FAILED, "connect: the connection has no socket");
		return;
	}
	if (!external && link->password.size_bytes == 0) {
		link_end(link, LINK_REFUSED, "bind: an empty password is never sent");
		return;
	}
	rc = ldap_sasl_bind(link->ld, external ? NULL : link->dn, external ? "EXTERNAL" :
	    LDAP_SASL_SIMPLE,
	    external ? NULL : &credentials, NULL, NULL, &link->msgid);
	mu_secret_clear(&link->password);
	if (rc != LDAP_SUCCESS) {
		link_fail(link, "bind", rc, NULL);
		return;
	}
	link->stage = LINK_BINDING;
}

/* One read(2) for many messages in the place of two for each. */
static void
reading_prepare(LDAP *ld)
{
	ber_len_t max_bytes = DIRECTORY_MESSAGE_MAX_BYTES, read_bytes = READ_BYTES;
	Sockbuf *sb = NULL;

	if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_OPT_SUCCESS || sb == NULL)
		return;
	(void)ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &max_bytes);
	if (ber_sockbuf_add_io(sb, &ber_sockbuf_io_readahead, LBER_SBIOD_LEVEL_APPLICATION,
	    NULL) == 0)
		(void)ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_READAHEAD, &read_bytes);
}

static void
bind_answer(struct directory_link *link, LDAPMessage *m)
{
	char *diagnostic = NULL;
	int result = LDAP_OTHER, rc;

	rc = ldap_parse_result(link->ld, m, &result, NULL, &diagnostic, NULL, NULL, 0);
	if (rc != LDAP_SUCCESS) {
		link_fail(link, "bind", rc, NULL);
	} else if (result == LDAP_SUCCESS) {
		reading_prepare(link->ld);
		link_end(link, LINK_BOUND, "");
	} else {
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
		/* 53 and 19: how servers say that an account is locked or switched off */
		bool judged = result == LDAP_INVALID_CREDENTIALS || result == LDAP_NO_SUCH_OBJECT ||
		    result == LDAP_INAPPROPRIATE_AUTH || result == LDAP_UNWILLING_TO_PERFORM ||
		    result == LDAP_CONSTRAINT_VIOLATION;

		mu_buf_text_add(&text, "bind: ");
		directory_ldap_text(link->ld, result, diagnostic, &text);
		link_end(link, judged ? LINK_REFUSED : LINK_FAILED, mu_buf_text(&text));
	}
	ldap_memfree(diagnostic);
}

static void
starttls_answer(struct directory_link *link, LDAPMessage *m)
{
	char *diagnostic = NULL;
	int result = LDAP_OTHER, rc;

	rc = ldap_parse_result(link->ld, m, &result, NULL, &diagnostic, NULL, NULL, 0);
	if (rc != LDAP_SUCCESS || result != LDAP_SUCCESS) {
		link_fail(link, "StartTLS refused", rc != LDAP_SUCCESS ? rc : result, diagnostic);
	} else {
		rc = ldap_install_tls(link->ld);
		if (rc != LDAP_SUCCESS)
			connect_fail(link, "StartTLS", rc);
		else
			bind_send(link);
	}
	ldap_memfree(diagnostic);
}

static void
link_readable(void *ctx, uint32_t epoll_events)
{
	struct directory_link *link = ctx;
	struct timeval now = { 0, 0 };
	LDAPMessage *m = NULL;
	int rc;

	(void)epoll_events;
	if (link->stage == LINK_UP) {
		link->ready(link->ctx);
		return;
	}
	if (link->stage == LINK_ENDED)
		return;
	rc = ldap_result(link->ld, link->msgid, LDAP_MSG_ALL, &now, &m);
	if (rc == 0)
		return;
	if (rc < 0)
		link_end(link, LINK_FAILED, link->stage == LINK_STARTING_TLS ?
		    "StartTLS: the connection was lost" : "bind: the connection was lost");
	else if (link->stage == LINK_STARTING_TLS)
		starttls_answer(link, m);
	else
		bind_answer(link, m);
	(void)ldap_msgfree(m);
}

static void
link_start(struct directory_link *link)
{
	const struct directory_source *source = link->source;
	int rc, fd;

	rc = ldap_initialize(&link->ld, source->uri);
	if (rc == LDAP_SUCCESS)
		rc = options_set(link->ld);
	if (rc != LDAP_SUCCESS) {
		link_fail(link, "libldap", rc, NULL);
		return;
	}
	if (wants_tls(source) && tls_prepare(link->ld, source) != LDAP_OPT_SUCCESS) {
		link_end(link, LINK_FAILED, "TLS: cannot be set up: check the CA file");
		return;
	}
	rc = source->starttls ? ldap_start_tls(link->ld, NULL, NULL, &link->msgid) :
	    ldap_connect(link->ld);
	if (rc != LDAP_SUCCESS) {
		connect_fail(link, "connect", rc);
		return;
	}
	fd = socket_take(link->ld);
	if (fd < 0) {
		link_end(link, LINK_FAILED, "connect: the connection has no socket");
		return;
	}
	link->watch = mu_loop_watch(link->loop, fd, EPOLLIN, link_readable, link);
	mu_timer_set(link->timer, link->deadline_ms);
	if (source->starttls)
		link->stage = LINK_STARTING_TLS;
	else
		bind_send(link);
}

static void
link_timer(void *ctx)
{
	struct directory_link *link = ctx;

	if (link->stage == LINK_NEW)
		link_start(link);
	else
		link_end(link, LINK_FAILED, "no answer in time");
}

struct directory_link *
directory_link_open(struct mu_loop *loop, const struct directory_source *source, const char *dn,
    const struct mu_secret *password, int64_t deadline_ms, directory_link_done_fn *done,
    directory_link_ready_fn *ready, void *ctx)
{
	struct directory_link *link = mu_alloc_zero(1, sizeof(*link));

	(void)setenv("LDAPNOINIT", "1", 1);	/* read once, at libldap's first use */
	link->loop = loop;
	link->source = source;
	link->dn = mu_strdup(dn);
	if (password != NULL)
		mu_secret_set(&link->password, password->bytes, password->size_bytes);
	link->deadline_ms = deadline_ms;
	link->done = done;
	link->ready = ready;
	link->ctx = ctx;
	link->timer = mu_loop_timer(loop, link_timer, link);
	mu_timer_set(link->timer, 0);
	return link;
}

void
directory_link_close(struct directory_link *link)
{
	if (link == NULL)
		return;
	mu_watch_remove(link->watch);
	mu_timer_free(link->timer);
	if (link->ld != NULL)
		(void)ldap_unbind_ext(link->ld, NULL, NULL);
	mu_secret_clear(&link->password);
	mu_free(link->dn);
	mu_free(link);
}

LDAP *
directory_link_ldap(struct directory_link *link)
{
	return link->ld;
}

void
directory_link_lost(struct directory_link *link)
{
	mu_watch_remove(link->watch);
	link->watch = NULL;
}
