/* The one door: who may propose what, codes for a digest, approvals, and what is refused changes nothing. */
#include "unit/action/rig.h"

#define REVOKE(who)	"{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"" who "\"]}"
#define SUSPEND(list)	"{\"action\":\"suspend\",\"reason\":\"r\",\"targets\":[" list "]}"
#define GRANT(role, until, who) "{\"action\":\"grant\",\"reason\":\"night shift\",\"targets\":[\"" who "\"]," \
	"\"args\":{\"role\":\"" role "\",\"until\":\"" until "\"}}"
#define SOON	"2026-09-21T18:00:00Z"		/* a few hours from the tests' clock */

/* --- What is refused before anything is kept -------------------------------------------------------------- */

static struct refusal {
	const char *name, *role, *request;
	enum mu_rc want;
	const char *says;
} refusals[] = {
	{ "a malformed request", "everything", "{\"action\":\"revoke\",\"reason\":\"r\"}", MU_EINPUT, "targets" },
	{ "an action beyond the role", "helpdesk", SUSPEND("\"ann\""), MU_EDENIED, "permission suspend" },
	{ "a role that the policy does not have", "removed", REVOKE("ann"), MU_EDENIED, "permission revoke" },
	{ "P5_7 a role that may nothing of the kind", "approver", REVOKE("ann"), MU_EDENIED, "permission revoke" },
	{ "somebody beyond the scope", "ops-desk", REVOKE("ann"), MU_EDENIED, "scope" },
	{ "one of two beyond the scope", "ops-desk",
	    "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"olaf\",\"ann\"]}", MU_EDENIED, "scope" },
	{ "what is about everybody, with a scope", "ops-chief",
	    "{\"action\":\"sync.run\",\"reason\":\"r\",\"args\":{\"source\":\"corp\"}}", MU_EDENIED, "about everybody" },
	{ "a policy, with a scope", "ops-chief", "{\"action\":\"policy.apply\",\"reason\":\"r\",\"args\":"
	    "{\"base\":0,\"files\":{\"roles.yaml\":\"[]\"}}}", MU_EDENIED, "about everybody" },
	{ "a new administrator, whose role may have no scope, with one", "ops-chief",
	    "{\"action\":\"admin.enrol\",\"reason\":\"r\",\"targets\":[\"olaf\"],\"args\":{\"role\":\"everything\"}}",
	    MU_EDENIED, "about everybody" },
	{ "P5_1 their own rights", "everything", REVOKE("asker"), MU_EDENIED, "own rights" },
	{ "P5_1 their own among others", "everything",
	    "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"ann\",\"asker\"]}", MU_EDENIED, "own rights" },
	{ "nobody of that name", "everything", REVOKE("nobody"), MU_EINPUT, "1 is nobody" },
	{ "a role nobody can be granted", "everything", GRANT("none", SOON, "olaf"), MU_EABSENT, "none" },
	{ "a role that is not for them", "everything", GRANT("ops-moderator", SOON, "ann"), MU_EDENIED, "ann" },
	{ "a role that is theirs by birthright", "everything", GRANT("chat", SOON, "ann"), MU_EDENIED, "ann" },
	{ "a grant that ended", "everything", GRANT("reader", "2026-09-20T00:00:00Z", "ann"), MU_EINPUT, "args.until" },
	{ "a grant beyond the longest", "everything", GRANT("reader", "2027-09-20T00:00:00Z", "ann"), MU_EINPUT,
	    "ends by 2026-10-" },
	{ "an ungrant of what was not granted", "everything",
	    "{\"action\":\"ungrant\",\"reason\":\"r\",\"targets\":[\"ann\"],\"args\":{\"role\":\"reader\"}}", MU_EABSENT,
	    "reader" },
	{ "a reinstatement of who is not revoked", "everything",
	    "{\"action\":\"reinstate\",\"reason\":\"r\",\"targets\":[\"ann\"]}", MU_ECONFLICT, "not revoked" },
	{ "a resumption of who is not suspended", "everything",
	    "{\"action\":\"resume\",\"reason\":\"r\",\"targets\":[\"ann\"]}", MU_ECONFLICT, "not suspended" },
	{ "a suspension until yesterday", "everything",
	    "{\"action\":\"suspend\",\"reason\":\"r\",\"targets\":[\"ann\"],\"args\":{\"until\":\"2026-09-20T00:00:00Z\"}}",
	    MU_EINPUT, "args.until" },
	{ "a level that is none", "everything", "{\"action\":\"identify\",\"reason\":\"r\",\"targets\":[\"ann\"],"
	    "\"args\":{\"level\":\"dna\",\"method\":\"m\",\"evidence\":\"e\"}}", MU_EABSENT, "dna" },
	{ "a credential on a platform that is none", "everything", "{\"action\":\"credential.issue\",\"reason\":\"r\","
	    "\"targets\":[\"ann\"],\"args\":{\"platform\":\"fax\"}}", MU_EABSENT, "fax" },
	{ "a credential for who has no account", "everything", "{\"action\":\"credential.issue\",\"reason\":\"r\","
	    "\"targets\":[\"guest\"],\"args\":{\"platform\":\"xmpp\"}}", MU_ECONFLICT, "guest" },
	{ "a release of a brake that holds nobody", "everything",
	    "{\"action\":\"brake.release\",\"reason\":\"r\",\"args\":{\"source\":\"corp\"}}", MU_EABSENT, "nobody" },
	{ "a read of a source that is none", "everything",
	    "{\"action\":\"sync.run\",\"reason\":\"r\",\"args\":{\"source\":\"hr\"}}", MU_EABSENT, "hr" },
	{ "a client with a name of its own spelling", "everything", "{\"action\":\"client.add\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"Janus\",\"platform\":\"xmpp\",\"csr\":\"x\"}}", MU_EINPUT, "args.name" },
	{ "a client with neither request nor certificate", "everything", "{\"action\":\"client.add\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"janus\",\"platform\":\"xmpp\"}}", MU_EINPUT, "csr or certificate" },
	{ "a client of a platform that is none", "everything", "{\"action\":\"client.add\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"janus\",\"platform\":\"fax\",\"csr\":\"x\"}}", MU_EABSENT, "fax" },
	{ "a client's request that is none", "everything", "{\"action\":\"client.add\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"janus\",\"platform\":\"xmpp\",\"csr\":\"x\"}}", MU_EINPUT, "args.csr" },
	{ "a pinned certificate that is none", "everything", "{\"action\":\"client.add\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"janus\",\"platform\":\"xmpp\",\"certificate\":\"x\"}}", MU_EINPUT, "args.certificate" },
	{ "a removal of a client that is none", "everything", "{\"action\":\"client.remove\",\"reason\":\"r\","
	    "\"args\":{\"name\":\"janus\"}}", MU_EABSENT, "janus" },
	{ "an administrator's role that is none, and those there are", "everything",
	    "{\"action\":\"admin.enrol\",\"reason\":\"r\",\"targets\":[\"ann\"],\"args\":{\"role\":\"root\"}}",
	    MU_EABSENT, "ops-desk" },
	{ "an unlock of who is no administrator", "everything",
	    "{\"action\":\"admin.unlock\",\"reason\":\"r\",\"targets\":[\"ann\"]}", MU_EABSENT, "ann" },
	{ "a removal of who is no administrator", "everything",
	    "{\"action\":\"admin.remove\",\"reason\":\"r\",\"targets\":[\"ann\"]}", MU_EABSENT, "ann" },
};

