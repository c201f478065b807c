/*
 * Administrators, their actions, and what those leave on people, brake and clients: what is written
 * is read, who comes second waits or is told so, and no other process may look.
 */
#include "store/administrator.h"

#include "unit/store/people.h"
#include "unit/store/rig.h"
#include "unit/store/rows.h"

#include "base/clock.h"
#include "store/action.h"
#include "store/client.h"
#include "store/credential.h"
#include "store/grant.h"
#include "store/policy.h"
#include "store/brake.h"
#include "store/source.h"
#include "store/status.h"

#include <pthread.h>

#define ADMIN_PARTS (STORE_PERSON | STORE_ACCOUNT | STORE_SOURCE | STORE_POLICY | STORE_AUDIT | \
    STORE_CLIENT | STORE_CREDENTIAL | STORE_ADMIN | STORE_ACTION | STORE_GRANT | STORE_STATUS)

static const char *const no_platform[] = { NULL };
static const char *const xmpp[] = { "xmpp", NULL };

/* A person in the store, with an account on each platform of a list ended by NULL. */
static void
person_new(const char *uid, struct store_account *accounts, const char *const *platforms,
    struct store_person *out_person)
{
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);

	person_make(out_person, uid);
	person_store(s, out_person, accounts, platforms);
	store_close(s);
}

static struct mu_uuid
person_id_new(const char *uid)
{
	struct store_person p;
	struct mu_uuid id;

	person_new(uid, NULL, no_platform, &p);
	id = p.person_id;
	store_person_clear(&p);
	return id;
}

/* The person as whoever decides reads it. */
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
seed_make(struct store_seed *seed)
{
	*seed = (struct store_seed){ .algorithm = mu_strdup("SHA1"), .version = 1 };
	mu_uuid_new(&seed->seed_id);
	mu_secret_set(&seed->sealed, "se\0aled", 7);
	mu_random(seed->mac, sizeof(seed->mac));
}

static void
seed_clear(struct store_seed *seed)
{
	mu_free(seed->algorithm);
	mu_secret_clear(&seed->sealed);
}

/* One administrator's wait is everybody's: somebody else who keeps a person's row holds up no revocation. */
static void
a_row_that_is_kept_is_not_waited_for_long(void **state)
{
	struct mu_uuid id = person_id_new("kept");
	struct store *keeper = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct store_people kept = { NULL, 0 }, none = { NULL, 0 };
	struct mu_err err = MU_ERR_INIT;
	int64_t began_ms;

	(void)state;
	MUST(store_begin(keeper, &err));
	MUST(store_person_lock_ids(keeper, &id, 1, &kept, &err));
	MUST(store_begin(s, &err));
	began_ms = mu_tick_ms();
	assert_int_equal(MU_ERETRY, store_person_lock_ids(s, &id, 1, &none, &err));
	assert_in_range(mu_tick_ms() - began_ms, 2000, 8000);
	store_rollback(s);
	store_rollback(keeper);
	store_people_clear(&kept);
	store_close(s);
	store_close(keeper);
}

/* An administrator who works, with a confirmed seed. */
static void
administrator_new(struct store *s, const struct mu_uuid *person_id)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_administrator a = { .person_id = *person_id,
		.role = (char *)(uintptr_t)"operator", .enrolled_at_s = NOW_S, .active = true,
		.version = 1 };

	mu_random(a.mac, sizeof(a.mac));
	seed_make(&a.seed);
	a.seed.confirmed = true;
	MUST(store_begin(s, &err));
	store_administrator_write(s, &a);
	store_seed_write(s, person_id, &a.seed);
	MUST(store_commit(s, &err));
	seed_clear(&a.seed);
}

/* --- Administrators and seeds ------------------------------------------------------ */

static void
administrator_round_trip(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct store_administrator a = { .role = (char *)(uintptr_t)"operator",
		.enrolled_at_s = NOW_S, .version = 1 }, got;
	struct store_administrators list;
	struct mu_uuid none = { .bytes = { 0 } }, other = person_id_new("amy-second");

	(void)state;
	a.person_id = person_id_new("Amy");
	mu_random(a.mac, sizeof(a.mac));
	assert_int_equal(MU_EABSENT, store_administrator_get(s, &a.person_id, false, &got, &err));
	MUST(store_begin(s, &err));
	store_administrator_write(s, &a);
	MUST(store_commit(s, &err));
	MUST(store_administrator_get(s, &a.person_id, false, &got, &err));
	assert_true(mu_uuid_equal(&none, &got.enrolled_by));
	assert_false(got.active);
	assert_true(mu_uuid_equal(&none, &got.seed.seed_id));
	assert_int_equal(0, got.seed.sealed.size_bytes);
	store_administrator_clear(&got);

	seed_make(&a.seed);
	a.seed.confirmed = a.active = true;
	a.version = 2;
	a.enrolled_by = other;
	MUST(store_begin(s, &err));
	MUST(store_administrator_get(s, &a.person_id, true, &got, &err));
	store_administrator_clear(&got);
	store_administrator_write(s, &a);
	store_seed_write(s, &a.person_id, &a.seed);
	a.seed.last_step = 59650000;
	a.seed.failures = 3;
	a.seed.locked_at_s = NOW_S + 9;
	store_seed_moved(s, &a.person_id, &a.seed);
	MUST(store_commit(s, &err));
	MUST(store_administrator_find(s, "aMY", &list, &err));
	assert_int_equal(1, list.count);
	got = list.list[0];
	assert_true(mu_uuid_equal(&a.person_id, &got.person_id));
	assert_true(mu_uuid_equal(&other, &got.enrolled_by));
	assert_string_equal("operator", got.role);
	assert_int_equal(NOW_S, got.enrolled_at_s);
	assert_true(got.active);
	assert_int_equal(2, got.version);
	assert_memory_equal(a.mac, got.mac, sizeof(a.mac));
	assert_true(mu_uuid_equal(&a.seed.seed_id, &got.seed.seed_id));
	assert_int_equal(7, got.seed.sealed.size_bytes);
	assert_memory_equal("se\0aled", got.seed.sealed.bytes, 7);
	assert_string_equal("SHA1", got.seed.algorithm);
	assert_true(got.seed.confirmed);
	assert_int_equal(1, got.seed.version);
	assert_memory_equal(a.seed.mac, got.seed.mac, sizeof(got.seed.mac));
	assert_int_equal(59650000, got.seed.last_step);
	assert_int_equal(3, got.seed.failures);
	assert_int_equal(NOW_S + 9, got.seed.locked_at_s);
	assert_string_equal("corp", got.source);
	assert_string_equal("uid=Amy,ou=people,dc=example", got.dn);
	assert_string_equal("Amy", got.uid);
	assert_string_equal("Zoë O'Hara", got.display_name);
	assert_int_equal(PERSON_ACTIVE, got.state);
	assert_false(got.blocked);
	store_administrators_clear(&list);
	MUST(store_administrator_find(s, "nobody", &list, &err));
	assert_int_equal(0, list.count);
	store_administrators_clear(&list);

	/* An old version is told at commit, and nothing happened. */
	MUST(store_begin(s, &err));
	a.role = (char *)(uintptr_t)"other";
	store_administrator_write(s, &a);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	MUST(store_begin(s, &err));
	a.version = 1;
	store_administrator_write(s, &a);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	rig_sql_is("operator 2", "SELECT concat_ws(' ', role, version) FROM administrator");
	seed_clear(&a.seed);
	store_close(s);
}

