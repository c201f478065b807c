/*
 * cycle/rows.h - many people decided on by their rows alone: a page a turn, judged together
 *
 * Whoever goes through more people than fit in one transaction gives what is to be given page by
 * page (cycle_apply with defer_rows), and brings here whose removal was deferred on the way.
 */
#ifndef CYCLE_ROWS_H
#define CYCLE_ROWS_H

#include "cycle/apply.h"

#define ROWS_PAGE 256

/*
 * The removals of these people pass the brake together, in the open transaction. Of more than can
 * be lawful none is judged alone: they are held, in pages. a: fresh, with force_hold as the last call left
 * it. out_page: how many, counted from the end of left, are done with when that is committed.
 */
MU_CHECKED enum mu_rc rows_removals_apply(struct cycle_apply *a, struct uuids *left,
    size_t *out_page, struct mu_err *err);

#endif
