/*
 * The console with a store of its own; supervisor and job are played by another process over a real
 * channel. The number of jobs asked for decides how the job ends.
 */
#define store_begin		fake_begin
#define store_commit		fake_commit
#define store_audit_write	fake_audit_write
#define store_status_get	fake_status_get
#define store_status_clear	fake_status_clear

#include "api/console.c"
#include "api/jobs.c"
#include "audit/record.c"

#include "ipc/message.h"
#include "json/read.h"
#include "store/audit.h"
#include "store/status.h"
#include "unit/api/http_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

static struct seen {
	int jobs, records;
	bool store_is_away, job_dies;
} *seen;

/* --- The store --------------------------------------------------------------------------------- */

enum mu_rc
store_begin(struct store *s, struct mu_err *err)
{
	(void)s;
	return seen->store_is_away ? mu_fail(err, MU_ERETRY, "away") : MU_OK;
}

enum mu_rc
store_commit(struct store *s, struct mu_err *err)
{
	(void)s;
	(void)err;
	return MU_OK;
}

void
store_audit_write(struct store *s, const struct mu_uuid *record_id, int64_t at_ms, const char *kind,
    const char *body)
{
	(void)s;
	(void)record_id;
	(void)at_ms;
	if (strcmp(kind, "job.run") == 0 && strstr(body, "\"job\":\"plan\"") != NULL)
		seen->records++;
}

void
store_status_clear(struct store_status *x)
{
	mu_free(x->sources);
	mu_free(x->platforms);
}

enum mu_rc
store_status_get(struct store *s, struct store_status *out, struct mu_err *err)
{
	static char main_name[] = "main", why[] = "gone \"away\"", none[] = "", xmpp[] = "xmpp";

	(void)s;
	if (seen->store_is_away)
		return mu_fail(err, MU_ERETRY, "store: not reachable");
	*out = (struct store_status){ .source_count = 1, .platform_count = 1, .schema_version = 5 };
	out->sources = mu_alloc_zero(1, sizeof(*out->sources));
	out->sources[0] = (struct store_status_source){ .source = main_name, .text = why,
		.verdict = VERDICT_UNREACHABLE, .since_s = 1000000000, .held = 3, .held_reason = none };
	out->platforms = mu_alloc_zero(1, sizeof(*out->platforms));
	out->platforms[0].platform = xmpp;
	out->platforms[0].counts = (struct store_queue_counts){ 200, 2, 1, 1000000000 };
	out->people[PERSON_ACTIVE] = 190;
	return MU_OK;
}

/* --- Supervisor and job, in a process of their own ------------------------------------------------ */

static void
peer_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	static char name[] = "keys";
	struct msg_process one = { name, 42, 1000000000, 7, true };
	struct msg_status status = { &one, 1 };
	struct mu_buf body = MU_BUF_INIT;

	(void)ctx;
	if (m->op == OP_STATUS) {
		msg_status_encode(&status, &body);
		ipc_reply(ch, OP_STATUS, m->id, &body, -1);
	} else if (m->op == OP_JOB) {
		seen->jobs++;
		ipc_reply(ch, OP_JOB, m->id, NULL, -1);
		ipc_put_text(&body, "one \"line\"\n");
		ipc_notify(ch, OP_JOB_OUTPUT, &body, -1);
		mu_buf_reset(&body);
		ipc_put_u8(&body, 0);
		if (!seen->job_dies)
			ipc_notify(ch, OP_JOB_END, &body, -1);
	}
	mu_buf_clear(&body);
}

static void
peer_end(void *ctx, struct ipc_channel *ch)
{
	(void)ch;
	mu_loop_stop(ctx, 0);
}

static int
peer_run(int fd)
{
	static const uint16_t allowed[] = { OP_STATUS, OP_JOB, OP_JOB_FILE, OP_JOB_GO, 0 };
	struct mu_loop *loop = mu_loop_new();
	struct ipc_channel *ch = ipc_open(loop, fd, "admin", allowed, peer_request, peer_end, loop);

	(void)mu_loop_run(loop);
	ipc_close(ch);
	mu_loop_free(loop);
	return 0;
}

/* --- The console ---------------------------------------------------------------------------------- */

static struct api_console *api;

static void
job_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	if (m->op == OP_JOB_OUTPUT)	/* here the supervisor's channel is the job's, too */
		api_console_job_up(api, ch);
	if (!api_console_job_take(api, ch, m))
		ipc_refuse(ch, m->op);
}

static void
no_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	(void)ch;
}

static struct ipc_channel *
channel_get(void *ctx)
{
	return ctx;
}

static const char *
the_source(void *ctx, const char *name)
{
	(void)ctx;
	return name == NULL || strcmp(name, "main") == 0 ? "main" : NULL;
}

static bool
job_is_down(void *ctx)
{
	(void)ctx;
	return false;
}

