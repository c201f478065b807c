/*
 * lifecycle_test.c - each row of the table a sentence, and what follows from times
 */
#include "lifecycle/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"

#define NOW	1000000000
#define DAY	((int64_t)MU_DAY_S)
#define GRACE	(30 * DAY)
/* What the directory says: of an entry, of a state rule that suspends, of a start and an end. */
#define SAYS(is_there, away, starts, ends) \
	{ .present = is_there, .suspended = away, .starts_at_s = starts, .ends_at_s = ends, \
	  .grace_s = GRACE }
/* And an administrator has suspended them until then. */
#define PAUSED(is_there, away, starts, ends, until) \
	{ .present = is_there, .suspended = away, .starts_at_s = starts, .ends_at_s = ends, \
	  .grace_s = GRACE, .paused = true, .resumes_at_s = until }
/* A state rule suspends them, until then as planned. */
#define AWAY(returns, ends) \
	{ .present = true, .suspended = true, .returns_at_s = returns, .ends_at_s = ends, \
	  .grace_s = GRACE }
#define LEFT(away, ends) \
	{ .present = true, .left = true, .suspended = away, .ends_at_s = ends, .grace_s = GRACE }
#define KEPT_FOR(grace) { .present = false, .grace_s = grace }

static struct row {
	const char *name;
	enum person_state from;
	int64_t since_s;
	struct lifecycle_facts facts;
	enum person_state want;
	int64_t want_due_s;
} rows[] = {
	{ "a joiner is active at once", PERSON_STAGED, NOW, SAYS(true, false, 0, 0),
	    PERSON_ACTIVE, 0 },
	{ "a joiner of tomorrow is staged", PERSON_STAGED, NOW, SAYS(true, false, NOW + DAY, 0),
	    PERSON_STAGED, NOW + DAY },
	{ "the day has come", PERSON_STAGED, NOW - DAY, SAYS(true, false, NOW, 0),
	    PERSON_ACTIVE, 0 },
	{ "an end date is looked at when it comes", PERSON_ACTIVE, NOW,
	    SAYS(true, false, 0, NOW + 5),
	    PERSON_ACTIVE, NOW + 5 },
	{ "past the end date is a leaver", PERSON_ACTIVE, NOW - DAY, SAYS(true, false, 0, NOW),
	    PERSON_LEAVER, NOW + 30 * DAY },
	{ "gone from the directory is a leaver", PERSON_ACTIVE, NOW - DAY, SAYS(false, false, 0, 0),
	    PERSON_LEAVER, NOW + 30 * DAY },
	{ "gone weighs more than suspended", PERSON_SUSPENDED, NOW - DAY, SAYS(false, true, 0, 0),
	    PERSON_LEAVER, NOW + 30 * DAY },
	{ "a state rule suspends", PERSON_ACTIVE, NOW - DAY, SAYS(true, true, 0, 0),
	    PERSON_SUSPENDED, 0 },
	{ "suspended comes back", PERSON_SUSPENDED, NOW - DAY, SAYS(true, false, 0, 0),
	    PERSON_ACTIVE, 0 },
	{ "an administrator suspends", PERSON_ACTIVE, NOW - DAY, PAUSED(true, false, 0, 0, 0),
	    PERSON_SUSPENDED, 0 },
	{ "a planned return is looked at when it comes", PERSON_SUSPENDED, NOW - DAY,
	    PAUSED(true, false, 0, 0, NOW + DAY), PERSON_SUSPENDED, NOW + DAY },
	{ "the return has come", PERSON_SUSPENDED, NOW - DAY, PAUSED(true, false, 0, 0, NOW),
	    PERSON_ACTIVE, 0 },
	{ "back from that, a state rule still suspends", PERSON_SUSPENDED, NOW - DAY,
	    PAUSED(true, true, 0, 0, NOW), PERSON_SUSPENDED, 0 },
	{ "an end before the return comes first", PERSON_SUSPENDED, NOW - DAY,
	    PAUSED(true, false, 0, NOW + 5, NOW + DAY), PERSON_SUSPENDED, NOW + 5 },
	{ "gone weighs more than an administrator's pause", PERSON_SUSPENDED, NOW - DAY,
	    PAUSED(false, false, 0, 0, NOW + DAY), PERSON_LEAVER, NOW + DAY },
	{ "a pause ends for the erased, too", PERSON_ERASED, NOW - DAY,
	    PAUSED(false, false, 0, 0, NOW + DAY), PERSON_ERASED, NOW + DAY },
	{ "who was not to start yet is suspended, too", PERSON_STAGED, NOW - DAY,
	    PAUSED(true, false, NOW + 9, 0, NOW + DAY), PERSON_SUSPENDED, NOW + DAY },
	{ "a leaver stays one", PERSON_LEAVER, NOW - DAY, SAYS(false, false, 0, 0),
	    PERSON_LEAVER, NOW + 29 * DAY },
	{ "a leaver is erased after the grace", PERSON_LEAVER, NOW - 30 * DAY,
	    SAYS(false, false, 0, 0),
	    PERSON_ERASED, 0 },
	{ "not a second before", PERSON_LEAVER, NOW - 30 * DAY + 1, SAYS(false, false, 0, 0),
	    PERSON_LEAVER, NOW + 1 },
	{ "a leaver in the directory again is a rehire", PERSON_LEAVER, NOW - DAY,
	    SAYS(true, false, 0, 0),
	    PERSON_ACTIVE, 0 },
	{ "a rehire may start in the future", PERSON_LEAVER, NOW - DAY,
	    SAYS(true, false, NOW + DAY, 0),
	    PERSON_STAGED, NOW + DAY },
	{ "erased and gone stays erased", PERSON_ERASED, NOW - DAY, SAYS(false, false, 0, 0),
	    PERSON_ERASED, 0 },
	{ "erased and gone stays so for ever", PERSON_ERASED, NOW - 40 * DAY,
	    SAYS(false, false, 0, 0), PERSON_ERASED, 0 },
	{ "who comes back after erasure is there again", PERSON_ERASED, NOW - DAY,
	    SAYS(true, false, 0, NOW + 5), PERSON_ACTIVE, NOW + 5 },
	{ "who comes back after erasure may start later", PERSON_ERASED, NOW - DAY,
	    SAYS(true, false, NOW + 5, 0), PERSON_STAGED, NOW + 5 },
	{ "who comes back after erasure may be suspended", PERSON_ERASED, NOW - DAY,
	    AWAY(NOW + 5, 0), PERSON_SUSPENDED, NOW + 5 },
	{ "a rehire may be suspended", PERSON_LEAVER, NOW - DAY, AWAY(0, NOW + 5),
	    PERSON_SUSPENDED, NOW + 5 },
	{ "a start that is put off stages again", PERSON_ACTIVE, NOW - DAY,
	    SAYS(true, false, NOW + DAY, 0), PERSON_STAGED, NOW + DAY },
	{ "back from suspension before the start is staged", PERSON_SUSPENDED, NOW - DAY,
	    SAYS(true, false, NOW + DAY, NOW + 9), PERSON_STAGED, NOW + 9 },
	{ "who never started can leave", PERSON_STAGED, NOW - DAY, SAYS(false, false, 0, 0),
	    PERSON_LEAVER, NOW + GRACE },

	{ "the directory's planned return is looked at when it comes", PERSON_ACTIVE, NOW - DAY,
	    AWAY(NOW + DAY, 0), PERSON_SUSPENDED, NOW + DAY },
	{ "what is planned does not lift it", PERSON_SUSPENDED, NOW - DAY, AWAY(NOW, 0),
	    PERSON_SUSPENDED, 0 },
	{ "of two returns the sooner is looked at", PERSON_SUSPENDED, NOW - DAY,
	    { .present = true, .suspended = true, .returns_at_s = NOW + 7, .paused = true,
	      .resumes_at_s = NOW + 5, .grace_s = GRACE }, PERSON_SUSPENDED, NOW + 5 },
	{ "the return of who is not suspended is nothing to wait for", PERSON_ACTIVE, NOW - DAY,
	    { .present = true, .returns_at_s = NOW + 7, .grace_s = GRACE }, PERSON_ACTIVE, 0 },

	{ "left by a state rule is a leaver", PERSON_ACTIVE, NOW - DAY, LEFT(false, 0),
	    PERSON_LEAVER, NOW + GRACE },
	{ "left weighs more than suspended", PERSON_SUSPENDED, NOW - DAY, LEFT(true, NOW + DAY),
	    PERSON_LEAVER, NOW + GRACE },
	{ "left before the start", PERSON_STAGED, NOW - DAY,
	    { .present = true, .left = true, .starts_at_s = NOW + DAY, .grace_s = GRACE },
	    PERSON_LEAVER, NOW + GRACE },
	{ "left by a state rule is erased after the grace", PERSON_LEAVER, NOW - GRACE,
	    LEFT(false, 0), PERSON_ERASED, 0 },
	{ "left no longer is a rehire", PERSON_LEAVER, NOW - DAY, SAYS(true, false, 0, 0),
	    PERSON_ACTIVE, 0 },

	{ "a grace of ten years", PERSON_ACTIVE, NOW - DAY, KEPT_FOR(3650 * DAY),
	    PERSON_LEAVER, NOW + 3650 * DAY },
	{ "without grace a leaver is one first", PERSON_ACTIVE, NOW - DAY, KEPT_FOR(0),
	    PERSON_LEAVER, NOW },
	{ "and is erased when looked at again", PERSON_LEAVER, NOW, KEPT_FOR(0),
	    PERSON_ERASED, 0 },
	{ "a grace that is shorter now may be over", PERSON_LEAVER, NOW - 2 * DAY, KEPT_FOR(DAY),
	    PERSON_ERASED, 0 },
	{ "one that is longer now goes on", PERSON_LEAVER, NOW - 2 * DAY, KEPT_FOR(9 * DAY),
	    PERSON_LEAVER, NOW + 7 * DAY },
};

