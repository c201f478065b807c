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
	mu_free(p->roles);
	mu_free(p->levels);
	mu_free(p->gates);
	filter_free(p->suspended);
	mu_free(p->starts);
	mu_free(p->ends);
	mu_free(p);
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
	struct policy_opinion o = { .suspended = false };

	if (date_read(facts->attrs, p->starts, &o.starts_at_s, err) != MU_OK ||
	    date_read(facts->attrs, p->ends, &o.ends_at_s, err) != MU_OK)
		return err->rc;
	o.suspended = p->suspended != NULL && filter_match(p->suspended, facts);
	*out_opinion = o;
	return MU_OK;
}

/* --- Wanted accounts ----------------------------------------------------------------------------- */

/* The best level that the directory or a recorded action vouches for. */
static size_t
level_reached(const struct policy *p, const struct policy_subject *s, bool *out_by_directory)
{
	for (size_t i = p->level_count; i > 0; i--) {
		const struct policy_level *l = &p->levels[i - 1];

		*out_by_directory = l->when != NULL && filter_match(l->when, &s->facts);
		if (*out_by_directory || mu_text_equal(l->name, s->identified))
			return i - 1;
	}
	*out_by_directory = false;
	return POLICY_LEVEL_NONE;
}

static bool
level_suffices(size_t have, size_t need)
{
	return need == POLICY_LEVEL_NONE || (have != POLICY_LEVEL_NONE && have >= need);
}

static struct policy_account *
account_for(struct policy_decision *d, const char *platform)
{
	size_t at = 0;

	while (at < d->account_count && strcmp(d->accounts[at].platform, platform) < 0)
		at++;
	if (at < d->account_count && strcmp(d->accounts[at].platform, platform) == 0)
		return &d->accounts[at];
	d->accounts = mu_alloc_again(d->accounts, d->account_count + 1, sizeof(*d->accounts));
	(void)memmove(&d->accounts[at + 1], &d->accounts[at],
	    (d->account_count - at) * sizeof(*d->accounts));
	d->account_count++;
	d->accounts[at] = (struct policy_account){
		.platform = mu_strdup(platform), .state = ACCOUNT_ABSENT,
	};
	return &d->accounts[at];
}

/* Levels in a room, weakest first; what stands higher wins where two roles give the same room. */
static int
room_level_rank(const char *level)
{
	static const char *const ranks[] = { "member", "moderator", "admin", "owner" };

	for (size_t i = 0; i < MU_COUNT(ranks); i++)
		if (strcmp(ranks[i], level) == 0)
			return (int)i;
	return -1;
}

static void
give_add(const struct policy_give *g, const char *role, bool works, struct policy_decision *d)
{
	struct policy_account *a = account_for(d, g->platform);

	if (g->account && a->state == ACCOUNT_ABSENT)
		a->state = ACCOUNT_DISABLED;
	if (!works)
		return;
	if (g->account)
		a->state = ACCOUNT_ENABLED;
	strings_add(&a->roles, role);
	for (size_t i = 0; i < g->groups.count; i++)
		entitlements_add(&a->entitlements, ENTITLEMENT_GROUP, g->groups.list[i], "");
	for (size_t i = 0; i < g->rooms.count; i++) {
		const struct entitlement *held = entitlements_find(&a->entitlements, ENTITLEMENT_ROOM,
		    g->rooms.list[i]);

		if (held == NULL || room_level_rank(held->level) < room_level_rank(g->level))
			entitlements_add(&a->entitlements, ENTITLEMENT_ROOM, g->rooms.list[i], g->level);
	}
}

/* Roles give rights on a platform, but only a role with "account" opens it: no account, no rights. */
static void
accounts_settle(struct policy_decision *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->account_count; i++) {
		struct policy_account *a = &d->accounts[i];

		if (a->state != ACCOUNT_ENABLED) {
			strings_clear(&a->roles);
			entitlements_clear(&a->entitlements);
		}
		if (a->state == ACCOUNT_ABSENT)
			mu_free(a->platform);
		else
			d->accounts[kept++] = *a;
	}
	d->account_count = kept;
}

void
policy_decide(const struct policy *p, const struct policy_subject *subject,
    struct policy_decision *out_decision)
{
	struct policy_decision d = { .identified = "" };
	bool by_directory;
	size_t level = level_reached(p, subject, &by_directory);
	const char *evidence = NULL;

	if (level != POLICY_LEVEL_NONE) {
		d.identified = p->levels[level].name;
		if (by_directory && p->levels[level].evidence[0] != '\0')
			evidence = attrs_first(subject->facts.attrs, p->levels[level].evidence);
	}
	d.evidence = mu_strdup(evidence == NULL ? "" : evidence);
	if (subject->state == PERSON_ACTIVE && !subject->blocked) {
		for (size_t i = 0; i < p->role_count; i++) {
			const struct policy_role *r = &p->roles[i];
			bool works = level_suffices(level, r->level);

			if (r->birthright == NULL || !filter_match(r->birthright, &subject->facts))
				continue;
			strings_add(works ? &d.roles : &d.waiting, r->name);
			for (size_t g = 0; g < r->give_count; g++)
				give_add(&r->gives[g], r->name, works, &d);
		}
		accounts_settle(&d);
	}
	*out_decision = d;
}

void
policy_decision_clear(struct policy_decision *d)
{
	for (size_t i = 0; i < d->account_count; i++) {
		mu_free(d->accounts[i].platform);
		strings_clear(&d->accounts[i].roles);
		entitlements_clear(&d->accounts[i].entitlements);
	}
	mu_free(d->accounts);
	mu_free(d->evidence);
	strings_clear(&d->roles);
	strings_clear(&d->waiting);
	*d = (struct policy_decision){ .identified = "" };
}

/* --- Brake --------------------------------------------------------------------------------------- */

int64_t
policy_removals_limit(const struct policy *p, int64_t people_count)
{
	int64_t share = people_count * p->brake.removals_per_10000 / 10000;

	return share > p->brake.removals_at_least ? share : p->brake.removals_at_least;
}

int64_t
policy_removals_within_s(const struct policy *p)
{
	return p->brake.removals_within_s;
}
