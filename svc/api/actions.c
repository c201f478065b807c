#include "api/admin_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"

#include <string.h>

#define CODE_MAX_BYTES	64

/* What comes with a code. */
struct coded {
	unsigned char digest[ACTION_DIGEST_BYTES];
	struct mu_secret code;
	char *reason;			/* of a denial; NULL: none */
};

static void
coded_clear(struct coded *c)
{
	mu_secret_clear(&c->code);
	mu_free(c->reason);
}

/* Refuses for what the action room ended with: it has recorded why. */
static void
action_fail(struct ask *a, const struct mu_err *err)
{
	bool too_many = err->rc == MU_ERETRY && err->retry_after_ms > 0;	/* wrong codes: nothing is away */

	if (err->rc == MU_ERETRY || err->rc == MU_EBROKEN || err->rc == MU_ECONFIG)
		mu_log_err(err, "admin.failed", NULL);
	if (too_many)
		http_refuse(a->req, 429, (err->retry_after_ms + 999) / 1000, err->text, NULL);
	else
		http_refuse_err(a->req, err);
}

/* A request that never gets to the action room is recorded here. */
static void
malformed_refuse(struct ask *a, const struct mu_err *err)
{
	ask_refusal_record(a, NULL, err->text);
	http_refuse_err(a->req, err);
}

static void
action_answer(struct ask *a, const struct action_answer *answer)
{
	answer_json(a->req, answer->state == ACTION_PENDING ? 202 : 200, &answer->json);
}

/* --- Proposing ------------------------------------------------------------------------------- */

void
problem_targets(struct http_request *req, const struct mu_buf *json, const struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err own = MU_ERR_INIT;
	const struct json_node *list = NULL;
	const char *name = "targets";

	if (json_parse(mu_buf_text(json), json->size_bytes, SIZE_MAX, "targets", &root,
	    &own) == MU_OK && json_find(root, "faults") != NULL)
		name = "faults";
	if (root != NULL && json_get_list(root, name, &list, &own) == MU_OK &&
	    json_canonical(list, &text, &own) == MU_OK)
		answer_problem(req, 400, 0, err->text, &(struct json_extra){ name, text.data });
	else
		http_refuse_err(req, err);
}

void
actions_post(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(action_answer_clear) struct action_answer answer = { .json = MU_BUF_INIT };
	MU_AUTO(json_freep) struct json_node *request = NULL;
	struct mu_err err = MU_ERR_INIT;
	size_t body_bytes;
	const char *body;

	if (!ask_open(&a, ctx, req, NULL))
		return;
	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, ACTION_DOCUMENT_MAX_BYTES, "request", &request,
	    &err) != MU_OK)
		malformed_refuse(&a, &err);
	else if (action_propose(a.api->host.actions, &a.who, request, a.now_ms, &answer,
	    &err) == MU_OK)
		answer_json(req, 200, &answer.json);
	else if (err.rc == MU_EINPUT && answer.json.size_bytes > 0)
		problem_targets(req, &answer.json, &err);
	else
		action_fail(&a, &err);
}

/* --- With a code ----------------------------------------------------------------------------- */

static enum mu_rc
digest_read(const struct http_request *req, unsigned char out_digest[ACTION_DIGEST_BYTES],
    struct mu_err *err)
{
	if (!mu_hex_parse(http_name_of(req), out_digest, ACTION_DIGEST_BYTES))
		return mu_fail(err, MU_EABSENT, "An action is named by its digest: 64 hexadecimal"
		    " digits.");
	return MU_OK;
}

