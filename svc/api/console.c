#include "api/console_priv.h"

#include "api/answer_priv.h"
#include "audit/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "http/server.h"
#include "ipc/message.h"
#include "json/read.h"
#include "json/write.h"
#include "store/policy.h"
#include "store/status.h"

#include <string.h>

#define JOB_FILES_MAX		32
#define JOB_FILE_NAME_MAX_BYTES	64
#define JOB_LOOK_MS		500
#define JOB_START_MS		30000	/* then a job that has not appeared never will */
#define CONNECTIONS_MAX		32

/* Who waits for the supervisor's answer. */
struct asked {
	struct api_console *api;
	struct http_request *req;
	bool is_admin;
};

/* What administrators are told beside what stands on the console. */
struct more {
	int64_t administrators;		/* who work */
	int64_t pending;		/* actions that wait for somebody */
};

/* --- Status ---------------------------------------------------------------------------------- */

static void
processes_write(struct json_writer *w, const struct msg_status *processes)
{
	json_list_begin(w, "processes");
	for (size_t i = 0; i < processes->count; i++) {
		const struct msg_process *p = &processes->list[i];

		json_object_begin(w, NULL);
		json_text(w, "name", p->name);
		json_int(w, "pid", p->pid);
		json_bool(w, "ready", p->ready);
		json_int(w, "restarts", p->restarts);
		moment_write(w, "since", p->since_s);
		json_object_end(w);
	}
	json_list_end(w);
}

void
sources_write(struct json_writer *w, const struct store_status *st,
    const struct action_host *actions)
{
	json_list_begin(w, "sources");
	for (size_t i = 0; i < st->source_count; i++) {
		const struct store_status_source *s = &st->sources[i];
		bool configured = actions == NULL || actions->source_exists(actions->ctx, s->source);
		MU_AUTO(mu_buf_clear) struct mu_buf gone = MU_BUF_INIT;

		if (!configured && s->people == 0)
			continue;
		mu_buf_format(&gone, "source %s is not configured any more: %lld people stay as they "
		    "are", s->source, (long long)s->people);
		json_object_begin(w, NULL);
		moment_write(w, "complete_at", s->complete_at_s);
		json_bool(w, "configured", configured);
		json_int(w, "held", s->held);
		json_text(w, "held_reason", s->held_reason);
		moment_write(w, "held_since", s->held_since_s);
		json_int(w, "listed", s->listed_count);
		json_text(w, "name", s->source);
		json_int(w, "people", s->people);
		json_int(w, "quarantined", s->quarantined);
		moment_write(w, "since", s->since_s);
		json_text(w, "text", configured ? s->text : gone.data);
		json_text(w, "verdict", verdict_name(configured ? s->verdict : VERDICT_NONE));
		json_object_end(w);
	}
	json_list_end(w);
}

static void
platforms_write(struct json_writer *w, const struct store_status *st)
{
	json_list_begin(w, "platforms");
	for (size_t i = 0; i < st->platform_count; i++) {
		const struct store_status_platform *p = &st->platforms[i];

		json_object_begin(w, NULL);
		json_int(w, "accounts", p->counts.accounts);
		json_text(w, "name", p->platform);
		moment_write(w, "oldest_debt", p->counts.oldest_debt_s);
		json_int(w, "parked", p->counts.parked);
		json_int(w, "unsettled", p->counts.unsettled);
		json_object_end(w);
	}
	json_list_end(w);
}

static enum mu_rc
more_read(struct store *store, struct more *out, struct mu_err *err)
{
	MU_AUTO(store_actions_clear) struct store_actions pending = { NULL, 0 };

	if (administrators_count(store, &out->administrators, err) != MU_OK ||
	    store_action_pending(store, mu_now_s(), &pending, err) != MU_OK)
		return err->rc;
	out->pending = (int64_t)pending.count;
	return MU_OK;
}

static void
people_count_write(struct json_writer *w, const struct store_status *st)
{
	json_object_begin(w, "people");
	json_int(w, "active", st->people[PERSON_ACTIVE]);
	json_int(w, "blocked", st->blocked);
	json_int(w, "erased", st->people[PERSON_ERASED]);
	json_int(w, "leaver", st->people[PERSON_LEAVER]);
	json_int(w, "staged", st->people[PERSON_STAGED]);
	json_int(w, "suspended", st->people[PERSON_SUSPENDED]);
	json_object_end(w);
}

