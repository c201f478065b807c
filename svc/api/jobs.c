/*
 * api/jobs.c - long computations in processes of their own, and what plans came to
 */
#include "api/console_priv.h"

#include "api/answer_priv.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cycle/plan.h"
#include "http/problem.h"
#include "ipc/message.h"
#include "json/read.h"
#include "json/write.h"

#include <string.h>

#define FILE_NAME_MAX_BYTES	64
#define LOOK_MS			500
#define SOURCE_MAX_BYTES	64

static const char *const kind_names[] = { [JOB_PLAN] = "plan", [JOB_DRY_RUN] = "dry-run" };

/* --- What plans came to ----------------------------------------------------------------------- */

static void
outcome_clear(struct console_outcome *o)
{
	mu_free(o->outcome);
	mu_buf_clear(&o->lines);
	*o = (struct console_outcome){ .outcome = NULL };
}

/* "123 people would change: 4 shut out, ..." and the worst of them. */
static void
outcome_tell(const struct json_node *result, struct mu_buf *out)
{
	static const char *const words[] = { "shut out", "loses power", "loses", "changes",
		"gains power", "gains" };
	const struct json_node *severities = json_find(result, "severities");
	const struct json_node *worst = json_find(result, "worst");
	const struct json_node *notes = json_find(result, "notes");
	int64_t changed = 0, people = 0;

	(void)json_find_int(result, "changed", &changed);
	(void)json_find_int(result, "people", &people);
	mu_buf_format(out, "of %lld people %lld would change", (long long)people,
	    (long long)changed);
	for (size_t i = 0; i < MU_COUNT(words); i++) {
		int64_t count = 0;

		(void)json_find_int(severities, words[i], &count);
		mu_buf_format(out, "%s %s %lld", i == 0 ? ":" : ",", words[i], (long long)count);
	}
	mu_buf_char_add(out, '\n');
	for (size_t i = 0; i < json_count(worst); i++)
		mu_buf_format(out, "%s\n", json_node_text(json_at(worst, i)));
	if (changed > (int64_t)json_count(worst))
		mu_buf_format(out, "and %lld more, none of them worse: muster policy plan shows"
		    " them\n", (long long)(changed - (int64_t)json_count(worst)));
	for (size_t i = 0; i < json_count(notes) && i < 20; i++)
		mu_buf_format(out, "%s\n", json_node_text(json_at(notes, i)));
}

static void
outcome_remember(struct api_console *api, const struct json_node *result)
{
	const struct console_job *job = &api->job;
	struct console_outcome *o = &api->outcomes[api->outcome_next];
	const char *outcome = json_find_text(result, "outcome");

	if (outcome == NULL || job->policy.file_count == 0)
		return;
	api->outcome_next = (api->outcome_next + 1) % CONSOLE_OUTCOMES;
	outcome_clear(o);
	cycle_policy_digest(job->policy.files, job->policy.file_count, o->files);
	o->outcome = mu_strdup(outcome);
	o->ended_ms = mu_tick_ms();
	(void)json_find_int(result, "base", &o->base);
	(void)json_find_int(result, "changed", &o->changed);
	outcome_tell(result, &o->lines);
}

enum mu_rc
api_console_outcome_check(const struct api_console *api, const struct policy_file *files,
    size_t file_count, int64_t base, const char *outcome, struct mu_buf *out_lines,
    struct mu_err *err)
{
	const struct console_outcome *newest = NULL, *meant = NULL;
	unsigned char digest[CRYPTO_SHA256_BYTES];

	cycle_policy_digest(files, file_count, digest);
	for (size_t i = 0; i < CONSOLE_OUTCOMES; i++) {
		const struct console_outcome *o = &api->outcomes[i];

		if (o->outcome == NULL || o->base != base ||
		    memcmp(o->files, digest, sizeof(digest)) != 0)
			continue;
		if (newest == NULL || o->ended_ms > newest->ended_ms)
			newest = o;
		if (strcmp(o->outcome, outcome) == 0)
			meant = o;
	}
	if (newest == NULL || mu_tick_ms() - newest->ended_ms > API_OUTCOME_MAX_MS)
		return mu_fail(err, MU_ECONFLICT, "nobody has planned this policy on version %lld"
		    " within the last %d minutes: plan it, so that what is applied is what the"
		    " world is now", (long long)base, (int)(API_OUTCOME_MAX_MS / 60000));
	if (strcmp(newest->outcome, outcome) != 0)
		return meant == NULL ? mu_fail(err, MU_ECONFLICT, "the world moved since the plan:"
		    " other people than then would change, %lld now: plan again",
		    (long long)newest->changed) : mu_fail(err, MU_ECONFLICT, "the world moved"
		    " since the plan: then %lld people would have changed, now %lld, and not the"
		    " same in the same way: plan again", (long long)meant->changed,
		    (long long)newest->changed);
	mu_buf_add(out_lines, mu_buf_text(&newest->lines), newest->lines.size_bytes);
	return MU_OK;
}

