/*
 * flood_test.c - many rows at once are the rows that single statements write, or none of them is
 */
#include "store/flood.h"

#include "base/clock.h"
#include "store/source.h"
#include "unit/store/people.h"

static struct store *store;

static int
setup(void **state)
{
	if (rig_up(state) != 0)
		return 1;
	store = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	return 0;
}

static int
teardown(void **state)
{
	store_close(store);
	return rig_down(state);
}

static int
empty(void **state)
{
	(void)state;
	free(rig_sql("TRUNCATE person, account, audit_record, audit_pending, audit_leaf,"
	    " directory_group, directory_member, quarantine CASCADE"));
	return 0;
}

static enum mu_rc
flood_commit(struct store_flood *f, struct mu_err *err)
{
	if (store_begin(store, err) != MU_OK || store_flood_start(store, f, err) != MU_OK)
		return err->rc;
	return store_flood_end(store, err);
}

/* --- What a row says is what a statement would have said -------------------------------------- */

static char *
text_of(size_t bytes_count, const char *what)
{
	struct mu_buf b = MU_BUF_INIT;

	while (b.size_bytes < bytes_count)
		mu_buf_text_add(&b, what);
	return b.data;
}

static struct row {
	const char *name, *text;
	size_t repeat_bytes;
	int64_t at_s;
} rows[] = {
	{ "plain text", "Anna", 0, NOW_S },
	{ "no text and no time", "", 0, 0 },
	{ "letters of eight bits and more", "Zo\xc3\xab \xf0\x9f\x98\x80 \xd0\x96", 0, NOW_S },
	{ "what text formats escape", "a\tb\nc\\N\"{}',\\.\r", 0, 1 },
	{ "what binary formats end with", "\x01PGCOPY\n\x7f\r\n", 0, NOW_S },
	{ "a megabyte", "0123456789abcde\xc3\xab", 1 << 20, NOW_S },
	{ "before the year 2000", "old", 0, 86400 },
	{ "after the year 9999", "late", 0, 253402300800 + 86400 },
};

static void
person_of(struct store_person *p, const char *text, const struct row *r)
{
	person_make(p, "x");
	mu_free(p->dn);
	mu_free(p->evidence);
	p->dn = mu_strdup(strlen(text) > 1000 ? "cn=long" : text);
	p->evidence = mu_strdup(text);
	p->state_since_s = NOW_S;
	p->starts_at_s = r->at_s;
	p->ends_at_s = p->due_at_s = p->resume_at_s = r->at_s;
	p->suspended = r->at_s == NOW_S;
	if (text[0] != '\0' && strchr(text, '\n') == NULL)
		strings_add(&p->roles, text);
	attrs_add(&p->attrs, "note", text);
	(void)memset(p->content_hash, 7, sizeof(p->content_hash));
}

#define SAME_PERSON "SELECT count(*) FROM (SELECT DISTINCT version, source, dn, uid, display_name," \
	" state, state_since, starts_at, ends_at, due_at, blocked, attrs, content_hash, roles," \
	" identified, evidence, suspended, resume_at FROM person) AS p"
#define SAME_ACCOUNT "SELECT count(*) FROM (SELECT DISTINCT name, subject, wanted_state, roles," \
	" entitlements, version, mac, settled_version, urgent, debt_since, next_attempt_at," \
	" attempts, parked, lease_holder, lease_until, create_begun_at, owned, observed_state," \
	" observed_rights, observed_id, observed_at, last_outcome, last_text, claimed_at" \
	" FROM account) AS a"

static void
row_is_as_a_statement_writes_it(void **state)
{
	const struct row *r = *state;
	char *text = r->repeat_bytes == 0 ? mu_strdup(r->text) : text_of(r->repeat_bytes, r->text);
	struct store_flood *f = store_flood_new();
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct store_account a, b;
	struct store_person p, q;
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid record;

	person_of(&p, text, r);
	person_of(&q, text, r);
	account_make(&a, &p, "one");
	account_make(&b, &q, "two");
	(void)memcpy(b.want.subject, a.want.subject, sizeof(b.want.subject));
	(void)memcpy(b.mac, a.mac, sizeof(b.mac));
	mu_buf_text_add(&body, text);
	mu_uuid_new(&record);
	store_flood_person(f, &p);
	store_flood_account(f, &a, NOW_S);
	store_flood_record(f, &record, NOW_S * 1000LL + 123, "joiner", &body);
	MUST(flood_commit(f, &err));
	MUST(store_begin(store, &err));
	store_person_write(store, &q);
	store_account_write(store, &b, false, NOW_S);
	mu_uuid_new(&record);
	store_audit_write(store, &record, NOW_S * 1000LL + 123, "joiner", text);
	MUST(store_commit(store, &err));
	rig_sql_is("2", "SELECT count(*) FROM person");
	rig_sql_is("1", SAME_PERSON);
	rig_sql_is("1", SAME_ACCOUNT);
	rig_sql_is("1", "SELECT count(DISTINCT (happened_at, kind, body)) FROM audit_record");
	rig_sql_is("2", "SELECT count(*) FROM audit_record JOIN audit_pending USING (record_id)");
	store_person_clear(&p);
	store_person_clear(&q);
	account_want_clear(&a.want);
	account_want_clear(&b.want);
	mu_free(text);
}

