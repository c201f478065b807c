/*
 * The claim page with a store of its own: the functions of the store that the page calls stand here,
 * so that each name is a case. keys and login are played by another process over real channels.
 */
#define store_begin			fake_begin
#define store_commit			fake_commit
#define store_rollback			fake_rollback
#define store_audit_write		fake_audit_write
#define store_claim_find		fake_claim_find
#define store_claim_people_clear	fake_claim_people_clear
#define store_credential_claimable	fake_credential_claimable
#define store_credential_claimed	fake_credential_claimed
#define store_claimables_clear		fake_claimables_clear

#include "api/claim.c"
#include "audit/record.c"

#include "base/clock.h"
#include "http/percent.h"
#include "ipc/message.h"
#include "store/audit.h"
#include "unit/api/http_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

/* Seen by all processes of the test. */
static struct seen {
	int logins, refusals, claims, unseals;
	char last_dn[256], last_record[512];
} *seen;

/* --- The store --------------------------------------------------------------------------------- */

struct person {
	const char *name;
	enum person_state state;
	bool blocked;
	enum account_state wanted;
	enum store_credential_state credential;
	int commits_fail;		/* so many commits end with MU_ERETRY */
	const char *sealed;
};

static struct person people[] = {
	{ "ready", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "unlucky", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 1, "seal" },
	{ "keyless", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "late" },
	{ "coming", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_SEALED, 0, "" },
	{ "stranger", PERSON_ACTIVE, false, ACCOUNT_DISABLED, CREDENTIAL_NONE, 0, "" },
	{ "resting", PERSON_SUSPENDED, false, ACCOUNT_DISABLED, CREDENTIAL_NONE, 0, "" },
	{ "revoked", PERSON_ACTIVE, true, ACCOUNT_DISABLED, CREDENTIAL_NONE, 0, "" },
	{ "guessed", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "dark", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "twin", PERSON_ACTIVE, false, ACCOUNT_DISABLED, CREDENTIAL_NONE, 0, "" },
	{ "twin", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "heir", PERSON_LEAVER, false, ACCOUNT_DISABLED, CREDENTIAL_CLAIMED, 0, "" },
	{ "heir", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "DIM", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "dim", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "dusky", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "DUSKY", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
	{ "typist", PERSON_ACTIVE, false, ACCOUNT_ENABLED, CREDENTIAL_CLAIMABLE, 0, "seal" },
};

static struct person *open_claim;	/* in the open transaction, collected at its commit */

static struct person *
person_of(const struct mu_uuid *id)
{
	return &people[id->bytes[15]];
}

enum mu_rc
store_begin(struct store *s, struct mu_err *err)
{
	(void)s;
	(void)err;
	open_claim = NULL;
	return MU_OK;
}

enum mu_rc
store_commit(struct store *s, struct mu_err *err)
{
	struct person *p = open_claim;

	(void)s;
	open_claim = NULL;
	if (p != NULL && p->commits_fail > 0) {
		p->commits_fail--;
		return mu_fail(err, MU_ERETRY, "the connection was lost");
	}
	if (p != NULL)
		p->credential = CREDENTIAL_CLAIMED;
	return MU_OK;
}

void
store_rollback(struct store *s)
{
	(void)s;
	open_claim = NULL;
}

void
store_audit_write(struct store *s, const struct mu_uuid *record_id, int64_t at_ms, const char *kind,
    const char *body)
{
	(void)s;
	(void)record_id;
	(void)at_ms;
	if (strcmp(kind, "claim.refused") == 0)
		seen->refusals++;
	if (strcmp(kind, "credential.claimed") == 0)
		seen->claims++;
	(void)snprintf(seen->last_record, sizeof(seen->last_record), "%s", body);
}

void
store_claim_people_clear(struct store_claim_people *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct store_claim_person *one = &p->list[i];

		for (size_t j = 0; j < one->account_count; j++) {
			mu_free(one->accounts[j].platform);
			mu_free(one->accounts[j].name);
		}
		mu_free(one->accounts);
		mu_free(one->source);
		mu_free(one->dn);
		mu_free(one->uid);
		mu_free(one->identified);
	}
	mu_free(p->list);
	*p = (struct store_claim_people){ NULL, 0 };
}

