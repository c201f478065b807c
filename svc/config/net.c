#include "config/net_priv.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define HOST_MAX_BYTES	253	/* RFC 1035 2.3.4, as text */
#define LABEL_MAX_BYTES	63

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

bool
config_host_valid(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > HOST_MAX_BYTES || strspn(text, DIGITS ".") == length)
		return false;
	for (;;) {
		size_t label = strspn(text, LETTERS DIGITS "-");

		if (label == 0 || label > LABEL_MAX_BYTES || text[0] == '-' || text[label - 1] == '-')
			return false;
		if (text[label] == '\0')
			return true;
		if (text[label] != '.')
			return false;
		text += label + 1;
	}
}

bool
config_address_valid(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

bool
config_authority_parse(const char *text, char **out_host, uint16_t *out_port)
{
	bool bracket = text[0] == '[';
	const char *start = bracket ? text + 1 : text, *end = strpbrk(start, bracket ? "]" : ":");
	size_t length = end == NULL ? strlen(start) : (size_t)(end - start);
	MU_AUTO(mu_freep) char *host = mu_strndup(start, length);
	int64_t port = 0;

	if (bracket && (end == NULL || strchr(host, ':') == NULL || !config_address_valid(host)))
		return false;
	if (!bracket && !config_host_valid(host) && !config_address_valid(host))
		return false;
	if (end != NULL && bracket)
		end++;
	if (end != NULL && *end != '\0' && (*end != ':' || !mu_int_parse(end + 1, 1, 65535, &port)))
		return false;
	*out_host = MU_TAKE(host);
	*out_port = (uint16_t)port;
	return true;
}

const char *
config_url_fault(const char *text, bool plain)
{
	const char *rest = strstr(text, "://");
	MU_AUTO(mu_freep) char *authority = NULL, *host = NULL;
	uint16_t port;
	size_t length;

	if (!mu_text_starts(text, "https://") && !(plain && mu_text_starts(text, "http://")))
		return mu_text_starts(text, "http://") ? "must begin with https://: what travels "
		    "here is secret" :
		    plain ? "must begin with https:// or http://" : "must begin with https://";
	rest += strlen("://");
	length = strcspn(rest, "/?#");
	authority = mu_strndup(rest, length);
	if (strchr(authority, '@') != NULL)
		return "must not hold a user or password: they have keys of their own";
	if (!config_authority_parse(authority, &host, &port))
		return "must name a host, as in https://host.example:8443/path";
	for (const char *at = rest + length; *at != '\0'; at++)
		if (*at <= ' ' || *at >= 0x7f || strchr("?#\\\"<>", *at) != NULL)
			return "must end after its path, without ?, # or blanks";
	return NULL;
}
