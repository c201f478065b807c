#include "policy/policy_priv.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define WITHIN_MIN_S	60
#define HOUR_S		3600

/*
 * P5-10: the brake is there even where no file speaks of it, and under whatever a file says. A plain
 * tenth within the day would let nobody leave an organisation of nine, so few pass in any case.
 */
static const struct policy_brake built_in[] = {
	{ BRAKE_SOURCE, BRAKE_REMOVAL, 5, 200, HOUR_S },
	{ BRAKE_SOURCE, BRAKE_REMOVAL, 5, 1000, MU_DAY_S },
};

static bool
is_same(const struct policy_brake *a, const struct policy_brake *b)
{
	return a->scope == b->scope && a->kind == b->kind && a->at_least == b->at_least &&
	    a->per_10000 == b->per_10000 && a->within_s == b->within_s;
}

/* A row that says again what another says counts once. */
static void
brake_add(struct policy *p, const struct policy_brake *row)
{
	for (size_t i = 0; i < p->brake_count; i++)
		if (is_same(&p->brakes[i], row))
			return;
	p->brakes = mu_alloc_again(p->brakes, p->brake_count + 1, sizeof(*p->brakes));
	p->brakes[p->brake_count++] = *row;
}

void
policy_brakes_build(struct policy *p)
{
	for (size_t i = 0; i < MU_COUNT(built_in); i++)
		brake_add(p, &built_in[i]);
}

/* --- brake.yaml ---------------------------------------------------------------------------------- */

/* What the readers below share. */
struct brake_reading {
	struct policy *policy;
	struct config_faults *faults;
	policy_filter_fn *filter_read;
	void *ctx;
};

/*
 * Whatever such a row would hold, the built-in one of a window at least as long holds before: who writes
 * it wants to loosen the brake, and is to learn that it cannot be.
 */
static void
floor_check(struct brake_reading *r, const struct config_node *n, const struct policy_brake *row)
{
	for (size_t i = 0; i < MU_COUNT(built_in); i++) {
		const struct policy_brake *floor = &built_in[i];

		if (row->scope != floor->scope || row->kind != floor->kind || is_same(row, floor) ||
		    row->within_s > floor->within_s || row->at_least < floor->at_least ||
		    row->per_10000 < floor->per_10000)
			continue;
		config_fault(r->faults, n, "weakens the brake: {at_least: %lld, share: %lld%%, within: %lldh} is "
		    "built in for every source, and a row only tightens it", (long long)floor->at_least,
		    (long long)floor->per_10000 / 100, (long long)floor->within_s / HOUR_S);
		return;
	}
}

static void
share_read(struct brake_reading *r, const struct config_node *n, enum brake_scope scope, enum brake_kind kind)
{
	static const struct config_field fields[] = {
		{ "at_least", true }, { "share", true }, { "within", true }, { NULL, false },
	};
	struct policy_brake row = { .scope = scope, .kind = kind };
	bool whole;

	if (n == NULL || !policy_map_read(r->faults, n, fields))
		return;
	whole = config_read_int(r->faults, config_map_find(n, "at_least"), 0, 1000000, "people", &row.at_least);
	whole = config_read_percent(r->faults, config_map_find(n, "share"), &row.per_10000) && whole;
	whole = config_read_duration(r->faults, config_map_find(n, "within"), WITHIN_MIN_S,
	    POLICY_BRAKE_WITHIN_MAX_S, &row.within_s) && whole;
	if (!whole)
		return;
	floor_check(r, n, &row);
	brake_add(r->policy, &row);
}

static void
power_read(struct brake_reading *r, const struct config_node *n, enum brake_scope scope)
{
	static const struct config_field fields[] = {
		{ "platform_admins", true }, { "within", true }, { NULL, false },
	};
	struct policy_brake row = { .scope = scope, .kind = BRAKE_POWER };

	if (n == NULL || !policy_map_read(r->faults, n, fields))
		return;
	(void)config_read_int(r->faults, config_map_find(n, "platform_admins"), 0, 1000000, "people",
	    &row.at_least);
	if (config_read_duration(r->faults, config_map_find(n, "within"), WITHIN_MIN_S, POLICY_BRAKE_WITHIN_MAX_S,
	    &row.within_s))
		brake_add(r->policy, &row);
}

static void
confirmed_read(struct brake_reading *r, const struct config_node *n, enum brake_scope scope)
{
	if (n == NULL)
		return;
	if (scope != BRAKE_SOURCE)
		config_fault(r->faults, n, "a source confirms who leaves: write it where it says per: source");
	else if (r->policy->confirmed != NULL)
		config_fault(r->faults, n, "\"confirmed\" stands here a second time: (|(A)(B)) is both");
	else
		(void)r->filter_read(r->ctx, n, &r->policy->confirmed);
}

void
policy_brakes_read(struct policy *p, struct config_faults *f, const struct config_node *n,
    policy_filter_fn *filter_read, void *ctx)
{
	static const struct config_field fields[] = {
		{ "per", true }, { "removals", false }, { "power_gained", false }, { "joins", false },
		{ "confirmed", false }, { NULL, false },
	};
	static const struct config_name pers[] = {
		{ "source", BRAKE_SOURCE }, { "platform", BRAKE_PLATFORM }, { "global", BRAKE_GLOBAL },
		{ NULL, 0 },
	};
	struct brake_reading reading = { p, f, filter_read, ctx }, *r = &reading;

	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		int per = BRAKE_SOURCE;

		if (!policy_map_read(r->faults, at, fields))
			continue;
		if (config_map_count(at) == 1 && config_map_find(at, "per") != NULL)
			config_fault(r->faults, at, "this row brakes nothing: give it removals, power_gained or "
			    "joins");
		(void)config_read_name(r->faults, config_map_find(at, "per"), pers, &per);
		share_read(r, config_map_find(at, "removals"), (enum brake_scope)per, BRAKE_REMOVAL);
		share_read(r, config_map_find(at, "joins"), (enum brake_scope)per, BRAKE_JOIN);
		power_read(r, config_map_find(at, "power_gained"), (enum brake_scope)per);
		confirmed_read(r, config_map_find(at, "confirmed"), (enum brake_scope)per);
	}
}

/* --- What passes ----------------------------------------------------------------------------------- */

const struct policy_brake *
policy_brakes(const struct policy *p, size_t *out_count)
{
	*out_count = p->brake_count;
	return p->brakes;
}

int64_t
policy_brake_limit(const struct policy_brake *row, int64_t people_count)
{
	int64_t share = people_count * row->per_10000 / 10000;

	return share > row->at_least ? share : row->at_least;
}

int64_t
policy_removals_limit(const struct policy *p, int64_t people_count)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < p->brake_count; i++) {
		const struct policy_brake *row = &p->brakes[i];
		int64_t limit = policy_brake_limit(row, people_count);

		if (row->scope == BRAKE_SOURCE && row->kind == BRAKE_REMOVAL && limit < least)
			least = limit;
	}
	return least;
}

bool
policy_is_confirmed(const struct policy *p, const struct facts *facts)
{
	return policy_matches(p->confirmed, facts);
}