static void
refusal_row(void **state)
{
	const struct refusal *r = *state;
	const struct admin asker = { .who = { .role = (char *)(uintptr_t)r->role } };
	struct admin a = asker;

	(void)door_empty(NULL);
	clock_s = 1790000000;
	a.one = person_of("asker", "department=IT");
	a.who.person_id = a.one.id;
	(void)person_of("ann", "department=Sales");
	(void)person_of("olaf", "department=Operations");
	free(rig_sql("UPDATE person SET attrs = '' WHERE uid = 'none'"));
	(void)person_of("guest", "employeeType=guest");
	refused(r->want, propose(&a, r->request), r->says);
	rig_sql_is("0 0 0", "SELECT concat_ws(' ', (SELECT count(*) FROM action),"
	    " (SELECT count(*) FROM administrator), (SELECT count(*) FROM requested_grant))");
}

/* --- One administrator, one code --------------------------------------------------------------------------- */

static struct admin ann, bob, cleo;

/* Three who may everything, and ida and olaf, whom things are about. */
static int
people_up(void **state)
{
	(void)door_empty(state);
	clock_s = 1790000000;
	ann = admin_new("ann", "everything", "department=IT");
	bob = admin_new("bob", "everything", "department=IT");
	cleo = admin_new("cleo", "everything", "department=IT");
	(void)person_of("ida", "department=Sales mail=ida@example.org");
	(void)person_of("olaf", "department=Operations mail=olaf@example.org");
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	return 0;
}

static void
a_revocation_needs_a_code_and_takes_everything(void **state)
{
	MU_AUTO(mu_freep) char *preview = NULL;

	(void)state;
	OK(propose(&ann, REVOKE("IDA@example.org")));
	member_is("needs", "{\"approvals\":0,\"code\":true}");
	member_is("preview.people.0.person.uid", "ida");
	member_is("preview.people.0.accounts", "[\"xmpp: enabled -> disabled\"]");
	member_is("lapses_at", "2026-09-21T14:24:50Z");		/* ten minutes */
	preview = member("preview.people");
	rig_sql_is("f enabled prepared", "SELECT concat_ws(' ', p.blocked, a.wanted_state, x.state) FROM person p"
	    " JOIN account a USING (person_id), action x WHERE p.uid = 'ida'");
	recorded(1, "action.proposed");

	OK(execute(&ann));
	member_is("state", "executed");
	member_is("result.people", preview);			/* NX-6: the preview was what came */
	member_is("targets.0.uid", "ida");
	member_is("requester.uid", "ann");
	rig_sql_is("t disabled", "SELECT concat_ws(' ', p.blocked, a.wanted_state) FROM person p JOIN account a"
	    " USING (person_id) WHERE p.uid = 'ida'");
	recorded(1, "action.executed");
	recorded_as("action.executed", "approvers", "");
	recorded_as("action.executed", "reason", "r");
	/* what is kept names nobody */
	rig_sql_is("0", "SELECT count(*) FROM action WHERE result LIKE '%ida%' OR document LIKE '%ida%'");
	clock_s += STEP_S;
	refused(MU_ECONFLICT, propose(&ann, REVOKE("ida")), "revoked already");
}

