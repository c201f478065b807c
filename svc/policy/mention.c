#include "policy/policy.h"
#include "policy/policy_priv.h"

/* Every filter that policy_decide goes by. */
static void
filters_each(const struct policy *p, void (*fn)(void *ctx, const struct filter *f), void *ctx)
{
	for (size_t i = 0; i < p->role_count; i++) {
		fn(ctx, p->roles[i].birthright);
		fn(ctx, p->roles[i].requestable);
	}
	for (size_t i = 0; i < p->level_count; i++)
		fn(ctx, p->levels[i].when);
}

struct attrs_told {
	policy_mention_fn *fn;
	void *ctx;
};

static void
attrs_tell(void *ctx, const struct filter *f)
{
	const struct attrs_told *t = ctx;

	if (f != NULL)
		filter_each_attr(f, t->fn, t->ctx);
}

void
policy_each_attr(const struct policy *p, policy_mention_fn *fn, void *ctx)
{
	struct attrs_told t = { fn, ctx };

	filters_each(p, attrs_tell, &t);
}

struct group_asked {
	const char *name;
	bool found;
};

static void
group_ask(void *ctx, const struct filter *f)
{
	struct group_asked *g = ctx;

	g->found = g->found || (f != NULL && filter_asks_group(f, g->name));
}

bool
policy_asks_group(const struct policy *p, const char *group)
{
	struct group_asked g = { group, false };

	filters_each(p, group_ask, &g);
	group_ask(&g, p->left);
	group_ask(&g, p->suspended);
	return g.found;
}
