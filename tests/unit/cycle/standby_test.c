/*
 * standby_test.c - two hosts follow one source: what one leaves undecided the other decides
 */
#include "unit/cycle/world.h"

#define OPS "SELECT count(*) FROM person WHERE roles LIKE '%ops%'"

/* One of the hosts. */
struct host {
	struct directory directory;
	struct cycle *cycle;
	struct store_hint *hint;
};

static struct host
host_here(void)
{
	return (struct host){ directory, cycle, hint };
}

static void
host_go(const struct host *h)
{
	directory = h->directory;
	cycle = h->cycle;
	hint = h->hint;
}

/* Killed, and its lease is over. */
static void
host_dies(const struct host *h)
{
	host_go(h);
	cycle_end();
	free(rig_sql("UPDATE lease SET expires_at = now() - interval '1 second'"));
}

static int
hosts_open(void **state)
{
	holder = "test";
	return world_open(state);
}

/* b alone is left in ops; theirs is read while people are, too, if people_open. */
static void
ops_lessen(bool people_open)
{
	static const char *const left[] = { "uid=b" };

	begins(DIRECTORY_GROUPS, false);
	if (people_open)
		begins(DIRECTORY_PEOPLE, false);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_DELTA, 1);
}

static void
who_waits_for_a_decision_gets_it_from_another_host(void **state)
{
	static const char *const left[] = { "uid=b" };
	struct host first = host_here(), second;
	int opened;

	(void)state;
	holder = "other";
	cycle_start();
	second = host_here();
	host_go(&first);
	ops_lessen(true);
	slice();
	rig_sql_is("2", OPS);
	host_dies(&first);

	/* resumed before that: it hears of the same change, which is in the store by now */
	host_go(&second);
	opened = directory.opened_count;
	ops_lessen(true);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("0", COOKIES);
	until_opened(opened + 1);
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	begins(DIRECTORY_GROUPS, true);
	group("ops", left, 1);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < MU_COUNT(all); i++)
		person(all[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, MU_COUNT(all));
	slice();
	rig_sql_is("1", OPS);
	rig_sql_is("2", COOKIES);
}

/* Where nothing was left, taking over costs nothing. */
static void
host_that_takes_over_reads_on(void **state)
{
	struct host first = host_here();
	int opened;

	(void)state;
	holder = "other";
	cycle_start();
	opened = directory.opened_count;
	assert_true(directory.resumed[DIRECTORY_PEOPLE]);
	{
		struct host second = host_here();

		host_dies(&first);
		host_go(&second);
	}
	ops_lessen(false);
	begins(DIRECTORY_PEOPLE, false);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("1", OPS);
	rig_sql_is("2", COOKIES);
	assert_int_equal(opened, directory.opened_count);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, hosts_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(who_waits_for_a_decision_gets_it_from_another_host),
		ROW(host_that_takes_over_reads_on),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
