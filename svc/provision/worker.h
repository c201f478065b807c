/*
 * provision/worker.h - brings the accounts of one platform to where they are wanted
 *
 * One worker a platform, one step in flight, no I/O of its own: whoever owns it gives it a port to the
 * store, to keys and to the adapter, tells it what happened, and calls it back when it asked to be
 * woken. So it runs the same against a fake world, where every call may be the last before a crash.
 *
 * An account in hand: look at it, compare, take the steps, look again; when a look finds nothing to
 * do, it is settled. Who loses an account is blocked and thrown off before the first look. All that
 * must survive a crash is in the store before the platform hears of it: that a create was begun, what
 * may be given, and the sealed password.
 */
#ifndef PROVISION_WORKER_H
#define PROVISION_WORKER_H

#include "base/secret.h"
#include "model/step.h"
#include "store/queue.h"

#define WORKER_POLL_MS		1000	/* hints come sooner */
#define WORKER_STEP_MS		20000	/* what a platform is given for one step */
#define WORKER_LOOKS_MAX	4	/* in one attempt; then it waits */

struct worker;

/* What a platform answered to a step that asked for a change. */
struct work_receipt {
	enum step_kind kind;
	uint8_t outcome;		/* enum adapter_outcome */
	uint32_t sessions_ended, sessions_left;
	int64_t at_ms;			/* Unix time */
	char *text;			/* the right, or the platform's words */
};

/* What is remembered before steps are sent. */
struct work_begin {
	const struct store_work *work;
	bool create;				/* a create follows */
	const struct entitlements *giving;	/* all it may hold from now on; NULL: nothing new */
	const struct mu_uuid *credential_id;	/* a fresh sealed password, or NULL */
	const struct mu_secret *sealed;
};

enum work_outcome {
	WORK_SETTLED,		/* it is as wanted; seen says how */
	WORK_RETRY,		/* again at next_attempt_s */
	WORK_PARKED,		/* pointless to repeat */
	WORK_RELEASED,		/* not its fault: as if never taken, but for receipts */
};

/* How an attempt ended: written in one transaction. */
struct work_end {
	enum work_outcome outcome;
	const struct store_work *work;
	const struct observed *seen;
	bool owned;			/* the account there is ours, which the store does not know yet */
	bool create_undone;		/* the name was taken before ours came to be */
	bool credential_set;		/* the platform has the password: it may be collected */
	const struct work_receipt *receipts;
	size_t receipt_count;
	int64_t next_attempt_s;
	const char *answer;		/* adapter_outcome_name() of what ended it, and why: RETRY, PARKED */
	const char *text;
};

/*
 * The world as a worker sees it. Calls to store and keys may block shortly; they answer MU_ERETRY when
 * those are away and MU_ECONFLICT when the account has moved on or the lease was lost.
 */
struct worker_port {
	/* At most one account, revocations first; none is MU_OK with count 0. */
	enum mu_rc (*take)(void *ctx, struct store_works *out_works, struct mu_err *err);
	enum mu_rc (*begin)(void *ctx, const struct work_begin *b, struct mu_err *err);
	enum mu_rc (*end)(void *ctx, const struct work_end *e, struct mu_err *err);
	enum mu_rc (*seal_new)(void *ctx, const struct mu_uuid *account_id,
	    const struct mu_uuid *credential_id, struct mu_secret *out_sealed, struct mu_err *err);
	enum mu_rc (*unseal)(void *ctx, const struct store_work *w, struct mu_secret *out_password,
	    struct mu_err *err);
	void (*send)(void *ctx, const struct step *s);	/* worker_answer or worker_away follows, later */
	void (*wait)(void *ctx, int64_t delay_ms);	/* worker_run then; a later wait replaces it */
};

/* platform is copied; port and ctx are borrowed until worker_free. */
struct worker *worker_new(const char *platform, const struct worker_port *port, void *ctx);
void worker_free(struct worker *w);		/* NULL is fine; what is in hand is left to its lease */

/* The adapter is there: can and steps as in struct msg_about. */
void worker_adapter(struct worker *w, uint32_t can, uint32_t steps);
/* It is gone, and so is the answer to what was sent. */
void worker_away(struct worker *w);
/* Accounts may have become due. */
void worker_hint(struct worker *w);
/* The answer to the step sent; NULL with err: it was refused on the way. */
void worker_answer(struct worker *w, struct receipt *r, const struct mu_err *err);
/* The time it asked to wait for has passed. */
void worker_run(struct worker *w);

#endif
