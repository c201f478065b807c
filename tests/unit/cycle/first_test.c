/*
 * first_test.c - a first read: everybody is written at once, and each as if they had come alone
 */
#include "unit/cycle/world.h"

#define MANY 3000		/* more than one flood */
#define SLICE 500		/* as a directory brings them */

static void
name_of(char out[16], size_t i)
{
	(void)snprintf(out, 16, "p%04zu", i);
}

/* People from on, up to to, in slices; nothing is refused. */
static void
some_come(size_t from, size_t to)
{
	char name[16];

	for (size_t i = from; i < to; i++) {
		name_of(name, i);
		person(name);
		if (i % SLICE == SLICE - 1)
			slice();
	}
}

static void
groups_come(void)
{
	static const char *const members[] = { "uid=p0000", "uid=p2999" };
	char name[16];

	begins(DIRECTORY_GROUPS, true);
	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "g%zu", i);
		group(name, members, 2);
	}
	group("ops", members, 2);
	slice();
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 101);
	slice();
}

static void
people_end(size_t count)
{
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, count);
	slice();
}

static void
all_come(void)
{
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, MANY);
	people_end(MANY);
}

#define PEOPLE "SELECT count(*) FROM person WHERE state = 'active' AND version = 1"
#define ACCOUNTS "SELECT count(*) FROM account JOIN person USING (person_id)" \
	" WHERE wanted_state = 'enabled' AND name = uid"
#define JOINED "SELECT count(DISTINCT body::json ->> 'person') || ' of ' || count(*)" \
	" FROM audit_record WHERE kind = 'person.joined'"

static void
all_is_written(const char *count)
{
	char joined[40];

	(void)snprintf(joined, sizeof(joined), "%s of %s", count, count);
	rig_sql_is(count, PEOPLE);
	rig_sql_is(count, ACCOUNTS);
	rig_sql_is(joined, JOINED);
	rig_sql_is(count, "SELECT sum(people) FROM brake_people WHERE scope = 'source'");
	rig_sql_is(count, "SELECT sum(people) FROM brake_people WHERE scope = 'platform'");
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
	rig_sql_is("2", COOKIES);
}

/* --- A first read ----------------------------------------------------------------------------- */

static void
everybody_has_row_account_record_and_groups(void **state)
{
	(void)state;
	all_come();
	all_is_written("3000");
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	rig_sql_is("101 202", "SELECT count(DISTINCT entry_uuid) || ' ' || count(*)"
	    " FROM directory_member");
}

static void
each_account_has_the_mac_of_its_row(void **state)
{
	static const char sql[] = "SELECT person_id FROM person ORDER BY uid LIMIT 1 OFFSET 1234";
	struct store_people people = { .count = 0 };
	unsigned char want[MAC_BYTES];
	struct mu_err err = MU_ERR_INIT;
	struct mu_buf bytes = MU_BUF_INIT;
	struct mu_uuid id;
	char *text;

	(void)state;
	all_come();
	text = rig_sql(sql);
	assert_true(mu_uuid_parse(text, &id));
	free(text);
	MUST(store_begin(admin, &err));
	MUST(store_person_read_ids(admin, &id, 1, &people, &err));
	store_rollback(admin);
	assert_int_equal(1, people.list[0].account_count);
	account_want_encode(&people.list[0].accounts[0].want, &bytes);
	mac_one(&bytes, want);
	assert_memory_equal(want, people.list[0].accounts[0].mac, MAC_BYTES);
	mu_buf_clear(&bytes);
	store_people_clear(&people);
}

static void
no_cookie_is_kept_before_all_is_read(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 2600);
	rig_sql_is("0", "SELECT count(*) FROM source_search WHERE search = 'people'"
	    " AND length(cookie) > 0");
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	all_come();
	all_is_written("3000");
}

