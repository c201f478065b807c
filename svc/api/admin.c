#include "api/admin_priv.h"

#include "api/console_priv.h"
#include "audit/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "store/look.h"

#include <string.h>

#define CONNECTIONS_MAX		128
#define LOGIN_FAILURES		5	/* per person and address in WINDOW_S: then wait as long */
#define LOGIN_USER_FAILURES	100	/* per person, from all addresses */
#define LOGIN_ADDRESS_FAILURES	100	/* per address: a whole office may share one */
#define WINDOW_S		600
#define THROTTLE_KEYS		4096
#define LIMIT_USUAL		100

#define LOG_IN	"log in: muster login"

/* --- Refusals and their records -------------------------------------------------------------- */

static enum mu_rc
record(struct store *store, enum audit_kind kind, const struct audit_field *fields, size_t count,
    struct mu_err *err)
{
	if (store_begin(store, err) != MU_OK)
		return err->rc;
	audit_record(store, kind, mu_now_ms(), fields, count, NULL);
	return store_commit(store, err);
}

void
stranger_record(struct api_admin *api, const char *address, const char *reason)
{
	const struct audit_field fields[] = { AUDIT_TEXT("reason", reason),
		AUDIT_TEXT("address", address) };
	struct mu_err err = MU_ERR_INIT;
	char key[THROTTLE_ADDRESS_BYTES];
	int64_t wait_s;

	throttle_address_format(address, key);
	if (!throttle_take(api->strangers, key, mu_tick_ms() / 1000, &wait_s))
		mu_log("admin.stranger", "address", address, "reason", reason, NULL);
	else if (record(api->store, AUDIT_AUTH_FAILED, fields, MU_COUNT(fields), &err) != MU_OK)
		mu_log_err(&err, "admin.unrecorded", "reason", reason, NULL);
}

