/*
 * brake_test.c - who is held stays held until two people let them go, or they are back as they were
 *
 * The brake lets two go within the hour.
 */
#include "unit/cycle/world.h"

#define HELD "SELECT count(*) FROM brake_hold"
#define ACTIVES "SELECT count(*) FROM person WHERE state = 'active'"

static const char *const two[] = { "c", "d" }, *const three[] = { "c", "d", "e" },
    *const five[] = { "c", "d", "e", "f", "g" };

static bool
is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A full read in which these are missing. */
static void
read_without(const char *const *names, size_t count)
{
	const char *left[MU_COUNT(all)];
	size_t left_count = 0;

	for (size_t i = 0; i < MU_COUNT(all); i++)
		if (!is_among(all[i], names, count))
			left[left_count++] = all[i];
	full_read(left, left_count);
}

static void
hold_all(const char *const *names, size_t count)
{
	char want[8];

	for (size_t i = 0; i < count; i++)
		removed(DIRECTORY_PEOPLE, names[i]);
	slice();
	(void)snprintf(want, sizeof(want), "%zu", count);
	rig_sql_is(want, HELD);
	rig_sql_is("12", ACTIVES);
}

/* Two people let everyone go who is held now: what the action does. */
static void
release(void)
{
	struct store_holds holds = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid ids[16];
	size_t count;
	int opened = directory.opened_count;

	MUST(store_begin(admin, &err));
	MUST(store_brake_hold_list(admin, "corp", &holds, &err));
	for (count = 0; count < holds.count; count++)
		ids[count] = holds.list[count].person_id;
	store_brake_release(admin, "corp", ids, count);
	store_sync_ask(admin, "corp", mu_now_ms());
	MUST(store_commit(admin, &err));
	store_holds_clear(&holds);
	cycle_hinted();
	until_opened(opened + 1);
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	assert_false(directory.resumed[DIRECTORY_GROUPS]);
}

/* An hour goes by. */
static void
window_passes(void)
{
	free(rig_sql("UPDATE brake_effect SET happened_at = happened_at - interval '2 hours'"));
}

static void
P5_10_held_stays_held_when_another_leaves_alone(void **state)
{
	(void)state;
	hold_all(three, 3);
	removed(DIRECTORY_PEOPLE, "k");
	slice();
	rig_sql_is("leaver", ACTIVE("k"));
	rig_sql_is("11", ACTIVES);
	removed(DIRECTORY_PEOPLE, "c");		/* told again, alone */
	slice();
	rig_sql_is("active", ACTIVE("c"));
	rig_sql_is("3", HELD);
}

static void
P5_10_held_stays_held_across_a_restart_after_the_window(void **state)
{
	static const char *const gone[] = { "a", "b", "c" };

	(void)state;
	removed(DIRECTORY_PEOPLE, "a");
	removed(DIRECTORY_PEOPLE, "b");
	slice();
	removed(DIRECTORY_PEOPLE, "c");
	slice();
	rig_sql_is("1", HELD);
	window_passes();
	cycle_restart();
	read_without(gone, 3);
	rig_sql_is("active", ACTIVE("c"));
	rig_sql_is("1", HELD);
	rig_sql_is("1", "SELECT count(*) FROM audit_record WHERE kind = 'brake.tripped'");
}

static void
P5_10_held_by_an_end_date_stays_held_when_the_window_is_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		person_as(all[i], all[i], "endDate=20990101000000Z");
	slice();
	ends_pass("c");
	clock_run();
	rig_sql_is("3", HELD);
	window_passes();
	clock_run();
	person_as("k", "k", "title=x");
	slice();
	rig_sql_is("12", ACTIVES);
	rig_sql_is("3", HELD);
}

static void
held_is_let_go_by_being_back_as_they_were(void **state)
{
	(void)state;
	hold_all(three, 3);
	full_read(all, MU_COUNT(all));
	rig_sql_is("0", HELD);
	rig_sql_is("12", ACTIVES);
}

static void
P5_10_released_pass_unjudged_in_the_read_that_follows(void **state)
{
	(void)state;
	hold_all(five, 5);
	release();
	rig_sql_is("12", ACTIVES);	/* not before the directory has been read again */
	read_without(five, 5);
	rig_sql_is("7", ACTIVES);
	rig_sql_is("0", HELD);
	rig_sql_is("5", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
	rig_sql_is("2", COOKIES);	/* nothing is left undone */
}

static void
released_and_back_meanwhile_stays(void **state)
{
	(void)state;
	hold_all(five, 5);
	release();
	read_without(two, 2);
	rig_sql_is("10", ACTIVES);
	rig_sql_is("leaver", ACTIVE("c"));
	rig_sql_is("active", ACTIVE("e"));
	rig_sql_is("0", HELD);
}

static void
P5_10_whoever_was_not_released_is_judged(void **state)
{
	static const char *const more[] = { "c", "d", "e", "h", "i", "j" };

	(void)state;
	hold_all(three, 3);
	release();
	read_without(more, 6);
	rig_sql_is("9", ACTIVES);
	rig_sql_is("leaver", ACTIVE("d"));
	rig_sql_is("active", ACTIVE("h"));
	rig_sql_is("3", HELD);
}

static void
P5_10_release_is_for_those_who_were_held_then(void **state)
{
	(void)state;
	hold_all(three, 3);
	release();
	read_without(NULL, 0);
	rig_sql_is("0", HELD);
	hold_all(three, 3);		/* gone again, and nobody has let them go this time */
	removed(DIRECTORY_PEOPLE, "c");
	slice();
	rig_sql_is("12", ACTIVES);
}

static void
P5_10_released_whose_entry_lost_its_roles_pass_amid_a_refresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		person_as(three[i], three[i], "endDate=20200101000000Z");
	slice();
	rig_sql_is("3", HELD);
	rig_sql_is("12", ACTIVES);
	release();
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < MU_COUNT(all); i++)
		person_as(all[i], all[i], is_among(all[i], three, 3) ? "endDate=20200101000000Z" :
		    "");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MU_COUNT(all));
	slice();
	rig_sql_is("9", ACTIVES);
	rig_sql_is("0", HELD);
}

static void
full_read_that_was_asked_for_is_made_once(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int opened = directory.opened_count;

	(void)state;
	MUST(store_begin(admin, &err));
	store_sync_ask(admin, "corp", mu_now_ms());
	MUST(store_commit(admin, &err));
	cycle_hinted();
	until_opened(opened + 1);
	full_read(all, MU_COUNT(all));
	cycle_hinted();
	for (int i = 0; i < 10; i++)
		until("1", "SELECT 1");
	assert_int_equal(opened + 1, directory.opened_count);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(P5_10_held_stays_held_when_another_leaves_alone),
		ROW(P5_10_held_stays_held_across_a_restart_after_the_window),
		ROW(P5_10_held_by_an_end_date_stays_held_when_the_window_is_over),
		ROW(held_is_let_go_by_being_back_as_they_were),
		ROW(P5_10_released_pass_unjudged_in_the_read_that_follows),
		ROW(released_and_back_meanwhile_stays),
		ROW(P5_10_whoever_was_not_released_is_judged),
		ROW(P5_10_release_is_for_those_who_were_held_then),
		ROW(P5_10_released_whose_entry_lost_its_roles_pass_amid_a_refresh),
		ROW(full_read_that_was_asked_for_is_made_once),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
