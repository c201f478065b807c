/*
 * brake_rows_test.c - what the brake counts, over what, and what it holds of a gain
 *
 * Forty people chat; who has the title x has an account on a second platform, and the group ops
 * moderates a room.
 */
#include "unit/cycle/world.h"

#define PEOPLE	40
#define HELD(kind) "SELECT count(*) FROM brake_hold WHERE kind = '" kind "' AND NOT released"
#define LEAVERS "SELECT count(*) FROM person WHERE state = 'leaver'"
#define MODERATORS "SELECT count(*) FROM account WHERE entitlements LIKE '%room ops moderator%'"
#define ENABLED(platform) \
	"SELECT count(*) FROM account WHERE platform = '" platform "' AND wanted_state = 'enabled'"
#define TRIPPED(what) \
	"SELECT string_agg(DISTINCT body::json->>'" what "', ' ') FROM audit_record" \
	" WHERE kind = 'brake.tripped'"

static const char rows_roles[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, rooms: [ops], level: moderator}]\n"
    "  birthright: (group=ops)\n"
    "- role: watch\n"
    "  gives: [{platform: mem, rooms: [watch], level: admin}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 8h\n"
    "  approvals: 1\n"
    "- role: two\n"
    "  gives: [{platform: two, account: true, rooms: [ops]}]\n"
    "  birthright: (title=x)\n";

static char names[400][8];

/* Everybody up to this one, in a full read; the first so many are in the group ops. */
static void
read_all(size_t count, size_t ops)
{
	char dns[PEOPLE][16];
	const char *members[PEOPLE];

	for (size_t i = 0; i < ops; i++) {
		(void)snprintf(dns[i], sizeof(dns[i]), "uid=%s", names[i]);
		members[i] = dns[i];
	}
	begins(DIRECTORY_GROUPS, true);
	group("ops", members, ops);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < count; i++)
		person_as(names[i], names[i], i < 10 ? "title=x" : "");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, count);
	slice();
}

/* The group alone changes. */
static void
ops_are(size_t from, size_t to)
{
	char dns[PEOPLE][16];
	const char *members[PEOPLE];

	for (size_t i = from; i < to; i++) {
		(void)snprintf(dns[i - from], sizeof(dns[0]), "uid=%s", names[i]);
		members[i - from] = dns[i - from];
	}
	group("ops", members, to - from);
	slice();
}

static void
leave(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		removed(DIRECTORY_PEOPLE, names[i]);
	slice();
}

/* All that was counted until now, and who was there, was so much earlier. */
static void
hours_pass(int hours)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql), "UPDATE brake_effect SET happened_at = happened_at"
	    " - interval '%d hours'; UPDATE brake_people SET until = until - interval '%d hours'",
	    hours, hours);
	free(rig_sql(sql));
}

static void
release(size_t count, size_t ops)
{
	struct store_holds holds = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	int opened = directory.opened_count;

	MUST(store_begin(admin, &err));
	MUST(store_brake_hold_list(admin, "corp", &holds, &err));
	for (size_t i = 0; i < holds.count; i++)
		store_brake_release(admin, "corp", &holds.list[i].person_id, 1);
	store_sync_ask(admin, "corp", mu_now_ms());
	MUST(store_commit(admin, &err));
	store_holds_clear(&holds);
	cycle_hinted();
	until_opened(opened + 1);
	read_all(count, ops);
}

/* Follows the forty by a policy with this brake; so many moderate from the first. */
static void
brake_open(const char *brake, size_t ops)
{
	free(rig_sql("TRUNCATE person, account, credential, directory_group, directory_member,"
	    " source_search, source_verdict, brake_hold, brake_effect, brake_people, quarantine,"
	    " lease, receipt, audit_record, sync_request, policy_version, policy_file,"
	    " policy_decided CASCADE"));
	policy_free(policy);
	policy = policy_made(rows_roles, brake);
	cycle_start();
	read_all(PEOPLE, ops);
	rig_sql_is("40", ENABLED("mem"));
	rig_sql_is("10", ENABLED("two"));
}

/* Whatever a test did, the counts are those of the rows they count. */
static int
brake_close(void **state)
{
	char sql[4096], text[3800];
	FILE *f = fopen(SOURCE_DIR "/sql/check/brake.sql", "r");
	size_t bytes;

	(void)state;
	assert_non_null(f);
	bytes = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[bytes] = '\0';
	*strrchr(text, ';') = '\0';
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM (%s\n) AS faults", text);
	rig_sql_is("0", sql);
	cycle_end();
	return 0;
}

/* --- Removals ------------------------------------------------------------------------------- */

