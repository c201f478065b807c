/*
 * Access reviews, and what administrators may be and give: who confirms what, what lapses, which roles
 * exclude each other over the administrators of muster.
 */
#include "unit/action/rig.h"

#define DAY	86400
#define UNTIL	"2026-11-10T00:00:00Z"		/* fifty days from the tests' now */
#define GRANT(role, uids) "{\"action\":\"grant\",\"reason\":\"r\",\"targets\":[" uids "],\"args\":{\"role\":\"" role \
	"\",\"until\":\"" UNTIL "\"}}"
#define PEOPLE(action, uid, args) "{\"action\":\"" action "\",\"reason\":\"r\",\"targets\":[\"" uid "\"],\"args\":" args "}"

static const char administrators[] =
    "- role: everything\n"
    "  may: [revoke, suspend, resume, reinstate, identify, grant, ungrant, credential.issue, brake.release,\n"
    "    policy.apply, client.add, client.renew, client.remove, admin.enrol, admin.unlock, admin.remove,\n"
    "    sync.run, review.confirm, review.drop, approve]\n"
    "- role: reviewer\n"
    "  may: [review.confirm, review.drop, approve]\n"
    "- role: ops-reviewer\n"
    "  may: [review.confirm, review.drop]\n"
    "  scope: (department=Operations)\n"
    "- role: desk\n"
    "  may: [review.confirm, review.drop, grant]\n"
    "- role: enroller\n"
    "  may: [admin.enrol, approve, revoke]\n"
    "- role: pay-desk\n"
    "  may: [revoke, approve]\n"
    "  conflicts: [payer, cashier]\n";
static const char gates[] =
    "- actions: [revoke, suspend, grant, ungrant, review.confirm, review.drop]\n"
    "  code: required\n"
    "- actions: [policy.apply, admin.enrol]\n"
    "  code: required\n"
    "  approvals: 1\n"
    "- actions: [\"*\"]\n"
    "  when: {targets_over: 4}\n"
    "  code: required\n"
    "  approvals: 2\n";
static const char roles[] =
    "- role: chat\n"
    "  gives: [{platform: xmpp, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: payer\n"
    "  gives: [{platform: xmpp, groups: [payers]}]\n"
    "  birthright: (department=Finance)\n"
    "- role: vault-keeper\n"
    "  gives: [{platform: xmpp, groups: [keepers]}]\n"
    "  birthright: (department=Vault)\n"
    "  identified: in-person\n"
    "- role: cashier\n"
    "  gives: [{platform: xmpp, rooms: [till]}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 60d\n"
    "- role: editor\n"
    "  gives: [{platform: xmpp, rooms: [news], level: moderator}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 60d\n"
    "  review: {every: 30d, by: [everything, reviewer, ops-reviewer]}\n"
    "- role: vault\n"
    "  gives: [{platform: xmpp, rooms: [vault]}]\n"
    "  requestable: (employeeType=staff)\n"
    "  longest: 60d\n"
    "  approvals: 1\n"
    "  review: {every: 30d, by: [everything, reviewer]}\n";

static struct admin ann, bob, cleo;

static const char *
conflict(void *ctx, const char *admin_role, const struct strings *held)
{
	(void)ctx;
	return policy_admin_conflict(door.policy, admin_role, held);
}

static int
house_with_reviews(void **state)
{
	files[0].content = (char *)(uintptr_t)administrators;
	files[1].content = (char *)(uintptr_t)gates;
	files[3].content = (char *)(uintptr_t)roles;
	if (door_up(state) != 0)
		return 1;
	door.auth.conflict = conflict;
	return 0;
}

static int
people_up(void **state)
{
	(void)door_empty(state);
	clock_s = 1790000000;
	ann = admin_new("ann", "everything", "department=IT");
	bob = admin_new("bob", "everything", "department=IT");
	cleo = admin_new("cleo", "reviewer", "department=IT");
	clock_s = 1790001000;
	(void)person_of("ida", "department=Sales");
	(void)person_of("olaf", "department=Operations");
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	return 0;
}

/* By one alone; the next code is a fresh one. */
static void
done_by(const struct admin *a, const char *request)
{
	OK(propose(a, request));
	OK(execute(a));
	member_is("state", "executed");
	clock_s += STEP_S;
}

