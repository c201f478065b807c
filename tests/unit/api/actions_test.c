/* Actions over the API: proposed, executed with a code, approved or denied by another; receipts. */
#include "unit/api/admin_rig.h"

static struct someone root;
static struct http_client *as_root;

static const char suspend_sam[] = "{\"action\":\"suspend\",\"args\":{},\"reason\":\"on"
    " leave\",\"targets\":[\"sam\"]}";

/* Posts a code to an action's door: "execute". */
static int
code_post(struct http_client *c, const char *digest, const char *door, const char *code,
    const char *more)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT, body = MU_BUF_INIT;

	mu_buf_format(&path, "/v1/actions/%s/%s", digest, door);
	mu_buf_format(&body, "{\"code\":\"%s\"%s}", code, more);
	return post(c, path.data, body.data);
}

static char *
proposed(struct http_client *c, const char *request)
{
	if (post(c, "/v1/actions", request) != 200)
		fail_msg("%d %s", reply.status, mu_buf_text(&reply.body));
	return told("digest");
}

/* --- One administrator ----------------------------------------------------------------------- */

static void
P5_13_an_action_is_executed_with_its_code_and_once(void **state)
{
	struct someone ann = admin_of("ann", "security");
	struct http_client *c = session(&ann);
	MU_AUTO(mu_freep) char *code = mu_strdup(code_now(&ann)), *digest = proposed(c,
	    suspend_sam), *other = NULL;
	int executed = records("action.executed");

	(void)state;
	says("\"needs\":{\"approvals\":0,\"code\":true}");
	says("\"from\":\"active\"");
	says("\"to\":\"suspended\"");
	rig_sql_is("f", "SELECT suspended FROM person WHERE uid = 'sam'");
	assert_int_equal(200, code_post(c, digest, "execute", code, ""));
	says("\"state\":\"executed\"");
	rig_sql_is("t", "SELECT suspended FROM person WHERE uid = 'sam'");
	/* again: the same answer, and nothing happens */
	assert_int_equal(200, code_post(c, digest, "execute", code, ""));
	assert_int_equal(executed + 1, records("action.executed"));
	/* the code for this action opens no other */
	other = proposed(c,
	    "{\"action\":\"resume\",\"args\":{},\"reason\":\"back\",\"targets\":[\"sam\"]}");
	assert_int_equal(403, code_post(c, other, "execute", code, ""));
	rig_sql_is("t", "SELECT suspended FROM person WHERE uid = 'sam'");
	http_client_close(c);
}

static void
who_is_not_one_person_is_told_and_nothing_prepared(void **state)
{
	(void)state;
	assert_int_equal(400, post(as_root, "/v1/actions",
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"x\","
	    "\"targets\":[\"shared@example.org\",\"nobody at all\"]}"));
	assert_string_equal("application/problem+json", reply.content_type);
	says("\"targets\":[{\"candidates\":[{\"id\":");
	says("{\"candidates\":[],\"given\":\"nobody at all\"}");
	says("\"status\":400");
}

static void
P5_1_nobody_acts_on_themselves(void **state)
{
	int refused = records("action.refused");

	(void)state;
	assert_int_equal(403, post(as_root, "/v1/actions",
	    "{\"action\":\"suspend\",\"args\":{},\"reason\":\"x\",\"targets\":[\"root\"]}"));
	assert_int_equal(refused + 1, records("action.refused"));
}

/* --- Two ------------------------------------------------------------------------------------- */

static const char reinstate_kim[] =
    "{\"action\":\"reinstate\",\"args\":{},\"reason\":\"found\",\"targets\":[\"kim\"]}";

static void
two_people_reinstate_one(void **state)
{
	struct someone ben = admin_of("ben", "security"), cai = admin_of("cai", "security"),
	    dot = admin_of("dot", "mute");
	struct http_client *as_ben = session(&ben), *as_cai = session(&cai), *as_dot =
	    session(&dot);
	MU_AUTO(mu_freep) char *digest = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;

	(void)state;
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'kim'"));
	digest = proposed(as_ben, reinstate_kim);
	mu_buf_format(&path, "/v1/actions/%s", digest);
	assert_int_equal(202, code_post(as_ben, digest, "execute", code_now(&ben), ""));
	says("\"state\":\"pending\"");
	assert_int_equal(200, get(as_cai, "/v1/pending"));
	says(digest);
	recorded_as("admin.read", "what", "pending");
	recorded_as("admin.read", "rows", "1");
	assert_int_equal(200, get(as_cai, path.data));
	recorded_as("admin.read", "query", digest);
	assert_int_not_equal(200, get(as_dot, path.data));
	says_not("kim");
	assert_int_equal(403, code_post(as_ben, digest, "approve", code_now(&ben), ""));
	rig_sql_is("t", "SELECT blocked FROM person WHERE uid = 'kim'");
	assert_int_equal(200, code_post(as_cai, digest, "approve", code_now(&cai), ""));
	says("\"state\":\"executed\"");
	rig_sql_is("f", "SELECT blocked FROM person WHERE uid = 'kim'");
	http_client_close(as_ben);
	http_client_close(as_cai);
	http_client_close(as_dot);
}