/* --- All or nothing --------------------------------------------------------------------------- */

#define MANY 3000

/* People u0, u1, ... with an account each, about 2 KiB a person. */
static struct store_flood *
many_make(size_t count, struct store_person *first)
{
	struct store_flood *f = store_flood_new();
	char *note = text_of(1600, "noted ");

	for (size_t i = 0; i < count; i++) {
		struct store_account a;
		struct store_person p;
		char uid[24];

		(void)snprintf(uid, sizeof(uid), "u%zu", i);
		person_make(&p, uid);
		attrs_add(&p.attrs, "note", note);
		account_make(&a, &p, "chat");
		store_flood_person(f, &p);
		store_flood_account(f, &a, NOW_S);
		account_want_clear(&a.want);
		if (i == 0 && first != NULL)
			*first = p;
		else
			store_person_clear(&p);
	}
	mu_free(note);
	return f;
}

static void
more_than_the_socket_takes_goes_through_without_a_stop(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int64_t begun_ms = mu_tick_ms();

	(void)state;
	for (int i = 0; i < 5; i++) {
		(void)empty(NULL);
		MUST(flood_commit(many_make(MANY, NULL), &err));
	}
	rig_sql_is("3000", "SELECT count(*) FROM person JOIN account USING (person_id)");
	/* an answer is waited for for 40 s */
	assert_in_range(mu_tick_ms() - begun_ms, 0, 35000);
}

static void
what_is_pushed_goes_on_while_somebody_decides(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int64_t begun_ms = mu_tick_ms();

	(void)state;
	MUST(store_begin(store, &err));
	MUST(store_flood_start(store, many_make(MANY, NULL), &err));
	assert_true(store_flood_runs(store));
	while (!store_flood_push(store))
		assert_in_range(mu_tick_ms() - begun_ms, 0, 35000);
	rig_sql_is("3000", "SELECT count(*) FROM person");	/* committed, and nobody waited */
	MUST(store_flood_end(store, &err));
	assert_false(store_flood_runs(store));
}

static void
a_row_that_is_there_undoes_all_and_what_went_before(void **state)
{
	struct store_person first = { .version = 0 };
	struct store_flood *f = many_make(MANY, &first);
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(store, &err));
	store_person_write(store, &first);
	MUST(store_commit(store, &err));
	MUST(store_begin(store, &err));
	store_quarantine_write(store, "corp", "e", "before the flood", NOW_S);
	MUST(store_flood_start(store, f, &err));
	assert_int_equal(MU_ECONFLICT, store_flood_end(store, &err));
	rig_sql_is("1", "SELECT count(*) FROM person");
	rig_sql_is("0", "SELECT count(*) FROM account");
	rig_sql_is("0", "SELECT count(*) FROM quarantine");
	/* and the connection is as good as before */
	err = (struct mu_err)MU_ERR_INIT;
	(void)empty(NULL);
	MUST(flood_commit(many_make(10, NULL), &err));
	rig_sql_is("10", "SELECT count(*) FROM person");
	store_person_clear(&first);
}

static void
a_name_that_somebody_holds_undoes_all(void **state)
{
	struct store_account held[1];
	struct mu_err err = MU_ERR_INIT;
	struct store_person p;

	(void)state;
	person_make(&p, "u7");
	person_store(store, &p, held, (const char *const[]){ "chat", NULL });
	assert_int_equal(MU_ECONFLICT, flood_commit(many_make(100, NULL), &err));
	rig_sql_is("1", "SELECT count(*) FROM person");
	store_person_clear(&p);
	account_want_clear(&held[0].want);
}

static void
what_was_queued_before_is_committed_with_it(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(store, &err));
	store_quarantine_write(store, "corp", "e", "before the flood", NOW_S);
	MUST(store_flood_start(store, many_make(3, NULL), &err));
	MUST(store_flood_end(store, &err));
	rig_sql_is("1", "SELECT count(*) FROM quarantine");
	rig_sql_is("3", "SELECT count(*) FROM person");
}

static void
text_that_postgresql_refuses_undoes_all(void **state)
{
	struct store_flood *f = many_make(3, NULL);
	struct mu_err err = MU_ERR_INIT;
	struct store_person p;

	(void)state;
	person_make(&p, "bad");
	mu_free(p.evidence);
	p.evidence = mu_strdup("no UTF-8: \xff\xfe");
	store_flood_person(f, &p);
	assert_int_equal(MU_EBROKEN, flood_commit(f, &err));
	rig_sql_is("0", "SELECT count(*) FROM person");
	store_person_clear(&p);
}

static void
a_lost_connection_undoes_all_and_the_next_is_a_fresh_one(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(store, &err));
	MUST(store_flood_start(store, many_make(MANY, NULL), &err));
	free(rig_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
	    " WHERE usename = 'muster_cycle'"));
	assert_int_equal(MU_ERETRY, store_flood_end(store, &err));
	rig_sql_is("0", "SELECT count(*) FROM person");
	err = (struct mu_err)MU_ERR_INIT;
	MUST(flood_commit(many_make(10, NULL), &err));
	rig_sql_is("10", "SELECT count(*) FROM person");
}

