/*
 * A request's head from a stranger: the first line is the target, each line after it a header as the
 * library hands it over. A target that is taken leads to the route that its path spells.
 */
#include "base/text.h"
#include "http/http_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static void
nothing(void *ctx, struct http_request *req)
{
	(void)ctx;
	(void)req;
}

static const struct http_route routes[] = {
	{ "GET", "/v1/grants/{account}", HTTP_NEED_CERTIFICATE, NULL, 0, false, nothing },
	{ "POST", "/v1/actions/{digest}/execute", HTTP_NEED_CERTIFICATE, "application/json", 0, false, nothing },
	{ "GET", "/healthz", HTTP_NEED_NOTHING, NULL, 0, false, nothing },
	{ "POST", "/claim", HTTP_NEED_NOTHING, "application/x-www-form-urlencoded", 0, true, nothing },
};

/* Does the path of target lie between the two halves of the pattern? */
static bool
name_stands(const char *target, const char *pattern)
{
	size_t path_bytes = strcspn(target, "?"), before = strcspn(pattern, "{");
	const char *end = strchr(pattern, '}') + 1;
	size_t behind = strlen(end);

	return path_bytes > before + behind && strncmp(target, pattern, before) == 0 &&
	    strncmp(target + path_bytes - behind, end, behind) == 0 &&
	    memchr(target + before, '/', path_bytes - before - behind) == NULL;
}

static void
target_try(const char *method, const char *target)
{
	struct http_target t = { .route = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, back = MU_BUF_INIT;
	const char *detail = NULL;
	bool is_page = false;
	int status = http_target_read(routes, MU_COUNT(routes), method, target, &t, &detail, &is_page);

	if ((status == 0) != (t.route != NULL) || detail == NULL)
		abort();
	if (t.route != NULL && strchr(t.route->pattern, '{') != NULL) {
		if (!mu_utf8_valid(t.name.data, t.name.size_bytes) || t.name.size_bytes == 0 ||
		    !name_stands(target, t.route->pattern))
			abort();
		http_percent_format(&text, t.name.data);
		if (!http_percent_parse(text.data, text.size_bytes, &back) ||
		    strcmp(back.data, t.name.data) != 0)
			abort();
	} else if (t.route != NULL && strncmp(target, t.route->pattern, strlen(t.route->pattern)) != 0) {
		abort();
	}
	http_target_clear(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct http_head head = { 0 };
	const char *detail = NULL;
	char *line, *rest;

	mu_buf_add(&text, bytes, bytes_count);
	rest = text.data;
	line = strsep(&rest, "\n");
	target_try("GET", line);
	target_try("POST", line);
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *colon = strchr(line, ':');

		if (colon != NULL)
			http_head_add(&head, line, (size_t)(colon - line), colon + 1, strlen(colon + 1));
	}
	if (http_head_judge(&head, "HTTP/1.1", &detail) == 0) {
		if (head.host_count != 1 || head.length_count > 1 || head.has_transfer_encoding)
			abort();
	} else if (detail == NULL) {
		abort();
	}
	return 0;
}