static int
serve(int listen_fd, int stop_fd, void *ctx)
{
	static const uint16_t allowed[] = { OP_JOB_OUTPUT, OP_JOB_END, 0 };
	struct mu_loop *loop = mu_loop_new();
	struct api_console_host host = { .loop = loop, .supervisor = channel_get, .job_is_up = job_is_down,
		.source = the_source, .listen_fd = listen_fd };
	struct mu_err err = MU_ERR_INIT;
	struct mu_watch *stop;
	int fds[2], status;
	pid_t peer;

	(void)ctx;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
		return 1;
	peer = fork();
	if (peer == 0) {
		(void)close(fds[0]);
		(void)close(listen_fd);
		mu_loop_free(loop);
		exit(peer_run(fds[1]));
	}
	(void)close(fds[1]);
	host.ctx = ipc_open(loop, fds[0], "supervisor", allowed, job_request, no_end, NULL);
	if (api_console_open(&host, &api, &err) != MU_OK)
		return 1;
	stop = mu_loop_watch(loop, stop_fd, EPOLLIN, rig_on_stop, loop);
	status = mu_loop_run(loop);
	mu_watch_remove(stop);
	ipc_close(host.ctx);
	api_console_close(api);
	mu_loop_free(loop);
	(void)close(stop_fd);
	(void)waitpid(peer, NULL, 0);
	return status;
}

/* --- The tests ------------------------------------------------------------------------------------ */

static struct http_rig rig;
static struct mu_buf answer;

static struct json_node *
answer_read(void)
{
	struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *body = strstr(answer.data, "\r\n\r\n") + 4;

	assert_int_equal(json_parse(body, strlen(body), 1 << 20, "answer", &root, &err), MU_OK);
	return root;
}

static void
status_says_how_things_stand(void **state)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *source, *platform, *process;
	int64_t held = 0, unsettled = 0, pid = 0;

	(void)state;
	assert_int_equal(rig_get(&rig, "/v1/status", &answer), 200);
	root = answer_read();
	source = json_at(json_find(root, "sources"), 0);
	assert_string_equal(json_find_text(source, "name"), "main");
	assert_string_equal(json_find_text(source, "verdict"), "unreachable");
	assert_string_equal(json_find_text(source, "since"), "2001-09-09T01:46:40Z");
	assert_string_equal(json_find_text(source, "text"), "gone \"away\"");
	assert_true(json_find_int(source, "held", &held) && held == 3);
	platform = json_at(json_find(root, "platforms"), 0);
	assert_true(json_find_int(platform, "unsettled", &unsettled) && unsettled == 2);
	assert_string_equal(json_find_text(platform, "oldest_debt"), "2001-09-09T01:46:40Z");
	process = json_at(json_find(root, "processes"), 0);
	assert_string_equal(json_find_text(process, "name"), "keys");
	assert_true(json_find_int(process, "pid", &pid) && pid == 42);
}

static void
without_the_store_the_processes_still_show(void **state)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	bool up = true;

	(void)state;
	seen->store_is_away = true;
	assert_int_equal(rig_get(&rig, "/v1/status", &answer), 200);
	seen->store_is_away = false;
	root = answer_read();
	assert_true(json_find_bool(json_find(root, "store"), "up", &up));
	assert_false(up);
	assert_int_equal(json_count(json_find(root, "processes")), 1);
	assert_int_equal(json_count(json_find(root, "sources")), 0);
}

static int
post(const char *body)
{
	return rig_post(&rig, "/v1/jobs", "application/json", body, &answer);
}

static void
a_plan_runs_and_is_recorded(void **state)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	int records = seen->records;

	(void)state;
	assert_int_equal(post("{\"kind\": \"plan\"}"), 200);
	root = answer_read();
	assert_string_equal(json_find_text(root, "output"), "one \"line\"\n");
	assert_int_equal(seen->records, records + 1);
}

static void
a_job_that_cannot_be_recorded_does_not_run(void **state)
{
	int jobs = seen->jobs;

	(void)state;
	seen->store_is_away = true;
	assert_int_equal(post("{\"kind\": \"plan\"}"), 503);
	seen->store_is_away = false;
	assert_int_equal(seen->jobs, jobs);
}

static void
malformed_jobs_are_400(void **state)
{
	static const char *const bodies[] = {
		"", "{}", "[]", "{\"kind\":\"plan\",\"kind\":\"plan\"}", "{\"kind\":\"rm -rf\"}", "{\"kind\":1}",
		"{\"kind\":\"plan\",\"more\":1}", "{\"kind\":\"plan\"} x",
	};
	int jobs = seen->jobs;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(bodies); i++)
		assert_int_equal(post(bodies[i]), 400);
	assert_int_equal(seen->jobs, jobs);
}

static void
a_job_that_dies_is_missed(void **state)
{
	(void)state;
	seen->job_dies = true;
	assert_int_equal(post("{\"kind\": \"plan\"}"), 500);
	seen->job_dies = false;
	assert_int_equal(post("{\"kind\": \"plan\"}"), 200);
}

