/*
 * plan_test.c - a plan is what the pass then does: random people under two random policies, person by
 * person, against a real store and the cycle itself
 */
#include "cycle/plan.h"
#include "json/read.h"
#include "unit/cycle/world.h"

#define PEOPLE		60
#define GROUPS		4
#define DECIDED		"SELECT coalesce(max(version), 0) FROM policy_decided"

/* --- Chance, the same at every run ------------------------------------------------------------ */

static uint64_t chance;

static unsigned
pick(unsigned below)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance >> 33) % below;
}

/* --- Policies ----------------------------------------------------------------------------------- */

static void
filter_add(struct mu_buf *b)
{
	static const char *const departments[] = { "Sales", "Ops", "Dev" };

	switch (pick(7)) {
	case 0: mu_buf_text_add(b, "(employeeType=staff)"); break;
	case 1: mu_buf_format(b, "(department=%s)", departments[pick(3)]); break;
	case 2: mu_buf_format(b, "(group=G%u)", pick(GROUPS)); break;
	case 3: mu_buf_format(b, "(!(group=g%u))", pick(GROUPS)); break;
	case 4: mu_buf_format(b, "(title=*%u)", pick(3)); break;
	case 5: mu_buf_format(b, "(&(department=%s)(!(title=*)))", departments[pick(3)]); break;
	default: mu_buf_format(b, "(|(group=g*)(department=%s))", departments[pick(3)]); break;
	}
}

static void
role_add(struct mu_buf *b, unsigned number)
{
	bool is_birthright = pick(4) > 0;

	mu_buf_format(b, "- role: r%u\n  gives: [{platform: mem, account: %s, groups: [g%u]", number,
	    pick(2) == 0 ? "true" : "false", pick(5));
	if (pick(3) == 0)
		mu_buf_format(b, ", rooms: [ops], level: %s", pick(2) == 0 ? "moderator" : "member");
	mu_buf_text_add(b, "}]\n");
	if (is_birthright) {
		mu_buf_text_add(b, "  birthright: ");
		filter_add(b);
		mu_buf_char_add(b, '\n');
	}
	if (!is_birthright || pick(3) == 0) {
		mu_buf_text_add(b, "  requestable: ");
		filter_add(b);
		mu_buf_text_add(b, "\n  longest: 8h\n  approvals: 1\n");
	}
	if (pick(4) == 0)
		mu_buf_format(b, "  identified: %s\n", pick(2) == 0 ? "known" : "seen");
}

static void
random_files(struct policy_file files[FILES_COUNT])
{
	struct mu_buf roles = MU_BUF_INIT, states = MU_BUF_INIT;

	for (unsigned i = 0; i < 6; i++)
		role_add(&roles, i);
	/* leaveDate is no date of some: they keep the dates that they had */
	mu_buf_format(&states, "{starts: startDate, ends: %s, suspended: (mood=%s)}\n",
	    pick(3) == 0 ? "leaveDate" : "endDate", pick(3) == 0 ? "sad" : "away");
	files[0] = (struct policy_file){ mu_strdup("brake.yaml"), mu_strdup(brake_yaml) };
	files[1] = (struct policy_file){ mu_strdup("identification.yaml"),
		mu_strdup("- {level: known, when: (checked=TRUE)}\n- {level: seen}\n") };
	files[2] = (struct policy_file){ mu_strdup("roles.yaml"), roles.data };
	files[3] = (struct policy_file){ mu_strdup("states.yaml"), states.data };
}

static const char let_go_sql[] =
    "UPDATE brake_hold SET released = true WHERE person_id NOT IN (SELECT person_id FROM kept)";

