/*
 * proc/dryrun.c - the process of one dry run: what a full read of a source would do now
 *
 * Its instance is the source, whose bind password it holds like the cycle that follows it. It speaks
 * to the directory, and to PostgreSQL as muster_work, who may only read. It has no channel to keys:
 * grants and identifications are taken as right. Asked and answered like `work`, and ended with its job.
 */
#include "base/log.h"
#include "cycle/cycle.h"
#include "cycle/dry.h"
#include "proc/job.h"
#include "proc/rules.h"

#define UID_NAME	"uid"	/* as of cycles */

struct own {
	struct store *store;
	struct policy *policy;
	struct cycle_rules rules;
	struct directory_source source;
	struct cycle_dry *dry;
	struct process_peer *asker;
	struct mu_timer *late;		/* until OP_JOB_GO */
};

static void
on_ended(void *ctx, enum mu_rc rc, const struct cycle_told *told, const struct mu_err *err)
{
	struct process *p = ctx;
	struct own *own = p->own;

	(void)rc;
	job_answer(p, own->asker, told, err);
}

static void
job_begin(struct process *p, struct process_peer *from, bool as_json)
{
	struct own *own = p->own;
	const struct cycle_dry_host host = { .loop = p->loop, .store = own->store,
		.source = &own->source, .uid_name = UID_NAME, .rules = &own->rules,
		.as_json = as_json, .ended = on_ended, .ctx = p };
	const struct cycle_told nothing = { .lines = MU_BUF_INIT };
	struct mu_err err = MU_ERR_INIT;

	own->asker = from;
	if (cycle_policy_in_force(own->store, NULL, 0, NULL, NULL, NULL, rules_attr_known,
	    p->settings, &own->policy, NULL, &err) != MU_OK) {
		job_answer(p, from, &nothing, &err);
		return;
	}
	rules_init(&own->rules, p->settings, own->policy);
	own->dry = cycle_dry_open(&host);
}

static void
dryrun_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	struct own *own = p->own;
	bool as_json;

	if (!mu_timer_is_set(own->late) || !job_go_take(&m->body, &as_json)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	mu_timer_stop(own->late);
	job_begin(p, from, as_json);
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
dryrun_open(struct process *p, struct mu_err *err)
{
	const struct settings_source *source = settings_source_find(p->settings, p->instance);
	struct own *own = mu_alloc_zero(1, sizeof(*own));

	p->own = own;
	if (source == NULL)
		return mu_fail(err, MU_ECONFIG, "no source %s in the configuration", p->instance);
	directory_source_init(&own->source, source, process_secret(p, "bind_password"));
	own->late = mu_loop_timer(p->loop, on_late, p);
	mu_timer_set(own->late, JOB_START_MS);
	return store_open(p->conninfo, STORE_PERSON | STORE_POLICY | STORE_SOURCE, &own->store,
	    err);
}

const struct process_row process_dryrun = {
	.kind = PROCESS_DRYRUN,
	.open = dryrun_open,
	.request = dryrun_request,
};
