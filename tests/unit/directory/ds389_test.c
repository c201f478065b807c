/*
 * 389 DS, whose entries are told apart by nsUniqueId and whose RFC 4533 is one of its own kind: its
 * cookies cannot be believed, so every connection begins with a full read.
 */
#include "ds389.h"

struct row {
	const char *name;
	enum settings_follow follow;
	enum settings_key key;
	void (*play)(struct stage *x);
};

static struct slapd server;	/* one for all rows: it takes seconds to start */

static void
row_play(void **state)
{
	struct row *r = *state;
	struct stage x = { .model = model_new() };

	if (server.pid == 0)
		ds389_start(&server);
	shell(&server, "ldapdelete -x -r -H %s -D '%s' -w %s '%s' '%s' 'ou=elsewhere,%s' >>%s/log/out 2>&1 && "
	    "ldapadd -c -x -H %s -D '%s' -w %s -f %s/base.ldif >>%s/log/out 2>&1; test $? = 68", server.uri, ADMIN,
	    PASSWORD, PEOPLE, GROUPS, SUFFIX, server.folder, server.uri, ADMIN, PASSWORD, server.folder, server.folder);
	x.slapd = server;
	stage_source(&x, r->follow);
	x.source.key = r->key;
	model_open(x.model, &x.source);
	complete(&x, "first read");
	r->play(&x);
	server.pid = x.slapd.pid;
	server.admin = x.slapd.admin;
	model_free(x.model);
}

static void
changes_are_found(struct stage *x)
{
	struct mu_uuid ana = model_by_name(x->model, DIRECTORY_PEOPLE, "ana")->entry_uuid;

	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	model_names_check(x->model, DIRECTORY_GROUPS, "crew staff");
	assert_string_equal("10:department1:5:Sales4:mail1:15:ana@example.org4:name1:10:Person ana3:uid1:3:ana",
	    model_by_name(x->model, DIRECTORY_PEOPLE, "ana")->text);
	person_add(&x->slapd, "dora", NULL, NULL, 0);
	names_wait(x, "ana ben cem dora");
	person_set(&x->slapd, "ben", "departmentNumber", "Finance");
	text_wait(x, DIRECTORY_PEOPLE, "ben", "7:Finance");
	person_rename(&x->slapd, "uid=ana," PEOPLE, "uid=anna", NULL);
	names_wait(x, "anna ben cem dora");
	assert_true(mu_uuid_equal(&ana, &model_by_name(x->model, DIRECTORY_PEOPLE, "anna")->entry_uuid));
	person_set(&x->slapd, "cem", "employeeType", "robot");
	names_wait(x, "anna ben dora");
	person_set(&x->slapd, "cem", "employeeType", NULL);
	names_wait(x, "anna ben cem dora");
	person_rename(&x->slapd, "uid=ben," PEOPLE, "uid=ben", "ou=elsewhere," SUFFIX);
	names_wait(x, "anna cem dora");
	person_delete(&x->slapd, "dora");
	names_wait(x, "anna cem");
	attribute_set_on(&x->slapd, x->slapd.admin, "cn=staff," GROUPS, "member", "uid=cem," PEOPLE, LDAP_MOD_ADD);
	text_wait(x, DIRECTORY_GROUPS, "staff", "uid=cem," PEOPLE);
	assert_int_equal(VERDICT_COMPLETE, x->model->verdict);
}

/* Its change log would say nothing of it: see directory_sync_cookie_usable. */
static void
P5_3_who_left_while_nobody_looked_is_found(struct stage *x)
{
	assert_int_equal(0, people(x)->cookie.size_bytes);
	model_close(x->model);
	person_delete(&x->slapd, "ben");
	model_open(x->model, &x->source);
	complete(x, "second read");
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana cem");
	assert_int_equal(1, people(x)->full_count);
	assert_int_equal(DIRECTORY_FULL_LISTED, people(x)->how);
}

static void
people_are_who_they_were_under_every_provider(struct stage *x)
{
	struct mu_uuid ana = model_by_name(x->model, DIRECTORY_PEOPLE, "ana")->entry_uuid;
	static const enum settings_follow follows[] = { SETTINGS_FOLLOW_PERSIST, SETTINGS_FOLLOW_POLL,
		SETTINGS_FOLLOW_PAGED };

	for (size_t i = 0; i < MU_COUNT(follows); i++) {
		model_close(x->model);
		x->source.follow = follows[i];
		model_open(x->model, &x->source);
		complete(x, "read by another provider");
		model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
		assert_int_equal(0, people(x)->missing_count + people(x)->removed_count);
		assert_true(mu_uuid_equal(&ana, &model_by_name(x->model, DIRECTORY_PEOPLE, "ana")->entry_uuid));
	}
}

