#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/clock.h"

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

void
policy_grant_explain(const struct policy *p, const struct grant *g, int64_t now_s,
    struct mu_buf *out_lines)
{
	int64_t due_s = policy_review_due(p, g);
	struct policy_review review;

	mu_buf_format(out_lines, "grant %s: ", g->role);
	if (g->starts_at_s > now_s) {
		mu_buf_text_add(out_lines, "from ");
		mu_time_format(out_lines, g->starts_at_s);
		mu_buf_char_add(out_lines, ' ');
	}
	if (due_s != 0 && due_s <= now_s && due_s < g->ends_at_s) {
		mu_buf_text_add(out_lines, "lapsed at ");
		mu_time_format(out_lines, due_s);
		mu_buf_text_add(out_lines, ", nobody confirmed it\n");
		return;
	}
	mu_buf_text_add(out_lines, "until ");
	mu_time_format(out_lines, g->ends_at_s);
	if (due_s != 0 && due_s < g->ends_at_s && policy_review_find(p, g->role, &review)) {
		mu_buf_text_add(out_lines, ", to be confirmed by ");
		mu_time_format(out_lines, due_s);
		for (size_t i = 0; i < review.by->count; i++)
			mu_buf_format(out_lines, "%s%s", i == 0 ? " (by " : ", ",
			    review.by->list[i]);
		mu_buf_char_add(out_lines, ')');
	}
	mu_buf_char_add(out_lines, '\n');
}