static void
files_apply(struct policy_file files[FILES_COUNT], int64_t base)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t version = 0;
	char want[24];

	MUST(store_begin(admin, &err));
	if (cycle_policy_apply(admin, files, FILES_COUNT, base, "a test", mac, NULL, attr_known, NULL,
	    &faults, &version, &err) != MU_OK) {
		config_faults_format(&faults, &text);
		fail_msg("%s %s", err.text, mu_buf_text(&text));
	}
	MUST(store_commit(admin, &err));
	cycle_hinted();
	(void)snprintf(want, sizeof(want), "%lld", (long long)version);
	until(want, DECIDED);
	/* What the brake holds of it is let go, so that all of it happens; but of who was held before. */
	free(rig_sql(let_go_sql));
	free(rig_sql("DELETE FROM policy_decided"));
	cycle_hinted();
	until(want, DECIDED);
}

/* --- People ------------------------------------------------------------------------------------- */

static void
person_random(unsigned number)
{
	static const char *const departments[] = { "Sales", "Ops", "Dev" };
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	char name[16], uid[16];

	(void)snprintf(name, sizeof(name), "p%02u", number);
	/* Some logins are one account name: the first who gets there has it. */
	(void)snprintf(uid, sizeof(uid), "%s%02u", number % 9 == 0 ? "P" : "p",
	    number % 9 == 0 ? number + 1 : number);
	mu_buf_format(&text, "department=%s", departments[pick(3)]);
	/* Mostly alike, so that a decision on one is taken for others. */
	if (pick(6) == 0)
		mu_buf_format(&text, " title=Chief-%u", pick(3));
	if (pick(6) > 0)
		mu_buf_text_add(&text, " checked=TRUE");
	if (pick(6) == 0)
		mu_buf_format(&text, " mood=%s", pick(2) == 0 ? "sad" : "away");
	if (pick(6) == 0)
		mu_buf_format(&text, " endDate=20%u0101000000Z", pick(2) == 0 ? 20 : 99);
	if (pick(3) == 0)
		mu_buf_format(&text, " leaveDate=%s", pick(2) == 0 ? "20200101000000Z" : "soon");
	if (pick(8) == 0)
		mu_buf_text_add(&text, " startDate=20990101000000Z");
	person_as(name, uid, text.data);
}

static void
groups_random(void)
{
	static char dns[PEOPLE][16];
	const char *members[PEOPLE];

	for (unsigned g = 0; g < GROUPS; g++) {
		char name[8];
		size_t count = 0;

		for (unsigned i = 0; i < PEOPLE; i++) {
			(void)snprintf(dns[i], sizeof(dns[i]), "uid=p%02u", i);
			if (pick(8) == 0)
				members[count++] = dns[i];
		}
		(void)snprintf(name, sizeof(name), "g%u", g);
		group(name, members, count);
	}
}

/* Who had left when first heard of was never stored. */
static bool
is_known(const char *name)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;
	char *count;
	bool known;

	mu_buf_format(&sql, "SELECT count(*) FROM person WHERE dn = 'uid=%s'", name);
	count = rig_sql(sql.data);
	known = strcmp(count, "1") == 0;
	free(count);
	return known;
}

static void
actions_random(void)
{
	for (unsigned i = 0; i < PEOPLE / 4; i++) {
		char name[8], role[8];

		(void)snprintf(name, sizeof(name), "p%02u", pick(PEOPLE));
		(void)snprintf(role, sizeof(role), "r%u", pick(6));
		if (pick(4) > 0 && is_known(name)) {
			const struct mu_uuid id = person_id(name);
			struct mu_err err = MU_ERR_INIT;

			MUST(store_begin(admin, &err));
			grant_write(&id, role, mu_now_s() - 5, mu_now_s() + 3600);
			MUST(store_commit(admin, &err));
		}
		if (pick(5) == 0) {
			MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

			mu_buf_format(&sql, "UPDATE person SET blocked = true WHERE dn = 'uid=%s'", name);
			free(rig_sql(sql.data));
		}
	}
}

/* --- What a plan says, and what the pass did ------------------------------------------------------ */

static void
list_join(const struct json_node *list, const char *lead, struct mu_buf *out)
{
	mu_buf_text_add(out, lead);
	for (size_t i = 0; i < json_count(list); i++)
		mu_buf_format(out, "%s%s", i == 0 ? "" : ",", json_node_text(json_at(list, i)));
}

