/*
 * cases_test.c - cases: the shipped ones hold and notice every change of a role, others say what is not so
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "given.h"

#define NOW_S 1800000000	/* 2027-01-15 */

/* --- The shipped cases ---------------------------------------------------------------------------------- */

/* Runs all files of policies/cases against p; a fault in one fails the test. */
static struct policy_cases_result
shipped_run(const struct policy *p, struct mu_buf *out)
{
	struct policy_cases_result all = { 0, 0 };
	struct policy_folder folder = { .file_count = 0 };
	struct mu_err err = MU_ERR_INIT;

	if (policy_cases_read(SOURCE_DIR "/policies", &folder, &err) != MU_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < folder.file_count; i++) {
		struct config_faults faults = CONFIG_FAULTS_INIT;
		struct policy_cases_result one;
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

		assert_int_equal(0, strncmp(folder.files[i].name, "cases/", 6));
		if (policy_cases_run(p, &folder.files[i], NOW_S, &faults, out, &one, &err) != MU_OK) {
			config_faults_format(&faults, &text);
			fail_msg("%s", text.data);
		}
		all.passed += one.passed;
		all.failed += one.failed;
	}
	policy_folder_clear(&folder);
	return all;
}

static void
the_shipped_cases_hold(void **state)
{
	struct policy *p = given_shipped();
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	struct policy_cases_result result = shipped_run(p, &out);

	(void)state;
	if (result.failed > 0)
		fail_msg("%s", out.data);
	assert_true(result.passed >= 20);
	policy_free(p);
}

/* roles.yaml with the filter of the role-th role made another; false: there are no more. */
static bool
role_bend(struct policy_file *file, size_t role, const char *filter)
{
	static const char *const keys[] = { "\n  birthright: ", "\n  requestable: " };
	char *at = file->content;
	MU_AUTO(mu_buf_clear) struct mu_buf bent = MU_BUF_INIT;

	for (size_t i = 0; at != NULL && i <= role; i++) {
		at = strstr(at, "\n- role: ");
		at = at == NULL ? NULL : at + 1;
	}
	if (at == NULL)
		return false;
	for (size_t i = 0; i < MU_COUNT(keys); i++) {
		char *key = strstr(at, keys[i]), *next = strstr(at, "\n- role: ");

		if (key == NULL || (next != NULL && key > next))
			continue;
		key += strlen(keys[i]);
		mu_buf_add(&bent, file->content, (size_t)(key - file->content));
		mu_buf_text_add(&bent, filter);
		mu_buf_text_add(&bent, strchr(key, '\n'));
		mu_free(file->content);
		file->content = mu_strdup(bent.data);
		return true;
	}
	fail_msg("a role without a filter: %s", at);
	return false;
}

/* Whichever role is given to everybody, or to nobody, a case says no. */
static void
every_shipped_role_has_cases_both_ways(void **state)
{
	static const char *const filters[] = { "(&)", "(|)" };
	size_t bent = 0;

	(void)state;
	for (size_t role = 0;; role++)
		for (size_t f = 0; f < MU_COUNT(filters); f++) {
			struct policy_folder folder = { .file_count = 0 };
			struct config_faults faults = CONFIG_FAULTS_INIT;
			struct policy *p = NULL;
			struct mu_err err = MU_ERR_INIT;
			MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
			size_t i = 0;

			assert_int_equal(MU_OK, policy_folder_read(SOURCE_DIR "/policies", &folder, &err));
			while (strcmp(folder.files[i].name, "roles.yaml") != 0)
				i++;
			if (!role_bend(&folder.files[i], role, filters[f])) {
				policy_folder_clear(&folder);
				assert_int_equal(30, bent);
				return;
			}
			assert_int_equal(MU_OK, policy_parse(folder.files, folder.file_count, given_attr_known,
			    NULL, &faults, &p, &err));
			if (shipped_run(p, &out).failed == 0)
				fail_msg("no case minds that role %zu is %s", role + 1,
				    f == 0 ? "everybody's" : "nobody's");
			bent++;
			policy_free(p);
			policy_folder_clear(&folder);
		}
}

