/*
 * slices_test.c - what a directory reports becomes rows: nobody removed by mistake, nobody left in
 *
 * The directory is in this file: each test says what it reports, slice by slice, and when it is lost.
 * The store is a real one. The brake lets two go within the hour.
 */
#include "cycle/cycle.h"

#include "config/yaml.h"
#include "unit/store/rig.h"

#define PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_AUDIT | STORE_SOURCE | STORE_POLICY)

static const char roles_yaml[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, groups: [ops]}]\n"
    "  birthright: (group=ops)\n";
static const char brake_yaml[] = "- {per: source, removals: {at_least: 2, share: 1%, within: 1h}}\n";

/* --- The directory ------------------------------------------------------------------------------- */

struct directory {
	const struct directory_events *events;
	void *ctx;
	bool resumed[DIRECTORY_SEARCH_COUNT];	/* with a cookie */
};
static struct directory directory;
static struct mu_loop *loop;

void
directory_shape(const struct directory_source *source, enum directory_search search, struct mu_buf *b)
{
	mu_buf_format(b, "%s %d", source->name, (int)search);
}

enum mu_rc
directory_open(struct mu_loop *l, const struct directory_source *source, const struct directory_resume *resume,
    const struct directory_events *events, void *ctx, struct directory **out_directory, struct mu_err *err)
{
	(void)source;
	(void)err;
	directory = (struct directory){ .events = events, .ctx = ctx };
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		directory.resumed[i] = resume->cookies[i].size_bytes > 0;
	*out_directory = &directory;
	mu_loop_stop(l, 0);
	return MU_OK;
}

void
directory_close(struct directory *d)
{
	(void)d;
}

/* --- The cycle under test ---------------------------------------------------------------------------- */

static struct policy *policy;
static struct cycle_platform platform = { "mem", "uid", NULL };
static const struct directory_source source = { .name = "corp" };
static struct store *store;
static struct cycle *cycle;
static bool keys_away;

static bool
attr_known(const void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

static enum mu_rc
mac(void *ctx, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES], struct mu_err *err)
{
	(void)ctx;
	(void)bytes;
	if (keys_away)
		return mu_fail(err, MU_ERETRY, "keys are away");
	(void)memset(out_macs, 7, count * MAC_BYTES);
	return MU_OK;
}

static void
cycle_start(void)
{
	struct cycle_host host = { .loop = loop, .store = store, .source = &source, .uid_name = "uid",
		.rules = { .policy = policy, .platforms = &platform, .platform_count = 1 }, .holder = "test", .has_clock = true, .mac = mac };

	cycle = cycle_open(&host);
	assert_int_equal(0, mu_loop_run(loop));
}

/* As by kill: nothing is told to the one that ends. */
static void
cycle_restart(void)
{
	cycle_close(cycle);
	cycle_start();
}

static int
setup(void **state)
{
	struct policy_file files[] = {
		{ mu_strdup("brake.yaml"), mu_strdup(brake_yaml) },
		{ mu_strdup("identification.yaml"), mu_strdup("- {level: known, when: (checked=TRUE)}\n") },
		{ mu_strdup("roles.yaml"), mu_strdup(roles_yaml) },
		{ mu_strdup("states.yaml"), mu_strdup("ends: endDate\n") },
	};
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (rig_up(state) != 0)
		return 1;
	MUST(policy_parse(files, MU_COUNT(files), attr_known, NULL, &faults, &policy, &err));
	for (size_t i = 0; i < MU_COUNT(files); i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	platform.ops = adapter_find("memory");
	loop = mu_loop_new();
	store = rig_open(STORE_ROLE_CYCLE, PARTS);
	return 0;
}

static int
teardown(void **state)
{
	store_close(store);
	mu_loop_free(loop);
	policy_free(policy);
	return rig_down(state);
}

/* --- What a test says ------------------------------------------------------------------------------------ */

static struct mu_uuid
uuid_of(const char *name)
{
	struct mu_uuid u = { { 0 } };

	(void)memcpy(u.bytes, name, strlen(name) < 16 ? strlen(name) : 16);
	return u;
}

static void
begins(enum directory_search search, bool full)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->began(directory.ctx, search, full, &err));
}

/* A person with these attributes besides uid and staff, "a=1 b=2". */
static void
person_as(const char *name, const char *uid, const char *attributes)
{
	char dn[64], text[128], *save = NULL;
	struct attrs attrs = { 0 };
	struct directory_entry e = { .entry_uuid = uuid_of(name), .dn = dn, .attrs = &attrs };
	struct mu_err err = MU_ERR_INIT;

	(void)snprintf(dn, sizeof(dn), "uid=%s", name);
	(void)snprintf(text, sizeof(text), "%s", attributes);
	attrs_add(&attrs, "uid", uid);
	attrs_add(&attrs, "employeeType", "staff");
	for (char *a = strtok_r(text, " ", &save); a != NULL; a = strtok_r(NULL, " ", &save)) {
		char *value = strchr(a, '=');

		*value = '\0';
		attrs_add(&attrs, a, value + 1);
	}
	MUST(directory.events->entry(directory.ctx, DIRECTORY_PEOPLE, &e, &err));
	attrs_clear(&attrs);
}

