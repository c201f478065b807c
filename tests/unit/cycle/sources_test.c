/*
 * sources_test.c - a partner's directory beside the home's: its own names, and no more than it may
 *
 * Both list the same twelve, with the same entryUUIDs, DNs, login names and groups.
 */
#include "unit/cycle/world.h"

#define OF(source, name) \
	"FROM person WHERE source = '" source "' AND dn = 'uid=" name "'"
#define ROLES_OF(source, name) \
	"SELECT replace(trim(both E'\\n' from roles), E'\\n', ' ') " OF(source, name)
#define HOME \
	"SELECT md5(string_agg(p::text || a::text, '' ORDER BY p.person_id, a.platform))" \
	" FROM person p JOIN account a USING (person_id) WHERE p.source = 'corp'"
#define COUNT(what) "SELECT count(*) FROM " what

static char chat[] = "chat", ops[] = "ops", helper[] = "helper", known[] = "known";
static char *narrow_roles[] = { chat, helper }, *wide_roles[] = { chat, helper, ops };
static char *one_level[] = { known };
static struct cycle_source both[] = {
	{ .name = "corp", .name_suffix = "", .authority_all = true },
	{ .name = "partner", .name_suffix = ".p" },
};
static char *home_before;

/* The process that ran is killed, another one starts: for this source. */
static void
follow(const char *name)
{
	cycle_end();
	source.name = name;
	cycle_start();
}

/* The home was there first; then the partner was added to the configuration and read. */
static int
sources_open(void **state)
{
	int status;

	both[1].authority = (struct authority){ { narrow_roles, 2 }, STRINGS_INIT };
	sources = both;
	source_count = MU_COUNT(both);
	source.name = "corp";
	status = world_open(state);
	home_before = rig_sql(HOME);
	follow("partner");
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	full_read(all, MU_COUNT(all));
	rig_sql_is("24", COUNT("person WHERE state = 'active'"));
	return status;
}

static int
sources_close(void **state)
{
	free(home_before);
	(void)world_close(state);
	sources = NULL;
	source_count = 0;
	source.name = "corp";
	return 0;
}

static void
home_is_as_it_was(void)
{
	rig_sql_is(home_before, HOME);
}

static void
P1_3_the_same_entry_in_both_is_two_people(void **state)
{
	(void)state;
	home_is_as_it_was();
	rig_sql_is("a.p", "SELECT uid " OF("partner", "a"));
	rig_sql_is("a", "SELECT uid " OF("corp", "a"));
	rig_sql_is("a.p", "SELECT name FROM account JOIN person USING (person_id)"
	    " WHERE source = 'partner' AND dn = 'uid=a'");
	rig_sql_is("0", "SELECT count(*) FROM audit_record WHERE kind = 'account.refused'");
}

static void
T6_a_partner_gives_no_role_but_its_own(void **state)
{
	(void)state;
	rig_sql_is("chat ops", ROLES_OF("corp", "a"));
	rig_sql_is("chat", ROLES_OF("partner", "a"));	/* its group ops lists them, too */
	person_as("a", "a", "checked=TRUE title=x");
	slice();
	rig_sql_is("", "SELECT identified " OF("partner", "a"));
	follow("corp");
	person_as("a", "a", "checked=TRUE title=x");
	slice();
	rig_sql_is("known", "SELECT identified " OF("corp", "a"));
}

static void
T6_a_partner_vouches_for_the_levels_it_is_given(void **state)
{
	(void)state;
	both[1].authority.levels = (struct strings){ one_level, 1 };
	cycle_restart();
	person_as("a", "a", "checked=TRUE");
	slice();
	rig_sql_is("known", "SELECT identified " OF("partner", "a"));
}

static void
T6_a_partner_that_empties_changes_nobody_at_home(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		removed(DIRECTORY_PEOPLE, all[i]);
	removed(DIRECTORY_GROUPS, "ops");
	person_as("c", "d", "title=x");			/* takes another's name */
	group("ops", (const char *const[]){ "uid=k" }, 1);
	slice();
	rig_sql_is("2", COUNT("person WHERE source = 'partner' AND state = 'leaver'"));
	rig_sql_is("d.p", "SELECT uid " OF("partner", "c"));
	full_read(all, 0);
	home_is_as_it_was();
	rig_sql_is("chat", ROLES_OF("corp", "k"));
}