static void
a_folder_without_cases_has_none(void **state)
{
	struct policy_folder folder = { .file_count = 7 };
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, policy_cases_read(SOURCE_DIR "/sql", &folder, &err));
	assert_int_equal(0, folder.file_count);
	policy_folder_clear(&folder);
}

/* --- Verdicts ----------------------------------------------------------------------------------------------- */

static const char roles[] =
    "- role: chat\n"
    "  gives: [{platform: xmpp, account: true, groups: [all]}]\n"
    "  birthright: (|(employeeType=staff)(mail=b@example.org)(group=Night Watch))\n"
    "- role: sales\n"
    "  gives: [{platform: xmpp, groups: [sales]}]\n"
    "  birthright: (department=Sales)\n"
    "  identified: hr-verified\n"
    "- role: moderator\n"
    "  gives: [{platform: xmpp, rooms: [ops], level: moderator}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 8h\n";

static const char states[] = "{suspended: (employeeStatus=away), starts: startDate, ends: endDate}\n";

#define PERSON(facts, rest) "- {name: a, person: {" facts "}" rest "}\n"

static struct row {
	const char *name, *text, *said;
	size_t passed, failed;
} rows[] = {
	{ "no cases", "[]\n", "", 0, 0 },
	{ "as expected", PERSON("employeeType: staff", ", expect: {roles: [chat], accounts: {xmpp: enabled}}"),
	    "ok a\n", 1, 0 },
	{ "roles that are not held",
	    PERSON("employeeType: staff", ", expect: {roles: [chat, sales], accounts: {xmpp: enabled}}"),
	    "not ok a: expected roles [chat, sales], have [chat]\n", 0, 1 },
	{ "roles that nobody expected", PERSON("employeeType: staff", ", expect: {roles: [], accounts: {xmpp: enabled}}"),
	    "not ok a: expected roles [], have [chat]\n", 0, 1 },
	{ "an account that nobody expected", PERSON("employeeType: staff", ", expect: {roles: [chat], accounts: {}}"),
	    "not ok a: expected no account on xmpp, have enabled\n", 0, 1 },
	{ "an account in another state",
	    PERSON("employeeType: staff", ", expect: {roles: [chat], accounts: {xmpp: disabled}}"),
	    "not ok a: expected account on xmpp disabled, have enabled\n", 0, 1 },
	{ "an account that is not there", PERSON("uid: x", ", expect: {roles: [], accounts: {xmpp: enabled}}"),
	    "not ok a: expected account on xmpp enabled, have absent\n", 0, 1 },
	{ "waiting is to be said", PERSON("department: Sales", ", expect: {roles: [], accounts: {xmpp: absent}}"),
	    "not ok a: expected waiting [], have [sales]\n", 0, 1 },
	{ "and is said", PERSON("department: Sales", ", expect: {roles: [], waiting: [sales], accounts: {}}"), "ok a\n",
	    1, 0 },
	{ "granted is to be said",
	    PERSON("employeeType: staff", ", granted: [moderator], expect: {roles: [chat], accounts: {xmpp: enabled}}"),
	    "not ok a: expected granted [], have [moderator]\n", 0, 1 },
	{ "and is said", PERSON("employeeType: staff",
	    ", granted: [moderator], expect: {roles: [chat], granted: [moderator], accounts: {xmpp: enabled}}"),
	    "ok a\n", 1, 0 },
	{ "refused and held", PERSON("employeeType: staff",
	    ", expect: {roles: [chat], refused: [chat, sales], accounts: {xmpp: enabled}}"),
	    "not ok a: expected role chat to be refused, have it\n", 0, 1 },
	{ "refused and granted", PERSON("employeeType: staff", ", granted: [moderator], "
	    "expect: {roles: [chat], granted: [moderator], refused: [moderator], accounts: {xmpp: enabled}}"),
	    "not ok a: expected role moderator to be refused, have it\n", 0, 1 },
	{ "rights, all of them", PERSON("employeeType: staff", ", granted: [moderator], expect: {roles: [chat], "
	    "granted: [moderator], accounts: {xmpp: enabled}, rights: {xmpp: [room ops moderator, group all]}}"),
	    "ok a\n", 1, 0 },
	{ "rights that differ", PERSON("employeeType: staff", ", granted: [moderator], expect: {roles: [chat], "
	    "granted: [moderator], accounts: {xmpp: enabled}, rights: {xmpp: [room ops owner]}}"),
	    "not ok a: expected rights on xmpp [room ops owner], have [group all, room ops moderator]\n", 0, 1 },
	{ "rights of nobody", PERSON("uid: x", ", expect: {roles: [], accounts: {xmpp: absent}, rights: {xmpp: [group a]}}"),
	    "not ok a: expected rights on xmpp [group a], have []\n", 0, 1 },
	{ "the level reached", PERSON("employeeType: staff",
	    ", identified: in-person, expect: {roles: [chat], accounts: {xmpp: enabled}, identified: hr-verified}"),
	    "not ok a: expected identification hr-verified, have in-person\n", 0, 1 },
	{ "no level", PERSON("employeeType: staff",
	    ", identified: none, expect: {roles: [chat], accounts: {xmpp: enabled}, identified: none}"), "ok a\n", 1, 0 },
	{ "all that is not so stands in one line", PERSON("employeeType: staff",
	    ", blocked: true, expect: {roles: [chat], accounts: {xmpp: enabled}, identified: in-person}"),
	    "not ok a: expected roles [chat], have []; expected account on xmpp enabled, have absent; "
	    "expected identification in-person, have none\n", 0, 1 },
	{ "several values", PERSON("mail: [a@example.org, b@example.org]",
	    ", expect: {roles: [chat], accounts: {xmpp: enabled}}"), "ok a\n", 1, 0 },
	{ "groups", PERSON("uid: x", ", groups: [Night Watch], expect: {roles: [chat], accounts: {xmpp: enabled}}"),
	    "ok a\n", 1, 0 },
	{ "the state that is given", PERSON("employeeType: staff",
	    ", state: leaver, expect: {roles: [], accounts: {}, state: leaver}"), "ok a\n", 1, 0 },
	{ "suspended by what the directory says", PERSON("employeeStatus: away",
	    ", expect: {roles: [], accounts: {}, state: suspended}"), "ok a\n", 1, 0 },
	{ "to start a second from now", PERSON("startDate: 20270115080001Z",
	    ", expect: {roles: [], accounts: {}, state: staged}"), "ok a\n", 1, 0 },
	{ "started now", PERSON("startDate: 20270115080000Z", ", expect: {roles: [], accounts: {}, state: active}"),
	    "ok a\n", 1, 0 },
	{ "ended now", PERSON("endDate: 20270115080000Z", ", expect: {roles: [], accounts: {}, state: leaver}"),
	    "ok a\n", 1, 0 },
	{ "to end a second from now", PERSON("endDate: 20270115080001Z",
	    ", expect: {roles: [], accounts: {}, state: active}"), "ok a\n", 1, 0 },
	{ "another state than expected", PERSON("uid: x", ", expect: {roles: [], accounts: {}, state: staged}"),
	    "not ok a: expected state staged, have active\n", 0, 1 },
	{ "one of two",
	    "- {name: a, person: {}, expect: {roles: [], accounts: {}}}\n"
	    "- {name: b c, person: {}, expect: {roles: [chat], accounts: {}}}\n",
	    "ok a\nnot ok b c: expected roles [chat], have []\n", 1, 1 },
};