/* more NULL: not told on the console. */
static void
status_write(struct mu_buf *b, const struct msg_status *processes, const struct store_status *st,
    const struct more *more, const struct action_host *actions, const struct mu_err *store_err)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	if (more != NULL)
		json_int(&w, "administrators", more->administrators);
	json_object_begin(&w, "audit");
	json_int(&w, "numbered", st->tree_size);
	json_int(&w, "waiting", st->unnumbered);
	json_object_end(&w);
	if (more != NULL)
		json_int(&w, "pending", more->pending);
	people_count_write(&w, st);
	platforms_write(&w, st);
	processes_write(&w, processes);
	sources_write(&w, st, actions);
	json_object_begin(&w, "store");
	json_int(&w, "schema", st->schema_version);
	json_text(&w, "text", store_err->text);
	json_bool(&w, "up", store_err->rc == MU_OK);
	json_object_end(&w);
	json_text(&w, "version", MUSTER_VERSION);
	json_object_end(&w);
	json_end(&w);
}

static void
on_status(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	MU_AUTO(mu_freep) struct asked *asked = ctx;
	MU_AUTO(msg_status_clear) struct msg_status processes = { NULL, 0 };
	MU_AUTO(store_status_clear) struct store_status st = { .source_count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err store_err = MU_ERR_INIT;
	struct more more = { 0, 0 };
	struct store *store = asked->api->host.store;

	if (m == NULL || !msg_status_decode(&m->body, &processes)) {
		mu_log("console.no_processes", "reason", m == NULL ? err->text : "malformed", NULL);
		http_refuse(asked->req, 503, 1, "The supervisor gives no answer: try again.", NULL);
		return;
	}
	if (store_status_get(store, &st, &store_err) != MU_OK ||
	    (asked->is_admin && more_read(store, &more, &store_err) != MU_OK))
		mu_log_err(&store_err, "console.no_store", NULL);
	status_write(&body, &processes, &st, asked->is_admin ? &more : NULL,
	    asked->api->host.actions, &store_err);
	answer_json(asked->req, 200, &body);
}

void
console_status(struct api_console *api, struct http_request *req, bool is_admin)
{
	struct ipc_channel *supervisor = api->host.supervisor(api->host.ctx);
	struct asked *asked;

	if (!ipc_is_open(supervisor)) {
		http_refuse(req, 503, 1, "The supervisor is away: try again.", NULL);
		return;
	}
	asked = mu_alloc_zero(1, sizeof(*asked));
	*asked = (struct asked){ api, req, is_admin };
	ipc_call(supervisor, OP_STATUS, NULL, -1, on_status, asked);
}

static void
status_get(void *ctx, struct http_request *req)
{
	console_status(ctx, req, false);
}

/* --- Jobs ------------------------------------------------------------------------------------ */

static void
files_clear(struct console_job *job)
{
	for (size_t i = 0; i < job->file_count; i++) {
		mu_free(job->files[i].name);
		mu_free(job->files[i].content);
	}
	mu_free(job->files);
	job->files = NULL;
	job->file_count = 0;
}

static void
job_end(struct console_job *job)
{
	mu_timer_stop(job->timer);
	mu_buf_clear(&job->output);
	files_clear(job);
	job->req = NULL;
}

static void
job_fail(struct console_job *job, int status, const char *detail)
{
	http_refuse(job->req, status, status == 503 ? 1 : 0, detail, NULL);
	job_end(job);
}

/* A job that ended without a word is missed here. */
static void
on_job_look(void *ctx)
{
	struct api_console *api = ctx;
	struct console_job *job = &api->job;
	int64_t age_ms = mu_tick_ms() - job->since_ms;
	bool is_up = api->host.job_is_up(api->host.ctx);

	if (is_up)
		job->appeared = true;
	if ((job->appeared && !is_up) || (!job->appeared && age_ms > JOB_START_MS) ||
	    age_ms > API_JOB_MAX_MS)
		job_fail(job, 500, "The job ended before its end: the log may say why.");
	else
		mu_timer_set(job->timer, JOB_LOOK_MS);
}

static bool
job_end_take(struct console_job *job, struct ipc_message *m)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;
	uint8_t status = ipc_get_u8(&m->body);

	if (!ipc_get_end(&m->body))
		return false;
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (job->file_count > 0)
		json_int(&w, "base", job->base);
	json_text(&w, "job", "plan");
	json_text(&w, "output", mu_buf_text(&job->output));
	json_int(&w, "status", status);
	json_object_end(&w);
	json_end(&w);
	answer_json(job->req, 200, &body);
	job_end(job);
	return true;
}