static void
P5_10_a_partner_s_brake_holds_nobody_at_home(void **state)
{
	(void)state;
	for (size_t i = 4; i < 8; i++)
		removed(DIRECTORY_PEOPLE, all[i]);
	slice();
	rig_sql_is("4", COUNT("brake_hold WHERE source = 'partner'"));
	follow("corp");
	removed(DIRECTORY_PEOPLE, "a");
	removed(DIRECTORY_PEOPLE, "b");
	slice();
	rig_sql_is("2", COUNT("person WHERE source = 'corp' AND state = 'leaver'"));
	rig_sql_is("12", COUNT("person WHERE source = 'partner' AND state = 'active'"));
	rig_sql_is("0", COUNT("brake_hold WHERE source = 'corp'"));
}

static void
T6_names_like_the_partner_s_are_not_for_the_home(void **state)
{
	(void)state;
	follow("corp");
	person_as("m", "m.p", "");
	person_as("n", "n.P", "");
	person_as("o", "o.q", "");
	slice();
	rig_sql_is("0", COUNT("person WHERE dn IN ('uid=m', 'uid=n')"));
	rig_sql_is("2", COUNT("quarantine WHERE source = 'corp' AND reason LIKE"
	    " '%ends in .p, as names of source partner do%'"));
	rig_sql_is("active", "SELECT state " OF("corp", "o"));
	person_as("m", "mm", "");			/* mended */
	slice();
	rig_sql_is("active", "SELECT state " OF("corp", "m"));
	rig_sql_is("1", COUNT("quarantine"));
}

static void
who_has_a_name_keeps_it_when_their_entry_takes_a_partner_s(void **state)
{
	(void)state;
	follow("corp");
	person_as("a", "z.p", "");
	slice();
	home_is_as_it_was();
	rig_sql_is("1", COUNT("quarantine"));
}

/* Nothing of the directories changes; the configuration does. */
static void
changed_bounds_have_everybody_decided_anew(void **state)
{
	(void)state;
	both[1].authority.roles = (struct strings){ wide_roles, 3 };
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	full_read(all, MU_COUNT(all));
	rig_sql_is("chat ops", ROLES_OF("partner", "a"));
	both[1].authority.roles = (struct strings){ narrow_roles, 2 };
	cycle_restart();
	full_read(all, MU_COUNT(all));
	rig_sql_is("chat", ROLES_OF("partner", "a"));
	rig_sql_is("chat", ROLES_OF("partner", "b"));
	home_is_as_it_was();
	cycle_restart();
	assert_true(directory.resumed[DIRECTORY_PEOPLE]);
}

static void
a_changed_suffix_is_the_login_name_of_all(void **state)
{
	(void)state;
	both[1].name_suffix = "-partner";
	cycle_restart();
	assert_false(directory.resumed[DIRECTORY_PEOPLE]);
	full_read(all, MU_COUNT(all));
	rig_sql_is("12", COUNT("person WHERE uid LIKE '%-partner'"));
	rig_sql_is("12", COUNT("account WHERE name LIKE '%.p'"));	/* names given stay */
	both[1].name_suffix = ".p";
}

/* --- A source that is not configured any more ------------------------------------------------ */

static struct mu_uuid
partner_id(const char *name)
{
	char sql[128], *text;
	struct mu_uuid id;

	(void)snprintf(sql, sizeof(sql),
	    "SELECT person_id FROM person WHERE source = 'partner' AND dn = 'uid=%s'", name);
	text = rig_sql(sql);
	assert_true(mu_uuid_parse(text, &id));
	free(text);
	return id;
}

/* In a transaction of an action. */
static void
decided_again(const struct mu_uuid *id, const char *gained, const char *lost)
{
	struct cycle_effects e = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(admin, &err));
	again(id, 1, &e);
	MUST(store_commit(admin, &err));
	assert_int_equal(gained == NULL ? 0 : 1, e.list[0].gained.count);
	assert_int_equal(lost == NULL ? 0 : 1, e.list[0].lost.count);
	if (lost != NULL)
		assert_string_equal(lost, e.list[0].lost.list[0]);
	cycle_effects_clear(&e);
}

