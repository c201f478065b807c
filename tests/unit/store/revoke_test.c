/*
 * One person, one writer at a time: an administrator's revocation and a change from the directory
 * meet ten thousand times, each locking, reading, deciding and writing. From the revocation's
 * commit on, the person is never enabled again, whoever came first.
 */
#include "unit/store/people.h"
#include "unit/store/rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define ROUNDS		10000
#define STALE_ROUNDS	400
#define SPIN_MAX	20000

enum side { REVOKE, REINSTATE, CHANGE };

/*
 * Who comes first is left to the scheduler in half of the rounds. In the others one side holds its
 * lock before the other asks for it, so that both orders are met on a busy machine, too.
 */
enum order { RACE, REVOKE_FIRST, RACE_AGAIN, CHANGE_FIRST };
#define ORDER_COUNT	(CHANGE_FIRST + 1)

struct meeting {
	struct mu_uuid person_id, entry_uuid;
	struct store *directory;	/* the other thread's */
	pthread_barrier_t ready, start, end;
	atomic_int locked;	/* in this round: how many sides have asked and been answered */
	int rounds;
	bool stale;		/* the directory's side decides from what it read before the lock */
	int64_t revoke_saw, change_saw;		/* the version that each found under its lock */
	atomic_int violations, faults;
	int revoke_first, change_first;
	char fault[256];
};

static void
fault(struct meeting *m, const struct mu_err *err)
{
	if (atomic_fetch_add(&m->faults, 1) == 0)
		(void)snprintf(m->fault, sizeof(m->fault), "%.250s", err->text);
}

/* Lets now this, now that side come first. */
static void
spin(unsigned int *seed)
{
	for (volatile int left = rand_r(seed) % SPIN_MAX; left > 0; left--)
		;
}

/* In a round whose order is given, who comes second waits until the first holds the lock. */
static void
wait_turn(struct meeting *m, enum side side, int round)
{
	enum order order = (enum order)(round % ORDER_COUNT);

	if ((side == CHANGE && order == REVOKE_FIRST) || (side == REVOKE && order == CHANGE_FIRST))
		while (atomic_load(&m->locked) == 0)
			(void)sched_yield();
}

/* Writes the person and the account as decided, in the transaction that holds the lock. */
static void
write_decision(struct store *s, struct store_person *p, bool blocked)
{
	struct store_account *a = &p->accounts[0];

	p->blocked = blocked;
	a->want.state = blocked ? ACCOUNT_DISABLED : ACCOUNT_ENABLED;
	a->want.version++;
	store_person_write(s, p);
	store_account_write(s, a, blocked, NOW_S);
}

/* One transaction of one side; stale_blocked: what CHANGE believes when it does not look. */
static bool
decide(struct meeting *m, struct store *s, enum side side, const bool *stale_blocked,
    int64_t *out_saw)
{
	MU_AUTO(store_people_clear) struct store_people people = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	struct store_person *p;
	enum mu_rc rc;

	rc = store_begin(s, &err);
	if (rc == MU_OK && side == CHANGE)
		rc = store_person_lock_entries(s, "corp", &m->entry_uuid, 1, &people, &err);
	else if (rc == MU_OK)
		rc = store_person_lock_ids(s, &m->person_id, 1, &people, &err);
	atomic_fetch_add(&m->locked, 1);
	if (rc != MU_OK || people.count != 1) {
		store_rollback(s);
		fault(m, &err);
		return false;
	}
	p = &people.list[0];
	*out_saw = p->version;
	switch (side) {
	case REVOKE:
		write_decision(s, p, true);
		break;
	case REINSTATE:
		write_decision(s, p, false);
		break;
	case CHANGE:
		mu_random(p->content_hash, sizeof(p->content_hash));
		write_decision(s, p, stale_blocked == NULL ? p->blocked : *stale_blocked);
		break;
	}
	if (store_commit(s, &err) != MU_OK) {
		fault(m, &err);
		return false;
	}
	return true;
}

/* Without a lock, as the token API reads: is the account anything but disabled? */
static void
look(struct meeting *m, PGconn *conn)
{
	PGresult *rows = PQexecPrepared(conn, "look", 0, NULL, NULL, NULL, 0);

	if (PQntuples(rows) != 1 || strcmp(PQgetvalue(rows, 0, 0), "disabled") != 0 ||
	    PQgetvalue(rows, 0, 1)[0] != 't')
		atomic_fetch_add(&m->violations, 1);
	PQclear(rows);
}

static bool
is_blocked(struct meeting *m, struct store *s)
{
	MU_AUTO(store_people_clear) struct store_people people = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	if (store_begin(s, &err) != MU_OK || store_person_lock_ids(s, &m->person_id, 1, &people,
	    &err) != MU_OK || store_commit(s, &err) != MU_OK) {
		fault(m, &err);
		return false;
	}
	return people.count == 1 && people.list[0].blocked;
}

