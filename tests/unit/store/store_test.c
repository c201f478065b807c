/*
 * The store's aggregates, one server for all: what is written is read, and who comes second is
 * told so.
 */
#include "store/store.h"

#include "unit/store/people.h"
#include "unit/store/rig.h"
#include "unit/store/rows.h"

#include "base/clock.h"
#include "base/text.h"
#include "store/audit.h"
#include "store/client.h"
#include "store/credential.h"
#include "store/policy.h"
#include "store/queue.h"
#include "store/brake.h"
#include "store/source.h"
#include "store/status.h"

static const char *const no_platform[] = { NULL };
static const char *const xmpp[] = { "xmpp", NULL };
static const char *const xmpp_matrix[] = { "matrix", "xmpp", NULL };

/* The person as it stands, locked in a transaction of its own. */
static void
person_read(struct store *s, const struct mu_uuid *person_id, struct store_people *out_people)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(s, &err));
	MUST(store_person_lock_ids(s, person_id, 1, out_people, &err));
	MUST(store_commit(s, &err));
	assert_int_equal(1, out_people->count);
}

static void
people_clear(struct store_person *p, struct store_account *accounts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		account_want_clear(&accounts[i].want);
	store_person_clear(p);
}

/* --- People --------------------------------------------------------------------------- */

static void
person_round_trip(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person p, *got;
	struct store_account accounts[2];
	struct store_people people;
	struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	struct mu_uuid unknown;

	(void)state;
	person_make(&p, "zoe");
	p.starts_at_s = NOW_S - 100;
	p.ends_at_s = p.due_at_s = NOW_S + 100;
	person_store(s, &p, accounts, xmpp_matrix);
	MUST(store_begin(s, &err));
	mu_uuid_new(&unknown);
	MUST(store_person_lock_entries(s, "corp", (struct mu_uuid[]){ unknown, p.entry_uuid }, 2,
	    &people, &err));
	MUST(store_commit(s, &err));
	assert_int_equal(1, people.count);
	got = &people.list[0];
	assert_true(mu_uuid_equal(&p.person_id, &got->person_id));
	assert_string_equal(p.dn, got->dn);
	assert_string_equal("zoe", got->uid);
	assert_int_equal(1, got->version);
	assert_int_equal(PERSON_ACTIVE, got->state);
	assert_int_equal(NOW_S - 5, got->state_since_s);
	assert_int_equal(NOW_S - 100, got->starts_at_s);
	assert_int_equal(NOW_S + 100, got->ends_at_s);
	assert_int_equal(NOW_S + 100, got->due_at_s);
	assert_false(got->blocked);
	assert_true(attrs_equal(&p.attrs, &got->attrs));
	assert_memory_equal(p.content_hash, got->content_hash, sizeof(p.content_hash));
	assert_true(strings_equal(&p.roles, &got->roles));
	assert_string_equal(p.evidence, got->evidence);
	assert_int_equal(2, got->account_count);
	assert_memory_equal(accounts[1].mac, got->accounts[1].mac, MAC_BYTES);
	assert_int_equal(0, got->accounts[1].settled_version);
	account_want_encode(&accounts[1].want, &a);
	account_want_encode(&got->accounts[1].want, &b);
	assert_string_equal(a.data, b.data);
	mu_buf_clear(&a);
	mu_buf_clear(&b);
	rig_sql_is("Zoë O'Hara", "SELECT display_name FROM person WHERE uid = 'zoe'");
	store_people_clear(&people);
	people_clear(&p, accounts, 2);
	store_close(s);
}

/* Two decide from the same version: the second is told, and nothing of its transaction happened. */
static void
version_conflict(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person p;
	struct store_account accounts[1], second;
	struct mu_uuid record;

	(void)state;
	person_make(&p, "stale");
	person_store(s, &p, accounts, xmpp);
	MUST(store_begin(s, &err));
	store_person_write(s, &p);
	MUST(store_commit(s, &err));
	MUST(store_begin(s, &err));
	mu_uuid_new(&record);
	store_audit_write(s, &record, 1000, "test", "{}");
	store_person_write(s, &p);
	account_make(&second, &p, "matrix");
	store_account_write(s, &second, false, NOW_S);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	rig_sql_is("2", "SELECT version FROM person WHERE uid = 'stale'");
	rig_sql_is("1", "SELECT count(*) FROM account a JOIN person p USING (person_id)"
	    " WHERE p.uid = 'stale'");
	/* The same of an account: version 3 does not follow version 1. */
	MUST(store_begin(s, &err));
	accounts[0].want.version = 3;
	store_account_write(s, &accounts[0], false, NOW_S);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	/* Somebody else made the same person first. */
	MUST(store_begin(s, &err));
	p.version = 0;
	store_person_write(s, &p);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	account_want_clear(&second.want);
	people_clear(&p, accounts, 1);
	store_close(s);
}

static void
rollback_leaves_nothing(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person p;
	struct store_people people = { .count = 0 };

	(void)state;
	person_make(&p, "undone");
	MUST(store_begin(s, &err));
	store_person_write(s, &p);
	store_rollback(s);
	rig_sql_is("0", "SELECT count(*) FROM person WHERE uid = 'undone'");
	/*
	 * A refused write fails the reads behind it and the commit; the next transaction is
	 * untouched by it.
	 */
	MUST(store_begin(s, &err));
	store_person_write(s, &p);
	store_person_write(s, &p);
	assert_int_equal(MU_ECONFLICT, store_person_lock_ids(s, &p.person_id, 1, &people, &err));
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	MUST(store_begin(s, &err));
	store_person_write(s, &p);
	MUST(store_commit(s, &err));
	rig_sql_is("1", "SELECT count(*) FROM person WHERE uid = 'undone'");
	store_person_clear(&p);
	store_close(s);
}

static void
many_writes(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_people people;
	struct mu_uuid ids[1000];
	char uid[32];

	(void)state;
	MUST(store_begin(s, &err));
	for (size_t i = 0; i < MU_COUNT(ids); i++) {
		struct store_person p;

		(void)snprintf(uid, sizeof(uid), "many%zu", i);
		person_make(&p, uid);
		ids[i] = p.person_id;
		mu_free(p.source);
		p.source = mu_strdup("many");
		p.state = i % 10 == 0 ? PERSON_LEAVER : PERSON_ACTIVE;
		p.due_at_s = i % 2 == 0 ? NOW_S + (int64_t)i : 0;
		if (p.state == PERSON_LEAVER)
			strings_clear(&p.roles);
		if (i % 20 == 0)		/* and their entry is gone */
			(void)memset(p.content_hash, 0, sizeof(p.content_hash));
		store_person_write(s, &p);
		store_person_clear(&p);
	}
	MUST(store_commit(s, &err));
	MUST(store_begin(s, &err));
	MUST(store_person_lock_ids(s, ids, MU_COUNT(ids), &people, &err));
	MUST(store_commit(s, &err));
	assert_int_equal(1000, people.count);
	store_people_clear(&people);
	/* without a lock, on its own */
	MUST(store_person_read_ids(s, ids, MU_COUNT(ids), &people, &err));
	assert_int_equal(1000, people.count);
	store_people_clear(&people);
	store_close(s);
}

