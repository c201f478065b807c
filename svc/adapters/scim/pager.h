/*
 * adapters/scim/pager.h - walks a listing by startIndex, and judges whether it was whole
 *
 * RFC 7644 3.4.2.4 as servers really do it: some ignore startIndex and answer their first page for
 * ever, some answer a full page from beyond the end, and a resource that is made or removed
 * meanwhile moves all others. So the walk ends at totalResults, and is whole only if each page
 * began where it was asked to, the total stayed what it was, and as many different ids were seen.
 */
#ifndef ADAPTERS_SCIM_PAGER_H
#define ADAPTERS_SCIM_PAGER_H

#include "json/read.h"

#define SCIM_PAGE_COUNT	100	/* resources: with their ids and names they fit one message */
#define SCIM_TOTAL_MAX	10000000

struct scim_pager {
	int64_t next;		/* the startIndex to ask for; 0: there is no next page */
	int64_t total;		/* as first answered; -1: not yet */
	bool sound;		/* nothing has been seen that speaks against it */
	uint64_t *ids;		/* a hash each: equal ids are seen for sure */
	size_t count, room;
};

/* Starts at startIndex; a walk that does not start at 1 is never whole. */
void scim_pager_begin(struct scim_pager *p, int64_t start);
void scim_pager_clear(struct scim_pager *p);

/*
 * Takes the answer to p->next. out_resources: the list to use of it, SCIM_PAGE_COUNT at most, or
 * NULL when it is not what was asked for. false: no ListResponse.
 */
bool scim_pager_take(struct scim_pager *p, const struct json_node *page,
    const struct json_node **out_resources);

/* Until there is no next page: whole as far as it went. */
bool scim_pager_whole(struct scim_pager *p);

#endif
