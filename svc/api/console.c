#include "api/console_priv.h"

#include "api/answer_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "http/server.h"
#include "ipc/message.h"
#include "json/write.h"
#include "store/status.h"

#include <string.h>

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

/* --- Jobs (jobs.c) --------------------------------------------------------------------------- */

static void
job_post(void *ctx, struct http_request *req)
{
	const struct console_asker asker = { NULL, http_peer_of(req)->uid };

	console_job_run(ctx, req, &asker, NULL);
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
		.connections_max = CONNECTIONS_MAX, .hold_ms = API_JOB_MAX_MS + CONSOLE_JOB_START_MS,
		.ctx = api,
	};

	api->host = *host;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	console_jobs_open(api);
	*out_api = api;
	return MU_OK;
}

void
api_console_close(struct api_console *api)
{
	if (api == NULL)
		return;
	console_jobs_close(api);
	http_server_close(api->server);
	mu_free(api);
}
