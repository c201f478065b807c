/* Sources that are polled or read by pages, against a real slapd: what was found, and nobody lost. */
#include "stage.h"

#include <dirent.h>

#define MANY	3000		/* six pages */

struct row {
	const char *name;
	enum settings_follow follow;
	void (*play)(enum settings_follow follow);
};

static void
stage_make(struct stage *x, enum settings_follow follow, const char *names, const char *groups)
{
	slapd_make(&x->slapd);
	stage_follow(x, follow, names, groups);
	complete(x, "first read");
}

/* Nobody was lost since the counts were reset. */
static void
nobody_lost(struct stage *x, const char *names)
{
	model_names_check(x->model, DIRECTORY_PEOPLE, names);
	assert_int_equal(0, people(x)->missing_count + people(x)->removed_count);
}

/* --- Both ------------------------------------------------------------------------------------------ */

static void
changes_are_found(enum settings_follow follow)
{
	struct stage x;
	struct mu_uuid ana;

	stage_make(&x, follow, "ana ben cem", "staff crew");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	model_names_check(x.model, DIRECTORY_GROUPS, "crew staff");
	ana = model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->entry_uuid;
	/* Only what is mapped, and the key is no attribute. */
	assert_string_equal("10:department1:5:Sales4:mail1:15:ana@example.org4:name1:10:Person ana3:uid1:3:ana",
	    model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->text);
	assert_string_equal(READER "\nuid=ana," PEOPLE "\n",
	    model_by_name(x.model, DIRECTORY_GROUPS, "staff")->text);

	person_add(&x.slapd, "dora", NULL, NULL, 0);
	names_wait(&x, "ana ben cem dora");
	person_set(&x.slapd, "ben", "departmentNumber", "Finance");
	text_wait(&x, DIRECTORY_PEOPLE, "ben", "7:Finance");
	person_rename(&x.slapd, "uid=ana," PEOPLE, "uid=anna", NULL);
	names_wait(&x, "anna ben cem dora");
	assert_true(mu_uuid_equal(&ana, &model_by_name(x.model, DIRECTORY_PEOPLE, "anna")->entry_uuid));
	person_set(&x.slapd, "cem", "employeeType", "robot");
	names_wait(&x, "anna ben dora");
	person_set(&x.slapd, "cem", "employeeType", NULL);
	names_wait(&x, "anna ben cem dora");
	person_rename(&x.slapd, "uid=ben," PEOPLE, "uid=ben", "ou=elsewhere," SUFFIX);
	names_wait(&x, "anna cem dora");
	person_delete(&x.slapd, "dora");
	names_wait(&x, "anna cem");
	attribute_set_on(&x.slapd, x.slapd.admin, "cn=staff," GROUPS, "member", "uid=cem," PEOPLE, LDAP_MOD_ADD);
	text_wait(&x, DIRECTORY_GROUPS, "staff", "uid=cem," PEOPLE);
	must(&x.slapd, ldap_delete_ext_s(x.slapd.admin, "cn=staff," GROUPS, NULL, NULL), "delete");
	read_wait(&x, "the group is gone");
	model_names_check(x.model, DIRECTORY_GROUPS, "crew");
	assert_int_equal(0, x.model->people_early_count);
	assert_int_equal(follow == SETTINGS_FOLLOW_POLL, people(&x)->cookie.size_bytes > 0);
	stage_close(&x);
}