bool
api_console_job_take(struct api_console *api, struct ipc_message *m)
{
	MU_AUTO(mu_freep) char *text = NULL;
	struct console_job *job = &api->job;

	if (job->req == NULL)
		return false;
	job->appeared = true;
	if (m->op == OP_JOB_END)
		return job_end_take(job, m);
	text = ipc_get_text(&m->body);
	if (m->op != OP_JOB_OUTPUT || !ipc_get_end(&m->body))
		return false;
	if (job->output.size_bytes + strlen(text) > API_JOB_OUTPUT_MAX_BYTES) {
		job_fail(job, 500, "The job's output is larger than is kept.");
		return false;
	}
	mu_buf_text_add(&job->output, text);
	return true;
}

void
api_console_job_up(struct api_console *api, struct ipc_channel *work)
{
	for (size_t i = 0; i < api->job.file_count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
		const struct policy_file *file = &api->job.files[i];
		struct msg_named m = { .name = file->name };

		mu_secret_set(&m.bytes, file->content, strlen(file->content));
		msg_named_encode(&m, &body);
		mu_secret_clear(&m.bytes);
		ipc_notify(work, OP_JOB_FILE, &body, -1);
	}
	ipc_notify(work, OP_JOB_GO, NULL, -1);
}

static void
on_job(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct api_console *api = ctx;

	if (m == NULL && api->job.req != NULL) {
		http_refuse_err(api->job.req, err);
		job_end(&api->job);
	}
}

/* The record stands before the job starts. */
static enum mu_rc
job_audit(struct store *store, const char *kind, const struct console_asker *asker,
    struct mu_err *err)
{
	char actor[MU_UUID_TEXT_BYTES];
	struct audit_field fields[2] = { AUDIT_TEXT("job", kind) };

	if (asker->actor == NULL)
		fields[1] = (struct audit_field)AUDIT_NUMBER("uid", (int64_t)asker->uid);
	else
		fields[1] = (struct audit_field)AUDIT_TEXT("actor",
		    mu_uuid_format(asker->actor, actor));
	if (store_begin(store, err) != MU_OK)
		return err->rc;
	audit_record(store, AUDIT_JOB_RUN, mu_now_ms(), fields, MU_COUNT(fields), NULL);
	return store_commit(store, err);
}

struct files_read {
	struct console_job *job;
	struct mu_err *err;
};

/* "roles.yaml": what a policy's folder has in it. */
static bool
file_is_named(const char *name)
{
	size_t stem = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return stem > 0 && strlen(name) <= JOB_FILE_NAME_MAX_BYTES &&
	    strcmp(name + stem, ".yaml") == 0;
}

static bool
file_take(void *ctx, const char *name, const struct json_node *value)
{
	struct files_read *r = ctx;
	const char *content = json_node_text(value);

	if (!file_is_named(name) || content == NULL || strlen(content) > POLICY_FILE_MAX_BYTES)
		(void)mu_fail(r->err, MU_EINPUT, "files: each is named like roles.yaml and is text of "
		    "at most %d bytes", POLICY_FILE_MAX_BYTES);
	else
		r->job->files[r->job->file_count++] =
		    (struct policy_file){ mu_strdup(name), mu_strdup(content) };
	return r->err->rc == MU_OK;
}

