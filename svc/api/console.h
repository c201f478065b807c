/*
 * api/console.h - the administrators' console: HTTP on a Unix socket, for root and our own user
 *
 *	GET /v1/status	200 application/json: processes, store, people, sources, platforms, audit
 *	POST /v1/jobs	{"files"?: {NAME: TEXT}, "form"?: "json", "kind": "plan"} or
 *			{"form"?: "json", "kind": "dry-run", "source"?: NAME}: runs the job in a process of its
 *			own and answers when it has ended: {"job": KIND, "output": TEXT, "people"?: [EFFECT],
 *			"result"?: {...}, "status": 0}; one at a time on both listeners (409). plan: what
 *			deciding everyone anew would change, by the policy in force or by files. dry-run: what
 *			a full read of the source would do now; the one source there is, if there is one
 *			alone. output is for people to read; with form json people are objects instead:
 *			{"accounts": [TEXT], "from": STATE, "gained": [ROLE], "held": bool, "how": TEXT,
 *			"lost": [ROLE], "person": PERSON-REF, "to": STATE}, the worst first. result: the
 *			counts, see cycle/report.h; base is the version in force and outcome a digest of who
 *			changes how: what policy.apply has to say
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
#define API_OUTCOME_MAX_MS		((int64_t)600 * 1000)	/* then a plan is too old to apply */

struct api_console_host {
	struct mu_loop *loop;
	struct store *store;		/* STATUS, AUDIT, POLICY, LOOK, PERSON, ADMIN, ACTION */
	const struct action_host *actions;	/* of that store; with auth for bootstrap */
	const char *ca_pem;		/* borrowed until close; NULL: administrators have no listener */
	const char *server_url;		/* where it is; the same */
	struct ipc_channel *(*supervisor)(void *ctx);	/* NULL while away */
	bool (*job_is_up)(void *ctx);	/* is there a job's process that we can hear? */
	/* Is it a source of the configuration? NULL asked for: the only one there is, else NULL. */
	const char *(*source)(void *ctx, const char *name);
	void *ctx;
	int listen_fd;			/* owned from the call on */
};

struct api_console;

MU_CHECKED enum mu_rc api_console_open(const struct api_console_host *host, struct api_console **out_api,
    struct mu_err *err);
void api_console_close(struct api_console *api);	/* NULL is fine */

/* A job's process is there: it is sent the files of its job and the word to go. */
void api_console_job_up(struct api_console *api, struct ipc_channel *work);
/* What it says: OP_JOB_OUTPUT, OP_JOB_RESULT or OP_JOB_END. false: malformed, end its channel. */
bool api_console_job_take(struct api_console *api, const struct ipc_channel *from, struct ipc_message *m);

/*
 * Is outcome what a plan of these files on that version came to, not long ago? Appends the plan's
 * counts and worst lines. Plans are remembered by this process alone, a few of the newest.
 * MU_ECONFLICT  no such plan, the newest is too old, or it came to something else: plan again
 */
MU_CHECKED enum mu_rc api_console_outcome_check(const struct api_console *api,
    const struct policy_file *files, size_t file_count, int64_t base, const char *outcome,
    struct mu_buf *out_lines, struct mu_err *err);

#endif