enum mu_rc
store_claim_find(struct store *s, const char *uid, int64_t now_s, struct store_claim_people *out,
    struct mu_err *err)
{
	struct store_claim_people found = { mu_alloc_zero(MU_COUNT(people), sizeof(*found.list)), 0 };

	(void)s;
	(void)now_s;
	if (strcmp(uid, "storeless") == 0) {
		mu_free(found.list);
		return mu_fail(err, MU_ERETRY, "store is away");
	}
	for (size_t i = 0; i < MU_COUNT(people); i++) {
		struct store_claim_person *p = &found.list[found.count];
		struct mu_buf dn = MU_BUF_INIT;

		if (strcasecmp(people[i].name, uid) != 0)
			continue;
		mu_buf_format(&dn, "uid=%s,number=%zu", people[i].name, i);
		found.count++;
		p->person_id.bytes[15] = (unsigned char)i;
		p->source = mu_strdup("main");
		p->dn = dn.data;
		p->uid = mu_strdup(people[i].name);
		p->identified = mu_strdup("");
		p->state = people[i].state;
		p->blocked = people[i].blocked;
		p->accounts = mu_alloc_zero(1, sizeof(*p->accounts));
		p->account_count = 1;
		p->accounts[0].platform = mu_strdup("xmpp");
		p->accounts[0].name = mu_strdup(people[i].name);
		p->accounts[0].wanted = people[i].wanted;
		p->accounts[0].credential = people[i].credential;
	}
	*out = found;
	return MU_OK;
}

void
store_claimables_clear(struct store_claimables *c)
{
	for (size_t i = 0; i < c->count; i++) {
		mu_free(c->list[i].platform);
		mu_free(c->list[i].name);
		mu_secret_clear(&c->list[i].sealed);
	}
	mu_free(c->list);
	*c = (struct store_claimables){ NULL, 0 };
}

enum mu_rc
store_credential_claimable(struct store *s, const struct mu_uuid *person_id, int64_t now_s,
    struct store_claimables *out, struct mu_err *err)
{
	const struct person *p = person_of(person_id);

	(void)s;
	(void)now_s;
	(void)err;
	*out = (struct store_claimables){ mu_alloc_zero(1, sizeof(*out->list)), 0 };
	if (p->credential != CREDENTIAL_CLAIMABLE || p->state != PERSON_ACTIVE || p->blocked)
		return MU_OK;
	out->count = 1;
	out->list[0].account_id = *person_id;
	out->list[0].platform = mu_strdup("xmpp");
	out->list[0].name = mu_strdup("<name>");
	mu_secret_set(&out->list[0].sealed, p->sealed, strlen(p->sealed));
	return MU_OK;
}

void
store_credential_claimed(struct store *s, const struct mu_uuid *credential_id,
    const struct mu_uuid *account_id, int64_t now_s)
{
	(void)s;
	(void)credential_id;
	(void)now_s;
	open_claim = person_of(account_id);
}

/* --- keys and login, in a process of their own -------------------------------------------------- */

static void
peer_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct mu_err err = MU_ERR_INIT;
	struct mu_buf body = MU_BUF_INIT;
	struct msg_login login;
	struct msg_seal seal;

	(void)ctx;
	if (m->op == OP_LOGIN && msg_login_decode(&m->body, &login)) {
		seen->logins++;
		(void)snprintf(seen->last_dn, sizeof(seen->last_dn), "%s", login.dn);
		if (strstr(login.dn, "uid=dark,") != NULL || strstr(login.dn, "uid=D") != NULL) {
			(void)mu_fail(&err, MU_ERETRY, "directory is away");
			ipc_reply_error(ch, m->id, &err);
		} else {
			/* nobody's DN is given a yes: the page must not believe it */
			ipc_put_u8(&body, strcmp(mu_secret_text(&login.password), "r\xc3\xafght 1+1") == 0 &&
			    strstr(login.dn, "number=9") == NULL);
			ipc_reply(ch, OP_LOGIN, m->id, &body, -1);
		}
		msg_login_clear(&login);
	} else if (m->op == OP_UNSEAL && msg_seal_decode(&m->body, &seal)) {
		seen->unseals++;
		if (strcmp(mu_secret_text(&seal.sealed), "late") == 0 && seen->unseals % 2 == 1) {
			(void)mu_fail(&err, MU_EBROKEN, "cannot be unsealed");
			ipc_reply_error(ch, m->id, &err);
		} else {
			ipc_put_bytes(&body, "s3cret&<b>", 10);
			ipc_reply(ch, OP_UNSEAL, m->id, &body, -1);
		}
		msg_seal_clear(&seal);
	}
	mu_buf_clear(&body);
}