static void
person(const char *name)
{
	person_as(name, name, "");
}

/* "ops: uid=a uid=b" */
static void
group(const char *name, const char *const *members, size_t count)
{
	struct directory_entry e = { .entry_uuid = uuid_of(name), .dn = name, .group_name = name,
		.members = members, .member_count = count };
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->entry(directory.ctx, DIRECTORY_GROUPS, &e, &err));
}

static void
present(enum directory_search search, const char *name)
{
	struct mu_uuid u = uuid_of(name);
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->present(directory.ctx, search, &u, &err));
}

static void
removed(enum directory_search search, const char *name)
{
	struct mu_uuid u = uuid_of(name);
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->removed(directory.ctx, search, &u, &err));
}

static void
refreshed(enum directory_search search, enum verdict verdict, enum directory_how how, size_t listed)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->refreshed(directory.ctx, search, verdict, how, listed, &err));
	if (verdict == VERDICT_COMPLETE)
		MUST(directory.events->cookie(directory.ctx, search, "rid=1", 5, &err));
}

static enum mu_rc
slice_try(void)
{
	struct mu_err err = MU_ERR_INIT;

	return directory.events->slice_end(directory.ctx, &err);
}

static void
slice(void)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->slice_end(directory.ctx, &err));
}

static void
clock_has_run(void *ctx)
{
	(void)ctx;
	mu_loop_stop(loop, 0);
}

/* The clock looks at once after a start. */
static void
clock_run(void)
{
	struct mu_timer *after = mu_loop_timer(loop, clock_has_run, NULL);

	cycle_restart();
	mu_timer_set(after, 2);
	(void)mu_loop_run(loop);
	mu_timer_free(after);
}

/* Time passes: the end dates of people at or before this name are over. */
static void
ends_pass(const char *name)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql), "UPDATE person SET attrs = replace(attrs, '20990101', '20200101'),"
	    " due_at = '2020-01-01' WHERE dn <= 'uid=%s' AND state = 'active'", name);
	free(rig_sql(sql));
}

/* Everybody as given, in a full read of both searches; a and b are in the group ops. */
static void
full_read(const char *const *names, size_t count)
{
	static const char *const members[] = { "uid=a", "uid=b" };

	begins(DIRECTORY_GROUPS, true);
	group("ops", members, 2);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < count; i++)
		person(names[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, count);
	slice();
}

static const char *const all[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };

static int
world_open(void **state)
{
	(void)state;
	keys_away = false;
	free(rig_sql("TRUNCATE person, account, credential, directory_group, directory_member, source_search,"
	    " source_verdict, brake_hold, brake_effect, quarantine, lease, receipt, audit_record CASCADE"));
	cycle_start();
	full_read(all, MU_COUNT(all));
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	return 0;
}

static int
world_close(void **state)
{
	(void)state;
	cycle_close(cycle);
	return 0;
}

#define ACTIVE(name) "SELECT state FROM person WHERE dn = 'uid=" name "'"
#define COOKIES "SELECT count(*) FROM source_search WHERE length(cookie) > 0"

/* --- Nobody is left in -------------------------------------------------------------------------------------- */

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
	rig_sql_is("rid=1", "SELECT convert_from(cookie, 'UTF8') FROM source_search WHERE search = 'people'");
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
	begins(DIRECTORY_GROUPS, false);	/* the people's new listing has not begun: l may be in it */
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
	begins(DIRECTORY_GROUPS, false);	/* connected anew: of groups there is no news left */
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
	begins(DIRECTORY_PEOPLE, false);	/* connected anew: what is deleted by name is believed */
	removed(DIRECTORY_PEOPLE, "c");
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_DELTA, 0);
	slice();
	rig_sql_is("leaver", ACTIVE("c"));
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

/* --- Nobody goes by mistake --------------------------------------------------------------------------------- */

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
	group("ops", more, 3);			/* c gains a role, and is still not in the directory */
	slice();
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
	person("c");
	slice();
	rig_sql_is("2", "SELECT count(*) FROM brake_hold");
}

/* --- Nobody blocks the way of others ------------------------------------------------------------------------ */

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
	rig_sql_is("1", "SELECT count(*) FROM audit_record WHERE kind = 'brake.tripped'");
	ends_pass("d");
	clock_run();
	rig_sql_is("leaver", ACTIVE("d"));
	rig_sql_is("3", "SELECT count(*) FROM brake_hold");
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
	};
#undef ROW

	return cmocka_run_group_tests(tests, setup, teardown);
}
