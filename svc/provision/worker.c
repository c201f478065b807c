#include "provision/worker.h"

#include <string.h>

#include "adapters/adapter.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"
#include "provision/breaker.h"
#include "provision/plan.h"

#define AWAY_MS		200		/* keys or store are being started anew */

enum job_phase {
	JOB_LOOK,	/* read the account and compare */
	JOB_STEPS,	/* the plan, from at on; then look again */
	JOB_END,	/* nothing left but to write down how it ended */
};

/* One account in hand. */
struct job {
	struct store_work work;
	enum job_phase phase;
	struct plan plan;
	size_t at;
	uint32_t looks;
	struct observed seen;		/* by the last look */
	bool created;			/* our create was answered: done */
	bool credential_set;
	struct work_receipt *receipts;
	size_t receipt_count;
	struct work_end end;		/* JOB_END; answer and text point to what follows */
	const char *answer;
	struct mu_buf text;
};

struct worker {
	char *platform;
	const struct worker_port *port;
	void *ctx;
	uint32_t can, steps;
	bool adapter;			/* it is there and has said what it can */
	bool in_flight;
	enum step_kind sent;
	bool hinted;			/* something became due while an account is in hand */
	struct breaker breaker;
	struct job *job;		/* NULL: none in hand */
	struct job *held;		/* waits while a revocation overtakes it */
};

static void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->receipt_count; i++)
		mu_free(j->receipts[i].text);
	mu_free(j->receipts);
	store_work_clear(&j->work);
	observed_clear(&j->seen);
	plan_clear(&j->plan);
	mu_buf_clear(&j->text);
	mu_free(j);
}

static void
job_log(const struct worker *w, const struct job *j, const char *event, const char *what,
    const char *text)
{
	char account[MU_UUID_TEXT_BYTES];

	mu_log(event, "platform", w->platform, "account",
	    mu_uuid_format(&j->work.want.account_id, account), "outcome", what, "text", text, NULL);
}

/* --- How an attempt ends -------------------------------------------------------------------- */

static bool
job_ours(const struct job *j)
{
	return j->work.owned || j->work.create_begun;
}

static void
job_end(struct job *j, enum work_outcome outcome, const char *answer, const char *text)
{
	j->phase = JOB_END;
	j->end.outcome = outcome;
	j->answer = answer;
	mu_buf_reset(&j->text);
	mu_buf_text_add(&j->text, text);
}

static void
job_retry(struct job *j, const char *answer, const char *text, int64_t retry_after_ms)
{
	uint32_t random;
	int64_t delay_ms;

	mu_random(&random, sizeof(random));
	delay_ms = backoff_ms((uint32_t)(j->work.attempts < 20 ? j->work.attempts : 20) + 1, random);
	if (retry_after_ms > delay_ms)
		delay_ms = retry_after_ms < BACKOFF_MAX_MS ? retry_after_ms : BACKOFF_MAX_MS;
	job_end(j, WORK_RETRY, answer, text);
	j->end.next_attempt_s = (mu_now_ms() + delay_ms) / 1000;
}

static void
job_drop(struct worker *w)
{
	job_free(w->job);
	w->job = w->held;
	w->held = NULL;
}

/* True when the job is off our hands. */
static bool
job_end_write(struct worker *w)
{
	struct job *j = w->job;
	struct mu_err err = MU_ERR_INIT;

	j->end.work = &j->work;
	j->end.seen = &j->seen;
	j->end.owned = !j->work.owned && (j->created
	    || (job_ours(j) && j->seen.state != ACCOUNT_ABSENT)) && !j->end.create_undone;
	j->end.credential_set = j->end.outcome == WORK_SETTLED && j->credential_set;
	j->end.receipts = j->receipts;
	j->end.receipt_count = j->receipt_count;
	j->end.answer = j->answer;
	j->end.text = mu_buf_text(&j->text);
	switch (w->port->end(w->ctx, &j->end, &err)) {
	case MU_OK:
		if (j->end.outcome == WORK_RETRY || j->end.outcome == WORK_PARKED)
			job_log(w, j, j->end.outcome == WORK_PARKED ? "provision.park"
			    : "provision.retry", j->answer, mu_buf_text(&j->text));
		break;
	case MU_ERETRY:
		w->port->wait(w->ctx, AWAY_MS);
		return false;
	case MU_ECONFLICT:	/* it has moved on: whatever is wanted now is due */
		break;
	case MU_EINPUT:
	case MU_EDENIED:
	case MU_EABSENT:
	case MU_ECONFIG:
	case MU_EBROKEN:
		mu_log_err(&err, "provision.end", "platform", w->platform, NULL);
		w->port->wait(w->ctx, BACKOFF_MIN_MS * 10);
		job_drop(w);
		return false;
	}
	job_drop(w);
	return true;
}

