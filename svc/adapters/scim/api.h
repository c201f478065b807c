/*
 * adapters/scim/api.h - one SCIM request, and what its answer means
 *
 * Errors are RFC 7644 3.12. What a refusal means depends on what was asked: a look that may not be
 * made is our credential's fault, a change that may not be made is about that account.
 */
#ifndef ADAPTERS_SCIM_API_H
#define ADAPTERS_SCIM_API_H

#include "adapters/adapter.h"
#include "http/client.h"
#include "json/read.h"

enum scim_act {
	SCIM_LOOK	= 1 << 0,
	SCIM_CREATE	= 1 << 1,
	SCIM_CHANGE	= 1 << 2,
};

struct scim_api {
	struct http_client *http;
	char *root;			/* path before "/Users": "" or "/scim/v2" */
	const struct mu_secret *token;	/* borrowed */
	int64_t deadline_ms;		/* mu_tick_ms() when the step has to be over */
};

struct scim_request {
	enum scim_act act;
	const char *method;
	const char *target;		/* behind the root, percent-encoded */
	const struct mu_buf *body;	/* JSON, or NULL */
};

/*
 * Sends it and waits. ADAPTER_DONE sets out_answer, to NULL when the server said nothing more; it
 * is the caller's. Any other outcome sets err and no answer. A look is never ADAPTER_UNKNOWN.
 * What the server says beside status and scimType is not repeated: it may name the person, or quote
 * the password.
 */
enum adapter_outcome scim_call(struct scim_api *api, const struct scim_request *r,
    struct json_node **out_answer, struct mu_err *err);

/* What an answer means: how far it came, its status, its scimType ("" when it has none). */
enum adapter_outcome scim_judge(enum scim_act act, enum http_sent sent, int status,
    const char *scim_type);

/* Fails as a server that does not speak SCIM as we know it; changes: it may have acted. */
enum adapter_outcome scim_odd(enum scim_act act, const char *what, struct mu_err *err);

/* Calls back for every resource below target that filter finds ("" for all), page by page. */
typedef void scim_each_fn(void *ctx, const struct json_node *resource);
enum adapter_outcome scim_walk(struct scim_api *api, const char *target, const char *filter,
    scim_each_fn *each, void *ctx, bool *out_whole, struct mu_err *err);

/* The page of target that begins at start. */
enum adapter_outcome scim_page(struct scim_api *api, const char *target, const char *filter,
    int64_t start, struct json_node **out_page, struct mu_err *err);

/* Appends: attribute eq "value", quoted as RFC 7644 3.4.2.2 wants it. */
void scim_filter_format(struct mu_buf *b, const char *attribute, const char *value);

#endif
