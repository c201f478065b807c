/* What each kind of action does, in a real store: from a proposal to what stands there afterwards. */
#include "unit/action/rig.h"

#include "crypto/sign.h"

#define PEOPLE(action, uid, args) "{\"action\":\"" action "\",\"reason\":\"r\",\"targets\":[\"" uid "\"],\"args\":" args "}"
#define NOBODY(action, args)	"{\"action\":\"" action "\",\"reason\":\"r\",\"args\":" args "}"

static struct admin ann, bob, cleo;

static int
people_up(void **state)
{
	(void)door_empty(state);
	clock_s = 1790000000;
	ann = admin_new("ann", "everything", "department=IT");
	bob = admin_new("bob", "everything", "department=IT");
	cleo = admin_new("cleo", "everything", "department=IT");
	(void)person_of("ida", "department=Sales");
	(void)person_of("olaf", "department=Operations");
	free(rig_sql("DELETE FROM audit_pending; DELETE FROM audit_record"));
	return 0;
}

/* By ann, and by bob where a second is needed; the next code is a fresh one. */
static void
done(const char *request)
{
	MU_AUTO(mu_freep) char *state = NULL;

	OK(propose(&ann, request));
	OK(execute(&ann));
	state = member("state");
	if (strcmp(state, "pending") == 0)
		OK(approve(&bob));
	member_is("state", "executed");
	clock_s += STEP_S;
}

static void
account_is(const char *want, const char *uid)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql), "SELECT a.wanted_state || ' ' || replace(a.entitlements, E'\\n', ',') FROM account"
	    " a JOIN person p USING (person_id) WHERE p.uid = '%s'", uid);
	rig_sql_is(want, sql);
}

/* --- Blocked and suspended ------------------------------------------------------------------------------- */

static void
who_is_revoked_stays_so_until_reinstated_by_two(void **state)
{
	(void)state;
	done(PEOPLE("revoke", "ida", "{}"));
	account_is("disabled ", "ida");
	refused(MU_ECONFLICT, propose(&ann, PEOPLE("resume", "ida", "{}")), "not suspended");
	done(PEOPLE("reinstate", "ida", "{}"));
	member_is("approvals.0.person.uid", "bob");
	account_is("enabled group all,", "ida");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'ida'");
}

static void
of_several_those_are_revoked_who_are_not_yet(void **state)
{
	(void)state;
	done(PEOPLE("revoke", "ida", "{}"));
	done("{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"ida\",\"olaf\"]}");
	rig_sql_is("2", "SELECT count(*) FROM person WHERE blocked");
	refused(MU_ECONFLICT, propose(&ann, "{\"action\":\"revoke\",\"reason\":\"r\",\"targets\":[\"ida\",\"olaf\"]}"),
	    "revoked already");
}

static void
who_holds_nothing_is_revoked_for_later(void **state)
{
	(void)state;
	(void)person_of("guest", "employeeType=guest");
	rig_sql_is("0", "SELECT count(*) FROM account JOIN person USING (person_id) WHERE uid = 'guest'");
	done(PEOPLE("revoke", "guest", "{}"));
	rig_sql_is("t", "SELECT blocked FROM person WHERE uid = 'guest'");
}

static void
an_administrator_who_is_revoked_opens_nothing(void **state)
{
	(void)state;
	done(PEOPLE("revoke", "cleo", "{}"));
	OK(propose(&ann, PEOPLE("revoke", "ida", "{}")));
	OK(propose(&cleo, PEOPLE("suspend", "ida", "{}")));	/* the session is found before: auth_session_find */
	DENIED(execute(&cleo));
	rig_sql_is("f", "SELECT suspended FROM person WHERE uid = 'ida'");
}

