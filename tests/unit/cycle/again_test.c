/*
 * again_test.c - what actions give and take: grants, blocks, suspensions, identifications
 */
#include "unit/cycle/world.h"

#include <pthread.h>

#define HOUR_S 3600

/* --- Effects -------------------------------------------------------------------------------- */

static void
everyone_asked_about_has_an_effect(void **state)
{
	const struct mu_uuid ids[] = { person_id("a"), person_id("b"), person_id("c"),
	    person_id("b") };
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(admin, &err));
	again(ids, 4, &effects);
	MUST(store_commit(admin, &err));
	assert_int_equal(3, effects.count);
	for (size_t i = 0; i < effects.count; i++) {
		assert_int_equal(PERSON_ACTIVE, effects.list[i].from);
		assert_int_equal(PERSON_ACTIVE, effects.list[i].to);
		assert_int_equal(0, effects.list[i].lost.count + effects.list[i].accounts.count);
	}
	cycle_effects_clear(&effects);
}

static void
P5_3_revoked_is_shut_out_first_of_all(void **state)
{
	const struct mu_uuid id = person_id("a");
	struct cycle_effects effects = { .count = 0 };

	(void)state;
	free(rig_sql("UPDATE account SET urgent = false, debt_since = NULL"));
	blocked(&id, true, &effects);
	rig_sql_is("disabled", ACCOUNT("a"));
	rig_sql_is("", ROLES("a"));
	rig_sql_is("1", "SELECT count(*) FROM account WHERE urgent AND debt_since IS NOT NULL");
	rig_sql_is("active", ACTIVE("a"));	/* the block is on top of the state */
	assert_int_equal(1, effects.count);
	assert_string_equal("a", effects.list[0].uid);
	assert_true(strings_has(&effects.list[0].lost, "chat"));
	assert_true(strings_has(&effects.list[0].lost, "ops"));
	assert_int_equal(1, effects.list[0].accounts.count);
	assert_string_equal("mem: enabled -> disabled", effects.list[0].accounts.list[0]);
	cycle_effects_clear(&effects);
	blocked(&id, false, &effects);
	rig_sql_is("chat ops", ROLES("a"));
	rig_sql_is("enabled", ACCOUNT("a"));
	cycle_effects_clear(&effects);
}

static void
preview_leaves_nothing_behind(void **state)
{
	const struct mu_uuid id = person_id("a");
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(admin, &err));
	store_person_block(admin, &id, true);
	again(&id, 1, &effects);
	store_rollback(admin);
	assert_int_equal(1, effects.list[0].accounts.count);
	rig_sql_is("chat ops", ROLES("a"));
	rig_sql_is("enabled", ACCOUNT("a"));
	rig_sql_is("0", "SELECT count(*) FROM audit_record WHERE kind = 'person.changed'");
	cycle_effects_clear(&effects);
}

static void
who_is_not_there_is_an_error(void **state)
{
	const struct cycle_rules r = rules();
	const struct cycle_again_host host = again_host(&r);
	struct mu_uuid ids[] = { person_id("a"), person_id("a") };
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	mu_uuid_new(&ids[1]);
	MUST(store_begin(admin, &err));
	assert_int_equal(MU_EABSENT, cycle_again(&host, ids, 2, mu_now_ms(), &effects, &err));
	store_rollback(admin);
}

static void
two_who_get_one_name_are_told_apart(void **state)
{
	struct mu_uuid ids[2];
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	person_as("x", "same", "");
	person_as("y", "Same", "");
	slice();
	free(rig_sql("DELETE FROM account WHERE lower(name) = 'same'"));
	ids[0] = person_id("x");
	ids[1] = person_id("y");
	MUST(store_begin(admin, &err));
	again(ids, 2, &effects);
	MUST(store_commit(admin, &err));
	rig_sql_is("1", "SELECT count(*) FROM account WHERE lower(name) = 'same'");
	assert_int_equal(2, effects.count);
	assert_null(effects.list[0].refused);
	assert_non_null(strstr(effects.list[1].refused, "another person"));
	cycle_effects_clear(&effects);
}

/* --- Grants --------------------------------------------------------------------------------- */

static void
grant_runs_until_its_end_comes(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + 2);
	rig_sql_is("chat helper", ROLES("c"));
	rig_sql_is("group all\ngroup help\n",
	    "SELECT entitlements FROM account JOIN person USING (person_id)"
	    " WHERE dn = 'uid=c'");
	clock_run();
	rig_sql_is("chat helper", ROLES("c"));
	until("chat", ROLES("c"));
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	rig_sql_is("ended",
	    "SELECT body::json->>'reason' FROM audit_record WHERE kind = 'grant.ended'");
	rig_sql_is("0", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
}

static void
grant_of_tomorrow_waits(void **state)
{
	int64_t starts_at_s = mu_now_s() + 2;

	(void)state;
	granted("c", "helper", starts_at_s, starts_at_s + HOUR_S);
	rig_sql_is("chat", ROLES("c"));
	clock_run();
	until("chat helper", ROLES("c"));
	assert_true(mu_now_s() >= starts_at_s);
}

