#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/text.h"

#include <string.h>

/* --- Gates --------------------------------------------------------------------------------------- */

#define UNNAMED_APPROVALS 2	/* of an action that no row names */

static void
needs_raise(struct policy_needs *n, bool code, int64_t approvals)
{
	n->code = n->code || code;
	if (n->approvals < approvals)
		n->approvals = approvals;
}

struct policy_needs
policy_gate(const struct policy *p, enum action_kind kind, int64_t target_count)
{
	struct action_floor floor = action_floor(kind);
	struct policy_needs needs = { floor.code, floor.approvals };
	bool named = false;

	for (size_t i = 0; i < p->gate_count; i++) {
		const struct policy_gate *g = &p->gates[i];
		bool names = strings_has(&g->actions, action_kind_name(kind));

		if ((!names && !strings_has(&g->actions, POLICY_ANY_ACTION)) ||
		    target_count <= g->targets_over)
			continue;
		named = named || names;
		needs_raise(&needs, g->code, g->approvals);
	}
	if (!named)
		needs_raise(&needs, true, UNNAMED_APPROVALS);
	return needs;
}

/* --- Administrators ---------------------------------------------------------------------------------- */

static const struct policy_admin *
admin_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->admin_count; i++)
		if (strcmp(p->admins[i].name, name) == 0)
			return &p->admins[i];
	return NULL;
}

bool
policy_admin_exists(const struct policy *p, const char *admin_role)
{
	return admin_find(p, admin_role) != NULL;
}

bool
policy_admin_may(const struct policy *p, const char *admin_role, const char *permission)
{
	const struct policy_admin *a = admin_find(p, admin_role);

	return a != NULL && strings_has(&a->may, permission);
}

bool
policy_admin_reaches(const struct policy *p, const char *admin_role, const struct facts *facts)
{
	const struct policy_admin *a = admin_find(p, admin_role);

	return a != NULL && (a->scope == NULL || filter_match(a->scope, facts));
}

bool
policy_admin_is_scoped(const struct policy *p, const char *admin_role)
{
	const struct policy_admin *a = admin_find(p, admin_role);

	return a != NULL && a->scope != NULL;
}

const char *
policy_admin_conflict(const struct policy *p, const char *admin_role, const struct strings *held)
{
	const struct policy_admin *a = admin_find(p, admin_role);

	for (size_t i = 0; a != NULL && i < a->conflicts.count; i++)
		if (strings_has(held, a->conflicts.list[i]))
			return a->conflicts.list[i];
	return NULL;
}

const char *
policy_admin_conflict_of(const struct policy *p, const char *admin_role,
    const struct policy_subject *subject)
{
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	const char *with;

	policy_decide(p, subject, &d);
	with = policy_admin_conflict(p, admin_role, &d.roles);
	if (with == NULL)
		with = policy_admin_conflict(p, admin_role, &d.waiting);
	if (with == NULL && subject->granted != NULL)
		with = policy_admin_conflict(p, admin_role, subject->granted);
	return with;
}

bool
policy_admin_covers(const struct policy *p, const struct strings *by, const char *admin_role,
    struct mu_buf *out_missing)
{
	const struct policy_admin *a = admin_find(p, admin_role);
	bool covers = true;

	for (size_t i = 0; a != NULL && i < a->may.count; i++) {
		size_t k = 0;

		while (k < by->count && !policy_admin_may(p, by->list[k], a->may.list[i]))
			k++;
		if (k < by->count)
			continue;
		mu_buf_format(out_missing, "%s%s", covers ? "" : ", ", a->may.list[i]);
		covers = false;
	}
	return covers;
}

void
policy_admin_names(const struct policy *p, struct mu_buf *b)
{
	for (size_t i = 0; i < p->admin_count; i++)
		mu_buf_format(b, "%s%s", i == 0 ? "" : ", ", p->admins[i].name);
}
