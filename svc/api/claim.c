#include "api/claim.h"

#include "api/answer_priv.h"
#include "api/throttle.h"
#include "audit/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/page.h"
#include "http/percent.h"
#include "http/problem.h"
#include "http/server.h"
#include "ipc/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_MAX_BYTES		255
#define PASSWORD_MAX_BYTES	1024
#define FORM_MAX_BYTES		8192
#define UNSEAL_WAIT_MS		3000
#define COLLECT_TRIES		3
#define THROTTLE_KEYS		4096
#define KEY_BYTES		(USER_MAX_BYTES + 64)
#define NOT_READY_WAIT_S	5
#define CONNECTIONS_MAX		256

#define AWAY		"Part of the service is away. Nothing is lost: please try again in a moment."
#define WRONG		"The user name or the password is not right."

struct api_claim {
	struct api_claim_host host;
	struct http_server *server;
	struct throttle *people, *addresses;
};

/* One posted form, from its reading to its answer. */
struct visit {
	struct api_claim *api;
	struct http_request *req;
	struct mu_timer *timer;
	int64_t began_ms;
	struct mu_secret password;
	char user[USER_MAX_BYTES + 1];
	char person_key[KEY_BYTES], address_key[THROTTLE_ADDRESS_BYTES];
	struct store_claim_people people;	/* who it may be; asked of login one after another */
	size_t tried;
	struct mu_err unjudged;			/* why login could not say, of the last one it could not */
	bool was_wrong;				/* login said no of one of them: that counts */
};

/* One credential out of its seal, not yet shown. */
struct shown {
	char *platform, *account;
	struct mu_secret secret;
};

struct shown_list {
	struct shown *list;
	size_t count;
};

static void
shown_clear(struct shown_list *s)
{
	for (size_t i = 0; i < s->count; i++) {
		mu_free(s->list[i].platform);
		mu_free(s->list[i].account);
		mu_secret_clear(&s->list[i].secret);
	}
	mu_free(s->list);
	*s = (struct shown_list){ NULL, 0 };
}

/* --- Pages ------------------------------------------------------------------------------------- */

static void
form_add(struct mu_buf *b)
{
	mu_buf_text_add(b, "<p>Sign in with the password of your directory account. What you collect is "
	    "shown once: have your password manager at hand.</p>\n"
	    "<form method=\"post\" action=\"/claim\">\n"
	    "<label for=\"user\">User name</label>\n"
	    "<input id=\"user\" name=\"user\" type=\"text\" autocomplete=\"username\" "
	    "autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"255\" required>\n"
	    "<label for=\"password\">Password</label>\n"
	    "<input id=\"password\" name=\"password\" type=\"password\" "
	    "autocomplete=\"current-password\" maxlength=\"1024\" required>\n"
	    "<button type=\"submit\">Collect my credentials</button>\n"
	    "</form>\n");
}

/* The same for the command; req is gone. */
static void
refusal_tell(struct http_request *req, int status, int64_t retry_after_s, const char *text)
{
	if (status == 401)
		answer_unknown(req, "Form", text);
	else
		answer_problem(req, status, retry_after_s, text, NULL);
}

/* req is gone. What is wrong stands first, so that it is read first. */
static void
refusal_show(struct http_request *req, int status, int64_t retry_after_s, const char *text, bool with_form)
{
	MU_AUTO(mu_buf_clear) struct mu_buf main = MU_BUF_INIT;
	struct http_header headers[3] = { 0 };
	size_t count = 0;
	char wait[24];

	if (retry_after_s > 0) {
		(void)snprintf(wait, sizeof(wait), "%lld", (long long)retry_after_s);
		headers[count++] = (struct http_header){ "Retry-After", wait };
	}
	if (status == 401)
		headers[count++] = (struct http_header){ "WWW-Authenticate", "Form" };
	mu_buf_text_add(&main, "<p class=\"refusal\" role=\"alert\">");
	http_html_text(&main, text);
	mu_buf_text_add(&main, "</p>\n");
	if (with_form)
		form_add(&main);
	else
		mu_buf_text_add(&main, "<p><a href=\"/claim\">Back to the form</a></p>\n");
	http_page_answer(req, status, "Collect your credentials", &main, headers);
}

