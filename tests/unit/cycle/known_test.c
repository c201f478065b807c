/*
 * known_test.c - what is known of many entries, found again and forgotten
 */
#include "cycle/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 100000

static struct row {
	const char *name;
	size_t at;		/* the byte from which on UUIDs count; the rest is the same */
} rows[] = {
	{ "UUIDs that differ in their first bytes", 0 },
	{ "UUIDs that differ in the middle", 6 },
	{ "UUIDs that differ in their last bytes", 12 },
};

static struct mu_uuid
uuid_at(size_t at, uint32_t number)
{
	struct mu_uuid u = { .bytes = { 0x5a } };

	(void)memcpy(u.bytes + at, &number, sizeof(number));
	return u;
}

static void
known_row(void **state)
{
	const struct row *r = *state;
	struct known k = { .count = 0 };
	struct mu_uuid u;

	for (uint32_t i = 0; i < MANY; i++) {
		size_t at;

		u = uuid_at(r->at, i);
		at = known_add(&k, &u);
		assert_int_equal(i, at);
		assert_int_equal(0, k.flags[at]);
		k.flags[at] = (unsigned char)(i % 3);
		k.list[at].hash[0] = (unsigned char)i;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		u = uuid_at(r->at, i);
		assert_int_equal(i, known_add(&k, &u));	/* once */
		assert_int_equal(i, known_find(&k, &u));
		assert_int_equal((unsigned char)i, k.list[i].hash[0]);
		assert_int_equal(i % 3 == 1, known_has(&k, &u, KNOWN_ROW));
	}
	assert_int_equal(MANY, k.count);
	/* three bytes in two are enough */
	assert_in_range(k.slot_count, MANY * 3 / 2, MANY * 4);
	u = uuid_at(r->at, MANY);
	assert_true(known_find(&k, &u) == KNOWN_NONE);
	assert_false(known_has(&k, &u, KNOWN_ROW | KNOWN_SEEN));
	known_clear(&k);
	assert_true(known_find(&k, &u) == KNOWN_NONE);
	assert_false(k.loaded);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, known_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
