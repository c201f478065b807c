/* provision/worker.h against fake/world.h: lives of accounts, ended and taken up again at every point. */
#include "provision/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/memory/memory.h"
#include "fake/world.h"

#define EVERY_RIGHT	"group a\ngroup b\nroom r member\n"
#define TURNS		400

static const struct stage {
	enum account_state state;
	const char *rights;
	bool urgent;
	const char *look;
} life[] = {
	{ ACCOUNT_DISABLED, "group a\n", false, "disabled,a" },		/* not identified yet */
	{ ACCOUNT_ENABLED, "group a\nroom r member\n", false, "enabled,a,r:member" },
	{ ACCOUNT_ENABLED, "group b\nroom r owner\n", true, "enabled,b,r:owner" },
	{ ACCOUNT_DISABLED, "", true, "disabled" },
	{ ACCOUNT_ENABLED, "group a\n", false, "enabled,a" },
	{ ACCOUNT_ABSENT, "", true, "absent" },
	{ ACCOUNT_ENABLED, "group b\n", false, "enabled,b" },		/* rehired */
	{ ACCOUNT_ABSENT, "", true, "absent" },
};

static void
platform_check(struct world *w, const struct world_account *a, const struct stage *s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf look = MU_BUF_INIT;
	const char *name = a->work.want.name;
	bool open = s->state == ACCOUNT_ENABLED;

	world_look(w, name, EVERY_RIGHT, &look);
	assert_string_equal(s->look, mu_buf_text(&look));
	assert_int_equal(open, memory_login(w->adapter, name, a->password));
	if (!open)
		assert_int_equal(0, memory_sessions(w->adapter, name));
	if (open)
		assert_true(a->claimable);
}

/* The person collects the password, as nearly everyone does. */
static void
collect(struct world_account *a)
{
	if (a->work.credential == CREDENTIAL_CLAIMABLE)
		a->work.credential = CREDENTIAL_CLAIMED;
}

static const char *const names[] = { "jo", "retry.jo", "unknown.jo", "clinging.jo" };

/* A whole life with one fault at its at-th call; false: it had fewer. */
static bool
live(const char *name, enum world_fault fault, size_t at, bool collects)
{
	struct world w;
	struct world_account *a;
	bool reached;

	world_open(&w, "right");
	a = world_account_add(&w, name);
	w.fault = fault;
	w.fault_at = at;
	for (size_t i = 0; i < MU_COUNT(life); i++) {
		world_want(a, life[i].state, life[i].rights, life[i].urgent);
		if (!world_run(&w, TURNS) || a->parked)
			fail_msg("%s: stage %zu does not settle with fault %d at %zu: %s", name, i,
			    (int)fault, at, mu_buf_text(&w.trace));
		platform_check(&w, a, &life[i]);
		if (collects)
			collect(a);
	}
	reached = w.calls >= at;
	world_close(&w);
	return reached;
}

/* The same, but what is wanted moves on while the fault is being mended. */
static bool
live_on(enum world_fault fault, size_t at)
{
	struct world w;
	struct world_account *a;
	bool reached, moved = false;

	world_open(&w, "right");
	a = world_account_add(&w, "jo");
	w.fault = fault;
	w.fault_at = at;
	for (size_t i = 0; i < MU_COUNT(life); i++) {
		world_want(a, life[i].state, life[i].rights, life[i].urgent);
		for (size_t turns = 0; turns < TURNS && !world_run(&w, 1); turns++) {
			if (moved || w.calls < at || i + 1 == MU_COUNT(life))
				continue;
			moved = true;
			i++;
			world_want(a, life[i].state, life[i].rights, life[i].urgent);
		}
		if (!world_run(&w, TURNS))
			fail_msg("stage %zu does not settle with fault %d at %zu", i, (int)fault, at);
		platform_check(&w, a, &life[i]);
		collect(a);
	}
	reached = w.calls >= at;
	world_close(&w);
	return reached;
}