static void
P5_3_grant_of_who_leaves_is_gone_for_good(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	removed(DIRECTORY_PEOPLE, "c");
	slice();
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	person("c");
	slice();
	rig_sql_is("chat", ROLES("c"));
}

static void
P5_4_mover_loses_what_is_not_requestable_any_more(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	person_as("c", "c", "title=moved");
	slice();
	rig_sql_is("chat helper", ROLES("c"));
	person_as("c", "c", "title=left");
	slice();
	rig_sql_is("chat", ROLES("c"));
	rig_sql_is("no longer requestable",
	    "SELECT body::json->>'reason' FROM audit_record WHERE kind = 'grant.ended'");
	person("c");
	slice();
	rig_sql_is("chat", ROLES("c"));
}

static void
revoked_and_reinstated_has_no_grant_back(void **state)
{
	const struct mu_uuid id = person_id("c");
	struct cycle_effects effects = { .count = 0 };

	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	blocked(&id, true, &effects);
	assert_true(strings_has(&effects.list[0].lost, "helper"));
	cycle_effects_clear(&effects);
	rig_sql_is("revoked",
	    "SELECT body::json->>'reason' FROM audit_record WHERE kind = 'grant.ended'");
	blocked(&id, false, &effects);
	rig_sql_is("chat", ROLES("c"));
	cycle_effects_clear(&effects);
}

/* --- Rows that somebody wrote past muster --------------------------------------------------- */

static void
changed_grant_counts_for_nothing(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + 5);
	free(rig_sql("UPDATE requested_grant SET ends_at = ends_at + interval '1 year'"));
	person_as("c", "c", "title=x");
	slice();
	rig_sql_is("chat", ROLES("c"));
	rig_sql_is("requested_grant",
	    "SELECT body::json->>'table' FROM audit_record WHERE kind = 'row.tampered'");
	rig_sql_is("1",
	    "SELECT count(*) FROM audit_record a JOIN person p ON a.body::json->>'person' ="
	    " p.person_id::text WHERE kind = 'row.tampered' AND dn = 'uid=c'");
}

static void
grant_of_one_is_not_anothers(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	free(rig_sql("UPDATE requested_grant SET person_id ="
	    " (SELECT person_id FROM person WHERE dn = 'uid=d')"));
	person_as("d", "d", "title=x");
	slice();
	rig_sql_is("chat", ROLES("d"));
}

