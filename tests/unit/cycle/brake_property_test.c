/*
 * brake_property_test.c - whatever happens in whatever order, no window holds more than its limit
 *
 * A directory of two dozen people changes at random: floods and trickles of deletes, dates, titles and
 * group changes, in slices and refreshes, that are cut at random points: the cycle is dropped, its
 * connection to the store dies in the middle of a transaction, keys are away, another host takes
 * over while the first goes on talking. New policies come into force, two people release holds,
 * time passes. After each step the store is looked at from outside, and every loss and every gain
 * of power that shows is written down with its time. Limits are reckoned from that alone.
 *
 * MUSTER_SEED=N repeats a run; MUSTER_LONG=1 makes it long.
 */
#include "unit/cycle/world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PEOPLE		24
#define STEPS		1200
#define STEPS_LONG	60000
#define EVENTS_MAX	100000

static const char property_roles[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, rooms: [ops], level: moderator}]\n"
    "  birthright: (group=ops)\n"
    "- role: two\n"
    "  gives: [{platform: two, account: true}]\n"
    "  birthright: (title=x)\n";
static const char lessened_roles[] =	/* fewer have the second account, more have power */
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, rooms: [ops], level: moderator}]\n"
    "  birthright: (|(group=ops)(title=y))\n"
    "- role: two\n"
    "  gives: [{platform: two, account: true}]\n"
    "  birthright: (&(title=x)(group=ops))\n";
static const char property_brake[] =
    "- {per: source, removals: {at_least: 3, share: 0%, within: 1h}}\n"
    "- {per: source, removals: {at_least: 5, share: 2%, within: 6h}}\n"
    "- {per: platform, removals: {at_least: 2, share: 0%, within: 2h}}\n"
    "- {per: global, removals: {at_least: 4, share: 0%, within: 3h}}\n"
    "- {per: platform, power_gained: {platform_admins: 2, within: 1h}}\n"
    "- {per: global, power_gained: {platform_admins: 4, within: 24h}}\n";

/* --- Chance --------------------------------------------------------------------------------- */

static uint64_t seed, chance;

/* splitmix64 */
static size_t
below(size_t n)
{
	uint64_t z = (chance += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (size_t)((z ^ (z >> 31)) % n);
}

static bool
one_in(size_t n)
{
	return below(n) == 0;
}

/* --- The directory as it is ----------------------------------------------------------------- */

static struct {
	bool present, ops, ends;
	int title;			/* of titles */
} people[PEOPLE];
static const char *const titles[] = { "", "title=x", "title=y" };
static char names[PEOPLE][8];

static void
person_say(size_t i)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s%s", titles[people[i].title], !people[i].ends ? "" :
	    " endDate=20200101000000Z");
	person_as(names[i], names[i], text);
}

static void
group_say(void)
{
	char dns[PEOPLE][16];
	const char *members[PEOPLE];
	size_t count = 0;

	for (size_t i = 0; i < PEOPLE; i++)
		if (people[i].ops) {
			(void)snprintf(dns[count], sizeof(dns[count]), "uid=%s", names[i]);
			members[count] = dns[count];
			count++;
		}
	group("ops", members, count);
}

/* --- The store as it shows, from outside ---------------------------------------------------- */

static PGconn *conn;

static PGresult *
ask(const char *sql)
{
	PGresult *rows = PQexec(conn, sql);

	if (PQresultStatus(rows) != PGRES_TUPLES_OK && PQresultStatus(rows) != PGRES_COMMAND_OK)
		fail_msg("seed %llu: %s: %s", (unsigned long long)seed, sql, PQerrorMessage(conn));
	return rows;
}

static void
run(const char *sql)
{
	PQclear(ask(sql));
}

static int64_t
number(const char *sql)
{
	PGresult *rows = ask(sql);
	int64_t value = PQntuples(rows) == 0 ? 0 : atoll(PQgetvalue(rows, 0, 0));

	PQclear(rows);
	return value;
}

struct shown {
	char roles[64];
	bool mem, two, power;		/* accounts that are enabled; moderates */
	bool released[2];		/* their removal, their gain */
};
static struct shown before[PEOPLE];