/* These threads commit without waiting for the disk: order is what is tested, not durability. */
static struct store *
open_side(enum store_role role)
{
	MU_AUTO(mu_buf_clear) struct mu_buf conninfo = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct store *s = NULL;

	mu_buf_format(&conninfo, "%s options='-c synchronous_commit=off'",
	    rig.logins.conninfo[role]);
	MUST(store_open(conninfo.data, STORE_PERSON | STORE_ACCOUNT, &s, &err));
	return s;
}

static void *
directory_side(void *ctx)
{
	struct meeting *m = ctx;
	struct store *s = m->directory;
	unsigned int seed = 1;

	for (int i = 0; i < m->rounds; i++) {
		bool blocked;

		(void)pthread_barrier_wait(&m->ready);
		blocked = m->stale && is_blocked(m, s);
		(void)pthread_barrier_wait(&m->start);
		spin(&seed);
		wait_turn(m, CHANGE, i);
		(void)decide(m, s, CHANGE, m->stale ? &blocked : NULL, &m->change_saw);
		(void)pthread_barrier_wait(&m->end);
	}
	return NULL;
}

static void
meet(struct meeting *m)
{
	struct store *s = open_side(STORE_ROLE_CYCLE);
	PGconn *eye = PQconnectdb(store_private_conninfo(rig.server));
	unsigned int seed = 2;
	pthread_t thread;
	int64_t ignored;

	m->directory = open_side(STORE_ROLE_CYCLE);
	assert_int_equal(CONNECTION_OK, PQstatus(eye));
	PQclear(PQprepare(eye, "look", "SELECT a.wanted_state, p.blocked FROM account a"
	    " JOIN person p USING (person_id) WHERE p.uid = 'both'", 0, NULL));
	assert_int_equal(0, pthread_barrier_init(&m->ready, NULL, 2));
	assert_int_equal(0, pthread_barrier_init(&m->start, NULL, 2));
	assert_int_equal(0, pthread_barrier_init(&m->end, NULL, 2));
	assert_int_equal(0, pthread_create(&thread, NULL, directory_side, m));
	for (int i = 0; i < m->rounds; i++) {
		atomic_store(&m->locked, 0);
		(void)pthread_barrier_wait(&m->ready);	/* nobody is blocked now */
		(void)pthread_barrier_wait(&m->start);
		spin(&seed);
		wait_turn(m, REVOKE, i);
		if (decide(m, s, REVOKE, NULL, &m->revoke_saw))
			look(m, eye);		/* the change may be anywhere now */
		(void)pthread_barrier_wait(&m->end);
		look(m, eye);			/* and now it is over */
		if (m->revoke_saw < m->change_saw)
			m->revoke_first++;
		else
			m->change_first++;
		(void)decide(m, s, REINSTATE, NULL, &ignored);
	}
	assert_int_equal(0, pthread_join(thread, NULL));
	(void)pthread_barrier_destroy(&m->ready);
	(void)pthread_barrier_destroy(&m->start);
	(void)pthread_barrier_destroy(&m->end);
	PQfinish(eye);
	store_close(m->directory);
	store_close(s);
}

static void
person_both(struct meeting *m)
{
	static const char *const xmpp[] = { "xmpp", NULL };
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	struct store_account a[1];
	struct store_person p;

	free(rig_sql("DELETE FROM account"));
	free(rig_sql("DELETE FROM person"));
	person_make(&p, "both");
	person_store(s, &p, a, xmpp);
	m->person_id = p.person_id;
	m->entry_uuid = p.entry_uuid;
	account_want_clear(&a[0].want);
	store_person_clear(&p);
	store_close(s);
}

static void
P5_3_revoke_beats_directory_change(void **state)
{
	struct meeting m = { .rounds = ROUNDS };

	(void)state;
	person_both(&m);
	meet(&m);
	if (m.faults > 0)
		fail_msg("%d transactions failed: %s", m.faults, m.fault);
	print_message("%d rounds: the revocation first in %d, the change first in %d\n", ROUNDS,
	    m.revoke_first, m.change_first);
	assert_int_equal(0, m.violations);
	/* Both orders were really met. */
	assert_true(m.revoke_first >= ROUNDS / ORDER_COUNT);
	assert_true(m.change_first >= ROUNDS / ORDER_COUNT);
	rig_sql_is("30001 30001", "SELECT concat_ws(' ', p.version, a.version) FROM person p"
	    " JOIN account a USING (person_id)");
}

/*
 * The same with a writer that trusts its memory: if this went unseen, the test above would
 * prove nothing.
 */
static void
memory_would_lose(void **state)
{
	struct meeting m = { .rounds = STALE_ROUNDS, .stale = true };

	(void)state;
	person_both(&m);
	meet(&m);
	if (m.faults > 0)
		fail_msg("%d transactions failed: %s", m.faults, m.fault);
	/* Whenever the revocation came first, at least. */
	assert_true(m.violations >= STALE_ROUNDS / ORDER_COUNT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "P5_3_revoke_beats_directory_change: 10,000 meetings,"
		    " never enabled after the revocation's commit",
		    P5_3_revoke_beats_directory_change, NULL, NULL, NULL },
		{ "a writer that decides from memory would be seen", memory_would_lose, NULL, NULL,
		    NULL },
	};

	return cmocka_run_group_tests(tests, rig_up, rig_down);
}
