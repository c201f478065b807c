/*
 * http/url_priv.h - "https://host[:port]": where a client connects
 */
#ifndef HTTP_URL_PRIV_H
#define HTTP_URL_PRIV_H

#include "base/err.h"

#include <stdbool.h>

struct http_url {
	char *scheme;			/* "https", "http" */
	char *host;			/* a name or an address, an IPv6 one without brackets */
	char *port;			/* the scheme's own where none is said */
};

/* MU_ECONFIG: not a URL, or one with more than scheme, host and port. */
MU_CHECKED enum mu_rc http_url_parse(const char *text, struct http_url *out_url, struct mu_err *err);
void http_url_clear(struct http_url *url);

bool http_host_is_numeric(const char *host);	/* an address, not a name */

#endif
