#include "lifecycle/lifecycle.h"

#include "base/attr.h"

/* When the state may change by time alone. */
enum deadline {
	AT_START = 1,
	AT_END = 2,
	AT_RETURN = 4,			/* from what the directory suspends */
	AFTER_GRACE = 8,		/* counted from when the state began */
};

static const struct row {
	enum person_state from;
	enum lifecycle_event on;
	enum person_state to;
	unsigned int deadlines;
} rows[] = {
	{ PERSON_STAGED,	LIFECYCLE_WAITS,	PERSON_STAGED,		AT_START | AT_END },
	{ PERSON_STAGED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		AT_END },
	{ PERSON_STAGED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	AT_RETURN | AT_END },
	{ PERSON_STAGED,	LIFECYCLE_GONE,		PERSON_LEAVER,		AFTER_GRACE },
	{ PERSON_ACTIVE,	LIFECYCLE_WAITS,	PERSON_STAGED,		AT_START | AT_END },
	{ PERSON_ACTIVE,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		AT_END },
	{ PERSON_ACTIVE,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	AT_RETURN | AT_END },
	{ PERSON_ACTIVE,	LIFECYCLE_GONE,		PERSON_LEAVER,		AFTER_GRACE },
	{ PERSON_SUSPENDED,	LIFECYCLE_WAITS,	PERSON_STAGED,		AT_START | AT_END },
	{ PERSON_SUSPENDED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		AT_END },
	{ PERSON_SUSPENDED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	AT_RETURN | AT_END },
	{ PERSON_SUSPENDED,	LIFECYCLE_GONE,		PERSON_LEAVER,		AFTER_GRACE },
	{ PERSON_LEAVER,	LIFECYCLE_WAITS,	PERSON_STAGED,		AT_START | AT_END },
	{ PERSON_LEAVER,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		AT_END },
	{ PERSON_LEAVER,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	AT_RETURN | AT_END },
	{ PERSON_LEAVER,	LIFECYCLE_GONE,		PERSON_LEAVER,		AFTER_GRACE },
	{ PERSON_LEAVER,	LIFECYCLE_EXPIRED,	PERSON_ERASED,		0 },
	{ PERSON_ERASED,	LIFECYCLE_WAITS,	PERSON_STAGED,		AT_START | AT_END },
	{ PERSON_ERASED,	LIFECYCLE_STARTS,	PERSON_ACTIVE,		AT_END },
	{ PERSON_ERASED,	LIFECYCLE_SUSPENDS,	PERSON_SUSPENDED,	AT_RETURN | AT_END },
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

/* Why they are gone, NULL: they are not. */
static const char *
gone_reason(const struct lifecycle_facts *f, int64_t now_s)
{
	if (!f->present)
		return "the directory has no entry of theirs";
	if (f->ends_at_s != 0 && f->ends_at_s <= now_s)
		return "their end date has passed";
	return f->left ? "a state rule says that they have left" : NULL;
}

static enum lifecycle_event
event_of(enum person_state from, int64_t since_s, const struct lifecycle_facts *f, int64_t now_s,
    const char **out_reason)
{
	*out_reason = gone_reason(f, now_s);
	if (*out_reason != NULL) {
		if (from != PERSON_LEAVER || now_s < since_s + f->grace_s)
			return LIFECYCLE_GONE;
		*out_reason = "the grace period is over";
		return LIFECYCLE_EXPIRED;
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

/*
 * The soonest of the row's deadlines that is still to come, 0 for none. An administrator's suspension
 * ends in every state. A grace of no time ends at once, but not in the same step: being a leaver is
 * recorded first.
 */
static int64_t
due_of(const struct row *row, int64_t since_s, const struct lifecycle_facts *f, int64_t now_s)
{
	const struct {
		unsigned int deadline;
		int64_t at_s;
	} times[] = {
		{ AT_START, f->starts_at_s },
		{ AT_END, f->ends_at_s },
		{ AT_RETURN, f->suspended ? f->returns_at_s : 0 },
		{ AFTER_GRACE, since_s + f->grace_s },
	};
	int64_t due_at_s = f->paused && f->resumes_at_s > now_s ? f->resumes_at_s : 0;

	for (size_t i = 0; i < MU_COUNT(times); i++)
		if ((row->deadlines & times[i].deadline) != 0 &&
		    (times[i].at_s > now_s || times[i].deadline == AFTER_GRACE))
			due_at_s = lifecycle_sooner(due_at_s, times[i].at_s);
	return due_at_s;
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
	step.due_at_s = due_of(row, step.since_s, facts, now_s);
	*out_step = step;
	return MU_OK;
}

bool
lifecycle_is_overdue(const struct lifecycle_facts *facts, int64_t was_due_at_s, int64_t now_s)
{
	return facts->suspended && facts->returns_at_s != 0 && facts->returns_at_s <= now_s &&
	    was_due_at_s != 0 && was_due_at_s <= facts->returns_at_s;
}

bool
lifecycle_takes_away(enum person_state from, enum person_state to)
{
	if (to == PERSON_LEAVER)
		return from != PERSON_LEAVER && from != PERSON_ERASED;
	return from == PERSON_ACTIVE && to != PERSON_ACTIVE;
}
