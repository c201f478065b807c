/* The console's door: the first two administrators, and nobody of our own processes. */
#include "unit/api/admin_rig.h"

#include "crypto/cert.h"

static struct someone ann, bob, eve;

/* The member of the console's answer; fresh. */
static char *
answered(const char *name)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *body = strstr(console_answer.data, "\r\n\r\n") + 4;
	struct mu_err err = MU_ERR_INIT;

	MUST(json_parse(body, strlen(body), 1 << 16, "answer", &root, &err));
	if (json_find_text(root, name) == NULL)
		fail_msg("%s has no %s", body, name);
	return mu_strdup(json_find_text(root, name));
}

static int
ask_for(const char *who, const char *role)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	mu_buf_format(&body, "{\"role\":\"%s\",\"who\":\"%s\"}", role, who);
	return console_post("/v1/bootstrap", body.data);
}

static int
confirm_as(const struct someone *one, const char *code)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	char id[MU_UUID_TEXT_BYTES];

	mu_buf_format(&body, "{\"code\":\"%s\",\"person\":\"%s\"}", code, mu_uuid_format(&one->id,
	    id));
	return console_post("/v1/bootstrap/confirm", body.data);
}

static void
scan_answer(struct someone *one)
{
	MU_AUTO(mu_freep) char *uri = answered("uri");
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;

	mu_secret_set(&secret, uri, strlen(uri));
	scan(one, &secret);
}

/* --- In order: the door is open, and then closed --------------------------------------------- */

static struct bad {
	const char *name, *body, *holds;
	int status;
} bads[] = {
	{ "a bootstrap is JSON", "{", "line 1", 400 },
	{ "a bootstrap names a role", "{\"who\":\"ann\"}", "role", 400 },
	{ "a bootstrap has no more than it says",
	    "{\"force\":true,\"role\":\"security\",\"who\":\"ann\"}", "force", 400 },
	{ "a role is one that there is", "{\"role\":\"king\",\"who\":\"ann\"}", "sales-desk", 400 },
	{ "nobody is nobody", "{\"role\":\"security\",\"who\":\"no such name\"}", "Nobody", 404 },
	{ "several are told", "{\"role\":\"security\",\"who\":\"shared@example.org\"}",
	    "\"candidates\":[{\"id\":", 409 },
};

static void
bad_row(void **state)
{
	const struct bad *b = *state;

	assert_int_equal(b->status, console_post("/v1/bootstrap", b->body));
	if (strstr(console_answer.data, b->holds) == NULL)
		fail_msg("%s", console_answer.data);
	rig_sql_is("0", "SELECT count(*) FROM administrator");
}

static void
a_process_of_ours_makes_no_administrator(void **state)
{
	int failed = records("auth.failed");

	(void)state;
	seen->ours = (int64_t)getpid();
	assert_int_equal(403, ask_for("ann", "security"));
	assert_int_equal(403, confirm_as(&ann, "123456"));
	seen->ours = 0;
	assert_int_equal(failed + 2, records("auth.failed"));
	rig_sql_is("0", "SELECT count(*) FROM administrator");
}

static void
nobody_does_while_the_supervisor_says_nothing(void **state)
{
	(void)state;
	seen->supervisor_is_mute = true;
	assert_int_equal(503, ask_for("ann", "security"));
	seen->supervisor_is_mute = false;
	rig_sql_is("0", "SELECT count(*) FROM administrator");
}

static void
who_is_not_active_is_no_administrator(void **state)
{
	(void)state;
	free(rig_sql("UPDATE person SET state = 'suspended' WHERE uid = 'ann'"));
	assert_int_equal(403, ask_for("ann", "security"));
	free(rig_sql("UPDATE person SET state = 'active' WHERE uid = 'ann'"));
}

static void
two_get_in_and_the_door_closes(void **state)
{
	unsigned char fingerprint[CRYPTO_FINGERPRINT_BYTES];
	MU_AUTO(mu_buf_clear) struct mu_buf print = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct mu_secret wrong;
	int64_t not_after_s;

	(void)state;
	assert_int_equal(200, ask_for("ann", "security"));
	MU_AUTO(mu_freep) char *told_print = answered("ca_fingerprint"), *server =
	    answered("server"),
	    *role = answered("role");

	MUST(crypto_cert_read(vault_ca_pem(vault), fingerprint, &not_after_s, &err));
	mu_hex_format(&print, fingerprint, sizeof(fingerprint));
	assert_string_equal(print.data, told_print);
	assert_string_equal("https://muster.example.org:8446", server);
	assert_string_equal("security", role);
	scan_answer(&ann);
	wrong = wrong_code_of(&ann);
	assert_int_equal(403, confirm_as(&ann, mu_secret_text(&wrong)));
	mu_secret_clear(&wrong);
	assert_int_equal(200, confirm_as(&ann, code_now(&ann)));
	assert_non_null(strstr(console_answer.data, "{\"active\":1}"));
	assert_int_equal(200, ask_for("bob", "security"));
	scan_answer(&bob);
	assert_int_equal(200, confirm_as(&bob, code_now(&bob)));
	assert_non_null(strstr(console_answer.data, "{\"active\":2}"));
	recorded_as("admin.bootstrapped", "role", "security");
	assert_int_equal(403, ask_for("eve", "security"));
	rig_sql_is("2", "SELECT count(*) FROM administrator");
	rig_sql_is("0", "SELECT count(*) FROM administrator JOIN person USING (person_id) WHERE uid"
	    " = 'eve'");
}

static void
malformed_confirmations_are_400(void **state)
{
	static const char *const bodies[] = {
		"", "{}", "{\"code\":\"123456\"}", "{\"code\":123456,\"person\":\"x\"}",
		"{\"code\":\"123456\",\"person\":\"x\"}",
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(bodies); i++)
		assert_int_equal(400, console_post("/v1/bootstrap/confirm", bodies[i]));
}

static int
all_up(void **state)
{
	if (api_up(state) != 0)
		return 1;
	ann = person("ann", "Security");
	bob = person("bob", "Security");
	eve = person("eve", "Security");
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(a_process_of_ours_makes_no_administrator),
		cmocka_unit_test(nobody_does_while_the_supervisor_says_nothing),
		cmocka_unit_test(who_is_not_active_is_no_administrator),
		cmocka_unit_test(malformed_confirmations_are_400),
		cmocka_unit_test(two_get_in_and_the_door_closes),
	};
	struct CMUnitTest tests[MU_COUNT(bads) + MU_COUNT(plain)];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(bads); i++)
		tests[count++] = (struct CMUnitTest){ bads[i].name, bad_row, NULL, NULL, &bads[i] };
	for (size_t i = 0; i < MU_COUNT(plain); i++)
		tests[count++] = plain[i];
	return cmocka_run_group_tests(tests, all_up, api_down);
}