static void
refusal_answer(struct http_request *req, int status, int64_t retry_after_s, const char *text,
    bool with_form)
{
	if (answer_wants_json(req))
		refusal_tell(req, status, retry_after_s, text);
	else
		refusal_show(req, status, retry_after_s, text, with_form);
}

/* {"credentials": [{"name", "password", "platform"}]} */
static void
shown_tell(struct http_request *req, const struct shown_list *shown)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	mu_buf_reserve(&body, 4096 + shown->count * 4096);	/* never moved: one copy to wipe */
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_list_begin(&w, "credentials");
	for (size_t i = 0; i < shown->count; i++) {
		json_object_begin(&w, NULL);
		json_text(&w, "name", shown->list[i].account);
		json_text(&w, "password", mu_secret_text(&shown->list[i].secret));
		json_text(&w, "platform", shown->list[i].platform);
		json_object_end(&w);
	}
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

static void
shown_answer(struct http_request *req, const struct shown_list *shown)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf main = MU_BUF_INIT;

	if (answer_wants_json(req)) {
		shown_tell(req, shown);
		return;
	}
	mu_buf_reserve(&main, 4096 + shown->count * 4096);	/* never moved: one copy to wipe */
	mu_buf_text_add(&main, "<p role=\"status\">This page is the only one that will ever show them. "
	    "Put each into your password manager now, then close the page.</p>\n");
	for (size_t i = 0; i < shown->count; i++) {
		const struct shown *one = &shown->list[i];

		mu_buf_text_add(&main, "<h2>");
		http_html_text(&main, one->platform);
		mu_buf_text_add(&main, "</h2>\n<p>Account: <strong>");
		http_html_text(&main, one->account);
		mu_buf_format(&main, "</strong></p>\n<p id=\"secret-%zu\">Password:</p>\n"
		    "<code aria-labelledby=\"secret-%zu\" data-platform=\"", i, i);
		http_html_text(&main, one->platform);
		mu_buf_text_add(&main, "\" data-account=\"");
		http_html_text(&main, one->account);
		mu_buf_text_add(&main, "\">");
		http_html_text(&main, mu_secret_text(&one->secret));
		mu_buf_text_add(&main, "</code>\n");
	}
	http_page_answer(req, 200, "Your credentials", &main, NULL);
}

/* --- A visit's end ----------------------------------------------------------------------------- */

static void
visit_free(struct visit *v)
{
	mu_timer_free(v->timer);
	mu_secret_clear(&v->password);
	store_claim_people_clear(&v->people);
	mu_free(v);
}

static void
visit_refuse(struct visit *v, int status, int64_t retry_after_s, const char *text, bool with_form)
{
	refusal_answer(v->req, status, retry_after_s, text, with_form);
	visit_free(v);
}

/* Not the visitor's failure: it does not count against them. */
static void
visit_forgive(struct visit *v)
{
	throttle_give_back(v->api->people, v->person_key);
	throttle_give_back(v->api->addresses, v->address_key);
}

/* A guess that was answered counts, though another directory could not say. */
static void
visit_postpone(struct visit *v, const struct mu_err *err)
{
	mu_log_err(err, "claim.postponed", NULL);
	if (!v->was_wrong)
		visit_forgive(v);
	visit_refuse(v, 503, 1, AWAY, true);
}

