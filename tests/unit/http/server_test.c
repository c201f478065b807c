/* The server in a process of its own on a Unix socket and on TLS; raw bytes and libcurl against it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/client.h"
#include "http/page.h"
#include "http/percent.h"
#include "http/problem.h"
#include "http/server.h"
#include "unit/http/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HOLD_MS 400

/* --- The server's side ------------------------------------------------------------------------- */

struct site {
	struct mu_loop *loop;
	struct held { struct mu_timer *timer; struct http_request *req; } held[64];
	size_t held_count;
};

static void
hello(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	const char *word = http_query_find(req, "word");

	(void)ctx;
	mu_buf_format(&b, "%s %s", word == NULL ? "hello" : word, http_name_of(req));
	http_answer(req, 200, "text/plain", b.data, b.size_bytes, NULL);
}

static void
loud(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	(void)ctx;
	mu_buf_format(&b, "HELLO %s", http_name_of(req));
	http_answer(req, 200, "text/plain", b.data, b.size_bytes, NULL);
}

static void
held_answer(void *ctx)
{
	struct held *h = ctx;

	http_answer(h->req, 200, "text/plain", "late", 4, NULL);
}

static void
hold_for(struct site *site, struct http_request *req, int64_t wait_ms)
{
	struct held *h = &site->held[site->held_count++ % MU_COUNT(site->held)];

	h->req = req;
	if (h->timer == NULL)
		h->timer = mu_loop_timer(site->loop, held_answer, h);
	mu_timer_set(h->timer, wait_ms);
}

static void
hold_short(void *ctx, struct http_request *req)
{
	hold_for(ctx, req, 50);
}

static void
hold_long(void *ctx, struct http_request *req)
{
	hold_for(ctx, req, HOLD_MS * 5);
}

static void
form(void *ctx, struct http_request *req)
{
	struct http_form f = HTTP_FORM_INIT;
	size_t size;
	const char *body = http_body_of(req, &size), *a;

	(void)ctx;
	if (!http_form_parse(body, size, &f)) {
		http_refuse(req, 400, 0, "That is no form.", NULL);
		return;
	}
	a = http_form_find(&f, "a");
	http_answer(req, 200, "text/plain", a == NULL ? "" : a, a == NULL ? 0 : strlen(a), NULL);
	http_form_clear(&f);
}

static void
who(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	const struct http_peer *peer = http_peer_of(req);

	(void)ctx;
	mu_buf_format(&b, "%s%s ", !peer->has_certificate ? "nobody" : peer->is_trusted ? "trusted " :
	    "untrusted ", peer->name);
	mu_hex_format(&b, peer->fingerprint, sizeof(peer->fingerprint));
	http_answer(req, 200, "text/plain", b.data, b.size_bytes, NULL);
}

static void
process(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	const struct http_peer *peer = http_peer_of(req);

	(void)ctx;
	mu_buf_format(&b, "pid %ld uid %ld", (long)peer->pid, (long)(int)peer->uid);
	http_answer(req, 200, "text/plain", b.data, b.size_bytes, NULL);
}

static void
page(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	(void)ctx;
	http_html_text(&b, "<script>\"'&");
	http_page_answer(req, 200, "A <page>", &b, NULL);
}

static const struct http_route routes[] = {
	{ "GET", "/hello/{name}", HTTP_NEED_NOTHING, NULL, 0, false, hello },
	{ "GET", "/hello/{name}/loud", HTTP_NEED_NOTHING, NULL, 0, false, loud },
	{ "POST", "/hello/{name}/form", HTTP_NEED_NOTHING, "application/x-www-form-urlencoded", 0, false, hello },
	{ "GET", "/maybe", HTTP_NEED_NOTHING, NULL, 0, false, who },
	{ "GET", "/process", HTTP_NEED_NOTHING, NULL, 0, false, process },
	{ "GET", "/held", HTTP_NEED_NOTHING, NULL, 0, false, hold_short },
	{ "GET", "/never", HTTP_NEED_NOTHING, NULL, 0, false, hold_long },
	{ "GET", "/form", HTTP_NEED_NOTHING, NULL, 0, false, hello },
	{ "POST", "/form", HTTP_NEED_NOTHING, "application/x-www-form-urlencoded", 100, false, form },
	{ "GET", "/who", HTTP_NEED_CERTIFICATE, NULL, 0, false, who },
	{ "GET", "/local", HTTP_NEED_LOCAL, NULL, 0, false, hello },
	{ "GET", "/page", HTTP_NEED_NOTHING, NULL, 0, true, page },
};

