/*
 * store/status.h - how things stand, for the console and for status (STORE_STATUS)
 */
#ifndef STORE_STATUS_H
#define STORE_STATUS_H

#include "model/names.h"
#include "store/queue.h"
#include "store/store.h"

struct store_status_source {
	char *source, *text;		/* text: the verdict's reason */
	enum verdict verdict;
	int64_t since_s;		/* the verdict stands since */
	int64_t complete_at_s;		/* last complete listing of people, 0: never */
	int64_t listed_count;		/* people in it */
	int64_t people, quarantined;
	int64_t held;			/* people whose removal the brake holds */
	int64_t held_since_s;		/* the longest, 0: none */
	char *held_reason;		/* of the longest, "" */
};

struct store_status_platform {
	char *platform;
	struct store_queue_counts counts;
};

struct store_status {
	struct store_status_source *sources;
	size_t source_count;
	struct store_status_platform *platforms;
	size_t platform_count;
	int64_t people[PERSON_ERASED + 1];	/* by enum person_state */
	int64_t blocked;
	int64_t schema_version;
	int64_t tree_size;			/* records numbered */
	int64_t unnumbered;			/* records waiting for their number */
};
void store_status_clear(struct store_status *x);

MU_CHECKED enum mu_rc store_status_get(struct store *s, struct store_status *out_status,
    struct mu_err *err);

#endif