static void
what_is_read_again_unchanged_touches_no_row(void **state)
{
	(void)state;
	all_come();
	free(rig_sql("CREATE TABLE before AS SELECT person_id, xmin::text AS x FROM person UNION ALL"
	    " SELECT account_id, xmin::text FROM account UNION ALL"
	    " SELECT record_id, xmin::text FROM audit_record UNION ALL"
	    " SELECT entry_uuid, xmin::text FROM directory_group"));
	all_come();
	rig_sql_is("0", "SELECT count(*) FROM before b FULL JOIN (SELECT person_id, xmin::text AS x"
	    " FROM person UNION ALL SELECT account_id, xmin::text FROM account UNION ALL"
	    " SELECT record_id, xmin::text FROM audit_record UNION ALL SELECT entry_uuid,"
	    " xmin::text FROM directory_group) n USING (person_id, x)"
	    " WHERE b.person_id IS NULL OR n.person_id IS NULL");
	free(rig_sql("DROP TABLE before"));
}

/* --- Not plain ---------------------------------------------------------------------------------- */

static void
of_two_who_want_one_name_the_first_gets_it(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 1200);
	person_as("twin", "p0100", "");		/* in the same flood */
	some_come(1200, MANY);
	person_as("late", "p0200", "");		/* in another */
	people_end(MANY + 2);
	rig_sql_is("3002", "SELECT count(*) FROM person");
	rig_sql_is("3000", "SELECT count(*) FROM account");
	rig_sql_is("2", "SELECT count(*) FROM account JOIN person USING (person_id)"
	    " WHERE name IN ('p0100', 'p0200') AND dn = 'uid=' || name");
	rig_sql_is("2", "SELECT count(*) FROM audit_record WHERE kind = 'account.refused'");
	rig_sql_is("2", COOKIES);
}

static void
an_entry_at_fault_keeps_nobody_out(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 700);
	person_as("bad", "bad", "endDate=tomorrow");
	some_come(700, MANY);
	people_end(MANY + 1);
	all_is_written("3000");
	rig_sql_is("1", "SELECT count(*) FROM quarantine");
}

/* --- Hints that were wrong ---------------------------------------------------------------------- */

static void
who_has_a_row_after_all_is_no_second_person(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 10);
	free(rig_sql("INSERT INTO person (person_id, source, entry_uuid, version, dn, uid,"
	    " display_name, state, state_since, blocked, attrs, content_hash, roles, identified,"
	    " evidence) SELECT gen_random_uuid(), 'corp', encode(convert_to('p0005', 'UTF8') ||"
	    " decode(repeat('00', 11), 'hex'), 'hex')::uuid, 1, 'uid=other', 'other', '',"
	    " 'leaver', now(), false, '', decode(repeat('00', 32), 'hex'), '', '', ''"));
	some_come(10, MANY);
	people_end(MANY);
	rig_sql_is("3000", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("3000", "SELECT count(DISTINCT entry_uuid) FROM person");
	rig_sql_is("2", "SELECT version FROM person WHERE dn = 'uid=p0005'");
	rig_sql_is("2", COOKIES);
}

static void
a_name_of_somebody_elses_is_refused_and_all_others_are_given(void **state)
{
	(void)state;
	free(rig_sql("INSERT INTO account (account_id, person_id, platform, name, subject,"
	    " wanted_state, roles, entitlements, version, mac, settled_version, urgent,"
	    " next_attempt_at, attempts, parked, owned, observed_state, observed_rights,"
	    " observed_id, last_outcome, last_text) SELECT gen_random_uuid(), gen_random_uuid(),"
	    " 'mem', n, decode(repeat(md5(n), 1), 'hex'), 'disabled', '', '', 1,"
	    " decode(repeat('00', 32), 'hex'), 1, false, now(), 0, false, false, 'absent', '',"
	    " '', '', '' FROM unnest(ARRAY['p0042', 'p2500']) AS n"));
	all_come();
	rig_sql_is("3000", PEOPLE);
	rig_sql_is("2998", ACCOUNTS);
	rig_sql_is("2", "SELECT count(*) FROM audit_record WHERE kind = 'account.refused'");
	rig_sql_is("2", COOKIES);
}

