#include "api/console_priv.h"

#include "api/answer_priv.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "http/problem.h"
#include "ipc/message.h"
#include "store/look.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES	255
#define CODE_MAX_BYTES	64

typedef void enter_fn(struct api_console *api, struct http_request *req);

/* Somebody at the door, until the supervisor has said who its own are. */
struct knock {
	struct api_console *api;
	struct http_request *req;
	enter_fn *enter;
};

/* --- Who may come in ------------------------------------------------------------------------- */

/* A process of musterd that was taken over must not make itself an administrator. */
static bool
is_ours(const struct msg_status *processes, pid_t pid)
{
	if (pid <= 0 || pid == getpid() || pid == getppid())
		return true;
	for (size_t i = 0; i < processes->count; i++)
		if (processes->list[i].pid == (int64_t)pid)
			return true;
	return false;
}

static void
knock_refuse(const struct knock *k)
{
	const struct audit_field fields[] = {
		AUDIT_TEXT("reason", "a process of musterd asked for a bootstrap"),
	};
	struct store *store = k->api->host.store;
	struct mu_err err = MU_ERR_INIT;
	char pid[24];

	(void)snprintf(pid, sizeof(pid), "%lld", (long long)http_peer_of(k->req)->pid);
	mu_log("bootstrap.refused", "pid", pid, "reason", "a process of musterd", NULL);
	if (store_begin(store, &err) == MU_OK) {
		audit_record(store, AUDIT_AUTH_FAILED, mu_now_ms(), fields, MU_COUNT(fields), NULL);
		if (store_commit(store, &err) != MU_OK)
			mu_log_err(&err, "bootstrap.unrecorded", NULL);
	}
	http_refuse(k->req, 403, 0, "The service's own processes make no administrators: ask from a"
	    " "
	    "terminal on this host.", NULL);
}

static void
on_processes(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	MU_AUTO(mu_freep) struct knock *k = ctx;
	MU_AUTO(msg_status_clear) struct msg_status processes = { NULL, 0 };

	if (m == NULL || !msg_status_decode(&m->body, &processes)) {
		mu_log("bootstrap.no_processes", "reason", m == NULL ? err->text : "malformed",
		    NULL);
		http_refuse(k->req, 503, 1, "The supervisor gives no answer, so nobody can tell who"
		    " asks: "
		    "try again.", NULL);
	} else if (is_ours(&processes, http_peer_of(k->req)->pid)) {
		knock_refuse(k);
	} else {
		k->enter(k->api, k->req);
	}
}

static void
knock(struct api_console *api, struct http_request *req, enter_fn *enter)
{
	struct ipc_channel *supervisor = api->host.supervisor(api->host.ctx);
	struct knock *k;

	if (!ipc_is_open(supervisor)) {
		http_refuse(req, 503, 1, "The supervisor is away, so nobody can tell who asks: try"
		    " again.",
		    NULL);
		return;
	}
	k = mu_alloc_zero(1, sizeof(*k));
	*k = (struct knock){ api, req, enter };
	ipc_call(supervisor, OP_STATUS, NULL, -1, on_processes, k);
}

static void
refuse(struct http_request *req, const struct mu_err *err)
{
	mu_log_err(err, "bootstrap.refused", NULL);
	http_refuse_err(req, err);
}

/* --- The first two administrators ------------------------------------------------------------ */

/*
 * Who is meant, to one person alone. MU_ECONFLICT: several, all in out_people; MU_EABSENT.
 */
static enum mu_rc
person_get(struct api_console *api, const char *who, struct store_people *out_people,
    struct mu_err *err)
{
	struct mu_uuid ids[WHO_MAX];
	size_t count = 0;

	if (store_look_who(api->host.store, who, api->host.actions->mail, ids, MU_COUNT(ids),
	    &count,
	    err) != MU_OK || people_read(api->host.store, ids, count, out_people, err) != MU_OK)
		return err->rc;
	if (out_people->count == 0)
		return mu_fail(err, MU_EABSENT, "Nobody is known by that name: give the login name,"
		    " as it stands "
		    "in the directory.");
	if (out_people->count > 1)
		return mu_fail(err, MU_ECONFLICT, "Several people are known by that name: give the"
		    " id of one.");
	return MU_OK;
}