static void
who_is_suspended_comes_back(void **state)
{
	(void)state;
	done(PEOPLE("suspend", "ida", "{\"until\":\"2026-09-22T08:00:00+02:00\"}"));
	account_is("disabled ", "ida");
	rig_sql_is("t 1790056800", "SELECT suspended || ' ' || extract(epoch FROM resume_at)::bigint FROM (SELECT"
	    " left(suspended::text, 1) AS suspended, resume_at FROM person WHERE uid = 'ida') AS p");
	refused(MU_ECONFLICT, propose(&ann, PEOPLE("suspend", "ida", "{\"until\":\"2026-09-22T06:00:00Z\"}")),
	    "suspended so already");
	done(PEOPLE("suspend", "ida", "{}"));			/* without an end now */
	rig_sql_is("", "SELECT resume_at FROM person WHERE uid = 'ida'");
	done(PEOPLE("resume", "ida", "{}"));
	account_is("enabled group all,", "ida");
}

/* --- Identified and granted ------------------------------------------------------------------------------ */

static void
P5_15_an_identification_has_its_verifier_method_and_evidence(void **state)
{
	(void)state;
	done(PEOPLE("identify", "olaf", "{\"level\":\"in-person\",\"method\":\"passport\",\"evidence\":\"HR 17\"}"));
	rig_sql_is("in-person passport HR 17 ann 1", "SELECT concat_ws(' ', i.level, i.method, i.evidence, v.uid, i.version)"
	    " FROM identification i JOIN person v ON v.person_id = i.verifier");
	rig_sql_is("in-person", "SELECT identified FROM person WHERE uid = 'olaf'");
	rig_sql_is("1", "SELECT count(*) FROM audit_record WHERE kind = 'person.identified' AND body LIKE '%passport%'");
	done(PEOPLE("identify", "olaf", "{\"level\":\"known\",\"method\":\"colleague\",\"evidence\":\"HR 18\"}"));
	rig_sql_is("known 2", "SELECT concat_ws(' ', level, version) FROM identification");
}

static void
a_grant_works_once_who_holds_it_is_identified(void **state)
{
	(void)state;
	done(PEOPLE("grant", "olaf", "{\"role\":\"ops-moderator\",\"until\":\"2026-09-21T20:00:00Z\"}"));
	account_is("enabled group all,", "olaf");
	done(PEOPLE("identify", "olaf", "{\"level\":\"in-person\",\"method\":\"passport\",\"evidence\":\"HR 17\"}"));
	member_is("result.people.0.gained", "[\"ops-moderator\"]");
	account_is("enabled group all,room ops moderator,", "olaf");
	recorded(1, "grant.added");
	done(PEOPLE("ungrant", "olaf", "{\"role\":\"ops-moderator\"}"));
	member_is("result.people.0.lost", "[\"ops-moderator\"]");
	account_is("enabled group all,", "olaf");
	rig_sql_is("0", "SELECT count(*) FROM requested_grant");
	recorded_as("grant.ended", "reason", "ungranted");
	recorded(1, "grant.ended");
}

static void
a_grant_takes_the_place_of_an_older_one(void **state)
{
	(void)state;
	done(PEOPLE("grant", "ida", "{\"role\":\"reader\",\"until\":\"2026-09-22T08:00:00Z\"}"));
	done(PEOPLE("grant", "ida", "{\"role\":\"reader\",\"until\":\"2026-09-25T08:00:00Z\"}"));
	rig_sql_is("1 1790323200", "SELECT concat_ws(' ', count(*), extract(epoch FROM max(ends_at))::bigint) FROM"
	    " requested_grant");
	rig_sql_is("t", "SELECT g.action_digest = a.digest FROM requested_grant g, action a ORDER BY a.requested_at DESC"
	    " LIMIT 1");
	account_is("enabled group all,room news member,", "ida");
}

/* A grant that somebody wrote past muster neither works nor stands in the way of a conflicting one. */
static void
a_grant_without_its_mac_counts_for_nothing(void **state)
{
	(void)state;
	(void)person_of("audra", "department=Audit");
	refused(MU_EDENIED, propose(&ann, PEOPLE("grant", "audra",
	    "{\"role\":\"ops-moderator\",\"until\":\"2026-09-21T20:00:00Z\"}")), "audra");
	done(PEOPLE("grant", "ida", "{\"role\":\"reader\",\"until\":\"2026-09-22T08:00:00Z\"}"));
	refused(MU_EDENIED, propose(&ann, PEOPLE("grant", "ida",
	    "{\"role\":\"vault\",\"until\":\"2026-09-21T14:40:00Z\"}")), "ida");
	free(rig_sql("UPDATE requested_grant SET ends_at = '2030-01-01'"));
	OK(propose(&ann, PEOPLE("grant", "ida",
	    "{\"role\":\"vault\",\"until\":\"2026-09-21T14:40:00Z\"}")));
	done(PEOPLE("suspend", "ida", "{}"));
	done(PEOPLE("resume", "ida", "{}"));
	account_is("enabled group all,", "ida");
}