static void
who_changes_and_changes_back_in_one_read_is_as_they_were(void **state)
{
	(void)state;
	all_come();
	begins(DIRECTORY_PEOPLE, true);
	person_as("p0001", "p0001", "title=chief");
	for (size_t i = 2; i < 400; i++) {	/* so many others change that these are written */
		char name[16];

		name_of(name, i);
		person_as(name, name, "title=clerk");
	}
	slice();
	rig_sql_is("1", "SELECT count(*) FROM person WHERE attrs LIKE '%chief%'");
	person("p0001");
	person("p0000");
	some_come(400, MANY);
	people_end(MANY - 2 + 1);
	rig_sql_is("0", "SELECT count(*) FROM person WHERE attrs LIKE '%chief%'");
	rig_sql_is("398", "SELECT count(*) FROM person WHERE attrs LIKE '%clerk%'");
}

/* --- Failures ------------------------------------------------------------------------------------ */

static void
keys_that_are_away_write_nothing_and_all_is_read_again(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	keys_away = true;
	for (size_t i = 0; i < 2100; i++) {
		char name[16];

		name_of(name, i);
		person(name);
	}
	assert_int_equal(MU_ERETRY, slice_try());
	keys_away = false;
	rig_sql_is("0", "SELECT count(*) FROM person");
	all_come();
	all_is_written("3000");
}

static void
a_store_that_goes_away_in_a_flood_is_told_and_all_is_read_again(void **state)
{
	enum mu_rc rc = MU_OK;

	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 2500);			/* a flood is under way, or just over */
	free(rig_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
	    " WHERE usename = 'muster_cycle'"));
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 2500);
	rc = slice_try();
	rig_sql_is("0", "SELECT count(*) FROM source_search WHERE search = 'people'"
	    " AND complete_at IS NOT NULL");
	assert_int_equal(MU_ERETRY, rc);
	all_come();
	all_is_written("3000");
}

static void
what_waited_of_a_lost_connection_comes_again(void **state)
{
	(void)state;
	groups_come();
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 1000);			/* fewer than a flood: they wait */
	rig_sql_is("0", "SELECT count(*) FROM person");
	/* and then the connection was lost; meanwhile p0003 has left */
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, 3);
	some_come(4, MANY);
	people_end(MANY - 1);
	all_is_written("2999");
	rig_sql_is("0", "SELECT count(*) FROM person WHERE dn = 'uid=p0003'");
}

static void
who_is_new_later_passes_the_brake(void **state)
{
	(void)state;
	all_come();
	free(rig_sql("DELETE FROM audit_record"));
	begins(DIRECTORY_PEOPLE, true);
	some_come(0, MANY);
	for (size_t i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%03zu", i);
		person(name);
	}
	people_end(MANY + 100);
	rig_sql_is("3100", PEOPLE);
	rig_sql_is("100 of 100", JOINED);
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, nobody_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(everybody_has_row_account_record_and_groups),
		ROW(each_account_has_the_mac_of_its_row),
		ROW(no_cookie_is_kept_before_all_is_read),
		ROW(what_is_read_again_unchanged_touches_no_row),
		ROW(of_two_who_want_one_name_the_first_gets_it),
		ROW(an_entry_at_fault_keeps_nobody_out),
		ROW(who_has_a_row_after_all_is_no_second_person),
		ROW(a_name_of_somebody_elses_is_refused_and_all_others_are_given),
		ROW(who_changes_and_changes_back_in_one_read_is_as_they_were),
		ROW(keys_that_are_away_write_nothing_and_all_is_read_again),
		ROW(a_store_that_goes_away_in_a_flood_is_told_and_all_is_read_again),
		ROW(what_waited_of_a_lost_connection_comes_again),
		ROW(who_is_new_later_passes_the_brake),
	};

	return cmocka_run_group_tests_name("floods of people", tests, setup, teardown);
}
