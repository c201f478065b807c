/*
 * clock_test.c - what is due is done within a second of it, whoever wrote it, and all of it at once
 */
#include "unit/cycle/world.h"

#include <sys/syscall.h>
#include <time.h>

#define MANY 600			/* more than two pages */

static int64_t shift_s;			/* the wall clock was set */

/* Everything that tells the time in this program asks here. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += shift_s;
	return rc;
}

static int
clock_world_open(void **state)
{
	shift_s = 0;
	directory.wrong = false;
	return world_open(state);
}

/* It comes to be so, and what is recorded of it happened within a second after it was due. */
static void
seen_in_time(const char *want, const char *sql, int64_t due_at_s)
{
	char late[160];

	until(want, sql);
	(void)snprintf(late, sizeof(late), "SELECT max(happened_at) >= to_timestamp(%lld) AND"
	    " max(happened_at) < to_timestamp(%lld) FROM audit_record", (long long)due_at_s,
	    (long long)due_at_s + 1);
	rig_sql_is("t", late);
}

static const char *
at_text(int64_t at_s, char out[64], const char *attribute)
{
	struct tm tm;
	time_t t = (time_t)at_s;
	size_t length = (size_t)snprintf(out, 32, "%s=", attribute);

	(void)gmtime_r(&t, &tm);
	(void)strftime(out + length, 64 - length, "%Y%m%d%H%M%SZ", &tm);
	return out;
}

static void
P5_2_an_end_is_seen_within_a_second(void **state)
{
	char ends[64];
	int64_t due_at_s = mu_now_s() + 2;

	(void)state;
	person_as("c", "c", at_text(due_at_s, ends, "endDate"));
	slice();
	seen_in_time("leaver", ACTIVE("c"), due_at_s);
	rig_sql_is("disabled", ACCOUNT("c"));
}

static void
P5_2_what_another_process_wrote_is_seen_within_a_second(void **state)
{
	int64_t due_at_s = mu_now_s() + 2;

	(void)state;
	granted("c", "helper", due_at_s - 100, due_at_s);
	rig_sql_is("chat helper", ROLES("c"));
	seen_in_time("chat", ROLES("c"), due_at_s);
}

static void
the_clock_runs_while_the_directory_cannot_be_opened(void **state)
{
	int64_t due_at_s;

	(void)state;
	cycle_end();
	directory.wrong = true;
	cycle_start();
	due_at_s = mu_now_s() + 2;
	granted("c", "helper", due_at_s - 100, due_at_s);
	seen_in_time("chat", ROLES("c"), due_at_s);
}

static void
a_wall_clock_that_is_set_is_noticed_within_a_second(void **state)
{
	int64_t since_ms;

	(void)state;
	granted("c", "helper", mu_now_s() - 100, mu_now_s() + 7000);
	granted("d", "helper", mu_now_s() - 100, mu_now_s() + 4000);
	until("1", "SELECT 1");
	shift_s = 5000;
	since_ms = mu_tick_ms();
	until("chat", ROLES("d"));
	assert_true(mu_tick_ms() - since_ms < 1100);
	rig_sql_is("chat helper", ROLES("c"));
	shift_s = -5000;			/* set back, nothing happens, and nothing hangs: */
	granted("e", "helper", mu_now_s() - 100, mu_now_s() + 2);
	since_ms = mu_tick_ms();
	until("chat", ROLES("e"));
	assert_true(mu_tick_ms() - since_ms < 3100);
	rig_sql_is("chat helper", ROLES("c"));
}

static void
a_planned_return_that_is_none_is_recorded_once(void **state)
{
	char returns[80];
	int64_t due_at_s = mu_now_s() + 2;

	(void)state;
	person_as("c", "c", strcat(strcpy(returns, "mood=away "),
	    at_text(due_at_s, (char [64]){ "" }, "backDate")));
	slice();
	rig_sql_is("suspended", ACTIVE("c"));
	seen_in_time("1", "SELECT count(*) FROM audit_record WHERE kind = 'person.overdue'",
	    due_at_s);
	cycle_restart();			/* who starts anew does not tell it anew */
	until("0", "SELECT count(*) FROM person WHERE due_at IS NOT NULL");
	rig_sql_is("1", "SELECT count(*) FROM audit_record WHERE kind = 'person.overdue'");
	rig_sql_is("suspended", ACTIVE("c"));
}

