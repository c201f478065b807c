/*
 * cycle/narrow_priv.h - is a complete listing to be believed that lacks most of the people?
 *
 * More than half of everybody missing at once is a cut access right far more often than a split
 * organisation. Such a listing removes nobody: all who are missing are held by the brake, so that
 * two people see who they are and may let them go (muster brake release). Whom they let go counts
 * no more: the next listing that lacks these and not many others is believed, once.
 */
#ifndef CYCLE_NARROW_PRIV_H
#define CYCLE_NARROW_PRIV_H

#include "cycle/slice.h"
#include "store/store.h"

struct narrow {
	bool narrowed;
	int64_t people, missing;	/* there were, and are missing; neither with those let go */
};

/*
 * Judges a listing of the source's people by who of them is missing (their entry UUIDs). people: how
 * many were known before it, those included; whom it brought makes up for nobody.
 */
MU_CHECKED enum mu_rc narrow_look(struct store *store, const char *source,
    const struct uuids *missing, int64_t people, struct narrow *out_narrow, struct mu_err *err);
/* The same, and holds these if it is not believed. In the open transaction. */
MU_CHECKED enum mu_rc narrow_judge(struct store *store, const char *source,
    const struct uuids *missing, int64_t people, int64_t now_s, struct narrow *out_narrow,
    struct mu_err *err);

#endif