/* --- Credentials -------------------------------------------------------------------------------------------- */

static void
a_credential_is_made_anew(void **state)
{
	(void)state;
	free(rig_sql("UPDATE account SET settled_version = version, claimed_at = now()"));
	done(PEOPLE("credential.issue", "ida", "{\"platform\":\"xmpp\"}"));
	rig_sql_is("ida", "SELECT string_agg(p.uid, ' ') FROM account a JOIN person p USING (person_id)"
	    " WHERE a.version > a.settled_version");
	rig_sql_is("", "SELECT a.claimed_at FROM account a JOIN person p USING (person_id) WHERE p.uid = 'ida'");
}

/* --- The brake, reads ---------------------------------------------------------------------------------------- */

#define HOLD(uids) "INSERT INTO brake_hold (source, person_id, kind, reason, since) SELECT 'corp', person_id, 'removal', 'gone'," \
	" now() FROM person WHERE uid IN (" uids ")"

static void
a_release_is_for_those_who_were_held_when_it_was_asked(void **state)
{
	(void)state;
	(void)person_of("late", "department=Sales");
	free(rig_sql(HOLD("'ida', 'olaf'")));
	OK(propose(&ann, NOBODY("brake.release", "{\"source\":\"corp\"}")));
	member_is("needs.approvals", "1");
	member_is("preview.lines", "[\"ida: gone\",\"olaf: gone\"]");
	OK(execute(&ann));
	member_is("targets.1.uid", "olaf");
	free(rig_sql(HOLD("'late'")));
	free(rig_sql("DELETE FROM brake_hold USING person p WHERE p.uid = 'olaf' AND p.person_id = brake_hold.person_id"));
	OK(approve(&bob));
	member_is("state", "executed");
	rig_sql_is("ida t late f", "SELECT string_agg(p.uid || ' ' || left(released::text, 1), ' ' ORDER BY p.uid) FROM"
	    " brake_hold JOIN person p USING (person_id)");
	rig_sql_is("1790000090", "SELECT extract(epoch FROM asked_at)::bigint FROM sync_request WHERE source = 'corp'");
	recorded_as("brake.released", "people", "1");
}

static void
who_is_held_no_more_is_not_released(void **state)
{
	(void)state;
	free(rig_sql(HOLD("'ida'")));
	OK(propose(&ann, NOBODY("brake.release", "{\"source\":\"corp\"}")));
	OK(execute(&ann));
	free(rig_sql("DELETE FROM brake_hold"));
	refused(MU_EABSENT, approve(&bob), "holds none of them");
	rig_sql_is("0", "SELECT count(*) FROM sync_request");
}

static void
a_read_is_asked_for(void **state)
{
	(void)state;
	done(NOBODY("sync.run", "{\"source\":\"corp\"}"));
	rig_sql_is("1", "SELECT count(*) FROM sync_request WHERE source = 'corp'");
	recorded_as("sync.asked", "source", "corp");
}

/* --- Policies --------------------------------------------------------------------------------------------------- */

static void
a_policy_is_the_version_after_the_one_it_was_planned_on(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)state;
	policy_store();
	policy_request(&request, 1, "identification.yaml", "- {level: known}\n- {level: in-person}\n- {level: dna}\n");
	OK(propose(&ann, request.data));
	member_is("preview.lines.0", "administrators.yaml: as it is");
	member_is("preview.lines.2", "identification.yaml: changed");
	rig_sql_is("1", "SELECT count(*) FROM policy_version");	/* a preview writes nothing */
	OK(execute(&ann));
	OK(approve(&bob));
	member_is("result.version", "2");
	rig_sql_is("2", "SELECT count(*) FROM policy_version");
	recorded_as("policy.applied", "version", "2");
	clock_s += STEP_S;
	refused(MU_ECONFLICT, propose(&ann, request.data), "");	/* 1 is not in force any more */
}

