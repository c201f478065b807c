/* Token's lookups and records, and hints: in a loop, over a server that comes and goes. */
#include "store/read.h"

#include "unit/store/people.h"
#include "unit/store/rig.h"

#include "base/clock.h"
#include "base/loop.h"
#include "store/hint.h"

#include <signal.h>
#include <sys/resource.h>

#define PATIENCE_MS	20000
#define SPEED_LOOKUPS	40000
#define IN_FLIGHT	64

static struct store_client gate = { .name = (char *)(uintptr_t)"gate",
    .platform = (char *)(uintptr_t)"xmpp",
	.certificate = (char *)(uintptr_t)"pem", .not_after_s = NOW_S, .version = 1 };
static struct store_person ada;
static struct store_account ada_xmpp[1];

/* A loop with one store_read, and what a test waits for. */
struct bench {
	struct mu_loop *loop;
	struct store_read *read;
	struct store_hint *hint;
	struct mu_timer *tick, *patience;
	bool (*done)(struct bench *b);
	int ok, retry, no_client, no_account, hints;
	int wanted, asked;
	enum account_state state;
	bool timed_out;
};

static void
on_tick(void *ctx)
{
	struct bench *b = ctx;

	if (b->done(b))
		mu_loop_stop(b->loop, 0);
	else
		mu_timer_set(b->tick, 2);
}

static void
on_patience(void *ctx)
{
	struct bench *b = ctx;

	b->timed_out = true;
	mu_loop_stop(b->loop, 1);
}

static void
bench_open(struct bench *b, bool (*done)(struct bench *b))
{
	*b = (struct bench){ .loop = mu_loop_new(), .done = done };
	b->read = store_read_open(b->loop, rig.logins.conninfo[STORE_ROLE_TOKEN]);
	b->tick = mu_loop_timer(b->loop, on_tick, b);
	b->patience = mu_loop_timer(b->loop, on_patience, b);
	mu_timer_set(b->tick, 0);
	mu_timer_set(b->patience, PATIENCE_MS);
}

static void
bench_run(struct bench *b)
{
	(void)mu_loop_run(b->loop);
	assert_false(b->timed_out);
	store_hint_close(b->hint);
	store_read_close(b->read);
	mu_loop_free(b->loop);
}

static void
on_grant(void *ctx, enum mu_rc rc, struct store_grant *grant)
{
	struct bench *b = ctx;

	if (rc != MU_OK)
		b->retry++;
	else if (!grant->has_client)
		b->no_client++;
	else if (!grant->has_account)
		b->no_account++;
	else {
		b->ok++;
		b->state = grant->account.state;
		if (!mu_uuid_equal(&grant->client.client_id, &gate.client_id) ||
		    strcmp(grant->client.name, "gate") != 0 || grant->client.not_after_s != NOW_S ||
		    memcmp(grant->mac, ada_xmpp[0].mac, MAC_BYTES) != 0 ||
		    memcmp(grant->account.subject, ada_xmpp[0].want.subject,
		    ACCOUNT_SUBJECT_BYTES) != 0 || !entitlements_equal(&grant->account.entitlements,
		    &ada_xmpp[0].want.entitlements))
			b->state = ACCOUNT_ABSENT;
	}
}

static int
up(void **state)
{
	static const char *const xmpp[] = { "xmpp", NULL };
	struct mu_err err = MU_ERR_INIT;
	struct store *s;

	if (rig_up(state) != 0)
		return 1;
	s = rig_open(STORE_ROLE_ADMIN, STORE_CLIENT);
	mu_uuid_new(&gate.client_id);
	mu_random(gate.fingerprint, sizeof(gate.fingerprint));
	MUST(store_begin(s, &err));
	store_client_write(s, &gate);
	MUST(store_commit(s, &err));
	store_close(s);
	s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	person_make(&ada, "ada");
	person_store(s, &ada, ada_xmpp, xmpp);
	store_close(s);
	return 0;
}

static int
down(void **state)
{
	account_want_clear(&ada_xmpp[0].want);
	store_person_clear(&ada);
	return rig_down(state);
}

/* --- Lookups -------------------------------------------------------------------------- */

static bool
asks_three(struct bench *b)
{
	static const unsigned char nobody[FINGERPRINT_BYTES];

	if (store_read_is_up(b->read) && b->asked == 0) {
		b->asked = 3;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
		store_read_grant(b->read, gate.fingerprint, "eve", on_grant, b);
		store_read_grant(b->read, nobody, "ada", on_grant, b);
		/* never from inside */
		assert_int_equal(0, b->ok + b->no_account + b->no_client);
	}
	return b->ok + b->no_account + b->no_client + b->retry == 3;
}

static void
three_answers(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, asks_three);
	bench_run(&b);
	assert_int_equal(1, b.ok);
	assert_int_equal(1, b.no_account);
	assert_int_equal(1, b.no_client);
	assert_int_equal(ACCOUNT_ENABLED, b.state);
}

