#include "http/problem.h"

#include "http/page.h"
#include "json/write.h"

#include <stdio.h>

static const struct {
	int status;
	const char *text;
} statuses[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 303, "See Other" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
http_status_text(int status)
{
	for (size_t i = 0; i < MU_COUNT(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "Error";
}

#define HEADERS_MAX 6

void
http_refuse(struct http_request *req, int status, int64_t retry_after_s, const char *detail,
    const struct http_header *headers)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct http_header all[HEADERS_MAX] = { 0 };
	struct json_writer w;
	size_t count = 0;
	char wait[24];

	if (retry_after_s > 0) {
		(void)snprintf(wait, sizeof(wait), "%lld", (long long)retry_after_s);
		all[count++] = (struct http_header){ "Retry-After", wait };
	}
	for (; headers != NULL && headers->name != NULL && count < HEADERS_MAX - 1; headers++)
		all[count++] = *headers;
	if (http_is_for_people(req)) {
		mu_buf_text_add(&body, "<p class=\"refusal\" role=\"alert\">");
		http_html_text(&body, detail);
		mu_buf_text_add(&body, "</p>\n");
		http_page_answer(req, status, http_status_text(status), &body, all);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "detail", detail);
	json_int(&w, "status", status);
	json_text(&w, "title", http_status_text(status));
	json_object_end(&w);
	json_end(&w);
	http_answer(req, status, "application/problem+json", body.data, body.size_bytes, all);
}

void
http_refuse_err(struct http_request *req, const struct mu_err *err)
{
	int64_t wait_s = (err->retry_after_ms + 999) / 1000;

	switch (err->rc) {
	case MU_EINPUT:
		http_refuse(req, 400, 0, err->text, NULL);
		return;
	case MU_EDENIED:
		http_refuse(req, 403, 0, err->text, NULL);
		return;
	case MU_EABSENT:
		http_refuse(req, 404, 0, err->text, NULL);
		return;
	case MU_ECONFLICT:
		http_refuse(req, 409, 0, err->text, NULL);
		return;
	case MU_ERETRY:
		http_refuse(req, 503, wait_s > 0 ? wait_s : 1, "Part of the service is away: try again.", NULL);
		return;
	case MU_OK:
	case MU_ECONFIG:
	case MU_EBROKEN:
		break;
	}
	http_refuse(req, 500, 0, "The service failed: its log says why.", NULL);
}