static void
peer_end(void *ctx, struct ipc_channel *ch)
{
	(void)ch;
	mu_loop_stop(ctx, 0);
}

static int
peers_run(int fd)
{
	static const uint16_t allowed[] = { OP_LOGIN, OP_UNSEAL, 0 };
	struct mu_loop *loop = mu_loop_new();
	struct ipc_channel *ch = ipc_open(loop, fd, "page", allowed, peer_request, peer_end, loop);

	(void)mu_loop_run(loop);
	ipc_close(ch);
	mu_loop_free(loop);
	return 0;
}

/* --- The page ---------------------------------------------------------------------------------- */

static void
no_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	(void)ch;
	(void)m;
}

static void
no_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	(void)ch;
}

static struct ipc_channel *
channel_get(void *ctx)
{
	return ctx;
}

static int
serve(int listen_fd, int stop_fd, void *ctx)
{
	static const uint16_t nothing[] = { 0 };
	struct mu_loop *loop = mu_loop_new();
	struct api_claim_host host = { .loop = loop, .keys = channel_get, .login = channel_get,
		.nobody_source = "main", .nobody_base = "ou=people", .listen_fd = listen_fd };
	struct mu_err err = MU_ERR_INIT;
	struct api_claim *api = NULL;
	struct ipc_channel *ch;
	struct mu_watch *stop;
	int fds[2], status;
	pid_t peers;

	(void)ctx;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
		return 1;
	peers = fork();
	if (peers == 0) {
		(void)close(fds[0]);
		(void)close(listen_fd);
		mu_loop_free(loop);
		exit(peers_run(fds[1]));
	}
	(void)close(fds[1]);
	ch = ipc_open(loop, fds[0], "peers", nothing, no_request, no_end, NULL);
	host.channel_ctx = ch;
	if (api_claim_open(&host, &api, &err) != MU_OK)
		return 1;
	stop = mu_loop_watch(loop, stop_fd, EPOLLIN, rig_on_stop, loop);
	status = mu_loop_run(loop);
	mu_watch_remove(stop);
	ipc_close(ch);
	api_claim_close(api);
	mu_loop_free(loop);
	(void)close(stop_fd);
	(void)waitpid(peers, NULL, 0);
	return status;
}

/* --- The tests --------------------------------------------------------------------------------- */

static struct http_rig rig;
static struct mu_buf answer;

/* more: further header lines */
static int
visit_with(const char *more, const char *user, const char *password)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	mu_buf_text_add(&body, "user=");
	http_percent_format(&body, user);
	mu_buf_text_add(&body, "&password=");
	http_percent_format(&body, password);
	return rig_post_with(&rig, "/claim", "application/x-www-form-urlencoded", more, body.data, &answer);
}

static int
visit(const char *user, const char *password)
{
	return visit_with("", user, password);
}

#define RIGHT "r\xc3\xafght 1+1"

static void
the_page_is_a_form_without_script(void **state)
{
	static const char *const has[] = {
		"<html lang=\"en\">", "<label for=\"user\">", "<label for=\"password\">",
		"autocomplete=\"current-password\"", "<h1>", "Cache-Control: no-store",
		"Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'",
		"Referrer-Policy: no-referrer",
	};

	(void)state;
	assert_int_equal(rig_get(&rig, "/claim", &answer), 200);
	for (size_t i = 0; i < MU_COUNT(has); i++)
		assert_non_null(strstr(answer.data, has[i]));
	assert_null(strstr(answer.data, "<script"));
	assert_null(strstr(answer.data, "value="));
	assert_int_equal(rig_get(&rig, "/", &answer), 303);
	assert_non_null(strstr(answer.data, "Location: /claim\r\n"));
}