static void
P5_2_a_policy_is_refused_when_the_world_moved(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)state;
	policy_store();
	policy_request(&request, 1, NULL, NULL);
	OK(propose(&ann, request.data));
	member_is("preview.lines.4", "of 3 people 1 would change");
	OK(execute(&ann));
	door.outcome = "abd";
	refused(MU_ECONFLICT, approve(&bob), "plan again");
	refused(MU_ECONFLICT, propose(&ann, request.data), "plan again");
	rig_sql_is("1", "SELECT count(*) FROM policy_version");
	door.outcome = "abc";
	clock_s += STEP_S;
	OK(approve(&bob));
	rig_sql_is("2", "SELECT count(*) FROM policy_version");
}

static void
P5_2_a_policy_that_nobody_planned_is_refused(void **state)
{
	(void)state;
	policy_store();
	refused(MU_EINPUT, propose(&ann, "{\"action\":\"policy.apply\",\"args\":{\"base\":1,"
	    "\"files\":{\"roles.yaml\":\"[]\"}},\"reason\":\"r\"}"), "plan it first");
}

static void
a_policys_faults_are_all_told(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)state;
	policy_store();
	policy_request(&request, 1, "gates.yaml", "- actions: [fly]\n  code: required\n- actions: [admin.enrol]\n"
	    "  code: required\n  approvals: 0\n");
	assert_int_equal(MU_EINPUT, propose(&ann, request.data));
	assert_non_null(strstr(err.text, "gates.yaml:1:"));
	assert_non_null(strstr(said.data, "\"gates.yaml:1:"));
	assert_non_null(strstr(said.data, "\"gates.yaml:3:"));
	refused(MU_EINPUT, MU_EINPUT, "gates.yaml:3:");
}

#define WITHOUT_APPROVALS	"- actions: [grant, identify]\n  code: required\n"

static struct way_back {
	const char *name, *file, *content, *before;
	enum mu_rc want;
} way_backs[] = {
	{ "a policy that leaves two who may change it is taken", "administrators.yaml",
	    "- role: everything\n  may: [policy.apply, approve]\n", NULL, MU_OK },
	{ "one that renames the role of all is not", "administrators.yaml",
	    "- role: anything\n  may: [policy.apply, approve]\n", NULL, MU_ECONFLICT },
	{ "nor one under which nobody may ask", "administrators.yaml",
	    "- role: everything\n  may: [approve, revoke]\n", NULL, MU_ECONFLICT },
	{ "nor one under which nobody may approve", "administrators.yaml",
	    "- role: everything\n  may: [policy.apply, revoke]\n", NULL, MU_ECONFLICT },
	{ "two approvals of three administrators can be had", "gates.yaml", WITHOUT_APPROVALS, NULL, MU_OK },
	{ "not when one of the three is revoked", "gates.yaml", WITHOUT_APPROVALS,
	    "UPDATE person SET blocked = true WHERE uid = 'cleo'", MU_ECONFLICT },
	{ "nor has left", "gates.yaml", WITHOUT_APPROVALS,
	    "UPDATE person SET state = 'leaver' WHERE uid = 'cleo'", MU_ECONFLICT },
	{ "nor has a row that others wrote", "gates.yaml", WITHOUT_APPROVALS,
	    "UPDATE administrator SET enrolled_at = now() FROM person p WHERE p.uid = 'cleo' AND p.person_id ="
	    " administrator.person_id", MU_ECONFLICT },
	{ "three approvals of three administrators cannot be had", "gates.yaml",
	    "- actions: [policy.apply]\n  code: required\n  approvals: 3\n", NULL, MU_ECONFLICT },
};

static void
policy_way_back_row(void **state)
{
	const struct way_back *row = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)people_up(NULL);
	policy_store();
	if (row->before != NULL)
		free(rig_sql(row->before));
	policy_request(&request, 1, row->file, row->content);
	if (row->want == MU_OK)
		OK(propose(&ann, request.data));
	else
		refused(row->want, propose(&ann, request.data), "nobody could change the policy again");
}

