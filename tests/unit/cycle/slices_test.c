/*
 * slices_test.c - what a directory reports becomes rows: nobody removed by mistake, nobody left in
 */
#include "unit/cycle/world.h"

/* --- Nobody is left in ---------------------------------------------------------------------- */

static void
leaver_survives_the_groups_beginning(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	removed(DIRECTORY_PEOPLE, "c");
	slice();
	begins(DIRECTORY_GROUPS, false);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("active", ACTIVE("c"));	/* not before the refresh is complete */
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("leaver", ACTIVE("c"));
	rig_sql_is("2", COOKIES);
}

static void
refused_slice_keeps_no_cookie(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(directory.events->cookie(directory.ctx, DIRECTORY_PEOPLE, "rid=2", 5, &err));
	removed(DIRECTORY_PEOPLE, "c");
	keys_away = true;
	assert_int_equal(MU_ERETRY, slice_try());
	keys_away = false;
	begins(DIRECTORY_GROUPS, false);
	slice();
	rig_sql_is("rid=1",
	    "SELECT convert_from(cookie, 'UTF8') FROM source_search WHERE search = 'people'");
}

static void
refused_end_is_no_end(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < 11; i++)
		person(all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 11);
	keys_away = true;
	assert_int_equal(MU_ERETRY, slice_try());
	keys_away = false;
	/* the people's new listing has not begun: l may be in it */
	begins(DIRECTORY_GROUPS, false);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("active", ACTIVE("l"));
}

static void
groups_that_end_amid_people_count_at_their_end(void **state)
{
	static const char *const left[] = { "uid=b" };

	(void)state;
	begins(DIRECTORY_PEOPLE, true);
	person("a");
	begins(DIRECTORY_GROUPS, true);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	slice();
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	rig_sql_is("0", COOKIES);	/* whoever dies here has to read all anew */
	for (size_t i = 1; i < MU_COUNT(all); i++)
		person(all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MU_COUNT(all));
	slice();
	rig_sql_is("1", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	rig_sql_is("2", COOKIES);
}

/* a has another name, under which ops has them from now on. */
static void
a_is_renamed(void)
{
	struct attrs attrs = { 0 };
	struct directory_entry e = { .entry_uuid = uuid_of("a"), .dn = "uid=anna",
		.attrs = &attrs };
	struct mu_err err = MU_ERR_INIT;

	attrs_add(&attrs, "uid", "a");
	attrs_add(&attrs, "employeeType", "staff");
	MUST(directory.events->entry(directory.ctx, DIRECTORY_PEOPLE, &e, &err));
	attrs_clear(&attrs);
}

static void
who_is_renamed_keeps_the_roles_of_their_groups(void **state)
{
	static const char *const members[] = { "uid=anna", "uid=b" };

	(void)state;
	begins(DIRECTORY_GROUPS, false);
	group("ops", members, 2);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 1);
	slice();
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	begins(DIRECTORY_PEOPLE, false);
	a_is_renamed();
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 1);
	slice();
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	rig_sql_is("1", "SELECT count(*) FROM person WHERE dn = 'uid=anna'");
	rig_sql_is("0", "SELECT count(*) FROM audit_record WHERE kind = 'person.changed'"
	    " AND body LIKE '%\"lost\":\"ops\"%'");
	rig_sql_is("2", COOKIES);
}

static void
who_waits_for_a_decision_gets_it_on_the_next_connection(void **state)
{
	static const char *const left[] = { "uid=b" };

	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	begins(DIRECTORY_GROUPS, false);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 1);
	slice();
	/* connected anew: of groups there is no news left */
	begins(DIRECTORY_GROUPS, false);
	begins(DIRECTORY_PEOPLE, false);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("1", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
}

static void
who_waits_for_a_decision_gets_it_after_a_kill(void **state)
{
	static const char *const left[] = { "uid=b" };

	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	begins(DIRECTORY_GROUPS, false);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 1);
	slice();
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	begins(DIRECTORY_GROUPS, true);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < MU_COUNT(all); i++)
		person(all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MU_COUNT(all));
	slice();
	rig_sql_is("1", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	rig_sql_is("2", COOKIES);
	cycle_restart();
	assert_true(directory.resumed[DIRECTORY_PEOPLE]);
}

static void
narrowed_listing_is_no_place_to_resume_from(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	for (size_t i = 0; i < 4; i++)
		present(DIRECTORY_PEOPLE, all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_PRESENT_LISTED, 4);
	slice();
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("0", "SELECT length(cookie) FROM source_search WHERE search = 'people'");
	/* connected anew: of those missing nobody goes by a delete alone, others do */
	begins(DIRECTORY_PEOPLE, false);
	removed(DIRECTORY_PEOPLE, "c");
	removed(DIRECTORY_PEOPLE, "l");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("leaver", ACTIVE("c"));
	rig_sql_is("active", ACTIVE("l"));
	rig_sql_is("11", "SELECT count(*) FROM person WHERE state = 'active'");
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
}

static void
truncated_refresh_believes_what_was_said(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, true);
	person_as("a", "a", "endDate=20200101000000Z");
	refreshed(DIRECTORY_PEOPLE, VERDICT_TRUNCATED, DIRECTORY_FULL_LISTED, 1);
	slice();
	rig_sql_is("leaver", ACTIVE("a"));
	rig_sql_is("11", "SELECT count(*) FROM person WHERE state = 'active'");
}

