/*
 * policy_test.c - the shipped policies are without fault and give what they say; faults are all named
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "given.h"

static struct policy *shipped;

static int
shipped_load(void **state)
{
	(void)state;
	shipped = given_shipped();
	return 0;
}

static int
shipped_free(void **state)
{
	(void)state;
	policy_free(shipped);
	return 0;
}

/* Facts as "name=value name=value"; groups as "group=x". */
static struct row {
	const char *name, *facts;
	enum person_state state;
	bool blocked;
	const char *roles, *waiting, *accounts;	/* accounts: "xmpp enabled group all-staff;..." */
} rows[] = {
	{ "staff who are identified chat, with their department",
	    "employeeType=staff department=Sales identityChecked=TRUE", PERSON_ACTIVE, false,
	    "sales\nstaff-chat\n", "", "xmpp enabled group all-staff;group sales;" },
	{ "below the level the account exists disabled",
	    "employeeType=staff department=Sales", PERSON_ACTIVE, false, "", "sales\nstaff-chat\n",
	    "xmpp disabled " },
	{ "a contractor is no staff", "employeeType=contractor department=Sales identityChecked=TRUE",
	    PERSON_ACTIVE, false, "contractor-chat\n", "", "xmpp enabled group contractors;" },
	{ "whoever matches nothing has nothing", "employeeType=guest identityChecked=TRUE", PERSON_ACTIVE,
	    false, "", "", "" },
	{ "rights without an account are none", "department=Operations identityChecked=TRUE", PERSON_ACTIVE,
	    false, "", "", "" },
	{ "a group of the directory moderates a room",
	    "employeeType=staff identityChecked=TRUE group=duty-managers", PERSON_ACTIVE, false,
	    "duty-managers\nstaff-chat\n", "", "xmpp enabled group all-staff;room duty moderator;" },
	{ "suspended people hold nothing", "employeeType=staff identityChecked=TRUE", PERSON_SUSPENDED, false,
	    "", "", "" },
	{ "nor do those who start in the future", "employeeType=staff identityChecked=TRUE", PERSON_STAGED,
	    false, "", "", "" },
	{ "P5_3_a_leaver_holds_nothing", "employeeType=staff identityChecked=TRUE", PERSON_LEAVER, false,
	    "", "", "" },
	{ "a block weighs more than any birthright", "employeeType=staff identityChecked=TRUE",
	    PERSON_ACTIVE, true, "", "", "" },
};

static void
accounts_print(const struct policy_decision *d, struct mu_buf *b)
{
	for (size_t i = 0; i < d->account_count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf rights = MU_BUF_INIT;

		entitlements_format(&d->accounts[i].entitlements, &rights);
		for (size_t k = 0; k < rights.size_bytes; k++)
			if (rights.data[k] == '\n')
				rights.data[k] = ';';
		mu_buf_format(b, "%s %s %s", d->accounts[i].platform,
		    account_state_name(d->accounts[i].state), mu_buf_text(&rights));
	}
}

static void
decide_row(void **state)
{
	struct row *r = *state;
	struct attrs attrs = ATTRS_INIT;
	struct strings groups = STRINGS_INIT;
	struct policy_subject subject = { .facts = { &attrs, &groups, NULL, NULL }, .state = r->state,
		.blocked = r->blocked, .identified = "" };
	struct policy_decision d;
	MU_AUTO(mu_buf_clear) struct mu_buf roles = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf waiting = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf accounts = MU_BUF_INIT;

	given_facts(r->facts, &attrs, &groups);
	policy_decide(shipped, &subject, &d);
	strings_format(&d.roles, &roles);
	strings_format(&d.waiting, &waiting);
	accounts_print(&d, &accounts);
	assert_string_equal(r->roles, mu_buf_text(&roles));
	assert_string_equal(r->waiting, mu_buf_text(&waiting));
	assert_string_equal(r->accounts, mu_buf_text(&accounts));
	policy_decision_clear(&d);
	attrs_clear(&attrs);
	strings_clear(&groups);
}

#define GRANTED "- role: a\n  gives: [{platform: x, account: true}]\n  requestable: (uid=a)\n  longest: 60d\n"
#define TWO(one, other) "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: " one "\n" \
	"  conflicts: [b]\n- role: b\n  gives: [{platform: x, account: true}]\n  birthright: " other "\n"