static void
receipt_keep(struct job *j, const struct plan_step *step, const struct receipt *r)
{
	struct work_receipt *x;
	bool right = step->right.name != NULL;

	j->receipts = mu_alloc_again(j->receipts, j->receipt_count + 1, sizeof(*j->receipts));
	x = &j->receipts[j->receipt_count++];
	*x = (struct work_receipt){ step->kind, r->outcome, r->sessions_ended, r->sessions_left,
	    mu_now_ms(), mu_strdup(right ? step->right.name : r->text != NULL ? r->text : "") };
}

/* --- Looking and planning ------------------------------------------------------------------- */

/* What the account's password needs: a new one, and whether one has to be put there at all. */
static bool
credential_due(const struct worker *w, const struct job *j, bool *out_fresh)
{
	bool gone = j->seen.state == ACCOUNT_ABSENT	/* the next one knows nothing of the last */
	    || (j->seen.state == ACCOUNT_DISABLED && (w->can & ADAPTER_CAN_DISABLE_LOSSY) != 0);

	*out_fresh = false;
	if (j->work.want.state != ACCOUNT_ENABLED || j->credential_set
	    || (w->steps >> STEP_SET_CREDENTIAL & 1) == 0)
		return false;
	switch (j->work.credential) {
	case CREDENTIAL_NONE:
		*out_fresh = true;
		return true;
	case CREDENTIAL_SEALED:
		return true;
	case CREDENTIAL_CLAIMABLE:
		return gone;
	case CREDENTIAL_CLAIMED:
		*out_fresh = gone;
		return gone;
	}
	return false;
}

/* The store hears of what is to come before the platform does; false: not yet, or the job has ended. */
static bool
job_begin(struct worker *w, struct job *j, bool fresh)
{
	struct entitlements giving = ENTITLEMENTS_INIT;
	struct mu_secret sealed = MU_SECRET_INIT;
	struct work_begin b = { .work = &j->work };
	struct mu_uuid credential_id;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = MU_OK;

	plan_rights(&j->work.want.entitlements, &j->work.seen.rights, &giving);
	b.create = plan_has(&j->plan, STEP_CREATE) && !j->work.create_begun;
	if (plan_has(&j->plan, STEP_JOIN) && !entitlements_equal(&giving, &j->work.seen.rights))
		b.giving = &giving;
	if (fresh) {
		mu_uuid_new(&credential_id);
		rc = w->port->seal_new(w->ctx, &j->work.want.account_id, &credential_id, &sealed, &err);
		b.credential_id = &credential_id;
		b.sealed = &sealed;
	}
	if (rc == MU_OK && (b.create || b.giving != NULL || fresh))
		rc = w->port->begin(w->ctx, &b, &err);
	if (rc == MU_OK) {
		j->work.create_begun = j->work.create_begun || b.create;
		if (b.giving != NULL) {
			entitlements_clear(&j->work.seen.rights);
			j->work.seen.rights = giving;
			giving = (struct entitlements)ENTITLEMENTS_INIT;
		}
		if (fresh) {
			j->work.credential = CREDENTIAL_SEALED;
			j->work.credential_id = credential_id;
			mu_secret_move(&j->work.sealed, &sealed);
		}
	}
	entitlements_clear(&giving);
	mu_secret_clear(&sealed);
	if (rc == MU_ERETRY)
		w->port->wait(w->ctx, AWAY_MS);
	else if (rc != MU_OK)
		job_end(j, WORK_RELEASED, "", err.text);
	return rc == MU_OK;
}

