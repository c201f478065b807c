/*
 * cycle/flood.h - people and groups who are new, many at once: decided in memory, written by COPY
 *
 * What comes in a refresh and had no row when it began needs no lock, and when a source is read for
 * the first time its people pass no brake: that is what it is trusted with from then on. So it is decided without the store, and its rows go there while more is read.
 * Whatever is not plain (an entry at fault, an account refused, a name wanted twice) is left in the
 * slice, for cycle_apply. That nobody had a row is a hint: if one has, or another person holds the
 * name, the commit fails with MU_ECONFLICT, all comes back into the slice, and is looked up before
 * it is tried again.
 */
#ifndef CYCLE_FLOOD_H
#define CYCLE_FLOOD_H

#include "cycle/batch_priv.h"
#include "cycle/member.h"
#include "store/flood.h"

struct flood {
	struct slice held;		/* what is in the rows, until they are committed */
	struct batch batch;		/* until they are on their way: see flood_count */
	size_t people;
	bool accounts_changed;
};

/*
 * Moves what is fresh and plain from the slice into f, and makes its rows: NULL when there is none.
 * doubt: somebody may have a row or a name after all, so the store is asked (outside of
 * transactions).
 *
 * MU_ERETRY   keys are away, or the store is; the slice as it was, or less fresh
 */
MU_CHECKED enum mu_rc flood_prepare(const struct cycle_host *host, struct slice *from,
    const struct memberships *groups, struct crypto_hash *h, bool doubt, int64_t now_ms,
    struct flood *f, struct store_flood **out_rows, struct mu_err *err);
/* Queues how many more there are, in the open transaction that the rows go with. */
void flood_count(const struct cycle_host *host, struct flood *f, int64_t now_s);
/* After a conflict: back to the slice, but for whom it has newer news of. fresh: to be tried again. */
void flood_undo(struct flood *f, struct slice *to, bool fresh);
void flood_clear(struct flood *f);

#endif
