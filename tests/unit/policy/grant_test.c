/*
 * grant_test.c - requested grants: who may have one, when it works, and why or why not in words
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "given.h"

static const char roles[] =
    "- role: chat\n"
    "  gives: [{platform: xmpp, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: audit\n"
    "  gives: [{platform: xmpp, groups: [audit]}, {platform: xmpp, rooms: [books]}]\n"
    "  birthright: (department=Audit)\n"
    "  identified: hr-verified\n"
    "- role: moderator\n"
    "  gives: [{platform: xmpp, rooms: [ops], level: moderator}]\n"
    "  requestable: (|(department=Operations)(department=Audit))\n"
    "  longest: 8h\n"
    "  approvals: 1\n"
    "  conflicts: [audit]\n"
    "- role: owner\n"
    "  gives: [{platform: xmpp, rooms: [ops], level: owner}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 1h\n"
    "  identified: in-person\n"
    "- role: reporter\n"
    "  gives: [{platform: xmpp, rooms: [ops]}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 1h\n"
    "  conflicts: [moderator]\n"
    "- role: visitor\n"
    "  gives: [{platform: sip, account: true}]\n"
    "  requestable: (employeeType=guest)\n"
    "  longest: 2h\n";

/* Who is asked about, in a row. */
struct who {
	const char *facts, *granted, *identified;
	enum person_state state;
	bool blocked;
	const char *kept;
};

struct person {
	struct attrs attrs;
	struct strings groups, granted, kept;
	struct policy_subject subject;
};

static void
person_make(const struct who *who, struct person *p)
{
	*p = (struct person){ .subject = { .state = who->state, .blocked = who->blocked } };
	given_facts(who->facts, &p->attrs, &p->groups);
	given_names(who->granted, &p->granted);
	given_names(who->kept == NULL ? "" : who->kept, &p->kept);
	p->subject.facts = (struct facts){ &p->attrs, &p->groups, NULL, NULL };
	p->subject.identified = who->identified;
	p->subject.granted = who->granted[0] == '\0' ? NULL : &p->granted;
	p->subject.kept = who->kept == NULL ? NULL : &p->kept;
}

static void
person_clear(struct person *p)
{
	attrs_clear(&p->attrs);
	strings_clear(&p->groups);
	strings_clear(&p->granted);
	strings_clear(&p->kept);
}

static void
names_print(const struct strings *s, struct mu_buf *b)
{
	for (size_t i = 0; i < s->count; i++)
		mu_buf_format(b, "%s%s", i == 0 ? "" : " ", s->list[i]);
}

/* --- What works ---------------------------------------------------------------------------------------- */

#define STAFF	"employeeType=staff "
#define OPS	STAFF "department=Operations"
#define ACTIVE	PERSON_ACTIVE, false, NULL