/* cycle takes the account away, and puts it back. */
static void
want(enum account_state wanted)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);

	MUST(store_begin(s, &err));
	ada_xmpp[0].want.state = wanted;
	ada_xmpp[0].want.version++;
	store_account_write(s, &ada_xmpp[0], wanted != ACCOUNT_ENABLED, NOW_S);
	MUST(store_commit(s, &err));
	store_hint(s, "muster_accounts");
	store_close(s);
}

static bool
sees_the_commit(struct bench *b)
{
	if (!store_read_is_up(b->read) || b->ok < b->asked)
		return false;
	if (b->asked > 0)
		assert_int_equal(ada_xmpp[0].want.state, b->state);
	if (b->asked == 6)
		return true;
	want(b->asked % 2 == 0 ? ACCOUNT_DISABLED : ACCOUNT_ENABLED);
	b->asked++;
	store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	return false;
}

static void
nothing_is_cached(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, sees_the_commit);
	bench_run(&b);
	assert_int_equal(6, b.ok);
}

/* Up, killed with a lookup on its way, asked while away, started again, answered. */
static bool
comes_back(struct bench *b)
{
	struct mu_err err = MU_ERR_INIT;

	if (b->asked == 0 && store_read_is_up(b->read)) {
		rig_server_kill();
		b->asked = 1;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	} else if (b->asked == 1 && b->retry == 1 && !store_read_is_up(b->read)) {
		b->asked = 2;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	} else if (b->asked == 2 && b->retry == 2) {
		MUST(store_private_start(rig.server, &err));
		b->asked = 3;
	} else if (b->asked == 3 && store_read_is_up(b->read)) {
		b->asked = 4;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	}
	return b->ok == 1;
}

static void
lost_and_back(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, comes_back);
	bench_run(&b);
	assert_int_equal(2, b.retry);
	assert_int_equal(1, b.ok);
}

/* Signals every process of the server that answers token. */
static void
answerers_signal(int sig)
{
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));
	PGresult *rows = PQexec(conn, "SELECT pid FROM pg_stat_activity"
	    " WHERE usename = 'muster_token'");

	assert_true(PQntuples(rows) > 0);
	for (int i = 0; i < PQntuples(rows); i++)
		assert_int_equal(0, kill((pid_t)atoi(PQgetvalue(rows, i, 0)), sig));
	PQclear(rows);
	PQfinish(conn);
}

/*
 * A server that holds still answers nothing: the lookup is given up, and the next goes over a
 * new connection.
 */
static bool
held_still(struct bench *b)
{
	if (b->asked == 0 && store_read_is_up(b->read)) {
		answerers_signal(SIGSTOP);
		b->asked = 1;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	} else if (b->asked == 1 && b->retry == 1 && store_read_is_up(b->read)) {
		b->asked = 2;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	}
	return b->ok == 1;
}

static void
stopped_server(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, held_still);
	bench_run(&b);
	answerers_signal(SIGCONT);
	assert_int_equal(1, b.retry);
}

/* --- Records -------------------------------------------------------------------------- */

static struct mu_uuid record_id;

static bool
records_everything(struct bench *b)
{
	if (b->asked == 0) {			/* before the connection is there */
		b->asked = 1;
		for (int i = 0; i < 100; i++)
			store_read_pull_add(b->read, &gate.client_id, &ada_xmpp[0].want.account_id,
			    NOW_S + i % 2);
		mu_uuid_new(&record_id);
		store_read_audit_add(b->read, &record_id, NOW_S * 1000LL, "grant.refused",
		    "{\"why\":\"leaver\"}");
	} else if (b->asked == 1) {
		char *there = rig_sql("SELECT count(*) FROM audit_record");
		bool recorded = strcmp(there, "1") == 0;

		free(there);
		if (!recorded)
			return false;
		/* Sent twice, as after a connection that broke before the answer. */
		store_read_audit_add(b->read, &record_id, NOW_S * 1000LL, "grant.refused",
		    "{\"why\":\"leaver\"}");
		store_read_pull_add(b->read, &gate.client_id, &ada_xmpp[0].want.account_id,
		    NOW_S + 60);
		b->asked = 2;
	} else {
		char *rows = rig_sql("SELECT count(*) FROM pull_count");
		bool both = strcmp(rows, "2") == 0;

		free(rows);
		return both;
	}
	return false;
}

static void
records(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, records_everything);
	bench_run(&b);
	rig_sql_is("100,1", "SELECT string_agg(pulls::text, ',' ORDER BY minute) FROM pull_count");
	rig_sql_is("{\"why\":\"leaver\"}", "SELECT body FROM audit_record"
	    " JOIN audit_pending USING (record_id)");
	rig_sql_is("1", "SELECT count(*) FROM audit_record");
}

