#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/text.h"

#include <string.h>

size_t
policy_level_reached(const struct policy *p, const struct policy_subject *s, bool *out_by_directory)
{
	for (size_t i = p->level_count; i > 0; i--) {
		const struct policy_level *l = &p->levels[i - 1];

		*out_by_directory = l->when != NULL && filter_match(l->when, &s->facts) &&
		    (s->facts.authority == NULL ||
		    strings_has(&s->facts.authority->levels, l->name));
		if (*out_by_directory || mu_text_equal(l->name, s->identified))
			return i - 1;
	}
	*out_by_directory = false;
	return POLICY_LEVEL_NONE;
}

bool
policy_level_suffices(size_t have, size_t need)
{
	return need == POLICY_LEVEL_NONE || (have != POLICY_LEVEL_NONE && have >= need);
}

bool
policy_matches(const struct filter *f, const struct facts *facts)
{
	return f != NULL && filter_match(f, facts);
}

bool
policy_source_gives(const struct policy_role *r, const struct facts *facts)
{
	return facts->authority == NULL || strings_has(&facts->authority->roles, r->name);
}

const char *
policy_conflict_find(const struct policy *p, const struct policy_role *r, const struct strings *held)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct policy_role *other = policy_role_find(p, held->list[i]);

		if (other != NULL && other != r && (strings_has(&r->conflicts, other->name) ||
		    strings_has(&other->conflicts, r->name)))
			return other->name;
	}
	return NULL;
}

/* --- Wanted accounts ----------------------------------------------------------------------------- */

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

/* What they have of a room already, NULL: nothing. */
static const struct entitlement *
room_had(const struct policy_subject *s, const char *platform, const char *room)
{
	for (size_t i = 0; i < s->had_count; i++)
		if (strcmp(s->had[i].platform, platform) == 0)
			return entitlements_find(&s->had[i].entitlements, ENTITLEMENT_ROOM, room);
	return NULL;
}

/* Does the level stand above member, and above what they have in the room? */
static bool
is_power(const struct policy_subject *s, const struct policy_give *g, const char *room)
{
	const struct entitlement *had;

	if (room_level_rank(g->level) <= 0)
		return false;
	had = room_had(s, g->platform, room);
	return had == NULL || room_level_rank(had->level) < room_level_rank(g->level);
}

/* Names the platforms where the role gives power that they have not. */
static bool
power_find(const struct policy_subject *s, const struct policy_role *r, struct strings *platforms)
{
	bool found = false;

	for (size_t i = 0; i < r->give_count; i++)
		for (size_t k = 0; k < r->gives[i].rooms.count; k++)
			if (is_power(s, &r->gives[i], r->gives[i].rooms.list[k])) {
				strings_add(platforms, r->gives[i].platform);
				found = true;
			}
	return found;
}

/* Adds the room; what of its level is withheld (from whom: not NULL) stays as they have it. */
static void
room_add(const struct policy_give *g, const char *room, const struct policy_subject *withheld,
    struct policy_account *a)
{
	const struct entitlement *has = entitlements_find(&a->entitlements, ENTITLEMENT_ROOM, room);
	const char *level = g->level;

	if (withheld != NULL && is_power(withheld, g, room)) {
		const struct entitlement *had = room_had(withheld, g->platform, room);

		if (had == NULL)
			return;
		level = had->level;
	}
	if (has == NULL || room_level_rank(has->level) < room_level_rank(level))
		entitlements_add(&a->entitlements, ENTITLEMENT_ROOM, room, level);
}

static void
give_add(const struct policy_give *g, const char *role, bool works, const struct policy_subject *withheld,
    struct policy_decision *d)
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
	for (size_t i = 0; i < g->rooms.count; i++)
		room_add(g, g->rooms.list[i], withheld, a);
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

/* Power over rooms of an account that nobody gets into is none. */
static void
power_settle(struct policy_decision *d)
{
	struct strings power = d->power;

	d->power = (struct strings)STRINGS_INIT;
	for (size_t i = 0; i < d->account_count; i++)
		if (d->accounts[i].state == ACCOUNT_ENABLED &&
		    strings_has(&power, d->accounts[i].platform))
			strings_add(&d->power, d->accounts[i].platform);
	strings_clear(&power);
}

static void
role_add(const struct policy_role *r, bool works, const struct policy_subject *withheld,
    struct policy_decision *d)
{
	for (size_t i = 0; i < r->give_count; i++)
		give_add(&r->gives[i], r->name, works, withheld, d);
}

/* Is the role withheld as a whole? Of one that they have already only the power is. */
static bool
is_withheld(const struct policy_subject *s, const struct policy_role *r, struct policy_decision *d)
{
	bool has = s->has != NULL && strings_has(s->has, r->name);
	bool power = power_find(s, r, &d->power);

	switch (s->withhold) {
	case POLICY_GIVE_ALL:
		return false;
	case POLICY_NO_POWER:
		d->withheld = d->withheld || power;
		return power && !has;
	case POLICY_NOTHING_NEW:
		d->withheld = d->withheld || !has;
		return !has;
	}
	return false;
}

static void
birthrights_add(const struct policy *p, const struct policy_subject *s, size_t level,
    struct policy_decision *d)
{
	for (size_t i = 0; i < p->role_count; i++) {
		const struct policy_role *r = &p->roles[i];
		bool kept = s->kept != NULL && strings_has(s->kept, r->name);
		bool works = kept || policy_level_suffices(level, r->level);

		if (!kept && (!policy_matches(r->birthright, &s->facts) ||
		    !policy_source_gives(r, &s->facts)))
			continue;
		if (works && is_withheld(s, r, d))
			continue;
		strings_add(works ? &d->roles : &d->waiting, r->name);
		role_add(r, works, s->withhold == POLICY_NO_POWER ? s : NULL, d);
	}
}