/* After a look. False: wait (the look is then made again). */
static bool
job_plan(struct worker *w, struct job *j, uint32_t sessions_left)
{
	MU_AUTO(mu_buf_clear) struct mu_buf reason = MU_BUF_INIT;
	bool fresh;
	struct plan_facts f = {
		.want = &j->work.want, .seen = &j->seen, .sessions_left = sessions_left,
		.ours = job_ours(j), .credential = credential_due(w, j, &fresh),
		.can = w->can, .steps = w->steps,
	};

	plan_clear(&j->plan);
	j->at = 0;
	switch (plan_make(&f, &j->plan, &reason)) {
	case PLAN_SETTLED:
		job_end(j, WORK_SETTLED, "", "");
		return true;
	case PLAN_ORPHAN:
		job_end(j, WORK_PARKED, adapter_outcome_name(ADAPTER_CONFLICT), reason.data);
		return true;
	case PLAN_UNABLE:
		job_end(j, WORK_PARKED, adapter_outcome_name(ADAPTER_REFUSED), reason.data);
		return true;
	case PLAN_STEPS:
		break;
	}
	if (j->looks >= WORKER_LOOKS_MAX) {
		job_retry(j, adapter_outcome_name(ADAPTER_RETRY),
		    "after all steps were answered it is still not as wanted", 0);
		return true;
	}
	if (!job_begin(w, j, fresh && plan_has(&j->plan, STEP_SET_CREDENTIAL))) {
		if (j->phase == JOB_LOOK)
			j->looks--;
		return j->phase == JOB_END;
	}
	j->phase = JOB_STEPS;
	return true;
}

/* --- Sending -------------------------------------------------------------------------------- */

static void
step_send(struct worker *w, struct step *s)
{
	s->patience_ms = WORKER_STEP_MS;
	w->in_flight = true;
	w->sent = s->kind;
	w->port->send(w->ctx, s);
	step_clear(s);
}

static void
step_init(const struct job *j, enum step_kind kind, struct step *out_step)
{
	*out_step = (struct step){ .kind = kind, .account_id = j->work.want.account_id,
	    .name = mu_strdup(j->work.want.name),
	    .display_name = mu_strdup(j->work.display_name != NULL ? j->work.display_name : ""),
	    .right = { ENTITLEMENT_GROUP, mu_strdup(""), mu_strdup("") } };
}

static void
probe_send(struct worker *w)
{
	struct step s = { .kind = STEP_PROBE, .name = mu_strdup(""), .display_name = mu_strdup(""),
	    .right = { ENTITLEMENT_GROUP, mu_strdup(""), mu_strdup("") } };

	step_send(w, &s);
}

/* Of an account that we never began only its being there matters. */
static void
look_send(struct worker *w, struct job *j)
{
	struct step s;

	step_init(j, STEP_GET, &s);
	if (job_ours(j))
		plan_rights(&j->work.want.entitlements, &j->work.seen.rights, &s.rights);
	j->looks++;
	step_send(w, &s);
}

static void
plan_step_send(struct worker *w, struct job *j)
{
	const struct plan_step *p = &j->plan.list[j->at];
	struct mu_err err = MU_ERR_INIT;
	struct step s;

	step_init(j, p->kind, &s);
	if (p->right.name != NULL) {
		mu_free(s.right.name);
		mu_free(s.right.level);
		s.right = (struct entitlement){ p->right.kind, mu_strdup(p->right.name),
		    mu_strdup(p->right.level) };
	}
	if (p->kind == STEP_SET_CREDENTIAL
	    && w->port->unseal(w->ctx, &j->work, &s.secret, &err) != MU_OK) {
		step_clear(&s);
		if (err.rc == MU_ERETRY)
			w->port->wait(w->ctx, AWAY_MS);
		else
			job_retry(j, "unseal", err.text, 0);
		return;
	}
	step_send(w, &s);
}

/* --- Taking --------------------------------------------------------------------------------- */

/* Who loses the account is blocked and thrown off before anything is looked at. */
static void
job_block(const struct worker *w, struct job *j)
{
	static const enum step_kind kinds[] = { STEP_DISABLE, STEP_KILL };

	j->phase = JOB_LOOK;
	if (j->work.want.state == ACCOUNT_ENABLED || !job_ours(j) || j->work.seen.state == ACCOUNT_DISABLED)
		return;
	for (size_t i = 0; i < MU_COUNT(kinds); i++) {
		if ((w->steps >> kinds[i] & 1) == 0)
			continue;
		j->plan.list = mu_alloc_again(j->plan.list, j->plan.count + 1, sizeof(*j->plan.list));
		j->plan.list[j->plan.count++] = (struct plan_step){ .kind = kinds[i] };
		j->phase = JOB_STEPS;
	}
}

