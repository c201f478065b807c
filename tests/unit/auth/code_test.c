/* Codes: each opens once, wrong ones lock, and a failure stands whatever becomes of the request. */
#include "unit/auth/rig.h"

static void
P5_13_used_code_opens_nothing(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(use_now(&ann, &err));
	recorded(1, "job.run");
	DENIED(use_now(&ann, &err));
	recorded(1, "job.run");
	recorded(1, "auth.failed");
	recorded_as("auth.failed", "failures", "1");
	recorded_as("auth.failed", "address", ADDRESS);
	clock_s += STEP_S;
	MUST(use_now(&ann, &err));
	recorded(2, "job.run");
}

/* Wrong, used, stale, of the step before and future codes are answered in the same words. */
static void
P5_13_no_other_step_opens(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err used = MU_ERR_INIT, err = MU_ERR_INIT;
	static const int64_t steps[] = { -1, -2, 1 };

	(void)state;
	MUST(use_now(&ann, &err));
	DENIED(use_now(&ann, &used));
	for (size_t i = 0; i < MU_COUNT(steps); i++) {
		clock_s += 3600;	/* keys evaluates five wrong ones in ten minutes */
		MUST(use_now(&ann, &err));
		DENIED(use(&host, &ann, code_of(&ann, clock_s + steps[i] * STEP_S), &err));
		assert_string_equal(used.text, err.text);
	}
	recorded(1 + (int)MU_COUNT(steps), "job.run");
}

/* A code that was late, and then the one before it. */
static void
P5_13_the_step_only_moves_forward(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;
	char step[24];

	(void)state;
	clock_s += 2 * STEP_S;
	MUST(use(&host, &ann, code_of(&ann, clock_s - STEP_S), &err));
	(void)snprintf(step, sizeof(step), "%lld", (long long)(clock_s / STEP_S - 1));
	rig_sql_is(step, "SELECT last_step FROM totp_seed");
	DENIED(use(&host, &ann, code_of(&ann, clock_s - STEP_S), &err));
	rig_sql_is(step, "SELECT last_step FROM totp_seed");
	/* the clock is set back: codes of then open nothing */
	clock_s -= 1800;
	DENIED(use_now(&ann, &err));
	rig_sql_is(step, "SELECT last_step FROM totp_seed");
	clock_s += 1800;
	MUST(use_now(&ann, &err));
}

/* --- Many at once --------------------------------------------------------------------------------------- */

#define USERS 8
#define USES 100

static struct race {
	const struct someone *who;
	atomic_int ready, opened, denied, other;
} race;

static int
racer(void *ctx)
{
	const int *uses = ctx;
	struct mu_err err = MU_ERR_INIT;
	struct auth_host h = host;

	if (store_open(rig.logins.conninfo[STORE_ROLE_ADMIN], ADMIN_PARTS, &h.store, &err) != MU_OK)
		h.store = NULL;
	(void)atomic_fetch_add(&race.ready, 1);
	while (atomic_load(&race.ready) < USERS)
		thrd_yield();
	for (int i = 0; i < *uses; i++) {
		enum mu_rc rc = h.store == NULL ? MU_EBROKEN :
		    use(&h, race.who, code_of(race.who, clock_s), &err);

		(void)atomic_fetch_add(rc == MU_OK ? &race.opened : rc == MU_EDENIED ? &race.denied :
		    &race.other, 1);
	}
	store_close(h.store);
	return 0;
}

/* 10 rounds of 100 uses over 8 connections, each round with a fresh code. */
static void
P5_13_of_a_hundred_uses_of_one_code_one_opens(void **state)
{
	struct someone ann = administrator("ann");

	(void)state;
	for (int round = 1; round <= 10; round++) {
		thrd_t threads[USERS];
		int uses[USERS];

		free(rig_sql("UPDATE totp_seed SET failures = 0, locked_at = NULL"));
		free(rig_sql("SET client_min_messages = warning; TRUNCATE audit_record CASCADE"));
		clock_s += 3600;
		race = (struct race){ .who = &ann };
		for (int i = 0; i < USERS; i++) {
			uses[i] = USES / USERS + (i < USES % USERS ? 1 : 0);
			assert_int_equal(thrd_success, thrd_create(&threads[i], racer, &uses[i]));
		}
		for (int i = 0; i < USERS; i++)
			assert_int_equal(thrd_success, thrd_join(threads[i], NULL));
		assert_int_equal(0, atomic_load(&race.other));
		assert_int_equal(1, atomic_load(&race.opened));
		assert_int_equal(USES - 1, atomic_load(&race.denied));
		recorded(1, "job.run");
		recorded(USES - 1, "auth.failed");
		recorded(1, "auth.locked");
	}
}