/*
 * P5-11: a grant works for whom the policy lets ask for it still, and beside no role that excludes it:
 * birthrights come first, then grants by name.
 */
static void
grants_add(const struct policy *p, const struct policy_subject *s, size_t level, struct policy_decision *d)
{
	for (size_t i = 0; s->granted != NULL && i < s->granted->count; i++) {
		const struct policy_role *r = policy_role_find(p, s->granted->list[i]);

		if (r == NULL || !policy_matches(r->requestable, &s->facts) ||
		    !policy_source_gives(r, &s->facts) ||
		    !policy_level_suffices(level, r->level) || strings_has(&d->roles, r->name) ||
		    policy_conflict_find(p, r, &d->roles) != NULL ||
		    policy_conflict_find(p, r, &d->granted) != NULL)
			continue;
		strings_add(&d->granted, r->name);
		role_add(r, true, NULL, d);
	}
}

void
policy_decide(const struct policy *p, const struct policy_subject *subject,
    struct policy_decision *out_decision)
{
	struct policy_decision d = { .identified = "" };
	bool by_directory;
	size_t level = policy_level_reached(p, subject, &by_directory);
	const char *evidence = NULL;

	if (level != POLICY_LEVEL_NONE) {
		d.identified = p->levels[level].name;
		if (by_directory && p->levels[level].evidence[0] != '\0')
			evidence = attrs_first(subject->facts.attrs, p->levels[level].evidence);
	}
	d.evidence = mu_strdup(evidence == NULL ? "" : evidence);
	if (subject->state == PERSON_ACTIVE && !subject->blocked) {
		birthrights_add(p, subject, level, &d);
		grants_add(p, subject, level, &d);
		accounts_settle(&d);
		power_settle(&d);
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
	strings_clear(&d->granted);
	strings_clear(&d->power);
	*d = (struct policy_decision){ .identified = "" };
}

/* --- Requests -------------------------------------------------------------------------------------- */

static enum mu_rc
role_absent(const struct policy *p, const char *role, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf all = MU_BUF_INIT;

	for (size_t i = 0; i < p->role_count; i++)
		if (p->roles[i].requestable != NULL)
			mu_buf_format(&all, "%s%s", all.size_bytes == 0 ? "" : ", ", p->roles[i].name);
	return mu_fail(err, MU_EABSENT, "the policy has no role \"%.64s\": those that can be granted are %s",
	    role, all.size_bytes == 0 ? "none" : all.data);
}

/* What they hold, wait for, or have been granted: a grant beside it would not work, or not for long. */
static const char *
conflict_ahead(const struct policy *p, const struct policy_subject *s, const struct policy_role *r,
    const struct policy_decision *d)
{
	const char *with = policy_conflict_find(p, r, &d->roles);

	if (with == NULL)
		with = policy_conflict_find(p, r, &d->waiting);
	if (with == NULL && s->granted != NULL)
		with = policy_conflict_find(p, r, s->granted);
	return with;
}

bool
policy_is_requestable(const struct policy *p, const char *role, const struct facts *facts)
{
	const struct policy_role *r = policy_role_find(p, role);

	return r != NULL && policy_matches(r->requestable, facts) && policy_source_gives(r, facts);
}

bool
policy_is_granted_only(const struct policy *p, const char *role)
{
	const struct policy_role *r = policy_role_find(p, role);

	return r != NULL && r->requestable != NULL && r->birthright == NULL;
}

enum mu_rc
policy_request_check(const struct policy *p, const struct policy_subject *subject, const char *role,
    struct policy_request *out_request, struct mu_err *err)
{
	const struct policy_role *r = policy_role_find(p, role);
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	const char *with;

	if (r == NULL)
		return role_absent(p, role, err);
	if (r->requestable == NULL)
		return mu_fail(err, MU_EDENIED, "role %s is not requestable: it comes by birthright alone",
		    role);
	if (subject->blocked)
		return mu_fail(err, MU_EDENIED,
		    "they are blocked by an emergency revocation: reinstate them first");
	if (subject->state != PERSON_ACTIVE)
		return mu_fail(err, MU_EDENIED, "they are %s: only active people hold roles",
		    person_state_name(subject->state));
	policy_decide(p, subject, &d);
	if (strings_has(&d.roles, role) || strings_has(&d.waiting, role))
		return mu_fail(err, MU_EDENIED, "role %s is theirs by birthright", role);
	if (!policy_source_gives(r, &subject->facts))
		return mu_fail(err, MU_EDENIED, "role %s is not for them: their source %.31s may not "
		    "give it (its authority in the configuration)", role,
		    subject->facts.source == NULL ? "" : subject->facts.source);
	filter_format(r->requestable, &filter);
	if (!filter_match(r->requestable, &subject->facts))
		return mu_fail(err, MU_EDENIED, "role %s is not for them: %.300s does not hold", role,
		    filter.data);
	with = conflict_ahead(p, subject, r, &d);
	if (with != NULL)
		return mu_fail(err, MU_EDENIED, "role %s conflicts with %s, which is theirs: nobody holds both",
		    role, with);
	*out_request = (struct policy_request){ r->longest_s, r->approvals };
	return MU_OK;
}