/* What a code moved does not go back, and a code of an old seed moves nothing. */
static void
seed_forward(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid id = person_id_new("ben");
	struct store_administrator got;
	struct store_seed old;

	(void)state;
	administrator_new(s, &id);
	MUST(store_administrator_get(s, &id, false, &got, &err));
	got.seed.last_step = 100;
	MUST(store_begin(s, &err));
	store_seed_moved(s, &id, &got.seed);
	MUST(store_commit(s, &err));
	got.seed.last_step = 99;
	MUST(store_begin(s, &err));
	store_seed_moved(s, &id, &got.seed);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	old = got.seed;
	seed_make(&got.seed);
	got.seed.confirmed = true;
	MUST(store_begin(s, &err));
	store_seed_write(s, &id, &got.seed);
	MUST(store_commit(s, &err));
	old.last_step = 200;
	MUST(store_begin(s, &err));
	store_seed_moved(s, &id, &old);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	rig_sql_is("0", "SELECT last_step FROM totp_seed JOIN person USING (person_id)"
	    " WHERE uid = 'ben'");
	seed_clear(&old);
	store_administrator_clear(&got);
	store_close(s);
}

static void
administrators_counted(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid id = person_id_new("cat");
	struct store_administrators list;
	int64_t before, count;

	(void)state;
	MUST(store_begin(s, &err));
	MUST(store_administrator_count_lock(s, &before, &err));
	MUST(store_commit(s, &err));
	administrator_new(s, &id);
	MUST(store_begin(s, &err));
	MUST(store_administrator_count_lock(s, &count, &err));
	assert_int_equal(before + 1, count);
	store_person_block(s, &id, true);
	MUST(store_administrator_count_lock(s, &count, &err));
	assert_int_equal(before, count);
	store_rollback(s);
	MUST(store_administrator_list(s, &list, &err));
	assert_true(list.count >= 2);
	for (size_t i = 1; i < list.count; i++)
		assert_true(strcasecmp(list.list[i - 1].uid, list.list[i].uid) <= 0);
	store_administrators_clear(&list);
	store_close(s);
}

static void
administrator_gone(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid id = person_id_new("dan");
	struct store_session x = { .person_id = id, .issued_at_s = NOW_S,
		.expires_at_s = NOW_S + 60, .address = (char *)(uintptr_t)"192.0.2.7" };
	struct store_enrolment e = { .expires_at_s = NOW_S + 60 };
	struct store_administrator got;

	(void)state;
	administrator_new(s, &id);
	mu_uuid_new(&x.session_id);
	MUST(store_begin(s, &err));
	store_session_write(s, &x);
	store_enrolment_write(s, &id, &e);
	MUST(store_commit(s, &err));
	MUST(store_begin(s, &err));
	store_administrator_remove(s, &id);
	MUST(store_commit(s, &err));
	assert_int_equal(MU_EABSENT, store_administrator_get(s, &id, false, &got, &err));
	rig_sql_is("0", "SELECT (SELECT count(*) FROM admin_session) + (SELECT count(*) FROM enrolment)"
	    " + (SELECT count(*) FROM totp_seed JOIN person USING (person_id) WHERE uid = 'dan')");
	MUST(store_begin(s, &err));
	store_administrator_remove(s, &id);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	store_close(s);
}

/* --- One at a time ----------------------------------------------------------------- */

struct second {
	struct mu_uuid person_id;
	bool count;			/* asks for the lock of all instead */
	int64_t saw;
	struct mu_err err;
};

/* Reads behind the first one's lock. */
static void *
second_side(void *ctx)
{
	struct second *x = ctx;
	struct store *s = NULL;
	struct store_administrator a;

	if (store_open(rig.logins.conninfo[STORE_ROLE_ADMIN], STORE_ADMIN, &s, &x->err) != MU_OK ||
	    store_begin(s, &x->err) != MU_OK) {
		store_close(s);
		return NULL;
	}
	if (x->count) {
		(void)!store_administrator_count_lock(s, &x->saw, &x->err);
	} else if (store_administrator_get(s, &x->person_id, true, &a, &x->err) == MU_OK) {
		x->saw = a.seed.last_step;
		store_administrator_clear(&a);
	}
	store_rollback(s);
	store_close(s);
	return NULL;
}

/* Until somebody waits for a lock; false after 20 s. */
static bool
waiter_seen(void)
{
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));
	int64_t until_ms = mu_tick_ms() + 20000;
	bool seen = false;

	while (!seen && mu_tick_ms() < until_ms) {
		PGresult *rows = PQexec(conn, "SELECT count(*) FROM pg_locks WHERE NOT granted");

		seen = PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 0), "0") != 0;
		PQclear(rows);
	}
	PQfinish(conn);
	return seen;
}