/* --- Failures ------------------------------------------------------------------------------------ */

static void
P4_1_five_wrong_codes_lock(void **state)
{
	struct someone ann = administrator("ann"), bob = administrator("bob");
	struct mu_err err = MU_ERR_INIT;
	char count[16];

	(void)state;
	clock_s += 3600;
	atomic_store(&codes_asked, 0);
	for (int i = 1; i <= AUTH_FAILURES_MAX; i++) {
		recorded(0, "auth.locked");
		DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
		recorded(i, "auth.failed");
		(void)snprintf(count, sizeof(count), "%d", i);
		recorded_as("auth.failed", "failures", count);
	}
	recorded(1, "auth.locked");
	assert_non_null(strstr(err.text, "muster admin unlock"));
	/* the right one is not even looked at, however often, and no time unlocks */
	for (int i = 0; i < 3; i++, clock_s += MU_DAY_S) {
		DENIED(use_now(&ann, &err));
		assert_non_null(strstr(err.text, "muster admin unlock"));
	}
	assert_int_equal(AUTH_FAILURES_MAX, atomic_load(&codes_asked));
	recorded_as("auth.failed", "reason", "locked");
	recorded(0, "job.run");
	/* a second administrator unlocks, nobody unlocks themselves */
	MUST(store_begin(host.store, &err));
	DENIED(auth_unlock(&host, &ann.id, &ann.id, now_ms(), &err));
	assert_int_equal(MU_ECONFLICT, auth_unlock(&host, &bob.id, &ann.id, now_ms(), &err));
	MUST(auth_unlock(&host, &ann.id, &bob.id, now_ms(), &err));
	MUST(store_commit(host.store, &err));
	recorded(1, "admin.unlocked");
	MUST(use_now(&ann, &err));
	recorded(1, "job.run");
}

static void
four_wrong_codes_and_a_right_one_are_forgiven(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (int round = 0; round < 2; round++) {
		clock_s += 3600;
		for (int i = 1; i < AUTH_FAILURES_MAX; i++)
			DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
		MUST(use_now(&ann, &err));
		rig_sql_is("0", "SELECT failures FROM totp_seed");
	}
	recorded(0, "auth.locked");
}

static void
P4_1_a_failure_stands_though_the_caller_rolls_back(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_secret code = wrong_code_of(&ann);
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(host.store, &err));
	DENIED(auth_code_use(&host, &ann.id, &code, ADDRESS, now_ms(), &err));
	store_rollback(host.store);
	rig_sql_is("1", "SELECT failures FROM totp_seed");
	recorded(1, "auth.failed");
	mu_secret_clear(&code);
}

static void
T2_keys_evaluates_no_sixth_failure_and_nothing_counts(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	clock_s += 3600;
	for (int i = 0; i < 4; i++)
		DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
	MUST(use_now(&ann, &err));
	clock_s += STEP_S;
	DENIED(use(&host, &ann, wrong_code_of(&ann), &err));
	assert_int_equal(MU_ERETRY, use_now(&ann, &err));
	assert_in_range(err.retry_after_ms, 1, 600 * 1000);
	assert_non_null(strstr(err.text, "too many wrong codes"));
	rig_sql_is("1", "SELECT failures FROM totp_seed");
	recorded(6, "auth.failed");
	recorded_as("auth.failed", "reason", "too many wrong codes");
	recorded(1, "job.run");
	clock_s += 600;
	MUST(use_now(&ann, &err));
}