/* An organisation that changes its mind about follow must not lose and hire everybody. */
static void
people_are_who_they_were_under_another_provider(enum settings_follow follow)
{
	struct stage x;
	struct mu_buf before = MU_BUF_INIT, after = MU_BUF_INIT;
	struct mu_uuid ana;

	stage_make(&x, SETTINGS_FOLLOW_PERSIST, "ana ben cem", "staff");
	ana = model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->entry_uuid;
	model_close(x.model);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		enum directory_search search = (enum directory_search)i;

		mu_buf_reset(&before);
		mu_buf_reset(&after);
		x.source.follow = SETTINGS_FOLLOW_PERSIST;
		directory_shape(&x.source, search, &before);
		x.source.follow = follow;
		directory_shape(&x.source, search, &after);
		assert_string_not_equal(mu_buf_text(&before), mu_buf_text(&after));
		mu_buf_reset(&x.model->searches[i].cookie);
	}
	model_open(x.model, &x.source);
	complete(&x, "read by another provider");
	nobody_lost(&x, "ana ben cem");
	assert_int_equal(1, people(&x)->full_count);
	assert_true(mu_uuid_equal(&ana, &model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->entry_uuid));
	mu_buf_clear(&before);
	mu_buf_clear(&after);
	stage_close(&x);
}

static void
P5_10_a_stopped_server_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	slapd_end(&x.slapd, SIGTERM);
	verdict_wait(&x, VERDICT_UNREACHABLE, "slapd is away");
	nobody_lost(&x, "ana ben cem");
	slapd_start(&x.slapd);
	complete(&x, "slapd is back");
	nobody_lost(&x, "ana ben cem");
	slapd_end(&x.slapd, SIGKILL);
	verdict_wait(&x, VERDICT_UNREACHABLE, "slapd was killed");
	slapd_start(&x.slapd);
	person_delete(&x.slapd, "ben");
	names_wait(&x, "ana cem");
	stage_close(&x);
}

static void
P5_10_a_hung_server_removes_nobody(enum settings_follow follow)
{
	struct stage x;
	struct directory_timing impatient = model_timing;

	slapd_make(&x.slapd);
	stage_follow(&x, follow, "ana ben", "staff");
	impatient.bind_ms = 300;
	directory_timing_set(x.model->directory, &impatient);
	complete(&x, "first read");
	(void)kill(x.slapd.pid, SIGSTOP);
	verdict_wait(&x, VERDICT_UNREACHABLE, "hangs");
	(void)kill(x.slapd.pid, SIGCONT);
	complete(&x, "goes on");
	nobody_lost(&x, "ana ben");
	stage_close(&x);
}

static void
P5_10_cut_access_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	rules_set(&x.slapd, "to * by anonymous auth by * none");
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	person_delete(&x.slapd, "ben");
	verdict_wait(&x, VERDICT_UNREACHABLE, "the base is not there for us");
	nobody_lost(&x, "ana ben cem");
	rules_set(&x.slapd, "to dn.one=\"" PEOPLE "\" by anonymous auth by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	person_set(&x.slapd, "cem", "departmentNumber", "Finance");
	verdict_wait(&x, VERDICT_EMPTY, "nobody is visible");
	nobody_lost(&x, "ana ben cem");
	/* nor are the groups */
	x.model->refuse_empty_groups = true;
	rules_set(&x.slapd, "to dn.one=\"" GROUPS "\" by anonymous auth by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	if (follow == SETTINGS_FOLLOW_PAGED) {
		verdict_wait(&x, VERDICT_TRUNCATED, "no groups where there were some");
		assert_non_null(strstr(x.model->text, "no group is visible"));
	}
	model_names_check(x.model, DIRECTORY_GROUPS, "staff");
	rules_set(&x.slapd, "to * by * read");
	complete(&x, "access again");
	names_wait(&x, "ana cem");
	model_names_check(x.model, DIRECTORY_GROUPS, "staff");
	stage_close(&x);
}

static void
P5_10_a_changed_password_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	attribute_set_on(&x.slapd, x.slapd.admin, READER, "userPassword", "another", LDAP_MOD_REPLACE);
	verdict_wait(&x, VERDICT_UNREACHABLE, "refused");
	assert_non_null(strstr(x.model->text, "Invalid credentials"));
	nobody_lost(&x, "ana ben cem");
	attribute_set_on(&x.slapd, x.slapd.admin, READER, "userPassword", PASSWORD, LDAP_MOD_REPLACE);
	complete(&x, "accepted again");
	stage_close(&x);
}

