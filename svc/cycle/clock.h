/*
 * cycle/clock.h - what time alone changes: starts, ends, planned returns, grace periods
 *
 * When somebody has to be looked at again stands in the store, as a whole second. The clock looks
 * there at the beginning of each second of the wall clock: whoever wrote a due time, and whatever
 * became of the wall clock or the machine meanwhile, it is seen within a second and without a hint.
 * No directory is needed for that. Everyone who is due at once passes the brake at once.
 *
 * Every cycle has a clock, on every host. The one whose transaction takes the lease "clock" acts;
 * when it is gone another one does, some seconds later.
 */
#ifndef CYCLE_CLOCK_H
#define CYCLE_CLOCK_H

#include "cycle/cycle.h"

struct cycle_clock;

/*
 * look: is called when there is news in the store for the cycle; it may be a newer policy. settle:
 * before the store is asked anything, for the cycle shares it. Borrows host.
 */
struct cycle_clock *cycle_clock_open(const struct cycle_host *host, mu_timer_fn *look,
    mu_timer_fn *settle, void *ctx);
void cycle_clock_close(struct cycle_clock *c);

#endif
