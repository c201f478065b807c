#include "cycle/rows.h"

#include "store/brake.h"

#define JUDGED_MAX	5000		/* so many removals are judged together in any case */

enum mu_rc
rows_removals_apply(struct cycle_apply *a, struct uuids *left, size_t *out_page,
    struct mu_err *err)
{
	const struct cycle_host *host = a->host;
	size_t page;
	int64_t people;

	uuids_sort(left);
	page = left->count;
	if (store_brake_people(host->store, BRAKE_GLOBAL, "", &people, err) != MU_OK)
		return err->rc;
	a->force_hold = a->force_hold || (page > JUDGED_MAX &&
	    (int64_t)page > policy_removals_limit(host->rules.policy, people));
	if (a->force_hold && page > ROWS_PAGE)
		page = ROWS_PAGE;
	for (size_t i = 0; i < page; i++)
		uuids_add(&a->slice->redecide, &left->list[left->count - page + i]);
	if (page > 0 && cycle_apply(a, err) != MU_OK)
		return err->rc;
	*out_page = page;
	return MU_OK;
}
