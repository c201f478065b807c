/*
 * narrow_test.c - a listing that lacks most of the people removes nobody until two people let them go
 *
 * The brake lets two go within the hour.
 */
#include "unit/cycle/world.h"

#define HELD "SELECT count(*) FROM brake_hold"
#define ACTIVES "SELECT count(*) FROM person WHERE state = 'active'"
#define VERDICT "SELECT verdict FROM source_verdict"
#define LEFT 5		/* of the twelve; seven are more than half of them */

static void
verdict(void)
{
	directory.events->verdict(directory.ctx, VERDICT_COMPLETE, "");
}

/* As the directory is read: the first of them are listed, in full. */
static void
read_first(size_t count)
{
	full_read(all, count);
	verdict();
}

static void
narrow(void)
{
	read_first(LEFT);
	rig_sql_is("narrowed", VERDICT);
	rig_sql_is("12", ACTIVES);
	rig_sql_is("7", HELD);
}

/* What brake.release does with those who are held. */
static void
release(size_t most)
{
	struct store_holds holds = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid ids[MU_COUNT(all)];
	size_t count = 0;
	int opened = directory.opened_count;

	MUST(store_begin(admin, &err));
	MUST(store_brake_hold_list(admin, "corp", &holds, &err));
	for (; count < holds.count && count < most; count++)
		ids[count] = holds.list[count].person_id;
	store_brake_release(admin, "corp", ids, count);
	store_sync_ask(admin, "corp", mu_now_ms());
	MUST(store_commit(admin, &err));
	store_holds_clear(&holds);
	cycle_hinted();
	until_opened(opened + 1);
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
}

static void
P5_10_who_is_missing_from_a_narrowed_listing_is_held_and_shown(void **state)
{
	(void)state;
	narrow();
	rig_sql_is("7", "SELECT count(*) FROM brake_hold WHERE reason LIKE"
	    " '%it lists 5, there were 12' AND NOT released");
	rig_sql_is("t", "SELECT reason LIKE '%lists 5 where 12 people were%brake release corp%'"
	    " FROM source_verdict");
	rig_sql_is("0", COOKIES);
}

static void
who_is_back_is_held_no_longer(void **state)
{
	(void)state;
	narrow();
	cycle_restart();
	read_first(MU_COUNT(all));
	rig_sql_is("complete", VERDICT);
	rig_sql_is("0", HELD);
	rig_sql_is("12", ACTIVES);
	rig_sql_is("2", COOKIES);
}

static void
P5_10_a_restart_believes_no_more(void **state)
{
	(void)state;
	narrow();
	cycle_restart();
	narrow();
}

static void
two_people_let_a_halved_source_be_as_small_as_it_is(void **state)
{
	(void)state;
	narrow();
	release(MU_COUNT(all));
	rig_sql_is("12", ACTIVES);		/* the directory has not been read yet */
	read_first(LEFT);
	rig_sql_is("complete", VERDICT);
	rig_sql_is("5", ACTIVES);
	rig_sql_is("7", "SELECT count(*) FROM person WHERE state = 'leaver'");
	rig_sql_is("0", HELD);
	rig_sql_is("2", COOKIES);
	/* once: whom they let go counts in the brake's hour */
	cycle_restart();
	read_first(LEFT - 1);
	rig_sql_is("complete", VERDICT);
	rig_sql_is("5", ACTIVES);
	rig_sql_is("1", HELD);
}

static void
P5_10_who_was_not_let_go_is_judged_as_ever(void **state)
{
	(void)state;
	narrow();
	release(MU_COUNT(all));
	read_first(2);
	rig_sql_is("5", ACTIVES);
	rig_sql_is("3", HELD);
	rig_sql_is("3", "SELECT count(*) FROM brake_hold WHERE NOT released");
}

static void
P5_10_who_was_let_go_and_is_back_stays(void **state)
{
	(void)state;
	narrow();
	release(MU_COUNT(all));
	read_first(MU_COUNT(all));
	rig_sql_is("12", ACTIVES);
	rig_sql_is("0", HELD);
	cycle_restart();
	narrow();
}

static void
P5_10_a_part_of_them_let_go_opens_no_door_for_the_rest(void **state)
{
	(void)state;
	cycle_restart();
	read_first(1);
	rig_sql_is("11", HELD);
	release(1);
	read_first(1);
	rig_sql_is("narrowed", VERDICT);
	rig_sql_is("12", ACTIVES);
	rig_sql_is("10", "SELECT count(*) FROM brake_hold WHERE NOT released");
}

/* Deletes are reported one by one; then a full read shows who is left of many. */
static void
a_source_that_shrank_lawfully_is_not_narrowed(void **state)
{
	(void)state;
	for (size_t i = LEFT; i < MU_COUNT(all); i++) {
		removed(DIRECTORY_PEOPLE, all[i]);
		slice();
		free(rig_sql("UPDATE brake_effect SET happened_at = happened_at - interval '2 days'"));
	}
	rig_sql_is("5", ACTIVES);
	cycle_restart();
	read_first(LEFT);
	rig_sql_is("complete", VERDICT);
	rig_sql_is("0", HELD);
}

/* The base was renamed, or all were added anew: as many as before, and none of those who were. */
static void
P5_10_others_in_their_place_are_no_listing_of_them(void **state)
{
	static const char *const others[] = { "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L" };

	(void)state;
	full_read(others, MU_COUNT(others));
	verdict();
	rig_sql_is("narrowed", VERDICT);
	rig_sql_is("12", HELD);
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active' AND dn >= 'uid=a'"
	    " COLLATE \"C\"");
}

/* No directory says that access is back: it is read again without being asked. */
static void
R_LDAP_a_narrowed_source_is_read_again_by_itself(void **state)
{
	int opened = directory.opened_count;

	(void)state;
	narrow();
	until_opened(opened + 1);
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	read_first(MU_COUNT(all));
	rig_sql_is("complete", VERDICT);
}

#define ROW(sentence) cmocka_unit_test_setup_teardown(sentence, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(P5_10_who_is_missing_from_a_narrowed_listing_is_held_and_shown),
		ROW(who_is_back_is_held_no_longer),
		ROW(P5_10_a_restart_believes_no_more),
		ROW(two_people_let_a_halved_source_be_as_small_as_it_is),
		ROW(P5_10_who_was_not_let_go_is_judged_as_ever),
		ROW(P5_10_who_was_let_go_and_is_back_stays),
		ROW(P5_10_a_part_of_them_let_go_opens_no_door_for_the_rest),
		ROW(a_source_that_shrank_lawfully_is_not_narrowed),
		ROW(P5_10_others_in_their_place_are_no_listing_of_them),
		ROW(R_LDAP_a_narrowed_source_is_read_again_by_itself),
	};

	return cmocka_run_group_tests_name("narrowed", tests, setup, teardown);
}
