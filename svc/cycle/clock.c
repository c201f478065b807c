#include "cycle/clock.h"

#include "base/clock.h"
#include "base/log.h"
#include "cycle/rows.h"
#include "store/brake.h"
#include "store/queue.h"
#include "store/source.h"

#define TICK_MS		1000
#define LEASE_S		10
#define PRUNE_MS	3600000		/* what the brake counts no more goes that often */
#define DUE_MAX		1000000		/* looked at together; more are the next second's */

struct cycle_clock {
	const struct cycle_host *host;
	mu_timer_fn *look, *settle;
	void *ctx;
	struct mu_buf holder;
	struct mu_timer *timer;
	/* Who is due, while they take more than one turn: those left, and whose removals wait. */
	bool runs;
	struct uuids due;
	struct slice deferred;
	bool deferred_over;
	bool fails;
	int64_t pruned_ms;
};

/* To the beginning of the next second: due times are whole ones. */
static int64_t
tick_wait_ms(void)
{
	return TICK_MS - mu_now_ms() % TICK_MS;
}

static void
round_end(struct cycle_clock *c)
{
	uuids_clear(&c->due);
	slice_clear(&c->deferred);
	c->runs = c->deferred_over = false;
}

/* Everyone who is due now; normally nobody, and then this is all that a second costs. */
static enum mu_rc
due_read(struct cycle_clock *c, int64_t now_s, struct mu_err *err)
{
	struct mu_uuid some[ROWS_PAGE];
	MU_AUTO(mu_freep) struct mu_uuid *all = NULL;
	struct mu_uuid *list = some;
	size_t count = 0;

	if (store_person_due(c->host->store, now_s, list, ROWS_PAGE, &count, err) != MU_OK)
		return err->rc;
	if (count == ROWS_PAGE) {
		list = all = mu_alloc_zero(DUE_MAX, sizeof(*all));
		if (store_person_due(c->host->store, now_s, list, DUE_MAX, &count, err) != MU_OK)
			return err->rc;
	}
	for (size_t i = 0; i < count; i++)
		uuids_add(&c->due, &list[i]);
	return MU_OK;
}

/* MU_EDENIED  another clock acts */
static enum mu_rc
begin(struct cycle_clock *c, struct mu_err *err)
{
	int64_t fence;

	if (store_begin(c->host->store, err) != MU_OK)
		return err->rc;
	return store_lease_take(c->host->store, "clock", c->holder.data, LEASE_S, &fence, err);
}

/* A page of those who are due. If there are more, what is taken away waits for all of them. */
static enum mu_rc
page_run(struct cycle_clock *c, struct cycle_apply *a, struct mu_err *err)
{
	size_t page = c->due.count < ROWS_PAGE ? c->due.count : ROWS_PAGE;
	bool prunes = a->now_ms - c->pruned_ms >= PRUNE_MS;

	if (begin(c, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < page; i++)
		uuids_add(&a->slice->redecide, &c->due.list[c->due.count - page + i]);
	a->defer_rows = c->runs || page < c->due.count;
	a->deferred = &c->deferred;
	if (cycle_apply(a, err) != MU_OK)
		return err->rc;
	if (prunes)
		store_brake_prune(c->host->store, a->now_ms / 1000 - POLICY_BRAKE_WITHIN_MAX_S);
	if (store_commit(c->host->store, err) != MU_OK)
		return err->rc;
	if (prunes)
		c->pruned_ms = a->now_ms;
	c->due.count -= page;
	c->runs = c->due.count + c->deferred.redecide.count > 0;
	return MU_OK;
}

static enum mu_rc
removals_run(struct cycle_clock *c, struct cycle_apply *a, struct mu_err *err)
{
	struct uuids *left = &c->deferred.redecide;
	size_t page;

	a->force_hold = c->deferred_over;
	if (begin(c, err) != MU_OK || rows_removals_apply(a, left, &page, err) != MU_OK ||
	    store_commit(c->host->store, err) != MU_OK)
		return err->rc;
	c->deferred_over = a->force_hold;
	left->count -= page;
	c->runs = left->count > 0;
	return MU_OK;
}

static enum mu_rc
turn_run(struct cycle_clock *c, struct cycle_apply *a, struct mu_err *err)
{
	if (!c->runs && due_read(c, a->now_ms / 1000, err) != MU_OK)
		return err->rc;
	if (c->due.count > 0)
		return page_run(c, a, err);
	return c->runs ? removals_run(c, a, err) : MU_OK;
}

/* Whatever failed is found due again. It is said once, not every second. */
static void
turn_failed(struct cycle_clock *c, const struct mu_err *err)
{
	store_rollback(c->host->store);
	round_end(c);
	if (err->rc == MU_EDENIED)
		return;
	if (!c->fails)
		mu_log_err(err, "clock.failed", "source", c->host->source->name, NULL);
	c->fails = true;
	c->look(c->ctx);		/* perhaps for a new policy */
}

static void
on_tick(void *ctx)
{
	struct cycle_clock *c = ctx;
	MU_AUTO(slice_clear) struct slice s = { .people_count = 0 };
	MU_AUTO(uuids_clear) struct uuids told = { .count = 0 };
	MU_AUTO(cycle_apply_clear) struct cycle_apply a = { .host = c->host, .slice = &s,
		.now_ms = mu_now_ms(), .told = &told };
	struct mu_err err = MU_ERR_INIT;

	c->settle(c->ctx);
	if (turn_run(c, &a, &err) != MU_OK) {
		turn_failed(c, &err);
	} else {
		if (c->fails)
			mu_log("clock.runs", "source", c->host->source->name, NULL);
		c->fails = false;
		if (a.written.accounts_changed)
			store_hint(c->host->store, STORE_CHANNEL_ACCOUNTS);
		if (a.held > 0)		/* which a cycle keeps no cookies with */
			store_hint(c->host->store, STORE_CHANNEL_SYNC);
		if (!c->runs)
			round_end(c);
	}
	mu_timer_set(c->timer, c->runs ? 0 : tick_wait_ms());
}

struct cycle_clock *
cycle_clock_open(const struct cycle_host *host, mu_timer_fn *look, mu_timer_fn *settle, void *ctx)
{
	struct cycle_clock *c = mu_alloc_zero(1, sizeof(*c));

	c->host = host;
	c->look = look;
	c->settle = settle;
	c->ctx = ctx;
	mu_buf_format(&c->holder, "%s %s", host->holder, host->source->name);
	c->timer = mu_loop_timer(host->loop, on_tick, c);
	mu_timer_set(c->timer, 0);
	return c;
}

void
cycle_clock_close(struct cycle_clock *c)
{
	if (c == NULL)
		return;
	mu_timer_free(c->timer);
	round_end(c);
	mu_buf_clear(&c->holder);
	mu_free(c);
}