static enum mu_rc
role_check(const struct action_host *actions, const char *role, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;
	const struct policy *policy;
	int64_t version;

	if (actions->policy(actions->ctx, &policy, &version, err) != MU_OK)
		return err->rc;
	if (policy_admin_exists(policy, role))
		return MU_OK;
	policy_admin_names(policy, &names);
	return mu_fail(err, MU_EINPUT, "administrators.yaml has no such role: there is %s",
	    mu_buf_text(&names));
}

static void
made_answer(struct api_console *api, struct http_request *req, const struct store_person *person,
    const char *role, const struct mu_secret *uri)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf print = MU_BUF_INIT;
	unsigned char fingerprint[CRYPTO_FINGERPRINT_BYTES];
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;
	int64_t not_after_s;

	if (api->host.ca_pem != NULL &&
	    crypto_cert_read(api->host.ca_pem, fingerprint, &not_after_s, &err) == MU_OK)
		mu_hex_format(&print, fingerprint, sizeof(fingerprint));
	mu_buf_reserve(&body, 4096 + uri->size_bytes * 2);	/* never moved: one copy to wipe */
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "ca_fingerprint", print.data);
	person_ref_write(&w, "person", &person->person_id, store_person_name(person), person->uid);
	json_text(&w, "role", role);
	json_text(&w, "server", api->host.server_url);
	json_text(&w, "uri", mu_secret_text(uri));
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

static void
bootstrap(struct api_console *api, struct http_request *req)
{
	static const char *const names[] = { "role", "who", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf candidates = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	const struct action_host *actions = api->host.actions;
	struct mu_err err = MU_ERR_INIT;
	const char *role, *who, *body;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, HTTP_BODY_MAX_BYTES, "request", &root, &err) != MU_OK ||
	    json_only(root, names, &err) != MU_OK ||
	    json_get_text(root, "role", NAME_MAX_BYTES, &role, &err) != MU_OK ||
	    json_get_text(root, "who", NAME_MAX_BYTES, &who, &err) != MU_OK ||
	    role_check(actions, role, &err) != MU_OK) {
		refuse(req, &err);
	} else if (person_get(api, who, &people, &err) != MU_OK) {
		if (err.rc == MU_ECONFLICT && people.count > 1) {
			candidates_write(&people, &candidates);
			answer_problem(req, 409, 0, err.text,
			    &(struct json_extra){ "candidates", candidates.data });
		} else {
			refuse(req, &err);
		}
	} else if (auth_bootstrap(actions->auth, &people.list[0].person_id, role,
	    (int64_t)http_peer_of(req)->uid, mu_now_ms(), &uri, &err) != MU_OK) {
		refuse(req, &err);
	} else {
		made_answer(api, req, &people.list[0], role, &uri);
	}
}

void
bootstrap_post(void *ctx, struct http_request *req)
{
	knock(ctx, req, bootstrap);
}

/* --- Their first code ------------------------------------------------------------------------ */

static enum mu_rc
confirm_read(const struct http_request *req, struct mu_uuid *out_person, struct mu_secret *out_code,
    struct mu_err *err)
{
	static const char *const names[] = { "code", "person", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *code, *person, *body;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, HTTP_BODY_MAX_BYTES, "request", &root, err) != MU_OK ||
	    json_only(root, names, err) != MU_OK ||
	    json_get_text(root, "code", CODE_MAX_BYTES, &code, err) != MU_OK ||
	    json_get_text(root, "person", NAME_MAX_BYTES, &person, err) != MU_OK)
		return err->rc;
	if (!mu_uuid_parse(person, out_person))
		return mu_fail(err, MU_EINPUT, "person: the id that the bootstrap answered with");
	mu_secret_set(out_code, code, strlen(code));
	return MU_OK;
}

static void
confirm(struct api_console *api, struct http_request *req)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid person_id;
	struct json_writer w;
	int64_t active = 0;

	if (confirm_read(req, &person_id, &code, &err) != MU_OK ||
	    auth_bootstrap_confirm(api->host.actions->auth, &person_id, &code, mu_now_ms(),
	    &err) != MU_OK ||
	    administrators_count(api->host.store, &active, &err) != MU_OK) {
		refuse(req, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_int(&w, "active", active);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

void
bootstrap_confirm_post(void *ctx, struct http_request *req)
{
	knock(ctx, req, confirm);
}
