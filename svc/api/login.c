#include "api/admin_priv.h"

#include "api/login_priv.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/password.h"
#include "http/problem.h"
#include "ipc/message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define REFUSAL_MS	400	/* a 401 never comes sooner: it tells nothing by its time */
#define CODE_MAX_BYTES	64
#define KEY_BYTES	(LOGIN_USER_MAX_BYTES + 16)
#define FROM_BYTES	(KEY_BYTES + THROTTLE_ADDRESS_BYTES + 8)
#define AGAIN_S		2

#define WRONG	"The user name, the password or the code is not right. A code opens one request: " \
		"wait for the next one. After five wrong ones none is looked at for ten minutes, " \
		"and another administrator has to unlock you: muster admin unlock"
#define AWAY	"Part of the service is away, so nobody can log in now: try again."

/* --- The request ----------------------------------------------------------------------------- */

void
login_request_clear(struct login_request *r)
{
	mu_free(r->user);
	mu_free(r->csr);
	mu_free(r->action);
	mu_secret_clear(&r->password);
	mu_secret_clear(&r->code);
	*r = (struct login_request){ .user = NULL };
}

/* Six digits; or the letters and digits of a one-time code, with blanks and dashes as typed. */
static bool
code_shape(const char *code, bool *out_is_enrolment)
{
	size_t digits = strspn(code, "0123456789"), signs = 0;

	if (code[digits] == '\0' && digits == AUTH_CODE_DIGITS) {
		*out_is_enrolment = false;
		return true;
	}
	for (; *code != '\0'; code++) {
		if (isalnum((unsigned char)*code))
			signs++;
		else if (*code != '-' && *code != ' ')
			return false;
	}
	*out_is_enrolment = true;
	return signs == CRYPTO_PASSWORD_CHARS;
}

static enum mu_rc
action_read(const struct json_node *root, struct login_request *r, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf canonical = MU_BUF_INIT;
	const struct json_node *action = NULL;

	if (json_find(root, "action") == NULL)
		return MU_OK;
	if (json_get_object(root, "action", &action, err) != MU_OK ||
	    json_canonical(action, &canonical, err) != MU_OK)
		return err->rc;
	r->action = MU_TAKE(canonical.data);
	return MU_OK;
}

static enum mu_rc
csr_read(const struct json_node *root, struct login_request *r, struct mu_err *err)
{
	const char *csr;

	if (json_find(root, "csr") == NULL)
		return MU_OK;
	if (json_get_text(root, "csr", LOGIN_CSR_MAX_BYTES, &csr, err) != MU_OK)
		return err->rc;
	r->csr = mu_strdup(csr);
	return MU_OK;
}

static enum mu_rc
request_read(const struct json_node *root, struct login_request *r, struct mu_err *err)
{
	static const char *const names[] = { "action", "code", "csr", "password", "user", NULL };
	const char *user, *password, *code;

	if (json_only(root, names, err) != MU_OK ||
	    json_get_text(root, "user", LOGIN_USER_MAX_BYTES, &user, err) != MU_OK ||
	    json_get_text(root, "password", LOGIN_PASSWORD_MAX_BYTES, &password, err) != MU_OK ||
	    json_get_text(root, "code", CODE_MAX_BYTES, &code, err) != MU_OK)
		return err->rc;
	r->user = mu_strdup(user);
	mu_secret_set(&r->password, password, strlen(password));
	mu_secret_set(&r->code, code, strlen(code));
	if (user[0] == '\0' || password[0] == '\0')
		return mu_fail(err, MU_EINPUT, "user and password: neither is empty");
	if (!code_shape(code, &r->is_enrolment))
		return mu_fail(err, MU_EINPUT, "code: six digits, or the one-time code of a new"
		    " administrator");
	if (csr_read(root, r, err) != MU_OK || action_read(root, r, err) != MU_OK)
		return err->rc;
	if (r->is_enrolment && r->action != NULL)
		return mu_fail(err, MU_EINPUT, "action: a one-time code carries none out: log in"
		    " with it first");
	if (!r->is_enrolment && (r->csr == NULL) == (r->action == NULL))
		return mu_fail(err, MU_EINPUT, "give either csr, for a session, or action");
	return MU_OK;
}