static void
the_second_says_no(void **state)
{
	struct someone eva = admin_of("eva", "security"), flo = admin_of("flo", "security");
	struct http_client *as_eva = session(&eva), *as_flo = session(&flo);
	MU_AUTO(mu_freep) char *digest = NULL;

	(void)state;
	free(rig_sql("UPDATE person SET blocked = true WHERE uid = 'kim'"));
	digest = proposed(as_eva, reinstate_kim);
	assert_int_equal(202, code_post(as_eva, digest, "execute", code_now(&eva), ""));
	assert_int_equal(400, code_post(as_flo, digest, "deny", "123456", ""));
	assert_int_equal(200, code_post(as_flo, digest, "deny", code_now(&flo),
	    ",\"reason\":\"not yet\""));
	says("\"state\":\"denied\"");
	says("not yet");
	rig_sql_is("t", "SELECT blocked FROM person WHERE uid = 'kim'");
	http_client_close(as_eva);
	http_client_close(as_flo);
}

/* --- Bad input ------------------------------------------------------------------------------- */

static struct bad {
	const char *name, *body;
} bads[] = {
	{ "an action is an object", "[]" },
	{ "an action is JSON", "{\"action\":" },
	{ "an action is one that there is",
	    "{\"action\":\"promote\",\"args\":{},\"reason\":\"x\",\"targets\":[\"sam\"]}" },
	{ "an action has a reason",
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"\",\"targets\":[\"sam\"]}" },
	{ "an action has targets",
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"x\",\"targets\":[]}" },
	{ "an action has no more than it says",
	    "{\"action\":\"revoke\",\"args\":{},\"force\":true,\"reason\":\"x\",\"targets\":[\"sam\"]}" },
	{ "an action's arguments are its own",
	    "{\"action\":\"revoke\",\"args\":{\"force\":true},\"reason\":\"x\",\"targets\":[\"sam\"]}" },
	{ "a name stands once",
	    "{\"action\":\"revoke\",\"action\":\"resume\",\"args\":{},\"reason\":\"x\","
	    "\"targets\":[\"sam\"]}" },
};

static void
bad_row(void **state)
{
	const struct bad *b = *state;
	char id[MU_UUID_TEXT_BYTES];
	int all = records("%");

	if (post(as_root, "/v1/actions", b->body) != 400)
		fail_msg("%d %s", reply.status, mu_buf_text(&reply.body));
	assert_string_equal("application/problem+json", reply.content_type);
	assert_int_equal(all + 1, records("%"));
	recorded_as("action.refused", "actor", mu_uuid_format(&root.id, id));
}

static void
malformed_codes_execute_nothing(void **state)
{
	static const char *const bodies[] = {
		"{}", "{\"code\":123456}", "{\"code\":\"12345\"}", "{\"code\":\"1234567\"}",
		    "{\"code\":\"12345a\"}",
		"{\"code\":\"123456\",\"more\":1}", "{\"code\":\"123456\",\"code\":\"123456\"}",
		    "\"123456\"",
	};
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *digest = proposed(as_root,
	    "{\"action\":\"suspend\",\"args\":{},\"reason\":\"codes\",\"targets\":[\"sue\"]}");
	int executed = records("action.executed");

	(void)state;
	mu_buf_format(&path, "/v1/actions/%s/execute", digest);
	for (size_t i = 0; i < MU_COUNT(bodies); i++) {
		int all = records("%");

		if (post(as_root, path.data, bodies[i]) != 400)
			fail_msg("%s: %d %s", bodies[i], reply.status, mu_buf_text(&reply.body));
		assert_int_equal(all + 1, records("%"));
	}
	assert_int_equal(executed, records("action.executed"));
	assert_int_equal(404, code_post(as_root, "beef", "execute", "123456", ""));
}

/* --- Receipts -------------------------------------------------------------------------------- */

static char *
revoked(const char *uid, const char *target)
{
	struct someone one = admin_of(uid, "security");
	struct http_client *c = session(&one);
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	char *digest;

	mu_buf_format(&request,
	    "{\"action\":\"revoke\",\"args\":{},\"reason\":\"lost\",\"targets\":[\"%s\"]}",
	    target);
	digest = proposed(c, request.data);
	assert_int_equal(200, code_post(c, digest, "execute", code_now(&one), ""));
	http_client_close(c);
	return digest;
}

