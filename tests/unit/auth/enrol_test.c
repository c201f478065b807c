/* How administrators come to be: two on the console, the others by one another. */
#include "unit/auth/rig.h"

/* As an action does. */
static void
enrol(const struct someone *who, const char *role, const struct someone *by, struct mu_secret *out_word)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(host.store, &err));
	MUST(auth_enrol(&host, &who->id, role, &by->id, now_ms(), out_word, &err));
	MUST(store_commit(host.store, &err));
}

static enum mu_rc
collect_text(struct someone *who, const char *word, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT, code = MU_SECRET_INIT;
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	struct mu_err begin = MU_ERR_INIT;
	enum mu_rc rc;

	assert_int_equal(MU_OK, login_begin(who->uid, &c, &begin));
	mu_secret_set(&code, word, strlen(word));
	rc = auth_enrolment_use(&host, &c, &code, ADDRESS, now_ms(), &uri, err);
	if (rc == MU_OK)
		scan(who, &uri);
	return rc;
}

static enum mu_rc
collect(struct someone *who, const struct mu_secret *word, struct mu_err *err)
{
	return collect_text(who, mu_secret_text(word), err);
}

/* --- The console's door --------------------------------------------------------------------------------- */

static void
the_door_closes_when_two_are_active(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = someone("ann"), bob = someone("bob"), eve = someone("eve"), mia = someone("mia");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	bootstrap(&ann);
	bootstrap(&bob);
	bootstrap(&eve);
	recorded(3, "admin.bootstrapped");
	recorded_as("admin.bootstrapped", "uid", "1000");
	recorded_as("admin.bootstrapped", "role", "security");
	MUST(confirm(&ann, &err));
	MUST(login(&bob, &l, &err));
	auth_login_clear(&l);
	recorded(2, "admin.activated");
	/* whoever is still waiting comes too late, by either way */
	DENIED(confirm(&eve, &err));
	assert_non_null(strstr(err.text, "door is closed: 2 administrators"));
	assert_non_null(strstr(err.text, "muster admin enrol"));
	DENIED(login(&eve, &l, &err));
	DENIED(auth_bootstrap(&host, &mia.id, "security", 0, now_ms(), &uri, &err));
	assert_non_null(strstr(err.text, "door is closed: 2 administrators"));
	recorded(3, "auth.failed");
	recorded(2, "admin.activated");
	recorded(3, "admin.bootstrapped");
	rig_sql_is("2", "SELECT count(*) FROM administrator WHERE active");
	rig_sql_is("3", "SELECT count(*) FROM administrator");
}

static void
a_seed_is_made_anew_until_its_first_code(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct someone first = someone("ann"), again = first;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	bootstrap(&first);
	bootstrap(&again);
	DENIED(confirm(&first, &err));
	recorded_as("auth.failed", "failures", "1");
	recorded_as("auth.failed", "address", "console");
	MUST(confirm(&again, &err));
	clock_s += STEP_S;
	DENIED(auth_bootstrap(&host, &again.id, "root", 0, now_ms(), &uri, &err));
	assert_non_null(strstr(err.text, "already"));
	DENIED(confirm(&again, &err));
	MUST(use_now(&again, &err));
	rig_sql_is("security", "SELECT role FROM administrator");
}

static void
nobody_waits_for_a_first_code_but_who_was_bootstrapped(void **state)
{
	struct someone ann = administrator("ann"), bob = someone("bob"), eve = someone("eve");
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	enrol(&bob, "security", &ann, &word);
	MUST(collect(&bob, &word, &err));
	DENIED(confirm(&bob, &err));
	memcpy(eve.seed, bob.seed, sizeof(eve.seed));
	eve.seed_bytes = bob.seed_bytes;
	DENIED(confirm(&eve, &err));
	rig_sql_is("1", "SELECT count(*) FROM administrator WHERE active");
}

static void
only_who_is_active_becomes_one(void **state)
{
	static const char *const sqls[] = { "UPDATE person SET state = 'leaver'",
		"UPDATE person SET state = 'staged'",
		"UPDATE person SET state = 'active', blocked = true WHERE uid = 'eve'" };
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct someone eve = someone("eve"), ann = someone("ann");
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid nobody;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(sqls); i++) {
		free(rig_sql(sqls[i]));
		DENIED(auth_bootstrap(&host, &eve.id, "security", 0, now_ms(), &uri, &err));
		MUST(store_begin(host.store, &err));
		DENIED(auth_enrol(&host, &eve.id, "security", &ann.id, now_ms(), &uri, &err));
		store_rollback(host.store);
	}
	mu_uuid_new(&nobody);
	assert_int_equal(MU_EABSENT, auth_bootstrap(&host, &nobody, "security", 0, now_ms(), &uri, &err));
	rig_sql_is("0", "SELECT count(*) FROM administrator");
}