static void
an_empty_flood_is_a_commit(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	MUST(store_begin(store, &err));
	store_quarantine_write(store, "corp", "e", "alone", NOW_S);
	MUST(store_flood_start(store, store_flood_new(), &err));
	MUST(store_flood_end(store, &err));
	rig_sql_is("1", "SELECT count(*) FROM quarantine");
}

/* --- Groups, and what is known ------------------------------------------------------------------ */

struct seen {
	size_t count, here;
	struct mu_uuid last;
	unsigned char hash[CONTENT_HASH_BYTES];
	char text[64];
};

static void
known_seen(void *ctx, const struct mu_uuid *uuid, const unsigned char *hash, bool here)
{
	struct seen *s = ctx;

	s->count++;
	s->here += here;
	s->last = *uuid;
	(void)memcpy(s->hash, hash, sizeof(s->hash));
}

static void
text_seen(void *ctx, const struct mu_uuid *uuid, const char *text)
{
	struct seen *s = ctx;

	s->count++;
	s->last = *uuid;
	(void)snprintf(s->text, sizeof(s->text), "%s", text);
}

static void
who_left_and_whose_entry_is_gone_is_known_and_not_here(void **state)
{
	struct store_account none[1];
	struct seen seen = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct store_person p[3];

	(void)state;
	for (size_t i = 0; i < MU_COUNT(p); i++) {
		person_make(&p[i], "x");
		p[i].state = i == 0 ? PERSON_ACTIVE : PERSON_LEAVER;
		if (i == 1)
			(void)memset(p[i].content_hash, 0, sizeof(p[i].content_hash));
		person_store(store, &p[i], none, (const char *const[]){ NULL });
	}
	MUST(store_person_known(store, "corp", known_seen, &seen, &err));
	assert_int_equal(3, seen.count);
	assert_int_equal(2, seen.here);		/* the entry of the last is still there */
	seen = (struct seen){ .count = 0 };
	MUST(store_person_known(store, "o'ther\\", known_seen, &seen, &err));
	assert_int_equal(0, seen.count);
	for (size_t i = 0; i < MU_COUNT(p); i++)
		store_person_clear(&p[i]);
}

static void
groups_come_back_with_hash_name_and_members(void **state)
{
	static const char *const members[] = { "cn=a", "cn=\xc3\xbc" };
	static const unsigned char hash[CONTENT_HASH_BYTES] = { 9 };
	struct store_flood *f = store_flood_new();
	struct seen seen = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid id, *ids = NULL;
	size_t count = 9;

	(void)state;
	mu_uuid_new(&id);
	store_flood_group(f, "corp", &id, "\xc3\xa9quipe", members, 2, hash);
	MUST(flood_commit(f, &err));
	MUST(store_group_known(store, "corp", known_seen, &seen, &err));
	assert_int_equal(1, seen.count);
	assert_true(mu_uuid_equal(&id, &seen.last));
	assert_memory_equal(hash, seen.hash, sizeof(hash));
	seen.count = 0;
	MUST(store_group_names(store, "corp", text_seen, &seen, &err));
	assert_string_equal("\xc3\xa9quipe", seen.text);
	MUST(store_group_members(store, "corp", text_seen, &seen, &err));
	assert_int_equal(3, seen.count);
	/* whoever writes the same group again has nothing to do */
	MUST(store_begin(store, &err));
	MUST(store_group_write(store, "corp", &id, "\xc3\xa9quipe", members, 2, hash, &ids, &count,
	    &err));
	MUST(store_commit(store, &err));
	assert_int_equal(0, count);
	assert_null(ids);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 10] = {
		cmocka_unit_test_setup(more_than_the_socket_takes_goes_through_without_a_stop, empty),
		cmocka_unit_test_setup(what_is_pushed_goes_on_while_somebody_decides, empty),
		cmocka_unit_test_setup(a_row_that_is_there_undoes_all_and_what_went_before, empty),
		cmocka_unit_test_setup(a_name_that_somebody_holds_undoes_all, empty),
		cmocka_unit_test_setup(what_was_queued_before_is_committed_with_it, empty),
		cmocka_unit_test_setup(text_that_postgresql_refuses_undoes_all, empty),
		cmocka_unit_test_setup(a_lost_connection_undoes_all_and_the_next_is_a_fresh_one, empty),
		cmocka_unit_test_setup(an_empty_flood_is_a_commit, empty),
		cmocka_unit_test_setup(who_left_and_whose_entry_is_gone_is_known_and_not_here, empty),
		cmocka_unit_test_setup(groups_come_back_with_hash_name_and_members, empty),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[10 + i] = (struct CMUnitTest){ rows[i].name, row_is_as_a_statement_writes_it,
			empty, NULL, &rows[i] };
	return cmocka_run_group_tests_name("floods", tests, setup, teardown);
}
