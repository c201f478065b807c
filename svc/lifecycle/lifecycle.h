/*
 * lifecycle/lifecycle.h - from what the directory says of a person to the state they are in
 *
 * Pure: takes facts and a time, returns a state with its reason. The table of (from, event, to,
 * deadline) is in lifecycle.c; a pair without a row is refused.
 */
#ifndef LIFECYCLE_LIFECYCLE_H
#define LIFECYCLE_LIFECYCLE_H

#include "base/err.h"
#include "model/names.h"

#include <stdbool.h>
#include <stdint.h>

/* What is true of a person now, as far as their state goes. */
struct lifecycle_facts {
	bool present;			/* the directory has their entry */
	bool suspended;			/* a state rule of the policy says so */
	int64_t starts_at_s, ends_at_s;	/* 0: none */
	bool paused;			/* an administrator suspended them, ... */
	int64_t resumes_at_s;		/* ... until then; 0: until somebody resumes them */
};

enum lifecycle_event {
	LIFECYCLE_WAITS,	/* present, starts in the future */
	LIFECYCLE_STARTS,	/* present, nothing against it */
	LIFECYCLE_SUSPENDS,
	LIFECYCLE_GONE,		/* absent, or past their end */
	LIFECYCLE_EXPIRED,	/* the grace period of a leaver is over */
};

struct lifecycle_step {
	enum person_state to;
	enum lifecycle_event event;
	bool moved;		/* to differs from where they were */
	int64_t since_s;	/* when the state they are in now began */
	int64_t due_at_s;	/* when to look again, 0: never */
	const char *reason;	/* static text */
};

/*
 * The state that follows.
 *
 * from, since_s  the last state and when it began; PERSON_STAGED and now_s for someone new
 * MU_EBROKEN     the table has no such row
 */
MU_CHECKED enum mu_rc lifecycle_next(enum person_state from, int64_t since_s,
    const struct lifecycle_facts *facts, int64_t now_s, struct lifecycle_step *out_step,
    struct mu_err *err);

/* The sooner of two times, where 0 is never. */
int64_t lifecycle_sooner(int64_t a, int64_t b);

/* Does a move between these states take something away: what the brake counts. */
bool lifecycle_takes_away(enum person_state from, enum person_state to);

#endif