static void
P5_10_an_emptied_directory_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	slapd_end(&x.slapd, SIGTERM);
	slapd_load(&x.slapd, "", "staff");
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_EMPTY, "no people");
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "rm -r %s/db && mkdir %s/db", x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_UNREACHABLE, "no suffix");
	nobody_lost(&x, "ana ben cem");
	stage_close(&x);
}

static void
P5_10_the_size_limit_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	slapd_make(&x.slapd);
	stage_follow(&x, follow, "ana", "staff");
	model_close(x.model);
	slapd_end(&x.slapd, SIGTERM);
	many_ldif(&x.slapd, 150, 20);
	slapd_start(&x.slapd);
	model_open(x.model, &x.source);
	complete(&x, "first read");
	assert_int_equal(150, people(&x)->rows.count);
	model_close(x.model);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)	/* a poll from a cookie would list nobody */
		mu_buf_reset(&x.model->searches[i].cookie);
	limit_set(&x, "dn.exact=\"" READER "\" size=100");
	model_open(x.model, &x.source);
	verdict_wait(&x, VERDICT_TRUNCATED, "size limit");
	assert_non_null(strstr(x.model->text, "limit"));
	assert_int_equal(150, people(&x)->rows.count);
	assert_int_equal(0, people(&x)->refreshed_count);
	limit_set(&x, NULL);
	complete(&x, "unlimited");
	assert_int_equal(150, people(&x)->rows.count);
	assert_int_equal(0, people(&x)->missing_count + people(&x)->removed_count);
	stage_close(&x);
}

static void
bad_entries_wait_until_they_are_mended(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	person_add(&x.slapd, "dora", "jpegPhoto", "\xff\xd8\xff", 3);
	person_add(&x.slapd, "eva", NULL, NULL, 0);
	names_wait(&x, "ana ben cem eva");
	assert_true(people(&x)->quarantined_count > 0);
	assert_string_equal("jpegPhoto is not UTF-8 text", people(&x)->reason);
	/* one that was good: a rule hides her uid, which changes nothing about the entry itself */
	rules_set(&x.slapd, "to dn.exact=\"uid=ana," PEOPLE "\" attrs=uid by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	people(&x)->quarantined_count = 0;
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	model_run(x.model, quarantined_is_there, 10000, "no uid");
	read_wait(&x, "all the same");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem eva");
	assert_int_equal(VERDICT_COMPLETE, x.model->verdict);
	rules_set(&x.slapd, "to * by * read");
	text_wait(&x, DIRECTORY_PEOPLE, "ana", "Finance");
	person_set(&x.slapd, "dora", "jpegPhoto", NULL);
	names_wait(&x, "ana ben cem dora eva");
	assert_int_equal(0, people(&x)->missing_count);
	stage_close(&x);
}

static void
a_refused_slice_is_read_again(enum settings_follow follow)
{
	struct stage x;

	slapd_make(&x.slapd);
	stage_follow(&x, follow, "ana ben", "staff");
	x.model->refuse_slices = 2;
	complete(&x, "complete at last");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben");
	assert_int_equal(1, x.model->verdict_count);	/* the directory was never at fault */
	stage_close(&x);
}

static size_t
open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	(void)closedir(folder);
	return count;
}

/* Between reads there is no connection, and there are as many reads as were asked for. */
static void
reads_are_paused_and_leave_nothing_open(enum settings_follow follow)
{
	struct stage x;
	size_t open_before;
	int64_t began_ms;

	stage_make(&x, follow, "ana ben cem", "staff");
	model_close(x.model);
	open_before = open_files();
	x.source.every_ms = 500;
	model_open(x.model, &x.source);
	complete(&x, "first read");
	began_ms = mu_tick_ms();
	assert_int_equal(open_before, open_files());
	want_reads = 2;
	model_run(x.model, reads_are_there, 20000, "second read");
	assert_true(mu_tick_ms() - began_ms >= 490);
	x.source.every_ms = 5;
	want_reads = 30;
	model_run(x.model, reads_are_there, 30000, "many reads");
	assert_true(open_files() <= open_before + 1);
	assert_int_equal(1, x.model->verdict_count);
	nobody_lost(&x, "ana ben cem");
	stage_close(&x);
}