/* {"action", "args": {"grants": ["the ids of role"]}} of everybody who was granted it. */
static char *
review_of(const char *action, const char *role)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT, request = MU_BUF_INIT;
	char *ids;

	mu_buf_format(&sql, "SELECT string_agg('\"' || grant_id || '\"', ',' ORDER BY grant_id DESC) FROM requested_grant"
	    " WHERE role = '%s'", role);
	ids = rig_sql(sql.data);
	mu_buf_format(&request, "{\"action\":\"%s\",\"reason\":\"r\",\"args\":{\"grants\":[%s]}}", action, ids);
	free(ids);
	return mu_strdup(request.data);
}

static enum mu_rc
propose_review(const struct admin *a, const char *action, const char *role)
{
	MU_AUTO(mu_freep) char *request = review_of(action, role);

	return propose(a, request);
}

static void
reviewed_by(const struct admin *a, const char *action, const char *role)
{
	OK(propose_review(a, action, role));
	OK(execute(a));
	member_is("state", "executed");
	clock_s += STEP_S;
}

/* The clock looks at everybody who is due. */
static void
clock_fires(void)
{
	struct mu_uuid due[20];
	struct action_effects effects = { NULL, 0 };
	size_t count;

	MUST(store_begin(door.store, &err));
	MUST(store_person_due(door.store, clock_s, due, MU_COUNT(due), &count, &err));
	if (count > 0)
		MUST(door_decide(&door, due, count, now_ms(), true, &effects, &err));
	MUST(store_commit(door.store, &err));
	action_effects_clear(&effects);
}

#define DUE(uid) "SELECT extract(epoch FROM due_at)::bigint FROM person WHERE uid = '" uid "'"
#define HOLDS(uid) "SELECT replace(trim(trailing E'\\n' FROM roles), E'\\n', ' ') FROM person WHERE uid = '" uid "'"

/* --- Who confirms ---------------------------------------------------------------------------------------- */

static void
P5_21_a_grant_is_due_until_another_confirms_it_and_then_again(void **state)
{
	int64_t granted_s = clock_s;

	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	rig_sql_is("1792593000", DUE("ida"));			/* granted, and thirty days */
	assert_int_equal(1792593000, granted_s + 30 * DAY);
	clock_s += 10 * DAY;
	reviewed_by(&cleo, "review.confirm", "editor");
	member_is("targets.0.uid", "ida");
	member_is("result.people.0.lost", "[]");
	rig_sql_is("1793457030 is cleo", "SELECT extract(epoch FROM p.due_at)::bigint || ' is ' || r.uid FROM person p JOIN"
	    " requested_grant g USING (person_id) JOIN person r ON r.person_id = g.reviewed_by WHERE p.uid = 'ida'");
	recorded(1, "grant.reviewed");
	clock_s += 29 * DAY;
	clock_fires();
	rig_sql_is("chat editor", HOLDS("ida"));
}

static void
P5_21_overdue_review_ends_the_grant_and_no_other(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	done_by(&ann, GRANT("cashier", "\"ida\",\"olaf\""));
	clock_s += 30 * DAY - 2 * STEP_S - 1;
	clock_fires();
	rig_sql_is("cashier chat editor", HOLDS("ida"));
	clock_s += 1;
	clock_fires();
	rig_sql_is("cashier chat", HOLDS("ida"));
	rig_sql_is("cashier chat", HOLDS("olaf"));
	recorded_as("grant.ended", "reason", "not reviewed");
	recorded(1, "grant.ended");
	rig_sql_is("0", "SELECT count(*) FROM requested_grant WHERE role = 'editor'");
}

/* The row is still there for the moment until the clock fires. */
static void
P5_21_what_has_lapsed_is_confirmed_no_more(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	OK(propose_review(&cleo, "review.confirm", "editor"));
	clock_s += 30 * DAY;
	refused(MU_ECONFLICT, propose_review(&cleo, "review.confirm", "editor"), "has lapsed");
}

static void
P5_1_nobody_confirms_what_is_their_own(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"cleo\""));
	refused(MU_EDENIED, propose_review(&cleo, "review.confirm", "editor"), "nobody acts on their own rights");
	refused(MU_EDENIED, propose_review(&cleo, "review.drop", "editor"), "nobody acts on their own rights");
	reviewed_by(&bob, "review.confirm", "editor");
}