static void
count_entry(void *ctx, const struct mu_uuid *entry_uuid)
{
	(void)entry_uuid;
	++*(int *)ctx;
}

/* What many_writes left: 1000 people, 100 of them leavers, 50 with their entry, every second one due. */
static void
lists(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct mu_uuid ids[600], after = { .bytes = { 0 } };
	struct store_people people;
	int64_t number;
	size_t count, pages = 0;
	int entries = 0;

	(void)state;
	MUST(store_person_count(s, "many", &number, &err));
	assert_int_equal(900, number);
	MUST(store_person_each_entry(s, "many", count_entry, &entries, &err));
	assert_int_equal(950, entries);
	MUST(store_person_due(s, NOW_S + 10, ids, 3, &count, &err));
	assert_int_equal(3, count);
	MUST(store_person_due(s, NOW_S + 10, ids, 600, &count, &err));
	assert_int_equal(6, count);
	MUST(store_person_hashes(s, "many", ids, 6, &people, &err));
	assert_int_equal(0, people.count);	/* those were person_ids */
	store_people_clear(&people);
	do {
		MUST(store_person_page(s, &after, ids, 600, &count, &err));
		if (count > 0)
			after = ids[count - 1];
		pages++;
	} while (count == 600);
	assert_int_equal(2, pages);
	store_close(s);
}

static void
hashes(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person p;
	struct store_people people;
	struct mu_uuid *ids;
	size_t count;

	(void)state;
	person_make(&p, "hashed, \"quoted\" \\ {ö}");
	person_store(s, &p, NULL, no_platform);
	MUST(store_person_hashes(s, "corp", &p.entry_uuid, 1, &people, &err));
	assert_int_equal(1, people.count);
	assert_true(mu_uuid_equal(&p.entry_uuid, &people.list[0].entry_uuid));
	assert_memory_equal(p.content_hash, people.list[0].content_hash, CONTENT_HASH_BYTES);
	store_people_clear(&people);
	MUST(store_person_ids_by_dn(s, "corp", (const char *const[]){ "cn=nobody", p.dn }, 2, &ids,
	    &count, &err));
	assert_int_equal(1, count);
	assert_true(mu_uuid_equal(&p.person_id, &ids[0]));
	mu_free(ids);
	store_person_clear(&p);
	store_close(s);
}

/* --- Groups --------------------------------------------------------------------------- */

static size_t
group_write(struct store *s, const struct mu_uuid *group, const char *name, const char *const *dns,
    size_t dn_count)
{
	static unsigned char hash[CONTENT_HASH_BYTES];	/* another each time */
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid *ids = NULL;
	size_t count;

	hash[0]++;
	MUST(store_begin(s, &err));
	MUST(store_group_write(s, "corp", group, name, dns, dn_count, hash, &ids, &count, &err));
	MUST(store_commit(s, &err));
	mu_free(ids);
	return count;
}

static void
groups(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person a, b;
	struct store_people people;
	struct strings names[2];
	struct mu_uuid group, *ids;
	size_t count;
	int groups_there = 0;

	(void)state;
	mu_uuid_new(&group);
	person_make(&a, "gus");
	person_make(&b, "gwen");
	person_store(s, &a, NULL, no_platform);
	person_store(s, &b, NULL, no_platform);
	assert_int_equal(1, group_write(s, &group, "crew", (const char *const[]){ a.dn, "cn=later",
	    a.dn }, 3));
	assert_int_equal(0, group_write(s, &group, "crew", (const char *const[]){ "cn=later",
	    a.dn }, 2));
	assert_int_equal(2, group_write(s, &group, "crew", (const char *const[]){ "cn=later",
	    b.dn }, 2));
	person_read(s, &b.person_id, &people);
	assert_int_equal(1, people.list[0].groups.count);
	assert_string_equal("crew", people.list[0].groups.list[0]);
	store_people_clear(&people);
	assert_int_equal(1, group_write(s, &group, "team", (const char *const[]){ "cn=later",
	    b.dn }, 2));
	MUST(store_person_groups(s, "corp", (const char *const[]){ "cn=nobody", "cn=later" }, 2,
	    names, &err));
	assert_int_equal(0, names[0].count);
	assert_true(strings_has(&names[1], "team"));
	strings_clear(&names[0]);
	strings_clear(&names[1]);
	MUST(store_group_each(s, "corp", count_entry, &groups_there, &err));
	assert_int_equal(1, groups_there);
	MUST(store_begin(s, &err));
	MUST(store_group_remove(s, "corp", &group, &ids, &count, &err));
	MUST(store_commit(s, &err));
	assert_int_equal(1, count);
	assert_true(mu_uuid_equal(&b.person_id, &ids[0]));
	mu_free(ids);
	rig_sql_is("0", "SELECT (SELECT count(*) FROM directory_member) + (SELECT count(*)"
	    " FROM directory_group)");
	store_person_clear(&a);
	store_person_clear(&b);
	store_close(s);
}

/* --- Accounts and the queue ----------------------------------------------------------- */

#define QUEUE_PARTS (STORE_QUEUE | STORE_CREDENTIAL | STORE_AUDIT)

static void
take(struct store *s, const char *platform, const char *holder, int64_t now_s,
    struct store_works *out_works)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(s, &err));
	MUST(store_queue_take(s, platform, holder, now_s, 60, 10, out_works, &err));
	MUST(store_commit(s, &err));
}

/* cycle changes what is wanted of one account. */
static void
want(struct store *cycle, struct store_account *a, enum account_state state, bool urgent,
    int64_t now_s)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(cycle, &err));
	a->want.state = state;
	a->want.version++;
	store_account_write(cycle, a, urgent, now_s);
	MUST(store_commit(cycle, &err));
}

static struct observed
seen_as(enum account_state state)
{
	struct observed seen = { .state = state, .external_id = NULL };

	entitlements_add(&seen.rights, ENTITLEMENT_GROUP, "all-staff", "");
	return seen;
}