static int
by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* One line a person, in order: "p01 active leaver -r1,r2 + mem: enabled -> disabled". */
static char *
planned_lines(const char *objects, struct mu_buf *out_order)
{
	struct mu_buf out = MU_BUF_INIT;
	char *lines[PEOPLE * 2];
	size_t count = 0;

	for (const char *at = objects; *at != '\0'; at += strcspn(at, "\n") + 1) {
		MU_AUTO(json_freep) struct json_node *one = NULL;
		struct mu_buf line = MU_BUF_INIT;
		struct mu_err err = MU_ERR_INIT;

		MUST(json_parse(at, strcspn(at, "\n"), SIZE_MAX, "a person", &one, &err));
		mu_buf_format(&line, "%s %s %s", json_find_text(json_find(one, "person"), "uid"),
		    json_find_text(one, "from"), json_find_text(one, "to"));
		list_join(json_find(one, "lost"), " -", &line);
		list_join(json_find(one, "gained"), " +", &line);
		list_join(json_find(one, "accounts"), " ", &line);
		mu_buf_format(out_order, "%s\n", json_find_text(one, "how"));
		assert_true(count < MU_COUNT(lines));
		lines[count++] = line.data;
	}
	qsort(lines, count, sizeof(*lines), by_text);
	mu_buf_text_add(&out, "");
	for (size_t i = 0; i < count; i++) {
		mu_buf_format(&out, "%s%s", i == 0 ? "" : "\n", lines[i]);
		mu_free(lines[i]);
	}
	return out.data;
}

#define LINES_OF(text)	"string_to_array(nullif(trim(both E'\\n' from " text "), ''), E'\\n')"
#define WITHOUT(a, b) \
	"(SELECT coalesce(string_agg(x, ',' ORDER BY x COLLATE \"C\"), '') FROM" \
	" (SELECT unnest(" LINES_OF(a) ") EXCEPT SELECT unnest(" LINES_OF(b) ")) AS d (x))"
#define RIGHTS(word, a, b) \
	" SELECT 'mem: " word " ' || x AS t FROM (SELECT unnest(" LINES_OF(a) ") EXCEPT" \
	" SELECT unnest(" LINES_OF(b) ")) AS d (x) WHERE n.wanted_state = 'enabled'"

static const char keep_sql[] =
    "DROP TABLE IF EXISTS was; CREATE TABLE was AS SELECT p.person_id, p.state, p.roles,"
    " coalesce(a.wanted_state, 'absent') AS wanted_state, coalesce(a.roles, '') AS account_roles,"
    " coalesce(a.entitlements, '') AS entitlements FROM person AS p LEFT JOIN account AS a"
    " USING (person_id)";
static const char changed_sql[] =
    "WITH n AS (SELECT p.person_id, p.uid, p.state, p.roles,"
    "  coalesce(a.wanted_state, 'absent') AS wanted_state, coalesce(a.roles, '') AS account_roles,"
    "  coalesce(a.entitlements, '') AS entitlements FROM person AS p LEFT JOIN account AS a"
    "  USING (person_id))"
    " SELECT coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '') FROM ("
    "  SELECT n.uid || ' ' || w.state || ' ' || n.state || ' -' || " WITHOUT("w.roles", "n.roles")
    "   || ' +' || " WITHOUT("n.roles", "w.roles") " || ' ' ||"
    "   coalesce((SELECT string_agg(t, ',' ORDER BY t COLLATE \"C\") FROM ("
    "    SELECT 'mem: ' || w.wanted_state || ' -> ' || n.wanted_state AS t"
    "     WHERE w.wanted_state <> n.wanted_state UNION ALL"
    RIGHTS("loses", "w.entitlements", "n.entitlements") " UNION ALL"
    RIGHTS("gains", "n.entitlements", "w.entitlements") ") AS texts), '') AS line"
    "  FROM n JOIN was AS w USING (person_id)"
    "  WHERE (w.state, w.roles, w.wanted_state, w.account_roles, w.entitlements) IS DISTINCT FROM"
    "   (n.state, n.roles, n.wanted_state, n.account_roles, n.entitlements)) AS lines";

