#include "adapters/scim/api.h"

#include <string.h>

#include "adapters/scim/pager.h"
#include "base/text.h"
#include "http/percent.h"
#include "json/write.h"

#define ANY		(-1)
#define ANY_ACT		(SCIM_LOOK | SCIM_CREATE | SCIM_CHANGE)
#define MEDIA_TYPE	"application/scim+json"
#define SCIM_TYPE_MAX_BYTES 40

/* The first row that fits; an answer that none fits may come from anywhere, so look again. */
static const struct judgement {
	enum http_sent sent;
	int status;
	const char *scim_type;		/* NULL: any */
	int acts;			/* enum scim_act */
	enum adapter_outcome outcome;
} judgements[] = {
	{ HTTP_NOT_SENT,   ANY, NULL,		ANY_ACT,	ADAPTER_RETRY },
	{ HTTP_UNANSWERED, ANY, NULL,		SCIM_LOOK,	ADAPTER_RETRY },
	{ HTTP_UNANSWERED, ANY, NULL,		ANY_ACT,	ADAPTER_UNKNOWN },
	{ HTTP_ANSWERED,   401, NULL,		ANY_ACT,	ADAPTER_OWN_CREDENTIAL },
	{ HTTP_ANSWERED,   403, NULL,		SCIM_LOOK,	ADAPTER_OWN_CREDENTIAL },
	{ HTTP_ANSWERED,   403, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   404, NULL,		ANY_ACT,	ADAPTER_ABSENT },
	{ HTTP_ANSWERED,   409, NULL,		SCIM_CREATE,	ADAPTER_CONFLICT },
	{ HTTP_ANSWERED,   409, "uniqueness",	ANY_ACT,	ADAPTER_CONFLICT },
	{ HTTP_ANSWERED,   409, NULL,		ANY_ACT,	ADAPTER_RETRY },	/* changed meanwhile */
	{ HTTP_ANSWERED,   412, NULL,		ANY_ACT,	ADAPTER_RETRY },
	{ HTTP_ANSWERED,   400, "uniqueness",	ANY_ACT,	ADAPTER_CONFLICT },
	{ HTTP_ANSWERED,   400, "tooMany",	ANY_ACT,	ADAPTER_RETRY },
	{ HTTP_ANSWERED,   400, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   405, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   413, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   415, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   422, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   501, NULL,		ANY_ACT,	ADAPTER_REFUSED },
	{ HTTP_ANSWERED,   429, NULL,		ANY_ACT,	ADAPTER_RETRY },
	{ HTTP_ANSWERED,   503, NULL,		ANY_ACT,	ADAPTER_RETRY },
	{ HTTP_ANSWERED,   ANY, NULL,		SCIM_LOOK,	ADAPTER_RETRY },
};

enum adapter_outcome
scim_judge(enum scim_act act, enum http_sent sent, int status, const char *scim_type)
{
	if (sent == HTTP_ANSWERED && status >= 200 && status < 300)
		return ADAPTER_DONE;
	for (size_t i = 0; i < MU_COUNT(judgements); i++) {
		const struct judgement *j = &judgements[i];

		if (j->sent == sent && (j->acts & (int)act) != 0
		    && (j->status == ANY || j->status == status)
		    && (j->scim_type == NULL || strcmp(j->scim_type, scim_type) == 0))
			return j->outcome;
	}
	return ADAPTER_UNKNOWN;
}

static enum mu_rc
outcome_rc(enum adapter_outcome outcome)
{
	switch (outcome) {
	case ADAPTER_DONE:
	case ADAPTER_ALREADY:
		return MU_OK;
	case ADAPTER_RETRY:
	case ADAPTER_UNKNOWN:
		return MU_ERETRY;
	case ADAPTER_OWN_CREDENTIAL:
		return MU_ECONFIG;
	case ADAPTER_ABSENT:
		return MU_EABSENT;
	case ADAPTER_CONFLICT:
		return MU_ECONFLICT;
	case ADAPTER_REFUSED:
		return MU_EINPUT;
	}
	return MU_EBROKEN;
}

enum adapter_outcome
scim_odd(enum scim_act act, const char *what, struct mu_err *err)
{
	(void)mu_fail(err, MU_ERETRY, "SCIM %s: an answer that RFC 7644 does not know", what);
	return act == SCIM_LOOK ? ADAPTER_RETRY : ADAPTER_UNKNOWN;
}