static void
P5_11_who_asked_for_a_grant_confirms_it_only_when_nobody_else_could(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	refused(MU_EDENIED, propose_review(&ann, "review.confirm", "editor"), "you asked for this grant");
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'cleo'"));
	refused(MU_EDENIED, propose_review(&ann, "review.confirm", "editor"), "you asked for this grant");
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'bob'"));
	reviewed_by(&ann, "review.confirm", "editor");
}

static void
P5_11_who_approved_a_grant_confirms_it_only_when_nobody_else_could(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("vault", "\"ida\"")));
	OK(execute(&ann));
	OK(approve(&bob));
	clock_s += STEP_S;
	refused(MU_EDENIED, propose_review(&bob, "review.confirm", "vault"), "you approved this grant");
	reviewed_by(&cleo, "review.confirm", "vault");
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'cleo'"));
	reviewed_by(&bob, "review.confirm", "vault");
}

/* Who could, but is the person themselves, is not somebody else. */
static void
a_reviewer_whose_own_it_is_is_no_other(void **state)
{
	(void)state;
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'bob'"));
	done_by(&ann, GRANT("editor", "\"cleo\""));
	reviewed_by(&ann, "review.confirm", "editor");
}

static void
who_is_no_reviewer_of_the_role_confirms_nothing(void **state)
{
	struct admin dora = admin_new("dora", "desk", "department=IT");

	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	refused(MU_EDENIED, propose_review(&dora, "review.confirm", "editor"), "one of the roles everything, ops-reviewer,"
	    " reviewer, and yours is desk");
	reviewed_by(&dora, "review.drop", "editor");
}

static void
P5_21_a_reviewer_reaches_whom_their_role_reaches(void **state)
{
	struct admin otto = admin_new("otto", "ops-reviewer", "department=IT");

	(void)state;
	done_by(&ann, GRANT("editor", "\"olaf\",\"ida\""));
	refused(MU_EDENIED, propose_review(&otto, "review.confirm", "editor"), "scope");
	free(rig_sql("DELETE FROM requested_grant g USING person p WHERE p.person_id = g.person_id AND p.uid = 'ida'"));
	reviewed_by(&otto, "review.confirm", "editor");
}

/* ann granted it; bob and cleo are gone, and otto's scope has ida in it no more than his role has vault. */
static void
a_reviewer_who_does_not_reach_the_person_is_no_other(void **state)
{
	(void)state;
	(void)admin_new("otto", "ops-reviewer", "department=IT");
	free(rig_sql("UPDATE person SET blocked = true WHERE uid IN ('bob', 'cleo')"));
	done_by(&ann, GRANT("editor", "\"ida\""));
	reviewed_by(&ann, "review.confirm", "editor");
	done_by(&ann, GRANT("editor", "\"olaf\""));
	free(rig_sql("DELETE FROM requested_grant g USING person p WHERE p.person_id = g.person_id AND p.uid = 'ida'"));
	refused(MU_EDENIED, propose_review(&ann, "review.confirm", "editor"), "you asked for this grant");
}

static void
a_role_that_is_not_reviewed_just_ends(void **state)
{
	(void)state;
	done_by(&ann, GRANT("cashier", "\"ida\""));
	refused(MU_ECONFLICT, propose_review(&cleo, "review.confirm", "cashier"), "not reviewed");
	reviewed_by(&cleo, "review.drop", "cashier");
	rig_sql_is("chat", HOLDS("ida"));
}

/* A review takes nothing away, so who may not remove administrators confirms theirs; drops are not for them. */
static void
P5_8_an_administrators_grants_are_dropped_by_who_may_remove_them(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"bob\""));
	refused(MU_EDENIED, propose_review(&cleo, "review.drop", "editor"), "one of them is an administrator");
	reviewed_by(&cleo, "review.confirm", "editor");
}

/* --- Rows ------------------------------------------------------------------------------------------------ */