/* --- Clients ------------------------------------------------------------------------------------------------------ */

/* A request for client.add or client.renew with a fresh key's PEM. */
static void
client_request(struct mu_buf *b, const char *action, const char *name, const char *member_name, const char *pem)
{
	struct json_writer w;

	mu_buf_reset(b);
	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_text(&w, "action", action);
	json_object_begin(&w, "args");
	json_text(&w, member_name, pem);
	json_text(&w, "name", name);
	if (strcmp(action, "client.add") == 0)
		json_text(&w, "platform", "xmpp");
	json_object_end(&w);
	json_text(&w, "reason", "r");
	json_object_end(&w);
	json_end(&w);
}

static void
a_client_is_added_renewed_and_removed(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *first = NULL, *second = NULL;

	(void)state;
	door.published[0] = '\0';
	client_request(&request, "client.add", "janus", "csr", mu_secret_text(&csr));
	OK(propose(&ann, request.data));
	assert_string_equal("", door.published);
	rig_sql_is("0", "SELECT count(*) FROM token_client");
	OK(execute(&ann));
	clock_s += STEP_S;
	first = member("result.certificate");
	assert_non_null(strstr(first, "BEGIN CERTIFICATE"));
	assert_string_equal("clients/janus.crt", door.published);
	rig_sql_is("janus xmpp f 1", "SELECT concat_ws(' ', name, platform, left(configured::text, 1), version) FROM"
	    " token_client");
	recorded(1, "client.issued");
	refused(MU_ECONFLICT, propose(&ann, request.data), "janus already");

	client_request(&request, "client.renew", "janus", "csr", mu_secret_text(&csr));
	done(request.data);
	second = member("result.certificate");
	assert_string_not_equal(first, second);
	rig_sql_is("2", "SELECT version FROM token_client");

	done(NOBODY("client.remove", "{\"name\":\"janus\"}"));
	rig_sql_is("0", "SELECT count(*) FROM token_client");
	recorded(1, "client.removed");

	/* the certificate that was made is one that can be pinned, for one client */
	client_request(&request, "client.add", "other", "certificate", second);
	done(request.data);
	client_request(&request, "client.add", "third", "certificate", second);
	refused(MU_ECONFLICT, propose(&ann, request.data), "other");
}

static void
a_configured_client_is_changed_in_the_configuration(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)state;
	client_request(&request, "client.add", "janus", "csr", mu_secret_text(&csr));
	done(request.data);
	free(rig_sql("UPDATE token_client SET configured = true"));
	client_request(&request, "client.renew", "janus", "csr", mu_secret_text(&csr));
	refused(MU_ECONFLICT, propose(&ann, request.data), "configuration file");
	refused(MU_ECONFLICT, propose(&ann, NOBODY("client.remove", "{\"name\":\"janus\"}")), "configuration file");
}

static void
renewing_vouches_for_no_row_that_others_wrote(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	(void)state;
	client_request(&request, "client.add", "janus", "csr", mu_secret_text(&csr));
	done(request.data);
	free(rig_sql("UPDATE token_client SET platform = 'matrix'"));
	client_request(&request, "client.renew", "janus", "csr", mu_secret_text(&csr));
	refused(MU_ECONFLICT, propose(&ann, request.data), "changed past muster");
	done(NOBODY("client.remove", "{\"name\":\"janus\"}"));
}

/* --- Administrators -------------------------------------------------------------------------------------------------- */