static void
P5_13_a_wrong_code_opens_nothing(void **state)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = wrong_code_of(&ann.one);
	struct action_answer answered = { .json = MU_BUF_INIT };

	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	DENIED(action_execute(&door.host, &ann.who, digest, &code, ADDRESS, now_ms(), &answered, &err));
	rig_sql_is("prepared f", "SELECT concat_ws(' ', state, (SELECT blocked FROM person WHERE uid = 'ida')) FROM action");
	recorded(1, "auth.failed");
	recorded(0, "action.refused");		/* once, by auth */
	OK(execute(&ann));
	recorded(1, "action.executed");
}

/* A code is for one digest: with it, X is done, and it opens Y neither before nor after. */
static void
P5_13_code_for_one_digest_opens_nothing_else(void **state)
{
	unsigned char first[ACTION_DIGEST_BYTES];

	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	(void)memcpy(first, digest, sizeof(first));
	OK(propose(&ann, REVOKE("olaf")));
	OK(execute(&ann));
	(void)memcpy(digest, first, sizeof(digest));
	DENIED(execute(&ann));			/* the same code, in the same step */
	rig_sql_is("f t", "SELECT string_agg(blocked::text, ' ' ORDER BY uid) FROM (SELECT uid, left(blocked::text, 1)"
	    " AS blocked FROM person WHERE uid IN ('ida', 'olaf')) AS p");
	clock_s += STEP_S;
	OK(execute(&ann));
	recorded(2, "action.executed");
}

/* A document that was changed has another digest, and nobody has proposed that. */
static void
P5_13_code_for_another_document_opens_nothing(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	free(rig_sql("UPDATE action SET document = replace(document, 'revoke', 'resume')"));
	refused(MU_EABSENT, execute(&ann), "changed past muster");
	recorded(1, "row.tampered");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
	OK(propose(&ann, REVOKE("ida")));
	free(rig_sql("UPDATE action SET requester = (SELECT person_id FROM person WHERE uid = 'bob')"));
	refused(MU_EABSENT, execute(&bob), "changed past muster");
	rig_sql_is("0", "SELECT count(*) FROM totp_seed WHERE failures > 0");	/* no code was asked for */
}

static void
nobody_executes_what_another_asked_for(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	refused(MU_EABSENT, execute(&bob), "no action of yours");
	refused(MU_ECONFLICT, approve(&bob), "the code of whoever proposed it");
	(void)memset(digest, 7, sizeof(digest));
	refused(MU_EABSENT, execute(&ann), "no action has this digest");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
}

static void
what_was_executed_is_answered_again_without_a_code(void **state)
{
	MU_AUTO(mu_freep) char *first = NULL;
	int asked;

	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	OK(execute(&ann));
	first = mu_strdup(said.data);
	asked = atomic_load(&codes_asked);
	OK(execute(&ann));
	assert_string_equal(first, said.data);
	assert_int_equal(asked, atomic_load(&codes_asked));
	recorded(1, "action.executed");
	recorded(0, "auth.failed");
}

static void
ten_minutes_for_the_code(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	clock_s += ACTION_PREPARED_S;
	refused(MU_ECONFLICT, execute(&ann), "lapsed");
	clock_s -= 1;
	OK(execute(&ann));
}

/* What is right at the proposal and wrong at the execution uses no code. */
static void
the_world_is_looked_at_again(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'ida'"));
	refused(MU_ECONFLICT, execute(&ann), "revoked already");
	free(rig_sql("UPDATE person SET blocked = false WHERE uid = 'ida'"));
	OK(execute(&ann));			/* the very code that was not used */
	clock_s += STEP_S;
	OK(propose(&ann, GRANT("reader", SOON, "olaf")));
	free(rig_sql("UPDATE person SET attrs = replace(attrs, 'staff', 'guest') WHERE uid = 'olaf'"));
	refused(MU_EDENIED, execute(&ann), "olaf");
	rig_sql_is("0 prepared", "SELECT concat_ws(' ', (SELECT count(*) FROM requested_grant), state) FROM action"
	    " WHERE kind = 'grant'");
}

static void
who_lost_their_role_executes_nothing(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	free(rig_sql("UPDATE administrator SET role = 'approver' WHERE person_id = (SELECT person_id FROM person"
	    " WHERE uid = 'ann')"));
	DENIED(execute(&ann));			/* the row's MAC is another's */
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
}

static void
keys_away_changes_nothing(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	keys_away = true;
	assert_int_equal(MU_ERETRY, execute(&ann));
	keys_away = false;
	recorded(0, "action.refused");
	OK(execute(&ann));
	recorded(1, "action.executed");
}

static enum mu_rc
decide_and_die(void *ctx, const struct mu_uuid *ids, size_t count, int64_t at_ms, bool earnest,
    struct action_effects *out, struct mu_err *fault)
{
	if (door_decide(ctx, ids, count, at_ms, earnest, out, fault) == MU_OK)
		(void)kill(getpid(), SIGKILL);
	return fault->rc;
}