/* Writes a receipt of the person's account, as provision does. */
static void
receipt_make(const char *uid)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

	mu_buf_format(&sql, "INSERT INTO receipt SELECT gen_random_uuid(), account_id,"
	    " account.version, 'disable', 'done', 2, 0,"
	    " now() + '1 s', 'blocked', 'abc' FROM account JOIN person USING (person_id) WHERE uid"
	    " = '%s'", uid);
	free(rig_sql(sql.data));
}

/* Looks for receipts that found none are rolled back; PostgreSQL tells with a second's delay. */
static int
looks(void)
{
	char *text = rig_sql("SELECT xact_rollback FROM pg_stat_database WHERE datname ="
	    " current_database()");
	int count = atoi(text);

	free(text);
	return count;
}

/* From a process of its own: does it once the API has looked in vain and waits. */
static pid_t
meanwhile(const char *sql, const char *uid)
{
	int before = looks();
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (looks() < before + 2)
		(void)poll(NULL, 0, 20);
	if (sql != NULL)
		free(rig_sql(sql));
	receipt_make(uid);
	_exit(0);
}

static void
a_receipt_is_waited_for(void **state)
{
	MU_AUTO(mu_freep) char *digest = revoked("gus", "sue");
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	int64_t began_ms = mu_tick_ms();
	int reads = records("admin.read"), status;
	pid_t platform;

	(void)state;
	mu_buf_format(&path, "/v1/receipts?action=%s", digest);
	platform = meanwhile(NULL, "sue");
	assert_int_equal(200, get(as_root, path.data));
	assert_true(mu_tick_ms() - began_ms < 8000);
	assert_int_equal(platform, waitpid(platform, &status, 0));
	says("\"account\":\"sue\"");
	says("\"outcome\":\"done\"");
	says("\"sessions_ended\":2");
	says("\"unsettled\":1");
	assert_int_equal(reads + 1, records("admin.read"));
	recorded_as("admin.read", "what", "receipts");
	MU_AUTO(mu_freep) char *next = told("next");

	/* behind the last one: nothing new, and once all is settled nobody waits for it */
	free(rig_sql("UPDATE account SET settled_version = version"));
	mu_buf_format(&path, "&after=%s", next);
	began_ms = mu_tick_ms();
	assert_int_equal(200, get(as_root, path.data));
	assert_true(mu_tick_ms() - began_ms < 5000);
	says("\"receipts\":[],\"unsettled\":0");
}

static void
who_logs_out_while_waiting_is_shown_nothing(void **state)
{
	MU_AUTO(mu_freep) char *digest = revoked("hob", "tim");
	struct someone ike = admin_of("ike", "security");
	struct http_client *c = session(&ike);
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	int status;
	pid_t platform;

	(void)state;
	mu_buf_format(&path, "/v1/receipts?action=%s", digest);
	platform = meanwhile("UPDATE person SET state = 'leaver' WHERE uid = 'ike'", "tim");
	assert_int_equal(401, get(c, path.data));
	says_not("tim");
	assert_int_equal(platform, waitpid(platform, &status, 0));
	http_client_close(c);
}

static void
what_was_not_executed_has_no_receipts(void **state)
{
	MU_AUTO(mu_freep) char *digest = proposed(as_root,
	    "{\"action\":\"suspend\",\"args\":{},\"reason\":\"only asked\",\"targets\":[\"sue\"]}");
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;

	(void)state;
	mu_buf_format(&path, "/v1/receipts?action=%s", digest);
	assert_int_equal(409, get(as_root, path.data));
}

/* --- All of it ------------------------------------------------------------------------------- */

static int
all_up(void **state)
{
	if (api_up(state) != 0)
		return 1;
	(void)person("sam", "Sales");
	(void)person("sue", "Sales");
	(void)person("tim", "Sales");
	(void)person("kim", "Sales");
	root = admin_of("root", "security");
	as_root = session(&root);
	return 0;
}

static int
all_down(void **state)
{
	http_client_close(as_root);
	return api_down(state);
}

int
main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(P5_13_an_action_is_executed_with_its_code_and_once),
		cmocka_unit_test(who_is_not_one_person_is_told_and_nothing_prepared),
		cmocka_unit_test(P5_1_nobody_acts_on_themselves),
		cmocka_unit_test(two_people_reinstate_one),
		cmocka_unit_test(the_second_says_no),
		cmocka_unit_test(malformed_codes_execute_nothing),
		cmocka_unit_test(what_was_not_executed_has_no_receipts),
		cmocka_unit_test(a_receipt_is_waited_for),
		cmocka_unit_test(who_logs_out_while_waiting_is_shown_nothing),
	};
	struct CMUnitTest tests[MU_COUNT(bads) + MU_COUNT(plain)];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(bads); i++)
		tests[count++] = (struct CMUnitTest){ bads[i].name, bad_row, NULL, NULL, &bads[i] };
	for (size_t i = 0; i < MU_COUNT(plain); i++)
		tests[count++] = plain[i];
	return cmocka_run_group_tests(tests, all_up, all_down);
}
