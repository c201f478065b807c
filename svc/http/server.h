/*
 * http/server.h - a listener with a table of routes, in the process's loop
 *
 * libmicrohttpd (0.9.75 and later) with GnuTLS, TLS 1.3 only, on a listening socket that somebody
 * else bound; or plain HTTP on a Unix socket. One table says which requests exist: the server
 * refuses all others before a handler sees them, and is strict where the library is not
 * (RFC 9110, RFC 9112): Content-Length with Transfer-Encoding or twice, Host missing or twice,
 * header names that are no tokens, targets that are not origin-form and strictly encoded, bodies
 * that a route does not take, each with 400 and the connection closed; Transfer-Encoding alone is
 * 411. What the library folds away before anybody sees it (a bare LF for CRLF, folded header
 * lines) is read as one request and never changes its route.
 *
 * A handler answers exactly once, at once or any time later, with http_answer or what is built on
 * it. Until then the request stays valid, whatever the client does; from then on it is gone. One
 * that is held for longer than the server's hold time is answered 503 and its late answer dropped.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/loop.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_BODY_MAX_BYTES	65536
#define HTTP_HEADERS_MAX_BYTES	16384	/* request line, headers and answer's headers together */
#define HTTP_CONNECTIONS_MAX	960	/* RLIMIT_NOFILE is 1024 as a rule, and more than these is open */
#define HTTP_ADDRESS_SHARE	4	/* one address has at most this part of the connections */
#define HTTP_IDLE_S		30	/* between requests, and within one */
#define HTTP_FIRST_S		10	/* from the connection to the head of its first request */
#define HTTP_HOLD_MS		15000
#define HTTP_PEER_NAME_BYTES	129
#define HTTP_PEER_ADDRESS_BYTES	46

struct http_server;
struct http_request;

/* Who is at the other end; the same for all requests of a connection. */
struct http_peer {
	bool has_certificate;
	bool is_trusted;		/* chain to client_ca_pem, valid now, for clientAuth */
	char refusal[128];		/* why it is not trusted */
	unsigned char fingerprint[32];	/* SHA-256 of the certificate's DER */
	char name[HTTP_PEER_NAME_BYTES]; /* its subject's CN, "" when it has none that fits */
	int64_t not_after_s;
	uid_t uid;			/* of the process behind a Unix socket; (uid_t)-1 over TCP */
	pid_t pid;			/* the same, as it was when it connected; 0 over TCP */
	char address[HTTP_PEER_ADDRESS_BYTES];	/* numeric; "" behind a Unix socket */
};

enum http_need {
	HTTP_NEED_NOTHING,	/* with client_ca_pem a certificate is asked for all the same */
	HTTP_NEED_CERTIFICATE,	/* a trusted one, else 401 */
	HTTP_NEED_LOCAL,	/* a process of root or of our own user behind a Unix socket, else 403 */
};

typedef void http_handler_fn(void *ctx, struct http_request *req);

/* A pattern has one {name} at most, which stands for one segment of the path: never empty, no '/'. */
struct http_route {
	const char *method;		/* "GET" is HEAD, too */
	const char *pattern;		/* "/healthz", "/v1/grants/{account}", "/v1/people/{who}/explain" */
	enum http_need need;
	const char *body_type;		/* media type of the body that it takes; NULL: takes none */
	size_t body_max_bytes;		/* 0: HTTP_BODY_MAX_BYTES */
	bool is_page;			/* for people: refusals are HTML, not problem+json */
	http_handler_fn *handler;
};

struct http_server_settings {
	int listen_fd;			/* listening; the server's own from the call on */
	const char *cert_pem;		/* the server's chain; NULL: plain, on a Unix socket only */
	const struct mu_secret *key_pem;
	const char *client_ca_pem;	/* asks clients for a certificate; NULL: does not */
	const struct http_route *routes; /* borrowed until close */
	size_t route_count;
	unsigned connections_max, idle_s;	/* 0: the figures above */
	int64_t hold_ms;
	void *ctx;			/* for the handlers */
};

struct http_header {
	const char *name, *value;
};

/*
 * MU_ECONFIG  key and certificate do not fit, or are not PEM, or the socket is not fit for them
 */
MU_CHECKED enum mu_rc http_server_open(struct mu_loop *loop, const struct http_server_settings *settings,
    struct http_server **out_server, struct mu_err *err);

/* Answers what is held with 503 and closes every connection. NULL is fine. Not from a handler. */
void http_server_close(struct http_server *server);

/* --- What a handler may ask of its request; borrowed until it answers ------------------------- */

bool http_is_for_people(const struct http_request *req);	/* its route has is_page */
const struct http_peer *http_peer_of(const struct http_request *req);
const char *http_name_of(const struct http_request *req);	/* what stood for {name}, decoded; "" */
const char *http_body_of(const struct http_request *req, size_t *out_bytes_count); /* NUL behind it */
const char *http_query_find(const struct http_request *req, const char *name);	/* decoded; NULL */
const char *http_header_find(const struct http_request *req, const char *name);	/* NULL: absent */

/*
 * Answers; req is gone. body is copied (NULL with 0 bytes: none). headers are ended by one without
 * a name; NULL: none. Every answer says Cache-Control: no-store unless a header here does.
 */
void http_answer(struct http_request *req, int status, const char *content_type, const void *body,
    size_t body_bytes, const struct http_header *headers);

#endif
