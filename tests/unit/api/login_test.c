/* Logging in: with a password and a code, all failures alike; and an action in the same request. */
#include "unit/api/admin_rig.h"

static struct someone root;
static struct http_client *anybody;

/* --- A login's body -------------------------------------------------------------------------- */

/* action, csr NULL: without. */
static int
login_as(const char *user, const char *password, const char *code, const char *request,
    const char *action)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (action != NULL)
		json_value(&w, "action", action);
	json_text(&w, "code", code);
	if (request != NULL)
		json_text(&w, "csr", request);
	json_text(&w, "password", password);
	json_text(&w, "user", user);
	json_object_end(&w);
	json_end(&w);
	return post(anybody, "/v1/login", body.data);
}

static const char *
request_pem(void)
{
	static struct mu_buf pem;
	struct mu_err err = MU_ERR_INIT;

	mu_buf_reset(&pem);
	MUST(crypto_csr_make(session_key, "any name", &pem, &err));
	return pem.data;
}

/* --- Who gets in ----------------------------------------------------------------------------- */

static void
a_password_and_a_code_open_a_session(void **state)
{
	struct someone ann = admin_of("ann", "security");
	struct http_client *c;

	(void)state;
	assert_int_equal(200, login_as("ANN", PASSWORD, code_now(&ann), request_pem(), NULL));
	says("\"role\":\"security\"");
	says("\"uid\":\"ann\"");
	MU_AUTO(mu_freep) char *certificate = told("certificate");

	c = rig_client(&http, vault_ca_pem(vault), certificate, &session_key_pem);
	assert_int_equal(200, get(c, "/v1/whoami"));
	http_client_close(c);
	recorded_as("auth.login", "address", "127.0.0.1");
}

/* Each failure is answered by the same bytes, after the same time, and the directory was asked. */
static void
all_failures_look_alike(void **state)
{
	struct someone bea = admin_of("bea", "security"), used = admin_of("used", "security"),
	    locked = admin_of("locked", "security"), left = admin_of("left", "security");
	MU_AUTO(mu_freep) char *bea_code = mu_strdup(code_now(&bea)), *used_code =
	    mu_strdup(code_now(&used)),
	    *locked_code = mu_strdup(code_now(&locked)), *left_code = mu_strdup(code_now(&left)),
	    *first = NULL;
	struct mu_secret wrong = wrong_code_of(&bea);
	const struct {
		const char *user, *password, *code, *request;
	} rows[] = {
		{ "bea", "wrong", bea_code, request_pem() },
		{ "nobody", PASSWORD, "123456", request_pem() },
		{ "sam", PASSWORD, "123456", request_pem() },
		{ "bea", PASSWORD, mu_secret_text(&wrong), request_pem() },
		{ "used", PASSWORD, used_code, request_pem() },
		{ "locked", PASSWORD, locked_code, request_pem() },
		{ "left", PASSWORD, left_code, request_pem() },
		{ "bea", PASSWORD, bea_code, "no request" },
		{ "bea", PASSWORD, "abcd efgh ijkm npqr stuv wxyz 23", request_pem() },
	};

	(void)state;
	free(rig_sql("UPDATE totp_seed SET locked_at = now() WHERE person_id = (SELECT person_id"
	    " FROM person"
	    " WHERE uid = 'locked')"));
	free(rig_sql("UPDATE person SET state = 'leaver' WHERE uid = 'left'"));
	assert_int_equal(200, login_as("used", PASSWORD, used_code, request_pem(), NULL));
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		int64_t began_ms = mu_tick_ms();
		int asked = seen->logins, failed = records("auth.failed");

		if (login_as(rows[i].user, rows[i].password, rows[i].code, rows[i].request,
		    NULL) != 401)
			fail_msg("row %zu: %d %s", i, reply.status, mu_buf_text(&reply.body));
		assert_true(mu_tick_ms() - began_ms >= 400);
		assert_int_equal(asked + 1, seen->logins);
		if (strcmp(rows[i].request, "no request") != 0)
			assert_int_equal(failed + 1, records("auth.failed"));
		if (first == NULL)
			first = mu_strdup(mu_buf_text(&reply.body));
		assert_string_equal(first, mu_buf_text(&reply.body));
	}
	mu_secret_clear(&wrong);
}