struct server {
	pid_t pid;
	int stop_fd, port;
	char path[64];
};

#define SECURE_MAX	(8 * HTTP_ADDRESS_SHARE)	/* connections of the TLS server */

static struct pki_cert authority, stranger, server_cert;

static void
on_stop(void *ctx, uint32_t events)
{
	(void)events;
	mu_loop_stop(ctx, 0);
}

/* The child: serves until stop_fd has something to read, then goes, leaking nothing. */
static int
serve(int listen_fd, int stop_fd, bool is_tls)
{
	struct site site = { 0 };
	struct mu_err err = MU_ERR_INIT;
	struct http_server *server = NULL;
	struct http_server_settings settings = {
		.listen_fd = listen_fd, .routes = routes, .route_count = MU_COUNT(routes),
		.hold_ms = HOLD_MS, .idle_s = HTTP_FIRST_S + 1, .ctx = &site,
	};
	int status;

	site.loop = mu_loop_new();
	if (is_tls) {
		settings.cert_pem = server_cert.cert_pem;
		settings.key_pem = &server_cert.key_pem;
		settings.client_ca_pem = authority.cert_pem;
		settings.connections_max = SECURE_MAX;
	}
	if (http_server_open(site.loop, &settings, &server, &err) != MU_OK) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	struct mu_watch *stop = mu_loop_watch(site.loop, stop_fd, EPOLLIN, on_stop, site.loop);

	status = mu_loop_run(site.loop);
	mu_watch_remove(stop);
	http_server_close(server);
	for (size_t i = 0; i < MU_COUNT(site.held); i++)
		if (site.held[i].timer != NULL && mu_timer_is_set(site.held[i].timer))
			held_answer(&site.held[i]);	/* late: the server is gone */
	mu_loop_free(site.loop);
	(void)close(stop_fd);
	return status;
}

static void
server_start(struct server *s, bool is_tls)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(in);
	int fds[2], fd = socket(is_tls ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(pipe(fds), 0);
	if (is_tls) {
		assert_int_equal(bind(fd, (struct sockaddr *)&in, size), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
		s->port = ntohs(in.sin_port);
	} else {
		(void)snprintf(s->path, sizeof(s->path), "/tmp/http_test.%d", (int)getpid());
		(void)unlink(s->path);
		(void)strcpy(un.sun_path, s->path);
		assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	}
	assert_int_equal(listen(fd, 64), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void)close(fds[1]);
		exit(serve(fd, fds[0], is_tls));
	}
	(void)close(fd);
	(void)close(fds[0]);
	s->stop_fd = fds[1];
}

static void
server_stop(struct server *s)
{
	int status = -1;

	assert_int_equal(write(s->stop_fd, "", 1), 1);
	(void)close(s->stop_fd);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);	/* no leak, nothing undefined */
	if (s->path[0] != '\0')
		(void)unlink(s->path);
}

/* --- Raw bytes --------------------------------------------------------------------------------- */

static int
unix_connect(const struct server *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)strcpy(un.sun_path, s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

#define PATIENCE_MS	15000
#define SILENCE_MS	200

/* Reads until the peer closes or, once it has spoken, falls silent; true when it closed. */
static bool
read_all(int fd, struct mu_buf *b)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char chunk[4096];

	for (;;) {
		ssize_t got;

		if (poll(&p, 1, b->size_bytes == 0 ? PATIENCE_MS : SILENCE_MS) <= 0)
			return false;
		got = read(fd, chunk, sizeof(chunk));
		if (got <= 0)
			return true;
		mu_buf_add(b, chunk, (size_t)got);
	}
}

static int
answers_count(const struct mu_buf *b)
{
	int count = 0;

	for (const char *at = mu_buf_text(b); (at = strstr(at, "HTTP/1.1 200 ")) != NULL; at += 7)
		count++;
	return count;
}

