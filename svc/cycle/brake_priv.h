/*
 * cycle/brake_priv.h - the brake between deciding and writing
 */
#ifndef CYCLE_BRAKE_PRIV_H
#define CYCLE_BRAKE_PRIV_H

#include "cycle/apply.h"
#include "cycle/brake.h"

/*
 * Defers what has to wait, holds who is held, lets pass who was released, and judges the rest
 * together. Whose removal is held is skipped; whose gain is held is to be decided again, without
 * it (a->withheld).
 */
MU_CHECKED enum mu_rc brake_batch(struct cycle_apply *a, struct batch *b, struct mu_err *err);

/* --- While the batch is written ------------------------------------------------------------- */

/* What passed counts. */
void brake_effects_add(const struct cycle_again_host *host, const struct decided *d, int64_t now_ms);

/*
 * Drops the holds that are over, adds those of gains that were left out: a gain is held while it
 * is withheld. The row alone does not know of an entry that is gone, its removal held.
 */
void brake_holds_write(const struct cycle_again_host *host, const struct decided *d,
    int64_t now_s);

/* How many more people, and enabled accounts, there are than before: shares are reckoned of them. */
struct brake_tallies {
	struct brake_tally {
		enum brake_scope scope;
		const char *name;		/* borrowed from who is written */
		int64_t people;
	} *list;
	size_t count;
};
/* Before the person is written: who is new has no version yet. */
void brake_person_tally(struct brake_tallies *t, const struct decided *d);
/* And ends them. */
void brake_tallies_write(const struct cycle_again_host *host, struct brake_tallies *t,
    int64_t now_s);

#endif