static void
six_digits_or_it_is_no_code(void **state)
{
	static const char *const texts[] = { "", "12345", "1234567", "12345a", "12 345", "+12345", "-12345",
		"123456\n", "\xd9\xa1\xd9\xa2\xd9\xa3" };
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	atomic_store(&codes_asked, 0);
	for (size_t i = 0; i < MU_COUNT(texts); i++) {
		struct mu_secret code = MU_SECRET_INIT;

		mu_secret_set(&code, texts[i], strlen(texts[i]));
		assert_int_equal(MU_EINPUT, use(&host, &ann, code, &err));
		recorded((int)i + 1, "auth.failed");
	}
	assert_int_equal(0, atomic_load(&codes_asked));
	rig_sql_is("0", "SELECT failures FROM totp_seed");
	MUST(use_now(&ann, &err));
}

static void
without_keys_nothing_is_decided(void **state)
{
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	keys_away = true;
	assert_int_equal(MU_ERETRY, use_now(&ann, &err));
	keys_away = false;
	recorded(0, "auth.failed");
	MUST(use_now(&ann, &err));
}

/* Killed with the code checked and the action not committed: neither stands, and the code still opens. */
static void
P5_13_killed_between_check_and_commit_leaves_neither(void **state)
{
	static const struct audit_field fields[] = { AUDIT_TEXT("job", "test") };
	struct someone ann = administrator("ann");
	struct mu_err err = MU_ERR_INIT;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(&ann, clock_s);
		MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
		struct auth_host h = host;

		if (store_open(rig.logins.conninfo[STORE_ROLE_ADMIN], ADMIN_PARTS, &h.store, &err) == MU_OK &&
		    store_begin(h.store, &err) == MU_OK &&
		    auth_code_use(&h, &ann.id, &code, ADDRESS, now_ms(), &err) == MU_OK) {
			audit_record(h.store, AUDIT_JOB_RUN, now_ms(), fields, 1, NULL);
			/* an answer behind the writes: PostgreSQL has them all */
			if (store_administrator_get(h.store, &ann.id, false, &a, &err) == MU_OK &&
			    a.seed.last_step == clock_s / STEP_S)
				(void)raise(SIGKILL);
		}
		_exit(1);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	recorded(0, "job.run");
	MUST(use_now(&ann, &err));
	recorded(1, "job.run");
	DENIED(use_now(&ann, &err));
}

/* --- Who is an administrator --------------------------------------------------------------------- */

static void
P5_20_an_unconfirmed_seed_opens_nothing_but_login(void **state)
{
	struct someone ann = someone("ann");
	struct auth_login l = { .certificate = NULL };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	bootstrap(&ann);
	DENIED(use_now(&ann, &err));
	assert_non_null(strstr(err.text, "log in"));
	recorded(0, "job.run");
	MUST(login(&ann, &l, &err));
	recorded(1, "admin.activated");
	DENIED(use_now(&ann, &err));	/* it has logged in */
	clock_s += STEP_S;
	MUST(use_now(&ann, &err));
	auth_login_clear(&l);
}

static void
P5_20_who_has_collected_no_seed_opens_nothing(void **state)
{
	struct someone ann = administrator("ann"), eve = someone("eve");
	MU_AUTO(mu_secret_clear) struct mu_secret word = MU_SECRET_INIT;
	struct auth_login l;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(host.store, &err));
	MUST(auth_enrol(&host, &eve.id, "security", &ann.id, now_ms(), &word, &err));
	MUST(store_commit(host.store, &err));
	DENIED(use(&host, &eve, code_of(&ann, clock_s), &err));
	DENIED(login_with(&eve, code_of(&ann, clock_s), mu_secret_text(&csr), &l, &err));
	eve = someone("mallory");
	DENIED(use(&host, &eve, code_of(&ann, clock_s), &err));
	recorded(3, "auth.failed");
}

static const struct changed {
	const char *name, *sql, *table;
} changes[] = {
	{ "a role that was changed past muster", "UPDATE administrator SET role = 'root'", "administrator" },
	{ "a seed that was confirmed past muster",
	  "UPDATE totp_seed SET version = version + 1, confirmed = true", "totp_seed" },
	{ "a seed that was put in another's place",
	  "UPDATE totp_seed SET sealed = decode('00', 'hex')", "totp_seed" },
	{ "an enrolment in another's name",
	  "UPDATE administrator SET enrolled_by = person_id", "administrator" },
};

