#include "provision/plan.h"

#include <string.h>

#include "adapters/adapter.h"

void
plan_clear(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		mu_free(p->list[i].right.name);
		mu_free(p->list[i].right.level);
	}
	mu_free(p->list);
	*p = (struct plan)PLAN_INIT;
}

bool
plan_has(const struct plan *p, enum step_kind kind)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->list[i].kind == kind)
			return true;
	return false;
}

static void
plan_add(struct plan *p, enum step_kind kind, const struct entitlement *right)
{
	struct plan_step step = { .kind = kind };

	if (right != NULL)
		step.right = (struct entitlement){ right->kind, mu_strdup(right->name),
		    mu_strdup(right->level) };
	p->list = mu_alloc_again(p->list, p->count + 1, sizeof(*p->list));
	p->list[p->count++] = step;
}

static bool
takes(const struct plan_facts *f, enum step_kind kind)
{
	return (f->steps >> kind & 1) != 0;
}

/* What can be reached of the state wanted: without a disable, no account is as good as a closed one. */
static enum account_state
state_wanted(const struct plan_facts *f)
{
	if (f->want->state == ACCOUNT_DISABLED && !takes(f, STEP_DISABLE))
		return ACCOUNT_ABSENT;
	return f->want->state;
}

static bool
right_possible(const struct plan_facts *f, enum entitlement_kind kind)
{
	switch (kind) {
	case ENTITLEMENT_GROUP:
		return (f->can & ADAPTER_CAN_GROUPS) != 0;
	case ENTITLEMENT_ROOM:
		return (f->can & ADAPTER_CAN_ROOMS) != 0;
	case ENTITLEMENT_LEVEL:
		return true;
	}
	return false;
}

static bool
possible(const struct plan_facts *f, enum account_state state, struct mu_buf *out_reason)
{
	const struct entitlements *want = &f->want->entitlements;

	if (state == ACCOUNT_ABSENT) {
		if (f->seen->state == ACCOUNT_ABSENT || takes(f, STEP_REMOVE))
			return true;
		mu_buf_text_add(out_reason, "the platform can neither close nor remove an account");
		return false;
	}
	if (f->seen->state == ACCOUNT_ABSENT && !takes(f, STEP_CREATE)) {
		mu_buf_text_add(out_reason, "the platform has no accounts to create");
		return false;
	}
	for (size_t i = 0; i < want->count; i++) {
		if (takes(f, STEP_JOIN) && right_possible(f, want->list[i].kind))
			continue;
		mu_buf_format(out_reason, "the platform knows nothing like \"%s\"", want->list[i].name);
		return false;
	}
	return true;
}

static const struct entitlement *
wanted(const struct plan_facts *f, enum account_state state, const struct entitlement *right)
{
	if (state == ACCOUNT_ABSENT)
		return NULL;
	return entitlements_find(&f->want->entitlements, right->kind, right->name);
}

static void
plan_losses(const struct plan_facts *f, enum account_state state, struct plan *p)
{
	const struct entitlements *seen = &f->seen->rights;
	bool open = f->seen->state == ACCOUNT_ENABLED;

	if (state != ACCOUNT_ENABLED && open && takes(f, STEP_DISABLE))
		plan_add(p, STEP_DISABLE, NULL);
	if (state != ACCOUNT_ENABLED && (open || f->sessions_left > 0) && takes(f, STEP_KILL))
		plan_add(p, STEP_KILL, NULL);
	for (size_t i = 0; i < seen->count; i++)
		if (wanted(f, state, &seen->list[i]) == NULL && takes(f, STEP_LEAVE))
			plan_add(p, STEP_LEAVE, &seen->list[i]);
	for (size_t i = 0; i < seen->count; i++) {	/* another level may be a lower one */
		const struct entitlement *want = wanted(f, state, &seen->list[i]);

		if (want != NULL && strcmp(want->level, seen->list[i].level) != 0)
			plan_add(p, STEP_JOIN, want);
	}
	if (state == ACCOUNT_ABSENT && f->seen->state != ACCOUNT_ABSENT)
		plan_add(p, STEP_REMOVE, NULL);
}

static void
plan_gains(const struct plan_facts *f, enum account_state state, struct plan *p)
{
	const struct entitlements *want = &f->want->entitlements;
	bool absent = f->seen->state == ACCOUNT_ABSENT;
	bool closed = absent ? takes(f, STEP_DISABLE) : f->seen->state == ACCOUNT_DISABLED;

	if (absent)
		plan_add(p, STEP_CREATE, NULL);
	if (f->credential && takes(f, STEP_SET_CREDENTIAL)) {
		plan_add(p, STEP_SET_CREDENTIAL, NULL);
		/* whoever is in came in by the password that has ended */
		if (f->seen->state == ACCOUNT_ENABLED && takes(f, STEP_KILL))
			plan_add(p, STEP_KILL, NULL);
	}
	for (size_t i = 0; i < want->count; i++)
		if (entitlements_find(&f->seen->rights, want->list[i].kind, want->list[i].name) == NULL)
			plan_add(p, STEP_JOIN, &want->list[i]);
	if (state == ACCOUNT_ENABLED && closed && takes(f, STEP_ENABLE))
		plan_add(p, STEP_ENABLE, NULL);
}

enum plan_verdict
plan_make(const struct plan_facts *f, struct plan *out_plan, struct mu_buf *out_reason)
{
	enum account_state state = state_wanted(f);

	if (f->seen->state != ACCOUNT_ABSENT && !f->ours) {
		if (state == ACCOUNT_ABSENT)
			return PLAN_SETTLED;	/* nothing of ours is there */
		mu_buf_text_add(out_reason,
		    "an account of this name was there before: an orphan until it is adopted");
		return PLAN_ORPHAN;
	}
	if (!possible(f, state, out_reason))
		return PLAN_UNABLE;
	plan_losses(f, state, out_plan);
	if (state != ACCOUNT_ABSENT)
		plan_gains(f, state, out_plan);
	return out_plan->count > 0 ? PLAN_STEPS : PLAN_SETTLED;
}

void
plan_rights(const struct entitlements *want, const struct entitlements *held,
    struct entitlements *out_rights)
{
	const struct entitlements *from[] = { held, want };

	for (size_t i = 0; i < MU_COUNT(from); i++)
		for (size_t j = 0; j < from[i]->count; j++)
			entitlements_add(out_rights, from[i]->list[j].kind, from[i]->list[j].name,
			    from[i]->list[j].level);
}