static void
a_life_survives_every_fault_at_every_call(void **state)
{
	size_t points = 0;

	(void)state;
	for (int fault = WORLD_WELL; fault <= WORLD_IS_AWAY; fault++)
		for (size_t name = 0; name < MU_COUNT(names); name++)
			for (size_t at = 1; live(names[name], (enum world_fault)fault, at, at % 2 == 0); at++)
				points++;
	assert_true(points > 1000);
}

static void
what_is_wanted_may_move_on_at_every_call_too(void **state)
{
	size_t points = 0;

	(void)state;
	for (int fault = WORLD_WELL; fault <= WORLD_IS_AWAY; fault++)
		for (size_t at = 1; live_on((enum world_fault)fault, at); at++)
			points++;
	assert_true(points > 300);
}

/* --- One sentence each ---------------------------------------------------------------------- */

static struct world world;

static struct world_account *
stage_set(const char *name, const struct stage *s)
{
	struct world_account *a = world_account_add(&world, name);

	world_want(a, s->state, s->rights, s->urgent);
	assert_true(world_run(&world, TURNS));
	mu_buf_reset(&world.trace);
	return a;
}

static int
world_begin(void **state)
{
	(void)state;
	world_open(&world, "right");
	return 0;
}

static int
world_end(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static void
who_loses_an_account_is_blocked_and_thrown_off_before_it_is_looked_at(void **state)
{
	struct world_account *a = stage_set("jo", &life[1]);

	(void)state;
	world_want(a, ACCOUNT_ABSENT, "", true);
	assert_true(world_run(&world, TURNS));
	assert_string_equal("disable:jo kill:jo get:jo leave:jo leave:jo remove:jo get:jo ",
	    world.trace.data);
	assert_int_equal(1, a->receipts[STEP_DISABLE]);
	assert_int_equal(1, a->receipts[STEP_KILL]);
	assert_int_equal(1, a->receipts[STEP_REMOVE]);
}

static void
a_mover_loses_before_gaining_and_stays_logged_in(void **state)
{
	struct world_account *a = stage_set("jo", &life[1]);

	(void)state;
	world_want(a, ACCOUNT_ENABLED, "group b\nroom r member\n", true);
	assert_true(world_run(&world, TURNS));
	assert_string_equal("get:jo leave:jo join:jo get:jo ", world.trace.data);
	assert_int_equal(1, memory_sessions(world.adapter, "jo"));
}

static void
what_is_as_wanted_costs_one_look(void **state)
{
	struct world_account *a = stage_set("jo", &life[1]);

	(void)state;
	world_want(a, life[1].state, life[1].rights, false);
	assert_true(world_run(&world, TURNS));
	assert_string_equal("get:jo ", world.trace.data);
}

static void
an_account_that_was_there_before_is_never_touched(void **state)
{
	struct world_account *a = stage_set("foreign.jo", &life[1]);

	(void)state;
	assert_true(a->parked);
	assert_string_equal("conflict", a->answer);
	assert_int_equal(0, world.sent[STEP_CREATE] + world.sent[STEP_DISABLE]
	    + world.sent[STEP_SET_CREDENTIAL] + world.sent[STEP_JOIN]);
	world_want(a, ACCOUNT_ABSENT, "", true);
	assert_true(world_run(&world, TURNS));
	assert_string_equal("get:foreign.jo ", world.trace.data);
}

static bool
somebody_else_creates(struct world *w, const struct step *s)
{
	if (s->kind == STEP_GET && w->sent[STEP_GET] == 1)
		world_do(w, STEP_CREATE, s->name);
	return false;
}

static void
a_name_taken_between_look_and_create_is_not_ours_ever_after(void **state)
{
	struct world_account *a = world_account_add(&world, "jo");

	(void)state;
	world.meanwhile = somebody_else_creates;
	world_want(a, life[1].state, life[1].rights, false);
	assert_true(world_run(&world, TURNS));
	assert_true(a->parked);
	assert_false(a->work.owned || a->work.create_begun);
	world_want(a, ACCOUNT_ENABLED, "group b\n", false);
	assert_true(world_run(&world, TURNS));
	assert_true(a->parked);
	assert_int_equal(1, world.sent[STEP_CREATE]);
	assert_int_equal(0, world.sent[STEP_JOIN] + world.sent[STEP_SET_CREDENTIAL]);
}

static void
what_the_platform_refuses_waits_for_people(void **state)
{
	struct world_account *a = stage_set("refused.jo", &life[1]);

	(void)state;
	assert_true(a->parked);
	assert_string_equal("refused", a->answer);
	assert_int_equal(1, a->receipts[STEP_CREATE]);
	assert_int_equal(1, world.sent[STEP_CREATE]);
}

static void
an_answer_that_was_lost_is_looked_up_before_anything_is_asked_again(void **state)
{
	struct world_account *a = stage_set("unknown.jo", &life[1]);

	(void)state;
	assert_int_equal(1, world.sent[STEP_CREATE]);
	assert_int_equal(1, world.sent[STEP_ENABLE]);
	platform_check(&world, a, &life[1]);
}

static struct world_account *leaver;

static bool
leaver_leaves(struct world *w, const struct step *s)
{
	(void)w;
	if (s->kind != STEP_CREATE || leaver->work.want.state == ACCOUNT_ABSENT)
		return false;
	world_want(leaver, ACCOUNT_ABSENT, "", true);
	return true;
}

static void
a_revocation_overtakes_the_account_in_hand(void **state)
{
	struct world_account *joiner;

	(void)state;
	leaver = stage_set("old", &life[1]);
	joiner = world_account_add(&world, "new");
	world.meanwhile = leaver_leaves;
	world_want(joiner, ACCOUNT_ENABLED, "group a\n", false);
	assert_true(world_run(&world, TURNS));
	assert_string_equal("get:new create:new disable:old kill:old get:old leave:old leave:old remove:old "
	    "get:old set-credential:new join:new enable:new get:new ", world.trace.data);
}

static bool
joiner_is_revoked(struct world *w, const struct step *s)
{
	if (s->kind != STEP_JOIN)
		return false;
	world_want(&w->accounts[0], ACCOUNT_ABSENT, "", true);
	return true;
}

static void
who_is_revoked_while_joining_is_never_let_in(void **state)
{
	struct world_account *a = world_account_add(&world, "jo");

	(void)state;
	world.meanwhile = joiner_is_revoked;
	world_want(a, ACCOUNT_ENABLED, "group a\n", false);
	assert_true(world_run(&world, TURNS));
	assert_int_equal(0, world.sent[STEP_ENABLE]);
	platform_check(&world, a, &life[5]);
}

static void
our_own_credential_stops_the_platform_and_blames_nobody(void **state)
{
	struct world_account *a = world_account_add(&world, "jo");

	(void)state;
	mu_secret_set(&world.credential, "wrong", 5);
	world_want(a, life[1].state, life[1].rights, false);
	assert_false(world_run(&world, 50));
	assert_true(world.waiting);
	assert_int_equal(1, world.sent[STEP_GET]);
	assert_int_equal(0, a->work.attempts);
	assert_false(a->parked);
	assert_string_equal("own-credential", a->answer);
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_survives_every_fault_at_every_call),
		cmocka_unit_test(what_is_wanted_may_move_on_at_every_call_too),
		EACH(who_loses_an_account_is_blocked_and_thrown_off_before_it_is_looked_at),
		EACH(a_mover_loses_before_gaining_and_stays_logged_in),
		EACH(what_is_as_wanted_costs_one_look),
		EACH(an_account_that_was_there_before_is_never_touched),
		EACH(a_name_taken_between_look_and_create_is_not_ours_ever_after),
		EACH(what_the_platform_refuses_waits_for_people),
		EACH(an_answer_that_was_lost_is_looked_up_before_anything_is_asked_again),
		EACH(a_revocation_overtakes_the_account_in_hand),
		EACH(who_is_revoked_while_joining_is_never_let_in),
		EACH(our_own_credential_stops_the_platform_and_blames_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