/* Nobody gets past a review by writing that there was one. */
static void
P5_21_a_review_that_keys_did_not_make_makes_the_grant_count_for_nothing(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	clock_s += 29 * DAY;
	free(rig_sql("UPDATE requested_grant SET reviewed_at = to_timestamp(1792592000), reviewed_by = (SELECT person_id"
	    " FROM person WHERE uid = 'cleo')"));
	refused(MU_ECONFLICT, propose_review(&cleo, "review.confirm", "editor"), "past muster");
	clock_s += 2 * DAY;
	clock_fires();
	rig_sql_is("chat", HOLDS("ida"));
	recorded(1, "row.tampered");
}

/* What was confirmed and is written back to "never confirmed" counts for nothing either. */
static void
a_review_that_was_taken_out_makes_the_grant_count_for_nothing(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	reviewed_by(&cleo, "review.confirm", "editor");
	free(rig_sql("UPDATE requested_grant SET reviewed_at = NULL, reviewed_by = NULL"));
	refused(MU_ECONFLICT, propose_review(&bob, "review.confirm", "editor"), "past muster");
}

static void
a_grant_anew_was_never_reviewed(void **state)
{
	MU_AUTO(mu_freep) char *before = NULL;

	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\""));
	reviewed_by(&cleo, "review.confirm", "editor");
	before = review_of("review.confirm", "editor");
	clock_s += DAY;
	done_by(&ann, GRANT("editor", "\"ida\""));
	rig_sql_is("", "SELECT reviewed_at FROM requested_grant");
	refused(MU_EABSENT, propose(&cleo, before), "muster review list");
	rig_sql_is("1792679460", DUE("ida"));
}

/* --- Many ------------------------------------------------------------------------------------------------ */

static void
many_are_dropped_by_one_action(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\",\"olaf\",\"cleo\""));
	OK(propose_review(&bob, "review.drop", "editor"));
	member_is("preview.people.1.lost", "[\"editor\"]");
	member_is("preview.people.2.lost", "[\"editor\"]");
	rig_sql_is("3", "SELECT count(*) FROM requested_grant");
	OK(execute(&bob));
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	rig_sql_is("chat", HOLDS("ida"));
	recorded(3, "grant.ended");
}

/* The gates count the people whose grants they are: over four it takes two more. */
static void
P5_17_many_need_what_many_need(void **state)
{
	(void)state;
	for (const char *const *uid = (const char *const[]){ "p1", "p2", "p3", NULL }; *uid != NULL; uid++)
		(void)person_of(*uid, "department=Sales");
	done_by(&ann, GRANT("editor", "\"ida\",\"olaf\",\"p1\",\"p2\""));
	done_by(&ann, GRANT("editor", "\"p3\""));
	OK(propose_review(&cleo, "review.confirm", "editor"));
	member_is("needs.approvals", "2");
	OK(execute(&cleo));
	member_is("state", "pending");
	rig_sql_is("0", "SELECT count(reviewed_at) FROM requested_grant");
}

static void
what_ended_between_proposal_and_code_is_confirmed_no_more(void **state)
{
	(void)state;
	done_by(&ann, GRANT("editor", "\"ida\",\"olaf\""));
	OK(propose_review(&cleo, "review.confirm", "editor"));
	free(rig_sql("DELETE FROM requested_grant g USING person p WHERE p.person_id = g.person_id AND p.uid = 'ida'"));
	refused(MU_ECONFLICT, execute(&cleo), "not there any more");
	rig_sql_is("0", "SELECT count(reviewed_at) FROM requested_grant");
}

static struct bad_row {
	const char *name, *request, *want;
	enum mu_rc rc;
} bad_rows[] = {
	{ "no grants", "{\"action\":\"review.drop\",\"reason\":\"r\",\"args\":{}}", "args.grants is missing", MU_EINPUT },
	{ "an empty list", "{\"action\":\"review.drop\",\"reason\":\"r\",\"args\":{\"grants\":[]}}", "1 to 500", MU_EINPUT },
	{ "a text in place of a list", "{\"action\":\"review.drop\",\"reason\":\"r\",\"args\":{\"grants\":\"x\"}}", "1 to 500",
	    MU_EINPUT },
	{ "an id that is none", "{\"action\":\"review.drop\",\"reason\":\"r\",\"args\":{\"grants\":[\"ida\"]}}",
	    "args.grants[0]", MU_EINPUT },
	{ "a number", "{\"action\":\"review.drop\",\"reason\":\"r\",\"args\":{\"grants\":[7]}}", "args.grants[0]", MU_EINPUT },
	{ "people", "{\"action\":\"review.drop\",\"reason\":\"r\",\"targets\":[\"ida\"],\"args\":{\"grants\":"
	    "[\"01890000-0000-7000-8000-000000000000\"]}}", "takes none", MU_EINPUT },
	{ "a grant that is not there", "{\"action\":\"review.confirm\",\"reason\":\"r\",\"args\":{\"grants\":"
	    "[\"01890000-0000-7000-8000-000000000000\"]}}", "muster review list", MU_EABSENT },
};