static struct fault_row {
	const char *name, *file, *text, *want;	/* want: each line of faults begins so, joined by '|' */
} fault_rows[] = {
	{ "an unknown key is named with the nearest", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthrigth: (uid=a)\n", "roles.yaml:1:3|roles.yaml:3:3" },
	{ "a filter's fault stands at the filter", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (uid=a\n", "roles.yaml:3:15" },
	{ "an attribute outside of the map is refused", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (shoeSize=9)\n", "roles.yaml:3:15" },
	{ "a level nobody defined", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (uid=a)\n  identified: dna\n", "roles.yaml:4:15" },
	{ "a requested grant without an end", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  requestable: (uid=a)\n", "roles.yaml:1:3" },
	{ "rights where no role opens an account", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}, {platform: y, groups: [g]}]\n  birthright: (uid=a)\n",
	    "roles.yaml:2:52" },
	{ "what is for granted roles, of one that nobody is granted", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (uid=a)\n  longest: 8h\n  approvals: 1\n"
	    "  review: {every: 30d, by: [boss]}\n",
	    "roles.yaml:4:12|roles.yaml:5:14|roles.yaml:6:11|roles.yaml:6:29" },
	{ "a review by nobody", "roles.yaml", GRANTED "  review: {every: 30d, by: []}\n", "roles.yaml:5:28" },
	{ "a review without its reviewers", "roles.yaml", GRANTED "  review: {every: 30d}\n", "roles.yaml:5:11" },
	{ "a review at no time", "roles.yaml", GRANTED "  review: {by: [boss]}\n", "roles.yaml:5:11|roles.yaml:5:17" },
	{ "a review every second", "roles.yaml", GRANTED "  review: {every: 1s, by: [boss]}\n",
	    "roles.yaml:5:19|roles.yaml:5:28" },
	{ "reviewers that administrators.yaml does not have", "roles.yaml",
	    GRANTED "  review: {every: 30d, by: [boss, chief]}\n", "roles.yaml:5:29|roles.yaml:5:35" },
	{ "P5_21_a_review_that_comes_after_the_end", "roles.yaml", GRANTED "  review: {every: 60d, by: []}\n",
	    "roles.yaml:5:11|roles.yaml:5:28" },
	{ "a conflict with itself", "roles.yaml", GRANTED "  conflicts: [a]\n", "roles.yaml:5:15" },
	{ "P5_11_birthrights_that_conflict_and_that_one_person_may_have", "roles.yaml",
	    TWO("(employeeType=staff)", "(department=Sales)"), "roles.yaml:4:15" },
	{ "P5_11_two_values_of_one_attribute_are_one_persons", "roles.yaml",
	    TWO("(department=Sales)", "(department=Audit)"), "roles.yaml:4:15" },
	{ "a birthright that nobody can have", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (&(uid=a)(!(uid=*)))\n", "roles.yaml:3:15" },
	{ "a request that nobody can make", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: true}]\n  requestable: (&(uid=a)(!(UID=A)))\n  longest: 8h\n",
	    "roles.yaml:3:16" },
	{ "a scope that reaches nobody", "administrators.yaml",
	    "- {role: a, may: [revoke], scope: (&(uid=a)(!(uid=a)))}\n", "administrators.yaml:1:35" },
	{ "a role of administrators that conflicts with none", "administrators.yaml",
	    "- {role: a, may: [revoke], conflicts: [payer]}\n", "administrators.yaml:1:40" },
	{ "a grace of eleven years", "states.yaml", "grace: 4015d\n", "states.yaml:1:8" },
	{ "a grace that is no time", "states.yaml", "grace: forever\n", "states.yaml:1:8" },
	{ "a return of nobody", "states.yaml", "returns: endDate\n", "states.yaml:1:10" },
	{ "a return nobody maps", "states.yaml", "suspended: (uid=a)\nreturns: backDate\n",
	    "states.yaml:2:10" },
	{ "a filter that left is not", "states.yaml", "left: employeeStatus\n", "states.yaml:1:7" },
	{ "who left by what nobody maps", "states.yaml", "left: (shoeSize=9)\n", "states.yaml:1:7" },
	{ "P5_10_more_people_an_hour_weaken_the_brake", "brake.yaml",
	    "- per: source\n  removals: {at_least: 6, share: 2%, within: 1h}\n", "brake.yaml:2:13" },
	{ "P5_10_a_greater_share_an_hour_weakens_the_brake", "brake.yaml",
	    "- {per: source, removals: {at_least: 5, share: 3%, within: 1h}}\n", "brake.yaml:1:27" },
	{ "P5_10_a_shorter_window_weakens_the_brake", "brake.yaml",
	    "- {per: source, removals: {at_least: 5, share: 2%, within: 5m}}\n", "brake.yaml:1:27" },
	{ "P5_10_a_greater_share_a_day_weakens_the_brake", "brake.yaml",
	    "- {per: source, removals: {at_least: 5, share: 11%, within: 24h}}\n", "brake.yaml:1:27" },
	{ "P5_10_a_window_of_more_than_a_day_is_none", "brake.yaml",
	    "- {per: global, removals: {at_least: 5, share: 2%, within: 25h}}\n", "brake.yaml:1:60" },
	{ "a brake that brakes nothing", "brake.yaml", "- per: platform\n", "brake.yaml:1:3" },
	{ "a platform confirms no leaver", "brake.yaml",
	    "- {per: platform, confirmed: (uid=a)}\n", "brake.yaml:1:30" },
	{ "two filters that confirm", "brake.yaml",
	    "- {per: source, confirmed: (uid=a)}\n- {per: source, confirmed: (uid=b)}\n", "brake.yaml:2:28" },
	{ "an anchor", "states.yaml", "suspended: &a (uid=a)\n", "states.yaml:1:12" },
	{ "all faults of a file at once", "roles.yaml",
	    "- role: a\n  gives: [{platform: x, account: maybe}, {platform: y}]\n  birthright: (uid=a)\n",
	    "roles.yaml:2:34|roles.yaml:2:42" },
};

static void
fault_row(void **state)
{
	struct fault_row *r = *state;
	struct policy_file files[2] = {
		{ mu_strdup("identification.yaml"), mu_strdup("- {level: hr-verified, when: (identityChecked=TRUE)}\n") },
		{ mu_strdup(r->file), mu_strdup(r->text) },
	}, with_roles[3];
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *p = NULL;
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf places = MU_BUF_INIT;
	size_t count = 2;

	with_roles[0] = files[0];
	with_roles[1] = files[1];
	with_roles[2] = (struct policy_file){ mu_strdup("roles.yaml"), mu_strdup("[]\n") };
	if (strcmp(r->file, "roles.yaml") != 0)
		count = 3;
	assert_int_equal(MU_EINPUT, policy_parse(with_roles, count, given_attr_known, NULL, &faults, &p, &err));
	for (size_t i = 0; i < faults.count; i++)
		mu_buf_format(&places, "%s%s:%u:%u", i == 0 ? "" : "|", faults.list[i].file, faults.list[i].line,
		    faults.list[i].column);
	config_faults_format(&faults, &got);
	if (strcmp(r->want, mu_buf_text(&places)) != 0)
		fail_msg("want %s, got %s\n%s", r->want, mu_buf_text(&places), mu_buf_text(&got));
	config_faults_clear(&faults);
	for (size_t i = 0; i < 3; i++) {
		mu_free(with_roles[i].name);
		mu_free(with_roles[i].content);
	}
}

/* What is no fault: conflicting birthrights that exclude each other, and nobody in so many words. */
static void
exclusive_birthrights_may_conflict(void **state)
{
	static const char *const good[] = {
		TWO("(employeeType=staff)", "(&(department=Sales)(!(employeeType=staff)))"),
		TWO("(|(uid=a)(uid=b))", "(&(department=Sales)(!(|(uid=a)(uid=b)(uid=c))))"),
		TWO("(uid=*)", "(!(uid=*))"), TWO("(uid=a)", "(|)"),
		"- role: a\n  gives: [{platform: x, account: true}]\n  birthright: (|)\n",
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(good); i++)
		policy_free(given_policy(good[i], NULL, NULL));
}

static void
reviewers_may_confirm(void **state)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	struct policy_review review;
	struct policy *p = NULL;

	(void)state;
	assert_int_equal(MU_EINPUT, given_parse(GRANTED "  review: {every: 30d, by: [desk]}\n", "administrators.yaml",
	    "- {role: desk, may: [review.drop]}\n", NULL, &faults, &p));
	config_faults_format(&faults, &got);
	assert_string_equal("roles.yaml:5:29: administrators with the role desk may not review.confirm: add it in"
	    " administrators.yaml, or name others\n", mu_buf_text(&got));
	config_faults_clear(&faults);
	p = given_policy(GRANTED "  review: {every: 30d, by: [desk]}\n", "administrators.yaml",
	    "- {role: desk, may: [review.confirm]}\n");
	assert_true(policy_review_find(p, "a", &review));
	assert_int_equal(30 * 86400, review.every_s);
	assert_false(policy_review_find(p, "b", &review));
	policy_free(p);
}

/* A policy of no roles; with this brake.yaml, NULL: without one. */
static struct policy *
braked(const char *brake)
{
	struct policy_file files[3] = {
		{ mu_strdup("identification.yaml"), mu_strdup("[]\n") },
		{ mu_strdup("roles.yaml"), mu_strdup("[]\n") },
		{ mu_strdup("brake.yaml"), mu_strdup(brake == NULL ? "" : brake) },
	};
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *p = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(MU_OK, policy_parse(files, brake == NULL ? 2 : 3, given_attr_known, NULL, &faults, &p,
	    &err));
	for (size_t i = 0; i < 3; i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	return p;
}

static void
P5_10_the_brake_is_there_without_a_file(void **state)
{
	struct policy *p = braked(NULL);
	size_t count;
	const struct policy_brake *brakes = policy_brakes(p, &count);

	(void)state;
	assert_int_equal(2, count);
	assert_int_equal(3600, brakes[0].within_s);
	assert_int_equal(5, policy_brake_limit(&brakes[0], 200));
	assert_int_equal(20, policy_brake_limit(&brakes[0], 1000));
	assert_int_equal(86400, brakes[1].within_s);
	assert_int_equal(5, policy_brake_limit(&brakes[1], 49));
	assert_int_equal(20, policy_brake_limit(&brakes[1], 200));
	assert_int_equal(5, policy_removals_limit(p, 200));
	assert_int_equal(20, policy_removals_limit(p, 1000));
	policy_free(p);
}

static void
P5_10_a_file_adds_to_the_brake(void **state)
{
	static const char yaml[] =
	    "- {per: source, removals: {at_least: 5, share: 2%, within: 1h}}\n"	/* again */
	    "- {per: source, removals: {at_least: 1, share: 0%, within: 5m}, confirmed: (department=left)}\n"
	    "- {per: platform, power_gained: {platform_admins: 3, within: 1h}}\n"
	    "- {per: global, joins: {at_least: 50, share: 5%, within: 2h}}\n";
	static const struct policy_brake want[] = {
		{ BRAKE_SOURCE, BRAKE_REMOVAL, 5, 200, 3600 }, { BRAKE_SOURCE, BRAKE_REMOVAL, 5, 1000, 86400 },
		{ BRAKE_SOURCE, BRAKE_REMOVAL, 1, 0, 300 }, { BRAKE_PLATFORM, BRAKE_POWER, 3, 0, 3600 },
		{ BRAKE_GLOBAL, BRAKE_JOIN, 50, 500, 7200 },
	};
	struct policy *p = braked(yaml);
	struct attrs attrs = ATTRS_INIT;
	struct strings groups = STRINGS_INIT;
	struct facts facts = { &attrs, &groups, NULL, NULL };
	size_t count;
	const struct policy_brake *brakes = policy_brakes(p, &count);

	(void)state;
	assert_int_equal(MU_COUNT(want), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(want[i].scope, brakes[i].scope);
		assert_int_equal(want[i].kind, brakes[i].kind);
		assert_int_equal(want[i].at_least, brakes[i].at_least);
		assert_int_equal(want[i].per_10000, brakes[i].per_10000);
		assert_int_equal(want[i].within_s, brakes[i].within_s);
	}
	assert_int_equal(1, policy_removals_limit(p, 1000));
	assert_false(policy_is_confirmed(p, &facts));
	assert_false(policy_is_confirmed(shipped, &facts));
	attrs_add(&attrs, "department", "left");
	assert_true(policy_is_confirmed(p, &facts));
	assert_false(policy_is_confirmed(shipped, &facts));
	attrs_clear(&attrs);
	policy_free(p);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + MU_COUNT(fault_rows) + 4];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, decide_row, NULL, NULL, &rows[i] };
	for (size_t i = 0; i < MU_COUNT(fault_rows); i++)
		tests[count++] = (struct CMUnitTest){ fault_rows[i].name, fault_row, NULL, NULL, &fault_rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(exclusive_birthrights_may_conflict);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(reviewers_may_confirm);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_10_the_brake_is_there_without_a_file);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_10_a_file_adds_to_the_brake);
	return cmocka_run_group_tests_name("policy", tests, shipped_load, shipped_free);
}