/* The plan of these files, as objects or in words. */
static void
plan_of(struct policy_file files[FILES_COUNT], bool as_json, struct cycle_told *out)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	struct cycle_rules candidate = rules();
	const struct cycle_plan_host host = { rig.logins.conninfo[STORE_ROLE_WORK], store, &candidate,
		as_json };
	struct policy *parsed = NULL;
	struct mu_err err = MU_ERR_INIT;

	MUST(policy_parse(files, FILES_COUNT, attr_known, NULL, &faults, &parsed, &err));
	candidate.policy = parsed;
	MUST(cycle_plan(&host, mu_now_s(), out, &err));
	policy_free(parsed);
}

/* Tells what stands in a and not in b. */
static void
lines_told(const char *a, const char *b, const char *what)
{
	for (const char *at = a; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
		MU_AUTO(mu_freep) char *line = mu_strndup(at, strcspn(at, "\n"));

		if (strstr(b, line) == NULL)
			print_error("%s: %s\n", what, line);
	}
}

/* Whoever stands before another is at least as badly off. */
static void
order_check(const char *hows)
{
	static const char *const ranks[] = { "shut out", "loses power", "loses", "changes",
		"gains power", "gains" };
	size_t rank = 0;

	for (const char *at = hows; *at != '\0'; at += strcspn(at, "\n") + 1) {
		while (rank < MU_COUNT(ranks) && (strlen(ranks[rank]) != strcspn(at, "\n") ||
		    strncmp(ranks[rank], at, strlen(ranks[rank])) != 0))
			rank++;
		assert_true(rank < MU_COUNT(ranks));
	}
}

static int
random_open(void **state)
{
	struct policy_file files[FILES_COUNT];
	struct policy *seeded = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)world_open(state);
	files_make(files, roles_yaml);
	MUST(cycle_policy_in_force(store, files, FILES_COUNT, mac, mac_check, NULL, attr_known, NULL,
	    &seeded, &policy_version, &err));
	policy_free(policy);
	policy = seeded;		/* the world's from now on */
	files_end(files);
	cycle_restart();
	until("1", DECIDED);
	return 0;
}

/* Plans these files, puts them in force, and sees that what was planned is what came of it. */
static void
planned_and_done(struct policy_file files[FILES_COUNT], int64_t base, size_t enough_bytes)
{
	MU_AUTO(cycle_told_clear) struct cycle_told told = { .lines = MU_BUF_INIT };
	MU_AUTO(mu_buf_clear) struct mu_buf order = MU_BUF_INIT;
	char *planned, *changed;

	free(rig_sql("TRUNCATE kept; INSERT INTO kept SELECT DISTINCT person_id FROM brake_hold"
	    " WHERE NOT released"));
	free(rig_sql(keep_sql));
	plan_of(files, true, &told);
	files_apply(files, base);
	planned = planned_lines(mu_buf_text(&told.lines), &order);
	changed = rig_sql(changed_sql);
	lines_told(changed, planned, "happened, and was not planned");
	lines_told(planned, changed, "was planned, and did not happen");
	assert_string_equal(changed, planned);
	assert_true(strlen(changed) > enough_bytes);	/* the policies differ enough to tell */
	order_check(mu_buf_text(&order));
	mu_free(planned);
	free(changed);
}

static void
P5_2_a_plan_is_what_the_pass_then_changes(void **state)
{
	static const char *const gone[] = { "p03", "p13", "p23", "p33", "p43", "p53" };
	const uint64_t *seed = *state;
	struct policy_file first[FILES_COUNT], second[FILES_COUNT];

	(void)random_open(NULL);
	chance = *seed;
	for (unsigned i = 0; i < PEOPLE; i++)
		person_random(i);
	groups_random();
	slice();
	random_files(first);
	free(rig_sql("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT person_id FROM person"
	    " WHERE dn < 'uid=p20'"));
	files_apply(first, 1);
	actions_random();
	for (size_t i = 0; i < MU_COUNT(gone); i++)
		removed(DIRECTORY_PEOPLE, gone[i]);
	slice();
	random_files(second);
	planned_and_done(second, 2, 100);
	files_end(first);
	files_end(second);
	(void)world_close(NULL);
}

