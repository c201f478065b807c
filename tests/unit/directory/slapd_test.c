/* The reader against a real slapd: what it holds in the end is what slapd holds, whatever happens. */
#include "stage.h"

#include "directory/login.h"

#define MANY 5000

/* --- The plain course of things -------------------------------------------------------------------------- */

static void
changes_are_followed_as_they_happen(void **state)
{
	struct stage x;
	struct model_row *ana, *staff;
	struct mu_uuid ana_uuid;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	model_names_check(x.model, DIRECTORY_GROUPS, "staff");
	assert_int_equal(DIRECTORY_FULL_LISTED, people(&x)->how);
	assert_true(people(&x)->cookie.size_bytes > 0);
	ana = model_by_name(x.model, DIRECTORY_PEOPLE, "ana");
	ana_uuid = ana->entry_uuid;
	assert_string_equal("uid=ana," PEOPLE, ana->dn);
	/* Only what is mapped was asked for: no sn, no userPassword, no objectClass. */
	assert_string_equal("10:department1:5:Sales4:mail1:15:ana@example.org4:name1:10:Person ana3:uid1:3:ana",
	    ana->text);
	staff = model_by_name(x.model, DIRECTORY_GROUPS, "staff");
	assert_string_equal(READER "\nuid=ana," PEOPLE "\n", staff->text);

	person_add(&x.slapd, "dora", NULL, NULL, 0);
	names_wait(&x, "ana ben cem dora");
	person_set(&x.slapd, "ben", "departmentNumber", "Finance");
	text_wait(&x, DIRECTORY_PEOPLE, "ben", "7:Finance");
	person_rename(&x.slapd, "uid=ana," PEOPLE, "uid=anna", NULL);
	names_wait(&x, "anna ben cem dora");
	ana = model_by_name(x.model, DIRECTORY_PEOPLE, "anna");
	assert_true(mu_uuid_equal(&ana_uuid, &ana->entry_uuid));
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
	assert_int_equal(VERDICT_COMPLETE, x.model->verdict);
	assert_int_equal(1, x.model->verdict_count);
	assert_int_equal(3, people(&x)->removed_count);
	stage_close(&x);
}

static void
the_session_log_tells_what_was_missed(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem dora", "staff");
	complete(&x, "first refresh");
	model_close(x.model);
	person_delete(&x.slapd, "ben");
	person_set(&x.slapd, "cem", "departmentNumber", "Finance");
	person_add(&x.slapd, "eva", NULL, NULL, 0);
	model_open(x.model, &x.source);
	complete(&x, "second refresh");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana cem dora eva");
	assert_int_equal(DIRECTORY_DELTA, people(&x)->how);
	assert_int_equal(0, people(&x)->full_count);
	assert_int_equal(1, people(&x)->removed_count);
	assert_int_equal(2, people(&x)->entry_count);
	stage_close(&x);
}

static void
older_than_the_session_log_is_a_present_phase(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	x.slapd.sessionlog = 2;
	stage_open(&x, "ana ben cem dora", "staff");
	complete(&x, "first refresh");
	model_close(x.model);
	person_delete(&x.slapd, "ben");
	for (int i = 0; i < 10; i++)
		person_set(&x.slapd, "cem", "departmentNumber", i % 2 == 0 ? "Finance" : "Sales");
	person_add(&x.slapd, "eva", NULL, NULL, 0);
	model_open(x.model, &x.source);
	complete(&x, "second refresh");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana cem dora eva");
	assert_int_equal(DIRECTORY_PRESENT_LISTED, people(&x)->how);
	assert_int_equal(0, people(&x)->full_count);
	assert_int_equal(1, people(&x)->missing_count);
	assert_true(people(&x)->present_count > 0);
	stage_close(&x);
}

