/*
 * move_test.c - who moves has what the new place gives, and never, for any reader, both
 */
#include "unit/cycle/world.h"

#include <pthread.h>
#include <stdatomic.h>

#define MOVES	1000
#define PLACES	5
#define SEEN_MAX 64		/* sets of rights that a reader may see, and more than there should be */

static const char places_yaml[] =
    "- {role: r0, gives: [{platform: mem, account: true, groups: [g0], rooms: [hall]}],"
    " birthright: (place=0)}\n"
    "- {role: r1, gives: [{platform: mem, account: true, groups: [g1], rooms: [hall, attic],"
    " level: moderator}], birthright: (place=1)}\n"
    "- {role: r2, gives: [{platform: mem, account: true, groups: [g2]}], birthright: (place=2)}\n"
    "- {role: r3, gives: [{platform: mem, account: true, groups: [g3, g2]}],"
    " birthright: (place=3)}\n"
    "- {role: r4, gives: [{platform: mem, account: true, rooms: [attic], level: admin}],"
    " birthright: (group=four)}\n"
    "- {role: spare, gives: [{platform: mem, groups: [spare]}], requestable: (place=2),"
    " longest: 8h}\n";

/* What each place gives, as an account's row says it: its roles, its rights. */
static const char *const given[PLACES] = {
	"r0|group g0,room hall member", "r1|group g1,room attic moderator,room hall moderator",
	"r2|group g2", "r3|group g2,group g3", "r4|room attic admin",
};

#define HAS(of) \
	"SELECT wanted_state || ' ' || replace(trim(both E'\\n' from a.roles), E'\\n', ',') || '|' ||" \
	" replace(trim(both E'\\n' from entitlements), E'\\n', ',') FROM account a JOIN person" \
	" USING (person_id) WHERE dn = 'uid=" of "'"

/* --- A reader, as a platform that asks all the time ------------------------------------------ */

struct reader {
	atomic_bool done;
	char seen[SEEN_MAX][200];	/* each set once */
	size_t seen_count, reads;
};

static void *
read_all_the_time(void *ctx)
{
	struct reader *r = ctx;
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));

	while (!atomic_load(&r->done)) {
		PGresult *rows = PQexec(conn, HAS("mover"));
		const char *set = PQntuples(rows) == 1 ? PQgetvalue(rows, 0, 0) : "no account";
		size_t at = 0;

		while (at < r->seen_count && strcmp(r->seen[at], set) != 0)
			at++;
		if (at == r->seen_count && at < SEEN_MAX)
			(void)snprintf(r->seen[r->seen_count++], sizeof(r->seen[0]), "%s", set);
		r->reads++;
		PQclear(rows);
	}
	PQfinish(conn);
	return NULL;
}

static bool
is_given_somewhere(const char *set)
{
	for (size_t i = 0; i < PLACES; i++)
		if (strncmp(set, "enabled ", 8) == 0 && strcmp(set + 8, given[i]) == 0)
			return true;
	return false;
}

/* --- Moves ---------------------------------------------------------------------------------- */

/* By an attribute, or for the last place by a group alone, in one slice. */
static void
move(unsigned int from, unsigned int to)
{
	static const char *const members[] = { "uid=mover" };
	char place[32];

	(void)snprintf(place, sizeof(place), "place=%u", to);
	person_as("mover", "mover", place);
	if (from == PLACES - 1 || to == PLACES - 1)
		group("four", members, to == PLACES - 1 ? 1 : 0);
	slice();
}

static void
has(PGconn *eye, const char *rights)
{
	PGresult *rows = PQexec(eye, HAS("mover"));

	assert_int_equal(1, PQntuples(rows));
	assert_int_equal(0, strncmp(PQgetvalue(rows, 0, 0), "enabled ", 8));
	assert_string_equal(rights, PQgetvalue(rows, 0, 0) + 8);
	PQclear(rows);
}

static void
P5_4_a_thousand_moves_leave_what_the_last_place_gives_and_show_no_other(void **state)
{
	struct policy *usual = policy;
	struct reader reader = { .seen_count = 0 };
	PGconn *eye = PQconnectdb(store_private_conninfo(rig.server));
	unsigned int from = 0, seed = 20270101;
	pthread_t thread;

	(void)state;
	cycle_end();
	policy = policy_made(places_yaml, brake_yaml);
	cycle_start();
	move(0, 0);
	assert_int_equal(0, pthread_create(&thread, NULL, read_all_the_time, &reader));
	for (int i = 0; i < MOVES; i++) {
		unsigned int to = (from + 1 + (unsigned int)rand_r(&seed) % (PLACES - 1)) % PLACES;

		move(from, to);
		has(eye, given[to]);
		if (to == 2)	/* what was asked for there does not come along either */
			granted("mover", "spare", mu_now_s() - 5, mu_now_s() + 3600);
		from = to;
	}
	PQfinish(eye);
	atomic_store(&reader.done, true);
	assert_int_equal(0, pthread_join(thread, NULL));
	assert_true(reader.reads > MOVES);
	for (size_t i = 0; i < reader.seen_count; i++)
		if (!is_given_somewhere(reader.seen[i]) &&
		    strcmp(reader.seen[i], "enabled r2,spare|group g2,group spare") != 0)
			fail_msg("somebody was shown %s", reader.seen[i]);
	assert_int_equal(PLACES + 1, reader.seen_count);
	rig_sql_is("0", "SELECT count(*) FROM brake_effect WHERE kind = 'removal'");
	policy_free(policy);
	policy = usual;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    P5_4_a_thousand_moves_leave_what_the_last_place_gives_and_show_no_other,
		    world_open, world_close),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