static void
one_code_at_a_time(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct second x = { .person_id = person_id_new("eve"), .saw = -1, .err = MU_ERR_INIT };
	struct store_administrator a;
	pthread_t thread;
	bool waited;

	(void)state;
	administrator_new(s, &x.person_id);
	MUST(store_begin(s, &err));
	MUST(store_administrator_get(s, &x.person_id, true, &a, &err));
	assert_int_equal(0, a.seed.last_step);
	assert_int_equal(0, pthread_create(&thread, NULL, second_side, &x));
	waited = waiter_seen();
	a.seed.last_step = 7;
	store_seed_moved(s, &x.person_id, &a.seed);
	MUST(store_commit(s, &err));
	assert_int_equal(0, pthread_join(thread, NULL));
	assert_true(waited);
	assert_string_equal("", x.err.text);
	assert_int_equal(7, x.saw);
	store_administrator_clear(&a);
	store_close(s);
}

/* Also when there is no row yet that could be locked. */
static void
one_bootstrap_at_a_time(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct second x = { .count = true, .saw = -1, .err = MU_ERR_INIT };
	struct store_administrator a = { .role = (char *)(uintptr_t)"operator",
		.enrolled_at_s = NOW_S, .active = true, .version = 1 };
	pthread_t thread;
	int64_t count;
	bool waited;

	(void)state;
	a.person_id = person_id_new("fay");
	seed_make(&a.seed);
	a.seed.confirmed = true;
	MUST(store_begin(s, &err));
	MUST(store_administrator_count_lock(s, &count, &err));
	assert_int_equal(0, pthread_create(&thread, NULL, second_side, &x));
	waited = waiter_seen();
	store_administrator_write(s, &a);
	store_seed_write(s, &a.person_id, &a.seed);
	MUST(store_commit(s, &err));
	assert_int_equal(0, pthread_join(thread, NULL));
	assert_true(waited);
	assert_string_equal("", x.err.text);
	assert_int_equal(count + 1, x.saw);
	seed_clear(&a.seed);
	store_close(s);
}

/* --- Enrolment and sessions -------------------------------------------------------- */

static void
enrolments(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid id = person_id_new("gil");
	struct store_enrolment e = { .expires_at_s = NOW_S + 60, .failures = 2 }, got;

	(void)state;
	administrator_new(s, &id);
	MUST(store_begin(s, &err));
	assert_int_equal(MU_EABSENT, store_enrolment_get(s, &id, &got, &err));
	store_enrolment_write(s, &id, &e);
	mu_random(e.code_digest, sizeof(e.code_digest));
	store_enrolment_write(s, &id, &e);
	MUST(store_enrolment_get(s, &id, &got, &err));
	assert_memory_equal(e.code_digest, got.code_digest, sizeof(e.code_digest));
	assert_int_equal(NOW_S + 60, got.expires_at_s);
	assert_int_equal(2, got.failures);
	store_session_sweep(s, NOW_S + 60);
	MUST(store_enrolment_get(s, &id, &got, &err));		/* runs out after that second */
	store_session_sweep(s, NOW_S + 61);
	assert_int_equal(MU_EABSENT, store_enrolment_get(s, &id, &got, &err));
	store_enrolment_write(s, &id, &e);
	store_enrolment_drop(s, &id);
	assert_int_equal(MU_EABSENT, store_enrolment_get(s, &id, &got, &err));
	MUST(store_commit(s, &err));
	store_close(s);
}

static void
sessions(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid id = person_id_new("hal");
	struct store_session x[3], got;

	(void)state;
	administrator_new(s, &id);
	MUST(store_begin(s, &err));
	for (size_t i = 0; i < MU_COUNT(x); i++) {
		x[i] = (struct store_session){ .person_id = id, .issued_at_s = NOW_S,
			.expires_at_s = NOW_S + 100 * (int64_t)(i + 1),
			.address = (char *)(uintptr_t)"2001:db8::1" };
		mu_uuid_new(&x[i].session_id);
		mu_random(x[i].fingerprint, sizeof(x[i].fingerprint));
		mu_random(x[i].mac, sizeof(x[i].mac));
		store_session_write(s, &x[i]);
	}
	MUST(store_commit(s, &err));
	MUST(store_session_find(s, x[1].fingerprint, &got, &err));
	assert_true(mu_uuid_equal(&x[1].session_id, &got.session_id));
	assert_true(mu_uuid_equal(&id, &got.person_id));
	assert_memory_equal(x[1].fingerprint, got.fingerprint, sizeof(got.fingerprint));
	assert_int_equal(NOW_S, got.issued_at_s);
	assert_int_equal(NOW_S + 200, got.expires_at_s);
	assert_string_equal("2001:db8::1", got.address);
	assert_memory_equal(x[1].mac, got.mac, sizeof(got.mac));
	store_session_clear(&got);

	/* A certificate is one session. */
	MUST(store_begin(s, &err));
	mu_uuid_new(&got.session_id);
	got = x[1];
	mu_uuid_new(&got.session_id);
	store_session_write(s, &got);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));

	MUST(store_begin(s, &err));
	store_session_sweep(s, NOW_S + 101);
	assert_int_equal(MU_EABSENT, store_session_find(s, x[0].fingerprint, &got, &err));
	store_session_drop(s, &x[1].session_id);
	assert_int_equal(MU_EABSENT, store_session_find(s, x[1].fingerprint, &got, &err));
	MUST(store_session_find(s, x[2].fingerprint, &got, &err));
	store_session_clear(&got);
	store_session_drop_all(s, &id);
	assert_int_equal(MU_EABSENT, store_session_find(s, x[2].fingerprint, &got, &err));
	store_rollback(s);
	store_close(s);
}

/* --- Actions ----------------------------------------------------------------------- */

static void
action_make(struct store_action *a, const struct mu_uuid *requester, enum action_state state,
    int64_t lapses_at_s)
{
	*a = (struct store_action){ .kind = ACTION_GRANT, .requester = *requester, .state = state,
		.document = mu_strdup("{\"action\":\"grant\",\"reason\":\"ö \\\"q\\\"\"}"),
		.requested_at_s = NOW_S, .lapses_at_s = lapses_at_s, .target_count = 2,
		.approvals_needed = 1 };
	mu_random(a->digest, sizeof(a->digest));
	mu_random(a->mac, sizeof(a->mac));
}

static void
action_store(struct store *s, const struct store_action *a)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(s, &err));
	store_action_insert(s, a);
	MUST(store_commit(s, &err));
}