static void
slapd_started_anew_with_nothing_new_removes_nobody(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	model_counts_reset(x.model);
	slapd_end(&x.slapd, SIGTERM);
	verdict_wait(&x, VERDICT_UNREACHABLE, "slapd is away");
	slapd_start(&x.slapd);
	complete(&x, "slapd is back");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(&x)->full_count);
	assert_int_equal(0, people(&x)->removed_count + people(&x)->missing_count);
	/* and with something new, although its session log is gone */
	model_close(x.model);
	person_delete(&x.slapd, "ana");
	slapd_end(&x.slapd, SIGTERM);
	slapd_start(&x.slapd);
	model_open(x.model, &x.source);
	complete(&x, "slapd is back again");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ben cem");
	stage_close(&x);
}

/* --- Cookies ------------------------------------------------------------------------------------------------ */

static struct garbage {
	const char *name, *cookie;
} garbages[] = {
	{ "garbage cookie: words",		"no cookie at all" },
	{ "garbage cookie: a csn that is none",	"rid=000,csn=yesterday" },
	{ "garbage cookie: without rid",	"csn=20200101000000.000000Z#000000#000#000000" },
	{ "garbage cookie: from another server", "rid=000,csn=20200101000000.000000Z#000000#00a#000000" },
};

static void
garbage_row(void **state)
{
	struct garbage *r = *state;
	struct stage x;

	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	model_close(x.model);
	person_delete(&x.slapd, "ben");
	mu_buf_reset(&people(&x)->cookie);
	mu_buf_text_add(&people(&x)->cookie, r->cookie);
	model_open(x.model, &x.source);
	complete(&x, "complete all the same");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana cem");
	assert_true(strstr(mu_buf_text(&people(&x)->cookie), "rid=") != NULL);
	assert_true(strcmp(mu_buf_text(&people(&x)->cookie), r->cookie) != 0);
	stage_close(&x);
}

static void
a_restored_backup_is_stale(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	complete(&x, "first refresh");
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "cp -r %s/db %s/backup", x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	person_add(&x.slapd, "cem", NULL, NULL, 0);
	names_wait(&x, "ana ben cem");
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "rm -r %s/db && mv %s/backup %s/db", x.slapd.folder, x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_STALE, "the backup is older");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(&x)->removed_count + people(&x)->missing_count);
	stage_close(&x);
}

/* --- Failing directories -------------------------------------------------------------------------------------- */

static bool
some_slices_are_there(struct model *m)
{
	return m->searches[DIRECTORY_PEOPLE].entry_count >= MANY / 4;
}

static void
slapd_killed_in_a_refresh_removes_nobody(void **state)
{
	struct stage x;
	struct directory_timing slow = model_timing;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana", "staff");
	model_close(x.model);
	slapd_end(&x.slapd, SIGTERM);
	many_ldif(&x.slapd, MANY, 4000);	/* 20 MB: more than the sockets hold */
	slapd_start(&x.slapd);
	slow.nap_us = 30000;	/* slapd is still sending when the first quarter has come */
	x.model->timing = &slow;
	model_open(x.model, &x.source);
	complete(&x, "first refresh");
	assert_int_equal(MANY, people(&x)->rows.count);
	assert_true(x.model->slice_entries_max <= DIRECTORY_SLICE_ENTRIES);
	model_close(x.model);
	mu_buf_reset(&people(&x)->cookie);
	model_open(x.model, &x.source);
	model_run(x.model, some_slices_are_there, 20000, "the refresh is under way");
	slapd_end(&x.slapd, SIGKILL);
	verdict_wait(&x, VERDICT_TRUNCATED, "killed");
	assert_int_equal(0, people(&x)->refreshed_count);
	slapd_start(&x.slapd);
	complete(&x, "started again");
	assert_int_equal(MANY, people(&x)->rows.count);
	assert_int_equal(0, people(&x)->missing_count + people(&x)->removed_count);
	assert_int_equal(DIRECTORY_FULL_LISTED, people(&x)->how);
	stage_close(&x);
}