static struct decide_row {
	const char *name;
	struct who who;
	const char *roles, *granted, *rights;	/* rights: of all accounts, ';' between */
} decide_rows[] = {
	{ "a grant works like a birthright", { OPS, "moderator", "", ACTIVE }, "chat", "moderator",
	    "xmpp enabled;group all;room ops moderator;" },
	{ "P5_7_default_deny_without_a_grant", { OPS, "", "", ACTIVE }, "chat", "", "xmpp enabled;group all;" },
	{ "P5_7_default_deny_a_grant_of_a_role_that_is_not_there", { OPS, "root", "", ACTIVE }, "chat", "",
	    "xmpp enabled;group all;" },
	{ "P5_7_default_deny_a_grant_of_what_nobody_may_ask_for", { OPS, "audit", "in-person", ACTIVE }, "chat",
	    "", "xmpp enabled;group all;" },
	{ "a grant ends with the right to ask for it", { STAFF "department=Sales", "moderator", "", ACTIVE },
	    "chat", "", "xmpp enabled;group all;" },
	{ "P5_15_a_grant_waits_for_identification", { OPS " identityChecked=TRUE", "owner", "", ACTIVE }, "chat",
	    "", "xmpp enabled;group all;" },
	{ "identified in person, it works", { OPS, "owner", "in-person", ACTIVE }, "chat", "owner",
	    "xmpp enabled;group all;room ops owner;" },
	{ "of two grants the higher level in the room", { OPS, "moderator owner", "in-person", ACTIVE }, "chat",
	    "moderator owner", "xmpp enabled;group all;room ops owner;" },
	{ "P5_11_a_grant_yields_to_a_birthright_that_it_excludes",
	    { STAFF "department=Audit identityChecked=TRUE", "moderator", "", ACTIVE }, "audit chat", "",
	    "xmpp enabled;group all;group audit;room books member;" },
	{ "and works beside one that is not held yet", { STAFF "department=Audit", "moderator", "", ACTIVE },
	    "chat", "moderator", "xmpp enabled;group all;room ops moderator;" },
	{ "P5_11_of_two_grants_that_exclude_each_other_the_earlier_in_order_of_name",
	    { OPS, "reporter moderator", "", ACTIVE }, "chat", "moderator",
	    "xmpp enabled;group all;room ops moderator;" },
	{ "a grant that does not work excludes nobody",
	    { STAFF "department=Sales", "reporter moderator", "", ACTIVE }, "chat", "reporter",
	    "xmpp enabled;group all;room ops member;" },
	{ "a grant with an account opens it", { "employeeType=guest", "visitor", "", ACTIVE }, "", "visitor",
	    "sip enabled;" },
	{ "a grant without one opens none", { "department=Operations", "moderator", "", ACTIVE }, "", "moderator",
	    "" },
	{ "a grant that does not work opens none", { STAFF, "visitor", "", ACTIVE }, "chat", "",
	    "xmpp enabled;group all;" },
	{ "P5_3_a_leaver's_grants_give_nothing", { OPS, "moderator", "", PERSON_LEAVER, false, NULL }, "", "", "" },
	{ "nor do those of the suspended", { OPS, "moderator", "", PERSON_SUSPENDED, false, NULL }, "", "", "" },
	{ "nor do those of the blocked", { OPS, "moderator", "", PERSON_ACTIVE, true, NULL }, "", "", "" },
	{ "P5_10_what_the_brake_holds_is_kept_whatever_the_facts_say",
	    { "employeeType=none", "", "", PERSON_ACTIVE, false, "audit chat" }, "audit chat", "",
	    "xmpp enabled;group all;group audit;room books member;" },
	{ "but not for the blocked", { "employeeType=none", "", "", PERSON_ACTIVE, true, "audit chat" }, "", "",
	    "" },
	{ "and not where the policy has no such role",
	    { "employeeType=none", "", "", PERSON_ACTIVE, false, "root" }, "", "", "" },
};

static void
decide_row(void **state)
{
	const struct decide_row *r = *state;
	struct policy *p = given_policy(roles, NULL, NULL);
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	MU_AUTO(mu_buf_clear) struct mu_buf held = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf granted = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf rights = MU_BUF_INIT;
	struct person person;

	person_make(&r->who, &person);
	policy_decide(p, &person.subject, &d);
	names_print(&d.roles, &held);
	names_print(&d.granted, &granted);
	for (size_t i = 0; i < d.account_count; i++) {
		mu_buf_format(&rights, "%s %s\n", d.accounts[i].platform,
		    account_state_name(d.accounts[i].state));
		entitlements_format(&d.accounts[i].entitlements, &rights);
	}
	for (size_t i = 0; i < rights.size_bytes; i++)
		if (rights.data[i] == '\n')
			rights.data[i] = ';';
	assert_string_equal(r->roles, mu_buf_text(&held));
	assert_string_equal(r->granted, mu_buf_text(&granted));
	assert_string_equal(r->rights, mu_buf_text(&rights));
	person_clear(&person);
	policy_free(p);
}

/* --- What may be asked for ------------------------------------------------------------------------------ */

