/* Login and sessions: who gets as far as the password, what the code then opens, and until when. */
#include "unit/auth/rig.h"

#include "crypto/cert.h"

static void
login_is_refused(const char *uid, const char *reason)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	struct mu_err err = MU_ERR_INIT;

	DENIED(login_begin(uid, &c, &err));
	recorded_as("auth.failed", "reason", reason);
	recorded_as("auth.failed", "address", ADDRESS);
}

static void
print_of(const struct auth_login *l, unsigned char out[32])
{
	struct mu_err err = MU_ERR_INIT;
	int64_t not_after_s;

	MUST(crypto_cert_read(l->certificate, out, &not_after_s, &err));
	assert_int_equal(l->expires_at_s, not_after_s);
}

static void
an_administrator_logs_in_and_out(void **state)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	MU_AUTO(auth_who_clear) struct auth_who who = { .role = NULL };
	struct someone ann = administrator("ann");
	unsigned char print[32];
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login_begin("ANN", &c, &err));
	assert_string_equal("corp", c.source);
	assert_string_equal("uid=ann,ou=people,dc=example", c.dn);
	assert_string_equal("security", c.role);
	assert_true(c.active);
	MUST(login(&ann, &l, &err));
	assert_in_range(l.expires_at_s, clock_s + 1, clock_s + 8 * 3600);
	assert_string_equal("security", l.who.role);
	print_of(&l, print);
	recorded(1, "auth.login");
	recorded_as("auth.login", "address", ADDRESS);
	MUST(auth_session_find(&host, print, l.expires_at_s - 1, &who, &err));
	assert_string_equal("ann", who.uid);
	assert_string_equal("security", who.role);
	assert_true(mu_uuid_equal(&who.session_id, &l.who.session_id));
	assert_true(mu_uuid_equal(&who.person_id, &ann.id));
	assert_int_equal(l.expires_at_s, who.expires_at_s);
	auth_who_clear(&who);
	DENIED(auth_session_find(&host, print, l.expires_at_s, &who, &err));
	MUST(auth_logout(&host, &l.who, now_ms(), &err));
	recorded(1, "auth.logout");
	DENIED(auth_session_find(&host, print, clock_s, &who, &err));
	assert_non_null(strstr(err.text, "muster login"));
	print[0] ^= 1;
	DENIED(auth_session_find(&host, print, clock_s, &who, &err));
}

static void
P5_13_the_code_of_a_login_opens_nothing_else(void **state)
{
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login(&ann, &l, &err));
	DENIED(use_now(&ann, &err));
	auth_login_clear(&l);
	DENIED(login(&ann, &l, &err));
	rig_sql_is("1", "SELECT count(*) FROM admin_session");
}

static void
who_is_no_administrator_gets_no_further(void **state)
{
	(void)state;
	(void)someone("eve");
	login_is_refused("eve", "no administrator");
	login_is_refused("nobody", "no administrator");
	login_is_refused("", "no administrator");
	login_is_refused("' OR true --", "no administrator");
	recorded(4, "auth.failed");
}

static void
two_of_one_login_name_are_nobody(void **state)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	struct someone ann = administrator("ann"), other = someone_of("Ann", "partners");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	bootstrap(&other);
	login_is_refused("ann", "several administrators of one login name");
	/* one of them has left */
	free(rig_sql("UPDATE person SET state = 'leaver' WHERE source = 'partners'"));
	MUST(login_begin("ann", &c, &err));
	assert_true(mu_uuid_equal(&ann.id, &c.person_id));
}

static void
P4_1_who_is_locked_is_refused_before_the_password(void **state)
{
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	MU_AUTO(auth_who_clear) struct auth_who who = { .role = NULL };
	struct someone ann = administrator("ann");
	unsigned char print[32];
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login(&ann, &l, &err));
	print_of(&l, print);
	clock_s += 3600;
	for (int i = 0; i < AUTH_FAILURES_MAX; i++)
		DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
	login_is_refused("ann", "locked");
	/* what is open stays readable */
	MUST(auth_session_find(&host, print, clock_s, &who, &err));
}

static void
a_wrong_password_is_recorded_and_counts_for_no_code(void **state)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;
	char id[MU_UUID_TEXT_BYTES];

	(void)state;
	MUST(login_begin("ann", &c, &err));
	for (int i = 0; i < 10; i++)
		auth_login_failed(&host, &c, ADDRESS, now_ms());
	recorded(10, "auth.failed");
	recorded_as("auth.failed", "reason", "password");
	recorded_as("auth.failed", "actor", mu_uuid_format(&ann.id, id));
	MUST(use_now(&ann, &err));
}