/* The code has been used and the person decided on, and then the process is no more. */
static void
P5_13_killed_before_the_commit_leaves_code_and_action_unused(void **state)
{
	char step[24];
	MU_AUTO(mu_freep) char *sql = mu_strdup("SELECT last_step FROM totp_seed JOIN person USING (person_id)"
	    " WHERE uid = 'ann'");
	char *before = rig_sql(sql);
	int status;
	pid_t child;

	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct door d;

		door_open(&d);
		d.host.decide = decide_and_die;
		(void)!execute_at(&d, &ann, &err);
		_exit(0);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	rig_sql_is(before, sql);
	free(before);
	rig_sql_is("prepared f", "SELECT concat_ws(' ', state, (SELECT blocked FROM person WHERE uid = 'ida')) FROM action");
	recorded(0, "action.executed");
	OK(execute(&ann));			/* the very same code */
	(void)snprintf(step, sizeof(step), "%lld", (long long)(clock_s / STEP_S));
	rig_sql_is(step, sql);
	recorded(1, "action.executed");
}

/* --- Many at once -------------------------------------------------------------------------------------------- */

#define USERS 8
#define SENT 100

static struct race {
	atomic_int ready, answered, other;
	char fault[200];
} race;

static int
racer(void *ctx)
{
	struct door d;
	const int *times = ctx;

	door_open(&d);
	(void)atomic_fetch_add(&race.ready, 1);
	while (atomic_load(&race.ready) < USERS)
		thrd_yield();
	for (int i = 0; i < *times; i++) {
		MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(&ann.one, clock_s);
		struct action_answer answered = { .json = MU_BUF_INIT };
		struct mu_err fault = MU_ERR_INIT;
		enum mu_rc rc = action_execute(&d.host, &ann.who, digest, &code, ADDRESS, now_ms(), &answered, &fault);

		if (rc == MU_OK && answered.state == ACTION_EXECUTED) {
			(void)atomic_fetch_add(&race.answered, 1);
		} else if (atomic_fetch_add(&race.other, 1) == 0) {
			(void)snprintf(race.fault, sizeof(race.fault), "%.190s", fault.text);
		}
		action_answer_clear(&answered);
	}
	door_close(&d);
	return 0;
}

/* A hundred times over eight connections: done once, and answered every time. */
static void
P5_13_executed_once_however_often_sent(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		thrd_t threads[USERS];
		int times[USERS];

		(void)people_up(NULL);
		race = (struct race){ .fault = "" };
		OK(propose(&ann, REVOKE("ida")));
		for (int i = 0; i < USERS; i++) {
			times[i] = SENT / USERS + (i < SENT % USERS ? 1 : 0);
			assert_int_equal(thrd_success, thrd_create(&threads[i], racer, &times[i]));
		}
		for (int i = 0; i < USERS; i++)
			assert_int_equal(thrd_success, thrd_join(threads[i], NULL));
		if (atomic_load(&race.other) > 0)
			fail_msg("%d were not answered: %s", atomic_load(&race.other), race.fault);
		assert_int_equal(SENT, atomic_load(&race.answered));
		recorded(1, "action.executed");
		recorded(0, "auth.failed");
		/* joined, and blocked once */
		rig_sql_is("2", "SELECT a.version FROM account a JOIN person p USING (person_id) WHERE p.uid = 'ida'");
	}
}

/* --- Two and more ---------------------------------------------------------------------------------------------- */

static void
a_grant_waits_for_the_second_person(void **state)
{
	int asked;

	(void)state;
	OK(propose(&ann, GRANT("ops-moderator", SOON, "olaf")));
	member_is("needs.approvals", "1");		/* the role's, beyond the gate's */
	OK(execute(&ann));
	member_is("state", "pending");
	member_is("lapses_at", "2026-09-22T14:14:50Z");
	recorded(1, "action.pending");
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	asked = atomic_load(&codes_asked);
	OK(execute(&ann));				/* again: as it stands */
	member_is("state", "pending");
	assert_int_equal(asked, atomic_load(&codes_asked));
	clock_s += STEP_S;

	refused(MU_EDENIED, approve(&ann), "nobody approves what they asked for");
	OK(approve(&bob));
	member_is("state", "executed");
	member_is("approvals.0.person.uid", "bob");
	recorded(1, "action.approved");
	recorded(1, "action.executed");
	recorded(1, "grant.added");
	rig_sql_is("ops-moderator ann", "SELECT concat_ws(' ', g.role, p.uid) FROM requested_grant g JOIN person p"
	    " ON p.person_id = g.granted_by");
	OK(approve(&bob));				/* again: the same */
	member_is("state", "executed");
	OK(execute(&ann));
	member_is("state", "executed");
	refused(MU_ECONFLICT, approve(&cleo), "executed already");
	refused(MU_ECONFLICT, deny(&cleo, "too late"), "executed already");
	recorded(1, "action.executed");
}

