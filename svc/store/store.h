/*
 * store/store.h - one connection to PostgreSQL and its transactions
 *
 * Blocking calls for processes that may wait; token's reads are in store/read.h. All statements
 * of the aggregates asked for are prepared at connect, so that a drift between schema and code
 * stops the start. Inside a transaction reads are answered at once; writes are queued in libpq's
 * pipeline and their results are collected by store_commit, which reports the first that failed and
 * rolls all back. A write that must change exactly one row and does not fails with MU_ECONFLICT.
 *
 * MU_ERETRY     connection lost, serialization failure (40001, 40P01): the transaction did not
 *               happen (or, at commit, may have: keys are made here, so repeating is harmless).
 *               The next store_begin reconnects.
 * MU_EBROKEN    anything else PostgreSQL refuses
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "base/uuid.h"

struct store;

/* Aggregates whose statements a process uses: see each header. */
enum store_part {
	STORE_PERSON = 1 << 0, STORE_ACCOUNT = 1 << 1, STORE_SOURCE = 1 << 2, STORE_POLICY = 1 << 3,
	STORE_AUDIT = 1 << 4, STORE_QUEUE = 1 << 5, STORE_CLIENT = 1 << 6,
	    STORE_CREDENTIAL = 1 << 7,
	STORE_STATUS = 1 << 8, STORE_TREE = 1 << 9, STORE_ADMIN = 1 << 10, STORE_ACTION = 1 << 11,
	STORE_GRANT = 1 << 12, STORE_LOOK = 1 << 13,
};

/* Connects (waits at most 10 s) and prepares; parts: enum store_part or-ed. */
MU_CHECKED enum mu_rc store_open(const char *conninfo, unsigned int parts, struct store **out_store,
    struct mu_err *err);
void store_close(struct store *s);

MU_CHECKED enum mu_rc store_begin(struct store *s, struct mu_err *err);
MU_CHECKED enum mu_rc store_commit(struct store *s, struct mu_err *err);
void store_rollback(struct store *s);		/* nothing to do is fine */

/* A hint to whoever listens (store/hint.h), outside a transaction; failing is no harm. */
void store_hint(struct store *s, const char *channel);

#endif
