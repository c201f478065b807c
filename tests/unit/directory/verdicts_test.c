/*
 * verdicts_test.c - a real slapd in the conditions that make a read worth less than it seems
 *
 * In each of them nobody is lost, and once it is mended everything flows again.
 */
#include "stage.h"

#include "cutter.h"

#define COUNT	40
#define STEP	61	/* bytes of the server's answers: less than one of them */
#define MANY	4000

/* Connects again at once. */
static const struct directory_timing eager = {
	.bind_ms = 5000, .again_min_ms = 1, .again_max_ms = 4, .silence_ms = 4000, .heartbeat_ms = 3000,
	.answer_ms = 3000, .reread_min_ms = 100, .reread_max_ms = 400, .tick_ms = 5, .nap_us = 0,
};

static bool seen[VERDICT_EMPTY + 1];

static bool
completes_and_tells(struct model *m)
{
	seen[m->verdict] = true;
	return model_is_complete(m);
}

static struct stage
forty_open(int sessionlog)
{
	struct stage x = { .model = NULL };

	slapd_make(&x.slapd);
	x.slapd.sessionlog = sessionlog;
	stage_open(&x, "ana", "staff");
	model_close(x.model);
	slapd_end(&x.slapd, SIGTERM);
	many_ldif(&x.slapd, COUNT, 20);
	slapd_start(&x.slapd);
	x.model->timing = &eager;
	model_open(x.model, &x.source);
	complete(&x, "first read");
	assert_int_equal(COUNT, people(&x)->rows.count);
	model_close(x.model);
	return x;
}

/* Reads once more, on a way that is cut sooner or later, until it is not. */
static void
cut_at_many_points(struct stage *x, size_t least)
{
	struct cutter cutter;

	cutter_open(&cutter, x->slapd.uri, STEP);
	x->source.uri = cutter.uri;
	(void)memset(seen, 0, sizeof(seen));
	model_open(x->model, &x->source);
	model_run(x->model, completes_and_tells, 60000, "not cut any more");
	assert_true(seen[VERDICT_UNREACHABLE]);
	assert_true(seen[VERDICT_TRUNCATED]);
	print_message("%zu connections, %zu bytes\n", cutter.told->connections, cutter.told->bytes);
	assert_true(cutter.told->connections > least);
	assert_int_equal(0, cutter.told->beside);
	model_close(x->model);
	cutter_close(&cutter);
	x->source.uri = x->slapd.uri;
}

static void
P5_10_a_full_read_that_is_cut_at_many_points_removes_nobody(void **state)
{
	struct stage x = forty_open(100);

	(void)state;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		mu_buf_reset(&x.model->searches[i].cookie);
	cut_at_many_points(&x, 100);
	assert_int_equal(COUNT, people(&x)->rows.count);
	assert_int_equal(0, people(&x)->missing_count + people(&x)->removed_count);
	assert_int_equal(1, people(&x)->refreshed_count);
	stage_close(&x);
}

/* Three leave while nobody looks; slapd names those who are there, or those who left. */
static void
three_leave(int sessionlog)
{
	struct stage x = forty_open(sessionlog);
	char uid[32];

	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(uid, sizeof(uid), "p%06d", i);
		if (i < 3)
			person_delete(&x.slapd, uid);
		else if (i < COUNT / 2)
			person_set(&x.slapd, uid, "departmentNumber", "Finance");
	}
	if (sessionlog == 0) {
		slapd_end(&x.slapd, SIGTERM);
		slapd_start(&x.slapd);
	}
	cut_at_many_points(&x, 40);
	assert_int_equal(COUNT - 3, people(&x)->rows.count);
	/* some are named again, on the next connection */
	assert_true(people(&x)->missing_count + people(&x)->removed_count >= 3);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(uid, sizeof(uid), "p%06d", i);
		assert_true((model_by_name(x.model, DIRECTORY_PEOPLE, uid) != NULL) == (i >= 3));
	}
	stage_close(&x);
}

static void
P5_10_a_present_phase_that_is_cut_at_many_points_removes_who_left_alone(void **state)
{
	(void)state;
	three_leave(0);
}

static void
P5_10_a_delete_phase_that_is_cut_at_many_points_removes_who_left_alone(void **state)
{
	(void)state;
	three_leave(100);
}