static void
actions(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct mu_uuid asker, second;
	struct store_action a, got;
	struct store_approval yes;
	struct store_approvals list;

	(void)state;
	mu_uuid_new(&asker);
	mu_uuid_new(&second);
	action_make(&a, &asker, ACTION_PREPARED, NOW_S + 100);
	assert_int_equal(MU_EABSENT, store_action_get(s, a.digest, false, &got, &err));
	action_store(s, &a);
	MUST(store_begin(s, &err));
	store_action_insert(s, &a);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));	/* it has its row */
	MUST(store_begin(s, &err));
	MUST(store_action_get(s, a.digest, true, &got, &err));
	assert_int_equal(ACTION_GRANT, got.kind);
	assert_string_equal(a.document, got.document);
	assert_true(mu_uuid_equal(&asker, &got.requester));
	assert_int_equal(NOW_S, got.requested_at_s);
	assert_int_equal(NOW_S + 100, got.lapses_at_s);
	assert_int_equal(ACTION_PREPARED, got.state);
	assert_int_equal(2, got.target_count);
	assert_int_equal(1, got.approvals_needed);
	assert_int_equal(0, got.ended_at_s);
	assert_string_equal("", got.result);
	assert_memory_equal(a.mac, got.mac, sizeof(a.mac));
	store_action_clear(&got);
	yes = (struct store_approval){ .person_id = second, .approved = true, .made_at_s = NOW_S,
		.reason = (char *)(uintptr_t)"seen" };
	(void)memcpy(yes.digest, a.digest, sizeof(yes.digest));
	mu_random(yes.mac, sizeof(yes.mac));
	store_approval_write(s, &yes);
	a.state = ACTION_EXECUTED;
	a.ended_at_s = NOW_S + 5;
	a.result = mu_strdup("{\"people\":[]}");
	store_action_moved(s, &a);
	MUST(store_commit(s, &err));
	MUST(store_action_get(s, a.digest, false, &got, &err));
	assert_int_equal(ACTION_EXECUTED, got.state);
	assert_int_equal(NOW_S + 5, got.ended_at_s);
	assert_string_equal("{\"people\":[]}", got.result);
	store_action_clear(&got);
	MUST(store_approval_list(s, a.digest, &list, &err));
	assert_int_equal(1, list.count);
	assert_true(mu_uuid_equal(&second, &list.list[0].person_id));
	assert_true(list.list[0].approved);
	assert_string_equal("seen", list.list[0].reason);
	assert_int_equal(NOW_S, list.list[0].made_at_s);
	assert_memory_equal(yes.mac, list.list[0].mac, sizeof(yes.mac));
	store_approvals_clear(&list);

	/* Nobody counts twice, and nobody takes it back. */
	yes.approved = false;
	MUST(store_begin(s, &err));
	store_approval_write(s, &yes);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	store_action_clear(&a);
	store_close(s);
}

static void
actions_lapse(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct store_action a[4];
	struct store_actions list;
	struct mu_uuid asker;

	(void)state;
	mu_uuid_new(&asker);
	action_make(&a[0], &asker, ACTION_PREPARED, NOW_S + 10);
	action_make(&a[1], &asker, ACTION_PENDING, NOW_S + 10);
	action_make(&a[2], &asker, ACTION_PENDING, NOW_S + 20);
	action_make(&a[3], &asker, ACTION_PREPARED, NOW_S + 20);
	a[1].requested_at_s = NOW_S - 1;
	for (size_t i = 0; i < MU_COUNT(a); i++)
		action_store(s, &a[i]);
	MUST(store_action_pending(s, NOW_S, &list, &err));
	assert_int_equal(2, list.count);
	assert_memory_equal(a[1].digest, list.list[0].digest, sizeof(a[1].digest));
	store_actions_clear(&list);
	MUST(store_action_pending(s, NOW_S + 10, &list, &err));	/* not lapsed by the clock yet */
	assert_int_equal(1, list.count);
	store_actions_clear(&list);
	for (int round = 0; round < 2; round++) {
		MUST(store_begin(s, &err));
		MUST(store_action_lapse(s, NOW_S + 10, &list, &err));
		MUST(store_commit(s, &err));
		assert_int_equal(round == 0 ? 1 : 0, list.count);
		if (round == 0) {
			assert_memory_equal(a[1].digest, list.list[0].digest, sizeof(a[1].digest));
			assert_int_equal(ACTION_LAPSED, list.list[0].state);
			assert_int_equal(NOW_S + 10, list.list[0].ended_at_s);
		}
		store_actions_clear(&list);
	}
	assert_int_equal(MU_EABSENT, store_action_get(s, a[0].digest, false, &a[0], &err));
	MUST(store_action_pending(s, NOW_S + 10, &list, &err));
	assert_int_equal(1, list.count);
	store_actions_clear(&list);
	rig_sql_is("1", "SELECT count(*) FROM action WHERE state = 'prepared'");
	for (size_t i = 0; i < MU_COUNT(a); i++)
		store_action_clear(&a[i]);
	store_close(s);
}

/* --- What actions leave on people -------------------------------------------------- */

static void
grant_make(struct grant *g, const struct mu_uuid *person_id, const char *role)
{
	*g = (struct grant){ .person_id = *person_id, .role = mu_strdup(role),
		.reason = mu_strdup("night \"shift\" ö"), .starts_at_s = NOW_S,
		.ends_at_s = NOW_S + 3600 };
	mu_uuid_new(&g->grant_id);
	mu_uuid_new(&g->granted_by);
	mu_random(g->mac, sizeof(g->mac));
}

/* The digest of some action that was executed. */
static void
grant_prove(struct grant *g)
{
	char *hex = rig_sql("SELECT encode(digest, 'hex') FROM action WHERE state = 'executed'");

	assert_int_equal(64, strlen(hex));
	for (size_t i = 0; i < sizeof(g->action_digest); i++) {
		unsigned int byte;

		assert_int_equal(1, sscanf(hex + 2 * i, "%2x", &byte));
		g->action_digest[i] = (unsigned char)byte;
	}
	free(hex);
}

