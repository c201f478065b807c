/*
 * http/http_priv.h - what the server's files share: reading targets, finding routes, looking at peers
 */
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include "base/buf.h"
#include "http/percent.h"
#include "http/server.h"

#include <gnutls/gnutls.h>

/* What a request's head says, gathered while its headers are walked. */
struct http_head {
	unsigned host_count, length_count, type_count;
	bool has_transfer_encoding, has_bad_name, has_bad_value;
	uint64_t length_bytes;
};

/* Takes one header in; name and value are exactly as received. */
void http_head_add(struct http_head *h, const char *name, size_t name_bytes, const char *value,
    size_t value_bytes);

/* 0 when the head may be believed, else the status to refuse with; out_detail says why. */
int http_head_judge(const struct http_head *h, const char *version, const char **out_detail);

struct http_target {
	const struct http_route *route;
	struct mu_buf name;		/* what stood for {name} */
	struct http_form query;
	struct mu_buf allow;		/* with 405: the methods that the path takes */
};

/*
 * Finds the route of a request target in origin form (RFC 9112, 3.2.1). 0, or the status to refuse
 * with: 400 malformed, 404, 405. Clear in any case; route is set with 0 alone. A route that is for
 * people says so by out_is_page for refusals, too.
 */
int http_target_read(const struct http_route *routes, size_t route_count, const char *method,
    const char *target, struct http_target *t, const char **out_detail, bool *out_is_page);
void http_target_clear(struct http_target *t);

/* Is content_type, parameters aside, the media type wanted? NULL is not. */
bool http_type_is(const char *content_type, const char *wanted);

/* Fills in certificate, verdict and fingerprint from a session whose handshake is done. */
void http_peer_read(gnutls_session_t session, struct http_peer *out_peer);

#endif
