/*
 * follow_test.c - a policy comes into force: verified, and everyone decided on by it
 */
#include "base/text.h"
#include "cycle/plan.h"
#include "unit/cycle/world.h"

#define WITH(name) "SELECT count(*) FROM person WHERE roles LIKE '%" name "%'"
#define DECIDED "SELECT coalesce(max(version), 0) FROM policy_decided"

/* Who is in ops gains one role and loses another. */
static const char swapped_yaml[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: watch\n"
    "  gives: [{platform: mem, groups: [watch]}]\n"
    "  birthright: (group=ops)\n";
/* Everyone is shut out. */
static const char emptied_yaml[] =
    "- role: watch\n"
    "  gives: [{platform: mem, account: true, groups: [watch]}]\n"
    "  birthright: (group=nobody)\n";
/* Two lose a role without gaining any. */
static const char lessened_yaml[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n";

static enum mu_rc
apply_try(const char *roles, int64_t base, struct mu_err *err)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy_file files[FILES_COUNT];
	int64_t version = 0;
	enum mu_rc rc;

	files_make(files, roles);
	if (store_begin(admin, err) != MU_OK)
		return err->rc;
	rc = cycle_policy_apply(admin, files, FILES_COUNT, base, "a test", mac, NULL, attr_known,
	    NULL, &faults, &version, err);
	if (rc == MU_OK) {
		assert_int_equal(base + 1, version);
		rc = store_commit(admin, err);
	} else {
		store_rollback(admin);
	}
	files_end(files);
	return rc;
}

static void
apply(const char *roles, int64_t base)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(apply_try(roles, base, &err));
	cycle_hinted();
}

/* The store has the world's policy as its first version, and the cycle follows the store. */
static int
store_open_policy(void **state)
{
	struct policy_file files[FILES_COUNT];
	struct policy *seeded = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)world_open(state);
	files_make(files, roles_yaml);
	MUST(cycle_policy_in_force(store, files, FILES_COUNT, mac, mac_check, NULL, attr_known, NULL, &seeded,
	    &policy_version, &err));
	assert_int_equal(1, policy_version);
	policy_free(seeded);
	files_end(files);
	cycle_restart();
	until("1", DECIDED);
	return 0;
}

static void
everyone_is_decided_on_by_a_new_policy(void **state)
{
	(void)state;
	apply(swapped_yaml, 1);
	until("2", DECIDED);
	rig_sql_is("2", WITH("watch"));
	rig_sql_is("0", WITH("ops"));
	rig_sql_is("12", WITH("chat"));
	person_as("c", "c", "title=x");		/* and what the directory says next, too */
	slice();
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
	rig_sql_is("2",
	    "SELECT body::json->>'version' FROM audit_record WHERE kind = 'policy.applied'");
}

static void
P5_10_policy_that_takes_too_much_takes_nothing(void **state)
{
	(void)state;
	apply(emptied_yaml, 1);
	until("2", DECIDED);
	rig_sql_is("12", "SELECT count(*) FROM account WHERE wanted_state = 'enabled'");
	rig_sql_is("12", "SELECT count(*) FROM brake_hold");
	rig_sql_is("12", WITH("chat"));
	rig_sql_is("0", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
	group("ops", NULL, 0);			/* nor does it by the next change of theirs, */
	slice();
	apply(lessened_yaml, 2);		/* nor when another policy lets most be */
	until("3", DECIDED);
	rig_sql_is("12", WITH("chat"));
	rig_sql_is("2", WITH("ops"));
	apply(roles_yaml, 3);			/* back: whoever is read again is held no longer */
	until("4", DECIDED);
	full_read(all, MU_COUNT(all));
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

static void
P5_10_policy_that_takes_too_much_from_many_takes_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 600; i++) {		/* several pages */
		char name[16];

		(void)snprintf(name, sizeof(name), "p%d", i);
		person(name);
	}
	slice();
	apply(emptied_yaml, 1);
	until("2", DECIDED);
	rig_sql_is("612", "SELECT count(*) FROM brake_hold");
	rig_sql_is("612", "SELECT count(*) FROM account WHERE wanted_state = 'enabled'");
	rig_sql_is("1", "SELECT count(DISTINCT happened_at) FROM audit_record WHERE kind = 'brake.tripped'");
	apply(swapped_yaml, 2);
	until("3", DECIDED);
	rig_sql_is("612", WITH("chat"));
	rig_sql_is("2", WITH("watch"));
}

