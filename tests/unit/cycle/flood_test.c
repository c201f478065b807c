/*
 * flood_test.c - a source that is read for the first time: many at once, and what may come between
 */
#include "unit/cycle/world.h"

#define MANY	100		/* more than go one by one */
#define CROWD	2100		/* more than wait for the slice's end */

static int
empty_open(void **state)
{
	(void)state;
	keys_away = false;
	policy_version = 0;
	world_empty();
	cycle_start();
	return 0;
}

static const char *
name_of(int number)
{
	static char name[16];

	(void)snprintf(name, sizeof(name), "p%04d", number);
	return name;
}

static void
groups_read(void)
{
	static const char *const members[] = { "uid=p0001" };

	begins(DIRECTORY_GROUPS, true);
	group("ops", members, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	slice();
}

/* Nobody is stored who need not be. */
static void
who_has_left_before_the_first_read_is_not_stored(void **state)
{
	(void)state;
	groups_read();
	begins(DIRECTORY_PEOPLE, true);
	for (int i = 0; i < MANY; i++)
		person(name_of(i));
	person_as("gone", "gone", "endDate=20200101000000Z");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MANY + 1);
	slice();
	rig_sql_is("100", "SELECT count(*) FROM person");
	rig_sql_is("100", "SELECT count(*) FROM audit_record WHERE kind = 'person.joined'");
}

/* What is left of the slice when the flood is committed may be lost: it is asked for again. */
static void
kill_between_the_flood_and_its_slice_loses_nothing(void **state)
{
	const struct mu_uuid odd = uuid_of("odd");
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	groups_read();
	begins(DIRECTORY_PEOPLE, true);
	for (int i = 0; i < MANY; i++)
		person(name_of(i));
	MUST(directory.events->quarantined(directory.ctx, DIRECTORY_PEOPLE, &odd, "uid=odd",
	    "it is odd", &err));
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MANY + 1);
	free(rig_sql("REVOKE INSERT ON quarantine FROM muster_cycle"));
	assert_int_not_equal(MU_OK, slice_try());
	free(rig_sql("GRANT INSERT ON quarantine TO muster_cycle"));
	rig_sql_is("100", "SELECT count(*) FROM person");
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
}

/* A name of the crowd is taken meanwhile: all of it comes back, but not who has gone by then. */
static void
who_goes_while_the_flood_is_refused_does_not_join(void **state)
{
	(void)state;
	groups_read();
	begins(DIRECTORY_PEOPLE, true);
	for (int i = 0; i < CROWD; i++)
		person(name_of(i));
	/* somebody has a row all of a sudden */
	free(rig_sql("INSERT INTO person (person_id, version, source, entry_uuid, dn, uid,"
	    " display_name, state, state_since, blocked, attrs, content_hash, roles, identified,"
	    " evidence, suspended) VALUES (gen_random_uuid(), 1, 'corp', encode('p0007'::bytea ||"
	    " decode(repeat('00', 11), 'hex'), 'hex')::uuid, '', '', '', 'staged', now(), false, '',"
	    " decode(repeat('00', 32), 'hex'), '', '', '', false)"));
	slice();
	removed(DIRECTORY_PEOPLE, "p0009");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, CROWD - 1);
	slice();
	rig_sql_is("1", "SELECT count(*) FROM person WHERE dn = 'uid=p0010' AND state = 'active'");
	rig_sql_is("0", "SELECT count(*) FROM person WHERE dn = 'uid=p0009'");
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, empty_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(who_has_left_before_the_first_read_is_not_stored),
		ROW(kill_between_the_flood_and_its_slice_loses_nothing),
		ROW(who_goes_while_the_flood_is_refused_does_not_join),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
