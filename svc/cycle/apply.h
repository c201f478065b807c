/*
 * cycle/apply.h - a slice becomes rows: read, decide, brake, write; inside an open transaction
 */
#ifndef CYCLE_APPLY_H
#define CYCLE_APPLY_H

#include "cycle/cycle.h"
#include "cycle/slice.h"

struct cycle_apply {
	const struct cycle_host *host;
	struct slice *slice;
	int64_t now_ms;
	/* Removals that are not judged yet but put into deferred: those by news, those by the row alone. */
	bool defer_news, defer_rows;
	struct slice *deferred;
	size_t deferred_keep;		/* entries are copied to deferred up to so many; beyond, held */
	bool force_hold;		/* more was deferred than was kept: hold, whatever the limit is now */
	bool drop_holds;		/* decide on every entry; who is no longer to be removed is held no more */

	/* What came of it. */
	size_t written, removals, held;
	bool deferred_over;		/* more than deferred_keep */
	bool accounts_changed;
	int64_t soonest_due_s;		/* 0: none */
};

MU_CHECKED enum mu_rc cycle_apply(struct cycle_apply *a, struct mu_err *err);

#endif