static void
two_approvals_are_two_people(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("vault", "2026-09-21T14:40:00Z", "ida")));
	member_is("needs.approvals", "2");
	OK(execute(&ann));
	OK(approve(&bob));
	member_is("state", "pending");
	clock_s += STEP_S;
	OK(approve(&bob));
	member_is("state", "pending");			/* the same one counts once */
	recorded(1, "action.approved");
	OK(approve(&cleo));
	member_is("state", "executed");
	rig_sql_is("1", "SELECT count(*) FROM requested_grant WHERE role = 'vault'");
	rig_sql_is("t", "SELECT body::jsonb ->> 'approvers' = (SELECT string_agg(person_id::text, ' ' ORDER BY made_at,"
	    " person_id) FROM action_approval) FROM audit_record WHERE kind = 'action.executed'");
}

static struct gate {
	const char *name, *targets, *approvals;
} gates[] = {
	{ "the row of the action alone", "\"p1\"", "0" },
	{ "as many as the row's bound", "\"p1\",\"p2\"", "0" },
	{ "one more: its second row counts", "\"p1\",\"p2\",\"p3\"", "1" },
	{ "named twice is one person", "\"p1\",\"p2\",\"P2\",\"p1\"", "0" },
	{ "beyond the bound for all: the strictest counts", "\"p1\",\"p2\",\"p3\",\"p4\",\"p5\"", "2" },
};

static void
gate_row(void **state)
{
	const struct gate *g = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)people_up(NULL);
	for (int i = 1; i <= 5; i++) {
		char uid[8];

		(void)snprintf(uid, sizeof(uid), "p%d", i);
		(void)person_of(uid, "department=Sales");
	}
	mu_buf_format(&request, "{\"action\":\"suspend\",\"reason\":\"r\",\"targets\":[%s]}", g->targets);
	OK(propose(&ann, request.data));
	member_is("needs.approvals", g->approvals);
}

/* Each of the others by one code of a helpdesk, and nobody would be left to reinstate them. */
static void
P5_11_who_may_not_remove_administrators_touches_none(void **state)
{
	struct admin desk = admin_new("desk", "helpdesk", "department=IT");

	(void)state;
	refused(MU_EDENIED, propose(&desk, REVOKE("bob")), "no permission admin.remove");
	refused(MU_EDENIED, propose(&desk,
	    "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"ida\",\"bob\"]}"), "an administrator");
	OK(propose(&desk, REVOKE("ida")));
	OK(propose(&ann, REVOKE("bob")));
}

/* Who is a target has no say, and who may not approve neither. */
static void
approvers_are_not_just_anybody(void **state)
{
	struct admin desk = admin_new("desk", "helpdesk", "department=IT");
	struct admin sales = admin_new("sales", "ops-desk", "department=Sales");

	(void)state;
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	OK(propose(&ann, "{\"action\":\"suspend\",\"reason\":\"r\",\"targets\":[\"ida\",\"olaf\",\"bob\"]}"));
	OK(execute(&ann));
	member_is("state", "pending");
	refused(MU_EDENIED, approve(&bob), "own rights");
	refused(MU_EDENIED, deny(&bob, "not me"), "own rights");
	refused(MU_EDENIED, approve(&desk), "permission approve");
	refused(MU_EDENIED, approve(&sales), "scope");
	refused(MU_EDENIED, deny(&sales, "no"), "scope");
	rig_sql_is("0 pending", "SELECT concat_ws(' ', (SELECT count(*) FROM action_approval), state) FROM action");
	rig_sql_is("0", "SELECT count(*) FROM person WHERE suspended");
	OK(approve(&cleo));
	member_is("state", "executed");
	rig_sql_is("3", "SELECT count(*) FROM person WHERE suspended");
}

/* A scope is no bound where there are no people: who has one has no say in what is everybody's. */
static void
who_reaches_some_does_not_approve_what_is_everybodys(void **state)
{
	struct admin chief = admin_new("chief", "ops-chief", "department=IT");

	(void)state;
	OK(propose(&ann, "{\"action\":\"admin.enrol\",\"reason\":\"r\",\"targets\":[\"olaf\"],"
	    "\"args\":{\"role\":\"everything\"}}"));
	OK(execute(&ann));
	member_is("state", "pending");
	refused(MU_EDENIED, approve(&chief), "about everybody");
	refused(MU_EDENIED, deny(&chief, "no"), "about everybody");
	OK(approve(&bob));
	member_is("state", "executed");
}

/* An approval holds as long as whoever gave it may give it. */
static void
an_approver_who_left_approves_nothing(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("vault", "2026-09-21T14:40:00Z", "ida")));
	OK(execute(&ann));
	OK(approve(&bob));
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'bob'"));
	OK(approve(&cleo));
	member_is("state", "pending");
	free(rig_sql("UPDATE person SET blocked = false WHERE uid = 'bob'"));
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	clock_s += STEP_S;
	{
		struct admin dora = admin_new("dora", "approver", "department=IT");

		OK(approve(&dora));
		member_is("state", "executed");
	}
}

static void
an_approval_written_past_muster_is_none(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("vault", "2026-09-21T14:40:00Z", "ida")));
	OK(execute(&ann));
	free(rig_sql("INSERT INTO action_approval SELECT digest, (SELECT person_id FROM person WHERE uid = 'bob'), true,"
	    " '', now(), decode(repeat('00', 32), 'hex') FROM action"));
	OK(approve(&cleo));
	member_is("state", "pending");
	recorded(1, "row.tampered");
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
}

