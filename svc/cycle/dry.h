/*
 * cycle/dry.h - what a full read of one source would do now: read, decided and told, not done
 *
 * A dry run reads the directory itself, without a cookie, by the same directory/ as a cycle, and
 * decides by the same cycle_decide, on rows that are read and not locked. What a cycle keeps in
 * the store meanwhile it keeps in memory: who was listed, the groups of everybody listed, and whom
 * the read takes something from, until the end judges these together. It writes nothing anywhere.
 *
 * Told are the people who would change (cycle/report.h), those whom the brake would hold, entries
 * that cannot be used, and what the read was worth.
 */
#ifndef CYCLE_DRY_H
#define CYCLE_DRY_H

#include "base/loop.h"
#include "cycle/plan.h"
#include "directory/directory.h"

struct cycle_dry;

struct cycle_dry_host {			/* all borrowed */
	struct mu_loop *loop;
	struct store *store;		/* STORE_PERSON, STORE_SOURCE; nothing is written to it */
	const struct directory_source *source;
	const char *uid_name;		/* as of a cycle */
	const struct cycle_rules *rules;
	bool as_json;
	/*
	 * Once, from the loop: it is over, whatever the read was worth. rc is that of the run: MU_OK
	 * also when the directory could not be read, which is then told.
	 */
	void (*ended)(void *ctx, enum mu_rc rc, const struct cycle_told *told,
	    const struct mu_err *err);
	void *ctx;
};

struct cycle_dry *cycle_dry_open(const struct cycle_dry_host *host);
void cycle_dry_close(struct cycle_dry *d);	/* NULL is fine; not from a callback */

#endif
