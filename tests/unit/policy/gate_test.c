/*
 * gate_test.c - what an action needs, who may do it, and files that would weaken either
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "given.h"

/* --- Gates: rows combined ------------------------------------------------------------------------- */

static struct gate_row {
	const char *name, *gates;
	enum action_kind kind;
	int64_t targets;
	bool code;
	int64_t approvals;
} gate_rows[] = {
	{ "P5_7_default_deny_an_action_that_no_row_names_needs_a_code_and_two", "[]\n", ACTION_SYNC_RUN, 1,
	    true, 2 },
	{ "P5_7_default_deny_another_action's_row_names_it_not", "- {actions: [revoke], code: required}\n",
	    ACTION_SUSPEND, 1, true, 2 },
	{ "P5_7_default_deny_a_row_for_all_names_nobody", "- {actions: [\"*\"], code: none}\n", ACTION_REVOKE,
	    1, true, 2 },
	{ "P5_7_default_deny_a_row_that_does_not_apply_names_nobody",
	    "- {actions: [revoke], code: required, when: {targets_over: 5}}\n", ACTION_REVOKE, 5, true, 2 },
	{ "the same row, when it applies", "- {actions: [revoke], code: required, when: {targets_over: 5}}\n",
	    ACTION_REVOKE, 6, true, 0 },
	{ "a row that names it alone", "- {actions: [revoke], code: required}\n", ACTION_REVOKE, 500, true, 0 },
	{ "a row for all asks of those that are named, too",
	    "- {actions: [revoke], code: required}\n- {actions: [\"*\"], approvals: 3}\n", ACTION_REVOKE, 1,
	    true, 3 },
	{ "a row for all asks more of those that are not",
	    "- {actions: [revoke], code: required}\n- {actions: [\"*\"], approvals: 3}\n", ACTION_SUSPEND, 1,
	    true, 3 },
	{ "the strictest of two wins, first",
	    "- {actions: [grant], code: required, approvals: 4}\n- {actions: [grant], code: required}\n",
	    ACTION_GRANT, 1, true, 4 },
	{ "the strictest of two wins, last",
	    "- {actions: [grant], code: required}\n- {actions: [grant], code: required, approvals: 4}\n",
	    ACTION_GRANT, 1, true, 4 },
	{ "over fifty is not fifty",
	    "- {actions: [grant], code: required}\n- {actions: [\"*\"], approvals: 2, when: {targets_over: 50}}\n",
	    ACTION_GRANT, 50, true, 0 },
	{ "over fifty is fifty-one",
	    "- {actions: [grant], code: required}\n- {actions: [\"*\"], approvals: 2, when: {targets_over: 50}}\n",
	    ACTION_GRANT, 51, true, 2 },
	{ "an action about nobody has no targets",
	    "- {actions: [sync.run], code: required}\n- {actions: [\"*\"], approvals: 2, when: {targets_over: 0}}\n",
	    ACTION_SYNC_RUN, 0, true, 0 },
	{ "P5_11_nobody_asks_less_of_enrolment_by_asking_it_of_all", "- {actions: [\"*\"], code: none, approvals: 0}\n",
	    ACTION_ADMIN_ENROL, 1, true, 2 },
};

static void
gate_row(void **state)
{
	const struct gate_row *r = *state;
	struct policy *p = given_policy("[]\n", "gates.yaml", r->gates);
	struct policy_needs needs = policy_gate(p, r->kind, r->targets);

	assert_int_equal(r->code, needs.code);
	assert_int_equal(r->approvals, needs.approvals);
	policy_free(p);
}

static void
P5_7_default_deny_without_a_file_of_gates(void **state)
{
	struct policy *p = given_policy("[]\n", NULL, NULL);

	(void)state;
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++) {
		struct policy_needs needs = policy_gate(p, (enum action_kind)i, 1);

		assert_true(needs.code);
		assert_int_equal(2, needs.approvals);
	}
	policy_free(p);
}