void
ask_refusal_record(struct ask *a, const struct mu_uuid *person, const char *reason)
{
	char actor[MU_UUID_TEXT_BYTES], id[MU_UUID_TEXT_BYTES];
	struct audit_field fields[4];
	struct mu_err err = MU_ERR_INIT;
	size_t count = 0;

	fields[count++] = (struct audit_field)AUDIT_TEXT("actor",
	    mu_uuid_format(&a->who.person_id, actor));
	fields[count++] = (struct audit_field)AUDIT_TEXT("reason", reason);
	if (a->permission != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("action", a->permission);
	if (person != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("person",
		    mu_uuid_format(person, id));
	if (record(a->api->store, AUDIT_ACTION_REFUSED, fields, count, &err) != MU_OK)
		mu_log_err(&err, "admin.unrecorded", "actor", actor, NULL);
}

/* --- Who asks -------------------------------------------------------------------------------- */

void
policy_refresh(struct api_admin *api)
{
	const struct action_host *actions = api->host.actions;
	const struct policy *policy;
	struct mu_err err = MU_ERR_INIT;
	int64_t version;

	(void)!actions->policy(actions->ctx, &policy, &version, &err);
}

enum mu_rc
ask_session(struct api_admin *api, const struct http_request *req, struct auth_who *out_who,
    struct mu_err *err)
{
	const struct http_peer *peer = http_peer_of(req);

	if (!peer->has_certificate)
		return mu_fail(err, MU_EDENIED, "A client certificate is needed: " LOG_IN);
	if (!peer->is_trusted)
		return mu_fail(err, MU_EDENIED, "The client certificate is not good: %s: " LOG_IN,
		    peer->refusal);
	policy_refresh(api);
	if (auth_session_find(api->host.auth, peer->fingerprint, mu_now_s(), out_who,
	    err) == MU_OK && out_who->conflict != NULL)
		return auth_conflict_fail(out_who->role, out_who->conflict, err);
	if (err->rc != MU_EDENIED)
		return err->rc;
	return mu_fail(err, MU_EDENIED, "No session belongs to this certificate, or it has ended: "
	    LOG_IN);
}

/* Does the role have the permission at all? About whom is asked later. */
static enum mu_rc
permission_check(struct ask *a, struct mu_err *err)
{
	const struct action_host *actions = a->api->host.actions;
	int64_t version;

	if (a->permission == NULL)
		return MU_OK;
	if (actions->policy(actions->ctx, &a->policy, &version, err) != MU_OK)
		return err->rc;
	return action_allow(a->policy, &a->who, a->permission, NULL, err);
}

bool
ask_open(struct ask *a, struct api_admin *api, struct http_request *req, const char *permission)
{
	struct mu_err err = MU_ERR_INIT;

	*a = (struct ask){ .api = api, .req = req, .permission = permission,
	    .now_ms = mu_now_ms() };
	if (ask_session(api, req, &a->who, &err) == MU_EDENIED && a->who.conflict == NULL) {
		stranger_record(api, http_peer_of(req)->address, "no session");
		answer_unknown(req, "ClientCertificate", err.text);
		return false;
	}
	if (err.rc == MU_OK && permission_check(a, &err) == MU_OK)
		return true;
	ask_fail(a, &err);
	ask_clear(a);
	return false;
}

void
ask_clear(struct ask *a)
{
	auth_who_clear(&a->who);
}

void
ask_fail(struct ask *a, const struct mu_err *err)
{
	store_rollback(a->api->store);
	if (err->rc == MU_EDENIED)
		ask_refusal_record(a, NULL, err->text);
	else if (err->rc != MU_EINPUT && err->rc != MU_EABSENT && err->rc != MU_ECONFLICT)
		mu_log_err(err, "admin.failed", NULL);
	http_refuse_err(a->req, err);
}

enum mu_rc
ask_begin(struct ask *a, struct mu_err *err)
{
	return store_begin(a->api->store, err);
}

bool
ask_reaches(const struct ask *a, const struct store_person *person)
{
	struct facts facts = { NULL, NULL, NULL, NULL };
	struct mu_err err = MU_ERR_INIT;

	if (person != NULL)
		facts = (struct facts){ &person->attrs, &person->groups, person->source, NULL };
	return action_allow(a->policy, &a->who, a->permission, &facts, &err) == MU_OK;
}

enum mu_rc
ask_record(struct ask *a, const struct ask_read *read, struct mu_err *err)
{
	char actor[MU_UUID_TEXT_BYTES], person[MU_UUID_TEXT_BYTES];
	struct audit_field fields[6];
	size_t count = 0;

	fields[count++] = (struct audit_field)AUDIT_TEXT("actor",
	    mu_uuid_format(&a->who.person_id, actor));
	fields[count++] = (struct audit_field)AUDIT_TEXT("what", read->what);
	if (read->query != NULL && read->query[0] != '\0')
		fields[count++] = (struct audit_field)AUDIT_TEXT("query", read->query);
	if (read->reason != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("reason", read->reason);
	if (read->person != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("person",
		    mu_uuid_format(read->person, person));
	if (read->rows >= 0)
		fields[count++] = (struct audit_field)AUDIT_NUMBER("rows", read->rows);
	audit_record(a->api->store, AUDIT_ADMIN_READ, a->now_ms, fields, count, NULL);
	return store_commit(a->api->store, err);
}

/* --- What stands in a query ------------------------------------------------------------------ */

bool
query_id(const struct ask *a, const char *name, struct mu_uuid *out_id, struct mu_err *err)
{
	const char *text = http_query_find(a->req, name);

	if (text == NULL || mu_uuid_parse(text, out_id))
		return true;
	(void)mu_fail(err, MU_EINPUT, "%s: an id, as \"next\" of the page before", name);
	return false;
}

bool
query_limit(const struct ask *a, size_t *out_limit, struct mu_err *err)
{
	const char *text = http_query_find(a->req, "limit");
	int64_t limit = LIMIT_USUAL;

	if (text != NULL && !mu_int_parse(text, 1, API_ADMIN_PEOPLE_MAX, &limit)) {
		(void)mu_fail(err, MU_EINPUT, "limit: a number from 1 to %d", API_ADMIN_PEOPLE_MAX);
		return false;
	}
	*out_limit = (size_t)limit;
	return true;
}

bool
query_time(const struct ask *a, const char *name, int64_t *out_at_s, struct mu_err *err)
{
	const char *text = http_query_find(a->req, name);

	if (text == NULL || mu_time_parse(text, out_at_s))
		return true;
	(void)mu_fail(err, MU_EINPUT, "%s: a time like 2026-11-21T18:00:00Z", name);
	return false;
}

void
query_note(struct mu_buf *b, const char *name, const char *value)
{
	if (value != NULL)
		mu_buf_format(b, "%s%s=%s", b->size_bytes == 0 ? "" : " ", name, value);
}

/* --- Who is meant ---------------------------------------------------------------------------- */

/* Keeps those within reach; the first of the others in *out_beyond. */
static void
people_reach(struct ask *a, struct store_people *people, struct mu_uuid *out_beyond,
    bool *out_has_beyond)
{
	size_t kept = 0;

	for (size_t i = 0; i < people->count; i++) {
		if (ask_reaches(a, &people->list[i])) {
			struct store_person p = people->list[kept];

			people->list[kept++] = people->list[i];
			people->list[i] = p;
		} else if (!*out_has_beyond) {
			*out_beyond = people->list[i].person_id;
			*out_has_beyond = true;
		}
	}
	for (size_t i = kept; i < people->count; i++)
		store_person_clear(&people->list[i]);
	people->count = kept;
}

enum mu_rc
ask_person(struct ask *a, const char *text, struct store_people *out_people, struct mu_err *err)
{
	struct store *store = a->api->store;
	struct mu_uuid ids[WHO_MAX], beyond;
	bool has_beyond = false;
	size_t count = 0;

	if (store_look_who(store, text, a->api->host.actions->mail, ids, MU_COUNT(ids), &count,
	    err) != MU_OK ||
	    people_read(store, ids, count, out_people, err) != MU_OK)
		return err->rc;
	people_reach(a, out_people, &beyond, &has_beyond);
	if (out_people->count > 1)
		return mu_fail(err, MU_ECONFLICT, "Several people are known by that name: give the"
		    " id of one.");
	if (out_people->count == 1)
		return MU_OK;
	if (has_beyond) {
		store_rollback(store);
		ask_refusal_record(a, &beyond, "out of the role's scope");
		a->was_refused = true;
	}
	return mu_fail(err, MU_EABSENT, "Nobody within your reach is known by that name.");
}

void
ask_person_fail(struct ask *a, const char *what, const struct store_people *people,
    const struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf candidates = MU_BUF_INIT;
	struct ask_read read = { .what = what, .query = "not one person alone",
	    .rows = (int64_t)people->count };
	struct mu_err record_err = MU_ERR_INIT;

	store_rollback(a->api->store);
	if (err->rc != MU_EABSENT && (err->rc != MU_ECONFLICT || people->count < 2)) {
		ask_fail(a, err);
		return;
	}
	if (!a->was_refused &&
	    (ask_begin(a, &record_err) != MU_OK || ask_record(a, &read, &record_err) != MU_OK)) {
		ask_fail(a, &record_err);
		return;
	}
	candidates_write(people, &candidates);
	answer_problem(a->req, err->rc == MU_EABSENT ? 404 : 409, 0, err->text,
	    err->rc == MU_EABSENT ? NULL : &(struct json_extra){ "candidates", candidates.data });
}

void
lines_write(struct json_writer *w, const char *name, const char *lines)
{
	json_list_begin(w, name);
	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n");

		json_text_bytes(w, NULL, lines, length);
		lines += length + (lines[length] == '\n');
	}
	json_list_end(w);
}

/* --- The routes that need no more than a session --------------------------------------------- */

static void
whoami_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, NULL))
		return;
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_time(&w, "expires_at", a.who.expires_at_s);
	person_ref_write(&w, "person", &a.who.person_id, a.who.display_name, a.who.uid);
	json_text(&w, "role", a.who.role);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

static void
logout_post(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (!ask_open(&a, ctx, req, NULL))
		return;
	if (auth_logout(a.api->host.auth, &a.who, a.now_ms, &err) != MU_OK)
		ask_fail(&a, &err);
	else
		http_answer(req, 204, NULL, NULL, 0, NULL);
}

static void
status_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;

	if (ask_open(&a, ctx, req, "read.status"))
		console_status(a.api->host.console, req, true);
}

