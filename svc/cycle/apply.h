/*
 * cycle/apply.h - a slice becomes rows: read, decide, brake, write; inside an open transaction
 */
#ifndef CYCLE_APPLY_H
#define CYCLE_APPLY_H

#include "cycle/batch_priv.h"

struct cycle_apply {
	const struct cycle_host *host;
	struct slice *slice;
	int64_t now_ms;
	/*
	 * Removals that are not judged yet but put into deferred: those by news, those by the row
	 * alone.
	 */
	bool defer_news, defer_rows;
	/*
	 * By the row alone not only removals: a group may know somebody by a new name that we do
	 * not know yet, and who is in no group may gain by that.
	 */
	bool rows_unsure;
	struct slice *deferred;
	/* entries are copied to deferred up to so many; beyond, held */
	size_t deferred_keep;
	/* more was deferred than was kept: hold, whatever the limit is now */
	bool force_hold;
	/*
	 * Decide on every entry, the unchanged ones, too: somebody is held and may be back, or
	 * was left undecided.
	 */
	bool every_entry;
	/* rows of this transaction that were recorded as tampered with */
	struct uuids *told;

	/* What came of it. */
	struct batch_written written;
	size_t held;			/* newly */
	bool deferred_over;		/* more than deferred_keep */
	/* entries whose gain of that kind trips now: sorted, to be cleared */
	struct uuids withheld[BRAKE_KIND_COUNT];
};

/* Ends what came of it. */
void cycle_apply_clear(struct cycle_apply *a);
/* A person who has no row yet. */
void apply_person_new(struct store_person *p, const char *source, const struct slice_person *entry,
    int64_t now_s);
/* What an entry says; borrows of all, uid holds the name it makes. */
void apply_news_init(const struct cycle_host *host, const struct slice_person *entry,
    const struct strings *groups, struct mu_buf *uid, struct cycle_news *out_news);

MU_CHECKED enum mu_rc cycle_apply(struct cycle_apply *a, struct mu_err *err);

#endif
