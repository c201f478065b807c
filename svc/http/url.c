#include "http/url_priv.h"

#include "base/buf.h"
#include "base/text.h"

#include <curl/curl.h>

#include <arpa/inet.h>
#include <string.h>

/* Takes one part of the URL out of curl's hands. */
static char *
part(CURLU *url, CURLUPart which, unsigned flags)
{
	char *text = NULL, *copy = NULL;

	if (curl_url_get(url, which, &text, flags) == CURLUE_OK)
		copy = mu_strdup(text);
	curl_free(text);
	return copy;
}

static void
curlu_freep(CURLU **url)
{
	curl_url_cleanup(*url);
}

void
http_url_clear(struct http_url *url)
{
	mu_free(url->scheme);
	mu_free(url->host);
	mu_free(url->port);
	*url = (struct http_url){ .scheme = NULL };
}

enum mu_rc
http_url_parse(const char *text, struct http_url *out_url, struct mu_err *err)
{
	MU_AUTO(curlu_freep) CURLU *url = curl_url();
	MU_AUTO(http_url_clear) struct http_url u = { .scheme = NULL };
	MU_AUTO(mu_freep) char *path = NULL, *user = NULL, *query = NULL, *fragment = NULL;
	size_t length;

	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return mu_fail(err, MU_ECONFIG, "\"%.200s\" is not a URL: write https://host:port", text);
	u.scheme = part(url, CURLUPART_SCHEME, 0);
	u.host = part(url, CURLUPART_HOST, 0);
	u.port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	path = part(url, CURLUPART_PATH, 0);
	user = part(url, CURLUPART_USER, 0);
	query = part(url, CURLUPART_QUERY, 0);
	fragment = part(url, CURLUPART_FRAGMENT, 0);
	if (u.host == NULL || user != NULL || query != NULL || fragment != NULL ||
	    (path != NULL && strcmp(path, "/") != 0))
		return mu_fail(err, MU_ECONFIG, "\"%.200s\" has more than scheme, host and port", text);
	if (!mu_text_equal(u.scheme, "https") && !mu_text_equal(u.scheme, "http"))
		return mu_fail(err, MU_ECONFIG, "\"%.200s\": only https:// is spoken", text);
	length = strlen(u.host);
	if (u.host[0] == '[' && u.host[length - 1] == ']') {	/* an IPv6 address */
		char *bare = mu_strndup(u.host + 1, length - 2);

		mu_free(u.host);
		u.host = bare;
	}
	*out_url = u;
	u = (struct http_url){ .scheme = NULL };
	return MU_OK;
}

bool
http_host_is_numeric(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}
