/*
 * grant_test.c - what of a grant and an identification is MACed: every column, each with its bounds
 */
#include "model/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct grant
grant_given(void)
{
	struct grant g = { .role = mu_strdup("ops"), .reason = mu_strdup("night 5:shift"), .starts_at_s = 100,
		.ends_at_s = 200 };

	(void)memset(g.grant_id.bytes, 1, sizeof(g.grant_id.bytes));
	(void)memset(g.person_id.bytes, 2, sizeof(g.person_id.bytes));
	(void)memset(g.granted_by.bytes, 3, sizeof(g.granted_by.bytes));
	(void)memset(g.action_digest, 4, sizeof(g.action_digest));
	(void)memset(g.mac, 5, sizeof(g.mac));
	return g;
}

static struct identification
identification_given(void)
{
	struct identification i = { .level = mu_strdup("in-person"), .method = mu_strdup("passport"),
		.evidence = mu_strdup("file 1:7"), .identified_at_s = 100, .version = 3 };

	(void)memset(i.person_id.bytes, 1, sizeof(i.person_id.bytes));
	(void)memset(i.verifier.bytes, 2, sizeof(i.verifier.bytes));
	(void)memset(i.mac, 5, sizeof(i.mac));
	return i;
}

/* One column is changed: a text to this one, anything else in its first byte. */
#define GRANT(column)		false, offsetof(struct grant, column)
#define IDENTIFICATION(column)	true, offsetof(struct identification, column)

static struct row {
	const char *name;
	bool of_identification;
	size_t column;
	const char *text;		/* NULL: the column is no text */
	size_t next_column;		/* 0, or of next_text */
	const char *next_text;
	bool same;			/* the change is not in the bytes */
} rows[] = {
	{ "another grant", GRANT(grant_id), NULL, 0, NULL, false },
	{ "another person", GRANT(person_id), NULL, 0, NULL, false },
	{ "another who granted", GRANT(granted_by), NULL, 0, NULL, false },
	{ "another role", GRANT(role), "opt", 0, NULL, false },
	{ "another reason", GRANT(reason), "day shift", 0, NULL, false },
	{ "another start", GRANT(starts_at_s), NULL, 0, NULL, false },
	{ "another end", GRANT(ends_at_s), NULL, 0, NULL, false },
	{ "another action", GRANT(action_digest), NULL, 0, NULL, false },
	{ "role and reason do not flow into one another", GRANT(role), "ops13:night ",
	    offsetof(struct grant, reason), "shift", false },
	{ "the MAC is not of itself", GRANT(mac), NULL, 0, NULL, true },
	{ "an identification of another person", IDENTIFICATION(person_id), NULL, 0, NULL, false },
	{ "another verifier", IDENTIFICATION(verifier), NULL, 0, NULL, false },
	{ "another level", IDENTIFICATION(level), "hr-verified", 0, NULL, false },
	{ "another method", IDENTIFICATION(method), "badge", 0, NULL, false },
	{ "other evidence", IDENTIFICATION(evidence), "file 8", 0, NULL, false },
	{ "another time", IDENTIFICATION(identified_at_s), NULL, 0, NULL, false },
	{ "another version", IDENTIFICATION(version), NULL, 0, NULL, false },
	{ "method and evidence do not flow into one another", IDENTIFICATION(method),
	    "passport8:file ", offsetof(struct identification, evidence), "7", false },
	{ "the MAC of an identification is not of itself", IDENTIFICATION(mac), NULL, 0, NULL, true },
};

static void
text_set(void *of, size_t column, const char *text)
{
	char **at = (char **)(void *)((unsigned char *)of + column);

	mu_free(*at);
	*at = mu_strdup(text);
}

static void
change(const struct row *r, void *of)
{
	if (r->text == NULL)
		((unsigned char *)of)[r->column]++;
	else
		text_set(of, r->column, r->text);
	if (r->next_text != NULL)
		text_set(of, r->next_column, r->next_text);
}

static void
bytes_row(void **state)
{
	const struct row *r = *state;
	MU_AUTO(grant_clear) struct grant g = grant_given();
	MU_AUTO(identification_clear) struct identification i = identification_given();
	MU_AUTO(mu_buf_clear) struct mu_buf before = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf after = MU_BUF_INIT;

	if (r->of_identification) {
		identification_encode(&i, &before);
		change(r, &i);
		identification_encode(&i, &after);
	} else {
		grant_encode(&g, &before);
		change(r, &g);
		grant_encode(&g, &after);
	}
	assert_int_equal(r->same, before.size_bytes == after.size_bytes &&
	    memcmp(before.data, after.data, before.size_bytes) == 0);
}

static void
the_two_are_never_the_same_bytes(void **state)
{
	MU_AUTO(grant_clear) struct grant g = grant_given();
	MU_AUTO(identification_clear) struct identification i = identification_given();
	MU_AUTO(mu_buf_clear) struct mu_buf grant = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf identification = MU_BUF_INIT;

	(void)state;
	grant_encode(&g, &grant);
	identification_encode(&i, &identification);
	assert_memory_equal("grant:", grant.data, 6);
	assert_memory_equal("identification:", identification.data, 15);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1];
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, bytes_row, NULL, NULL, &rows[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_two_are_never_the_same_bytes);
	return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
