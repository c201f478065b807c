#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/text.h"

#include <string.h>

/* What the lines below are about. */
struct view {
	const struct policy *policy;
	const struct policy_subject *subject;
	const struct policy_decision *decision;
	const struct policy_role *only;	/* NULL: all roles */
	struct mu_buf *out;
};

/* --- A role: does it work, and if not, why ---------------------------------------------------------- */

static bool
works(const struct view *v, const char *role)
{
	return strings_has(&v->decision->roles, role) || strings_has(&v->decision->granted, role);
}

static bool
is_granted(const struct view *v, const char *role)
{
	return v->subject->granted != NULL && strings_has(v->subject->granted, role);
}

/* NULL: nothing of what they are now keeps them from holding roles. */
static const char *
hindrance(const struct policy_subject *s)
{
	if (s->blocked)
		return "an emergency revocation stands until they are reinstated";
	switch (s->state) {
	case PERSON_STAGED:
		return "they have not started yet";
	case PERSON_ACTIVE:
		return NULL;
	case PERSON_SUSPENDED:
		return "they are suspended";
	case PERSON_LEAVER:
		return "they have left";
	case PERSON_ERASED:
		return "they have been erased";
	}
	return NULL;
}

/* Starts one more reason why not. */
static void
reason_start(struct view *v, bool *first)
{
	mu_buf_text_add(v->out, *first ? " " : "; ");
	*first = false;
}

static void
level_reason(struct view *v, const struct policy_role *r)
{
	const char *reached = v->decision->identified;

	mu_buf_format(v->out, "identification %s is needed and %s is reached",
	    v->policy->levels[r->level].name, reached[0] == '\0' ? "none" : reached);
}

/* By what the directory says, as far as its source may say it. */
static bool
is_birthright(const struct view *v, const struct policy_role *r)
{
	return policy_matches(r->birthright, &v->subject->facts) &&
	    policy_source_gives(r, &v->subject->facts);
}

static void
source_reason(struct view *v, const struct policy_role *r, bool *first)
{
	const char *source = v->subject->facts.source;

	if (policy_source_gives(r, &v->subject->facts))
		return;
	reason_start(v, first);
	mu_buf_format(v->out, "source %s may not give it", source == NULL ? "unknown" : source);
}

/* Neither birthright nor a grant makes it theirs. */
static void
unheld_reasons(struct view *v, const struct policy_role *r, bool *first)
{
	if (r->birthright != NULL && !policy_matches(r->birthright, &v->subject->facts)) {
		reason_start(v, first);
		filter_format(r->birthright, v->out);
		mu_buf_text_add(v->out, " does not hold");
	}
	if (r->requestable == NULL)
		return;
	reason_start(v, first);
	mu_buf_text_add(v->out, "not granted, and ");
	filter_format(r->requestable, v->out);
	mu_buf_text_add(v->out, policy_is_requestable(v->policy, r->name, &v->subject->facts) ?
	    " holds: it can be requested" : filter_match(r->requestable, &v->subject->facts) ?
	    " holds" : " does not hold: it cannot be requested");
}

static void
granted_reasons(struct view *v, const struct policy_role *r, bool *first)
{
	const char *with = policy_conflict_find(v->policy, r, &v->decision->roles);

	if (r->requestable == NULL) {
		reason_start(v, first);
		mu_buf_text_add(v->out, "the policy lets nobody request it any more");
	} else if (!filter_match(r->requestable, &v->subject->facts)) {
		reason_start(v, first);
		filter_format(r->requestable, v->out);
		mu_buf_text_add(v->out, " does not hold");
	}
	if (with == NULL)
		with = policy_conflict_find(v->policy, r, &v->decision->granted);
	if (with != NULL) {
		reason_start(v, first);
		mu_buf_format(v->out, "it conflicts with role %s, which they hold", with);
	}
}