/* Whoever may approve a policy may see what it would change; all else needs the permission. */
static void
jobs_post(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(policy_folder_clear) struct policy_folder files = { .file_count = 0 };
	unsigned char digest[ACTION_DIGEST_BYTES];
	bool is_of_action = console_job_action(req, digest);
	struct mu_err err = MU_ERR_INIT;

	if (!ask_open(&a, ctx, req, is_of_action ? NULL : "job"))
		return;
	if (is_of_action && action_policy_files(a.api->host.actions, &a.who, digest, a.now_ms,
	    &files, &err) != MU_OK) {
		http_refuse_err(req, &err);
		return;
	}
	if (!is_of_action && policy_admin_is_scoped(a.policy, a.who.role)) {
		(void)mu_fail(&err, MU_EDENIED, "the scope of the role %s is some people, and a job"
		    " is about everybody: ask an administrator whose role has no scope",
		    a.who.role);
		ask_fail(&a, &err);
		return;
	}
	console_job_run(a.api->host.console, req,
	    &(struct console_asker){ &a.who.person_id, (uid_t)-1 },
	    is_of_action ? &files : NULL);
}

/* --- Open and close -------------------------------------------------------------------------- */

#define GET(path, handler)	{ "GET", path, HTTP_NEED_NOTHING, NULL, 0, false, handler }
#define POST(path, handler)	{ "POST", path, HTTP_NEED_NOTHING, NULL, 0, false, handler }
#define POST_JSON(path, max_bytes, handler) \
	{ "POST", path, HTTP_NEED_NOTHING, "application/json", max_bytes, false, handler }