static void
the_uri_is_what_authenticators_read(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct someone zoe = someone("zo\xc3\xab o'hara@example.org");
	struct mu_err err = MU_ERR_INIT;
	const char *text, *secret;

	(void)state;
	MUST(auth_bootstrap(&host, &zoe.id, "security", 0, now_ms(), &uri, &err));
	text = mu_secret_text(&uri);
	assert_true(mu_text_starts(text, "otpauth://totp/muster:zo%C3%AB%20o%27hara%40example.org?secret="));
	secret = strchr(text, '=') + 1;
	assert_int_equal(32, strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"));
	assert_string_equal("&issuer=muster&algorithm=SHA1&digits=6&period=30", secret + 32);
}

/* --- By another administrator -------------------------------------------------------------------- */

static void
P5_20_an_enrolled_one_works_from_their_first_code_on(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = true };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann"), bob = administrator("bob"), eve = someone("eve");
	struct mu_err err = MU_ERR_INIT;

	(void)bob;
	(void)state;
	enrol(&eve, "helpdesk", &ann, &word);
	assert_int_equal(26, word.size_bytes);
	recorded(1, "admin.enrolled");
	recorded_as("admin.enrolled", "role", "helpdesk");
	MUST(login_begin("eve", &c, &err));
	assert_false(c.active);
	MUST(collect(&eve, &word, &err));
	recorded(1, "admin.collected");
	DENIED(use_now(&eve, &err));
	MUST(login(&eve, &l, &err));
	recorded(3, "admin.activated");
	recorded_as("admin.activated", "role", "helpdesk");
	clock_s += STEP_S;
	MUST(use_now(&eve, &err));
}

static void
an_enrolment_code_is_spent_once(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct someone ann = administrator("ann"), eve = someone("eve"), thief;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	enrol(&eve, "helpdesk", &ann, &word);
	MUST(collect(&eve, &word, &err));
	thief = eve;
	DENIED(collect(&thief, &word, &err));
	recorded_as("auth.failed", "reason", "no enrolment waits");
	recorded(1, "admin.collected");
}

static void
an_enrolment_code_is_read_as_people_type_it(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct someone ann = administrator("ann"), eve = someone("eve");
	struct mu_err err = MU_ERR_INIT;
	char typed[80];
	size_t n = 0;

	(void)state;
	enrol(&eve, "helpdesk", &ann, &word);
	typed[n++] = ' ';
	for (size_t i = 0; i < word.size_bytes; i++) {
		char c = (char)word.bytes[i];

		typed[n++] = c >= 'a' && c <= 'z' && i % 2 == 0 ? (char)(c - 32) : c;
		if (i % 5 == 4)
			typed[n++] = i % 2 == 0 ? '-' : ' ';
	}
	typed[n++] = '\t';
	typed[n] = '\0';
	MUST(collect_text(&eve, typed, &err));
}

static void
five_wrong_enrolment_codes_spend_it(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	static const char *const wrongs[] = { "", "123456", "abcdefghijkmnpqrstuvwxyz23", "x", "muster" };
	struct someone ann = administrator("ann"), eve = someone("eve");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	enrol(&eve, "helpdesk", &ann, &word);
	for (size_t i = 0; i < MU_COUNT(wrongs); i++) {
		DENIED(collect_text(&eve, wrongs[i], &err));
		recorded((int)i + 1, "auth.failed");
	}
	assert_non_null(strstr(err.text, "muster admin enrol"));
	DENIED(collect(&eve, &word, &err));
	/* a new one is another */
	enrol(&eve, "helpdesk", &ann, &word);
	MUST(collect(&eve, &word, &err));
}

static void
an_enrolment_code_holds_for_a_day(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct someone ann = administrator("ann"), eve = someone("eve"), bob = someone("bob");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	enrol(&eve, "helpdesk", &ann, &word);
	clock_s += AUTH_ENROLMENT_S;
	DENIED(collect(&eve, &word, &err));
	recorded_as("auth.failed", "reason", "enrolment code expired");
	enrol(&bob, "helpdesk", &ann, &word);
	clock_s += AUTH_ENROLMENT_S - 1;
	MUST(collect(&bob, &word, &err));
}

static const struct forged {
	const char *name, *sql;
} forgeries[] = {
	{ "a code's plain digest in the store opens nothing",
	  "UPDATE enrolment SET code_digest = sha256('theirs')" },
	{ "an enrolment lengthened in the store opens nothing",
	  "UPDATE enrolment SET expires_at = expires_at + interval '1 day'" },
};

static void
forged_enrolment(void **state)
{
	const struct forged *f = *state;
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct someone ann, eve;

	(void)house_empty(state);
	ann = administrator("ann");
	eve = someone("eve");
	enrol(&eve, "helpdesk", &ann, &word);
	free(rig_sql(f->sql));
	DENIED(collect_text(&eve, "theirs", &err));
	DENIED(collect(&eve, &word, &err));
	recorded(0, "admin.collected");
}

