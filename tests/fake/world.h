/*
 * fake/world.h - everything around a worker, in memory: store, keys, adapter, and sudden death
 *
 * The store keeps what the real one keeps and forgets what it forgets; the platform is the in-memory
 * adapter. Each call of the worker's port is counted, and the world can end at any of them, before or
 * after its effect: what the worker does from then on reaches nobody, and a new one takes over.
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include "adapters/adapter.h"
#include "provision/worker.h"

#include <stdbool.h>

enum world_fault {
	WORLD_WELL,
	WORLD_DIES_BEFORE,	/* provision is killed before the call has its effect */
	WORLD_DIES_AFTER,	/* and after it */
	WORLD_LOSES_ADAPTER,	/* the adapter ends before it answers; for other calls: as well */
	WORLD_IS_AWAY,		/* keys or store answer MU_ERETRY once; a step answers RETRY */
};

/* An account's row. */
struct world_account {
	struct store_work work;		/* as take gives it */
	bool taken, parked, settled;
	char password[64];		/* of the sealed credential */
	bool claimable;
	size_t receipts[STEP_KIND_COUNT];
	char answer[32];		/* of the last end that was no settling */
};

struct world {
	struct adapter *adapter;
	struct mu_secret credential;
	struct world_account accounts[8];
	size_t account_count;
	struct worker *worker;
	struct step pending;
	bool has_pending, waiting, dead;
	size_t calls, fault_at;		/* the fault_at-th call fails; 0: none */
	enum world_fault fault;
	size_t sent[STEP_KIND_COUNT];
	struct mu_buf trace;		/* of steps sent: "get:jo create:jo " */
	bool (*meanwhile)(struct world *w, const struct step *s);	/* called when s is done and not
									 * yet answered; true: give a hint */
};

void world_open(struct world *w, const char *credential);
void world_close(struct world *w);

/* Adds an account that is not wanted yet. */
struct world_account *world_account_add(struct world *w, const char *name);

/* The next version of what is wanted: rights in canonical text. */
void world_want(struct world_account *a, enum account_state state, const char *rights, bool urgent);

/* Runs until nothing is due, or for so many turns; false: it never came to rest. */
bool world_run(struct world *w, size_t turns);

/* Has the platform do a step of somebody else's. */
void world_do(struct world *w, enum step_kind kind, const char *name);

/* How the platform shows the account, asked for rights: "enabled,a,r:owner". */
void world_look(struct world *w, const char *name, const char *rights, struct mu_buf *out_text);

#endif