static void
queue(void **state)
{
	static const char *const q1[] = { "q1", NULL };
	struct mu_err err = MU_ERR_INIT;
	struct store *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS),
	    *prov = rig_open(STORE_ROLE_PROVISION, QUEUE_PARTS);
	struct store_person p[3];
	struct store_account a[3];
	struct store_works works, none;
	struct observed seen = seen_as(ACCOUNT_ENABLED);
	struct store_queue_counts counts;
	int64_t at_s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char uid[16];

		(void)snprintf(uid, sizeof(uid), "queue%zu", i);
		person_make(&p[i], uid);
		person_store(cycle, &p[i], &a[i], q1);
	}
	/* Urgent first, although it came last; and what one has taken another does not get. */
	want(cycle, &a[2], ACCOUNT_DISABLED, true, NOW_S + 1);
	take(prov, "q1", "w1", NOW_S + 1, &works);
	assert_int_equal(3, works.count);
	assert_true(mu_uuid_equal(&a[2].want.account_id, &works.list[0].want.account_id));
	assert_true(works.list[0].urgent);
	assert_int_equal(ACCOUNT_DISABLED, works.list[0].want.state);
	assert_int_equal(2, works.list[0].want.version);
	assert_memory_equal(a[2].mac, works.list[0].mac, MAC_BYTES);
	assert_string_equal("Zoë O'Hara", works.list[0].display_name);
	assert_int_equal(CREDENTIAL_NONE, works.list[0].credential);
	assert_false(works.list[0].create_begun);
	take(prov, "q1", "w2", NOW_S + 1, &none);
	assert_int_equal(0, none.count);
	store_works_clear(&none);
	MUST(store_queue_next_due(prov, "q1", &at_s, &err));
	assert_int_equal(NOW_S + 61, at_s);
	MUST(store_queue_counts(prov, "q1", &counts, &err));
	assert_int_equal(3, counts.accounts);
	assert_int_equal(3, counts.unsettled);
	assert_int_equal(NOW_S + 1, counts.oldest_debt_s);

	/* Settled: no debt, no urgency. */
	MUST(store_begin(prov, &err));
	store_queue_create_begun(prov, &works.list[0], "w1", NOW_S + 2);
	store_queue_owned(prov, &works.list[0], "w1");
	store_queue_settle(prov, &works.list[0], "w1", &seen, NOW_S + 2);
	MUST(store_commit(prov, &err));
	MUST(store_queue_counts(prov, "q1", &counts, &err));
	assert_int_equal(2, counts.unsettled);
	assert_int_equal(0, counts.oldest_debt_s);

	/*
	 * The wanted part moves under the worker: what it settles is old, and the account is
	 * due again.
	 */
	want(cycle, &a[0], ACCOUNT_DISABLED, true, NOW_S + 3);
	for (size_t i = 1; i < 3; i++) {
		bool moved = mu_uuid_equal(&a[0].want.account_id, &works.list[i].want.account_id);

		MUST(store_begin(prov, &err));
		if (moved)
			store_queue_settle(prov, &works.list[i], "w1", &seen, NOW_S + 4);
		else
			store_queue_retry(prov, &works.list[i], "w1", NOW_S + 100, "retry", "busy");
		MUST(store_commit(prov, &err));
	}
	store_works_clear(&works);
	MUST(store_queue_counts(prov, "q1", &counts, &err));
	assert_int_equal(2, counts.unsettled);
	assert_int_equal(NOW_S + 3, counts.oldest_debt_s);
	take(prov, "q1", "w1", NOW_S + 5, &works);
	assert_int_equal(1, works.count);
	assert_true(mu_uuid_equal(&a[0].want.account_id, &works.list[0].want.account_id));
	assert_int_equal(1, works.list[0].settled_version);
	assert_true(works.list[0].urgent);
	assert_int_equal(ACCOUNT_ENABLED, works.list[0].seen.state);
	assert_int_equal(1, works.list[0].seen.rights.count);
	assert_int_equal(NOW_S + 4, works.list[0].seen_at_s);

	/* Its lease runs out and another takes it: the first is told when it comes back. */
	take(prov, "q1", "w2", NOW_S + 66, &none);
	assert_int_equal(1, none.count);
	MUST(store_begin(prov, &err));
	store_queue_settle(prov, &works.list[0], "w1", &seen, NOW_S + 67);
	assert_int_equal(MU_ECONFLICT, store_commit(prov, &err));

	/* Parked: not due, still a debt, until it is unparked. */
	MUST(store_begin(prov, &err));
	store_queue_park(prov, &none.list[0], "w2", "refused", "no such room");
	MUST(store_commit(prov, &err));
	store_works_clear(&none);
	store_works_clear(&works);
	MUST(store_queue_counts(prov, "q1", &counts, &err));
	assert_int_equal(1, counts.parked);
	assert_int_equal(NOW_S + 3, counts.oldest_debt_s);
	MUST(store_queue_next_due(prov, "q1", &at_s, &err));
	assert_int_equal(NOW_S + 100, at_s);
	MUST(store_begin(prov, &err));
	store_queue_unpark(prov, "q1", NOW_S + 70);
	MUST(store_commit(prov, &err));
	take(prov, "q1", "w1", NOW_S + 200, &works);
	assert_int_equal(2, works.count);
	assert_int_equal(0, works.list[0].attempts);
	assert_int_equal(1, works.list[1].attempts);
	for (size_t i = 0; i < 2; i++) {
		MUST(store_begin(prov, &err));
		if (i == 0)
			store_queue_settle(prov, &works.list[i], "w1", &seen, NOW_S + 201);
		else
			store_queue_release(prov, &works.list[i], "w1");
		MUST(store_commit(prov, &err));
	}
	store_works_clear(&works);
	rig_sql_is("1", "SELECT count(*) FROM account WHERE platform = 'q1'"
	    " AND version > settled_version AND lease_holder IS NULL");
	rig_sql_is("t", "SELECT owned AND create_begun_at IS NOT NULL FROM account"
	    " WHERE name = 'queue2'");
	for (size_t i = 0; i < 3; i++)
		people_clear(&p[i], &a[i], 1);
	observed_clear(&seen);
	store_close(cycle);
	store_close(prov);
}

/*
 * What a worker remembers before it acts is found by its successor, and forgotten when no
 * account is left.
 */