static void
nobody_is_tried_in_the_directory_too(void **state)
{
	(void)state;
	assert_int_equal(401, login_as("no such name", PASSWORD, "123456", request_pem(), NULL));
	assert_non_null(strstr(seen->last_dn, ",ou=people,dc=example"));
	assert_null(strstr(seen->last_dn, "no such name"));
}

static void
a_code_logs_in_once(void **state)
{
	struct someone once = admin_of("once", "security");
	MU_AUTO(mu_freep) char *code = mu_strdup(code_now(&once));

	(void)state;
	assert_int_equal(200, login_as("once", PASSWORD, code, request_pem(), NULL));
	assert_int_equal(401, login_as("once", PASSWORD, code, request_pem(), NULL));
}

static void
five_failures_wait_and_nobody_else_does(void **state)
{
	struct someone eve = admin_of("eve", "security"), fay = admin_of("fay", "security");
	int asked;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(401, login_as(i % 2 == 0 ? "eve" : "Eve", "wrong", "123456",
		    request_pem(), NULL));
	asked = seen->logins;
	assert_int_equal(429, login_as("eve", PASSWORD, code_now(&eve), request_pem(), NULL));
	assert_true(reply.retry_after_ms > 0);
	assert_int_equal(asked, seen->logins);
	assert_int_equal(200, login_as("fay", PASSWORD, code_now(&fay), request_pem(), NULL));
}

static void
a_directory_that_is_away_counts_against_nobody(void **state)
{
	struct someone gil = admin_of("gil", "security");

	(void)state;
	seen->directory_is_away = true;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(503, login_as("gil", PASSWORD, "123456", request_pem(), NULL));
		assert_true(reply.retry_after_ms > 0);
	}
	seen->directory_is_away = false;
	assert_int_equal(200, login_as("gil", PASSWORD, code_now(&gil), request_pem(), NULL));
}

/* --- New administrators ---------------------------------------------------------------------- */

static void
a_one_time_code_is_spent_for_a_seed(void **state)
{
	struct someone novice = person("novice", "Security");
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT, uri = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(json_freep) struct json_node *tree = NULL;
	const char *text;

	(void)state;
	MUST(store_begin(host.store, &err));
	MUST(auth_enrol(&host, &novice.id, "security", &root.id, mu_now_ms(), &word, &err));
	MUST(store_commit(host.store, &err));
	assert_int_equal(401, login_as("novice", "wrong", mu_secret_text(&word), NULL, NULL));
	assert_int_equal(200, login_as("novice", PASSWORD, mu_secret_text(&word), NULL, NULL));
	MUST(json_parse(reply.body.data, reply.body.size_bytes, 4096, "answer", &tree, &err));
	text = json_find_text(json_find(tree, "enrolment"), "uri");
	assert_non_null(text);
	mu_secret_set(&uri, text, strlen(text));
	scan(&novice, &uri);
	assert_int_equal(401, login_as("novice", PASSWORD, mu_secret_text(&word), NULL, NULL));
	/* who has not used a code yet proposes nothing, and is told of nobody */
	assert_int_equal(401, login_as("novice", PASSWORD, code_now(&novice), NULL,
	    "{\"action\":\"suspend\",\"args\":{},\"reason\":\"x\",\"targets\":[\"shared@example.org\"]}"));
	assert_int_equal(200, login_as("novice", PASSWORD, code_now(&novice), request_pem(), NULL));
	says("\"certificate\"");
}

/* --- Login and action in one ----------------------------------------------------------------- */

static void
P5_13_a_code_opens_one_action_and_no_session(void **state)
{
	static const char revoke_sue[] =
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"lost phone\",\"targets\":[\"sue\"]}";
	struct someone hal = admin_of("hal", "security");
	MU_AUTO(mu_freep) char *code = mu_strdup(code_now(&hal));
	int sessions;

	(void)state;
	assert_int_equal(200, login_as("hal", PASSWORD, code, NULL, revoke_sue));
	says("\"state\":\"executed\"");
	rig_sql_is("t", "SELECT blocked FROM person WHERE uid = 'sue'");
	sessions = records("auth.login");
	assert_int_equal(401, login_as("hal", PASSWORD, code, NULL,
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"again\",\"targets\":[\"sam\"]}"));
	assert_int_equal(401, login_as("hal", PASSWORD, code, request_pem(), NULL));
	assert_int_equal(sessions, records("auth.login"));
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'sam'");
	rig_sql_is("0", "SELECT count(*) FROM admin_session s JOIN person p USING (person_id) WHERE"
	    " uid = 'hal'");
}