/* What the shipped gates ask of each action, for one person and for many. */
static void
the_shipped_gates(void **state)
{
	static const int64_t approvals[ACTION_KIND_COUNT] = {
		[ACTION_REVOKE] = 0, [ACTION_SUSPEND] = 0, [ACTION_RESUME] = 0, [ACTION_REINSTATE] = 1,
		[ACTION_IDENTIFY] = 0, [ACTION_GRANT] = 0, [ACTION_UNGRANT] = 0, [ACTION_CREDENTIAL_ISSUE] = 1,
		[ACTION_BRAKE_RELEASE] = 1, [ACTION_POLICY_APPLY] = 1, [ACTION_CLIENT_ADD] = 1,
		[ACTION_CLIENT_RENEW] = 1, [ACTION_CLIENT_REMOVE] = 1, [ACTION_ADMIN_ENROL] = 1,
		[ACTION_ADMIN_UNLOCK] = 0, [ACTION_ADMIN_REMOVE] = 1, [ACTION_SYNC_RUN] = 0,
		[ACTION_REVIEW_CONFIRM] = 0, [ACTION_REVIEW_DROP] = 0,
	};
	struct policy *p = given_shipped();

	(void)state;
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++) {
		struct policy_needs one = policy_gate(p, (enum action_kind)i, 1);
		struct policy_needs many = policy_gate(p, (enum action_kind)i, 51);

		if (!one.code || one.approvals != approvals[i])
			fail_msg("%s: code %d, approvals %lld", action_kind_name((enum action_kind)i), one.code,
			    (long long)one.approvals);
		assert_true(many.code);
		assert_int_equal(2, many.approvals);
	}
	policy_free(p);
}

/* --- Administrators ----------------------------------------------------------------------------------- */

static const char desks[] =
    "- {role: sales-desk, may: [revoke, read.people], scope: (department=Sales)}\n"
    "- {role: chief, may: [admin.enrol]}\n";

static struct may_row {
	const char *name, *role, *permission;
	bool may;
} may_rows[] = {
	{ "what a role lists, it may", "sales-desk", "revoke", true },
	{ "P5_7_default_deny_what_a_role_does_not_list", "sales-desk", "suspend", false },
	{ "P5_7_default_deny_what_another_role_lists", "sales-desk", "admin.enrol", false },
	{ "P5_7_default_deny_a_role_that_is_not_there", "root", "revoke", false },
	{ "P5_7_default_deny_a_role_without_a_name", "", "revoke", false },
	{ "P5_7_default_deny_a_permission_that_is_not_there", "chief", "everything", false },
	{ "P5_7_default_deny_there_is_no_permission_for_all", "chief", "*", false },
	{ "P5_7_default_deny_half_a_permission", "sales-desk", "read", false },
};

static void
may_row(void **state)
{
	const struct may_row *r = *state;
	struct policy *p = given_policy("[]\n", "administrators.yaml", desks);

	assert_int_equal(r->may, policy_admin_may(p, r->role, r->permission));
	policy_free(p);
}

static struct reach_row {
	const char *name, *role, *facts;
	bool reaches;
} reach_rows[] = {
	{ "a scope holds", "sales-desk", "department=Sales", true },
	{ "a scope does not hold", "sales-desk", "department=Finance", false },
	{ "a scope over people of whom nothing is known", "sales-desk", "", false },
	{ "no scope is everybody", "chief", "department=Finance", true },
	{ "P5_7_default_deny_no_role_reaches_nobody", "root", "department=Sales", false },
};

static void
reach_row(void **state)
{
	const struct reach_row *r = *state;
	struct policy *p = given_policy("[]\n", "administrators.yaml", desks);
	MU_AUTO(attrs_clear) struct attrs attrs = ATTRS_INIT;
	MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
	struct facts facts = { &attrs, &groups, NULL, NULL };

	given_facts(r->facts, &attrs, &groups);
	assert_int_equal(r->reaches, policy_admin_reaches(p, r->role, &facts));
	policy_free(p);
}