static void
a_credential_is_shown_once(void **state)
{
	int claims = seen->claims;

	(void)state;
	assert_int_equal(visit("Ready", RIGHT), 200);
	assert_non_null(strstr(answer.data, "data-platform=\"xmpp\" data-account=\"&lt;name&gt;\">"
	    "s3cret&amp;&lt;b&gt;</code>"));
	assert_int_equal(seen->claims, claims + 1);
	assert_int_equal(visit("ready", RIGHT), 410);
	assert_non_null(strstr(answer.data, "class=\"refusal\""));
	assert_null(strstr(answer.data, "s3cret"));
	assert_int_equal(seen->claims, claims + 1);
}

static void
a_lost_connection_at_commit_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(visit("unlucky", RIGHT), 200);
	assert_int_equal(visit("unlucky", RIGHT), 410);
}

static void
what_cannot_be_unsealed_stays_collectable(void **state)
{
	(void)state;
	if (seen->unseals % 2 == 1)
		seen->unseals++;
	assert_int_equal(visit("keyless", RIGHT), 503);
	assert_null(strstr(answer.data, "s3cret"));
	assert_int_equal(visit("keyless", RIGHT), 200);
}

static struct refusal {
	const char *name, *user, *password;
	int status;
	const char *holds;
	int logins;		/* how often login was asked */
	int records;		/* of refusals */
} refusals[] = {
	{ "a wrong password is 401", "coming", "wrong", 401, "not right", 1, 1 },
	{ "nobody is 401, and login is asked all the same", "nobody", RIGHT, 401, "not right", 1, 1 },
	{ "a name with a control character is nobody's", "ready\n", RIGHT, 401, "not right", 1, 1 },
	{ "an empty password never gets to login", "coming", "", 400, "give your", 0, 0 },
	{ "an empty name never gets to login", "", RIGHT, 400, "give your", 0, 0 },
	{ "what is not ready yet is 503", "coming", RIGHT, 503, "made ready", 1, 0 },
	{ "who is not identified is told what to do", "stranger", RIGHT, 403, "identity document", 1, 1 },
	{ "who is suspended is refused", "resting", RIGHT, 403, "not active", 1, 1 },
	{ "who is revoked is refused", "revoked", RIGHT, 403, "not active", 1, 1 },
	{ "login away is 503", "dark", RIGHT, 503, "Nothing is lost", 1, 0 },
	{ "store away is 503", "storeless", RIGHT, 503, "Nothing is lost", 0, 0 },
	{ "of two people with a name the right one collects", "twin", RIGHT, 200, "s3cret", 2, 0 },
	{ "who has a leaver's name is not taken for them", "heir", RIGHT, 200, "s3cret", 1, 0 },
	{ "a namesake's directory being away keeps nobody out", "dim", RIGHT, 200, "s3cret", 2, 0 },
};

static void
refusal_row(void **state)
{
	const struct refusal *r = *state;
	int logins = seen->logins, records = seen->refusals;

	assert_int_equal(visit(r->user, r->password), r->status);
	assert_non_null(strstr(answer.data, r->holds));
	assert_int_equal(seen->logins - logins, r->logins);
	assert_int_equal(seen->refusals - records, r->records);
	if (r->records > 0 && strcmp(r->user, "nobody") == 0)
		assert_null(strstr(seen->last_record, "nobody\""));
}

/* Wrong password and unknown name: the same bytes but for the date, after the same time. */
static void
a_401_tells_nothing(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf first = MU_BUF_INIT;
	int64_t began_ms = mu_tick_ms();

	(void)state;
	assert_int_equal(visit("stranger", "wrong"), 401);
	assert_true(mu_tick_ms() - began_ms >= API_CLAIM_REFUSAL_MS);
	mu_buf_text_add(&first, strstr(answer.data, "\r\n\r\n"));
	began_ms = mu_tick_ms();
	assert_int_equal(visit("no-such-person", "wrong"), 401);
	assert_true(mu_tick_ms() - began_ms >= API_CLAIM_REFUSAL_MS);
	assert_string_equal(strstr(answer.data, "\r\n\r\n"), first.data);
}