static void
beginnings(void **state)
{
	static const char *const q2[] = { "q2", NULL };
	struct mu_err err = MU_ERR_INIT;
	struct store *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS),
	    *prov = rig_open(STORE_ROLE_PROVISION, QUEUE_PARTS);
	struct store_person p;
	struct store_account a[1];
	struct store_works works, again;
	struct entitlements rights = ENTITLEMENTS_INIT;
	struct observed none = { .state = ACCOUNT_ABSENT };

	(void)state;
	person_make(&p, "beginner");
	person_store(cycle, &p, a, q2);
	take(prov, "q2", "w", NOW_S, &works);
	entitlements_add(&rights, ENTITLEMENT_ROOM, "ops", "member");
	MUST(store_begin(prov, &err));
	store_queue_create_begun(prov, &works.list[0], "w", NOW_S);
	store_queue_giving(prov, &works.list[0], "w", &rights);
	MUST(store_commit(prov, &err));
	/* Killed here; the same worker comes back before its lease ends. */
	take(prov, "q2", "w", NOW_S + 1, &again);
	assert_int_equal(1, again.count);
	assert_true(again.list[0].create_begun);
	assert_true(entitlements_equal(&rights, &again.list[0].seen.rights));
	store_works_clear(&again);
	MUST(store_begin(prov, &err));
	store_queue_create_undone(prov, &works.list[0], "w");
	MUST(store_commit(prov, &err));
	take(prov, "q2", "w", NOW_S + 1, &again);
	assert_false(again.list[0].create_begun);
	MUST(store_begin(prov, &err));
	store_queue_create_begun(prov, &works.list[0], "w", NOW_S);
	store_queue_owned(prov, &works.list[0], "w");
	store_queue_create_undone(prov, &works.list[0], "w");
	assert_int_equal(MU_ECONFLICT, store_commit(prov, &err));	/* what is ours was made */
	MUST(store_begin(prov, &err));
	store_queue_owned(prov, &works.list[0], "w");
	store_queue_settle(prov, &works.list[0], "w", &none, NOW_S);
	MUST(store_commit(prov, &err));
	rig_sql_is("f", "SELECT owned OR create_begun_at IS NOT NULL FROM account"
	    " WHERE platform = 'q2'");
	store_works_clear(&again);
	store_works_clear(&works);
	entitlements_clear(&rights);
	people_clear(&p, a, 1);
	store_close(cycle);
	store_close(prov);
}

static void
names_and_receipts(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS),
	    *prov = rig_open(STORE_ROLE_PROVISION, QUEUE_PARTS);
	struct store_person p;
	struct store_account a[1];
	struct mu_uuid holder;
	struct store_receipt r = { .version = 1, .step = STEP_KILL, .outcome = "done",
		.text = "two sessions", .sessions_ended = 2, .made_at_ms = NOW_S * 1000LL + 7,
		.signature = "sig", .signature_bytes = 3 };

	(void)state;
	person_make(&p, "namer");
	person_store(cycle, &p, a, xmpp);
	MUST(store_account_holder(cycle, "xmpp", "namer", &holder, &err));
	assert_true(mu_uuid_equal(&p.person_id, &holder));
	assert_int_equal(MU_EABSENT, store_account_holder(cycle, "matrix", "namer", &holder, &err));
	mu_uuid_new(&r.receipt_id);
	r.account_id = a[0].want.account_id;
	MUST(store_begin(prov, &err));
	store_receipt_write(prov, &r);
	MUST(store_commit(prov, &err));
	rig_sql_is("kill done 2 0 1790000000.007 two sessions sig", "SELECT concat_ws(' ', step,"
	    " outcome, sessions_ended, sessions_left, extract(epoch FROM made_at)::numeric(20, 3),"
	    " body, convert_from(signature, 'UTF8')) FROM receipt");
	people_clear(&p, a, 1);
	store_close(cycle);
	store_close(prov);
}

/* --- Credentials ---------------------------------------------------------------------- */

static void
sealed_write(struct store *prov, const struct account_want *w, struct mu_uuid *out_id,
    enum mu_rc want_rc)
{
	struct mu_err err = MU_ERR_INIT;
	struct mu_secret sealed = MU_SECRET_INIT;

	mu_secret_set(&sealed, "se\0led", 6);
	mu_uuid_new(out_id);
	MUST(store_begin(prov, &err));
	store_credential_write(prov, out_id, w, &sealed, NOW_S);
	assert_int_equal(want_rc, store_commit(prov, &err));
	mu_secret_clear(&sealed);
}

static void
credentials(void **state)
{
	static const char *const c1[] = { "c1", NULL };
	struct mu_err err = MU_ERR_INIT;
	struct store *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS),
	    *prov = rig_open(STORE_ROLE_PROVISION, QUEUE_PARTS), *claim = rig_open(STORE_ROLE_CLAIM,
	    STORE_CREDENTIAL | STORE_AUDIT);
	struct store_person p;
	struct store_account a[1];
	struct mu_uuid id, second, record;
	struct store_claim_people people;
	struct store_claimables ready;
	struct store_works works;

	(void)state;
	person_make(&p, "Claire");
	person_store(cycle, &p, a, c1);
	sealed_write(prov, &a[0].want, &id, MU_OK);
	sealed_write(prov, &a[0].want, &id, MU_OK);		/* instead of the first */
	take(prov, "c1", "w", NOW_S, &works);
	assert_int_equal(CREDENTIAL_SEALED, works.list[0].credential);
	assert_true(mu_uuid_equal(&id, &works.list[0].credential_id));
	assert_int_equal(6, works.list[0].sealed.size_bytes);
	assert_memory_equal("se\0led", works.list[0].sealed.bytes, 6);
	store_works_clear(&works);
	MUST(store_begin(claim, &err));
	MUST(store_credential_claimable(claim, &p.person_id, NOW_S, &ready, &err));
	assert_int_equal(0, ready.count);			/* not on the platform yet */
	store_claimables_clear(&ready);
	MUST(store_commit(claim, &err));
	MUST(store_begin(prov, &err));
	store_credential_set(prov, &id, &a[0].want.account_id, NOW_S);
	MUST(store_commit(prov, &err));

	MUST(store_claim_find(claim, "cLAIRE", NOW_S, &people, &err));
	assert_int_equal(1, people.count);
	assert_string_equal(p.dn, people.list[0].dn);
	assert_string_equal("hr-verified", people.list[0].identified);
	assert_int_equal(1, people.list[0].account_count);
	assert_int_equal(CREDENTIAL_CLAIMABLE, people.list[0].accounts[0].credential);
	assert_false(people.list[0].accounts[0].claimed_before);
	store_claim_people_clear(&people);
	MUST(store_claim_find(claim, "claire", NOW_S + CREDENTIAL_KEEP_S, &people, &err));
	assert_int_equal(CREDENTIAL_NONE, people.list[0].accounts[0].credential);
	store_claim_people_clear(&people);
	MUST(store_claim_find(claim, "nobody", NOW_S, &people, &err));
	assert_int_equal(0, people.count);
	store_claim_people_clear(&people);

	/* Collected once: the second time it is not there. */
	for (int round = 0; round < 2; round++) {
		MUST(store_begin(claim, &err));
		MUST(store_credential_claimable(claim, &p.person_id, NOW_S, &ready, &err));
		assert_int_equal(round == 0 ? 1 : 0, ready.count);
		store_credential_claimed(claim, &id, &a[0].want.account_id, NOW_S);
		mu_uuid_new(&record);
		store_audit_write(claim, &record, 1, "claim", "{}");
		assert_int_equal(round == 0 ? MU_OK : MU_ECONFLICT, store_commit(claim, &err));
		if (round == 0)
			assert_memory_equal("se\0led", ready.list[0].sealed.bytes, 6);
		store_claimables_clear(&ready);
	}
	MUST(store_claim_find(claim, "claire", NOW_S, &people, &err));
	assert_int_equal(CREDENTIAL_CLAIMED, people.list[0].accounts[0].credential);
	assert_true(people.list[0].accounts[0].claimed_before);
	store_claim_people_clear(&people);

	/* Issued anew, left lying, expired: the account is unsettled again. */
	take(prov, "c1", "w", NOW_S + 100, &works);
	MUST(store_begin(prov, &err));
	store_queue_settle(prov, &works.list[0], "w", &works.list[0].seen, NOW_S + 100);
	MUST(store_commit(prov, &err));
	store_works_clear(&works);
	sealed_write(prov, &a[0].want, &second, MU_OK);
	MUST(store_begin(prov, &err));
	store_credential_expire(prov, NOW_S + CREDENTIAL_KEEP_S - 1);
	MUST(store_commit(prov, &err));
	rig_sql_is("0", "SELECT count(*) FROM account WHERE platform = 'c1'"
	    " AND version > settled_version");
	MUST(store_begin(prov, &err));
	store_credential_expire(prov, NOW_S + CREDENTIAL_KEEP_S);
	MUST(store_commit(prov, &err));
	rig_sql_is("1", "SELECT count(*) FROM account WHERE platform = 'c1'"
	    " AND version > settled_version");
	rig_sql_is("0", "SELECT count(*) FROM credential");

	/* Taken back when the account is disabled, and none is kept for a disabled one. */
	sealed_write(prov, &a[0].want, &second, MU_OK);
	want(cycle, &a[0], ACCOUNT_DISABLED, true, NOW_S);
	rig_sql_is("0", "SELECT count(*) FROM credential");
	sealed_write(prov, &a[0].want, &second, MU_ECONFLICT);
	people_clear(&p, a, 1);
	store_close(cycle);
	store_close(prov);
	store_close(claim);
}