static void
P5_7_default_deny_without_a_file_of_administrators(void **state)
{
	struct policy *p = given_policy("[]\n", NULL, NULL);
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;

	(void)state;
	policy_admin_names(p, &names);
	assert_string_equal("", mu_buf_text(&names));
	assert_false(policy_admin_exists(p, "administrator"));
	assert_false(policy_admin_may(p, "administrator", "read.status"));
	policy_free(p);
}

/* Each shipped role has these permissions and no others. */
static void
P5_7_least_privilege_of_the_shipped_roles(void **state)
{
	static const struct {
		const char *role, *may;
	} wants[] = {
		{ "administrator", "admin.enrol admin.remove admin.unlock approve brake.release client.add "
		    "client.remove client.renew credential.issue grant identify job policy.apply "
		    "read.accounts read.administrators read.audit read.clients read.people read.reviews "
		    "read.status reinstate resume review.confirm review.drop revoke suspend sync.run ungrant" },
		{ "user-admin", "approve credential.issue grant identify read.accounts read.people "
		    "read.reviews read.status reinstate resume review.confirm review.drop revoke suspend "
		    "ungrant" },
		{ "helpdesk", "credential.issue read.accounts read.people read.status revoke suspend" },
		{ "approver", "approve read.people read.status" },
		{ "auditor", "read.accounts read.administrators read.audit read.clients read.people read.reviews "
		    "read.status" },
	};
	struct policy *p = given_shipped();
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;

	(void)state;
	policy_admin_names(p, &names);
	assert_string_equal("administrator, user-admin, helpdesk, approver, auditor", mu_buf_text(&names));
	for (size_t i = 0; i < MU_COUNT(wants); i++) {
		MU_AUTO(strings_clear) struct strings want = STRINGS_INIT;

		given_names(wants[i].may, &want);
		assert_true(policy_admin_exists(p, wants[i].role));
		for (size_t k = 0; permission_at(k) != NULL; k++)
			if (strings_has(&want, permission_at(k)) !=
			    policy_admin_may(p, wants[i].role, permission_at(k)))
				fail_msg("%s and %s", wants[i].role, permission_at(k));
	}
	policy_free(p);
}

/* --- Files with faults -------------------------------------------------------------------------------- */

#define ACTIONS "revoke, suspend, resume, reinstate, identify, grant, ungrant, credential.issue, brake.release, " \
    "policy.apply, client.add, client.renew, client.remove, admin.enrol, admin.unlock, admin.remove, sync.run, " \
    "review.confirm, review.drop"