static void
after_five_failures_even_the_right_password_waits(void **state)
{
	(void)state;
	for (int i = 0; i < API_CLAIM_FAILURES; i++)
		assert_int_equal(visit(i % 2 == 0 ? "guessed" : "GUESSED", "wrong"), 401);
	int logins = seen->logins;

	assert_int_equal(visit("guessed", RIGHT), 429);
	assert_non_null(strstr(answer.data, "Retry-After: "));
	assert_int_equal(seen->logins, logins);
	assert_int_equal(visit("stranger", RIGHT), 403);	/* nobody else waits */
}

static void
nobody_waits_because_something_is_away(void **state)
{
	(void)state;
	for (int i = 0; i < API_CLAIM_FAILURES * 2; i++)
		assert_int_equal(visit("dark", RIGHT), 503);
}

static void
a_guess_counts_though_a_namesakes_directory_is_away(void **state)
{
	(void)state;
	for (int i = 0; i < API_CLAIM_FAILURES; i++)
		assert_int_equal(visit("dusky", "wrong"), 503);
	assert_int_equal(visit("dusky", RIGHT), 429);
}

/* What the command asks for; it posts the same form. */
static void
the_command_is_told_in_json(void **state)
{
	static const char accept[] = "Accept: text/plain;q=0.1, application/json\r\n";

	(void)state;
	assert_int_equal(visit_with(accept, "typist", "wrong"), 401);
	assert_non_null(strstr(answer.data, "Content-Type: application/problem+json\r\n"));
	assert_non_null(strstr(answer.data, "WWW-Authenticate: "));
	assert_non_null(strstr(answer.data, "\"status\":401"));
	assert_int_equal(visit_with(accept, "typist", RIGHT), 200);
	assert_non_null(strstr(answer.data, "Content-Type: application/json\r\n"));
	assert_string_equal(strstr(answer.data, "\r\n\r\n") + 4,
	    "{\"credentials\":[{\"name\":\"<name>\",\"password\":\"s3cret&<b>\",\"platform\":\"xmpp\"}]}");
	assert_int_equal(visit_with(accept, "typist", RIGHT), 410);
	assert_non_null(strstr(answer.data, "\"title\":\"Gone\""));
	assert_int_equal(visit_with("Accept: application/jsonl\r\n", "typist", RIGHT), 410);
	assert_non_null(strstr(answer.data, "class=\"refusal\""));
}

static void
malformed_forms_are_400(void **state)
{
	static const char *const bodies[] = {
		"", "user=a", "user=a&user=b&password=c", "user=%zz&password=x", "user=a&password=%00",
		"user=a&password=b&more=c", "password=a",
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(bodies); i++)
		assert_int_equal(rig_post(&rig, "/claim", "application/x-www-form-urlencoded", bodies[i],
		    &answer), 400);
	assert_int_equal(rig_post(&rig, "/claim", "application/json", "{}", &answer), 415);
	assert_int_equal(rig_get(&rig, "/v1/status", &answer), 404);
}

static int
all_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rig_start(&rig, serve, NULL);
	return seen == MAP_FAILED;
}

static int
all_down(void **state)
{
	(void)state;
	mu_buf_clear(&answer);
	return rig_stop(&rig);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(refusals) + 10] = {
		cmocka_unit_test(the_page_is_a_form_without_script),
		cmocka_unit_test(a_credential_is_shown_once),
		cmocka_unit_test(a_lost_connection_at_commit_is_tried_again),
		cmocka_unit_test(what_cannot_be_unsealed_stays_collectable),
		cmocka_unit_test(a_401_tells_nothing),
		cmocka_unit_test(after_five_failures_even_the_right_password_waits),
		cmocka_unit_test(nobody_waits_because_something_is_away),
		cmocka_unit_test(a_guess_counts_though_a_namesakes_directory_is_away),
		cmocka_unit_test(malformed_forms_are_400),
		cmocka_unit_test(the_command_is_told_in_json),
	};

	for (size_t i = 0; i < MU_COUNT(refusals); i++)
		tests[i + 10] = (struct CMUnitTest){ refusals[i].name, refusal_row, NULL, NULL, &refusals[i] };
	return cmocka_run_group_tests(tests, all_up, all_down);
}
