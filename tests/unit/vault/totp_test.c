/* One-time codes: the vectors of RFC 6238 and RFC 4226, and that a code opens the gate once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vault/totp.h"

static struct mu_secret rfc_seed = MU_SECRET_INIT;	/* "12345678901234567890" */

static struct row {
	const char *name, *code;
	int64_t now_s;
	uint64_t last_step;
	enum mu_rc want;
} rows[] = {
	{ "RFC 6238 appendix B, 59 s",			"287082", 59, 0, MU_OK },
	{ "RFC 6238 appendix B, 1111111109 s",		"081804", 1111111109, 0, MU_OK },
	{ "RFC 6238 appendix B, 1111111111 s",		"050471", 1111111111, 0, MU_OK },
	{ "RFC 6238 appendix B, 1234567890 s",		"005924", 1234567890, 0, MU_OK },
	{ "RFC 6238 appendix B, 2000000000 s",		"279037", 2000000000, 0, MU_OK },
	{ "RFC 6238 appendix B, 20000000000 s",		"353130", 20000000000, 0, MU_OK },
	{ "RFC 4226 appendix D, count 0: before all steps", "755224", 30, 0, MU_EDENIED },
	{ "RFC 4226 appendix D, count 1",		"287082", 30, 0, MU_OK },
	{ "RFC 4226 appendix D, count 2",		"359152", 60, 0, MU_OK },
	{ "RFC 4226 appendix D, count 3",		"969429", 90, 0, MU_OK },
	{ "RFC 4226 appendix D, count 4",		"338314", 120, 0, MU_OK },
	{ "RFC 4226 appendix D, count 5",		"254676", 150, 0, MU_OK },
	{ "RFC 4226 appendix D, count 6",		"287922", 180, 0, MU_OK },
	{ "RFC 4226 appendix D, count 7",		"162583", 210, 0, MU_OK },
	{ "RFC 4226 appendix D, count 8",		"399871", 240, 0, MU_OK },
	{ "RFC 4226 appendix D, count 9",		"520489", 270, 0, MU_OK },
	{ "one step late is welcome",			"287082", 89, 0, MU_OK },
	{ "two steps late is stale",			"287082", 119, 0, MU_EDENIED },
	{ "a step early is refused",			"359152", 59, 0, MU_EDENIED },
	{ "a code opens the gate once",			"287082", 59, 1, MU_EDENIED },
	{ "an older code does not open it either",	"287082", 89, 2, MU_EDENIED },
	{ "the next code does",				"359152", 89, 1, MU_OK },
	{ "a wrong code",				"287083", 59, 0, MU_EDENIED },
	{ "eight digits of the right code",		"94287082", 59, 0, MU_EINPUT },
	{ "seven digits of the right code",		"4287082", 59, 0, MU_EINPUT },
	{ "five digits",				"87082", 59, 0, MU_EINPUT },
	{ "no digits",					"", 59, 0, MU_EINPUT },
	{ "a letter",					"28708a", 59, 0, MU_EINPUT },
	{ "a letter behind the right code",		"287082x", 59, 0, MU_EINPUT },
	{ "a blank",					" 87082", 59, 0, MU_EINPUT },
};

static void
totp_row(void **state)
{
	struct row *r = *state;
	struct mu_err err = MU_ERR_INIT;
	uint64_t step = r->last_step;

	assert_int_equal(r->want, totp_check(&rfc_seed, r->code, r->now_s, &step, &err));
	if (r->want == MU_OK)
		assert_true(step > r->last_step);
	else
		assert_int_equal(r->last_step, step);
	/* What was accepted is not accepted again. */
	if (r->want == MU_OK)
		assert_int_equal(MU_EDENIED, totp_check(&rfc_seed, r->code, r->now_s, &step, &err));
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];
	int failed;

	mu_secret_set(&rfc_seed, "12345678901234567890", 20);
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, totp_row, NULL, NULL, &rows[i] };
	failed = cmocka_run_group_tests_name("totp", tests, NULL, NULL);
	mu_secret_clear(&rfc_seed);
	return failed;
}