static struct fault_row {
	const char *name, *file, *text, *want;	/* every line that is said */
} fault_rows[] = {
	{ "P5_11_the_gate_of_policy_is_not_weakened_by_approvals", "gates.yaml",
	    "- {actions: [policy.apply], code: required}\n",
	    "gates.yaml:1:14: weakens the gate of policy.apply: it needs a code and at least 1 approval\n" },
	{ "P5_11_the_gate_of_policy_is_not_weakened_by_its_code", "gates.yaml",
	    "- {actions: [policy.apply], code: none, approvals: 2}\n",
	    "gates.yaml:1:14: weakens the gate of policy.apply: it needs a code and at least 1 approval\n" },
	{ "P5_11_nor_where_it_stands_among_others", "gates.yaml",
	    "- actions: [revoke, admin.enrol, brake.release]\n  code: required\n",
	    "gates.yaml:1:21: weakens the gate of admin.enrol: it needs a code and at least 1 approval\n"
	    "gates.yaml:1:34: weakens the gate of brake.release: it needs a code and at least 1 approval\n" },
	{ "P5_11_nor_under_a_condition", "gates.yaml",
	    "- {actions: [reinstate], when: {targets_over: 9}, code: required}\n",
	    "gates.yaml:1:14: weakens the gate of reinstate: it needs a code and at least 1 approval\n" },
	{ "P5_11_nor_beside_a_stricter_row", "gates.yaml",
	    "- {actions: [admin.remove], code: required, approvals: 2}\n- {actions: [admin.remove], code: required}\n",
	    "gates.yaml:2:14: weakens the gate of admin.remove: it needs a code and at least 1 approval\n" },
	{ "every named action needs a code", "gates.yaml", "- {actions: [revoke], approvals: 2}\n",
	    "gates.yaml:1:14: weakens the gate of revoke: it needs a code\n" },
	{ "an action that there is not", "gates.yaml", "- {actions: [revok], code: required}\n",
	    "gates.yaml:1:14: no action is called \"revok\": there are " ACTIONS ", and \"*\" for all\n" },
	{ "a read is no action", "gates.yaml", "- {actions: [read.audit], code: required}\n",
	    "gates.yaml:1:14: no action is called \"read.audit\": there are " ACTIONS ", and \"*\" for all\n" },
	{ "a row for nothing", "gates.yaml", "- {actions: [], code: required}\n",
	    "gates.yaml:1:13: this row is for no action: name some, or \"*\" for all\n" },
	{ "needs that cannot be read are one fault, not two", "gates.yaml",
	    "- {actions: [policy.apply], code: maybe, approvals: 1}\n",
	    "gates.yaml:1:35: 'maybe' is not known here: it can be required, none\n" },
	{ "approvals by halves", "gates.yaml", "- {actions: [policy.apply], code: required, approvals: 0.5}\n",
	    "gates.yaml:1:56: '0.5' must be a whole number from 0 to 10 approvals\n" },
	{ "P5_7_no_wildcard_among_permissions", "administrators.yaml", "- {role: a, may: [\"*\"]}\n",
	    "administrators.yaml:1:19: no permission is called \"*\": list each that the role needs, of " ACTIONS
	    ", approve, job, read.accounts, read.administrators, read.audit, read.clients, read.people, read.reviews, "
	    "read.status\n" },
	{ "a permission that there is not", "administrators.yaml", "- {role: a, may: [revoke, read.everything]}\n",
	    "administrators.yaml:1:27: no permission is called \"read.everything\": list each that the role needs, of "
	    ACTIONS ", approve, job, read.accounts, read.administrators, read.audit, read.clients, read.people, "
	    "read.reviews, read.status\n" },
	{ "a role that may nothing", "administrators.yaml", "- {role: a, may: []}\n",
	    "administrators.yaml:1:18: this role may do nothing: name its permissions, or drop it\n" },
	{ "a role without permissions", "administrators.yaml", "- {role: a}\n",
	    "administrators.yaml:1:3: 'may' is missing here\n" },
	{ "a role twice", "administrators.yaml", "- {role: a, may: [revoke]}\n- {role: a, may: [suspend]}\n",
	    "administrators.yaml:2:3: role a stands here a second time\n" },
	{ "a scope that is no filter", "administrators.yaml", "- {role: a, may: [revoke], scope: \"(uid\"}\n",
	    "administrators.yaml:1:35: filter, byte 5: expected one of = ~= >= <= behind the attribute's name\n" },
	{ "a scope over what no directory says", "administrators.yaml",
	    "- {role: a, may: [revoke], scope: (shoeSize=9)}\n",
	    "administrators.yaml:1:35: filter, byte 2: unknown attribute 'shoeSize': filters ask for the names on the "
	    "left of the attribute map, for group and for source\n" },
	{ "a key that a role does not have", "administrators.yaml", "- {role: a, may: [revoke], until: 8h}\n",
	    "administrators.yaml:1:28: unknown key 'until': it can be scope, conflicts\n" },
	{ "a file that is no part of a policy", "administrator.yaml", "[]\n",
	    "administrator.yaml: unknown policy file: did you mean administrators.yaml?\n" },
};

