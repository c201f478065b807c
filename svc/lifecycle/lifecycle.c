#include "lifecycle/lifecycle.h"

#include "base/attr.h"
#include "base/clock.h"

#define GRACE_S (30 * (int64_t)MU_DAY_S)	/* a leaver is kept, disabled, before erasure */

static const struct row {
	enum person_state from;
	enum lifecycle_event on;
	enum person_state to;
	int64_t deadline_s;		/* after entering to; 0: the facts' own times alone */
} rows[] = {
	{ PERSON_STAGED,	LIFECYCLE_WAITS,	PERSON_STAGED,		0 },
	{ PERSON_STAGED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		0 },
	{ PERSON_STAGED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	0 },
	{ PERSON_STAGED,	LIFECYCLE_GONE,		PERSON_LEAVER,		GRACE_S },
	{ PERSON_ACTIVE,	LIFECYCLE_WAITS,	PERSON_STAGED,		0 },
	{ PERSON_ACTIVE,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		0 },
	{ PERSON_ACTIVE,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	0 },
	{ PERSON_ACTIVE,	LIFECYCLE_GONE,		PERSON_LEAVER,		GRACE_S },
	{ PERSON_SUSPENDED,	LIFECYCLE_WAITS,	PERSON_STAGED,		0 },
	{ PERSON_SUSPENDED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		0 },
	{ PERSON_SUSPENDED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	0 },
	{ PERSON_SUSPENDED,	LIFECYCLE_GONE,		PERSON_LEAVER,		GRACE_S },
	{ PERSON_LEAVER,	LIFECYCLE_WAITS,	PERSON_STAGED,		0 },
	{ PERSON_LEAVER,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		0 },
	{ PERSON_LEAVER,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	0 },
	{ PERSON_LEAVER,	LIFECYCLE_GONE,		PERSON_LEAVER,		GRACE_S },
	{ PERSON_LEAVER,	LIFECYCLE_EXPIRED,	PERSON_ERASED,		0 },
	{ PERSON_ERASED,	LIFECYCLE_WAITS,	PERSON_STAGED,		0 },
	{ PERSON_ERASED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		0 },
	{ PERSON_ERASED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	0 },
	{ PERSON_ERASED,	LIFECYCLE_GONE,		PERSON_ERASED,		0 },
};

static const struct row *
row_find(enum person_state from, enum lifecycle_event on)
{
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		if (rows[i].from == from && rows[i].on == on)
			return &rows[i];
	return NULL;
}

static bool
is_paused(const struct lifecycle_facts *f, int64_t now_s)
{
	return f->paused && (f->resumes_at_s == 0 || f->resumes_at_s > now_s);
}

static enum lifecycle_event
event_of(enum person_state from, int64_t since_s, const struct lifecycle_facts *f, int64_t now_s,
    const char **out_reason)
{
	if (!f->present || (f->ends_at_s != 0 && f->ends_at_s <= now_s)) {
		*out_reason = f->present ? "their end date has passed" :
		    "the directory has no entry of theirs";
		if (from == PERSON_LEAVER && now_s >= since_s + GRACE_S) {
			*out_reason = "the grace period is over";
			return LIFECYCLE_EXPIRED;
		}
		return LIFECYCLE_GONE;
	}
	if (is_paused(f, now_s)) {
		*out_reason = "an administrator suspended them";
		return LIFECYCLE_SUSPENDS;
	}
	if (f->suspended) {
		*out_reason = "a state rule suspends them";
		return LIFECYCLE_SUSPENDS;
	}
	if (f->starts_at_s > now_s) {
		*out_reason = "they start in the future";
		return LIFECYCLE_WAITS;
	}
	*out_reason = "the directory has them";
	return LIFECYCLE_STARTS;
}

int64_t
lifecycle_sooner(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

enum mu_rc
lifecycle_next(enum person_state from, int64_t since_s, const struct lifecycle_facts *facts,
    int64_t now_s, struct lifecycle_step *out_step, struct mu_err *err)
{
	struct lifecycle_step step = { .event = LIFECYCLE_GONE };
	const struct row *row;

	step.event = event_of(from, since_s, facts, now_s, &step.reason);
	row = row_find(from, step.event);
	if (row == NULL)
		return mu_fail(err, MU_EBROKEN, "no transition from %s on event %d",
		    person_state_name(from), (int)step.event);
	step.to = row->to;
	step.moved = row->to != from;
	step.since_s = step.moved ? now_s : since_s;
	if (row->deadline_s != 0)
		step.due_at_s = step.since_s + row->deadline_s;
	if (facts->present && facts->starts_at_s > now_s)
		step.due_at_s = lifecycle_sooner(step.due_at_s, facts->starts_at_s);
	if (facts->present && facts->ends_at_s > now_s)
		step.due_at_s = lifecycle_sooner(step.due_at_s, facts->ends_at_s);
	if (facts->present && is_paused(facts, now_s))
		step.due_at_s = lifecycle_sooner(step.due_at_s, facts->resumes_at_s);
	*out_step = step;
	return MU_OK;
}

bool
lifecycle_takes_away(enum person_state from, enum person_state to)
{
	return from == PERSON_ACTIVE && to != PERSON_ACTIVE;
}