static struct request_row {
	const char *name;
	struct who who;
	const char *role;
	enum mu_rc want;
	const char *said;		/* all of the error */
	int64_t longest_s, approvals;
} request_rows[] = {
	{ "a role for them", { OPS, "", "", ACTIVE }, "moderator", MU_OK, "", 8 * 3600, 1 },
	{ "again, while it runs", { OPS, "moderator", "", ACTIVE }, "moderator", MU_OK, "", 8 * 3600, 1 },
	{ "before they are identified well enough: it will wait", { OPS, "", "", ACTIVE }, "owner", MU_OK, "",
	    3600, 0 },
	{ "a role that there is not", { OPS, "", "", ACTIVE }, "root", MU_EABSENT,
	    "the policy has no role \"root\": those that can be granted are moderator, owner, reporter, visitor",
	    0, 0 },
	{ "P5_11_a_birthright_cannot_be_asked_for", { OPS, "", "", ACTIVE }, "audit", MU_EDENIED,
	    "role audit is not requestable: it comes by birthright alone", 0, 0 },
	{ "P5_11_nor_a_role_that_is_not_for_them", { STAFF, "", "", ACTIVE }, "moderator", MU_EDENIED,
	    "role moderator is not for them: (|(department=Operations)(department=Audit)) does not hold", 0, 0 },
	{ "P5_11_nor_one_that_excludes_what_they_hold",
	    { STAFF "department=Audit identityChecked=TRUE", "", "", ACTIVE }, "moderator", MU_EDENIED,
	    "role moderator conflicts with audit, which is theirs: nobody holds both", 0, 0 },
	{ "P5_11_nor_one_that_excludes_what_they_wait_for", { STAFF "department=Audit", "", "", ACTIVE },
	    "moderator", MU_EDENIED, "role moderator conflicts with audit, which is theirs: nobody holds both", 0, 0 },
	{ "P5_11_nor_one_that_excludes_a_grant", { OPS, "moderator", "", ACTIVE }, "reporter", MU_EDENIED,
	    "role reporter conflicts with moderator, which is theirs: nobody holds both", 0, 0 },
	{ "P5_11_nor_one_that_a_grant_excludes", { OPS, "reporter", "", ACTIVE }, "moderator", MU_EDENIED,
	    "role moderator conflicts with reporter, which is theirs: nobody holds both", 0, 0 },
	{ "nothing for the suspended", { OPS, "", "", PERSON_SUSPENDED, false, NULL }, "moderator", MU_EDENIED,
	    "they are suspended: only active people hold roles", 0, 0 },
	{ "nothing for the blocked", { OPS, "", "", PERSON_ACTIVE, true, NULL }, "moderator", MU_EDENIED,
	    "they are blocked by an emergency revocation: reinstate them first", 0, 0 },
};

static void
request_row(void **state)
{
	const struct request_row *r = *state;
	struct policy *p = given_policy(roles, NULL, NULL);
	struct policy_request got = { 0, 0 };
	struct mu_err err = MU_ERR_INIT;
	struct person person;

	person_make(&r->who, &person);
	assert_int_equal(r->want, policy_request_check(p, &person.subject, r->role, &got, &err));
	assert_string_equal(r->said, err.text);
	assert_int_equal(r->longest_s, got.longest_s);
	assert_int_equal(r->approvals, got.approvals);
	person_clear(&person);
	policy_free(p);
}

/* A role that is birthright to some may be requestable by others. */
static void
P5_11_nobody_asks_for_what_is_theirs_already(void **state)
{
	struct policy *p = given_policy("- role: both\n  gives: [{platform: x, account: true}]\n"
	    "  birthright: (department=Audit)\n  requestable: (employeeType=staff)\n  longest: 1h\n", NULL, NULL);
	struct who audit = { STAFF "department=Audit", "both", "", ACTIVE }, other = { STAFF, "both", "", ACTIVE };
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	struct policy_request got;
	struct mu_err err = MU_ERR_INIT;
	struct person person;

	(void)state;
	person_make(&other, &person);
	assert_int_equal(MU_OK, policy_request_check(p, &person.subject, "both", &got, &err));
	person_clear(&person);
	person_make(&audit, &person);
	assert_int_equal(MU_EDENIED, policy_request_check(p, &person.subject, "both", &got, &err));
	assert_string_equal("role both is theirs by birthright", err.text);
	policy_decide(p, &person.subject, &d);
	assert_true(strings_has(&d.roles, "both"));
	assert_int_equal(0, d.granted.count);
	person_clear(&person);
	policy_free(p);
}