static void
look(struct shown out[PEOPLE])
{
	PGresult *rows = ask("SELECT p.dn, p.roles,"
	    " bool_or(a.platform = 'mem' AND a.wanted_state = 'enabled'),"
	    " bool_or(a.platform = 'two' AND a.wanted_state = 'enabled'),"
	    " bool_or(a.wanted_state = 'enabled' AND a.entitlements LIKE '%moderator%'),"
	    " EXISTS (SELECT 1 FROM brake_hold h WHERE h.person_id = p.person_id"
	    "  AND h.kind = 'removal' AND h.released),"
	    " EXISTS (SELECT 1 FROM brake_hold h WHERE h.person_id = p.person_id"
	    "  AND h.kind = 'power' AND h.released)"
	    " FROM person p LEFT JOIN account a USING (person_id) GROUP BY p.person_id");

	(void)memset(out, 0, PEOPLE * sizeof(*out));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct shown *s = &out[atoi(PQgetvalue(rows, i, 0) + strlen("uid=p"))];

		(void)snprintf(s->roles, sizeof(s->roles), "%s", PQgetvalue(rows, i, 1));
		s->mem = PQgetvalue(rows, i, 2)[0] == 't';
		s->two = PQgetvalue(rows, i, 3)[0] == 't';
		s->power = PQgetvalue(rows, i, 4)[0] == 't';
		s->released[0] = PQgetvalue(rows, i, 5)[0] == 't';
		s->released[1] = PQgetvalue(rows, i, 6)[0] == 't';
	}
	PQclear(rows);
}

/* --- What happened, and when ---------------------------------------------------------------- */

static struct event {
	int64_t from_s, to_s;		/* its step began and ended then */
	bool removal, power, mem, two;	/* mem, two: an account there was shut */
} events[EVENTS_MAX];
static size_t event_count, removals, powers, releases;
static int64_t ahead_s;			/* how far time was moved on */

static bool
has_role(const struct shown *s, const char *role)
{
	const char *at = strstr(s->roles, role);

	return at != NULL;
}

static bool
loses_only(const struct shown *was, const struct shown *is)
{
	static const char *const roles[] = { "chat", "ops", "two" };
	bool lost = false, gained = false;

	for (size_t i = 0; i < MU_COUNT(roles); i++) {
		lost = lost || (has_role(was, roles[i]) && !has_role(is, roles[i]));
		gained = gained || (!has_role(was, roles[i]) && has_role(is, roles[i]));
	}
	return lost && !gained;
}

/* Whatever shows and nobody released. */
static void
events_add(const struct shown now[PEOPLE], int64_t from_s)
{
	for (size_t i = 0; i < PEOPLE; i++) {
		const struct shown *was = &before[i], *is = &now[i];
		struct event e = { .from_s = from_s, .to_s = mu_now_s() + ahead_s,
			.mem = was->mem && !is->mem, .two = was->two && !is->two,
			.power = !was->power && is->power };

		e.removal = e.mem || e.two || loses_only(was, is);
		if (was->released[0])
			e.removal = e.mem = e.two = false;
		if (was->released[1])
			e.power = false;
		if (!e.removal && !e.power)
			continue;
		assert_true(event_count < EVENTS_MAX);
		events[event_count++] = e;
		removals += e.removal;
		powers += e.power;
	}
}

enum of { OF_REMOVAL, OF_MEM, OF_TWO, OF_POWER };

static bool
event_is(const struct event *e, enum of of)
{
	switch (of) {
	case OF_REMOVAL:
		return e->removal;
	case OF_MEM:
		return e->mem;
	case OF_TWO:
		return e->two;
	case OF_POWER:
		return e->power;
	}
	return false;
}

/* The rows that are built in, and those of the file. */
static const struct {
	enum of of;
	size_t limit;
	int64_t within_s;
} rows[] = {
	{ OF_REMOVAL, 5, 3600 }, { OF_REMOVAL, 5, 86400 }, { OF_REMOVAL, 3, 3600 },
	{ OF_REMOVAL, 5, 21600 }, { OF_MEM, 2, 7200 }, { OF_TWO, 2, 7200 }, { OF_REMOVAL, 4, 10800 },
	{ OF_POWER, 2, 3600 }, { OF_POWER, 4, 86400 },
};

/* Those that are within the window of the last one whenever in their steps they happened. */
static void
windows_check(size_t step)
{
	for (size_t r = 0; r < MU_COUNT(rows) && event_count > 0; r++) {
		int64_t since_s = events[event_count - 1].to_s - rows[r].within_s;
		size_t count = 0;

		for (size_t i = event_count; i > 0 && events[i - 1].from_s > since_s; i--)
			count += event_is(&events[i - 1], rows[r].of);
		if (count > rows[r].limit)
			fail_msg("seed %llu, step %zu: %zu effects of kind %d within %lld s, the"
			    " limit is %zu", (unsigned long long)seed, step, count,
			    (int)rows[r].of, (long long)rows[r].within_s, rows[r].limit);
	}
}