/* --- Polled: the cookie is kept ---------------------------------------------------------------------- */

static void
a_poll_begins_where_the_last_one_ended(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem dora", "staff");
	assert_int_equal(1, people(&x)->full_count);
	assert_int_equal(DIRECTORY_FULL_LISTED, people(&x)->how);
	person_set(&x.slapd, "cem", "departmentNumber", "Finance");
	text_wait(&x, DIRECTORY_PEOPLE, "cem", "7:Finance");
	read_wait(&x, "nothing new");
	assert_int_equal(DIRECTORY_DELTA, people(&x)->how);
	assert_int_equal(1, people(&x)->full_count);
	assert_int_equal(4 + 1, people(&x)->entry_count);
	/* and of the daemon before */
	model_close(x.model);
	person_delete(&x.slapd, "ben");
	person_add(&x.slapd, "eva", NULL, NULL, 0);
	model_open(x.model, &x.source);
	complete(&x, "resumed");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana cem dora eva");
	assert_int_equal(0, people(&x)->full_count);
	assert_int_equal(1, people(&x)->removed_count);
	assert_int_equal(1, people(&x)->entry_count);
	stage_close(&x);
}

static void
a_poll_finds_who_left_while_slapd_forgot(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	model_close(x.model);
	person_delete(&x.slapd, "ben");
	slapd_end(&x.slapd, SIGTERM);
	slapd_start(&x.slapd);		/* its session log is gone */
	model_open(x.model, &x.source);
	complete(&x, "listed");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana cem");
	assert_int_equal(DIRECTORY_PRESENT_LISTED, people(&x)->how);
	assert_int_equal(1, people(&x)->missing_count);
	stage_close(&x);
}

static void
P5_10_a_restored_backup_is_stale_and_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben", "staff");
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "cp -r %s/db %s/backup", x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	person_add(&x.slapd, "cem", NULL, NULL, 0);
	names_wait(&x, "ana ben cem");
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "rm -r %s/db && mv %s/backup %s/db", x.slapd.folder, x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_STALE, "the backup is older");
	nobody_lost(&x, "ana ben cem");
	stage_close(&x);
}

static void
P5_10_the_last_one_deleted_is_not_believed(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben", "staff");
	person_delete(&x.slapd, "ana");
	names_wait(&x, "ben");
	person_delete(&x.slapd, "ben");
	verdict_wait(&x, VERDICT_EMPTY, "nobody is left");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ben");
	stage_close(&x);
}

static void
a_garbage_cookie_is_a_full_read(enum settings_follow follow)
{
	static const char *const garbages[] = { "no cookie at all", "rid=000,csn=yesterday",
		"csn=20200101000000.000000Z#000000#000#000000",
		"rid=000,csn=20200101000000.000000Z#000000#00a#000000" };
	struct stage x;

	stage_make(&x, follow, "ana ben cem dora eva", "staff");
	for (size_t i = 0; i < MU_COUNT(garbages); i++) {
		char leaver[2][8] = { "ana", "ben" };

		model_close(x.model);
		person_set(&x.slapd, leaver[i % 2], "employeeType", i < 2 ? "robot" : NULL);
		mu_buf_reset(&people(&x)->cookie);
		mu_buf_text_add(&people(&x)->cookie, garbages[i]);
		model_open(x.model, &x.source);
		complete(&x, garbages[i]);
		names_wait(&x, i == 0 ? "ben cem dora eva" : i == 1 ? "cem dora eva" :
		    i == 2 ? "ana cem dora eva" : "ana ben cem dora eva");
		assert_true(strstr(mu_buf_text(&people(&x)->cookie), "rid=") != NULL);
		assert_true(strcmp(mu_buf_text(&people(&x)->cookie), garbages[i]) != 0);
	}
	stage_close(&x);
}

/* --- By pages ------------------------------------------------------------------------------------------ */

