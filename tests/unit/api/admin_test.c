/* Who may ask what of the administrators' API, what they are shown, and what is recorded of it. */
#include "unit/api/admin_rig.h"

#include "api/admin_priv.h"
#include "unit/http/pki.h"

/* Administrators of everything, of Sales, of next to nothing. */
static struct someone root, desk, mute;
static struct http_client *as_root, *as_desk, *as_mute;
static struct pki_cert foreign;

/* --- Every route ----------------------------------------------------------------------------- */

/* A path that fits the pattern. */
static void
path_of(const struct http_route *route, struct mu_buf *path)
{
	const char *brace = strchr(route->pattern, '{');
	const char *behind = brace == NULL ? "" : strchr(brace, '}') + 1;

	mu_buf_reset(path);
	mu_buf_format(path, "%.*s", (int)(brace == NULL ? strlen(route->pattern) :
	    (size_t)(brace - route->pattern)), route->pattern);
	for (size_t i = 0; brace != NULL && i < 64; i++)
		mu_buf_char_add(path, 'a');
	mu_buf_text_add(path, behind);
}

static int
route_ask(struct http_client *c, const struct http_route *route)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;

	path_of(route, &path);
	if (strcmp(route->pattern, "/v1/audit") == 0)
		mu_buf_text_add(&path, "?reason=test");
	return rig_call(c, route->method, path.data, route->body_type == NULL ? NULL : "{}",
	    &reply);
}

static struct stranger {
	const char *name, *told;
	struct http_client *client;
} strangers[] = {
	{ "P3_1_nobody_gets_in_without_a_certificate", "is needed", NULL },
	{ "P3_1_nobody_gets_in_with_a_foreign_certificate", "not good", NULL },
	{ "P3_1_nobody_gets_in_with_the_certificate_of_a_platform", "No session", NULL },
	{ "P3_1_nobody_gets_in_with_a_session_that_is_over", "has ended", NULL },
	{ "P3_1_nobody_gets_in_who_has_left", "has ended", NULL },
	{ "P3_1_nobody_gets_in_after_logging_out", "has ended", NULL },
};