static void
access_cut_while_connected_removes_nobody(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	rules_set(&x.slapd, "to * by anonymous auth by * none");
	/* slapd calls whatever changes now deleted, because we may no longer see it */
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	person_set(&x.slapd, "ben", "departmentNumber", "Finance");
	attribute_set_on(&x.slapd, x.slapd.admin, "cn=staff," GROUPS, "description", "new", LDAP_MOD_REPLACE);
	verdict_wait(&x, VERDICT_EMPTY, "nobody is visible");
	verdict_wait(&x, VERDICT_UNREACHABLE, "nor is the base");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	model_names_check(x.model, DIRECTORY_GROUPS, "staff");
	rules_set(&x.slapd, "to * by * read");
	complete(&x, "access again");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_non_null(strstr(model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->text, "Finance"));
	assert_int_equal(0, people(&x)->removed_count + people(&x)->missing_count);
	stage_close(&x);
}

static void
people_are_asked_for_when_their_groups_are_known(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	assert_int_equal(0, x.model->people_early_count);
	assert_int_equal(1, people(&x)->refreshed_count);
	slapd_end(&x.slapd, SIGTERM);
	verdict_wait(&x, VERDICT_UNREACHABLE, "stopped");
	slapd_start(&x.slapd);
	complete(&x, "started again");
	assert_int_equal(0, x.model->people_early_count);
	assert_int_equal(2, people(&x)->began_count);
	stage_close(&x);
}

static void
access_to_people_cut_before_connecting_is_empty(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	model_close(x.model);
	rules_set(&x.slapd, "to dn.one=\"" PEOPLE "\" by anonymous auth by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	person_delete(&x.slapd, "ben");
	model_open(x.model, &x.source);
	verdict_wait(&x, VERDICT_EMPTY, "nobody is visible");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(&x)->removed_count + people(&x)->missing_count);
	/* and from nothing, too */
	model_close(x.model);
	mu_buf_reset(&people(&x)->cookie);
	model_open(x.model, &x.source);
	verdict_wait(&x, VERDICT_EMPTY, "nobody is visible from nothing");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(&x)->cookie.size_bytes);
	stage_close(&x);
}

static void
a_password_that_no_longer_opens_removes_nobody(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	attribute_set_on(&x.slapd, x.slapd.admin, READER, "userPassword", "another", LDAP_MOD_REPLACE);
	reader_again(&x);
	verdict_wait(&x, VERDICT_UNREACHABLE, "refused");
	assert_non_null(strstr(x.model->text, "Invalid credentials"));
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	stage_close(&x);
}

static void
an_emptied_directory_removes_nobody(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	/* loaded anew without people: a complete listing of nobody */
	slapd_end(&x.slapd, SIGTERM);
	slapd_load(&x.slapd, "", "staff");
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_EMPTY, "no people");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	/* nothing at all, not even the suffix */
	slapd_end(&x.slapd, SIGTERM);
	shell(&x.slapd, "rm -r %s/db && mkdir %s/db", x.slapd.folder, x.slapd.folder);
	slapd_start(&x.slapd);
	verdict_wait(&x, VERDICT_UNREACHABLE, "no suffix");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(&x)->removed_count + people(&x)->missing_count);
	stage_close(&x);
}

static void
everybody_deleted_one_by_one_stops_at_the_last(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	person_delete(&x.slapd, "ana");
	names_wait(&x, "ben cem");
	person_delete(&x.slapd, "ben");
	names_wait(&x, "cem");
	person_delete(&x.slapd, "cem");
	verdict_wait(&x, VERDICT_EMPTY, "nobody is left");
	model_names_check(x.model, DIRECTORY_PEOPLE, "cem");
	stage_close(&x);
}