/* --- The end of a job ------------------------------------------------------------------------- */

static void
job_end(struct console_job *job)
{
	mu_timer_stop(job->timer);
	mu_buf_clear(&job->output);
	mu_buf_clear(&job->result);
	policy_folder_clear(&job->policy);
	mu_free(job->source);
	job->source = NULL;
	job->req = NULL;
	job->channel = NULL;
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

	if ((job->appeared && !api->host.job_is_up(api->host.ctx)) || (!job->appeared && age_ms > CONSOLE_JOB_START_MS) ||
	    age_ms > API_JOB_MAX_MS)
		job_fail(job, 500, "The job ended before its end: the log may say why.");
	else
		mu_timer_set(job->timer, LOOK_MS);
}

/* Lines that are objects become a list. */
static void
people_write(struct json_writer *w, const struct mu_buf *lines)
{
	const char *at = mu_buf_text(lines);

	json_list_begin(w, "people");
	for (size_t length; *at != '\0'; at += length + (at[length] == '\n')) {
		MU_AUTO(mu_freep) char *one = NULL;

		length = strcspn(at, "\n");
		one = mu_strndup(at, length);
		json_value(w, NULL, one);
	}
	json_list_end(w);
}

static void
job_answer(struct console_job *job, const struct json_node *result, uint8_t status)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;
	bool has_people = job->as_json && status == 0;

	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	json_text(&w, "job", kind_names[job->kind]);
	json_text(&w, "output", has_people ? "" : mu_buf_text(&job->output));
	if (has_people)
		people_write(&w, &job->output);
	if (result != NULL)
		json_value(&w, "result", job->result.data);
	json_int(&w, "status", status);
	json_object_end(&w);
	json_end(&w);
	answer_json(job->req, 200, &body);
}

static bool
job_end_take(struct api_console *api, struct ipc_message *m)
{
	MU_AUTO(json_freep) struct json_node *result = NULL;
	struct console_job *job = &api->job;
	struct mu_err err = MU_ERR_INIT;
	uint8_t status = ipc_get_u8(&m->body);

	if (!ipc_get_end(&m->body))
		return false;
	if (job->result.size_bytes > 0 && json_parse(job->result.data, job->result.size_bytes,
	    API_JOB_OUTPUT_MAX_BYTES, "result", &result, &err) != MU_OK)
		return false;
	if (status == 0 && job->kind == JOB_PLAN)
		outcome_remember(api, result);
	job_answer(job, result, status);
	job_end(job);
	return true;
}

bool
api_console_job_take(struct api_console *api, const struct ipc_channel *from, struct ipc_message *m)
{
	MU_AUTO(mu_freep) char *text = NULL;
	struct console_job *job = &api->job;

	if (job->req == NULL || job->channel != from)
		return false;
	if (m->op == OP_JOB_END)
		return job_end_take(api, m);
	text = ipc_get_text(&m->body);
	if ((m->op != OP_JOB_OUTPUT && m->op != OP_JOB_RESULT) || !ipc_get_end(&m->body))
		return false;
	if (job->output.size_bytes + job->result.size_bytes + strlen(text) >
	    API_JOB_OUTPUT_MAX_BYTES) {
		job_fail(job, 500, "The job's output is larger than is kept.");
		return false;
	}
	mu_buf_text_add(m->op == OP_JOB_RESULT ? &job->result : &job->output, text);
	return true;
}

/* --- The beginning ---------------------------------------------------------------------------- */

static void
file_send(struct ipc_channel *work, const struct policy_file *file)
{
	size_t left = strlen(file->content);
	const char *at = file->content;

	do {
		MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
		size_t bytes = left < POLICY_PIECE_BYTES ? left : POLICY_PIECE_BYTES;
		struct msg_named m = { .name = file->name };

		mu_secret_set(&m.bytes, at, bytes);
		msg_named_encode(&m, &body);
		mu_secret_clear(&m.bytes);
		ipc_notify(work, OP_JOB_FILE, &body, -1);
		at += bytes;
		left -= bytes;
	} while (left > 0);
}

