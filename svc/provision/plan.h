/*
 * provision/plan.h - wanted minus observed is steps: pure, the same in a dry run and in earnest
 *
 * Level, not edge: a plan comes from what the platform shows now, never from what was sent before,
 * so it may be made again after a crash at any point. Losses stand before gains; an account is
 * blocked and its sessions ended before anything else, and opened last.
 */
#ifndef PROVISION_PLAN_H
#define PROVISION_PLAN_H

#include "base/buf.h"
#include "model/account.h"
#include "model/step.h"

struct plan_facts {
	const struct account_want *want;
	const struct observed *seen;	/* looked at now, for every right that is wanted or was given */
	uint32_t sessions_left;		/* live sessions seen */
	bool ours;			/* we began to create it: what stands there is ours */
	bool credential;		/* the account has to get a password of ours */
	uint32_t can;			/* enum adapter_can */
	uint32_t steps;			/* a bit per step_kind that the platform takes */
};

enum plan_verdict {
	PLAN_SETTLED,	/* it is as wanted */
	PLAN_STEPS,
	PLAN_ORPHAN,	/* an account stands there that we never began: it is not touched */
	PLAN_UNABLE,	/* the platform has no such notion; the reason says which */
};

struct plan_step {
	enum step_kind kind;
	struct entitlement right;	/* JOIN, LEAVE; owned */
};

struct plan {
	struct plan_step *list;
	size_t count;
};

#define PLAN_INIT { NULL, 0 }

void plan_clear(struct plan *p);
bool plan_has(const struct plan *p, enum step_kind kind);

/* Fills out_plan when the verdict is PLAN_STEPS, out_reason (appended) when ORPHAN or UNABLE. */
enum plan_verdict plan_make(const struct plan_facts *f, struct plan *out_plan, struct mu_buf *out_reason);

/* The rights a look has to ask for: those wanted and those that were ever given. */
void plan_rights(const struct entitlements *want, const struct entitlements *held,
    struct entitlements *out_rights);

#endif