enum mu_rc
login_request_parse(const char *body, size_t body_bytes, struct login_request *out_request,
    struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct login_request r = { .user = NULL };

	if (json_parse(body, body_bytes, LOGIN_BODY_MAX_BYTES, "request", &root, err) != MU_OK)
		return err->rc;
	if (request_read(root, &r, err) != MU_OK) {
		login_request_clear(&r);
		return err->rc;
	}
	*out_request = r;
	return MU_OK;
}

/* --- One login, from its reading to its answer ----------------------------------------------- */

struct login {
	struct api_admin *api;
	struct http_request *req;
	struct mu_timer *timer;
	int64_t began_ms;
	struct login_request said;
	struct auth_candidate candidate;
	bool is_somebody;		/* candidate is one; else login is asked for show */
	char *address;
	char user_key[KEY_BYTES], from_key[FROM_BYTES], address_key[THROTTLE_ADDRESS_BYTES];
};

static void
login_free(struct login *l)
{
	mu_timer_free(l->timer);
	login_request_clear(&l->said);
	auth_candidate_clear(&l->candidate);
	mu_free(l->address);
	mu_free(l);
}

/* It was no failure of whoever logs in: it does not count against them. */
static void
login_forgive(struct login *l)
{
	throttle_give_back(l->api->users, l->user_key);
	throttle_give_back(l->api->users_from, l->from_key);
	throttle_give_back(l->api->addresses, l->address_key);
}

static void
login_answer(struct login *l, int status, const struct mu_buf *json)
{
	login_forgive(l);
	answer_json(l->req, status, json);
	login_free(l);
}

/* Ends it with a refusal that is no wrong guess. It counts, unless something of ours was away. */
static void
login_refuse(struct login *l, const struct mu_err *err)
{
	if (err->rc == MU_ERETRY || err->rc == MU_EBROKEN || err->rc == MU_ECONFIG) {
		mu_log_err(err, "admin.login_postponed", NULL);
		login_forgive(l);
		answer_problem(l->req, 503, err->retry_after_ms > 1000 ?
		    (err->retry_after_ms + 999) / 1000 :
		    AGAIN_S, AWAY, NULL);
	} else {
		http_refuse_err(l->req, err);
	}
	login_free(l);
}

static void
on_denied(void *ctx)
{
	struct login *l = ctx;

	answer_unknown(l->req, "PasswordAndCode", WRONG);
	login_free(l);
}

/*
 * Was it the code? Also when keys looks at no more of this person's for a while: answered in any other way,
 * that would tell that the password was right.
 */
static bool
is_denied(const struct mu_err *err)
{
	return err->rc == MU_EDENIED || (err->rc == MU_ERETRY && err->retry_after_ms > 0);
}

/* The same words after the same time, whatever was wrong; what it was has been recorded. */
static void
login_deny(struct login *l)
{
	mu_secret_clear(&l->said.password);
	mu_secret_clear(&l->said.code);
	mu_timer_set(l->timer, l->began_ms + REFUSAL_MS - mu_tick_ms());
}

/* --- The password was right ------------------------------------------------------------------ */

static void
enrolment_collect(struct login *l)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	switch (auth_enrolment_use(l->api->host.auth, &l->candidate, &l->said.code, l->address,
	    mu_now_ms(), &uri,
	    &err)) {
	case MU_OK:
		break;
	case MU_EDENIED: case MU_EINPUT: case MU_EABSENT: case MU_ECONFLICT:
		login_deny(l);
		return;
	case MU_ERETRY: case MU_ECONFIG: case MU_EBROKEN:
		login_refuse(l, &err);
		return;
	}
	mu_buf_reserve(&body, 256 + uri.size_bytes * 2);	/* never moved: one copy to wipe */
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_object_begin(&w, "enrolment");
	json_text(&w, "uri", mu_secret_text(&uri));
	json_object_end(&w);
	json_object_end(&w);
	json_end(&w);
	login_answer(l, 200, &body);
}