static void
who_is_not_one_person_costs_no_code(void **state)
{
	struct someone ina = admin_of("ina", "security");
	MU_AUTO(mu_freep) char *code = mu_strdup(code_now(&ina));
	int executed = records("action.executed");

	(void)state;
	assert_int_equal(400, login_as("ina", PASSWORD, code, NULL,
	    "{\"action\":\"suspend\",\"args\":{},"
	    "\"reason\":\"x\",\"targets\":[\"shared@example.org\",\"no such name\"]}"));
	says("\"targets\":[{\"candidates\":[");
	says("\"given\":\"no such name\"");
	assert_int_equal(executed, records("action.executed"));
	assert_int_equal(401, login_as("ina", "wrong", code, NULL,
	    "{\"action\":\"suspend\",\"args\":{},"
	    "\"reason\":\"x\",\"targets\":[\"shared@example.org\"]}"));
	says_not("candidates");
	assert_int_equal(200, login_as("ina", PASSWORD, code, NULL,
	    "{\"action\":\"suspend\",\"args\":{},"
	    "\"reason\":\"x\",\"targets\":[\"sam\"]}"));
	assert_int_equal(executed + 1, records("action.executed"));
}

/* One factor: whom there is, what one may, and that the password was right all stay unsaid. */
static void
P5_13_a_password_without_its_code_learns_nothing(void **state)
{
	static const char *const asked[] = {
		"{\"action\":\"suspend\",\"args\":{},\"reason\":\"x\",\"targets\":[\"shared@example.org\"]}",
		"{\"action\":\"suspend\",\"args\":{},\"reason\":\"x\",\"targets\":[\"no such name\"]}",
		"{\"action\":\"no such\",\"args\":{},\"reason\":\"x\",\"targets\":[\"sam\"]}",
		"{\"action\":\"policy.apply\",\"args\":{},\"reason\":\"x\",\"targets\":[]}",
	};
	struct someone one = admin_of("onefactor", "security");
	struct mu_secret wrong = wrong_code_of(&one);
	MU_AUTO(mu_freep) char *first = NULL;
	int proposed = records("action.proposed"), refused = records("action.refused");

	(void)state;
	assert_int_equal(401, login_as("onefactor", "wrong", mu_secret_text(&wrong), NULL, asked[0]));
	first = mu_strdup(mu_buf_text(&reply.body));
	for (size_t i = 0; i < MU_COUNT(asked); i++) {
		assert_int_equal(401, login_as("onefactor", PASSWORD, mu_secret_text(&wrong), NULL, asked[i]));
		assert_string_equal(first, mu_buf_text(&reply.body));
	}
	assert_int_equal(proposed, records("action.proposed"));
	assert_int_equal(refused, records("action.refused"));
	mu_secret_clear(&wrong);
}

static void
what_needs_two_is_left_pending(void **state)
{
	struct someone jon = admin_of("jon", "security"), kim = person("kim", "Sales");

	(void)state;
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'kim'"));
	assert_int_equal(202, login_as("jon", PASSWORD, code_now(&jon), NULL,
	    "{\"action\":\"reinstate\","
	    "\"args\":{},\"reason\":\"found\",\"targets\":[\"kim\"]}"));
	says("\"state\":\"pending\"");
	says("\"approvals\":1");
	rig_sql_is("t", "SELECT blocked FROM person WHERE uid = 'kim'");
	assert_int_equal(0, kim.seed_bytes);
}

static void
what_a_role_may_not_is_told_and_costs_no_code(void **state)
{
	struct someone lou = admin_of("lou", "mute");
	MU_AUTO(mu_freep) char *code = mu_strdup(code_now(&lou));

	(void)state;
	assert_int_equal(403, login_as("lou", PASSWORD, code, NULL,
	    "{\"action\":\"revoke\",\"args\":{},"
	    "\"reason\":\"x\",\"targets\":[\"sam\"]}"));
	says("mute");
	assert_int_equal(200, login_as("lou", PASSWORD, code, request_pem(), NULL));
}

