/*
 * clock_test.c - times as text, of people and of directories
 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum form { RFC3339, GENERALIZED };

#define BAD INT64_MIN

static struct row {
	const char *text;
	enum form form;
	int64_t want;		/* BAD: not such a time */
} rows[] = {
	{ "1970-01-01T00:00:00Z", RFC3339, 0 },
	{ "2026-11-21T11:20:00Z", RFC3339, 1795260000 },
	{ "2026-11-21t11:20:00z", RFC3339, 1795260000 },
	{ "2026-11-21T13:20:00+02:00", RFC3339, 1795260000 },
	{ "2026-11-21T05:50:00-05:30", RFC3339, 1795260000 },
	{ "2024-02-29T00:00:00Z", RFC3339, 1709164800 },
	{ "2025-02-29T00:00:00Z", RFC3339, BAD },
	{ "2026-04-31T00:00:00Z", RFC3339, BAD },
	{ "2026-13-01T00:00:00Z", RFC3339, BAD },
	{ "2026-00-01T00:00:00Z", RFC3339, BAD },
	{ "2026-11-21T24:00:00Z", RFC3339, BAD },
	{ "2026-11-21T11:60:00Z", RFC3339, BAD },
	{ "2026-11-21T11:20:60Z", RFC3339, BAD },
	{ "2026-11-21T11:20:00", RFC3339, BAD },		/* a time has a zone */
	{ "2026-11-21 11:20:00Z", RFC3339, BAD },
	{ "2026-11-21T11:20:00Z ", RFC3339, BAD },
	{ "2026-11-21T11:20:00+0200", RFC3339, BAD },
	{ "2026-11-21T11:20:00.5Z", RFC3339, BAD },
	{ "2026-11-21", RFC3339, BAD },
	{ "", RFC3339, BAD },
	{ "20261121112000Z", GENERALIZED, 1795260000 },
	{ "202611211120Z", GENERALIZED, 1795260000 },
	{ "2026112111Z", GENERALIZED, 1795260000 - 20 * 60 },
	{ "20261121132000+0200", GENERALIZED, 1795260000 },
	{ "20261121132000+02", GENERALIZED, 1795260000 },
	{ "20261121055000-0530", GENERALIZED, 1795260000 },
	{ "20261121112000.999Z", GENERALIZED, 1795260000 },
	{ "20261121112000,0Z", GENERALIZED, 1795260000 },
	{ "202611211120.5Z", GENERALIZED, 1795260030 },		/* half a minute */
	{ "2026112111.25Z", GENERALIZED, 1795260000 - 5 * 60 },	/* a quarter of an hour */
	{ "2026112111.33333333333333333333Z", GENERALIZED, 1795260000 - 1 },
	{ "20261121112000.Z", GENERALIZED, BAD },
	{ "20261121112000", GENERALIZED, BAD },
	{ "20261121Z", GENERALIZED, BAD },
	{ "2026112111200Z", GENERALIZED, BAD },
	{ "20260431112000Z", GENERALIZED, BAD },
	{ "20261121112000Zx", GENERALIZED, BAD },
	{ "20261121112000z", GENERALIZED, BAD },
	{ "20261121112000+2", GENERALIZED, BAD },
	{ "20261121112000+0260", GENERALIZED, BAD },
	{ "16010101000000Z", GENERALIZED, BAD },
	/* a zone is an offset: one moment, on both sides of a change to summer time */
	{ "20270328005959Z", GENERALIZED, 1806195599 },
	{ "20270328015959+0100", GENERALIZED, 1806195599 },
	{ "20270328030000+0200", GENERALIZED, 1806195600 },
	{ "20270328023000+0100", GENERALIZED, 1806197400 },	/* an hour no clock there shows */
	{ "20271031023000+0200", GENERALIZED, 1824942600 },	/* and one that comes twice */
	{ "20271031023000+0100", GENERALIZED, 1824946200 },
	{ "20270101000000+1400", GENERALIZED, 1798711200 },	/* the day before, in Z */
	{ "20261231120000-1200", GENERALIZED, 1798761600 },	/* the year after */
	{ "20280229000000Z", GENERALIZED, 1835395200 },
	{ "20270229000000Z", GENERALIZED, BAD },
	{ "21000229000000Z", GENERALIZED, BAD },		/* no leap year */
	{ "20000229000000Z", GENERALIZED, 951782400 },
	{ "20280301003000+0100", GENERALIZED, 1835479800 },	/* 29 February in Z */
	{ "20161231235960Z", GENERALIZED, 1483228800 },		/* a leap second is the next one */
	{ "20170101005960+0100", GENERALIZED, 1483228800 },
	{ "20161231235961Z", GENERALIZED, BAD },
	{ "201612312360Z", GENERALIZED, BAD },
	{ "20380119031407Z", GENERALIZED, 2147483647 },
	{ "20380119031408Z", GENERALIZED, 2147483648 },
	{ "20380119041408+0100", GENERALIZED, 2147483648 },
	{ "21060207062816Z", GENERALIZED, 4294967296 },
	{ "99991231235959Z", GENERALIZED, 253402300799 },
	{ "99991231235959-2359", GENERALIZED, 253402387139 },
	{ "19700101000000+0100", GENERALIZED, -3600 },
	{ "100000101000000Z", GENERALIZED, BAD },
};

static void
row(void **state)
{
	struct row *r = *state;
	int64_t at_s = BAD;
	bool good = r->form == RFC3339 ? mu_time_parse(r->text, &at_s) :
	    mu_generalized_time_parse(r->text, &at_s);

	assert_int_equal(r->want != BAD, good);
	assert_true(at_s == r->want);
}

static void
times_come_back(void **state)
{
	(void)state;
	/* every day, at a second that moves through it, over 200 years */
	for (int64_t at_s = 0; at_s < (int64_t)200 * 366 * MU_DAY_S; at_s += MU_DAY_S + 61) {
		MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
		int64_t back = 0;

		mu_time_format(&b, at_s);
		assert_true(mu_time_parse(b.data, &back));
		assert_true(back == at_s);
	}
}

int
main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])];
	const struct CMUnitTest rest[] = { cmocka_unit_test(times_come_back) };

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].text, row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("times", tests, NULL, NULL) +
	    cmocka_run_group_tests_name("clock", rest, NULL, NULL);
}