static void
many_open(struct stage *x, enum settings_follow follow, size_t count, int note_bytes)
{
	slapd_make(&x->slapd);
	stage_follow(x, follow, "ana", "staff");
	model_close(x->model);
	slapd_end(&x->slapd, SIGTERM);
	many_ldif(&x->slapd, count, note_bytes);
	slapd_start(&x->slapd);
	model_open(x->model, &x->source);
}

static void
a_read_may_end_with_a_full_page(enum settings_follow follow)
{
	static const size_t counts[] = { 499, 500, 501, 1000 };

	for (size_t i = 0; i < MU_COUNT(counts); i++) {
		struct stage x;

		many_open(&x, follow, counts[i], 20);
		complete(&x, "read");
		assert_int_equal(counts[i], people(&x)->rows.count);
		assert_true(x.model->slice_entries_max <= DIRECTORY_SLICE_ENTRIES);
		read_wait(&x, "again");
		assert_int_equal(0, people(&x)->missing_count);
		stage_close(&x);
	}
}

static size_t want_entries;

static bool
entries_are_there(struct model *m)
{
	return m->searches[DIRECTORY_PEOPLE].entry_count >= want_entries && !m->in_slice;
}

static void
P5_10_a_server_killed_between_pages_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	many_open(&x, follow, MANY, 20);
	complete(&x, "first read");
	for (size_t pages = 1; pages <= 3; pages++) {	/* of six: some are left to be told */
		model_close(x.model);
		model_open(x.model, &x.source);
		want_entries = pages * 500;
		model_run(x.model, entries_are_there, 20000, "some pages have come");
		slapd_end(&x.slapd, SIGKILL);
		verdict_wait(&x, VERDICT_TRUNCATED, "killed");
		assert_int_equal(0, people(&x)->refreshed_count);
		assert_int_equal(MANY, people(&x)->rows.count);
		slapd_start(&x.slapd);
		complete(&x, "started again");
		assert_int_equal(MANY, people(&x)->rows.count);
		assert_int_equal(0, people(&x)->missing_count);
	}
	stage_close(&x);
}

/* Whoever is there all the while is found, whatever else happens between pages. */
static void
P5_10_entries_that_change_between_pages_are_not_lost(enum settings_follow follow)
{
	struct stage x;
	struct model_row *moved;

	many_open(&x, follow, MANY, 20);
	complete(&x, "first read");
	model_close(x.model);
	x.source.every_ms = 60000;	/* the next read is another matter */
	model_open(x.model, &x.source);
	want_entries = 500;
	model_run(x.model, entries_are_there, 20000, "the first page has come");
	assert_int_equal(0, people(&x)->refreshed_count);
	person_delete(&x.slapd, "p000001");	/* told already: goes with the next read */
	person_delete(&x.slapd, "p002998");	/* not yet told: goes with this one */
	person_rename(&x.slapd, "uid=p000002," PEOPLE, "uid=p000002x", NULL);
	person_rename(&x.slapd, "uid=p002997," PEOPLE, "uid=p002997x", NULL);
	person_set(&x.slapd, "p000003", "departmentNumber", "Finance");
	person_set(&x.slapd, "p002996", "departmentNumber", "Finance");
	person_set(&x.slapd, "p002995", "employeeType", "robot");
	person_add(&x.slapd, "zoe", NULL, NULL, 0);
	complete(&x, "this read");
	assert_int_equal(2, people(&x)->missing_count);		/* p002998 and p002995 */
	assert_non_null(model_by_name(x.model, DIRECTORY_PEOPLE, "p000001"));
	assert_null(model_by_name(x.model, DIRECTORY_PEOPLE, "p002998"));
	assert_non_null(model_by_name(x.model, DIRECTORY_PEOPLE, "p002997x"));
	assert_non_null(strstr(model_by_name(x.model, DIRECTORY_PEOPLE, "p002996")->text, "Finance"));
	model_close(x.model);
	model_open(x.model, &x.source);
	complete(&x, "the next read");
	assert_int_equal(1, people(&x)->missing_count);		/* p000001 */
	moved = model_by_name(x.model, DIRECTORY_PEOPLE, "p000002x");
	assert_non_null(moved);
	assert_string_equal("uid=p000002x," PEOPLE, moved->dn);
	assert_non_null(strstr(model_by_name(x.model, DIRECTORY_PEOPLE, "p000003")->text, "Finance"));
	assert_non_null(model_by_name(x.model, DIRECTORY_PEOPLE, "zoe"));
	assert_int_equal(MANY - 3 + 1, people(&x)->rows.count);
	stage_close(&x);
}

