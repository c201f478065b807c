/*
 * action_test.c - actions and permissions by name, and the floor that no policy goes below
 */
#include "model/action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

static struct row {
	const char *name;
	enum action_kind kind;
	int approvals;			/* of the floor; each needs a code */
} rows[] = {	/* each by its own name: what is written in documents and files */
	{ "revoke", ACTION_REVOKE, 0 },
	{ "suspend", ACTION_SUSPEND, 0 },
	{ "resume", ACTION_RESUME, 0 },
	{ "reinstate", ACTION_REINSTATE, 1 },
	{ "identify", ACTION_IDENTIFY, 0 },
	{ "grant", ACTION_GRANT, 0 },
	{ "ungrant", ACTION_UNGRANT, 0 },
	{ "credential.issue", ACTION_CREDENTIAL_ISSUE, 0 },
	{ "brake.release", ACTION_BRAKE_RELEASE, 1 },
	{ "policy.apply", ACTION_POLICY_APPLY, 1 },
	{ "client.add", ACTION_CLIENT_ADD, 0 },
	{ "client.renew", ACTION_CLIENT_RENEW, 0 },
	{ "client.remove", ACTION_CLIENT_REMOVE, 0 },
	{ "admin.enrol", ACTION_ADMIN_ENROL, 1 },
	{ "admin.unlock", ACTION_ADMIN_UNLOCK, 0 },
	{ "admin.remove", ACTION_ADMIN_REMOVE, 1 },
	{ "sync.run", ACTION_SYNC_RUN, 0 },
	{ "review.confirm", ACTION_REVIEW_CONFIRM, 0 },
	{ "review.drop", ACTION_REVIEW_DROP, 0 },
};

static void
action_row(void **state)
{
	const struct row *r = *state;
	enum action_kind kind = r->kind == ACTION_REVOKE ? ACTION_SUSPEND : ACTION_REVOKE;

	assert_string_equal(r->name, action_kind_name(r->kind));
	assert_true(action_kind_parse(r->name, &kind));
	assert_int_equal(r->kind, kind);
	assert_true(permission_valid(r->name));
	assert_true(action_floor(r->kind).code);
	assert_int_equal(r->approvals, action_floor(r->kind).approvals);
}

static void
every_action_has_a_row_here(void **state)
{
	(void)state;
	assert_int_equal(ACTION_KIND_COUNT, MU_COUNT(rows));
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++)
		assert_int_equal(i, rows[i].kind);
}

static struct no_row {
	const char *name, *text;
	bool permission;		/* though no action */
} no_rows[] = {
	{ "no name", "", false },
	{ "P5_7_no_wildcard", "*", false },
	{ "P5_7_no_wildcard_over_a_kind", "read.*", false },
	{ "half a name", "credential", false },
	{ "another case", "Revoke", false },
	{ "a blank behind", "revoke ", false },
	{ "to approve is a permission and no action", "approve", true },
	{ "so is a job", "job", true },
	{ "so is to read accounts", "read.accounts", true },
	{ "so is to read administrators", "read.administrators", true },
	{ "so is to read the audit", "read.audit", true },
	{ "so is to read clients", "read.clients", true },
	{ "so is to read people", "read.people", true },
	{ "so is to read reviews", "read.reviews", true },
	{ "so is to read the status", "read.status", true },
};

static void
no_action_row(void **state)
{
	const struct no_row *r = *state;
	enum action_kind kind = ACTION_SYNC_RUN;

	assert_false(action_kind_parse(r->text, &kind));
	assert_int_equal(ACTION_SYNC_RUN, kind);
	assert_int_equal(r->permission, permission_valid(r->text));
}

static void
permissions_are_the_actions_and_nine_more(void **state)
{
	size_t count = 0;

	(void)state;
	while (permission_at(count) != NULL)
		count++;
	assert_int_equal(ACTION_KIND_COUNT + 9, count);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(permission_at(i), permission_at(k));
	assert_null(permission_at((size_t)-1));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + MU_COUNT(no_rows) + 2];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, action_row, NULL, NULL, &rows[i] };
	for (size_t i = 0; i < MU_COUNT(no_rows); i++)
		tests[count++] = (struct CMUnitTest){ no_rows[i].name, no_action_row, NULL, NULL, &no_rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_action_has_a_row_here);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(permissions_are_the_actions_and_nine_more);
	return cmocka_run_group_tests_name("action", tests, NULL, NULL);
}