/* "role sales: no, ..." with every reason, not just the first. */
static void
refusal_line(struct view *v, const struct policy_role *r)
{
	bool by_birth = is_birthright(v, r), by_directory, first = true;
	size_t level = policy_level_reached(v->policy, v->subject, &by_directory);
	const char *why = hindrance(v->subject);

	if (!by_birth && is_granted(v, r->name))
		mu_buf_format(v->out, "role %s: granted, but does not work:", r->name);
	else
		mu_buf_format(v->out, "role %s: no,", r->name);
	if (why != NULL) {
		reason_start(v, &first);
		mu_buf_text_add(v->out, why);
	}
	source_reason(v, r, &first);
	if (!by_birth && is_granted(v, r->name))
		granted_reasons(v, r, &first);
	else if (!by_birth)
		unheld_reasons(v, r, &first);
	if (!policy_level_suffices(level, r->level)) {
		reason_start(v, &first);
		level_reason(v, r);
	}
	mu_buf_char_add(v->out, '\n');
}

/* Held neither for what they are nor by a grant: the brake holds the loss. */
static bool
only_kept(const struct view *v, const struct policy_role *r)
{
	bool by_directory;
	size_t level = policy_level_reached(v->policy, v->subject, &by_directory);

	return strings_has(&v->decision->roles, r->name) &&
	    (!is_birthright(v, r) || !policy_level_suffices(level, r->level));
}

/* "role sales, birthright (department=Sales)" */
static void
through_add(struct view *v, const struct policy_role *r)
{
	mu_buf_format(v->out, "role %s, ", r->name);
	if (strings_has(&v->decision->granted, r->name)) {
		mu_buf_text_add(v->out, "granted");
	} else if (only_kept(v, r)) {
		mu_buf_text_add(v->out, v->subject->sourceless ?
		    "kept though their source is not configured any more" : "kept by the brake");
	} else {
		mu_buf_text_add(v->out, "birthright ");
		filter_format(r->birthright, v->out);
	}
}

static void
waiting_line(struct view *v, const struct policy_role *r)
{
	mu_buf_format(v->out, "role %s: waits, ", r->name);
	level_reason(v, r);
	mu_buf_char_add(v->out, '\n');
}

/* --- Rights: a line for each, with every role that gives it ----------------------------------------- */

/* e NULL: the account itself. A role that gives a room at a lower level does not give this right. */
static bool
gives(const struct policy_role *r, const char *platform, const struct entitlement *e)
{
	for (size_t i = 0; i < r->give_count; i++) {
		const struct policy_give *g = &r->gives[i];

		if (strcmp(g->platform, platform) != 0)
			continue;
		if (e == NULL && g->account)
			return true;
		if (e != NULL && e->kind == ENTITLEMENT_GROUP && strings_has(&g->groups, e->name))
			return true;
		if (e != NULL && e->kind == ENTITLEMENT_ROOM && strings_has(&g->rooms, e->name) &&
		    strcmp(g->level, e->level) == 0)
			return true;
	}
	return false;
}

static void
right_line(struct view *v, const char *platform, const struct entitlement *e)
{
	bool first = true;

	if (v->only != NULL && !gives(v->only, platform, e))
		return;
	if (e == NULL)
		mu_buf_format(v->out, "%s account: ", platform);
	else
		mu_buf_format(v->out, "%s %s %s%s%s: ", platform,
		    e->kind == ENTITLEMENT_GROUP ? "group" : e->kind == ENTITLEMENT_ROOM ? "room" : "level",
		    e->name, e->level[0] == '\0' ? "" : " ", e->level);
	for (size_t i = 0; i < v->policy->role_count; i++) {
		const struct policy_role *r = &v->policy->roles[i];

		if (!works(v, r->name) || !gives(r, platform, e))
			continue;
		if (!first)
			mu_buf_text_add(v->out, "; ");
		first = false;
		through_add(v, r);
	}
	mu_buf_char_add(v->out, '\n');
}