/* --- Many at once --------------------------------------------------------------------------- */

/* n000 ... with this attribute; the loop did not run since. */
static void
many(const char *attribute)
{
	for (int i = 0; i < MANY; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%03d", i);
		person_as(name, name, attribute);
	}
	slice();
}

#define MANY_IN(state) "SELECT count(*) FROM person WHERE uid LIKE 'n___' AND state = '" state "'"

static void
P5_10_ends_of_one_moment_pass_the_brake_as_one(void **state)
{
	char ends[64];

	(void)state;
	many(at_text(mu_now_s() + 3600, ends, "endDate"));
	rig_sql_is("600", MANY_IN("active"));
	shift_s = 3600;
	until("600", "SELECT count(*) FROM brake_hold");
	rig_sql_is("600", MANY_IN("active"));
	rig_sql_is("0", "SELECT count(*) FROM brake_effect");
	rig_sql_is("1",
	    "SELECT count(DISTINCT happened_at) FROM audit_record WHERE kind = 'brake.tripped'");
	rig_sql_is("600", "SELECT DISTINCT body::json->>'held' FROM audit_record"
	    " WHERE kind = 'brake.tripped'");
	until("0", "SELECT count(*) FROM person WHERE due_at < now() + interval '3600 s'");
}

static void
ends_of_one_moment_that_were_let_go_are_all_done(void **state)
{
	char ends[64];

	(void)state;
	many(at_text(mu_now_s() + 3600, ends, "endDate"));
	rig_sql_is("600", MANY_IN("active"));
	free(rig_sql("INSERT INTO brake_hold (source, person_id, kind, reason, since, released)"
	    " SELECT source, person_id, 'removal', 'ends', now(), true FROM person"
	    " WHERE uid LIKE 'n___'"));
	shift_s = 3600;
	until("600", MANY_IN("leaver"));
	rig_sql_is("600", "SELECT count(*) FROM brake_effect WHERE scope = 'source'");
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

static void
starts_of_one_moment_are_all_done(void **state)
{
	char starts[64];

	(void)state;
	many(at_text(mu_now_s() + 3600, starts, "startDate"));
	rig_sql_is("600", MANY_IN("staged"));
	shift_s = 3600;
	until("600", MANY_IN("active"));
}

/* --- One clock at a time -------------------------------------------------------------------- */

static void
while_another_clock_has_the_lease_this_one_waits(void **state)
{
	int64_t due_at_s = mu_now_s() + 1;
	struct mu_timer *after = mu_loop_timer(loop, loop_stop, NULL);

	(void)state;
	/* whether or not this clock has ticked before */
	free(rig_sql("INSERT INTO lease VALUES ('clock', 'another host', 7, now() + interval '1 h')"
	    " ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, fence = EXCLUDED.fence,"
	    " expires_at = EXCLUDED.expires_at"));
	granted("c", "helper", due_at_s - 100, due_at_s);
	mu_timer_set(after, 2500);
	(void)mu_loop_run(loop);
	mu_timer_free(after);
	assert_true(mu_now_s() > due_at_s);
	rig_sql_is("chat helper", ROLES("c"));
	free(rig_sql("UPDATE lease SET expires_at = now() WHERE name = 'clock'"));
	until("chat", ROLES("c"));		/* it is gone: taken over */
	rig_sql_is("test corp", "SELECT holder FROM lease WHERE name = 'clock'");
	rig_sql_is("8", "SELECT fence FROM lease WHERE name = 'clock'");
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, clock_world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(P5_2_an_end_is_seen_within_a_second),
		ROW(P5_2_what_another_process_wrote_is_seen_within_a_second),
		ROW(the_clock_runs_while_the_directory_cannot_be_opened),
		ROW(a_wall_clock_that_is_set_is_noticed_within_a_second),
		ROW(a_planned_return_that_is_none_is_recorded_once),
		ROW(P5_10_ends_of_one_moment_pass_the_brake_as_one),
		ROW(ends_of_one_moment_that_were_let_go_are_all_done),
		ROW(starts_of_one_moment_are_all_done),
		ROW(while_another_clock_has_the_lease_this_one_waits),
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
