/*
 * api/console_priv.h - what the console and the administrators' API share: status and jobs
 */
#ifndef API_CONSOLE_PRIV_H
#define API_CONSOLE_PRIV_H

#include "api/console.h"
#include "base/buf.h"
#include "crypto/digest.h"
#include "http/server.h"
#include "policy/policy.h"

#define CONSOLE_JOB_BODY_MAX_BYTES	ACTION_DOCUMENT_MAX_BYTES
#define CONSOLE_JOB_START_MS		30000	/* then a job that has not appeared never will */
#define CONSOLE_OUTCOMES		16	/* plans remembered, the newest */

enum console_job_kind { JOB_PLAN, JOB_DRY_RUN };

/* The job that runs: one at a time, whoever asked for it. */
struct console_job {
	struct http_request *req;	/* NULL: no job runs */
	struct mu_timer *timer;
	enum console_job_kind kind;
	char *source;			/* of a dry run, else "" */
	bool as_json;
	struct policy_folder policy;	/* what a plan is about; no files: the policy in force */
	struct mu_buf output, result;
	int64_t since_ms;
	bool appeared;			/* its process has come, and is at the end of channel */
	const struct ipc_channel *channel;	/* only to be compared */
};

/* What a plan of some files came to. */
struct console_outcome {
	unsigned char files[CRYPTO_SHA256_BYTES];	/* cycle_policy_digest */
	int64_t base, ended_ms;		/* ended_ms: mu_tick_ms */
	char *outcome;			/* NULL: nothing is remembered here */
	struct mu_buf lines;		/* counts and the worst of it, to read */
	int64_t changed;
};

struct api_console {
	struct api_console_host host;
	struct http_server *server;
	struct console_job job;
	struct console_outcome outcomes[CONSOLE_OUTCOMES];
	size_t outcome_next;
};

/* Who asks for a job, for its record. */
struct console_asker {
	const struct mu_uuid *actor;	/* NULL: on the console */
	uid_t uid;
};

/* Each answers req, now or later. is_admin: with "administrators" and "pending". */
void console_status(struct api_console *api, struct http_request *req, bool is_admin);
/* files (taken over; NULL: those of the request): what a pending action would bring into force. */
void console_job_run(struct api_console *api, struct http_request *req,
    const struct console_asker *asker, struct policy_folder *files);
/* The action whose policy the request asks to have planned; false: of none. */
bool console_job_action(const struct http_request *req,
    unsigned char out_digest[ACTION_DIGEST_BYTES]);
void console_jobs_open(struct api_console *api);
void console_jobs_close(struct api_console *api);

/* The member "sources". */
struct json_writer;
struct store_status;
void sources_write(struct json_writer *w, const struct store_status *st,
    const struct action_host *actions);

/* Bootstrap: handlers of the console's routes. */
void bootstrap_post(void *ctx, struct http_request *req);
void bootstrap_confirm_post(void *ctx, struct http_request *req);

#endif