static void
P5_10_hidden_keys_remove_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	rules_set(&x.slapd, "to dn.exact=\"uid=ana," PEOPLE "\" attrs=entryUUID by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	person_delete(&x.slapd, "ben");
	verdict_wait(&x, VERDICT_TRUNCATED, "ana cannot be told apart");
	assert_non_null(strstr(x.model->text, "entryUUID"));
	assert_string_equal("it has no entryUUID", people(&x)->reason);
	read_wait(&x, "again");
	nobody_lost(&x, "ana ben cem");
	rules_set(&x.slapd, "to * by * read");
	names_wait(&x, "ana cem");
	complete(&x, "all is told");
	stage_close(&x);
}

/* The server's own page is smaller than ours: it says so with a limit, and an operator can lift it. */
static void
P5_10_a_smaller_page_limit_removes_nobody(enum settings_follow follow)
{
	struct stage x;

	stage_make(&x, follow, "ana ben cem", "staff");
	limit_set(&x, "dn.exact=\"" READER "\" size.pr=2");
	verdict_wait(&x, VERDICT_TRUNCATED, "pages of two at most");
	assert_non_null(strstr(x.model->text, "limit"));
	nobody_lost(&x, "ana ben cem");
	stage_close(&x);
}

static void
a_large_directory_is_read_whole(enum settings_follow follow)
{
	full_read(follow, 24000);
}

#define POLLED(f)	{ "poll: " #f, SETTINGS_FOLLOW_POLL, f }
#define PAGED(f)	{ "paged: " #f, SETTINGS_FOLLOW_PAGED, f }
#define BOTH(f)		POLLED(f), PAGED(f)

static struct row rows[] = {
	BOTH(changes_are_found),
	BOTH(people_are_who_they_were_under_another_provider),
	BOTH(P5_10_a_stopped_server_removes_nobody),
	BOTH(P5_10_a_hung_server_removes_nobody),
	BOTH(P5_10_cut_access_removes_nobody),
	BOTH(P5_10_a_changed_password_removes_nobody),
	BOTH(P5_10_an_emptied_directory_removes_nobody),
	BOTH(P5_10_the_size_limit_removes_nobody),
	BOTH(bad_entries_wait_until_they_are_mended),
	BOTH(a_refused_slice_is_read_again),
	BOTH(reads_are_paused_and_leave_nothing_open),
	POLLED(a_poll_begins_where_the_last_one_ended),
	POLLED(a_poll_finds_who_left_while_slapd_forgot),
	POLLED(P5_10_a_restored_backup_is_stale_and_removes_nobody),
	POLLED(P5_10_the_last_one_deleted_is_not_believed),
	POLLED(a_garbage_cookie_is_a_full_read),
	PAGED(a_read_may_end_with_a_full_page),
	PAGED(P5_10_a_server_killed_between_pages_removes_nobody),
	PAGED(P5_10_entries_that_change_between_pages_are_not_lost),
	PAGED(P5_10_hidden_keys_remove_nobody),
	PAGED(P5_10_a_smaller_page_limit_removes_nobody),
	BOTH(a_large_directory_is_read_whole),
};

static void
row_play(void **state)
{
	struct row *r = *state;

	r->play(r->follow);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, row_play, NULL, NULL, &rows[i] };
	return _cmocka_run_group_tests("directory/provider", tests, MU_COUNT(tests), NULL, NULL);
}