/* Records made while the server is away are there when it is back. */
static bool
records_outlive_an_outage(struct bench *b)
{
	struct mu_err err = MU_ERR_INIT;

	if (b->asked == 0 && store_read_is_up(b->read)) {
		rig_server_kill();
		for (b->asked = 0; b->asked < 500; b->asked++) {
			mu_uuid_new(&record_id);
			store_read_audit_add(b->read, &record_id, NOW_S * 1000LL, "outage", "{}");
		}
		MUST(store_private_start(rig.server, &err));
	} else if (b->asked > 0) {
		char *there = rig_sql("SELECT count(*) FROM audit_record WHERE kind = 'outage'");
		bool all = strcmp(there, "500") == 0;

		free(there);
		return all;
	}
	return false;
}

static void
outage(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, records_outlive_an_outage);
	bench_run(&b);
}

/* What cannot be recorded is not told: with too many records waiting, lookups are refused. */
static bool
piles_up(struct bench *b)
{
	if (b->asked == 0 && store_read_is_up(b->read)) {
		for (b->asked = 0; b->asked < 20000; b->asked++)
			store_read_pull_add(b->read, &gate.client_id, &gate.client_id, NOW_S);
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	} else if (b->retry == 1 && b->wanted == 0) {
		char *there = rig_sql("SELECT coalesce(sum(pulls), 0) FROM pull_count"
		    " WHERE account_id = client_id");
		bool all = strcmp(there, "20000") == 0;

		free(there);
		if (!all)
			return false;
		b->wanted = 1;
	} else if (b->wanted == 1) {
		b->wanted = 2;
		store_read_grant(b->read, gate.fingerprint, "ada", on_grant, b);
	}
	return b->ok == 1;
}

static void
pile(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, piles_up);
	bench_run(&b);
	assert_int_equal(1, b.retry);
}

/* --- Hints ---------------------------------------------------------------------------- */

static void
on_hint(void *ctx)
{
	++((struct bench *)ctx)->hints;
}

static bool
wakes_up(struct bench *b)
{
	struct mu_err err = MU_ERR_INIT;

	if (b->hint == NULL) {
		b->hint = store_hint_open(b->loop, rig.logins.conninfo[STORE_ROLE_PROVISION]);
		store_hint_on(b->hint, "muster_accounts", on_hint, b);
	} else if (b->asked == 0 && b->hints == 1) {	/* connected: look once */
		b->asked = 1;
		want(ACCOUNT_ENABLED);
	} else if (b->asked == 1 && b->hints == 2) {
		b->asked = 2;
		rig_server_kill();
		MUST(store_private_start(rig.server, &err));
	} else if (b->asked == 2 && b->hints == 3) {	/* back: look once */
		b->asked = 3;
		want(ACCOUNT_ENABLED);
	}
	return b->hints == 4;
}

static void
hints(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, wakes_up);
	bench_run(&b);
	assert_int_equal(3, b.asked);
}

/* --- Speed ---------------------------------------------------------------------------- */

static void
on_speed(void *ctx, enum mu_rc rc, struct store_grant *grant)
{
	struct bench *b = ctx;

	on_grant(ctx, rc, grant);
	if (b->asked < b->wanted) {
		b->asked++;
		store_read_grant(b->read, gate.fingerprint, "ada", on_speed, b);
	}
}

static bool
answers_all(struct bench *b)
{
	if (b->asked == 0 && store_read_is_up(b->read)) {
		b->wanted = SPEED_LOOKUPS;
		for (b->asked = 0; b->asked < IN_FLIGHT; b->asked++)
			store_read_grant(b->read, gate.fingerprint, "ada", on_speed, b);
	}
	return b->ok == SPEED_LOOKUPS;
}

static int64_t
cpu_us(void)
{
	struct rusage u;

	assert_int_equal(0, getrusage(RUSAGE_SELF, &u));
	return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	    u.ru_stime.tv_usec;
}

static void
speed(void **state)
{
	struct bench b;
	int64_t begin_ms = mu_tick_ms(), begin_us = cpu_us();

	(void)state;
	bench_open(&b, answers_all);
	bench_run(&b);
	print_message("%d lookups, %d in flight: %lld a second, %.1f us of our CPU each\n",
	    SPEED_LOOKUPS, IN_FLIGHT, (long long)SPEED_LOOKUPS * 1000 / (mu_tick_ms() - begin_ms),
	    (double)(cpu_us() - begin_us) / SPEED_LOOKUPS);
	assert_int_equal(0, b.retry);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "client and account, account or client unknown", three_answers, NULL, NULL,
		    NULL },
		{ "a lookup sees the commit before it, every time", nothing_is_cached, NULL, NULL,
		    NULL },
		{ "a lost server is MU_ERETRY, and comes back by itself", lost_and_back, NULL, NULL,
		    NULL },
		{ "a server that holds still is given up after 5 s", stopped_server, NULL, NULL,
		    NULL },
		{ "pulls are counted by the minute, records stand once", records, NULL, NULL,
		    NULL },
		{ "records outlive an outage", outage, NULL, NULL, NULL },
		{ "what cannot be recorded is not told", pile, NULL, NULL, NULL },
		{ "hints wake, and once after every return", hints, NULL, NULL, NULL },
		{ "many lookups in flight are answered in order", speed, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, up, down);
}
