/*
 * proc/work.c - the process of one long read-only computation, ended with its job
 *
 * Its instance is the job: "plan" says what deciding everyone anew would change. Output goes to the
 * admin process that asked, as OP_JOB_OUTPUT and at last OP_JOB_END.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cycle/cycle.h"
#include "proc/process.h"
#include "proc/rules.h"

#include <string.h>

#define PIECE_BYTES 32768

struct own {
	struct store *store;
};

static void
output_send(struct ipc_channel *to, const struct mu_buf *text)
{
	for (size_t at = 0; at < text->size_bytes;) {
		MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
		MU_AUTO(mu_freep) char *piece = NULL;
		size_t size = text->size_bytes - at;

		if (size > PIECE_BYTES)
			size = PIECE_BYTES;
		/* Lines stay whole: a piece ends behind its last newline where it has one. */
		while (at + size < text->size_bytes && size > 1 && text->data[at + size - 1] != '\n')
			size--;
		piece = mu_strndup(text->data + at, size);
		ipc_put_text(&body, piece);
		ipc_notify(to, OP_JOB_OUTPUT, &body, -1);
		at += size;
	}
}

static enum mu_rc
plan_run(struct process *p, struct mu_buf *out, struct mu_err *err)
{
	struct own *own = p->own;
	struct policy *policy = NULL;
	struct cycle_rules rules;
	enum mu_rc rc;

	if (cycle_policy_in_force(own->store, NULL, 0, NULL, NULL, rules_attr_known, p->settings, &policy,
	    NULL, err) != MU_OK)
		return err->rc;
	rules_init(&rules, p->settings, policy);
	rc = cycle_plan(own->store, &rules, mu_now_s(), out, err);
	rules_clear(&rules);
	policy_free(policy);
	return rc;
}

/* The admin's channel is there: run the job and end. */
static void
on_peer_up(struct process *p, struct process_peer *peer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf end = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc;

	if (peer->kind != PROCESS_ADMIN)
		return;
	if (strcmp(p->instance, "plan") == 0)
		rc = plan_run(p, &out, &err);
	else
		rc = mu_fail(&err, MU_EINPUT, "no job is called \"%s\": there is plan", p->instance);
	if (rc != MU_OK) {
		mu_buf_format(&out, "%s\n", err.text);
		mu_log_err(&err, "job.failed", "job", p->instance, NULL);
	}
	output_send(peer->channel, &out);
	ipc_put_u8(&end, rc == MU_OK ? 0 : 1);
	ipc_notify(peer->channel, OP_JOB_END, &end, -1);
	mu_loop_stop(p->loop, 0);
}

static enum mu_rc
work_process_open(struct process *p, struct mu_err *err)
{
	struct own *own = mu_alloc_zero(1, sizeof(*own));

	p->own = own;
	return store_open(p->conninfo, STORE_PERSON | STORE_POLICY, &own->store, err);
}

const struct process_row process_work = {
	.kind = PROCESS_WORK,
	.open = work_process_open,
	.peer_up = on_peer_up,
};