void
api_console_job_up(struct api_console *api, struct ipc_channel *work)
{
	MU_AUTO(mu_buf_clear) struct mu_buf form = MU_BUF_INIT;

	if (api->job.req == NULL || api->job.appeared)
		return;		/* nobody waits for it any more: it ends by itself */
	api->job.appeared = true;
	api->job.channel = work;
	for (size_t i = 0; i < api->job.policy.file_count; i++)
		file_send(work, &api->job.policy.files[i]);
	ipc_put_text(&form, api->job.as_json ? "json" : "text");
	ipc_notify(work, OP_JOB_GO, &form, -1);
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
job_audit(struct store *store, const struct console_job *job, const struct console_asker *asker,
    struct mu_err *err)
{
	char actor[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3] = { AUDIT_TEXT("job", kind_names[job->kind]) };
	size_t count = 1;

	if (asker->actor == NULL)
		fields[count++] = (struct audit_field)AUDIT_NUMBER("uid", (int64_t)asker->uid);
	else
		fields[count++] = (struct audit_field)AUDIT_TEXT("actor",
		    mu_uuid_format(asker->actor, actor));
	if (job->source[0] != '\0')
		fields[count++] = (struct audit_field)AUDIT_TEXT("source", job->source);
	if (store_begin(store, err) != MU_OK)
		return err->rc;
	audit_record(store, AUDIT_JOB_RUN, mu_now_ms(), fields, count, NULL);
	return store_commit(store, err);
}

struct files_read {
	struct policy_folder *folder;
	struct mu_err *err;
	size_t bytes;
};

/* "roles.yaml": what a policy's folder has in it. */
static bool
file_is_named(const char *name)
{
	size_t stem = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789._-");
	size_t length = strlen(name);

	return stem == length && length > 5 && length <= FILE_NAME_MAX_BYTES && name[0] != '.' &&
	    strcmp(name + length - 5, ".yaml") == 0;
}

/* Keeps them by name. */
static bool
file_take(void *ctx, const char *name, const struct json_node *value)
{
	struct files_read *r = ctx;
	const char *content = json_node_text(value);
	struct policy_file *files = r->folder->files;
	size_t at = r->folder->file_count;

	if (!file_is_named(name) || content == NULL) {
		(void)mu_fail(r->err, MU_EINPUT, "files: each is named like roles.yaml and is text");
		return false;
	}
	r->bytes += strlen(content);
	if (r->bytes > POLICY_FILES_MAX_BYTES) {
		(void)mu_fail(r->err, MU_EINPUT, "files: at most %u bytes in all",
		    POLICY_FILES_MAX_BYTES);
		return false;
	}
	for (; at > 0 && strcmp(files[at - 1].name, name) > 0; at--)
		files[at] = files[at - 1];
	files[at] = (struct policy_file){ mu_strdup(name), mu_strdup(content) };
	r->folder->file_count++;
	return true;
}

static enum mu_rc
files_read(const struct json_node *root, struct policy_folder *out_folder, struct mu_err *err)
{
	struct files_read reading = { out_folder, err, 0 };
	const struct json_node *files = NULL;

	if (json_find(root, "files") == NULL)
		return MU_OK;
	if (json_get_object(root, "files", &files, err) != MU_OK)
		return err->rc;
	if (json_count(files) == 0 || json_count(files) > POLICY_FILES_MAX)
		return mu_fail(err, MU_EINPUT, "files: 1 to %d, or leave them out",
		    POLICY_FILES_MAX);
	out_folder->files = mu_alloc_zero(json_count(files), sizeof(*out_folder->files));
	json_each(files, file_take, &reading);
	return err->rc;
}

static enum mu_rc
source_read(const struct api_console *api, const struct json_node *root, struct console_job *job,
    struct mu_err *err)
{
	const char *given = NULL, *found;

	if (json_find(root, "source") != NULL &&
	    json_get_text(root, "source", SOURCE_MAX_BYTES, &given, err) != MU_OK)
		return err->rc;
	found = job->kind == JOB_DRY_RUN ? api->host.source(api->host.ctx, given) : "";
	if (given != NULL && job->kind != JOB_DRY_RUN)
		return mu_fail(err, MU_EINPUT, "source: a plan is about everybody, of all sources");
	if (found == NULL)
		return given == NULL ?
		    mu_fail(err, MU_EINPUT, "source: there are several: say which") :
		    mu_fail(err, MU_EABSENT, "source: there is none called \"%.64s\": muster sync"
		    " status lists them", given);
	job->source = mu_strdup(found);
	return MU_OK;
}

/* What is asked for. */
static enum mu_rc
job_read(const struct api_console *api, const struct http_request *req, struct console_job *job,
    struct mu_err *err)
{
	static const char *const names[] = { "action", "files", "form", "kind", "source", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *kind, *body, *form = "text";
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, CONSOLE_JOB_BODY_MAX_BYTES, "request", &root,
	    err) != MU_OK || json_only(root, names, err) != MU_OK ||
	    json_get_text(root, "kind", 32, &kind, err) != MU_OK ||
	    (json_find(root, "form") != NULL &&
	    json_get_text(root, "form", 32, &form, err) != MU_OK))
		return err->rc;
	if (strcmp(kind, "plan") != 0 && strcmp(kind, "dry-run") != 0)
		return mu_fail(err, MU_EINPUT, "There is no such kind of job: there are \"plan\" and"
		    " \"dry-run\".");
	if (strcmp(form, "text") != 0 && strcmp(form, "json") != 0)
		return mu_fail(err, MU_EINPUT, "form: \"text\" or \"json\"");
	job->kind = strcmp(kind, "plan") == 0 ? JOB_PLAN : JOB_DRY_RUN;
	job->as_json = strcmp(form, "json") == 0;
	if (json_find(root, "action") != NULL && job->policy.file_count == 0)
		return mu_fail(err, MU_EINPUT, "action: the console knows of none");
	if (json_find(root, "files") != NULL &&
	    (job->kind != JOB_PLAN || job->policy.file_count > 0))
		return mu_fail(err, MU_EINPUT, "files: only a plan is about files, and one of an"
		    " action is about its own");
	if (files_read(root, &job->policy, err) != MU_OK)
		return err->rc;
	return source_read(api, root, job, err);
}