static void
P5_10_a_day_of_small_batches_stops_at_the_days_limit(void **state)
{
	(void)state;
	brake_open("- {per: source, removals: {at_least: 4, share: 0%, within: 24h}}\n", 0);
	leave(10, 12);
	hours_pass(3);
	leave(12, 14);
	hours_pass(3);
	leave(14, 15);
	rig_sql_is("4", LEAVERS);
	rig_sql_is("1", HELD("removal"));
	rig_sql_is("86400", TRIPPED("within_s"));
	rig_sql_is("5", TRIPPED("wanted"));
	rig_sql_is("4", TRIPPED("limit"));
	hours_pass(19);			/* the first two are a day ago */
	leave(16, 18);
	rig_sql_is("6", LEAVERS);
}

static void
P5_10_the_hours_limit_is_built_in(void **state)
{
	(void)state;
	brake_open("[]\n", 0);
	leave(10, 13);
	leave(13, 15);
	rig_sql_is("5", LEAVERS);
	leave(15, 16);
	rig_sql_is("5", LEAVERS);
	rig_sql_is("1", HELD("removal"));
	rig_sql_is("3600 86400", TRIPPED("within_s"));
	rig_sql_is("source", TRIPPED("scope"));
	rig_sql_is("corp", TRIPPED("of"));
}

static void
P5_10_who_is_suspended_or_starts_later_is_held_like_anyone(void **state)
{
	static const char *const kinds[] = { "mood=away", "startDate=20990101000000Z" };

	(void)state;
	brake_open("- {per: source, removals: {at_least: 2, share: 0%, within: 1h}}\n", 0);
	for (size_t i = 40; i < 46; i++)
		person_as(names[i], names[i], kinds[i % 2]);
	slice();
	rig_sql_is("3 3", "SELECT count(*) FILTER (WHERE state = 'staged') || ' ' ||"
	    " count(*) FILTER (WHERE state = 'suspended') FROM person");
	leave(40, 46);
	rig_sql_is("0", LEAVERS);
	rig_sql_is("6", HELD("removal"));
	ops_are(40, 46);		/* decided on by their rows: nobody is let in by that */
	free(rig_sql("UPDATE person SET due_at = now() - interval '1 hour' WHERE due_at IS NOT NULL"));
	ops_are(40, 45);
	rig_sql_is("3 3", "SELECT count(*) FILTER (WHERE state = 'staged') || ' ' ||"
	    " count(*) FILTER (WHERE state = 'suspended') FROM person");
	rig_sql_is("40", ENABLED("mem"));
}

static void
P5_10_a_platform_has_a_limit_of_its_own(void **state)
{
	(void)state;
	brake_open("- {per: platform, removals: {at_least: 2, share: 0%, within: 1h}}\n", 0);
	for (size_t i = 0; i < 3; i++)
		person(names[i]);	/* has the title no more */
	removed(DIRECTORY_PEOPLE, names[20]);
	slice();
	rig_sql_is("10", ENABLED("two"));
	rig_sql_is("39", ENABLED("mem"));
	rig_sql_is("3", HELD("removal"));
	rig_sql_is("platform", TRIPPED("scope"));
	rig_sql_is("two", TRIPPED("of"));
	rig_sql_is("3", TRIPPED("held"));
}

static void
P5_10_a_platforms_count_is_of_those_who_lost_an_account_there(void **state)
{
	(void)state;
	brake_open("- {per: platform, removals: {at_least: 2, share: 0%, within: 1h}}\n", 0);
	person(names[0]);
	person(names[1]);
	slice();
	rig_sql_is("8", ENABLED("two"));
	leave(20, 22);
	rig_sql_is("38", ENABLED("mem"));
	leave(2, 3);			/* from both */
	rig_sql_is("8", ENABLED("two"));
	rig_sql_is("mem two", TRIPPED("of"));
}

static void
P5_10_all_together_have_a_limit(void **state)
{
	(void)state;
	brake_open("- {per: global, removals: {at_least: 1, share: 0%, within: 2h}}\n", 0);
	leave(20, 21);
	hours_pass(1);
	person(names[0]);
	slice();
	rig_sql_is("1", LEAVERS);
	rig_sql_is("10", ENABLED("two"));
	rig_sql_is("global", TRIPPED("scope"));
}

static void
P5_10_joins_raise_no_limit_within_the_window(void **state)
{
	(void)state;
	brake_open("- {per: source, removals: {at_least: 1, share: 1%, within: 2h}}\n", 0);
	hours_pass(3);
	for (size_t i = PEOPLE; i < MU_COUNT(names); i++)
		person(names[i]);
	slice();
	rig_sql_is("400", ENABLED("mem"));
	hours_pass(1);
	leave(10, 13);			/* one hundredth of all now would be four */
	rig_sql_is("0", LEAVERS);
	rig_sql_is("1", TRIPPED("limit"));
	hours_pass(2);
	leave(13, 16);			/* they have been there since the window began */
	rig_sql_is("3", LEAVERS);
}

