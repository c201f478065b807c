#include "base/text.h"
#include "http/http_priv.h"

#include <string.h>

/* RFC 9110, 5.6.2 */
static bool
is_token(const char *text, size_t text_bytes)
{
	for (size_t i = 0; i < text_bytes; i++) {
		char c = text[i];
		bool is_tchar = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);

		if (!is_tchar)
			return false;
	}
	return text_bytes > 0;
}

/* RFC 9110, 5.5: no control character but HTAB */
static bool
is_value(const char *text, size_t text_bytes)
{
	for (size_t i = 0; i < text_bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool
name_is(const char *name, size_t name_bytes, const char *wanted)
{
	return name_bytes == strlen(wanted) && strncasecmp(name, wanted, name_bytes) == 0;
}

/* RFC 9112, 6.2: digits alone; 18 of them fit. */
static bool
length_read(const char *text, size_t text_bytes, uint64_t *out_length)
{
	uint64_t length = 0;

	if (text_bytes == 0 || text_bytes > 18)
		return false;
	for (size_t i = 0; i < text_bytes; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		length = length * 10 + (uint64_t)(text[i] - '0');
	}
	*out_length = length;
	return true;
}

void
http_head_add(struct http_head *h, const char *name, size_t name_bytes, const char *value,
    size_t value_bytes)
{
	if (!is_token(name, name_bytes))
		h->has_bad_name = true;
	if (!is_value(value, value_bytes))
		h->has_bad_value = true;
	if (name_is(name, name_bytes, "Host")) {
		h->host_count++;
	} else if (name_is(name, name_bytes, "Content-Type")) {
		h->type_count++;
	} else if (name_is(name, name_bytes, "Transfer-Encoding")) {
		h->has_transfer_encoding = true;
	} else if (name_is(name, name_bytes, "Content-Length")) {
		h->length_count++;
		if (!length_read(value, value_bytes, &h->length_bytes))
			h->has_bad_value = true;
	}
}

int
http_head_judge(const struct http_head *h, const char *version, const char **out_detail)
{
	const char *why = NULL;

	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
		*out_detail = "HTTP/1.1 is spoken here.";
		return 505;
	}
	if (h->has_bad_name)
		why = "A header name is not a token (RFC 9110, 5.6.2).";
	else if (h->has_bad_value)
		why = "A header value holds what it must not (RFC 9110, 5.5 and 8.6).";
	else if (h->host_count != 1)
		why = "Exactly one Host header is needed.";
	else if (h->length_count > 1)
		why = "Content-Length stands more than once.";
	else if (h->type_count > 1)
		why = "Content-Type stands more than once.";
	else if (h->length_count > 0 && h->has_transfer_encoding)
		why = "Content-Length and Transfer-Encoding exclude each other.";
	if (why != NULL) {
		*out_detail = why;
		return 400;
	}
	if (h->has_transfer_encoding) {
		*out_detail = "Send the body with Content-Length instead of Transfer-Encoding.";
		return 411;
	}
	return 0;
}

bool
http_type_is(const char *content_type, const char *wanted)
{
	size_t length = strlen(wanted);

	if (content_type == NULL || strncasecmp(content_type, wanted, length) != 0)
		return false;
	content_type += length;
	content_type += strspn(content_type, " \t");
	return *content_type == '\0' || *content_type == ';';
}

void
http_target_clear(struct http_target *t)
{
	mu_buf_clear(&t->name);
	mu_buf_clear(&t->allow);
	http_form_clear(&t->query);
}

enum fit { FIT_NOT, FIT_MALFORMED, FIT_YES };

/* Does path fit the pattern, which has one {name} at most? name gets what stands there. */
static enum fit
pattern_fit(const char *pattern, const char *path, size_t path_bytes, struct mu_buf *name)
{
	const char *brace = strchr(pattern, '{'), *end = brace == NULL ? "" : strchr(brace, '}') + 1;
	size_t before = brace == NULL ? strlen(pattern) : (size_t)(brace - pattern), behind = strlen(end);
	size_t name_bytes = path_bytes - before - behind;

	if (path_bytes < before + behind || memcmp(path, pattern, before) != 0 ||
	    memcmp(path + path_bytes - behind, end, behind) != 0)
		return FIT_NOT;
	if (brace == NULL)
		return name_bytes == 0 ? FIT_YES : FIT_NOT;
	if (name_bytes == 0 || memchr(path + before, '/', name_bytes) != NULL)
		return FIT_NOT;
	mu_buf_reset(name);
	return http_percent_parse(path + before, name_bytes, name) ? FIT_YES : FIT_MALFORMED;
}

static bool
method_fits(const char *method, const struct http_route *route)
{
	return strcmp(method, route->method) == 0 ||
	    (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

int
http_target_read(const struct http_route *routes, size_t route_count, const char *method,
    const char *target, struct http_target *t, const char **out_detail, bool *out_is_page)
{
	size_t path_bytes = strcspn(target, "?");
	const char *query = target + path_bytes + (target[path_bytes] == '?');

	*out_detail = "The request target is not an encoded path (RFC 9112, 3.2.1).";
	if (target[0] != '/' || strchr(target, '#') != NULL)
		return 400;
	for (size_t i = 0; i < route_count; i++) {
		enum fit fit = pattern_fit(routes[i].pattern, target, path_bytes, &t->name);

		if (fit == FIT_NOT)
			continue;
		*out_is_page = routes[i].is_page;
		if (fit == FIT_MALFORMED || !http_form_parse(query, strlen(query), &t->query))
			return 400;
		if (method_fits(method, &routes[i])) {
			t->route = &routes[i];
			return 0;
		}
		http_form_clear(&t->query);
		mu_buf_format(&t->allow, "%s%s", t->allow.size_bytes == 0 ? "" : ", ", routes[i].method);
		if (strcmp(routes[i].method, "GET") == 0)
			mu_buf_text_add(&t->allow, ", HEAD");
	}
	if (t->allow.size_bytes > 0) {
		*out_detail = "The path does not take this method: see Allow.";
		return 405;
	}
	*out_detail = "There is nothing at this path.";
	return 404;
}