static void
whoever_asked_must_still_be_one_who_may(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("ops-moderator", SOON, "olaf")));
	OK(execute(&ann));
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'ann'"));
	refused(MU_EDENIED, approve(&bob), "whoever asked for it may not any more");
	rig_sql_is("0 0", "SELECT concat_ws(' ', (SELECT count(*) FROM requested_grant),"
	    " (SELECT count(*) FROM action_approval))");
	OK(deny(&bob, "ann is gone"));			/* the code was not used */
	member_is("state", "denied");
}

static void
a_denial_ends_it(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("ops-moderator", SOON, "olaf")));
	refused(MU_ECONFLICT, deny(&bob, "r"), "the code of whoever proposed it");
	OK(execute(&ann));
	refused(MU_EINPUT, deny(&bob, " "), "reason");
	OK(deny(&bob, "not tonight"));
	member_is("state", "denied");
	member_is("approvals.0.approved", "false");
	member_is("approvals.0.reason", "not tonight");
	recorded(1, "action.denied");
	OK(deny(&bob, "not tonight"));			/* again: the same */
	recorded(1, "action.denied");
	refused(MU_ECONFLICT, approve(&cleo), "denied already");
	refused(MU_ECONFLICT, execute(&ann), "denied");
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
}

static void
who_approved_may_think_again(void **state)
{
	(void)state;
	OK(propose(&ann, GRANT("vault", "2026-09-21T14:40:00Z", "ida")));
	OK(execute(&ann));
	OK(approve(&bob));
	clock_s += STEP_S;
	OK(deny(&bob, "I was wrong"));
	member_is("state", "denied");
	recorded_as("action.denied", "reason", "I was wrong");
	refused(MU_ECONFLICT, approve(&cleo), "denied already");
}

static void
whoever_asked_takes_it_back(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	OK(deny(&ann, "the wrong ida"));
	member_is("state", "denied");
	clock_s += STEP_S;
	refused(MU_ECONFLICT, execute(&ann), "denied");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
}

static void
what_waits_lapses_after_a_day(void **state)
{
	(void)state;
	OK(propose(&ann, REVOKE("ida")));
	OK(propose(&ann, GRANT("ops-moderator", SOON, "olaf")));
	OK(execute(&ann));
	clock_s += ACTION_LAPSE_S - 1;
	OK(action_lapse(&door.host, now_ms(), &err));
	recorded(0, "action.lapsed");
	clock_s++;
	refused(MU_ECONFLICT, approve(&bob), "lapsed");		/* before the clock has looked */
	OK(action_lapse(&door.host, now_ms(), &err));
	recorded(1, "action.lapsed");
	rig_sql_is("lapsed", "SELECT string_agg(state, ' ') FROM action");	/* what was never asked for is gone */
	refused(MU_ECONFLICT, approve(&bob), "lapsed");
	refused(MU_ECONFLICT, execute(&ann), "lapsed");
	OK(action_lapse(&door.host, now_ms(), &err));
	recorded(1, "action.lapsed");
}

/* --- Who is meant ------------------------------------------------------------------------------------------------ */

static void
P1_3_ambiguous_names_list_candidates_and_change_nothing(void **state)
{
	(void)state;
	(void)person_of("jo", "department=Operations mail=jo@example.org displayName=Jo");
	(void)person_of("joan", "department=Operations mail=jo@example.org displayName=Joan");
	refused(MU_EINPUT, propose(&ann, "{\"action\":\"grant\",\"reason\":\"r\",\"targets\":[\"olaf\",\"JO@example.org\","
	    "\"no one\"],\"args\":{\"role\":\"ops-moderator\",\"until\":\"" SOON "\"}}"), "1 is nobody and 1 is several");
	member_is("targets.0.given", "JO@example.org");
	member_is("targets.0.candidates.0.uid", "jo");
	member_is("targets.0.candidates.1.uid", "joan");
	member_is("targets.1.given", "no one");
	member_is("targets.1.candidates", "[]");
	member_is("targets.2", "");			/* olaf is one person alone */
	rig_sql_is("0 0", "SELECT concat_ws(' ', (SELECT count(*) FROM action), (SELECT count(*) FROM requested_grant))");
}

/* The record of a refusal names nobody. */
static void
refusals_are_recorded_without_names(void **state)
{
	(void)state;
	assert_int_equal(MU_EDENIED, propose(&ann, GRANT("ops-moderator", SOON, "ida")));
	assert_non_null(strstr(err.text, "ida: "));
	assert_int_equal(MU_EINPUT, propose(&ann, REVOKE("jo@example.org")));
	recorded(2, "action.refused");
	rig_sql_is("0", "SELECT count(*) FROM audit_record WHERE body LIKE '%ida%' OR body LIKE '%jo@%'");
	rig_sql_is("1", "SELECT count(*) FROM audit_record a JOIN person p ON p.uid = 'ida'"
	    " WHERE a.body::jsonb ->> 'reason' LIKE p.person_id || ': %'");
}