#define HELD_AND_GONE \
	"SELECT count(*) FROM brake_hold h JOIN person p USING (person_id) LEFT JOIN account a" \
	" ON a.person_id = p.person_id AND a.platform = 'mem' WHERE NOT h.released AND" \
	" ((h.kind = 'removal' AND (p.state <> 'active' OR a.wanted_state <> 'enabled')) OR" \
	" (h.kind = 'power' AND a.entitlements LIKE '%moderator%'))"

static void
step_check(size_t step, int64_t from_s)
{
	struct shown now[PEOPLE];

	look(now);
	events_add(now, from_s);
	(void)memcpy(before, now, sizeof(before));
	windows_check(step);
	if (number(HELD_AND_GONE) != 0)
		fail_msg("seed %llu, step %zu: somebody is held, and yet it was done",
		    (unsigned long long)seed, step);
}

/* --- What goes wrong ------------------------------------------------------------------------ */

static size_t cut_after;		/* so many questions to keys; 0: not */
static bool cut_connection;

/* In the middle of a transaction. */
static enum mu_rc
keys_asked(struct mu_err *err)
{
	if (cut_after == 0 || --cut_after > 0)
		return MU_OK;
	if (!cut_connection)
		return mu_fail(err, MU_ERETRY, "keys are away");
	run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE usename = 'muster_cycle'");
	return MU_OK;
}

static enum mu_rc
cut_mac(void *ctx, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err)
{
	return keys_asked(err) == MU_OK ? mac(ctx, bytes, count, out_macs, err) : err->rc;
}

static enum mu_rc
cut_mac_check(void *ctx, const struct mu_buf *bytes, const unsigned char (*macs)[MAC_BYTES],
    size_t count, bool *out_right, struct mu_err *err)
{
	return keys_asked(err) == MU_OK ? mac_check(ctx, bytes, macs, count, out_right, err) :
	    err->rc;
}

/* One host's cycle; the world's directory speaks to the one that was opened last. */
struct host {
	struct store *store;
	struct cycle *cycle;
	struct directory directory;
	const char *name;
};
static struct host hosts[2] = { { .name = "one" }, { .name = "other" } };
static struct host *active = &hosts[0];

static void
until_open(void)
{
	int opened = directory.opened_count;
	int64_t since_ms = mu_tick_ms();

	while (directory.opened_count == opened) {
		struct mu_timer *wake = mu_loop_timer(loop, loop_stop, NULL);

		mu_timer_set(wake, 50);
		(void)mu_loop_run(loop);
		mu_timer_free(wake);
		if (mu_tick_ms() - since_ms > 20000)
			fail_msg("seed %llu: the cycle does not open", (unsigned long long)seed);
	}
}

static void
host_start(struct host *h)
{
	struct cycle_host host = { .loop = loop, .store = h->store, .source = &source,
		.uid_name = "uid", .rules = rules(), .attr_known = attr_known, .holder = h->name,
		.is_first = true, .mac = cut_mac, .mac_check = cut_mac_check };
	struct mu_err err = MU_ERR_INIT;

	/* A connection that was cut is found so by whoever uses it next, and waited for a second. */
	if (store_begin(h->store, &err) != MU_OK)
		MUST(store_begin(h->store, &err));
	store_rollback(h->store);
	active = h;
	h->cycle = cycle_open(&host);
	until_open();
}

static void
host_end(struct host *h)
{
	cycle_close(h->cycle);
	h->cycle = NULL;
}

/* What the directory was telling the cycle is not told to the end. */
static bool
slice_ends(void)
{
	struct mu_err err = MU_ERR_INIT;

	return directory.events->slice_end(directory.ctx, &err) == MU_OK;
}

/* As a connection that is lost: everything is told again from the beginning. */
static void
restart(void)
{
	cut_after = 0;
	host_end(active);
	host_start(active);
}

/* Everybody and all groups, in slices; false when a slice failed. */
static bool
refresh(void)
{
	size_t listed = 0;
	bool told = true;

	begins(DIRECTORY_GROUPS, true);
	group_say();
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	if (one_in(2))
		told = slice_ends();
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < PEOPLE && told; i++) {
		if (!people[i].present)
			continue;
		person_say(i);
		listed++;
		if (one_in(12))
			told = slice_ends();
	}
	if (!told)
		return false;
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, listed);
	return slice_ends();
}

