/*
 * lifecycle/lifecycle.h - from what the directory says of a person to the state they are in
 *
 * Pure: takes facts and a time, returns a state with its reason. The table of (from, event, to,
 * deadlines) is in lifecycle.c; a pair without a row is refused. When a deadline has come the facts
 * are looked at again: of itself it changes nothing.
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
	bool left;			/* a state rule says so, though the entry is there */
	bool suspended;			/* a state rule of the policy says so */
	int64_t starts_at_s, ends_at_s;	/* 0: none */
	int64_t returns_at_s;		/* planned end of what the state rule suspends, 0: none */
	int64_t grace_s;		/* a leaver is kept so long, with nothing, before erasure */
	bool paused;			/* an administrator suspended them, ... */
	int64_t resumes_at_s;		/* ... until then; 0: until somebody resumes them */
};

enum lifecycle_event {
	LIFECYCLE_WAITS,	/* present, starts in the future */
	LIFECYCLE_STARTS,	/* present, nothing against it */
	LIFECYCLE_SUSPENDS,
	LIFECYCLE_GONE,		/* absent, past their end, or left by a state rule */
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

/*
 * Has the planned return of who is suspended by the directory come without an end to that? Once:
 * was_due_at_s is when they were to be looked at, as the last step said.
 */
bool lifecycle_is_overdue(const struct lifecycle_facts *facts, int64_t was_due_at_s, int64_t now_s);

/*
 * Does a move between these states take something away: what the brake counts. Who is suspended, or
 * starts later, has an account to lose: after the grace period it is gone.
 */
bool lifecycle_takes_away(enum person_state from, enum person_state to);

#endif
