/*
 * cycle/brake.h - would this take away, or give, more than is plausible?
 *
 * Whatever decides people together (a slice, the clock, a policy's pass, a dry run) puts what it would
 * do on a sheet. A line of it is a row of the policy for one source, one platform or all; each counts
 * what its window has had already and what is wanted now, before the first effect. Over the limit of
 * any line everybody within it is held together.
 *
 * What counts is what nobody has looked at: what the directory, a date or a policy does. Actions
 * (cycle_again) neither pass the brake nor count for it: each has passed gates of its own, the
 * stricter the more people it is about, and one who revokes five must not thereby hold up, or push
 * to two colleagues, whoever leaves in the hour after. What two people release passes and counts:
 * they have let these people go, not vouched for the directory that wanted it.
 *
 * The share is reckoned of the people there were when the window began, or of those there are now if
 * they are fewer: a flood of joins raises no limit within the window. Who had nobody then (a source
 * read for the first time, a new platform) is reckoned by what there is now.
 */
#ifndef CYCLE_BRAKE_H
#define CYCLE_BRAKE_H

#include "base/err.h"
#include "policy/policy.h"
#include "store/store.h"

/* What one person's change does, as the brake counts it; borrowed. */
struct brake_effect {
	enum brake_kind kind;
	const char *source;
	/* where an account stops being enabled, power is gained, or an account is opened */
	const char *const *platforms;
	size_t platform_count;
};

struct brake_line {
	const struct policy_brake *row;		/* of the policy */
	char *name;				/* of the source or platform, "" for all */
	int64_t wanted;				/* now */
	int64_t used;				/* within the window that ends now */
	int64_t people_then, people_now;	/* when the window began, and now */
	/* judged: */
	int64_t limit;
	bool trips;
};

struct brake_sheet {
	struct brake_line *list;
	size_t count;
};
void brake_sheet_clear(struct brake_sheet *s);

/* Adds one to each line that the effect is within. The policy is borrowed until the sheet ends. */
void brake_sheet_want(struct brake_sheet *s, const struct policy *p, const struct brake_effect *e);

/* Fills in used and people of each line from the store (STORE_SOURCE), with one question. */
MU_CHECKED enum mu_rc brake_sheet_read(struct store *store, struct brake_sheet *s, int64_t now_s,
    struct mu_err *err);

/* The limit of each line, and whether it trips. Pure. */
void brake_sheet_judge(struct brake_sheet *s);

/* Appends what a line that trips comes to, in words. */
void brake_line_tell(const struct brake_line *l, struct mu_buf *out);

/* Is the effect within a line that trips? */
bool brake_sheet_holds(const struct brake_sheet *s, const struct brake_effect *e);

#endif