static int
all_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rig_start(&rig, serve, NULL);
	return seen == MAP_FAILED;
}

static int
all_down(void **state)
{
	(void)state;
	mu_buf_clear(&answer);
	return rig_stop(&rig);
}

/* --- What plans came to --------------------------------------------------------------------------- */

static struct planned {
	const char *name;
	const char *content, *outcome;		/* what is to be applied, and what it is said to come to */
	int64_t base, age_ms;			/* age of the newest plan */
	const char *newest;			/* what that came to */
	enum mu_rc want;
	const char *text;			/* what is told of it */
} planned_rows[] = {
	{ "P5_2_what_was_planned_is_applied", "a", "aa", 3, 0, "aa", MU_OK,
	    "of 9 people 2 would change" },
	{ "P5_2_not_when_the_world_moved_since_the_plan", "a", "aa", 3, 0, "bb", MU_ECONFLICT,
	    "then 2 people would have changed, now 2" },
	{ "P5_2_nor_for_a_plan_of_another_version", "a", "aa", 4, 0, "aa", MU_ECONFLICT,
	    "nobody has planned" },
	{ "P5_2_nor_for_a_plan_of_other_files", "b", "aa", 3, 0, "aa", MU_ECONFLICT,
	    "nobody has planned" },
	{ "P5_2_nor_when_the_plan_is_too_old", "a", "aa", 3, API_OUTCOME_MAX_MS + 1, "aa", MU_ECONFLICT,
	    "nobody has planned" },
	{ "P5_2_nor_for_what_no_plan_came_to", "a", "cc", 3, 0, "aa", MU_ECONFLICT,
	    "other people than then" },
};

static void
plan_came_to(struct api_console *c, const char *outcome)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *result = NULL;
	struct mu_err err = MU_ERR_INIT;

	mu_buf_format(&text, "{\"base\":3,\"changed\":2,\"outcome\":\"%s\",\"people\":9,\"worst\":"
	    "[\"ann is shut out\"]}", outcome);
	assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, SIZE_MAX, "result", &result, &err));
	outcome_remember(c, result);
}

static void
planned_row(void **state)
{
	static char name[] = "roles.yaml", planned_content[] = "a";
	const struct planned *r = *state;
	MU_AUTO(mu_freep) char *content = mu_strdup(r->content);
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	struct policy_file plan = { name, planned_content }, given = { name, content };
	struct api_console c = { .job.policy = { &plan, 1 } };
	struct mu_err err = MU_ERR_INIT;

	plan_came_to(&c, "aa");
	c.outcomes[0].ended_ms -= r->age_ms + 1;
	plan_came_to(&c, r->newest);
	c.outcomes[1].ended_ms -= r->age_ms;
	assert_int_equal(r->want, api_console_outcome_check(&c, &given, 1, r->base, r->outcome, &lines, &err));
	assert_non_null(strstr(r->want == MU_OK ? lines.data : err.text, r->text));
	for (size_t i = 0; i < CONSOLE_OUTCOMES; i++)
		outcome_clear(&c.outcomes[i]);
}

/* More than are kept: the oldest are forgotten, and nothing leaks. */
static void
only_the_newest_plans_are_remembered(void **state)
{
	static char name[] = "roles.yaml", first[] = "first", other[] = "other";
	struct policy_file plan = { name, first };
	struct api_console c = { .job.policy = { &plan, 1 } };
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	plan_came_to(&c, "aa");
	assert_int_equal(MU_OK, api_console_outcome_check(&c, &plan, 1, 3, "aa", &lines, &err));
	plan.content = other;
	for (size_t i = 0; i < CONSOLE_OUTCOMES; i++)
		plan_came_to(&c, "bb");
	plan.content = first;
	assert_int_equal(MU_ECONFLICT, api_console_outcome_check(&c, &plan, 1, 3, "aa", &lines, &err));
	for (size_t i = 0; i < CONSOLE_OUTCOMES; i++)
		outcome_clear(&c.outcomes[i]);
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(status_says_how_things_stand),
		cmocka_unit_test(without_the_store_the_processes_still_show),
		cmocka_unit_test(a_plan_runs_and_is_recorded),
		cmocka_unit_test(a_job_that_cannot_be_recorded_does_not_run),
		cmocka_unit_test(malformed_jobs_are_400),
		cmocka_unit_test(a_job_that_dies_is_missed),
		cmocka_unit_test(only_the_newest_plans_are_remembered),
	};
	struct CMUnitTest tests[MU_COUNT(others) + MU_COUNT(planned_rows)];

	(void)memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < MU_COUNT(planned_rows); i++)
		tests[MU_COUNT(others) + i] = (struct CMUnitTest){ .name = planned_rows[i].name,
		    .test_func = planned_row, .initial_state = &planned_rows[i] };
	return cmocka_run_group_tests(tests, all_up, all_down);
}
