#include "api/console.h"

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
#include "store/status.h"

#include <string.h>

#define JOB_BODY_MAX_BYTES	4096
#define JOB_LOOK_MS		500
#define JOB_START_MS		30000	/* then a job that has not appeared never will */
#define CONNECTIONS_MAX		32

struct api_console {
	struct api_console_host host;
	struct http_server *server;
	struct mu_timer *job_timer;
	struct http_request *job_req;	/* NULL: no job runs */
	struct mu_buf job_output;
	int64_t job_since_ms;
	bool job_appeared;
};

/* Who waits for the supervisor's answer. */
struct asked {
	struct api_console *api;
	struct http_request *req;
};

/* --- Status ------------------------------------------------------------------------------------ */

/* A time, null for 0. */
static void
moment(struct json_writer *w, const char *name, int64_t at_s)
{
	if (at_s == 0)
		json_none(w, name);
	else
		json_time(w, name, at_s);
}

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
		moment(w, "since", p->since_s);
		json_object_end(w);
	}
	json_list_end(w);
}

static void
sources_write(struct json_writer *w, const struct store_status *st)
{
	json_list_begin(w, "sources");
	for (size_t i = 0; i < st->source_count; i++) {
		const struct store_status_source *s = &st->sources[i];

		json_object_begin(w, NULL);
		moment(w, "complete_at", s->complete_at_s);
		json_int(w, "held", s->held);
		json_text(w, "held_reason", s->held_reason);
		moment(w, "held_since", s->held_since_s);
		json_int(w, "listed", s->listed_count);
		json_text(w, "name", s->source);
		json_int(w, "people", s->people);
		json_int(w, "quarantined", s->quarantined);
		moment(w, "since", s->since_s);
		json_text(w, "text", s->text);
		json_text(w, "verdict", verdict_name(s->verdict));
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
		moment(w, "oldest_debt", p->counts.oldest_debt_s);
		json_int(w, "parked", p->counts.parked);
		json_int(w, "unsettled", p->counts.unsettled);
		json_object_end(w);
	}
	json_list_end(w);
}

static void
status_write(struct mu_buf *b, const struct msg_status *processes, const struct store_status *st,
    const struct mu_err *store_err)
{
	struct json_writer w;

	json_begin(&w, b);
	json_object_begin(&w, NULL);
	json_object_begin(&w, "audit");
	json_int(&w, "numbered", st->tree_size);
	json_int(&w, "waiting", st->unnumbered);
	json_object_end(&w);
	json_object_begin(&w, "people");
	json_int(&w, "active", st->people[PERSON_ACTIVE]);
	json_int(&w, "blocked", st->blocked);
	json_int(&w, "erased", st->people[PERSON_ERASED]);
	json_int(&w, "leaver", st->people[PERSON_LEAVER]);
	json_int(&w, "staged", st->people[PERSON_STAGED]);
	json_int(&w, "suspended", st->people[PERSON_SUSPENDED]);
	json_object_end(&w);
	platforms_write(&w, st);
	processes_write(&w, processes);
	sources_write(&w, st);
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
	struct asked *asked = ctx;
	MU_AUTO(msg_status_clear) struct msg_status processes = { NULL, 0 };
	MU_AUTO(store_status_clear) struct store_status st = { .source_count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err store_err = MU_ERR_INIT;
	struct http_request *req = asked->req;
	struct store *store = asked->api->host.store;

	mu_free(asked);
	if (m == NULL || !msg_status_decode(&m->body, &processes)) {
		mu_log("console.no_processes", "reason", m == NULL ? err->text : "malformed", NULL);
		http_refuse(req, 503, 1, "The supervisor gives no answer: try again.", NULL);
		return;
	}
	if (store_status_get(store, &st, &store_err) != MU_OK)
		mu_log_err(&store_err, "console.no_store", NULL);
	status_write(&body, &processes, &st, &store_err);
	http_answer(req, 200, "application/json", body.data, body.size_bytes, NULL);
}

static void
status_get(void *ctx, struct http_request *req)
{
	struct api_console *api = ctx;
	struct ipc_channel *supervisor = api->host.supervisor(api->host.ctx);
	struct asked *asked;

	if (!ipc_is_open(supervisor)) {
		http_refuse(req, 503, 1, "The supervisor is away: try again.", NULL);
		return;
	}
	asked = mu_alloc_zero(1, sizeof(*asked));
	asked->api = api;
	asked->req = req;
	ipc_call(supervisor, OP_STATUS, NULL, -1, on_status, asked);
}

/* --- Jobs -------------------------------------------------------------------------------------- */

static void
job_end(struct api_console *api)
{
	mu_timer_stop(api->job_timer);
	mu_buf_clear(&api->job_output);
	api->job_req = NULL;
}

static void
job_fail(struct api_console *api, int status, const char *detail)
{
	http_refuse(api->job_req, status, status == 503 ? 1 : 0, detail, NULL);
	job_end(api);
}

/* A job that ended without a word is missed here. */
static void
on_job_look(void *ctx)
{
	struct api_console *api = ctx;
	int64_t age_ms = mu_tick_ms() - api->job_since_ms;
	bool is_up = api->host.job_is_up(api->host.ctx);

	if (is_up)
		api->job_appeared = true;
	if ((api->job_appeared && !is_up) || (!api->job_appeared && age_ms > JOB_START_MS) ||
	    age_ms > API_JOB_MAX_MS)
		job_fail(api, 500, "The job ended before its end: the log may say why.");
	else
		mu_timer_set(api->job_timer, JOB_LOOK_MS);
}

static bool
job_end_take(struct api_console *api, struct ipc_message *m)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;
	uint8_t status = ipc_get_u8(&m->body);

	if (!ipc_get_end(&m->body))
		return false;
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "job", "plan");
	json_text(&w, "output", mu_buf_text(&api->job_output));
	json_int(&w, "status", status);
	json_object_end(&w);
	json_end(&w);
	http_answer(api->job_req, 200, "application/json", body.data, body.size_bytes, NULL);
	job_end(api);
	return true;
}