static void
no_groups_left_is_the_consumers_choice(void **state)
{
	struct stage x;
	struct model_search *groups;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	groups = &x.model->searches[DIRECTORY_GROUPS];
	x.model->refuse_empty_groups = true;
	complete(&x, "first refresh");
	must(&x.slapd, ldap_delete_ext_s(x.slapd.admin, "cn=staff," GROUPS, NULL, NULL), "delete");
	verdict_wait(&x, VERDICT_TRUNCATED, "no group is visible");
	model_names_check(x.model, DIRECTORY_GROUPS, "staff");
	x.model->refuse_empty_groups = false;
	complete(&x, "the consumer agrees");
	assert_int_equal(VERDICT_EMPTY, groups->worth);
	assert_true(groups->cookie.size_bytes > 0);
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben");
	stage_close(&x);
}

static void
the_size_limit_is_truncated(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	x.slapd.extra = "limits dn.exact=\"" READER "\" size=2\n";
	stage_open(&x, "ana ben cem dora", "staff");
	verdict_wait(&x, VERDICT_TRUNCATED, "size limit");
	assert_non_null(strstr(x.model->text, "limit"));
	assert_int_equal(0, people(&x)->refreshed_count);
	stage_close(&x);
}

static void
a_hung_slapd_is_noticed(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	complete(&x, "first refresh");
	(void)kill(x.slapd.pid, SIGSTOP);
	verdict_wait(&x, VERDICT_UNREACHABLE, "stopped");
	(void)kill(x.slapd.pid, SIGCONT);
	complete(&x, "goes on");
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben");
	stage_close(&x);
}

/* --- Bad entries ------------------------------------------------------------------------------------------------ */

static void
bad_entries_wait_their_neighbours_go_on(void **state)
{
	struct stage x;
	char value[32];

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben cem", "staff");
	complete(&x, "first refresh");
	person_add(&x.slapd, "dora", "jpegPhoto", "\xff\xd8\xff", 3);
	person_add(&x.slapd, "eva", NULL, NULL, 0);
	names_wait(&x, "ana ben cem eva");
	assert_int_equal(1, people(&x)->quarantined_count);
	assert_string_equal("jpegPhoto is not UTF-8 text", people(&x)->reason);
	/* one goes bad that was good: what was known of it stands */
	person_set(&x.slapd, "ben", "departmentNumber", "Finance");
	for (int i = 0; i < DIRECTORY_VALUES_MAX; i += 100) {
		LDAPMod mod = { LDAP_MOD_ADD, (char[]){ "description" }, { .modv_strvals = NULL } };
		LDAPMod *list[] = { &mod, NULL };
		char *values[101] = { NULL };

		for (int k = 0; k < 100; k++) {
			(void)snprintf(value, sizeof(value), "value %d", i + k);
			values[k] = mu_strdup(value);
		}
		mod.mod_values = values;
		must(&x.slapd, ldap_modify_ext_s(x.slapd.admin, "uid=ben," PEOPLE, list, NULL, NULL), "modify");
		for (int k = 0; k < 100; k++)
			mu_free(values[k]);
	}
	people(&x)->quarantined_count = 0;
	model_run(x.model, quarantined_is_there, 10000, "too many values");
	assert_string_equal("more than 1000 values", people(&x)->reason);
	model_names_check(x.model, DIRECTORY_PEOPLE, "ana ben cem eva");
	/* a full refresh lists them, bad as they are */
	model_close(x.model);
	mu_buf_reset(&people(&x)->cookie);
	model_open(x.model, &x.source);
	complete(&x, "full refresh");
	assert_int_equal(2, people(&x)->quarantined_count);
	assert_int_equal(0, people(&x)->missing_count);
	/* mended */
	person_set(&x.slapd, "dora", "jpegPhoto", NULL);
	person_set(&x.slapd, "ben", "description", NULL);
	names_wait(&x, "ana ben cem dora eva");
	text_wait(&x, DIRECTORY_PEOPLE, "ben", "Finance");
	stage_close(&x);
}