static void
grants(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS | STORE_GRANT);
	struct mu_uuid ids[3] = { person_id_new("ida"), person_id_new("jan"), person_id_new("kim") };
	struct grant g[4], *got;
	struct store_people people;

	(void)state;
	grant_make(&g[0], &ids[0], "ops-moderator");
	grant_make(&g[1], &ids[0], "auditor");
	grant_make(&g[2], &ids[2], "auditor");
	grant_make(&g[3], &ids[2], "auditor");
	MUST(store_begin(s, &err));
	for (size_t i = 0; i < MU_COUNT(g); i++) {
		grant_prove(&g[i]);
		store_grant_write(s, &g[i]);
	}
	MUST(store_commit(s, &err));
	MUST(store_person_read_ids(s, ids, 3, &people, &err));
	assert_int_equal(3, people.count);
	for (size_t i = 0; i < people.count; i++) {
		struct store_person *p = &people.list[i];

		assert_string_equal("", p->vouched.level);
		if (mu_uuid_equal(&ids[0], &p->person_id)) {
			assert_int_equal(2, p->grant_count);
			got = &p->grants[1];
			assert_string_equal("auditor", p->grants[0].role);
			assert_true(mu_uuid_equal(&g[0].grant_id, &got->grant_id));
			assert_true(mu_uuid_equal(&ids[0], &got->person_id));
			assert_true(mu_uuid_equal(&g[0].granted_by, &got->granted_by));
			assert_string_equal("ops-moderator", got->role);
			assert_string_equal(g[0].reason, got->reason);
			assert_int_equal(NOW_S, got->starts_at_s);
			assert_int_equal(NOW_S + 3600, got->ends_at_s);
			assert_memory_equal(g[0].action_digest, got->action_digest, 32);
			assert_memory_equal(g[0].mac, got->mac, MAC_BYTES);
		} else if (mu_uuid_equal(&ids[2], &p->person_id)) {
			assert_int_equal(1, p->grant_count);	/* in place of the other */
			assert_true(mu_uuid_equal(&g[3].grant_id, &p->grants[0].grant_id));
		} else {
			assert_int_equal(0, p->grant_count);
		}
	}
	store_people_clear(&people);

	/* Whoever ends it twice is told; cycle may end, never give. */
	for (int round = 0; round < 2; round++) {
		MUST(store_begin(cycle, &err));
		store_grant_drop(cycle, &g[1].grant_id);
		assert_int_equal(round == 0 ? MU_OK : MU_ECONFLICT, store_commit(cycle, &err));
	}
	person_read(cycle, &ids[0], &people);
	assert_int_equal(1, people.list[0].grant_count);
	store_people_clear(&people);
	for (size_t i = 0; i < MU_COUNT(g); i++)
		grant_clear(&g[i]);
	store_close(cycle);
	store_close(s);
}

static void
identifications(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct identification i = { .person_id = person_id_new("lea"),
		.level = (char *)(uintptr_t)"in-person", .method = (char *)(uintptr_t)"passport",
		.evidence = (char *)(uintptr_t)"HR/7", .identified_at_s = NOW_S, .version = 1 };
	struct store_people people;
	struct identification *got;

	(void)state;
	mu_uuid_new(&i.verifier);
	for (i.version = 1; i.version <= 2; i.version++) {
		mu_random(i.mac, sizeof(i.mac));
		MUST(store_begin(s, &err));
		store_identification_write(s, &i);
		MUST(store_commit(s, &err));
	}
	person_read(s, &i.person_id, &people);
	got = &people.list[0].vouched;
	assert_true(mu_uuid_equal(&i.person_id, &got->person_id));
	assert_true(mu_uuid_equal(&i.verifier, &got->verifier));
	assert_string_equal("in-person", got->level);
	assert_string_equal("passport", got->method);
	assert_string_equal("HR/7", got->evidence);
	assert_int_equal(NOW_S, got->identified_at_s);
	assert_int_equal(2, got->version);
	assert_memory_equal(i.mac, got->mac, MAC_BYTES);
	store_people_clear(&people);
	for (i.version = 1; i.version <= 2; i.version++) {
		MUST(store_begin(s, &err));
		store_identification_write(s, &i);
		assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	}
	/* Nobody vouches for themselves. */
	i.version = 3;
	i.verifier = i.person_id;
	MUST(store_begin(s, &err));
	store_identification_write(s, &i);
	assert_int_equal(MU_EBROKEN, store_commit(s, &err));
	store_close(s);
}

static void
people_moved(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct mu_uuid id = person_id_new("mia");
	struct store_people people, old;
	struct store_person *p;

	(void)state;
	person_read(cycle, &id, &old);
	assert_false(old.list[0].suspended);
	assert_int_equal(0, old.list[0].resume_at_s);
	MUST(store_begin(s, &err));
	store_person_block(s, &id, true);
	store_person_suspend(s, &id, true, NOW_S + 50);
	MUST(store_person_lock_ids(s, &id, 1, &people, &err));
	p = &people.list[0];
	assert_int_equal(3, p->version);
	assert_true(p->blocked);
	assert_true(p->suspended);
	assert_int_equal(NOW_S + 50, p->resume_at_s);
	p->resume_at_s = NOW_S + 60;		/* decided on in the same transaction */
	store_person_write(s, p);
	MUST(store_commit(s, &err));
	store_people_clear(&people);
	/* Who decided from what was before is told. */
	MUST(store_begin(cycle, &err));
	store_person_write(cycle, &old.list[0]);
	assert_int_equal(MU_ECONFLICT, store_commit(cycle, &err));
	store_people_clear(&old);
	person_read(cycle, &id, &people);
	assert_true(people.list[0].suspended);
	assert_int_equal(NOW_S + 60, people.list[0].resume_at_s);
	store_people_clear(&people);
	MUST(store_begin(s, &err));
	store_person_suspend(s, &id, false, 0);
	store_person_block(s, &id, false);
	MUST(store_commit(s, &err));
	rig_sql_is("f f 6 ", "SELECT concat_ws(' ', blocked, suspended, version,"
	    " coalesce(resume_at::text, '')) FROM person WHERE uid = 'mia'");
	MUST(store_begin(s, &err));
	mu_uuid_new(&id);
	store_person_block(s, &id, true);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	store_close(cycle);
	store_close(s);
}

/* --- Brake, reads, policy, credentials, clients ------------------------------------ */