static struct job *
job_new(const struct worker *w, struct store_work *work)
{
	struct job *j = mu_alloc_zero(1, sizeof(*j));

	j->work = *work;
	*work = (struct store_work){ .settled_version = 0 };
	job_block(w, j);
	return j;
}

/* NULL: nothing is due, or the store is away. */
static struct job *
job_take(struct worker *w)
{
	struct store_works works = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct job *j = NULL;

	if (w->port->take(w->ctx, &works, &err) != MU_OK) {
		if (err.rc != MU_ERETRY)
			mu_log_err(&err, "provision.take", "platform", w->platform, NULL);
		return NULL;
	}
	if (works.count > 0)
		j = job_new(w, &works.list[0]);
	store_works_clear(&works);
	return j;
}

/* A hint came while an account is in hand: is it a revocation, or about this very account? */
static void
job_overtake(struct worker *w)
{
	struct job *now = w->job, *next;

	if (!w->hinted || w->held != NULL || now->phase == JOB_END || now->work.urgent)
		return;
	w->hinted = false;
	next = job_take(w);
	if (next == NULL)
		return;
	if (!mu_uuid_equal(&next->work.want.account_id, &now->work.want.account_id)) {
		w->held = now;
		w->job = next;
		if (!next->work.urgent)
			job_end(next, WORK_RELEASED, "", "");
	} else if (next->work.want.version == now->work.want.version) {
		job_free(next);		/* our own lease: nothing has moved */
	} else {
		next->receipts = now->receipts;
		next->receipt_count = now->receipt_count;
		next->created = now->created;
		now->receipts = NULL;
		now->receipt_count = 0;
		job_free(now);
		w->job = next;
	}
}

void
worker_run(struct worker *w)
{
	while (!w->in_flight) {
		if (w->job != NULL && w->job->phase == JOB_END) {
			if (!job_end_write(w))
				return;
			continue;
		}
		if (!w->adapter)
			return;
		if (!breaker_passes(&w->breaker)) {
			int64_t now_ms = mu_tick_ms();

			if (breaker_probe(&w->breaker, now_ms))
				probe_send(w);
			else
				w->port->wait(w->ctx, w->breaker.probe_at_ms - now_ms);
			return;
		}
		if (w->job == NULL) {
			w->hinted = false;
			w->job = job_take(w);
		} else {
			job_overtake(w);
		}
		if (w->job == NULL) {
			w->port->wait(w->ctx, WORKER_POLL_MS);
			return;
		}
		if (w->job->phase == JOB_STEPS && w->job->at == w->job->plan.count)
			w->job->phase = JOB_LOOK;
		if (w->job->phase == JOB_LOOK) {
			look_send(w, w->job);
		} else if (w->job->phase == JOB_STEPS) {
			plan_step_send(w, w->job);
			if (!w->in_flight && w->job->phase == JOB_STEPS)
				return;		/* keys are away */
		}
	}
}

/* --- Answers -------------------------------------------------------------------------------- */

static void
breaker_hear(struct worker *w, enum adapter_outcome outcome, const char *text)
{
	bool passed = breaker_passes(&w->breaker);

	switch (outcome) {
	case ADAPTER_RETRY:
	case ADAPTER_UNKNOWN:
		breaker_failure(&w->breaker, mu_tick_ms());
		break;
	case ADAPTER_OWN_CREDENTIAL:
		breaker_refused(&w->breaker, mu_tick_ms());
		break;
	case ADAPTER_DONE:
	case ADAPTER_ALREADY:
	case ADAPTER_ABSENT:
	case ADAPTER_CONFLICT:
	case ADAPTER_REFUSED:
		breaker_success(&w->breaker);
		break;
	}
	if (passed != breaker_passes(&w->breaker))
		mu_log(passed ? "provision.breaker_open" : "provision.breaker_closed", "platform",
		    w->platform, "outcome", adapter_outcome_name(outcome), "text", text, NULL);
}

static void
step_done(struct job *j, enum step_kind kind)
{
	if (kind == STEP_CREATE)
		j->created = true;
	if (kind == STEP_SET_CREDENTIAL)
		j->credential_set = true;
	j->at++;
}