static void
account_lines(struct view *v, const struct policy_account *a)
{
	if (a->state != ACCOUNT_ENABLED) {
		mu_buf_format(v->out, "%s account: disabled, no role that opens it works yet\n", a->platform);
		return;
	}
	right_line(v, a->platform, NULL);
	for (size_t i = 0; i < a->entitlements.count; i++)
		right_line(v, a->platform, &a->entitlements.list[i]);
}

static bool
account_enabled(const struct policy_decision *d, const char *platform)
{
	for (size_t i = 0; i < d->account_count; i++)
		if (strcmp(d->accounts[i].platform, platform) == 0)
			return d->accounts[i].state == ACCOUNT_ENABLED;
	return false;
}

/* A role may work and yet give nothing, where no other opens the account that its rights are for. */
static void
withheld_lines(struct view *v, const struct policy_role *r)
{
	for (size_t i = 0; i < r->give_count; i++) {
		const char *platform = r->gives[i].platform;
		size_t k = 0;

		while (strcmp(r->gives[k].platform, platform) != 0)
			k++;
		if (k == i && !account_enabled(v->decision, platform))
			mu_buf_format(v->out, "%s: nothing of role %s, for no role opens an account there\n",
			    platform, r->name);
	}
}

/* --- All of it -------------------------------------------------------------------------------------- */

static void
person_lines(struct view *v)
{
	const char *why = hindrance(v->subject);
	size_t before = v->out->size_bytes;

	if (why != NULL) {
		mu_buf_format(v->out, "holds nothing: %s\n", why);
		return;
	}
	for (size_t i = 0; i < v->decision->account_count; i++)
		account_lines(v, &v->decision->accounts[i]);
	for (size_t i = 0; i < v->policy->role_count; i++) {
		const struct policy_role *r = &v->policy->roles[i];

		if (works(v, r->name))
			withheld_lines(v, r);
		else if (strings_has(&v->decision->waiting, r->name))
			waiting_line(v, r);
		else if (is_granted(v, r->name))
			refusal_line(v, r);
	}
	if (v->out->size_bytes == before)
		mu_buf_text_add(v->out,
		    "holds nothing: no role is theirs by birthright, and none is granted\n");
}

static void
yes_line(struct view *v, const struct policy_role *r)
{
	mu_buf_format(v->out, "role %s: yes, ", r->name);
	if (strings_has(&v->decision->granted, r->name)) {
		mu_buf_text_add(v->out, "granted, and ");
		filter_format(r->requestable, v->out);
		mu_buf_text_add(v->out, " holds\n");
	} else if (only_kept(v, r)) {
		mu_buf_text_add(v->out, v->subject->sourceless ?
		    "kept: their source is not configured any more\n" :
		    "kept by the brake: its loss waits for two people\n");
	} else {
		mu_buf_text_add(v->out, "birthright: ");
		filter_format(r->birthright, v->out);
		mu_buf_text_add(v->out, " holds\n");
	}
}

static void
role_lines(struct view *v)
{
	const struct policy_role *r = v->only;

	if (!works(v, r->name)) {
		if (strings_has(&v->decision->waiting, r->name))
			waiting_line(v, r);
		else
			refusal_line(v, r);
		return;
	}
	yes_line(v, r);
	for (size_t i = 0; i < v->decision->account_count; i++)
		if (v->decision->accounts[i].state == ACCOUNT_ENABLED)
			account_lines(v, &v->decision->accounts[i]);
	withheld_lines(v, r);
}

enum mu_rc
policy_explain(const struct policy *p, const struct policy_subject *subject, const char *role,
    struct mu_buf *out_lines, struct mu_err *err)
{
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	struct view v = { .policy = p, .subject = subject, .decision = &d, .out = out_lines };

	if (role != NULL && (v.only = policy_role_find(p, role)) == NULL)
		return mu_fail(err, MU_EABSENT, "the policy has no role \"%.64s\"", role);
	policy_decide(p, subject, &d);
	if (role == NULL)
		person_lines(&v);
	else
		role_lines(&v);
	return MU_OK;
}