static void
policy_that_takes_within_the_limit_takes(void **state)
{
	(void)state;
	apply(lessened_yaml, 1);
	until("2", DECIDED);
	rig_sql_is("0", WITH("ops"));
	rig_sql_is("2", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

static void
held_by_a_policy_that_forgot_their_roles_are_not_due_all_the_time(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + 2);
	apply(emptied_yaml, 1);
	until("2", DECIDED);
	rig_sql_is("12", "SELECT count(*) FROM brake_hold");
	until("t", "SELECT due_at > now() + interval '30 minutes' FROM person WHERE dn = 'uid=c'");
	rig_sql_is("12", WITH("chat"));
}

static void
killed_on_the_way_starts_over(void **state)
{
	struct policy *before = policy;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	cycle_end();
	MUST(apply_try(swapped_yaml, 1, &err));
	MUST(cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL, attr_known, NULL, &policy,
	    &policy_version, &err));
	cycle_start();				/* reads the new policy, has decided nobody by it */
	until("2", DECIDED);
	rig_sql_is("2", WITH("watch"));
	cycle_end();
	policy_free(policy);
	policy = before;
	policy_version = 2;
	cycle_start();
}

static void
policy_that_muster_did_not_write_changes_nothing(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(apply_try(emptied_yaml, 1, &err));
	free(rig_sql("UPDATE policy_file SET content = content || '# ' WHERE version = 2"));
	cycle_hinted();
	until("1", "SELECT count(*) FROM audit_record WHERE kind = 'row.tampered'");
	until("2", DECIDED);
	person_as("c", "c", "title=x");		/* life goes on by the policy before */
	slice();
	rig_sql_is("12", WITH("chat"));
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

static void
nothing_is_written_by_a_policy_that_is_not_in_force(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	const struct cycle_rules r = rules();
	const struct cycle_again_host host = again_host(&r);
	const struct mu_uuid id = person_id("a");
	struct cycle_effects effects = { .count = 0 };

	(void)state;
	MUST(apply_try(swapped_yaml, 1, &err));
	person_as("c", "c", "title=x");
	assert_int_equal(MU_ERETRY, slice_try());
	MUST(store_begin(admin, &err));
	assert_int_equal(MU_ERETRY, cycle_again(&host, &id, 1, mu_now_ms(), &effects, &err));
	store_rollback(admin);
	until("2", DECIDED);
	person_as("c", "c", "title=x");
	slice();
}

static void
policy_is_applied_on_the_one_it_was_planned_on(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	apply(swapped_yaml, 1);
	assert_int_equal(MU_ECONFLICT, apply_try(roles_yaml, 1, &err));
	assert_non_null(strstr(err.text, "plan again"));
	assert_int_equal(MU_EINPUT, apply_try("- role: x\n  birthright: (((\n", 2, &err));
	until("2", DECIDED);
}

/* A version as they were written before: its MAC is over the bytes themselves. */
static void
policy_of_before_is_still_muster_s(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT, sql = MU_BUF_INIT;
	struct policy_file files[FILES_COUNT];
	unsigned char was[MAC_BYTES];
	struct policy *parsed = NULL;
	struct mu_err err = MU_ERR_INIT;
	int64_t version = 0;

	(void)state;
	files_make(files, roles_yaml);
	mu_buf_text_add(&bytes, "policy:1:");
	for (size_t i = 0; i < FILES_COUNT; i++) {
		mu_buf_column_add(&bytes, files[i].name, strlen(files[i].name));
		mu_buf_column_add(&bytes, files[i].content, strlen(files[i].content));
	}
	mac_one(&bytes, was);
	mu_buf_text_add(&sql, "UPDATE policy_version SET mac = '\\x");
	mu_hex_format(&sql, was, sizeof(was));
	mu_buf_char_add(&sql, '\'');
	free(rig_sql(sql.data));
	MUST(cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL, attr_known, NULL, &parsed,
	    &version, &err));
	assert_int_equal(1, version);
	policy_free(parsed);
	free(rig_sql("UPDATE policy_file SET content = content || '# more' WHERE name = 'roles.yaml'"));
	assert_int_equal(MU_EBROKEN, cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL,
	    attr_known, NULL, &parsed, &version, &err));
	files_end(files);
}