static void
tampered_row(void **state)
{
	const struct changed *c = *state;
	MU_AUTO(auth_candidate_clear) struct auth_candidate candidate = { .active = false };
	struct mu_err err = MU_ERR_INIT;
	struct someone ann;

	(void)house_empty(state);
	ann = administrator("ann");
	MUST(use_now(&ann, &err));
	clock_s += STEP_S;
	free(rig_sql(c->sql));
	DENIED(use_now(&ann, &err));
	recorded(1, "job.run");
	recorded(1, "row.tampered");
	recorded_as("row.tampered", "table", c->table);
	DENIED(login_begin("ann", &candidate, &err));
	recorded(2, "row.tampered");
	recorded_as("auth.failed", "reason", "row tampered");
}

static const struct gone {
	const char *name, *sql, *reason;
} gones[] = {
	{ "P5_12 who was revoked", "UPDATE person SET blocked = true", "revoked" },
	{ "P5_12 who left", "UPDATE person SET state = 'leaver'", "not active in the directory" },
	{ "P5_12 who is suspended", "UPDATE person SET state = 'suspended'", "not active in the directory" },
};

static void
gone_row(void **state)
{
	const struct gone *g = *state;
	MU_AUTO(auth_candidate_clear) struct auth_candidate candidate = { .active = false };
	MU_AUTO(auth_login_clear) struct auth_login l = { .certificate = NULL };
	MU_AUTO(auth_who_clear) struct auth_who who = { .role = NULL };
	unsigned char print[32];
	struct mu_err err = MU_ERR_INIT;
	struct someone ann;
	char *hex;

	(void)house_empty(state);
	ann = administrator("ann");
	MUST(login(&ann, &l, &err));
	hex = rig_sql("SELECT encode(fingerprint, 'hex') FROM admin_session");
	assert_true(mu_hex_parse(hex, print, sizeof(print)));
	free(hex);
	MUST(auth_session_find(&host, print, clock_s, &who, &err));
	auth_who_clear(&who);
	clock_s += STEP_S;
	free(rig_sql(g->sql));
	DENIED(auth_session_find(&host, print, clock_s, &who, &err));
	DENIED(use_now(&ann, &err));
	recorded_as("auth.failed", "reason", g->reason);
	DENIED(login_begin("ann", &candidate, &err));
	recorded_as("auth.failed", "reason", g->reason);
	recorded(0, "job.run");
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test_setup(P5_13_used_code_opens_nothing, house_empty),
		cmocka_unit_test_setup(P5_13_no_other_step_opens, house_empty),
		cmocka_unit_test_setup(P5_13_the_step_only_moves_forward, house_empty),
		cmocka_unit_test_setup(P5_13_of_a_hundred_uses_of_one_code_one_opens, house_empty),
		cmocka_unit_test_setup(P4_1_five_wrong_codes_lock, house_empty),
		cmocka_unit_test_setup(four_wrong_codes_and_a_right_one_are_forgiven, house_empty),
		cmocka_unit_test_setup(P4_1_a_failure_stands_though_the_caller_rolls_back, house_empty),
		cmocka_unit_test_setup(T2_keys_evaluates_no_sixth_failure_and_nothing_counts, house_empty),
		cmocka_unit_test_setup(six_digits_or_it_is_no_code, house_empty),
		cmocka_unit_test_setup(without_keys_nothing_is_decided, house_empty),
		cmocka_unit_test_setup(P5_13_killed_between_check_and_commit_leaves_neither, house_empty),
		cmocka_unit_test_setup(P5_20_an_unconfirmed_seed_opens_nothing_but_login, house_empty),
		cmocka_unit_test_setup(P5_20_who_has_collected_no_seed_opens_nothing, house_empty),
	};
	struct CMUnitTest tests[MU_COUNT(plain) + MU_COUNT(changes) + MU_COUNT(gones)];
	size_t count = 0;

	(void)memcpy(tests, plain, sizeof(plain));
	count = MU_COUNT(plain);
	for (size_t i = 0; i < MU_COUNT(changes); i++)
		tests[count++] = (struct CMUnitTest){ changes[i].name, tampered_row, NULL, NULL,
			(void *)(uintptr_t)&changes[i] };
	for (size_t i = 0; i < MU_COUNT(gones); i++)
		tests[count++] = (struct CMUnitTest){ gones[i].name, gone_row, NULL, NULL,
			(void *)(uintptr_t)&gones[i] };
	return cmocka_run_group_tests(tests, house_up, house_down);
}