static void
actions_do_not_count(void **state)
{
	(void)state;
	brake_open("- {per: source, removals: {at_least: 2, share: 0%, within: 1h}}\n", 0);
	for (size_t i = 20; i < 24; i++) {
		struct cycle_effects effects = { .count = 0 };
		struct mu_uuid id = person_id(names[i]);

		blocked(&id, true, &effects);
		cycle_effects_clear(&effects);
	}
	rig_sql_is("36", ENABLED("mem"));
	leave(24, 26);
	rig_sql_is("2", LEAVERS);
	rig_sql_is("0", HELD("removal"));
}

#define CONFIRMED \
	"- per: source\n" \
	"  removals: {at_least: 2, share: 0%, within: 1h}\n" \
	"  confirmed: (note=left)\n"

static void
P5_10_a_confirmed_leaver_passes_beside_a_crowd_that_is_held(void **state)
{
	(void)state;
	brake_open(CONFIRMED, 0);
	for (size_t i = 20; i < 24; i++)
		person_as(names[i], names[i], i == 20 ? "note=left endDate=20200101000000Z" :
		    "endDate=20200101000000Z");
	slice();
	rig_sql_is("1", LEAVERS);
	rig_sql_is("3", HELD("removal"));
	rig_sql_is("3", TRIPPED("held"));
	rig_sql_is("1", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
}

static void
P5_10_a_crowd_of_confirmed_leavers_is_held(void **state)
{
	(void)state;
	brake_open(CONFIRMED, 0);
	for (size_t i = 20; i < 23; i++)
		person_as(names[i], names[i], "note=left endDate=20200101000000Z");
	slice();
	rig_sql_is("0", LEAVERS);
	rig_sql_is("3", HELD("removal"));
}

static void
P5_10_an_entry_that_is_gone_confirms_nothing(void **state)
{
	(void)state;
	brake_open(CONFIRMED, 0);
	for (size_t i = 20; i < 23; i++)
		person_as(names[i], names[i], "note=left");
	slice();
	leave(22, 25);
	rig_sql_is("0", LEAVERS);
	rig_sql_is("3", HELD("removal"));
}

static void
what_is_older_than_a_day_is_forgotten(void **state)
{
	(void)state;
	brake_open("[]\n", 0);
	leave(20, 22);
	hours_pass(20);
	leave(22, 23);
	hours_pass(5);
	for (size_t i = 30; i < 31; i++)
		person_as(names[i], names[i], "endDate=20990101000000Z");
	slice();
	free(rig_sql("UPDATE person SET attrs = replace(attrs, '20990101', '20200101'),"
	    " due_at = '2020-01-01' WHERE attrs LIKE '%20990101%'"));
	until("4", LEAVERS);
	rig_sql_is("2", "SELECT count(*) FROM brake_effect WHERE scope = 'global'");
	rig_sql_is("36", "SELECT sum(people) FROM brake_people WHERE scope = 'global'");
}

/* --- Power gained --------------------------------------------------------------------------- */

#define POWER "- {per: platform, power_gained: {platform_admins: 3, within: 1h}}\n"

static void
what_a_source_gives_when_it_is_first_read_is_believed(void **state)
{
	(void)state;
	brake_open(POWER, 8);
	rig_sql_is("8", MODERATORS);
	rig_sql_is("0", HELD("power"));
}

static void
P5_10_a_group_that_makes_many_moderators_makes_none(void **state)
{
	(void)state;
	brake_open(POWER, 0);
	ops_are(0, 4);
	rig_sql_is("0", MODERATORS);
	rig_sql_is("0", "SELECT count(*) FROM account WHERE roles LIKE '%ops%'");
	rig_sql_is("4", HELD("power"));
	rig_sql_is("power", TRIPPED("effect"));
	rig_sql_is("4", TRIPPED("held"));
	rig_sql_is("40", ENABLED("mem"));
	person_as(names[0], names[0], "title=x note=y");	/* nor does other news of them */
	slice();
	clock_run();
	granted(names[1], "watch", 0, mu_now_s() + 3600);	/* nor an action about them */
	rig_sql_is("0", MODERATORS);
	rig_sql_is("1", "SELECT count(*) FROM account WHERE entitlements LIKE '%room watch admin%'");
	rig_sql_is("4", HELD("power"));
}

static void
P5_10_power_in_small_batches_stops_at_the_limit(void **state)
{
	(void)state;
	brake_open(POWER, 0);
	ops_are(0, 2);
	ops_are(0, 3);
	rig_sql_is("3", MODERATORS);
	ops_are(0, 4);
	rig_sql_is("3", MODERATORS);
	rig_sql_is("1", HELD("power"));
	hours_pass(2);
	ops_are(0, 5);
	rig_sql_is("4", MODERATORS);
	rig_sql_is("1", HELD("power"));
}

static void
P5_10_a_gain_that_is_held_holds_no_removal(void **state)
{
	(void)state;
	brake_open(POWER, 0);
	ops_are(0, 4);
	leave(3, 4);
	rig_sql_is("1", LEAVERS);
	rig_sql_is("39", ENABLED("mem"));
	rig_sql_is("3", HELD("power"));
	person(names[2]);		/* loses the second account, with its role, not yet: */
	slice();
	rig_sql_is("9", ENABLED("two"));	/* whose gain is held keeps what they had */
	ops_are(0, 0);			/* no gain, nothing to keep */
	rig_sql_is("0", HELD("power"));
	rig_sql_is("8", ENABLED("two"));
}

static void
P5_10_power_that_two_release_is_given(void **state)
{
	(void)state;
	brake_open(POWER, 0);
	ops_are(0, 4);
	release(PEOPLE, 4);
	rig_sql_is("4", MODERATORS);
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
	rig_sql_is("2", COOKIES);
	ops_are(0, 5);			/* that counts */
	rig_sql_is("4", MODERATORS);
}

static void
P5_10_newcomers_join_without_the_power_that_is_held(void **state)
{
	(void)state;
	brake_open(POWER, 0);
	begins(DIRECTORY_GROUPS, true);
	group("ops", (const char *const[]){ "uid=p040", "uid=p041", "uid=p042", "uid=p043" }, 4);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < 44; i++)
		person_as(names[i], names[i], i < 10 ? "title=x" : "");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 44);
	slice();
	rig_sql_is("44", ENABLED("mem"));
	rig_sql_is("0", MODERATORS);
	rig_sql_is("4", HELD("power"));
}