static void
P1_3_candidates_beyond_the_scope_are_not_shown(void **state)
{
	struct admin desk = admin_new("desk", "ops-desk", "department=IT");

	(void)state;
	(void)person_of("jo", "department=Operations mail=jo@example.org");
	(void)person_of("joan", "department=Sales mail=jo@example.org");
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	refused(MU_EINPUT, propose(&desk, REVOKE("jo@example.org")), "1 is several");
	member_is("targets.0.candidates.0.uid", "jo");
	member_is("targets.0.candidates.1", "");
}

static void
one_person_is_found_or_not(void **state)
{
	struct mu_uuid id;
	char sql[200], text[MU_UUID_TEXT_BYTES];

	(void)state;
	(void)person_of("jo", "department=Operations mail=jo@example.org");
	(void)person_of("joan", "department=Operations mail=jo@example.org");
	OK(action_who(&door.host, "JOAN", &id, &err));
	(void)snprintf(sql, sizeof(sql), "SELECT uid FROM person WHERE person_id = '%s'", mu_uuid_format(&id, text));
	rig_sql_is("joan", sql);
	assert_int_equal(MU_ECONFLICT, action_who(&door.host, "jo@example.org", &id, &err));
	assert_int_equal(MU_EABSENT, action_who(&door.host, "nobody", &id, &err));
}

/* --- Looking -------------------------------------------------------------------------------------------------------- */

static void
an_action_is_shown_to_those_it_concerns(void **state)
{
	struct admin desk = admin_new("desk", "helpdesk", "department=IT");
	struct admin sales = admin_new("sales", "ops-desk", "department=Sales");
	MU_AUTO(mu_buf_clear) struct mu_buf list = MU_BUF_INIT;

	(void)state;
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	OK(propose(&ann, GRANT("vault", "2026-09-21T14:40:00Z", "ida")));
	OK(execute(&ann));
	OK(show(&ann));
	OK(show(&bob));					/* who is to approve sees what it would do */
	member_is("action", "grant");
	member_is("preview.people.0.person.uid", "ida");
	member_is("preview.people.0.gained.0", "vault");
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'ida'"));
	OK(show(&bob));
	member_is("preview.people", "[]");
	{
		MU_AUTO(mu_freep) char *line = member("preview.lines.0");

		assert_non_null(strstr(line, "It would be refused now: ida"));
	}
	free(rig_sql("UPDATE person SET blocked = false WHERE uid = 'ida'"));
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	member_is("reason", "night shift");
	member_is("document.args.role", "vault");
	member_is("needs.approvals", "2");
	member_is("result", "null");
	member_is("shown", "null");
	member_is("ended_at", "null");
	refused(MU_EDENIED, show(&desk), "permission approve");
	refused(MU_EDENIED, show(&sales), "scope");
	OK(action_pending(&door.host, &bob.who, now_ms(), &list, &err));
	assert_non_null(strstr(list.data, "\"uid\":\"ida\""));
	OK(action_pending(&door.host, &ann.who, now_ms(), &list, &err));
	assert_non_null(strstr(list.data, digest_text));
	OK(action_pending(&door.host, &desk.who, now_ms(), &list, &err));
	assert_string_equal("{\"pending\":[]}", list.data);
	OK(action_pending(&door.host, &sales.who, now_ms(), &list, &err));
	assert_string_equal("{\"pending\":[]}", list.data);
}

/* --- One person alone ------------------------------------------------------------------------------------------------ */

/*
 * Everything that one administrator who may everything can try without a second person: about themselves
 * it is refused, and what gives power to others waits.
 */