/* --- Sources, policy, clients, audit -------------------------------------------------- */

static void
sources(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_search x = { .complete_at_s = NOW_S, .listed_count = 7 }, got;
	struct store_person p;
	enum verdict verdict;
	int64_t number, fence;

	(void)state;
	person_make(&p, "held");
	person_store(s, &p, NULL, no_platform);
	assert_int_equal(MU_EABSENT, store_search_get(s, "corp", "people", &got, &err));
	MUST(store_verdict_get(s, "corp", &verdict, &number, &err));
	assert_int_equal(VERDICT_NONE, verdict);
	mu_buf_add(&x.cookie, "rid=1\0\xff", 7);
	mu_random(x.digest, sizeof(x.digest));
	MUST(store_begin(s, &err));
	store_search_write(s, "corp", "people", &x);
	store_search_write(s, "corp", "people", &x);
	store_verdict_write(s, "corp", VERDICT_UNREACHABLE, "refused", NOW_S);
	store_verdict_write(s, "corp", VERDICT_UNREACHABLE, "no route", NOW_S + 9);
	store_quarantine_write(s, "corp", "cn=bad", "no uid", NOW_S);
	store_quarantine_write(s, "corp", "cn=worse", "no uid", NOW_S);
	store_quarantine_drop(s, "corp", "cn=bad");
	store_brake_hold_add(s, "corp", &p.person_id, BRAKE_REMOVAL, "6 of 10", NOW_S);
	store_brake_hold_add(s, "corp", &p.person_id, BRAKE_REMOVAL, "7 of 10", NOW_S + 1);
	store_brake_hold_add(s, "corp", &p.person_id, BRAKE_POWER, "7 of 10", NOW_S + 1);
	MUST(store_commit(s, &err));
	MUST(store_search_get(s, "corp", "people", &got, &err));
	assert_int_equal(7, got.cookie.size_bytes);
	assert_memory_equal("rid=1\0\xff", got.cookie.data, 7);
	assert_memory_equal(x.digest, got.digest, sizeof(x.digest));
	assert_int_equal(NOW_S, got.complete_at_s);
	assert_int_equal(7, got.listed_count);
	store_search_clear(&got);
	MUST(store_verdict_get(s, "corp", &verdict, &number, &err));
	assert_int_equal(VERDICT_UNREACHABLE, verdict);
	assert_int_equal(NOW_S, number);
	rig_sql_is("no route", "SELECT reason FROM source_verdict");
	rig_sql_is("cn=worse", "SELECT entry FROM quarantine");
	MUST(store_brake_hold_count(s, "corp", &number, &err));
	assert_int_equal(2, number);
	MUST(store_begin(s, &err));
	store_brake_hold_drop(s, "corp", &p.person_id, BRAKE_POWER);
	MUST(store_commit(s, &err));
	rig_sql_is("removal", "SELECT kind FROM brake_hold");
	MUST(store_begin(s, &err));
	store_brake_hold_drop(s, "corp", &p.person_id, BRAKE_REMOVAL);
	MUST(store_commit(s, &err));
	MUST(store_brake_hold_count(s, "corp", &number, &err));
	assert_int_equal(0, number);

	MUST(store_lease_take(s, "clock", "a", 60, &fence, &err));
	assert_int_equal(1, fence);
	MUST(store_lease_take(s, "clock", "a", 60, &fence, &err));
	assert_int_equal(1, fence);
	assert_int_equal(MU_EDENIED, store_lease_take(s, "clock", "b", 60, &fence, &err));
	MUST(store_lease_take(s, "clock", "a", 0, &fence, &err));
	MUST(store_lease_take(s, "clock", "b", 60, &fence, &err));
	assert_int_equal(2, fence);
	store_search_clear(&x);
	store_person_clear(&p);
	store_close(s);
}