static void
P5_10_a_stopped_server_removes_nobody(struct stage *x)
{
	slapd_end(&x->slapd, SIGKILL);
	verdict_wait(x, VERDICT_UNREACHABLE, "killed");
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	ds389_start(&x->slapd);
	complete(x, "started again");
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	person_delete(&x->slapd, "ben");
	names_wait(x, "ana cem");
	assert_int_equal(1, people(x)->missing_count + people(x)->removed_count);
}

static void
P5_10_the_size_limit_removes_nobody(struct stage *x)
{
	model_close(x->model);
	attribute_set_on(&x->slapd, x->slapd.admin, READER, "nsSizeLimit", "2", LDAP_MOD_REPLACE);
	attribute_set_on(&x->slapd, x->slapd.admin, READER, "nsPagedSizeLimit", "2", LDAP_MOD_REPLACE);
	model_open(x->model, &x->source);
	verdict_wait(x, VERDICT_TRUNCATED, "limited");
	if (x->source.follow != SETTINGS_FOLLOW_PERSIST)	/* there it falls silent in place of a word */
		assert_non_null(strstr(x->model->text, "limit"));
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	attribute_set_on(&x->slapd, x->slapd.admin, READER, "nsSizeLimit", NULL, LDAP_MOD_DELETE);
	attribute_set_on(&x->slapd, x->slapd.admin, READER, "nsPagedSizeLimit", NULL, LDAP_MOD_DELETE);
	complete(x, "unlimited");
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	assert_int_equal(0, people(x)->missing_count + people(x)->removed_count);
}

/* Asked for again by its nsUniqueId when nothing about it changes. */
static void
a_bad_entry_is_read_again_until_it_is_mended(struct stage *x)
{
	static const char *const deny = "(targetattr=\"uid\")(target=\"ldap:///uid=ana," PEOPLE "\")"
	    "(version 3.0; acl \"hidden\"; deny (read) userdn=\"ldap:///" READER "\";)";

	model_close(x->model);
	person_set(&x->slapd, "ana", "departmentNumber", "Finance");
	attribute_set_on(&x->slapd, x->slapd.admin, SUFFIX, "aci", deny, LDAP_MOD_ADD);
	model_open(x->model, &x->source);
	complete(x, "without her uid");
	assert_true(people(x)->quarantined_count > 0);
	assert_string_equal("no uid", people(x)->reason);
	model_names_check(x->model, DIRECTORY_PEOPLE, "ana ben cem");
	attribute_set_on(&x->slapd, x->slapd.admin, SUFFIX, "aci", deny, LDAP_MOD_DELETE);
	text_wait(x, DIRECTORY_PEOPLE, "ana", "Finance");
	assert_int_equal(0, people(x)->missing_count + people(x)->removed_count);
}

#define BY(follow, key, play)	{ #follow " by " #key ": " #play, SETTINGS_FOLLOW_##follow, SETTINGS_KEY_##key, play }
#define BY_ALL(play) \
	BY(PERSIST, NS_UNIQUE_ID, play), BY(POLL, NS_UNIQUE_ID, play), BY(PAGED, NS_UNIQUE_ID, play)

static struct row rows[] = {
	BY_ALL(changes_are_found),
	BY(PAGED, ENTRY_UUID, changes_are_found),
	BY_ALL(P5_3_who_left_while_nobody_looked_is_found),
	BY(PERSIST, NS_UNIQUE_ID, people_are_who_they_were_under_every_provider),
	BY_ALL(a_bad_entry_is_read_again_until_it_is_mended),
	BY_ALL(P5_10_the_size_limit_removes_nobody),
	BY_ALL(P5_10_a_stopped_server_removes_nobody),
};

static int
server_open(void **state)
{
	(void)state;
	slapd_make_in(&server, "/tmp/muster-389-XXXXXX");	/* "slapd-" in it is a name to this server */
	ds389_conf_write(&server);
	ds389_start(&server);		/* its first start installs the plugin that gives entryUUID, */
	slapd_end(&server, SIGTERM);
	ds389_start(&server);		/* and its second loads it */
	ds389_fill(&server, "ana ben cem", "staff crew");
	return 0;
}

static int
server_close(void **state)
{
	(void)state;
	slapd_clear(&server);
	return 0;
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, row_play, NULL, NULL, &rows[i] };
	return _cmocka_run_group_tests("directory/389", tests, MU_COUNT(tests), server_open, server_close);
}