/* And of those written now: of the digest, whatever the size, and of who applied it. */
static void
large_policy_is_muster_s_until_it_is_touched(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf roles = MU_BUF_INIT;
	struct policy *parsed = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (int i = 0; i < 4000; i++)
		mu_buf_text_add(&roles, "# a line of a hundred bytes or so, that says nothing at all\n");
	mu_buf_text_add(&roles, roles_yaml);
	apply(roles.data, 1);
	until("2", DECIDED);
	free(rig_sql("UPDATE policy_version SET applied_by = 'nobody' WHERE version = 2"));
	assert_int_equal(MU_EBROKEN, cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL,
	    attr_known, NULL, &parsed, NULL, &err));
	free(rig_sql("UPDATE policy_version SET applied_by = 'a test' WHERE version = 2"));
	MUST(cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL, attr_known, NULL, &parsed,
	    NULL, &err));
	policy_free(parsed);
	free(rig_sql("UPDATE policy_file SET content = replace(content, 'nothing', 'something')"
	    " WHERE version = 2"));
	assert_int_equal(MU_EBROKEN, cycle_policy_in_force(store, NULL, 0, NULL, mac_check, NULL,
	    attr_known, NULL, &parsed, NULL, &err));
}

static void
plan_names_who_loses_first(void **state)
{
	struct policy_file files[FILES_COUNT];
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(cycle_told_clear) struct cycle_told told = { .lines = MU_BUF_INIT };
	struct cycle_rules candidate = rules();
	const struct cycle_plan_host planner = { rig.logins.conninfo[STORE_ROLE_WORK], store,
		&candidate, false };
	struct policy *parsed = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *gains, *loses;

	(void)state;
	granted("k", "helper", mu_now_s() - 5, mu_now_s() + 3600);
	files_make(files, "- role: chat\n"
	    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
	    "  birthright: (employeeType=staff)\n"
	    "- role: ops\n"
	    "  gives: [{platform: mem, groups: [ops]}]\n"
	    "  birthright: (|(group=ops)(uid=c))\n");
	MUST(policy_parse(files, FILES_COUNT, attr_known, NULL, &faults, &parsed, &err));
	candidate.policy = parsed;
	MUST(cycle_plan(&planner, mu_now_s(), &told, &err));
	assert_ptr_equal(told.lines.data, strstr(told.lines.data, "base 1\noutcome "));
	assert_non_null(strstr(told.lines.data, "\nk k "));
	loses = strstr(told.lines.data, "active loses helper; mem: loses group help\nc c ");
	gains = strstr(told.lines.data, "active gains ops; mem: gains group ops\n"
	    "role helper: lost by 1\nrole ops: gained by 1\nplatform mem: other rights for 2\n"
	    "12 people, 2 would change: 1 lose, 1 gain\n");
	assert_non_null(loses);
	assert_non_null(gains);
	rig_sql_is("2", WITH("ops"));
	policy_free(parsed);
	files_end(files);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, store_open_policy, world_close)
	const struct CMUnitTest tests[] = {
		ROW(everyone_is_decided_on_by_a_new_policy),
		ROW(P5_10_policy_that_takes_too_much_takes_nothing),
		ROW(P5_10_policy_that_takes_too_much_from_many_takes_nothing),
		ROW(policy_that_takes_within_the_limit_takes),
		ROW(held_by_a_policy_that_forgot_their_roles_are_not_due_all_the_time),
		ROW(killed_on_the_way_starts_over),
		ROW(policy_that_muster_did_not_write_changes_nothing),
		ROW(nothing_is_written_by_a_policy_that_is_not_in_force),
		ROW(policy_is_applied_on_the_one_it_was_planned_on),
		ROW(policy_of_before_is_still_muster_s),
		ROW(large_policy_is_muster_s_until_it_is_touched),
		ROW(plan_names_who_loses_first),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