/* A refusal has no effect that could be lost, so a record that cannot be written is logged alone. */
static void
refusal_audit(struct visit *v, const struct store_claim_person *person, const char *reason)
{
	struct store *store = v->api->host.store;
	struct mu_err err = MU_ERR_INIT;
	char id[MU_UUID_TEXT_BYTES];
	struct audit_field fields[2] = { AUDIT_TEXT("reason", reason) };
	size_t count = 1;

	if (person != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("person",
		    mu_uuid_format(&person->person_id, id));
	if (store_begin(store, &err) == MU_OK) {
		audit_record(store, AUDIT_CLAIM_REFUSED, mu_now_ms(), fields, count, NULL);
		if (store_commit(store, &err) == MU_OK)
			return;
	}
	store_rollback(store);
	mu_log_err(&err, "claim.unrecorded", "reason", reason, NULL);
}

/* --- Collecting -------------------------------------------------------------------------------- */

/* Has keys open one seal; waits. */
static enum mu_rc
unseal(struct api_claim *api, const struct store_claimable *from, struct shown *out, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT, answer = MU_BUF_INIT;
	struct msg_seal m = { .account_id = from->account_id, .credential_id = from->credential_id,
		.sealed = from->sealed };	/* borrowed: never cleared here */
	struct ipc_channel *keys = api->host.keys(api->host.channel_ctx);
	struct ipc_reader reader;
	const unsigned char *bytes;
	size_t bytes_count;

	msg_seal_encode(&m, &body);
	if (ipc_ask(keys, OP_UNSEAL, &body, UNSEAL_WAIT_MS, &answer, err) != MU_OK)
		return mu_wrap(err, "unsealing");
	ipc_reader_init(&reader, &answer);
	bytes = ipc_get_bytes(&reader, &bytes_count);
	if (!ipc_get_end(&reader) || bytes_count == 0)
		return mu_fail(err, MU_EBROKEN, "unsealing: malformed answer");
	mu_secret_set(&out->secret, bytes, bytes_count);
	out->platform = mu_strdup(from->platform);
	out->account = mu_strdup(from->name);
	return MU_OK;
}

static void
claimed_write(struct api_claim *api, const struct store_claim_person *person,
    const struct store_claimable *one, int64_t now_ms)
{
	char person_id[MU_UUID_TEXT_BYTES], account_id[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(&person->person_id, person_id)),
		AUDIT_TEXT("account", mu_uuid_format(&one->account_id, account_id)),
		AUDIT_TEXT("platform", one->platform),
	};

	store_credential_claimed(api->host.store, &one->credential_id, &one->account_id, now_ms / 1000);
	audit_record(api->host.store, AUDIT_CREDENTIAL_CLAIMED, now_ms, fields, MU_COUNT(fields), NULL);
}

/*
 * Takes all that the person may collect, in one transaction: lock, unseal, destroy, record, commit.
 * Nothing waits: MU_OK with an empty list.
 */
static enum mu_rc
collect_once(struct api_claim *api, const struct store_claim_person *person, struct shown_list *out,
    struct mu_err *err)
{
	MU_AUTO(store_claimables_clear) struct store_claimables waiting = { NULL, 0 };
	struct store *store = api->host.store;
	int64_t now_ms = mu_now_ms();

	if (store_begin(store, err) != MU_OK)
		return err->rc;
	if (store_credential_claimable(store, &person->person_id, now_ms / 1000, &waiting, err) != MU_OK) {
		store_rollback(store);
		return err->rc;
	}
	out->list = mu_alloc_zero(waiting.count + 1, sizeof(*out->list));
	for (size_t i = 0; i < waiting.count; i++) {
		if (unseal(api, &waiting.list[i], &out->list[out->count++], err) != MU_OK) {
			store_rollback(store);
			return err->rc;
		}
		claimed_write(api, person, &waiting.list[i], now_ms);
	}
	if (waiting.count == 0) {
		store_rollback(store);
		return MU_OK;
	}
	return store_commit(store, err);
}

/* The same, again when another visit or a lost connection came in between. */
static enum mu_rc
collect(struct api_claim *api, const struct store_claim_person *person, struct shown_list *out,
    struct mu_err *err)
{
	enum mu_rc rc = MU_ERETRY;

	for (int i = 0; i < COLLECT_TRIES && (rc == MU_ERETRY || rc == MU_ECONFLICT); i++) {
		shown_clear(out);
		rc = collect_once(api, person, out, err);
	}
	if (rc != MU_OK)
		shown_clear(out);
	return rc;
}

