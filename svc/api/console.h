/*
 * api/console.h - the administrators' console: HTTP on a Unix socket, for root and our own user
 *
 *	GET /v1/status	200 application/json: processes, store, people, sources, platforms, audit
 *	POST /v1/jobs	{"files"?: {NAME: TEXT}, "kind": "plan"}: runs the job in a process of its own and
 *			answers when it has ended: {"base"?: n, "job": "plan", "output": TEXT, "status": 0};
 *			one at a time on both listeners (409). With files: what that policy would change, and
 *			in base the version in force
 *	POST /v1/bootstrap {"role", "who"}	makes the person an administrator, until two are active:
 *			200 {"ca_fingerprint"?: HEX, "person": {"id", "name", "uid"}, "role", "server"?: URL,
 *			"uri": "otpauth://..."}; 403 when the door is closed; 404, 409 with "candidates".
 *			ca_fingerprint and server are null when there is no listener for administrators
 *	POST /v1/bootstrap/confirm {"code", "person": ID}	the first code: 200 {"active": n}; 403
 *
 * bootstrap is refused to musterd's own processes, whatever user they run as, and to everyone (503) while
 * the supervisor cannot say which those are.
 */
#ifndef API_CONSOLE_H
#define API_CONSOLE_H

#include "action/action.h"
#include "base/loop.h"
#include "ipc/ipc.h"
#include "store/store.h"

#define API_JOB_OUTPUT_MAX_BYTES	(32u << 20)
#define API_JOB_MAX_MS			((int64_t)3600 * 1000)

struct api_console_host {
	struct mu_loop *loop;
	struct store *store;		/* STATUS, AUDIT, POLICY, LOOK, PERSON, ADMIN, ACTION */
	const struct action_host *actions;	/* of that store; with auth for bootstrap */
	const char *ca_pem;		/* borrowed until close; NULL: administrators have no listener */
	const char *server_url;		/* where it is; the same */
	struct ipc_channel *(*supervisor)(void *ctx);	/* NULL while away */
	bool (*job_is_up)(void *ctx);	/* is there a `work` process that we can hear? */
	void *ctx;
	int listen_fd;			/* owned from the call on */
};

struct api_console;

MU_CHECKED enum mu_rc api_console_open(const struct api_console_host *host, struct api_console **out_api,
    struct mu_err *err);
void api_console_close(struct api_console *api);	/* NULL is fine */

/* A `work` process is there: it is sent the files of its job and the word to go. */
void api_console_job_up(struct api_console *api, struct ipc_channel *work);
/* What `work` says: OP_JOB_OUTPUT or OP_JOB_END. false: malformed, end its channel. */
bool api_console_job_take(struct api_console *api, struct ipc_message *m);

#endif