static void
P5_10_a_renamed_base_removes_nobody(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first read");
	person_rename(&x.slapd, PEOPLE, "ou=staff", NULL);
	reader_again(&x);
	verdict_wait(&x, VERDICT_UNREACHABLE, "no base");
	assert_non_null(strstr(x.model->text, "No such object"));
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	person_rename(&x.slapd, "ou=staff," SUFFIX, "ou=people", NULL);
	complete(&x, "as it was");
	person_add(&x.slapd, "dora", NULL, NULL, 0);
	names_wait(&x, "ana ben cem dora");
	assert_int_equal(0, people(&x)->missing_count);
	assert_true(people(&x)->removed_count <= 1);	/* slapd may name the base itself, which is nobody */
	stage_close(&x);
}

static struct limit_row {
	const char *name, *limit, *text;
	bool dozes;			/* the reader stands still for longer than the limit */
} limit_rows[] = {
	{ "P5_10_the_size_limit_removes_nobody", "size=100", "Size limit", false },
	{ "P5_10_the_time_limit_removes_nobody", "time=1", "Time limit", true },
	{ "P5_10_the_administrators_limit_removes_nobody", "size.unchecked=100", "Administrative limit",
	    false },
};
static bool dozes;

/* slapd counts whole seconds: a limit of one is over within two. */
static bool
is_cut_short(struct model *m)
{
	if (dozes && m->searches[DIRECTORY_PEOPLE].entry_count > 0) {
		(void)poll(NULL, 0, 2100);
		dozes = false;
	}
	return m->verdict == VERDICT_TRUNCATED;
}

/* One server for all limits: each is set, seen, and lifted again. */
static struct stage limited;

static int
limited_open(void **state)
{
	(void)state;
	limited = (struct stage){ .model = NULL };
	slapd_make(&limited.slapd);
	stage_open(&limited, "ana", "staff");
	model_close(limited.model);
	slapd_end(&limited.slapd, SIGTERM);
	many_ldif(&limited.slapd, MANY, 4000);	/* 16 MB: more than the sockets hold */
	slapd_start(&limited.slapd);
	model_open(limited.model, &limited.source);
	complete(&limited, "first read");
	model_close(limited.model);
	return 0;
}

static int
limited_close(void **state)
{
	(void)state;
	stage_close(&limited);
	return 0;
}

static void
limit_row_holds(void **state)
{
	const struct limit_row *r = *state;
	struct stage *x = &limited;
	char limit[200];

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		mu_buf_reset(&x->model->searches[i].cookie);
	model_counts_reset(x->model);
	dozes = r->dozes;
	(void)snprintf(limit, sizeof(limit), "dn.exact=\"" READER "\" %s", r->limit);
	limit_set(x, limit);
	model_open(x->model, &x->source);
	model_run(x->model, is_cut_short, 20000, r->limit);
	if (strstr(x->model->text, r->text) == NULL)
		fail_msg("%s", x->model->text);
	limit_set(x, NULL);
	complete(x, "no limit any more");
	assert_int_equal(MANY, people(x)->rows.count);
	assert_int_equal(0, people(x)->missing_count + people(x)->removed_count);
	model_close(x->model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P5_10_a_full_read_that_is_cut_at_many_points_removes_nobody),
		cmocka_unit_test(P5_10_a_present_phase_that_is_cut_at_many_points_removes_who_left_alone),
		cmocka_unit_test(P5_10_a_delete_phase_that_is_cut_at_many_points_removes_who_left_alone),
		cmocka_unit_test(P5_10_a_renamed_base_removes_nobody),
	};
	struct CMUnitTest limits[MU_COUNT(limit_rows)];

	(void)signal(SIGPIPE, SIG_IGN);		/* as every process of musterd does */
	for (size_t i = 0; i < MU_COUNT(limit_rows); i++)
		limits[i] = (struct CMUnitTest){ limit_rows[i].name, limit_row_holds, NULL, NULL, &limit_rows[i] };
	return cmocka_run_group_tests_name("directory/verdicts", tests, NULL, NULL) +
	    cmocka_run_group_tests_name("directory/limits", limits, limited_open, limited_close);
}