/* Why somebody whose password is right has nothing to collect. */
struct nothing {
	int status;
	int64_t retry_after_s;
	const char *reason;		/* for the record; NULL: none is written */
	const char *text;
};

static struct nothing
nothing_judge(const struct store_claim_person *p)
{
	bool is_coming = false, is_disabled = false, is_collected = false;

	if (p->state != PERSON_ACTIVE || p->blocked)
		return (struct nothing){ 403, 0, "not active",
		    "Your access is not active now. If that is a mistake, please speak to the service desk." };
	for (size_t i = 0; i < p->account_count; i++) {
		const struct store_claim_account *a = &p->accounts[i];

		if (a->wanted == ACCOUNT_DISABLED)
			is_disabled = true;
		else if (a->wanted == ACCOUNT_ENABLED && a->credential != CREDENTIAL_CLAIMED)
			is_coming = true;
		else if (a->credential == CREDENTIAL_CLAIMED)
			is_collected = true;
	}
	if (is_coming)
		return (struct nothing){ 503, NOT_READY_WAIT_S, NULL,
		    "Your account is being made ready. Please try again in a moment." };
	if (is_collected)
		return (struct nothing){ 410, 0, "collected before",
		    "Your credentials have been collected. They are shown once only. If it was not you, or "
		    "they are lost, tell the service desk at once: they can issue new ones." };
	if (is_disabled)
		return (struct nothing){ 403, 0, "not identified",
		    "You have not been identified to the level that your account needs. Please go to the "
		    "service desk with your identity document, then come back to this page." };
	return (struct nothing){ 403, 0, "nothing to collect",
	    "There is no account for you to collect a credential for. If you expect one, please speak to "
	    "the service desk." };
}

/* The password was right. */
static void
visit_collect(struct visit *v)
{
	MU_AUTO(shown_clear) struct shown_list shown = { NULL, 0 };
	struct mu_uuid person_id = v->people.list[v->tried].person_id;
	const struct store_claim_person *person = &v->people.list[v->tried];
	struct mu_err err = MU_ERR_INIT;
	struct nothing why;

	mu_secret_clear(&v->password);
	v->was_wrong = false;
	if (collect(v->api, person, &shown, &err) != MU_OK) {
		visit_postpone(v, &err);
		return;
	}
	visit_forgive(v);
	if (shown.count > 0) {
		shown_answer(v->req, &shown);
		visit_free(v);
		return;
	}
	/* Read again: what was true before the password was checked may not be now. */
	store_claim_people_clear(&v->people);
	if (store_claim_find(v->api->host.store, v->user, mu_now_s(), &v->people, &err) != MU_OK) {
		mu_log_err(&err, "claim.postponed", NULL);
		visit_refuse(v, 503, 1, AWAY, true);
		return;
	}
	person = NULL;
	for (size_t i = 0; i < v->people.count; i++)
		if (mu_uuid_equal(&v->people.list[i].person_id, &person_id))
			person = &v->people.list[i];
	if (person == NULL) {
		visit_refuse(v, 503, 1, AWAY, true);
		return;
	}
	why = nothing_judge(person);
	if (why.reason != NULL)
		refusal_audit(v, person, why.reason);
	visit_refuse(v, why.status, why.retry_after_s, why.text, false);
}

/* --- The password ------------------------------------------------------------------------------ */

static void login_next(struct visit *v);

static void
on_refusal_due(void *ctx)
{
	struct visit *v = ctx;

	visit_refuse(v, 401, 0, WRONG, true);
}

/* The same words after the same time, whoever it was. */
static void
visit_deny(struct visit *v)
{
	refusal_audit(v, v->people.count == 1 ? &v->people.list[0] : NULL,
	    v->people.count == 0 ? "nobody of that name" : "wrong password");
	mu_secret_clear(&v->password);
	mu_timer_set(v->timer, v->began_ms + API_CLAIM_REFUSAL_MS - mu_tick_ms());
}