/* What is no request is certified for nobody: the code and the first login are as before. */
static void
a_bad_request_costs_no_code(void **state)
{
	static const char *const requests[] = { "", "not a request",
		"-----BEGIN CERTIFICATE REQUEST-----\n" };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = someone("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	bootstrap(&ann);
	for (size_t i = 0; i < MU_COUNT(requests); i++) {
		assert_int_equal(MU_EINPUT, login_with(&ann, code_of(&ann, clock_s), requests[i], &l, &err));
		recorded((int)i + 1, "auth.failed");
	}
	recorded_as("auth.failed", "reason", "bad certificate request");
	recorded(0, "admin.activated");
	rig_sql_is("f", "SELECT active FROM administrator");
	MUST(login(&ann, &l, &err));
	recorded(1, "admin.activated");
	recorded(1, "auth.login");
}

static void
keys_going_away_at_any_question_leaves_nothing(void **state)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = someone("ann");
	struct mu_secret code;
	struct mu_err err = MU_ERR_INIT;
	int asked = 0;
	enum mu_rc rc;

	(void)state;
	bootstrap(&ann);
	MUST(login_begin("ann", &c, &err));
	code = code_of(&ann, clock_s);
	do {
		keys_leave_after = asked++;
		rc = auth_login_finish(&host, &c, &code, mu_secret_text(&csr), ADDRESS, now_ms(), &l, &err);
		keys_leave_after = -1;
		if (rc != MU_OK) {
			assert_int_equal(MU_ERETRY, rc);
			rig_sql_is("0", "SELECT last_step FROM totp_seed");
			rig_sql_is("f", "SELECT active FROM administrator");
			recorded(0, "admin.activated");
			recorded(0, "auth.login");
			recorded(0, "auth.failed");
		}
	} while (rc != MU_OK && asked < 20);
	assert_int_equal(MU_OK, rc);
	assert_in_range(asked, 5, 8);	/* rows, code, activation, certificate, session: each was away once */
	recorded(1, "auth.login");
	mu_secret_clear(&code);
}

static const struct changed {
	const char *name, *sql;
} changes[] = {
	{ "a session that was lengthened past muster",
	  "UPDATE admin_session SET expires_at = expires_at + interval '1 year'" },
	{ "a session that was given to another certificate",
	  "UPDATE admin_session SET fingerprint = sha256('theirs')" },
	{ "a session that was given to another administrator",
	  "UPDATE admin_session SET person_id ="
	  " (SELECT person_id FROM administrator WHERE role = 'second')" },
};

static void
tampered_session(void **state)
{
	const struct changed *c = *state;
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	MU_AUTO(auth_who_clear) struct auth_who who = { .role = NULL };
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct someone ann, bob;
	unsigned char print[32];
	char *hex;

	(void)house_empty(state);
	ann = administrator("ann");
	bob = someone("bob");
	MUST(auth_bootstrap(&host, &bob.id, "second", 0, now_ms(), &uri, &err));
	scan(&bob, &uri);
	MUST(confirm(&bob, &err));
	MUST(login(&ann, &l, &err));
	print_of(&l, print);
	MUST(auth_session_find(&host, print, clock_s, &who, &err));
	auth_who_clear(&who);
	free(rig_sql(c->sql));
	hex = rig_sql("SELECT encode(fingerprint, 'hex') FROM admin_session");
	assert_true(mu_hex_parse(hex, print, sizeof(print)));
	free(hex);
	DENIED(auth_session_find(&host, print, clock_s, &who, &err));
	recorded(1, "row.tampered");
	recorded_as("row.tampered", "table", "session");
}

static void
sessions_that_ran_out_go_with_the_next_login(void **state)
{
	MU_AUTO(auth_login_clear) struct auth_login first = { .certificate = NULL };
	MU_AUTO(auth_login_clear) struct auth_login second = { .certificate = NULL };
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login(&ann, &first, &err));
	clock_s += MU_DAY_S;
	MUST(login(&ann, &second, &err));
	rig_sql_is("1", "SELECT count(*) FROM admin_session");
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test_setup(an_administrator_logs_in_and_out, house_empty),
		cmocka_unit_test_setup(P5_13_the_code_of_a_login_opens_nothing_else, house_empty),
		cmocka_unit_test_setup(who_is_no_administrator_gets_no_further, house_empty),
		cmocka_unit_test_setup(two_of_one_login_name_are_nobody, house_empty),
		cmocka_unit_test_setup(P4_1_who_is_locked_is_refused_before_the_password, house_empty),
		cmocka_unit_test_setup(a_wrong_password_is_recorded_and_counts_for_no_code, house_empty),
		cmocka_unit_test_setup(a_bad_request_costs_no_code, house_empty),
		cmocka_unit_test_setup(keys_going_away_at_any_question_leaves_nothing, house_empty),
		cmocka_unit_test_setup(sessions_that_ran_out_go_with_the_next_login, house_empty),
	};
	struct CMUnitTest tests[MU_COUNT(plain) + MU_COUNT(changes)];

	(void)memcpy(tests, plain, sizeof(plain));
	for (size_t i = 0; i < MU_COUNT(changes); i++)
		tests[MU_COUNT(plain) + i] = (struct CMUnitTest){ changes[i].name, tampered_session,
			NULL, NULL, (void *)(uintptr_t)&changes[i] };
	return cmocka_run_group_tests(tests, house_up, house_down);
}
