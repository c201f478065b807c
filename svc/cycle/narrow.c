#include "cycle/narrow_priv.h"

#include "store/brake.h"
#include "store/person.h"

#include <stdlib.h>
#include <string.h>

#define MISSING_MIN	5	/* so many may be a small source's whole change of staff */
#define PAGE		1000

/* What is done with a page of the missing. */
typedef void page_fn(void *ctx, const struct mu_uuid *person_ids, size_t count,
    const struct store_holds *holds);

static enum mu_rc
pages_walk(struct store *store, const char *source, const struct uuids *missing, page_fn *fn,
    void *ctx, struct mu_err *err)
{
	for (size_t at = 0; at < missing->count; at += PAGE) {
		MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
		struct mu_uuid ids[PAGE];
		size_t left = missing->count - at, count = 0;

		if (store_person_ids_by_entry(store, source, missing->list + at,
		    left < PAGE ? left : PAGE, ids, &count, err) != MU_OK ||
		    store_brake_hold_find(store, ids, count, &holds, err) != MU_OK)
			return err->rc;
		fn(ctx, ids, count, &holds);
	}
	return MU_OK;
}

static void
released_count(void *ctx, const struct mu_uuid *person_ids, size_t count,
    const struct store_holds *holds)
{
	int64_t *released = ctx;

	(void)person_ids;
	(void)count;
	for (size_t i = 0; i < holds->count; i++)
		*released += holds->list[i].kind == BRAKE_REMOVAL && holds->list[i].released;
}

struct holding {
	struct store *store;
	const char *source, *reason;
	int64_t now_s;
};

static void
page_hold(void *ctx, const struct mu_uuid *person_ids, size_t count,
    const struct store_holds *holds)
{
	const struct holding *h = ctx;

	(void)holds;		/* whom it holds, or has let go, stays so */
	for (size_t i = 0; i < count; i++)
		store_brake_hold_add(h->store, h->source, &person_ids[i], BRAKE_REMOVAL,
		    h->reason, h->now_s);
}

enum mu_rc
narrow_look(struct store *store, const char *source, const struct uuids *missing, int64_t people,
    struct narrow *out_narrow, struct mu_err *err)
{
	struct narrow n = { .people = people, .missing = (int64_t)missing->count };
	int64_t released = 0;

	/* Fewer released make it no wider: they are looked for only where it may matter. */
	if (n.missing > MISSING_MIN && n.missing * 2 > n.people) {
		if (pages_walk(store, source, missing, released_count, &released, err) != MU_OK)
			return err->rc;
		n.missing -= released;
		n.people -= released;
		n.narrowed = n.missing > MISSING_MIN && n.missing * 2 > n.people;
	}
	*out_narrow = n;
	return MU_OK;
}

enum mu_rc
narrow_judge(struct store *store, const char *source, const struct uuids *missing, int64_t people,
    int64_t now_s, struct narrow *out_narrow, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf reason = MU_BUF_INIT;
	struct holding holding = { store, source, NULL, now_s };
	struct narrow n;

	if (narrow_look(store, source, missing, people, &n, err) != MU_OK)
		return err->rc;
	*out_narrow = n;
	if (!n.narrowed)
		return MU_OK;
	mu_buf_format(&reason, "missing from the directory with more than half of all: it lists %lld,"
	    " there were %lld", (long long)(n.people - n.missing), (long long)n.people);
	holding.reason = reason.data;
	return pages_walk(store, source, missing, page_hold, &holding, err);
}