static void
brake_released(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_person p[2];
	struct store_holds holds;
	struct store_status status;
	struct mu_uuid free_one = person_id_new("nobody's");

	(void)state;
	MUST(store_begin(cycle, &err));
	for (size_t i = 0; i < 2; i++) {
		person_make(&p[i], i == 0 ? "ned" : "oda");
		store_person_write(cycle, &p[i]);
		store_brake_hold_add(cycle, "corp", &p[i].person_id, BRAKE_REMOVAL, "6 of 10",
		    NOW_S - (int64_t)i);
	}
	store_verdict_write(cycle, "corp", VERDICT_COMPLETE, "", NOW_S);
	MUST(store_commit(cycle, &err));
	MUST(store_status_get(s, &status, &err));
	assert_int_equal(2, status.sources[0].held);
	assert_int_equal(NOW_S - 1, status.sources[0].held_since_s);
	store_status_clear(&status);

	MUST(store_begin(s, &err));
	store_brake_release(s, "other", &p[0].person_id, 1);
	store_brake_release(s, "corp", &p[1].person_id, 1);
	MUST(store_commit(s, &err));
	MUST(store_brake_hold_list(s, NULL, &holds, &err));
	assert_int_equal(2, holds.count);
	for (size_t i = 0; i < 2; i++) {
		bool second = strcmp("oda", holds.list[i].uid) == 0;

		assert_int_equal(second, holds.list[i].released);
		assert_true(mu_uuid_equal(&p[second ? 1 : 0].person_id, &holds.list[i].person_id));
		assert_string_equal("corp", holds.list[i].source);
		assert_string_equal("6 of 10", holds.list[i].reason);
		assert_string_equal("Zoë O'Hara", holds.list[i].display_name);
		assert_int_equal(second ? NOW_S - 1 : NOW_S, holds.list[i].since_s);
	}
	store_holds_clear(&holds);
	MUST(store_brake_hold_list(s, "other", &holds, &err));
	assert_int_equal(0, holds.count);
	store_holds_clear(&holds);
	/* Holding them again changes nothing. */
	MUST(store_begin(cycle, &err));
	store_brake_hold_add(cycle, "corp", &p[1].person_id, BRAKE_REMOVAL, "7 of 10", NOW_S);
	MUST(store_commit(cycle, &err));
	MUST(store_brake_hold_find(cycle, (struct mu_uuid[]){ free_one, p[1].person_id }, 2, &holds,
	    &err));
	assert_int_equal(1, holds.count);
	assert_true(mu_uuid_equal(&p[1].person_id, &holds.list[0].person_id));
	assert_true(holds.list[0].released);
	store_holds_clear(&holds);
	MUST(store_status_get(s, &status, &err));
	assert_int_equal(1, status.sources[0].held);
	assert_int_equal(NOW_S, status.sources[0].held_since_s);
	store_status_clear(&status);
	store_person_clear(&p[0]);
	store_person_clear(&p[1]);
	store_close(cycle);
	store_close(s);
}

static void
sync_asked(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	int64_t at_ms;

	(void)state;
	MUST(store_sync_asked(cycle, "corp", &at_ms, &err));
	assert_int_equal(0, at_ms);
	MUST(store_begin(s, &err));
	store_sync_ask(s, "corp", NOW_S * 1000LL + 789);
	store_sync_ask(s, "corp", NOW_S * 1000LL + 788);	/* the latest counts */
	MUST(store_commit(s, &err));
	MUST(store_sync_asked(cycle, "corp", &at_ms, &err));
	assert_true(at_ms == NOW_S * 1000LL + 789);
	store_close(cycle);
	store_close(s);
}

static void
policy_version(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *cycle = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_policy_file file = { (char *)(uintptr_t)"roles.yaml", (char *)(uintptr_t)"[]" };
	struct store_policy p = { .version = 1, .applied_by = (char *)(uintptr_t)"amy",
		.applied_at_s = NOW_S, .files = &file, .file_count = 1 };
	int64_t version;

	(void)state;
	MUST(store_policy_version(s, &version, &err));
	assert_int_equal(0, version);
	for (p.version = 1; p.version <= 2; p.version++) {
		MUST(store_begin(s, &err));
		store_policy_write(s, &p);
		MUST(store_commit(s, &err));
	}
	MUST(store_policy_version(s, &version, &err));
	assert_int_equal(2, version);
	MUST(store_policy_decided(cycle, &version, &err));
	assert_int_equal(0, version);
	MUST(store_begin(cycle, &err));
	store_policy_decided_write(cycle, 2, NOW_S);
	store_policy_decided_write(cycle, 1, NOW_S + 1);	/* a late one takes nothing back */
	MUST(store_commit(cycle, &err));
	MUST(store_policy_decided(cycle, &version, &err));
	assert_int_equal(2, version);
	store_close(cycle);
	p.version = 2;			/* two apply over the same base: one is told */
	MUST(store_begin(s, &err));
	store_policy_write(s, &p);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));
	store_close(s);
}

static void
credential_renewed(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS),
	    *prov = rig_open(STORE_ROLE_PROVISION, STORE_QUEUE | STORE_CREDENTIAL);
	struct store_account a[1];
	struct store_person p;
	struct mu_secret sealed = MU_SECRET_INIT;
	struct mu_uuid credential_id;

	(void)state;
	person_new("pam", a, xmpp, &p);
	mu_uuid_new(&credential_id);
	mu_secret_set(&sealed, "old", 3);
	MUST(store_begin(prov, &err));
	store_credential_write(prov, &credential_id, &a[0].want, &sealed, NOW_S);
	MUST(store_commit(prov, &err));
	free(rig_sql("UPDATE account SET settled_version = version, claimed_at = now(), parked = true,"
	    " attempts = 4 WHERE name = 'pam'"));
	MUST(store_begin(s, &err));
	store_credential_renew(s, &a[0].want.account_id, NOW_S + 1);
	MUST(store_commit(s, &err));
	rig_sql_is("0", "SELECT count(*) FROM credential");
	rig_sql_is("t f 0 t", "SELECT concat_ws(' ', version > settled_version, parked, attempts,"
	    " claimed_at IS NULL) FROM account WHERE name = 'pam'");
	MUST(store_begin(s, &err));
	store_credential_renew(s, &credential_id, NOW_S + 1);
	assert_int_equal(MU_ECONFLICT, store_commit(s, &err));	/* no such account */
	mu_secret_clear(&sealed);
	account_want_clear(&a[0].want);
	store_person_clear(&p);
	store_close(prov);
	store_close(s);
}