/* Until the directory has been told whole. */
static void
refresh_whole(void)
{
	while (!refresh())
		restart();
}

/* --- Steps ---------------------------------------------------------------------------------- */

/* So many people change; what a flood does at once a trickle does one by one. */
static void
people_change(void)
{
	size_t count = one_in(4) ? 2 + below(10) : 1;
	bool flood = one_in(2);

	for (size_t n = 0; n < count; n++) {
		size_t i = below(PEOPLE);

		switch (below(4)) {
		case 0:
			people[i].present = !people[i].present;
			break;
		case 1:
			people[i].title = (int)below(MU_COUNT(titles));
			break;
		case 2:
			people[i].ends = !people[i].ends;
			break;
		case 3:
			people[i].present = true;
			people[i].ends = false;
			break;
		}
		if (people[i].present)
			person_say(i);
		else
			removed(DIRECTORY_PEOPLE, names[i]);
		if (!flood && !slice_ends()) {
			restart();
			refresh_whole();
			return;
		}
	}
	if (flood && !slice_ends()) {
		restart();
		refresh_whole();
	}
}

static void
group_change(void)
{
	size_t count = one_in(4) ? 2 + below(8) : 1;

	for (size_t n = 0; n < count; n++) {
		size_t i = below(PEOPLE);

		people[i].ops = !people[i].ops && one_in(2);
	}
	group_say();
	if (!slice_ends()) {
		restart();
		refresh_whole();
	}
}

/* HR changes people while nobody listens, and the cycle reads everybody anew. */
static void
restart_after_changes(void)
{
	for (size_t n = below(8); n > 0; n--)
		people[below(PEOPLE)].present = one_in(2);
	restart();
	if (one_in(3))			/* and again before it has read to the end */
		restart();
	refresh_whole();
}

/* Another host has the lease; what the first goes on hearing changes nothing. */
static void
fail_over(void)
{
	struct host *old = active, *new = old == &hosts[0] ? &hosts[1] : &hosts[0];
	struct directory told = directory;
	struct mu_err err = MU_ERR_INIT;
	char sql[200];

	(void)snprintf(sql, sizeof(sql), "UPDATE lease SET holder = '%s', fence = fence + 1,"
	    " expires_at = now() + interval '1 hour' WHERE name = 'cycle/corp'", new->name);
	run(sql);
	host_start(new);
	old->directory = told;
	refresh_whole();
	for (size_t i = 0; i < PEOPLE; i++) {
		struct mu_uuid u = uuid_of(names[i]);

		MUST(told.events->removed(told.ctx, DIRECTORY_PEOPLE, &u, &err));
	}
	assert_int_not_equal(MU_OK, told.events->slice_end(told.ctx, &err));
	host_end(old);
}

static void
time_passes(void)
{
	static const int64_t spans_s[] = { 60, 1200, 3599, 3601, 7200, 20000, 43200, 86399, 86401 };
	int64_t span_s = spans_s[below(MU_COUNT(spans_s))];
	char sql[400];

	/* By way of another time: a row that has moved stands in the way of none that has not. */
	ahead_s += span_s;
	run("UPDATE brake_effect SET happened_at = happened_at - interval '1000 days';"
	    " UPDATE brake_people SET until = until - interval '1000 days'");
	(void)snprintf(sql, sizeof(sql), "UPDATE brake_effect SET happened_at = happened_at"
	    " + interval '1000 days' - interval '%lld s'; UPDATE brake_people SET until = until"
	    " + interval '1000 days' - interval '%lld s'", (long long)span_s, (long long)span_s);
	run(sql);
}

static void
loop_for(int64_t ms)
{
	struct mu_timer *wake = mu_loop_timer(loop, loop_stop, NULL);

	mu_timer_set(wake, ms);
	(void)mu_loop_run(loop);
	mu_timer_free(wake);
}

/* Two people let go of whoever is held; the cycle reads everybody anew. */
static void
release(void)
{
	struct store_holds holds = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(admin, &err));
	MUST(store_brake_hold_list(admin, "corp", &holds, &err));
	for (size_t i = 0; i < holds.count; i++)
		store_brake_release(admin, "corp", &holds.list[i].person_id, 1);
	MUST(store_commit(admin, &err));
	releases += holds.count > 0;
	store_holds_clear(&holds);
	look(before);			/* who is released from now on */
	restart();
	refresh_whole();
}

