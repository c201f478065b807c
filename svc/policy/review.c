#include "policy/policy.h"
#include "policy/policy_priv.h"

static bool
review_of(const struct policy_role *r, struct policy_review *out)
{
	if (r == NULL || r->review_every_s == 0)
		return false;
	*out = (struct policy_review){ r->review_every_s, &r->review_by };
	return true;
}

bool
policy_review_find(const struct policy *p, const char *role, struct policy_review *out_review)
{
	return review_of(policy_role_find(p, role), out_review);
}

const char *
policy_review_at(const struct policy *p, size_t index, struct policy_review *out_review)
{
	for (size_t i = 0; i < p->role_count; i++)
		if (review_of(&p->roles[i], out_review) && index-- == 0)
			return p->roles[i].name;
	return NULL;
}

int64_t
policy_review_due(const struct policy *p, const struct grant *g)
{
	struct policy_review review;

	if (!policy_review_find(p, g->role, &review))
		return 0;
	return (g->reviewed_at_s == 0 ? g->starts_at_s : g->reviewed_at_s) + review.every_s;
}

bool
policy_grant_runs(const struct policy *p, const struct grant *g, int64_t now_s)
{
	int64_t due_s = policy_review_due(p, g);

	return g->starts_at_s <= now_s && g->ends_at_s > now_s && (due_s == 0 || due_s > now_s);
}