static void
on_login(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct visit *v = ctx;
	bool is_right = m != NULL && ipc_get_flag(&m->body);

	if (m == NULL && err->rc == MU_EABSENT) {
		v->was_wrong = true;	/* of a source that is not configured any more: nobody vouches */
	} else if (m == NULL) {
		v->unjudged = *err;
	} else if (!ipc_get_end(&m->body)) {
		(void)mu_fail(&v->unjudged, MU_EBROKEN, "login gave a malformed answer");
	} else if (is_right && v->tried < v->people.count) {
		visit_collect(v);
		return;
	} else {
		v->was_wrong = true;
	}
	v->tried++;
	if (v->tried < v->people.count)
		login_next(v);
	else if (v->unjudged.rc != MU_OK)
		visit_postpone(v, &v->unjudged);
	else
		visit_deny(v);
}

/* Asks about the next person of that name; about nobody, for the time it takes, if there is none. */
static void
login_next(struct visit *v)
{
	const struct api_claim_host *host = &v->api->host;
	struct ipc_channel *login = host->login(host->channel_ctx);
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *source = NULL, *dn = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf nobody = MU_BUF_INIT;
	struct msg_login m = { .password = v->password };	/* borrowed: never cleared here */
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid id;
	char text[MU_UUID_TEXT_BYTES];

	if (!ipc_is_open(login)) {
		(void)mu_fail(&err, MU_ERETRY, "login is away");
		visit_postpone(v, &err);
		return;
	}
	if (v->people.count > 0) {
		m.source = source = mu_strdup(v->people.list[v->tried].source);
		m.dn = dn = mu_strdup(v->people.list[v->tried].dn);
	} else {
		mu_uuid_new(&id);
		mu_buf_format(&nobody, "cn=%s,%s", mu_uuid_format(&id, text), host->nobody_base);
		m.source = source = mu_strdup(host->nobody_source);
		m.dn = dn = mu_strdup(nobody.data);
	}
	msg_login_encode(&m, &body);
	ipc_call(login, OP_LOGIN, &body, -1, on_login, v);
}

/* --- The form ---------------------------------------------------------------------------------- */

/*
 * Who may collect stands first: a leaver whose name, or even whose place in the directory, another
 * person has taken over is never taken for them.
 */
static int
by_standing(const void *x, const void *y)
{
	const struct store_claim_person *a = x, *b = y;
	bool a_active = a->state == PERSON_ACTIVE && !a->blocked;
	bool b_active = b->state == PERSON_ACTIVE && !b->blocked;

	if (a_active != b_active)
		return a_active ? -1 : 1;
	return memcmp(a->person_id.bytes, b->person_id.bytes, sizeof(a->person_id.bytes));
}

/*
 * Counts the attempt, before anything is evaluated: against the person (the first of a name, however it
 * is spelled), or the name while nobody has it (so that who tried before they were known here is not
 * locked out then), and the address.
 */
static bool
visit_count(struct visit *v, int64_t *out_wait_s)
{
	char id[MU_UUID_TEXT_BYTES];
	int64_t now_s = mu_tick_ms() / 1000;

	if (v->people.count > 0)
		(void)snprintf(v->person_key, sizeof(v->person_key), "person %s",
		    mu_uuid_format(&v->people.list[0].person_id, id));
	else
		(void)snprintf(v->person_key, sizeof(v->person_key), "name %s", v->user);
	mu_text_lower(v->person_key);
	throttle_address_format(http_peer_of(v->req)->address, v->address_key);
	if (!throttle_take(v->api->people, v->person_key, now_s, out_wait_s))
		return false;
	if (throttle_take(v->api->addresses, v->address_key, now_s, out_wait_s))
		return true;
	throttle_give_back(v->api->people, v->person_key);
	return false;
}

/* A login name that somebody could have: anything else is nobody's, and need not be looked up. */
static bool
is_name(const char *user)
{
	for (; *user != '\0'; user++)
		if ((unsigned char)*user < ' ' || *user == 0x7f)
			return false;
	return true;
}

