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
#define SAYS(present, suspended, starts, ends)	{ present, suspended, starts, ends, false, 0 }

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
	{ "an administrator suspends", PERSON_ACTIVE, NOW - DAY, { true, false, 0, 0, true, 0 },
	    PERSON_SUSPENDED, 0 },
	{ "a planned return is looked at when it comes", PERSON_SUSPENDED, NOW - DAY,
	    { true, false, 0, 0, true, NOW + DAY }, PERSON_SUSPENDED, NOW + DAY },
	{ "the return has come", PERSON_SUSPENDED, NOW - DAY, { true, false, 0, 0, true, NOW },
	    PERSON_ACTIVE, 0 },
	{ "back from that, a state rule still suspends", PERSON_SUSPENDED, NOW - DAY,
	    { true, true, 0, 0, true, NOW }, PERSON_SUSPENDED, 0 },
	{ "an end before the return comes first", PERSON_SUSPENDED, NOW - DAY,
	    { true, false, 0, NOW + 5, true, NOW + DAY }, PERSON_SUSPENDED, NOW + 5 },
	{ "gone weighs more than an administrator's pause", PERSON_SUSPENDED, NOW - DAY,
	    { false, false, 0, 0, true, NOW + DAY }, PERSON_LEAVER, NOW + 30 * DAY },
	{ "who was not to start yet is suspended, too", PERSON_STAGED, NOW - DAY,
	    { true, false, NOW + 9, 0, true, NOW + DAY }, PERSON_SUSPENDED, NOW + 9 },
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

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, lifecycle_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