bool
api_console_job_take(struct api_console *api, struct ipc_message *m)
{
	MU_AUTO(mu_freep) char *text = NULL;

	if (api->job_req == NULL)
		return false;
	api->job_appeared = true;
	if (m->op == OP_JOB_END)
		return job_end_take(api, m);
	text = ipc_get_text(&m->body);
	if (m->op != OP_JOB_OUTPUT || !ipc_get_end(&m->body))
		return false;
	if (api->job_output.size_bytes + strlen(text) > API_JOB_OUTPUT_MAX_BYTES) {
		job_fail(api, 500, "The job's output is larger than is kept.");
		return false;
	}
	mu_buf_text_add(&api->job_output, text);
	return true;
}

static void
on_job(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct api_console *api = ctx;

	if (m == NULL && api->job_req != NULL) {
		http_refuse_err(api->job_req, err);
		job_end(api);
	}
}

/* The record stands before the job starts. */
static enum mu_rc
job_audit(struct api_console *api, const char *kind, uid_t uid, struct mu_err *err)
{
	const struct audit_field fields[] = { AUDIT_TEXT("job", kind), AUDIT_NUMBER("uid", (int64_t)uid) };

	if (store_begin(api->host.store, err) != MU_OK)
		return err->rc;
	audit_record(api->host.store, AUDIT_JOB_RUN, mu_now_ms(), fields, MU_COUNT(fields), NULL);
	return store_commit(api->host.store, err);
}

static enum mu_rc
job_read(const struct http_request *req, struct mu_err *err)
{
	static const char *const names[] = { "kind", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *kind, *body;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, JOB_BODY_MAX_BYTES, "request", &root, err) != MU_OK ||
	    json_only(root, names, err) != MU_OK || json_get_text(root, "kind", 32, &kind, err) != MU_OK)
		return err->rc;
	if (strcmp(kind, "plan") != 0)
		return mu_fail(err, MU_EINPUT, "There is no such kind of job: there is \"plan\".");
	return MU_OK;
}

static void
job_post(void *ctx, struct http_request *req)
{
	struct api_console *api = ctx;
	struct ipc_channel *supervisor = api->host.supervisor(api->host.ctx);
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (job_read(req, &err) != MU_OK) {
		http_refuse_err(req, &err);
		return;
	}
	if (api->job_req != NULL || api->host.job_is_up(api->host.ctx)) {
		http_refuse(req, 409, 0, "A job is running: wait for it to end.", NULL);
		return;
	}
	if (!ipc_is_open(supervisor)) {
		http_refuse(req, 503, 1, "The supervisor is away: try again.", NULL);
		return;
	}
	if (job_audit(api, "plan", http_peer_of(req)->uid, &err) != MU_OK) {
		mu_log_err(&err, "console.unrecorded", NULL);
		http_refuse_err(req, &err);
		return;
	}
	api->job_req = req;
	api->job_since_ms = mu_tick_ms();
	api->job_appeared = false;
	mu_timer_set(api->job_timer, JOB_LOOK_MS);
	ipc_put_text(&body, "plan");
	ipc_call(supervisor, OP_JOB, &body, -1, on_job, api);
}

/* --- Open and close ---------------------------------------------------------------------------- */

static const struct http_route routes[] = {
	{ "GET", "/v1/status", HTTP_NEED_LOCAL, NULL, 0, false, status_get },
	{ "POST", "/v1/jobs", HTTP_NEED_LOCAL, "application/json", JOB_BODY_MAX_BYTES, false, job_post },
};

enum mu_rc
api_console_open(const struct api_console_host *host, struct api_console **out_api, struct mu_err *err)
{
	struct api_console *api = mu_alloc_zero(1, sizeof(*api));
	struct http_server_settings settings = {
		.listen_fd = host->listen_fd, .routes = routes, .route_count = MU_COUNT(routes),
		.connections_max = CONNECTIONS_MAX, .hold_ms = API_JOB_MAX_MS + JOB_START_MS, .ctx = api,
	};

	api->host = *host;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	api->job_timer = mu_loop_timer(host->loop, on_job_look, api);
	*out_api = api;
	return MU_OK;
}

void
api_console_close(struct api_console *api)
{
	if (api == NULL)
		return;
	if (api->job_req != NULL)
		job_fail(api, 503, "The service is stopping.");
	http_server_close(api->server);
	mu_timer_free(api->job_timer);
	mu_free(api);
}