static void
bad_request_row(void **state)
{
	const struct bad_row *r = *state;

	(void)people_up(NULL);
	refused(r->rc, propose(&ann, r->request), r->want);
}

/* --- What administrators may be -------------------------------------------------------------------------- */

#define ENROL(uid, role) PEOPLE("admin.enrol", uid, "{\"role\":\"" role "\"}")

static void
P5_11_who_holds_a_conflicting_role_is_not_enrolled(void **state)
{
	(void)state;
	(void)person_of("fin", "department=Finance");
	refused(MU_EDENIED, propose(&ann, ENROL("fin", "pay-desk")), "conflicts with the role payer");
	done_by(&ann, GRANT("cashier", "\"ida\""));
	refused(MU_EDENIED, propose(&ann, ENROL("ida", "pay-desk")), "conflicts with the role cashier");
	OK(propose(&ann, ENROL("ida", "enroller")));
}

static void
P5_11_an_administrator_is_granted_no_conflicting_role(void **state)
{
	(void)state;
	(void)admin_new("dora", "pay-desk", "department=IT");
	refused(MU_EDENIED, propose(&ann, GRANT("cashier", "\"dora\"")), "conflicts with their role pay-desk");
	OK(propose(&ann, GRANT("editor", "\"dora\"")));
	OK(propose(&ann, GRANT("cashier", "\"bob\"")));
}

/* The directory moved them: from then on their codes open nothing, and what they approved counts for nothing. */
static void
P5_11_whom_the_directory_brings_a_conflicting_role_administers_no_more(void **state)
{
	struct admin dora = admin_new("dora", "pay-desk", "department=IT");

	(void)state;
	OK(propose(&dora, PEOPLE("revoke", "ida", "{}")));
	free(rig_sql("UPDATE person SET roles = E'chat\npayer\n' WHERE uid = 'dora'"));
	DENIED(execute(&dora));
	assert_non_null(strstr(err.text, "conflicts with the role payer"));
	recorded_as("auth.failed", "reason", "conflicting role");
	recorded(1, "auth.failed");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
	free(rig_sql("UPDATE person SET roles = E'chat\n' WHERE uid = 'dora'"));
	OK(execute(&dora));
}

static void
P5_11_an_approval_of_who_conflicts_since_counts_for_nothing(void **state)
{
	struct admin dora = admin_new("dora", "pay-desk", "department=IT");

	(void)state;
	OK(propose(&ann, PEOPLE("revoke", "olaf", "{}")));
	OK(execute(&ann));
	clock_s += STEP_S;
	for (const char *const *uid = (const char *const[]){ "p1", "p2", "p3", NULL }; *uid != NULL; uid++)
		(void)person_of(*uid, "department=Sales");
	OK(propose(&ann, "{\"action\":\"suspend\",\"reason\":\"r\",\"targets\":[\"ida\",\"p1\",\"p2\",\"p3\",\"cleo\"],"
	    "\"args\":{}}"));
	OK(execute(&ann));
	OK(approve(&dora));
	member_is("state", "pending");
	free(rig_sql("UPDATE person SET roles = E'chat\npayer\n' WHERE uid = 'dora'"));
	OK(approve(&bob));
	member_is("state", "pending");
}

static void
P5_11_a_policy_under_which_the_last_two_conflict_is_refused(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT, text = MU_BUF_INIT;

	(void)state;
	policy_store();
	mu_buf_text_add(&text, administrators);
	policy_request(&request, 1, "administrators.yaml", text.data);
	OK(propose(&ann, request.data));
	mu_buf_reset(&text);
	mu_buf_format(&text, "- role: everything\n  conflicts: [chat]\n%s", strchr(administrators, '\n') + 1);
	policy_request(&request, 1, "administrators.yaml", text.data);
	refused(MU_ECONFLICT, propose(&ann, request.data), "nobody could change the policy again");
}