static void
identification_is_believed_if_keys_made_it(void **state)
{
	const struct mu_uuid id = person_id("c");
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct cycle_effects effects = { .count = 0 };
	struct identification seen = { .person_id = id, .level = mu_strdup("seen"),
		.method = mu_strdup("passport"), .evidence = mu_strdup("file 7"),
		.identified_at_s = mu_now_s(), .version = 1 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	mu_uuid_new(&seen.verifier);
	identification_encode(&seen, &bytes);
	mac_one(&bytes, seen.mac);
	MUST(store_begin(admin, &err));
	store_identification_write(admin, &seen);
	again(&id, 1, &effects);
	MUST(store_commit(admin, &err));
	cycle_effects_clear(&effects);
	identification_clear(&seen);
	rig_sql_is("chat guard", ROLES("c"));
	rig_sql_is("seen", "SELECT identified FROM person WHERE dn = 'uid=c'");
	free(rig_sql("UPDATE identification SET evidence = 'nothing'"));
	person_as("c", "c", "title=x");
	slice();
	rig_sql_is("chat", ROLES("c"));
	rig_sql_is("identification",
	    "SELECT body::json->>'table' FROM audit_record WHERE kind = 'row.tampered'");
}

static void
keys_are_asked_once_for_all_and_not_for_nothing(void **state)
{
	int before = checks_asked;

	(void)state;
	person_as("c", "c", "title=x");
	slice();
	assert_int_equal(before, checks_asked);
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	granted("d", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	before = checks_asked;
	person_as("c", "c", "title=y");
	person_as("d", "d", "title=y");
	person_as("e", "e", "title=y");
	slice();
	assert_int_equal(before + 1, checks_asked);
}

/* --- Suspension ----------------------------------------------------------------------------- */

static void
suspended_comes_back_at_the_time_planned(void **state)
{
	const struct mu_uuid id = person_id("a");
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(admin, &err));
	store_person_suspend(admin, &id, true, mu_now_s() + 2);
	again(&id, 1, &effects);
	MUST(store_commit(admin, &err));
	assert_int_equal(PERSON_SUSPENDED, effects.list[0].to);
	cycle_effects_clear(&effects);
	rig_sql_is("disabled", ACCOUNT("a"));
	person_as("a", "a", "title=x");
	slice();
	rig_sql_is("suspended", ACTIVE("a"));	/* no news of the directory lifts it */
	clock_run();
	until("active", ACTIVE("a"));
	rig_sql_is("chat ops", ROLES("a"));
	rig_sql_is("0", "SELECT count(*) FROM person WHERE suspended OR resume_at IS NOT NULL");
}

/* --- An action and the directory at once ---------------------------------------------------- */

#define MEETINGS 150

struct meeting {
	struct mu_uuid id;
	bool is_blocked;
};

static void *
action_run(void *ctx)
{
	const struct meeting *m = ctx;
	struct cycle_effects effects = { .count = 0 };

	blocked(&m->id, m->is_blocked, &effects);
	cycle_effects_clear(&effects);
	return NULL;
}

static void
P5_3_no_change_of_the_directory_lifts_a_block(void **state)
{
	struct meeting m = { .id = person_id("c") };

	(void)state;
	for (int i = 0; i < MEETINGS; i++) {
		pthread_t action;
		char title[32];

		(void)snprintf(title, sizeof(title), "title=%d", i);
		m.is_blocked = true;
		assert_int_equal(0, pthread_create(&action, NULL, action_run, &m));
		person_as("c", "c", title);
		slice();
		assert_int_equal(0, pthread_join(action, NULL));
		rig_sql_is("disabled", ACCOUNT("c"));
		(void)snprintf(title, sizeof(title), "title=%d.5", i);
		person_as("c", "c", title);
		slice();
		rig_sql_is("disabled", ACCOUNT("c"));
		m.is_blocked = false;
		(void)action_run(&m);
		rig_sql_is("enabled", ACCOUNT("c"));
	}
}

/* --- Who is held by the brake --------------------------------------------------------------- */

static void
hold_three(void)
{
	removed(DIRECTORY_PEOPLE, "c");
	removed(DIRECTORY_PEOPLE, "d");
	removed(DIRECTORY_PEOPLE, "e");
	slice();
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
}

static void
held_person_can_be_revoked(void **state)
{
	const struct mu_uuid id = person_id("c");
	struct cycle_effects effects = { .count = 0 };

	(void)state;
	hold_three();
	blocked(&id, true, &effects);
	cycle_effects_clear(&effects);
	rig_sql_is("disabled", ACCOUNT("c"));
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
	rig_sql_is("0", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
}

static void
held_person_keeps_what_they_have_but_for_grants_that_end(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + 2);
	hold_three();
	granted("d", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	rig_sql_is("chat helper", ROLES("c"));
	rig_sql_is("chat helper", ROLES("d"));
	clock_run();
	until("chat", ROLES("c"));
	rig_sql_is("chat helper", ROLES("d"));
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
}

static void
grant_that_ends_in_the_slice_that_is_held_ends(void **state)
{
	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + 1);
	for (int64_t end_s = mu_now_s() + 1; mu_now_s() <= end_s;)
		until("1", "SELECT 1");
	hold_three();
	rig_sql_is("chat", ROLES("c"));
	rig_sql_is("active", ACTIVE("c"));
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
}

static void
held_person_can_lose_a_grant_by_an_action(void **state)
{
	const struct mu_uuid id = person_id("c");
	struct cycle_effects effects = { .count = 0 };
	struct mu_uuid grant;
	struct mu_err err = MU_ERR_INIT;
	char *text;

	(void)state;
	granted("c", "helper", mu_now_s() - 5, mu_now_s() + HOUR_S);
	hold_three();
	text = rig_sql("SELECT grant_id FROM requested_grant");
	assert_true(mu_uuid_parse(text, &grant));
	free(text);
	MUST(store_begin(admin, &err));
	store_grant_drop(admin, &grant);
	again(&id, 1, &effects);
	MUST(store_commit(admin, &err));
	assert_true(strings_has(&effects.list[0].lost, "helper"));
	cycle_effects_clear(&effects);
	rig_sql_is("chat", ROLES("c"));
	rig_sql_is("active", ACTIVE("c"));
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(everyone_asked_about_has_an_effect),
		ROW(P5_3_revoked_is_shut_out_first_of_all),
		ROW(preview_leaves_nothing_behind),
		ROW(who_is_not_there_is_an_error),
		ROW(two_who_get_one_name_are_told_apart),
		ROW(grant_runs_until_its_end_comes),
		ROW(grant_of_tomorrow_waits),
		ROW(P5_3_grant_of_who_leaves_is_gone_for_good),
		ROW(P5_4_mover_loses_what_is_not_requestable_any_more),
		ROW(revoked_and_reinstated_has_no_grant_back),
		ROW(changed_grant_counts_for_nothing),
		ROW(grant_of_one_is_not_anothers),
		ROW(identification_is_believed_if_keys_made_it),
		ROW(keys_are_asked_once_for_all_and_not_for_nothing),
		ROW(suspended_comes_back_at_the_time_planned),
		ROW(P5_3_no_change_of_the_directory_lifts_a_block),
		ROW(held_person_can_be_revoked),
		ROW(held_person_keeps_what_they_have_but_for_grants_that_end),
		ROW(held_person_can_lose_a_grant_by_an_action),
		ROW(grant_that_ends_in_the_slice_that_is_held_ends),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