static void
removed_twice_is_once(void **state)
{
	(void)state;
	removed(DIRECTORY_PEOPLE, "c");
	removed(DIRECTORY_PEOPLE, "c");
	slice();
	rig_sql_is("leaver", ACTIVE("c"));
	begins(DIRECTORY_PEOPLE, false);
	removed(DIRECTORY_PEOPLE, "d");
	for (size_t i = 0; i < MU_COUNT(all); i++)
		if (i != 2 && i != 3)
			present(DIRECTORY_PEOPLE, all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_PRESENT_LISTED, 10);
	slice();
	rig_sql_is("leaver", ACTIVE("d"));
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

/* --- Nobody goes by mistake ----------------------------------------------------------------- */

static void
who_comes_back_within_a_refresh_stays(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	removed(DIRECTORY_PEOPLE, "c");
	person_as("d", "d", "endDate=20200101000000Z");
	slice();
	person("c");
	person_as("d", "d", "title=back");
	slice();
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 2);
	slice();
	rig_sql_is("active", ACTIVE("c"));
	rig_sql_is("active", ACTIVE("d"));
}

static void
who_goes_after_a_change_is_gone(void **state)
{
	(void)state;
	begins(DIRECTORY_PEOPLE, false);
	person_as("d", "d", "endDate=20200101000000Z");
	slice();
	person_as("d", "d", "endDate=20200102000000Z");
	slice();
	removed(DIRECTORY_PEOPLE, "d");
	slice();
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 2);
	slice();
	rig_sql_is("the directory has no entry of theirs",
	    "SELECT body::json->>'reason' FROM audit_record WHERE kind = 'person.left'"
	    " ORDER BY happened_at DESC LIMIT 1");
}

static void
no_group_is_shown_where_some_were_known(void **state)
{
	(void)state;
	begins(DIRECTORY_GROUPS, true);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	free(rig_sql("UPDATE source_search SET listed_count = 0 WHERE search = 'groups'"));
	slice();
	cycle_restart();
	free(rig_sql("UPDATE source_search SET listed_count = 0 WHERE search = 'groups'"));
	cycle_restart();
	begins(DIRECTORY_GROUPS, true);
	refreshed(DIRECTORY_GROUPS, VERDICT_EMPTY, DIRECTORY_FULL_LISTED, 0);
	assert_int_equal(MU_ERETRY, slice_try());
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
}

static void
held_person_is_not_let_go_by_another_change(void **state)
{
	static const char *const more[] = { "uid=a", "uid=b", "uid=c" };

	(void)state;
	removed(DIRECTORY_PEOPLE, "c");
	removed(DIRECTORY_PEOPLE, "d");
	removed(DIRECTORY_PEOPLE, "e");
	slice();
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
	group("ops", more, 3);		/* c gains a role, and is still not in the directory */
	slice();
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
	person("c");
	slice();
	rig_sql_is("2", "SELECT count(*) FROM brake_hold");
}

/* --- Nobody blocks the way of others -------------------------------------------------------- */

static void
two_joiners_of_one_name(void **state)
{
	(void)state;
	person_as("x", "same", "");
	person_as("y", "Same", "");
	person("z");
	slice();
	rig_sql_is("15", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("1", "SELECT count(*) FROM account WHERE lower(name) = 'same'");
	rig_sql_is("1", "SELECT count(*) FROM account WHERE lower(name) = 'z'");
	rig_sql_is("1", "SELECT count(*) FROM audit_record WHERE kind = 'account.refused'");
}

static void
ends_that_are_held_stand_in_nobodys_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		person_as(all[i], all[i], "endDate=20990101000000Z");
	slice();
	ends_pass("c");
	clock_run();
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
	clock_run();
	rig_sql_is("1", "SELECT count(DISTINCT happened_at) FROM audit_record WHERE kind = 'brake.tripped'");
	ends_pass("d");
	clock_run();
	rig_sql_is("leaver", ACTIVE("d"));
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
}

static void
P5_4_a_bad_entry_keeps_nobody_in_a_group_they_are_not_in(void **state)
{
	static const char *const members[] = { "uid=b" };

	(void)state;
	person_as("a", "a", "endDate=tomorrow");
	group("ops", members, 1);
	slice();
	rig_sql_is("1", "SELECT count(*) FROM quarantine");
	rig_sql_is("chat", ROLES("a"));
	rig_sql_is("chat ops", ROLES("b"));
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(leaver_survives_the_groups_beginning),
		ROW(refused_slice_keeps_no_cookie),
		ROW(refused_end_is_no_end),
		ROW(groups_that_end_amid_people_count_at_their_end),
		ROW(who_is_renamed_keeps_the_roles_of_their_groups),
		ROW(who_waits_for_a_decision_gets_it_on_the_next_connection),
		ROW(who_waits_for_a_decision_gets_it_after_a_kill),
		ROW(narrowed_listing_is_no_place_to_resume_from),
		ROW(truncated_refresh_believes_what_was_said),
		ROW(removed_twice_is_once),
		ROW(who_comes_back_within_a_refresh_stays),
		ROW(who_goes_after_a_change_is_gone),
		ROW(no_group_is_shown_where_some_were_known),
		ROW(held_person_is_not_let_go_by_another_change),
		ROW(two_joiners_of_one_name),
		ROW(ends_that_are_held_stand_in_nobodys_way),
		ROW(P5_4_a_bad_entry_keeps_nobody_in_a_group_they_are_not_in),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