static void
policies(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_policy_file files[] = { { (char *)(uintptr_t)"roles.yaml",
	    (char *)(uintptr_t)"- role: \"a\"\n" },
		{ (char *)(uintptr_t)"brake.yaml", (char *)(uintptr_t)"" } };
	struct store_policy p = { .version = 1, .applied_by = (char *)(uintptr_t)"seed",
		.applied_at_s = NOW_S,
		.files = files, .file_count = 2 }, got;

	(void)state;
	assert_int_equal(MU_EABSENT, store_policy_current(s, &got, &err));
	for (p.version = 1; p.version <= 2; p.version++) {
		mu_random(p.digest, sizeof(p.digest));
		mu_random(p.mac, sizeof(p.mac));
		MUST(store_begin(s, &err));
		store_policy_write(s, &p);
		MUST(store_commit(s, &err));
	}
	MUST(store_policy_current(s, &got, &err));
	assert_int_equal(2, got.version);
	assert_memory_equal(p.digest, got.digest, 32);
	assert_memory_equal(p.mac, got.mac, 32);
	assert_string_equal("seed", got.applied_by);
	assert_int_equal(2, got.file_count);
	assert_string_equal("brake.yaml", got.files[0].name);
	assert_string_equal("- role: \"a\"\n", got.files[1].content);
	store_policy_clear(&got);
	store_close(s);
}

static void
clients(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, STORE_CLIENT);
	struct store_client c = { .name = (char *)(uintptr_t)"gate",
		.platform = (char *)(uintptr_t)"xmpp",
		.certificate = (char *)(uintptr_t)"-----BEGIN",
		.not_after_s = NOW_S, .version = 1 }, got;
	struct store_clients list;

	(void)state;
	mu_uuid_new(&c.client_id);
	for (c.version = 1; c.version <= 2; c.version++) {
		mu_random(c.fingerprint, sizeof(c.fingerprint));
		mu_random(c.mac, sizeof(c.mac));
		MUST(store_begin(s, &err));
		store_client_write(s, &c);
		MUST(store_commit(s, &err));
	}
	c.version = 2;
	MUST(store_client_find(s, c.fingerprint, &got, &err));
	assert_true(mu_uuid_equal(&c.client_id, &got.client_id));
	assert_string_equal("gate", got.name);
	assert_int_equal(2, got.version);
	assert_int_equal(NOW_S, got.not_after_s);
	assert_memory_equal(c.mac, got.mac, sizeof(c.mac));
	store_client_clear(&got);
	MUST(store_client_list(s, &list, &err));
	assert_int_equal(1, list.count);
	store_clients_clear(&list);
	MUST(store_begin(s, &err));
	store_client_write(s, &c);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	MUST(store_begin(s, &err));
	store_client_remove(s, &c.client_id);
	MUST(store_commit(s, &err));
	assert_int_equal(MU_EABSENT, store_client_find(s, c.fingerprint, &got, &err));
	store_close(s);
}

struct tree {
	struct mu_uuid ids[100];
	int64_t count;
};

static void
record_seen(void *ctx, const struct mu_uuid *record_id, const char *body, size_t body_bytes)
{
	struct tree *t = ctx;

	assert_int_equal(strlen(body), body_bytes);
	t->ids[t->count++] = *record_id;
}

static void
leaf_seen(void *ctx, int64_t leaf_index, const unsigned char leaf_hash[32])
{
	struct tree *t = ctx;

	assert_int_equal(t->count, leaf_index);
	assert_int_equal(leaf_index, leaf_hash[0]);
	t->count++;
}

static void
audit_tree(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS),
	    *audit = rig_open(STORE_ROLE_AUDIT, STORE_AUDIT | STORE_TREE);
	struct tree t = { .count = 0 }, leaves = { .count = 0 };
	struct mu_buf note = MU_BUF_INIT;
	struct mu_uuid record;
	int64_t size, before = 0;

	(void)state;
	MUST(store_begin(cycle, &err));
	for (int i = 0; i < 3; i++) {
		mu_uuid_new(&record);
		store_audit_write(cycle, &record, NOW_S * 1000LL + i, "joiner", "{\"a\":\"ö\"}");
	}
	MUST(store_audit_unnumbered(audit, 100, record_seen, &t, &err));
	before = t.count;
	MUST(store_commit(cycle, &err));
	t.count = 0;
	MUST(store_audit_unnumbered(audit, 100, record_seen, &t, &err));
	assert_int_equal(before + 3, t.count);
	MUST(store_begin(audit, &err));
	MUST(rig_number(audit, 0, t.ids, (size_t)t.count, &err));
	MUST(store_begin(audit, &err));
	store_checkpoint_write(audit, t.count, "muster\n1\n", NOW_S);
	MUST(store_commit(audit, &err));
	MUST(store_leaf_each(audit, leaf_seen, &leaves, &err));
	assert_int_equal(t.count, leaves.count);
	MUST(store_checkpoint_last(audit, &size, &note, &err));
	assert_int_equal(t.count, size);
	assert_string_equal("muster\n1\n", note.data);
	/* Two that number at once: one of them is told. */
	MUST(store_begin(audit, &err));
	assert_int_equal(MU_ECONFLICT, rig_number(audit, 0, &record, 1, &err));
	mu_buf_clear(&note);
	store_close(cycle);
	store_close(audit);
}

static void
status(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, STORE_STATUS);
	struct store_status x;

	(void)state;
	MUST(store_status_get(s, &x, &err));
	assert_int_equal(store_schema_version(), x.schema_version);
	assert_int_equal(1, x.source_count);
	assert_string_equal("corp", x.sources[0].source);
	assert_int_equal(VERDICT_UNREACHABLE, x.sources[0].verdict);
	assert_string_equal("no route", x.sources[0].text);
	assert_int_equal(NOW_S, x.sources[0].since_s);
	assert_int_equal(7, x.sources[0].listed_count);
	assert_int_equal(1, x.sources[0].quarantined);
	assert_int_equal(100, x.people[PERSON_LEAVER]);
	assert_true(x.platform_count >= 3);
	assert_int_equal(1, x.platforms[0].counts.accounts);
	assert_true(x.tree_size > 0);
	store_status_clear(&x);
	store_close(s);
}

/* --- Roles: each tries what it must not ----------------------------------------------- */