static enum mu_rc
coded_read(const struct http_request *req, bool has_reason, struct coded *out, struct mu_err *err)
{
	static const char *const code_alone[] = { "code", NULL };
	static const char *const with_reason[] = { "code", "reason", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *code, *reason, *body;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (digest_read(req, out->digest, err) != MU_OK ||
	    json_parse(body, body_bytes, HTTP_BODY_MAX_BYTES, "request", &root, err) != MU_OK ||
	    json_only(root, has_reason ? with_reason : code_alone, err) != MU_OK ||
	    json_get_text(root, "code", CODE_MAX_BYTES, &code, err) != MU_OK)
		return err->rc;
	mu_secret_set(&out->code, code, strlen(code));
	if (!has_reason)
		return MU_OK;
	if (json_get_text(root, "reason", ACTION_REASON_MAX_BYTES, &reason, err) != MU_OK)
		return err->rc;
	out->reason = mu_strdup(reason);
	return MU_OK;
}

typedef enum mu_rc coded_fn(struct ask *a, const struct coded *c, struct action_answer *out_answer,
    struct mu_err *err);

static enum mu_rc
execute(struct ask *a, const struct coded *c, struct action_answer *out_answer, struct mu_err *err)
{
	return action_execute(a->api->host.actions, &a->who, c->digest, &c->code,
	    http_peer_of(a->req)->address,
	    a->now_ms, out_answer, err);
}

static enum mu_rc
approve(struct ask *a, const struct coded *c, struct action_answer *out_answer, struct mu_err *err)
{
	return action_approve(a->api->host.actions, &a->who, c->digest, &c->code,
	    http_peer_of(a->req)->address,
	    a->now_ms, out_answer, err);
}

static enum mu_rc
deny(struct ask *a, const struct coded *c, struct action_answer *out_answer, struct mu_err *err)
{
	return action_deny(a->api->host.actions, &a->who, c->digest, &c->code, c->reason,
	    http_peer_of(a->req)->address, a->now_ms, out_answer, err);
}

static void
coded_post(void *ctx, struct http_request *req, bool has_reason, coded_fn *fn)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(coded_clear) struct coded c = { .reason = NULL };
	MU_AUTO(action_answer_clear) struct action_answer answer = { .json = MU_BUF_INIT };
	struct mu_err err = MU_ERR_INIT;

	if (!ask_open(&a, ctx, req, NULL))
		return;
	if (coded_read(req, has_reason, &c, &err) != MU_OK)
		malformed_refuse(&a, &err);
	else if (fn(&a, &c, &answer, &err) != MU_OK)
		action_fail(&a, &err);
	else
		action_answer(&a, &answer);
}

void
execute_post(void *ctx, struct http_request *req)
{
	coded_post(ctx, req, false, execute);
}

void
approve_post(void *ctx, struct http_request *req)
{
	coded_post(ctx, req, false, approve);
}

void
deny_post(void *ctx, struct http_request *req)
{
	coded_post(ctx, req, true, deny);
}

/* --- Looking --------------------------------------------------------------------------------- */

/* What the action room gave is shown once it has been recorded. */
static void
shown(struct ask *a, const struct ask_read *read, const struct mu_buf *json)
{
	struct mu_err err = MU_ERR_INIT;

	if (ask_begin(a, &err) != MU_OK || ask_record(a, read, &err) != MU_OK)
		ask_fail(a, &err);
	else
		answer_json(a->req, 200, json);
}

void
action_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(action_answer_clear) struct action_answer answer = { .json = MU_BUF_INIT };
	unsigned char digest[ACTION_DIGEST_BYTES];
	struct mu_err err = MU_ERR_INIT;

	if (!ask_open(&a, ctx, req, NULL))
		return;
	if (digest_read(req, digest, &err) != MU_OK)
		malformed_refuse(&a, &err);
	else if (action_show(a.api->host.actions, &a.who, digest, a.now_ms, &answer, &err) != MU_OK)
		action_fail(&a, &err);
	else
		shown(&a, &(struct ask_read){ .what = "action", .query = http_name_of(req),
		    .rows = 1 },
		    &answer.json);
}

void
pending_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf json = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	struct ask_read read = { .what = "pending" };

	if (!ask_open(&a, ctx, req, NULL))
		return;
	if (action_pending(a.api->host.actions, &a.who, a.now_ms, &json, &err) != MU_OK ||
	    json_parse(mu_buf_text(&json), json.size_bytes, SIZE_MAX, "pending", &root,
	    &err) != MU_OK) {
		action_fail(&a, &err);
		return;
	}
	read.rows = (int64_t)json_count(json_find(root, "pending"));
	shown(&a, &read, &json);
}