static void
session_open(struct login *l)
{
	MU_AUTO(auth_login_clear) struct auth_login made = { .certificate = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	switch (auth_login_finish(l->api->host.auth, &l->candidate, &l->said.code, l->said.csr,
	    l->address,
	    mu_now_ms(), &made, &err)) {
	case MU_OK:
		break;
	case MU_EDENIED: case MU_EINPUT: case MU_EABSENT: case MU_ECONFLICT:
		mu_log_err(&err, "admin.login_refused", NULL);	/* a bad csr shows here alone */
		login_deny(l);
		return;
	case MU_ERETRY: case MU_ECONFIG: case MU_EBROKEN:
		if (is_denied(&err))
			login_deny(l);
		else
			login_refuse(l, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "certificate", made.certificate);
	json_time(&w, "expires_at", made.expires_at_s);
	person_ref_write(&w, "person", &made.who.person_id, made.who.display_name, made.who.uid);
	json_text(&w, "role", made.who.role);
	json_object_end(&w);
	json_end(&w);
	login_answer(l, 200, &body);
}

/* The digest that the proposal was given. */
static enum mu_rc
digest_read(const struct mu_buf *proposed, unsigned char out_digest[ACTION_DIGEST_BYTES],
    struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *digest;

	if (json_parse(mu_buf_text(proposed), proposed->size_bytes, SIZE_MAX, "proposal", &root,
	    err) != MU_OK ||
	    json_get_text(root, "digest", 64, &digest, err) != MU_OK ||
	    !mu_hex_parse(digest, out_digest, ACTION_DIGEST_BYTES))
		return mu_fail(err, MU_EBROKEN, "a proposal without its digest");
	return MU_OK;
}

/* Proposes; false: refused, and no code was used. */
static bool
action_prepare(struct login *l, const struct auth_who *who,
    unsigned char out_digest[ACTION_DIGEST_BYTES])
{
	MU_AUTO(action_answer_clear) struct action_answer proposed = { .json = MU_BUF_INIT };
	MU_AUTO(json_freep) struct json_node *request = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (json_parse(l->said.action, strlen(l->said.action), SIZE_MAX, "action", &request,
	    &err) == MU_OK &&
	    action_propose(l->api->host.actions, who, request, mu_now_ms(), &proposed,
	    &err) == MU_OK &&
	    digest_read(&proposed.json, out_digest, &err) == MU_OK)
		return true;
	if (err.rc != MU_EINPUT || proposed.json.size_bytes == 0) {
		login_refuse(l, &err);
	} else {
		problem_targets(l->req, &proposed.json, &err);
		login_free(l);
	}
	return false;
}

/*
 * Login and action in one request: the code opens the action and no session. A password alone
 * looks nobody up and is told nothing, so the code is looked at before the action is.
 */
static void
action_run(struct login *l)
{
	MU_AUTO(action_answer_clear) struct action_answer done = { .json = MU_BUF_INIT };
	const struct auth_who who = { .person_id = l->candidate.person_id,
	    .role = l->candidate.role,
		.uid = l->candidate.uid, .display_name = l->candidate.display_name };	/* borrowed */
	unsigned char digest[ACTION_DIGEST_BYTES];
	struct mu_err err = MU_ERR_INIT;

	if (auth_code_look(l->api->host.auth, &who.person_id, &l->said.code, l->address,
	    mu_now_ms(), &err) != MU_OK) {
		if (is_denied(&err))
			login_deny(l);
		else
			login_refuse(l, &err);
		return;
	}
	if (!action_prepare(l, &who, digest))
		return;
	if (action_execute(l->api->host.actions, &who, digest, &l->said.code, l->address,
	    mu_now_ms(), &done,
	    &err) == MU_OK)
		login_answer(l, done.state == ACTION_PENDING ? 202 : 200, &done.json);
	else if (is_denied(&err))
		login_deny(l);
	else
		login_refuse(l, &err);
}

static void
login_enter(struct login *l)
{
	mu_secret_clear(&l->said.password);
	if (l->said.is_enrolment) {
		enrolment_collect(l);
	} else if (l->said.action == NULL) {
		session_open(l);
	} else if (l->candidate.active) {
		action_run(l);
	} else {
		stranger_record(l->api, l->address, "an action by an administrator who has not used"
		    " a code yet");
		login_deny(l);
	}
}

/* --- The password ---------------------------------------------------------------------------- */

static void
on_login(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct login *l = ctx;
	bool is_right = m != NULL && ipc_get_flag(&m->body);
	struct mu_err unjudged = MU_ERR_INIT;

	if (m == NULL || !ipc_get_end(&m->body)) {
		(void)mu_fail(&unjudged, MU_ERETRY, "login: %s", m == NULL ? err->text :
		    "malformed answer");
		login_refuse(l, &unjudged);
	} else if (is_right && l->is_somebody) {
		login_enter(l);
	} else {
		if (l->is_somebody)
			auth_login_failed(l->api->host.auth, &l->candidate, l->address,
			    mu_now_ms());
		login_deny(l);
	}
}

/* Asks about the candidate; about nobody, for the time it takes, if there is none. */
static void
login_ask(struct login *l)
{
	const struct settings_source *source = &l->api->host.settings->sources[0];
	struct ipc_channel *login = l->api->host.login(l->api->host.ctx);
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf nobody = MU_BUF_INIT;
	struct msg_login m = { .password = l->said.password };	/* borrowed: never cleared */
	char text[MU_UUID_TEXT_BYTES];
	struct mu_uuid id;

	if (l->is_somebody) {
		m.source = l->candidate.source;
		m.dn = l->candidate.dn;
	} else {
		mu_uuid_new(&id);
		mu_buf_format(&nobody, "cn=%s,%s", mu_uuid_format(&id, text), source->people_base);
		m.source = source->name;
		m.dn = nobody.data;
	}
	/* never moved: one copy to wipe */
	mu_buf_reserve(&body, 2 * LOGIN_PASSWORD_MAX_BYTES + strlen(m.dn));
	msg_login_encode(&m, &body);
	ipc_call(login, OP_LOGIN, &body, -1, on_login, l);
}

/*
 * Counts the attempt before anything is evaluated. Nobody keeps an administrator out by failing in
 * their name, unless from very many addresses.
 */
static bool
login_count(struct login *l, int64_t *out_wait_s)
{
	struct api_admin *api = l->api;
	int64_t now_s = mu_tick_ms() / 1000;

	(void)snprintf(l->user_key, sizeof(l->user_key), "user %s", l->said.user);
	mu_text_lower(l->user_key);
	throttle_address_format(l->address, l->address_key);
	(void)snprintf(l->from_key, sizeof(l->from_key), "%s from %s", l->user_key, l->address_key);
	if (!throttle_take(api->users_from, l->from_key, now_s, out_wait_s))
		return false;
	if (throttle_take(api->users, l->user_key, now_s, out_wait_s)) {
		if (throttle_take(api->addresses, l->address_key, now_s, out_wait_s))
			return true;
		throttle_give_back(api->users, l->user_key);
	}
	throttle_give_back(api->users_from, l->from_key);
	return false;
}

static void
login_begin(struct login *l)
{
	struct ipc_channel *login = l->api->host.login(l->api->host.ctx);
	struct mu_err err = MU_ERR_INIT;
	int64_t wait_s = 0;

	if (!login_count(l, &wait_s)) {
		mu_log("admin.throttled", "address", l->address, NULL);
		answer_problem(l->req, 429, wait_s, "There were too many failed attempts: wait,"
		    " then try again.",
		    NULL);
		login_free(l);
		return;
	}
	if (!ipc_is_open(login) || l->api->host.settings->source_count == 0) {
		(void)mu_fail(&err, MU_ERETRY, "login is away");
		login_refuse(l, &err);
		return;
	}
	policy_refresh(l->api);
	switch (auth_login_begin(l->api->host.auth, l->said.user, l->address, mu_now_ms(),
	    &l->candidate, &err)) {
	case MU_OK:
		l->is_somebody = true;
		break;
	case MU_EDENIED: case MU_EINPUT: case MU_EABSENT: case MU_ECONFLICT:
		mu_log_err(&err, "admin.login_refused", NULL);
		break;
	case MU_ERETRY: case MU_ECONFIG: case MU_EBROKEN:
		login_refuse(l, &err);
		return;
	}
	login_ask(l);
}

void
login_post(void *ctx, struct http_request *req)
{
	struct api_admin *api = ctx;
	struct login_request said;
	struct mu_err err = MU_ERR_INIT;
	struct login *l;
	size_t body_bytes;
	const char *body = http_body_of(req, &body_bytes);

	if (login_request_parse(body, body_bytes, &said, &err) != MU_OK) {
		stranger_record(api, http_peer_of(req)->address, "malformed login");
		http_refuse_err(req, &err);
		return;
	}
	l = mu_alloc_zero(1, sizeof(*l));
	l->api = api;
	l->req = req;
	l->began_ms = mu_tick_ms();
	l->said = said;
	l->address = mu_strdup(http_peer_of(req)->address);
	l->timer = mu_loop_timer(api->host.loop, on_denied, l);
	login_begin(l);
}