/* A new policy: everyone is decided on by it. */
static void
policy_change(void)
{
	static bool lessened;
	struct policy_file files[FILES_COUNT];
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t version, since_ms = mu_tick_ms();

	lessened = !lessened;
	files_make(files, lessened ? lessened_roles : property_roles);
	mu_free(files[0].content);
	files[0].content = mu_strdup(property_brake);
	MUST(store_begin(admin, &err));
	MUST(cycle_policy_apply(admin, files, FILES_COUNT,
	    number("SELECT max(version) FROM policy_version"), "a test", mac, NULL, attr_known,
	    NULL, &faults, &version, &err));
	MUST(store_commit(admin, &err));
	files_end(files);
	restart();			/* which looks for a policy at once */
	if (one_in(2))
		loop_for((int64_t)below(30));	/* and perhaps it is cut in its pass */
	else
		while (number("SELECT max(version) FROM policy_decided") != version) {
			loop_for(5);
			if (mu_tick_ms() - since_ms > 20000)
				fail_msg("seed %llu: the pass does not end",
				    (unsigned long long)seed);
		}
	refresh_whole();
}

static void
step(void)
{
	if (one_in(8)) {
		cut_after = 1 + below(4);
		cut_connection = one_in(2);
	}
	switch (below(24)) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7:
		people_change();
		break;
	case 8: case 9: case 10: case 11:
		group_change();
		break;
	case 12: case 13: case 14: case 15: case 16: case 17: case 18:
		time_passes();
		break;
	case 19:
		refresh_whole();
		break;
	case 20:
		restart_after_changes();
		break;
	case 21:
		if (one_in(3))
			fail_over();
		break;
	case 22:
		if (one_in(3))
			policy_change();
		break;
	case 23:
		if (one_in(3))
			release();
		break;
	}
	cut_after = 0;
}

/* --- The run -------------------------------------------------------------------------------- */

static void
P5_10_no_window_ever_holds_more_than_its_limit(void **state)
{
	const char *given = getenv("MUSTER_SEED");
	size_t steps = getenv("MUSTER_LONG") == NULL ? STEPS : STEPS_LONG;

	(void)state;
	mu_random(&seed, sizeof(seed));
	if (given != NULL)
		seed = strtoull(given, NULL, 10);
	chance = seed;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < steps; i++) {
		int64_t from_s = mu_now_s() + ahead_s;

		step();
		step_check(i, from_s);
	}
	print_message("%zu steps, %.1f days: %zu removals and %zu gains of power that nobody"
	    " released, %zu releases\n", steps, (double)ahead_s / MU_DAY_S, removals, powers,
	    releases);
	/* It is no proof that nothing happens where nothing can. */
	assert_true(removals > steps / 20 && powers > steps / 100 && releases > 0);
}

static int
property_setup(void **state)
{
	struct policy_file files[FILES_COUNT];
	struct policy *seeded = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (setup(state) != 0)
		return 1;
	platform_count = 2;
	conn = PQconnectdb(store_private_conninfo(rig.server));
	run("ALTER DATABASE muster SET synchronous_commit = off");	/* the server stays */
	for (size_t i = 0; i < PEOPLE; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "p%02zu", i);
		people[i].present = true;
		people[i].title = i % 2 == 0;
	}
	files_make(files, property_roles);
	mu_free(files[0].content);
	files[0].content = mu_strdup(property_brake);
	MUST(cycle_policy_in_force(store, files, FILES_COUNT, mac, mac_check, NULL, attr_known, NULL, &seeded,
	    &policy_version, &err));
	files_end(files);
	policy_free(policy);
	policy = seeded;
	hosts[0].store = store;
	hosts[1].store = rig_open(STORE_ROLE_CYCLE, PARTS);
	host_start(&hosts[0]);
	refresh_whole();
	look(before);
	assert_int_equal(PEOPLE, number("SELECT count(*) FROM person WHERE state = 'active'"));
	return 0;
}

static int
property_teardown(void **state)
{
	host_end(active);
	store_close(hosts[1].store);
	PQfinish(conn);
	return teardown(state);
}

/* A line for everything that happens to everybody is read by nobody; what fails is said still. */
static void
log_drop(void)
{
	int loud = dup(STDERR_FILENO), dropped = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *f = fdopen(loud, "w");

	assert_non_null(f);
	assert_true(dup2(dropped, STDERR_FILENO) >= 0);
	(void)close(dropped);
	stderr = f;
	setbuf(f, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P5_10_no_window_ever_holds_more_than_its_limit),
	};

	if (getenv("MUSTER_LOUD") == NULL)
		log_drop();
	return cmocka_run_group_tests(tests, property_setup, property_teardown);
}