static void
levels_are_those_of_the_file(void **state)
{
	struct policy *p = given_policy(roles, NULL, NULL);

	(void)state;
	assert_true(policy_level_exists(p, "hr-verified"));
	assert_true(policy_level_exists(p, "in-person"));
	assert_false(policy_level_exists(p, "dna"));
	assert_false(policy_level_exists(p, ""));
	policy_free(p);
}

static void
what_a_grant_needs_to_be_kept(void **state)
{
	struct policy *p = given_policy(roles, NULL, NULL);
	struct who ops = { OPS, "", "", ACTIVE };
	struct person person;

	(void)state;
	person_make(&ops, &person);
	assert_true(policy_is_requestable(p, "moderator", &person.subject.facts));
	assert_false(policy_is_requestable(p, "visitor", &person.subject.facts));
	assert_false(policy_is_requestable(p, "chat", &person.subject.facts));
	assert_false(policy_is_requestable(p, "root", &person.subject.facts));
	person_clear(&person);
	policy_free(p);
}

/* --- Why -------------------------------------------------------------------------------------------------- */

static struct why_row {
	const char *name;
	struct who who;
	const char *role, *lines;
} why_rows[] = {
	{ "a line for each right, with all roles that give it",
	    { STAFF "department=Audit identityChecked=TRUE", "reporter", "", ACTIVE }, NULL,
	    "xmpp account: role chat, birthright (employeeType=staff)\n"
	    "xmpp group all: role chat, birthright (employeeType=staff)\n"
	    "xmpp group audit: role audit, birthright (department=Audit)\n"
	    "xmpp room books member: role audit, birthright (department=Audit)\n"
	    "xmpp room ops member: role reporter, granted\n" },
	{ "only the role of the level that is held gives a room", { OPS, "moderator owner", "in-person", ACTIVE },
	    NULL,
	    "xmpp account: role chat, birthright (employeeType=staff)\n"
	    "xmpp group all: role chat, birthright (employeeType=staff)\n"
	    "xmpp room ops owner: role owner, granted\n" },
	{ "what waits, and for what", { STAFF "department=Audit", "owner", "", ACTIVE }, NULL,
	    "xmpp account: role chat, birthright (employeeType=staff)\n"
	    "xmpp group all: role chat, birthright (employeeType=staff)\n"
	    "role audit: waits, identification hr-verified is needed and none is reached\n"
	    "role owner: granted, but does not work: identification in-person is needed and none is reached\n" },
	{ "a role whose platform is not open", { "department=Operations", "moderator", "", ACTIVE }, NULL,
	    "xmpp: nothing of role moderator, for no role opens an account there\n" },
	{ "what the brake holds", { "", "", "", PERSON_ACTIVE, false, "chat" }, NULL,
	    "xmpp account: role chat, kept by the brake\n"
	    "xmpp group all: role chat, kept by the brake\n" },
	{ "nothing at all", { "department=Sales", "", "", ACTIVE }, NULL,
	    "holds nothing: no role is theirs by birthright, and none is granted\n" },
	{ "the blocked", { OPS, "moderator", "", PERSON_ACTIVE, true, NULL }, NULL,
	    "holds nothing: an emergency revocation stands until they are reinstated\n" },
	{ "those to come", { OPS, "moderator", "", PERSON_STAGED, false, NULL }, NULL,
	    "holds nothing: they have not started yet\n" },
	{ "why a birthright", { OPS, "", "", ACTIVE }, "chat",
	    "role chat: yes, birthright: (employeeType=staff) holds\n"
	    "xmpp account: role chat, birthright (employeeType=staff)\n"
	    "xmpp group all: role chat, birthright (employeeType=staff)\n" },
	{ "why a grant", { OPS, "moderator", "", ACTIVE }, "moderator",
	    "role moderator: yes, granted, and (|(department=Operations)(department=Audit)) holds\n"
	    "xmpp room ops moderator: role moderator, granted\n" },
	{ "why what the brake holds", { "", "", "", PERSON_ACTIVE, false, "audit" }, "audit",
	    "role audit: yes, kept by the brake: its loss waits for two people\n"
	    "xmpp: nothing of role audit, for no role opens an account there\n" },
	{ "why not: the filter", { OPS, "", "in-person", ACTIVE }, "audit",
	    "role audit: no, (department=Audit) does not hold\n" },
	{ "why not: filter and identification", { OPS, "", "", ACTIVE }, "audit",
	    "role audit: no, (department=Audit) does not hold; "
	    "identification hr-verified is needed and none is reached\n" },
	{ "why not: identification alone", { "department=Audit", "", "", ACTIVE }, "audit",
	    "role audit: waits, identification hr-verified is needed and none is reached\n" },
	{ "why not: not granted, though it could be", { OPS, "", "", ACTIVE }, "moderator",
	    "role moderator: no, not granted, and (|(department=Operations)(department=Audit)) holds: "
	    "it can be requested\n" },
	{ "why not: not granted, and it cannot be", { STAFF, "", "", ACTIVE }, "visitor",
	    "role visitor: no, not granted, and (employeeType=guest) does not hold: it cannot be requested\n" },
	{ "why not: granted and moved on", { STAFF, "moderator", "", ACTIVE }, "moderator",
	    "role moderator: granted, but does not work: (|(department=Operations)(department=Audit)) does not "
	    "hold\n" },
	{ "why not: granted below the level", { OPS " identityChecked=TRUE", "owner", "", ACTIVE }, "owner",
	    "role owner: granted, but does not work: identification in-person is needed and hr-verified is "
	    "reached\n" },
	{ "why not: a conflict", { STAFF "department=Audit identityChecked=TRUE", "moderator", "", ACTIVE },
	    "moderator",
	    "role moderator: granted, but does not work: it conflicts with role audit, which they hold\n" },
	{ "why not: every reason there is", { OPS, "", "", PERSON_SUSPENDED, false, NULL }, "audit",
	    "role audit: no, they are suspended; (department=Audit) does not hold; "
	    "identification hr-verified is needed and none is reached\n" },
	{ "why not: the state alone", { OPS, "", "", PERSON_LEAVER, false, NULL }, "chat",
	    "role chat: no, they have left\n" },
	{ "why not: the block alone", { OPS, "", "", PERSON_ACTIVE, true, NULL }, "chat",
	    "role chat: no, an emergency revocation stands until they are reinstated\n" },
	{ "a grant of what is no longer requestable", { "", "audit", "in-person", ACTIVE }, "audit",
	    "role audit: granted, but does not work: the policy lets nobody request it any more\n" },
};