static void
step_answer(struct job *j, struct receipt *r)
{
	const struct plan_step *step = &j->plan.list[j->at];
	enum adapter_outcome outcome = (enum adapter_outcome)r->outcome;
	const char *answer = adapter_outcome_name(outcome), *text = r->text != NULL ? r->text : "";

	switch (outcome) {
	case ADAPTER_DONE:
	case ADAPTER_ALREADY:
		receipt_keep(j, step, r);
		step_done(j, step->kind);
		return;
	case ADAPTER_UNKNOWN:
	case ADAPTER_ABSENT:	/* not as it looked: look before asking again */
		if (j->looks < WORKER_LOOKS_MAX)
			j->phase = JOB_LOOK;
		else
			job_retry(j, answer, text, r->retry_after_ms);
		return;
	case ADAPTER_RETRY:
		job_retry(j, answer, text, r->retry_after_ms);
		return;
	case ADAPTER_OWN_CREDENTIAL:
		job_end(j, WORK_RELEASED, answer, text);
		return;
	case ADAPTER_CONFLICT:
		j->end.create_undone = step->kind == STEP_CREATE && !j->created && !j->work.owned;
		receipt_keep(j, step, r);
		job_end(j, WORK_PARKED, answer, text);
		return;
	case ADAPTER_REFUSED:
		receipt_keep(j, step, r);
		job_end(j, WORK_PARKED, answer, text);
		return;
	}
}

/* False: wait, and look again. */
static bool
look_answer(struct worker *w, struct job *j, struct receipt *r)
{
	enum adapter_outcome outcome = (enum adapter_outcome)r->outcome;
	const char *answer = adapter_outcome_name(outcome), *text = r->text != NULL ? r->text : "";

	switch (outcome) {
	case ADAPTER_DONE:
	case ADAPTER_ALREADY:
	case ADAPTER_ABSENT:
		observed_clear(&j->seen);
		j->seen = r->seen;
		r->seen = (struct observed){ .state = ACCOUNT_ABSENT };
		return job_plan(w, j, r->sessions_left);
	case ADAPTER_RETRY:
	case ADAPTER_UNKNOWN:
		job_retry(j, answer, text, r->retry_after_ms);
		break;
	case ADAPTER_OWN_CREDENTIAL:
		job_end(j, WORK_RELEASED, answer, text);
		break;
	case ADAPTER_CONFLICT:
	case ADAPTER_REFUSED:
		job_end(j, WORK_PARKED, answer, text);
		break;
	}
	return true;
}

void
worker_answer(struct worker *w, struct receipt *r, const struct mu_err *err)
{
	struct receipt refused = { .outcome = ADAPTER_REFUSED };
	bool go = true;
	MU_AUTO(mu_freep) char *text = r == NULL ? mu_strdup(err->text) : NULL;

	if (!w->in_flight)
		return;
	w->in_flight = false;
	if (r == NULL) {	/* the step itself is not what an adapter takes */
		refused.text = text;
		r = &refused;
	}
	breaker_hear(w, (enum adapter_outcome)r->outcome, r->text != NULL ? r->text : "");
	if (w->sent == STEP_GET)
		go = look_answer(w, w->job, r);
	else if (w->sent != STEP_PROBE)
		step_answer(w->job, r);
	if (go)
		worker_run(w);
}

void
worker_away(struct worker *w)
{
	w->adapter = false;
	if (w->in_flight && w->sent == STEP_PROBE)
		breaker_failure(&w->breaker, mu_tick_ms());
	else if (w->in_flight && w->job->looks < WORKER_LOOKS_MAX)
		w->job->phase = JOB_LOOK;
	else if (w->in_flight)	/* perhaps it is this step that ends it */
		job_retry(w->job, adapter_outcome_name(ADAPTER_UNKNOWN),
		    "the adapter ended while it was asked", 0);
	w->in_flight = false;
	if (w->job != NULL && w->job->phase == JOB_END)
		worker_run(w);
}

void
worker_adapter(struct worker *w, uint32_t can, uint32_t steps)
{
	w->can = can;
	w->steps = steps;
	w->adapter = true;
	worker_run(w);
}

void
worker_hint(struct worker *w)
{
	w->hinted = true;
	worker_run(w);
}

struct worker *
worker_new(const char *platform, const struct worker_port *port, void *ctx)
{
	struct worker *w = mu_alloc_zero(1, sizeof(*w));

	w->platform = mu_strdup(platform);
	w->port = port;
	w->ctx = ctx;
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	job_free(w->job);
	job_free(w->held);
	mu_free(w->platform);
	mu_free(w);
}
