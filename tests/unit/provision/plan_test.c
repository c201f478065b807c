/* provision/plan.h: each row says what is wanted and seen, and the steps that make one the other. */
#include "provision/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"

#define ALL_STEPS	((1u << STEP_KIND_COUNT) - 1)
#define NO(kind)	(ALL_STEPS & ~(1u << (kind)))
#define CHAT		(ADAPTER_CAN_DISABLE | ADAPTER_CAN_GROUPS | ADAPTER_CAN_ROOMS)

static struct row {
	const char *name;
	enum account_state want;
	const char *want_rights;
	enum account_state seen;
	const char *seen_rights;
	uint32_t sessions_left;
	bool ours, credential;
	uint32_t can, steps;
	enum plan_verdict verdict;
	const char *plan;
} rows[] = {
	{ "a joiner gets account, password and groups, and is let in last",
	    ACCOUNT_ENABLED, "group a\ngroup b\n", ACCOUNT_ABSENT, "", 0, true, true, CHAT, ALL_STEPS,
	    PLAN_STEPS, "create set-credential join:a join:b enable" },
	{ "who is not identified has an account that stays closed",
	    ACCOUNT_DISABLED, "group a\n", ACCOUNT_ABSENT, "", 0, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "create join:a" },
	{ "a mover loses before gaining",
	    ACCOUNT_ENABLED, "group b\ngroup both\n", ACCOUNT_ENABLED, "group a\ngroup both\n", 1, true,
	    false, CHAT, ALL_STEPS, PLAN_STEPS, "leave:a join:b" },
	{ "another level in a room comes before what is new",
	    ACCOUNT_ENABLED, "group a\nroom r member\n", ACCOUNT_ENABLED, "room r owner\n", 0, true, false,
	    CHAT, ALL_STEPS, PLAN_STEPS, "join:r=member join:a" },
	{ "a leaver is blocked, thrown off, stripped and removed",
	    ACCOUNT_ABSENT, "", ACCOUNT_ENABLED, "group a\nroom r member\n", 2, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "disable kill leave:a leave:r remove" },
	{ "a suspended person keeps nothing but the account",
	    ACCOUNT_DISABLED, "", ACCOUNT_ENABLED, "group a\n", 0, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "disable kill leave:a" },
	{ "a session that outlived the block is ended",
	    ACCOUNT_DISABLED, "", ACCOUNT_DISABLED, "", 1, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "kill" },
	{ "who returns is only let in",
	    ACCOUNT_ENABLED, "group a\n", ACCOUNT_DISABLED, "group a\n", 0, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "enable" },
	{ "a new password ends what the old one opened",
	    ACCOUNT_ENABLED, "group a\n", ACCOUNT_ENABLED, "group a\n", 1, true, true, CHAT, ALL_STEPS,
	    PLAN_STEPS, "set-credential kill" },
	{ "who returns with a new password has nothing open to end",
	    ACCOUNT_ENABLED, "group a\n", ACCOUNT_DISABLED, "group a\n", 0, true, true, CHAT, ALL_STEPS,
	    PLAN_STEPS, "set-credential enable" },
	{ "memberships of an account that is gone are taken too",
	    ACCOUNT_ABSENT, "", ACCOUNT_ABSENT, "group a\n", 0, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "leave:a" },
	{ "rights of an account that is wanted absent are not kept",
	    ACCOUNT_ABSENT, "group a\n", ACCOUNT_DISABLED, "group a\n", 0, true, false, CHAT, ALL_STEPS,
	    PLAN_STEPS, "leave:a remove" },
	{ "what is as wanted is left alone",
	    ACCOUNT_ENABLED, "group a\n", ACCOUNT_ENABLED, "group a\n", 3, true, false, CHAT, ALL_STEPS,
	    PLAN_SETTLED, "" },
	{ "an account we never began is never touched",
	    ACCOUNT_ENABLED, "group a\n", ACCOUNT_ENABLED, "", 0, false, true, CHAT, ALL_STEPS,
	    PLAN_ORPHAN, "" },
	{ "nor removed",
	    ACCOUNT_ABSENT, "", ACCOUNT_ENABLED, "", 0, false, false, CHAT, ALL_STEPS,
	    PLAN_SETTLED, "" },
	{ "where nothing can be closed, it is removed instead",
	    ACCOUNT_DISABLED, "", ACCOUNT_ENABLED, "", 0, true, false, CHAT, NO(STEP_DISABLE),
	    PLAN_STEPS, "kill remove" },
	{ "where nothing can be closed, nothing closed is created",
	    ACCOUNT_DISABLED, "", ACCOUNT_ABSENT, "", 0, true, false, CHAT, NO(STEP_DISABLE),
	    PLAN_SETTLED, "" },
	{ "what is created open needs no opening",
	    ACCOUNT_ENABLED, "", ACCOUNT_ABSENT, "", 0, true, false, 0, NO(STEP_DISABLE),
	    PLAN_STEPS, "create" },
	{ "a room where there are no rooms cannot be had",
	    ACCOUNT_ENABLED, "room r member\n", ACCOUNT_ABSENT, "", 0, true, false, ADAPTER_CAN_GROUPS,
	    ALL_STEPS, PLAN_UNABLE, "" },
};

static void
plan_print(const struct plan *p, struct mu_buf *b)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_step *s = &p->list[i];

		mu_buf_format(b, "%s%s", i > 0 ? " " : "", step_kind_name(s->kind));
		if (s->right.name != NULL)
			mu_buf_format(b, ":%s", s->right.name);
		if (s->kind == STEP_JOIN && s->right.level[0] != '\0')
			mu_buf_format(b, "=%s", s->right.level);
	}
}

static void
plan_row(void **state)
{
	struct row *r = *state;
	struct account_want want = { .state = r->want };
	struct observed seen = { .state = r->seen };
	struct plan_facts f = { &want, &seen, r->sessions_left, r->ours, r->credential, r->can, r->steps };
	MU_AUTO(mu_buf_clear) struct mu_buf reason = MU_BUF_INIT, text = MU_BUF_INIT;
	MU_AUTO(plan_clear) struct plan plan = PLAN_INIT;

	assert_true(entitlements_parse(r->want_rights, &want.entitlements));
	assert_true(entitlements_parse(r->seen_rights, &seen.rights));
	assert_int_equal(r->verdict, plan_make(&f, &plan, &reason));
	plan_print(&plan, &text);
	assert_string_equal(r->plan, mu_buf_text(&text));
	assert_int_equal(r->verdict == PLAN_ORPHAN || r->verdict == PLAN_UNABLE, reason.size_bytes > 0);
	account_want_clear(&want);
	observed_clear(&seen);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, plan_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