static void
why_row(void **state)
{
	const struct why_row *r = *state;
	struct policy *p = given_policy(roles, NULL, NULL);
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct person person;

	person_make(&r->who, &person);
	assert_int_equal(MU_OK, policy_explain(p, &person.subject, r->role, &lines, &err));
	assert_string_equal(r->lines, mu_buf_text(&lines));
	person_clear(&person);
	policy_free(p);
}

static void
why_a_role_that_there_is_not(void **state)
{
	struct policy *p = given_policy(roles, NULL, NULL);
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	struct who ops = { OPS, "", "", ACTIVE };
	struct mu_err err = MU_ERR_INIT;
	struct person person;

	(void)state;
	person_make(&ops, &person);
	assert_int_equal(MU_EABSENT, policy_explain(p, &person.subject, "root", &lines, &err));
	assert_string_equal("the policy has no role \"root\"", err.text);
	person_clear(&person);
	policy_free(p);
}

/* --- Reviews ------------------------------------------------------------------------------------------ */

#define NOW	1800000000		/* 2027-01-15T08:00:00Z */
#define DAY	86400

static struct review_row {
	const char *name, *role;
	int64_t starts_s, ends_s, reviewed_s, due_s;	/* all but due_s after NOW */
	bool runs;
	const char *line;
} review_rows[] = {
	{ "a role that is not reviewed", "plain", -DAY, DAY, 0, 0, true, "grant plain: until 2027-01-16T08:00:00Z\n" },
	{ "a role that there is not any more", "gone", -DAY, DAY, 0, 0, true, "grant gone: until 2027-01-16T08:00:00Z\n" },
	{ "granted a day ago", "kept", -DAY, 300 * DAY, 0, NOW + 29 * DAY, true,
	    "grant kept: until 2027-11-11T08:00:00Z, to be confirmed by 2027-02-13T08:00:00Z (by boss, desk)\n" },
	{ "confirmed now", "kept", -DAY, 300 * DAY, -1, NOW + 30 * DAY - 1, true,
	    "grant kept: until 2027-11-11T08:00:00Z, to be confirmed by 2027-02-14T07:59:59Z (by boss, desk)\n" },
	{ "P5_21_the_last_second", "kept", -30 * DAY + 1, 300 * DAY, 0, NOW + 1, true,
	    "grant kept: until 2027-11-11T08:00:00Z, to be confirmed by 2027-01-15T08:00:01Z (by boss, desk)\n" },
	{ "P5_21_the_second_after", "kept", -30 * DAY, 300 * DAY, 0, NOW, false,
	    "grant kept: lapsed at 2027-01-15T08:00:00Z, nobody confirmed it\n" },
	{ "P5_21_confirmed_once_and_not_again", "kept", -90 * DAY, 300 * DAY, -40 * DAY, NOW - 10 * DAY, false,
	    "grant kept: lapsed at 2027-01-05T08:00:00Z, nobody confirmed it\n" },
	{ "it ends before it is due", "kept", -DAY, 2 * DAY, 0, NOW + 29 * DAY, true,
	    "grant kept: until 2027-01-17T08:00:00Z\n" },
	{ "it has ended", "kept", -3 * DAY, -DAY, 0, NOW + 27 * DAY, false, "grant kept: until 2027-01-14T08:00:00Z\n" },
	{ "it has not started", "plain", DAY, 2 * DAY, 0, 0, false,
	    "grant plain: from 2027-01-16T08:00:00Z until 2027-01-17T08:00:00Z\n" },
};

