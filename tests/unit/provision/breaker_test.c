/* provision/breaker.h: each row is a story, one letter an event at a second each. */
#include "provision/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

/*
 * f failure, s success, r own credential refused, p a probe is due and taken, - no probe is due yet,
 * then the state: C closed, O open, P probing. Each event happens one second after the one before.
 */
static struct row {
	const char *name, *story;
	enum breaker_state end;
} rows[] = {
	{ "four failures are borne",			"ffff",		BREAKER_CLOSED },
	{ "five in a row open it",			"fffff",	BREAKER_OPEN },
	{ "a success in between starts the count anew",	"ffffsffff",	BREAKER_CLOSED },
	{ "a probe goes out a second later",		"fffffp",	BREAKER_PROBING },
	{ "its success closes",				"fffffps",	BREAKER_CLOSED },
	{ "after its failure the next waits longer",	"fffffpf-p",	BREAKER_PROBING },
	{ "and longer still",				"fffffpf-pf---p", BREAKER_PROBING },
	{ "one refusal of our own credential opens it",	"r",		BREAKER_OPEN },
	{ "and a probe that is let in closes it",	"rps",		BREAKER_CLOSED },
};

static void
breaker_row(void **state)
{
	struct row *r = *state;
	struct breaker b = BREAKER_INIT;
	int64_t now_ms = 1000;

	for (const char *c = r->story; *c != '\0'; c++, now_ms += 1000) {
		if (*c == 'f')
			breaker_failure(&b, now_ms);
		else if (*c == 's')
			breaker_success(&b);
		else if (*c == 'r')
			breaker_refused(&b, now_ms);
		else
			assert_int_equal(*c == 'p', breaker_probe(&b, now_ms));
	}
	assert_int_equal(r->end, b.state);
	assert_int_equal(r->end == BREAKER_CLOSED, breaker_passes(&b));
}

static void
backoff_doubles_to_ten_minutes(void **state)
{
	(void)state;
	for (uint32_t attempts = 0; attempts < 40; attempts++) {
		int64_t full = attempts == 0 ? 1000 : attempts > 10 ? 600000 : 1000 << (attempts - 1);

		if (full > 600000)
			full = 600000;
		assert_int_equal(full / 2, backoff_ms(attempts, 0));
		for (uint32_t random = 1; random != 0; random *= 5) {
			assert_in_range(backoff_ms(attempts, random), full / 2, full);
			if (random > UINT32_MAX / 5)
				break;
		}
	}
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, breaker_row, NULL, NULL, &rows[i] };
	tests[MU_COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(backoff_doubles_to_ten_minutes);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