static void
client_configured(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS);
	struct store_client c = { .name = (char *)(uintptr_t)"by-hand",
		.platform = (char *)(uintptr_t)"xmpp", .certificate = (char *)(uintptr_t)"pem",
		.not_after_s = NOW_S, .version = 1 }, got;

	(void)state;
	mu_uuid_new(&c.client_id);
	mu_random(c.fingerprint, sizeof(c.fingerprint));
	for (c.version = 1; c.version <= 2; c.version++) {
		c.configured = c.version == 2;
		MUST(store_begin(s, &err));
		store_client_write(s, &c);
		MUST(store_commit(s, &err));
		MUST(store_client_find(s, c.fingerprint, &got, &err));
		assert_int_equal(c.configured, got.configured);
		store_client_clear(&got);
	}
	store_close(s);
}

/* --- A store of the version before ------------------------------------------------- */

/* The superuser's, in a database of its own. */
static void
old_conninfo(struct mu_buf *b)
{
	mu_buf_format(b, "%s dbname='old'", store_private_conninfo(rig.server));
}

static void
old_sql(const char *sql)
{
	MU_AUTO(mu_buf_clear) struct mu_buf conninfo = MU_BUF_INIT;
	PGconn *conn;
	PGresult *rows;

	old_conninfo(&conninfo);
	conn = PQconnectdb(conninfo.data);
	rows = PQexec(conn, sql);
	if (PQresultStatus(rows) != PGRES_COMMAND_OK && PQresultStatus(rows) != PGRES_TUPLES_OK)
		fail_msg("%.100s: %s", sql, PQerrorMessage(conn));
	PQclear(rows);
	PQfinish(conn);
}

/* One of the five migrations that were there first. */
static void
old_migration(const char *name)
{
	static char text[16384];
	char path[512];
	FILE *f;
	size_t got;

	(void)snprintf(path, sizeof(path), SOURCE_DIR "/sql/migrate/%s.sql", name);
	f = fopen(path, "r");
	assert_non_null(f);
	got = fread(text, 1, sizeof(text) - 1, f);
	text[got] = '\0';
	(void)fclose(f);
	old_sql(text);
}

static void
old_store_migrates(void **state)
{
	static const char *const first[] = { "0001_people", "0002_sources", "0003_accounts",
		"0004_audit", "0005_policy" };
	MU_AUTO(mu_buf_clear) struct mu_buf conninfo = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t applied;

	(void)state;
	free(rig_sql("CREATE DATABASE old TEMPLATE template0 ENCODING 'UTF8'"));
	for (size_t i = 0; i < MU_COUNT(first); i++)
		old_migration(first[i]);
	old_sql("INSERT INTO person SELECT gen_random_uuid(), 'corp', gen_random_uuid(), 1, '', '', '',"
	    " 'active', now(), NULL, NULL, NULL, false, '', sha256('x'), '', '', ''"
	    " FROM generate_series(1, 10);"
	    " INSERT INTO brake_hold SELECT source, person_id, 'many', now() FROM person;"
	    " INSERT INTO token_client VALUES (gen_random_uuid(), 'gate', 'xmpp', sha256('a'),"
	    " sha256('b'), '', now(), 1, sha256('c'))");
	old_conninfo(&conninfo);
	MUST(store_migrate(conninfo.data, &applied, &err));
	assert_int_equal(store_schema_version() - 5, applied);
	old_sql("SELECT 1 / (SELECT count(*) FROM person WHERE NOT suspended AND resume_at IS NULL);"
	    " SELECT 1 / (SELECT count(*) FROM brake_hold WHERE NOT released);"
	    " SELECT 1 / (SELECT count(*) FROM token_client WHERE configured)");
	MUST(store_migrate(conninfo.data, &applied, &err));
	assert_int_equal(0, applied);
}

/* --- Roles and invariants ---------------------------------------------------------- */

#define SECRET_FROM(who, role) \
	{ who " cannot read seeds", role, "SELECT sealed FROM totp_seed" }, \
	{ who " cannot read administrators", role, "SELECT role FROM administrator" }, \
	{ who " cannot read enrolments", role, "SELECT code_digest FROM enrolment" }, \
	{ who " cannot read sessions", role, "SELECT fingerprint FROM admin_session" }, \
	{ who " cannot read actions", role, "SELECT document FROM action" }, \
	{ who " cannot approve", role, "INSERT INTO action_approval (digest) VALUES (NULL)" }, \
	{ who " cannot open a session", role, "INSERT INTO admin_session (address) VALUES ('')" }, \
	{ who " cannot grant", role, "INSERT INTO requested_grant (role) VALUES ('x')" }, \
	{ who " cannot vouch", role, "INSERT INTO identification (level) VALUES ('x')" }

static struct forbidden forbidden[] = {
	SECRET_FROM("token", STORE_ROLE_TOKEN),
	SECRET_FROM("claim", STORE_ROLE_CLAIM),
	SECRET_FROM("provision", STORE_ROLE_PROVISION),
	SECRET_FROM("audit", STORE_ROLE_AUDIT),
	SECRET_FROM("cycle", STORE_ROLE_CYCLE),
	SECRET_FROM("work", STORE_ROLE_WORK),
	{ "token cannot read grants",			STORE_ROLE_TOKEN,
	    "SELECT role FROM requested_grant" },
	{ "cycle cannot lengthen a grant",		STORE_ROLE_CYCLE,
	    "UPDATE requested_grant SET ends_at = now()" },
	{ "cycle cannot raise an identification",	STORE_ROLE_CYCLE,
	    "UPDATE identification SET level = 'x'" },
	{ "cycle cannot release the brake",		STORE_ROLE_CYCLE,
	    "UPDATE brake_hold SET released = true" },
	{ "cycle cannot ask for a read",		STORE_ROLE_CYCLE,
	    "INSERT INTO sync_request VALUES ('corp', now())" },
	{ "work cannot end a grant",			STORE_ROLE_WORK,
	    "DELETE FROM requested_grant" },
	{ "admin cannot read sealed credentials",	STORE_ROLE_ADMIN,
	    "SELECT sealed FROM credential" },
	{ "admin cannot put a credential in place",	STORE_ROLE_ADMIN,
	    "UPDATE credential SET sealed = ''" },
	{ "admin cannot make people",			STORE_ROLE_ADMIN,
	    "INSERT INTO person (uid) VALUES ('x')" },
	{ "admin cannot delete people",			STORE_ROLE_ADMIN,
	    "DELETE FROM person" },
	{ "admin cannot hand an account to another",	STORE_ROLE_ADMIN,
	    "UPDATE account SET person_id = NULL" },
	{ "admin cannot change what an action said",	STORE_ROLE_ADMIN,
	    "UPDATE action SET document = ''" },
	{ "admin cannot change who asked",		STORE_ROLE_ADMIN,
	    "UPDATE action SET requester = NULL" },
	{ "admin cannot change an approval",		STORE_ROLE_ADMIN,
	    "UPDATE action_approval SET approved = true" },
	{ "admin cannot take an approval back",		STORE_ROLE_ADMIN,
	    "DELETE FROM action_approval" },
	{ "admin cannot lengthen a session",		STORE_ROLE_ADMIN,
	    "UPDATE admin_session SET expires_at = now()" },
	{ "admin cannot say that nobody is held",	STORE_ROLE_ADMIN,
	    "UPDATE brake_hold SET person_id = NULL" },
	{ "admin cannot change a policy in force",	STORE_ROLE_ADMIN,
	    "UPDATE policy_file SET content = ''" },
	{ "admin cannot change an audit record",	STORE_ROLE_ADMIN,
	    "UPDATE audit_record SET body = ''" },
	{ "admin cannot delete an audit record",	STORE_ROLE_ADMIN,
	    "DELETE FROM audit_record" },
};