static void
fault_row(void **state)
{
	const struct fault_row *r = *state;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	struct policy *p = NULL;

	assert_int_equal(MU_EINPUT, given_parse("[]\n", r->file, r->text, given_attr_known, &faults, &p));
	config_faults_format(&faults, &got);
	assert_string_equal(r->want, mu_buf_text(&got));
	config_faults_clear(&faults);
}

static void
conflicts_are_with_roles_that_exist(void **state)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	struct policy *p = NULL;

	(void)state;
	assert_int_equal(MU_EINPUT, given_parse("- role: a\n  gives: [{platform: x, account: true}]\n"
		"  birthright: (uid=a)\n  conflicts: [b, auditr]\n- role: b\n"
		"  gives: [{platform: x, account: true}]\n  birthright: (&(uid=b)(!(uid=a)))\n", NULL, NULL, NULL, &faults,
		&p));
	config_faults_format(&faults, &got);
	assert_string_equal("roles.yaml:4:18: no role \"auditr\" in roles.yaml to conflict with\n", mu_buf_text(&got));
	config_faults_clear(&faults);
}

static void
without_a_map_any_attribute_may_stand_in_filters(void **state)
{
	struct policy *p = given_policy("- {role: a, gives: [{platform: x, account: true}], birthright: (shoeSize=9)}\n",
	    "states.yaml", "{starts: firstDay, suspended: (mood=bad)}\n");

	(void)state;
	policy_free(p);
}

static bool
is_xmpp(const void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "xmpp") == 0;
}

static void
platforms_that_are_not_configured_are_named_by_place(void **state)
{
	struct policy_file files[] = {
		{ (char *)(uintptr_t)"gates.yaml", (char *)(uintptr_t)"- gives: [{platform: not-roles}]\n" },
		{ (char *)(uintptr_t)"roles.yaml", (char *)(uintptr_t)"- role: a\n  gives: [{platform: xmpp}, {platform: xmmp}]\n"
		    "- role: b\n  gives: [{platform: sip, account: true}]\n  birthright: (uid=\n- 7\n" },
	};
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;

	(void)state;
	policy_platforms_check(files, MU_COUNT(files), is_xmpp, NULL, &faults);
	config_faults_format(&faults, &got);
	assert_string_equal("roles.yaml:2:40: no platform xmmp in the configuration: add it there, or drop what is given on"
	    " it\nroles.yaml:4:22: no platform sip in the configuration: add it there, or drop what is given on it\n",
	    mu_buf_text(&got));
	config_faults_clear(&faults);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(gate_rows) + MU_COUNT(may_rows) + MU_COUNT(reach_rows) +
	    MU_COUNT(fault_rows) + 7];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(gate_rows); i++)
		tests[count++] = (struct CMUnitTest){ gate_rows[i].name, gate_row, NULL, NULL, &gate_rows[i] };
	for (size_t i = 0; i < MU_COUNT(may_rows); i++)
		tests[count++] = (struct CMUnitTest){ may_rows[i].name, may_row, NULL, NULL, &may_rows[i] };
	for (size_t i = 0; i < MU_COUNT(reach_rows); i++)
		tests[count++] = (struct CMUnitTest){ reach_rows[i].name, reach_row, NULL, NULL, &reach_rows[i] };
	for (size_t i = 0; i < MU_COUNT(fault_rows); i++)
		tests[count++] = (struct CMUnitTest){ fault_rows[i].name, fault_row, NULL, NULL, &fault_rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_7_default_deny_without_a_file_of_gates);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_shipped_gates);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_7_default_deny_without_a_file_of_administrators);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_7_least_privilege_of_the_shipped_roles);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(conflicts_are_with_roles_that_exist);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(platforms_that_are_not_configured_are_named_by_place);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(without_a_map_any_attribute_may_stand_in_filters);
	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