static void
people_of_a_source_that_is_gone_stay_as_they_are(void **state)
{
	struct mu_uuid a;

	(void)state;
	/* what they would gain if somebody vouched for all: the group, and a level */
	person_as("a", "a", "checked=TRUE");
	slice();
	a = partner_id("a");
	source_count = 1;
	follow("corp");
	decided_again(&a, NULL, NULL);
	full_read(all, MU_COUNT(all));
	rig_sql_is("12", COUNT("person WHERE source = 'partner' AND state = 'active'"
	    " AND trim(both E'\\n' from roles) = 'chat' AND identified = ''"));
	home_is_as_it_was();
}

static void
P5_3_who_is_revoked_there_has_nothing_to_come_back_to(void **state)
{
	const struct mu_uuid a = partner_id("a");
	struct cycle_effects e = { .count = 0 };

	(void)state;
	source_count = 1;
	follow("corp");
	blocked(&a, true, &e);
	cycle_effects_clear(&e);
	rig_sql_is("", ROLES_OF("partner", "a"));
	blocked(&a, false, &e);
	cycle_effects_clear(&e);
	rig_sql_is("", ROLES_OF("partner", "a"));
}

static void
P5_21_grants_end_there_as_well(void **state)
{
	const struct mu_uuid a = partner_id("a");
	struct cycle_effects e = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(admin, &err));
	grant_write(&a, "helper", mu_now_s() - 10, mu_now_s() + 3000);
	again(&a, 1, &e);
	MUST(store_commit(admin, &err));
	cycle_effects_clear(&e);
	rig_sql_is("chat helper", ROLES_OF("partner", "a"));
	source_count = 1;
	follow("corp");
	decided_again(&a, NULL, NULL);
	MUST(store_begin(admin, &err));
	MUST(cycle_again(&(struct cycle_again_host){ .store = admin,
	    .rules = (const struct cycle_rules[]){ rules() }, .mac = mac, .mac_check = mac_check },
	    &a, 1, mu_now_ms() + 3001000, &e, &err));
	MUST(store_commit(admin, &err));
	cycle_effects_clear(&e);
	rig_sql_is("chat", ROLES_OF("partner", "a"));
}

static void
P5_3_their_end_dates_come(void **state)
{
	(void)state;
	person_as("a", "a", "endDate=20990101000000Z");
	slice();
	source_count = 1;
	follow("corp");
	free(rig_sql("UPDATE person SET attrs = replace(attrs, '20990101', '20200101'),"
	    " due_at = '2020-01-01' WHERE source = 'partner' AND dn = 'uid=a'"));
	clock_run();
	rig_sql_is("leaver", "SELECT state " OF("partner", "a"));
	rig_sql_is("11", COUNT("person WHERE source = 'partner' AND state = 'active'"));
}

static void
a_source_that_is_back_flows_again(void **state)
{
	(void)state;
	source_count = 1;
	follow("corp");
	source_count = 2;
	follow("partner");
	removed(DIRECTORY_PEOPLE, "a");
	person("m");
	slice();
	rig_sql_is("leaver", "SELECT state " OF("partner", "a"));
	rig_sql_is("chat", ROLES_OF("partner", "m"));
}

#define ROW(sentence) cmocka_unit_test_setup_teardown(sentence, sources_open, sources_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(P1_3_the_same_entry_in_both_is_two_people),
		ROW(T6_a_partner_gives_no_role_but_its_own),
		ROW(T6_a_partner_vouches_for_the_levels_it_is_given),
		ROW(T6_a_partner_that_empties_changes_nobody_at_home),
		ROW(P5_10_a_partner_s_brake_holds_nobody_at_home),
		ROW(T6_names_like_the_partner_s_are_not_for_the_home),
		ROW(who_has_a_name_keeps_it_when_their_entry_takes_a_partner_s),
		ROW(changed_bounds_have_everybody_decided_anew),
		ROW(a_changed_suffix_is_the_login_name_of_all),
		ROW(people_of_a_source_that_is_gone_stay_as_they_are),
		ROW(P5_3_who_is_revoked_there_has_nothing_to_come_back_to),
		ROW(P5_21_grants_end_there_as_well),
		ROW(P5_3_their_end_dates_come),
		ROW(a_source_that_is_back_flows_again),
	};

	return cmocka_run_group_tests_name("sources", tests, setup, teardown);
}