static void
an_enrolment_code_is_shown_once(void **state)
{
	MU_AUTO(mu_freep) char *code = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

	(void)state;
	OK(propose(&ann, PEOPLE("admin.enrol", "ida", "{\"role\":\"helpdesk\"}")));
	rig_sql_is("0", "SELECT count(*) FROM enrolment");
	OK(execute(&ann));
	member_is("shown", "null");
	OK(approve(&bob));
	code = member("shown.enrolment_code");
	assert_true(strlen(code) >= 26);		/* 130 bits, at most 5 a letter */
	OK(approve(&bob));
	member_is("shown", "null");
	OK(execute(&ann));
	member_is("shown", "null");
	mu_buf_format(&sql, "SELECT count(*) FROM action WHERE result LIKE '%%%s%%'", code);
	rig_sql_is("0", sql.data);
	rig_sql_is("1", "SELECT count(*) FROM enrolment");
	rig_sql_is("helpdesk f ann", "SELECT concat_ws(' ', a.role, left(a.active::text, 1), by.uid) FROM administrator a"
	    " JOIN person p USING (person_id) JOIN person by ON by.person_id = a.enrolled_by WHERE p.uid = 'ida'");
	recorded(1, "admin.enrolled");
}

static void
an_administrator_who_is_locked_is_unlocked_by_another(void **state)
{
	(void)state;
	refused(MU_ECONFLICT, propose(&ann, PEOPLE("admin.unlock", "cleo", "{}")), "cleo");
	free(rig_sql("UPDATE totp_seed SET failures = 5, locked_at = now() WHERE person_id = (SELECT person_id FROM person"
	    " WHERE uid = 'cleo')"));
	done(PEOPLE("admin.unlock", "cleo", "{}"));
	rig_sql_is("0", "SELECT count(*) FROM totp_seed WHERE failures > 0 OR locked_at IS NOT NULL");
	recorded(1, "admin.unlocked");
}

static void
two_administrators_stay(void **state)
{
	(void)state;
	done(PEOPLE("admin.remove", "cleo", "{}"));
	rig_sql_is("2", "SELECT count(*) FROM administrator");
	recorded(1, "admin.removed");
	refused(MU_ECONFLICT, propose(&ann, PEOPLE("admin.remove", "bob", "{}")), "enrol another first");
	/* one who never collected their seed is none that would be missed */
	done(PEOPLE("admin.enrol", "ida", "{\"role\":\"helpdesk\"}"));
	done(PEOPLE("admin.remove", "ida", "{}"));
	rig_sql_is("2", "SELECT count(*) FROM administrator");
}

int
main(void)
{
	struct CMUnitTest tests[32 + MU_COUNT(way_backs)] = {
#define CASE(name) cmocka_unit_test_setup(name, people_up)
		CASE(who_is_revoked_stays_so_until_reinstated_by_two),
		CASE(of_several_those_are_revoked_who_are_not_yet),
		CASE(who_holds_nothing_is_revoked_for_later),
		CASE(an_administrator_who_is_revoked_opens_nothing),
		CASE(who_is_suspended_comes_back),
		CASE(P5_15_an_identification_has_its_verifier_method_and_evidence),
		CASE(a_grant_works_once_who_holds_it_is_identified),
		CASE(a_grant_takes_the_place_of_an_older_one),
		CASE(a_grant_without_its_mac_counts_for_nothing),
		CASE(a_credential_is_made_anew),
		CASE(a_release_is_for_those_who_were_held_when_it_was_asked),
		CASE(who_is_held_no_more_is_not_released),
		CASE(a_read_is_asked_for),
		CASE(a_policy_is_the_version_after_the_one_it_was_planned_on),
		CASE(P5_2_a_policy_is_refused_when_the_world_moved),
		CASE(P5_2_a_policy_that_nobody_planned_is_refused),
		CASE(a_policys_faults_are_all_told),
		CASE(a_client_is_added_renewed_and_removed),
		CASE(a_configured_client_is_changed_in_the_configuration),
		CASE(renewing_vouches_for_no_row_that_others_wrote),
		CASE(an_enrolment_code_is_shown_once),
		CASE(an_administrator_who_is_locked_is_unlocked_by_another),
		CASE(two_administrators_stay),
	};
	size_t count = 0;

	while (tests[count].name != NULL)
		count++;
	for (size_t i = 0; i < MU_COUNT(way_backs); i++)
		tests[count++] = (struct CMUnitTest){ way_backs[i].name, policy_way_back_row, NULL, NULL, &way_backs[i] };
	return _cmocka_run_group_tests("kinds", tests, count, door_up, door_down);
}