static const char for_sales[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true}]\n"
    "  birthright: (|(!(department=*))(department=Sales))\n";
static const char for_all[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true}]\n"
    "  birthright: (employeeType=staff)\n";

static void
P5_2_of_two_who_are_to_get_one_account_name_the_plan_gives_it_to_one(void **state)
{
	struct policy_file first[FILES_COUNT], second[FILES_COUNT];

	(void)state;
	(void)random_open(NULL);
	files_make(first, for_sales);
	files_make(second, for_all);
	free(rig_sql("DROP TABLE IF EXISTS kept; CREATE TABLE kept (person_id uuid)"));
	files_apply(first, 1);
	person_as("y1", "twin", "department=Ops");
	person_as("y2", "TWIN", "department=Ops");
	person_as("y3", "A", "department=Ops");		/* which is a's */
	slice();
	planned_and_done(second, 2, 60);
	rig_sql_is("1", "SELECT count(*) FROM account WHERE name = 'twin'");
	rig_sql_is("3", "SELECT count(*) FROM person WHERE roles LIKE '%chat%' AND dn LIKE 'uid=y%'");
	files_end(first);
	files_end(second);
	(void)world_close(NULL);
}

/* --- Outcomes --------------------------------------------------------------------------------------- */

static char *
outcome_of(const char *roles)
{
	MU_AUTO(cycle_told_clear) struct cycle_told told = { .lines = MU_BUF_INIT };
	struct policy_file files[FILES_COUNT];
	char *at;

	files_make(files, roles);
	plan_of(files, false, &told);
	files_end(files);
	at = strstr(told.lines.data, "outcome ");
	assert_non_null(at);
	return mu_strndup(at + 8, strcspn(at + 8, "\n"));
}

static const char without_ops[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n";

static void
P5_2_the_outcome_names_who_changes_how_and_nothing_else(void **state)
{
	char *first, *again, *renamed, *moved;

	(void)state;
	(void)random_open(NULL);
	first = outcome_of(without_ops);
	again = outcome_of(without_ops);
	person_as("a", "a", "cn=Somebody-Else");
	slice();
	renamed = outcome_of(without_ops);
	group("ops", (const char *const []){ "uid=a" }, 1);	/* and not b any more */
	slice();
	moved = outcome_of(without_ops);
	assert_int_equal(64, strlen(first));
	assert_string_equal(first, again);
	assert_string_equal(first, renamed);
	assert_string_not_equal(first, moved);
	mu_free(first);
	mu_free(again);
	mu_free(renamed);
	mu_free(moved);
	(void)world_close(NULL);
}

int
main(void)
{
	static uint64_t seeds[] = { 1, 2, 3, 5, 8, 13, 21, 34 };
	struct CMUnitTest tests[MU_COUNT(seeds) + 2];

	for (size_t i = 0; i < MU_COUNT(seeds); i++)
		tests[i] = (struct CMUnitTest){ .name = "P5_2_a_plan_is_what_the_pass_then_changes",
			.test_func = P5_2_a_plan_is_what_the_pass_then_changes,
			.initial_state = &seeds[i] };
	tests[MU_COUNT(seeds)] = (struct CMUnitTest)cmocka_unit_test(
	    P5_2_the_outcome_names_who_changes_how_and_nothing_else);
	tests[MU_COUNT(seeds) + 1] = (struct CMUnitTest)cmocka_unit_test(
	    P5_2_of_two_who_are_to_get_one_account_name_the_plan_gives_it_to_one);
	return cmocka_run_group_tests(tests, setup, teardown);
}
