/*
 * cycle/plan.h - what deciding everybody anew would change, computed and not done
 */
#ifndef CYCLE_PLAN_H
#define CYCLE_PLAN_H

#include "crypto/digest.h"
#include "cycle/decide.h"

/* What is told of a plan or a dry run: lines to read, and the counts as JSON (cycle/report.h). */
struct cycle_told {
	struct mu_buf lines, json;
};
void cycle_told_clear(struct cycle_told *t);

/*
 * Decides everyone there is by these rules, with the very cycle_decide that a pass uses, and tells
 * who would change, the worst first. Reads alone, by connections of its own (store/scan.h), and
 * holds a page of people. Those who are alike in all that decisions look at are decided once.
 *
 * Grants and identifications are taken as right: whoever plans cannot ask keys. Removals that the
 * brake would hold are told as changes, and a note says how many it lets pass.
 *
 * as_json    lines are objects, one a person
 * MU_EINPUT  never: a fault of a person's dates is a note about them
 */
struct cycle_plan_host {
	const char *conninfo;		/* of muster_work */
	struct store *store;		/* STORE_PERSON, STORE_SOURCE: what the brake has let pass */
	const struct cycle_rules *rules;
	bool as_json;
};
MU_CHECKED enum mu_rc cycle_plan(const struct cycle_plan_host *host, int64_t now_s,
    struct cycle_told *out_told, struct mu_err *err);

/* SHA-256 of these files, in their order (that of their names): which policy was planned. */
void cycle_policy_digest(const struct policy_file *files, size_t file_count,
    unsigned char out_digest[CRYPTO_SHA256_BYTES]);

#endif