static void
visit_begin(struct api_claim *api, struct http_request *req, const char *user, const char *password)
{
	struct visit *v = mu_alloc_zero(1, sizeof(*v));
	struct mu_err err = MU_ERR_INIT;
	int64_t wait_s = 0;

	v->api = api;
	v->req = req;
	v->began_ms = mu_tick_ms();
	v->timer = mu_loop_timer(api->host.loop, on_refusal_due, v);
	mu_secret_set(&v->password, password, strlen(password));
	(void)snprintf(v->user, sizeof(v->user), "%s", user);
	if (is_name(user) &&
	    store_claim_find(api->host.store, v->user, mu_now_s(), &v->people, &err) != MU_OK) {
		mu_log_err(&err, "claim.postponed", NULL);
		visit_refuse(v, 503, 1, AWAY, true);
		return;
	}
	if (v->people.count > 1)
		qsort(v->people.list, v->people.count, sizeof(*v->people.list), by_standing);
	if (!visit_count(v, &wait_s)) {
		mu_log("claim.throttled", NULL);
		visit_refuse(v, 429, wait_s, "There were too many failed attempts. Please wait, then try "
		    "again.", true);
		return;
	}
	login_next(v);
}

static void
claim_post(void *ctx, struct http_request *req)
{
	struct http_form form = HTTP_FORM_INIT;
	size_t body_bytes;
	const char *body = http_body_of(req, &body_bytes), *user, *password;

	if (!http_form_parse(body, body_bytes, &form)) {
		refusal_answer(req, 400, 0, "The form was not filled in as this page asks.", true);
		return;
	}
	user = http_form_find(&form, "user");
	password = http_form_find(&form, "password");
	if (form.count != 2 || user == NULL || password == NULL || user[0] == '\0' ||
	    password[0] == '\0' || strlen(user) > USER_MAX_BYTES || strlen(password) > PASSWORD_MAX_BYTES)
		refusal_answer(req, 400, 0, "Please give your user name and your password.", true);
	else
		visit_begin(ctx, req, user, password);
	http_form_clear(&form);
}

static void
claim_get(void *ctx, struct http_request *req)
{
	MU_AUTO(mu_buf_clear) struct mu_buf main = MU_BUF_INIT;

	(void)ctx;
	form_add(&main);
	http_page_answer(req, 200, "Collect your credentials", &main, NULL);
}

/* Who types the host's name alone is shown the way. */
static void
root_get(void *ctx, struct http_request *req)
{
	static const struct http_header headers[] = { { "Location", "/claim" }, { NULL, NULL } };

	(void)ctx;
	http_answer(req, 303, NULL, NULL, 0, headers);
}

static const struct http_route routes[] = {
	{ "GET", "/", HTTP_NEED_NOTHING, NULL, 0, true, root_get },
	{ "GET", "/claim", HTTP_NEED_NOTHING, NULL, 0, true, claim_get },
	{ "POST", "/claim", HTTP_NEED_NOTHING, "application/x-www-form-urlencoded", FORM_MAX_BYTES, true,
	    claim_post },
};

enum mu_rc
api_claim_open(const struct api_claim_host *host, struct api_claim **out_api, struct mu_err *err)
{
	struct api_claim *api = mu_alloc_zero(1, sizeof(*api));
	struct http_server_settings settings = {
		.listen_fd = host->listen_fd, .cert_pem = host->cert_pem, .key_pem = host->key_pem,
		.routes = routes, .route_count = MU_COUNT(routes), .connections_max = CONNECTIONS_MAX,
		.ctx = api,
	};

	api->host = *host;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	api->people = throttle_new(API_CLAIM_FAILURES, API_CLAIM_WINDOW_S, THROTTLE_KEYS);
	api->addresses = throttle_new(API_CLAIM_ADDRESS_FAILURES, API_CLAIM_WINDOW_S, THROTTLE_KEYS);
	*out_api = api;
	return MU_OK;
}

void
api_claim_close(struct api_claim *api)
{
	if (api == NULL)
		return;
	http_server_close(api->server);
	throttle_free(api->people);
	throttle_free(api->addresses);
	mu_free(api);
}