/* What is asked for; files of the job are set even when it fails. */
static enum mu_rc
job_read(const struct http_request *req, struct console_job *job, struct mu_err *err)
{
	static const char *const names[] = { "files", "kind", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *files = NULL;
	struct files_read reading = { job, err };
	const char *kind, *body;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, CONSOLE_JOB_BODY_MAX_BYTES, "request", &root,
	    err) != MU_OK || json_only(root, names, err) != MU_OK ||
	    json_get_text(root, "kind", 32, &kind, err) != MU_OK)
		return err->rc;
	if (strcmp(kind, "plan") != 0)
		return mu_fail(err, MU_EINPUT, "There is no such kind of job: there is \"plan\".");
	if (json_find(root, "files") == NULL)
		return MU_OK;
	if (json_get_object(root, "files", &files, err) != MU_OK)
		return err->rc;
	if (json_count(files) == 0 || json_count(files) > JOB_FILES_MAX)
		return mu_fail(err, MU_EINPUT, "files: 1 to %d, or leave them out", JOB_FILES_MAX);
	job->files = mu_alloc_zero(json_count(files), sizeof(*job->files));
	json_each(files, file_take, &reading);
	return err->rc;
}

/* Reads, looks at the version in force, and writes the record. */
static enum mu_rc
job_prepare(struct api_console *api, struct http_request *req, const struct console_asker *asker,
    struct console_job *job, struct mu_err *err)
{
	if (job_read(req, job, err) != MU_OK)
		return err->rc;
	if (api->job.req != NULL || api->host.job_is_up(api->host.ctx))
		return mu_fail(err, MU_ECONFLICT, "A job is running: wait for it to end.");
	if (!ipc_is_open(api->host.supervisor(api->host.ctx)))
		return mu_fail(err, MU_ERETRY, "the supervisor is away");
	if (job->file_count > 0 && store_policy_version(api->host.store, &job->base, err) != MU_OK)
		return err->rc;
	return job_audit(api->host.store, "plan", asker, err);
}

void
console_job_run(struct api_console *api, struct http_request *req,
    const struct console_asker *asker)
{
	struct console_job job = { .req = req, .timer = api->job.timer };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (job_prepare(api, req, asker, &job, &err) != MU_OK) {
		files_clear(&job);
		if (err.rc != MU_EINPUT && err.rc != MU_ECONFLICT)
			mu_log_err(&err, "console.no_job", NULL);
		http_refuse_err(req, &err);
		return;
	}
	job.since_ms = mu_tick_ms();
	api->job = job;
	mu_timer_set(api->job.timer, JOB_LOOK_MS);
	ipc_put_text(&body, "plan");
	ipc_call(api->host.supervisor(api->host.ctx), OP_JOB, &body, -1, on_job, api);
}

static void
job_post(void *ctx, struct http_request *req)
{
	const struct console_asker asker = { NULL, http_peer_of(req)->uid };

	console_job_run(ctx, req, &asker);
}

/* --- Open and close -------------------------------------------------------------------------- */

#define JSON "application/json"

static const struct http_route routes[] = {
	{ "GET", "/v1/status", HTTP_NEED_LOCAL, NULL, 0, false, status_get },
	{ "POST", "/v1/jobs", HTTP_NEED_LOCAL, JSON, CONSOLE_JOB_BODY_MAX_BYTES, false, job_post },
	{ "POST", "/v1/bootstrap", HTTP_NEED_LOCAL, JSON, 0, false, bootstrap_post },
	{ "POST", "/v1/bootstrap/confirm", HTTP_NEED_LOCAL, JSON, 0, false,
	    bootstrap_confirm_post },
};

enum mu_rc
api_console_open(const struct api_console_host *host, struct api_console **out_api,
    struct mu_err *err)
{
	struct api_console *api = mu_alloc_zero(1, sizeof(*api));
	struct http_server_settings settings = {
		.listen_fd = host->listen_fd, .routes = routes, .route_count = MU_COUNT(routes),
		.connections_max = CONNECTIONS_MAX, .hold_ms = API_JOB_MAX_MS + JOB_START_MS,
		.ctx = api,
	};

	api->host = *host;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	api->job.timer = mu_loop_timer(host->loop, on_job_look, api);
	*out_api = api;
	return MU_OK;
}

void
api_console_close(struct api_console *api)
{
	if (api == NULL)
		return;
	if (api->job.req != NULL)
		job_fail(&api->job, 503, "The service is stopping.");
	http_server_close(api->server);
	mu_timer_free(api->job.timer);
	mu_free(api);
}