static struct probe {
	const char *name, *bytes;
	size_t bytes_count;
	int status;
	int answers;		/* with status 200 */
	bool closes;
	const char *holds;	/* what the answer has to hold */
} probes[] = {
#define BYTES(text) text, sizeof(text) - 1
	{ "a plain GET is answered and the connection kept",
	    BYTES("GET /hello/ann HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, "hello ann" },
	{ "HEAD has no body", BYTES("HEAD /hello/ann HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false,
	    "Content-Length: 9\r\n" },
	{ "two requests in one write are two answers",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\nGET /hello/b HTTP/1.1\r\nHost: x\r\n\r\n"),
	    200, 2, false, "hello b" },
	{ "a held request and the one behind it are both answered",
	    BYTES("GET /held HTTP/1.1\r\nHost: x\r\n\r\nGET /hello/b HTTP/1.1\r\nHost: x\r\n\r\n"),
	    200, 2, false, "hello b" },
	{ "a name is decoded", BYTES("GET /hello/J%C3%B6rg%2F1 HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1,
	    false, "hello J\xc3\xb6rg/1" },
	{ "a name in the middle",
	    BYTES("GET /hello/ann/loud HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, "HELLO ann" },
	{ "a name in the middle is decoded",
	    BYTES("GET /hello/J%C3%B6rg%2F1/loud?a=b HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false,
	    "HELLO J\xc3\xb6rg/1" },
	{ "a name that spells what follows it",
	    BYTES("GET /hello/loud HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, "hello loud" },
	{ "a name in the middle that spells it, too",
	    BYTES("GET /hello/loud/loud HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, "HELLO loud" },
	{ "no name in the middle",
	    BYTES("GET /hello//loud HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false, NULL },
	{ "two names in the middle",
	    BYTES("GET /hello/a/b/loud HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false, NULL },
	{ "more behind what follows a name",
	    BYTES("GET /hello/a/loud/ HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false, NULL },
	{ "an escaped slash is no end of a name",
	    BYTES("GET /hello/a%2Floud HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, "hello a/loud" },
	{ "a name in the middle that is half an escape",
	    BYTES("GET /hello/a%/loud HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a wrong method behind a name in the middle",
	    BYTES("GET /hello/a/form HTTP/1.1\r\nHost: x\r\n\r\n"), 405, 0, false, "Allow: POST\r\n" },
	{ "a query is decoded",
	    BYTES("GET /hello/x?word=good+day%21 HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false,
	    "good day! x" },
	{ "a name that is half an escape is malformed",
	    BYTES("GET /hello/a%2 HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a name with an escaped NUL is malformed",
	    BYTES("GET /hello/a%00b HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a name that is not UTF-8 is malformed",
	    BYTES("GET /hello/%FF HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a raw NUL in the target is malformed",
	    BYTES("GET /hello/a\0b HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a raw blank in the target is malformed",
	    BYTES("GET /hello/a b HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "two blanks before the version are malformed",
	    BYTES("GET /hello/a  HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a request line without a version ends the connection",
	    BYTES("GET /hello/a\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "a query that says a thing twice is malformed",
	    BYTES("GET /hello/a?word=1&word=2 HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "an absolute target is not taken",
	    BYTES("GET http://x/hello/a HTTP/1.1\r\nHost: x\r\n\r\n"), 400, 0, true, NULL },
	{ "an escaped slash leads nowhere else",
	    BYTES("GET /hello%2Fann HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false, NULL },
	{ "dots lead nowhere else",
	    BYTES("GET /hello/../who HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false, NULL },
	{ "an unknown path is 404 and keeps the connection",
	    BYTES("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"), 404, 0, false,
	    "application/problem+json" },
	{ "a wrong method is 405 and says which",
	    BYTES("DELETE /form HTTP/1.1\r\nHost: x\r\n\r\n"), 405, 0, false,
	    "Allow: GET, HEAD, POST\r\n" },
	{ "a lower-case method is not GET",
	    BYTES("get /form HTTP/1.1\r\nHost: x\r\n\r\n"), 405, 0, false, NULL },
	{ "Content-Length with Transfer-Encoding ends the connection",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello/b HTTP/1.1\r\n"
	    "Host: x\r\n\r\n"), 400, 0, true, NULL },
	{ "two Content-Lengths end the connection",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: 3\r\nContent-Length: 4\r\n\r\na=bc"), 400, 0, true, NULL },
	{ "a Content-Length with a sign ends the connection",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\na=bc"), 400, 0, true, NULL },
	{ "a chunked body is not taken",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 411, 0,
	    true, NULL },
	{ "no Host is malformed", BYTES("GET /hello/a HTTP/1.1\r\n\r\n"), 400, 0, true, NULL },
	{ "two Hosts are malformed",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 400, 0, true, NULL },
	{ "a blank before the colon is malformed",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n"), 400, 0, true, NULL },
	{ "a header name with a quote is malformed",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nX\"A: b\r\n\r\n"), 400, 0, true, NULL },
	{ "a control character in a value is malformed",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nX-A: b\x01\r\n\r\n"), 400, 0, true, NULL },
	{ "HTTP/2.0 on the request line is not spoken",
	    BYTES("GET /hello/a HTTP/2.0\r\nHost: x\r\n\r\n"), 505, 0, true, NULL },
	{ "a body where none belongs ends the connection",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"), 400, 0, true, NULL },
	{ "a form is read",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded; "
	    "charset=utf-8\r\nContent-Length: 8\r\n\r\na=b%20+c"), 200, 1, false, "b  c" },
	{ "a body of another type is 415",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
	    "a=b"), 415, 0, true, NULL },
	{ "a body over the route's bound is 413",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: 101\r\n\r\n"), 413, 0, true, NULL },
	{ "a body without a length is 411",
	    BYTES("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	    "\r\n"), 411, 0, true, NULL },
	{ "bare LF is read as one request, on the same route",
	    BYTES("GET /hello/a HTTP/1.1\nHost: x\n\n"), 200, 1, false, "hello a" },
	{ "a folded header ends the connection",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n GET /hello/b HTTP/1.1\r\n\r\n"), 400, 0,
	    true, NULL },
	{ "a NUL in a header value is read as one request, on the same route",
	    BYTES("GET /hello/a HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n"), 200, 1, false, "hello a" },
	{ "no certificate on a Unix socket is 401",
	    BYTES("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"), 401, 0, false, "WWW-Authenticate: " },
	{ "the own user behind a Unix socket is let in",
	    BYTES("GET /local HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false, NULL },
	{ "a page escapes text and lets no script in",
	    BYTES("GET /page HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false,
	    "&lt;script&gt;&quot;&#39;&amp;" },
	{ "a page names its policy", BYTES("GET /page HTTP/1.1\r\nHost: x\r\n\r\n"), 200, 1, false,
	    "Content-Security-Policy: default-src 'none'; style-src 'sha256-" },
	{ "a page route's refusals are pages",
	    BYTES("POST /page HTTP/1.1\r\nHost: x\r\n\r\n"), 405, 0, false, "class=\"refusal\"" },
	{ "what is held for too long is 503",
	    BYTES("GET /never HTTP/1.1\r\nHost: x\r\n\r\n"), 503, 0, false, "Retry-After: 1\r\n" },
};

static struct server plain, secure;

static void
probe_row(void **state)
{
	const struct probe *p = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	char want[32];
	bool closed;
	int fd = unix_connect(&plain);

	assert_int_equal(write(fd, p->bytes, p->bytes_count), (ssize_t)p->bytes_count);
	closed = read_all(fd, &b);
	(void)snprintf(want, sizeof(want), "HTTP/1.1 %d ", p->status);
	if (strncmp(mu_buf_text(&b), want, strlen(want)) != 0 || answers_count(&b) != p->answers ||
	    closed != p->closes || (p->holds != NULL && strstr(b.data, p->holds) == NULL))
		fail_msg("wanted %s%d answers, %s; got %s, %s", want, p->answers,
		    p->closes ? "closed" : "kept", mu_buf_text(&b), closed ? "closed" : "kept");
	(void)close(fd);
}

static void
a_process_behind_a_unix_socket_is_named(void **state)
{
	static const char bytes[] = "GET /process HTTP/1.1\r\nHost: x\r\n\r\n";
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT, want = MU_BUF_INIT;
	int fd = unix_connect(&plain);

	(void)state;
	assert_int_equal(write(fd, bytes, sizeof(bytes) - 1), (ssize_t)sizeof(bytes) - 1);
	(void)read_all(fd, &b);
	mu_buf_format(&want, "pid %ld uid %ld", (long)getpid(), (long)geteuid());
	assert_non_null(strstr(mu_buf_text(&b), want.data));
	(void)close(fd);
}

/* Half a request line, a NUL that the library waits behind, nothing at all, TLS half begun. */
static void
silence_is_dropped(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fds[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		fds[i] = unix_connect(&plain);
	in.sin_port = htons((uint16_t)secure.port);
	fds[3] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[3], (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(write(fds[0], "GET /hello", 10), 10);
	assert_int_equal(write(fds[1], "\0\1 hello\r\n\r\n", 12), 12);
	assert_int_equal(write(fds[3], "\x16\x03\x01", 3), 3);
	for (int i = 0; i < 4; i++) {
		assert_true(read_all(fds[i], &b));
		(void)close(fds[i]);
	}
	assert_null(strstr(mu_buf_text(&b), "HTTP/1.1 200"));
}

/* From an address of this machine: 127.0.0.last. */
static int
secure_connect(unsigned char last)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons((uint16_t)secure.port) };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(0x7f000000u | last) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Who opens connections and says nothing keeps nobody else out. */
static void
one_address_has_its_share_of_the_connections(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	int held[SECURE_MAX / HTTP_ADDRESS_SHARE], more, other;
	struct pollfd p = { .events = POLLIN };

	(void)state;
	for (size_t i = 0; i < MU_COUNT(held); i++)
		held[i] = secure_connect(2);
	more = secure_connect(2);
	other = secure_connect(3);
	assert_true(read_all(more, &b));
	p.fd = held[MU_COUNT(held) - 1];
	assert_int_equal(poll(&p, 1, 0), 0);
	p.fd = other;
	assert_int_equal(poll(&p, 1, SILENCE_MS), 0);
	(void)close(more);
	(void)close(other);
	for (size_t i = 0; i < MU_COUNT(held); i++)
		(void)close(held[i]);
}

static void
headers_are_bounded(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT, head = MU_BUF_INIT;
	int fd = unix_connect(&plain);

	(void)state;
	mu_buf_text_add(&head, "GET /hello/a HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 4000; i++)
		mu_buf_format(&head, "X-%d: y\r\n", i);
	(void)send(fd, head.data, head.size_bytes, MSG_NOSIGNAL);
	assert_true(read_all(fd, &b));
	if (b.size_bytes > 0)
		assert_non_null(strstr(b.data, " 431 "));
	(void)close(fd);
}

/* Clients that go away while held crash nothing, and the next one is served. */
static void
held_clients_may_leave(void **state)
{
	static const char bytes[] = "GET /held HTTP/1.1\r\nHost: x\r\n\r\n";
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	struct probe again = probes[0];
	void *p = &again;

	(void)state;
	for (int i = 0; i < 40; i++) {
		int fd = unix_connect(&plain);

		assert_int_equal(write(fd, bytes, sizeof(bytes) - 1), (ssize_t)sizeof(bytes) - 1);
		(void)close(fd);
	}
	int last = unix_connect(&plain);

	assert_int_equal(write(last, bytes, sizeof(bytes) - 1), (ssize_t)sizeof(bytes) - 1);
	(void)read_all(last, &b);
	assert_non_null(strstr(mu_buf_text(&b), "late"));
	(void)close(last);
	probe_row(&p);
}

/* --- TLS, with our own client ------------------------------------------------------------------ */

static enum http_sent
ask(const struct pki_cert *cert, const char *base, const char *target, struct http_reply *reply,
    struct mu_err *err)
{
	char url[64], ca[] = "/tmp/http_test.ca.XXXXXX";
	int fd = mkstemp(ca);
	size_t size = strlen(authority.cert_pem);
	struct http_client_settings settings = {
		.base_url = url, .address = "127.0.0.1", .ca_file = ca,
		.cert_pem = cert == NULL ? NULL : cert->cert_pem,
		.key_pem = cert == NULL ? NULL : &cert->key_pem,
	};
	struct http_call call = { .method = "GET", .target = target,
		.deadline_ms = mu_tick_ms() + 10000 };
	struct http_client *client = NULL;
	enum http_sent sent;

	assert_int_equal(write(fd, authority.cert_pem, size), (ssize_t)size);
	(void)close(fd);
	(void)snprintf(url, sizeof(url), "%s:%d", base, secure.port);
	assert_int_equal(http_client_open(&settings, &client, err), MU_OK);
	sent = http_client_call(client, &call, reply, err);
	http_client_close(client);
	(void)unlink(ca);
	return sent;
}

static struct caller {
	const char *name, *target, *base;
	bool has_cert, is_strangers;
	const char *purpose;
	int days_left;
	enum http_sent sent;
	int status;
	const char *holds;
} callers[] = {
	{ "a trusted client is known by name", "/who", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_CLIENT, 9, HTTP_ANSWERED, 200, "prosody " },
	{ "no certificate is 401", "/who", "https://localhost", false, false, NULL, 0, HTTP_ANSWERED,
	    401, "none was presented" },
	{ "a stranger's certificate is 401", "/who", "https://localhost", true, true,
	    GNUTLS_KP_TLS_WWW_CLIENT, 9, HTTP_ANSWERED, 401, "NOT trusted" },
	{ "an expired certificate is 401", "/who", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_CLIENT, -2, HTTP_ANSWERED, 401, "expired" },
	{ "a server's certificate is no client's", "/who", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_SERVER, 9, HTTP_ANSWERED, 401, "purpose" },
	{ "a route may take a certificate", "/maybe", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_CLIENT, 9, HTTP_ANSWERED, 200, "trusted prosody " },
	{ "or none", "/maybe", "https://localhost", false, false, NULL, 0, HTTP_ANSWERED, 200, "nobody " },
	{ "and is told that it is a stranger's", "/maybe", "https://localhost", true, true,
	    GNUTLS_KP_TLS_WWW_CLIENT, 9, HTTP_ANSWERED, 200, "untrusted prosody " },
	{ "or that it has run out", "/maybe", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_CLIENT, -2, HTTP_ANSWERED, 200, "untrusted prosody " },
	{ "over TCP there is no process to name", "/process", "https://localhost", false, false, NULL, 0,
	    HTTP_ANSWERED, 200, "pid 0 uid -1" },
	{ "no certificate is needed where none is", "/hello/x", "https://localhost", false, false, NULL,
	    0, HTTP_ANSWERED, 200, "hello x" },
	{ "the console's door is not on TCP", "/local", "https://localhost", true, false,
	    GNUTLS_KP_TLS_WWW_CLIENT, 9, HTTP_ANSWERED, 403, NULL },
	{ "a server of another name is not spoken to", "/hello/x", "https://elsewhere", false, false,
	    NULL, 0, HTTP_NOT_SENT, 0, NULL },
};

static void
caller_row(void **state)
{
	const struct caller *c = *state;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct pki_cert cert = { 0 };
	unsigned char digest[32];
	size_t size = sizeof(digest);
	MU_AUTO(mu_buf_clear) struct mu_buf hex = MU_BUF_INIT;

	if (c->has_cert)
		pki_make(&cert, c->is_strangers ? &stranger : &authority, "prosody", c->purpose,
		    c->days_left);
	assert_int_equal(ask(c->has_cert ? &cert : NULL, c->base, c->target, &reply, &err), c->sent);
	assert_int_equal(reply.status, c->status);
	if (c->sent == HTTP_NOT_SENT)
		assert_int_equal(err.rc, MU_ECONFIG);
	if (c->holds != NULL && strstr(mu_buf_text(&reply.body), c->holds) == NULL)
		fail_msg("%s", mu_buf_text(&reply.body));
	if (c->status == 200 && c->has_cert) {
		pki_must(gnutls_x509_crt_get_fingerprint(cert.crt, GNUTLS_DIG_SHA256, digest, &size));
		mu_hex_format(&hex, digest, size);
		assert_non_null(strstr(reply.body.data, hex.data));
	}
	http_reply_clear(&reply);
	if (c->has_cert)
		pki_clear(&cert);
}

/* Of authorities that are given as text, no others count. */
static void
an_authority_may_be_given_as_text(void **state)
{
	const struct { const char *pem; enum http_sent sent; } rows[] = {
		{ authority.cert_pem, HTTP_ANSWERED }, { stranger.cert_pem, HTTP_NOT_SENT },
	};
	struct http_call call = { .method = "GET", .target = "/hello/x" };
	struct http_client_settings settings = { .base_url = "https://localhost:1", .ca_pem = "none" };
	struct http_client *client = NULL;
	struct mu_err err = MU_ERR_INIT;
	char url[64];

	(void)state;
	assert_int_equal(http_client_open(&settings, &client, &err), MU_ECONFIG);
	(void)snprintf(url, sizeof(url), "https://localhost:%d/", secure.port);
	settings.base_url = url;
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		struct http_reply reply = HTTP_REPLY_INIT;

		settings.ca_pem = rows[i].pem;
		settings.ca_file = "/nowhere/ca.crt";
		assert_int_equal(http_client_open(&settings, &client, &err), MU_OK);
		call.deadline_ms = mu_tick_ms() + 10000;
		assert_int_equal(http_client_call(client, &call, &reply, &err), rows[i].sent);
		http_client_close(client);
		http_reply_clear(&reply);
	}
	assert_int_equal(err.rc, MU_ECONFIG);
}

/* TLS 1.2 is refused in the handshake. */
static void
tls12_is_refused(void **state)
{
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;

	(void)state;
	in.sin_port = htons((uint16_t)secure.port);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	pki_must(gnutls_init(&session, GNUTLS_CLIENT));
	pki_must(gnutls_certificate_allocate_credentials(&credentials));
	pki_must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
	pki_must(gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL));
	gnutls_transport_set_int(session, fd);
	do
		status = gnutls_handshake(session);
	while (status < 0 && gnutls_error_is_fatal(status) == 0);
	assert_true(status < 0);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	(void)close(fd);
}

static void
plain_tcp_is_refused(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct http_server *server = NULL;
	struct http_server_settings settings = { .routes = routes, .route_count = MU_COUNT(routes) };
	struct mu_loop *loop = mu_loop_new();

	(void)state;
	settings.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(http_server_open(loop, &settings, &server, &err), MU_ECONFIG);
	settings.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	settings.cert_pem = authority.cert_pem;
	settings.key_pem = &server_cert.key_pem;
	assert_int_equal(http_server_open(loop, &settings, &server, &err), MU_ECONFIG);
	assert_non_null(strstr(err.text, "certificate and key"));
	mu_loop_free(loop);
}

static int
all_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	pki_make(&authority, NULL, "Test authority", NULL, 99);
	pki_make(&stranger, NULL, "Stranger", NULL, 99);
	pki_make(&server_cert, &authority, "localhost", GNUTLS_KP_TLS_WWW_SERVER, 9);
	server_start(&plain, false);
	server_start(&secure, true);
	return 0;
}

static int
all_down(void **state)
{
	(void)state;
	server_stop(&plain);
	server_stop(&secure);
	pki_clear(&authority);
	pki_clear(&stranger);
	pki_clear(&server_cert);
	return 0;
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(probes) + MU_COUNT(callers) + 8] = {
		cmocka_unit_test(a_process_behind_a_unix_socket_is_named),
		cmocka_unit_test(silence_is_dropped),
		cmocka_unit_test(one_address_has_its_share_of_the_connections),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(held_clients_may_leave),
		cmocka_unit_test(an_authority_may_be_given_as_text),
		cmocka_unit_test(tls12_is_refused),
		cmocka_unit_test(plain_tcp_is_refused),
	};
	size_t count = 8;

	for (size_t i = 0; i < MU_COUNT(probes); i++)
		tests[count++] = (struct CMUnitTest){ probes[i].name, probe_row, NULL, NULL, &probes[i] };
	for (size_t i = 0; i < MU_COUNT(callers); i++)
		tests[count++] = (struct CMUnitTest){ callers[i].name, caller_row, NULL, NULL, &callers[i] };
	return cmocka_run_group_tests(tests, all_up, all_down);
}