#define DOCUMENT_BODY_BYTES	(ACTION_DOCUMENT_MAX_BYTES + HTTP_BODY_MAX_BYTES)
#define CODE_BODY_BYTES		8192

/* Each asks for the session itself, so that refusals are recorded: all but login by ask_open. */
static const struct http_route routes[] = {
	POST_JSON("/v1/login", 0, login_post),
	POST("/v1/logout", logout_post),
	GET("/v1/whoami", whoami_get),
	POST_JSON("/v1/actions", DOCUMENT_BODY_BYTES, actions_post),
	GET("/v1/actions/{digest}", action_get),
	POST_JSON("/v1/actions/{digest}/execute", CODE_BODY_BYTES, execute_post),
	POST_JSON("/v1/actions/{digest}/approve", CODE_BODY_BYTES, approve_post),
	POST_JSON("/v1/actions/{digest}/deny", CODE_BODY_BYTES, deny_post),
	GET("/v1/pending", pending_get),
	GET("/v1/people", people_get),
	GET("/v1/people/{who}", person_get),
	GET("/v1/people/{who}/explain", explain_get),
	GET("/v1/accounts", accounts_get),
	GET("/v1/receipts", receipts_get),
	GET("/v1/reviews", reviews_get),
	GET("/v1/platforms", platforms_get),
	GET("/v1/platforms/{name}", platform_get),
	GET("/v1/sources", sources_get),
	GET("/v1/brake", brake_get),
	GET("/v1/clients", clients_get),
	GET("/v1/administrators", administrators_get),
	GET("/v1/policy", policy_get),
	GET("/v1/audit", audit_get),
	GET("/v1/status", status_get),
	POST_JSON("/v1/jobs", CONSOLE_JOB_BODY_MAX_BYTES, jobs_post),
};

const struct http_route *
admin_routes(size_t *out_count)
{
	*out_count = MU_COUNT(routes);
	return routes;
}

enum mu_rc
api_admin_open(const struct api_admin_host *host, struct api_admin **out_api, struct mu_err *err)
{
	struct api_admin *api = mu_alloc_zero(1, sizeof(*api));
	struct http_server_settings settings = {
		.listen_fd = host->listen_fd, .cert_pem = mu_secret_text(host->chain_pem),
		.key_pem = host->key_pem, .client_ca_pem = mu_secret_text(host->ca_pem),
		.routes = routes, .route_count = MU_COUNT(routes), .connections_max = CONNECTIONS_MAX,
		.hold_ms = API_JOB_MAX_MS + HTTP_HOLD_MS, .ctx = api,
	};

	api->host = *host;
	/* borrowed for the call */
	api->host.key_pem = api->host.chain_pem = api->host.ca_pem = NULL;
	api->store = host->actions->store;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	api->users = throttle_new(LOGIN_USER_FAILURES, WINDOW_S, THROTTLE_KEYS);
	api->users_from = throttle_new(LOGIN_FAILURES, WINDOW_S, THROTTLE_KEYS);
	api->addresses = throttle_new(LOGIN_ADDRESS_FAILURES, WINDOW_S, THROTTLE_KEYS);
	api->strangers = throttle_new(API_ADMIN_STRANGER_RECORDS, WINDOW_S, THROTTLE_KEYS);
	receipts_open(api);
	*out_api = api;
	return MU_OK;
}

void
api_admin_close(struct api_admin *api)
{
	if (api == NULL)
		return;
	receipts_close(api);
	http_server_close(api->server);
	throttle_free(api->users);
	throttle_free(api->users_from);
	throttle_free(api->addresses);
	throttle_free(api->strangers);
	mu_free(api);
}
