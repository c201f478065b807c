#include "api/throttle.h"
#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define LIMIT	5
#define WINDOW	600

static void
five_pass_and_the_sixth_waits(void **state)
{
	struct throttle *t = throttle_new(LIMIT, WINDOW, 16);
	int64_t wait_s = 0;

	(void)state;
	for (int i = 0; i < LIMIT; i++)
		assert_true(throttle_take(t, "ann", 1000 + i, &wait_s));
	assert_false(throttle_take(t, "ann", 1010, &wait_s));
	assert_int_equal(wait_s, 1000 + LIMIT - 1 + WINDOW - 1010);
	assert_true(throttle_take(t, "bob", 1010, &wait_s));
	throttle_free(t);
}

static void
waiting_is_not_prolonged_by_asking(void **state)
{
	struct throttle *t = throttle_new(LIMIT, WINDOW, 16);
	int64_t wait_s = 0;

	(void)state;
	for (int i = 0; i < LIMIT; i++)
		assert_true(throttle_take(t, "ann", 1000, &wait_s));
	for (int at = 1001; at < 1000 + WINDOW; at++)
		assert_false(throttle_take(t, "ann", at, &wait_s));
	assert_true(throttle_take(t, "ann", 1000 + WINDOW, &wait_s));
	throttle_free(t);
}

static void
slow_failures_add_up(void **state)
{
	struct throttle *t = throttle_new(LIMIT, WINDOW, 16);
	int64_t wait_s = 0, now_s = 1000;

	(void)state;
	for (int i = 0; i < LIMIT; i++, now_s += WINDOW - 1)
		assert_true(throttle_take(t, "ann", now_s, &wait_s));
	assert_false(throttle_take(t, "ann", now_s, &wait_s));
	throttle_free(t);
}

static void
what_is_given_back_was_no_failure(void **state)
{
	struct throttle *t = throttle_new(LIMIT, WINDOW, 16);
	int64_t wait_s = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_true(throttle_take(t, "ann", 1000, &wait_s));
		throttle_give_back(t, "ann");
	}
	throttle_give_back(t, "nobody");
	throttle_free(t);
}

static void
a_flood_of_names_frees_nobody(void **state)
{
	struct throttle *t = throttle_new(LIMIT, WINDOW, 16);
	int64_t wait_s = 0;
	char name[32];

	(void)state;
	for (int i = 0; i < LIMIT; i++)
		assert_true(throttle_take(t, "ann", 1000, &wait_s));
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "name %d", i);
		assert_true(throttle_take(t, name, 1001, &wait_s));
	}
	assert_false(throttle_take(t, "ann", 1002, &wait_s));
	throttle_free(t);
}

static void
an_ipv6_host_has_its_whole_network(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.7", "192.0.2.7" }, { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
		{ "2001:db8:1:2::1", "2001:db8:1:2::" }, { "", "" },
	};
	char key[THROTTLE_ADDRESS_BYTES];

	(void)state;
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		throttle_address_format(rows[i][0], key);
		assert_string_equal(rows[i][1], key);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv6_host_has_its_whole_network),
		cmocka_unit_test(five_pass_and_the_sixth_waits),
		cmocka_unit_test(waiting_is_not_prolonged_by_asking),
		cmocka_unit_test(slow_failures_add_up),
		cmocka_unit_test(what_is_given_back_was_no_failure),
		cmocka_unit_test(a_flood_of_names_frees_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