bool
console_job_action(const struct http_request *req, unsigned char out_digest[ACTION_DIGEST_BYTES])
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *body, *action;
	size_t body_bytes;

	body = http_body_of(req, &body_bytes);
	if (json_parse(body, body_bytes, CONSOLE_JOB_BODY_MAX_BYTES, "request", &root,
	    &err) != MU_OK)
		return false;
	action = json_find_text(root, "action");
	return action != NULL && mu_hex_parse(action, out_digest, ACTION_DIGEST_BYTES);
}

/* Reads, and writes the record. */
static enum mu_rc
job_prepare(struct api_console *api, struct http_request *req, const struct console_asker *asker,
    struct console_job *job, struct mu_err *err)
{
	if (job_read(api, req, job, err) != MU_OK)
		return err->rc;
	if (api->job.req != NULL)
		return mu_fail(err, MU_ECONFLICT, "A job is running: wait for it to end.");
	if (!ipc_is_open(api->host.supervisor(api->host.ctx)))
		return mu_fail(err, MU_ERETRY, "the supervisor is away");
	return job_audit(api->host.store, job, asker, err);
}

void
console_job_run(struct api_console *api, struct http_request *req,
    const struct console_asker *asker, struct policy_folder *files)
{
	struct console_job job = { .req = req, .timer = api->job.timer };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (files != NULL) {
		job.policy = *files;
		*files = (struct policy_folder){ .file_count = 0 };
	}
	if (job_prepare(api, req, asker, &job, &err) != MU_OK) {
		policy_folder_clear(&job.policy);
		mu_free(job.source);
		if (err.rc != MU_EINPUT && err.rc != MU_ECONFLICT && err.rc != MU_EABSENT)
			mu_log_err(&err, "console.no_job", NULL);
		http_refuse_err(req, &err);
		return;
	}
	job.since_ms = mu_tick_ms();
	api->job = job;
	mu_timer_set(api->job.timer, LOOK_MS);
	ipc_put_text(&body, kind_names[job.kind]);
	ipc_put_text(&body, job.source);
	ipc_call(api->host.supervisor(api->host.ctx), OP_JOB, &body, -1, on_job, api);
}

void
console_jobs_open(struct api_console *api)
{
	api->job.timer = mu_loop_timer(api->host.loop, on_job_look, api);
}

void
console_jobs_close(struct api_console *api)
{
	if (api->job.req != NULL)
		job_fail(&api->job, 503, "The service is stopping.");
	mu_timer_free(api->job.timer);
	for (size_t i = 0; i < CONSOLE_OUTCOMES; i++)
		outcome_clear(&api->outcomes[i]);
}