/* Whoever lost their authenticator: the old seed and the open sessions end with the new enrolment. */
static void
enrolling_again_ends_what_was(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann"), bob = administrator("bob"), lost = bob;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login(&bob, &l, &err));
	auth_login_clear(&l);
	clock_s += STEP_S;
	enrol(&bob, "helpdesk", &ann, &word);
	rig_sql_is("0", "SELECT count(*) FROM admin_session");
	rig_sql_is("1", "SELECT count(*) FROM totp_seed");
	DENIED(use_now(&lost, &err));
	MUST(collect(&bob, &word, &err));
	DENIED(login(&lost, &l, &err));
	MUST(login(&bob, &l, &err));
	assert_string_equal("helpdesk", l.who.role);
	clock_s += STEP_S;
	DENIED(use_now(&lost, &err));
	MUST(use_now(&bob, &err));
}

static void
who_was_tampered_with_is_enrolled_anew(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann"), bob = administrator("bob");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	free(rig_sql("UPDATE administrator SET role = 'root', version = 9223372036854775807"
	    " WHERE person_id = (SELECT person_id FROM person WHERE uid = 'bob')"));
	enrol(&bob, "helpdesk", &ann, &word);
	recorded(1, "row.tampered");
	MUST(collect(&bob, &word, &err));
	MUST(login(&bob, &l, &err));
	assert_string_equal("helpdesk", l.who.role);
}

static void
nobody_enrols_themselves(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(host.store, &err));
	DENIED(auth_enrol(&host, &ann.id, "root", &ann.id, now_ms(), &word, &err));
	store_rollback(host.store);
}

static void
who_was_removed_is_none(void **state)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann"), bob = administrator("bob");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(login(&bob, &l, &err));
	clock_s += STEP_S;
	MUST(store_begin(host.store, &err));
	MUST(auth_remove(&host, &bob.id, &ann.id, now_ms(), &err));
	MUST(store_commit(host.store, &err));
	recorded(1, "admin.removed");
	recorded_as("admin.removed", "role", "security");
	DENIED(use_now(&bob, &err));
	DENIED(login_begin("bob", &c, &err));
	rig_sql_is("0", "SELECT count(*) FROM admin_session");
	MUST(store_begin(host.store, &err));
	assert_int_equal(MU_EABSENT, auth_remove(&host, &bob.id, &ann.id, now_ms(), &err));
	assert_int_equal(MU_EABSENT, auth_unlock(&host, &bob.id, &ann.id, now_ms(), &err));
	store_rollback(host.store);
}

/* No code, password or seed is in any record that all of this left. */
static void
records_hold_no_secret(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	struct someone ann = administrator("ann"), eve = someone("eve");
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(use_now(&ann, &err));
	DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
	enrol(&eve, "helpdesk", &ann, &word);
	MUST(collect(&eve, &word, &err));
	MUST(login(&eve, &l, &err));
	mu_buf_text_add(&sql, "SELECT count(*) FROM audit_record WHERE body LIKE '%eve%' OR body LIKE '%");
	mu_buf_add(&sql, word.bytes, word.size_bytes);
	mu_buf_text_add(&sql, "%' OR body LIKE '%otpauth%' OR body ~* '\"[a-z]+\":\"?[0-9]{6}\"?[,}]'");
	rig_sql_is("0", sql.data);
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test_setup(the_door_closes_when_two_are_active, house_empty),
		cmocka_unit_test_setup(a_seed_is_made_anew_until_its_first_code, house_empty),
		cmocka_unit_test_setup(nobody_waits_for_a_first_code_but_who_was_bootstrapped, house_empty),
		cmocka_unit_test_setup(only_who_is_active_becomes_one, house_empty),
		cmocka_unit_test_setup(the_uri_is_what_authenticators_read, house_empty),
		cmocka_unit_test_setup(P5_20_an_enrolled_one_works_from_their_first_code_on, house_empty),
		cmocka_unit_test_setup(an_enrolment_code_is_spent_once, house_empty),
		cmocka_unit_test_setup(an_enrolment_code_is_read_as_people_type_it, house_empty),
		cmocka_unit_test_setup(five_wrong_enrolment_codes_spend_it, house_empty),
		cmocka_unit_test_setup(an_enrolment_code_holds_for_a_day, house_empty),
		cmocka_unit_test_setup(enrolling_again_ends_what_was, house_empty),
		cmocka_unit_test_setup(who_was_tampered_with_is_enrolled_anew, house_empty),
		cmocka_unit_test_setup(nobody_enrols_themselves, house_empty),
		cmocka_unit_test_setup(who_was_removed_is_none, house_empty),
		cmocka_unit_test_setup(records_hold_no_secret, house_empty),
	};
	struct CMUnitTest tests[MU_COUNT(plain) + MU_COUNT(forgeries)];

	(void)memcpy(tests, plain, sizeof(plain));
	for (size_t i = 0; i < MU_COUNT(forgeries); i++)
		tests[MU_COUNT(plain) + i] = (struct CMUnitTest){ forgeries[i].name, forged_enrolment,
			NULL, NULL, (void *)(uintptr_t)&forgeries[i] };
	return cmocka_run_group_tests(tests, house_up, house_down);
}