static void
strangers_make(void)
{
	struct pki_cert authority;
	MU_AUTO(vault_client_clear) struct vault_client platform = { .certificate = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	struct someone over = admin_of("over", "security"), gone = admin_of("gone", "security"),
	    out = admin_of("out", "security");
	struct mu_err err = MU_ERR_INIT;

	pki_make(&authority, NULL, "Another authority", NULL, 99);
	pki_make(&foreign, &authority, "admin", GNUTLS_KP_TLS_WWW_CLIENT, 9);
	MUST(crypto_csr_make(session_key, "any name", &request, &err));
	MUST(vault_client_issue(vault, "prosody", request.data, request.size_bytes, mu_now_s(),
	    &platform, &err));
	strangers[0].client = rig_client(&http, vault_ca_pem(vault), NULL, NULL);
	strangers[1].client = rig_client(&http, vault_ca_pem(vault), foreign.cert_pem,
	    &foreign.key_pem);
	strangers[2].client = rig_client(&http, vault_ca_pem(vault), platform.certificate,
	    &session_key_pem);
	strangers[3].client = session_lasting(&over, -5);
	strangers[4].client = session(&gone);
	strangers[5].client = session(&out);
	assert_int_equal(200, get(strangers[4].client, "/v1/whoami"));
	free(rig_sql("UPDATE person SET state = 'leaver' WHERE uid = 'gone'"));
	assert_int_equal(204, post(strangers[5].client, "/v1/logout", NULL));
	pki_clear(&authority);
}

static void
stranger_row(void **state)
{
	const struct stranger *s = *state;
	size_t count;
	const struct http_route *routes = admin_routes(&count);

	for (size_t i = 0; i < count; i++) {
		int failed = records("auth.failed"), all = records("%");

		if (strcmp(routes[i].pattern, "/v1/login") == 0)
			continue;
		if (route_ask(s->client, &routes[i]) != 401)
			fail_msg("%s %s: %d %s", routes[i].method, routes[i].pattern, reply.status,
			    mu_buf_text(&reply.body));
		says(s->told);
		says("muster login");
		assert_non_null(http_client_header(s->client, "www-authenticate"));
		/* one record each, up to so many of one address */
		assert_int_equal(failed + (failed < API_ADMIN_STRANGER_RECORDS),
		    records("auth.failed"));
		assert_int_equal(all + (failed < API_ADMIN_STRANGER_RECORDS), records("%"));
	}
}

/* What any session may ask, and what is answered when there is no such action. */
static const struct {
	const char *pattern;
	int status;
} open_routes[] = {
	{ "/v1/whoami", 200 }, { "/v1/actions", 400 }, { "/v1/actions/{digest}", 404 },
	{ "/v1/actions/{digest}/execute", 400 },
	{ "/v1/actions/{digest}/approve", 400 }, { "/v1/actions/{digest}/deny", 400 },
	{ "/v1/receipts", 400 }, { "/v1/pending", 200 },
};

static int
status_for_mute(const struct http_route *route)
{
	for (size_t i = 0; i < MU_COUNT(open_routes); i++)
		if (strcmp(open_routes[i].pattern, route->pattern) == 0)
			return open_routes[i].status;
	return 403;
}

static void
P3_1_a_role_gets_no_further_than_it_may(void **state)
{
	size_t count;
	const struct http_route *routes = admin_routes(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		int all = records("%");

		if (strcmp(routes[i].pattern, "/v1/logout") == 0 ||
		    strcmp(routes[i].pattern, "/v1/login") == 0)
			continue;
		if (route_ask(as_mute, &routes[i]) != status_for_mute(&routes[i]))
			fail_msg("%s %s: %d %s", routes[i].method, routes[i].pattern, reply.status,
			    mu_buf_text(&reply.body));
		if (reply.status == 403)
			says("mute");
		if (strcmp(routes[i].pattern, "/v1/whoami") != 0 &&
		    strcmp(routes[i].pattern, "/v1/receipts") != 0)
			assert_int_equal(all + 1, records("%"));
	}
}

static void
whoami_tells_the_session(void **state)
{
	(void)state;
	assert_int_equal(200, get(as_desk, "/v1/whoami"));
	says("\"role\":\"sales-desk\"");
	says("\"uid\":\"desk\"");
	says("\"expires_at\":\"20");
}

/* --- People ---------------------------------------------------------------------------------- */

/* How many the answer's list has. */
static size_t
rows_of(const char *list)
{
	MU_AUTO(json_freep) struct json_node *tree = NULL;
	struct mu_err err = MU_ERR_INIT;

	MUST(json_parse(mu_buf_text(&reply.body), reply.body.size_bytes, 1 << 22, "answer", &tree,
	    &err));
	return json_count(json_find(tree, list));
}

static void
pages_follow_one_another(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	size_t seen_rows = 0, pages = 0;
	char *want = rig_sql("SELECT count(*) FROM person WHERE state = 'active'");

	(void)state;
	mu_buf_text_add(&path, "/v1/people?state=active&limit=3");
	for (;;) {
		assert_int_equal(200, get(as_root, path.data));
		assert_true(rows_of("people") <= 3);
		seen_rows += rows_of("people");
		pages++;
		if (strstr(reply.body.data, "\"next\":") == NULL)
			break;
		MU_AUTO(mu_freep) char *next = told("next");

		mu_buf_reset(&path);
		mu_buf_format(&path, "/v1/people?state=active&limit=3&after=%s", next);
	}
	assert_int_equal((size_t)atoi(want), seen_rows);
	assert_true(pages > 2);
	free(want);
}

static void
people_are_found_by_filter(void **state)
{
	(void)state;
	assert_int_equal(200, get(as_root, "/v1/people?match=(uid%3Dsam)"));
	assert_int_equal(1, rows_of("people"));
	says("\"attributes\":{\"department\":[\"Sales\"],\"displayName\":[\"Zo\xc3\xab O'Hara\"]");
	says("\"state\":\"active\"");
	says("\"held\":false");
	recorded_as("admin.read", "query", "filtered=1");
	recorded_as("admin.read", "rows", "1");
	recorded_as("admin.read", "what", "people");
}

static void
who_is_out_of_reach_is_not_listed(void **state)
{
	int refused;

	(void)state;
	assert_int_equal(200, get(as_desk, "/v1/people"));
	assert_int_equal(2, rows_of("people"));
	says("\"uid\":\"sam\"");
	says_not("\"uid\":\"root\"");
	assert_int_equal(200, get(as_desk, "/v1/accounts"));
	assert_int_equal(2, rows_of("accounts"));
	says_not("\"uid\":\"root\"");
	assert_int_equal(200, get(as_desk, "/v1/people/sam"));
	says("\"accounts\":[{");
	refused = records("action.refused");
	assert_int_equal(404, get(as_desk, "/v1/people/root"));
	assert_int_equal(refused + 1, records("action.refused"));
	recorded_as("action.refused", "reason", "out of the role's scope");
	MU_AUTO(mu_freep) char *there = mu_strdup(mu_buf_text(&reply.body));

	assert_int_equal(404, get(as_desk, "/v1/people/no-such-person"));
	assert_string_equal(there, mu_buf_text(&reply.body));
	assert_int_equal(refused + 1, records("action.refused"));
}

static void
who_is_not_one_person_is_several_candidates(void **state)
{
	(void)state;
	assert_int_equal(409, get(as_desk, "/v1/people/shared%40example.org"));
	assert_int_equal(2, rows_of("candidates"));
	says_not("\"uid\":\"root\"");
	assert_int_equal(409, get(as_root, "/v1/people/shared%40example.org/explain"));
	assert_true(rows_of("candidates") > 2);
}

static void
one_person_is_shown_whole(void **state)
{
	struct someone sam = { .seed_bytes = 0 };
	char id[MU_UUID_TEXT_BYTES];

	(void)state;
	assert_int_equal(200, get(as_root, "/v1/people/SAM"));
	says("\"platform\":\"mem\"");
	says("\"grants\":[]");
	says("\"identification\":null");
	says("\"credential\":\"none\"");
	MU_AUTO(mu_freep) char *text = told("id");

	assert_true(mu_uuid_parse(text, &sam.id));
	recorded_as("admin.read", "person", mu_uuid_format(&sam.id, id));
	recorded_as("admin.read", "what", "person");
	assert_int_equal(200, get(as_root, "/v1/people/sam/explain?role=helper"));
	says("\"lines\":[\"role helper: no");
	assert_int_equal(404, get(as_root, "/v1/people/sam/explain?role=nothing"));
}

/* A grant that keys did not make is as if it were not there. */
static void
a_grant_of_nobodys_making_is_not_shown(void **state)
{
	(void)state;
	free(rig_sql("INSERT INTO requested_grant (grant_id, person_id, role, granted_by, reason,"
	    " starts_at, ends_at,"
	    " action_digest, mac) SELECT gen_random_uuid(), person_id, 'helper', (SELECT person_id"
	    " FROM person WHERE uid = 'root'),"
	    " 'x', now(), now() + '1 hour', decode(repeat('00', 32), 'hex'), decode(repeat('00',"
	    " 32), 'hex')"
	    " FROM person WHERE uid = 'sue'"));
	assert_int_equal(200, get(as_root, "/v1/people/sue"));
	says("\"grants\":[]");
	free(rig_sql("DELETE FROM requested_grant"));
}

/* --- What is refused ------------------------------------------------------------------------- */

static struct bad {
	const char *name, *path, *holds;
	int status;
} bads[] = {
	{ "a page of nothing is no page", "/v1/people?limit=0", "1 to 200", 400 },
	{ "a page has its limit", "/v1/people?limit=201", "1 to 200", 400 },
	{ "a limit is a number", "/v1/accounts?limit=ten", "1 to 200", 400 },
	{ "a page goes on behind an id", "/v1/people?after=7", "after", 400 },
	{ "a state is one that there is", "/v1/people?state=happy", "staged", 400 },
	{ "a filter is one", "/v1/people?match=(uid%3Dsam", "match", 400 },
	{ "a filter names what people have", "/v1/people?match=(shoeSize%3D44)", "shoeSize", 400 },
	{ "unsettled is yes or no", "/v1/accounts?unsettled=maybe", "true or false", 400 },
	{ "an audit kind is one of the catalogue's", "/v1/audit?reason=x&kind=person.lost", "kind",
	    400 },
	{ "a time is one", "/v1/audit?reason=x&since=yesterday", "since", 400 },
	{ "no such platform", "/v1/platforms/icq", "platform", 404 },
	{ "a name stands once", "/v1/people?limit=1&limit=2", "", 400 },
	{ "receipts are of an action", "/v1/receipts?action=beef", "digest", 400 },
	{ "receipts are of an action that there is",
	    "/v1/receipts?action=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "", 404 },
	{ "an action is named by its digest", "/v1/actions/beef", "digest", 404 },
};

static void
bad_row(void **state)
{
	const struct bad *b = *state;

	assert_int_equal(b->status, get(as_root, b->path));
	assert_string_equal("application/problem+json", reply.content_type);
	says(b->holds);
}

/* --- The audit records ----------------------------------------------------------------------- */

static void
P4_11_who_reads_the_records_says_why(void **state)
{
	int reads = records("admin.read"), refused = records("action.refused");

	(void)state;
	assert_int_equal(400, get(as_root, "/v1/audit"));
	assert_int_equal(400, get(as_root, "/v1/audit?reason=%20"));
	says("reason");
	assert_int_equal(reads, records("admin.read"));
	assert_int_equal(refused + 2, records("action.refused"));
	assert_int_equal(200, get(as_root, "/v1/audit?reason=case%207&kind=admin.read&limit=5"));
	assert_int_equal(5, rows_of("records"));
	says("\"kind\":\"admin.read\"");
	says("\"leaf\":null");
	assert_int_equal(reads + 1, records("admin.read"));
	recorded_as("admin.read", "reason", "case 7");
	recorded_as("admin.read", "rows", "5");
	recorded_as("admin.read", "query", "kind=admin.read");
}

/* The record of the read is there before the answer: nothing is shown when it cannot be written. */
static void
P4_11_what_cannot_be_recorded_is_not_shown(void **state)
{
	static const char *const paths[] = { "/v1/audit?reason=x", "/v1/people", "/v1/people/sam",
	    "/v1/accounts",
		"/v1/administrators", "/v1/brake", "/v1/pending" };

	(void)state;
	free(rig_sql("REVOKE INSERT ON audit_record FROM muster_admin"));
	for (size_t i = 0; i < MU_COUNT(paths); i++) {
		assert_int_equal(500, get(as_root, paths[i]));
		says_not("uid");
	}
	free(rig_sql("GRANT INSERT ON audit_record TO muster_admin"));
	assert_int_equal(200, get(as_root, "/v1/people/sam"));
}

static void
records_of_people_out_of_reach_are_not_read(void **state)
{
	(void)state;
	assert_int_equal(200, get(as_root, "/v1/people/sam"));
	assert_int_equal(200, get(as_root, "/v1/people/root"));
	assert_int_equal(200, get(as_root, "/v1/audit?reason=x&person=root"));
	assert_true(rows_of("records") > 0);
	assert_int_equal(404, get(as_desk, "/v1/audit?reason=x&person=root"));
	assert_int_equal(200, get(as_desk, "/v1/audit?reason=x&person=sam&kind=admin."));
	assert_true(rows_of("records") > 0);
	assert_int_equal(200, get(as_desk, "/v1/audit?reason=x&kind=admin.read&limit=200"));
	MU_AUTO(mu_buf_clear) struct mu_buf about = MU_BUF_INIT;
	char id[MU_UUID_TEXT_BYTES];

	mu_buf_format(&about, "\"person\":\"%s\"", mu_uuid_format(&root.id, id));
	says_not(about.data);
	says_not("\"what\":\"people\"");		/* about many */
	assert_int_equal(200, get(as_root, "/v1/audit?reason=x&kind=admin.read&limit=200"));
	says(about.data);
}

/* --- How things stand ------------------------------------------------------------------------ */

static void
the_rest_is_told_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(200, get(as_root, "/v1/platforms"));
	says("\"adapter\":\"memory\"");
	assert_int_equal(200, get(as_root, "/v1/platforms/mem"));
	says("\"settings\":[]");
	assert_int_equal(200, get(as_root, "/v1/sources"));
	says("\"quarantine\":[],\"sources\":[");
	assert_int_equal(200, get(as_root, "/v1/brake"));
	says("{\"held\":[]}");
	assert_int_equal(200, get(as_root, "/v1/clients"));
	says("{\"clients\":[]}");
	assert_int_equal(200, get(as_root, "/v1/administrators"));
	says("\"role\":\"sales-desk\"");
	says("\"enrolled_by\":{\"id\":");
	assert_int_equal(200, get(as_root, "/v1/policy"));
	says("\"administrators.yaml\":\"- role: security\\n");
	says("\"version\":1");
	assert_int_equal(200, get(as_root, "/v1/status"));
	says("\"administrators\":");
	says("\"pending\":0");
	says("\"name\":\"cycle/corp\"");
}

static void
who_is_held_is_told_within_reach(void **state)
{
	(void)state;
	free(rig_sql("INSERT INTO brake_hold (source, person_id, kind, reason, since) SELECT 'corp', person_id, 'removal', 'gone', now()"
	    " FROM person WHERE uid IN ('root', 'sam', 'mute') ORDER BY uid"));
	assert_int_equal(200, get(as_root, "/v1/brake"));
	assert_int_equal(3, rows_of("held"));
	assert_int_equal(200, get(as_desk, "/v1/brake"));
	assert_int_equal(1, rows_of("held"));
	says("\"uid\":\"sam\"");
	free(rig_sql("DELETE FROM brake_hold"));
}

static void
a_plan_is_run_and_recorded_with_who_asked(void **state)
{
	char id[MU_UUID_TEXT_BYTES];

	(void)state;
	assert_int_equal(200, post(as_root, "/v1/jobs", "{\"kind\":\"plan\"}"));
	says("{\"job\":\"plan\",\"output\":\"ann gains nothing\\n\",\"result\":{\"base\":1,\"changed\":0,"
	    "\"outcome\":\"ab\",\"people\":3},\"status\":0}");
	recorded_as("job.run", "actor", mu_uuid_format(&root.id, id));
	assert_int_equal(200, post(as_root, "/v1/jobs",
	    "{\"files\":{\"roles.yaml\":\"[]\"},\"kind\":\"plan\"}"));
	says("{\"job\":\"plan\"");
	assert_int_equal(400, post(as_root, "/v1/jobs",
	    "{\"files\":{\"../roles.yaml\":\"[]\"},\"kind\":\"plan\"}"));
	assert_int_equal(400, post(as_root, "/v1/jobs", "{\"files\":{},\"kind\":\"plan\"}"));
	assert_int_equal(403, post(as_desk, "/v1/jobs", "{\"kind\":\"plan\"}"));
	says("everybody");
}

/* --- The store goes and comes back ----------------------------------------------------------- */

static void
without_the_store_there_is_503_and_it_comes_back(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	rig_server_kill();
	assert_int_equal(503, get(as_root, "/v1/people"));
	assert_true(reply.retry_after_ms > 0);
	assert_int_equal(503, get(as_root, "/v1/whoami"));
	MUST(store_private_start(rig.server, &err));
	/* each of its two connections finds out that it was lost, and is made anew */
	for (int i = 0; i < 2 && get(as_root, "/v1/people") != 200; i++)
		assert_int_equal(503, reply.status);
	assert_int_equal(200, get(as_root, "/v1/people"));
}

/* --- All of it ------------------------------------------------------------------------------- */

static int
all_up(void **state)
{
	if (api_up(state) != 0)
		return 1;
	(void)person("sam", "Sales");
	(void)person("sue", "Sales");
	root = admin_of("root", "security");
	desk = admin_of("desk", "sales-desk");
	mute = admin_of("mute", "mute");
	as_root = session(&root);
	as_desk = session(&desk);
	as_mute = session(&mute);
	strangers_make();
	return 0;
}

static int
all_down(void **state)
{
	for (size_t i = 0; i < MU_COUNT(strangers); i++)
		http_client_close(strangers[i].client);
	pki_clear(&foreign);
	http_client_close(as_root);
	http_client_close(as_desk);
	http_client_close(as_mute);
	return api_down(state);
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(P3_1_a_role_gets_no_further_than_it_may),
		cmocka_unit_test(whoami_tells_the_session),
		cmocka_unit_test(pages_follow_one_another),
		cmocka_unit_test(people_are_found_by_filter),
		cmocka_unit_test(who_is_out_of_reach_is_not_listed),
		cmocka_unit_test(who_is_not_one_person_is_several_candidates),
		cmocka_unit_test(one_person_is_shown_whole),
		cmocka_unit_test(a_grant_of_nobodys_making_is_not_shown),
		cmocka_unit_test(P4_11_who_reads_the_records_says_why),
		cmocka_unit_test(P4_11_what_cannot_be_recorded_is_not_shown),
		cmocka_unit_test(records_of_people_out_of_reach_are_not_read),
		cmocka_unit_test(the_rest_is_told_as_it_is),
		cmocka_unit_test(who_is_held_is_told_within_reach),
		cmocka_unit_test(a_plan_is_run_and_recorded_with_who_asked),
		cmocka_unit_test(without_the_store_there_is_503_and_it_comes_back),
	};
	struct CMUnitTest tests[MU_COUNT(strangers) + MU_COUNT(bads) + MU_COUNT(plain)];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(strangers); i++)
		tests[count++] =
		    (struct CMUnitTest){ strangers[i].name, stranger_row, NULL, NULL,
		    &strangers[i] };
	for (size_t i = 0; i < MU_COUNT(bads); i++)
		tests[count++] = (struct CMUnitTest){ bads[i].name, bad_row, NULL, NULL, &bads[i] };
	for (size_t i = 0; i < MU_COUNT(plain); i++)
		tests[count++] = plain[i];
	return cmocka_run_group_tests(tests, all_up, all_down);
}