static void
review_row(void **state)
{
	const struct review_row *r = *state;
	struct policy *p = given_policy("- role: plain\n  gives: [{platform: x, account: true}]\n  requestable: (&)\n"
	    "  longest: 60d\n- role: kept\n  gives: [{platform: x, account: true}]\n  requestable: (&)\n  longest: 365d\n"
	    "  review: {every: 30d, by: [desk, boss]}\n", "administrators.yaml",
	    "- {role: boss, may: [review.confirm]}\n- {role: desk, may: [review.confirm]}\n");
	const struct grant g = { .role = (char *)(uintptr_t)r->role, .starts_at_s = NOW + r->starts_s,
		.ends_at_s = NOW + r->ends_s, .reviewed_at_s = r->reviewed_s == 0 ? 0 : NOW + r->reviewed_s };
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

	assert_int_equal(r->due_s, policy_review_due(p, &g));
	assert_int_equal(r->runs, policy_grant_runs(p, &g, NOW));
	policy_grant_explain(p, &g, NOW, &line);
	assert_string_equal(r->line, line.data);
	policy_free(p);
}

int
main(void)
{
	struct CMUnitTest reviews[MU_COUNT(review_rows)];
	struct CMUnitTest tests[MU_COUNT(decide_rows) + MU_COUNT(request_rows) + MU_COUNT(why_rows) + 4];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(decide_rows); i++)
		tests[count++] = (struct CMUnitTest){ decide_rows[i].name, decide_row, NULL, NULL, &decide_rows[i] };
	for (size_t i = 0; i < MU_COUNT(request_rows); i++)
		tests[count++] = (struct CMUnitTest){ request_rows[i].name, request_row, NULL, NULL,
			&request_rows[i] };
	for (size_t i = 0; i < MU_COUNT(why_rows); i++)
		tests[count++] = (struct CMUnitTest){ why_rows[i].name, why_row, NULL, NULL, &why_rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(P5_11_nobody_asks_for_what_is_theirs_already);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(levels_are_those_of_the_file);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_a_grant_needs_to_be_kept);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(why_a_role_that_there_is_not);
	for (size_t i = 0; i < MU_COUNT(review_rows); i++)
		reviews[i] = (struct CMUnitTest){ review_rows[i].name, review_row, NULL, NULL, &review_rows[i] };
	return cmocka_run_group_tests_name("grant", tests, NULL, NULL) +
	    cmocka_run_group_tests_name("reviews", reviews, NULL, NULL);
}