static struct check checks[] = {
	{ "what these tests left is sound: administrators", "administrators", "", "" },
	{ "what these tests left is sound: actions", "actions", "", "" },
	{ "an administrator who works without a seed is found", "administrators",
	    "active administrator without a confirmed seed", "DELETE FROM totp_seed" },
	{ "an administrator who works with an unconfirmed seed is found", "administrators",
	    "active administrator without a confirmed seed",
	    "UPDATE totp_seed SET confirmed = false" },
	{ "an administrator of their own making is found", "administrators",
	    "administrator enrolled by themselves", "UPDATE administrator SET enrolled_by = person_id" },
	{ "a session of nobody is found", "administrators",
	    "session of nobody who is an active administrator",
	    "UPDATE administrator SET active = false" },
	{ "a session that never was is found", "administrators",
	    "session that ends before it begins", "UPDATE admin_session SET expires_at = issued_at" },
	{ "an action executed too early is found", "actions", "executed with too few approvals",
	    "UPDATE action SET approvals_needed = 2 WHERE state = 'executed'" },
	{ "one's own approval does not count", "actions", "executed with too few approvals",
	    "UPDATE action_approval SET person_id = (SELECT requester FROM action a"
	    " WHERE a.digest = action_approval.digest)" },
	{ "one's own approval is found", "actions", "approved by who asked for it",
	    "UPDATE action_approval SET person_id = (SELECT requester FROM action a"
	    " WHERE a.digest = action_approval.digest)" },
	{ "an action that ended at no time is found", "actions",
	    "ended at no time, or open and ended", "UPDATE action SET ended_at = NULL" },
	{ "a grant that ends before it starts is found", "actions",
	    "grant that ends before it starts", "UPDATE requested_grant SET ends_at = starts_at" },
	{ "a grant that no action gave is found", "actions",
	    "grant of no action that was executed",
	    "UPDATE requested_grant SET action_digest = sha256('x')" },
};

int
main(void)
{
	static const struct CMUnitTest first[] = {
		{ "an administrator is read as written, with seed and person",
		    administrator_round_trip, NULL, NULL, NULL },
		{ "a code's step never goes back, and an old seed's moves nothing", seed_forward,
		    NULL, NULL, NULL },
		{ "who is blocked does not count as an administrator", administrators_counted,
		    NULL, NULL, NULL },
		{ "an administrator goes with seed, enrolment and sessions", administrator_gone,
		    NULL, NULL, NULL },
		{ "the second who uses a code waits, and sees what the first moved",
		    one_code_at_a_time, NULL, NULL, NULL },
		{ "a row that somebody keeps is not waited for long",
		    a_row_that_is_kept_is_not_waited_for_long, NULL, NULL, NULL },
		{ "the second bootstrap waits, and counts what the first made",
		    one_bootstrap_at_a_time, NULL, NULL, NULL },
		{ "a one-time code is there until it is used or runs out", enrolments, NULL, NULL,
		    NULL },
		{ "sessions are found by certificate, dropped and swept", sessions, NULL, NULL,
		    NULL },
		{ "an action keeps its document, and one approval a person", actions, NULL, NULL,
		    NULL },
		{ "what was prepared goes, what was pending lapses", actions_lapse, NULL, NULL,
		    NULL },
		{ "grants are read with their person, one a role", grants, NULL, NULL, NULL },
		{ "an identification is another's, and the last one counts", identifications, NULL,
		    NULL, NULL },
		{ "blocking and suspending bump the version", people_moved, NULL, NULL, NULL },
		{ "who is released passes the brake, and is not shown as held", brake_released,
		    NULL, NULL, NULL },
		{ "a read that was asked for is seen", sync_asked, NULL, NULL, NULL },
		{ "the newest policy's number, who decided by it, one writer", policy_version, NULL, NULL,
		    NULL },
		{ "a renewed credential is made anew", credential_renewed, NULL, NULL, NULL },
		{ "a client remembers whether it was configured", client_configured, NULL, NULL,
		    NULL },
	};
	struct CMUnitTest tests[MU_COUNT(first) + MU_COUNT(forbidden) + MU_COUNT(checks) + 1];
	size_t count = MU_COUNT(first);

	(void)memcpy(tests, first, sizeof(first));
	for (size_t i = 0; i < MU_COUNT(forbidden); i++)
		tests[count++] = (struct CMUnitTest){ forbidden[i].name, forbidden_row, NULL, NULL,
		    &forbidden[i] };
	for (size_t i = 0; i < MU_COUNT(checks); i++)
		tests[count++] = (struct CMUnitTest){ checks[i].name, check_row, NULL, NULL,
		    &checks[i] };
	tests[count++] = (struct CMUnitTest){ "a store of the version before is brought here",
	    old_store_migrates, NULL, NULL, NULL };
	return _cmocka_run_group_tests("store", tests, count, rig_up, rig_down);
}
