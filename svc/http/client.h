/*
 * http/client.h - asks a platform's HTTP interface, one request at a time
 *
 * libcurl behind a blocking call with an absolute deadline. One client is one base URL and keeps
 * its connection alive between calls. TLS 1.2 or later, verified against the pinned authorities;
 * plain HTTP only to a Unix socket, or where the caller's settings say so. No redirect is followed
 * and no proxy, .netrc or environment variable is heeded. A name is looked up when a connection
 * is to be made, never by a thread.
 *
 * What a caller must know after a failure is whether the platform may have acted: so the result
 * says NOT_SENT, UNANSWERED or ANSWERED. One exception is curl's own: when a kept connection turns
 * out to be closed before a byte of the answer came, the request is sent once more on a fresh one.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "base/secret.h"

#include <stdbool.h>

#define HTTP_CLIENT_RESPONSE_MAX_BYTES	(16u << 20)
#define HTTP_CLIENT_CONNECT_MS		5000
#define HTTP_CLIENT_HEADERS_MAX		8

struct http_client;

struct http_client_settings {
	const char *base_url;		/* "https://host[:port]": no path, no user, no query */
	const char *address;		/* numeric, in place of looking the host up; or NULL */
	const char *unix_socket;	/* connect there; the base URL then says "http://name" */
	const char *ca_file;		/* PEM, read once at open; NULL: the system's authorities */
	const char *ca_pem;		/* the authorities as text, in place of a file; or NULL */
	bool insecure_plain;		/* http:// over TCP: the operator said so, with a reason */
	const char *cert_pem;		/* our certificate where the platform asks for one, or NULL */
	const struct mu_secret *key_pem; /* and its key; borrowed until close */
	size_t response_max_bytes;	/* 0: HTTP_CLIENT_RESPONSE_MAX_BYTES */
};

struct http_call {
	const char *method;		/* "GET", "POST", ... */
	const char *target;		/* "/api/x?y=z", already percent-encoded */
	const char *content_type;	/* of the body; NULL when there is none */
	const void *body;
	size_t body_bytes;
	const char *user;		/* with password: Basic */
	const struct mu_secret *password;
	const struct mu_secret *bearer;	/* Bearer; at most one of both */
	const char *headers[HTTP_CLIENT_HEADERS_MAX];	/* "Name: value", ended by NULL or the end */
	int64_t deadline_ms;		/* mu_tick_ms() at which the call gives up */
};

enum http_sent {
	HTTP_NOT_SENT,		/* nothing left this host: asking again is safe */
	HTTP_UNANSWERED,	/* sent, whole or in part, and no whole answer came: look before asking again */
	HTTP_ANSWERED,		/* the reply is filled in, whatever its status */
};

struct http_reply {
	int status;
	int64_t retry_after_ms;		/* from Retry-After, seconds or date; 0 when absent */
	char *content_type;		/* lower case, without parameters; NULL when absent */
	struct mu_buf body;		/* NUL-terminated, see base/buf.h */
};

#define HTTP_REPLY_INIT { 0, 0, NULL, MU_BUF_INIT }

/*
 * Reads the authorities and prepares; connects to nobody. Settings' texts are copied.
 * MU_ECONFIG  a URL this header forbids, or files that cannot be read
 */
MU_CHECKED enum mu_rc http_client_open(const struct http_client_settings *settings,
    struct http_client **out_client, struct mu_err *err);
void http_client_close(struct http_client *client);

/*
 * Sends and waits. out_reply is filled when the result is HTTP_ANSWERED, else err is:
 * MU_ERETRY   not reachable, too slow, or connection lost
 * MU_ECONFIG  certificate not trusted, name not in it, or our own certificate refused
 * MU_EINPUT   the call has a header or target with control characters
 * MU_EBROKEN  an answer that is no HTTP or larger than allowed
 */
enum http_sent http_client_call(struct http_client *client, const struct http_call *call,
    struct http_reply *out_reply, struct mu_err *err);

/* A header of the last reply, NULL when absent. Borrowed until the next call. */
const char *http_client_header(struct http_client *client, const char *name);

void http_reply_clear(struct http_reply *reply);

#endif