static void
lifecycle_row(void **state)
{
	struct row *r = *state;
	struct lifecycle_step step;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(MU_OK, lifecycle_next(r->from, r->since_s, &r->facts, NOW, &step, &err));
	assert_int_equal(r->want, step.to);
	assert_int_equal(r->want_due_s, step.due_at_s);
	assert_int_equal(r->want != r->from, step.moved);
	assert_int_equal(step.moved ? NOW : r->since_s, step.since_s);
}

static struct overdue_row {
	const char *name;
	struct lifecycle_facts facts;
	int64_t was_due_at_s;
	bool want;
} overdue_rows[] = {
	{ "the return has come, the suspension stands", AWAY(NOW, 0), NOW, true },
	{ "the clock was away when it came", AWAY(NOW - DAY, 0), NOW - DAY, true },
	{ "something else was due before it, too", AWAY(NOW - 5, 0), NOW - DAY, true },
	{ "it is told once", AWAY(NOW - 5, 0), 0, false },
	{ "nor when something else is due later", AWAY(NOW - 5, 0), NOW, false },
	{ "not before it has come", AWAY(NOW + 1, 0), NOW, false },
	{ "not without a plan", AWAY(0, 0), NOW, false },
	{ "not of who is not suspended by the directory", PAUSED(true, false, 0, 0, 0), NOW,
	    false },
};

static void
overdue_row_holds(void **state)
{
	const struct overdue_row *r = *state;

	assert_int_equal(r->want, lifecycle_is_overdue(&r->facts, r->was_due_at_s, NOW));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)], overdue[MU_COUNT(overdue_rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, lifecycle_row, NULL, NULL, &rows[i] };
	for (size_t i = 0; i < MU_COUNT(overdue_rows); i++)
		overdue[i] = (struct CMUnitTest){ overdue_rows[i].name, overdue_row_holds, NULL,
			NULL, &overdue_rows[i] };
	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL) +
	    cmocka_run_group_tests_name("overdue", overdue, NULL, NULL);
}