/* --- What administrators may give ------------------------------------------------------------------------ */

static void
P5_11_nobody_enrols_what_they_may_not_themselves_unless_who_may_agrees(void **state)
{
	struct admin eve = admin_new("eve", "enroller", "department=IT");
	struct admin emil = admin_new("emil", "enroller", "department=IT");

	(void)state;
	OK(propose(&eve, ENROL("ida", "pay-desk")));
	member_is("preview.lines.0", "ida becomes an administrator with the role pay-desk: hand the one-time code over in"
	    " person, it lasts 24 hours");
	OK(propose(&eve, ENROL("ida", "everything")));
	member_is("preview.lines.0", "it takes the approval of an administrator who may admin.remove, admin.unlock, brake.release, client.add,"
	    " client.remove, client.renew, credential.issue, grant, identify, policy.apply, reinstate, resume,"
	    " review.confirm, review.drop, suspend, sync.run, ungrant");
	OK(execute(&eve));
	member_is("state", "pending");
	refused(MU_EDENIED, approve(&emil), "nobody of those who agree may");
	rig_sql_is("0", "SELECT count(*) FROM administrator a JOIN person p USING (person_id) WHERE p.uid = 'ida'");
	OK(approve(&bob));
	member_is("state", "executed");
	rig_sql_is("everything", "SELECT a.role FROM administrator a JOIN person p USING (person_id) WHERE p.uid = 'ida'");
}

#define CASE(f)		cmocka_unit_test_setup(f, people_up)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(P5_21_a_grant_is_due_until_another_confirms_it_and_then_again),
		CASE(P5_21_overdue_review_ends_the_grant_and_no_other),
		CASE(P5_21_what_has_lapsed_is_confirmed_no_more), CASE(P5_1_nobody_confirms_what_is_their_own),
		CASE(P5_11_who_asked_for_a_grant_confirms_it_only_when_nobody_else_could),
		CASE(P5_11_who_approved_a_grant_confirms_it_only_when_nobody_else_could),
		CASE(a_reviewer_whose_own_it_is_is_no_other), CASE(who_is_no_reviewer_of_the_role_confirms_nothing),
		CASE(P5_21_a_reviewer_reaches_whom_their_role_reaches),
		CASE(a_reviewer_who_does_not_reach_the_person_is_no_other), CASE(a_role_that_is_not_reviewed_just_ends),
		CASE(P5_8_an_administrators_grants_are_dropped_by_who_may_remove_them),
		CASE(P5_21_a_review_that_keys_did_not_make_makes_the_grant_count_for_nothing),
		CASE(a_review_that_was_taken_out_makes_the_grant_count_for_nothing),
		CASE(a_grant_anew_was_never_reviewed), CASE(many_are_dropped_by_one_action),
		CASE(P5_17_many_need_what_many_need), CASE(what_ended_between_proposal_and_code_is_confirmed_no_more),
		CASE(P5_11_who_holds_a_conflicting_role_is_not_enrolled),
		CASE(P5_11_an_administrator_is_granted_no_conflicting_role),
		CASE(P5_11_whom_the_directory_brings_a_conflicting_role_administers_no_more),
		CASE(P5_11_an_approval_of_who_conflicts_since_counts_for_nothing),
		CASE(P5_11_a_policy_under_which_the_last_two_conflict_is_refused),
		CASE(P5_11_nobody_enrols_what_they_may_not_themselves_unless_who_may_agrees),
	};
	struct CMUnitTest bad[MU_COUNT(bad_rows)];
	int failed;

	for (size_t i = 0; i < MU_COUNT(bad_rows); i++)
		bad[i] = (struct CMUnitTest){ bad_rows[i].name, bad_request_row, NULL, NULL, &bad_rows[i] };
	failed = cmocka_run_group_tests_name("reviews", tests, house_with_reviews, door_down);
	return failed + cmocka_run_group_tests_name("bad requests", bad, house_with_reviews, door_down);
}