/* --- Malformed ------------------------------------------------------------------------------- */

static void
malformed_logins_ask_nobody(void **state)
{
	static const char *const bodies[] = {
		"", "{", "[]", "{}", "{\"user\":\"ann\",\"password\":\"x\",\"code\":\"123456\"}",
		"{\"user\":\"ann\",\"password\":\"x\",\"code\":\"12345\",\"csr\":\"x\"}",
		"{\"user\":\"ann\",\"password\":\"x\",\"code\":\"1234567\",\"csr\":\"x\"}",
		"{\"user\":\"ann\",\"password\":\"x\",\"code\":\"12345a\",\"csr\":\"x\"}",
		"{\"user\":\"ann\",\"password\":\"x\",\"code\":\"-12345\",\"csr\":\"x\"}",
		"{\"user\":\"ann\",\"password\":\"x\",\"code\":123456,\"csr\":\"x\"}",
		"{\"user\":\"ann\",\"password\":\"\",\"code\":\"123456\",\"csr\":\"x\"}",
		"{\"user\":\"\",\"password\":\"x\",\"code\":\"123456\",\"csr\":\"x\"}",
		"{\"user\":\"a\\u0000\",\"password\":\"x\",\"code\":\"123456\",\"csr\":\"x\"}",
		"{\"user\":\"a\",\"user\":\"b\",\"password\":\"x\",\"code\":\"123456\",\"csr\":\"x\"}",
		"{\"user\":\"a\",\"password\":\"x\",\"code\":\"123456\",\"csr\":\"x\",\"action\":{}}",
		"{\"user\":\"a\",\"password\":\"x\",\"code\":\"123456\",\"csr\":\"x\",\"more\":1}",
		"{\"user\":\"a\",\"password\":\"x\",\"code\":\"123456\",\"action\":[]}",
		"{\"user\":\"a\",\"password\":\"x\",\"code\":\"abcdefghijkmnpqrstuvwxyz23\",\"action\":{}}",
	};
	int asked = seen->logins;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(bodies); i++) {
		int failed = records("auth.failed");

		if (post(anybody, "/v1/login", bodies[i]) != 400)
			fail_msg("%s: %d", bodies[i], reply.status);
		assert_int_equal(failed + 1, records("auth.failed"));
	}
	assert_int_equal(asked, seen->logins);
}

static void
a_login_has_a_bound(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	(void)state;
	mu_buf_text_add(&body, "{\"user\":\"");
	for (int i = 0; i < 70000; i++)
		mu_buf_char_add(&body, 'a');
	mu_buf_text_add(&body, "\"}");
	assert_int_equal(413, post(anybody, "/v1/login", body.data));
}

/* --- All of it ------------------------------------------------------------------------------- */

static int
all_up(void **state)
{
	if (api_up(state) != 0)
		return 1;
	(void)person("sam", "Sales");
	(void)person("sue", "Sales");
	root = admin_of("root", "security");
	anybody = rig_client(&http, vault_ca_pem(vault), NULL, NULL);
	return 0;
}

static int
all_down(void **state)
{
	http_client_close(anybody);
	return api_down(state);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_and_a_code_open_a_session),
		cmocka_unit_test(all_failures_look_alike),
		cmocka_unit_test(nobody_is_tried_in_the_directory_too),
		cmocka_unit_test(a_code_logs_in_once),
		cmocka_unit_test(five_failures_wait_and_nobody_else_does),
		cmocka_unit_test(a_directory_that_is_away_counts_against_nobody),
		cmocka_unit_test(a_one_time_code_is_spent_for_a_seed),
		cmocka_unit_test(P5_13_a_code_opens_one_action_and_no_session),
		cmocka_unit_test(who_is_not_one_person_costs_no_code),
		cmocka_unit_test(P5_13_a_password_without_its_code_learns_nothing),
		cmocka_unit_test(what_needs_two_is_left_pending),
		cmocka_unit_test(what_a_role_may_not_is_told_and_costs_no_code),
		cmocka_unit_test(malformed_logins_ask_nobody),
		cmocka_unit_test(a_login_has_a_bound),
	};

	return cmocka_run_group_tests(tests, all_up, all_down);
}