/* --- Joins ---------------------------------------------------------------------------------- */

#define JOINS "- {per: source, joins: {at_least: 2, share: 0%, within: 1h}}\n"

static void
T6_a_flood_of_joins_is_held_and_has_nothing(void **state)
{
	(void)state;
	brake_open(JOINS, 0);
	for (size_t i = 40; i < 43; i++)
		person(names[i]);
	slice();
	rig_sql_is("40", ENABLED("mem"));
	rig_sql_is("3", HELD("join"));
	person_as(names[41], names[41], "title=x");
	slice();
	clock_run();
	rig_sql_is("40", ENABLED("mem"));
	rig_sql_is("10", ENABLED("two"));
	leave(42, 43);
	rig_sql_is("2", HELD("join"));
	release(42, 0);
	rig_sql_is("42", ENABLED("mem"));
	rig_sql_is("0", "SELECT count(*) FROM brake_hold");
}

static void
joins_within_the_limit_pass(void **state)
{
	(void)state;
	brake_open(JOINS, 0);
	person(names[40]);
	slice();
	person(names[41]);
	slice();
	rig_sql_is("42", ENABLED("mem"));
	rig_sql_is("0", HELD("join"));
}

static int
rows_setup(void **state)
{
	for (size_t i = 0; i < MU_COUNT(names); i++)
		(void)snprintf(names[i], sizeof(names[i]), "p%03zu", i % 1000);
	platform_count = 2;
	return setup(state);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_teardown(f, brake_close)
	const struct CMUnitTest tests[] = {
		ROW(P5_10_a_day_of_small_batches_stops_at_the_days_limit),
		ROW(P5_10_the_hours_limit_is_built_in),
		ROW(P5_10_who_is_suspended_or_starts_later_is_held_like_anyone),
		ROW(P5_10_a_platform_has_a_limit_of_its_own),
		ROW(P5_10_a_platforms_count_is_of_those_who_lost_an_account_there),
		ROW(P5_10_all_together_have_a_limit),
		ROW(P5_10_joins_raise_no_limit_within_the_window),
		ROW(actions_do_not_count),
		ROW(P5_10_a_confirmed_leaver_passes_beside_a_crowd_that_is_held),
		ROW(P5_10_a_crowd_of_confirmed_leavers_is_held),
		ROW(P5_10_an_entry_that_is_gone_confirms_nothing),
		ROW(what_is_older_than_a_day_is_forgotten),
		ROW(what_a_source_gives_when_it_is_first_read_is_believed),
		ROW(P5_10_a_group_that_makes_many_moderators_makes_none),
		ROW(P5_10_power_in_small_batches_stops_at_the_limit),
		ROW(P5_10_a_gain_that_is_held_holds_no_removal),
		ROW(P5_10_power_that_two_release_is_given),
		ROW(P5_10_newcomers_join_without_the_power_that_is_held),
		ROW(T6_a_flood_of_joins_is_held_and_has_nothing),
		ROW(joins_within_the_limit_pass),
	};
#undef ROW

	return cmocka_run_group_tests(tests, rows_setup, teardown);
}
