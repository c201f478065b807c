/*
 * api/console_priv.h - what the console and the administrators' API share: status and jobs
 */
#ifndef API_CONSOLE_PRIV_H
#define API_CONSOLE_PRIV_H

#include "api/console.h"
#include "base/buf.h"
#include "http/server.h"
#include "policy/policy.h"

#define CONSOLE_JOB_BODY_MAX_BYTES	ACTION_DOCUMENT_MAX_BYTES

/* The job that runs: one at a time, whoever asked for it. */
struct console_job {
	struct http_request *req;	/* NULL: no job runs */
	struct mu_timer *timer;
	struct policy_file *files;	/* what it is about; none: the policy in force */
	size_t file_count;
	int64_t base;			/* the version in force when it was asked for */
	struct mu_buf output;
	int64_t since_ms;
	bool appeared;
};

struct api_console {
	struct api_console_host host;
	struct http_server *server;
	struct console_job job;
};

/* Who asks for a job, for its record. */
struct console_asker {
	const struct mu_uuid *actor;	/* NULL: on the console */
	uid_t uid;
};

/* Each answers req, now or later. is_admin: with "administrators" and "pending". */
void console_status(struct api_console *api, struct http_request *req, bool is_admin);
void console_job_run(struct api_console *api, struct http_request *req,
    const struct console_asker *asker);

/* The member "sources". */
struct json_writer;
struct store_status;
void sources_write(struct json_writer *w, const struct store_status *st,
    const struct action_host *actions);

/* Bootstrap: handlers of the console's routes. */
void bootstrap_post(void *ctx, struct http_request *req);
void bootstrap_confirm_post(void *ctx, struct http_request *req);

#endif
