#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

static void
role_clear(struct policy_role *r)
{
	for (size_t i = 0; i < r->give_count; i++) {
		mu_free(r->gives[i].platform);
		strings_clear(&r->gives[i].groups);
		strings_clear(&r->gives[i].rooms);
		mu_free(r->gives[i].level);
	}
	mu_free(r->gives);
	mu_free(r->name);
	filter_free(r->birthright);
	filter_free(r->requestable);
	strings_clear(&r->conflicts);
	strings_clear(&r->review_by);
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->role_count; i++)
		role_clear(&p->roles[i]);
	for (size_t i = 0; i < p->level_count; i++) {
		mu_free(p->levels[i].name);
		filter_free(p->levels[i].when);
		mu_free(p->levels[i].evidence);
	}
	for (size_t i = 0; i < p->gate_count; i++)
		strings_clear(&p->gates[i].actions);
	for (size_t i = 0; i < p->admin_count; i++) {
		mu_free(p->admins[i].name);
		strings_clear(&p->admins[i].may);
		strings_clear(&p->admins[i].conflicts);
		filter_free(p->admins[i].scope);
	}
	mu_free(p->roles);
	mu_free(p->levels);
	mu_free(p->gates);
	mu_free(p->admins);
	filter_free(p->left);
	mu_free(p->brakes);
	filter_free(p->confirmed);
	filter_free(p->suspended);
	mu_free(p->starts);
	mu_free(p->ends);
	mu_free(p->returns);
	mu_free(p);
}

const struct policy_role *
policy_role_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->role_count; i++)
		if (mu_text_equal(p->roles[i].name, name))
			return &p->roles[i];
	return NULL;
}

size_t
policy_level_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->level_count; i++)
		if (strcmp(p->levels[i].name, name) == 0)
			return i;
	return POLICY_LEVEL_NONE;
}

bool
policy_role_exists(const struct policy *p, const char *role)
{
	return policy_role_find(p, role) != NULL;
}

bool
policy_level_exists(const struct policy *p, const char *level)
{
	return policy_level_find(p, level) != POLICY_LEVEL_NONE;
}

/* --- States ------------------------------------------------------------------------------------ */

static enum mu_rc
date_read(const struct attrs *attrs, const char *name, int64_t *out_at_s, struct mu_err *err)
{
	const char *value = name[0] == '\0' ? NULL : attrs_first(attrs, name);

	*out_at_s = 0;
	if (value != NULL && !mu_generalized_time_parse(value, out_at_s))
		return mu_fail(err, MU_EINPUT,
		    "%s is \"%.40s\": need a GeneralizedTime with its zone, as 20270101080000Z", name, value);
	if (value != NULL && *out_at_s == 0)
		*out_at_s = 1;		/* 1970-01-01T00:00:00Z is a date; 0 is none */
	return MU_OK;
}

enum mu_rc
policy_opine(const struct policy *p, const struct facts *facts, struct policy_opinion *out_opinion,
    struct mu_err *err)
{
	struct policy_opinion o = { .left = policy_matches(p->left, facts),
		.suspended = policy_matches(p->suspended, facts), .grace_s = p->grace_s };

	*out_opinion = o;
	if (date_read(facts->attrs, p->starts, &o.starts_at_s, err) != MU_OK ||
	    date_read(facts->attrs, p->ends, &o.ends_at_s, err) != MU_OK ||
	    date_read(facts->attrs, p->returns, &o.returns_at_s, err) != MU_OK)
		return err->rc;
	*out_opinion = o;
	return MU_OK;
}
