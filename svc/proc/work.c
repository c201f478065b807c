/*
 * proc/work.c - the process of one long read-only computation, ended with its job
 *
 * Its instance is the job: "plan" says what deciding everyone anew would change, by the policy in
 * force or, if files came, by theirs. The admin process that asked sends OP_JOB_FILE for each piece
 * of a file and then OP_JOB_GO; what is told goes to it as OP_JOB_OUTPUT, the counts as
 * OP_JOB_RESULT, and at last OP_JOB_END. There is no channel to keys: the rows a plan reads are
 * taken as right, and nothing is ever written from them.
 */
#include "base/clock.h"
#include "base/log.h"
#include "config/yaml.h"
#include "cycle/cycle.h"
#include "cycle/plan.h"
#include "proc/job.h"
#include "proc/rules.h"

#include <string.h>

struct own {
	struct store *store;
	struct policy_file files[POLICY_FILES_MAX];
	size_t file_count, files_bytes;
	bool as_json;
	struct mu_timer *late;		/* until OP_JOB_GO */
};

/* The policy of the files that came: all its faults go to out. */
static enum mu_rc
candidate_parse(const struct process *p, struct policy **out_policy, struct mu_buf *out,
    struct mu_err *err)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	const struct own *own = p->own;

	if (policy_parse(own->files, own->file_count, rules_attr_known, p->settings, &faults,
	    out_policy, err) == MU_OK) {
		rules_authority_check(p->settings, *out_policy, p->settings->file, &faults);
		if (faults.count == 0)
			return MU_OK;
		policy_free(*out_policy);
		(void)mu_fail(err, MU_EINPUT,
		    "the policy lacks what the authority of a source names");
	}
	config_faults_format(&faults, out);
	return err->rc;
}

static enum mu_rc
plan_run(struct process *p, struct cycle_told *out, struct mu_err *err)
{
	struct own *own = p->own;
	struct policy *policy = NULL;
	struct cycle_rules rules;
	const struct cycle_plan_host host = { p->conninfo, own->store, &rules, own->as_json };
	enum mu_rc rc;

	if ((own->file_count > 0 ? candidate_parse(p, &policy, &out->lines, err) :
	    cycle_policy_in_force(own->store, NULL, 0, NULL, NULL, NULL, rules_attr_known,
	    p->settings, &policy, NULL, err)) != MU_OK)
		return err->rc;
	rules_init(&rules, p->settings, policy);
	rc = cycle_plan(&host, mu_now_s(), out, err);
	rules_clear(&rules);
	policy_free(policy);
	return rc;
}

static void
job_run(struct process *p, struct process_peer *to)
{
	MU_AUTO(cycle_told_clear) struct cycle_told told = { .lines = MU_BUF_INIT };
	struct mu_err err = MU_ERR_INIT;

	if (strcmp(p->instance, "plan") != 0)
		(void)mu_fail(&err, MU_EINPUT, "no job is called \"%s\": there is plan",
		    p->instance);
	else if (plan_run(p, &told, &err) != MU_OK)
		mu_buf_reset(&told.json);
	job_answer(p, to, &told, &err);
}

static bool
file_take(struct own *own, struct ipc_reader *body)
{
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf whole = MU_BUF_INIT;
	struct policy_file *last = own->file_count == 0 ? NULL : &own->files[own->file_count - 1];

	if (!msg_named_decode(body, &m))
		return false;
	own->files_bytes += m.bytes.size_bytes;
	if (own->files_bytes > POLICY_FILES_MAX_BYTES)
		return false;
	if (last != NULL && strcmp(last->name, m.name) == 0) {
		mu_buf_format(&whole, "%s%s", last->content, mu_secret_text(&m.bytes));
		mu_free(last->content);
		last->content = mu_strdup(whole.data);
		return true;
	}
	if (own->file_count == POLICY_FILES_MAX)
		return false;
	own->files[own->file_count++] = (struct policy_file){ MU_TAKE(m.name),
		mu_strdup(mu_secret_text(&m.bytes)) };
	return true;
}

static void
work_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	struct own *own = p->own;

	if (!mu_timer_is_set(own->late) || (m->op == OP_JOB_FILE ? !file_take(own, &m->body) :
	    !job_go_take(&m->body, &own->as_json))) {
		ipc_refuse(from->channel, m->op);
	} else if (m->op == OP_JOB_GO) {
		mu_timer_stop(own->late);
		job_run(p, from);
	}
}

/* Whoever asked has gone before saying all. */
static void
on_late(void *ctx)
{
	struct process *p = ctx;

	mu_log("job.late", "job", p->instance, NULL);
	mu_loop_stop(p->loop, 1);
}

static enum mu_rc
work_process_open(struct process *p, struct mu_err *err)
{
	struct own *own = mu_alloc_zero(1, sizeof(*own));

	p->own = own;
	own->late = mu_loop_timer(p->loop, on_late, p);
	mu_timer_set(own->late, JOB_START_MS);
	return store_open(p->conninfo, STORE_PERSON | STORE_POLICY | STORE_SOURCE, &own->store,
	    err);
}

const struct process_row process_work = {
	.kind = PROCESS_WORK,
	.open = work_process_open,
	.request = work_request,
};