static struct forbidden forbidden[] = {
	{ "token cannot read people",			STORE_ROLE_TOKEN,
	    "SELECT dn FROM person" },
	{ "token cannot invent a role",			STORE_ROLE_TOKEN,
	    "UPDATE account SET roles = 'x'" },
	{ "token cannot read sealed credentials",	STORE_ROLE_TOKEN,
	    "SELECT sealed FROM credential" },
	{ "token cannot read what is audited",		STORE_ROLE_TOKEN,
	    "SELECT body FROM audit_record" },
	{ "token cannot make itself a client",		STORE_ROLE_TOKEN,
	    "UPDATE token_client SET platform = 'x'" },
	{ "provision cannot want",			STORE_ROLE_PROVISION,
	    "UPDATE account SET wanted_state = 'enabled'" },
	{ "provision cannot give itself an account",	STORE_ROLE_PROVISION,
	    "INSERT INTO account (account_id) VALUES (NULL)" },
	{ "provision cannot read attributes",		STORE_ROLE_PROVISION,
	    "SELECT attrs FROM person" },
	{ "provision cannot change its receipts",	STORE_ROLE_PROVISION,
	    "UPDATE receipt SET outcome = 'done'" },
	{ "cycle cannot settle",			STORE_ROLE_CYCLE,
	    "UPDATE account SET settled_version = 9" },
	{ "cycle cannot read sealed credentials",	STORE_ROLE_CYCLE,
	    "SELECT sealed FROM credential" },
	{ "cycle cannot change a policy in force",	STORE_ROLE_CYCLE,	"UPDATE policy_file"
	    " SET content = ''" },
	{ "cycle cannot delete people",			STORE_ROLE_CYCLE,
	    "DELETE FROM person" },
	{ "cycle cannot register clients",		STORE_ROLE_CYCLE,
	    "SELECT name FROM token_client" },
	{ "audit cannot read people",			STORE_ROLE_AUDIT,
	    "SELECT dn FROM person" },
	{ "audit cannot renumber",			STORE_ROLE_AUDIT,
	    "UPDATE audit_leaf SET leaf_index = 1" },
	{ "audit cannot cut the tree",			STORE_ROLE_AUDIT,
	    "DELETE FROM audit_leaf" },
	{ "claim cannot change a person",		STORE_ROLE_CLAIM,
	    "UPDATE person SET blocked = false" },
	{ "claim cannot enable an account",		STORE_ROLE_CLAIM,
	    "UPDATE account SET wanted_state = 'enabled'" },
	{ "claim cannot put a credential in place",	STORE_ROLE_CLAIM,
	    "UPDATE credential SET sealed = ''" },
	{ "claim cannot read attributes",		STORE_ROLE_CLAIM,
	    "SELECT attrs FROM person" },
	{ "admin cannot read sealed credentials",	STORE_ROLE_ADMIN,
	    "SELECT sealed FROM credential" },
	{ "admin cannot say what a platform did",	STORE_ROLE_ADMIN,
	    "UPDATE account SET observed_state = 'disabled'" },
	{ "admin cannot number records",		STORE_ROLE_ADMIN,
	    "DELETE FROM audit_pending" },
	{ "work changes nothing",			STORE_ROLE_WORK,
	    "UPDATE person SET blocked = false" },
	{ "work records nothing",			STORE_ROLE_WORK,
	    "INSERT INTO audit_pending VALUES ('00000000-0000-0000-0000-000000000001')" },
	{ "nobody becomes another role",		STORE_ROLE_TOKEN,
	    "SET ROLE muster_cycle" },
	{ "nobody becomes the superuser",		STORE_ROLE_CYCLE,	"SET ROLE muster" },
	{ "nobody makes tables",			STORE_ROLE_CYCLE,
	    "CREATE TABLE mine (a int)" },
	{ "nobody makes temporary tables",		STORE_ROLE_CYCLE,
	    "CREATE TEMP TABLE mine (a int)" },
	{ "nobody raises the schema version",		STORE_ROLE_CYCLE,
	    "INSERT INTO schema_version VALUES (99)" },
	{ "nobody reads the server's files",		STORE_ROLE_ADMIN,
	    "SELECT pg_read_file('PG_VERSION')" },
	{ "nobody reads passwords",			STORE_ROLE_ADMIN,	"SELECT rolpassword"
	    " FROM pg_authid" },
};

static void
audit_for_ever(void **state)
{
	static const char *const statements[] = { "UPDATE audit_record SET body = ''",
	    "DELETE FROM audit_record",
		"TRUNCATE audit_record", "DELETE FROM audit_leaf", "DELETE FROM audit_checkpoint" };

	(void)state;
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		for (size_t i = 0; i < MU_COUNT(statements); i++) {
			struct forbidden f = { "an audit record stays as it is",
			    (enum store_role)role, statements[i] };
			void *ctx = &f;

			forbidden_row(&ctx);
		}
}

/* Every role with every other role's password, and for the superuser. */
static void
passwords_are_ones_own(void **state)
{
	(void)state;
	for (int as = 0; as <= STORE_ROLE_COUNT; as++)
		for (int with = 0; with < STORE_ROLE_COUNT; with++) {
			const char *keys[] = { "dbname", "user", NULL },
			    *values[3] = { rig.logins.conninfo[with], "muster", NULL };
			PGconn *conn;

			if (as < STORE_ROLE_COUNT)
				values[1] = store_role_name((enum store_role)as);
			conn = PQconnectdbParams(keys, values, 1);
			assert_int_equal(as == with ? CONNECTION_OK : CONNECTION_BAD,
			    PQstatus(conn));
			PQfinish(conn);
		}
}

/* --- Trouble -------------------------------------------------------------------------- */

static void
server_dies_in_transaction(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_people people = { .count = 0 };
	struct store_person p;

	(void)state;
	person_make(&p, "unlucky");
	MUST(store_begin(s, &err));
	store_person_write(s, &p);
	MUST(store_person_lock_ids(s, &p.person_id, 1, &people, &err));	/* so it is there, for us */
	assert_int_equal(1, people.count);
	store_people_clear(&people);
	rig_server_kill();
	store_person_write(s, &p);
	assert_int_equal(MU_ERETRY, store_commit(s, &err));
	assert_int_equal(MU_ERETRY, store_begin(s, &err));
	MUST(store_private_start(rig.server, &err));
	MUST(store_begin(s, &err));
	MUST(store_person_lock_ids(s, &p.person_id, 1, &people, &err));
	assert_int_equal(0, people.count);
	store_people_clear(&people);
	store_person_write(s, &p);
	MUST(store_commit(s, &err));
	rig_sql_is("1", "SELECT count(*) FROM person WHERE uid = 'unlucky'");
	store_person_clear(&p);
	store_close(s);
}

static void
schema_drift(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = NULL;

	(void)state;
	free(rig_sql("ALTER TABLE account RENAME COLUMN roles TO rolls"));
	assert_int_equal(MU_ECONFIG, store_open(rig.logins.conninfo[STORE_ROLE_CYCLE], PEOPLE_PARTS,
	    &s, &err));
	assert_non_null(strstr(err.text, "run musterd migrate"));
	free(rig_sql("ALTER TABLE account RENAME COLUMN rolls TO roles"));
}

/* --- The invariants ------------------------------------------------------------------- */

