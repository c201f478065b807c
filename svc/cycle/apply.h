/*
 * cycle/apply.h - a slice becomes rows: read, decide, brake, write; inside an open transaction
 */
#ifndef CYCLE_APPLY_H
#define CYCLE_APPLY_H

#include "cycle/cycle.h"
#include "cycle/slice.h"

/* How the brake treats removals of a slice. */
enum cycle_brake {
	CYCLE_BRAKE_DEFER,	/* a refresh is under way: collect them, decide when it is complete */
	CYCLE_BRAKE_WINDOW,	/* within the limit of the window or held, all of the slice alike */
};

struct cycle_apply {
	const struct cycle_host *host;
	struct slice *slice;
	enum cycle_brake brake;
	int64_t now_ms;
	struct slice *deferred;		/* DEFER: removals go there */
	size_t deferred_keep;		/* entries are copied to deferred up to so many; beyond, only counted */
	bool force_hold;		/* more was deferred than was kept: hold, whatever the limit is now */
	bool drop_holds;		/* somebody is held: who is no longer to be removed is let go */

	/* What came of it. */
	size_t written, removals, deferred_count, held;
	bool accounts_changed;
	int64_t soonest_due_s;		/* 0: none */
};

MU_CHECKED enum mu_rc cycle_apply(struct cycle_apply *a, struct mu_err *err);

#endif