static void
P5_11_one_person_alone_raises_nobody(void **state)
{
	static const struct {
		const char *args;
		bool about_people;
	} tries[ACTION_KIND_COUNT] = {
		[ACTION_REVOKE] = { "{}", true }, [ACTION_SUSPEND] = { "{}", true }, [ACTION_RESUME] = { "{}", true },
		[ACTION_REINSTATE] = { "{}", true },
		[ACTION_IDENTIFY] = { "{\"level\":\"in-person\",\"method\":\"m\",\"evidence\":\"e\"}", true },
		[ACTION_GRANT] = { "{\"role\":\"reader\",\"until\":\"" SOON "\"}", true },
		[ACTION_UNGRANT] = { "{\"role\":\"reader\"}", true },
		[ACTION_CREDENTIAL_ISSUE] = { "{\"platform\":\"xmpp\"}", true },
		[ACTION_BRAKE_RELEASE] = { "{\"source\":\"corp\"}", false },
		[ACTION_POLICY_APPLY] = { "{}", false },
		[ACTION_CLIENT_ADD] = { "", false }, [ACTION_CLIENT_RENEW] = { "", false },
		[ACTION_CLIENT_REMOVE] = { "", false },
		[ACTION_ADMIN_ENROL] = { "{\"role\":\"everything\"}", true }, [ACTION_ADMIN_UNLOCK] = { "{}", true },
		[ACTION_ADMIN_REMOVE] = { "{}", true }, [ACTION_SYNC_RUN] = { "", false },
	};
	static const enum action_kind powers[] = { ACTION_REINSTATE, ACTION_BRAKE_RELEASE, ACTION_POLICY_APPLY,
		ACTION_ADMIN_ENROL, ACTION_ADMIN_REMOVE };

	(void)state;
	for (unsigned int kind = 0; kind < ACTION_KIND_COUNT; kind++) {
		MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

		if (!tries[kind].about_people)
			continue;
		mu_buf_format(&request, "{\"action\":\"%s\",\"reason\":\"r\",\"targets\":[\"ann\"],\"args\":%s}",
		    action_kind_name((enum action_kind)kind), tries[kind].args);
		refused(MU_EDENIED, propose(&ann, request.data), "own rights");
	}
	/* The brake holds ann's own removal, too. */
	free(rig_sql("INSERT INTO brake_hold (source, person_id, kind, reason, since) SELECT 'corp', person_id, 'removal', 'gone', now()"
	    " FROM person WHERE uid IN ('ann', 'ida')"));
	refused(MU_EDENIED, propose(&ann, "{\"action\":\"brake.release\",\"reason\":\"r\",\"args\":{\"source\":\"corp\"}}"),
	    "own rights");
	free(rig_sql("DELETE FROM brake_hold USING person p WHERE p.uid = 'ann' AND p.person_id = brake_hold.person_id"));
	/* For others: it waits, and ann is no second person; nor is the one whom it is to raise. */
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'olaf'"));
	policy_store();
	for (size_t i = 0; i < MU_COUNT(powers); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

		assert_true(action_floor(powers[i]).approvals >= 1);
		mu_buf_format(&request, "{\"action\":\"%s\",\"reason\":\"r\",\"targets\":[%s],\"args\":%s}",
		    action_kind_name(powers[i]), !tries[powers[i]].about_people ? "" :
		    powers[i] == ACTION_REINSTATE ? "\"olaf\"" : powers[i] == ACTION_ADMIN_REMOVE ? "\"cleo\"" : "\"ida\"",
		    tries[powers[i]].args);
		if (powers[i] == ACTION_POLICY_APPLY)	/* nothing but a code for whatever has no floor */
			policy_request(&request, 1, "gates.yaml", "- actions: [grant, identify]\n  code: required\n");
		OK(propose(&ann, request.data));
		OK(execute(&ann));
		member_is("state", "pending");
		clock_s += STEP_S;
		refused(MU_EDENIED, approve(&ann), "nobody approves what they asked for");
	}
	rig_sql_is("3 0 t 1", "SELECT concat_ws(' ', (SELECT count(*) FROM administrator), (SELECT count(*) FROM"
	    " brake_hold WHERE released), (SELECT blocked FROM person WHERE uid = 'olaf'), (SELECT count(*) FROM"
	    " policy_version))");
	recorded(0, "action.executed");
}

int
main(void)
{
	struct CMUnitTest tests[64 + MU_COUNT(refusals) + MU_COUNT(gates)] = {
#define CASE(name) cmocka_unit_test_setup(name, people_up)
		CASE(a_revocation_needs_a_code_and_takes_everything),
		CASE(P5_13_a_wrong_code_opens_nothing),
		CASE(P5_13_code_for_one_digest_opens_nothing_else),
		CASE(P5_13_code_for_another_document_opens_nothing),
		CASE(P5_13_executed_once_however_often_sent),
		CASE(P5_13_killed_before_the_commit_leaves_code_and_action_unused),
		CASE(nobody_executes_what_another_asked_for),
		CASE(what_was_executed_is_answered_again_without_a_code),
		CASE(ten_minutes_for_the_code),
		CASE(the_world_is_looked_at_again),
		CASE(who_lost_their_role_executes_nothing),
		CASE(keys_away_changes_nothing),
		CASE(a_grant_waits_for_the_second_person),
		CASE(two_approvals_are_two_people),
		CASE(approvers_are_not_just_anybody),
		CASE(P5_11_who_may_not_remove_administrators_touches_none),
		CASE(an_approver_who_left_approves_nothing),
		CASE(an_approval_written_past_muster_is_none),
		CASE(whoever_asked_must_still_be_one_who_may),
		CASE(a_denial_ends_it),
		CASE(who_approved_may_think_again),
		CASE(whoever_asked_takes_it_back),
		CASE(what_waits_lapses_after_a_day),
		CASE(P1_3_ambiguous_names_list_candidates_and_change_nothing),
		CASE(P1_3_candidates_beyond_the_scope_are_not_shown),
		CASE(who_reaches_some_does_not_approve_what_is_everybodys),
		CASE(refusals_are_recorded_without_names),
		CASE(one_person_is_found_or_not),
		CASE(an_action_is_shown_to_those_it_concerns),
		CASE(P5_11_one_person_alone_raises_nobody),
	};
	size_t count = 0;

	while (tests[count].name != NULL)
		count++;
	for (size_t i = 0; i < MU_COUNT(refusals); i++)
		tests[count++] = (struct CMUnitTest){ refusals[i].name, refusal_row, NULL, NULL, &refusals[i] };
	for (size_t i = 0; i < MU_COUNT(gates); i++)
		tests[count++] = (struct CMUnitTest){ gates[i].name, gate_row, NULL, NULL, &gates[i] };
	return _cmocka_run_group_tests("door", tests, count, door_up, door_down);
}