/* A word of RFC 7644 3.12, and not whatever a server may have put there. */
static bool
scim_type_plain(const char *scim_type)
{
	size_t letters = 0;

	for (const char *c = scim_type; *c != '\0'; c++)
		letters += (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
	return letters == strlen(scim_type) && letters <= SCIM_TYPE_MAX_BYTES;
}

static enum adapter_outcome
refusal(const struct scim_request *r, const struct http_reply *reply, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *scim_type = NULL;
	enum adapter_outcome outcome;
	struct mu_err odd = MU_ERR_INIT;

	if (json_parse(mu_buf_text(&reply->body), reply->body.size_bytes,
	    HTTP_CLIENT_RESPONSE_MAX_BYTES, "answer", &root, &odd) == MU_OK)
		scim_type = json_find_text(root, "scimType");
	if (scim_type == NULL || !scim_type_plain(scim_type))
		scim_type = "";
	outcome = scim_judge(r->act, HTTP_ANSWERED, reply->status, scim_type);
	(void)mu_fail(err, outcome_rc(outcome), "SCIM %s: [%d]%s%s", r->method, reply->status,
	    scim_type[0] != '\0' ? " " : "", scim_type);
	err->retry_after_ms = reply->retry_after_ms;
	return outcome;
}

enum adapter_outcome
scim_call(struct scim_api *api, const struct scim_request *r, struct json_node **out_answer,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT;
	MU_AUTO(http_reply_clear) struct http_reply reply = HTTP_REPLY_INIT;
	struct http_call call = {
		.method = r->method, .bearer = api->token, .deadline_ms = api->deadline_ms,
		.headers = { "Accept: " MEDIA_TYPE },
	};
	enum http_sent sent;

	mu_buf_format(&target, "%s%s", api->root, r->target);
	call.target = target.data;
	if (r->body != NULL) {
		call.content_type = MEDIA_TYPE;
		call.body = r->body->data;
		call.body_bytes = r->body->size_bytes;
	}
	sent = http_client_call(api->http, &call, &reply, err);
	if (sent != HTTP_ANSWERED) {
		(void)mu_wrap(err, "SCIM %s", r->method);
		return scim_judge(r->act, sent, 0, "");
	}
	if (reply.status < 200 || reply.status >= 300)
		return refusal(r, &reply, err);
	*out_answer = NULL;
	if (reply.body.size_bytes > 0 && json_parse(reply.body.data, reply.body.size_bytes,
	    HTTP_CLIENT_RESPONSE_MAX_BYTES, "answer", out_answer, err) != MU_OK)
		return scim_odd(r->act, r->method, err);
	return ADAPTER_DONE;
}

void
scim_filter_format(struct mu_buf *b, const char *attribute, const char *value)
{
	struct json_writer w;

	mu_buf_format(b, "%s eq ", attribute);
	json_begin(&w, b);
	json_text(&w, NULL, value);
	json_end(&w);
}

enum adapter_outcome
scim_page(struct scim_api *api, const char *target, const char *filter, int64_t start,
    struct json_node **out_page, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf query = MU_BUF_INIT;
	struct scim_request r = { .act = SCIM_LOOK, .method = "GET" };
	enum adapter_outcome outcome;

	mu_buf_format(&query, "%s?startIndex=%lld&count=%d", target, (long long)start,
	    SCIM_PAGE_COUNT);
	if (filter[0] != '\0') {
		mu_buf_text_add(&query, "&filter=");
		http_percent_format(&query, filter);
	}
	r.target = query.data;
	outcome = scim_call(api, &r, out_page, err);
	if (outcome == ADAPTER_ABSENT) {	/* no such endpoint: that says nothing of any account */
		(void)mu_wrap(err, "is that the base URL of a SCIM service?");
		return ADAPTER_RETRY;
	}
	return outcome;
}

enum adapter_outcome
scim_walk(struct scim_api *api, const char *target, const char *filter, scim_each_fn *each,
    void *ctx, bool *out_whole, struct mu_err *err)
{
	MU_AUTO(scim_pager_clear) struct scim_pager pager = { .next = 0 };

	scim_pager_begin(&pager, 1);
	while (pager.next != 0) {
		MU_AUTO(json_freep) struct json_node *page = NULL;
		const struct json_node *resources;
		enum adapter_outcome outcome = scim_page(api, target, filter, pager.next, &page, err);

		if (outcome != ADAPTER_DONE)
			return outcome;
		if (!scim_pager_take(&pager, page, &resources))
			return scim_odd(SCIM_LOOK, "listing", err);
		for (size_t i = 0; i < json_count(resources) && i < SCIM_PAGE_COUNT; i++)
			each(ctx, json_at(resources, i));
	}
	*out_whole = scim_pager_whole(&pager);
	return ADAPTER_DONE;
}
