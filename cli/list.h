/*
 * cli/list.h - what the server lists, as tables: GET a route, page by page, columns from a row of
 * data
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/show.h"

struct list_row {
	const char *path;		/* "/v1/people" */
	const char *member;		/* the list in the answer */
	const char *page;		/* the parameter for "next"; NULL: there is one page */
	const char *none;		/* what an empty list means to people */
	struct show_column columns[10];	/* ended by { NULL } */
};

/*
 * A command whose row says all: each of its options is a parameter of the query, times as RFC 3339;
 * limit is how many rows are wanted.
 */
int list_run(struct cli *c, const struct args *a);

extern const struct list_row list_people, list_pending, list_brake, list_platforms, list_clients,
    list_administrators, list_sources, list_quarantine, list_audit, list_reviews;

#endif