static enum mu_rc
run(const char *text, struct config_faults *faults, struct mu_buf *out, struct policy_cases_result *out_result)
{
	struct policy *p = given_policy(roles, "states.yaml", states);
	struct policy_file file = { mu_strdup("cases/x.yaml"), mu_strdup(text) };
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = policy_cases_run(p, &file, NOW_S, faults, out, out_result, &err);

	mu_free(file.name);
	mu_free(file.content);
	policy_free(p);
	return rc;
}

static void
verdict_row(void **state)
{
	const struct row *r = *state;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct policy_cases_result result = { 99, 99 };
	enum mu_rc rc = run(r->text, &faults, &out, &result);

	config_faults_format(&faults, &text);
	config_faults_clear(&faults);
	if (rc != MU_OK)
		fail_msg("%s", mu_buf_text(&text));
	assert_string_equal(r->said, mu_buf_text(&out));
	assert_int_equal(r->passed, result.passed);
	assert_int_equal(r->failed, result.failed);
}

/* --- Faults ---------------------------------------------------------------------------------------------------- */

#define EXPECT ", expect: {roles: [], accounts: {}}"

static struct fault_row {
	const char *name, *text, *want;		/* every line that is said, without the file */
} fault_rows[] = {
	{ "no list", "{}\n", ":1:1: this must be a list, not a map\n" },
	{ "what a case must have", "- {}\n",
	    ":1:3: 'name' is missing here\n:1:3: 'person' is missing here\n:1:3: 'expect' is missing here\n" },
	{ "what an expectation must have", PERSON("", ", expect: {}"),
	    ":1:33: 'roles' is missing here\n:1:33: 'accounts' is missing here\n" },
	{ "a slip of the pen", PERSON("", EXPECT ", blokced: true"), ":1:60: unknown key 'blokced': did you mean 'blocked'?\n" },
	{ "a role that is refused because there is none",
	    PERSON("", ", expect: {roles: [], accounts: {}, refused: [moderater]}"),
	    ":1:69: no role \"moderater\" in roles.yaml\n" },
	{ "a grant of a role that there is not", PERSON("", ", granted: [root]" EXPECT),
	    ":1:35: no role \"root\" in roles.yaml\n" },
	{ "a platform that is absent because there is none",
	    PERSON("", ", expect: {roles: [], accounts: {xmmp: absent}}"),
	    ":1:56: no role gives anything on a platform \"xmmp\"\n" },
	{ "a level that there is not", PERSON("", ", identified: dna" EXPECT),
	    ":1:37: no level \"dna\" in identification.yaml\n" },
	{ "rights where accounts are not spoken of",
	    PERSON("", ", expect: {roles: [], accounts: {}, rights: {xmpp: []}}"),
	    ":1:68: accounts says nothing of xmpp: say what becomes of it there\n" },
	{ "a right that is none", PERSON("", ", expect: {roles: [], accounts: {xmpp: absent}, rights: {xmpp: [club a]}}"),
	    ":1:87: \"club a\" is no right: write group NAME, or room NAME LEVEL\n" },
	{ "a room at two levels", PERSON("", ", expect: {roles: [], accounts: {xmpp: absent}, "
	    "rights: {xmpp: [room a owner, room a member]}}"), ":1:101: \"room a member\" stands at two levels: one is held\n" },
	{ "groups among attributes", PERSON("Group: x", EXPECT),
	    ":1:22: groups stand beside the person, as groups: [a, b]\n" },
	{ "a date that is none", PERSON("endDate: tomorrow", EXPECT),
	    ":1:3: endDate is \"tomorrow\": need a GeneralizedTime with its zone, as 20270101080000Z\n" },
	{ "a case twice", PERSON("", EXPECT) PERSON("", EXPECT), ":2:3: the case \"a\" stands here a second time\n" },
	{ "a name that would be two lines", "- {name: \"a\\nok b\", person: {}" EXPECT "}\n", 
	    ":1:10: this text holds a line break or control character: over several lines, write it behind >-\n" },
};

static void
fault_row(void **state)
{
	const struct fault_row *r = *state;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf want = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	struct policy_cases_result result;

	assert_int_equal(MU_EINPUT, run(r->text, &faults, &out, &result));
	assert_string_equal("", mu_buf_text(&out));
	config_faults_format(&faults, &got);
	config_faults_clear(&faults);
	for (const char *line = r->want; *line != '\0'; line = strchr(line, '\n') + 1)
		mu_buf_format(&want, "cases/x.yaml%.*s\n", (int)(strchr(line, '\n') - line), line);
	assert_string_equal(mu_buf_text(&want), mu_buf_text(&got));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + MU_COUNT(fault_rows) + 3];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, verdict_row, NULL, NULL, &rows[i] };
	for (size_t i = 0; i < MU_COUNT(fault_rows); i++)
		tests[count++] = (struct CMUnitTest){ fault_rows[i].name, fault_row, NULL, NULL, &fault_rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_shipped_cases_hold);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_shipped_role_has_cases_both_ways);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_folder_without_cases_has_none);
	return cmocka_run_group_tests_name("cases", tests, NULL, NULL);
}
