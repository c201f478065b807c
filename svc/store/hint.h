/*
 * store/hint.h - wake-ups from the store: LISTEN on a connection of its own, in the caller's loop
 *
 * Only ever a hint: it saves waiting for the next poll and carries nothing. It reconnects by itself
 * (backing off up to 2 s) and then calls every handler once, because hints were lost meanwhile.
 * Poll anyway.
 */
#ifndef STORE_HINT_H
#define STORE_HINT_H

#include "base/loop.h"
#include "store/store.h"

struct store_hint;

/* copied; returns at once */
struct store_hint *store_hint_open(struct mu_loop *loop, const char *conninfo);
void store_hint_close(struct store_hint *h);

/* fn runs at most once a turn, however many hints arrived. channel is borrowed for ever. */
void store_hint_on(struct store_hint *h, const char *channel, mu_timer_fn *fn, void *ctx);

#endif