static struct check checks[] = {
	{ "what all these tests left is sound: accounts", "accounts", "", "" },
	{ "what all these tests left is sound: credentials", "credentials", "", "" },
	{ "what all these tests left is sound: audit", "audit", "", "" },
	{ "what all these tests left is sound: people", "people", "", "" },
	{ "what all these tests left is sound: policy", "policy", "", "" },
	{ "an account settled beyond its version is found", "accounts",
	    "settled beyond its version", "UPDATE account SET settled_version = version + 1"
	    " WHERE platform = 'xmpp'" },
	{ "a leaver's enabled account is found", "accounts", "enabled account of a person who is"
	    " leaver", "UPDATE person SET state = 'leaver', roles = '' WHERE uid = 'zoe'" },
	{ "a blocked person's enabled account is found", "accounts",
	    "enabled account of a person who is active, blocked", "UPDATE person SET blocked = true"
	    " WHERE uid = 'zoe'" },
	{ "a credential for a disabled account is found", "credentials",
	    "credential of an account that is not to be enabled", "INSERT INTO credential"
	    " SELECT account_id, account_id, '', now(), now(), NULL FROM account"
	    " WHERE wanted_state = 'disabled' LIMIT 1" },
	{ "a gap in the tree is found", "audit", "gap in the tree before leaf",
	    "DELETE FROM audit_leaf WHERE leaf_index = 1" },
	{ "a cut tree is found", "audit", "checkpoint of more leaves than there are",
	    "DELETE FROM audit_leaf WHERE leaf_index = (SELECT max(leaf_index) FROM audit_leaf)" },
	{ "a record that nobody will number is found", "audit",
	    "record without number that does not wait for one", "INSERT INTO audit_record"
	    " VALUES ('00000000-0000-0000-0000-000000000001', now(), 'x', '{}')" },
	{ "a leaver with roles is found", "people", "holds birthrights as leaver",
	    "UPDATE person SET state = 'leaver' WHERE uid = 'gus'" },
	{ "who is active though an administrator suspended them is found", "lifecycle",
	    "suspended by an administrator, but active",
	    "UPDATE person SET suspended = true WHERE uid = 'zoe'" },
	{ "a start that nobody looks at is found", "lifecycle",
	    "staged, and nobody looks at the start", "UPDATE person SET state = 'staged',"
	    " starts_at = '2030-01-01', due_at = '2030-01-02' WHERE uid = 'zoe'" },
	{ "an end that nobody looks at is found", "lifecycle", "nobody looks at the end",
	    "UPDATE person SET ends_at = '2030-01-01', due_at = NULL WHERE uid = 'zoe'" },
	{ "a return that nobody looks at is found", "lifecycle", "nobody looks at the return",
	    "UPDATE person SET state = 'suspended', suspended = true, resume_at = '2030-01-01',"
	    " due_at = '2030-01-02' WHERE uid = 'zoe'" },
	{ "a leaver whom nobody will erase is found", "lifecycle",
	    "a leaver whom nobody will erase",
	    "UPDATE person SET state = 'leaver', roles = '', due_at = NULL WHERE uid = 'zoe'" },
	{ "what is kept of the erased is found", "lifecycle", "erased, and something is kept",
	    "UPDATE person SET state = 'erased', roles = '' WHERE uid = 'zoe'" },
	{ "a leaver's grant is found", "lifecycle", "a grant of who is leaver",
	    "WITH gone AS (UPDATE person SET state = 'leaver' WHERE uid = 'zoe'"
	    " RETURNING person_id) INSERT INTO requested_grant (grant_id, person_id, granted_by,"
	    " role, reason, starts_at, ends_at, action_digest, mac) SELECT person_id, person_id,"
	    " gen_random_uuid(), 'x', '', now(), now(), repeat('0', 32)::bytea,"
	    " repeat('0', 32)::bytea"
	    " FROM gone" },
	{ "a grant whose end nobody looks at is found", "lifecycle",
	    "nobody looks at the end of a grant",
	    "WITH held AS (UPDATE person SET due_at = NULL WHERE uid = 'zoe'"
	    " RETURNING person_id) INSERT INTO requested_grant (grant_id, person_id, granted_by,"
	    " role, reason, starts_at, ends_at, action_digest, mac) SELECT person_id, person_id,"
	    " gen_random_uuid(), 'x', '', now(), now(), repeat('0', 32)::bytea,"
	    " repeat('0', 32)::bytea"
	    " FROM held" },
	{ "a policy version without files is found", "policy", "policy version without files",
	    "DELETE FROM policy_file WHERE version = 1" },
};

int
main(void)
{
	static const struct CMUnitTest first[] = {
		{ "a person is read as written, with accounts", person_round_trip, NULL, NULL,
		    NULL },
		{ "who decides from an old version is told at commit, and nothing happened",
		    version_conflict, NULL, NULL, NULL },
		{ "a rollback leaves nothing, and the connection is good", rollback_leaves_nothing,
		    NULL, NULL, NULL },
		{ "a thousand writes and locks in one transaction", many_writes, NULL, NULL, NULL },
		{ "who is there, who is due, page by page", lists, NULL, NULL, NULL },
		{ "hashes and ids, whatever stands in a dn", hashes, NULL, NULL, NULL },
		{ "a group's change names the people it changes", groups, NULL, NULL, NULL },
		{ "the queue: urgent first, leased, settled at the version worked on", queue, NULL,
		    NULL, NULL },
		{ "what is begun is remembered until it is undone or gone", beginnings, NULL, NULL,
		    NULL },
		{ "who holds a name; receipts", names_and_receipts, NULL, NULL, NULL },
		{ "a credential is collected once, expires, and goes with its account", credentials,
		    NULL, NULL, NULL },
		{ "sources, verdicts, brake and leases", sources, NULL, NULL, NULL },
		{ "the newest policy is in force", policies, NULL, NULL, NULL },
		{ "clients are found by fingerprint", clients, NULL, NULL, NULL },
		{ "records are numbered once", audit_tree, NULL, NULL, NULL },
		{ "how things stand", status, NULL, NULL, NULL },
		{ "no role changes an audit record", audit_for_ever, NULL, NULL, NULL },
		{ "a role's password opens that role alone", passwords_are_ones_own, NULL, NULL,
		    NULL },
		{ "a server that dies in a transaction undoes it, and the store comes back",
		    server_dies_in_transaction, NULL, NULL, NULL },
		{ "a schema that is not ours stops the start", schema_drift, NULL, NULL, NULL },
	};
	struct CMUnitTest tests[MU_COUNT(first) + MU_COUNT(forbidden) + MU_COUNT(checks)];
	size_t count = MU_COUNT(first);

	(void)memcpy(tests, first, sizeof(first));
	for (size_t i = 0; i < MU_COUNT(forbidden); i++)
		tests[count++] = (struct CMUnitTest){ forbidden[i].name, forbidden_row, NULL, NULL,
		    &forbidden[i] };
	for (size_t i = 0; i < MU_COUNT(checks); i++)
		tests[count++] = (struct CMUnitTest){ checks[i].name, check_row, NULL, NULL,
		    &checks[i] };
	return _cmocka_run_group_tests("store", tests, count, rig_up, rig_down);
}