static void
a_bad_entry_is_read_again_until_it_is_mended(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	complete(&x, "first refresh");
	/* a rule hides her uid: nothing about the entry itself changes, neither now nor when it is lifted */
	rules_set(&x.slapd, "to dn.exact=\"uid=ana," PEOPLE "\" attrs=uid by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	model_run(x.model, quarantined_is_there, 10000, "no uid");
	assert_string_equal("no uid", people(&x)->reason);
	assert_null(strstr(model_by_name(x.model, DIRECTORY_PEOPLE, "ana")->text, "Finance"));
	rules_set(&x.slapd, "to * by * read");
	text_wait(&x, DIRECTORY_PEOPLE, "ana", "Finance");
	assert_int_equal(1, people(&x)->began_count);
	stage_close(&x);
}

/* The consumer's transaction fails just then: no cookie covers a mended entry, so it is read once more. */
static void
a_mended_entry_outlives_a_refused_slice(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	complete(&x, "first refresh");
	rules_set(&x.slapd, "to dn.exact=\"uid=ana," PEOPLE "\" attrs=uid by * none");
	rules_add(&x.slapd, "{1}to * by * read");
	person_set(&x.slapd, "ana", "departmentNumber", "Finance");
	model_run(x.model, quarantined_is_there, 10000, "no uid");
	x.model->refuse_next_entry = true;
	rules_set(&x.slapd, "to * by * read");
	text_wait(&x, DIRECTORY_PEOPLE, "ana", "Finance");
	assert_false(x.model->refuse_next_entry);
	assert_int_equal(2, people(&x)->began_count);
	assert_int_equal(1, people(&x)->full_count);	/* the second was from the cookie */
	stage_close(&x);
}

/* --- TLS, and logins ------------------------------------------------------------------------------------------------ */

static struct tls_row {
	const char *name;
	bool starttls, other_ca, no_tls, works;
} tls_rows[] = {
	{ "TLS: ldaps, the right CA",		false, false, false, true },
	{ "TLS: ldaps, another CA",		false, true, false, false },
	{ "TLS: StartTLS, the right CA",	true, false, false, true },
	{ "TLS: StartTLS, another CA",		true, true, false, false },
	{ "TLS: StartTLS, the server has none",	true, false, true, false },
};

static void
tls_row(void **state)
{
	struct tls_row *r = *state;
	struct stage x;
	char ca[128];

	slapd_make(&x.slapd);
	slapd_certify(&x.slapd);
	x.slapd.tls = !r->no_tls;
	stage_open(&x, "ana", "staff");
	model_close(x.model);
	(void)snprintf(ca, sizeof(ca), "%s/%s.crt", x.slapd.folder, r->other_ca ? "other" : "ca");
	x.source.insecure_plain = false;
	x.source.starttls = r->starttls;
	x.source.uri = r->starttls ? x.slapd.uri : x.slapd.ldaps_uri;
	x.source.ca = ca;
	model_open(x.model, &x.source);
	verdict_wait(&x, r->works ? VERDICT_COMPLETE : VERDICT_UNREACHABLE, r->name);
	model_names_check(x.model, DIRECTORY_PEOPLE, r->works ? "ana" : "");
	stage_close(&x);
}

static struct login_row {
	const char *name, *dn, *password;
	enum login_answer want;
} login_rows[] = {
	{ "login: the right password",	"uid=ana," PEOPLE, "pw-ana", LOGIN_YES },
	{ "login: as normalised",	"UID=ana,ou=PEOPLE," SUFFIX, "pw-ana", LOGIN_YES },
	{ "login: a wrong password",	"uid=ana," PEOPLE, "pw-ben", LOGIN_NO },
	{ "login: an empty password",	"uid=ana," PEOPLE, "", LOGIN_NO },
	{ "login: an empty name",	"", "pw-ana", LOGIN_NO },
	{ "login: nobody we know",	"uid=zoe," PEOPLE, "pw-zoe", LOGIN_NO },
};

struct answer {
	struct mu_loop *loop;
	enum login_answer answer;
	size_t count;
};

static void
answered(void *ctx, enum login_answer answer, const char *text)
{
	struct answer *a = ctx;

	assert_int_equal(answer == LOGIN_YES, text[0] == '\0');
	a->answer = answer;
	a->count++;
	mu_loop_stop(a->loop, 0);
}

static enum login_answer
login(struct stage *x, const char *dn, const char *word)
{
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
	struct answer a = { .loop = x->model->loop };

	mu_secret_set(&secret, word, strlen(word));
	login_ask(x->model->loop, &x->source, dn, &secret, answered, &a);
	assert_int_equal(0, a.count);
	(void)mu_loop_run(x->model->loop);
	assert_int_equal(1, a.count);
	return a.answer;
}

static void
logins_are_yes_no_or_unknown(void **state)
{
	struct stage x;

	(void)state;
	slapd_make(&x.slapd);
	stage_open(&x, "ana ben", "staff");
	model_close(x.model);
	x.source.bind_dn = NULL;	/* a login process has no password of ours */
	x.source.bind_password = NULL;
	for (size_t i = 0; i < MU_COUNT(login_rows); i++)
		if (login(&x, login_rows[i].dn, login_rows[i].password) != login_rows[i].want)
			fail_msg("%s", login_rows[i].name);
	for (size_t i = 0; i < 2 * LOGIN_AT_ONCE_MAX; i++)	/* none is left behind */
		assert_int_equal(LOGIN_YES, login(&x, "uid=ben," PEOPLE, "pw-ben"));
	slapd_end(&x.slapd, SIGTERM);
	assert_int_equal(LOGIN_UNKNOWN, login(&x, "uid=ana," PEOPLE, "pw-ana"));
	stage_close(&x);
}

/* --- Many ------------------------------------------------------------------------------------ */

static void
a_large_directory_is_read_whole(void **state)
{
	(void)state;
	full_read(SETTINGS_FOLLOW_PERSIST, 24000);
}

int
main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(changes_are_followed_as_they_happen),
		cmocka_unit_test(people_are_asked_for_when_their_groups_are_known),
		cmocka_unit_test(the_session_log_tells_what_was_missed),
		cmocka_unit_test(older_than_the_session_log_is_a_present_phase),
		cmocka_unit_test(slapd_started_anew_with_nothing_new_removes_nobody),
		cmocka_unit_test(a_restored_backup_is_stale),
		cmocka_unit_test(slapd_killed_in_a_refresh_removes_nobody),
		cmocka_unit_test(access_cut_while_connected_removes_nobody),
		cmocka_unit_test(access_to_people_cut_before_connecting_is_empty),
		cmocka_unit_test(a_password_that_no_longer_opens_removes_nobody),
		cmocka_unit_test(an_emptied_directory_removes_nobody),
		cmocka_unit_test(everybody_deleted_one_by_one_stops_at_the_last),
		cmocka_unit_test(no_groups_left_is_the_consumers_choice),
		cmocka_unit_test(the_size_limit_is_truncated),
		cmocka_unit_test(a_hung_slapd_is_noticed),
		cmocka_unit_test(bad_entries_wait_their_neighbours_go_on),
		cmocka_unit_test(a_bad_entry_is_read_again_until_it_is_mended),
		cmocka_unit_test(a_mended_entry_outlives_a_refused_slice),
		cmocka_unit_test(logins_are_yes_no_or_unknown),
		cmocka_unit_test(a_large_directory_is_read_whole),
	};
	struct CMUnitTest tests[MU_COUNT(fixed) + MU_COUNT(garbages) + MU_COUNT(tls_rows)];
	size_t count = MU_COUNT(fixed);

	(void)memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < MU_COUNT(garbages); i++)
		tests[count++] = (struct CMUnitTest){ garbages[i].name, garbage_row, NULL, NULL, &garbages[i] };
	for (size_t i = 0; i < MU_COUNT(tls_rows); i++)
		tests[count++] = (struct CMUnitTest){ tls_rows[i].name, tls_row, NULL, NULL, &tls_rows[i] };
	return _cmocka_run_group_tests("directory/slapd", tests, count, NULL, NULL);
}
